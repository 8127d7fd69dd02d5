//! The lock that keeps two writers of one UCI file apart.
//!
//! libuci's commit opens the configuration file for writing, takes `flock(LOCK_EX)` on
//! it, reads it again, writes a temporary file `.NAME.uci-XXXXXX` beside it, *gives the
//! lock back* and renames the temporary file over the old one. So
//!
//! * whoever gets the lock must check that the path still names the file it has locked,
//!   and open it again where it does not;
//! * between libuci's unlocking and its renaming the check passes although a new file is
//!   about to appear. The temporary file gives that away: while a young one lies beside
//!   the file, [`Locked::acquire`] waits a moment and checks again;
//! * libuci itself does not check: one that opened the file before our rename, and got
//!   the lock after it, reads the old file, adds its changes and renames the result over
//!   ours. So who has replaced the file gives the lock back by [`Locked::hand_over`],
//!   which leaves the new content in the old file too.
//!
//! Those who write hold the lock until their own rename is done, and may ask
//! [`Locked::is_current`] just before it. Changes that `uci set` has staged in `/tmp/.uci`
//! are nobody's values yet and no concern of the lock: they stay there, and the next
//! `uci commit` makes them to the file as it is then.

use super::Package;
use super::file::{self, FileError, Stamp};
use log::warn;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to sleep between two attempts.
const POLL: Duration = Duration::from_millis(10);
/// The longest wait for a commit of libuci to rename its temporary file, and the age
/// above which such a file is taken for the remains of a crash.
const RENAME_WAIT: Duration = Duration::from_millis(200);
const YOUNG: Duration = Duration::from_secs(2);

/// A locked UCI file. Dropping it gives the lock back.
pub struct Locked {
    path: PathBuf,
    content: Vec<u8>,
    stamp: Stamp,
    /// Closes, and so unlocks, the file when dropped.
    held: Held,
}

/// Shows the path, never the content: it holds passwords.
impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locked({})", self.path.display())
    }
}

enum Held {
    Lock(Flock<File>),
    /// The file system knows no locks (`ENOSYS`); libuci goes on as well.
    Unlocked(File),
}

impl Held {
    fn file(&mut self) -> &mut File {
        match self {
            Held::Lock(file) => file,
            Held::Unlocked(file) => file,
        }
    }
}

impl Locked {
    /// Locks the file at `path` as libuci's commit does and reads it under the lock.
    /// Waits at most about `wait` for others. The file must exist.
    ///
    /// # Errors
    /// [`FileError::Locked`] where others hold the lock all that time; otherwise what
    /// stands in the way of reading the file. Its syntax is not looked at.
    pub fn acquire(path: &Path, wait: Duration) -> Result<Locked, FileError> {
        let begin = Instant::now();
        let patient = |limit: Duration| begin.elapsed() < limit;
        let mut renames_until = None;
        loop {
            let handle = file::open(path, OpenOptions::new().read(true).write(true))?;
            let mut held = take_lock(path, handle, || patient(wait))?;
            let (content, stamp) = file::read(path, held.file())?;
            let locked = Locked {
                path: path.to_path_buf(),
                content,
                stamp,
                held,
            };
            if locked.is_current()? {
                let until = *renames_until.get_or_insert_with(|| begin.elapsed() + RENAME_WAIT);
                let waiting = patient(until.min(wait.max(POLL)));
                if !waiting || !commit_under_way(path) {
                    return Ok(locked);
                }
                drop(locked);
                std::thread::sleep(POLL);
            } else if !patient(wait) {
                return Err(FileError::Locked {
                    path: path.to_path_buf(),
                });
            }
        }
    }

    /// The file that is locked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content, read under the lock.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The state of the file that [`content`](Self::content) was read from: a package
    /// loaded with the same stamp need not be parsed again.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The content, parsed.
    ///
    /// # Errors
    /// [`FileError::Syntax`].
    pub fn package(&self) -> Result<Package, FileError> {
        file::parse(&self.path, &self.content)
    }

    /// Whether the path still names the file that is locked.
    ///
    /// # Errors
    /// What `stat` answers.
    pub fn is_current(&self) -> Result<bool, FileError> {
        let now = Stamp::of(&self.path).map_err(|error| FileError::io(&self.path, error))?;
        Ok(now.is_some_and(|now| now.same_file(&self.stamp)))
    }

    /// Gives the lock back after another file was renamed to the path: who opened the old
    /// one and waits for its lock, as libuci's commit does, finds the new content in it.
    ///
    /// Only a file that no path leads to any more is written, so nothing is lost where
    /// that fails or power goes: those who wait then read what they opened.
    pub fn hand_over(mut self) {
        if let Err(error) = self.copy_back() {
            warn!(
                "{}: a program that waits for its lock may undo what was just written: {error}",
                self.path.display()
            );
        }
    }

    fn copy_back(&mut self) -> io::Result<()> {
        let old = self.held.file();
        if old.metadata()?.nlink() > 0 {
            return Ok(());
        }
        let failed = |error: FileError| io::Error::other(error.to_string());
        let mut new = match file::open(&self.path, OpenOptions::new().read(true)) {
            // It was taken away: there is nothing that could be undone.
            Err(FileError::Missing { .. }) => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        let (content, _) = file::read(&self.path, &mut new).map_err(failed)?;
        if content == self.content {
            return Ok(());
        }
        old.write_all_at(&content, 0)?;
        // Fits: the size of a file.
        old.set_len(content.len() as u64)
    }
}

fn take_lock(path: &Path, mut file: File, patient: impl Fn() -> bool) -> Result<Held, FileError> {
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Held::Lock(lock)),
            Err((back, Errno::ENOSYS)) => return Ok(Held::Unlocked(back)),
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) if patient() => {
                file = back;
                std::thread::sleep(POLL);
            }
            Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                return Err(FileError::Locked {
                    path: path.to_path_buf(),
                });
            }
            Err((_, errno)) => return Err(FileError::io(path, errno.into())),
        }
    }
}

/// Whether a young temporary file of libuci's commit lies beside `path`.
fn commit_under_way(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return false;
    };
    let prefix = format!(".{name}.uci-");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(|n| n.starts_with(&prefix));
        let modified = || {
            entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        };
        // A file from the future is one from before the clock was set back: old.
        ours && modified().is_some_and(|at| {
            crate::store::clock::now()
                .duration_since(at)
                .is_ok_and(|age| age < YOUNG)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for one test.
    fn folder(name: &str) -> PathBuf {
        let unique = format!("cwmp-uci-lock-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder).expect("a writable temporary folder");
        folder
    }

    #[test]
    fn a_commit_is_known_by_its_young_temporary_file() {
        let folder = folder("commit");
        let path = folder.join("network");
        assert!(!commit_under_way(&path));
        std::fs::write(folder.join(".wireless.uci-abcdef"), b"").expect("writable");
        assert!(!commit_under_way(&path), "that is another package");
        let temporary = File::create(folder.join(".network.uci-abcdef")).expect("writable");
        assert!(commit_under_way(&path));
        let old = crate::store::clock::now() - Duration::from_secs(60);
        temporary.set_modified(old).expect("own file");
        assert!(!commit_under_way(&path), "that is the remains of a crash");
        std::fs::remove_dir_all(&folder).expect("own folder");
    }

    #[test]
    fn the_remains_of_a_crash_only_delay() {
        let folder = folder("remains");
        let path = folder.join("network");
        std::fs::write(&path, b"config a\n").expect("writable");
        std::fs::write(folder.join(".network.uci-abcdef"), b"").expect("writable");
        let locked = Locked::acquire(&path, Duration::from_secs(30)).expect("nobody holds it");
        assert_eq!(locked.content(), b"config a\n");
        std::fs::remove_dir_all(&folder).expect("own folder");
    }
}
