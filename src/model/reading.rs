//! Reading values: GetParameterValues, the parameters of an Inform, references and
//! aliases. Values are read one by one and borrowed from where they lie; what many of them
//! need is kept by their source.

use super::api::{Entry, EntryRef, Fault};
use super::binding::Binding;
use super::convert::{self, Reading};
use super::references::Referred;
use super::schema::{Extra, Param, ParamSource, Schema, Shown};
use super::source::{Ask, Said, Trouble};
use super::tree::{At, Leaf, Model, Place, Target, internal, push_default_alias, push_number};
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
            let (place, only) = match target {
                Target::Param(place, param) => (place, Some(schema.param(param))),
                Target::Object(place) => (place, None),
            };
            let mut walk = Walk::from(place);
            while let Some(here) = self.step(&mut walk) {
                let at = walk.at();
                let params = match only {
                    Some(param) => std::slice::from_ref(param),
                    None if here.is_table => continue,
                    None => schema.params_in(here.object),
                };
                for param in params {
                    match self.read_at(&schema, &at, param, false, &mut seen) {
                        Ok(reading) => visit(EntryRef {
                            object: at.path,
                            name: &param.name,
                            ty: param.ty,
                            value: &reading.value,
                        })?,
                        Err(trouble) => {
                            self.no_trouble_but(&at, param, Some(&trouble));
                            if only.is_some() {
                                let path = [at.path, &*param.name].concat();
                                return Err(internal(&path, &trouble));
                            }
                            // Below a partial path, what cannot be read is left out.
                            continue;
                        }
                    }
                    if !self.troubles.is_empty() {
                        self.no_trouble_but(&at, param, None);
                    }
                }
                if only.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes whether a parameter's source is in trouble.
    #[cold]
    fn no_trouble_but(&mut self, at: &At<'_>, param: &Param, trouble: Option<&Trouble>) {
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
        for param in schema.informing() {
            leaves.extend(self.leaves_of(*param));
        }
        let readings = self.read_shown(&schema, &leaves);
        let entries = leaves.iter().zip(readings).map(|(leaf, reading)| {
            let param = schema.param(leaf.param);
            Entry {
                path: [&*leaf.place.path, &*param.name].concat(),
                ty: param.ty,
                value: match reading {
                    Ok(reading) => reading.value.into_owned(),
                    Err(_) => convert::absent(param, schema.facets_of(param)).to_owned(),
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
            let param = schema.param(leaf.param);
            let reading = self.read_at(schema, &at, param, secrets, &mut seen);
            readings.push(reading.map(|reading| Reading {
                value: Cow::Owned(reading.value.into_owned()),
                exact: reading.exact,
                live: reading.live,
            }));
        }
        readings
    }

    /// One value, borrowed from where it lies. Where a whole tree passes through, this is
    /// part of the loop.
    #[inline(always)]
    fn read_at<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: &At<'a>,
        param: &'a Param,
        secrets: bool,
        seen: &'a mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
        let most = self.limits.value_bytes;
        let binding = match (&param.source, param.shown) {
            (ParamSource::At(Binding::Constant(text)), Shown::Constant) if text.len() <= most => {
                return Ok(Reading::exact(&**text));
            }
            (
                ParamSource::At(binding),
                Shown::AsItIs | Shown::Number | Shown::Long | Shown::Boolean,
            ) => binding,
            (ParamSource::Alias, _) if param.extra.is_none() && param.shown == Shown::Made => {
                return Ok(Reading::exact(self.alias_of(at, seen)));
            }
            _ => return self.read_made(schema, at, param, secrets, seen),
        };
        let ask = Ask {
            binding,
            rows: at.keys,
        };
        let said = self.source(binding.source())?.value(ask)?;
        match convert::from_plain(param, said, || schema.facets_of(param)) {
            Ok(reading) if reading.value.len() <= most => Ok(reading),
            Ok(reading) => fitting(Ok(reading), most, || name_of(at, param)),
            Err(said) => made_of(schema, at, param, said, most),
        }
    }

    /// The same, where more has to be done than to hand on what the source says.
    #[inline(never)]
    fn read_made<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: &At<'a>,
        param: &'a Param,
        secrets: bool,
        seen: &'a mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
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
                let (object, text) = (*table, &mut seen.text);
                let rows = match self.known_rows(object, at) {
                    Some(rows) => rows?,
                    None => {
                        text.clear();
                        for part in [at.path, &*schema.object(object).name, "."] {
                            text.push_str(part);
                        }
                        let path = text.as_str();
                        self.ask_rows_anew(&At {
                            object,
                            path,
                            ..*at
                        })?
                    }
                };
                return Ok(Reading::exact(decimal(rows.rows.len(), text)));
            }
        };
        if let Some(extra) = extra
            && (extra.live.is_some() || !extra.references.is_empty())
        {
            return self.read_further(schema, at, (param, extra), binding, seen);
        }
        let ask = Ask {
            binding,
            rows: at.keys,
        };
        let most = self.limits.value_bytes;
        let said = self.source(binding.source())?.value(ask)?;
        made_of(schema, at, param, said, most)
    }

    /// A value that more than its own source may be asked for: what is in force, or the
    /// table that it refers to.
    #[inline(never)]
    fn read_further<'a>(
        &'a mut self,
        schema: &'a Schema,
        at: &At<'a>,
        (param, extra): (&'a Param, &Extra),
        binding: &'a Binding,
        seen: &'a mut Seen,
    ) -> Result<Reading<'a>, Trouble> {
        let mut ask = Ask {
            binding,
            rows: at.keys,
        };
        // What the source says is put aside, where it is in nobody's way: the rows of other
        // tables are asked for meanwhile.
        let mut aside = std::mem::take(&mut seen.aside);
        let mut said = put_aside(self.source(binding.source())?.value(ask)?, &mut aside);
        let mut is_live = false;
        if let Some(live) = extra.live.as_deref()
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
        let facets = schema.facets_of(param);
        let (text, referred) = (&mut seen.text, &mut seen.referred);
        let reading = match said.said(&aside) {
            // Most references name one row.
            Some(Said::Text(key))
                if !extra.references.is_empty()
                    && facets.list.is_none()
                    && extra.none.is_empty() =>
            {
                text.clear();
                let found = self.push_path_of_key(schema, param, at, &key, referred, text)?;
                Ok(Reading {
                    value: text.as_str().into(),
                    exact: found || key.is_empty(),
                    live: false,
                })
            }
            said => {
                let mut row_trouble = None;
                let reading = convert::from_said(param, facets, said, &mut |key| {
                    let mut path = String::new();
                    let found = self.push_path_of_key(schema, param, at, key, referred, &mut path);
                    let found = found.unwrap_or_else(|trouble| {
                        row_trouble = Some(trouble);
                        false
                    });
                    found.then_some(path)
                });
                let reading = reading.map(Reading::into_owned);
                if let Some(trouble) = row_trouble {
                    return Err(trouble);
                }
                reading
            }
        };
        seen.aside = aside;
        let most = self.limits.value_bytes;
        let reading = fitting(reading, most, || name_of(at, param))?;
        Ok(Reading {
            // The source itself holds nothing: a Set of what is shown is written.
            exact: reading.exact && !is_live,
            live: is_live,
            ..reading
        })
    }

    /// The alias of a row: what the ACS gave, else one made of its number.
    #[inline(never)]
    fn alias_of<'a>(&'a self, row: &At<'_>, seen: &'a mut Seen) -> &'a str {
        let Some(number) = row.numbers.last() else {
            return "";
        };
        let any = *seen
            .aliases
            .get_or_insert_with(|| self.numbers.has_aliases());
        if any
            && let Some((table, number)) = row.split_row()
            && let Some(given) = self.numbers.alias(table, number)
        {
            return given;
        }
        seen.text.clear();
        push_default_alias(&mut seen.text, *number);
        &seen.text
    }
}

/// What was looked up for one value and holds for the next ones.
#[derive(Default)]
struct Seen {
    /// Tables that references led to.
    referred: Referred,
    /// Whether any row was given an alias: mostly none was.
    aliases: Option<bool>,
    /// A value that lies nowhere else.
    text: String,
    /// What a source said, while rows are asked for.
    aside: String,
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

/// The value that what a source says stands for.
#[inline(never)]
fn made_of<'a>(
    schema: &'a Schema,
    at: &At<'_>,
    param: &'a Param,
    said: Option<Said<'a>>,
    most: usize,
) -> Result<Reading<'a>, Trouble> {
    let reading = convert::from_said(param, schema.facets_of(param), said, &mut |_| None);
    fitting(reading, most, || name_of(at, param))
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
fn name_of(at: &At<'_>, param: &Param) -> String {
    format!("parameter {}{}", at.path, param.name)
}

/// A count as text.
fn decimal(n: usize, buffer: &mut String) -> &str {
    buffer.clear();
    // Bounded by Limits::rows.
    push_number(buffer, u32::try_from(n).unwrap_or(u32::MAX));
    buffer
}
