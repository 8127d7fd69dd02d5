//! The data-model files in checked form: which objects and parameters exist, what their
//! values may be and where they live.
//!
//! ```text
//! (name, text)… ── load: TOML, one key at a time ──> raw objects ── check: the tree as
//! a whole ──> Schema
//! ```
//!
//! Equal texts and facets are kept once, and what few parameters have is apart from what
//! all have, because a router holds this tree in memory for as long as it runs.

mod bind;
mod bind_ubus;
mod check;
mod fields;
mod load;
mod relate;
mod shared;

use super::binding::{Binding, Rows, Text};
use super::facets::Facets;
use super::value::{ValueType, canonical, is_plain_number};
use shared::Shared;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Errors reported at once at most.
const MAX_ERRORS: usize = 200;

/// A data-model file. Its text is asked for when it is read, so that those of a whole tree
/// need not be in memory at once.
pub trait ModelFile {
    /// Its name in messages.
    fn name(&self) -> &str;
    /// All of it. It is asked for again where an error names a line.
    fn text(&self) -> Cow<'_, str>;
}

impl ModelFile for (String, String) {
    fn name(&self) -> &str {
        &self.0
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.1)
    }
}

/// One thing wrong in a data-model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// What is wrong; what to write instead.
    pub what: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for SchemaError {}

/// How changes of a parameter are reported by default (`activeNotify` in TR-106).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// Off until the ACS asks.
    #[default]
    Normal,
    /// Always active (forceEnabled).
    Forced,
    /// Active until the ACS says otherwise (forceDefaultEnabled).
    Active,
    /// The CPE may deny active notification (canDeny); this one grants it.
    CanDeny,
}

/// An object of a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(u16);

impl ObjectId {
    /// The root of every schema.
    pub(crate) const ROOT: ObjectId = ObjectId(0);

    /// Its place among the schema's objects.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A parameter of a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(u16);

/// The checked tree of objects and parameters.
#[derive(Debug)]
pub struct Schema {
    objects: Vec<Object>,
    params: Vec<Param>,
    facets: Vec<Facets>,
    /// Parameters that every Inform carries.
    informing: Box<[ParamId]>,
    /// Parameters with notification unless the ACS says otherwise.
    notifying: Box<[ParamId]>,
}

/// A single object or a table (then this is the table and the shape of its rows).
#[derive(Debug)]
pub(crate) struct Object {
    pub name: Text,
    pub parent: Option<ObjectId>,
    /// Rows around a parameter here: the `{i}` in the path, this object's own included.
    pub depth: u8,
    params: Range<u16>,
    /// Sorted by name.
    pub children: Box<[ObjectId]>,
    pub table: Option<Box<Table>>,
    /// Pairs of which the first value must not exceed the second.
    pub ordered: Box<[(ParamId, ParamId)]>,
}

/// What makes an object a table.
#[derive(Debug)]
pub(crate) struct Table {
    pub rows: Rows,
    /// AddObject and DeleteObject are allowed.
    pub writable: bool,
    /// The instance number is the row's key.
    pub by_key: bool,
    pub max_rows: Option<u32>,
    pub unique: Box<[Box<[ParamId]>]>,
    pub alias: Option<ParamId>,
    pub enable: Option<ParamId>,
    /// What AddObject and DeleteObject make stale.
    pub reload: Box<[Text]>,
}

/// A parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub name: Text,
    pub object: ObjectId,
    facets: u16,
    pub writable: bool,
    pub shown: Shown,
    /// As its facets have it.
    pub ty: ValueType,
    pub notify: Notify,
    pub source: ParamSource,
    /// Canonical.
    pub default: Option<Text>,
    pub extra: Option<Box<Extra>>,
}

/// What has to be done to what a parameter's source says, so that it can be shown. Most
/// texts are shown as they are, which is to cost next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Always as an empty text.
    Hidden,
    /// As the text of its constant.
    Constant,
    /// Any text as it is.
    AsItIs,
    /// A number of up to nine digits as it is.
    Number,
    /// A number of up to 18 digits as it is.
    Long,
    /// A boolean, in whatever words.
    Boolean,
    /// All else.
    Made,
}

impl Shown {
    /// How a value from this place is shown where nothing is said of it but its type.
    pub(super) fn plainly(facets: &Facets, binding: &Binding) -> Shown {
        if facets.list.is_some() {
            return Shown::Made;
        }
        let shown = match facets.named.base {
            ValueType::String => Shown::AsItIs,
            ValueType::Long | ValueType::UnsignedLong => Shown::Long,
            ValueType::Boolean => Shown::Boolean,
            base if base.is_number() => Shown::Number,
            _ => Shown::Made,
        };
        match binding {
            // A row's key may stand in it.
            Binding::Constant(text) if text.contains('{') => shown,
            Binding::Constant(text) => match canonical(facets.named.base, text) {
                Ok(canonical) if canonical == **text => Shown::Constant,
                _ => shown,
            },
            _ => shown,
        }
    }

    /// Whether a text is shown as it is.
    pub fn takes(self, text: &str) -> bool {
        match self {
            Shown::AsItIs => true,
            Shown::Number => is_plain_number(9, text),
            Shown::Long => is_plain_number(18, text),
            _ => false,
        }
    }
}

/// Where a parameter's value comes from.
#[derive(Debug)]
pub(crate) enum ParamSource {
    At(Binding),
    /// The row's alias, kept with the instance numbers.
    Alias,
    /// The number of rows of a table.
    Entries(ObjectId),
    /// ManagementServer.ParameterKey, kept by the model.
    ParameterKey,
}

/// TR-181 values and the texts of the source that stand for them.
pub(crate) type Map = Arc<[(Text, Text)]>;

/// What few parameters have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// (TR-181 value, source text)
    pub map: Map,
    /// What every text that is not in `map` stands for.
    pub otherwise: Option<Text>,
    /// Texts that stand for no value.
    pub none: Box<[Text]>,
    /// Value = source × this ratio.
    pub scale: Option<(i64, i64)>,
    /// The tables whose rows the value names.
    pub references: Box<[ObjectId]>,
    pub reload: Option<Box<[Text]>>,
    pub reads: Option<Text>,
    /// Read where the source has no value.
    pub live: Option<Box<Binding>>,
}

impl Extra {
    /// Whether a value is the source's text, once that is known to stand for a value.
    pub fn leaves_values_alone(&self) -> bool {
        self.map.is_empty()
            && self.otherwise.is_none()
            && self.scale.is_none()
            && self.references.is_empty()
    }
}

impl Schema {
    /// As [`of`](Schema::of), of (name for messages, text) each.
    pub fn load(files: &[(String, String)]) -> Result<Schema, Vec<SchemaError>> {
        let files: Vec<&dyn ModelFile> = files.iter().map(|file| file as _).collect();
        Schema::of(&files)
    }

    /// Reads data-model files; a later one overrides an earlier one. All errors of all files
    /// are returned, in order of file and line.
    pub fn of(files: &[&dyn ModelFile]) -> Result<Schema, Vec<SchemaError>> {
        let mut objects = BTreeMap::new();
        let mut errors = Vec::new();
        let mut shared = Shared::default();
        for (i, given) in files.iter().enumerate() {
            let Ok(file) = u16::try_from(i) else {
                errors.push(SchemaError {
                    file: given.name().to_owned(),
                    line: 1,
                    what: "more than 65535 data-model files; join some".to_owned(),
                });
                break;
            };
            let (name, text) = (given.name(), given.text());
            load::load_file(file, name, &text, &mut objects, &mut shared, &mut errors);
        }
        let names: Vec<&str> = files.iter().map(|file| file.name()).collect();
        let unread = !errors.is_empty();
        let schema = check::build(objects, shared, &names, unread, &mut errors);
        match schema {
            Some(schema) if errors.is_empty() => Ok(schema),
            _ => {
                let place = |e: &SchemaError| names.iter().position(|n| *n == e.file);
                errors.sort_by_key(|a| (place(a), a.line));
                errors.dedup();
                errors.truncate(MAX_ERRORS);
                Err(errors)
            }
        }
    }

    /// All objects, parents before children.
    pub fn objects(&self) -> impl Iterator<Item = ObjectView<'_>> {
        // Ids are given out below 65 536 (check::build).
        (0..self.objects.len()).map(|i| ObjectView {
            schema: self,
            id: ObjectId(i as u16),
        })
    }

    /// All parameters, those of one object together.
    pub fn parameters(&self) -> impl Iterator<Item = ParameterView<'_>> {
        (0..self.params.len()).map(|i| ParameterView {
            schema: self,
            id: ParamId(i as u16),
        })
    }

    /// The parameter of a schema path (`Device.NAT.PortMapping.{i}.Enable`).
    pub fn parameter(&self, path: &str) -> Option<ParameterView<'_>> {
        let (object, name) = path.rsplit_once('.')?;
        let id = self.param_named(self.object_at(object)?, name)?;
        Some(ParameterView { schema: self, id })
    }

    /// The object of a schema path without its last dot.
    fn object_at(&self, path: &str) -> Option<ObjectId> {
        let mut parts = path.split('.').peekable();
        let root = self.root();
        if parts.next() != Some(&*self.object(root).name) {
            return None;
        }
        let mut at = root;
        while let Some(part) = parts.next() {
            at = self.child_named(at, part)?;
            let marked = parts.next_if_eq(&"{i}").is_some();
            if marked != self.object(at).table.is_some() {
                return None;
            }
        }
        Some(at)
    }

    /// Where the rows of a table come from, by its path with instance numbers
    /// (`Device.WiFi.Radio.1.Ssid.`).
    pub(crate) fn rows_at(&self, table: &str) -> Option<&Rows> {
        let parts = table.strip_suffix('.')?.split('.');
        let template: Vec<&str> = parts
            .map(|part| match part.parse::<u32>() {
                Ok(_) => "{i}",
                Err(_) => part,
            })
            .chain(["{i}"])
            .collect();
        let id = self.object_at(&template.join("."))?;
        self.object(id).table.as_ref().map(|t| &t.rows)
    }

    /// The table that the object at this place is.
    pub(crate) fn table_at(&self, place: usize) -> Option<&Table> {
        self.objects.get(place)?.table.as_deref()
    }

    pub(crate) fn root(&self) -> ObjectId {
        ObjectId::ROOT
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "ids are of this schema, and objects are never taken away"
    )]
    pub(crate) fn object(&self, id: ObjectId) -> &Object {
        // Ids come from this schema only, and objects are never taken away.
        &self.objects[usize::from(id.0)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "ids are of this schema, and parameters are never taken away"
    )]
    pub(crate) fn param(&self, id: ParamId) -> &Param {
        // As for objects.
        &self.params[usize::from(id.0)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "parameters hold places in `facets`, which never shrinks"
    )]
    pub(crate) fn facets(&self, id: ParamId) -> &Facets {
        &self.facets[usize::from(self.param(id).facets)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "parameters hold places in `facets`, which never shrinks"
    )]
    pub(crate) fn facets_of(&self, param: &Param) -> &Facets {
        &self.facets[usize::from(param.facets)]
    }

    pub(crate) fn params_of(
        &self,
        object: ObjectId,
    ) -> impl ExactSizeIterator<Item = ParamId> + use<> {
        self.object(object).params.clone().map(ParamId)
    }

    /// The same, as what they are.
    #[expect(
        clippy::indexing_slicing,
        reason = "an object's range lies within `params`"
    )]
    pub(crate) fn params_in(&self, object: ObjectId) -> &[Param] {
        let range = &self.object(object).params;
        &self.params[usize::from(range.start)..usize::from(range.end)]
    }

    /// Parameters that every Inform carries.
    pub(crate) fn informing(&self) -> &[ParamId] {
        &self.informing
    }

    /// Parameters with notification unless the ACS says otherwise.
    pub(crate) fn notifying(&self) -> &[ParamId] {
        &self.notifying
    }

    pub(crate) fn all_params(&self) -> impl Iterator<Item = ParamId> + use<> {
        (0..self.params.len() as u16).map(ParamId)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an object's range lies within `params`"
    )]
    pub(crate) fn param_named(&self, object: ObjectId, name: &str) -> Option<ParamId> {
        let range = self.object(object).params.clone();
        let params = &self.params[usize::from(range.start)..usize::from(range.end)];
        let at = params.binary_search_by(|p| (*p.name).cmp(name)).ok()?;
        Some(ParamId(range.start + at as u16))
    }

    pub(crate) fn child_named(&self, object: ObjectId, name: &str) -> Option<ObjectId> {
        let children = &self.object(object).children;
        let at = children
            .binary_search_by(|c| (*self.object(*c).name).cmp(name))
            .ok()?;
        children.get(at).copied()
    }

    /// The objects from the root down to this one.
    pub(crate) fn line_of(&self, id: ObjectId) -> Vec<ObjectId> {
        // Few are deeper.
        let mut line = Vec::with_capacity(8);
        line.push(id);
        let mut at = id;
        while let Some(parent) = self.object(at).parent {
            line.push(parent);
            at = parent;
        }
        line.reverse();
        line
    }

    /// Whether an object is this one or around it.
    pub(crate) fn is_around(&self, object: ObjectId, id: ObjectId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at.filter(|id| *id != object) {
            at = self.object(id).parent;
        }
        at.is_some()
    }

    /// The schema path, with `{i}` for rows and a dot at the end.
    pub(crate) fn path_of(&self, id: ObjectId) -> String {
        // Most are not longer.
        let mut path = String::with_capacity(64);
        for id in self.line_of(id) {
            let object = self.object(id);
            path.push_str(&object.name);
            path.push_str(if object.table.is_some() { ".{i}." } else { "." });
        }
        path
    }

    /// Whether this is the path of a table, without the `{i}.` of its rows.
    pub(crate) fn is_path_of_table(&self, table: ObjectId, path: &str) -> bool {
        let mut left = path.strip_suffix('.');
        let mut at = table;
        loop {
            let object = self.object(at);
            left = left.and_then(|left| left.strip_suffix(&*object.name));
            let Some(parent) = object.parent else {
                return left == Some("");
            };
            let end = match self.object(parent).table {
                Some(_) => ".{i}.",
                None => ".",
            };
            left = left.and_then(|left| left.strip_suffix(end));
            at = parent;
        }
    }

    /// Packages to reload when this parameter has changed.
    pub(crate) fn reload_of(&self, id: ParamId) -> Vec<Text> {
        let param = self.param(id);
        if let Some(reload) = param.extra.as_ref().and_then(|e| e.reload.as_ref()) {
            return reload.to_vec();
        }
        match &param.source {
            ParamSource::At(Binding::Uci(at)) => vec![Text::clone(&at.package)],
            _ => Vec::new(),
        }
    }
}

/// An object as the files describe it, for those who compare or print schemas.
#[derive(Clone, Copy)]
pub struct ObjectView<'a> {
    schema: &'a Schema,
    id: ObjectId,
}

impl<'a> ObjectView<'a> {
    /// `Device.NAT.PortMapping.{i}.`
    pub fn path(&self) -> String {
        self.schema.path_of(self.id)
    }

    /// Whether the object is a table (its path ends in `{i}.`).
    pub fn is_table(&self) -> bool {
        self.schema.object(self.id).table.is_some()
    }

    /// Whether AddObject and DeleteObject are allowed.
    pub fn writable(&self) -> bool {
        self.schema
            .object(self.id)
            .table
            .as_ref()
            .is_some_and(|t| t.writable)
    }

    /// Where a table's rows come from.
    pub fn rows(&self) -> Option<&'a Rows> {
        self.schema.object(self.id).table.as_ref().map(|t| &t.rows)
    }

    /// How many rows AddObject may make; beyond: 9004.
    pub fn max_rows(&self) -> Option<u32> {
        self.schema.object(self.id).table.as_ref()?.max_rows
    }
}

/// A parameter as the files describe it.
#[derive(Clone, Copy)]
pub struct ParameterView<'a> {
    schema: &'a Schema,
    id: ParamId,
}

impl<'a> ParameterView<'a> {
    /// `Device.NAT.PortMapping.{i}.Enable`
    pub fn path(&self) -> String {
        let param = self.schema.param(self.id);
        let mut path = self.schema.path_of(param.object);
        path.push_str(&param.name);
        path
    }

    /// The last part of the path.
    pub fn name(&self) -> &'a str {
        &self.schema.param(self.id).name
    }

    /// The type as written in the file: `Alias`, `unsignedInt`.
    pub fn type_name(&self) -> &'static str {
        self.facets().named.name
    }

    /// The type on the wire: `string` for lists.
    pub fn value_type(&self) -> ValueType {
        self.facets().value_type()
    }

    /// Range, lengths, enumeration, pattern, list.
    pub fn facets(&self) -> &'a Facets {
        self.schema.facets(self.id)
    }

    /// Whether SetParameterValues is allowed.
    pub fn writable(&self) -> bool {
        self.schema.param(self.id).writable
    }

    /// Whether it always reads as "" (passwords).
    pub fn hidden(&self) -> bool {
        self.schema.param(self.id).shown == Shown::Hidden
    }

    /// Whether every Inform carries the parameter.
    pub fn inform(&self) -> bool {
        self.schema.informing.contains(&self.id)
    }

    /// What the ACS may ask for in notifications.
    pub fn notify(&self) -> Notify {
        self.schema.param(self.id).notify
    }

    /// The value where the source has none, in canonical form.
    pub fn default(&self) -> Option<&'a str> {
        self.schema.param(self.id).default.as_deref()
    }

    /// Where the value lives; `None` for aliases, ParameterKey and counts of entries,
    /// which the model keeps itself.
    pub fn binding(&self) -> Option<&'a Binding> {
        match &self.schema.param(self.id).source {
            ParamSource::At(binding) => Some(binding),
            _ => None,
        }
    }

    /// What is read where the place itself has nothing (`live`).
    pub fn live(&self) -> Option<&'a Binding> {
        let extra = self.schema.param(self.id).extra.as_ref()?;
        extra.live.as_deref()
    }

    /// Whether this is a `…NumberOfEntries` added by the loader.
    pub fn counts_entries(&self) -> bool {
        matches!(self.schema.param(self.id).source, ParamSource::Entries(_))
    }

    /// The value is a command: it always reads this.
    pub fn reads(&self) -> Option<&'a str> {
        let extra = self.schema.param(self.id).extra.as_ref()?;
        extra.reads.as_deref()
    }

    /// The tables whose rows the value may name, as schema paths.
    pub fn references(&self) -> Vec<String> {
        match &self.schema.param(self.id).extra {
            Some(extra) => extra
                .references
                .iter()
                .map(|id| self.schema.path_of(*id))
                .collect(),
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_path_and_no_other() {
        let text = r#"
["Device.A.B.{i}."]
rows = { uci = "a", type = "b" }
["Device.A.B.{i}.C.{i}."]
rows = { uci = "a", type = "c", parent = "b" }
Name = { type = "string", constant = "{row}" }
"#;
        let files = [("a.toml".to_owned(), text.to_owned())];
        let schema = Schema::load(&files).expect("a good file");
        let tables = (0..schema.objects.len() as u16).map(ObjectId);
        let tables: Vec<ObjectId> = tables
            .filter(|id| schema.object(*id).table.is_some())
            .collect();
        assert_eq!(tables.len(), 2);
        for table in &tables {
            for other in &tables {
                let path = schema.path_of(*other);
                let path = path.strip_suffix("{i}.").expect("a table's path");
                assert_eq!(schema.is_path_of_table(*table, path), table == other);
            }
            for none in [
                "",
                ".",
                "A.B.",
                "Device.A.B",
                "Device.A.B.{i}.",
                "xDevice.A.B.",
            ] {
                assert!(!schema.is_path_of_table(*table, none), "{none}");
            }
        }
    }
}
