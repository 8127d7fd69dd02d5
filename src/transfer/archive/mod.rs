//! tar and tar.gz, read as hostile input and written without a trace of who wrote them.
//!
//! [`Reader`] streams the entries of an archive out of any byte stream, never more than a
//! block in memory; [`survey`] reads one to its end without keeping anything; [`unpack`]
//! writes one into a folder of its own, and leaves nothing where it is refused; [`swap`]
//! puts such a folder in the place of its older version; [`Writer`] makes one. Formats read: ustar, pax and GNU long names, each plain or
//! gzipped (also as several gzip members one after another). Sparse files, and whatever
//! else changes how the content lies, are refused.
//!
//! What this module must never do: follow a link, write outside the folder it was given,
//! or trust a number from a header.

mod header;
mod read;
mod swap;
mod unpack;
mod write;

pub use read::Reader;
pub use swap::{remove, replaceable, spare, swap, sweep};
pub use unpack::{Unpacked, survey, unpack};
pub use write::Writer;

use crate::cwmp::fault;
use crate::cwmp::message::TransferFault;
use std::fmt;
use std::io;

/// A file in an archive is corrupt, or is not what may be applied (TR-069 A.5: 9018).
pub(crate) const CORRUPT: u16 = 9018;

/// How far an archive may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of every kind.
    pub entries: u32,
    /// Bytes of all unpacked contents and headers together.
    pub total: u64,
    /// Bytes of a name or of where a link leads.
    pub name: usize,
    /// Folders within folders.
    pub depth: usize,
    /// How many bytes may come out of one byte of gzip, beyond the first MiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries: 4096,
            total: 64 << 20,
            name: 1024,
            depth: 32,
            ratio: 200,
        }
    }
}

/// What an entry of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A symbolic link, and where it leads: as written, nothing of it is checked yet.
    Link(String),
    /// A hard link, and what it names: as written, nothing of it is checked yet.
    HardLink(String),
    /// A device, a FIFO: in words.
    Other(&'static str),
}

/// One entry. Owners and times in the archive are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A relative path without `.`, `..`, empty parts or control characters, and without a
    /// slash at either end: `etc/config/network`.
    pub name: String,
    pub kind: Kind,
    /// `0o777` at most: set-id and sticky bits are taken away.
    pub mode: u32,
    /// Bytes of a file's content; 0 for everything else.
    pub size: u64,
}

/// Why an archive is refused, or cannot be read or written.
#[derive(Debug)]
pub enum ArchiveError {
    /// It is no archive, cut off, or its checksums do not hold (9018).
    Damaged(String),
    /// It holds what is not taken from an archive, at this entry (9018).
    Refused { name: String, what: String },
    /// It is larger than allowed, or a bomb (9010).
    TooLarge(String),
    /// It does not fit: bytes needed and bytes free (9010).
    NoSpace { needed: u64, free: u64 },
    /// It was stopped from outside (9010).
    Stopped,
    /// The disk failed (9010).
    Io { at: String, error: io::Error },
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveError::Damaged(what) => write!(f, "the archive is damaged: {what}"),
            ArchiveError::Refused { name, what } => {
                write!(f, "the archive holds {:?}, {what}", shown(name))
            }
            ArchiveError::TooLarge(what) => write!(f, "the archive is too large: {what}"),
            ArchiveError::NoSpace { needed, free } => write!(
                f,
                "no space: the archive needs {needed} bytes, {free} may be used"
            ),
            ArchiveError::Stopped => f.write_str("unpacking was stopped"),
            ArchiveError::Io { at, error } => write!(f, "{at}: {error}"),
        }
    }
}

impl std::error::Error for ArchiveError {}

impl From<ArchiveError> for TransferFault {
    fn from(e: ArchiveError) -> TransferFault {
        let code = match e {
            ArchiveError::Damaged(_) | ArchiveError::Refused { .. } => CORRUPT,
            _ => fault::DOWNLOAD_FAILURE,
        };
        TransferFault {
            code,
            text: e.to_string(),
        }
    }
}

/// A name from an archive, short enough for a message.
fn shown(name: &str) -> String {
    const MOST: usize = 80;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}
