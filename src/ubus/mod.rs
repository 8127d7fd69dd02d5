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

/// Where ubusd listens on OpenWrt; below root, which the caller puts before it.
pub const SOCKET: &str = "/var/run/ubus/ubus.sock";
