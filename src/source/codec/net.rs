//! IPv4 and IPv6 addresses with the length of a network: `192.168.1.1/24`, masks in
//! dotted form, and what lies in a network.

use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr};

/// The dotted mask of a length (0 to 32): 24 is `255.255.255.0`.
pub fn mask_of(length: u8) -> Ipv4Addr {
    let bits = match u32::from(length.min(32)) {
        0 => 0,
        length => u32::MAX << (32 - length),
    };
    Ipv4Addr::from(bits)
}

/// The length of a dotted mask; `None` where its ones are not together.
pub fn length_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let ones = bits.leading_ones();
    // At most 32.
    (bits.count_ones() == ones).then_some(ones as u8)
}

/// An address as text: a whole tree holds many, and the formatter would be most of what they
/// cost.
pub fn text_of(address: IpAddr) -> String {
    // The longest of IPv4.
    let mut text = String::with_capacity(15);
    put(address, &mut text);
    text
}

/// Appends an address.
pub fn put(address: IpAddr, out: &mut String) {
    match address {
        IpAddr::V4(v4) => put_v4(v4, out),
        // Writing to a String does not fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Appends an address of IPv4.
pub fn put_v4(address: Ipv4Addr, out: &mut String) {
    let mut digits = [0; 15];
    let mut length = 0;
    let mut add = |byte: u8| {
        if let Some(free) = digits.get_mut(length) {
            *free = byte;
            length += 1;
        }
    };
    for (n, octet) in address.octets().into_iter().enumerate() {
        if n > 0 {
            add(b'.');
        }
        if octet >= 100 {
            add(b'0' + octet / 100);
        }
        if octet >= 10 {
            add(b'0' + octet / 10 % 10);
        }
        add(b'0' + octet % 10);
    }
    let text = digits.get(..length).unwrap_or_default();
    out.push_str(core::str::from_utf8(text).unwrap_or_default());
}

/// An address, and the length behind its `/` if there is one. A dotted mask behind the `/`
/// is a length, too: fw4 and netifd take both.
pub fn split(text: &str) -> Option<(IpAddr, Option<u8>)> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => None,
        Some(text) => Some(match text.parse::<Ipv4Addr>() {
            Ok(mask) if address.is_ipv4() => length_of(mask)?,
            _ => parse_length(text).filter(|length| *length <= most)?,
        }),
    };
    Some((address, length))
}

fn parse_length(text: &str) -> Option<u8> {
    // "+8" parses, too, but is no length.
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The first address of the network of this length that an address lies in.
pub fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) & u32::from(mask_of(length)))),
        IpAddr::V6(v6) => {
            let mask = match u32::from(length.min(128)) {
                0 => 0,
                length => u128::MAX << (128 - length),
            };
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// `address/length` with the address cut to the network.
pub fn prefix(address: IpAddr, length: u8) -> String {
    let mut text = text_of(network(address, length));
    // Writing to a String does not fail.
    let _ = write!(text, "/{length}");
    text
}

/// Whether an address lies in a network.
pub fn contains(of: IpAddr, length: u8, address: IpAddr) -> bool {
    of.is_ipv4() == address.is_ipv4() && network(of, length) == network(address, length)
}

/// A text with another address in it; the length stays.
pub fn with_address(text: &str, address: IpAddr) -> String {
    match split(text) {
        Some((old, Some(_))) if old.is_ipv4() == address.is_ipv4() => {
            // What stands behind the `/` keeps its form.
            let length = text.trim().split_once('/').map_or("", |(_, length)| length);
            format!("{address}/{length}")
        }
        _ => address.to_string(),
    }
}

/// A text with another length in it; the address stays, or is the one that is given where
/// the old one does not lie in that network.
pub fn with_prefix(text: &str, address: IpAddr, length: u8) -> String {
    match split(text) {
        Some((old, _)) if contains(address, length, old) => format!("{old}/{length}"),
        _ => format!("{address}/{length}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_formatter_writes_them() {
        for octet in 0..=255u8 {
            let v4 = Ipv4Addr::new(octet, 0, octet ^ 0x55, 255 - octet);
            let mut text = "x".to_owned();
            put_v4(v4, &mut text);
            assert_eq!(text, format!("x{v4}"));
        }
        for text in ["::", "2001:db8::1", "192.0.2.1", "::ffff:192.0.2.1"] {
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(text_of(address), address.to_string());
        }
    }
}
