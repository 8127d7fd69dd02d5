//! One CWMP session (TR-069 3.7.1) as one state machine without input or output.
//!
//! ```text
//!              start                        fault, wrong or broken reply: from any
//!                |                          waiting state to [failed]
//!          Post(Inform)
//!                v
//!         [inform sent] <----+ 8005: the same again
//!                |  |        |
//!                |  +--------+
//!        InformAccepted
//!                v   proceed                                  proceed
//!            [my turn] -- held, or nothing to ask --+      <------------ [request over]
//!                | OwnRequest                       |                       ^
//!                v                                  |            RequestDone|
//!         [asked caller] -- request(None) --------->|                       |
//!                | request(Some), Post(Request)     |                       |
//!                +-----> [request sent] ------------|-----------------------+
//!                          ^   |  8005              |
//!                          +---+                    | Post(Empty)
//!                                                   v
//!      [done] <-- Done --- empty, nothing to ask -- [their turn] <---------+
//!                                                   | Answer(request)      |
//!                                                   v                      |
//!                                              [answering] -- answer, -----+
//!                                                             Post(Response)
//! ```
//!
//! An empty reply in *their turn* releases HoldRequests and gives the caller one more
//! chance to ask (late requests, TR-069 3.7.1.4); when it has nothing, the session is
//! done.

mod step;

pub use step::{Answer, Failure, Options, Outcome, Post, PostKind, Step};

use super::fault::{self, AcsFault, Fault};
use super::message::{AcsResponse, CpeRequest, CpeResponse, Inform, Method};
use super::soap::{self, AcsBody, AcsEnvelope, AcsMessage, Heading, NamesWriter, ValuesWriter};
use super::version::CwmpVersion;

/// One session.
#[derive(Debug)]
pub struct Session {
    options: Options,
    state: State,
    version: CwmpVersion,
    inform_accepted: bool,
    /// The namespace in which the Inform was refused.
    refused_in: Option<CwmpVersion>,
    /// HoldRequests of the last envelope of the ACS.
    held: bool,
    /// Counts our requests: the next one's ID.
    next_id: u32,
    posts: u32,
}

/// Where the session stands; see the diagram above.
#[derive(Debug)]
enum State {
    InformSent(Sent),
    /// InformAccepted or RequestDone was said; the caller is to say `proceed`.
    Told,
    AskedCaller {
        /// The ACS has nothing more to ask: without a request of ours the session ends.
        last: bool,
    },
    RequestSent(Sent, Box<CpeRequest>),
    TheirTurn,
    Answering {
        request: Asked,
        id: Option<String>,
    },
    Over,
}

/// A request of ours that waits for its response.
#[derive(Debug)]
struct Sent {
    id: String,
    /// Kept for fault 8005.
    body: Vec<u8>,
    repeats: u32,
}

/// What of a request of the ACS is still needed when its answer comes.
#[derive(Debug)]
struct Asked {
    name: String,
    method: Option<Method>,
}

impl Session {
    /// Starts a session. The first step is the POST of the Inform (or a failure, when it
    /// does not fit the cap).
    pub fn start(options: Options, inform: &Inform) -> (Session, Step) {
        let mut session = Session {
            version: options.version,
            options,
            state: State::Over,
            inform_accepted: false,
            refused_in: None,
            held: false,
            next_id: 1,
            posts: 0,
        };
        let id = session.new_id();
        let heading = session.heading(Some(id.clone()));
        let step = match soap::write_inform(&heading, inform, session.options.session_timeout) {
            Ok(body) => {
                session.state = State::InformSent(Sent {
                    id,
                    body: body.clone(),
                    repeats: 0,
                });
                session.post(PostKind::Inform, body)
            }
            Err(e) => session.fail(Failure::TooLarge { cap: e.cap }),
        };
        (session, step)
    }

    /// An HTTP reply to the last POST came: its status and its whole body, after
    /// authentication and redirects. Answers that need no caller (9000, 9003,
    /// MustUnderstand) are given by the machine itself.
    pub fn reply(&mut self, status: u16, body: &[u8]) -> Step {
        if !matches!(
            self.state,
            State::InformSent(_) | State::RequestSent(..) | State::TheirTurn
        ) {
            return self.fail(Failure::Misused("a reply while no POST was open"));
        }
        let message = match status {
            204 => AcsMessage::Empty,
            200..=299 => match soap::read_acs_message(body, &self.options.limits) {
                Ok(message) => message,
                Err(e) => return self.fail(Failure::Unreadable(e)),
            },
            // CWMP sends SOAP faults with 200; SOAP 1.1 itself would have them sent with
            // 500, and some ACSs do. Nothing else is a CWMP reply there.
            500 => match soap::read_acs_message(body, &self.options.limits) {
                Ok(AcsMessage::Envelope(e)) if matches!(e.body, AcsBody::Fault(_)) => {
                    AcsMessage::Envelope(e)
                }
                Ok(AcsMessage::UnintelligibleFault) => AcsMessage::UnintelligibleFault,
                _ => return self.fail(Failure::HttpStatus(status)),
            },
            _ => return self.fail(Failure::HttpStatus(status)),
        };
        // HoldRequests holds from one envelope to the next; an empty reply releases it.
        self.held = matches!(&message, AcsMessage::Envelope(e) if e.hold_requests);
        match std::mem::replace(&mut self.state, State::Over) {
            State::InformSent(sent) => self.inform_reply(sent, message),
            State::RequestSent(sent, request) => self.request_reply(sent, request, message),
            _ => self.their_turn(message),
        }
    }

    /// No HTTP reply came: the session has failed.
    pub fn broken(&mut self, what: &str) -> Step {
        self.fail(Failure::Transport(what.to_string()))
    }

    /// After [`Step::InformAccepted`] and [`Step::RequestDone`].
    pub fn proceed(&mut self) -> Step {
        if !matches!(self.state, State::Told) {
            return self.fail(Failure::Misused("proceed where nothing was told"));
        }
        if self.held {
            return self.give_turn();
        }
        self.state = State::AskedCaller { last: false };
        Step::OwnRequest
    }

    /// After [`Step::OwnRequest`].
    pub fn request(&mut self, request: Option<CpeRequest>) -> Step {
        let State::AskedCaller { last } = self.state else {
            return self.fail(Failure::Misused("a request where none was asked for"));
        };
        let Some(request) = request else {
            if last {
                self.state = State::Over;
                return Step::Done;
            }
            return self.give_turn();
        };
        let request = Box::new(request);
        let since = request.since();
        if since > self.version {
            let why = format!(
                "{} needs CWMP {since}, this is {}",
                request.name(),
                self.version
            );
            return self.not_sent(request, why);
        }
        let id = self.new_id();
        match soap::write_cpe_request(&self.heading(Some(id.clone())), &request) {
            Ok(body) => {
                let kind = PostKind::Request(request.name());
                let sent = Sent {
                    id,
                    body: body.clone(),
                    repeats: 0,
                };
                self.state = State::RequestSent(sent, request);
                self.post(kind, body)
            }
            Err(e) => self.not_sent(request, e.to_string()),
        }
    }

    /// After [`Step::Answer`]. A response to another method than the one asked is a
    /// [`Failure::Misused`]; one larger than the cap is replaced by fault 9004.
    pub fn answer(&mut self, answer: Answer) -> Step {
        let State::Answering { request, id } = std::mem::replace(&mut self.state, State::Over)
        else {
            return self.fail(Failure::Misused("an answer where nothing was asked"));
        };
        let answers = match &answer {
            Answer::Response(response) => Some(response.method()),
            Answer::Values(_) => Some(Method::GetParameterValues),
            Answer::Names(_) => Some(Method::GetParameterNames),
            Answer::Fault(_) => request.method,
        };
        if answers != request.method {
            return self.fail(Failure::Misused("the response is to another method"));
        }
        let heading = self.heading(id.clone());
        let written = match answer {
            Answer::Response(response) => soap::write_cpe_response(&heading, &response),
            Answer::Values(writer) => writer.finish(),
            Answer::Names(writer) => writer.finish(),
            Answer::Fault(fault) => return self.fault(&request.name, id, fault),
        };
        match written {
            Ok(body) => {
                self.state = State::TheirTurn;
                self.post(PostKind::Response(request.name), body)
            }
            Err(too_large) => {
                let fault = Fault::new(fault::RESOURCES_EXCEEDED, too_large.to_string());
                self.fault(&request.name, id, fault)
            }
        }
    }

    /// A writer for the answer to the GetParameterValues just asked. On
    /// [`TooLarge`](super::soap::TooLarge) from a push, drop it and answer fault 9004.
    pub fn values_writer(&self) -> ValuesWriter {
        ValuesWriter::new(&self.answer_heading())
    }

    /// The same for GetParameterNames.
    pub fn names_writer(&self) -> NamesWriter {
        NamesWriter::new(&self.answer_heading())
    }

    fn answer_heading(&self) -> Heading {
        let id = match &self.state {
            State::Answering { id, .. } => id.clone(),
            _ => None,
        };
        self.heading(id)
    }

    /// The answer to GetRPCMethods: exactly the methods that this session does not answer
    /// with 9000.
    pub fn rpc_methods(&self) -> CpeResponse {
        let offered = self
            .options
            .methods
            .iter()
            .filter(|m| self.offers(Some(**m)));
        CpeResponse::GetRpcMethods(offered.map(|m| m.name().to_string()).collect())
    }

    /// The version settled on; before [`Step::InformAccepted`], the one offered.
    pub fn version(&self) -> CwmpVersion {
        self.version
    }

    /// What to offer instead, in a session that begins anew at once: the ACS has refused the
    /// Inform in a way that tells, or (where this offer was never `accepted_before`) may tell,
    /// that it does not speak the version offered.
    pub fn older_offer(&self, failure: &Failure, accepted_before: bool) -> Option<CwmpVersion> {
        let speaks_of_version = failure.suggests_older_version()
            || (failure.may_mean_older_version() && !accepted_before);
        if self.inform_accepted || !speaks_of_version {
            return None;
        }
        self.options.version.after_refusal(self.refused_in)
    }

    /// Whether the ACS has accepted the Inform.
    pub fn inform_accepted(&self) -> bool {
        self.inform_accepted
    }

    fn inform_reply(&mut self, sent: Sent, message: AcsMessage) -> Step {
        let envelope = match message {
            AcsMessage::Envelope(envelope) => envelope,
            AcsMessage::Empty => return self.out_of_order("InformResponse", "an empty reply"),
            AcsMessage::UnintelligibleFault => return self.fail(Failure::UnintelligibleFault),
        };
        if let Some(failure) = unusable(&sent, &envelope) {
            return self.fail(failure);
        }
        match envelope.body {
            AcsBody::Response(AcsResponse::Inform) => {}
            AcsBody::Fault(fault) if fault.asks_again() => {
                return match self.again(sent) {
                    Some((sent, body)) => {
                        self.state = State::InformSent(sent);
                        self.post(PostKind::Inform, body)
                    }
                    None => self.fail(Failure::TooManyRepeats {
                        request: "Inform".into(),
                    }),
                };
            }
            AcsBody::Fault(fault) => {
                self.refused_in = envelope.version;
                return self.fail(Failure::InformRefused(fault));
            }
            other => return self.out_of_order("InformResponse", &describe(&other)),
        }
        let offered = self.options.version;
        self.version = match &envelope.use_version {
            Some(text) => match CwmpVersion::parse(text).filter(|v| *v <= offered) {
                Some(version) => version,
                None => {
                    let shown = text.chars().take(32).collect();
                    return self.fail(Failure::VersionNotOffered(shown));
                }
            },
            // The namespace of a response is always known, else it would be none.
            None => envelope.version.unwrap_or(offered).min(offered),
        };
        self.inform_accepted = true;
        self.state = State::Told;
        Step::InformAccepted {
            version: self.version,
        }
    }

    fn request_reply(&mut self, sent: Sent, request: Box<CpeRequest>, message: AcsMessage) -> Step {
        let name = request.name();
        let due = format!("{name}Response");
        let envelope = match message {
            AcsMessage::Envelope(envelope) => envelope,
            // A question that no ACS has to have an answer to; it has ended nothing by that.
            AcsMessage::Empty if *request == CpeRequest::GetRpcMethods => {
                return self.request_done(request, Outcome::Unanswered);
            }
            AcsMessage::Empty => return self.out_of_order(&due, "an empty reply"),
            AcsMessage::UnintelligibleFault => {
                let text = "a fault in broken XML, taken as: method not supported".to_string();
                let fault = AcsFault {
                    code: fault::ACS_METHOD_NOT_SUPPORTED,
                    text,
                };
                return self.request_done(request, Outcome::Refused(fault));
            }
        };
        // Some take any POST behind the Inform for their turn.
        if *request == CpeRequest::GetRpcMethods
            && matches!(
                envelope.body,
                AcsBody::Request(_) | AcsBody::BadRequest { .. }
            )
        {
            return self.their_turn(AcsMessage::Envelope(envelope));
        }
        if let Some(failure) = unusable(&sent, &envelope) {
            return self.fail(failure);
        }
        match envelope.body {
            AcsBody::Response(response) if response.answers() == name => {
                let outcome = match response {
                    AcsResponse::GetRpcMethods(methods) => Outcome::Methods(methods),
                    AcsResponse::Kicked { next_url } => Outcome::NextUrl(next_url),
                    _ => Outcome::Delivered,
                };
                self.request_done(request, outcome)
            }
            AcsBody::Fault(fault) if fault.asks_again() => match self.again(sent) {
                Some((sent, body)) => {
                    self.state = State::RequestSent(sent, request);
                    self.post(PostKind::Request(name), body)
                }
                None => self.fail(Failure::TooManyRepeats {
                    request: name.into(),
                }),
            },
            AcsBody::Fault(fault) => self.request_done(request, Outcome::Refused(fault)),
            AcsBody::Nothing if *request == CpeRequest::GetRpcMethods => {
                self.request_done(request, Outcome::Unanswered)
            }
            other => self.out_of_order(&due, &describe(&other)),
        }
    }

    fn their_turn(&mut self, message: AcsMessage) -> Step {
        let envelope = match message {
            AcsMessage::Envelope(envelope) => envelope,
            AcsMessage::Empty => return self.ask_last(),
            AcsMessage::UnintelligibleFault => {
                return self.out_of_order("a request or the end", "a fault in broken XML");
            }
        };
        if let Some(header) = envelope.not_understood {
            return match envelope.body {
                AcsBody::Request(_) | AcsBody::BadRequest { .. } => {
                    self.not_understood(envelope.id, header)
                }
                _ => self.fail(Failure::NotUnderstood(header)),
            };
        }
        match envelope.body {
            AcsBody::Request(request) => {
                let asked = Asked {
                    name: request.name().to_string(),
                    method: request.method(),
                };
                if !self.offers(asked.method) {
                    let fault = Fault::method_not_supported(&asked.name);
                    return self.fault(&asked.name, envelope.id, fault);
                }
                self.state = State::Answering {
                    request: asked,
                    id: envelope.id,
                };
                Step::Answer(request)
            }
            AcsBody::BadRequest { method, fault } => {
                let fault = if self.offers(Method::of_name(&method)) {
                    fault
                } else {
                    Fault::method_not_supported(&method)
                };
                self.fault(&method, envelope.id, fault)
            }
            // An envelope without content ends the ACS's turn, unless it says otherwise.
            AcsBody::Nothing if envelope.hold_requests => self.give_turn(),
            AcsBody::Nothing => self.ask_last(),
            other => self.out_of_order("a request or the end", &describe(&other)),
        }
    }

    /// The ACS has nothing more to ask.
    fn ask_last(&mut self) -> Step {
        self.state = State::AskedCaller { last: true };
        Step::OwnRequest
    }

    /// Lets the ACS ask.
    fn give_turn(&mut self) -> Step {
        self.state = State::TheirTurn;
        self.post(PostKind::Empty, Vec::new())
    }

    fn request_done(&mut self, request: Box<CpeRequest>, outcome: Outcome) -> Step {
        self.state = State::Told;
        Step::RequestDone { request, outcome }
    }

    /// A request that is over without having been sent.
    fn not_sent(&mut self, request: Box<CpeRequest>, why: String) -> Step {
        self.request_done(request, Outcome::NotSent(why))
    }

    /// What to send once more, unless it was sent often enough.
    fn again(&self, mut sent: Sent) -> Option<(Sent, Vec<u8>)> {
        sent.repeats += 1;
        (sent.repeats <= self.options.repeats).then(|| {
            let body = sent.body.clone();
            (sent, body)
        })
    }

    fn offers(&self, method: Option<Method>) -> bool {
        method.is_some_and(|m| {
            !matches!(m, Method::SetVouchers | Method::GetOptions)
                && m.since() <= self.version
                && self.options.methods.contains(&m)
        })
    }

    /// Answers the ACS with a fault.
    fn fault(&mut self, method: &str, id: Option<String>, fault: Fault) -> Step {
        let heading = self.heading(id);
        let upload = method == Method::Upload.name();
        let mut code = fault::for_version(fault.code, self.version, upload);
        let known = Fault { code, ..fault };
        let written = soap::write_cpe_fault(&heading, &known).or_else(|_| {
            // A long list of bad parameters may not fit: the code alone does.
            code = fault::RESOURCES_EXCEEDED;
            soap::write_cpe_fault(&heading, &Fault::new(code, ""))
        });
        match written {
            Ok(body) => {
                self.state = State::TheirTurn;
                self.post(
                    PostKind::Fault {
                        method: method.to_string(),
                        code,
                    },
                    body,
                )
            }
            Err(e) => self.fail(Failure::TooLarge { cap: e.cap }),
        }
    }

    fn not_understood(&mut self, id: Option<String>, header: String) -> Step {
        match soap::write_not_understood(&self.heading(id), &header) {
            Ok(body) => {
                self.state = State::TheirTurn;
                self.post(PostKind::NotUnderstood { header }, body)
            }
            Err(e) => self.fail(Failure::TooLarge { cap: e.cap }),
        }
    }

    fn post(&mut self, kind: PostKind, body: Vec<u8>) -> Step {
        if self.posts >= self.options.max_posts {
            return self.fail(Failure::TooManyPosts);
        }
        self.posts += 1;
        Step::Post(Post { kind, body })
    }

    fn out_of_order(&mut self, waiting_for: &str, got: &str) -> Step {
        self.fail(Failure::OutOfOrder {
            waiting_for: waiting_for.into(),
            got: got.into(),
        })
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.state = State::Over;
        Step::Failed(failure)
    }

    fn heading(&self, id: Option<String>) -> Heading {
        Heading {
            version: self.version,
            id,
            cap: self.options.message_cap,
        }
    }

    fn new_id(&mut self) -> String {
        let id = self.next_id.to_string();
        self.next_id = self.next_id.wrapping_add(1);
        id
    }
}

/// What makes the reply to a request of ours unusable whatever its body says. An ID is
/// compared only when the ACS sends one: some leave it out.
fn unusable(sent: &Sent, envelope: &AcsEnvelope) -> Option<Failure> {
    if let Some(header) = &envelope.not_understood {
        return Some(Failure::NotUnderstood(header.clone()));
    }
    match &envelope.id {
        Some(got) if got.trim() != sent.id => Some(Failure::WrongId {
            sent: sent.id.clone(),
            got: got.chars().take(64).collect(),
        }),
        _ => None,
    }
}

/// A message in words, for the log.
fn describe(body: &AcsBody) -> String {
    match body {
        AcsBody::Nothing => "an empty envelope".to_string(),
        AcsBody::Request(request) => request.name().to_string(),
        AcsBody::BadRequest { method, .. } => method.clone(),
        AcsBody::Response(response) => format!("{}Response", response.answers()),
        AcsBody::Fault(fault) => fault.to_string(),
    }
}
