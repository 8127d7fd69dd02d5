//! Files from and to file servers: fetched, checked, put (TR-069 A.3.2.8, A.4.1.5); what file
//! types there are, how a file is applied and where one to be sent comes from.
//!
//! Errors of this room are [`TransferFault`](crate::cwmp::message::TransferFault)s: what the
//! ACS is told, in the codes of CWMP 1.2 and later. No text of one holds a username, a password
//! or a URL's query.

pub mod apply;
pub mod archive;
mod command;
pub mod configuration;
mod fault;
pub mod fetch;
pub mod file_types;
mod part;
pub mod produce;
pub mod progress;
pub mod put;
mod sums;
mod usign;
pub mod verify;
