//! JSON as blobmsg and back, as the `ubus` program shows and takes it.
//!
//! Both ways are iterative and bounded like [`super::blob`].

use serde_json::{Map, Number, Value};

use super::blob::{BlobError, Step, Walk, Writer};

/// The table that lies in a blobmsg payload, as JSON: numbers with a sign, an 8-bit number
/// as a boolean, a text that is no UTF-8 with replacement characters, a floating point
/// number that JSON cannot say as null. Of values with the same name the last one counts.
///
/// Fails where the payload is no blobmsg or goes beyond the bounds of [`super::blob`].
pub fn table(payload: &[u8]) -> Result<Map<String, Value>, BlobError> {
    let mut done = Map::new();
    // What is open around the value that comes next, outermost first.
    let mut open: Vec<(String, Value)> = Vec::new();
    for step in Walk::through(payload) {
        let (name, step) = step?;
        let name = String::from_utf8_lossy(name).into_owned();
        let (name, value) = match step {
            Step::Table => {
                open.push((name, Value::Object(Map::new())));
                continue;
            }
            Step::Array => {
                open.push((name, Value::Array(Vec::new())));
                continue;
            }
            Step::Close => match open.pop() {
                Some(closed) => closed,
                None => return Err(BlobError::Unbalanced),
            },
            Step::Null => (name, Value::Null),
            Step::Text(text) => (name, String::from_utf8_lossy(text).into_owned().into()),
            Step::Int64(n) => (name, n.into()),
            Step::Int32(n) => (name, n.into()),
            Step::Int16(n) => (name, n.into()),
            Step::Bool(b) => (name, b.into()),
            Step::Double(n) => (name, Number::from_f64(n).map_or(Value::Null, Value::Number)),
        };
        match open.last_mut() {
            Some((_, Value::Array(items))) => items.push(value),
            Some((_, Value::Object(table))) => drop(table.insert(name, value)),
            _ => drop(done.insert(name, value)),
        }
    }
    Ok(done)
}

/// The blobmsg payload of a table: whole numbers in 32 bits where they fit, else in 64,
/// booleans as 8-bit numbers, null as a value without type.
///
/// Fails where a text has a NUL in it or the bounds of [`super::blob`] are passed. Whole
/// numbers above 2^63 - 1 become floating point, as JSON has no limit and blobmsg has.
pub fn payload(table: &Map<String, Value>) -> Result<Vec<u8>, BlobError> {
    let mut writer = Writer::new();
    write(&mut writer, table);
    writer.finish()
}

/// Writes the values of a table into what is open in `writer`.
pub fn write(writer: &mut Writer, table: &Map<String, Value>) {
    let mut open = vec![Rest::Table(table.iter())];
    while let Some(rest) = open.last_mut() {
        let next = match rest {
            Rest::Table(values) => values.next().map(|(name, value)| (name.as_str(), value)),
            Rest::Array(values) => values.next().map(|value| ("", value)),
        };
        let Some((name, value)) = next else {
            open.pop();
            // The outermost table is not written as one.
            if !open.is_empty() {
                writer.close();
            }
            continue;
        };
        match value {
            Value::Null => writer.null(name),
            Value::Bool(b) => writer.bool(name, *b),
            Value::Number(n) => write_number(writer, name, n),
            Value::String(text) => writer.text(name, text),
            Value::Array(items) => {
                writer.open_array(name);
                open.push(Rest::Array(items.iter()));
            }
            Value::Object(inner) => {
                writer.open_table(name);
                open.push(Rest::Table(inner.iter()));
            }
        }
    }
}

enum Rest<'a> {
    Table(serde_json::map::Iter<'a>),
    Array(std::slice::Iter<'a, Value>),
}

fn write_number(writer: &mut Writer, name: &str, number: &Number) {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => match i32::try_from(whole) {
            Ok(small) => writer.int32(name, small),
            Err(_) => writer.int64(name, whole),
        },
        (None, Some(n)) => writer.double(name, n),
        (None, None) => writer.null(name),
    }
}
