//! Software modules, as far as they are the agent's business: what the register holds is
//! published to the data model, what an ACS sets there is carried over, operations run
//! beside the sessions, and the ACS is told ([`tell`]).
//!
//! ```text
//! record (software)             events (owed)                session
//! all operations ended ------>  11, M ChangeDUState  ----->  DUStateChangeComplete
//! a change by hand     ------>  12                   ----->  AutonomousDUStateChangeComplete
//! ```
//! As with transfers the records decide which events are pending. The register is locked for
//! one look or change; `model` is never taken while it is held, `owed` may be.

mod carry;
pub mod tell;

pub use crate::transfer::software::Registry;
pub use carry::Agent;

use super::clock;
use super::policy;
use super::setup::Setup;
use super::world::{World, lock};
use crate::cwmp::fault::{self, Fault};
use crate::cwmp::message::{CpeResponse, Operation};
use crate::model::Model;
use crate::source::Runtime;
use crate::source::native::published::{self, DEPLOYMENTS, ENVIRONMENTS, EXECUTIONS};
use crate::store::state::StateDir;
use crate::transfer::progress::Stop;
use crate::transfer::software::environment::Surroundings;
use crate::transfer::software::executions::Supervisor;
use crate::transfer::software::operate::Operator;
use crate::transfer::software::record::{Change, Paths, Performed, Target, Unit};
use crate::transfer::software::registry::{Condition, Lookup, NotKept, Table};
use crate::transfer::software::rows::{self, Row};
use crate::transfer::software::{Environments, look};
use crate::uci::file::Stamp;
use std::sync::{Arc, Mutex};

/// The state file of what an ACS has set, written with everything else of the same change.
const WANTED: &str = "software-wanted";
/// Where the rows are.
const OBJECT: &str = "Device.SoftwareModules.";
/// The folder for fetched files, in that of transfers.
const FOLDER: &str = "software";

/// What the agent's threads share of software modules.
pub struct Modules {
    pub registry: Mutex<Registry>,
    pub environments: Environments,
    /// Ends what is fetched when the agent ends.
    pub stop: Arc<Stop>,
    runtime: Runtime,
    /// The agent has begun, after a boot or not, and its units were not looked at yet.
    begins: Mutex<Option<bool>>,
}

impl Modules {
    /// What the state folder holds, published to the model.
    pub fn load(setup: &Setup, state: &StateDir, runtime: &Runtime) -> Modules {
        let limits = &setup.config.limits;
        let around = Surroundings {
            root: setup.root.clone(),
            keep_free: limits.keep_free.into(),
            unpacked: limits.transfer_size.into(),
        };
        let named = setup.config.software_modules.iter();
        let named: Vec<_> = named.map(|m| m.definition()).collect();
        let wanted = state.load(WANTED).unwrap_or_default();
        runtime.published.keep_in(state.path(WANTED), wanted);
        let modules = Modules {
            registry: Mutex::new(Registry::load(state)),
            environments: Environments::new(&named, &around),
            stop: Arc::default(),
            runtime: runtime.clone(),
            begins: Mutex::new(None),
        };
        modules.publish();
        modules
    }

    /// Whether an environment is there, and enabled.
    pub fn condition(&self, name: &str) -> Condition {
        if self.environments.get(name).is_none() {
            return Condition::Unknown;
        }
        let published = &self.runtime.published;
        match published.wanted(ENVIRONMENTS, name, "enable").as_deref() {
            Some("false") => Condition::Disabled,
            _ => Condition::Enabled,
        }
    }

    /// Shows what the register holds; tells whether that is something else than before.
    pub fn publish(&self) -> bool {
        let units = lock(&self.registry).units().to_vec();
        let condition = |name: &str| self.condition(name);
        let tables = rows::tables(&units, &self.environments, &condition);
        let published = &self.runtime.published;
        let plain = |rows: Vec<Row>| -> Vec<published::Row> {
            rows.into_iter().map(|row| (row.key, row.values)).collect()
        };
        // Those that others refer to come first.
        published.publish(ENVIRONMENTS, plain(tables.environments))
            | published.publish(EXECUTIONS, plain(tables.execution_units))
            | published.publish(DEPLOYMENTS, plain(tables.deployment_units))
    }

    fn supervise<T>(&self, act: impl FnOnce(&Supervisor<'_>) -> T) -> T {
        let condition = |name: &str| self.condition(name);
        act(&Supervisor {
            registry: &self.registry,
            environments: &self.environments,
            condition: &condition,
        })
    }

    /// What shows that somebody else has changed something.
    pub fn stamps(&self, setup: &Setup) -> Vec<Option<Stamp>> {
        let watched = self.environments.iter().filter_map(|e| e.watched());
        let stamp = |path: String| Stamp::of(&setup.root.path(&path).ok()?).ok().flatten();
        watched.map(stamp).collect()
    }

    /// Whether units may run whose state is to be looked at.
    pub fn has_executions(&self) -> bool {
        let registry = lock(&self.registry);
        registry.units().iter().any(|u| !u.executions.is_empty())
    }
}

/// What an ExecutionEnvRef names, with or without the dot at its end.
pub fn target(model: &mut Model, reference: &str) -> Target {
    if reference.is_empty() {
        return Target::Any;
    }
    let path = format!("{}.", reference.trim_end_matches('.'));
    let is_row = path.starts_with(&format!("{OBJECT}ExecEnv."));
    match model.row_key(&path) {
        Ok(key) if is_row => Target::Named(key),
        _ => Target::Unknown(reference.chars().take(128).collect()),
    }
}

/// Accepts a ChangeDUState: its operations are on disk when this returns (TR-069 A.4.1.10).
///
/// # Errors
/// 9004 where too many wait already, 9002 where they cannot be kept.
pub fn change(
    registry: &Mutex<Registry>,
    model: &mut Model,
    operations: &[Operation],
    command_key: &str,
) -> Result<CpeResponse, Fault> {
    let target = |reference: &str| target(model, reference);
    let accepted = lock(registry).accept(operations, command_key, target);
    match accepted {
        Ok(()) => Ok(CpeResponse::ChangeDuState),
        Err(NotKept::Full) => Err(Fault::new(
            fault::RESOURCES_EXCEEDED,
            "too many operations wait already",
        )),
        Err(NotKept::Disk) => Err(Fault::new(
            fault::INTERNAL_ERROR,
            "the request cannot be stored",
        )),
    }
}

/// Looks rows up in the model, which was told of a new request.
pub fn lookup(model: &mut Model) -> impl FnMut(Table, &str) -> Option<String> + '_ {
    |table, key| {
        let table = match table {
            Table::DeploymentUnit => "DeploymentUnit.",
            Table::ExecutionUnit => "ExecutionUnit.",
        };
        let path = model.row_path(&format!("{OBJECT}{table}"), key)?;
        Some(path.trim_end_matches('.').to_owned())
    }
}

/// The paths of a unit's rows.
fn paths(world: &World, unit: &Unit) -> Paths {
    let mut model = world.model();
    model.begin();
    let lookup: &mut Lookup<'_> = &mut lookup(&mut model);
    let keys: Vec<String> = unit.executions.iter().map(|e| e.euid.clone()).collect();
    crate::transfer::software::registry::paths_of(&unit.key(), &keys, lookup)
}

/// Makes the events pending that the records call for; tells whether they are on disk.
pub fn sync_events(world: &World) -> bool {
    let registry = world.modules();
    world.owed().set_module_events(&registry.events())
}

/// The agent begins: after a boot units are started that are to be, with the next [`work`].
pub fn begin(world: &World, rebooted: bool) {
    *lock(&world.modules.begins) = Some(rebooted);
}

fn start_units(world: &World) -> bool {
    let Some(rebooted) = lock(&world.modules.begins).take() else {
        return false;
    };
    world.modules.environments.sweep();
    world.modules.supervise(|s| s.begin(rebooted));
    world.modules.publish()
}

/// Carries out what was set since the last time, on this thread. Tells whether anything was.
pub fn apply_written(world: &World) -> bool {
    let started = start_units(world);
    let written = world.runtime.published.take_written();
    for one in &written {
        let modules = &world.modules;
        let on = matches!(one.value.as_str(), "true" | "Active");
        let _one_at_a_time = lock(&world.acting);
        modules.supervise(|supervisor| match (one.table, one.field) {
            (ENVIRONMENTS, "enable") => supervisor.enable(&one.key, on),
            (EXECUTIONS, "auto_start") => supervisor.auto_start(&one.key, on),
            (EXECUTIONS, "requested") => supervisor.request(&one.key, on),
            _ => {}
        });
    }
    if !written.is_empty() {
        world.modules.publish();
    }
    started || !written.is_empty()
}

/// Everything that is due, on this thread: what was set, operations, and if `look` what others
/// have changed. `changed` is called when the model shows something else.
pub fn work(world: &World, device: Option<String>, look_too: bool, changed: &dyn Fn()) {
    if apply_written(world) {
        changed();
    }
    let has_work = world.modules().has_work();
    let folder = super::transfers::folder_for(world, FOLDER, has_work);
    let folder = match folder {
        Ok(folder) => folder,
        Err(e) => {
            log::error!("no folder for files of software modules: {e}");
            return;
        }
    };
    let agent = Agent {
        world,
        device,
        changed,
    };
    let operator = Operator {
        registry: &world.modules.registry,
        environments: &world.modules.environments,
        carrier: &agent,
        folder: &folder,
    };
    if look_too {
        let firmware =
            super::transfers::firmware(&world.setup.root, &world.identity().software_version);
        let wanted = |change: &Change| is_wanted(world, change);
        look::look(&operator, &world.state, &firmware, &wanted);
    }
    while operator.next() {}
    if let (true, Some(above)) = (has_work, folder.parent()) {
        // Where nothing else is on its way.
        let _ = std::fs::remove_dir(above);
    }
    world.modules.supervise(|supervisor| supervisor.look());
    if world.modules.publish() {
        changed();
    }
}

/// Whether the ACS wants to be told of a change that it has not asked for.
fn is_wanted(world: &World, change: &Change) -> bool {
    let operation = match change.performed {
        Performed::Install => policy::Operation::Install,
        Performed::Update => policy::Operation::Update,
        Performed::Uninstall => policy::Operation::Uninstall,
    };
    let policy = &world.settings().cpe.policies.software;
    policy.wanted(operation, change.ended.code)
}

/// A factory reset.
pub fn forget(world: &World) {
    world.modules().clear();
    look::forget(&world.state);
    world.runtime.published.forget();
    if let Err(e) = world.state.remove(WANTED) {
        log::warn!("what was set of software modules cannot be wiped: {e}");
    }
    world.modules.publish();
    sync_events(world);
}

/// Unix seconds; 0 while the clock is not set.
fn now() -> i64 {
    let now = clock::unix_seconds();
    if clock::was_set(now) { now } else { 0 }
}
