//! Networks as they run: what the kernel, netifd and dnsmasq tell in files, laid over the
//! names that UCI gives. Addresses of IPv4 come from the running kernel, never from below a
//! root.

mod config;
mod kernel;
mod stack;

use super::timezone::local_time;
use crate::source::is_row_key;
use crate::store::Folders;
use config::Config;
use kernel::{COUNTERS, Kernel};
use nix::ifaddrs::InterfaceAddressIterator;
use serde::Deserialize;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Names of values computed here, but for the counters.
pub const VALUES: [&str; 32] = [
    "dns_server_address",
    "dns_server_network",
    "dns_server_type",
    "host_network",
    "interface_address",
    "interface_address_status",
    "interface_addressing",
    "interface_dhcp_status",
    "interface_dns",
    "interface_ipv4",
    "interface_ipv4_mask",
    "interface_ipv6",
    "interface_lower",
    "interface_mask",
    "interface_mtu",
    "interface_peer",
    "interface_routers",
    "interface_service_status",
    "interface_status",
    "interface_type",
    "ipv6_address_origin",
    "ipv6_address_status",
    "ipv6_capable",
    "ipv6_prefix_origin",
    "is_management_port",
    "is_upstream",
    "lease_address",
    "lease_expiry",
    "link_lower",
    "port_lower",
    "stack_higher",
    "stack_lower",
];

/// Further values: of the ports of VLANs and of hosts.
pub const MORE: [&str; 4] = [
    "host_active",
    "vlan_port_port",
    "vlan_port_untagged",
    "vlan_port_vlan",
];

/// Names of tables listed here.
pub const TABLES: [&str; 9] = [
    "interface_addresses",
    "interface_stack",
    "ipv6_addresses",
    "ipv6_prefixes",
    "links",
    "name_servers",
    "pool_client_addresses",
    "pool_clients",
    "vlan_ports",
];

/// Whether a name is a counter: `device_` or `interface_` and a name of sysfs.
pub fn is_counter(name: &str) -> bool {
    counter(name).is_some()
}

/// The kind of row, and the column in `/proc/net/dev`.
fn counter(name: &str) -> Option<(bool, usize)> {
    let (of_interface, name) = match name.strip_prefix("interface_") {
        Some(rest) => (true, rest),
        None => (false, name.strip_prefix("device_")?),
    };
    let found = COUNTERS.iter().find(|(counter, _)| *counter == name);
    found.map(|(_, column)| (of_interface, *column))
}

/// Everything known of networks in one request; the configuration outlasts it.
#[derive(Default)]
pub struct Networks {
    config: Config,
    /// Looked at in this request.
    is_fresh: bool,
    kernel: Kernel,
    addresses: OnceCell<Vec<(String, Ipv4Addr, Option<Ipv4Addr>)>>,
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
    /// A new request begins.
    pub fn clear(&mut self) {
        self.is_fresh = false;
        self.kernel = Kernel::default();
        self.addresses.take();
    }

    fn refresh(&mut self, root: &Folders) {
        if !self.is_fresh {
            self.config.refresh(root);
            self.is_fresh = true;
        }
    }

    /// A value of the row that these keys name; `None`: there is none.
    pub fn value(&mut self, root: &Folders, name: &str, rows: &[String]) -> Option<String> {
        self.refresh(root);
        let row = rows.last().map_or("", String::as_str);
        let around = rows.iter().rev().nth(1).map_or("", String::as_str);
        if let Some((of_interface, column)) = counter(name) {
            let l3;
            let device = if of_interface {
                l3 = self.config.l3_device(row)?;
                &*l3
            } else {
                row
            };
            return self
                .kernel
                .counter(root, device, column)
                .map(|n| n.to_string());
        }
        let word = |text: &str| Some(text.to_owned());
        let boolean = |is: bool| word(if is { "1" } else { "0" });
        match name {
            "interface_status" => word(self.status(root, row)),
            "interface_service_status" => word(self.enabled(root, row)),
            "interface_address_status" => word(self.enabled(root, around)),
            "interface_dhcp_status" => {
                let bound = self.of_device(row).next().is_some();
                word(if bound { "Bound" } else { "Init" })
            }
            "interface_type" => word(self.kind(row)),
            "interface_mtu" => {
                let device = self.config.l3_device(row)?;
                let mtu: u32 = sysfs(root, &device, "mtu")?.parse().ok()?;
                // lo has one more than TR-181 can say.
                Some(mtu.min(65_535).to_string())
            }
            "interface_ipv6" => boolean(self.has_ipv6(root, row)),
            "interface_lower" => self.config.interface_lower(row),
            "link_lower" => {
                if self.config.is_bridge(row) {
                    return Some(format!("Device.Bridging.Bridge.{{i}}.Port.={row}/{row}"));
                }
                Some(format!("Device.Ethernet.Interface.={row}"))
            }
            "port_lower" => Some(self.config.port_lower(around, row).join(",")),
            "interface_address" => self.address(around, row).map(|a| a.0.to_string()),
            "interface_mask" => self.address(around, row)?.1.map(|mask| mask.to_string()),
            "interface_addressing" => word(match self.config.interface(around)?.proto.as_str() {
                "dhcp" => "DHCP",
                "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" => "IPCP",
                _ => "Static",
            }),
            "interface_ipv4" => self.of_device(row).next().map(|(_, a, _)| a.to_string()),
            "interface_ipv4_mask" => self.of_device(row).next()?.2.map(|m| m.to_string()),
            "interface_peer" => {
                let device = self.config.l3_device(row)?;
                let mut routes = self.kernel.routes(root).iter();
                let host = Ipv4Addr::BROADCAST;
                let peer = routes
                    .find(|r| r.device == device && r.mask == host && r.gateway.is_unspecified());
                peer.map(|route| route.to.to_string())
            }
            "interface_routers" => {
                let device = self.config.l3_device(row)?;
                let routes = self.kernel.routes(root).iter();
                let default = routes.filter(|r| {
                    r.device == device && r.to.is_unspecified() && !r.gateway.is_unspecified()
                });
                let all: Vec<String> = default.map(|r| r.gateway.to_string()).collect();
                Some(all.join(","))
            }
            "interface_dns" => {
                let servers = self.kernel.servers(root).iter();
                let own = servers.filter(|(network, a)| network == row && a.is_ipv4());
                let all: Vec<String> = own.take(2).map(|(_, a)| a.to_string()).collect();
                Some(all.join(","))
            }
            "ipv6_capable" => {
                let path = root.path("/proc/net/if_inet6").ok()?;
                boolean(path.exists())
            }
            "ipv6_address_status" => {
                let flags = self.address6(root, around, row)?.flags;
                word(match flags {
                    f if f & 0x08 != 0 => "Duplicate",
                    f if f & 0x04 != 0 => "Optimistic",
                    f if f & 0x40 != 0 => "Tentative",
                    f if f & 0x20 != 0 => "Deprecated",
                    _ => "Preferred",
                })
            }
            "ipv6_address_origin" => {
                let address = self.address6(root, around, row)?;
                let network = self.config.interface(around)?;
                let own = |text: &String| text.split('/').next() == Some(row);
                word(
                    if address.address.is_unicast_link_local() || address.address.is_loopback() {
                        "WellKnown"
                    } else if network.ip6addr.iter().any(own) {
                        "Static"
                    } else if network.proto == "dhcpv6" && address.length == 128 {
                        "DHCPv6"
                    } else {
                        "AutoConfigured"
                    },
                )
            }
            "ipv6_prefix_origin" => {
                let network = self.config.interface(around)?;
                word(if network.ip6prefix.iter().any(|p| p == row) {
                    "Static"
                } else if network.ip6assign {
                    "Child"
                } else {
                    "RouterAdvertisement"
                })
            }
            "is_management_port" => boolean(row == around),
            "is_upstream" => boolean(self.upstream(root).iter().any(|device| device == row)),
            "vlan_port_vlan" => self
                .config
                .vlan_port(around, row)
                .map(|p| p.section.clone()),
            "vlan_port_port" => self.config.vlan_port(around, row).map(|p| p.port.clone()),
            "vlan_port_untagged" => boolean(!self.config.vlan_port(around, row)?.tagged),
            "dns_server_address" => row.split_once('/').map(|(_, address)| address.to_owned()),
            "dns_server_network" => row.split_once('/').map(|(network, _)| network.to_owned()),
            "dns_server_type" => {
                let (name, address) = row.split_once('/')?;
                let network = self.config.interface(name)?;
                word(match network.proto.as_str() {
                    _ if network.dns.iter().any(|d| d == address) => "Static",
                    "dhcp" => "DHCPv4",
                    "dhcpv6" => "DHCPv6",
                    "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" => "IPCP",
                    _ => "Static",
                })
            }
            "lease_address" => Some(self.kernel.lease_of(root, row)?.address.to_string()),
            "lease_expiry" => {
                let mac = around;
                let expires = self.kernel.lease_of(root, mac)?.expires;
                match expires {
                    0 => word("9999-12-31T23:59:59Z"),
                    at => Some(local_time(at, "UTC0")),
                }
            }
            "host_network" => {
                let address = self.kernel.lease_of(root, row)?.address;
                let mut all = self.config.interfaces.iter();
                let own = |name: &str| {
                    let network = self.config.network_of(name)?;
                    network.offset(address)
                };
                all.find(|i| i.name != "loopback" && own(&i.name).is_some())
                    .map(|i| i.name.clone())
            }
            "host_active" => boolean(self.kernel.is_active(root, row)),
            "stack_higher" => Some(row.split_once('>')?.0.to_owned()),
            "stack_lower" => Some(row.split_once('>')?.1.to_owned()),
            _ => None,
        }
    }

    /// The keys of a table's rows.
    pub fn rows(&mut self, root: &Folders, name: &str, parents: &[String]) -> Vec<String> {
        self.refresh(root);
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
                let all = self.kernel.addresses6(root).iter();
                let own = all.filter(|a| a.device == device);
                own.map(|a| a.address.to_string()).collect()
            }
            "ipv6_prefixes" => {
                let Some(network) = self.config.interface(parent) else {
                    return Vec::new();
                };
                let device = self.config.l3_device(parent).unwrap_or_default();
                let on_link = self.kernel.on_link6(root).iter();
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
                own.map(|p| format!("{}/{}", p.vlan, p.port)).collect()
            }
            "name_servers" => {
                let mut seen = HashSet::new();
                let servers = self.kernel.servers(root).iter();
                let keys = servers.map(|(network, address)| format!("{network}/{address}"));
                keys.filter(|key| seen.insert(key.clone())).collect()
            }
            "pool_clients" => {
                let pool = self.config.pools.iter().find(|(key, _)| key == parent);
                let network = pool.and_then(|(_, name)| self.config.network_of(name));
                let Some(network) = network else {
                    return Vec::new();
                };
                let leases = self.kernel.leases(root).iter();
                let own = leases.filter(|l| network.offset(l.address).is_some());
                own.map(|l| l.mac.clone()).collect()
            }
            "pool_client_addresses" => {
                let lease = self.kernel.lease_of(root, parent);
                lease.map(|l| l.address.to_string()).into_iter().collect()
            }
            "interface_stack" => {
                let physical = |device: &str| {
                    let path = format!("/sys/class/net/{device}/device");
                    let is_there = |path: &str| root.path(path).is_ok_and(|p| p.exists());
                    is_row_key(device)
                        && is_there(&path)
                        && !is_there(&format!("/sys/class/net/{device}/phy80211"))
                };
                self.config.stack(&physical)
            }
            _ => Vec::new(),
        }
    }

    /// TR-181's word for the state of a network's device.
    fn status(&self, root: &Folders, name: &str) -> &'static str {
        let Some(network) = self.config.interface(name) else {
            return "Unknown";
        };
        if network.disabled {
            return "Down";
        }
        let device = self.config.l3_device(name);
        let state = device.and_then(|device| sysfs(root, &device, "operstate"));
        match state.as_deref() {
            // Devices without a carrier of their own, as lo and PPP, say unknown.
            Some("up" | "unknown") => "Up",
            Some("dormant") => "Dormant",
            Some("lowerlayerdown") => "LowerLayerDown",
            Some("notpresent") => "NotPresent",
            Some(_) | None => "Down",
        }
    }

    fn enabled(&self, root: &Folders, name: &str) -> &'static str {
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
        if self.config.interface(name).is_some_and(|i| i.without_ipv6) || !is_row_key(&device) {
            return false;
        }
        let path = format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6");
        root.read(&path, 64)
            .is_ok_and(|text| text.trim_ascii() == b"0")
    }

    /// The addresses that the kernel has for a network, in its order.
    fn of_device(&self, name: &str) -> impl Iterator<Item = &(String, Ipv4Addr, Option<Ipv4Addr>)> {
        let device = self.config.l3_device(name).unwrap_or_default();
        let all = self.addresses.get_or_init(kernel_addresses).iter();
        all.filter(move |(d, _, _)| *d == device)
    }

    /// The address that a row is, by its place.
    fn address(&self, name: &str, place: &str) -> Option<(Ipv4Addr, Option<Ipv4Addr>)> {
        let n = place.parse::<usize>().ok()?.checked_sub(1)?;
        self.of_device(name).nth(n).map(|(_, a, mask)| (*a, *mask))
    }

    fn address6(&self, root: &Folders, name: &str, address: &str) -> Option<&kernel::Address6> {
        let device = self.config.l3_device(name)?;
        let address: Ipv6Addr = address.parse().ok()?;
        let mut all = self.kernel.addresses6(root).iter();
        all.find(|a| a.device == device && a.address == address)
    }

    /// The ports that the board's maker calls WAN.
    fn upstream(&self, root: &Folders) -> &[String] {
        self.upstream.get_or_init(|| {
            let bytes = root.read("/etc/board.json", 1 << 18).unwrap_or_default();
            let board: Board = serde_json::from_slice(&bytes).unwrap_or_default();
            let wan = board.network.wan.unwrap_or_default();
            wan.device.into_iter().chain(wan.ports).collect()
        })
    }
}

/// A small file of a device in sysfs.
fn sysfs(root: &Folders, device: &str, file: &str) -> Option<String> {
    if !is_row_key(device) {
        return None;
    }
    let bytes = root
        .read(&format!("/sys/class/net/{device}/{file}"), 256)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The kernel's addresses. qemu-user's netlink never ends for a program of the other byte
/// order: who runs one there sets `CWMP_NO_NETLINK`, and goes without them.
fn kernel_list() -> Result<InterfaceAddressIterator, String> {
    if std::env::var_os("CWMP_NO_NETLINK").is_some() {
        return Err("the kernel's addresses are switched off by CWMP_NO_NETLINK".to_owned());
    }
    nix::ifaddrs::getifaddrs().map_err(|e| e.to_string())
}

fn kernel_addresses() -> Vec<(String, Ipv4Addr, Option<Ipv4Addr>)> {
    let Ok(all) = kernel_list() else {
        return Vec::new();
    };
    all.filter_map(|a| {
        let address = a.address?.as_sockaddr_in()?.ip();
        let mask = a.netmask.and_then(|m| m.as_sockaddr_in().map(|s| s.ip()));
        Some((a.interface_name, address, mask))
    })
    .collect()
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
    Ok(kernel_list()?
        .filter(|a| a.interface_name == device)
        .filter_map(|a| a.address?.as_sockaddr_in6().map(|s| s.ip()))
        .find(|ip: &Ipv6Addr| !ip.is_unicast_link_local())
        .map(|ip| ip.to_string()))
}

fn all_ipv4(device: &str) -> Result<Vec<(Ipv4Addr, Option<Ipv4Addr>)>, String> {
    Ok(kernel_list()?
        .filter(|a| a.interface_name == device)
        .filter_map(|a| {
            let address = a.address?.as_sockaddr_in()?.ip();
            let mask = a.netmask.and_then(|m| m.as_sockaddr_in().map(|s| s.ip()));
            Some((address, mask))
        })
        .collect())
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
