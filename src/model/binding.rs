//! Where a value or a table lives, as the data-model files say it: plain data that the
//! sources interpret.
//!
//! Texts may hold `{row}` (the key of the innermost row), `{row1}`, `{row2}` … (the keys
//! from the outermost table inwards); [`expand`] puts them in. Nothing here opens
//! anything.

use std::borrow::Cow;
use std::sync::Arc;

/// A text of a data-model file. The same few hundred come up again and again, and a router
/// holds them for as long as the agent runs: a schema has one copy of each.
pub type Text = Arc<str>;

/// Which source a binding belongs to: one [`Source`](super::source::Source) serves each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    Uci,
    File,
    Command,
    Ubus,
    Native,
    Constant,
    Memory,
}

/// Where one parameter's value lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    Uci(Box<UciAt>),
    File(Box<FileAt>),
    Command(Box<CommandAt>),
    Ubus(Box<UbusAt>),
    /// A value computed by compiled-in code, known by a name.
    Native(Text),
    Constant(Text),
    /// A value kept in memory only, until the agent ends; the text is its key.
    Memory(Text),
}

/// `uci = "package.section.option"`; the section may be a name, `{row}` or `@type[n]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UciAt {
    pub package: Text,
    pub section: Text,
    pub option: Text,
    /// `item = n`: only the n-th entry (from 1) of a list.
    pub item: Option<u32>,
    /// `item = "{row}"`: the entry of the list that is the innermost row ([`Rows::Items`]).
    pub entry: bool,
    /// `as = "name"`: compiled-in code reads the value out of the section's options, and
    /// says what they must be so that it reads so.
    pub codec: Option<Text>,
    /// `words = true`: a list parameter kept as one option with spaces between.
    pub words: bool,
    /// `create = "type"`: the section is made with this type when it is written and absent.
    pub create: Option<Text>,
    /// What few parameters have.
    pub rare: Option<Box<UciRare>>,
}

/// What few [`UciAt`]s have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UciRare {
    /// `part = n`: only one part of the option's text.
    pub part: Option<UciPart>,
    /// `through = { … }`: the option names a section, and the value stands there.
    pub through: Option<UciThrough>,
    /// `or = "option"`: read in place of an option that is absent.
    pub or: Option<Text>,
    /// `clears = ["option"]`: options of the same section that a write takes away.
    pub clears: Box<[Text]>,
}

impl UciAt {
    /// See [`UciRare::part`].
    pub fn part(&self) -> Option<&UciPart> {
        self.rare.as_ref()?.part.as_ref()
    }

    /// See [`UciRare::through`].
    pub fn through(&self) -> Option<&UciThrough> {
        self.rare.as_ref()?.through.as_ref()
    }

    /// See [`UciRare::or`].
    pub fn or(&self) -> Option<&Text> {
        self.rare.as_ref()?.or.as_ref()
    }

    /// See [`UciRare::clears`].
    pub fn clears(&self) -> &[Text] {
        self.rare.as_ref().map_or(&[], |rare| &rare.clears)
    }
}

/// `part = n, separator = "-"`: one part of a text such as `8000-8010`; the other parts
/// stay when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UciPart {
    /// From 1.
    pub n: u32,
    /// Each of its characters parts the text; the first is written.
    pub separator: Text,
}

/// `through = { type = "zone", key = "name", value = "network" }`: what the option says is
/// the `key` of a section of this type in the same package, and the value is the first
/// item of that section's `value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UciThrough {
    pub section_type: Text,
    pub key: Text,
    pub value: Text,
}

/// `file`, `proc` or `sysfs` (the same source; the word is for the reader).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAt {
    /// Absolute, below the agent's root.
    pub path: String,
    pub pick: Pick,
    /// The file is written in place (sysfs, procfs) instead of replaced.
    pub in_place: bool,
}

/// `command = { argv = […] }`: run without a shell, output capped, killed on time-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAt {
    pub argv: Vec<String>,
    pub pick: Pick,
}

/// A method of an object on OpenWrt's message bus, and what it is asked. Its answer is a
/// table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UbusCall {
    /// The object's path (`network.interface`).
    pub object: Text,
    pub method: Text,
    /// By name.
    pub arguments: Box<[(Text, UbusArgument)]>,
}

/// An argument of a [`UbusCall`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UbusArgument {
    Text(Text),
    Number(i64),
    Flag(bool),
}

/// `ubus = { object = "system", method = "board", pointer = "/model" }`: what an object on
/// the message bus answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UbusAt {
    pub call: UbusCall,
    /// Where the value stands in the answer: a JSON pointer (RFC 6901), in which
    /// `[name=text]` is the first entry of a list whose `name` says so.
    pub pointer: Text,
}

/// Which part of a text is the value; all empty: the whole text without white space
/// around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pick {
    /// The n-th line, from 1.
    pub line: Option<u32>,
    /// The line that begins with this key and the separator (`MemTotal`); the rest of
    /// the line is the value, quotes around it taken away.
    pub key: Option<String>,
    /// The line whose n-th field (from 1) is the key of the innermost row.
    pub row_field: Option<u32>,
    /// The n-th field of what was found, from 1.
    pub field: Option<u32>,
    /// The field below this word of the header line.
    pub column: Option<String>,
    /// What parts fields, and key from value: white space when absent (`=` or `:` for keys).
    pub separator: Option<String>,
}

/// Where the rows of a table come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Sections of one type in a UCI package.
    Uci(Arc<UciRows>),
    /// The entries of a list in a UCI section.
    Items(Arc<UciItems>),
    /// The entries of a folder.
    Dir(Box<DirRows>),
    /// The lines of a file.
    Lines(Box<LineRows>),
    /// Always these keys.
    Fixed(Box<[Text]>),
    /// Rows of compiled-in code, known by a name.
    Native(Text),
    /// The entries of a list or table that an object on the message bus answers.
    Ubus(Box<UbusRows>),
}

/// The rows of a table that an object on the message bus knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UbusRows {
    pub call: UbusCall,
    /// Where the list or table stands in the answer, as in [`UbusAt`]; empty: the answer.
    pub pointer: Text,
    /// What of an entry is the row's key; absent: its name in a table, or the entry itself
    /// in a list of texts.
    pub key: Option<Text>,
}

/// The rows of a table that is a kind of UCI section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UciRows {
    pub package: Text,
    pub section_type: Text,
    /// Only sections in which these options have these values, in order: of several for one
    /// option any; an empty one is that of an option that is absent.
    pub only: Box<[(Text, Text)]>,
    /// Options of a section made by AddObject.
    pub new: Box<[(Text, Text)]>,
    /// Only sections whose option of this name is the key of the row around the table.
    pub parent: Option<Text>,
    /// `key = "option"`: the row's key is what this option says, not the section's name.
    pub key: Option<Text>,
    /// `within = "name"`: compiled-in code says which sections belong to the row around.
    pub within: Option<Text>,
    /// `as = "name"`: compiled-in code says how a row is made, and which may go.
    pub codec: Option<Text>,
}

/// `rows = { items = "package.section.option" }`: the entries of a list are the rows, and
/// each is its own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UciItems {
    pub package: Text,
    pub section: Text,
    pub option: Text,
    /// A row that is always there, before the entries.
    pub first: Option<Text>,
    /// Only entries that this compiled-in code can read.
    pub codec: Option<Text>,
    /// What AddObject appends; `{n}` is the first number that makes it new.
    pub new: Option<Text>,
}

/// The rows of a table that is a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirRows {
    pub path: String,
    /// Only entries that hold this entry (`device`).
    pub with: Option<String>,
    /// Only entries that hold none of these entries (`wireless`).
    pub without: Vec<String>,
    /// Only entries whose names are numbers.
    pub numeric: bool,
    /// Entries of these names are left out.
    pub except: Vec<String>,
}

/// The rows of a table that is a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRows {
    pub path: String,
    /// The field (from 1) that is the row's key.
    pub key: u32,
    /// Lines with fewer fields are no rows.
    pub min_fields: u32,
    /// Lines whose key does not hold this text are no rows.
    pub key_has: Option<String>,
    /// How many lines at the top are no rows.
    pub skip: u32,
    pub separator: Option<String>,
}

impl Binding {
    /// The source that serves this binding.
    pub fn source(&self) -> SourceKind {
        match self {
            Binding::Uci(_) => SourceKind::Uci,
            Binding::File(_) => SourceKind::File,
            Binding::Command(_) => SourceKind::Command,
            Binding::Ubus(_) => SourceKind::Ubus,
            Binding::Native(_) => SourceKind::Native,
            Binding::Constant(_) => SourceKind::Constant,
            Binding::Memory(_) => SourceKind::Memory,
        }
    }
}

impl Pick {
    /// Whether the whole text is the value.
    pub fn is_whole(&self) -> bool {
        *self == Pick::default()
    }
}

impl Rows {
    /// The source that serves this table.
    pub fn source(&self) -> SourceKind {
        match self {
            Rows::Uci(_) | Rows::Items(_) => SourceKind::Uci,
            Rows::Dir(_) | Rows::Lines(_) => SourceKind::File,
            Rows::Fixed(_) => SourceKind::Constant,
            Rows::Native(_) => SourceKind::Native,
            Rows::Ubus(_) => SourceKind::Ubus,
        }
    }
}

/// Puts row keys into a text: `{row}` is the innermost, `{row1}` the outermost.
/// A placeholder without a row stays as it is (the schema refuses such files), and a key
/// that looks like a placeholder is not expanded again. Most texts hold none, or are one:
/// those are not copied.
pub fn expand<'t>(text: &'t str, rows: &'t [String]) -> Cow<'t, str> {
    if let ("{row}", Some(row)) = (text, rows.last()) {
        return Cow::Borrowed(row);
    }
    if rows.is_empty() || !holds_brace(text) {
        return Cow::Borrowed(text);
    }
    expand_placeholders(text, rows)
}

#[inline(never)]
fn expand_placeholders<'t>(text: &'t str, rows: &'t [String]) -> Cow<'t, str> {
    if let Some((row, "")) = placeholder(text, rows) {
        return Cow::Borrowed(row);
    }
    let mut out = String::with_capacity(text.len() + rows.last().map_or(0, String::len));
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        match placeholder(from, rows) {
            Some((row, after)) => {
                out.push_str(row);
                rest = after;
            }
            None => {
                out.push('{');
                // The brace is one byte.
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether there is a `{` in eight bytes.
const fn is_in_word(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // A byte that is `{` becomes 0, and only a 0 borrows from its highest bit first.
    let zero = u64::from_ne_bytes(word) ^ (ONES * b'{' as u64);
    zero.wrapping_sub(ONES) & !zero & HIGH != 0
}

/// Whether there is a `{` anywhere. Nearly no text has one, and one is looked at for every
/// value: eight bytes at a time.
#[inline]
fn holds_brace(text: &str) -> bool {
    let text = text.as_bytes();
    match (text.last_chunk::<8>(), text.first_chunk::<4>()) {
        // What the words leave over is in the last eight bytes.
        (Some(last), _) => {
            let (words, _) = text.as_chunks::<8>();
            is_in_word(*last) || words.iter().any(|word| is_in_word(*word))
        }
        (None, Some(&[a, b, c, d])) => {
            let &[e, f, g, h] = text.last_chunk::<4>().unwrap_or(&[0; 4]);
            is_in_word([a, b, c, d, e, f, g, h])
        }
        (None, None) => text.contains(&b'{'),
    }
}

/// Where the first `{` is.
#[inline]
pub fn brace_at(text: &str) -> Option<usize> {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let before = words
        .iter()
        .position(|word| is_in_word(*word))
        .map_or(text.len() - rest.len(), |word| 8 * word);
    let rest = text.as_bytes().get(before..)?;
    rest.iter().position(|b| *b == b'{').map(|at| before + at)
}

/// The key of the row that a text begins with a placeholder of, and what follows.
fn placeholder<'t>(text: &'t str, rows: &'t [String]) -> Option<(&'t str, &'t str)> {
    let (digits, after) = text.strip_prefix("{row")?.split_once('}')?;
    let row = match digits {
        "" => rows.last(),
        _ if digits.bytes().all(|b| b.is_ascii_digit()) => digits
            .parse::<usize>()
            .ok()
            .and_then(|n| rows.get(n.checked_sub(1)?)),
        _ => None,
    };
    Some((row?, after))
}

#[cfg(test)]
mod tests {
    use super::{brace_at, expand, holds_brace};

    #[test]
    fn the_first_brace_is_found_wherever_it_is() {
        for length in 0..40 {
            let plain = "|z}".repeat(length);
            assert_eq!(brace_at(&plain), None, "{plain}");
            assert!(!holds_brace(&plain), "{plain}");
            for at in 0..=plain.len() {
                let mut text = plain.clone();
                text.insert(at, '{');
                assert!(holds_brace(&text), "{text}");
                for end in at + 1..text.len() {
                    assert!(holds_brace(&text[..end]), "{text} {end}");
                }
                assert!(!holds_brace(&text[..at]), "{text} {at}");
                text.push('{');
                assert_eq!(brace_at(&text), Some(at), "{text}");
            }
        }
    }

    #[test]
    fn placeholders_are_expanded_once() {
        let rows = ["{row}".to_owned(), "b{row1}".to_owned()];
        assert_eq!(expand("x", &rows), "x");
        assert_eq!(
            expand("{row1}/{row2}/{row}", &rows),
            "{row}/b{row1}/b{row1}"
        );
        assert_eq!(
            expand("{row3} {row0} {rowx} {row", &rows),
            "{row3} {row0} {rowx} {row"
        );
        assert_eq!(expand("{row}", &[]), "{row}");
    }
}
