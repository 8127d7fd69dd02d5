//! Between what a source keeps and what the model shows: booleans in the manner of UCI,
//! maps, scales, lists, references.
//!
//! Reading is lenient: a value that has the parameter's type is shown even where range,
//! length or enumeration would refuse it in a Set, since it is what the router runs with.
//! One that does not have the type (`abc` for a number) cannot be shown at all: the
//! parameter is in trouble.

use super::binding::Binding;
use super::datetime;
use super::facets::{Facets, is_joined, join_list, split_list};
use super::schema::{Extra, Param, ParamSource, Shown};
use super::source::{Raw, Said};
use super::value::{self, ValueType};
use std::borrow::Cow;

/// A value as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading<'s> {
    /// Borrowed where the schema has the text.
    pub value: Cow<'s, str>,
    /// The source holds this value; `false` where something else is shown in place of
    /// what it holds, so that a Set of the shown value must still be written.
    pub exact: bool,
    /// The source says nothing, and this is what is in force meanwhile (`live`).
    pub live: bool,
}

impl<'s> Reading<'s> {
    /// A value that the source holds.
    pub fn exact(value: impl Into<Cow<'s, str>>) -> Reading<'s> {
        Reading {
            value: value.into(),
            exact: true,
            live: false,
        }
    }

    /// The same, borrowing nothing.
    pub fn into_owned<'o>(self) -> Reading<'o> {
        let value = match self.value {
            Cow::Borrowed("") => Cow::Borrowed(""),
            value => Cow::Owned(value.into_owned()),
        };
        Reading {
            value,
            exact: self.exact,
            live: self.live,
        }
    }
}

/// Whether a Set to this value leaves the source saying nothing, as it is already where
/// what is in force is shown: an empty one, where that is no value.
pub(super) fn leaves_in_force(param: &Param, wanted: &str, reading: &Reading<'_>) -> bool {
    let none = param.extra.iter().flat_map(|extra| &extra.none);
    reading.live && wanted.is_empty() && none.into_iter().any(|none| none.is_empty())
}

/// Finds the path of a row by its key, or its key by the path.
pub(super) type Lookup<'a> = &'a mut dyn FnMut(&str) -> Option<String>;

/// What a parameter shows when its source has nothing.
pub(super) fn absent<'s>(param: &'s Param, facets: &Facets) -> &'s str {
    match &param.default {
        Some(default) => default,
        None => facets.empty_value(),
    }
}

/// The value that what a source says stands for. The error says why it has none, without
/// showing it when the parameter is hidden.
pub(super) fn from_said<'s>(
    param: &'s Param,
    facets: &Facets,
    said: Option<Said<'s>>,
    path_of_key: Lookup<'_>,
) -> Result<Reading<'s>, String> {
    let extra = param.extra.as_deref();
    let Some(said) = said else {
        let mapped = extra.and_then(|e| e.map.iter().find(|(_, source)| source.is_empty()));
        let shown = mapped.map(|(shown, _)| &**shown);
        return Ok(Reading::exact(shown.unwrap_or(absent(param, facets))));
    };
    if let (Said::Text(text), Some(extra)) = (&said, extra)
        && extra.none.iter().any(|none| **none == *trimmed(text))
    {
        let shown = absent(param, facets);
        return Ok(Reading {
            value: shown.into(),
            exact: text == shown,
            live: false,
        });
    }
    if facets.list.is_none() {
        let text = match said {
            Said::Text(text) => text,
            Said::List(items) => items.join(" ").into(),
        };
        return item_from(param, facets, extra, text, path_of_key);
    }
    if let Said::Text(text) = &said
        && facets.named.base == ValueType::String
        && extra.is_none_or(Extra::leaves_values_alone)
        && is_joined(text)
        && (!no_spaces(facets) || text.split(',').all(facets.named.check))
    {
        return Ok(match said {
            Said::Text(text) => Reading::exact(text),
            Said::List(_) => Reading::exact(""),
        });
    }
    let items: Cow<'_, [String]> = match said {
        Said::List(items) => items,
        // OpenWrt's scripts part an option at white space wherever a list may stand.
        Said::Text(text) if in_words(param) || no_spaces(facets) => text
            .split([',', ' ', '\t', '\n'])
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
        Said::Text(text) => split_list(&text).into(),
    };
    let mut exact = true;
    let mut values = Vec::with_capacity(items.len());
    for item in &*items {
        let item = Cow::Borrowed(item.as_str());
        let reading = item_from(param, facets, extra, item, path_of_key)?;
        exact &= reading.exact;
        let unfit = || no_spaces(facets) && !(facets.named.check)(&reading.value);
        if reading.value.is_empty() || unfit() {
            // An item that names nothing, or is not of the type, has no place in a list.
            exact = false;
            continue;
        }
        values.push(reading.value);
    }
    Ok(Reading {
        value: join_list(values.iter().map(|value| &**value)).into(),
        exact,
        live: false,
    })
}

/// The value that what a source says plainly stands for, or what it says where that takes a
/// further look: see [`from_said`].
#[inline(always)]
pub(super) fn from_plain<'s>(
    param: &'s Param,
    said: Option<Said<'s>>,
    facets: impl Fn() -> &'s Facets,
) -> Result<Reading<'s>, Option<Said<'s>>> {
    match said {
        Some(Said::Text(text)) if param.shown.takes(&text) => Ok(Reading::exact(text)),
        Some(Said::Text(text)) if param.shown == Shown::Boolean => match &*text {
            "1" | "true" => Ok(Reading::exact("true")),
            "0" | "false" => Ok(Reading::exact("false")),
            _ => Err(Some(Said::Text(text))),
        },
        None => Ok(Reading::exact(match &param.default {
            Some(default) => default,
            None => facets().empty_value(),
        })),
        said => Err(said),
    }
}

/// Whether a single text is shown as its source keeps it.
fn is_shown_as_it_is(facets: &Facets, extra: Option<&Extra>, text: &str) -> bool {
    let base = facets.named.base;
    // A number that the type holds, in its one form.
    (base == ValueType::String || is_plain_number(base, text))
        && extra.is_none_or(Extra::leaves_values_alone)
}

/// Whether it is a number that its type surely holds, in its one form.
fn is_plain_number(base: ValueType, text: &str) -> bool {
    base.is_number() && value::is_plain_number(value::sure_digits(base), text)
}

/// Whether the type's own form tells items from other text (`MACAddress`).
fn no_spaces(facets: &Facets) -> bool {
    facets.named.base == ValueType::String && !facets.named.form.is_empty()
}

fn in_words(param: &Param) -> bool {
    matches!(&param.source, ParamSource::At(b) if matches!(b, Binding::Uci(at) if at.words))
}

fn item_from<'v, 's: 'v>(
    param: &'s Param,
    facets: &Facets,
    extra: Option<&'s Extra>,
    text: Cow<'v, str>,
    path_of_key: Lookup<'_>,
) -> Result<Reading<'v>, String> {
    if is_shown_as_it_is(facets, extra, &text) {
        return Ok(Reading::exact(text));
    }
    let base = facets.named.base;
    let done = |value: Cow<'v, str>, exact: bool| {
        Ok(Reading {
            value,
            exact,
            live: false,
        })
    };
    if let Some(extra) = extra {
        if !extra.references.is_empty() {
            return match path_of_key(&text) {
                Some(path) => done(path.into(), true),
                None => done("".into(), text.is_empty()),
            };
        }
        if let Some((shown, _)) = extra.map.iter().find(|(_, source)| **source == *text) {
            return done((&**shown).into(), true);
        }
        // OpenWrt takes `yes` for `1`: so does a map that turns a boolean round.
        if base == ValueType::Boolean && !extra.map.is_empty() {
            let usual = boolean(&text).map(|value| if value == "true" { "1" } else { "0" });
            let known = extra
                .map
                .iter()
                .find(|(_, source)| usual.as_deref() == Ok(&**source));
            if let Some((shown, _)) = known {
                return done((&**shown).into(), true);
            }
        }
        if let Some(otherwise) = &extra.otherwise {
            return done((&**otherwise).into(), true);
        }
        if !extra.map.is_empty()
            && facets.list.is_none()
            && let Some(default) = &param.default
        {
            return done((&**default).into(), false);
        }
    }
    if base == ValueType::String {
        return done(text, true);
    }
    // Numbers and times in their one form: most are.
    let is_in_form = is_plain_number(base, &text) && extra.is_none_or(|e| e.scale.is_none());
    if is_in_form || base == ValueType::DateTime && datetime::is_plain(&text) {
        return done(text, true);
    }
    let text = trimmed(&text);
    if text.is_empty()
        && facets.list.is_none()
        && !matches!(base, ValueType::Base64 | ValueType::HexBinary)
    {
        return done(absent(param, facets).into(), false);
    }
    let read = match (base, extra.and_then(|e| e.scale)) {
        (ValueType::Boolean, _) => boolean(text).map(Cow::Borrowed),
        // The local time keeps its offset; nothing that is set has one of its own.
        (ValueType::DateTime, _) if !param.writable => {
            value::canonical(base, text).map(|_| text.to_owned().into())
        }
        (_, Some((top, bottom))) => scaled(text, top, bottom)
            .and_then(|n| value::canonical(base, &fit(facets, n)))
            .map(Cow::Owned),
        _ if is_plain_number(base, text) => Ok(text.to_owned().into()),
        _ if base.is_number() => match value::decimal(text) {
            // Only integers wrap; a decimal keeps its fraction.
            Some(n) if !n.contains('.') => match n.parse::<i128>() {
                Ok(n) => value::canonical(base, &fit(facets, n)).map(Cow::Owned),
                Err(_) => value::canonical(base, &n).map(Cow::Owned),
            },
            _ => value::canonical(base, text).map(Cow::Owned),
        },
        _ => value::canonical(base, text).map(Cow::Owned),
    };
    match read {
        Ok(value) => done(value, true),
        Err(what) if param.shown == Shown::Hidden => Err(format!("what it holds {what}")),
        Err(what) => {
            let shown: String = text.chars().take(40).collect();
            Err(format!("what it holds, {shown:?}, {what}"))
        }
    }
}

/// A text without white space around it.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        // Most have none.
        [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

/// Counters wrap where their type ends (TR-106: statistics), whatever the kernel's width.
fn fit(facets: &Facets, n: i128) -> String {
    match facets.named.name {
        "StatsCounter32" if n >= 0 => n.rem_euclid(1 << 32).to_string(),
        "StatsCounter64" if n >= 0 => n.rem_euclid(1 << 64).to_string(),
        _ => n.to_string(),
    }
}

fn boolean(text: &str) -> Result<&'static str, String> {
    match text {
        "1" | "on" | "yes" | "true" | "enabled" => Ok("true"),
        "0" | "off" | "no" | "false" | "disabled" => Ok("false"),
        _ => Err("is no boolean; write 1 or 0".to_owned()),
    }
}

/// `text` × `top` / `bottom`, rounded towards zero. The text may have a fraction.
fn scaled(text: &str, top: i64, bottom: i64) -> Result<i128, String> {
    let number = value::decimal(text).ok_or("is no number")?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    // Nine digits of a fraction are as fine as any clock or meter shows.
    let fraction = &fraction[..fraction.len().min(9)];
    let digits: i128 = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| "is too large a number")?;
    // The fraction has nine digits at most.
    let unit = 10_i128.pow(fraction.len() as u32);
    digits
        .checked_mul(i128::from(top))
        .map(|n| n / (unit * i128::from(bottom)))
        .ok_or_else(|| "is too large a number".to_owned())
}

/// Whether a value has no text of its own: it is what every text stands for that is not
/// in the map, so that nothing can be written for it.
pub(super) fn follows(param: &Param, value: &str) -> bool {
    param.extra.as_deref().is_some_and(|extra| {
        extra.otherwise.as_deref() == Some(value)
            && !extra.map.iter().any(|(shown, _)| **shown == *value)
    })
}

/// What a source is to keep for a canonical value; the error says why it cannot.
pub(super) fn to_raw(
    param: &Param,
    facets: &Facets,
    canonical: &str,
    key_of_path: Lookup<'_>,
) -> Result<Option<Raw>, String> {
    let extra = param.extra.as_deref();
    let in_uci = matches!(&param.source, ParamSource::At(b) if matches!(b, Binding::Uci(_)));
    let raw = if facets.list.is_some() {
        let items: Vec<String> = split_list(canonical)
            .iter()
            .map(|item| item_to(facets, extra, item, key_of_path))
            .collect::<Result<_, _>>()?;
        if in_words(param) {
            if items
                .iter()
                .any(|i| i.is_empty() || i.contains(char::is_whitespace))
            {
                return Err("has an item with white space, which cannot be kept here".to_owned());
            }
            Raw::Text(items.join(" "))
        } else if in_uci {
            Raw::List(items)
        } else {
            Raw::Text(join_list(items.iter().map(String::as_str)))
        }
    } else {
        Raw::Text(item_to(facets, extra, canonical, key_of_path)?)
    };
    let empty = match &raw {
        Raw::Text(text) => text.is_empty(),
        Raw::List(items) => items.is_empty(),
    };
    if !(empty && in_uci) {
        return Ok(Some(raw));
    }
    // UCI keeps no empty options: nothing there must mean the same.
    match param.default.as_deref() {
        Some(default) if !default.is_empty() => Err(format!(
            "cannot be empty here, where nothing means {default:?}"
        )),
        _ => Ok(None),
    }
}

fn item_to(
    facets: &Facets,
    extra: Option<&Extra>,
    item: &str,
    key_of_path: Lookup<'_>,
) -> Result<String, String> {
    if let Some(extra) = extra {
        if !extra.references.is_empty() {
            if item.is_empty() {
                return Ok(String::new());
            }
            return key_of_path(item).ok_or_else(|| {
                "names no existing row; write its path without a dot at the end".to_owned()
            });
        }
        if let Some((_, source)) = extra.map.iter().find(|(shown, _)| **shown == *item) {
            return Ok(source.to_string());
        }
        if let Some((top, bottom)) = extra.scale {
            return unscaled(item, top, bottom);
        }
    }
    Ok(match (facets.named.base, item) {
        (ValueType::Boolean, "true") => "1".to_owned(),
        (ValueType::Boolean, _) => "0".to_owned(),
        _ => item.to_owned(),
    })
}

fn unscaled(item: &str, top: i64, bottom: i64) -> Result<String, String> {
    let number: i128 = item
        .parse()
        .map_err(|_| "cannot be kept here: it has a fraction".to_owned())?;
    let (top, bottom) = (i128::from(top), i128::from(bottom));
    match number.checked_mul(bottom) {
        Some(n) if n % top == 0 => Ok((n / top).to_string()),
        _ => Err(format!(
            "cannot be kept here: it is no multiple of {top}/{bottom}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_exact_and_bounded() {
        assert_eq!(scaled("2048", 1, 1024), Ok(2));
        assert_eq!(scaled("12.57", 1, 1), Ok(12));
        assert_eq!(scaled("-12.57", 100, 1), Ok(-1257));
        assert_eq!(scaled("0.000000001", 1_000_000_000, 1), Ok(1));
        assert!(scaled(&"9".repeat(40), 1000, 1).is_err());
        assert!(scaled("x", 1, 1).is_err());
        assert_eq!(unscaled("5000", 1000, 1).as_deref(), Ok("5"));
        assert!(unscaled("5001", 1000, 1).is_err());
    }

    #[test]
    fn booleans_read_as_openwrt_reads_them() {
        for (text, want) in [
            ("on", "true"),
            ("enabled", "true"),
            ("0", "false"),
            ("no", "false"),
        ] {
            assert_eq!(boolean(text), Ok(want));
        }
        assert!(boolean("maybe").is_err());
    }
}
