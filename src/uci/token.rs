//! The reader of single commands: words, quotes, escapes, comments, continuation lines.
//!
//! It follows libuci's reader to the letter, including its odd corners, because a file
//! must mean the same to both. libuci reads one line into a buffer, fetches more lines
//! only where a quoted text or an escaped line end needs them, and cuts words out of the
//! buffer by writing NULs into it. Three of its habits follow from the NULs:
//!
//! * `#` outside quotes ends the line, wherever it stands;
//! * `;` ends a command, but where it directly follows a word without quotes or
//!   escapes, the rest of the line is lost ([`Reader::dead`]);
//! * after an empty last argument (`''`) a further command may follow on the line.
//!
//! This module knows nothing of sections or of what commands mean.

use super::steps;
use std::ops::Range;

/// The four commands of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Package,
    Config,
    Option,
    List,
}

impl Keyword {
    /// The full word; libuci reads the first letter alone too.
    pub(super) fn word(self) -> &'static str {
        match self {
            Keyword::Package => "package",
            Keyword::Config => "config",
            Keyword::Option => "option",
            Keyword::List => "list",
        }
    }
}

/// One argument: where it stands in the text, quotes included, and where its decoded
/// bytes are in [`Reader::decoded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) span: Range<usize>,
    decoded: Range<usize>,
}

/// One command with its two arguments; a missing one is an empty word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) keyword: Keyword,
    pub(super) keyword_span: Range<usize>,
    pub(super) first: Word,
    pub(super) second: Word,
}

/// Reads commands from a text without NUL bytes, line by line.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    pos: usize,
    /// End of the lines fetched so far.
    end: usize,
    /// The rest of the fetched lines is a comment or lost.
    dead: bool,
    /// Where the comment that ended the current line begins.
    comment: Option<usize>,
    /// An escaped line end stood at the end of the text: whatever is appended to the
    /// text would be drawn into the last command.
    open: bool,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Reader<'a> {
        // Room for most commands.
        Reader::with_buffer(text, Vec::with_capacity(text.len().min(128)))
    }

    /// A reader that decodes into a buffer which was used before; see
    /// [`into_buffer`](Self::into_buffer).
    pub(super) fn with_buffer(text: &'a [u8], buffer: Vec<u8>) -> Reader<'a> {
        Reader {
            text,
            pos: 0,
            end: 0,
            dead: false,
            comment: None,
            open: false,
            buffer,
        }
    }

    /// The buffer, for the next reader.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Goes to the line after those fetched so far; false at the end of the text.
    pub(super) fn next_line(&mut self) -> bool {
        self.pos = self.end;
        self.dead = false;
        self.comment = None;
        if !self.fetch() {
            return false;
        }
        self.skip_space();
        true
    }

    /// Where reading stands: after a command, the end of what belongs to it.
    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    /// The end of the lines fetched so far.
    pub(super) fn line_end(&self) -> usize {
        self.end
    }

    /// Where the comment on the current line begins, `#` included, once reading came
    /// upon it.
    pub(super) fn comment(&self) -> Option<usize> {
        self.comment
    }

    /// Whether the text ends in the middle of a word (see the field).
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The bytes a word stands for. Valid until the next call of [`command`](Self::command).
    pub(super) fn decoded(&self, word: &Word) -> &[u8] {
        self.buffer.get(word.decoded.clone()).unwrap_or_default()
    }

    /// The next command of the current line; `None` where the line has no more.
    ///
    /// # Errors
    /// What libuci would refuse, in words without anything from the text, which may be
    /// part of a password.
    pub(super) fn command(&mut self) -> Result<Option<Command>, &'static str> {
        self.buffer.clear();
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        let start = self.pos;
        while !matches!(self.peek(), None | Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        let keyword_span = start..self.pos;
        let keyword = match self.text.get(keyword_span.clone()).unwrap_or_default() {
            [] => return Ok(None),
            [b'#', ..] => {
                self.comment = Some(start);
                self.dead = true;
                return Ok(None);
            }
            b"package" | b"p" => Keyword::Package,
            b"config" | b"c" => Keyword::Config,
            b"option" | b"o" => Keyword::Option,
            b"list" | b"l" => Keyword::List,
            _ => return Err("not a command (package, config, option or list)"),
        };
        if self.peek().is_none() {
            return Err("a command without arguments");
        }
        self.pos += 1;

        let first = self.word()?;
        let bytes = self.decoded(&first);
        match keyword {
            _ if bytes.is_empty() => return Err("a command without arguments"),
            Keyword::Package if !is_package(bytes) => {
                return Err("a package name may have only letters, digits, - and _");
            }
            Keyword::Config if !is_kind(bytes) => {
                return Err("a section type may have only printable ASCII characters");
            }
            Keyword::Option | Keyword::List if !is_name(bytes) => {
                return Err("an option name may have only letters, digits and _");
            }
            _ => {}
        }
        let second = if keyword == Keyword::Package {
            Word {
                span: self.pos..self.pos,
                decoded: 0..0,
            }
        } else {
            self.word()?
        };
        if keyword == Keyword::Config {
            let name = self.decoded(&second);
            if !name.is_empty() && !is_name(name) {
                return Err("a section name may have only letters, digits and _");
            }
        }
        let extra = self.word()?;
        if !self.decoded(&extra).is_empty() {
            return Err("too many arguments (quote a value that has spaces)");
        }
        Ok(Some(Command {
            keyword,
            keyword_span,
            first,
            second,
        }))
    }

    fn peek(&self) -> Option<u8> {
        if self.dead || self.pos >= self.end {
            None
        } else {
            self.text.get(self.pos).copied()
        }
    }

    /// Makes one more line visible.
    fn fetch(&mut self) -> bool {
        let rest = self.text.get(self.end..).unwrap_or_default();
        let length = match rest.iter().position(|&b| b == b'\n') {
            Some(at) => at + 1,
            None => rest.len(),
        };
        steps::add(length);
        self.end += length;
        length > 0
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.pos += 1;
        }
    }

    /// The next word: pieces in single quotes, double quotes and without quotes join.
    fn word(&mut self) -> Result<Word, &'static str> {
        self.skip_space();
        let start = self.pos;
        let from = self.buffer.len();
        if self.peek() == Some(b';') {
            self.pos += 1;
            return Ok(Word {
                span: start..start,
                decoded: from..from,
            });
        }
        // Without quotes and escapes libuci's NUL after the word falls on the `;`
        // behind it, which loses the rest of the line.
        let mut plain = true;
        let mut separator = false;
        loop {
            match self.peek() {
                None => break,
                Some(b'\'') => {
                    plain = false;
                    self.single_quoted()?;
                }
                Some(b'"') => {
                    plain = false;
                    self.double_quoted()?;
                }
                Some(b'#') => {
                    self.comment = Some(self.pos);
                    self.dead = true;
                    break;
                }
                Some(b';') => {
                    separator = true;
                    self.dead = plain;
                    break;
                }
                Some(b'\\') => {
                    plain = false;
                    self.escape();
                }
                Some(_) => self.plain_run(),
            }
            if self.peek().is_none_or(is_space) {
                break;
            }
        }
        let word = Word {
            span: start..self.pos,
            decoded: from..self.buffer.len(),
        };
        if !separator && self.peek().is_some() {
            self.pos += 1;
        }
        Ok(word)
    }

    /// Takes the byte here and all that follow without a meaning of their own.
    fn plain_run(&mut self) {
        let rest = self.text.get(self.pos..self.end).unwrap_or_default();
        let special = |&b: &u8| is_space(b) || matches!(b, b'\'' | b'"' | b'#' | b';' | b'\\');
        let length = match rest.iter().skip(1).position(special) {
            Some(more) => more + 1,
            None => rest.len(),
        };
        self.buffer
            .extend_from_slice(rest.get(..length).unwrap_or_default());
        self.pos += length;
    }

    fn single_quoted(&mut self) -> Result<(), &'static str> {
        self.pos += 1;
        loop {
            let line = self.text.get(self.pos..self.end).unwrap_or_default();
            match line.iter().position(|&b| b == b'\'') {
                Some(at) => {
                    self.buffer
                        .extend_from_slice(line.get(..at).unwrap_or_default());
                    self.pos += at + 1;
                    return Ok(());
                }
                None => {
                    self.buffer.extend_from_slice(line);
                    self.pos = self.end;
                    if !self.fetch() {
                        return Err("the file ends within '…'");
                    }
                }
            }
        }
    }

    fn double_quoted(&mut self) -> Result<(), &'static str> {
        self.pos += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(),
                Some(byte) => {
                    self.buffer.push(byte);
                    self.pos += 1;
                }
                None => {
                    if !self.fetch() {
                        return Err("the file ends within \"…\"");
                    }
                }
            }
        }
    }

    /// A backslash: the byte after it stands for itself, but a line end vanishes.
    fn escape(&mut self) {
        self.pos += 1;
        match self.text.get(self.pos..self.end).unwrap_or_default() {
            [] | [b'\n'] | [b'\r', b'\n'] => {
                self.pos = self.end;
                if !self.fetch() {
                    self.open = true;
                }
            }
            [byte, ..] => {
                self.buffer.push(*byte);
                self.pos += 1;
            }
        }
    }
}

/// C's `isspace` for ASCII.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn is_kind(kind: &[u8]) -> bool {
    !kind.is_empty() && kind.iter().all(|b| (33..=126).contains(b))
}

pub(super) fn is_package(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of the first line: keyword, first, second.
    fn line(text: &str) -> Result<Vec<(Keyword, String, String)>, &'static str> {
        let mut reader = Reader::new(text.as_bytes());
        assert!(reader.next_line());
        let mut found = Vec::new();
        while let Some(command) = reader.command()? {
            let text = |w: &Word| String::from_utf8(reader.decoded(w).to_vec()).expect("UTF-8");
            found.push((command.keyword, text(&command.first), text(&command.second)));
        }
        Ok(found)
    }

    fn option(name: &str, value: &str) -> (Keyword, String, String) {
        (Keyword::Option, name.to_string(), value.to_string())
    }

    #[test]
    fn quoted_and_plain_pieces_join() {
        assert_eq!(
            line("option a b'c d'\"e\\\"f\"\\'g\n"),
            Ok(vec![option("a", "bc de\"f'g")])
        );
        assert_eq!(line("o 'a' ''\\'''\n"), Ok(vec![option("a", "'")]));
    }

    #[test]
    fn a_hash_ends_the_line_unless_quoted() {
        assert_eq!(line("option a b#c\n"), Ok(vec![option("a", "b")]));
        assert_eq!(line("option a 'b'#c\n"), Ok(vec![option("a", "b")]));
        assert_eq!(line("option a #c\n"), Ok(vec![option("a", "")]));
        assert!(line("option a b c\n").is_err());
        assert_eq!(line("option a b\\#c\n"), Ok(vec![option("a", "b#c")]));
    }

    #[test]
    fn a_separator_after_a_plain_word_loses_the_rest() {
        assert_eq!(line("option a b;option c d\n"), Ok(vec![option("a", "b")]));
        assert_eq!(line("option a;junk junk junk\n"), Ok(vec![option("a", "")]));
    }

    #[test]
    fn a_separator_elsewhere_begins_a_command() {
        let both = vec![option("a", "b"), option("c", "d")];
        assert_eq!(line("option a 'b';option c d\n"), Ok(both.clone()));
        assert_eq!(line("option a b ;option c d\n"), Ok(both.clone()));
        assert_eq!(line("option a b ; option c d\n"), Ok(both));
        assert!(
            line("option a 'b';\n").is_err(),
            "the line end is read as a command"
        );
        assert_eq!(line("option a 'b' ;"), Ok(vec![option("a", "b")]));
    }

    #[test]
    fn an_empty_last_argument_ends_the_command() {
        let both = vec![option("a", "b"), option("c", "d")];
        assert_eq!(line("option a b '' option c d\n"), Ok(both));
        assert_eq!(line("option a b ''\n"), Ok(vec![option("a", "b")]));
        assert!(line("option a b '' \n").is_err());
    }

    #[test]
    fn lines_join_in_quotes_and_after_a_backslash() {
        assert_eq!(line("option a 'b\r\nc'\n"), Ok(vec![option("a", "b\r\nc")]));
        assert_eq!(line("option a b\\\r\nc\n"), Ok(vec![option("a", "bc")]));
        assert_eq!(line("option a \"b\\\nc\"\n"), Ok(vec![option("a", "bc")]));
        assert!(line("option a 'b\n").is_err());
        assert!(line("option a \"b\\").is_err());
    }

    #[test]
    fn a_command_needs_a_blank_and_an_argument() {
        for bad in [
            "option",
            "option\n",
            "option \n",
            "config ''\n",
            "config\x0ba\n",
            "opt a b\n",
        ] {
            assert!(line(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_escaped_end_of_the_text_is_seen() {
        for (text, open) in [
            ("option a b\\", true),
            ("option a b\\\n", true),
            ("option a b\n", false),
        ] {
            let mut reader = Reader::new(text.as_bytes());
            assert!(reader.next_line());
            assert!(matches!(reader.command(), Ok(Some(_))));
            assert_eq!(reader.is_open(), open, "{text:?}");
        }
    }
}
