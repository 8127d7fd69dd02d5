//! UCI packages as they were read, shared by whoever holds them: the source that shows their
//! options, and compiled-in code that takes something out of them. Nothing is kept here that
//! nobody holds.

use crate::uci::Package;
use crate::uci::file::{self, FileError, Stamp};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

/// A file changed this recently may change again without its stamp showing it (JFFS2
/// counts whole seconds).
const UNSETTLED: Duration = Duration::from_secs(2);

/// See the module. Copies share what they know.
#[derive(Clone, Default)]
pub struct Packages {
    known: Arc<Mutex<Vec<Known>>>,
    hasher: RandomState,
}

struct Known {
    path: PathBuf,
    /// `None`: the file may change again without its stamp showing it.
    stamp: Option<Stamp>,
    /// A hash of what the file held, under keys of this process alone.
    print: u64,
    package: Weak<Package>,
}

impl Packages {
    /// The package in a file as it is now, and the file's stamp. It is read only where the
    /// stamp does not tell, and parsed only where nobody holds what it says.
    ///
    /// # Errors
    /// As [`file::load`].
    pub fn load(&self, path: &Path) -> Result<(Arc<Package>, Stamp), FileError> {
        if let Ok(Some(now)) = Stamp::of(path)
            && let Some(package) = self.held(path, now)
        {
            return Ok((package, now));
        }
        let (bytes, stamp) = file::bytes(path)?;
        let print = self.print(&bytes);
        let package = match self.same(path, print) {
            Some(package) => package,
            None => Arc::new(file::parse(path, &bytes)?),
        };
        self.keep(Known {
            path: path.to_owned(),
            stamp: (!is_recent(&stamp)).then_some(stamp),
            print,
            package: Arc::downgrade(&package),
        });
        Ok((package, stamp))
    }

    /// What stands for these bytes in this process.
    pub fn print(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    /// A package whose text was just written to a file: while the file is found to hold just
    /// that, it is not parsed again.
    pub fn written(&self, path: &Path, print: u64, package: &Arc<Package>) {
        self.keep(Known {
            path: path.to_owned(),
            stamp: None,
            print,
            package: Arc::downgrade(package),
        });
    }

    fn keep(&self, new: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .retain(|k| k.path.as_os_str() != new.path.as_os_str() && k.package.strong_count() > 0);
        known.push(new);
    }

    /// What a file of this print says, if somebody holds that.
    fn same(&self, path: &Path, print: u64) -> Option<Arc<Package>> {
        let path = path.as_os_str();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = known.iter();
        let found = known.find(|k| k.print == print && k.path.as_os_str() == path)?;
        found.package.upgrade()
    }

    fn held(&self, path: &Path, stamp: Stamp) -> Option<Arc<Package>> {
        let path = path.as_os_str();
        // Whoever panicked left entries that are each true.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = known.iter();
        let found = known.find(|k| k.stamp == Some(stamp) && k.path.as_os_str() == path)?;
        found.package.upgrade()
    }
}

/// Whether a file was changed so recently that its stamp does not tell.
pub fn is_recent(stamp: &Stamp) -> bool {
    let now = crate::store::clock::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    now.abs_diff(stamp.modified()) < UNSETTLED
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};

    #[test]
    fn a_package_is_shared_while_it_is_held_and_its_file_stays() {
        let path = std::env::temp_dir().join(format!("cwmp-packages-{}", std::process::id()));
        let write = |text: &str, seconds: u64| {
            std::fs::write(&path, text).expect("written");
            let at = crate::store::clock::now() - Duration::from_secs(seconds);
            let file = File::options().write(true).open(&path).expect("open");
            file.set_times(FileTimes::new().set_modified(at))
                .expect("set");
        };
        let all = Packages::default();
        let load = |all: &Packages| all.load(&path).expect("a package").0;
        write("config a\n", 10);
        let first = load(&all);
        assert!(Arc::ptr_eq(&first, &load(&all.clone())));
        write("config b\n", 20);
        let second = load(&all);
        assert_eq!(second.sections().first().map(|s| s.kind()), Some("b"));
        // Nobody holds it: it is gone.
        let held = Arc::downgrade(&second);
        drop((first, second));
        assert!(held.upgrade().is_none());
        // It may change again under the same stamp, and is looked at; what says the same is
        // the same.
        write("config c\n", 0);
        let third = load(&all);
        write("config c\n", 0);
        assert!(Arc::ptr_eq(&third, &load(&all)));
        write("config d\n", 0);
        let fourth = load(&all);
        assert_eq!(fourth.sections().first().map(|s| s.kind()), Some("d"));
        // What was written is not parsed again, if it is what the file says.
        let fifth = Arc::new(Package::parse(b"config e\n").expect("a package"));
        all.written(&path, all.print(b"config e\n"), &fifth);
        assert!(!Arc::ptr_eq(&fifth, &load(&all)));
        all.written(&path, all.print(b"config e\n"), &fifth);
        write("config e\n", 0);
        assert!(Arc::ptr_eq(&fifth, &load(&all)));
        write("config e\n", 10);
        assert!(Arc::ptr_eq(&fifth, &load(&all)));
        std::fs::remove_file(&path).expect("gone");
        assert!(matches!(all.load(&path), Err(FileError::Missing { .. })));
    }
}
