//! The queue of events that the ACS has not yet heard of.

use super::{DeliveredBy, EventCode, Retry};
use crate::cwmp::message::Event;
use crate::cwmp::version::CwmpVersion;
use serde::{Deserialize, Serialize};

/// Pending events, bounded: CWMP's single events once each, all others together at most
/// [`EventQueue::MAX`].
#[derive(Debug, Clone, Default)]
pub struct EventQueue {
    entries: Vec<Entry>,
    /// How many events the running session's Inform carries.
    taken: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    event: Event,
    /// In the Inform of the running session.
    sent: bool,
    /// Never yet in an Inform.
    fresh: bool,
    /// The running session's Inform was full, or carries the same single event already.
    left_out: bool,
    /// `14 HEARTBEAT`: an Inform with other events went before it.
    waited: bool,
}

/// What the ACS has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered<'a> {
    /// InformResponse: the events of that Inform.
    Inform,
    /// TransferCompleteResponse for the transfer of this `M …` event and key.
    Transfer {
        code: &'a EventCode,
        command_key: &'a str,
    },
    /// DUStateChangeCompleteResponse for this key.
    DuStateChange {
        command_key: &'a str,
    },
    /// AutonomousTransferCompleteResponse; `last`: no further one is waiting.
    AutonomousTransfer {
        last: bool,
    },
    /// AutonomousDUStateChangeCompleteResponse; `last`: no further one is waiting.
    AutonomousDuStateChange {
        last: bool,
    },
    Kicked,
    RequestDownload,
}

/// The queue as plain data, to be kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventSnapshot {
    pub events: Vec<SavedEvent>,
}

/// One event of an [`EventSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEvent {
    /// As [`EventCode::text`] writes it.
    pub code: String,
    pub key: String,
}

impl EventQueue {
    /// How many events with keys and vendor events may be pending; those past it are
    /// refused. CWMP's own single events always find room.
    pub const MAX: usize = 512;
    /// How many EventStructs one Inform carries (TR-069 A.3.3.1).
    pub const MAX_IN_INFORM: usize = 64;
    /// Characters of a CommandKey.
    const MAX_KEY: usize = 32;

    /// An empty queue.
    pub fn new() -> EventQueue {
        EventQueue::default()
    }

    /// Adds an event. The key is dropped for events that carry none. Returns whether the
    /// queue has changed: `false` for a single event that is pending already (and not in
    /// the running session's Inform), and when the queue is full. `0 BOOTSTRAP` goes
    /// through [`bootstrap`](Self::bootstrap).
    pub fn raise(&mut self, code: EventCode, command_key: &str) -> bool {
        let multiple = code.rule().multiple;
        // What the running session's Inform carries happened before; this is once more.
        // A method's event is pending until its own response, however often it happens.
        let by_inform = code.rule().delivered_by == DeliveredBy::InformResponse;
        let known = self
            .entries
            .iter()
            .any(|e| e.event.code == code && !(e.sent && by_inform));
        let bounded = multiple || matches!(code, EventCode::Vendor(_));
        if (!multiple && known) || (bounded && self.entries.len() >= Self::MAX) {
            return false;
        }
        let command_key = if multiple {
            command_key.chars().take(Self::MAX_KEY).collect()
        } else {
            String::new()
        };
        let rank = code.rank();
        let at = self
            .entries
            .partition_point(|e| e.event.code.rank() <= rank);
        self.entries.insert(
            at,
            Entry {
                event: Event { code, command_key },
                sent: false,
                fresh: true,
                left_out: false,
                waited: false,
            },
        );
        true
    }

    /// Adds `0 BOOTSTRAP`, which discards every pending event but `1 BOOT`. Returns
    /// the discarded ones, so that what hangs on them can be dropped too.
    pub fn bootstrap(&mut self) -> Vec<Event> {
        let (kept, dropped): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|e| e.event.code == EventCode::Boot);
        self.entries = kept;
        self.raise(EventCode::Bootstrap, "");
        dropped
            .into_iter()
            .map(|e| e.event)
            .filter(|e| e.code != EventCode::Bootstrap)
            .collect()
    }

    /// `14 HEARTBEAT`, if it is its turn: it shares an Inform with no other event (TR-069
    /// Annex O). While the Inform of a failed session is tried again (`retrying`) it waits,
    /// and it lets go first, once, what an Inform has to tell at the same time, changes with
    /// active notification (`changes`) among it.
    pub fn take_heartbeat(
        &mut self,
        version: CwmpVersion,
        retrying: bool,
        changes: bool,
    ) -> Option<Vec<Event>> {
        let code = EventCode::Heartbeat;
        let waits = match retrying {
            true => self.entries.iter().any(|e| e.event.code != code),
            false => !self.heartbeat_has_waited() && (changes || self.is_to_be_told()),
        };
        if waits || code.rule().since > version {
            return None;
        }
        let entry = self.entries.iter_mut().find(|e| e.event.code == code)?;
        entry.sent = true;
        entry.fresh = false;
        self.taken = 1;
        Some(vec![entry.event.clone()])
    }

    /// Whether an Inform with other events went before the heartbeat.
    fn heartbeat_has_waited(&self) -> bool {
        self.entries.iter().any(|e| e.waited)
    }

    /// Whether there is an event, besides a heartbeat, that an Inform would deliver.
    fn is_to_be_told(&self) -> bool {
        self.entries.iter().any(|e| {
            e.event.code != EventCode::Heartbeat
                && e.event.code.rule().delivered_by == DeliveredBy::InformResponse
        })
    }

    /// The events for an Inform of `version`: at most 64; codes that the version does not
    /// have wait, and so does a heartbeat. They count as under way until [`delivered`](Self::delivered),
    /// [`session_ended`](Self::session_ended) or [`session_failed`](Self::session_failed).
    pub fn take_for_inform(&mut self, version: CwmpVersion) -> Vec<Event> {
        let mut taken: Vec<Event> = Vec::new();
        // A heartbeat that cannot be told now is not told later; the next one may be.
        self.entries.retain(|e| {
            e.event.code != EventCode::Heartbeat || e.event.code.rule().since <= version
        });
        for e in &mut self.entries {
            let rule = e.event.code.rule();
            let fits = taken.len() < Self::MAX_IN_INFORM;
            let known = rule.since <= version;
            if known && e.event.code == EventCode::Heartbeat {
                e.waited = true;
                continue;
            }
            let twice = !rule.multiple && taken.iter().any(|t| t.code == e.event.code);
            e.sent = fits && known && !twice;
            if e.sent {
                taken.push(e.event.clone());
            }
            e.left_out = known && !e.sent;
            // One that this version cannot carry must not ask for sessions for ever, and one
            // that was left out must not ask again before a session has made room.
            e.fresh = false;
        }
        self.taken = taken.len();
        taken
    }

    /// The ACS has acknowledged something.
    pub fn delivered(&mut self, what: Delivered<'_>) {
        match what {
            Delivered::Inform => self.entries.retain(|e| {
                !(e.sent && e.event.code.rule().delivered_by == DeliveredBy::InformResponse)
            }),
            Delivered::Transfer { code, command_key } => {
                self.remove(code, command_key);
                self.remove_without_methods(
                    &EventCode::TransferComplete,
                    DeliveredBy::TransferCompleteResponse,
                );
            }
            Delivered::DuStateChange { command_key } => {
                self.remove(&EventCode::MChangeDuState, command_key);
                self.remove_without_methods(
                    &EventCode::DuStateChangeComplete,
                    DeliveredBy::DuStateChangeCompleteResponse,
                );
            }
            Delivered::AutonomousTransfer { last } => {
                if last {
                    self.remove(&EventCode::AutonomousTransferComplete, "");
                }
            }
            Delivered::AutonomousDuStateChange { last } => {
                if last {
                    self.remove(&EventCode::AutonomousDuStateChangeComplete, "");
                }
            }
            Delivered::Kicked => self.remove(&EventCode::Kicked, ""),
            Delivered::RequestDownload => self.remove(&EventCode::RequestDownload, ""),
        }
    }

    /// Takes a single event back that has turned out to be none.
    pub fn withdraw(&mut self, code: &EventCode) {
        self.remove(code, "");
    }

    /// Removes one event.
    fn remove(&mut self, code: &EventCode, command_key: &str) {
        let found = self
            .entries
            .iter()
            .position(|e| e.event.code == *code && e.event.command_key == command_key);
        if let Some(at) = found {
            self.entries.remove(at);
        }
    }

    /// Removes the numbered event once no `M` event that it stands for is left.
    fn remove_without_methods(&mut self, code: &EventCode, by: DeliveredBy) {
        let left = self.entries.iter().any(|e| {
            let rule = e.event.code.rule();
            rule.multiple && rule.delivered_by == by
        });
        if !left {
            self.remove(code, "");
        }
    }

    /// The session has ended well; what is still pending waits for the next. Events for
    /// which its Inform had no room ask for one at once, if anything was delivered: else
    /// sessions would follow each other for ever.
    pub fn session_ended(&mut self) {
        let still = self.entries.iter().filter(|e| e.sent).count();
        if still < self.taken {
            for e in &mut self.entries {
                e.fresh |= e.left_out;
            }
        }
        self.settle();
    }

    /// Nothing is under way any more.
    fn settle(&mut self) {
        self.taken = 0;
        // A single event that came again during the session is one event now.
        let mut singles: Vec<EventCode> = Vec::new();
        self.entries.retain_mut(|e| {
            e.sent = false;
            e.left_out = false;
            if e.event.code.rule().multiple {
                return true;
            }
            let again = singles.contains(&e.event.code);
            if !again {
                singles.push(e.event.code.clone());
            }
            !again
        });
    }

    /// The session has failed: events of its Inform that must not be retried are dropped,
    /// the rest waits for the retry.
    pub fn session_failed(&mut self) {
        self.entries
            .retain(|e| !(e.sent && e.event.code.rule().retry == Retry::Never));
        self.settle();
    }

    /// The CPE has rebooted: drops what does not outlive a reboot. `1 BOOT` is for the
    /// caller to raise.
    pub fn rebooted(&mut self) {
        self.session_failed();
        self.entries
            .retain(|e| e.event.code.rule().retry == Retry::Always);
    }

    /// Whether an event waits that no Inform has carried yet: a session is due at once,
    /// even while a retry waits (TR-069 3.2.1.1). Events of a failed session do not ask
    /// again here; they are the retry policy's. Nor does a heartbeat that has to wait for
    /// others.
    pub fn wants_session(&self) -> bool {
        let heartbeat = self.heartbeat_has_waited() || !self.is_to_be_told();
        let mut fresh = self.entries.iter().filter(|e| e.fresh);
        fresh.any(|e| heartbeat || e.event.code != EventCode::Heartbeat)
    }

    /// As [`wants_session`](Self::wants_session) while a session that failed waits to be
    /// tried again: a heartbeat does not end that wait.
    pub fn ends_retry_wait(&self) -> bool {
        let mut fresh = self.entries.iter().filter(|e| e.fresh);
        fresh.any(|e| e.event.code != EventCode::Heartbeat)
    }

    /// What is pending now asks for no session: a wait is before its first one.
    pub fn hold_back(&mut self) {
        self.entries.iter_mut().for_each(|e| e.fresh = false);
    }

    /// Whether this code is pending.
    pub fn has(&self, code: &EventCode) -> bool {
        self.entries.iter().any(|e| e.event.code == *code)
    }

    /// All pending events, in the order they would be sent.
    pub fn pending(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().map(|e| &e.event)
    }

    /// Drops all (factory reset).
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The queue as plain data. What must not be retried is left out.
    pub fn snapshot(&self) -> EventSnapshot {
        EventSnapshot {
            events: self
                .pending()
                .filter(|e| e.code.rule().retry != Retry::Never)
                .map(|e| SavedEvent {
                    code: e.code.text().to_string(),
                    key: e.command_key.clone(),
                })
                .collect(),
        }
    }

    /// The queue of a snapshot; entries that cannot be read are left out.
    pub fn restore(snapshot: &EventSnapshot) -> EventQueue {
        let mut queue = EventQueue::new();
        for saved in &snapshot.events {
            if let Some(code) = EventCode::parse(&saved.code)
                && code.rule().retry != Retry::Never
            {
                queue.raise(code, &saved.key);
            }
        }
        queue
    }
}
