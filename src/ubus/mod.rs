//! ubus, OpenWrt's local message bus: a client of our own that calls, is called, listens
//! and tells, without the C library.
//!
//! [`Client`] is driven by somebody else's poll loop, takes the time as an argument and
//! comes back by itself when ubusd does; [`Caller`] waits for an answer, at most until its
//! deadline. [`object`] is what the agent offers there, `tr069`. [`blob`] and [`json`] are
//! the format of values, [`message`] that of messages.
//!
//! Whatever ubusd and other programs send is bounded in size, depth, count and time. This
//! room never starts a program or a thread, never takes a descriptor that comes with a
//! message (the kernel closes it), and never shows a value in `Debug` or in an error:
//! values hold passwords.

pub mod blob;
mod call;
mod client;
mod connection;
pub mod json;
pub mod message;
pub mod object;
mod status;
mod wire;

pub use blob::BlobError;
pub use call::Caller;
pub use client::{Answer, Client, ClientConfig, Found, Happening, Invocation, Limits, Ticket};
pub use message::{ArgumentType, Method, Object};
pub use status::{CallError, Status};

use std::path::{Path, PathBuf};

/// Where ubusd listens on OpenWrt: since 21.02, and before.
const SOCKETS: [&str; 2] = ["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"];
/// The longest path of a socket, bytes (`sun_path` of unix(7), without its NUL).
pub const LONGEST_PATH: usize = 107;

/// Where ubusd listens on this machine, or would listen if it ran.
pub fn default_socket() -> PathBuf {
    let there = SOCKETS.into_iter().find(|path| Path::new(path).exists());
    PathBuf::from(there.unwrap_or(SOCKETS[0]))
}
