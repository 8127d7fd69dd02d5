//! cwmp-agent: the CPE side of TR-069 (CWMP) for Linux routers.
//!
//! The rooms of the house, ground floor last; a room uses only rooms below it
//! (`tests/layering.rs` checks this):
//!
//! ```text
//! 6   cli                            commands
//! 5   agent                          the daemon: wires everything, owns the loop
//! 4   wake   source   platform       knocks · where values live · the box
//! 3   net    uci                     wires · the OpenWrt configuration format
//! 2   store                          atomic files, journal, state
//! 1   cwmp   model                   the protocol · the TR-181 tree: pure
//! ```

pub mod agent;
pub mod cli;
pub mod cwmp;
pub mod model;
pub mod net;
pub mod platform;
pub mod source;
pub mod store;
pub mod uci;
pub mod wake;
