//! Files from and to file servers, as far as they are the agent's business: when a transfer
//! begins is the queue's, how its file comes over the line and what becomes of it is
//! `transfer`'s; here it is carried out ([`carry()`]), its events are made pending, and the ACS is
//! told ([`tell`]).
//!
//! ```text
//! record (transfers)            events (owed)               session
//! completed      ------------>  7, M …        ---------->  TransferComplete
//!    ^                             |                              |
//!    |                             v                              v
//! gone  <------------------------------------------- TransferCompleteResponse: record, then events
//! ```
//! The records decide: whenever they change, and at each start, exactly their events are pending.

mod carry;
mod flash;
mod folder;
mod idle;
pub mod local;
pub mod tell;
mod under_way;

pub use carry::{Carried, carry, shown, wire, word};
pub use flash::{MARKER, firmware};
pub use idle::Idle;
pub use under_way::{Stage, UnderWay};

use super::clock;
use super::world::{World, lock};
use crate::cwmp::message::{RequestDownload, TransferFault};
use crate::store::state::StateDir;
use crate::transfer::apply;
use crate::transfer::archive;
use crate::transfer::file_types::{FileTypes, Numbered};
use crate::transfer::queue::{Entry, Id, Job, Queue};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// The most ends of local transfers that are remembered for those who wait for them.
const MAX_ENDS: usize = 16;

/// What the agent's threads share of transfers, each thing behind its own lock.
pub struct Files {
    pub queue: Mutex<Queue>,
    pub types: FileTypes,
    under_way: Mutex<Option<Arc<UnderWay>>>,
    /// How the last local transfers ended.
    ends: Mutex<VecDeque<(Id, TransferFault)>>,
    /// What a person has asked the ACS for.
    request: Mutex<Option<RequestDownload>>,
}

impl Files {
    /// The queue as the state folder holds it, for files of these types.
    pub fn load(state: &StateDir, types: FileTypes) -> Files {
        Files {
            queue: Mutex::new(Queue::load(state)),
            types,
            under_way: Mutex::new(None),
            ends: Mutex::new(VecDeque::new()),
            request: Mutex::new(None),
        }
    }

    /// This transfer is being carried out from now on; `None`: none is.
    pub fn set_under_way(&self, under_way: Option<Arc<UnderWay>>) {
        *lock(&self.under_way) = under_way;
    }

    /// The transfer that is being carried out.
    pub fn under_way(&self) -> Option<Arc<UnderWay>> {
        lock(&self.under_way).clone()
    }

    /// Ends the transfer that is being carried out, unless it is being applied.
    pub fn stop(&self) {
        if let Some(under_way) = self.under_way() {
            under_way.stop.stop();
        }
    }

    /// Ends it if it is in the queue no more.
    pub fn stop_cancelled(&self) {
        if let Some(under_way) = self.under_way()
            && !lock(&self.queue).has(under_way.id)
        {
            under_way.stop.stop();
        }
    }

    /// How this local transfer has ended, if it has lately.
    pub fn end_of(&self, id: Id) -> Option<TransferFault> {
        let ends = lock(&self.ends);
        ends.iter()
            .find(|(of, _)| *of == id)
            .map(|(_, end)| end.clone())
    }

    /// What the ACS is to be asked for, by RequestDownload.
    pub fn request(&self) -> Option<RequestDownload> {
        lock(&self.request).clone()
    }

    /// Notes what the ACS is to be asked for; `None` when it has been, or need not be any more.
    pub fn set_request(&self, request: Option<RequestDownload>) {
        *lock(&self.request) = request;
    }
}

/// The row that a file type names, with the dot at its end.
pub fn row_of(numbered: Numbered) -> String {
    match numbered {
        Numbered::Configuration(i) => format!("Device.DeviceInfo.VendorConfigFile.{i}."),
        Numbered::Log(i) => format!("Device.DeviceInfo.VendorLogFile.{i}."),
    }
}

/// Where other files on their way may lie, in the download folder, which is made if `make`.
pub fn folder_for(world: &World, name: &str, make: bool) -> std::io::Result<std::path::PathBuf> {
    let folder = match make {
        true => folder::make(world)?,
        false => folder::path(world)?,
    };
    Ok(folder.join(name))
}

/// The agent starts: what was under way is begun anew or concluded, what lies about is swept
/// away. `rebooted`: the box was. Tells whether that is on disk; the events follow
/// ([`sync_events`]).
pub fn conclude(world: &World, rebooted: bool) -> bool {
    let root = &world.setup.root;
    let flashed = flash::flashed(root, &world.state);
    let (kept, waits) = {
        let mut queue = world.transfers();
        if queue.entries().is_empty() {
            (true, false)
        } else {
            if !rebooted {
                for entry in queue.entries() {
                    if entry.stage == "applying" && is_at_work(world, entry.id) {
                        log::warn!("transfer {}: is being applied still", entry.id);
                        queue.left_at_work(entry.id);
                    }
                }
            }
            let firmware = flash::firmware(root, &world.identity().software_version);
            let kept = queue.started(rebooted, &firmware, flashed, clock::unix_seconds());
            (kept, queue.entries().iter().any(reboots))
        }
    };
    if flashed.is_some() && kept && !waits {
        flash::forget(root, &world.state);
    }
    folder::sweep(world);
    for below in world.files.types.web_folders() {
        if let Ok(below) = root.path(below) {
            archive::sweep(&below);
        }
    }
    kept
}

/// Whether the program that puts this file into force runs still.
pub fn is_at_work(world: &World, id: Id) -> bool {
    folder::path(world).is_ok_and(|folder| apply::is_at_work(&folder::place(&folder, id)))
}

/// A boot is what concludes it.
fn reboots(entry: &Entry) -> bool {
    matches!(entry.stage, "applying" | "rebooting")
}

/// Makes the events pending that the records call for; tells whether they are on disk.
pub fn sync_events(world: &World) -> bool {
    let queue = world.transfers();
    world.owed().set_transfer_events(&queue.events())
}

/// A transfer has ended: its record says so, and its events are pending.
pub fn finish(world: &World, id: Id, result: Result<(), TransferFault>) {
    let mut queue = world.transfers();
    queue.finished(id, clock::unix_seconds(), result);
    settle_local(world, &mut queue, id);
    world.owed().set_transfer_events(&queue.events());
}

/// The box was to reboot for this one, and has not.
pub fn did_not_reboot(world: &World, id: Id) {
    let mut queue = world.transfers();
    queue.did_not_reboot(id, clock::unix_seconds());
    settle_local(world, &mut queue, id);
    world.owed().set_transfer_events(&queue.events());
    drop(queue);
    folder::clear(world, id);
    flash::forget_if_marked(world);
}

/// Remembers how a local transfer has ended, and drops its record where the ACS has no wish to
/// know (Device.ManagementServer.AutonomousTransferCompletePolicy.).
fn settle_local(world: &World, queue: &mut Queue, id: Id) {
    let entries = queue.entries();
    let Some(entry) = entries.iter().find(|e| e.id == id && e.local) else {
        return;
    };
    let Some(result) = &entry.result else { return };
    let mut ends = lock(&world.files.ends);
    if ends.len() >= MAX_ENDS {
        ends.pop_front();
    }
    ends.push_back((id, result.clone()));
    drop(ends);
    if !local::is_wanted(world, entry) {
        queue.delivered(id);
    }
}

/// Carries one transfer out on this thread, where there is no dispatcher.
pub fn carry_here(world: &World, job: &Job) -> Carried {
    let under_way = Arc::new(UnderWay::new(job.id));
    world.files.set_under_way(Some(under_way.clone()));
    let device = super::knock::device(world, &world.settings());
    let carried = carry(world, job, device.as_deref(), &under_way, &mut || true);
    world.files.set_under_way(None);
    carried
}
