//! What a client is told before its first POST: where to, how long, by which rules.

use super::Coding;
use crate::net::tls::{Clock, TlsWhenNeeded};
use crate::net::url::Url;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// When a Basic challenge is answered (`acs.allow_basic`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AllowBasic {
    /// Over https only.
    #[default]
    Tls,
    /// Over http too: the password goes over the wire in clear.
    Always,
    /// Not at all.
    Never,
}

impl FromStr for AllowBasic {
    type Err = ();

    /// `tls`, `always` or `never`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "tls" => Ok(AllowBasic::Tls),
            "always" => Ok(AllowBasic::Always),
            "never" => Ok(AllowBasic::Never),
            _ => Err(()),
        }
    }
}

/// How long each step of an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS handshake over all addresses together; default 30 s.
    pub connect: Duration,
    /// Sending one request; default 30 s.
    pub send: Duration,
    /// From the end of the request to the end of the answer's head; default 60 s. TR-069
    /// wants at least 30 s (SES-023); shorter is for tests.
    pub response: Duration,
    /// The body of an answer as a whole; default 120 s.
    pub body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(30),
            send: Duration::from_secs(30),
            response: Duration::from_secs(60),
            body: Duration::from_secs(120),
        }
    }
}

/// Everything a session's client is told at the start.
#[derive(Clone)]
pub struct ClientConfig {
    /// `ManagementServer.URL`.
    pub url: Url,
    /// Empty: 401 is not answered.
    pub username: String,
    /// The password that goes with it.
    pub password: String,
    /// When Basic is good enough.
    pub allow_basic: AllowBasic,
    /// Needed for https, be it the URL's or a redirect's; called when the first https URL
    /// comes up, so that a session over http never reads a bundle of roots.
    pub tls: Option<TlsWhenNeeded>,
    /// Refuse a plain http URL (`acs.require_tls`).
    pub require_tls: bool,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// Largest body of an answer, bytes; default 8 MiB.
    pub max_response: usize,
    /// `User-Agent`; empty: none is sent.
    pub user_agent: String,
    /// Connect from this address.
    pub source: Option<IpAddr>,
    /// Keep to this kernel device (SO_BINDTODEVICE).
    pub device: Option<String>,
    /// DSCP of the packets, 0–63.
    pub dscp: Option<u8>,
    /// POSTs with a body go out in this coding, and the ACS is told that it may use both
    /// (`ManagementServer.HTTPCompression`); what the ACS encodes is read in any case.
    pub coding: Option<Coding>,
    /// The wall clock, for cookies with a date. Best one that never tells less than the
    /// floor of the TLS clock rule.
    pub clock: Clock,
}

impl ClientConfig {
    /// The defaults around a URL: no credentials, no TLS, the system's clock.
    pub fn new(url: Url) -> ClientConfig {
        ClientConfig {
            url,
            username: String::new(),
            password: String::new(),
            allow_basic: AllowBasic::default(),
            tls: None,
            require_tls: false,
            timeouts: Timeouts::default(),
            max_response: 8 * 1024 * 1024,
            user_agent: concat!("cwmp-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
            source: None,
            device: None,
            dscp: None,
            coding: None,
            clock: Arc::new(system_time),
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientConfig({})", self.url)
    }
}

/// Seconds since 1970 by the system's clock.
fn system_time() -> i64 {
    match crate::store::clock::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}
