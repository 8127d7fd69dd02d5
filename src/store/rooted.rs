//! Where files lie when the agent works below another root (`--root`).

use super::disk::{Disk, RealDisk};
use super::index::Index;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstatat};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Links followed on one path, as the kernel allows.
const MAX_LINKS: u32 = 40;
/// Parts of a path still to be walked.
const MAX_PARTS: usize = 4096;

/// The root that all paths are taken below. `/` on a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    dir: PathBuf,
}

/// Why a path cannot be taken below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathError {
    /// It is not absolute.
    Relative(String),
    /// It holds `..` or a NUL, or leads out of the root through a link.
    Escapes(String),
    /// It leads through more than 40 links.
    Loop(String),
    /// A folder on the way cannot be looked into.
    Io(String, Errno),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::Relative(p) => write!(f, "{p}: not an absolute path"),
            PathError::Escapes(p) => write!(f, "{p}: leads out of the root"),
            PathError::Loop(p) => write!(f, "{p}: too many symbolic links"),
            PathError::Io(p, errno) => write!(f, "{p}: {}", errno.desc()),
        }
    }
}

impl Root {
    /// A root; the folder must exist.
    pub fn new(dir: &Path) -> io::Result<Root> {
        Ok(Root {
            dir: dir.canonicalize()?,
        })
    }
    /// Whether this is `/`, the running system itself.
    pub fn is_system(&self) -> bool {
        // It is a canonical path: only `/` has one byte.
        self.dir.as_os_str().len() == 1
    }
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// The real path of an absolute path below the root. Links in it are followed as
    /// they would be if the root were `/`; one that climbs out is refused. The path
    /// need not exist.
    pub fn path(&self, path: &str) -> Result<PathBuf, PathError> {
        if !path.starts_with('/') {
            return Err(PathError::Relative(path.to_owned()));
        }
        if !self.is_system()
            && let Some(real) = self.plainly(path)
        {
            return Ok(real);
        }
        if has_nul(path) || path.split('/').any(|part| part == "..") {
            return Err(PathError::Escapes(path.to_owned()));
        }
        match self.is_system() {
            true => Ok(PathBuf::from(path)),
            false => self.walk(path),
        }
    }

    /// The real path where no part of it is a link, as of most.
    fn plainly(&self, path: &str) -> Option<PathBuf> {
        let mut real = OsString::with_capacity(self.dir.as_os_str().len() + path.len());
        real.push(&self.dir);
        for part in steps(path, 0) {
            let part = part?;
            real.push("/");
            real.push(part);
            if is_or_may_be_link(AT_FDCWD, real.as_bytes()) {
                return None;
            }
        }
        Some(real.into())
    }

    /// Follows the links of a path part by part, so that none leads out of the root.
    fn walk(&self, path: &str) -> Result<PathBuf, PathError> {
        let mut links = 0;
        let mut at = self.dir.clone();
        let mut depth = 0usize;
        // What is still to be walked, the next part last.
        let mut parts: Vec<Cow<'_, OsStr>> = path
            .rsplit('/')
            .map(|p| Cow::Borrowed(OsStr::new(p)))
            .collect();
        while let Some(part) = parts.pop() {
            if part.is_empty() || *part == *"." {
                continue;
            }
            if *part == *".." {
                if depth == 0 {
                    return Err(PathError::Escapes(path.to_owned()));
                }
                at.pop();
                depth -= 1;
                continue;
            }
            at.push(&part);
            depth += 1;
            let is_link = match at.symlink_metadata() {
                Ok(m) => m.file_type().is_symlink(),
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    false
                }
                Err(e) => return Err(unseen(path, &e)),
            };
            if !is_link {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(PathError::Loop(path.to_owned()));
            }
            let to = at.read_link().map_err(|e| unseen(path, &e))?;
            at.pop();
            depth -= 1;
            if to.is_absolute() {
                at.clone_from(&self.dir);
                depth = 0;
            }
            let below = |c: &Component<'_>| !matches!(c, Component::RootDir);
            let more: Vec<Component<'_>> = to.components().filter(below).collect();
            let more = more.iter().rev().map(|c| c.as_os_str().to_owned());
            parts.extend(more.map(Cow::Owned));
            if parts.len() > MAX_PARTS {
                return Err(PathError::Loop(path.to_owned()));
            }
        }
        Ok(at)
    }

    /// Reads a file below the root, at most `limit` bytes; never blocks on a FIFO.
    /// procfs and sysfs files, whose size is 0, are read whole.
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let real = self.path(path).map_err(io::Error::from)?;
        RealDisk.read(&real, limit)
    }
}

/// A root whose folders are walked once, until [`forget`](Folders::forget): for whoever
/// reads many files of few folders in one go. Below `/` there is nothing to walk. Copies
/// share what they know.
#[derive(Debug, Clone)]
pub struct Folders {
    root: Root,
    walked: Arc<Mutex<Walked>>,
}

/// The folders that were walked.
#[derive(Debug, Default)]
struct Walked {
    /// The root, where what lies plainly is looked for; opened when it is first needed.
    dir: Option<OwnedFd>,
    /// Their paths below the root.
    known: Index,
    /// Where those lie that have a link on their path, by place in `known`.
    elsewhere: Vec<(usize, PathBuf)>,
}

impl Walked {
    /// The place of a folder, which is walked if it is not known yet.
    fn place(&mut self, root: &Root, folder: &str) -> Result<usize, PathError> {
        if let Some(place) = self.known.get(folder) {
            return Ok(place);
        }
        if self.is_plain(root, folder) {
            return Ok(self.known.insert(folder));
        }
        let real = root.path(folder)?;
        let place = self.known.insert(folder);
        // Places only grow.
        self.elsewhere.push((place, real));
        Ok(place)
    }

    /// Where a folder lies if there is a link on its path.
    fn elsewhere(&self, place: usize) -> Option<&Path> {
        let at = self.elsewhere.binary_search_by_key(&place, |(of, _)| *of);
        self.elsewhere.get(at.ok()?).map(|(_, real)| real.as_path())
    }

    /// Whether no part of a folder's path is a link: looked at step by step, from the folder
    /// above it that is known, else from the root. The folders between are known then, too.
    fn is_plain(&mut self, root: &Root, folder: &str) -> bool {
        let mut at = folder.len();
        loop {
            let Some((above, _)) = folder.get(..at).and_then(split_last) else {
                return false;
            };
            at = above.len();
            if at == 0 {
                break;
            }
            if let Some(known) = self.known.get(above) {
                if self.elsewhere(known).is_some() {
                    return false;
                }
                break;
            }
        }
        for name in steps(folder, at) {
            let (Some(name), Some(dir)) = (name, self.dir(root)) else {
                return false;
            };
            at += 1 + name.len();
            let step = folder.get(..at).unwrap_or_default();
            if is_or_may_be_link(dir, below(step)) {
                return false;
            }
            if at < folder.len() {
                self.known.insert(step);
            }
        }
        true
    }

    fn dir(&mut self, root: &Root) -> Option<BorrowedFd<'_>> {
        if self.dir.is_none() {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            self.dir = open(root.dir(), flags, Mode::empty()).ok();
        }
        self.dir.as_ref().map(AsFd::as_fd)
    }
}

impl Folders {
    /// Folders below this root.
    pub fn new(root: Root) -> Folders {
        Folders {
            root,
            walked: Arc::default(),
        }
    }

    /// The root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Links may have changed: folders are walked anew.
    pub fn forget(&mut self) {
        let mut walked = self.walked();
        walked.dir = None;
        walked.known.clear();
        walked.elsewhere.clear();
    }

    /// The same, and the room that they took.
    pub fn release(&mut self) {
        let mut walked = self.walked();
        walked.dir = None;
        walked.known.release();
        walked.elsewhere = Vec::new();
    }

    fn walked(&self) -> MutexGuard<'_, Walked> {
        // Whoever panicked left entries that are each true.
        self.walked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Root::path`].
    pub fn path(&self, path: &str) -> Result<PathBuf, PathError> {
        let found = self.reach(path, |from, path| match is_or_may_be_link(from, path) {
            true => None,
            false => Some(self.real(path)),
        });
        match found? {
            Some(Some(real)) => Ok(real),
            _ => self.root.path(path),
        }
    }

    /// Whether there is anything at a path; a link counts as what it leads to.
    pub fn exists(&self, path: &str) -> bool {
        match self.reach(path, is_link) {
            Ok(Some(Ok(false))) => true,
            Ok(Some(Err(_))) | Err(_) => false,
            Ok(Some(Ok(true)) | None) => {
                let real = self.root.path(path);
                real.is_ok_and(|real| real.symlink_metadata().is_ok())
            }
        }
    }

    /// What is said of the file at a path; links are followed below the root.
    ///
    /// # Errors
    /// As [`Root::path`], and what `stat` answers.
    pub fn metadata(&self, path: &str) -> io::Result<Metadata> {
        match self.reach(path, |_, path| self.real(path).symlink_metadata())? {
            Some(Ok(m)) if m.is_symlink() => {}
            Some(found) => return found,
            None => {}
        }
        self.root.path(path)?.metadata()
    }

    /// As [`path`](Self::path), for a folder that what is asked for next lies in.
    pub fn folder(&self, path: &str) -> Result<PathBuf, PathError> {
        if self.root.is_system() {
            return self.root.path(path);
        }
        let mut walked = self.walked();
        let place = walked.place(&self.root, path)?;
        Ok(match walked.elsewhere(place) {
            Some(real) => real.to_owned(),
            None => self.real(below(path)),
        })
    }

    /// As [`Root::read`].
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let read =
            |from: BorrowedFd<'_>, path: &[u8]| RealDisk.read_no_link_from(from, path, limit);
        match self.reach(path, read)? {
            Some(Err(e)) if e.raw_os_error() == Some(Errno::ELOOP as i32) || has_nul(path) => {}
            Some(content) => return content,
            None => {}
        }
        self.root.read(path, limit)
    }

    /// Does something with what a path names: with an open folder, and the path from there,
    /// on which no part but the last can be a link. `None`: only [`Root::path`] tells where
    /// it is. The folders are locked meanwhile: `act` must not ask for another path.
    fn reach<T>(
        &self,
        path: &str,
        act: impl FnOnce(BorrowedFd<'_>, &[u8]) -> T,
    ) -> Result<Option<T>, PathError> {
        if self.root.is_system() {
            return Ok(None);
        }
        let Some((folder, name)) = split_last(path).filter(|(_, name)| is_name(name)) else {
            return Ok(None);
        };
        let mut walked = self.walked();
        let elsewhere = match folder {
            "" => None,
            folder => {
                let place = walked.place(&self.root, folder)?;
                walked.elsewhere(place)
            }
        };
        if let Some(elsewhere) = elsewhere {
            let real = elsewhere.join(name);
            return Ok(Some(act(AT_FDCWD, real.as_os_str().as_bytes())));
        }
        Ok(walked.dir(&self.root).map(|dir| act(dir, below(path))))
    }

    /// The real path of what [`reach`](Self::reach) tells of.
    fn real(&self, path: &[u8]) -> PathBuf {
        if path.starts_with(b"/") {
            return PathBuf::from(OsStr::from_bytes(path));
        }
        let root = self.root.dir.as_os_str();
        let mut real = OsString::with_capacity(root.len() + 1 + path.len());
        // Not `/`: a root that is the system's has nothing to walk.
        real.push(root);
        real.push("/");
        real.push(OsStr::from_bytes(path));
        real.into()
    }
}

/// The names on a path behind the slash at this place; `None` for a part that is no name.
fn steps(path: &str, slash: usize) -> impl Iterator<Item = Option<&str>> {
    let mut rest = path.get(slash + 1..);
    std::iter::from_fn(move || {
        let now = rest.take()?;
        let end = now.bytes().position(|b| b == b'/');
        rest = end.and_then(|end| now.get(end + 1..));
        let name = now.get(..end.unwrap_or(now.len()))?;
        Some(Some(name).filter(|name| is_name(name)))
    })
}

/// A path that begins with a slash, from the root.
fn below(path: &str) -> &[u8] {
    path.as_bytes().get(1..).unwrap_or_default()
}

/// What is before the last slash of a path, and after it.
fn split_last(path: &str) -> Option<(&str, &str)> {
    let slash = path.bytes().rposition(|b| b == b'/')?;
    Some((path.get(..slash)?, path.get(slash + 1..)?))
}

/// Whether there is a link at a path, which begins at an open folder.
fn is_link(from: BorrowedFd<'_>, path: &[u8]) -> Result<bool, Errno> {
    let stat = fstatat(from, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK)
}

/// The same; also where that cannot be told. What is not there is none.
fn is_or_may_be_link(from: BorrowedFd<'_>, path: &[u8]) -> bool {
    match is_link(from, path) {
        Ok(is_link) => is_link,
        Err(e) => !matches!(e, Errno::ENOENT | Errno::ENOTDIR),
    }
}

/// Whether a part of a path is a name that a folder can hold.
fn is_name(name: &str) -> bool {
    // One with a NUL in it the system refuses.
    !matches!(name, "" | "." | "..")
}

fn unseen(path: &str, e: &io::Error) -> PathError {
    // The system's errors have a number; a path with a NUL never comes so far.
    let errno = e.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    PathError::Io(path.to_owned(), errno)
}

fn has_nul(path: &str) -> bool {
    path.contains('\0')
}

impl std::error::Error for PathError {}

impl From<PathError> for io::Error {
    fn from(e: PathError) -> io::Error {
        match e {
            // The number itself: it tells a device that went away from one that fails.
            PathError::Io(_, errno) => errno.into(),
            e => io::Error::new(io::ErrorKind::InvalidInput, e),
        }
    }
}
