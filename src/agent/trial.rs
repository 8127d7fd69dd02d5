//! A change of the ACS that cuts the line to the ACS does not last: the files as they were
//! come back unless a session succeeds in time (`[apply] confirm_within` of agent.toml).
//!
//! ```text
//! session with a Set that touches the network
//!      |  files and record in one change (store::trial), reloaded after the session
//!      v
//! on trial --- a session of its own, tried again by the retry policy
//!      |    \-- it is completed: the record goes, the change stays
//!      |
//!      +--- time is over, or was over during a session that has failed:
//!           old files back in one change, reloaded, 4 VALUE CHANGE
//! ```
//! After a boot the time begins anew: it is the network that is tried, and that has just
//! come up. What a person sets is no trial, and what somebody has edited since stays.

use super::watch;
use super::world::World;
use crate::cwmp::event::EventCode;
use crate::cwmp::message::AcsRequest;
use crate::model::source::FileChange;
use crate::store::trial::{Back, content};
use crate::uci::lock::Locked;
use std::path::Path;
use std::time::Duration;

/// How long the lock of a file is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The request that is being answered: what it changes may go on trial as long as this lives.
pub struct Answering<'w>(&'w World);

/// A request of the ACS is about to be answered.
pub fn answering<'w>(world: &'w World, request: &AcsRequest) -> Answering<'w> {
    match request {
        AcsRequest::SetParameterValues { list, .. } => {
            let names = list.iter().map(|item| item.name.clone());
            world.trials.open(names.collect());
        }
        AcsRequest::AddObject { object, .. } | AcsRequest::DeleteObject { object, .. } => {
            world.trials.open(vec![object.clone()]);
        }
        _ => {}
    }
    Answering(world)
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.trials.close();
    }
}

/// A session was completed: it has proved what was on trial when it began.
pub fn session_completed(world: &World) {
    if !world.trials.is_proved() {
        return;
    }
    match world.trials.over() {
        Ok(()) => log::info!("the ACS was reached: the change on trial stays"),
        Err(e) => log::error!("the end of the trial cannot be kept: {e}"),
    }
}

/// Puts the files back as they were before the trial, reloads them, and has the ACS told.
/// Tells whether the trial is over; else it is to be tried again.
pub fn take_back(world: &World) -> bool {
    let Some(trial) = world.trials.trial() else {
        return true;
    };
    log::warn!("no session with the ACS in time: what it changed last is taken back");
    {
        let mut model = world.model();
        model.begin();
        let mut locks = Vec::new();
        let mut files: Vec<FileChange> = Vec::new();
        for back in trial.files() {
            match locked(&back.path, &mut locks).and_then(|()| old(world, &back)) {
                Ok(Some(file)) => files.push(file),
                Ok(None) => {
                    log::warn!("{}: edited since; it is left as it is", back.path.display())
                }
                Err(e) => {
                    log::error!("{}: {e}; it is tried again", back.path.display());
                    return false;
                }
            }
        }
        if let Some(first) = files.first_mut() {
            // Whoever finishes this after a power cut must know them.
            first.reload = trial.reload.iter().cloned().collect();
        }
        files.push(world.trials.end());
        if let Err(fault) = model.replace(&files) {
            log::error!("{fault}; it is tried again");
            return false;
        }
        world.trials.taken_back();
        locks.into_iter().for_each(Locked::hand_over);
    }
    let reload: Vec<String> = trial.reload.into_iter().collect();
    world.reload(&reload);
    let paths: Vec<String> = trial.paths.into_iter().collect();
    watch::changed_by_hand(world, &paths);
    let mut owed = world.owed();
    owed.raise_by_hand(EventCode::ValueChange);
    owed.save();
    true
}

/// Nothing is on trial any more (factory reset).
pub fn forget(world: &World) {
    if let Err(e) = world.trials.over() {
        log::warn!("the change on trial cannot be forgotten: {e}");
    }
}

/// Takes the lock of a UCI file, where there is one; others write it, too.
fn locked(path: &Path, locks: &mut Vec<Locked>) -> Result<(), String> {
    if !path.exists() {
        return Ok(());
    }
    let lock = Locked::acquire(path, LOCK_WAIT).map_err(|e| e.to_string())?;
    locks.push(lock);
    Ok(())
}

/// The file as it was; `None` where somebody has edited it since.
fn old(world: &World, back: &Back) -> Result<Option<FileChange>, String> {
    let name = back.path.file_name().and_then(|name| name.to_str());
    let now = match (name, back.path.parent() == Some(world.state.dir())) {
        (Some(name), true) => world.state.load_bytes(name),
        _ => content(&*world.state.disk(), &back.path).map_err(|e| e.to_string())?,
    };
    Ok(back.fits(now.as_deref()).then(|| FileChange {
        path: back.path.clone(),
        content: back.content.clone(),
        mode: back.mode,
        reload: Vec::new(),
    }))
}
