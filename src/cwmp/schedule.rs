//! When the next session is due: periodic Inform, retry waits, delayed requests.
//!
//! Times are seconds of whatever clock the caller uses; chance is an argument: a random
//! `u32`, all values equally likely.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The session retry policy (TR-069 3.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// `CWMPRetryMinimumWaitInterval` in seconds, 1 to 65535.
    pub minimum_wait: u16,
    /// `CWMPRetryIntervalMultiplier` in thousandths, 1000 to 65535.
    pub multiplier: u16,
}

impl Default for RetryPolicy {
    /// 5 s, doubling.
    fn default() -> RetryPolicy {
        RetryPolicy {
            minimum_wait: 5,
            multiplier: 2000,
        }
    }
}

/// Seconds that no wait exceeds: with the largest m and k the tenth level would be
/// longer than the age of the universe.
const LONGEST_WAIT: u32 = u32::MAX;
/// The retry after which the interval stays.
const LAST_LEVEL: u32 = 10;

impl RetryPolicy {
    /// The interval that the wait before the `n`-th retry since boot is drawn from
    /// (n from 1; the tenth level is kept for ever): from m·(k/1000)ⁿ⁻¹ to m·(k/1000)ⁿ.
    /// Values out of their range count as the nearest in it.
    pub fn interval(&self, n: u32) -> (Duration, Duration) {
        let n = n.clamp(1, LAST_LEVEL);
        (self.level(n - 1), self.level(n))
    }

    /// m·(k/1000)ⁿ
    fn level(&self, n: u32) -> Duration {
        let longest = u64::from(LONGEST_WAIT) * 1000;
        let mut millis = u64::from(self.minimum_wait.max(1)) * 1000;
        for _ in 0..n {
            // Below 2⁴² · 2¹⁶: no overflow.
            millis = (millis * u64::from(self.multiplier.max(1000)) / 1000).min(longest);
        }
        Duration::from_millis(millis)
    }

    /// The wait before the `n`-th retry, evenly drawn from [`interval`](Self::interval).
    pub fn wait(&self, n: u32, random: u32) -> Duration {
        let (low, high) = self.interval(n);
        // At most LONGEST_WAIT seconds, so that both fit in 64 bits.
        let low = low.as_millis() as u64;
        let span = high.as_millis() as u64 - low;
        // Millionths are fine enough, and span · 10⁶ fits in 64 bits (2⁴² · 2²⁰).
        let part = u64::from(random) * 1_000_000 / u64::from(u32::MAX);
        Duration::from_millis(low + span * part / 1_000_000)
    }
}

/// Where the ticks of the periodic Inform lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `PeriodicInformTime` in Unix seconds, past or future: ticks lie at whole
    /// intervals before and after it. `now` is then Unix time.
    At(i64),
    /// The Unknown Time, or no absolute clock: a phase of the CPE's choice, from a random
    /// number drawn once and kept. `now` may then be any clock.
    Chosen(u32),
}

/// The next tick strictly after `now` (`interval` in seconds; 0 counts as 1).
pub fn next_periodic(now: i64, interval: u32, phase: Phase) -> i64 {
    let interval = i64::from(interval.max(1));
    let tick = match phase {
        Phase::At(moment) => moment,
        Phase::Chosen(random) => i64::from(random) % interval,
    };
    // Both remainders lie below the interval, so nothing overflows on the way.
    let since = (now.rem_euclid(interval) - tick.rem_euclid(interval)).rem_euclid(interval);
    now.saturating_add(interval - since)
}

/// Pending ScheduleInform requests: each becomes `3 SCHEDULED` and `M ScheduleInform`
/// with its key when its time has come. Serialise it to keep it over a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DelayedInforms {
    entries: Vec<(i64, String)>,
}

/// Too many ScheduleInforms are pending: answer 9004.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl DelayedInforms {
    /// How many may be pending.
    pub const MAX: usize = 64;

    /// A ScheduleInform was accepted at `now`, to be due `delay` seconds later.
    pub fn add(&mut self, now: i64, delay: u32, command_key: &str) -> Result<(), Full> {
        if self.entries.len() >= Self::MAX {
            return Err(Full);
        }
        let due = now.saturating_add(i64::from(delay));
        // Behind those due at the same moment: first come, first told.
        let at = self.entries.partition_point(|(d, _)| *d <= due);
        self.entries.insert(at, (due, command_key.to_string()));
        Ok(())
    }

    /// When the earliest is due.
    pub fn next_due(&self) -> Option<i64> {
        self.entries.iter().map(|(due, _)| *due).min()
    }

    /// Takes out the keys of all that are due at `now`, earliest first.
    pub fn take_due(&mut self, now: i64) -> Vec<String> {
        let (mut due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|(d, _)| *d <= now);
        self.entries = later;
        // A state file may have been in any order.
        due.sort_by_key(|(d, _)| *d);
        due.into_iter().map(|(_, key)| key).collect()
    }

    /// The clock was set: moves every due time by `seconds`.
    pub fn shift(&mut self, seconds: i64) {
        for (due, _) in &mut self.entries {
            *due = due.saturating_add(seconds);
        }
    }

    /// How many are pending.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is pending.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops all (factory reset, bootstrap).
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturated_intervals_stay_in_order() {
        let policy = RetryPolicy {
            minimum_wait: u16::MAX,
            multiplier: u16::MAX,
        };
        for n in 0..20 {
            let (low, high) = policy.interval(n);
            assert!(low <= high);
            assert!(policy.wait(n, 0) == low && policy.wait(n, u32::MAX) == high);
        }
    }

    #[test]
    fn the_next_tick_survives_the_ends_of_time() {
        for now in [i64::MIN, -1, 0, i64::MAX] {
            for at in [i64::MIN, 0, i64::MAX] {
                let next = next_periodic(now, u32::MAX, Phase::At(at));
                assert!(next > now || now == i64::MAX);
            }
        }
    }
}
