//! How values look on a terminal and in JSON.

use crate::agent::control::{Kind, Value};

/// A value on one line: C escapes for backslash, newline and control characters.
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            // Three octal digits: a C compiler reads no more than these.
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\{:03o}", c as u32));
            }
            c if c.is_control() => {
                let mut bytes = [0u8; 4];
                for b in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\{b:03o}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// `path=value` lines.
pub fn lines(values: &[Value]) -> String {
    let mut out = String::new();
    for v in values {
        out.push_str(&v.path);
        out.push('=');
        out.push_str(&escape(&v.value));
        out.push('\n');
    }
    out
}

/// One JSON object, path to value.
pub fn json(values: &[Value]) -> String {
    let mut object = serde_json::Map::with_capacity(values.len());
    for v in values {
        let text = || serde_json::Value::String(v.value.clone());
        let value = match v.kind {
            Kind::Text => text(),
            Kind::Boolean => match v.value.as_str() {
                "1" | "true" => serde_json::Value::Bool(true),
                "0" | "false" => serde_json::Value::Bool(false),
                _ => text(),
            },
            Kind::Number => match serde_json::from_str::<serde_json::Number>(&v.value) {
                Ok(number) => serde_json::Value::Number(number),
                Err(_) => text(),
            },
        };
        object.insert(v.path.clone(), value);
    }
    let mut out = serde_json::to_string_pretty(&serde_json::Value::Object(object))
        .unwrap_or_else(|_| "{}".to_owned());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_on_one_line() {
        assert_eq!(
            escape("a\nb\\c\t\u{1}é\u{85}"),
            "a\\nb\\\\c\\t\\001é\\302\\205"
        );
    }

    #[test]
    fn json_types_follow_the_parameter_types() {
        let v = |path: &str, value: &str, kind| Value {
            path: path.into(),
            value: value.into(),
            kind,
        };
        let text = json(&[
            v("A", "true", Kind::Boolean),
            v("B", "18446744073709551615", Kind::Number),
            v("C", "12", Kind::Text),
            v("D", "-5", Kind::Number),
        ]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["A"], serde_json::json!(true));
        assert_eq!(read["B"], serde_json::json!(u64::MAX));
        assert_eq!(read["C"], serde_json::json!("12"));
        assert_eq!(read["D"], serde_json::json!(-5));
    }
}
