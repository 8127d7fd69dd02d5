//! The firewall's rules and port forwards in the shipped data model, as fw4 takes them.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{add, delete, edit, expect, fresh, get, read, set};

const RULE: &str = "Device.Firewall.Chain.1.Rule.";

// T-OBJ-001
#[test]
fn rules_are_read_and_made_as_fw4_takes_them() {
    let (router, mut model) = fresh();
    let of = |n: u32, name: &str| format!("{RULE}{n}.{name}");
    expect(
        &mut model,
        &[
            (&of(1, "Protocol"), "17"),
            (&of(1, "DestPort"), "68"),
            (&of(1, "DestPortRangeMax"), "-1"),
            (&of(1, "SourceInterface"), "Device.IP.Interface.3"),
            (&of(1, "IPVersion"), "4"),
            (&of(2, "Protocol"), "1"),
            (&of(4, "Order"), "4"),
            (&of(4, "Target"), "Reject"),
            (&of(4, "SourceIP"), "192.168.1.32"),
            (&of(4, "SourceMask"), "192.168.1.32/28"),
            (&of(4, "DestMask"), "198.51.100.0/24"),
            (&of(4, "DestPort"), "25"),
            (&of(4, "DestPortRangeMax"), "26"),
            (&of(4, "IPVersion"), "-1"),
            (&of(5, "Enable"), "false"),
            (&of(5, "Status"), "Disabled"),
            (&of(5, "Protocol"), "50"),
            (&of(5, "SourceAllInterfaces"), "true"),
            (&of(5, "SourceInterface"), ""),
            (&of(5, "SourceMAC"), "02:00:5e:00:53:31"),
            ("Device.Firewall.Level.1.DefaultPolicy", "Reject"),
            ("Device.Firewall.Level.1.Chain", "Device.Firewall.Chain.1"),
        ],
    );
    let (row, reload) = add(&mut model, RULE);
    assert_eq!(reload, ["firewall"]);
    let of = |name: &str| format!("{row}{name}");
    expect(
        &mut model,
        &[
            (&of("Enable"), "false"),
            (&of("Target"), "Drop"),
            (&of("Protocol"), "-1"),
        ],
    );
    let wanted = [
        (of("DestMask"), "10.0.0.0/8"),
        (of("DestIP"), "10.1.2.3"),
        (of("Protocol"), "6"),
        (of("DestPortRangeMax"), "8090"),
        (of("DestPort"), "8080"),
        (of("SourceInterface"), "Device.IP.Interface.2"),
        (of("DestAllInterfaces"), "true"),
        (of("IPVersion"), "4"),
        (of("Target"), "Accept"),
        (of("Description"), "it's \"new\""),
        (of("Enable"), "true"),
    ];
    let items: Vec<(&str, &str)> = wanted.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &items).expect("a rule");
    expect(&mut model, &items);
    let text = read(&router, "firewall");
    for line in [
        "option dest_ip '10.1.2.3/8'",
        "option proto 'tcp'",
        "option dest_port '8080-8090'",
        "option src 'lan'",
        "option dest '*'",
        "option family 'ipv4'",
        "option target 'ACCEPT'",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // In any order, a zone is named or any.
    for items in [
        [
            (of("DestInterface"), "Device.IP.Interface.3"),
            (of("DestAllInterfaces"), "false"),
        ],
        [
            (of("DestAllInterfaces"), "false"),
            (of("DestInterface"), "Device.IP.Interface.2"),
        ],
    ] {
        set(&mut model, &[(&of("DestAllInterfaces"), "true")]).expect("any");
        let items: Vec<(&str, &str)> = items.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        set(&mut model, &items).expect("a zone");
        expect(&mut model, &items);
    }
    for (name, value) in [
        ("Protocol", "0"),
        ("DestPortRangeMax", "8079"),
        ("DestMask", "10.0.0.0"),
        ("DestInterface", "Device.IP.Interface.1"),
    ] {
        let path = of(name);
        assert_eq!(
            set(&mut model, &[(&path, value)]),
            Err(vec![(path.clone(), 9007)]),
            "{value}"
        );
    }
    delete(&mut model, &row);
    assert!(!read(&router, "firewall").contains("8080-8090"));
}

#[test]
fn forwards_of_two_protocols_and_of_ranges_read_as_what_they_are() {
    let (router, mut model) = fresh();
    let of = |name: &str| format!("Device.NAT.PortMapping.3.{name}");
    expect(
        &mut model,
        &[
            (&of("Protocol"), "X_OPENWRT-ORG_TCP_UDP"),
            (&of("ExternalPort"), "51000"),
            (&of("ExternalPortEndRange"), "51010"),
            (&of("InternalPort"), "51000"),
            (&of("Status"), "Enabled"),
            ("Device.NAT.PortMapping.2.Status", "Disabled"),
            ("Device.NAT.InterfaceSetting.2.Status", "Enabled"),
            ("Device.NAT.InterfaceSetting.1.Status", "Disabled"),
        ],
    );
    set(&mut model, &[(&of("InternalPort"), "600")]).expect("set");
    assert!(read(&router, "firewall").contains("'600-610'"));
    set(&mut model, &[(&of("Protocol"), "UDP")]).expect("set");
    assert_eq!(get(&mut model, &of("Protocol")), "UDP");
    // fw4 forwards both where nothing is said.
    edit(
        &router,
        "firewall",
        "\toption proto\t\tudp\n\toption src_dport\t3074\n",
        "\toption src_dport\t3074\n",
    );
    assert_eq!(
        get(&mut model, "Device.NAT.PortMapping.2.Protocol"),
        "X_OPENWRT-ORG_TCP_UDP"
    );
}

// T-SPV-016
#[test]
fn a_rule_for_every_zone_is_set_with_its_empty_interface_in_any_order() {
    let (_router, mut model) = fresh();
    let of = |name: &str| format!("{RULE}1.{name}");
    let (all, one) = (of("SourceAllInterfaces"), of("SourceInterface"));
    let (any, none) = ((all.as_str(), "true"), (one.as_str(), ""));
    for order in [[any, none], [none, any]] {
        set(&mut model, &[(&one, "Device.IP.Interface.3")]).expect("a zone");
        expect(&mut model, &[(&all, "false")]);
        set(&mut model, &order).unwrap_or_else(|e| panic!("{order:?}: {e:?}"));
        expect(&mut model, &order);
    }
    // What cannot be so at once stays refused.
    let zone = (one.as_str(), "Device.IP.Interface.3");
    for order in [[any, zone], [zone, any]] {
        let refused = set(&mut model, &order).expect_err("one or all");
        assert!(refused.iter().all(|(_, code)| *code == 9007), "{refused:?}");
    }
}
