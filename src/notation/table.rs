//! TOML tables, read key by key. What is wrong is told with its place and what to write
//! instead; a key that nobody knows is an error.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Bytes from the begin of the text.
    pub at: usize,
    /// What is wrong; what to write.
    pub what: String,
}

impl Wrong {
    /// The line (from 1) of `text` in which it is.
    pub fn line(&self, text: &str) -> usize {
        let upto = text.get(..self.at.min(text.len())).unwrap_or(text);
        upto.bytes().filter(|b| *b == b'\n').count() + 1
    }
}

/// Reads a whole text, which is a table.
///
/// # Errors
/// It is no TOML, or what `read` says.
pub fn parse(
    text: &str,
    read: &mut dyn FnMut(&Table<'_>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let table = DeTable::parse(text).map_err(|e| {
        let message = e.message().trim().replace('\n', "; ");
        let mend = match message.contains("duplicate key") {
            true => "keep one of the two",
            false => "write TOML",
        };
        Wrong {
            at: e.span().map_or(0, |s| s.start),
            what: format!("{message}; {mend}"),
        }
    })?;
    read(&Table {
        at: table.span().start,
        keys: table.get_ref(),
    })
}

/// A table.
pub struct Table<'t> {
    at: usize,
    keys: &'t DeTable<'t>,
}

impl Table<'_> {
    /// Has `read` take each key that is written, with its value.
    ///
    /// # Errors
    /// A key that is not in `known`, or what `read` says.
    pub fn each(
        &self,
        known: &[&str],
        read: &mut dyn FnMut(&str, &Value<'_>) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        for (key, value) in self.keys {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let mend = match known {
                    [] => "this version offers no keys here, take the line out".to_owned(),
                    known => format!("write {}", one_of(known)),
                };
                return Err(Wrong {
                    at: key.span().start,
                    what: format!("unknown key `{name}`; {mend}"),
                });
            }
            read(name, &Value(value))?;
        }
        Ok(())
    }

    /// Fails unless the key is written.
    ///
    /// # Errors
    /// It is missing.
    pub fn require(&self, key: &str) -> Result<(), Wrong> {
        match self.keys.contains_key(key) {
            true => Ok(()),
            false => Err(Wrong {
                at: self.at,
                what: format!("missing field `{key}`; write {key} = …"),
            }),
        }
    }
}

/// The value of a key.
pub struct Value<'t>(&'t Spanned<DeValue<'t>>);

impl Value<'_> {
    fn span(&self) -> Range<usize> {
        self.0.span()
    }

    /// Says of this value what is wrong with it.
    pub fn wrong(&self, what: String) -> Wrong {
        Wrong {
            at: self.span().start,
            what,
        }
    }

    fn not(&self, expected: &str) -> Wrong {
        let kind = match self.0.get_ref() {
            DeValue::String(text) => format!("string {text:?}"),
            DeValue::Integer(number) => format!("integer `{number}`"),
            DeValue::Float(number) => format!("floating point `{number}`"),
            DeValue::Boolean(flag) => format!("boolean `{flag}`"),
            DeValue::Datetime(_) => "date".to_owned(),
            DeValue::Array(_) => "list".to_owned(),
            DeValue::Table(_) => "table".to_owned(),
        };
        self.wrong(format!("invalid type: {kind}; write {expected}"))
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self) -> Result<String, Wrong> {
        match self.0.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            _ => Err(self.not("a text in quotes")),
        }
    }

    /// A text, for a key that may be absent.
    ///
    /// # Errors
    /// It is something else.
    pub fn some_text(&self) -> Result<Option<String>, Wrong> {
        self.text().map(Some)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&self) -> Result<bool, Wrong> {
        match self.0.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.not("true or false")),
        }
    }

    /// A whole number from 0; `None` where it is something else.
    pub fn number(&self) -> Option<u64> {
        match self.0.get_ref() {
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok(),
            _ => None,
        }
    }

    /// A whole number of 32 bits.
    ///
    /// # Errors
    /// It is something else.
    pub fn count(&self) -> Result<u32, Wrong> {
        let number = self.number().and_then(|n| u32::try_from(n).ok());
        number.ok_or_else(|| self.not("a whole number from 0 to 4294967295"))
    }

    /// A list of texts.
    ///
    /// # Errors
    /// It is something else, or something else is in it.
    pub fn texts(&self) -> Result<Vec<String>, Wrong> {
        match self.0.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| Value(item).text()).collect(),
            _ => Err(self.not("a list: [\"…\", \"…\"]")),
        }
    }

    /// One of some words: its place among them.
    ///
    /// # Errors
    /// It is no text, or none of them.
    pub fn word(&self, words: &[&str]) -> Result<usize, Wrong> {
        let text = self.text()?;
        let place = words.iter().position(|word| *word == text);
        place
            .ok_or_else(|| self.wrong(format!("unknown variant `{text}`; write {}", one_of(words))))
    }

    /// A table, which `read` takes.
    ///
    /// # Errors
    /// It is something else, or what `read` says.
    pub fn table(
        &self,
        read: &mut dyn FnMut(&Table<'_>) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        match self.0.get_ref() {
            DeValue::Table(keys) => read(&Table {
                at: self.span().start,
                keys,
            }),
            _ => Err(self.not("a table: { key = … }")),
        }
    }

    /// Each of a list of tables, which `read` takes one after the other.
    ///
    /// # Errors
    /// It is something else, or what `read` says.
    pub fn tables(
        &self,
        read: &mut dyn FnMut(&Table<'_>) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        match self.0.get_ref() {
            DeValue::Array(items) => items.iter().try_for_each(|item| Value(item).table(read)),
            _ => Err(self.not("a list of tables, each under a [[heading]] of its own")),
        }
    }
}

/// "`a`", "`a` or `b`", "one of `a`, `b`, `c`".
fn one_of(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}`"),
        [one, other] => format!("`{one}` or `{other}`"),
        names => format!("one of `{}`", names.join("`, `")),
    }
}

/// Reads a table into places: `keys!(table, { "key" => self.place, Value::text; … })`.
macro_rules! keys {
    ($table:expr, { $($key:literal => $place:expr, $read:expr;)* }) => {
        $table.each(&[$($key),*], &mut |key, value| {
            match key {
                $($key => $place = $read(value)?,)*
                _ => {}
            }
            Ok(())
        })
    };
}
pub(crate) use keys;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Read {
        name: String,
        more: Option<String>,
        on: bool,
        count: u32,
        list: Vec<String>,
    }

    fn read(text: &str) -> Result<Read, Wrong> {
        let mut all = Read::default();
        parse(text, &mut |table| {
            table.require("name")?;
            keys!(table, {
                "name" => all.name, Value::text;
                "more" => all.more, Value::some_text;
                "on" => all.on, Value::flag;
                "count" => all.count, Value::count;
                "list" => all.list, Value::texts;
            })
        })?;
        Ok(all)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = "name = 'n'\nmore = \"m\"\non = true\ncount = 0x10\nlist = ['a', 'b']\n";
        let want = Read {
            name: "n".into(),
            more: Some("m".into()),
            on: true,
            count: 16,
            list: vec!["a".into(), "b".into()],
        };
        assert_eq!(read(text).unwrap(), want);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_mend() {
        for (text, line, what) in [
            ("\nx", 2, "write TOML"),
            ("name = 1\nname = 2", 2, "keep one of the two"),
            ("on = true", 1, "missing field `name`; write name = …"),
            (
                "name = 'n'\nnmae = 1",
                2,
                "unknown key `nmae`; write one of `name`, `more`, `on`",
            ),
            (
                "name = 3",
                1,
                "invalid type: integer `3`; write a text in quotes",
            ),
            (
                "name = ''\non = 'x'",
                2,
                "invalid type: string \"x\"; write true or false",
            ),
            (
                "name = ''\ncount = -1",
                2,
                "integer `-1`; write a whole number from 0 to 4294967295",
            ),
            (
                "name = ''\ncount = 4294967296",
                2,
                "write a whole number from 0 to 4294967295",
            ),
            (
                "name = ''\nlist = true",
                2,
                "boolean `true`; write a list: [\"…\", \"…\"]",
            ),
            (
                "name = ''\nlist = [\n1.5]",
                3,
                "floating point `1.5`; write a text in quotes",
            ),
            (
                "name = {}",
                1,
                "invalid type: table; write a text in quotes",
            ),
        ] {
            let wrong = read(text).unwrap_err();
            assert!(wrong.what.contains(what), "{wrong:?}");
            assert_eq!(wrong.line(text), line, "{wrong:?}");
        }
    }

    #[test]
    fn the_keys_that_there_are_are_told_as_one_says_it() {
        let unknown = |known: &[&str]| {
            parse("x = 1", &mut |table| table.each(known, &mut |_, _| Ok(())))
                .unwrap_err()
                .what
        };
        assert_eq!(unknown(&["a"]), "unknown key `x`; write `a`");
        assert_eq!(unknown(&["a", "b"]), "unknown key `x`; write `a` or `b`");
        assert!(unknown(&[]).contains("take the line out"));
    }
}
