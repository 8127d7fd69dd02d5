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
use super::world::{World, lock};
use crate::model::Origins;
use crate::model::changes::{Changes, Part, Stored};
use crate::notation::json;
use crate::source::native;
use crate::store::Root;
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
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
    /// What keeps a file from being written, to be logged once.
    trouble: Option<(Part, String)>,
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
    /// How many of them open a session when they change; `None`: not read yet.
    pub active: Option<u32>,
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
            Ok(text) => json::read(&text).unwrap_or_else(|e| {
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
            trouble: None,
        }
    }

    /// What differs from the disk.
    fn unsaved(&mut self) -> Vec<(Part, Vec<u8>)> {
        let mut texts = Vec::new();
        for part in [Part::Kept, Part::Passing] {
            if self.changes.is_dirty(part) {
                match serde_json::to_vec(&self.changes.snapshot(part)) {
                    Ok(text) => texts.push((part, text)),
                    Err(e) => log::error!("watched values: {e}"),
                }
                self.changes.kept(part);
            }
        }
        texts
    }

    fn saved(&mut self, part: Part, result: io::Result<()>) {
        match result {
            Ok(()) => self.trouble = self.trouble.take().filter(|(of, _)| *of != part),
            Err(e) => {
                self.changes.not_kept(part);
                let trouble = Some((part, e.to_string()));
                if self.trouble != trouble {
                    log::error!("what the ACS saw of watched values cannot be written: {e}");
                    self.trouble = trouble;
                }
            }
        }
    }

    /// The changes for an Inform that is put together now; those past the first 512 wait
    /// for another, and those whose source is in trouble until they are read again.
    pub fn take(&mut self) -> Vec<String> {
        self.changes.take()
    }

    /// The Inform could not read these: they are told once they were read again.
    pub fn in_trouble(&mut self, paths: &[String]) {
        paths.iter().for_each(|path| self.changes.in_trouble(path));
    }

    /// There is no session, after all, of those that were taken and could not be read.
    pub fn put_back(&mut self) {
        self.changes.put_back();
    }

    /// The Inform had no room for these.
    pub fn left_out(&mut self, paths: &[String]) {
        paths.iter().for_each(|path| self.changes.left_out(path));
    }

    /// The parameters whose changes the ACS has not been told.
    pub fn pending(&self) -> HashSet<String> {
        self.changes.pending().map(str::to_owned).collect()
    }

    /// Whether a change waits that asks for a session of its own.
    pub fn wants_session(&self) -> bool {
        self.changes.wants_session()
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
    }

    /// Where changes can be noticed, as of the last scan.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// A scan has found this and that; it was whole.
    fn scanned(&mut self, coverage: Coverage) {
        self.coverage = coverage;
        self.last_scan = Some(clock::unix_seconds());
    }

    /// What `status` tells.
    pub fn told(&self) -> Told {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (parameters, active) = self.changes.counts();
        Told {
            parameters: number(parameters),
            active: self.last_scan.map(|_| number(active)),
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

/// Writes what differs from the disk: it is there when this returns. A failure is logged
/// once; what is in memory serves, and the next save tries again. No lock that the
/// dispatcher takes is held while the disk works.
pub fn save(world: &World) {
    let _one_after_the_other = lock(&world.keeping);
    let texts = world.watch().unsaved();
    for (part, text) in texts {
        let result = match part {
            Part::Kept => world.state.save_bytes(FILE, &text).map(|_| ()),
            Part::Passing => world.run_dir.write(FILE, &text),
        };
        world.watch().saved(part, result);
    }
}

/// A command has changed these, whatever they read when they are next read.
pub fn changed_by_hand(world: &World, paths: &[String]) {
    {
        let mut watch = world.watch();
        paths
            .iter()
            .for_each(|path| watch.changes.changed_by_hand(path));
    }
    save(world);
}

/// Forgets everything, on disk too (factory reset).
pub fn forget(world: &World) {
    let _one_after_the_other = lock(&world.keeping);
    {
        let mut watch = world.watch();
        watch.changes = Changes::default();
        watch.last_scan = None;
    }
    let gone = world.state.remove(FILE);
    if let Err(e) = gone.and_then(|()| world.run_dir.clear(FILE)) {
        log::warn!("what the ACS saw of watched values cannot be wiped: {e}");
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
        let mut paths: BTreeSet<String> = packages.chain(origins.files.iter().cloned()).collect();
        let settings_only = paths.insert(SETTINGS_PATH.to_owned());
        for path in paths {
            match root.path(&path) {
                Ok(real) => {
                    coverage.files.insert(real);
                }
                // Nothing that is watched is in them.
                Err(_) if settings_only && path == SETTINGS_PATH => {}
                Err(_) => coverage.by_interval = true,
            }
        }
        coverage
    }
}
