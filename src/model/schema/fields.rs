//! Taking keys out of a TOML table one by one, so that every wrong or unknown key is
//! reported with its line.

use super::SchemaError;
use super::shared::Shared;
use crate::model::binding::Text;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a data-model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct At {
    pub file: u16,
    pub line: u32,
}

/// The errors of a file while it is read.
pub(crate) struct Report<'a> {
    pub file: u16,
    name: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    pub errors: &'a mut Vec<SchemaError>,
    /// What this file has in common with itself and with those before it.
    pub shared: &'a mut Shared,
}

impl<'a> Report<'a> {
    pub fn new(
        file: u16,
        name: &'a str,
        text: &str,
        errors: &'a mut Vec<SchemaError>,
        shared: &'a mut Shared,
    ) -> Self {
        let mut lines = vec![0];
        lines.extend(text.match_indices('\n').map(|(i, _)| i + 1));
        Report {
            file,
            name,
            lines,
            errors,
            shared,
        }
    }

    /// The place of a byte offset.
    pub fn at(&self, offset: usize) -> At {
        let line = self.lines.partition_point(|start| *start <= offset);
        At {
            file: self.file,
            line: u32::try_from(line).unwrap_or(u32::MAX).max(1),
        }
    }

    pub fn error(&mut self, at: At, what: impl Into<String>) {
        self.errors.push(SchemaError {
            file: self.name.to_owned(),
            line: at.line,
            what: what.into(),
        });
    }
}

/// One table, its keys taken out by name.
pub(crate) struct Fields<'r, 'e, 't> {
    pub report: &'r mut Report<'e>,
    /// What the table describes, for messages: `Device.Time.Enable`.
    about: String,
    pub at: At,
    table: &'t DeTable<'t>,
}

impl<'r, 'e, 't> Fields<'r, 'e, 't> {
    /// Opens a table; keys that are not in `known` are errors.
    pub fn open(
        report: &'r mut Report<'e>,
        about: impl Into<String>,
        at: At,
        table: &'t DeTable<'t>,
        known: &[&str],
    ) -> Self {
        let about = about.into();
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let at = report.at(key.span().start);
                report.error(
                    at,
                    format!(
                        "{about}: unknown key {}; write one of: {}",
                        key.get_ref(),
                        known.join(", ")
                    ),
                );
            }
        }
        Fields {
            report,
            about,
            at,
            table,
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// The line of a key's value.
    pub fn at_of(&self, key: &str) -> At {
        match self.table.get(key) {
            Some(value) => self.report.at(value.span().start),
            None => self.at,
        }
    }

    /// Reports something wrong with a key's value.
    pub fn wrong(&mut self, key: &str, what: impl AsRef<str>) {
        let at = self.at_of(key);
        let text = format!("{}: {key}: {}", self.about, what.as_ref());
        self.report.error(at, text);
    }

    /// Reports something wrong with the table as a whole.
    pub fn wrong_here(&mut self, what: impl AsRef<str>) {
        let text = format!("{}: {}", self.about, what.as_ref());
        self.report.error(self.at, text);
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)?.get_ref() {
            DeValue::String(s) => Some(s.clone().into_owned()),
            _ => {
                self.wrong(key, "is no text; write it in quotes");
                None
            }
        }
    }

    /// As [`text`](Fields::text), the one copy of it.
    pub fn shared(&mut self, key: &str) -> Option<Text> {
        let text = self.text(key)?;
        Some(self.report.shared.text(&text))
    }

    /// The one copy of a text.
    pub fn share(&mut self, text: &str) -> Text {
        self.report.shared.text(text)
    }

    /// A text, or a number or boolean as its text.
    pub fn scalar(&mut self, key: &str) -> Option<String> {
        match self.value(key)?.get_ref() {
            DeValue::String(s) => Some(s.clone().into_owned()),
            DeValue::Integer(i) if i.radix() == 10 => Some(i.as_str().to_owned()),
            DeValue::Float(f) => Some(f.as_str().to_owned()),
            DeValue::Boolean(b) => Some(b.to_string()),
            _ => {
                self.wrong(key, "is no single value; write it in quotes");
                None
            }
        }
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.value(key)?.get_ref() {
            DeValue::Boolean(b) => Some(*b),
            _ => {
                self.wrong(
                    key,
                    "is neither true nor false; write one of them without quotes",
                );
                None
            }
        }
    }

    pub fn number(&mut self, key: &str, least: u32) -> Option<u32> {
        let number = match self.value(key)?.get_ref() {
            DeValue::Integer(i) => u32::from_str_radix(i.as_str(), i.radix()).ok(),
            _ => None,
        };
        if number.is_none_or(|n| n < least) {
            self.wrong(
                key,
                format!("is no number from {least} on; write digits without quotes"),
            );
            return None;
        }
        number
    }

    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = strings(self.value(key)?.get_ref());
        if texts.is_none() {
            self.wrong(key, "is no list of texts; write [\"a\", \"b\"]");
        }
        texts
    }

    /// `[["A", "B"], ["C"]]`
    pub fn text_lists(&mut self, key: &str) -> Option<Vec<Vec<String>>> {
        let lists = match self.value(key)?.get_ref() {
            DeValue::Array(items) => items.iter().map(|i| strings(i.get_ref())).collect(),
            _ => None,
        };
        if lists.is_none() {
            self.wrong(key, "is no list of lists of names; write [[\"A\", \"B\"]]");
        }
        lists
    }

    /// `{ a = "x", b = "y" }`, in the order of the keys; numbers and booleans count as
    /// their texts.
    pub fn pairs(&mut self, key: &str) -> Option<Vec<(String, String)>> {
        let pairs: Option<Vec<(String, String)>> = match self.value(key)?.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .map(|(k, v)| Some((k.get_ref().clone().into_owned(), single(v.get_ref())?)))
                .collect(),
            _ => None,
        };
        if pairs.is_none() {
            self.wrong(key, "is no table of texts; write { key = \"text\" }");
        }
        pairs
    }

    /// As [`pairs`](Fields::pairs), but a key may have several texts: `{ a = ["x", "y"] }`
    /// gives a pair for each, in their order.
    pub fn choices(&mut self, key: &str) -> Option<Vec<(String, String)>> {
        let DeValue::Table(table) = self.value(key)?.get_ref() else {
            self.wrong(key, "is no table of texts; write { key = \"text\" }");
            return None;
        };
        let mut pairs = Vec::new();
        for (name, value) in table.iter() {
            let texts = match value.get_ref() {
                DeValue::Array(items) if !items.is_empty() => {
                    items.iter().map(|item| single(item.get_ref())).collect()
                }
                one => single(one).map(|text| vec![text]),
            };
            let name = name.get_ref();
            let Some(texts) = texts else {
                self.wrong(
                    key,
                    format!("{name} has no text; write {name} = \"text\" or [\"a\", \"b\"]"),
                );
                return None;
            };
            pairs.extend(
                texts
                    .into_iter()
                    .map(|text| (name.clone().into_owned(), text)),
            );
        }
        Some(pairs)
    }
}

/// A text, or a number or boolean as its text.
fn single(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(s) => Some(s.clone().into_owned()),
        DeValue::Integer(i) if i.radix() == 10 => Some(i.as_str().to_owned()),
        DeValue::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

fn strings(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(s) => Some(s.clone().into_owned()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
