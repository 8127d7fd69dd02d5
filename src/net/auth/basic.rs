//! Basic authentication (RFC 7617): the password in clear, only coded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The value of the `Authorization` header. A username with a colon cannot be told apart from
/// its password by the server: none then.
pub fn authorization(username: &str, password: &str) -> Option<String> {
    if username.contains(':') {
        return None;
    }
    Some(format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7617() {
        assert_eq!(
            authorization("Aladdin", "open sesame").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(
            authorization("test", "123\u{a3}").as_deref(),
            Some("Basic dGVzdDoxMjPCow==")
        );
        assert_eq!(authorization("a:b", "c"), None);
    }
}
