//! Files that were damaged, and packages made from nothing with names and values of every
//! kind: the reader never fails, and what the editor writes is what it was told.

use cwmp_agent::uci::{EditError, Package, Section, Value};
use proptest::prelude::*;

/// The files of the corpus.
fn files() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/uci/corpus");
    let entries = std::fs::read_dir(folder).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|e| e.expect("readable").path()).collect();
    paths.retain(|path| path.is_file() && path.extension().is_none());
    paths.sort();
    assert!(paths.len() >= 36);
    let read = |path| std::fs::read(path).expect("readable");
    paths.into_iter().map(read).collect()
}

/// One act of damage, at a place given in parts of 65,536.
#[derive(Debug, Clone)]
enum Damage {
    Cut(u16),
    Drop(u16, u8),
    Put(u16, &'static str),
    Flip(u16, u8),
    Repeat(u16, u8),
    /// Something of another file.
    Splice(u16, usize, u16, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece = prop::sample::select(vec![
        "'",
        "\"",
        "\\",
        "\n",
        "\r",
        "#",
        ";",
        " ",
        "\t",
        "''",
        "\\\n",
        "\u{feff}",
        "config ",
        "option ",
        "list ",
        "package x\n",
        "config interface 'lan'\n",
        "\n\toption proto 'x'\n",
        "é",
        "\u{b}",
        "@",
        "-",
    ]);
    prop_oneof![
        any::<u16>().prop_map(Damage::Cut),
        (any::<u16>(), 1..40u8).prop_map(|(at, n)| Damage::Drop(at, n)),
        (any::<u16>(), piece).prop_map(|(at, text)| Damage::Put(at, text)),
        (any::<u16>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<u16>(), 1..80u8).prop_map(|(at, n)| Damage::Repeat(at, n)),
        (any::<u16>(), 0..100usize, any::<u16>(), 1..120u8)
            .prop_map(|(at, file, from, n)| Damage::Splice(at, file, from, n)),
    ]
}

fn damaged(mut text: Vec<u8>, damage: &Damage, files: &[Vec<u8>]) -> Vec<u8> {
    let place = |text: &[u8], at: u16| text.len() * usize::from(at) / 65_536;
    match *damage {
        Damage::Cut(at) => text.truncate(place(&text, at)),
        Damage::Drop(at, n) => {
            let at = place(&text, at);
            text.drain(at..text.len().min(at + usize::from(n)));
        }
        Damage::Put(at, piece) => {
            let at = place(&text, at);
            text.splice(at..at, piece.bytes());
        }
        Damage::Flip(at, bits) => {
            let at = place(&text, at);
            text.iter_mut().skip(at).take(1).for_each(|b| *b ^= bits);
        }
        Damage::Repeat(at, n) => {
            let at = place(&text, at);
            let again = text[at..text.len().min(at + usize::from(n))].to_vec();
            text.splice(at..at, again);
        }
        Damage::Splice(at, file, from, n) => {
            let other = &files[file % files.len()];
            let from = place(other, from);
            let part = &other[from..other.len().min(from + usize::from(n))];
            let at = place(&text, at);
            text.splice(at..at, part.iter().copied());
        }
    }
    text
}

/// The n-th section of a type as anyone would count.
fn counted(package: &Package, kind: &str, n: i64) -> Option<usize> {
    let all: Vec<usize> = (0..package.sections().len())
        .filter(|&i| package.sections()[i].kind() == kind)
        .collect();
    let n = if n < 0 { all.len() as i64 + n } else { n };
    all.get(usize::try_from(n).ok()?).copied()
}

/// Sections without those that the edit is about.
fn others(package: &Package, not: usize) -> Vec<Section> {
    let all = package.sections().iter().enumerate();
    all.filter(|(i, _)| *i != not)
        .map(|(_, s)| s.clone())
        .collect()
}

fn reads_back(package: &Package) -> Result<(), TestCaseError> {
    let bytes = package.to_bytes();
    let again = Package::parse(&bytes)
        .map_err(|e| TestCaseError::fail(format!("{e}: {}", String::from_utf8_lossy(&bytes))))?;
    prop_assert!(
        again.sections() == package.sections(),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    prop_assert_eq!(again.to_bytes(), bytes);
    Ok(())
}

/// Any text that UCI can hold.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z0-9./:-]{1,12}",
        "(\\PC|[\n\t\r]){0,20}",
        "['\"\\\\ #;$()\n\t`]{1,8}",
        "[a-z' ]{0,6}\\\\",
    ]
}

/// What a package made from nothing shall say.
type Model = Vec<(String, Option<String>, Vec<(String, Value)>)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_or_refused_and_edits_do_what_they_say(
        file in 0..100usize,
        damages in prop::collection::vec(damage(), 1..6),
        sections in prop::collection::vec((0..100usize, -3..3i64), 3),
        new in value(),
    ) {
        let files = files();
        let mut text = files[file % files.len()].clone();
        for damage in &damages {
            text = damaged(text, damage, &files);
        }
        let mut package = match Package::parse(&text) {
            Ok(package) => package,
            Err(error) => {
                let lines = text.iter().filter(|&&b| b == b'\n').count() + 1;
                prop_assert!((1..=lines).contains(&(error.line as usize)), "{error}");
                return Ok(());
            }
        };
        prop_assert!(package.to_bytes() == text);
        for (number, n) in sections {
            if package.sections().is_empty() {
                return Ok(());
            }
            let kind = package.sections()[number % package.sections().len()].kind().to_owned();
            let found = package.find(&format!("@{kind}[{n}]"));
            let counted = counted(&package, &kind, n);
            // libuci, too, takes the first bracket for the one before the number.
            if !kind.contains('[') {
                prop_assert_eq!(found, counted);
            }
            let Some(at) = counted else { continue };
            let before = package.clone();
            let known: Option<String> = before.sections()[at].options().next().map(|(o, _)| o.to_owned());
            let option = known.unwrap_or_else(|| "added".to_owned());
            let rest = others(&package, at);
            match package.set(at, &option, &new) {
                Ok(()) => {
                    let now = package.sections()[at].get(&option).and_then(Value::as_one);
                    prop_assert_eq!(now.unwrap_or_default(), &new);
                }
                Err(EditError::BadValue { .. }) => {
                    prop_assert!(package.to_bytes() == before.to_bytes());
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
            prop_assert!(others(&package, at) == rest);
            reads_back(&package)?;
            if n % 2 == 0 {
                package.delete_section(at).expect("it is there");
                prop_assert!(package.sections() == rest);
                reads_back(&package)?;
            }
        }
    }

    #[test]
    fn a_package_made_from_nothing_says_what_it_was_told(
        sections in prop::collection::vec(
            (
                "[!-~]{1,10}",
                prop::option::of("[a-zA-Z0-9_]{1,6}"),
                prop::collection::vec(
                    ("[a-zA-Z0-9_]{1,4}", prop::collection::vec(value(), 0..4), any::<bool>()),
                    0..6,
                ),
            ),
            0..6,
        ),
    ) {
        let mut package = Package::default();
        let mut model = Model::new();
        for (kind, name, options) in sections {
            let Ok(index) = package.add_section(&kind, name.as_deref()) else {
                prop_assert!(model.iter().any(|known| known.1 == name), "{kind:?} {name:?}");
                continue;
            };
            model.push((kind, name, Vec::new()));
            prop_assert_eq!(index, model.len() - 1);
            for (option, values, list) in options {
                let value = match (values.as_slice(), list) {
                    ([one], false) => {
                        package.set(index, &option, one).expect("plain text");
                        (!one.is_empty()).then(|| Value::One(one.clone()))
                    }
                    (values, _) => {
                        package.set_list(index, &option, values).expect("plain text");
                        (!values.is_empty()).then(|| Value::List(values.to_vec()))
                    }
                };
                let options = &mut model[index].2;
                match (options.iter().position(|(known, _)| *known == option), value) {
                    (Some(at), Some(value)) => options[at].1 = value,
                    (Some(at), None) => drop(options.remove(at)),
                    (None, Some(value)) => options.push((option, value)),
                    (None, None) => {}
                }
            }
        }
        let said: Model = package.sections().iter().map(|s| {
            let options = s.options().map(|(name, value)| (name.to_owned(), value.clone()));
            (s.kind().to_owned(), s.name().map(Into::into), options.collect())
        }).collect();
        prop_assert!(said == model);
        reads_back(&package)?;
    }
}
