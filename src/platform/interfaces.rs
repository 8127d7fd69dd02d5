//! Addresses of the running kernel's interfaces (never below a root).
//!
//! The kernel is asked without netlink: a UDP socket that keeps to a device and is
//! connected (which sends nothing) has that device's address as its own. So it works in
//! user-mode emulators, too, which get other byte orders' netlink wrong.

use crate::store::{Disk, RealDisk};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, getsockname, setsockopt, socket,
    sockopt,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The kernel's tables are read up to this size, bytes.
const LIMIT: u64 = 256 * 1024;
/// Where a socket is connected to, to learn its own address: every host of the link, for
/// which no route is needed, or ourselves.
const EVERYBODY: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const LOOPBACK: &str = "lo";
/// Flags of `/proc/net/if_inet6`: an address that is not (any more) to be used.
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;

/// The addresses of a device that is up: IPv4 first, link-local IPv6 left out. Empty
/// where the device does not exist or has none.
pub fn addresses(device: &str) -> Vec<IpAddr> {
    let v6 = table("/proc/net/if_inet6");
    ipv4(device)
        .map(IpAddr::V4)
        .into_iter()
        .chain(ipv6(&v6, device).into_iter().map(IpAddr::V6))
        .collect()
}

/// The address by which the ACS may reach this device: the first of `device`, or, with
/// `None`, of the device with the default route, else of the first that has one. The
/// loopback device only where `allow_loopback`, and after the others.
pub fn reachable(device: Option<&str>, allow_loopback: bool) -> Option<IpAddr> {
    let mut found = all();
    found.retain(|(_, address)| allow_loopback || !address.is_loopback());
    if let Some(device) = device {
        found.retain(|(name, _)| name == device);
    }
    let default = default_device(&table("/proc/net/route"));
    // A stable sort: within each class the kernel's order stays, IPv4 first.
    found.sort_by_key(|(name, address)| (address.is_loopback(), Some(name) != default.as_ref()));
    found.into_iter().next().map(|(_, address)| address)
}

/// Every address of every device that is up, IPv4 first.
fn all() -> Vec<(String, IpAddr)> {
    let devices = table("/proc/net/dev");
    let v6 = table("/proc/net/if_inet6");
    let names = || {
        let heads = devices.lines().skip(2);
        heads.filter_map(|line| Some(line.split_once(':')?.0.trim()))
    };
    let four = names().filter_map(|d| Some((d.to_owned(), IpAddr::V4(ipv4(d)?))));
    let six = names().flat_map(|d| {
        let found = ipv6(&v6, d).into_iter();
        found.map(move |a| (d.to_owned(), IpAddr::V6(a)))
    });
    four.chain(six).collect()
}

/// A table of the running kernel; empty where it cannot be read.
fn table(path: &str) -> String {
    RealDisk
        .read(Path::new(path), LIMIT)
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .unwrap_or_default()
}

/// The first IPv4 address of a device that is up.
fn ipv4(device: &str) -> Option<Ipv4Addr> {
    let to = if device == LOOPBACK {
        Ipv4Addr::LOCALHOST
    } else {
        EVERYBODY
    };
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .ok()?;
    setsockopt(&socket, sockopt::BindToDevice, &device.into()).ok()?;
    // Any port does: nothing is sent.
    connect(
        socket.as_raw_fd(),
        &SockaddrIn::from(std::net::SocketAddrV4::new(to, 9)),
    )
    .ok()?;
    let own: SockaddrIn = getsockname(socket.as_raw_fd()).ok()?;
    let ip = own.ip();
    (!ip.is_unspecified()).then_some(ip)
}

/// The IPv6 addresses of a device in `/proc/net/if_inet6` that can be used from afar.
fn ipv6(table: &str, device: &str) -> Vec<Ipv6Addr> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [address, _, _, _, flags, name] = fields.as_slice() else {
                return None;
            };
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let address = Ipv6Addr::from_bits(u128::from_str_radix(address, 16).ok()?);
            let usable = *name == device
                && flags & (DEPRECATED | TENTATIVE) == 0
                && !address.is_unicast_link_local();
            usable.then_some(address)
        })
        .collect()
}

/// The device of the default route with the lowest metric, from `/proc/net/route`.
fn default_device(table: &str) -> Option<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_default = *fields.get(1)? == "00000000" && *fields.get(7)? == "00000000";
            let metric: u32 = fields.get(6)?.parse().ok()?;
            is_default.then(|| (metric, fields.first().map(|d| (*d).to_owned())))
        })
        .min_by_key(|(metric, _)| *metric)
        .and_then(|(_, device)| device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                     br-lan 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
                     wwan0 00000000 0100000A 0003 0 0 100 00000000 0 0 0\n\
                     wan 00000000 0100000A 0003 0 0 10 00000000 0 0 0\n\
                     short line\n";
        assert_eq!(default_device(table), Some("wan".to_owned()));
        assert_eq!(default_device("Iface\n"), None);
        assert_eq!(default_device(""), None);
    }

    #[test]
    fn ipv6_addresses_are_those_that_can_be_used_from_afar() {
        let table = "fe800000000000000000000000000001 02 40 20 80     wan\n\
                     20010db8000000000000000000000001 02 40 00 80     wan\n\
                     20010db8000000000000000000000002 02 40 00 20     wan\n\
                     00000000000000000000000000000001 01 80 10 80       lo\n\
                     nonsense\n";
        let wan: Vec<Ipv6Addr> = vec!["2001:db8::1".parse().unwrap()];
        assert_eq!(ipv6(table, "wan"), wan);
        assert_eq!(ipv6(table, "lo"), vec![Ipv6Addr::LOCALHOST]);
        assert_eq!(ipv6("", "lo"), Vec::<Ipv6Addr>::new());
    }

    #[test]
    fn loopback_counts_only_where_it_is_allowed() {
        assert_eq!(addresses("no-such-dev"), Vec::<IpAddr>::new());
        assert_eq!(reachable(Some("no-such-dev"), true), None);
        if addresses("lo").is_empty() {
            println!("skipped: the loopback device is down");
            return;
        }
        assert!(addresses("lo").iter().all(IpAddr::is_loopback));
        assert!(reachable(Some("lo"), true).is_some_and(|a| a.is_ipv4()));
        assert_eq!(reachable(Some("lo"), false), None);
        assert!(reachable(None, true).is_some());
        assert!(reachable(None, false).is_none_or(|a| !a.is_loopback()));
    }
}
