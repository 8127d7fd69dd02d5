//! Raw objects → [`Schema`]: what can only be said with the whole tree at hand.

use super::bind::{placeholders, texts_of, texts_of_rows};
use super::fields::At;
use super::load::{RawMore, RawObject, RawParam, RawSource};
use super::relate::Referring;
use super::shared::Shared;
use super::{
    Extra, Map, Notify, Object, ObjectId, Param, ParamSource, Schema, SchemaError, Shown, Table,
};
use crate::model::binding::{Binding, Rows, Text};
use crate::model::facets::Facets;
use crate::model::named;
use crate::model::path::MAX_PATH;
use crate::model::value::ValueType;
use std::collections::{BTreeMap, HashMap};

/// Objects, parameters and different facets at most, each; ids have 16 bits.
const MAX_COUNT: usize = 60_000;
/// Tables within tables at most.
const MAX_DEPTH: usize = 8;
/// The name of the native value that the model keeps itself.
const PARAMETER_KEY: &str = "parameter_key";

/// Builds the tree; `None` where it cannot be built at all. `unread`: errors were found
/// before, so what is missing may only be unread and is not reported.
#[expect(clippy::indexing_slicing, reason = "every object of `raw` got its id")]
pub(crate) fn build(
    mut raw: BTreeMap<String, RawObject>,
    mut shared: Shared,
    names: &[&str],
    unread: bool,
    errors: &mut Vec<SchemaError>,
) -> Option<Schema> {
    // What counts rows; unsignedInt is in the list of types.
    let count = shared.facets(named::find("unsignedInt").map(Facets::of)?);
    let facets = std::mem::take(&mut shared.facets);
    let mut builder = Builder {
        names,
        errors,
        unread,
        shared,
        facets: &facets,
        references: Vec::new(),
        ids: HashMap::new(),
        schema: Schema {
            objects: Vec::new(),
            params: Vec::new(),
            facets: Vec::new(),
            informing: Box::default(),
            notifying: Box::default(),
        },
        informing: Vec::new(),
    };
    if facets.len() > MAX_COUNT {
        let what = format!("more than {MAX_COUNT} kinds of values");
        builder.error(At::default(), what);
        return None;
    }
    builder.add_ancestors(&mut raw);
    builder.add_objects(&raw)?;
    let entries = builder.entries(&raw);
    for (path, object) in &mut raw {
        let id = builder.ids[path.as_str()];
        let counted = entries.get(&id).map_or(&[][..], Vec::as_slice);
        builder.add_params(id, path, object, counted, count)?;
    }
    builder.add_references();
    for (path, object) in &raw {
        let id = builder.ids[path.as_str()];
        builder.finish_object(id, path, object);
    }
    builder.list_reported();
    let mut schema = builder.schema;
    schema.facets = facets;
    schema.objects.shrink_to_fit();
    schema.params.shrink_to_fit();
    schema.facets.shrink_to_fit();
    Some(schema)
}

pub(super) struct Builder<'a> {
    names: &'a [&'a str],
    errors: &'a mut Vec<SchemaError>,
    pub(super) unread: bool,
    shared: Shared,
    /// Those of the schema, which gets them at the end.
    pub(super) facets: &'a [Facets],
    /// Parameters whose values name rows: resolved when all tables are there.
    pub(super) references: Vec<Referring>,
    /// Parameters that every Inform carries.
    pub(super) informing: Vec<(ObjectId, Text)>,
    pub(super) ids: HashMap<String, ObjectId>,
    pub(super) schema: Schema,
}

impl Builder<'_> {
    pub(super) fn error(&mut self, at: At, what: impl Into<String>) {
        self.errors.push(SchemaError {
            file: self
                .names
                .get(usize::from(at.file))
                .copied()
                .unwrap_or_default()
                .to_owned(),
            line: at.line.max(1),
            what: what.into(),
        });
    }

    /// Objects between the root and those described exist by being passed through.
    fn add_ancestors(&mut self, raw: &mut BTreeMap<String, RawObject>) {
        let mut implied: BTreeMap<String, At> = BTreeMap::new();
        implied.insert("Device.".to_owned(), At::default());
        for (path, object) in raw.iter() {
            let mut end = 0;
            for segment in path.split_inclusive('.') {
                end += segment.len();
                let prefix = &path[..end];
                // `Device.A.` before `{i}.` is the table itself, which has one entry.
                if !path[end..].starts_with("{i}.") {
                    implied.entry(prefix.to_owned()).or_insert(object.at);
                }
            }
        }
        for (path, at) in implied {
            raw.entry(path).or_insert_with(|| RawObject {
                at,
                ..RawObject::default()
            });
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`children` grows with the objects, parents first"
    )]
    fn add_objects(&mut self, raw: &BTreeMap<String, RawObject>) -> Option<()> {
        if raw.len() > MAX_COUNT {
            self.error(At::default(), format!("more than {MAX_COUNT} objects"));
            return None;
        }
        let mut children: Vec<Vec<ObjectId>> = Vec::new();
        // "Device." sorts first, and every parent before its children, being a prefix.
        for (path, object) in raw {
            let id = ObjectId(self.schema.objects.len() as u16);
            let is_table = path.ends_with(".{i}.");
            let plain = path.strip_suffix("{i}.").unwrap_or(path);
            let (parent, name) = split_last(plain);
            let parent = self.ids.get(parent).copied();
            let depth = path.matches("{i}").count();
            if depth > MAX_DEPTH {
                self.error(
                    object.at,
                    format!("{path}: more than {MAX_DEPTH} tables within each other"),
                );
                return None;
            }
            if let Some(parent) = parent {
                children[usize::from(parent.0)].push(id);
            }
            if is_table && raw.contains_key(plain) {
                self.error(
                    object.at,
                    format!("{plain} is both a table and a single object; write its parameters under [\"{path}\"]"),
                );
            }
            let table = self.table(path, object, is_table, depth);
            let name = self.shared.text(name);
            self.ids.insert(path.clone(), id);
            self.schema.objects.push(Object {
                name,
                parent,
                depth: depth as u8,
                params: 0..0,
                children: Box::default(),
                table,
                ordered: Box::default(),
            });
            children.push(Vec::new());
        }
        for (i, mut ids) in children.into_iter().enumerate() {
            ids.sort_by(|a, b| {
                self.schema
                    .object(*a)
                    .name
                    .cmp(&self.schema.object(*b).name)
            });
            self.schema.objects[i].children = ids.into();
        }
        Some(())
    }

    fn table(
        &mut self,
        path: &str,
        object: &RawObject,
        is_table: bool,
        depth: usize,
    ) -> Option<Box<Table>> {
        if !is_table {
            let misplaced = [
                ("rows", object.rows.as_ref().map(|r| r.1)),
                ("access", object.writable.map(|w| w.1)),
                ("numbers", object.by_key.map(|k| k.1)),
                ("max_rows", object.max_rows.map(|m| m.1)),
                ("unique", object.unique.as_ref().map(|u| u.1)),
                ("entries", object.entries.as_ref().map(|e| e.1)),
            ];
            for (key, at) in misplaced {
                if let Some(at) = at {
                    self.error(at, format!("{path}: {key} belongs to a table; write [\"{path}{{i}}.\"] or take it out"));
                }
            }
            return None;
        }
        let Some((rows, rows_at)) = &object.rows else {
            if !self.unread {
                self.error(object.at, format!("{path} has no rows; add rows = {{ uci = \"package\", type = \"type\" }} or another form"));
            }
            return None;
        };
        self.check_placeholders(path, &texts_of_rows(rows), depth - 1, *rows_at);
        if let Rows::Uci(at) = rows
            && (at.parent.is_some() || at.within.is_some())
            && depth < 2
        {
            self.error(
                *rows_at,
                format!("{path}: parent and within need a table around this one; take them out"),
            );
        }
        let by_key = object.by_key.is_some_and(|k| k.0);
        if let (Rows::Uci(at), Some((true, access_at))) = (rows, object.writable)
            && at.parent.as_deref() == Some(".name")
        {
            self.error(
                access_at,
                format!("{path}: a row that is the section around it comes and goes with that; write \"ro\""),
            );
        }
        let writable = object.writable.is_some_and(|w| w.0);
        if let Some((true, at)) = object.writable {
            if !matches!(rows, Rows::Uci(_) | Rows::Items(_)) {
                self.error(
                    at,
                    format!("{path}: access = \"rw\" needs rows in uci; write \"ro\""),
                );
            }
            if by_key {
                self.error(
                    at,
                    format!("{path}: numbers = \"key\" and access = \"rw\" exclude each other"),
                );
            }
        }
        if let (Some((_, at)), false) = (object.max_rows, writable) {
            self.error(
                at,
                format!("{path}: max_rows bounds AddObject; add access = \"rw\" or take it out"),
            );
        }
        let reload = match (&object.reload, rows) {
            (Some(reload), _) => self.shared.texts(reload),
            (None, Rows::Uci(at)) => Box::new([Text::clone(&at.package)]),
            (None, Rows::Items(at)) => Box::new([Text::clone(&at.package)]),
            _ => Box::default(),
        };
        Some(Box::new(Table {
            rows: rows.clone(),
            writable,
            by_key,
            max_rows: object.max_rows.map(|m| m.0),
            unique: Box::default(),
            alias: None,
            enable: None,
            reload,
        }))
    }

    fn check_placeholders(&mut self, about: &str, texts: &[&str], depth: usize, at: At) {
        for text in texts {
            match placeholders(text) {
                Ok(found) => {
                    for n in found {
                        if n.max(1) > depth {
                            self.error(
                                at,
                                format!(
                                    "{about}: {text:?} asks for row {} of {depth} around it",
                                    n.max(1)
                                ),
                            );
                        }
                    }
                }
                Err(what) => self.error(at, format!("{about}: {what}")),
            }
        }
    }

    /// For each object, the count parameters of its tables: name and table.
    #[expect(clippy::indexing_slicing, reason = "every object of `raw` got its id")]
    fn entries(
        &mut self,
        raw: &BTreeMap<String, RawObject>,
    ) -> HashMap<ObjectId, Vec<(String, ObjectId)>> {
        let mut entries: HashMap<ObjectId, Vec<(String, ObjectId)>> = HashMap::new();
        for (path, object) in raw {
            let id = self.ids[path.as_str()];
            let node = self.schema.object(id);
            if !path.ends_with(".{i}.") {
                continue;
            }
            let name = match &object.entries {
                Some((name, _)) if name.is_empty() => continue,
                Some((name, at)) => {
                    if !crate::model::path::is_name(name) {
                        let text = format!("{path}: entries: {name:?} is no parameter name");
                        self.error(*at, text);
                        continue;
                    }
                    name.clone()
                }
                None => format!("{}NumberOfEntries", node.name),
            };
            if let Some(parent) = self.schema.object(id).parent {
                entries.entry(parent).or_default().push((name, id));
            }
        }
        entries
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "ids are places in `objects`, which never shrinks"
    )]
    fn add_params(
        &mut self,
        id: ObjectId,
        path: &str,
        object: &mut RawObject,
        counted: &[(String, ObjectId)],
        count: usize,
    ) -> Option<()> {
        let start = self.schema.params.len();
        let raw_params = std::mem::take(&mut object.params);
        let mut params: Vec<Param> = Vec::with_capacity(raw_params.len() + counted.len());
        for (name, table) in counted {
            if let Some(there) = raw_params.get(name.as_str()) {
                let at = there.at;
                self.error(
                    at,
                    format!(
                        "{path}{name} counts the rows of a table and exists by itself; take it out"
                    ),
                );
                continue;
            }
            params.push(Param {
                name: self.shared.text(name),
                object: id,
                facets: count as u16,
                writable: false,
                shown: Shown::Made,
                ty: ValueType::UnsignedInt,
                notify: Notify::Normal,
                source: ParamSource::Entries(*table),
                default: None,
                extra: None,
            });
        }
        let depth = usize::from(self.schema.object(id).depth);
        let reload = object.reload.take();
        for (name, raw) in raw_params {
            let about = format!("{path}{name}");
            // `{i}` has three characters, the longest instance number ten.
            if about.len() + depth * 7 > MAX_PATH {
                self.error(
                    raw.at,
                    format!("{about}: longer than {MAX_PATH} characters with its instance numbers"),
                );
            }
            let param = self.param(id, &about, name, raw, depth, reload.as_deref());
            params.push(param);
        }
        params.sort_by(|a, b| a.name.cmp(&b.name));
        self.schema.params.extend(params);
        let end = self.schema.params.len();
        if end > MAX_COUNT {
            self.error(object.at, format!("more than {MAX_COUNT} parameters"));
            return None;
        }
        self.schema.objects[usize::from(id.0)].params = start as u16..end as u16;
        Some(())
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "parameters hold places in `facets`"
    )]
    fn param(
        &mut self,
        id: ObjectId,
        about: &str,
        name: Text,
        mut raw: RawParam,
        depth: usize,
        reload: Option<&[String]>,
    ) -> Param {
        let at = raw.at;
        let facets = &self.facets[raw.facets];
        let mut more = raw.more.take().map(|more| *more).unwrap_or_default();
        let texts = [
            ("default", &mut raw.default),
            ("reads", &mut more.reads),
            ("otherwise", &mut more.otherwise),
        ];
        for (what, text) in texts {
            if let Some(value) = text {
                // The null value of a string, which a command reads as (TR-106), need not be among its values.
                if what == "reads" && value.is_empty() && facets.named.base == ValueType::String {
                    continue;
                }
                match facets.check(value) {
                    Ok(canonical) => *value = canonical,
                    Err(why) => {
                        let message = format!("{about}: {what}: {value:?} {why}");
                        self.errors.push(SchemaError {
                            file: self
                                .names
                                .get(usize::from(at.file))
                                .copied()
                                .unwrap_or_default()
                                .to_owned(),
                            line: at.line,
                            what: message,
                        });
                    }
                }
            }
        }
        let from_uci = matches!(raw.source, RawSource::At(Binding::Uci(_)));
        // Only compiled-in code can name a row by the keys of the rows around it, too.
        let anywhere = matches!(raw.source, RawSource::At(Binding::Native(_))) && !raw.writable;
        let source = match raw.source {
            RawSource::Alias => {
                if facets.named.name != "Alias" || raw.default.is_some() || !more.map.is_empty() {
                    self.error(
                        at,
                        format!(
                            "{about}: alias = true goes with type = \"Alias\", without default and map"
                        ),
                    );
                }
                self.check_alias(id, about, at);
                ParamSource::Alias
            }
            RawSource::At(Binding::Native(name)) if *name == *PARAMETER_KEY => {
                if raw.writable || facets.named.base != ValueType::String {
                    self.error(
                        at,
                        format!("{about}: native = \"{PARAMETER_KEY}\" is a string and read-only"),
                    );
                }
                ParamSource::ParameterKey
            }
            RawSource::At(binding) => {
                self.check_placeholders(about, &texts_of(&binding), depth, at);
                if raw.writable
                    && let Some(why) = unwritable(&binding, facets, !more.references.is_empty())
                {
                    self.error(at, format!("{about}: access = \"rw\", but {why}"));
                }
                self.check_binding(about, &binding, facets, at);
                ParamSource::At(binding)
            }
        };
        if let Some(live) = &more.live {
            self.check_placeholders(about, &texts_of(live), depth, at);
            if !from_uci {
                self.error(
                    at,
                    format!("{about}: live goes with uci, which may say nothing; take it out"),
                );
            }
        }
        let map = self.check_map(about, at, raw.writable, &more, facets);
        if more.scale.is_some() && !facets.named.base.is_number() {
            self.error(at, format!("{about}: scale is for numbers; take it out"));
        }
        if more.otherwise.is_some() && (map.is_empty() || facets.list.is_some()) {
            self.error(
                at,
                format!("{about}: otherwise goes with a map, and with a single value; take it out"),
            );
        }
        if more.reads.is_some() && !raw.writable {
            self.error(
                at,
                format!("{about}: reads is for commands; add access = \"rw\" or use constant"),
            );
        }
        if raw.hidden && raw.inform {
            self.error(
                at,
                format!(
                    "{about}: a hidden value cannot be in every Inform; take hidden or inform out"
                ),
            );
        }
        if raw.inform {
            self.informing.push((id, Text::clone(&name)));
        }
        let refers = !more.references.is_empty();
        if refers {
            if facets.named.base != ValueType::String || !more.map.is_empty() {
                self.error(
                    at,
                    format!("{about}: a reference has type = \"string\" and no map"),
                );
            }
            self.references.push(Referring {
                object: id,
                name: Text::clone(&name),
                at,
                anywhere,
                to: std::mem::take(&mut more.references),
            });
        }
        let reload = more.reload.as_deref().or(reload);
        let reload = reload.map(|texts| self.shared.texts(texts));
        let plain = map.is_empty()
            && more.none.is_empty()
            && more.scale.is_none()
            && !refers
            && reload.is_none()
            && more.live.is_none()
            && more.reads.is_none();
        let shown = match &source {
            _ if raw.hidden => Shown::Hidden,
            // What is reloaded does not matter here.
            ParamSource::At(binding)
                if map.is_empty()
                    && more.none.is_empty()
                    && more.otherwise.is_none()
                    && more.scale.is_none()
                    && !refers
                    && more.live.is_none()
                    && more.reads.is_none() =>
            {
                Shown::plainly(facets, binding)
            }
            _ => Shown::Made,
        };
        let mut share = |text: Option<String>| text.map(|text| self.shared.text(&text));
        let (otherwise, reads) = (share(more.otherwise), share(more.reads));
        let default = share(raw.default);
        let extra = (!plain).then(|| {
            Box::new(Extra {
                map,
                otherwise,
                none: self.shared.texts(&more.none),
                scale: more.scale,
                references: Box::default(),
                reload,
                reads,
                live: more.live.map(Box::new),
            })
        });
        Param {
            name,
            object: id,
            facets: raw.facets as u16,
            writable: raw.writable,
            shown,
            ty: facets.value_type(),
            notify: raw.notify,
            source,
            default,
            extra,
        }
    }

    fn check_binding(&mut self, about: &str, binding: &Binding, facets: &Facets, at: At) {
        match binding {
            Binding::Uci(uci) if uci.words && facets.list.is_none() => {
                self.error(
                    at,
                    format!("{about}: words = true is for lists; add list = true"),
                );
            }
            Binding::Uci(uci) if (uci.item.is_some() || uci.entry) && facets.list.is_some() => {
                self.error(
                    at,
                    format!("{about}: item takes one entry of a list; take item or list out"),
                );
            }
            // A constant with a row's key in it is only known later.
            Binding::Constant(text) if !text.contains("{row") => {
                if let Err(why) = facets.check(text) {
                    self.error(at, format!("{about}: constant: {text:?} {why}"));
                }
            }
            _ => {}
        }
    }

    fn check_map(
        &mut self,
        about: &str,
        at: At,
        writable: bool,
        raw: &RawMore,
        facets: &Facets,
    ) -> Map {
        let mut map: Vec<(Text, Text)> = Vec::new();
        for (value, text) in &raw.map {
            let canonical = match facets.check_item(value) {
                Ok(canonical) => canonical,
                Err(why) => {
                    self.error(at, format!("{about}: map: {value:?} {why}"));
                    continue;
                }
            };
            if map.iter().any(|(_, t)| **t == **text) {
                self.error(
                    at,
                    format!("{about}: map: two values stand for {text:?}; keep one"),
                );
            }
            map.push((self.shared.text(&canonical), self.shared.text(text)));
        }
        if !map.is_empty() && raw.scale.is_some() {
            self.error(at, format!("{about}: map and scale exclude each other"));
        }
        if writable && !map.is_empty() {
            let missing = facets.enumeration.iter().find(|e| {
                raw.otherwise.as_deref() != Some(&***e) && !map.iter().any(|(v, _)| **v == ***e)
            });
            if let Some(missing) = missing {
                self.error(
                    at,
                    format!("{about}: map lacks {missing:?} of enum; add it"),
                );
            }
        }
        self.shared.map(map)
    }
}

/// `Device.A.B.` → `Device.A.`, `B`.
fn split_last(path: &str) -> (&str, &str) {
    let inner = path.strip_suffix('.').unwrap_or(path);
    match inner.rfind('.') {
        Some(at) => (&inner[..=at], &inner[at + 1..]),
        None => ("", inner),
    }
}

/// Why a place cannot be written, if so.
fn unwritable(binding: &Binding, facets: &Facets, refers: bool) -> Option<&'static str> {
    match binding {
        // A Set of the one value there can be changes nothing.
        Binding::Constant(text) => {
            let only = facets.enumeration.len() == 1 && facets.check(text).is_ok();
            // Of a reference it is the key of the one row.
            (!only && !refers).then_some(
                "a constant cannot be written; use memory or uci, or add an enum of this one value",
            )
        }
        Binding::Command(_) => Some("a command's output cannot be written; use uci or native"),
        Binding::Ubus(_) => Some("what ubus answers cannot be written; use uci or native"),
        Binding::File(at) => {
            let pick = &at.pick;
            let part = pick.line.is_some()
                || pick.row_field.is_some()
                || pick.field.is_some()
                || pick.column.is_some();
            part.then_some("only a whole file or a key=value line can be written")
        }
        Binding::Uci(_) | Binding::Native(_) | Binding::Memory(_) => None,
    }
}
