//! HTTP/1.1 on one connection, the server's side: requests in, replies out in any framing.
//! It knows nothing of CWMP. All sizes are bounded.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::misbehave::Framing;
use super::record::{HttpReply, HttpRequest};

/// Longest request head.
const HEAD: usize = 64 * 1024;
/// Longest request body: twice what the CPE may answer.
const BODY: usize = 16 * 1024 * 1024;

/// A connection, with TLS or without.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(s) => s,
            Stream::Tls(s) => s.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(s) => s.read(buf),
            Stream::Tls(s) => s.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(s) => s.write(buf),
            Stream::Tls(s) => s.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(s) => s.flush(),
            Stream::Tls(s) => s.flush(),
        }
    }
}

/// Why no request came.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The peer closed, was silent too long, or cut the connection between requests.
    Gone,
    /// The peer closed in the middle of a request.
    Cut,
    /// Not HTTP as the ACS understands it; what.
    Bad(String),
}

/// Why a read gave nothing more.
enum Short {
    End,
    TooLong(&'static str),
}

/// One connection.
pub(super) struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Wire {
        Wire {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Waits for the first octet of a request without taking it off a plain socket.
    pub(super) fn wait(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return true;
        }
        match &self.stream {
            Stream::Plain(s) => loop {
                match s.peek(&mut [0]) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    other => return matches!(other, Ok(1)),
                }
            },
            Stream::Tls(_) => matches!(self.fill(), Ok(n) if n > 0),
        }
    }

    /// Reads one request. `connection` and `listener` are noted in it.
    pub(super) fn read(
        &mut self,
        connection: u32,
        listener: usize,
    ) -> Result<HttpRequest, NoRequest> {
        let head = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                break std::mem::replace(&mut self.buffer, rest);
            }
            if self.buffer.len() > HEAD {
                return Err(NoRequest::Bad(format!(
                    "a request head of more than {HEAD} octets"
                )));
            }
            match self.fill() {
                Ok(0) | Err(_) if self.buffer.is_empty() => return Err(NoRequest::Gone),
                Ok(0) | Err(_) => return Err(NoRequest::Cut),
                Ok(_) => {}
            }
        };
        let mut request = parse_head(&head).map_err(NoRequest::Bad)?;
        request.connection = connection;
        request.listener = listener;
        if request
            .header("Expect")
            .is_some_and(|v| v.eq_ignore_ascii_case("100-continue"))
        {
            let _ = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let chunked = request.header("Transfer-Encoding").is_some();
        let length = request.header("Content-Length").map(str::to_string);
        let body = match (chunked, length) {
            (true, _) => self.read_chunked()?,
            (false, Some(text)) => {
                let length = text
                    .parse::<usize>()
                    .map_err(|_| NoRequest::Bad(format!("Content-Length `{text}` is no number")))?;
                self.take(length).map_err(short)?
            }
            (false, None) => Vec::new(),
        };
        request.body = body;
        Ok(request)
    }

    fn read_chunked(&mut self) -> Result<Vec<u8>, NoRequest> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| NoRequest::Bad(format!("chunk size `{size}` is no number")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size).map_err(short)?);
            if body.len() > BODY {
                return Err(short(Short::TooLong("chunked body")));
            }
            if !self.line()?.is_empty() {
                return Err(NoRequest::Bad("no line end after a chunk".into()));
            }
        }
    }

    fn line(&mut self) -> Result<String, NoRequest> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let rest = self.buffer.split_off(at + 2);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(at);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.buffer.len() > HEAD {
                return Err(short(Short::TooLong("line")));
            }
            if !matches!(self.fill(), Ok(n) if n > 0) {
                return Err(NoRequest::Cut);
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Short> {
        if length > BODY {
            return Err(Short::TooLong("body"));
        }
        while self.buffer.len() < length {
            if !matches!(self.fill(), Ok(n) if n > 0) {
                return Err(Short::End);
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 8192];
        loop {
            match self.stream.read(&mut chunk) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Ok(n) => {
                    self.buffer
                        .extend_from_slice(chunk.get(..n).unwrap_or_default());
                    return Ok(n);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether the peer has already sent more than the request just read.
    pub(super) fn more_is_there(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return true;
        }
        let Stream::Plain(s) = &self.stream else {
            return false;
        };
        if s.set_nonblocking(true).is_err() {
            return false;
        }
        let more = matches!(s.peek(&mut [0]), Ok(1));
        // Where this fails the next read says so.
        let _ = s.set_nonblocking(false);
        more
    }

    /// Waits until the peer closes or the read time-out is over, throwing away what comes.
    pub(super) fn wait_for_close(&mut self) {
        self.buffer.clear();
        while matches!(self.fill(), Ok(n) if n > 0) {
            self.buffer.clear();
        }
    }

    /// Sends octets as they are.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)?;
        self.stream.flush()
    }

    /// Ends the connection in an orderly way.
    pub(super) fn close(mut self) {
        if let Stream::Tls(s) = &mut self.stream {
            s.conn.send_close_notify();
            let _ = s.flush();
        }
        // A peer that is already gone is what we want.
        let _ = self.stream.socket().shutdown(Shutdown::Both);
    }

    /// Ends the connection with a TCP reset.
    pub(super) fn reset(self) -> io::Result<()> {
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        nix::sys::socket::setsockopt(
            self.stream.socket(),
            nix::sys::socket::sockopt::Linger,
            &linger,
        )?;
        Ok(())
    }
}

/// Writes a reply in its framing; the second value says whether the connection ends with it.
pub(super) fn octets(reply: &HttpReply, framing: &Framing, close: bool) -> (Vec<u8>, bool) {
    let bodyless = reply.status == 204 || reply.status == 304;
    let close = close || matches!(framing, Framing::Http10 | Framing::UntilClose);
    let version = if *framing == Framing::Http10 {
        "1.0"
    } else {
        "1.1"
    };
    let reason = reason(reply.status);
    let mut out = format!("HTTP/{version} {} {reason}\r\n", reply.status);
    for (name, value) in &reply.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    if close && *framing != Framing::Http10 {
        out.push_str("Connection: close\r\n");
    }
    if bodyless {
        out.push_str("\r\n");
        return (out.into_bytes(), close);
    }
    let mut trailer = Vec::new();
    let body = match framing {
        Framing::ContentLength => {
            out.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
            reply.body.clone()
        }
        Framing::Chunked { sizes, trailers } => {
            out.push_str("Transfer-Encoding: chunked\r\n");
            if *trailers {
                out.push_str("Trailer: X-Trailer\r\n");
                trailer = b"X-Trailer: 1\r\n".to_vec();
            }
            chunked(&reply.body, sizes, &trailer)
        }
        Framing::Http10 | Framing::UntilClose => reply.body.clone(),
    };
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend(body);
    (out, close)
}

fn chunked(body: &[u8], sizes: &[usize], trailer: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    let mut sizes = sizes.iter().copied().filter(|s| *s > 0).cycle();
    let mut odd = false;
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        let size = chunk.len();
        odd = !odd;
        let line = if odd {
            format!("{size:X}\r\n")
        } else {
            format!("{size:04x};name=\"a b\"\r\n")
        };
        out.extend(line.into_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = tail;
    }
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailer);
    out.extend_from_slice(b"\r\n");
    out
}

fn parse_head(head: &[u8]) -> Result<HttpRequest, String> {
    let text =
        std::str::from_utf8(head).map_err(|_| "a request head that is not UTF-8".to_string())?;
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default();
    let parts: Vec<&str> = first.split(' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return Err(format!("request line `{first}`"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("header line `{line}`"))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(format!("header name `{name}`"));
        }
        headers.push((name.to_string(), value.trim().to_string()));
    }
    Ok(HttpRequest {
        connection: 0,
        listener: 0,
        method: method.into(),
        target: target.into(),
        version: version.into(),
        headers,
        body: Vec::new(),
    })
}

fn short(why: Short) -> NoRequest {
    match why {
        Short::End => NoRequest::Cut,
        Short::TooLong(what) => NoRequest::Bad(format!("a {what} beyond the ACS's bound")),
    }
}

pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
