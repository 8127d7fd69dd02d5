//! Writing an archive.

use super::header::{BLOCK, Header, Pax};
use super::{ArchiveError, Limits};
use crate::notation::deflate::{Deflate, Form};
use flate2::Compression;
use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A tar.gz being written: the same contents give the same bytes, wherever and whenever
/// they are written (owner 0 without a name, time 0).
pub struct Writer {
    to: Deflate<'static>,
    at: String,
}

impl Writer {
    /// Creates the file, which must not be there yet (mode 0600).
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn create(file: &Path) -> Result<Writer, ArchiveError> {
        let at = file.display().to_string();
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        let level = Compression::default();
        let begun = created.and_then(|file| Deflate::new(BufWriter::new(file), Form::Gzip, level));
        match begun {
            Ok(to) => Ok(Writer { to, at }),
            Err(error) => Err(ArchiveError::Io { at, error }),
        }
    }

    /// Adds a file. Names are those of [`Entry`](super::Entry).
    ///
    /// # Errors
    /// [`ArchiveError::Io`]; [`ArchiveError::Refused`] for a name that could not be read
    /// again.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), ArchiveError> {
        self.entry(b'0', name, "", mode, content)
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn folder(&mut self, name: &str, mode: u32) -> Result<(), ArchiveError> {
        self.entry(b'5', name, "", mode, &[])
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn link(&mut self, name: &str, to: &str) -> Result<(), ArchiveError> {
        self.entry(b'2', name, to, 0o777, &[])
    }

    /// Writes the end.
    ///
    /// # Errors
    /// [`ArchiveError::Io`]: what lies there is no archive.
    pub fn finish(mut self) -> Result<(), ArchiveError> {
        self.put(&[0; 2 * BLOCK])?;
        let at = self.at;
        let written = self.to.finish();
        written.map_err(|error| ArchiveError::Io { at, error })
    }

    fn entry(
        &mut self,
        kind: u8,
        name: &str,
        link: &str,
        mode: u32,
        content: &[u8],
    ) -> Result<(), ArchiveError> {
        let limits = Limits::default();
        let is_bad = |part: &str| matches!(part, "" | "." | "..") || part.len() > 255;
        let text = [name, link];
        if name.split('/').any(is_bad)
            || name.split('/').count() > limits.depth
            || text.iter().any(|t| t.len() > limits.name)
            || text.iter().any(|t| t.contains(char::is_control))
            || (kind == b'2' && link.is_empty())
        {
            return Err(ArchiveError::Refused {
                name: name.to_owned(),
                what: "a name that is not written".to_owned(),
            });
        }
        let mut header = Header {
            name: name.as_bytes().to_vec(),
            link: link.as_bytes().to_vec(),
            mode: mode & 0o777,
            size: content.len() as u64,
            kind,
        };
        if !header.fits() {
            let mut records = Pax::record("path", &header.name);
            if !link.is_empty() {
                records.extend(Pax::record("linkpath", &header.link));
            }
            let before = Header {
                name: b"long-name".to_vec(),
                link: Vec::new(),
                mode: 0o600,
                size: records.len() as u64,
                kind: b'x',
            };
            self.put(&before.write())?;
            self.padded(&records)?;
            header.name.truncate(100);
            header.link.truncate(100);
        }
        self.put(&header.write())?;
        self.padded(content)
    }

    fn padded(&mut self, content: &[u8]) -> Result<(), ArchiveError> {
        self.put(content)?;
        let over = content.len() % BLOCK;
        let padding = [0; BLOCK];
        match over {
            0 => Ok(()),
            over => self.put(padding.get(over..).unwrap_or_default()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.to.add(bytes).map_err(|error| ArchiveError::Io {
            at: self.at.clone(),
            error,
        })
    }
}
