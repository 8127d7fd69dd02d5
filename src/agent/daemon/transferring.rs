//! The dispatcher's side of transfers: when one begins, may be applied, has taken too long. It
//! carries out none itself: each has a thread of its own, which is there no longer than it
//! needs to be.
//!
//! ```text
//! nothing --due--> on its way --file is good--> waits --no session runs--> applied --> nothing
//!                                                                            | box reboots
//!                                                                            v
//!                                                                       going down
//! ```
//! While a file is being applied no session begins, and no reboot or reset is carried out.

use super::{Daemon, Message};
use crate::agent::transfers::{self, Carried, Idle, Stage, UnderWay, carry};
use crate::agent::{clock, knock};
use crate::cwmp::fault::INTERNAL_ERROR;
use crate::cwmp::message::TransferFault;
use crate::store::Root;
use crate::transfer::queue::{Id, Job};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Enough for TLS and for packing, whose tables an unoptimised build lays on the stack first;
/// given explicitly because musl's default is small.
const STACK: usize = 512 << 10;
/// After a boot a transfer waits until the ACS was reached, at most so long: without the WAN,
/// which may take a minute, it would only have failed.
const LINE_WAIT: Duration = Duration::from_secs(300);
/// The longest text of a counter that is read.
const COUNTER: u64 = 64;

/// What the dispatcher keeps for it.
#[derive(Default)]
pub(super) struct Transferring {
    running: Option<Running>,
    idle: Idle,
    /// The box was booted, and whether there is a line shows only until then.
    line_by: Option<Instant>,
    /// The box is about to reboot for this one.
    pub reboots_for: Option<Id>,
}

struct Running {
    under_way: Arc<UnderWay>,
    thread: JoinHandle<()>,
    since: Instant,
    /// It waits for the word to be applied.
    waits: bool,
    /// Its thread was found ended, and no word of its end had come.
    silent: bool,
    word: SyncSender<bool>,
}

impl Transferring {
    /// The box was booted: is there a line?
    pub fn booted(&mut self) {
        self.line_by = Some(Instant::now() + LINE_WAIT);
    }

    /// There is one.
    pub fn line_is_up(&mut self) {
        self.line_by = None;
    }

    /// A file is being applied.
    pub fn is_applying(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|r| !r.waits && r.under_way.stage() != Stage::OnItsWay)
    }

    /// A file is there and good, and waits to be applied until no session runs.
    pub fn waits(&self) -> bool {
        self.running.as_ref().is_some_and(|r| r.waits)
    }

    /// Whether the end of the agent must wait for it. One that takes the box down ends us.
    pub fn holds_the_end(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|r| r.under_way.stage() != Stage::Flashing)
    }
}

impl Daemon {
    /// Begins a transfer that is due, lets one go on that waits, ends one that is too late.
    pub(super) fn start_transfer(&mut self) {
        if self.transferring.running.is_none() && self.world.transfers().is_at_rest() {
            return;
        }
        self.bury();
        let now = clock::unix_seconds();
        self.look_at_the_line(now);
        let late = self.world.transfers().overdue(now);
        if let Some(running) = &mut self.transferring.running {
            let takes = running.since.elapsed();
            let is_late = late == Some(running.under_way.id)
                || takes > self.world.setup.config.limits.transfer_time;
            if running.under_way.stage() == Stage::OnItsWay
                && is_late
                && !running.under_way.stop.is_stopped()
            {
                running.under_way.stop_overdue();
            }
            if running.waits
                && (self.terminate || (self.busy.is_none() && self.going_down.is_none()))
            {
                running.waits = false;
                // Nobody who has ended waits.
                let _ = running.word.send(!self.terminate);
            }
            return;
        }
        if self.terminate || self.going_down.is_some() {
            return;
        }
        let line_by = self.transferring.line_by;
        if line_by.is_some_and(|by| Instant::now() < by) && self.may_have_sessions() {
            return;
        }
        let idle = self.transferring.idle.is_idle(self.timers.elapsed());
        let mut queue = self.world.transfers();
        let before = queue.completed().len();
        let job = queue.begin(now, idle);
        // Its windows have passed.
        let ended = queue.completed().len() != before;
        drop(queue);
        if ended {
            transfers::sync_events(&self.world);
        }
        if let Some(job) = job
            && let Err((id, e)) = self.begin_transfer(job)
        {
            self.failed(id, &format!("no thread for it: {e}"));
        }
    }

    /// Only where a panic unwinds: a transfer whose thread has died must not hold everything up.
    fn bury(&mut self) {
        let Some(running) = &mut self.transferring.running else {
            return;
        };
        if !running.thread.is_finished() {
            return;
        }
        // Its last word may be in the inbox: that is read before the next look.
        if !std::mem::replace(&mut running.silent, true) {
            return;
        }
        let id = running.under_way.id;
        self.transferring.running = None;
        self.world.files.set_under_way(None);
        self.failed(id, "the thread that carried it out has died");
    }

    fn failed(&self, id: Id, why: &str) {
        log::error!("transfer {id}: {why}");
        let fault = TransferFault {
            code: INTERNAL_ERROR,
            text: why.to_owned(),
        };
        transfers::finish(&self.world, id, Err(fault));
    }

    /// The agent starts without a boot: a box that is still to reboot for a transfer has as
    /// long for it as before.
    pub(super) fn await_reboot(&mut self) {
        let entries = self.world.transfers().entries();
        if let Some(entry) = entries.iter().find(|e| e.stage == "rebooting") {
            self.going_down = Some(Instant::now());
            self.transferring.reboots_for = Some(entry.id);
        }
    }

    fn begin_transfer(&mut self, job: Job) -> Result<(), (Id, io::Error)> {
        let id = job.id;
        let under_way = Arc::new(UnderWay::new(id));
        self.world.files.set_under_way(Some(under_way.clone()));
        let (world, mailbox) = (self.world.clone(), self.mailbox());
        let device = knock::device(&world, &world.settings());
        let (word, heard) = sync_channel(1);
        let seen = under_way.clone();
        let thread = Builder::new()
            .name("transfer".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let mut may_apply = || {
                    mailbox.send(Message::FileIsGood);
                    heard.recv().unwrap_or(false)
                };
                let carried = carry(&world, &job, device.as_deref(), &seen, &mut may_apply);
                world.files.set_under_way(None);
                mailbox.send(Message::TransferEnded(carried));
            });
        match thread {
            Ok(thread) => {
                self.transferring.running = Some(Running {
                    under_way,
                    thread,
                    since: Instant::now(),
                    waits: false,
                    silent: false,
                    word,
                });
                Ok(())
            }
            Err(e) => {
                self.world.files.set_under_way(None);
                Err((id, e))
            }
        }
    }

    /// The file is there and good; it waits for the word.
    pub(super) fn file_is_good(&mut self) {
        if let Some(running) = &mut self.transferring.running {
            running.waits = true;
        }
    }

    pub(super) fn transfer_ended(&mut self, carried: Carried) {
        let Some(running) = self.transferring.running.take() else {
            return;
        };
        let _ = running.thread.join();
        // It may have changed anything.
        self.read_settings_now();
        self.look_again();
        if carried == Carried::GoingDown {
            self.going_down = Some(Instant::now());
            self.transferring.reboots_for = Some(running.under_way.id);
        }
    }

    /// How long until something is due; `None`: nothing is.
    pub(super) fn transfer_due_in(&self) -> Option<Duration> {
        if self.terminate || self.going_down.is_some() {
            return None;
        }
        let due = self.world.transfers().next_due()?;
        let millis = due
            .saturating_mul(1000)
            .saturating_sub(clock::unix_millis());
        // What is due and does not begin is looked at with the next tick.
        let millis = u64::try_from(millis).ok().filter(|left| *left > 0)?;
        Some(Duration::from_millis(millis))
    }

    /// Reads the counters of the WAN while a download waits for it to be idle.
    fn look_at_the_line(&mut self, now: i64) {
        let elapsed = self.timers.elapsed();
        if !self.transferring.idle.wants_look(elapsed) {
            return;
        }
        if !self.world.transfers().wants_idle(now) {
            self.transferring.idle = Idle::default();
            return;
        }
        let device = knock::device(&self.world, &self.world.settings());
        let bytes = bytes_of(&self.world.setup.root, device.as_deref());
        self.transferring.idle.look(elapsed, bytes);
    }
}

/// The bytes that a device has carried; without one, all but the loopback interface.
fn bytes_of(root: &Root, device: Option<&str>) -> Option<u64> {
    let one = |device: &str| -> Option<u64> {
        let count = |direction: &str| -> Option<u64> {
            let path = format!("/sys/class/net/{device}/statistics/{direction}_bytes");
            let text = root.read(&path, COUNTER).ok()?;
            std::str::from_utf8(&text).ok()?.trim().parse().ok()
        };
        count("rx")?.checked_add(count("tx")?)
    };
    if let Some(device) = device {
        return one(device);
    }
    let devices = std::fs::read_dir(root.path("/sys/class/net").ok()?).ok()?;
    let names = devices
        .flatten()
        .filter_map(|d| d.file_name().into_string().ok());
    let all = names
        .filter(|name| name != "lo")
        .filter_map(|name| one(&name));
    Some(all.fold(0, u64::saturating_add))
}
