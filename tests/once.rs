//! `run --once`: counts as a boot, one attempt, and its exit status.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};

#[test]
fn one_session_is_run_and_what_it_changed_is_reloaded_before_the_end() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([set_values(
        &[("Device.Time.NTPServer1", "string", "once.example")],
        "k",
    )])))
    .unwrap();
    let cpe = Cpe::new(&acs.url());
    let out = cpe.cli(&["run", "--once"]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(cpe.router.read("/tmp/reloads").unwrap(), "system\n");
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    // It counts as a boot each time.
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(0));
    assert_eq!(acs.wait_session(2, PATIENCE).unwrap().events(), ["1 BOOT"]);
    acs.finish().unwrap();
}

#[test]
fn no_complete_session_is_status_3_and_is_not_tried_again() {
    let acs = Acs::start(
        AcsConfig::default().rule(Rule::once(When::Message("Inform"), Trouble::status(503))),
    )
    .unwrap();
    let cpe = Cpe::new(&acs.url());
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(3));
    assert_eq!(acs.record().sessions.len(), 1);
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(0));
    let second = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(second.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(second.inform.inform.as_ref().unwrap().retry_count, 1);
    acs.finish().unwrap();
}

#[test]
fn without_an_acs_it_says_so_with_status_3() {
    let cpe = Cpe::new("");
    let out = cpe.cli(&["run", "--once"]);
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no ACS is known"));
}

#[test]
fn an_accepted_reboot_stays_queued_for_run() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([reboot("later")]))).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(0));
    assert!(!cpe.exists("/tmp/rebooted"));
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(0));
    assert_eq!(acs.wait_session(2, PATIENCE).unwrap().events(), ["1 BOOT"]);
    cpe.start();
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    let third = acs.wait_session(3, PATIENCE).unwrap();
    assert_eq!(third.events(), ["1 BOOT", "M Reboot"]);
    acs.finish().unwrap();
}

#[test]
fn the_log_level_of_the_settings_holds_from_the_start() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let cpe = Cpe::new(&acs.url());
    let logged = |cpe: &Cpe| {
        let out = cpe.cli(&["run", "--once"]);
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    assert!(!logged(&cpe).contains("debug:"));
    cpe.edit("cpe", "log_level", "debug");
    assert!(logged(&cpe).contains("debug:"));
    cpe.edit("cpe", "log_level", "error");
    assert_eq!(logged(&cpe), "");
    acs.finish().unwrap();
}
