//! What counts, counts up: every statistics counter and every UpTime of the shipped data
//! model, over the kernel's own numbers.

mod router;
mod router_model;

use cwmp_agent::model::Model;
use cwmp_agent::model::schema::ParameterView;
use cwmp_agent::source::builtin;
use std::collections::{BTreeMap, BTreeSet};

/// `Device.Ethernet.Link.2.Stats.BytesSent` → `Device.Ethernet.Link.{i}.Stats.BytesSent`.
fn schema_path(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts = path.split('.').map(|part| match is_number(part) {
        true => "{i}",
        false => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Every counter of the data model, by its schema path, and how many bits it has. Those of
/// Wi-Fi stations are hostapd's: there are none without it (`tests/data_model_stations.rs`).
fn counters() -> BTreeMap<String, u32> {
    let schema = router_model::schema(&builtin::files());
    let bits = |p: ParameterView<'_>| match (p.type_name(), p.name()) {
        ("StatsCounter64", _) => Some((p.path(), 64)),
        ("StatsCounter32", _) | ("unsignedInt", "UpTime") => Some((p.path(), 32)),
        _ => None,
    };
    let all = schema.parameters().filter_map(bits);
    all.filter(|(path, _)| !path.contains(".AssociatedDevice."))
        .collect()
}

/// What all counters show.
fn shown(model: &mut Model, counters: &BTreeMap<String, u32>) -> BTreeMap<String, u64> {
    model.begin();
    let all = model.get(&["Device."]).expect("a tree that reads");
    assert_eq!(model.troubles(), []);
    let counters = all
        .into_iter()
        .filter(|entry| counters.contains_key(&schema_path(&entry.path)));
    let number = |text: &str| text.parse().expect("a number");
    counters
        .map(|entry| (entry.path, number(&entry.value)))
        .collect()
}

/// Every number of the kernel's table of devices becomes what `then` makes of it.
fn count(router: &router::Router, then: impl Fn(u64) -> u64) {
    let text = router.read("/proc/net/dev").expect("a file");
    let mut new = String::new();
    for line in text.lines() {
        match line.split_once(':') {
            Some((device, numbers)) => {
                let numbers = numbers.split_whitespace();
                let numbers = numbers.map(|n| then(n.parse().expect("a number")).to_string());
                new += &format!("{device}: {}\n", numbers.collect::<Vec<_>>().join(" "));
            }
            None => new += &format!("{line}\n"),
        }
    }
    router.write("/proc/net/dev", &new).expect("written");
}

// T-DM-006
#[test]
fn no_counter_falls_between_two_reads() {
    let router = router::Router::new().expect("a folder for temporary files");
    let counters = counters();
    assert!(counters.len() >= 60, "{}", counters.len());
    let mut model = router_model::model(&router, &builtin::files());
    let first = shown(&mut model, &counters);
    // Nothing passed: nothing counts.
    assert_eq!(shown(&mut model, &counters), first);
    count(&router, |n| n + 1000);
    router
        .write("/proc/uptime", "352735.02 1366000.00\n")
        .expect("written");
    let second = shown(&mut model, &counters);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    let mut rose = BTreeSet::new();
    for (path, before) in &first {
        let after = second[path];
        // As much as was counted, of as many devices as there are.
        assert!(
            after >= *before && (after - before).is_multiple_of(1000),
            "{path}: {before}, then {after}"
        );
        if after > *before {
            rose.insert(schema_path(path));
        }
    }
    let still: Vec<&String> = counters.keys().filter(|p| !rose.contains(*p)).collect();
    assert!(still.is_empty(), "never count: {still:?}");
}

// T-DM-006
#[test]
fn a_counter_wraps_where_its_type_ends() {
    let router = router::Router::new().expect("a folder for temporary files");
    let counters = counters();
    let mut model = router_model::model(&router, &builtin::files());
    let first = shown(&mut model, &counters);
    // The kernel counts in 64 bits on every architecture.
    const NEAR_32: u64 = (1 << 32) - 10;
    const NEAR_64: u64 = u64::MAX - 9;
    let mut wrapped = BTreeSet::new();
    for (last, bits) in [(NEAR_32, 32), (NEAR_64, 64)] {
        count(&router, |_| last);
        let before = shown(&mut model, &counters);
        count(&router, |n| n.wrapping_add(25));
        let after = shown(&mut model, &counters);
        for (path, _) in first.iter().filter(|(path, _)| !path.ends_with(".UpTime")) {
            let schema = schema_path(path);
            let (before, after) = (before[path], after[path]);
            let width = counters[&schema];
            let passed = match width {
                32 => u64::from((after as u32).wrapping_sub(before as u32)),
                _ => after.wrapping_sub(before),
            };
            assert!(passed.is_multiple_of(25), "{path}: {before}, then {after}");
            if width == bits && after < before {
                wrapped.insert(schema);
            }
        }
    }
    let never: Vec<&String> = counters
        .keys()
        .filter(|path| !path.ends_with(".UpTime") && !wrapped.contains(*path))
        .collect();
    assert!(never.is_empty(), "never wrap: {never:?}");
}
