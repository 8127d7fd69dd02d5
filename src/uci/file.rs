//! Reading UCI files from disk, and knowing when a parsed one is stale.

use super::{MAX_BYTES, Package, ParseError};
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What tells one state of a file from another without reading it. As long as the stamp
/// stands, what was parsed from the file holds.
///
/// libuci and this program put a new file in place of the old one, which changes the
/// inode; editors that write in place change size or times. A change in place within
/// one tick of the file system's clock that keeps the size is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of content, then of the inode.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file at `path` at this moment; `None` where there is none.
    ///
    /// # Errors
    /// What `stat` answers, except that the file is missing.
    pub fn of(path: &Path) -> io::Result<Option<Stamp>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Stamp::from(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When the content was last changed, as the file system says: time since 1970; zero for
    /// a time before.
    pub fn modified(&self) -> Duration {
        let (seconds, nanos) = self.modified;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        seconds.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }

    /// Whether both are the same file, changed or not.
    pub(super) fn same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Why a UCI file cannot be read or locked.
#[derive(Debug)]
pub enum FileError {
    /// There is no such file.
    Missing { path: PathBuf },
    /// It is a directory, a device, a pipe.
    NotAFile { path: PathBuf },
    /// It has more than [`MAX_BYTES`] bytes.
    TooLarge { path: PathBuf },
    /// libuci would refuse it.
    Syntax { path: PathBuf, error: ParseError },
    /// Somebody else holds its lock for longer than could be waited.
    Locked { path: PathBuf },
    /// The system refused.
    Io { path: PathBuf, error: io::Error },
}

impl FileError {
    pub(super) fn io(path: &Path, error: io::Error) -> FileError {
        let path = path.to_path_buf();
        if error.kind() == io::ErrorKind::NotFound {
            FileError::Missing { path }
        } else {
            FileError::Io { path, error }
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Missing { path } => write!(f, "{}: there is no such file", path.display()),
            FileError::NotAFile { path } => write!(f, "{}: not a regular file", path.display()),
            FileError::TooLarge { path } => {
                write!(f, "{}: more than {MAX_BYTES} bytes", path.display())
            }
            FileError::Syntax { path, error } => write!(f, "{}: {error}", path.display()),
            FileError::Locked { path } => {
                write!(
                    f,
                    "{}: locked by another program; try again later",
                    path.display()
                )
            }
            FileError::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Syntax { error, .. } => Some(error),
            FileError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub package: Package,
    /// The state of the file that `package` was read from.
    pub stamp: Stamp,
}

/// Reads and parses the file at `path`. Takes no lock: files are replaced, not written
/// in place, so a reader sees the old or the new one, and must not wait for a writer.
/// A file that was replaced while it was read is read again.
///
/// # Errors
/// [`FileError`], never [`FileError::Locked`].
pub fn load(path: &Path) -> Result<Loaded, FileError> {
    let (bytes, stamp) = bytes(path)?;
    let package = parse(path, &bytes)?;
    Ok(Loaded { package, stamp })
}

/// What [`load`] parses, and the state of the file that it was read from.
///
/// # Errors
/// As [`load`], but for those of the syntax.
pub fn bytes(path: &Path) -> Result<(Vec<u8>, Stamp), FileError> {
    /// Somebody who replaces a file faster than it can be read may do so for ever.
    const ATTEMPTS: u32 = 5;
    let mut attempt = 1;
    loop {
        let mut file = open(path, OpenOptions::new().read(true))?;
        let (bytes, stamp) = read(path, &mut file)?;
        // The old file may be written to once it has been replaced (`Locked::hand_over`).
        let now = Stamp::of(path).map_err(|error| FileError::io(path, error))?;
        if attempt == ATTEMPTS || now.is_none_or(|now| now.same_file(&stamp)) {
            return Ok((bytes, stamp));
        }
        attempt += 1;
    }
}

/// What the bytes of a file say; `path` is for the error.
///
/// # Errors
/// [`FileError::Syntax`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Package, FileError> {
    Package::parse(bytes).map_err(|error| FileError::Syntax {
        path: path.to_path_buf(),
        error,
    })
}

/// Opens a regular file, never waiting (as a pipe without a writer would make us).
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, FileError> {
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = options
        .custom_flags(nonblocking)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == nix::errno::Errno::EISDIR as i32 => FileError::NotAFile {
                path: path.to_path_buf(),
            },
            _ => FileError::io(path, error),
        })?;
    let metadata = file
        .metadata()
        .map_err(|error| FileError::io(path, error))?;
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(FileError::NotAFile {
            path: path.to_path_buf(),
        })
    }
}

/// The content of an open file from its beginning, and its stamp from before the reading.
pub(super) fn read(path: &Path, file: &mut File) -> Result<(Vec<u8>, Stamp), FileError> {
    let metadata = file
        .metadata()
        .map_err(|error| FileError::io(path, error))?;
    let stamp = Stamp::from(&metadata);
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0).min(MAX_BYTES));
    // MAX_BYTES fits into 64 bits.
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::io(path, error))?;
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooLarge {
            path: path.to_path_buf(),
        });
    }
    Ok((bytes, stamp))
}
