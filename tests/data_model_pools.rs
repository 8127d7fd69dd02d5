//! Pools in the shipped data model: what dnsmasq serves, and what else their sections do.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{add, delete, edit, expect, fresh, get, read, set};

const POOL: &str = "Device.DHCPv4.Server.Pool.";
const RA: &str = "Device.RouterAdvertisement.InterfaceSetting.1.";

// T-SPV-003
#[test]
fn a_pool_is_on_where_dnsmasq_serves_it() {
    let (router, mut model) = fresh();
    let of = |n: u32, name: &str| format!("{POOL}{n}.{name}");
    expect(
        &mut model,
        &[
            (&of(1, "Enable"), "true"),
            (&of(1, "Status"), "Enabled"),
            (&of(2, "Status"), "Disabled"),
            // Its network is off.
            (&of(3, "Enable"), "true"),
            (&of(3, "Status"), "Error"),
        ],
    );
    // A network that asks for its address is not served.
    set(&mut model, &[(&of(2, "Enable"), "true")]).expect("on");
    expect(&mut model, &[(&of(2, "Status"), "Error_Misconfigured")]);
    edit(&router, "dhcp", "dhcpv4 'server'", "dhcpv4 'disabled'");
    expect(
        &mut model,
        &[(&of(1, "Enable"), "false"), (&of(1, "Status"), "Disabled")],
    );
    set(&mut model, &[(&of(1, "Enable"), "true")]).expect("on");
    expect(
        &mut model,
        &[(&of(1, "Enable"), "true"), (&of(1, "Status"), "Enabled")],
    );
    // Off and on by hand, too.
    edit(
        &router,
        "dhcp",
        "option limit '150'\n",
        "option limit '150'\n\toption ignore '1'\n",
    );
    expect(&mut model, &[(&of(1, "Enable"), "false")]);
    set(&mut model, &[(&of(1, "Enable"), "true")]).expect("on");
    expect(&mut model, &[(&of(1, "Status"), "Enabled")]);
    // Beyond its network there is nothing to hand out.
    edit(
        &router,
        "dhcp",
        "option limit '150'\n",
        "option limit '1500'\n",
    );
    expect(&mut model, &[(&of(1, "Status"), "Error_Misconfigured")]);
    let (pool, _) = add(&mut model, POOL);
    set(&mut model, &[(&format!("{pool}Enable"), "true")]).expect("on");
    expect(
        &mut model,
        &[(&format!("{pool}Status"), "Error_Misconfigured")],
    );
}

// T-OBJ-009: odhcpd serves `ra` and `dhcpv6` of a section that says `ignore`, but not of one
// that is gone.
#[test]
fn a_pool_that_goes_off_leaves_ipv6_alone() {
    let (router, mut model) = fresh();
    let enable = format!("{POOL}1.Enable");
    set(&mut model, &[(&enable, "false")]).expect("off");
    expect(
        &mut model,
        &[(&enable, "false"), (&format!("{RA}Enable"), "true")],
    );
    let text = read(&router, "dhcp");
    assert_eq!(text.matches("option ignore '1'").count(), 2, "{text}");
    for kept in ["option dhcpv4 'server'", "option ra 'server'"] {
        assert!(text.contains(kept), "{text}");
    }
    set(&mut model, &[(&enable, "true")]).expect("on");
    assert_eq!(
        read(&router, "dhcp").matches("option ignore '1'").count(),
        1
    );
    // It cannot go while it serves IPv6.
    let before = read(&router, "dhcp");
    model.begin();
    let row = format!("{POOL}1.");
    let fault = model.delete(&row, Some("k")).expect_err("in use");
    assert_eq!(fault.code, 9001, "{fault}");
    assert_eq!(read(&router, "dhcp"), before);
    set(
        &mut model,
        &[
            (&format!("{RA}Enable"), "false"),
            ("Device.DHCPv6.Server.Pool.1.Enable", "false"),
        ],
    )
    .expect("off");
    delete(&mut model, &row);
    assert!(!read(&router, "dhcp").contains("config dhcp 'lan'"));
}

#[test]
fn the_network_of_a_section_is_the_business_of_its_pool() {
    let (_router, mut model) = fresh();
    for path in [
        format!("{RA}Interface"),
        "Device.DHCPv6.Server.Pool.1.Interface".to_owned(),
    ] {
        assert_eq!(get(&mut model, &path), "Device.IP.Interface.2");
        assert_eq!(
            set(&mut model, &[(&path, "")]),
            Err(vec![(path.clone(), 9008)])
        );
    }
}

#[test]
fn a_pool_tells_the_domain_of_dnsmasq_where_it_has_none() {
    let (router, mut model) = fresh();
    let of = |n: u32| format!("{POOL}{n}.DomainName");
    expect(&mut model, &[(&of(1), "lan.example.net"), (&of(3), "lan")]);
    let before = read(&router, "dhcp");
    assert_eq!(set(&mut model, &[(&of(3), "lan")]), Ok(vec![]));
    for name in ["guest.example.net", ""] {
        set(&mut model, &[(&of(3), name)]).expect("a domain");
        expect(&mut model, &[(&of(3), name)]);
    }
    set(&mut model, &[(&of(3), "lan")]).expect("that of dnsmasq");
    assert_eq!(
        read(&router, "dhcp").matches("list dhcp_option").count(),
        before.matches("list dhcp_option").count()
    );
    // What dnsmasq would make of it does not read back.
    let lease = format!("{POOL}1.LeaseTime");
    for (short, ok) in [("0", false), ("119", false), ("120", true), ("-1", true)] {
        assert_eq!(set(&mut model, &[(&lease, short)]).is_ok(), ok, "{short}");
    }
}

#[test]
fn a_client_shows_the_name_servers_that_it_was_given() {
    let (router, mut model) = fresh();
    let servers = "Device.DHCPv4.Client.1.DNSServers";
    expect(&mut model, &[(servers, "")]);
    let fixed = "\toption peerdns '0'\n\tlist dns '203.0.113.53'\n";
    edit(&router, "network", fixed, "");
    expect(&mut model, &[(servers, "203.0.113.53")]);
}

#[test]
fn a_route_without_a_network_is_in_force_nowhere() {
    let (router, mut model) = fresh();
    let of = |n: u32| format!("Device.Routing.Router.1.IPv4Forwarding.{n}.Status");
    expect(&mut model, &[(&of(1), "Enabled"), (&of(2), "Disabled")]);
    let text = read(&router, "network");
    let gone = text.replacen(
        "config route\n\toption interface 'lan'",
        "config route\n\toption interface 'gone'",
        1,
    );
    assert_ne!(gone, text);
    router.write("/etc/config/network", &gone).expect("written");
    expect(&mut model, &[(&of(1), "Error_Misconfigured")]);
    let interface = "Device.Routing.Router.1.IPv4Forwarding.1.Interface";
    set(&mut model, &[(interface, "Device.IP.Interface.2")]).expect("a network");
    expect(&mut model, &[(&of(1), "Enabled")]);
    set(&mut model, &[(interface, "")]).expect("none");
    expect(&mut model, &[(&of(1), "Error_Misconfigured")]);
}

// T-SPV-003: odhcpd drops a network of which it cannot take one option.
#[test]
fn what_odhcpd_would_drop_a_network_for_is_refused() {
    let (router, mut model) = fresh();
    for (name, value, ok) in [
        ("AdvLinkMTU", "100", false),
        ("AdvLinkMTU", "1279", false),
        ("AdvLinkMTU", "65536", false),
        ("AdvLinkMTU", "1280", true),
        ("AdvRetransTimer", "60001", false),
        ("AdvRetransTimer", "60000", true),
    ] {
        let path = format!("{RA}{name}");
        assert_eq!(
            set(&mut model, &[(&path, value)]).is_ok(),
            ok,
            "{name}={value}"
        );
    }
    assert!(read(&router, "dhcp").contains("option ra_mtu '1280'"));
    set(&mut model, &[(&format!("{RA}AdvLinkMTU"), "0")]).expect("none");
    assert!(!read(&router, "dhcp").contains("ra_mtu"));
}

#[test]
fn the_router_keeps_an_address_that_it_can_have() {
    let (router, mut model) = fresh();
    let of = |name: &str| format!("Device.IP.Interface.2.IPv4Address.1.{name}");
    let (address, mask) = (of("IPAddress"), of("SubnetMask"));
    let before = read(&router, "network");
    for bad in [
        "0.0.0.0",
        "192.168.1.0",
        "192.168.1.255",
        "255.255.255.255",
        "224.0.0.1",
    ] {
        assert_eq!(
            set(&mut model, &[(&address, bad)]),
            Err(vec![(address.clone(), 9007)])
        );
    }
    assert_eq!(read(&router, "network"), before);
    // 192.168.1.1 is the last of its two.
    let small = [(&*mask, "255.255.255.254")];
    set(&mut model, &small).expect("two addresses");
    set(&mut model, &[(&mask, "255.255.255.0")]).expect("many");
    // With the mask of the same request, in either order.
    for items in [
        [(&*address, "192.168.0.255"), (&*mask, "255.255.254.0")],
        [(&*mask, "255.255.255.0"), (&*address, "192.168.1.1")],
    ] {
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
    }
    let ula = "Device.IP.ULAPrefix";
    for (prefix, ok) in [
        ("2001:db8::/48", false),
        ("fd00::/64", false),
        ("fd12:3456:789a::/48", true),
        ("", true),
    ] {
        assert_eq!(set(&mut model, &[(ula, prefix)]).is_ok(), ok, "{prefix}");
    }
}
