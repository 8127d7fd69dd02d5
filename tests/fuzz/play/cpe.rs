//! The whole agent without a network: the model, what is owed, and sessions over a wire.

use cwmp_agent::agent::owed::Owed;
use cwmp_agent::agent::session::Wire;
use cwmp_agent::model::Model;
use std::sync::MutexGuard;

/// One CPE that a play is about.
pub trait Cpe {
    fn model(&self) -> MutexGuard<'_, Model>;
    fn owed(&self) -> MutexGuard<'_, Owed>;

    /// The keys of all transfers in the queue.
    fn transfers(&self) -> Vec<String>;

    /// A factory reset forgets them.
    fn forget_transfers(&self);

    /// One session over this wire; why it failed.
    fn session(&self, wire: &mut dyn Wire) -> Result<(), String>;

    /// A command has changed these; gives those of them that the next Inform has to tell.
    fn changed_by_hand(&self, paths: Vec<String>) -> Vec<String>;

    /// The agent ends and begins anew with what is on its disk; `boot`: so did the box.
    fn restart(&mut self, boot: bool);

    /// The agent has been reset, and goes on as a new one.
    fn begin_anew(&mut self);

    /// Lets something go wrong with a source or the disk, or mends it all again.
    fn trouble(&self, kind: u8);

    /// An operator edits the files by hand without changing what they mean.
    fn shuffle(&self, which: u8);

    /// Whether its settings name an ACS.
    fn has_acs(&self) -> bool;

    /// How many bytes a message may have.
    fn cap(&self) -> usize;
}
