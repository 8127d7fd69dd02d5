//! The client of file servers: one file in pieces, either way (TR-069 A.3.2.8, A.4.1.5).
//!
//! Connections, TLS and authentication are those of the client for the ACS; nothing else is
//! shared with it, no cookie, no credential. Credentials go to the server that the URL names
//! and to no other, wherever redirects lead; no redirect leads from https to http. Nothing is
//! held in memory but the piece that passes through.
//!
//! ```text
//! get/put ──► send ──► 401 ──► answer the challenge, at the URL's own server ──► send again
//!              │  ──► 301/302/307/308, 303 for get ──► next URL, at most 5 ──► send again
//!              │  ──► 417, or success before the body ──► send again without Expect
//!              └────► anything else: success, or a FileError
//! ```

mod config;
mod error;
mod incoming;
mod outgoing;
mod range;

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use ureq::http::header;
use ureq::http::{HeaderMap, Response};
use ureq::{RequestBuilder, SendBody};

use crate::net::http::answer::{self, discard, is_last, texts};
use crate::net::http::authorize::{Authorizer, Entity};
use crate::net::http::link::{Attempt, Link, Way};
use crate::net::http::{Aborter, MAX_REDIRECTS, RedirectError, Timeouts, translate};
use crate::net::url::Url;

pub use config::{FileConfig, FileTimeouts};
pub use error::FileError;
pub use incoming::Incoming;
use outgoing::Outgoing;
pub use range::{ContentRange, Validator};

/// Bodies up to this size are sent without asking first: they cost less than the wait.
const SMALL: u64 = 16 * 1024;
/// Statuses of a PUT that went well.
const PUT_WELL: std::ops::RangeInclusive<u16> = 200..=204;

/// The rest of a file of which the beginning is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Bytes that are here; more than none.
    pub offset: u64,
    /// What the file was known by.
    pub validator: Validator,
    /// Bytes of the whole file, where they were told.
    pub total: Option<u64>,
}

/// What is sent.
enum Ask<'a> {
    Get(Option<&'a Resume>),
    Put {
        file: &'a File,
        length: u64,
        sent: &'a dyn Fn(u64),
    },
}

/// The client for one file.
pub struct FileClient {
    config: FileConfig,
    link: Arc<Link>,
    authorizer: Authorizer,
    /// The server does not know `Expect`.
    unexpecting: bool,
    /// The latest body went out as a whole.
    body_sent: bool,
}

impl fmt::Debug for FileClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileClient({})", self.config.url.shown())
    }
}

impl FileClient {
    /// No connection is made yet.
    ///
    /// # Errors
    /// [`FileError::Unsendable`], and [`FileError::Unreachable`] when TLS is needed and cannot
    /// be set up.
    pub fn new(config: FileConfig) -> Result<FileClient, FileError> {
        answer::sendable(&config.username, &config.password, &config.user_agent)
            .map_err(FileError::of)?;
        let times = config.timeouts;
        let link = Link::new(Way {
            tls: config.tls.clone(),
            source: config.source,
            device: config.device.clone(),
            dscp: config.dscp,
            timeouts: Timeouts {
                connect: times.connect,
                send: times.stall,
                response: times.response,
                body: times.stall,
            },
            whole_body: false,
            expect: Some(times.expect),
        });
        link.prepare(&config.url).map_err(FileError::of)?;
        Ok(FileClient {
            authorizer: Authorizer::new(
                config.username.clone(),
                config.password.clone(),
                config.allow_basic,
            ),
            link: Arc::new(link),
            config,
            unexpecting: false,
            body_sent: false,
        })
    }

    /// Asks for the file, or for the rest of it, and hands over its head and a reader of its
    /// body. A server that has another file by now, or knows no parts, sends it from the
    /// beginning: see [`Incoming::offset`].
    ///
    /// # Errors
    /// [`FileError`]; [`FileError::NoSuchPart`] and [`FileError::WrongPart`] only with `from`.
    pub fn get(&mut self, from: Option<&Resume>) -> Result<Incoming, FileError> {
        let (response, url) = self.run(&Ask::Get(from))?;
        self.checked(Incoming::of(
            response,
            url,
            from,
            self.link.clone(),
            self.config.timeouts,
        ))
    }

    /// Puts the first `length` bytes of a file, read from its beginning; `sent` is told how
    /// many of them have gone out, from 0 again when it is sent once more.
    ///
    /// # Errors
    /// [`FileError`]; a status other than 200 to 204 is [`FileError::Status`].
    pub fn put(&mut self, file: &File, length: u64, sent: &dyn Fn(u64)) -> Result<(), FileError> {
        let (response, _) = self.run(&Ask::Put { file, length, sent })?;
        let status = response.status().as_u16();
        discard(response);
        match PUT_WELL.contains(&status) {
            true => Ok(()),
            false => Err(FileError::Status(status)),
        }
    }

    /// A handle that ends what runs from another thread.
    pub fn aborter(&self) -> Aborter {
        self.link.aborter()
    }

    /// Connections made so far.
    pub fn connections_made(&self) -> u32 {
        self.link.connections_made()
    }

    /// What follows from being told to end looks like many things.
    fn checked<T>(&self, result: Result<T, FileError>) -> Result<T, FileError> {
        result.map_err(|e| match self.link.is_aborted() {
            true => FileError::Aborted,
            false => e,
        })
    }

    fn run(&mut self, ask: &Ask<'_>) -> Result<(Response<ureq::Body>, Url), FileError> {
        let result = self.follow(ask);
        self.checked(result)
    }

    /// See the picture above: the answer, and where it came from.
    fn follow(&mut self, ask: &Ask<'_>) -> Result<(Response<ureq::Body>, Url), FileError> {
        let mut url = self.config.url.clone();
        let mut seen = vec![url.clone()];
        self.authorizer.begin();
        loop {
            let asks_first = self.asks_first(ask);
            let response = self.send(&url, ask)?;
            let follows = match response.status().as_u16() {
                401 => {
                    self.answer_challenge(&url, &response, asks_first)?;
                    false
                }
                417 if asks_first => {
                    self.unexpecting = true;
                    false
                }
                // Whatever went well, it was not the file.
                status if asks_first && PUT_WELL.contains(&status) && !self.body_sent => {
                    self.unexpecting = true;
                    false
                }
                301 | 302 | 307 | 308 => true,
                303 if matches!(ask, Ask::Get(_)) => true,
                _ => return Ok((response, url)),
            };
            if follows {
                url = self.redirected(&url, response.headers(), &mut seen)?;
                self.authorizer.begin();
            }
            discard(response);
        }
    }

    fn redirected(
        &self,
        url: &Url,
        headers: &HeaderMap,
        seen: &mut Vec<Url>,
    ) -> Result<Url, FileError> {
        // The first one is where it began.
        if seen.len() > MAX_REDIRECTS as usize {
            return Err(FileError::Redirect(RedirectError::TooMany));
        }
        let next = answer::redirect(url, headers).map_err(FileError::Redirect)?;
        if seen.contains(&next) {
            return Err(FileError::Redirect(RedirectError::Loop(next)));
        }
        self.link.prepare(&next).map_err(FileError::of)?;
        log::info!("the file is at {}", next.shown());
        seen.push(next.clone());
        Ok(next)
    }

    fn answer_challenge(
        &mut self,
        url: &Url,
        response: &Response<ureq::Body>,
        asked_first: bool,
    ) -> Result<(), FileError> {
        if !trusts(&self.config.url, url) {
            return Err(FileError::ForeignAuth(url.host_header()));
        }
        let made = self.link.connections_made();
        let challenges = texts(response.headers(), header::WWW_AUTHENTICATE);
        // A body that was announced and not sent ends the connection.
        let last = asked_first || is_last(response);
        self.authorizer
            .challenged(url, &challenges, made, last)
            .map_err(FileError::Auth)
    }

    /// Whether the server's word is waited for before the body goes out.
    fn asks_first(&self, ask: &Ask<'_>) -> bool {
        matches!(ask, Ask::Put { length, .. } if *length > SMALL) && !self.unexpecting
    }

    /// One exchange; repeated once when a kept connection turns out to be closed.
    fn send(&mut self, url: &Url, ask: &Ask<'_>) -> Result<Response<ureq::Body>, FileError> {
        let mut attempt = Attempt::default();
        self.link.body_by(None);
        loop {
            attempt.begin(&self.link);
            match self.send_once(url, ask)? {
                Ok(response) => return Ok(response),
                Err(error) if attempt.may_repeat(&self.link, &error) => {
                    log::debug!("the file server had closed the connection; asking again");
                }
                Err(error) => return Err(FileError::of(translate(error, url))),
            }
        }
    }

    #[allow(clippy::result_large_err)]
    fn send_once(
        &mut self,
        url: &Url,
        ask: &Ask<'_>,
    ) -> Result<Result<Response<ureq::Body>, ureq::Error>, FileError> {
        match ask {
            Ask::Get(from) => {
                let request = self.link.agent().get(url.to_string());
                let entity = Entity::Bytes(&[]);
                let mut request = self
                    .headed(request, url, "GET", entity)?
                    .header("Accept", "*/*")
                    // A part of a coded file is of no use, and its length is not the file's.
                    .header("Accept-Encoding", "identity");
                if let Some(from) = from {
                    let range = format!("bytes={}-", from.offset);
                    request = request
                        .header("Range", range.as_bytes())
                        .header("If-Range", from.validator.to_string().as_bytes());
                }
                Ok(request.call())
            }
            Ask::Put { file, length, sent } => {
                let request = self.link.agent().put(url.to_string());
                let mut request = self
                    .headed(request, url, "PUT", Entity::Streamed)?
                    .header("Content-Type", "application/octet-stream")
                    .header("Content-Length", length.to_string().as_bytes());
                if self.asks_first(ask) {
                    request = request.header("Expect", "100-continue");
                }
                let mut body =
                    Outgoing::new(file, *length, *sent, &self.link).map_err(FileError::File)?;
                let answer = request.send(SendBody::from_reader(&mut body));
                self.body_sent = body.is_whole();
                match body.failed() {
                    Some(e) => Err(FileError::File(e)),
                    None => Ok(answer),
                }
            }
        }
    }

    /// The headers that all requests have.
    fn headed<B>(
        &mut self,
        request: RequestBuilder<B>,
        url: &Url,
        method: &str,
        entity: Entity<'_>,
    ) -> Result<RequestBuilder<B>, FileError> {
        let mut line = self.config.user_agent.len().max(url.target().len());
        let mut request = request.header("Host", url.host_header().as_bytes());
        if !self.config.user_agent.is_empty() {
            request = request.header("User-Agent", self.config.user_agent.as_bytes());
        }
        let answer = match trusts(&self.config.url, url) {
            true => self.authorizer.authorization(url, method, entity),
            false => Ok(None),
        };
        if let Some(value) = answer.map_err(FileError::Auth)? {
            line = line.max(value.len());
            request = request.header("Authorization", value.as_bytes());
        }
        self.link.expect_line(line);
        Ok(request)
    }
}

/// Whether the credentials for the first URL may be used at the second: at the same server,
/// or where the same host has moved to https.
fn trusts(named: &Url, url: &Url) -> bool {
    let moved = named.host() == url.host() && url.is_https() && !named.is_https();
    named.same_origin(url) || moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_for_the_named_server_and_for_its_move_to_https() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        for (named, other, may) in [
            ("http://a/x", "http://a/y", true),
            ("http://a/x", "http://A:80/y", true),
            ("http://a/x", "https://a/y", true),
            ("http://a:81/x", "https://a:444/y", true),
            ("http://a/x", "http://b/x", false),
            ("http://a/x", "https://b/x", false),
            ("http://a/x", "http://a:81/x", false),
            ("https://a/x", "http://a/x", false),
            ("https://a/x", "https://a:444/x", false),
            ("http://a/x", "http://a.b/x", false),
        ] {
            assert_eq!(trusts(&url(named), &url(other)), may, "{named} {other}");
        }
    }
}
