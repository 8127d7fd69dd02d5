//! Files to and from the router: what is transferred, checked, applied and produced.
//!
//! This room knows file types, archives and what becomes of a file; it never talks to the
//! ACS, never chooses when something happens, and runs programs by argv only. Whatever
//! goes wrong is a [`TransferFault`](crate::cwmp::message::TransferFault) with the code of
//! CWMP 1.2 and later.

pub mod apply;
pub mod archive;
pub mod configuration;
pub mod file_types;
pub mod produce;
pub mod software;
