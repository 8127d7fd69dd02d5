//! When the daemon opens a session: retries, the first contact after a boot, restarts, and
//! the events that come by themselves.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use std::time::Duration;

const M: &str = "Device.ManagementServer.CWMPRetryMinimumWaitInterval";
const K: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";
const ENABLE: &str = "Device.ManagementServer.PeriodicInformEnable";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const TIME: &str = "Device.ManagementServer.PeriodicInformTime";
const URL: &str = "Device.ManagementServer.ConnectionRequestURL";

fn acs(config: AcsConfig) -> Acs {
    Acs::start(config).expect("an ACS")
}

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE).expect("a session");
    assert!(session.complete(), "{number}: {:?}", session.end);
    session
}

fn retry_count(session: &SessionRecord) -> u32 {
    session.inform.inform.as_ref().unwrap().retry_count
}

fn refuse(acs: &Acs, times: u32) {
    acs.push_rule(Rule::times(
        times,
        When::Message("Inform"),
        Trouble::status(500),
    ));
}

/// A router without ticks, which would come at any moment.
fn quiet(url: &str) -> Cpe {
    let cpe = Cpe::new(url);
    cpe.without_ticks();
    cpe
}

/// The waits that the daemon has told so far, seconds.
fn waits(log: &str) -> Vec<u64> {
    log.lines()
        .filter_map(|l| l.split_once("next attempt in ")?.1.split_once(" s"))
        .map(|(wait, _)| wait.parse().expect("a number"))
        .collect()
}

/// Waits until so many sessions have failed; the last wait.
fn failed(cpe: &Cpe, times: usize) -> u64 {
    let log = cpe.wait_text("/tmp/log", |log| waits(log).len() >= times);
    waits(&log)[times - 1]
}

// T-RTY-003, RTY-005
#[test]
fn the_waits_are_those_that_the_acs_has_set_a_moment_ago() {
    let unsigned = |m: &str, k: &str| {
        let values = [(M, "unsignedInt", m), (K, "unsignedInt", k)];
        Script::of([set_values(&values, "")])
    };
    let acs = acs(AcsConfig::default().session(unsigned("100", "1000")));
    let mut cpe = quiet(&acs.url());
    cpe.start();
    complete(&acs, 1);
    refuse(&acs, 1);
    cpe.ok(&["inform"]);
    assert_eq!(failed(&cpe, 1), 100);
    acs.push_session(unsigned("1000", "3000"));
    cpe.ok(&["inform"]);
    complete(&acs, 3);
    refuse(&acs, 2);
    cpe.ok(&["inform"]);
    let first = failed(&cpe, 2);
    assert!((1000..=3000).contains(&first), "{first}");
    cpe.ok(&["inform"]);
    let second = failed(&cpe, 3);
    assert!((3000..=9000).contains(&second), "{second}");
    let told = cpe.status();
    assert_eq!(told["next_session"]["reason"], "retry");
    assert_eq!(told["retry"]["count"], 2);
    acs.finish().unwrap();
}

// T-RTY-001, T-RTY-006, T-RTY-007, T-INF-007
#[test]
fn a_boot_and_a_success_begin_the_waits_anew_and_a_boot_does_not_forget_the_count() {
    let acs = acs(AcsConfig::default());
    refuse(&acs, 4);
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    for n in 1..=3 {
        let wait = failed(&cpe, n);
        let low = 5 << (n - 1);
        assert!((low..=2 * low).contains(&wait), "{n}: {wait}");
        if n < 3 {
            cpe.ok(&["inform"]);
        }
    }
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    let wait = failed(&cpe, 4);
    assert!((5..=10).contains(&wait), "{wait}");
    assert_eq!(retry_count(&acs.wait_session(4, PATIENCE).unwrap()), 3);
    cpe.ok(&["inform"]);
    assert_eq!(retry_count(&complete(&acs, 5)), 4);
    refuse(&acs, 1);
    cpe.wait_status(|told| told["running_since"].is_null() && told["retry"]["count"] == 0);
    cpe.ok(&["inform"]);
    let wait = failed(&cpe, 5);
    assert!((5..=10).contains(&wait), "{wait}");
    assert_eq!(retry_count(&acs.wait_session(6, PATIENCE).unwrap()), 0);
    acs.finish().unwrap();
}

// T-RTY-008, CRQ-012
#[test]
fn a_knock_ends_a_long_wait() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.option("retry_min_wait_interval", "640");
    cpe.start();
    let url = value(&complete(&acs, 1), URL);
    refuse(&acs, 1);
    cpe.ok(&["inform", "periodic"]);
    failed(&cpe, 1);
    assert_eq!(knock(&url, "cpe", "sample-only").unwrap(), 200);
    let session = complete(&acs, 3);
    assert_eq!(session.events(), ["2 PERIODIC", "6 CONNECTION REQUEST"]);
    assert_eq!(retry_count(&session), 1);
    acs.finish().unwrap();
}

fn value(session: &SessionRecord, name: &str) -> String {
    let values = &session.inform.values;
    let found = values.iter().find(|v| v.name == name);
    found.expect("a forced parameter").value.clone()
}

// T-EVT-014, RTY-001
#[test]
fn a_failed_connection_request_is_tried_again_without_its_event() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.option("retry_min_wait_interval", "1");
    cpe.option("retry_interval_multiplier", "1000");
    cpe.without_listener();
    cpe.start();
    complete(&acs, 1);
    refuse(&acs, 1);
    cpe.ok(&["inform"]);
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["6 CONNECTION REQUEST"]);
    let session = complete(&acs, 3);
    assert_eq!(session.events(), [""; 0]);
    assert_eq!(retry_count(&session), 1);
    acs.finish().unwrap();
}

// RTY-004
#[test]
fn what_is_asked_for_twice_in_a_wait_is_tried_once_each_and_no_wait_is_skipped() {
    let acs = acs(AcsConfig::default());
    let mut cpe = quiet(&acs.url());
    cpe.option("retry_min_wait_interval", "640");
    cpe.start();
    complete(&acs, 1);
    refuse(&acs, 2);
    for n in 1..=2 {
        // The second finds the event pending.
        cpe.ok(&["inform", "periodic"]);
        failed(&cpe, n);
    }
    let told = cpe.status();
    assert_eq!(told["next_session"]["reason"], "retry", "{told:#}");
    assert_eq!(acs.record().sessions.len(), 3);
    acs.finish().unwrap();
}

// T-RTY-009
#[test]
fn a_host_without_an_address_is_tried_again_like_any_other() {
    let mut cpe = Cpe::new("http://acs.invalid/");
    cpe.start();
    let wait = failed(&cpe, 1);
    assert!((5..=10).contains(&wait), "{wait}");
    let told = cpe.status();
    let why = told["last_session"]["failure"].as_str().unwrap();
    assert!(why.contains("acs.invalid"), "{why}");
}

// RTY-006
#[test]
fn the_first_contact_after_a_boot_waits_unless_the_acs_does() {
    let acs = acs(AcsConfig::default());
    let mut cpe = quiet(&acs.url());
    cpe.agent_toml("[limits]\nfirst_contact_spread = \"24 h\"");
    cpe.start();
    let session = complete(&acs, 1);
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"], "at once");
    assert!(cpe.stop().success());
    cpe.new_boot();
    // Another port, so another ConnectionRequestURL: no reason to come earlier.
    cpe.start();
    let told = cpe.wait_status(|told| !told["next_session"].is_null());
    assert_eq!(told["next_session"]["reason"], "first contact");
    assert_eq!(told["pending_events"][0][0], "1 BOOT");
    assert_eq!(acs.record().sessions.len(), 1);
    acs.push_session(Script::of([reboot("key")]));
    cpe.ok(&["inform", "periodic"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events()[..2], ["1 BOOT", "2 PERIODIC"]);
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    let session = complete(&acs, 3);
    assert!(session.events().contains(&"M Reboot"), "at once");
    acs.finish().unwrap();
}

// RTY-003 (of the process alone)
#[test]
fn an_agent_that_crashes_in_each_session_backs_off() {
    let rule = Rule::times(9, When::Message("Inform"), Trouble::Silent);
    let acs = acs(AcsConfig::default().rule(rule));
    let mut cpe = quiet(&acs.url());
    cpe.option("retry_min_wait_interval", "640");
    let seen = |n: usize| {
        let informs = |r: &Record| (r.exchanges.len() >= n).then_some(());
        acs.wait_until(PATIENCE, informs).expect("an Inform")
    };
    cpe.start();
    seen(1);
    cpe.crash();
    cpe.start();
    seen(2);
    cpe.crash();
    cpe.start();
    let log = cpe.wait_text("/tmp/log", |log| log.contains("crashed again"));
    let wait = waits(&log)[0];
    assert!((640..=1280).contains(&wait), "{wait}");
    let told = cpe.status();
    assert_eq!(told["next_session"]["reason"], "retry");
    assert_eq!(told["pending_events"][0][0], "0 BOOTSTRAP");
    assert_eq!(acs.record().exchanges.len(), 2);
    // Who starts it again by hand wants it to try.
    assert!(cpe.stop().success());
    cpe.start();
    seen(3);
    drop(acs);
}

// T-EVT-007, T-EVT-008, T-EVT-010, T-EVT-011
#[test]
fn periodic_informs_follow_interval_time_and_switch_as_the_acs_sets_them() {
    let set = |values: &[(&str, &str, &str)]| Script::of([set_values(values, "")]);
    let acs = acs(AcsConfig::default().session(set(&[
        (INTERVAL, "unsignedInt", "3"),
        (TIME, "dateTime", "2001-01-01T00:00:01Z"),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    complete(&acs, 1);
    for number in 2..=3 {
        assert_eq!(complete(&acs, number).events(), ["2 PERIODIC"]);
        let ended = cpe.wait_status(|told| told["last_session"]["events"][0] == "2 PERIODIC");
        // 2001-01-01T00:00:01Z is 978,307,201; a busy machine may be a little late.
        let late = (ended["last_session"]["started"].as_i64().unwrap() - 978_307_201) % 3;
        assert!(late <= 1, "{late} s after the tick");
    }
    acs.push_session(set(&[(ENABLE, "boolean", "false")]));
    complete(&acs, 4);
    let told = cpe.wait_status(|told| told["next_session"].is_null());
    assert_eq!(told["pending_events"].as_array().unwrap().len(), 0);
    acs.push_session(set(&[
        (ENABLE, "boolean", "true"),
        (INTERVAL, "unsignedInt", "1"),
    ]));
    cpe.ok(&["inform"]);
    complete(&acs, 5);
    assert_eq!(complete(&acs, 6).events(), ["2 PERIODIC"]);
    acs.finish().unwrap();
}

// T-EVT-013
#[test]
fn ticks_during_an_outage_are_one_event() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.option("retry_min_wait_interval", "640");
    cpe.option("periodic_inform_interval", "1");
    refuse(&acs, 1);
    cpe.start();
    failed(&cpe, 1);
    // One tick is new and ends the wait; those after it are not.
    refuse(&acs, 1);
    failed(&cpe, 2);
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(acs.record().sessions.len(), 2);
    cpe.ok(&["inform"]);
    let session = complete(&acs, 3);
    let periodic = session
        .events()
        .iter()
        .filter(|e| **e == "2 PERIODIC")
        .count();
    assert_eq!(periodic, 1, "{:?}", session.events());
    acs.finish().unwrap();
}

// T-EVT-019
#[test]
fn more_events_than_an_inform_carries_come_in_the_next() {
    let keys = |from: u32, to: u32| (from..to).map(|n| schedule_inform(1, &format!("k{n}")));
    let mut script = Script::of(keys(0, 63));
    script = script.then_with(schedule_inform(1, "k63"), move |_| {
        // The first are due, and no longer wait as schedules.
        std::thread::sleep(Duration::from_millis(2_100));
        keys(64, 70).map(Step::Send).collect()
    });
    let acs = acs(AcsConfig::default().session(script));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    assert_eq!(complete(&acs, 1).faults(), [0u16; 0]);
    let mut told = Vec::new();
    let mut most = 0;
    for number in 2.. {
        let session = complete(&acs, number);
        let events = &session.inform.inform.as_ref().unwrap().events;
        most = most.max(events.len());
        let keys = events.iter().filter(|e| e.code == "M ScheduleInform");
        told.extend(keys.map(|e| e.command_key.clone()));
        if told.len() >= 70 {
            break;
        }
    }
    assert_eq!(most, 64);
    let expected: Vec<String> = (0..70).map(|n| format!("k{n}")).collect();
    assert_eq!(told, expected);
    acs.finish().unwrap();
}

// T-INF-005
#[test]
fn the_time_of_an_inform_is_local_with_its_offset() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    let text = cpe.router.read("/etc/config/system").unwrap();
    let line = text
        .lines()
        .find(|l| l.contains("option timezone"))
        .unwrap();
    let zone = text.replace(line, "\toption timezone '<+0330>-3:30'");
    cpe.router.write("/etc/config/system", &zone).unwrap();
    cpe.router.write("/etc/TZ", "<+0330>-3:30\n").unwrap();
    cpe.router.write("/tmp/TZ", "<+0330>-3:30\n").unwrap();
    cpe.start();
    let session = complete(&acs, 1);
    let told = &session.inform.inform.as_ref().unwrap().current_time;
    let local = told.strip_suffix("+03:30").expect(told);
    let at = cwmp_agent::cwmp::datetime::DateTime::parse(&format!("{local}Z"))
        .and_then(cwmp_agent::cwmp::datetime::DateTime::unix_seconds)
        .expect("a time");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let behind = now - (at - 3 * 3600 - 1800);
    assert!((-1..=10).contains(&behind), "{told}: {behind} s");
    acs.finish().unwrap();
}
