//! The client of file servers: one file in pieces, either way (TR-069 A.3.2.8, A.4.1.5).

mod config;

pub use config::{FileConfig, FileTimeouts};
