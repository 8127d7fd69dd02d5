//! A look over the bytes before the XML parser sees them.
//!
//! One pass, constant memory but for one small number a level: counts what would cost
//! the parser memory or time out of proportion (depth, nodes, attributes, namespace
//! scopes) and refuses document type declarations. It does not decide whether the text
//! is well-formed; that is the parser's job.

use super::{Limits, ReadError};

/// Attributes one element may have.
const MAX_ATTRIBUTES: u32 = 32;
/// Namespace declarations that are in scope, summed over the elements that declare any:
/// the parser copies the scope at each of them.
const MAX_SCOPES: u32 = 1 << 18;

/// Refuses what breaks the limits.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<(), ReadError> {
    let bytes = text.as_bytes();
    // The parser reserves room for a node at each '<' and an attribute at each '='.
    let allowed = limits.nodes as usize * 2;
    let more_than_allowed =
        |byte| bytes.len() > allowed && bytes.iter().filter(|b| **b == byte).count() > allowed;
    if more_than_allowed(b'<') {
        return Err(ReadError::TooMany("elements"));
    }
    if more_than_allowed(b'=') {
        return Err(ReadError::TooMany("attributes"));
    }
    // Namespaces in scope at each open element.
    let mut scopes: Vec<u32> = Vec::new();
    let mut copied = 0u32;
    let mut nodes = 0u32;
    let mut rest = text;
    while let Some(before) = rest.bytes().position(|b| b == b'<') {
        rest = rest.get(before + 1..).unwrap_or_default();
        nodes += 1;
        if nodes > limits.nodes.saturating_mul(2) {
            return Err(ReadError::TooMany("elements"));
        }
        if let Some(after) = rest.strip_prefix("!--") {
            rest = past(after, "-->");
        } else if let Some(after) = rest.strip_prefix("![CDATA[") {
            rest = past(after, "]]>");
        } else if let Some(after) = rest.strip_prefix('?') {
            rest = past(after, "?>");
        } else if rest.starts_with('!') {
            return Err(ReadError::Dtd);
        } else if rest.starts_with('/') {
            scopes.pop();
        } else {
            let tag = Tag::read(rest);
            if tag.attributes > MAX_ATTRIBUTES {
                return Err(ReadError::TooMany("attributes in one element"));
            }
            let outer = scopes.last().copied().unwrap_or(0);
            let scope = outer + tag.namespaces;
            if tag.namespaces > 0 {
                copied += scope;
                if copied > MAX_SCOPES {
                    return Err(ReadError::TooMany("namespace declarations"));
                }
            }
            if scopes.len() as u64 >= u64::from(limits.depth) {
                return Err(ReadError::TooDeep {
                    limit: limits.depth,
                });
            }
            if !tag.empty {
                scopes.push(scope);
            }
            rest = tag.rest;
        }
    }
    Ok(())
}

/// What follows the first `mark`, which ends in `>`; nothing when it does not occur.
fn past<'a>(text: &'a str, mark: &str) -> &'a str {
    let mut end = 0;
    while let Some(length) = text.get(end..).and_then(|rest| rest.find('>')) {
        end += length + 1;
        if text.get(..end).is_some_and(|there| there.ends_with(mark)) {
            return text.get(end..).unwrap_or_default();
        }
    }
    ""
}

/// The next byte of a tag from this place on that is no part of a name.
fn mark(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let is_mark = |b: &u8| matches!(b, b'"' | b'\'' | b'=' | b'>' | b' ' | b'\t' | b'\r' | b'\n');
    let rest = bytes.get(from..)?;
    let place = from + rest.iter().position(is_mark)?;
    Some((place, *bytes.get(place)?))
}

/// What one start tag holds.
struct Tag<'a> {
    attributes: u32,
    namespaces: u32,
    empty: bool,
    rest: &'a str,
}

impl Tag<'_> {
    /// Reads from behind the `<` to the `>` that ends the tag, quotes observed.
    fn read(text: &str) -> Tag<'_> {
        let mut tag = Tag {
            attributes: 0,
            namespaces: 0,
            empty: false,
            rest: "",
        };
        let bytes = text.as_bytes();
        let mut word = 0;
        let mut at = 0;
        while let Some((place, b)) = mark(bytes, at) {
            at = place + 1;
            let behind = bytes.get(at..).unwrap_or_default();
            match b {
                b'"' | b'\'' => match behind.iter().position(|other| *other == b) {
                    Some(length) => at += length + 1,
                    None => return tag,
                },
                b'=' => {
                    tag.attributes += 1;
                    let name = bytes.get(word..place).unwrap_or_default();
                    if name.starts_with(b"xmlns") {
                        tag.namespaces += 1;
                    }
                }
                b'>' => {
                    tag.empty = place > 0 && bytes.get(place - 1) == Some(&b'/');
                    tag.rest = text.get(at..).unwrap_or_default();
                    return tag;
                }
                // `xmlns:a = "…"` is allowed: a blank before '=' starts no word.
                _ => {
                    let next = behind.first();
                    if next.is_some_and(|n| !n.is_ascii_whitespace() && *n != b'=') {
                        word = at;
                    }
                }
            }
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            bytes: 1 << 20,
            depth: 4,
            nodes: 100,
        }
    }

    #[test]
    fn depth_counts_open_elements_only() {
        assert_eq!(
            scan("<a><b/><b/><c><d><e><f/></e></d></c></a>", &limits()),
            Err(ReadError::TooDeep { limit: 4 })
        );
        assert_eq!(
            scan("<a><b/><b/><c><d></d></c><e><f><g/></f></e></a>", &limits()),
            Ok(())
        );
    }

    #[test]
    fn markup_in_comments_cdata_and_quotes_is_not_counted() {
        let deep = "<x><x><x><x><x>";
        for text in [
            format!("<a><!-- {deep} --></a>"),
            format!("<a><![CDATA[{deep}]]></a>"),
            format!("<a><!--->{deep}--></a><?a >{deep}?><b/>"),
            format!("<a/><!-- {deep}"),
            "<a b='> <!DOCTYPE' c=\"/>\"><d/></a>".to_string(),
        ] {
            assert_eq!(scan(&text, &limits()), Ok(()), "{text}");
        }
    }

    #[test]
    fn any_declaration_is_a_dtd() {
        for text in [
            "<!DOCTYPE a>",
            "<a/><!ENTITY x 'y'>",
            " <!doctype html><html>",
        ] {
            assert_eq!(scan(text, &limits()), Err(ReadError::Dtd), "{text}");
        }
    }

    #[test]
    fn attributes_and_namespace_scopes_are_bounded() {
        let many: String = (0..40).map(|i| format!(" a{i}=''")).collect();
        assert!(matches!(
            scan(&format!("<a{many}/>"), &limits()),
            Err(ReadError::TooMany(_))
        ));
        let wide = Limits {
            depth: 32,
            ..Limits::default()
        };
        let outer: String = (0..30).map(|i| format!(" xmlns:p{i} = 'u'")).collect();
        let inner = "<b xmlns:q='v'/>".repeat(20_000);
        let text = format!("<a{outer}>{inner}</a>");
        assert_eq!(
            scan(&text, &wide),
            Err(ReadError::TooMany("namespace declarations"))
        );
    }
}
