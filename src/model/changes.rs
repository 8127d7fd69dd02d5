//! Which watched values differ from what the ACS last saw (4 VALUE CHANGE): pure
//! comparison. Who keeps the values, and when the ACS has seen them, is the agent's
//! business: only an InformResponse moves them, and the ACS's own Sets do so silently.

use super::api::Watched;
use std::collections::{BTreeMap, BTreeSet};

/// Values as the ACS last saw them: path → canonical value.
pub type Seen = BTreeMap<String, String>;

/// Differences between what the ACS last saw and what holds now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Changed, with active notification: a session is due.
    pub active: Vec<String>,
    /// Changed, with passive notification: they wait for the next Inform.
    pub passive: Vec<String>,
    /// Watched and readable, but never seen by the ACS: no change yet, to be remembered.
    pub new: Vec<String>,
    /// Seen once, but no longer watched: to be forgotten, never reported (NOT-013).
    pub gone: Vec<String>,
}

impl Changes {
    /// Whether 4 VALUE CHANGE is due, now or in the next Inform.
    pub fn any(&self) -> bool {
        !self.active.is_empty() || !self.passive.is_empty()
    }
}

/// Compares. `current` holds the values that could be read at this moment: a watched
/// parameter that is missing there is in trouble, which is no change.
pub fn compare(seen: &Seen, watched: &[Watched], current: &Seen) -> Changes {
    let mut changes = Changes::default();
    let mut names = BTreeSet::new();
    for one in watched {
        names.insert(one.path.as_str());
        let Some(now) = current.get(&one.path) else {
            continue;
        };
        match seen.get(&one.path) {
            None => changes.new.push(one.path.clone()),
            Some(then) if then == now => {}
            Some(_) if is_active(one.level) => changes.active.push(one.path.clone()),
            Some(_) if is_passive(one.level) => changes.passive.push(one.path.clone()),
            Some(_) => {}
        }
    }
    let gone = seen.keys().filter(|path| !names.contains(path.as_str()));
    changes.gone = gone.cloned().collect();
    changes
}

/// Levels that open a session of their own.
pub fn is_active(level: u8) -> bool {
    level == 2
}

/// Levels whose changes go with the next Inform; 4 and 6 are passive with a lightweight
/// form beside.
pub fn is_passive(level: u8) -> bool {
    matches!(level, 1 | 4 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pairs: &[(&str, &str)]) -> Seen {
        pairs
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect()
    }

    #[test]
    fn changes_are_told_apart_by_level() {
        // T-ATT-002, T-ATT-003, T-ATT-004, T-ATT-017
        let watch = |path: &str, level| Watched {
            path: path.to_owned(),
            level,
        };
        let watched = [
            watch("a", 2),
            watch("b", 1),
            watch("c", 2),
            watch("d", 1),
            watch("e", 2),
        ];
        let then = seen(&[("a", "1"), ("b", "1"), ("c", "1"), ("e", "1"), ("z", "1")]);
        let now = seen(&[("a", "2"), ("b", "2"), ("c", "1"), ("d", "1"), ("z", "2")]);
        let changes = compare(&then, &watched, &now);
        assert_eq!(changes.active, ["a"]);
        assert_eq!(changes.passive, ["b"]);
        assert_eq!(changes.new, ["d"]);
        assert_eq!(changes.gone, ["z"]);
        assert!(changes.any());
        assert!(!compare(&then, &[], &now).any());
    }
}
