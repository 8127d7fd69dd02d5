//! A file that goes: the body of a PUT, read while it is sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::net::http::link::Link;

/// The body of one PUT.
pub(super) struct Outgoing<'a> {
    file: &'a File,
    length: u64,
    read: u64,
    sent: &'a dyn Fn(u64),
    link: &'a Link,
    failed: Option<io::Error>,
}

impl<'a> Outgoing<'a> {
    /// From the file's beginning.
    pub(super) fn new(
        mut file: &'a File,
        length: u64,
        sent: &'a dyn Fn(u64),
        link: &'a Link,
    ) -> io::Result<Outgoing<'a>> {
        file.seek(SeekFrom::Start(0))?;
        sent(0);
        Ok(Outgoing {
            file,
            length,
            read: 0,
            sent,
            link,
            failed: None,
        })
    }

    /// Whether all of it was asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.read == self.length
    }

    /// Why the file could not be read to its end, if so.
    pub(super) fn failed(self) -> Option<io::Error> {
        self.failed
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.link.is_aborted() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // What grew since its length was told is sent as it was.
        let left = usize::try_from(self.length - self.read).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let count = match self.file.read(buffer.get_mut(..room).unwrap_or_default()) {
            // ureq would ask for the rest for ever.
            Ok(0) if room > 0 => Err(io::Error::other("it became shorter while it was sent")),
            other => other,
        };
        match count {
            Ok(count) => {
                self.read += count as u64;
                (self.sent)(self.read);
                Ok(count)
            }
            Err(e) => {
                let told = io::Error::other(e.to_string());
                self.failed = Some(e);
                Err(told)
            }
        }
    }
}
