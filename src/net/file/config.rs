//! What a client of file servers is told before its first request.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::net::http::{AllowBasic, ClientConfig};
use crate::net::tls::TlsWhenNeeded;
use crate::net::url::Url;

/// How long each step of a file transfer may take. There is no limit for a whole file: a
/// large one over a slow line may take hours, as long as it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTimeouts {
    /// TCP and TLS handshake over all addresses together; default 30 s.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's head; default 60 s.
    pub response: Duration,
    /// A download that brings no byte, or an upload of which no 16 KiB get away, for so long
    /// has stalled; default 60 s.
    pub stall: Duration,
    /// A download must bring [`pace_bytes`](Self::pace_bytes) in each such span, so that one
    /// byte now and then does not hold it for ever; default 60 s.
    pub pace: Duration,
    /// See [`pace`](Self::pace); default 8 KiB, a tenth of what the slowest DSL line carries.
    pub pace_bytes: u64,
    /// How long an upload waits for the server's word before it sends a body of more than
    /// 16 KiB (`Expect: 100-continue`, RFC 9110 section 10.1.1); default 1 s. Servers that do
    /// not know the header never answer it.
    pub expect: Duration,
}

impl Default for FileTimeouts {
    fn default() -> Self {
        FileTimeouts {
            connect: Duration::from_secs(30),
            response: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            pace: Duration::from_secs(60),
            pace_bytes: 8 * 1024,
            expect: Duration::from_secs(1),
        }
    }
}

/// Where a file is to be had, or to be put, and by which rules.
#[derive(Clone)]
pub struct FileConfig {
    /// `URL` of a Download or Upload (TR-069 A.4.1.5). It cannot hold user information.
    pub url: Url,
    /// `Username`; empty: no credentials, a 401 is final.
    pub username: String,
    /// `Password`.
    pub password: String,
    /// When Basic is good enough. File servers that know nothing else are common: whoever
    /// asks for a transfer decides.
    pub allow_basic: AllowBasic,
    /// Needed for https, be it the URL's or a redirect's; called when the first https URL
    /// comes up. The same as for the ACS: chain and name are always verified.
    pub tls: Option<TlsWhenNeeded>,
    /// Limits in time.
    pub timeouts: FileTimeouts,
    /// How often a download that broke off is taken up again before it has failed; default 4.
    pub resumes: u32,
    /// How long to wait before that, the first time; twice as long each further time;
    /// default 2 s.
    pub resume_wait: Duration,
    /// `User-Agent`; empty: none is sent.
    pub user_agent: String,
    /// Connect from this address.
    pub source: Option<IpAddr>,
    /// Keep to this kernel device (SO_BINDTODEVICE).
    pub device: Option<String>,
    /// DSCP of the packets, 0–63.
    pub dscp: Option<u8>,
}

impl FileConfig {
    /// The defaults around a URL: no credentials, no TLS.
    pub fn new(url: Url) -> FileConfig {
        FileConfig {
            url,
            username: String::new(),
            password: String::new(),
            allow_basic: AllowBasic::default(),
            tls: None,
            timeouts: FileTimeouts::default(),
            resumes: 4,
            resume_wait: Duration::from_secs(2),
            user_agent: concat!("cwmp-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
            source: None,
            device: None,
            dscp: None,
        }
    }

    /// The way a session with the ACS takes (TLS, device, source, DSCP, user agent, when Basic
    /// is good enough) to another place. The ACS's credentials are not taken over.
    pub fn like(session: &ClientConfig, url: Url) -> FileConfig {
        FileConfig {
            allow_basic: session.allow_basic,
            tls: session.tls.clone(),
            user_agent: session.user_agent.clone(),
            source: session.source,
            device: session.device.clone(),
            dscp: session.dscp,
            ..FileConfig::new(url)
        }
    }
}

impl fmt::Debug for FileConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileConfig({})", self.url.shown())
    }
}
