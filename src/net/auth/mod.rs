//! HTTP authentication, both sides (RFC 2617, RFC 7616, RFC 7617).
//!
//! [`challenge`] reads `WWW-Authenticate` and `Authentication-Info`, [`digest`] computes,
//! [`basic`] is what its name says, and [`server`] is the side that asks: the connection
//! request listener (TR-069 3.2.2). Nothing here opens a socket, reads a clock or draws
//! a random number.

pub mod basic;
pub mod challenge;
pub mod digest;
pub mod server;
