//! Software modules: deployment units that are installed, updated and taken away for the ACS
//! (ChangeDUState, TR-069 A.4.1.10; Device.SoftwareModules), and their execution units.
//!
//! [`Registry`] is what survives a power cut, [`Environments`] are the places where software
//! is installed (the system's package manager, folders of their own, vendors' programs), and
//! [`Operator`] carries one operation after the other out. How a file comes here and what
//! time it is, is told from outside ([`Carrier`], arguments).
//!
//! What this room must never do: run anything but argv, take a name from a file for a path
//! or an option without having checked it, or tell the ACS what it has not looked at.

pub mod environment;
pub mod executions;
pub mod look;
pub mod operate;
pub mod record;
pub mod registry;
pub mod rows;
pub mod uuid;
pub mod version;

pub use environment::{Definition, Environments, Kind};
pub use operate::{Carrier, Operator};
pub use record::Unit;
pub use registry::Registry;

use crate::cwmp::message::TransferFault;
use std::fmt;

/// Why an operation failed, in the codes of DUStateChangeComplete (TR-069 A.5.1): 9001, 9003,
/// 9012, 9013, 9015 to 9018, 9022 to 9032.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: u16,
    /// What is wrong; never a password or a URL's query.
    pub text: String,
    /// The unit that was to be updated or taken away is not there any more.
    pub gone: bool,
    /// The unit that was to be taken away is as it was.
    pub whole: bool,
    /// What the file said of itself, of a unit that has no row.
    pub version: Option<String>,
    pub uuid: Option<String>,
}

/// A failure with nothing known beside it.
pub fn failure(code: u16, text: &str) -> Failure {
    Failure {
        code,
        text: text.to_owned(),
        gone: false,
        whole: false,
        version: None,
        uuid: None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl From<TransferFault> for Failure {
    /// Of the codes of a transfer, those of no operation become the nearest that is.
    fn from(fault: TransferFault) -> Failure {
        let code = match fault.code {
            9012 | 9013 | 9015..=9018 => fault.code,
            // A signature that does not hold.
            9019 => 9018,
            // No room, too large, the disk.
            9004 | 9010 => 9027,
            _ => 9001,
        };
        failure(code, &fault.text)
    }
}
