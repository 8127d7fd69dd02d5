//! File transfers: Download, Upload, ScheduleDownload, their queue and their end.

use crate::cwmp::datetime::DateTime;
use std::fmt;

/// Download (TR-069 A.3.2.8). Debug output leaves user name and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Download {
    pub command_key: String,
    pub file_type: String,
    pub url: String,
    pub username: String,
    pub password: String,
    /// Bytes; 0 = not known.
    pub file_size: u32,
    pub target_file_name: String,
    pub delay_seconds: u32,
    pub success_url: String,
    pub failure_url: String,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("file_size", &self.file_size)
            .field("target_file_name", &self.target_file_name)
            .field("delay_seconds", &self.delay_seconds)
            .finish_non_exhaustive()
    }
}

/// Upload (TR-069 A.4.1.5). Debug output leaves URL, user name and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    pub command_key: String,
    pub file_type: String,
    pub url: String,
    pub username: String,
    pub password: String,
    pub delay_seconds: u32,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("delay_seconds", &self.delay_seconds)
            .finish_non_exhaustive()
    }
}

/// When a scheduled download may run, in seconds from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeWindow {
    pub start: u32,
    pub end: u32,
    /// `1 At Any Time`, `2 Immediately`, `3 When Idle`, `4 Confirmation Needed`, `X …`.
    pub mode: String,
    pub user_message: String,
    /// -1: as often as the CPE likes.
    pub max_retries: i32,
}

/// ScheduleDownload (TR-069 A.4.1.8): one or two windows, in order, not overlapping.
#[derive(Clone, PartialEq, Eq)]
pub struct ScheduleDownload {
    pub command_key: String,
    pub file_type: String,
    pub url: String,
    pub username: String,
    pub password: String,
    pub file_size: u32,
    pub target_file_name: String,
    pub windows: Vec<TimeWindow>,
}

impl fmt::Debug for ScheduleDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleDownload")
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("file_size", &self.file_size)
            .field("target_file_name", &self.target_file_name)
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}

/// The answer to Download and Upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferStatus {
    /// Status 0: done and applied.
    Done { start: DateTime, complete: DateTime },
    /// Status 1: will be done later, a TransferComplete will tell.
    Later,
}

/// State of a queued transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferState {
    /// 1
    NotStarted,
    /// 2
    InProgress,
    /// 3: done, TransferComplete not yet delivered.
    Completed,
}

/// One entry of the transfer queue; GetQueuedTransfersResponse carries only the first
/// two fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedTransfer {
    pub command_key: String,
    pub state: TransferState,
    pub is_download: bool,
    pub file_type: String,
    pub file_size: u32,
    pub target_file_name: String,
}

/// How a transfer ended: `FaultCode` 0 is success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferFault {
    /// 0, 9001, 9002, 9010 to 9012, 9014 to 9020, 9800 to 9899; older versions get
    /// what they know ([`for_version`](crate::cwmp::fault::for_version)).
    pub code: u16,
    /// Cut to 256 characters on the wire.
    pub text: String,
}

impl TransferFault {
    /// The transfer went well.
    pub fn none() -> TransferFault {
        TransferFault {
            code: 0,
            text: String::new(),
        }
    }
}

/// TransferComplete (TR-069 A.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferComplete {
    pub command_key: String,
    /// Whether it was an upload: decides the fault code that an old ACS gets.
    pub upload: bool,
    pub fault: TransferFault,
    pub start: DateTime,
    pub complete: DateTime,
}

/// AutonomousTransferComplete (TR-069 A.3.3.3, CWMP 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutonomousTransferComplete {
    pub announce_url: String,
    pub transfer_url: String,
    pub is_download: bool,
    pub file_type: String,
    pub file_size: u32,
    pub target_file_name: String,
    pub fault: TransferFault,
    pub start: DateTime,
    pub complete: DateTime,
}

/// RequestDownload (TR-069 A.4.2.2): at most 16 arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDownload {
    pub file_type: String,
    /// Name (at most 64 characters) and value (at most 256).
    pub arguments: Vec<(String, String)>,
}
