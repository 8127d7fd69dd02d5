//! Listeners and connection threads. A fault in a thread is recorded, never swallowed;
//! everything ends when the [`Server`] is stopped.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::AcsConfig;
use super::record::{AcsEvent, Record};
use super::session::{Act, State};
use super::wire::{NoRequest, Stream, Wire};

/// Connections at the same time; a CPE needs one.
const CONNECTIONS: usize = 32;

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
    sockets: Mutex<HashMap<u32, TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Requests begun and not yet answered.
    pub in_flight: AtomicU32,
    idle: Duration,
}

pub(super) struct Server {
    pub shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Panics behind the lock are caught and recorded; the state stays readable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, what: String) {
        self.state().record.errors.push(what);
        self.changed.notify_all();
    }

    pub(super) fn wait<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut(&Record) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + timeout;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state.record) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Server {
    pub(super) fn start(config: AcsConfig) -> io::Result<Server> {
        let mut listeners = Vec::new();
        let mut origins = Vec::new();
        for n in 0..config.listeners.max(1) {
            let listener = if config.ipv6 {
                TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?
            } else {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            };
            let tls = config
                .tls
                .iter()
                .find(|(at, _)| *at == n)
                .map(|(_, c)| c.clone());
            let scheme = if tls.is_some() { "https" } else { "http" };
            origins.push(format!("{scheme}://{}", listener.local_addr()?));
            listeners.push((listener, tls));
        }
        let idle = config.idle;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(config, origins)),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            sockets: Mutex::new(HashMap::new()),
            threads: Mutex::new(Vec::new()),
            in_flight: AtomicU32::new(0),
            idle,
        });
        let mut server = Server {
            shared,
            addresses: Vec::new(),
            acceptors: Vec::new(),
        };
        for (n, (listener, tls)) in listeners.into_iter().enumerate() {
            server.addresses.push(listener.local_addr()?);
            let shared = server.shared.clone();
            let acceptor = thread::Builder::new()
                .name(format!("acs-listener-{n}"))
                .spawn(move || accept(&shared, &listener, n, tls.as_ref()))?;
            server.acceptors.push(acceptor);
        }
        Ok(server)
    }

    /// Closes everything and waits for the threads.
    pub(super) fn stop(&mut self) {
        if self.shared.stop.swap(true, Ordering::SeqCst) {
            return;
        }
        for (address, acceptor) in self.addresses.iter().zip(self.acceptors.drain(..)) {
            // Wakes accept(); if the listener is gone the thread has ended by itself.
            let _ = TcpStream::connect_timeout(address, Duration::from_secs(1));
            if acceptor.join().is_err() {
                self.shared.error("a listener thread panicked".into());
            }
        }
        for socket in lock(&self.shared.sockets).values() {
            // Already closed is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        for thread in threads {
            if thread.join().is_err() {
                self.shared.error("a connection thread panicked".into());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(
    shared: &Arc<Shared>,
    listener: &TcpListener,
    number: usize,
    tls: Option<&Arc<rustls::ServerConfig>>,
) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(e) => {
                shared.error(format!("accept: {e}"));
                return;
            }
        };
        let connection = {
            let mut state = shared.state();
            state.record.connections += 1;
            state.record.connections
        };
        if let Err(e) = serve_in_thread(shared, stream, connection, number, tls.cloned()) {
            shared.error(format!("connection {connection}: {e}"));
        }
        shared.changed.notify_all();
    }
}

fn serve_in_thread(
    shared: &Arc<Shared>,
    stream: TcpStream,
    connection: u32,
    listener: usize,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(shared.idle))?;
    stream.set_write_timeout(Some(shared.idle))?;
    {
        let mut sockets = lock(&shared.sockets);
        if sockets.len() >= CONNECTIONS {
            return Err(io::Error::other(format!(
                "more than {CONNECTIONS} at the same time"
            )));
        }
        sockets.insert(connection, stream.try_clone()?);
    }
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(config) => {
            let session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            Stream::Tls(Box::new(rustls::StreamOwned::new(session, stream)))
        }
    };
    let theirs = shared.clone();
    let thread = thread::Builder::new()
        .name(format!("acs-{connection}"))
        .spawn(move || {
            theirs.state().tell(AcsEvent::Connected { connection });
            let served = catch_unwind(AssertUnwindSafe(|| {
                serve(&theirs, Wire::new(stream), connection, listener);
            }));
            lock(&theirs.sockets).remove(&connection);
            if served.is_err() {
                theirs.error(format!("connection {connection}: its thread panicked"));
            }
            theirs.state().tell(AcsEvent::Disconnected { connection });
        })?;
    let mut threads = lock(&shared.threads);
    threads.retain(|t| !t.is_finished());
    threads.push(thread);
    Ok(())
}

fn serve(shared: &Shared, mut wire: Wire, connection: u32, listener: usize) {
    while wire.wait() {
        let flight = Flight::begin(&shared.in_flight);
        if shared.state().drops_before_reading(listener) {
            drop(flight);
            wire.close();
            return;
        }
        let request = match wire.read(connection, listener) {
            Ok(request) => request,
            Err(NoRequest::Gone) => return,
            Err(why) => {
                if !shared.stop.load(Ordering::SeqCst) {
                    let what = match why {
                        NoRequest::Bad(what) => format!("no HTTP: {what}"),
                        _ => "the connection ended in the middle of a request".into(),
                    };
                    shared.state().violation(what);
                    shared.changed.notify_all();
                }
                return;
            }
        };
        let pipelined = wire.more_is_there();
        let act = {
            let mut state = shared.state();
            if pipelined {
                state.violation("the next request came before the reply to this one".into());
            }
            if flight.beside {
                state.violation("two requests at the same time on two connections".into());
            }
            state.take(&request, wire.is_tls())
        };
        let go_on = match act {
            Act::Send { octets, close } => {
                // The CPE may act on the reply at once: it is over before it is sent.
                drop(flight);
                let sent = wire.send(&octets);
                shared.changed.notify_all();
                if close || sent.is_err() {
                    wire.close();
                    return;
                }
                true
            }
            Act::Hang => {
                // Never answered, so over as far as other connections are concerned.
                drop(flight);
                shared.changed.notify_all();
                wire.wait_for_close();
                false
            }
            Act::Drop | Act::Reset => {
                drop(flight);
                shared.changed.notify_all();
                if matches!(act, Act::Drop) {
                    wire.close();
                } else if let Err(e) = wire.reset() {
                    shared.error(format!("connection {connection}: reset: {e}"));
                }
                // The clone kept for stopping would hold the socket open.
                lock(&shared.sockets).remove(&connection);
                return;
            }
        };
        if !go_on {
            return;
        }
    }
}

/// A request between its first octet and its answer.
struct Flight<'a> {
    count: &'a AtomicU32,
    /// Whether there was another one when it began.
    beside: bool,
}

impl Flight<'_> {
    fn begin(count: &AtomicU32) -> Flight<'_> {
        Flight {
            count,
            beside: count.fetch_add(1, Ordering::SeqCst) > 0,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
