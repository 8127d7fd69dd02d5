//! Changes to a [`Package`]: what libuci's edit functions do, made to the lines of the
//! file instead of to a copy in memory.
//!
//! Every change of an option ends in [`Package::write_option`] (module `lines`). An edit
//! of an option costs as much as the lines of its section, whatever the size of the file
//! and of the list; beyond the new text it needs a few bytes for each line of the option.
//!
//! Comments and empty lines belong to nobody and stay, also those within a section that
//! is deleted; of two empty lines that would meet where a section was, one goes.

use super::line::{self, Style, Wanted};
use super::lines::Lines;
use super::package::{Package, Section, Value};
use super::table::{NOBODY, Piece, Place};
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
        let texts = [value.to_owned()];
        let texts = if value.is_empty() { &[][..] } else { &texts };
        let new = |_| (!value.is_empty()).then(|| Value::One(value.to_owned()));
        self.write_option(section, option, Keyword::Option, Lines::Say(texts), new)
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
        let new = |_| (!items.is_empty()).then(|| Value::List(items.to_vec()));
        self.write_option(section, option, Keyword::List, Lines::Say(items), new)
    }

    /// Appends an item to a list. A single value becomes the first item of a list; an
    /// option that is not there becomes a list of one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn add_list(&mut self, section: usize, option: &str, item: &str) -> Result<(), EditError> {
        check_value(option, item)?;
        self.section_at(section)?;
        let item = [item.to_owned()];
        let new = |old| {
            let mut items = match old {
                Some(Value::List(items)) => items,
                Some(Value::One(first)) => vec![first],
                None => Vec::new(),
            };
            items.extend_from_slice(&item);
            Some(Value::List(items))
        };
        self.write_option(section, option, Keyword::List, Lines::And(&item), new)
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
        let new = |old| match old {
            Some(Value::List(mut items)) => {
                items.retain(|known| known != item);
                (!items.is_empty()).then_some(Value::List(items))
            }
            other => other,
        };
        self.write_option(section, option, Keyword::List, Lines::Without(item), new)
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
        self.write_option(section, option, Keyword::Option, Lines::Say(&[]), |_| None)
    }

    /// Removes a section: every line of it in all its blocks. The indexes of the sections
    /// behind it become one less.
    ///
    /// # Errors
    /// [`EditError::NoSection`]; [`EditError::TooLarge`] where commands that shared a line
    /// with the section do not fit into the file on lines of their own.
    pub fn delete_section(&mut self, section: usize) -> Result<(), EditError> {
        let place = self.place(section)?;
        let lines: Vec<u32> = self.pieces.of(&place).map(|(at, _)| at).collect();
        let were = self.separate(&lines);
        let mut gone = Vec::new();
        // Of the empty lines around a run of removed lines one goes.
        let mut run_start = None;
        for (number, &at) in lines.iter().enumerate() {
            gone.push(at);
            let start = *run_start.get_or_insert(at);
            let after = self.pieces.after(at);
            if after.is_some() && lines.get(number + 1).copied() == after {
                continue;
            }
            run_start = None;
            if let Some(before) = self.pieces.before(start)
                && self.is_blank(before)
                && after.is_none_or(|after| self.is_blank(after))
            {
                gone.push(before);
            }
        }
        let length = |&at: &u32| self.pieces.get(at).map_or(0, Piece::len);
        let bytes = self.pieces.bytes() - gone.iter().map(length).sum::<usize>();
        if bytes > MAX_BYTES {
            self.unite(were);
            return Err(EditError::TooLarge { bytes });
        }
        for at in gone {
            self.pieces.remove(at);
        }
        self.forget_name(section);
        self.sections.remove(section);
        self.places.retain(|other| other.owner != place.owner);
        self.compact();
        Ok(())
    }

    /// Prepares the index of names for a section that goes.
    fn forget_name(&mut self, section: usize) {
        let name = self.sections.get(section).and_then(|s| s.name.clone());
        let at = name.as_deref().and_then(|name| self.name_at(name).ok());
        if let Some(at) = at
            && let Some(index) = self.by_name.get_mut(at)
            && *index as usize == section
        {
            // One that was given the same name is now the first.
            let mut others = self.sections.iter().skip(section + 1);
            match others.position(|s| s.name == name) {
                // There are no more than the first counted.
                Some(after) => *index += 1 + after as u32,
                None => drop(self.by_name.remove(at)),
            }
        }
        for index in &mut self.by_name {
            *index -= u32::from(*index as usize > section);
        }
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
        let owner = self.next_owner;
        if owner == NOBODY {
            return Err(EditError::NoSection { index });
        }
        let style = Style {
            indent: Vec::new(),
            line_end: self.line_end(),
        };
        let wanted = Wanted {
            keyword: Keyword::Config,
            first: kind.as_bytes(),
            second: name.unwrap_or_default().as_bytes(),
        };
        let mut plan = self.plan();
        let last = self.pieces.last();
        let closed = last.and_then(|at| Some((at, self.closed(at, None)?)));
        if let Some((at, text)) = &closed {
            self.plan_text(&mut plan, self.text_at(*at).len(), text);
        }
        let apart = last.is_some_and(|at| !self.is_blank(at));
        if apart {
            self.plan_text(&mut plan, 0, style.line_end);
        }
        self.plan_text(&mut plan, 0, &line::write(wanted, &style, None));
        self.fits(&plan)?;
        let mut texts = plan.into_texts();
        if let Some((at, _)) = closed
            && let Some((start, len)) = texts.next()
        {
            self.pieces.put(at, start, len);
        }
        if apart && let Some((start, len)) = texts.next() {
            self.pieces.push(Piece::new(start, len, NOBODY), None);
        }
        let mut place = Place::of(owner);
        if let Some((start, len)) = texts.next() {
            self.pieces
                .push(Piece::new(start, len, owner), Some(&mut place));
        }
        self.places.push(place);
        self.next_owner += 1;
        let name: Option<Arc<str>> = name.map(Into::into);
        if let Some(Err(at)) = name.as_deref().map(|name| self.name_at(name)) {
            // A file of bounded size has no more.
            self.by_name.insert(at, index as u32);
        }
        self.sections.push(Section {
            kind: kind.into(),
            name,
            options: Vec::new(),
        });
        self.compact();
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
            heads.insert(section, Head { kind, name });
        }
        self.rewrite_heads(&heads)
    }

    /// Changes the type of a section.
    ///
    /// # Errors
    /// As [`rename_section`](Self::rename_section).
    pub fn set_kind(&mut self, section: usize, kind: &str) -> Result<(), EditError> {
        check_kind(kind)?;
        let name = self.section_at(section)?.name.clone();
        let kind = kind.into();
        self.rewrite_heads(&HashMap::from([(section, Head { kind, name })]))
    }

    /// Makes the sections' lines say their new types and names.
    fn rewrite_heads(&mut self, heads: &HashMap<usize, Head>) -> Result<(), EditError> {
        let mut kinds: HashMap<&str, &str> = HashMap::new();
        for (index, section) in self.sections.iter().enumerate() {
            let (kind, name) = match heads.get(&index) {
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
        let mut lines: Vec<(u32, &Head)> = Vec::new();
        let mut buffer = Vec::new();
        for (&index, head) in heads {
            let place = self.place(index)?;
            for (at, piece) in self.pieces.of(&place) {
                let text = self.piece_text(piece);
                let keyword = line::glance(text, &mut buffer, |keyword, _, _| keyword);
                if keyword == Some(Keyword::Config) {
                    lines.push((at, head));
                }
            }
        }
        let shared: Vec<u32> = lines.iter().map(|(at, _)| *at).collect();
        let were = self.separate(&shared);
        let style = Style {
            indent: Vec::new(),
            line_end: self.line_end(),
        };
        let mut plan = self.plan();
        let mut changed = Vec::new();
        for (at, head) in lines {
            let wanted = Wanted {
                keyword: Keyword::Config,
                first: head.kind.as_bytes(),
                second: head.name.as_deref().unwrap_or_default().as_bytes(),
            };
            let says_so =
                |_, first: &[u8], second: &[u8]| first == wanted.first && second == wanted.second;
            let old = self.text_at(at);
            if line::glance(old, &mut buffer, says_so) != Some(true) {
                let (instead, text) = (old.len(), line::rewrite(old, wanted, &style));
                self.plan_text(&mut plan, instead, &text);
                changed.push(at);
            }
        }
        if let Err(error) = self.fits(&plan) {
            self.unite(were);
            return Err(error);
        }
        for (at, (start, len)) in changed.into_iter().zip(plan.into_texts()) {
            self.pieces.put(at, start, len);
        }
        for (&index, head) in heads {
            if let Some(section) = self.sections.get_mut(index) {
                section.kind = head.kind.clone();
                section.name = head.name.clone();
            }
        }
        self.index_names();
        self.compact();
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
