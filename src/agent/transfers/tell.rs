//! What a session tells the ACS of transfers, in requests of the agent's own: TransferComplete
//! for each completed one whose event the Inform carried, AutonomousTransferComplete and
//! RequestDownload where the ACS lists them.

use super::Files;
use crate::agent::world::World;
use crate::cwmp::event::EventCode;
use crate::cwmp::fault;
use crate::cwmp::message::CpeRequest;
use crate::cwmp::session::Outcome;
use crate::transfer::queue::{Id, Queue, Told};

/// The requests of one session.
#[derive(Debug, Default)]
pub struct Telling {
    /// Completed before the Inform was put together: no other is told of in this session.
    told_by_inform: Vec<Id>,
    /// What was asked last.
    asked: Option<Told>,
    request_download: bool,
}

impl Telling {
    /// What an Inform covers that tells of all that is completed. Without one (the default)
    /// nothing is asked.
    pub fn new(queue: &Queue, files: &Files) -> Telling {
        Telling {
            told_by_inform: queue.completed().iter().map(|told| told.id).collect(),
            asked: None,
            request_download: files.request().is_some(),
        }
    }

    /// The next TransferComplete: every ACS has that method (TR-069 A.3.3).
    pub fn required(&mut self, world: &World) -> Option<CpeRequest> {
        self.next(world, false)
    }

    /// The next request that an ACS need not have. Those that it does not list are dropped,
    /// with their events.
    pub fn optional(&mut self, world: &World, url: &str) -> Option<CpeRequest> {
        while let Some(request) = self.next(world, true) {
            if world.peers().allows(url, &request) {
                return Some(request);
            }
            log::info!("the ACS does not take {}; it is dropped", request.name());
            self.settle(world);
        }
        if !std::mem::take(&mut self.request_download) {
            return None;
        }
        let request = CpeRequest::RequestDownload(world.files.request()?);
        if world.peers().allows(url, &request) {
            return Some(request);
        }
        log::warn!("the ACS does not take RequestDownload; it is dropped");
        request_is_over(world);
        None
    }

    /// Whether there is such a request to send.
    pub fn owes_optional(&self, world: &World) -> bool {
        self.request_download || self.due(&world.transfers(), true).is_some()
    }

    fn next(&mut self, world: &World, autonomous: bool) -> Option<CpeRequest> {
        let queue = world.transfers();
        let due = self.due(&queue, autonomous)?;
        self.told_by_inform.retain(|id| *id != due.id);
        let message = due.message.clone();
        self.asked = Some(due);
        Some(message)
    }

    fn due(&self, queue: &Queue, autonomous: bool) -> Option<Told> {
        queue.completed().into_iter().find(|told| {
            let is = told.event == EventCode::AutonomousTransferComplete;
            is == autonomous && self.told_by_inform.contains(&told.id)
        })
    }

    /// What the ACS has made of the last request.
    pub fn done(&mut self, world: &World, request: &CpeRequest, outcome: &Outcome) {
        match (request, outcome) {
            (
                CpeRequest::TransferComplete(_) | CpeRequest::AutonomousTransferComplete(_),
                Outcome::Delivered,
            )
            // An older CWMP has no such request, and an ACS of it never hears of it.
            | (CpeRequest::AutonomousTransferComplete(_), Outcome::NotSent(_)) => {
                self.settle(world);
            }
            (CpeRequest::RequestDownload(_), _) => request_is_over(world),
            // Told again in the next session, a few times.
            _ => {
                let Some(told) = self.asked.take() else {
                    return;
                };
                let mut queue = world.transfers();
                if queue.refused(told.id, is_for_good(outcome)) {
                    log::warn!(
                        "transfer {}: the ACS does not take {}; it is not told again",
                        told.id,
                        request.name()
                    );
                    world.owed().set_transfer_events(&queue.events());
                }
            }
        }
    }

    /// It is told, or never will be: first its record goes, then its event.
    fn settle(&mut self, world: &World) {
        if let Some(told) = self.asked.take() {
            let mut queue = world.transfers();
            queue.delivered(told.id);
            world.owed().set_transfer_events(&queue.events());
        }
    }
}

/// The ACS does not have the method: it never will take the request.
pub(in crate::agent) fn is_for_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(f) if f.code == fault::ACS_METHOD_NOT_SUPPORTED)
}

fn request_is_over(world: &World) {
    world.files.set_request(None);
    let mut owed = world.owed();
    owed.withdraw(&EventCode::RequestDownload);
    owed.save();
}
