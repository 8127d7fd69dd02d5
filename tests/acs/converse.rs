//! The ACS's part of the conversation: which answer a message gets (TR-069 3.7.2), from
//! the test's handler, the script, or the protocol.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::envelope::{Envelope, Node};
use super::misbehave::{Ids, Target, Trouble};
use super::record::{AcsEvent, HttpReply, HttpRequest, SessionEnd};
use super::script::{AcsReply, Rpc, Step};
use super::session::{Awaiting, State};
use super::soap::{CpeKind, CpeMessage};
use super::trouble;

/// An answer and its name for the record.
pub(super) struct Answer {
    pub label: String,
    pub what: What,
}

pub(super) enum What {
    Http(HttpReply),
    /// The empty reply in the way the behaviour says.
    End,
    /// Send half of it, close.
    Half(HttpReply),
    /// Send it, then close unannounced.
    ThenClose(HttpReply),
    /// These octets as they are, then close.
    Octets(Vec<u8>),
    Hang,
    Drop,
    Reset,
}

impl Answer {
    pub(super) fn status(label: &str, status: u16) -> Answer {
        Answer {
            label: label.into(),
            what: What::Http(HttpReply::status(status)),
        }
    }
}

impl State {
    /// The right answer to a message of the running session.
    pub(super) fn answer(&mut self, request: &HttpRequest, message: &CpeMessage) -> Answer {
        self.accept(message);
        let Some(live) = &mut self.live else {
            return Answer::status("no session", 400);
        };
        live.ctx.post = live.taken;
        let reply = match &mut self.handler {
            None => AcsReply::Auto,
            Some(handler) => {
                let ctx = &mut live.ctx;
                match catch_unwind(AssertUnwindSafe(|| handler(ctx, message))) {
                    Ok(reply) => reply,
                    Err(panic) => {
                        let text = panic_text(panic.as_ref());
                        self.record
                            .errors
                            .push(format!("the handler panicked: {text}"));
                        self.end(SessionEnd::Broken("the handler panicked".into()));
                        return Answer::status("the handler panicked", 500);
                    }
                }
            }
        };
        self.carry_out(reply, request, message)
    }

    /// Takes a message: holds it against what was awaited, lets the script look at it.
    pub(super) fn accept(&mut self, message: &CpeMessage) {
        let Some(live) = &mut self.live else { return };
        let mut wrong = Vec::new();
        let is_reply = matches!(message.kind, CpeKind::Response | CpeKind::Fault);
        if let (Some(now), Some(settled), true) =
            (message.minor, live.settled, message.name != "Inform")
            && now != settled
        {
            wrong.push(format!(
                "cwmp-1-{now}, but the session settled on cwmp-1-{settled}"
            ));
        }
        if message.kind == CpeKind::Request && live.held && message.name != "Inform" {
            wrong.push(format!("{} although HoldRequests is true", message.name));
        }
        if let Some(name) = live.again.take()
            && name != message.name
        {
            wrong.push(format!(
                "after fault 8005 to {name} came `{}`",
                message.name
            ));
        }
        match live.awaiting.take() {
            Some(awaiting) if is_reply => {
                let name = &message.name;
                if name != "Fault" && *name != format!("{}Response", awaiting.name) {
                    wrong.push(format!("{name} in reply to {}", awaiting.name));
                }
                if awaiting.id.is_some() && awaiting.id != message.id {
                    wrong.push(format!(
                        "cwmp:ID {:?}, the request had {:?}",
                        message.id, awaiting.id
                    ));
                }
                if let Some(then) = awaiting.then {
                    match catch_unwind(AssertUnwindSafe(|| then(message))) {
                        Ok(steps) => live.ctx.script.push_front(steps),
                        Err(panic) => {
                            let text = panic_text(panic.as_ref());
                            self.record
                                .errors
                                .push(format!("a script's step panicked: {text}"));
                        }
                    }
                }
            }
            Some(awaiting) => {
                wrong.push(format!(
                    "`{}` where the reply to {} is due",
                    message.name, awaiting.name
                ));
            }
            None if is_reply => wrong.push(format!("{} that nobody asked for", message.name)),
            None => {}
        }
        for what in wrong {
            self.violation(what);
        }
        if let Some(live) = &mut self.live {
            live.taken += 1;
        }
    }

    pub(super) fn carry_out(
        &mut self,
        reply: AcsReply,
        request: &HttpRequest,
        message: &CpeMessage,
    ) -> Answer {
        match reply {
            AcsReply::Auto if message.kind == CpeKind::Request => self.respond(message),
            AcsReply::Auto => self.step(request, message),
            AcsReply::Send(rpc) => self.say(&rpc, message, None),
            AcsReply::Fault(code, text) => self.fault(code, &text, message),
            AcsReply::End => self.say_end(message),
            AcsReply::Http(reply) => Answer {
                label: format!("status {}", reply.status),
                what: What::Http(reply),
            },
            AcsReply::Trouble(trouble) => self.trouble(&trouble, request, message, false),
        }
    }

    /// The response to a request of the CPE.
    fn respond(&mut self, message: &CpeMessage) -> Answer {
        let name = message.name.as_str();
        if !self.methods.iter().any(|m| m == name) {
            return self.fault(8000, "Method not supported", message);
        }
        let args = match name {
            "Inform" => vec![Node::text("MaxEnvelopes", "1")],
            "GetRPCMethods" => vec![Node::strings(
                "MethodList",
                self.methods.iter().map(String::as_str),
            )],
            _ => Vec::new(),
        };
        self.say(&Rpc::new(&format!("{name}Response"), args), message, None)
    }

    /// The script's next step.
    fn step(&mut self, request: &HttpRequest, message: &CpeMessage) -> Answer {
        loop {
            let Some(live) = &mut self.live else {
                return Answer::status("no session", 400);
            };
            let Some(step) = live.ctx.script.steps.pop_front() else {
                return self.say_end(message);
            };
            live.stepped = true;
            match step {
                Step::Hold(hold) => live.ctx.script.hold = hold,
                Step::Send(rpc) => return self.say(&rpc, message, None),
                Step::SendThen(rpc, then) => return self.say(&rpc, message, Some(then)),
                // A step that says Auto is none.
                Step::Answer(AcsReply::Auto) => {}
                Step::Answer(reply) => return self.carry_out(reply, request, message),
            }
        }
    }

    /// The empty reply: the session is complete if the CPE had nothing to say either. It
    /// carries no HoldRequests, so it holds nothing back.
    fn say_end(&mut self, message: &CpeMessage) -> Answer {
        self.tell_cpe("end", &[]);
        if message.kind == CpeKind::Request {
            return Answer {
                label: "end".into(),
                what: What::End,
            };
        }
        if let Some(live) = &mut self.live {
            live.ended_on_reply = message.kind != CpeKind::Empty;
            live.held = false;
        }
        self.end(SessionEnd::Complete);
        Answer {
            label: "end".into(),
            what: What::End,
        }
    }

    /// A CWMP fault in answer to a request of the CPE; 8005 asks for the same again.
    pub(super) fn fault(&mut self, code: u16, text: &str, message: &CpeMessage) -> Answer {
        let args = vec![
            Node::text("FaultCode", &code.to_string()),
            Node::text("FaultString", text),
        ];
        let answer = self.say(&Rpc::new("Fault", args), message, None);
        let label = format!("Fault {code}");
        if let Some(live) = &mut self.live {
            if code == 8005 {
                live.again = Some(message.name.clone());
                // The same message again keeps its number.
                live.taken -= live.taken.min(1);
            } else if message.name == "Inform" {
                self.end(SessionEnd::Fault(code));
            }
        }
        Answer { label, ..answer }
    }

    /// Sends one envelope.
    fn say(
        &mut self,
        rpc: &Rpc,
        message: &CpeMessage,
        then: Option<super::script::Then>,
    ) -> Answer {
        let octets = self.envelope(rpc, message, &[]);
        let Some(live) = &mut self.live else {
            return Answer::status("no session", 400);
        };
        live.held = live.ctx.script.hold.unwrap_or(false);
        live.held_ever |= live.held;
        if rpc.name == "InformResponse" && live.settled.is_none() {
            let style = &self.behaviour.style;
            let said = style
                .use_version
                .as_deref()
                .and_then(|v| v.strip_prefix("1."));
            let acs = said.and_then(|n| n.parse().ok()).unwrap_or(style.minor);
            live.settled = Some(acs.min(live.ctx.inform.minor.unwrap_or(0)).min(2));
        }
        if !rpc.is_response() {
            // Read back, so that a raw envelope's ID is known too.
            let id = CpeMessage::read(&octets).id;
            live.awaiting = Some(Awaiting {
                name: rpc.name.clone(),
                id,
                then,
            });
        }
        self.tell_cpe(&rpc.name, &octets);
        Answer {
            label: rpc.name.clone(),
            what: What::Http(HttpReply::xml(octets)),
        }
    }

    /// An envelope's octets in the ACS's style.
    fn envelope(
        &mut self,
        rpc: &Rpc,
        message: &CpeMessage,
        more: &[(String, String, bool)],
    ) -> Vec<u8> {
        if let Some(raw) = &rpc.raw {
            return raw.clone();
        }
        self.ids += 1;
        let style = &self.behaviour.style;
        let running = match style.ids {
            Ids::Running => Some(format!("{}", self.ids)),
            Ids::Odd => Some(format!("<{}> & \"ü\" ]]> {}", self.ids, "i".repeat(80))),
            Ids::None => None,
        };
        let id = match (&rpc.id, rpc.is_response()) {
            (Some(id), _) => Some(id.clone()),
            (None, true) => message.id.clone(),
            (None, false) => running,
        };
        let headers: Vec<_> = rpc.headers.iter().chain(more).cloned().collect();
        let envelope = Envelope {
            style,
            name: &rpc.name,
            args: &rpc.args,
            id: id.as_deref(),
            hold: self.live.as_ref().and_then(|l| l.ctx.script.hold),
            headers: &headers,
        };
        envelope.write()
    }

    fn tell_cpe(&self, name: &str, octets: &[u8]) {
        let Some(live) = &self.live else { return };
        let xml = String::from_utf8_lossy(octets).into_owned();
        self.tell(AcsEvent::ToCpe {
            session: live.ctx.session,
            name: name.into(),
            xml,
        });
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
        .into()
}
