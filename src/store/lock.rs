//! Who owns the state folder: an flock on `state_dir/lock`, and in the file the pid of
//! the owner for messages. The lock goes with the process, however it ends.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The lock on a state folder, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct StateLock {
    _file: Flock<File>,
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
        if !state_dir.is_dir() {
            if let Some(above) = state_dir.parent() {
                std::fs::create_dir_all(above)?;
            }
            match std::fs::DirBuilder::new().mode(0o700).create(state_dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
                _ => {}
            }
        }
        // O_NOFOLLOW and no truncation: what is in the file belongs to its owner. Opened
        // close-on-exec, so that no child keeps the lock.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(state_dir.join("lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                let pid = format!("{}\n", std::process::id());
                if read_start(&mut file)? != pid {
                    file.rewind()?;
                    file.set_len(0)?;
                    file.write_all(pid.as_bytes())?;
                }
                Ok(StateLock { _file: file })
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let pid = read_start(&mut file)?.trim().parse().ok();
                Err(LockError::Held { pid })
            }
            Err((_, e)) => Err(LockError::Io(e.into())),
        }
    }
}

/// The first few bytes of the file as text.
fn read_start(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(32).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
