//! A file from the disk onto a file server.

use std::path::Path;

use super::progress::{Progress, Stop};
use crate::cwmp::message::TransferFault;
use crate::net::file::FileConfig;

/// Puts a file at `wire.url` (HTTP PUT, RFC 9110 section 9.3.4) with its length. A body of more
/// than 16 KiB waits for the server's word (`Expect: 100-continue`), so that a 401, a redirect
/// or a refusal costs no body.
///
/// # Errors
/// [`TransferFault`]: 9015 (no connection, TLS), 9012 (credentials), 9011 (everything else).
pub fn put(
    wire: FileConfig,
    file: &Path,
    progress: &Progress,
    stop: &Stop,
) -> Result<(), TransferFault>;
