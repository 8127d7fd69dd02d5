//! The session worker: one thread that runs sessions and what follows them, one thing
//! after the other: nothing that a session asked for is reloaded or rebooted before that
//! session has ended. (What a command changes is reloaded by the thread that serves it.)

use super::answer::OWN_PACKAGE;
use super::daemon::{Mailbox, Message};
use super::owed::Stage;
use super::session::{self, Report};
use super::watch;
use super::world::World;
use super::{discovery, first_use, planned_reboot, trial};
use crate::platform::ActionError;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// Enough for TLS, XML and a data model; given explicitly because musl's default is small.
const STACK: usize = 512 << 10;

/// What the dispatcher orders.
#[derive(Debug)]
pub enum Order {
    /// Run a session with what is due; traffic keeps to this device.
    Session { device: Option<String> },
    /// Carry out an accepted reboot or factory reset.
    Act,
    /// Leave the ACS that was set for the one that DHCP names.
    GoBack,
    /// Put back what the ACS has changed and what was not proved in time.
    TakeBack,
    /// DelayReboot is of the time before this boot.
    ForgetDelay,
    /// Read the watched values.
    Scan,
}

/// Starts the worker. It ends when the sender of orders is dropped.
pub fn start(world: Arc<World>, mailbox: Mailbox) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (orders, inbox) = channel();
    let thread = Builder::new()
        .name("session".to_owned())
        .stack_size(STACK)
        .spawn(move || work(&world, &inbox, &mailbox))?;
    Ok((orders, thread))
}

/// Does something on a thread of its own and waits for it. What goes deep leaves a stack
/// behind that stays in memory for as long as its thread lives: an idle agent is to be small.
///
/// # Errors
/// There is no other thread to be had; nothing was done.
pub fn apart<T: Send>(name: &str, what: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = Builder::new().name(name.to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, what)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn work(world: &World, inbox: &Receiver<Order>, mailbox: &Mailbox) {
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Session { device } => {
                let session = || session::run(world, device.as_deref());
                // Without another thread it does as well.
                let report = apart("in session", session).unwrap_or_else(|_| session());
                world.model().rest();
                mailbox.send(match report {
                    Some(mut report) => {
                        settle(world, &mut report);
                        Message::SessionEnded(Box::new(report))
                    }
                    None => Message::NothingToTell,
                });
            }
            Order::Act => {
                let going_down = act(world);
                mailbox.send(Message::Acted { going_down });
            }
            Order::GoBack => {
                let changed = discovery::go_back(world);
                mailbox.send(Message::WentBack { changed });
            }
            Order::ForgetDelay => {
                let changed = planned_reboot::forget_delay(world);
                mailbox.send(Message::WentBack { changed });
            }
            Order::TakeBack => {
                let over = trial::take_back(world);
                mailbox.send(Message::TookBack { over });
            }
            Order::Scan => {
                watch::scan(world);
                mailbox.send(Message::Scanned);
            }
        }
    }
}

/// Reloads what a session changed, unless the box reboots next anyway. (A reboot that was
/// started earlier and never happened puts nothing in force.)
pub fn settle(world: &World, report: &mut Report) {
    let reload = std::mem::take(&mut report.afterwards.reload);
    report.afterwards.settings = reload.contains(OWN_PACKAGE);
    let reboots = world.owed().must_act();
    if !reboots {
        world.reload_waiting(reload);
    }
}

/// Carries out an accepted reset and reboot. Tells whether the box goes down now.
pub fn act(world: &World) -> bool {
    let _one_at_a_time = super::world::lock(&world.acting);
    let (reset, reboot) = {
        let owed = world.owed();
        (owed.reset(), owed.reboot().is_some())
    };
    match reset {
        Some(stage) if !reset_box(world, stage) => return false,
        None if !reboot => return false,
        _ => world.owed().reboot_starts(),
    }
    log::info!("rebooting");
    let rebooted = world.platform.reboot();
    if reset.is_some() && !matches!(rebooted, Err(ActionError::Run { .. })) {
        // Only now: until the reboot is under way, a restart of the agent must not be
        // taken for it.
        if let Err(e) = world.forget_boot() {
            log::warn!("the known boot cannot be wiped: {e}");
        }
    }
    match rebooted {
        Ok(()) => true,
        Err(e) => {
            log::error!("reboot: {e}");
            false
        }
    }
}

/// The factory reset without its reboot. A command that fails leaves the request queued
/// for the next start.
fn reset_box(world: &World, stage: Stage) -> bool {
    if stage != Stage::StartedAgain {
        match stage {
            Stage::Started => log::warn!("a factory reset was interrupted; it is done again"),
            _ => log::info!("resetting to factory defaults"),
        }
        world.owed().reset_starts();
        match world.platform.factory_reset() {
            // Without a command (another root) the agent's own state is all there is to
            // reset.
            Ok(()) | Err(ActionError::NotConfigured(_)) => {}
            Err(e) => {
                log::error!("factory reset: {e}");
                if let Err(why) = world.owed().accept_reset() {
                    log::error!("the factory reset cannot be kept for later: {why:?}");
                }
                return false;
            }
        }
    }
    forget(world);
    true
}

/// Wipes what a factory reset wipes: everything but the derived identity and the clock.
fn forget(world: &World) {
    // The box's own reset may have taken the folder away.
    if let Err(e) = world.setup.state() {
        log::warn!("{e}");
    }
    let wiped = world.model().factory_reset();
    if let Err(fault) = wiped {
        // Half wiped is not reset: the record stays, and the next start does it again.
        log::error!("the model's state cannot be wiped: {fault}");
        return;
    }
    if let Err(e) = world.state.remove(super::setup::GOOD_SETTINGS) {
        log::warn!("the kept settings cannot be wiped: {e}");
    }
    trial::forget(world);
    watch::forget(world);
    first_use::forget(&world.state, &world.runtime);
    discovery::forget(world);
    world.peers().forget();
    world.transfers().clear();
    world.files.stop_cancelled();
    world.files.set_request(None);
    super::modules::forget(world);
    world.owed().reset_done();
}
