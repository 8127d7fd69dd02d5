//! The cookies of one session (RFC 6265, TR-069 3.4.2).
//!
//! Bounded in count and size; a cookie that does not fit pushes the oldest one out. Time is
//! an argument: `wall` for dates that the ACS wrote, `now` for our own reckoning, so that a
//! clock set in mid-session does not end a cookie's life.

use crate::net::url::Url;

/// Most cookies kept.
pub const MAX_COOKIES: usize = 32;
/// Longest `Set-Cookie` read, bytes.
pub const MAX_COOKIE: usize = 4096;
/// Names and values of all cookies together, bytes. TR-069 wants at least 512.
pub const MAX_TOTAL: usize = 16 * 1024;

/// When something is said or asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, seconds since 1970.
    pub wall: i64,
    /// Seconds on a clock that is never set.
    pub now: i64,
}

#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    /// True: only this very host; false: its subdomains too.
    host_only: bool,
    path: String,
    secure: bool,
    /// On the clock that is never set; none: until the session ends.
    ends: Option<i64>,
    /// Order of creation, for the order in the header.
    born: u32,
}

impl Cookie {
    fn same(&self, other: &Cookie) -> bool {
        self.name == other.name && self.host == other.host && self.path == other.path
    }

    fn size(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

/// The jar. It dies with the session (SES-013).
#[derive(Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
    born: u32,
    generation: u32,
}

impl Jar {
    /// An empty jar.
    pub fn new() -> Jar {
        Jar::default()
    }

    /// Takes one `Set-Cookie` value in. What is malformed, oversized or set for a foreign
    /// host is left out silently, as RFC 6265 wants.
    pub fn store(&mut self, header: &str, url: &Url, at: Moment) {
        if header.len() > MAX_COOKIE || header.bytes().any(|b| b < b' ' && b != b'\t') {
            return;
        }
        let Some(mut cookie) = parse(header, url, at) else {
            return;
        };
        cookie.born = self.born;
        self.born = self.born.wrapping_add(1);
        if let Some(at) = self.cookies.iter().position(|c| c.same(&cookie)) {
            let old = self.cookies.remove(at);
            if old.value == cookie.value && old.ends.is_none() == cookie.ends.is_none() {
                // Said again: keeps its place and is no change.
                cookie.born = old.born;
            } else {
                self.generation = self.generation.wrapping_add(1);
            }
        } else {
            self.generation = self.generation.wrapping_add(1);
        }
        if cookie.ends.is_some_and(|end| end <= at.now) {
            return;
        }
        self.cookies.push(cookie);
        self.cookies
            .retain(|c| c.ends.is_none_or(|end| end > at.now));
        while self.cookies.len() > MAX_COOKIES
            || self.cookies.iter().map(Cookie::size).sum::<usize>() > MAX_TOTAL
        {
            self.cookies.remove(0);
        }
    }

    /// The `Cookie` header for a request to this URL; none where no cookie applies.
    pub fn header(&self, url: &Url, at: Moment) -> Option<String> {
        let mut fitting: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|c| {
                (c.host == url.host() || (!c.host_only && is_below(url.host(), &c.host)))
                    && path_matches(url.path(), &c.path)
                    && (!c.secure || url.is_https())
                    && c.ends.is_none_or(|end| end > at.now)
            })
            .collect();
        if fitting.is_empty() {
            return None;
        }
        fitting.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then(a.born.cmp(&b.born)));
        let pairs: Vec<String> = fitting
            .iter()
            .map(|c| format!("{}={}", c.name, c.value))
            .collect();
        Some(pairs.join("; "))
    }

    /// Changes whenever a cookie came, changed or went: tells a redirect that sets a cookie
    /// from one that leads in a circle.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// How many cookies are kept.
    pub fn len(&self) -> usize {
        self.cookies.len()
    }

    /// True when no cookie is kept.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }
}

fn parse(header: &str, url: &Url, at: Moment) -> Option<Cookie> {
    let mut parts = split_attributes(header).into_iter();
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.contains([' ', '\t']) {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        // A quoted value goes back as it came, quotes included.
        value: value.to_owned(),
        host: url.host().to_owned(),
        host_only: true,
        path: default_path(url.path()).to_owned(),
        secure: false,
        ends: None,
        born: 0,
    };
    let mut expires = None;
    let mut max_age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        if key.eq_ignore_ascii_case("path") {
            if value.starts_with('/') {
                cookie.path = value.to_owned();
            }
        } else if key.eq_ignore_ascii_case("domain") {
            let domain = value.trim_start_matches('.').to_ascii_lowercase();
            if domain.is_empty() || domain == url.host() {
                cookie.host_only = domain.is_empty() || is_address(url.host());
            } else if is_below(url.host(), &domain) && domain.contains('.') {
                cookie.host = domain;
                cookie.host_only = false;
            } else {
                return None;
            }
        } else if key.eq_ignore_ascii_case("secure") {
            cookie.secure = true;
        } else if key.eq_ignore_ascii_case("max-age") {
            max_age = parse_max_age(value).or(max_age);
        } else if key.eq_ignore_ascii_case("expires") {
            expires = parse_date(value).or(expires);
        }
    }
    cookie.ends = match (max_age, expires) {
        (Some(age), _) => Some(at.now.saturating_add(age)),
        (None, Some(date)) => Some(at.now.saturating_add(date.saturating_sub(at.wall))),
        (None, None) => None,
    };
    Some(cookie)
}

/// Splits at semicolons, but not inside a quoted value (the older cookie form allows them).
fn split_attributes(header: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let closes = |at: usize| header[at + 1..].contains('"');
    for (i, b) in header.bytes().enumerate() {
        match b {
            // A quote that is never closed is an ordinary character.
            b'"' if quoted || closes(i) => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&header[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&header[start..]);
    parts
}

fn parse_max_age(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.starts_with('-') {
        return Some(0);
    }
    // Longer than any session either way.
    Some(
        digits
            .parse()
            .unwrap_or(i64::from(i32::MAX))
            .min(i64::from(i32::MAX)),
    )
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// `a.b.example` is below `b.example`. Addresses are below nothing.
fn is_below(host: &str, domain: &str) -> bool {
    !is_address(host)
        && host
            .strip_suffix(domain)
            .is_some_and(|front| front.ends_with('.') && front.len() > 1)
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

fn path_matches(path: &str, cookie: &str) -> bool {
    match path.strip_prefix(cookie) {
        Some("") => true,
        Some(rest) => cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

/// A date as cookies carry it (RFC 6265 section 5.1.1): every form that servers were ever
/// seen to send, since only the tokens count. Seconds since 1970.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let mut clock = None;
    let mut day = None;
    let mut month = None;
    let mut year = None;
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == ':';
    for token in text.split(|c: char| !is_token(c)).filter(|t| !t.is_empty()) {
        if clock.is_none()
            && let Some(found) = parse_clock(token)
        {
            clock = Some(found);
            continue;
        }
        let digits = token.bytes().take_while(u8::is_ascii_digit).count();
        let number = token.get(..digits).and_then(|d| d.parse::<i64>().ok());
        if day.is_none() && (1..=2).contains(&digits) {
            day = number;
        } else if month.is_none() && digits == 0 {
            month = parse_month(token);
        } else if year.is_none() && (digits == 2 || digits == 4) {
            year = number;
        }
    }
    let (hour, minute, second) = clock?;
    let (day, month, mut year) = (day?, month?, year?);
    if year < 70 {
        year += 2000;
    } else if year < 100 {
        year += 1900;
    }
    if !(1..=31).contains(&day) || year < 1601 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn parse_clock(token: &str) -> Option<(i64, i64, i64)> {
    let mut parts = token.split(':').map(|part| {
        let good = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if good { part.parse::<i64>().ok() } else { None }
    });
    let found = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(found)
}

fn parse_month(token: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let start = token.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|m| *m == start)?;
    i64::try_from(at + 1).ok()
}

/// Days from 1970-01-01 in the Gregorian calendar (years counted from March, so that the leap
/// day is the last one).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    365 * y + leap_days + (153 * m + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Moment = Moment {
        wall: 1_700_000_000,
        now: 100,
    };

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    fn jar(cookies: &[&str]) -> Jar {
        let mut jar = Jar::new();
        for cookie in cookies {
            jar.store(cookie, &url("http://acs.example.com/cwmp/a"), AT);
        }
        jar
    }

    fn sent(jar: &Jar, to: &str) -> String {
        jar.header(&url(to), AT).unwrap_or_default()
    }

    // T-SES-008
    #[test]
    fn a_cookie_without_path_comes_back_to_the_same_folder() {
        let jar = jar(&["session=abc"]);
        assert_eq!(sent(&jar, "http://acs.example.com/cwmp/a"), "session=abc");
        assert_eq!(
            sent(&jar, "http://acs.example.com:7547/cwmp/b"),
            "session=abc"
        );
        assert_eq!(sent(&jar, "http://acs.example.com/other"), "");
        assert_eq!(sent(&jar, "http://other.example.com/cwmp/a"), "");
    }

    // T-SES-009
    #[test]
    fn several_cookies_of_512_bytes_together_all_come_back() {
        let long = "x".repeat(500);
        let jar = jar(&[&format!("a={long}"), "b=2", "c=3; HttpOnly"]);
        let got = sent(&jar, "http://acs.example.com/cwmp/a");
        assert_eq!(got, format!("a={long}; b=2; c=3"));
    }

    // T-SES-010
    #[test]
    fn a_cookie_is_replaced_and_deleted() {
        let here = "http://acs.example.com/cwmp/a";
        assert_eq!(sent(&jar(&["a=1", "a=2"]), here), "a=2");
        assert_eq!(sent(&jar(&["a=1", "a=; Max-Age=0"]), here), "");
        assert_eq!(sent(&jar(&["a=1", "a=; Max-Age=-5"]), here), "");
        let gone = "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(sent(&jar(&["a=1", gone]), here), "");
        let past = "a=2; Expires=Sun, 06-Nov-94 08:49:37 GMT";
        assert_eq!(sent(&jar(&["a=1", past]), here), "");
        // Max-Age wins over Expires.
        let both = "a=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60";
        assert_eq!(sent(&jar(&["a=1", both]), here), "a=2");
    }

    // T-SES-011
    #[test]
    fn path_secure_domain_and_quotes_are_kept() {
        let jar = jar(&[
            "p=1; Path=/cwmp",
            "q=\"a;b c\"; path=/",
            "s=2; Path=/; Secure",
            "d=3; Domain=.Example.com; Path=/",
            "f=4; Domain=other.com",
            "t=5; Domain=com; Path=/",
        ]);
        assert_eq!(
            sent(&jar, "http://acs.example.com/cwmp/x"),
            "p=1; q=\"a;b c\"; d=3"
        );
        assert_eq!(
            sent(&jar, "http://acs.example.com/cwmpx"),
            "q=\"a;b c\"; d=3"
        );
        assert_eq!(
            sent(&jar, "https://acs.example.com/"),
            "q=\"a;b c\"; s=2; d=3"
        );
        assert_eq!(sent(&jar, "http://www.example.com/"), "d=3");
        assert_eq!(sent(&jar, "http://notexample.com/"), "");
    }

    #[test]
    fn a_lifetime_ends_by_the_clock_that_is_never_set() {
        let jar = jar(&["a=1; Max-Age=60; Path=/"]);
        let to = url("http://acs.example.com/");
        let later = |now| Moment { wall: 0, now };
        assert!(jar.header(&to, later(159)).is_some());
        assert!(jar.header(&to, later(160)).is_none());
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_date(text), Some(784_111_777), "{text}");
        }
        assert_eq!(parse_date("Tue, 19 Jan 2038 03:14:08 GMT"), Some(1 << 31));
        assert_eq!(
            parse_date("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(1_709_164_800)
        );
        for text in ["", "tomorrow", "06 Nov 1994", "Sun, 06 Nov 1994 25:00:00"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn the_jar_is_bounded() {
        let mut jar = Jar::new();
        let here = url("http://a.example/");
        for i in 0..1000 {
            jar.store(&format!("c{i}={}", "v".repeat(1000)), &here, AT);
        }
        assert!(jar.len() <= MAX_COOKIES);
        let header = jar.header(&here, AT).expect("some are kept");
        assert!(header.len() <= MAX_TOTAL + 4 * MAX_COOKIES);
        assert!(header.contains("c999="), "the newest one is kept");
        jar.store(&format!("big={}", "v".repeat(5000)), &here, AT);
        assert!(!jar.header(&here, AT).expect("kept").contains("big="));
    }

    #[test]
    fn nonsense_is_left_out() {
        let jar = jar(&["", "novalue", "=x", "a b=c", "a=b\r\nX: y", ";;;"]);
        assert!(jar.is_empty());
    }

    #[test]
    fn a_cookie_said_again_is_no_change() {
        let mut jar = jar(&["a=1"]);
        let before = jar.generation();
        let here = url("http://acs.example.com/cwmp/a");
        jar.store("a=1", &here, AT);
        assert_eq!(jar.generation(), before);
        jar.store("a=2", &here, AT);
        assert_ne!(jar.generation(), before);
    }
}
