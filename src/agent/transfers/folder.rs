//! The download folder: `/tmp/cwmp-agent` below the root, for files that are on their way.
//!
//! It is the agent's own (mode 0700) and gone after a boot, as everything in /tmp is. /tmp is
//! writable by all: what somebody else has put in its place is not used.

use crate::agent::world::World;
use crate::transfer::queue::Id;
use crate::transfer::{apply, fetch};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder that it is in, below the root, and its name.
const PARENT: &str = "/tmp";
const NAME: &str = "cwmp-agent";
/// The most entries that are looked at.
const MAX_ENTRIES: usize = 1024;

/// Where it is, or would be.
pub fn path(world: &World) -> io::Result<PathBuf> {
    let parent = world.setup.root.path(PARENT).map_err(io::Error::other)?;
    Ok(parent.join(NAME))
}

/// The folder, made where it is not there.
pub fn make(world: &World) -> io::Result<PathBuf> {
    let folder = path(world)?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let found = fs::symlink_metadata(&folder)?;
    if !is_ours(&found) {
        return Err(io::Error::other(format!(
            "{} is no folder of this program's; take it away",
            folder.display()
        )));
    }
    if found.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(folder)
}

/// Whether it is a folder of this program's user, which nobody else can put something else in
/// the place of.
fn is_ours(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw()
}

/// The folder, if it is there and ours.
fn present(world: &World) -> Option<PathBuf> {
    let folder = path(world).ok()?;
    let found = fs::symlink_metadata(&folder).ok()?;
    is_ours(&found).then_some(folder)
}

/// Where the file of this transfer lies.
pub fn place(folder: &Path, id: Id) -> PathBuf {
    folder.join(format!("{id}"))
}

/// Takes away what belongs to no transfer in the queue; the folder, too, where that leaves
/// nothing.
pub fn sweep(world: &World) {
    let Some(folder) = present(world) else { return };
    let queue = world.transfers();
    let entries = fs::read_dir(&folder).into_iter().flatten();
    for entry in entries.flatten().take(MAX_ENTRIES) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let id = name.split('.').next().and_then(|id| id.parse().ok());
        if id.is_some_and(|id| queue.has(id)) {
            continue;
        }
        let gone = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        if let Err(e) = gone {
            log::warn!("{}: {e}", entry.path().display());
        }
    }
    drop(queue);
    // Only where it is empty.
    let _ = fs::remove_dir(&folder);
}

/// The file of a transfer is not needed any more.
pub fn clear(world: &World, id: Id) {
    if let Some(folder) = present(world) {
        let file = place(&folder, id);
        fetch::discard(&file);
        apply::clear(&file);
        let _ = fs::remove_dir(&folder);
    }
}
