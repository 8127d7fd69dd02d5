//! Files from and to file servers: fetched, checked, put (TR-069 A.3.2.8, A.4.1.5), and the
//! queue of the transfers that the ACS, or a person, has asked for; what file types there are,
//! how a file is applied and where one to be sent comes from.
//!
//! The queue is a state machine on disk; each arrow is written before what follows from it
//! happens, so that a power cut finds the stage before or the stage after:
//!
//! ```text
//! (request) --accept------> waiting
//! waiting   --begin-------> fetching
//! waiting   --windows over> completed: 9020
//! fetching  --applying----> applying
//! fetching  --finished----> completed, or waiting for its next try or window
//! fetching  --start-------> waiting: anew
//! waiting, fetching --cancel--> (gone)
//! applying  --finished----> completed, or rebooting where the box is to boot
//! applying  --start-------> waiting: anew, or completed where the box was to boot and did
//! rebooting --boot--------> completed: done, or the old firmware runs: 9010
//! completed --delivered---> (gone)
//! ```
//!
//! * A restart or a boot that finds a transfer *fetching*, or *applying* what does not
//!   reboot the box, begins it anew, at most three times; then it has failed.
//! * *Applying* what reboots the box: a restart without a boot begins it anew, once. A boot
//!   concludes it, and so it does *rebooting*: firmware has to show that it is another than
//!   before, or that the flash was written.
//! * *Waiting* in windows that have all passed is completed with 9020.
//! * *Completed* is told until the ACS has answered; no way leads back from it.
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
mod job;
mod part;
pub mod produce;
pub mod progress;
pub mod put;
pub mod queue;
mod record;
#[cfg(feature = "software-modules")]
pub mod software;
mod sums;
mod usign;
pub mod verify;
pub mod windows;
