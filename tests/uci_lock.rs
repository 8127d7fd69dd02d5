//! UCI files on disk: reading them, noticing changes, keeping writers apart.

use cwmp_agent::uci::file::{FileError, Stamp, load};
use cwmp_agent::uci::lock::Locked;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

/// Long enough for any machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

/// A folder of its own for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cwmp-uci-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a writable temporary folder");
        Folder(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("writable");
        path
    }

    /// Puts a new file in place of an old one, as every writer does.
    fn replace(&self, name: &str, content: &[u8]) {
        let new = self.file("new", content);
        fs::rename(new, self.0.join(name)).expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_read_and_its_stamp_stands_until_it_is_replaced() {
    let folder = Folder::new("stamp");
    let path = folder.file("system", b"config system\n\toption hostname 'a'\n");
    let loaded = load(&path).expect("a good file");
    assert_eq!(loaded.package.sections().len(), 1);
    assert_eq!(Stamp::of(&path).expect("readable"), Some(loaded.stamp));
    let locked = Locked::acquire(&path, LONG).expect("nobody holds it");
    assert_eq!(locked.stamp(), loaded.stamp);
    folder.replace("system", b"config system\n\toption hostname 'b'\n");
    assert_ne!(Stamp::of(&path).expect("readable"), Some(loaded.stamp));
    fs::remove_file(&path).expect("writable");
    assert_eq!(Stamp::of(&path).expect("readable"), None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = Folder::new("errors");
    let missing = folder.0.join("missing");
    assert!(matches!(load(&missing), Err(FileError::Missing { .. })));
    assert!(matches!(
        Locked::acquire(&missing, SHORT),
        Err(FileError::Missing { .. })
    ));
    assert!(!missing.exists(), "a lock makes no file");
    assert!(matches!(load(&folder.0), Err(FileError::NotAFile { .. })));
    assert!(matches!(
        Locked::acquire(&folder.0, SHORT),
        Err(FileError::NotAFile { .. })
    ));
    let pipe = folder.0.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).expect("writable");
    assert!(matches!(load(&pipe), Err(FileError::NotAFile { .. })));
    let large = folder.file("large", &vec![b'\n'; cwmp_agent::uci::MAX_BYTES + 1]);
    assert!(matches!(load(&large), Err(FileError::TooLarge { .. })));
    let broken = folder.file("broken", b"config a\noption\n");
    let error = load(&broken).expect_err("not valid");
    assert!(matches!(&error, FileError::Syntax { error, .. } if error.line == 2));
    assert!(error.to_string().contains("broken: line 2: "), "{error}");
    let locked = Locked::acquire(&broken, LONG).expect("a broken file can be locked");
    assert!(matches!(locked.package(), Err(FileError::Syntax { .. })));
}

#[test]
fn one_writer_at_a_time() {
    let folder = Folder::new("exclusive");
    let path = folder.file("system", b"config system\n");
    let first = Locked::acquire(&path, LONG).expect("nobody holds it");
    assert!(first.is_current().expect("readable"));
    assert!(matches!(
        Locked::acquire(&path, SHORT),
        Err(FileError::Locked { .. })
    ));
    assert!(matches!(
        Locked::acquire(&path, Duration::ZERO),
        Err(FileError::Locked { .. })
    ));
    assert!(load(&path).is_ok(), "readers do not wait for writers");
    drop(first);
    assert!(Locked::acquire(&path, Duration::ZERO).is_ok());
}

#[test]
fn libuci_and_we_keep_each_other_out() {
    let folder = Folder::new("libuci");
    let path = folder.file("system", b"config system\n");
    let open = || {
        File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("readable")
    };
    let Ok(theirs) = Flock::lock(open(), FlockArg::LockExclusiveNonblock) else {
        panic!("nobody holds it");
    };
    assert!(matches!(
        Locked::acquire(&path, SHORT),
        Err(FileError::Locked { .. })
    ));
    drop(theirs);
    let ours = Locked::acquire(&path, LONG).expect("nobody holds it");
    assert!(Flock::lock(open(), FlockArg::LockExclusiveNonblock).is_err());
    drop(ours);
    assert!(Flock::lock(open(), FlockArg::LockExclusiveNonblock).is_ok());
}

#[test]
fn who_waited_gets_the_file_that_is_there_now() {
    let folder = Folder::new("replaced");
    let path = folder.file("system", b"old\n");
    let Ok(theirs) = Flock::lock(
        File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("readable"),
        FlockArg::LockExclusive,
    ) else {
        panic!("nobody holds it");
    };
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || Locked::acquire(&path, LONG).map(|locked| locked.content().to_vec())
    });
    folder.replace("system", b"new\n");
    drop(theirs);
    let content = waiting.join().expect("no panic").expect("the lock is free");
    assert_eq!(content, b"new\n");
}

#[test]
fn a_file_replaced_under_the_lock_is_noticed() {
    let folder = Folder::new("noticed");
    let path = folder.file("system", b"old\n");
    let locked = Locked::acquire(&path, LONG).expect("nobody holds it");
    folder.replace("system", b"new\n");
    assert!(!locked.is_current().expect("readable"));
    assert_eq!(locked.content(), b"old\n");
}

#[test]
fn no_content_is_shown() {
    let folder = Folder::new("debug");
    let path = folder.file("system", b"config a\n\toption key 'secret'\n");
    let locked = Locked::acquire(&path, LONG).expect("nobody holds it");
    let loaded = load(&path).expect("a good file");
    assert!(!format!("{locked:?} {loaded:?}").contains("secret"));
}
