//! Values that are less, or elsewhere, than the text of an option: one part of it, or
//! what stands in the section it names.

use crate::model::binding::{UciPart, UciThrough};
use crate::uci::{Package, Section};

/// One part of a text; an empty part is none, and so is one behind an empty first.
pub fn part<'t>(text: &'t str, part: &UciPart) -> Option<&'t str> {
    let mut parts = text.split(|c| part.separator.contains(c)).map(str::trim);
    let first = parts.clone().next().unwrap_or_default();
    let n = usize::try_from(part.n)
        .unwrap_or(usize::MAX)
        .checked_sub(1)?;
    parts
        .nth(n)
        .filter(|wanted| !wanted.is_empty() && !first.is_empty())
}

/// The text with one part replaced; empty parts at its end go, and all with the first. A
/// text without its first part reads as nothing: it waits for another value of the same
/// change.
pub fn with_part(text: &str, part: &UciPart, new: &str) -> String {
    let mut parts: Vec<&str> = text
        .split(|c| part.separator.contains(c))
        .map(str::trim)
        .collect();
    // More parts than this no option has.
    let n = usize::try_from(part.n).unwrap_or(usize::MAX).clamp(1, 16) - 1;
    if parts.len() <= n {
        parts.resize(n + 1, "");
    }
    if let Some(place) = parts.get_mut(n) {
        *place = new;
    }
    if n == 0 && new.is_empty() {
        return String::new();
    }
    while parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    let between: String = part.separator.chars().take(1).collect();
    parts.join(&between)
}

/// The value in the section that a text names.
pub fn through<'p>(package: &'p Package, at: &UciThrough, named: &str) -> Option<&'p str> {
    let section = sections(package, at).find(|s| key(s, at) == Some(named))?;
    let value = section.get(&at.value)?;
    value.items().first().map(String::as_str)
}

/// What names the section that has this value first, as it reads back.
pub fn back<'p>(package: &'p Package, at: &UciThrough, value: &str) -> Option<&'p str> {
    let items = |s: &'p Section| s.get(&at.value).map(|v| v.items()).unwrap_or_default();
    let first = |s: &&'p Section| items(s).first().is_some_and(|item| item == value);
    let section = sections(package, at).find(first)?;
    key(section, at)
}

/// What names the section that has this value behind another, and the first, which is what
/// reads back.
pub fn behind<'p>(
    package: &'p Package,
    at: &UciThrough,
    value: &str,
) -> Option<(&'p str, &'p str)> {
    sections(package, at).find_map(|section| {
        let (first, rest) = section.get(&at.value)?.items().split_first()?;
        rest.iter().any(|item| item == value).then_some(())?;
        Some((key(section, at)?, first.as_str()))
    })
}

fn sections<'p>(package: &'p Package, at: &UciThrough) -> impl Iterator<Item = &'p Section> {
    let of_type = |s: &&Section| s.kind() == &*at.section_type;
    package.sections().iter().filter(of_type)
}

fn key<'p>(section: &'p Section, at: &UciThrough) -> Option<&'p str> {
    section.get(&at.key)?.as_one()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(n: u32) -> UciPart {
        UciPart {
            n,
            separator: "-:".into(),
        }
    }

    #[test]
    fn a_range_has_a_first_and_a_last_port() {
        assert_eq!(part("8000-8010", &range(1)), Some("8000"));
        assert_eq!(part("8000:8010", &range(2)), Some("8010"));
        assert_eq!(part("80", &range(2)), None);
        assert_eq!(part("", &range(1)), None);
        assert_eq!(part("-80", &range(2)), None);
        assert_eq!(with_part("80", &range(2), "90"), "80-90");
        assert_eq!(with_part("80:90", &range(1), "85"), "85-90");
        assert_eq!(with_part("80-90", &range(2), ""), "80");
        assert_eq!(with_part("80", &range(1), ""), "");
        assert_eq!(with_part("80-90", &range(1), ""), "");
        assert_eq!(with_part("", &range(2), "90"), "-90");
        assert_eq!(with_part("-90", &range(1), "80"), "80-90");
    }
}
