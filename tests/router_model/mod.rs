//! The real model over the real sources on a sample router, without an agent: what the
//! agent would hand in while it runs is fixed here.

// Each test program uses a part of this.
#![allow(dead_code)]

use crate::router::Router;
use cwmp_agent::model::api::Limits;
use cwmp_agent::model::{Model, Schema};
use cwmp_agent::source::{self, Runtime};
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use std::path::PathBuf;
use std::sync::Arc;

/// What the agent hands in while it runs.
const GIVEN: [(&str, &str); 8] = [
    ("manufacturer", "Example"),
    ("oui", "02005E"),
    ("product_class", "HomeRouter"),
    ("serial_number", "HRAX-0001729"),
    ("model_name", "Example Home Router AX"),
    ("hardware_version", "v2"),
    ("software_version", "23.05.5"),
    ("connection_request_url", "http://127.0.0.1:7547/knock"),
];

/// The model of these data-model files on a sample router.
pub fn model(router: &Router, files: &[(String, String)]) -> Model {
    over(router, schema(files))
}

/// The schema of these data-model files.
pub fn schema(files: &[(String, String)]) -> Arc<Schema> {
    let schema = Schema::load(files).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors.iter().map(|e| format!("{e}\n")).collect::<String>()
        )
    });
    Arc::new(schema)
}

/// A model of this schema over sources of its own, as an agent that just started has it.
pub fn over(router: &Router, schema: Arc<Schema>) -> Model {
    on_bus(router, schema, None)
}

/// The same, with a ubusd at this socket.
pub fn on_bus(router: &Router, schema: Arc<Schema>, socket: Option<PathBuf>) -> Model {
    let root = Root::new(router.root()).expect("a folder that exists");
    let runtime = Runtime::on_bus(socket);
    for (name, value) in GIVEN {
        runtime.set(name, value);
    }
    let tables = schema.objects().filter_map(|object| object.rows());
    let sources = source::all(&root, source::Limits::default(), runtime, tables);
    let state = StateDir::open(&router.path("/etc/cwmp-agent/state")).expect("a writable copy");
    let journal = Box::new(DiskJournal::new(state));
    Model::new(
        schema,
        sources.into_iter().collect(),
        journal,
        Limits::default(),
    )
}
