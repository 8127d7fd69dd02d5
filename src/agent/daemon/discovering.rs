//! When DHCP is asked again: no ACS has been reached for a while (TR-069 3.1).

use super::Daemon;
use crate::agent::discovery;
use crate::agent::worker::Order;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// The waits between two rediscoveries double up to this: an ACS that is down for a day
/// must not keep the DHCP servers of its area busy.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Since when no ACS has answered, and when DHCP is asked next.
#[derive(Debug)]
pub(super) struct Unreached {
    /// How long no ACS may have been reached.
    patience: Duration,
    wait: Duration,
    next: Option<Instant>,
    /// The ACS that this is about.
    url: String,
}

impl Unreached {
    pub fn new(patience: Duration) -> Unreached {
        Unreached {
            patience,
            wait: patience,
            next: None,
            url: String::new(),
        }
    }

    /// A session has ended; `reached`: its ACS has answered, if only to refuse.
    pub fn session_ended(&mut self, reached: bool, now: Instant) {
        if reached {
            self.next = None;
        } else if self.next.is_none() {
            self.wait = self.patience;
            self.next = Some(now + self.wait);
        }
    }

    /// The ACS is at `url`: another one has its own time.
    fn is_about(&mut self, url: &str) {
        if self.url != url {
            url.clone_into(&mut self.url);
            self.next = None;
        }
    }

    /// Whether DHCP is to be asked now; told once each time.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next.is_some_and(|at| now >= at);
        if due {
            self.wait = self.wait.saturating_mul(2).min(LONGEST);
            self.next = Some(now + self.wait);
        }
        due
    }
}

impl Daemon {
    /// Has DHCP asked again where it is time to.
    pub(super) fn rediscover(&mut self) {
        self.unreached.is_about(&self.world.settings().acs.url);
        let held_back = self.busy.is_some()
            || self.terminate
            || self.going_down.is_some()
            || !self.may_have_sessions();
        if !held_back
            && self.unreached.is_due(Instant::now())
            && discovery::may_rediscover(&self.world)
        {
            // Before any session that may begin now, so that one that reaches the ACS counts.
            discovery::expect_answer(&self.world);
            self.spawn(|world| {
                discovery::rediscover(world);
                false
            });
        }
    }

    /// Goes back to the ACS that DHCP names where it is time to; no session meets it.
    pub(super) fn go_back(&mut self, orders: &Sender<Order>) {
        let held_back = self.busy.is_some() || self.terminate || self.going_down.is_some();
        if !held_back && self.world.discovery().is_to_go_back() {
            self.order(orders, Order::GoBack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // DSC-006
    #[test]
    fn dhcp_is_asked_300_s_after_the_first_failure_and_then_ever_more_rarely() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut unreached = Unreached::new(Duration::from_secs(300));
        assert!(!unreached.is_due(at(1_000)), "nothing has failed");
        unreached.session_ended(false, at(1_000));
        unreached.session_ended(false, at(1_290));
        assert!(!unreached.is_due(at(1_299)));
        assert!(unreached.is_due(at(1_300)));
        assert!(!unreached.is_due(at(1_300)), "once");
        let mut asked = Vec::new();
        for s in (1_301..600_000).step_by(2) {
            unreached.session_ended(false, at(s));
            if unreached.is_due(at(s)) {
                asked.push(s - 1_300);
            }
        }
        assert_eq!(&asked[..3], [601, 1_801, 4_201]);
        let last = asked.last_chunk::<2>().expect("many");
        assert!((86_400..86_410).contains(&(last[1] - last[0])), "{asked:?}");
    }

    // DSC-006
    #[test]
    fn an_acs_that_answers_ends_the_wait() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut unreached = Unreached::new(Duration::from_secs(300));
        unreached.is_about("http://a/");
        unreached.session_ended(false, at(0));
        unreached.session_ended(true, at(299));
        assert!(!unreached.is_due(at(10_000)));
        unreached.session_ended(false, at(10_000));
        assert!(!unreached.is_due(at(10_299)));
        assert!(unreached.is_due(at(10_300)));
        unreached.is_about("http://a/");
        assert!(unreached.is_due(at(20_000)));
        unreached.is_about("http://b/");
        assert!(!unreached.is_due(at(100_000)));
    }
}
