//! Parts of a file: what a file is known by from one request to the next, and what a
//! server says that it sends (RFC 9110 sections 8.8, 13.1.5, 14.4).

use std::fmt;

use crate::net::cookies::parse_date;

/// Longest `ETag` used, bytes.
const MAX_TAG: usize = 256;
/// `Last-Modified` is good enough only when the answer is so much younger, seconds: the file
/// might change twice within one.
const SETTLED: i64 = 2;

/// What tells whether the file at a URL is still the same, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validator {
    /// A strong entity tag, with its quotes.
    Tag(String),
    /// A `Last-Modified` date, as the server wrote it.
    Date(String),
}

impl Validator {
    /// From the headers of an answer: a strong `ETag`, else a `Last-Modified` that is older
    /// than the answer's `Date`.
    pub fn of(tag: Option<&str>, modified: Option<&str>, date: Option<&str>) -> Option<Validator> {
        tag.and_then(Validator::from_tag)
            .or_else(|| Validator::from_date(modified?, date?))
    }

    fn from_tag(text: &str) -> Option<Validator> {
        let text = text.trim();
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let plain = inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        (plain && text.len() <= MAX_TAG).then(|| Validator::Tag(text.to_owned()))
    }

    fn from_date(modified: &str, date: &str) -> Option<Validator> {
        let modified = modified.trim();
        let settled = parse_date(modified)?.checked_add(SETTLED)? <= parse_date(date)?;
        let plain = modified.len() <= MAX_TAG
            && modified.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        (settled && plain).then(|| Validator::Date(modified.to_owned()))
    }

    /// As it was written by [`fmt::Display`]; no date is held against another one.
    pub fn parse(text: &str) -> Option<Validator> {
        if text.starts_with('"') {
            return Validator::from_tag(text);
        }
        let plain =
            text.len() <= MAX_TAG && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        (plain && parse_date(text).is_some()).then(|| Validator::Date(text.to_owned()))
    }

    /// Whether an answer with these headers is of the same file, as far as it says.
    pub(super) fn fits(&self, tag: Option<&str>, modified: Option<&str>) -> bool {
        match self {
            Validator::Tag(known) => tag.is_none_or(|t| t.trim() == known),
            Validator::Date(known) => modified.is_none_or(|m| m.trim() == known),
        }
    }
}

/// As `If-Range` has it.
impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validator::Tag(text) | Validator::Date(text) => f.write_str(text),
        }
    }
}

/// `Content-Range: bytes first-last/total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte, counted from 0.
    pub first: u64,
    /// The last byte.
    pub last: u64,
    /// Bytes of the whole file; `None`: the server does not know (`*`).
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads a header's value. `None`: not of the form, a last byte before the first or
    /// behind the end, numbers of more than 64 bits.
    pub fn parse(text: &str) -> Option<ContentRange> {
        let (unit, rest) = text.trim().split_once([' ', '\t'])?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = match total.trim() {
            "*" => None,
            digits => Some(number(digits)?),
        };
        let inside = total.is_none_or(|total| last < total);
        (first <= last && inside).then_some(ContentRange { first, last, total })
    }

    /// Bytes of this part. A part of all 2^64 bytes has none that could be counted.
    pub fn length(&self) -> Option<u64> {
        (self.last - self.first).checked_add(1)
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_content_range_is_read_as_the_rfc_writes_it() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        for (text, want) in [
            ("bytes 42-1233/1234", range(42, 1233, Some(1234))),
            ("bytes 42-1233/*", range(42, 1233, None)),
            ("Bytes  0-0/1", range(0, 0, Some(1))),
            ("bytes 42-1233/1233", None),
            ("bytes 43-42/100", None),
            ("bytes */1234", None),
            ("bytes 1-2", None),
            ("bytes=1-2/3", None),
            ("items 1-2/3", None),
            ("bytes +1-2/3", None),
            ("bytes -1-2/3", None),
            ("bytes 1-/3", None),
            ("bytes 0-99999999999999999999/*", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), want, "{text:?}");
        }
        let all = ContentRange::parse("bytes 0-18446744073709551615/*").expect("a range");
        assert_eq!(all.length(), None);
    }

    #[test]
    fn only_what_names_each_byte_validates() {
        let tag = |text| Validator::of(Some(text), None, None);
        assert_eq!(tag("\"abc\""), Some(Validator::Tag("\"abc\"".to_owned())));
        for weak in ["W/\"abc\"", "abc", "\"a\"b\"", "\"a b\"", "\"", ""] {
            assert_eq!(tag(weak), None, "{weak}");
        }
        let long = format!("\"{}\"", "x".repeat(MAX_TAG));
        assert_eq!(tag(&long), None);
        let (old, new) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:39 GMT",
        );
        let date = |modified, date| Validator::of(None, Some(modified), date);
        assert_eq!(date(old, Some(new)), Some(Validator::Date(old.to_owned())));
        for (modified, answered) in [
            (new, Some(new)),
            (new, Some(old)),
            (old, None),
            ("yesterday", Some(new)),
        ] {
            assert_eq!(date(modified, answered), None, "{modified} {answered:?}");
        }
        // A weak tag beside a good date: the date.
        let both = Validator::of(Some("W/\"a\""), Some(old), Some(new));
        assert_eq!(both, Some(Validator::Date(old.to_owned())));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(text in "\\PC*", near in "[bytes 0-9*/+-]{0,40}") {
            for text in [text, near] {
                if let Some(range) = ContentRange::parse(&text) {
                    prop_assert!(range.first <= range.last);
                    prop_assert!(range.total.is_none_or(|t| range.last < t));
                }
                let found = Validator::of(Some(&text), Some(&text), Some(&text));
                prop_assert!(found.is_none_or(|v| Validator::parse(&v.to_string()) == Some(v)));
            }
        }

        #[test]
        fn what_is_written_is_read_back(first: u64, more in 0..1_000_000u64, rest in proptest::option::of(1..1_000_000u64)) {
            let last = first.saturating_add(more);
            let total = rest.and_then(|r| last.checked_add(r));
            let shown = total.map_or("*".to_owned(), |t| t.to_string());
            let read = ContentRange::parse(&format!("bytes {first}-{last}/{shown}"));
            prop_assert_eq!(read, Some(ContentRange { first, last, total }));
        }
    }
}
