//! `run_dir`: sockets and markers, gone after a reboot.

use super::disk::{Disk, RealDisk};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The run folder (mode 0700).
#[derive(Clone)]
pub struct RunDir {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl RunDir {
    /// Makes the folder where it does not exist.
    pub fn open(dir: &Path) -> io::Result<RunDir> {
        RunDir::open_on(Arc::new(RealDisk), dir)
    }

    /// As [`open`](Self::open), on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<RunDir> {
        disk.make_dir(dir, 0o700)?;
        Ok(RunDir::at(disk, dir))
    }

    /// The folder, which may not be there: then nothing is in it, and writing fails.
    pub fn at(disk: Arc<dyn Disk>, dir: &Path) -> RunDir {
        RunDir {
            disk,
            dir: dir.to_owned(),
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the marker is set.
    pub fn has(&self, marker: &str) -> bool {
        self.disk.stat(&self.dir.join(marker)).is_ok()
    }

    /// Puts a small file in place, whole or not at all (mode 0600). It need not survive a
    /// power cut.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = self.dir.join(format!("{name}.new"));
        self.remove(&new)?;
        let written = self
            .disk
            .create(&new, content, 0o600, None)
            .and_then(|()| self.disk.rename(&new, &self.dir.join(name)));
        if written.is_err() {
            let _ = self.disk.remove(&new);
        }
        written
    }

    /// What [`write`](Self::write) put there; an error beyond `limit` bytes.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.disk.read(&self.dir.join(name), limit)
    }

    /// Sets a marker (an empty file, mode 0600).
    pub fn set(&self, marker: &str) -> io::Result<()> {
        match self.disk.create(&self.dir.join(marker), b"", 0o600, None) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// Takes a marker away; no error where it is not set.
    pub fn clear(&self, marker: &str) -> io::Result<()> {
        self.remove(&self.dir.join(marker))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
