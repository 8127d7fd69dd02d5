//! Noticing that files change (inotify). Folders are watched, not files: UCI files are
//! replaced by renaming. Where something cannot be watched, [`Folders::is_whole`] says so,
//! and the values are read at an interval instead. No file is ever opened here.

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The most folders watched.
const MAX_FOLDERS: usize = 64;
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
        for _ in 0..MAX_READS {
            let events = match inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(_) => return Noticed::Lost,
            };
            for event in events {
                let gone = AddWatchFlags::IN_IGNORED
                    | AddWatchFlags::IN_UNMOUNT
                    | AddWatchFlags::IN_MOVE_SELF
                    | AddWatchFlags::IN_DELETE_SELF;
                if event.mask.intersects(gone) {
                    return Noticed::Lost;
                }
                let names = self.names.get(&event.wd.as_raw());
                let ours = match (&event.name, names) {
                    (Some(name), Some(names)) => names.contains(name),
                    // What it cannot tell any more (IN_Q_OVERFLOW) may be anything.
                    _ => true,
                };
                if ours {
                    noticed = Noticed::Changed;
                }
            }
        }
        noticed
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
