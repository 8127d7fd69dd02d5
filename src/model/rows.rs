//! The rows of tables: which there are, and how they are numbered.
//!
//! Rows of a table are asked of its source once a request and kept in a cache of which every
//! change clears what it may concern; [`Model::begin`] leaves in it what the source can tell to
//! have stayed as it was ([`Source::rows_version`]). Finding a row by number or by key is a
//! binary search.

use super::binding::{Rows, SourceKind};
use super::schema::{ObjectId, Schema};
use super::source::{Source, Trouble};
use super::tree::{At, Model, Place, source_of};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows of a table as they were asked for last.
pub(super) struct Cached {
    /// The numbers of the rows around the table.
    numbers: Box<[u32]>,
    rows: Result<Arc<RowSet>, Trouble>,
    /// What the source said then stands for these rows.
    version: Option<u32>,
    /// The keys of the rows around the table: with others it is another table.
    around: Box<[String]>,
    /// The request in which they were last asked for, or found to be good.
    asked: u32,
}

impl Cached {
    /// What it counts for [`MAX_KEPT`].
    fn weight(&self) -> usize {
        1 + self.rows.as_ref().map_or(0, |rows| rows.rows.len())
    }
}

/// Tables and rows that outlast a request at most: what a large table costs to be asked for
/// is little beside its values, and an idle agent is to be small.
const MAX_KEPT: usize = 1024;

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct RowSet {
    /// Number and key, by number.
    pub rows: Box<[(u32, String)]>,
    /// Places in `rows`, in the order of [`by_length`].
    by_key: Box<[u32]>,
}

impl RowSet {
    #[expect(clippy::indexing_slicing, reason = "`by_key` holds places in `rows`")]
    fn new(mut rows: Vec<(u32, String)>) -> RowSet {
        rows.sort_unstable_by_key(|row| row.0);
        // Bounded by Limits::rows.
        let mut by_key: Vec<u32> = (0..rows.len() as u32).collect();
        by_key.sort_by(|a, b| by_length(&rows[*a as usize].1, &rows[*b as usize].1));
        // They may be kept for long.
        RowSet {
            rows: rows.into_boxed_slice(),
            by_key: by_key.into_boxed_slice(),
        }
    }

    pub fn key_of(&self, number: u32) -> Option<&str> {
        let at = self.rows.binary_search_by_key(&number, |row| row.0).ok()?;
        self.rows.get(at).map(|row| row.1.as_str())
    }

    #[expect(clippy::indexing_slicing, reason = "`by_key` holds places in `rows`")]
    pub fn number_of(&self, key: &str) -> Option<u32> {
        let at = self
            .by_key
            .binary_search_by(|i| by_length(&self.rows[*i as usize].1, key))
            .ok()?;
        Some(self.rows[self.by_key[at] as usize].0)
    }
}

/// An order of keys that mostly looks at their lengths only.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Model {
    /// Rows known so far may not be there any more: it must be asked whether they are, or,
    /// where their source can tell it, whether they stayed. More than an idle agent should
    /// keep is forgotten.
    pub(super) fn doubt_rows(&mut self) {
        self.request = self.request.wrapping_add(1);
        if self.kept > MAX_KEPT {
            self.forget_unknown();
        }
    }

    /// Forgets rows of which their source cannot tell whether they stayed, and of the others
    /// what is too much to keep.
    pub(super) fn forget_unknown(&mut self) {
        let mut kept = 0;
        for tables in &mut self.cache {
            tables.retain(|cached| {
                if cached.version.is_some() {
                    kept += cached.weight();
                }
                cached.version.is_some() && kept <= MAX_KEPT
            });
            tables.shrink_to_fit();
        }
        let cached = self.cache.iter().flatten();
        self.kept = cached.map(Cached::weight).sum();
    }

    /// Sections of these packages may have other names or numbers now. What other tables
    /// show stands as long as their sources say so.
    pub(super) fn forget_rows_of(&mut self, packages: &BTreeSet<String>) {
        let schema = &self.schema;
        for (object, tables) in self.cache.iter_mut().enumerate() {
            let table = schema.table_at(object);
            let is_stale = match table.map(|table| &table.rows) {
                Some(Rows::Uci(at)) => at.within.is_some() || packages.contains(&*at.package),
                Some(Rows::Items(at)) => packages.contains(&*at.package),
                _ => false,
            };
            if is_stale {
                *tables = Vec::new();
            }
        }
        let cached = self.cache.iter().flatten();
        self.kept = cached.map(Cached::weight).sum();
    }

    /// Nothing is known of any table.
    pub(super) fn forget_rows(&mut self) {
        self.cache.clear();
        self.kept = 0;
    }

    /// The rows of a table, asked once a request.
    pub(super) fn rows_of(&mut self, table: &Place) -> Result<Arc<RowSet>, Trouble> {
        self.rows_at(&table.at())
    }

    /// See [`rows_of`](Model::rows_of).
    pub(super) fn rows_at(&mut self, table: &At<'_>) -> Result<Arc<RowSet>, Trouble> {
        match self.known_rows(table.object, table) {
            Some(rows) => rows,
            None => self.ask_rows_anew(table),
        }
    }

    /// The rows of a table among these rows, where they are known and known to have stayed.
    pub(super) fn known_rows(
        &mut self,
        table: ObjectId,
        around: &At<'_>,
    ) -> Option<Result<Arc<RowSet>, Trouble>> {
        let place = |known: &Cached| (*known.numbers).cmp(around.numbers);
        let tables = self.cache.get_mut(table.index())?;
        let at = match &**tables {
            // Most tables are below no row.
            [only] if place(only) == Ordering::Equal => 0,
            tables => tables.binary_search_by(place).ok()?,
        };
        let known = tables.get_mut(at)?;
        if known.asked != self.request {
            // What only asking tells is not asked for its version before.
            let stood = known.version?;
            let version = version_of(&self.schema, &mut self.sources, table)?;
            if version != stood || *known.around != *around.keys {
                return None;
            }
            known.asked = self.request;
        }
        Some(known.rows.clone())
    }

    /// Asks for the rows of a table that are not known, or not known to have stayed.
    #[inline(never)]
    pub(super) fn ask_rows_anew(&mut self, table: &At<'_>) -> Result<Arc<RowSet>, Trouble> {
        let mut version = version_of(&self.schema, &mut self.sources, table.object);
        let rows = self.ask_rows(table);
        match &rows {
            // A table cut short has noted that itself, and does so in every request.
            Ok(rows) if rows.rows.len() >= self.limits.rows => version = None,
            Ok(_) => self.troubles.over(table.path),
            Err(trouble) => {
                version = None;
                self.troubles.note(table.path, trouble);
            }
        }
        let around = match version {
            Some(_) => table.keys.to_vec().into(),
            None => Box::default(),
        };
        let cached = Cached {
            numbers: table.numbers.into(),
            rows: rows.clone(),
            version,
            around,
            asked: self.request,
        };
        self.kept += cached.weight();
        let object = table.object.index();
        if self.cache.len() <= object {
            self.cache
                .resize_with(self.schema.objects().count(), Vec::new);
        }
        let Some(tables) = self.cache.get_mut(object) else {
            return rows;
        };
        match tables.binary_search_by(|known| (*known.numbers).cmp(table.numbers)) {
            Ok(at) => {
                if let Some(known) = tables.get_mut(at) {
                    self.kept = self.kept.saturating_sub(known.weight());
                    *known = cached;
                }
            }
            Err(at) => {
                if tables.is_empty() {
                    // Most tables are below no row.
                    tables.reserve_exact(1);
                }
                tables.insert(at, cached);
            }
        }
        rows
    }

    fn ask_rows(&mut self, place: &At<'_>) -> Result<Arc<RowSet>, Trouble> {
        let schema = Arc::clone(&self.schema);
        let Some(table) = &schema.object(place.object).table else {
            return Ok(Arc::default());
        };
        let source = self.source(table.rows.source())?;
        let mut rows = source.rows(&table.rows, place.keys)?;
        if rows.len() > self.limits.rows {
            rows.truncate(self.limits.rows);
            let trouble = Trouble {
                source: format!("table {}", place.path),
                what: format!("more than {} rows; the rest is left out", self.limits.rows),
            };
            self.troubles.note(place.path, &trouble);
        }
        let numbered: Vec<(u32, String)> = if table.by_key {
            let number = |key: &str| key.parse::<u32>().ok().filter(|n| *n > 0);
            rows.into_iter()
                .filter_map(|row| Some((number(&row.key)?, row.key)))
                .collect()
        } else {
            let numbers = self.numbers.assign(place.path, &rows);
            let pairs = rows.into_iter().zip(numbers);
            pairs.filter_map(|(row, n)| Some((n?, row.key))).collect()
        };
        Ok(Arc::new(RowSet::new(numbered)))
    }
}

/// What stands for a table's rows at its source.
fn version_of(
    schema: &Schema,
    sources: &mut [(SourceKind, Box<dyn Source>)],
    table: ObjectId,
) -> Option<u32> {
    let rows = &schema.object(table).table.as_ref()?.rows;
    source_of(sources, rows.source())?.rows_version(rows)
}
