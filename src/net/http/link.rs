//! The way from a client to its servers: ureq with our connector below it, TLS when it is
//! needed for the first time, and the handle that ends it all.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ureq::config::AutoHeaderValue;

use super::connect::{Lookup, Plug, Watch};
use super::error::is_gone;
use super::{HttpError, MAX_HEAD, Timeouts};
use crate::net::socket::Route;
use crate::net::tls::{TlsConfig, TlsWhenNeeded};
use crate::net::url::Url;

/// What stands around the longest text in a line of a head: a header's name, or method and
/// version.
const AROUND: usize = 64;

/// What a link keeps to.
pub(in crate::net) struct Way {
    pub tls: Option<TlsWhenNeeded>,
    pub source: Option<IpAddr>,
    pub device: Option<String>,
    pub dscp: Option<u8>,
    pub timeouts: Timeouts,
    /// Whether `timeouts.body` bounds a body as a whole. Else [`Link::body_by`] bounds each
    /// piece of it.
    pub whole_body: bool,
    /// How long a request with `Expect: 100-continue` waits before it sends its body.
    pub expect: Option<Duration>,
}

/// See the module.
pub(in crate::net) struct Link {
    agent: ureq::Agent,
    tls: Arc<OnceLock<TlsConfig>>,
    make_tls: Option<TlsWhenNeeded>,
    watch: Arc<Watch>,
}

impl Link {
    /// No connection is made yet.
    pub(in crate::net) fn new(way: Way) -> Link {
        let tls = Arc::new(OnceLock::new());
        let watch = Arc::new(Watch::default());
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
            // The server decides how long a connection may idle, not we.
            .max_idle_age(Duration::from_secs(3600))
            .timeout_recv_body(way.whole_body.then_some(way.timeouts.body))
            .timeout_await_100(way.expect)
            .build();
        let plug = Plug {
            tls: tls.clone(),
            route: Route {
                source: way.source,
                device: way.device,
                dscp: way.dscp,
            },
            timeouts: way.timeouts,
            watch: watch.clone(),
        };
        let lookup = Lookup::new(way.source, watch.clone());
        Link {
            agent: ureq::Agent::with_parts(settings, plug, lookup),
            tls,
            make_tls: way.tls,
            watch,
        }
    }

    pub(in crate::net) fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// Sets TLS up when a URL needs it for the first time.
    pub(in crate::net) fn prepare(&self, url: &Url) -> Result<(), HttpError> {
        if url.is_https() && self.tls.get().is_none() {
            let Some(make) = &self.make_tls else {
                return Err(HttpError::NoTls(url.clone()));
            };
            // Only this client sets it, and it has just been found empty.
            let _ = self.tls.set(make().map_err(HttpError::TlsSetup)?);
        }
        Ok(())
    }

    /// Our own address on the latest connection.
    pub(in crate::net) fn local_addr(&self) -> Option<SocketAddr> {
        self.watch.local.lock().ok().and_then(|local| *local)
    }

    /// Connections made so far.
    pub(in crate::net) fn connections_made(&self) -> u32 {
        self.watch.made.load(Ordering::Relaxed)
    }

    /// The longest text in a line of the next request's head has so many bytes.
    pub(in crate::net) fn expect_line(&self, length: usize) {
        self.watch.line.store(length + AROUND, Ordering::Relaxed);
    }

    /// The next of a body must come until then; None: there is no body to come.
    pub(in crate::net) fn body_by(&self, by: Option<Instant>) {
        if let Ok(mut set) = self.watch.body_by.lock() {
            *set = by;
        }
    }

    /// Whether a connection broke, other than by its regular end, since this was asked last.
    pub(in crate::net) fn was_cut(&self) -> bool {
        self.watch.cut.swap(false, Ordering::Relaxed)
    }

    /// Whether the client was told to end.
    pub(in crate::net) fn is_aborted(&self) -> bool {
        self.watch.aborted.load(Ordering::Relaxed)
    }

    /// A handle that ends a running request from another thread.
    pub(in crate::net) fn aborter(&self) -> Aborter {
        Aborter {
            agent: self.agent.clone(),
            watch: self.watch.clone(),
        }
    }
}

/// One exchange; it may be repeated once when a kept connection turns out to be closed.
#[derive(Default)]
pub(in crate::net) struct Attempt {
    made: u32,
    repeated: bool,
}

impl Attempt {
    /// The request goes out.
    pub(in crate::net) fn begin(&mut self, link: &Link) {
        self.made = link.connections_made();
        link.watch.answered.store(false, Ordering::Relaxed);
    }

    /// This came of it: whether it may go out again.
    pub(in crate::net) fn may_repeat(&mut self, link: &Link, error: &ureq::Error) -> bool {
        let kept = self.made == link.connections_made();
        let answered = link.watch.answered.load(Ordering::Relaxed);
        let gone = matches!(error, ureq::Error::Io(e) if is_gone(e.kind()));
        let first = !std::mem::replace(&mut self.repeated, true);
        gone && kept && !answered && first
    }
}

/// Ends a client's running and later requests from another thread.
#[derive(Clone)]
pub struct Aborter {
    agent: ureq::Agent,
    watch: Arc<Watch>,
}

impl fmt::Debug for Aborter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aborter")
    }
}

impl Aborter {
    /// The running request returns an error within a fraction of a second; later ones at once.
    /// Only a name that is being looked up is waited for.
    pub fn abort(&self) {
        self.watch.aborted.store(true, Ordering::Relaxed);
        self.agent.clone().shutdown();
    }
}
