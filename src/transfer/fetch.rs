//! A file from a file server onto the disk.
//!
//! ```text
//!            ┌──────────── wait ◄── broken off, and the file is known by something
//!            ▼
//! fetch ─► ask for the file or its rest ─► held against size and room ─► piece by piece ─► done
//!            │                                                                │
//!            └─ another file by now: from its beginning       hashed, counted, written
//! ```

use std::path::Path;

use super::fault::{CONTACT, CORRUPTED, DOWNLOAD, INCOMPLETE, fault, of_download};
use super::part::{Part, PartError};
use super::progress::{Progress, Stop};
use crate::cwmp::message::TransferFault;
use crate::net::file::{FileClient, FileConfig, FileError, Incoming, Resume};

/// Largest piece that is read and written at a time, bytes.
const PIECE: usize = 16 * 1024;
/// The room on the disk is looked at again after so many bytes.
const LOOK: u64 = 512 * 1024;

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
/// * 9016: any other status, redirects that lead nowhere, a body in a coding;
/// * 9017: broken off more often than it is taken up, too slow, stalled, stopped;
/// * 9018: longer or shorter than `file_size`;
/// * 9010: no room, larger than `max`, the disk.
///
/// After an error `into` is gone. But after 9015 and 9017 what came so far stays for the next
/// `fetch` of the same URL into the same place, with a note beside it (`.part` at the end of the
/// name) of what it is a part of; without a note nothing stays. [`discard`] takes both away.
pub fn fetch(
    wire: FileConfig,
    job: &FetchJob<'_>,
    progress: &Progress,
    stop: &Stop,
) -> Result<Fetched, TransferFault> {
    progress.reset();
    let result = Fetch {
        job,
        progress,
        stop,
    }
    .run(wire);
    stop.watch(None);
    result
}

/// Takes away what [`fetch`] wrote to this place: the file or a part of it, and the note.
pub fn discard(into: &Path) {
    super::part::discard(into);
}

struct Fetch<'a> {
    job: &'a FetchJob<'a>,
    progress: &'a Progress,
    stop: &'a Stop,
}

/// Why one answer did not bring the file to its end.
enum Off {
    /// No other answer would.
    Fault(TransferFault),
    /// The server or the way to it.
    Wire(Box<FileError>),
}

impl From<FileError> for Off {
    fn from(error: FileError) -> Off {
        Off::Wire(Box::new(error))
    }
}

impl From<PartError> for Off {
    fn from(error: PartError) -> Off {
        Off::Fault(fault(DOWNLOAD, error.to_string()))
    }
}

impl Fetch<'_> {
    fn run(&self, wire: FileConfig) -> Result<Fetched, TransferFault> {
        let size = u64::from(self.job.file_size);
        let mut part =
            Part::open(self.job.into, &wire.url).map_err(|e| fault(DOWNLOAD, e.to_string()))?;
        let early = self.admit(&part, (size > 0).then_some(size));
        let result = match early {
            Ok(()) => self.attempts(wire, &mut part),
            Err(fault) => Err(fault),
        };
        match result {
            Ok(()) => {
                let size = part.size();
                let sha256 = part.finish();
                Ok(Fetched { size, sha256 })
            }
            Err(fault) => {
                // A part that nobody can continue only takes room away.
                match fault.code {
                    CONTACT | INCOMPLETE => part.keep(),
                    _ => part.discard(),
                }
                Err(fault)
            }
        }
    }

    /// Asks until the file is here or hope is gone.
    fn attempts(&self, wire: FileConfig, part: &mut Part) -> Result<(), TransferFault> {
        let (mut resumes, mut wait) = (wire.resumes, wire.resume_wait);
        let mut client = FileClient::new(wire).map_err(|e| of_download(&e))?;
        self.stop.watch(Some(client.aborter()));
        // What never began is not worth another try here; the queue has more patience.
        let mut begun = false;
        loop {
            let from = part.resume();
            let error = match self.attempt(&mut client, part, from.as_ref(), &mut begun) {
                Ok(()) => return Ok(()),
                Err(Off::Fault(fault)) => return Err(fault),
                // The part is longer than the file is by now.
                Err(Off::Wire(error))
                    if from.is_some() && matches!(*error, FileError::NoSuchPart) =>
                {
                    self.restart(part)?;
                    continue;
                }
                Err(Off::Wire(error)) => error,
            };
            if matches!(*error, FileError::WrongPart) {
                // It would be the same the next time.
                self.restart(part)?;
            }
            let again = begun && resumes > 0 && error.is_passing();
            if !again || !self.stop.wait(wait) {
                let stopped = self.stop.is_stopped();
                return Err(of_download(if stopped {
                    &FileError::Aborted
                } else {
                    &error
                }));
            }
            log::info!("the download is taken up again: {error}");
            resumes -= 1;
            wait = wait.saturating_mul(2);
        }
    }

    fn restart(&self, part: &mut Part) -> Result<(), TransferFault> {
        self.progress.reset();
        part.restart().map_err(|e| fault(DOWNLOAD, e.to_string()))
    }

    /// One answer, as far as it goes.
    fn attempt(
        &self,
        client: &mut FileClient,
        part: &mut Part,
        from: Option<&Resume>,
        begun: &mut bool,
    ) -> Result<(), Off> {
        let mut incoming = client.get(from)?;
        *begun = true;
        if incoming.offset() == 0 {
            self.restart(part).map_err(Off::Fault)?;
        } else if self.progress.done() == 0 {
            self.progress.add(counted(part.size()));
        }
        let declared = u64::from(self.job.file_size);
        let known = incoming.total();
        if declared > 0 && known.is_some_and(|total| total != declared) {
            return Err(Off::Fault(self.wrong_size(known.unwrap_or(0))));
        }
        let expected = known.or((declared > 0).then_some(declared));
        self.admit(part, expected).map_err(Off::Fault)?;
        part.known_by(incoming.validator(), known);
        self.progress.set_total(counted(expected.unwrap_or(0)));
        self.carry(&mut incoming, part, expected)?;
        match expected {
            // Its own length, if the server told one, was held against it on the way.
            Some(expected) if part.size() < expected => match known {
                Some(_) => Err(FileError::Truncated.into()),
                None => Err(Off::Fault(self.wrong_size(part.size()))),
            },
            _ => Ok(()),
        }
    }

    fn carry(
        &self,
        incoming: &mut Incoming,
        part: &mut Part,
        expected: Option<u64>,
    ) -> Result<(), Off> {
        let mut buffer = vec![0; PIECE];
        let mut looked = part.size();
        loop {
            if self.stop.is_stopped() {
                return Err(FileError::Aborted.into());
            }
            let count = incoming.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                return Ok(());
            }
            let size = part.size() + count as u64;
            if expected.is_some_and(|expected| size > expected) {
                return Err(Off::Fault(self.wrong_size(size)));
            }
            if size > self.job.max {
                return Err(Off::Fault(self.too_large()));
            }
            part.append(piece)?;
            self.progress.add(counted(count as u64));
            if size - looked >= LOOK {
                looked = size;
                self.admit(part, expected).map_err(Off::Fault)?;
            }
        }
    }

    /// Whether a file of this length may come, and the rest of it has room.
    fn admit(&self, part: &Part, expected: Option<u64>) -> Result<(), TransferFault> {
        if expected.is_some_and(|size| size > self.job.max) {
            return Err(self.too_large());
        }
        let rest = expected.unwrap_or(0).saturating_sub(part.size());
        let needed = rest.saturating_add(self.job.keep_free);
        // What cannot be told is found out by writing.
        match part.free() {
            Some(free) if free < needed => Err(fault(
                DOWNLOAD,
                format!("no room for the file: {needed} bytes are needed and {free} are free"),
            )),
            _ => Ok(()),
        }
    }

    fn too_large(&self) -> TransferFault {
        let max = self.job.max;
        fault(DOWNLOAD, format!("the file is larger than {max} bytes"))
    }

    fn wrong_size(&self, size: u64) -> TransferFault {
        let declared = self.job.file_size;
        let text = match size > u64::from(declared) {
            true => format!("the file is larger than the FileSize of {declared} bytes"),
            false => format!("the file has {size} bytes and FileSize says {declared}"),
        };
        fault(CORRUPTED, text)
    }
}

/// Bytes as progress counts them.
fn counted(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
