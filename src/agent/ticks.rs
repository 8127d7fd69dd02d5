//! One series of ticks: the periodic Informs, or the heartbeats.
//!
//! Ticks lie at whole intervals before and after a reference time, or at a phase of the
//! agent's choice where there is none or the clock was never set (TR-181 PeriodicInformTime,
//! HeartbeatPolicy.InitiationTime). Times come in as arguments.

use super::clock;
use crate::cwmp::datetime::DateTime;
use crate::cwmp::schedule::{Phase, next_periodic};

/// What a series is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub enable: bool,
    /// Seconds.
    pub interval: u32,
    /// The reference time as it was written.
    pub time: String,
}

impl Plan {
    /// No tick ever comes.
    fn off() -> Plan {
        Plan {
            enable: false,
            interval: 1,
            time: String::new(),
        }
    }

    fn phase(&self, chosen: u32, now: i64) -> Phase {
        let reference = DateTime::parse(&self.time).and_then(DateTime::unix_seconds);
        match reference {
            Some(at) if clock::was_set(now.div_euclid(1000)) => Phase::At(at),
            _ => Phase::Chosen(chosen),
        }
    }
}

/// See the module.
pub struct Ticks {
    /// Drawn once: the phase where none is given.
    chosen: u32,
    /// What the next tick was computed from.
    plan: Plan,
    /// Unix milliseconds.
    next: Option<i64>,
}

impl Ticks {
    /// None is planned. `chosen`: a random number.
    pub fn new(chosen: u32) -> Ticks {
        Ticks {
            chosen,
            plan: Plan::off(),
            next: None,
        }
    }

    /// Computes the next tick after `now` (Unix milliseconds).
    pub fn plan(&mut self, plan: Plan, now: i64) {
        self.plan = plan;
        self.next = self.plan.enable.then(|| {
            let phase = self.plan.phase(self.chosen, now);
            next_periodic(now.div_euclid(1000), self.plan.interval, phase).saturating_mul(1000)
        });
    }

    /// Whether a tick has come; the next one is planned then, and those that were missed
    /// count as one. A change of the plan is planned for at once.
    pub fn due(&mut self, plan: Plan, now: i64) -> bool {
        if plan != self.plan {
            self.plan(plan, now);
            return false;
        }
        let due = self.next.is_some_and(|at| now >= at);
        if due {
            self.plan(plan, now);
        }
        due
    }

    /// The next tick, Unix milliseconds.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// How many ticks have come up to `now` and were not taken.
    pub fn missed(&self, now: i64) -> u32 {
        let Some(since) = self.next.map(|at| now.saturating_sub(at)) else {
            return 0;
        };
        if since < 0 {
            return 0;
        }
        let interval = i64::from(self.plan.interval.max(1)).saturating_mul(1000);
        u32::try_from(since / interval + 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unix milliseconds of 2027-01-15T08:00:00Z.
    const NOW: i64 = 1_800_000_000_000;

    fn every(interval: u32, time: &str) -> Plan {
        Plan {
            enable: true,
            interval,
            time: time.to_owned(),
        }
    }

    // T-EVT-022, T-HBT-001
    #[test]
    fn ticks_keep_to_the_phase_of_the_reference_past_or_future() {
        for time in ["2001-01-01T00:00:10Z", "2099-01-01T00:00:10Z"] {
            let plan = every(30, time);
            let mut ticks = Ticks::new(7);
            assert!(!ticks.due(plan.clone(), NOW), "it is only planned for");
            let mut came = Vec::new();
            for at in (0..=100_000).step_by(1000) {
                if ticks.due(plan.clone(), NOW + at) {
                    came.push(at);
                }
            }
            assert_eq!(came, [10_000, 40_000, 70_000, 100_000], "{time}");
        }
    }

    #[test]
    fn without_a_reference_or_a_clock_the_phase_is_the_chosen_one() {
        let unknown = every(30, "0001-01-01T00:00:00Z");
        let mut ticks = Ticks::new(7);
        ticks.plan(unknown, NOW);
        assert_eq!(ticks.next(), Some(NOW + 7_000));
        // 1970: the reference says nothing.
        ticks.plan(every(30, "2001-01-01T00:00:10Z"), 60_000);
        assert_eq!(ticks.next(), Some(67_000));
    }

    #[test]
    fn what_was_missed_is_counted_and_comes_once() {
        let plan = every(10, "2001-01-01T00:00:00Z");
        let mut ticks = Ticks::new(0);
        assert_eq!(ticks.missed(NOW), 0, "nothing is planned");
        ticks.plan(plan.clone(), NOW);
        for (late, missed) in [(0, 0), (9_999, 0), (10_000, 1), (19_999, 1), (55_000, 5)] {
            assert_eq!(ticks.missed(NOW + late), missed, "{late}");
        }
        assert!(ticks.due(plan.clone(), NOW + 55_000));
        assert!(!ticks.due(plan, NOW + 55_001));
        assert_eq!(ticks.missed(NOW + 55_001), 0);
    }
}
