//! DHCP options in the way dnsmasq takes them (`6,192.168.1.1,9.9.9.9`,
//! `15,example.net`, `43,01:04:ac:10`), and as tag and octets, as TR-181 shows them
//! (RFC 2132).

use core::net::Ipv4Addr;

/// Options that hold IPv4 addresses (RFC 2132).
const ADDRESSES: [u8; 21] = [
    1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 28, 32, 41, 42, 44, 45, 48, 49, 54, 65,
];
/// Most octets of one option.
const MAX: usize = 255;

/// The tag and the text behind it; `None` for options by name or with a tag of dnsmasq's.
pub fn split(text: &str) -> Option<(u8, &str)> {
    let (tag, value) = text.split_once(',').unwrap_or((text, ""));
    let tag = tag.trim();
    let plain = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_digit());
    let tag: u8 = plain.then(|| tag.parse().ok()).flatten()?;
    (1..=254).contains(&tag).then_some((tag, value))
}

/// An option with this tag and text.
pub fn join(tag: u8, value: &str) -> String {
    match value {
        "" => tag.to_string(),
        value => format!("{tag},{value}"),
    }
}

/// The octets that a text stands for, as dnsmasq reads it: addresses, a number,
/// hexadecimal with colons, or text.
pub fn octets(value: &str) -> Vec<u8> {
    if value.is_empty() {
        return Vec::new();
    }
    let parts = value.split(',').map(|part| part.trim().parse::<Ipv4Addr>());
    if let Ok(addresses) = parts.collect::<Result<Vec<_>, _>>() {
        return addresses.iter().flat_map(Ipv4Addr::octets).collect();
    }
    if value.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = value.parse::<u32>()
    {
        // As few octets as hold the number: 1, 2 or 4.
        return match number {
            0..=0xff => vec![number as u8],
            0x100..=0xffff => (number as u16).to_be_bytes().to_vec(),
            _ => number.to_be_bytes().to_vec(),
        };
    }
    match hexadecimal(value) {
        Some(octets) => octets,
        None => value.as_bytes().to_vec(),
    }
}

/// The text that stands for these octets: addresses where the option has some, text where
/// dnsmasq would take it for text again, else hexadecimal. `None`: more than fit.
pub fn text(tag: u8, octets: &[u8]) -> Option<String> {
    if octets.len() > MAX {
        return None;
    }
    if ADDRESSES.contains(&tag) && !octets.is_empty() && octets.len().is_multiple_of(4) {
        let addresses = octets.chunks_exact(4).filter_map(|four| {
            let four: [u8; 4] = four.try_into().ok()?;
            Some(Ipv4Addr::from(four).to_string())
        });
        return Some(addresses.collect::<Vec<_>>().join(","));
    }
    let words = |b: &u8| b.is_ascii_alphanumeric() || b"-._/ ".contains(b);
    let is_text = octets.iter().all(words)
        // dnsmasq takes digits for numbers and dotted digits for addresses.
        && octets.first().is_some_and(u8::is_ascii_alphabetic)
        && octets.last() != Some(&b' ');
    match (octets, is_text) {
        (_, true) => String::from_utf8(octets.to_vec()).ok(),
        // One octet alone would have no colon.
        ([one], false) => Some(one.to_string()),
        _ => {
            let pairs: Vec<String> = octets.iter().map(|b| format!("{b:02x}")).collect();
            Some(pairs.join(":"))
        }
    }
}

/// `01:04:ac`; dnsmasq takes digits with colons for octets.
fn hexadecimal(value: &str) -> Option<Vec<u8>> {
    if !value.contains(':') {
        return None;
    }
    value
        .split(':')
        .map(|pair| {
            let short =
                (1..=2).contains(&pair.len()) && pair.bytes().all(|b| b.is_ascii_hexdigit());
            short.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        })
        .collect()
}
