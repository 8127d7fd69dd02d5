//! The UCI editor on files that nobody wrote by hand: whatever the file and the edits,
//! memory and file say the same, and both say what a simple model says.

use cwmp_agent::uci::{self, EditError, Package, Value};
use proptest::prelude::*;

/// What a package means, for comparison: type, name, options.
type Meaning = Vec<(String, Option<String>, Vec<(String, Value)>)>;

fn meaning(package: &Package) -> Meaning {
    package
        .sections()
        .iter()
        .map(|s| {
            let options = s.options().map(|(n, v)| (n.to_string(), v.clone()));
            (
                s.kind().to_string(),
                s.name().map(Into::into),
                options.collect(),
            )
        })
        .collect()
}

/// A comparison that does not show values where it fails would help nobody here.
fn shown(meaning: &Meaning) -> String {
    let mut text = String::new();
    for (kind, name, options) in meaning {
        text.push_str(&format!("{kind} {name:?}\n"));
        for (option, value) in options {
            let list = value.as_one().is_none();
            text.push_str(&format!("  {option} list={list} {:?}\n", value.items()));
        }
    }
    text
}

/// The same without the order of options, which has no meaning.
fn ordered(mut meaning: Meaning) -> Meaning {
    for (_, _, options) in &mut meaning {
        options.sort_by(|a, b| a.0.cmp(&b.0));
    }
    meaning
}

#[derive(Debug, Clone)]
enum Edit {
    Set(usize, String, String),
    SetList(usize, String, Vec<String>),
    AddList(usize, String, String),
    DelList(usize, String, String),
    DeleteOption(usize, String),
    DeleteSection(usize),
    Add(String, Option<String>),
    Rename(usize, String),
    SetKind(usize, String),
}

impl Edit {
    /// The same edit of one of the sections there are, where there are any.
    fn within(mut self, sections: usize) -> Edit {
        if let Edit::Set(s, ..)
        | Edit::SetList(s, ..)
        | Edit::AddList(s, ..)
        | Edit::DelList(s, ..)
        | Edit::DeleteOption(s, _)
        | Edit::DeleteSection(s)
        | Edit::Rename(s, _)
        | Edit::SetKind(s, _) = &mut self
        {
            *s %= sections.max(1);
        }
        self
    }
}

/// The edit made to the package.
fn make(package: &mut Package, edit: &Edit) -> Result<(), EditError> {
    match edit {
        Edit::Set(s, o, v) => package.set(*s, o, v),
        Edit::SetList(s, o, v) => package.set_list(*s, o, v),
        Edit::AddList(s, o, v) => package.add_list(*s, o, v),
        Edit::DelList(s, o, v) => package.del_list(*s, o, v),
        Edit::DeleteOption(s, o) => package.delete_option(*s, o),
        Edit::DeleteSection(s) => package.delete_section(*s),
        Edit::Add(k, n) => package.add_section(k, n.as_deref()).map(drop),
        Edit::Rename(s, n) => package.rename_section(*s, n),
        Edit::SetKind(s, k) => package.set_kind(*s, k),
    }
}

/// The same edit made to its meaning; only for edits that were accepted.
fn imagine(model: &mut Meaning, edit: &Edit) {
    let put = |model: &mut Meaning, section: usize, option: &str, value: Option<Value>| {
        let options = &mut model[section].2;
        let known = options.iter().position(|(name, _)| name == option);
        match (known, value) {
            (Some(at), Some(value)) => options[at].1 = value,
            (Some(at), None) => drop(options.remove(at)),
            (None, Some(value)) => options.push((option.to_string(), value)),
            (None, None) => {}
        }
    };
    let get = |model: &Meaning, section: usize, option: &str| {
        let mut options = model[section].2.iter();
        options
            .find(|(name, _)| name == option)
            .map(|(_, value)| value.clone())
    };
    match edit {
        Edit::Set(s, o, v) => {
            put(model, *s, o, (!v.is_empty()).then(|| Value::One(v.clone())));
        }
        Edit::SetList(s, o, v) => {
            put(
                model,
                *s,
                o,
                (!v.is_empty()).then(|| Value::List(v.clone())),
            );
        }
        Edit::AddList(s, o, v) => {
            let mut items = get(model, *s, o)
                .map(|old| old.items().to_vec())
                .unwrap_or_default();
            items.push(v.clone());
            put(model, *s, o, Some(Value::List(items)));
        }
        Edit::DelList(s, o, v) => {
            if let Some(Value::List(mut items)) = get(model, *s, o) {
                items.retain(|item| item != v);
                put(
                    model,
                    *s,
                    o,
                    (!items.is_empty()).then_some(Value::List(items)),
                );
            }
        }
        Edit::DeleteOption(s, o) => put(model, *s, o, None),
        Edit::DeleteSection(s) => drop(model.remove(*s)),
        Edit::Add(k, n) => model.push((k.clone(), n.clone(), Vec::new())),
        Edit::Rename(s, n) => model[*s].1 = Some(n.clone()),
        Edit::SetKind(s, k) => model[*s].0 = k.clone(),
    }
}

/// Whether libuci's next reading would make one section of two.
fn ambiguous(model: &Meaning) -> bool {
    let mut names: Vec<&String> = model.iter().filter_map(|s| s.1.as_ref()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    names.len() != count
}

fn option_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "proto", "list1"]).prop_map(String::from)
}

fn section_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["lan", "wan", "s1", "guest"]).prop_map(String::from)
}

fn kind() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["interface", "rule", "wifi-iface", "t##", "a'b", ";"])
        .prop_map(String::from)
}

fn value() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "",
        "a",
        "1",
        " ",
        "'",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\t",
        "#",
        ";",
        "$(id)",
        "`id`",
        "ü",
        "config x\n",
        "\n\toption evil '1'",
        "'; option evil 1",
        "' option",
        "\\\n",
        "''",
    ]);
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn edit() -> impl Strategy<Value = Edit> {
    let section = 0..6usize;
    let list = prop::collection::vec(value(), 0..4);
    prop_oneof![
        4 => (section.clone(), option_name(), value()).prop_map(|(s, o, v)| Edit::Set(s, o, v)),
        2 => (section.clone(), option_name(), list).prop_map(|(s, o, v)| Edit::SetList(s, o, v)),
        2 => (section.clone(), option_name(), value()).prop_map(|(s, o, v)| Edit::AddList(s, o, v)),
        2 => (section.clone(), option_name(), prop::sample::select(vec!["x", "y z", ""]))
            .prop_map(|(s, o, v)| Edit::DelList(s, o, v.to_string())),
        1 => (section.clone(), option_name()).prop_map(|(s, o)| Edit::DeleteOption(s, o)),
        1 => section.clone().prop_map(Edit::DeleteSection),
        2 => (kind(), prop::option::of(section_name())).prop_map(|(k, n)| Edit::Add(k, n)),
        1 => (section.clone(), section_name()).prop_map(|(s, n)| Edit::Rename(s, n)),
        1 => (section, kind()).prop_map(|(s, k)| Edit::SetKind(s, k)),
    ]
}

/// Lines such as people, LuCI and nobody in his right mind write.
fn line() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec![
        "\n",
        "\n",
        "\n",
        "\r\n",
        " # note\n",
        "#note\n",
        "  \n",
    ]);
    let word = prop::sample::select(vec![
        "x",
        "'y z'",
        "\"q\\\"q\"",
        "''",
        "it\\'s",
        "'l1\nl2'",
        "a'b'\"c\"",
        "\\#",
        "x\\\nz",
        "é",
        "\"a\\\nb\"",
    ]);
    let option = (
        prop::sample::select(vec!["\t", "  ", "", "    "]),
        prop::sample::select(vec!["option ", "list ", "option\t", "o ", "l "]),
        prop::sample::select(vec!["a", "b", "'proto'", "\"list1\""]),
        word,
        end.clone(),
    )
        .prop_map(|(indent, keyword, name, value, end)| {
            format!("{indent}{keyword}{name} {value}{end}")
        });
    let config = (
        prop::sample::select(vec!["config ", "c ", "  config\t"]),
        prop::sample::select(vec![
            "rule",
            "'rule' ''",
            "rule lan",
            "\"rule\" 'lan'",
            "interface \"wan\"",
            "wifi-iface",
        ]),
        end,
    )
        .prop_map(|(keyword, section, end)| format!("{keyword}{section}{end}"));
    let other = prop::sample::select(vec![
        "\n",
        "# a comment with 'quotes\n",
        "\t# indented \\\n",
        "package t\n",
        "\r\n",
        "option a 'b' ;list b c\n",
        "option a b;lost 'text\n",
        "config 'rule' ;;option a b\n",
        "option a\n",
        "list b\n",
        "option b x '' option a 'y'\n",
        "option a x '' config rule # two\n",
    ])
    .prop_map(String::from);
    prop_oneof![6 => option, 3 => config, 2 => other]
}

/// A file, perhaps without its last line end, perhaps ending in a backslash.
fn file() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(line(), 0..14);
    let last = prop::sample::select(vec![
        "",
        "",
        "# end",
        "config rule \\",
        "\toption a b\\",
        "\toption a b\\\n",
    ]);
    let first = prop::sample::select(vec!["config rule s1\n", "#\r\nconfig 'rule'\r\n", ""]);
    (first, lines, last).prop_map(|(first, lines, last)| first.to_string() + &lines.concat() + last)
}

fn comments(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter(|line| line.trim_start().starts_with("# a comment"))
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_of_any_file_do_what_a_simple_model_does(
        text in file(),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let Ok(mut package) = Package::parse(text.as_bytes()) else {
            return Ok(());
        };
        prop_assert_eq!(package.to_bytes(), text.as_bytes());
        let mut model = meaning(&package);
        for edit in &edits {
            let edit = &edit.clone().within(model.len());
            let before = package.to_bytes();
            match make(&mut package, edit) {
                Ok(()) => imagine(&mut model, edit),
                Err(_) => prop_assert!(ordered(meaning(&package)) == ordered(model.clone())),
            }
            let after = package.to_bytes();
            let (now, model_now) = (ordered(meaning(&package)), ordered(model.clone()));
            prop_assert!(
                now == model_now,
                "{edit:?}\n{}\n---\n{}\nmeans\n{}\ninstead of\n{}",
                String::from_utf8_lossy(&before), String::from_utf8_lossy(&after),
                shown(&now), shown(&model_now)
            );
            prop_assert_eq!(comments(&before), comments(&after), "comments stay");
            for name in package.sections().iter().filter_map(|s| s.name()) {
                let first = package.sections().iter().position(|s| s.name() == Some(name));
                prop_assert_eq!(package.section(name), first, "{} after {:?}", name, edit);
            }
            if ambiguous(&model) {
                return Ok(());
            }
            let again = Package::parse(&after).map(|p| meaning(&p));
            prop_assert!(
                again.as_ref() == Ok(&meaning(&package)),
                "{edit:?}\n{}\nis read as {}",
                String::from_utf8_lossy(&after),
                again.map_or_else(|e| e.to_string(), |m| shown(&m))
            );
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fail_or_lose_one(text in "[cpol onfigst'\"\\\\#;\n\r\t=a1\u{e9}-]{0,60}") {
        if let Ok(package) = Package::parse(text.as_bytes()) {
            prop_assert_eq!(package.to_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn raw_bytes_stay(bytes in prop::collection::vec(1u8.., 0..40)) {
        // Quotes would end the value.
        let value: Vec<u8> = bytes.into_iter().filter(|b| *b != b'\'').collect();
        let text = [b"config a\n\toption raw '".as_slice(), &value, b"'\n\toption x '1'\n"].concat();
        let mut package = Package::parse(&text).expect("any byte may stand in quotes");
        package.set(0, "x", "22").expect("a plain value");
        let wanted = [b"config a\n\toption raw '".as_slice(), &value, b"'\n\toption x '22'\n"].concat();
        prop_assert_eq!(package.to_bytes(), wanted);
        package.add_list(0, "raw", "more").expect("a plain item");
        let raw = [b"list raw '".as_slice(), &value, b"'\n"].concat();
        if !value.is_empty() {
            prop_assert!(package.to_bytes().windows(raw.len()).any(|part| part == raw));
        }
    }

    #[test]
    fn any_text_without_control_characters_is_kept_exactly(value in "\\PC{0,30}") {
        let mut package = Package::parse(b"config a 'b'\n").expect("valid");
        package.set(0, "o", &value).expect("no control characters");
        let again = Package::parse(&package.to_bytes()).expect("valid");
        let read = again.sections()[0].get("o").and_then(Value::as_one).unwrap_or_default().to_string();
        prop_assert_eq!(read, value);
    }
}

#[test]
fn of_sections_with_one_name_the_first_is_found_also_when_it_goes() {
    let mut package = Package::parse(b"config a y\nconfig a x\nconfig a z\n").expect("UCI");
    let found = |package: &Package| ["x", "y", "z", "b"].map(|name| package.section(name));
    assert_eq!(found(&package), [Some(1), Some(0), Some(2), None]);
    package.rename_section(2, "y").expect("of one type");
    assert_eq!(found(&package), [Some(1), Some(0), None, None]);
    package.delete_section(0).expect("it is there");
    assert_eq!(found(&package), [Some(0), Some(1), None, None]);
    assert_eq!(package.add_section("a", Some("b")), Ok(2));
    package.delete_section(1).expect("it is there");
    assert_eq!(found(&package), [Some(0), None, None, Some(1)]);
    package.add_section("a", None).expect("a good type");
    package.delete_section(0).expect("it is there");
    assert_eq!(found(&package), [None, None, None, Some(0)]);
}

#[test]
fn values_uci_cannot_hold_are_refused_and_change_nothing() {
    let text = b"config a 'b'\n\toption o 'x'\n\tlist l 'y'\n";
    let mut package = Package::parse(text).expect("valid");
    for bad in ["\0", "a\u{1}", "\u{1b}[0m", "\u{b}"] {
        let refused = Err(EditError::BadValue { option: "o".into() });
        assert_eq!(package.set(0, "o", bad), refused);
        assert_eq!(package.add_list(0, "o", bad), refused);
        assert_eq!(
            package.set_list(0, "o", &["fine".into(), bad.into()]),
            refused
        );
    }
    for bad in ["", "a b", "a.b", "a-b", "é", "a\nb"] {
        assert!(
            matches!(package.set(0, bad, "x"), Err(EditError::BadName { .. })),
            "{bad:?}"
        );
        assert!(matches!(
            package.rename_section(0, bad),
            Err(EditError::BadName { .. })
        ));
        assert!(matches!(
            package.add_section("a", Some(bad)),
            Err(EditError::BadName { .. })
        ));
    }
    for bad in ["", "a b", "é", "a\nb"] {
        assert!(matches!(
            package.add_section(bad, None),
            Err(EditError::BadKind { .. })
        ));
    }
    assert_eq!(
        package.set(1, "o", "x"),
        Err(EditError::NoSection { index: 1 })
    );
    assert!(matches!(
        package.delete_option(0, "none"),
        Err(EditError::NoOption { .. })
    ));
    assert_eq!(package.to_bytes(), text);
}

#[test]
fn a_file_of_a_megabyte_is_read_and_edited() {
    let mut text = String::from("# head\n");
    for number in 0..10_000 {
        text.push_str(&format!(
            "\nconfig redirect 'r{number}'\n\toption name 'rule {number}'\n\toption src 'wan'\n\tlist proto 'tcp'\n\tlist proto 'udp'\n"
        ));
    }
    assert!(text.len() > 900_000);
    let mut package = Package::parse(text.as_bytes()).expect("valid");
    assert_eq!(package.sections().len(), 10_000);
    for number in [0, 1, 5_000, 9_999] {
        let section = package.section(&format!("r{number}")).expect("it is there");
        assert_eq!(section, number);
        package
            .set(section, "name", "changed")
            .expect("a plain value");
    }
    let changed = String::from_utf8(package.to_bytes()).expect("UTF-8");
    let differing = changed
        .lines()
        .zip(text.lines())
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(differing, 4);
    let last = package
        .add_section("redirect", Some("new"))
        .expect("free name");
    assert_eq!(package.section("new"), Some(last));
    package.delete_section(5_000).expect("it is there");
    assert_eq!(package.section("new"), Some(last - 1));
}

#[test]
fn many_options_in_one_section_take_no_time() {
    let mut text = String::from("config a 'x'\nconfig a 'y'\n");
    for number in 0..40_000 {
        let section = if number % 2 == 0 {
            "config a x\n"
        } else {
            "config a y\n"
        };
        text.push_str(section);
        text.push_str(&format!("option o{number} 1\n"));
    }
    let begin = std::time::Instant::now();
    let package = Package::parse(text.as_bytes()).expect("valid");
    // A reader that searches every section for every option takes minutes.
    assert!(begin.elapsed().as_secs() < 20);
    assert_eq!(package.sections().len(), 2);
    assert_eq!(package.sections()[1].options().len(), 20_000);
}

#[test]
fn too_large_files_are_neither_read_nor_made() {
    let mut text = b"config a 'b'\n".to_vec();
    let mut package = Package::parse(&text).expect("valid");
    let large = "x".repeat(uci::MAX_BYTES);
    let refused = package.set(0, "o", &large);
    assert!(
        matches!(refused, Err(EditError::TooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(package.to_bytes(), text);
    text.resize(uci::MAX_BYTES + 1, b'\n');
    assert!(Package::parse(&text).is_err());
}

#[test]
fn errors_name_the_line_and_show_no_values() {
    let cases: [(&[u8], u32); 6] = [
        (b"config a\n\toption key 'secret\n\n", 2),
        (b"config a\n\nsecret b\n", 3),
        (b"\noption a secret\n", 2),
        (b"config a x\nconfig b x\n", 2),
        (b"config a\noption key secret words\n", 2),
        (b"config a\noption key 'x\0secret'\n", 2),
    ];
    for (text, line) in cases {
        let error = Package::parse(text).expect_err("not valid");
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().starts_with(&format!("line {line}: ")));
        assert!(!error.to_string().contains("secret"));
    }
    let package = Package::parse(b"config a 'b'\n\toption key 'secret'\n").expect("valid");
    assert!(!format!("{package:?}").contains("secret"));
}
