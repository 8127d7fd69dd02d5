//! What starts a session from outside: knocks (TR-069 3.2.2), and what DHCP says about the
//! ACS (TR-069 3.1).
//!
//! [`http`] listens for HTTP connection requests, [`dhcp`] reads the options of a DHCP
//! server. This room knows who may knock and how often; what a knock or an answer leads to
//! is the agent's business. A stranger's packet allocates no more than the few buffers that a
//! connection may have, blocks nothing, and never reaches the model.

pub mod dhcp;
pub mod http;

use std::net::SocketAddr;

/// A valid connection request. It has been answered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knock {
    /// Who knocked.
    pub peer: SocketAddr,
}
