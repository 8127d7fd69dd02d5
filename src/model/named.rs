//! The named data types of TR-181 that data-model files may use: base type and the
//! facets each brings along.

use super::value::ValueType;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A named type of TR-181 (or one of the base types by its own name).
#[derive(Debug)]
pub struct Named {
    pub name: &'static str,
    pub base: ValueType,
    /// In characters or octets.
    pub min_length: Option<u32>,
    pub max_length: Option<u32>,
    pub min: Option<&'static str>,
    pub max: Option<&'static str>,
    /// What values look like, for messages; empty where `check` is `anything`.
    pub form: &'static str,
    pub check: fn(&str) -> bool,
}

impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.name == other.name
    }
}

const fn plain(name: &'static str, base: ValueType) -> Named {
    Named {
        name,
        base,
        min_length: None,
        max_length: None,
        min: None,
        max: None,
        form: "",
        check: anything,
    }
}

const fn text(
    name: &'static str,
    max_length: u32,
    form: &'static str,
    check: fn(&str) -> bool,
) -> Named {
    Named {
        max_length: Some(max_length),
        form,
        check,
        ..plain(name, ValueType::String)
    }
}

const fn ranged(
    name: &'static str,
    base: ValueType,
    min: Option<&'static str>,
    max: Option<&'static str>,
) -> Named {
    Named {
        min,
        max,
        ..plain(name, base)
    }
}

use ValueType::{
    Base64, Boolean, DateTime, Decimal, HexBinary, Int, Long, String as Text, UnsignedInt,
    UnsignedLong,
};

static NAMED: &[Named] = &[
    plain("string", Text),
    plain("int", Int),
    plain("unsignedInt", UnsignedInt),
    plain("long", Long),
    plain("unsignedLong", UnsignedLong),
    plain("boolean", Boolean),
    plain("dateTime", DateTime),
    plain("base64", Base64),
    plain("hexBinary", HexBinary),
    plain("decimal", Decimal),
    plain("StatsCounter32", UnsignedInt),
    plain("StatsCounter64", UnsignedLong),
    Named {
        min_length: Some(1),
        ..text(
            "Alias",
            64,
            "a letter, then letters, digits or the signs - _ .",
            is_alias,
        )
    },
    text(
        "MACAddress",
        17,
        "00:11:22:AA:BB:CC or nothing",
        is_mac_address,
    ),
    text(
        "IPAddress",
        45,
        "an IPv4 or IPv6 address or nothing",
        is_ip_address,
    ),
    text("IPv4Address", 15, "192.0.2.1 or nothing", is_ipv4_address),
    text("IPv6Address", 45, "2001:db8::1 or nothing", is_ipv6_address),
    text("IPPrefix", 49, "address/length or nothing", is_ip_prefix),
    text("IPv4Prefix", 18, "192.0.2.0/24 or nothing", is_ipv4_prefix),
    text("IPv6Prefix", 49, "2001:db8::/32 or nothing", is_ipv6_prefix),
    text("URL", 2048, "a URL without white space", is_uri),
    text("URI", 2048, "a URI without white space", is_uri),
    text("UUID", 36, "8-4-4-4-12 hexadecimal digits", is_uuid),
    text(
        "IEEE_EUI64",
        23,
        "eight pairs of hexadecimal digits parted by colons, or nothing",
        is_eui64,
    ),
    text(
        "ZigBeeNetworkAddress",
        4,
        "four hexadecimal digits or nothing",
        is_zigbee,
    ),
    plain("DiagnosticsState", Text),
    ranged("Order", UnsignedInt, Some("1"), None),
    plain("Dbm1000", Int),
    plain("TenthdB", Int),
    plain("TenthdBmV", Int),
    plain("SST", Text),
    plain("RowStatus", Text),
    ranged("ThreadLinkQuality", UnsignedInt, Some("0"), Some("3")),
    ranged("MocaNodeID", UnsignedInt, Some("0"), Some("15")),
    ranged("MocaPhyRate", UnsignedInt, Some("0"), Some("2048")),
    plain("MocaPowerState", Text),
    plain("MocaDB", UnsignedInt),
    plain("MocaDBm", Int),
    plain("MocaChannelMask", HexBinary),
    plain("MocaScMod", HexBinary),
    plain("MocaPrivacy", Text),
    plain("MocaMacRate", UnsignedInt),
    plain("MocaBand", Text),
    plain("MocaChannelIndex", Text),
    plain("MocaFlowIngrClassRule", Text),
    plain("PSDBreakPointIndexAndLevel", UnsignedInt),
    plain("PSMBreakPointIndexAndLevel", UnsignedInt),
    plain("SELTPAttenuationCharacteristicsIndexAndTFlog", UnsignedInt),
    plain("UERComplex", Int),
    plain("PLMNId", UnsignedInt),
    plain("TLV8", HexBinary),
    plain("DocsEqualizerData", HexBinary),
    plain("AmplitudeData", HexBinary),
    plain("SpectrumAnalysisWindowFunction", Text),
    plain("RangingState", Text),
    plain("DocsisUpstreamType", Text),
    plain("CmRegState", Text),
];

/// The type of this name.
pub fn find(name: &str) -> Option<&'static Named> {
    NAMED.iter().find(|n| n.name == name)
}

/// All names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|n| n.name)
}

fn anything(_: &str) -> bool {
    true
}

/// 1 to 64 characters, a letter first, nothing that would end an `[alias]` in a path.
fn is_alias(s: &str) -> bool {
    s.starts_with(|c: char| c.is_ascii_alphabetic())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_ipv4_address(s: &str) -> bool {
    s.is_empty() || s.parse::<Ipv4Addr>().is_ok()
}

fn is_ipv6_address(s: &str) -> bool {
    s.is_empty() || s.parse::<Ipv6Addr>().is_ok()
}

fn is_ip_address(s: &str) -> bool {
    is_ipv4_address(s) || is_ipv6_address(s)
}

fn is_prefix(s: &str, bits: u8, address: fn(&str) -> bool) -> bool {
    if s.is_empty() {
        return true;
    }
    let Some((ip, length)) = s.split_once('/') else {
        return false;
    };
    address(ip)
        && (1..=3).contains(&length.len())
        && length.bytes().all(|b| b.is_ascii_digit())
        && length.parse::<u8>().is_ok_and(|n| n <= bits)
}

fn is_ipv4_prefix(s: &str) -> bool {
    is_prefix(s, 32, is_ipv4_address)
}

fn is_ipv6_prefix(s: &str) -> bool {
    is_prefix(s, 128, is_ipv6_address)
}

fn is_ip_prefix(s: &str) -> bool {
    is_ipv4_prefix(s) || is_ipv6_prefix(s)
}

/// `count` groups of two hexadecimal digits with colons between, or nothing.
fn is_colon_pairs(s: &str, count: usize) -> bool {
    s.is_empty()
        || (s.len() == count * 3 - 1
            && s.bytes().enumerate().all(|(i, b)| match i % 3 {
                2 => b == b':',
                _ => b.is_ascii_hexdigit(),
            }))
}

fn is_mac_address(s: &str) -> bool {
    is_colon_pairs(s, 6)
}

fn is_eui64(s: &str) -> bool {
    is_colon_pairs(s, 8)
}

fn is_zigbee(s: &str) -> bool {
    s.is_empty() || (s.len() == 4 && s.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_uuid(s: &str) -> bool {
    s.len() == 36
        && s.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_uri(s: &str) -> bool {
    !s.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(name: &str, value: &str) -> bool {
        (find(name).expect("listed").check)(value)
    }

    #[test]
    fn named_types_know_their_form() {
        for (name, good, bad) in [
            ("MACAddress", "00:1a:2B:33:44:55", "00-1a-2b-33-44-55"),
            ("MACAddress", "", "00:1a:2b:33:44"),
            ("IPv4Address", "192.0.2.1", "192.0.2.256"),
            ("IPv6Address", "2001:db8::1", "192.0.2.1"),
            ("IPAddress", "", "::g"),
            ("IPv4Prefix", "10.0.0.0/8", "10.0.0.0/33"),
            ("IPv4Prefix", "/24", "10.0.0.0"),
            ("IPv6Prefix", "2001:db8::/32", "2001:db8::/129"),
            ("IPPrefix", "", "/"),
            ("UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810"),
            ("Alias", "web-1", "1web"),
            ("Alias", "cpe-3", ""),
            ("Alias", "w", "a]b"),
            ("URL", "http://acs.example/", "http://a b/"),
            ("ZigBeeNetworkAddress", "00fF", "00f"),
        ] {
            assert!(ok(name, good), "{name} {good}");
            assert!(!ok(name, bad), "{name} {bad}");
        }
    }
}
