//! When the rows of a table are asked for, and when those of an earlier request still hold.

use cwmp_agent::model::binding::{Rows, SourceKind};
use cwmp_agent::model::source::{
    Ask, FileChange, Journal, Prepared, Raw, Refusal, Row, Said, Source, Trouble,
};
use cwmp_agent::model::{Limits, Model, Schema};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct World {
    /// By package and key of the row around (`""`: none).
    rows: BTreeMap<(&'static str, &'static str), Vec<Row>>,
    /// By package.
    versions: BTreeMap<&'static str, u32>,
    asked: usize,
}

struct Versioned(Arc<Mutex<World>>);

fn package(rows: &Rows) -> &str {
    match rows {
        Rows::Uci(rows) => &rows.package,
        _ => "",
    }
}

impl Source for Versioned {
    fn begin(&mut self) {}
    fn rows(&mut self, rows: &Rows, around: &[String]) -> Result<Vec<Row>, Trouble> {
        let mut world = self.0.lock().unwrap();
        world.asked += 1;
        let around = around.last().map_or("", String::as_str);
        let found = world.rows.get(&(package(rows), around)).cloned();
        Ok(found.unwrap_or_default())
    }
    fn rows_version(&mut self, rows: &Rows) -> Option<u32> {
        self.0.lock().unwrap().versions.get(package(rows)).copied()
    }
    fn value<'a>(&'a mut self, _: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        Ok(None)
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

const SCHEMA: &str = r#"
["Device.T.{i}."]
rows = { uci = "outer", type = "t" }
["Device.T.{i}.S.{i}."]
rows = { uci = "inner", type = "s", parent = "t" }
"#;

fn row(key: &str, prints: &[u32]) -> Row {
    Row {
        key: key.to_owned(),
        prints: prints.to_vec(),
    }
}

fn model() -> (Model, Arc<Mutex<World>>) {
    let files = [("rows.toml".to_owned(), SCHEMA.to_owned())];
    let schema = Schema::load(&files).unwrap_or_else(|e| panic!("{e:?}"));
    let world = Arc::new(Mutex::new(World::default()));
    let source: Box<dyn Source> = Box::new(Versioned(world.clone()));
    let sources = vec![(SourceKind::Uci, source)];
    let model = Model::new(schema, sources, Box::new(NoJournal), Limits::default());
    (model, world)
}

/// The rows in one request, and how often the source was asked for them.
fn rows(model: &mut Model, world: &Mutex<World>) -> (Vec<String>, usize) {
    world.lock().unwrap().asked = 0;
    model.begin();
    let names = model.names("Device.T.", false).unwrap();
    let paths = names.into_iter().map(|name| name.path);
    let is_row = |path: &String| {
        path.ends_with('.') && {
            let last = path.trim_end_matches('.').rsplit('.').next();
            last.is_some_and(|part| part.parse::<u32>().is_ok())
        }
    };
    let rows = paths.filter(is_row).collect();
    let asked = world.lock().unwrap().asked;
    (rows, asked)
}

#[test]
fn rows_are_asked_for_again_when_their_version_is_another_or_none() {
    let (mut model, world) = model();
    world
        .lock()
        .unwrap()
        .rows
        .insert(("outer", ""), vec![row("a", &[])]);
    // No version: in every request.
    for _ in 0..2 {
        assert_eq!(
            rows(&mut model, &world),
            (vec!["Device.T.1.".to_owned()], 2)
        );
    }
    world
        .lock()
        .unwrap()
        .versions
        .extend([("outer", 1), ("inner", 1)]);
    assert_eq!(rows(&mut model, &world).1, 2);
    assert_eq!(
        rows(&mut model, &world),
        (vec!["Device.T.1.".to_owned()], 0)
    );
    let two = vec![row("b", &[]), row("a", &[])];
    world.lock().unwrap().rows.insert(("outer", ""), two);
    world.lock().unwrap().versions.insert("outer", 2);
    let expected = vec!["Device.T.1.".to_owned(), "Device.T.2.".to_owned()];
    // The table itself, and the one below the new row.
    assert_eq!(rows(&mut model, &world), (expected.clone(), 2));
    assert_eq!(rows(&mut model, &world), (expected, 0));
    // What cannot be told any more is asked.
    world.lock().unwrap().rows.clear();
    world.lock().unwrap().versions.clear();
    assert_eq!(rows(&mut model, &world), (vec![], 1));
}

#[test]
fn rows_below_a_row_that_has_another_key_are_asked_for_though_their_version_stands() {
    let (mut model, world) = model();
    {
        let mut world = world.lock().unwrap();
        world
            .rows
            .insert(("outer", ""), vec![row("#a", &[1, 2, 3])]);
        world.rows.insert(("inner", "#a"), vec![row("x", &[])]);
        world.versions.extend([("outer", 1), ("inner", 1)]);
    }
    let (first, _) = rows(&mut model, &world);
    assert_eq!(first, ["Device.T.1.", "Device.T.1.S.1."]);
    {
        // Edited by somebody else: the same row, known by other content.
        let mut world = world.lock().unwrap();
        world
            .rows
            .insert(("outer", ""), vec![row("#b", &[1, 2, 4])]);
        world.versions.insert("outer", 2);
    }
    assert_eq!(rows(&mut model, &world).0, ["Device.T.1."]);
}

#[test]
fn an_idle_model_keeps_few_rows() {
    let (mut model, world) = model();
    {
        let mut world = world.lock().unwrap();
        let many = (0..1500).map(|n| row(&format!("r{n}"), &[])).collect();
        world.rows.insert(("outer", ""), many);
        world.versions.insert("outer", 1);
    }
    for _ in 0..2 {
        assert_eq!(rows(&mut model, &world).1, 1501);
    }
}
