//! Protocols of IP by name, as fw4 takes them, and by number (IANA), as TR-181 shows them;
//! -1 is "any".

/// Names that OpenWrt's `/etc/protocols` and fw4 know; of several for one number the first
/// is written.
const NAMES: [(&str, i64); 14] = [
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("igmp", 2),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("esp", 50),
    ("ah", 51),
    ("gre", 47),
    ("ipip", 4),
    ("ipv6", 41),
    ("ospf", 89),
    ("sctp", 132),
    ("udplite", 136),
];

/// The number of one protocol; `None` for what is none, or several.
pub fn number(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    if matches!(text.as_str(), "all" | "any" | "*" | "-1") {
        return Some(-1);
    }
    if let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(*number);
    }
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // 0 is "any" to fw4.
    let number: i64 = plain.then(|| text.parse::<u8>().ok()).flatten()?.into();
    Some(if number == 0 { -1 } else { number })
}

/// What fw4 takes for a number from -1 to 255.
pub fn name(number: i64) -> Option<String> {
    match number {
        -1 => Some("all".to_owned()),
        // A number of its own, but fw4 would take it for any.
        0 => None,
        1..=255 => Some(match NAMES.iter().find(|(_, n)| *n == number) {
            Some((name, _)) => (*name).to_owned(),
            None => number.to_string(),
        }),
        _ => None,
    }
}
