//! Reading values: which package, which section, which option, and what the option says.
//!
//! A model's neighbours mostly live in one section: it is looked up once for them.

use super::draft::{Content, Draft};
use super::{UciSource, shape, trouble, view};
use crate::model::binding::{Binding, UciAt, expand};
use crate::model::source::{Ask, Said, Trouble};
use crate::uci::Value;

/// The section that the last value was read from, good until anything changes.
pub(super) struct LastSection {
    package: String,
    section: String,
    /// `None`: there is no such section.
    index: Option<usize>,
    /// The package's place in the cache.
    cached: usize,
}

impl UciSource {
    /// One value; `Ok(None)` where it is bound elsewhere.
    pub(super) fn said<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        let Binding::Uci(at) = ask.binding else {
            return Ok(None);
        };
        if let Some(codec) = &at.codec
            && !view::is_view(codec)
        {
            return Ok(self.coded(at, codec, ask.rows)?.map(Said::from));
        }
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
        Ok(value(content, draft, at, ask.rows, index))
    }

    /// The places of a value's section and of its package in the cache.
    pub(super) fn section_of(
        &mut self,
        at: &UciAt,
        rows: &[String],
    ) -> Result<Option<(usize, usize)>, Trouble> {
        let section = expand(&at.section, rows);
        if let Some(last) = &self.last
            && last.section == *section
            && *last.package == *at.package
        {
            return Ok(last.index.map(|index| (index, last.cached)));
        }
        let index = self.content(&at.package)?.find(&section);
        let cached = self
            .cache
            .iter()
            .position(|(name, _)| **name == *at.package);
        let cached = cached.ok_or_else(|| trouble(&at.package, "not read"))?;
        let last = self.last.get_or_insert_with(|| LastSection {
            package: String::new(),
            section: String::new(),
            index: None,
            cached: 0,
        });
        last.package.clear();
        last.package.push_str(&at.package);
        last.section.clear();
        last.section.push_str(&section);
        last.index = index;
        last.cached = cached;
        Ok(index.map(|index| (index, cached)))
    }
}

/// What a section says of one value.
fn value<'a>(
    content: &'a Content,
    draft: Option<&'a Draft>,
    at: &UciAt,
    rows: &[String],
    index: usize,
) -> Option<Said<'a>> {
    let text = |text: &'a str| Said::Text(text.into());
    let option = expand(&at.option, rows);
    let section = content.package.sections().get(index)?;
    if let Some(name) = &at.codec {
        return view::read(name, section).map(|shown| Said::Text(shown.into()));
    }
    let value = section
        .get(&option)
        .or_else(|| section.get(&expand(at.or()?, rows)));
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
