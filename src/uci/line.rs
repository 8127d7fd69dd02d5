//! The text of single commands: taken apart, changed in place, written anew.
//!
//! Every line made here is read back before it is used and must say what was meant and
//! nothing else; where a change in place would not (a line with several commands, lost
//! text behind a `;`), the line is written anew. So no value, whatever it holds, can
//! become another command.

use super::token::{Command, Keyword, Reader};
use std::ops::Range;

/// One command with everything an edit must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) keyword: Keyword,
    pub(super) first: Vec<u8>,
    /// Empty where it is missing.
    pub(super) second: Vec<u8>,
    /// The comment behind it, from `#` on, without the line end.
    pub(super) comment: Option<Vec<u8>>,
    /// The text ends within the command: nothing may be appended.
    pub(super) open: bool,
    spans: [Range<usize>; 3],
}

impl Line {
    /// Whether `other` is the same command with the same comment, and ends where its
    /// text does.
    pub(super) fn says_as(&self, other: &Line) -> bool {
        let wanted = Wanted {
            keyword: self.keyword,
            first: &self.first,
            second: &self.second,
        };
        wanted.is(other) && self.comment == other.comment && !other.open
    }
}

/// The command in `text`, if there is exactly one.
pub(super) fn read(text: &[u8]) -> Option<Line> {
    let mut reader = Reader::new(text);
    if !reader.next_line() {
        return None;
    }
    let Command {
        keyword,
        keyword_span,
        first,
        second,
    } = reader.command().ok()??;
    let (name, value) = (
        reader.decoded(&first).to_vec(),
        reader.decoded(&second).to_vec(),
    );
    if !matches!(reader.command(), Ok(None)) || reader.line_end() != text.len() {
        return None;
    }
    let comment = reader
        .comment()
        .and_then(|at| text.get(at..))
        .map(|comment| comment.trim_ascii_end().to_vec());
    Some(Line {
        keyword,
        first: name,
        second: value,
        comment,
        open: reader.is_open(),
        spans: [keyword_span, first.span, second.span],
    })
}

/// What `look` finds in the keyword and the decoded arguments of the command in `text`, if
/// there is exactly one. As [`read`], without a copy of anything; `buffer` is any vector,
/// to be used again for the next text.
pub(super) fn glance<T>(
    text: &[u8],
    buffer: &mut Vec<u8>,
    look: impl FnOnce(Keyword, &[u8], &[u8]) -> T,
) -> Option<T> {
    let mut reader = Reader::with_buffer(text, std::mem::take(buffer));
    let found = (|| {
        if !reader.next_line() {
            return None;
        }
        let command = reader.command().ok()??;
        let first = reader.decoded(&command.first);
        let found = look(command.keyword, first, reader.decoded(&command.second));
        let alone = matches!(reader.command(), Ok(None)) && reader.line_end() == text.len();
        alone.then_some(found)
    })();
    *buffer = reader.into_buffer();
    found
}

/// What a command shall say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) keyword: Keyword,
    pub(super) first: &'a [u8],
    pub(super) second: &'a [u8],
}

impl Wanted<'_> {
    fn is(&self, line: &Line) -> bool {
        line.keyword == self.keyword && line.first == self.first && line.second == self.second
    }
}

/// How new lines are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) indent: Vec<u8>,
    pub(super) line_end: &'static [u8],
}

impl Style {
    /// The indent and the line end of a line, where it has them.
    pub(super) fn of(text: &[u8], otherwise: &Style) -> Style {
        let line_end = line_end(text).unwrap_or(otherwise.line_end);
        Style {
            indent: indent(text).to_vec(),
            line_end,
        }
    }
}

/// The blanks at the beginning of a line.
pub(super) fn indent(text: &[u8]) -> &[u8] {
    let length = text
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    text.get(..length).unwrap_or_default()
}

/// How `text` ends its (last) line.
pub(super) fn line_end(text: &[u8]) -> Option<&'static [u8]> {
    if text.ends_with(b"\r\n") {
        Some(b"\r\n")
    } else {
        text.ends_with(b"\n").then_some(b"\n")
    }
}

/// A command as the `uci` program writes it.
pub(super) fn write(wanted: Wanted<'_>, style: &Style, comment: Option<&[u8]>) -> Vec<u8> {
    let mut text = style.indent.clone();
    text.extend_from_slice(wanted.keyword.word().as_bytes());
    text.push(b' ');
    write_first(wanted.first, &mut text);
    if !wanted.second.is_empty() || wanted.keyword == Keyword::List {
        text.push(b' ');
        quote(wanted.second, &mut text);
    }
    if let Some(comment) = comment {
        text.push(b' ');
        text.extend_from_slice(comment);
    }
    text.extend_from_slice(style.line_end);
    text
}

/// `text` changed as little as possible so that it says `wanted`. Blanks, comment and
/// quotes of what stays are kept.
pub(super) fn rewrite(text: &[u8], wanted: Wanted<'_>, style: &Style) -> Vec<u8> {
    let style = Style::of(text, style);
    let Some(line) = read(text) else {
        return write(wanted, &style, None);
    };
    if let Some(new) = in_place(text, &line, wanted) {
        let right = read(&new)
            .is_some_and(|now| wanted.is(&now) && now.comment == line.comment && !now.open);
        if right && new.ends_with(b"\n") == text.ends_with(b"\n") {
            return new;
        }
    }
    write(wanted, &style, line.comment.as_deref())
}

fn in_place(text: &[u8], line: &Line, wanted: Wanted<'_>) -> Option<Vec<u8>> {
    let [keyword, first, second] = &line.spans;
    let mut new = text.get(..keyword.start)?.to_vec();
    if line.keyword == wanted.keyword {
        new.extend_from_slice(text.get(keyword.clone())?);
    } else {
        new.extend_from_slice(wanted.keyword.word().as_bytes());
    }
    new.extend_from_slice(text.get(keyword.end..first.start)?);
    if line.first == wanted.first {
        new.extend_from_slice(text.get(first.clone())?);
    } else {
        write_first(wanted.first, &mut new);
    }
    let tail = if second.is_empty() {
        // A section that gets its first name.
        new.push(b' ');
        quote(wanted.second, &mut new);
        text.get(first.end..)?
    } else {
        new.extend_from_slice(text.get(first.end..second.start)?);
        if line.second == wanted.second {
            new.extend_from_slice(text.get(second.clone())?);
        } else {
            quote(wanted.second, &mut new);
        }
        text.get(second.end..)?
    };
    if tail.starts_with(b"#") {
        new.push(b' ');
    }
    new.extend_from_slice(tail);
    Some(new)
}

/// Names and most types stand without quotes.
fn write_first(first: &[u8], text: &mut Vec<u8>) {
    if first
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        text.extend_from_slice(first);
    } else {
        quote(first, text);
    }
}

/// Appends `bytes` in single quotes. Within them every byte stands for itself; a single
/// quote is written between two pieces: `'\''`.
fn quote(bytes: &[u8], text: &mut Vec<u8>) {
    text.push(b'\'');
    for (number, piece) in bytes.split(|&b| b == b'\'').enumerate() {
        if number > 0 {
            text.extend_from_slice(b"'\\''");
        }
        text.extend_from_slice(piece);
    }
    text.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style() -> Style {
        Style {
            indent: b"\t".to_vec(),
            line_end: b"\n",
        }
    }

    fn option(value: &str) -> Wanted<'_> {
        Wanted {
            keyword: Keyword::Option,
            first: b"a",
            second: value.as_bytes(),
        }
    }

    fn changed(text: &str, value: &str) -> String {
        String::from_utf8(rewrite(text.as_bytes(), option(value), &style())).expect("UTF-8")
    }

    #[test]
    fn only_the_value_changes() {
        assert_eq!(
            changed("  option\t\"a\"   b  # note\r\n", "c d"),
            "  option\t\"a\"   'c d'  # note\r\n"
        );
        assert_eq!(changed("o a 'x\ny'", "z"), "o a 'z'");
        assert_eq!(changed("option a b#note\n", "c"), "option a 'c' #note\n");
        assert_eq!(changed("option a b\\\n\n", "c"), "option a 'c'\n");
    }

    #[test]
    fn lost_text_never_comes_alive() {
        assert_eq!(changed("option a b;option evil 1\n", "c"), "option a 'c'\n");
        assert_eq!(changed(" option a;option evil 1\n", "c"), " option a 'c'\n");
        assert_eq!(changed("option a b\\", "c"), "option a 'c'");
    }

    #[test]
    fn a_written_line_says_what_was_meant() {
        for value in [
            "", "'", "''", "\\", "a\\", "\n", "\r\n", "#", ";", "$(id)", "`id`", "\"", "é",
        ] {
            for keyword in [Keyword::Option, Keyword::List] {
                let wanted = Wanted {
                    keyword,
                    first: b"a",
                    second: value.as_bytes(),
                };
                let text = write(wanted, &style(), Some(b"# note"));
                let line = read(&text).expect("one command");
                assert!(wanted.is(&line) && !line.open, "{value:?}");
                assert_eq!(line.comment.as_deref(), Some(&b"# note"[..]));
            }
        }
    }
}
