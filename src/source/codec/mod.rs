//! Between the texts that OpenWrt's files hold and the values that TR-181 shows: pure
//! functions, each with its way back.
//!
//! They know texts only. What file a text stands in, and what stands beside it, is the
//! source's business.

pub mod dhcp_option;
pub mod dns_server;
pub mod lease_time;
pub mod net;
pub mod pool;
pub mod protocol;
