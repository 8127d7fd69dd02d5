//! What names a section as a row: its own name, or a fingerprint of its content.

use crate::model::binding::{Text, UciRows};
use crate::model::source::Row;
use crate::uci::{Package, Section, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};

/// The keys of all sections, in their order, and what those without a name hold. An
/// anonymous section's key begins with `#`, which no name can; of several with the same
/// content the second gets `-2` after it.
pub fn keys(package: &Package) -> (Vec<String>, Vec<Vec<u32>>) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let of = |section: &Section| {
        if let Some(name) = section.name() {
            return (name.to_owned(), Vec::new());
        }
        let prints = prints(section);
        let key = fingerprint(section, &prints);
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        match *count {
            1 => (key, prints),
            n => (format!("{key}-{n}"), prints),
        }
    };
    package.sections().iter().map(of).unzip()
}

/// Whether a key is that of a section without a name.
pub fn is_anonymous(key: &str) -> bool {
    key.starts_with('#')
}

/// Whether a text has the form of a key of a section without a name, and is hardly
/// anything else: such a text may refer to the section.
pub fn is_fingerprint(text: &str) -> bool {
    let Some(hash) = text.strip_prefix('#') else {
        return false;
    };
    let (hash, number) = hash.split_once('-').unwrap_or((hash, "2"));
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    hash.len() == 16 && hash.bytes().all(is_hex) && number.parse::<u32>().is_ok()
}

/// One hash for each option of a section, in no particular order but always the same.
fn prints(section: &Section) -> Vec<u32> {
    let mut prints: Vec<u32> = section
        .options()
        .map(|(name, value)| print(name, value))
        .collect();
    prints.sort_unstable();
    prints
}

/// The option that `parent` names to mean the section itself: its key is the key of the
/// row around the table.
pub const ITSELF: &str = ".name";

/// Whether a section with this key is a row of a table.
pub fn is_row(section: &Section, key: &str, rows: &UciRows, parents: &[String]) -> bool {
    let wanted = |(option, wanted): &(Text, Text)| match section.get(option) {
        Some(value) => value.as_one() == Some(&**wanted),
        None => wanted.is_empty(),
    };
    section.kind() == &*rows.section_type
        // Of several texts for one option any will do.
        && rows.only.chunk_by(|a, b| a.0 == b.0).all(|texts| texts.iter().any(wanted))
        && rows.key.as_deref().is_none_or(|option| {
            // What names a row becomes part of paths.
            let named = section.get(option).and_then(Value::as_one);
            named.is_some_and(super::super::is_row_key)
        })
        && match (rows.parent.as_deref(), parents.last()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ITSELF), Some(parent)) => key == parent,
            (Some(option), Some(parent)) => section
                .get(option)
                .is_some_and(|value| value.items().contains(parent)),
        }
}

/// The rows of a table whose keys an option says; of several with one key the first.
pub fn keyed(
    package: &Package,
    rows: &UciRows,
    option: &str,
    parents: &[String],
    limit: usize,
) -> Vec<Row> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let sections = package.sections().iter();
    sections
        .filter_map(|section| {
            let key = section.get(option)?.as_one()?;
            (is_row(section, key, rows, parents) && seen.insert(key)).then(|| Row {
                key: key.to_owned(),
                prints: Vec::new(),
            })
        })
        .take(limit)
        .collect()
}

/// The rows around a table that it was asked for, to be found by the innermost key.
pub struct Around<'a> {
    all: &'a BTreeSet<Vec<String>>,
    by_parent: HashMap<&'a str, Vec<&'a Vec<String>>>,
}

impl<'a> Around<'a> {
    pub fn of(all: &'a BTreeSet<Vec<String>>) -> Around<'a> {
        let mut by_parent: HashMap<&str, Vec<&Vec<String>>> = HashMap::new();
        for parents in all {
            if let Some(parent) = parents.last() {
                by_parent.entry(parent).or_default().push(parents);
            }
        }
        Around { all, by_parent }
    }

    /// Where a section is a row: the keys of the rows around it, for each place.
    pub fn places(&self, section: &Section, key: &str, rows: &UciRows) -> Vec<Vec<String>> {
        let candidates: Vec<&Vec<String>> = match rows.parent.as_deref() {
            None => self.all.iter().collect(),
            Some(ITSELF) => self.below(key).collect(),
            Some(option) => {
                let items = section.get(option).map(Value::items).unwrap_or_default();
                items.iter().flat_map(|item| self.below(item)).collect()
            }
        };
        let is_row = |parents: &&Vec<String>| is_row(section, key, rows, parents);
        candidates.into_iter().filter(is_row).cloned().collect()
    }

    fn below(&self, parent: &str) -> impl Iterator<Item = &'a Vec<String>> {
        self.by_parent.get(parent).into_iter().flatten().copied()
    }
}

/// Type and all options, whatever their order.
fn fingerprint(section: &Section, prints: &[u32]) -> String {
    let mut hash = Sha256::new();
    hash.update(section.kind());
    for print in prints {
        hash.update(print.to_be_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    format!("#{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

fn print(option: &str, value: &Value) -> u32 {
    let mut hash = Sha256::new();
    hash.update(option);
    for item in value.items() {
        // No value holds a NUL, so the parts cannot run together.
        hash.update([0]);
        hash.update(item);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d])
}
