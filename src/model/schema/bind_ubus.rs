//! `ubus` in TOML form → [`UbusAt`] and [`UbusRows`].

use super::bind::{is_table, open};
use super::fields::Fields;
use crate::model::binding::{Text, UbusArgument, UbusAt, UbusCall, UbusRows};
use toml::de::DeValue;

const KEYS: [&str; 4] = ["object", "method", "arguments", "pointer"];

/// The `ubus` key of a parameter.
pub(crate) fn value(fields: &mut Fields<'_, '_, '_>) -> Option<UbusAt> {
    if !is_table(fields, "ubus") {
        fields.wrong(
            "ubus",
            "is no table; write { object = \"system\", method = \"board\", pointer = \"/model\" }",
        );
        return None;
    }
    let mut inner = open(fields, "ubus", &KEYS)?;
    let call = call(&mut inner, "object");
    let pointer = pointer(&mut inner).filter(|pointer| !pointer.is_empty());
    if pointer.is_none() {
        inner.wrong_here("pointer says where in the answer the value stands; write \"/model\"");
    }
    Some(UbusAt {
        call: call?,
        pointer: pointer?,
    })
}

/// The `rows` key of a table, in its form `ubus`.
pub(crate) fn rows(fields: &mut Fields<'_, '_, '_>) -> Option<UbusRows> {
    let call = call(fields, "ubus");
    let pointer = match fields.has("pointer") {
        true => pointer(fields),
        false => Some(fields.share("")),
    };
    Some(UbusRows {
        call: call?,
        pointer: pointer?,
        key: fields.shared("key").filter(|key| !key.is_empty()),
    })
}

/// The object stands under `key`.
fn call(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<UbusCall> {
    let object = name(fields, key);
    let method = name(fields, "method");
    let arguments = match fields.has("arguments") {
        true => arguments(fields),
        false => Some(Box::default()),
    };
    Some(UbusCall {
        object: object?,
        method: method?,
        arguments: arguments?,
    })
}

fn name(fields: &mut Fields<'_, '_, '_>, key: &str) -> Option<Text> {
    if !fields.has(key) {
        fields.wrong_here(format!("has no {key}; see `ubus -v list`"));
        return None;
    }
    let text = fields.shared(key)?;
    // A star would stand for any object.
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '*') {
        fields.wrong(key, "is no name; write one as `ubus -v list` shows it");
        return None;
    }
    Some(text)
}

fn pointer(fields: &mut Fields<'_, '_, '_>) -> Option<Text> {
    let pointer = fields.shared("pointer")?;
    if !pointer.starts_with('/') {
        fields.wrong("pointer", "is none; begin it with /");
        return None;
    }
    Some(pointer)
}

fn arguments(fields: &mut Fields<'_, '_, '_>) -> Option<Box<[(Text, UbusArgument)]>> {
    const SHAPE: &str =
        "is no table of texts, whole numbers and booleans; write { name = \"text\" }";
    let DeValue::Table(table) = fields.value("arguments")?.get_ref() else {
        fields.wrong("arguments", SHAPE);
        return None;
    };
    let mut arguments = Vec::new();
    for (name, value) in table {
        let value = match value.get_ref() {
            DeValue::String(text) => Some(UbusArgument::Text(fields.share(text))),
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .map(UbusArgument::Number),
            DeValue::Boolean(flag) => Some(UbusArgument::Flag(*flag)),
            _ => None,
        };
        let Some(value) = value else {
            fields.wrong("arguments", SHAPE);
            return None;
        };
        arguments.push((fields.share(name.get_ref()), value));
    }
    arguments.sort();
    Some(arguments.into())
}

/// Every text of a call that may hold placeholders.
pub(crate) fn texts_of(call: &UbusCall) -> Vec<&str> {
    let texts = call.arguments.iter().filter_map(|(_, value)| match value {
        UbusArgument::Text(text) => Some(&**text),
        _ => None,
    });
    std::iter::once(&*call.object).chain(texts).collect()
}
