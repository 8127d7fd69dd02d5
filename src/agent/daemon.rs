//! The dispatcher: one poll loop that owns timers, signals, the listener, the control
//! socket and the one to ubusd, and tells the session worker when a session is due.
//!
//! It never resolves names, shakes hands, reads the model or waits for a child: a knock
//! is answered in milliseconds whatever else happens.
//!
//! ```text
//!              event, knock, timer                    session failed
//!    [idle] ------------------------> [in session] ----------------> [waiting]
//!      ^  ^                            |        |                      |
//!      |  +------ session ended -------+        | reboot accepted      | wait over,
//!      |                                        v                      | or a new event
//!      |                                  [going down]                 |
//!      +---------------------------------------------------------------+
//! ```
//! Between sessions the worker reads the watched values where `watching` says so; a
//! change with active notification is an event, subject to the throttle.

mod commands;
mod discovering;
mod modules;
mod rebooting;
mod retrying;
mod transferring;
mod trying;
mod ubus;
mod waking;
mod watching;

use super::clock;
use super::control::server::ControlServer;
use super::knock::{self, Door, Place};
use super::owed::Start;
use super::retry::{Kept, Retry};
use super::session::Report;
use super::sessions::Sessions;
use super::settings::Settings;
use super::timers::Timers;
use super::transfers::{self, Carried};
use super::worker::{self, Order};
use super::world::World;
use crate::cwmp::event::EventCode;
use crate::wake::http::Counters;
use discovering::Unreached;
use modules::Working;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rebooting::Rebooting;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use transferring::Transferring;
use trying::Trying;
use ubus::Bus;
use watching::Watching;

/// The longest the loop sleeps: the settings file and the interface's address are looked
/// at this often at least.
const TICK: Duration = Duration::from_secs(2);
/// How long the end waits for a session that was broken off, and for commands: one that
/// has changed the tree still has its packages to reload and its client to answer.
const LAST_WAIT: Duration = Duration::from_secs(12);
/// How long it waits for watched values that are being read: nothing is lost with them.
const LAST_SCAN: Duration = Duration::from_secs(1);
/// What other threads tell the dispatcher.
#[derive(Debug)]
pub enum Message {
    /// End with exit status 0.
    Terminate,
    /// Read the configuration again.
    Hangup,
    SessionEnded(Box<Report>),
    /// No session: what asked for one is gone.
    NothingToTell,
    /// A reboot or reset was carried out, or could not be.
    Acted {
        going_down: bool,
    },
    /// A setting was taken away (the URL, a delay), or stays after all.
    WentBack {
        changed: bool,
    },
    /// The files as they were before a change on trial are back (`over`), or could not be
    /// put back.
    TookBack {
        over: bool,
    },
    /// The watched values were read.
    Scanned,
    /// A file was fetched and found good; it is applied when no session runs.
    FileIsGood,
    TransferEnded(Carried),
    /// The rows of software modules, or their events, may be others.
    ModulesChanged,
    /// Nothing is to be done with software modules any more.
    ModulesDone,
    /// A control question was answered; the tree may have changed.
    Asked {
        changed: bool,
    },
}

/// The way to the dispatcher, for any thread.
#[derive(Clone)]
pub struct Mailbox {
    sender: Sender<Message>,
    wake: Arc<UnixStream>,
}

impl Mailbox {
    /// Sends, and wakes the loop up. A dispatcher that has ended hears nothing.
    pub fn send(&self, message: Message) {
        if self.sender.send(message).is_ok() {
            // A full pipe wakes the loop just as well.
            let _ = (&*self.wake).write(&[0]);
        }
    }
}

/// The dispatcher.
pub struct Daemon {
    world: Arc<World>,
    inbox: Receiver<Message>,
    wake: UnixStream,
    mailbox: Mailbox,
    door: Option<Door>,
    /// What kept the listener from opening, to be logged once.
    door_trouble: Option<String>,
    control: ControlServer,
    control_threads: u32,
    control_waiting: VecDeque<commands::Job>,
    timers: Timers,
    watching: Watching,
    transferring: Transferring,
    working: Working,
    unreached: Unreached,
    bus: Bus,
    trying: Trying,
    rebooting: Rebooting,
    /// A session or action is under way since then.
    busy: Option<(Instant, i64)>,
    /// When the next session may begin.
    retry: Retry,
    /// What of it run_dir holds.
    retry_on_disk: Option<Kept>,
    /// The ACS of the last session.
    asked_acs: String,
    going_down: Option<Instant>,
    terminate: bool,
    sessions: Sessions,
    /// What listeners that were closed had counted.
    counted: Counters,
}

impl Daemon {
    /// Opens the sockets. `world` is locked for this process already.
    pub fn new(world: Arc<World>) -> io::Result<Daemon> {
        let (sender, inbox) = channel();
        let (wake, wake_sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        wake_sender.set_nonblocking(true)?;
        let control = ControlServer::bind(world.run_dir.dir())?;
        let settings = world.settings();
        Ok(Daemon {
            timers: Timers::new(&settings, clock::random_u32()),
            watching: Watching::new(world.setup.config.limits.watch_interval),
            transferring: Transferring::default(),
            working: Working::default(),
            unreached: Unreached::new(world.setup.config.limits.rediscovery),
            trying: Trying::default(),
            rebooting: Rebooting::default(),
            bus: Bus::new(&world),
            mailbox: Mailbox {
                sender,
                wake: Arc::new(wake_sender),
            },
            inbox,
            wake,
            door: None,
            door_trouble: None,
            control,
            control_threads: 0,
            control_waiting: VecDeque::new(),
            busy: None,
            retry: Retry::default(),
            retry_on_disk: None,
            asked_acs: String::new(),
            going_down: None,
            terminate: false,
            sessions: Sessions::load(&world.run_dir),
            world,
            counted: Counters::default(),
        })
    }

    /// The tree is not taken apart when the daemon ends: the program ends with it, and the
    /// kernel takes all its memory back at once.
    pub(super) fn ends_with_the_program(&self) {
        std::mem::forget(Arc::clone(&self.world));
    }

    /// The way to this dispatcher.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Runs until told to end.
    pub fn run(mut self: Box<Self>) -> io::Result<()> {
        let (orders, worker) = worker::start(self.world.clone(), self.mailbox())?;
        self.begin(&orders);
        while !self.may_end() {
            self.go_back(&orders);
            self.housekeeping();
            self.try_change(&orders);
            self.reboot_as_planned(&orders);
            self.start_session(&orders);
            self.start_transfer();
            self.start_modules();
            self.start_scan(&orders);
            self.wait()?;
            while let Ok(message) = self.inbox.try_recv() {
                self.hear(message, &orders);
            }
            if worker.is_finished() {
                // Only where a panic unwinds: better a restart by the service manager than
                // an agent that answers knocks and never has a session again.
                return Err(io::Error::other("the session worker has died"));
            }
            if self.terminate && self.timers.asked_to_end_for() > LAST_WAIT {
                log::warn!("a session or command does not end; leaving without it");
                return Ok(());
            }
        }
        drop(orders);
        if !self.watching.plan.is_scanning() {
            let _ = worker.join();
        }
        // Not after each session: one that changes nothing writes nothing.
        self.sessions.keep(&self.world.run_dir);
        self.world.settle_boot();
        log::info!("ended");
        Ok(())
    }

    fn may_end(&self) -> bool {
        let read = !self.watching.plan.is_scanning() || self.timers.asked_to_end_for() > LAST_SCAN;
        let work = self.transferring.holds_the_end() || self.working.is_busy();
        self.terminate && self.busy.is_none() && self.control_threads == 0 && read && !work
    }

    /// Events of the start; an accepted reset or reboot comes before anything else.
    fn begin(&mut self, orders: &Sender<Order>) {
        let Start {
            boot,
            reboot_now,
            reset,
            ..
        } = super::begin(&self.world);
        if reboot_now || reset.is_some() {
            self.order(orders, Order::Act);
        }
        self.await_reboot();
        self.begin_waiting(boot);
        if boot {
            self.transferring.booted();
        }
        self.look_at_trial();
        self.begin_planned_reboot();
        self.place_door();
        // The program, or the whole box, may be another one than before.
        self.look_again();
    }

    fn order(&mut self, orders: &Sender<Order>, order: Order) {
        if orders.send(order).is_ok() {
            self.busy = Some((Instant::now(), clock::unix_seconds()));
        }
    }

    // ---- timers and files ----------------------------------------------------------

    fn housekeeping(&mut self) {
        let now = clock::unix_millis();
        if let Some(slept) = self.timers.slept() {
            self.woke_up(slept, now);
        }
        if let Some(step) = self.timers.clock_step(now) {
            log::info!("the clock was set by {} s", step / 1000);
            let (seconds, now) = (step / 1000, now / 1000);
            self.world.transfers().clock_stepped(seconds, now);
            self.world.owed().clock_stepped(seconds, now);
            self.timers.plan(&self.world.settings(), now * 1000);
            self.plan_reboot_anew(seconds, now);
        }
        // A file that is being written is left until it is whole.
        if self.watching.plan.settles(Instant::now()).is_none()
            && self.timers.settings_changed(&self.world.setup)
        {
            self.reconfigure();
        }
        self.plan_as_session_did();
        self.world.owed().take_schedules(now / 1000);
        if self.timers.periodic_due(&self.world.settings(), now) {
            self.world.owed().raise(EventCode::Periodic, "");
        }
        if self.timers.heartbeat_due(&self.world.settings(), now) {
            self.world.owed().raise(EventCode::Heartbeat, "");
        }
        self.control.tick();
        if let Some(door) = &mut self.door {
            door.listener().tick(Instant::now());
        }
        if self.timers.place_due() {
            self.place_door();
            self.ask_netifd_again();
        }
        self.look_at_bus(false);
        self.rediscover();
    }

    /// The settings are to be read again whatever their file's stamp, and at once: what is
    /// known to have changed them has ended.
    fn read_settings_now(&mut self) {
        self.timers.forget_settings_stamp();
        self.watching.plan.stop_settling();
    }

    /// The settings file may have changed: take over what differs.
    fn reconfigure(&mut self) {
        let before = self.world.settings();
        if !self.world.read_settings() {
            return;
        }
        log::info!("settings taken over");
        self.look_again();
        let settings = self.world.settings();
        // Another ACS is not made to wait for the failures of the one before it.
        if settings.acs.url != before.acs.url && self.retry.waits_for().is_some() {
            self.retry.ask();
        }
        self.world.check_url(&settings.acs.url);
        self.timers.plan(&settings, clock::unix_millis());
        self.plan_reboot();
        if settings.device != before.device {
            self.world.look_at_identity();
        }
        if let Some(door) = &mut self.door {
            door.configure(&self.world, &settings);
        }
        super::set_log_level(&self.world);
        if settings.cpe.interface != before.cpe.interface {
            self.ask_netifd();
        }
        let pair = |s: &Settings| (s.acs.client_cert.clone(), s.acs.client_key.clone());
        if pair(&settings) != pair(&before) {
            self.world.check_client_certificate(&settings);
        }
        self.place_door();
    }

    /// Opens, moves or closes the listener, and tells its URL to the model.
    fn place_door(&mut self) {
        let settings = self.world.settings();
        let place = Place::find(&self.world, &settings);
        let right = match (&self.door, &place) {
            (Some(door), Some(place)) => door.stands_at(place),
            (None, None) => true,
            _ => false,
        };
        if !right {
            if let Some(door) = self.door.take() {
                self.counted = self.counted.and(door.listener_ref().counters());
            }
            if let Some(place) = place {
                match Door::open(&self.world, &settings, place, Instant::now()) {
                    Ok(door) => {
                        self.door = Some(door);
                        self.door_trouble = None;
                    }
                    Err(e) => {
                        let what = e.to_string();
                        if self.door_trouble.as_ref() != Some(&what) {
                            log::error!("connection requests cannot be taken: {what}");
                            self.door_trouble = Some(what);
                        }
                    }
                }
            }
        }
        let url = match &self.door {
            Some(door) => door.url(&self.world, &settings),
            None => String::new(),
        };
        if self.world.runtime.get("connection_request_url").as_deref() != Some(&url) {
            log::info!(
                "connection requests: {}",
                if url.is_empty() { "none" } else { &url }
            );
            self.world.runtime.set("connection_request_url", &url);
            self.look_again();
        }
    }

    // ---- sessions ------------------------------------------------------------------

    fn start_session(&mut self, orders: &Sender<Order>) {
        let files = &self.transferring;
        if self.busy.is_some() || self.terminate || files.is_applying() {
            return;
        }
        // A file that waits for the end of a session does not wait for another one.
        if files.waits() && self.going_down.is_none() {
            return;
        }
        if let Some(since) = self.going_down {
            if since.elapsed() < self.world.setup.config.limits.reboot_wait {
                return;
            }
            if let Some(id) = self.transferring.reboots_for
                && transfers::is_at_work(&self.world, id)
            {
                // What writes the flash takes its time; the box may not be left alone yet.
                self.going_down = Some(Instant::now());
                return;
            }
            log::error!("the box was told to reboot and did not; sessions go on");
            self.going_down = None;
            match self.transferring.reboots_for.take() {
                Some(id) => transfers::did_not_reboot(&self.world, id),
                None => self.begin_anew(),
            }
        }
        if !self.may_have_sessions() {
            return;
        }
        if !self.is_due() {
            return;
        }
        let settings = self.world.settings();
        // It begins with a look at the watched values.
        self.watching.plan.ordered(Instant::now());
        self.retry.begins();
        self.asked_acs.clone_from(&settings.acs.url);
        let device = knock::device(&self.world, &settings);
        self.order(orders, Order::Session { device });
    }

    /// CWMP is switched on and an ACS is known.
    fn may_have_sessions(&self) -> bool {
        let settings = self.world.settings();
        settings.cpe.enable && !settings.acs.url.is_empty()
    }

    fn hear(&mut self, message: Message, orders: &Sender<Order>) {
        match message {
            Message::Terminate => {
                self.terminate = true;
                self.timers.ask_to_end();
                self.keep_retry(false);
                self.world.stop();
            }
            Message::Hangup => {
                log::info!("reading the configuration again");
                self.read_settings_now();
                // So is told of a new address of the interface, too.
                self.place_door();
            }
            Message::SessionEnded(report) => self.session_ended(*report, orders),
            Message::NothingToTell => {
                self.busy = None;
                self.scanned();
            }
            Message::WentBack { changed } => {
                self.busy = None;
                if changed {
                    self.read_settings_now();
                    self.look_again();
                }
            }
            Message::TookBack { over } => {
                self.busy = None;
                if over {
                    self.look_at_trial();
                    self.read_settings_now();
                    self.look_again();
                }
            }
            Message::Scanned => self.scanned(),
            Message::FileIsGood => self.file_is_good(),
            Message::TransferEnded(carried) => self.transfer_ended(carried),
            Message::ModulesChanged => self.look_again(),
            Message::ModulesDone => self.modules_done(),
            Message::Acted { going_down } => {
                self.busy = None;
                self.going_down = going_down.then(Instant::now);
                self.read_settings_now();
                if !going_down {
                    self.begin_anew();
                }
            }
            Message::Asked { changed } => {
                self.control_threads = self.control_threads.saturating_sub(1);
                if let Some(job) = self.control_waiting.pop_front() {
                    self.serve(job);
                }
                if changed {
                    self.read_settings_now();
                    self.look_again();
                }
            }
        }
    }

    /// After a reset that no reboot has followed: the agent goes on as one that the ACS
    /// does not know, with a listener path of its own.
    fn begin_anew(&mut self) {
        if !self.world.owed().knock_path().is_empty() {
            return;
        }
        super::start(&self.world, false);
        if let Some(door) = &mut self.door {
            door.configure(&self.world, &self.world.settings());
        }
        self.place_door();
    }

    fn session_ended(&mut self, report: Report, orders: &Sender<Order>) {
        self.busy = None;
        if report.afterwards.settings {
            self.read_settings_now();
        }
        self.scanned();
        if report.afterwards.touched {
            self.look_again();
        }
        self.planned_in_session(report.afterwards.planned);
        let reached = report.afterwards.reached;
        self.unreached.session_ended(reached, Instant::now());
        if reached {
            self.transferring.line_is_up();
        }
        match &report.result {
            Ok(()) => {
                self.retry.completed();
                self.watching.session_completed(Instant::now());
            }
            // Broken off by our own end: no failure.
            Err(_) if self.terminate => {}
            Err(_) => self.retry_later(report.retry_after),
        }
        self.look_at_trial();
        self.keep_retry(!self.terminate);
        self.sessions.took_place(report.told());
        // The URL may have been changed while the ACS before it still had 0 BOOTSTRAP to
        // answer.
        self.world.check_url(&self.world.settings().acs.url);
        let acts = self.world.owed().must_act();
        if acts && !self.terminate {
            self.order(orders, Order::Act);
        }
    }

    // ---- waiting -------------------------------------------------------------------

    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        let ready: Vec<RawFd> = {
            let mut fds = self.control.poll_fds();
            fds.push(PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
            if let Some(door) = &self.door {
                for (fd, events) in door.listener_ref().fds() {
                    fds.push(PollFd::new(fd, events));
                }
            }
            if let Some((fd, events)) = self.bus.fd() {
                fds.push(PollFd::new(fd, events));
            }
            if let Some(fd) = self.watching.folders.fd() {
                fds.push(PollFd::new(fd, PollFlags::POLLIN));
            }
            match poll(&mut fds, timeout) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
            fds.iter()
                .filter(|fd| fd.any().unwrap_or(true))
                .map(|fd| fd.as_fd().as_raw_fd())
                .collect()
        };
        let folders = self.watching.folders.fd().map(|fd| fd.as_raw_fd());
        let bus = self.bus.fd().map(|(fd, _)| fd.as_raw_fd());
        for fd in ready {
            if Some(fd) == folders {
                self.noticed();
                continue;
            }
            if Some(fd) == bus {
                self.look_at_bus(true);
                continue;
            }
            if fd == self.wake.as_raw_fd() {
                let mut drain = [0u8; 64];
                while matches!(self.wake.read(&mut drain), Ok(n) if n > 0) {}
                continue;
            }
            if let Some(door) = &mut self.door
                && let Some(knock) = door.listener().ready(fd, Instant::now())
            {
                log::info!("connection request from {}", knock.peer.ip());
                self.world.owed().raise(EventCode::ConnectionRequest, "");
                continue;
            }
            if let Some(asked) = self.control.ready(fd) {
                self.asked(asked);
            }
        }
        Ok(())
    }

    fn timeout(&self) -> PollTimeout {
        let held_back = self.busy.is_some()
            || self.terminate
            || self.going_down.is_some()
            || !self.may_have_sessions();
        let next = self.timers.next_in(clock::unix_millis());
        let mut wait = TICK.min(next);
        // One that is held back must not keep the loop awake.
        if let (false, Some(left)) = (held_back, self.wait_left()) {
            wait = wait.min(left);
        }
        if let Some(next) = self.world.owed().next_schedule() {
            let millis = next
                .saturating_mul(1000)
                .saturating_sub(clock::unix_millis());
            wait = wait.min(Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
        }
        if let Some(due) = self.transfer_due_in() {
            wait = wait.min(due);
        }
        if let Some(due) = self.modules_due_in() {
            wait = wait.min(due);
        }
        if let Some(at) = self
            .door
            .as_ref()
            .and_then(|d| d.listener_ref().next_deadline())
        {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        let change = self
            .change_due_in()
            .filter(|_| !self.retry.is_first_contact());
        if let (false, Some(change)) = (held_back, change) {
            wait = wait.min(change);
        }
        if let Some(trial) = self.trial_due_in() {
            wait = wait.min(trial);
        }
        if let Some(due) = self.planned_reboot_due_in() {
            wait = wait.min(due);
        }
        if let Some(due) = self.bus.due_in(Instant::now()) {
            wait = wait.min(due);
        }
        if let Some(look) = self.look_due_in() {
            wait = wait.min(look);
        }
        if self.terminate {
            wait = wait.min(Duration::from_millis(200));
        }
        // Rounded up: waking up early would spin until the time has come.
        let millis = u16::try_from(wait.as_millis().saturating_add(1)).unwrap_or(u16::MAX);
        PollTimeout::from(millis)
    }
}
