//! The shipped data model: what the sample router holds, and what the program carries.

mod model_files;
mod router;

use cwmp_agent::model::{Schema, SchemaError};
use cwmp_agent::source::{builtin, native};
use model_files::{objects, parameters, references, strings, text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value};

fn load(further: &[(&str, &str)]) -> Result<Schema, Vec<SchemaError>> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let mut files = builtin::files();
    files.extend(further.iter().map(own));
    Schema::load(&files)
}

#[test]
fn every_file_loads_and_nothing_in_it_is_passed_over() {
    let schema = load(&[]).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors.iter().map(|e| format!("{e}\n")).collect::<String>()
        )
    });
    let written = parameters();
    for (path, parameter) in &written {
        let loaded = schema
            .parameter(path)
            .unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(
            loaded.type_name(),
            text(parameter, "type").unwrap_or_default(),
            "{path}"
        );
        assert_eq!(
            loaded.writable(),
            text(parameter, "access") == Some("rw"),
            "{path}"
        );
    }
    // What was not written are the counts: one for each table.
    let counts: BTreeSet<String> = schema
        .parameters()
        .filter(|p| !written.contains_key(&p.path()))
        .map(|p| {
            assert!(p.counts_entries(), "{} comes from nowhere", p.path());
            p.path()
        })
        .collect();
    let tables: BTreeSet<String> = objects()
        .keys()
        .filter_map(|path| match path.as_str() {
            // TR-181 counts these by another name.
            "Device.DNS.Relay.Forwarding.{i}." => {
                Some("Device.DNS.Relay.ForwardNumberOfEntries".to_owned())
            }
            path => Some(format!("{}NumberOfEntries", path.strip_suffix(".{i}.")?)),
        })
        .collect();
    assert_eq!(counts, tables);
    assert!(
        (250..700).contains(&written.len()),
        "{} parameters",
        written.len()
    );
}

#[test]
fn a_map_gives_one_text_or_several_to_a_value_and_says_what_is_wrong() {
    let with = |map: &str| {
        format!(
            "[\"Device.X_EXAMPLE_.\"]\n\nMode = {{ type = \"string\", enum = [\"A\", \"B\"], access = \"rw\", uci = \"x.y.z\", map = {map} }}\n"
        )
    };
    for good in [
        r#"{ A = "1", B = "2" }"#,
        r#"{ A = ["1", "one"], B = "" }"#,
        "{ A = 1, B = true }",
    ] {
        assert!(load(&[("x.toml", &with(good))]).is_ok(), "{good}");
    }
    for (bad, says) in [
        (r#"{ A = [], B = "2" }"#, "A has no text"),
        (r#"{ A = [["1"]], B = "2" }"#, "A has no text"),
        (
            r#"{ A = ["1", "2"], B = "2" }"#,
            "two values stand for \"2\"",
        ),
        (r#"{ A = ["1", "2"] }"#, "map lacks \"B\""),
        (r#"["A"]"#, "is no table of texts"),
    ] {
        let errors = load(&[("x.toml", &with(bad))]).expect_err(bad);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(
            said.iter()
                .any(|s| s.starts_with("x.toml:3: ") && s.contains(says)),
            "{bad}: {said:?}"
        );
    }
}

#[test]
fn a_row_that_is_the_section_around_it_cannot_be_added_or_deleted() {
    let text = r#"
["Device.IP.Interface.{i}.IPv4Address.{i}."]
access = "rw"
"#;
    let errors = load(&[("x.toml", text)]).expect_err("a table that cannot be written");
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("x.toml:3: Device.IP.Interface.{i}.IPv4Address.{i}.: "),
        "{said:?}"
    );
    assert!(said[0].ends_with("write \"ro\""), "{said:?}");
}

// T-DM-005
#[test]
fn names_are_those_of_tr181_or_a_vendors() {
    for path in parameters().keys() {
        assert!(path.len() <= 256, "{path} is too long");
        for name in path.split('.') {
            if let Some(vendor) = name.strip_prefix("X_") {
                let (who, what) = vendor.split_once('_').unwrap_or((vendor, ""));
                assert!(
                    !who.is_empty()
                        && who
                            .chars()
                            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'),
                    "{path}: {name} names no vendor"
                );
                assert!(!what.is_empty(), "{path}: {name} names nothing");
            }
        }
    }
}

// T-DM-003
#[test]
fn every_reference_points_to_a_table_that_is_shipped() {
    let objects = objects();
    let mut seen = 0;
    for (path, parameter) in parameters() {
        for target in references(&parameter) {
            let table = objects
                .get(&format!("{target}{{i}}."))
                .unwrap_or_else(|| panic!("{path}: no table {target}"));
            assert!(table.contains_key("rows"), "{path}: {target} has no rows");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} references");
}

#[test]
fn there_is_one_root_and_it_is_device() {
    // T-DM-008
    for path in objects().keys() {
        assert!(path.starts_with("Device."), "{path}");
        assert!(path.ends_with('.'), "{path}");
    }
}

const SOURCES: [&str; 10] = [
    "uci", "file", "proc", "sysfs", "command", "ubus", "native", "constant", "memory", "alias",
];

#[test]
fn every_parameter_has_one_source_and_what_is_written_can_be_kept() {
    for (path, parameter) in parameters() {
        let sources: Vec<&str> = SOURCES
            .into_iter()
            .filter(|s| parameter.contains_key(*s))
            .collect();
        assert_eq!(sources.len(), 1, "{path}: {sources:?}");
        if text(&parameter, "access") == Some("rw") {
            // A constant is set to what it is, and nothing else.
            let kept = match sources[0] {
                "constant" => {
                    strings(parameter.get("enum")).len() == 1 || parameter.contains_key("reference")
                }
                // Published by the agent, which keeps what is set.
                "native" => text(&parameter, "native").is_some_and(|n| n.starts_with("software_")),
                source => matches!(source, "uci" | "alias"),
            };
            assert!(kept, "{path}: {} outlives no reboot", sources[0]);
        }
    }
}

#[test]
fn every_native_value_is_known_and_told_to_vendors() {
    let readme = include_str!("../data-model/README.md");
    let mut seen = 0;
    for (path, parameter) in parameters() {
        let Some(name) = text(&parameter, "native") else {
            continue;
        };
        assert!(
            native::is_value(name),
            "{path}: there is no native value {name}"
        );
        assert!(
            readme.contains(&format!("`{name}`")),
            "{name} is not in data-model/README.md"
        );
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

/// `uci = "…"` or `uci = { at = "…" }`.
fn uci_at(parameter: &Table) -> Option<&str> {
    match parameter.get("uci")? {
        Value::String(at) => Some(at),
        Value::Table(at) => text(at, "at"),
        _ => None,
    }
}

fn file_path(parameter: &Table) -> Option<&str> {
    ["file", "proc", "sysfs"]
        .into_iter()
        .find_map(|kind| match parameter.get(kind)? {
            Value::String(path) => Some(path.as_str()),
            Value::Table(at) => text(at, "path"),
            _ => None,
        })
}

/// What `Device.ManagementServer.` may bind to: the options of `/etc/config/cwmp` that
/// operators rely on.
const OPTIONS: [(&str, &[&str]); 5] = [
    (
        "acs",
        &[
            "url",
            "username",
            "password",
            "periodic_inform_enable",
            "periodic_inform_interval",
            "periodic_inform_time",
            "retry_min_wait_interval",
            "retry_interval_multiplier",
            "compression",
            "notify_throttle",
            "instance_mode",
            "schedule_reboot",
            "delay_reboot",
        ],
    ),
    (
        "cpe",
        &[
            "enable",
            "username",
            "password",
            "http_connection_request",
            "provisioning_code",
            "autonomous_transfer_complete",
            "autonomous_transfer_type",
            "autonomous_transfer_result",
            "autonomous_transfer_file_types",
            "autonomous_du_complete",
            "autonomous_du_operations",
            "autonomous_du_result",
            "autonomous_du_fault_codes",
        ],
    ),
    // One section for each row.
    ("{row}", &["enable", "name", "events"]),
    ("heartbeat", &["enable", "interval", "time"]),
    (
        "standby",
        &[
            "cr_unawareness_max_duration",
            "max_missed_periodic",
            "notify_missed_scheduled",
            "cr_awareness_requested",
            "periodic_awareness_requested",
        ],
    ),
];

#[test]
fn the_agents_own_settings_are_bound_to_the_options_operators_know() {
    let mut bound = BTreeSet::new();
    for (path, parameter) in parameters() {
        let Some(option) = uci_at(&parameter).and_then(|at| at.strip_prefix("cwmp.")) else {
            continue;
        };
        let (section, option) = option.split_once('.').unwrap_or((option, ""));
        let known = OPTIONS
            .iter()
            .any(|(s, options)| *s == section && options.contains(&option));
        assert!(
            known,
            "{path}: cwmp.{section}.{option} is no option of /etc/config/cwmp"
        );
        assert!(
            bound.insert(format!("{section}.{option}")),
            "{path}: cwmp.{section}.{option} twice"
        );
    }
    let all = OPTIONS.iter().flat_map(|(_, options)| options.iter());
    let told = |o: &&&str| cfg!(feature = "software-modules") || !o.starts_with("autonomous_du_");
    assert_eq!(bound.len(), all.filter(told).count(), "{bound:?}");
}

#[test]
fn what_the_model_reads_is_there_on_the_sample_router() {
    let router = router::Router::new().expect("a folder for temporary files");
    for (path, parameter) in parameters() {
        if let Some(at) = uci_at(&parameter) {
            let package = at.split('.').next().unwrap_or_default();
            let config = router.path(&format!("etc/config/{package}"));
            assert!(config.is_file(), "{path}: {}", config.display());
        }
        let Some(file) = file_path(&parameter) else {
            continue;
        };
        // One row of each table that has a folder or file a row.
        let row = if file.starts_with("/proc/") {
            "1288"
        } else if file.contains("pppoe-") {
            "wan"
        } else if file.contains("/bridge/") {
            "br-lan"
        } else {
            "lan1"
        };
        let file = router.path(&file.replace("{row}", row));
        assert!(file.is_file(), "{path}: {}", file.display());
    }
}

fn files_below(folder: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().into_string().expect("names in ASCII");
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("a readable folder").is_dir() {
            files_below(&entry.path(), &format!("{path}/"), out);
        } else {
            out.insert(path, std::fs::read(entry.path()).expect("a readable file"));
        }
    }
}

#[test]
fn the_program_carries_every_data_model_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-model");
    let mut there = BTreeMap::new();
    files_below(&folder, "", &mut there);
    there.retain(|name, _| name.ends_with(".toml"));
    if !cfg!(feature = "software-modules") {
        there.remove("software-modules.toml").expect("shipped");
    }
    let carried: BTreeMap<String, Vec<u8>> = builtin::files()
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    assert_eq!(
        carried.keys().collect::<Vec<_>>(),
        there.keys().collect::<Vec<_>>()
    );
    assert_eq!(carried, there);
}

#[test]
fn the_sample_router_is_complete_and_each_copy_is_its_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/router/root");
    let mut there = BTreeMap::new();
    files_below(&folder, "", &mut there);
    let listed: Vec<&str> = router::FILES.iter().map(|(path, ..)| *path).collect();
    assert_eq!(listed, there.keys().map(String::as_str).collect::<Vec<_>>());

    let (one, two) = (
        router::Router::new().expect("a folder for temporary files"),
        router::Router::new().expect("a folder for temporary files"),
    );
    assert_ne!(one.root(), two.root());
    let mut copied = BTreeMap::new();
    files_below(one.root(), "", &mut copied);
    assert_eq!(copied, there);
    one.write("/etc/config/system", "")
        .expect("a writable copy");
    assert_ne!(two.read("etc/config/system").expect("a copy"), "");
    let root = one.root().to_owned();
    drop(one);
    assert!(!root.exists(), "{} was left behind", root.display());
}

#[test]
fn secrets_of_the_sample_router_are_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let router = router::Router::new().expect("a folder for temporary files");
    for file in [
        "etc/config/cwmp",
        "etc/config/network",
        "etc/config/wireless",
    ] {
        let mode = std::fs::metadata(router.path(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn what_stands_beside_a_place_in_uci_is_checked() {
    let with = |line: &str| format!("[\"Device.X_EXAMPLE_.\"]\n\nMode = {{ {line} }}\n");
    for good in [
        r#"type = "string", access = "rw", uci = { at = "x.y.z", part = 2, separator = "-:" }"#,
        r#"type = "string", uci = { at = "x.y.z", through = { type = "zone", key = "name", value = "network" } }"#,
        r#"type = "string", uci = { at = "x.y.z", or = "old", clears = ["a", "b"] }"#,
        r#"type = "boolean", uci = "x.y.z", map = { true = ["auto", ""] }, otherwise = "false""#,
        r#"type = "unsignedInt", uci = "x.y.z", none = ["auto", "-"]"#,
        r#"type = "unsignedInt", access = "rw", enum = ["0"], constant = "0""#,
        r#"type = "string", max_octets = 32, uci = "x.y.z""#,
    ] {
        if let Err(errors) = load(&[("x.toml", &with(good))]) {
            panic!("{good}: {errors:?}");
        }
    }
    for (bad, says) in [
        (
            r#"type = "string", uci = { at = "x.y.z", part = 2 }"#,
            "part and separator go together",
        ),
        (
            r#"type = "string", uci = { at = "x.y.z", part = 2, separator = "-", item = 1 }"#,
            "exclude each other",
        ),
        (
            r#"type = "string", uci = { at = "x.y.z", through = { type = "zone" } }"#,
            "write { type = \"zone\"",
        ),
        (
            r#"type = "string", uci = { at = "x.y.z", or = "a b" }"#,
            "or and clears name options",
        ),
        (
            r#"type = "boolean", uci = "x.y.z", otherwise = "false""#,
            "otherwise goes with a map",
        ),
        (
            r#"type = "boolean", uci = "x.y.z", map = { true = "1" }, otherwise = "maybe""#,
            "otherwise: \"maybe\"",
        ),
        (
            r#"type = "unsignedInt", access = "rw", constant = "0""#,
            "a constant cannot be written",
        ),
        (
            r#"type = "unsignedInt", max_octets = 3, uci = "x.y.z""#,
            "max_octets: is for strings",
        ),
    ] {
        let errors = load(&[("x.toml", &with(bad))]).expect_err(bad);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(
            said.iter()
                .any(|s| s.starts_with("x.toml:3: ") && s.contains(says)),
            "{bad}: {said:?}"
        );
    }
}
