//! What the agent owes the ACS and itself over restarts: pending events, scheduled
//! Informs, the retry count, an accepted reboot or factory reset.
//!
//! One small state file, written before anything that it records is promised, and only
//! when it differs from what is on disk: a periodic session that changes nothing writes
//! nothing. This module decides nothing about when a session starts.
//!
//! ```text
//! reboot:  none --accept--> queued --start--> started --next boot--> M Reboot events
//! reset:   none --accept--> queued --start--> started --wiped------> none, reboot queued
//!                                                |                     ^
//!                                                +--again--> started again
//! ```
//! A *started* reboot that finds the same boot again was not carried out: it is tried
//! once more at the next start. A *started* reset was interrupted, its command perhaps in
//! the middle: the next start runs it again, but only once, should it be the command that
//! takes the box down; then the rest is done.

mod transfer_events;

use crate::cwmp::event::{Delivered, EventCode, EventQueue, EventSnapshot};
use crate::cwmp::message::Event;
use crate::cwmp::schedule::{DelayedInforms, Full};
use crate::cwmp::version::CwmpVersion;
use crate::store::state::StateDir;
use serde::{Deserialize, Serialize};

/// The name of the state file.
const FILE: &str = "owed";
/// The most reboots accepted before one happens (each has its M Reboot event).
const MAX_REBOOTS: usize = 64;

/// How far an accepted action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Accepted; to be done when the session has ended.
    Queued,
    /// Its command was started.
    Started,
    /// It was interrupted, and its command was started once more.
    StartedAgain,
}

/// Reboots that the ACS asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboots {
    pub stage: Stage,
    /// The CommandKey of each Reboot request.
    pub keys: Vec<String>,
}

/// What is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    /// The URL whose ACS has answered an Inform with 0 BOOTSTRAP.
    bootstrapped_url: Option<String>,
    events: EventSnapshot,
    /// Due times are Unix seconds of the clock at `schedules_at`.
    schedules: DelayedInforms,
    schedules_at: i64,
    /// RetryCount of the next Inform.
    retry_count: u32,
    reboot: Option<Reboots>,
    factory_reset: Option<Stage>,
    /// The ScheduleReboot that a reboot was begun for.
    scheduled_reboot: String,
    /// The DelayReboot that a reboot has ended.
    delay_over: Option<i32>,
    /// The listener's random path.
    knock_path: String,
}

/// The debts of the agent, in memory and on disk.
pub struct Owed {
    saved: Saved,
    queue: EventQueue,
    state: StateDir,
    /// A person asked for 4 VALUE CHANGE, whatever has changed.
    value_change_by_hand: bool,
}

/// What [`Owed::start`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// The run began with a boot of the box.
    pub boot: bool,
    /// A reboot was accepted and has not happened.
    pub reboot_now: bool,
    /// A factory reset was accepted, and perhaps started.
    pub reset: Option<Stage>,
    /// All of this is on disk: a power cut from now on finds it.
    pub kept: bool,
}

impl Owed {
    /// Reads the state file; without one (or with a damaged one) nothing is owed.
    pub fn load(state: &StateDir) -> Owed {
        let saved: Saved = state.load(FILE).unwrap_or_default();
        Owed {
            queue: EventQueue::restore(&saved.events),
            saved,
            state: state.clone(),
            value_change_by_hand: false,
        }
    }

    /// Begins a run of the agent: what outlives a boot stays, and `1 BOOT` and its
    /// companions are raised when this is one. `url` is the ACS to be spoken to, `now` the
    /// Unix time, `random` 16 random bytes for a listener path if there is none yet.
    pub fn start(&mut self, boot: bool, url: &str, now: i64, random: [u8; 16]) -> Start {
        self.begin(boot, boot, url, now, random)
    }

    /// As [`start`](Self::start) with a boot, for a run that only counts as one: unless
    /// the box was really `rebooted`, accepted reboots stay accepted.
    pub fn start_once(&mut self, rebooted: bool, url: &str, now: i64, random: [u8; 16]) -> Start {
        self.begin(true, rebooted, url, now, random)
    }

    fn begin(
        &mut self,
        boot: bool,
        rebooted: bool,
        url: &str,
        now: i64,
        random: [u8; 16],
    ) -> Start {
        if now < self.saved.schedules_at && !self.saved.schedules.is_empty() {
            // A box without a battery for its clock: what remained to wait still remains.
            self.saved
                .schedules
                .shift(now.saturating_sub(self.saved.schedules_at));
            self.saved.schedules_at = now;
        }
        if self.saved.knock_path.is_empty() {
            self.saved.knock_path = random.iter().map(|b| format!("{b:02x}")).collect();
        }
        if boot {
            self.queue.rebooted();
        }
        self.check_url(url);
        let mut reboot_now = false;
        if boot {
            self.queue.raise(EventCode::Boot, "");
        }
        if rebooted {
            if let Some(reboots) = self.saved.reboot.take() {
                for key in &reboots.keys {
                    self.queue.raise(EventCode::MReboot, key);
                }
            }
        } else if self.saved.reboot.is_some() {
            reboot_now = true;
        }
        let kept = self.save();
        Start {
            boot,
            reboot_now,
            reset: self.saved.factory_reset,
            kept,
        }
    }

    /// Whether `url` is that of an ACS that has yet to be told 0 BOOTSTRAP, which is not
    /// pending.
    pub fn is_new_acs(&self, url: &str) -> bool {
        !url.is_empty()
            && self.saved.bootstrapped_url.as_deref() != Some(url)
            && !self.queue.has(&EventCode::Bootstrap)
    }

    /// Raises 0 BOOTSTRAP when `url` is not the one that has been bootstrapped (TR-069
    /// 3.7.1.5). Tells whether it did.
    pub fn check_url(&mut self, url: &str) -> bool {
        let new = self.is_new_acs(url);
        if new {
            self.queue.bootstrap();
        }
        new
    }

    /// Writes what differs from the disk. A failure is logged; what is in memory goes on
    /// to serve.
    pub fn save(&mut self) -> bool {
        self.saved.events = self.queue.snapshot();
        self.state
            .save_or_warn(FILE, &self.saved, "what is owed to the ACS")
    }

    /// Raises an event; `false` when it was pending already. Not written yet.
    pub fn raise(&mut self, code: EventCode, key: &str) -> bool {
        self.queue.raise(code, key)
    }

    /// Raises an event that a person asked for; `false` when it was pending already.
    pub fn raise_by_hand(&mut self, code: EventCode) -> bool {
        if code == EventCode::Bootstrap {
            let known = self.queue.has(&code);
            self.queue.bootstrap();
            return !known;
        }
        self.value_change_by_hand |= code == EventCode::ValueChange;
        self.queue.raise(code, "")
    }

    /// Whether the ACS waits for what there is to tell: a first contact, or the end of what
    /// it has asked for.
    pub fn is_awaited(&self) -> bool {
        let awaited = |e: &Event| e.code == EventCode::Bootstrap || e.code.rule().multiple;
        self.queue.pending().any(awaited)
    }

    /// What is pending now waits for the end of a wait and asks for no session by itself.
    pub fn hold_back(&mut self) {
        self.queue.hold_back();
    }

    /// Whether an event waits that a session would deliver.
    pub fn wants_session(&self) -> bool {
        match self.saved.retry_count {
            0 => self.queue.wants_session(),
            _ => self.queue.ends_retry_wait(),
        }
    }

    /// Takes a single event back that will not be told.
    pub fn withdraw(&mut self, code: &EventCode) {
        self.queue.withdraw(code);
    }

    /// All pending events.
    pub fn pending(&self) -> Vec<Event> {
        self.queue.pending().cloned().collect()
    }

    /// `14 HEARTBEAT`, if the session that begins is for it alone; `changes`: a changed value
    /// asks for a session, too.
    pub fn take_heartbeat(&mut self, version: CwmpVersion, changes: bool) -> Option<Vec<Event>> {
        let retrying = self.saved.retry_count > 0;
        self.queue.take_heartbeat(version, retrying, changes)
    }

    /// The events for the Inform of any other session that begins; `changes`: it tells of
    /// changed values.
    pub fn take_for_inform(&mut self, version: CwmpVersion, changes: bool) -> Vec<Event> {
        if changes {
            self.queue.raise(EventCode::ValueChange, "");
        } else if !self.value_change_by_hand {
            // It was told of, or is not asked for any more.
            self.queue.withdraw(&EventCode::ValueChange);
        }
        self.queue.take_for_inform(version)
    }

    /// The ACS at this URL has accepted the Inform that carried these events.
    pub fn inform_accepted(&mut self, url: &str, events: &[Event]) {
        for event in events {
            match event.code {
                EventCode::Bootstrap => self.saved.bootstrapped_url = Some(url.to_owned()),
                EventCode::ValueChange => self.value_change_by_hand = false,
                _ => {}
            }
        }
        self.queue.delivered(Delivered::Inform);
        self.save();
    }

    /// The session has ended well.
    pub fn session_ended(&mut self) {
        self.queue.session_ended();
        self.saved.retry_count = 0;
        self.save();
    }

    /// The session has failed; gives how often it has in a row.
    pub fn session_failed(&mut self) -> u32 {
        self.queue.session_failed();
        self.saved.retry_count = self.saved.retry_count.saturating_add(1);
        self.save();
        self.saved.retry_count
    }

    /// The session was given up without being tried (the agent ends): no failure counts.
    pub fn session_abandoned(&mut self) {
        self.queue.session_failed();
        self.save();
    }

    /// RetryCount of the next Inform.
    pub fn retry_count(&self) -> u32 {
        self.saved.retry_count
    }

    /// ScheduleInform: on disk when this returns `Ok`.
    pub fn schedule(&mut self, now: i64, delay: u32, key: &str) -> Result<(), NotKept> {
        let before = self.saved.clone();
        self.saved
            .schedules
            .add(now, delay, key)
            .map_err(|Full| NotKept::Full)?;
        self.saved.schedules_at = now;
        self.keep_or_put_back(before)
    }

    /// When the next scheduled Inform is due, Unix seconds.
    pub fn next_schedule(&self) -> Option<i64> {
        self.saved.schedules.next_due()
    }

    /// Turns schedules that are due into their events; `true` when there were any.
    pub fn take_schedules(&mut self, now: i64) -> bool {
        let due = self.saved.schedules.take_due(now);
        for key in &due {
            self.queue.raise(EventCode::Scheduled, "");
            self.queue.raise(EventCode::MScheduleInform, key);
        }
        if !due.is_empty() {
            self.saved.schedules_at = now;
            self.save();
        }
        !due.is_empty()
    }

    /// The clock was set by `seconds`; what remained to wait still remains.
    pub fn clock_stepped(&mut self, seconds: i64, now: i64) {
        if !self.saved.schedules.is_empty() {
            self.saved.schedules.shift(seconds);
            self.saved.schedules_at = now;
            self.save();
        }
    }

    /// Reboot: on disk when this returns `Ok`.
    pub fn accept_reboot(&mut self, key: &str) -> Result<(), NotKept> {
        let before = self.saved.clone();
        let reboots = self.reboot_to_come();
        if reboots.keys.len() >= MAX_REBOOTS {
            return Err(NotKept::Full);
        }
        // One that was started and did not take the box down does not stand for this one.
        reboots.stage = Stage::Queued;
        reboots.keys.push(key.to_owned());
        self.keep_or_put_back(before)
    }

    /// A planned reboot, which no `M Reboot` tells of: on disk when this returns `Ok`.
    /// `schedule`: the ScheduleReboot that is reached, if it is the reason; `delay`: what
    /// DelayReboot says.
    pub fn accept_planned_reboot(
        &mut self,
        schedule: Option<&str>,
        delay: i32,
    ) -> Result<(), NotKept> {
        let before = self.saved.clone();
        self.saved.delay_over = (delay >= 0).then_some(delay);
        self.reboot_to_come().stage = Stage::Queued;
        if let Some(schedule) = schedule {
            schedule.clone_into(&mut self.saved.scheduled_reboot);
        }
        self.keep_or_put_back(before)
    }

    /// The ScheduleReboot that a reboot was begun for, as it was written; it calls for no other.
    pub fn scheduled_reboot(&self) -> &str {
        &self.saved.scheduled_reboot
    }

    /// The DelayReboot that a reboot has ended: while it stays as it is, it calls for no other.
    pub fn delay_over(&self) -> Option<i32> {
        self.saved.delay_over
    }

    /// DelayReboot is `over`, or says something new (`None`).
    pub fn set_delay_over(&mut self, over: Option<i32>) {
        if self.saved.delay_over != over {
            self.saved.delay_over = over;
            self.save();
        }
    }

    fn reboot_to_come(&mut self) -> &mut Reboots {
        self.saved.reboot.get_or_insert(Reboots {
            stage: Stage::Queued,
            keys: Vec::new(),
        })
    }

    /// FactoryReset: on disk when this returns `Ok`.
    pub fn accept_reset(&mut self) -> Result<(), NotKept> {
        let before = self.saved.clone();
        self.saved.factory_reset = Some(Stage::Queued);
        self.keep_or_put_back(before)
    }

    /// The accepted reboot, if any.
    pub fn reboot(&self) -> Option<&Reboots> {
        self.saved.reboot.as_ref()
    }

    /// The accepted factory reset, if any.
    pub fn reset(&self) -> Option<Stage> {
        self.saved.factory_reset
    }

    /// Whether the box is still to be rebooted or reset: accepted, and not started yet.
    pub fn must_act(&self) -> bool {
        let queued = Some(Stage::Queued);
        self.saved.reboot.as_ref().map(|r| r.stage) == queued || self.saved.factory_reset == queued
    }

    /// The reboot command is about to be run.
    pub fn reboot_starts(&mut self) {
        if let Some(reboots) = &mut self.saved.reboot {
            reboots.stage = Stage::Started;
        }
        self.save();
    }

    /// The command that resets the box is about to be run, for the first time or again.
    pub fn reset_starts(&mut self) {
        self.saved.factory_reset = match self.saved.factory_reset {
            None | Some(Stage::Queued) => Some(Stage::Started),
            Some(Stage::Started | Stage::StartedAgain) => Some(Stage::StartedAgain),
        };
        self.save();
    }

    /// The box is reset: everything is forgotten (TR-069 A.4.1.6) but that the reboot is
    /// still to come, which no `M Reboot` tells of.
    pub fn reset_done(&mut self) {
        self.saved = Saved {
            reboot: Some(Reboots {
                stage: Stage::Queued,
                keys: Vec::new(),
            }),
            ..Saved::default()
        };
        self.value_change_by_hand = false;
        self.queue.clear();
        self.save();
    }

    /// The listener's random path.
    pub fn knock_path(&self) -> &str {
        &self.saved.knock_path
    }

    fn keep_or_put_back(&mut self, before: Saved) -> Result<(), NotKept> {
        if self.save() {
            return Ok(());
        }
        // A write that failed late may have left what is refused now in place.
        self.saved = before;
        self.save();
        Err(NotKept::Disk)
    }
}

/// Why a promise cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// Too many of its kind wait already (9004).
    Full,
    /// It cannot be written (9002).
    Disk,
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://acs.example/";
    const NOW: i64 = 1_800_000_000;

    /// A state folder that goes with its test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let dir = std::env::temp_dir().join(format!("owed-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            Folder(dir)
        }

        /// What a start of the agent finds.
        fn load(&self) -> Owed {
            Owed::load(&StateDir::open(&self.0).expect("a folder"))
        }

        fn stamp(&self) -> (u64, i64) {
            use std::os::unix::fs::MetadataExt;
            let meta = std::fs::metadata(self.0.join(FILE)).expect("the state file");
            (meta.ino(), meta.mtime_nsec())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn start(owed: &mut Owed, boot: bool) -> Start {
        owed.start(boot, URL, NOW, [7; 16])
    }

    fn codes(owed: &mut Owed) -> Vec<String> {
        let events = owed.take_for_inform(CwmpVersion::V1_4, false);
        let told = |e: Event| format!("{} {}", e.code.text(), e.command_key);
        events
            .into_iter()
            .map(|e| told(e).trim_end().to_owned())
            .collect()
    }

    fn session(owed: &mut Owed) -> Vec<String> {
        session_with(owed, false)
    }

    fn session_with(owed: &mut Owed, changes: bool) -> Vec<String> {
        let events = owed.take_for_inform(CwmpVersion::V1_4, changes);
        owed.inform_accepted(URL, &events);
        owed.session_ended();
        events.iter().map(|e| e.code.text().to_owned()).collect()
    }

    // T-EVT-001, T-EVT-002, T-EVT-003
    #[test]
    fn bootstrap_stays_until_it_was_answered_and_boot_comes_with_each_boot() {
        let folder = Folder::new("bootstrap");
        let mut owed = folder.load();
        start(&mut owed, true);
        assert_eq!(codes(&mut owed), ["0 BOOTSTRAP", "1 BOOT"]);
        assert_eq!(owed.session_failed(), 1);
        let mut owed = folder.load();
        start(&mut owed, true);
        assert_eq!(owed.retry_count(), 1);
        assert_eq!(session(&mut owed), ["0 BOOTSTRAP", "1 BOOT"]);
        assert_eq!(owed.retry_count(), 0);
        let mut owed = folder.load();
        start(&mut owed, false);
        assert!(!owed.wants_session());
        let mut owed = folder.load();
        start(&mut owed, true);
        assert_eq!(session(&mut owed), ["1 BOOT"]);
    }

    // T-EVT-005, T-EVT-006
    #[test]
    fn another_url_bootstraps_and_drops_what_the_old_acs_was_owed() {
        let folder = Folder::new("url");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        assert!(!owed.check_url(URL));
        owed.raise(EventCode::Periodic, "");
        assert!(owed.check_url("http://other.example/"));
        assert_eq!(codes(&mut owed), ["0 BOOTSTRAP"]);
    }

    #[test]
    fn a_url_that_changes_before_its_predecessor_has_answered_is_bootstrapped_afterwards() {
        let folder = Folder::new("late");
        let mut owed = folder.load();
        start(&mut owed, true);
        let events = owed.take_for_inform(CwmpVersion::V1_4, false);
        assert!(!owed.check_url("http://other.example/"), "one is pending");
        owed.inform_accepted(URL, &events);
        owed.session_ended();
        assert!(owed.check_url("http://other.example/"));
        assert_eq!(codes(&mut owed), ["0 BOOTSTRAP"]);
    }

    // T-REB-001, T-EVT-018
    #[test]
    fn an_accepted_reboot_outlives_a_restart_and_becomes_its_events_at_the_boot() {
        let folder = Folder::new("reboot");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.accept_reboot("a").expect("kept");
        owed.accept_reboot("b").expect("kept");
        let mut owed = folder.load();
        assert!(start(&mut owed, false).reboot_now);
        owed.reboot_starts();
        let mut owed = folder.load();
        assert!(!start(&mut owed, true).reboot_now);
        assert_eq!(codes(&mut owed), ["1 BOOT", "M Reboot a", "M Reboot b"]);
    }

    // T-REB-004
    #[test]
    fn a_planned_reboot_has_no_event_of_its_own_and_its_time_is_kept() {
        let folder = Folder::new("planned");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.accept_planned_reboot(Some("2027-01-15T08:00:00Z"), 30)
            .expect("kept");
        assert!(owed.must_act());
        let mut owed = folder.load();
        assert!(start(&mut owed, false).reboot_now);
        owed.reboot_starts();
        owed.accept_reboot("a").expect("kept");
        // Another cause: the time stays the one that was reached.
        owed.accept_planned_reboot(None, 60).expect("kept");
        let mut owed = folder.load();
        assert_eq!(owed.delay_over(), Some(60));
        owed.accept_planned_reboot(None, -1).expect("kept");
        assert_eq!(owed.delay_over(), None);
        assert_eq!(owed.scheduled_reboot(), "2027-01-15T08:00:00Z");
        assert!(!start(&mut owed, true).reboot_now);
        assert_eq!(codes(&mut owed), ["1 BOOT", "M Reboot a"]);
    }

    #[test]
    fn a_reboot_that_never_happened_does_not_stand_for_one_asked_for_later() {
        let folder = Folder::new("again");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.accept_reboot("a").expect("kept");
        assert!(owed.must_act());
        owed.reboot_starts();
        assert!(!owed.must_act(), "its command was run");
        session(&mut owed);
        owed.accept_reboot("b").expect("kept");
        assert!(owed.must_act());
        owed.reboot_starts();
        let mut owed = folder.load();
        start(&mut owed, true);
        assert_eq!(codes(&mut owed), ["1 BOOT", "M Reboot a", "M Reboot b"]);
    }

    #[test]
    fn a_run_that_counts_as_a_boot_never_drops_a_reboot_that_has_not_happened() {
        let folder = Folder::new("once");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.accept_reboot("a").expect("kept");
        let mut owed = folder.load();
        owed.start_once(false, URL, NOW, [7; 16]);
        assert_eq!(codes(&mut owed), ["1 BOOT"]);
        // The power goes before anything else is written.
        let mut owed = folder.load();
        assert!(owed.must_act());
        owed.start_once(true, URL, NOW, [7; 16]);
        assert_eq!(codes(&mut owed), ["1 BOOT", "M Reboot a"]);
    }

    // T-FRS-001
    #[test]
    fn a_reset_forgets_everything_and_an_interrupted_one_is_found() {
        let folder = Folder::new("reset");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.accept_reboot("a").expect("kept");
        owed.accept_reset().expect("kept");
        owed.reset_starts();
        let mut owed = folder.load();
        assert_eq!(owed.reset(), Some(Stage::Started));
        owed.reset_starts();
        assert_eq!(owed.reset(), Some(Stage::StartedAgain));
        owed.reset_done();
        // Interrupted before the reboot: it is still to come.
        let mut owed = folder.load();
        let begun = start(&mut owed, false);
        assert_eq!((begun.reset, begun.reboot_now), (None, true));
        let mut owed = folder.load();
        assert_eq!(start(&mut owed, true).reset, None);
        assert_eq!(codes(&mut owed), ["0 BOOTSTRAP", "1 BOOT"]);
    }

    // T-EVT-015, T-EVT-016, T-EVT-017
    #[test]
    fn schedules_outlive_a_boot_and_a_clock_that_went_back() {
        let folder = Folder::new("schedule");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.schedule(NOW, 100, "a").expect("kept");
        owed.schedule(NOW, 100, "b").expect("kept");
        assert!(!owed.take_schedules(NOW + 99));
        let mut owed = folder.load();
        // A box without a battery for its clock starts in 1970.
        owed.start(true, URL, 50, [7; 16]);
        assert_eq!(owed.next_schedule(), Some(150));
        owed.clock_stepped(NOW, NOW + 50);
        assert_eq!(owed.next_schedule(), Some(NOW + 150));
        assert!(owed.take_schedules(NOW + 150));
        assert_eq!(
            codes(&mut owed),
            [
                "1 BOOT",
                "3 SCHEDULED",
                "M ScheduleInform a",
                "M ScheduleInform b"
            ]
        );
        let refused = (0..1000).find_map(|n| owed.schedule(NOW, 100, &n.to_string()).err());
        assert_eq!(refused, Some(NotKept::Full));
    }

    // T-EVT-020
    #[test]
    fn value_change_goes_with_what_has_changed_and_with_nothing_else() {
        let folder = Folder::new("changes");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        owed.take_for_inform(CwmpVersion::V1_4, true);
        owed.session_failed();
        assert!(!owed.wants_session(), "the retry policy has it now");
        let mut owed = folder.load();
        start(&mut owed, false);
        assert_eq!(session_with(&mut owed, true), ["4 VALUE CHANGE"]);
        // Not asked for any more between a failed session and the next.
        owed.take_for_inform(CwmpVersion::V1_4, true);
        owed.session_failed();
        owed.raise(EventCode::Periodic, "");
        assert_eq!(session(&mut owed), ["2 PERIODIC"]);
        owed.raise_by_hand(EventCode::ValueChange);
        assert_eq!(session(&mut owed), ["4 VALUE CHANGE"]);
        assert!(!owed.wants_session());
    }

    #[test]
    fn a_periodic_session_that_changes_nothing_writes_nothing() {
        let folder = Folder::new("flash");
        let mut owed = folder.load();
        start(&mut owed, true);
        session(&mut owed);
        let before = folder.stamp();
        owed.raise(EventCode::Periodic, "");
        assert_eq!(session(&mut owed), ["2 PERIODIC"]);
        assert_eq!(folder.stamp(), before);
    }

    #[test]
    fn the_listener_path_is_drawn_once() {
        let folder = Folder::new("path");
        let mut owed = folder.load();
        start(&mut owed, true);
        assert_eq!(owed.knock_path(), "07".repeat(16));
        let mut owed = folder.load();
        owed.start(true, URL, NOW, [9; 16]);
        assert_eq!(owed.knock_path(), "07".repeat(16));
    }
}
