//! The control socket: how the commands reach a running daemon.
//!
//! A Unix stream socket in run_dir, mode 0600. A client sends one JSON object on one
//! line and gets one back; then the connection ends. The socket belongs to root: what
//! comes in is bounded all the same.
//!
//! ```text
//! client                         daemon
//!   {"get":{"paths":[…]}}\n  ->    dispatcher reads the line (bounded)
//!                                  a short-lived thread asks the model
//!   {"values":[…]}\n         <-    and answers
//! ```

pub mod client;
pub mod server;

use crate::agent::status::{Status, Transfer};
use crate::agent::transfers::local::Wish;
use crate::wake::dhcp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the socket in run_dir.
pub const SOCKET: &str = "control.sock";
/// The longest question a client may send.
pub const MAX_QUESTION: usize = 256 << 10;
/// The longest answer a client takes.
pub const MAX_ANSWER: u64 = 64 << 20;

/// What a command asks of the daemon (or of the model, when no daemon runs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    Get {
        paths: Vec<String>,
    },
    Set {
        items: Vec<(String, String)>,
    },
    Names {
        path: String,
        next_level: bool,
    },
    Add {
        object: String,
    },
    Delete {
        instance: String,
    },
    /// An event code, or `None` for 6 CONNECTION REQUEST.
    Inform {
        event: Option<String>,
    },
    Status,
    /// What a DHCP server has said: options in hexadecimal digits, and which of 43 and 125
    /// the client had asked for.
    Dhcp {
        opt43: Option<String>,
        opt125: Option<String>,
        opt17: Option<String>,
        asked: Vec<u8>,
    },
    /// A file, to be fetched and used or sent.
    Transfer(Box<Wish>),
    /// How far that is.
    Progress {
        id: u32,
    },
    /// Scheduled downloads of this CommandKey may go on.
    Confirm {
        key: String,
    },
    /// Transfers of this CommandKey are to end.
    Cancel {
        key: String,
    },
    /// Ask the ACS for a download.
    RequestDownload {
        file_type: String,
        arguments: Vec<(String, String)>,
    },
}

/// A parameter's value as the command line prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    pub path: String,
    pub value: String,
    pub kind: Kind,
}

/// How a value is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Number,
    Boolean,
}

/// One thing that is wrong with a question: the path, the CWMP fault code, its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub path: String,
    pub code: u16,
    pub text: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Values(Vec<Value>),
    /// Paths, each with whether it may be written.
    Names(Vec<(String, bool)>),
    Added(String),
    Done,
    Status(Box<Status>),
    Transfer(Box<Transfer>),
    /// What DHCP said, kept; and why other parts of it are not used.
    Learned {
        said: Box<dhcp::Answer>,
        left_out: Vec<String>,
    },
    Faults(Vec<Refused>),
    /// The question itself cannot be served; a sentence for the user.
    Failed(String),
}

/// A path for the socket that fits `sockaddr_un` (107 bytes): a longer one goes through
/// the folder's descriptor, which the caller keeps open meanwhile.
pub(crate) struct SocketPath {
    pub path: PathBuf,
    _folder: Option<std::fs::File>,
}

pub(crate) fn socket_path(run_dir: &Path) -> io::Result<SocketPath> {
    use std::os::fd::AsRawFd;
    let path = run_dir.join(SOCKET);
    if path.as_os_str().len() < 100 {
        return Ok(SocketPath {
            path,
            _folder: None,
        });
    }
    let folder = std::fs::File::open(run_dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
    Ok(SocketPath {
        path,
        _folder: Some(folder),
    })
}

/// A question or answer as one line.
pub(crate) fn line<T: Serialize>(what: &T) -> Vec<u8> {
    // Plain data with string keys: serde_json cannot fail on it. Were it to, an empty line
    // is refused by the other side.
    let mut out = serde_json::to_vec(what).unwrap_or_default();
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_single_lines_and_come_back_equal() {
        let question = Question::Set {
            items: vec![("Device.X".into(), "line1\nline2\u{1}\"".into())],
        };
        let text = line(&question);
        assert_eq!(text.iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(
            crate::notation::json::read::<Question>(&text).unwrap(),
            question
        );
        let answer = Answer::Faults(vec![Refused {
            path: "Device.Y".into(),
            code: 9005,
            text: "Invalid parameter name".into(),
        }]);
        assert_eq!(
            crate::notation::json::read::<Answer>(&line(&answer)).unwrap(),
            answer
        );
    }
}
