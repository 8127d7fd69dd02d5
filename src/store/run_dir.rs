//! `run_dir`: sockets and markers, gone after a reboot.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The run folder (mode 0700).
#[derive(Debug, Clone)]
pub struct RunDir {
    dir: PathBuf,
}

impl RunDir {
    /// Makes the folder where it does not exist.
    pub fn open(dir: &Path) -> io::Result<RunDir> {
        if !dir.is_dir() {
            if let Some(above) = dir.parent() {
                std::fs::create_dir_all(above)?;
            }
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        Ok(RunDir {
            dir: dir.to_owned(),
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the marker is set.
    pub fn has(&self, marker: &str) -> bool {
        self.dir.join(marker).exists()
    }

    /// Puts a small file in place, whole or not at all (mode 0600). Not forced to the disk:
    /// it need not survive a power cut.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = self.dir.join(format!("{name}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(content)?;
        std::fs::rename(&new, self.dir.join(name))
    }

    /// What [`write`](Self::write) put there; at most `limit` bytes of it.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let file = File::open(self.dir.join(name))?;
        file.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Sets a marker (an empty file, mode 0600).
    pub fn set(&self, marker: &str) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.dir.join(marker))?;
        Ok(())
    }

    /// Takes a marker away; no error where it is not set.
    pub fn clear(&self, marker: &str) -> io::Result<()> {
        match std::fs::remove_file(self.dir.join(marker)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}
