//! Writing what an archive holds into a folder of its own.

use super::{ArchiveError, Limits};
use std::path::Path;

/// What an archive holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, folders and links.
    pub entries: u32,
    /// Bytes of the files' contents.
    pub bytes: u64,
}

/// Reads an archive to its end and checks everything that [`unpack`] would, but writes
/// nothing and does not ask for space.
///
/// # Errors
/// As [`unpack`], but for space and disk.
pub fn survey(_file: &Path, _limits: &Limits) -> Result<Unpacked, ArchiveError> {
    todo!()
}

/// Unpacks an archive into the folder `into`, which is made and must not be there yet (its
/// parent must). The archive is read twice: nothing is written before all of it was found
/// to be good and to fit, with `keep_free` bytes left on that file system. Everything
/// is durable when this returns `Ok`; otherwise `into` is gone again.
///
/// Files and folders belong to the user of this process, with the permission bits of the
/// archive (set-id and sticky bits taken away; the owner can always read and write).
/// Symbolic links are taken where they lead to a relative path inside the folder, with
/// `..` at its beginning only, so that no chain of links leads out. Refused: other links,
/// hard links, devices, FIFOs, two entries of one name, an entry below one that is no
/// folder.
///
/// `stopped` is asked now and then: once it says yes, this ends.
///
/// # Errors
/// Every [`ArchiveError`].
pub fn unpack(
    _file: &Path,
    _into: &Path,
    _limits: &Limits,
    _keep_free: u64,
    _stopped: &dyn Fn() -> bool,
) -> Result<Unpacked, ArchiveError> {
    todo!()
}

/// Puts the folder `new` in the place of the folder `target` beside it and takes the old
/// one away. Where `target` is there, both change places in one step, so that a power cut
/// leaves the old or the new one; on a file system that cannot do that (JFFS2) the old one
/// is renamed first, and a power cut in that moment leaves `target` missing.
///
/// # Errors
/// [`ArchiveError::Io`]: `target` is as it was.
pub fn swap(_new: &Path, _target: &Path) -> Result<(), ArchiveError> {
    todo!()
}
