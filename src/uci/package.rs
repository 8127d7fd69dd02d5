//! What a UCI file says: sections with options, and the lines that say it.
//!
//! A package keeps the text of its file once, a table of its pieces (24 bytes for each
//! line or command) and the decoded values; type, section and option names are shared.
//! For the lines of a router's files that is four to five times the size of the file on a
//! 32-bit router, six to seven times on a 64-bit machine. New lines are appended to the
//! text buffer and linked into the table where they belong, so an edit costs a walk over
//! the lines of its section, however many others there are, and moves no text.

use super::table::{Piece, Place, Table};
use super::token::Keyword;
use std::fmt;
use std::sync::Arc;

/// The value of an option.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// `option name 'value'`
    One(String),
    /// `list name 'value'`, one line for each item; never empty.
    List(Vec<String>),
}

impl Value {
    /// The text of an `option`; `None` for a list.
    pub fn as_one(&self) -> Option<&str> {
        match self {
            Value::One(text) => Some(text),
            Value::List(_) => None,
        }
    }

    /// The items of a list; an `option` is a list of one.
    pub fn items(&self) -> &[String] {
        match self {
            Value::One(text) => std::slice::from_ref(text),
            Value::List(items) => items,
        }
    }
}

/// Shows the shape only: values hold passwords.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::One(text) => write!(f, "One({} bytes)", text.len()),
            Value::List(items) => write!(f, "List({} items)", items.len()),
        }
    }
}

/// One section: a type, a name where it has one, and options in the order in which the
/// file first gives them a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    pub(super) kind: Arc<str>,
    pub(super) name: Option<Arc<str>>,
    pub(super) options: Vec<(Arc<str>, Value)>,
}

impl Section {
    /// The type: `interface` in `config interface 'lan'`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name: `lan` in `config interface 'lan'`; `None` for an anonymous section.
    /// (libuci makes up names like `cfg03ab12` for those; they are not in the file and
    /// change with it, so this room does not know them.)
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The options in order.
    pub fn options(&self) -> Options<'_> {
        Options(self.options.iter())
    }

    /// The value of an option.
    pub fn get(&self, option: &str) -> Option<&Value> {
        self.options
            .iter()
            .find(|(name, _)| &**name == option)
            .map(|(_, value)| value)
    }
}

/// Shows type, name and option names, never values.
impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ", self.kind, self.name().unwrap_or_default())?;
        f.debug_map()
            .entries(self.options.iter().map(|(n, v)| (n, v)))
            .finish()
    }
}

/// The options of a section, in order ([`Section::options`]).
#[derive(Clone)]
pub struct Options<'a>(std::slice::Iter<'a, (Arc<str>, Value)>);

impl<'a> Iterator for Options<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Options<'_> {}

/// A parsed UCI file that can be edited.
///
/// Sections are addressed by their index in [`sections`](Self::sections), which stays
/// until a section before it is deleted.
#[derive(Clone, Default)]
pub struct Package {
    /// The file as it was read, then every piece written since.
    pub(super) text: Vec<u8>,
    /// The file as it is, piece by piece.
    pub(super) pieces: Table,
    pub(super) sections: Vec<Section>,
    /// Section by section where its lines are. Its pieces know their section by
    /// [`Place::owner`], a number that is given once and only grows.
    pub(super) places: Vec<Place>,
    pub(super) next_owner: u32,
    /// The indexes of the sections with names, in order of these; of several with one name
    /// that of the first.
    pub(super) by_name: Vec<u32>,
}

impl Package {
    /// The sections in the order of the file. Two blocks of one name and type are one
    /// section, where the first stands.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The index of the section called `name`.
    pub fn section(&self, name: &str) -> Option<usize> {
        let &index = self.by_name.get(self.name_at(name).ok()?)?;
        Some(index as usize)
    }

    /// The place of a name in `by_name`; where it is none, that where it belongs.
    pub(super) fn name_at(&self, name: &str) -> Result<usize, usize> {
        let name_of = |index: &u32| self.sections.get(*index as usize)?.name();
        self.by_name
            .binary_search_by(|index| name_of(index).cmp(&Some(name)))
    }

    /// The index of the section that `reference` means: a name, or `@type[n]`, the n-th
    /// of that type, from the end where n is negative (`@[n]`: of any type).
    pub fn find(&self, reference: &str) -> Option<usize> {
        let Some(reference) = reference.strip_prefix('@') else {
            return self.section(reference);
        };
        let (kind, number) = reference.strip_suffix(']')?.split_once('[')?;
        let of_kind = |section: &&Section| kind.is_empty() || section.kind() == kind;
        let mut number: i64 = match number {
            "" => 0,
            number => number.parse().ok()?,
        };
        if number < 0 {
            let count = self.sections.iter().filter(of_kind).count();
            number += i64::try_from(count).ok()?;
        }
        let number = usize::try_from(number).ok()?;
        self.sections
            .iter()
            .enumerate()
            .filter(|(_, section)| of_kind(section))
            .map(|(index, _)| index)
            .nth(number)
    }

    /// The file: lines that no edit touched are byte for byte as they were read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.pieces.bytes());
        for (_, piece) in self.pieces.iter() {
            bytes.extend_from_slice(self.piece_text(piece));
        }
        bytes
    }

    pub(super) fn piece_text(&self, piece: &Piece) -> &[u8] {
        let start = piece.start();
        self.text
            .get(start..start + piece.len())
            .unwrap_or_default()
    }

    pub(super) fn index_names(&mut self) {
        let sections = &self.sections;
        let name_of = |index: &u32| sections.get(*index as usize)?.name();
        // As many as a file of bounded size has.
        let all = 0..sections.len() as u32;
        let mut by_name: Vec<u32> = all.filter(|index| name_of(index).is_some()).collect();
        by_name.sort_unstable_by_key(|index| (name_of(index), *index));
        by_name.dedup_by(|later, first| name_of(later) == name_of(first));
        by_name.shrink_to_fit();
        self.by_name = by_name;
    }
}

/// The index of the section whose pieces have this owner.
pub(super) fn index_of(places: &[Place], owner: u32) -> Option<usize> {
    // Sections stand in the order in which they were made.
    places
        .binary_search_by_key(&owner, |place| place.owner)
        .ok()
}

/// Shows the sections, never values.
impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.sections).finish()
    }
}

/// What `option` (or `list`) does to the value an option had: an empty `option` does
/// nothing, `list` turns a single value into the first item, `option` replaces a list.
/// `None`: the option has no value (yet).
pub(super) fn apply(old: Option<Value>, keyword: Keyword, text: String) -> Option<Value> {
    if keyword != Keyword::List {
        return if text.is_empty() {
            old
        } else {
            Some(Value::One(text))
        };
    }
    Some(match old {
        None => Value::List(vec![text]),
        Some(Value::One(first)) => Value::List(vec![first, text]),
        Some(Value::List(mut items)) => {
            items.push(text);
            Value::List(items)
        }
    })
}

/// Text for people and for the model; bytes that are not UTF-8 are shown as U+FFFD and
/// stay as they are in the file.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
