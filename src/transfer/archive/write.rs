//! Writing an archive.

use super::ArchiveError;
use std::fs::File;
use std::path::Path;

/// A tar.gz being written: the same contents give the same bytes, wherever and whenever
/// they are written (owner 0 without a name, time 0).
pub struct Writer {
    _to: File,
}

impl Writer {
    /// Creates the file, which must not be there yet (mode 0600).
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn create(_file: &Path) -> Result<Writer, ArchiveError> {
        todo!()
    }

    /// Adds a file. Names are those of [`Entry`](super::Entry), at most 255 bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Io`]; [`ArchiveError::Refused`] for a name that cannot be written.
    pub fn file(&mut self, _name: &str, _mode: u32, _content: &[u8]) -> Result<(), ArchiveError> {
        todo!()
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn folder(&mut self, _name: &str, _mode: u32) -> Result<(), ArchiveError> {
        todo!()
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn link(&mut self, _name: &str, _to: &str) -> Result<(), ArchiveError> {
        todo!()
    }

    /// Writes the end.
    ///
    /// # Errors
    /// [`ArchiveError::Io`]: what lies there is no archive.
    pub fn finish(self) -> Result<(), ArchiveError> {
        todo!()
    }
}
