//! What the agent offers on the bus: the object `tr069`, as scripts and web pages of other
//! agents know it.
//!
//! | method | arguments | answer |
//! |---|---|---|
//! | `notify` | | watched values are looked at now |
//! | `inform` | `event` (optional) | a session is asked for, as by `cwmp-agent inform` |
//! | `command` | `command` | what the agent makes of the word |
//! | `status` | | `cwmp`, `last_session`, `sessions`, `next_session`, `statistics` |
//!
//! The first three answer `status` (1: accepted, -1: not) and `info` (why, in words). Here
//! is only the shape of it: the agent does the work.

use serde_json::{Map, Value, json};

use super::client::Invocation;
use super::message::{ArgumentType, Method, Object};
use super::status::Status as Refusal;

/// The longest event or command that is taken, in bytes.
const LONGEST: usize = 256;

/// The object `tr069`.
pub const TR069: Object = Object {
    path: "tr069",
    methods: &[
        Method {
            name: "notify",
            arguments: &[],
        },
        Method {
            name: "inform",
            arguments: &[("event", ArgumentType::Text)],
        },
        Method {
            name: "command",
            arguments: &[("command", ArgumentType::Text)],
        },
        Method {
            name: "status",
            arguments: &[],
        },
    ],
};

/// What is asked of `tr069`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Watched values may have changed: look now.
    Notify,
    /// A session is wanted, with this event if one is named.
    Inform(Option<String>),
    /// One word that the agent may know.
    Command(String),
    /// How things stand.
    Status,
}

impl Request {
    /// Reads a call. Arguments nobody knows are passed over, as ubus does; one that is
    /// missing, no text, too long or has control characters in it is refused as
    /// [`Refusal::InvalidArgument`].
    pub fn read(call: &Invocation) -> Result<Request, Refusal> {
        match call.method {
            "notify" => Ok(Request::Notify),
            "inform" => Ok(Request::Inform(text(&call.arguments, "event")?)),
            "command" => match text(&call.arguments, "command")? {
                Some(command) => Ok(Request::Command(command)),
                None => Err(Refusal::InvalidArgument),
            },
            "status" => Ok(Request::Status),
            _ => Err(Refusal::MethodNotFound),
        }
    }
}

/// An argument; an empty one is as good as none.
fn text(arguments: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() > LONGEST || text.contains(char::is_control) => {
            Err(Refusal::InvalidArgument)
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::InvalidArgument),
    }
}

/// The answer to `notify`, `inform` and `command`: taken or not, and why in words.
pub fn verdict(accepted: bool, info: &str) -> Map<String, Value> {
    table([
        ("status", Some(json!(if accepted { 1 } else { -1 }))),
        ("info", Some(info.into())),
    ])
}

/// The answer to `status`. Times are UTC, written `2025-11-23T01:02:03Z`; what is not known
/// is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// When the agent started.
    pub started: Option<String>,
    /// The ACS that the next session goes to.
    pub acs_url: Option<String>,
    /// CWMP is switched off: there are no sessions.
    pub disabled: bool,
    /// The sessions that have ended, the last few of them, the youngest first.
    pub sessions: Vec<Session>,
    /// When the next session begins, if one is due.
    pub next: Option<String>,
    /// Whether a session is running.
    pub running: bool,
    /// Sessions since the start that went to their end.
    pub succeeded: u32,
    /// Sessions since the start that did not.
    pub failed: u32,
}

/// How a session went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Whether it went to its end.
    pub succeeded: bool,
    /// When it began.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// The event codes it carried.
    pub events: Vec<String>,
    /// Why it failed.
    pub why: Option<String>,
}

impl Session {
    fn answer(&self) -> Map<String, Value> {
        let status = match self.succeeded {
            true => "success",
            false => "failure",
        };
        let events = || Value::from(self.events.clone());
        table([
            ("status", Some(status.into())),
            ("start_time", self.started.clone().map(Value::from)),
            ("end_time", self.ended.clone().map(Value::from)),
            ("events", (!self.events.is_empty()).then(events)),
            ("info", self.why.clone().map(Value::from)),
        ])
    }
}

impl Status {
    /// The table that is answered.
    pub fn answer(&self) -> Map<String, Value> {
        let text = |text: &Option<String>| text.clone().map(Value::String);
        let last = match self.sessions.first() {
            Some(last) => last.answer(),
            None => table([("status", Some("none".into()))]),
        };
        let sessions = self.sessions.iter().map(|s| Value::Object(s.answer()));
        let cwmp = if self.disabled { "disabled" } else { "up" };
        let next = match (self.running, &self.next) {
            (true, _) => "running",
            (false, Some(_)) => "waiting",
            (false, None) => "none",
        };
        let number = |n: u32| Some(Value::from(n));
        table([
            (
                "cwmp",
                Some(Value::Object(table([
                    ("status", Some(cwmp.into())),
                    ("start_time", text(&self.started)),
                    ("acs_url", text(&self.acs_url)),
                ]))),
            ),
            ("last_session", Some(Value::Object(last))),
            ("sessions", Some(sessions.collect())),
            (
                "next_session",
                Some(Value::Object(table([
                    ("status", Some(next.into())),
                    ("start_time", text(&self.next)),
                ]))),
            ),
            (
                "statistics",
                Some(Value::Object(table([
                    ("success_sessions", number(self.succeeded)),
                    ("failure_sessions", number(self.failed)),
                    (
                        "total_sessions",
                        number(self.succeeded.saturating_add(self.failed)),
                    ),
                ]))),
            ),
        ])
    }
}

/// The values that are there.
fn table<const N: usize>(values: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let there = values.into_iter().filter_map(|(name, v)| Some((name, v?)));
    there
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
