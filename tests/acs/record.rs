//! What an [`Acs`](super::Acs) saw and did, in order: plain data for tests to read.
//! Nothing in here decides anything.

use super::soap::{CpeKind, CpeMessage};

/// One HTTP request of the CPE as it came off the wire.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The TCP connection it came on, counted from 1 over all listeners.
    pub connection: u32,
    /// Which listener of the ACS took it (0 is the one of [`Acs::url`](super::Acs::url)).
    pub listener: usize,
    pub method: String,
    /// The request target as sent, for example `/acs`.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// All headers in order, names in the case they were sent in.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of this name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str())
    }

    /// Every header of this name in any case.
    pub fn headers_named<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let named = move |h: &&'a (String, String)| h.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, v)| v.as_str())
    }

    /// The header whose name is exactly this one, case included.
    pub fn header_exact(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// One HTTP response, as the ACS means to send it (before framing is chosen).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    /// Headers besides those of the framing (Content-Length, Transfer-Encoding, Connection).
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpReply {
    /// A response without headers and body.
    pub fn status(status: u16) -> HttpReply {
        HttpReply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// 200 with an XML body.
    pub fn xml(body: Vec<u8>) -> HttpReply {
        HttpReply::status(200)
            .header("Content-Type", "text/xml; charset=\"utf-8\"")
            .body(body)
    }

    /// The same response with one more header.
    pub fn header(mut self, name: &str, value: &str) -> HttpReply {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same response with this body.
    pub fn body(mut self, body: Vec<u8>) -> HttpReply {
        self.body = body;
        self
    }
}

/// One HTTP request and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub request: HttpRequest,
    /// The session it belonged to; `None` for unauthenticated and refused requests.
    pub session: Option<u32>,
    /// Status of the reply; `None` where none was sent.
    pub status: Option<u16>,
    /// What the ACS said: an RPC's name, `end`, `401`, `redirect 302`, a trouble's name.
    pub answer: String,
}

/// How a session ended, seen from the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// Both sides had nothing more to say: an empty reply to an empty POST.
    Complete,
    /// The Inform got an HTTP error status.
    Refused(u16),
    /// The Inform got a CWMP fault other than 8005.
    Fault(u16),
    /// The ACS sent the CPE to a URL that is not its own.
    Redirected(u16),
    /// The ACS answered with something no CPE can go on from (the trouble's name).
    Broken(String),
    /// The CPE began another session, or the ACS was stopped, before the end.
    Abandoned,
}

/// One session: from an Inform to its end.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// Counted from 1 in the order of the Informs.
    pub number: u32,
    /// The Inform that began it.
    pub inform: CpeMessage,
    /// Everything the CPE said, the Inform first; an empty POST is a message of its own.
    pub messages: Vec<CpeMessage>,
    /// Names of what the ACS said, in order (`InformResponse`, `GetParameterValues`, `end`).
    pub answers: Vec<String>,
    /// `None` while it runs.
    pub end: Option<SessionEnd>,
}

impl SessionRecord {
    /// Names of all messages of the CPE, `""` for an empty POST.
    pub fn names(&self) -> Vec<&str> {
        self.messages.iter().map(|m| m.name.as_str()).collect()
    }

    /// The first message of this name (`GetParameterValuesResponse`, `Fault`, …).
    pub fn message(&self, name: &str) -> Option<&CpeMessage> {
        self.messages.iter().find(|m| m.name == name)
    }

    /// Every message of this name.
    pub fn messages_named(&self, name: &str) -> Vec<&CpeMessage> {
        self.messages.iter().filter(|m| m.name == name).collect()
    }

    /// Event codes of the Inform, for example `["0 BOOTSTRAP", "1 BOOT"]`.
    pub fn events(&self) -> Vec<&str> {
        let events = self
            .inform
            .inform
            .as_ref()
            .map(|i| i.events.as_slice())
            .unwrap_or_default();
        events.iter().map(|e| e.code.as_str()).collect()
    }

    /// Faults the CPE answered with.
    pub fn faults(&self) -> Vec<u16> {
        self.messages
            .iter()
            .filter_map(|m| m.fault.as_ref().map(|f| f.code))
            .collect()
    }

    /// Whether it ended as it should.
    pub fn complete(&self) -> bool {
        self.end == Some(SessionEnd::Complete)
    }

    /// The replies to requests of the ACS (responses and faults), in order.
    pub fn replies(&self) -> Vec<&CpeMessage> {
        let reply = |m: &&CpeMessage| matches!(m.kind, CpeKind::Response | CpeKind::Fault);
        self.messages.iter().filter(reply).collect()
    }
}

/// Everything since the start.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Every HTTP request in order of arrival.
    pub exchanges: Vec<Exchange>,
    pub sessions: Vec<SessionRecord>,
    /// What the CPE did that the protocol forbids, one line each.
    pub violations: Vec<String>,
    /// What went wrong in the ACS itself (a panic of a test's handler, an I/O error).
    pub errors: Vec<String>,
    /// TCP connections taken so far.
    pub connections: u32,
}

impl Record {
    /// The session with this number, counted from 1.
    pub(super) fn session_mut(&mut self, number: u32) -> Option<&mut SessionRecord> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.sessions.get_mut(index)
    }
}

/// What happens, as it happens: for a narrator. Sent over [`AcsConfig::events`](super::AcsConfig::events).
#[derive(Debug, Clone)]
pub enum AcsEvent {
    Connected {
        connection: u32,
    },
    Disconnected {
        connection: u32,
    },
    /// An Inform came and began a session.
    SessionBegan {
        session: u32,
        inform: Box<CpeMessage>,
    },
    /// The CPE said something (the Inform included; `name` is empty for an empty POST).
    FromCpe {
        session: u32,
        message: Box<CpeMessage>,
    },
    /// The ACS said something: the RPC's name (`end` for the empty reply) and its XML.
    ToCpe {
        session: u32,
        name: String,
        xml: String,
    },
    /// The ACS asked for credentials.
    Challenged {
        status: u16,
    },
    /// The ACS misbehaved on purpose.
    Trouble {
        what: String,
    },
    SessionEnded {
        session: u32,
        end: SessionEnd,
    },
    Violation {
        what: String,
    },
}
