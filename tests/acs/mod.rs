//! A scripted ACS on loopback, for the integration tests and the `try` command.
//!
//! It is an implementation of CWMP's other side that shares no code with the crate under
//! test, so that the two check each other. It serves one CPE at a time, records all it
//! sees, checks the CPE strictly and misbehaves as told. It must never use the crate's
//! protocol code, listen on anything but loopback, or outlive its handle.
//!
//! ```ignore
//! let acs = Acs::start(AcsConfig::default().session(Script::of([get_values(&["Device."])])))?;
//! // … point the CPE at acs.url() …
//! let session = acs.wait_session(1, Duration::from_secs(10)).expect("a session");
//! assert!(session.complete());
//! acs.finish().unwrap();
//! ```

// Each test uses its own part of this.
#![allow(dead_code, unused_imports)]

mod check;
mod coding;
mod converse;
pub mod digest;
mod door;
pub mod envelope;
mod jar;
pub mod knock;
pub mod misbehave;
pub mod record;
mod reply;
pub mod script;
mod server;
mod session;
pub mod soap;
mod trouble;
mod wire;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub use digest::{Algorithm, Auth, DigestAuth};
pub use envelope::Node;
pub use knock::{Knock, KnockReply, Second, knock, knock_on, raw_request};
pub use misbehave::{
    Behaviour, Cookies, Ending, Framing, Ids, Prefixes, Rule, SoapStyle, Takes, Target, Trouble,
    When,
};
pub use record::{AcsEvent, Exchange, HttpReply, HttpRequest, Record, SessionEnd, SessionRecord};
pub use script::*;
use server::Server;
pub use soap::{CpeFault, CpeKind, CpeMessage, Event, Inform, ParameterValue};

/// How an [`Acs`] behaves. `AcsConfig::default()` is friendly: InformResponse, then 204.
pub struct AcsConfig {
    /// One script for each session to come; sessions beyond get none.
    pub sessions: VecDeque<Script>,
    /// Asked before the script for every message.
    pub handler: Option<Handler>,
    pub auth: Auth,
    pub behaviour: Behaviour,
    pub rules: Vec<Rule>,
    /// Ports to listen on; all are the same ACS (for redirects and a changed URL). At least 1.
    pub listeners: usize,
    /// Listen on ::1 instead of 127.0.0.1.
    pub ipv6: bool,
    /// The path of [`Acs::url`].
    pub path: String,
    /// TLS on these listeners.
    pub tls: Vec<(usize, Arc<rustls::ServerConfig>)>,
    /// How long a connection may be silent.
    pub idle: Duration,
    /// Tells what happens as it happens.
    pub events: Option<Sender<AcsEvent>>,
    /// Methods in the GetRPCMethodsResponse.
    pub methods: Vec<String>,
}

impl Default for AcsConfig {
    fn default() -> AcsConfig {
        let methods = ["Inform", "GetRPCMethods", "TransferComplete"];
        AcsConfig {
            sessions: VecDeque::new(),
            handler: None,
            auth: Auth::None,
            behaviour: Behaviour::default(),
            rules: Vec::new(),
            listeners: 1,
            ipv6: false,
            path: "/acs".into(),
            tls: Vec::new(),
            idle: Duration::from_secs(30),
            events: None,
            methods: methods.map(String::from).to_vec(),
        }
    }
}

impl AcsConfig {
    /// The next session's script.
    #[must_use]
    pub fn session(mut self, script: Script) -> AcsConfig {
        self.sessions.push_back(script);
        self
    }

    /// Logic of the test's own, see [`Handler`].
    #[must_use]
    pub fn handler(
        mut self,
        handler: impl FnMut(&mut SessionCtx, &CpeMessage) -> AcsReply + Send + 'static,
    ) -> AcsConfig {
        self.handler = Some(Box::new(handler));
        self
    }

    #[must_use]
    pub fn auth(mut self, auth: Auth) -> AcsConfig {
        self.auth = auth;
        self
    }

    #[must_use]
    pub fn behaviour(mut self, behaviour: Behaviour) -> AcsConfig {
        self.behaviour = behaviour;
        self
    }

    #[must_use]
    pub fn style(mut self, style: SoapStyle) -> AcsConfig {
        self.behaviour.style = style;
        self
    }

    #[must_use]
    pub fn rule(mut self, rule: Rule) -> AcsConfig {
        self.rules.push(rule);
        self
    }

    #[must_use]
    pub fn listeners(mut self, count: usize) -> AcsConfig {
        self.listeners = count;
        self
    }

    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> AcsConfig {
        self.tls.push((0, config));
        self
    }

    #[must_use]
    pub fn events(mut self, sender: Sender<AcsEvent>) -> AcsConfig {
        self.events = Some(sender);
        self
    }
}

/// A running ACS. Dropping it closes all connections and ends its threads, and prints
/// what [`Acs::finish`] would have reported.
pub struct Acs {
    server: Server,
    origins: Vec<String>,
    path: String,
    finished: bool,
}

impl Acs {
    /// Binds and listens. Errors: no free port, no thread.
    pub fn start(config: AcsConfig) -> io::Result<Acs> {
        let path = config.path.clone();
        let server = Server::start(config)?;
        let origins = server.shared.state().origins.clone();
        Ok(Acs {
            server,
            origins,
            path,
            finished: false,
        })
    }

    /// The ACS's URL (of listener 0).
    pub fn url(&self) -> String {
        self.url_of(0)
    }

    /// The URL of a listener; empty for one that does not exist.
    pub fn url_of(&self, listener: usize) -> String {
        self.origins
            .get(listener)
            .map(|o| format!("{o}{}", self.path))
            .unwrap_or_default()
    }

    /// Adds a script for a session that has not begun yet.
    pub fn push_session(&self, script: Script) {
        self.server.shared.state().scripts.push_back(script);
    }

    /// Forgets the scripts of sessions to come, and of one that broke off before its script
    /// was begun and that would be taken up again.
    pub fn clear_sessions(&self) {
        let mut state = self.server.shared.state();
        state.scripts.clear();
        if let Some(live) = state.live.as_mut().filter(|live| !live.stepped) {
            live.ctx.script = Script::new();
        }
    }

    /// Adds a rule, after those there are.
    pub fn push_rule(&self, rule: Rule) {
        self.server.shared.state().rules.push(rule);
    }

    /// Changes the manners from the next reply on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.server.shared.state().behaviour = behaviour;
    }

    /// Waits until session `number` (from 1) has ended; `None` when `timeout` is over first.
    pub fn wait_session(&self, number: u32, timeout: Duration) -> Option<SessionRecord> {
        self.wait_until(timeout, |r| {
            r.sessions
                .iter()
                .find(|s| s.number == number && s.end.is_some())
                .cloned()
        })
    }

    /// Waits until `look` finds what it wants in the record; it is asked again after each
    /// change, never by polling, and holds up the ACS while it looks.
    pub fn wait_until<T>(
        &self,
        timeout: Duration,
        look: impl FnMut(&Record) -> Option<T>,
    ) -> Option<T> {
        self.server.shared.wait(timeout, look)
    }

    /// Everything so far.
    pub fn record(&self) -> Record {
        self.server.shared.state().record.clone()
    }

    /// Forgets what was said in the sessions that are over, and what only they needed, for
    /// runs so long that it would fill the memory and take ever longer to look through.
    /// Their number, Inform and end stay.
    pub fn forget(&self) {
        self.server.shared.state().forget();
    }

    /// Requests begun and not yet answered; more than one is a violation.
    pub fn in_flight(&self) -> u32 {
        self.server.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Violations so far.
    pub fn violations(&self) -> Vec<String> {
        self.server.shared.state().record.violations.clone()
    }

    /// Stops, and gives everything recorded. Errors: anything the CPE did that the
    /// protocol forbids, anything that went wrong in the ACS itself.
    pub fn finish(mut self) -> Result<Record, Failure> {
        let record = self.stop();
        if record.violations.is_empty() && record.errors.is_empty() {
            Ok(record)
        } else {
            Err(Failure { record })
        }
    }

    fn stop(&mut self) -> Record {
        self.finished = true;
        self.server.stop();
        let mut state = self.server.shared.state();
        for session in &mut state.record.sessions {
            session.end.get_or_insert(SessionEnd::Abandoned);
        }
        state.record.clone()
    }
}

impl Drop for Acs {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let failure = Failure {
            record: self.stop(),
        };
        let text = failure.to_string();
        if !text.is_empty() {
            eprintln!("{text}");
        }
    }
}

/// What [`Acs::finish`] found wrong: `violations` and `errors` of the record.
#[derive(Clone)]
pub struct Failure {
    pub record: Record,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.record.violations {
            write!(f, "\nCPE: {line}")?;
        }
        for line in &self.record.errors {
            write!(f, "\nACS: {line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
