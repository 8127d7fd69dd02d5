//! 4 VALUE CHANGE with the real daemon: values that others change, what the ACS saw of
//! them, and when it is told.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ZONE: &str = "Device.Time.LocalTimeZone";
const SERVER: &str = "Device.Time.NTPServer1";
const SYSTEM: &str = "/etc/config/system";
const MEMORY: &str = "Device.DeviceInfo.MemoryStatus.Total";
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
const KNOCKED: [&str; 1] = ["6 CONNECTION REQUEST"];
const CHANGED: [&str; 1] = ["4 VALUE CHANGE"];

/// A router whose ACS has asked for these notifications in the first session, and whose
/// daemon is idle again.
fn watching(levels: &[(&str, u8)], prepare: impl FnOnce(&Cpe)) -> (Acs, Cpe) {
    let script = Script::of([set_notification(levels)]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.agent_toml("[limits]\nwatch_interval = \"24 h\"");
    cpe.without_listener();
    prepare(&cpe);
    cpe.start();
    complete(&acs, 1);
    idle(&cpe);
    (acs, cpe)
}

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

fn status(cpe: &Cpe) -> serde_json::Value {
    serde_json::from_str(&cpe.ok(&["status", "--json"])).expect("JSON")
}

/// Waits until `status` is as wanted.
fn wait_status(cpe: &Cpe, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let told = status(cpe);
        if wanted(&told) {
            return told;
        }
        assert!(
            Instant::now() < until,
            "status never became as wanted: {told:#}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no session runs and the values were read after the last one.
fn idle(cpe: &Cpe) {
    wait_status(cpe, |told| {
        told["running_since"].is_null() && !told["watch"]["last_scan"].is_null()
    });
}

/// Waits until this change was found and waits to be told.
fn pending(cpe: &Cpe, path: &str) {
    let named = |v: &serde_json::Value| v.as_str() == Some(path);
    wait_status(cpe, |told| {
        told["running_since"].is_null()
            && told["watch"]["changed"]
                .as_array()
                .is_some_and(|list| list.iter().any(named))
    });
}

/// The value in an Inform, which has it once at most.
fn told(session: &SessionRecord, path: &str) -> Option<String> {
    let values = session.inform.values.iter();
    let mut found = values.filter(|v| v.name == path).map(|v| v.value.clone());
    let first = found.next();
    assert_eq!(found.next(), None, "{path} is there twice");
    first
}

/// Replaces a text in a file as libuci does: a new file over the old one.
fn edit(cpe: &Cpe, path: &str, from: &str, to: &str) {
    let text = cpe.router.read(path).unwrap();
    assert!(text.contains(from), "{path}: no {from}");
    replace(cpe, path, &text.replace(from, to));
}

fn replace(cpe: &Cpe, path: &str, text: &str) {
    let new = format!("{path}.new");
    cpe.router.write(&new, text).unwrap();
    std::fs::rename(cpe.router.path(&new), cpe.router.path(path)).unwrap();
}

fn zone(cpe: &Cpe, to: &str) {
    let text = cpe.router.read(SYSTEM).unwrap();
    let line = text
        .lines()
        .find(|l| l.contains("option timezone"))
        .unwrap();
    edit(cpe, SYSTEM, line, &format!("\toption timezone '{to}'"));
}

/// A knock by hand: what the session tells, and that no other was before it.
fn only_knocked(acs: &Acs, cpe: &Cpe, number: u32) -> SessionRecord {
    cpe.ok(&["inform"]);
    let session = complete(acs, number);
    assert_eq!(session.events(), KNOCKED);
    session
}

// T-ATT-002, T-EVT-020
#[test]
fn a_file_replaced_or_written_in_place_by_others_opens_a_session() {
    let (acs, cpe) = watching(&[(ZONE, 2)], |_| {});
    zone(&cpe, "UTC0");
    let session = complete(&acs, 2);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC0"));
    idle(&cpe);
    let text = cpe.router.read(SYSTEM).unwrap().replace("UTC0", "EST5");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(cpe.router.path(SYSTEM))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
    drop(file);
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("EST5"));
    only_knocked(&acs, &cpe, 4);
    acs.finish().unwrap();
}

#[test]
fn a_changed_text_file_is_noticed_without_an_interval() {
    let host = "Device.Hosts.Host.1.HostName";
    let (acs, cpe) = watching(&[(host, 2)], |_| {});
    assert_eq!(status(&cpe)["watch"]["by_interval"], false);
    let leases = cpe.router.read("/tmp/dhcp.leases").unwrap();
    let before = cpe.get(host);
    replace(
        &cpe,
        "/tmp/dhcp.leases",
        &leases.replace(&before, "renamed"),
    );
    let session = complete(&acs, 2);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, host).as_deref(), Some("renamed"));
    acs.finish().unwrap();
}

// T-ATT-002: nothing tells of the kernel's files
#[test]
fn what_nothing_tells_of_is_read_again_within_the_interval() {
    let (acs, cpe) = watching(&[(MEMORY, 2)], |cpe| {
        cpe.agent_toml("[limits]\nwatch_interval = \"100 ms\"");
    });
    assert_eq!(status(&cpe)["watch"]["by_interval"], true);
    edit(
        &cpe,
        "/proc/meminfo",
        "MemTotal:",
        "MemTotal: 4711 kB\nWas:",
    );
    let session = complete(&acs, 2);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, MEMORY).as_deref(), Some("4711"));
    acs.finish().unwrap();
}

// T-ATT-003, T-ATT-004, EVT-009, T-INF-009 (no duplicates)
#[test]
fn a_passive_change_goes_with_the_next_inform_of_any_cause_and_an_unwatched_one_does_not() {
    let (acs, cpe) = watching(&[(ZONE, 1), (SERVER, 0)], |_| {});
    zone(&cpe, "UTC0");
    edit(&cpe, SYSTEM, "0.openwrt.pool.ntp.org", "silent.example");
    pending(&cpe, ZONE);
    assert_eq!(status(&cpe)["watch"]["pending"], 1);
    cpe.ok(&["inform", "periodic"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["2 PERIODIC", "4 VALUE CHANGE"]);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC0"));
    assert_eq!(told(&session, SERVER), None);
    assert_eq!(told(&only_knocked(&acs, &cpe, 3), ZONE), None);
    acs.finish().unwrap();
}

// A.3.3.1: told though it has changed back
#[test]
fn what_has_changed_back_is_told_once_with_the_value_of_that_moment() {
    let (acs, cpe) = watching(&[(ZONE, 1)], |_| {});
    let before = cpe.get(ZONE);
    zone(&cpe, "UTC0");
    pending(&cpe, ZONE);
    zone(&cpe, &before);
    cpe.ok(&["set", &format!("{SERVER}=x.example")]);
    cpe.ok(&["inform"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    assert_eq!(told(&session, ZONE), Some(before));
    only_knocked(&acs, &cpe, 3);
    acs.finish().unwrap();
}

// T-ATT-022
#[test]
fn the_throttle_holds_a_session_for_changes_alone_and_no_other() {
    let throttle = "Device.ManagementServer.DefaultActiveNotificationThrottle";
    let script = Script::of([
        set_notification(&[(ZONE, 2)]),
        set_values(&[(throttle, "unsignedInt", "3600")], ""),
    ]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    complete(&acs, 1);
    idle(&cpe);
    for zones in ["UTC0", "UTC1", "UTC2", "UTC3", "UTC4"] {
        zone(&cpe, zones);
        pending(&cpe, ZONE);
    }
    // A periodic session carries them early.
    cpe.ok(&["inform", "periodic"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["2 PERIODIC", "4 VALUE CHANGE"]);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC4"));
    zone(&cpe, "UTC5");
    pending(&cpe, ZONE);
    // Without the throttle it is told at once.
    cpe.option("notify_throttle", "0");
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC5"));
    acs.finish().unwrap();
}

// T-ATT-022: the time itself
#[test]
fn a_throttled_change_is_told_when_its_time_has_come() {
    let (acs, cpe) = watching(&[(ZONE, 2)], |cpe| cpe.option("notify_throttle", "1"));
    for n in 2..4 {
        let before = Instant::now();
        cpe.ok(&["inform"]);
        complete(&acs, 2 * n - 2);
        zone(&cpe, &format!("UTC{n}"));
        assert_eq!(complete(&acs, 2 * n - 1).events(), CHANGED);
        assert!(before.elapsed() >= Duration::from_secs(1));
    }
    acs.finish().unwrap();
}

// T-ATT-021 (of a change found before a power cut), NOT-010
#[test]
fn a_change_between_its_finding_and_its_session_is_told_after_a_kill_and_once() {
    let (acs, mut cpe) = watching(&[(ZONE, 2)], |cpe| cpe.option("notify_throttle", "3600"));
    zone(&cpe, "UTC0");
    pending(&cpe, ZONE);
    cpe.kill();
    cpe.start();
    let session = complete(&acs, 2);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC0"));
    idle(&cpe);
    cpe.kill();
    // Changed while nobody watched.
    zone(&cpe, "UTC1");
    cpe.start();
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC1"));
    idle(&cpe);
    cpe.kill();
    cpe.start();
    only_knocked(&acs, &cpe, 4);
    acs.finish().unwrap();
}

// T-ATT-021, T-ATT-015
#[test]
fn a_firmware_upgrade_is_told_with_the_boot_and_no_sooner_than_the_acs_knew_the_old_version() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new("");
    cpe.without_listener();
    // Another version before the first contact is no change to an ACS.
    cpe.start();
    assert!(cpe.stop().success());
    cpe.edit("device", "software_version", "1.0");
    cpe.option("url", &acs.url());
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 1).events(), ["0 BOOTSTRAP", "1 BOOT"]);
    idle(&cpe);
    assert!(cpe.stop().success());
    cpe.edit("device", "software_version", "2.0");
    cpe.new_boot();
    cpe.start();
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["1 BOOT", "4 VALUE CHANGE"]);
    assert_eq!(told(&session, VERSION).as_deref(), Some("2.0"));
    idle(&cpe);
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 3).events(), ["1 BOOT"]);
    acs.finish().unwrap();
}

// T-EVT-020, T-ATT-025
#[test]
fn a_change_whose_inform_was_not_answered_is_told_again_and_only_the_latest_value() {
    let (acs, cpe) = watching(&[(ZONE, 2)], |cpe| {
        cpe.option("retry_min_wait_interval", "1");
        cpe.option("retry_interval_multiplier", "1000");
    });
    acs.push_rule(Rule::times(
        2,
        When::Message("Inform"),
        Trouble::status(503),
    ));
    zone(&cpe, "UTC0");
    assert!(!acs.wait_session(2, PATIENCE).unwrap().complete());
    zone(&cpe, "UTC1");
    assert!(!acs.wait_session(3, PATIENCE).unwrap().complete());
    zone(&cpe, "UTC2");
    let session = complete(&acs, 4);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC2"));
    assert_eq!(session.inform.inform.as_ref().unwrap().retry_count, 2);
    only_knocked(&acs, &cpe, 5);
    acs.finish().unwrap();
}

// NOT-010: the connection is lost before the InformResponse has come
#[test]
fn a_lost_inform_response_leaves_the_change_to_be_told() {
    let (acs, cpe) = watching(&[(ZONE, 2)], |cpe| {
        cpe.option("retry_min_wait_interval", "1");
        cpe.option("retry_interval_multiplier", "1000");
    });
    acs.push_rule(Rule::times(
        1,
        When::Message("Inform"),
        Trouble::TruncatedXml,
    ));
    zone(&cpe, "UTC0");
    assert!(!acs.wait_session(2, PATIENCE).unwrap().complete());
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC0"));
    only_knocked(&acs, &cpe, 4);
    acs.finish().unwrap();
}

// T-SPV-020, T-ATT-023, NOT-012
#[test]
fn what_the_acs_sets_is_no_news_to_it_but_what_follows_from_it_is() {
    let (auto, channel) = (
        "Device.WiFi.Radio.1.AutoChannelEnable",
        "Device.WiFi.Radio.1.Channel",
    );
    let entries = "Device.NAT.PortMappingNumberOfEntries";
    let (acs, cpe) = watching(&[(auto, 2), (channel, 2), (entries, 2), (ZONE, 2)], |_| {});
    let turned = (cpe.get(auto) == "false").to_string();
    assert_eq!(turned, "true", "the sample router has a channel of its own");
    acs.push_session(Script::of([
        set_values(&[(auto, "boolean", &turned), (ZONE, "string", "UTC0")], ""),
        add_object("Device.NAT.PortMapping.", ""),
    ]));
    cpe.ok(&["inform"]);
    assert_eq!(complete(&acs, 2).events(), KNOCKED);
    // The other view of the same option.
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert!(told(&session, channel).is_some());
    for own in [auto, entries, ZONE] {
        assert_eq!(told(&session, own), None, "{own}");
    }
    only_knocked(&acs, &cpe, 4);
    acs.finish().unwrap();
}

/// Edits a file of the router from within the ACS.
fn edit_now(path: &PathBuf, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no {from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

// T-ATT-024, EVT-005
#[test]
fn a_change_during_a_session_does_not_disturb_it_and_is_told_after_it() {
    let (acs, cpe) = watching(&[(ZONE, 2), (SERVER, 2)], |_| {});
    let system = cpe.router.path(SYSTEM);
    acs.push_session(
        Script::new()
            .then_with(get_values(&[ZONE]), move |_| {
                edit_now(&system, "CET-1CEST,M3.5.0,M10.5.0/3", "UTC0");
                Vec::new()
            })
            .then(set_values(&[(SERVER, "string", "acs.example")], ""))
            .then(get_values(&[ZONE])),
    );
    cpe.ok(&["inform"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), KNOCKED);
    assert_eq!(session.messages_named("Inform").len(), 1);
    let session = complete(&acs, 3);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, ZONE).as_deref(), Some("UTC0"));
    assert_eq!(told(&session, SERVER), None);
    only_knocked(&acs, &cpe, 4);
    acs.finish().unwrap();
}

// T-ATT-004: the change is older than the end of the watch
#[test]
fn a_change_is_not_told_any_more_when_its_notification_was_switched_off() {
    let (acs, cpe) = watching(&[(ZONE, 2)], |_| {});
    let system = cpe.router.path(SYSTEM);
    acs.push_session(
        Script::new()
            .then_with(get_values(&[ZONE]), move |_| {
                edit_now(&system, "CET-1CEST,M3.5.0,M10.5.0/3", "UTC0");
                Vec::new()
            })
            .then(set_notification(&[(ZONE, 0)])),
    );
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    idle(&cpe);
    assert_eq!(status(&cpe)["watch"]["pending"], 0);
    assert_eq!(told(&only_knocked(&acs, &cpe, 3), ZONE), None);
    acs.finish().unwrap();
}

// T-ATT-001: the watch begins with the value of that moment
#[test]
fn a_watch_begins_without_a_change() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    complete(&acs, 1);
    zone(&cpe, "UTC0");
    acs.push_session(Script::of([set_notification(&[(ZONE, 2)])]));
    only_knocked(&acs, &cpe, 2);
    only_knocked(&acs, &cpe, 3);
    zone(&cpe, "UTC1");
    assert_eq!(told(&complete(&acs, 4), ZONE).as_deref(), Some("UTC1"));
    idle(&cpe);
    // At the very moment of the response.
    let system = cpe.router.path(SYSTEM);
    let servers = set_notification(&[(SERVER, 2)]);
    acs.push_session(Script::new().then_with(servers, move |_| {
        edit_now(&system, "0.openwrt.pool.ntp.org", "other.example");
        Vec::new()
    }));
    only_knocked(&acs, &cpe, 5);
    let session = complete(&acs, 6);
    assert_eq!(session.events(), CHANGED);
    assert_eq!(told(&session, SERVER).as_deref(), Some("other.example"));
    acs.finish().unwrap();
}

// T-ATT-017, NOT-013
#[test]
fn a_row_that_is_gone_leaves_no_stale_name() {
    let row = "Device.NAT.PortMapping.1.";
    let name = format!("{row}Description");
    let (acs, cpe) = watching(&[(&name, 2)], |cpe| cpe.option("notify_throttle", "3600"));
    cpe.ok(&["set", &format!("{name}=other")]);
    pending(&cpe, &name);
    cpe.ok(&["delete", row]);
    wait_status(&cpe, |told| told["watch"]["pending"] == 0);
    assert_eq!(told(&only_knocked(&acs, &cpe, 2), &name), None);
    acs.finish().unwrap();
}

// NOT-013: the row goes at the moment in which its change may be told
#[test]
fn no_session_without_an_event_takes_place() {
    let host = "Device.Hosts.Host.1.HostName";
    let leases = "/tmp/dhcp.leases";
    let (acs, cpe) = watching(&[(host, 2)], |cpe| cpe.option("notify_throttle", "3600"));
    let before = cpe.get(host);
    edit(&cpe, leases, &before, "renamed");
    pending(&cpe, host);
    let text = cpe.router.read(leases).unwrap();
    let rest: Vec<&str> = text.lines().filter(|l| !l.contains("renamed")).collect();
    replace(&cpe, leases, &rest.join("\n"));
    cpe.option("notify_throttle", "0");
    wait_status(&cpe, |told| told["watch"]["pending"] == 0);
    assert_eq!(told(&only_knocked(&acs, &cpe, 2), host), None);
    acs.finish().unwrap();
}

// T-ATT-012, FLW-002
#[test]
fn another_connection_request_url_is_told_at_once_unless_switched_off() {
    let url = "Device.ManagementServer.ConnectionRequestURL";
    let script = Script::of([get_values(&[url])]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let before = told(&complete(&acs, 1), url).unwrap();
    idle(&cpe);
    cpe.edit("cpe", "path", "another");
    let session = complete(&acs, 2);
    assert_eq!(session.events(), CHANGED);
    let now = told(&session, url).unwrap();
    assert!(now.ends_with("/another") && now != before, "{now}");
    acs.push_session(Script::of([set_notification(&[(url, 0)])]));
    only_knocked(&acs, &cpe, 3);
    cpe.edit("cpe", "path", "third");
    wait_status(&cpe, |told| {
        told["connection_request_url"]
            .as_str()
            .is_some_and(|url| url.ends_with("/third"))
    });
    assert!(
        told(&only_knocked(&acs, &cpe, 4), url)
            .unwrap()
            .ends_with("/third")
    );
    acs.finish().unwrap();
}

// T-EVT-006
#[test]
fn another_acs_is_told_nothing_of_what_the_one_before_it_saw() {
    let (first, cpe) = watching(&[(ZONE, 1)], |_| {});
    let second = Acs::start(AcsConfig::default()).unwrap();
    zone(&cpe, "UTC0");
    pending(&cpe, ZONE);
    cpe.option("url", &second.url());
    let session = complete(&second, 1);
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    assert_eq!(told(&session, ZONE), None);
    idle(&cpe);
    zone(&cpe, "UTC1");
    pending(&cpe, ZONE);
    cpe.ok(&["inform"]);
    let session = complete(&second, 2);
    assert_eq!(session.events(), ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    first.finish().unwrap();
    second.finish().unwrap();
}

// T-ATT-016
#[test]
fn a_factory_reset_forgets_what_the_acs_saw() {
    let (acs, mut cpe) = watching(&[(ZONE, 2)], |_| {});
    acs.push_session(Script::of([factory_reset()]));
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.stop().success());
    assert!(!cpe.exists("/etc/cwmp-agent/state/told"));
    zone(&cpe, "UTC0");
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 3).events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

// T-ATT-010; the decision that counters wear no flash out
#[test]
fn what_the_acs_saw_of_counters_is_kept_in_run_dir_and_forgotten_with_a_boot() {
    use std::os::unix::fs::MetadataExt;
    let bytes = "Device.Ethernet.Interface.1.Stats.BytesReceived";
    let kept = "/etc/cwmp-agent/state/told";
    let (acs, mut cpe) = watching(&[(bytes, 1), (ZONE, 1)], |cpe| {
        cpe.agent_toml("[limits]\nwatch_interval = \"100 ms\"");
    });
    let name = cpe.get("Device.Ethernet.Interface.1.Name");
    let counted = |cpe: &Cpe, bytes: &str| {
        let file = "/proc/net/dev";
        let text = cpe.router.read(file).unwrap();
        let line = |line: &str| match line.trim_start().strip_prefix(&format!("{name}:")) {
            Some(counters) => {
                let rest = counters.trim_start().split_once(' ').unwrap().1;
                format!("{name}: {bytes} {rest}\n")
            }
            None => format!("{line}\n"),
        };
        let text: String = text.lines().map(line).collect();
        cpe.router.write(file, &text).unwrap();
    };
    let state = cpe.router.read(kept).unwrap();
    let inode = |cpe: &Cpe| std::fs::metadata(cpe.router.path(kept)).unwrap().ino();
    let before = inode(&cpe);
    assert!(state.contains(ZONE) && !state.contains(bytes));
    let run = cpe.router.read("/var/run/cwmp-agent/told").unwrap();
    assert!(run.contains(bytes) && !run.contains(ZONE));
    counted(&cpe, "123456789");
    pending(&cpe, bytes);
    cpe.ok(&["inform"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    assert_eq!(told(&session, bytes).as_deref(), Some("123456789"));
    idle(&cpe);
    assert_eq!(inode(&cpe), before, "flash was written for a counter");
    // Counters begin anew with the box.
    assert!(cpe.stop().success());
    counted(&cpe, "0");
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 3).events(), ["1 BOOT"]);
    acs.finish().unwrap();
}

#[test]
fn a_periodic_session_that_changes_nothing_writes_nothing() {
    use std::os::unix::fs::MetadataExt;
    let (acs, cpe) = watching(&[(ZONE, 1)], |_| {});
    let inodes = || -> Vec<u64> {
        ["told", "owed"]
            .map(|name| cpe.router.path(&format!("/etc/cwmp-agent/state/{name}")))
            .iter()
            .map(|path| std::fs::metadata(path).unwrap().ino())
            .collect()
    };
    let before = inodes();
    cpe.ok(&["inform", "periodic"]);
    complete(&acs, 2);
    idle(&cpe);
    assert_eq!(inodes(), before);
    zone(&cpe, "UTC0");
    pending(&cpe, ZONE);
    assert_ne!(inodes(), before, "a change is on disk when it was found");
    acs.finish().unwrap();
}

#[test]
fn thousands_of_changes_are_told_each_once_some_at_a_time() {
    const ROWS: usize = 2_000;
    const BIG: &str = "/etc/config/big";
    let section = |n: usize| format!("config row 'r{n}'\n\toption a 'old {n}'\n\n");
    let text: String = (1..=ROWS).map(section).collect();
    let (acs, cpe) = watching(&[], |cpe| {
        let model = r#"
["Device.X_TEST_Row.{i}."]
rows = { uci = "big", type = "row" }
A = { type = "string", uci = "big.{row}.a", notify = "active" }
"#;
        cpe.router.write("/model/row.toml", model).unwrap();
        cpe.router.write(BIG, &text).unwrap();
        let folders = [cpe::repository("data-model"), cpe.router.path("/model")];
        cpe.agent_toml(&format!(
            "data_model = {folders:?}\n[limits]\nwatch_interval = \"24 h\""
        ));
    });
    assert_eq!(status(&cpe)["watch"]["parameters"], ROWS + 3);
    replace(&cpe, BIG, &text.replace("old 7'", "new 7'"));
    let session = complete(&acs, 2);
    let name = "Device.X_TEST_Row.7.A";
    assert_eq!(told(&session, name).as_deref(), Some("new 7"));
    assert!(session.inform.values.len() < 20);
    idle(&cpe);
    replace(&cpe, BIG, &text.replace("old ", "newer "));
    wait_status(&cpe, |told| {
        told["watch"]["pending"] == 0 && acs.record().sessions.len() > 2
    });
    idle(&cpe);
    let mut rows: Vec<String> = Vec::new();
    for session in acs.record().sessions.iter().skip(2) {
        assert_eq!(session.events(), CHANGED);
        let values = session.inform.values.iter();
        let of_rows = values.filter(|v| v.name.starts_with("Device.X_TEST_Row."));
        let names: Vec<String> = of_rows.map(|v| v.name.clone()).collect();
        assert!(names.len() <= 512, "{}", names.len());
        rows.extend(names);
    }
    rows.sort_unstable();
    let all = rows.len();
    rows.dedup();
    assert_eq!((rows.len(), all), (ROWS, ROWS));
    acs.finish().unwrap();
}

#[test]
fn status_tells_what_is_watched() {
    let (_acs, cpe) = watching(&[(ZONE, 1)], |_| {});
    zone(&cpe, "UTC0");
    pending(&cpe, ZONE);
    let json = status(&cpe);
    let changes = serde_json::json!([["4 VALUE CHANGE", ""]]);
    assert_eq!(json["pending_events"], changes);
    assert_eq!(json["watch"]["parameters"], 4);
    assert_eq!(json["watch"]["active"], 3);
    let text = cpe.ok(&["status"]);
    assert!(text.contains("watched             4 parameters, 3 actively; last read 20"));
    assert!(
        text.contains(&format!("  changed           {ZONE}")),
        "{text}"
    );
}
