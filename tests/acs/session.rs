//! The ACS's memory: sessions, what is expected next, and to which session a request
//! belongs. What is answered is decided in `converse`.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use super::AcsConfig;
use super::check;
use super::coding;
use super::converse::{Answer, What};
use super::digest::random_text;
use super::door::{Authenticator, Verdict};
use super::jar::Jar;
use super::misbehave::{Behaviour, Ending, Framing, Rule, Takes, Trouble, When};
use super::record::{
    AcsEvent, Exchange, HttpReply, HttpRequest, Record, SessionEnd, SessionRecord,
};
use super::script::{Handler, Script, SessionCtx, Then};
use super::soap::{CpeKind, CpeMessage};
use super::wire;

/// What a connection thread does with its socket.
pub(super) enum Act {
    Send { octets: Vec<u8>, close: bool },
    Hang,
    Drop,
    Reset,
}

/// A request of the ACS whose reply has not come.
pub(super) struct Awaiting {
    pub name: String,
    pub id: Option<String>,
    pub then: Option<Then>,
}

/// The running session.
pub(super) struct Live {
    pub ctx: SessionCtx,
    /// Messages taken so far.
    pub taken: u32,
    pub awaiting: Option<Awaiting>,
    /// N of cwmp-1-N that both sides speak, once settled.
    pub settled: Option<u8>,
    pub held: bool,
    pub held_ever: bool,
    /// An empty reply went out; and it was in answer to a reply of the CPE.
    pub ended: bool,
    pub ended_on_reply: bool,
    /// Name of the request that got fault 8005 and must come again.
    pub again: Option<String>,
    /// Whether the script was begun.
    pub stepped: bool,
    /// Body and full reply of the last message taken, where the reply was cut.
    pub lost: Option<(Vec<u8>, Vec<u8>)>,
    /// A message that was swallowed and may come again.
    pub swallowed: Option<Vec<u8>>,
    /// Where a redirect led: listener and target.
    pub moved: Option<(usize, String)>,
    /// The body that was redirected and must come there.
    pub moving: Option<Vec<u8>>,
    /// Text of this session for cookies.
    pub tag: String,
}

/// Everything behind the lock.
pub(super) struct State {
    pub record: Record,
    pub scripts: VecDeque<Script>,
    pub rules: Vec<Rule>,
    pub handler: Option<Handler>,
    pub behaviour: Behaviour,
    pub methods: Vec<String>,
    pub live: Option<Live>,
    /// Scheme, host and port of each listener.
    pub origins: Vec<String>,
    pub ids: u32,
    door: Authenticator,
    pub jar: Jar,
    events: Option<Sender<AcsEvent>>,
    refuse_left: u32,
    /// Body, connection, and whether the connection was to be closed, of the last 401.
    challenged: Option<(Vec<u8>, u32, bool)>,
}

impl State {
    pub(super) fn new(config: AcsConfig, origins: Vec<String>) -> State {
        State {
            record: Record::default(),
            scripts: config.sessions,
            rules: config.rules,
            handler: config.handler,
            behaviour: config.behaviour,
            methods: config.methods,
            live: None,
            origins,
            ids: 0,
            door: Authenticator::new(config.auth),
            jar: Jar::default(),
            events: config.events,
            refuse_left: 0,
            challenged: None,
        }
    }

    pub(super) fn tell(&self, event: AcsEvent) {
        if let Some(events) = &self.events {
            // A narrator that stopped listening is no error.
            let _ = events.send(event);
        }
    }

    pub(super) fn violation(&mut self, what: String) {
        let line = match &self.live {
            Some(l) => format!("session {}, message {}: {what}", l.ctx.session, l.taken + 1),
            None => format!("outside a session: {what}"),
        };
        self.tell(AcsEvent::Violation { what: line.clone() });
        self.record.violations.push(line);
    }

    fn violations(&mut self, wrong: &mut Vec<String>) {
        for what in wrong.drain(..) {
            self.violation(what);
        }
    }

    /// Session and message number of what comes next.
    fn next(&self) -> (u32, u32) {
        match &self.live {
            Some(l) if !l.ended => (l.ctx.session, l.taken + 1),
            _ => (self.sessions() + 1, 1),
        }
    }

    /// See [`Acs::forget`](super::Acs::forget).
    pub(super) fn forget(&mut self) {
        for session in self.record.sessions.iter_mut().filter(|s| s.end.is_some()) {
            session.messages = Vec::new();
            session.answers = Vec::new();
            session.inform.raw = String::new();
            session.inform.values = Vec::new();
        }
        for exchange in &mut self.record.exchanges {
            exchange.request.headers = Vec::new();
            exchange.request.body = Vec::new();
        }
        self.rules.retain(|r| r.times > 0);
        self.jar.forget();
        self.door.forget();
    }

    fn sessions(&self) -> u32 {
        u32::try_from(self.record.sessions.len()).unwrap_or(u32::MAX)
    }

    /// Whether to close instead of reading the next request.
    pub(super) fn drops_before_reading(&mut self, listener: usize) -> bool {
        let next = self.next();
        let drop = self.rule(next, None, listener).is_some();
        if drop {
            self.tell(AcsEvent::Trouble {
                what: Trouble::DropBeforeReading.name(),
            });
        }
        drop
    }

    /// The rule that applies now, used up by one. Without a message only those that need none.
    fn rule(&mut self, at: (u32, u32), message: Option<&str>, listener: usize) -> Option<Trouble> {
        let rule = self.rules.iter_mut().find(|r| {
            let early = matches!(r.what, Trouble::DropBeforeReading);
            let when = match r.when {
                When::Always => true,
                When::Post(n) => at.1 == n,
                When::In { session, post } => at == (session, post),
                When::Message(name) => message == Some(name),
                When::Listener(n) => listener == n,
            };
            r.times > 0 && when && (message.is_some() || early)
        })?;
        rule.times -= 1;
        Some(rule.what.clone())
    }

    /// One request: checked, recorded, answered.
    pub(super) fn take(&mut self, request: &HttpRequest, tls: bool) -> Act {
        let index = self.record.exchanges.len();
        self.record.exchanges.push(Exchange {
            request: request.clone(),
            session: None,
            status: None,
            answer: String::new(),
        });
        let mut wrong = Vec::new();
        let takes = self.behaviour.takes;
        check::http(request, takes != Takes::Nothing, &mut wrong);
        self.check_repeat(request, &mut wrong);
        let next = self.next();
        let verdict = self.door.check(request, next, &mut wrong);
        self.violations(&mut wrong);
        let door = match verdict {
            Verdict::Good(header) => header,
            Verdict::Refused(reply) => {
                self.tell(AcsEvent::Challenged {
                    status: reply.status,
                });
                let close = self.closes();
                self.challenged = Some((request.body.clone(), request.connection, close));
                return self.send(index, "401", &reply, false).0;
            }
        };
        if let (Takes::Refusing(status), true) =
            (takes, request.header("Content-Encoding").is_some())
        {
            let reply = HttpReply::status(status);
            return self.send(index, "compressed", &reply, false).0;
        }
        let request = &match coding::decoded(request) {
            Ok(request) => request,
            Err(what) => {
                self.violation(what);
                request.clone()
            }
        };
        let message = CpeMessage::read(&request.body);
        check::soap_action(request, &message, &mut wrong);
        check::envelope(&message, &mut wrong);
        let answer = match self.attribute(request, &message, tls, &mut wrong) {
            Ok(()) => {
                self.violations(&mut wrong);
                self.note_message(index, &message, &request.body);
                self.answer_in_session(request, &message)
            }
            Err(answer) => {
                self.violations(&mut wrong);
                answer
            }
        };
        self.perform(index, request, answer, door)
    }

    fn closes(&self) -> bool {
        let framing = &self.behaviour.framing;
        self.behaviour.close_each || matches!(framing, Framing::Http10 | Framing::UntilClose)
    }

    /// After a 401 and after a redirect the same request must come, at the right place.
    fn check_repeat(&mut self, request: &HttpRequest, wrong: &mut Vec<String>) {
        if let Some((body, connection, closed)) = self.challenged.take() {
            let repeats = request.header("Authorization").is_some();
            if repeats && body != request.body {
                wrong.push("after the 401 another message came".into());
            }
            if repeats && !closed && connection != request.connection {
                wrong.push("after the 401 the request came on another connection".into());
            }
        }
        let Some(live) = self.live.as_mut().filter(|l| !l.ended) else {
            return;
        };
        if let Some((listener, target)) = &live.moved
            && (*listener, target) != (request.listener, &request.target)
        {
            wrong.push(format!(
                "after the redirect a request for {} on listener {}",
                request.target, request.listener
            ));
        }
        if live
            .moving
            .as_ref()
            .is_some_and(|body| *body != request.body)
        {
            wrong.push("after the redirect another message came".into());
        }
    }

    /// Finds or begins the session of a message, or answers it at once.
    fn attribute(
        &mut self,
        request: &HttpRequest,
        message: &CpeMessage,
        tls: bool,
        wrong: &mut Vec<String>,
    ) -> Result<(), Answer> {
        let is_inform = message.name == "Inform" && message.kind == CpeKind::Request;
        if let Some(live) = &mut self.live {
            if let Some((body, octets)) = live.lost.take()
                && body == request.body
            {
                return Err(Answer {
                    label: "again".into(),
                    what: What::Octets(octets),
                });
            }
            let same = is_inform
                && !live.ended
                && live.taken == 0
                && (live.again.is_some() || live.ctx.inform.raw.as_bytes() == request.body);
            if !is_inform || same {
                let missing = self.jar.check(request, tls, wrong);
                if !is_inform && missing && self.behaviour.cookies.required {
                    return Err(Answer::status("no session", 400));
                }
                if !live.ended {
                    return Ok(());
                }
                let may = live.ended_on_reply || live.held_ever;
                if message.kind == CpeKind::Request && may {
                    live.ended = false;
                    if let Some(record) = self.record.session_mut(live.ctx.session) {
                        record.end = None;
                    }
                    return Ok(());
                }
                wrong.push(format!("`{}` after the session had ended", message.name));
                return Err(Answer::status("no session", 400));
            }
        }
        if !is_inform {
            wrong.push(format!("`{}` without an Inform before", message.name));
            return Err(Answer::status("no session", 400));
        }
        if self.live.as_ref().is_some_and(|l| !l.ended) {
            self.end(SessionEnd::Abandoned);
            self.refuse_left = self.behaviour.in_session_refusals;
        }
        self.jar.begin_session();
        self.jar.check(request, tls, wrong);
        self.begin(message);
        if self.refuse_left > 0 {
            self.refuse_left -= 1;
            self.end(SessionEnd::Refused(400));
            return Err(Answer::status("already in session", 400));
        }
        Ok(())
    }

    fn begin(&mut self, inform: &CpeMessage) {
        let session = self.sessions() + 1;
        self.record.sessions.push(SessionRecord {
            number: session,
            inform: inform.clone(),
            messages: Vec::new(),
            answers: Vec::new(),
            end: None,
        });
        let script = self.scripts.pop_front().unwrap_or_default();
        self.live = Some(Live {
            ctx: SessionCtx {
                session,
                post: 1,
                inform: inform.clone(),
                script,
            },
            taken: 0,
            awaiting: None,
            settled: None,
            held: false,
            held_ever: false,
            ended: false,
            ended_on_reply: false,
            again: None,
            stepped: false,
            lost: None,
            swallowed: None,
            moved: None,
            moving: None,
            tag: random_text(),
        });
        self.tell(AcsEvent::SessionBegan {
            session,
            inform: Box::new(inform.clone()),
        });
    }

    /// Ends the session. One that is complete may be continued by the CPE's own requests;
    /// a script that was not begun waits for the next session.
    pub(super) fn end(&mut self, end: SessionEnd) {
        let Some(mut live) = self.live.take() else {
            return;
        };
        let session = live.ctx.session;
        if let Some(record) = self.record.session_mut(session) {
            record.end = Some(end.clone());
        }
        if end == SessionEnd::Complete {
            live.ended = true;
            self.live = Some(live);
        } else if !live.stepped && live.ctx.script.remaining() > 0 {
            self.scripts.push_front(live.ctx.script);
        }
        self.tell(AcsEvent::SessionEnded { session, end });
    }

    /// The record of the exchange under way.
    #[expect(
        clippy::indexing_slicing,
        reason = "indexes come from where exchanges are recorded, and none is ever removed"
    )]
    pub(super) fn exchange(&mut self, index: usize) -> &mut Exchange {
        &mut self.record.exchanges[index]
    }

    fn note_message(&mut self, index: usize, message: &CpeMessage, body: &[u8]) {
        let Some(live) = &mut self.live else { return };
        let session = live.ctx.session;
        live.moving = None;
        let again = live.swallowed.take().is_some_and(|b| b == body);
        self.exchange(index).session = Some(session);
        if !again {
            if let Some(record) = self.record.session_mut(session) {
                record.messages.push(message.clone());
            }
            self.tell(AcsEvent::FromCpe {
                session,
                message: Box::new(message.clone()),
            });
        }
    }

    fn answer_in_session(&mut self, request: &HttpRequest, message: &CpeMessage) -> Answer {
        if let Some(why) = check::picky(message).filter(|_| self.behaviour.picky) {
            self.end(SessionEnd::Refused(400));
            return Answer::status(&format!("400 for {why}"), 400);
        }
        let next = self.next();
        match self.rule(next, Some(&message.name), request.listener) {
            Some(trouble) => self.trouble(&trouble, request, message, true),
            None => self.answer(request, message),
        }
    }
}
