//! A package being changed: a copy with what is staged already in it, and the list of
//! changes, so that they can be made again to a file that somebody else changed since.

use super::keys::{is_anonymous, is_fingerprint, keys};
use crate::uci::file::Stamp;
use crate::uci::{EditError, Package, Section, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// What a copy shares with the original until one of them is changed.
#[derive(Clone, Default)]
pub struct Shared<T: Clone>(Arc<T>);

impl<T: Clone> Shared<T> {
    /// Whether it is this very one, unchanged.
    pub fn is(&self, other: &Arc<T>) -> bool {
        Arc::ptr_eq(&self.0, other)
    }

    /// What is shared.
    pub fn into_inner(self) -> Arc<T> {
        self.0
    }
}

impl<T: Clone> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Clone> From<T> for Shared<T> {
    fn from(it: T) -> Shared<T> {
        Shared(Arc::new(it))
    }
}

/// A parsed package and the row keys of its sections, index by index. A copy costs next to
/// nothing before it is changed.
#[derive(Default)]
pub struct Content {
    pub package: Shared<Package>,
    pub keys: Shared<Vec<String>>,
    /// What the sections without names held when the file was read, index by index; empty
    /// for those with names.
    pub prints: Shared<Vec<Vec<u32>>>,
    /// Where the sections without names are; the package knows those with.
    anonymous: Shared<HashMap<String, usize>>,
    /// What was looked up so far, until the next change.
    looked_up: RefCell<LookedUp>,
}

impl Clone for Content {
    fn clone(&self) -> Content {
        Content {
            package: self.package.clone(),
            keys: self.keys.clone(),
            prints: self.prints.clone(),
            anonymous: self.anonymous.clone(),
            // A copy is made to be changed.
            looked_up: RefCell::default(),
        }
    }
}

#[derive(Default)]
struct LookedUp {
    /// By type and option: the first section that has the value.
    by_option: Vec<ByOption>,
    /// Each section's place among those of its type, from 1.
    positions: Option<Vec<u32>>,
}

/// Which section of a type is the first whose option says what.
struct ByOption {
    kind: String,
    option: String,
    sections: HashMap<String, usize>,
}

/// One staged change. Sections are known by their keys. No `Debug`: values hold
/// passwords.
#[derive(Clone)]
pub enum Change {
    /// A section that must be there; made if it is not.
    Section {
        kind: String,
        name: String,
    },
    Delete {
        key: String,
    },
    Text {
        key: String,
        option: String,
        text: String,
    },
    List {
        key: String,
        option: String,
        items: Vec<String>,
    },
    /// One entry of a list by what it says; an empty `from` appends, an empty `to` takes it
    /// away.
    Entry {
        key: String,
        option: String,
        from: String,
        to: String,
    },
    /// The n-th item (from 1) of a list; an empty text takes it away.
    Item {
        key: String,
        option: String,
        n: u32,
        text: String,
    },
}

impl Change {
    /// The texts that an option shall have.
    fn texts(&self) -> &[String] {
        match self {
            Change::Text { text, .. } | Change::Item { text, .. } => std::slice::from_ref(text),
            Change::List { items, .. } => items,
            Change::Entry { to, .. } => std::slice::from_ref(to),
            Change::Section { .. } | Change::Delete { .. } => &[],
        }
    }
}

/// Why a change cannot be made.
#[derive(Debug)]
pub enum ChangeError {
    /// The section is gone, or somebody edited an anonymous one.
    NoSection {
        key: String,
    },
    /// No entry of the list says what it said.
    NoEntry {
        option: String,
    },
    /// A section of this name has another type.
    OtherType {
        name: String,
        kind: String,
    },
    Edit(EditError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::NoSection { key } if is_anonymous(key) => f.write_str(
                "a section without a name was changed or removed by somebody else; try again",
            ),
            ChangeError::NoSection { key } => write!(f, "there is no section {key}"),
            ChangeError::NoEntry { option } => {
                write!(f, "the list {option} has no such entry any more; try again")
            }
            ChangeError::OtherType { name, kind } => {
                write!(
                    f,
                    "section {name} is of type {kind}, not of the one in the data model"
                )
            }
            ChangeError::Edit(e) => e.fmt(f),
        }
    }
}

impl From<EditError> for ChangeError {
    fn from(e: EditError) -> ChangeError {
        ChangeError::Edit(e)
    }
}

/// Lists being changed item by item, with holes: so that emptying the first item and
/// setting the second means the same in any order.
type Holes = BTreeMap<(String, String), Vec<String>>;

/// See the module. Small, as it is moved about in a map.
pub struct Draft(Box<Inner>);

/// What a [`Draft`] holds.
pub struct Inner {
    /// The file it was begun from; `None`: there was none.
    pub base: Option<Stamp>,
    pub content: Content,
    /// Staged values refer to sections without names of this package: they get names,
    /// though nothing else may change in it.
    pub referred: bool,
    holes: Holes,
    changes: Vec<Change>,
    /// What the entries of lists say now, by section, option and what they said.
    pub entries: BTreeMap<(String, String), Vec<(String, String)>>,
}

impl Content {
    pub fn of(package: Arc<Package>) -> Content {
        let (keys, prints) = keys(&package);
        let mut content = Content {
            package: Shared(package),
            keys: keys.into(),
            prints: prints.into(),
            anonymous: Shared::default(),
            looked_up: RefCell::default(),
        };
        content.index();
        content
    }

    /// The same of a package that was made of `before` by a change: where no section without
    /// a name has changed, all are known by the keys that they had.
    pub fn after(before: &Content, package: Arc<Package>) -> Content {
        let (old, new) = (before.package.sections(), package.sections());
        let is_same = |(old, new): (&Section, &Section)| match (old.name(), new.name()) {
            (Some(old), Some(new)) => old == new,
            (None, None) => old == new,
            _ => false,
        };
        if old.len() != new.len() || !old.iter().zip(new).all(is_same) {
            return Content::of(package);
        }
        Content {
            package: Shared(package),
            keys: before.keys.clone(),
            prints: before.prints.clone(),
            anonymous: before.anonymous.clone(),
            looked_up: RefCell::default(),
        }
    }

    /// The place of a section among those of its type, from 1. All are counted at once.
    pub fn position(&self, index: usize) -> Option<u32> {
        let mut looked_up = self.looked_up.borrow_mut();
        let positions = looked_up.positions.get_or_insert_with(|| {
            let mut count: HashMap<&str, u32> = HashMap::new();
            let mut positions = Vec::with_capacity(self.package.sections().len());
            for section in self.package.sections() {
                let n = count.entry(section.kind()).or_default();
                *n += 1;
                positions.push(*n);
            }
            positions
        });
        positions.get(index).copied()
    }

    /// The first section of a type whose option says this. All are looked at once.
    pub fn by_option(&self, kind: &str, option: &str, value: &str) -> Option<usize> {
        let mut looked_up = self.looked_up.borrow_mut();
        let mut known = looked_up.by_option.iter();
        if let Some(known) = known.find(|k| k.option == option && k.kind == kind) {
            return known.sections.get(value).copied();
        }
        let mut sections = HashMap::new();
        for (index, section) in self.package.sections().iter().enumerate() {
            if section.kind() == kind
                && let Some(text) = section.get(option).and_then(Value::as_one)
            {
                sections.entry(text.to_owned()).or_insert(index);
            }
        }
        let found = sections.get(value).copied();
        looked_up.by_option.push(ByOption {
            kind: kind.to_owned(),
            option: option.to_owned(),
            sections,
        });
        found
    }

    fn index(&mut self) {
        let anonymous = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, key)| is_anonymous(key));
        let anonymous = anonymous.map(|(index, key)| (key.clone(), index));
        self.anonymous = Shared::from(anonymous.collect::<HashMap<_, _>>());
    }

    /// The index of the section with this key.
    pub fn by_key(&self, key: &str) -> Option<usize> {
        if is_anonymous(key) {
            self.anonymous.get(key).copied()
        } else {
            self.package.section(key)
        }
    }

    /// The index of a section by its key, or as a data-model file writes it.
    pub fn find(&self, reference: &str) -> Option<usize> {
        if let Some((kind, option, value)) = by_value(reference) {
            self.by_option(kind, option, value)
        } else if reference.starts_with('@') {
            self.package.find(reference)
        } else {
            self.by_key(reference)
        }
    }
}

/// The parts of `@type[option=value]`.
pub fn by_value(reference: &str) -> Option<(&str, &str, &str)> {
    let inner = reference.strip_prefix('@')?.strip_suffix(']')?;
    let (kind, which) = inner.split_once('[')?;
    let (option, value) = which.split_once('=')?;
    Some((kind, option, value))
}

impl Deref for Draft {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.0
    }
}

impl Draft {
    pub fn new(base: Option<Stamp>, content: Content) -> Draft {
        Draft(Box::new(Inner {
            base,
            content,
            referred: false,
            holes: Holes::new(),
            changes: Vec::new(),
            entries: BTreeMap::new(),
        }))
    }

    /// The staged texts that may be keys of sections without names.
    pub fn anonymous_keys(&self) -> impl Iterator<Item = &str> {
        let words = self.changes.iter().flat_map(Change::texts);
        let words = words.flat_map(|text| text.split_whitespace());
        words.filter(|word| is_fingerprint(word))
    }

    /// Makes staged values that refer to sections by the keys they had refer to them by
    /// the names they got; `content` is that of this draft.
    pub fn refer(
        &self,
        content: &mut Content,
        names: &BTreeMap<String, String>,
    ) -> Result<(), ChangeError> {
        if names.is_empty() {
            return Ok(());
        }
        let named = |text: &String| -> String {
            let words = text.split(' ');
            let words = words.map(|word| names.get(word).map_or(word, String::as_str));
            words.collect::<Vec<_>>().join(" ")
        };
        for change in &self.changes {
            let (Change::Text { key, option, .. }
            | Change::List { key, option, .. }
            | Change::Item { key, option, .. }) = change
            else {
                continue;
            };
            let Some(index) = content.by_key(key) else {
                continue;
            };
            let package = &mut content.package;
            let section = package.sections().get(index);
            match section.and_then(|section| section.get(option)) {
                Some(Value::One(text)) if named(text) != *text => {
                    let text = named(text);
                    package.set(index, option, &text)?;
                }
                Some(Value::List(items)) if items.iter().any(|i| named(i) != *i) => {
                    let items: Vec<String> = items.iter().map(named).collect();
                    package.set_list(index, option, &items)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes one change and keeps it.
    pub fn make(&mut self, change: Change) -> Result<(), ChangeError> {
        let inner = &mut *self.0;
        apply(&mut inner.content, &mut inner.holes, &change)?;
        inner.changes.push(change);
        Ok(())
    }

    /// Makes all changes again, on the content that the file has now.
    pub fn rebase(&mut self, base: Option<Stamp>, content: Content) -> Result<(), ChangeError> {
        let inner = &mut *self.0;
        inner.base = base;
        inner.content = content;
        inner.holes.clear();
        for change in &inner.changes {
            apply(&mut inner.content, &mut inner.holes, change)?;
        }
        Ok(())
    }

    /// What an entry of a list says now that said `from` when the change began.
    pub fn entry<'a>(&'a self, key: &str, option: &str, from: &'a str) -> &'a str {
        let known = self.entries.get(&(key.to_owned(), option.to_owned()));
        let mut known = known.into_iter().flatten();
        match known.find(|(was, _)| was == from) {
            Some((_, now)) => now,
            None => from,
        }
    }

    /// Keeps what an entry says now.
    pub fn keep_entry(&mut self, key: &str, option: &str, from: &str, to: &str) {
        let place = (key.to_owned(), option.to_owned());
        let known = self.entries.entry(place).or_default();
        match known.iter_mut().find(|(was, _)| was == from) {
            Some((_, now)) => to.clone_into(now),
            None => known.push((from.to_owned(), to.to_owned())),
        }
    }

    /// A list that is being changed item by item, with empty texts where it has gaps.
    pub fn items(&self, key: &str, option: &str) -> Option<&[String]> {
        let items = self.holes.get(&(key.to_owned(), option.to_owned()));
        items.map(Vec::as_slice)
    }

    /// The n-th item of a list that is being changed item by item; `None` where it is not.
    pub fn item(&self, key: &str, option: &str, n: usize) -> Option<Option<&str>> {
        let items = self.holes.get(&(key.to_owned(), option.to_owned()))?;
        Some(
            items
                .get(n)
                .map(String::as_str)
                .filter(|text| !text.is_empty()),
        )
    }
}

/// Makes one change in a content that no draft keeps.
pub fn change(content: &mut Content, change: &Change) -> Result<(), ChangeError> {
    apply(content, &mut Holes::new(), change)
}

fn apply(content: &mut Content, holes: &mut Holes, change: &Change) -> Result<(), ChangeError> {
    let at = |content: &Content, key: &String| {
        content
            .by_key(key)
            .ok_or_else(|| ChangeError::NoSection { key: key.clone() })
    };
    content.looked_up.take();
    match change {
        Change::Section { kind, name } => {
            if let Some(section) = content
                .by_key(name)
                .and_then(|i| content.package.sections().get(i))
            {
                if section.kind() == kind {
                    return Ok(());
                }
                return Err(ChangeError::OtherType {
                    name: name.clone(),
                    kind: section.kind().to_owned(),
                });
            }
            let index = content.package.add_section(kind, Some(name))?;
            let (keys, prints) = (&mut *content.keys, &mut *content.prints);
            keys.insert(index.min(keys.len()), name.clone());
            prints.insert(index.min(prints.len()), Vec::new());
        }
        Change::Delete { key } => {
            let index = at(content, key)?;
            content.package.delete_section(index)?;
            content.keys.remove(index);
            content.prints.remove(index);
            content.anonymous.remove(key);
            for other in content.anonymous.values_mut() {
                *other -= usize::from(*other > index);
            }
            holes.retain(|(section, _), _| section != key);
        }
        Change::Text { key, option, text } => {
            let index = at(content, key)?;
            content.package.set(index, option, text)?;
            holes.remove(&(key.clone(), option.clone()));
        }
        Change::List { key, option, items } => {
            let index = at(content, key)?;
            set_list(&mut content.package, index, option, items)?;
            holes.remove(&(key.clone(), option.clone()));
        }
        Change::Entry {
            key,
            option,
            from,
            to,
        } => {
            let index = at(content, key)?;
            let section = content.package.sections().get(index);
            let now = section.and_then(|s| s.get(option));
            let is_one = matches!(now, Some(Value::One(_)));
            let mut items = now.map(|v| v.items().to_vec()).unwrap_or_default();
            match items.iter().position(|item| item == from) {
                _ if from.is_empty() => items.push(to.clone()),
                Some(place) if to.is_empty() => {
                    items.remove(place);
                }
                Some(place) => {
                    if let Some(item) = items.get_mut(place) {
                        item.clone_from(to);
                    }
                }
                None => {
                    return Err(ChangeError::NoEntry {
                        option: option.clone(),
                    });
                }
            }
            match items.as_slice() {
                [one] if is_one => content.package.set(index, option, one)?,
                items => set_list(&mut content.package, index, option, items)?,
            }
        }
        Change::Item {
            key,
            option,
            n,
            text,
        } => {
            let index = at(content, key)?;
            let now = content
                .package
                .sections()
                .get(index)
                .and_then(|s| s.get(option));
            let was_list = matches!(now, Some(Value::List(_)));
            let place = (key.clone(), option.clone());
            let mut items = match holes.get(&place) {
                Some(items) => items.clone(),
                None => now.map(|v| v.items().to_vec()).unwrap_or_default(),
            };
            let n = usize::try_from(*n).unwrap_or(usize::MAX).saturating_sub(1);
            match items.get_mut(n) {
                Some(item) => item.clone_from(text),
                None if text.is_empty() => {}
                // Beyond the end: appended, but a later change of an item between counts
                // from where this one was meant to be.
                None if n < MAX_ITEMS => {
                    items.resize(n, String::new());
                    items.push(text.clone());
                }
                None => items.push(text.clone()),
            }
            let whole: Vec<String> = items.iter().filter(|i| !i.is_empty()).cloned().collect();
            match whole.as_slice() {
                [one] if now.is_some() && !was_list => content.package.set(index, option, one)?,
                items => set_list(&mut content.package, index, option, items)?,
            }
            holes.insert(place, items);
        }
    }
    Ok(())
}

/// Items of a list with holes.
const MAX_ITEMS: usize = 256;

fn set_list(
    package: &mut Package,
    index: usize,
    option: &str,
    items: &[String],
) -> Result<(), EditError> {
    let items: Vec<String> = items.iter().filter(|i| !i.is_empty()).cloned().collect();
    if items.is_empty() {
        return package.set(index, option, "");
    }
    package.set_list(index, option, &items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_after_a_change_are_those_that_a_fresh_look_finds() {
        let texts = [
            "config a 'x'\n\toption n '1'\nconfig b\n\toption n '1'\n",
            "config a 'x'\n\toption n '2'\nconfig b\n\toption n '1'\n",
            "config a 'y'\n\toption n '1'\nconfig b\n\toption n '1'\n",
            "config a 'x'\n\toption n '1'\nconfig b\n\toption n '2'\n",
            "config a 'x'\n\toption n '1'\nconfig c\n\toption n '1'\n",
            "config b\n\toption n '1'\nconfig a 'x'\n\toption n '1'\n",
            "config a 'x'\n\toption n '1'\nconfig b 'z'\n\toption n '1'\n",
            "config b\n\toption n '1'\nconfig b\n\toption n '1'\n",
            "config b\n\toption n '1'\n",
            "",
        ];
        let package = |text: &str| Arc::new(Package::parse(text.as_bytes()).expect("UCI"));
        for before in texts {
            let known = Content::of(package(before));
            for after in texts {
                let fresh = Content::of(package(after));
                let made = Content::after(&known, package(after));
                assert_eq!(*made.keys, *fresh.keys, "{before} -> {after}");
                assert_eq!(*made.prints, *fresh.prints, "{before} -> {after}");
                for (at, key) in fresh.keys.iter().enumerate() {
                    assert_eq!(made.by_key(key), Some(at), "{before} -> {after}: {key}");
                }
            }
        }
    }
}
