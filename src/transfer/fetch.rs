//! A file from a file server onto the disk.

use std::path::Path;

use super::progress::{Progress, Stop};
use crate::cwmp::message::TransferFault;
use crate::net::file::FileConfig;

/// What to fetch a file into, and what it may take.
#[derive(Debug, Clone, Copy)]
pub struct FetchJob<'a> {
    /// The file to write; its folder must exist. It is made anew, readable by its owner only,
    /// unless it is the part of the same file that an earlier [`fetch`] left.
    pub into: &'a Path,
    /// `FileSize` of the Download, bytes; 0: not known, nothing is held against it.
    pub file_size: u32,
    /// Largest file taken, bytes.
    pub max: u64,
    /// Bytes that must stay free in the folder's file system.
    pub keep_free: u64,
}

/// A file that was fetched as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes.
    pub size: u64,
    /// SHA-256 over all of them, counted as they came.
    pub sha256: [u8; 32],
}

/// Fetches the file at `wire.url` in pieces of at most 16 KiB. Memory does not depend on its
/// size.
///
/// A transfer that breaks off or stalls is taken up where it ended ([`FileConfig::resumes`]
/// times; RFC 9110 section 14), if the server names what the file is known by: a strong `ETag`,
/// or a `Last-Modified` that is older than the answer. Without, it begins anew.
///
/// # Errors
/// [`TransferFault`]:
/// * 9015: the server's name has no address, no connection, TLS failed;
/// * 9012: a 401 that credentials do not answer, or that no credentials are there for;
/// * 9016: any other status, redirects that lead nowhere;
/// * 9017: broken off more often than it is taken up, too slow, stalled, stopped;
/// * 9018: longer or shorter than `file_size`;
/// * 9010: no room, larger than `max`, the disk.
///
/// After an error `into` is gone, except after 9017, where what came so far stays for the next
/// `fetch` into the same place, with a note beside it (`.part` at the end of the name) of what
/// it is a part of. [`discard`] takes both away.
pub fn fetch(
    wire: FileConfig,
    job: &FetchJob<'_>,
    progress: &Progress,
    stop: &Stop,
) -> Result<Fetched, TransferFault>;

/// Takes away what [`fetch`] wrote to this place: the file or a part of it, and the note.
pub fn discard(into: &Path);
