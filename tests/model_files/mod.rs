//! The shipped data-model files as plain TOML, without our own loader: what tests hold
//! them against must not depend on it.

#![allow(dead_code)]

use cwmp_agent::source::builtin;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// A data-model file as TOML: name, objects.
pub fn shipped() -> Vec<(String, Table)> {
    builtin::files()
        .into_iter()
        .map(|(name, text)| {
            let table = text
                .parse::<Table>()
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, table)
        })
        .collect()
}

/// Object paths to what is written about them, all files together.
pub fn objects() -> BTreeMap<String, Table> {
    let mut all: BTreeMap<String, Table> = BTreeMap::new();
    for (name, file) in shipped() {
        for (path, object) in file {
            let Value::Table(object) = object else {
                panic!("{name}: {path} is no table")
            };
            assert!(
                all.insert(path.clone(), object).is_none(),
                "{name}: {path} stands in two files"
            );
        }
    }
    all
}

pub fn is_parameter(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Parameter paths to what is written about them.
pub fn parameters() -> BTreeMap<String, Table> {
    let mut all = BTreeMap::new();
    for (path, object) in objects() {
        for (key, value) in object {
            if let (true, Value::Table(parameter)) = (is_parameter(&key), value) {
                all.insert(format!("{path}{key}"), parameter);
            }
        }
    }
    all
}

pub fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

/// `reference = "…"` or a list of them.
pub fn references(parameter: &Table) -> Vec<String> {
    match parameter.get("reference") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

pub fn flag(table: &Table, key: &str) -> bool {
    table.get(key).and_then(Value::as_bool).unwrap_or(false)
}

pub fn number(table: &Table, key: &str) -> Option<i64> {
    table.get(key).and_then(Value::as_integer)
}

/// `list = true` or `list = { … }`.
pub fn is_list(parameter: &Table) -> bool {
    flag(parameter, "list") || parameter.get("list").is_some_and(Value::is_table)
}

/// A bound of the list as a whole.
pub fn list_bound(parameter: &Table, key: &str) -> Option<i64> {
    match parameter.get("list") {
        Some(Value::Table(list)) => number(list, key),
        _ if key == "max_items" => number(parameter, key),
        _ => None,
    }
}

pub fn strings(value: Option<&Value>) -> BTreeSet<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
