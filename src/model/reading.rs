//! Reading values: GetParameterValues, the parameters of an Inform, references and
//! aliases. Values are read one by one and borrowed from where they lie; what many of them
//! need is kept by their source.

use super::api::{Entry, EntryRef, Fault};
use super::binding::Binding;
use super::convert::{self, Reading};
use super::schema::{ObjectId, Param, ParamId, ParamSource, Schema, Shown};
use super::source::{Ask, Said, Trouble};
use super::tree::{
    At, Leaf, Model, Place, RowSet, Target, internal, push_default_alias, push_number, push_row,
};
use super::walk::Walk;
use std::borrow::Cow;
use std::sync::Arc;

impl Model {
    /// GetParameterValues (TR-069 A.3.2.2), all at once.
    pub fn get(&mut self, paths: &[&str]) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        self.visit(paths, &mut |entry| {
            entries.push(Entry {
                path: [entry.object, entry.name].concat(),
                ty: entry.ty,
                value: entry.value.to_owned(),
            });
            Ok(())
        })?;
        Ok(entries)
    }

    /// What a row's source calls it: the name of a section, of a file. `row` is its path with
    /// the dot at its end.
    ///
    /// # Errors
    /// 9005: no such row.
    pub fn row_key(&mut self, row: &str) -> Result<String, Fault> {
        match self.target(row)? {
            Target::Object(Place {
                keys,
                is_table: false,
                ..
            }) if !keys.is_empty() => Ok(keys.last().cloned().unwrap_or_default()),
            _ => Err(Fault::new(
                super::api::INVALID_NAME,
                format!("{row}: not a row of a table"),
            )),
        }
    }

    /// The path of the row that a source calls `key`, with the dot at its end; `table` is the
    /// path of a table that is in no other, with the dot at its end. `None`: there is no such
    /// row, or its source is in trouble.
    pub fn row_path(&mut self, table: &str, key: &str) -> Option<String> {
        let Ok(Target::Object(place)) = self.target(table) else {
            return None;
        };
        let rows = self.rows_of(&place).ok()?;
        let number = rows.number_of(key)?;
        self.save_numbers();
        Some(format!("{table}{number}."))
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
        let schema = Arc::clone(&self.schema);
        let mut seen = Seen::default();
        for target in targets {
            match target {
                Target::Param(place, param) => {
                    let what = (param, schema.param(param));
                    match self.show(&schema, place.at(), what, &mut seen, visit) {
                        Ok(()) => {}
                        Err(Untold::Fault(fault)) => return Err(fault),
                        Err(Untold::Trouble(trouble)) => {
                            let path = [&*place.path, &*what.1.name].concat();
                            return Err(internal(&path, &trouble));
                        }
                    }
                }
                Target::Object(place) => {
                    let mut walk = Walk::from(place);
                    while let Some(here) = self.step(&mut walk) {
                        if here.is_table {
                            continue;
                        }
                        let at = walk.at();
                        for what in schema.described_params_of(here.object) {
                            match self.show(&schema, at, what, &mut seen, visit) {
                                // What cannot be read is left out.
                                Ok(()) | Err(Untold::Trouble(_)) => {}
                                Err(Untold::Fault(fault)) => return Err(fault),
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads one value and hands it over. Where a whole tree passes through, this is part of
    /// the loop.
    #[inline(always)]
    fn show(
        &mut self,
        schema: &Schema,
        at: At<'_>,
        (id, param): (ParamId, &Param),
        seen: &mut Seen,
        visit: &mut dyn FnMut(EntryRef<'_>) -> Result<(), Fault>,
    ) -> Result<(), Untold> {
        let ty = schema.facets_of(param).value_type();
        match self.read_at(schema, at, (id, param), false, seen) {
            Ok(reading) => {
                let entry = EntryRef {
                    object: at.path,
                    name: &param.name,
                    ty,
                    value: &reading.value,
                };
                visit(entry).map_err(Untold::Fault)?;
            }
            Err(trouble) => {
                self.no_trouble_but(at, param, Some(&trouble));
                return Err(Untold::Trouble(trouble));
            }
        }
        if !self.troubles.is_empty() {
            self.no_trouble_but(at, param, None);
        }
        Ok(())
    }

    /// Notes whether a parameter's source is in trouble.
    #[cold]
    fn no_trouble_but(&mut self, at: At<'_>, param: &Param, trouble: Option<&Trouble>) {
        let path = [at.path, &*param.name].concat();
        match trouble {
            Some(trouble) => self.troubles.note(&path, trouble),
            None => self.troubles.over(&path),
        }
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

    /// Values that outlast the sources' next answers. `secrets`: hidden values as they are.
    fn read_leaves<'s>(
        &mut self,
        schema: &'s Schema,
        leaves: &[Leaf],
        secrets: bool,
    ) -> Vec<Result<Reading<'s>, Trouble>> {
        let mut seen = Seen::default();
        let mut readings = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let at = leaf.place.at();
            let what = (leaf.param, schema.param(leaf.param));
            let reading = self.read_at(schema, at, what, secrets, &mut seen);
            readings.push(reading.map(|reading| Reading {
                value: Cow::Owned(reading.value.into_owned()),
                exact: reading.exact,
                live: reading.live,
            }));
        }
        readings
    }

    /// One value, borrowed from where it lies.
    #[inline(always)]
    fn read_at<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: At<'a>,
        (id, param): (ParamId, &'a Param),
        secrets: bool,
        seen: &'a mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
        let most = self.limits.value_bytes;
        let binding = match (param.shown, &param.source) {
            (Shown::Hidden | Shown::Made, _) => {
                return self.read_made(schema, at, id, secrets, seen);
            }
            (Shown::Constant, ParamSource::At(Binding::Constant(text))) if text.len() <= most => {
                return Ok(Reading::exact(&**text));
            }
            (_, ParamSource::At(binding)) => binding,
            _ => return self.read_made(schema, at, id, secrets, seen),
        };
        let ask = Ask {
            binding,
            rows: at.keys,
        };
        let said = self.source(binding.source())?.value(ask)?;
        match convert::from_plain(param, said, || schema.facets_of(param)) {
            Ok(reading) if reading.value.len() <= most => Ok(reading),
            Ok(reading) => fitting(Ok(reading), most, || name_of(schema, at, id)),
            Err(said) => made_of(schema, at, id, said, most),
        }
    }

    /// The same, where more has to be done than to hand on what the source says.
    #[inline(never)]
    fn read_made<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: At<'a>,
        id: ParamId,
        secrets: bool,
        seen: &'a mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
        let param = schema.param(id);
        let extra = param.extra.as_deref();
        if let Some(reads) = extra.and_then(|e| e.reads.as_deref()) {
            return Ok(Reading::exact(reads));
        }
        if param.shown == Shown::Hidden && !secrets {
            return Ok(Reading::exact(""));
        }
        let binding = match &param.source {
            ParamSource::At(binding) => binding,
            ParamSource::Alias => return Ok(Reading::exact(self.alias_of(at, seen))),
            ParamSource::ParameterKey => return Ok(Reading::exact(self.key.as_str())),
            ParamSource::Entries(table) => {
                let text = &mut seen.text;
                text.clear();
                for part in [at.path, &*schema.object(*table).name, "."] {
                    text.push_str(part);
                }
                let (object, path) = (*table, text.as_str());
                let rows = self.rows_at(At { object, path, ..at })?;
                return Ok(Reading::exact(decimal(rows.rows.len(), text)));
            }
        };
        if extra.is_some_and(|e| e.live.is_some() || !e.references.is_empty()) {
            return self.read_further(schema, at, id, binding, seen);
        }
        let ask = Ask {
            binding,
            rows: at.keys,
        };
        let most = self.limits.value_bytes;
        let said = self.source(binding.source())?.value(ask)?;
        made_of(schema, at, id, said, most)
    }

    /// A value that more than its own source may be asked for: what is in force, or the
    /// table that it refers to.
    fn read_further<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: At<'a>,
        id: ParamId,
        binding: &'a Binding,
        seen: &mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
        let param = schema.param(id);
        let live = param.extra.as_ref().and_then(|e| e.live.as_deref());
        let mut ask = Ask {
            binding,
            rows: at.keys,
        };
        // What the source says is put aside, where it is in nobody's way: the rows of other
        // tables are asked for meanwhile.
        let mut aside = std::mem::take(&mut seen.aside);
        let mut said = put_aside(self.source(binding.source())?.value(ask)?, &mut aside);
        let mut is_live = false;
        if let Some(live) = live
            && said.says_nothing(&aside)
        {
            // What is in force where the source says nothing.
            ask.binding = live;
            let in_force = self.source(live.source())?.value(ask)?;
            if in_force.is_some() {
                said = put_aside(in_force, &mut aside);
                is_live = true;
            }
        }
        let mut row_trouble = None;
        let said = said.said(&aside);
        let reading = convert::from_said(param, schema.facets(id), said, &mut |key| {
            self.path_of_key(schema, id, at, key, seen)
                .unwrap_or_else(|trouble| {
                    row_trouble = Some(trouble);
                    None
                })
        });
        let reading = reading.map(Reading::into_owned);
        seen.aside = aside;
        if let Some(trouble) = row_trouble {
            return Err(trouble);
        }
        let most = self.limits.value_bytes;
        let reading = fitting(reading, most, || name_of(schema, at, id))?;
        Ok(Reading {
            // The source itself holds nothing: a Set of what is shown is written.
            exact: reading.exact && !is_live,
            live: is_live,
            ..reading
        })
    }

    /// The alias of a row: what the ACS gave, else one made of its number.
    fn alias_of<'a>(&'a self, row: At<'_>, seen: &'a mut Seen) -> &'a str {
        let Some(number) = row.numbers.last() else {
            return "";
        };
        let any = *seen
            .aliases
            .get_or_insert_with(|| self.numbers.has_aliases());
        let table = any.then(|| row.split_row()).flatten();
        let given = table.and_then(|(table, number)| self.numbers.alias(table, number));
        given.unwrap_or_else(|| {
            seen.text.clear();
            push_default_alias(&mut seen.text, *number);
            &seen.text
        })
    }

    /// The table a reference may point to, seen from a place, and what is left of the key.
    /// Rows that are not around that place are named by the key: `outer/inner`.
    fn table_near<'k>(
        &mut self,
        schema: &Schema,
        table: ObjectId,
        near: At<'_>,
        mut key: &'k str,
    ) -> Result<Option<(Place, &'k str)>, Trouble> {
        // Most are not longer.
        let mut path = String::with_capacity(96);
        let (mut keys, mut numbers) = (Vec::new(), Vec::new());
        for object in schema.line_of(table) {
            path.push_str(&schema.object(object).name);
            path.push('.');
            if schema.object(object).table.is_none() || object == table {
                continue;
            }
            let depth = numbers.len();
            let own = near.numbers.get(depth).zip(near.keys.get(depth));
            if let (true, Some((n, outer))) = (schema.is_around(object, near.object), own) {
                push_row(&mut path, *n);
                keys.push(outer.clone());
                numbers.push(*n);
                continue;
            }
            let Some((outer, inner)) = key.split_once('/') else {
                return Ok(None);
            };
            let outer_table = At {
                object,
                path: &path,
                keys: &keys,
                numbers: &numbers,
            };
            let Some(n) = self.rows_at(outer_table)?.number_of(outer) else {
                return Ok(None);
            };
            push_row(&mut path, n);
            keys.push(outer.to_owned());
            numbers.push(n);
            key = inner;
        }
        let place = Place {
            object: table,
            path,
            keys: keys.into(),
            numbers: numbers.into(),
            is_table: true,
        };
        Ok(Some((place, key)))
    }

    /// The path of the row with this key in one of the tables a parameter refers to.
    /// `Device.A.B.=key` says which of them.
    fn path_of_key(
        &mut self,
        schema: &Schema,
        param: ParamId,
        near: At<'_>,
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
            let mut known = seen.near.iter();
            let known = known.find_map(|n| Some((n, n.key_in(*object, near, key)?)));
            if let Some((known, key)) = known {
                match known.rows.number_of(key) {
                    Some(number) => return Ok(Some(row_path(&known.path, number))),
                    None => continue,
                }
            }
            let Some((table, inner)) = self.table_near(schema, *object, near, key)? else {
                continue;
            };
            let rows = self.rows_of(&table)?;
            let found = rows.number_of(inner);
            let path = found.map(|number| row_path(&table.path, number));
            if table.keys.is_empty() {
                seen.tables.push((*object, table.path, rows));
            } else {
                let outer = key.len().saturating_sub(inner.len());
                if seen.near.len() >= MOST_NEAR {
                    seen.near.remove(0);
                }
                seen.near.push(Near {
                    object: *object,
                    seen_from: near.object,
                    around: around_of(&table, near),
                    outer: key.get(..outer).unwrap_or_default().to_owned(),
                    path: table.path,
                    rows,
                });
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
            let Ok(Some((table, _))) = self.table_near(schema, *table, near.at(), "") else {
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

/// What was looked up for one value and holds for the next ones.
#[derive(Default)]
struct Seen {
    /// Tables that references led to, with their paths and rows: only those below no row,
    /// which are the same seen from everywhere.
    tables: Vec<(ObjectId, String, Arc<RowSet>)>,
    /// Tables below rows that references led to, the last ones.
    near: Vec<Near>,
    /// Whether any row was given an alias: mostly none was.
    aliases: Option<bool>,
    /// A value that lies nowhere else.
    text: String,
    /// What a source said, while rows are asked for.
    aside: String,
}

/// So many tables below rows are known at a time.
const MOST_NEAR: usize = 4;

/// A table below rows, as it is seen from one place.
struct Near {
    object: ObjectId,
    seen_from: ObjectId,
    /// The numbers of the rows that are around both.
    around: Vec<u32>,
    /// What names the other rows around it at the beginning of a key: `outer/`.
    outer: String,
    path: String,
    rows: Arc<RowSet>,
}

impl Near {
    /// What is left of a key that leads to this table.
    fn key_in<'k>(&self, object: ObjectId, near: At<'_>, key: &'k str) -> Option<&'k str> {
        let same = self.object == object
            && self.seen_from == near.object
            && near.numbers.starts_with(&self.around);
        // What is left of it may hold a slash only where nothing was taken from it.
        key.strip_prefix(self.outer.as_str()).filter(|_| same)
    }
}

/// The numbers of the rows around a table that are around a place, too.
fn around_of(table: &Place, near: At<'_>) -> Vec<u32> {
    let pairs = table.numbers.iter().zip(near.numbers);
    let same = pairs.take_while(|(a, b)| a == b);
    same.map(|(n, _)| *n).collect()
}

/// The path of a row as a reference has it: without a dot at the end.
fn row_path(table: &str, number: u32) -> String {
    // Ten digits at most.
    let mut path = String::with_capacity(table.len() + 10);
    path.push_str(table);
    push_number(&mut path, number);
    path
}

/// What a source said, put aside.
enum Aside {
    Nothing,
    /// The text lies in a buffer.
    Text,
    List(Vec<String>),
}

fn put_aside(said: Option<Said<'_>>, aside: &mut String) -> Aside {
    match said {
        None => Aside::Nothing,
        Some(Said::Text(text)) => {
            aside.clear();
            aside.push_str(&text);
            Aside::Text
        }
        Some(Said::List(items)) => Aside::List(items.into_owned()),
    }
}

impl Aside {
    /// Whether there is no value, or an empty one.
    fn says_nothing(&self, aside: &str) -> bool {
        match self {
            Aside::Nothing => true,
            Aside::Text => aside.is_empty(),
            Aside::List(items) => items.is_empty(),
        }
    }

    fn said(self, aside: &str) -> Option<Said<'_>> {
        match self {
            Aside::Nothing => None,
            Aside::Text => Some(Said::Text(aside.into())),
            Aside::List(items) => Some(Said::List(items.into())),
        }
    }
}

/// Why a value was not handed over.
enum Untold {
    /// Whoever takes the values wants no more of them.
    Fault(Fault),
    /// Its source is in trouble.
    Trouble(Trouble),
}

/// The value that what a source says stands for.
#[inline(never)]
fn made_of<'a>(
    schema: &'a Schema,
    at: At<'_>,
    id: ParamId,
    said: Option<Said<'a>>,
    most: usize,
) -> Result<Reading<'a>, Trouble> {
    let param = schema.param(id);
    let reading = convert::from_said(param, schema.facets(id), said, &mut |_| None);
    fitting(reading, most, || name_of(schema, at, id))
}

/// A reading that is not longer than so many bytes; `name` says whose it is.
fn fitting<'a>(
    reading: Result<Reading<'a>, String>,
    most: usize,
    name: impl Fn() -> String,
) -> Result<Reading<'a>, Trouble> {
    match reading {
        Ok(reading) if reading.value.len() > most => Err(Trouble {
            source: name(),
            what: format!("its value is longer than {most} bytes"),
        }),
        Ok(reading) => Ok(reading),
        Err(what) => Err(Trouble {
            source: name(),
            what,
        }),
    }
}

/// What the trouble of a single value is known by.
fn name_of(schema: &Schema, at: At<'_>, id: ParamId) -> String {
    format!("parameter {}{}", at.path, schema.param(id).name)
}

/// A count as text; most tables are small.
fn decimal(n: usize, buffer: &mut String) -> &str {
    const DIGITS: &str = "0123456789";
    match (DIGITS.get(n..n.saturating_add(1)), u32::try_from(n)) {
        (Some(digit), _) => digit,
        (None, n) => {
            buffer.clear();
            // Bounded by Limits::rows.
            push_number(buffer, n.unwrap_or(u32::MAX));
            buffer
        }
    }
}

fn references(schema: &Schema, param: ParamId) -> &[ObjectId] {
    match &schema.param(param).extra {
        Some(extra) => &extra.references,
        None => &[],
    }
}
