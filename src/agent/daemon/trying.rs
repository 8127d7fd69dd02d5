//! The dispatcher's side of changes on trial: how long they have, and the session that is
//! to prove them.

use super::{Daemon, Order};
use crate::cwmp::event::EventCode;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Services that were told to reload get this long before the line is tried.
const SETTLE: Duration = Duration::from_secs(5);
/// Files that could not be put back are tried again after this time.
const AGAIN: Duration = Duration::from_secs(10);

/// What the dispatcher keeps for it.
#[derive(Debug, Default)]
pub(super) struct Trying {
    /// Which of the changes on trial the times are about.
    of: u32,
    until: Option<Instant>,
    /// When a session is to be asked for.
    prove: Option<Instant>,
    /// No session could take place for a while: the time begins anew.
    is_held_up: bool,
}

impl Daemon {
    /// A session, or the start, is over: is something on trial now?
    pub(super) fn look_at_trial(&mut self) {
        let trials = &self.world.trials;
        let within = self.world.setup.config.apply.confirm_within;
        let Some(within) = within.filter(|_| trials.is_on()) else {
            if trials.is_on() {
                // Switched off since: nobody waits for a proof any more.
                crate::agent::trial::forget(&self.world);
            }
            self.trying = Trying::default();
            return;
        };
        if self.trying.until.is_none() || self.trying.of != trials.joined_times() {
            let now = Instant::now();
            log::info!(
                "what the ACS has changed is on trial for {} s",
                within.as_secs_f32()
            );
            self.trying = Trying {
                of: trials.joined_times(),
                until: Some(now + within),
                prove: Some(now + SETTLE.min(within / 4)),
                is_held_up: false,
            };
        }
    }

    /// Whether it is not the time to prove or to take back anything. What holds sessions up for
    /// long (a file that is applied, a box that is told to reboot) holds the trial up, too.
    fn leaves_trial_alone(&mut self) -> bool {
        let held_up = self.transferring.is_applying() || self.going_down.is_some();
        self.trying.is_held_up |= held_up && self.trying.until.is_some();
        held_up || self.busy.is_some() || self.terminate
    }

    /// Asks for the session that proves the change, or has it taken back.
    pub(super) fn try_change(&mut self, orders: &Sender<Order>) {
        if self.leaves_trial_alone() {
            return;
        }
        let now = Instant::now();
        if std::mem::take(&mut self.trying.is_held_up) {
            // No session could prove it meanwhile.
            self.trying.until = None;
            self.look_at_trial();
        }
        if self.trying.until.is_some_and(|at| at <= now) {
            // Should it fail, it is tried again then.
            self.trying.until = Some(now + AGAIN);
            self.order(orders, Order::TakeBack);
        } else if self.trying.prove.is_some_and(|at| at <= now) {
            self.trying.prove = None;
            // An Inform that any ACS takes, a little before its time.
            self.world.owed().raise(EventCode::Periodic, "");
            self.retry.ask();
        }
    }

    /// How long until there is something to do.
    pub(super) fn trial_due_in(&self) -> Option<Duration> {
        // One that is held up must not keep the loop awake.
        let held_up = self.busy.is_some()
            || self.terminate
            || self.going_down.is_some()
            || self.transferring.is_applying();
        if held_up {
            return None;
        }
        let next = [self.trying.prove, self.trying.until];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// When the change on trial is taken back, for `status`.
    pub(super) fn trial_left(&self) -> Option<Duration> {
        let until = self.trying.until?;
        Some(until.saturating_duration_since(Instant::now()))
    }
}
