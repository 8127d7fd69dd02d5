//! One request as it came, and whether it knows the password.

use cwmp_agent::net::auth::challenge::Qop;
use cwmp_agent::net::auth::digest::{self, Algorithm, Input};
use std::io::Read;

use super::Guard;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which connection it came over, from 0.
    pub connection: usize,
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names as written.
    pub headers: Vec<(String, String)>,
    /// Bytes of a body that came; of a GET none.
    pub body: u64,
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

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn length(&self) -> u64 {
        self.header("content-length")
            .and_then(|v| v.parse().ok())
            .unwrap_or(0)
    }

    /// The first byte asked for.
    pub fn range(&self) -> Option<u64> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }

    fn param(&self, name: &str) -> Option<String> {
        let header = self.header("authorization")?.strip_prefix("Digest ")?;
        let parameters = header.split(", ");
        let mut found = parameters.filter_map(|p| p.split_once('='));
        let (_, value) = found.find(|(n, _)| *n == name)?;
        Some(value.trim_matches('"').to_owned())
    }

    /// Whether it may come in; `body` as far as it is known.
    pub fn knows(&self, guard: &Guard, body: &[u8]) -> bool {
        use base64::Engine;
        match guard {
            Guard::Open => true,
            Guard::Basic(user, password) => {
                let both = format!("{user}:{password}");
                let coded = base64::engine::general_purpose::STANDARD.encode(both);
                self.header("authorization") == Some(&format!("Basic {coded}"))
            }
            Guard::Digest(algorithm, user, password) => {
                self.digest(*algorithm, Qop::Auth, user, password, body)
            }
            Guard::AuthInt(user, password) => {
                self.digest(Algorithm::Md5, Qop::AuthInt, user, password, body)
            }
        }
    }

    fn digest(&self, algorithm: Algorithm, qop: Qop, user: &str, pass: &str, body: &[u8]) -> bool {
        let get = |name: &str| self.param(name).unwrap_or_default();
        let expected = digest::response(&Input {
            algorithm,
            username: user,
            realm: "files",
            password: pass,
            nonce: &get("nonce"),
            cnonce: &get("cnonce"),
            nc: &get("nc"),
            qop,
            method: &self.method,
            uri: &self.target,
            body,
        });
        get("username") == user
            && get("uri") == self.target
            && get("nonce").starts_with("nonce")
            && get("response") == expected
    }
}

/// Reads a head; what came behind it stays in `rest`.
pub(super) fn read_head(
    stream: &mut impl Read,
    rest: &mut Vec<u8>,
    connection: usize,
) -> Option<Request> {
    let end = loop {
        if let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        let mut buffer = [0; 16384];
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => rest.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    };
    let text = String::from_utf8_lossy(&rest[..end]).into_owned();
    rest.drain(..end + 4);
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some(Request {
        connection,
        method,
        target,
        headers,
        body: 0,
    })
}
