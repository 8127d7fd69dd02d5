//! What goes into the queue and what comes out of it. No Debug output of these shows a URL, a
//! user name or a password.

use crate::cwmp::event::EventCode;
use crate::cwmp::fault;
use crate::cwmp::message::{CpeRequest, TransferFault, TransferState};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a transfer as long as the queue holds it.
pub type Id = u32;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Download,
    Upload,
    ScheduleDownload,
}

impl Kind {
    /// `M Download` and so on.
    pub fn event(self) -> EventCode {
        match self {
            Kind::Download => EventCode::MDownload,
            Kind::Upload => EventCode::MUpload,
            Kind::ScheduleDownload => EventCode::MScheduleDownload,
        }
    }

    /// The code of a failure for which there is no better one.
    pub(super) fn failure(self) -> u16 {
        match self {
            Kind::Upload => fault::UPLOAD_FAILURE,
            Kind::Download | Kind::ScheduleDownload => fault::DOWNLOAD_FAILURE,
        }
    }
}

/// A transfer to be done now. Debug output leaves URL, user name and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    pub id: Id,
    pub kind: Kind,
    /// A person's at the box, not the ACS's.
    pub local: bool,
    pub command_key: String,
    pub file_type: String,
    pub url: String,
    pub username: String,
    pub password: String,
    /// Bytes; 0 = not known.
    pub file_size: u32,
    pub target_file_name: String,
    /// The end of the time window, Unix seconds of the box's clock.
    pub until: Option<i64>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("local", &self.local)
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("file_size", &self.file_size)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// A transfer that a person asks for at the box: it begins at once and is told of by
/// AutonomousTransferComplete. Debug output leaves URL, user name and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Local {
    pub is_download: bool,
    /// At most 64 characters.
    pub file_type: String,
    /// At most 1024 characters.
    pub url: String,
    pub username: String,
    pub password: String,
    /// Bytes; 0 = not known.
    pub file_size: u32,
    pub target_file_name: String,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("is_download", &self.is_download)
            .field("file_type", &self.file_type)
            .finish_non_exhaustive()
    }
}

/// A completed transfer that the ACS is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub id: Id,
    /// `M Download`, `M Upload`, `M ScheduleDownload`, or `10 AUTONOMOUS TRANSFER COMPLETE`.
    pub event: EventCode,
    /// Empty for a transfer that the ACS did not ask for.
    pub command_key: String,
    /// TransferComplete or AutonomousTransferComplete.
    pub message: CpeRequest,
}

/// One transfer for people to look at. Debug output leaves the URL out, which may hold
/// secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: Id,
    pub kind: Kind,
    /// A person's at the box, not the ACS's.
    pub local: bool,
    pub command_key: String,
    pub file_type: String,
    /// As it was asked for: not to be shown without taking its query out.
    pub url: String,
    pub state: TransferState,
    /// `waiting`, `fetching`, `applying`, `rebooting` or `completed`.
    pub stage: &'static str,
    /// When it may begin at the earliest, Unix seconds; `None` unless it waits.
    pub due: Option<i64>,
    /// It waits for a person, who is to be told this.
    pub confirmation: Option<String>,
    /// How it ended: 0 and an empty text for success.
    pub result: Option<TransferFault>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("stage", &self.stage)
            .field("due", &self.due)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}
