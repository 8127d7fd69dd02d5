//! Every writable parameter of the shipped data model, instance by instance on the sample
//! router: values made from its own schema are set, found in the file and read back by an
//! agent that knows nothing of the Set.

mod model_values;
mod router;
mod router_model;

use cwmp_agent::model::binding::Binding;
use cwmp_agent::model::schema::ParameterView;
use cwmp_agent::model::{Entry, Model, Schema, SetError, SetItem, SetOutcome};
use cwmp_agent::source::builtin;
use cwmp_agent::uci::Package;
use model_values::rules::{Is, REFUSED, TOGETHER};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Writable instances that must have taken part at least.
const LEAST_INSTANCES: usize = 700;

/// Values that change by themselves.
const VOLATILE: &[&str] = &["CurrentLocalTime", "LastUpdate", "Date"];

fn files() -> Vec<(String, String)> {
    builtin::files()
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

fn set(model: &mut Model, items: &[(String, String)]) -> Result<SetOutcome, SetError> {
    model.begin();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    model.set(&items, None)
}

/// The value that a path shows, or what keeps it from showing one.
fn get(model: &mut Model, path: &str) -> String {
    model.begin();
    match model.get(&[path]) {
        Ok(mut entries) if entries.len() == 1 => entries.remove(0).value,
        other => format!("{other:?}"),
    }
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
    let also: &[&str] = match at.codec.as_deref() {
        Some("wifi_band") => &["channel", "htmode"],
        Some("wifi_standards") => &["legacy_rates"],
        Some("regulatory_domain") => &["country3"],
        Some("interface_mask") => &["netmask"],
        Some("pool_first") => &["limit"],
        Some("pool_last") => &["start"],
        Some("forward_enable") => &["cwmp_enable"],
        Some("forward_client") => &["enabled", "cwmp_enable"],
        Some("forward_port" | "forward_port_last") => &["dest_port"],
        Some("pool_enable") => &["dhcpv4"],
        Some("pool_address") => &["cwmp_pool"],
        Some("allowed_macs") => &["cwmp_maclist"],
        Some("mac_control") => &["maclist", "cwmp_maclist"],
        Some("name_server_address" | "name_server_enable" | "name_server_network") => {
            &["dns", "enable", "interface"]
        }
        _ => &[],
    };
    let clears = at.clears().iter().map(|name| &**name);
    let all = clears.chain(also.iter().copied()).chain([&*at.option]);
    all.map(str::to_owned).collect()
}

/// The lines of a section that a Set may make: `@device[name={row}]` is found by its name.
fn made(binding: &Binding, path: &str, rows: &BTreeMap<String, String>) -> Vec<String> {
    let Binding::Uci(at) = binding else {
        return Vec::new();
    };
    if at
        .codec
        .as_deref()
        .is_some_and(|c| c.starts_with("name_server_"))
    {
        return vec!["config nameserver ".to_owned()];
    }
    let Some(kind) = &at.create else {
        return Vec::new();
    };
    let found_by = at.section.split_once('[').and_then(|(_, rest)| {
        let (option, value) = rest.strip_suffix(']')?.split_once('=')?;
        let object = path.rsplit_once('.').map_or("", |(object, _)| object);
        let value = match value {
            "{row}" => rows.get(&format!("{object}.Name"))?,
            value => value,
        };
        Some(format!("\toption {option} '{value}'"))
    });
    let mut all = vec![format!("config {kind} ")];
    all.extend(found_by);
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

/// Whether a row is what others say, so that its values stay: tests of its own look at it.
fn is_told(path: &str, shown: &BTreeMap<String, String>) -> bool {
    let (row, name) = path.rsplit_once('.').unwrap_or_default();
    let kind = shown.get(&format!("{row}.Type"));
    row.starts_with("Device.DNS.Client.Server.")
        && name != "Alias"
        && kind.is_some_and(|kind| kind != "Static")
}

/// One parameter of one row, and what came of its values.
struct Trial<'a> {
    router: &'a router::Router,
    schema: &'a Arc<Schema>,
    parameter: ParameterView<'a>,
    path: &'a str,
    /// Every value that the router showed first.
    tree: &'a BTreeMap<String, String>,
    found: &'a mut Found,
}

/// What the trials of some parameters found.
#[derive(Default)]
struct Found {
    instances: usize,
    sets: usize,
    /// Rows of [`REFUSED`] and of [`TOGETHER`] that were needed.
    met: BTreeSet<(&'static str, &'static str)>,
    wrong: Vec<String>,
}

impl Trial<'_> {
    /// What a request must hold so that this value can be set.
    fn request(&mut self, value: &str) -> Vec<(String, String)> {
        let mut items = vec![(self.path.to_owned(), value.to_owned())];
        let own = self.parameter.path();
        let object = self.path.rsplit_once('.').map_or("", |(object, _)| object);
        for (path, which, companion, with) in TOGETHER {
            if *path == own && which(value) {
                items.push((format!("{object}.{companion}"), (*with).to_owned()));
                self.found.met.insert((path, companion));
            }
        }
        items
    }

    /// Sets one value; whether it was taken.
    fn run(&mut self, model: &mut Model, value: &str) -> bool {
        let about = format!("{} = {value:?}", self.path);
        let before = snapshot(self.router, "/etc/config");
        let items = self.request(value);
        let outcome = match set(model, &items) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.refused(&about, value, &error);
                self.same(&about, &snapshot(self.router, "/etc/config"), &before);
                return false;
            }
        };
        let after = snapshot(self.router, "/etc/config");
        self.touched(&about, value, &items, &outcome, &before, &after);
        // An agent that starts now reads the same, and has nothing to write.
        let mut fresh = router_model::over(self.router, Arc::clone(self.schema));
        for (path, value) in &items {
            let hidden = self.parameter.hidden() && path == self.path;
            let shown = if hidden { "" } else { value };
            let read = get(&mut fresh, path);
            if read != shown {
                self.wrong(format!("{about}: {path} reads {read:?}"));
            }
        }
        let state = snapshot(self.router, "/etc/cwmp-agent/state");
        match set(&mut fresh, &items) {
            Ok(again) if again.changed.is_empty() && again.reload.is_empty() => {}
            other => self.wrong(format!("{about}: again {other:?}")),
        }
        self.same(&about, &snapshot(self.router, "/etc/config"), &after);
        self.same(
            &about,
            &snapshot(self.router, "/etc/cwmp-agent/state"),
            &state,
        );
        true
    }

    /// Sets the first value back, and with it the others of its object that show the same
    /// setting. The object then reads as at first.
    fn back(&mut self, model: &mut Model) {
        let object = self.path.rsplit_once('.').map_or("", |(object, _)| object);
        let object = format!("{object}.");
        let tree = self.tree;
        let other = |model: &mut Model| -> Vec<String> {
            model.begin();
            let all = model.get(&[&object]).unwrap_or_default();
            // How many rows other tables have is their business.
            let stays = |path: &str| {
                let name = &path[object.len()..];
                let direct = !name.contains('.') && !name.ends_with("NumberOfEntries");
                direct && !VOLATILE.contains(&name)
            };
            all.into_iter()
                .filter(|e| stays(&e.path) && tree.get(&e.path) != Some(&e.value))
                .map(|e| e.path)
                .collect()
        };
        let own = vec![(self.path.to_owned(), tree[self.path].clone())];
        if set(model, &own).is_ok() && other(model).is_empty() {
            return;
        }
        let writable = |path: &String| {
            let parameter = self.schema.parameter(&schema_path(path));
            parameter.is_some_and(|p| p.writable())
        };
        let due = other(model).into_iter().filter(writable);
        let due: Vec<_> = due
            .map(|path| (path.clone(), tree[&path].clone()))
            .collect();
        let outcome = set(model, &due);
        let left = other(model);
        if outcome.is_err() || !left.is_empty() {
            self.wrong(format!(
                "{}: back by {due:?}: {outcome:?}, not {left:?}",
                self.path
            ));
        }
    }

    fn wrong(&mut self, what: String) {
        self.found.wrong.push(what);
    }

    fn same(&mut self, about: &str, now: &Files, then: &Files) {
        if now != then {
            let names: Vec<&String> = now.keys().filter(|n| now.get(*n) != then.get(*n)).collect();
            self.wrong(format!("{about}: writes {names:?}"));
        }
    }

    /// Only the options in question have changed, and only their package is reloaded.
    fn touched(
        &mut self,
        about: &str,
        value: &str,
        items: &[(String, String)],
        outcome: &SetOutcome,
        before: &Files,
        after: &Files,
    ) {
        let changed: Vec<String> = after
            .iter()
            .filter(|(name, now)| before.get(*name).is_none_or(|then| then.0 != now.0))
            .map(|(name, _)| name.clone())
            .collect();
        if before.len() != after.len() {
            self.wrong(format!("{about}: files come or go"));
        }
        let Some(Binding::Uci(at)) = self.parameter.binding() else {
            if !changed.is_empty() || !outcome.reload.is_empty() {
                self.wrong(format!("{about}: writes {changed:?}, {:?}", outcome.reload));
            }
            return;
        };
        let due: Vec<String> = match outcome.changed.is_empty() {
            true => Vec::new(),
            false => vec![at.package.to_string()],
        };
        if changed != due || outcome.reload != due {
            let reload = &outcome.reload;
            self.wrong(format!("{about}: writes {changed:?}, reloads {reload:?}"));
            return;
        }
        let (Some(then), Some(now)) = (before.get(&*at.package), after.get(&*at.package)) else {
            return;
        };
        let bindings = items.iter().filter_map(|(path, _)| {
            let parameter = self.schema.parameter(&schema_path(path))?;
            parameter.binding()
        });
        let bindings: Vec<&Binding> = bindings.collect();
        let allowed: Vec<String> = bindings.iter().flat_map(|b| options(b)).collect();
        let new = bindings.iter().flat_map(|b| made(b, self.path, self.tree));
        let new: Vec<String> = new.collect();
        for line in different_lines(&then.0, &now.0) {
            let made = new.iter().any(|n| match n.ends_with(' ') {
                true => line.starts_with(n),
                false => line == *n,
            });
            if !made && !is_of(&line, &allowed) {
                self.wrong(format!("{about}: touches {line:?}"));
            }
        }
        if !outcome.changed.is_empty() {
            self.kept(about, value, &at.option, &now.0);
        }
    }

    /// A password does not read back: the file must have it, word for word.
    fn kept(&mut self, about: &str, value: &str, option: &str, file: &[u8]) {
        let package = Package::parse(file).unwrap_or_else(|e| panic!("{about}: {e}"));
        if self.parameter.hidden() && !value.is_empty() {
            let has = |s: &cwmp_agent::uci::Section| {
                let text = s.get(option).and_then(|v| v.as_one());
                text.is_some_and(|text| text == value)
            };
            if !package.sections().iter().any(has) {
                self.wrong(format!("{about}: not kept"));
            }
        }
    }

    fn refused(&mut self, about: &str, value: &str, error: &SetError) {
        let SetError::Parameters(faults) = error else {
            return self.wrong(format!("{about}: {error:?}"));
        };
        let path = self.parameter.path();
        let row = |(refused, which, _): &&(&str, Is, &str)| *refused == path && which(value);
        let known = REFUSED.iter().find(row);
        // UCI keeps no empty option, so nothing there must mean nothing.
        let empty = value.is_empty() && self.parameter.default().is_some_and(|d| !d.is_empty());
        match known {
            _ if faults.iter().any(|f| f.code != 9007) => {
                self.wrong(format!("{about}: {error:?}"));
            }
            Some((refused, _, why)) => {
                self.found.met.insert((refused, why));
            }
            None if empty => {}
            None => self.wrong(format!("{about}: {}", faults[0].text)),
        }
    }
}

/// A sample router and its model, as they are before each parameter.
struct Bench {
    router: router::Router,
    schema: Arc<Schema>,
    /// Every value that the router showed first.
    tree: Vec<Entry>,
    config: Files,
    state: Files,
}

impl Bench {
    /// The first change of a package names its anonymous sections. That is done before, so
    /// that nothing but the options in question may differ later.
    fn new(schema: &Arc<Schema>) -> Bench {
        // A thousand files are made to last, which takes its time on a disk.
        let memory = std::path::Path::new("/dev/shm");
        let router = match memory.is_dir() {
            true => router::Router::new_in(memory),
            false => router::Router::new(),
        };
        let router = router.expect("a folder for temporary files");
        let mut model = router_model::over(&router, Arc::clone(schema));
        model.begin();
        let tree = model.get(&["Device."]).expect("a tree that reads");
        assert_eq!(model.troubles(), []);
        let mut named = BTreeSet::new();
        for entry in &tree {
            let Some(parameter) = schema.parameter(&schema_path(&entry.path)) else {
                continue;
            };
            let Some(Binding::Uci(at)) = parameter.binding() else {
                continue;
            };
            let plain = at.codec.is_none() && parameter.writable() && !parameter.hidden();
            if !plain || named.contains(&at.package) {
                continue;
            }
            let request = |value: &str| vec![(entry.path.clone(), value.to_owned())];
            for value in ["true", "false", "Accept", "named"] {
                if set(&mut model, &request(value)).is_ok_and(|o| !o.changed.is_empty()) {
                    set(&mut model, &request(&entry.value)).expect("the value of before");
                    named.insert(at.package.clone());
                    break;
                }
            }
        }
        // Rows are called by those names, too.
        let mut model = router_model::over(&router, Arc::clone(schema));
        model.begin();
        let tree = model.get(&["Device."]).expect("a tree that reads");
        let config = snapshot(&router, "/etc/config");
        let state = snapshot(&router, "/etc/cwmp-agent/state");
        Bench {
            router,
            schema: Arc::clone(schema),
            tree,
            config,
            state,
        }
    }

    /// The files as they were, and a model that knows nothing of what was between.
    fn model(&self) -> Model {
        for (dir, files) in [
            ("/etc/config", &self.config),
            ("/etc/cwmp-agent/state", &self.state),
        ] {
            let now = snapshot(&self.router, dir);
            for name in now.keys().filter(|name| !files.contains_key(*name)) {
                let path = self.router.path(&format!("{dir}/{name}"));
                std::fs::remove_file(path).expect("a file that goes");
            }
            for (name, (content, ..)) in files {
                if now.get(name).is_none_or(|now| now.0 != *content) {
                    let path = self.router.path(&format!("{dir}/{name}"));
                    std::fs::write(path, content).expect("written");
                }
            }
        }
        router_model::over(&self.router, Arc::clone(&self.schema))
    }
}

/// The objects right below `Device.`, the largest first: what can be tried side by side, on
/// routers of their own.
fn areas(tree: &[Entry]) -> Vec<&str> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in tree {
        if let Some(top) = entry.path.split('.').nth(1) {
            *sizes.entry(top).or_default() += 1;
        }
    }
    let mut all: Vec<&str> = sizes.keys().copied().collect();
    all.sort_by_key(|name| std::cmp::Reverse(sizes[name]));
    all
}

/// Tries the writable parameters of one area.
fn area(bench: &Bench, name: &str, found: &mut Found) {
    let begin = format!("Device.{name}.");
    let row = |path: &str| {
        let end = path.rfind('.')?;
        let is_row = path[..end].ends_with(|c: char| c.is_ascii_digit());
        is_row.then(|| path[..end].to_owned())
    };
    let rows: BTreeSet<String> = bench.tree.iter().filter_map(|e| row(&e.path)).collect();
    let shown = bench.tree.iter().map(|e| (e.path.clone(), e.value.clone()));
    let shown: BTreeMap<String, String> = shown.collect();
    for entry in bench.tree.iter().filter(|e| e.path.starts_with(&begin)) {
        let Some(parameter) = bench.schema.parameter(&schema_path(&entry.path)) else {
            continue;
        };
        if !parameter.writable() || is_told(&entry.path, &shown) {
            continue;
        }
        let mut model = bench.model();
        let mut trial = Trial {
            router: &bench.router,
            schema: &bench.schema,
            parameter,
            path: &entry.path,
            tree: &shown,
            found,
        };
        let choosy = REFUSED.iter().any(|(path, ..)| *path == parameter.path());
        let mut taken = 0;
        for value in model_values::values(&parameter, &rows, &entry.path, &entry.value) {
            trial.found.sets += 1;
            taken += usize::from(trial.run(&mut model, &value));
        }
        if !parameter.hidden() {
            trial.back(&mut model);
        }
        if !model.troubles().is_empty() {
            trial.wrong(format!("{}: {:?}", entry.path, model.troubles()));
        }
        let only = parameter.facets().enumeration.len() == 1;
        if taken < if only || choosy { 1 } else { 2 } {
            trial.wrong(format!("{}: only {taken} values were taken", entry.path));
        }
        found.instances += 1;
    }
}

// T-SPV-001, T-SPV-015, T-SPV-019, T-GPN-012, T-GPV-012
#[test]
fn every_writable_parameter_keeps_every_value_that_its_schema_allows() {
    let schema = router_model::schema(&files());
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Found::default());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let bench = Bench::new(&schema);
                let areas = areas(&bench.tree);
                loop {
                    let Some(name) = areas.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    let mut found = Found::default();
                    area(&bench, name, &mut found);
                    let mut all = all.lock().expect("no thread has failed");
                    all.instances += found.instances;
                    all.sets += found.sets;
                    all.met.extend(found.met);
                    all.wrong.extend(found.wrong);
                }
            });
        }
    });
    let found = all.into_inner().expect("no thread has failed");
    println!("{} values of {} parameters", found.sets, found.instances);
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n"));
    let (instances, sets) = (found.instances, found.sets);
    assert!(instances >= LEAST_INSTANCES, "{instances} instances");
    assert!(sets > 4 * instances, "{sets} values");
    let refused = REFUSED.iter().map(|(path, _, why)| (*path, *why));
    let together = TOGETHER.iter().map(|(path, _, with, _)| (*path, *with));
    let listed: BTreeSet<(&str, &str)> = refused.chain(together).collect();
    let idle: Vec<_> = listed.difference(&found.met).collect();
    assert!(idle.is_empty(), "never needed: {idle:?}");
}
