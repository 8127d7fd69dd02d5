//! What starts a session from outside: knocks (TR-069 3.2.2).
//!
//! [`http`] listens for HTTP connection requests. This room knows who may knock and how
//! often; what a knock leads to is the agent's business. A stranger's packet allocates nothing
//! beyond what was set aside at the start, blocks nothing, and never reaches the model.

pub mod http;

use std::net::SocketAddr;

/// A valid connection request. It has been answered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knock {
    /// Who knocked.
    pub peer: SocketAddr,
}
