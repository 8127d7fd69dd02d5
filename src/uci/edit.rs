//! Changes to a [`Package`]: what libuci's edit functions do, made to the lines of the
//! file instead of to a copy in memory.
//!
//! Every change of an option ends in [`Package::write_option`], which decides line by
//! line what stays, what is changed in place, what goes and what is new. Afterwards the
//! section is read again from its lines, so that memory and file cannot say different
//! things.
//!
//! Comments and empty lines belong to nobody and stay, also those within a section that
//! is deleted; of two empty lines that would meet where a section was, one goes.

use super::line::{self, Style, Wanted};
use super::package::{NOBODY, Package, Section, Value, lossy};
use super::pieces::{Change, Entry, This};
use super::token::Keyword;
use super::{MAX_BYTES, valid_kind, valid_name, valid_value};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Why a change cannot be made. The package is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// There is no section with this index.
    NoSection { index: usize },
    /// The section has no such option, so it cannot be deleted.
    NoOption { option: String },
    /// Not a name libuci takes: letters, digits and `_`.
    BadName { name: String },
    /// Not a section type libuci takes: printable ASCII without spaces.
    BadKind { kind: String },
    /// A value with a control character other than tab and line ends, which libuci
    /// cannot keep.
    BadValue { option: String },
    /// Another section has this name already.
    NameTaken { name: String },
    /// The file would have more than [`MAX_BYTES`] bytes.
    TooLarge { bytes: usize },
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::NoSection { index } => write!(f, "there is no section number {index}"),
            EditError::NoOption { option } => {
                write!(f, "there is no option {option:?} in this section")
            }
            EditError::BadName { name } => {
                write!(f, "{name:?} is not a UCI name: use letters, digits and _")
            }
            EditError::BadKind { kind } => write!(
                f,
                "{kind:?} is not a UCI section type: use printable ASCII without spaces"
            ),
            EditError::BadValue { option } => write!(
                f,
                "the value for {option:?} has a control character, which UCI cannot keep"
            ),
            EditError::NameTaken { name } => {
                write!(f, "another section is called {name:?} already")
            }
            EditError::TooLarge { bytes } => write!(
                f,
                "the file would have {bytes} bytes; at most {MAX_BYTES} are kept"
            ),
        }
    }
}

impl std::error::Error for EditError {}

/// What the `config` line of a section shall say.
struct Head {
    kind: Arc<str>,
    name: Option<Arc<str>>,
}

impl Package {
    /// Gives an option one value, whatever it had. An empty value removes the option
    /// (UCI has no empty values) and does nothing where there is none.
    ///
    /// # Errors
    /// [`EditError`]; the package is then as it was. This holds for all edits.
    pub fn set(&mut self, section: usize, option: &str, value: &str) -> Result<(), EditError> {
        check_value(option, value)?;
        let old = self.section_at(section)?.get(option);
        if old.and_then(Value::as_one) == Some(value) && !value.contains('\u{FFFD}') {
            return Ok(());
        }
        let wanted = if value.is_empty() {
            Vec::new()
        } else {
            vec![value.into()]
        };
        self.write_option(section, option, Keyword::Option, &wanted)
    }

    /// Makes an option a list of `items`, whatever it was; none removes it.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_list(
        &mut self,
        section: usize,
        option: &str,
        items: &[String],
    ) -> Result<(), EditError> {
        for item in items {
            check_value(option, item)?;
        }
        self.section_at(section)?;
        let wanted: Vec<Vec<u8>> = items.iter().map(|item| item.clone().into_bytes()).collect();
        self.write_option(section, option, Keyword::List, &wanted)
    }

    /// Appends an item to a list. A single value becomes the first item of a list; an
    /// option that is not there becomes a list of one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn add_list(&mut self, section: usize, option: &str, item: &str) -> Result<(), EditError> {
        check_value(option, item)?;
        self.section_at(section)?;
        let mut wanted = self.live_values(section, option);
        wanted.push(item.into());
        self.write_option(section, option, Keyword::List, &wanted)
    }

    /// Removes every item equal to `item` from a list, and the list with its last item.
    /// Does nothing where there is no list or no such item, as libuci.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn del_list(&mut self, section: usize, option: &str, item: &str) -> Result<(), EditError> {
        check_value(option, item)?;
        let old = self.section_at(section)?.get(option);
        if !matches!(old, Some(Value::List(items)) if items.iter().any(|i| i == item)) {
            return Ok(());
        }
        let mut wanted = self.live_values(section, option);
        wanted.retain(|value| lossy(value) != item);
        self.write_option(section, option, Keyword::List, &wanted)
    }

    /// Removes an option or a list with all its lines.
    ///
    /// # Errors
    /// [`EditError::NoOption`] where there is none, as libuci.
    pub fn delete_option(&mut self, section: usize, option: &str) -> Result<(), EditError> {
        check_name(option)?;
        if self.section_at(section)?.get(option).is_none() {
            return Err(EditError::NoOption {
                option: option.to_string(),
            });
        }
        self.write_option(section, option, Keyword::Option, &[])
    }

    /// Removes a section: every line of it in all its blocks. The indexes of the sections
    /// behind it become one less.
    ///
    /// # Errors
    /// [`EditError::NoSection`]; [`EditError::TooLarge`] where commands that shared a line
    /// with the section do not fit into the file on lines of their own.
    pub fn delete_section(&mut self, section: usize) -> Result<(), EditError> {
        let owner = self.owner(section)?;
        self.whole(|package| package.delete_owned(owner))
    }

    fn delete_owned(&mut self, owner: u32) -> Result<(), EditError> {
        let mut changes: Vec<Change> = Vec::new();
        let lines = self.separated(|package| package.owned(owner));
        // Of the empty lines around a run of removed lines one goes.
        let mut run_start = None;
        for (number, &at) in lines.iter().enumerate() {
            changes.push(Change::goes(at));
            let start = *run_start.get_or_insert(at);
            if lines.get(number + 1) == Some(&(at + 1)) {
                continue;
            }
            run_start = None;
            let empty = |at: usize| self.pieces.get(at).is_none_or(|piece| self.is_blank(piece));
            if let Some(before) = start.checked_sub(1)
                && empty(before)
                && empty(at + 1)
            {
                changes.push(Change::goes(before));
            }
        }
        self.apply(changes)?;
        self.sections.remove(owner as usize);
        for piece in &mut self.pieces {
            if piece.owner != NOBODY && piece.owner > owner {
                piece.owner -= 1;
            }
        }
        self.index_names();
        Ok(())
    }

    /// Appends a section without options, behind an empty line, and returns its index.
    ///
    /// # Errors
    /// [`EditError::BadKind`], [`EditError::BadName`], [`EditError::NameTaken`],
    /// [`EditError::TooLarge`].
    pub fn add_section(&mut self, kind: &str, name: Option<&str>) -> Result<usize, EditError> {
        check_kind(kind)?;
        if let Some(name) = name {
            check_name(name)?;
            if self.section(name).is_some() {
                return Err(EditError::NameTaken {
                    name: name.to_string(),
                });
            }
        }
        let index = self.sections.len();
        let owner = u32::try_from(index).map_err(|_| EditError::NoSection { index })?;
        let style = Style {
            indent: Vec::new(),
            line_end: self.line_end(),
        };
        let wanted = Wanted {
            keyword: Keyword::Config,
            first: kind.as_bytes(),
            second: name.unwrap_or_default().as_bytes(),
        };
        let head = (owner, line::write(wanted, &style, None));
        let mut after = vec![head];
        match self.pieces.last() {
            None => {
                let text = after.remove(0).1;
                if text.len() > MAX_BYTES {
                    return Err(EditError::TooLarge { bytes: text.len() });
                }
                let piece = self.store(&text, owner);
                self.pieces.push(piece);
            }
            Some(last) => {
                if !self.is_blank(last) {
                    after.insert(0, (NOBODY, style.line_end.to_vec()));
                }
                let at = self.pieces.len() - 1;
                self.apply(vec![Change {
                    at,
                    this: This::Stays,
                    after,
                }])?;
            }
        }
        let name: Option<Arc<str>> = name.map(Into::into);
        if let Some(name) = &name {
            self.by_name.insert(name.clone(), owner);
        }
        self.sections.push(Section {
            kind: kind.into(),
            name,
            options: Vec::new(),
        });
        Ok(index)
    }

    /// Gives a section a name: an anonymous one its first, a named one another.
    ///
    /// As in libuci the name may be that of another section of the same type; the two are
    /// one section to whoever reads the file next.
    ///
    /// # Errors
    /// [`EditError::NameTaken`] where a section of another type has the name: nobody
    /// could read the file any more (libuci does it all the same).
    pub fn rename_section(&mut self, section: usize, name: &str) -> Result<(), EditError> {
        self.rename_sections(&[(section, name)])
    }

    /// [`rename_section`](Self::rename_section) for many sections, all or none, in the
    /// time of one.
    ///
    /// # Errors
    /// As [`rename_section`](Self::rename_section).
    pub fn rename_sections(&mut self, names: &[(usize, &str)]) -> Result<(), EditError> {
        let mut heads = HashMap::new();
        for &(section, name) in names {
            check_name(name)?;
            let kind = self.section_at(section)?.kind.clone();
            let name = Some(name.into());
            heads.insert(self.owner(section)?, Head { kind, name });
        }
        self.whole(|package| package.rewrite_heads(&heads))
    }

    /// Changes the type of a section.
    ///
    /// # Errors
    /// As [`rename_section`](Self::rename_section).
    pub fn set_kind(&mut self, section: usize, kind: &str) -> Result<(), EditError> {
        check_kind(kind)?;
        let name = self.section_at(section)?.name.clone();
        let kind = kind.into();
        let heads = HashMap::from([(self.owner(section)?, Head { kind, name })]);
        self.whole(|package| package.rewrite_heads(&heads))
    }

    /// Makes the sections' lines say their new types and names.
    fn rewrite_heads(&mut self, heads: &HashMap<u32, Head>) -> Result<(), EditError> {
        let mut kinds: HashMap<&str, &str> = HashMap::new();
        for (owner, section) in (0u32..).zip(&self.sections) {
            let (kind, name) = match heads.get(&owner) {
                Some(head) => (&head.kind, &head.name),
                None => (&section.kind, &section.name),
            };
            if let Some(name) = name
                && *kinds.entry(name).or_insert(kind) != &**kind
            {
                let name = name.to_string();
                return Err(EditError::NameTaken { name });
            }
        }
        let lines = self.separated(|package| {
            let is_head = |at: &usize| {
                let line = package.line(*at);
                line.is_some_and(|line| line.keyword == Keyword::Config)
            };
            let pieces = package.pieces.iter().enumerate();
            pieces
                .filter(|(_, piece)| heads.contains_key(&piece.owner))
                .map(|(at, _)| at)
                .filter(is_head)
                .collect()
        });
        let style = Style {
            indent: Vec::new(),
            line_end: self.line_end(),
        };
        let mut changes = Vec::new();
        for at in lines {
            let Some(head) = self.pieces.get(at).and_then(|p| heads.get(&p.owner)) else {
                continue;
            };
            let wanted = Wanted {
                keyword: Keyword::Config,
                first: head.kind.as_bytes(),
                second: head.name.as_deref().unwrap_or_default().as_bytes(),
            };
            let says_so = self
                .line(at)
                .is_some_and(|line| line.first == wanted.first && line.second == wanted.second);
            if !says_so {
                let text = line::rewrite(self.text_at(at), wanted, &style);
                changes.push(Change::becomes(at, text));
            }
        }
        self.apply(changes)?;
        for (&owner, head) in heads {
            if let Some(section) = self.sections.get_mut(owner as usize) {
                section.kind = head.kind.clone();
                section.name = head.name.clone();
            }
        }
        self.index_names();
        Ok(())
    }

    /// Makes an edit that may have to give commands lines of their own first: where it is
    /// refused after that, they share one again.
    fn whole(
        &mut self,
        edit: impl FnOnce(&mut Package) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        // Hardly any file has such lines.
        let before = self.shared_lines.then(|| self.clone());
        let result = edit(self);
        if let (Err(_), Some(before)) = (&result, before) {
            *self = before;
        }
        result
    }

    /// Makes the lines of an option say `wanted`, with as few changes as possible.
    fn write_option(
        &mut self,
        section: usize,
        option: &str,
        keyword: Keyword,
        wanted: &[Vec<u8>],
    ) -> Result<(), EditError> {
        self.whole(|package| package.write_lines(section, option, keyword, wanted))
    }

    fn write_lines(
        &mut self,
        section: usize,
        option: &str,
        keyword: Keyword,
        wanted: &[Vec<u8>],
    ) -> Result<(), EditError> {
        let owner = self.owner(section)?;
        // What is found stays where it is when commands get lines of their own.
        let owned = self.owned(owner);
        let mut entries = self.entries(&owned, option);
        if self.shared_lines {
            // The lines to be changed, or the one behind which new ones go.
            let mut lines: Vec<usize> = entries.iter().map(|entry| entry.at).collect();
            if lines.is_empty() && !wanted.is_empty() {
                lines.extend(owned.last());
            }
            self.separated(|_| lines);
            entries = self.entries(&owned, option);
        }
        let mut changes = Vec::new();
        let style = self.style(&owned);
        let fresh = |value: &Vec<u8>| {
            let wanted = Wanted {
                keyword,
                first: option.as_bytes(),
                second: value,
            };
            (owner, line::write(wanted, &style, None))
        };
        if entries.is_empty() {
            let Some(&at) = owned.last() else {
                return Err(EditError::NoSection { index: section });
            };
            let after = wanted.iter().map(fresh).collect();
            changes.push(Change {
                at,
                this: This::Stays,
                after,
            });
        } else {
            let pairs = pair(&entries, wanted);
            let last_used = pairs.iter().rposition(Option::is_some);
            let used = pairs.iter().flatten().count();
            for (number, (entry, value)) in entries.iter().zip(&pairs).enumerate() {
                let this = match value {
                    None => This::Goes,
                    Some(value) if says(entry, keyword, value) => This::Stays,
                    Some(value) => {
                        let wanted = Wanted {
                            keyword,
                            first: option.as_bytes(),
                            second: value,
                        };
                        This::Becomes(line::rewrite(self.text_at(entry.at), wanted, &style))
                    }
                };
                let mut after = Vec::new();
                if Some(number) == last_used {
                    after = wanted.iter().skip(used).map(fresh).collect();
                }
                changes.push(Change {
                    at: entry.at,
                    this,
                    after,
                });
            }
        }
        self.apply(changes)?;
        self.read_again(owner);
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), EditError> {
    if valid_name(name) {
        Ok(())
    } else {
        Err(EditError::BadName {
            name: name.to_string(),
        })
    }
}

fn check_kind(kind: &str) -> Result<(), EditError> {
    if valid_kind(kind) {
        Ok(())
    } else {
        Err(EditError::BadKind {
            kind: kind.to_string(),
        })
    }
}

fn check_value(option: &str, value: &str) -> Result<(), EditError> {
    check_name(option)?;
    if valid_value(value) {
        Ok(())
    } else {
        Err(EditError::BadValue {
            option: option.to_string(),
        })
    }
}

fn says(entry: &Entry, keyword: Keyword, value: &[u8]) -> bool {
    entry.line.keyword == keyword && entry.line.second == value
}

/// Which line says which value: for each line one of `wanted`, in order and from its
/// beginning, or nothing where the line goes. Values left over need new lines.
fn pair<'w>(entries: &[Entry], wanted: &'w [Vec<u8>]) -> Vec<Option<&'w Vec<u8>>> {
    let mut pairs = vec![None; entries.len()];
    let mut live = live(entries);
    if live.is_empty() {
        // Only lines without effect (`option name ''`): the last one may serve.
        live.extend(entries.len().checked_sub(1));
    }
    let same = |(&line, value): (&usize, &Vec<u8>)| {
        entries
            .get(line)
            .is_some_and(|entry| entry.line.second == *value)
    };
    // Where lines go, those that can stay as they are do.
    let surplus = live.len().saturating_sub(wanted.len());
    let kept = live
        .iter()
        .zip(wanted)
        .take_while(|&(l, w)| same((l, w)))
        .count();
    let behind = live.iter().rev().zip(wanted.iter().rev());
    let kept_behind = behind
        .take(wanted.len() - kept)
        .take_while(|&(l, w)| same((l, w)))
        .count();
    if surplus > 0 {
        let from = wanted.len() - kept_behind;
        live.drain(from..from + surplus);
    }
    for (line, value) in live.into_iter().zip(wanted) {
        if let Some(pair) = pairs.get_mut(line) {
            *pair = Some(value);
        }
    }
    pairs
}

/// The lines that make up the value: an `option` line overrides those before it, and an
/// empty one is nothing.
pub(super) fn live(entries: &[Entry]) -> Vec<usize> {
    let mut live = Vec::new();
    for (number, Entry { line, .. }) in entries.iter().enumerate() {
        if line.keyword == Keyword::Option {
            if line.second.is_empty() {
                continue;
            }
            live.clear();
        }
        live.push(number);
    }
    live
}
