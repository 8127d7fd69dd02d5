//! Whether the box is idle: almost nothing has gone over the WAN for a minute (WindowMode
//! `3 When Idle` of ScheduleDownload, TR-069 A.4.1.8). Times and counters come in as arguments.

use std::time::Duration;

/// How long it must have been quiet.
const QUIET: Duration = Duration::from_secs(60);
/// How often the counters are looked at, at most.
const LOOK: Duration = Duration::from_secs(5);
/// Bytes a second that are no use of the line: keep-alives, ARP, time.
const LITTLE: u64 = 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Idle {
    last: Option<(Duration, u64)>,
    quiet_since: Option<Duration>,
}

impl Idle {
    /// Whether the counters are to be read again.
    pub fn wants_look(&self, now: Duration) -> bool {
        self.last
            .is_none_or(|(at, _)| now.saturating_sub(at) >= LOOK)
    }

    /// The line has carried so many bytes since it is up; `None`: there is no line.
    pub fn look(&mut self, now: Duration, bytes: Option<u64>) {
        let Some(bytes) = bytes else {
            *self = Idle::default();
            return;
        };
        if let Some((at, before)) = self.last {
            let time = u64::try_from(now.saturating_sub(at).as_millis()).unwrap_or(u64::MAX);
            let most = LITTLE.saturating_mul(time) / 1000;
            // Counters that went back were those of another line.
            let quiet = bytes.checked_sub(before).is_some_and(|new| new <= most);
            self.quiet_since = match quiet {
                true => self.quiet_since.or(Some(at)),
                false => None,
            };
        }
        self.last = Some((now, bytes));
    }

    /// Whether it has been quiet for a minute.
    pub fn is_idle(&self, now: Duration) -> bool {
        self.quiet_since
            .is_some_and(|since| now.saturating_sub(since) >= QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_minute_without_traffic_is_idle_and_traffic_ends_it() {
        let mut idle = Idle::default();
        assert!(idle.wants_look(at(0)) && !idle.is_idle(at(1000)));
        for n in 0..12 {
            assert!(!idle.is_idle(at(n * 5)), "{n}");
            idle.look(at(n * 5), Some(1_000_000 + n * 500));
            assert!(!idle.wants_look(at(n * 5 + 4)));
        }
        assert!(idle.is_idle(at(60)));
        idle.look(at(60), Some(1_006_000));
        assert!(idle.is_idle(at(60)));
        idle.look(at(65), Some(2_000_000));
        assert!(!idle.is_idle(at(65)));
        idle.look(at(70), Some(2_000_100));
        idle.look(at(125), Some(2_000_200));
        assert!(idle.is_idle(at(125)));
    }

    #[test]
    fn a_line_that_is_gone_or_another_one_is_not_idle() {
        let mut idle = Idle::default();
        idle.look(at(0), Some(5000));
        idle.look(at(60), Some(5000));
        assert!(idle.is_idle(at(60)));
        idle.look(at(65), None);
        assert!(!idle.is_idle(at(200)));
        idle.look(at(300), Some(9000));
        idle.look(at(400), Some(10));
        assert!(!idle.is_idle(at(400)), "the counters went back");
    }
}
