//! What a start does with a change that a power cut or a crash interrupted: files go by
//! their prints, all to the new content or all to the old.

use super::super::atomic::{beside, is_left_over};
use super::super::disk::{Disk, is_no_file};
use super::super::print::{MARK, print};
use super::super::state::{LIMIT, LINK_TO_NOTHING, StateDir, hex, sha256, unseal};
use super::{Entry, FILE_LIMIT, FOLDERS, NAME, Record};
use crate::notation::json;
use log::{error, info, warn};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What [`recover`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub outcome: Outcome,
    /// Packages whose files the interrupted change touched: they are to be reloaded.
    pub reload: Vec<String>,
    /// Files that somebody edited since; they were left as they are.
    pub left: Vec<PathBuf>,
}

/// What became of an interrupted change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    #[default]
    Clean,
    /// All its files are as they were to become.
    Finished,
    /// All its files are as they were.
    Undone,
    /// Its record cannot be read, and was set aside: its files stay as they are, old or new.
    Unknown,
}

/// How a file stands against the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Old,
    New,
    /// Edited since.
    Other,
}

/// A file of a change, as it is found.
struct Found<'a> {
    entry: &'a Entry,
    stand: Stand,
    /// Its new file is there, whole, and has not taken its place.
    waits: bool,
}

/// Finishes or undoes a change that a power cut or a crash interrupted, and removes what
/// it left behind. The caller holds the state lock. An error (the disk) leaves the
/// journal for the next try.
pub fn recover(state: &StateDir) -> io::Result<Recovered> {
    let disk = &*state.disk();
    let mut dirs: BTreeSet<PathBuf> = BTreeSet::from([state.dir().to_owned()]);
    dirs.extend(
        state
            .load::<BTreeSet<String>>(FOLDERS)
            .unwrap_or_default()
            .into_iter()
            .map(PathBuf::from),
    );
    let recovered = match read_record(state)? {
        Kept::Nothing => Recovered::default(),
        Kept::Unreadable(e) => {
            error!(
                "{}: {e}; what it says of an interrupted change is lost, and the files stay as they are",
                state.path(NAME).display()
            );
            state.set_aside(NAME, &format!("it cannot be read: {e}"));
            Recovered {
                outcome: Outcome::Unknown,
                ..Recovered::default()
            }
        }
        Kept::Torn(why) => {
            // The journal is whole before the first rename: nothing was changed yet.
            state.set_aside(NAME, &why);
            Recovered {
                outcome: Outcome::Undone,
                ..Recovered::default()
            }
        }
        Kept::Record(record) => {
            dirs.extend(
                record
                    .entries
                    .iter()
                    .filter_map(|e| Path::new(&e.path).parent().map(Path::to_owned)),
            );
            let recovered = settle(disk, &record)?;
            for dir in &dirs {
                match disk.sync_dir(dir) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
            match state.remove(NAME) {
                // Gone, though perhaps not for good: should it come back, there is nothing
                // left to do but to reload again.
                Err(e) if disk.stat(&state.path(NAME)).is_err() => {
                    warn!("{}: {e}", state.path(NAME).display());
                }
                removed => removed?,
            }
            info!(
                "an interrupted change was {}",
                match recovered.outcome {
                    Outcome::Undone => "undone",
                    _ => "finished",
                }
            );
            recovered
        }
    };
    sweep(disk, state.dir(), &dirs);
    Ok(recovered)
}

/// What lies where the journal is.
enum Kept {
    Nothing,
    Torn(String),
    Unreadable(io::Error),
    Record(Record),
}

fn read_record(state: &StateDir) -> io::Result<Kept> {
    let (disk, path) = (state.disk(), state.path(NAME));
    // A second look at what cannot be read: the trouble may have passed.
    let read = disk.read(&path, LIMIT).or_else(|e| match is_lasting(&e) {
        true => disk.read(&path, LIMIT),
        false => Err(e),
    });
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(match disk.is_link(&path) {
                true => Kept::Torn(LINK_TO_NOTHING.to_owned()),
                false => Kept::Nothing,
            });
        }
        // A folder, a pipe or whatever: none that this program wrote.
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge || is_no_file(&e) => {
            return Ok(Kept::Torn(e.to_string()));
        }
        // A bad sector: as with any state file, it would be met again for ever, and no change
        // be made.
        Err(e) if is_lasting(&e) => return Ok(Kept::Unreadable(e)),
        Err(e) => return Err(e),
    };
    Ok(match unseal(NAME, bytes) {
        Err(why) => Kept::Torn(why),
        Ok(body) => match json::read(&body) {
            Ok(record) => Kept::Record(record),
            Err(e) => Kept::Torn(format!("its content is not understood: {e}")),
        },
    })
}

/// Whether a file that cannot be read is at fault itself, and not the system that has too
/// little of something at the moment.
fn is_lasting(e: &io::Error) -> bool {
    use nix::errno::Errno;
    let passing = [
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOMEM,
        Errno::EINTR,
        Errno::EAGAIN,
    ];
    let code = e.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| code != Errno::ENOENT && !passing.contains(&code))
}

/// Makes the files of a record agree.
fn settle(disk: &dyn Disk, record: &Record) -> io::Result<Recovered> {
    let found: Vec<Found<'_>> = record
        .entries
        .iter()
        .map(|entry| look_at(disk, entry))
        .collect::<io::Result<_>>()?;
    let left = found.iter().filter(|f| f.stand == Stand::Other);
    let mut recovered = Recovered {
        outcome: Outcome::Finished,
        reload: Vec::new(),
        left: left.map(|f| PathBuf::from(&f.entry.path)).collect(),
    };
    if !is_to_be_finished(record, &found) {
        recovered.outcome = Outcome::Undone;
        return Ok(recovered);
    }
    for Found {
        entry,
        stand,
        waits,
    } in found
    {
        let path = Path::new(&entry.path);
        match stand {
            Stand::New => {}
            Stand::Other => warn!(
                "{}: edited since the interrupted change; left as it is",
                entry.path
            ),
            Stand::Old if entry.new.is_none() => disk.remove(path)?,
            Stand::Old if waits => disk.rename(&beside(path), path)?,
            Stand::Old => {
                error!(
                    "{}: its new content is gone; it stays as it was",
                    entry.path
                );
                recovered.left.push(path.to_owned());
            }
        }
    }
    recovered.reload.clone_from(&record.reload);
    Ok(recovered)
}

fn look_at<'a>(disk: &dyn Disk, entry: &'a Entry) -> io::Result<Found<'a>> {
    let path = Path::new(&entry.path);
    let print_at = |path: &Path| {
        print_of(disk, path, entry.stands_for())
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    };
    let now = print_at(path)?;
    // Asked in this order: the new file may have come to its place and the old
    // content may be the same as that of an absent file nowhere.
    let stand = if now == entry.new {
        Stand::New
    } else if now == entry.old {
        Stand::Old
    } else {
        Stand::Other
    };
    let waits = entry.new.is_some() && print_at(&beside(path))? == entry.new;
    Ok(Found {
        entry,
        stand,
        waits,
    })
}

/// Whether an interrupted change goes on to its end, else nothing of it was made and nothing
/// is.
fn is_to_be_finished(record: &Record, found: &[Found<'_>]) -> bool {
    let is_written = |f: &Found<'_>| f.entry.new.is_some();
    let any = |what: &dyn Fn(&Found<'_>) -> bool| found.iter().any(what);
    // A change that had begun, or the way back of one.
    if record.back || any(&|f| f.stand == Stand::New && !f.waits) {
        return true;
    }
    // The change was being undone: a new file goes by itself in no other case.
    if any(&|f| f.stand == Stand::Old && is_written(f) && !f.waits) {
        return false;
    }
    // Nothing was made so far, unless of a file that was edited afterwards.
    let (mut edited, mut made) = (false, false);
    for other in found.iter().filter(|f| f.stand == Stand::Other) {
        edited = true;
        made |= is_written(other) && !other.waits;
    }
    // What was edited on top of the old cannot have the change as well, and then none has it.
    made || !edited
}

impl Entry {
    /// How what stands for a content is made in this entry.
    fn stands_for(&self) -> fn(&[u8]) -> String {
        let mut known = self.old.iter().chain(&self.new);
        match known.any(|known| known.starts_with(MARK)) {
            true => print,
            // A version before has written it.
            false => |content| hex(sha256(content).as_ref()),
        }
    }
}

/// What stands for a file's content; `None` where there is no file.
pub(super) fn print_of(
    disk: &dyn Disk,
    path: &Path,
    print: impl Fn(&[u8]) -> String,
) -> io::Result<Option<String>> {
    match disk.read(path, FILE_LIMIT) {
        Ok(content) => Ok(Some(print(&content))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        // Grown beyond all bounds, or a folder now: it is neither old nor new.
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge || is_no_file(&e) => {
            Ok(Some("neither".to_owned()))
        }
        Err(e) => Err(e),
    }
}

/// Removes new files that never took their place.
fn sweep(disk: &dyn Disk, state: &Path, dirs: &BTreeSet<PathBuf>) {
    let mut all: Vec<(&Path, Vec<PathBuf>)> = Vec::new();
    for dir in dirs {
        match disk.list(dir) {
            Ok(names) => {
                let left = names.iter().filter(|n| is_left_over(n));
                let left: Vec<PathBuf> = left.map(|name| dir.join(name)).collect();
                if !left.is_empty() {
                    all.push((dir, left));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => warn!("{}: cannot be looked through: {e}", dir.display()),
        }
    }
    if all.is_empty() {
        return;
    }
    // A journal that a power cut brings back must find the new files that it tells of.
    if let Err(e) = disk.sync_dir(state) {
        warn!("{}: cannot be synced: {e}", state.display());
        return;
    }
    for (dir, left) in all {
        for path in left {
            if let Err(e) = disk.remove(&path) {
                warn!("{}: cannot be removed: {e}", path.display());
            }
        }
        // Were the removal lost with the power, and the rename of the next new file of that
        // name were not, this one would take the place that was meant for the next.
        if let Err(e) = disk.sync_dir(dir) {
            warn!("{}: cannot be synced: {e}", dir.display());
        }
    }
}
