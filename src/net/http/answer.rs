//! What the clients of ACS and file servers read from an answer alike, and what they check
//! before they ask.

use std::io::Read;

use ureq::http::header::{self, HeaderName};
use ureq::http::{HeaderMap, Response, Version};

use super::{HttpError, RedirectError};
use crate::net::url::Url;

pub(in crate::net) const AUTHENTICATION_INFO: HeaderName =
    HeaderName::from_static("authentication-info");
/// A 401's or redirect's body up to this size is read to keep the connection.
const MAX_DISCARD: u64 = 64 * 1024;

/// All values of a header; bytes that are no UTF-8 are replaced.
pub(in crate::net) fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// Whether the server said that it closes the connection after this answer.
pub(in crate::net) fn is_last(response: &Response<ureq::Body>) -> bool {
    let words = texts(response.headers(), header::CONNECTION).join(",");
    let says = |word: &str| {
        words
            .split(',')
            .any(|w| w.trim().eq_ignore_ascii_case(word))
    };
    says("close") || (response.version() == Version::HTTP_10 && !says("keep-alive"))
}

/// Where a redirect leads that came from this URL; never from https down to http.
pub(in crate::net) fn redirect(from: &Url, headers: &HeaderMap) -> Result<Url, RedirectError> {
    let location = texts(headers, header::LOCATION)
        .pop()
        .ok_or(RedirectError::NoLocation)?;
    let next = from.join(&location).map_err(RedirectError::BadLocation)?;
    if from.is_https() && !next.is_https() {
        return Err(RedirectError::Downgrade(next));
    }
    Ok(next)
}

/// Reads a body nobody needs, so that the connection can be kept; a large one costs it.
pub(in crate::net) fn discard(response: Response<ureq::Body>) {
    let mut reader = response.into_body().into_reader().take(MAX_DISCARD);
    let mut buffer = [0; 2048];
    while matches!(reader.read(&mut buffer), Ok(n) if n > 0) {}
}

/// Settings that go into a head must not end its lines.
pub(in crate::net) fn sendable(
    username: &str,
    password: &str,
    user_agent: &str,
) -> Result<(), HttpError> {
    for (what, text) in [
        ("username", username),
        ("password", password),
        ("user agent", user_agent),
    ] {
        if text.chars().any(char::is_control) {
            return Err(HttpError::Unsendable(what));
        }
    }
    Ok(())
}
