//! The dispatcher's side of standby: what it does when the box has woken up.

use super::Daemon;
use crate::agent::standby::{self, Missed};
use crate::cwmp::event::EventCode;
use std::time::Duration;

impl Daemon {
    /// The box has slept for so long, up to `now` (Unix milliseconds): where that is an
    /// event, a session tells of it. What was to happen meanwhile has not been taken yet.
    pub(super) fn woke_up(&mut self, slept: Duration, now: i64) {
        log::info!("the box has slept {} s", slept.as_secs());
        let settings = self.world.settings();
        let mut owed = self.world.owed();
        let scheduled = owed.next_schedule();
        let missed = Missed {
            slept,
            periodic: self.timers.periodic_missed(now),
            scheduled: scheduled.is_some_and(|at| at <= now.div_euclid(1000)),
        };
        if standby::is_event(&settings.standby, missed) {
            owed.raise(EventCode::Wakeup, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::clock;
    use crate::agent::setup::Setup;
    use crate::agent::world::World;
    use std::path::PathBuf;
    use std::sync::Arc;

    /// A root that goes with its test.
    struct Root(PathBuf);

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn daemon(name: &str, standby: &str) -> (Root, Daemon) {
        let root = format!("waking-{}-{name}", std::process::id());
        let root = Root(std::env::temp_dir().join(root));
        let _ = std::fs::remove_dir_all(&root.0);
        let config = root.0.join("etc/config");
        std::fs::create_dir_all(&config).expect("a folder");
        let text = format!("config standby 'standby'\n\t{standby}\n");
        std::fs::write(config.join("cwmp"), text).expect("the settings");
        let setup = Setup::open(&root.0, None).expect("the root");
        let world = World::open(setup).expect("a world");
        (root, Daemon::new(Arc::new(world)).expect("a daemon"))
    }

    fn sleep(daemon: &mut Daemon, seconds: u64) -> bool {
        daemon.timers.pretend_sleep(Duration::from_secs(seconds));
        daemon.housekeeping();
        let pending = daemon.world.owed().pending();
        pending.iter().any(|e| e.code == EventCode::Wakeup)
    }

    // T-EVT-021
    #[test]
    fn a_sleep_longer_than_the_policy_allows_is_told_and_a_shorter_one_is_not() {
        let policy = "option cr_unawareness_max_duration '60'";
        let (_root, mut daemon) = daemon("long", policy);
        assert!(!sleep(&mut daemon, 0));
        assert!(!sleep(&mut daemon, 30));
        assert!(sleep(&mut daemon, 90));
        assert!(daemon.world.owed().wants_session());
    }

    // T-EVT-021
    #[test]
    fn sleeping_over_a_scheduled_inform_is_told_with_it_where_the_acs_wants_to_know() {
        for (wanted, told) in [("0", false), ("1", true)] {
            let policy = format!("option notify_missed_scheduled '{wanted}'");
            let (_root, mut daemon) = daemon(wanted, &policy);
            let before = clock::unix_seconds() - 10;
            let kept = daemon.world.owed().schedule(before, 5, "k");
            kept.expect("room");
            assert_eq!(sleep(&mut daemon, 10), told, "{wanted}");
            let pending = daemon.world.owed().pending();
            assert!(pending.iter().any(|e| e.code == EventCode::Scheduled));
        }
    }
}
