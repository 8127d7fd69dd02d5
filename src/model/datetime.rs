//! dateTime values by TR-106 3.2: UTC with `Z`, unknown time, time since boot.

/// What TR-106 writes for a time that is not known.
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// The canonical form: UTC with `Z`, no zeros at the end of the fraction. An offset is
/// converted. A time without a zone is only a time since boot: year 1, and it stays
/// without one.
pub fn canonical(text: &str) -> Result<String, String> {
    parse(text).ok_or_else(|| "is no dateTime; write it in UTC as 2026-01-31T23:59:59Z".to_owned())
}

/// Whether a text surely is the canonical form of a time in whole seconds. Most are, and need no
/// further look.
pub fn is_plain(text: &str) -> bool {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        i0,
        i1,
        b':',
        s0,
        s1,
        b'Z',
    ] = text.as_bytes()
    else {
        return false;
    };
    let pair = |a: &u8, b: &u8, range: std::ops::RangeInclusive<u8>| {
        a.is_ascii_digit() && b.is_ascii_digit() && range.contains(&((a - b'0') * 10 + (b - b'0')))
    };
    pair(y0, y1, 1..=99)
        && pair(y2, y3, 0..=99)
        && pair(m0, m1, 1..=12)
        // Days that every month has.
        && pair(d0, d1, 1..=28)
        && pair(h0, h1, 0..=23)
        && pair(i0, i1, 0..=59)
        && pair(s0, s1, 0..=59)
}

fn parse(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    // Everything up to the seconds has one width: YYYY-MM-DDThh:mm:ss.
    if !text.is_ascii() || bytes.len() < 19 {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        if part.bytes().all(|b| b.is_ascii_digit()) {
            part.parse().ok()
        } else {
            None
        }
    };
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if bytes.get(at) != Some(&mark) {
            return None;
        }
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let mut rest = text.get(19..)?;
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let (found, tail) = after.split_at(digits);
        fraction = found.trim_end_matches('0');
        rest = tail;
    }
    let midnight = hour == 24 && minute == 0 && second == 0 && fraction.is_empty();
    let valid = year >= 1
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (hour < 24 || midnight)
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let zone_minutes = match rest {
        "" if year == 1 => None,
        "Z" => Some(0),
        _ => Some(offset(rest)?),
    };
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - zone_minutes.unwrap_or(0) * 60;
    let (year, month, day) = date_of(seconds.div_euclid(86_400));
    if !(1..=9999).contains(&year) {
        return None;
    }
    let of_day = seconds.rem_euclid(86_400);
    let mut out = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    );
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    if zone_minutes.is_some() {
        out.push('Z');
    }
    Some(out)
}

fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let part = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            digits.parse().ok()
        } else {
            None
        }
    };
    let (hours, minutes) = (part(1, 3)?, part(4, 6)?);
    let valid = minutes < 60 && (hours < 14 || (hours == 14 && minutes == 0));
    valid.then_some(sign * (hours * 60 + minutes))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a Gregorian date. Years are counted from March, so that the
/// leap day is the last of the year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_has_one_form() {
        // T-SPV-014
        for (text, want) in [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+00:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00.250Z", "2026-11-22T10:00:00.25Z"),
            ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
            ("2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z"),
            ("2024-12-31T24:00:00Z", "2025-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("0001-01-01T05:00:00", "0001-01-01T05:00:00"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn a_plain_time_is_its_own_form() {
        let plain = "2026-11-22T10:59:09Z";
        assert!(is_plain(plain));
        let mut found = 0;
        for at in 0..plain.len() {
            for byte in b"0123456789-:TZ. x" {
                let mut text = plain.as_bytes().to_vec();
                text[at] = *byte;
                let text = String::from_utf8(text).expect("ASCII");
                if is_plain(&text) {
                    found += 1;
                    assert_eq!(canonical(&text).as_deref(), Ok(&*text));
                }
            }
        }
        assert!(found > plain.len());
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "2026-11-22T10:59:09Zx",
            "2026-11-22T10:59:09",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T24:00:01Z",
            "2026-11-22T10:00:60Z",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00+15:00",
            "2026-11-22T10:00:00z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "９９９９-12-31T23:59:59Z",
        ] {
            assert!(canonical(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_400_years_counts_on() {
        let mut days = days_from_epoch(1900, 1, 1);
        for year in 1900..2300 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_epoch(year, month, day), days);
                    assert_eq!(date_of(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }
}
