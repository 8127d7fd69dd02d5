//! Who owns the state folder: an flock on the folder itself and on `lock` in it, which
//! holds the pid of the owner for messages. Either alone will do: a folder that cannot be
//! written has an owner, too. The lock goes with the process, however it ends.

use super::disk::{Disk, RealDisk, is_no_file};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock on a state folder, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct StateLock {
    _folder: Option<Flock<File>>,
    _file: Option<Flock<File>>,
    /// Why nothing can be written into the folder, where that is known.
    unwritable: Option<io::Error>,
}

/// Why the lock was not given.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; its pid where it could be read.
    Held { pid: Option<u32> },
    /// The lock file cannot be made or locked.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { pid: Some(pid) } => write!(f, "the state is in use by process {pid}"),
            LockError::Held { pid: None } => f.write_str("the state is in use by another process"),
            LockError::Io(e) => write!(f, "the state lock: {e}"),
        }
    }
}

impl std::error::Error for LockError {}

impl From<io::Error> for LockError {
    fn from(e: io::Error) -> LockError {
        LockError::Io(e)
    }
}

impl StateLock {
    /// Takes the lock of `state_dir` without waiting; makes the folder if need be.
    pub fn acquire(state_dir: &Path) -> Result<StateLock, LockError> {
        StateLock::acquire_on(&RealDisk, state_dir)
    }

    /// As [`acquire`](Self::acquire), on another disk.
    pub fn acquire_on(disk: &dyn Disk, state_dir: &Path) -> Result<StateLock, LockError> {
        disk.make_dir(state_dir, 0o700)?;
        let path = state_dir.join("lock");
        let folder = match take(File::open(state_dir)?) {
            Ok(lock) => Ok(lock),
            Err((_, Errno::EWOULDBLOCK)) => {
                let pid = read_only(&path).ok().and_then(|mut file| pid(&mut file));
                return Err(LockError::Held { pid });
            }
            // A file system that knows no locks on folders.
            Err((_, e)) => Err(e),
        };
        let mut unwritable = None;
        let file = match disk.open_lock(&path).map(take) {
            Ok(Ok(lock)) => {
                let text = format!("{}\n", std::process::id());
                let old = start(&mut &*lock).unwrap_or_default();
                if old != text.as_bytes()
                    && let Err(e) = disk.write_lock(&lock, text.as_bytes())
                {
                    log::debug!("{}: {e}", path.display());
                }
                Some(lock)
            }
            Ok(Err((mut file, Errno::EWOULDBLOCK))) => {
                return Err(LockError::Held {
                    pid: pid(&mut file),
                });
            }
            Ok(Err((_, e))) if folder.is_err() => return Err(LockError::Io(e.into())),
            Err(e) if folder.is_err() => return Err(LockError::Io(e)),
            // A folder of that name, a link: the lock on the folder above is enough.
            Err(e) if is_no_file(&e) => {
                log::warn!("{}: {e}; the lock on its folder serves", path.display());
                None
            }
            // Read-only, full.
            Err(e) => {
                unwritable = Some(e);
                None
            }
            Ok(Err(_)) => None,
        };
        Ok(StateLock {
            _folder: folder.ok(),
            _file: file,
            unwritable,
        })
    }

    /// No lock: there is no folder, and `why` none can be made.
    pub fn needless(why: io::Error) -> StateLock {
        StateLock {
            _folder: None,
            _file: None,
            unwritable: Some(why),
        }
    }

    /// Why nothing could be written into the folder when the lock was taken, if so.
    pub fn unwritable(&self) -> Option<&io::Error> {
        self.unwritable.as_ref()
    }
}

fn take(file: File) -> Result<Flock<File>, (File, Errno)> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
}

/// Opens another owner's lock file, and waits for nobody should it be a pipe.
fn read_only(path: &Path) -> io::Result<File> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    File::options().read(true).custom_flags(flags).open(path)
}

/// The pid in an open lock file.
fn pid(file: &mut File) -> Option<u32> {
    let text = start(&mut &*file).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// The first few bytes of a file.
fn start(file: &mut &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(32).read_to_end(&mut text)?;
    Ok(text)
}
