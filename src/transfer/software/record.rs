//! What is known of software modules, and what the ACS asked to be done with them: plain
//! data, as the state file holds it. Passwords are in it: no `Debug` shows them.

use crate::cwmp::message::{Operation, OperationPerformed, UnitState};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything that the state file holds.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    pub units: Vec<Unit>,
    pub requests: Vec<Request>,
    /// What was done without the ACS and is not told yet.
    pub changes: Vec<Change>,
    /// The number of the next unit or request.
    pub next: u32,
}

/// `Status` of a deployment unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Installing,
    Installed,
    Updating,
    Uninstalling,
}

impl Status {
    /// TR-181's word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Installing => "Installing",
            Status::Installed => "Installed",
            Status::Updating => "Updating",
            Status::Uninstalling => "Uninstalling",
        }
    }
}

/// A deployment unit (Device.SoftwareModules.DeploymentUnit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Names the row, and stays while versions change.
    pub id: u32,
    pub uuid: String,
    pub environment: String,
    /// What the environment calls it (DUID).
    pub duid: String,
    pub name: String,
    pub vendor: String,
    pub version: String,
    pub description: String,
    /// As the ACS gave it; empty where a person installed the unit.
    pub url: String,
    pub status: Status,
    pub resolved: bool,
    /// Unix seconds; 0: not known.
    pub installed: i64,
    pub updated: i64,
    pub executions: Vec<Execution>,
}

impl Unit {
    /// The key of its row.
    pub fn key(&self) -> String {
        format!("unit-{}", self.id)
    }
}

/// `ExecutionFaultCode` of an execution unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionFault {
    #[default]
    NoFault,
    FailureOnStart,
    FailureOnAutoStart,
    FailureOnStop,
    FailureWhileActive,
}

impl ExecutionFault {
    /// TR-181's word.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionFault::NoFault => "NoFault",
            ExecutionFault::FailureOnStart => "FailureOnStart",
            ExecutionFault::FailureOnAutoStart => "FailureOnAutoStart",
            ExecutionFault::FailureOnStop => "FailureOnStop",
            ExecutionFault::FailureWhileActive => "FailureWhileActive",
        }
    }
}

/// An execution unit (Device.SoftwareModules.ExecutionUnit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Names the row; unique on the box.
    pub euid: String,
    /// Within its deployment unit.
    pub name: String,
    pub running: bool,
    /// What was asked for last.
    pub requested: bool,
    pub auto_start: bool,
    pub fault: ExecutionFault,
    pub message: String,
}

/// A ChangeDUState that the ACS has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: u32,
    pub command_key: String,
    /// The session that sent it has ended: it may be carried out.
    pub free: bool,
    pub steps: Vec<Step>,
    /// In how many sessions the ACS has refused to be told of its end.
    #[serde(default)]
    pub refusals: u8,
}

/// Which environment an operation names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// None.
    #[default]
    Any,
    /// The one of this name.
    Named(String),
    /// What was sent names none (fault 9023).
    Unknown(String),
}

/// What one operation asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    Install {
        url: String,
        uuid: String,
        username: String,
        password: String,
        target: Target,
    },
    Update {
        uuid: String,
        version: String,
        url: String,
        username: String,
        password: String,
    },
    Uninstall {
        uuid: String,
        version: String,
        target: Target,
    },
}

impl Wish {
    /// What the ACS has sent; `target` tells what an ExecutionEnvRef names.
    pub fn of(operation: &Operation, target: &mut dyn FnMut(&str) -> Target) -> Wish {
        match operation.clone() {
            Operation::Install {
                url,
                uuid,
                username,
                password,
                execution_env,
            } => Wish::Install {
                target: target(&execution_env),
                url,
                uuid,
                username,
                password,
            },
            Operation::Update {
                uuid,
                version,
                url,
                username,
                password,
            } => Wish::Update {
                uuid,
                version,
                url,
                username,
                password,
            },
            Operation::Uninstall {
                uuid,
                version,
                execution_env,
            } => Wish::Uninstall {
                uuid,
                version,
                target: target(&execution_env),
            },
        }
    }

    /// The UUID it names; empty: none.
    pub fn uuid(&self) -> &str {
        match self {
            Wish::Install { uuid, .. }
            | Wish::Update { uuid, .. }
            | Wish::Uninstall { uuid, .. } => uuid,
        }
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Wish::Install { .. } => "Install",
            Wish::Update { .. } => "Update",
            Wish::Uninstall { .. } => "Uninstall",
        };
        write!(f, "{name}({})", self.uuid())
    }
}

/// One operation and how far it has come.
///
/// ```text
/// [waiting] --begin--> [running] --intend--> [running, intent] --finish--> [ended]
///     ^                    |                        |
///     +---- power cut -----+------------------------+  (at most three times)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub wish: Wish,
    /// The one unit that it is about, once that is known: its number.
    pub unit: Option<u32>,
    pub running: bool,
    pub tries: u32,
    /// Unix seconds when it began first; 0: not yet.
    pub started: i64,
    /// What is to be installed when it succeeds: by it an interrupted one is known to be
    /// done, or not.
    pub intent: Option<Intent>,
    /// Looked up while the rows are there.
    pub paths: Option<Paths>,
    pub ended: Option<Ended>,
}

impl Step {
    /// An operation that waits.
    pub fn new(wish: Wish) -> Step {
        Step {
            wish,
            unit: None,
            running: false,
            tries: 0,
            started: 0,
            intent: None,
            paths: None,
            ended: None,
        }
    }
}

/// What an operation is about to put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub duid: String,
    pub name: String,
    pub vendor: String,
    pub version: String,
    pub description: String,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub uuid: String,
    pub version: String,
    pub state: State,
    pub resolved: bool,
    pub complete: i64,
    /// 0: no fault.
    pub code: u16,
    pub text: String,
    /// The key of the deployment unit's row, and those of its execution units.
    pub unit: String,
    pub executions: Vec<String>,
}

/// The paths of the rows that a result names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    pub unit: String,
    /// With commas between.
    pub executions: String,
}

/// `CurrentState` of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Installed,
    Uninstalled,
    Failed,
}

impl State {
    /// As the protocol has it.
    pub fn wire(self) -> UnitState {
        match self {
            State::Installed => UnitState::Installed,
            State::Uninstalled => UnitState::Uninstalled,
            State::Failed => UnitState::Failed,
        }
    }
}

/// Something that was done without the ACS, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub performed: Performed,
    pub started: i64,
    pub paths: Option<Paths>,
    pub ended: Ended,
    /// In how many sessions the ACS has refused to be told of it.
    #[serde(default)]
    pub refusals: u8,
}

/// `OperationPerformed` of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Performed {
    Install,
    Update,
    Uninstall,
}

impl Performed {
    /// As the protocol has it.
    pub fn wire(self) -> OperationPerformed {
        match self {
            Performed::Install => OperationPerformed::Install,
            Performed::Update => OperationPerformed::Update,
            Performed::Uninstall => OperationPerformed::Uninstall,
        }
    }
}
