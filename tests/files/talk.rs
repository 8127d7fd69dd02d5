//! One connection: requests in turn, each answered as its place says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::request::read_head;
use super::{Expect, Guard, Request, Served, Site, Trick, lock};

/// Whether the connection goes on.
type Goes = Option<()>;

/// A stream that can end in good order.
pub(super) trait Stream: Read + Write {
    /// Nothing more comes, and the client can tell.
    fn goodbye(&mut self) {}
}

impl Stream for TcpStream {}

impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn goodbye(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

pub(super) fn talk<S: Stream>(stream: S, connection: usize, site: &Site) {
    let mut talk = Talk {
        stream,
        rest: Vec::new(),
        site,
    };
    while let Some(request) = read_head(&mut talk.stream, &mut talk.rest, connection) {
        let at = {
            let mut requests = lock(&site.requests);
            requests.push(request.clone());
            requests.len() - 1
        };
        if talk.one(request, at).is_none() {
            return;
        }
    }
}

struct Talk<'a, S> {
    stream: S,
    /// What came behind the latest head.
    rest: Vec<u8>,
    site: &'a Site,
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        206 => "Partial Content",
        401 => "Unauthorized",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        _ => "Whatever",
    }
}

impl<S: Stream> Talk<'_, S> {
    fn one(&mut self, mut request: Request, at: usize) -> Goes {
        let place = lock(&self.site.places).get(request.path()).cloned();
        let Some(place) = place else {
            self.body(&mut request, at)?;
            return self.short(404, &[]);
        };
        let expects = request.header("expect").is_some();
        if expects && place.expect == Expect::Refused {
            self.short(417, &["Connection: close".to_owned()]);
            return None;
        }
        if expects && place.expect == Expect::Hasty {
            self.short(place.put_status, &[]);
            return self.silence();
        }
        if expects && place.expect == Expect::Known {
            // The final word before the body, or the word to send it.
            if !request.knows(&place.guard, b"") {
                self.challenge(&place.guard);
                return self.silence();
            }
            match self.trick(&request, &place, true) {
                Trick::Status(status) => {
                    self.short(status, &[]);
                    return self.silence();
                }
                Trick::Redirect(status, to) => {
                    self.short(status, &[format!("Location: {to}")]);
                    return self.silence();
                }
                Trick::Hangup => return None,
                _ => {}
            }
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.method == "PUT" && place.tricks.front() == Some(&Trick::Silence) {
            return self.silence();
        }
        let body = self.body(&mut request, at)?;
        if !request.knows(&place.guard, &body) {
            return self.challenge(&place.guard);
        }
        let trick = match expects && place.expect == Expect::Known {
            true => Trick::None,
            false => self.trick(&request, &place, false),
        };
        match trick {
            Trick::Status(status) => self.short(status, &[]),
            Trick::Redirect(status, to) => self.short(status, &[format!("Location: {to}")]),
            Trick::Hangup => None,
            Trick::Silence => self.silence(),
            _ if request.method == "PUT" => {
                let path = request.path().to_owned();
                lock(&self.site.stored).insert(path, body);
                self.short(place.put_status, &[])
            }
            trick => self.file(&request, &place, &trick),
        }
    }

    /// The trick of this request, once it is let in.
    fn trick(&self, request: &Request, place: &Served, only_final: bool) -> Trick {
        let mut places = lock(&self.site.places);
        let Some(kept) = places.get_mut(request.path()) else {
            return Trick::None;
        };
        let next = kept.tricks.front().unwrap_or(&place.otherwise).clone();
        let is_final = matches!(next, Trick::Status(_) | Trick::Redirect(..) | Trick::Hangup);
        if !only_final || is_final || next == Trick::None {
            kept.tricks.pop_front();
        }
        next
    }

    /// The body of a request.
    fn body(&mut self, request: &mut Request, at: usize) -> Option<Vec<u8>> {
        let length = request.length();
        let mut body = std::mem::take(&mut self.rest);
        let mut buffer = vec![0; 65536];
        while (body.len() as u64) < length {
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 => body.extend_from_slice(&buffer[..count]),
                _ => return None,
            }
        }
        self.rest = body.split_off(usize::try_from(length).ok()?);
        request.body = length;
        if let Some(kept) = lock(&self.site.requests).get_mut(at) {
            kept.body = length;
        }
        Some(body)
    }

    fn send(&mut self, bytes: &[u8]) -> Goes {
        let sent = self.stream.write_all(bytes);
        sent.and_then(|()| self.stream.flush()).ok()
    }

    /// An answer with a short text.
    fn short(&mut self, status: u16, headers: &[String]) -> Goes {
        let text = if status == 204 { "" } else { "a short text\n" };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for line in headers {
            head.push_str(&format!("{line}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n{text}", text.len()));
        self.send(head.as_bytes())
    }

    fn challenge(&mut self, guard: &Guard) -> Goes {
        let number = self.site.nonces.fetch_add(1, Ordering::SeqCst);
        let asked = match guard {
            Guard::Open => return None,
            Guard::Basic(..) => "Basic realm=\"files\"".to_owned(),
            Guard::Digest(algorithm, ..) => format!(
                "Digest realm=\"files\", nonce=\"nonce{number}\", qop=\"auth\", algorithm={}",
                algorithm.name()
            ),
            Guard::AuthInt(..) => {
                format!("Digest realm=\"files\", nonce=\"nonce{number}\", qop=\"auth-int\"")
            }
        };
        self.short(401, &[format!("WWW-Authenticate: {asked}")])
    }

    /// Until the client goes away; its body was not wanted.
    fn silence(&mut self) -> Goes {
        let mut buffer = [0; 65536];
        while matches!(self.stream.read(&mut buffer), Ok(count) if count > 0) {}
        None
    }

    /// A file, or the part of it that was asked for.
    fn file(&mut self, request: &Request, place: &Served, trick: &Trick) -> Goes {
        let all = place.body.len();
        let wanted = request.range().filter(|_| {
            let same = match request.header("if-range") {
                None => true,
                Some(known) => {
                    let own = [place.value("etag"), place.value("last-modified")];
                    own.contains(&Some(known))
                }
            };
            same && *trick != Trick::IgnoreRange
        });
        if wanted.is_some_and(|from| from >= all) {
            return self.short(416, &[format!("Content-Range: bytes */{all}")]);
        }
        let from = wanted.unwrap_or(0);
        let length = all - from;
        let status = if wanted.is_some() { 206 } else { 200 };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for line in &place.headers {
            head.push_str(&format!("{line}\r\n"));
        }
        if wanted.is_some() {
            let range = match trick {
                Trick::ContentRange(range) => range.clone(),
                _ => format!("bytes {from}-{}/{all}", all - 1),
            };
            head.push_str(&format!("Content-Range: {range}\r\n"));
        }
        match trick {
            Trick::Chunked | Trick::ChunkedCut(_) => {
                head.push_str("Transfer-Encoding: chunked\r\n")
            }
            Trick::NoLength | Trick::NoLengthCut(_) | Trick::Endless => {
                head.push_str("Connection: close\r\n");
            }
            Trick::Promise(more) => {
                let promised = length.saturating_add_signed(*more);
                head.push_str(&format!("Content-Length: {promised}\r\n"));
            }
            Trick::Coding(name) => {
                head.push_str(&format!(
                    "Content-Encoding: {name}\r\nContent-Length: {length}\r\n"
                ));
            }
            _ => head.push_str(&format!("Content-Length: {length}\r\n")),
        }
        head.push_str("\r\n");
        self.send(head.as_bytes())?;
        if request.method == "HEAD" {
            return Some(());
        }
        let to = match trick {
            Trick::Cut(n)
            | Trick::Stall(n)
            | Trick::Drip(n, _)
            | Trick::ChunkedCut(n)
            | Trick::NoLengthCut(n) => all.min(from + n),
            _ => all,
        };
        let chunks = matches!(trick, Trick::Chunked | Trick::ChunkedCut(_));
        let mut at = from;
        while at < to {
            let end = match trick {
                Trick::Pieces(size, _) => to.min(at + size),
                _ => to,
            };
            let piece = place.body.piece(at, end);
            at += piece.len() as u64;
            if chunks {
                self.send(format!("{:x};name=value\r\n", piece.len()).as_bytes())?;
                self.send(&piece)?;
                self.send(b"\r\n")?;
            } else {
                self.send(&piece)?;
            }
            if let Trick::Pieces(_, every) = trick {
                thread::sleep(Duration::from_millis(*every));
            }
        }
        match trick {
            Trick::Chunked => self.send(b"0\r\n\r\n"),
            Trick::NoLength => {
                self.stream.goodbye();
                None
            }
            Trick::Cut(_) | Trick::ChunkedCut(_) | Trick::NoLengthCut(_) | Trick::Promise(_) => {
                None
            }
            Trick::Stall(_) => self.silence(),
            Trick::Drip(_, every) => loop {
                self.send(b"x")?;
                thread::sleep(Duration::from_millis(*every));
            },
            Trick::Endless => loop {
                self.send(&[b'x'; 16384])?;
            },
            _ => Some(()),
        }
    }
}
