//! Networks as they run: what the kernel, netifd and dnsmasq tell in files, laid over the
//! names that UCI gives. Addresses of IPv4 come from the running kernel, never from below a
//! root. Where ubus is used, netifd says which device a network has and how it is doing, and
//! the rest of what it knows serves where neither kernel nor files say anything.

mod config;
mod kernel;
mod netifd;
mod netlink;
mod stack;

use super::kept::Found;
use super::names::Net;
use super::put_number;
use super::timezone::local_time;
use crate::notation::json;
use crate::source::codec::net::{mask_of, put, put_v4, text_of};
use crate::source::is_row_key;
use crate::source::packages::Packages;
use crate::store::Folders;
use config::Config;
use kernel::Kernel;
use netifd::Netifd;
use nix::sys::socket::AddressFamily;
use serde::Deserialize;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Names of tables listed here.
pub const TABLES: [&str; 8] = [
    "interface_addresses",
    "interface_stack",
    "ipv6_addresses",
    "ipv6_prefixes",
    "links",
    "pool_client_addresses",
    "pool_clients",
    "vlan_ports",
];

/// An address of IPv4: device, address, mask.
type Address4 = (String, Ipv4Addr, Option<Ipv4Addr>);

/// Everything known of networks in one request; what is good while files stay as they are
/// outlasts it.
#[derive(Default)]
pub struct Networks {
    config: Config,
    /// Looked at in this request.
    is_fresh: bool,
    kernel: Kernel,
    netifd: Netifd,
    addresses: Found<Vec<Address4>>,
    /// Which devices are ports of Ethernet, of those that the stack asks for.
    physical: Found<Vec<(String, bool)>>,
    /// The version of the configuration that they are of.
    physical_of: u32,
    /// The network whose state was looked at last in this request.
    state: Option<(String, &'static str)>,
    upstream: OnceCell<Vec<String>>,
}

#[derive(Deserialize, Default)]
struct Board {
    #[serde(default)]
    network: BoardNetwork,
}

#[derive(Deserialize, Default)]
struct BoardNetwork {
    #[serde(default)]
    wan: Option<BoardPorts>,
}

#[derive(Deserialize, Default)]
struct BoardPorts {
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    ports: Vec<String>,
}

impl Networks {
    /// Nothing looked at yet; the configuration that is read is shared. netifd is asked on
    /// the bus at this socket, if there is any.
    pub fn new(packages: Packages, bus: Option<&Path>) -> Networks {
        Networks {
            config: Config::new(packages),
            netifd: Netifd::at(bus),
            ..Networks::default()
        }
    }

    /// A new request begins.
    pub fn begin(&mut self) {
        self.is_fresh = false;
        self.kernel.begin();
        self.netifd.begin();
        self.addresses.begin();
        self.physical.begin();
        self.state = None;
    }

    fn refresh(&mut self, root: &Folders) {
        if !self.is_fresh {
            self.config.refresh(root);
            self.is_fresh = true;
        }
    }

    /// Has netifd say how its networks run, for values that depend on it.
    fn ask(&mut self) {
        if self.netifd.ask() {
            self.config.heard(self.netifd.devices());
        }
    }

    /// The device that carries a network's packets.
    pub fn l3_device(&mut self, root: &Folders, network: &str) -> Option<&str> {
        self.refresh(root);
        self.ask();
        self.config.l3_device(network)
    }

    /// Appends a value of the row that these keys name; `None`: there is none.
    pub fn value(
        &mut self,
        root: &Folders,
        what: Net,
        rows: &[String],
        out: &mut String,
    ) -> Option<()> {
        self.refresh(root);
        if netifd::tells(what) {
            self.ask();
        }
        let row = rows.last().map_or("", String::as_str);
        let around = rows.iter().rev().nth(1).map_or("", String::as_str);
        // Writing to a String does not fail.
        match what {
            Net::InterfaceStatus => out.push_str(self.status(root, row)),
            Net::InterfaceServiceStatus => out.push_str(self.enabled(root, row)),
            Net::InterfaceAddressStatus => out.push_str(self.enabled(root, around)),
            Net::InterfaceDhcpStatus => {
                let state = self.netifd.of(row).map(|n| (n.up, n.pending));
                out.push_str(match state {
                    Some((true, _)) => "Bound",
                    Some((_, true)) => "Selecting",
                    Some(_) => "Init",
                    None if self.of_device(row).next().is_some() => "Bound",
                    None => "Init",
                });
            }
            Net::InterfaceDhcpServer => {
                let _ = write!(out, "{}", self.netifd.of(row)?.dhcp_server?);
            }
            Net::InterfaceConnection => {
                let pending = self.netifd.of(row).is_some_and(|n| n.pending);
                out.push_str(match self.status(root, row) {
                    "Up" => "Connected",
                    _ if pending => "Connecting",
                    _ => "Disconnected",
                });
            }
            Net::InterfaceChange => put_number(self.netifd.of(row)?.uptime?, out),
            Net::InterfaceError => out.push_str(self.netifd.of(row)?.last_error()),
            Net::InterfaceType => out.push_str(self.kind(row)),
            Net::InterfaceMtu => {
                let device = self.config.l3_device(row)?;
                let mtu: u32 = sysfs(root, device, "mtu")?.parse().ok()?;
                // lo has one more than TR-181 can say.
                put_number(u64::from(mtu.min(65_535)), out);
            }
            Net::InterfaceIpv6 => put_bool(self.has_ipv6(root, row), out),
            Net::InterfaceLower => out.push_str(&self.config.interface_lower(row)?),
            Net::LinkLower => {
                if self.config.is_bridge(row) {
                    let _ = write!(out, "Device.Bridging.Bridge.{{i}}.Port.={row}/{row}");
                } else {
                    out.push_str("Device.Ethernet.Interface.=");
                    out.push_str(row);
                }
            }
            Net::PortLower => out.push_str(&self.config.port_lower(around, row).join(",")),
            Net::InterfaceAddress => {
                let (address, _) = self.address(around, row)?;
                put_v4(address, out);
            }
            Net::InterfaceMask => {
                let mask = self.address(around, row)?.1?;
                put_v4(mask, out);
            }
            Net::InterfaceAddressing => {
                out.push_str(match self.config.interface(around)?.proto.as_str() {
                    "dhcp" => "DHCP",
                    "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" => "IPCP",
                    _ => "Static",
                });
            }
            Net::InterfaceIpv4 => {
                let (address, _) = self.of_device(row).next()?;
                put_v4(address, out);
            }
            Net::InterfaceIpv4Mask => {
                let mask = self.of_device(row).next()?.1?;
                put_v4(mask, out);
            }
            Net::InterfacePeer => {
                let device = self.config.l3_device(row)?;
                let mut routes = self.kernel.routes(root).iter();
                let host = Ipv4Addr::BROADCAST;
                let peer = routes
                    .find(|r| r.device == device && r.mask == host && r.gateway.is_unspecified());
                let told = || self.netifd.of(row)?.addresses.first()?.2;
                put_v4(peer.map(|route| route.to).or_else(told)?, out);
            }
            Net::InterfaceRouters => {
                let device = self.config.l3_device(row)?;
                let routes = self.kernel.routes(root).iter();
                let default = routes.filter(|r| {
                    r.device == device && r.to.is_unspecified() && !r.gateway.is_unspecified()
                });
                put_list(default.map(|r| IpAddr::V4(r.gateway)), out);
                if let (true, Some(network)) = (out.is_empty(), self.netifd.of(row)) {
                    put_list(network.routers.iter().copied().map(IpAddr::V4), out);
                }
            }
            Net::InterfaceDns => {
                // Those of the configuration nobody brought along.
                let fixed = self.config.interface(row).map(|network| &network.dns);
                let is_fixed =
                    |a: &IpAddr| fixed.is_some_and(|all| all.iter().any(|f| f.parse() == Ok(*a)));
                let servers = self.kernel.servers(root).iter();
                let own = servers.filter(|(network, a)| network == row && a.is_ipv4());
                let own = own.map(|(_, a)| *a).filter(|a| !is_fixed(a));
                put_list(own.take(2), out);
                if let (true, Some(network)) = (out.is_empty(), self.netifd.of(row)) {
                    let told = network.servers.iter().copied().map(IpAddr::V4);
                    put_list(told.filter(|a| !is_fixed(a)).take(2), out);
                }
            }
            Net::Ipv6Capable => {
                let path = root.path("/proc/net/if_inet6").ok()?;
                put_bool(path.exists(), out);
            }
            Net::Ipv6AddressStatus => {
                let flags = self.address6(root, around, row)?.flags;
                out.push_str(match flags {
                    f if f & 0x08 != 0 => "Duplicate",
                    f if f & 0x04 != 0 => "Optimistic",
                    f if f & 0x40 != 0 => "Tentative",
                    f if f & 0x20 != 0 => "Deprecated",
                    _ => "Preferred",
                });
            }
            Net::Ipv6AddressOrigin => {
                let found = self.address6(root, around, row)?;
                let (address, length) = (found.address, found.length);
                let network = self.config.interface(around)?;
                let own = |text: &String| text.split('/').next() == Some(row);
                out.push_str(
                    if address.is_unicast_link_local() || address.is_loopback() {
                        "WellKnown"
                    } else if network.ip6addr.iter().any(own) {
                        "Static"
                    } else if network.proto == "dhcpv6" && length == 128 {
                        "DHCPv6"
                    } else {
                        "AutoConfigured"
                    },
                );
            }
            Net::Ipv6PrefixOrigin => {
                let network = self.config.interface(around)?;
                out.push_str(if network.ip6prefix.iter().any(|p| p == row) {
                    "Static"
                } else if network.ip6assign {
                    "Child"
                } else {
                    "RouterAdvertisement"
                });
            }
            Net::IsManagementPort => put_bool(row == around, out),
            Net::IsUpstream => {
                put_bool(self.upstream(root).iter().any(|device| device == row), out);
            }
            Net::VlanPortVlan => out.push_str(&self.config.vlan_port(around, row)?.section),
            Net::VlanPortPort => out.push_str(&self.config.vlan_port(around, row)?.port),
            Net::VlanPortUntagged => put_bool(!self.config.vlan_port(around, row)?.tagged, out),
            Net::LeaseAddress => {
                let lease = self.kernel.leases(root).0.of(row)?;
                put_v4(lease.address, out);
            }
            Net::LeaseExpiry => match self.kernel.leases(root).0.of(around)?.expires {
                0 => out.push_str("9999-12-31T23:59:59Z"),
                at => out.push_str(&local_time(at, "UTC0")),
            },
            Net::HostNetwork => {
                let address = self.kernel.leases(root).0.of(row)?.address;
                let mut all = self.config.interfaces.iter();
                let own = |name: &str| {
                    let network = self.config.network_of(name)?;
                    network.offset(address)
                };
                let network = all.find(|i| i.name != "loopback" && own(&i.name).is_some())?;
                out.push_str(&network.name);
            }
            Net::HostActive => put_bool(self.kernel.is_active(root, row), out),
            Net::StackHigher => out.push_str(halves(row, b'>')?.0),
            Net::StackLower => out.push_str(halves(row, b'>')?.1),
        }
        Some(())
    }

    /// A number that stands while the rows of all tables of this name do.
    pub fn version(&mut self, root: &Folders, table: &str) -> u32 {
        self.refresh(root);
        if netifd::tells_rows(table) {
            self.ask();
        }
        // Each of them only grows, and so does their sum.
        let other = match table {
            "interface_addresses" => {
                self.load_addresses();
                self.addresses.version()
            }
            "ipv6_addresses" => self.kernel.addresses6(root).1,
            "ipv6_prefixes" => self.kernel.on_link6(root).1,
            "pool_clients" | "pool_client_addresses" => self.kernel.leases(root).1,
            "interface_stack" => {
                self.load_physical(root);
                self.physical.version()
            }
            _ => 0,
        };
        self.config.version.wrapping_add(other)
    }

    /// The keys of a table's rows.
    pub fn rows(&mut self, root: &Folders, name: &str, parents: &[String]) -> Vec<String> {
        self.refresh(root);
        if netifd::tells_rows(name) {
            self.ask();
        }
        let parent = parents.last().map_or("", String::as_str);
        match name {
            "interface_addresses" => {
                let fixed = self
                    .config
                    .interface(parent)
                    .map_or(0, |i| i.addresses.len());
                let count = match fixed {
                    0 => self.of_device(parent).count(),
                    fixed => fixed,
                };
                (1..=count).map(|n| n.to_string()).collect()
            }
            "ipv6_addresses" => {
                let Some(device) = self.config.l3_device(parent) else {
                    return Vec::new();
                };
                let all = self.kernel.addresses6(root).0.iter();
                let own = all.filter(|a| a.device == device);
                own.map(|a| a.key.clone()).collect()
            }
            "ipv6_prefixes" => {
                let Some(network) = self.config.interface(parent) else {
                    return Vec::new();
                };
                let device = self.config.l3_device(parent).unwrap_or_default();
                let on_link = self.kernel.on_link6(root).0.iter();
                let on_link = on_link
                    .filter(|(d, _)| *d == device)
                    .map(|(_, prefix)| prefix);
                let mut seen = HashSet::new();
                let all = network.ip6prefix.iter().chain(on_link);
                all.filter(|prefix| seen.insert(*prefix)).cloned().collect()
            }
            "links" => self.config.links(),
            "vlan_ports" => {
                let all = self.config.vlan_ports.iter();
                let own = all.filter(|p| p.bridge == parent);
                own.map(|p| p.key.clone()).collect()
            }
            "pool_clients" => {
                let pool = self.config.pools.iter().find(|(key, _)| key == parent);
                let network = pool.and_then(|(_, name)| self.config.network_of(name));
                let Some(network) = network else {
                    return Vec::new();
                };
                let leases = self.kernel.leases(root).0.all.iter();
                let own = leases.filter(|l| network.offset(l.address).is_some());
                own.map(|l| l.mac.clone()).collect()
            }
            "pool_client_addresses" => {
                let lease = self.kernel.leases(root).0.of(parent);
                let text = lease.map(|l| text_of(IpAddr::V4(l.address)));
                text.into_iter().collect()
            }
            "interface_stack" => {
                self.load_physical(root);
                let known = self.physical.now.as_deref().unwrap_or_default();
                self.config.stack(&|device| {
                    let found = known.binary_search_by(|(name, _)| name.as_str().cmp(device));
                    found.is_ok_and(|at| known.get(at).is_some_and(|(_, is)| *is))
                })
            }
            _ => Vec::new(),
        }
    }

    /// Looks which of the devices that the stack asks for are ports of Ethernet.
    fn load_physical(&mut self, root: &Folders) {
        if self.physical.is_checked() {
            return;
        }
        // Which they are only the files of the configuration tell.
        let known = self.physical.now.as_ref();
        let known = known.filter(|_| self.physical_of == self.config.version);
        let mut found = match known {
            Some(known) => known.clone(),
            None => self.config.maybe_ports(),
        };
        self.physical_of = self.config.version;
        let mut path = String::new();
        let mut holds = |device: &str, entry: &str| {
            path.clear();
            for part in ["/sys/class/net/", device, "/", entry] {
                path.push_str(part);
            }
            root.exists(&path)
        };
        for (device, is_port) in &mut found {
            *is_port = is_row_key(device)
                && holds(device, "device")
                && !holds(device, "phy80211")
                && !holds(device, "dsa");
        }
        self.physical.take(found);
    }

    /// TR-181's word for the state of a network's device.
    fn status(&mut self, root: &Folders, name: &str) -> &'static str {
        if let Some((known, state)) = &self.state
            && known == name
        {
            return state;
        }
        let state = self.state_of(root, name);
        self.state = Some((name.to_owned(), state));
        state
    }

    fn state_of(&self, root: &Folders, name: &str) -> &'static str {
        let Some(network) = self.config.interface(name) else {
            return "Unknown";
        };
        if network.disabled {
            return "Down";
        }
        let device = self.config.l3_device(name);
        let state = device.and_then(|device| sysfs(root, device, "operstate"));
        match (self.netifd.of(name), state.as_deref()) {
            (Some(running), _) if running.up => return "Up",
            (Some(running), _) if running.pending => return "Dormant",
            (Some(running), _) if !running.available => return "NotPresent",
            // The device is up, the network on it is not.
            (Some(_), Some("up" | "unknown")) => return "Down",
            _ => {}
        }
        match state.as_deref() {
            // Devices without a carrier of their own, as lo and PPP, say unknown.
            Some("up" | "unknown") => "Up",
            Some("dormant") => "Dormant",
            Some("lowerlayerdown") => "LowerLayerDown",
            Some("notpresent") => "NotPresent",
            Some(_) | None => "Down",
        }
    }

    fn enabled(&mut self, root: &Folders, name: &str) -> &'static str {
        match self.status(root, name) {
            "Up" => "Enabled",
            _ => "Disabled",
        }
    }

    fn kind(&self, name: &str) -> &'static str {
        let Some(network) = self.config.interface(name) else {
            return "Normal";
        };
        match network.proto.as_str() {
            _ if network.device == "lo" => "Loopback",
            "6in4" | "6to4" | "6rd" | "gre" | "gretap" | "grev6" | "ipip" | "vti" | "vxlan"
            | "wireguard" | "dslite" | "map" | "464xlat" => "Tunnel",
            _ => "Normal",
        }
    }

    /// Whether a network has IPv6: the kernel has switched it on for the device, and a PPP
    /// session does not go without.
    fn has_ipv6(&self, root: &Folders, name: &str) -> bool {
        let Some(device) = self.config.l3_device(name) else {
            return false;
        };
        if self.config.interface(name).is_some_and(|i| i.without_ipv6) || !is_row_key(device) {
            return false;
        }
        let path = ["/proc/sys/net/ipv6/conf/", device, "/disable_ipv6"].concat();
        root.read(&path, 64)
            .is_ok_and(|text| text.trim_ascii() == b"0")
    }

    fn load_addresses(&mut self) {
        if !self.addresses.is_checked() {
            self.addresses.take(kernel_addresses().unwrap_or_default());
        }
    }

    /// The addresses that the kernel has for a network, in its order, else those that netifd
    /// gave it.
    fn of_device(
        &mut self,
        name: &str,
    ) -> impl Iterator<Item = (Ipv4Addr, Option<Ipv4Addr>)> + use<'_> {
        self.load_addresses();
        let device = self.config.l3_device(name).unwrap_or_default();
        let all = self.addresses.now.as_deref().unwrap_or_default().iter();
        let own = all.filter(move |(d, _, _)| *d == device);
        let mut own = own.map(|(_, address, mask)| (*address, *mask)).peekable();
        let told = match own.peek() {
            Some(_) => None,
            None => self.netifd.of(name),
        };
        let told = told.into_iter().flat_map(|network| &network.addresses);
        own.chain(told.map(|(address, mask, _)| (*address, *mask)))
    }

    /// The address that a row is, by its place.
    fn address(&mut self, name: &str, place: &str) -> Option<(Ipv4Addr, Option<Ipv4Addr>)> {
        let n = place.parse::<usize>().ok()?.checked_sub(1)?;
        self.of_device(name).nth(n)
    }

    fn address6(&mut self, root: &Folders, name: &str, address: &str) -> Option<&kernel::Address6> {
        let device = self.config.l3_device(name)?;
        let mut all = self.kernel.addresses6(root).0.iter();
        all.find(|a| a.key == address && a.device == device)
    }

    /// The ports that the board's maker calls WAN.
    fn upstream(&self, root: &Folders) -> &[String] {
        self.upstream.get_or_init(|| {
            let bytes = root.read("/etc/board.json", 1 << 18).unwrap_or_default();
            let board: Board = json::read(&bytes).unwrap_or_default();
            let wan = board.network.wan.unwrap_or_default();
            wan.device.into_iter().chain(wan.ports).collect()
        })
    }
}

/// A row's key of two parts.
fn halves(key: &str, between: u8) -> Option<(&str, &str)> {
    let at = key.bytes().position(|b| b == between)?;
    Some((key.get(..at)?, key.get(at + 1..)?))
}

/// A small file of a device in sysfs.
fn sysfs(root: &Folders, device: &str, file: &str) -> Option<String> {
    if !is_row_key(device) {
        return None;
    }
    let path = ["/sys/class/net/", device, "/", file].concat();
    let bytes = root.read(&path, 256).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn put_bool(is: bool, out: &mut String) {
    out.push(if is { '1' } else { '0' });
}

fn put_list(items: impl Iterator<Item = IpAddr>, out: &mut String) {
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        put(item, out);
    }
}

/// The kernel's addresses of IPv4, in its order.
fn kernel_addresses() -> Result<Vec<Address4>, String> {
    let all = netlink::addresses(AddressFamily::Inet)?.into_iter();
    let all = all.filter_map(|a| match a.ip {
        IpAddr::V4(ip) => Some((a.device, ip, Some(mask_of(a.length)))),
        IpAddr::V6(_) => None,
    });
    Ok(all.collect())
}

/// An IPv4 address and its mask: of the device that the innermost row is, or the address
/// that the innermost row is, on the device around it.
pub fn ipv4(rows: &[String]) -> Result<Option<(String, Option<String>)>, String> {
    let Some(last) = rows.last() else {
        return Ok(None);
    };
    let (device, wanted) = match (last.parse::<Ipv4Addr>(), rows.iter().rev().nth(1)) {
        (Ok(address), Some(device)) => (device, Some(address)),
        _ => (last, None),
    };
    Ok(all_ipv4(device)?
        .into_iter()
        .find(|(address, _)| wanted.is_none_or(|w| w == *address))
        .map(|(address, mask)| (address.to_string(), mask.map(|m| m.to_string()))))
}

/// The IPv4 addresses of a device, in the kernel's order.
pub fn ipv4_addresses(device: &str) -> Result<Vec<String>, String> {
    Ok(all_ipv4(device)?
        .into_iter()
        .map(|(a, _)| a.to_string())
        .collect())
}

/// The first IPv6 address of a device that is not link-local.
pub fn ipv6(device: &str) -> Result<Option<String>, String> {
    let Ok(index) = nix::net::if_::if_nametoindex(device) else {
        return Ok(None);
    };
    let all = netlink::addresses(AddressFamily::Inet6)?.into_iter();
    let mut own = all.filter(|a| a.index == index).filter_map(|a| match a.ip {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    });
    let first = own.find(|ip| !ip.is_unicast_link_local());
    Ok(first.map(|ip| ip.to_string()))
}

fn all_ipv4(device: &str) -> Result<Vec<(Ipv4Addr, Option<Ipv4Addr>)>, String> {
    let all = kernel_addresses()?.into_iter();
    let own = all.filter(|(name, ..)| name == device);
    Ok(own.map(|(_, address, mask)| (address, mask)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|k| (*k).to_owned()).collect()
    }

    #[test]
    fn the_loopback_device_has_its_address_and_mask() {
        let expected = Some(("127.0.0.1".to_owned(), Some("255.0.0.0".to_owned())));
        assert_eq!(ipv4(&rows(&["lo"])), Ok(expected.clone()));
        assert_eq!(ipv4(&rows(&["lo", "127.0.0.1"])), Ok(expected));
        assert_eq!(ipv4(&rows(&["lo", "192.0.2.1"])), Ok(None));
        assert_eq!(ipv4(&rows(&["no-such-dev"])), Ok(None));
        assert_eq!(ipv4(&[]), Ok(None));
        assert!(ipv4_addresses("lo").is_ok_and(|all| all.contains(&"127.0.0.1".to_owned())));
        assert_eq!(ipv6("no-such-dev"), Ok(None));
    }
}
