//! How a call ends when it does not end well.

use std::fmt;

use super::blob::BlobError;

/// What ubusd or the called object says of a request; numbers as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// ubusd does not know such a message.
    InvalidCommand,
    /// An argument is missing, of the wrong type, or not allowed.
    InvalidArgument,
    /// The object has no such method.
    MethodNotFound,
    /// There is no such object; or the object says so of what it was asked for.
    NotFound,
    /// The call has no answer.
    NoData,
    /// ubusd's access rules forbid it.
    PermissionDenied,
    /// The object did not answer in time.
    Timeout,
    /// The object cannot do this.
    NotSupported,
    /// Something went wrong.
    UnknownError,
    /// The object's program is gone.
    ConnectionFailed,
    /// Out of memory.
    NoMemory,
    /// A value cannot be read.
    ParseError,
    /// A system call failed.
    SystemError,
    /// A number of its own.
    Other(u32),
}

const STATUSES: [(Status, &str); 14] = [
    (Status::Ok, "done"),
    (Status::InvalidCommand, "invalid command"),
    (Status::InvalidArgument, "invalid argument"),
    (Status::MethodNotFound, "method not found"),
    (Status::NotFound, "not found"),
    (Status::NoData, "no answer"),
    (Status::PermissionDenied, "permission denied"),
    (Status::Timeout, "the object did not answer in time"),
    (Status::NotSupported, "not supported"),
    (Status::UnknownError, "unknown error"),
    (Status::ConnectionFailed, "the object's program is gone"),
    (Status::NoMemory, "out of memory"),
    (Status::ParseError, "a value cannot be read"),
    (Status::SystemError, "a system call failed"),
];

impl Status {
    /// The status with this number.
    pub fn of(number: u32) -> Status {
        let index = usize::try_from(number).ok();
        let known = index.and_then(|i| STATUSES.get(i));
        known.map_or(Status::Other(number), |(status, _)| *status)
    }

    /// Its number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Status::Other(number) => number,
            // Fourteen of them, so it is a u32.
            known => STATUSES.iter().position(|(s, _)| *s == known).unwrap_or(9) as u32,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match STATUSES.iter().find(|(status, _)| status == self) {
            Some((_, text)) => f.write_str(text),
            None => write!(f, "status {}", self.number()),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// ubusd is not there.
    Absent,
    /// The connection ended before the answer.
    Lost,
    /// The deadline passed.
    TimedOut,
    /// ubusd or the object refused.
    Refused(Status),
    /// The answer is larger than the limit, in bytes.
    TooLarge(usize),
    /// The answer is none, or the request cannot be written.
    Malformed(BlobError),
    /// More is waiting to be sent or answered than the limits allow.
    Busy,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Absent => f.write_str("ubusd is not there"),
            CallError::Lost => f.write_str("ubusd ended the connection before the answer"),
            CallError::TimedOut => f.write_str("no answer in time"),
            CallError::Refused(status) => write!(f, "{status}"),
            CallError::TooLarge(limit) => write!(f, "the answer has more than {limit} bytes"),
            CallError::Malformed(e) => write!(f, "cannot be read or written: {e}"),
            CallError::Busy => f.write_str("too many calls are waiting"),
        }
    }
}

impl std::error::Error for CallError {}
