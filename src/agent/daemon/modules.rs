//! The dispatcher's side of software modules: when their thread runs. It is there only while
//! there is something to do: an operation that may begin, a value that was set, units or
//! package managers to be looked at.

use super::{Daemon, Message};
use crate::agent::{knock, modules};
use crate::uci::file::Stamp;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Enough for TLS and for reading an archive.
const STACK: usize = 512 << 10;

/// What the dispatcher keeps for it.
#[derive(Default)]
pub(super) struct Working {
    running: Option<JoinHandle<()>>,
    /// When the files were looked at, and how they were.
    looked: Option<Instant>,
    stamps: Vec<Option<Stamp>>,
    /// When the units were looked at.
    supervised: Option<Instant>,
}

impl Working {
    /// The thread runs.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }
}

impl Daemon {
    /// Starts the thread where there is something to do and no session runs.
    pub(super) fn start_modules(&mut self) {
        if self.working.running.is_some()
            || self.busy.is_some()
            || self.terminate
            || self.going_down.is_some()
        {
            return;
        }
        let world = &self.world;
        let now = Instant::now();
        let is_over = |at: Option<Instant>, wait: Duration| at.is_none_or(|at| now >= at + wait);
        let interval = world.setup.config.limits.watch_interval;
        let mut look = false;
        if is_over(self.working.looked, interval) {
            self.working.looked = Some(now);
            let stamps = world.modules.stamps(&world.setup);
            look = stamps != self.working.stamps;
            self.working.stamps = stamps;
        }
        let supervise =
            is_over(self.working.supervised, interval) && world.modules.has_executions();
        let has_work = world.modules().has_work();
        if !look && !supervise && !has_work && !world.runtime.published.has_written() {
            return;
        }
        let (world, mailbox) = (self.world.clone(), self.mailbox());
        let device = knock::device(&world, &world.settings());
        let thread = Builder::new()
            .name("modules".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let changed = || mailbox.send(Message::ModulesChanged);
                modules::work(&world, device, look, &changed);
                mailbox.send(Message::ModulesDone);
            });
        match thread {
            Ok(thread) => self.working.running = Some(thread),
            Err(e) => {
                log::error!("software modules have to wait: {e}");
                self.working.supervised = Some(now);
            }
        }
    }

    pub(super) fn modules_done(&mut self) {
        if let Some(thread) = self.working.running.take() {
            let _ = thread.join();
        }
        self.working.supervised = Some(Instant::now());
        // What an operation has written itself is no news.
        self.working.stamps = self.world.modules.stamps(&self.world.setup);
    }

    /// How long until units are looked at; `None`: there are none.
    pub(super) fn modules_due_in(&self) -> Option<Duration> {
        if self.working.is_busy() || self.busy.is_some() || self.terminate {
            return None;
        }
        let at = self.working.supervised?;
        if !self.world.modules.has_executions() {
            return None;
        }
        let interval = self.world.setup.config.limits.watch_interval;
        Some((at + interval).saturating_duration_since(Instant::now()))
    }
}
