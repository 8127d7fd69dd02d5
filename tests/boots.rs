//! A boot whose note the disk refuses: it is noted as soon as the disk takes it, and a start
//! of the agent alone is no boot from then on. Nothing that waits for a boot is concluded
//! without one.

mod frail_cpe;

use cwmp_agent::agent;
use cwmp_agent::cwmp::event::EventCode;
use frail_cpe::acs::*;
use frail_cpe::frail::Fate;
use frail_cpe::*;

const ENOSPC: i32 = 28;
const NOTHING: [&str; 0] = [];

/// How many steps the disk takes from a boot to the end of its session.
fn steps(cpe: &Cpe) -> u32 {
    let disk = cpe.disk();
    disk.set_fate(Fate::Sound);
    let world = cpe.open(&disk);
    agent::begin(&world);
    one_session(&world);
    disk.steps()
}

// T-EVT-002
#[test]
fn a_boot_whose_note_was_refused_is_noted_with_a_later_session() {
    // A box without a name for its boots has a marker in run_dir instead.
    for named in [true, false] {
        let cpe = Cpe::known();
        cpe.boot();
        if !named {
            let id = cpe.router.path("/proc/sys/kernel/random/boot_id");
            std::fs::remove_file(id).expect("gone");
        }
        // The run folder is there, and its marker is not.
        drop(cpe.open(&cpe.disk()));
        let start = cpe.image();
        let steps = steps(&cpe);
        assert!(steps > 5, "{steps} steps");
        for n in 0..steps {
            for fate in [Fate::FailOnce(n, ENOSPC), Fate::FailFrom(n, ENOSPC)] {
                cpe.put_back(&start);
                let disk = cpe.disk();
                disk.set_fate(fate);
                let before = cpe.sessions();
                let world = cpe.open(&disk);
                agent::begin(&world);
                one_session(&world);
                assert_eq!(cpe.told_since(before), ["1 BOOT"], "{named} {fate:?}");
                disk.set_fate(Fate::Sound);
                world.owed().raise(EventCode::Periodic, "");
                one_session(&world);
                // Killed, and started again on the same boot.
                drop(world);
                assert_eq!(cpe.life().1, NOTHING, "{named} {fate:?}");
            }
        }
        if named {
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "a real one");
        }
    }
}

// A session that fails has its end, too: an ACS that is away must not keep a boot from being
// noted.
#[test]
fn a_boot_whose_note_was_refused_is_noted_with_the_end_of_a_session_that_failed() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    agent::begin(&world);
    one_session(&world);
    disk.set_fate(Fate::Sound);
    cpe.acs.push_rule(Rule::times(
        1,
        When::Message("Inform"),
        Trouble::Fault(8002),
    ));
    world.owed().raise(EventCode::Periodic, "");
    one_session(&world);
    drop(world);
    let told = cpe.life().1;
    assert!(!told.contains(&"1 BOOT".to_owned()), "{told:?}");
}

#[test]
fn a_boot_whose_note_was_refused_is_noted_when_the_agent_ends() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    // The folder for its socket is there.
    drop(cpe.open(&disk));
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    let before = cpe.sessions();
    let daemon = agent::Running::start(cpe.setup(&disk)).expect("the daemon");
    assert_eq!(cpe.wait_session(before + 1).events(), ["1 BOOT"]);
    while cpe.ask_status().last_session.is_none() {
        std::thread::yield_now();
    }
    disk.set_fate(Fate::Sound);
    daemon.stop().expect("its end");
    assert_eq!(cpe.life().1, NOTHING);
}

// T-DLD-001: the update is concluded by the boot that follows it and by nothing else.
#[test]
fn an_update_waits_for_its_boot_though_the_boot_before_could_not_be_noted_at_once() {
    let cpe = Cpe::known();
    cpe.boot();
    let start = cpe.image();
    let steps = steps(&cpe);
    for n in 0..steps {
        cpe.put_back(&start);
        cpe.forget_marks();
        let disk = cpe.disk();
        disk.set_fate(Fate::FailFrom(n, ENOSPC));
        let world = cpe.open(&disk);
        agent::begin(&world);
        one_session(&world);
        disk.set_fate(Fate::Sound);
        let mut image = cpe.file("k", "/f");
        image.file_type = FIRMWARE.to_owned();
        cpe.script(Script::of([download(&image)]));
        world.owed().raise(EventCode::Periodic, "");
        one_session(&world);
        let before = cpe.sessions();
        assert_eq!(transfer(&world), End::GoingDown, "from step {n}");
        drop(world);
        // Started again before the box is down.
        cpe.life();
        assert_eq!(cpe.completed_since(before), [], "from step {n}");
        cpe.boot();
        cpe.life();
        let told = cpe.completed_since(before);
        assert_eq!(told.len(), 1, "from step {n}: {told:?}");
    }
}

// The same where the disk is well again only when the file is there: no session has ended
// between.
#[test]
fn a_boot_is_noted_before_a_file_is_applied_that_reboots_the_box() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    agent::begin(&world);
    disk.set_fate(Fate::Sound);
    let mut image = cpe.file("k", "/f");
    image.file_type = FIRMWARE.to_owned();
    let now = agent::clock::unix_seconds();
    let asked = cwmp_agent::cwmp::message::Download {
        command_key: image.key.clone(),
        file_type: image.file_type.clone(),
        url: image.url.clone(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    };
    world
        .transfers()
        .accept_download(now, &asked)
        .expect("kept");
    world.transfers().session_ended();
    assert_eq!(transfer(&world), End::GoingDown);
    drop(world);
    let before = cpe.sessions();
    cpe.life();
    assert_eq!(cpe.completed_since(before), []);
}

// After a reset that no reboot has followed, the next start of the agent is a boot.
#[test]
fn a_boot_that_a_reset_has_forgotten_is_not_noted_after_it() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    agent::begin(&world);
    disk.set_fate(Fate::Sound);
    world.owed().accept_reset().expect("kept");
    cwmp_agent::agent::worker::act(&world);
    world.settle_boot();
    drop(world);
    assert_eq!(cpe.life().1, ["0 BOOTSTRAP", "1 BOOT"]);
}
