//! The dispatcher's side of the commands: `inform` and `status` are answered here, what
//! needs the model by a short-lived thread, so that the loop never waits for it.

use super::{Daemon, Message};
use crate::agent::control::server::Asked;
use crate::agent::control::{Answer, Question};
use crate::agent::retry::Kind;
use crate::agent::session::shown_url;
use crate::agent::status::{self, NextSession, Retry, Status};
use crate::agent::transfers::local;
use crate::agent::world::World;
use crate::agent::{clock, discovery, event_names, operate, watch};
use crate::cwmp::event::EventCode;
use std::thread::Builder;

/// Threads for control questions: little stack, and few at a time.
const CONTROL_STACK: usize = 256 << 10;
const MAX_CONTROL_THREADS: u32 = 4;
/// Control questions that wait for a thread; more are turned away.
const MAX_WAITING: usize = 64;

/// What answers a control question; tells whether the tree may have changed.
pub(super) type Job = Box<dyn FnOnce(&World) -> bool + Send>;

impl Daemon {
    pub(super) fn asked(&mut self, asked: Asked) {
        match &asked.question {
            Question::Inform { event } => {
                let answer = self.inform(event.as_deref());
                asked.reply_to.send(&answer);
            }
            Question::Status => {
                // The model may be busy for seconds: its troubles are asked for elsewhere.
                let status = self.status();
                self.spawn(move |world| {
                    let mut status = status;
                    status.sources_in_trouble = status::troubles(&world.model());
                    asked.reply_to.send(&Answer::Status(Box::new(status)));
                    false
                });
            }
            Question::Transfer(_)
            | Question::Progress { .. }
            | Question::Confirm { .. }
            | Question::Cancel { .. }
            | Question::RequestDownload { .. } => self.spawn(move |world| {
                if let Some(answer) = local::answer(world, &asked.question, false) {
                    asked.reply_to.send(&answer);
                }
                false
            }),
            Question::Dhcp { .. } => self.spawn(move |world| {
                let learned = discovery::learn(world, &asked.question);
                asked.reply_to.send(&learned.answer);
                learned.changed
            }),
            _ => self.spawn(move |world| {
                let answered = operate::operate(&mut world.model(), &asked.question);
                let Some((answer, effect)) = answered else {
                    return false;
                };
                watch::changed_by_hand(world, &effect.changed);
                world.reload(&effect.reload);
                asked.reply_to.send(&answer);
                effect.touched()
            }),
        }
    }

    /// A short-lived thread for a question. With as many as there may be it waits for one
    /// of them; with too many waiting it is dropped, and the client sees its connection
    /// close.
    pub(super) fn spawn(&mut self, job: impl FnOnce(&World) -> bool + Send + 'static) {
        if self.control_threads < MAX_CONTROL_THREADS {
            self.serve(Box::new(job));
        } else if self.control_waiting.len() < MAX_WAITING {
            self.control_waiting.push_back(Box::new(job));
        } else {
            log::warn!("too many commands at once; one is turned away");
        }
    }

    pub(super) fn serve(&mut self, job: Job) {
        let (world, mailbox) = (self.world.clone(), self.mailbox());
        let thread = Builder::new()
            .name("control".to_owned())
            .stack_size(CONTROL_STACK)
            .spawn(move || {
                let changed = job(&world);
                mailbox.send(Message::Asked { changed });
            });
        match thread {
            Ok(_) => self.control_threads += 1,
            Err(e) => log::error!("a command cannot be served: {e}"),
        }
    }

    /// Why there can be no session, for whoever asks for one.
    pub(super) fn why_no_session(&self) -> Option<&'static str> {
        let settings = self.world.settings();
        if settings.acs.url.is_empty() {
            return Some("no ACS is known; set Device.ManagementServer.URL first");
        }
        (!settings.cpe.enable)
            .then_some("CWMP is switched off; set Device.ManagementServer.EnableCWMP=true first")
    }

    pub(super) fn inform(&mut self, event: Option<&str>) -> Answer {
        if let Some(why) = self.why_no_session() {
            return Answer::Failed(why.to_owned());
        }
        if self.going_down.is_some() {
            return Answer::Failed(
                "the router is about to reboot; sessions go on after that".to_owned(),
            );
        }
        match event_names::parse(event.unwrap_or("6 CONNECTION REQUEST")) {
            Ok(code) => {
                let new = {
                    // Nothing may end in between: it would be left without its events.
                    let mut queue = self.world.transfers();
                    if code == EventCode::Bootstrap {
                        queue.bootstrap_discards();
                    }
                    self.world.owed().raise_by_hand(code)
                };
                // What was pending before a session began goes with that session.
                if !new && self.busy.is_none() {
                    self.retry.ask();
                }
                Answer::Done
            }
            Err(what) => Answer::Failed(what),
        }
    }

    /// A session was asked for and has not begun.
    fn is_wanted(&self) -> bool {
        self.retry.is_asked() || self.world.owed().wants_session()
    }

    fn status(&self) -> Status {
        let mut status = status::on_disk(&self.world);
        status.daemon = true;
        status.watch.by_interval = self.watching.plan.is_by_interval();
        status.running_since = self.busy.map(|(_, unix)| unix);
        status.last_session = self.sessions.last().cloned();
        status.sessions = self.sessions.all();
        status.connection_request_url = self
            .world
            .runtime
            .get("connection_request_url")
            .unwrap_or_default();
        status.acs_url = shown_url(&self.world.settings().acs.url);
        let now = clock::unix_seconds();
        let waits = self.retry.waits_for();
        status.retry = Retry {
            count: status.retry.count,
            at: (waits == Some(Kind::Retry))
                .then(|| self.wait_over(now))
                .flatten(),
        };
        status.trial_until = self
            .trial_left()
            .map(|left| now.saturating_add(i64::try_from(left.as_secs()).unwrap_or(i64::MAX)));
        status.reboot_at = self.planned_reboot_at();
        status.next_session = self.next_session();
        let now = self
            .door
            .as_ref()
            .map(|door| door.listener_ref().counters());
        let counters = self.counted.and(now.unwrap_or_default());
        status.refused_knocks = status::refused(&counters);
        status.accepted_knocks = counters.accepted;
        status
    }

    /// When the next session is due, and why.
    pub(super) fn next_session(&self) -> Option<NextSession> {
        let now = clock::unix_seconds();
        let next_schedule = self.world.owed().next_schedule();
        [
            self.wait_over(now).map(|at| match self.retry.waits_for() {
                Some(Kind::FirstContact) => (at, "first contact"),
                _ => (at, "retry"),
            }),
            self.timers
                .periodic_at()
                .map(|at| (at / 1000, "2 PERIODIC")),
            self.timers
                .heartbeat_at()
                .map(|at| (at / 1000, "14 HEARTBEAT")),
            next_schedule.map(|at| (at, "3 SCHEDULED")),
            self.is_wanted().then_some((now, "now")),
        ]
        .into_iter()
        .flatten()
        .filter(|_| self.may_have_sessions())
        .min()
        .map(|(at, reason)| NextSession {
            at,
            reason: reason.to_owned(),
        })
    }

    /// When the wait before a session is over, if there is one, given the wall clock.
    fn wait_over(&self, now: i64) -> Option<i64> {
        let left = self.wait_left()?;
        Some(now.saturating_add(i64::try_from(left.as_secs()).unwrap_or(i64::MAX)))
    }
}
