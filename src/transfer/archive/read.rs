//! Reading an archive, entry by entry.

use super::{ArchiveError, Entry, Limits};
use std::io::Read;
use std::path::Path;

/// An archive being read. Entries come in the archive's order; what is not read of an
/// entry's content is skipped.
pub struct Reader<'a> {
    _from: Box<dyn Read + 'a>,
}

impl<'a> Reader<'a> {
    /// Reads from any stream; whether it is gzipped shows in its first bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] where it is neither tar nor gzip, or cannot be read.
    pub fn new(_from: impl Read + 'a, _limits: Limits) -> Result<Reader<'a>, ArchiveError> {
        todo!()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`ArchiveError::Io`] where it cannot be opened.
    pub fn open(_file: &Path, _limits: Limits) -> Result<Reader<'static>, ArchiveError> {
        todo!()
    }

    /// The next entry; `None` at the end, after everything up to the last byte was found
    /// to be whole (the checksum of gzip stands at its end).
    ///
    /// # Errors
    /// Every [`ArchiveError`] but those of writing. After one nothing more can be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry borrows nothing, but errors end it"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        todo!()
    }

    /// Reads of the content of the entry that [`next`](Self::next) gave last: how many
    /// bytes, 0 at its end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn read(&mut self, _into: &mut [u8]) -> Result<usize, ArchiveError> {
        todo!()
    }

    /// The whole content of that entry, if it has at most `most` bytes.
    ///
    /// # Errors
    /// As [`next`](Self::next); [`ArchiveError::TooLarge`] where it has more.
    pub fn content(&mut self, _most: usize) -> Result<Vec<u8>, ArchiveError> {
        todo!()
    }
}
