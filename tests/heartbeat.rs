//! `14 HEARTBEAT` and `13 WAKEUP` with the real daemon: HeartbeatPolicy and StandbyPolicy
//! of Device.ManagementServer.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::cwmp::datetime::DateTime;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const POLICY: &str = "Device.ManagementServer.HeartbeatPolicy.";
const STANDBY: &str = "Device.ManagementServer.StandbyPolicy.";
const ZONE: &str = "Device.Time.LocalTimeZone";
const BEAT: [&str; 1] = ["14 HEARTBEAT"];

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE);
    let session = session.unwrap_or_else(|| panic!("{:?}", acs.record().violations));
    assert!(session.complete(), "session {number}: {:?}", session.end);
    session
}

fn unix() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

fn told(session: &SessionRecord, path: &str) -> Option<String> {
    let mut values = session.inform.values.iter();
    values.find(|v| v.name == path).map(|v| v.value.clone())
}

fn wait_status(cpe: &Cpe, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let told = serde_json::from_str(&cpe.ok(&["status", "--json"])).expect("JSON");
        if wanted(&told) {
            return told;
        }
        assert!(Instant::now() < until, "{told:#}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

// T-EVT-022, T-HBT-001
#[test]
fn a_policy_that_the_acs_sets_is_in_force_with_the_end_of_the_session() {
    let (enable, interval, time) = (
        format!("{POLICY}Enable"),
        format!("{POLICY}ReportingInterval"),
        format!("{POLICY}InitiationTime"),
    );
    let policy = [enable.clone(), interval.clone(), time];
    let script = Script::new().then_with(
        set_values(&[(&interval, "unsignedInt", "29")], ""),
        move |_| {
            // Soon, and thirty days ahead: only the phase counts.
            let reference = DateTime::Local {
                seconds: unix() + 4 + 30 * 86_400,
                offset_minutes: 0,
            };
            let [enable, interval, time] = &policy;
            let set = set_values(
                &[
                    (enable, "boolean", "true"),
                    (interval, "unsignedInt", "30"),
                    (time, "dateTime", &reference.to_string()),
                ],
                "",
            );
            vec![Step::Send(set), Step::Send(get_values(&[POLICY]))]
        },
    );
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.option("periodic_inform_enable", "0");
    cpe.start();
    let first = complete(&acs, 1);
    assert_eq!(first.faults(), [9003]);
    let read = &first.message("GetParameterValuesResponse").unwrap().values;
    let read: Vec<&str> = read.iter().map(|v| v.value.as_str()).collect();
    assert_eq!((read[0], read[2]), ("true", "30"));
    let reference = DateTime::parse(read[1]).and_then(DateTime::unix_seconds);
    let reference = reference.unwrap();
    // Where this machine was too slow for the first tick, the second one comes.
    let second = acs.wait_session(2, 2 * PATIENCE).unwrap();
    assert_eq!(second.events(), BEAT);
    assert!(unix() >= reference - 30 * 86_400, "too early");
    // The next one keeps to the phase.
    let told = wait_status(&cpe, |told| {
        told["running_since"].is_null() && told["next_session"]["reason"] == "14 HEARTBEAT"
    });
    let next = told["next_session"]["at"].as_i64().unwrap();
    assert_eq!((next - reference) % 30, 0, "{next} and {reference}");
    assert!(next <= unix() + 30);
    // Off is off.
    cpe.ok(&["set", &format!("{enable}=false")]);
    wait_status(&cpe, |told| told["next_session"].is_null());
    acs.finish().unwrap();
}

// T-EVT-022: what rides along
#[test]
fn a_heartbeat_tells_of_no_change_even_where_it_carries_the_value() {
    let row = "Device.ManagementServer.InformParameter.1.";
    let script = Script::of([
        set_values(
            &[
                (&format!("{row}Enable"), "boolean", "true"),
                (&format!("{row}ParameterName"), "string", ZONE),
                (&format!("{row}EventList"), "string", "14 HEARTBEAT"),
            ],
            "",
        ),
        set_notification(&[(ZONE, 1)]),
    ]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    assert_eq!(complete(&acs, 1).faults(), [0u16; 0]);
    cpe.ok(&["set", &format!("{ZONE}=UTC0")]);
    cpe.ok(&["inform", "heartbeat"]);
    let second = complete(&acs, 2);
    assert_eq!(second.events(), BEAT);
    assert_eq!(told(&second, ZONE).as_deref(), Some("UTC0"));
    cpe.ok(&["inform", "periodic"]);
    let third = complete(&acs, 3);
    assert_eq!(third.events(), ["2 PERIODIC", "4 VALUE CHANGE"]);
    assert_eq!(told(&third, ZONE).as_deref(), Some("UTC0"));
    acs.finish().unwrap();
}

// T-EVT-022: after an outage
#[test]
fn a_heartbeat_waits_until_the_acs_has_heard_what_failed_and_comes_in_a_session_of_its_own() {
    let rule = Rule::once(When::Message("Inform"), Trouble::status(500));
    let acs = Acs::start(AcsConfig::default().rule(rule)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.option("retry_min_wait_interval", "3600");
    cpe.start();
    acs.wait_session(1, PATIENCE).unwrap();
    cpe.wait_text("/tmp/log", |log| log.contains("session failed"));
    cpe.ok(&["inform", "heartbeat"]);
    // By hand, and so at once; but what has failed comes first.
    cpe.ok(&["inform"]);
    let second = complete(&acs, 2);
    assert_eq!(second.events()[..2], ["0 BOOTSTRAP", "1 BOOT"]);
    assert!(!second.events().contains(&"14 HEARTBEAT"));
    let mut number = 3;
    while complete(&acs, number).events() != BEAT {
        number += 1;
        assert!(number < 6, "{:?}", acs.record());
    }
    acs.finish().unwrap();
}

// T-EVT-021, T-STB-001
#[test]
fn standby_keeps_its_limits_and_promises_nothing_that_a_router_cannot_keep() {
    let set = |name: &str, ty: &str, value: &str| {
        set_values(&[(&format!("{STANDBY}{name}"), ty, value)], "")
    };
    let script = Script::of([
        set("CRUnawarenessMaxDuration", "int", "60"),
        set("MaxMissedPeriodic", "int", "-1"),
        set("NotifyMissedScheduled", "boolean", "1"),
        set("CRAwarenessRequested", "boolean", "1"),
        set("CRUnawarenessMaxDuration", "int", "-2"),
        set("ScheduledAwarenessRequested", "boolean", "1"),
        set("NetworkAwarenessCapable", "boolean", "1"),
    ]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    assert_eq!(complete(&acs, 1).faults(), [9003, 9003, 9003]);
    for (name, value) in [
        ("CRUnawarenessMaxDuration", "60"),
        ("MaxMissedPeriodic", "-1"),
        ("NotifyMissedScheduled", "true"),
        ("NetworkAwarenessCapable", "false"),
        ("SelfTimerCapable", "false"),
        ("CRAwarenessRequested", "true"),
        ("PeriodicAwarenessRequested", "false"),
        ("ScheduledAwarenessRequested", "false"),
    ] {
        assert_eq!(cpe.get(&format!("{STANDBY}{name}")), value, "{name}");
    }
    cpe.ok(&["inform", "wakeup"]);
    assert_eq!(complete(&acs, 2).events(), ["13 WAKEUP"]);
    acs.finish().unwrap();
}
