//! Files from and to file servers: fetched, checked, put (TR-069 A.3.2.8, A.4.1.5).
//!
//! Errors of this room are [`TransferFault`](crate::cwmp::message::TransferFault)s: what the
//! ACS is told, in the codes of CWMP 1.2 and later. No text of one holds a username, a password
//! or a URL's query.

mod fault;
pub mod fetch;
mod part;
pub mod progress;
pub mod put;
mod sums;
mod usign;
pub mod verify;
