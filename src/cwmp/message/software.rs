//! Software modules: ChangeDUState and what becomes of it (TR-069 A.4.1.10, CWMP 1.2).

use crate::cwmp::datetime::DateTime;
use std::fmt;

/// One operation of ChangeDUState. Debug output leaves credentials and URLs out.
#[derive(Clone, PartialEq, Eq)]
pub enum Operation {
    Install {
        url: String,
        /// Empty = not given; here and below.
        uuid: String,
        username: String,
        password: String,
        execution_env: String,
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
        execution_env: String,
    },
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, uuid) = match self {
            Operation::Install { uuid, .. } => ("Install", uuid),
            Operation::Update { uuid, .. } => ("Update", uuid),
            Operation::Uninstall { uuid, .. } => ("Uninstall", uuid),
        };
        f.debug_struct(name)
            .field("uuid", uuid)
            .finish_non_exhaustive()
    }
}

/// State of a deployment unit after an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    Installed,
    Uninstalled,
    Failed,
}

impl UnitState {
    /// The word in `CurrentState`.
    pub fn name(self) -> &'static str {
        match self {
            UnitState::Installed => "Installed",
            UnitState::Uninstalled => "Uninstalled",
            UnitState::Failed => "Failed",
        }
    }
}

/// What was done without the ACS asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationPerformed {
    Install,
    Update,
    Uninstall,
}

impl OperationPerformed {
    /// The word in `OperationPerformed`.
    pub fn name(self) -> &'static str {
        match self {
            OperationPerformed::Install => "Install",
            OperationPerformed::Update => "Update",
            OperationPerformed::Uninstall => "Uninstall",
        }
    }
}

/// How one operation ended: code 0 is success, else 9001, 9003, 9012, 9013, 9015 to
/// 9018, 9022 to 9032 or a vendor code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFault {
    pub code: u16,
    pub text: String,
}

/// One result of DUStateChangeComplete or AutonomousDUStateChangeComplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationResult {
    pub uuid: String,
    /// Path of the DeploymentUnit row, "" if there is none.
    pub deployment_unit: String,
    pub version: String,
    pub state: UnitState,
    pub resolved: bool,
    /// Comma-separated paths of ExecutionUnit rows.
    pub execution_units: String,
    pub start: DateTime,
    pub complete: DateTime,
    pub fault: OperationFault,
}
