//! Addresses of the running kernel's interfaces. They never come from below a root.

use nix::ifaddrs::getifaddrs;
use std::net::{Ipv4Addr, Ipv6Addr};

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
    Ok(getifaddrs()
        .map_err(|e| e.to_string())?
        .filter(|a| a.interface_name == device)
        .filter_map(|a| a.address?.as_sockaddr_in6().map(|s| s.ip()))
        .find(|ip: &Ipv6Addr| !ip.is_unicast_link_local())
        .map(|ip| ip.to_string()))
}

fn all_ipv4(device: &str) -> Result<Vec<(Ipv4Addr, Option<Ipv4Addr>)>, String> {
    Ok(getifaddrs()
        .map_err(|e| e.to_string())?
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
