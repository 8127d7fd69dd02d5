//! AddObject, DeleteObject, instance numbers, attributes, what is kept over a reboot.

mod model_support;

use cwmp_agent::model::source::Raw;
use cwmp_agent::model::{AttributeItem, Fault, Limits, Model, Watched};
use model_support::*;

const TABLE: &str = "Device.NAT.PortMapping.";

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> u16 {
    result.unwrap_err().code
}

fn add(model: &mut Model) -> u32 {
    model.begin();
    model.add(TABLE, Some("k")).unwrap().0
}

fn ports(model: &mut Model) -> Vec<(String, String)> {
    model.begin();
    let entries = model.get(&[TABLE]).unwrap();
    entries
        .into_iter()
        .filter(|e| e.path.ends_with(".ExternalPort"))
        .map(|e| {
            (
                e.path
                    .trim_start_matches(TABLE)
                    .split('.')
                    .next()
                    .unwrap()
                    .to_owned(),
                e.value,
            )
        })
        .collect()
}

#[test]
fn a_row_is_added_with_defaults_and_off() {
    // T-OBJ-001, T-OBJ-002, T-OBJ-017
    let (mut model, world) = router();
    let (number, reload) = model.add(TABLE, Some("added")).unwrap();
    assert_eq!((number, reload), (3, vec!["firewall".to_owned()]));
    assert_eq!(model.parameter_key(), "added");
    assert_eq!(
        value(&mut model, "Device.NAT.PortMappingNumberOfEntries"),
        "3"
    );
    for (name, want) in [
        ("Enable", "false"),
        ("Alias", "cpe-3"),
        ("ExternalPort", "0"),
        ("Description", ""),
    ] {
        assert_eq!(
            value(&mut model, &format!("{TABLE}3.{name}")),
            want,
            "{name}"
        );
    }
    // File, numbers and key in one commit.
    let world = world.lock().unwrap();
    assert_eq!(world.commits.last().unwrap().len(), 3);
}

#[test]
fn rows_are_added_to_writable_tables_only() {
    // T-OBJ-003, T-OBJ-004, T-OBJ-005, T-OBJ-014, T-WLD-001
    let (mut model, _) = router();
    for path in [
        "Device.NAT.PortMapping",
        "Device.Hosts.Host.",
        "Device.WiFi.Radio.9.Ssid.",
        "Device.NAT.",
        "",
        "Device.NAT.PortMapping.1.",
        "Device.NAT.PortMapping.*.",
        "Device.NAT.PortMapping.[web].",
        "Device.Nope.",
    ] {
        assert_eq!(code(model.add(path, Some("new"))), 9005, "{path}");
    }
    assert_eq!(code(model.add(TABLE, Some(&"k".repeat(33)))), 9003);
    assert_eq!(model.parameter_key(), "");
}

#[test]
fn a_full_table_is_9004() {
    // T-OBJ-006
    let (mut model, _) = router();
    for _ in 0..3 {
        add(&mut model);
    }
    model.begin();
    assert_eq!(code(model.add(TABLE, Some("full"))), 9004);
    assert_eq!(model.parameter_key(), "k");
}

#[test]
fn a_deleted_row_is_gone_once() {
    // T-OBJ-007, T-OBJ-008, T-OBJ-009
    let (mut model, world) = router();
    model.names("", false).unwrap();
    assert_eq!(
        model
            .delete("Device.NAT.PortMapping.1.", Some("del"))
            .unwrap(),
        ["firewall"]
    );
    assert_eq!(model.parameter_key(), "del");
    assert_eq!(
        value(&mut model, "Device.NAT.PortMappingNumberOfEntries"),
        "1"
    );
    assert_eq!(world.lock().unwrap().packages["firewall"].len(), 2);
    for path in [
        "Device.NAT.PortMapping.1.",
        TABLE,
        "Device.NAT.PortMapping.2",
        "Device.NAT.PortMapping.2.Enable",
        "Device.IP.Interface.1.",
        "Device.NAT.",
        "",
        "Device.NAT.PortMapping.*.",
    ] {
        model.begin();
        assert_eq!(code(model.delete(path, Some("x"))), 9005, "{path}");
    }
    assert_eq!(model.parameter_key(), "del");
}

#[test]
fn children_and_references_go_with_their_row() {
    // T-OBJ-010, T-OBJ-015
    let (mut model, world) = router();
    let other = model_support::world(
        "wireless wifi-iface own ssid=Own device=radio0\nfirewall redirect - target=X",
    );
    let more = other.lock().unwrap().packages["wireless"].clone();
    world
        .lock()
        .unwrap()
        .packages
        .get_mut("wireless")
        .unwrap()
        .extend(more);
    assert_eq!(
        value(&mut model, "Device.WiFi.SSID.2.LowerLayers"),
        "Device.WiFi.Radio.1"
    );
    model.begin();
    assert_eq!(
        value(&mut model, "Device.WiFi.Radio.1.SsidNumberOfEntries"),
        "2"
    );
    // Sections of the inner table go with the radio; those are the rows of SSID, too.
    model.delete("Device.WiFi.Radio.1.", Some("k")).unwrap();
    assert!(world.lock().unwrap().packages["wireless"].is_empty());
    assert_eq!(value(&mut model, "Device.WiFi.SSIDNumberOfEntries"), "0");
}

#[test]
fn a_reference_to_a_deleted_row_becomes_empty() {
    // T-OBJ-015
    let schema = r#"
["Device.A.{i}."]
rows = { uci = "a", type = "a" }
access = "rw"
Name = { type = "string", uci = "a.{row}.name" }
["Device.B.{i}."]
rows = { uci = "b", type = "b" }
One  = { type = "string", access = "rw", uci = "b.{row}.one", reference = "Device.A." }
Many = { type = "string", list = true, access = "rw", uci = "b.{row}.many", reference = "Device.A." }
"#;
    let world = world("a a x name=1\na a y name=2\nb b z one=x many+=x|y\nb b w one=y many+=x");
    let mut model = model_with(schema, &world, Limits::default());
    assert_eq!(
        value(&mut model, "Device.B.1.Many"),
        "Device.A.1,Device.A.2"
    );
    model.begin();
    assert_eq!(model.delete("Device.A.1.", Some("k")).unwrap(), ["a", "b"]);
    assert_eq!(value(&mut model, "Device.B.1.One"), "");
    assert_eq!(value(&mut model, "Device.B.1.Many"), "Device.A.2");
    assert_eq!(value(&mut model, "Device.B.2.One"), "Device.A.2");
    assert_eq!(option(&world, "b", 0, "one"), None);
    assert_eq!(
        option(&world, "b", 0, "many"),
        Some(Raw::List(vec!["y".into()]))
    );
    assert_eq!(option(&world, "b", 1, "many"), None);
}

#[test]
fn numbers_are_never_given_again() {
    // T-OBJ-011, T-OBJ-012
    let (mut model, world) = router();
    assert_eq!((add(&mut model), add(&mut model)), (3, 4));
    model
        .delete("Device.NAT.PortMapping.4.", Some("k"))
        .unwrap();
    assert_eq!(add(&mut model), 5);
    let before = ports(&mut model);
    let mut model = reboot(&world);
    assert_eq!(ports(&mut model), before);
    model
        .delete("Device.NAT.PortMapping.5.", Some("k"))
        .unwrap();
    let mut model = reboot(&world);
    assert_eq!(add(&mut model), 6);
}

#[test]
fn numbers_stay_when_others_edit_the_file() {
    // T-OBJ-013
    let (mut model, world) = router();
    model_support::world(
        "firewall redirect - target=DNAT src_dport=8080 proto=udp enabled=1 src=lan",
    )
    .lock()
    .unwrap()
    .packages["firewall"]
        .iter()
        .for_each(|s| {
            world
                .lock()
                .unwrap()
                .packages
                .get_mut("firewall")
                .unwrap()
                .push(s.clone())
        });
    let pair = |n: &str, port: &str| (n.to_owned(), port.to_owned());
    assert_eq!(
        ports(&mut model),
        [pair("1", "80"), pair("2", "443"), pair("3", "8080")]
    );
    // Reordered, one anonymous section edited, a named one removed.
    {
        let mut world = world.lock().unwrap();
        let sections = world.packages.get_mut("firewall").unwrap();
        sections.reverse();
        sections.retain(|s| s.name.as_deref() != Some("web"));
        let https = sections
            .iter_mut()
            .find(|s| s.options.get("src_dport") == Some(&Raw::Text("443".into())))
            .unwrap();
        https
            .options
            .insert("src_dport".into(), Raw::Text("8443".into()));
    }
    assert_eq!(ports(&mut model), [pair("2", "8443"), pair("3", "8080")]);
    // Our own write names the anonymous sections; the numbers go along, after a reboot, too.
    set(
        &mut model,
        &[("Device.NAT.PortMapping.3.Enable", "0")],
        Some("k"),
    )
    .unwrap();
    assert!(
        world.lock().unwrap().packages["firewall"]
            .iter()
            .all(|s| s.name.is_some())
    );
    assert_eq!(ports(&mut model), [pair("2", "8443"), pair("3", "8080")]);
    let mut model = reboot(&world);
    assert_eq!(ports(&mut model), [pair("2", "8443"), pair("3", "8080")]);
}

#[test]
fn numbers_follow_an_edit_between_reboot_and_set() {
    let (mut model, world) = router();
    model.get(&[TABLE]).unwrap();
    {
        let mut world = world.lock().unwrap();
        let sections = world.packages.get_mut("firewall").unwrap();
        sections[1]
            .options
            .insert("src_dport".into(), Raw::Text("8443".into()));
    }
    // The Set does not touch the edited row itself, but its file is written and it is named.
    let mut model = reboot(&world);
    set(
        &mut model,
        &[("Device.NAT.PortMapping.1.Enable", "0")],
        Some("k"),
    )
    .unwrap();
    assert_eq!(
        value(&mut model, "Device.NAT.PortMapping.2.ExternalPort"),
        "8443"
    );
}

#[test]
fn a_failed_add_or_delete_changes_nothing() {
    // T-OBJ-014, OBJ-007
    let (mut model, world) = router();
    let before = ports(&mut model);
    world.lock().unwrap().journal_fails = true;
    assert_eq!(code(model.add(TABLE, Some("x"))), 9002);
    model.begin();
    assert_eq!(
        code(model.delete("Device.NAT.PortMapping.1.", Some("x"))),
        9002
    );
    world.lock().unwrap().journal_fails = false;
    assert_eq!(ports(&mut model), before);
    assert_eq!(model.parameter_key(), "");
    assert_eq!(add(&mut model), 3);
}

fn notify(path: &str, level: i64) -> AttributeItem {
    AttributeItem {
        path: path.to_owned(),
        notification: Some(level),
        access: None,
    }
}

fn level(model: &mut Model, path: &str) -> u8 {
    model.begin();
    model.attributes(&[path]).unwrap()[0].notification
}

const HOST: &str = "Device.DeviceInfo.HostName";

#[test]
fn attributes_are_set_read_and_kept() {
    // T-ATT-001, T-ATT-005, T-ATT-009, T-ATT-015
    let (mut model, world) = router();
    model.set_attributes(&[notify(HOST, 1)], false).unwrap();
    assert_eq!(level(&mut model, HOST), 1);
    let unchanged = AttributeItem {
        path: HOST.to_owned(),
        notification: None,
        access: None,
    };
    let commits = world.lock().unwrap().commits.len();
    model.set_attributes(&[unchanged], false).unwrap();
    assert_eq!(level(&mut model, HOST), 1);
    assert_eq!(
        world.lock().unwrap().commits.len(),
        commits,
        "nothing changed, nothing written"
    );
    model
        .set_attributes(&[notify(HOST, 1), notify(HOST, 2)], false)
        .unwrap();
    let mut model = reboot(&world);
    assert_eq!(level(&mut model, HOST), 2);
    assert_eq!(model.parameter_key(), "");
}

#[test]
fn partial_paths_reach_what_exists_now() {
    // T-ATT-007, T-ATT-018
    let (mut model, _) = router();
    model.set_attributes(&[notify(TABLE, 1)], false).unwrap();
    let all = model.attributes(&[TABLE]).unwrap();
    assert!(all.len() >= 14 && all.iter().all(|a| a.notification == 1));
    add(&mut model);
    assert_eq!(level(&mut model, "Device.NAT.PortMapping.3.Enable"), 0);
}

#[test]
fn wrong_attributes_change_nothing() {
    // T-ATT-008, T-ATT-013, T-ATT-014, T-ATT-019, T-ATT-020
    let (mut model, world) = router();
    for (item, lightweight, want) in [
        (notify("Device.Foo", 1), true, 9005),
        (notify(HOST, 7), true, 9003),
        (notify(HOST, -1), true, 9003),
        (notify(HOST, 3), false, 9003),
        (notify(HOST, 6), true, 9009),
    ] {
        model.begin();
        let first = notify("Device.Time.Enable", 2);
        assert_eq!(
            code(model.set_attributes(&[first, item.clone()], lightweight)),
            want,
            "{item:?}"
        );
    }
    assert_eq!(level(&mut model, "Device.Time.Enable"), 0);
    assert!(!world.lock().unwrap().state.contains_key("attributes.json"));
    assert_eq!(code(model.attributes(&["Device.Foo"])), 9005);
    assert_eq!(code(model.attributes(&[HOST, "Device.Foo."])), 9005);
}

#[test]
fn forced_default_and_deniable_notification() {
    // T-ATT-010, T-ATT-011, T-ATT-012
    let (mut model, _) = router();
    let (forced, active, deny) = (
        "Device.DeviceInfo.SoftwareVersion",
        "Device.ManagementServer.ConnectionRequestURL",
        "Device.DeviceInfo.UpTime",
    );
    assert_eq!(
        (
            level(&mut model, forced),
            level(&mut model, active),
            level(&mut model, deny)
        ),
        (2, 2, 0)
    );
    model
        .set_attributes(
            &[notify(forced, 0), notify(active, 0), notify(deny, 2)],
            false,
        )
        .unwrap();
    assert_eq!(
        (
            level(&mut model, forced),
            level(&mut model, active),
            level(&mut model, deny)
        ),
        (2, 0, 2)
    );
    let watched = model.notifying();
    let want = |path: &str, level| Watched {
        path: path.to_owned(),
        level,
    };
    assert_eq!(watched, [want(forced, 2), want(deny, 2)]);
}

#[test]
fn access_lists_bind_the_lan_side() {
    // T-ATT-006
    let (mut model, _) = router();
    assert_eq!(model.attributes(&[HOST]).unwrap()[0].access, ["Subscriber"]);
    let list = |entities: &[&str]| AttributeItem {
        path: HOST.to_owned(),
        notification: None,
        access: Some(entities.iter().map(|e| e.to_string()).collect()),
    };
    model.set_attributes(&[list(&[])], false).unwrap();
    assert!(model.attributes(&[HOST]).unwrap()[0].access.is_empty());
    assert_eq!(
        faults(set(&mut model, &[(HOST, "lan")], None)),
        [(HOST.to_owned(), 9001)]
    );
    set(&mut model, &[(HOST, "acs")], Some("k")).unwrap();
    model
        .set_attributes(&[list(&["Subscriber", "X_Other"])], false)
        .unwrap();
    set(&mut model, &[(HOST, "lan")], None).unwrap();
}

#[test]
fn attributes_go_with_their_row() {
    // T-ATT-017
    let (mut model, world) = router();
    let path = "Device.NAT.PortMapping.1.Enable";
    model.set_attributes(&[notify(path, 2)], false).unwrap();
    assert!(model.notifying().iter().any(|w| w.path == path));
    model
        .delete("Device.NAT.PortMapping.1.", Some("k"))
        .unwrap();
    model.begin();
    assert!(model.notifying().iter().all(|w| w.path != path));
    assert!(
        !String::from_utf8_lossy(&world.lock().unwrap().state["attributes.json"]).contains(path)
    );
}

#[test]
fn a_factory_reset_forgets_what_the_agent_keeps() {
    // T-ATT-016, T-PER-002
    let (mut model, world) = router();
    set(
        &mut model,
        &[("Device.NAT.PortMapping.1.Alias", "web")],
        Some("k"),
    )
    .unwrap();
    model.set_attributes(&[notify(HOST, 2)], false).unwrap();
    model.factory_reset().unwrap();
    assert!(world.lock().unwrap().state.is_empty());
    assert_eq!(model.parameter_key(), "");
    assert_eq!(level(&mut model, HOST), 0);
    assert_eq!(value(&mut model, "Device.NAT.PortMapping.1.Alias"), "cpe-1");
}

#[test]
fn every_inform_carries_the_forced_parameters() {
    let (mut model, _) = router();
    let got: Vec<(String, String)> = model
        .forced_inform()
        .into_iter()
        .map(|e| (e.path, e.value))
        .collect();
    let want = [
        ("Device.DeviceInfo.SoftwareVersion", "1.0"),
        (
            "Device.ManagementServer.ConnectionRequestURL",
            "http://1.2.3.4:7547/x",
        ),
        ("Device.ManagementServer.ParameterKey", ""),
    ];
    assert_eq!(got, want.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn rows_numbered_by_their_keys_need_no_state() {
    let schema = r#"
["Device.DeviceInfo.ProcessStatus.Process.{i}."]
rows = { fixed = ["17", "4", "x", "0"] }
numbers = "key"
PID = { type = "unsignedInt", constant = "{row}" }
"#;
    let world = world("");
    let mut model = model_with(schema, &world, Limits::default());
    let entries = model
        .get(&["Device.DeviceInfo.ProcessStatus.Process."])
        .unwrap();
    let pids: Vec<&str> = entries.iter().map(|e| e.value.as_str()).collect();
    assert_eq!(pids, ["4", "17"]);
    assert_eq!(
        value(&mut model, "Device.DeviceInfo.ProcessStatus.Process.17.PID"),
        "17"
    );
    assert!(world.lock().unwrap().commits.is_empty());
}

#[test]
fn one_section_shown_by_several_tables_is_deleted_once() {
    let schema = r#"
["Device.S.{i}."]
rows = { uci = "w", type = "iface" }
access = "rw"
Name = { type = "string", access = "rw", uci = "w.{row}.name" }
["Device.P.{i}."]
rows = { uci = "w", type = "iface" }
Name = { type = "string", access = "rw", uci = "w.{row}.name" }
["Device.P.{i}.Q.{i}."]
rows = { uci = "w", type = "sub", parent = "of" }
"#;
    let world = world("w iface a name=1\nw iface b name=2\nw sub c of=a");
    let mut model = model_with(schema, &world, Limits::default());
    model.names("", false).unwrap();
    let watch = notify("Device.P.1.Name", 2);
    model.set_attributes(&[watch], false).unwrap();
    model.begin();
    model.delete("Device.S.1.", Some("k")).unwrap();
    model.begin();
    assert_eq!(code(model.get(&["Device.P.1."])), 9005);
    assert!(model.notifying().is_empty());
    // A section of the same name is another row in both tables.
    let again = model_support::world("w iface a name=3")
        .lock()
        .unwrap()
        .packages["w"]
        .clone();
    world
        .lock()
        .unwrap()
        .packages
        .get_mut("w")
        .unwrap()
        .extend(again);
    assert_eq!(value(&mut model, "Device.S.3.Name"), "3");
    assert_eq!(value(&mut model, "Device.P.3.Name"), "3");
    assert_eq!(level(&mut model, "Device.P.3.Name"), 0);
}

#[test]
fn the_model_moves_between_threads() {
    let (mut model, _) = router();
    let value = std::thread::spawn(move || value(&mut model, "Device.DeviceInfo.UpTime"));
    assert_eq!(value.join().unwrap(), "42");
}
