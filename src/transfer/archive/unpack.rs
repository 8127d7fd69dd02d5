//! Writing what an archive holds into a folder of its own.

use super::{ArchiveError, Entry, Kind, Limits, Reader};
use log::warn;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::statvfs::statvfs;
use nix::unistd::syncfs;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// How many bytes are written between two looks at the space and at whether to go on.
const LOOK: u64 = 256 << 10;
/// The most bytes of names and targets of links: they are kept until all else is there.
const MAX_LINKS: usize = 256 << 10;

/// What an archive holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, folders and links.
    pub entries: u32,
    /// Bytes of the files' contents.
    pub bytes: u64,
}

/// Reads an archive to its end and checks everything that [`unpack`] would but whether
/// names stand in each other's way; writes nothing and does not ask for space.
///
/// # Errors
/// As [`unpack`], but for space and disk.
pub fn survey(file: &Path, limits: &Limits) -> Result<Unpacked, ArchiveError> {
    look_through(file, limits, 1).map(|(found, _)| found)
}

/// What it holds, and how many bytes that takes in blocks of this size.
fn look_through(file: &Path, limits: &Limits, block: u64) -> Result<(Unpacked, u64), ArchiveError> {
    let mut reader = Reader::open(file, *limits)?;
    let mut found = Unpacked::default();
    let mut needed: u64 = 0;
    while let Some(entry) = reader.next()? {
        may_be_unpacked(&entry)?;
        found.entries += 1;
        found.bytes += entry.size;
        // Each has an inode as well.
        needed = needed.saturating_add(entry.size.next_multiple_of(block).saturating_add(block));
    }
    Ok((found, needed))
}

/// Refuses what is never unpacked.
fn may_be_unpacked(entry: &Entry) -> Result<(), ArchiveError> {
    let what = match &entry.kind {
        Kind::File | Kind::Folder => return Ok(()),
        Kind::Link(to) if stays_inside(&entry.name, to) => return Ok(()),
        Kind::Link(_) => "a link that leads out of it",
        Kind::HardLink(_) => "a hard link",
        Kind::Other(what) => what,
    };
    Err(refused(&entry.name, what))
}

fn refused(name: &str, what: &str) -> ArchiveError {
    ArchiveError::Refused {
        name: name.to_owned(),
        what: what.to_owned(),
    }
}

/// Whether a link of this name leads to something inside. `..` may only stand at the
/// beginning, where it climbs from real folders: behind the name of another link it could
/// climb anywhere.
fn stays_inside(name: &str, to: &str) -> bool {
    if to.starts_with('/') {
        return false;
    }
    let above = name.split('/').count() - 1;
    let parts = to.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut parts = parts.skip_while({
        let mut climbed = 0;
        move |part| {
            climbed += 1;
            *part == ".." && climbed <= above
        }
    });
    parts.all(|part| part != "..")
}

/// Unpacks an archive into the folder `into`, which is made and must not be there yet (its
/// parent must). The archive is read twice: nothing is written before all of it was found
/// to be good and to fit, with `keep_free` bytes left on that file system. Everything
/// is durable when this returns `Ok`; otherwise `into` is gone again.
///
/// Files and folders belong to the user of this process, with the permission bits of the
/// archive, but that nobody else may write, and the owner always may; set-id and sticky
/// bits are taken away. Symbolic links are taken where they lead to a relative path inside
/// the folder, with `..` at its beginning only, so that no chain of links leads out.
/// Refused: other links, hard links, devices, FIFOs, two entries of one name, an entry
/// below one that is no folder.
///
/// `stopped` is asked now and then: once it says yes, this ends.
///
/// # Errors
/// Every [`ArchiveError`].
pub fn unpack(
    file: &Path,
    into: &Path,
    limits: &Limits,
    keep_free: u64,
    stopped: &dyn Fn() -> bool,
) -> Result<Unpacked, ArchiveError> {
    let parent = into.parent().unwrap_or(Path::new("/"));
    let (free, block) = space(parent)?;
    let (found, needed) = look_through(file, limits, block)?;
    enough(free, needed, keep_free)?;
    let writing = Writing {
        into,
        keep_free,
        stopped,
    };
    DirBuilder::new()
        .mode(0o755)
        .create(into)
        .map_err(|e| io_at(into, e))?;
    match writing.all(file, limits) {
        Ok(()) => Ok(found),
        Err(e) => {
            if let Err(gone) = fs::remove_dir_all(into) {
                warn!("{}: cannot be taken away: {gone}", into.display());
            }
            Err(e)
        }
    }
}

pub(super) fn io_at(path: &Path, error: io::Error) -> ArchiveError {
    if error.raw_os_error() == Some(Errno::ENOSPC as i32) {
        return ArchiveError::NoSpace { needed: 0, free: 0 };
    }
    ArchiveError::Io {
        at: path.display().to_string(),
        error,
    }
}

/// Bytes that may be used on the file system of a folder, and the size of its blocks.
#[allow(
    clippy::useless_conversion,
    reason = "these are 32 bits wide on small routers"
)]
fn space(dir: &Path) -> Result<(u64, u64), ArchiveError> {
    let found = statvfs(dir).map_err(|e| io_at(dir, e.into()))?;
    let block = u64::from(found.fragment_size()).max(1);
    let free = u64::from(found.blocks_available()).saturating_mul(block);
    Ok((free, block))
}

fn enough(free: u64, needed: u64, keep_free: u64) -> Result<(), ArchiveError> {
    let free = free.saturating_sub(keep_free);
    if needed > free {
        return Err(ArchiveError::NoSpace { needed, free });
    }
    Ok(())
}

/// The second reading.
struct Writing<'a> {
    into: &'a Path,
    keep_free: u64,
    stopped: &'a dyn Fn() -> bool,
}

impl Writing<'_> {
    fn all(&self, file: &Path, limits: &Limits) -> Result<(), ArchiveError> {
        let mut reader = Reader::open(file, *limits)?;
        // While no link is there, no path leads through one. Folders get their modes at the
        // end, when nothing is to be put into them any more.
        let mut links: Vec<(String, String)> = Vec::new();
        let mut folders: Vec<(PathBuf, u32)> = Vec::new();
        let mut text = 0;
        let mut since_look = LOOK;
        while let Some(entry) = reader.next()? {
            may_be_unpacked(&entry)?;
            since_look = since_look.saturating_add(512);
            if since_look >= LOOK {
                since_look = 0;
                self.look()?;
            }
            let path = self.place(&entry.name)?;
            match entry.kind {
                Kind::Folder => {
                    self.folder(&path, &entry.name)?;
                    folders.push((path, entry.mode));
                }
                Kind::Link(to) => {
                    text += entry.name.len() + to.len();
                    if text > MAX_LINKS {
                        return Err(ArchiveError::TooLarge("it holds too many links".to_owned()));
                    }
                    links.push((entry.name, to));
                }
                _ => self.file(&mut reader, &entry, &path, &mut since_look)?,
            }
        }
        for (name, to) in links {
            let path = self.place(&name)?;
            symlink(&to, &path).map_err(|e| self.taken(&path, &name, e))?;
        }
        for (path, mode) in folders.iter().rev() {
            let mode = Permissions::from_mode(mode & 0o755 | 0o700);
            fs::set_permissions(path, mode).map_err(|e| io_at(path, e))?;
        }
        let synced = File::open(self.into).and_then(|dir| syncfs(&dir).map_err(io::Error::from));
        synced.map_err(|e| io_at(self.into, e))
    }

    fn look(&self) -> Result<(), ArchiveError> {
        if (self.stopped)() {
            return Err(ArchiveError::Stopped);
        }
        enough(space(self.into)?.0, LOOK, self.keep_free)
    }

    /// Where an entry goes; the folders above it are there then, and are folders.
    fn place(&self, name: &str) -> Result<PathBuf, ArchiveError> {
        let mut path = self.into.to_path_buf();
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if parts.peek().is_some() {
                self.folder(&path, name)?;
            }
        }
        Ok(path)
    }

    /// Makes a folder, unless it is there.
    fn folder(&self, path: &Path, name: &str) -> Result<(), ArchiveError> {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let there = path.symlink_metadata().map_err(|e| io_at(path, e))?;
                if there.is_dir() {
                    return Ok(());
                }
                Err(refused(name, "whose place is taken by another entry"))
            }
            made => made.map_err(|e| io_at(path, e)),
        }
    }

    fn taken(&self, path: &Path, name: &str, e: io::Error) -> ArchiveError {
        match e.kind() {
            io::ErrorKind::AlreadyExists => refused(name, "whose place is taken by another entry"),
            _ => io_at(path, e),
        }
    }

    fn file(
        &self,
        reader: &mut Reader<'_>,
        entry: &Entry,
        path: &Path,
        since_look: &mut u64,
    ) -> Result<(), ArchiveError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
            .map_err(|e| self.taken(path, &entry.name, e))?;
        let mut piece = [0; 8192];
        loop {
            let n = reader.read(&mut piece)?;
            if n == 0 {
                break;
            }
            *since_look += n as u64;
            if *since_look >= LOOK {
                *since_look = 0;
                self.look()?;
            }
            file.write_all(piece.get(..n).unwrap_or_default())
                .map_err(|e| io_at(path, e))?;
        }
        file.set_permissions(Permissions::from_mode(entry.mode & 0o755 | 0o600))
            .map_err(|e| io_at(path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_climbs_at_its_beginning_only_and_not_beyond_the_folder() {
        for (name, to) in [
            ("a", "b"),
            ("a", "b/c"),
            ("a", "."),
            ("d/a", "../b"),
            ("d/e/a", "../../b"),
            ("d/e/a", ".././../b"),
            ("d/a", ".."),
        ] {
            assert!(stays_inside(name, to), "{name} -> {to}");
        }
        for (name, to) in [
            ("a", "/b"),
            ("a", ".."),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("d/a", "b/.."),
            ("d/a", "../b/../c"),
        ] {
            assert!(!stays_inside(name, to), "{name} -> {to}");
        }
    }
}
