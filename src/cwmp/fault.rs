//! Fault codes of CPE and ACS (TR-069 A.5), their texts and what each version knows.

use super::version::CwmpVersion;
use std::fmt;

/// Method not supported: any RPC that is not offered.
pub const METHOD_NOT_SUPPORTED: u16 = 9000;
/// Request denied, no reason given.
pub const REQUEST_DENIED: u16 = 9001;
/// Internal error: a source is in trouble, something cannot be stored.
pub const INTERNAL_ERROR: u16 = 9002;
/// Invalid arguments; also the outer code of a SetParameterValues with bad parameters.
pub const INVALID_ARGUMENTS: u16 = 9003;
/// Resources exceeded; never inside a SetParameterValuesFault.
pub const RESOURCES_EXCEEDED: u16 = 9004;
/// Invalid parameter name: no such parameter, object or instance.
pub const INVALID_PARAMETER_NAME: u16 = 9005;
/// Invalid parameter type (SetParameterValues).
pub const INVALID_PARAMETER_TYPE: u16 = 9006;
/// Invalid parameter value (SetParameterValues).
pub const INVALID_PARAMETER_VALUE: u16 = 9007;
/// Attempt to set a parameter that is not writable (SetParameterValues).
pub const NOT_WRITABLE: u16 = 9008;
/// Notification request rejected (SetParameterAttributes).
pub const NOTIFICATION_REJECTED: u16 = 9009;
/// A download failed; in CWMP 1.0 the code of every reason.
pub const DOWNLOAD_FAILURE: u16 = 9010;
/// An upload failed; in CWMP 1.0 the code of every reason.
pub const UPLOAD_FAILURE: u16 = 9011;
/// The file server refused the credentials.
pub const TRANSFER_AUTHENTICATION: u16 = 9012;
/// The URL's scheme is not supported for transfers.
pub const TRANSFER_PROTOCOL: u16 = 9013;
/// ACS: method not supported.
pub const ACS_METHOD_NOT_SUPPORTED: u32 = 8000;
/// ACS: invalid arguments.
pub const ACS_INVALID_ARGUMENTS: u32 = 8003;
/// ACS: send the same request again.
pub const ACS_RETRY_REQUEST: u32 = 8005;
/// ACS: it cannot speak the version of the Inform (CWMP 1.4).
pub const ACS_VERSION_INCOMPATIBLE: u32 = 8006;

/// Which SOAP `faultcode` goes with a fault code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The sender of the request is at fault.
    Client,
    /// The receiver could not do it.
    Server,
}

impl Blame {
    /// `Client` or `Server`.
    pub fn text(self) -> &'static str {
        match self {
            Blame::Client => "Client",
            Blame::Server => "Server",
        }
    }
}

/// One row of the table of CPE fault codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRow {
    pub code: u16,
    /// The short text sent when the caller has none of its own.
    pub text: &'static str,
    pub blame: Blame,
    /// The first CWMP version that has the code.
    pub since: CwmpVersion,
}

const fn row(code: u16, blame: Blame, since: CwmpVersion, text: &'static str) -> FaultRow {
    FaultRow {
        code,
        text,
        blame,
        since,
    }
}

use Blame::{Client, Server};
use CwmpVersion::{V1_0, V1_1, V1_2};

/// Every CPE fault code that CWMP 1.0 to 1.4 define.
pub const CPE_FAULTS: [FaultRow; 33] = [
    row(9000, Server, V1_0, "Method not supported"),
    row(9001, Server, V1_0, "Request denied"),
    row(9002, Server, V1_0, "Internal error"),
    row(9003, Client, V1_0, "Invalid arguments"),
    row(9004, Server, V1_0, "Resources exceeded"),
    row(9005, Client, V1_0, "Invalid parameter name"),
    row(9006, Client, V1_0, "Invalid parameter type"),
    row(9007, Client, V1_0, "Invalid parameter value"),
    row(9008, Client, V1_0, "Parameter is not writable"),
    row(9009, Server, V1_0, "Notification request rejected"),
    row(9010, Server, V1_0, "File transfer failure"),
    row(9011, Server, V1_0, "Upload failure"),
    row(9012, Server, V1_0, "File server authentication failure"),
    row(9013, Server, V1_0, "Unsupported protocol for file transfer"),
    row(
        9014,
        Server,
        V1_1,
        "File transfer failure: cannot join multicast group",
    ),
    row(
        9015,
        Server,
        V1_1,
        "File transfer failure: cannot contact file server",
    ),
    row(
        9016,
        Server,
        V1_1,
        "File transfer failure: cannot access file",
    ),
    row(
        9017,
        Server,
        V1_1,
        "File transfer failure: download not completed",
    ),
    row(9018, Server, V1_1, "File transfer failure: file corrupted"),
    row(
        9019,
        Server,
        V1_1,
        "File transfer failure: file authentication failed",
    ),
    row(
        9020,
        Server,
        V1_2,
        "File transfer failure: not completed within the time windows",
    ),
    row(
        9021,
        Client,
        V1_2,
        "Transfer cannot be cancelled in its current state",
    ),
    row(9022, Server, V1_2, "Invalid UUID format"),
    row(9023, Server, V1_2, "Unknown execution environment"),
    row(9024, Server, V1_2, "Disabled execution environment"),
    row(
        9025,
        Server,
        V1_2,
        "Deployment unit does not fit the execution environment",
    ),
    row(9026, Server, V1_2, "Duplicate deployment unit"),
    row(9027, Server, V1_2, "System resources exceeded"),
    row(9028, Server, V1_2, "Unknown deployment unit"),
    row(9029, Server, V1_2, "Invalid deployment unit state"),
    row(
        9030,
        Server,
        V1_2,
        "Invalid update: downgrade not permitted",
    ),
    row(9031, Server, V1_2, "Invalid update: version not specified"),
    row(9032, Server, V1_2, "Invalid update: version already exists"),
];

/// The row of a CPE fault code; vendor codes (9800 to 9899) and unknown ones have none.
pub fn row_of(code: u16) -> Option<&'static FaultRow> {
    CPE_FAULTS.iter().find(|r| r.code == code)
}

/// The code to send for `code` in a session of `version`, so that an old ACS knows it.
///
/// Before 1.1: 9014 to 9019 become 9010 (download failure), or 9011 when `upload`.
/// Before 1.2: 9020 likewise, 9021 becomes 9001, 9022 to 9032 become 9002. A code that
/// no version defines and no vendor owns becomes 9002. Vendor codes stay.
pub fn for_version(code: u16, version: CwmpVersion, upload: bool) -> u16 {
    if (9800..=9899).contains(&code) {
        return code;
    }
    match row_of(code) {
        None => INTERNAL_ERROR,
        Some(r) if r.since <= version => code,
        Some(r) => match r.code {
            9014..=9020 if upload => UPLOAD_FAILURE,
            9014..=9020 => DOWNLOAD_FAILURE,
            9021 => REQUEST_DENIED,
            _ => INTERNAL_ERROR,
        },
    }
}

/// A fault that the CPE answers an ACS request with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// 9000 to 9899.
    pub code: u16,
    /// `FaultString`: for people; empty = the table's text.
    pub text: String,
    /// Faults of single parameters: only with 9003 and only for SetParameterValues.
    pub parameters: Vec<ParameterFault>,
}

/// One `SetParameterValuesFault`: what is wrong with one parameter of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFault {
    pub name: String,
    /// 9001, 9002 or 9005 to 9008; never 9004.
    pub code: u16,
    pub text: String,
}

impl Fault {
    /// A fault with a text of its own.
    pub fn new(code: u16, text: impl Into<String>) -> Fault {
        Fault {
            code,
            text: text.into(),
            parameters: Vec::new(),
        }
    }

    /// 9003 for a SetParameterValues whose parameters are at fault.
    pub fn set_parameter_values(parameters: Vec<ParameterFault>) -> Fault {
        Fault {
            code: INVALID_ARGUMENTS,
            text: String::new(),
            parameters,
        }
    }

    /// 9003 with a text.
    pub fn invalid_arguments(text: impl Into<String>) -> Fault {
        Fault::new(INVALID_ARGUMENTS, text)
    }

    /// 9000 naming the method.
    pub fn method_not_supported(method: &str) -> Fault {
        Fault::new(
            METHOD_NOT_SUPPORTED,
            format!("Method not supported: {method}"),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.text.is_empty() {
            row_of(self.code).map_or("", |r| r.text)
        } else {
            &self.text
        };
        write!(f, "fault {} {}", self.code, text)?;
        for p in &self.parameters {
            write!(f, "; {}: {} {}", p.name, p.code, p.text)?;
        }
        Ok(())
    }
}

/// A fault that the ACS answered a CPE request with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcsFault {
    /// `cwmp:FaultCode`; 0 when the fault carries none.
    pub code: u32,
    /// `cwmp:FaultString`, or SOAP's `faultstring`.
    pub text: String,
}

impl AcsFault {
    /// 8005: the same request is to be sent again in this session.
    pub fn asks_again(&self) -> bool {
        self.code == ACS_RETRY_REQUEST
    }
}

impl fmt::Display for AcsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ACS fault {} {}", self.code, self.text)
    }
}
