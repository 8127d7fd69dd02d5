//! The disk as `store` sees it: few operations, each of which a stand-in can let fail
//! or cut the power after.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What `stat` tells of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Permission bits (`0o644`).
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Size in bytes.
    pub len: u64,
    pub is_file: bool,
    pub is_dir: bool,
}

/// Every way in which the agent touches files that must survive. Paths are real ones (root
/// included).
pub trait Disk: Send + Sync {
    /// The content of a regular file; an error of kind `FileTooLarge` beyond `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// What is at `path`, links followed.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// The path with all symbolic links resolved; the file must exist.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
    /// Creates a file that must not exist yet, writes it whole and fsyncs it. `owner`
    /// is set when given. The file is readable by nobody else until it is whole.
    fn create(
        &self,
        path: &Path,
        content: &[u8],
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> io::Result<()>;
    /// Renames a file over another one in the same folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a folder, with the folders above it, if it is not there: durably, or a power
    /// cut would take with it what is written into it.
    fn make_dir(&self, dir: &Path, mode: u32) -> io::Result<()>;
    /// The names in a folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Whether the path itself is a symbolic link, wherever it leads.
    fn is_link(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink())
    }
    /// Opens a lock file for reading and writing (mode 0600); makes it where there is none.
    /// What is in it belongs to the owner of the lock.
    fn open_lock(&self, path: &Path) -> io::Result<File> {
        // O_NOFOLLOW and no truncation: it may be another's at this moment. Opened
        // close-on-exec, so that no child keeps the lock.
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)
    }
    /// Replaces the short text in an open lock file, in place and not forced to the disk:
    /// it is for messages only.
    fn write_lock(&self, mut file: &File, text: &[u8]) -> io::Result<()> {
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(text)
    }
}

/// Whether a file could not be opened or read because there is none in its place: a folder, a
/// pipe, a socket, a link to itself.
pub(super) fn is_no_file(e: &io::Error) -> bool {
    let kind = [io::ErrorKind::InvalidInput, io::ErrorKind::IsADirectory];
    let code = [Errno::ELOOP as i32, Errno::ENXIO as i32];
    kind.contains(&e.kind()) || e.raw_os_error().is_some_and(|e| code.contains(&e))
}

/// The folders that must be made so that `dir` exists, outermost first.
pub fn missing_dirs(dir: &Path) -> Vec<&Path> {
    let is_missing = |d: &&Path| !fs::metadata(d).is_ok_and(|m| m.is_dir());
    let mut missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    missing.reverse();
    missing
}

/// The disk of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl RealDisk {
    /// As [`read`](Disk::read); where the path itself is a link, the error `ELOOP`.
    pub fn read_no_link(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.read_no_link_from(AT_FDCWD, path.as_os_str().as_bytes(), limit)
    }

    /// The same; a relative path begins at the folder `from`.
    pub fn read_no_link_from(
        &self,
        from: BorrowedFd<'_>,
        path: &[u8],
        limit: u64,
    ) -> io::Result<Vec<u8>> {
        read_whole(from, path, OFlag::O_NOFOLLOW, limit)
    }

    /// Name and inode of everything in a folder, in its order.
    pub fn each_entry(&self, dir: &Path, mut take: impl FnMut(&[u8], u64)) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        for entry in Dir::open(dir, flags, Mode::empty())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                take(name, entry.ino());
            }
        }
        Ok(())
    }
}

/// Most files of procfs and sysfs fit into a first piece of this size.
const PIECE: usize = 512;

fn read_whole(from: BorrowedFd<'_>, path: &[u8], flags: OFlag, limit: u64) -> io::Result<Vec<u8>> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer. O_LARGEFILE: that a file is too
    // large is for us to say, also where the C library's offsets have 32 bits.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_LARGEFILE | flags;
    let mut file = loop {
        match openat(from, path, flags, Mode::empty()) {
            Ok(file) => break File::from(file),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    };
    let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    // The size is not asked for: procfs and sysfs say 0.
    let mut first = [0; PIECE];
    let mut n = 0;
    let mut ended = false;
    while !ended && let Some(free) = first.get_mut(n..).filter(|free| !free.is_empty()) {
        match file.read(free) {
            Ok(0) => ended = true,
            Ok(more) => n += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let mut content = first.get(..n).unwrap_or_default().to_vec();
    if !ended {
        let rest = limit.saturating_add(1).saturating_sub(n as u64);
        file.take(rest).read_to_end(&mut content)?;
    }
    if content.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        ));
    }
    Ok(content)
}

impl Disk for RealDisk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        read_whole(AT_FDCWD, path.as_os_str().as_bytes(), OFlag::empty(), limit)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let m = fs::metadata(path)?;
        Ok(Stat {
            mode: m.mode() & 0o7777,
            uid: m.uid(),
            gid: m.gid(),
            len: m.len(),
            is_file: m.is_file(),
            is_dir: m.is_dir(),
        })
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn create(
        &self,
        path: &Path,
        content: &[u8],
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)?;
        file.write_all(content)?;
        if let Some((uid, gid)) = owner {
            let now = file.metadata()?;
            if (now.uid(), now.gid()) != (uid, gid) {
                std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
            }
        }
        // After the owner: a change of owner takes set-id bits away.
        file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match File::open(dir)?.sync_all() {
            // Some filesystems keep folders in order by themselves and refuse to sync them.
            Err(e) if e.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
            other => other,
        }
    }

    fn make_dir(&self, dir: &Path, mode: u32) -> io::Result<()> {
        let missing = missing_dirs(dir);
        let last = missing.len();
        for (at, new) in missing.into_iter().enumerate() {
            let mode = if at + 1 == last { mode } else { 0o755 };
            match fs::DirBuilder::new().mode(mode).create(new) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && new.is_dir() => {}
                other => other?,
            }
            if let Some(above) = new.parent() {
                self.sync_dir(above)?;
            }
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // Most folders hold few.
        let mut names = Vec::with_capacity(16);
        self.each_entry(dir, |name, _| {
            // A name that is no UTF-8 is none of ours.
            if let Ok(name) = std::str::from_utf8(name) {
                names.push(name.to_owned());
            }
        })?;
        Ok(names)
    }
}
