//! Reading the watched parameters: which they are, where they come from, what it costs.

use cwmp_agent::model::binding::{Rows, SourceKind};
use cwmp_agent::model::source::{
    Ask, FileChange, Journal, Prepared, Raw, Refusal, Row, Said, Source, Trouble,
};
use cwmp_agent::model::{AttributeItem, Limits, Model, Origins, Schema, WatchedValue, Which};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What sources of all kinds were asked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Asked {
    rows: usize,
    values: usize,
}

#[derive(Default)]
struct World {
    /// Rows of every table.
    size: usize,
    broken: bool,
    asked: Asked,
}

/// Any kind: `size` rows, every value "1".
struct Counting(Arc<Mutex<World>>);

impl Source for Counting {
    fn begin(&mut self) {}
    fn rows(&mut self, _: &Rows, _: &[String]) -> Result<Vec<Row>, Trouble> {
        let mut world = self.0.lock().unwrap();
        world.asked.rows += 1;
        if world.broken {
            return Err(Trouble {
                source: "uci p".to_owned(),
                what: "broken".to_owned(),
            });
        }
        let row = |n| Row {
            key: format!("r{n}"),
            prints: Vec::new(),
        };
        Ok((1..=world.size).map(row).collect())
    }
    fn value<'a>(&'a mut self, _: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        self.0.lock().unwrap().asked.values += 1;
        Ok(Some(Said::Text("1".into())))
    }
    fn stage(&mut self, _: Ask<'_>, _: Option<Raw>) -> Result<(), Refusal> {
        Ok(())
    }
    fn add_row(&mut self, _: &Rows, _: &[String]) -> Result<Row, Refusal> {
        Err(Refusal::Full("full".to_owned()))
    }
    fn delete_row(&mut self, _: &Rows, _: &[String], _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }
    fn finish(&mut self, _: bool) {}
}

/// Keeps nothing.
struct NoJournal;

impl Journal for NoJournal {
    fn commit(&mut self, _: &[FileChange]) -> Result<(), Trouble> {
        Ok(())
    }
    fn state_path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
    fn load(&mut self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

fn model(schema: &str, size: usize) -> (Model, Arc<Mutex<World>>) {
    let files = [("watch.toml".to_owned(), schema.to_owned())];
    let schema = Schema::load(&files).unwrap_or_else(|e| panic!("{e:?}"));
    let world = Arc::new(Mutex::new(World {
        size,
        ..World::default()
    }));
    let kinds = [
        SourceKind::Uci,
        SourceKind::File,
        SourceKind::Command,
        SourceKind::Native,
        SourceKind::Constant,
        SourceKind::Memory,
    ];
    let source =
        |kind| -> (SourceKind, Box<dyn Source>) { (kind, Box::new(Counting(world.clone()))) };
    let limits = Limits {
        attributes: 20_000,
        ..Limits::default()
    };
    let sources = kinds.map(source).into_iter().collect();
    let model = Model::new(schema, sources, Box::new(NoJournal), limits);
    (model, world)
}

fn read(model: &mut Model, which: Which) -> (Vec<WatchedValue>, Origins) {
    let mut all = Vec::new();
    model.begin();
    let origins = model.watch(which, &mut |values| {
        assert!(values.len() <= 256, "some at a time");
        all.extend(values);
        true
    });
    (all, origins)
}

fn notify(path: &str, level: i64) -> AttributeItem {
    AttributeItem {
        path: path.to_owned(),
        notification: Some(level),
        access: None,
    }
}

const TABLE: &str = r#"
["Device.T.{i}."]
rows = { uci = "p", type = "t" }
A = { type = "string", uci = "p.{row}.a", notify = "active" }
B = { type = "string", uci = "p.{row}.b" }
"#;

#[test]
fn ten_thousand_watched_parameters_cost_ten_times_a_thousand() {
    for watched_by_default in [true, false] {
        let mut costs = Vec::new();
        for size in [1_000, 10_000] {
            let (mut model, world) = model(TABLE, size);
            if !watched_by_default {
                let off_and_on = ["A", "B"].map(|name| {
                    let items = (1..=size).map(|n| format!("Device.T.{n}.{name}"));
                    let level = i64::from(name == "B");
                    items.map(|path| notify(&path, level)).collect::<Vec<_>>()
                });
                for part in off_and_on.iter().flat_map(|items| items.chunks(4096)) {
                    model.set_attributes(part, false).unwrap();
                }
            }
            world.lock().unwrap().asked = Asked::default();
            let (values, _) = read(&mut model, Which::All);
            assert_eq!(values.len(), size);
            costs.push(world.lock().unwrap().asked.clone());
        }
        let want = |size: usize| Asked {
            rows: 1,
            values: size,
        };
        assert_eq!(costs, [want(1_000), want(10_000)], "{watched_by_default}");
    }
}

#[test]
fn reading_stops_when_it_is_told_to() {
    let (mut model, world) = model(TABLE, 10_000);
    model.begin();
    let mut seen = 0;
    model.watch(Which::All, &mut |values| {
        seen += values.len();
        false
    });
    assert_eq!(seen, 256);
    assert_eq!(world.lock().unwrap().asked.values, 256);
}

const KINDS: &str = r#"
["Device."]
Package  = { type = "string", access = "rw", uci = "one.a.b" }
Secret   = { type = "string", access = "rw", uci = "secret.a.b", hidden = true }
File     = { type = "string", file = "/tmp/state" }
Kernel   = { type = "string", proc = "/proc/uptime" }
Command  = { type = "string", command = { argv = ["/bin/x"] } }
Native   = { type = "string", native = "software_version" }
Constant = { type = "string", constant = "c" }
Memory   = { type = "string", access = "rw", memory = "m" }
Counter  = { type = "StatsCounter64", sysfs = "/sys/x" }
UpTime   = { type = "string", uci = "two.a.b", notify = "deny" }
["Device.T.{i}."]
rows = { uci = "table", type = "t" }
["Device.L.{i}."]
rows = { lines = "/tmp/leases", key = 1 }
Line = { type = "string", file = { path = "/tmp/of/{row}", line = 1 } }
"#;

fn names(values: &[WatchedValue]) -> Vec<&str> {
    values.iter().map(|one| one.path.as_str()).collect()
}

#[test]
fn the_places_where_changes_can_be_noticed_are_told_each_once() {
    let (mut model, _) = model(KINDS, 2);
    assert_eq!(
        read(&mut model, Which::All),
        (Vec::new(), Origins::default())
    );
    let mut origins = |names: &[&str]| {
        let off = [notify("Device.", 0)].into_iter();
        let on = names
            .iter()
            .map(|name| notify(&format!("Device.{name}"), 1));
        let items: Vec<AttributeItem> = off.chain(on).collect();
        model.set_attributes(&items, false).unwrap();
        read(&mut model, Which::All).1
    };
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let nothing = Origins::default();
    assert_eq!(origins(&["Secret", "Constant", "Memory"]), nothing);
    let found = origins(&["Package", "UpTime", "TNumberOfEntries"]);
    assert_eq!(found.packages, set(&["one", "table", "two"]));
    assert!(!found.others && found.files.is_empty());
    let found = origins(&["File", "LNumberOfEntries", "L.1.Line", "L.2.Line"]);
    let files = ["/tmp/leases", "/tmp/of/r1", "/tmp/of/r2", "/tmp/state"];
    assert_eq!(found.files, set(&files));
    assert!(!found.others && found.packages.is_empty());
    assert_eq!(origins(&["Native"]).natives, set(&["software_version"]));
    for other in ["Kernel", "Command", "Counter"] {
        assert!(origins(&[other]).others, "{other}");
    }
}

#[test]
fn too_many_files_are_not_named_one_by_one() {
    let (mut model, _) = model(KINDS, Origins::MAX_FILES + 1);
    model
        .set_attributes(&[notify("Device.L.", 1)], false)
        .unwrap();
    let (_, origins) = read(&mut model, Which::All);
    assert_eq!(origins.files.len(), Origins::MAX_FILES);
    assert!(origins.others);
}

#[test]
fn what_changes_all_the_time_is_told_apart_and_a_change_of_settings_needs_no_programs() {
    let (mut model, _) = model(KINDS, 1);
    model
        .set_attributes(&[notify("Device.", 1)], false)
        .unwrap();
    let (all, _) = read(&mut model, Which::All);
    let volatile: Vec<WatchedValue> = all.iter().filter(|v| v.volatile).cloned().collect();
    assert_eq!(names(&volatile), ["Device.Counter", "Device.UpTime"]);
    let (settings, _) = read(&mut model, Which::Settings);
    let left_out = names(&all)
        .into_iter()
        .filter(|name| !names(&settings).contains(name));
    assert_eq!(
        left_out.collect::<Vec<_>>(),
        ["Device.Command", "Device.LNumberOfEntries", "Device.Native"]
    );
}

// NOT-013
#[test]
fn a_table_in_trouble_is_told_from_rows_that_are_gone() {
    let (mut model, world) = model(TABLE, 2);
    model
        .set_attributes(
            &[notify("Device.T.2.B", 1), notify("Device.T.1.A", 0)],
            false,
        )
        .unwrap();
    let is = |model: &mut Model, path: &str| {
        model.begin();
        model.is_watched(path)
    };
    assert_eq!(is(&mut model, "Device.T.2.B"), Some(true));
    assert_eq!(is(&mut model, "Device.T.1.A"), Some(false));
    world.lock().unwrap().broken = true;
    assert_eq!(is(&mut model, "Device.T.2.B"), None);
    assert!(read(&mut model, Which::All).0.is_empty());
    world.lock().unwrap().broken = false;
    world.lock().unwrap().size = 1;
    assert_eq!(is(&mut model, "Device.T.2.B"), Some(false));
    assert_eq!(is(&mut model, "Device.T.3.A"), Some(false));
    assert_eq!(is(&mut model, "Device.T."), Some(false));
}

// ParameterKey is the ACS's own.
#[test]
fn parameter_key_is_never_watched() {
    let schema = r#"
["Device.ManagementServer."]
ParameterKey = { type = "string", native = "parameter_key", notify = "deny" }
"#;
    let (mut model, _) = model(schema, 0);
    let key = "Device.ManagementServer.ParameterKey";
    model.set_attributes(&[notify(key, 2)], false).unwrap();
    assert!(read(&mut model, Which::All).0.is_empty());
    assert_eq!(model.attributes(&[key]).unwrap()[0].notification, 2);
}
