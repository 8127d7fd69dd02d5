//! The dispatcher's timers: periodic Inform, heartbeat, sleep, the settings file, the clock.
//!
//! Times come in as arguments where they are wall-clock times; waits that must not jump
//! with the clock are kept as `Instant`s.

use super::clock;
use super::settings::Settings;
use super::setup::{SETTINGS_PATH, Setup};
use super::standby::Sleep;
use super::ticks::{Plan, Ticks};
use crate::uci::file::Stamp;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A difference between the two clocks that counts as "the clock was set".
const STEP: i64 = 2_000;
/// How often the listener's place is looked at.
const PLACE_INTERVAL: Duration = Duration::from_secs(10);

/// How long the way to the settings file is taken to be the same: the dispatcher wakes up
/// several times for one session.
const PATH_KEPT: Duration = Duration::from_secs(1);

/// See the module.
pub struct Timers {
    periodic: Ticks,
    heartbeat: Ticks,
    started: Instant,
    /// When that was, as time since boot.
    started_after_boot: Duration,
    sleep: Sleep,
    /// Wall clock at `started`, milliseconds, corrected by every step seen.
    epoch: i64,
    /// The settings file when it was last looked at; the inner `None`: there was none.
    settings: Option<Option<Stamp>>,
    /// Where it is, links resolved, and when they were.
    settings_path: Option<(Instant, PathBuf)>,
    place: Instant,
    end_asked: Option<Instant>,
}

impl Timers {
    pub fn new(settings: &Settings, phase: u32) -> Timers {
        let now = clock::unix_millis();
        let mut timers = Timers {
            periodic: Ticks::new(phase),
            // Another phase than that of the periodic Inform.
            heartbeat: Ticks::new(phase.rotate_left(16)),
            started: Instant::now(),
            started_after_boot: clock::since_boot(),
            sleep: Sleep::default(),
            epoch: now,
            settings: None,
            settings_path: None,
            place: Instant::now(),
            end_asked: None,
        };
        timers.plan(settings, now);
        timers
    }

    /// How far the wall clock was set since the last call, in milliseconds.
    pub fn clock_step(&mut self, now: i64) -> Option<i64> {
        let elapsed = i64::try_from(self.all().as_millis()).unwrap_or(i64::MAX);
        let step = now.saturating_sub(self.epoch.saturating_add(elapsed));
        if step.abs() < STEP {
            return None;
        }
        self.epoch = self.epoch.saturating_add(step);
        Some(step)
    }

    /// Computes the next periodic Inform and the next heartbeat after `now` (Unix
    /// milliseconds).
    pub fn plan(&mut self, settings: &Settings, now: i64) {
        self.periodic.plan(periodic(settings), now);
        self.heartbeat.plan(heartbeat(settings), now);
    }

    /// Whether a periodic tick has come; the next one is planned then. A change of the
    /// settings is planned for at once.
    pub fn periodic_due(&mut self, settings: &Settings, now: i64) -> bool {
        self.periodic.due(periodic(settings), now)
    }

    /// As [`periodic_due`](Self::periodic_due) for heartbeats.
    pub fn heartbeat_due(&mut self, settings: &Settings, now: i64) -> bool {
        self.heartbeat.due(heartbeat(settings), now)
    }

    /// How long the box has slept since the last call, if it has.
    pub fn slept(&mut self) -> Option<Duration> {
        let all = self.all();
        self.sleep.over(all, self.started.elapsed())
    }

    /// As if the box had slept so long.
    #[cfg(test)]
    pub fn pretend_sleep(&mut self, slept: Duration) {
        self.started_after_boot = self.started_after_boot.saturating_sub(slept);
    }

    /// How many periodic ticks have come up to `now` and were not taken.
    pub fn periodic_missed(&self, now: i64) -> u32 {
        self.periodic.missed(now)
    }

    /// The time since the start, in which the box slept included.
    fn all(&self) -> Duration {
        let all = clock::since_boot().saturating_sub(self.started_after_boot);
        all.max(self.started.elapsed())
    }

    /// The next periodic tick, Unix milliseconds.
    pub fn periodic_at(&self) -> Option<i64> {
        self.periodic.next()
    }

    /// The next heartbeat, Unix milliseconds.
    pub fn heartbeat_at(&self) -> Option<i64> {
        self.heartbeat.next()
    }

    /// The time since the start, which no setting of the clock moves.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the settings file is another one than at the last call.
    pub fn settings_changed(&mut self, setup: &Setup) -> bool {
        let found = self.settings_path.take();
        let found = found.filter(|(at, _)| at.elapsed() < PATH_KEPT);
        let found = found.or_else(|| Some((Instant::now(), setup.root.path(SETTINGS_PATH).ok()?)));
        let path = found.as_ref().map(|(_, path)| path);
        let stamp = path.and_then(|path| Stamp::of(path).ok().flatten());
        self.settings_path = found;
        let changed = self.settings != Some(stamp);
        self.settings = Some(stamp);
        changed
    }

    /// The settings are to be read again whatever their file's stamp.
    pub fn forget_settings_stamp(&mut self) {
        self.settings = None;
        self.settings_path = None;
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
        let ticks = [&self.periodic, &self.heartbeat];
        for at in ticks.into_iter().filter_map(Ticks::next) {
            let millis = u64::try_from(at.saturating_sub(now)).unwrap_or(0);
            wait = wait.min(Duration::from_millis(millis));
        }
        wait
    }
}

fn periodic(settings: &Settings) -> Plan {
    Plan {
        enable: settings.acs.periodic_inform_enable,
        interval: settings.acs.periodic_inform_interval,
        time: settings.acs.periodic_inform_time.clone(),
    }
}

fn heartbeat(settings: &Settings) -> Plan {
    Plan {
        enable: settings.heartbeat.enable,
        interval: settings.heartbeat.interval,
        time: settings.heartbeat.time.clone(),
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
            timers.plan(&settings, NOW);
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
        timers.plan(&slow, NOW);
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
        timers.plan(&settings, NOW);
        assert!(timers.periodic_due(&settings, NOW + 55_000));
        assert!(!timers.periodic_due(&settings, NOW + 55_001));
        assert_eq!(timers.periodic_at(), Some(NOW + 60_000));
    }

    // T-EVT-021
    #[test]
    fn time_asleep_is_told_once_and_no_setting_of_the_clock() {
        let mut timers = Timers::new(&Settings::default(), 0);
        assert_eq!(timers.slept(), None);
        timers.pretend_sleep(Duration::from_secs(20));
        let slept = timers.slept().expect("it has slept").as_secs();
        // Less where this test was held up between two looks at the clocks.
        assert!((10..=20).contains(&slept), "{slept}");
        let woken = timers.epoch + timers.all().as_millis() as i64;
        assert!(woken > timers.epoch + 10_000);
        assert_eq!(timers.clock_step(woken), None);
        assert!(timers.clock_step(woken + 5_000).is_some());
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
