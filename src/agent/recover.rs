//! `cwmp-agent recover`: finish or undo a change that a power cut interrupted, before the
//! network starts. `run` and the commands do the same first, in case nobody did.

use super::setup::{Setup, SetupError};
use super::world::held;
use crate::store::journal::{self, Outcome, Recovered};
use crate::store::lock::StateLock;
use crate::store::state::StateDir;

/// Recovers under the state lock; a sentence for the user.
pub fn recover(setup: &Setup) -> Result<String, SetupError> {
    let state = setup.state()?;
    let _lock = StateLock::acquire_on(&*setup.disk, state.dir()).map_err(held)?;
    let recovered = finish(setup, &state)?;
    let mut told = match recovered.outcome {
        Outcome::Clean => "nothing to recover\n".to_owned(),
        Outcome::Finished => "an interrupted change was finished\n".to_owned(),
        Outcome::Undone => "an interrupted change was undone\n".to_owned(),
        Outcome::Unknown => "the record of an interrupted change cannot be read, and was set aside; the files stay as they are\n".to_owned(),
    };
    if !recovered.reload.is_empty() {
        told.push_str(&format!("reloaded: {}\n", recovered.reload.join(" ")));
    }
    for path in &recovered.left {
        told.push_str(&format!("left as edited since: {}\n", path.display()));
    }
    Ok(told)
}

/// Recovers; the caller holds the state lock. The packages touched are reloaded.
pub(super) fn finish(setup: &Setup, state: &StateDir) -> Result<Recovered, SetupError> {
    let recovered = journal::recover(state)
        .map_err(|e| SetupError::System(format!("cwmp-agent: recovery: {e}")))?;
    for path in &recovered.left {
        log::warn!(
            "{} was edited since the change that was interrupted; it stays as it is",
            path.display()
        );
    }
    if recovered.outcome != Outcome::Clean {
        log::warn!("an interrupted change was found: {:?}", recovered.outcome);
        for (package, error) in setup.platform().reload(&recovered.reload) {
            log::warn!("reload of {package}: {error}");
        }
    }
    Ok(recovered)
}
