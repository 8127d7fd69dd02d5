//! Replacing one file atomically.

use super::disk::{Disk, Stat};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// How the name of a new file ends until it takes the place of the old one:
/// `.network.cwmp-new`. A name that begins with a dot is no package to libuci.
pub(super) const NEW: &str = ".cwmp-new";

/// Writes `content` to `path` so that a reader, or the next start after a power cut,
/// finds all of the old or all of the new: a new file beside it, fsync, rename, fsync of
/// the folder. An existing file keeps its mode and owner; `mode` is for a new one.
/// A symbolic link stays and its target is replaced. Equal content is not written:
/// `Ok(false)`. An error means that the old file is still there, unless only the last fsync
/// failed: then it is the new one, perhaps not for ever.
pub fn write(disk: &dyn Disk, path: &Path, content: &[u8], mode: u32) -> io::Result<bool> {
    let target = Target::at(disk, path)?;
    if let Some(stat) = target.stat {
        // One byte more than the new content: a longer file differs anyhow.
        let limit = (content.len() as u64).saturating_add(1);
        if stat.len <= limit
            && disk
                .read(&target.path, limit)
                .is_ok_and(|old| old == content)
        {
            return Ok(false);
        }
    }
    let new = target.create_new(disk, content, mode)?;
    if let Err(e) = disk.rename(&new, &target.path) {
        // What stays behind is taken away by the next write or recovery.
        let _ = disk.remove(&new);
        return Err(e);
    }
    disk.sync_dir(target.dir())?;
    Ok(true)
}

/// The file that a path means: links resolved, what is there now.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub path: PathBuf,
    /// `None`: nothing is there.
    pub stat: Option<Stat>,
}

impl Target {
    pub fn at(disk: &dyn Disk, path: &Path) -> io::Result<Target> {
        match disk.resolve(path) {
            Ok(real) => {
                let stat = disk.stat(&real)?;
                if !stat.is_file {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "not a regular file",
                    ));
                }
                Ok(Target {
                    path: real,
                    stat: Some(stat),
                })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "not a file's path",
                    ));
                };
                Ok(Target {
                    path: disk.resolve(dir)?.join(name),
                    stat: None,
                })
            }
            Err(e) => Err(e),
        }
    }

    /// The folder it lies in.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Where the new file is written before it takes its place.
    pub fn new_path(&self) -> PathBuf {
        beside(&self.path)
    }

    /// Writes the new file beside the old one and fsyncs it. The folder is not synced.
    pub fn create_new(&self, disk: &dyn Disk, content: &[u8], mode: u32) -> io::Result<PathBuf> {
        let new = self.new_path();
        match disk.remove(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let (mode, owner) = match self.stat {
            Some(old) => (old.mode, Some((old.uid, old.gid))),
            None => (mode, None),
        };
        if let Err(e) = disk.create(&new, content, mode, owner) {
            let _ = disk.remove(&new);
            return Err(e);
        }
        Ok(new)
    }
}

/// The name of the new file beside `path`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let Some(name) = path.file_name() else {
        // No file that anybody writes.
        return path.join([".file", NEW].concat());
    };
    let dir = path.parent().unwrap_or(Path::new("")).as_os_str();
    let mut new = OsString::with_capacity(dir.len() + 2 + name.len() + NEW.len());
    new.push(dir);
    if !dir.is_empty() && dir != "/" {
        new.push("/");
    }
    new.push(".");
    new.push(name);
    new.push(NEW);
    new.into()
}

/// Whether a name in a folder is one that [`beside`] gives.
pub(super) fn is_left_over(name: &str) -> bool {
    name.len() > NEW.len() + 1 && name.starts_with('.') && name.ends_with(NEW)
}
