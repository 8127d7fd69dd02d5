//! Reading values: GetParameterValues, the parameters of an Inform, references and
//! aliases. Values are read in batches, one batch a source, a bounded number at a time.

use super::api::{Entry, EntryRef, Fault};
use super::binding::{Binding, SourceKind};
use super::convert::{self, Reading};
use super::schema::{ObjectId, ParamId, ParamSource, Schema};
use super::source::{Ask, Raw, Trouble};
use super::tree::{Leaf, Model, Place, RowSet, Target, child_place, default_alias, internal};
use super::walk::Walk;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

/// Leaves read from the sources at a time.
const CHUNK: usize = 256;

impl Model {
    /// GetParameterValues (TR-069 A.3.2.2), all at once.
    pub fn get(&mut self, paths: &[&str]) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        self.visit(paths, &mut |entry| {
            entries.push(Entry {
                path: entry.path.to_owned(),
                ty: entry.ty,
                value: entry.value.to_owned(),
            });
            Ok(())
        })?;
        Ok(entries)
    }

    /// GetParameterValues, entry by entry, without holding them all.
    ///
    /// All names are checked before the first entry is handed over (9005); a source in
    /// trouble behind an exact name is found on the way (9002): what was handed over
    /// before an error is to be thrown away. `visit` may stop with a fault of its own
    /// (9004 when its buffer is full).
    pub fn visit(
        &mut self,
        paths: &[&str],
        visit: &mut dyn FnMut(EntryRef<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let done = self.visit_all(paths, visit);
        self.save_numbers();
        done
    }

    fn visit_all(
        &mut self,
        paths: &[&str],
        visit: &mut dyn FnMut(EntryRef<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let targets = self.targets(paths)?;
        let mut leaves = Vec::new();
        for target in targets {
            match target {
                Target::Param(place, param) => {
                    leaves.push(Leaf {
                        place: Rc::new(place),
                        param,
                        exact: true,
                    });
                }
                Target::Object(place) => {
                    let schema = Arc::clone(&self.schema);
                    let mut walk = Walk::from(place);
                    while let Some(here) = self.step(&mut walk) {
                        let params = schema.params_of(here.object);
                        if here.is_table || params.len() == 0 {
                            continue;
                        }
                        let place = Rc::new(walk.place());
                        leaves.extend(params.map(|param| Leaf {
                            place: Rc::clone(&place),
                            param,
                            exact: false,
                        }));
                        if leaves.len() >= CHUNK {
                            self.flush(&mut leaves, visit)?;
                        }
                    }
                }
            }
            if leaves.len() >= CHUNK {
                self.flush(&mut leaves, visit)?;
            }
        }
        self.flush(&mut leaves, visit)
    }

    fn flush(
        &mut self,
        leaves: &mut Vec<Leaf>,
        visit: &mut dyn FnMut(EntryRef<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let schema = Arc::clone(&self.schema);
        let readings = self.read_shown(&schema, leaves);
        let mut path = String::with_capacity(super::path::MAX_PATH);
        for (leaf, reading) in leaves.iter().zip(readings) {
            path.clear();
            path.push_str(&leaf.place.path);
            path.push_str(&schema.param(leaf.param).name);
            match reading {
                Ok(reading) => visit(EntryRef {
                    path: &path,
                    ty: schema.facets(leaf.param).value_type(),
                    value: &reading.value,
                })?,
                Err(trouble) if leaf.exact => return Err(internal(&path, &trouble)),
                Err(_) => {}
            }
        }
        leaves.clear();
        Ok(())
    }

    /// The parameters every Inform carries (`inform = true`), with their values; one whose
    /// source is in trouble shows its default, because an Inform without it is refused.
    pub fn forced_inform(&mut self) -> Vec<Entry> {
        let schema = Arc::clone(&self.schema);
        let mut leaves = Vec::new();
        for param in schema.all_params().filter(|p| schema.param(*p).inform) {
            leaves.extend(self.leaves_of(param));
        }
        let readings = self.read_shown(&schema, &leaves);
        let entries = leaves.iter().zip(readings).map(|(leaf, reading)| {
            let param = schema.param(leaf.param);
            let facets = schema.facets(leaf.param);
            Entry {
                path: format!("{}{}", leaf.place.path, param.name),
                ty: facets.value_type(),
                value: match reading {
                    Ok(reading) => reading.value.into_owned(),
                    Err(_) => convert::absent(param, facets).to_owned(),
                },
            }
        });
        let entries = entries.collect();
        self.save_numbers();
        entries
    }

    /// Values as the ACS may see them: hidden ones empty.
    pub(super) fn read_shown<'s>(
        &mut self,
        schema: &'s Schema,
        leaves: &[Leaf],
    ) -> Vec<Result<Reading<'s>, Trouble>> {
        let readings = self.read_leaves(schema, leaves, false);
        for (leaf, reading) in leaves.iter().zip(&readings) {
            let subject = || format!("{}{}", leaf.place.path, schema.param(leaf.param).name);
            match reading {
                Ok(_) if self.troubles.is_empty() => {}
                Ok(_) => self.troubles.over(&subject()),
                Err(trouble) => self.troubles.note(&subject(), trouble),
            }
        }
        readings
    }

    /// Values for the model's own use, hidden ones as they are. A passphrase that is no
    /// key in hexadecimal is no trouble: nobody asked for it.
    pub(super) fn read_quietly<'s>(
        &mut self,
        schema: &'s Schema,
        leaves: &[Leaf],
    ) -> Vec<Result<Reading<'s>, Trouble>> {
        self.read_leaves(schema, leaves, true)
    }

    /// Values in batches, one batch a source. `secrets`: hidden values as they are.
    #[expect(
        clippy::indexing_slicing,
        reason = "`readings` is as long as `leaves`, whose places `at` holds"
    )]
    fn read_leaves<'s>(
        &mut self,
        schema: &'s Schema,
        leaves: &[Leaf],
        secrets: bool,
    ) -> Vec<Result<Reading<'s>, Trouble>> {
        let most = self.limits.value_bytes;
        let mut seen = Seen::default();
        let mut readings = Vec::with_capacity(leaves.len());
        // What is not asked of a source is read at once; for the rest, which source is
        // asked, so that none looks at the others' leaves.
        let mut kinds: Vec<Option<SourceKind>> = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let param = schema.param(leaf.param);
            let reads = param.extra.as_ref().and_then(|e| e.reads.as_deref());
            let (reading, kind) = match (&param.source, reads) {
                (_, Some(reads)) => (exactly(reads), None),
                _ if param.hidden && !secrets => (exactly(""), None),
                (ParamSource::At(binding), None) => {
                    match constant(schema, leaf.param, binding, most) {
                        Some(reading) => (Ok(reading), None),
                        None => (Err(Trouble::default()), Some(binding.source())),
                    }
                }
                (ParamSource::Alias, None) => (exactly(self.alias_of(&leaf.place)), None),
                (ParamSource::ParameterKey, None) => (exactly(self.key.clone()), None),
                (ParamSource::Entries(table), None) => {
                    let table = child_place(schema, &leaf.place, *table);
                    let rows = self.rows_of(&table);
                    let count = rows.map(|rows| Reading::exact(rows.rows.len().to_string()));
                    (count, None)
                }
            };
            readings.push(reading);
            kinds.push(kind);
        }
        let known: Vec<SourceKind> = self.sources.iter().map(|(kind, _)| *kind).collect();
        for kind in known {
            let count = kinds.iter().filter(|of| **of == Some(kind)).count();
            if count == 0 {
                continue;
            }
            let mut asks = Vec::with_capacity(count);
            let mut at = Vec::with_capacity(count);
            for (i, of) in kinds.iter_mut().enumerate() {
                if *of == Some(kind)
                    && let ParamSource::At(binding) = &schema.param(leaves[i].param).source
                {
                    *of = None;
                    at.push(i);
                    asks.push(Ask {
                        binding,
                        rows: &leaves[i].place.keys,
                    });
                }
            }
            let answers = match self.source(kind) {
                Ok(source) => source.read(&asks),
                // Its kind was just found among the sources.
                Err(_) => Vec::new(),
            };
            let mut answers = answers.into_iter();
            for i in at {
                let raw = answers.next().unwrap_or_else(|| Err(silent(kind)));
                readings[i] = self.reading(schema, &leaves[i], raw, &mut seen);
            }
        }
        for (i, of) in kinds.iter().enumerate() {
            if let Some(kind) = of
                && let Err(trouble) = self.source(*kind)
            {
                readings[i] = Err(trouble);
            }
        }
        readings
    }

    /// The value that a source's answer stands for.
    fn reading<'s>(
        &mut self,
        schema: &'s Schema,
        leaf: &Leaf,
        raw: Result<Option<Raw>, Trouble>,
        seen: &mut Seen,
    ) -> Result<Reading<'s>, Trouble> {
        let param = schema.param(leaf.param);
        let live = param.extra.as_ref().and_then(|e| e.live.as_deref());
        let (raw, is_live) = match (raw?, live) {
            (raw, Some(live)) if says_nothing(raw.as_ref()) => {
                // What is in force where the source says nothing.
                let ask = Ask {
                    binding: live,
                    rows: &leaf.place.keys,
                };
                let kind = live.source();
                let in_force = self.source(kind)?.read(&[ask]).pop();
                match in_force.unwrap_or_else(|| Err(silent(kind)))? {
                    Some(in_force) => (Some(in_force), true),
                    None => (raw, false),
                }
            }
            (raw, _) => (raw, false),
        };
        let mut row_trouble = None;
        let reading = convert::from_raw(param, schema.facets(leaf.param), raw, &mut |key| {
            self.path_of_key(schema, leaf.param, &leaf.place, key, seen)
                .unwrap_or_else(|trouble| {
                    row_trouble = Some(trouble);
                    None
                })
        });
        if let Some(trouble) = row_trouble {
            return Err(trouble);
        }
        let source = || format!("parameter {}{}", leaf.place.path, param.name);
        match reading {
            Ok(reading) if reading.value.len() > self.limits.value_bytes => Err(Trouble {
                source: source(),
                what: format!("its value is longer than {} bytes", self.limits.value_bytes),
            }),
            Ok(reading) => Ok(Reading {
                // The source itself holds nothing: a Set of what is shown is written.
                exact: reading.exact && !is_live,
                live: is_live,
                ..reading
            }),
            Err(what) => Err(Trouble {
                source: source(),
                what,
            }),
        }
    }

    /// The alias of a row: what the ACS gave, else one made of its number.
    pub(super) fn alias_of(&self, row: &Place) -> String {
        let Some((table, number)) = row.split_row() else {
            return String::new();
        };
        match self.numbers.alias(table, number) {
            Some(alias) => alias.to_owned(),
            None => default_alias(number),
        }
    }

    /// The table a reference may point to, seen from a place, and what is left of the key.
    /// Rows that are not around that place are named by the key: `outer/inner`.
    fn table_near<'k>(
        &mut self,
        schema: &Schema,
        table: ObjectId,
        near: &Place,
        mut key: &'k str,
    ) -> Result<Option<(Place, &'k str)>, Trouble> {
        let around = schema.line_of(near.object);
        let mut place = self.root();
        for object in schema.line_of(table).into_iter().skip(1) {
            place = child_place(schema, &place, object);
            if !place.is_table || object == table {
                continue;
            }
            let depth = place.numbers.len();
            let own = near.numbers.get(depth).zip(near.keys.get(depth));
            if let (true, Some((n, outer))) = (around.contains(&object), own) {
                place = place.row(*n, outer);
                continue;
            }
            let Some((outer, inner)) = key.split_once('/') else {
                return Ok(None);
            };
            let Some(n) = self.rows_of(&place)?.number_of(outer) else {
                return Ok(None);
            };
            place = place.row(n, outer);
            key = inner;
        }
        Ok(Some((place, key)))
    }

    /// The path of the row with this key in one of the tables a parameter refers to.
    /// `Device.A.B.=key` says which of them.
    fn path_of_key(
        &mut self,
        schema: &Schema,
        param: ParamId,
        near: &Place,
        key: &str,
        seen: &mut Seen,
    ) -> Result<Option<String>, Trouble> {
        if key.is_empty() {
            return Ok(None);
        }
        let (only, key) = match key.split_once('=') {
            Some((table, key)) if table.starts_with("Device.") => (Some(table), key),
            _ => (None, key),
        };
        for object in references(schema, param) {
            if only.is_some_and(|only| !schema.is_path_of_table(*object, only)) {
                continue;
            }
            if let Some((_, path, rows)) = seen.tables.iter().find(|(known, ..)| known == object) {
                match rows.number_of(key) {
                    Some(number) => return Ok(Some(row_path(path, number))),
                    None => continue,
                }
            }
            let Some((table, key)) = self.table_near(schema, *object, near, key)? else {
                continue;
            };
            let rows = self.rows_of(&table)?;
            let found = rows.number_of(key);
            let path = found.map(|number| row_path(&table.path, number));
            if table.keys.is_empty() {
                seen.tables.push((*object, table.path, rows));
            }
            if path.is_some() {
                return Ok(path);
            }
        }
        Ok(None)
    }

    /// The key of the row with this path, if it is in one of the tables a parameter
    /// refers to.
    pub(super) fn key_of_path(
        &mut self,
        schema: &Schema,
        param: ParamId,
        near: &Place,
        path: &str,
    ) -> Option<String> {
        for table in references(schema, param) {
            let Ok(Some((table, _))) = self.table_near(schema, *table, near, "") else {
                continue;
            };
            let Some(number) = path.strip_prefix(table.path.as_str()) else {
                continue;
            };
            let rows = self.rows_of(&table).ok()?;
            // "+1" and "01" parse, too, but are no instance numbers.
            let number = number
                .parse::<u32>()
                .ok()
                .filter(|n| n.to_string() == number)?;
            return rows.key_of(number).map(str::to_owned);
        }
        None
    }
}

/// Tables that references led to while one batch was read, with their paths and rows: only
/// those below no row, which are the same seen from everywhere.
#[derive(Default)]
struct Seen {
    tables: Vec<(ObjectId, String, Arc<RowSet>)>,
}

/// The path of a row as a reference has it: without a dot at the end.
fn row_path(table: &str, number: u32) -> String {
    // Ten digits at most.
    let mut path = String::with_capacity(table.len() + 10);
    path.push_str(table);
    // Writing to a String does not fail.
    let _ = write!(path, "{number}");
    path
}

/// Whether there is no value, or an empty one.
fn says_nothing(raw: Option<&Raw>) -> bool {
    match raw {
        None => true,
        Some(Raw::Text(text)) => text.is_empty(),
        Some(Raw::List(items)) => items.is_empty(),
    }
}

/// The trouble of a source that answered fewer values than it was asked for.
fn silent(kind: SourceKind) -> Trouble {
    Trouble {
        source: format!("{kind:?}").to_lowercase(),
        what: "the source did not answer".to_owned(),
    }
}

/// A value that stands in the schema, not longer than so many bytes: it is asked of no
/// source and not copied.
fn constant<'s>(
    schema: &'s Schema,
    param: ParamId,
    binding: &'s Binding,
    most: usize,
) -> Option<Reading<'s>> {
    let Binding::Constant(text) = binding else {
        return None;
    };
    convert::from_constant(schema.param(param), schema.facets(param), text)
        .filter(|reading| reading.value.len() <= most)
}

fn exactly<'s>(value: impl Into<Cow<'s, str>>) -> Result<Reading<'s>, Trouble> {
    Ok(Reading::exact(value))
}

fn references(schema: &Schema, param: ParamId) -> &[ObjectId] {
    match &schema.param(param).extra {
        Some(extra) => &extra.references,
        None => &[],
    }
}
