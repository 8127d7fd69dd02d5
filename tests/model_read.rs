//! GetParameterValues and GetParameterNames.

mod model_support;

use cwmp_agent::model::{Fault, Limits, ValueType};
use model_support::*;
use std::collections::BTreeSet;

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> u16 {
    result.unwrap_err().code
}

fn names(model: &mut cwmp_agent::model::Model, path: &str, next: bool) -> Vec<(String, bool)> {
    model.begin();
    let entries = model.names(path, next).unwrap();
    entries.into_iter().map(|e| (e.path, e.writable)).collect()
}

#[test]
fn values_come_by_name_in_the_order_asked() {
    // T-GPV-001, T-GPV-002
    let (mut model, _) = router();
    let asked = [
        "Device.DeviceInfo.UpTime",
        "Device.Time.Enable",
        "Device.DeviceInfo.Manufacturer",
    ];
    let entries = model.get(&asked).unwrap();
    let got: Vec<(&str, ValueType, &str)> = entries
        .iter()
        .map(|e| (e.path.as_str(), e.ty, e.value.as_str()))
        .collect();
    assert_eq!(
        got,
        [
            (asked[0], ValueType::UnsignedInt, "42"),
            (asked[1], ValueType::Boolean, "true"),
            (asked[2], ValueType::String, "Test"),
        ]
    );
}

#[test]
fn a_partial_path_gives_all_below() {
    // T-GPV-003
    let (mut model, _) = router();
    let got = paths(model.get(&["Device.DeviceInfo."]));
    assert_eq!(
        got,
        ["HostName", "Manufacturer", "SoftwareVersion", "UpTime"]
            .map(|n| format!("Device.DeviceInfo.{n}"))
    );
    let got = paths(model.get(&["Device.WiFi.Radio.1."]));
    assert_eq!(
        got,
        [
            "Device.WiFi.Radio.1.Channel",
            "Device.WiFi.Radio.1.SsidNumberOfEntries",
            "Device.WiFi.Radio.1.Ssid.1.Name"
        ]
    );
}

#[test]
fn the_whole_model_is_what_names_lists() {
    // T-GPV-004, T-GPN-006, T-GPN-014
    let (mut model, _) = router();
    let all = paths(model.get(&[""]));
    assert_eq!(all, paths(model.get(&["Device."])));
    let listed: Vec<String> = names(&mut model, "", false)
        .into_iter()
        .map(|n| n.0)
        .filter(|n| !n.ends_with('.'))
        .collect();
    assert_eq!(all, listed);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(all.iter().all(|p| !p.contains("{i}")));
}

#[test]
fn what_does_not_exist_fails_the_whole_call() {
    // T-GPV-005, T-GPV-006, T-GPV-007, T-GPV-008, T-GPV-009, T-GPV-013, T-GPV-014
    let (mut model, _) = router();
    let long = format!("Device.{}", "A".repeat(250));
    for path in [
        "Device.Foo",
        "Device.Foo.",
        ".",
        "Foo.",
        "Device",
        "Device.NAT.PortMapping.99.",
        "Device.NAT.PortMapping.99.Enable",
        "Device.NAT.PortMapping.Enable",
        "Device.NAT.PortMapping.1",
        "Device.DeviceInfo",
        "Device.DeviceInfo.1.",
        "Device.DeviceInfo.UpTime.",
        "device.deviceinfo.uptime",
        "Device.IP.Interface.*.Name",
        "Device.NAT.PortMapping.[cpe-1].Enable",
        &long,
    ] {
        assert_eq!(
            code(model.get(&["Device.Time.Enable", path, "Device.Time."])),
            9005,
            "{path}"
        );
        assert_eq!(code(model.names(path, false)), 9005, "{path}");
    }
}

#[test]
fn an_empty_table_is_an_empty_list() {
    // T-GPV-010, T-GPN-013
    let (mut model, _) = router();
    assert!(model.get(&["Device.Hosts.Host."]).unwrap().is_empty());
    assert!(names(&mut model, "Device.Hosts.Host.", true).is_empty());
    assert_eq!(
        names(&mut model, "Device.Hosts.Host.", false),
        [("Device.Hosts.Host.".to_owned(), false)]
    );
}

#[test]
fn overlapping_names_repeat() {
    // T-GPV-011
    let (mut model, _) = router();
    let got = paths(model.get(&["Device.Time.", "Device.Time.Enable"]));
    assert_eq!(got.iter().filter(|p| *p == "Device.Time.Enable").count(), 2);
}

#[test]
fn counts_follow_the_rows() {
    // T-DM-002
    let (mut model, world) = router();
    assert_eq!(
        value(&mut model, "Device.NAT.PortMappingNumberOfEntries"),
        "2"
    );
    assert_eq!(value(&mut model, "Device.Hosts.HostNumberOfEntries"), "0");
    world
        .lock()
        .unwrap()
        .packages
        .get_mut("firewall")
        .unwrap()
        .remove(0);
    assert_eq!(
        value(&mut model, "Device.NAT.PortMappingNumberOfEntries"),
        "1"
    );
}

#[test]
fn references_are_paths_without_a_dot() {
    // T-DM-003
    let (mut model, _) = router();
    assert_eq!(
        value(&mut model, "Device.WiFi.SSID.1.LowerLayers"),
        "Device.WiFi.Radio.1"
    );
    assert_eq!(value(&mut model, "Device.NAT.PortMapping.1.Interface"), "");
}

#[test]
fn a_source_in_trouble_costs_only_its_own_values() {
    let (mut model, world) = router();
    world.lock().unwrap().broken.insert("system".to_owned());
    model.begin();
    assert_eq!(code(model.get(&["Device.DeviceInfo.HostName"])), 9002);
    let got = paths(model.get(&["Device.DeviceInfo."]));
    assert!(!got.contains(&"Device.DeviceInfo.HostName".to_owned()) && got.len() == 3);
    world.lock().unwrap().broken.insert("firewall".to_owned());
    model.begin();
    assert_eq!(code(model.get(&["Device.NAT.PortMapping.1.Enable"])), 9002);
    assert_eq!(
        code(model.get(&["Device.NAT.PortMappingNumberOfEntries"])),
        9002
    );
    assert!(model.get(&["Device.NAT."]).unwrap().is_empty());
    let sources: Vec<String> = model.troubles().into_iter().map(|t| t.source).collect();
    assert_eq!(sources, ["uci firewall", "uci system"]);
    world.lock().unwrap().broken.clear();
    model.begin();
    model.get(&[""]).unwrap();
    assert!(model.troubles().is_empty());
    // Numbers outlive the trouble.
    assert_eq!(
        value(&mut model, "Device.NAT.PortMapping.2.ExternalPort"),
        "443"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_trouble_for_itself_alone() {
    let world = world(
        "cwmp acs acs periodic_inform_interval=abc password=s3cret periodic_inform_enable=on",
    );
    let mut model = model_with(SCHEMA, &world, Limits::default());
    let path = "Device.ManagementServer.PeriodicInformInterval";
    assert_eq!(code(model.get(&[path])), 9002);
    assert_eq!(model.troubles()[0].source, format!("parameter {path}"));
    assert_eq!(
        value(&mut model, "Device.ManagementServer.PeriodicInformEnable"),
        "true"
    );
    // A Set mends it.
    set(&mut model, &[(path, "60")], Some("k")).unwrap();
    assert_eq!(value(&mut model, path), "60");
    assert!(model.troubles().is_empty());
}

#[test]
fn defaults_stand_in_for_what_the_source_lacks() {
    let world = world("system system - x=1");
    let mut model = model_with(SCHEMA, &world, Limits::default());
    for (path, want) in [
        ("Device.Time.Enable", "true"),
        ("Device.Time.Mode", "Slow"),
        ("Device.Time.Offset", "0"),
        ("Device.Time.Servers", ""),
        ("Device.ManagementServer.PeriodicInformInterval", "86400"),
        (
            "Device.ManagementServer.PeriodicInformTime",
            "0001-01-01T00:00:00Z",
        ),
    ] {
        assert_eq!(value(&mut model, path), want, "{path}");
    }
}

#[test]
fn rows_are_asked_once_a_request() {
    let (mut model, world) = router();
    model.get(&[""]).unwrap();
    world.lock().unwrap().rows_asked = 0;
    model.begin();
    model.get(&["", "Device.NAT.", "Device.WiFi."]).unwrap();
    model.names("", false).unwrap();
    let world = world.lock().unwrap();
    // dhcp, interface, redirect, wifi-device, its wifi-ifaces, all wifi-ifaces, host
    assert_eq!(world.rows_asked, 7);
}

#[test]
fn names_of_parameters() {
    // T-GPN-001, T-GPN-002
    let (mut model, _) = router();
    let up = "Device.DeviceInfo.UpTime";
    assert_eq!(names(&mut model, up, false), [(up.to_owned(), false)]);
    assert_eq!(code(model.names(up, true)), 9003);
}

#[test]
fn names_of_objects() {
    // T-GPN-003, T-GPN-004, T-GPN-005, T-GPN-007
    let (mut model, _) = router();
    let all: Vec<String> = names(&mut model, "Device.DeviceInfo.", false)
        .into_iter()
        .map(|n| n.0)
        .collect();
    assert_eq!(all[0], "Device.DeviceInfo.");
    assert_eq!(all.len(), 5);
    let next: Vec<String> = names(&mut model, "Device.DeviceInfo.", true)
        .into_iter()
        .map(|n| n.0)
        .collect();
    assert_eq!(next, all[1..]);
    assert_eq!(names(&mut model, "", true), [("Device.".to_owned(), false)]);
    let top: Vec<String> = names(&mut model, "Device.", true)
        .into_iter()
        .map(|n| n.0)
        .collect();
    assert!(top.contains(&"Device.NAT.".to_owned()) && !top.contains(&"Device.".to_owned()));
    assert!(
        top.iter()
            .all(|n| n.trim_end_matches('.').matches('.').count() == 1)
    );
    assert!(names(&mut model, "", false).contains(&("Device.".to_owned(), false)));
}

#[test]
fn unknown_names_are_refused() {
    // T-GPN-008, T-GPN-009
    let (mut model, _) = router();
    assert_eq!(code(model.names("Device.Nope.", false)), 9005);
    assert_eq!(code(model.names("Device.DeviceInfo", true)), 9005);
}

#[test]
fn writable_says_what_is_allowed() {
    // T-GPN-010, T-GPN-011, T-GPN-012
    let (mut model, _) = router();
    let all = names(&mut model, "", false);
    let writable = |path: &str| all.iter().find(|n| n.0 == path).unwrap().1;
    assert!(writable("Device.NAT.PortMapping."));
    assert!(writable("Device.NAT.PortMapping.1."));
    assert!(!writable("Device.NAT."));
    assert!(!writable("Device.Hosts.Host."));
    assert!(!writable("Device.IP.Interface.1."));
    assert_eq!(
        names(&mut model, "Device.NAT.PortMapping.", true),
        [
            ("Device.NAT.PortMapping.1.".to_owned(), true),
            ("Device.NAT.PortMapping.2.".to_owned(), true),
        ]
    );
    for (path, writable) in all.iter().filter(|n| !n.0.ends_with('.')) {
        model.begin();
        // A value that no type takes: the only question is whether the name may be set.
        let refused = model.set(&[item(path, "\u{1}")], Some("k"));
        let not_writable = matches!(&refused, Err(cwmp_agent::model::SetError::Parameters(f)) if f[0].code == 9008);
        assert_eq!(not_writable, !writable, "{path}");
    }
}

#[test]
fn a_visitor_can_stop() {
    let (mut model, _) = router();
    let mut seen = 0;
    let stopped = model.visit(&["Device."], &mut |_| {
        seen += 1;
        if seen == 3 {
            Err(Fault::new(9004, "full"))
        } else {
            Ok(())
        }
    });
    assert_eq!((code(stopped), seen), (9004, 3));
}

#[test]
fn reading_again_writes_nothing() {
    let (mut model, world) = router();
    model.get(&[""]).unwrap();
    let commits = world.lock().unwrap().commits.len();
    assert_eq!(commits, 1, "the new instance numbers");
    for _ in 0..3 {
        model.begin();
        model.get(&[""]).unwrap();
        model.names("", false).unwrap();
    }
    assert_eq!(world.lock().unwrap().commits.len(), commits);
    // Where the numbers cannot be written, they serve all the same.
    let world = model_support::world(ROUTER);
    world.lock().unwrap().journal_fails = true;
    let mut model = model_with(SCHEMA, &world, Limits::default());
    assert_eq!(
        value(&mut model, "Device.NAT.PortMapping.2.ExternalPort"),
        "443"
    );
    assert_eq!(model.troubles().len(), 1);
    world.lock().unwrap().journal_fails = false;
    value(&mut model, "Device.Time.Enable");
    assert!(model.troubles().is_empty());
    assert_eq!(world.lock().unwrap().commits.len(), 1);
}

#[test]
fn ten_thousand_rows_are_read_in_linear_time() {
    let keys: Vec<String> = (0..10_000).map(|i| format!("\"n{i}\"")).collect();
    let schema = format!(
        r#"
["Device.Hosts.Host."]
Count = {{ type = "unsignedInt", constant = "1" }}
["Device.Big.Table.{{i}}."]
rows  = {{ fixed = [{}] }}
Alias = {{ type = "Alias", access = "rw", alias = true }}
Name  = {{ type = "string", constant = "{{row}}" }}
Peer  = {{ type = "string", access = "rw", memory = "peer{{row}}", reference = "Device.Big.Table." }}
"#,
        keys.join(", ")
    );
    let world = world("");
    let mut model = model_with(&schema, &world, Limits::default());
    let mut count = 0;
    model
        .visit(&["Device.Big.Table."], &mut |_| {
            count += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(count, 30_000);
    assert_eq!(value(&mut model, "Device.Big.Table.10000.Name"), "n9999");
    let peer = ("Device.Big.Table.1.Peer", "Device.Big.Table.9999");
    set(&mut model, &[peer], Some("k")).unwrap();
    assert_eq!(value(&mut model, peer.0), peer.1);
    let limits = Limits {
        rows: 10,
        ..Limits::default()
    };
    let mut small = model_with(&schema, &world, limits);
    assert_eq!(small.get(&["Device.Big.Table."]).unwrap().len(), 30);
    let troubles = small.troubles();
    assert!(
        troubles
            .iter()
            .any(|t| t.what.contains("more than 10 rows"))
    );
}

#[test]
fn constants_are_shown_in_the_one_form_of_their_type() {
    let schema = r#"
["Device.A."]
Yes   = { type = "boolean", constant = "1" }
No    = { type = "boolean", constant = "false" }
Count = { type = "unsignedInt", constant = "007" }
Long  = { type = "unsignedLong", constant = "18446744073709551615" }
When  = { type = "dateTime", constant = "0001-01-01T00:00:00Z" }
Bytes = { type = "hexBinary", constant = "0aff" }
Many  = { type = "unsignedInt", list = true, constant = " 1, 2" }
Brace = { type = "string", constant = "a{b" }
["Device.B.{i}."]
rows  = { fixed = ["17", "x"] }
Row   = { type = "string", constant = "{row}" }
Text  = { type = "string", constant = "row {row}." }
Count = { type = "unsignedInt", constant = "{row}" }
"#;
    let mut model = model_with(schema, &world(""), Limits::default());
    for (path, want) in [
        ("Device.A.Yes", "true"),
        ("Device.A.No", "false"),
        ("Device.A.Count", "7"),
        ("Device.A.Long", "18446744073709551615"),
        ("Device.A.When", "0001-01-01T00:00:00Z"),
        ("Device.A.Bytes", "0AFF"),
        ("Device.A.Many", "1,2"),
        ("Device.A.Brace", "a{b"),
        ("Device.B.1.Row", "17"),
        ("Device.B.1.Text", "row 17."),
        ("Device.B.1.Count", "17"),
        ("Device.B.2.Row", "x"),
    ] {
        assert_eq!(value(&mut model, path), want, "{path}");
    }
    assert_eq!(code(model.get(&["Device.B.2.Count"])), 9002);
    // What cannot be shown is left out below a partial path.
    assert_eq!(
        paths(model.get(&["Device.B.2."])),
        ["Device.B.2.Row", "Device.B.2.Text"]
    );
}

#[test]
fn lists_of_addresses_hold_nothing_else() {
    let schema = r#"
["Device.A."]
Servers = { type = "IPv4Address", list = true, uci = "a.@a[0].servers" }
"#;
    for (kept, want) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1,192.0.2.2", "192.0.2.1,192.0.2.2"),
        ("192.0.2.1,", "192.0.2.1"),
        ("192.0.2.1,dns.example", "192.0.2.1"),
        ("dns.example", ""),
        ("192.0.2.1,,192.0.2.2", "192.0.2.1,192.0.2.2"),
    ] {
        let world = world(&format!("a a - servers={kept}"));
        let mut model = model_with(schema, &world, Limits::default());
        assert_eq!(value(&mut model, "Device.A.Servers"), want, "{kept}");
    }
}
