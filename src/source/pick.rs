//! Which part of a text is the value: lines, keys, fields, columns, as a [`Pick`] says.
//! Pure: a text goes in, a value comes out.

use crate::model::binding::{LineRows, Pick};
use crate::model::source::Row;
use std::collections::BTreeSet;
use std::ops::Range;
use std::str::SplitWhitespace;

/// Applies a [`Pick`] to a text; `row` is the key of the innermost row. `None`: the text
/// has no such line, field or column.
pub fn pick<'t>(text: &'t str, pick: &Pick, row: Option<&str>) -> Option<&'t str> {
    let separator = pick.separator.as_deref();
    if let Some(word) = &pick.column {
        return column(text, pick, word, row);
    }
    let found = if let Some(key) = &pick.key {
        let value = text
            .lines()
            .find_map(|line| after_key(line, key, separator))?;
        unquote(value)
    } else if let Some(n) = pick.row_field {
        let row = row?;
        text.lines()
            .find(|line| field(line, n, separator) == Some(row))?
    } else if let Some(n) = pick.line {
        text.lines().nth(index(n)?)?
    } else {
        text
    };
    match pick.field {
        None => Some(found.trim()),
        Some(n) => {
            // In `a: b c` the separator has done its work; what is left are words.
            let separator = separator.filter(|s| pick.key.is_none() || found.contains(s));
            field(found, n, separator)
        }
    }
}

/// The part of a row's line that a [`Pick`] with a row field names.
pub(super) fn pick_of_line<'t>(line: &'t str, pick: &Pick) -> Option<&'t str> {
    match pick.field {
        None => Some(line.trim()),
        Some(n) => field(line, n, pick.separator.as_deref()),
    }
}

/// The rows that a text's lines are; the first of several with the same key counts, and
/// a key that could be a path is none.
pub fn line_rows(text: &str, rows: &LineRows, limit: usize) -> Vec<Row> {
    let separator = rows.separator.as_deref().filter(|s| !s.is_empty());
    let mut seen = BTreeSet::new();
    text.lines()
        .skip(usize::try_from(rows.skip).unwrap_or(usize::MAX))
        .filter(|line| {
            let wanted = usize::try_from(rows.min_fields).unwrap_or(usize::MAX);
            fields(line, separator).take(wanted).count() >= wanted
        })
        .filter_map(|line| field(line, rows.key, separator))
        .filter(|key| rows.key_has.as_ref().is_none_or(|has| key.contains(has)))
        .filter(|key| super::is_row_key(key) && seen.insert(*key))
        .take(limit)
        .map(|key| Row {
            key: key.to_owned(),
            prints: Vec::new(),
        })
        .collect()
}

/// The lines of a text that have an n-th field: where that is and where the line is, in
/// order of the fields; the first of several with the same counts.
pub(super) fn row_lines(text: &str, n: u32, separator: Option<&str>) -> Vec<RowLine> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some(key) = field(line, n, separator) {
            // A field is a part of its line.
            let at = start + key.as_ptr().addr().saturating_sub(line.as_ptr().addr());
            lines.push(RowLine {
                key: at..at + key.len(),
                line: start..end,
            });
        }
        start = end;
    }
    // Stable: lines with the same field stay in order.
    lines.sort_by_key(|line| text.get(line.key.clone()));
    lines.dedup_by_key(|line| text.get(line.key.clone()));
    lines
}

/// A line of a text that is a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowLine {
    key: Range<usize>,
    line: Range<usize>,
}

/// The line of a text whose field is the row's key, among those found by [`row_lines`].
pub(super) fn row_line<'t>(text: &'t str, lines: &[RowLine], row: &str) -> Option<&'t str> {
    let found = lines.binary_search_by(|line| text.get(line.key.clone()).cmp(&Some(row)));
    text.get(lines.get(found.ok()?)?.line.clone())
}

/// The field below a word of the header line. The header is the first line that holds
/// the word (with a key: and begins with it); the value's line is the row's line, the
/// given line, or the next one (with a key: that begins with it).
fn column<'t>(text: &'t str, pick: &Pick, word: &str, row: Option<&str>) -> Option<&'t str> {
    let separator = pick.separator.as_deref();
    let begins = |line: &str| match &pick.key {
        None => true,
        Some(key) => line
            .trim_start()
            .strip_prefix(key.as_str())
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')),
    };
    let mut lines = text.lines().filter(|line| begins(line));
    let at = lines
        .by_ref()
        .find_map(|line| fields(line, separator).position(|f| f == word))?;
    let line = if let Some(n) = pick.row_field {
        let row = row?;
        lines.find(|line| field(line, n, separator) == Some(row))?
    } else if let Some(n) = pick.line {
        text.lines().nth(index(n)?)?
    } else {
        lines.find(|line| !line.trim().is_empty())?
    };
    fields(line, separator).nth(at)
}

/// What follows a key and its separator (`=` or `:` when none is given).
fn after_key<'t>(line: &'t str, key: &str, separator: Option<&str>) -> Option<&'t str> {
    let rest = line.trim_start().strip_prefix(key)?;
    match separator {
        Some(s) if !s.trim().is_empty() => rest.trim_start().strip_prefix(s),
        Some(_) => rest.starts_with(char::is_whitespace).then_some(rest),
        None => rest.trim_start().strip_prefix(['=', ':']),
    }
    .map(str::trim)
}

/// Takes one pair of quotes away.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|v| v.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

/// The n-th field, from 1.
pub(super) fn field<'t>(text: &'t str, n: u32, separator: Option<&str>) -> Option<&'t str> {
    fields(text, separator).nth(index(n)?)
}

/// The fields of a text; white space parts them when no separator is given.
fn fields<'t, 's>(text: &'t str, separator: Option<&'s str>) -> Fields<'t, 's> {
    match separator {
        Some(separator) if !separator.trim().is_empty() => Fields::Parted {
            separator,
            rest: Some(text),
        },
        _ => Fields::Words(text.split_whitespace()),
    }
}

enum Fields<'t, 's> {
    Words(SplitWhitespace<'t>),
    Parted {
        separator: &'s str,
        rest: Option<&'t str>,
    },
}

impl<'t> Iterator for Fields<'t, '_> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let (separator, rest) = match self {
            Fields::Words(words) => return words.next(),
            Fields::Parted { separator, rest } => (*separator, rest),
        };
        let now = (*rest)?;
        // Most separators are one character, and most fields short.
        let at = match separator.as_bytes() {
            [one] if one.is_ascii() => now.bytes().position(|b| b == *one),
            _ => now.find(separator),
        };
        let first = now.get(..at.unwrap_or(now.len())).unwrap_or_default();
        *rest = at.and_then(|at| now.get(at + separator.len()..));
        Some(first.trim())
    }
}

/// From counting from 1 to counting from 0; 0 itself means nothing.
fn index(n: u32) -> Option<usize> {
    usize::try_from(n).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p() -> Pick {
        Pick::default()
    }
    fn pick(text: &str, pick: &Pick, row: Option<&str>) -> Option<String> {
        super::pick(text, pick, row).map(str::to_owned)
    }
    fn s(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    const MEMINFO: &str =
        "MemTotal:        253440 kB\nMemFree:          65428 kB\nMemAvailable:    123 kB\n";
    const RELEASE: &str =
        "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE=\"23.05.3\"\nDISTRIB_IDX=no\n# x\n";
    const LEASES: &str = "1700 00:11:22:33:44:55 192.168.1.10 laptop *\n1800 66:77:88:99:aa:bb 192.168.1.11 * 01:66\nshort\n";
    const SNMP: &str =
        "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm MaxConn\nTcp: 1 -1\nTcpExt: a\n";

    #[test]
    fn the_whole_text_comes_trimmed() {
        assert_eq!(pick(" up \n", &p(), None), s("up"));
        assert_eq!(pick("", &p(), None), s(""));
    }

    #[test]
    fn a_line_and_a_field_are_counted_from_one() {
        assert_eq!(
            pick(
                "a\nb c\n",
                &Pick {
                    line: Some(2),
                    ..p()
                },
                None
            ),
            s("b c")
        );
        assert_eq!(
            pick(
                "a\nb c\n",
                &Pick {
                    line: Some(2),
                    field: Some(2),
                    ..p()
                },
                None
            ),
            s("c")
        );
        assert_eq!(
            pick(
                "a\n",
                &Pick {
                    line: Some(2),
                    ..p()
                },
                None
            ),
            None
        );
        assert_eq!(
            pick(
                "a\n",
                &Pick {
                    line: Some(0),
                    ..p()
                },
                None
            ),
            None
        );
        assert_eq!(
            pick(
                "361.77 1343.2\n",
                &Pick {
                    field: Some(1),
                    ..p()
                },
                None
            ),
            s("361.77")
        );
        let colon = Pick {
            field: Some(3),
            separator: s(":"),
            ..p()
        };
        assert_eq!(pick("root:x:0:0", &colon, None), s("0"));
    }

    #[test]
    fn a_key_is_a_whole_word_and_its_value_loses_quotes() {
        let key = |k: &str| Pick { key: s(k), ..p() };
        assert_eq!(pick(MEMINFO, &key("MemFree"), None), s("65428 kB"));
        assert_eq!(
            pick(
                MEMINFO,
                &Pick {
                    field: Some(1),
                    ..key("MemAvailable")
                },
                None
            ),
            s("123")
        );
        assert_eq!(pick(MEMINFO, &key("Mem"), None), None);
        assert_eq!(pick(RELEASE, &key("DISTRIB_ID"), None), s("OpenWrt"));
        assert_eq!(pick(RELEASE, &key("DISTRIB_RELEASE"), None), s("23.05.3"));
        let spaced = Pick {
            separator: s(" "),
            field: Some(2),
            ..key("cpu")
        };
        assert_eq!(pick("cpu0 1 2\ncpu  7 8\n", &spaced, None), s("8"));
        let colon = Pick {
            separator: s(":"),
            field: Some(1),
            ..key("MemTotal")
        };
        assert_eq!(pick(MEMINFO, &colon, None), s("253440"));
    }

    #[test]
    fn a_row_is_found_by_its_field() {
        let by_mac = Pick {
            row_field: Some(2),
            field: Some(3),
            ..p()
        };
        assert_eq!(
            pick(LEASES, &by_mac, Some("66:77:88:99:aa:bb")),
            s("192.168.1.11")
        );
        assert_eq!(pick(LEASES, &by_mac, Some("none")), None);
        assert_eq!(pick(LEASES, &by_mac, None), None);
    }

    #[test]
    fn a_column_is_found_below_its_word() {
        let tcp = Pick {
            key: s("Tcp:"),
            column: s("MaxConn"),
            ..p()
        };
        assert_eq!(pick(SNMP, &tcp, None), s("-1"));
        let ip = Pick {
            key: s("Ip"),
            column: s("DefaultTTL"),
            ..p()
        };
        assert_eq!(pick(SNMP, &ip, None), s("64"));
        let route = "Iface Destination Gateway\neth0 0 A\neth1 1 B\n";
        let by_row = Pick {
            row_field: Some(1),
            column: s("Gateway"),
            ..p()
        };
        assert_eq!(pick(route, &by_row, Some("eth1")), s("B"));
        let by_line = Pick {
            line: Some(2),
            column: s("Gateway"),
            ..p()
        };
        assert_eq!(pick(route, &by_line, None), s("A"));
        let next = Pick {
            column: s("Gateway"),
            ..p()
        };
        assert_eq!(pick(route, &next, None), s("A"));
        assert_eq!(
            pick(
                route,
                &Pick {
                    column: s("Mask"),
                    ..p()
                },
                None
            ),
            None
        );
    }

    #[test]
    fn lines_with_enough_fields_are_rows_and_a_key_counts_once() {
        let rows = LineRows {
            path: String::new(),
            key: 2,
            min_fields: 4,
            key_has: None,
            skip: 0,
            separator: None,
        };
        let keys = |text: &str, rows: &LineRows, limit| -> Vec<String> {
            line_rows(text, rows, limit)
                .into_iter()
                .map(|r| r.key)
                .collect()
        };
        assert_eq!(
            keys(LEASES, &rows, 10),
            ["00:11:22:33:44:55", "66:77:88:99:aa:bb"]
        );
        let some = LineRows {
            key_has: Some("aa:".to_owned()),
            ..rows.clone()
        };
        assert_eq!(keys(LEASES, &some, 10), ["66:77:88:99:aa:bb"]);
        assert_eq!(
            keys(
                LEASES,
                &LineRows {
                    skip: 1,
                    ..rows.clone()
                },
                10
            ),
            ["66:77:88:99:aa:bb"]
        );
        assert_eq!(keys(LEASES, &rows, 1).len(), 1);
        assert_eq!(
            keys("1 k a b\n2 k c d\n3 ../x e f\n4 .. g h\n", &rows, 10),
            ["k"]
        );
    }
}
