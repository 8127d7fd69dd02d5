//! Where files lie when the agent works below another root (`--root`).

use super::disk::{Disk, RealDisk};
use super::index::Index;
use nix::errno::Errno;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::Metadata;
use std::io;
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
    Io(String, io::ErrorKind),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::Relative(p) => write!(f, "{p}: not an absolute path"),
            PathError::Escapes(p) => write!(f, "{p}: leads out of the root"),
            PathError::Loop(p) => write!(f, "{p}: too many symbolic links"),
            PathError::Io(p, kind) => write!(f, "{p}: {kind}"),
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
        if path.contains('\0') || path.split('/').any(|part| part == "..") {
            return Err(PathError::Escapes(path.to_owned()));
        }
        if self.is_system() {
            return Ok(PathBuf::from(path));
        }
        self.walk(path)
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
                Err(e) => return Err(PathError::Io(path.to_owned(), e.kind())),
            };
            if !is_link {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(PathError::Loop(path.to_owned()));
            }
            let to = at
                .read_link()
                .map_err(|e| PathError::Io(path.to_owned(), e.kind()))?;
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
    /// Their paths below the root.
    known: Index,
    /// Where they lie, in their order.
    lies: Vec<Lies>,
    /// For the real path of what is read.
    buffer: OsString,
}

/// Where a folder lies.
#[derive(Debug, Clone)]
enum Lies {
    /// Where its path says: no part of it is a link.
    Plainly,
    /// Elsewhere.
    At(PathBuf),
}

impl Walked {
    fn get(&mut self, folder: &str) -> Option<&Lies> {
        self.lies.get(self.known.get(folder)?)
    }

    /// Notes a folder that is not known yet.
    fn insert(&mut self, folder: &str, lies: Lies) {
        self.known.insert(folder);
        self.lies.push(lies);
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
        walked.known.clear();
        walked.lies.clear();
    }

    /// The same, and the room that they took.
    pub fn release(&mut self) {
        let mut walked = self.walked();
        walked.known.release();
        walked.lies = Vec::new();
        walked.buffer = OsString::new();
    }

    fn walked(&self) -> MutexGuard<'_, Walked> {
        // Whoever panicked left entries that are each true.
        self.walked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Root::path`].
    pub fn path(&self, path: &str) -> Result<PathBuf, PathError> {
        match self.unless_link(path)? {
            Some(real) if !real.is_symlink() => Ok(real),
            _ => self.root.path(path),
        }
    }

    /// Whether there is anything at a path; a link counts as what it leads to.
    pub fn exists(&self, path: &str) -> bool {
        let mut real = self.buffer();
        let found = match self.put_unless_link(path, &mut real) {
            Ok(true) => Some(Path::new(&real).symlink_metadata()),
            Ok(false) => None,
            Err(_) => return false,
        };
        self.walked().buffer = real;
        match found {
            Some(Ok(m)) if !m.is_symlink() => true,
            Some(Err(_)) => false,
            _ => {
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
        let mut real = self.buffer();
        let found = match self.put_unless_link(path, &mut real)? {
            true => Some(Path::new(&real).symlink_metadata()),
            false => None,
        };
        self.walked().buffer = real;
        match found {
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
        let known = match self.walked().get(path) {
            Some(Lies::Plainly) => Some(self.plainly(path)),
            Some(Lies::At(real)) => Some(real.clone()),
            None => None,
        };
        match known {
            Some(real) => Ok(real),
            None => self.walk(&mut self.walked(), path),
        }
    }

    /// As [`Root::read`].
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut real = self.buffer();
        let content = match self.put_unless_link(path, &mut real)? {
            true => RealDisk.read_no_link(Path::new(&real), limit),
            false => self.root.read(path, limit),
        };
        self.walked().buffer = real;
        match content {
            Err(e) if e.raw_os_error() == Some(Errno::ELOOP as i32) => self.root.read(path, limit),
            content => content,
        }
    }

    /// A buffer for a path, to be given back.
    fn buffer(&self) -> OsString {
        let mut buffer = std::mem::take(&mut self.walked().buffer);
        buffer.clear();
        buffer
    }

    /// The real path if what it names is no link. `None`: walk it.
    fn unless_link(&self, path: &str) -> Result<Option<PathBuf>, PathError> {
        let mut real = OsString::new();
        let is_put = self.put_unless_link(path, &mut real)?;
        Ok(is_put.then(|| real.into()))
    }

    /// The same, into an empty buffer; tells whether it is there now.
    fn put_unless_link(&self, path: &str, real: &mut OsString) -> Result<bool, PathError> {
        if self.root.is_system() {
            return Ok(false);
        }
        let Some((folder, name)) = path.rsplit_once('/') else {
            return Ok(false);
        };
        if !is_plain(name) {
            return Ok(false);
        }
        let mut walked = self.walked();
        if !folder.is_empty() && walked.get(folder).is_none() {
            self.walk(&mut walked, folder)?;
        }
        let lies = match folder {
            "" => None,
            folder => walked.get(folder),
        };
        match lies {
            Some(Lies::At(elsewhere)) => {
                real.reserve(elsewhere.as_os_str().len() + 1 + name.len());
                // A real path has no slash at its end.
                real.push(elsewhere);
                real.push("/");
                real.push(name);
            }
            Some(Lies::Plainly) | None => {
                real.reserve(self.root.dir.as_os_str().len() + path.len());
                real.push(&self.root.dir);
                real.push(path);
            }
        }
        Ok(true)
    }

    /// The real path of a folder that is not known yet; it is known then.
    fn walk(&self, walked: &mut Walked, folder: &str) -> Result<PathBuf, PathError> {
        if let Some(real) = self.below_known(walked, folder) {
            walked.insert(folder, Lies::Plainly);
            return Ok(real);
        }
        let real = self.root.path(folder)?;
        walked.insert(folder, Lies::At(real.clone()));
        Ok(real)
    }

    /// A folder below one that lies where its path says, or below the root, step by step;
    /// the folders between are known then, too. `None`: there is a link on the way.
    fn below_known(&self, walked: &mut Walked, folder: &str) -> Option<PathBuf> {
        let mut slashes = folder.rmatch_indices('/').map(|(at, _)| at);
        let mut at = slashes.find_map(|at| match folder.get(..at)? {
            "" => Some(Some(at)),
            above => match walked.get(above)? {
                Lies::Plainly => Some(Some(at)),
                Lies::At(_) => Some(None),
            },
        })??;
        let real = self.plainly(folder);
        let (before, bytes) = (self.root.dir.as_os_str().len(), real.as_os_str().as_bytes());
        loop {
            let rest = folder.get(at + 1..)?;
            let name = rest.split('/').next().filter(|name| is_plain(name))?;
            at += 1 + name.len();
            if Path::new(OsStr::from_bytes(bytes.get(..before + at)?)).is_symlink() {
                return None;
            }
            if at == folder.len() {
                return Some(real);
            }
            walked.insert(folder.get(..at)?, Lies::Plainly);
        }
    }

    /// What a path names where no part of it is a link. The path begins with a slash.
    fn plainly(&self, path: &str) -> PathBuf {
        let root = self.root.dir.as_os_str();
        let mut real = OsString::with_capacity(root.len() + path.len());
        real.push(root);
        real.push(path);
        real.into()
    }
}

/// Whether a part of a path is a name that a folder can hold.
fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('\0')
}

impl std::error::Error for PathError {}

impl From<PathError> for io::Error {
    fn from(e: PathError) -> io::Error {
        let kind = match &e {
            PathError::Io(_, kind) => *kind,
            _ => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, e)
    }
}
