//! Every RPC of CWMP 1.0 to 1.4 as a type (TR-069 Annex A).
//!
//! Four kinds of message: what an ACS asks ([`AcsRequest`]), what a CPE answers
//! ([`CpeResponse`] or a [`Fault`](super::fault::Fault)), what a CPE asks
//! ([`CpeRequest`]) and what an ACS answers ([`AcsResponse`] or an
//! [`AcsFault`](super::fault::AcsFault)). How they look on the wire is the business of
//! [`soap`](super::soap).

mod inform;
mod parameters;
mod software;
mod transfer;

pub use inform::{DeviceId, Event, Inform};
pub use parameters::{
    AttributeChange, ParameterAttributes, ParameterInfo, ParameterValue, SetValue, ValueType,
    XsdType,
};
pub use software::{Operation, OperationFault, OperationPerformed, OperationResult, UnitState};
pub use transfer::{
    AutonomousTransferComplete, Download, QueuedTransfer, RequestDownload, ScheduleDownload,
    TimeWindow, TransferComplete, TransferFault, TransferState, TransferStatus, Upload,
};

use super::version::CwmpVersion;

/// Every method that an ACS may call on a CPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    GetRpcMethods,
    SetParameterValues,
    GetParameterValues,
    GetParameterNames,
    SetParameterAttributes,
    GetParameterAttributes,
    AddObject,
    DeleteObject,
    Reboot,
    Download,
    Upload,
    FactoryReset,
    ScheduleInform,
    GetQueuedTransfers,
    GetAllQueuedTransfers,
    ScheduleDownload,
    CancelTransfer,
    ChangeDuState,
    /// Deprecated; never offered.
    SetVouchers,
    /// Deprecated; never offered.
    GetOptions,
}

impl Method {
    /// All methods, the mandatory ten first.
    pub const ALL: [Method; 20] = [
        Method::GetRpcMethods,
        Method::SetParameterValues,
        Method::GetParameterValues,
        Method::GetParameterNames,
        Method::SetParameterAttributes,
        Method::GetParameterAttributes,
        Method::AddObject,
        Method::DeleteObject,
        Method::Reboot,
        Method::Download,
        Method::Upload,
        Method::FactoryReset,
        Method::ScheduleInform,
        Method::GetQueuedTransfers,
        Method::GetAllQueuedTransfers,
        Method::ScheduleDownload,
        Method::CancelTransfer,
        Method::ChangeDuState,
        Method::SetVouchers,
        Method::GetOptions,
    ];

    /// The element name of the request: `GetRPCMethods`.
    pub fn name(self) -> &'static str {
        match self {
            Method::GetRpcMethods => "GetRPCMethods",
            Method::SetParameterValues => "SetParameterValues",
            Method::GetParameterValues => "GetParameterValues",
            Method::GetParameterNames => "GetParameterNames",
            Method::SetParameterAttributes => "SetParameterAttributes",
            Method::GetParameterAttributes => "GetParameterAttributes",
            Method::AddObject => "AddObject",
            Method::DeleteObject => "DeleteObject",
            Method::Reboot => "Reboot",
            Method::Download => "Download",
            Method::Upload => "Upload",
            Method::FactoryReset => "FactoryReset",
            Method::ScheduleInform => "ScheduleInform",
            Method::GetQueuedTransfers => "GetQueuedTransfers",
            Method::GetAllQueuedTransfers => "GetAllQueuedTransfers",
            Method::ScheduleDownload => "ScheduleDownload",
            Method::CancelTransfer => "CancelTransfer",
            Method::ChangeDuState => "ChangeDUState",
            Method::SetVouchers => "SetVouchers",
            Method::GetOptions => "GetOptions",
        }
    }

    /// The first CWMP version that has the method.
    pub fn since(self) -> CwmpVersion {
        match self {
            Method::GetAllQueuedTransfers => CwmpVersion::V1_1,
            Method::ScheduleDownload | Method::CancelTransfer | Method::ChangeDuState => {
                CwmpVersion::V1_2
            }
            _ => CwmpVersion::V1_0,
        }
    }

    /// The method of that name; names are case-sensitive.
    pub fn of_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// What an ACS asks a CPE. Arguments are checked against the sizes of the CWMP
/// schemas before a value of this type exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsRequest {
    GetRpcMethods,
    SetParameterValues {
        list: Vec<SetValue>,
        parameter_key: String,
    },
    /// The names, full or partial paths; "" is the whole model.
    GetParameterValues(Vec<String>),
    GetParameterNames {
        path: String,
        next_level: bool,
    },
    SetParameterAttributes(Vec<AttributeChange>),
    GetParameterAttributes(Vec<String>),
    AddObject {
        object: String,
        parameter_key: String,
    },
    DeleteObject {
        object: String,
        parameter_key: String,
    },
    Reboot {
        command_key: String,
    },
    Download(Download),
    Upload(Upload),
    FactoryReset,
    ScheduleInform {
        delay_seconds: u32,
        command_key: String,
    },
    GetQueuedTransfers,
    GetAllQueuedTransfers,
    ScheduleDownload(ScheduleDownload),
    CancelTransfer {
        command_key: String,
    },
    ChangeDuState {
        operations: Vec<Operation>,
        command_key: String,
    },
    /// Deprecated, arguments not read.
    SetVouchers,
    /// Deprecated, arguments not read.
    GetOptions,
    /// A method that this CPE does not know, by its element name.
    Unknown(String),
}

impl AcsRequest {
    /// The method, if it is one that CWMP defines.
    pub fn method(&self) -> Option<Method> {
        Some(match self {
            AcsRequest::GetRpcMethods => Method::GetRpcMethods,
            AcsRequest::SetParameterValues { .. } => Method::SetParameterValues,
            AcsRequest::GetParameterValues(_) => Method::GetParameterValues,
            AcsRequest::GetParameterNames { .. } => Method::GetParameterNames,
            AcsRequest::SetParameterAttributes(_) => Method::SetParameterAttributes,
            AcsRequest::GetParameterAttributes(_) => Method::GetParameterAttributes,
            AcsRequest::AddObject { .. } => Method::AddObject,
            AcsRequest::DeleteObject { .. } => Method::DeleteObject,
            AcsRequest::Reboot { .. } => Method::Reboot,
            AcsRequest::Download(_) => Method::Download,
            AcsRequest::Upload(_) => Method::Upload,
            AcsRequest::FactoryReset => Method::FactoryReset,
            AcsRequest::ScheduleInform { .. } => Method::ScheduleInform,
            AcsRequest::GetQueuedTransfers => Method::GetQueuedTransfers,
            AcsRequest::GetAllQueuedTransfers => Method::GetAllQueuedTransfers,
            AcsRequest::ScheduleDownload(_) => Method::ScheduleDownload,
            AcsRequest::CancelTransfer { .. } => Method::CancelTransfer,
            AcsRequest::ChangeDuState { .. } => Method::ChangeDuState,
            AcsRequest::SetVouchers => Method::SetVouchers,
            AcsRequest::GetOptions => Method::GetOptions,
            AcsRequest::Unknown(_) => return None,
        })
    }

    /// The element name of the request.
    pub fn name(&self) -> &str {
        match self {
            AcsRequest::Unknown(name) => name,
            known => known.method().map_or("", Method::name),
        }
    }
}

/// Whether a change is in effect already (`Status` of SetParameterValuesResponse,
/// AddObjectResponse and DeleteObjectResponse).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyStatus {
    /// 0: checked and applied.
    Applied,
    /// 1: checked and kept, not in effect yet.
    Committed,
}

/// What a CPE answers an ACS request with, other than a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpeResponse {
    /// The names of the methods offered; at least one.
    GetRpcMethods(Vec<String>),
    SetParameterValues(ApplyStatus),
    /// For few values; many are better pushed into a
    /// [`ValuesWriter`](super::soap::ValuesWriter).
    GetParameterValues(Vec<ParameterValue>),
    GetParameterNames(Vec<ParameterInfo>),
    SetParameterAttributes,
    GetParameterAttributes(Vec<ParameterAttributes>),
    AddObject {
        instance: u32,
        status: ApplyStatus,
    },
    DeleteObject(ApplyStatus),
    Reboot,
    Download(TransferStatus),
    Upload(TransferStatus),
    FactoryReset,
    ScheduleInform,
    /// At most 16 are sent.
    GetQueuedTransfers(Vec<QueuedTransfer>),
    /// At most 16 are sent.
    GetAllQueuedTransfers(Vec<QueuedTransfer>),
    ScheduleDownload,
    CancelTransfer,
    ChangeDuState,
}

impl CpeResponse {
    /// The method answered.
    pub fn method(&self) -> Method {
        match self {
            CpeResponse::GetRpcMethods(_) => Method::GetRpcMethods,
            CpeResponse::SetParameterValues(_) => Method::SetParameterValues,
            CpeResponse::GetParameterValues(_) => Method::GetParameterValues,
            CpeResponse::GetParameterNames(_) => Method::GetParameterNames,
            CpeResponse::SetParameterAttributes => Method::SetParameterAttributes,
            CpeResponse::GetParameterAttributes(_) => Method::GetParameterAttributes,
            CpeResponse::AddObject { .. } => Method::AddObject,
            CpeResponse::DeleteObject(_) => Method::DeleteObject,
            CpeResponse::Reboot => Method::Reboot,
            CpeResponse::Download(_) => Method::Download,
            CpeResponse::Upload(_) => Method::Upload,
            CpeResponse::FactoryReset => Method::FactoryReset,
            CpeResponse::ScheduleInform => Method::ScheduleInform,
            CpeResponse::GetQueuedTransfers(_) => Method::GetQueuedTransfers,
            CpeResponse::GetAllQueuedTransfers(_) => Method::GetAllQueuedTransfers,
            CpeResponse::ScheduleDownload => Method::ScheduleDownload,
            CpeResponse::CancelTransfer => Method::CancelTransfer,
            CpeResponse::ChangeDuState => Method::ChangeDuState,
        }
    }
}

/// What a CPE asks an ACS, other than Inform, which only [`session`](super::session)
/// sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpeRequest {
    GetRpcMethods,
    TransferComplete(TransferComplete),
    AutonomousTransferComplete(AutonomousTransferComplete),
    DuStateChangeComplete {
        results: Vec<OperationResult>,
        command_key: String,
    },
    AutonomousDuStateChangeComplete(Vec<(OperationPerformed, OperationResult)>),
    RequestDownload(RequestDownload),
    /// Deprecated.
    Kicked {
        command: String,
        referer: String,
        arg: String,
        next: String,
    },
}

impl CpeRequest {
    /// The element name of the request, as the ACS lists it in GetRPCMethodsResponse.
    pub fn name(&self) -> &'static str {
        match self {
            CpeRequest::GetRpcMethods => "GetRPCMethods",
            CpeRequest::TransferComplete(_) => "TransferComplete",
            CpeRequest::AutonomousTransferComplete(_) => "AutonomousTransferComplete",
            CpeRequest::DuStateChangeComplete { .. } => "DUStateChangeComplete",
            CpeRequest::AutonomousDuStateChangeComplete(_) => "AutonomousDUStateChangeComplete",
            CpeRequest::RequestDownload(_) => "RequestDownload",
            CpeRequest::Kicked { .. } => "Kicked",
        }
    }

    /// The first CWMP version that has the request.
    pub fn since(&self) -> CwmpVersion {
        match self {
            CpeRequest::GetRpcMethods
            | CpeRequest::TransferComplete(_)
            | CpeRequest::RequestDownload(_)
            | CpeRequest::Kicked { .. } => CwmpVersion::V1_0,
            CpeRequest::AutonomousTransferComplete(_) => CwmpVersion::V1_1,
            CpeRequest::DuStateChangeComplete { .. }
            | CpeRequest::AutonomousDuStateChangeComplete(_) => CwmpVersion::V1_2,
        }
    }
}

/// What an ACS answers a CPE request with, other than a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsResponse {
    /// MaxEnvelopes is not kept: it is always read as 1 (TR-069 A.3.3.1).
    Inform,
    /// The methods that the ACS offers.
    GetRpcMethods(Vec<String>),
    TransferComplete,
    AutonomousTransferComplete,
    DuStateChangeComplete,
    AutonomousDuStateChangeComplete,
    RequestDownload,
    /// The URL to which the user's browser is to be sent next.
    Kicked {
        next_url: String,
    },
    /// A response that CWMP does not define, by its element name.
    Unknown(String),
}

impl AcsResponse {
    /// The element name of the request that this answers.
    pub fn answers(&self) -> &str {
        match self {
            AcsResponse::Inform => "Inform",
            AcsResponse::GetRpcMethods(_) => "GetRPCMethods",
            AcsResponse::TransferComplete => "TransferComplete",
            AcsResponse::AutonomousTransferComplete => "AutonomousTransferComplete",
            AcsResponse::DuStateChangeComplete => "DUStateChangeComplete",
            AcsResponse::AutonomousDuStateChangeComplete => "AutonomousDUStateChangeComplete",
            AcsResponse::RequestDownload => "RequestDownload",
            AcsResponse::Kicked { .. } => "Kicked",
            AcsResponse::Unknown(name) => name.strip_suffix("Response").unwrap_or(name),
        }
    }
}
