//! The shipped data model on a sample router, for tests that look at values and files.

// Each test program uses a part of this.
#![allow(dead_code)]

use crate::router::Router;
use crate::router_model;
use cwmp_agent::model::{Model, SetError, SetItem};
use cwmp_agent::source::builtin;
use std::collections::BTreeMap;

/// The shipped data model.
pub fn files() -> Vec<(String, String)> {
    builtin::files()
}

/// A sample router and its model, as an agent that has just started has it.
pub fn fresh() -> (Router, Model) {
    let router = Router::new().expect("a folder for temporary files");
    let model = router_model::model(&router, &files());
    (router, model)
}

/// Sets parameters in one request: the packages to reload, or the codes by path.
pub fn set(model: &mut Model, items: &[(&str, &str)]) -> Result<Vec<String>, Vec<(String, u16)>> {
    model.begin();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    match model.set(&items, Some("key")) {
        Ok(outcome) => Ok(outcome.reload),
        Err(SetError::Parameters(faults)) => {
            Err(faults.into_iter().map(|f| (f.path, f.code)).collect())
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// All values below a path.
pub fn below(model: &mut Model, path: &str) -> BTreeMap<String, String> {
    model.begin();
    let all = model.get(&[path]).unwrap_or_else(|f| panic!("{path}: {f}"));
    all.into_iter().map(|e| (e.path, e.value)).collect()
}

/// The value of one parameter.
pub fn get(model: &mut Model, path: &str) -> String {
    below(model, path).remove(path).expect("the value")
}

/// Whether parameters have these values.
pub fn expect(model: &mut Model, values: &[(&str, &str)]) {
    for (path, value) in values {
        assert_eq!(get(model, path), *value, "{path}");
    }
}

/// A new row: its path, and the packages to reload.
pub fn add(model: &mut Model, table: &str) -> (String, Vec<String>) {
    model.begin();
    let (n, reload) = model
        .add(table, Some("k"))
        .unwrap_or_else(|f| panic!("{table}: {f}"));
    (format!("{table}{n}."), reload)
}

/// Takes a row away.
pub fn delete(model: &mut Model, row: &str) {
    model.begin();
    model
        .delete(row, Some("k"))
        .unwrap_or_else(|f| panic!("{row}: {f}"));
}

/// The text of a package.
pub fn read(router: &Router, package: &str) -> String {
    router
        .read(&format!("/etc/config/{package}"))
        .expect("a file")
}

/// Replaces a text in a package; it must be there.
pub fn edit(router: &Router, package: &str, from: &str, to: &str) {
    let text = read(router, package);
    assert!(text.contains(from), "{package} has no {from:?}");
    let path = format!("/etc/config/{package}");
    router
        .write(&path, &text.replacen(from, to, 1))
        .expect("written");
}
