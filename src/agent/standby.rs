//! Waking up from standby: how long the box has slept, and whether that is an event
//! (`13 WAKEUP`, Device.ManagementServer.StandbyPolicy.).
//!
//! A suspended box is found out afterwards: CLOCK_BOOTTIME has gone on, CLOCK_MONOTONIC has
//! not. Asleep it neither hears a connection request nor keeps a time; nothing here puts it
//! to sleep or keeps it awake. Times come in as arguments.

use super::settings;
use std::time::Duration;

/// A shorter sleep is none.
const LEAST: Duration = Duration::from_secs(1);

/// How long the box has slept in all, as far as it was told.
#[derive(Default)]
pub struct Sleep {
    told: Duration,
}

impl Sleep {
    /// How long the box has slept since the last call, if it has, given the time that has
    /// passed since the start in all, and awake. The latter must not be read before the
    /// former: a process that is held up in between would seem to have slept.
    pub fn over(&mut self, all: Duration, awake: Duration) -> Option<Duration> {
        let asleep = all.saturating_sub(awake);
        let slept = asleep.saturating_sub(self.told);
        if slept < LEAST {
            return None;
        }
        self.told = asleep;
        Some(slept)
    }
}

/// What a sleep has kept from happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    pub slept: Duration,
    /// Periodic Informs.
    pub periodic: u32,
    /// Whether there was a scheduled Inform.
    pub scheduled: bool,
}

/// Whether waking up is an event.
pub fn is_event(policy: &settings::Standby, missed: Missed) -> bool {
    let long = |most: u32| missed.slept > Duration::from_secs(most.into());
    policy.cr_unawareness_max_duration.is_some_and(long)
        || policy
            .max_missed_periodic
            .is_some_and(|most| missed.periodic > most)
        || (policy.notify_missed_scheduled && missed.scheduled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_sleep_is_told_once_and_time_awake_is_none() {
        let mut sleep = Sleep::default();
        assert_eq!(sleep.over(s(10), s(10)), None);
        // Read one after the other, with the process held up in between.
        assert_eq!(sleep.over(s(20), s(25)), None);
        assert_eq!(sleep.over(s(130), s(31)), Some(s(99)));
        assert_eq!(sleep.over(s(131), s(32)), None);
        assert_eq!(sleep.over(s(140), s(39)), Some(s(2)));
        assert_eq!(
            sleep.over(s(150) + Duration::from_millis(900), s(49)),
            None,
            "too short"
        );
    }

    // T-EVT-021
    #[test]
    fn each_limit_of_the_policy_makes_waking_up_an_event_by_itself() {
        let missed = |slept: u64, periodic, scheduled| Missed {
            slept: s(slept),
            periodic,
            scheduled,
        };
        let mut policy = settings::Standby::default();
        assert!(!is_event(&policy, missed(u64::MAX, u32::MAX, true)));
        policy.cr_unawareness_max_duration = Some(60);
        assert!(!is_event(&policy, missed(60, 9, true)));
        assert!(is_event(&policy, missed(61, 0, false)));
        policy.cr_unawareness_max_duration = Some(0);
        assert!(is_event(&policy, missed(1, 0, false)));
        let policy = settings::Standby {
            max_missed_periodic: Some(2),
            ..settings::Standby::default()
        };
        assert!(!is_event(&policy, missed(9_999, 2, true)));
        assert!(is_event(&policy, missed(1, 3, false)));
        let policy = settings::Standby {
            notify_missed_scheduled: true,
            ..settings::Standby::default()
        };
        assert!(!is_event(&policy, missed(9_999, 9, false)));
        assert!(is_event(&policy, missed(1, 0, true)));
    }
}
