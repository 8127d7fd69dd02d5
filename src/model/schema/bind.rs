//! Bindings in TOML form → [`Binding`] and [`Rows`].

use super::bind_ubus;
use super::fields::Fields;
use crate::model::binding::{
    Binding, CommandAt, DirRows, FileAt, LineRows, Pick, Rows, Text, UciAt, UciItems, UciPart,
    UciRare, UciRows, UciThrough,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use toml::de::DeValue;

const PICK_KEYS: [&str; 6] = ["line", "key", "row_field", "field", "column", "separator"];

/// The binding under one source key of a parameter.
pub(crate) fn binding(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<Binding> {
    match key {
        "uci" => uci(fields).map(|at| Binding::Uci(Box::new(at))),
        "file" | "proc" | "sysfs" => file(fields, key).map(|at| Binding::File(Box::new(at))),
        "command" => command(fields).map(|at| Binding::Command(Box::new(at))),
        "ubus" => bind_ubus::value(fields).map(|at| Binding::Ubus(Box::new(at))),
        "native" => word(fields, key).map(Binding::Native),
        "memory" => word(fields, key).map(Binding::Memory),
        "constant" => fields
            .scalar(key)
            .map(|text| Binding::Constant(fields.share(&text))),
        _ => None,
    }
}

pub(super) fn word(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<Text> {
    let text = fields.shared(key)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        fields.wrong(key, "is no name; write one without white space");
        return None;
    }
    Some(text)
}

/// Opens the table of a key, with these keys known.
pub(super) fn open<'r, 'e, 't>(
    fields: &'r mut Fields<'_, 'e, 't>,
    key: &str,
    known: &[&str],
) -> Option<Fields<'r, 'e, 't>> {
    let value = fields.value(key)?;
    let at = fields.at_of(key);
    match value.get_ref() {
        DeValue::Table(table) => Some(Fields::open(fields.report, key, at, table, known)),
        _ => None,
    }
}

pub(super) fn is_table(fields: &Fields<'_, '_, '_>, key: &str) -> bool {
    matches!(
        fields.value(key).map(|v| v.get_ref()),
        Some(DeValue::Table(_))
    )
}

const UCI_KEYS: [&str; 10] = [
    "at",
    "as",
    "item",
    "words",
    "create",
    "part",
    "separator",
    "through",
    "or",
    "clears",
];

fn uci(fields: &mut Fields<'_, '_, '_>) -> Option<UciAt> {
    let (text, mut at) = if is_table(fields, "uci") {
        let mut inner = open(fields, "uci", &UCI_KEYS)?;
        let Some(text) = inner.text("at") else {
            if !inner.has("at") {
                inner.wrong_here("has no at; add at = \"package.section.option\"");
            }
            return None;
        };
        (text, uci_options(&mut inner))
    } else {
        (fields.text("uci")?, UciAt::default())
    };
    let parsed = parse_uci(&text);
    if parsed.is_none() {
        fields.wrong(
            "uci",
            format!("{text:?} is no place; write package.section.option, the section as a name, {{row}} or @type[n]"),
        );
    }
    let (package, section, option) = parsed?;
    if at.create.as_deref().is_some_and(|c| !is_uci_type(c)) {
        fields.wrong(
            "uci",
            "create is no section type; use letters, digits, - and _",
        );
    }
    let mut options = at.or().into_iter().chain(at.clears());
    if options.any(|name| !is_uci_name_with_rows(name)) {
        fields.wrong(
            "uci",
            "or and clears name options of the same section; use letters, digits and _",
        );
    }
    at.package = fields.share(package);
    at.section = fields.share(section);
    at.option = fields.share(option);
    Some(at)
}

/// What may stand beside `at`.
fn uci_options(inner: &mut Fields<'_, '_, '_>) -> UciAt {
    let separator = inner.shared("separator").filter(|s| !s.is_empty());
    let part = match (inner.number("part", 1), separator) {
        (Some(n), Some(separator)) => Some(UciPart { n, separator }),
        (None, None) => None,
        _ => {
            inner.wrong_here("part and separator go together; write part = 1, separator = \"-\"");
            None
        }
    };
    let rare = UciRare {
        part,
        through: uci_through(inner),
        or: inner.shared("or"),
        clears: {
            let clears = inner.texts("clears").unwrap_or_default();
            inner.report.shared.texts(&clears)
        },
    };
    let entry = matches!(inner.value("item").map(|v| v.get_ref()), Some(DeValue::String(s)) if s == "{row}");
    let at = UciAt {
        words: inner.flag("words").unwrap_or(false),
        item: match entry {
            true => None,
            false => inner.number("item", 1),
        },
        entry,
        codec: inner.has("as").then(|| word(inner, "as")).flatten(),
        create: inner.shared("create"),
        rare: (rare != UciRare::default()).then(|| Box::new(rare)),
        ..UciAt::default()
    };
    let ways = [
        at.words,
        at.item.is_some(),
        at.entry,
        at.part().is_some(),
        at.through().is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        inner.wrong_here("item, words, part and through exclude each other; keep one");
    }
    if at.entry && at.codec.is_none() {
        inner.wrong_here("item = \"{row}\" goes with as, which says what an entry means; add it");
    }
    if at.codec.is_some() && (at.words || at.part().is_some() || at.through().is_some()) {
        inner.wrong_here("as stands alone or with item; take words, part and through out");
    }
    at
}

fn uci_through(fields: &mut Fields<'_, '_, '_>) -> Option<UciThrough> {
    if !fields.has("through") {
        return None;
    }
    const SHAPE: &str = "write { type = \"zone\", key = \"name\", value = \"network\" }";
    let Some(mut inner) = open(fields, "through", &["type", "key", "value"]) else {
        fields.wrong("through", SHAPE);
        return None;
    };
    let texts = ["type", "key", "value"].map(|key| inner.shared(key).filter(|t| is_uci_type(t)));
    let [Some(section_type), Some(key), Some(value)] = texts else {
        inner.wrong_here(SHAPE);
        return None;
    };
    Some(UciThrough {
        section_type,
        key,
        value,
    })
}

fn parse_uci(text: &str) -> Option<(&str, &str, &str)> {
    let (package, rest) = text.split_once('.')?;
    let (section, option) = rest.rsplit_once('.')?;
    let section_ok = match section.strip_prefix('@') {
        Some(rest) => rest
            .strip_suffix(']')
            .and_then(|r| r.split_once('['))
            .is_some_and(|(kind, which)| {
                let by_option = which.split_once('=').is_some_and(|(option, value)| {
                    is_uci_type(option) && !value.is_empty() && !value.contains('.')
                });
                is_uci_type(kind) && (by_option || which.parse::<i32>().is_ok())
            }),
        None => is_uci_name_with_rows(section),
    };
    (is_uci_type(package) && section_ok && is_uci_name_with_rows(option))
        .then_some((package, section, option))
}

/// Names of packages and section types.
fn is_uci_type(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Names of sections and options; placeholders count as letters.
fn is_uci_name_with_rows(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'{' | b'}'))
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

fn file(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<FileAt> {
    let (path, pick, in_place) = if is_table(fields, key) {
        let mut known = PICK_KEYS.to_vec();
        known.extend(["path", "in_place"]);
        let mut inner = open(fields, key, &known)?;
        let Some(path) = inner.text("path") else {
            if !inner.has("path") {
                inner.wrong_here("has no path; add path = \"/…\"");
            }
            return None;
        };
        let pick = pick(&mut inner);
        (path, pick, inner.flag("in_place"))
    } else {
        (fields.text(key)?, Pick::default(), None)
    };
    let start = match key {
        "proc" => "/proc/",
        "sysfs" => "/sys/",
        _ => "/",
    };
    if !is_absolute(&path) || !path.starts_with(start) {
        fields.wrong(
            key,
            format!("{path:?} is no path here; begin it with {start}, without .."),
        );
        return None;
    }
    Some(FileAt {
        path,
        pick,
        // What the kernel shows as files cannot be replaced by others.
        in_place: in_place.unwrap_or(key != "file"),
    })
}

fn pick(fields: &mut Fields<'_, '_, '_>) -> Pick {
    let pick = Pick {
        line: fields.number("line", 1),
        key: fields.text("key"),
        row_field: fields.number("row_field", 1),
        field: fields.number("field", 1),
        column: fields.text("column"),
        separator: fields.text("separator"),
    };
    let ways = [
        pick.line.is_some(),
        pick.key.is_some(),
        pick.row_field.is_some(),
    ];
    if ways.iter().filter(|w| **w).count() > 1 {
        fields.wrong_here("line, key and row_field exclude each other; keep one");
    }
    if pick.field.is_some() && pick.column.is_some() {
        fields.wrong_here("field and column exclude each other; keep one");
    }
    pick
}

fn command(fields: &mut Fields<'_, '_, '_>) -> Option<CommandAt> {
    if !is_table(fields, "command") {
        fields.wrong(
            "command",
            "is no table; write { argv = [\"/path\", \"argument\"] }",
        );
        return None;
    }
    let mut known = PICK_KEYS.to_vec();
    known.push("argv");
    let mut inner = open(fields, "command", &known)?;
    let argv = inner.texts("argv").unwrap_or_default();
    if !argv.first().is_some_and(|program| is_absolute(program)) {
        inner.wrong_here(
            "argv needs the absolute path of a program first; write argv = [\"/path\"]",
        );
        return None;
    }
    let pick = pick(&mut inner);
    Some(CommandAt { argv, pick })
}

/// The `rows` key of a table.
#[expect(
    clippy::indexing_slicing,
    reason = "`form` is a place in FORMS, and KEYS is as long"
)]
pub(crate) fn rows(fields: &mut Fields<'_, '_, '_>) -> Option<Rows> {
    const FORMS: [&str; 7] = ["uci", "items", "dir", "lines", "fixed", "native", "ubus"];
    const KEYS: [&[&str]; 7] = [
        &[
            "uci", "type", "only", "new", "parent", "key", "within", "as",
        ],
        &["items", "first", "as", "new"],
        &["dir", "with", "without", "numeric", "except"],
        &["lines", "key", "key_has", "min_fields", "skip", "separator"],
        &["fixed"],
        &["native"],
        &["ubus", "method", "arguments", "pointer", "key"],
    ];
    let Some(DeValue::Table(table)) = fields.value("rows").map(|v| v.get_ref()) else {
        fields.wrong(
            "rows",
            "is no table; write { uci = \"package\", type = \"type\" } or another form",
        );
        return None;
    };
    let Some(form) = FORMS.iter().position(|f| table.contains_key(*f)) else {
        fields.wrong(
            "rows",
            format!("has no form; write one of: {}", FORMS.join(", ")),
        );
        return None;
    };
    let at = fields.at_of("rows");
    let mut inner = Fields::open(fields.report, "rows", at, table, KEYS[form]);
    match FORMS[form] {
        "uci" => {
            let package = inner.shared("uci")?;
            let section_type = inner.shared("type").unwrap_or_default();
            if !is_uci_type(&package) || !is_uci_type(&section_type) {
                inner.wrong_here(
                    "write uci = \"package\" and type = \"type\", each of letters, digits, - and _",
                );
                return None;
            }
            Some(Rows::Uci(Arc::new(UciRows {
                package,
                section_type,
                only: {
                    let texts = inner.choices("only").unwrap_or_default();
                    shared(&mut inner, &texts)
                },
                new: {
                    let texts = inner.pairs("new").unwrap_or_default();
                    shared(&mut inner, &texts)
                },
                parent: inner.shared("parent"),
                key: inner.shared("key"),
                within: inner.shared("within"),
                codec: inner.has("as").then(|| word(&mut inner, "as")).flatten(),
            })))
        }
        "items" => {
            let text = inner.text("items")?;
            let Some((package, section, option)) = parse_uci(&text) else {
                inner.wrong(
                    "items",
                    "is no place; write package.section.option, the section as a name, {row} or @type[n]",
                );
                return None;
            };
            Some(Rows::Items(Arc::new(UciItems {
                package: inner.share(package),
                section: inner.share(section),
                option: inner.share(option),
                first: inner.shared("first"),
                codec: inner.shared("as"),
                new: inner.shared("new").filter(|n| !n.is_empty()),
            })))
        }
        "dir" => {
            let path = absolute(&mut inner, "dir")?;
            Some(Rows::Dir(Box::new(DirRows {
                path,
                with: inner.text("with"),
                without: match inner.value("without").map(|v| v.get_ref()) {
                    Some(DeValue::Array(_)) => inner.texts("without").unwrap_or_default(),
                    _ => inner.text("without").into_iter().collect(),
                },
                numeric: inner.flag("numeric").unwrap_or(false),
                except: inner.texts("except").unwrap_or_default(),
            })))
        }
        "lines" => {
            let path = absolute(&mut inner, "lines")?;
            let key = inner.number("key", 1).unwrap_or(1);
            Some(Rows::Lines(Box::new(LineRows {
                path,
                key,
                min_fields: inner.number("min_fields", 1).unwrap_or(key),
                key_has: inner.text("key_has"),
                skip: inner.number("skip", 0).unwrap_or(0),
                separator: inner.text("separator").filter(|s| !s.is_empty()),
            })))
        }
        "fixed" => {
            let keys = inner.texts("fixed")?;
            let distinct: BTreeSet<&String> = keys.iter().collect();
            if keys.is_empty() || distinct.len() != keys.len() || keys.iter().any(String::is_empty)
            {
                inner.wrong(
                    "fixed",
                    "is no list of different keys; write [\"1\", \"2\"]",
                );
                return None;
            }
            Some(Rows::Fixed(inner.report.shared.texts(&keys)))
        }
        "native" => word(&mut inner, "native").map(Rows::Native),
        _ => bind_ubus::rows(&mut inner).map(|at| Rows::Ubus(Box::new(at))),
    }
}

/// Pairs of texts, by the first.
fn shared(fields: &mut Fields<'_, '_, '_>, pairs: &[(String, String)]) -> Box<[(Text, Text)]> {
    let mut pairs: Vec<(Text, Text)> = pairs
        .iter()
        .map(|(name, text)| (fields.share(name), fields.share(text)))
        .collect();
    pairs.sort();
    pairs.into()
}

fn absolute(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<String> {
    let path = fields.text(key)?;
    if is_absolute(&path) {
        return Some(path);
    }
    fields.wrong(
        key,
        format!("{path:?} is no absolute path; begin it with /, without .."),
    );
    None
}

/// Every text of a binding that may hold placeholders.
pub(crate) fn texts_of(binding: &Binding) -> Vec<&str> {
    fn of_pick(pick: &Pick) -> impl Iterator<Item = &str> {
        pick.key.iter().chain(&pick.column).map(String::as_str)
    }
    match binding {
        Binding::Uci(at) => [&at.section, &at.option]
            .into_iter()
            .chain(at.or())
            .chain(at.clears())
            .map(|text| &**text)
            .collect(),
        Binding::File(at) => std::iter::once(at.path.as_str())
            .chain(of_pick(&at.pick))
            .collect(),
        Binding::Command(at) => at
            .argv
            .iter()
            .map(String::as_str)
            .chain(of_pick(&at.pick))
            .collect(),
        Binding::Ubus(at) => {
            let mut texts = bind_ubus::texts_of(&at.call);
            texts.push(&at.pointer);
            texts
        }
        Binding::Native(text) | Binding::Constant(text) | Binding::Memory(text) => vec![text],
    }
}

/// Every text of a table's rows that may hold placeholders (of the rows around it).
pub(crate) fn texts_of_rows(rows: &Rows) -> Vec<&str> {
    match rows {
        Rows::Uci(at) => at
            .only
            .iter()
            .chain(&*at.new)
            .map(|(_, text)| &**text)
            .collect(),
        Rows::Items(at) => [&at.section, &at.option]
            .into_iter()
            .chain(&at.first)
            .map(|text| &**text)
            .collect(),
        Rows::Dir(at) => std::iter::once(at.path.as_str())
            .chain(at.with.as_deref())
            .chain(at.without.iter().map(String::as_str))
            .collect(),
        Rows::Lines(at) => vec![&at.path],
        Rows::Fixed(keys) => keys.iter().map(|key| &**key).collect(),
        Rows::Native(name) => vec![name],
        Rows::Ubus(at) => {
            let mut texts = bind_ubus::texts_of(&at.call);
            texts.push(&at.pointer);
            texts
        }
    }
}

/// The depths of the placeholders in a text, 0 for `{row}`; an error for one that is none.
pub(crate) fn placeholders(text: &str) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("{row") {
        let rest = &text[at + 4..];
        let digits = rest.split_once('}').map(|(d, _)| d);
        match digits {
            Some("") => found.push(0),
            Some(d) if d.bytes().all(|b| b.is_ascii_digit()) && !d.starts_with('0') => {
                match d.parse() {
                    Ok(n) => found.push(n),
                    Err(_) => return Err(format!("{text:?} holds a placeholder out of bounds")),
                }
            }
            _ => {
                return Err(format!(
                    "{text:?} holds a broken placeholder; write {{row}} or {{row1}}"
                ));
            }
        }
    }
    Ok(found)
}
