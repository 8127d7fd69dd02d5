//! The daemon beside its commands: who owns the state, many commands at once, hand edits
//! of the settings, and what `status` tells.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::store::lock::StateLock;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

const STATE: &str = "/etc/cwmp-agent/state";
const ENTRIES: &str = "Device.NAT.PortMappingNumberOfEntries";

fn status(cpe: &Cpe) -> serde_json::Value {
    serde_json::from_str(&cpe.ok(&["status", "--json"])).expect("JSON")
}

#[test]
fn a_command_that_holds_the_state_for_a_moment_does_not_keep_the_daemon_from_starting() {
    let mut cpe = Cpe::new("");
    let lock = StateLock::acquire(&cpe.router.path(STATE)).expect("the lock");
    let command = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(lock);
    });
    cpe.start();
    command.join().expect("the other owner");
    assert!(cpe.stop().success());
}

#[test]
fn more_commands_at_once_than_threads_are_all_answered() {
    let mut cpe = Cpe::new("");
    cpe.start();
    let children: Vec<_> = (0..12)
        .map(|_| {
            cpe.command(&["get", "Device.NAT."])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a command")
        })
        .collect();
    for child in children {
        let out = child.wait_with_output().expect("its end");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(!out.stdout.is_empty());
    }
}

#[test]
fn clients_that_never_ask_do_not_keep_others_out() {
    let mut cpe = Cpe::new("");
    cpe.start();
    let socket = cpe.router.path("/var/run/cwmp-agent/control.sock");
    let idle: Vec<UnixStream> = (0..100)
        .map(|_| UnixStream::connect(&socket).expect("a client"))
        .collect();
    assert_eq!(cpe.get("Device.RootDataModelVersion"), "2.19");
    drop(idle);
}

// T-ATT-002
#[test]
fn what_a_command_changes_indirectly_is_told_as_well() {
    let acs =
        Acs::start(AcsConfig::default().session(Script::of([set_notification(&[(ENTRIES, 2)])])))
            .unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    let before: u32 = cpe.get(ENTRIES).parse().unwrap();
    cpe.ok(&["add", "Device.NAT.PortMapping."]);
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    let told = session.inform.values.iter().find(|v| v.name == ENTRIES);
    assert_eq!(told.unwrap().value, (before + 1).to_string());
    acs.finish().unwrap();
}

// T-FLW-007, EVT-005
#[test]
fn what_happens_during_a_session_waits_for_one_of_its_own() {
    const URL: &str = "Device.ManagementServer.ConnectionRequestURL";
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let first = acs.wait_session(1, PATIENCE).unwrap();
    let url = first.inform.values.iter().find(|v| v.name == URL).unwrap();
    let url = url.value.clone();
    acs.push_session(Script::new().then_with(get_values(&[URL]), move |_| {
        assert_eq!(knock(&url, "cpe", "sample-only").unwrap(), 200);
        vec![Step::Send(get_values(&[URL]))]
    }));
    cpe.ok(&["inform", "periodic"]);
    let second = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(second.events(), ["2 PERIODIC"]);
    assert_eq!(second.messages_named("GetParameterValuesResponse").len(), 2);
    let third = acs.wait_session(3, PATIENCE).unwrap();
    assert_eq!(third.events(), ["6 CONNECTION REQUEST"]);
    acs.finish().unwrap();
}

// T-EVT-004 (by hand)
#[test]
fn settings_edited_by_hand_are_taken_over_without_a_signal() {
    let first = Acs::start(AcsConfig::default()).unwrap();
    let second = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new(&first.url());
    cpe.start();
    assert!(first.wait_session(1, PATIENCE).unwrap().complete());
    cpe.option("url", &second.url());
    let session = second.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    first.finish().unwrap();
    second.finish().unwrap();
}

// T-FRS-001
#[test]
fn after_a_factory_reset_the_next_start_is_a_boot_whatever_the_boot_id() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([factory_reset()]))).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.stop().success());
    cpe.start();
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

#[test]
fn status_tells_the_last_session_without_a_daemon_too() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let cpe = Cpe::new(&acs.url());
    assert!(status(&cpe)["last_session"].is_null());
    cpe.ok(&["run", "--once"]);
    let last = status(&cpe)["last_session"].clone();
    assert_eq!(last["events"], serde_json::json!(["0 BOOTSTRAP", "1 BOOT"]));
    assert!(last["failure"].is_null(), "{last}");
    acs.finish().unwrap();
}

#[test]
fn status_promises_no_session_where_none_can_be() {
    let mut cpe = Cpe::new("");
    cpe.edit("acs", "periodic_inform_enable", "0");
    cpe.start();
    let told = status(&cpe);
    assert!(told["next_session"].is_null(), "{told}");
    assert_eq!(told["daemon"], true);
}

#[test]
fn a_source_leaves_the_list_of_trouble_with_its_first_good_reading() {
    let mut cpe = Cpe::new("");
    let good = cpe.router.read("/etc/config/firewall").unwrap();
    cpe.router
        .write("/etc/config/firewall", "config zone 'x\n")
        .unwrap();
    cpe.start();
    cpe.ok(&["get", "Device."]);
    let trouble = status(&cpe)["sources_in_trouble"].to_string();
    assert!(trouble.contains("firewall"), "{trouble}");
    for path in ["Device.NAT.", "Device.", "Device.NAT."] {
        cpe.cli(&["get", path]);
    }
    let log = cpe.log();
    let told = log.lines().filter(|l| l.contains("/etc/config/firewall"));
    assert_eq!(told.count(), 1, "{log}");
    cpe.router.write("/etc/config/firewall", &good).unwrap();
    cpe.ok(&["get", "Device.NAT.PortMapping.1.Enable"]);
    let trouble = status(&cpe)["sources_in_trouble"].to_string();
    assert!(!trouble.contains("firewall"), "{trouble}");
}

// T-RTY-008 (another ACS ends the wait for the one before it)
#[test]
fn another_acs_is_not_made_to_wait_for_the_failures_of_the_one_before_it() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new("http://127.0.0.1:9/");
    cpe.edit("acs", "retry_min_wait_interval", "3600");
    cpe.start();
    cpe.wait_text("/tmp/log", |log| log.contains("next attempt in"));
    cpe.option("url", &acs.url());
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

#[test]
fn the_identity_and_the_log_level_follow_their_options_without_a_restart() {
    const CODE: &str = "Device.DeviceInfo.HardwareVersion";
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    let first = acs.wait_session(1, PATIENCE).unwrap();
    cpe.edit("device", "manufacturer", "Another");
    cpe.edit("device", "hardware_version", "rev 9");
    cpe.wait_text("/tmp/log", |log| log.contains("settings taken over"));
    assert_eq!(cpe.get(CODE), "rev 9");
    cpe.ok(&["inform"]);
    let second = acs.wait_session(2, PATIENCE).unwrap();
    let identity = |s: &SessionRecord| s.inform.inform.clone().unwrap();
    assert_eq!(identity(&second).manufacturer, "Another");
    assert_eq!(
        identity(&second).serial_number,
        identity(&first).serial_number
    );
    let told = second.inform.values.iter().find(|v| v.name == CODE);
    assert_eq!(told.unwrap().value, "rev 9");
    // Nothing below a warning is told, and then again all that `-v` asks for.
    let session = |number: u32| {
        let before = cpe.log();
        cpe.ok(&["inform"]);
        assert!(acs.wait_session(number, PATIENCE).unwrap().complete());
        cpe.wait_status(|told| told["running_since"].is_null());
        cpe.log()[before.len()..].to_owned()
    };
    let taken = cpe.log().matches("settings taken over").count();
    cpe.edit("cpe", "log_level", "warning");
    cpe.signal(nix::sys::signal::Signal::SIGHUP);
    cpe.wait_text("/tmp/log", |log| {
        log.matches("settings taken over").count() > taken
    });
    cpe.wait_status(|told| told["running_since"].is_null());
    assert_eq!(session(3), "");
    cpe.edit("cpe", "log_level", "");
    cpe.signal(nix::sys::signal::Signal::SIGHUP);
    let mut number = 3;
    while !{
        number += 1;
        assert!(number < 20, "the level stays");
        session(number)
    }
    .contains("cwmp-agent debug: Inform")
    {}
    acs.finish().unwrap();
}

// T-PER-003, T-PER-001, T-INF-007
#[test]
fn a_power_cut_after_each_change_leaves_everything_that_must_outlive_it() {
    const ZONE: &str = "Device.Time.LocalTimeZone";
    let acs = Acs::start(AcsConfig::default().session(Script::of([
        set_values(
            &[(
                "Device.ManagementServer.PeriodicInformInterval",
                "unsignedInt",
                "777",
            )],
            "key",
        ),
        add_object("Device.NAT.PortMapping.", "key"),
        set_notification(&[(ZONE, 2)]),
        schedule_inform(3600, "later"),
        schedule_inform(7200, "still later"),
        reboot("again"),
    ])))
    .unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.script(
        "reboot",
        "echo reboot >>\"$CWMP_ROOT/tmp/rebooted\"; sleep 5",
    );
    cpe.start();
    let first = acs.wait_session(1, PATIENCE).unwrap();
    assert!(
        first.complete() && first.faults().is_empty(),
        "{:?}",
        first.faults()
    );
    let added = first.message("AddObjectResponse").unwrap();
    let number = added.arg("InstanceNumber").unwrap().to_owned();
    cpe.wait_file("/tmp/rebooted");
    cpe.kill();
    for cut in 1..=2 {
        acs.push_session(Script::of([get_attributes(&[ZONE])]));
        cpe.new_boot();
        cpe.start();
        let session = acs.wait_session(cut + 1, PATIENCE).unwrap();
        let told = session.message("GetParameterAttributesResponse").unwrap();
        assert_eq!(told.attributes[0].notification, "2");
        let reboots = session.inform.inform.as_ref().unwrap().events.iter();
        let keys: Vec<&str> = reboots
            .filter(|e| e.code == "M Reboot")
            .map(|e| e.command_key.as_str())
            .collect();
        // The first is told, and not told again.
        let expected: &[&str] = if cut == 1 { &["again"] } else { &[] };
        assert_eq!(keys, expected);
        assert!(!session.events().contains(&"0 BOOTSTRAP"));
        cpe.wait_status(|told| told["running_since"].is_null());
        cpe.kill();
        assert_eq!(
            cpe.get("Device.ManagementServer.PeriodicInformInterval"),
            "777"
        );
        assert_eq!(cpe.get("Device.ManagementServer.ParameterKey"), "key");
        cpe.get(&format!("Device.NAT.PortMapping.{number}.Enable"));
        let told = cpe.status();
        assert_eq!(told["next_session"]["reason"], "3 SCHEDULED", "{told:#}");
    }
    acs.finish().unwrap();
}
