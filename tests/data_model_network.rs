//! Networks in the shipped data model: ports, bridges, VLANs, addresses, sessions and
//! routes as the sample router's files mean them, what a Set makes of them, rows that come
//! and go, and files that are odd.

mod data_model_support;
mod router;
mod router_model;

use cwmp_agent::model::Model;
use data_model_support::{add, below, delete, edit, expect, fresh, get, read, set};

const RULE: &str = "Device.Firewall.Chain.1.Rule.";
const POOL: &str = "Device.DHCPv4.Server.Pool.";
const ROUTE: &str = "Device.Routing.Router.1.IPv4Forwarding.";

#[test]
fn ports_links_vlans_and_bridges_lie_on_each_other() {
    let (_router, mut model) = fresh();
    expect(
        &mut model,
        &[
            ("Device.Ethernet.Interface.6.Upstream", "true"),
            ("Device.Ethernet.Interface.2.Upstream", "false"),
            ("Device.Ethernet.Interface.2.MaxBitRate", "-1"),
            ("Device.Ethernet.Interface.2.DuplexMode", "Auto"),
            (
                "Device.Ethernet.Interface.6.Stats.BytesReceived",
                "46120344102",
            ),
            (
                "Device.Ethernet.Interface.6.Stats.DiscardPacketsReceived",
                "12",
            ),
            ("Device.Ethernet.Link.1.Name", "br-lan"),
            (
                "Device.Ethernet.Link.1.LowerLayers",
                "Device.Bridging.Bridge.1.Port.1",
            ),
            ("Device.Ethernet.Link.1.MTU", "1500"),
            ("Device.Ethernet.Link.1.MACAddress", "02:00:5e:10:20:2f"),
            ("Device.Ethernet.Link.2.Name", "wan"),
            (
                "Device.Ethernet.Link.2.LowerLayers",
                "Device.Ethernet.Interface.6",
            ),
            ("Device.Ethernet.Link.2.MACAddress", "02:00:5e:10:20:30"),
            ("Device.Ethernet.VLANTermination.1.Name", "wan.20"),
            ("Device.Ethernet.VLANTermination.1.VLANID", "20"),
            (
                "Device.Ethernet.VLANTermination.1.LowerLayers",
                "Device.Ethernet.Link.2",
            ),
            ("Device.Ethernet.VLANTermination.1.Status", "Up"),
            ("Device.Bridging.Bridge.1.Status", "Enabled"),
            ("Device.Bridging.Bridge.1.Standard", "802.1Q-2011"),
            ("Device.Bridging.Bridge.1.STP.Enable", "true"),
            ("Device.Bridging.Bridge.1.STP.Status", "Enabled"),
            ("Device.Bridging.Bridge.1.STP.BridgePriority", "32767"),
            ("Device.Bridging.Bridge.1.PortNumberOfEntries", "5"),
            ("Device.Bridging.Bridge.1.Port.1.ManagementPort", "true"),
            ("Device.Bridging.Bridge.1.Port.2.ManagementPort", "false"),
            (
                "Device.Bridging.Bridge.1.Port.2.LowerLayers",
                "Device.Ethernet.Interface.2",
            ),
            ("Device.Bridging.Bridge.1.Port.2.PortState", "Forwarding"),
            ("Device.Bridging.Bridge.1.VLAN.2.VLANID", "30"),
            ("Device.Bridging.Bridge.1.VLAN.2.Name", "cellar"),
            ("Device.Bridging.Bridge.1.VLANPortNumberOfEntries", "5"),
            (
                "Device.Bridging.Bridge.1.VLANPort.5.VLAN",
                "Device.Bridging.Bridge.1.VLAN.2",
            ),
            (
                "Device.Bridging.Bridge.1.VLANPort.5.Port",
                "Device.Bridging.Bridge.1.Port.5",
            ),
            ("Device.Bridging.Bridge.1.VLANPort.5.Untagged", "false"),
            ("Device.Bridging.Bridge.1.VLANPort.1.Untagged", "true"),
            ("Device.Bridging.Bridge.2.Status", "Disabled"),
            ("Device.Bridging.Bridge.2.Standard", "802.1D-2004"),
        ],
    );
    let mgmt = get(&mut model, "Device.Bridging.Bridge.1.Port.1.LowerLayers");
    assert_eq!(mgmt.split(',').count(), 4, "{mgmt}");
}

// T-DM-003, T-DM-010
#[test]
fn the_interface_stack_is_what_the_lower_layers_say() {
    let (_router, mut model) = fresh();
    stack_follows(&mut model);
    let path = "Device.PPP.Interface.1.LowerLayers";
    let vlan = "Device.Ethernet.VLANTermination.1";
    set(&mut model, &[(path, vlan)]).expect("PPP on the VLAN");
    stack_follows(&mut model);
    assert_eq!(get(&mut model, path), vlan);
}

#[test]
fn a_modem_that_is_no_network_device_is_no_link() {
    let (router, mut model) = fresh();
    let before = below(&mut model, "Device.InterfaceStack.");
    let modem = "\nconfig interface 'lte'\n\toption proto 'qmi'\n\toption device '/dev/cdc-wdm0'\n";
    let network = read(&router, "network") + modem;
    router
        .write("/etc/config/network", &network)
        .expect("written");
    assert_eq!(below(&mut model, "Device.InterfaceStack."), before);
    expect(&mut model, &[("Device.IP.Interface.7.LowerLayers", "")]);
}

#[test]
fn the_processors_end_of_a_switch_is_no_port() {
    let (router, mut model) = fresh();
    let names = |model: &mut Model| -> Vec<String> {
        let all = below(model, "Device.Ethernet.Interface.").into_iter();
        let all = all.filter(|(path, _)| path.ends_with(".Name"));
        all.map(|(_, name)| name).collect()
    };
    assert!(names(&mut model).contains(&"eth0".to_owned()));
    router
        .write("/sys/class/net/eth0/dsa/tagging", "mtk\n")
        .expect("written");
    let now = names(&mut model);
    assert!(
        !now.contains(&"eth0".to_owned()) && now.contains(&"lan1".to_owned()),
        "{now:?}"
    );
}

fn stack_follows(model: &mut Model) {
    let tree = below(model, "Device.");
    let mut stack: Vec<(String, String)> = Vec::new();
    for (path, higher) in &tree {
        let row = path.strip_prefix("Device.InterfaceStack.");
        if let Some(row) = row.and_then(|r| r.strip_suffix(".HigherLayer")) {
            let lower = tree[&format!("Device.InterfaceStack.{row}.LowerLayer")].clone();
            stack.push((higher.clone(), lower));
        }
    }
    stack.sort();
    let ours = [
        "Device.IP.",
        "Device.PPP.",
        "Device.Ethernet.",
        "Device.Bridging.",
    ];
    let mut lower: Vec<(String, String)> = Vec::new();
    for (path, value) in &tree {
        let Some(row) = path.strip_suffix(".LowerLayers") else {
            continue;
        };
        if ours.iter().any(|o| row.starts_with(o)) {
            let layers = value.split(',').filter(|l| !l.is_empty());
            lower.extend(layers.map(|l| (row.to_owned(), l.to_owned())));
        }
    }
    lower.sort();
    assert_eq!(stack, lower);
    assert!(stack.len() >= 12, "{stack:?}");
}

#[test]
fn networks_have_their_state_their_addresses_and_their_layers() {
    let (_router, mut model) = fresh();
    expect(
        &mut model,
        &[
            ("Device.IP.IPv6Capable", "true"),
            ("Device.IP.Interface.1.Type", "Loopback"),
            ("Device.IP.Interface.1.LowerLayers", ""),
            ("Device.IP.Interface.2.Status", "Up"),
            (
                "Device.IP.Interface.2.LowerLayers",
                "Device.Ethernet.Link.1",
            ),
            ("Device.IP.Interface.2.Router", "Device.Routing.Router.1"),
            ("Device.IP.Interface.2.IPv6Enable", "true"),
            ("Device.IP.Interface.2.Stats.BytesReceived", "51120344102"),
            (
                "Device.IP.Interface.2.IPv4Address.1.IPAddress",
                "192.168.1.1",
            ),
            (
                "Device.IP.Interface.2.IPv4Address.1.SubnetMask",
                "255.255.255.0",
            ),
            (
                "Device.IP.Interface.2.IPv4Address.1.AddressingType",
                "Static",
            ),
            ("Device.IP.Interface.2.IPv4Address.1.Status", "Enabled"),
            ("Device.IP.Interface.2.IPv6Address.1.Origin", "WellKnown"),
            (
                "Device.IP.Interface.2.IPv6Address.2.IPAddress",
                "2001:db8:30::1",
            ),
            (
                "Device.IP.Interface.2.IPv6Address.2.IPAddressStatus",
                "Preferred",
            ),
            (
                "Device.IP.Interface.2.IPv6Prefix.1.Prefix",
                "2001:db8:30::/60",
            ),
            ("Device.IP.Interface.2.IPv6Prefix.1.Origin", "Static"),
            ("Device.IP.Interface.2.IPv6Prefix.2.Origin", "Child"),
            (
                "Device.IP.Interface.3.LowerLayers",
                "Device.PPP.Interface.1",
            ),
            ("Device.IP.Interface.3.MaxMTUSize", "1492"),
            (
                "Device.IP.Interface.4.LowerLayers",
                "Device.PPP.Interface.1",
            ),
            ("Device.IP.Interface.4.Status", "Up"),
            ("Device.IP.Interface.5.Status", "Down"),
            (
                "Device.IP.Interface.5.IPv4Address.2.IPAddress",
                "192.168.33.1",
            ),
            (
                "Device.IP.Interface.5.IPv4Address.2.SubnetMask",
                "255.255.255.0",
            ),
            ("Device.IP.Interface.5.IPv4Address.2.Status", "Disabled"),
            (
                "Device.IP.Interface.6.LowerLayers",
                "Device.Ethernet.VLANTermination.1",
            ),
            ("Device.IP.Interface.6.IPv6Enable", "false"),
            ("Device.IP.Interface.6.MaxMTUSize", "1500"),
            (
                "Device.PPP.Interface.1.LowerLayers",
                "Device.Ethernet.Link.2",
            ),
            ("Device.PPP.Interface.1.ConnectionStatus", "Connected"),
            ("Device.PPP.Interface.1.ConnectionTrigger", "AlwaysOn"),
            ("Device.PPP.Interface.1.LCPEcho", "10"),
            ("Device.PPP.Interface.1.LCPEchoRetry", "5"),
            ("Device.PPP.Interface.1.CurrentMRUSize", "1492"),
            ("Device.PPP.Interface.1.IPCP.RemoteIPAddress", "203.0.113.1"),
            (
                "Device.PPP.Interface.1.IPCP.DNSServers",
                "198.51.100.53,198.51.100.54",
            ),
            ("Device.DHCPv4.Client.1.Interface", "Device.IP.Interface.6"),
            ("Device.DHCPv4.Client.1.Status", "Enabled"),
            ("Device.DHCPv4.Client.1.IPRouters", "10.64.0.1"),
            // It has one, but of its configuration.
            ("Device.DHCPv4.Client.1.DNSServers", ""),
            ("Device.DHCPv6.Client.1.Interface", "Device.IP.Interface.4"),
            ("Device.DHCPv6.Client.1.RequestPrefixes", "true"),
        ],
    );
}

#[test]
fn the_loopbacks_address_in_force_is_the_kernels() {
    // Only `lo` is the same on every machine that runs this.
    let (router, mut model) = fresh();
    edit(
        &router,
        "network",
        "option proto 'static'\n\toption ipaddr '127.0.0.1'\n\toption netmask '255.0.0.0'",
        "option proto 'dhcp'",
    );
    expect(
        &mut model,
        &[
            ("Device.IP.Interface.1.IPv4Address.1.IPAddress", "127.0.0.1"),
            (
                "Device.IP.Interface.1.IPv4Address.1.SubnetMask",
                "255.0.0.0",
            ),
            ("Device.IP.Interface.1.IPv4Address.1.AddressingType", "DHCP"),
            ("Device.DHCPv4.Client.1.IPAddress", "127.0.0.1"),
            ("Device.DHCPv4.Client.1.SubnetMask", "255.0.0.0"),
            ("Device.DHCPv4.Client.1.DHCPStatus", "Bound"),
            ("Device.DHCPv4.Client.2.DHCPStatus", "Init"),
        ],
    );
    let path = "Device.IP.Interface.1.IPv4Address.1.IPAddress";
    assert_eq!(
        set(&mut model, &[(path, "127.0.0.2")]),
        Err(vec![(path.to_owned(), 9007)])
    );
}

#[test]
fn an_address_keeps_the_form_that_the_file_has() {
    let (router, mut model) = fresh();
    let of =
        |net: u32, n: u32, name: &str| format!("Device.IP.Interface.{net}.IPv4Address.{n}.{name}");
    let reload = set(
        &mut model,
        &[
            (&of(5, 2, "IPAddress"), "192.168.44.1"),
            (&of(5, 2, "SubnetMask"), "255.255.252.0"),
        ],
    );
    assert_eq!(reload, Ok(vec!["network".to_owned()]));
    set(
        &mut model,
        &[
            (&of(2, 1, "SubnetMask"), "255.255.254.0"),
            (&of(2, 1, "IPAddress"), "192.168.2.1"),
        ],
    )
    .expect("set");
    let text = read(&router, "network");
    assert!(
        text.contains("\tlist ipaddr '192.168.3.1/24'\n\tlist ipaddr '192.168.44.1/22'\n"),
        "{text}"
    );
    assert!(
        text.contains("\toption ipaddr '192.168.2.1'\n\toption netmask '255.255.254.0'\n"),
        "{text}"
    );
    let mask = of(5, 1, "SubnetMask");
    assert_eq!(
        set(&mut model, &[(&mask, "255.0.255.0")]),
        Err(vec![(mask, 9007)])
    );
}

#[test]
fn a_device_gets_a_section_when_it_gets_a_setting() {
    let (router, mut model) = fresh();
    let reload = set(
        &mut model,
        &[
            ("Device.Ethernet.Interface.3.MaxBitRate", "100"),
            ("Device.Ethernet.Interface.3.DuplexMode", "Half"),
        ],
    );
    assert_eq!(reload, Ok(vec!["network".to_owned()]));
    let text = read(&router, "network");
    let section = "config device 'cwmp_device_1'\n\toption name 'lan2'\n";
    assert_eq!(text.matches(section).count(), 1, "{text}");
    assert!(
        text.contains("\toption speed '100'") && text.contains("\toption duplex '0'"),
        "{text}"
    );
    // The device that has a section keeps it, without a name.
    set(&mut model, &[("Device.Ethernet.Link.2.MTU", "1508")]).expect("set");
    let text = read(&router, "network");
    assert!(text.contains("config device\n\toption name 'wan'\n\toption macaddr '02:00:5e:10:20:30'\n\toption mtu '1508'\n"), "{text}");
}

// T-OBJ-001
#[test]
fn vlans_and_bridges_are_made_off_and_go_again() {
    let (router, mut model) = fresh();
    let before = read(&router, "network");
    let (vlan, reload) = add(&mut model, "Device.Ethernet.VLANTermination.");
    assert_eq!(reload, ["network"]);
    let name = get(&mut model, &format!("{vlan}Name"));
    expect(
        &mut model,
        &[
            (&format!("{vlan}Enable"), "false"),
            (&format!("{vlan}Status"), "Down"),
        ],
    );
    set(
        &mut model,
        &[
            (&format!("{vlan}LowerLayers"), "Device.Ethernet.Link.2"),
            (&format!("{vlan}VLANID"), "40"),
            (&format!("{vlan}Enable"), "true"),
        ],
    )
    .expect("set");
    let text = read(&router, "network");
    assert!(
        text.contains(&format!("\toption name '{name}'\n")),
        "{text}"
    );
    assert!(
        text.contains("\toption ifname 'wan'\n\toption vid '40'\n"),
        "{text}"
    );
    let (bridge, _) = add(&mut model, "Device.Bridging.Bridge.");
    let (inner, _) = add(&mut model, &format!("{bridge}VLAN."));
    let (number, enable) = (format!("{inner}VLANID"), format!("{inner}Enable"));
    set(&mut model, &[(&number, "7"), (&enable, "true")]).expect("set");
    let bridge_name = get(&mut model, &format!("{bridge}Name"));
    let text = read(&router, "network");
    assert!(
        text.contains(&format!(
            "\toption device '{bridge_name}'\n\toption vlan '7'\n"
        )),
        "{text}"
    );
    assert_eq!(get(&mut model, &format!("{bridge}Standard")), "802.1Q-2011");
    delete(&mut model, &bridge);
    delete(&mut model, &vlan);
    let after = read(&router, "network");
    assert!(
        !after.contains(&bridge_name) && !after.contains(&name),
        "{after}"
    );
    let names = |text: &str| text.matches("config ").count();
    assert_eq!(
        names(&after),
        names(&before),
        "the VLANs went with their bridge"
    );
    // The networks are as they were: a device's name is no section's.
    expect(
        &mut model,
        &[
            ("Device.IP.Interface.3.Name", "wan"),
            ("Device.Ethernet.Link.2.Name", "wan"),
        ],
    );
}

// T-OBJ-001
#[test]
fn a_route_keeps_its_form_and_a_new_one_is_off() {
    let (router, mut model) = fresh();
    expect(
        &mut model,
        &[
            (&format!("{ROUTE}1.DestIPAddress"), "10.20.0.0"),
            (&format!("{ROUTE}1.DestSubnetMask"), "255.255.0.0"),
            (&format!("{ROUTE}1.Interface"), "Device.IP.Interface.2"),
            (&format!("{ROUTE}1.ForwardingMetric"), "-1"),
            (&format!("{ROUTE}2.DestSubnetMask"), "255.255.255.0"),
            (&format!("{ROUTE}2.ForwardingMetric"), "20"),
            (&format!("{ROUTE}2.Status"), "Disabled"),
            ("Device.Routing.Router.1.Status", "Enabled"),
            (
                "Device.Routing.Router.1.IPv6Forwarding.1.DestIPPrefix",
                "2001:db8:40::/48",
            ),
        ],
    );
    set(
        &mut model,
        &[
            (&format!("{ROUTE}1.DestSubnetMask"), "255.0.0.0"),
            (&format!("{ROUTE}2.DestSubnetMask"), "255.255.0.0"),
        ],
    )
    .expect("set");
    let text = read(&router, "network");
    assert!(
        text.contains("\toption target '10.20.0.0/8'\n")
            && text.contains("\toption netmask '255.255.0.0'\n"),
        "{text}"
    );
    let (row, reload) = add(&mut model, ROUTE);
    assert_eq!(reload, ["network"]);
    let of = |name: &str| format!("{row}{name}");
    expect(
        &mut model,
        &[
            (&of("Enable"), "false"),
            (&of("DestIPAddress"), ""),
            (&of("DestSubnetMask"), ""),
        ],
    );
    // The mask first, and the address after it.
    set(
        &mut model,
        &[
            (&of("DestSubnetMask"), "255.255.255.128"),
            (&of("DestIPAddress"), "10.9.8.0"),
            (&of("GatewayIPAddress"), "192.168.1.9"),
            (&of("Interface"), "Device.IP.Interface.2"),
            (&of("ForwardingMetric"), "5"),
            (&of("Type"), "Blackhole"),
            (&of("Enable"), "true"),
        ],
    )
    .expect("set");
    let text = read(&router, "network");
    for line in [
        "option target '10.9.8.0'",
        "option netmask '255.255.255.128'",
        "option gateway '192.168.1.9'",
        "option interface 'lan'",
        "option metric '5'",
        "option type 'blackhole'",
        "option disabled '0'",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    delete(&mut model, &row);
    assert!(!read(&router, "network").contains("10.9.8.0"));
    let (row, _) = add(&mut model, "Device.Routing.Router.1.IPv6Forwarding.");
    set(
        &mut model,
        &[
            (&format!("{row}DestIPPrefix"), "2001:db8:99::/48"),
            (&format!("{row}NextHop"), "fe80::9"),
        ],
    )
    .expect("set");
    assert!(
        read(&router, "network")
            .contains("\toption target '2001:db8:99::/48'\n\toption gateway 'fe80::9'\n")
    );
}

#[test]
fn a_session_on_demand_is_made_by_its_idle_time() {
    let (router, mut model) = fresh();
    let (trigger, idle) = (
        "Device.PPP.Interface.1.ConnectionTrigger",
        "Device.PPP.Interface.1.IdleDisconnectTime",
    );
    assert_eq!(
        set(&mut model, &[(trigger, "OnDemand")]),
        Err(vec![(trigger.to_owned(), 9007)])
    );
    set(&mut model, &[(trigger, "OnDemand"), (idle, "300")]).expect("on demand");
    assert!(read(&router, "network").contains("\toption demand '300'\n"));
    set(&mut model, &[(trigger, "AlwaysOn")]).expect("always on");
    assert!(!read(&router, "network").contains("demand"));
}

#[test]
fn odd_files_take_away_what_they_spoil_and_nothing_else() {
    let (router, mut model) = fresh();
    let whole = below(&mut model, "Device.").len();
    edit(
        &router,
        "dhcp",
        "option leasetime '12h'",
        "option leasetime 'long'",
    );
    edit(
        &router,
        "dhcp",
        "option start '100'",
        "option start 'first'",
    );
    edit(
        &router,
        "firewall",
        "option proto\t\ticmp",
        "option proto\t\t'tcp udp'",
    );
    edit(
        &router,
        "network",
        "list ipaddr '192.168.33.1/24'",
        "list ipaddr 'nowhere'",
    );
    let tree = below(&mut model, "Device.");
    let gone = |path: &str| !tree.contains_key(path);
    assert!(gone(&format!("{POOL}1.LeaseTime")) && gone(&format!("{RULE}2.Protocol")));
    assert_eq!(tree[&format!("{POOL}1.MinAddress")], "");
    assert_eq!(tree[&format!("{POOL}1.SubnetMask")], "255.255.255.0");
    assert!(tree.len() + 12 > whole, "{} of {whole}", tree.len());
    model.begin();
    let fault = model
        .get(&[&format!("{RULE}2.Protocol")])
        .expect_err("no number");
    assert_eq!(fault.code, 9002);

    for junk in [
        "",
        "\u{fffd}\n",
        "a b c d e f g h i j k\n",
        &"x ".repeat(5000),
    ] {
        for file in [
            "proc/net/dev",
            "proc/net/route",
            "proc/net/if_inet6",
            "proc/net/ipv6_route",
            "proc/net/arp",
            "tmp/dhcp.leases",
            "tmp/resolv.conf.d/resolv.conf.auto",
            "etc/board.json",
        ] {
            router.write(file, junk).expect("written");
        }
        let tree = below(&mut model, "Device.");
        assert_eq!(tree["Device.IP.Interface.2.Stats.BytesSent"], "0");
        // The one of the configuration.
        assert_eq!(tree["Device.DNS.Client.ServerNumberOfEntries"], "1");
        assert_eq!(tree["Device.IP.Interface.2.Name"], "lan");
    }

    // No file of networks, and one that breaks off: the rest reads.
    for broken in ["", "config interface 'x\n"] {
        router
            .write("/etc/config/network", broken)
            .expect("written");
        let tree = below(&mut model, "Device.");
        assert_eq!(tree[&format!("{POOL}3.LeaseTime")], "1800");
        assert!(
            tree.contains_key(&format!("{RULE}1.Protocol")),
            "{broken:?}"
        );
        assert!(
            !tree.keys().any(|p| p.starts_with("Device.Ethernet.Link.")),
            "{broken:?}"
        );
    }
}
