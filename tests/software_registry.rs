//! The register of software modules on disks that refuse, over restarts, and at its limits.

#![cfg(feature = "software-modules")]

mod frail;

use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::cwmp::message::{CpeRequest, Operation, UnitState};
use cwmp_agent::store::state::StateDir;
use cwmp_agent::transfer::software::record::{
    Change, Ended, Performed, State, Status, Target, Unit,
};
use cwmp_agent::transfer::software::registry::{Condition, MAX_REQUESTS, MAX_TRIES, NotKept};
use cwmp_agent::transfer::software::{Registry, failure};
use frail::{Fate, FrailDisk, Survives};
use std::path::Path;
use std::sync::Arc;

const UUID: &str = "01234567-89ab-5cde-8f01-23456789abcd";

fn load(disk: &Arc<FrailDisk>) -> Registry {
    let state = StateDir::open_on(disk.clone(), Path::new("/state")).expect("a folder");
    Registry::load(&state)
}

fn install() -> Operation {
    Operation::Install {
        url: "http://127.0.0.1/x".to_owned(),
        uuid: UUID.to_owned(),
        username: "user".to_owned(),
        password: "secret word".to_owned(),
        execution_env: String::new(),
    }
}

fn any(_: &str) -> Target {
    Target::Any
}

fn enabled(_: &str) -> Condition {
    Condition::Enabled
}

// A promise is on disk, or it is none.
#[test]
fn a_request_that_cannot_be_written_is_refused_and_forgotten() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    disk.set_fate(Fate::FailFrom(0, 28));
    assert_eq!(registry.accept(&[install()], "k", any), Err(NotKept::Disk));
    registry.session_ended();
    assert!(!registry.has_work());
    disk.set_fate(Fate::Sound);
    assert!(!load(&disk).has_work());
    registry.accept(&[install()], "k", any).expect("written");
    let after = Arc::new(disk.after_power_cut(Survives::Nothing));
    assert!(load(&after).has_work());
}

#[test]
fn what_a_session_asked_for_begins_when_it_has_ended_or_after_a_restart() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    registry.accept(&[install()], "k", any).expect("written");
    assert_eq!(registry.begin(1, &enabled), None);
    assert!(load(&disk).has_work());
    registry.session_ended();
    assert!(registry.begin(1, &enabled).is_some());
}

#[test]
fn no_more_than_so_many_wait() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    for _ in 0..MAX_REQUESTS {
        registry.accept(&[install()], "k", any).expect("room");
    }
    assert_eq!(registry.accept(&[install()], "k", any), Err(NotKept::Full));
    let mut registry = load(&Arc::new(FrailDisk::holding(&[])));
    let many = vec![install(); 257];
    assert_eq!(registry.accept(&many, "k", any), Err(NotKept::Full));
}

// T-DUS-009
#[test]
fn what_is_interrupted_again_and_again_fails_in_the_end() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    load(&disk).accept(&[install()], "k", any).expect("written");
    for tried in 0..MAX_TRIES {
        let mut registry = load(&disk);
        let job = registry.begin(7, &enabled).expect("a try");
        assert_eq!(job.again, tried > 0);
    }
    let mut registry = load(&disk);
    assert_eq!(registry.begin(8, &enabled), None);
    let told = registry.to_tell(Some(1), &mut |_, _| None).expect("told");
    let CpeRequest::DuStateChangeComplete { results, .. } = told.message else {
        panic!("{told:?}");
    };
    assert_eq!(
        (results[0].fault.code, results[0].state),
        (9001, UnitState::Failed)
    );
    assert_eq!(results[0].uuid, UUID);
}

/// A register with a request that is done.
fn done(disk: &Arc<FrailDisk>) -> Registry {
    let mut registry = load(disk);
    registry.accept(&[install()], "k", any).expect("written");
    registry.session_ended();
    let job = registry.begin(7, &enabled).expect("an operation");
    registry.finish(&job, 8, Err(failure(9010, "no")));
    registry
}

#[test]
fn a_request_that_the_acs_refuses_to_hear_of_in_three_sessions_is_told_no_more() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    drop(done(&disk));
    for session in 1..=3 {
        // By another run of the agent each time.
        let mut registry = load(&disk);
        let told = registry.to_tell(Some(1), &mut |_, _| None).expect("told");
        assert_eq!(registry.refused(&told, false), session == 3);
    }
    assert_eq!(load(&disk).done(), []);
    assert_eq!(load(&disk).events(), []);
    // At once, where the ACS does not have the method.
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = done(&disk);
    let told = registry.to_tell(Some(1), &mut |_, _| None).expect("told");
    assert!(registry.refused(&told, true));
    assert_eq!(load(&disk).done(), []);
}

// Changes that nobody asked for are told all at once, and each is counted by itself.
#[test]
fn changes_that_the_acs_refuses_to_hear_of_go_each_after_its_third_session() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    let installed = |registry: &mut Registry| registry.found(unit(), change(), true);
    let refuse = |registry: &mut Registry| {
        let told = registry.to_tell(None, &mut |_, _| None).expect("told");
        let CpeRequest::AutonomousDuStateChangeComplete(all) = &told.message else {
            panic!("{told:?}");
        };
        let count = all.len();
        (count, registry.refused(&told, false))
    };
    installed(&mut registry);
    assert_eq!(refuse(&mut registry), (1, false));
    installed(&mut registry);
    assert_eq!(refuse(&mut registry), (2, false));
    let mut registry = load(&disk);
    assert_eq!(refuse(&mut registry), (2, true), "the older one");
    assert_eq!(refuse(&mut registry), (1, true));
    assert_eq!(load(&disk).events(), []);
}

fn unit() -> Unit {
    Unit {
        id: 0,
        uuid: UUID.to_owned(),
        environment: "opkg".to_owned(),
        duid: "hand".to_owned(),
        name: "hand".to_owned(),
        vendor: String::new(),
        version: "1".to_owned(),
        description: String::new(),
        url: String::new(),
        status: Status::Installed,
        resolved: true,
        installed: 7,
        updated: 7,
        executions: Vec::new(),
    }
}

fn change() -> Change {
    Change {
        performed: Performed::Install,
        started: 7,
        paths: None,
        ended: Ended {
            uuid: UUID.to_owned(),
            version: "1".to_owned(),
            state: State::Installed,
            resolved: true,
            complete: 7,
            code: 0,
            text: String::new(),
            unit: String::new(),
            executions: Vec::new(),
        },
        refusals: 0,
    }
}

// The end of the agent is no failure of the operation.
#[test]
fn what_the_end_of_the_agent_interrupts_is_not_counted() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    load(&disk).accept(&[install()], "k", any).expect("written");
    for _ in 0..2 * MAX_TRIES {
        let mut registry = load(&disk);
        let job = registry.begin(7, &enabled).expect("a try");
        registry.put_back(&job);
    }
}

#[test]
fn credentials_are_kept_no_longer_than_they_are_needed() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    registry.accept(&[install()], "k", any).expect("written");
    let content = || String::from_utf8(disk.content("/state/software").expect("a file")).unwrap();
    assert!(content().contains("secret word"));
    registry.session_ended();
    let job = registry.begin(7, &enabled).expect("a job");
    assert!(!format!("{job:?}").contains("secret"));
    registry.finish(&job, 9, Err(failure(9016, "not there")));
    assert!(!content().contains("secret word"));
    let events = registry.events();
    let wanted = [
        (EventCode::DuStateChangeComplete, String::new()),
        (EventCode::MChangeDuState, "k".to_owned()),
    ];
    assert_eq!(events, wanted);
    assert_eq!(load(&disk).events(), wanted);
    let told = registry.to_tell(Some(1), &mut |_, _| None).expect("told");
    assert!(registry.delivered(&told));
    assert_eq!(
        (registry.events(), load(&disk).events()),
        (Vec::new(), Vec::new())
    );
}

// T-EVT-006
#[test]
fn another_acs_hears_nothing_of_what_the_one_before_asked_for() {
    let disk = Arc::new(FrailDisk::holding(&[]));
    let mut registry = load(&disk);
    registry.accept(&[install()], "done", any).expect("written");
    registry.session_ended();
    let job = registry.begin(7, &enabled).expect("a job");
    registry.finish(&job, 9, Err(failure(9016, "not there")));
    registry
        .accept(&[install()], "waits", any)
        .expect("written");
    registry.bootstrap_discards();
    assert!(registry.events().is_empty() && !registry.has_work());
    assert!(load(&disk).events().is_empty() && !load(&disk).has_work());
}

// Whatever is in the file, the agent starts.
#[test]
fn a_state_file_of_nonsense_is_no_register() {
    for text in ["", "{}", "\0\0\0", "{\"version\":1}\n{\"units\":7}"] {
        let disk = Arc::new(FrailDisk::holding(&[("/state/software", text.as_bytes())]));
        assert!(load(&disk).is_empty(), "{text:?}");
    }
}
