//! Noticing that files change (inotify). Folders are watched, not files: UCI files are
//! replaced by renaming. Where something cannot be watched, [`Folders::is_whole`] says so,
//! and the values are read at an interval instead. No file is ever opened here.

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The most folders watched.
const MAX_FOLDERS: usize = 64;
/// The longest event: four numbers and a name with the NUL behind it, bytes.
const LONGEST: usize = 16 + 256;
/// What is read of the kernel's queue at a time, bytes. Less than the buffer could hold
/// beside the longest event: there was no more.
const QUEUE: usize = 1024;
/// How often the kernel's queue is read in one go; what is left keeps it ready.
const MAX_READS: usize = 64;

/// What the kernel has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    Nothing,
    /// A watched file may have changed.
    Changed,
    /// A folder went away or was moved: [`Folders::watch`] them anew.
    Lost,
}

/// See the module.
#[derive(Default)]
pub struct Folders {
    /// `None`: nothing is watched, or the kernel cannot.
    inotify: Option<Inotify>,
    /// The names that matter, by the number of their folder's watch.
    names: BTreeMap<i32, BTreeSet<OsString>>,
    whole: bool,
}

impl Folders {
    /// Whether every change of the files will be noticed.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches these files, and no others any more.
    pub fn watch<'a>(&mut self, files: impl IntoIterator<Item = &'a PathBuf>) {
        *self = Folders::default();
        let mut folders: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
        self.whole = true;
        for file in files {
            self.whole &= place(file, &mut folders);
        }
        if folders.is_empty() {
            return;
        }
        let inotify = match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            Ok(inotify) => inotify,
            Err(e) => {
                log::debug!("changes of files are not told by this kernel: {e}");
                self.whole = false;
                return;
            }
        };
        self.whole &= folders.len() <= MAX_FOLDERS;
        for (folder, names) in folders.into_iter().take(MAX_FOLDERS) {
            match inotify.add_watch(&folder, interest()) {
                Ok(number) => self.names.entry(number.as_raw()).or_default().extend(names),
                Err(e) => {
                    log::debug!("{}: changes are not told: {e}", folder.display());
                    self.whole = false;
                }
            }
        }
        self.inotify = Some(inotify);
    }

    /// Takes what the kernel has told so far.
    pub fn read(&mut self) -> Noticed {
        let mut noticed = Noticed::Nothing;
        let Some(inotify) = &self.inotify else {
            return noticed;
        };
        let mut buffer = [0; QUEUE];
        for _ in 0..MAX_READS {
            let told = match nix::unistd::read(inotify, &mut buffer) {
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(_) => return Noticed::Lost,
            };
            let emptied = told.len() + LONGEST <= buffer.len();
            let mut rest = told;
            while let Some((event, after)) = Event::first_of(rest) {
                rest = after;
                let gone = AddWatchFlags::IN_IGNORED
                    | AddWatchFlags::IN_UNMOUNT
                    | AddWatchFlags::IN_MOVE_SELF
                    | AddWatchFlags::IN_DELETE_SELF;
                if event.mask.intersects(gone) {
                    return Noticed::Lost;
                }
                let names = self.names.get(&event.watch);
                let ours = match (event.name, names) {
                    (Some(name), Some(names)) => names.contains(name),
                    // What it cannot tell any more (IN_Q_OVERFLOW) may be anything.
                    _ => true,
                };
                if ours {
                    noticed = Noticed::Changed;
                }
            }
            if emptied {
                break;
            }
        }
        noticed
    }
}

/// One event as the kernel writes it: four numbers (watch, mask, cookie, length of the
/// name), and the name with NULs behind it.
struct Event<'a> {
    watch: i32,
    mask: AddWatchFlags,
    name: Option<&'a OsStr>,
}

impl Event<'_> {
    /// The first of some events, and those after it.
    fn first_of(told: &[u8]) -> Option<(Event<'_>, &[u8])> {
        let (watch, rest) = told.split_first_chunk::<4>()?;
        let (mask, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
        let (name, rest) = rest.split_at_checked(length)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let event = Event {
            watch: i32::from_ne_bytes(*watch),
            mask: AddWatchFlags::from_bits_retain(u32::from_ne_bytes(*mask)),
            name: (!name.is_empty()).then(|| OsStr::from_bytes(name)),
        };
        Some((event, rest))
    }
}

/// Everything that can make a name in a folder mean another content.
fn interest() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Notes a file in its folder and, where it is a link, what it leads to in its own.
/// `false`: its changes cannot be noticed.
fn place(file: &Path, folders: &mut BTreeMap<PathBuf, BTreeSet<OsString>>) -> bool {
    let mut note = |file: &Path| match (file.parent(), file.file_name()) {
        (Some(folder), Some(name)) if folder.is_dir() => {
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            let tells = !["/proc", "/sys"].iter().any(|of| folder.starts_with(of));
            if tells {
                folders.entry(folder).or_default().insert(name.to_owned());
            }
            tells
        }
        _ => false,
    };
    let here = note(file);
    match file.canonicalize() {
        Ok(real) if file.is_symlink() => here & note(&real),
        _ => here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder that goes with its test.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let dir = std::env::temp_dir().join(format!("folders-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).expect("a folder");
            Dir(dir)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn watching(files: &[PathBuf]) -> Folders {
        let mut folders = Folders::default();
        folders.watch(files);
        folders
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed_and_its_neighbours_are_not() {
        let dir = Dir::new("ways");
        let file = dir.path("network");
        fs::write(&file, "a").expect("written");
        let mut folders = watching(&[file.clone(), dir.path("absent")]);
        assert!(folders.is_whole() && folders.fd().is_some());
        assert_eq!(folders.read(), Noticed::Nothing);
        fs::write(dir.path("neighbour"), "b").expect("written");
        assert_eq!(folders.read(), Noticed::Nothing);
        type Way<'a> = (&'a str, Box<dyn Fn() + 'a>);
        let ways: [Way<'_>; 5] = [
            (
                "in place",
                Box::new(|| fs::write(&file, "b").expect("written")),
            ),
            (
                "replaced",
                Box::new(|| fs::rename(dir.path("neighbour"), &file).expect("renamed")),
            ),
            (
                "removed",
                Box::new(|| fs::remove_file(&file).expect("removed")),
            ),
            (
                "created",
                Box::new(|| fs::write(&file, "").expect("written")),
            ),
            (
                "first",
                Box::new(|| fs::write(dir.path("absent"), "").expect("written")),
            ),
        ];
        for (name, way) in ways {
            way();
            assert_eq!(folders.read(), Noticed::Changed, "{name}");
            assert_eq!(folders.read(), Noticed::Nothing, "{name}");
        }
    }

    #[test]
    fn what_a_link_leads_to_is_watched_with_it() {
        let (dir, other) = (Dir::new("link"), Dir::new("target"));
        let (link, file) = (dir.path("leases"), other.path("real"));
        fs::write(&file, "a").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let mut folders = watching(std::slice::from_ref(&link));
        assert!(folders.is_whole());
        fs::write(&file, "b").expect("written");
        assert_eq!(folders.read(), Noticed::Changed);
        fs::remove_file(&link).expect("removed");
        assert_eq!(folders.read(), Noticed::Changed);
    }

    #[test]
    fn what_cannot_be_watched_is_told() {
        let dir = Dir::new("not");
        let absent = dir.path("no/such/folder/file");
        assert!(!watching(&[absent]).is_whole());
        let kernel = PathBuf::from("/proc/self/status");
        assert!(!watching(&[kernel]).is_whole());
        let many: Vec<PathBuf> = (0..=MAX_FOLDERS)
            .map(|n| dir.path(&n.to_string()))
            .collect();
        for folder in &many {
            fs::create_dir(folder).expect("a folder");
        }
        let files: Vec<PathBuf> = many.iter().map(|folder| folder.join("f")).collect();
        assert!(!watching(&files).is_whole(), "one too many");
        assert!(watching(&files[1..]).is_whole());
        assert!(watching(&[]).is_whole() && watching(&[]).fd().is_none());
    }

    #[test]
    fn a_folder_that_goes_away_or_is_moved_is_lost_and_can_be_watched_anew() {
        let dir = Dir::new("lost");
        let folder = dir.path("config");
        let files = [folder.join("network")];
        fs::create_dir(&folder).expect("a folder");
        let mut folders = watching(&files);
        fs::rename(&folder, dir.path("old")).expect("renamed");
        assert_eq!(folders.read(), Noticed::Lost);
        folders.watch(&files);
        assert!(!folders.is_whole());
        fs::create_dir(&folder).expect("a folder");
        folders.watch(&files);
        assert!(folders.is_whole());
        fs::remove_dir(&folder).expect("removed");
        assert_eq!(folders.read(), Noticed::Lost);
    }
}
