//! The instantiated tree: what exists, and what a path names.

use super::api::{Fault, INTERNAL_ERROR, INVALID_NAME, Limits, RESOURCES_EXCEEDED};
use super::attributes::{self, Attributes};
use super::binding::SourceKind;
use super::instances::{self, Numbers};
use super::path::{Path, Segment};
use super::rows::Cached;
use super::schema::{ObjectId, ParamId, Schema};
use super::source::{Journal, Source, Trouble};
use super::transaction::{KEY_FILE, load_key};
use super::troubles::Troubles;
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
    pub(super) cache: Vec<Vec<Cached>>,
    /// Tables and rows in `cache`.
    pub(super) kept: usize,
    /// Counts requests, and changes within them.
    pub(super) request: u32,
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

    /// Nothing is asked for a while: what the next request must ask for anew is forgotten
    /// now, because an idle agent is to be small.
    pub fn rest(&mut self) {
        self.doubt_rows();
        self.forget_unknown();
        for (_, source) in &mut self.sources {
            source.rest();
        }
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
        let object = schema.param(param).object;
        if schema.object(object).depth == 0 {
            let place = Place {
                object,
                path: schema.path_of(object),
                keys: Rc::from([]),
                numbers: Rc::from([]),
                is_table: false,
            };
            let place = Rc::new(place);
            return vec![Leaf { place, param }];
        }
        let line = schema.line_of(object);
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

    pub(super) fn source(&mut self, kind: SourceKind) -> Result<&mut dyn Source, Trouble> {
        source_of(&mut self.sources, kind).ok_or_else(|| no_source(kind))
    }
}

pub(super) fn source_of(
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
/// what a path costs. Most tables are small.
#[inline]
pub(super) fn push_number(text: &mut String, number: u32) {
    match number {
        0..10 => text.push(char::from(b'0' + number as u8)),
        _ => push_digits(text, number),
    }
}

#[inline(never)]
fn push_digits(text: &mut String, number: u32) {
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
