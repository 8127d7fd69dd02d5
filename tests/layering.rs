//! The house stands: a room uses only rooms below it, and the ground floor touches
//! nothing outside.
//!
//! The floors are those of the picture in `src/lib.rs`. Sources are read as text, after
//! comments, strings and `#[cfg(test)]` items are taken out, so a room's unit tests may
//! borrow from anywhere.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the floor it stands on. A room that comes later takes its place here
/// and in the picture.
const FLOORS: &[(&str, u8)] = &[
    ("cli", 6),
    ("agent", 5),
    ("wake", 4),
    ("transfer", 4),
    ("diagnostics", 4),
    ("source", 4),
    ("platform", 4),
    ("net", 3),
    ("uci", 3),
    ("ubus", 3),
    ("store", 2),
    ("process", 2),
    ("cwmp", 1),
    ("model", 1),
    ("notation", 0),
];

/// Rooms that are given time, chance and bytes as arguments.
const PURE: &[&str] = &["cwmp", "model", "notation"];

/// What a pure room must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::os",
    "std::env",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "now_utc",
    "now_local",
    "getrandom",
    "nix::",
    "ureq::",
    "rustls::",
];

fn floor(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text without comments, string and character literals; line breaks are kept.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        let rest = &chars[i..];
        if rest.starts_with(&['/', '/']) {
            i += rest.iter().take_while(|c| **c != '\n').count();
        } else if rest.starts_with(&['/', '*']) {
            i += block_comment(rest);
        } else if let Some(hashes) = raw_string(rest, out.chars().next_back()) {
            let mut end = vec!['"'];
            end.resize(1 + hashes, '#');
            i += 2 + hashes;
            while i < chars.len() && !chars[i..].starts_with(&end) {
                i += 1;
            }
            i += end.len();
        } else if rest[0] == '"' {
            i += 1 + quoted(&rest[1..], '"');
        } else if rest[0] == '\'' && rest.get(1) == Some(&'\\') {
            i += 1 + quoted(&rest[1..], '\'');
        } else if rest[0] == '\'' && rest.get(2) == Some(&'\'') {
            i += 3;
        } else {
            out.push(rest[0]);
            i += 1;
            continue;
        }
        let gone = &chars[start..i.min(chars.len())];
        out.push(' ');
        out.extend(gone.iter().filter(|c| **c == '\n'));
    }
    out
}

/// The length of the (nested) block comment that begins here.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < rest.len() {
        if rest[i..].starts_with(&['/', '*']) {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(&['*', '/']) {
            depth -= 1;
            i += 2;
            if depth == 0 {
                break;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// The length up to and with the closing quote.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut i = 0;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The number of `#` if a raw string begins here (`r"`, `r#"`, the second half of `br"`).
fn raw_string(rest: &[char], before: Option<char>) -> Option<usize> {
    if rest[0] != 'r' || before.is_some_and(|c| is_word(c) && c != 'b') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    (rest.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Takes out every item that stands under `#[cfg(test)]`; line breaks are kept.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let mut depth = 0usize;
        let mut end = item.len();
        for (i, c) in item.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ';' => {}
                _ => continue,
            }
            if depth == 0 && c != '{' {
                end = i + 1;
                break;
            }
        }
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    out
}

/// The rooms that code names, with the line of each mention: `crate::room`,
/// `cwmp_agent::room`, `crate::{a, b::c}`, and `super::…::room` that climbs out of the
/// room it stands in (`depth` modules below the crate's root).
fn rooms_named(code: &str, depth: usize) -> Vec<(usize, String)> {
    let climb = vec!["super"; depth].join("::");
    let mut found = Vec::new();
    for start in ["crate", "cwmp_agent", &climb] {
        if start.is_empty() {
            continue;
        }
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| is_word(c) || c == ':') {
                continue;
            }
            let after = code[at + start.len()..].trim_start();
            let Some(rest) = after.strip_prefix("::") else {
                continue;
            };
            let line = line_of(code, at);
            let rest = rest.trim_start();
            match rest.strip_prefix('{') {
                Some(group) => found.extend(heads(group).into_iter().map(|head| (line, head))),
                None => found.push((line, rest.chars().take_while(|c| is_word(*c)).collect())),
            }
        }
    }
    found
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The first word of each member of a `{…}` group (its opening brace already passed).
fn heads(group: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut depth = 0u32;
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            _ if depth == 0 => members.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    let word = |m: String| m.trim().chars().take_while(|c| is_word(*c)).collect();
    let mut words: Vec<String> = members.into_iter().map(word).collect();
    words.retain(|w| !w.is_empty());
    words
}

struct File {
    room: String,
    /// How many modules below the crate's root.
    depth: usize,
    name: String,
    code: String,
}

fn sources() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut all = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|e| e != "rs") {
                continue;
            }
            let inside = path.strip_prefix(&src).unwrap();
            let parts: Vec<&str> = inside.iter().map(|p| p.to_str().unwrap()).collect();
            all.push(File {
                room: parts[0].trim_end_matches(".rs").to_owned(),
                depth: parts.len() - usize::from(path.ends_with("mod.rs")),
                name: format!("src/{}", inside.display()),
                code: without_tests(&code_only(&fs::read_to_string(&path).unwrap())),
            });
        }
    }
    assert!(!all.is_empty(), "no source files below {}", src.display());
    all
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let mut wrong = Vec::new();
    for file in sources() {
        let (name, room) = (&file.name, &file.room);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(own) = floor(room) else {
            wrong.push(format!(
                "{name}: room '{room}' stands on no floor; give it one here and in src/lib.rs"
            ));
            continue;
        };
        for (line, other) in rooms_named(&file.code, file.depth) {
            if other == *room {
                continue;
            }
            if let Some(its) = floor(&other).filter(|its| *its >= own) {
                wrong.push(format!(
                    "{name}:{line}: {room} (floor {own}) uses {other} (floor {its})"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The standard library's own way panics from 2038 on where it has 32 bits for the time.
#[test]
fn the_wall_clock_is_read_in_one_place() {
    let mut readers: Vec<String> = sources()
        .into_iter()
        .filter(|file| {
            ["SystemTime::now", "UtcDateTime::now", "now_utc"]
                .iter()
                .any(|w| file.code.contains(w))
        })
        .map(|file| file.name)
        .collect();
    readers.retain(|name| !name.starts_with("src/cli/try_story"));
    assert!(readers.is_empty(), "{readers:?}: take store::clock::now");
}

#[test]
fn the_pure_rooms_name_no_file_socket_process_clock_or_chance() {
    let mut wrong = Vec::new();
    for file in sources() {
        if !PURE.contains(&file.room.as_str()) {
            continue;
        }
        for (n, line) in file.code.lines().enumerate() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{}: names {word}", file.name, n + 1));
            }
        }
        for (at, start) in file.code.match_indices("std::{") {
            for head in heads(&file.code[at + start.len()..]) {
                if IMPURE.contains(&format!("std::{head}").as_str()) {
                    let line = line_of(&file.code, at);
                    wrong.push(format!("{}:{line}: names std::{head}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_of_the_library_has_a_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let code = code_only(&fs::read_to_string(root).unwrap());
    let rooms: Vec<&str> = code
        .lines()
        .filter_map(|l| l.trim().trim_start_matches("pub ").strip_prefix("mod "))
        .filter_map(|l| l.strip_suffix(';'))
        .collect();
    assert!(rooms.len() > 5, "src/lib.rs declares only {rooms:?}");
    let lost: Vec<&&str> = rooms.iter().filter(|r| floor(r).is_none()).collect();
    assert!(lost.is_empty(), "rooms without a floor: {lost:?}");
}

#[test]
fn the_checker_sees_what_it_must_and_nothing_else() {
    let code = without_tests(&code_only(
        r##"
        // use crate::cli;
        /* crate::agent /* nested */ crate::agent */
        use crate::{net::http::{self, Reply}, store as kept,
            model};
        const A: &str = "crate::wake"; const B: char = '"'; const C: char = '\'';
        const D: &[u8] = br#"crate::wake " "#;
        fn f<'a>(x: &'a str) -> crate::uci::Package { super::super::platform::now(x) }
        #[cfg(test)]
        mod tests { use crate::source; fn g() { if true {} } }
        fn h() { cwmp_agent::cwmp::x(); my_crate::wake::y(); a::crate_::z() }
        "##,
    ));
    let mut named = rooms_named(&code, 2);
    named.sort();
    let named: Vec<(usize, &str)> = named.iter().map(|(l, r)| (*l, r.as_str())).collect();
    assert_eq!(
        named,
        [
            (4, "model"),
            (4, "net"),
            (4, "store"),
            (8, "platform"),
            (8, "uci"),
            (11, "cwmp")
        ]
    );
}
