//! Every writable parameter of the shipped data model, instance by instance on the sample
//! router: values made from its own schema are set, found in the file and read back by an
//! agent that knows nothing of the Set.

mod router;
mod router_model;

use cwmp_agent::model::binding::Binding;
use cwmp_agent::model::schema::ParameterView;
use cwmp_agent::model::{Model, Schema, SetError, SetItem, SetOutcome, ValueType};
use cwmp_agent::source::builtin;
use cwmp_agent::uci::Package;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Writable instances that must have taken part at least.
const LEAST_INSTANCES: usize = 170;

type Is = fn(&str) -> bool;

/// Sets that are refused with 9007 although type, range and the like allow the value: the
/// parameter, which values, and why. A row that never meets a refusal fails the test.
const REFUSED: &[(&str, Is, &str)] = &[
    (
        "Device.WiFi.Radio.{i}.AutoChannelEnable",
        |v| v == "false",
        "goes with a Channel",
    ),
    (
        "Device.Time.LocalTimeZone",
        |v| !v.starts_with("CET-1") && !v.starts_with('<') && !v.starts_with("UTC"),
        "no POSIX time zone",
    ),
    (
        "Device.WiFi.Radio.{i}.OperatingStandards",
        |_| true,
        "not the standards of the band up to a newest one",
    ),
    (
        "Device.WiFi.Radio.{i}.OperatingChannelBandwidth",
        |v| v == "320MHz-1",
        "wider than the standards in use",
    ),
    (
        "Device.WiFi.Radio.{i}.ExtensionChannel",
        |v| v != "Auto",
        "only 802.11n at 40 MHz has one to choose",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.EncryptionMode",
        |_| true,
        "not the ciphers of the mode, or one twice",
    ),
    (
        "Device.NAT.PortMapping.{i}.ExternalPortEndRange",
        |v| v.parse().is_ok_and(|n: u32| n < 8080),
        "below ExternalPort",
    ),
    (
        "Device.NAT.PortMapping.{i}.Interface",
        |v| !v.is_empty(),
        "no zone of the firewall has the network",
    ),
];

fn files() -> Vec<(String, String)> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    builtin::FILES.iter().map(own).collect()
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

fn set(model: &mut Model, path: &str, value: &str) -> Result<SetOutcome, SetError> {
    model.begin();
    let item = SetItem {
        path,
        ty: None,
        value,
    };
    model.set(&[item], None)
}

fn get(model: &mut Model, path: &str) -> String {
    model.begin();
    let mut entries = model.get(&[path]).unwrap_or_else(|f| panic!("{path}: {f}"));
    assert_eq!(entries.len(), 1, "{path}");
    entries.remove(0).value
}

/// Files of a folder: content, and what a rewrite would change.
type Files = BTreeMap<String, (Vec<u8>, u64, i64)>;

fn snapshot(router: &router::Router, dir: &str) -> Files {
    let Ok(entries) = std::fs::read_dir(router.path(dir)) else {
        return Files::new();
    };
    let file = |path: std::path::PathBuf| {
        let meta = std::fs::metadata(&path).expect("a file");
        let content = std::fs::read(&path).expect("a readable file");
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), (content, meta.ino(), meta.mtime_nsec()))
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|p| p.is_file()).map(file).collect()
}

/// The lines that only one of two files has, in order.
fn different_lines(a: &[u8], b: &[u8]) -> Vec<String> {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    // The longest common subsequence of what is left between equal ends.
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[head..], &b[head..]);
    let tail = a.iter().rev().zip(b.iter().rev());
    let tail = tail.take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - tail], &b[..b.len() - tail]);
    let mut longest = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = match a[i] == b[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(a[i].to_owned());
            i += 1;
        } else {
            lines.push(b[j].to_owned());
            j += 1;
        }
    }
    lines
}

/// The options that a Set of a parameter may write or take away.
fn options(binding: &Binding) -> Vec<String> {
    let Binding::Uci(at) = binding else {
        return Vec::new();
    };
    let view: &[&str] = match at.codec.as_deref() {
        Some("wifi_standards") => &["legacy_rates"],
        Some("regulatory_domain") => &["country3"],
        _ => &[],
    };
    let mut all = at.clears.clone();
    all.extend(view.iter().map(|name| (*name).to_owned()));
    all.push(at.option.clone());
    all
}

/// Whether a line gives one of these options a value, or is a line of a value of several.
fn is_of(line: &str, options: &[String]) -> bool {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("option" | "list") => {
            let name = words.next().unwrap_or_default().trim_matches(['\'', '"']);
            options.iter().any(|option| option == name)
        }
        Some("config") => false,
        // The second line of a text with a line break.
        _ => line.is_empty() || line.contains("line break"),
    }
}

/// Texts that find what is wrong with quoting.
const TEXTS: &[&str] = &[
    "",
    "x",
    "a \"quoted\" Straße & 'more' <of> it # $(reboot) \\ `x`",
    "'",
    "\"",
    "\\",
    "#",
    "two words",
    "tab\there",
    "with a\nline break",
    "ドメイン.例",
    "%20%2C",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "<-03>3",
    "UTC0",
];

/// Samples of every form that a pattern or a named type of the shipped model asks for.
const FORMS: &[&str] = &[
    "http://acs.example.net:7547/a?b=c%20d",
    "https://[2001:db8::1]/'\"",
    "DE ",
    "FRI",
    "USO",
    "192.0.2.77",
    "198.51.100.0/24",
    "255.255.0.0",
    "2001:db8::77",
    "2001:db8:1::/48",
    "02:00:5e:00:53:99",
    "02:00:5E:00:53:98",
    "01234567-89ab-cdef-0123-456789abcdef",
    "1",
    "65535",
];

/// What one item of a parameter can be: its ends, and what lies between.
fn items(parameter: &ParameterView<'_>) -> Vec<String> {
    let facets = parameter.facets();
    if !facets.enumeration.is_empty() {
        return facets.enumeration.iter().map(|e| e.to_string()).collect();
    }
    let base = facets.named.base;
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    match base {
        ValueType::Boolean => own(&["true", "false", "1", "0"]),
        ValueType::DateTime => own(&[
            "0001-01-01T00:00:00Z",
            "2026-01-31T23:59:59Z",
            "2038-01-19T03:14:08Z",
            "2026-06-30T12:00:00+02:00",
        ]),
        _ if base.is_number() => {
            let (low, high): (i128, i128) = match base {
                ValueType::Int => (i32::MIN.into(), i32::MAX.into()),
                ValueType::UnsignedInt => (0, u32::MAX.into()),
                ValueType::Long => (i64::MIN.into(), i64::MAX.into()),
                _ => (0, u64::MAX.into()),
            };
            let end = |bound: &Option<Box<str>>, or: i128| {
                let own = bound.as_deref().map(|text| text.parse());
                own.map_or(or, |n| n.expect("a whole bound"))
            };
            let (low, high) = (end(&facets.min, low), end(&facets.max, high));
            let between = [low + 1, low / 2 + high / 2, high - 1, 60, 22];
            let all = [low, high].into_iter().chain(between);
            all.filter(|n| (low..=high).contains(n))
                .map(|n| n.to_string())
                .collect()
        }
        ValueType::HexBinary | ValueType::Base64 => {
            let least = facets.min_length().unwrap_or(1).max(1) as usize;
            let most = facets.max_length().unwrap_or(64) as usize;
            let ends = [least, most].into_iter();
            ends.flat_map(|n| ["a5".repeat(n), "00".repeat(n)])
                .collect()
        }
        _ => {
            // What has no form of its own takes every text.
            let formless = facets.pattern.is_none() && facets.named.form.is_empty();
            let mut all: Vec<String> = own(TEXTS);
            if !formless {
                all.extend(own(FORMS));
            }
            // The shortest and the longest, in letters of one octet and of three.
            let most = facets.max_length().unwrap_or(300) as usize;
            let least = facets.min_length().unwrap_or(1) as usize;
            let octets = facets.max_octets.map_or(most, |n| n as usize / 3);
            all.push("a".repeat(least));
            all.push("z".repeat(most));
            all.push("語".repeat(octets.min(most)));
            all
        }
    }
}

/// Values for a parameter, in canonical form and without the ones its schema forbids.
fn values(parameter: &ParameterView<'_>, rows: &BTreeSet<String>, path: &str) -> Vec<String> {
    let facets = parameter.facets();
    let mut all: Vec<String> = Vec::new();
    if parameter.type_name() == "Alias" {
        // Different from those of the other rows.
        let row = path.replace('.', "-");
        let row = &row[row.len().saturating_sub(40)..];
        all.extend([format!("a{row}"), format!("Z_9.{row}")]);
        all.push(format!("{row:L<64}").replacen('-', "L", 1));
    } else if parameter.references().is_empty() {
        all = items(parameter);
    } else {
        all.push(String::new());
        for table in parameter.references() {
            let table = table.trim_end_matches("{i}.");
            let is_row = |row: &&String| {
                let number = row.strip_prefix(table);
                number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            };
            all.extend(rows.iter().filter(is_row).cloned());
        }
    }
    if let Some(list) = facets.list {
        let escape = |item: &String| {
            let item = item.replace('%', "%25").replace(',', "%2C");
            item.replace(' ', "%20").replace(['\t', '\n'], "%09")
        };
        let items: Vec<String> = all
            .iter()
            .filter(|item| facets.check_item(item).is_ok() && !item.is_empty())
            .map(escape)
            .collect();
        let most = list.max_items.map_or(items.len(), |n| n as usize);
        let parts = items.iter().map(String::as_str);
        all = vec![
            String::new(),
            parts.clone().take(most).collect::<Vec<_>>().join(","),
        ];
        all.extend(items.clone());
        for (i, one) in parts.clone().enumerate() {
            for (j, two) in parts.clone().enumerate().skip(i + 1) {
                all.push(format!("{one},{two}"));
                let third = parts.clone().skip(j + 1);
                all.extend(third.map(|three| format!("{one},{two},{three}")));
            }
            if facets.enumeration.is_empty() {
                break;
            }
        }
    }
    let mut seen = BTreeSet::new();
    all.iter()
        .filter_map(|value| facets.check(value).ok())
        .filter(|value| seen.insert(value.clone()))
        .collect()
}

/// What a Set did to the disk, as it must have.
struct Trial<'a> {
    router: &'a router::Router,
    schema: &'a Arc<Schema>,
    parameter: ParameterView<'a>,
    path: &'a str,
    met: &'a mut BTreeSet<&'static str>,
    /// Refusals that are not listed.
    wrong: &'a mut Vec<String>,
}

impl Trial<'_> {
    /// Sets one value; whether it was taken.
    fn run(&mut self, model: &mut Model, value: &str) -> bool {
        let about = format!("{} = {value:?}", self.path);
        let before = snapshot(self.router, "/etc/config");
        let outcome = match set(model, self.path, value) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.refused(&about, value, &error);
                assert_eq!(snapshot(self.router, "/etc/config"), before, "{about}");
                return false;
            }
        };
        let after = snapshot(self.router, "/etc/config");
        let changed: Vec<&String> = after
            .iter()
            .filter(|(name, now)| before.get(*name).is_none_or(|then| then.0 != now.0))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(before.len(), after.len(), "{about}: files come or go");
        match self.parameter.binding() {
            Some(Binding::Uci(at)) if !outcome.changed.is_empty() => {
                assert_eq!(changed, [&at.package], "{about}");
                assert_eq!(outcome.reload, std::slice::from_ref(&at.package), "{about}");
                let (then, now) = (&before[&at.package].0, &after[&at.package].0);
                let allowed = self.parameter.binding().map(options).unwrap_or_default();
                for line in different_lines(then, now) {
                    let made = at.create.is_some() && line.starts_with("config ");
                    assert!(made || is_of(&line, &allowed), "{about}: touches {line:?}");
                }
                self.kept(&about, value, &at.option, now);
            }
            _ => {
                assert_eq!(changed, Vec::<&String>::new(), "{about}");
                assert_eq!(outcome.reload, Vec::<String>::new(), "{about}");
            }
        }
        // The items behind one that is emptied move up, so that it reads as the next.
        let moves = |b: &Binding| matches!(b, Binding::Uci(at) if at.item.is_some());
        if value.is_empty() && self.parameter.binding().is_some_and(moves) {
            return true;
        }
        // An agent that starts now reads the same, and has nothing to write.
        let mut fresh = router_model::over(self.router, Arc::clone(self.schema));
        let shown = if self.parameter.hidden() { "" } else { value };
        assert_eq!(get(&mut fresh, self.path), shown, "{about}");
        let state = snapshot(self.router, "/etc/cwmp-agent/state");
        let again = set(&mut fresh, self.path, value).unwrap_or_else(|e| panic!("{about}: {e:?}"));
        assert_eq!(again.changed, Vec::<String>::new(), "{about}");
        assert_eq!(again.reload, Vec::<String>::new(), "{about}");
        assert_eq!(snapshot(self.router, "/etc/config"), after, "{about}");
        assert_eq!(
            snapshot(self.router, "/etc/cwmp-agent/state"),
            state,
            "{about}"
        );
        true
    }

    /// A password does not read back: the file must have it, word for word.
    fn kept(&self, about: &str, value: &str, option: &str, file: &[u8]) {
        let package = Package::parse(file).unwrap_or_else(|e| panic!("{about}: {e}"));
        if self.parameter.hidden() && !value.is_empty() {
            let has = |s: &cwmp_agent::uci::Section| {
                let text = s.get(option).and_then(|v| v.as_one());
                text.is_some_and(|text| text == value)
            };
            assert!(package.sections().iter().any(has), "{about}: not kept");
        }
    }

    fn refused(&mut self, about: &str, value: &str, error: &SetError) {
        let SetError::Parameters(faults) = error else {
            panic!("{about}: {error:?}");
        };
        assert!(faults.iter().all(|f| f.code == 9007), "{about}: {error:?}");
        let path = self.parameter.path();
        let known = REFUSED
            .iter()
            .find(|(refused, which, _)| *refused == path && which(value));
        // UCI keeps no empty option, so nothing there must mean nothing.
        let empty = value.is_empty() && self.parameter.default().is_some_and(|d| !d.is_empty());
        match known {
            Some((refused, _, _)) => {
                self.met.insert(refused);
            }
            None if empty => {}
            None => self.wrong.push(format!("{about}: {}", faults[0].text)),
        }
    }
}

// T-SPV-001, T-SPV-015, T-SPV-019, T-GPN-012, T-GPV-012
#[test]
fn every_writable_parameter_keeps_every_value_that_its_schema_allows() {
    // A thousand files are made to last, which takes its time on a disk.
    let memory = std::path::Path::new("/dev/shm");
    let router = match memory.is_dir() {
        true => router::Router::new_in(memory),
        false => router::Router::new(),
    }
    .expect("a folder for temporary files");
    let schema = router_model::schema(&files());
    let mut model = router_model::over(&router, Arc::clone(&schema));
    model.begin();
    let all = model.get(&["Device."]).expect("a tree that reads");
    assert_eq!(model.troubles(), []);
    let row = |path: &str| {
        let end = path.rfind('.')?;
        let is_row = path[..end].ends_with(|c: char| c.is_ascii_digit());
        is_row.then(|| path[..end].to_owned())
    };
    let rows: BTreeSet<String> = all.iter().filter_map(|entry| row(&entry.path)).collect();
    let writable: Vec<(&str, ParameterView<'_>)> = all
        .iter()
        .filter_map(|entry| {
            let parameter = schema.parameter(&schema_path(&entry.path))?;
            parameter
                .writable()
                .then_some((entry.path.as_str(), parameter))
        })
        .collect();

    // The first change of a package names its anonymous sections. That is done before, so
    // that nothing but the options in question may differ below.
    let mut named = BTreeSet::new();
    for (path, parameter) in &writable {
        if let Some(Binding::Uci(at)) = parameter.binding()
            && !named.contains(&at.package)
            && values(parameter, &rows, path)
                .iter()
                .any(|value| set(&mut model, path, value).is_ok_and(|o| !o.changed.is_empty()))
        {
            named.insert(at.package.clone());
        }
    }
    let baseline = snapshot(&router, "/etc/config");
    let (mut instances, mut sets, mut met) = (0, 0, BTreeSet::new());
    let mut wrong = Vec::new();
    for (path, parameter) in &writable {
        let mut trial = Trial {
            router: &router,
            schema: &schema,
            parameter: *parameter,
            path,
            met: &mut met,
            wrong: &mut wrong,
        };
        let mut taken = 0;
        for value in values(parameter, &rows, path) {
            sets += 1;
            taken += usize::from(trial.run(&mut model, &value));
        }
        let only = parameter.facets().enumeration.len() == 1;
        let choosy = REFUSED.iter().any(|(path, ..)| *path == parameter.path());
        if taken < if only || choosy { 1 } else { 2 } {
            wrong.push(format!("{path}: only {taken} values were taken"));
        }
        instances += 1;
        for (name, (content, ..)) in &baseline {
            let path = format!("/etc/config/{name}");
            let text = String::from_utf8_lossy(content);
            if router.read(&path).is_ok_and(|now| now != text) {
                router.write(&path, &text).expect("written");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(model.troubles(), []);
    assert!(
        instances >= LEAST_INSTANCES,
        "{instances} writable instances"
    );
    println!("{sets} values of {instances} parameters");
    assert!(sets > 4 * instances, "{sets} values");
    let all: BTreeSet<&str> = REFUSED.iter().map(|(path, ..)| *path).collect();
    assert_eq!(met, all, "listed refusals that never came");
}
