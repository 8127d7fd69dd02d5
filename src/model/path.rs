//! Parameter paths as CWMP writes them: full (`Device.Time.Enable`), partial
//! (`Device.Time.`) and empty (the whole model), with instance numbers.

use std::fmt;

/// Characters of a path at most (TR-069 A.3.2: string(256)).
pub const MAX_PATH: usize = 256;

/// One part of a path between dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// The name of an object or parameter.
    Name(&'a str),
    /// An instance number, from 1.
    Number(u32),
}

/// A parsed path. Printing it gives the text it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    segments: Vec<Segment<'a>>,
    partial: bool,
}

/// What is wrong with a path (fault 9005).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError(pub String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PathError {}

impl<'a> Path<'a> {
    /// Parses a path. Wildcards, `[alias]` and `{i}` are refused: this CPE announces
    /// neither wildcards nor alias-based addressing.
    pub fn parse(text: &'a str) -> Result<Path<'a>, PathError> {
        if text.is_empty() {
            return Ok(Path {
                segments: Vec::new(),
                partial: true,
            });
        }
        // Bytes bound characters from below, so a long text is not walked.
        if text.len() > MAX_PATH * 4 || text.chars().count() > MAX_PATH {
            return Err(PathError(format!(
                "the path is longer than {MAX_PATH} characters"
            )));
        }
        let (inner, partial) = match text.strip_suffix('.') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let mut segments = Vec::new();
        for part in inner.split('.') {
            segments.push(segment(part)?);
        }
        if matches!(segments.first(), Some(Segment::Number(_))) {
            return Err(PathError("a path begins with a name".to_owned()));
        }
        Ok(Path { segments, partial })
    }

    /// The parts between the dots, the root first.
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// Whether the path ends in a dot or is empty: an object and all below it.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Whether the path is empty: the whole model.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }
}

/// Reads one part of a path.
pub(super) fn segment(part: &str) -> Result<Segment<'_>, PathError> {
    if part.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
        let number = match part.bytes().all(|b| b.is_ascii_digit()) && !part.starts_with('0') {
            true => part.parse().ok(),
            false => None,
        };
        return number
            .map(Segment::Number)
            .ok_or_else(|| PathError(format!("{part:?} is no instance number")));
    }
    if is_name(part) {
        return Ok(Segment::Name(part));
    }
    Err(PathError(match part {
        "" => "a path has no empty parts; write one dot between names".to_owned(),
        "*" => "wildcards are not offered; write instance numbers".to_owned(),
        _ if part.starts_with('[') => {
            "alias-based addressing is not offered; write instance numbers".to_owned()
        }
        _ => format!("{part:?} is no name"),
    }))
}

/// Whether a text is the name of an object or parameter: a letter or `_`, then letters,
/// digits, `-` and `_` (TR-106 3.1).
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            match segment {
                Segment::Name(name) => f.write_str(name)?,
                Segment::Number(number) => write!(f, "{number}")?,
            }
        }
        if self.partial && !self.segments.is_empty() {
            f.write_str(".")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_told_apart() {
        assert!(Path::parse("").expect("root").is_root());
        assert!(Path::parse("Device.").expect("object").is_partial());
        let path = Path::parse("Device.NAT.PortMapping.12.Enable").expect("parameter");
        assert!(!path.is_partial());
        assert_eq!(path.segments()[3], Segment::Number(12));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        // T-GPV-013, T-WLD-001
        for text in [
            ".",
            "..",
            "Device..Time.",
            ".Device.",
            "1.Device",
            "Device.*.Name",
            "Device.A.[web].B",
            "Device.A.{i}.B",
            "Device.A.0.B",
            "Device.A.01.B",
            "Device.A.4294967296.B",
            "Device.A.1x.B",
            "Device.Tïme.",
            "Device. Time.",
            " ",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_end_at_256_characters() {
        // T-GPV-014
        let long = format!("Device.{}", "A".repeat(249));
        assert_eq!(long.len(), 256);
        assert!(Path::parse(&long).is_ok());
        assert!(Path::parse(&format!("{long}A")).is_err());
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(text in "[A-Ca-c0-3._*\\-]{0,40}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
