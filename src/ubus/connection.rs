//! One connection to ubusd, from its greeting to its end: what was asked, what of ours is
//! on the bus, and what comes.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use serde_json::{Map, Value};

use super::blob::BlobError;
use super::client::{Answer, ClientConfig, Found, Happening, Invocation, Limits, Ticket};
use super::json;
use super::message::{self, Body, Head, Kind, Object};
use super::status::{CallError, Status};
use super::wire::{Received, Wire};

/// Messages that are handled in one call at most.
const ONE_ROUND: usize = 64;
/// Messages in a row that answer nothing: more are a sender without sense.
const STRAYS: u32 = 1000;
/// What a message may be longer than the answer in it.
const AROUND: usize = 4096;

type Happenings = VecDeque<Happening>;

/// What is asked of ubusd for the client's owner.
pub(super) enum Request {
    /// Objects by path, or all.
    Lookup(Option<String>),
    /// Object, method, arguments.
    Call(String, String, Vec<u8>),
    /// Event, what it says.
    Send(String, Map<String, Value>),
}

/// Something of ours that lives on the bus while connected: an object that is offered, or
/// one without a name that receives.
struct Station {
    role: Role,
    /// Its number, given by ubusd.
    id: Option<u32>,
    /// When to offer it, or to look for what it subscribes to, again.
    again: Option<Instant>,
    /// Of a subscription: the object that notifies.
    target: Option<u32>,
}

enum Role {
    Offer(Object),
    /// Events by these names.
    Listen(Vec<String>),
    /// Notifications of the object with this path.
    Subscribe(String),
}

/// What a request is for. Numbers are those of stations.
enum Purpose {
    Add(usize),
    Register,
    Find(usize),
    /// The station, and the object it subscribes to.
    Subscribe(usize, u32),
    Lookup(Ticket),
    /// Method and arguments, for when the object's number is known.
    FindForCall(Ticket, String, Vec<u8>),
    Call(Ticket),
}

impl Purpose {
    fn ticket(&self) -> Option<Ticket> {
        match self {
            Purpose::Lookup(ticket) | Purpose::Call(ticket) => Some(*ticket),
            Purpose::FindForCall(ticket, ..) => Some(*ticket),
            _ => None,
        }
    }
}

/// A request that waits for its status.
struct Pending {
    seq: u16,
    peer: u32,
    deadline: Instant,
    purpose: Purpose,
    /// Bytes of the answer so far.
    size: usize,
    tables: Vec<Map<String, Value>>,
    found: Vec<Found>,
}

/// The connection must end.
pub(super) struct Broken;

/// See the [module](self).
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) since: Instant,
    pub(super) greeted: bool,
    /// The other side has ended; what it sent before is still handled.
    pub(super) ended: bool,
    /// Messages may be left of what was read.
    pub(super) more: bool,
    number: u32,
    seq: u16,
    strays: u32,
    pending: Vec<Pending>,
    /// What was asked before the greeting.
    held: Vec<(Ticket, Instant, Request)>,
    stations: Vec<Station>,
}

impl Connection {
    pub fn open(config: &ClientConfig, number: u32, now: Instant) -> io::Result<Connection> {
        let offers = config.objects.iter().map(|o| Role::Offer(*o));
        let events = Some(config.events.clone()).filter(|events| !events.is_empty());
        let subscriptions = config.subscriptions.iter().cloned().map(Role::Subscribe);
        let roles = offers.chain(events.map(Role::Listen)).chain(subscriptions);
        let station = |role| Station {
            role,
            id: None,
            again: None,
            target: None,
        };
        Ok(Connection {
            wire: Wire::connect(&config.socket, config.limits.answer.saturating_add(AROUND))?,
            since: now,
            greeted: false,
            ended: false,
            more: false,
            number,
            seq: 0,
            strays: 0,
            pending: Vec::new(),
            held: Vec::new(),
            stations: roles.map(station).collect(),
        })
    }

    /// Writes what waits, reads what is there.
    pub fn transfer(&mut self) -> io::Result<()> {
        self.more = true;
        let written = self.wire.write();
        // A side that has ended may have said something before.
        self.wire.read()?;
        written
    }

    /// The calls that wait for their end.
    pub fn tickets(&self) -> impl Iterator<Item = Ticket> {
        let held = self.held.iter().map(|(ticket, ..)| *ticket);
        held.chain(self.pending.iter().filter_map(|p| p.purpose.ticket()))
    }

    pub fn next_deadline(&self, limits: &Limits) -> Option<Instant> {
        // Long past: at once.
        let more = self.more.then_some(self.since);
        let greeting = (!self.greeted).then(|| self.since + limits.ubusd);
        let held = self.held.iter().map(|(_, deadline, _)| *deadline);
        let pending = self.pending.iter().map(|p| p.deadline);
        let again = self.stations.iter().filter_map(|s| s.again);
        let single = more.into_iter().chain(greeting);
        single.chain(held).chain(pending).chain(again).min()
    }

    /// Handles what has been read.
    pub fn handle(
        &mut self,
        limits: &Limits,
        now: Instant,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        if !self.more {
            return Ok(());
        }
        for _ in 0..ONE_ROUND {
            match self.wire.next().map_err(|_| Broken)? {
                None if self.ended => return Err(Broken),
                None => {
                    self.more = false;
                    return Ok(());
                }
                Some(Received::TooLarge(head)) => {
                    let failed = Err(CallError::TooLarge(limits.answer));
                    self.fail(head, failed, out)?;
                }
                Some(Received::Message(head, bytes)) => {
                    self.take(head, &bytes, limits, now, out)?;
                }
            }
        }
        Ok(())
    }

    /// Ends what has taken too long, and does again what is due again.
    pub fn due(
        &mut self,
        limits: &Limits,
        now: Instant,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        if !self.greeted && now >= self.since + limits.ubusd {
            return Err(Broken);
        }
        let late = |(ticket, deadline, _): &mut (Ticket, Instant, Request)| {
            (now >= *deadline).then(|| out.push_back(timed_out(*ticket)));
            now >= *deadline
        };
        self.held.extract_if(.., late).for_each(drop);
        for pending in self.pending.extract_if(.., |p| now >= p.deadline) {
            match pending.purpose.ticket() {
                Some(ticket) => out.push_back(timed_out(ticket)),
                // ubusd answers these itself, at once: it hangs.
                None => return Err(Broken),
            }
        }
        for index in 0..self.stations.len() {
            let Some(station) = self.stations.get_mut(index) else {
                break;
            };
            if station.again.is_some_and(|again| now >= again) {
                station.again = None;
                match (&station.role, station.id) {
                    (Role::Subscribe(_), Some(_)) => self.find(index, limits, now)?,
                    _ => self.add(index, limits, now)?,
                }
            }
        }
        // What was queued goes out now where the socket takes it.
        self.wire.write().map_err(|_| Broken)
    }

    /// Sends a request, or keeps it up to the greeting.
    pub fn ask(
        &mut self,
        ticket: Ticket,
        request: Request,
        deadline: Instant,
        limits: &Limits,
    ) -> Result<Result<(), CallError>, Broken> {
        if self.tickets().count() >= limits.calls {
            return Ok(Err(CallError::Busy));
        }
        if !self.greeted {
            self.held.push((ticket, deadline, request));
            return Ok(Ok(()));
        }
        let seq = self.next_seq();
        let (message, peer, purpose) = match request {
            Request::Lookup(path) => (
                message::lookup(seq, path.as_deref()),
                0,
                Purpose::Lookup(ticket),
            ),
            Request::Call(path, method, arguments) => (
                message::lookup(seq, Some(&path)),
                0,
                Purpose::FindForCall(ticket, method, arguments),
            ),
            Request::Send(event, about) => (
                message::send(seq, &event, &about),
                message::EVENT_OBJECT,
                Purpose::Call(ticket),
            ),
        };
        self.request(seq, peer, message, deadline, purpose)
    }

    pub fn notify(
        &mut self,
        path: &str,
        what: &str,
        about: &Map<String, Value>,
    ) -> Result<(), Broken> {
        let ours = |s: &&Station| matches!(&s.role, Role::Offer(o) if o.path == path);
        let Some(id) = self.stations.iter().find(ours).and_then(|s| s.id) else {
            return Ok(());
        };
        let seq = self.next_seq();
        match message::notify(seq, id, what, about) {
            Ok(message) => self.push(&message),
            // Too large to be told.
            Err(_) => Ok(()),
        }
    }

    pub fn reply(
        &mut self,
        to: &Invocation,
        answer: Result<&Map<String, Value>, Status>,
    ) -> Result<(), Broken> {
        if !to.reply {
            return Ok(());
        }
        let status = match answer {
            Ok(table) if table.is_empty() => Status::Ok,
            Ok(table) => match message::answer(to.head, to.id, table) {
                Ok(message) => {
                    self.push(&message)?;
                    Status::Ok
                }
                // It cannot be written: the caller should not wait for it.
                Err(_) => Status::UnknownError,
            },
            Err(status) => status,
        };
        self.end(to.head, to.id, status)
    }

    fn end(&mut self, head: Head, id: u32, status: Status) -> Result<(), Broken> {
        match message::status(head, id, status.number()) {
            Ok(message) => self.push(&message),
            Err(_) => Err(Broken),
        }
    }

    /// Sends what nobody will be asked about again.
    fn push(&mut self, message: &[u8]) -> Result<(), Broken> {
        let queued = self.wire.queue(message);
        let sent = queued && self.wire.write().is_ok();
        sent.then_some(()).ok_or(Broken)
    }

    fn request(
        &mut self,
        seq: u16,
        peer: u32,
        message: Result<Vec<u8>, BlobError>,
        deadline: Instant,
        purpose: Purpose,
    ) -> Result<Result<(), CallError>, Broken> {
        let message = match message {
            Ok(message) => message,
            Err(e) => return Ok(Err(CallError::Malformed(e))),
        };
        if !self.wire.queue(&message) {
            return Ok(Err(CallError::Busy));
        }
        self.pending.push(Pending {
            seq,
            peer,
            deadline,
            purpose,
            size: 0,
            tables: Vec::new(),
            found: Vec::new(),
        });
        self.wire.write().map_err(|_| Broken)?;
        Ok(Ok(()))
    }

    /// A request of our own, which ubusd answers itself.
    fn own(
        &mut self,
        peer: u32,
        message: impl FnOnce(u16) -> Result<Vec<u8>, BlobError>,
        purpose: Purpose,
        limits: &Limits,
        now: Instant,
    ) -> Result<(), Broken> {
        let seq = self.next_seq();
        let deadline = now + limits.ubusd;
        match self.request(seq, peer, message(seq), deadline, purpose)? {
            Ok(()) => Ok(()),
            Err(e) => {
                log::warn!("ubus: cannot be set up: {e}");
                Err(Broken)
            }
        }
    }

    fn add(&mut self, index: usize, limits: &Limits, now: Instant) -> Result<(), Broken> {
        let Some(station) = self.stations.get(index) else {
            return Ok(());
        };
        let object = match &station.role {
            Role::Offer(object) => Some(*object),
            _ => None,
        };
        let message = |seq| message::add_object(seq, object.as_ref());
        self.own(0, message, Purpose::Add(index), limits, now)
    }

    fn find(&mut self, index: usize, limits: &Limits, now: Instant) -> Result<(), Broken> {
        let Some(Station {
            role: Role::Subscribe(path),
            ..
        }) = self.stations.get(index)
        else {
            return Ok(());
        };
        let path = path.clone();
        let message = |seq| message::lookup(seq, Some(&path));
        self.own(0, message, Purpose::Find(index), limits, now)
    }

    fn next_seq(&mut self) -> u16 {
        // The number of a call that still waits is not given again; there are few of them.
        loop {
            self.seq = self.seq.wrapping_add(1);
            if !self.pending.iter().any(|p| p.seq == self.seq) {
                return self.seq;
            }
        }
    }

    fn take(
        &mut self,
        head: Head,
        bytes: &[u8],
        limits: &Limits,
        now: Instant,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        if !self.greeted {
            return match head.kind {
                Kind::Hello => self.greet(limits, now, out),
                _ => Err(Broken),
            };
        }
        let body = match Body::read(bytes) {
            Ok(body) => body,
            Err(e) => return self.fail(head, Err(CallError::Malformed(e)), out),
        };
        match head.kind {
            Kind::Data => self.data(head, &body, bytes.len(), limits, out),
            Kind::Status => self.status(head, &body, limits, now, out),
            Kind::Invoke => self.invoked(head, &body, out),
            Kind::Unsubscribe => {
                self.target_gone(&body, limits, now);
                Ok(())
            }
            // Whether anybody has subscribed to an object of ours: we tell all the same.
            Kind::Notify => Ok(()),
            _ => self.stray(),
        }
    }

    fn greet(&mut self, limits: &Limits, now: Instant, out: &mut Happenings) -> Result<(), Broken> {
        self.greeted = true;
        out.push_back(Happening::Connected);
        for index in 0..self.stations.len() {
            self.add(index, limits, now)?;
        }
        for (ticket, deadline, request) in std::mem::take(&mut self.held) {
            if let Err(e) = self.ask(ticket, request, deadline, limits)? {
                out.push_back(Happening::Answered(ticket, Err(e)));
            }
        }
        Ok(())
    }

    fn find_pending(&mut self, head: Head) -> Option<usize> {
        let same = |p: &Pending| p.seq == head.seq && p.peer == head.peer;
        self.pending.iter().position(same)
    }

    /// A message that answers nothing: late, or made up. A few are passed over.
    fn stray(&mut self) -> Result<(), Broken> {
        self.strays += 1;
        (self.strays <= STRAYS).then_some(()).ok_or(Broken)
    }

    /// What answers this request cannot be taken.
    fn fail(
        &mut self,
        head: Head,
        failed: Result<Answer, CallError>,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        let answers = matches!(head.kind, Kind::Data | Kind::Status);
        let index = answers.then(|| self.find_pending(head)).flatten();
        let Some(index) = index else {
            return self.stray();
        };
        match self.pending.swap_remove(index).purpose.ticket() {
            Some(ticket) => {
                out.push_back(Happening::Answered(ticket, failed));
                Ok(())
            }
            None => Err(Broken),
        }
    }

    fn data(
        &mut self,
        head: Head,
        body: &Body<'_>,
        size: usize,
        limits: &Limits,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        let index = self.find_pending(head);
        let Some(pending) = index.and_then(|i| self.pending.get_mut(i)) else {
            return self.stray();
        };
        pending.size = pending.size.saturating_add(size);
        if pending.size > limits.answer.saturating_add(AROUND) {
            return self.fail(head, Err(CallError::TooLarge(limits.answer)), out);
        }
        let read = match &pending.purpose {
            Purpose::Add(station) => {
                if let Some(station) = self.stations.get_mut(*station) {
                    station.id = body.object;
                }
                Ok(())
            }
            Purpose::Call(_) => {
                json::table(body.data.unwrap_or_default()).map(|table| pending.tables.push(table))
            }
            _ => Found::read(body).map(|found| pending.found.extend(found)),
        };
        match read {
            Ok(()) => Ok(()),
            Err(e) => self.fail(head, Err(CallError::Malformed(e)), out),
        }
    }

    fn status(
        &mut self,
        head: Head,
        body: &Body<'_>,
        limits: &Limits,
        now: Instant,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        let (Some(index), Some(code)) = (self.find_pending(head), body.status) else {
            return self.stray();
        };
        self.strays = 0;
        let done = self.pending.swap_remove(index);
        let status = Status::of(code);
        let refused = (status != Status::Ok).then_some(CallError::Refused(status));
        let mut answer = |ticket, outcome| out.push_back(Happening::Answered(ticket, outcome));
        match done.purpose {
            Purpose::Lookup(ticket) => {
                answer(ticket, refused.map_or(Ok(Answer::Objects(done.found)), Err));
            }
            Purpose::Call(ticket) => {
                answer(ticket, refused.map_or(Ok(Answer::Tables(done.tables)), Err));
            }
            Purpose::FindForCall(ticket, method, arguments) => {
                let not_found = CallError::Refused(Status::NotFound);
                let found = done.found.first().ok_or(not_found);
                let found = refused.map_or(found, Err);
                match found {
                    Ok(found) => {
                        let seq = self.next_seq();
                        let message = message::invoke(seq, found.id, &method, &arguments);
                        let purpose = Purpose::Call(ticket);
                        let asked = self.request(seq, found.id, message, done.deadline, purpose)?;
                        if let Err(e) = asked {
                            answer(ticket, Err(e));
                        }
                    }
                    Err(e) => answer(ticket, Err(e)),
                }
            }
            Purpose::Register => {
                if status != Status::Ok {
                    log::warn!("ubus: ubusd does not let us listen for an event: {status}");
                }
            }
            Purpose::Add(index) => self.added(index, status, limits, now, out)?,
            Purpose::Find(index) => match done.found.first() {
                Some(found) => self.subscribe(index, found.id, limits, now)?,
                None => self.look_again(index, limits, now),
            },
            Purpose::Subscribe(index, target) => match (status, self.stations.get_mut(index)) {
                (Status::Ok, Some(station)) => station.target = Some(target),
                _ => self.look_again(index, limits, now),
            },
        }
        Ok(())
    }

    /// ubusd has answered what was said of a station.
    fn added(
        &mut self,
        index: usize,
        status: Status,
        limits: &Limits,
        now: Instant,
        out: &mut Happenings,
    ) -> Result<(), Broken> {
        let Some(station) = self.stations.get_mut(index) else {
            return Ok(());
        };
        let id = station.id.filter(|_| status == Status::Ok);
        station.id = id;
        let patterns = match (&station.role, id) {
            (_, None) => {
                station.again = Some(now + limits.longest_wait);
                if let Role::Offer(object) = &station.role {
                    out.push_back(Happening::NotOffered(object.path, status));
                }
                return Ok(());
            }
            (Role::Offer(object), Some(_)) => {
                out.push_back(Happening::Offered(object.path));
                return Ok(());
            }
            (Role::Subscribe(_), Some(_)) => return self.find(index, limits, now),
            (Role::Listen(patterns), Some(id)) => {
                let patterns = patterns.iter().map(|p| (id, p.clone()));
                patterns.collect::<Vec<_>>()
            }
        };
        for (id, pattern) in patterns {
            let message = |seq| message::register(seq, id, &pattern);
            self.own(
                message::EVENT_OBJECT,
                message,
                Purpose::Register,
                limits,
                now,
            )?;
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        index: usize,
        target: u32,
        limits: &Limits,
        now: Instant,
    ) -> Result<(), Broken> {
        let Some(id) = self.stations.get(index).and_then(|s| s.id) else {
            return Ok(());
        };
        let message = |seq| message::subscribe(seq, id, target);
        self.own(0, message, Purpose::Subscribe(index, target), limits, now)
    }

    fn look_again(&mut self, index: usize, limits: &Limits, now: Instant) {
        if let Some(station) = self.stations.get_mut(index) {
            station.again = Some(now + limits.longest_wait);
        }
    }

    /// An object that we had subscribed to is no more; its program may come back.
    fn target_gone(&mut self, body: &Body<'_>, limits: &Limits, now: Instant) {
        let gone = |s: &&mut Station| s.target.is_some() && s.target == body.target;
        for station in self.stations.iter_mut().filter(gone) {
            station.target = None;
            station.again = Some(now + limits.first_wait);
        }
    }

    fn invoked(&mut self, head: Head, body: &Body<'_>, out: &mut Happenings) -> Result<(), Broken> {
        let (Some(id), Some(method)) = (body.object, body.method) else {
            return self.stray();
        };
        let Some(station) = self.stations.iter().find(|s| s.id == Some(id)) else {
            return self.stray();
        };
        let refused = match json::table(body.data.unwrap_or_default()) {
            Err(_) => Status::InvalidArgument,
            Ok(table) => match &station.role {
                Role::Offer(object) => {
                    if let Some(method) = object.methods.iter().find(|m| m.name == method) {
                        out.push_back(Happening::Invoked(Invocation {
                            object: object.path,
                            method: method.name,
                            arguments: table,
                            user: body.user.map(str::to_owned),
                            group: body.group.map(str::to_owned),
                            head,
                            id,
                            reply: !body.no_reply,
                            connection: self.number,
                        }));
                        return Ok(());
                    }
                    Status::MethodNotFound
                }
                Role::Listen(_) => {
                    out.push_back(Happening::Event(method.to_owned(), table));
                    Status::Ok
                }
                Role::Subscribe(path) => {
                    let (path, what) = (path.clone(), method.to_owned());
                    out.push_back(Happening::Notified(path, what, table));
                    Status::Ok
                }
            },
        };
        match body.no_reply {
            true => Ok(()),
            false => self.end(head, id, refused),
        }
    }
}

fn timed_out(ticket: Ticket) -> Happening {
    Happening::Answered(ticket, Err(CallError::TimedOut))
}
