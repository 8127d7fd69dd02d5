//! Why a POST got no answer.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::coding::CodingError;
use crate::net::tls::{BadCertificate, TlsConfigError};
use crate::net::url::{Url, UrlError};

/// Which step took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// TCP or TLS handshake.
    Connect,
    /// Sending the request.
    Send,
    /// Waiting for the head of the answer.
    Response,
    /// Reading the body of the answer.
    Body,
}

/// Why a POST got no answer. Each one ends the session as failed; the retry policy follows.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpError {
    /// `require_tls` is set and the URL is plain http.
    PlainRefused(Url),
    /// The URL is https and the client has no TLS configuration.
    NoTls(Url),
    /// TLS is needed and cannot be set up: a missing bundle of roots, a bad client key.
    TlsSetup(TlsConfigError),
    /// What cannot be sent in a header (a control character in username, password, user agent
    /// or cookie). Names it, never its value.
    Unsendable(&'static str),
    /// The name has no address.
    Resolve(ResolveError),
    /// No address of the ACS could be connected to.
    Connect(ConnectError),
    /// TLS failed; never followed by plain http.
    Tls(TlsError),
    /// A step took too long.
    Timeout(Phase),
    /// The ACS closed the connection instead of answering.
    Closed,
    /// The operating system said no.
    Io(io::Error),
    /// What came is no HTTP.
    Protocol(String),
    /// The body of the answer is larger than allowed, in bytes.
    TooLarge(usize),
    /// The body of the answer cannot be decoded (`Content-Encoding`).
    Coding(CodingError),
    /// 401 could not be answered.
    Auth(AuthError),
    /// A redirect could not be followed.
    Redirect(RedirectError),
}

/// The name has no address.
#[derive(Debug)]
pub struct ResolveError {
    /// The host of the URL.
    pub host: String,
    /// What the resolver said.
    pub why: String,
}

/// No address of the ACS could be connected to.
#[derive(Debug)]
pub struct ConnectError {
    /// Every address with what the kernel said.
    pub tried: Vec<(SocketAddr, io::Error)>,
}

/// TLS failed.
#[derive(Debug)]
pub enum TlsError {
    /// The server's certificate was refused.
    Certificate {
        /// The host it was held against.
        host: String,
        /// Which certificate and why.
        bad: BadCertificate,
    },
    /// Anything else, such as no common version or a refused client certificate.
    Handshake {
        /// The host; empty when the failure came after the handshake.
        host: String,
        /// What rustls said.
        why: String,
    },
}

/// 401 could not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// No username is configured.
    NoCredentials,
    /// A correct answer was refused again: username or password is wrong (SES-020).
    Rejected,
    /// Only Basic was offered and `allow_basic` does not permit it here.
    BasicRefused,
    /// The username has a colon, which Basic cannot carry.
    BasicColon,
    /// Digest only with a hash of the body (`auth-int`), which a file that is read while it is
    /// sent does not have.
    BodyHash,
    /// No challenge that we know; what was offered.
    Unknown(String),
}

/// A redirect could not be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectError {
    /// No `Location`.
    NoLocation,
    /// A `Location` that is no http or https URL.
    BadLocation(UrlError),
    /// More than 5 in a row.
    TooMany,
    /// Back to a URL of the same chain, with nothing changed.
    Loop(Url),
    /// From https down to http.
    Downgrade(Url),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::PlainRefused(url) => {
                write!(
                    f,
                    "{} is plain http and require_tls is set; use an https URL",
                    url.shown()
                )
            }
            HttpError::TlsSetup(e) => write!(f, "TLS cannot be set up: {e}"),
            HttpError::NoTls(url) => write!(f, "{} needs TLS, which could not be set up", url.shown()),
            HttpError::Unsendable(what) => {
                write!(f, "the {what} holds a control character; take it out")
            }
            HttpError::Resolve(e) => write!(f, "the name {} has no address: {}", e.host, e.why),
            HttpError::Connect(e) => {
                f.write_str("no connection:")?;
                for (i, (address, why)) in e.tried.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(f, "{comma} {address}: {why}")?;
                }
                Ok(())
            }
            HttpError::Tls(TlsError::Certificate { host, bad }) => {
                write!(f, "the certificate of {host} is refused: {bad}")
            }
            HttpError::Tls(TlsError::Handshake { host, why }) if host.is_empty() => {
                write!(f, "TLS failed: {why}")
            }
            HttpError::Tls(TlsError::Handshake { host, why }) => {
                write!(f, "TLS with {host} failed: {why}")
            }
            HttpError::Timeout(phase) => f.write_str(match phase {
                Phase::Connect => "the connection took too long",
                Phase::Send => "the request could not be sent in time",
                Phase::Response => "no answer in time",
                Phase::Body => "the answer was not complete in time",
            }),
            HttpError::Closed => f.write_str("the connection was closed without an answer"),
            HttpError::Io(e) => write!(f, "the connection broke: {e}"),
            HttpError::Protocol(why) => write!(f, "the answer is no HTTP: {why}"),
            HttpError::TooLarge(limit) => {
                write!(f, "the answer is larger than {limit} bytes")
            }
            HttpError::Coding(CodingError::Unknown(name)) => {
                write!(f, "the answer has the unknown Content-Encoding {name:?}")
            }
            HttpError::Coding(CodingError::Broken(why)) => {
                write!(f, "the answer is not what its Content-Encoding says: {why}")
            }
            HttpError::Coding(CodingError::TooLarge(limit)) => {
                write!(f, "the answer is larger than {limit} bytes once decoded")
            }
            HttpError::Auth(e) => f.write_str(match e {
                AuthError::NoCredentials => {
                    "the ACS wants authentication and no username is configured"
                }
                AuthError::Rejected => "the ACS refuses username or password",
                AuthError::BasicRefused => {
                    "the ACS offers only Basic authentication and allow_basic does not permit it here"
                }
                AuthError::BasicColon => {
                    "the ACS offers only Basic authentication, which cannot carry a colon in the username"
                }
                AuthError::BodyHash => {
                    "the ACS offers only Digest with auth-int, which this request cannot be made with"
                }
                AuthError::Unknown(offered) => {
                    return write!(
                        f,
                        "the ACS offers no authentication that we know ({offered})"
                    );
                }
            }),
            HttpError::Redirect(e) => match e {
                RedirectError::NoLocation => f.write_str("a redirect without a Location"),
                RedirectError::BadLocation(why) => write!(f, "a redirect to no usable URL: {why}"),
                RedirectError::TooMany => f.write_str("more than 5 redirects in a row"),
                RedirectError::Loop(url) => write!(f, "redirects lead in a circle at {}", url.shown()),
                RedirectError::Downgrade(url) => {
                    write!(f, "a redirect from https to {} is refused", url.shown())
                }
            },
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.why)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} addresses tried", self.tried.len())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Certificate { host, bad } => write!(f, "{host}: {bad}"),
            TlsError::Handshake { host, why } => write!(f, "{host}: {why}"),
        }
    }
}

/// What ureq, or our connector below it, said of a request to this URL.
pub(in crate::net) fn translate(error: ureq::Error, url: &Url) -> HttpError {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            HttpError::Timeout(Phase::Connect)
        }
        ureq::Error::Timeout(ureq::Timeout::SendRequest | ureq::Timeout::SendBody) => {
            HttpError::Timeout(Phase::Send)
        }
        ureq::Error::Timeout(ureq::Timeout::RecvBody) => HttpError::Timeout(Phase::Body),
        ureq::Error::Timeout(_) => HttpError::Timeout(Phase::Response),
        ureq::Error::Io(e) if is_gone(e.kind()) => HttpError::Closed,
        ureq::Error::Io(e) => HttpError::Io(e),
        ureq::Error::TlsRequired => HttpError::NoTls(url.clone()),
        ureq::Error::Other(inner) => translate_inner(inner),
        ureq::Error::LargeResponseHeader(_, limit) => {
            HttpError::Protocol(format!("a head of more than {limit} bytes"))
        }
        other => HttpError::Protocol(other.to_string()),
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

/// The peer is gone: what it still sent can perhaps be read, writing is over.
pub(in crate::net) fn is_gone(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

impl std::error::Error for HttpError {}
impl std::error::Error for ResolveError {}
impl std::error::Error for ConnectError {}
impl std::error::Error for TlsError {}
