//! Reboots that an ACS plans (Device.ManagementServer.DelayReboot and ScheduleReboot), with the
//! real program.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::cwmp::datetime::DateTime;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DELAY: &str = "Device.ManagementServer.DelayReboot";
const SCHEDULE: &str = "Device.ManagementServer.ScheduleReboot";
const REBOOTED: &str = "/tmp/rebooted";

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE).unwrap_or_else(|| {
        panic!(
            "session {number} never ended: {:?}",
            acs.record().violations
        )
    });
    assert!(session.complete(), "session {number}: {:?}", session.end);
    session
}

/// A router whose ACS sends this in its first session.
fn told(rpcs: Vec<Rpc>) -> (Acs, Cpe) {
    router(Script::of(rpcs))
}

fn router(script: Script) -> (Acs, Cpe) {
    let acs = Acs::start(AcsConfig::default().session(script)).expect("an ACS");
    let cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.without_ticks();
    (acs, cpe)
}

fn set(path: &str, ty: &str, value: &str) -> Rpc {
    set_values(&[(path, ty, value)], "")
}

fn reboots(cpe: &Cpe) -> usize {
    if !cpe.exists(REBOOTED) {
        return 0;
    }
    cpe.wait_file(REBOOTED).lines().count()
}

fn in_seconds(seconds: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let at = i64::try_from(now.as_secs()).expect("a time") + seconds;
    DateTime::Utc(at).to_string()
}

// T-REB-003
#[test]
fn a_delay_reboots_the_box_after_the_session_and_is_over_with_the_boot() {
    let (acs, mut cpe) = told(vec![
        set(DELAY, "int", "0"),
        get_values(&[DELAY, "Device.DeviceInfo.UpTime"]),
    ]);
    cpe.start();
    let session = complete(&acs, 1);
    let answer = session.message("GetParameterValuesResponse");
    assert!(answer.is_some(), "the session went on");
    assert_eq!(cpe.wait_file(REBOOTED).lines().count(), 1);
    assert_eq!(cpe.get(DELAY), "0");
    assert!(cpe.stop().success());

    cpe.new_boot();
    cpe.start();
    // Nobody asked for it by the Reboot RPC.
    assert_eq!(complete(&acs, 2).events(), ["1 BOOT"]);
    assert_eq!(cpe.get(DELAY), "-1");
    assert!(cpe.wait_status(|_| true)["reboot_at"].is_null());
    // A restart of the agent finds nothing to do either.
    assert!(cpe.stop().success());
    cpe.start();
    cpe.ok(&["inform", "2 PERIODIC"]);
    assert_eq!(complete(&acs, 3).events(), ["2 PERIODIC"]);
    assert_eq!(reboots(&cpe), 1);
    acs.finish().unwrap();
}

#[test]
fn a_delay_is_shown_outlives_a_restart_of_the_agent_and_can_be_withdrawn() {
    let (acs, mut cpe) = told(vec![set(DELAY, "int", "3600")]);
    cpe.start();
    complete(&acs, 1);
    let is_planned = |status: &serde_json::Value| status["reboot_at"].is_i64();
    cpe.wait_status(is_planned);
    assert!(cpe.stop().success());
    cpe.start();
    cpe.wait_status(is_planned);
    assert!(cpe.ok(&["status"]).contains("reboot planned"));
    cpe.ok(&["set", &format!("{DELAY}=-1")]);
    cpe.wait_status(|status| !is_planned(status));
    // By hand, where the agent does not run, as well: seen at its start.
    assert!(cpe.stop().success());
    cpe.ok(&["set", &format!("{DELAY}=0")]);
    cpe.start();
    assert_eq!(cpe.wait_file(REBOOTED).lines().count(), 1);
    acs.finish().unwrap();
}

// What a boot finds was meant for the time before, even where it cannot be taken away.
#[test]
fn a_delay_that_cannot_be_taken_out_of_the_settings_reboots_once() {
    let (acs, mut cpe) = told(vec![set(DELAY, "int", "0")]);
    cpe.start();
    complete(&acs, 1);
    cpe.wait_file(REBOOTED);
    assert!(cpe.stop().success());
    cpe.new_boot();
    // Nothing writes through what is no file any more; what it held is the last good copy.
    let settings = cpe.router.path("/etc/config/cwmp");
    std::fs::remove_file(&settings).expect("gone");
    std::fs::create_dir(&settings).expect("a folder");
    cpe.start();
    assert_eq!(complete(&acs, 2).events(), ["1 BOOT"]);
    assert!(
        cpe.log().contains("DelayReboot cannot be set to -1"),
        "{}",
        cpe.log()
    );
    assert!(cpe.stop().success());
    assert_eq!(reboots(&cpe), 1);
    acs.finish().unwrap();
}

// T-REB-004
#[test]
fn a_time_reboots_the_box_once_and_one_that_has_passed_never() {
    let soon = in_seconds(2);
    let (acs, mut cpe) = told(vec![set(SCHEDULE, "dateTime", &soon)]);
    cpe.start();
    complete(&acs, 1);
    assert_eq!(cpe.wait_file(REBOOTED).lines().count(), 1);
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 2).events(), ["1 BOOT"]);
    // It stays as it was set, and has passed.
    assert_eq!(cpe.get(SCHEDULE), soon);
    for past in [
        soon.as_str(),
        "2001-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ] {
        cpe.ok(&["set", &format!("{SCHEDULE}={past}")]);
        assert!(cpe.wait_status(|_| true)["reboot_at"].is_null(), "{past}");
    }
    let later = in_seconds(3600);
    cpe.ok(&["set", &format!("{SCHEDULE}={later}")]);
    let status = cpe.wait_status(|status| status["reboot_at"].is_i64());
    let at = status["reboot_at"].as_i64().expect("a time");
    let wanted = DateTime::parse(&later).and_then(DateTime::unix_seconds);
    assert!(
        (at - wanted.expect("a time")).abs() <= 1,
        "{at} for {later}"
    );
    assert!(cpe.stop().success());
    assert_eq!(reboots(&cpe), 1);
    acs.finish().unwrap();
}

#[test]
fn a_time_that_comes_during_a_session_waits_for_its_end() {
    let script = Script::new().then_with(get_values(&[SCHEDULE]), |_| {
        let soon = in_seconds(2);
        let set = set(SCHEDULE, "dateTime", &soon);
        let wait = move |_: &CpeMessage| {
            // As text: both have four digits of year and `Z`.
            while in_seconds(0) <= soon {
                std::thread::sleep(Duration::from_millis(50));
            }
            vec![Step::Send(get_values(&["Device.DeviceInfo.UpTime"]))]
        };
        vec![Step::SendThen(set, Box::new(wait))]
    });
    let (acs, mut cpe) = router(script);
    cpe.start();
    let session = complete(&acs, 1);
    assert_eq!(session.names().last(), Some(&"GetParameterValuesResponse"));
    assert_eq!(cpe.wait_file(REBOOTED).lines().count(), 1);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

// Whoever sees the boot first, and whatever starts again after it.
#[test]
fn a_delay_that_a_boot_has_ended_reboots_nothing_however_often_the_agent_starts() {
    let (acs, mut cpe) = told(vec![set(DELAY, "int", "1")]);
    cpe.start();
    complete(&acs, 1);
    cpe.wait_file(REBOOTED);
    assert!(cpe.stop().success());
    cpe.new_boot();
    // It is run once by a script, and cannot change its settings.
    let settings = cpe.router.path("/etc/config/cwmp");
    let text = std::fs::read(&settings).expect("settings");
    cpe.ok(&["run", "--once"]);
    complete(&acs, 2);
    std::fs::remove_file(&settings).expect("gone");
    std::fs::create_dir(&settings).expect("a folder");
    for _ in 0..2 {
        cpe.start();
        assert!(cpe.wait_status(|_| true)["reboot_at"].is_null());
        assert!(cpe.stop().success());
    }
    // It can again, and does.
    std::fs::remove_dir(&settings).expect("gone");
    std::fs::write(&settings, text).expect("settings");
    cpe.start();
    cpe.wait_text("/etc/config/cwmp", |text| {
        text.contains("delay_reboot '-1'")
    });
    assert_eq!(reboots(&cpe), 1);
    // Another one counts.
    cpe.ok(&["set", &format!("{DELAY}=0")]);
    cpe.wait_text(REBOOTED, |text| text.lines().count() == 2);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

#[test]
fn the_same_delay_set_once_more_counts_anew() {
    let (acs, mut cpe) = told(vec![set(DELAY, "int", "3600")]);
    acs.push_session(Script::of([set(DELAY, "int", "3600")]));
    cpe.start();
    complete(&acs, 1);
    let at = |status: &serde_json::Value| status["reboot_at"].as_i64();
    let first = at(&cpe.wait_status(|status| at(status).is_some()));
    std::thread::sleep(Duration::from_millis(1500));
    cpe.ok(&["inform", "2 PERIODIC"]);
    complete(&acs, 2);
    cpe.wait_status(|status| at(status) > first);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

#[test]
fn a_boot_of_another_cause_ends_a_delay_that_is_pending() {
    let (acs, mut cpe) = told(vec![set(DELAY, "int", "3600")]);
    cpe.start();
    complete(&acs, 1);
    cpe.wait_status(|status| status["reboot_at"].is_i64());
    // The power goes, and comes back.
    cpe.kill();
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 2).events(), ["1 BOOT"]);
    assert!(cpe.wait_status(|_| true)["reboot_at"].is_null());
    cpe.wait_text("/etc/config/cwmp", |text| {
        text.contains("delay_reboot '-1'")
    });
    assert_eq!(cpe.get(DELAY), "-1");
    assert_eq!(reboots(&cpe), 0);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}
