//! What a router does for its LAN in the shipped data model: DHCP, DNS and router
//! advertisements, read, set, made and taken away.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{add, delete, expect, files, fresh, get, read, set};

const POOL: &str = "Device.DHCPv4.Server.Pool.";
const FORWARDING: &str = "Device.DNS.Relay.Forwarding.";

#[test]
fn pools_count_from_the_first_address_of_their_network() {
    let (router, mut model) = fresh();
    let of = |pool: u32, name: &str| format!("{POOL}{pool}.{name}");
    expect(
        &mut model,
        &[
            (&of(1, "MinAddress"), "192.168.1.100"),
            (&of(1, "MaxAddress"), "192.168.1.249"),
            (&of(1, "SubnetMask"), "255.255.255.0"),
            (&of(1, "DNSServers"), "192.168.1.1,9.9.9.9"),
            (&of(1, "IPRouters"), "192.168.1.1"),
            (&of(1, "DomainName"), "lan.example.net"),
            (&of(1, "LeaseTime"), "43200"),
            (&of(1, "Order"), "1"),
            (&of(2, "Enable"), "false"),
            (&of(2, "Status"), "Disabled"),
            (&of(2, "MinAddress"), ""),
            (&of(3, "Interface"), "Device.IP.Interface.5"),
            (&of(3, "MinAddress"), "192.168.3.50"),
            (&of(3, "MaxAddress"), "192.168.3.149"),
            (&of(3, "LeaseTime"), "1800"),
            (&of(3, "DNSServers"), "192.168.3.1"),
        ],
    );
    let (min, max) = (of(1, "MinAddress"), of(1, "MaxAddress"));
    for items in [
        [
            (min.as_str(), "192.168.1.10"),
            (max.as_str(), "192.168.1.20"),
        ],
        [
            (max.as_str(), "192.168.1.240"),
            (min.as_str(), "192.168.1.200"),
        ],
        [
            (max.as_str(), "192.168.1.20"),
            (min.as_str(), "192.168.1.10"),
        ],
        [
            (min.as_str(), "192.168.1.200"),
            (max.as_str(), "192.168.1.240"),
        ],
    ] {
        assert_eq!(
            set(&mut model, &items),
            Ok(vec!["dhcp".to_owned()]),
            "{items:?}"
        );
        expect(&mut model, &items);
    }
    let text = read(&router, "dhcp");
    assert!(
        text.contains("\toption start '200'\n\toption limit '41'\n"),
        "{text}"
    );
    for (path, value) in [
        (&min, "192.168.2.1"),
        (&max, "192.168.1.10"),
        (&of(2, "MinAddress"), "192.168.1.5"),
    ] {
        let refused = set(&mut model, &[(path, value)]).expect_err("no such pool");
        assert_eq!(refused[0].1, 9007, "{path} {value}");
    }
    set(
        &mut model,
        &[(&of(1, "LeaseTime"), "-1"), (&of(3, "LeaseTime"), "7200")],
    )
    .expect("set");
    let text = read(&router, "dhcp");
    assert!(
        text.contains("leasetime 'infinite'") && text.contains("leasetime '2h'"),
        "{text}"
    );
    set(
        &mut model,
        &[
            (&of(1, "IPRouters"), "192.168.1.254"),
            (&of(1, "DNSServers"), ""),
        ],
    )
    .expect("set");
    let text = read(&router, "dhcp");
    assert!(
        text.contains("\tlist dhcp_option '3,192.168.1.254'\n"),
        "{text}"
    );
    assert!(
        text.contains("\tlist dhcp_option '6'\n"),
        "an empty option makes dnsmasq silent: {text}"
    );
    assert!(
        text.contains("\tlist dhcp_option 'option:ntp-server,192.168.1.1'\n"),
        "{text}"
    );
}

// T-OBJ-001
#[test]
fn a_pool_a_fixed_address_and_an_option_are_made_and_go_again() {
    let (router, mut model) = fresh();
    expect(
        &mut model,
        &[
            (&format!("{POOL}1.StaticAddressNumberOfEntries"), "2"),
            (
                &format!("{POOL}1.StaticAddress.1.Chaddr"),
                "02:00:5E:00:53:20",
            ),
            (
                &format!("{POOL}1.StaticAddress.2.Chaddr"),
                "02:00:5E:00:53:40",
            ),
            (&format!("{POOL}3.StaticAddress.1.Yiaddr"), "192.168.3.60"),
            (&format!("{POOL}2.StaticAddressNumberOfEntries"), "0"),
            (&format!("{POOL}1.OptionNumberOfEntries"), "2"),
            (&format!("{POOL}1.Option.1.Tag"), "6"),
            (&format!("{POOL}1.Option.1.Value"), "C0A8010109090909"),
        ],
    );
    let (host, reload) = add(&mut model, &format!("{POOL}3.StaticAddress."));
    assert_eq!(reload, ["dhcp"]);
    assert_eq!(
        host,
        format!("{POOL}3.StaticAddress.2."),
        "an empty one stays in its pool"
    );
    let (mac, ip) = (format!("{host}Chaddr"), format!("{host}Yiaddr"));
    set(
        &mut model,
        &[(&mac, "02:00:5e:00:53:99"), (&ip, "192.168.3.99")],
    )
    .expect("set");
    let text = read(&router, "dhcp");
    assert!(
        text.contains("\toption mac '02:00:5e:00:53:99'\n\toption ip '192.168.3.99'\n"),
        "{text}"
    );
    assert_eq!(
        set(&mut model, &[(&ip, "192.168.1.99")]),
        Err(vec![(ip, 9007)])
    );
    delete(&mut model, &host);
    assert!(!read(&router, "dhcp").contains("53:99"));

    let (option, _) = add(&mut model, &format!("{POOL}1.Option."));
    let (tag, value) = (format!("{option}Tag"), format!("{option}Value"));
    set(&mut model, &[(&tag, "42"), (&value, "C0A80105")]).expect("set");
    assert!(read(&router, "dhcp").contains("\tlist dhcp_option '42,192.168.1.5'\n"));
    expect(
        &mut model,
        &[
            (&tag, "42"),
            (&value, "C0A80105"),
            (&format!("{POOL}1.Option.1.Tag"), "6"),
        ],
    );
    set(&mut model, &[(&value, "0001FF")]).expect("set");
    assert!(read(&router, "dhcp").contains("\tlist dhcp_option '42,00:01:ff'\n"));
    delete(&mut model, &option);
    assert!(!read(&router, "dhcp").contains("'42,"));

    let (pool, _) = add(&mut model, POOL);
    expect(
        &mut model,
        &[
            (&format!("{pool}Enable"), "false"),
            (&format!("{pool}LeaseTime"), "43200"),
        ],
    );
    set(
        &mut model,
        &[(&format!("{pool}Interface"), "Device.IP.Interface.2")],
    )
    .expect("set");
    assert_eq!(
        get(&mut model, &format!("{pool}MaxAddress")),
        "192.168.1.249"
    );
    delete(&mut model, &pool);
    assert!(!read(&router, "dhcp").contains("cwmp_dhcp_4'"));
}

#[test]
fn leases_are_the_clients_of_their_pool_and_the_hosts_of_their_network() {
    let (_router, mut model) = fresh();
    expect(
        &mut model,
        &[
            (&format!("{POOL}1.ClientNumberOfEntries"), "3"),
            (&format!("{POOL}3.ClientNumberOfEntries"), "0"),
            (&format!("{POOL}1.Client.1.Chaddr"), "02:00:5e:00:53:20"),
            (&format!("{POOL}1.Client.1.Active"), "true"),
            (&format!("{POOL}1.Client.2.Active"), "false"),
            (
                &format!("{POOL}1.Client.3.IPv4Address.1.IPAddress"),
                "192.168.1.177",
            ),
            (
                &format!("{POOL}1.Client.1.IPv4Address.1.LeaseTimeRemaining"),
                "2026-11-23T02:27:01Z",
            ),
            (
                "Device.Hosts.Host.1.Layer3Interface",
                "Device.IP.Interface.2",
            ),
            (
                "Device.Hosts.Host.1.IPv4Address.1.IPAddress",
                "192.168.1.20",
            ),
        ],
    );
}

// T-OBJ-001, T-OBJ-011
#[test]
fn servers_are_made_switched_and_keep_their_numbers() {
    let (router, mut model) = fresh();
    expect(
        &mut model,
        &[
            ("Device.DNS.Relay.ForwardNumberOfEntries", "2"),
            (&format!("{FORWARDING}1.DNSServer"), "9.9.9.9"),
            (&format!("{FORWARDING}2.DNSServer"), "149.112.112.112"),
            (&format!("{FORWARDING}2.Enable"), "true"),
            ("Device.DNS.Client.ServerNumberOfEntries", "4"),
            ("Device.DNS.Client.Server.1.Type", "Static"),
            (
                "Device.DNS.Client.Server.1.Interface",
                "Device.IP.Interface.6",
            ),
            ("Device.DNS.Client.Server.2.Type", "IPCP"),
            ("Device.DNS.Client.Server.4.Type", "DHCPv6"),
            ("Device.DNS.Client.Server.4.DNSServer", "2001:db8:f00::53"),
            ("Device.DNS.Relay.Config.1.CacheSize", "1000"),
        ],
    );
    let (row, reload) = add(&mut model, FORWARDING);
    assert_eq!(
        (row.as_str(), reload),
        ("Device.DNS.Relay.Forwarding.3.", vec!["dhcp".to_owned()])
    );
    assert!(
        read(&router, "dhcp").contains("\tlist server '/off-"),
        "no name is asked of nobody"
    );
    let (enable, server) = (format!("{row}Enable"), format!("{row}DNSServer"));
    expect(&mut model, &[(&enable, "false"), (&server, "")]);
    assert_eq!(
        set(&mut model, &[(&enable, "true")]),
        Err(vec![(enable.clone(), 9007)])
    );
    // Whatever the order: what needs another value of the request waits for it.
    set(&mut model, &[(&enable, "true"), (&server, "192.0.2.53")]).expect("set");
    assert!(read(&router, "dhcp").contains("\tlist server '192.0.2.53'\n"));
    // Off and on, with its port, and the number stays over a restart.
    set(&mut model, &[(&format!("{FORWARDING}2.Enable"), "false")]).expect("off");
    assert!(read(&router, "dhcp").contains("\tlist server '/off.invalid/149.112.112.112#53'\n"));
    let mut model = router_model::model(&router, &files());
    expect(
        &mut model,
        &[
            (&format!("{FORWARDING}2.Enable"), "false"),
            (&format!("{FORWARDING}2.DNSServer"), "149.112.112.112"),
            (&server, "192.0.2.53"),
        ],
    );
    set(&mut model, &[(&format!("{FORWARDING}2.Enable"), "true")]).expect("on");
    assert!(read(&router, "dhcp").contains("\tlist server '149.112.112.112#53'\n"));
    // Two entries that say the same would be one.
    let refused = set(&mut model, &[(&server, "9.9.9.9")]).expect_err("it is there");
    assert!(refused.iter().all(|(_, code)| *code == 9007), "{refused:?}");
    delete(&mut model, &format!("{FORWARDING}1."));
    expect(
        &mut model,
        &[
            (&format!("{FORWARDING}2.DNSServer"), "149.112.112.112"),
            (&server, "192.0.2.53"),
        ],
    );
    let text = read(&router, "dhcp");
    assert!(
        text.contains("list server '/corp.example.net/192.168.1.20'")
            && !text.contains("9.9.9.9'\n\tlist server"),
        "{text}"
    );
    assert_eq!(add(&mut model, FORWARDING).0, format!("{FORWARDING}4."));
    set(&mut model, &[("Device.DNS.Relay.Enable", "false")]).expect("set");
    assert!(read(&router, "dhcp").contains("\toption port '0'\n"));
    set(&mut model, &[("Device.DNS.Relay.Enable", "true")]).expect("set");
    assert!(!read(&router, "dhcp").contains("option port"));
}

#[test]
fn what_odhcpd_announces_can_be_set() {
    let (router, mut model) = fresh();
    let of = |n: u32, name: &str| format!("Device.RouterAdvertisement.InterfaceSetting.{n}.{name}");
    expect(
        &mut model,
        &[
            (&of(1, "Enable"), "true"),
            (&of(1, "AdvManagedFlag"), "true"),
            (&of(1, "AdvOtherConfigFlag"), "true"),
            (&of(1, "RDNSS"), "2001:db8:30::1"),
            (&of(1, "MaxRtrAdvInterval"), "600"),
            (&of(3, "Enable"), "false"),
            // odhcpd's own.
            (&of(3, "AdvManagedFlag"), "false"),
            (&of(3, "AdvOtherConfigFlag"), "true"),
            ("Device.DHCPv6.Server.Pool.1.Enable", "true"),
            ("Device.DHCPv6.Server.Pool.3.Status", "Disabled"),
        ],
    );
    set(&mut model, &[(&of(3, "AdvManagedFlag"), "true")]).expect("set");
    let text = read(&router, "dhcp");
    assert!(
        text.contains("\tlist ra_flags 'other-config'\n\tlist ra_flags 'managed-config'\n"),
        "{text}"
    );
    set(
        &mut model,
        &[
            (&of(3, "AdvManagedFlag"), "false"),
            (&of(3, "AdvOtherConfigFlag"), "false"),
        ],
    )
    .expect("set");
    assert!(read(&router, "dhcp").contains("\tlist ra_flags 'none'\n"));
    expect(&mut model, &[(&of(3, "AdvOtherConfigFlag"), "false")]);
}

#[test]
fn leases_of_ipv6_are_no_hosts_with_a_number_for_an_address() {
    let (router, mut model) = fresh();
    let leases = router.read("/tmp/dhcp.leases").expect("leases");
    let more = format!(
        "{leases}duid 00:01:00:01:2a:2b\n1795400821 123456 2001:db8:30::55 laptop 00:01:00:01:aa:bb\n"
    );
    router.write("/tmp/dhcp.leases", &more).expect("written");
    expect(&mut model, &[("Device.Hosts.HostNumberOfEntries", "3")]);
}
