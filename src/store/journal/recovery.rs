//! What a start does with a change that a power cut or a crash interrupted: files go by
//! their prints, all to the new content or all to the old.

use super::super::atomic::{beside, is_left_over};
use super::super::disk::Disk;
use super::super::print::{MARK, print};
use super::super::state::{LIMIT, StateDir, hex, sha256, unseal};
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
}

/// How a file stands against the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Old,
    New,
    /// Edited since.
    Other,
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
        Found::Nothing => Recovered::default(),
        Found::Torn(why) => {
            // The journal is whole before the first rename: nothing was changed yet.
            state.set_aside(NAME, &why);
            Recovered {
                outcome: Outcome::Undone,
                ..Recovered::default()
            }
        }
        Found::Record(record) => {
            dirs.extend(
                record
                    .entries
                    .iter()
                    .filter_map(|e| Path::new(&e.path).parent().map(Path::to_owned)),
            );
            let recovered = settle(disk, record)?;
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
    for dir in &dirs {
        sweep_folder(disk, dir);
    }
    Ok(recovered)
}

enum Found {
    Nothing,
    Torn(String),
    Record(Record),
}

fn read_record(state: &StateDir) -> io::Result<Found> {
    let bytes = match state.disk().read(&state.path(NAME), LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        // A folder, a pipe or whatever: none that this program wrote.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::FileTooLarge
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::IsADirectory
            ) =>
        {
            return Ok(Found::Torn(e.to_string()));
        }
        Err(e) => return Err(e),
    };
    Ok(match unseal(NAME, bytes) {
        Err(why) => Found::Torn(why),
        Ok(body) => match json::read(&body) {
            Ok(record) => Found::Record(record),
            Err(e) => Found::Torn(format!("its content is not understood: {e}")),
        },
    })
}

/// Makes the files of a record agree.
fn settle(disk: &dyn Disk, record: Record) -> io::Result<Recovered> {
    let mut stands = Vec::with_capacity(record.entries.len());
    let mut whole = true;
    for entry in &record.entries {
        let path = Path::new(&entry.path);
        let now = print_of(disk, path, entry.stands_for())?;
        // Asked in this order: the new file may have come to its place and the old
        // content may be the same as that of an absent file nowhere.
        let stand = if now == entry.new {
            Stand::New
        } else if now == entry.old {
            Stand::Old
        } else {
            Stand::Other
        };
        let new = || print_of(disk, &beside(path), entry.stands_for());
        if stand == Stand::Old && entry.new.is_some() && new()? != entry.new {
            whole = false;
        }
        stands.push(stand);
    }
    let mut recovered = Recovered {
        outcome: Outcome::Finished,
        ..Recovered::default()
    };
    let begun = stands.contains(&Stand::New);
    if !begun && !whole {
        recovered.outcome = Outcome::Undone;
        return Ok(recovered);
    }
    for (entry, stand) in record.entries.iter().zip(stands) {
        let path = Path::new(&entry.path);
        match stand {
            Stand::New => {}
            Stand::Other => {
                warn!(
                    "{}: edited since the interrupted change; left as it is",
                    entry.path
                );
                recovered.left.push(path.to_owned());
            }
            Stand::Old if entry.new.is_none() => disk.remove(path)?,
            Stand::Old => {
                let new = beside(path);
                if print_of(disk, &new, entry.stands_for())? == entry.new {
                    disk.rename(&new, path)?;
                } else {
                    error!(
                        "{}: its new content is gone; it stays as it was",
                        entry.path
                    );
                    recovered.left.push(path.to_owned());
                }
            }
        }
    }
    recovered.reload = record.reload;
    Ok(recovered)
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
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(Some("neither".to_owned()))
        }
        Err(e) => Err(e),
    }
}

/// Removes new files that never took their place.
fn sweep_folder(disk: &dyn Disk, dir: &Path) {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return,
        Err(e) => {
            warn!("{}: cannot be looked through: {e}", dir.display());
            return;
        }
    };
    let mut removed = false;
    for name in names.iter().filter(|n| is_left_over(n)) {
        match disk.remove(&dir.join(name)) {
            Ok(()) => removed = true,
            Err(e) => warn!("{}: cannot be removed: {e}", dir.join(name).display()),
        }
    }
    // Were the removal lost with the power, and the rename of the next new file of that name
    // were not, this one would take the place that was meant for the next.
    if removed && let Err(e) = disk.sync_dir(dir) {
        warn!("{}: cannot be synced: {e}", dir.display());
    }
}
