//! The journal: several files change together or none, whatever happens in between.
//!
//! ```text
//!  new files beside the old, fsync   power cut: undone, they are swept away
//!            |
//!  journal (old and new SHA-256 of each file), fsync
//!            |                       from here on a power cut is finished by recovery
//!  rename each new file, fsync
//!            |                       an error: the same way back, with a journal that
//!  journal removed                   names the old contents as the new ones
//! ```
//!
//! Recovery goes by hashes: a file that is neither as it was nor as it was to become was
//! edited by somebody since, and is left alone.

use super::atomic::{Target, beside, is_left_over};
use super::disk::{Disk, Stat};
use super::reloads::Reloads;
use super::state::{LIMIT, StateDir, hex, seal, sha256, sha256_of_both, unseal};
use crate::model::source::{FileChange, Journal, Trouble};
use log::{debug, error, info, warn};
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
}

/// One file of a change. Hashes are hexadecimal SHA-256; `None`: there is no file.
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
            remembered: BTreeSet::new(),
        }
    }

    /// The same, telling what is to be reloaded before the first file changes.
    #[must_use]
    pub fn telling(mut self, reloads: Reloads) -> DiskJournal {
        self.reloads = Some(reloads);
        self
    }

    fn try_commit(&mut self, files: &[FileChange]) -> Result<(), Trouble> {
        self.settle_now()?;
        let steps = self.steps(files)?;
        if steps.is_empty() {
            return Ok(());
        }
        let mut reload: Vec<String> = Vec::new();
        for name in files.iter().flat_map(|f| &f.reload) {
            if !reload.contains(name) {
                reload.push(name.clone());
            }
        }
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
            let now = hash_of(disk, &step.target.path).map_err(|e| at(step, e))?;
            if now == step.new.as_deref().map(hash) {
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
            };
            self.state
                .save(NAME, &record)
                .map_err(|e| trouble(&self.state.path(NAME), e))?;
            for step in &back {
                replace(disk, step).map_err(|e| at(step, e))?;
            }
        }
        // First the new files: without them a journal that stays is undone. What was undone
        // at an earlier call becomes durable here, before the journal goes.
        for step in steps {
            match disk.remove(&step.target.new_path()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(step, e)),
                _ => {}
            }
        }
        if done > 0 {
            sync_folders(disk, steps)?;
        }
        self.state
            .remove(NAME)
            .map_err(|e| trouble(&self.state.path(NAME), e))
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
        let (old, new) = match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                let (old, new) = sha256_of_both(old, new);
                (Some(hex(old.as_ref())), Some(hex(new.as_ref())))
            }
            (old, new) => (old.as_deref().map(hash), new.as_deref().map(hash)),
        };
        Entry {
            path: self.path.clone(),
            old,
            new,
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

fn hash(content: &[u8]) -> String {
    hex(sha256(content).as_ref())
}

fn trouble(path: &Path, what: impl std::fmt::Display) -> Trouble {
    Trouble {
        source: format!("file {}", path.display()),
        what: what.to_string(),
    }
}

/// What [`recover`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub outcome: Outcome,
    /// Packages whose files the interrupted change touched: they are to be reloaded.
    pub reload: Vec<String>,
    /// Files that somebody edited since; they were left as they are.
    pub left: Vec<PathBuf>,
}

/// What became of an interrupted change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    #[default]
    Clean,
    /// All its files are as they were to become.
    Finished,
    /// All its files are as they were.
    Undone,
}

/// How a file stands against the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Old,
    New,
    /// Edited since.
    Other,
}

/// Finishes or undoes a change that a power cut or a crash interrupted, and removes what
/// it left behind. The caller holds the state lock. An error (the disk) leaves the
/// journal for the next try.
pub fn recover(state: &StateDir) -> io::Result<Recovered> {
    let disk = &*state.disk();
    let mut dirs: BTreeSet<PathBuf> = BTreeSet::from([state.dir().to_owned()]);
    dirs.extend(
        state
            .load::<BTreeSet<String>>(FOLDERS)
            .unwrap_or_default()
            .into_iter()
            .map(PathBuf::from),
    );
    let recovered = match read_record(state)? {
        Found::Nothing => Recovered::default(),
        Found::Torn(why) => {
            // The journal is whole before the first rename: nothing was changed yet.
            state.set_aside(NAME, &why);
            Recovered {
                outcome: Outcome::Undone,
                ..Recovered::default()
            }
        }
        Found::Record(record) => {
            dirs.extend(
                record
                    .entries
                    .iter()
                    .filter_map(|e| Path::new(&e.path).parent().map(Path::to_owned)),
            );
            let recovered = settle(disk, record)?;
            for dir in &dirs {
                match disk.sync_dir(dir) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
            match state.remove(NAME) {
                // Gone, though perhaps not for good: should it come back, there is nothing
                // left to do but to reload again.
                Err(e) if disk.stat(&state.path(NAME)).is_err() => {
                    warn!("{}: {e}", state.path(NAME).display());
                }
                removed => removed?,
            }
            info!(
                "an interrupted change was {}",
                match recovered.outcome {
                    Outcome::Undone => "undone",
                    _ => "finished",
                }
            );
            recovered
        }
    };
    for dir in &dirs {
        sweep_folder(disk, dir);
    }
    Ok(recovered)
}

enum Found {
    Nothing,
    Torn(String),
    Record(Record),
}

fn read_record(state: &StateDir) -> io::Result<Found> {
    let bytes = match state.disk().read(&state.path(NAME), LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        // A folder, a pipe or whatever: none that this program wrote.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::FileTooLarge
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::IsADirectory
            ) =>
        {
            return Ok(Found::Torn(e.to_string()));
        }
        Err(e) => return Err(e),
    };
    Ok(match unseal(NAME, bytes) {
        Err(why) => Found::Torn(why),
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(record) => Found::Record(record),
            Err(e) => Found::Torn(format!("its content is not understood: {e}")),
        },
    })
}

/// Makes the files of a record agree.
fn settle(disk: &dyn Disk, record: Record) -> io::Result<Recovered> {
    let mut stands = Vec::with_capacity(record.entries.len());
    let mut whole = true;
    for entry in &record.entries {
        let path = Path::new(&entry.path);
        let now = hash_of(disk, path)?;
        // Asked in this order: the new file may have come to its place and the old
        // content may be the same as that of an absent file nowhere.
        let stand = if now == entry.new {
            Stand::New
        } else if now == entry.old {
            Stand::Old
        } else {
            Stand::Other
        };
        if stand == Stand::Old && entry.new.is_some() && hash_of(disk, &beside(path))? != entry.new
        {
            whole = false;
        }
        stands.push(stand);
    }
    let mut recovered = Recovered {
        outcome: Outcome::Finished,
        ..Recovered::default()
    };
    let begun = stands.contains(&Stand::New);
    if !begun && !whole {
        recovered.outcome = Outcome::Undone;
        return Ok(recovered);
    }
    for (entry, stand) in record.entries.iter().zip(stands) {
        let path = Path::new(&entry.path);
        match stand {
            Stand::New => {}
            Stand::Other => {
                warn!(
                    "{}: edited since the interrupted change; left as it is",
                    entry.path
                );
                recovered.left.push(path.to_owned());
            }
            Stand::Old if entry.new.is_none() => disk.remove(path)?,
            Stand::Old => {
                let new = beside(path);
                if hash_of(disk, &new)? == entry.new {
                    disk.rename(&new, path)?;
                } else {
                    error!(
                        "{}: its new content is gone; it stays as it was",
                        entry.path
                    );
                    recovered.left.push(path.to_owned());
                }
            }
        }
    }
    recovered.reload = record.reload;
    Ok(recovered)
}

/// The hash of a file's content; `None` where there is no file.
fn hash_of(disk: &dyn Disk, path: &Path) -> io::Result<Option<String>> {
    match disk.read(path, FILE_LIMIT) {
        Ok(content) => Ok(Some(hash(&content))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        // Grown beyond all bounds, or a folder now: it is neither old nor new.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(Some("neither".to_owned()))
        }
        Err(e) => Err(e),
    }
}

/// Removes new files that never took their place.
fn sweep_folder(disk: &dyn Disk, dir: &Path) {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return,
        Err(e) => {
            warn!("{}: cannot be looked through: {e}", dir.display());
            return;
        }
    };
    let mut removed = false;
    for name in names.iter().filter(|n| is_left_over(n)) {
        match disk.remove(&dir.join(name)) {
            Ok(()) => removed = true,
            Err(e) => warn!("{}: cannot be removed: {e}", dir.join(name).display()),
        }
    }
    // Were the removal lost with the power, and the rename of the next new file of that name
    // were not, this one would take the place that was meant for the next.
    if removed && let Err(e) = disk.sync_dir(dir) {
        warn!("{}: cannot be synced: {e}", dir.display());
    }
}

#[cfg(test)]
mod tests {
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
