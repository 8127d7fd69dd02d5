//! VLANs of bridges, echoes of PPP and what lies on what, in the shipped data model.

mod data_model_support;
mod router;
mod router_model;

use cwmp_agent::model::{Model, SetError, SetItem};
use data_model_support::{add, delete, edit, expect, fresh, read, set};
use router::Router;

const BRIDGE: &str = "Device.Bridging.Bridge.1.";

/// A network as a new OpenWrt has it: the LAN lies on the bridge itself.
const PLAIN: &str = "config device\n\toption name 'br-lan'\n\toption type 'bridge'\n\
    \tlist ports 'lan1'\n\tlist ports 'lan2'\n\n\
    config interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n\
    \toption ipaddr '192.168.1.1'\n\toption netmask '255.255.255.0'\n";

fn plain() -> (Router, Model) {
    let (router, model) = fresh();
    router.write("/etc/config/network", PLAIN).expect("written");
    (router, model)
}

/// The fault of a DeleteObject.
fn stays(model: &mut Model, row: &str) -> (u16, String) {
    model.begin();
    let fault = model.delete(row, Some("k")).expect_err("a row that stays");
    (fault.code, fault.text)
}

// T-OBJ-001
#[test]
fn a_new_vlan_does_not_cut_off_a_network_that_lies_on_the_bridge() {
    let (router, mut model) = plain();
    let (vlan, _) = add(&mut model, &format!("{BRIDGE}VLAN."));
    let (id, enable) = (format!("{vlan}VLANID"), format!("{vlan}Enable"));
    expect(&mut model, &[(&enable, "false")]);
    set(&mut model, &[(&id, "7")]).expect("a number");
    // netifd looks for an option, and passes over a list.
    let text = read(&router, "network");
    assert!(
        text.contains("\tlist device 'br-lan'\n\toption vlan '7'\n"),
        "{text}"
    );
    expect(
        &mut model,
        &[
            (&id, "7"),
            (&format!("{BRIDGE}Standard"), "802.1D-2004"),
            (&format!("{BRIDGE}VLANNumberOfEntries"), "1"),
        ],
    );
    for bad in [
        &[(&*enable, "true")][..],
        &[(&*id, "8"), (&*enable, "true")],
    ] {
        assert_eq!(set(&mut model, bad), Err(vec![(enable.clone(), 9007)]));
    }
    assert_eq!(read(&router, "network"), text);
    delete(&mut model, &vlan);
    assert_eq!(read(&router, "network").trim_end(), PLAIN.trim_end());
    // A network that is off, and one on a VLAN, are not cut off.
    edit(
        &router,
        "network",
        "'br-lan'\n\toption proto",
        "'br-lan.1'\n\toption proto",
    );
    let (vlan, _) = add(&mut model, &format!("{BRIDGE}VLAN."));
    set(&mut model, &[(&format!("{vlan}Enable"), "true")]).expect("on");
    let text = read(&router, "network");
    assert!(
        text.contains("\toption device 'br-lan'\n\toption vlan '1'\n"),
        "{text}"
    );
    expect(&mut model, &[(&format!("{BRIDGE}Standard"), "802.1Q-2011")]);
}

// T-OBJ-001, T-SPV-015
#[test]
fn a_vlan_is_made_as_acss_make_it() {
    let (router, mut model) = fresh();
    let table = format!("{BRIDGE}VLAN.");
    for (order, id) in [([0, 1, 2], "40"), ([2, 1, 0], "41"), ([1, 0, 2], "42")] {
        let (vlan, _) = add(&mut model, &table);
        let all = [("Enable", "true"), ("VLANID", id), ("Name", "new")];
        let all = order.map(|at: usize| (format!("{vlan}{}", all[at].0), all[at].1));
        let items: Vec<(&str, &str)> = all.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        set(&mut model, &items).expect("a VLAN");
        expect(&mut model, &items);
        let text = read(&router, "network");
        let end = text
            .split("option vlan ")
            .last()
            .unwrap_or_default()
            .to_owned();
        assert!(end.starts_with(&format!("'{id}'")), "{text}");
    }
    assert!(!read(&router, "network").contains("list device"));
    // Two that are off may have one number, two that are on not.
    let (vlan, _) = add(&mut model, &table);
    let (id, enable) = (format!("{vlan}VLANID"), format!("{vlan}Enable"));
    set(&mut model, &[(&id, "40")]).expect("off");
    assert_eq!(
        set(&mut model, &[(&enable, "true")]),
        Err(vec![(enable.clone(), 9007)])
    );
    set(&mut model, &[(&enable, "true"), (&id, "43")]).expect("on");
    set(&mut model, &[(&enable, "false")]).expect("off");
    expect(&mut model, &[(&enable, "false"), (&id, "43")]);
}

// T-OBJ-001
#[test]
fn a_vlan_that_a_network_lies_on_stays_as_it_is() {
    let (router, mut model) = fresh();
    let before = read(&router, "network");
    let path = |name: &str| format!("{BRIDGE}VLAN.1.{name}");
    for (name, value) in [("VLANID", "2"), ("Enable", "false")] {
        let path = path(name);
        assert_eq!(set(&mut model, &[(&path, value)]), Err(vec![(path, 9007)]));
    }
    let (code, text) = stays(&mut model, &path(""));
    assert_eq!(code, 9001);
    assert!(text.contains("network lan"), "{text}");
    assert_eq!(
        stays(&mut model, BRIDGE).0,
        9001,
        "its networks lie on its VLANs"
    );
    assert_eq!(read(&router, "network"), before);
    // What reads so already, and a VLAN that nothing lies on.
    set(
        &mut model,
        &[(&path("VLANID"), "1"), (&path("Enable"), "true")],
    )
    .expect("as it is");
    assert_eq!(read(&router, "network"), before);
    set(&mut model, &[(&format!("{BRIDGE}VLAN.2.VLANID"), "31")]).expect("a number");
    delete(&mut model, &format!("{BRIDGE}VLAN.2."));
}

// T-SPV-015
#[test]
fn a_bridge_filters_by_its_vlans_unless_it_is_told_not_to() {
    let (router, mut model) = fresh();
    let standard = format!("{BRIDGE}Standard");
    expect(&mut model, &[(&standard, "802.1Q-2011")]);
    let refused = Err(vec![(standard.clone(), 9007)]);
    assert_eq!(set(&mut model, &[(&standard, "802.1D-2004")]), refused);
    edit(
        &router,
        "network",
        "\toption stp '1'\n",
        "\toption stp '1'\n\toption vlan_filtering '0'\n",
    );
    expect(&mut model, &[(&standard, "802.1D-2004")]);
    set(&mut model, &[(&standard, "802.1Q-2011")]).expect("filters");
    assert!(read(&router, "network").contains("\toption vlan_filtering '1'\n"));
    expect(&mut model, &[(&standard, "802.1Q-2011")]);
}

// T-SPV-015
#[test]
fn echoes_of_ppp_are_what_openwrt_makes_of_its_option() {
    let (router, mut model) = fresh();
    let (echo, retry) = (
        "Device.PPP.Interface.1.LCPEcho",
        "Device.PPP.Interface.1.LCPEchoRetry",
    );
    let mut now = "\toption keepalive '5 10'\n".to_owned();
    for (option, seconds, lost) in [
        ("3", "5", "3"),
        ("3,7", "7", "3"),
        ("0", "0", "0"),
        ("0 9", "0", "0"),
        ("4 0", "0", "4"),
    ] {
        let line = format!("\toption keepalive '{option}'\n");
        edit(&router, "network", &now, &line);
        now = line;
        expect(&mut model, &[(echo, seconds), (retry, lost)]);
    }
    edit(&router, "network", &now, "");
    expect(&mut model, &[(echo, "1"), (retry, "5")]);
    for (items, option) in [
        (&[(echo, "30")][..], "5 30"),
        (&[(retry, "6")], "6 30"),
        (&[(retry, "0"), (echo, "0")], "0 0"),
        (&[(echo, "15")], "5 15"),
        (&[(retry, "7"), (echo, "10")], "7 10"),
    ] {
        set(&mut model, items).expect("echoes");
        expect(&mut model, items);
        let text = read(&router, "network");
        assert!(
            text.contains(&format!("\toption keepalive '{option}'\n")),
            "{option}: {text}"
        );
    }
}

// T-SPV-013
#[test]
fn a_value_that_is_refused_by_itself_is_not_blamed_on_others() {
    let (_router, mut model) = fresh();
    for (path, value) in [
        ("Device.Bridging.Bridge.1.Standard", "802.1D-2004"),
        ("Device.Ethernet.Link.2.MACAddress", ""),
        (
            "Device.WiFi.Radio.1.ExtensionChannel",
            "AboveControlChannel",
        ),
        ("Device.PPP.Interface.1.ConnectionTrigger", "OnDemand"),
    ] {
        model.begin();
        let item = SetItem {
            path,
            ty: None,
            value,
        };
        let Err(SetError::Parameters(faults)) = model.set(&[item], Some("key")) else {
            panic!("{path} was taken");
        };
        assert_eq!((faults.len(), faults[0].code), (1, 9007), "{path}");
        assert!(!faults[0].text.contains("the others"), "{}", faults[0].text);
    }
}

// T-SPV-011
#[test]
fn a_link_gets_no_address_or_size_that_it_could_not_have() {
    let (router, mut model) = fresh();
    let before = (read(&router, "network"), read(&router, "dhcp"));
    let ra = "Device.RouterAdvertisement.InterfaceSetting.1.";
    for (path, values) in [
        (
            "Device.Ethernet.Link.2.MACAddress".to_owned(),
            [
                "ff:ff:ff:ff:ff:ff",
                "01:00:5e:00:00:01",
                "33:33:00:00:00:01",
            ]
            .as_slice(),
        ),
        (
            "Device.Ethernet.Link.2.MTU".to_owned(),
            &["0", "10", "65536"],
        ),
        (format!("{ra}AdvLinkMTU"), &["1", "100", "1279"]),
        (format!("{ra}MinRtrAdvInterval"), &["451", "700"]),
    ] {
        for value in values {
            let refused = Err(vec![(path.clone(), 9007)]);
            assert_eq!(set(&mut model, &[(&path, value)]), refused, "{value}");
        }
    }
    assert_eq!((read(&router, "network"), read(&router, "dhcp")), before);
    set(
        &mut model,
        &[("Device.Ethernet.Link.2.MACAddress", "02:00:5E:00:53:10")],
    )
    .expect("set");
    for mtu in ["0", "1280", "1500"] {
        set(&mut model, &[(&format!("{ra}AdvLinkMTU"), mtu)]).expect("an MTU");
    }
}

// T-SPV-003
#[test]
fn the_intervals_of_router_advertisements_are_judged_together() {
    let (_router, mut model) = fresh();
    let path = |name: &str| format!("Device.RouterAdvertisement.InterfaceSetting.1.{name}");
    let (most, least) = (path("MaxRtrAdvInterval"), path("MinRtrAdvInterval"));
    for (a, b) in [("1800", "1350"), ("60", "45"), ("600", "200")] {
        let mut both = [(&*most, a), (&*least, b)];
        for _ in 0..2 {
            set(&mut model, &both).expect("both");
            expect(&mut model, &both);
            both.reverse();
        }
    }
    // odhcpd goes by the larger, where only that was changed.
    set(&mut model, &[(&most, "60")]).expect("more often");
    expect(&mut model, &[(&least, "20")]);
}
