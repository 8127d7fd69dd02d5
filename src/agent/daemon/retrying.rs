//! The dispatcher's side of the retry policy: what [`Retry`] is told, and what of it a
//! restart of the agent must find.

use super::Daemon;
use crate::agent::clock;
use crate::agent::retry::{Kept, Kind, Retry};
use crate::agent::settings::Settings;
use crate::cwmp::schedule::RetryPolicy;
use crate::notation::json;
use std::io;
use std::time::Duration;

/// The file in run_dir: it goes with the boot, as the count of the waits does (TR-069
/// 3.2.1.1), and costs no flash.
const FILE: &str = "retry";
/// It is not longer than this, bytes.
const LIMIT: u64 = 4096;

impl Daemon {
    /// Decides when the first session may begin. `boot`: of the box, not of the agent alone.
    pub(super) fn begin_waiting(&mut self, boot: bool) {
        let now = self.timers.elapsed();
        let random = clock::random_u32();
        let kept = self.kept_retry();
        self.retry = if boot {
            let spread = self.world.setup.config.limits.first_contact_spread;
            let held = !self.world.owed().is_awaited();
            Retry::booted(now, if held { spread } else { Duration::ZERO }, random)
        } else {
            let policy = policy(&self.world.settings());
            Retry::restarted(kept.unwrap_or_default(), now, policy, random)
        };
        if let Some(wait) = self.retry.left(now) {
            // What is to be told at its end is nothing new.
            self.world.owed().hold_back();
            let what = match self.retry.waits_for() {
                Some(Kind::FirstContact) => "first contact",
                _ => "the agent has crashed again; next attempt",
            };
            log::info!("{what} in {} s", wait.as_secs());
        }
        self.keep_retry(true);
    }

    fn kept_retry(&self) -> Option<Kept> {
        let text = self.world.run_dir.read(FILE, LIMIT).ok()?;
        json::read(&text).ok()
    }

    /// Keeps what a restart must find, if that is something else than before. `running`:
    /// the agent has not been told to end.
    pub(super) fn keep_retry(&mut self, running: bool) {
        let kept = self.retry.kept(running);
        if self.retry_on_disk == Some(kept) {
            return;
        }
        let written = serde_json::to_vec(&kept)
            .map_err(io::Error::from)
            .and_then(|text| self.world.run_dir.write(FILE, &text));
        match written {
            Ok(()) => self.retry_on_disk = Some(kept),
            Err(e) => log::warn!("the state of the retries cannot be kept: {e}"),
        }
    }

    /// A session has failed: when is the next? `asked`: the ACS asks to be left alone for
    /// so long.
    pub(super) fn retry_later(&mut self, asked: Option<Duration>) {
        let now = self.timers.elapsed();
        let settings = self.world.settings();
        let mut wait = self
            .retry
            .failed(now, policy(&settings), clock::random_u32());
        if let Some(asked) = asked.filter(|asked| *asked > wait) {
            self.retry.leave_alone(now, asked);
            wait = asked;
        }
        log::info!("next attempt in {} s", wait.as_secs());
        // Another ACS is not made to wait for the failures of the one before it.
        if self.asked_acs != settings.acs.url {
            self.retry.ask();
        }
    }

    /// Whether a session is to begin now.
    pub(super) fn is_due(&self) -> bool {
        let new_event = self.world.owed().wants_session();
        let change = self.change_due_in() == Some(Duration::ZERO);
        self.retry.is_due(self.timers.elapsed(), new_event, change)
    }

    /// How long until a wait is over; `None`: there is none.
    pub(super) fn wait_left(&self) -> Option<Duration> {
        self.retry.left(self.timers.elapsed())
    }
}

/// m and k as they are now (RTY-005).
fn policy(settings: &Settings) -> RetryPolicy {
    let number = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    RetryPolicy {
        minimum_wait: number(settings.acs.retry_min_wait_interval),
        multiplier: number(settings.acs.retry_interval_multiplier),
    }
}
