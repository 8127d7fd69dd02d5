//! HTTP authentication (RFC 2617, RFC 7616, RFC 7617): its settings, its hashes and the
//! form of its headers. The door that uses them is in `door`.

use md5::Digest;

/// How the ACS authenticates the CPE.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    #[default]
    None,
    Basic {
        username: String,
        password: String,
        realm: String,
    },
    Digest(DigestAuth),
}

/// Digest in all its variants.
#[derive(Debug, Clone)]
pub struct DigestAuth {
    pub username: String,
    pub password: String,
    /// Any text; quotes and backslashes are escaped. Listener n > 0 adds ` n`, so that
    /// each listener is a realm of its own.
    pub realm: String,
    /// One WWW-Authenticate header for each; `None` leaves algorithm out (MD5).
    pub algorithms: Vec<Option<Algorithm>>,
    /// `auth`, `auth,auth-int`, `auth-int`; `None` = RFC 2069 style.
    pub qop: Option<String>,
    pub opaque: Option<String>,
    /// A nonce is good on the TCP connection it was given on only.
    pub bound_to_connection: bool,
    /// At these messages of a session the nonce has become stale.
    pub stale_at: Vec<u32>,
    /// Each good answer brings a nextnonce, and the old nonce is stale from then on.
    pub next_nonce: bool,
    /// A Basic challenge besides, in a header of its own, first.
    pub basic_besides: bool,
    /// All challenges in one header, comma separated.
    pub one_header: bool,
    /// Refuse whatever comes (a wrong password on the ACS's side).
    pub refuse: bool,
}

impl Default for DigestAuth {
    fn default() -> DigestAuth {
        DigestAuth {
            username: String::new(),
            password: String::new(),
            realm: "ACS".into(),
            algorithms: vec![Some(Algorithm::Md5)],
            qop: Some("auth".into()),
            opaque: None,
            bound_to_connection: false,
            stale_at: Vec::new(),
            next_nonce: false,
            basic_besides: false,
            one_header: false,
            refuse: false,
        }
    }
}

impl DigestAuth {
    /// MD5 with qop=auth for this account.
    pub fn for_account(username: &str, password: &str) -> DigestAuth {
        let (username, password) = (username.into(), password.into());
        DigestAuth {
            username,
            password,
            ..DigestAuth::default()
        }
    }
}

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
    /// MD5-sess.
    Md5Sess,
    /// One that nobody knows.
    Unknown,
}

impl Algorithm {
    pub(super) fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5Sess => "MD5-sess",
            Algorithm::Unknown => "SHA-99",
        }
    }

    fn hash(self, text: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex(&sha2::Sha256::digest(text)),
            _ => hex(&md5::Md5::digest(text)),
        }
    }
}

/// What a digest response is computed from.
pub struct Proof<'a> {
    pub algorithm: Algorithm,
    pub username: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    /// qop, nc, cnonce; `None` = RFC 2069.
    pub qop: Option<(&'a str, &'a str, &'a str)>,
    pub body: &'a [u8],
}

impl Proof<'_> {
    /// The `response` value, lower-case hex.
    pub fn response(&self) -> String {
        let h = |text: String| self.algorithm.hash(text.as_bytes());
        let mut a1 = h(format!(
            "{}:{}:{}",
            self.username, self.realm, self.password
        ));
        if self.algorithm == Algorithm::Md5Sess {
            let cnonce = self.qop.map(|(_, _, c)| c).unwrap_or_default();
            a1 = h(format!("{a1}:{}:{cnonce}", self.nonce));
        }
        let a2 = match self.qop {
            Some(("auth-int", _, _)) => {
                format!(
                    "{}:{}:{}",
                    self.method,
                    self.uri,
                    self.algorithm.hash(self.body)
                )
            }
            _ => format!("{}:{}", self.method, self.uri),
        };
        let a2 = h(a2);
        match self.qop {
            Some((qop, nc, cnonce)) => h(format!("{a1}:{}:{nc}:{cnonce}:{qop}:{a2}", self.nonce)),
            None => h(format!("{a1}:{}:{a2}", self.nonce)),
        }
    }
}

/// Text nobody can guess: nonces, cookie values.
pub(super) fn random_text() -> String {
    let mut octets = [0u8; 16];
    // Without the kernel's randomness a constant will do: nothing here guards a secret.
    let _ = getrandom::fill(&mut octets);
    hex(&octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|b| format!("{b:02x}")).collect()
}

/// `name=value, name="quoted"` into pairs, names in lower case, quotes and escapes removed.
pub fn parameters(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| format!("`{rest}` has no value"))?;
        let name = name.trim().to_ascii_lowercase();
        let mut value = String::new();
        let after = after.trim_start();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next() {
                    Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                    Some((at, '"')) => break at,
                    Some((_, c)) => value.push(c),
                    None => return Err(format!("{name} has no closing quote")),
                }
            };
            rest = &quoted[end + 1..];
        } else {
            let end = after.find(',').unwrap_or(after.len());
            value.push_str(after[..end].trim());
            rest = &after[end..];
        }
        if pairs.iter().any(|(n, _)| *n == name) {
            return Err(format!("{name} is there twice"));
        }
        pairs.push((name, value));
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Ok(pairs)
}
