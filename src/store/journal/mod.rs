//! The journal: several files change together or none, whatever happens in between.
//!
//! ```text
//!       no journal <------------------------------------------------------+
//!            |                                                            |
//!            | new files beside the old, fsync      power cut: they are   |
//!            |                                      swept away            |
//!            | journal (prints of each file, old                          |
//!            v   and new), fsync                                          |
//!       +---------+  an error: journal removed, fsync, then the new files |
//!       | laid out|------------------------------------------------------>|
//!       +---------+  power cut, all new files still there:                |
//!            |         no file edited since      finished (below)         |
//!            |         a file edited since       undone: journal removed->|
//!            | rename each new file                                       |
//!            v                                                            |
//!       +---------+  power cut: finished; a file edited since stays       |
//!       |  begun  |------------------------------------------------------>|
//!       +---------+                                                       |
//!            |   | fsync; all renamed: journal removed                    |
//!            |   +------------------------------------------------------->|
//!            | an error: the old files beside the new, fsync; a journal   |
//!            v   of the way back in place of the first one, fsync         |
//!       +---------+  rename each; journal removed, then the new files     |
//!       | way back|------------------------------------------------------>+
//!       +---------+  power cut: finished, whatever was edited: the change
//!                    that it undoes had begun
//! ```
//!
//! Recovery goes by prints: a file that is neither as it was nor as it was to become was
//! edited by somebody since, and is left alone. Whether its new file is still beside it tells
//! what was edited, the old or the new. That is why new files never go before the journal
//! that tells of them is gone for good; only where the disk refuses to let the journal go do
//! they go first, so that at least nothing is finished that was refused.

mod recovery;

pub use recovery::{Outcome, Recovered, recover};

use super::atomic::Target;
use super::disk::{Disk, Stat};
use super::print::print;
use super::reloads::Reloads;
use super::state::{StateDir, seal, unseal};
use super::trial::{self, Changed, Trial, Trials};
use crate::model::source::{FileChange, Journal, Trouble};
use log::{debug, error, info, warn};
use recovery::print_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The journal's name in the state folder.
const NAME: &str = "journal";
/// The state file that keeps the folders in which new files were ever written, so that
/// what a power cut leaves there is swept away.
const FOLDERS: &str = "folders";
/// The state file of ManagementServer.ParameterKey.
const PARAMETER_KEY: &str = "parameter_key.json";
/// How many folders are remembered.
const MAX_FOLDERS: usize = 64;
/// The largest file that is changed, bytes.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The journal on the disk. Files inside its state folder are sealed with a header
/// (version and checksum) on the way out and checked in [`Journal::load`].
pub struct DiskJournal {
    disk: Arc<dyn Disk>,
    state: StateDir,
    reloads: Option<Reloads>,
    trials: Option<Trials>,
    unsettled: Unsettled,
    /// Folders that are known to be kept in [`FOLDERS`].
    remembered: BTreeSet<String>,
}

/// A change that is neither whole nor undone, because the disk refused. Nothing else is
/// changed before it is settled.
enum Unsettled {
    None,
    /// Of an earlier start: recovery makes its files agree.
    Recover,
    /// Of this one, refused to whoever asked for it: it must be undone. The first of the
    /// steps, this many, may have been made.
    Undo(Vec<Step>, usize),
}

/// What the journal's file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    entries: Vec<Entry>,
    reload: Vec<String>,
    /// It undoes a change that had begun: there is no way but to its end. (Versions before
    /// have not said it.)
    #[serde(default)]
    back: bool,
}

/// One file of a change. What stands for a content is its print, or, as versions before have
/// written it, its SHA-256 in hexadecimal digits; `None`: there is no file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    path: String,
    old: Option<String>,
    new: Option<String>,
}

/// One file of a change and all that is needed to make it and to undo it.
struct Step {
    target: Target,
    path: String,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
    mode: u32,
}

impl DiskJournal {
    /// A journal in this folder of state.
    pub fn new(state: StateDir) -> DiskJournal {
        let disk = state.disk();
        DiskJournal {
            unsettled: match disk.stat(&state.path(NAME)) {
                Ok(_) => Unsettled::Recover,
                Err(_) => Unsettled::None,
            },
            disk,
            state,
            reloads: None,
            trials: None,
            remembered: BTreeSet::new(),
        }
    }

    /// The same, telling what is to be reloaded before the first file changes.
    #[must_use]
    pub fn telling(mut self, reloads: Reloads) -> DiskJournal {
        self.reloads = Some(reloads);
        self
    }

    /// The same, keeping what files were before a change that goes on trial.
    #[must_use]
    pub fn trying(mut self, trials: Trials) -> DiskJournal {
        self.trials = Some(trials);
        self
    }

    fn try_commit(&mut self, files: &[FileChange]) -> Result<(), Trouble> {
        self.settle_now()?;
        let mut steps = self.steps(files)?;
        if steps.is_empty() {
            return Ok(());
        }
        let mut reload: Vec<String> = Vec::new();
        for name in files.iter().flat_map(|f| &f.reload) {
            if !reload.contains(name) {
                reload.push(name.clone());
            }
        }
        let trial = self.join_trial(&mut steps, &reload)?;
        self.remember_folders(&steps)?;
        if let Err(failed) = self.lay_out(&steps, &reload) {
            return self.go_back(steps, 0, failed);
        }
        let waited = self.reloads.as_ref().map(Reloads::waiting);
        if let Some(reloads) = &self.reloads {
            reloads.add(&reload);
        }
        let mut done = 0;
        let failed = loop {
            let Some(step) = steps.get(done) else {
                break sync_folders(&*self.disk, &steps).err();
            };
            if let Err(e) = replace(&*self.disk, step) {
                break Some(trouble(&step.target.path, e));
            }
            done += 1;
        };
        let Some(failed) = failed else {
            if let (Some(trials), Some(trial)) = (&self.trials, trial) {
                trials.join(trial);
            }
            if let Err(e) = self.state.remove(NAME) {
                // All is in force and durable; recovery finds nothing left to do.
                warn!(
                    "{}: cannot be removed: {e}",
                    self.state.path(NAME).display()
                );
                self.unsettled = Unsettled::Recover;
            }
            return Ok(());
        };
        let undone = self.go_back(steps, done, failed);
        if let (Some(reloads), Some(waited)) = (&self.reloads, waited) {
            reloads.done(reload.iter().filter(|r| !waited.contains(*r)));
        }
        undone
    }

    /// A change that goes on trial has one step more: the record of what was before. Of what
    /// the agent keeps itself only ParameterKey goes back with the files.
    fn join_trial(
        &self,
        steps: &mut Vec<Step>,
        reload: &[String],
    ) -> Result<Option<Trial>, Trouble> {
        let Some(trials) = self.trials.as_ref().filter(|t| t.is_joined_by(reload)) else {
            return Ok(None);
        };
        let bare = |name: Option<&str>, content: &Option<Vec<u8>>| match (name, content) {
            (Some(name), Some(sealed)) => unseal(name, sealed.clone()).ok(),
            (_, content) => content.clone(),
        };
        let mut kept = Vec::new();
        for step in &*steps {
            let name = self.state_name(&step.target.path);
            if name.is_none_or(|name| name == PARAMETER_KEY) {
                let mode = step.target.stat.map_or(step.mode, |stat| stat.mode);
                kept.push((step, mode, bare(name, &step.old), bare(name, &step.new)));
            }
        }
        let kept: Vec<Changed<'_>> = kept
            .iter()
            .map(|(step, mode, old, new)| Changed {
                path: &step.path,
                mode: *mode,
                old: old.as_deref(),
                new: new.as_deref(),
            })
            .collect();
        let path = self.state.path(trial::FILE);
        let (trial, content) = trials
            .joined(&kept, reload)
            .map_err(|e| trouble(&path, e))?;
        let record = FileChange {
            path,
            content: Some(content),
            mode: 0o600,
            reload: Vec::new(),
        };
        steps.extend(self.steps(&[record])?);
        Ok(Some(trial))
    }

    /// Makes the folder of a file that is to be written where there is none yet (an image
    /// without `/etc/config`). An empty folder that a failure leaves is harmless.
    fn make_folder_of(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(dir) if dir == self.state.dir() => self.disk.make_dir(dir, 0o700),
            Some(dir) => self.disk.make_dir(dir, 0o755),
            None => Ok(()),
        }
    }

    /// What is to be done, file by file; files that are already as they should be fall out.
    fn steps(&self, files: &[FileChange]) -> Result<Vec<Step>, Trouble> {
        let mut steps: Vec<Step> = Vec::new();
        for file in files {
            let target = match Target::at(&*self.disk, &file.path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound && file.content.is_some() => self
                    .make_folder_of(&file.path)
                    .and_then(|()| Target::at(&*self.disk, &file.path)),
                found => found,
            }
            .map_err(|e| trouble(&file.path, e))?;
            let old = match target.stat {
                None => None,
                Some(_) => Some(
                    self.disk
                        .read(&target.path, FILE_LIMIT)
                        .map_err(|e| trouble(&file.path, e))?,
                ),
            };
            let state_name = self.state_name(&target.path);
            let new = file.content.as_ref().map(|content| match state_name {
                Some(name) => seal(name, content),
                None => content.clone(),
            });
            let mode = if state_name.is_some() {
                0o600
            } else {
                file.mode
            };
            let Some(path) = target.path.to_str().map(str::to_owned) else {
                return Err(trouble(&file.path, "its path is no UTF-8"));
            };
            if steps.iter().any(|s| s.path == path) {
                return Err(trouble(&file.path, "is changed twice in one change"));
            }
            if old != new {
                steps.push(Step {
                    target,
                    path,
                    old,
                    new,
                    mode,
                });
            }
        }
        Ok(steps)
    }

    /// The name of a state file, for a path directly inside the state folder.
    fn state_name<'p>(&self, path: &'p Path) -> Option<&'p str> {
        if path.parent() == Some(self.state.dir()) {
            path.file_name()?.to_str()
        } else {
            None
        }
    }

    /// Keeps the folders of a change in mind. Writes only when one is new.
    fn remember_folders(&mut self, steps: &[Step]) -> Result<(), Trouble> {
        let is_kept = |dir: &Path| {
            dir == self.state.dir() || dir.to_str().is_some_and(|d| self.remembered.contains(d))
        };
        if steps.iter().all(|step| is_kept(step.target.dir())) {
            return Ok(());
        }
        let mut known: BTreeSet<String> = self.state.load(FOLDERS).unwrap_or_default();
        let before = known.len();
        for dir in steps.iter().map(|s| s.target.dir()) {
            if dir != self.state.dir() && known.len() < MAX_FOLDERS {
                known.extend(dir.to_str().map(str::to_owned));
            }
        }
        if known.len() != before {
            self.state
                .save(FOLDERS, &known)
                .map_err(|e| trouble(&self.state.path(FOLDERS), e))?;
        }
        self.remembered = known;
        Ok(())
    }

    /// Writes the new files beside the old ones, and then the journal; all durable.
    fn lay_out(&self, steps: &[Step], reload: &[String]) -> Result<(), Trouble> {
        for step in steps {
            if let Some(new) = &step.new {
                step.target
                    .create_new(&*self.disk, new, step.mode)
                    .map_err(|e| trouble(&step.target.path, e))?;
            }
        }
        sync_folders(&*self.disk, steps)?;
        let record = Record {
            entries: steps.iter().map(Step::entry).collect(),
            reload: reload.to_vec(),
            back: false,
        };
        self.state
            .save(NAME, &record)
            .map(|_| ())
            .map_err(|e| trouble(&self.state.path(NAME), e))
    }

    /// Undoes a change of which the first `done` steps were made, now or, if the disk
    /// refuses that as well, later. Gives what failed.
    fn go_back(&mut self, steps: Vec<Step>, done: usize, failed: Trouble) -> Result<(), Trouble> {
        if let Err(e) = self.undo(&steps, done) {
            error!("{failed}; and it cannot be undone now: {e}; it is before the next change");
            self.unsettled = Unsettled::Undo(steps, done);
        }
        Err(failed)
    }

    /// Undoes the first `done` steps by a journalled change of its own, so that a power
    /// cut here, too, leaves all or nothing. May be called again after it failed.
    fn undo(&self, steps: &[Step], done: usize) -> Result<(), Trouble> {
        let disk = &*self.disk;
        let at = |step: &Step, e| trouble(&step.target.path, e);
        // Those that are as they were, undone before or never made, and those that somebody
        // has edited since, stay.
        let mut back = Vec::new();
        for step in steps.iter().take(done) {
            let now = print_of(disk, &step.target.path, print).map_err(|e| at(step, e))?;
            if now == step.new.as_deref().map(print) {
                back.push(step.inverse());
            }
        }
        if !back.is_empty() {
            // The renames made so far, forth and back, become durable first: the new files
            // written now take the names of theirs, and the journal on the disk counts on
            // them.
            sync_folders(disk, steps)?;
            for step in &back {
                if let Some(old) = &step.new {
                    step.target
                        .create_new(disk, old, step.mode)
                        .map_err(|e| at(step, e))?;
                }
            }
            sync_folders(disk, &back)?;
            let record = Record {
                entries: back.iter().map(Step::entry).collect(),
                reload: Vec::new(),
                back: true,
            };
            self.state
                .save(NAME, &record)
                .map_err(|e| trouble(&self.state.path(NAME), e))?;
            for step in &back {
                replace(disk, step).map_err(|e| at(step, e))?;
            }
        }
        // What was undone, now or at an earlier call, becomes durable before the journal goes,
        // and the journal goes before the new files.
        let forget = || -> Result<(), Trouble> {
            if done > 0 {
                sync_folders(disk, steps)?;
            }
            self.state
                .remove(NAME)
                .map_err(|e| trouble(&self.state.path(NAME), e))
        };
        let sweep = || -> Result<(), Trouble> {
            for step in steps {
                match disk.remove(&step.target.new_path()) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(step, e)),
                    _ => {}
                }
            }
            Ok(())
        };
        if forget().is_ok() {
            return sweep();
        }
        // Without them a journal that stays is undone.
        sweep()?;
        sync_folders(disk, steps)?;
        forget()
    }

    /// Settles what is unsettled; tells whether state files may have become others.
    fn settle_now(&mut self) -> Result<bool, Trouble> {
        match &self.unsettled {
            Unsettled::None => return Ok(false),
            Unsettled::Undo(steps, done) => {
                self.undo(steps, *done)?;
                info!("the change that failed is undone");
                self.unsettled = Unsettled::None;
                return Ok(false);
            }
            Unsettled::Recover => {}
        }
        let settled = recover(&self.state).map_err(|e| trouble(&self.state.path(NAME), e))?;
        self.unsettled = Unsettled::None;
        if settled.outcome == Outcome::Clean {
            return Ok(false);
        }
        warn!(
            "an interrupted change was settled only now; to be reloaded: {:?}",
            settled.reload
        );
        if let Some(reloads) = &self.reloads {
            reloads.add_settled(&settled.reload);
        }
        if let Some(trials) = &self.trials {
            trials.load_again();
        }
        Ok(true)
    }
}

impl Journal for DiskJournal {
    fn commit(&mut self, files: &[FileChange]) -> Result<(), Trouble> {
        self.try_commit(files)
    }

    fn state_path(&self, name: &str) -> PathBuf {
        self.state.path(name)
    }

    fn load(&mut self, name: &str) -> Option<Vec<u8>> {
        self.state.load_bytes(name)
    }

    fn settle(&mut self) -> bool {
        self.settle_now().unwrap_or_else(|e| {
            debug!("{e}");
            false
        })
    }

    fn set_aside(&mut self, name: &str, why: &str) {
        self.state.set_aside(name, why);
    }
}

impl Step {
    fn entry(&self) -> Entry {
        Entry {
            path: self.path.clone(),
            old: self.old.as_deref().map(print),
            new: self.new.as_deref().map(print),
        }
    }

    /// The same step backwards.
    fn inverse(&self) -> Step {
        Step {
            target: self.target.clone(),
            path: self.path.clone(),
            old: self.new.clone(),
            new: self.old.clone(),
            mode: self.target.stat.map_or(self.mode, |s: Stat| s.mode),
        }
    }
}

/// Puts the new file in the old one's place, or removes it.
fn replace(disk: &dyn Disk, step: &Step) -> io::Result<()> {
    match &step.new {
        Some(_) => disk.rename(&step.target.new_path(), &step.target.path),
        None => disk.remove(&step.target.path),
    }
}

fn sync_folders(disk: &dyn Disk, steps: &[Step]) -> Result<(), Trouble> {
    let dirs: BTreeSet<&Path> = steps.iter().map(|s| s.target.dir()).collect();
    for dir in dirs {
        disk.sync_dir(dir).map_err(|e| trouble(dir, e))?;
    }
    Ok(())
}

fn trouble(path: &Path, what: impl std::fmt::Display) -> Trouble {
    Trouble {
        source: format!("file {}", path.display()),
        what: what.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::atomic::{beside, is_left_over};
    use super::*;

    #[test]
    fn new_files_are_hidden_from_libuci_and_known_again() {
        let new = beside(Path::new("/etc/config/network"));
        assert_eq!(new, Path::new("/etc/config/.network.cwmp-new"));
        assert!(is_left_over(".network.cwmp-new"));
        assert!(!is_left_over("network.cwmp-new"));
        assert!(!is_left_over(".cwmp-new"));
    }
}
