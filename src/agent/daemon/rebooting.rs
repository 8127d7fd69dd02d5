//! The dispatcher's side of planned reboots: when one is begun, and that what DelayReboot said
//! before a boot is taken out of the settings.

use super::{Daemon, Order};
use crate::agent::clock;
use crate::agent::planned_reboot::{PlannedReboot, PlannedReboots};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// A delay that could not be taken out of the settings is tried again after this time.
const AGAIN: Duration = Duration::from_secs(3600);

/// What the dispatcher keeps for it.
#[derive(Debug, Default)]
pub(super) struct Rebooting {
    planned: PlannedReboot,
    /// What the settings say of a delay is over: when it is to be taken out of them.
    stale: Option<Instant>,
    /// What the session that is over has planned, until the settings are read.
    in_session: PlannedReboots,
}

impl Daemon {
    /// The run begins.
    pub(super) fn begin_planned_reboot(&mut self) {
        let over = self.world.owed().delay_over();
        self.rebooting = Rebooting {
            planned: PlannedReboot::new(over),
            ..Rebooting::default()
        };
        self.plan_reboot();
    }

    /// The settings may be others.
    pub(super) fn plan_reboot(&mut self) {
        let settings = self.world.settings();
        let acs = &settings.acs;
        let mut owed = self.world.owed();
        let now = Instant::now();
        let in_session = std::mem::take(&mut self.rebooting.in_session);
        let is_over = owed.delay_over() == Some(acs.delay_reboot) && !in_session.delay;
        if !is_over {
            owed.set_delay_over(None);
        }
        let stale = &mut self.rebooting.stale;
        *stale = is_over.then(|| stale.unwrap_or(now));
        let unix = in_session.schedule_at.unwrap_or_else(clock::unix_seconds);
        let done = owed.scheduled_reboot();
        self.rebooting.planned.look(acs, done, now, unix);
    }

    /// A session is over: a delay that it set counts from now, and a time that came before its
    /// end had not passed.
    pub(super) fn planned_in_session(&mut self, planned: PlannedReboots) {
        self.rebooting.planned.forget(&planned);
        self.rebooting.in_session = planned;
    }

    /// The settings are as the session left them; they may have been read while it ran.
    pub(super) fn plan_as_session_did(&mut self) {
        if self.rebooting.in_session != PlannedReboots::default() {
            self.plan_reboot();
        }
    }

    /// The clock was set by so many seconds.
    pub(super) fn plan_reboot_anew(&mut self, step: i64, unix: i64) {
        let owed = self.world.owed();
        let done = owed.scheduled_reboot();
        self.rebooting.planned.clock_stepped(step, done, unix);
    }

    fn leaves_box_alone(&self) -> bool {
        self.busy.is_some()
            || self.terminate
            || self.going_down.is_some()
            || self.transferring.is_applying()
    }

    /// Begins a reboot whose time has come; first of all takes a delay that is over out of the
    /// settings. (Not while they are on trial: that would be an edit of theirs.)
    pub(super) fn reboot_as_planned(&mut self, orders: &Sender<Order>) {
        let rebooting = &self.rebooting;
        let is_idle = !rebooting.planned.is_any() && rebooting.stale.is_none();
        if is_idle || self.leaves_box_alone() {
            return;
        }
        let (now, unix) = (Instant::now(), clock::unix_seconds());
        if self.rebooting.stale.is_some_and(|at| at <= now) && !self.world.trials.is_on() {
            self.rebooting.stale = Some(now + AGAIN);
            self.order(orders, Order::ForgetDelay);
            return;
        }
        let planned = &mut self.rebooting.planned;
        if !planned.is_due(now, unix) {
            return;
        }
        let schedule = planned.reached(unix);
        log::info!(
            "a reboot is due: {}",
            schedule.unwrap_or("the delay that was set is over")
        );
        let delay = self.world.settings().acs.delay_reboot;
        let accepted = self.world.owed().accept_planned_reboot(schedule, delay);
        match accepted {
            Ok(()) => {
                planned.begins(unix);
                self.order(orders, Order::Act);
            }
            Err(why) => {
                log::error!("the reboot cannot be kept ({why:?}); it is tried again");
                planned.fails(now);
            }
        }
    }

    /// How long until there is something to do.
    pub(super) fn planned_reboot_due_in(&self) -> Option<Duration> {
        // One that is held up must not keep the loop awake.
        if !self.rebooting.planned.is_any() || self.leaves_box_alone() {
            return None;
        }
        let (now, unix) = (Instant::now(), clock::unix_seconds());
        self.rebooting.planned.due_in(now, unix)
    }

    /// When the box is to reboot, for `status`: Unix seconds.
    pub(super) fn planned_reboot_at(&self) -> Option<i64> {
        if !self.rebooting.planned.is_any() {
            return None;
        }
        let (now, unix) = (Instant::now(), clock::unix_seconds());
        let left = self.rebooting.planned.due_in(now, unix)?.as_secs();
        Some(unix.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)))
    }
}
