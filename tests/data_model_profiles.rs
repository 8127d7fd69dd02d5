//! The profiles of TR-181 that the shipped data model claims, by the table in
//! `data-model/README.md`: what is claimed is there, and what is there is claimed.

mod router;
mod router_model;
mod shared;

use cwmp_agent::model::{Entry, Schema, SetItem};
use cwmp_agent::source::builtin;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const README: &str = include_str!("../data-model/README.md");
const HEADING: &str = "## Profiles that are complete";

/// The profiles that the page names, each in backticks in the last cell of a row.
fn claimed() -> BTreeSet<String> {
    let (_, section) = README.split_once(HEADING).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut all = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let names = cells.last().expect("a cell").split('`').skip(1).step_by(2);
        for name in names {
            assert!(all.insert(name.to_owned()), "{name} stands there twice");
        }
    }
    all
}

/// Every shipped file: those of a feature that was left out of this program, too.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-model");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the data model") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_name().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a text");
            files.push((name.into_owned(), text));
        }
    }
    files.sort();
    files
}

/// What a profile asks of one object or parameter.
struct Demand {
    path: String,
    is_parameter: bool,
    requirement: String,
}

/// A profile's own demands, and the profiles that it builds on.
#[derive(Default)]
struct Profile {
    demands: Vec<Demand>,
    below: BTreeSet<String>,
}

/// `tr181-profiles.tsv`; `None` where it is missing.
fn profiles() -> Option<BTreeMap<String, Profile>> {
    let file = shared::find("bbf/tr181-profiles.tsv")?;
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("profile\textends\tbase\tpath\tkind\trequirement")
    );
    let mut all: BTreeMap<String, Profile> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, extends, base, path, kind, requirement] = cells[..] else {
            panic!("{line}");
        };
        let profile = all.entry(name.to_owned()).or_default();
        let below = extends.split_whitespace().chain(base.split_whitespace());
        profile.below.extend(below.map(str::to_owned));
        profile.demands.push(Demand {
            path: path.to_owned(),
            is_parameter: kind == "param",
            requirement: requirement.to_owned(),
        });
    }
    Some(all)
}

/// All demands of a profile, those of the profiles that it builds on included.
fn demands<'p>(all: &'p BTreeMap<String, Profile>, name: &'p str) -> Vec<&'p Demand> {
    let (mut open, mut seen, mut found) = (vec![name], BTreeSet::new(), Vec::new());
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let profile = all.get(name);
        let profile = profile.unwrap_or_else(|| panic!("{name} is no profile of TR-181"));
        found.extend(&profile.demands);
        open.extend(profile.below.iter().map(String::as_str));
    }
    found
}

/// What the shipped files have: each object and parameter, and whether an ACS may add
/// rows, or set it.
fn shipped(schema: &Schema) -> BTreeMap<String, bool> {
    let objects = schema.objects().map(|o| (o.path(), o.writable()));
    let parameters = schema.parameters().map(|p| (p.path(), p.writable()));
    objects.chain(parameters).collect()
}

/// What a demand misses, if anything.
fn missing(shipped: &BTreeMap<String, bool>, demand: &Demand) -> Option<String> {
    let path = &demand.path;
    let needs_writing = match (demand.is_parameter, demand.requirement.as_str()) {
        (_, "readOnly" | "present" | "notSpecified") => false,
        // CWMP treats what is written once as readWrite.
        (true, "readWrite" | "writeOnceReadOnly") | (false, "createDelete") => true,
        (_, other) => panic!("{path}: a requirement of a kind that is new here: {other}"),
    };
    match shipped.get(path) {
        None => Some(format!("{path} is missing")),
        Some(false) if needs_writing => Some(format!("{path} is not {}", demand.requirement)),
        Some(_) => None,
    }
}

// T-DM-004
#[test]
fn the_profiles_that_the_page_names_are_complete_and_no_other_is() {
    let Some(all) = profiles() else {
        return;
    };
    let schema = router_model::schema(&files());
    let shipped = shipped(&schema);
    let claimed = claimed();
    let mut wrong: Vec<String> = Vec::new();
    for name in &claimed {
        let demands = demands(&all, name);
        assert!(demands.iter().any(|d| d.is_parameter), "{name}");
        let missing = demands.iter().filter_map(|d| missing(&shipped, d));
        wrong.extend(missing.map(|what| format!("{name} is claimed, but {what}")));
    }
    // What begins with `_` is a part that others are made of.
    let named = all
        .keys()
        .filter(|n| !n.starts_with('_') && !claimed.contains(*n));
    for name in named {
        let demands = demands(&all, name);
        if demands.iter().any(|d| d.is_parameter)
            && demands.iter().all(|d| missing(&shipped, d).is_none())
        {
            wrong.push(format!(
                "{name} is complete: name it in data-model/README.md"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(claimed.len() >= 12, "{claimed:?}");
}

/// What the test above goes by: a parameter that is missing, and one that is less writable
/// than the profile asks.
#[test]
fn a_profile_misses_what_is_taken_away_and_what_became_read_only() {
    let Some(all) = profiles() else {
        return;
    };
    let mut files = files();
    let server = files
        .iter_mut()
        .find(|(name, _)| name == "management-server.toml")
        .expect("shipped");
    for (there, instead) in [
        ("access   = \"rw\"\nmax_rows = 64\n", ""),
        (
            "access = \"rw\", uci = \"cwmp.{row}.name\"",
            "uci = \"cwmp.{row}.name\"",
        ),
    ] {
        assert_eq!(server.1.matches(there).count(), 1, "{there}");
        server.1 = server.1.replace(there, instead);
    }
    let vendor = "[\"Device.DeviceInfo.MemoryStatus.\"]\nremove = [\"Free\"]\n";
    files.push(("zz-vendor.toml".to_owned(), vendor.to_owned()));
    let shipped = shipped(&router_model::schema(&files));
    let said = |name: &str| -> Vec<String> {
        let demands = demands(&all, name);
        demands
            .iter()
            .filter_map(|d| missing(&shipped, d))
            .collect()
    };
    assert_eq!(
        said("MemoryStatus:1"),
        ["Device.DeviceInfo.MemoryStatus.Free is missing"]
    );
    let table = "Device.ManagementServer.InformParameter.{i}.";
    assert_eq!(
        said("InformParameters:1"),
        [
            format!("{table} is not createDelete"),
            format!("{table}ParameterName is not readWrite")
        ]
    );
    // By way of another: the second version builds on the first.
    let has = |name: &str, path: &str| demands(&all, name).iter().any(|d| d.path == path);
    assert!(has("WiFiSSID:2", "Device.WiFi.SSID.{i}.BSSID"));
    assert!(has("Baseline:4", "Device.DeviceInfo.Manufacturer"));
}

// T-DM-011
#[test]
fn what_is_written_once_by_name_can_be_set_again() {
    let Some(all) = profiles() else {
        return;
    };
    let once: BTreeSet<&str> = all
        .values()
        .flat_map(|profile| &profile.demands)
        .filter(|demand| demand.requirement == "writeOnceReadOnly")
        .map(|demand| demand.path.as_str())
        .collect();
    let files = builtin::files();
    let schema = router_model::schema(&files);
    let router = router::Router::new().expect("a folder for temporary files");
    let mut model = router_model::model(&router, &files);
    let mut met = BTreeSet::new();
    for parameter in schema.parameters() {
        let path = parameter.path();
        if !once.contains(path.as_str()) {
            continue;
        }
        assert!(parameter.writable(), "{path}");
        model.begin();
        let tree = model.get(&["Device."]).expect("a tree that reads");
        let is_one = |entry: &&Entry| schema_path(&entry.path) == path;
        let Some(entry) = tree.iter().find(is_one) else {
            panic!("{path}: the sample router has no row");
        };
        for value in ["first-name", "second-name", &entry.value] {
            let path = entry.path.as_str();
            model.begin();
            let item = SetItem {
                path,
                ty: None,
                value,
            };
            let set = model.set(&[item], None);
            set.unwrap_or_else(|fault| panic!("{path} = {value}: {fault:?}"));
            model.begin();
            let read = model.get(&[path]).expect("a parameter");
            assert_eq!(read[0].value, value, "{path}");
        }
        met.insert(path);
    }
    assert!(met.len() >= 10, "{met:?}");
}

/// `Device.IP.Interface.2.Alias` → `Device.IP.Interface.{i}.Alias`.
fn schema_path(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts = path.split('.').map(|part| match is_number(part) {
        true => "{i}",
        false => part,
    });
    parts.collect::<Vec<_>>().join(".")
}
