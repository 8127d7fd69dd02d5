use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    One(u8),
    Two(String, i64),
    Named { a: bool, b: Option<u32> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct All {
    text: String,
    kinds: Vec<Kind>,
    pairs: Vec<(String, u32)>,
    numbers: BTreeMap<i32, u64>,
    texts: BTreeMap<String, Option<Box<Kind>>>,
    #[serde(default)]
    late: Option<i8>,
}

fn all(text: String) -> All {
    All {
        kinds: vec![
            Kind::Plain,
            Kind::One(255),
            Kind::Two(text.clone(), i64::MIN),
            Kind::Named {
                a: true,
                b: Some(u32::MAX),
            },
        ],
        pairs: vec![(String::new(), 0), (text.clone(), 7)],
        numbers: BTreeMap::from([(-1, u64::MAX), (2, 0)]),
        texts: BTreeMap::from([
            (text.clone(), Some(Box::new(Kind::Plain))),
            ("x".into(), None),
        ]),
        late: None,
        text,
    }
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read(text in ".{0,40}", pretty: bool) {
        let all = all(text);
        let written = match pretty {
            true => serde_json::to_vec_pretty(&all).unwrap(),
            false => serde_json::to_vec(&all).unwrap(),
        };
        proptest::prop_assert_eq!(read::<All>(&written).unwrap(), all);
    }

    #[test]
    fn nothing_is_read_that_is_no_json_and_nothing_panics(
        text in "[{}\\[\\]\",:0-9.eEtrufalsn\\\\ -]{0,24}"
    ) {
        let ours = read::<de::IgnoredAny>(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<de::IgnoredAny>(&text).is_ok();
        // What is passed over may hold a number that is none.
        proptest::prop_assert!(!theirs || ours, "{}", text);
        let ours = read::<Vec<Option<i64>>>(text.as_bytes()).ok();
        let theirs = serde_json::from_str::<Vec<Option<i64>>>(&text).ok();
        proptest::prop_assert_eq!(ours, theirs, "{}", text);
    }
}

#[test]
fn every_cut_and_every_changed_byte_is_an_error_or_another_value() {
    let written = serde_json::to_vec(&all("a\"ü\u{1f600}\n".into())).unwrap();
    for end in 0..written.len() {
        assert!(read::<All>(&written[..end]).is_err(), "{end}");
    }
    for at in 0..written.len() {
        for byte in [b'"', b'{', b']', b',', b'\\', b'0', 0xff] {
            let mut changed = written.clone();
            changed[at] = byte;
            let ours = read::<All>(&changed).ok();
            assert_eq!(ours, serde_json::from_slice::<All>(&changed).ok(), "{at}");
        }
    }
}

#[test]
fn escapes_are_undone_and_what_is_none_is_refused() {
    let text = |t: &str| read::<String>(t.as_bytes()).ok();
    let want = Some("a/\u{8}\u{c}\n\r\t\"\\é\u{1f600}".to_owned());
    let given = r#""a\/\b\f\n\r\t\"\\\u00e9\ud83d\uDE00""#;
    assert_eq!(text(given), want);
    for bad in [
        r#""\ud83d""#,
        r#""\ud83dx""#,
        r#""\ude00""#,
        r#""\ud83d \ude00""#,
        r#""\ud83d\u0041""#,
        r#""\u+123""#,
        r#""\u12"#,
        r#""\x""#,
        "\"\n\"",
        "\"",
        r#""\"#,
        r#""a" "b""#,
    ] {
        assert_eq!(text(bad), None, "{bad}");
    }
}

#[test]
fn a_number_as_a_key_stands_in_its_quotes_alone() {
    for text in [
        r#"{"5":1}"#,
        r#"{ "5" :1}"#,
        r#"{" 5":1}"#,
        r#"{"5 ":1}"#,
        r#"{"5:1}"#,
    ] {
        let ours = read::<std::collections::BTreeMap<u32, u32>>(text.as_bytes()).ok();
        let theirs = serde_json::from_str(text).ok();
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, what) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        (
            "{\"text\":\n3",
            "invalid type: a number, expected a string at line 2",
        ),
        ("{}", "missing field `text` at line 1 column"),
        ("[]", "invalid type: a list, expected an object"),
        (
            "{\"kinds\":[\"x\"]}",
            "unknown variant `x`, expected one of `plain`, `one`",
        ),
        (
            "{\"kinds\":[{\"one\":256}]}",
            "invalid value: integer `256`, expected u8",
        ),
        (
            "{\"kinds\":[{\"one\":1.5}]}",
            "invalid value: 1.5, expected a whole number",
        ),
        ("{\"text\":\"\",\"text\":\"\"}", "duplicate field `text`"),
        ("{\"x\":1,}", "key must be a string"),
    ] {
        let error = read::<All>(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_nobody_knows_is_passed_over_to_a_depth() {
    let skipped = |x: &str| {
        #[derive(Deserialize)]
        struct One {
            a: u8,
        }
        let text = format!("{{\"x\":{x},\"a\":1}}");
        read::<One>(text.as_bytes()).map(|one| one.a).ok()
    };
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    for good in ["null", "-1.5e+3", "{\"a\":[{},[],\"}\",true]}", &deep(127)] {
        assert_eq!(skipped(good), Some(1), "{good}");
    }
    for bad in [
        "nul",
        "{",
        "[1 2]",
        "{\"a\" 1}",
        "{1:1}",
        "[1,]",
        "]",
        &deep(128),
    ] {
        assert_eq!(skipped(bad), None, "{bad}");
    }
}
