//! The dispatcher's side of the watched values: when they are read again, and when a
//! change opens a session. It never reads them itself.

use super::{Daemon, Order};
use crate::agent::watch::Coverage;
use crate::agent::watch::folders::{Folders, Noticed};
use crate::agent::watch::plan::Plan;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// What the dispatcher keeps for it.
pub(super) struct Watching {
    pub plan: Plan,
    pub folders: Folders,
    /// What the folders were last made to watch.
    coverage: Coverage,
    /// When the last session was completed; not kept over a start (TR-181,
    /// DefaultActiveNotificationThrottle).
    completed: Option<Instant>,
}

impl Watching {
    /// Nothing is watched yet.
    pub fn new(interval: Duration) -> Watching {
        Watching {
            plan: Plan::new(interval),
            folders: Folders::default(),
            coverage: Coverage::default(),
            completed: None,
        }
    }

    /// A session was completed.
    pub fn session_completed(&mut self, now: Instant) {
        self.completed = Some(now);
    }

    /// How long a session for the sole purpose of an active notification must wait.
    pub fn throttled_for(&self, throttle: u32, now: Instant) -> Duration {
        let wait = Duration::from_secs(u64::from(throttle));
        let since = self.completed.map(|at| now.saturating_duration_since(at));
        since.map_or(Duration::ZERO, |since| wait.saturating_sub(since))
    }

    /// Notices changes in what is watched now.
    fn follow(&mut self, coverage: &Coverage, now: Instant) {
        // What could not be watched, perhaps because it is not there yet, is tried again.
        if self.coverage != *coverage || !self.folders.is_whole() {
            let was_whole = self.folders.is_whole();
            self.folders.watch(&coverage.files);
            let more = self.coverage != *coverage || self.folders.is_whole() != was_whole;
            self.coverage = coverage.clone();
            if more {
                // Between the last reading and now nobody looked.
                self.plan.want(now);
            }
        }
        self.plan
            .set_by_interval(coverage.by_interval || !self.folders.is_whole());
    }

    /// The folders have something to tell.
    fn folders_ready(&mut self, now: Instant) {
        match self.folders.read() {
            Noticed::Nothing => {}
            Noticed::Changed => self.plan.noticed(now),
            Noticed::Lost => {
                self.folders.watch(&self.coverage.files);
                self.plan
                    .set_by_interval(self.coverage.by_interval || !self.folders.is_whole());
                self.plan.noticed(now);
            }
        }
    }
}

impl Daemon {
    /// Reads the watched values where that is due and nothing else is under way.
    pub(super) fn start_scan(&mut self, orders: &Sender<Order>) {
        let now = Instant::now();
        if self.may_scan() && self.watching.plan.is_due(now) && orders.send(Order::Scan).is_ok() {
            self.watching.plan.ordered(now);
        }
    }

    fn may_scan(&self) -> bool {
        self.busy.is_none()
            && !self.terminate
            && self.going_down.is_none()
            && self.may_have_sessions()
            && self.world.watch().is_begun()
    }

    /// The watched values were read.
    pub(super) fn scanned(&mut self) {
        self.watching.plan.ended();
        let coverage = self.world.watch().coverage().clone();
        if self.world.watch().is_begun() {
            self.watching.follow(&coverage, Instant::now());
        }
    }

    /// Something may have changed watched values.
    pub(super) fn look_again(&mut self) {
        self.watching.plan.want(Instant::now());
    }

    /// The kernel tells of a change in a folder.
    pub(super) fn noticed(&mut self) {
        self.watching.folders_ready(Instant::now());
    }

    /// How long until a change opens a session; `None`: no change asks for one.
    pub(super) fn change_due_in(&self) -> Option<Duration> {
        if !self.world.watch().wants_session() {
            return None;
        }
        let throttle = self.world.settings().acs.notify_throttle;
        Some(self.watching.throttled_for(throttle, Instant::now()))
    }

    /// How long until values or settings are read again; `None`: nothing is due.
    pub(super) fn look_due_in(&self) -> Option<Duration> {
        let now = Instant::now();
        let scan = self.watching.plan.next().filter(|_| self.may_scan());
        let next = self
            .watching
            .plan
            .settles(now)
            .into_iter()
            .chain(scan)
            .min()?;
        Some(next.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-ATT-022 (in virtual time)
    #[test]
    fn the_throttle_counts_from_the_end_of_the_last_completed_session() {
        let now = Instant::now();
        let mut watching = Watching::new(Duration::from_secs(10));
        assert_eq!(watching.throttled_for(60, now), Duration::ZERO, "none yet");
        watching.session_completed(now);
        assert_eq!(watching.throttled_for(60, now).as_secs(), 60);
        let later = now + Duration::from_secs(59);
        assert_eq!(watching.throttled_for(60, later).as_secs(), 1);
        let later = now + Duration::from_secs(61);
        assert_eq!(watching.throttled_for(60, later), Duration::ZERO);
        assert_eq!(watching.throttled_for(0, now), Duration::ZERO, "off");
    }
}
