//! What the ACS last saw of the watched parameters, and which of them have changed since
//! (4 VALUE CHANGE; TR-069 3.7.1.5, A.3.3.1). Pure: whoever reads the values and keeps
//! this on disk is the agent's business.
//!
//! ```text
//!            read, or carried             reads another value,
//!            by an answered Inform        or a command sets it
//!  [unknown] ---------------------> [seen] ------------> [changed] <------------------+
//!     ^                             ^  ^  ^                |   |                      |
//!     |                             |  |  +----------------+   | an Inform takes it   |
//!     | the watch begins            |  |    the ACS sets it    v                      |
//!     |                             |  +------------------- [taken] ------------------+
//!  (nothing)                        |     InformResponse: what it      no InformResponse
//!     ^                             |     carried is what was seen
//!     +---- level 0, row gone ------+
//!     +---- another ACS, factory reset: all of them
//! ```
//!
//! What is *changed* stays so though it changes back: the ACS is told once, with the
//! value of that moment (A.3.3.1). Only *changed* asks for a session of its own, where the
//! level is active; what is *taken* waits for the retry. A change whose source has got into
//! trouble has no value to be told: no Inform takes it, and it asks for no session, until it
//! was read again. Before an ACS has answered an
//! Inform nothing gets from *unknown* to *seen*, so that a first contact tells no change.

use super::api::WatchedValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The most parameters watched; further ones are not.
pub const MAX_WATCHED: usize = 10_000;
/// The most changes that one Inform takes; the others ask for another.
pub const MAX_TAKEN: usize = 512;
/// A longer value is kept as its hash, bytes.
const LONGEST: usize = 40;
/// Bytes of a hash that are kept.
const HASH: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub struct Changes {
    /// The hash of the URL of the ACS that all this is about; `None`: none has answered.
    acs: Option<String>,
    /// The URL that was hashed last, and its hash.
    hashed: (String, String),
    entries: BTreeMap<String, Entry>,
    /// Changed ones.
    changed: BTreeMap<String, Pending>,
    /// The number of the reading under way.
    round: u32,
    /// Whether what [`Part::Kept`] gives has changed.
    kept_dirty: bool,
    /// The same of [`Part::Passing`].
    passing_dirty: bool,
}

#[derive(Debug, Default)]
struct Entry {
    /// The value that the ACS saw: `=value` or `#hash`. `None`: unknown.
    seen: Option<Box<str>>,
    /// 0 until it was read for the first time since the start.
    level: u8,
    volatile: bool,
    round: u32,
}

/// How it stands with a change that the ACS is to be told.
#[derive(Debug, Clone, Copy, Default)]
struct Pending {
    /// It has asked for a session, which is under way or is to be tried again.
    taken: bool,
    /// It could not be read when it was last to be.
    in_trouble: bool,
}

/// Which part of it: they are kept in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What must survive a reboot.
    Kept,
    /// Values that change all the time: not worth wearing flash out.
    Passing,
}

/// A part as plain data. Borrowed, because there may be thousands.
#[derive(Debug, Serialize)]
pub struct Snapshot<'a> {
    acs: Option<&'a str>,
    seen: BTreeMap<&'a str, &'a str>,
    changed: BTreeSet<&'a str>,
}

/// What [`Snapshot`] wrote.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stored {
    acs: Option<String>,
    seen: BTreeMap<String, String>,
    changed: BTreeSet<String>,
}

impl Changes {
    /// As it was kept. A passing part that is about another ACS is not taken.
    pub fn restore(kept: Stored, passing: Stored) -> Changes {
        let mut changes = Changes {
            acs: kept.acs.clone(),
            ..Changes::default()
        };
        for (part, stored) in [(Part::Kept, kept), (Part::Passing, passing)] {
            if stored.acs.is_none() || stored.acs != changes.acs {
                continue;
            }
            for (path, seen) in stored.seen {
                if changes.entries.len() >= MAX_WATCHED {
                    break;
                }
                if stored.changed.contains(&path) {
                    changes.changed.insert(path.clone(), Pending::default());
                }
                let entry = Entry {
                    seen: Some(seen.into_boxed_str()),
                    volatile: part == Part::Passing,
                    ..Entry::default()
                };
                changes.entries.insert(path, entry);
            }
        }
        changes
    }

    /// What is to be kept.
    pub fn snapshot(&self, part: Part) -> Snapshot<'_> {
        let here = |entry: &Entry| entry.volatile == (part == Part::Passing);
        let seen = self.entries.iter().filter(|(_, entry)| here(entry));
        let is_here = |path: &&String| self.entries.get(*path).is_some_and(here);
        Snapshot {
            acs: self.acs.as_deref(),
            seen: seen
                .filter_map(|(path, entry)| Some((path.as_str(), entry.seen.as_deref()?)))
                .collect(),
            changed: self
                .changed
                .keys()
                .filter(is_here)
                .map(String::as_str)
                .collect(),
        }
    }

    /// Whether a part differs from what [`kept`](Self::kept) was last told of.
    pub fn is_dirty(&self, part: Part) -> bool {
        match part {
            Part::Kept => self.kept_dirty,
            Part::Passing => self.passing_dirty,
        }
    }

    /// A part could not be written.
    pub fn not_kept(&mut self, part: Part) {
        self.touch(part == Part::Passing);
    }

    /// A part was written.
    pub fn kept(&mut self, part: Part) {
        match part {
            Part::Kept => self.kept_dirty = false,
            Part::Passing => self.passing_dirty = false,
        }
    }

    fn touch(&mut self, volatile: bool) {
        match volatile {
            false => self.kept_dirty = true,
            true => self.passing_dirty = true,
        }
    }

    fn touch_all(&mut self) {
        self.kept_dirty = true;
        self.passing_dirty = true;
    }

    /// Whether an ACS has answered an Inform, so that there is something to compare with.
    pub fn is_begun(&self) -> bool {
        self.acs.is_some()
    }

    /// The ACS at this URL is the one to be told; what another one saw is forgotten.
    pub fn speak_to(&mut self, url: &str) {
        if let Some(acs) = self.acs.take() {
            let is_same = acs == self.hash_of(url);
            self.acs = Some(acs);
            if !is_same {
                self.forget();
            }
        }
    }

    fn hash_of(&mut self, url: &str) -> &str {
        if self.hashed.0 != url || self.hashed.1.is_empty() {
            self.hashed = (url.to_owned(), hash(url));
        }
        &self.hashed.1
    }

    /// Forgets everything (factory reset).
    pub fn forget(&mut self) {
        *self = Changes::default();
        self.touch_all();
    }

    /// All watched parameters are about to be read.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// One of them was read. `false`: too many are watched, this one is not.
    pub fn read(&mut self, one: &WatchedValue) -> bool {
        if !self.entries.contains_key(&one.path) {
            if self.entries.len() >= MAX_WATCHED {
                return false;
            }
            self.entries.insert(one.path.clone(), Entry::default());
        }
        let Some(entry) = self.entries.get_mut(&one.path) else {
            return true;
        };
        entry.round = self.round;
        entry.level = one.level;
        if entry.volatile != one.volatile {
            entry.volatile = one.volatile;
            self.kept_dirty = true;
            self.passing_dirty = true;
        }
        if let Some(pending) = self.changed.get_mut(&one.path) {
            pending.in_trouble = one.value.is_none();
        }
        // One whose source is in trouble has not changed for that.
        let Some(value) = &one.value else {
            return true;
        };
        match &entry.seen {
            Some(seen) if is(seen, value) => {}
            Some(_) if !self.changed.contains_key(&one.path) => {
                self.changed.insert(one.path.clone(), Pending::default());
                self.touch(one.volatile);
            }
            None if self.acs.is_some() => {
                entry.seen = Some(print(value));
                self.touch(one.volatile);
            }
            Some(_) | None => {}
        }
        true
    }

    /// Those that the round has not met: no longer watched, no longer there, or in trouble.
    pub fn unread(&self) -> Vec<String> {
        let unread = self.entries.iter().filter(|(_, e)| e.round != self.round);
        unread.map(|(path, _)| path.clone()).collect()
    }

    /// One is no longer watched: what is pending of it is not told any more (NOT-013).
    pub fn end(&mut self, path: &str) {
        if let Some(entry) = self.entries.remove(path) {
            self.changed.remove(path);
            self.touch(entry.volatile);
        }
    }

    /// Somebody but the ACS has changed this one, whatever it reads when it is next read.
    pub fn changed_by_hand(&mut self, path: &str) {
        if let Some(entry) = self.entries.get(path)
            && entry.seen.is_some()
            && self
                .changed
                .insert(path.to_owned(), Pending::default())
                .is_none()
        {
            let volatile = entry.volatile;
            self.touch(volatile);
        }
    }

    /// The ACS itself has made this one what it is now: that is no news to it.
    pub fn set_by_acs(&mut self, path: &str, value: &str) {
        let begun = self.acs.is_some();
        if let Some(entry) = self.entries.get_mut(path).filter(|_| begun) {
            let new = !entry.seen.as_ref().is_some_and(|seen| is(seen, value));
            let told = self.changed.remove(path).is_some();
            if new {
                entry.seen = Some(print(value));
            }
            let volatile = entry.volatile;
            if new || told {
                self.touch(volatile);
            }
        }
    }

    /// Whether this one is watched.
    pub fn watches(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Whether this one is unchanged since the ACS saw it, given its value.
    pub fn is_seen(&self, path: &str, value: &str) -> bool {
        let seen = self.entries.get(path).and_then(|e| e.seen.as_deref());
        !self.changed.contains_key(path) && seen.is_some_and(|seen| is(seen, value))
    }

    /// The changes for an Inform that is put together now. Those in trouble stay behind; they
    /// ask for no other session until this one's Inform was answered, or there is none
    /// ([`put_back`](Self::put_back)).
    pub fn take(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        for (path, pending) in &mut self.changed {
            if pending.in_trouble {
                pending.taken = true;
            } else if paths.len() < MAX_TAKEN {
                pending.taken = true;
                paths.push(path.clone());
            }
        }
        paths
    }

    /// An Inform that had taken this one had no room for it.
    pub fn left_out(&mut self, path: &str) {
        if let Some(pending) = self.changed.get_mut(path) {
            pending.taken = false;
        }
    }

    /// An Inform that had taken this one could not read it: it asks for a session once it was
    /// read again.
    pub fn in_trouble(&mut self, path: &str) {
        if let Some(pending) = self.changed.get_mut(path) {
            pending.in_trouble = true;
        }
    }

    /// The session for which changes were taken is over as far as those in trouble are
    /// concerned.
    pub fn put_back(&mut self) {
        let in_trouble = self.changed.values_mut().filter(|p| p.in_trouble);
        in_trouble.for_each(|p| p.taken = false);
    }

    /// The ACS at `url` has answered an Inform that carried these parameters and values.
    pub fn accepted<'a>(&mut self, url: &str, carried: impl Iterator<Item = (&'a str, &'a str)>) {
        let acs = self.hash_of(url).to_owned();
        if self.acs.as_ref() != Some(&acs) {
            // What was read before is of no ACS, or of another one.
            self.changed.clear();
            self.entries.values_mut().for_each(|e| e.seen = None);
            self.acs = Some(acs);
            self.touch_all();
        }
        for (path, value) in carried {
            // One that could be read after all was told, but not that it has changed.
            if !self.changed.get(path).is_some_and(|p| p.in_trouble) {
                self.set_by_acs(path, value);
            }
        }
        self.put_back();
    }

    /// Whether a session of its own is due: a change with active notification that no
    /// Inform has taken yet.
    pub fn wants_session(&self) -> bool {
        self.changed.iter().any(|(path, pending)| {
            !pending.taken
                && !pending.in_trouble
                && self
                    .entries
                    .get(path)
                    .is_some_and(|entry| entry.level == ACTIVE)
        })
    }

    /// The pending changes, by path.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = &str> {
        self.changed.keys().map(String::as_str)
    }

    /// How many parameters are watched, and how many of them actively.
    pub fn counts(&self) -> (usize, usize) {
        let active = self.entries.values().filter(|e| e.level == ACTIVE).count();
        (self.entries.len(), active)
    }
}

/// The notification level that opens a session.
const ACTIVE: u8 = 2;

/// What is kept of a value.
fn print(value: &str) -> Box<str> {
    match value.len() <= LONGEST {
        true => format!("={value}").into(),
        false => format!("#{}", hash(value)).into(),
    }
}

fn is(print: &str, value: &str) -> bool {
    match print.split_at_checked(1) {
        Some(("=", seen)) => seen == value,
        Some(("#", seen)) => value.len() > LONGEST && seen == hash(value),
        _ => false,
    }
}

fn hash(text: &str) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' - 10 + n });
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::with_capacity(2 * HASH);
    for byte in digest.iter().take(HASH) {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACS: &str = "http://acs.example/";

    fn value(path: &str, level: u8, value: &str) -> WatchedValue {
        WatchedValue {
            path: path.to_owned(),
            level,
            volatile: false,
            value: Some(value.to_owned()),
        }
    }

    fn counter(path: &str, text: &str) -> WatchedValue {
        WatchedValue {
            volatile: true,
            ..value(path, 1, text)
        }
    }

    fn read(changes: &mut Changes, values: &[WatchedValue]) {
        changes.begin_round();
        values.iter().for_each(|one| assert!(changes.read(one)));
        for path in changes.unread() {
            changes.end(&path);
        }
    }

    /// As a daemon that was told these values, and has read them since.
    fn told(values: &[WatchedValue]) -> Changes {
        let mut changes = Changes::default();
        changes.accepted(ACS, std::iter::empty());
        read(&mut changes, values);
        assert_eq!(pending(&changes), [""; 0]);
        changes
    }

    fn pending(changes: &Changes) -> Vec<&str> {
        changes.pending().collect()
    }

    fn stored(changes: &Changes, part: Part) -> Stored {
        let text = serde_json::to_string(&changes.snapshot(part)).expect("JSON");
        serde_json::from_str(&text).expect("what was written")
    }

    fn restart(changes: &Changes) -> Changes {
        Changes::restore(stored(changes, Part::Kept), stored(changes, Part::Passing))
    }

    // T-ATT-002, T-ATT-003
    #[test]
    fn an_active_change_asks_for_a_session_until_an_inform_takes_it_and_a_passive_one_never() {
        let mut changes = told(&[value("a", 2, "1"), value("p", 1, "1")]);
        read(&mut changes, &[value("a", 2, "1"), value("p", 1, "2")]);
        assert_eq!(pending(&changes), ["p"]);
        assert!(!changes.wants_session());
        read(&mut changes, &[value("a", 2, "2"), value("p", 1, "2")]);
        assert!(changes.wants_session());
        assert_eq!(changes.take(), ["a", "p"]);
        assert!(!changes.wants_session(), "the retry policy has it now");
        assert_eq!(pending(&changes), ["a", "p"], "nothing was delivered");
        // A command's change is news, whatever waits.
        changes.changed_by_hand("a");
        assert!(changes.wants_session());
    }

    #[test]
    fn what_an_answered_inform_carried_is_what_was_seen_and_nothing_newer() {
        let mut changes = told(&[value("a", 2, "1")]);
        read(&mut changes, &[value("a", 2, "2")]);
        changes.take();
        changes.accepted(ACS, [("a", "2"), ("unwatched", "x")].into_iter());
        assert_eq!(pending(&changes), [""; 0]);
        assert!(!changes.watches("unwatched"));
        read(&mut changes, &[value("a", 2, "3")]);
        changes.take();
        // By now it is 4 again; the Inform said 3.
        changes.accepted(ACS, [("a", "3")].into_iter());
        read(&mut changes, &[value("a", 2, "4")]);
        assert_eq!(pending(&changes), ["a"]);
        assert!(changes.wants_session());
    }

    // NOT-011, TR-069 A.3.3.1
    #[test]
    fn what_changes_back_is_still_told() {
        let mut changes = told(&[value("a", 1, "1")]);
        read(&mut changes, &[value("a", 1, "2")]);
        read(&mut changes, &[value("a", 1, "1")]);
        assert_eq!(pending(&changes), ["a"]);
        let mut changes = told(&[value("a", 1, "1")]);
        changes.changed_by_hand("a");
        changes.changed_by_hand("b");
        assert_eq!(pending(&changes), ["a"]);
        let mut changes = restart(&changes);
        assert_eq!(pending(&changes), ["a"]);
        read(&mut changes, &[value("a", 2, "1")]);
        assert!(changes.wants_session(), "the level may have been raised");
    }

    // T-SPV-020
    #[test]
    fn what_the_acs_sets_is_seen() {
        let mut changes = told(&[value("a", 2, "1"), value("b", 2, "1")]);
        changes.set_by_acs("a", "2");
        read(&mut changes, &[value("a", 2, "2"), value("b", 2, "2")]);
        assert_eq!(pending(&changes), ["b"], "that followed from it");
        changes.set_by_acs("b", "3");
        assert_eq!(pending(&changes), [""; 0], "it knows b better now");
        assert!(changes.is_seen("b", "3") && !changes.is_seen("b", "2"));
    }

    #[test]
    fn nothing_is_a_change_before_an_acs_has_answered() {
        let mut changes = Changes::default();
        read(&mut changes, &[value("a", 2, "1")]);
        read(&mut changes, &[value("a", 2, "2")]);
        changes.set_by_acs("a", "3");
        assert!(!changes.is_begun() && !changes.wants_session());
        assert!(stored(&changes, Part::Kept).seen.is_empty());
        changes.accepted(ACS, [("a", "2")].into_iter());
        assert!(changes.is_begun());
        read(&mut changes, &[value("a", 2, "3"), value("new", 2, "1")]);
        assert_eq!(pending(&changes), ["a"]);
    }

    // T-EVT-006
    #[test]
    fn another_acs_has_seen_nothing() {
        let mut changes = told(&[value("a", 1, "1"), counter("c", "1")]);
        read(&mut changes, &[value("a", 1, "2"), counter("c", "2")]);
        changes.speak_to(ACS);
        assert_eq!(pending(&changes), ["a", "c"]);
        // It answers before anything was read again.
        changes.accepted("http://other.example/", [("a", "2")].into_iter());
        assert_eq!(pending(&changes), [""; 0]);
        changes.speak_to(ACS);
        assert!(!changes.is_begun());
        assert_eq!(changes.counts(), (0, 0));
    }

    // T-ATT-004, T-ATT-017
    #[test]
    fn what_is_no_longer_watched_is_forgotten_and_a_source_in_trouble_is_no_change() {
        let mut changes = told(&[value("a", 2, "1"), value("b", 2, "1")]);
        read(&mut changes, &[value("a", 2, "2"), value("b", 2, "2")]);
        let trouble = WatchedValue {
            value: None,
            ..value("b", 2, "")
        };
        read(&mut changes, std::slice::from_ref(&trouble));
        assert_eq!(pending(&changes), ["b"]);
        read(&mut changes, &[value("a", 2, "3"), trouble]);
        assert_eq!(pending(&changes), ["b"], "a begins anew");
    }

    #[test]
    fn the_parts_are_kept_apart_and_written_when_they_change() {
        let mut changes = told(&[value("a", 1, "1"), counter("c", "1")]);
        let clean = |changes: &mut Changes| {
            let was = (
                changes.is_dirty(Part::Kept),
                changes.is_dirty(Part::Passing),
            );
            changes.kept(Part::Kept);
            changes.kept(Part::Passing);
            was
        };
        assert_eq!(clean(&mut changes), (true, true));
        read(&mut changes, &[value("a", 1, "1"), counter("c", "2")]);
        assert_eq!(clean(&mut changes), (false, true));
        read(&mut changes, &[value("a", 1, "2"), counter("c", "3")]);
        assert_eq!(clean(&mut changes), (true, false), "c is known as changed");
        changes.accepted(ACS, [("c", "3")].into_iter());
        assert_eq!(clean(&mut changes), (false, true));
        let kept = stored(&changes, Part::Kept);
        assert_eq!(kept.seen.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(kept.changed.iter().collect::<Vec<_>>(), ["a"]);
        // A boot: run_dir is empty.
        let mut changes = Changes::restore(kept, Stored::default());
        read(&mut changes, &[value("a", 1, "2"), counter("c", "0")]);
        assert_eq!(pending(&changes), ["a"]);
    }

    #[test]
    fn counters_that_another_acs_saw_are_not_taken_over() {
        let mut changes = told(&[counter("c", "1")]);
        let passing = stored(&changes, Part::Passing);
        changes.accepted("http://other.example/", std::iter::empty());
        let changes = Changes::restore(stored(&changes, Part::Kept), passing);
        assert!(changes.is_begun() && !changes.watches("c"));
    }

    #[test]
    fn long_values_are_kept_as_hashes_and_none_is_taken_for_another() {
        let long = "x".repeat(60_000);
        let mut changes = told(&[value("a", 1, &long), value("b", 1, "=")]);
        let kept = stored(&changes, Part::Kept);
        assert!(kept.seen["a"].len() < 50 && !kept.acs.expect("an ACS").contains("acs"));
        read(&mut changes, &[value("a", 1, &long), value("b", 1, "=")]);
        assert_eq!(pending(&changes), [""; 0]);
        let print = kept.seen["a"].clone();
        read(&mut changes, &[value("a", 1, &print), value("b", 1, "")]);
        assert_eq!(pending(&changes), ["a", "b"]);
    }

    #[test]
    fn all_is_bounded() {
        let many = |text: &str| -> Vec<WatchedValue> {
            let name = |n| value(&format!("{n:05}"), 2, text);
            (0..MAX_WATCHED).map(name).collect()
        };
        let mut changes = told(&many("1"));
        assert!(!changes.read(&value("x", 2, "1")), "one too many");
        assert!(!changes.watches("x"));
        read(&mut changes, &many("2"));
        let taken = changes.take();
        assert_eq!(taken.len(), MAX_TAKEN);
        changes.left_out(&taken[0]);
        changes.accepted(ACS, taken.iter().skip(1).map(|path| (path.as_str(), "2")));
        assert_eq!(changes.pending().len(), MAX_WATCHED - MAX_TAKEN + 1);
        assert!(changes.wants_session(), "for those that had no room");
        assert_eq!(changes.take()[0], taken[0]);
    }

    #[test]
    fn one_that_an_inform_could_not_carry_does_not_ask_for_sessions_for_ever() {
        let mut changes = told(&[value("a", 2, "1")]);
        read(&mut changes, &[value("a", 2, "2")]);
        changes.take();
        changes.accepted(ACS, std::iter::empty());
        assert_eq!(pending(&changes), ["a"]);
        assert!(!changes.wants_session());
    }
}
