//! Data-model TOML → raw objects, later files over earlier ones. What can be said about
//! one key alone is checked here; what needs the whole tree, in [`super::check`].

use super::fields::{At, Fields, Report};
use super::shared::Shared;
use super::{Notify, SchemaError};
use crate::model::binding::{Binding, Text};
use crate::model::facets::{Facets, List};
use crate::model::named;
use crate::model::pattern::Pattern;
use crate::model::value;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// Bytes of one data-model file at most.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// An object as the files describe it.
#[derive(Debug, Default)]
pub(crate) struct RawObject {
    pub at: At,
    pub rows: Option<(crate::model::binding::Rows, At)>,
    pub writable: Option<(bool, At)>,
    pub by_key: Option<(bool, At)>,
    pub max_rows: Option<(u32, At)>,
    pub unique: Option<(Vec<Vec<String>>, At)>,
    pub ordered: Option<(Vec<Vec<String>>, At)>,
    pub entries: Option<(String, At)>,
    pub reload: Option<Vec<String>>,
    pub params: BTreeMap<Text, RawParam>,
}

/// Where a parameter's value comes from.
#[derive(Debug)]
pub(crate) enum RawSource {
    At(Binding),
    Alias,
}

/// A parameter as its file describes it.
#[derive(Debug)]
pub(crate) struct RawParam {
    pub at: At,
    /// Its place in [`Shared::facets`].
    pub facets: usize,
    pub writable: bool,
    pub source: RawSource,
    pub default: Option<String>,
    pub hidden: bool,
    pub inform: bool,
    pub notify: Notify,
    /// `None` where it would be empty.
    pub more: Option<Box<RawMore>>,
}

/// What few parameters have.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RawMore {
    /// TR-181 value, source text; of several texts for one value the first is written.
    pub map: Vec<(String, String)>,
    /// What every text that is not in `map` stands for.
    pub otherwise: Option<String>,
    /// Texts that stand for no value.
    pub none: Vec<String>,
    pub scale: Option<(i64, i64)>,
    pub references: Vec<String>,
    pub reload: Option<Vec<String>>,
    pub reads: Option<String>,
    /// Where the value stands that is in force while the source has none.
    pub live: Option<Binding>,
}

const OBJECT_KEYS: &[&str] = &[
    "rows", "access", "numbers", "max_rows", "unique", "ordered", "entries", "reload", "remove",
];

const PARAM_KEYS: &[&str] = &[
    "type",
    "access",
    "uci",
    "file",
    "proc",
    "sysfs",
    "command",
    "ubus",
    "native",
    "constant",
    "memory",
    "alias",
    "min",
    "max",
    "min_length",
    "max_length",
    "max_octets",
    "enum",
    "pattern",
    "list",
    "min_items",
    "max_items",
    "default",
    "hidden",
    "inform",
    "notify",
    "map",
    "otherwise",
    "none",
    "scale",
    "reference",
    "reload",
    "reads",
    "live",
];

const SOURCE_KEYS: &[&str] = &[
    "uci", "file", "proc", "sysfs", "command", "ubus", "native", "constant", "memory", "alias",
];

/// Reads one file into `objects`.
pub(crate) fn load_file(
    file: u16,
    name: &str,
    text: &str,
    objects: &mut BTreeMap<String, RawObject>,
    shared: &mut Shared,
    errors: &mut Vec<SchemaError>,
) {
    let mut report = Report::new(file, name, text, errors, shared);
    if text.len() > MAX_FILE {
        let at = report.at(0);
        report.error(
            at,
            format!("the file is larger than {MAX_FILE} bytes; part it"),
        );
        return;
    }
    let (table, problems) = DeTable::parse_recoverable(text);
    if !problems.is_empty() {
        // What could be read of a file that is no TOML would only give errors that follow
        // from the first.
        for problem in problems.iter().take(20) {
            let at = report.at(problem.span().map_or(0, |s| s.start));
            let mend = match problem.message() {
                what if what.contains("duplicate key") => "keep one of the two",
                _ => "write TOML",
            };
            report.error(at, format!("is no TOML: {}; {mend}", problem.message()));
        }
        return;
    }
    let table = table.get_ref();
    for (key, value) in table.iter() {
        let path = key.get_ref().as_ref();
        let at = report.at(key.span().start);
        if let Err(what) = check_object_path(path) {
            report.error(at, what);
            continue;
        }
        match value.get_ref() {
            DeValue::Table(fields) => load_object(&mut report, path, at, fields, objects),
            _ => report.error(at, format!("{path} is no table; write [\"{path}\"]")),
        }
    }
}

/// Whether a text is an object path of a schema: `Device.A.{i}.B.`.
fn check_object_path(path: &str) -> Result<(), String> {
    let Some(inner) = path.strip_suffix('.') else {
        return Err(format!(
            "{path} is no object path; write it in quotes and with a dot at the end, as [\"Device.Time.\"]"
        ));
    };
    if path.len() > 256 {
        return Err(format!("{path} is longer than 256 characters"));
    }
    let mut before = "";
    for (i, segment) in inner.split('.').enumerate() {
        if i == 0 && segment != "Device" {
            return Err(format!(
                "{path} does not begin with Device.; there is one root"
            ));
        }
        let legal = match segment {
            // `Device.{i}.` would be a second root.
            "{i}" => i > 1 && before != "{i}",
            _ => crate::model::path::is_name(segment),
        };
        if !legal {
            return Err(format!(
                "{path} holds {segment:?}; write names of letters, digits, - and _, and {{i}} after a table's name"
            ));
        }
        before = segment;
    }
    Ok(())
}

fn load_object(
    report: &mut Report<'_>,
    path: &str,
    at: At,
    table: &DeTable<'_>,
    objects: &mut BTreeMap<String, RawObject>,
) {
    let object = objects.entry(path.to_owned()).or_insert_with(|| RawObject {
        at,
        ..RawObject::default()
    });
    let is_param = |key: &str| key.starts_with(|c: char| c.is_ascii_uppercase());
    let known: Vec<&str> = OBJECT_KEYS
        .iter()
        .copied()
        .chain(
            table
                .keys()
                .map(|k| k.get_ref().as_ref())
                .filter(|k| is_param(k)),
        )
        .collect();
    // Unknown keys are reported here, by the object's own keys alone.
    for key in table.keys() {
        if !known.contains(&key.get_ref().as_ref()) {
            let at = report.at(key.span().start);
            report.error(
                at,
                format!(
                    "{path}: unknown key {}; parameters begin with a capital, the object's own keys are: {}",
                    key.get_ref(),
                    OBJECT_KEYS.join(", ")
                ),
            );
        }
    }
    let all: Vec<&str> = table.keys().map(|k| k.get_ref().as_ref()).collect();
    let mut fields = Fields::open(report, path, at, table, &all);
    for name in fields.texts("remove").unwrap_or_default() {
        if object.params.remove(name.as_str()).is_none() {
            fields.wrong("remove", format!("no earlier file has {name}; take it out"));
        }
    }
    if fields.has("rows") {
        let at = fields.at_of("rows");
        if let Some(rows) = super::bind::rows(&mut fields) {
            object.rows = Some((rows, at));
        }
    }
    if let Some(writable) = access(&mut fields) {
        object.writable = Some((writable, fields.at_of("access")));
    }
    if let Some(text) = fields.text("numbers") {
        match text.as_str() {
            "kept" | "key" => object.by_key = Some((text == "key", fields.at_of("numbers"))),
            _ => fields.wrong("numbers", "write \"kept\" or \"key\""),
        }
    }
    if let Some(n) = fields.number("max_rows", 1) {
        object.max_rows = Some((n, fields.at_of("max_rows")));
    }
    if let Some(lists) = fields.text_lists("unique") {
        object.unique = Some((lists, fields.at_of("unique")));
    }
    if let Some(lists) = fields.text_lists("ordered") {
        object.ordered = Some((lists, fields.at_of("ordered")));
    }
    if let Some(name) = fields.text("entries") {
        object.entries = Some((name, fields.at_of("entries")));
    }
    if let Some(reload) = fields.texts("reload") {
        object.reload = Some(reload);
    }
    for (key, value) in table.iter().filter(|(k, _)| is_param(k.get_ref())) {
        let name = key.get_ref().as_ref();
        let at = report.at(key.span().start);
        let about = format!("{path}{name}");
        if !crate::model::path::is_name(name) {
            report.error(
                at,
                format!("{about}: is no parameter name; use letters, digits, - and _"),
            );
            continue;
        }
        match value.get_ref() {
            DeValue::Table(fields) => {
                if let Some(param) = load_param(report, about, at, fields) {
                    let name = report.shared.text(name);
                    object.params.insert(name, param);
                }
            }
            _ => report.error(
                at,
                format!("{about}: is no table; write {name} = {{ type = … }}"),
            ),
        }
    }
}

fn access(fields: &mut Fields<'_, '_, '_>) -> Option<bool> {
    match fields.text("access")?.as_str() {
        "ro" => Some(false),
        "rw" => Some(true),
        _ => {
            fields.wrong("access", "write \"ro\" or \"rw\"");
            None
        }
    }
}

fn load_param(
    report: &mut Report<'_>,
    about: String,
    at: At,
    table: &DeTable<'_>,
) -> Option<RawParam> {
    let before = report.errors.len();
    let mut fields = Fields::open(report, about, at, table, PARAM_KEYS);
    let facets = load_facets(&mut fields)?;
    let sources: Vec<&str> = SOURCE_KEYS
        .iter()
        .copied()
        .filter(|k| fields.has(k))
        .collect();
    let source = match sources.as_slice() {
        [] => {
            fields.wrong_here(format!(
                "has no source; add one of: {}",
                SOURCE_KEYS.join(", ")
            ));
            None
        }
        ["alias"] => match fields.flag("alias") {
            Some(true) => Some(RawSource::Alias),
            Some(false) => {
                fields.wrong("alias", "write alias = true, or another source instead");
                None
            }
            None => None,
        },
        [one] => super::bind::binding(&mut fields, one).map(RawSource::At),
        [_, second, ..] => {
            let all = sources.join(" and ");
            fields.wrong(second, format!("has {all}; a parameter has one source"));
            None
        }
    };
    let scale = fields.scalar("scale").and_then(|text| match ratio(&text) {
        Some(ratio) => Some(ratio),
        None => {
            fields.wrong("scale", "is no ratio; write \"1000\" or \"1/1024\"");
            None
        }
    });
    let notify = match fields.text("notify").as_deref() {
        None => Notify::Normal,
        Some("forced") => Notify::Forced,
        Some("active") => Notify::Active,
        Some("deny") => Notify::CanDeny,
        Some(_) => {
            fields.wrong("notify", "write \"forced\", \"active\" or \"deny\"");
            Notify::Normal
        }
    };
    let none = match fields.value("none").map(|v| v.get_ref()) {
        Some(DeValue::Array(_)) => fields.texts("none").unwrap_or_default(),
        Some(_) => fields.text("none").into_iter().collect(),
        None => Vec::new(),
    };
    let references = match fields.value("reference").map(|v| v.get_ref()) {
        Some(DeValue::Array(_)) => fields.texts("reference").unwrap_or_default(),
        Some(_) => fields.text("reference").into_iter().collect(),
        None => Vec::new(),
    };
    let live = live(&mut fields);
    let more = RawMore {
        map: fields.choices("map").unwrap_or_default(),
        otherwise: fields.scalar("otherwise"),
        none,
        scale,
        references,
        reload: fields.texts("reload"),
        reads: fields.scalar("reads"),
        live,
    };
    let param = RawParam {
        at,
        facets: fields.report.shared.facets(facets),
        writable: access(&mut fields).unwrap_or(false),
        source: source?,
        default: fields.scalar("default"),
        hidden: fields.flag("hidden").unwrap_or(false),
        inform: fields.flag("inform").unwrap_or(false),
        notify,
        more: (more != RawMore::default()).then(|| Box::new(more)),
    };
    (fields.report.errors.len() == before).then_some(param)
}

/// `live = { native = "name" }`, or another source that is read only.
fn live(fields: &mut Fields<'_, '_, '_>) -> Option<Binding> {
    const SOURCES: [&str; 6] = ["native", "sysfs", "proc", "file", "ubus", "constant"];
    let value = fields.value("live")?;
    let at = fields.at_of("live");
    let DeValue::Table(table) = value.get_ref() else {
        fields.wrong("live", "is no table; write { native = \"name\" }");
        return None;
    };
    let mut inner = Fields::open(fields.report, "live", at, table, &SOURCES);
    let given: Vec<&str> = SOURCES.into_iter().filter(|s| inner.has(s)).collect();
    let [one] = given.as_slice() else {
        inner.wrong_here(format!(
            "has one source; write one of: {}",
            SOURCES.join(", ")
        ));
        return None;
    };
    super::bind::binding(&mut inner, one)
}

fn load_facets(fields: &mut Fields<'_, '_, '_>) -> Option<Facets> {
    let Some(name) = fields.text("type") else {
        if !fields.has("type") {
            fields.wrong_here("has no type; add type = \"string\" or another");
        }
        return None;
    };
    let Some(named) = named::find(&name) else {
        let all: Vec<&str> = named::names().collect();
        fields.wrong(
            "type",
            format!("{name} is unknown; write one of: {}", all.join(", ")),
        );
        return None;
    };
    let mut facets = Facets::of(named);
    let number = named.base.is_number();
    for key in ["min", "max"] {
        if let Some(text) = fields.scalar(key) {
            match value::canonical(named.base, &text) {
                Ok(bound) if number && key == "min" => facets.min = Some(bound.into()),
                Ok(bound) if number => facets.max = Some(bound.into()),
                Ok(_) => fields.wrong(
                    key,
                    format!("{name} is no number; write {key}_length or take it out"),
                ),
                Err(what) => fields.wrong(key, format!("{text} {what}")),
            }
        }
    }
    for key in ["min_length", "max_length"] {
        if let Some(n) = fields.number(key, 0) {
            let sized = !number && !matches!(name.as_str(), "boolean" | "dateTime");
            match key {
                _ if !sized => fields.wrong(key, format!("{name} has no length; take it out")),
                "min_length" => facets.min_length = Some(n),
                _ => facets.max_length = Some(n),
            }
        }
    }
    if let Some(n) = fields.number("max_octets", 1) {
        match named.base {
            value::ValueType::String => facets.max_octets = Some(n),
            _ => fields.wrong("max_octets", "is for strings; write max_length"),
        }
    }
    if let (Some(min), Some(max)) = (&facets.min, &facets.max)
        && value::compare_decimal(min, max).is_gt()
    {
        fields.wrong("max", "is less than min; exchange them");
    }
    if let (Some(min), Some(max)) = (facets.min_length, facets.max_length)
        && min > max
    {
        fields.wrong("max_length", "is less than min_length; exchange them");
    }
    if let Some(text) = fields.text("pattern") {
        match Pattern::compile(&text) {
            Ok(pattern) => facets.pattern = Some(Box::new(pattern)),
            Err(what) => fields.wrong("pattern", what),
        }
    }
    let list = match fields.value("list").map(|v| v.get_ref()) {
        None => None,
        Some(DeValue::Boolean(on)) => on.then(List::default),
        Some(DeValue::Table(table)) => {
            let at = fields.at_of("list");
            let keys = ["min_items", "max_items", "max_length"];
            let mut inner = Fields::open(fields.report, "list", at, table, &keys);
            Some(List {
                min_items: inner.number("min_items", 0),
                max_items: inner.number("max_items", 1),
                max_length: inner.number("max_length", 1),
            })
        }
        Some(_) => {
            fields.wrong("list", "write list = true, or { max_items = 8 }");
            None
        }
    };
    facets.list = list;
    for key in ["min_items", "max_items"] {
        if let Some(n) = fields.number(key, 0) {
            match (&mut facets.list, key) {
                (Some(list), "min_items") => list.min_items = Some(n),
                (Some(list), _) => list.max_items = Some(n),
                (None, _) => fields.wrong(key, "the parameter is no list; add list = true"),
            }
        }
    }
    if let Some(values) = fields.texts("enum") {
        // Checked without the enumeration itself: each entry must be a value of the type.
        let mut seen: Vec<Box<str>> = Vec::new();
        for entry in values {
            match facets.check_item(&entry) {
                Ok(value) if seen.iter().any(|s| **s == *value) => {
                    fields.wrong("enum", format!("{entry:?} is there twice; take one out"));
                }
                Ok(value) => seen.push(value.into()),
                Err(what) => fields.wrong("enum", format!("{entry:?} {what}")),
            }
        }
        if seen.is_empty() {
            fields.wrong("enum", "is empty; list the values or take it out");
        }
        facets.enumeration = seen.into();
    }
    Some(facets)
}

/// `1000`, `1/1024`, `-1/2`.
fn ratio(text: &str) -> Option<(i64, i64)> {
    let (top, bottom) = text.split_once('/').unwrap_or((text, "1"));
    let top: i64 = top.trim().parse().ok()?;
    let bottom: i64 = bottom.trim().parse().ok()?;
    (top != 0 && bottom > 0).then_some((top, bottom))
}
