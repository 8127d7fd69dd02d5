//! The ACS's connection request client (TR-069 3.2.2): an HTTP GET with digest MD5, as
//! field note 16 describes it, and raw requests for everything else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::digest::{Algorithm, Proof, parameters, random_text};
use super::wire::find;

/// How long a reply may take before the client gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest reply that is read.
const REPLY: usize = 256 * 1024;

/// One HTTP response to a knock.
#[derive(Debug, Clone)]
pub struct KnockReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// From the request's last octet to the end of the response.
    pub took: Duration,
}

/// On which connection the second request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// On the connection of the first.
    SameConnection,
    NewConnection,
}

/// The exchange of one connection request.
#[derive(Debug, Clone)]
pub struct Knock {
    /// Answer to the request without credentials.
    pub first: KnockReply,
    /// Answer to the one with; `None` where the first was no 401 or no usable challenge.
    pub second: Option<KnockReply>,
    /// What was not as a picky ACS wants it: not exactly one challenge, not MD5 with
    /// qop=auth, more than 2 s, a body where none should be.
    pub remarks: Vec<String>,
}

impl Knock {
    /// The last status.
    pub fn status(&self) -> u16 {
        self.second.as_ref().unwrap_or(&self.first).status
    }
}

/// Knocks on the same connection and gives the last status.
pub fn knock(url: &str, username: &str, password: &str) -> io::Result<u16> {
    Ok(knock_on(url, username, password, Second::SameConnection)?.status())
}

/// Knocks and gives everything.
pub fn knock_on(url: &str, username: &str, password: &str, second: Second) -> io::Result<Knock> {
    let (host, target) = split(url)?;
    let mut wire = connect(host)?;
    let first = exchange(&mut wire, host, target, None)?;
    let mut remarks = Vec::new();
    look(&first, "the first reply", &mut remarks);
    let Some(fields) = challenge(&first, &mut remarks) else {
        return Ok(Knock {
            first,
            second: None,
            remarks,
        });
    };
    if second == Second::NewConnection {
        wire = connect(host)?;
    }
    let answer = authorization(&fields, target, username, password);
    let second = exchange(&mut wire, host, target, Some(&answer))?;
    look(&second, "the second reply", &mut remarks);
    if !second.body.is_empty() {
        remarks.push("the second reply has a body".into());
    }
    Ok(Knock {
        first,
        second: Some(second),
        remarks,
    })
}

/// A GET with this Authorization header (or none) on a connection of its own.
pub fn get(url: &str, authorization: Option<&str>) -> io::Result<KnockReply> {
    let (host, target) = split(url)?;
    exchange(&mut connect(host)?, host, target, authorization)
}

/// Sends these octets to `host:port` and reads until the peer closes or is silent for `wait`.
pub fn raw_request(address: &str, octets: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
    let mut wire = connect(address)?;
    wire.set_read_timeout(Some(wait))?;
    wire.write_all(octets)?;
    let mut out = Vec::new();
    let mut chunk = [0; 4096];
    while out.len() < REPLY {
        match wire.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => out.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            // Silence and a reset both end what there is to read.
            Err(_) => break,
        }
    }
    Ok(out)
}

/// The Authorization value a picky ACS sends: MD5 whatever the challenge offered.
fn authorization(
    fields: &[(String, String)],
    target: &str,
    username: &str,
    password: &str,
) -> String {
    let get = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let (realm, nonce) = (
        get("realm").unwrap_or_default(),
        get("nonce").unwrap_or_default(),
    );
    let cnonce = random_text();
    let qop = get("qop").map(|_| ("auth", "00000001", cnonce.as_str()));
    let proof = Proof {
        algorithm: Algorithm::Md5,
        username,
        realm,
        password,
        method: "GET",
        uri: target,
        nonce,
        qop,
        body: b"",
    };
    let mut text = format!(
        "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", response=\"{}\"",
        proof.response()
    );
    if let Some((qop, nc, cnonce)) = qop {
        text.push_str(&format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\""));
    }
    if let Some(opaque) = get("opaque") {
        text.push_str(&format!(", opaque=\"{opaque}\""));
    }
    text
}

/// The Authorization value in answer to a 401 as it came off the wire.
pub fn authorization_for(reply: &str, target: &str, username: &str, password: &str) -> String {
    let head = reply.split("\r\n\r\n").next().unwrap_or_default();
    let octets = format!("{head}\r\n\r\n");
    let (status, headers) = reply_head(octets.as_bytes()).unwrap_or_default();
    let reply = KnockReply {
        status,
        headers,
        body: Vec::new(),
        took: Duration::ZERO,
    };
    let fields = challenge(&reply, &mut Vec::new()).unwrap_or_default();
    authorization(&fields, target, username, password)
}

/// The last challenge's fields, with remarks on what a picky ACS dislikes.
fn challenge(reply: &KnockReply, remarks: &mut Vec<String>) -> Option<Vec<(String, String)>> {
    if reply.status != 401 {
        return None;
    }
    let named = |h: &&(String, String)| h.0.eq_ignore_ascii_case("WWW-Authenticate");
    let all: Vec<_> = reply.headers.iter().filter(named).collect();
    if all.len() != 1 {
        remarks.push(format!("{} challenges instead of one", all.len()));
    }
    let Some(rest) = all.last().and_then(|(_, v)| v.strip_prefix("Digest ")) else {
        remarks.push("no Digest challenge".into());
        return None;
    };
    let fields = match parameters(rest) {
        Ok(fields) => fields,
        Err(why) => {
            remarks.push(format!("challenge: {why}"));
            return None;
        }
    };
    let get = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    if get("algorithm").is_some_and(|a| a != "MD5") || get("qop") != Some("auth") {
        remarks.push(format!("not MD5 with qop=auth: {rest}"));
    }
    Some(fields)
}

fn look(reply: &KnockReply, which: &str, remarks: &mut Vec<String>) {
    if reply.took > Duration::from_secs(2) {
        remarks.push(format!("{which} took {:?}", reply.took));
    }
}

fn split(url: &str) -> io::Result<(&str, &str)> {
    let bad = || io::Error::new(ErrorKind::InvalidInput, format!("`{url}` is no http URL"));
    let rest = url.strip_prefix("http://").ok_or_else(bad)?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, target) = rest.split_at(at);
    Ok((host, if target.is_empty() { "/" } else { target }))
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let wire = TcpStream::connect(address)?;
    wire.set_nodelay(true)?;
    wire.set_read_timeout(Some(PATIENCE))?;
    wire.set_write_timeout(Some(PATIENCE))?;
    Ok(wire)
}

fn exchange(
    wire: &mut TcpStream,
    host: &str,
    target: &str,
    authorization: Option<&str>,
) -> io::Result<KnockReply> {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
    if let Some(value) = authorization {
        request.push_str(&format!("Authorization: {value}\r\n"));
    }
    request.push_str("\r\n");
    let start = Instant::now();
    wire.write_all(request.as_bytes())?;
    let mut octets = Vec::new();
    let head = loop {
        if let Some(at) = find(&octets, b"\r\n\r\n") {
            break at + 4;
        }
        if !more(wire, &mut octets)? {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "no whole reply head",
            ));
        }
    };
    let mut body = octets.split_off(head);
    let (status, headers) = reply_head(&octets)?;
    let get = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    let length = match get("Content-Length") {
        _ if status == 204 => Some(0),
        Some((_, text)) => Some(text.parse::<usize>().map_err(io::Error::other)?),
        None => None,
    };
    // Without a length the body goes up to the close.
    while length.is_none_or(|l| body.len() < l) {
        if !more(wire, &mut body)? {
            break;
        }
    }
    Ok(KnockReply {
        status,
        headers,
        body,
        took: start.elapsed(),
    })
}

fn more(wire: &mut TcpStream, to: &mut Vec<u8>) -> io::Result<bool> {
    if to.len() > REPLY {
        return Err(io::Error::other("a reply beyond the client's bound"));
    }
    let mut chunk = [0; 4096];
    let n = loop {
        match wire.read(&mut chunk) {
            // A child of the same process has ended, for example.
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    to.extend_from_slice(chunk.get(..n).unwrap_or_default());
    Ok(n > 0)
}

/// Reads a status line and headers.
pub(super) fn reply_head(octets: &[u8]) -> io::Result<(u16, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(octets);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("status line `{first}`")))?;
    let header = |l: &str| {
        l.split_once(':')
            .map(|(n, v)| (n.to_string(), v.trim().to_string()))
    };
    Ok((status, lines.filter_map(header).collect()))
}
