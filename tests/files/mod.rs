//! A file server on loopback, http or https, that does what a test tells it to: GET, HEAD and
//! PUT, parts, validators, Basic and Digest, redirects, and every trouble a server can be in.
//!
//! ```ignore
//! let server = FileServer::start();
//! server.serve("/fw.bin", Served::pattern(30_000_000).tag("\"v1\"").next(Trick::Cut(1_000_000)));
//! let url = server.url("/fw.bin");
//! …
//! assert_eq!(server.requests().len(), 2);
//! ```
//!
//! Tricks given with `next` are played one after the other, one a request that is let in; the
//! one given with `always` whenever none of those is left. What was PUT is in
//! [`FileServer::stored`].
#![allow(dead_code)] // Each test file uses its own part.

mod content;
mod request;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use cwmp_agent::net::auth::digest::Algorithm;

#[allow(unused_imports)]
pub use content::{Body, pattern, pattern_sha256};
pub use request::Request;

/// What a server does to one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Trick {
    /// Answers as it should.
    None,
    /// This status and a short text.
    Status(u16),
    /// This status and place.
    Redirect(u16, String),
    /// The connection ends after so many bytes of the body.
    Cut(u64),
    /// Nothing more comes after so many bytes of the body.
    Stall(u64),
    /// After so many bytes one comes every so many milliseconds, for ever.
    Drip(u64, u64),
    /// In pieces of so many bytes, each followed by so many milliseconds.
    Pieces(u64, u64),
    /// In chunks, without a length.
    Chunked,
    /// In chunks, and cut after so many bytes.
    ChunkedCut(u64),
    /// Without a length: it ends with the connection.
    NoLength,
    /// Without a length, and cut after so many bytes.
    NoLengthCut(u64),
    /// Without a length and without an end.
    Endless,
    /// So many bytes more (or less) are promised than come.
    Promise(i64),
    /// This `Content-Encoding` is claimed.
    Coding(&'static str),
    /// A part is answered with the whole.
    IgnoreRange,
    /// A part is answered with this `Content-Range`.
    ContentRange(String),
    /// The connection ends before a word is said.
    Hangup,
    /// Nothing is ever said.
    Silence,
}

/// What becomes of `Expect: 100-continue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// `100 Continue`, or the final status at once; the connection stays open.
    Known,
    /// The body is waited for without a word.
    Ignored,
    /// 417.
    Refused,
    /// What went well is answered before the body has come.
    Hasty,
}

/// Who may come in.
#[derive(Debug, Clone)]
pub enum Guard {
    Open,
    Basic(String, String),
    Digest(Algorithm, String, String),
    /// Digest, only with a hash of the body.
    AuthInt(String, String),
}

impl Guard {
    pub fn basic(user: &str, password: &str) -> Guard {
        Guard::Basic(user.to_owned(), password.to_owned())
    }

    pub fn digest(algorithm: Algorithm, user: &str, password: &str) -> Guard {
        Guard::Digest(algorithm, user.to_owned(), password.to_owned())
    }
}

/// What is at one path.
#[derive(Debug, Clone)]
pub struct Served {
    pub body: Body,
    pub headers: Vec<String>,
    pub guard: Guard,
    pub tricks: VecDeque<Trick>,
    pub otherwise: Trick,
    pub expect: Expect,
    /// What a PUT is answered with.
    pub put_status: u16,
}

impl Served {
    pub fn new(body: Body) -> Served {
        Served {
            body,
            headers: Vec::new(),
            guard: Guard::Open,
            tricks: VecDeque::new(),
            otherwise: Trick::None,
            expect: Expect::Known,
            put_status: 201,
        }
    }

    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Served {
        Served::new(Body::Bytes(Arc::new(bytes.into())))
    }

    /// So many bytes that no memory holds; their sum is [`pattern_sha256`].
    pub fn pattern(length: u64) -> Served {
        Served::new(Body::Pattern(length))
    }

    /// Only for PUT, or for a trick.
    pub fn nothing() -> Served {
        Served::bytes(Vec::new())
    }

    /// A redirect, always.
    pub fn redirect(status: u16, to: impl Into<String>) -> Served {
        Served::nothing().always(Trick::Redirect(status, to.into()))
    }

    pub fn tag(self, tag: &str) -> Served {
        self.header(&format!("ETag: {tag}"))
    }

    pub fn header(mut self, line: &str) -> Served {
        self.headers.push(line.to_owned());
        self
    }

    pub fn guard(mut self, guard: Guard) -> Served {
        self.guard = guard;
        self
    }

    pub fn next(mut self, trick: Trick) -> Served {
        self.tricks.push_back(trick);
        self
    }

    pub fn always(mut self, trick: Trick) -> Served {
        self.otherwise = trick;
        self
    }

    pub fn expect(mut self, expect: Expect) -> Served {
        self.expect = expect;
        self
    }

    pub fn put_status(mut self, status: u16) -> Served {
        self.put_status = status;
        self
    }

    /// The value of one of its headers.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What connections share.
pub struct Site {
    places: Mutex<HashMap<String, Served>>,
    requests: Mutex<Vec<Request>>,
    stored: Mutex<HashMap<String, Vec<u8>>>,
    nonces: AtomicU32,
    stop: AtomicBool,
}

/// A poisoned lock is a test that failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread of the server panicked")
}

/// See the module. It ends when it is dropped.
pub struct FileServer {
    pub address: SocketAddr,
    scheme: &'static str,
    site: Arc<Site>,
}

impl FileServer {
    pub fn start() -> FileServer {
        FileServer::start_at("127.0.0.1:0", None)
    }

    pub fn start_tls(config: Arc<rustls::ServerConfig>) -> FileServer {
        FileServer::start_at("127.0.0.1:0", Some(config))
    }

    pub fn start_at(at: &str, tls: Option<Arc<rustls::ServerConfig>>) -> FileServer {
        let listener = TcpListener::bind(at).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let site = Arc::new(Site {
            places: Mutex::default(),
            requests: Mutex::default(),
            stored: Mutex::default(),
            nonces: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let shared = site.clone();
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if shared.stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { break };
                let (site, tls) = (shared.clone(), tls.clone());
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                    let _ = stream.set_write_timeout(Some(Duration::from_secs(60)));
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => talk::talk(stream, connection, &site),
                        Some(config) => {
                            if let Ok(tls) = rustls::ServerConnection::new(config) {
                                let stream = rustls::StreamOwned::new(tls, stream);
                                talk::talk(stream, connection, &site);
                            }
                        }
                    }
                });
            }
        });
        FileServer {
            address,
            scheme,
            site,
        }
    }

    /// What is at a path (without the query) from now on.
    pub fn serve(&self, path: &str, served: Served) {
        lock(&self.site.places).insert(path.to_owned(), served);
    }

    /// The address as the URL has it, for certificates that name no other.
    pub fn url(&self, target: &str) -> String {
        format!("{}://{}{target}", self.scheme, self.address)
    }

    /// The same place under another name of this machine, such as `localhost`.
    pub fn url_of(&self, host: &str, target: &str) -> String {
        format!("{}://{host}:{}{target}", self.scheme, self.address.port())
    }

    /// All requests so far, those of refused credentials included.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.site.requests).clone()
    }

    /// What was PUT to a path.
    pub fn stored(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.site.stored).get(path).cloned()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.site.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
