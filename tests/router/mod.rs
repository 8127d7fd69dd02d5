//! A sample router: an OpenWrt home router's files on a directory of its own, for tests
//! and for the `try` command. It runs with `--root` on that directory.
//!
//! Every copy is new, private and gone when dropped. This module knows files only; it
//! must never start anything.

// Each test program, and `try`, uses a part of this.
#![allow(dead_code)]

pub mod files;

pub use files::FILES;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A throw-away copy of the sample router; dropping it removes it.
#[derive(Debug)]
pub struct Router {
    root: PathBuf,
}

impl Router {
    /// A fresh copy in the system's folder for temporary files.
    pub fn new() -> io::Result<Router> {
        Router::new_in(&std::env::temp_dir())
    }

    /// A fresh copy in a new folder below `parent`.
    pub fn new_in(parent: &Path) -> io::Result<Router> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // A folder that somebody left behind, or put there, is never used: the next
        // number is.
        for _ in 0..1000 {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let root = parent.join(format!("cwmp-router-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&root) {
                Ok(()) => {
                    let router = Router { root };
                    unpack(&router.root)?;
                    return Ok(router);
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("no free name for a sample router in {}", parent.display()),
        ))
    }

    /// The directory that stands for `/`: what `--root` takes.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of a router's file (`/etc/config/system`, with or without the first
    /// slash).
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Reads a router's file.
    pub fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.path(path))
    }

    /// Writes a router's file as a neighbour on the router would: in place, with
    /// folders made where they are missing.
    pub fn write(&self, path: &str, content: &str) -> io::Result<()> {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // Nobody is left to be told; what stays behind lies in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Writes the sample router below `root`, an existing folder.
pub fn unpack(root: &Path) -> io::Result<()> {
    for (path, mode, content) in FILES {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(*mode)
            .open(&path)?
            .write_all(content.as_bytes())?;
    }
    Ok(())
}
