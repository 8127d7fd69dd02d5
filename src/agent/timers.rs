//! The dispatcher's timers: periodic Inform, the settings file, the clock.
//!
//! Times come in as arguments where they are wall-clock times; waits that must not jump
//! with the clock are kept as `Instant`s.

use super::clock;
use super::settings::Settings;
use super::setup::{SETTINGS_PATH, Setup};
use crate::cwmp::datetime::DateTime;
use crate::cwmp::schedule::{Phase, next_periodic};
use crate::uci::file::Stamp;
use std::time::{Duration, Instant};

/// A difference between the two clocks that counts as "the clock was set".
const STEP: i64 = 2_000;
/// How often the listener's place is looked at.
const PLACE_INTERVAL: Duration = Duration::from_secs(10);

/// See the module.
pub struct Timers {
    /// Chosen once: the phase of the periodic Inform where none is given.
    phase: u32,
    /// What the next periodic tick was computed from.
    planned_for: (bool, u32, String),
    /// Unix milliseconds.
    periodic: Option<i64>,
    started: Instant,
    /// Wall clock at `started`, milliseconds, corrected by every step seen.
    epoch: i64,
    /// The settings file when it was last looked at; the inner `None`: there was none.
    settings: Option<Option<Stamp>>,
    place: Instant,
    end_asked: Option<Instant>,
}

impl Timers {
    pub fn new(settings: &Settings, phase: u32) -> Timers {
        let now = clock::unix_millis();
        let mut timers = Timers {
            phase,
            planned_for: (false, 0, String::new()),
            periodic: None,
            started: Instant::now(),
            epoch: now,
            settings: None,
            place: Instant::now(),
            end_asked: None,
        };
        timers.plan_periodic(settings, now);
        timers
    }

    /// How far the wall clock was set since the last call, in milliseconds.
    pub fn clock_step(&mut self, now: i64) -> Option<i64> {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let step = now.saturating_sub(self.epoch.saturating_add(elapsed));
        if step.abs() < STEP {
            return None;
        }
        self.epoch = self.epoch.saturating_add(step);
        Some(step)
    }

    /// Computes the next periodic tick after `now` (Unix milliseconds).
    pub fn plan_periodic(&mut self, settings: &Settings, now: i64) {
        let acs = &settings.acs;
        self.planned_for = (
            acs.periodic_inform_enable,
            acs.periodic_inform_interval,
            acs.periodic_inform_time.clone(),
        );
        if !acs.periodic_inform_enable {
            self.periodic = None;
            return;
        }
        let reference = DateTime::parse(&acs.periodic_inform_time).and_then(DateTime::unix_seconds);
        let phase = match reference {
            Some(at) if clock::was_set(now / 1000) => Phase::At(at),
            _ => Phase::Chosen(self.phase),
        };
        let next = next_periodic(now.div_euclid(1000), acs.periodic_inform_interval, phase);
        self.periodic = Some(next.saturating_mul(1000));
    }

    /// Whether a periodic tick has come; the next one is planned then. A change of the
    /// settings is planned for at once.
    pub fn periodic_due(&mut self, settings: &Settings, now: i64) -> bool {
        let acs = &settings.acs;
        let (enable, interval, time) = &self.planned_for;
        if *enable != acs.periodic_inform_enable
            || *interval != acs.periodic_inform_interval
            || *time != acs.periodic_inform_time
        {
            self.plan_periodic(settings, now);
            return false;
        }
        let due = self.periodic.is_some_and(|at| now >= at);
        if due {
            self.plan_periodic(settings, now);
        }
        due
    }

    /// The next periodic tick, Unix milliseconds.
    pub fn periodic_at(&self) -> Option<i64> {
        self.periodic
    }

    /// The time since the start, which no setting of the clock moves.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the settings file is another one than at the last call.
    pub fn settings_changed(&mut self, setup: &Setup) -> bool {
        let stamp = setup
            .root
            .path(SETTINGS_PATH)
            .ok()
            .and_then(|path| Stamp::of(&path).ok().flatten());
        let changed = self.settings != Some(stamp);
        self.settings = Some(stamp);
        changed
    }

    /// The settings are to be read again whatever their file's stamp.
    pub fn forget_settings_stamp(&mut self) {
        self.settings = None;
    }

    /// Whether it is time to look at the listener's place again.
    pub fn place_due(&mut self) -> bool {
        let due = self.place.elapsed() >= PLACE_INTERVAL;
        if due {
            self.place = Instant::now();
        }
        due
    }

    /// The agent was asked to end.
    pub fn ask_to_end(&mut self) {
        self.end_asked.get_or_insert_with(Instant::now);
    }

    pub fn asked_to_end_for(&self) -> Duration {
        self.end_asked.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// How long until the next of these timers, given the wall clock in milliseconds.
    pub fn next_in(&self, now: i64) -> Duration {
        let mut wait = PLACE_INTERVAL.saturating_sub(self.place.elapsed());
        if let Some(at) = self.periodic {
            let millis = u64::try_from(at.saturating_sub(now)).unwrap_or(0);
            wait = wait.min(Duration::from_millis(millis));
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(interval: u32, time: &str) -> Settings {
        let mut settings = Settings::default();
        settings.acs.periodic_inform_interval = interval;
        settings.acs.periodic_inform_time = time.to_owned();
        settings
    }

    /// Unix milliseconds of 2027-01-15T08:00:00Z.
    const NOW: i64 = 1_800_000_000_000;

    // T-EVT-008, T-EVT-009
    #[test]
    fn ticks_come_at_the_phase_of_the_reference_time_past_or_future() {
        for time in ["2001-01-01T00:00:10Z", "2099-01-01T00:00:10Z"] {
            let settings = settings(60, time);
            let mut timers = Timers::new(&settings, 0);
            timers.plan_periodic(&settings, NOW);
            assert_eq!(timers.periodic_at(), Some(NOW + 10_000), "{time}");
            assert!(!timers.periodic_due(&settings, NOW + 9_999));
            assert!(timers.periodic_due(&settings, NOW + 10_000));
            assert_eq!(timers.periodic_at(), Some(NOW + 70_000));
        }
    }

    // T-EVT-010, T-EVT-011
    #[test]
    fn a_change_of_interval_is_planned_for_at_once_and_off_is_off() {
        let slow = settings(86_400, "0001-01-01T00:00:00Z");
        let mut timers = Timers::new(&slow, 12_345);
        timers.plan_periodic(&slow, NOW);
        let mut quick = settings(10, "0001-01-01T00:00:00Z");
        assert!(!timers.periodic_due(&quick, NOW));
        let next = timers.periodic_at().expect("a tick");
        assert!(next > NOW && next <= NOW + 10_000, "{next}");
        quick.acs.periodic_inform_enable = false;
        assert!(!timers.periodic_due(&quick, next));
        assert_eq!(timers.periodic_at(), None);
    }

    // T-EVT-013
    #[test]
    fn ticks_that_were_missed_count_once() {
        let settings = settings(10, "2001-01-01T00:00:00Z");
        let mut timers = Timers::new(&settings, 0);
        timers.plan_periodic(&settings, NOW);
        assert!(timers.periodic_due(&settings, NOW + 55_000));
        assert!(!timers.periodic_due(&settings, NOW + 55_001));
        assert_eq!(timers.periodic_at(), Some(NOW + 60_000));
    }

    #[test]
    fn a_step_of_the_clock_is_told_once_and_small_differences_are_none() {
        let mut timers = Timers::new(&Settings::default(), 0);
        let start = timers.epoch;
        assert_eq!(timers.clock_step(start + 1_000), None);
        let step = timers.clock_step(start + 3_600_000).expect("an hour");
        assert!((3_590_000..=3_600_000).contains(&step), "{step}");
        assert_eq!(timers.clock_step(start + 3_600_000), None);
        assert!(timers.clock_step(start).is_some_and(|back| back < 0));
    }
}
