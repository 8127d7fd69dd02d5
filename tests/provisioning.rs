//! Whole sessions of the real program on the sample router with the scripted ACS.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use nix::sys::signal::Signal;

fn acs(config: AcsConfig) -> Acs {
    Acs::start(config).expect("an ACS on loopback")
}

/// Waits for session `number`, which must end well.
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

fn value<'a>(message: &'a CpeMessage, name: &str) -> &'a str {
    let found = message.values.iter().find(|v| v.name == name);
    &found
        .unwrap_or_else(|| panic!("{name} is not in {}", message.name))
        .value
}

// T-EVT-001, T-EVT-002, T-FLW-001
#[test]
fn a_new_router_tells_bootstrap_and_boot_once_and_then_only_boot() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    let first = complete(&acs, 1);
    assert_eq!(first.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(first.names().first(), Some(&"Inform"));
    assert!(cpe.stop().success());

    // A restart of the daemon alone is no boot, and nothing is owed.
    cpe.start();
    cpe.ok(&["inform"]);
    assert_eq!(complete(&acs, 2).events(), ["6 CONNECTION REQUEST"]);
    assert!(cpe.stop().success());

    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 3).events(), ["1 BOOT"]);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

// T-EVT-003
#[test]
fn a_bootstrap_that_was_not_answered_comes_again_after_a_power_cut() {
    let acs =
        acs(AcsConfig::default().rule(Rule::once(When::Message("Inform"), Trouble::status(500))));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    acs.wait_session(1, PATIENCE).expect("the refused session");
    cpe.wait_text("/tmp/log", |t| t.contains("session failed"));
    cpe.kill();
    cpe.new_boot();
    cpe.start();
    let second = complete(&acs, 2);
    assert_eq!(second.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    // RetryCount goes on over the boot: the session before failed (INF-004, T-INF-007).
    assert_eq!(second.inform.inform.as_ref().unwrap().retry_count, 1);
    acs.finish().unwrap();
}

// T-INF-006
#[test]
fn the_retry_count_grows_with_every_failure_until_a_session_ends_well() {
    let rule = Rule::times(3, When::Message("Inform"), Trouble::status(500));
    let acs = acs(AcsConfig::default().rule(rule));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let count = |session: SessionRecord| session.inform.inform.unwrap().retry_count;
    for failed in 1..4 {
        let session = acs.wait_session(failed, PATIENCE).expect("a session");
        assert_eq!(count(session), failed - 1);
        let counted = format!("session failed ({failed} in a row)");
        cpe.wait_text("/tmp/log", |log| log.contains(&counted));
        // A new event ends the wait.
        cpe.ok(&["inform"]);
    }
    assert_eq!(count(complete(&acs, 4)), 3);
    cpe.ok(&["inform"]);
    assert_eq!(count(complete(&acs, 5)), 0);
    acs.finish().unwrap();
}

// T-FLW-010 (without the reset)
#[test]
fn switched_off_the_agent_neither_informs_nor_takes_knocks() {
    let url = "Device.ManagementServer.ConnectionRequestURL";
    let off = set_values(
        &[("Device.ManagementServer.EnableCWMP", "boolean", "false")],
        "",
    );
    let acs = acs(AcsConfig::default().session(Script::of([off])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = value(&complete(&acs, 1).inform, url).to_owned();
    cpe.wait_text("/tmp/log", |log| log.contains("connection requests: none"));
    assert!(knock(&url, "cpe", "sample-only").is_err());
    assert_eq!(cpe.cli(&["inform"]).status.code(), Some(1));
    cpe.ok(&["set", "Device.ManagementServer.EnableCWMP=true"]);
    cpe.wait_text("/tmp/log", |log| {
        log.matches("settings taken over").count() == 2
    });
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    acs.finish().unwrap();
}

// T-INF-001, T-INF-003, T-INF-008
#[test]
fn the_inform_carries_the_forced_parameters_and_the_device_id() {
    let acs = acs(AcsConfig::default().session(Script::of([get_values(&[
        "Device.DeviceInfo.Manufacturer",
        "Device.DeviceInfo.ManufacturerOUI",
        "Device.DeviceInfo.ProductClass",
        "Device.DeviceInfo.SerialNumber",
    ])])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let session = complete(&acs, 1);
    let inform = session.inform.inform.as_ref().unwrap();
    let mut names: Vec<&str> = session
        .inform
        .values
        .iter()
        .map(|v| v.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "Device.DeviceInfo.HardwareVersion",
            "Device.DeviceInfo.ProvisioningCode",
            "Device.DeviceInfo.SoftwareVersion",
            "Device.ManagementServer.AliasBasedAddressing",
            "Device.ManagementServer.ConnectionRequestURL",
            "Device.ManagementServer.ParameterKey",
            "Device.RootDataModelVersion",
        ]
    );
    let values = session.message("GetParameterValuesResponse").unwrap();
    assert_eq!(
        value(values, "Device.DeviceInfo.Manufacturer"),
        inform.manufacturer
    );
    assert_eq!(
        value(values, "Device.DeviceInfo.ManufacturerOUI"),
        inform.oui
    );
    assert_eq!(
        value(values, "Device.DeviceInfo.ProductClass"),
        inform.product_class
    );
    assert_eq!(
        value(values, "Device.DeviceInfo.SerialNumber"),
        inform.serial_number
    );
    assert_eq!(inform.max_envelopes, "1");
    assert!(!inform.serial_number.is_empty() && inform.oui.len() == 6);
    acs.finish().unwrap();
}

// T-SPV-001, T-SPV-002, T-SPV-015, T-SPV-021, T-SPV-022
#[test]
fn a_set_over_two_packages_is_in_the_files_and_reloads_each_service_once() {
    let ssid = "It's \"$(reboot)\" `x` \\ ü";
    let acs = acs(AcsConfig::default().session(Script::of([
        set_values(
            &[
                ("Device.WiFi.SSID.1.SSID", "string", ssid),
                ("Device.WiFi.SSID.2.SSID", "string", "second"),
                ("Device.Time.NTPServer1", "string", "ntp.example.net"),
            ],
            "key-1",
        ),
        get_values(&[
            "Device.WiFi.SSID.1.SSID",
            "Device.ManagementServer.ParameterKey",
        ]),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let session = complete(&acs, 1);
    // Committed, and the services take it over when the session is over.
    let done = session.message("SetParameterValuesResponse").unwrap();
    assert_eq!(arg(done, "Status"), "1");
    let values = session.message("GetParameterValuesResponse").unwrap();
    assert_eq!(value(values, "Device.WiFi.SSID.1.SSID"), ssid);
    assert_eq!(
        value(values, "Device.ManagementServer.ParameterKey"),
        "key-1"
    );
    let reloads = cpe.wait_text("/tmp/reloads", |t| t.lines().count() >= 2);
    let mut reloads: Vec<&str> = reloads.lines().collect();
    reloads.sort_unstable();
    assert_eq!(reloads, ["system", "wireless"]);
    assert!(cpe.stop().success());
    assert_eq!(cpe.get("Device.WiFi.SSID.2.SSID"), "second");
    let wireless = cpe.router.read("/etc/config/wireless").unwrap();
    let package = cwmp_agent::uci::Package::parse(wireless.as_bytes()).unwrap();
    let section = &package.sections()[package.section("default_radio0").unwrap()];
    assert_eq!(section.get("ssid").and_then(|v| v.as_one()), Some(ssid));
    assert!(
        wireless.contains("# made with the web interface"),
        "comments stay"
    );
    acs.finish().unwrap();
}

// T-SPV-003, T-SPV-004, T-OBJ-014, T-EVT-012
#[test]
fn a_set_with_faults_names_every_one_and_changes_nothing() {
    let acs = acs(AcsConfig::default().session(Script::of([
        set_values(
            &[
                ("Device.WiFi.SSID.1.SSID", "string", "not to be seen"),
                ("Device.Nonsense", "string", "x"),
                ("Device.DeviceInfo.UpTime", "unsignedInt", "0"),
                (
                    "Device.ManagementServer.PeriodicInformInterval",
                    "string",
                    "60",
                ),
                (
                    "Device.ManagementServer.PeriodicInformInterval",
                    "unsignedInt",
                    "0",
                ),
            ],
            "bad",
        ),
        set_values(
            &[
                ("Device.WiFi.SSID.1.SSID", "string", "not to be seen"),
                ("Device.Nonsense", "string", "x"),
                ("Device.DeviceInfo.UpTime", "unsignedInt", "0"),
                ("Device.Time.Enable", "string", "true"),
                (
                    "Device.ManagementServer.PeriodicInformInterval",
                    "unsignedInt",
                    "0",
                ),
            ],
            "bad",
        ),
        get_values(&["Device.ManagementServer.ParameterKey"]),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    let before = cpe.router.read("/etc/config/wireless").unwrap();
    cpe.start();
    let session = complete(&acs, 1);
    let faults: Vec<&CpeFault> = session
        .messages
        .iter()
        .filter_map(|m| m.fault.as_ref())
        .collect();
    assert_eq!(faults.len(), 2);
    assert!(faults.iter().all(|f| f.code == 9003), "{faults:?}");
    let told: Vec<(&str, u16)> = faults[1]
        .parameters
        .iter()
        .map(|f| (f.path.as_str(), f.code))
        .collect();
    assert_eq!(
        told,
        [
            ("Device.Nonsense", 9005),
            ("Device.DeviceInfo.UpTime", 9008),
            ("Device.Time.Enable", 9006),
            ("Device.ManagementServer.PeriodicInformInterval", 9007),
        ]
    );
    let values = session.message("GetParameterValuesResponse").unwrap();
    assert_eq!(value(values, "Device.ManagementServer.ParameterKey"), "");
    assert_eq!(cpe.router.read("/etc/config/wireless").unwrap(), before);
    acs.finish().unwrap();
}

// T-OBJ-001, T-OBJ-002, T-OBJ-007, T-OBJ-008, T-OBJ-011
#[test]
fn rows_are_added_set_and_deleted_and_numbers_are_not_used_again() {
    let table = "Device.NAT.PortMapping.";
    let acs = acs(AcsConfig::default().session(
        Script::of([get_values(&["Device.NAT.PortMappingNumberOfEntries"])]).then_with(
            add_object(table, "k1"),
            move |reply| {
                let number = arg(reply, "InstanceNumber");
                let row = format!("{table}{number}.");
                let enable = format!("{row}Enable");
                vec![
                    Step::Send(get_values(&[
                        &enable,
                        "Device.NAT.PortMappingNumberOfEntries",
                    ])),
                    Step::Send(delete_object(&row, "k2")),
                    Step::Send(delete_object(&row, "k3")),
                    Step::Send(add_object(table, "k4")),
                    Step::Send(get_values(&["Device.ManagementServer.ParameterKey"])),
                ]
            },
        ),
    ));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let session = complete(&acs, 1);
    let added = session.messages_named("AddObjectResponse");
    let numbers: Vec<u32> = added
        .iter()
        .map(|m| arg(m, "InstanceNumber").parse().unwrap())
        .collect();
    assert!(numbers[1] > numbers[0], "{numbers:?}");
    assert_eq!(arg(added[0], "Status"), "0");
    let reads = session.messages_named("GetParameterValuesResponse");
    let count = |m: &CpeMessage| -> u32 {
        value(m, "Device.NAT.PortMappingNumberOfEntries")
            .parse()
            .unwrap()
    };
    assert_eq!(count(reads[1]), count(reads[0]) + 1);
    assert_eq!(reads[1].values[0].value, "false");
    assert_eq!(session.faults(), [9005]);
    assert_eq!(
        value(reads[2], "Device.ManagementServer.ParameterKey"),
        "k4"
    );
    acs.finish().unwrap();
}

fn arg(message: &CpeMessage, name: &str) -> String {
    let found = message.args.iter().find(|(n, _)| n == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {message:?}"))
        .1
        .clone()
}

// T-CRQ-001, T-CRQ-002, T-CRQ-003, T-CRQ-005
#[test]
fn a_knock_with_the_right_password_brings_a_session_and_others_do_not() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let session = complete(&acs, 1);
    let url = value(
        &session.inform,
        "Device.ManagementServer.ConnectionRequestURL",
    )
    .to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert_eq!(knock(&url, "cpe", "wrong").unwrap(), 401);
    assert_eq!(
        knock(&format!("{url}x"), "cpe", "sample-only").unwrap(),
        404
    );
    assert_eq!(knock(&url, "cpe", "sample-only").unwrap(), 200);
    let second = complete(&acs, 2);
    assert_eq!(second.events(), ["6 CONNECTION REQUEST"]);
    let same = value(
        &second.inform,
        "Device.ManagementServer.ConnectionRequestURL",
    );
    assert_eq!(same, url, "the URL is stable");
    let status: serde_json::Value = serde_json::from_str(&cpe.ok(&["status", "--json"])).unwrap();
    assert_eq!(status["accepted_knocks"], 1);
    assert!(
        !status["refused_knocks"].as_array().unwrap().is_empty(),
        "{status}"
    );
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

// T-EVT-014, T-RTY-008
#[test]
fn a_connection_request_is_not_told_again_after_a_failed_session() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    complete(&acs, 1);
    acs.push_rule(Rule::once(When::Message("Inform"), Trouble::status(500)));
    cpe.ok(&["inform"]);
    assert_eq!(
        acs.wait_session(2, PATIENCE).unwrap().events(),
        ["6 CONNECTION REQUEST"]
    );
    cpe.wait_text("/tmp/log", |t| t.contains("session failed"));
    // A new event ends the wait.
    cpe.ok(&["inform", "periodic"]);
    let third = complete(&acs, 3);
    assert_eq!(third.events(), ["2 PERIODIC"]);
    assert_eq!(third.inform.inform.as_ref().unwrap().retry_count, 1);
    cpe.ok(&["inform"]);
    assert_eq!(
        complete(&acs, 4)
            .inform
            .inform
            .as_ref()
            .unwrap()
            .retry_count,
        0
    );
    acs.finish().unwrap();
}

// T-REB-001, T-EVT-018
#[test]
fn reboots_happen_after_the_session_and_are_told_with_their_keys() {
    let acs = acs(AcsConfig::default().session(Script::of([
        reboot("r1"),
        reboot("r2"),
        get_values(&["Device.DeviceInfo.UpTime"]),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    let session = complete(&acs, 1);
    assert!(
        session.message("GetParameterValuesResponse").is_some(),
        "the session went on"
    );
    assert_eq!(cpe.wait_file("/tmp/rebooted").lines().count(), 1);
    // Who asks for a session now is told that there is none before the boot.
    let until = std::time::Instant::now() + cpe::PATIENCE;
    let refused = loop {
        let out = cpe.cli(&["inform", "2 PERIODIC"]);
        if !out.status.success() {
            break out;
        }
        assert!(std::time::Instant::now() < until, "no refusal");
    };
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("about to reboot"), "{said}");
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    let second = complete(&acs, 2);
    let events: Vec<(String, String)> = second
        .inform
        .inform
        .as_ref()
        .unwrap()
        .events
        .iter()
        .map(|e| (e.code.clone(), e.command_key.clone()))
        .collect();
    let event = |code: &str, key: &str| (code.to_owned(), key.to_owned());
    assert_eq!(
        events,
        [
            event("1 BOOT", ""),
            event("M Reboot", "r1"),
            event("M Reboot", "r2")
        ]
    );
    cpe.ok(&["inform", "periodic"]);
    assert_eq!(complete(&acs, 3).events(), ["2 PERIODIC"]);
    acs.finish().unwrap();
}

// T-FRS-001, T-PER-002 (of the state this version keeps)
#[test]
fn a_factory_reset_forgets_key_attributes_and_events_and_bootstraps_again() {
    let acs = acs(AcsConfig::default().session(Script::of([
        set_values(
            &[("Device.Time.NTPServer1", "string", "a.example")],
            "before",
        ),
        set_notification(&[("Device.Time.NTPServer1", 2)]),
        schedule_inform(86_400, "never"),
        factory_reset(),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    complete(&acs, 1);
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.exists("/tmp/reset"));
    assert!(cpe.stop().success());
    acs.push_session(Script::of([
        get_values(&["Device.ManagementServer.ParameterKey"]),
        get_attributes(&["Device.Time.NTPServer1"]),
    ]));
    cpe.new_boot();
    cpe.start();
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    let values = session.message("GetParameterValuesResponse").unwrap();
    assert_eq!(value(values, "Device.ManagementServer.ParameterKey"), "");
    let attributes = session.message("GetParameterAttributesResponse").unwrap();
    assert_eq!(attributes.attributes[0].notification, "0");
    acs.finish().unwrap();
}

// T-EVT-015, T-EVT-016, T-SCI-001
#[test]
fn scheduled_informs_come_with_their_keys() {
    let acs = acs(AcsConfig::default().session(Script::of([
        schedule_inform(0, "zero"),
        schedule_inform(1, "a"),
        schedule_inform(1, "b"),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    assert_eq!(complete(&acs, 1).faults(), [9003]);
    let mut keys = Vec::new();
    for number in 2.. {
        let session = complete(&acs, number);
        assert_eq!(session.events()[0], "3 SCHEDULED");
        let inform = session.inform.inform.as_ref().unwrap();
        keys.extend(inform.events[1..].iter().map(|e| e.command_key.clone()));
        if keys.len() >= 2 {
            break;
        }
    }
    assert_eq!(keys, ["a", "b"]);
    acs.finish().unwrap();
}

// T-FLW-008, T-EVT-005
#[test]
fn a_new_url_is_used_after_the_session_and_bootstraps_there() {
    let other = acs(AcsConfig::default());
    let first = acs(AcsConfig::default());
    first.push_session(Script::of([
        set_values(
            &[("Device.ManagementServer.URL", "string", &first.url())],
            "",
        ),
        set_values(
            &[("Device.ManagementServer.URL", "string", &other.url())],
            "",
        ),
        get_values(&["Device.DeviceInfo.UpTime"]),
    ]));
    let mut cpe = Cpe::new(&first.url());
    cpe.start();
    let session = complete(&first, 1);
    assert!(session.message("GetParameterValuesResponse").is_some());
    assert_eq!(complete(&other, 1).events(), ["0 BOOTSTRAP"]);
    assert!(cpe.stop().success());
    assert_eq!(first.record().sessions.len(), 1);
    first.finish().unwrap();
    other.finish().unwrap();
}

// T-ATT-002, T-ATT-003, T-ATT-004, T-SPV-020
#[test]
fn a_change_from_the_lan_side_is_told_as_its_notification_level_says() {
    let acs = acs(AcsConfig::default().session(Script::of([
        set_notification(&[("Device.Time.NTPServer1", 2), ("Device.Time.NTPServer2", 1)]),
        // The ACS's own Set is not told back to it.
        set_values(&[("Device.Time.NTPServer1", "string", "acs.example")], ""),
    ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    complete(&acs, 1);
    cpe.ok(&["set", "Device.Time.NTPServer2=passive.example"]);
    cpe.ok(&["set", "Device.Time.NTPServer3=silent.example"]);
    cpe.ok(&["set", "Device.Time.NTPServer1=active.example"]);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    assert_eq!(
        value(&session.inform, "Device.Time.NTPServer1"),
        "active.example"
    );
    assert_eq!(
        value(&session.inform, "Device.Time.NTPServer2"),
        "passive.example"
    );
    let names: Vec<&str> = session
        .inform
        .values
        .iter()
        .map(|v| v.name.as_str())
        .collect();
    assert!(!names.contains(&"Device.Time.NTPServer3"));
    assert_eq!(acs.record().sessions.len(), 2);
    acs.finish().unwrap();
}

#[test]
fn sigterm_ends_an_idle_daemon_with_status_0_and_sighup_reads_the_settings_again() {
    let first = acs(AcsConfig::default());
    let other = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&first.url());
    cpe.start();
    complete(&first, 1);
    cpe.option("url", &other.url());
    cpe.signal(Signal::SIGHUP);
    assert_eq!(complete(&other, 1).events(), ["0 BOOTSTRAP"]);
    cpe.wait_text("/tmp/log", |t| t.matches("session ended").count() == 2);
    let begin = std::time::Instant::now();
    assert_eq!(cpe.stop().code(), Some(0));
    assert!(begin.elapsed() < std::time::Duration::from_secs(2));
    assert!(!cpe.exists("/var/run/cwmp-agent/control.sock"));
    first.finish().unwrap();
    other.finish().unwrap();
}

// T-SEC-009
#[test]
fn no_secret_is_in_the_log_or_in_an_answer() {
    let acs = acs(AcsConfig::default()
        .auth(Auth::Digest(DigestAuth::for_account(
            "user-x",
            "S3cret-acs",
        )))
        .session(Script::of([
            set_values(
                &[(
                    "Device.ManagementServer.ConnectionRequestPassword",
                    "string",
                    "S3cret-cr",
                )],
                "",
            ),
            get_values(&["Device."]),
        ])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.option("username", "user-x");
    cpe.option("password", "S3cret-acs");
    cpe.start();
    let session = complete(&acs, 1);
    cpe.ok(&["status"]);
    assert!(cpe.stop().success());
    let everything = format!(
        "{}{:?}{}",
        cpe.log(),
        session.messages,
        cpe.ok(&["get", "Device."])
    );
    assert!(!everything.contains("S3cret"), "{everything}");
    acs.finish().unwrap();
}
