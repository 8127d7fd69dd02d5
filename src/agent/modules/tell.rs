//! What a session tells the ACS of software modules: DUStateChangeComplete for each request
//! whose events the Inform carried, AutonomousDUStateChangeComplete where the ACS lists it.

use super::{lookup, sync_events};
use crate::agent::transfers::tell::is_for_good;
use crate::agent::world::World;
use crate::cwmp::message::CpeRequest;
use crate::cwmp::session::Outcome;
use crate::transfer::software::Registry;
use crate::transfer::software::registry::Told;

/// The requests of one session.
#[derive(Debug, Default)]
pub struct Telling {
    /// What could be told before the Inform was put together; no other is in this session.
    left: Vec<Option<u32>>,
    asked: Option<Told>,
}

impl Telling {
    /// What an Inform covers that tells of all that is done. Without one (the default)
    /// nothing is told.
    pub fn new(registry: &Registry) -> Telling {
        Telling {
            left: registry.done(),
            asked: None,
        }
    }

    /// The next DUStateChangeComplete: whoever sends ChangeDUState takes it.
    pub fn required(&mut self, world: &World) -> Option<CpeRequest> {
        while let Some(at) = self.left.iter().position(|id| id.is_some()) {
            let id = self.left.remove(at);
            if let Some(request) = self.ask(world, id) {
                return Some(request);
            }
        }
        None
    }

    /// AutonomousDUStateChangeComplete; dropped, with its event, where the ACS does not list
    /// it.
    pub fn optional(&mut self, world: &World, url: &str) -> Option<CpeRequest> {
        let at = self.left.iter().position(Option::is_none)?;
        let id = self.left.remove(at);
        let request = self.ask(world, id)?;
        if world.peers().allows(url, &request) {
            return Some(request);
        }
        log::info!("the ACS does not take {}; it is dropped", request.name());
        self.settle(world);
        None
    }

    /// Whether there is such a request to send.
    pub fn owes_optional(&self) -> bool {
        self.left.iter().any(Option::is_none)
    }

    fn ask(&mut self, world: &World, id: Option<u32>) -> Option<CpeRequest> {
        let mut model = world.model();
        model.begin();
        let lookup = &mut lookup(&mut model);
        let told = world.modules().to_tell(id, lookup)?;
        let message = told.message.clone();
        self.asked = Some(told);
        Some(message)
    }

    /// What the ACS has made of the last request.
    pub fn done(&mut self, world: &World, request: &CpeRequest, outcome: &Outcome) {
        if !matches!(
            request,
            CpeRequest::DuStateChangeComplete { .. }
                | CpeRequest::AutonomousDuStateChangeComplete(_)
        ) {
            return;
        }
        match outcome {
            // An ACS of an older CWMP has no such request and never hears of it.
            Outcome::Delivered | Outcome::NotSent(_) => self.settle(world),
            // Told again in the next session, a few times.
            _ => {
                let Some(told) = self.asked.take() else {
                    return;
                };
                let over = world.modules().refused(&told, is_for_good(outcome));
                if over {
                    log::warn!(
                        "software modules: the ACS does not take {}; it is not told again",
                        request.name()
                    );
                    sync_events(world);
                }
            }
        }
    }

    /// It is told, or never will be: first its record goes, then its events.
    fn settle(&mut self, world: &World) {
        if let Some(told) = self.asked.take() {
            world.modules().delivered(&told);
            sync_events(world);
        }
    }
}
