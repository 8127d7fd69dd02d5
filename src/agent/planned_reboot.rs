//! Reboots that are planned: Device.ManagementServer.DelayReboot and ScheduleReboot.
//!
//! It owns when the next one is due and never reboots anything. One that a time was given for
//! takes place once, and only where the time is reached while the agent runs: a time that has
//! passed when it is first seen, or that the clock is set past, calls for none. A delay counts
//! from the moment it is seen, which is the end of the session that set it; what a boot finds
//! in the file was meant for the time before, and is over whoever starts again and whatever
//! becomes of the file.
//!
//! ```text
//!            time or delay seen                    reached
//!    [none] --------------------> [planned] ------------------> [due] -> carried out
//!      ^                              |
//!      +---- withdrawn, clock set ----+
//! ```

use super::clock;
use super::control::{Answer, Question};
use super::settings::Acs;
use super::world::World;
use super::{operate, watch};
use crate::cwmp::datetime::DateTime;
use std::time::{Duration, Instant};

const DELAY: &str = "Device.ManagementServer.DelayReboot";
const SCHEDULE: &str = "Device.ManagementServer.ScheduleReboot";
/// A clock that is set by no more than this (seconds) reaches a time; by more it passes it.
const REACHED: i64 = 60;
/// A reboot that could not be kept on disk is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);

/// What a session has planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlannedReboots {
    /// DelayReboot was set: it counts from the session's end.
    pub delay: bool,
    /// When ScheduleReboot was set, Unix seconds: the time may come before the session ends.
    pub schedule_at: Option<i64>,
}

impl PlannedReboots {
    /// These parameters have been set now (Unix seconds), be it to what they were.
    pub fn set<'p>(&mut self, paths: impl Iterator<Item = &'p str>, now: i64) {
        for path in paths {
            self.delay |= path == DELAY;
            if path == SCHEDULE {
                self.schedule_at = Some(now);
            }
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct PlannedReboot {
    delay: i32,
    delay_over: Option<Instant>,
    schedule: String,
    /// Unix seconds.
    at: Option<i64>,
    again: Option<Instant>,
}

impl PlannedReboot {
    /// Nothing is planned, and no delay was seen but the one that a reboot has ended.
    pub fn new(over: Option<i32>) -> PlannedReboot {
        PlannedReboot {
            delay: over.unwrap_or(-1),
            ..PlannedReboot::default()
        }
    }

    /// The settings may be others. `done`: the time that a reboot was carried out for; `unix`:
    /// the wall clock when they became so, seconds.
    pub fn look(&mut self, acs: &Acs, done: &str, now: Instant, unix: i64) {
        if acs.delay_reboot != self.delay {
            self.delay = acs.delay_reboot;
            // Negative: none.
            let delay = u64::try_from(acs.delay_reboot).ok();
            self.delay_over = delay.and_then(|s| now.checked_add(Duration::from_secs(s)));
        }
        if acs.schedule_reboot != self.schedule {
            self.schedule.clone_from(&acs.schedule_reboot);
            self.plan(done, unix);
        }
    }

    /// What a session has set counts as not seen.
    pub fn forget(&mut self, set: &PlannedReboots) {
        if set.delay {
            self.delay = -1;
            self.delay_over = None;
        }
        if set.schedule_at.is_some() {
            self.schedule.clear();
            self.at = None;
        }
    }

    /// The clock was set by so many seconds and says `unix` now.
    pub fn clock_stepped(&mut self, step: i64, done: &str, unix: i64) {
        let reached = self.at.is_some_and(|at| at <= unix) && step <= REACHED;
        if !reached {
            self.plan(done, unix);
        }
    }

    fn plan(&mut self, done: &str, unix: i64) {
        let at = DateTime::parse(&self.schedule).and_then(DateTime::unix_seconds);
        self.at = at.filter(|at| *at > unix && self.schedule != done && clock::was_set(unix));
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        self.delay_over.is_some() || self.at.is_some()
    }

    /// Whether a reboot is to be carried out now.
    pub fn is_due(&self, now: Instant, unix: i64) -> bool {
        self.due_in(now, unix) == Some(Duration::ZERO)
    }

    /// How long until then.
    pub fn due_in(&self, now: Instant, unix: i64) -> Option<Duration> {
        let again = |wait: Duration| match self.again {
            Some(again) => wait.max(again.saturating_duration_since(now)),
            None => wait,
        };
        self.left(now, unix).map(again)
    }

    fn left(&self, now: Instant, unix: i64) -> Option<Duration> {
        let delay = self.delay_over.map(|at| at.saturating_duration_since(now));
        let schedule = self.at.map(|at| {
            let left = at.saturating_sub(unix);
            Duration::from_secs(u64::try_from(left).unwrap_or(0))
        });
        [delay, schedule].into_iter().flatten().min()
    }

    /// The time that is reached, if it is one that calls for the reboot.
    pub fn reached(&self, unix: i64) -> Option<&str> {
        let is_reached = self.at.is_some_and(|at| at <= unix);
        is_reached.then_some(self.schedule.as_str())
    }

    /// It is being carried out.
    pub fn begins(&mut self, unix: i64) {
        self.delay_over = None;
        self.at = self.at.filter(|at| *at > unix);
        self.again = None;
    }

    /// It could not be kept on disk.
    pub fn fails(&mut self, now: Instant) {
        self.again = now.checked_add(AGAIN);
    }
}

/// A boot ends what DelayReboot says: it is of the time before.
pub fn booted(world: &World) {
    let delay = world.settings().acs.delay_reboot;
    if delay >= 0 {
        world.owed().set_delay_over(Some(delay));
    }
}

/// DelayReboot is -1 again (TR-181): the box has rebooted. Tells whether the settings are
/// others than they were known to be.
pub fn forget_delay(world: &World) -> bool {
    let over = world.settings().acs.delay_reboot.to_string();
    let mut model = world.model();
    let paths = vec![DELAY.to_owned()];
    let now = operate::operate(&mut model, &Question::Get { paths });
    let is_over = match &now {
        Some((Answer::Values(values), _)) => values.iter().any(|v| v.value == over),
        _ => true,
    };
    if !is_over {
        // Somebody has set another one meanwhile.
        return true;
    }
    let items = vec![(DELAY.to_owned(), "-1".to_owned())];
    let answered = operate::operate(&mut model, &Question::Set { items });
    drop(model);
    let Some((answer, effect)) = answered else {
        return false;
    };
    if answer != Answer::Done {
        log::warn!("{DELAY} cannot be set to -1: {answer:?}");
    }
    watch::changed_by_hand(world, &effect.changed);
    world.reload(&effect.reload);
    effect.touched()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::settings::Settings;

    /// 2027-01-15T08:00:00Z.
    const NOW: i64 = 1_800_000_000;
    const IN_A_MINUTE: &str = "2027-01-15T08:01:00Z";

    fn acs(delay: i32, schedule: &str) -> Acs {
        let mut acs = Settings::default().acs;
        acs.delay_reboot = delay;
        schedule.clone_into(&mut acs.schedule_reboot);
        acs
    }

    fn planned(acs: &Acs, unix: i64) -> (PlannedReboot, Instant) {
        let now = Instant::now();
        let mut planned = PlannedReboot::new(None);
        planned.look(acs, "", now, unix);
        (planned, now)
    }

    // T-REB-003
    #[test]
    fn a_delay_counts_from_when_it_is_seen_and_can_be_withdrawn_or_changed() {
        let (mut planned, now) = planned(&acs(30, ""), NOW);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(planned.due_in(now, NOW), Some(Duration::from_secs(30)));
        // Seen again, it does not begin anew.
        planned.look(&acs(30, ""), "", at(10), NOW);
        assert!(!planned.is_due(at(29), NOW));
        assert!(planned.is_due(at(30), NOW));
        assert_eq!(planned.reached(NOW), None);
        planned.look(&acs(60, ""), "", at(20), NOW);
        assert_eq!(planned.due_in(at(20), NOW), Some(Duration::from_secs(60)));
        planned.look(&acs(-1, ""), "", at(40), NOW);
        assert_eq!(planned.due_in(at(90), NOW), None);
        planned.look(&acs(0, ""), "", at(90), NOW);
        assert!(planned.is_due(at(90), NOW));
        planned.begins(NOW);
        assert_eq!(planned.due_in(at(91), NOW), None);
    }

    #[test]
    fn what_a_session_sets_counts_from_its_end_though_it_was_seen_before() {
        let (mut planned, now) = planned(&acs(30, IN_A_MINUTE), NOW);
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut set = PlannedReboots::default();
        set.set(["Device.ManagementServer.URL"].into_iter(), NOW);
        assert_eq!(set, PlannedReboots::default());
        set.set([DELAY].into_iter(), NOW);
        planned.forget(&set);
        planned.look(&acs(30, IN_A_MINUTE), "", at(50), NOW + 50);
        assert_eq!(
            planned.due_in(at(50), NOW + 50),
            Some(Duration::from_secs(10))
        );
        set.set([SCHEDULE].into_iter(), NOW);
        planned.forget(&set);
        // The time has come since it was set.
        planned.look(&acs(-1, IN_A_MINUTE), "", at(70), NOW);
        assert!(planned.is_due(at(70), NOW + 70));
    }

    #[test]
    fn a_delay_that_a_reboot_has_ended_calls_for_no_other() {
        let now = Instant::now();
        let mut planned = PlannedReboot::new(Some(30));
        planned.look(&acs(30, ""), "", now, NOW);
        assert_eq!(planned.due_in(now, NOW), None);
        // Even 0; one that is set afterwards is another.
        let mut planned = PlannedReboot::new(Some(0));
        planned.look(&acs(0, ""), "", now, NOW);
        assert_eq!(planned.due_in(now, NOW), None);
        planned.forget(&PlannedReboots {
            delay: true,
            schedule_at: None,
        });
        planned.look(&acs(0, ""), "", now, NOW);
        assert!(planned.is_due(now, NOW));
    }

    // T-REB-004
    #[test]
    fn a_time_is_reached_once_and_one_that_has_passed_calls_for_nothing() {
        let (mut planned, now) = planned(&acs(-1, IN_A_MINUTE), NOW);
        assert_eq!(planned.due_in(now, NOW), Some(Duration::from_secs(60)));
        assert_eq!(planned.reached(NOW + 59), None);
        assert!(planned.is_due(now, NOW + 60));
        assert_eq!(planned.reached(NOW + 60), Some(IN_A_MINUTE));
        planned.begins(NOW + 60);
        assert_eq!(planned.due_in(now, NOW + 61), None);
        for text in ["2027-01-15T08:00:00Z", "2001-01-01T00:00:00Z", "", "soon"] {
            let (planned, now) = super::tests::planned(&acs(-1, text), NOW);
            assert_eq!(planned.due_in(now, NOW), None, "{text}");
        }
    }

    // A box without a battery for its clock comes up before the time again.
    #[test]
    fn a_time_that_a_reboot_was_carried_out_for_calls_for_no_other() {
        let now = Instant::now();
        let later = acs(-1, IN_A_MINUTE);
        let mut planned = PlannedReboot::new(None);
        planned.look(&later, IN_A_MINUTE, now, NOW);
        assert_eq!(planned.due_in(now, NOW), None);
        planned.clock_stepped(-3600, IN_A_MINUTE, NOW - 3600);
        assert_eq!(planned.due_in(now, NOW), None);
        planned.look(&acs(-1, "2027-01-15T08:02:00Z"), IN_A_MINUTE, now, NOW);
        assert_eq!(planned.due_in(now, NOW), Some(Duration::from_secs(120)));
    }

    #[test]
    fn a_clock_that_is_set_past_the_time_has_not_reached_it_and_one_put_right_has() {
        let (mut planned, now) = planned(&acs(-1, IN_A_MINUTE), NOW);
        planned.clock_stepped(62, "", NOW + 62);
        assert_eq!(planned.due_in(now, NOW + 62), None);
        // Set back, the time is still to come.
        planned.clock_stepped(-30, "", NOW + 32);
        assert_eq!(planned.due_in(now, NOW + 32), Some(Duration::from_secs(28)));
        planned.clock_stepped(40, "", NOW + 72);
        assert!(planned.is_due(now, NOW + 72));
        // A clock that was never set says nothing.
        let (mut planned, now) = super::tests::planned(&acs(-1, IN_A_MINUTE), 100);
        assert_eq!(planned.due_in(now, 100), None);
        planned.clock_stepped(NOW - 100, "", NOW);
        assert_eq!(planned.due_in(now, NOW), Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_the_disk_refuses_is_tried_again_a_minute_later() {
        let (mut planned, now) = planned(&acs(0, ""), NOW);
        assert!(planned.is_due(now, NOW));
        planned.fails(now);
        assert_eq!(planned.due_in(now, NOW), Some(AGAIN));
        assert!(planned.is_due(now + AGAIN, NOW));
    }
}
