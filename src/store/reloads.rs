//! Which packages are changed on disk and not yet reloaded. Kept in the run folder: after a
//! boot everything is as the files say, after a restart of the agent alone it may not be.

use super::run_dir::RunDir;
use crate::notation::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file in the run folder, and the most that is read of it, bytes.
const NAME: &str = "reload";
const LIMIT: u64 = 64 << 10;

/// See the module. Clones share one list.
#[derive(Clone)]
pub struct Reloads {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    run_dir: RunDir,
    waiting: BTreeSet<String>,
    /// Of an interrupted change that a later one settled: nobody else will ask for them.
    settled: BTreeSet<String>,
}

impl Reloads {
    /// What the run folder remembers.
    pub fn load(run_dir: RunDir) -> Reloads {
        let waiting = run_dir
            .read(NAME, LIMIT)
            .ok()
            .and_then(|text| json::read(&text).ok())
            .unwrap_or_default();
        Reloads {
            inner: Arc::new(Mutex::new(Inner {
                run_dir,
                waiting,
                settled: BTreeSet::new(),
            })),
        }
    }

    /// These are about to change on disk.
    pub fn add(&self, packages: &[String]) {
        let mut inner = self.lock();
        let before = inner.waiting.len();
        inner.waiting.extend(packages.iter().cloned());
        if inner.waiting.len() != before {
            inner.keep();
        }
    }

    /// These were changed by what was interrupted and is settled now.
    pub fn add_settled(&self, packages: &[String]) {
        self.add(packages);
        self.lock().settled.extend(packages.iter().cloned());
    }

    /// These were reloaded, or did not change after all.
    pub fn done<'a>(&self, packages: impl IntoIterator<Item = &'a String>) {
        let mut inner = self.lock();
        let before = inner.waiting.len();
        for package in packages {
            inner.waiting.remove(package);
            inner.settled.remove(package);
        }
        if inner.waiting.len() != before {
            inner.keep();
        }
    }

    /// All that wait.
    pub fn waiting(&self) -> BTreeSet<String> {
        self.lock().waiting.clone()
    }

    /// Those that wait for nobody's session to end.
    pub fn settled(&self) -> BTreeSet<String> {
        self.lock().settled.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&self) {
        let kept = match self.waiting.is_empty() {
            true => self.run_dir.clear(NAME),
            false => serde_json::to_vec(&self.waiting)
                .map_err(std::io::Error::other)
                .and_then(|text| self.run_dir.write(NAME, &text)),
        };
        if let Err(e) = kept {
            log::warn!("which packages are to be reloaded cannot be noted: {e}");
        }
    }
}
