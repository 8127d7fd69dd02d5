//! Device.ManagementServer.InformParameter.: what the ACS wants in its Informs, over the
//! shipped data model and with the real daemon.

mod acs;
mod cpe;
mod router_model;

// What `router_model` works with.
use cpe::router;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::model::inform_parameters::EVENTS;
use cwmp_agent::model::{Model, SetError, SetItem};
use cwmp_agent::source::builtin;
use router::Router;

const TABLE: &str = "Device.ManagementServer.InformParameter.";
const ROW: &str = "Device.ManagementServer.InformParameter.1.";
const UP_TIME: &str = "Device.DeviceInfo.UpTime";
const ZONE: &str = "Device.Time.LocalTimeZone";

fn model(router: &Router) -> Model {
    router_model::model(router, &builtin::files())
}

fn set(model: &mut Model, row: u32, items: &[(&str, &str)]) -> Result<(), Vec<(String, u16)>> {
    let paths: Vec<String> = items
        .iter()
        .map(|(name, _)| format!("{TABLE}{row}.{name}"))
        .collect();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .zip(&paths)
        .map(|((_, value), path)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    model.begin();
    match model.set(&items, Some("")) {
        Ok(_) => Ok(()),
        Err(SetError::Parameters(faults)) => Err(faults
            .into_iter()
            .map(|f| (f.path.rsplit('.').next().unwrap().to_owned(), f.code))
            .collect()),
        Err(SetError::Whole(fault)) => panic!("{fault}"),
    }
}

fn value(model: &mut Model, path: &str) -> String {
    model.begin();
    model.get(&[path]).unwrap().remove(0).value
}

fn added(model: &mut Model, events: &[&str]) -> Vec<String> {
    model.begin();
    let (entries, left_out) = model.inform_parameters(events, 1000, 100_000);
    assert!(!left_out);
    entries.into_iter().map(|entry| entry.path).collect()
}

fn enable(model: &mut Model, row: u32, name: &str, events: &str) {
    let items = [
        ("Enable", "true"),
        ("ParameterName", name),
        ("EventList", events),
    ];
    set(model, row, &items).unwrap();
}

fn add(model: &mut Model) -> u32 {
    model.begin();
    model.add(TABLE, Some("")).unwrap().0
}

// T-INF-011
#[test]
fn what_every_inform_carries_and_what_is_no_pattern_is_refused() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    let before = router.read("/etc/config/cwmp").unwrap();
    for bad in [
        "Device.DeviceInfo.SoftwareVersion",
        "Device.RootDataModelVersion",
        "Device.ManagementServer.ParameterKey",
        "Device.ManagementServer.AliasBasedAddressing",
        "Device.WiFi.SSID.",
        "Device.WiFi.SSID.*",
        "Device.WiFi.SSID.SSID",
        "Device.WiFi.SSID.1*.SSID",
        "Device.*.UpTime",
        "Device.DeviceInfo.Up*",
        "Device.DeviceInfo.*",
        "Device.DeviceInfo",
        "UpTime",
        "$(reboot)",
    ] {
        let refused = set(&mut model, 1, &[("ParameterName", bad), ("Enable", "true")]);
        assert_eq!(
            refused,
            Err(vec![("ParameterName".to_owned(), 9007)]),
            "{bad}"
        );
    }
    for bad in ["4 VALUE CHANGE", "1 BOOT,4 VALUE CHANGE", "9", "x"] {
        let refused = set(&mut model, 1, &[("EventList", bad)]);
        assert_eq!(refused, Err(vec![("EventList".to_owned(), 9007)]), "{bad}");
    }
    assert_eq!(router.read("/etc/config/cwmp").unwrap(), before);
}

#[test]
fn the_event_codes_are_those_of_the_protocol() {
    let codes = EventCode::all().filter(|code| **code != EventCode::ValueChange);
    let codes: Vec<&str> = codes.map(EventCode::text).collect();
    assert_eq!(EVENTS.as_slice(), codes);
}

// T-INF-010
#[test]
fn rows_are_added_on_their_events_and_disabled_ones_never() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    assert_eq!(added(&mut model, &["2 PERIODIC"]), [""; 0], "disabled");
    set(&mut model, 1, &[("Enable", "true")]).unwrap();
    assert_eq!(added(&mut model, &["2 PERIODIC"]), [UP_TIME]);
    assert_eq!(added(&mut model, &["1 BOOT", "2 PERIODIC"]), [UP_TIME]);
    assert_eq!(added(&mut model, &["1 BOOT"]), [""; 0]);
    set(&mut model, 1, &[("EventList", "")]).unwrap();
    assert_eq!(added(&mut model, &["1 BOOT"]), [UP_TIME]);
    assert_eq!(added(&mut model, &["4 VALUE CHANGE"]), [""; 0]);
    assert_eq!(
        added(&mut model, &["4 VALUE CHANGE", "M Reboot"]),
        [UP_TIME]
    );
}

#[test]
fn a_new_row_names_nothing_and_the_rows_are_counted() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    let row = add(&mut model);
    for (name, default) in [
        ("Enable", "false"),
        ("ParameterName", ""),
        ("EventList", ""),
    ] {
        assert_eq!(value(&mut model, &format!("{TABLE}{row}.{name}")), default);
    }
    let entries = "Device.ManagementServer.InformParameterNumberOfEntries";
    assert_eq!(value(&mut model, entries), "2");
    set(&mut model, row, &[("Enable", "true")]).unwrap();
    assert_eq!(added(&mut model, &["2 PERIODIC"]), [""; 0]);
    set(&mut model, row, &[("Alias", "mine")]).unwrap();
    assert!(set(&mut model, 1, &[("Alias", "mine")]).is_err());
    model.begin();
    model.delete(&format!("{TABLE}{row}."), Some("")).unwrap();
    assert_eq!(value(&mut model, entries), "1");
}

#[test]
fn two_enabled_rows_never_have_the_same_name() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    let row = add(&mut model);
    // Row 1 has the name and is disabled.
    enable(&mut model, row, UP_TIME, "1 BOOT");
    let twice = set(&mut model, 1, &[("Enable", "true")]);
    assert_eq!(twice, Err(vec![("Enable".to_owned(), 9007)]));
    set(&mut model, row, &[("ParameterName", ZONE)]).unwrap();
    set(&mut model, 1, &[("Enable", "true")]).unwrap();
}

// T-INF-009
#[test]
fn a_star_stands_for_every_instance_and_each_parameter_is_there_once() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    enable(&mut model, 1, "Device.WiFi.SSID.*.SSID", "");
    let ssids = value(&mut model, "Device.WiFi.SSIDNumberOfEntries");
    let all = added(&mut model, &["2 PERIODIC"]);
    assert_eq!(all.len().to_string(), ssids);
    assert!(all.len() > 1);
    let row = add(&mut model);
    enable(&mut model, row, "Device.WiFi.SSID.2.SSID", "");
    let row = add(&mut model);
    enable(&mut model, row, "Device.WiFi.SSID.99.SSID", "");
    let row = add(&mut model);
    enable(&mut model, row, "Device.WiFi.Later.*.SSID", "");
    assert_eq!(added(&mut model, &["2 PERIODIC"]), all);
    let row = add(&mut model);
    enable(&mut model, row, "Device.Bridging.Bridge.*.Port.*.Name", "");
    let more = added(&mut model, &["2 PERIODIC"]);
    assert!(more.len() > all.len() + 2, "{more:?}");
    assert!(more.contains(&"Device.Bridging.Bridge.1.Port.2.Name".to_owned()));
}

#[test]
fn an_inform_is_not_made_longer_than_asked_for_and_tells_no_secret() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    enable(&mut model, 1, "Device.WiFi.SSID.*.SSID", "");
    let row = add(&mut model);
    let secret = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    enable(&mut model, row, secret, "");
    model.begin();
    let (entries, _) = model.inform_parameters(&["2 PERIODIC"], 1000, 100_000);
    let shown = entries.iter().find(|e| e.path == secret);
    assert_eq!(shown.map(|e| e.value.as_str()), Some(""));
    for (most, bytes) in [(1, 100_000), (1000, entries[0].path.len() + 20)] {
        let (fewer, left_out) = model.inform_parameters(&["2 PERIODIC"], most, bytes);
        assert_eq!((fewer.len(), left_out), (1, true));
    }
}

#[test]
fn an_event_list_reads_back_as_it_was_set() {
    let router = Router::new().unwrap();
    let mut model = model(&router);
    for list in ["1 BOOT,2 PERIODIC", "1%20BOOT,2%20PERIODIC", "M Reboot", ""] {
        set(&mut model, 1, &[("EventList", list), ("Enable", "true")]).unwrap();
        assert_eq!(value(&mut model, &format!("{ROW}EventList")), list);
        let expected = list.contains("BOOT") || list.is_empty();
        assert_eq!(
            added(&mut model, &["1 BOOT"]).len() == 1,
            expected,
            "{list}"
        );
    }
}

#[test]
fn a_row_that_somebody_edited_into_nonsense_stands_for_nothing() {
    let router = Router::new().unwrap();
    let text = router.read("/etc/config/cwmp").unwrap();
    let row = "option enable '0'\n\toption name 'Device.DeviceInfo.UpTime'";
    assert!(text.contains(row));
    for name in [
        "Device.DeviceInfo.SoftwareVersion",
        "Device.",
        "*",
        "..",
        "Device.DeviceInfo",
    ] {
        let bad = format!("option enable '1'\n\toption name '{name}'");
        router
            .write("/etc/config/cwmp", &text.replace(row, &bad))
            .unwrap();
        assert_eq!(
            added(&mut model(&router), &["2 PERIODIC"]),
            [""; 0],
            "{name}"
        );
    }
}

// ---- with the daemon ---------------------------------------------------------------

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE);
    let session = session.unwrap_or_else(|| panic!("{:?}", acs.record().violations));
    assert!(session.complete(), "session {number}: {:?}", session.end);
    session
}

fn told(session: &SessionRecord, path: &str) -> Option<String> {
    let values = session.inform.values.iter();
    let mut found = values.filter(|v| v.name == path).map(|v| v.value.clone());
    let first = found.next();
    assert_eq!(found.next(), None, "{path} is there twice");
    first
}

// T-INF-009, T-INF-010: from the next Inform on, without a restart
#[test]
fn the_daemon_adds_the_rows_to_the_informs_of_their_events_each_parameter_once() {
    let zone = format!("{TABLE}2.");
    let script = Script::of([
        set_values(
            &[
                (&format!("{ROW}Enable"), "boolean", "true"),
                (&format!("{ROW}EventList"), "string", "2 PERIODIC"),
            ],
            "",
        ),
        add_object(TABLE, ""),
        set_values(
            &[
                (&format!("{zone}Enable"), "boolean", "true"),
                (&format!("{zone}ParameterName"), "string", ZONE),
            ],
            "",
        ),
        set_notification(&[(ZONE, 1)]),
    ]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    cpe.start();
    let first = complete(&acs, 1);
    assert_eq!(first.faults(), [0u16; 0]);
    assert_eq!(told(&first, UP_TIME), None);
    cpe.ok(&["inform", "periodic"]);
    let second = complete(&acs, 2);
    assert_eq!(second.events(), ["2 PERIODIC"]);
    assert!(told(&second, UP_TIME).is_some());
    assert_eq!(told(&second, ZONE), Some(cpe.get(ZONE)));
    cpe.ok(&["set", &format!("{ZONE}=UTC0")]);
    cpe.ok(&["inform"]);
    let third = complete(&acs, 3);
    assert_eq!(third.events(), ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    assert_eq!(told(&third, UP_TIME), None);
    assert_eq!(told(&third, ZONE).as_deref(), Some("UTC0"));
    acs.finish().unwrap();
}
