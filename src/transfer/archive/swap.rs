//! A folder in two versions, of which one is seen: the switch from one to the other is a
//! single rename.
//!
//! ```text
//! /www/portal            -> .portal.cwmp-a     what everybody sees
//! /www/.portal.cwmp-a/
//! /www/.portal.cwmp-b/                         the next version, while it is unpacked
//! ```
//!
//! A folder cannot be renamed over another one, and two renames have a moment between
//! them in which power may go; a link can be replaced by another.

use super::ArchiveError;
use super::unpack::io_at;
use log::warn;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// How the names of the two folders end, and that of a link on its way.
const VERSIONS: [&str; 2] = ["cwmp-a", "cwmp-b"];
const LINK: &str = "cwmp-link";
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 4096;

/// `.NAME.SUFFIX` beside `target`.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".");
    name.push(suffix);
    target.with_file_name(name)
}

/// The version that `target` is; `None`: there is nothing.
fn version(target: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    match target.read_link() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(to) => {
            let to = target.with_file_name(to);
            if VERSIONS.iter().any(|v| to == beside(target, v)) {
                return Ok(Some(to));
            }
        }
        // No link.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
        Err(e) => return Err(io_at(target, e)),
    }
    let what = "was not put there by a transfer; it is not replaced";
    let error = io::Error::new(io::ErrorKind::AlreadyExists, what);
    Err(io_at(target, error))
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_folder_of(target: &Path) -> io::Result<()> {
    File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Whether `target` may be given a new version: nothing is there, or what [`swap`] put there.
///
/// # Errors
/// [`ArchiveError::Io`] where something else is.
pub fn replaceable(target: &Path) -> Result<(), ArchiveError> {
    version(target).map(drop)
}

/// Where the next version of `target` is to be unpacked to: a path beside it at which
/// nothing is; what a power cut left there is taken away.
///
/// # Errors
/// [`ArchiveError::Io`]; above all where `target` is there and is not of [`swap`]'s making.
pub fn spare(target: &Path) -> Result<PathBuf, ArchiveError> {
    let present = version(target)?;
    let mut spare = None;
    for suffix in VERSIONS {
        let path = beside(target, suffix);
        if Some(&path) != present.as_ref() {
            remove_folder(&path).map_err(|e| io_at(&path, e))?;
            spare = Some(path);
        }
    }
    // One of two is not the present one.
    Ok(spare.unwrap_or_else(|| beside(target, "cwmp-a")))
}

/// Makes `target` a link to the folder `new`, which is one that [`spare`] named, and takes
/// the old version away. A power cut leaves the old or the new one.
///
/// # Errors
/// [`ArchiveError::Io`]: `target` is as it was.
pub fn swap(new: &Path, target: &Path) -> Result<(), ArchiveError> {
    let failed = |e: io::Error| io_at(target, e);
    let old = version(target)?;
    let link = beside(target, LINK);
    match fs::remove_file(&link) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let name = new.file_name().unwrap_or_default();
    symlink(name, &link).map_err(failed)?;
    // First what the link will lead to.
    sync_folder_of(target).map_err(failed)?;
    if let Err(e) = fs::rename(&link, target) {
        let _ = fs::remove_file(&link);
        return Err(failed(e));
    }
    if let Err(e) = sync_folder_of(target) {
        warn!("{}: cannot be made durable: {e}", target.display());
    }
    if let Some(old) = old.filter(|old| old != new)
        && let Err(e) = remove_folder(&old)
    {
        // The next version takes it away.
        warn!("{}: cannot be taken away: {e}", old.display());
    }
    Ok(())
}

/// Takes away what a power cut has left in `folder`: versions that no link leads to, links on
/// their way. For a moment at which none is being made.
pub fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.take(MAX_ENTRIES) {
        let name = entry.file_name();
        let Some(bare) = name.to_str().and_then(|name| name.strip_prefix('.')) else {
            continue;
        };
        let Some((target, suffix)) = bare.rsplit_once('.') else {
            continue;
        };
        let is_version = VERSIONS.contains(&suffix);
        let kind = entry.file_type();
        let is_ours = match kind {
            Ok(kind) => is_version && kind.is_dir() || suffix == LINK && kind.is_symlink(),
            Err(_) => false,
        };
        // Beside what a transfer did not put there nothing is a transfer's.
        let Ok(present) = version(&folder.join(target)) else {
            continue;
        };
        if target.is_empty() || !is_ours || present.as_deref() == Some(&entry.path()) {
            continue;
        }
        let gone = match is_version {
            true => remove_folder(&entry.path()),
            false => fs::remove_file(entry.path()),
        };
        if let Err(e) = gone {
            warn!("{}: cannot be taken away: {e}", entry.path().display());
        }
    }
}

/// Takes `target` away, with what it leads to.
///
/// # Errors
/// [`ArchiveError::Io`]; above all where `target` is there and is not of [`swap`]'s making.
pub fn remove(target: &Path) -> Result<(), ArchiveError> {
    if version(target)?.is_some() {
        fs::remove_file(target).map_err(|e| io_at(target, e))?;
        sync_folder_of(target).map_err(|e| io_at(target, e))?;
    }
    for suffix in VERSIONS {
        let path = beside(target, suffix);
        remove_folder(&path).map_err(|e| io_at(&path, e))?;
    }
    Ok(())
}
