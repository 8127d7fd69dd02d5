//! Changes on trial: what files were before an ACS changed them, until it is proved that
//! the ACS can still be reached.
//!
//! ```text
//! none --- a change that touches one of the packages ---> on trial --- proved ---> none
//!                                                         |      ^
//!                                                         |      +--- a further change of the ACS
//!                                                         +--- time is over: the old files ---> none
//! ```
//! The record is one more file of the very change that it is about ([`journal`](super::journal)):
//! a power cut leaves both or neither. This module decides nothing about time, and puts
//! nothing back by itself.

use super::disk::Disk;
use super::state::{StateDir, hex, sha256};
use crate::model::source::FileChange;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the state file.
pub(super) const FILE: &str = "trial";
/// The most that is kept of old files, bytes. The packages in question have a few kilobytes.
const MAX_KEPT: usize = 1 << 20;
/// The largest file that is looked at to tell whether somebody has edited it, bytes.
const FILE_LIMIT: u64 = 16 << 20;

/// What is on trial.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    files: Vec<Before>,
    /// The packages that the changes made to be reloaded.
    pub reload: BTreeSet<String>,
    /// What the ACS has changed: the paths in its requests.
    pub paths: BTreeSet<String>,
}

/// A file as it was before the trial began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    path: String,
    mode: u32,
    /// Its content in base64; `None`: there was no file.
    old: Option<String>,
    /// SHA-256 of what the latest change on trial made of it; `None`: no file.
    new: Option<String>,
}

/// One file of a change, as the journal sees it.
pub(super) struct Changed<'a> {
    pub path: &'a str,
    pub mode: u32,
    /// Without the header of a state file.
    pub old: Option<&'a [u8]>,
    pub new: Option<&'a [u8]>,
}

/// A file that goes back, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    pub path: PathBuf,
    pub content: Option<Vec<u8>>,
    pub mode: u32,
    /// SHA-256 of what is there now, if nobody has edited it since.
    new: Option<String>,
}

impl Back {
    /// Whether this content (`None`: no file) is what the change left, so that nobody's
    /// later edit is lost.
    pub fn fits(&self, now: Option<&[u8]>) -> bool {
        now.map(hash) == self.new
    }
}

/// What is on trial, and whether further changes join it. Clones share it.
#[derive(Clone)]
pub struct Trials {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    state: StateDir,
    /// Packages whose changes begin a trial; none: there are no trials.
    packages: BTreeSet<String>,
    trial: Option<Trial>,
    /// The request of the ACS that is being answered changes these paths.
    open: Option<Vec<String>>,
    /// The ACS was reached since the trial began: a further change begins another one.
    proved: bool,
    /// How many changes have joined a trial since the start.
    joined: u32,
}

impl Trials {
    /// What the state folder remembers. `packages`: whose changes go on trial.
    pub fn load(state: &StateDir, packages: BTreeSet<String>) -> Trials {
        Trials {
            inner: Arc::new(Mutex::new(Inner {
                state: state.clone(),
                packages,
                trial: state.load(FILE),
                open: None,
                proved: false,
                joined: 0,
            })),
        }
    }

    /// A request of the ACS that changes these paths begins; until [`close`](Self::close)
    /// what is committed may go on trial.
    pub fn open(&self, paths: Vec<String>) {
        let mut inner = self.lock();
        if !inner.packages.is_empty() {
            inner.open = Some(paths);
        }
    }

    /// The request is answered.
    pub fn close(&self) {
        self.lock().open = None;
    }

    /// Whether something is on trial.
    pub fn is_on(&self) -> bool {
        self.lock().trial.is_some()
    }

    /// What is on trial.
    pub fn trial(&self) -> Option<Trial> {
        self.lock().trial.clone()
    }

    /// A session begins, and has proved nothing yet.
    pub fn session_begins(&self) {
        self.lock().proved = false;
    }

    /// The ACS has answered the Inform: what it changes from now on is another trial.
    pub fn reached(&self) {
        self.lock().proved = true;
    }

    /// Whether something is on trial that the session has proved.
    pub fn is_proved(&self) -> bool {
        let inner = self.lock();
        inner.proved && inner.trial.is_some()
    }

    /// How many changes have joined a trial since the start.
    pub fn joined_times(&self) -> u32 {
        self.lock().joined
    }

    /// The trial is over, and what was changed stays.
    ///
    /// # Errors
    /// What the disk said; the trial goes on then.
    pub fn over(&self) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.trial.is_some() {
            inner.state.remove(FILE)?;
            inner.trial = None;
        }
        Ok(())
    }

    /// The trial has ended with what was written to the disk: the old files are back and the
    /// record is gone.
    pub fn taken_back(&self) {
        self.lock().trial = None;
    }

    /// An interrupted change was settled: the record may be there now, or be gone.
    pub(super) fn load_again(&self) {
        let mut inner = self.lock();
        inner.trial = inner.state.load(FILE);
    }

    /// The removal of the record as a part of the change that puts the old files back.
    pub fn end(&self) -> FileChange {
        FileChange {
            path: self.lock().state.path(FILE),
            content: None,
            mode: 0o600,
            reload: Vec::new(),
        }
    }

    /// Whether a change belongs to a trial.
    pub(super) fn is_joined_by(&self, reload: &[String]) -> bool {
        let inner = self.lock();
        let on = inner.trial.is_some() && !inner.proved;
        inner.open.is_some() && (on || reload.iter().any(|name| inner.packages.contains(name)))
    }

    /// The trial with this change in it, and the content of its record.
    ///
    /// # Errors
    /// The old files are too large to be kept.
    pub(super) fn joined(
        &self,
        changes: &[Changed<'_>],
        reload: &[String],
    ) -> Result<(Trial, Vec<u8>), String> {
        let inner = self.lock();
        let before = inner.trial.clone().filter(|_| !inner.proved);
        let mut trial = before.unwrap_or_default();
        for change in changes {
            let new = change.new.map(hash);
            match trial.files.iter_mut().find(|f| f.path == change.path) {
                Some(known) => known.new = new,
                None => trial.files.push(Before {
                    path: change.path.to_owned(),
                    mode: change.mode,
                    old: change.old.map(|old| STANDARD.encode(old)),
                    new,
                }),
            }
        }
        trial.reload.extend(reload.iter().cloned());
        trial.paths.extend(inner.open.iter().flatten().cloned());
        let kept = trial.files.iter().flat_map(|f| &f.old).map(String::len);
        if kept.sum::<usize>() > MAX_KEPT {
            return Err(format!(
                "the files as they were are larger than {MAX_KEPT} bytes, and cannot be kept for [apply] confirm_within"
            ));
        }
        let text = serde_json::to_vec(&trial).map_err(|e| e.to_string())?;
        Ok((trial, text))
    }

    /// The change is in force.
    pub(super) fn join(&self, trial: Trial) {
        let mut inner = self.lock();
        inner.trial = Some(trial);
        inner.proved = false;
        inner.joined = inner.joined.wrapping_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial {
    /// The files that go back, each as it was.
    pub fn files(&self) -> Vec<Back> {
        let decoded = |old: &String| STANDARD.decode(old).ok();
        let back = |file: &Before| {
            Some(Back {
                path: PathBuf::from(&file.path),
                content: match &file.old {
                    // The record is sealed with a checksum: what does not decode was never
                    // written by this program, and is left alone.
                    Some(old) => Some(decoded(old)?),
                    None => None,
                },
                mode: file.mode,
                new: file.new.clone(),
            })
        };
        self.files.iter().filter_map(back).collect()
    }
}

/// The content of a file; `None` where there is none.
///
/// # Errors
/// It cannot be read.
pub fn content(disk: &dyn Disk, path: &std::path::Path) -> io::Result<Option<Vec<u8>>> {
    match disk.read(path, FILE_LIMIT) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn hash(content: &[u8]) -> String {
    hex(sha256(content).as_ref())
}
