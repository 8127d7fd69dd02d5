//! Why a file did not come, or did not go.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::net::http::{AuthError, HttpError, RedirectError};

/// Why a file did not come, or did not go. Texts hold no username, no password and no query.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The request cannot be made as it was asked for: a control character in username,
    /// password or user agent, which is named.
    Unsendable(&'static str),
    /// No connection came about: no address, no TCP, no TLS.
    Unreachable(HttpError),
    /// A connection stood, and broke or brought what is no answer.
    Broken(HttpError),
    /// 401, and the credentials are missing, wrong or of no use.
    Auth(AuthError),
    /// 401 of a server that a redirect led to; credentials go to the URL's own host only.
    ForeignAuth(String),
    /// A status that is neither success nor to be dealt with.
    Status(u16),
    /// A redirect that is not followed.
    Redirect(RedirectError),
    /// The body comes in a coding that was not asked for.
    Coding(String),
    /// 206, but not with the part that was asked for, or of another file.
    WrongPart,
    /// 416: the file has no such part.
    NoSuchPart,
    /// The body ended before its end.
    Truncated,
    /// Nothing came for so long.
    Stalled(Duration),
    /// Less than so many bytes came in this time.
    Slow(u64, Duration),
    /// The file to be put cannot be read, or is not as long as it was.
    File(io::Error),
    /// The transfer was told to end.
    Aborted,
}

impl FileError {
    /// What the connection's error means once it is known how far it came.
    pub(super) fn of(error: HttpError) -> FileError {
        match error {
            HttpError::Unsendable(what) => FileError::Unsendable(what),
            HttpError::Auth(e) => FileError::Auth(e),
            HttpError::Redirect(e) => FileError::Redirect(e),
            HttpError::NoTls(_)
            | HttpError::TlsSetup(_)
            | HttpError::PlainRefused(_)
            | HttpError::Resolve(_)
            | HttpError::Connect(_)
            | HttpError::Tls(_)
            | HttpError::Timeout(crate::net::http::Phase::Connect) => FileError::Unreachable(error),
            _ => FileError::Broken(error),
        }
    }

    /// Whether the same might go well after a while, from where it ended.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            FileError::Unreachable(_)
                | FileError::Broken(_)
                | FileError::Truncated
                | FileError::Stalled(_)
                | FileError::Slow(..)
                | FileError::Status(429 | 500 | 502 | 503 | 504)
        )
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Unsendable(what) => {
                write!(f, "the {what} holds a control character; take it out")
            }
            FileError::Unreachable(e) | FileError::Broken(e) => e.fmt(f),
            FileError::Auth(e) => f.write_str(match e {
                AuthError::NoCredentials => {
                    "the file server wants authentication and no username was given"
                }
                AuthError::Rejected => "the file server refuses username or password",
                AuthError::BasicRefused => {
                    "the file server offers only Basic authentication, which allow_basic does not permit here"
                }
                AuthError::BasicColon => {
                    "the file server offers only Basic authentication, which cannot carry a colon in the username"
                }
                AuthError::BodyHash => {
                    "the file server offers only Digest with auth-int, which an upload is not made with"
                }
                AuthError::Unknown(offered) => {
                    return write!(
                        f,
                        "the file server offers no authentication that we know ({offered})"
                    );
                }
            }),
            FileError::ForeignAuth(host) => write!(
                f,
                "{host}, to which the file server redirects, wants authentication; credentials go to no other server"
            ),
            FileError::Status(status) => write!(f, "the file server answers {status}"),
            FileError::Redirect(e) => HttpError::Redirect(e.clone()).fmt(f),
            FileError::Coding(name) => {
                write!(f, "the file comes with the Content-Encoding {name:?}, which was not asked for")
            }
            FileError::WrongPart => f.write_str("the file server sends another part than it was asked for"),
            FileError::NoSuchPart => f.write_str("the file server has no such part of the file"),
            FileError::Truncated => f.write_str("the connection ended before the end of the file"),
            FileError::Stalled(time) => {
                write!(f, "nothing came for {} s", time.as_secs_f32())
            }
            FileError::Slow(bytes, time) => {
                write!(f, "less than {bytes} bytes came in {} s", time.as_secs_f32())
            }
            FileError::File(e) => write!(f, "the file cannot be read: {e}"),
            FileError::Aborted => f.write_str("the transfer was ended"),
        }
    }
}

impl std::error::Error for FileError {}
