//! A disk in memory: what is on it stays for the next start of the agent.

use cwmp_agent::store::disk::{Disk, Stat};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    /// Whether it is full.
    full: AtomicBool,
}

impl MemoryDisk {
    pub fn fail(&self, fails: bool) {
        self.full.store(fails, Ordering::Relaxed);
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &Path, _limit: u64) -> Result<Vec<u8>> {
        let found = self.files().get(path).cloned();
        found.ok_or_else(|| Error::from(ErrorKind::NotFound))
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        let len = self.read(path, u64::MAX)?.len() as u64;
        Ok(Stat {
            mode: 0o600,
            uid: 0,
            gid: 0,
            len,
            is_file: true,
            is_dir: false,
        })
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf> {
        // Folders are wherever they are asked for.
        if path.parent() != Some(Path::new("/")) {
            self.stat(path)?;
        }
        Ok(path.to_owned())
    }

    fn create(
        &self,
        path: &Path,
        content: &[u8],
        _mode: u32,
        _owner: Option<(u32, u32)>,
    ) -> Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        self.files().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = self.files();
        let content = files
            .remove(from)
            .ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.files().remove(path);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn make_dir(&self, _dir: &Path, _mode: u32) -> Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let files = self.files();
        let inside = files.keys().filter_map(|p| p.strip_prefix(dir).ok());
        Ok(inside.map(|p| p.display().to_string()).collect())
    }
}
