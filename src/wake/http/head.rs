//! Reads the head of a connection request. Pure: bytes in, a borrowed view out.

/// Headers read at most; an ACS sends five or six.
const MAX_HEADERS: usize = 32;

/// What a connection request says, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Bytes of the head, the empty line included.
    pub length: usize,
    /// `GET`, one hopes.
    pub method: &'a str,
    /// The request target as written.
    pub target: &'a str,
    /// The `Authorization` header, if there is one that is text.
    pub authorization: Option<&'a str>,
    /// The client wants to go on after the answer (the rule of its HTTP version applied).
    pub keep_alive: bool,
    /// A body is announced. It is never read; the connection ends after the answer.
    pub has_body: bool,
}

/// The bytes are no HTTP/1 request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// `Ok(None)`: not complete yet.
///
/// # Errors
/// [`Malformed`] when no further byte can make it a request.
pub fn parse(bytes: &[u8]) -> Result<Option<Head<'_>>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Malformed);
    };
    let mut head = Head {
        length,
        method,
        target,
        authorization: None,
        keep_alive: version >= 1,
        has_body: false,
    };
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value).ok().map(str::trim);
        if header.name.eq_ignore_ascii_case("authorization") {
            head.authorization = head.authorization.or(value);
        } else if header.name.eq_ignore_ascii_case("connection") {
            for option in value.unwrap_or_default().split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    head.keep_alive = false;
                } else if option.eq_ignore_ascii_case("keep-alive") {
                    head.keep_alive = true;
                }
            }
        } else if header.name.eq_ignore_ascii_case("content-length") {
            head.has_body |= value != Some("0");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.has_body = true;
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Head<'_> {
        parse(text.as_bytes()).expect("well formed").expect("whole")
    }

    #[test]
    fn a_usual_request_is_read() {
        let text = "GET /p?q=1 HTTP/1.1\r\nHost: x\r\nauthorization: Digest a\r\n\r\nrest";
        let head = whole(text);
        assert_eq!((head.method, head.target), ("GET", "/p?q=1"));
        assert_eq!(head.authorization, Some("Digest a"));
        assert!(head.keep_alive && !head.has_body);
        assert_eq!(&text[head.length..], "rest");
    }

    #[test]
    fn the_connection_follows_version_and_header() {
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert!(!whole("GET / HTTP/1.1\r\nConnection: te, close\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").has_body);
        assert!(!whole("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").has_body);
        assert!(whole("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").has_body);
    }

    #[test]
    fn every_prefix_is_incomplete_and_nonsense_is_malformed() {
        let text = "GET /p HTTP/1.1\r\nHost: x\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        for text in [
            "\u{1}\u{2}\u{3}\r\n\r\n",
            "GET / HTTP/3.0\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed), "{text}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        assert_eq!(parse(many.as_bytes()), Err(Malformed));
    }
}
