//! The dispatcher's side of ubus: the object `tr069` is offered there, and netifd is
//! listened to and asked for the device of the network that the agent keeps to. The
//! client's socket is polled with the others; nothing here waits for an answer.
//!
//! Where ubusd is not there nothing happens, and all of it begins anew when it comes.

use super::{Daemon, Message};
use crate::agent::control::Answer as Done;
use crate::agent::device;
use crate::agent::sessions::LastSession;
use crate::agent::status::utc;
use crate::agent::world::World;
use crate::agent::{clock, session::shown_url};
use crate::ubus::object::{self, Request, TR069, verdict};
use crate::ubus::{
    Answer, CallError, Client, ClientConfig, Happening, Invocation, Status as Refusal, Ticket,
};
use nix::poll::PollFlags;
use serde_json::{Map, Value};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// netifd's object, and the event it sends when a network goes up or down.
const NETIFD: &str = "network.interface";
/// How long netifd may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the dispatcher keeps for it.
pub(super) struct Bus {
    /// `None`: ubus is not used.
    client: Option<Client>,
    /// When the agent started, Unix seconds.
    started: i64,
    /// The network whose device netifd is asked for, until the answer is there.
    asked: Option<(Ticket, String)>,
    /// It is to be asked again then.
    again: bool,
    /// It did not answer: it is asked again a little later.
    unanswered: bool,
    /// What was last said of the object in the log: that it is there, or is refused.
    logged: Option<Option<Refusal>>,
}

impl Bus {
    /// Not connected yet.
    pub fn new(world: &World) -> Bus {
        let config = world.setup.ubus_socket().map(|socket| ClientConfig {
            socket,
            objects: vec![TR069],
            events: vec![NETIFD.to_owned()],
            subscriptions: vec![NETIFD.to_owned()],
            ..ClientConfig::default()
        });
        Bus {
            client: config.map(|config| Client::new(config, Instant::now())),
            started: clock::unix_seconds(),
            asked: None,
            again: false,
            unanswered: false,
            logged: None,
        }
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.client.as_ref()?.fd()
    }

    /// How long until something is due whatever the descriptor says.
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let at = self.client.as_ref()?.next_deadline()?;
        Some(at.saturating_duration_since(now))
    }

    /// Says once what became of the object, and again when that changes.
    fn log(&mut self, refused: Option<Refusal>) {
        if self.logged == Some(refused) {
            return;
        }
        match refused {
            None => log::info!("ubus: the object {} is offered", TR069.path),
            Some(why) => log::warn!("ubus: the object {} is not taken: {why}", TR069.path),
        }
        self.logged = Some(refused);
    }
}

impl Daemon {
    /// Does what is due on the bus; `ready`: its socket has something to say.
    pub(super) fn look_at_bus(&mut self, ready: bool) {
        let now = Instant::now();
        let Some(client) = &mut self.bus.client else {
            return;
        };
        match ready {
            true => client.ready(now),
            false => client.tick(now),
        }
        while let Some(happening) = self.bus.client.as_mut().and_then(Client::next_happening) {
            match happening {
                Happening::Connected => self.ask_netifd(),
                Happening::Disconnected => {}
                Happening::Offered(_) => self.bus.log(None),
                Happening::NotOffered(_, why) => self.bus.log(Some(why)),
                Happening::Invoked(call) => self.called(&call, now),
                Happening::Answered(ticket, outcome) => self.netifd_answered(ticket, outcome),
                // A network went up or down, or has other addresses, servers, routes.
                Happening::Event(..) | Happening::Notified(..) => {
                    self.ask_netifd();
                    self.watching.plan.noticed(now);
                }
            }
        }
    }

    // ---- the network that the agent keeps to ---------------------------------------

    /// Asks netifd for the device of `cpe.interface`.
    pub(super) fn ask_netifd(&mut self) {
        let network = self.world.settings().cpe.interface.clone();
        let Some(client) = self.bus.client.as_mut().filter(|c| c.is_connected()) else {
            return;
        };
        if self.bus.asked.is_some() {
            self.bus.again = true;
            return;
        }
        let Some(object) = device::object(&network) else {
            return;
        };
        let now = Instant::now();
        let ticket = client.call(&object, "status", &Map::new(), now + PATIENCE, now);
        self.bus.asked = Some((ticket, network));
    }

    /// The same, if it did not answer before.
    pub(super) fn ask_netifd_again(&mut self) {
        if std::mem::take(&mut self.bus.unanswered) {
            self.ask_netifd();
        }
    }

    fn netifd_answered(&mut self, ticket: Ticket, outcome: Result<Answer, CallError>) {
        let Some((_, network)) = self.bus.asked.take_if(|(asked, _)| *asked == ticket) else {
            return;
        };
        let is_said = matches!(outcome, Ok(_) | Err(CallError::Refused(_)));
        self.bus.unanswered = !is_said;
        if self.world.devices.heard(&network, outcome) {
            self.place_door();
        }
        if std::mem::take(&mut self.bus.again) {
            self.ask_netifd();
        }
    }

    // ---- the object tr069 ----------------------------------------------------------

    fn called(&mut self, call: &Invocation, now: Instant) {
        let answer = Request::read(call).and_then(|request| self.answer(request));
        if let Some(client) = &mut self.bus.client {
            client.reply(call, answer.as_ref().map_err(|refusal| *refusal), now);
        }
    }

    fn answer(&mut self, request: Request) -> Result<Map<String, Value>, Refusal> {
        match request {
            Request::Status => Ok(self.told().answer()),
            Request::Inform(event) => Ok(match self.inform(event.as_deref()) {
                Done::Failed(why) => verdict(false, &why),
                _ => verdict(true, "a session begins as soon as one can"),
            }),
            Request::Notify => Ok(match self.why_no_session() {
                Some(why) => verdict(false, why),
                None => {
                    self.look_again();
                    verdict(true, "watched values are read now")
                }
            }),
            Request::Command(command) => match command.as_str() {
                "reload" => {
                    self.mailbox().send(Message::Hangup);
                    Ok(verdict(true, "the configuration is read again"))
                }
                "inform" => self.answer(Request::Inform(None)),
                "notify" => self.answer(Request::Notify),
                _ => Err(Refusal::InvalidArgument),
            },
        }
    }

    /// What `status` of the object tells.
    fn told(&self) -> object::Status {
        let time = |seconds: i64| Some(utc(seconds));
        let session = |session: LastSession| object::Session {
            succeeded: session.failure.is_none(),
            started: time(session.started),
            ended: time(session.ended),
            events: session.events,
            why: session.failure,
        };
        let settings = self.world.settings();
        let url = shown_url(&settings.acs.url);
        object::Status {
            disabled: !settings.cpe.enable,
            started: time(self.bus.started),
            acs_url: Some(url).filter(|url| !url.is_empty()),
            sessions: self.sessions.all().into_iter().map(session).collect(),
            next: self.next_session().and_then(|next| time(next.at)),
            running: self.busy.is_some(),
            succeeded: self.sessions.completed,
            failed: self.sessions.failed,
        }
    }
}
