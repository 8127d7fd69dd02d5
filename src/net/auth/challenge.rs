//! Reads what the other side says about authentication (RFC 9110 section 11, RFC 7616).
//!
//! `WWW-Authenticate` may come several times and may hold several challenges at once; what
//! is malformed is passed over, never guessed at.

use std::borrow::Cow;

use super::digest::Algorithm;

/// Challenges read from one answer at most.
const MAX_CHALLENGES: usize = 8;
/// Longest value of one parameter, bytes.
const MAX_VALUE: usize = 2048;

/// One challenge of a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Digest in a form we can answer.
    Digest(DigestChallenge),
    /// Basic.
    Basic {
        /// Where the credentials are good for; informative.
        realm: String,
    },
    /// A scheme, algorithm or quality of protection we do not know: its name, for the log.
    Unknown(String),
}

/// What a digest challenge asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    /// Goes into the hash.
    pub realm: String,
    /// Goes into the hash and back to the server.
    pub nonce: String,
    /// Goes back to the server as it came.
    pub opaque: Option<String>,
    /// The hash and its variant.
    pub algorithm: Algorithm,
    /// Whether the challenge named the algorithm: only then does the answer.
    pub algorithm_named: bool,
    /// The quality of protection we chose among those offered.
    pub qop: Qop,
    /// The credentials were right, the nonce too old.
    pub stale: bool,
}

/// Quality of protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    /// The older form of RFC 2069: no client nonce, no count.
    None,
    /// `auth`.
    Auth,
    /// `auth-int`: the body is hashed too.
    AuthInt,
}

/// Reads all challenges of an answer, in the order of the server's preference.
pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for header in headers {
        let mut scanner = Scanner::new(header);
        let mut scheme: Option<&str> = None;
        let mut params: Vec<(&str, Cow<'_, str>)> = Vec::new();
        while let Some(item) = scanner.next_item() {
            match item {
                Item::Scheme(name) => {
                    if let Some(scheme) = scheme.replace(name) {
                        found.push(challenge(scheme, &params));
                    }
                    params.clear();
                    if found.len() >= MAX_CHALLENGES {
                        return found;
                    }
                }
                Item::Param(name, value) => {
                    if params.len() < 32 && value.len() <= MAX_VALUE {
                        params.push((name, value));
                    }
                }
            }
        }
        if let Some(scheme) = scheme {
            found.push(challenge(scheme, &params));
        }
        if found.len() >= MAX_CHALLENGES {
            break;
        }
    }
    found
}

/// The `nextnonce` of an `Authentication-Info` header (RFC 7616 section 3.5).
pub fn next_nonce(header: &str) -> Option<String> {
    let mut scanner = Scanner::new(header);
    while let Some(item) = scanner.next_item() {
        if let Item::Param(name, value) = item {
            let good = !value.is_empty() && value.len() <= MAX_VALUE;
            if name.eq_ignore_ascii_case("nextnonce") && good {
                return Some(value.into_owned());
            }
        }
    }
    None
}

fn challenge(scheme: &str, params: &[(&str, Cow<'_, str>)]) -> Challenge {
    let get = |wanted: &str| {
        params
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_ref())
    };
    if scheme.eq_ignore_ascii_case("basic") {
        return Challenge::Basic {
            realm: get("realm").unwrap_or_default().to_owned(),
        };
    }
    if !scheme.eq_ignore_ascii_case("digest") {
        return Challenge::Unknown(scheme.chars().take(64).collect());
    }
    let Some(nonce) = get("nonce").filter(|n| !n.is_empty()) else {
        return Challenge::Unknown("Digest without a nonce".to_owned());
    };
    let algorithm = match get("algorithm") {
        None => Some(Algorithm::Md5),
        Some(name) => Algorithm::from_name(name),
    };
    let Some(algorithm) = algorithm else {
        return Challenge::Unknown("Digest with an unknown algorithm".to_owned());
    };
    let qop = match get("qop") {
        // An empty list is what some servers send for "none".
        None => Qop::None,
        Some(list) => {
            let offers = |q: &str| list.split(',').any(|o| o.trim().eq_ignore_ascii_case(q));
            if list.trim().is_empty() {
                Qop::None
            } else if offers("auth") {
                Qop::Auth
            } else if offers("auth-int") {
                Qop::AuthInt
            } else {
                return Challenge::Unknown("Digest with an unknown qop".to_owned());
            }
        }
    };
    Challenge::Digest(DigestChallenge {
        realm: get("realm").unwrap_or_default().to_owned(),
        nonce: nonce.to_owned(),
        opaque: get("opaque").map(str::to_owned),
        algorithm,
        algorithm_named: get("algorithm").is_some(),
        qop,
        stale: get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
    })
}

/// A scheme name, or one `name=value` of the scheme before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Scheme(&'a str),
    Param(&'a str, Cow<'a, str>),
}

/// Walks over schemes and parameters of one header value.
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { rest: text }
    }

    pub(super) fn next_item(&mut self) -> Option<Item<'a>> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
            let end = self
                .rest
                .find(|c: char| !is_token_char(c))
                .unwrap_or(self.rest.len());
            let (name, after) = self.rest.split_at(end);
            if name.is_empty() {
                // Not a token: skip this character; the end when there is none.
                let mut chars = self.rest.chars();
                chars.next()?;
                self.rest = chars.as_str();
                continue;
            }
            let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') else {
                self.rest = after;
                return Some(Item::Scheme(name));
            };
            let value = value.trim_start_matches([' ', '\t']);
            if let Some(inner) = value.strip_prefix('"') {
                let (text, rest) = quoted(inner);
                self.rest = rest;
                return Some(Item::Param(name, text));
            }
            let end = value.find([',', ' ', '\t']).unwrap_or(value.len());
            let (text, rest) = value.split_at(end);
            self.rest = rest;
            if text.starts_with('=') {
                // The credentials of a scheme like Negotiate, not a parameter.
                continue;
            }
            return Some(Item::Param(name, Cow::Borrowed(text)));
        }
    }
}

/// The text up to the closing quote with its backslashes resolved, and what follows. A quote
/// that is never closed runs to the end.
fn quoted(inner: &str) -> (Cow<'_, str>, &str) {
    let mut resolved: Option<String> = None;
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = &inner[at + 1..];
                return match resolved {
                    Some(text) => (Cow::Owned(text), rest),
                    None => (Cow::Borrowed(&inner[..at]), rest),
                };
            }
            '\\' => {
                let text = resolved.get_or_insert_with(|| inner[..at].to_owned());
                if let Some((_, escaped)) = chars.next() {
                    text.push(escaped);
                }
            }
            _ => {
                if let Some(text) = &mut resolved {
                    text.push(c);
                }
            }
        }
    }
    (resolved.map_or(Cow::Borrowed(inner), Cow::Owned), "")
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(header: &str) -> DigestChallenge {
        match parse([header]).as_slice() {
            [Challenge::Digest(found)] => found.clone(),
            other => panic!("{header}: {other:?}"),
        }
    }

    #[test]
    fn a_usual_challenge_is_read() {
        let c = one(
            r#"Digest realm="acs", nonce="abc", qop="auth,auth-int", opaque="o", algorithm=MD5, stale=TRUE"#,
        );
        assert_eq!((c.realm.as_str(), c.nonce.as_str()), ("acs", "abc"));
        assert_eq!(c.opaque.as_deref(), Some("o"));
        assert_eq!((c.algorithm, c.qop), (Algorithm::Md5, Qop::Auth));
        assert!(c.stale && c.algorithm_named);
    }

    #[test]
    fn odd_spellings_are_read() {
        let c = one(r#"dIgEsT nonce = "a\"b\\c" ,realm="x, Basic y",QOP=auth-int"#);
        assert_eq!(c.nonce, r#"a"b\c"#);
        assert_eq!(c.realm, "x, Basic y");
        assert_eq!(c.qop, Qop::AuthInt);
        assert!(!c.algorithm_named && !c.stale);
        assert_eq!(one(r#"Digest nonce="n", qop="""#).qop, Qop::None);
        assert_eq!(one(r#"Digest nonce="n""#).qop, Qop::None);
        assert_eq!(
            one(r#"Digest nonce=n,algorithm="sha-256-SESS""#).algorithm,
            Algorithm::Sha256Sess
        );
    }

    #[test]
    fn several_challenges_in_one_header_and_in_several() {
        let found = parse([
            r#"Negotiate abc==, Digest realm="a", nonce="1", Basic realm="b""#,
            r#"Digest realm="c", nonce="2", algorithm=SHA-256"#,
        ]);
        let kinds: Vec<String> = found
            .iter()
            .map(|c| match c {
                Challenge::Digest(d) => format!("digest {}", d.nonce),
                Challenge::Basic { realm } => format!("basic {realm}"),
                Challenge::Unknown(name) => format!("unknown {name}"),
            })
            .collect();
        assert_eq!(
            kinds,
            ["unknown Negotiate", "digest 1", "basic b", "digest 2"]
        );
    }

    #[test]
    fn what_we_cannot_answer_is_unknown() {
        for header in [
            "Digest realm=\"x\"",
            "Digest nonce=\"x\", algorithm=SHA-512-256",
            "Digest nonce=\"x\", qop=\"auth-conf\"",
            "Bearer",
        ] {
            let found = parse([header]);
            assert!(
                matches!(found.as_slice(), [Challenge::Unknown(_)]),
                "{header}"
            );
        }
        assert!(parse([""]).is_empty());
        assert!(parse(["\u{1}\u{2}= \""]).is_empty());
    }

    #[test]
    fn the_number_of_challenges_is_bounded() {
        let header = "Basic realm=x, ".repeat(1000);
        assert!(parse([header.as_str(), header.as_str()]).len() <= MAX_CHALLENGES + 1);
    }

    #[test]
    fn the_next_nonce_is_found() {
        let header = r#"rspauth="0f", cnonce="x", nc=00000001, qop=auth, nextnonce="fresh""#;
        assert_eq!(next_nonce(header).as_deref(), Some("fresh"));
        assert_eq!(next_nonce("qop=auth"), None);
        assert_eq!(next_nonce("nextnonce=\"\""), None);
    }
}
