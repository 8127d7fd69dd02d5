//! The ten value types of CWMP (TR-069 Table 64): lexical check, canonical form, order.

use std::fmt;

/// A base type of CWMP, named as in XML Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    String,
    Int,
    UnsignedInt,
    Long,
    UnsignedLong,
    Boolean,
    DateTime,
    Base64,
    HexBinary,
    Decimal,
}

/// How a value looks in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonClass {
    /// The text as a JSON string.
    String,
    /// The text is a valid JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl ValueType {
    /// The local name used in `xsi:type` (`unsignedInt`, `base64`).
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::Int => "int",
            ValueType::UnsignedInt => "unsignedInt",
            ValueType::Long => "long",
            ValueType::UnsignedLong => "unsignedLong",
            ValueType::Boolean => "boolean",
            ValueType::DateTime => "dateTime",
            ValueType::Base64 => "base64",
            ValueType::HexBinary => "hexBinary",
            ValueType::Decimal => "decimal",
        }
    }

    /// The type of this local name; `base64Binary` (XML Schema) is `base64`.
    pub fn from_name(name: &str) -> Option<ValueType> {
        Some(match name {
            "string" => ValueType::String,
            "int" => ValueType::Int,
            "unsignedInt" => ValueType::UnsignedInt,
            "long" => ValueType::Long,
            "unsignedLong" => ValueType::UnsignedLong,
            "boolean" => ValueType::Boolean,
            "dateTime" => ValueType::DateTime,
            "base64" | "base64Binary" => ValueType::Base64,
            "hexBinary" => ValueType::HexBinary,
            "decimal" => ValueType::Decimal,
            _ => return None,
        })
    }

    /// How the command line writes values of this type in JSON. 64-bit integers and
    /// decimals are strings of digits that JSON numbers can hold, too.
    pub fn json_class(self) -> JsonClass {
        match self {
            ValueType::Int
            | ValueType::UnsignedInt
            | ValueType::Long
            | ValueType::UnsignedLong
            | ValueType::Decimal => JsonClass::Number,
            ValueType::Boolean => JsonClass::Boolean,
            _ => JsonClass::String,
        }
    }

    /// Whether values are numbers.
    pub fn is_number(self) -> bool {
        self.json_class() == JsonClass::Number
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The canonical form of a text as a value of a base type, or what is wrong with it.
///
/// Accepts the lexical forms of XML Schema (white space around all but strings, signs,
/// leading zeros, `1`/`0` for booleans); gives one form for each value: what a later read
/// returns. Ranges are those of the base type.
pub fn canonical(ty: ValueType, text: &str) -> Result<String, String> {
    if ty.is_number() && is_plain_number(sure_digits(ty), text) {
        return Ok(text.to_owned());
    }
    let inner = text.trim_matches([' ', '\t', '\r', '\n']);
    match ty {
        ValueType::String => Ok(text.to_owned()),
        ValueType::Boolean => match inner {
            "true" | "1" => Ok("true".to_owned()),
            "false" | "0" => Ok("false".to_owned()),
            _ => Err("is no boolean; write true, false, 1 or 0".to_owned()),
        },
        ValueType::Int => integer(inner, "-2147483648", "2147483647"),
        ValueType::UnsignedInt => integer(inner, "0", "4294967295"),
        ValueType::Long => integer(inner, "-9223372036854775808", "9223372036854775807"),
        ValueType::UnsignedLong => integer(inner, "0", "18446744073709551615"),
        ValueType::Decimal => decimal(inner)
            .ok_or_else(|| "is no decimal number; write digits with one point at most".to_owned()),
        ValueType::DateTime if super::datetime::is_plain(inner) => Ok(inner.to_owned()),
        ValueType::DateTime => super::datetime::canonical(inner),
        ValueType::Base64 => base64_text(inner),
        ValueType::HexBinary => {
            if inner.len().is_multiple_of(2) && inner.bytes().all(|b| b.is_ascii_hexdigit()) {
                Ok(inner.to_ascii_uppercase())
            } else {
                Err("is no hexBinary; write an even number of hexadecimal digits".to_owned())
            }
        }
    }
}

/// How many units a length facet counts: characters, or octets of binary types.
pub fn length(ty: ValueType, canonical: &str) -> usize {
    match ty {
        ValueType::HexBinary => canonical.len() / 2,
        ValueType::Base64 => {
            let padding = canonical.bytes().rev().take_while(|b| *b == b'=').count();
            (canonical.len() / 4 * 3).saturating_sub(padding)
        }
        _ => canonical.chars().count(),
    }
}

/// How many digits a numeric type surely holds.
pub fn sure_digits(ty: ValueType) -> usize {
    match ty {
        ValueType::Long | ValueType::UnsignedLong => 18,
        _ => 9,
    }
}

/// Whether a text is the canonical form of a number of so many digits at most: no sign, no
/// leading zero. Most numbers are, and need no further look.
pub fn is_plain_number(digits: usize, text: &str) -> bool {
    match text.as_bytes() {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < digits && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn integer(text: &str, least: &str, greatest: &str) -> Result<String, String> {
    let value = match decimal(text) {
        Some(value) if !text.contains('.') => value,
        _ => return Err("is no integer; write digits, with a sign at most".to_owned()),
    };
    if compare_decimal(&value, least).is_lt() || compare_decimal(&value, greatest).is_gt() {
        return Err(format!("is outside {least} to {greatest}"));
    }
    Ok(value)
}

/// The canonical form of a decimal number: no plus, no leading zeros, no zeros at the
/// end of the fraction, no point without a fraction, no `-0`.
pub fn decimal(text: &str) -> Option<String> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let mut out = String::with_capacity(whole.len() + fraction.len() + 3);
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Some(out)
}

/// The order of two canonical decimal numbers of any size.
pub fn compare_decimal(a: &str, b: &str) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    fn split(s: &str) -> (bool, &str, &str) {
        let (negative, digits) = match s.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, s),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        (negative, whole, fraction)
    }
    let (a_negative, a_whole, a_fraction) = split(a);
    let (b_negative, b_whole, b_fraction) = split(b);
    match (a_negative, b_negative) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    // Without trailing zeros, a fraction's text sorts as its value does.
    let magnitude = a_whole
        .len()
        .cmp(&b_whole.len())
        .then_with(|| a_whole.cmp(b_whole))
        .then_with(|| a_fraction.cmp(b_fraction));
    if a_negative {
        magnitude.reverse()
    } else {
        magnitude
    }
}

fn base64_text(text: &str) -> Result<String, String> {
    use base64::Engine;
    let packed: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'))
        .collect();
    // Decoded only to check padding and the unused bits.
    match base64::engine::general_purpose::STANDARD.decode(packed.as_bytes()) {
        Ok(_) => Ok(packed),
        Err(_) => Err("is no base64; write groups of four with = padding".to_owned()),
    }
}

/// What a parameter of this type shows when its source has no value and the schema no
/// default.
pub fn empty_value(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Boolean => "false",
        ValueType::DateTime => super::datetime::UNKNOWN_TIME,
        _ if ty.is_number() => "0",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_have_one_form() {
        // T-SPV-011
        for (text, want) in [
            ("+5", "5"),
            ("007", "7"),
            ("-0", "0"),
            ("0", "0"),
            (" 12\n", "12"),
        ] {
            assert_eq!(
                canonical(ValueType::UnsignedInt, text).as_deref(),
                Ok(want),
                "{text:?}"
            );
        }
        assert!(canonical(ValueType::UnsignedInt, "-1").is_err());
        assert!(canonical(ValueType::UnsignedInt, "4294967296").is_err());
        assert!(canonical(ValueType::Int, "-2147483649").is_err());
        assert_eq!(
            canonical(ValueType::Int, "-2147483648").as_deref(),
            Ok("-2147483648")
        );
        assert!(canonical(ValueType::UnsignedLong, "18446744073709551616").is_err());
        for text in ["", "+", "-", "1.0", "1e3", "0x10", "1 2", "٣"] {
            assert!(canonical(ValueType::Int, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn plain_numbers_fit_every_numeric_type() {
        let numeric = || TYPES.into_iter().filter(|ty| ty.is_number());
        for text in ["0", "7", "10", "999999999"] {
            for ty in numeric() {
                assert!(is_plain_number(sure_digits(ty), text), "{ty} {text}");
                assert_eq!(canonical(ty, text).as_deref(), Ok(text), "{ty}");
            }
        }
        for ty in [ValueType::Long, ValueType::UnsignedLong] {
            for text in ["1000000000", "999999999999999999"] {
                assert!(is_plain_number(sure_digits(ty), text), "{ty} {text}");
                assert_eq!(canonical(ty, text).as_deref(), Ok(text), "{ty}");
            }
            assert!(!is_plain_number(sure_digits(ty), "1000000000000000000"));
        }
        for ty in numeric() {
            for text in ["", "00", "01", "-1", "+1", "1.0", "1x", "x"] {
                assert!(!is_plain_number(sure_digits(ty), text), "{ty} {text}");
            }
        }
        for ty in [ValueType::Int, ValueType::UnsignedInt, ValueType::Decimal] {
            assert!(!is_plain_number(sure_digits(ty), "1000000000"), "{ty}");
        }
    }

    #[test]
    fn booleans_have_one_form() {
        // T-SPV-010
        for text in ["true", "1", " true "] {
            assert_eq!(canonical(ValueType::Boolean, text).as_deref(), Ok("true"));
        }
        for text in ["TRUE", "yes", "", "2", "on"] {
            assert!(canonical(ValueType::Boolean, text).is_err());
        }
    }

    #[test]
    fn binary_lengths_count_octets() {
        assert_eq!(
            canonical(ValueType::HexBinary, "0aFf").as_deref(),
            Ok("0AFF")
        );
        assert!(canonical(ValueType::HexBinary, "abc").is_err());
        assert_eq!(length(ValueType::HexBinary, "0AFF"), 2);
        assert_eq!(
            canonical(ValueType::Base64, "YW Jj\n").as_deref(),
            Ok("YWJj")
        );
        assert_eq!(length(ValueType::Base64, "YWI="), 2);
        assert!(canonical(ValueType::Base64, "YWI").is_err());
        assert_eq!(length(ValueType::String, "äöü"), 3);
    }

    #[test]
    fn decimals_are_ordered_by_value() {
        use std::cmp::Ordering::*;
        for (a, b, want) in [
            ("1", "10", Less),
            ("-1", "-10", Greater),
            ("0.5", "0.49", Greater),
            ("2", "1.9", Greater),
            ("-0.5", "0", Less),
            ("7", "7", Equal),
        ] {
            assert_eq!(compare_decimal(a, b), want, "{a} {b}");
        }
        assert_eq!(decimal("+00.500").as_deref(), Some("0.5"));
        assert_eq!(decimal("-.0").as_deref(), Some("0"));
        assert_eq!(decimal("."), None);
    }

    const TYPES: [ValueType; 10] = [
        ValueType::String,
        ValueType::Int,
        ValueType::UnsignedInt,
        ValueType::Long,
        ValueType::UnsignedLong,
        ValueType::Boolean,
        ValueType::DateTime,
        ValueType::Base64,
        ValueType::HexBinary,
        ValueType::Decimal,
    ];

    proptest! {
        #[test]
        fn canonical_form_is_stable(text in "[-+0-9:TZ. a-fA-F=]{0,30}") {
            for ty in TYPES {
                if let Ok(once) = canonical(ty, &text) {
                    prop_assert_eq!(canonical(ty, &once), Ok(once.clone()));
                }
            }
        }

        #[test]
        fn integers_read_as_their_value(n in any::<i64>(), zeros in 0usize..4) {
            let sign = if n < 0 { "-" } else { "" };
            let text = format!("{sign}{}{}", "0".repeat(zeros), n.unsigned_abs());
            prop_assert_eq!(canonical(ValueType::Long, &text), Ok(n.to_string()));
        }

        #[test]
        fn order_is_that_of_the_numbers(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(compare_decimal(&a.to_string(), &b.to_string()), a.cmp(&b));
        }
    }
}
