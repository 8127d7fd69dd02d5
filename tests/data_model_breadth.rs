//! How much of a home router the shipped data model shows, and that what it shows on the
//! sample router is what TR-181 allows there.

mod router;
mod router_model;
mod shared;

use cwmp_agent::model::Entry;
use cwmp_agent::source::builtin;
use std::collections::{BTreeMap, BTreeSet};

/// Parameters of the schema, tables counted once: to be raised as the model grows.
const LEAST_PARAMETERS: usize = if cfg!(feature = "software-modules") {
    630
} else {
    580
};
/// Parameters that the sample router shows, row by row.
const LEAST_INSTANCES: usize = 1710;

/// Values outside of TR-181's range on purpose: path, value, why.
const DIFFERENCES: &[(&str, &str, &str)] = &[];

fn files() -> Vec<(String, String)> {
    builtin::files()
}

fn tree() -> Vec<Entry> {
    let router = router::Router::new().expect("a folder for temporary files");
    let mut model = router_model::model(&router, &files());
    model.begin();
    let all = model.get(&["Device."]).expect("a tree that reads");
    assert_eq!(model.troubles(), []);
    all
}

/// `Device.WiFi.SSID.1.SSID` → `Device.WiFi.SSID.{i}.SSID`.
fn schema_path(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts = path.split('.').map(|part| match is_number(part) {
        true => "{i}",
        false => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

#[test]
fn a_home_router_shows_more_than_six_hundred_parameters() {
    let schema = router_model::schema(&files());
    let known: BTreeSet<String> = schema.parameters().map(|p| p.path()).collect();
    assert!(
        known.len() >= LEAST_PARAMETERS,
        "{} parameters",
        known.len()
    );
    let all = tree();
    let shown: BTreeSet<String> = all.iter().map(|entry| schema_path(&entry.path)).collect();
    assert!(
        shown.len() >= LEAST_PARAMETERS,
        "{} of them on the sample router",
        shown.len()
    );
    assert!(all.len() >= LEAST_INSTANCES, "{} values", all.len());
}

/// Whether a value lies in a range of `tr181.tsv`: `1`, or of several `-1|16` by `15|31`.
fn in_range(value: &str, min: &str, max: &str) -> bool {
    let Ok(value) = value.parse::<i128>() else {
        return false;
    };
    let count = min.split('|').count().max(max.split('|').count());
    let bound = |cell: &str, i: usize| cell.split('|').nth(i).and_then(|b| b.parse().ok());
    (0..count).any(|i| {
        let (low, high): (Option<i128>, Option<i128>) = (bound(min, i), bound(max, i));
        low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high)
    })
}

/// What is wrong with one item of a value, by its line of `tr181.tsv`.
fn complaint(item: &str, line: &BTreeMap<&str, &str>) -> Option<String> {
    let cell = |name: &str| line.get(name).copied().unwrap_or_default();
    let kind = cell("type");
    let (min, max) = (cell("min"), cell("max"));
    let whole = |low: i128, high: i128| {
        let number = item.parse::<i128>();
        number.is_ok_and(|n| (low..=high).contains(&n)) && in_range(item, min, max)
    };
    let fits = match kind {
        "boolean" => item == "true" || item == "false",
        "unsignedInt" | "StatsCounter32" => whole(0, u32::MAX.into()),
        "unsignedLong" | "StatsCounter64" => whole(0, u64::MAX.into()),
        "int" => whole(i32::MIN.into(), i32::MAX.into()),
        "long" => whole(i64::MIN.into(), i64::MAX.into()),
        "dateTime" => item.len() >= 20 && item.as_bytes().get(10) == Some(&b'T'),
        _ => true,
    };
    if !fits {
        return Some(format!("is no {kind} from {min:?} to {max:?}"));
    }
    let allowed: Vec<&str> = cell("enumeration")
        .split('|')
        .map(|v| v.split('{').next().unwrap_or(v))
        .collect();
    // Beside TR-181's own values a vendor may have others: `X_<VENDOR>_…` (TR-106).
    let vendor = item
        .strip_prefix("X_")
        .and_then(|rest| rest.split_once('_'));
    let of_vendor = vendor.is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    if allowed != [""] && !allowed.contains(&item) && !of_vendor {
        return Some(format!("is none of {allowed:?}"));
    }
    let length = item.chars().count();
    let most = cell("maxLength").parse().unwrap_or(usize::MAX);
    let is_text = kind != "hexBinary" && kind != "base64";
    (is_text && length > most).then(|| format!("is longer than {most}"))
}

// T-DM-001
#[test]
fn every_value_on_the_sample_router_is_one_that_tr181_allows() {
    let Some(file) = shared::find("bbf/tr181.tsv") else {
        return;
    };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let table: BTreeMap<&str, BTreeMap<&str, &str>> = lines
        .map(|line| {
            let cells = head.iter().copied().zip(line.split('\t'));
            (line.split('\t').next().unwrap_or_default(), cells.collect())
        })
        .collect();
    let schema = router_model::schema(&files());
    let (mut wrong, mut checked, mut met) = (Vec::new(), 0, 0);
    for entry in tree() {
        let path = schema_path(&entry.path);
        let parameter = schema.parameter(&path).expect("a parameter");
        // A password shows nothing, whatever it must be.
        if parameter.hidden() {
            assert_eq!(entry.value, "", "{path}");
            continue;
        }
        let Some(line) = table.get(path.as_str()) else {
            assert!(path.contains(".X_"), "{path} is not of TR-181");
            continue;
        };
        let items: Vec<&str> = match parameter.facets().list {
            Some(_) => entry.value.split(',').filter(|i| !i.is_empty()).collect(),
            None => vec![&entry.value],
        };
        checked += 1;
        for item in items {
            let Some(what) = complaint(item, line) else {
                continue;
            };
            let known = |(p, v, _): &&(&str, &str, &str)| *p == path && *v == item;
            match DIFFERENCES.iter().find(known) {
                Some(_) => met += 1,
                None => wrong.push(format!("{} = {item:?} {what}", entry.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= LEAST_INSTANCES * 9 / 10, "{checked} values");
    assert!(met >= DIFFERENCES.len(), "a listed difference is none");
}
