//! What stands in the place of software modules in a program that was built without them (the
//! cargo feature `software-modules`): nothing is installed, listed, or told. ChangeDUState is
//! not among the methods, and Device.SoftwareModules not in the data model.

use super::setup::Setup;
use super::world::World;
use crate::cwmp::fault::Fault;
use crate::cwmp::message::{CpeResponse, Method, Operation};
use crate::model::Model;
use crate::source::Runtime;
use crate::store::state::StateDir;
use crate::transfer::progress::Stop;
use crate::uci::file::Stamp;
use std::sync::{Arc, Mutex};

/// What the agent's threads share of software modules: nothing.
#[derive(Default)]
pub struct Modules {
    pub registry: Mutex<Registry>,
    pub stop: Arc<Stop>,
}

/// A register without units and operations.
#[derive(Debug, Default)]
pub struct Registry;

impl Registry {
    /// No file is read.
    pub fn load(_: &StateDir) -> Registry {
        Registry
    }

    /// Nothing is to be done.
    pub fn has_work(&self) -> bool {
        false
    }

    /// No request is known.
    pub fn requests(&self) -> Vec<(String, usize, usize)> {
        Vec::new()
    }

    /// Nothing waits for 0 BOOTSTRAP.
    pub fn bootstrap_discards(&mut self) {}

    /// Nothing waits for the end of a session.
    pub fn session_ended(&mut self) {}

    /// Nothing is kept on disk.
    pub fn keep(&mut self) -> bool {
        true
    }
}

impl Modules {
    /// No file is read.
    pub fn load(_: &Setup, _: &StateDir, _: &Runtime) -> Modules {
        Modules::default()
    }

    /// Nothing is watched.
    pub fn stamps(&self, _: &Setup) -> Vec<Option<Stamp>> {
        Vec::new()
    }

    /// No unit runs.
    pub fn has_executions(&self) -> bool {
        false
    }
}

/// Not reached: the session machine knows the method as one that is not offered.
///
/// # Errors
/// Always 9000.
pub fn change(
    _: &Mutex<Registry>,
    _: &mut Model,
    _: &[Operation],
    _command_key: &str,
) -> Result<CpeResponse, Fault> {
    Err(Fault::method_not_supported(Method::ChangeDuState.name()))
}

/// Drops the events of what a program with software modules may have left.
pub fn sync_events(world: &World) -> bool {
    world.owed().set_module_events(&[])
}

/// Nothing begins.
pub fn begin(_: &World, _rebooted: bool) {}

/// Nothing was set.
pub fn apply_written(_: &World) -> bool {
    false
}

/// Nothing is due.
pub fn work(_: &World, _device: Option<String>, _look_too: bool, _changed: &dyn Fn()) {}

/// Nothing is kept.
pub fn forget(world: &World) {
    sync_events(world);
}

/// What a session tells the ACS of software modules: nothing.
pub mod tell {
    use super::Registry;
    use crate::agent::world::World;
    use crate::cwmp::message::CpeRequest;
    use crate::cwmp::session::Outcome;

    /// No request.
    #[derive(Debug, Default)]
    pub struct Telling(());

    impl Telling {
        /// None.
        pub fn new(_: &Registry) -> Telling {
            Telling(())
        }

        /// None.
        pub fn required(&mut self, _: &World) -> Option<CpeRequest> {
            None
        }

        /// None.
        pub fn optional(&mut self, _: &World, _url: &str) -> Option<CpeRequest> {
            None
        }

        /// Nothing.
        pub fn owes_optional(&self) -> bool {
            false
        }

        /// No request of this kind is sent.
        pub fn done(&mut self, _: &World, _: &CpeRequest, _: &Outcome) {}
    }
}
