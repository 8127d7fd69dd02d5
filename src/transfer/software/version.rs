//! Which of two versions is the later one, as opkg and apk order them.

use std::cmp::Ordering;

/// Orders versions as Debian policy 5.6.12 and opkg do: an epoch (`1:`), then digits by
/// their value and everything between them by letters, in which `~` comes before the end
/// (`1.0~rc1` is earlier than `1.0`) and letters before other characters. apk's words for
/// what comes before a release (`_rc1`) count as `~rc1`.
pub fn compare(one: &str, other: &str) -> Ordering {
    let early = |version: &str| {
        let words = ["alpha", "beta", "pre", "rc"];
        let replaced = |text: String, word| text.replace(&format!("_{word}"), &format!("~{word}"));
        words.into_iter().fold(version.to_owned(), replaced)
    };
    let (one, other) = (early(one), early(other));
    let (one, other) = (one.as_str(), other.as_str());
    let ((first, one), (second, other)) = (epoch(one), epoch(other));
    digits(first, second).then_with(|| parts(one.as_bytes(), other.as_bytes()))
}

fn epoch(version: &str) -> (&[u8], &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => {
            (epoch.as_bytes(), rest)
        }
        _ => (&[], version),
    }
}

fn parts(mut one: &[u8], mut other: &[u8]) -> Ordering {
    while !one.is_empty() || !other.is_empty() {
        for digit in [false, true] {
            let (first, rest) = split(one, digit);
            let (second, left) = split(other, digit);
            let order = match digit {
                true => digits(first, second),
                false => letters(first, second),
            };
            if order.is_ne() {
                return order;
            }
            (one, other) = (rest, left);
        }
    }
    Ordering::Equal
}

/// What a text begins with that is, or is not, of digits; and the rest.
fn split(text: &[u8], digit: bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| b.is_ascii_digit() != digit);
    text.split_at(end.unwrap_or(text.len()))
}

fn digits(one: &[u8], other: &[u8]) -> Ordering {
    fn value(digits: &[u8]) -> &[u8] {
        let zeros = digits.iter().take_while(|b| **b == b'0').count();
        digits.get(zeros..).unwrap_or_default()
    }
    let (one, other) = (value(one), value(other));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn letters(one: &[u8], other: &[u8]) -> Ordering {
    let weight = |text: &[u8], at: usize| match text.get(at).copied() {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(b),
        Some(b) => i32::from(b) + 256,
    };
    let places = 0..one.len().max(other.len());
    let mut orders = places.map(|at| weight(one, at).cmp(&weight(other, at)));
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-DUS-007
    #[test]
    fn later_versions_are_later() {
        let rising = [
            "0", "1.0~rc1", "1.0~rc2", "1.0_rc3", "1.0", "1.0a", "1.0-1", "1.0-2", "1.0-10",
            "1.0-r1", "1.0.1", "1.2", "1.10", "2", "10", "2024.1", "1:0.1",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (to, other) in rising.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&to), "{one} {other}");
            }
        }
        for same in [("1.0", "1.00"), ("01", "1"), ("0:1", "1"), ("", "")] {
            assert_eq!(compare(same.0, same.1), Ordering::Equal, "{same:?}");
        }
        let long = "9".repeat(300);
        assert_eq!(compare(&long, "8"), Ordering::Greater);
    }
}
