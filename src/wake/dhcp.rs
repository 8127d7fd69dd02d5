//! What a DHCP server says about the ACS (TR-069 3.1): options 43 and 125 of DHCPv4,
//! option 17 of DHCPv6.
//!
//! Pure: octets in, an [`Answer`] out. It keeps nothing, asks nobody and never decides
//! whether what it read is to be used. All of it comes from a stranger on the network: an
//! option whose lengths do not add up is taken for none, a value that is none of its kind
//! is left out and named.
//!
//! ```text
//! option 43   code len value · code len value …             0 pads, 255 ends; or the bare URL
//! option 125  3561 (4 octets) len [ code len value … ] …    other enterprises are skipped
//! option 17   3561 (4 octets) · code (2) len (2) value …
//! ```

use crate::net::url::Url;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The enterprise number of the Broadband Forum in options 125 and 17.
pub const ENTERPRISE: u32 = 3561;
/// The longest option taken, octets: no DHCP message that arrives in one packet has more.
pub const MAX_OPTION: usize = 4096;
/// The longest URL of an ACS (Device.ManagementServer.URL).
const MAX_URL: usize = 2048;
/// The longest Device.DeviceInfo.ProvisioningCode.
const MAX_CODE: usize = 64;

/// What was said, each part where it was said in a usable way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Sub-option 1: Device.ManagementServer.URL.
    pub url: Option<String>,
    /// Sub-option 2: Device.DeviceInfo.ProvisioningCode.
    pub provisioning_code: Option<String>,
    /// Sub-option 3: Device.ManagementServer.CWMPRetryMinimumWaitInterval, seconds.
    pub minimum_wait: Option<u16>,
    /// Sub-option 4: Device.ManagementServer.CWMPRetryIntervalMultiplier, thousandths.
    pub multiplier: Option<u16>,
}

impl Answer {
    /// Nothing of use was said.
    pub fn is_empty(&self) -> bool {
        *self == Answer::default()
    }
}

/// An option as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub answer: Answer,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// Why an option, or a part of one, is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// A length points past the end of what it is in: the whole option counts for nothing.
    CutShort { option: u8, at: usize },
    /// More than [`MAX_OPTION`] octets.
    TooLong { option: u8, octets: usize },
    /// Nothing of enterprise 3561 in it.
    NotForCwmp { option: u8 },
    /// A sub-option whose value is none of its kind.
    Unusable { what: Part, why: &'static str },
}

/// What a sub-option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Url,
    ProvisioningCode,
    MinimumWait,
    Multiplier,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Url => "the URL of the ACS (sub-option 1)",
            Part::ProvisioningCode => "the provisioning code (sub-option 2)",
            Part::MinimumWait => "the retry minimum wait (sub-option 3)",
            Part::Multiplier => "the retry multiplier (sub-option 4)",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOut::CutShort { option, at } => {
                write!(
                    f,
                    "option {option} is cut short: the length at octet {at} goes past its end"
                )
            }
            LeftOut::TooLong { option, octets } => write!(
                f,
                "option {option} has {octets} octets; at most {MAX_OPTION} are read"
            ),
            LeftOut::NotForCwmp { option } => {
                write!(f, "option {option} has nothing of enterprise {ENTERPRISE}")
            }
            LeftOut::Unusable { what, why } => write!(f, "{what} is not used: {why}"),
        }
    }
}

/// Octets written as hexadecimal digits, as DHCP clients hand options to their scripts;
/// colons, spaces and a leading `0x` are taken, too. `None`: it is none, or it stands for
/// more than [`MAX_OPTION`] octets.
pub fn octets(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let mut octets = Vec::with_capacity((text.len() / 2).min(MAX_OPTION));
    let mut high = None;
    for c in text.chars() {
        let digit = match (c, high) {
            // Between two octets, not within one.
            (':' | ' ', None) => continue,
            _ => u8::try_from(c.to_digit(16)?).ok()?,
        };
        match high.take() {
            None => high = Some(digit),
            Some(_) if octets.len() >= MAX_OPTION => return None,
            Some(first) => octets.push(first << 4 | digit),
        }
    }
    (high.is_none() && !octets.is_empty()).then_some(octets)
}

/// DHCPv4 option 43: encapsulated sub-options (RFC 2132 8.4), or the URL alone, as some
/// servers send it.
pub fn option_43(octets: &[u8]) -> Said {
    let mut said = Said::default();
    if said.is_too_long(43, octets) {
        return said;
    }
    let bare = without_nuls(octets);
    let begins = |scheme: &str| {
        let head = bare.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    if begins("http://") || begins("https://") {
        said.take(Part::Url, bare);
        return said;
    }
    match short_sub_options(octets, true) {
        Ok(found) => said.take_all(&found, 0),
        Err(at) => said.left_out.push(LeftOut::CutShort { option: 43, at }),
    }
    said
}

/// DHCPv4 option 125 (RFC 3925), enterprise 3561.
///
/// There a gateway tells its own identity, too (TR-069 Annex F: OUI, serial number and
/// product class as 4, 5 and 6): where 5 or 6 is present, 1 to 4 say nothing about an ACS.
/// Sub-options 11 to 14 are what Amendment 5 put in the place of 1 to 4; they come first.
pub fn option_125(octets: &[u8]) -> Said {
    let mut said = Said::default();
    if said.is_too_long(125, octets) {
        return said;
    }
    let mut found = Vec::new();
    let mut at = 0;
    let mut ours = false;
    while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
        let block = match rest {
            [a, b, c, d, len, data @ ..] => data
                .get(..usize::from(*len))
                .map(|data| (u32::from_be_bytes([*a, *b, *c, *d]), data)),
            // Padding behind the last block.
            _ if ours && rest.iter().all(|b| *b == 0) => break,
            _ => None,
        };
        let Some((enterprise, data)) = block else {
            said.left_out.push(LeftOut::CutShort { option: 125, at });
            return said;
        };
        if enterprise == ENTERPRISE {
            ours = true;
            match short_sub_options(data, false) {
                Ok(more) => found.extend(more),
                Err(within) => {
                    let at = at + 5 + within;
                    said.left_out.push(LeftOut::CutShort { option: 125, at });
                    return said;
                }
            }
        }
        at += 5 + data.len();
    }
    let has = |codes: std::ops::RangeInclusive<u16>| {
        let mut all = found.iter();
        all.any(|(code, _)| codes.contains(code))
    };
    if has(11..=14) {
        said.take_all(&found, 10);
    } else if ours && !has(5..=6) {
        said.take_all(&found, 0);
    } else {
        said.left_out.push(LeftOut::NotForCwmp { option: 125 });
    }
    said
}

/// DHCPv6 option 17 (RFC 8415 21.17), enterprise 3561.
pub fn option_17(octets: &[u8]) -> Said {
    let mut said = Said::default();
    if said.is_too_long(17, octets) {
        return said;
    }
    let Some((enterprise, mut rest)) = octets.split_first_chunk::<4>() else {
        said.left_out.push(LeftOut::CutShort { option: 17, at: 0 });
        return said;
    };
    if u32::from_be_bytes(*enterprise) != ENTERPRISE {
        said.left_out.push(LeftOut::NotForCwmp { option: 17 });
        return said;
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let one = match rest {
            [a, b, c, d, data @ ..] => {
                let len = usize::from(u16::from_be_bytes([*c, *d]));
                data.split_at_checked(len)
                    .map(|(value, rest)| (u16::from_be_bytes([*a, *b]), value, rest))
            }
            _ => None,
        };
        let Some((code, value, behind)) = one else {
            let at = octets.len() - rest.len();
            said.left_out.push(LeftOut::CutShort { option: 17, at });
            return said;
        };
        found.push((code, value));
        rest = behind;
    }
    said.take_all(&found, 0);
    said
}

/// Which of two options of one DHCPv4 answer counts: the one that names an ACS; where both
/// do, the one that was asked for in option 55 (`asked`), and option 43 where neither, or
/// both, were.
pub fn preferred(opt43: Option<Said>, opt125: Option<Said>, asked: &[u8]) -> Said {
    let (opt43, opt125) = match (opt43, opt125) {
        (Some(opt43), Some(opt125)) => (opt43, opt125),
        (only, None) | (None, only) => return only.unwrap_or_default(),
    };
    let only_125 = asked.contains(&125) && !asked.contains(&43);
    let (first, second) = match only_125 {
        true => (opt125, opt43),
        false => (opt43, opt125),
    };
    let names_acs = |said: &Said| said.answer.url.is_some();
    let says_more = !names_acs(&first) && names_acs(&second);
    let (mut counts, other) = match says_more || first.answer.is_empty() {
        true => (second, first),
        false => (first, second),
    };
    counts.left_out.extend(other.left_out);
    counts
}

type Found<'o> = Vec<(u16, &'o [u8])>;

/// Sub-options with a code and a length of one octet each; the error is where a length
/// goes past the end. `padded`: 0 pads and 255 ends (RFC 2132 8.4).
fn short_sub_options(octets: &[u8], padded: bool) -> Result<Found<'_>, usize> {
    let mut found = Vec::new();
    let mut rest = octets;
    loop {
        let at = octets.len() - rest.len();
        rest = match rest {
            [] => return Ok(found),
            [0, behind @ ..] if padded => behind,
            [255, ..] if padded => return Ok(found),
            [code, len, behind @ ..] => {
                let (value, behind) = behind.split_at_checked(usize::from(*len)).ok_or(at)?;
                found.push((u16::from(*code), value));
                behind
            }
            // Nothing but a NUL at the end of a text.
            [0] => return Ok(found),
            [_] => return Err(at),
        };
    }
}

fn without_nuls(mut octets: &[u8]) -> &[u8] {
    while let Some((0, front)) = octets.split_last() {
        octets = front;
    }
    octets
}

impl Said {
    fn is_too_long(&mut self, option: u8, octets: &[u8]) -> bool {
        let too_long = octets.len() > MAX_OPTION;
        if too_long {
            let octets = octets.len();
            self.left_out.push(LeftOut::TooLong { option, octets });
        }
        too_long
    }

    /// Sub-options 1 to 4, counted from `base`; of several with one code the first counts.
    fn take_all(&mut self, found: &Found<'_>, base: u16) {
        let parts = [
            Part::Url,
            Part::ProvisioningCode,
            Part::MinimumWait,
            Part::Multiplier,
        ];
        for (code, part) in (base + 1..).zip(parts) {
            if let Some((_, value)) = found.iter().find(|(of, _)| *of == code) {
                self.take(part, value);
            }
        }
    }

    fn take(&mut self, what: Part, value: &[u8]) {
        let value = without_nuls(value);
        if value.is_empty() {
            return;
        }
        let answer = &mut self.answer;
        let taken = match what {
            Part::Url => url(value).map(|url| answer.url = Some(url)),
            Part::ProvisioningCode => code(value).map(|code| answer.provisioning_code = Some(code)),
            Part::MinimumWait => number(value, 1, "a number of seconds from 1 to 65535")
                .map(|n| answer.minimum_wait = Some(n)),
            Part::Multiplier => number(value, 1000, "a number from 1000 to 65535")
                .map(|n| answer.multiplier = Some(n)),
        };
        if let Err(why) = taken {
            self.left_out.push(LeftOut::Unusable { what, why });
        }
    }
}

/// The URL of an ACS as the data model takes it.
fn url(value: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| "it is no text")?;
    if text.len() > MAX_URL {
        return Err("it is longer than 2048 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("it has white space or characters that no URL has");
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("it carries credentials");
    }
    Url::parse(text).map_err(|_| "it is no http or https URL")?;
    Ok(text.to_owned())
}

fn code(value: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| "it is no text")?;
    if text.chars().count() > MAX_CODE {
        return Err("it is longer than 64 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    Ok(text.to_owned())
}

/// A decimal number in ASCII; `want` says which one would do.
fn number(value: &[u8], least: u16, want: &'static str) -> Result<u16, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| want)?.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|n| *n >= least).ok_or(want)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://acs.example:7547/cwmp";

    fn short(code: u8, value: &str) -> Vec<u8> {
        let mut out = vec![code, u8::try_from(value.len()).expect("short")];
        out.extend(value.as_bytes());
        out
    }

    fn four() -> Vec<u8> {
        [
            short(1, URL),
            short(2, "gold.north"),
            short(3, "30"),
            short(4, "3000"),
        ]
        .concat()
    }

    fn vendor(enterprise: u32, data: &[u8]) -> Vec<u8> {
        let mut out = enterprise.to_be_bytes().to_vec();
        out.push(u8::try_from(data.len()).expect("short"));
        out.extend(data);
        out
    }

    fn long(code: u16, value: &str) -> Vec<u8> {
        let mut out = code.to_be_bytes().to_vec();
        out.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        out.extend(value.as_bytes());
        out
    }

    fn all() -> Answer {
        Answer {
            url: Some(URL.to_owned()),
            provisioning_code: Some("gold.north".to_owned()),
            minimum_wait: Some(30),
            multiplier: Some(3000),
        }
    }

    fn said(answer: Answer) -> Said {
        Said {
            answer,
            left_out: Vec::new(),
        }
    }

    // T-DSC-002, T-DSC-003
    #[test]
    fn option_43_has_url_code_and_retry_values_as_text() {
        assert_eq!(option_43(&four()), said(all()));
        let url = option_43(&short(1, URL)).answer;
        assert_eq!(url.url.as_deref(), Some(URL));
        assert_eq!(url.provisioning_code, None);
    }

    // T-DSC-004
    #[test]
    fn option_125_is_read_for_enterprise_3561_and_others_are_skipped() {
        let other = vendor(9, &[1, 200]);
        for octets in [
            vendor(ENTERPRISE, &four()),
            [other.clone(), vendor(ENTERPRISE, &four())].concat(),
            [vendor(ENTERPRISE, &four()), other.clone()].concat(),
            // A URL and the rest in two blocks.
            [
                vendor(ENTERPRISE, &short(1, URL)),
                vendor(ENTERPRISE, &four()),
            ]
            .concat(),
        ] {
            assert_eq!(option_125(&octets), said(all()), "{octets:?}");
        }
        let none = option_125(&other);
        assert!(none.answer.is_empty());
        assert_eq!(none.left_out, [LeftOut::NotForCwmp { option: 125 }]);
    }

    // DSC-003: the identity of a gateway is no ACS.
    #[test]
    fn the_identity_of_a_gateway_in_option_125_is_not_taken_for_an_acs() {
        let gateway = [short(4, "001122"), short(5, "SN1"), short(6, "Router")].concat();
        assert!(option_125(&vendor(ENTERPRISE, &gateway)).answer.is_empty());
        let both = [gateway, short(11, URL), short(14, "3000")].concat();
        let answer = option_125(&vendor(ENTERPRISE, &both)).answer;
        assert_eq!(answer.url.as_deref(), Some(URL));
        assert_eq!(answer.multiplier, Some(3000));
    }

    // T-DSC-005
    #[test]
    fn dhcpv6_option_17_has_the_same_codes_two_octets_wide() {
        let mut octets = ENTERPRISE.to_be_bytes().to_vec();
        octets.extend(long(1, URL));
        octets.extend(long(2, "gold.north"));
        octets.extend(long(3, "30"));
        octets.extend(long(4, "3000"));
        assert_eq!(option_17(&octets), said(all()));
        octets[3] ^= 1;
        assert_eq!(
            option_17(&octets).left_out,
            [LeftOut::NotForCwmp { option: 17 }]
        );
    }

    // DSC-004
    #[test]
    fn a_bare_url_is_taken_for_option_43() {
        for text in [URL, "http://acs.example:7547/cwmp\0", "HTTPS://acs.example"] {
            let answer = option_43(text.as_bytes()).answer;
            assert_eq!(answer.url.as_deref(), Some(text.trim_end_matches('\0')));
        }
        assert!(option_43(b"ftp://acs.example/").answer.is_empty());
    }

    // DSC-002: values are not NUL-terminated, but some servers do it.
    #[test]
    fn trailing_nuls_are_no_part_of_a_value() {
        let octets = [short(1, &format!("{URL}\0")), short(3, "30\0\0")].concat();
        let answer = option_43(&octets).answer;
        assert_eq!(answer.url.as_deref(), Some(URL));
        assert_eq!(answer.minimum_wait, Some(30));
        // Padding and the end of RFC 2132, and what a sloppy server puts behind the last.
        let padded = [vec![0, 0], four(), vec![255, 1, 2, 3]].concat();
        assert_eq!(option_43(&padded), said(all()));
        let padded = vendor(ENTERPRISE, &[four(), vec![0]].concat());
        assert_eq!(option_125(&[padded, vec![0, 0]].concat()), said(all()));
    }

    // T-DSC-008
    #[test]
    fn an_option_cut_short_anywhere_says_nothing() {
        let of_43 = four();
        let of_125 = vendor(ENTERPRISE, &four());
        let mut of_17 = ENTERPRISE.to_be_bytes().to_vec();
        of_17.extend(long(1, URL));
        type Read = fn(&[u8]) -> Said;
        for (whole, read) in [
            (&of_43, option_43 as Read),
            (&of_125, option_125),
            (&of_17, option_17),
        ] {
            for end in 0..whole.len() {
                let said = read(&whole[..end]);
                let whole_parts = said.left_out.is_empty();
                assert!(
                    said.answer.is_empty() || whole_parts,
                    "{end} octets: {said:?}"
                );
                if let Some(url) = said.answer.url {
                    assert_eq!(url, URL, "half a URL is no URL");
                }
            }
        }
        let cut = option_43(&of_43[..of_43.len() - 1]);
        assert!(cut.answer.is_empty());
        assert!(matches!(
            cut.left_out[..],
            [LeftOut::CutShort { option: 43, .. }]
        ));
    }

    // T-DSC-008
    #[test]
    fn values_that_are_none_of_their_kind_are_left_out_and_the_rest_counts() {
        let octets = [
            short(1, "http://user:secret@acs.example/"),
            short(2, "code\u{7}"),
            short(3, "0"),
            short(4, "2000"),
        ]
        .concat();
        let said = option_43(&octets);
        assert_eq!(
            said.answer,
            Answer {
                multiplier: Some(2000),
                ..Answer::default()
            }
        );
        assert_eq!(said.left_out.len(), 3);
        for text in said.left_out.iter().map(ToString::to_string) {
            assert!(
                !text.contains("secret") && text.contains("not used"),
                "{text}"
            );
        }
        let bad_urls = [
            "http://",
            "http://a b/",
            "javascript://x",
            "http://a/\r\nX: y",
        ];
        for bad in bad_urls {
            assert_eq!(option_43(&short(1, bad)).answer.url, None, "{bad}");
        }
        for bad in ["999", "65536", "+2000", "2000.5", "\u{fc}", "0x7d0"] {
            assert_eq!(option_43(&short(4, bad)).answer.multiplier, None, "{bad}");
        }
    }

    // T-DSC-009
    #[test]
    fn of_two_options_the_one_that_was_asked_for_counts_else_option_43() {
        let opt43 = || Some(option_43(&short(1, "http://a/")));
        let opt125 = || Some(option_125(&vendor(ENTERPRISE, &short(1, "http://b/"))));
        for (asked, url) in [
            (&[][..], "http://a/"),
            (&[43], "http://a/"),
            (&[43, 125], "http://a/"),
            (&[1, 3, 125], "http://b/"),
        ] {
            let counts = preferred(opt43(), opt125(), asked);
            assert_eq!(counts.answer.url.as_deref(), Some(url), "{asked:?}");
        }
        let cut = || Some(option_125(&[0, 0]));
        let counts = preferred(opt43(), cut(), &[125]);
        assert_eq!(counts.answer.url.as_deref(), Some("http://a/"));
        assert_eq!(counts.left_out.len(), 1, "the other one is still named");
        let no_url = || Some(option_43(&short(3, "9")));
        let counts = preferred(no_url(), opt125(), &[43]);
        assert_eq!(counts.answer.url.as_deref(), Some("http://b/"));
        assert!(preferred(None, None, &[]).answer.is_empty());
        assert_eq!(preferred(None, opt125(), &[43]), opt125().expect("some"));
    }

    #[test]
    fn octets_are_hexadecimal_digits_in_pairs() {
        assert_eq!(octets("01ff"), Some(vec![1, 255]));
        assert_eq!(octets("0x01FF\n"), Some(vec![1, 255]));
        assert_eq!(octets("01:ff 00"), Some(vec![1, 255, 0]));
        for bad in ["", "0", "0x", "01f", "0:1", "zz", "01ff\u{e9}", "-1"] {
            assert_eq!(octets(bad), None, "{bad}");
        }
        assert_eq!(
            octets(&"00".repeat(MAX_OPTION)).map(|o| o.len()),
            Some(MAX_OPTION)
        );
        assert_eq!(octets(&"00".repeat(MAX_OPTION + 1)), None);
    }
}
