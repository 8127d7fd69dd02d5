//! From an answer to octets and socket acts: cookies, framing, endings, and the record.

use super::coding;
use super::converse::{Answer, What};
use super::misbehave::{Ending, Framing};
use super::record::{HttpReply, HttpRequest};
use super::session::{Act, State};
use super::wire;

impl State {
    /// Turns an answer into octets and socket acts, with cookies and framing, and records it.
    pub(super) fn perform(
        &mut self,
        index: usize,
        request: &HttpRequest,
        answer: Answer,
        door: Option<(String, String)>,
    ) -> Act {
        let Answer { label, what } = answer;
        let session = self.exchange(index).session;
        if let Some(record) = session.and_then(|s| self.record.session_mut(s)) {
            record.answers.push(label.clone());
        }
        let dress = |state: &mut State, mut reply: HttpReply| {
            reply.headers.extend(door.clone());
            state.add_cookies(request.listener, &mut reply);
            reply
        };
        match what {
            What::Http(reply) => {
                let reply = dress(self, reply);
                self.send(index, &label, &reply, false).0
            }
            What::End => {
                let status = match self.behaviour.ending {
                    Ending::NoContent | Ending::NoContentClose => 204,
                    Ending::EmptyOk | Ending::EmptyChunked => 200,
                };
                let reply = dress(self, HttpReply::status(status));
                self.send(index, &label, &reply, true).0
            }
            What::Half(reply) => {
                let reply = dress(self, reply);
                let (_, full) = self.send(index, &label, &reply, false);
                let half = full.get(..full.len() / 2).unwrap_or_default().to_vec();
                if let Some(live) = &mut self.live {
                    live.lost = Some((request.body.clone(), full));
                }
                Act::Send {
                    octets: half,
                    close: true,
                }
            }
            What::ThenClose(reply) => {
                let reply = dress(self, reply);
                let (_, octets) = self.send(index, &label, &reply, false);
                Act::Send {
                    octets,
                    close: true,
                }
            }
            What::Octets(octets) => {
                self.exchange(index).answer = label;
                Act::Send {
                    octets,
                    close: true,
                }
            }
            What::Hang | What::Drop | What::Reset => {
                self.exchange(index).answer = label;
                match what {
                    What::Hang => Act::Hang,
                    What::Drop => Act::Drop,
                    _ => Act::Reset,
                }
            }
        }
    }

    fn add_cookies(&mut self, listener: usize, reply: &mut HttpReply) {
        let Some(live) = self.live.as_ref().filter(|_| reply.status < 300) else {
            return;
        };
        let due = self
            .behaviour
            .cookies
            .set
            .iter()
            .filter(|(n, _)| *n == live.taken);
        for (_, cookie) in due {
            let cookie = cookie.replace("{s}", &live.tag);
            self.jar.set(listener, &cookie);
            reply.headers.push(("Set-Cookie".into(), cookie));
        }
    }

    pub(super) fn send(
        &mut self,
        index: usize,
        label: &str,
        reply: &HttpReply,
        ending: bool,
    ) -> (Act, Vec<u8>) {
        let mut framing = self.behaviour.framing.clone();
        let mut close = self.behaviour.close_each;
        if ending && self.behaviour.ending == Ending::EmptyChunked {
            framing = Framing::Chunked {
                sizes: Vec::new(),
                trailers: false,
            };
        }
        close |= ending && self.behaviour.ending == Ending::NoContentClose;
        let mut reply = reply.clone();
        if let Some(name) = self.behaviour.replies_in.filter(|_| !reply.body.is_empty()) {
            match coding::encoded(name, &reply.body) {
                Ok((name, body)) => reply = reply.body(body).header("Content-Encoding", name),
                Err(e) => self.record.errors.push(format!("a reply in {name}: {e}")),
            }
        }
        let reply = &reply;
        let (body, close) = wire::octets(reply, &framing, close);
        let mut octets = Vec::new();
        if self.behaviour.continue_first {
            octets.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        octets.extend(body);
        let exchange = self.exchange(index);
        exchange.status = Some(reply.status);
        exchange.answer = label.to_string();
        (
            Act::Send {
                octets: octets.clone(),
                close,
            },
            octets,
        )
    }
}
