//! Times of leases as dnsmasq and odhcpd take them: `12h`, `30m`, `1d`, `3600`,
//! `infinite`; in TR-181 seconds, and -1 for "for ever".

/// The unit letters and their seconds, the largest first.
const UNITS: [(char, i64); 5] = [
    ('w', 604_800),
    ('d', 86_400),
    ('h', 3600),
    ('m', 60),
    ('s', 1),
];

/// The shortest that dnsmasq gives: of less it makes this.
pub const SHORTEST: i64 = 120;

/// The seconds of a text; `None` where it is no time.
pub fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if text == "infinite" || text == "-1" {
        return Some(-1);
    }
    let unit = UNITS.iter().find(|(letter, _)| text.ends_with(*letter));
    let (digits, factor) = match unit {
        Some((letter, factor)) => (text.strip_suffix(*letter)?, *factor),
        None => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(factor)?;
    // 32 bits of seconds are what the protocol carries, and TR-181's type.
    (seconds <= i64::from(i32::MAX)).then_some(seconds)
}

/// The shortest usual text: hours and minutes where they divide the seconds.
pub fn text(seconds: i64) -> String {
    match seconds {
        s if s < 0 => "infinite".to_owned(),
        s if s > 0 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => s.to_string(),
    }
}
