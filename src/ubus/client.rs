//! A client of ubusd for somebody else's poll loop.
//!
//! ```text
//!            no socket, or lost: again after 1 s, 2 s, … 60 s
//!    Absent ───────────────────► Greeting ──HELLO──► Connected
//!      ▲      connect               │                   │ offers its objects, registers
//!      └────────────────────────────┴───────────────────┘ for events, subscribes
//! ```
//!
//! Nothing here blocks or reads a clock. A call is looked up and made, and ends with an
//! answer, a refusal, or its deadline: [`Happening::Answered`] comes exactly once for each
//! ticket. What was offered and listened for comes back with ubusd. An absent ubusd is
//! no error and makes no noise.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use serde_json::{Map, Value};

use super::blob::{self, BlobError};
use super::connection::{Connection, Request};
use super::json;
use super::message::{Body, Head, Object};
use super::status::{CallError, Status};

/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// Bounds of a client; the defaults suit a small router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an answer, an event or a notification; default 256 KiB.
    pub answer: usize,
    /// Calls that wait for their answer at the same time; default 16.
    pub calls: usize,
    /// Time ubusd has for its greeting, and for what it answers itself; default 5 s.
    pub ubusd: Duration,
    /// Before the first attempt to come back; it doubles with each; default 1 s.
    pub first_wait: Duration,
    /// Before any later attempt at most, also at offering a refused object and at
    /// subscribing to one that is not there; default 60 s.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            answer: blob::MAX_BYTES,
            calls: 16,
            ubusd: Duration::from_secs(5),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

/// What a client is told at the start.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    /// ubusd's socket, root included; at most 107 bytes.
    pub socket: PathBuf,
    /// Objects that are offered.
    pub objects: Vec<Object>,
    /// Events that are listened for, by name; a `*` at the end fits anything.
    pub events: Vec<String>,
    /// Objects, by path, of which notifications are asked for.
    pub subscriptions: Vec<String>,
    /// Bounds.
    pub limits: Limits,
}

/// Stands for a call until its answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u32);

/// What a call brought.
#[derive(Clone, PartialEq)]
pub enum Answer {
    /// The answers of a method, in their order; often one, none for one that only acts.
    Tables(Vec<Map<String, Value>>),
    /// The objects that were looked up.
    Objects(Vec<Found>),
}

/// An object on the bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its path.
    pub path: String,
    /// Its number while it is there.
    pub id: u32,
    /// Method → argument → the number of its blobmsg type.
    pub methods: Map<String, Value>,
}

impl Found {
    /// The object that a reply to a lookup tells of.
    pub(super) fn read(body: &Body<'_>) -> Result<Option<Found>, BlobError> {
        let (Some(path), Some(id)) = (body.path, body.object) else {
            return Ok(None);
        };
        Ok(Some(Found {
            path: path.to_owned(),
            id,
            methods: json::table(body.signature.unwrap_or_default())?,
        }))
    }
}

/// A call of one of our objects; [`Client::reply`] answers it.
#[derive(Clone, PartialEq)]
pub struct Invocation {
    /// The path of our object.
    pub object: &'static str,
    /// The method: one that the object has.
    pub method: &'static str,
    /// The arguments, of any name and type.
    pub arguments: Map<String, Value>,
    /// The user the caller runs as, as ubusd says.
    pub user: Option<String>,
    /// The group the caller runs as, as ubusd says.
    pub group: Option<String>,
    pub(super) head: Head,
    /// The number of our object.
    pub(super) id: u32,
    /// Whether the caller waits for a reply.
    pub(super) reply: bool,
    /// Which connection of the client it came by.
    pub(super) connection: u32,
}

/// What came of [`Client::ready`] and [`Client::tick`].
#[derive(Clone, PartialEq)]
pub enum Happening {
    /// ubusd has greeted.
    Connected,
    /// ubusd is gone. What waited for it has been answered with [`CallError::Lost`].
    Disconnected,
    /// One of our objects, by path, is on the bus.
    Offered(&'static str),
    /// ubusd does not take one of our objects (another program has its path, or access
    /// rules forbid it); it is offered again later.
    NotOffered(&'static str, Status),
    /// A call has ended.
    Answered(Ticket, Result<Answer, CallError>),
    /// One of our objects is called.
    Invoked(Invocation),
    /// An event that was listened for: its name and what it says.
    Event(String, Map<String, Value>),
    /// A notification: the object's path, what happened, and what it says of it.
    Notified(String, String, Map<String, Value>),
}

// Values may be passwords: only names are shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Tables(tables) => write!(f, "Tables({})", tables.len()),
            Answer::Objects(found) => f.debug_tuple("Objects").field(found).finish(),
        }
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({} {})", self.object, self.method)
    }
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happening::Connected => f.write_str("Connected"),
            Happening::Disconnected => f.write_str("Disconnected"),
            Happening::Offered(path) => write!(f, "Offered({path})"),
            Happening::NotOffered(path, status) => write!(f, "NotOffered({path}: {status})"),
            Happening::Answered(ticket, outcome) => write!(f, "Answered({ticket:?}, {outcome:?})"),
            Happening::Invoked(invocation) => invocation.fmt(f),
            Happening::Event(name, _) => write!(f, "Event({name:?})"),
            Happening::Notified(path, what, _) => write!(f, "Notified({path:?}, {what:?})"),
        }
    }
}

/// A client for somebody else's poll loop: poll for [`Client::fd`] up to
/// [`Client::next_deadline`], call [`Client::ready`] or [`Client::tick`], and take each
/// [`Client::next_happening`].
pub struct Client {
    config: ClientConfig,
    connection: Option<Connection>,
    /// Counts connections, so that no reply goes to a call of an earlier one.
    number: u32,
    again: Instant,
    wait: Duration,
    tickets: u32,
    happenings: VecDeque<Happening>,
}

impl Client {
    /// Not connected yet: the first [`Client::tick`] tries to.
    pub fn new(config: ClientConfig, now: Instant) -> Client {
        Client {
            wait: config.limits.first_wait,
            config,
            connection: None,
            number: 0,
            again: now,
            tickets: 0,
            happenings: VecDeque::new(),
        }
    }

    /// What to poll for, and how; `None` while there is no connection.
    pub fn fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let wire = &self.connection.as_ref()?.wire;
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, wire.wants_to_write());
        Some((wire.fd(), flags))
    }

    /// When [`Client::tick`] is due, whatever the descriptor says; `None`: only the
    /// descriptor counts.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.connection {
            Some(connection) => connection.next_deadline(&self.config.limits),
            None => Some(self.again),
        }
    }

    /// Whether ubusd is there and has greeted.
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.greeted)
    }

    /// The descriptor is ready: reads and writes what it can, then [`Client::tick`]s.
    pub fn ready(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection
            && connection.transfer().is_err()
        {
            // What came before the end still counts.
            connection.more = true;
            connection.ended = true;
        }
        self.tick(now);
    }

    /// Does what is due: connects again, ends calls whose deadline has passed, offers and
    /// subscribes again, handles messages that were left.
    pub fn tick(&mut self, now: Instant) {
        if self.connection.is_none() && now >= self.again {
            self.connect(now);
        }
        let Some(connection) = &mut self.connection else {
            return;
        };
        let limits = &self.config.limits;
        let was_greeted = connection.greeted;
        let handled = connection.handle(limits, now, &mut self.happenings);
        let due = handled.and_then(|()| connection.due(limits, now, &mut self.happenings));
        if due.is_err() {
            self.disconnect(now);
        } else if !was_greeted && connection.greeted {
            log::debug!("ubus: connected");
        }
    }

    /// What has happened, oldest first.
    pub fn next_happening(&mut self) -> Option<Happening> {
        let happening = self.happenings.pop_front();
        if self.happenings.is_empty() {
            self.happenings = VecDeque::new();
        }
        happening
    }

    /// Calls `method` of the object at `path`. The answer comes as
    /// [`Happening::Answered`]; at once where ubusd is absent or the arguments cannot be
    /// written.
    pub fn call(
        &mut self,
        path: &str,
        method: &str,
        arguments: &Map<String, Value>,
        deadline: Instant,
        now: Instant,
    ) -> Ticket {
        match json::payload(arguments) {
            Ok(arguments) => {
                let request = Request::Call(path.to_owned(), method.to_owned(), arguments);
                self.ask(request, deadline, now)
            }
            Err(e) => {
                let ticket = self.ticket();
                self.answered(ticket, Err(CallError::Malformed(e)));
                ticket
            }
        }
    }

    /// Looks up the object at `path`, all that begin with what stands before a `*` at its
    /// end, or all there are, with their methods. None found is refused as
    /// [`Status::NotFound`] where a path was given.
    pub fn lookup(&mut self, path: Option<&str>, deadline: Instant, now: Instant) -> Ticket {
        let request = Request::Lookup(path.map(str::to_owned));
        self.ask(request, deadline, now)
    }

    /// Sends an event to all who listen for it.
    pub fn send(
        &mut self,
        event: &str,
        about: &Map<String, Value>,
        deadline: Instant,
        now: Instant,
    ) -> Ticket {
        let request = Request::Send(event.to_owned(), about.clone());
        self.ask(request, deadline, now)
    }

    /// Tells the subscribers of our object at `path` what happened. Nobody answers, and
    /// nothing is told where the object is not on the bus.
    pub fn notify(&mut self, path: &str, what: &str, about: &Map<String, Value>, now: Instant) {
        let told = match &mut self.connection {
            Some(connection) => connection.notify(path, what, about),
            None => Ok(()),
        };
        if told.is_err() {
            self.disconnect(now);
        }
    }

    /// Answers a call of one of our objects: with a table (nothing in it: just done), or
    /// refused. The caller must be answered within its own time, by default 30 s. A call
    /// that came by an earlier connection, or waits for no reply, gets none.
    pub fn reply(
        &mut self,
        to: &Invocation,
        answer: Result<&Map<String, Value>, Status>,
        now: Instant,
    ) {
        let replied = match &mut self.connection {
            Some(connection) if to.connection == self.number => connection.reply(to, answer),
            _ => Ok(()),
        };
        if replied.is_err() {
            self.disconnect(now);
        }
    }

    /// Tries to connect now rather than when it is due again; for one who is about to call.
    pub(super) fn connect(&mut self, now: Instant) {
        if self.connection.is_some() {
            return;
        }
        self.number = self.number.wrapping_add(1);
        match Connection::open(&self.config, self.number, now) {
            Ok(connection) => self.connection = Some(connection),
            // No file, nobody listening, too many waiting: absent is what it is.
            Err(_) => self.later(now),
        }
    }

    fn later(&mut self, now: Instant) {
        self.again = now + self.wait;
        self.wait = (self.wait * 2).min(self.config.limits.longest_wait);
    }

    fn disconnect(&mut self, now: Instant) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if connection.greeted && now.duration_since(connection.since) >= GOOD {
            self.wait = self.config.limits.first_wait;
        }
        self.later(now);
        for ticket in connection.tickets() {
            self.answered(ticket, Err(CallError::Lost));
        }
        if connection.greeted {
            log::debug!("ubus: the connection ended");
            self.happenings.push_back(Happening::Disconnected);
        }
    }

    fn ask(&mut self, request: Request, deadline: Instant, now: Instant) -> Ticket {
        let ticket = self.ticket();
        let limits = &self.config.limits;
        let Some(connection) = &mut self.connection else {
            self.answered(ticket, Err(CallError::Absent));
            return ticket;
        };
        match connection.ask(ticket, request, deadline, limits) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => self.answered(ticket, Err(e)),
            Err(_) => {
                self.answered(ticket, Err(CallError::Lost));
                self.disconnect(now);
            }
        }
        ticket
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        Ticket(self.tickets)
    }

    fn answered(&mut self, ticket: Ticket, outcome: Result<Answer, CallError>) {
        self.happenings
            .push_back(Happening::Answered(ticket, outcome));
    }
}
