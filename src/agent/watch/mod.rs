//! Watching the parameters with notification: when they are read, what is kept of what
//! the ACS saw, and what the ACS's own requests make of it. Which value counts as changed
//! is the model's ([`changes`](crate::model::changes)).
//!
//! ```text
//!   a file's folder (inotify) ──settle──┐
//!   watch_interval ─────────────────────┤ plan (dispatcher)
//!   a command, a session, SIGHUP ───────┘   │ order
//!                                           v
//!   an Inform is put together ─────────> scan (session worker) ──> Changes ──> told
//!                                                                    │         state_dir: values
//!   InformResponse, the ACS's own requests ──────────────────────────┘         run_dir: counters
//! ```
//!
//! Nothing is read by the dispatcher. A file is written only when what it holds changes:
//! a change when it is found, and what the ACS saw when it has answered.

pub mod folders;
pub mod plan;
mod requests;
mod scan;

pub use requests::{Before, Request};
pub use scan::{scan, scan_with};

use super::clock;
use super::setup::SETTINGS_PATH;
use crate::model::Origins;
use crate::model::changes::{Changes, Part, Stored};
use crate::source::native;
use crate::store::Root;
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

/// The name of the file in state_dir and of the one in run_dir.
const FILE: &str = "told";
/// The file in run_dir is not longer than this, bytes.
const LIMIT: u64 = 4 << 20;
/// Where UCI packages lie, below the root.
const PACKAGES: &str = "/etc/config";
/// The most pending changes that `status` names.
const SHOWN: usize = 100;

/// See the module.
pub struct Watch {
    changes: Changes,
    /// What was watched when it was last read in full.
    coverage: Coverage,
    /// Unix seconds.
    last_scan: Option<i64>,
    too_many: bool,
    /// What keeps the files from being written, to be logged once.
    trouble: [Option<String>; 2],
    state: StateDir,
    run_dir: RunDir,
}

/// Where changes of the watched values can be noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Real paths of files, besides the settings themselves.
    pub files: BTreeSet<PathBuf>,
    /// Some can only be read again and again.
    pub by_interval: bool,
}

/// What `status` tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// How many parameters are watched.
    pub parameters: u32,
    /// How many of them open a session when they change.
    pub active: u32,
    /// Changed and not yet told to the ACS: how many.
    pub pending: u32,
    /// The first hundred of them.
    pub changed: Vec<String>,
    /// When they were last read, Unix seconds.
    pub last_scan: Option<i64>,
    /// Some values are read every `watch_interval`; else all changes are noticed in files.
    pub by_interval: bool,
}

impl Watch {
    /// Reads what was kept; without it, nothing was seen.
    pub fn load(state: &StateDir, run_dir: &RunDir) -> Watch {
        let kept: Stored = state.load(FILE).unwrap_or_default();
        let passing = match run_dir.read(FILE, LIMIT) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|e| {
                log::warn!("what the ACS saw of counters is not understood: {e}");
                Stored::default()
            }),
            Err(_) => Stored::default(),
        };
        Watch {
            changes: Changes::restore(kept, passing),
            coverage: Coverage::default(),
            last_scan: None,
            too_many: false,
            trouble: [None, None],
            state: state.clone(),
            run_dir: run_dir.clone(),
        }
    }

    /// Writes what differs from the disk. A failure is logged once; what is in memory
    /// serves, and the next save tries again.
    pub fn save(&mut self) {
        if self.changes.is_dirty(Part::Kept) {
            let snapshot = self.changes.snapshot(Part::Kept);
            let result = self.state.save(FILE, &snapshot).map(|_| ());
            self.saved(Part::Kept, result);
        }
        if self.changes.is_dirty(Part::Passing) {
            let snapshot = self.changes.snapshot(Part::Passing);
            let result = serde_json::to_vec(&snapshot)
                .map_err(io::Error::other)
                .and_then(|text| self.run_dir.write(FILE, &text));
            self.saved(Part::Passing, result);
        }
    }

    fn saved(&mut self, part: Part, result: io::Result<()>) {
        let [kept, passing] = &mut self.trouble;
        let trouble = match part {
            Part::Kept => kept,
            Part::Passing => passing,
        };
        match result {
            Ok(()) => {
                self.changes.kept(part);
                *trouble = None;
            }
            Err(e) => {
                let what = e.to_string();
                if trouble.as_ref() != Some(&what) {
                    log::error!("what the ACS saw of watched values cannot be written: {what}");
                    *trouble = Some(what);
                }
            }
        }
    }

    /// The changes for an Inform that is put together now; those past the first 512 wait
    /// for another.
    pub fn take(&mut self) -> Vec<String> {
        self.changes.take()
    }

    /// The Inform had no room for these.
    pub fn left_out(&mut self, paths: &[String]) {
        paths.iter().for_each(|path| self.changes.left_out(path));
    }

    /// Whether a change waits that asks for a session of its own.
    pub fn wants_session(&self) -> bool {
        self.changes.wants_session()
    }

    /// Whether any change waits for an Inform.
    pub fn is_pending(&self) -> bool {
        self.changes.pending().len() > 0
    }

    /// Whether an ACS has answered, so that there is something to compare with.
    pub fn is_begun(&self) -> bool {
        self.changes.is_begun()
    }

    /// Whether this parameter is watched.
    pub fn watches(&self, path: &str) -> bool {
        self.changes.watches(path)
    }

    /// The ACS at `url` has answered an Inform that carried these.
    pub fn accepted<'a>(&mut self, url: &str, carried: impl Iterator<Item = (&'a str, &'a str)>) {
        self.changes.accepted(url, carried);
        self.save();
    }

    /// A command has changed these, whatever they read when they are next read.
    pub fn changed_by_hand(&mut self, paths: &[String]) {
        for path in paths {
            self.changes.changed_by_hand(path);
        }
        self.save();
    }

    /// Forgets everything, on disk too (factory reset).
    pub fn forget(&mut self) {
        self.changes = Changes::default();
        self.last_scan = None;
        let gone = self
            .state
            .remove(FILE)
            .and_then(|()| self.run_dir.clear(FILE));
        if let Err(e) = gone {
            log::warn!("what the ACS saw of watched values cannot be wiped: {e}");
        }
    }

    /// Where changes can be noticed, as of the last scan.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// A scan has found this and that; it was whole.
    fn scanned(&mut self, coverage: Coverage) {
        self.coverage = coverage;
        self.last_scan = Some(clock::unix_seconds());
        self.save();
    }

    /// What `status` tells.
    pub fn told(&self) -> Told {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (parameters, active) = self.changes.counts();
        Told {
            parameters: number(parameters),
            active: number(active),
            pending: number(self.changes.pending().len()),
            changed: self
                .changes
                .pending()
                .take(SHOWN)
                .map(str::to_owned)
                .collect(),
            last_scan: self.last_scan,
            by_interval: self.coverage.by_interval,
        }
    }
}

impl Coverage {
    /// What can be noticed of these origins below this root.
    pub fn of(root: &Root, origins: &Origins) -> Coverage {
        let mut coverage = Coverage {
            by_interval: origins.others
                || origins
                    .natives
                    .iter()
                    .any(|name| native::changes_by_itself(name)),
            ..Coverage::default()
        };
        let packages = origins
            .packages
            .iter()
            .map(|name| format!("{PACKAGES}/{name}"));
        for path in packages.chain(origins.files.iter().cloned()) {
            match root.path(&path) {
                Ok(real) => {
                    coverage.files.insert(real);
                }
                Err(_) => coverage.by_interval = true,
            }
        }
        if let Ok(settings) = root.path(SETTINGS_PATH) {
            coverage.files.insert(settings);
        }
        coverage
    }
}
