//! Our connector and resolver below ureq: TCP with our own bounds, rustls with our own
//! verifier, head and body of a POST in one write, and no thread for a name.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, ShutdownHandle, Transport,
};
use ureq::{Error, Timeout};

use super::buffers::Room;
use super::error::is_gone;
use super::{ConnectError, ResolveError, Timeouts, TlsError};
use crate::net::socket::{Route, connect_tcp};
use crate::net::tls::{self, Connection, TlsConfig};

/// What the client and its connections must know of each other.
#[derive(Default)]
pub(super) struct Watch {
    /// Connections made so far.
    pub made: AtomicU32,
    /// Bytes of an answer have come since the latest request went out.
    pub answered: AtomicBool,
    /// Bytes of the longest line that the head of the next request can have.
    pub line: AtomicUsize,
    /// The client was told to end.
    pub aborted: AtomicBool,
    /// Where the client bounds a body by more than its whole time: the next of it must come
    /// until then. None while there is no body to come.
    pub body_by: Mutex<Option<Instant>>,
    /// A connection broke while something was to be read: what came may not be all.
    pub cut: AtomicBool,
    /// Where the host of the connection is, as long as that is open.
    found: Mutex<Option<Found>>,
    /// Our address on the latest connection.
    pub local: Mutex<Option<SocketAddr>>,
}

pub(super) struct Plug {
    pub tls: Arc<OnceLock<TlsConfig>>,
    pub route: Route,
    pub timeouts: Timeouts,
    pub watch: Arc<Watch>,
}

impl fmt::Debug for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plug")
    }
}

impl Connector for Plug {
    type Out = Wire;

    fn connect(&self, to: &ConnectionDetails, _: Option<()>) -> Result<Option<Wire>, Error> {
        let deadline = Instant::now() + self.timeouts.connect;
        let stream = self.connect_any(&to.addrs, deadline);
        let stream = Arc::new(stream.inspect_err(|_| *self.watch.found() = None)?);
        // From here on another thread can end what we wait for.
        (to.register_shutdown)(Arc::downgrade(&stream) as Weak<dyn ShutdownHandle>)?;
        let tls = if to.needs_tls() {
            let config = self.tls.get().ok_or(Error::TlsRequired)?;
            Some(shake_hands(&stream, config, host_of(to.uri), deadline)?)
        } else {
            None
        };
        self.watch.made.fetch_add(1, Ordering::Relaxed);
        if let (Ok(mut local), Ok(address)) = (self.watch.local.lock(), stream.local_addr()) {
            *local = Some(address);
        }
        Ok(Some(Wire {
            stream,
            tls,
            room: Room::new(self.watch.clone()),
            answer_by: deadline,
            timeouts: self.timeouts,
            watch: self.watch.clone(),
        }))
    }
}

impl Plug {
    /// Tries the addresses in turn; each gets an equal share of the time that is left.
    fn connect_any(&self, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Error> {
        let mut tried = Vec::new();
        let wanted = || !self.watch.aborted.load(Ordering::Relaxed);
        for (i, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let shares = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
            match connect_tcp(*address, &self.route, left / shares, &wanted) {
                Ok(stream) => return Ok(stream),
                Err(e) => tried.push((*address, e)),
            }
        }
        Err(Error::Other(Box::new(ConnectError { tried })))
    }
}

fn shake_hands(
    stream: &TcpStream,
    config: &TlsConfig,
    host: &str,
    deadline: Instant,
) -> Result<Connection, Error> {
    let fail = |why: TlsError| Error::Other(Box::new(why));
    let mut connection = Connection::new(config, host).map_err(fail)?;
    match connection.shake_hands(Timed { stream, deadline }) {
        Ok(()) => Ok(connection),
        Err(e) => Err(match tls::failure(&e, host) {
            Some(why) => fail(why),
            None if is_timeout(&e) => Error::Timeout(Timeout::Connect),
            None => fail(TlsError::Handshake {
                host: host.to_owned(),
                why: format!("the server ended the connection in the handshake: {e}"),
            }),
        }),
    }
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The host of a URI, an IPv6 address without its brackets.
fn host_of(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

/// A stream whose reads and writes end at a deadline.
struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // The kernel takes a zero for "for ever".
        Ok(left.max(Duration::from_millis(1)))
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One connection, plain or TLS.
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    tls: Option<Connection>,
    /// Head and body of a request are gathered in it, until ureq wants to read.
    room: Room,
    /// The head of the answer must be here by then.
    answer_by: Instant,
    timeouts: Timeouts,
    watch: Arc<Watch>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Sends what was gathered. A peer that is gone is no error here: reading will tell, and
    /// perhaps it has answered before it went.
    fn send(&mut self) -> Result<(), Error> {
        let mut timed = Timed {
            stream: &self.stream,
            deadline: Instant::now() + self.timeouts.send,
        };
        let sent = match &mut self.tls {
            None => timed.write_all(self.room.gathered()),
            Some(tls) => tls.send(&mut timed, self.room.gathered()),
        };
        self.room.sent();
        // The last piece may have gone out before anybody waits for the answer.
        self.answer_by = Instant::now() + self.timeouts.response;
        match sent {
            Err(e) if is_timeout(&e) => Err(Error::Timeout(Timeout::SendBody)),
            Err(e) if !is_gone(e.kind()) => Err(Error::Io(e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut timed = Timed {
            stream: &self.stream,
            deadline,
        };
        let free = self.room.input_append_buf();
        match &mut self.tls {
            None => timed.read(free),
            Some(tls) => tls.receive(timed, free, is_gone),
        }
    }

    /// True while nothing but TLS housekeeping has come and the peer has not said goodbye.
    fn is_quiet(&mut self) -> io::Result<bool> {
        let mut stream: &TcpStream = &self.stream;
        let Some(tls) = &mut self.tls else {
            let mut byte = [0];
            return match stream.read(&mut byte) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(true),
                _ => Ok(false),
            };
        };
        tls.is_quiet(stream)
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.room
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        if self.room.gathered().is_empty() {
            self.watch.answered.store(false, Ordering::Relaxed);
        }
        self.room.gather(amount);
        if self.room.is_full() {
            self.send()?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if !self.room.gathered().is_empty() {
            self.send()?;
        }
        // ureq bounds only the body, as a whole; the answer's head is bounded from the end of
        // the request.
        let (deadline, reason) = if !timeout.after.is_not_happening() {
            (Instant::now() + *timeout.after, timeout.reason)
        } else if let Some(by) = self.watch.body_by.lock().ok().and_then(|by| *by) {
            (by, Timeout::RecvBody)
        } else {
            (self.answer_by, Timeout::RecvResponse)
        };
        match self.receive(deadline) {
            Ok(amount) => {
                self.room.input_appended(amount);
                if timeout.reason == Timeout::Await100 {
                    // A final answer where `100 Continue` was expected: ureq leaves it where it
                    // is and would then wait for more.
                    self.room.look_again();
                }
                if amount > 0 {
                    self.watch.answered.store(true, Ordering::Relaxed);
                }
                Ok(amount > 0)
            }
            Err(e) if is_timeout(&e) => Err(Error::Timeout(reason)),
            Err(e) => match tls::failure(&e, "") {
                _ if is_gone(e.kind()) => {
                    self.watch.cut.store(true, Ordering::Relaxed);
                    Err(Error::Io(e))
                }
                Some(why) => Err(Error::Other(Box::new(why))),
                None => Err(Error::Io(e)),
            },
        }
    }

    fn is_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet = self.is_quiet().unwrap_or(false);
        quiet && self.stream.set_nonblocking(false).is_ok()
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        *self.watch.found() = None;
        if let Some(tls) = &mut self.tls {
            // As far as it goes without waiting.
            if self.stream.set_nonblocking(true).is_ok() {
                tls.goodbye(&*self.stream);
            }
        }
    }
}

/// Looks names up on the calling thread; addresses of a family we cannot connect from are
/// left out. ureq asks before each request, even for a connection that is open: what was
/// found serves until that is closed, so that a name server that falls silent in the middle
/// of a session does not end it.
pub(super) struct Lookup {
    source: Option<IpAddr>,
    watch: Arc<Watch>,
    look_up: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
}

/// The host that was looked up last, its port, and where it is.
struct Found {
    host: String,
    port: u16,
    at: ResolvedSocketAddrs,
}

impl Watch {
    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup {
    pub fn new(source: Option<IpAddr>, watch: Arc<Watch>) -> Lookup {
        Lookup {
            source,
            watch,
            look_up: |host, port| Ok((host, port).to_socket_addrs()?.collect()),
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = host_of(uri);
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        if let Some(found) = &*self.watch.found()
            && found.host == host
            && found.port == port
        {
            return Ok(found.at.clone());
        }
        let fail = |why: String| {
            Error::Other(Box::new(ResolveError {
                host: host.to_owned(),
                why,
            }))
        };
        let found = (self.look_up)(host, port).map_err(|e| fail(e.to_string()))?;
        let fits = |a: &SocketAddr| self.source.is_none_or(|s| s.is_ipv4() == a.is_ipv4());
        let mut addresses = self.empty();
        for address in found.into_iter().filter(fits).take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(fail("no address of a family we have".to_owned()));
        }
        *self.watch.found() = Some(Found {
            host: host.to_owned(),
            port,
            at: addresses.clone(),
        });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_a_name_stands_for_is_kept_for_one_place_and_a_failure_is_not() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let lookup = Lookup {
            look_up: |_, port| {
                ASKED.fetch_add(1, Ordering::Relaxed);
                match port {
                    1 => Err(io::Error::other("no answer")),
                    _ => Ok(vec![([192, 0, 2, 1], port).into()]),
                }
            },
            ..Lookup::new(None, Arc::default())
        };
        let found = |uri: &'static str| {
            let after = NextTimeout {
                after: ureq::unversioned::transport::time::Duration::NotHappening,
                reason: Timeout::Resolve,
                per_read: None,
                per_write: None,
            };
            let uri = Uri::from_static(uri);
            let found = lookup.resolve(&uri, &ureq::config::Config::default(), after);
            found.map(|all| all.iter().map(SocketAddr::port).collect::<Vec<_>>())
        };
        for (uri, ports, asked) in [
            ("http://acs.example/a", vec![80], 1),
            ("http://acs.example/b", vec![80], 1),
            ("https://acs.example/a", vec![443], 2),
            ("https://other.example/a", vec![443], 3),
            ("https://acs.example/a", vec![443], 4),
        ] {
            assert_eq!(found(uri).expect("addresses"), ports, "{uri}");
            assert_eq!(ASKED.load(Ordering::Relaxed), asked, "{uri}");
        }
        // What failed is asked again, and does not stand for what is known.
        assert!(found("http://acs.example:1/").is_err());
        assert!(found("http://acs.example:1/").is_err());
        assert_eq!(ASKED.load(Ordering::Relaxed), 6);
        assert_eq!(found("https://acs.example/a").expect("known"), [443]);
        assert_eq!(ASKED.load(Ordering::Relaxed), 6);
    }

    fn plug(route: Route) -> Plug {
        Plug {
            tls: Arc::default(),
            route,
            timeouts: Timeouts::default(),
            watch: Arc::new(Watch::default()),
        }
    }

    #[test]
    fn a_name_is_looked_up_once_a_connection() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let watch = Arc::new(Watch::default());
        let lookup = Lookup {
            look_up: |_, port| {
                ASKED.fetch_add(1, Ordering::Relaxed);
                Ok(vec![([127, 0, 0, 1], port).into()])
            },
            ..Lookup::new(None, watch.clone())
        };
        let plug = Plug {
            watch,
            ..plug(Route::default())
        };
        let agent = ureq::Agent::with_parts(ureq::config::Config::default(), plug, lookup);
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://acs.example:{}/",
            server.local_addr().unwrap().port()
        );
        // Two answers on one connection, one on the next, then nobody is there.
        let answers = std::thread::spawn(move || {
            for answers in [2, 1] {
                let (mut stream, _) = server.accept().expect("a connection");
                for left in (0..answers).rev() {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).expect("a request");
                        head.extend(byte);
                    }
                    let then = ["close", "keep-alive"][usize::from(left > 0)];
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: {then}\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).expect("an answer");
                }
            }
        });
        for asked in [1, 1, 2] {
            assert!(agent.get(&url).call().is_ok());
            assert_eq!(ASKED.load(Ordering::Relaxed), asked);
        }
        answers.join().expect("the server");
        for asked in [3, 4] {
            assert!(agent.get(&url).call().is_err());
            assert_eq!(ASKED.load(Ordering::Relaxed), asked);
        }
    }

    #[test]
    fn the_addresses_are_tried_in_turn_and_all_failures_are_told() {
        let open = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open_at = open.local_addr().expect("an address");
        let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
        let closed_at = closed.local_addr().expect("an address");
        drop(closed);
        let by = Instant::now() + Duration::from_secs(10);
        let plug = plug(Route::default());
        let stream = plug.connect_any(&[closed_at, open_at], by).expect("second");
        assert_eq!(stream.peer_addr().expect("a peer"), open_at);
        assert!(stream.nodelay().expect("an option"));
        match plug.connect_any(&[closed_at, closed_at], by) {
            Err(Error::Other(e)) => {
                let e = e.downcast::<ConnectError>().expect("our error");
                assert_eq!(e.tried.len(), 2);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_device_is_kept_to() {
        let open = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = [open.local_addr().expect("an address")];
        let by = || Instant::now() + Duration::from_secs(10);
        let route = |device: &str| Route {
            device: Some(device.to_owned()),
            ..Route::default()
        };
        plug(route("lo")).connect_any(&to, by()).expect("over lo");
        assert!(plug(route("absent0")).connect_any(&to, by()).is_err());
    }
}
