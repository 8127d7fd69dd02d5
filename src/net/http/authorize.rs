//! Who we say we are, and to whom: the client's side of 401 (TR-069 3.4.4).
//!
//! Used towards file servers, too, with their own credentials.
//!
//! Every origin (scheme, host, port) that asked gets its own answer; none gets the answer
//! that was made for another one. Once a challenge was answered the header goes with every
//! later POST to that origin.

use super::{AllowBasic, AuthError};
use crate::net::auth::basic;
use crate::net::auth::challenge::{self, Challenge};
use crate::net::auth::digest::Session;
use crate::net::url::Url;

/// Challenges answered for one POST at most: the first, one whose nonce was lost with its
/// connection, and some with `stale=true`.
const MAX_ROUNDS: u32 = 4;
/// Origins remembered; more are met only by a long chain of redirects.
const MAX_ORIGINS: usize = 8;

enum Proof {
    Digest(Session),
    Basic(String),
}

struct Origin {
    url: Url,
    proof: Proof,
}

/// What was sent with the latest request.
enum Sent {
    Nothing,
    Basic,
    Digest {
        nonce: String,
        /// The challenge came in this very POST.
        fresh: Option<Asked>,
    },
}

/// How a challenge came.
#[derive(Clone, Copy)]
struct Asked {
    /// Connections made by then.
    made: u32,
    /// The server said that it closes the connection: the nonce cannot be bound to it.
    closed: bool,
}

/// What a request carries; it goes into a digest with `auth-int`.
#[derive(Clone, Copy)]
pub(in crate::net) enum Entity<'a> {
    /// These bytes, or none.
    Bytes(&'a [u8]),
    /// Something that is read while it is sent.
    Streamed,
}

pub(in crate::net) struct Authorizer {
    username: String,
    password: String,
    allow_basic: AllowBasic,
    origins: Vec<Origin>,
    sent: Sent,
    /// How the challenge in use came, if it came during this POST.
    asked: Option<Asked>,
    rounds: u32,
    /// A nonce was lost with its connection in this POST.
    lost: bool,
}

impl Authorizer {
    pub(in crate::net) fn new(
        username: String,
        password: String,
        allow_basic: AllowBasic,
    ) -> Authorizer {
        Authorizer {
            username,
            password,
            allow_basic,
            origins: Vec::new(),
            sent: Sent::Nothing,
            asked: None,
            rounds: 0,
            lost: false,
        }
    }

    /// A new request, or the same one at a new place.
    pub(in crate::net) fn begin(&mut self) {
        self.sent = Sent::Nothing;
        self.asked = None;
        self.rounds = 0;
        self.lost = false;
    }

    /// The `Authorization` header for the next request.
    pub(in crate::net) fn authorization(
        &mut self,
        url: &Url,
        method: &str,
        body: Entity<'_>,
    ) -> Result<Option<String>, AuthError> {
        let Some(origin) = self.origins.iter_mut().find(|o| o.url.same_origin(url)) else {
            self.sent = Sent::Nothing;
            return Ok(None);
        };
        match &mut origin.proof {
            Proof::Basic(value) => {
                self.sent = Sent::Basic;
                Ok(Some(value.clone()))
            }
            Proof::Digest(session) => {
                self.sent = Sent::Digest {
                    nonce: session.nonce().to_owned(),
                    fresh: self.asked,
                };
                let body = match body {
                    Entity::Bytes(bytes) => bytes,
                    Entity::Streamed if session.hashes_body() => {
                        return Err(AuthError::BodyHash);
                    }
                    Entity::Streamed => &[],
                };
                let target = url.target();
                Ok(Some(session.authorization(
                    &self.username,
                    &self.password,
                    method,
                    target,
                    body,
                )))
            }
        }
    }

    /// A 401 came; `made` counts the connections so far, `closed`: it said that it was the last
    /// answer on its connection. `Ok`: send the POST again.
    pub(in crate::net) fn challenged(
        &mut self,
        url: &Url,
        headers: &[String],
        made: u32,
        closed: bool,
    ) -> Result<(), AuthError> {
        let challenges = challenge::parse(headers.iter().map(String::as_str));
        self.rounds += 1;
        let digest = challenges.iter().find_map(|c| match c {
            Challenge::Digest(d) => Some(d),
            _ => None,
        });
        let mut lost = false;
        let may_repeat = match &self.sent {
            Sent::Nothing => true,
            Sent::Basic => false,
            Sent::Digest { nonce, fresh } => digest.is_some_and(|d| {
                let new_nonce = d.nonce != *nonce;
                match fresh {
                    // A nonce from an earlier POST may have died without a word.
                    None => new_nonce || d.stale,
                    // Answered just now: only a nonce that was bound to the connection it
                    // came over, or one that the server itself calls too old. Where each 401
                    // ends its connection without a word, a wrong password looks like the
                    // first: it is given one more try.
                    Some(then) => {
                        lost = new_nonce && then.made != made && !then.closed && !self.lost;
                        d.stale || lost
                    }
                }
            }),
        };
        self.lost |= lost;
        if !may_repeat || self.rounds > MAX_ROUNDS {
            self.origins.retain(|o| !o.url.same_origin(url));
            return Err(AuthError::Rejected);
        }
        if self.username.is_empty() {
            return Err(AuthError::NoCredentials);
        }
        let proof = match digest {
            Some(d) => Proof::Digest(Session::new(d.clone(), random())),
            None => self.basic(url, &challenges)?,
        };
        self.asked = Some(Asked { made, closed });
        self.origins.retain(|o| !o.url.same_origin(url));
        if self.origins.len() >= MAX_ORIGINS {
            self.origins.remove(0);
        }
        self.origins.push(Origin {
            url: url.clone(),
            proof,
        });
        Ok(())
    }

    fn basic(&self, url: &Url, challenges: &[Challenge]) -> Result<Proof, AuthError> {
        let offered = challenges
            .iter()
            .any(|c| matches!(c, Challenge::Basic { .. }));
        if !offered {
            let names: Vec<&str> = challenges
                .iter()
                .filter_map(|c| match c {
                    Challenge::Unknown(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            let offered = if names.is_empty() {
                "no challenge at all".to_owned()
            } else {
                names.join(", ")
            };
            return Err(AuthError::Unknown(offered));
        }
        let allowed = match self.allow_basic {
            AllowBasic::Always => true,
            AllowBasic::Tls => url.is_https(),
            AllowBasic::Never => false,
        };
        if !allowed {
            return Err(AuthError::BasicRefused);
        }
        basic::authorization(&self.username, &self.password)
            .map(Proof::Basic)
            .ok_or(AuthError::BasicColon)
    }

    /// An `Authentication-Info` header came with a good answer.
    pub(in crate::net) fn informed(&mut self, url: &Url, header: &str) {
        let Some(nonce) = challenge::next_nonce(header) else {
            return;
        };
        if let Some(origin) = self.origins.iter_mut().find(|o| o.url.same_origin(url))
            && let Proof::Digest(session) = &mut origin.proof
        {
            session.renew(nonce, random());
        }
    }
}

/// A client nonce. Where the kernel has no randomness yet, the time and a counter do: a client
/// nonce must not repeat, it need not be secret.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        let now = crate::store::clock::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos());
        bytes = now.to_be_bytes();
    }
    bytes
}
