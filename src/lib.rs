//! cwmp-agent: the CPE side of TR-069 (CWMP) for Linux routers.
//!
//! The rooms of the house, ground floor last; a room uses only rooms below it
//! (`tests/layering.rs` checks this):
//!
//! ```text
//! 6   cli                            commands
//! 5   agent                          the daemon: wires everything, owns the loop
//! 4   wake   source   platform       knocks · where values live · the box
//!     transfer                       files from and to file servers
//! 3   net    uci    ubus             wires · the OpenWrt configuration format and message bus
//! 2   store  process                 atomic files, journal, state · running programs
//! 1   cwmp   model                   the protocol · the TR-181 tree: pure
//! 0   notation                       how JSON, TOML and gzip are read
//! ```

// For the program alone: tests may unwrap, also in the functions that several of them share.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod agent;
pub mod cli;
pub mod cwmp;
pub mod model;
pub mod net;
pub mod notation;
pub mod platform;
pub mod process;
pub mod source;
pub mod store;
pub mod transfer;
pub mod ubus;
pub mod uci;
pub mod wake;
