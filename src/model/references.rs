//! References: values that name rows of other tables. A source keeps the key of a row, the
//! model shows its path.
//!
//! Finds the one for the other. What it looked up is known for as long as one request reads
//! values, and never longer.

use super::rows::RowSet;
use super::schema::{ObjectId, Param, Schema};
use super::source::Trouble;
use super::tree::{At, Model, push_number, push_row};
use std::sync::Arc;

/// Tables that references led to, for the values that come after.
#[derive(Default)]
pub(super) struct Referred {
    /// With their paths and rows: only those below no row, which are the same seen from
    /// everywhere.
    tables: Vec<(ObjectId, String, Arc<RowSet>)>,
    /// Tables below rows, the last ones.
    near: Vec<Near>,
}

/// So many tables below rows are known at a time.
const MOST_NEAR: usize = 4;

/// A table below rows, as it is seen from one place.
struct Near {
    object: ObjectId,
    seen_from: ObjectId,
    /// The numbers of the rows that are around both.
    around: Vec<u32>,
    /// What names the other rows around it at the beginning of a key: `outer/`.
    outer: String,
    path: String,
    rows: Arc<RowSet>,
}

impl Near {
    /// What is left of a key that leads to this table.
    fn key_in<'k>(&self, object: ObjectId, near: &At<'_>, key: &'k str) -> Option<&'k str> {
        let same = self.object == object
            && self.seen_from == near.object
            && near.numbers.starts_with(&self.around);
        // What is left of it may hold a slash only where nothing was taken from it.
        key.strip_prefix(self.outer.as_str()).filter(|_| same)
    }
}

/// A table that a reference may point to.
struct Table<'k> {
    object: ObjectId,
    path: String,
    /// Of the rows around it.
    keys: Vec<String>,
    numbers: Vec<u32>,
    /// What is left of the key, where that names rows around the table, too.
    key: &'k str,
}

impl Table<'_> {
    fn at(&self) -> At<'_> {
        At {
            object: self.object,
            path: &self.path,
            keys: &self.keys,
            numbers: &self.numbers,
        }
    }
}

impl Model {
    /// The table a reference may point to, seen from a place, and what is left of the key.
    /// Rows that are not around that place are named by the key: `outer/inner`.
    fn table_near<'k>(
        &mut self,
        schema: &Schema,
        table: ObjectId,
        near: &At<'_>,
        mut key: &'k str,
    ) -> Result<Option<Table<'k>>, Trouble> {
        // Most are not longer.
        let mut path = String::with_capacity(96);
        let (mut keys, mut numbers) = (Vec::new(), Vec::new());
        for object in schema.line_of(table) {
            path.push_str(&schema.object(object).name);
            path.push('.');
            if schema.object(object).table.is_none() || object == table {
                continue;
            }
            let depth = numbers.len();
            let own = near.numbers.get(depth).zip(near.keys.get(depth));
            if let (true, Some((n, outer))) = (schema.is_around(object, near.object), own) {
                push_row(&mut path, *n);
                keys.push(outer.clone());
                numbers.push(*n);
                continue;
            }
            let Some((outer, inner)) = key.split_once('/') else {
                return Ok(None);
            };
            let outer_table = At {
                object,
                path: &path,
                keys: &keys,
                numbers: &numbers,
            };
            let Some(n) = self.rows_at(&outer_table)?.number_of(outer) else {
                return Ok(None);
            };
            push_row(&mut path, n);
            keys.push(outer.to_owned());
            numbers.push(n);
            key = inner;
        }
        Ok(Some(Table {
            object: table,
            path,
            keys,
            numbers,
            key,
        }))
    }

    /// Appends the path of the row with this key in one of the tables a parameter refers to;
    /// whether there is one. `Device.A.B.=key` says which of them.
    pub(super) fn push_path_of_key(
        &mut self,
        schema: &Schema,
        param: &Param,
        near: &At<'_>,
        key: &str,
        referred: &mut Referred,
        path: &mut String,
    ) -> Result<bool, Trouble> {
        if key.is_empty() {
            return Ok(false);
        }
        let names_table = key.starts_with("Device.");
        let named = names_table.then(|| key.split_once('=')).flatten();
        let (only, key) = match named {
            Some((table, key)) => (Some(table), key),
            None => (None, key),
        };
        for object in references(param) {
            if only.is_some_and(|only| !schema.is_path_of_table(*object, only)) {
                continue;
            }
            let mut known = referred.tables.iter();
            if let Some((_, table, rows)) = known.find(|(known, ..)| known == object) {
                match rows.number_of(key) {
                    Some(number) => return Ok(push_row_path(path, table, number)),
                    None => continue,
                }
            }
            let mut known = referred.near.iter();
            let known = known.find_map(|n| Some((n, n.key_in(*object, near, key)?)));
            if let Some((known, key)) = known {
                match known.rows.number_of(key) {
                    Some(number) => return Ok(push_row_path(path, &known.path, number)),
                    None => continue,
                }
            }
            let Some(table) = self.table_near(schema, *object, near, key)? else {
                continue;
            };
            let rows = self.rows_at(&table.at())?;
            let found = rows.number_of(table.key);
            let found = found.is_some_and(|number| push_row_path(path, &table.path, number));
            if table.numbers.is_empty() {
                referred.tables.push((*object, table.path, rows));
            } else {
                let outer = key.len().saturating_sub(table.key.len());
                if referred.near.len() >= MOST_NEAR {
                    referred.near.remove(0);
                }
                referred.near.push(Near {
                    object: *object,
                    seen_from: near.object,
                    around: around_of(&table, near),
                    outer: key.get(..outer).unwrap_or_default().to_owned(),
                    path: table.path,
                    rows,
                });
            }
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The key of the row with this path, if it is in one of the tables a parameter
    /// refers to.
    pub(super) fn key_of_path(
        &mut self,
        schema: &Schema,
        param: &Param,
        near: &At<'_>,
        path: &str,
    ) -> Option<String> {
        for table in references(param) {
            let Ok(Some(table)) = self.table_near(schema, *table, near, "") else {
                continue;
            };
            let Some(number) = path.strip_prefix(table.path.as_str()) else {
                continue;
            };
            let rows = self.rows_at(&table.at()).ok()?;
            // "+1" and "01" parse, too, but are no instance numbers.
            let number = number
                .parse::<u32>()
                .ok()
                .filter(|n| n.to_string() == number)?;
            return rows.key_of(number).map(str::to_owned);
        }
        None
    }
}

/// The numbers of the rows around a table that are around a place, too.
fn around_of(table: &Table<'_>, near: &At<'_>) -> Vec<u32> {
    let pairs = table.numbers.iter().zip(near.numbers);
    let same = pairs.take_while(|(a, b)| a == b);
    same.map(|(n, _)| *n).collect()
}

/// Appends the path of a row as a reference has it, without a dot at the end: always so.
fn push_row_path(path: &mut String, table: &str, number: u32) -> bool {
    // Ten digits at most.
    path.reserve(table.len() + 10);
    path.push_str(table);
    push_number(path, number);
    true
}

fn references(param: &Param) -> &[ObjectId] {
    match &param.extra {
        Some(extra) => &extra.references,
        None => &[],
    }
}
