//! What the kernel and the router's programs tell of networks in text files: routes,
//! addresses, leases, name servers. Each file is read at most once a request, and understood
//! again when it says something else.

use super::super::kept::Kept;
use crate::source::told::{self, Told};
use crate::store::Folders;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of one file at most.
pub const MAX_FILE: u64 = 1 << 20;
/// Lines that are looked at, of one file.
pub const MAX_LINES: usize = 20_000;

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
    /// As the row of its table is named.
    pub key: String,
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

/// All leases.
#[derive(Debug, Default)]
pub struct Leases {
    pub all: Vec<Lease>,
    /// Places in `all`.
    by_mac: HashMap<String, usize>,
}

impl Leases {
    /// The lease of a MAC address.
    pub fn of(&self, mac: &str) -> Option<&Lease> {
        self.all.get(*self.by_mac.get(mac)?)
    }
}

/// The files, as they were read last.
#[derive(Default)]
pub struct Kernel {
    routes: Kept<Vec<Route>>,
    addresses6: Kept<Vec<Address6>>,
    on_link6: Kept<Vec<(String, String)>>,
    leases: Kept<Leases>,
    neighbours: Kept<HashMap<String, bool>>,
    servers: Kept<Told>,
}

fn bytes(root: &Folders, path: &str) -> Vec<u8> {
    root.read(path, MAX_FILE).unwrap_or_default()
}

impl Kernel {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.routes.begin();
        self.addresses6.begin();
        self.on_link6.begin();
        self.leases.begin();
        self.neighbours.begin();
        self.servers.begin();
    }

    /// The main table of routes.
    pub fn routes(&mut self, root: &Folders) -> &[Route] {
        let read = || bytes(root, "/proc/net/route");
        let (routes, _) = self.routes.get(read, |text| {
            let lines = text.lines().skip(1).take(MAX_LINES);
            lines.filter_map(route).collect()
        });
        routes
    }

    /// The addresses of IPv6 that are in force, and a number that stands while they do.
    pub fn addresses6(&mut self, root: &Folders) -> (&[Address6], u32) {
        let read = || bytes(root, "/proc/net/if_inet6");
        let (all, version) = self
            .addresses6
            .get(read, |text| lines(&text).filter_map(address6).collect());
        (all, version)
    }

    /// Prefixes of IPv6 that lie on a link, device and prefix, and a number as above.
    pub fn on_link6(&mut self, root: &Folders) -> (&[(String, String)], u32) {
        let read = || bytes(root, "/proc/net/ipv6_route");
        let (all, version) = self
            .on_link6
            .get(read, |text| lines(&text).filter_map(on_link6).collect());
        (all, version)
    }

    /// dnsmasq's leases, and a number as above.
    pub fn leases(&mut self, root: &Folders) -> (&Leases, u32) {
        let read = || bytes(root, "/tmp/dhcp.leases");
        self.leases.get(read, |text| {
            let all: Vec<Lease> = lines(&text).filter_map(lease).collect();
            let places = all.iter().enumerate();
            let by_mac = places.map(|(i, lease)| (lease.mac.clone(), i)).collect();
            Leases { all, by_mac }
        })
    }

    /// Whether a MAC address answers on a link.
    pub fn is_active(&mut self, root: &Folders, mac: &str) -> bool {
        let read = || bytes(root, "/proc/net/arp");
        let (neighbours, _) = self.neighbours.get(read, |text| {
            let mut all: HashMap<String, bool> = HashMap::new();
            for line in text.lines().skip(1).take(MAX_LINES) {
                let mut fields = line.split_whitespace().skip(2);
                if let (Some(flags), Some(mac)) = (fields.next(), fields.next()) {
                    let complete = matches!(flags, "0x2" | "0x6");
                    *all.entry(mac.to_owned()).or_default() |= complete;
                }
            }
            all
        });
        neighbours.get(mac).copied().unwrap_or(false)
    }

    /// Name servers by network, as netifd writes them for dnsmasq.
    pub fn servers(&mut self, root: &Folders) -> &[(String, IpAddr)] {
        let (all, _) = self
            .servers
            .get(|| told::read(root), |text| told::parse(&text));
        all
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take(MAX_LINES)
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
    let address = octets6(address)?;
    Some(Address6 {
        device: (*device).to_owned(),
        address,
        key: address.to_string(),
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
}
