//! When the next session may begin: the retry policy of TR-069 section 3.2.1.1 as a state
//! machine of its own, with its first contact after a boot and its restarts.
//!
//! ```text
//!             boot, spread > 0                            failed
//!   [start] ------------------> [waits: first contact]  +--------> [waits: retry n]
//!      | \  crashed once more                    |      |            | n+1 each time,
//!      |  +-------------------> [waits: retry n] |      |            | the tenth for ever
//!      v                                         v      |            v
//!   [no wait] --- a new event, somebody asks --> [session] <--- over, a new event,
//!      ^                                         |               somebody asks
//!      +-------------- completed: n = 0 ---------+
//! ```
//!
//! What ends a wait: its end; an event that no Inform has carried yet (a connection
//! request, a periodic tick, a schedule); somebody who asks; for a retry also a changed
//! value with active notification. A changed value does not end the wait for the first
//! contact: after a power cut in an area every CPE has a new address to tell.
//!
//! Every failed session is retried, also one that has no event left to tell because
//! `6 CONNECTION REQUEST` must not be told again, or because its events were delivered
//! before it broke off: the ACS still had something to say. Its Inform has an empty list of
//! events and a RetryCount that says why it comes.
//!
//! This module knows neither clock nor chance nor disk: times are [`Duration`]s since any
//! fixed moment of the caller's, which must not jump when the clock is set.

use crate::cwmp::schedule::RetryPolicy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retry {
    /// Failed sessions in a row since the boot.
    failures: u32,
    wait: Option<Wait>,
    /// Somebody wants a session now.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    until: Duration,
    kind: Kind,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The chosen moment of the first session after a boot.
    FirstContact,
    /// The next attempt after a failed session or a crash.
    Retry,
}

/// What a restart of the agent must find, until the box is booted: else one that crashes in
/// each session would come back to the ACS every few seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Failed sessions in a row.
    pub failures: u32,
    /// The agent runs; found at a start, it ended without wanting to.
    pub running: bool,
}

impl Retry {
    /// The box was booted: the count of the waits begins anew (RTY-003), and the first
    /// contact comes at a random moment within `spread` (RTY-006).
    pub fn booted(now: Duration, spread: Duration, random: u32) -> Retry {
        let mut retry = Retry::default();
        if !spread.is_zero() {
            // Millionths are fine enough; a day of milliseconds times 10⁶ fits in 64 bits.
            let part = u64::from(random) * 1_000_000 / u64::from(u32::MAX);
            let millis = u64::try_from(spread.as_millis()).unwrap_or(u64::from(u32::MAX));
            let wait = Duration::from_millis(millis.saturating_mul(part) / 1_000_000);
            retry.wait_until(now + wait, Kind::FirstContact);
        }
        retry
    }

    /// The agent was started again without a boot. One that was told to end begins at
    /// once: somebody wants it to. One that crashed is taken for a failed session; the
    /// first after a completed one is forgiven, and those in a row wait as failed ones do.
    pub fn restarted(kept: Kept, now: Duration, policy: RetryPolicy, random: u32) -> Retry {
        let mut retry = Retry {
            failures: kept.failures,
            ..Retry::default()
        };
        let wait = policy.wait(kept.failures, random);
        match (kept.running, kept.failures > 0) {
            (true, true) => retry.wait_until(now.saturating_add(wait), Kind::Retry),
            // The wait that was going on is over, also where no event is left to tell.
            (false, true) => retry.ask(),
            (_, false) => {}
        }
        retry.failures = kept.failures.saturating_add(u32::from(kept.running));
        retry
    }

    fn wait_until(&mut self, until: Duration, kind: Kind) {
        self.wait = Some(Wait { until, kind });
    }

    /// What a restart must find.
    pub fn kept(&self, running: bool) -> Kept {
        Kept {
            failures: self.failures,
            running,
        }
    }

    /// Somebody wants a session now: an operator, or another ACS than the one that failed.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether a session is to begin at `now`. `new_event`: an event is pending that no
    /// Inform has carried yet; `change`: a changed value asks for a session of its own.
    pub fn is_due(&self, now: Duration, new_event: bool, change: bool) -> bool {
        self.asked
            || new_event
            || self.wait.is_some_and(|wait| wait.until <= now)
            || (change && !self.is_first_contact())
    }

    /// Whether the first contact after a boot is waited for.
    pub fn is_first_contact(&self) -> bool {
        self.waits_for() == Some(Kind::FirstContact)
    }

    /// A session begins: nothing is waited for any more.
    pub fn begins(&mut self) {
        self.wait = None;
        self.asked = false;
    }

    /// The ACS that has just refused asks to be left alone for so long (Retry-After): the
    /// attempt after that failure comes no sooner.
    pub fn leave_alone(&mut self, now: Duration, wait: Duration) {
        self.wait_until(now.saturating_add(wait), Kind::Retry);
    }

    /// The session was completed.
    pub fn completed(&mut self) {
        self.failures = 0;
    }

    /// The session has failed at `now`: gives the wait before the next attempt. The policy
    /// is read anew each time (RTY-005).
    pub fn failed(&mut self, now: Duration, policy: RetryPolicy, random: u32) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = policy.wait(self.failures, random);
        self.wait_until(now.saturating_add(wait), Kind::Retry);
        wait
    }

    /// What is waited for; `None`: nothing.
    pub fn waits_for(&self) -> Option<Kind> {
        self.wait.map(|wait| wait.kind)
    }

    /// How much of the wait is left at `now`; `None`: there is none.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        self.wait.map(|wait| wait.until.saturating_sub(now))
    }

    /// Whether somebody has asked for a session that has not begun yet.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// Failed sessions in a row since the boot.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000);
    const MILLI: Duration = Duration::from_millis(1);

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn quiet(retry: &Retry, now: Duration) -> bool {
        !retry.is_due(now, false, false)
    }

    /// Fails `times` sessions, each as soon as it is due; the wait before each next one.
    fn outage(retry: &mut Retry, times: u32, policy: RetryPolicy, random: u32) -> Vec<Duration> {
        let mut now = START;
        (0..times)
            .map(|_| {
                retry.begins();
                let wait = retry.failed(now, policy, random);
                assert!(quiet(retry, now) && quiet(retry, now + wait - MILLI));
                assert!(retry.is_due(now + wait, false, false));
                assert_eq!(retry.left(now), Some(wait));
                now += wait;
                wait
            })
            .collect()
    }

    // T-RTY-001, T-RTY-002, T-RTY-005
    #[test]
    fn an_outage_is_sat_out_to_the_tenth_wait_which_stays() {
        let policy = RetryPolicy::default();
        let shortest = outage(&mut Retry::default(), 13, policy, 0);
        let longest = outage(&mut Retry::default(), 13, policy, u32::MAX);
        for n in 0..13u32 {
            let low = 5 << n.min(9);
            assert_eq!(shortest[n as usize], seconds(low), "wait {}", n + 1);
            assert_eq!(longest[n as usize], seconds(2 * low), "wait {}", n + 1);
        }
    }

    // T-RTY-003, T-RTY-004
    #[test]
    fn the_policy_is_read_anew_at_each_failure() {
        let mut retry = Retry::default();
        let policy = |minimum_wait, multiplier| RetryPolicy {
            minimum_wait,
            multiplier,
        };
        let tripled = policy(10, 3000);
        assert_eq!(retry.failed(START, tripled, 0), seconds(10));
        assert_eq!(retry.failed(START, tripled, 0), seconds(30));
        assert_eq!(retry.failed(START, tripled, u32::MAX), seconds(270));
        let fixed = policy(7, 1000);
        assert_eq!(retry.failed(START, fixed, 12_345), seconds(7));
        assert_eq!(retry.failed(START, tripled, 0), seconds(810));
    }

    // T-RTY-006, T-RTY-007
    #[test]
    fn a_completed_session_and_a_boot_begin_the_count_anew() {
        let policy = RetryPolicy::default();
        let mut retry = Retry::default();
        outage(&mut retry, 6, policy, 0);
        retry.begins();
        retry.completed();
        assert_eq!((retry.failures(), retry.waits_for()), (0, None));
        assert_eq!(outage(&mut retry, 5, policy, 0)[0], seconds(5));
        let mut retry = Retry::booted(START, Duration::ZERO, 0);
        assert_eq!(retry.failed(START, policy, 0), seconds(5));
    }

    // T-RTY-008, CRQ-012
    #[test]
    fn a_new_event_a_change_or_a_person_ends_a_wait_and_the_count_grows_on() {
        let policy = RetryPolicy::default();
        let mut retry = Retry::default();
        outage(&mut retry, 8, policy, 0);
        let now = START;
        assert!(retry.is_due(now, true, false), "a new event");
        assert!(retry.is_due(now, false, true), "a changed value");
        retry.ask();
        assert!(retry.is_due(now, false, false), "a person");
        retry.begins();
        assert!(quiet(&retry, now + seconds(9_999)), "nothing is left of it");
        assert_eq!(retry.failed(now, policy, 0), seconds(5 << 8));
        assert!(quiet(&retry, now), "what was asked is not asked again");
    }

    // RTY-006
    #[test]
    fn the_first_contact_after_a_boot_lies_anywhere_in_the_spread() {
        let spread = seconds(60);
        let at = |random| Retry::booted(START, spread, random).left(START);
        assert_eq!(at(0), Some(Duration::ZERO));
        assert_eq!(at(u32::MAX / 2), Some(Duration::from_millis(29_999)));
        assert_eq!(at(u32::MAX), Some(spread));
        let retry = Retry::booted(START, spread, u32::MAX);
        assert_eq!(retry.waits_for(), Some(Kind::FirstContact));
        assert!(quiet(&retry, START + spread - MILLI));
        assert!(retry.is_due(START + spread, false, false));
        assert!(retry.is_due(START, true, false), "a knock");
        assert!(!retry.is_due(START, false, true), "a new address");
        assert_eq!(
            Retry::booted(START, Duration::ZERO, u32::MAX),
            Retry::default()
        );
    }

    // RTY-003 (the process alone)
    #[test]
    fn an_acs_that_asks_to_be_left_alone_is() {
        let mut retry = Retry::booted(START, Duration::ZERO, 0);
        retry.failed(START, RetryPolicy::default(), 0);
        retry.leave_alone(START, seconds(600));
        assert!(quiet(&retry, START + seconds(599)));
        assert!(!quiet(&retry, START + seconds(600)));
    }

    #[test]
    fn a_crash_loop_backs_off_and_a_restart_by_hand_begins_at_once() {
        let policy = RetryPolicy::default();
        let crash = |kept| Retry::restarted(kept, START, policy, 0);
        let ended = Kept {
            failures: 4,
            running: false,
        };
        let mut retry = crash(ended);
        assert!(retry.is_due(START, false, false));
        retry.begins();
        assert_eq!(retry.waits_for(), None);
        assert_eq!(retry.failed(START, policy, 0), seconds(5 << 4));

        assert!(quiet(&crash(Retry::default().kept(false)), START));
        let mut kept = Retry::default().kept(true);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let retry = crash(kept);
            waits.push(retry.left(START).map(|wait| wait.as_secs()));
            kept = retry.kept(true);
        }
        assert_eq!(waits[..4], [None, Some(5), Some(10), Some(20)]);
        assert_eq!(waits[10..], [Some(2560), Some(2560)]);
    }
}
