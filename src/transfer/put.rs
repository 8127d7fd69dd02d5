//! A file from the disk onto a file server.

use std::fs::File;
use std::path::Path;

use super::fault::{UPLOAD, fault, of_upload};
use super::progress::{Progress, Stop};
use crate::cwmp::message::TransferFault;
use crate::net::file::{FileClient, FileConfig};

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
) -> Result<(), TransferFault> {
    progress.reset();
    let result = send(wire, file, progress, stop);
    stop.watch(None);
    result
}

fn send(
    wire: FileConfig,
    file: &Path,
    progress: &Progress,
    stop: &Stop,
) -> Result<(), TransferFault> {
    let unreadable = |why: String| {
        let text = format!("{} cannot be read: {why}", file.display());
        fault(UPLOAD, text)
    };
    let open = File::open(file).map_err(|e| unreadable(e.to_string()))?;
    let metadata = open.metadata().map_err(|e| unreadable(e.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is no file".to_owned()));
    }
    let total = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
    let sent = |bytes: u64| match bytes {
        0 => {
            progress.reset();
            progress.set_total(total);
        }
        bytes => {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            progress.add(bytes.saturating_sub(progress.done()));
        }
    };
    let mut client = FileClient::new(wire).map_err(|e| of_upload(&e))?;
    stop.watch(Some(client.aborter()));
    client
        .put(&open, metadata.len(), &sent)
        .map_err(|e| of_upload(&e))
}
