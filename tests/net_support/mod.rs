//! A small HTTP server on loopback that says exactly what a test tells it to.
#![allow(dead_code)] // Each test file uses its own part.

pub mod pki;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cwmp_agent::net::auth::challenge::Qop;
use cwmp_agent::net::auth::digest::{self, Algorithm, Input};
use cwmp_agent::net::http::{Client, ClientConfig, Timeouts};
use cwmp_agent::net::url::Url;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which connection it came over, from 0.
    pub connection: usize,
    /// The request line.
    pub line: String,
    /// Names as written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes of the request that the first read delivered.
    pub first_read: usize,
    /// Bytes of the whole request.
    pub size: usize,
    /// The client showed a certificate.
    pub client_certificate: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, v)| v.as_str());
        assert!(found.next().is_none(), "{name} twice: {:?}", self.headers);
        value
    }

    pub fn param(&self, name: &str) -> Option<String> {
        let header = self.header("authorization")?;
        let start = header.find(&format!("{name}="))? + name.len() + 1;
        let rest = &header[start..];
        Some(match rest.strip_prefix('"') {
            Some(rest) => rest.split('"').next().unwrap_or_default().to_owned(),
            None => rest.split(',').next().unwrap_or_default().trim().to_owned(),
        })
    }

    /// Holds the digest answer against what the challenge asked for.
    pub fn digest_is_right(&self, algorithm: Algorithm, qop: Qop, user: &str, pass: &str) -> bool {
        let get = |name: &str| self.param(name).unwrap_or_default();
        let mut words = self.line.split(' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let expected = digest::response(&Input {
            algorithm,
            username: user,
            realm: &get("realm"),
            password: pass,
            nonce: &get("nonce"),
            cnonce: &get("cnonce"),
            nc: &get("nc"),
            qop,
            method,
            uri: target,
            body: &self.body,
        });
        let qop_name = match qop {
            Qop::None => None,
            Qop::Auth => Some("auth"),
            Qop::AuthInt => Some("auth-int"),
        };
        get("username") == user
            && get("uri") == target
            && self.param("qop").as_deref() == qop_name
            && get("response") == expected
    }
}

/// What the server does after a request.
pub enum Answer {
    /// Sends these bytes and reads the next request.
    Keep(Vec<u8>),
    /// Sends these bytes and closes.
    Close(Vec<u8>),
    /// Says nothing and keeps the connection open.
    Silence,
}

/// `200` and the like, with a length and further header lines.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

pub fn keep(status: &str, headers: &[&str], body: &str) -> Answer {
    Answer::Keep(answer(status, headers, body))
}

pub fn ok() -> Answer {
    keep("200 OK", &[], "<ok/>")
}

type Handler = Arc<Mutex<dyn FnMut(&Request) -> Answer + Send>>;

pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub fn start(handler: impl FnMut(&Request) -> Answer + Send + 'static) -> Server {
        Server::start_at("127.0.0.1:0", None, handler)
    }

    pub fn start_tls(
        config: Arc<rustls::ServerConfig>,
        handler: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Server {
        Server::start_at("127.0.0.1:0", Some(config), handler)
    }

    pub fn start_at(
        at: &str,
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind(at).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let handler: Handler = Arc::new(Mutex::new(handler));
        let (log, stopped) = (requests.clone(), stop.clone());
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { break };
                let (handler, log, tls) = (handler.clone(), log.clone(), tls.clone());
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                    match tls {
                        None => talk(stream, connection, &handler, &log, |_| false),
                        Some(config) => {
                            let Ok(tls) = rustls::ServerConnection::new(config) else {
                                return;
                            };
                            let stream = rustls::StreamOwned::new(tls, stream);
                            talk(stream, connection, &handler, &log, |s| {
                                s.conn.peer_certificates().is_some()
                            });
                        }
                    }
                });
            }
        });
        Server {
            address,
            requests,
            stop,
        }
    }

    pub fn url(&self, target: &str) -> Url {
        Url::parse(&format!("http://{}{target}", self.address)).expect("a URL")
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panicked").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn talk<S: Read + Write>(
    mut stream: S,
    connection: usize,
    handler: &Handler,
    log: &Arc<Mutex<Vec<Request>>>,
    certificate: impl Fn(&S) -> bool,
) {
    while let Some(mut request) = read_request(&mut stream) {
        request.connection = connection;
        request.client_certificate = certificate(&stream);
        log.lock().expect("no test panicked").push(request.clone());
        let answer = {
            let mut handler = handler.lock().expect("no test panicked");
            (*handler)(&request)
        };
        match answer {
            Answer::Keep(bytes) => {
                if stream
                    .write_all(&bytes)
                    .and_then(|()| stream.flush())
                    .is_err()
                {
                    return;
                }
            }
            Answer::Close(bytes) => {
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                return;
            }
            Answer::Silence => {
                let _ = stream.read(&mut [0; 1]);
                return;
            }
        }
    }
}

fn read_request(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut first_read = 0;
    loop {
        if let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let mut lines = text.split("\r\n");
            let line = lines.next()?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|l| l.split_once(':'))
                .map(|(n, v)| (n.to_owned(), v.trim().to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, v)| v.parse::<usize>().ok())
                .unwrap_or(0);
            if bytes.len() >= head + 4 + length {
                return Some(Request {
                    connection: 0,
                    line,
                    headers,
                    body: bytes[head + 4..head + 4 + length].to_vec(),
                    first_read,
                    size: head + 4 + length,
                    client_certificate: false,
                });
            }
        }
        let mut buffer = [0; 65536];
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => {
                if first_read == 0 {
                    first_read = n;
                }
                bytes.extend_from_slice(&buffer[..n]);
            }
            _ => return None,
        }
    }
}

/// A client with short but not flaky limits.
pub fn config(url: Url) -> ClientConfig {
    let mut config = ClientConfig::new(url);
    config.username = "cpe".to_owned();
    config.password = "secret".to_owned();
    config.timeouts = Timeouts {
        connect: Duration::from_secs(10),
        send: Duration::from_secs(10),
        response: Duration::from_secs(10),
        body: Duration::from_secs(10),
    };
    config
}

pub fn client(url: Url) -> Client {
    Client::new(config(url)).expect("a client")
}
