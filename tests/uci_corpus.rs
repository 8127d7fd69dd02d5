//! Files as routers have them, in every style that libuci takes, and files that it does
//! not take: `tests/fixtures/uci/corpus/NAME` is the file, `NAME.json` what it says and
//! edits of it, `NAME.after` the very bytes that those edits make of it. `refused.json`
//! names the line at which each file of `refused/` is refused.

use cwmp_agent::uci::{EditError, Package, Value};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/uci/corpus")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read_json(name: &str) -> Json {
    serde_json::from_slice(&read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The names of all good files.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the corpus");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.into_string().expect("ASCII"))
        .filter_map(|name| name.strip_suffix(".after").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 36, "{} files", names.len());
    names
}

/// Type, name and options of each section, in order; a list is an array.
fn meaning(package: &Package) -> Json {
    let option = |(name, value): (&str, &Value)| {
        let value = match value {
            Value::One(text) => json!(text),
            Value::List(items) => json!(items),
        };
        json!([name, value])
    };
    let section = |s: &cwmp_agent::uci::Section| {
        json!([
            s.kind(),
            s.name(),
            s.options().map(option).collect::<Vec<_>>()
        ])
    };
    package.sections().iter().map(section).collect()
}

fn edit(package: &mut Package, edit: &Json) -> Result<(), EditError> {
    let text = |key: &str| edit.get(key).and_then(Json::as_str);
    let value = || text("value").expect("a value");
    if text("op") == Some("add") {
        let kind = text("type").expect("a type");
        return package.add_section(kind, text("name")).map(drop);
    }
    let section = text("section").expect("a section");
    let section = package
        .find(section)
        .unwrap_or_else(|| panic!("no section {section}"));
    match (text("op").expect("an op"), text("option")) {
        ("set", Some(option)) => package.set(section, option, value()),
        ("set_list", Some(option)) => {
            let items = edit.get("values").and_then(Json::as_array);
            let items = items.expect("values").iter();
            let items: Vec<String> = items
                .map(|item| item.as_str().expect("text").to_owned())
                .collect();
            package.set_list(section, option, &items)
        }
        ("add_list", Some(option)) => package.add_list(section, option, value()),
        ("del_list", Some(option)) => package.del_list(section, option, value()),
        ("delete", Some(option)) => package.delete_option(section, option),
        ("delete", None) => package.delete_section(section),
        ("rename", None) => package.rename_section(section, text("name").expect("a name")),
        ("kind", None) => package.set_kind(section, text("type").expect("a type")),
        _ => panic!("no such edit: {edit}"),
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_file_says_what_is_written_down_and_is_given_back_byte_for_byte() {
    for name in names() {
        let text = read(&name);
        let package = Package::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let wanted = &read_json(&format!("{name}.json"))["sections"];
        assert_eq!(&meaning(&package), wanted, "{name}");
        assert_eq!(shown(&package.to_bytes()), shown(&text), "{name}");
        assert!(package.to_bytes() == text, "{name}");
    }
}

#[test]
fn edits_make_exactly_the_bytes_that_are_written_down() {
    for name in names() {
        let mut package = Package::parse(&read(&name)).expect("a good file");
        let wanted = read(&format!("{name}.after"));
        for step in read_json(&format!("{name}.json"))["edits"]
            .as_array()
            .expect("edits")
        {
            edit(&mut package, step).unwrap_or_else(|e| panic!("{name}: {step}: {e}"));
        }
        let after = package.to_bytes();
        assert_eq!(shown(&after), shown(&wanted), "{name}");
        assert!(after == wanted, "{name}");
        let again = Package::parse(&after).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(meaning(&again), meaning(&package), "{name}");
    }
}

#[test]
fn the_same_edits_once_more_change_nothing() {
    // Those that say what shall be, not what shall be done.
    let lasting = ["set", "set_list"];
    for name in names() {
        let mut package = Package::parse(&read(&name)).expect("a good file");
        for step in read_json(&format!("{name}.json"))["edits"]
            .as_array()
            .expect("edits")
        {
            edit(&mut package, step).expect("checked elsewhere");
            if !lasting.contains(&step["op"].as_str().expect("an op")) {
                continue;
            }
            let once = package.to_bytes();
            edit(&mut package, step).expect("it was possible before");
            assert_eq!(shown(&package.to_bytes()), shown(&once), "{name}: {step}");
        }
    }
}

#[test]
fn what_libuci_does_not_take_is_refused_at_its_line_without_a_value() {
    let refused = read_json("refused.json");
    let refused = refused.as_object().expect("names and lines");
    let files = std::fs::read_dir(folder().join("refused")).expect("the corpus");
    assert_eq!(refused.len(), files.count(), "each file has its line");
    for (name, line) in refused {
        let text = read(&format!("refused/{name}"));
        let error = Package::parse(&text).expect_err(name);
        assert_eq!(json!(error.line), *line, "{name}: {error}");
        for secret in ["OpenWrt", "router", "192"] {
            assert!(!error.to_string().contains(secret), "{name}: {error}");
        }
    }
}

#[test]
fn line_ends_blanks_and_last_line_ends_have_no_meaning() {
    for name in names() {
        let text = read(&name);
        let package = Package::parse(&text).expect("a good file");
        let odd = ["several_commands_on_a_line", "continuation_lines"].contains(&&*name);
        let in_values = text.windows(2).any(|two| two == b"\r\n")
            || meaning(&package).to_string().contains("\\n");
        if !odd && !in_values {
            let dos = shown(&text).replace('\n', "\r\n");
            if let Ok(utf8) = String::from_utf8(text.clone()) {
                let dos = Package::parse(dos.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(meaning(&dos), meaning(&package), "{name} with CRLF");
                let spaced = utf8.replace('\n', " \t\n\n");
                let spaced = Package::parse(spaced.as_bytes());
                let spaced = spaced.unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(meaning(&spaced), meaning(&package), "{name} with blanks");
            }
        }
        if let Some(cut) = text.strip_suffix(b"\n") {
            let cut = Package::parse(cut).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(meaning(&cut), meaning(&package), "{name} cut");
        }
    }
}
