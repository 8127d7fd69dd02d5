//! What the kernel and the router's programs tell of networks in text files: counters,
//! routes, addresses, leases, name servers. Each file is read at most once a request.

use crate::source::text_of;
use crate::store::Folders;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of one file at most.
const MAX_FILE: u64 = 1 << 20;
/// Lines that are looked at, of one file.
const MAX_LINES: usize = 20_000;

/// The counters that `/proc/net/dev` has, by their names in sysfs and their columns.
pub const COUNTERS: [(&str, usize); 10] = [
    ("rx_bytes", 0),
    ("rx_packets", 1),
    ("rx_errors", 2),
    ("rx_dropped", 3),
    ("multicast", 7),
    ("tx_bytes", 8),
    ("tx_packets", 9),
    ("tx_errors", 10),
    ("tx_dropped", 11),
    ("collisions", 13),
];

/// A route of IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub device: String,
    pub to: Ipv4Addr,
    pub gateway: Ipv4Addr,
    pub mask: Ipv4Addr,
}

/// An address of IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address6 {
    pub device: String,
    pub address: Ipv6Addr,
    pub length: u8,
    /// `IFA_F_…` of the kernel, eight bits of them.
    pub flags: u8,
}

/// A lease that dnsmasq gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Seconds since 1970; 0: for ever.
    pub expires: i64,
    pub mac: String,
    pub address: Ipv4Addr,
}

/// The counters of each device.
type Counters = HashMap<String, Vec<u64>>;
/// Networks and their name servers.
type Servers = Vec<(String, IpAddr)>;

/// The files of one request.
#[derive(Default)]
pub struct Kernel {
    counters: OnceCell<Counters>,
    routes: OnceCell<Vec<Route>>,
    addresses6: OnceCell<Vec<Address6>>,
    on_link6: OnceCell<Vec<(String, String)>>,
    leases: OnceCell<Vec<Lease>>,
    lease_of: OnceCell<HashMap<String, usize>>,
    neighbours: OnceCell<HashMap<String, bool>>,
    servers: OnceCell<Servers>,
}

fn text(root: &Folders, path: &str) -> String {
    text_of(root.read(path, MAX_FILE).unwrap_or_default())
}

impl Kernel {
    /// One counter of a device; `None`: there is no such device.
    pub fn counter(&self, root: &Folders, device: &str, column: usize) -> Option<u64> {
        let counters = self.counters.get_or_init(|| {
            let text = text(root, "/proc/net/dev");
            let lines = text.lines().skip(2).take(MAX_LINES);
            let parse = |line: &str| {
                let (device, numbers) = line.split_once(':')?;
                let numbers = numbers.split_whitespace().map(|n| n.parse().unwrap_or(0));
                Some((device.trim().to_owned(), numbers.collect()))
            };
            lines.filter_map(parse).collect()
        });
        counters.get(device)?.get(column).copied()
    }

    /// The main table of routes.
    pub fn routes(&self, root: &Folders) -> &[Route] {
        self.routes.get_or_init(|| {
            let text = text(root, "/proc/net/route");
            let lines = text.lines().skip(1).take(MAX_LINES);
            lines.filter_map(route).collect()
        })
    }

    /// The addresses of IPv6 that are in force.
    pub fn addresses6(&self, root: &Folders) -> &[Address6] {
        self.addresses6.get_or_init(|| {
            let text = text(root, "/proc/net/if_inet6");
            text.lines().take(MAX_LINES).filter_map(address6).collect()
        })
    }

    /// Prefixes of IPv6 that lie on a link: device and prefix.
    pub fn on_link6(&self, root: &Folders) -> &[(String, String)] {
        self.on_link6.get_or_init(|| {
            let text = text(root, "/proc/net/ipv6_route");
            text.lines().take(MAX_LINES).filter_map(on_link6).collect()
        })
    }

    /// dnsmasq's leases.
    pub fn leases(&self, root: &Folders) -> &[Lease] {
        self.leases.get_or_init(|| {
            let text = text(root, "/tmp/dhcp.leases");
            text.lines().take(MAX_LINES).filter_map(lease).collect()
        })
    }

    /// The lease of a MAC address.
    pub fn lease_of(&self, root: &Folders, mac: &str) -> Option<&Lease> {
        let all = self.leases(root);
        let places = self.lease_of.get_or_init(|| {
            let places = all.iter().enumerate();
            places.map(|(i, lease)| (lease.mac.clone(), i)).collect()
        });
        all.get(*places.get(mac)?)
    }

    /// Whether a MAC address answers on a link.
    pub fn is_active(&self, root: &Folders, mac: &str) -> bool {
        let neighbours = self.neighbours.get_or_init(|| {
            let text = text(root, "/proc/net/arp");
            let mut all: HashMap<String, bool> = HashMap::new();
            for line in text.lines().skip(1).take(MAX_LINES) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                if let [_, _, flags, mac, ..] = fields.as_slice() {
                    let complete = matches!(*flags, "0x2" | "0x6");
                    *all.entry((*mac).to_owned()).or_default() |= complete;
                }
            }
            all
        });
        neighbours.get(mac).copied().unwrap_or(false)
    }

    /// Name servers by network, as netifd writes them for dnsmasq.
    pub fn servers(&self, root: &Folders) -> &[(String, IpAddr)] {
        self.servers.get_or_init(|| {
            let mut all = text(root, "/tmp/resolv.conf.d/resolv.conf.auto");
            if all.is_empty() {
                // Where it was before 21.02.
                all = text(root, "/tmp/resolv.conf.auto");
            }
            servers(&all)
        })
    }
}

/// `wan 00000000 0100A8C0 0003 0 0 0 00000000 …`: addresses are in memory's order of octets.
fn route(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = |n: usize| {
        let bits = u32::from_str_radix(fields.get(n)?, 16).ok()?;
        Some(Ipv4Addr::from(bits.to_ne_bytes()))
    };
    let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    // Up, and no route that rejects.
    (flags & 1 == 1 && flags & 0x200 == 0).then_some(())?;
    Some(Route {
        device: (*fields.first()?).to_owned(),
        to: address(1)?,
        gateway: address(2)?,
        mask: address(7)?,
    })
}

fn octets6(hex: &str) -> Option<Ipv6Addr> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok().map(Ipv6Addr::from))?
}

/// `fe80…  08 40 20 80 br-lan`
fn address6(line: &str) -> Option<Address6> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [address, _, length, _, flags, device] = fields.as_slice() else {
        return None;
    };
    Some(Address6 {
        device: (*device).to_owned(),
        address: octets6(address)?,
        length: u8::from_str_radix(length, 16).ok()?,
        // Later kernels have more flags than this file's two digits.
        flags: (u32::from_str_radix(flags, 16).ok()? & 0xff) as u8,
    })
}

/// Target, its length, source, its length, next hop, metric, two counts, flags, device.
fn on_link6(line: &str) -> Option<(String, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [to, length, _, _, hop, _, _, _, _, device] = fields.as_slice() else {
        return None;
    };
    let (to, hop) = (octets6(to)?, octets6(hop)?);
    let length = u8::from_str_radix(length, 16).ok()?;
    let is_prefix = (1..128).contains(&length)
        && hop.is_unspecified()
        && *device != "lo"
        && !to.is_multicast()
        && !to.is_unicast_link_local();
    is_prefix.then(|| ((*device).to_owned(), format!("{to}/{length}")))
}

/// Expiry, MAC address, IPv4 address, name, client id.
fn lease(line: &str) -> Option<Lease> {
    let mut fields = line.split_whitespace();
    let lease = Lease {
        expires: fields.next()?.parse().ok()?,
        mac: fields.next()?.to_owned(),
        address: fields.next()?.parse().ok()?,
    };
    fields.next().map(|_| lease)
}

/// `# Interface wan`, and `nameserver` lines below it.
fn servers(text: &str) -> Servers {
    let mut network = "";
    let mut all = Servers::new();
    for line in text.lines().take(MAX_LINES) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("#"), Some("Interface"), Some(name)) => network = name,
            (Some("nameserver"), Some(address), _) => {
                if let Ok(address) = address.parse::<IpAddr>()
                    && !network.is_empty()
                {
                    all.push((network.to_owned(), address));
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_are_passed_over() {
        for junk in [
            "",
            "x",
            "wan zz 0 1",
            "wan 0 0 0003 0 0 0",
            "\u{fffd} \u{fffd}",
        ] {
            assert_eq!(route(junk), None, "{junk}");
            assert_eq!(address6(junk), None, "{junk}");
            assert_eq!(on_link6(junk), None, "{junk}");
            assert_eq!(lease(junk), None, "{junk}");
        }
        assert!(servers("nameserver 9.9.9.9\n# Interface x\nnameserver junk\n").is_empty());
    }

    #[test]
    fn addresses_prefixes_and_flags_are_read_from_their_digits() {
        let line = "20010db8000100000000000000000001 08 40 00 80   br-lan";
        let read = address6(line).expect("an address");
        assert_eq!((read.length, read.flags), (64, 0x80));
        assert_eq!(read.address.to_string(), "2001:db8:1::1");
        let zero = "0".repeat(32);
        let line = format!(
            "20010db8000100000000000000000000 40 {zero} 00 {zero} 00000400 1 0 00000001 br-lan"
        );
        let expected = ("br-lan".to_owned(), "2001:db8:1::/64".to_owned());
        assert_eq!(on_link6(&line), Some(expected));
    }

    #[test]
    fn servers_belong_to_the_network_above_them() {
        let text = "# Interface wan\nnameserver 198.51.100.53\n# Interface wan6\nnameserver 2001:db8::53\nsearch lan\n";
        let read: Vec<String> = servers(text)
            .iter()
            .map(|(n, a)| format!("{n} {a}"))
            .collect();
        assert_eq!(read, ["wan 198.51.100.53", "wan6 2001:db8::53"]);
    }
}
