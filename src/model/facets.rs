//! What values a parameter may have: its type and all that narrows it.

use super::named::Named;
use super::pattern::Pattern;
use super::value::{self, ValueType};

/// Type, range, length, enumeration, pattern and list form of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Facets {
    pub named: &'static Named,
    /// Canonical decimal numbers, as all bounds here.
    pub min: Option<Box<str>>,
    pub max: Option<Box<str>>,
    /// In characters, or octets of base64 and hexBinary.
    pub min_length: Option<u32>,
    pub max_length: Option<u32>,
    /// Of a string, in octets of UTF-8, where whoever takes the value counts those.
    pub max_octets: Option<u32>,
    pub enumeration: Box<[Box<str>]>,
    pub pattern: Option<Box<Pattern>>,
    /// The value is a comma-separated list; everything above holds for each item.
    pub list: Option<List>,
}

/// Bounds of a list parameter as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List {
    pub min_items: Option<u32>,
    pub max_items: Option<u32>,
    /// Of the whole text, in characters.
    pub max_length: Option<u32>,
}

impl Facets {
    /// The type alone.
    pub fn of(named: &'static Named) -> Facets {
        Facets {
            named,
            min: None,
            max: None,
            min_length: None,
            max_length: None,
            max_octets: None,
            enumeration: Box::default(),
            pattern: None,
            list: None,
        }
    }

    /// The base type, which is what `xsi:type` names: a list is a string (TR-106 3.2.3).
    pub fn value_type(&self) -> ValueType {
        match self.list {
            Some(_) => ValueType::String,
            None => self.named.base,
        }
    }

    /// The canonical form of a text that all facets allow, or what is wrong with it. The
    /// value itself is never in the message: it may be a secret.
    pub fn check(&self, text: &str) -> Result<String, String> {
        let Some(list) = self.list else {
            return self.check_item(text);
        };
        let mut items = Vec::new();
        for item in split_list(text) {
            items.push(
                self.check_item(&item)
                    .map_err(|e| format!("item {}: {e}", items.len() + 1))?,
            );
        }
        if list.min_items.is_some_and(|n| items.len() < n as usize) {
            return Err(format!(
                "has fewer than {} items",
                list.min_items.unwrap_or(0)
            ));
        }
        if list.max_items.is_some_and(|n| items.len() > n as usize) {
            return Err(format!(
                "has more than {} items",
                list.max_items.unwrap_or(0)
            ));
        }
        let joined = join_list(items.iter().map(String::as_str));
        if list
            .max_length
            .is_some_and(|n| joined.chars().count() > n as usize)
        {
            return Err(format!(
                "is longer than {} characters",
                list.max_length.unwrap_or(0)
            ));
        }
        Ok(joined)
    }

    /// As [`check`](Facets::check), for one value or one (decoded) item of a list.
    pub fn check_item(&self, text: &str) -> Result<String, String> {
        let base = self.named.base;
        let canonical = value::canonical(base, text)?;
        if !self.enumeration.is_empty() {
            if self.enumeration.iter().any(|e| **e == *canonical) {
                return Ok(canonical);
            }
            return Err(format!("is not one of: {}", self.enumeration.join(", ")));
        }
        if base.is_number() {
            let min = self.min.as_deref().or(self.named.min);
            let max = self.max.as_deref().or(self.named.max);
            if let Some(min) = min.filter(|m| value::compare_decimal(&canonical, m).is_lt()) {
                return Err(format!("is less than {min}"));
            }
            if let Some(max) = max.filter(|m| value::compare_decimal(&canonical, m).is_gt()) {
                return Err(format!("is greater than {max}"));
            }
        } else {
            let length = value::length(base, &canonical);
            let unit = match base {
                ValueType::Base64 | ValueType::HexBinary => "octets",
                _ => "characters",
            };
            if let Some(min) = self.min_length()
                && length < min as usize
            {
                return Err(format!("is shorter than {min} {unit}"));
            }
            if let Some(max) = self.max_length()
                && length > max as usize
            {
                return Err(format!("is longer than {max} {unit}"));
            }
            if let Some(max) = self.max_octets
                && canonical.len() > max as usize
            {
                return Err(format!("is longer than {max} octets"));
            }
        }
        if !(self.named.check)(&canonical) {
            return Err(format!(
                "is no {}; write {}",
                self.named.name, self.named.form
            ));
        }
        if let Some(pattern) = &self.pattern
            && !pattern.matches(&canonical)
        {
            return Err(format!("does not have the form {}", pattern.text()));
        }
        Ok(canonical)
    }

    /// The least length in force, the named type's included.
    pub fn min_length(&self) -> Option<u32> {
        self.min_length.or(self.named.min_length)
    }

    /// The greatest length in force, the named type's included.
    pub fn max_length(&self) -> Option<u32> {
        self.max_length.or(self.named.max_length)
    }

    /// The value shown where nothing else is known.
    pub fn empty_value(&self) -> &'static str {
        value::empty_value(self.value_type())
    }
}

/// The signs that must not stand inside a list item (TR-106 3.2.3), and their escapes.
const ESCAPES: [(char, &str); 6] = [
    (',', "%2C"),
    (' ', "%20"),
    ('\t', "%09"),
    ('\n', "%0A"),
    ('\r', "%0D"),
    ('%', "%25"),
];

/// The items of a comma-separated list, white space around them dropped, escapes undone.
/// The empty text is the empty list.
pub fn split_list(text: &str) -> Vec<String> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',')
        .map(|item| unescape(item.trim_matches([' ', '\t', '\r', '\n'])))
        .collect()
}

/// Whether a text is what [`join_list`] makes of the items that [`split_list`] finds in it, as
/// most lists are: without white space, escapes and empty items.
pub fn is_joined(text: &str) -> bool {
    let mut before = b',';
    let as_it_is = text.bytes().all(|b| {
        let empty = (before, b) == (b',', b',');
        before = b;
        !empty && !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'%')
    });
    as_it_is && (text.is_empty() || before != b',')
}

/// Items as a comma-separated list; what an item must not hold is escaped.
pub fn join_list<'a>(items: impl Iterator<Item = &'a str> + Clone) -> String {
    let room = items.clone().map(|item| item.len() + 1).sum();
    let mut out = String::with_capacity(room);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        let mut rest = item;
        let may_escape = |b| matches!(b, b',' | b' ' | b'\t' | b'\n' | b'\r' | b'%');
        if !item.bytes().any(may_escape) {
            out.push_str(item);
            continue;
        }
        while let Some(c) = rest.chars().next() {
            // A percent sign is only escaped where it would be read as an escape.
            let escape = ESCAPES
                .iter()
                .find(|(sign, _)| *sign == c)
                .filter(|_| c != '%' || escaped(rest).is_some());
            match escape {
                Some((_, code)) => out.push_str(code),
                None => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The sign whose escape a text begins with.
fn escaped(text: &str) -> Option<char> {
    let code = text.get(..3)?;
    ESCAPES
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(code))
        .map(|(sign, _)| *sign)
}

fn unescape(item: &str) -> String {
    if !item.contains('%') {
        return item.to_owned();
    }
    let mut out = String::with_capacity(item.len());
    let mut rest = item;
    while let Some(c) = rest.chars().next() {
        match escaped(rest) {
            Some(sign) => {
                out.push(sign);
                rest = &rest[3..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;
    use proptest::prelude::*;

    fn facets(name: &str) -> Facets {
        Facets::of(named::find(name).expect("listed"))
    }

    #[test]
    fn lengths_count_characters() {
        // T-SPV-012
        let mut f = facets("string");
        f.max_length = Some(256);
        assert!(f.check(&"ä".repeat(256)).is_ok());
        assert!(f.check(&"ä".repeat(257)).is_err());
    }

    #[test]
    fn enumerations_are_case_sensitive() {
        // T-SPV-013
        let mut f = facets("string");
        f.enumeration = ["TCP", "UDP"].map(Box::from).into();
        assert!(f.check("TCP").is_ok());
        assert!(f.check("tcp").is_err());
        assert!(f.check("").is_err());
    }

    #[test]
    fn ranges_hold_on_both_ends() {
        // T-SPV-011
        let mut f = facets("int");
        (f.min, f.max) = (Some("-5".into()), Some("10".into()));
        for (text, ok) in [
            ("-6", false),
            ("-5", true),
            ("10", true),
            ("11", false),
            ("+007", true),
        ] {
            assert_eq!(f.check(text).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn lists_check_each_item() {
        let mut f = facets("unsignedInt");
        f.list = Some(List {
            max_items: Some(3),
            ..List::default()
        });
        assert_eq!(f.check(" 1 , 02,3").as_deref(), Ok("1,2,3"));
        assert_eq!(f.check("").as_deref(), Ok(""));
        assert!(f.check("1,x").is_err());
        assert!(f.check("1,2,3,4").is_err());
        assert!(f.check("1,,2").is_err());
        assert_eq!(f.value_type(), ValueType::String);
    }

    proptest! {
        #[test]
        fn list_items_come_back(items in proptest::collection::vec("[a%,20Cc5 \\n]{1,8}", 0..5)) {
            let text = join_list(items.iter().map(String::as_str));
            prop_assert!(!text.contains([' ', '\n']));
            prop_assert_eq!(split_list(&text), items);
        }

        #[test]
        fn a_joined_list_is_its_own_form(text in "[a%,20C \n]{0,8}") {
            let again = join_list(split_list(&text).iter().map(String::as_str));
            let empty = split_list(&text).iter().any(String::is_empty);
            if is_joined(&text) {
                prop_assert!(!empty);
                prop_assert_eq!(&again, &text);
            } else {
                prop_assert!(empty || again != text || text.contains('%'));
            }
        }
    }
}
