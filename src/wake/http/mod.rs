//! The HTTP connection request listener (TR-069 3.2.2), driven by somebody else's poll loop.
//!
//! ```text
//! accept ──► Reading ──► whole head ──► decide ──► Writing ──► Reading   (kept)
//!               │                                     └──────► Draining ──► closed
//!               └─ too slow, too large, no HTTP: 400, 431 or closed
//! ```
//!
//! Memory is bounded: a fixed number of connections, with a fixed buffer each while they last.
//! In a flood the oldest connection makes room, an address keeps at most a few, and accepting
//! pauses rather than taking the processor. Nothing here blocks, reads a clock or knows of
//! sessions; what it hands out is a [`Knock`], after the answer was written.

mod connection;
mod decide;
pub mod head;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::Knock;
use crate::net::auth::server::{Credentials, Gate};
use crate::net::socket::{listen_tcp, set_dscp};

use connection::{Progress, Slot, State};
use decide::{Bucket, Judge, Outcome, network};

/// Connections accepted in one call at most.
const ACCEPTS: usize = 16;
/// Connections accepted in a row before their rate counts, and one more each ….
const ACCEPT_BURST: u32 = 64;
const ACCEPT_REFILL: Duration = Duration::from_millis(5);
/// How long accepting pauses when the system has no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);
/// At most one log line in this time.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Bounds of the listener; the defaults suit a small router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; default 16.
    pub connections: usize,
    /// Connections at once from one address; default 10, so that as many valid requests as
    /// are accepted in a row may also come side by side.
    pub per_source: usize,
    /// Time for a whole request head; default 5 s.
    pub head: Duration,
    /// Time a connection may stay idle between two requests; default 10 s.
    pub idle: Duration,
    /// Valid requests accepted in a row before the rate counts; default 10.
    pub burst: u32,
    /// One more valid request each …; default 2 s. Beyond: 503.
    pub refill: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 16,
            per_source: 10,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            burst: 10,
            refill: Duration::from_secs(2),
        }
    }
}

/// What the listener is told at the start.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Addresses to listen on, IPv4 and IPv6. With port 0 the first one takes any free port
    /// and the others the same one.
    pub addresses: Vec<SocketAddr>,
    /// Keep to this kernel device (SO_BINDTODEVICE).
    pub device: Option<String>,
    /// The secret path, with its leading slash.
    pub path: String,
    /// Who may knock.
    pub credentials: Credentials,
    /// Bounds.
    pub limits: Limits,
    /// Realm of the challenge.
    pub realm: String,
    /// 32 random bytes: the key of this listener's nonces.
    pub secret: [u8; 32],
}

impl fmt::Debug for ListenerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListenerConfig({:?})", self.addresses)
    }
}

/// Counts for `cwmp-agent status`; they stop at their largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Valid requests that became knocks.
    pub accepted: u32,
    /// Requests without credentials: the usual first step, answered with a challenge.
    pub challenged: u32,
    /// Wrong username or password.
    pub wrong_credentials: u32,
    /// Right password, but a nonce too old or used before (a replay).
    pub stale: u32,
    /// Not the secret path.
    pub wrong_path: u32,
    /// Not GET.
    pub wrong_method: u32,
    /// Not HTTP.
    pub malformed: u32,
    /// A head larger than 4096 bytes.
    pub too_large: u32,
    /// More requests than the limits allow.
    pub rate_limited: u32,
    /// Head not complete in time.
    pub timed_out: u32,
    /// Connections that had to make room for others.
    pub evicted: u32,
}

impl Counters {
    /// Everything that was refused. A challenge is not.
    pub fn refused(&self) -> u32 {
        self.named()
            .iter()
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Refusals by reason, in words for `status`.
    pub fn named(&self) -> [(&'static str, u32); 9] {
        [
            ("wrong credentials", self.wrong_credentials),
            ("replayed or old nonce", self.stale),
            ("wrong path", self.wrong_path),
            ("wrong method", self.wrong_method),
            ("no HTTP", self.malformed),
            ("head too large", self.too_large),
            ("too many", self.rate_limited),
            ("too slow", self.timed_out),
            ("pushed out", self.evicted),
        ]
    }

    /// These and those of another listener together.
    pub fn and(mut self, other: Counters) -> Counters {
        for (mine, theirs) in [
            (&mut self.accepted, other.accepted),
            (&mut self.challenged, other.challenged),
            (&mut self.wrong_credentials, other.wrong_credentials),
            (&mut self.stale, other.stale),
            (&mut self.wrong_path, other.wrong_path),
            (&mut self.wrong_method, other.wrong_method),
            (&mut self.malformed, other.malformed),
            (&mut self.too_large, other.too_large),
            (&mut self.rate_limited, other.rate_limited),
            (&mut self.timed_out, other.timed_out),
            (&mut self.evicted, other.evicted),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self
    }

    fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Accepted => &mut self.accepted,
            Outcome::Challenged => &mut self.challenged,
            Outcome::WrongCredentials => &mut self.wrong_credentials,
            Outcome::Stale => &mut self.stale,
            Outcome::WrongPath => &mut self.wrong_path,
            Outcome::WrongMethod => &mut self.wrong_method,
            Outcome::RateLimited => &mut self.rate_limited,
            Outcome::Malformed => &mut self.malformed,
            Outcome::TooLarge => &mut self.too_large,
        };
        *counter = counter.saturating_add(1);
    }
}

/// No listening socket came about.
#[derive(Debug)]
pub struct BindError {
    /// Which address.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot listen for connection requests on {}: {}; choose another cpe.port or stop \
             what uses it",
            self.address, self.source
        )
    }
}

impl std::error::Error for BindError {}

/// The listener.
pub struct Listener {
    sockets: Vec<TcpListener>,
    slots: Vec<Slot>,
    limits: Limits,
    judge: Judge,
    accepts: Bucket,
    paused_until: Option<Instant>,
    counters: Counters,
    logged: Counters,
    logged_at: Option<Instant>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({:?})", self.addresses())
    }
}

impl Listener {
    /// Opens the sockets.
    ///
    /// # Errors
    /// [`BindError`] with the first address that could not be had.
    pub fn bind(config: ListenerConfig, now: Instant) -> Result<Listener, BindError> {
        let limits = config.limits;
        let gate = Gate::new(config.secret, &config.realm, now);
        let accepted = Bucket::new(limits.burst, limits.refill, now);
        Ok(Listener {
            sockets: bind_all(&config.addresses, config.device.as_deref())?,
            slots: (0..limits.connections.max(1))
                .map(|_| Slot::empty(now))
                .collect(),
            limits,
            judge: Judge::new(config.path, config.credentials, gate, accepted),
            accepts: Bucket::new(ACCEPT_BURST, ACCEPT_REFILL, now),
            paused_until: None,
            counters: Counters::default(),
            logged: Counters::default(),
            logged_at: None,
        })
    }

    /// The addresses listened on, with their real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .filter_map(|s| s.local_addr().ok())
            .collect()
    }

    /// The port (of the first address); 0 when there is no address at all.
    pub fn port(&self) -> u16 {
        self.addresses().first().map_or(0, SocketAddr::port)
    }

    /// Takes over new credentials and path; connections stay.
    pub fn configure(&mut self, path: &str, credentials: Credentials) {
        path.clone_into(&mut self.judge.path);
        self.judge.credentials = credentials;
    }

    /// Marks the answers with this DSCP, 0–63 (`cpe.dscp`); connections that are there already
    /// keep theirs.
    pub fn set_dscp(&self, dscp: u8) {
        for socket in &self.sockets {
            let ipv6 = socket.local_addr().is_ok_and(|at| at.is_ipv6());
            if let Err(e) = set_dscp(socket, ipv6, dscp) {
                log::warn!("connection requests cannot be answered with DSCP {dscp}: {e}");
            }
        }
    }

    /// What to poll for. Changes with every call of [`Listener::ready`] and
    /// [`Listener::tick`].
    pub fn fds(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> + '_ {
        let accepting = self.paused_until.is_none();
        let sockets = self
            .sockets
            .iter()
            .filter(move |_| accepting)
            .map(|s| (s.as_fd(), PollFlags::POLLIN));
        let slots = self.slots.iter().filter_map(|slot| {
            let stream = slot.stream.as_ref()?;
            let wanted = match slot.state {
                State::Writing => PollFlags::POLLOUT,
                State::Reading | State::Draining => PollFlags::POLLIN,
            };
            Some((stream.as_fd(), wanted))
        });
        sockets.chain(slots)
    }

    /// Poll said that this descriptor can be read, written or has an error. Unknown
    /// descriptors are ignored. The answer to a valid request has been written, or waits for
    /// room in the socket, when this returns; several valid requests in one go are one knock.
    pub fn ready(&mut self, fd: RawFd, now: Instant) -> Option<Knock> {
        let mut knock = None;
        if let Some(at) = self.sockets.iter().position(|s| s.as_raw_fd() == fd) {
            self.accept(at, now);
        } else if let Some(at) = self.slot_of(fd) {
            knock = self.serve(at, now);
        }
        self.log(now);
        knock
    }

    /// Ends what is overdue. Call at [`Listener::next_deadline`] or more often.
    pub fn tick(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if slot.stream.is_some() && slot.deadline <= now {
                // An idle connection between requests ends without being anybody's fault.
                let owes_a_head = !slot.bytes().is_empty() || !slot.was_answered();
                if slot.state == State::Reading && owes_a_head {
                    self.counters.timed_out = self.counters.timed_out.saturating_add(1);
                }
                slot.shut();
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        self.log(now);
    }

    /// When [`Listener::tick`] is due; none: not before something is ready.
    pub fn next_deadline(&self) -> Option<Instant> {
        let connections = self
            .slots
            .iter()
            .filter(|s| s.stream.is_some())
            .map(|s| s.deadline);
        let log = self
            .logged_at
            .filter(|_| self.counters.refused() != self.logged.refused())
            .map(|at| at + LOG_EVERY);
        connections.chain(self.paused_until).chain(log).min()
    }

    /// What was accepted and refused since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.slots.iter().filter(|s| s.stream.is_some()).count()
    }

    fn slot_of(&self, fd: RawFd) -> Option<usize> {
        self.slots
            .iter()
            .position(|s| s.stream.as_ref().is_some_and(|t| t.as_raw_fd() == fd))
    }

    fn accept(&mut self, socket: usize, now: Instant) {
        for _ in 0..ACCEPTS {
            if let Some(until) = self.accepts.empty_until(now) {
                self.paused_until = Some(until);
                return;
            }
            let Some(socket) = self.sockets.get(socket) else {
                return;
            };
            match socket.accept() {
                Ok((stream, peer)) => {
                    self.accepts.take(now);
                    if stream.set_nonblocking(true).is_ok() {
                        // Without it the answer is only later, not wrong.
                        let _ = stream.set_nodelay(true);
                        self.admit(stream, peer, now);
                    }
                }
                Err(e) => match e.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        // Out of descriptors or memory: poll would only say "ready" again.
                        self.paused_until = Some(now + PAUSE);
                        return;
                    }
                },
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant) {
        let source = network(peer.ip());
        let is_open = |s: &Slot| s.stream.is_some();
        let own = |s: &Slot| is_open(s) && network(s.peer.ip()) == source;
        let of_source = self.slots.iter().filter(|s| own(s)).count();
        let place = if of_source >= self.limits.per_source.max(1) {
            oldest(&self.slots, own)
        } else {
            self.slots
                .iter()
                .position(|s| !is_open(s))
                .or_else(|| oldest(&self.slots, is_open))
        };
        let Some(slot) = place.and_then(|at| self.slots.get_mut(at)) else {
            return;
        };
        if slot.stream.is_some() && slot.state != State::Draining {
            self.counters.evicted = self.counters.evicted.saturating_add(1);
        }
        slot.shut();
        slot.open(stream, peer, now, now + self.limits.head);
    }

    /// Does all that can be done on a connection without waiting, for a few requests at most.
    fn serve(&mut self, at: usize, now: Instant) -> Option<Knock> {
        let mut knock = None;
        for _ in 0..16 {
            let Some(slot) = self.slots.get_mut(at) else {
                break;
            };
            let progress = match slot.state {
                State::Reading => {
                    match slot.read() {
                        // The rest of a pipelined request may be here already, also from
                        // a peer that will say no more.
                        other @ (Progress::Wait | Progress::Over) if !slot.bytes().is_empty() => {
                            if self.answer(at, now, &mut knock) {
                                Progress::More
                            } else {
                                other
                            }
                        }
                        Progress::More => {
                            self.answer(at, now, &mut knock);
                            Progress::More
                        }
                        other => other,
                    }
                }
                State::Writing => slot.write(now, self.limits.idle),
                State::Draining => slot.drain(),
            };
            match progress {
                Progress::More => {}
                Progress::Wait => break,
                Progress::Over => {
                    if let Some(slot) = self.slots.get_mut(at) {
                        slot.shut();
                    }
                    break;
                }
            }
        }
        knock
    }

    /// True when a whole head was there and an answer is on its way.
    fn answer(&mut self, at: usize, now: Instant, knock: &mut Option<Knock>) -> bool {
        let Some(slot) = self.slots.get_mut(at) else {
            return false;
        };
        let peer = slot.peer;
        let (outcome, close, length) = match head::parse(slot.bytes()) {
            Ok(None) if slot.is_full() => (Outcome::TooLarge, true, 0),
            Ok(None) => {
                slot.head_has_begun(now + self.limits.head);
                return false;
            }
            Err(head::Malformed) => (Outcome::Malformed, true, 0),
            Ok(Some(head)) => {
                let outcome = self.judge.decide(&head, peer.ip(), now);
                // Whoever was told to come back with credentials may do so on the same
                // connection; every other answer is the last one.
                let again = matches!(
                    outcome,
                    Outcome::Challenged | Outcome::WrongCredentials | Outcome::Stale
                );
                let close = !(again && head.keep_alive && !head.has_body);
                (outcome, close, head.length)
            }
        };
        slot.consume(length);
        self.judge.answer(outcome, close, now, &mut slot.out);
        slot.begin_answer(close);
        self.counters.count(outcome);
        if outcome == Outcome::Accepted && knock.is_none() {
            *knock = Some(Knock { peer });
        }
        true
    }

    fn log(&mut self, now: Instant) {
        if let Some(line) = self.log_line(now) {
            log::warn!("{line}");
        }
    }

    /// What was refused since the last line, at most once a minute.
    fn log_line(&mut self, now: Instant) -> Option<String> {
        let due = self.logged_at.is_none_or(|at| at + LOG_EVERY <= now);
        if !due || self.counters.refused() == self.logged.refused() {
            return None;
        }
        let parts: Vec<String> = self
            .counters
            .named()
            .iter()
            .zip(self.logged.named())
            .filter(|((_, new), (_, old))| new > old)
            .map(|((name, new), (_, old))| format!("{name} {}", new - old))
            .collect();
        self.logged = self.counters;
        self.logged_at = Some(now);
        Some(format!("connection requests refused: {}", parts.join(", ")))
    }
}

fn oldest(slots: &[Slot], among: impl Fn(&Slot) -> bool) -> Option<usize> {
    slots
        .iter()
        .enumerate()
        .filter(|(_, s)| among(s))
        .min_by_key(|(_, s)| (s.state != State::Draining, s.since))
        .map(|(at, _)| at)
}

fn bind_all(addresses: &[SocketAddr], device: Option<&str>) -> Result<Vec<TcpListener>, BindError> {
    // A port that is free for the first address may be taken for the second: then another one.
    let mut last = None;
    for _ in 0..8 {
        let mut sockets: Vec<TcpListener> = Vec::with_capacity(addresses.len());
        let mut given = 0;
        for wanted in addresses {
            let mut address = *wanted;
            if address.port() == 0 {
                address.set_port(given);
            }
            match listen_tcp(address, device) {
                Ok(socket) => {
                    if given == 0 {
                        given = socket.local_addr().map_or(0, |a| a.port());
                    }
                    sockets.push(socket);
                }
                Err(source) => {
                    let may_retry =
                        wanted.port() == 0 && given != 0 && source.kind() == ErrorKind::AddrInUse;
                    let error = BindError { address, source };
                    if !may_retry {
                        return Err(error);
                    }
                    last = Some(error);
                    break;
                }
            }
        }
        if sockets.len() == addresses.len() {
            return Ok(sockets);
        }
    }
    match last {
        Some(error) => Err(error),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-CRQ-012
    #[test]
    fn refusals_are_logged_at_most_once_a_minute() {
        let start = Instant::now();
        let config = ListenerConfig {
            addresses: Vec::new(),
            device: None,
            path: "/p".to_owned(),
            credentials: Credentials::default(),
            limits: Limits::default(),
            realm: "x".to_owned(),
            secret: [0; 32],
        };
        let mut listener = Listener::bind(config, start).expect("nothing to bind");
        assert_eq!(listener.log_line(start), None);
        listener.counters.count(Outcome::Challenged);
        assert_eq!(listener.log_line(start), None, "a challenge is no refusal");
        listener.counters.count(Outcome::WrongPath);
        let line = listener.log_line(start);
        assert_eq!(
            line.as_deref(),
            Some("connection requests refused: wrong path 1")
        );
        for _ in 0..3 {
            listener.counters.count(Outcome::WrongCredentials);
        }
        assert_eq!(listener.log_line(start + Duration::from_secs(59)), None);
        assert_eq!(listener.next_deadline(), Some(start + LOG_EVERY));
        let line = listener.log_line(start + LOG_EVERY);
        assert_eq!(
            line.as_deref(),
            Some("connection requests refused: wrong credentials 3")
        );
        assert_eq!(listener.next_deadline(), None);
    }
}
