//! The local time: a small reader of POSIX time zones (IEEE 1003.1, environment
//! variable TZ), which is what OpenWrt keeps in `system.@system[0].timezone`.

use crate::source::packages::Packages;
use crate::store::Root;
use crate::uci::Value;
use crate::uci::file::Stamp;
use std::time::{Duration, UNIX_EPOCH};
use time::{Date, Month, OffsetDateTime, UtcOffset};

/// TR-069 3.2.1: the value of a dateTime that is not known.
const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";
/// 2020-01-01: a clock before it was never set.
const CLOCK_FLOOR: i64 = 1_577_836_800;
/// A TZ text is not longer than this, bytes.
const LIMIT: u64 = 1024;

/// Where the zone is configured.
const CONFIG: &str = "/etc/config/system";

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// The configured zone, read again when its file has changed.
#[derive(Debug, Default)]
pub struct ZoneText {
    known: Option<(Stamp, Option<String>)>,
}

impl ZoneText {
    /// Device.Time.CurrentLocalTime: a dateTime with the offset that is in force.
    pub fn current_local_time(&mut self, packages: &Packages, root: &Root) -> String {
        let now = crate::store::clock::now().duration_since(UNIX_EPOCH);
        let seconds = |passed: Duration| i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
        let now = now.map_or(0, seconds);
        local_time(now, self.get(packages, root).as_deref().unwrap_or("UTC0"))
    }

    /// Minutes by which local time is ahead of UTC at `now` (seconds since 1970).
    pub fn utc_offset_minutes(&mut self, packages: &Packages, root: &Root, now: i64) -> i16 {
        let zone = self.get(packages, root);
        let east = zone
            .as_deref()
            .and_then(Zone::parse)
            .map_or(0, |zone| zone.east_at(now));
        // No zone is further from UTC than a day.
        i16::try_from(east / 60).unwrap_or(0)
    }

    fn get(&mut self, packages: &Packages, root: &Root) -> Option<String> {
        let path = root.path(CONFIG).ok();
        let stamp = path.and_then(|path| Stamp::of(&path).ok()).flatten();
        match (&self.known, stamp) {
            (Some((then, zone)), Some(stamp)) if *then == stamp => zone.clone(),
            _ => {
                let zone = zone_text(packages, root);
                // Without a file to go by it is read every time.
                self.known = stamp.map(|stamp| (stamp, zone.clone()));
                zone
            }
        }
    }
}

/// A dateTime in UTC for a time in seconds since 1970; the Unknown Time before the clock
/// was ever set.
pub fn utc_time(seconds: i64) -> String {
    local_time(seconds, "UTC0")
}

/// This moment as a dateTime in UTC.
pub fn utc_now() -> String {
    let now = crate::store::clock::now().duration_since(UNIX_EPOCH);
    utc_time(now.map_or(0, |passed| {
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    }))
}

/// Whether a text is a time zone as POSIX writes it, with its offset (`UTC` and `GMT` may
/// do without).
pub fn is_posix_zone(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "<>+-,./:".contains(c);
    let near = |east: i64| east.abs() < 25 * HOUR;
    let Some(zone) = Zone::parse(text).filter(|_| text.chars().all(plain)) else {
        return false;
    };
    let told = matches!(text, "UTC" | "GMT") || text.contains(|c: char| c.is_ascii_digit());
    told && near(zone.east) && zone.summer.is_none_or(|summer| near(summer.east))
}

/// What the configuration says, else what the system uses.
fn zone_text(packages: &Packages, root: &Root) -> Option<String> {
    let configured = root
        .path(CONFIG)
        .ok()
        .and_then(|path| packages.load(&path).ok())
        .and_then(|(package, _)| {
            let index = package.find("@system[0]")?;
            let section = package.sections().get(index)?;
            section
                .get("timezone")
                .and_then(Value::as_one)
                .map(str::to_owned)
        });
    configured.or_else(|| {
        let text = root.read("/etc/TZ", LIMIT).ok()?;
        Some(String::from_utf8_lossy(&text).trim().to_owned())
    })
}

/// A dateTime for a time in seconds since 1970; a zone that is not understood is UTC.
pub(super) fn local_time(now: i64, zone: &str) -> String {
    if now < CLOCK_FLOOR {
        return UNKNOWN_TIME.to_owned();
    }
    let east = match zone {
        "UTC0" => 0,
        zone => Zone::parse(zone).map_or(0, |zone| zone.east_at(now)),
    };
    let offset = i32::try_from(east)
        .ok()
        .and_then(|s| UtcOffset::from_whole_seconds(s).ok())
        .unwrap_or(UtcOffset::UTC);
    let Ok(utc) = OffsetDateTime::from_unix_timestamp(now) else {
        return UNKNOWN_TIME.to_owned();
    };
    let t = utc.to_offset(offset);
    let mut text = String::with_capacity("2020-01-01T00:00:00+00:00".len());
    match u16::try_from(t.year()) {
        Ok(year @ 0..=9999) => {
            put_two((year / 100) as u8, &mut text);
            put_two((year % 100) as u8, &mut text);
        }
        _ => text.push_str(&t.year().to_string()),
    }
    let parts = [
        ('-', u8::from(t.month())),
        ('-', t.day()),
        ('T', t.hour()),
        (':', t.minute()),
        (':', t.second()),
    ];
    for (before, part) in parts {
        text.push(before);
        put_two(part, &mut text);
    }
    let minutes = east / 60;
    if minutes == 0 {
        text.push('Z');
    } else {
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    text
}

/// Two digits of a number below 100.
fn put_two(n: u8, text: &mut String) {
    text.push(char::from(b'0' + n / 10 % 10));
    text.push(char::from(b'0' + n % 10));
}

/// A time zone: seconds east of Greenwich, and in summer.
#[derive(Debug, PartialEq, Eq)]
struct Zone {
    east: i64,
    summer: Option<Summer>,
}

#[derive(Debug, PartialEq, Eq)]
struct Summer {
    east: i64,
    begin: Rule,
    end: Rule,
}

/// A moment in every year, in the local time before the change.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    day: YearDay,
    /// Seconds from midnight.
    time: i64,
}

#[derive(Debug, PartialEq, Eq)]
enum YearDay {
    /// `Mm.w.d`: the w-th (5: last) such weekday (0: Sunday) of the month.
    Weekday { month: u8, week: u8, weekday: u8 },
    /// `Jn`: 1 to 365, never the 29th of February.
    NoLeap(i64),
    /// `n`: 0 to 365.
    Plain(i64),
}

impl Zone {
    fn parse(text: &str) -> Option<Zone> {
        let mut rest = text.trim();
        name(&mut rest)?;
        let east = match offset(&mut rest) {
            Some(west) => -west,
            // OpenWrt writes plain `UTC`.
            None if rest.is_empty() => 0,
            None => return None,
        };
        if rest.is_empty() {
            return Some(Zone { east, summer: None });
        }
        name(&mut rest)?;
        let summer_east = if rest.is_empty() || rest.starts_with(',') {
            east + HOUR
        } else {
            -offset(&mut rest)?
        };
        let (begin, end) = match rest.strip_prefix(',') {
            // Without rules: those of the United States, as in other programs.
            None if rest.is_empty() => ("M3.2.0", "M11.1.0"),
            None => return None,
            Some(rules) => rules.split_once(',')?,
        };
        Some(Zone {
            east,
            summer: Some(Summer {
                east: summer_east,
                begin: Rule::parse(begin)?,
                end: Rule::parse(end)?,
            }),
        })
    }

    /// Seconds east of Greenwich at a time.
    fn east_at(&self, now: i64) -> i64 {
        let Some(summer) = &self.summer else {
            return self.east;
        };
        let Some(year) = OffsetDateTime::from_unix_timestamp(now + self.east)
            .ok()
            .map(OffsetDateTime::year)
        else {
            return self.east;
        };
        let (Some(begin), Some(end)) = (summer.begin.in_year(year), summer.end.in_year(year))
        else {
            return self.east;
        };
        let (begin, end) = (begin - self.east, end - summer.east);
        let is_summer = if begin < end {
            (begin..end).contains(&now)
        } else {
            !(end..begin).contains(&now)
        };
        if is_summer { summer.east } else { self.east }
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Rule> {
        let (day, time) = match text.split_once('/') {
            None => (text, 2 * HOUR),
            Some((day, mut time)) => {
                let seconds = offset(&mut time)?;
                if !time.is_empty() {
                    return None;
                }
                (day, seconds)
            }
        };
        let number = |text: &str, range: std::ops::RangeInclusive<i64>| {
            text.parse().ok().filter(|n| range.contains(n))
        };
        let day = if let Some(rest) = day.strip_prefix('M') {
            let mut parts = rest.split('.');
            let mut part = |low: u8, high: u8| {
                parts
                    .next()?
                    .parse::<u8>()
                    .ok()
                    .filter(|n| (low..=high).contains(n))
            };
            let (month, week, weekday) = (part(1, 12)?, part(1, 5)?, part(0, 6)?);
            if parts.next().is_some() {
                return None;
            }
            YearDay::Weekday {
                month,
                week,
                weekday,
            }
        } else if let Some(rest) = day.strip_prefix('J') {
            YearDay::NoLeap(number(rest, 1..=365)?)
        } else {
            YearDay::Plain(number(day, 0..=365)?)
        };
        Some(Rule { day, time })
    }

    /// Seconds since 1970 in local time.
    fn in_year(&self, year: i32) -> Option<i64> {
        let midnight = |date: Date| date.midnight().assume_utc().unix_timestamp();
        let new_year = midnight(Date::from_ordinal_date(year, 1).ok()?);
        let day = match self.day {
            YearDay::Plain(n) => new_year + n * DAY,
            YearDay::NoLeap(n) => {
                let leap = time::util::is_leap_year(year) && n >= 60;
                new_year + (n - 1 + i64::from(leap)) * DAY
            }
            YearDay::Weekday {
                month,
                week,
                weekday,
            } => {
                let month = Month::try_from(month).ok()?;
                let first = Date::from_calendar_date(year, month, 1).ok()?;
                let ahead = (7 + weekday - first.weekday().number_days_from_sunday()) % 7;
                let mut day = 1 + ahead + (week - 1) * 7;
                if day > month.length(year) {
                    day -= 7;
                }
                midnight(Date::from_calendar_date(year, month, day).ok()?)
            }
        };
        Some(day + self.time)
    }
}

/// Takes a zone's name off: three letters or more, or anything in `<>`.
fn name(rest: &mut &str) -> Option<()> {
    let end = match rest.strip_prefix('<') {
        Some(quoted) => quoted.find('>')? + 2,
        None => rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len()),
    };
    if end < 3 {
        return None;
    }
    *rest = rest.get(end..)?;
    Some(())
}

/// Takes `[+-]hh[:mm[:ss]]` off, in seconds. Hours go to 167 (a week), as in rules.
fn offset(rest: &mut &str) -> Option<i64> {
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | ':')))
        .unwrap_or(rest.len());
    let (text, after) = rest.split_at(end);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut seconds = 0;
    for (i, part) in digits.split(':').enumerate() {
        let (unit, highest) = match i {
            0 => (HOUR, 167),
            1 => (60, 59),
            2 => (1, 59),
            _ => return None,
        };
        let n: i64 = part.parse().ok().filter(|n| (0..=highest).contains(n))?;
        seconds += n * unit;
    }
    *rest = after;
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn summer_time_begins_and_ends_to_the_second() {
        // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC.
        assert_eq!(
            local_time(1_774_745_999, BERLIN),
            "2026-03-29T01:59:59+01:00"
        );
        assert_eq!(
            local_time(1_774_746_000, BERLIN),
            "2026-03-29T03:00:00+02:00"
        );
        assert_eq!(
            local_time(1_792_889_999, BERLIN),
            "2026-10-25T02:59:59+02:00"
        );
        assert_eq!(
            local_time(1_792_890_000, BERLIN),
            "2026-10-25T02:00:00+01:00"
        );
    }

    #[test]
    fn the_south_has_summer_over_the_new_year() {
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        assert_eq!(
            local_time(1_767_225_600, sydney),
            "2026-01-01T11:00:00+11:00"
        );
        assert_eq!(
            local_time(1_782_864_000, sydney),
            "2026-07-01T10:00:00+10:00"
        );
    }

    #[test]
    fn zones_of_every_form_are_read() {
        let now = 1_782_864_000; // 2026-07-01 00:00 UTC
        assert_eq!(local_time(now, "UTC"), "2026-07-01T00:00:00Z");
        assert_eq!(local_time(now, "GMT0"), "2026-07-01T00:00:00Z");
        assert_eq!(local_time(now, "<+0530>-5:30"), "2026-07-01T05:30:00+05:30");
        assert_eq!(local_time(now, "EST5EDT"), "2026-06-30T20:00:00-04:00");
        assert_eq!(
            local_time(now, "NST3:30NDT,M3.2.0,M11.1.0"),
            "2026-06-30T21:30:00-02:30"
        );
        assert_eq!(
            local_time(now, "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"),
            "2026-06-30T23:00:00-01:00"
        );
        // Ireland: winter is the exception, one hour back.
        assert_eq!(
            local_time(now, "IST-1GMT0,M10.5.0,M3.5.0/1"),
            "2026-07-01T01:00:00+01:00"
        );
        assert_eq!(
            local_time(now, "ABC3DEF,J60,J300"),
            "2026-06-30T22:00:00-02:00"
        );
        assert_eq!(
            local_time(now, "ABC3DEF,59,299/24"),
            "2026-06-30T22:00:00-02:00"
        );
    }

    #[test]
    fn what_is_no_zone_is_utc_and_an_unset_clock_is_unknown() {
        let now = 1_782_864_000;
        for bad in [
            "",
            "X",
            "CET-1CEST,",
            "CET-1CEST,M13.1.0,M1.1.0",
            "CET-99999",
            "<",
            "CET-1CEST,M3.5.0",
            "$(x)",
        ] {
            assert_eq!(local_time(now, bad), "2026-07-01T00:00:00Z", "{bad}");
        }
        assert_eq!(local_time(100, BERLIN), UNKNOWN_TIME);
    }

    #[test]
    fn a_zone_that_can_be_set_says_how_far_it_is_from_utc() {
        for good in [
            BERLIN,
            "UTC",
            "UTC0",
            "GMT0BST,M3.5.0/1,M10.5.0",
            "EST5EDT",
            "<-03>3",
        ] {
            assert!(is_posix_zone(good), "{good}");
        }
        for bad in [
            "",
            "CET",
            "Europe/Berlin",
            "CET-26",
            " CET-1",
            "CET-1CEST,M3.5.0",
            "<a$(b)>-1",
            "CET-1\nX",
        ] {
            assert!(!is_posix_zone(bad), "{bad}");
        }
    }

    #[test]
    fn a_leap_day_moves_plain_days_only() {
        let rule = |text: &str| Rule::parse(text).expect("a rule");
        let day = |text: &str, year| rule(text).in_year(year).map(|t| t.div_euclid(DAY));
        assert_eq!(day("J60", 2024), day("60", 2024), "the 1st of March");
        assert_eq!(day("J60", 2025), day("59", 2025));
    }
}
