//! Values kept until the agent ends, and no longer: nothing is written anywhere.

use super::read_only;
use crate::model::binding::{Binding, Rows, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Said, Source, Trouble};
use std::collections::BTreeMap;

/// All values together, bytes; a router's memory is not an ACS's store.
const CAPACITY: usize = 256 * 1024;

/// Serves [`Binding::Memory`]. A value is known by the binding's text and the keys of
/// the rows around it. No `Debug`: values may be secrets.
#[derive(Default)]
pub struct MemorySource {
    kept: BTreeMap<Place, Raw>,
    /// `None`: staged to be taken away.
    staged: BTreeMap<Place, Option<Raw>>,
    /// Bytes of what is kept, and of what is staged.
    size: (usize, usize),
}

type Place = (String, Vec<String>);

impl Source for MemorySource {
    fn begin(&mut self) {}

    fn rows(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Vec<Row>, Trouble> {
        Ok(Vec::new())
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        let Some(place) = place(&ask) else {
            return Ok(None);
        };
        let raw = match self.staged.get(&place) {
            Some(staged) => staged.as_ref(),
            None => self.kept.get(&place),
        };
        Ok(raw.map(Said::from))
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        let Some(place) = place(&at) else {
            return Err(read_only("memory", "what is bound elsewhere"));
        };
        let of = |value: Option<&Option<Raw>>| {
            let raw = value.and_then(Option::as_ref);
            raw.map_or(0, |raw| weight(&place, raw))
        };
        let (kept, staged) = self.size;
        let new = of(Some(&value));
        let staged = staged - of(self.staged.get(&place)) + new;
        if new > 0 && kept + staged > CAPACITY {
            return Err(Refusal::Full(format!(
                "all values in memory exceed {CAPACITY} bytes"
            )));
        }
        self.size.1 = staged;
        self.staged.insert(place, value);
        Ok(())
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("memory", "tables"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("memory", "tables"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }

    fn finish(&mut self, committed: bool) {
        for (place, value) in std::mem::take(&mut self.staged) {
            match value {
                _ if !committed => {}
                Some(raw) => {
                    self.kept.insert(place, raw);
                }
                None => {
                    self.kept.remove(&place);
                }
            }
        }
        let kept = self.kept.iter();
        self.size = (kept.map(|(place, raw)| weight(place, raw)).sum(), 0);
    }
}

fn place(ask: &Ask<'_>) -> Option<Place> {
    match ask.binding {
        Binding::Memory(key) => Some((expand(key, ask.rows).into_owned(), ask.rows.to_vec())),
        _ => None,
    }
}

fn weight((key, rows): &Place, raw: &Raw) -> usize {
    let names: usize = rows.iter().map(String::len).sum();
    let value = match raw {
        Raw::Text(text) => text.len(),
        Raw::List(items) => items.iter().map(String::len).sum(),
    };
    key.len() + names + value
}
