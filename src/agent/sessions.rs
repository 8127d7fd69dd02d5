//! The sessions that have ended, the last few of them, for `status` and ubus.
//!
//! They are in memory while the daemon runs, and in run_dir from one daemon to the next:
//! nothing of them is written to flash.

use crate::notation::json;
use crate::store::run_dir::RunDir;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;

/// So many sessions are kept.
const KEPT: usize = 8;
/// What is kept of why one failed, characters: an ACS may have a lot to say.
const LONGEST: usize = 256;
/// The file in run_dir.
const FILE: &str = "sessions";
/// It is not longer than this, bytes.
const LIMIT: u64 = 64 << 10;

/// How a session went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSession {
    /// When it began, seconds since 1970.
    pub started: i64,
    /// When it ended, seconds since 1970.
    pub ended: i64,
    /// The event codes it carried.
    pub events: Vec<String>,
    /// `None`: it was completed.
    pub failure: Option<String>,
}

/// The sessions that have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The youngest first.
    ended: VecDeque<LastSession>,
    /// How many were completed since the agent started.
    #[serde(skip)]
    pub completed: u32,
    /// How many were not.
    #[serde(skip)]
    pub failed: u32,
}

impl Sessions {
    /// A session has ended.
    pub fn took_place(&mut self, mut session: LastSession) {
        let count = match session.failure {
            None => &mut self.completed,
            Some(_) => &mut self.failed,
        };
        *count = count.saturating_add(1);
        if let Some(why) = &mut session.failure
            && let Some((end, _)) = why.char_indices().nth(LONGEST)
        {
            why.truncate(end);
            why.push('…');
        }
        self.ended.push_front(session);
        self.ended.truncate(KEPT);
    }

    /// The one that ended last.
    pub fn last(&self) -> Option<&LastSession> {
        self.ended.front()
    }

    /// All that are known, the youngest first.
    pub fn all(&self) -> Vec<LastSession> {
        self.ended.iter().cloned().collect()
    }

    /// Keeps them until the box is booted, for the next daemon and for `status` without one.
    pub fn keep(&self, run_dir: &RunDir) {
        if self.ended.is_empty() {
            return;
        }
        let kept = serde_json::to_vec(self)
            .map_err(io::Error::from)
            .and_then(|text| run_dir.write(FILE, &text));
        if let Err(e) = kept {
            log::warn!("how sessions went cannot be kept for `status`: {e}");
        }
    }

    /// What was kept; none where there is nothing that can be read.
    pub fn load(run_dir: &RunDir) -> Sessions {
        let text = run_dir.read(FILE, LIMIT).unwrap_or_default();
        let mut sessions: Sessions = json::read(&text).unwrap_or_default();
        sessions.ended.truncate(KEPT);
        sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(started: i64, failure: Option<&str>) -> LastSession {
        LastSession {
            started,
            ended: started + 2,
            events: vec!["2 PERIODIC".to_owned()],
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn the_last_few_sessions_are_known_the_youngest_first_and_kept_in_run_dir() {
        let dir = std::env::temp_dir().join(format!("sessions-{}", std::process::id()));
        let run_dir = RunDir::open(&dir).expect("a folder");
        let mut sessions = Sessions::load(&run_dir);
        assert_eq!(sessions, Sessions::default());
        sessions.keep(&run_dir);
        assert!(!run_dir.has(FILE), "there is nothing to keep");
        for n in 0..100 {
            sessions.took_place(session(n, (n % 4 == 0).then_some("no answer")));
        }
        let started: Vec<i64> = sessions.all().iter().map(|s| s.started).collect();
        assert_eq!(started, [99, 98, 97, 96, 95, 94, 93, 92]);
        assert_eq!(sessions.last(), Some(&session(99, None)));
        assert_eq!((sessions.completed, sessions.failed), (75, 25));
        sessions.keep(&run_dir);
        let later = Sessions::load(&run_dir);
        assert_eq!(later.all(), sessions.all());
        assert_eq!(
            (later.completed, later.failed),
            (0, 0),
            "of another daemon's time"
        );
        std::fs::remove_dir_all(&dir).expect("gone");
    }

    #[test]
    fn what_an_acs_says_of_a_failure_is_not_kept_without_end() {
        let mut sessions = Sessions::default();
        sessions.took_place(session(1, Some(&"ü".repeat(10_000))));
        let why = sessions.last().and_then(|s| s.failure.clone());
        let why = why.expect("it has failed");
        assert_eq!(why.chars().count(), LONGEST + 1);
        assert!(why.ends_with('…'));
    }
}
