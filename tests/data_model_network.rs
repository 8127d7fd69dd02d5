//! The network's half of the shipped data model: what the sample router's files mean, what
//! a Set makes of them, rows that come and go, and files that are odd.

mod router;
mod router_model;

use cwmp_agent::model::{Model, SetError, SetItem};
use cwmp_agent::source::builtin;
use router::Router;
use std::collections::BTreeMap;

fn files() -> Vec<(String, String)> {
    let files = builtin::FILES.iter();
    files
        .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
        .collect()
}

fn fresh() -> (Router, Model) {
    let router = Router::new().expect("a folder for temporary files");
    let model = router_model::model(&router, &files());
    (router, model)
}

fn set(model: &mut Model, items: &[(&str, &str)]) -> Result<Vec<String>, Vec<(String, u16)>> {
    model.begin();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    match model.set(&items, Some("key")) {
        Ok(outcome) => Ok(outcome.reload),
        Err(SetError::Parameters(faults)) => {
            Err(faults.into_iter().map(|f| (f.path, f.code)).collect())
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn below(model: &mut Model, path: &str) -> BTreeMap<String, String> {
    model.begin();
    let all = model.get(&[path]).unwrap_or_else(|f| panic!("{path}: {f}"));
    all.into_iter().map(|e| (e.path, e.value)).collect()
}

fn get(model: &mut Model, path: &str) -> String {
    below(model, path).remove(path).expect("the value")
}

fn expect(model: &mut Model, values: &[(&str, &str)]) {
    for (path, value) in values {
        assert_eq!(get(model, path), *value, "{path}");
    }
}

fn add(model: &mut Model, table: &str) -> (String, Vec<String>) {
    model.begin();
    let (n, reload) = model
        .add(table, Some("k"))
        .unwrap_or_else(|f| panic!("{table}: {f}"));
    (format!("{table}{n}."), reload)
}

fn delete(model: &mut Model, row: &str) {
    model.begin();
    model
        .delete(row, Some("k"))
        .unwrap_or_else(|f| panic!("{row}: {f}"));
}

fn read(router: &Router, package: &str) -> String {
    router
        .read(&format!("/etc/config/{package}"))
        .expect("a file")
}

/// Replaces a text in a package; it must be there.
fn edit(router: &Router, package: &str, from: &str, to: &str) {
    let text = read(router, package);
    assert!(text.contains(from), "{package} has no {from:?}");
    let path = format!("/etc/config/{package}");
    router
        .write(&path, &text.replacen(from, to, 1))
        .expect("written");
}

const RULE: &str = "Device.Firewall.Chain.1.Rule.";
const POOL: &str = "Device.DHCPv4.Server.Pool.";
const ROUTE: &str = "Device.Routing.Router.1.IPv4Forwarding.";
const FORWARDING: &str = "Device.DNS.Relay.Forwarding.";

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
            ("Device.DHCPv4.Client.1.DNSServers", "203.0.113.53"),
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
    set(&mut model, &[(&format!("{inner}VLANID"), "7")]).expect("set");
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
        assert_eq!(tree["Device.DNS.Client.ServerNumberOfEntries"], "0");
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
