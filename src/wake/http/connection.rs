//! One connection of the listener: reads a head into a fixed buffer, writes an answer, and
//! ends without tearing the answer away.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Largest head, bytes.
pub(super) const HEAD: usize = 4096;
/// How long a peer may take to close after its last answer.
const DRAIN: Duration = Duration::from_secs(1);
/// Bytes thrown away at most while waiting for that.
const DRAIN_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for a head, or for the rest of it.
    Reading,
    /// An answer is on its way.
    Writing,
    /// Answered for the last time; waiting for the peer to close, so that the kernel does
    /// not send a reset that overtakes the answer.
    Draining,
}

/// A slot serves one connection after the other. It has its buffers while one is open: the
/// number of slots bounds them, and a listener that nobody knocks at holds none.
pub(super) struct Slot {
    pub stream: Option<TcpStream>,
    pub peer: SocketAddr,
    pub state: State,
    /// It ends then, whatever it is doing.
    pub deadline: Instant,
    /// When it was accepted or last finished a request.
    pub since: Instant,
    /// [`HEAD`] bytes while a connection is open.
    head: Vec<u8>,
    filled: usize,
    /// Part of a head is here; its deadline is set.
    begun: bool,
    /// The latest answer.
    pub out: Vec<u8>,
    sent: usize,
    pub close: bool,
    drained: usize,
}

/// What came of looking at a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing more can be done now.
    Wait,
    /// Bytes came, or a request was answered: look again.
    More,
    /// It is over.
    Over,
}

impl Slot {
    pub(super) fn empty(now: Instant) -> Slot {
        Slot {
            stream: None,
            peer: SocketAddr::from(([0, 0, 0, 0], 0)),
            state: State::Reading,
            deadline: now,
            since: now,
            head: Vec::new(),
            filled: 0,
            begun: false,
            out: Vec::new(),
            sent: 0,
            close: false,
            drained: 0,
        }
    }

    pub(super) fn open(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant, by: Instant) {
        self.stream = Some(stream);
        self.peer = peer;
        self.state = State::Reading;
        self.since = now;
        self.deadline = by;
        self.head.resize(HEAD, 0);
        self.filled = 0;
        self.begun = false;
        self.out.clear();
        self.sent = 0;
        self.drained = 0;
        self.close = false;
    }

    pub(super) fn shut(&mut self) {
        self.stream = None;
        self.head = Vec::new();
        self.out = Vec::new();
        self.filled = 0;
    }

    /// The bytes of the head so far.
    pub(super) fn bytes(&self) -> &[u8] {
        self.head.get(..self.filled).unwrap_or_default()
    }

    /// True when no further byte of a head would fit.
    pub(super) fn is_full(&self) -> bool {
        self.filled >= HEAD
    }

    /// A request on this connection has had its answer.
    pub(super) fn was_answered(&self) -> bool {
        !self.out.is_empty()
    }

    /// The first part of a head is here. On a kept connection its time runs from now; on a
    /// new one it ran from the start. No further byte prolongs it.
    pub(super) fn head_has_begun(&mut self, by: Instant) {
        if !self.begun && self.was_answered() {
            self.deadline = by;
        }
        self.begun = true;
    }

    /// Drops the head that was answered, keeps what came after it.
    pub(super) fn consume(&mut self, length: usize) {
        let length = length.min(self.filled);
        self.head.copy_within(length..self.filled, 0);
        self.filled -= length;
        self.begun = false;
    }

    /// Begins to write what is in `out`.
    pub(super) fn begin_answer(&mut self, close: bool) {
        self.state = State::Writing;
        self.sent = 0;
        self.close = close;
    }

    pub(super) fn read(&mut self) -> Progress {
        let Some(mut stream) = self.stream.as_ref() else {
            return Progress::Over;
        };
        let Some(free) = self.head.get_mut(self.filled..) else {
            return Progress::Over;
        };
        match stream.read(free) {
            Ok(0) => Progress::Over,
            Ok(n) => {
                self.filled += n;
                Progress::More
            }
            Err(e) => later(&e),
        }
    }

    /// `idle`: how long the next request may be waited for.
    pub(super) fn write(&mut self, now: Instant, idle: Duration) -> Progress {
        let Some(mut stream) = self.stream.as_ref() else {
            return Progress::Over;
        };
        while let Some(rest) = self.out.get(self.sent..).filter(|r| !r.is_empty()) {
            match stream.write(rest) {
                Ok(0) => return Progress::Over,
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return later(&e),
            }
        }
        self.since = now;
        if self.close {
            if stream.shutdown(Shutdown::Write).is_err() {
                return Progress::Over;
            }
            self.state = State::Draining;
            self.deadline = now + DRAIN;
        } else {
            self.state = State::Reading;
            self.deadline = now + idle;
        }
        Progress::More
    }

    pub(super) fn drain(&mut self) -> Progress {
        let Some(mut stream) = self.stream.as_ref() else {
            return Progress::Over;
        };
        match stream.read(self.head.as_mut_slice()) {
            Ok(0) => Progress::Over,
            Ok(n) => {
                self.drained += n;
                if self.drained > DRAIN_BYTES {
                    return Progress::Over;
                }
                Progress::More
            }
            Err(e) => later(&e),
        }
    }
}

fn later(e: &io::Error) -> Progress {
    match e.kind() {
        ErrorKind::WouldBlock => Progress::Wait,
        ErrorKind::Interrupted => Progress::More,
        _ => Progress::Over,
    }
}
