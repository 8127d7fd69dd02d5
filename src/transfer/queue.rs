//! The queue of transfers: kept on disk, one at a time, each told of exactly once.
//!
//! What is accepted is on disk before it is promised; each further stage is on disk before
//! what follows from it is done, and a queue that does not change writes nothing. Passwords
//! are in the state file (mode 0600) until the transfer is completed, and nowhere else.
//!
//! The owner asks [`begin`](Queue::begin) for work when [`next_due`](Queue::next_due) says
//! so and after every other call here, does the work, and reports it by
//! [`applying`](Queue::applying) and [`finished`](Queue::finished). `begin` also ends what can
//! begin no more, so that [`events`](Queue::events) may have grown after it.

use super::record::{Record, Stage, was_set};
use super::windows;
use crate::cwmp::event::EventCode;
use crate::cwmp::fault::{self, Fault};
use crate::cwmp::message::{Download, QueuedTransfer, ScheduleDownload, TransferFault, Upload};
use crate::store::state::StateDir;
use log::warn;
use serde::{Deserialize, Serialize};

pub use super::job::{Entry, Id, Job, Kind, Local, Told};

/// The name of the state file.
const FILE: &str = "transfers";
/// The most transfers at once, those included of which the ACS has not been told
/// (GetAllQueuedTransfersResponse lists no more).
pub const MAX: usize = 16;
/// In so many sessions the ACS may refuse to be told of a transfer.
pub const MAX_REFUSALS: u8 = 3;
/// Seconds between two looks at whether the box is idle.
const LOOK_FOR_IDLENESS: i64 = 10;
/// Seconds before what could not be written is tried again.
const DISK_WAIT: i64 = 60;
/// Seconds that a box which is to reboot is given before another transfer begins.
const BOOT_WAIT: i64 = 300;

/// What is on disk.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    records: Vec<Record>,
    /// The clock when a time among them was last changed.
    at: i64,
}

/// The transfers, in memory and on disk.
pub struct Queue {
    saved: Saved,
    state: StateDir,
    /// The last write failed.
    unsaved: bool,
    /// Begun and not finished, though it may have been cancelled.
    running: Option<Id>,
    /// When `begin` last looked.
    looked: i64,
    /// The disk is not tried again before this.
    disk_wait: i64,
    /// The box is about to boot: nothing begins before this.
    boot_wait: i64,
    last_id: Id,
}

/// Why a promise cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// Too many transfers are in the queue already (9004).
    Full,
    /// It cannot be written (9002).
    Disk,
    /// A text is longer than CWMP allows (9003).
    TooLong,
    /// It is not in the queue any more: it was cancelled (9021).
    Gone,
}

impl NotKept {
    /// What the ACS is answered.
    pub fn fault(self) -> Fault {
        match self {
            NotKept::Full => Fault::new(
                fault::RESOURCES_EXCEEDED,
                format!("{MAX} transfers are in the queue already"),
            ),
            NotKept::Disk => Fault::new(fault::INTERNAL_ERROR, "the transfer cannot be kept"),
            NotKept::TooLong => Fault::invalid_arguments("an argument is too long"),
            NotKept::Gone => Fault::new(NOT_CANCELLED, "the transfer was cancelled"),
        }
    }
}

/// Transfer cannot be cancelled in its current state (CWMP 1.2).
const NOT_CANCELLED: u16 = 9021;

/// Why transfers are not cancelled: none of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRefused {
    /// One of this key is being applied, or is completed (9021).
    TooLate,
    /// It cannot be written (9002).
    Disk,
}

impl CancelRefused {
    /// What the ACS is answered.
    pub fn fault(self) -> Fault {
        match self {
            CancelRefused::TooLate => Fault::new(
                NOT_CANCELLED,
                "a transfer with this CommandKey is applied or completed already",
            ),
            CancelRefused::Disk => {
                Fault::new(fault::INTERNAL_ERROR, "the cancellation cannot be kept")
            }
        }
    }
}

impl Queue {
    /// Reads the state file; without one (or with a damaged one) the queue is empty. What it
    /// finds under way stays as it is until [`started`](Self::started).
    pub fn load(state: &StateDir) -> Queue {
        let mut saved: Saved = state.load(FILE).unwrap_or_default();
        let all = saved.records.len();
        saved.records.truncate(MAX);
        saved.records.retain(Record::fits);
        let mut ids: Vec<Id> = Vec::with_capacity(MAX);
        saved.records.retain(|r| {
            let first = !ids.contains(&r.id);
            ids.push(r.id);
            first
        });
        if saved.records.len() < all {
            warn!(
                "the queue of transfers: {} of {all} records are none of this program's and dropped",
                all - saved.records.len()
            );
        }
        Queue {
            last_id: saved.records.iter().map(|r| r.id).max().unwrap_or(0),
            saved,
            state: state.clone(),
            unsaved: false,
            running: None,
            looked: i64::MIN,
            disk_wait: i64::MIN,
            boot_wait: i64::MIN,
        }
    }

    /// The agent starts, after a boot of the box when `rebooted`: what was under way is begun
    /// anew or concluded. `firmware` is the identity of the firmware that runs; `flashed`
    /// tells, where it is known, whether the flash was written since a transfer that reboots
    /// was applied. Tells whether all of this is on disk. A run that does no transfers does not
    /// call it.
    pub fn started(
        &mut self,
        rebooted: bool,
        firmware: &str,
        flashed: Option<bool>,
        now: i64,
    ) -> bool {
        let step = now.saturating_sub(self.saved.at);
        // A box without a battery for its clock, or one that has got the time meanwhile: what
        // remained to wait still remains.
        let stepped = step < 0 || (!was_set(self.saved.at) && was_set(now));
        let mut changed = false;
        for record in &mut self.saved.records {
            changed |= stepped && record.shift(step);
            changed |= record.restarted(rebooted, firmware, flashed, now);
        }
        if changed {
            self.saved.at = now;
            self.save();
        }
        !self.unsaved
    }

    /// Download: on disk when this returns `Ok`. It begins after the session that it was asked
    /// for in, and no earlier than `delay_seconds` after `now`.
    pub fn accept_download(&mut self, now: i64, asked: &Download) -> Result<(), NotKept> {
        let record = Record {
            command_key: asked.command_key.clone(),
            file_type: asked.file_type.clone(),
            url: asked.url.clone(),
            username: asked.username.clone(),
            password: asked.password.clone(),
            file_size: asked.file_size,
            target_file_name: asked.target_file_name.clone(),
            due: now.saturating_add(i64::from(asked.delay_seconds)),
            held: true,
            ..Record::new(self.free_id(), Kind::Download)
        };
        self.accept(now, record)
    }

    /// Upload: as [`accept_download`](Self::accept_download).
    pub fn accept_upload(&mut self, now: i64, asked: &Upload) -> Result<(), NotKept> {
        let record = Record {
            command_key: asked.command_key.clone(),
            file_type: asked.file_type.clone(),
            url: asked.url.clone(),
            username: asked.username.clone(),
            password: asked.password.clone(),
            due: now.saturating_add(i64::from(asked.delay_seconds)),
            held: true,
            ..Record::new(self.free_id(), Kind::Upload)
        };
        self.accept(now, record)
    }

    /// ScheduleDownload, whose windows [`windows::check`] has found good: on disk when this
    /// returns `Ok`. `random`, all values equally likely, draws the moment in a window of
    /// `1 At Any Time`.
    pub fn accept_schedule(
        &mut self,
        now: i64,
        asked: &ScheduleDownload,
        random: u32,
    ) -> Result<(), NotKept> {
        let record = Record {
            command_key: asked.command_key.clone(),
            file_type: asked.file_type.clone(),
            url: asked.url.clone(),
            username: asked.username.clone(),
            password: asked.password.clone(),
            file_size: asked.file_size,
            target_file_name: asked.target_file_name.clone(),
            due: now,
            windows: windows::of_request(now, random, &asked.windows),
            held: true,
            ..Record::new(self.free_id(), Kind::ScheduleDownload)
        };
        self.accept(now, record)
    }

    /// A transfer that a person asks for: on disk when this returns `Ok`, with no session to
    /// wait for.
    pub fn accept_local(&mut self, now: i64, asked: Local) -> Result<Id, NotKept> {
        let kind = match asked.is_download {
            true => Kind::Download,
            false => Kind::Upload,
        };
        let record = Record {
            local: true,
            file_type: asked.file_type,
            url: asked.url,
            username: asked.username,
            password: asked.password,
            file_size: asked.file_size,
            target_file_name: asked.target_file_name,
            due: now,
            ..Record::new(self.free_id(), kind)
        };
        let id = record.id;
        self.accept(now, record)?;
        Ok(id)
    }

    fn accept(&mut self, now: i64, record: Record) -> Result<(), NotKept> {
        if !record.fits() {
            return Err(NotKept::TooLong);
        }
        if self.saved.records.len() >= MAX {
            return Err(NotKept::Full);
        }
        let before = self.saved.clone();
        self.last_id = record.id;
        self.saved.records.push(record);
        self.saved.at = now;
        self.keep_or_put_back(before)
    }

    /// CancelTransfer: the transfers of this key that the ACS has asked for and that wait or
    /// are on their way are gone, from the disk, too, when this returns `Ok` with their number;
    /// 0 is no fault. Who does one of them is to stop: [`has`](Self::has) does not know it any
    /// more.
    pub fn cancel(&mut self, command_key: &str) -> Result<usize, CancelRefused> {
        let is_meant = |r: &Record| !r.local && r.command_key == command_key;
        let all = self.saved.records.len();
        if !self.saved.records.iter().any(is_meant) {
            return Ok(0);
        }
        let is_too_late =
            |r: &Record| is_meant(r) && !matches!(r.stage, Stage::Waiting | Stage::Fetching);
        if self.saved.records.iter().any(is_too_late) {
            return Err(CancelRefused::TooLate);
        }
        let before = self.saved.clone();
        self.saved.records.retain(|r| !is_meant(r));
        let gone = all - self.saved.records.len();
        match self.keep_or_put_back(before) {
            Ok(()) => Ok(gone),
            Err(_) => Err(CancelRefused::Disk),
        }
    }

    /// A person agrees to the downloads of this key that need it, in this window or a later
    /// one; gives how many there are. On disk when this returns `Ok`.
    pub fn confirm(&mut self, command_key: &str) -> Result<usize, NotKept> {
        let before = self.saved.clone();
        let mut count = 0;
        for record in &mut self.saved.records {
            if !record.local && record.command_key == command_key && record.needs_confirmation() {
                record.confirmed = true;
                count += 1;
            }
        }
        match count {
            0 => Ok(0),
            _ => self.keep_or_put_back(before).map(|()| count),
        }
    }

    /// All transfers, at most 16 (GetAllQueuedTransfers).
    pub fn list(&self) -> Vec<QueuedTransfer> {
        self.saved.records.iter().map(Record::listed).collect()
    }

    /// The transfers that the ACS has asked for (GetQueuedTransfers).
    pub fn list_requested(&self) -> Vec<QueuedTransfer> {
        let records = self.saved.records.iter().filter(|r| !r.local);
        records.map(Record::listed).collect()
    }

    /// All transfers, for people.
    pub fn entries(&self) -> Vec<Entry> {
        self.saved.records.iter().map(Record::entry).collect()
    }

    /// Whether this transfer is in the queue.
    pub fn has(&self, id: Id) -> bool {
        self.record(id).is_some()
    }

    /// The session is over, well or not: what was asked for in it may begin, and what the ACS
    /// refused to be told may be told again. A restart frees both, too.
    pub fn session_ended(&mut self) {
        for record in &mut self.saved.records {
            record.held = false;
            record.refused = false;
        }
    }

    /// When [`begin`](Self::begin) is to be asked again, Unix seconds, if nothing else happens
    /// before: something may begin, a window ends, the box may have become idle, or the disk
    /// is to be tried again.
    pub fn next_due(&self) -> Option<i64> {
        let again = self.unsaved.then_some(self.disk_wait);
        let records = self.saved.records.iter();
        let due = records.filter_map(|r| self.next_due_of(r));
        due.chain(again).min()
    }

    fn next_due_of(&self, record: &Record) -> Option<i64> {
        let end = record.window_end();
        if self.running.is_some() || record.held {
            // Its window may pass meanwhile, once.
            return end.filter(|end| !record.is_completed() && *end > self.looked);
        }
        if !record.is_waiting() {
            return None;
        }
        let mut due = record.ready();
        if record.awaits_confirmation() {
            return end;
        }
        if record.awaits_idle() {
            due = due.max(self.looked.saturating_add(LOOK_FOR_IDLENESS));
        }
        let due = due.max(self.disk_wait).max(self.boot_wait);
        Some(end.map_or(due, |end| due.min(end)))
    }

    /// Whether a download waits for nothing but the box being idle.
    pub fn wants_idle(&self, now: i64) -> bool {
        let mut records = self.saved.records.iter();
        self.running.is_none() && records.any(|r| !r.held && r.awaits_idle() && r.ready() <= now)
    }

    /// The next transfer to be done, on disk as begun; `None` while another is being done.
    /// `idle`: the box has little to do.
    pub fn begin(&mut self, now: i64, idle: bool) -> Option<Job> {
        self.begin_one(now, &|r| idle || !r.awaits_idle())
    }

    /// As [`begin`](Self::begin), for this one alone.
    pub fn begin_only(&mut self, id: Id, now: i64) -> Option<Job> {
        self.begin_one(now, &|r| r.id == id)
    }

    fn begin_one(&mut self, now: i64, may: &dyn Fn(&Record) -> bool) -> Option<Job> {
        self.looked = now;
        for record in &mut self.saved.records {
            self.unsaved |= record.close_windows(now);
        }
        if self.unsaved && !waits(self.disk_wait, now) {
            self.saved.at = now;
            self.save_or_wait(now);
        }
        if self.unsaved || self.running.is_some() || waits(self.boot_wait, now) {
            return None;
        }
        if waits(self.disk_wait, now) {
            return None;
        }
        let can_begin = |r: &&mut Record| {
            r.is_waiting() && !r.held && r.ready() <= now && !r.awaits_confirmation() && may(r)
        };
        let before = self.saved.clone();
        let records = self.saved.records.iter_mut().filter(can_begin);
        // The first that came, of those that have waited equally long.
        let record = records.min_by_key(|r| r.ready())?;
        record.begin(now);
        let job = record.job();
        self.saved.at = now;
        if self.keep_or_put_back(before).is_err() {
            self.disk_wait = now.saturating_add(DISK_WAIT);
            return None;
        }
        self.running = Some(job.id);
        Some(job)
    }

    /// There is nothing in it, and nothing left to be written.
    pub fn is_at_rest(&self) -> bool {
        self.saved.records.is_empty() && self.running.is_none() && !self.unsaved
    }

    /// The transfer that is being done, though it may have been cancelled.
    pub fn running(&self) -> Option<Id> {
        self.running
    }

    /// The transfer that is to be stopped: cancelled, or still on its way when its window ended.
    pub fn overdue(&self, now: i64) -> Option<Id> {
        let id = self.running?;
        let is_late = self.record(id).is_none_or(|r| {
            r.stage == Stage::Fetching && r.window_end().is_some_and(|end| end <= now)
        });
        is_late.then_some(id)
    }

    /// The file is there and good, and is about to be applied: on disk when this returns `Ok`.
    /// Otherwise it must not be applied; [`NotKept::Gone`]: it was cancelled. `reboots`: the box
    /// boots after it, and a boot is what shows that it was applied. `before` is the identity
    /// of the firmware that runs now, empty if the file is no firmware.
    pub fn applying(&mut self, id: Id, before: &str, reboots: bool) -> Result<(), NotKept> {
        let old = self.saved.clone();
        let record = self.record_mut(id).ok_or(NotKept::Gone)?;
        if record.stage != Stage::Fetching {
            return Err(NotKept::Gone);
        }
        record.stage = Stage::Applying {
            before: before.to_owned(),
            reboots,
        };
        self.keep_or_put_back(old)
    }

    /// So many bytes were carried. What a person has asked for is told with it (FileSize of
    /// AutonomousTransferComplete); on disk with whatever comes next.
    pub fn carried(&mut self, id: Id, bytes: u32) {
        if let Some(record) = self.record_mut(id).filter(|r| r.local) {
            record.file_size = bytes;
        }
    }

    /// The transfer has ended; what follows is on disk: it is completed, waits for its next try,
    /// or for the boot that completes it. Of one that was cancelled nothing is left.
    pub fn finished(&mut self, id: Id, now: i64, result: Result<(), TransferFault>) {
        if self.running == Some(id) {
            self.running = None;
        }
        let Some(record) = self.record_mut(id) else {
            return;
        };
        if !matches!(record.stage, Stage::Fetching | Stage::Applying { .. }) {
            return;
        }
        match result {
            Ok(()) => record.succeeded(now),
            Err(fault) => record.try_failed(&fault, now),
        }
        if matches!(record.stage, Stage::Rebooting { .. }) {
            self.boot_wait = now.saturating_add(BOOT_WAIT);
        }
        self.saved.at = now;
        self.save_or_wait(now);
    }

    /// The program that puts this file into force has outlived the agent that began it, and is
    /// to reboot the box: nothing is begun beside it, and its boot is what concludes it.
    pub fn left_at_work(&mut self, id: Id) {
        if let Some(record) = self.record_mut(id)
            && let Stage::Applying {
                before,
                reboots: true,
            } = &record.stage
        {
            record.stage = Stage::Rebooting {
                before: before.clone(),
            };
            self.save();
        }
    }

    /// The box was to reboot for this transfer, and has not.
    pub fn did_not_reboot(&mut self, id: Id, now: i64) {
        let Some(record) = self.record_mut(id) else {
            return;
        };
        if !matches!(record.stage, Stage::Rebooting { .. }) {
            return;
        }
        let fault = TransferFault {
            code: fault::DOWNLOAD_FAILURE,
            text: "it was applied, and the box did not reboot".to_owned(),
        };
        record.try_failed(&fault, now);
        self.boot_wait = i64::MIN;
        self.saved.at = now;
        self.save_or_wait(now);
    }

    /// The next completed transfer that the ACS is to be told of, the first that was asked for.
    /// The same one until it is [`delivered`](Self::delivered) or [`refused`](Self::refused).
    pub fn to_tell(&self) -> Option<Told> {
        self.saved
            .records
            .iter()
            .filter(|r| !r.refused)
            .find_map(Record::told)
    }

    /// All that [`to_tell`](Self::to_tell) has, one after the other.
    pub fn completed(&self) -> Vec<Told> {
        let records = self.saved.records.iter();
        records
            .filter(|r| !r.refused)
            .filter_map(Record::told)
            .collect()
    }

    /// How many transfers [`to_tell`](Self::to_tell) has, one after the other.
    pub fn left_to_tell(&self) -> usize {
        let records = self.saved.records.iter();
        records.filter(|r| r.is_completed() && !r.refused).count()
    }

    /// The events that must be pending: for each completed transfer its own, with its key, and
    /// one `7 TRANSFER COMPLETE` for all of them; one `10 AUTONOMOUS TRANSFER COMPLETE` for those
    /// that the ACS did not ask for.
    pub fn events(&self) -> Vec<(EventCode, String)> {
        let mut events: Vec<(EventCode, String)> = Vec::new();
        for record in self.saved.records.iter().filter(|r| r.is_completed()) {
            let (event, single) = match record.local {
                true => (None, EventCode::AutonomousTransferComplete),
                false => (Some(record.event()), EventCode::TransferComplete),
            };
            if !events.iter().any(|(code, _)| *code == single) {
                events.push((single, String::new()));
            }
            events.extend(event.map(|code| (code, record.command_key.clone())));
        }
        events
    }

    /// The ACS has been told of it, or is not to be: it is gone, from the disk, too, when this
    /// returns `true`.
    pub fn delivered(&mut self, id: Id) -> bool {
        let all = self.saved.records.len();
        self.saved
            .records
            .retain(|r| r.id != id || !r.is_completed());
        if self.saved.records.len() < all {
            self.save();
        }
        !self.unsaved && !self.has(id)
    }

    /// The ACS refused to be told of it: not again in this session, and after so many of them,
    /// or where it never will take it (`for_good`), not at all: then it is gone, and this is
    /// `true`. A queue full of what nobody wants to hear would take no transfer any more.
    pub fn refused(&mut self, id: Id, for_good: bool) -> bool {
        let Some(record) = self.record_mut(id).filter(|r| r.is_completed()) else {
            return false;
        };
        record.refused = true;
        record.refusals = record.refusals.saturating_add(1);
        let over = for_good || record.refusals >= MAX_REFUSALS;
        if over {
            self.saved.records.retain(|r| r.id != id);
        }
        self.save();
        over
    }

    /// The clock was set by `seconds` and shows `now`; what remained to wait still remains.
    pub fn clock_stepped(&mut self, seconds: i64, now: i64) {
        self.looked = self.looked.saturating_add(seconds);
        self.disk_wait = self.disk_wait.saturating_add(seconds);
        self.boot_wait = self.boot_wait.saturating_add(seconds);
        let mut changed = false;
        for record in &mut self.saved.records {
            changed |= record.shift(seconds);
            if was_set(now) {
                changed |= record.date(seconds);
            }
        }
        if changed {
            self.saved.at = now;
            self.save();
        }
    }

    /// `0 BOOTSTRAP` was raised, which discards the pending events and what hangs on them: the
    /// completed transfers. The others go on.
    pub fn bootstrap_discards(&mut self) {
        if self.saved.records.iter().any(Record::is_completed) {
            self.saved.records.retain(|r| !r.is_completed());
            self.save();
        }
    }

    /// Forgets everything (FactoryReset). Who does a transfer is to stop.
    pub fn clear(&mut self) {
        if !self.saved.records.is_empty() || self.unsaved {
            self.saved = Saved::default();
            self.save();
        }
    }

    fn record(&self, id: Id) -> Option<&Record> {
        self.saved.records.iter().find(|r| r.id == id)
    }

    fn record_mut(&mut self, id: Id) -> Option<&mut Record> {
        self.saved.records.iter_mut().find(|r| r.id == id)
    }

    fn free_id(&self) -> Id {
        let mut id = self.last_id;
        loop {
            id = id.wrapping_add(1);
            // At most 16 are taken, so this ends.
            if self.running != Some(id) && !self.has(id) {
                return id;
            }
        }
    }

    /// Tries once more to write what the disk has refused; tells whether all is on it.
    pub fn keep(&mut self) -> bool {
        !self.unsaved || self.save()
    }

    /// Writes what differs from the disk. A failure is logged; what is in memory goes on to
    /// serve.
    fn save(&mut self) -> bool {
        if self.saved.records.is_empty() {
            // No time is left that it could be compared with.
            self.saved.at = 0;
        }
        let what = "the queue of transfers";
        let kept = self.state.save_or_warn(FILE, &self.saved, what);
        self.unsaved = !kept;
        kept
    }

    fn save_or_wait(&mut self, now: i64) {
        if !self.save() {
            self.disk_wait = now.saturating_add(DISK_WAIT);
        }
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

/// Whether `until` is still to come. One further off than any wait is of a clock that has been
/// set back since.
fn waits(until: i64, now: i64) -> bool {
    until > now && until <= now.saturating_add(BOOT_WAIT)
}
