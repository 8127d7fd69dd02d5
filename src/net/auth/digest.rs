//! Digest authentication (RFC 7616, RFC 2617, RFC 2069): the computation, and the client's
//! memory between requests.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::challenge::{DigestChallenge, Qop};

/// The hash and whether the session variant is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`, also when none is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
}

impl Algorithm {
    /// By its name, whatever the case.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        [
            Algorithm::Md5,
            Algorithm::Md5Sess,
            Algorithm::Sha256,
            Algorithm::Sha256Sess,
        ]
        .into_iter()
        .find(|a| a.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Its name as the RFC writes it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Md5Sess => "MD5-sess",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha256Sess => "SHA-256-sess",
        }
    }

    fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Sess | Algorithm::Sha256Sess)
    }

    /// The hash of these pieces with colons between them, in lower-case hex.
    fn hash(self, pieces: &[&[u8]]) -> String {
        fn feed<H: md5::Digest>(mut hash: H, pieces: &[&[u8]]) -> Vec<u8> {
            for (i, piece) in pieces.iter().enumerate() {
                if i > 0 {
                    hash.update(b":");
                }
                hash.update(piece);
            }
            hash.finalize().to_vec()
        }
        let bytes = match self {
            Algorithm::Md5 | Algorithm::Md5Sess => feed(Md5::new(), pieces),
            Algorithm::Sha256 | Algorithm::Sha256Sess => feed(Sha256::new(), pieces),
        };
        hex(&bytes)
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
    }
    out
}

/// All that goes into a digest response.
pub struct Input<'a> {
    /// Hash and variant.
    pub algorithm: Algorithm,
    /// Username as configured, unquoted.
    pub username: &'a str,
    /// Realm of the challenge, unquoted.
    pub realm: &'a str,
    /// Password.
    pub password: &'a str,
    /// Nonce of the challenge.
    pub nonce: &'a str,
    /// Client nonce; used with a qop and by the session variants.
    pub cnonce: &'a str,
    /// The count as it is written in the header, eight hex digits.
    pub nc: &'a str,
    /// Quality of protection.
    pub qop: Qop,
    /// `POST`, `GET`.
    pub method: &'a str,
    /// The request target.
    pub uri: &'a str,
    /// The body; only hashed with `auth-int`.
    pub body: &'a [u8],
}

/// The `response` value (RFC 7616 section 3.4.1).
pub fn response(input: &Input<'_>) -> String {
    let a = input.algorithm;
    let mut ha1 = a.hash(&[
        input.username.as_bytes(),
        input.realm.as_bytes(),
        input.password.as_bytes(),
    ]);
    if a.is_session() {
        ha1 = a.hash(&[
            ha1.as_bytes(),
            input.nonce.as_bytes(),
            input.cnonce.as_bytes(),
        ]);
    }
    let (method, uri) = (input.method.as_bytes(), input.uri.as_bytes());
    let ha2 = match input.qop {
        Qop::AuthInt => a.hash(&[method, uri, a.hash(&[input.body]).as_bytes()]),
        Qop::None | Qop::Auth => a.hash(&[method, uri]),
    };
    let (ha1, ha2, nonce) = (ha1.as_bytes(), ha2.as_bytes(), input.nonce.as_bytes());
    let qop: &[u8] = match input.qop {
        Qop::None => return a.hash(&[ha1, nonce, ha2]),
        Qop::Auth => b"auth",
        Qop::AuthInt => b"auth-int",
    };
    a.hash(&[
        ha1,
        nonce,
        input.nc.as_bytes(),
        input.cnonce.as_bytes(),
        qop,
        ha2,
    ])
}

/// One challenge and how often it was answered. The client nonce stays the same for one
/// nonce, so that the session variants keep their key.
pub struct Session {
    challenge: DigestChallenge,
    cnonce: String,
    count: u32,
}

impl Session {
    /// Begins with a fresh challenge; `random` becomes the client nonce.
    pub fn new(challenge: DigestChallenge, random: [u8; 16]) -> Session {
        Session {
            challenge,
            cnonce: hex(&random),
            count: 0,
        }
    }

    /// The nonce in use.
    pub fn nonce(&self) -> &str {
        &self.challenge.nonce
    }

    /// Whether the answer is made with a hash of the request's body (`auth-int`).
    pub fn hashes_body(&self) -> bool {
        self.challenge.qop == Qop::AuthInt
    }

    /// The server named the nonce for the next request (`Authentication-Info`).
    pub fn renew(&mut self, nonce: String, random: [u8; 16]) {
        self.challenge.nonce = nonce;
        self.cnonce = hex(&random);
        self.count = 0;
    }

    /// The value of the `Authorization` header of the next request; counts it.
    pub fn authorization(
        &mut self,
        username: &str,
        password: &str,
        method: &str,
        uri: &str,
        body: &[u8],
    ) -> String {
        self.count = self.count.wrapping_add(1);
        let nc = format!("{:08x}", self.count);
        let c = &self.challenge;
        let response = response(&Input {
            algorithm: c.algorithm,
            username,
            realm: &c.realm,
            password,
            nonce: &c.nonce,
            cnonce: &self.cnonce,
            nc: &nc,
            qop: c.qop,
            method,
            uri,
            body,
        });
        let mut out = String::with_capacity(256);
        out.push_str("Digest username=");
        push_quoted(&mut out, username);
        for (name, value) in [("realm", &c.realm), ("nonce", &c.nonce)] {
            out.push_str(&format!(", {name}="));
            push_quoted(&mut out, value);
        }
        out.push_str(", uri=");
        push_quoted(&mut out, uri);
        out.push_str(&format!(", response=\"{response}\""));
        if c.algorithm_named {
            out.push_str(&format!(", algorithm={}", c.algorithm.name()));
        }
        if let Some(opaque) = &c.opaque {
            out.push_str(", opaque=");
            push_quoted(&mut out, opaque);
        }
        let qop = match c.qop {
            Qop::None => None,
            Qop::Auth => Some("auth"),
            Qop::AuthInt => Some("auth-int"),
        };
        if let Some(qop) = qop {
            out.push_str(&format!(", qop={qop}, nc={nc}"));
        }
        if qop.is_some() || c.algorithm.is_session() {
            out.push_str(&format!(", cnonce=\"{}\"", self.cnonce));
        }
        out
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::auth::challenge::{Challenge, parse};

    /// The examples of RFC 2617 section 3.5 and RFC 7616 section 3.9.1.
    fn rfc(algorithm: Algorithm, qop: Qop, new: bool) -> String {
        let (realm, password, nonce, cnonce) = if new {
            (
                "http-auth@example.org",
                "Circle of Life",
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            )
        } else {
            (
                "testrealm@host.com",
                "Circle Of Life",
                "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                "0a4f113b",
            )
        };
        response(&Input {
            algorithm,
            username: "Mufasa",
            realm,
            password,
            nonce,
            cnonce,
            nc: "00000001",
            qop,
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        })
    }

    // T-SES-001
    #[test]
    fn the_example_of_rfc_2617() {
        assert_eq!(
            rfc(Algorithm::Md5, Qop::Auth, false),
            "6629fae49393a05397450978507c4ef1"
        );
    }

    #[test]
    fn the_examples_of_rfc_7616() {
        assert_eq!(
            rfc(Algorithm::Md5, Qop::Auth, true),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            rfc(Algorithm::Sha256, Qop::Auth, true),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    // T-SES-006
    #[test]
    fn the_form_of_rfc_2069_has_no_client_nonce() {
        // H("939e7578ed9e3c518a452acee763bce9:dcd98b…:39aff3a2bab6126f332b942af96d3366"),
        // whose parts are those of RFC 2617.
        assert_eq!(
            rfc(Algorithm::Md5, Qop::None, false),
            "670fd8c2df070c60b045671b8b24ff02"
        );
        let Some(Challenge::Digest(c)) = parse([r#"Digest realm="r", nonce="n""#]).pop() else {
            panic!("no challenge");
        };
        let header = Session::new(c, [1; 16]).authorization("u", "p", "POST", "/x", b"");
        for part in ["cnonce", "nc=", "qop", "algorithm", "opaque"] {
            assert!(!header.contains(part), "{header}");
        }
    }

    // T-SES-005
    #[test]
    fn the_count_grows_and_the_client_nonce_stays_until_the_nonce_changes() {
        let header = r#"Digest realm="r", nonce="n", qop=auth, opaque="a\"b", algorithm=MD5-sess"#;
        let Some(Challenge::Digest(c)) = parse([header]).pop() else {
            panic!("no challenge");
        };
        let mut session = Session::new(c, [0xab; 16]);
        let mut next = || session.authorization("u\"ser", "p", "POST", "/x?y", b"body");
        let (first, second) = (next(), next());
        assert!(first.contains("nc=00000001") && second.contains("nc=00000002"));
        let cnonce = format!("cnonce=\"{}\"", "ab".repeat(16));
        assert!(first.contains(&cnonce) && second.contains(&cnonce));
        assert!(first.starts_with(r#"Digest username="u\"ser", realm="r", nonce="n", uri="/x?y""#));
        assert!(first.contains(r#"opaque="a\"b""#) && first.contains("algorithm=MD5-sess"));
        session.renew("m".to_owned(), [0xcd; 16]);
        let third = session.authorization("u", "p", "POST", "/x", b"");
        assert!(third.contains("nc=00000001") && third.contains("nonce=\"m\""));
    }
}
