//! `http` and `https` URLs: parsed, resolved against a base, compared by origin (RFC 3986).
//!
//! Only what CWMP needs: no other scheme, no user information (it would put a password
//! into logs), no fragment on the wire.

use std::fmt;
use std::net::Ipv6Addr;

/// Longest URL read, in bytes. `ManagementServer.URL` is at most 256 characters in the data
/// model; redirects may carry longer ones.
const MAX_URL: usize = 2048;

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP, default port 80.
    Http,
    /// TLS, default port 443.
    Https,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// An absolute `http` or `https` URL without user information and fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    scheme: Scheme,
    /// Lower case; an IPv6 address in its canonical form, without brackets.
    host: String,
    port: u16,
    /// Path and query; begins with a slash, ASCII without spaces.
    target: String,
}

/// Why a text is no URL we can use. The text of the error names the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// No host, or a host with characters a host name cannot have.
    Host,
    /// A port that is no number between 1 and 65535.
    Port,
    /// `user:password@` in the URL: credentials belong into their own options.
    UserInfo,
    /// A control character or a space.
    Character,
    /// Longer than 2048 bytes.
    TooLong,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlError::Scheme => "the URL must begin with http:// or https://",
            UrlError::Host => {
                "the URL needs a host: a name, an IPv4 address or an IPv6 address in brackets"
            }
            UrlError::Port => "the port in the URL must be a number from 1 to 65535",
            UrlError::UserInfo => {
                "the URL must not hold user:password@; username and password have their own options"
            }
            UrlError::Character => {
                "the URL holds a space, a backslash or a control character; write it as %XX"
            }
            UrlError::TooLong => "the URL is longer than 2048 bytes",
        })
    }
}

impl std::error::Error for UrlError {}

impl Url {
    /// Reads an absolute URL (`ManagementServer.URL`).
    ///
    /// # Errors
    /// [`UrlError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        check_text(text)?;
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        let rest = rest.strip_prefix("//").ok_or(UrlError::Scheme)?;
        Url::after_slashes(scheme, rest)
    }

    /// What a `Location` header means when it comes in an answer from this URL
    /// (RFC 3986 section 5.2).
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, reference: &str) -> Result<Url, UrlError> {
        let reference = reference.trim_matches([' ', '\t']);
        check_text(reference)?;
        let reference = without_fragment(reference);
        if let Some((scheme, rest)) = split_scheme(reference) {
            let rest = rest.strip_prefix("//").ok_or(UrlError::Scheme)?;
            return Url::after_slashes(scheme, rest);
        }
        if has_other_scheme(reference) {
            return Err(UrlError::Scheme);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Url::after_slashes(self.scheme, rest);
        }
        let target = if reference.is_empty() {
            self.target.clone()
        } else if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.starts_with('?') {
            format!("{}{reference}", self.path())
        } else {
            let folder = match self.path().rfind('/') {
                Some(end) => &self.path()[..=end],
                None => "/",
            };
            format!("{folder}{reference}")
        };
        Ok(Url {
            target: clean_target(&target),
            ..self.clone()
        })
    }

    fn after_slashes(scheme: Scheme, rest: &str) -> Result<Url, UrlError> {
        let rest = without_fragment(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            let (address, after) = inner.split_once(']').ok_or(UrlError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| UrlError::Host)?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or(UrlError::Host)?),
            };
            (address.to_string(), port)
        } else {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if host.is_empty() || host.len() > 253 || !host.bytes().all(good) {
                return Err(UrlError::Host);
            }
            (host.to_ascii_lowercase(), port)
        };
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                match digits.parse::<u16>() {
                    Ok(port) if port != 0 => port,
                    _ => return Err(UrlError::Port),
                }
            }
            Some(_) => return Err(UrlError::Port),
        };
        Ok(Url {
            scheme,
            host,
            port,
            target: clean_target(target),
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// True for `https`.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host in lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's default where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as they go into the request line.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        match self.target.split_once('?') {
            Some((path, _)) => path,
            None => &self.target,
        }
    }

    /// The URL for a log line or an error: without the query, which may hold a secret.
    pub fn shown(&self) -> String {
        let (scheme, host) = (self.scheme.name(), self.host_header());
        format!("{scheme}://{host}{}", self.path())
    }

    /// True when scheme, host and port agree.
    pub fn same_origin(&self, other: &Url) -> bool {
        self.scheme == other.scheme && self.host == other.host && self.port == other.port
    }

    /// The value of the `Host` header: brackets around IPv6, the port only where it is not
    /// the scheme's default (RFC 9110 section 7.2).
    pub fn host_header(&self) -> String {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        if self.port == self.scheme.default_port() {
            format!("{open}{}{close}", self.host)
        } else {
            format!("{open}{}{close}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}{}",
            self.scheme.name(),
            self.host_header(),
            self.target
        )
    }
}

fn check_text(text: &str) -> Result<(), UrlError> {
    if text.len() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    if text.chars().any(|c| c <= ' ' || c == '\x7f' || c == '\\') {
        return Err(UrlError::Character);
    }
    Ok(())
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = text.split_once(':')?;
    if name.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else if name.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else {
        None
    }
}

/// `ftp:…`, `javascript:…`: a colon before any slash, after letters that may form a scheme.
fn has_other_scheme(reference: &str) -> bool {
    match reference.find([':', '/', '?']) {
        Some(end) if reference.as_bytes().get(end) == Some(&b':') => {
            let name = &reference[..end];
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        }
        _ => false,
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or(text)
}

/// Adds the leading slash, takes `.` and `..` out of the path, writes what is not ASCII (and
/// the few ASCII characters a request line cannot carry) as %XX.
fn clean_target(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    if path.starts_with('/') {
        segments.next();
    }
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(target.len() + 1);
    out.push('/');
    push_encoded(&mut out, &kept.join("/"));
    if let Some(query) = query {
        out.push('?');
        push_encoded(&mut out, query);
    }
    out
}

fn push_encoded(out: &mut String, text: &str) {
    for b in text.bytes() {
        if b.is_ascii_graphic()
            && !matches!(b, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
        {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    #[test]
    fn default_ports_and_parts() {
        let u = url("http://ACS.example.com/a/b?x=1#frag");
        assert_eq!((u.host(), u.port()), ("acs.example.com", 80));
        assert_eq!((u.path(), u.target()), ("/a/b", "/a/b?x=1"));
        assert_eq!(url("https://acs.example.com").port(), 443);
        assert_eq!(url("https://acs.example.com").target(), "/");
        assert_eq!(url("http://acs.example.com?x").target(), "/?x");
        assert_eq!(url("HTTP://a:/").port(), 80);
    }

    // T-SES-032
    #[test]
    fn ipv6_literals_keep_their_brackets_in_host() {
        let u = url("http://[2001:DB8::1]:7547/cwmp");
        assert_eq!(u.host(), "2001:db8::1");
        assert_eq!(u.host_header(), "[2001:db8::1]:7547");
        assert_eq!(u.to_string(), "http://[2001:db8::1]:7547/cwmp");
        assert_eq!(url("http://[::1]/").host_header(), "[::1]");
        assert_eq!(url("http://[::1]:1/a?key=1").shown(), "http://[::1]:1/a");
    }

    #[test]
    fn what_is_no_url_is_named() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("ftp://x/", UrlError::Scheme),
            ("http:/x", UrlError::Scheme),
            ("http://", UrlError::Host),
            ("http:///x", UrlError::Host),
            ("http://a b/", UrlError::Character),
            ("http://a\r\nX: y/", UrlError::Character),
            ("http://a\\b/", UrlError::Character),
            ("http://u:p@a/", UrlError::UserInfo),
            ("http://a:0/", UrlError::Port),
            ("http://a:65536/", UrlError::Port),
            ("http://a:+1/", UrlError::Port),
            ("http://[::1/", UrlError::Host),
            ("http://[::1]x/", UrlError::Host),
            ("http://[nonsense]/", UrlError::Host),
            ("http://2001:db8::1/", UrlError::Port),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text:?}");
        }
        let long = format!("http://a/{}", "x".repeat(3000));
        assert_eq!(Url::parse(&long), Err(UrlError::TooLong));
    }

    #[test]
    fn locations_are_resolved_against_the_url_that_answered() {
        let base = url("http://acs.example:7547/a/b/c?q=1");
        for (reference, want) in [
            ("https://other/x", "https://other/x"),
            ("//other/x", "http://other/x"),
            ("/x?y", "http://acs.example:7547/x?y"),
            ("d", "http://acs.example:7547/a/b/d"),
            ("../d", "http://acs.example:7547/a/d"),
            ("../../../../d", "http://acs.example:7547/d"),
            ("./", "http://acs.example:7547/a/b/"),
            ("..", "http://acs.example:7547/a/"),
            ("?z", "http://acs.example:7547/a/b/c?z"),
            ("", "http://acs.example:7547/a/b/c?q=1"),
            ("#top", "http://acs.example:7547/a/b/c?q=1"),
            ("/\u{e4}", "http://acs.example:7547/%C3%A4"),
            ("x/a:b", "http://acs.example:7547/a/b/x/a:b"),
        ] {
            assert_eq!(base.join(reference).expect(reference).to_string(), want);
        }
        assert_eq!(base.join("ftp://x/"), Err(UrlError::Scheme));
        assert_eq!(base.join("file:x"), Err(UrlError::Scheme));
    }
}
