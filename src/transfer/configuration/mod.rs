//! UCI packages as a file: made for an upload ([`save`]), put into force by a download
//! ([`Restore`]).
//!
//! What leaves the router has no secrets in it unless agent.toml says so; what comes back
//! without them keeps those that the router has. Whoever uploads and downloads the same
//! file changes nothing.

mod restore;
mod save;
mod secrets;

pub use restore::Restore;
pub use save::save;
pub use secrets::{SecretOption, Secrets};

/// Where the packages lie, below the root.
const FOLDER: &str = "/etc/config";
/// The same in an archive, as sysupgrade packs it.
const IN_ARCHIVE: &str = "etc/config/";
/// How many packages a router has at most.
const MAX_PACKAGES: usize = 256;
/// Bytes of all packages together that are kept in memory at once.
const MAX_TOGETHER: usize = 4 << 20;
