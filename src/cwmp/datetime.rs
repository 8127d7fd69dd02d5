//! The `dateTime` of CWMP (TR-106 3.2): absolute, unknown, and since boot.

use std::fmt;

const DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits can say.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A moment as CWMP messages carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateTime {
    /// The Unknown Time, `0001-01-01T00:00:00Z`.
    Unknown,
    /// Seconds since 1970-01-01T00:00:00Z, written with `Z`. What four digits of year
    /// cannot say is written as the nearest moment that they can.
    Utc(i64),
    /// The same moment written in local time with its offset from UTC in minutes
    /// (`+01:00`); an offset of 0 is written `Z`.
    Local { seconds: i64, offset_minutes: i16 },
    /// Seconds since boot, for a CPE without absolute time: `0001-01-01T00:07:12`
    /// without a zone.
    SinceBoot(u32),
}

impl DateTime {
    /// Reads the XSD `dateTime` forms: an optional fraction (cut off), `Z`, an offset,
    /// or none. Year 1 is [`Unknown`](DateTime::Unknown) with a zone and
    /// [`SinceBoot`](DateTime::SinceBoot) without; any other moment comes back as
    /// [`Utc`](DateTime::Utc) (without a zone it is read as UTC). `None`: not a dateTime.
    pub fn parse(text: &str) -> Option<DateTime> {
        let text = text.trim();
        let (date, clock) = text.split_once('T')?;
        let mut date = date.split('-');
        let year = digits(date.next()?, 4)?;
        let month = digits(date.next()?, 2)?;
        let day = digits(date.next()?, 2)?;
        if date.next().is_some()
            || year == 0
            || !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
        {
            return None;
        }
        let (clock, zone) = match clock.find(['Z', '+', '-']) {
            Some(at) => (clock.get(..at)?, clock.get(at..)?),
            None => (clock, ""),
        };
        let clock = match clock.split_once('.') {
            Some((whole, fraction)) => {
                if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                whole
            }
            None => clock,
        };
        let mut clock = clock.split(':');
        let hour = digits(clock.next()?, 2)?;
        let minute = digits(clock.next()?, 2)?;
        let second = digits(clock.next()?, 2)?;
        let midnight = hour == 24 && minute == 0 && second == 0;
        if clock.next().is_some() || minute > 59 || second > 59 || (hour > 23 && !midnight) {
            return None;
        }
        let offset = match zone {
            "" | "Z" => 0,
            signed => {
                let (h, m) = signed.get(1..)?.split_once(':')?;
                let (h, m) = (digits(h, 2)?, digits(m, 2)?);
                if h > 14 || m > 59 || (h == 14 && m > 0) {
                    return None;
                }
                let minutes = h * 60 + m;
                match signed.as_bytes().first()? {
                    b'+' => minutes,
                    b'-' => -minutes,
                    _ => return None,
                }
            }
        };
        let in_day = hour * 3600 + minute * 60 + second;
        let seconds = days_from_civil(year, month, day) * DAY + in_day - offset * 60;
        Some(match (year, zone) {
            (1, "") => DateTime::SinceBoot(u32::try_from(seconds - FIRST).ok()?),
            (1, _) => DateTime::Unknown,
            _ => DateTime::Utc(seconds),
        })
    }

    /// Seconds since 1970-01-01T00:00:00Z, where the moment is absolute.
    pub fn unix_seconds(self) -> Option<i64> {
        match self {
            DateTime::Utc(s) | DateTime::Local { seconds: s, .. } => Some(s),
            DateTime::Unknown | DateTime::SinceBoot(_) => None,
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DateTime::Unknown => f.write_str("0001-01-01T00:00:00Z"),
            DateTime::Utc(seconds)
            | DateTime::Local {
                seconds,
                offset_minutes: 0,
            } => {
                write_clock(f, seconds)?;
                f.write_str("Z")
            }
            DateTime::Local {
                seconds,
                offset_minutes,
            } => {
                write_clock(f, seconds.saturating_add(i64::from(offset_minutes) * 60))?;
                let sign = if offset_minutes < 0 { '-' } else { '+' };
                let minutes = offset_minutes.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            DateTime::SinceBoot(seconds) => write_clock(f, FIRST + i64::from(seconds)),
        }
    }
}

fn write_clock(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let seconds = seconds.clamp(FIRST, LAST);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let rest = seconds.rem_euclid(DAY);
    write!(
        f,
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Exactly `count` ASCII digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    if text.len() != count || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Counting years from March
/// puts the leap day last, so that months have the lengths of a fixed pattern.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (153 * month + 2) / 5;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    before_year + before_month + day - 1 - 719_468
}

/// The date of a day since 1970-01-01: the other way round.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // A guess that is never more than a year off, then put right.
    let mut year = 1970 + days.div_euclid(365);
    while days_from_civil(year, 1, 1) > days {
        // Leap days make the guess too late by at most their number over 365.
        let over = (days_from_civil(year, 1, 1) - days + 365) / 366;
        year -= over.max(1);
    }
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_from_civil(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_from_civil(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (2_147_483_648, "2038-01-19T03:14:08Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(DateTime::Utc(seconds).to_string(), text);
            assert_eq!(
                DateTime::parse(text),
                Some(DateTime::Utc(seconds)),
                "{text}"
            );
        }
        assert_eq!(DateTime::Utc(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(DateTime::Utc(i64::MIN).to_string(), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn every_day_of_four_centuries_goes_there_and_back() {
        let mut before = (1969, 12, 31);
        for day in 0..146_097 {
            let civil = civil_from_days(day);
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), day);
            assert!(civil > before, "{civil:?}");
            before = civil;
        }
    }

    // T-INF-004, T-INF-005
    #[test]
    fn local_time_has_its_offset_and_time_since_boot_has_none() {
        let local = |offset_minutes| DateTime::Local {
            seconds: 1_000_000_000,
            offset_minutes,
        };
        assert_eq!(local(60).to_string(), "2001-09-09T02:46:40+01:00");
        assert_eq!(local(-210).to_string(), "2001-09-08T22:16:40-03:30");
        assert_eq!(local(0).to_string(), "2001-09-09T01:46:40Z");
        assert_eq!(DateTime::SinceBoot(432).to_string(), "0001-01-01T00:07:12");
        assert_eq!(
            DateTime::parse("2001-09-09T02:46:40.999+01:00"),
            Some(DateTime::Utc(1_000_000_000))
        );
        assert_eq!(
            DateTime::parse("0001-01-01T00:07:12"),
            Some(DateTime::SinceBoot(432))
        );
        assert_eq!(
            DateTime::parse("0001-01-01T00:00:00Z"),
            Some(DateTime::Unknown)
        );
        assert_eq!(
            DateTime::parse("2001-09-09T24:00:00Z"),
            DateTime::parse("2001-09-10T00:00:00Z")
        );
    }

    #[test]
    fn what_is_no_datetime_is_refused() {
        for text in [
            "",
            "T",
            "2001-09-09",
            "2001-9-9T00:00:00Z",
            "2001-02-29T00:00:00Z",
            "2001-13-01T00:00:00Z",
            "2001-01-01T24:00:01Z",
            "2001-01-01T00:60:00Z",
            "2001-01-01T00:00:00.Z",
            "2001-01-01T00:00:00+15:00",
            "2001-01-01T00:00:00+1:00",
            "2001-01-01T00:00:00Zx",
            "0000-01-01T00:00:00Z",
            "-2001-01-01T00:00:00Z",
            "2001-01-01T00:00:00\u{e9}",
            "\u{661}\u{662}01-01-01T00:00:00Z",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }
}
