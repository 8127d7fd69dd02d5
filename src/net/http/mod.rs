//! The HTTP client of one session: POSTs to the ACS (TR-069 3.4).
//!
//! What HTTP can settle is settled here: 401 and the credentials of later POSTs, redirects
//! with the body kept, cookies, a connection that was closed between two POSTs. What is left
//! is one answer, or one error that ends the session.
//!
//! ```text
//!            ┌────────────── repeat once ◄── closed before an answer (kept connection)
//!            ▼
//! post ──► send ──► 401 ──► answer the challenge ──► send again
//!            │  ──► 301/302/307/308 ──► next URL, same body ──► send again
//!            └────► anything else ──► Reply
//! ```
//!
//! One request at a time; ureq carries the bytes and does nothing on its own: no redirects,
//! no cookies, no proxy from the environment, no thread.

pub(in crate::net) mod answer;
pub(in crate::net) mod authorize;
mod buffers;
mod coding;
mod config;
mod connect;
mod error;
pub(in crate::net) mod link;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ureq::RequestBuilder;
use ureq::http::header::{self, HeaderName, HeaderValue};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::typestate::WithBody;

use crate::net::cookies::{Jar, Moment, parse_date};
use crate::net::url::Url;

use answer::{AUTHENTICATION_INFO, discard, is_last, texts};
use authorize::{Authorizer, Entity};
use buffers::PIECE;
pub use coding::{Coding, CodingError};
pub use config::{AllowBasic, ClientConfig, Timeouts};
pub(in crate::net) use error::translate;
pub use error::{AuthError, ConnectError, HttpError, Phase, RedirectError, ResolveError, TlsError};
pub use link::Aborter;
use link::{Attempt, Link, Way};

/// Redirects followed in a row (TR-069 wants five).
pub const MAX_REDIRECTS: u32 = 5;
/// Largest head of an answer, bytes.
pub(super) const MAX_HEAD: usize = 32 * 1024;
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");
/// The largest body for which room is made before it comes.
const PROMISED: u64 = 16 * 1024;
/// Room behind a body, enough to find its end in one read.
const SPARE: usize = 32;

/// What kind of message a POST carries: decides over `SOAPAction` and `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoapAction {
    /// The empty POST: neither header (SES-006).
    None,
    /// A request of the CPE, e.g. Inform: `SOAPAction: ""`.
    Request,
    /// A response or fault of the CPE: `SOAPAction:` with no value (SES-005).
    Response,
}

/// The final answer to a POST: after 401s and redirects were dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status; 200 and 204 are the good ones, the others are the caller's to judge.
    pub status: u16,
    /// The whole body, at most [`ClientConfig::max_response`] bytes.
    pub body: Vec<u8>,
    /// `Content-Type`, where it was sent.
    pub content_type: Option<String>,
}

/// The head of a POST as it is the same for all of them.
struct Head {
    url: Url,
    uri: Uri,
    headers: HeaderMap,
}

/// The HTTP client of one session.
pub struct Client {
    config: ClientConfig,
    link: Link,
    url: Url,
    head: Option<Head>,
    jar: Jar,
    authorizer: Authorizer,
    start: Instant,
    /// `Retry-After` of the latest reply.
    retry_after: Option<Duration>,
    answered: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.url)
    }
}

impl Client {
    /// No connection is made yet.
    ///
    /// # Errors
    /// [`HttpError::PlainRefused`], [`HttpError::NoTls`] and [`HttpError::Unsendable`]: the
    /// configuration cannot work.
    pub fn new(config: ClientConfig) -> Result<Client, HttpError> {
        answer::sendable(&config.username, &config.password, &config.user_agent)?;
        let link = Link::new(Way {
            tls: config.tls.clone(),
            source: config.source,
            device: config.device.clone(),
            dscp: config.dscp,
            timeouts: config.timeouts,
            whole_body: true,
            expect: None,
        });
        ready(&config, &link, &config.url)?;
        Ok(Client {
            link,
            url: config.url.clone(),
            head: None,
            jar: Jar::new(),
            authorizer: Authorizer::new(
                config.username.clone(),
                config.password.clone(),
                config.allow_basic,
            ),
            start: Instant::now(),
            retry_after: None,
            answered: false,
            config,
        })
    }

    /// Sends one POST and reads its answer.
    ///
    /// # Errors
    /// [`HttpError`]; the session has failed then. A status that is no success is no error.
    pub fn post(&mut self, body: &[u8], kind: SoapAction) -> Result<Reply, HttpError> {
        self.retry_after = None;
        let encoded;
        let body = match self.config.coding {
            Some(coding) if !body.is_empty() => {
                encoded = coding.encode(body).map_err(HttpError::Io)?;
                &encoded
            }
            _ => body,
        };
        let mut redirects = 0;
        let mut generation = self.jar.generation();
        let mut seen = Vec::new();
        self.authorizer.begin();
        loop {
            let response = self.send(body, kind)?;
            self.answered = true;
            let status = response.status().as_u16();
            self.store_cookies(response.headers());
            match status {
                401 => {
                    let made = self.link.connections_made();
                    let challenges = texts(response.headers(), header::WWW_AUTHENTICATE);
                    self.authorizer
                        .challenged(&self.url, &challenges, made, is_last(&response))
                        .map_err(HttpError::Auth)?;
                    discard(response);
                }
                301 | 302 | 307 | 308 => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        return Err(HttpError::Redirect(RedirectError::TooMany));
                    }
                    let next = self.redirect(response.headers())?;
                    seen.push((std::mem::replace(&mut self.url, next), generation));
                    generation = self.jar.generation();
                    if seen
                        .iter()
                        .any(|(url, g)| (url, *g) == (&self.url, generation))
                    {
                        let next = self.url.clone();
                        return Err(HttpError::Redirect(RedirectError::Loop(next)));
                    }
                    log::info!("redirected to {}", self.url.shown());
                    discard(response);
                    self.authorizer.begin();
                }
                _ => {
                    for info in texts(response.headers(), AUTHENTICATION_INFO) {
                        self.authorizer.informed(&self.url, &info);
                    }
                    let content_type = texts(response.headers(), header::CONTENT_TYPE).pop();
                    self.retry_after = texts(response.headers(), header::RETRY_AFTER)
                        .pop()
                        .and_then(|text| retry_after(&text, (self.config.clock)()));
                    let coding = texts(response.headers(), header::CONTENT_ENCODING).join(",");
                    let body = self.read_body(response)?;
                    let body = coding::decode(&coding, body, self.config.max_response)
                        .map_err(HttpError::Coding)?;
                    return Ok(Reply {
                        status,
                        body,
                        content_type,
                    });
                }
            }
        }
    }

    /// Where the next POST goes: the configured URL, or where a redirect led (SES-014: for
    /// the rest of this session only).
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How long the latest reply asks us to stay away: its `Retry-After` (RFC 9110 section
    /// 10.2.3), where it had one that can be read. Not bounded.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether a POST was answered with a status, be it one that refused it.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// Our own address on the latest connection (for `ConnectionRequestURL`).
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.local_addr()
    }

    /// Connections made so far.
    pub fn connections_made(&self) -> u32 {
        self.link.connections_made()
    }

    /// A handle that ends a running POST from another thread (SIGTERM).
    pub fn aborter(&self) -> Aborter {
        self.link.aborter()
    }

    /// One exchange; repeated once when a kept connection turns out to be closed.
    fn send(&mut self, body: &[u8], kind: SoapAction) -> Result<Response<ureq::Body>, HttpError> {
        let mut attempt = Attempt::default();
        loop {
            attempt.begin(&self.link);
            match self.send_once(body, kind)? {
                Ok(response) => return Ok(response),
                Err(error) if attempt.may_repeat(&self.link, &error) => {
                    log::debug!("the ACS had closed the connection; the request is repeated");
                }
                Err(error) => return Err(translate(error, &self.url)),
            }
        }
    }

    /// The outer error: the request could not even be built.
    #[allow(clippy::result_large_err)]
    fn send_once(
        &mut self,
        body: &[u8],
        kind: SoapAction,
    ) -> Result<Result<Response<ureq::Body>, ureq::Error>, HttpError> {
        let mut line = self.config.user_agent.len().max(self.url.target().len());
        let cookies = self.jar.header(&self.url, self.moment());
        let authorization = self
            .authorizer
            .authorization(&self.url, "POST", Entity::Bytes(body))
            .map_err(HttpError::Auth)?;
        let mut request = self.request()?;
        if let Some(headers) = request.headers_mut() {
            match cookies {
                Some(cookies) => {
                    line = line.max(cookies.len());
                    headers.insert(header::COOKIE, value("cookie", &cookies)?);
                }
                None => {
                    headers.remove(header::COOKIE);
                }
            }
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            match kind {
                SoapAction::None => {
                    headers.remove(header::CONTENT_TYPE);
                    headers.remove(SOAP_ACTION);
                }
                SoapAction::Request => {
                    headers.insert(SOAP_ACTION, HeaderValue::from_static("\"\""));
                }
                SoapAction::Response => {}
            }
            if let Some(coding) = self.config.coding {
                let accepted = HeaderValue::from_static("gzip, deflate");
                headers.insert(header::ACCEPT_ENCODING, accepted);
                if !body.is_empty() {
                    let name = HeaderValue::from_static(coding.name());
                    headers.insert(header::CONTENT_ENCODING, name);
                }
            }
            if let Some(text) = authorization {
                line = line.max(text.len());
                headers.insert(header::AUTHORIZATION, value("username", &text)?);
            }
        }
        self.link.expect_line(line);
        if body.len() <= PIECE {
            return Ok(request.send(body));
        }
        let mut pieces = Pieces(body);
        Ok(request.send(ureq::SendBody::from_reader(&mut pieces)))
    }

    /// A POST with the headers that all of them have, and room for a cookie; those of a
    /// response of the CPE. They are laid down once for each place they go to.
    fn request(&mut self) -> Result<RequestBuilder<WithBody>, HttpError> {
        let head = match self.head.take().filter(|head| head.url == self.url) {
            Some(head) => head,
            None => self.new_head()?,
        };
        let mut request = self.link.agent().post(head.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&head.headers);
        }
        self.head = Some(head);
        Ok(request)
    }

    fn new_head(&self) -> Result<Head, HttpError> {
        let uri = self.url.to_string().parse::<Uri>();
        let content_type = HeaderValue::from_static("text/xml; charset=\"utf-8\"");
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::HOST, value("host", &self.url.host_header())?);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(SOAP_ACTION, HeaderValue::from_static(""));
        if !self.config.user_agent.is_empty() {
            let agent = value("user agent", &self.config.user_agent)?;
            headers.insert(header::USER_AGENT, agent);
        }
        headers.insert(header::COOKIE, HeaderValue::from_static(""));
        Ok(Head {
            url: self.url.clone(),
            uri: uri.map_err(|e| HttpError::Protocol(e.to_string()))?,
            headers,
        })
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: (self.config.clock)(),
            now: i64::try_from(self.start.elapsed().as_secs()).unwrap_or(i64::MAX),
        }
    }

    fn store_cookies(&mut self, headers: &HeaderMap) {
        let at = self.moment();
        for cookie in texts(headers, header::SET_COOKIE) {
            self.jar.store(&cookie, &self.url, at);
        }
    }

    fn redirect(&self, headers: &HeaderMap) -> Result<Url, HttpError> {
        let next = answer::redirect(&self.url, headers).map_err(HttpError::Redirect)?;
        ready(&self.config, &self.link, &next)?;
        Ok(next)
    }

    fn read_body(&self, response: Response<ureq::Body>) -> Result<Vec<u8>, HttpError> {
        let limit = self.config.max_response;
        let body = response.into_body();
        if body
            .content_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(HttpError::TooLarge(limit));
        }
        // What is promised gets room at once, within reason.
        let promised = body.content_length().unwrap_or(0).min(PROMISED);
        let mut bytes = Vec::with_capacity(usize::try_from(promised).unwrap_or(0) + SPARE);
        body.into_reader()
            .take(limit as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| match translate(ureq::Error::from(e), &self.url) {
                HttpError::Timeout(_) => HttpError::Timeout(Phase::Body),
                other => other,
            })?;
        if bytes.len() > limit {
            return Err(HttpError::TooLarge(limit));
        }
        Ok(bytes)
    }
}

/// Sets TLS up when a URL needs it for the first time, and holds the URL against the rules.
fn ready(config: &ClientConfig, link: &Link, url: &Url) -> Result<(), HttpError> {
    link.prepare(url)?;
    if config.require_tls && !url.is_https() {
        return Err(HttpError::PlainRefused(url.clone()));
    }
    Ok(())
}

/// What a header says; `what` names it where it cannot be sent.
fn value(what: &'static str, text: &str) -> Result<HeaderValue, HttpError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| HttpError::Unsendable(what))
}

/// Reads a `Retry-After`: seconds, or a date, which is held against the clock. A date that is
/// past is no wait.
fn retry_after(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number has are as good as for ever.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let wait = parse_date(text)?.saturating_sub(now);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// A body that is handed over in pieces, each of them small enough that the processor's cache
/// keeps it until it is sent.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let before = self.0.len();
        for piece in buffer.chunks_mut(PIECE) {
            // A slice always gives what it has.
            let _ = self.0.read(piece)?;
        }
        Ok(before - self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let secs = |text: &str| retry_after(text, 784_111_700).map(|d| d.as_secs());
        assert_eq!(secs("120"), Some(120));
        assert_eq!(secs(" 0 "), Some(0));
        assert_eq!(secs("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(secs("Sun, 06 Nov 1994 08:49:37 GMT"), Some(77));
        assert_eq!(secs("Sun, 06 Nov 1990 08:49:37 GMT"), Some(0));
        for text in ["", "soon", "-5", "1.5"] {
            assert_eq!(secs(text), None, "{text}");
        }
    }
}
