//! Flash wears out: what changes nothing writes nothing.

mod frail_cpe;

use cwmp_agent::agent;
use cwmp_agent::cwmp::event::EventCode;
use frail_cpe::acs::*;
use frail_cpe::frail::Fate;
use frail_cpe::*;
use std::time::{Duration, Instant};

const NOTHING: [&str; 0] = [];

// DEP flash; T-EVT-007
#[test]
fn a_periodic_session_that_changes_nothing_writes_no_file_and_forces_nothing_to_the_disk() {
    let cpe = Cpe::known();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    agent::begin(&world);
    // The first look at the tree gives numbers out, which are kept.
    cpe.script(Script::of([get_values(&["Device."])]));
    world.owed().raise(EventCode::Periodic, "");
    one_session(&world);
    for number in 2..5 {
        cpe.script(Script::of([
            get_rpc_methods(),
            get_names("Device.", false),
            get_values(&["Device."]),
            get_attributes(&["Device."]),
            // What holds already.
            set_values(&[("Device.WiFi.SSID.1.SSID", "string", "OpenWrt")], ""),
        ]));
        disk.set_fate(Fate::Sound);
        assert!(world.owed().raise(EventCode::Periodic, ""));
        assert_eq!(one_session(&world), End::Idle);
        assert_eq!(disk.log(), NOTHING, "session {number}");
        assert!(cpe.last_session().complete());
        assert_eq!(cpe.last_session().events(), ["2 PERIODIC"]);
        assert_eq!(cpe.last_session().faults(), [0u16; 0]);
    }
}

// The first session of a boot writes what it must, which is the other half of the above:
// the count counts.
#[test]
fn a_session_that_delivers_an_event_that_outlives_it_writes() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    disk.set_fate(Fate::Sound);
    agent::begin(&world);
    assert!(disk.steps() > 0);
    disk.set_fate(Fate::Sound);
    assert_eq!(one_session(&world), End::Idle);
    assert!(disk.steps() > 0);
}

// The whole daemon, with its loop: the second session, and its idling afterwards.
#[test]
fn a_running_daemon_is_quiet_in_its_second_session_and_while_it_idles() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let before = cpe.sessions();
    cpe.script(Script::of([get_values(&["Device."])]));
    let daemon = agent::Running::start(cpe.setup(&disk)).expect("the daemon");
    cpe.wait_session(before + 1);
    settled(&cpe, "1 BOOT");
    cpe.script(Script::of([get_values(&["Device."])]));
    disk.set_fate(Fate::Sound);
    cpe.ask_inform("2 PERIODIC");
    cpe.wait_session(before + 2);
    settled(&cpe, "2 PERIODIC");
    assert_eq!(cpe.last_session().events(), ["2 PERIODIC"]);
    // Its housekeeping takes place whenever something comes in.
    for _ in 0..3 {
        cpe.ask_status();
    }
    assert_eq!(disk.log(), NOTHING);
    daemon.stop().expect("its end");
}

/// Asks until the daemon, too, has done with the session that told this event.
fn settled(cpe: &Cpe, event: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let status = cpe.ask_status();
        let last = status.last_session.map(|last| last.events);
        if status.running_since.is_none() && last.is_some_and(|e| e == [event]) {
            return;
        }
        assert!(Instant::now() < until, "{event} is never over");
    }
}
