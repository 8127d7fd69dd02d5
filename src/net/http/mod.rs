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

mod authorize;
mod buffers;
mod coding;
mod config;
mod connect;
mod error;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ureq::RequestBuilder;
use ureq::config::AutoHeaderValue;
use ureq::http::header::{self, HeaderName, HeaderValue};
use ureq::http::{Extensions, HeaderMap, Response, Uri, Version};
use ureq::typestate::WithBody;

use crate::net::cookies::{Jar, Moment, parse_date};
use crate::net::socket::Route;
use crate::net::tls::TlsConfig;
use crate::net::url::Url;

use authorize::Authorizer;
use buffers::PIECE;
pub use coding::{Coding, CodingError};
pub use config::{AllowBasic, ClientConfig, Timeouts};
pub use error::{AuthError, ConnectError, HttpError, Phase, RedirectError, ResolveError, TlsError};

/// Redirects followed in a row (TR-069 wants five).
pub const MAX_REDIRECTS: u32 = 5;
/// Largest head of an answer, bytes.
pub(super) const MAX_HEAD: usize = 32 * 1024;
const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");
/// What stands around the longest text in a line of a head: a header's name, or method and
/// version.
const AROUND: usize = 64;
/// The largest body for which room is made before it comes.
const PROMISED: u64 = 16 * 1024;
/// Room behind a body, enough to find its end in one read.
const SPARE: usize = 32;
/// A 401's or redirect's body up to this size is read to keep the connection.
const MAX_DISCARD: u64 = 64 * 1024;

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
    /// How the names of the headers are written.
    extensions: Extensions,
}

/// The HTTP client of one session.
pub struct Client {
    config: ClientConfig,
    agent: ureq::Agent,
    tls: Arc<OnceLock<TlsConfig>>,
    watch: Arc<connect::Watch>,
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
        let has_control = |text: &str| text.chars().any(char::is_control);
        for (what, text) in [
            ("username", &config.username),
            ("password", &config.password),
            ("user agent", &config.user_agent),
        ] {
            if has_control(text) {
                return Err(HttpError::Unsendable(what));
            }
        }
        let tls = Arc::new(OnceLock::new());
        check_tls(&config, &tls, &config.url)?;
        let watch = Arc::new(connect::Watch::default());
        let settings = ureq::config::Config::builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(AutoHeaderValue::None)
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .max_response_header_size(MAX_HEAD)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            // The ACS decides how long a connection may idle, not we.
            .max_idle_age(Duration::from_secs(3600))
            .timeout_recv_body(Some(config.timeouts.body))
            .build();
        let plug = connect::Plug {
            tls: tls.clone(),
            route: Route {
                source: config.source,
                device: config.device.clone(),
                dscp: config.dscp,
            },
            timeouts: config.timeouts,
            watch: watch.clone(),
        };
        let lookup = connect::Lookup {
            source: config.source,
        };
        Ok(Client {
            agent: ureq::Agent::with_parts(settings, plug, lookup),
            tls,
            watch,
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
        let mut seen = vec![(self.url.clone(), self.jar.generation())];
        self.authorizer.begin_post();
        loop {
            let response = self.send(body, kind)?;
            self.answered = true;
            let status = response.status().as_u16();
            self.store_cookies(response.headers());
            match status {
                401 => {
                    let made = self.watch.made.load(Ordering::Relaxed);
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
                    let step = (next.clone(), self.jar.generation());
                    if seen.contains(&step) {
                        return Err(HttpError::Redirect(RedirectError::Loop(next)));
                    }
                    log::info!("redirected to {}", next.shown());
                    seen.push(step);
                    discard(response);
                    self.url = next;
                    self.authorizer.begin_post();
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
        self.watch.local.lock().ok().and_then(|local| *local)
    }

    /// Connections made so far.
    pub fn connections_made(&self) -> u32 {
        self.watch.made.load(Ordering::Relaxed)
    }

    /// A handle that ends a running POST from another thread (SIGTERM).
    pub fn aborter(&self) -> Aborter {
        Aborter {
            agent: self.agent.clone(),
            watch: self.watch.clone(),
        }
    }

    /// One exchange; repeated once when a kept connection turns out to be closed.
    fn send(&mut self, body: &[u8], kind: SoapAction) -> Result<Response<ureq::Body>, HttpError> {
        let mut repeated = false;
        loop {
            let before = self.watch.made.load(Ordering::Relaxed);
            self.watch.answered.store(false, Ordering::Relaxed);
            let error = match self.send_once(body, kind)? {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let kept = before == self.watch.made.load(Ordering::Relaxed);
            let answered = self.watch.answered.load(Ordering::Relaxed);
            let gone = matches!(&error, ureq::Error::Io(e) if connect::is_gone(e.kind()));
            if gone && kept && !answered && !repeated {
                log::debug!("the ACS had closed the connection; the request is repeated");
                repeated = true;
                continue;
            }
            return Err(self.translate(error));
        }
    }

    /// The outer error: the request could not even be built.
    #[allow(clippy::result_large_err)]
    fn send_once(
        &mut self,
        body: &[u8],
        kind: SoapAction,
    ) -> Result<Result<Response<ureq::Body>, ureq::Error>, HttpError> {
        let mut request = self.request();
        if let Some(headers) = request.headers_mut() {
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
        }
        let mut line = self.config.user_agent.len().max(self.url.target().len());
        if let Some(cookies) = self.jar.header(&self.url, self.moment()) {
            line = line.max(cookies.len());
            request = request.header_raw("Cookie", cookies.as_bytes());
        }
        if let Some(value) = self
            .authorizer
            .authorization(&self.url, body)
            .map_err(HttpError::Auth)?
        {
            line = line.max(value.len());
            request = request.header_raw("Authorization", value.as_bytes());
        }
        self.watch.line.store(line + AROUND, Ordering::Relaxed);
        if body.len() <= PIECE {
            return Ok(request.send(body));
        }
        let mut pieces = Pieces(body);
        Ok(request.send(ureq::SendBody::from_reader(&mut pieces)))
    }

    /// A POST with the headers that all of them have; those of a response of the CPE. They
    /// are checked and their names laid down once for each place they go to.
    fn request(&mut self) -> RequestBuilder<WithBody> {
        if let Some(head) = self.head.as_ref().filter(|head| head.url == self.url) {
            let mut request = self.agent.post(head.uri.clone());
            if let Some(headers) = request.headers_mut() {
                headers.clone_from(&head.headers);
            }
            if let Some(extensions) = request.extensions_mut() {
                extensions.clone_from(&head.extensions);
            }
            return request;
        }
        let mut request = self
            .agent
            .post(self.url.to_string())
            .header_raw("Host", self.url.host_header().as_bytes())
            .header_raw("Content-Length", b"0")
            .header_raw("Content-Type", b"text/xml; charset=\"utf-8\"")
            .header_raw("SOAPAction", b"");
        if !self.config.user_agent.is_empty() {
            request = request.header_raw("User-Agent", self.config.user_agent.as_bytes());
        }
        if let (Some(uri), Some(headers), Some(extensions)) = (
            request.uri_ref(),
            request.headers_ref(),
            request.extensions_ref(),
        ) {
            self.head = Some(Head {
                url: self.url.clone(),
                uri: uri.clone(),
                headers: headers.clone(),
                extensions: extensions.clone(),
            });
        }
        request
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
        let location = texts(headers, header::LOCATION)
            .pop()
            .ok_or(HttpError::Redirect(RedirectError::NoLocation))?;
        let next = self
            .url
            .join(&location)
            .map_err(|e| HttpError::Redirect(RedirectError::BadLocation(e)))?;
        if self.url.is_https() && !next.is_https() {
            return Err(HttpError::Redirect(RedirectError::Downgrade(next)));
        }
        check_tls(&self.config, &self.tls, &next)?;
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
            .map_err(|e| match self.translate(ureq::Error::from(e)) {
                HttpError::Timeout(_) => HttpError::Timeout(Phase::Body),
                other => other,
            })?;
        if bytes.len() > limit {
            return Err(HttpError::TooLarge(limit));
        }
        Ok(bytes)
    }

    fn translate(&self, error: ureq::Error) -> HttpError {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                HttpError::Timeout(Phase::Connect)
            }
            ureq::Error::Timeout(ureq::Timeout::SendRequest | ureq::Timeout::SendBody) => {
                HttpError::Timeout(Phase::Send)
            }
            ureq::Error::Timeout(ureq::Timeout::RecvBody) => HttpError::Timeout(Phase::Body),
            ureq::Error::Timeout(_) => HttpError::Timeout(Phase::Response),
            ureq::Error::Io(e) if connect::is_gone(e.kind()) => HttpError::Closed,
            ureq::Error::Io(e) => HttpError::Io(e),
            ureq::Error::TlsRequired => HttpError::NoTls(self.url.clone()),
            ureq::Error::Other(inner) => translate_inner(inner),
            ureq::Error::LargeResponseHeader(_, limit) => {
                HttpError::Protocol(format!("a head of more than {limit} bytes"))
            }
            other => HttpError::Protocol(other.to_string()),
        }
    }
}

fn translate_inner(inner: Box<dyn std::error::Error + Send + Sync>) -> HttpError {
    let inner = match inner.downcast::<ConnectError>() {
        Ok(e) => return HttpError::Connect(*e),
        Err(other) => other,
    };
    let inner = match inner.downcast::<ResolveError>() {
        Ok(e) => return HttpError::Resolve(*e),
        Err(other) => other,
    };
    match inner.downcast::<TlsError>() {
        Ok(e) => HttpError::Tls(*e),
        Err(other) => HttpError::Protocol(other.to_string()),
    }
}

/// Sets TLS up when a URL needs it for the first time.
fn check_tls(config: &ClientConfig, tls: &OnceLock<TlsConfig>, url: &Url) -> Result<(), HttpError> {
    if url.is_https() && tls.get().is_none() {
        let Some(make) = &config.tls else {
            return Err(HttpError::NoTls(url.clone()));
        };
        // Only this client sets it, and it has just been found empty.
        let _ = tls.set(make().map_err(HttpError::TlsSetup)?);
    }
    if config.require_tls && !url.is_https() {
        return Err(HttpError::PlainRefused(url.clone()));
    }
    Ok(())
}

/// Whether the server said that it closes the connection after this answer.
fn is_last(response: &Response<ureq::Body>) -> bool {
    let words = texts(response.headers(), header::CONNECTION).join(",");
    let says = |word: &str| {
        words
            .split(',')
            .any(|w| w.trim().eq_ignore_ascii_case(word))
    };
    says("close") || (response.version() == Version::HTTP_10 && !says("keep-alive"))
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

/// All values of a header; bytes that are no UTF-8 are replaced.
fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// A body that is handed over in pieces.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = buffer.len().min(PIECE);
        self.0.read(buffer.get_mut(..room).unwrap_or_default())
    }
}

/// Reads a body nobody needs, so that the connection can be kept; a large one costs it.
fn discard(response: Response<ureq::Body>) {
    let mut reader = response.into_body().into_reader().take(MAX_DISCARD);
    let mut buffer = [0; 2048];
    while matches!(reader.read(&mut buffer), Ok(n) if n > 0) {}
}

/// Ends a client's running and later requests from another thread.
#[derive(Clone)]
pub struct Aborter {
    agent: ureq::Agent,
    watch: Arc<connect::Watch>,
}

impl fmt::Debug for Aborter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aborter")
    }
}

impl Aborter {
    /// The running POST returns an error within a fraction of a second; later ones at once.
    /// Only a name that is being looked up is waited for.
    pub fn abort(&self) {
        self.watch.aborted.store(true, Ordering::Relaxed);
        self.agent.clone().shutdown();
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
