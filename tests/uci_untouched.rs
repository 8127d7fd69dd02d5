//! The UCI editor leaves alone what an edit is not about: every other line stays as it
//! is, byte for byte and in its place.

use cwmp_agent::uci::{self, EditError, Package};
use proptest::prelude::*;

/// A line (or the lines that quotes and backslashes join) of a made-up file.
#[derive(Debug, Clone)]
enum Unit {
    /// Its name and its text.
    Head(Option<&'static str>, String),
    /// The options on the line, of which there may be two.
    Options(Vec<&'static str>, String),
    /// A comment, an empty line, a package line.
    Other(&'static str),
}

impl Unit {
    fn text(&self) -> &str {
        match self {
            Unit::Head(.., text) | Unit::Options(_, text) => text,
            Unit::Other(text) => text,
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "list1"];

/// A file that mostly begins with a section, as options need one.
fn units() -> impl Strategy<Value = Vec<Unit>> {
    let first = prop::sample::select(vec![
        Unit::Head(None, "config rule\n".into()),
        Unit::Head(Some("s1"), "config rule s1\n".into()),
        Unit::Other("\n"),
    ]);
    (first, prop::collection::vec(unit(), 0..16)).prop_map(|(first, mut units)| {
        units.insert(0, first);
        units
    })
}

fn unit() -> impl Strategy<Value = Unit> {
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", " # note\n", "#n\n", " \t\n"]);
    let value = prop::sample::select(vec![
        "x",
        "'y z'",
        "\"q\\\"q\"",
        "it\\'s",
        "'l1\nl2'",
        "a'b'\"c\"",
        "\\#",
        "x\\\nz",
        "é",
        "''",
        "x \\\n\t",
        "x;lost 'text",
    ]);
    let indent = prop::sample::select(vec!["\t", "  ", "", " \t"]);
    let keyword = prop::sample::select(vec!["option ", "list ", "option\t ", "o ", "l "]);
    let option = (
        indent.clone(),
        keyword,
        prop::sample::select(NAMES.to_vec()),
        value,
        end.clone(),
    )
        .prop_map(|(indent, keyword, name, value, end)| {
            Unit::Options(vec![name], format!("{indent}{keyword}{name} {value}{end}"))
        });
    let two = (
        prop::sample::select(NAMES.to_vec()),
        prop::sample::select(NAMES.to_vec()),
    )
        .prop_map(|(a, b)| Unit::Options(vec![a, b], format!("o {a} 'x' ;\tlist {b} y #z\n")));
    let head = (
        indent,
        prop::sample::select(vec!["config ", "c ", "config\t"]),
        prop::sample::select(vec!["rule", "rule", "rule", "t##"]),
        prop::option::of(prop::sample::select(vec!["lan", "wan", "s1"])),
        end,
    )
        .prop_map(|(indent, keyword, kind, name, end)| {
            let quoted = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let text = format!("{indent}{keyword}'{kind}'{quoted}{end}");
            Unit::Head(name, text)
        });
    let other = prop::sample::select(vec![
        "\n",
        "\r\n",
        " \t\n",
        "# it's a comment\n",
        "\t# not \\\n",
        "package t\n",
    ])
    .prop_map(Unit::Other);
    prop_oneof![6 => option, 1 => two, 3 => head, 3 => other]
}

/// The section each unit belongs to.
fn owners(units: &[Unit]) -> Vec<Option<usize>> {
    let mut names: Vec<Option<&str>> = Vec::new();
    let mut current = None;
    units
        .iter()
        .map(|unit| match unit {
            Unit::Head(name, _) => {
                let known = name.and_then(|_| names.iter().position(|n| n == name));
                let at = known.unwrap_or_else(|| {
                    names.push(*name);
                    names.len() - 1
                });
                current = Some(at);
                current
            }
            Unit::Options(..) => current,
            Unit::Other(_) => None,
        })
        .collect()
}

#[derive(Debug, Clone)]
enum Edit {
    Set(&'static str, String),
    SetList(&'static str, Vec<String>),
    AddList(&'static str, String),
    DelList(&'static str, String),
    DeleteOption(&'static str),
    Rename,
    Kind,
    Add,
    Delete,
}

fn edit() -> impl Strategy<Value = Edit> {
    let name = prop::sample::select(vec!["a", "b", "list1", "new"]);
    let piece = prop::sample::select(vec![
        "",
        "x",
        "y z",
        "it's",
        "\\",
        "\nconfig x\n",
        "'; option evil 1",
        "#",
    ]);
    let value = prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat());
    let items = prop::collection::vec(value.clone(), 0..4);
    prop_oneof![
        4 => (name.clone(), value.clone()).prop_map(|(o, v)| Edit::Set(o, v)),
        3 => (name.clone(), items).prop_map(|(o, v)| Edit::SetList(o, v)),
        2 => (name.clone(), value.clone()).prop_map(|(o, v)| Edit::AddList(o, v)),
        2 => (name.clone(), value).prop_map(|(o, v)| Edit::DelList(o, v)),
        1 => name.prop_map(Edit::DeleteOption),
        1 => Just(Edit::Rename),
        1 => Just(Edit::Kind),
        1 => Just(Edit::Add),
        2 => Just(Edit::Delete),
    ]
}

fn make(package: &mut Package, s: usize, edit: &Edit) -> Result<(), EditError> {
    match edit {
        Edit::Set(o, v) => package.set(s, o, v),
        Edit::SetList(o, v) => package.set_list(s, o, v),
        Edit::AddList(o, v) => package.add_list(s, o, v),
        Edit::DelList(o, v) => package.del_list(s, o, v),
        Edit::DeleteOption(o) => package.delete_option(s, o),
        Edit::Rename => package.rename_section(s, "renamed"),
        Edit::Kind => package.set_kind(s, "other"),
        Edit::Add => package.add_section("rule", Some("added")).map(drop),
        Edit::Delete => package.delete_section(s),
    }
}

/// Which units an edit may change, and whether new lines may stand behind a unit that
/// it may not change.
fn touched(
    units: &[Unit],
    owners: &[Option<usize>],
    s: usize,
    edit: &Edit,
) -> (Vec<bool>, Option<usize>) {
    let own = |at: usize| owners[at] == Some(s);
    let option = match edit {
        Edit::Set(o, _) | Edit::AddList(o, _) | Edit::DelList(o, _) => Some(*o),
        Edit::SetList(o, _) => Some(*o),
        Edit::DeleteOption(o) => Some(*o),
        _ => None,
    };
    let mut may: Vec<bool> = units
        .iter()
        .enumerate()
        .map(|(at, unit)| match (unit, edit) {
            (_, Edit::Delete) => own(at),
            (Unit::Head(..), Edit::Rename | Edit::Kind) => own(at),
            (Unit::Options(names, _), _) => option.is_some_and(|o| names.contains(&o)) && own(at),
            _ => false,
        })
        .collect();
    let mut behind = None;
    if matches!(edit, Edit::Add) {
        behind = units.len().checked_sub(1);
    } else if option.is_some() && !may.contains(&true) {
        behind = (0..units.len()).rfind(|at| own(*at));
        // It gets a line of its own first.
        if let Some(at) = behind
            && matches!(&units[at], Unit::Options(names, _) if names.len() > 1)
        {
            may[at] = true;
        }
    }
    (may, behind)
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The file without its empty lines.
fn without_blanks(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !is_blank(line))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_an_edit_is_not_about_stay_byte_for_byte(
        units in units(),
        place in 0..8usize,
        edit in edit(),
    ) {
        let before: String = units.iter().map(Unit::text).collect();
        let Ok(mut package) = Package::parse(before.as_bytes()) else {
            return Ok(());
        };
        let owners = owners(&units);
        let sections = package.sections().len();
        prop_assert_eq!(owners.iter().flatten().max().map_or(0, |last| last + 1), sections);
        let s = place % sections.max(1);
        let result = make(&mut package, s, &edit);
        let after = String::from_utf8(package.to_bytes()).expect("everything was UTF-8");
        if result.is_err() {
            prop_assert_eq!(after, before);
            return Ok(());
        }
        let (may, behind) = touched(&units, &owners, s, &edit);
        if matches!(edit, Edit::Delete) {
            // Of two empty lines that meet one goes; all else stays.
            let stay: String = units.iter().zip(&may).filter(|(_, may)| !**may).map(|(u, _)| u.text()).collect();
            prop_assert_eq!(without_blanks(&after), without_blanks(&stay));
            return Ok(());
        }
        // Everything before the first and behind the last place of change…
        let first = may.iter().position(|may| *may).or(behind.map(|at| at + 1)).unwrap_or(units.len());
        let last = may.iter().rposition(|may| *may).map(|at| at + 1).or(behind.map(|at| at + 1)).unwrap_or(0);
        let head: String = units[..first].iter().map(Unit::text).collect();
        let tail: String = units[last.max(first)..].iter().map(Unit::text).collect();
        prop_assert!(after.starts_with(&head), "{edit:?} of {s}\n{before}\n---\n{after}");
        let rest = &after[head.len()..];
        prop_assert!(rest.ends_with(&tail), "{edit:?} of {s}\n{before}\n---\n{after}");
        if behind.is_none() && !may.contains(&true) {
            prop_assert_eq!(&after, &before);
        }
        // … and what stands between two of them, in its order.
        let mut middle = &rest[..rest.len() - tail.len()];
        for at in first..last {
            if !may[at] {
                let text = units[at].text();
                let found = middle.find(text);
                prop_assert!(found.is_some(), "{text:?} is lost: {edit:?} of {s}\n{before}\n---\n{after}");
                middle = &middle[found.unwrap_or(0) + text.len()..];
            }
        }
    }
}

#[test]
fn an_edit_refused_for_its_size_leaves_commands_on_the_line_they_share() {
    let mut text = b"config a 'a'\no x '1' ;o y '2' ;o z '3'\n".to_vec();
    text.resize(uci::MAX_BYTES, b'#');
    let mut package = Package::parse(&text).expect("valid");
    let refusals = [
        package.set(0, "y", "longer"),
        package.add_list(0, "new", "item"),
        package.rename_section(0, "longer"),
    ];
    for refused in refusals {
        assert!(
            matches!(refused, Err(EditError::TooLarge { .. })),
            "{refused:?}"
        );
    }
    assert!(package.to_bytes() == text, "a refused edit changes nothing");
}

#[test]
fn ten_thousand_sections_get_names_in_one_pass() {
    let text = "config rule\n\toption a 'b'\n\toption c 'd'\n\n".repeat(10_000);
    let mut package = Package::parse(text.as_bytes()).expect("valid");
    let names: Vec<String> = (0..10_000).map(|n| format!("rule_{n}")).collect();
    let new: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
    let begin = std::time::Instant::now();
    package.rename_sections(&new).expect("free names");
    // One pass for each name takes minutes.
    assert!(begin.elapsed().as_secs() < 20);
    assert_eq!(package.section("rule_9999"), Some(9_999));
    let again = Package::parse(&package.to_bytes()).expect("valid");
    assert_eq!(again.sections(), package.sections());
    assert_eq!(again.sections()[5_000].name(), Some("rule_5000"));
}

#[test]
fn many_sections_are_renamed_all_or_none() {
    let text = b"config a 'x'\nconfig b\nconfig a\n";
    let mut package = Package::parse(text).expect("valid");
    let taken = Err(EditError::NameTaken { name: "x".into() });
    assert_eq!(package.rename_sections(&[(2, "fine"), (1, "x")]), taken);
    let none = Err(EditError::NoSection { index: 3 });
    assert_eq!(package.rename_sections(&[(2, "fine"), (3, "y")]), none);
    assert_eq!(package.to_bytes(), text);
    // Two that swap their names stand in nobody's way.
    package.rename_sections(&[(1, "y")]).expect("a free name");
    package
        .rename_sections(&[(0, "y"), (1, "x")])
        .expect("each gives its name up");
    assert_eq!(
        package.to_bytes(),
        b"config a 'y'\nconfig b 'x'\nconfig a\n"
    );
    assert_eq!(
        (package.section("y"), package.section("x")),
        (Some(0), Some(1))
    );
}
