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

const CLIENT: &str = "192.168.1.77";

/// The section of a package that holds a text.
fn section(router: &router::Router, package: &str, holds: &str) -> String {
    let text = read(router, package);
    let mut all = text.split("\nconfig ");
    let found = all.find(|section| section.contains(holds));
    found
        .unwrap_or_else(|| panic!("{holds}: {text}"))
        .to_owned()
}

// T-SPV-003: a forward without dest_ip would lead everybody outside to the router itself.
#[test]
fn a_forward_that_is_on_without_a_client_opens_nothing() {
    let (router, mut model) = fresh();
    let (row, _) = add(&mut model, "Device.NAT.PortMapping.");
    let of = |name: &str| format!("{row}{name}");
    let (enable, client, status) = (of("Enable"), of("InternalClient"), of("Status"));
    set(
        &mut model,
        &[(&of("Description"), "mine"), (&enable, "true")],
    )
    .expect("on");
    let state = |router: &router::Router, model: &mut cwmp_agent::model::Model| {
        let text = section(router, "firewall", "'mine'");
        let is_on = text.contains("enabled '1'");
        assert_eq!(text.contains("enabled '0'"), !is_on, "{text}");
        // Whatever comes of it: nothing is on that has no client.
        assert!(!is_on || text.contains("dest_ip"), "{text}");
        (is_on, get(model, &enable) == "true", get(model, &status))
    };
    let wanted = (false, true, "Error_Misconfigured".to_owned());
    assert_eq!(state(&router, &mut model), wanted);
    // An agent that starts now sees the same, and a Set of it changes nothing.
    let mut other = router_model::model(&router, &data_model_support::files());
    assert_eq!(state(&router, &mut other), wanted);
    assert_eq!(set(&mut other, &[(&enable, "true")]), Ok(vec![]));
    set(&mut model, &[(&client, CLIENT)]).expect("a client");
    assert_eq!(
        state(&router, &mut model),
        (true, true, "Enabled".to_owned())
    );
    assert!(!read(&router, "firewall").contains("cwmp_enable"));
    // Its client goes, and comes back.
    set(&mut model, &[(&client, "")]).expect("no client");
    assert_eq!(state(&router, &mut model), wanted);
    set(&mut model, &[(&client, CLIENT)]).expect("a client");
    assert_eq!(
        state(&router, &mut model),
        (true, true, "Enabled".to_owned())
    );
    // Off is off, whatever comes and goes.
    let off = (false, false, "Disabled".to_owned());
    set(&mut model, &[(&enable, "false")]).expect("off");
    assert_eq!(state(&router, &mut model), off);
    set(&mut model, &[(&client, "")]).expect("no client");
    set(&mut model, &[(&client, CLIENT)]).expect("a client");
    assert_eq!(state(&router, &mut model), off);
    // All at once, in any order.
    for items in [
        [(&*client, ""), (&*enable, "true")],
        [(&*enable, "false"), (&*client, CLIENT)],
        [(&*enable, "true"), (&*client, "")],
        [(&*client, CLIENT), (&*enable, "true")],
        [(&*client, ""), (&*enable, "false")],
        [(&*enable, "true"), (&*client, CLIENT)],
        [(&*enable, "false"), (&*client, "")],
    ] {
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
        expect(&mut model, &items);
        state(&router, &mut model);
    }
    // Without a zone, fw4 passes it over.
    set(&mut model, &[(&client, CLIENT), (&enable, "true")]).expect("on");
    set(&mut model, &[(&of("Interface"), "")]).expect("nowhere");
    assert_eq!(get(&mut model, &status), "Error_Misconfigured");
}

#[test]
fn a_forward_that_somebody_else_switched_off_stays_off() {
    let (router, mut model) = fresh();
    let of = |name: &str| format!("Device.NAT.PortMapping.1.{name}");
    let (enable, client) = (of("Enable"), of("InternalClient"));
    set(&mut model, &[(&client, "")]).expect("no client");
    expect(
        &mut model,
        &[(&enable, "true"), (&of("Status"), "Error_Misconfigured")],
    );
    // By hand it gets another client, and stays off.
    let off = "\toption enabled '0'\n\toption cwmp_enable '1'\n";
    edit(
        &router,
        "firewall",
        off,
        &format!("{off}\toption dest_ip '{CLIENT}'\n"),
    );
    expect(
        &mut model,
        &[(&enable, "false"), (&of("Status"), "Disabled")],
    );
    set(&mut model, &[(&client, "192.168.1.78")]).expect("another client");
    expect(
        &mut model,
        &[(&enable, "false"), (&of("Status"), "Disabled")],
    );
    // One that is on by hand and leads to the router itself is not touched.
    edit(
        &router,
        "firewall",
        "\toption dest_ip\t\t192.168.1.31\n",
        "",
    );
    edit(
        &router,
        "firewall",
        "\toption src_dport\t3074\n\toption enabled\t\t'0'\n",
        "\toption src_dport\t3074\n",
    );
    expect(&mut model, &[("Device.NAT.PortMapping.2.Enable", "true")]);
    set(
        &mut model,
        &[("Device.NAT.PortMapping.2.Description", "ours")],
    )
    .expect("a name");
    assert!(!section(&router, "firewall", "'ours'").contains("enabled"));
}

// T-SPV-003: the ports of a range are the same inside; nftables has no others.
#[test]
fn a_range_of_ports_is_as_long_inside_and_the_same() {
    let (router, mut model) = fresh();
    let of = |name: &str| format!("Device.NAT.PortMapping.3.{name}");
    let (first, last, inside) = (
        of("ExternalPort"),
        of("ExternalPortEndRange"),
        of("InternalPort"),
    );
    let ports = |router: &router::Router| {
        let text = section(router, "firewall", "torrent");
        let of = |option: &str| {
            let line = text.lines().find(|l| {
                l.contains(&format!("option {option}\t"))
                    || l.contains(&format!("option {option} "))
            });
            line.map_or(String::new(), |l| {
                l.split_whitespace()
                    .last()
                    .unwrap_or("")
                    .trim_matches('\'')
                    .to_owned()
            })
        };
        (of("src_dport"), of("dest_port"))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    // In any order.
    for items in [
        [(&*first, "52000"), (&*last, "52005"), (&*inside, "52000")],
        [(&*inside, "53000"), (&*last, "53005"), (&*first, "53000")],
        [(&*last, "52007"), (&*inside, "52002"), (&*first, "52002")],
        [(&*first, "52005"), (&*inside, "52005"), (&*last, "52007")],
    ] {
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
        expect(&mut model, &items);
        let [from, to, _] = ["ExternalPort", "ExternalPortEndRange", ""].map(|n| {
            if n.is_empty() {
                String::new()
            } else {
                get(&mut model, &of(n))
            }
        });
        let range = format!("{from}-{to}");
        assert_eq!(ports(&router), (range.clone(), range));
    }
    set(&mut model, &[(&last, "52010")]).expect("a longer one");
    assert_eq!(ports(&router), pair("52005-52010", "52005-52010"));
    // 52005 to 600, 52006 to 601 cannot be had.
    let before = read(&router, "firewall");
    for items in [
        vec![(&*inside, "600")],
        vec![(&*first, "52006")],
        vec![(&*inside, "600"), (&*first, "52006"), (&*last, "52009")],
    ] {
        let refused = set(&mut model, &items).expect_err("no such range");
        assert!(refused.iter().all(|(_, code)| *code == 9007), "{refused:?}");
        assert_eq!(read(&router, "firewall"), before);
    }
    // One port may be another one inside; without a range there is none.
    set(&mut model, &[(&last, "0"), (&inside, "600")]).expect("one port");
    assert_eq!(ports(&router), pair("52005", "600"));
    let again = [(&*last, "52010"), (&*inside, "0")];
    set(&mut model, &again).expect("the ports stay");
    assert_eq!(ports(&router), pair("52005-52010", ""));
    expect(&mut model, &again);
    // What somebody else wrote is shown and stays.
    edit(
        &router,
        "firewall",
        "'52005-52010'",
        "'3000-3010'\n\toption dest_port '5000'",
    );
    expect(&mut model, &[(&first, "3000"), (&inside, "5000")]);
    assert_eq!(
        set(
            &mut model,
            &[(&inside, "5000"), (&of("Description"), "torrent2")]
        ),
        Ok(vec!["firewall".to_owned()])
    );
    assert_eq!(ports(&router), pair("3000-3010", "5000"));
}

// T-SPV-003: fw4 looks at ports of TCP and UDP only, and would let in everything.
#[test]
fn a_rule_with_ports_and_no_protocol_that_has_them_is_never_on() {
    let (router, mut model) = fresh();
    let (row, _) = add(&mut model, RULE);
    let of = |name: &str| format!("{row}{name}");
    let (enable, protocol, port) = (of("Enable"), of("Protocol"), of("DestPort"));
    // Step by step, as long as it is off.
    set(&mut model, &[(&of("Target"), "Accept"), (&port, "22")]).expect("off");
    expect(
        &mut model,
        &[(&protocol, "-1"), (&of("Status"), "Disabled")],
    );
    assert_eq!(
        set(&mut model, &[(&enable, "true")]),
        Err(vec![(enable.clone(), 9007)])
    );
    set(&mut model, &[(&protocol, "6"), (&enable, "true")]).expect("TCP");
    expect(&mut model, &[(&of("Status"), "Enabled")]);
    for bad in ["-1", "200", "1"] {
        assert_eq!(
            set(&mut model, &[(&protocol, bad)]),
            Err(vec![(protocol.clone(), 9007)])
        );
    }
    for items in [
        [(&*port, "-1"), (&*protocol, "200")],
        [(&*port, "53"), (&*protocol, "17")],
        [(&*protocol, "-1"), (&*port, "-1")],
        [(&*protocol, "17"), (&*port, "53")],
    ] {
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
        expect(&mut model, &items);
    }
    // What is there already is told.
    edit(
        &router,
        "firewall",
        "\toption dest_port '53'\n",
        "\toption dest_port '53'\n\toption family 'ipv6'\n",
    );
    let text = read(&router, "firewall").replace("option proto 'udp'", "option proto 'all'");
    router
        .write("/etc/config/firewall", &text)
        .expect("written");
    expect(
        &mut model,
        &[(&enable, "true"), (&of("Status"), "Error_Misconfigured")],
    );
}

#[test]
fn a_rule_that_fw4_passes_over_says_so() {
    let (router, mut model) = fresh();
    let of = |name: &str| format!("{RULE}4.{name}");
    let status = of("Status");
    expect(
        &mut model,
        &[(&status, "Enabled"), (&of("SourceIP"), "192.168.1.32")],
    );
    for (name, value, back) in [
        ("IPVersion", "6", "-1"),
        ("DestMask", "2001:db8::/32", "198.51.100.0/24"),
    ] {
        set(&mut model, &[(&of(name), value)]).expect("set");
        expect(&mut model, &[(&status, "Error_Misconfigured")]);
        set(&mut model, &[(&of(name), back)]).expect("set");
        expect(&mut model, &[(&status, "Enabled")]);
    }
    edit(
        &router,
        "firewall",
        "\toption src\t\tlan\n\toption dest\t\twan\n\toption src_ip",
        "\toption src\t\tgone\n\toption dest\t\twan\n\toption src_ip",
    );
    expect(
        &mut model,
        &[
            (&status, "Error_Misconfigured"),
            (&of("SourceInterface"), ""),
        ],
    );
}

#[test]
fn rules_and_forwards_read_as_fw4_takes_them() {
    let (router, mut model) = fresh();
    // OpenWrt's own rules for ICMPv6 say icmp.
    edit(
        &router,
        "firewall",
        "\toption proto\t\ticmp\n\toption icmp_type\techo-request\n\toption family\t\tipv4\n",
        "\toption proto icmp\n\toption family ipv6\n",
    );
    expect(
        &mut model,
        &[
            (&format!("{RULE}2.Protocol"), "58"),
            (&format!("{RULE}2.IPVersion"), "6"),
        ],
    );
    assert_eq!(
        set(&mut model, &[(&format!("{RULE}2.Protocol"), "58")]),
        Ok(vec![])
    );
    // Without a target a redirect is a forward.
    edit(
        &router,
        "firewall",
        "\toption target\t\tDNAT\n\toption src\t\twan\n\toption dest\t\tlan\n\toption proto\t\tudp\n",
        "\toption src wan\n\toption proto udp\n",
    );
    expect(
        &mut model,
        &[
            ("Device.NAT.PortMappingNumberOfEntries", "3"),
            ("Device.NAT.PortMapping.2.ExternalPort", "3074"),
        ],
    );
    // Several ports are no range.
    edit(&router, "firewall", "'25-26'", "'25 26-27'");
    model.begin();
    let all = model.get(&[&format!("{RULE}4.")]).expect("a rule");
    assert!(
        all.iter().all(|entry| !entry.path.contains("DestPort")),
        "{all:?}"
    );
}

#[test]
fn the_first_network_of_a_zone_stands_for_it_and_a_refusal_says_so() {
    let (_router, mut model) = fresh();
    let set = |model: &mut cwmp_agent::model::Model, path: &str, value: &str| {
        model.begin();
        let item = cwmp_agent::model::SetItem {
            path,
            ty: None,
            value,
        };
        match model.set(&[item], Some("k")) {
            Err(cwmp_agent::model::SetError::Parameters(faults)) => faults[0].text.clone(),
            other => panic!("{other:?}"),
        }
    };
    let path = "Device.NAT.PortMapping.1.Interface";
    let text = set(&mut model, path, "Device.IP.Interface.4");
    assert!(
        text.contains("wan6 is in the zone wan") && text.contains("the first of them, wan,"),
        "{text}"
    );
    let text = set(&mut model, path, "Device.IP.Interface.1");
    assert!(
        text.contains("no zone of firewall has this network"),
        "{text}"
    );
}
