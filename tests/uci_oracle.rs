//! The UCI reader and editor against what OpenWrt's own `uci` program says.
//!
//! The cases come from outside the repository: `CWMP_UCI_ORACLE` names a file of them,
//! else `uci-oracle/cases.json` of the shared folder is taken.

use cwmp_agent::uci::{EditError, Package, Section, Value};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// The cases, or `None` where they are not there and need not be.
fn cases() -> Option<Vec<Json>> {
    let path = match std::env::var_os("CWMP_UCI_ORACLE") {
        Some(path) => PathBuf::from(path),
        None => {
            let shared = match std::env::var_os("CWMP_SHARED") {
                Some(path) => PathBuf::from(path),
                None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
            };
            let path = shared.join("uci-oracle/cases.json");
            let required = std::env::var_os("CWMP_REQUIRE_SHARED").is_some_and(|v| v == "1");
            if !path.exists() && !required {
                println!("skipped: there is no {}", path.display());
                return None;
            }
            path
        }
    };
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<Json> = serde_json::from_slice(&text).expect("a list of cases");
    assert!(!cases.is_empty(), "{}: no cases", path.display());
    Some(cases)
}

/// A package in the form of the cases: `[type, name or null, {option: value}]`.
fn meaning(package: &Package) -> Json {
    let value = |value: &Value| match value {
        Value::One(text) => Json::from(text.as_str()),
        Value::List(items) => Json::from(items.clone()),
    };
    let section = |s: &Section| {
        let options: serde_json::Map<String, Json> = s
            .options()
            .map(|(name, v)| (name.to_string(), value(v)))
            .collect();
        Json::from(vec![
            Json::from(s.kind()),
            Json::from(s.name()),
            Json::from(options),
        ])
    };
    package
        .sections()
        .iter()
        .map(section)
        .collect::<Vec<_>>()
        .into()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key)
        .and_then(Json::as_str)
        .unwrap_or_else(|| panic!("{key} is missing: {json}"))
}

/// An edit of the `uci` program, made here.
fn edit(package: &mut Package, edit: &Json) -> Result<(), EditError> {
    let op = text(edit, "op");
    if op == "add" {
        return package.add_section(text(edit, "type"), None).map(drop);
    }
    let reference = text(edit, "section");
    let option = edit.get("option").and_then(Json::as_str);
    let Some(section) = package.find(reference) else {
        return match (op, option) {
            ("set", None) => package
                .add_section(text(edit, "type"), Some(reference))
                .map(drop),
            _ => Err(EditError::NoSection { index: usize::MAX }),
        };
    };
    match (op, option) {
        ("set", Some(option)) => package.set(section, option, text(edit, "value")),
        ("set", None) => package.set_kind(section, text(edit, "type")),
        ("delete", Some(option)) => package.delete_option(section, option),
        ("delete", None) => package.delete_section(section),
        ("add_list", Some(option)) => package.add_list(section, option, text(edit, "value")),
        ("del_list", Some(option)) => package.del_list(section, option, text(edit, "value")),
        ("rename", None) => package.rename_section(section, text(edit, "name")),
        _ => panic!("an unknown edit: {edit}"),
    }
}

/// The lines of a file that are not empty.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes
        .split(|&b| b == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .collect()
}

/// Whether `edit` may change or make such a line, judged by the line alone: it names the
/// option, it is of the section as a whole, or it belongs to a value that spans lines.
fn concerned(edit: &Json, line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let keyword = words.next().unwrap_or_default();
    let name = words.next().unwrap_or_default().trim_matches(['\'', '"']);
    let is_option = matches!(keyword, "option" | "list" | "o" | "l");
    let is_config = matches!(keyword, "config" | "c");
    let is_other = keyword.starts_with('#') || keyword == "package";
    match (edit.get("option").and_then(Json::as_str), text(edit, "op")) {
        _ if is_other => false,
        (Some(option), _) if is_option => name == option,
        (Some(_), _) => !is_config,
        (None, "delete") => true,
        (None, _) => is_config,
    }
}

/// Lines that the edit does not concern stay byte for byte and in order, and no line
/// appears that it does not concern.
fn nothing_else_is_touched(before: &[u8], after: &[u8], edit: &Json) {
    let shown = || {
        format!(
            "{edit}\nbefore:\n{}\nafter:\n{}",
            String::from_utf8_lossy(before),
            String::from_utf8_lossy(after)
        )
    };
    let (old, new) = (lines(before), lines(after));
    let same = |i: usize, j: usize| {
        // A last line without line end gets one when lines are appended.
        let unended = i + 1 == old.len() && !before.ends_with(b"\n");
        new[j] == old[i] || unended && new[j].strip_suffix(b"\r") == Some(old[i])
    };
    // The longest common sequence of lines, from the end: what is not in it has changed.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if same(i, j) {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && same(i, j) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let gone = j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1];
        let line = if gone { old[i] } else { new[j] };
        let text = String::from_utf8_lossy(line);
        assert!(concerned(edit, line), "{text:?} was touched: {}", shown());
        (i, j) = if gone { (i + 1, j) } else { (i, j + 1) };
    }
}

#[test]
fn files_mean_what_libuci_reads_in_them() {
    let Some(cases) = cases() else { return };
    for (number, case) in cases.iter().enumerate() {
        let input = text(case, "input");
        let wanted = case.get("sections").expect("sections");
        match Package::parse(input.as_bytes()) {
            Err(error) => assert!(
                wanted.is_null(),
                "case {number}: refused ({error}):\n{input}"
            ),
            Ok(package) => {
                assert_eq!(&meaning(&package), wanted, "case {number}:\n{input}");
                assert_eq!(package.to_bytes(), input.as_bytes(), "case {number}");
            }
        }
    }
}

#[test]
fn edits_do_what_libuci_does_and_touch_nothing_else() {
    let Some(cases) = cases() else { return };
    for (number, case) in cases.iter().enumerate() {
        let Some(edits) = case.get("edits").and_then(Json::as_array) else {
            continue;
        };
        let input = text(case, "input");
        let mut package = Package::parse(input.as_bytes()).expect("edited files are readable");
        let mut clash = false;
        for step in edits {
            let before = package.to_bytes();
            let done = edit(&mut package, step);
            // libuci gives a section the name of one of another type and writes a file
            // that it cannot read; that one thing is refused here.
            clash =
                text(step, "op") == "rename" && matches!(done, Err(EditError::NameTaken { .. }));
            if clash {
                println!("case {number}: left at a rename to the name of another type");
                break;
            }
            let wanted = step.get("ok").and_then(Json::as_bool).expect("ok");
            assert_eq!(
                done.is_ok(),
                wanted,
                "case {number}: {step}: {done:?}\n{input}"
            );
            let after = package.to_bytes();
            nothing_else_is_touched(&before, &after, step);
            if done.is_err() {
                assert_eq!(
                    before, after,
                    "case {number}: a refused edit changes nothing"
                );
            }
        }
        if clash {
            continue;
        }
        let written = package.to_bytes();
        let shown = || {
            let written = String::from_utf8_lossy(&written);
            format!("case {number}:\n{input}\nbecame\n{written}")
        };
        let again = Package::parse(&written).unwrap_or_else(|e| panic!("{e}: {}", shown()));
        assert_eq!(Some(&meaning(&again)), case.get("after"), "{}", shown());
    }
}
