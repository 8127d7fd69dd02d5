//! The troubles: right answers bent, and wrong ones instead.

use super::converse::{Answer, What};
use super::envelope::{Envelope, Node};
use super::misbehave::{SoapStyle, Target, Trouble};
use super::record::{AcsEvent, HttpReply, HttpRequest, SessionEnd};
use super::script::AcsReply;
use super::session::State;
use super::soap::{CWMP, CpeMessage, SOAP};
use super::wire;

impl State {
    /// Misbehaves. `ask`: where the right answer is needed, it is the handler's; else the
    /// script's (the handler has spoken already).
    pub(super) fn trouble(
        &mut self,
        trouble: &Trouble,
        request: &HttpRequest,
        message: &CpeMessage,
        ask: bool,
    ) -> Answer {
        let name = trouble.name();
        self.tell(AcsEvent::Trouble { what: name.clone() });
        if trouble.swallows()
            && let Some(live) = &mut self.live
        {
            live.swallowed = Some(request.body.clone());
        }
        let what = match trouble {
            Trouble::Silent => What::Hang,
            Trouble::DropBeforeReading | Trouble::DropAfterReading => What::Drop,
            Trouble::Reset => What::Reset,
            Trouble::Redirect { status, to } => What::Http(self.redirect(*status, to, request)),
            Trouble::Status(reply) => {
                // A status to the Inform refuses the session; later it breaks it.
                if message.name == "Inform" {
                    self.end(SessionEnd::Refused(reply.status));
                }
                What::Http(reply.clone())
            }
            Trouble::Fault(code) => {
                if ask {
                    self.accept(message);
                }
                let answer = self.fault(*code, "as the test wants it", message);
                return answer;
            }
            bends if bends.bends() => {
                let right = if ask {
                    self.answer(request, message)
                } else {
                    self.carry_out(AcsReply::Auto, request, message)
                };
                bend(bends, right)
            }
            other => {
                if ask {
                    self.accept(message);
                }
                instead(other, message, &self.behaviour.style)
            }
        };
        if trouble.breaks() {
            self.end(SessionEnd::Broken(name.clone()));
        }
        Answer { label: name, what }
    }

    fn redirect(&mut self, status: u16, to: &Target, request: &HttpRequest) -> HttpReply {
        let origin = |n: usize| self.origins.get(n).cloned().unwrap_or_default();
        let here = request.listener;
        let (location, place) = match to {
            Target::Listener(n, path) => (
                Some(format!("{}{path}", origin(*n))),
                Some((*n, path.clone())),
            ),
            Target::Path(path) => (
                Some(format!("{}{path}", origin(here))),
                Some((here, path.clone())),
            ),
            Target::Relative(path) => (Some(path.clone()), Some((here, path.clone()))),
            Target::Url(url) => (Some(url.clone()), None),
            Target::Missing => (None, None),
        };
        match place {
            Some(place) => {
                if let Some(live) = &mut self.live {
                    live.moved = Some(place);
                    live.moving = Some(request.body.clone());
                }
            }
            None => self.end(SessionEnd::Redirected(status)),
        }
        let reply = HttpReply::status(status);
        location.iter().fold(reply, |r, l| r.header("Location", l))
    }
}

/// A right answer made wrong.
fn bend(trouble: &Trouble, right: Answer) -> What {
    let reply = match right.what {
        What::Http(reply) => reply,
        What::End => HttpReply::status(204),
        // The handler misbehaves already.
        other => return other,
    };
    let body = match trouble {
        Trouble::DropHalfReply => return What::Half(reply),
        Trouble::CloseAfterReply => return What::ThenClose(reply),
        Trouble::TruncatedXml => reply
            .body
            .get(..reply.body.len() / 2)
            .unwrap_or_default()
            .to_vec(),
        Trouble::Doctype => after_declaration(&reply.body, "<!DOCTYPE x [<!ELEMENT x ANY>]>"),
        Trouble::TwoEnvelopes => {
            let second = wire::find(&reply.body, b"?>").map_or(0, |at| at + 2);
            let mut body = reply.body.clone();
            body.extend_from_slice(reply.body.get(second..).unwrap_or_default());
            body
        }
        Trouble::MustUnderstand => understand(&reply.body),
        _ => reply.body.clone(),
    };
    What::Http(HttpReply { body, ..reply })
}

/// Something that is no answer.
fn instead(trouble: &Trouble, message: &CpeMessage, style: &SoapStyle) -> What {
    let xml = |text: String| What::Http(HttpReply::xml(text.into_bytes()));
    match trouble {
        Trouble::MalformedFault => xml(format!(
            "<soap-env:Envelope xmlns:soap-env=\"{SOAP}\" xmlns:cwmp=\"{CWMP}0\"><soap-env:Body>\
             <soap-env:Body:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring>\
             <detail><cwmp:Fault><FaultCode>8000</FaultCode><FaultString>Method not supported</FaultString>\
             </cwmp:Fault></detail></soap-env:Body:Fault></soap-env:Body></soap-env:Envelope>"
        )),
        Trouble::Html => What::Http(
            HttpReply::status(200)
                .header("Content-Type", "text/html")
                .body(
                    b"<!DOCTYPE html><html><head><title>Log in<body><p>Welcome<br></html>".to_vec(),
                ),
        ),
        Trouble::EntityBomb => {
            let mut dtd = String::from("<!DOCTYPE b [<!ENTITY a0 \"bomb\">");
            for n in 1..=10 {
                let inner = format!("&a{};", n - 1).repeat(10);
                dtd.push_str(&format!("<!ENTITY a{n} \"{inner}\">"));
            }
            xml(format!(
                "{dtd}]>{}",
                carrying("<ParameterPath>&a10;</ParameterPath>")
            ))
        }
        Trouble::ExternalEntity => xml(format!(
            "<!DOCTYPE b [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}",
            carrying("<ParameterPath>&x;</ParameterPath>")
        )),
        Trouble::Deep(depth) => xml(carrying(&format!(
            "{}{}",
            "<a>".repeat(*depth),
            "</a>".repeat(*depth)
        ))),
        Trouble::Oversized(size) => {
            let frame = carrying("<ParameterPath></ParameterPath>").len();
            let filler = "x".repeat(size.saturating_sub(frame));
            xml(carrying(&format!(
                "<ParameterPath>{filler}</ParameterPath>"
            )))
        }
        Trouble::WrongOrder => {
            let args = [Node::strings("ParameterNames", ["Device."].into_iter())];
            let envelope = Envelope {
                style,
                name: "GetParameterValues",
                args: &args,
                id: message.id.as_deref(),
                hold: None,
                headers: &[],
            };
            What::Http(HttpReply::xml(envelope.write()))
        }
        Trouble::Empty => What::Http(HttpReply::status(204)),
        Trouble::Body(body) => What::Http(HttpReply::xml(body.clone())),
        Trouble::Wire(octets) => What::Octets(octets.clone()),
        // All others were dealt with where sockets and sessions are known.
        _ => What::Drop,
    }
}

fn carrying(args: &str) -> String {
    format!(
        "<e:Envelope xmlns:e=\"{SOAP}\" xmlns:c=\"{CWMP}0\"><e:Header><c:ID e:mustUnderstand=\"1\">t</c:ID>\
         </e:Header><e:Body><c:GetParameterNames>{args}<NextLevel>0</NextLevel></c:GetParameterNames>\
         </e:Body></e:Envelope>"
    )
}

fn after_declaration(body: &[u8], what: &str) -> Vec<u8> {
    let at = wire::find(body, b"?>").map_or(0, |at| at + 2);
    let (head, tail) = body.split_at(at);
    [head, what.as_bytes(), tail].concat()
}

/// Adds a header block of an unknown kind; `u` is bound where it is used.
fn understand(body: &[u8]) -> Vec<u8> {
    let block = format!(
        "<u:Foreign xmlns:u=\"urn:example:foreign\" xmlns:v=\"{SOAP}\" v:mustUnderstand=\"1\">x</u:Foreign>"
    );
    let text = String::from_utf8_lossy(body);
    let header = text.find("Header>").map(|at| at + "Header>".len());
    let Some(at) = header else {
        return body.to_vec();
    };
    let (head, tail) = text.split_at(at);
    format!("{head}{block}{tail}").into_bytes()
}
