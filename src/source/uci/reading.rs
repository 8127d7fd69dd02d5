//! Reading values: which package, which section, which option, and what the option says.
//!
//! A model's neighbours mostly live in one section: it is looked up once for them.

use super::draft::{Content, Draft};
use super::view::{self, View};
use super::{Cached, UciSource, servers, shape, trouble};
use crate::model::binding::{Binding, Text, UciAt, brace_at, expand};
use crate::model::source::{Ask, Said, Trouble};
use crate::uci::Value;
use std::borrow::Cow;

/// The section that the last value was read from, good until anything changes.
pub(super) struct LastSection {
    package: Text,
    /// As the binding has it. A schema has one copy of each text, so that it takes no look at
    /// the text to see that it is the same.
    reference: Text,
    made_of: MadeOf,
    /// The keys of the rows, where any of them are part of it.
    rows: Vec<String>,
    /// `None`: there is no such section.
    index: Option<usize>,
    /// The package's place in the cache.
    cached: usize,
}

/// What a reference to a section changes with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MadeOf {
    Nothing,
    /// It is the key of the innermost row.
    Row,
    Rows,
}

impl MadeOf {
    fn of(reference: &str) -> MadeOf {
        match reference {
            "{row}" => MadeOf::Row,
            _ if reference.contains('{') => MadeOf::Rows,
            _ => MadeOf::Nothing,
        }
    }
}

impl LastSection {
    /// The places of the section and of its package in the cache.
    fn place(&self) -> Option<(usize, usize)> {
        Some((self.index?, self.cached))
    }

    /// Whether this is the section of another value, too.
    #[inline]
    fn is_of(&self, at: &UciAt, rows: &[String]) -> bool {
        Text::ptr_eq(&self.reference, &at.section)
            && Text::ptr_eq(&self.package, &at.package)
            && match self.made_of {
                MadeOf::Nothing => true,
                MadeOf::Row => rows.last() == self.rows.last(),
                MadeOf::Rows => *rows == *self.rows,
            }
    }
}

impl UciSource {
    /// One value; `Ok(None)` where it is bound elsewhere.
    pub(super) fn said<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        let Binding::Uci(at) = ask.binding else {
            return Ok(None);
        };
        let view = match &at.codec {
            None => None,
            Some(codec) if servers::is_server(codec) => {
                return self.server_value(codec, ask.rows);
            }
            Some(codec) => match view::of(codec) {
                None => return Ok(self.coded(at, codec, ask.rows)?.map(Said::from)),
                view => view,
            },
        };
        let Some((index, cached)) = self.section_of(at, ask.rows)? else {
            return Ok(None);
        };
        let draft = match self.drafts.is_empty() {
            true => None,
            false => self.drafts.get(&*at.package),
        };
        let content = match (draft, self.cache.get(cached).map(|(_, c)| &c.content)) {
            (Some(draft), _) => &draft.content,
            (None, Some(Ok(content))) => content,
            // `section_of` just found it good.
            (None, _) => return Err(trouble(&at.package, "not read")),
        };
        Ok(value(content, draft, at, view, ask.rows, index))
    }

    /// A package's place in the cache, where it is as its file is now.
    fn place_of(&mut self, package: &Text) -> Result<usize, Trouble> {
        if let Some(last) = &self.last
            && Text::ptr_eq(&last.package, package)
        {
            return Ok(last.cached);
        }
        let is_it = |(name, cached): &(String, Cached)| cached.checked && *name == **package;
        if let Some(place) = self.cache.iter().position(is_it) {
            return Ok(place);
        }
        self.content(package)?;
        let place = self.cache.iter().position(|(name, _)| *name == **package);
        place.ok_or_else(|| trouble(package, "not read"))
    }

    /// The places of a value's section and of its package in the cache.
    #[inline(always)]
    pub(super) fn section_of(
        &mut self,
        at: &UciAt,
        rows: &[String],
    ) -> Result<Option<(usize, usize)>, Trouble> {
        let known = self.last.as_ref().filter(|last| last.is_of(at, rows));
        match known {
            // Nearly always.
            Some(last) => Ok(last.place()),
            None => self.find_section(at, rows),
        }
    }

    fn find_section(
        &mut self,
        at: &UciAt,
        rows: &[String],
    ) -> Result<Option<(usize, usize)>, Trouble> {
        let section = expand(&at.section, rows);
        let cached = self.place_of(&at.package)?;
        let content = match self.drafts.is_empty() {
            true => self.cache.get(cached).map(|(_, c)| &c.content),
            false => None,
        };
        let index = match content {
            Some(Ok(content)) => content.find(&section),
            _ => self.content(&at.package)?.find(&section),
        };
        let made_of = MadeOf::of(&at.section);
        let mut around = self.last.take().map(|last| last.rows).unwrap_or_default();
        match (made_of, rows.last()) {
            (MadeOf::Nothing, _) => {}
            // Into the room that the keys before took.
            (MadeOf::Row, Some(row)) if around.len() == 1 => {
                around.iter_mut().for_each(|last| last.clone_from(row));
            }
            (MadeOf::Row, row) => around = row.cloned().into_iter().collect(),
            (MadeOf::Rows, _) => rows.clone_into(&mut around),
        }
        self.last = Some(LastSection {
            package: Text::clone(&at.package),
            reference: Text::clone(&at.section),
            made_of,
            rows: around,
            index,
            cached,
        });
        Ok(index.map(|index| (index, cached)))
    }
}

/// What a section says of one value.
fn value<'a>(
    content: &'a Content,
    draft: Option<&'a Draft>,
    at: &UciAt,
    view: Option<&View>,
    rows: &[String],
    index: usize,
) -> Option<Said<'a>> {
    let text = |text: &'a str| Said::Text(text.into());
    let section = content.package.sections().get(index)?;
    if let Some(view) = view {
        return view.read(section).map(|shown| Said::Text(shown.into()));
    }
    let mut option = Cow::Borrowed(&*at.option);
    let mut value = section.get(&option);
    // What is there needs no look: no option has a brace in its name.
    if value.is_none() && brace_at(&option).is_some() {
        option = expand(&at.option, rows);
        value = section.get(&option);
    }
    let value = value.or_else(|| section.get(&expand(at.or()?, rows)));
    let first = || value.and_then(|v| v.items().first());
    if let Some(part) = at.part() {
        return first().and_then(|first| shape::part(first, part)).map(text);
    }
    if let Some(through) = at.through() {
        let named = first()?;
        return shape::through(&content.package, through, named).map(text);
    }
    if let Some(n) = at.item {
        let n = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
        let key = content.keys.get(index).map_or("", String::as_str);
        return match draft.and_then(|d| d.item(key, &option, n)) {
            Some(staged) => staged.map(text),
            None => value.and_then(|v| v.items().get(n)).map(|item| text(item)),
        };
    }
    Some(match value? {
        Value::One(all) if at.words => {
            let words: Vec<String> = all.split_whitespace().map(str::to_owned).collect();
            Said::List(words.into())
        }
        Value::One(all) => text(all),
        Value::List(items) => Said::List(items.into()),
    })
}
