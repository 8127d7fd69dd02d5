//! SetParameterValues over all sources: all or nothing, every fault named.

mod model_support;

use cwmp_agent::model::source::Raw;
use cwmp_agent::model::{SetError, SetItem};
use model_support::*;

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

#[test]
fn one_parameter_is_set_read_back_and_keyed() {
    // T-SPV-001
    let (mut model, world) = router();
    let outcome = set(&mut model, &[(INTERVAL, "300")], Some("key1")).unwrap();
    assert_eq!(outcome.changed, [INTERVAL]);
    assert_eq!(outcome.reload, ["cwmp"]);
    assert_eq!(value(&mut model, INTERVAL), "300");
    assert_eq!(
        value(&mut model, "Device.ManagementServer.ParameterKey"),
        "key1"
    );
    assert_eq!(
        option(&world, "cwmp", 0, "periodic_inform_interval"),
        Some(Raw::Text("300".into()))
    );
    // File and key went through the journal in one piece.
    let world = world.lock().unwrap();
    let files: Vec<_> = world
        .commits
        .last()
        .unwrap()
        .iter()
        .map(|f| f.path.display().to_string())
        .collect();
    assert_eq!(files, ["/etc/config/cwmp", "/state/parameter_key.json"]);
    drop(world);
}

#[test]
fn many_parameters_change_together() {
    // T-SPV-002
    let (mut model, _) = router();
    let items = [
        (INTERVAL, "301"),
        ("Device.DeviceInfo.HostName", "router"),
        ("Device.Time.Enable", "0"),
        ("Device.Time.Mode", "Fast"),
        ("Device.NAT.PortMapping.1.Protocol", "UDP"),
        ("Device.WiFi.Radio.1.Channel", "40"),
    ];
    let outcome = set(&mut model, &items, Some("k")).unwrap();
    assert_eq!(outcome.reload, ["cwmp", "firewall", "system", "wireless"]);
    for (path, want) in items {
        let want = if want == "0" { "false" } else { want };
        assert_eq!(value(&mut model, path), want, "{path}");
    }
}

#[test]
fn one_bad_value_leaves_everything_as_it_was() {
    // T-SPV-003
    let (mut model, world) = router();
    let before = world.lock().unwrap().packages.clone();
    let items = [
        (INTERVAL, "300"),
        ("Device.DeviceInfo.HostName", "x"),
        ("Device.Time.Offset", "13"),
    ];
    assert_eq!(
        faults(set(&mut model, &items, Some("new"))),
        [("Device.Time.Offset".to_owned(), 9007)]
    );
    assert_eq!(world.lock().unwrap().packages, before);
    assert_eq!(model.parameter_key(), "");
}

#[test]
fn every_fault_is_named() {
    // T-SPV-004, T-SPV-007, T-SPV-008
    let (mut model, _) = router();
    let typed = |path, ty, value| SetItem { path, ty, value };
    let items = [
        item("Device.Nope", "1"),
        item("Device.DeviceInfo.UpTime", "0"),
        typed(INTERVAL, Some("string"), "5"),
        item("Device.Time.Mode", "fast"),
        item("Device.Time.", "1"),
        item("Device.NAT.PortMapping.9.Enable", "1"),
        item("Device.NAT.PortMapping.*.Enable", "1"),
        item("Device.Time", "1"),
        item("Device.DeviceInfo.HostName", "fine"),
    ];
    let codes: Vec<u16> = faults(model.set(&items, Some("k")))
        .into_iter()
        .map(|f| f.1)
        .collect();
    assert_eq!(codes, [9005, 9008, 9006, 9007, 9005, 9005, 9005, 9005]);
}

#[test]
fn the_same_parameter_twice_is_refused_as_a_whole() {
    // T-SPV-005
    let (mut model, _) = router();
    match set(&mut model, &[(INTERVAL, "1"), (INTERVAL, "2")], Some("k")) {
        Err(SetError::Whole(fault)) => assert_eq!(fault.code, 9003),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_list_sets_the_key_alone() {
    // T-SPV-006, T-SPV-023
    let (mut model, world) = router();
    let key = "k".repeat(32);
    model.set(&[], Some(&key)).unwrap();
    assert_eq!(model.parameter_key(), key);
    assert_eq!(world.lock().unwrap().commits.len(), 1);
    match model.set(&[], Some(&"k".repeat(33))) {
        Err(SetError::Whole(fault)) => assert_eq!(fault.code, 9003),
        other => panic!("{other:?}"),
    }
    assert_eq!(model.parameter_key(), key);
    assert_eq!(reboot(&world).parameter_key(), key);
}

#[test]
fn the_type_sent_must_be_the_models() {
    // T-SPV-009
    let (mut model, _) = router();
    for (ty, ok) in [
        (Some("unsignedInt"), true),
        (None, true),
        (Some("int"), false),
        (Some("string"), false),
        (Some("nonsense"), false),
    ] {
        let result = model.set(
            &[SetItem {
                path: INTERVAL,
                ty,
                value: "77",
            }],
            Some("k"),
        );
        assert_eq!(result.is_ok(), ok, "{ty:?}");
        if !ok {
            assert_eq!(faults(result)[0].1, 9006);
        }
    }
    // A list is a string on the wire.
    let servers = SetItem {
        path: "Device.Time.Servers",
        ty: Some("string"),
        value: "a,b",
    };
    assert!(model.set(&[servers], Some("k")).is_ok());
}

#[test]
fn booleans_in_all_forms_read_back_in_one() {
    // T-SPV-010
    let (mut model, _) = router();
    let path = "Device.ManagementServer.PeriodicInformEnable";
    for (text, want) in [
        ("0", "false"),
        ("1", "true"),
        ("false", "false"),
        ("true", "true"),
    ] {
        set(&mut model, &[(path, text)], Some("k")).unwrap();
        assert_eq!(value(&mut model, path), want);
    }
    for text in ["TRUE", "yes", ""] {
        assert_eq!(
            faults(set(&mut model, &[(path, text)], Some("k")))[0].1,
            9007,
            "{text}"
        );
    }
}

#[test]
fn numbers_are_bounded_and_canonical() {
    // T-SPV-011
    let (mut model, _) = router();
    let path = "Device.Time.Offset";
    for (text, want) in [
        ("-12", "-12"),
        ("12", "12"),
        ("+5", "5"),
        ("007", "7"),
        ("-0", "0"),
    ] {
        set(&mut model, &[(path, text)], Some("k")).unwrap();
        assert_eq!(value(&mut model, path), want);
    }
    for text in ["-13", "13", "1.0", "x", ""] {
        assert_eq!(
            faults(set(&mut model, &[(path, text)], Some("k")))[0].1,
            9007,
            "{text}"
        );
    }
}

#[test]
fn lengths_count_characters_not_bytes() {
    // T-SPV-012
    let (mut model, _) = router();
    let path = "Device.DeviceInfo.HostName";
    let fits = "ü".repeat(256);
    set(&mut model, &[(path, &fits)], Some("k")).unwrap();
    assert_eq!(value(&mut model, path), fits);
    assert_eq!(
        faults(set(&mut model, &[(path, &"ü".repeat(257))], Some("k")))[0].1,
        9007
    );
}

#[test]
fn times_are_kept_in_utc() {
    // T-SPV-014
    let (mut model, _) = router();
    let path = "Device.ManagementServer.PeriodicInformTime";
    for (text, want) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12Z"),
    ] {
        set(&mut model, &[(path, text)], Some("k")).unwrap();
        assert_eq!(value(&mut model, path), want);
    }
    assert_eq!(
        faults(set(&mut model, &[(path, "2026-01-02T03:04:05")], Some("k")))[0].1,
        9007
    );
}

#[test]
fn values_are_stored_exactly() {
    // T-SPV-015
    let (mut model, world) = router();
    let path = "Device.DeviceInfo.HostName";
    for text in [
        "<&\"'>",
        "$(reboot)",
        "a\\b",
        "two\nlines",
        " spaces ",
        "日本語 ☂",
    ] {
        set(&mut model, &[(path, text)], Some("k")).unwrap();
        assert_eq!(value(&mut model, path), text);
        assert_eq!(
            option(&world, "system", 0, "hostname"),
            Some(Raw::Text(text.into()))
        );
    }
}

#[test]
fn pairs_are_checked_as_the_set_leaves_them() {
    // T-SPV-016, T-SPV-017, T-SPV-018
    let (mut model, _) = router();
    let (min, max) = (
        "Device.DHCPv4.Server.Pool.1.MinAddress",
        "Device.DHCPv4.Server.Pool.1.MaxAddress",
    );
    set(&mut model, &[(min, "200"), (max, "250")], Some("k")).unwrap();
    set(&mut model, &[(max, "20"), (min, "10")], Some("k")).unwrap();
    let both: Vec<u16> = faults(set(&mut model, &[(min, "30"), (max, "25")], Some("k")))
        .iter()
        .map(|f| f.1)
        .collect();
    assert_eq!(both, [9007, 9007]);
    assert_eq!(
        faults(set(&mut model, &[(min, "21")], Some("k"))),
        [(min.to_owned(), 9007)]
    );
    assert_eq!(value(&mut model, min), "10");
    // Zero means that there is no such bound.
    set(
        &mut model,
        &[("Device.NAT.PortMapping.1.ExternalPortEndRange", "0")],
        Some("k"),
    )
    .unwrap();
}

#[test]
fn the_same_value_is_a_success_that_writes_nothing() {
    // T-SPV-019
    let (mut model, world) = router();
    model.names("", false).unwrap();
    set(&mut model, &[], Some("k")).unwrap();
    let before = world.lock().unwrap().commits.len();
    let items = [
        (INTERVAL, "3600"),
        ("Device.Time.Enable", "1"),
        ("Device.ManagementServer.PeriodicInformEnable", "true"),
        ("Device.ManagementServer.Password", "s3cret"),
        ("Device.NAT.PortMapping.1.Alias", "cpe-1"),
        ("Device.Time.Servers", "0.pool,1.pool"),
        ("Device.Time.Reset", "false"),
    ];
    let outcome = set(&mut model, &items, Some("k")).unwrap();
    assert_eq!(outcome, Default::default());
    assert_eq!(world.lock().unwrap().commits.len(), before);
}

#[test]
fn a_lan_side_change_keeps_the_key() {
    let (mut model, _) = router();
    set(&mut model, &[], Some("acs")).unwrap();
    set(&mut model, &[(INTERVAL, "900")], None).unwrap();
    assert_eq!(model.parameter_key(), "acs");
}

#[test]
fn hidden_values_are_set_and_read_empty() {
    // T-SPV-024, T-GPV-012
    let (mut model, world) = router();
    let path = "Device.ManagementServer.Password";
    set(&mut model, &[(path, "n3w")], Some("k")).unwrap();
    assert_eq!(value(&mut model, path), "");
    assert_eq!(
        option(&world, "cwmp", 0, "password"),
        Some(Raw::Text("n3w".into()))
    );
}

#[test]
fn a_command_reads_its_documented_value() {
    // SPV-014
    let (mut model, _) = router();
    let outcome = set(&mut model, &[("Device.Time.Reset", "true")], Some("k")).unwrap();
    assert_eq!(outcome.changed, ["Device.Time.Reset"]);
    assert_eq!(value(&mut model, "Device.Time.Reset"), "false");
}

#[test]
fn a_failing_journal_changes_nothing() {
    // T-SPV-025
    let (mut model, world) = router();
    model.names("", false).unwrap();
    let before = world.lock().unwrap().packages.clone();
    world.lock().unwrap().journal_fails = true;
    let items = [(INTERVAL, "300"), ("Device.NAT.PortMapping.1.Alias", "web")];
    match set(&mut model, &items, Some("new")) {
        Err(SetError::Whole(fault)) => assert_eq!(fault.code, 9002),
        other => panic!("{other:?}"),
    }
    assert_eq!(model.troubles().len(), 1);
    world.lock().unwrap().journal_fails = false;
    assert_eq!(world.lock().unwrap().packages, before);
    assert_eq!(value(&mut model, INTERVAL), "3600");
    assert_eq!(value(&mut model, "Device.NAT.PortMapping.1.Alias"), "cpe-1");
    assert_eq!(model.parameter_key(), "");
    set(&mut model, &items, Some("new")).unwrap();
    assert!(model.troubles().is_empty());
    world.lock().unwrap().prepare_fails = true;
    assert!(set(&mut model, &[(INTERVAL, "301")], Some("k")).is_err());
    assert_eq!(value(&mut model, INTERVAL), "300");
}

#[test]
fn sources_refuse_values_and_fullness_in_their_own_way() {
    let (mut model, world) = router();
    let items = [(INTERVAL, "300"), ("Device.DeviceInfo.HostName", "a\0b")];
    assert_eq!(
        faults(set(&mut model, &items, Some("k"))),
        [("Device.DeviceInfo.HostName".to_owned(), 9007)]
    );
    assert_eq!(value(&mut model, INTERVAL), "3600");
    world.lock().unwrap().full_option = Some("hostname".to_owned());
    match set(
        &mut model,
        &[(INTERVAL, "300"), ("Device.DeviceInfo.HostName", "b")],
        Some("k"),
    ) {
        Err(SetError::Whole(fault)) => assert_eq!(fault.code, 9004),
        other => panic!("{other:?}"),
    }
    world.lock().unwrap().broken.insert("system".to_owned());
    assert_eq!(
        faults(set(
            &mut model,
            &[("Device.DeviceInfo.HostName", "c")],
            Some("k")
        ))[0]
            .1,
        9002
    );
    assert_eq!(value(&mut model, INTERVAL), "3600");
}

#[test]
fn lists_and_references_become_what_the_source_keeps() {
    let (mut model, world) = router();
    let servers = "Device.Time.Servers";
    set(&mut model, &[(servers, " a.example , b%2Cc ")], Some("k")).unwrap();
    assert_eq!(value(&mut model, servers), "a.example,b%2Cc");
    assert_eq!(
        option(&world, "system", 1, "server"),
        Some(Raw::List(vec!["a.example".into(), "b,c".into()]))
    );
    set(&mut model, &[(servers, "")], Some("k")).unwrap();
    assert_eq!(option(&world, "system", 1, "server"), None);
    assert_eq!(value(&mut model, servers), "");
    let iface = "Device.NAT.PortMapping.1.Interface";
    set(&mut model, &[(iface, "Device.IP.Interface.2")], Some("k")).unwrap();
    assert_eq!(
        option(&world, "firewall", 0, "iface"),
        Some(Raw::Text("wan".into()))
    );
    assert_eq!(value(&mut model, iface), "Device.IP.Interface.2");
    for bad in [
        "Device.IP.Interface.2.",
        "Device.IP.Interface.9",
        "Device.IP.Interface.02",
        "wan",
    ] {
        assert_eq!(
            faults(set(&mut model, &[(iface, bad)], Some("k")))[0].1,
            9007,
            "{bad}"
        );
    }
    set(&mut model, &[(iface, "")], Some("k")).unwrap();
    assert_eq!(option(&world, "firewall", 0, "iface"), None);
}

#[test]
fn a_value_that_cannot_be_empty_there_is_refused() {
    // Nothing in UCI means the default, so "" would read back as something else.
    let (mut model, _) = router();
    set(
        &mut model,
        &[("Device.NAT.PortMapping.1.Description", "x")],
        Some("k"),
    )
    .unwrap();
    set(
        &mut model,
        &[("Device.NAT.PortMapping.1.Description", "")],
        Some("k"),
    )
    .unwrap();
    assert_eq!(
        value(&mut model, "Device.NAT.PortMapping.1.Description"),
        ""
    );
}

#[test]
fn unique_keys_hold_among_enabled_rows() {
    // T-OBJ-016
    let (mut model, _) = router();
    let second = "Device.NAT.PortMapping.2.ExternalPort";
    assert_eq!(
        faults(set(&mut model, &[(second, "80")], Some("k"))),
        [(second.to_owned(), 9007)]
    );
    let off = "Device.NAT.PortMapping.2.Enable";
    set(&mut model, &[(second, "80"), (off, "0")], Some("k")).unwrap();
    assert_eq!(
        faults(set(&mut model, &[(off, "1")], Some("k"))),
        [(off.to_owned(), 9007)]
    );
    // Exchanging the two in one request is fine.
    set(&mut model, &[(second, "443"), (off, "1")], Some("k")).unwrap();
    set(
        &mut model,
        &[
            ("Device.NAT.PortMapping.1.ExternalPort", "443"),
            (second, "80"),
        ],
        Some("k"),
    )
    .unwrap();
}

#[test]
fn aliases_are_checked_kept_and_unique() {
    // T-ALI-003, T-ALI-007, T-ALI-008
    let (mut model, world) = router();
    let (one, two) = (
        "Device.NAT.PortMapping.1.Alias",
        "Device.NAT.PortMapping.2.Alias",
    );
    assert_eq!(value(&mut model, one), "cpe-1");
    set(&mut model, &[(one, "web")], Some("k")).unwrap();
    for bad in ["", "1web", "web", "cpe-1", "cpe-77", "a b"] {
        assert_eq!(
            faults(set(&mut model, &[(two, bad)], Some("k")))[0].1,
            9007,
            "{bad}"
        );
    }
    let mut model = reboot(&world);
    assert_eq!(value(&mut model, one), "web");
    assert_eq!(value(&mut model, two), "cpe-2");
}
