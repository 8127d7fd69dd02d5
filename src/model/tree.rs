//! The instantiated tree: resolving paths, the rows of tables.
//!
//! Rows of a table are asked of its source once a request and kept in a cache of which every
//! change clears what it may concern; [`Model::begin`] leaves in it what the source can tell to
//! have stayed as it was ([`Source::rows_version`]). Finding a row by number or by key is a
//! binary search.

use super::api::{Fault, INTERNAL_ERROR, INVALID_NAME, Limits, RESOURCES_EXCEEDED};
use super::attributes::{self, Attributes};
use super::binding::{Rows, SourceKind};
use super::instances::{self, Numbers};
use super::path::{Path, Segment};
use super::schema::{ObjectId, ParamId, Schema};
use super::source::{Journal, Source, Trouble};
use super::transaction::{KEY_FILE, load_key};
use super::troubles::Troubles;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The model of one CPE: schema, sources and what the agent itself keeps (instance
/// numbers, aliases, attributes, ParameterKey).
///
/// One request at a time; call [`begin`](Model::begin) first.
pub struct Model {
    pub(super) schema: Arc<Schema>,
    pub(super) sources: Vec<(SourceKind, Box<dyn Source>)>,
    pub(super) journal: Box<dyn Journal>,
    pub(super) limits: Limits,
    pub(super) numbers: Numbers,
    pub(super) attributes: Attributes,
    pub(super) key: String,
    pub(super) troubles: Troubles,
    /// Rows by table, in the order of the schema's objects; those of one object in order of
    /// the rows around the table.
    cache: Vec<Vec<Cached>>,
    /// Tables and rows in `cache`.
    kept: usize,
    /// Counts requests, and changes within them: see [`Cached::asked`].
    request: u32,
}

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
    /// Places in `rows`, by key.
    by_key: Box<[u32]>,
}

impl RowSet {
    #[expect(clippy::indexing_slicing, reason = "`by_key` holds places in `rows`")]
    fn new(mut rows: Vec<(u32, String)>) -> RowSet {
        rows.sort_unstable_by_key(|row| row.0);
        // Bounded by Limits::rows.
        let mut by_key: Vec<u32> = (0..rows.len() as u32).collect();
        by_key.sort_by(|a, b| rows[*a as usize].1.cmp(&rows[*b as usize].1));
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
            .binary_search_by(|i| self.rows[*i as usize].1.as_str().cmp(key))
            .ok()?;
        Some(self.rows[self.by_key[at] as usize].0)
    }
}

/// An object that exists: a single object, a table or a row of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub object: ObjectId,
    /// With instance numbers and a dot at the end.
    pub path: String,
    /// Of the rows around it and of the row itself, outermost first; shared with what
    /// is below.
    pub keys: Rc<[String]>,
    pub numbers: Rc<[u32]>,
    /// The table itself, not a row of it.
    pub is_table: bool,
}

impl Place {
    /// A row of this table.
    pub fn row(&self, number: u32, key: &str) -> Place {
        // Ten digits and a dot.
        let mut path = String::with_capacity(self.path.len() + 11);
        path.push_str(&self.path);
        push_row(&mut path, number);
        Place {
            object: self.object,
            path,
            keys: self.keys.iter().cloned().chain([key.to_owned()]).collect(),
            numbers: self.numbers.iter().copied().chain([number]).collect(),
            is_table: false,
        }
    }

    /// The table that this row is in, whose path is `path`.
    pub fn table(&self, path: &str) -> Place {
        fn around<T: Clone>(all: &[T]) -> Rc<[T]> {
            all.split_last()
                .map_or(&[][..], |(_, around)| around)
                .into()
        }
        Place {
            object: self.object,
            path: path.to_owned(),
            keys: around(&self.keys),
            numbers: around(&self.numbers),
            is_table: true,
        }
    }

    /// The table's path and the number of this row.
    pub fn split_row(&self) -> Option<(&str, u32)> {
        self.at().split_row()
    }

    pub fn at(&self) -> At<'_> {
        At {
            object: self.object,
            path: &self.path,
            keys: &self.keys,
            numbers: &self.numbers,
        }
    }
}

/// The same, borrowed from whoever is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub object: ObjectId,
    pub path: &'a str,
    pub keys: &'a [String],
    pub numbers: &'a [u32],
}

impl<'a> At<'a> {
    /// The table's path and the number of this row.
    pub fn split_row(&self) -> Option<(&'a str, u32)> {
        let inner = self.path.strip_suffix('.')?;
        let at = inner.rfind('.')?;
        Some((&inner[..=at], *self.numbers.last()?))
    }
}

/// What a path names.
#[derive(Debug)]
pub(super) enum Target {
    Object(Place),
    Param(Place, ParamId),
}

/// A parameter that exists.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub place: Rc<Place>,
    pub param: ParamId,
}

/// What the agent itself keeps.
struct Kept {
    numbers: Numbers,
    attributes: Attributes,
    key: String,
}

impl Kept {
    fn load(journal: &mut dyn Journal) -> Kept {
        Kept {
            numbers: loaded(journal, instances::FILE, Numbers::load),
            attributes: loaded(journal, attributes::FILE, Attributes::load),
            key: loaded(journal, KEY_FILE, load_key),
        }
    }
}

/// What a state file holds; one that is not understood is set aside and counts as absent.
fn loaded<T: Default>(
    journal: &mut dyn Journal,
    file: &str,
    read: impl Fn(&[u8]) -> Option<T>,
) -> T {
    let Some(bytes) = journal.load(file) else {
        return T::default();
    };
    read(&bytes).unwrap_or_else(|| {
        journal.set_aside(file, "its content is not understood");
        T::default()
    })
}

impl Model {
    /// Lays the schema over the sources, one for each kind; state is loaded through the
    /// journal. A binding whose kind has no source is in trouble when it is asked for.
    pub fn new(
        schema: impl Into<Arc<Schema>>,
        sources: Vec<(SourceKind, Box<dyn Source>)>,
        mut journal: Box<dyn Journal>,
        limits: Limits,
    ) -> Model {
        let Kept {
            numbers,
            attributes,
            key,
        } = Kept::load(&mut *journal);
        Model {
            schema: schema.into(),
            sources,
            journal,
            limits,
            numbers,
            attributes,
            key,
            troubles: Troubles::default(),
            cache: Vec::new(),
            kept: 0,
            request: 0,
        }
    }

    /// A new request begins: volatile things read before are stale, and the request's
    /// deadline starts anew.
    pub fn begin(&mut self) {
        if self.journal.settle() {
            self.load_again();
        }
        self.doubt_rows();
        for (_, source) in &mut self.sources {
            source.begin();
        }
    }

    /// The state files may hold something else than when they were loaded.
    pub(super) fn load_again(&mut self) {
        let kept = Kept::load(&mut *self.journal);
        self.numbers = kept.numbers;
        self.attributes = kept.attributes;
        self.key = kept.key;
        self.forget_rows();
    }

    /// Rows known so far may not be there any more: it must be asked whether they are, or,
    /// where their source can tell it, whether they stayed. More than an idle agent should
    /// keep is forgotten.
    pub(super) fn doubt_rows(&mut self) {
        self.request = self.request.wrapping_add(1);
        if self.kept > MAX_KEPT {
            self.forget_unknown();
        }
    }

    /// Nothing is asked for a while: what the next request must ask for anew is forgotten
    /// now, because an idle agent is to be small.
    pub fn rest(&mut self) {
        self.doubt_rows();
        self.forget_unknown();
        for (_, source) in &mut self.sources {
            source.rest();
        }
    }

    /// Forgets rows of which their source cannot tell whether they stayed, and of the others
    /// what is too much to keep.
    fn forget_unknown(&mut self) {
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

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// ManagementServer.ParameterKey.
    pub fn parameter_key(&self) -> &str {
        &self.key
    }

    /// Sources in trouble at this moment, for `status`.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.troubles.list()
    }

    /// What all paths name; the first that names nothing is the fault.
    pub(super) fn targets(&mut self, paths: &[&str]) -> Result<Vec<Target>, Fault> {
        if paths.len() > self.limits.items {
            return Err(Fault::new(
                RESOURCES_EXCEEDED,
                format!("more than {} names in one request", self.limits.items),
            ));
        }
        paths.iter().map(|path| self.target(path)).collect()
    }

    /// What one path names; the fault begins with the path.
    pub(super) fn target(&mut self, path: &str) -> Result<Target, Fault> {
        let target = parse(path).and_then(|parsed| self.resolve(&parsed));
        target.map_err(|fault| fault.about(path))
    }

    /// Every instance of a parameter.
    pub(super) fn leaves_of(&mut self, param: ParamId) -> Vec<Leaf> {
        let schema = Arc::clone(&self.schema);
        let line = schema.line_of(schema.param(param).object);
        let mut places = vec![self.root()];
        for object in line.iter().skip(1) {
            let mut next = Vec::new();
            for place in places {
                let child = child_place(&schema, &place, *object);
                if !child.is_table {
                    next.push(child);
                } else if let Ok(rows) = self.rows_of(&child) {
                    next.extend(rows.rows.iter().map(|(n, key)| child.row(*n, key)));
                }
            }
            places = next;
        }
        places
            .into_iter()
            .map(|place| Leaf {
                place: Rc::new(place),
                param,
            })
            .collect()
    }

    pub(super) fn root(&self) -> Place {
        let object = self.schema.root();
        Place {
            object,
            path: [&*self.schema.object(object).name, "."].concat(),
            keys: Rc::from([]),
            numbers: Rc::from([]),
            is_table: false,
        }
    }

    /// What a path names, or the fault 9005 (9002 where a table on the way is in trouble),
    /// whose text leaves it to the caller to name the path.
    pub(super) fn resolve(&mut self, path: &Path<'_>) -> Result<Target, Fault> {
        let schema = Arc::clone(&self.schema);
        let unknown = |what: &str| Fault::new(INVALID_NAME, what);
        let mut place = self.root();
        let Some((first, rest)) = path.segments().split_first() else {
            return Ok(Target::Object(place));
        };
        if *first != Segment::Name(&schema.object(place.object).name) {
            return Err(unknown("there is no such root; paths begin with Device."));
        }
        for (i, segment) in rest.iter().enumerate() {
            let last = i + 1 == rest.len();
            place = match *segment {
                Segment::Number(number) if place.is_table => {
                    let rows = self
                        .rows_of(&place)
                        .map_err(|t| Fault::new(INTERNAL_ERROR, t.to_string()))?;
                    let key = rows
                        .key_of(number)
                        .ok_or_else(|| unknown("there is no such instance"))?;
                    place.row(number, key)
                }
                Segment::Name(name) if !place.is_table => {
                    if last
                        && !path.is_partial()
                        && let Some(param) = schema.param_named(place.object, name)
                    {
                        return Ok(Target::Param(place, param));
                    }
                    let child = schema
                        .child_named(place.object, name)
                        .ok_or_else(|| unknown("there is no such name"))?;
                    child_place(&schema, &place, child)
                }
                Segment::Number(_) => return Err(unknown("an instance number after no table")),
                Segment::Name(_) => return Err(unknown("an instance number must follow a table")),
            };
        }
        if path.is_partial() {
            Ok(Target::Object(place))
        } else {
            Err(unknown("this is an object; write a dot at the end"))
        }
    }

    /// The rows of a table, asked once a request.
    pub(super) fn rows_of(&mut self, table: &Place) -> Result<Arc<RowSet>, Trouble> {
        self.rows_at(table.at())
    }

    /// See [`rows_of`](Model::rows_of).
    pub(super) fn rows_at(&mut self, table: At<'_>) -> Result<Arc<RowSet>, Trouble> {
        let place = |known: &Cached| (*known.numbers).cmp(table.numbers);
        let tables = self.cache.get_mut(table.object.index());
        let known = tables.and_then(|tables| {
            let at = match &**tables {
                // Most tables are below no row.
                [only] if place(only) == Ordering::Equal => 0,
                tables => tables.binary_search_by(place).ok()?,
            };
            tables.get_mut(at)
        });
        if let Some(known) = known {
            if known.asked == self.request {
                return known.rows.clone();
            }
            // What only asking tells is not asked for its version before.
            if let Some(stood) = known.version {
                let version = version_of(&self.schema, &mut self.sources, table.object);
                if version == Some(stood) && *known.around == *table.keys {
                    known.asked = self.request;
                    return known.rows.clone();
                }
            }
        }
        self.ask_rows_anew(table)
    }

    /// Asks for the rows of a table that are not known, or not known to have stayed.
    #[inline(never)]
    fn ask_rows_anew(&mut self, table: At<'_>) -> Result<Arc<RowSet>, Trouble> {
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

    fn ask_rows(&mut self, place: At<'_>) -> Result<Arc<RowSet>, Trouble> {
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

    pub(super) fn source(&mut self, kind: SourceKind) -> Result<&mut dyn Source, Trouble> {
        source_of(&mut self.sources, kind).ok_or_else(|| no_source(kind))
    }
}

fn source_of(
    sources: &mut [(SourceKind, Box<dyn Source>)],
    kind: SourceKind,
) -> Option<&mut dyn Source> {
    // Where there is one of each, they stand in this order.
    let usual = kind as usize;
    let at = match sources.get(usual) {
        Some((k, _)) if *k == kind => usual,
        _ => sources.iter().position(|(k, _)| *k == kind)?,
    };
    Some(sources.get_mut(at)?.1.as_mut())
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

#[cold]
fn no_source(kind: SourceKind) -> Trouble {
    Trouble {
        source: format!("{kind:?}").to_lowercase(),
        what: "this program has no source of this kind".to_owned(),
    }
}

/// The alias of a row that was given none.
pub(super) fn default_alias(number: u32) -> String {
    // Ten digits at most.
    let mut alias = String::with_capacity(14);
    push_default_alias(&mut alias, number);
    alias
}

/// See [`default_alias`].
pub(super) fn push_default_alias(text: &mut String, number: u32) {
    text.push_str("cpe-");
    push_number(text, number);
}

/// What the path of a row has more than that of its table.
pub(super) fn push_row(path: &mut String, number: u32) {
    push_number(path, number);
    path.push('.');
}

/// Appends a number: every row's path ends in one, so that the formatter would be most of
/// what a path costs.
pub(super) fn push_number(text: &mut String, number: u32) {
    const DIGITS: &str = "0123456789";
    let at = number as usize;
    if let Some(digit) = DIGITS.get(at..at.saturating_add(1)) {
        text.push_str(digit);
        return;
    }
    let mut unit = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        // One digit.
        text.push(char::from(b'0' + (number / unit % 10) as u8));
        unit /= 10;
    }
}

/// A child object of a single object or a row.
pub(super) fn child_place(schema: &Schema, place: &Place, child: ObjectId) -> Place {
    let object = schema.object(child);
    let mut path = String::with_capacity(place.path.len() + object.name.len() + 1);
    path.push_str(&place.path);
    path.push_str(&object.name);
    path.push('.');
    Place {
        object: child,
        path,
        keys: Rc::clone(&place.keys),
        numbers: Rc::clone(&place.numbers),
        is_table: object.table.is_some(),
    }
}

/// Parses a path; what is no path is fault 9005, whose text leaves it to the caller to name
/// the path.
pub(super) fn parse(text: &str) -> Result<Path<'_>, Fault> {
    Path::parse(text).map_err(|e| Fault::new(INVALID_NAME, e.to_string()))
}

/// The fault of a source in trouble.
pub(super) fn internal(path: &str, trouble: &Trouble) -> Fault {
    Fault::new(INTERNAL_ERROR, format!("{path}: {trouble}"))
}

#[cfg(test)]
mod tests {
    use super::push_number;

    #[test]
    fn numbers_are_written_as_the_formatter_writes_them() {
        for number in [
            0,
            1,
            9,
            10,
            11,
            99,
            100,
            101,
            65_536,
            999_999_999,
            u32::MAX - 1,
            u32::MAX,
        ] {
            let mut text = "x".to_owned();
            push_number(&mut text, number);
            assert_eq!(text, format!("x{number}"));
        }
    }
}
