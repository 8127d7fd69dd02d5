//! The daemon: wires the rooms together and owns the loop.
//!
//! ```text
//! thread       owns                                             waits on
//! dispatcher   timers, event queue, listener, control socket    poll
//! session      sessions, reloads, reboot                        the ACS, a child
//! control      one question of a command, while it lasts        the model
//! transfer     the transfer being carried out, while it lasts   a file server, a child
//! ```
//!
//! What they share is in [`world`]. This room decides when a session takes place and what
//! follows it; what a message means is `cwmp`'s, what a parameter is `model`'s.

pub mod answer;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
mod device;
mod discovery;
mod event_names;
mod first_use;
mod inform;
mod knock;
pub mod migrate;
#[cfg_attr(not(feature = "software-modules"), path = "modules/absent.rs")]
pub mod modules;
pub mod offline;
mod operate;
pub mod owed;
pub mod peer;
mod planned_reboot;
pub mod policy;
pub mod recover;
pub mod retry;
pub mod secret_options;
pub mod session;
mod sessions;
pub mod settings;
pub mod setup;
mod standby;
pub mod status;
mod ticks;
mod timers;
pub mod transfers;
pub mod trial;
pub mod watch;
pub mod worker;
pub mod world;

use crate::cwmp;
use daemon::{Daemon, Mailbox, Message};
use owed::Start;
use sessions::Sessions;
use setup::{Setup, SetupError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use world::World;

/// How `run` and `run --once` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// As asked.
    Ended,
    /// `run --once`: no complete session.
    NoSession,
}

/// Begins a run: is it a boot, was a reset interrupted, what is owed?
pub fn begin(world: &World) -> Start {
    let boot = world.boot();
    let concluded = transfers::conclude(world, boot.is_boot);
    modules::begin(world, boot.is_boot);
    let mut start = start(world, boot.is_boot);
    start.kept &= concluded;
    if boot.is_boot {
        planned_reboot::booted(world);
    }
    world.note_boot(boot, start.kept);
    start
}

fn start(world: &World, boot: bool) -> Start {
    let url = world.settings().acs.url.clone();
    clear_the_way(world, &url);
    let mut start = world
        .owed()
        .start(boot, &url, clock::unix_seconds(), clock::random());
    start.kept &= transfers::sync_events(world) & modules::sync_events(world);
    start
}

/// What another ACS was to be told of transfers goes before 0 BOOTSTRAP is raised, and so does
/// what a person has asked the agent for that ran before.
fn clear_the_way(world: &World, url: &str) {
    if world.owed().is_new_acs(url) {
        world.transfers().bootstrap_discards();
        world.modules().bootstrap_discards();
    }
    world
        .owed()
        .withdraw(&cwmp::event::EventCode::RequestDownload);
}

/// A daemon that runs in a thread of this process (`try`, tests).
pub struct Running {
    mailbox: Mailbox,
    thread: std::thread::JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Starts the daemon.
    pub fn start(setup: Setup) -> Result<Running, SetupError> {
        let daemon = open(setup)?;
        let mailbox = daemon.mailbox();
        let thread = std::thread::Builder::new()
            .name("dispatcher".to_owned())
            .stack_size(256 << 10)
            .spawn(move || daemon.run())
            .map_err(|e| SetupError::System(format!("cwmp-agent: {e}")))?;
        Ok(Running { mailbox, thread })
    }

    /// Reads the configuration again, as SIGHUP does.
    pub fn reload(&self) {
        self.mailbox.send(Message::Hangup);
    }

    /// Ends the daemon, as SIGTERM does, and waits for its end.
    pub fn stop(self) -> std::io::Result<()> {
        self.mailbox.send(Message::Terminate);
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(std::io::Error::other("the dispatcher panicked")),
        }
    }
}

/// `cpe.log_level`, where it is given, else what the command line says.
fn set_log_level(world: &World) {
    let level = world.settings().cpe.log_level;
    log::set_max_level(level.unwrap_or(world.log_level));
}

fn open(setup: Setup) -> Result<Box<Daemon>, SetupError> {
    let world = Arc::new(World::open_to_stay(setup)?);
    set_log_level(&world);
    world.check_client_certificate(&world.settings());
    ask_netifd(&world);
    let daemon = Daemon::new(world).map(Box::new);
    daemon.map_err(|e| SetupError::System(format!("cwmp-agent: run_dir: {e}")))
}

/// `cwmp-agent run`: until SIGTERM.
#[inline(never)]
pub fn run(setup: Setup) -> Result<RunOutcome, SetupError> {
    let system = |e: std::io::Error| SetupError::System(format!("cwmp-agent: {e}"));
    // Before anything else: a signal that comes during the start must not kill.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(system)?;
    // Neither stays on the stack, whose pages would be this thread's for as long as it runs.
    let setup = Box::new(setup);
    let daemon = worker::apart("start", || open(*setup)).map_err(system)??;
    daemon.ends_with_the_program();
    let mailbox = daemon.mailbox();
    // A thread that only waits: signals reach the loop as messages, and no child inherits
    // a blocked mask.
    let handle = signals.handle();
    let listener = std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            for signal in signals.forever() {
                mailbox.send(if signal == SIGHUP {
                    Message::Hangup
                } else {
                    Message::Terminate
                });
            }
        })
        .map_err(system)?;
    log::info!("cwmp-agent {} runs", env!("CARGO_PKG_VERSION"));
    let result = daemon.run().map_err(system);
    handle.close();
    let _ = listener.join();
    result.map(|()| RunOutcome::Ended)
}

/// `cwmp-agent run --once`: counts as a boot; one attempt at one session with what is
/// due. Accepted reboots, resets and transfers stay queued for the next `run`.
#[inline(never)]
pub fn run_once(setup: Setup) -> Result<RunOutcome, SetupError> {
    let world = Arc::new(World::open_to_stay(setup)?);
    set_log_level(&world);
    let boot = world.boot();
    let settings = world.settings();
    // A reboot, reset or transfer that was accepted and has not happened stays for `run`.
    let concluded = transfers::conclude(&world, boot.is_boot);
    modules::begin(&world, boot.is_boot);
    clear_the_way(&world, &settings.acs.url);
    let start = world.owed().start_once(
        boot.is_boot,
        &settings.acs.url,
        clock::unix_seconds(),
        clock::random(),
    );
    let events = transfers::sync_events(&world) & modules::sync_events(&world);
    let kept = concluded & start.kept & events;
    if boot.is_boot {
        planned_reboot::booted(&world);
    }
    world.note_boot(boot, kept);
    if !settings.cpe.enable || settings.acs.url.is_empty() {
        log::error!(
            "no session: {}",
            if settings.cpe.enable {
                "no ACS is known (option url of section acs in /etc/config/cwmp)"
            } else {
                "CWMP is switched off (option enable of section cpe in /etc/config/cwmp)"
            }
        );
        return Ok(RunOutcome::NoSession);
    }
    ask_netifd(&world);
    publish_url(&world, &settings);
    let device = knock::device(&world, &settings);
    let worker_world = world.clone();
    let thread = std::thread::Builder::new()
        .name("session".to_owned())
        .stack_size(512 << 10)
        .spawn(move || {
            // There is an event to tell: it counts as a boot.
            let report = session::run(&worker_world, device.as_deref())?;
            worker_world.reload_waiting(report.afterwards.reload.clone());
            modules::apply_written(&worker_world);
            let mut sessions = Sessions::load(&worker_world.run_dir);
            sessions.took_place(report.told());
            sessions.keep(&worker_world.run_dir);
            Some(report)
        })
        .map_err(|e| SetupError::System(format!("cwmp-agent: {e}")))?;
    match thread.join() {
        Ok(Some(report)) if report.result.is_ok() => Ok(RunOutcome::Ended),
        Ok(_) => Ok(RunOutcome::NoSession),
        Err(_) => Err(SetupError::System(
            "cwmp-agent: the session's thread panicked".to_owned(),
        )),
    }
}

/// Learns from netifd, where it can be asked, which device the network of the settings has.
fn ask_netifd(world: &World) {
    const TIME: std::time::Duration = std::time::Duration::from_secs(1);
    if let Some(socket) = world.setup.ubus_socket() {
        let network = world.settings().cpe.interface.clone();
        world.devices.ask(&socket, &network, TIME);
    }
}

/// The URL that the listener of `run` will have; nothing listens during `run --once`.
fn publish_url(world: &World, settings: &settings::Settings) {
    let url = knock::Place::find(world, settings)
        .map(|place| place.url(world, settings, settings.cpe.port))
        .unwrap_or_default();
    world.runtime.set("connection_request_url", &url);
}
