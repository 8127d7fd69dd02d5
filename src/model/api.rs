//! What crosses the border of the model: requests, answers, faults and limits.

use super::value::ValueType;
use std::fmt;

/// Request denied.
pub const REQUEST_DENIED: u16 = 9001;
/// Internal error: a source is in trouble.
pub const INTERNAL_ERROR: u16 = 9002;
/// Invalid arguments.
pub const INVALID_ARGUMENTS: u16 = 9003;
/// Resources exceeded.
pub const RESOURCES_EXCEEDED: u16 = 9004;
/// Invalid parameter name.
pub const INVALID_NAME: u16 = 9005;
/// Invalid parameter type (SetParameterValues only).
pub const INVALID_TYPE: u16 = 9006;
/// Invalid parameter value (SetParameterValues only).
pub const INVALID_VALUE: u16 = 9007;
/// Attempt to set a non-writable parameter (SetParameterValues only).
pub const NOT_WRITABLE: u16 = 9008;
/// Notification request rejected.
pub const NOTIFICATION_REJECTED: u16 = 9009;

/// A CWMP fault of a whole request (TR-069 A.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// 9001 to 9009.
    pub code: u16,
    /// What is wrong and what to do instead; never holds a secret.
    pub text: String,
}

impl Fault {
    /// A fault of this code with this text.
    pub fn new(code: u16, text: impl Into<String>) -> Fault {
        Fault {
            code,
            text: text.into(),
        }
    }

    /// The same fault, naming the path it is about.
    pub(super) fn about(self, path: &str) -> Fault {
        // What is no path may be anything, of any length.
        let shown: String = match path.chars().any(char::is_control) || path.len() > 256 {
            true => format!("{:?}", path.chars().take(64).collect::<String>()),
            false => path.to_owned(),
        };
        Fault::new(self.code, format!("{shown}: {}", self.text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl std::error::Error for Fault {}

/// What is wrong with one parameter of SetParameterValues (SetParameterValuesFault).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFault {
    /// The name as it was sent.
    pub path: String,
    /// 9001, 9002, 9005, 9006, 9007 or 9008.
    pub code: u16,
    pub text: String,
}

impl fmt::Display for ParameterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.path, self.code, self.text)
    }
}

/// Why a SetParameterValues changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// The request as a whole is wrong or cannot be served: this fault alone.
    Whole(Fault),
    /// Outer fault 9003 with one entry for each bad parameter, in the order sent.
    Parameters(Vec<ParameterFault>),
}

impl From<Fault> for SetError {
    fn from(fault: Fault) -> SetError {
        SetError::Whole(fault)
    }
}

/// One parameter to be set.
#[derive(Debug, Clone, Copy)]
pub struct SetItem<'a> {
    /// A full parameter path.
    pub path: &'a str,
    /// The local name of `xsi:type` (`unsignedInt`) as it was sent; `None` where none was
    /// sent, which is accepted (SPV-008).
    pub ty: Option<&'a str>,
    /// The text as it was sent.
    pub value: &'a str,
}

/// What a successful change did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetOutcome {
    /// Full paths of the parameters whose values changed; empty when every value was
    /// already in force.
    pub changed: Vec<String>,
    /// Packages to reload once after the session, sorted, each once.
    pub reload: Vec<String>,
}

/// A parameter and its value in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub ty: ValueType,
    pub value: String,
}

/// As [`Entry`], borrowed: what the streaming reader hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The path of the object, with a dot at the end.
    pub object: &'a str,
    /// The last part of the parameter's path.
    pub name: &'a str,
    pub ty: ValueType,
    pub value: &'a str,
}

/// One line of GetParameterNames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameEntry {
    /// Objects end in a dot.
    pub path: String,
    /// Parameter: SetParameterValues allowed; table: AddObject; row: DeleteObject.
    pub writable: bool,
}

/// One SetParameterAttributesStruct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeItem {
    /// A parameter or a partial path.
    pub path: String,
    /// The new level; `None` when NotificationChange is false.
    pub notification: Option<i64>,
    /// The new access list; `None` when AccessListChange is false.
    pub access: Option<Vec<String>>,
}

/// One ParameterAttributeStruct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeEntry {
    pub path: String,
    /// 0 off, 1 passive, 2 active.
    pub notification: u8,
    /// Who but the ACS may write: `Subscriber` or nobody.
    pub access: Vec<String>,
}

/// A parameter whose changes are to be reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub path: String,
    /// 1 passive, 2 active.
    pub level: u8,
}

/// A parameter whose changes are to be reported, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedValue {
    pub path: String,
    /// 1 passive, 2 active.
    pub level: u8,
    /// It changes by itself all the time (a counter, an up time).
    pub volatile: bool,
    /// `None`: its source is in trouble.
    pub value: Option<String>,
}

/// Bounds of the model; a request past one of them ends in 9004.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Parameters in one SetParameterValues or paths in one other request (4096).
    pub items: usize,
    /// Rows of one table (10 000); further rows of a source are left out.
    pub rows: usize,
    /// Parameters with stored attributes (4096).
    pub attributes: usize,
    /// Bytes of one value (65 536).
    pub value_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            items: 4096,
            rows: 10_000,
            attributes: 4096,
            value_bytes: 65_536,
        }
    }
}
