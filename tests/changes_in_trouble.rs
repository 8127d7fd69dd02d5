//! A changed value whose source gets into trouble before the ACS has been told: no Inform
//! says `4 VALUE CHANGE` without it, no session takes place for it alone, and it is told when
//! it can be read again.

mod frail_cpe;

use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{session, watch};
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::model::WatchedValue;
use cwmp_agent::model::changes::{Changes, MAX_TAKEN};
use frail_cpe::acs::*;
use frail_cpe::scratch::Scratch;
use frail_cpe::*;

/// What a program says.
const SAID: &str = "Device.X_00D09E_Program.Says";
/// What is in a UCI file.
const NTP: &str = "Device.Time.NTPServer1";
const SYSTEM: &str = "/etc/config/system";
const CHANGED: [&str; 1] = ["4 VALUE CHANGE"];

/// The agent on a router with a program that can fail; its ACS knows both values.
struct Rig {
    cpe: Cpe,
    program: Scratch,
    world: World,
}

impl Rig {
    fn new() -> Rig {
        let cpe = Cpe::new();
        let program = Scratch::new();
        // It fails where there is `broken`; it makes that itself where there is `once`.
        let script =
            "cd \"$0\" && [ ! -e broken ] && cat said && { [ ! -e once ] || mv once broken; }";
        program.file("said", "one");
        let folder = program.path("");
        program.file(
            "model/program.toml",
            &format!(
                "[\"Device.X_00D09E_Program.\"]\nSays = {{ type = \"string\", notify = \"active\", \
                 command = {{ argv = [\"/bin/sh\", \"-c\", {script:?}, {folder:?}] }} }}\n"
            ),
        );
        let text = cpe.router.read("/etc/cwmp-agent/agent.toml").unwrap();
        let (first, rest) = text.split_once("]\n").expect("data_model");
        let toml = format!("{first}, {:?}]\n{rest}", program.path("model"));
        cpe.write("/etc/cwmp-agent/agent.toml", toml.as_bytes());
        cpe.script(Script::of([set_notification(&[(NTP, 2)])]));
        let world = cpe.open(&cpe.disk());
        assert_eq!(live(&world), End::Idle);
        assert_eq!(cpe.last_session().events(), ["0 BOOTSTRAP", "1 BOOT"]);
        let rig = Rig {
            cpe,
            program,
            world,
        };
        watch::scan(&rig.world);
        assert!(!rig.asks());
        rig
    }

    fn says(&self, text: &str) {
        self.program.file("said", text);
    }

    /// The program fails from now on, or from its call after the next; or does no more.
    fn breaks(&self) {
        self.program.file("broken", "");
    }

    fn breaks_after_one_more_call(&self) {
        self.program.file("once", "");
    }

    fn works_again(&self) {
        let _ = std::fs::remove_file(self.program.path("once"));
        let _ = std::fs::remove_file(self.program.path("broken"));
    }

    fn server(&self, name: &str) {
        let text = self.cpe.router.read(SYSTEM).unwrap();
        let line = text.lines().find(|l| l.contains("list server")).unwrap();
        let new = text.replacen(line, &format!("\tlist server '{name}'"), 1);
        self.cpe.write(SYSTEM, new.as_bytes());
    }

    /// Whether a change asks for a session.
    fn asks(&self) -> bool {
        self.world.watch().wants_session()
    }

    /// What the dispatcher does while time goes by: values are read again, and sessions take
    /// place that a change asks for. How many there were.
    fn goes_on(&self) -> usize {
        let before = self.cpe.sessions();
        for _ in 0..5 {
            watch::scan(&self.world);
            if self.asks() {
                one_session(&self.world);
            }
        }
        self.cpe.sessions() - before
    }

    /// The value in the last Inform.
    fn told(&self, path: &str) -> Option<String> {
        let session = self.cpe.last_session();
        let mut values = session.inform.values.iter();
        values.find(|v| v.name == path).map(|v| v.value.clone())
    }

    /// One session told of this and of nothing else, and it is over with that.
    fn is_told(&self, path: &str, value: &str) {
        assert_eq!(self.goes_on(), 1);
        assert_eq!(self.cpe.last_session().events(), CHANGED);
        assert_eq!(self.told(path).as_deref(), Some(value));
        assert!(self.world.watch().pending().is_empty());
    }
}

// T-EVT-020
#[test]
fn a_change_that_cannot_be_read_for_its_inform_has_no_session_until_it_can() {
    let rig = Rig::new();
    rig.says("two");
    watch::scan(&rig.world);
    assert!(rig.asks());
    // The reading that a session begins with is the last that works.
    rig.breaks_after_one_more_call();
    let before = rig.cpe.sessions();
    assert!(session::run(&rig.world, None).is_none());
    assert!(!rig.asks());
    assert_eq!(rig.goes_on(), 0, "nor is there one later");
    assert_eq!(rig.cpe.sessions(), before);
    assert!(rig.world.owed().pending().is_empty());
    assert!(rig.world.watch().pending().contains(SAID));
    rig.works_again();
    rig.is_told(SAID, "two");
}

#[test]
fn a_change_in_a_file_that_is_broken_before_its_session_is_told_when_it_is_mended() {
    let rig = Rig::new();
    rig.server("ntp.example");
    watch::scan(&rig.world);
    assert!(rig.asks());
    let good = rig.cpe.router.read(SYSTEM).unwrap();
    rig.cpe
        .write(SYSTEM, format!("{good}\nconfig 'broken\n").as_bytes());
    assert!(session::run(&rig.world, None).is_none());
    assert_eq!(rig.goes_on(), 0);
    rig.cpe.write(SYSTEM, good.as_bytes());
    rig.is_told(NTP, "ntp.example");
}

#[test]
fn an_inform_of_another_cause_says_nothing_of_a_change_that_cannot_be_read() {
    let rig = Rig::new();
    for by_the_inform in [true, false] {
        rig.says(&format!("said {by_the_inform}"));
        watch::scan(&rig.world);
        match by_the_inform {
            true => rig.breaks_after_one_more_call(),
            false => rig.breaks(),
        }
        rig.world.owed().raise(EventCode::Periodic, "");
        one_session(&rig.world);
        assert_eq!(rig.cpe.last_session().events(), ["2 PERIODIC"]);
        assert_eq!(rig.told(SAID), None);
        assert_eq!(rig.goes_on(), 0);
        rig.works_again();
        rig.is_told(SAID, &format!("said {by_the_inform}"));
    }
}

#[test]
fn a_change_that_can_be_read_is_told_without_the_one_that_cannot() {
    let rig = Rig::new();
    rig.says("two");
    rig.server("ntp.example");
    watch::scan(&rig.world);
    rig.breaks_after_one_more_call();
    one_session(&rig.world);
    assert_eq!(rig.cpe.last_session().events(), CHANGED);
    assert_eq!(rig.told(NTP).as_deref(), Some("ntp.example"));
    assert_eq!(rig.told(SAID), None);
    assert_eq!(rig.goes_on(), 0);
    rig.works_again();
    rig.is_told(SAID, "two");
}

// A program that works every other time makes no attempt beside those of the retry policy.
#[test]
fn a_source_that_comes_and_goes_does_not_ask_again_while_the_acs_refuses() {
    let rig = Rig::new();
    let refusing = Rule::times(3, When::Message("Inform"), Trouble::Fault(8002));
    rig.cpe.acs.push_rule(refusing);
    rig.says("two");
    watch::scan(&rig.world);
    for _ in 0..3 {
        rig.breaks_after_one_more_call();
        rig.world.owed().raise(EventCode::Periodic, "");
        one_session(&rig.world);
        for _ in 0..3 {
            rig.works_again();
            watch::scan(&rig.world);
            assert!(!rig.asks(), "the retry will tell it");
            rig.breaks();
            watch::scan(&rig.world);
        }
        rig.works_again();
    }
    one_session(&rig.world);
    assert_eq!(
        rig.cpe.last_session().events(),
        ["2 PERIODIC", "4 VALUE CHANGE"]
    );
    assert_eq!(rig.told(SAID).as_deref(), Some("two"));
    assert!(!rig.asks());
}

// What was found is kept over a start, and so is that it cannot be told yet.
#[test]
fn a_change_in_trouble_outlives_a_start_of_the_agent() {
    let rig = Rig::new();
    rig.says("two");
    watch::scan(&rig.world);
    rig.breaks();
    let Rig {
        cpe,
        program,
        world,
    } = rig;
    drop(world);
    let world = cpe.open(&cpe.disk());
    assert_eq!(live(&world), End::Idle);
    let rig = Rig {
        cpe,
        program,
        world,
    };
    assert_eq!(rig.goes_on(), 0);
    rig.works_again();
    rig.is_told(SAID, "two");
}

// ---- which of them ask for a session, without the agent ----------------------------

const ACS: &str = "http://acs.example/";

fn value(path: &str, value: &str) -> WatchedValue {
    WatchedValue {
        path: path.to_owned(),
        level: 2,
        volatile: false,
        value: Some(value.to_owned()),
    }
}

fn read(changes: &mut Changes, values: &[WatchedValue]) {
    changes.begin_round();
    for one in values {
        assert!(changes.read(one));
    }
}

/// The ACS has seen these.
fn seen(values: &[WatchedValue]) -> Changes {
    let mut changes = Changes::default();
    changes.accepted(ACS, std::iter::empty());
    read(&mut changes, values);
    changes
}

fn pending(changes: &Changes) -> Vec<&str> {
    changes.pending().collect()
}

/// A reading that this one's source was in trouble for.
fn unreadable(path: &str) -> WatchedValue {
    WatchedValue {
        value: None,
        ..value(path, "")
    }
}

#[test]
fn a_change_in_trouble_asks_for_no_session_until_it_was_read_again() {
    let mut changes = seen(&[value("a", "1"), value("b", "1")]);
    read(&mut changes, &[value("a", "2"), value("b", "2")]);
    assert_eq!(changes.take(), ["a", "b"]);
    // Found to be so by the Inform; the other one is told.
    changes.in_trouble("a");
    changes.accepted(ACS, [("b", "2")].into_iter());
    for _ in 0..3 {
        assert_eq!(pending(&changes), ["a"], "it is not forgotten");
        assert!(!changes.wants_session());
        assert_eq!(changes.take(), [""; 0]);
        changes.put_back();
        read(&mut changes, &[unreadable("a"), value("b", "2")]);
    }
    read(&mut changes, &[value("a", "2"), value("b", "2")]);
    assert!(changes.wants_session());
    assert_eq!(changes.take(), ["a"]);
    changes.accepted(ACS, [("a", "2")].into_iter());
    assert_eq!(pending(&changes), [""; 0]);
    // Found to be so by a reading before any Inform.
    read(&mut changes, &[value("a", "3")]);
    read(&mut changes, &[unreadable("a")]);
    assert!(!changes.wants_session());
    read(&mut changes, &[value("a", "3")]);
    assert!(changes.wants_session());
}

#[test]
fn a_change_that_comes_and_goes_does_not_end_the_wait_after_a_session_that_failed() {
    let mut changes = seen(&[value("a", "1")]);
    read(&mut changes, &[value("a", "2")]);
    read(&mut changes, &[unreadable("a")]);
    // A session for something else fails, and each retry.
    for _ in 0..3 {
        assert_eq!(changes.take(), [""; 0]);
        read(&mut changes, &[value("a", "2")]);
        assert!(!changes.wants_session(), "the retry will tell it");
        read(&mut changes, &[unreadable("a")]);
    }
    read(&mut changes, &[value("a", "2")]);
    assert_eq!(changes.take(), ["a"]);
    changes.in_trouble("a");
    read(&mut changes, &[value("a", "2")]);
    assert!(
        !changes.wants_session(),
        "the same of one found by the Inform"
    );
    // A retry is answered that could not carry it.
    read(&mut changes, &[unreadable("a")]);
    assert_eq!(changes.take(), [""; 0]);
    changes.accepted(ACS, std::iter::empty());
    assert!(!changes.wants_session());
    read(&mut changes, &[value("a", "2")]);
    assert!(changes.wants_session());
}

#[test]
fn what_an_inform_carries_of_a_change_in_trouble_does_not_settle_it() {
    let mut changes = seen(&[value("a", "1")]);
    read(&mut changes, &[value("a", "2")]);
    changes.take();
    changes.in_trouble("a");
    // As a parameter that every Inform has.
    changes.accepted(ACS, [("a", "2")].into_iter());
    assert_eq!(pending(&changes), ["a"]);
    read(&mut changes, &[value("a", "2")]);
    assert!(changes.wants_session(), "nobody has said that it changed");
}

#[test]
fn many_changes_in_trouble_are_in_nobodys_way() {
    let all = |reading: &dyn Fn(&str) -> WatchedValue, last: &str| {
        let paths = (0..2 * MAX_TAKEN).map(|n| format!("a{n}"));
        let all = paths.map(|path| reading(&path));
        let all: Vec<WatchedValue> = all.chain([value("z", last)]).collect();
        all
    };
    let mut changes = seen(&all(&|path| value(path, "1"), "1"));
    read(&mut changes, &all(&|path| value(path, "2"), "1"));
    read(&mut changes, &all(&unreadable, "2"));
    assert!(changes.wants_session());
    assert_eq!(changes.take(), ["z"]);
}
