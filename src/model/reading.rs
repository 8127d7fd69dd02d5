//! Reading values: GetParameterValues, the parameters of an Inform, references and
//! aliases. Values are read in batches, one batch a source, a bounded number at a time.

use super::api::{Entry, EntryRef, Fault};
use super::binding::SourceKind;
use super::convert::{self, Reading};
use super::schema::{ObjectId, ParamId, ParamSource, Schema};
use super::source::{Ask, Raw, Trouble};
use super::tree::{Leaf, Model, Place, Target, child_place, default_alias, internal};
use super::walk::Walk;
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
        let readings = self.read_shown(leaves);
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
        let readings = self.read_shown(&leaves);
        let entries = leaves.iter().zip(readings).map(|(leaf, reading)| {
            let param = schema.param(leaf.param);
            let facets = schema.facets(leaf.param);
            Entry {
                path: format!("{}{}", leaf.place.path, param.name),
                ty: facets.value_type(),
                value: match reading {
                    Ok(reading) => reading.value,
                    Err(_) => convert::absent(param, facets),
                },
            }
        });
        let entries = entries.collect();
        self.save_numbers();
        entries
    }

    /// Values as the ACS may see them: hidden ones empty.
    pub(super) fn read_shown(&mut self, leaves: &[Leaf]) -> Vec<Result<Reading, Trouble>> {
        let readings = self.read_leaves(leaves, false);
        let schema = Arc::clone(&self.schema);
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
    pub(super) fn read_quietly(&mut self, leaves: &[Leaf]) -> Vec<Result<Reading, Trouble>> {
        self.read_leaves(leaves, true)
    }

    /// Values in batches, one batch a source. `secrets`: hidden values as they are.
    #[expect(
        clippy::indexing_slicing,
        reason = "`fixed` and `raws` are as long as `leaves`, whose places `at` holds"
    )]
    fn read_leaves(&mut self, leaves: &[Leaf], secrets: bool) -> Vec<Result<Reading, Trouble>> {
        let schema = Arc::clone(&self.schema);
        let mut raws: Vec<Option<Result<Option<Raw>, Trouble>>> = Vec::new();
        raws.resize_with(leaves.len(), || None);
        let fixed: Vec<Option<&str>> = leaves
            .iter()
            .map(|leaf| {
                let param = schema.param(leaf.param);
                let reads = param.extra.as_ref().and_then(|e| e.reads.as_deref());
                match (reads, param.hidden && !secrets) {
                    (Some(reads), _) => Some(reads),
                    (None, true) => Some(""),
                    (None, false) => None,
                }
            })
            .collect();
        // Which source is asked for each, so that none looks at the others' leaves.
        let kinds: Vec<Option<SourceKind>> = leaves
            .iter()
            .zip(&fixed)
            .map(|(leaf, fixed)| match &schema.param(leaf.param).source {
                ParamSource::At(binding) if fixed.is_none() => Some(binding.source()),
                _ => None,
            })
            .collect();
        for (kind, source) in &mut self.sources {
            let count = kinds.iter().filter(|of| **of == Some(*kind)).count();
            let mut asks = Vec::with_capacity(count);
            let mut at = Vec::with_capacity(count);
            for (i, of) in kinds.iter().enumerate() {
                if *of == Some(*kind)
                    && let ParamSource::At(binding) = &schema.param(leaves[i].param).source
                {
                    at.push(i);
                    asks.push(Ask {
                        binding,
                        rows: &leaves[i].place.keys,
                    });
                }
            }
            if !asks.is_empty() {
                for (i, raw) in at.into_iter().zip(source.read(&asks)) {
                    raws[i] = Some(raw);
                }
            }
        }
        let lives = self.read_live(&schema, leaves, &mut raws);
        let mut readings = Vec::with_capacity(leaves.len());
        for ((leaf, raw), fixed) in leaves.iter().zip(raws).zip(fixed) {
            let reading = match fixed {
                Some(text) => Ok(Reading {
                    value: text.to_owned(),
                    exact: true,
                }),
                None => self.reading(&schema, leaf, raw),
            };
            readings.push(reading);
        }
        for at in lives {
            if let Some(Ok(reading)) = readings.get_mut(at) {
                // The source itself holds nothing: a Set of what is shown is written.
                reading.exact = false;
            }
        }
        readings
    }

    /// What is in force where the source says nothing; the places in `leaves` where that is
    /// so.
    fn read_live(
        &mut self,
        schema: &Schema,
        leaves: &[Leaf],
        raws: &mut [Option<Result<Option<Raw>, Trouble>>],
    ) -> Vec<usize> {
        let mut found = Vec::new();
        for (i, (leaf, raw)) in leaves.iter().zip(raws).enumerate() {
            let extra = schema.param(leaf.param).extra.as_ref();
            let (Some(Ok(None)), Some(live)) = (&raw, extra.and_then(|e| e.live.as_deref())) else {
                continue;
            };
            let ask = Ask {
                binding: live,
                rows: &leaf.place.keys,
            };
            let answer = match self.source(live.source()) {
                Ok(source) => source.read(&[ask]).pop(),
                Err(trouble) => Some(Err(trouble)),
            };
            if !matches!(answer, Some(Ok(None))) {
                *raw = answer;
                found.push(i);
            }
        }
        found
    }

    fn reading(
        &mut self,
        schema: &Schema,
        leaf: &Leaf,
        raw: Option<Result<Option<Raw>, Trouble>>,
    ) -> Result<Reading, Trouble> {
        let param = schema.param(leaf.param);
        let facets = schema.facets(leaf.param);
        let own = |value: String| Ok(Reading { value, exact: true });
        match &param.source {
            ParamSource::Alias => own(self.alias_of(&leaf.place)),
            ParamSource::ParameterKey => own(self.key.clone()),
            ParamSource::Entries(table) => {
                let table = child_place(schema, &leaf.place, *table);
                own(self.rows_of(&table)?.rows.len().to_string())
            }
            ParamSource::At(binding) => {
                let raw = match raw {
                    Some(raw) => raw?,
                    None => {
                        // Either there is no such source, or it answered too few asks.
                        self.source(binding.source())?;
                        return Err(Trouble {
                            source: format!("{:?}", binding.source()).to_lowercase(),
                            what: "the source did not answer".to_owned(),
                        });
                    }
                };
                let place = Rc::clone(&leaf.place);
                let mut row_trouble = None;
                let reading = convert::from_raw(param, facets, raw, &mut |key| {
                    self.path_of_key(schema, leaf.param, &place, key)
                        .unwrap_or_else(|trouble| {
                            row_trouble = Some(trouble);
                            None
                        })
                });
                if let Some(trouble) = row_trouble {
                    return Err(trouble);
                }
                let source = || format!("parameter {}{}", place.path, param.name);
                match reading {
                    Ok(reading) if reading.value.len() > self.limits.value_bytes => Err(Trouble {
                        source: source(),
                        what: format!("its value is longer than {} bytes", self.limits.value_bytes),
                    }),
                    Ok(reading) => Ok(reading),
                    Err(what) => Err(Trouble {
                        source: source(),
                        what,
                    }),
                }
            }
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
    ) -> Result<Option<String>, Trouble> {
        if key.is_empty() {
            return Ok(None);
        }
        let (only, key) = match key.split_once('=') {
            Some((table, key)) if table.starts_with("Device.") => (Some(table), key),
            _ => (None, key),
        };
        for table in references(schema, param) {
            if only.is_some_and(|only| schema.path_of(*table).strip_suffix("{i}.") != Some(only)) {
                continue;
            }
            let Some((table, key)) = self.table_near(schema, *table, near, key)? else {
                continue;
            };
            if let Some(number) = self.rows_of(&table)?.number_of(key) {
                return Ok(Some(format!("{}{number}", table.path)));
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

fn references(schema: &Schema, param: ParamId) -> &[ObjectId] {
    match &schema.param(param).extra {
        Some(extra) => &extra.references,
        None => &[],
    }
}
