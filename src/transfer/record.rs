//! One transfer: what was asked for, how far it has come, and how it goes on from there.
//! Nothing here touches the disk; time is an argument.

use super::job::{Entry, Id, Job, Kind, Told};
use super::windows::{MAX_WINDOWS, Mode, Window};
use crate::cwmp::datetime::DateTime;
use crate::cwmp::event::EventCode;
use crate::cwmp::fault;
use crate::cwmp::message::{
    AutonomousTransferComplete, CpeRequest, QueuedTransfer, TransferComplete, TransferFault,
    TransferState,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// File transfer failure: not completed within the time windows (CWMP 1.2).
const WINDOWS_PASSED: u16 = 9020;
/// How often an interrupted transfer is begun anew.
const MAX_ANEW: u8 = 3;
/// Seconds before the first retry in a window, and the most before any.
const FIRST_WAIT: i64 = 5;
const LONGEST_WAIT: i64 = 600;
/// Characters of a FaultString.
const FAULT_STRING: usize = 256;
/// 2020-01-01: a clock below it was never set (routers boot in 1970).
const NEVER_SET: i64 = 1_577_836_800;

/// Whether a clock that shows `now` was ever set.
pub(super) fn was_set(now: i64) -> bool {
    now >= NEVER_SET
}

/// How far a transfer has come; see the picture in [`transfer`](super).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Waiting,
    /// The file is on its way, from the server or to it.
    Fetching,
    /// The file is being applied. `before` is the identity of the firmware that runs
    /// meanwhile; empty: the file is none.
    Applying {
        before: String,
        reboots: bool,
    },
    /// It was applied; a boot completes it.
    Rebooting {
        before: String,
    },
    /// `at`: the clock at the end; `None`: not known any more.
    Completed {
        code: u16,
        text: String,
        at: Option<i64>,
    },
}

/// A transfer in the queue. Debug output leaves URL, user name and password out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: Id,
    pub kind: Kind,
    /// A person's at the box, not the ACS's.
    pub local: bool,
    pub command_key: String,
    pub file_type: String,
    pub url: String,
    /// Empty once they are not needed any more.
    pub username: String,
    pub password: String,
    pub file_size: u32,
    pub target_file_name: String,
    /// No try before this, Unix seconds.
    pub due: i64,
    /// Of a ScheduleDownload: those that have not passed, the current one first.
    pub windows: Vec<Window>,
    /// Tries in the current window that failed.
    pub failed: u32,
    /// A person has agreed to it.
    pub confirmed: bool,
    /// What the last failed try said.
    pub last: Option<String>,
    /// How often it was begun anew after an interruption.
    pub anew: u8,
    /// It was begun anew because the box did not boot.
    pub applied_again: bool,
    /// The clock when the last try began.
    pub begun: Option<i64>,
    pub stage: Stage,
    /// In how many sessions the ACS has refused to be told of its end.
    #[serde(default)]
    pub refusals: u8,
    /// Asked for in the running session.
    #[serde(skip)]
    pub held: bool,
    /// Its TransferComplete was refused in the running session.
    #[serde(skip)]
    pub refused: bool,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("local", &self.local)
            .field("command_key", &self.command_key)
            .field("file_type", &self.file_type)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Record {
    /// One that nothing is known of yet.
    pub fn new(id: Id, kind: Kind) -> Record {
        Record {
            id,
            kind,
            local: false,
            command_key: String::new(),
            file_type: String::new(),
            url: String::new(),
            username: String::new(),
            password: String::new(),
            file_size: 0,
            target_file_name: String::new(),
            due: 0,
            windows: Vec::new(),
            failed: 0,
            confirmed: false,
            last: None,
            anew: 0,
            applied_again: false,
            begun: None,
            stage: Stage::Waiting,
            refusals: 0,
            held: false,
            refused: false,
        }
    }

    /// Whether each text has the length that CWMP gives it.
    pub fn fits(&self) -> bool {
        let url = if self.local { 1024 } else { 256 };
        [
            (&self.command_key, 32),
            (&self.file_type, 64),
            (&self.url, url),
            (&self.username, 256),
            (&self.password, 256),
            (&self.target_file_name, 256),
        ]
        .iter()
        .all(|(text, most)| text.chars().count() <= *most)
            && self.windows.len() <= MAX_WINDOWS
    }

    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    pub fn is_completed(&self) -> bool {
        matches!(self.stage, Stage::Completed { .. })
    }

    /// A window, this one or a later one, in which nobody has agreed yet to its beginning.
    pub fn needs_confirmation(&self) -> bool {
        let mut windows = self.windows.iter();
        !self.is_completed() && !self.confirmed && windows.any(|w| w.mode == Mode::Confirmation)
    }

    /// The current window is one in which it waits for a person.
    pub fn awaits_confirmation(&self) -> bool {
        let window = self.windows.first();
        self.is_waiting() && !self.confirmed && window.is_some_and(|w| w.mode == Mode::Confirmation)
    }

    /// The current window is one in which it waits for the box to be idle.
    pub fn awaits_idle(&self) -> bool {
        let window = self.windows.first();
        self.is_waiting() && window.is_some_and(|w| w.mode == Mode::WhenIdle)
    }

    /// The earliest moment of the next try, were it not for a person or idleness.
    pub fn ready(&self) -> i64 {
        self.windows
            .first()
            .map_or(self.due, |w| w.from.max(self.due))
    }

    /// When the current window ends.
    pub fn window_end(&self) -> Option<i64> {
        self.windows.first().map(|w| w.end)
    }

    /// Leaves windows in which no try can begin any more; tells whether there were any.
    pub fn close_windows(&mut self, now: i64) -> bool {
        if self.kind != Kind::ScheduleDownload || !self.is_waiting() {
            return false;
        }
        let mut changed = false;
        while self
            .windows
            .first()
            .is_some_and(|w| now.max(self.ready()) >= w.end)
        {
            self.next_window();
            changed = true;
        }
        if self.windows.is_empty() {
            let text = match &self.last {
                None => "no try could begin within the time windows".to_owned(),
                Some(last) => {
                    format!("not completed within the time windows; the last try: {last}")
                }
            };
            // What never began has no time at which it ended either.
            let at = self.begun.map(|_| now);
            self.complete(WINDOWS_PASSED, &text, at);
            changed = true;
        }
        changed
    }

    fn next_window(&mut self) {
        self.windows.remove(0);
        self.failed = 0;
    }

    /// A try begins.
    pub fn begin(&mut self, now: i64) {
        self.stage = Stage::Fetching;
        self.begun = Some(now);
    }

    /// A try has ended well.
    pub fn succeeded(&mut self, now: i64) {
        match std::mem::replace(&mut self.stage, Stage::Waiting) {
            Stage::Applying {
                before,
                reboots: true,
            } => self.stage = Stage::Rebooting { before },
            _ => self.complete(0, "", Some(now)),
        }
    }

    /// A try has failed: that was it, unless a window leaves room for another.
    pub fn try_failed(&mut self, fault: &TransferFault, now: i64) {
        if self.kind != Kind::ScheduleDownload {
            return self.complete(fault.code, &fault.text, Some(now));
        }
        self.stage = Stage::Waiting;
        self.last = Some(cut(&format!("{} {}", fault.code, fault.text)));
        self.failed = self.failed.saturating_add(1);
        match self.windows.first() {
            Some(w) if self.failed <= w.retries => {
                let doubled = FIRST_WAIT << (self.failed - 1).min(8);
                self.due = now.saturating_add(doubled.min(LONGEST_WAIT));
            }
            Some(_) => self.next_window(),
            None => {}
        }
        self.close_windows(now);
    }

    /// The agent starts, after a boot when `rebooted`: what was under way is begun anew or
    /// concluded. `flashed`: whether the flash is known to have been written. Tells whether
    /// anything has changed.
    pub fn restarted(
        &mut self,
        rebooted: bool,
        firmware: &str,
        flashed: Option<bool>,
        now: i64,
    ) -> bool {
        // How long ago a clock that was never set showed this is not known after a boot.
        let stale = rebooted && self.begun.is_some_and(|at| !was_set(at));
        if stale {
            self.begun = None;
        }
        let changed = match &self.stage {
            Stage::Waiting => stale,
            Stage::Fetching | Stage::Applying { reboots: false, .. } => {
                self.interrupted(now);
                true
            }
            Stage::Applying { before, .. } | Stage::Rebooting { before } if rebooted => {
                if before.is_empty() || firmware != before || flashed == Some(true) {
                    self.complete(0, "", Some(now));
                } else {
                    let text = "the box runs the firmware it ran before";
                    self.complete(fault::DOWNLOAD_FAILURE, text, Some(now));
                }
                true
            }
            Stage::Applying { .. } if self.applied_again => {
                let text = "interrupted while it was applied, twice";
                self.complete(self.kind.failure(), text, Some(now));
                true
            }
            Stage::Applying { .. } => {
                self.applied_again = true;
                self.stage = Stage::Waiting;
                true
            }
            Stage::Rebooting { .. } => stale,
            Stage::Completed { code, text, at } => {
                if rebooted && at.is_some_and(|at| !was_set(at)) {
                    self.stage = Stage::Completed {
                        code: *code,
                        text: text.clone(),
                        at: None,
                    };
                    true
                } else {
                    stale
                }
            }
        };
        changed | self.close_windows(now)
    }

    fn interrupted(&mut self, now: i64) {
        self.anew = self.anew.saturating_add(1);
        if self.anew > MAX_ANEW {
            let text = format!("interrupted {} times by a restart", self.anew);
            self.complete(self.kind.failure(), &text, Some(now));
        } else {
            self.stage = Stage::Waiting;
        }
    }

    fn complete(&mut self, code: u16, text: &str, at: Option<i64>) {
        self.stage = Stage::Completed {
            code,
            text: cut(text),
            at,
        };
        self.username = String::new();
        self.password = String::new();
        self.windows = Vec::new();
    }

    /// Moves what is still to come by `seconds`; tells whether there is anything.
    pub fn shift(&mut self, seconds: i64) -> bool {
        if self.is_completed() {
            return false;
        }
        self.due = self.due.saturating_add(seconds);
        for w in &mut self.windows {
            w.from = w.from.saturating_add(seconds);
            w.end = w.end.saturating_add(seconds);
        }
        true
    }

    /// The clock was set for the first time: what it showed before was this much too low.
    /// Tells whether it had shown anything that is kept.
    pub fn date(&mut self, seconds: i64) -> bool {
        let ended = match &mut self.stage {
            Stage::Completed { at, .. } => at.as_mut(),
            _ => None,
        };
        let mut changed = false;
        for at in [self.begun.as_mut(), ended].into_iter().flatten() {
            if !was_set(*at) {
                *at = at.saturating_add(seconds);
                changed = true;
            }
        }
        changed
    }

    /// As GetAllQueuedTransfers lists it.
    pub fn listed(&self) -> QueuedTransfer {
        QueuedTransfer {
            command_key: self.command_key.clone(),
            state: self.state(),
            is_download: self.kind != Kind::Upload,
            file_type: self.file_type.clone(),
            file_size: self.file_size,
            target_file_name: self.target_file_name.clone(),
        }
    }

    /// What is to be done now.
    pub fn job(&self) -> Job {
        Job {
            id: self.id,
            kind: self.kind,
            local: self.local,
            command_key: self.command_key.clone(),
            file_type: self.file_type.clone(),
            url: self.url.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            file_size: self.file_size,
            target_file_name: self.target_file_name.clone(),
            until: self.window_end(),
        }
    }

    /// As people see it.
    pub fn entry(&self) -> Entry {
        let message = self.windows.first().map(|w| w.message.clone());
        let (stage, result) = match &self.stage {
            Stage::Waiting => ("waiting", None),
            Stage::Fetching => ("fetching", None),
            Stage::Applying { .. } => ("applying", None),
            Stage::Rebooting { .. } => ("rebooting", None),
            Stage::Completed { code, text, .. } => {
                let (code, text) = (*code, text.clone());
                ("completed", Some(TransferFault { code, text }))
            }
        };
        Entry {
            id: self.id,
            kind: self.kind,
            local: self.local,
            command_key: self.command_key.clone(),
            file_type: self.file_type.clone(),
            url: self.url.clone(),
            state: self.state(),
            stage,
            due: self.is_waiting().then(|| self.ready()),
            confirmation: message.filter(|_| self.awaits_confirmation()),
            result,
        }
    }

    /// What the ACS is to be told; `None` while it is not completed.
    pub fn told(&self) -> Option<Told> {
        Some(Told {
            id: self.id,
            event: self.event(),
            command_key: self.command_key.clone(),
            message: self.message()?,
        })
    }

    pub fn state(&self) -> TransferState {
        match self.stage {
            Stage::Waiting => TransferState::NotStarted,
            Stage::Fetching | Stage::Applying { .. } | Stage::Rebooting { .. } => {
                TransferState::InProgress
            }
            Stage::Completed { .. } => TransferState::Completed,
        }
    }

    /// The event of its completion, which has the CommandKey beside it.
    pub fn event(&self) -> EventCode {
        match self.local {
            true => EventCode::AutonomousTransferComplete,
            false => self.kind.event(),
        }
    }

    fn message(&self) -> Option<CpeRequest> {
        let Stage::Completed { code, text, at } = &self.stage else {
            return None;
        };
        let fault = TransferFault {
            code: *code,
            text: text.clone(),
        };
        let (start, complete) = (moment(self.begun), moment(*at));
        Some(match self.local {
            false => CpeRequest::TransferComplete(TransferComplete {
                command_key: self.command_key.clone(),
                upload: self.kind == Kind::Upload,
                fault,
                start,
                complete,
            }),
            true => CpeRequest::AutonomousTransferComplete(AutonomousTransferComplete {
                announce_url: String::new(),
                transfer_url: self.url.clone(),
                is_download: self.kind != Kind::Upload,
                file_type: self.file_type.clone(),
                file_size: self.file_size,
                target_file_name: self.target_file_name.clone(),
                fault,
                start,
                complete,
            }),
        })
    }
}

fn moment(at: Option<i64>) -> DateTime {
    match at {
        Some(at) if was_set(at) => DateTime::Utc(at),
        _ => DateTime::Unknown,
    }
}

/// At most as long as a FaultString may be.
fn cut(text: &str) -> String {
    text.chars().take(FAULT_STRING).collect()
}
