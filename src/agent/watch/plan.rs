//! When the watched values are read again. Times are arguments.
//!
//! ```text
//!            file changed: settle, at most a while
//!  [idle] ------------------------------------------> [due] ---ordered---> [scanning]
//!    ^      the interval is over, or now: at once       ^                     |
//!    |                                                  +-- changed meanwhile-+
//!    +------------------------------------------------------- ended ----------+
//! ```

use std::time::{Duration, Instant};

/// Files are looked at when nothing has been written for this long,
const SETTLE: Duration = Duration::from_millis(100);
/// but no later than this after the first change.
const LONGEST: Duration = Duration::from_secs(1);
/// and this long after they were last read, however often they change.
const PAUSE: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub struct Plan {
    /// `watch_interval`.
    interval: Duration,
    /// Some values can only be read again and again.
    by_interval: bool,
    /// The last scan began then.
    last: Option<Instant>,
    /// When to look at what no scan has looked at.
    due: Option<Instant>,
    /// The first of the changes that follow each other, and when they are over.
    settling: Option<(Instant, Instant)>,
    scanning: bool,
}

impl Plan {
    /// Nothing is due.
    pub fn new(interval: Duration) -> Plan {
        Plan {
            interval,
            by_interval: false,
            last: None,
            due: None,
            settling: None,
            scanning: false,
        }
    }

    /// Whether the interval counts: not all changes can be noticed.
    pub fn set_by_interval(&mut self, by_interval: bool) {
        self.by_interval = by_interval;
    }

    /// Whether the interval counts.
    pub fn is_by_interval(&self) -> bool {
        self.by_interval
    }

    /// A file changed; more of it may come.
    pub fn noticed(&mut self, now: Instant) {
        let first = match self.settling {
            Some((first, until)) if now <= until => first,
            _ => now,
        };
        let until = (now + SETTLE).min(first + LONGEST);
        self.settling = Some((first, until));
        // What is due already stays so.
        if self.due.is_none_or(|at| at > now) {
            let pause = self.last.map(|at| at + PAUSE);
            self.due = pause.max(Some(until));
        }
    }

    /// Until when a file may be half written: whoever reads one of them waits so long.
    pub fn settles(&self, now: Instant) -> Option<Instant> {
        let until = self.settling.map(|(_, until)| until);
        until.filter(|until| *until > now)
    }

    /// Nothing is half written, whatever was noticed.
    pub fn stop_settling(&mut self) {
        self.settling = None;
    }

    /// A scan is wanted at once.
    pub fn want(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |at| at.min(now)));
    }

    /// When to scan next; `None`: when something changes.
    pub fn next(&self) -> Option<Instant> {
        if self.scanning {
            return None;
        }
        let tick = self
            .last
            .filter(|_| self.by_interval)
            .map(|at| at + self.interval);
        match (self.due, tick) {
            (Some(at), Some(tick)) => Some(at.min(tick)),
            (at, tick) => at.or(tick),
        }
    }

    /// Whether a scan is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.next().is_some_and(|at| at <= now)
    }

    /// A scan, or a session, which begins with one, was ordered.
    pub fn ordered(&mut self, now: Instant) {
        self.due = None;
        self.last = Some(now);
        self.scanning = true;
    }

    /// It has ended.
    pub fn ended(&mut self) {
        self.scanning = false;
    }

    /// Whether one is under way.
    pub fn is_scanning(&self) -> bool {
        self.scanning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn without_a_change_nothing_is_due_unless_something_must_be_read_again_and_again() {
        let now = Instant::now();
        let mut plan = Plan::new(Duration::from_secs(10));
        assert_eq!(plan.next(), None);
        plan.want(now);
        assert!(plan.is_due(now));
        plan.ordered(now);
        assert_eq!(plan.next(), None, "one at a time");
        plan.ended();
        assert_eq!(plan.next(), None, "no timer runs");
        plan.set_by_interval(true);
        assert_eq!(plan.next(), Some(now + Duration::from_secs(10)));
        assert!(!plan.is_due(now + Duration::from_secs(10) - MS));
        assert!(plan.is_due(now + Duration::from_secs(10)));
    }

    #[test]
    fn changes_settle_before_they_are_looked_at_but_not_for_ever() {
        let start = Instant::now();
        let mut plan = Plan::new(Duration::from_secs(10));
        plan.noticed(start);
        assert!(!plan.is_due(start + SETTLE - MS));
        assert!(plan.is_due(start + SETTLE));
        let mut now = start;
        let due = loop {
            plan.noticed(now);
            if plan.is_due(now) {
                break now;
            }
            now += 50 * MS;
        };
        assert_eq!(due, start + LONGEST);
        assert_eq!(plan.settles(due), None);
        plan.noticed(due + MS);
        assert!(plan.is_due(due + MS), "what is due is not put off");
        assert_eq!(plan.settles(due + MS), Some(due + MS + SETTLE));
    }

    #[test]
    fn what_changes_during_a_scan_is_looked_at_after_it() {
        let now = Instant::now();
        let mut plan = Plan::new(Duration::from_secs(10));
        plan.want(now);
        plan.ordered(now);
        plan.noticed(now);
        assert!(!plan.is_due(now + LONGEST));
        plan.ended();
        assert!(!plan.is_due(now + PAUSE - MS));
        assert!(plan.is_due(now + PAUSE));
        plan.want(now);
        assert!(plan.is_due(now), "nobody waits who asks");
    }
}
