//! Reading an archive, entry by entry.

use super::header::{BLOCK, Header, Pax};
use super::{ArchiveError, Entry, Kind, Limits};
use crate::notation::deflate::{Form, Inflate};
use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The most bytes of pax records before one entry.
const MAX_PAX: usize = 64 << 10;
/// How many headers may say something of the one after them.
const MAX_EXTRA: usize = 8;
/// So many bytes may come out of any gzip, whatever its size.
const FREE_OF_RATIO: u64 = 1 << 20;

/// An archive being read. Entries come in the archive's order; what is not read of an
/// entry's content is skipped.
pub struct Reader<'a> {
    from: Stream<'a>,
    limits: Limits,
    /// Bytes that came out so far.
    out: u64,
    entries: u32,
    /// Bytes of the present entry's content that were not read yet, and after them.
    left: u64,
    padding: u64,
    ended: bool,
}

type Raw<'a> = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read + 'a>>>;

enum Stream<'a> {
    Plain(Raw<'a>),
    Gzip(Box<Inflate<'a>>),
}

/// What a failing read means.
fn failed(e: io::Error) -> ArchiveError {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Damaged("it is cut off".to_owned()),
        io::ErrorKind::InvalidData => ArchiveError::Damaged(format!("its gzip is corrupt: {e}")),
        _ => ArchiveError::Io {
            at: "the archive".to_owned(),
            error: e,
        },
    }
}

impl<'a> Reader<'a> {
    /// Reads from any stream; whether it is gzipped shows in its first bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] where it is empty or cannot be read.
    pub fn new(from: impl Read + 'a, limits: Limits) -> Result<Reader<'a>, ArchiveError> {
        let mut from: Box<dyn Read + 'a> = Box::new(from);
        let mut first = Vec::new();
        (&mut from)
            .take(2)
            .read_to_end(&mut first)
            .map_err(failed)?;
        if first.is_empty() {
            return Err(ArchiveError::Damaged("it is empty".to_owned()));
        }
        let is_gzip = first == [0x1f, 0x8b];
        let raw = BufReader::new(Cursor::new(first).chain(from));
        Ok(Reader {
            from: if is_gzip {
                Stream::Gzip(Box::new(Inflate::new(raw, Form::Gzip)))
            } else {
                Stream::Plain(raw)
            },
            limits,
            out: 0,
            entries: 0,
            left: 0,
            padding: 0,
            ended: false,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`ArchiveError::Io`] where it cannot be opened.
    pub fn open(file: &Path, limits: Limits) -> Result<Reader<'static>, ArchiveError> {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(file)
            .map_err(|error| ArchiveError::Io {
                at: file.display().to_string(),
                error,
            })?;
        Reader::new(opened, limits)
    }

    /// The next entry; `None` at the end, after everything up to the last byte was found
    /// to be whole (the checksum of gzip stands at its end).
    ///
    /// # Errors
    /// Every [`ArchiveError`] but those of writing. After one nothing more can be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error ends an iteration, and this must not go on after one"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        let found = self.entry().and_then(|entry| match entry {
            Some(entry) => Ok(Some(entry)),
            None => self.finish().map(|()| None),
        });
        self.ended = !matches!(found, Ok(Some(_)));
        found
    }

    /// Reads of the content of the entry that [`next`](Self::next) gave last: how many
    /// bytes, 0 at its end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, ArchiveError> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(into.len());
        let into = into.get_mut(..most).unwrap_or_default();
        if into.is_empty() || self.ended {
            return Ok(0);
        }
        let n = self.some(into).inspect_err(|_| self.ended = true)?;
        if n == 0 {
            self.ended = true;
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= n as u64;
        Ok(n)
    }

    /// The whole content of that entry, if it has at most `most` bytes.
    ///
    /// # Errors
    /// As [`next`](Self::next); [`ArchiveError::TooLarge`] where it has more.
    pub fn content(&mut self, most: usize) -> Result<Vec<u8>, ArchiveError> {
        if self.left > most as u64 {
            return Err(ArchiveError::TooLarge(format!(
                "a file in it has {} bytes, more than {most}",
                self.left
            )));
        }
        let mut content = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let n = self.read(&mut piece)?;
            if n == 0 {
                return Ok(content);
            }
            content.extend_from_slice(piece.get(..n).unwrap_or_default());
        }
    }

    /// Some bytes of the unpacked stream; 0 at its end.
    fn some(&mut self, into: &mut [u8]) -> Result<usize, ArchiveError> {
        let n = loop {
            let read = match &mut self.from {
                Stream::Plain(from) => from.read(into),
                Stream::Gzip(from) => from.read(into),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(failed)?,
            }
        };
        self.out += n as u64;
        if self.out > self.limits.total {
            return Err(self.too_large());
        }
        if let Stream::Gzip(from) = &self.from {
            let came_in = from.came_in();
            let beyond = self.out.saturating_sub(FREE_OF_RATIO);
            if beyond > came_in.saturating_mul(self.limits.ratio) {
                return Err(ArchiveError::TooLarge(format!(
                    "{came_in} bytes of it become more than {} times as many",
                    self.limits.ratio
                )));
            }
        }
        Ok(n)
    }

    fn too_large(&self) -> ArchiveError {
        ArchiveError::TooLarge(format!("it holds more than {} bytes", self.limits.total))
    }

    /// A whole block; `None` where the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.some(room)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                n => filled += n,
            }
        }
        Ok(Some(block))
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), ArchiveError> {
        let mut piece = [0; 4096];
        while bytes > 0 {
            let most = usize::try_from(bytes)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            match self.some(piece.get_mut(..most).unwrap_or_default())? {
                0 => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                n => bytes -= n as u64,
            }
        }
        Ok(())
    }

    /// What is left of the present entry.
    fn skip_content(&mut self) -> Result<(), ArchiveError> {
        let left = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        self.skip(left)
    }

    fn has_content(&mut self, size: u64) -> Result<(), ArchiveError> {
        if size > self.limits.total.saturating_sub(self.out) {
            return Err(self.too_large());
        }
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(())
    }

    fn entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut pax = Pax::default();
        let (mut name, mut link) = (None, None);
        let mut extra = 0;
        loop {
            self.skip_content()?;
            let Some(block) = self.block()? else {
                return match self.from {
                    // Its checksum tells whether it is whole.
                    Stream::Gzip(_) if extra == 0 => Ok(None),
                    _ => Err(failed(io::ErrorKind::UnexpectedEof.into())),
                };
            };
            let Some(header) = Header::read(&block)? else {
                return match extra {
                    0 => Ok(None),
                    _ => Err(ArchiveError::Damaged(
                        "its last entry is missing".to_owned(),
                    )),
                };
            };
            match header.kind {
                // For all entries after it: nothing that is looked at may be said so.
                b'g' => {
                    let mut all = Pax::default();
                    all.take(&self.extra(&header, MAX_PAX)?)?;
                    if all.path.is_some() || all.link.is_some() || all.size.is_some() {
                        let what = "it gives all its entries one name or size";
                        return Err(ArchiveError::Damaged(what.to_owned()));
                    }
                }
                b'x' => pax.take(&self.extra(&header, MAX_PAX)?)?,
                b'L' => name = Some(self.extra(&header, self.limits.name + 1)?),
                b'K' => link = Some(self.extra(&header, self.limits.name + 1)?),
                _ => {
                    let name = pax.path.take().or(name.take());
                    let link = pax.link.take().or(link.take());
                    let header = Header {
                        name: name.unwrap_or(header.name),
                        link: link.unwrap_or(header.link),
                        size: pax.size.unwrap_or(header.size),
                        ..header
                    };
                    pax = Pax::default();
                    extra = 0;
                    self.entries += 1;
                    if self.entries > self.limits.entries {
                        return Err(ArchiveError::TooLarge(format!(
                            "it holds more than {} entries",
                            self.limits.entries
                        )));
                    }
                    // The archive's own folder is no entry of it.
                    if let Some(entry) = self.checked(header)? {
                        return Ok(Some(entry));
                    }
                    continue;
                }
            }
            extra += 1;
            if extra > MAX_EXTRA {
                let what = "too much is said before an entry";
                return Err(ArchiveError::Damaged(what.to_owned()));
            }
        }
    }

    /// The content of a header that says something of the next, without NULs at its end.
    fn extra(&mut self, header: &Header, most: usize) -> Result<Vec<u8>, ArchiveError> {
        self.has_content(header.size)?;
        let mut content = self.content(most)?;
        while content.last() == Some(&0) {
            content.pop();
        }
        Ok(content)
    }

    /// `None`: the folder that the archive was made of.
    fn checked(&mut self, header: Header) -> Result<Option<Entry>, ArchiveError> {
        let (name, is_folder) = clean(&header.name, &self.limits)?;
        let refused = |what: &str| ArchiveError::Refused {
            name: String::from_utf8_lossy(&header.name).into_owned(),
            what: what.to_owned(),
        };
        let leads_to = || {
            let text = std::str::from_utf8(&header.link).ok();
            let text = text.filter(|t| !t.is_empty() && t.len() <= self.limits.name);
            text.filter(|t| !t.contains(char::is_control))
                .map(str::to_owned)
                .ok_or_else(|| refused("a link that leads nowhere"))
        };
        let kind = match header.kind {
            b'0' | b'7' | 0 if is_folder => Kind::Folder,
            b'0' | b'7' | 0 => Kind::File,
            b'1' => Kind::HardLink(leads_to()?),
            b'2' => Kind::Link(leads_to()?),
            b'3' => Kind::Other("a character device"),
            b'4' => Kind::Other("a block device"),
            b'5' => Kind::Folder,
            b'6' => Kind::Other("a FIFO"),
            b'S' => return Err(refused("a sparse file; pack it without --sparse")),
            _ => return Err(refused("an entry of a kind that is not read")),
        };
        match (&kind, header.size) {
            (Kind::File, size) => self.has_content(size)?,
            (_, 0) => {}
            _ => return Err(refused("which is no file but has content")),
        }
        let Some(name) = name else {
            return match kind {
                Kind::Folder => Ok(None),
                _ => Err(refused("a name that is none")),
            };
        };
        Ok(Some(Entry {
            name,
            mode: header.mode & 0o777,
            size: self.left,
            kind,
        }))
    }

    /// Reads what stands after the last entry: nothing but zeros.
    fn finish(&mut self) -> Result<(), ArchiveError> {
        let mut piece = [0; 4096];
        loop {
            let n = self.some(&mut piece)?;
            let read = piece.get(..n).unwrap_or_default();
            if read.is_empty() {
                return match self.entries {
                    0 => Err(ArchiveError::Damaged("there is nothing in it".to_owned())),
                    _ => Ok(()),
                };
            }
            if read.iter().any(|b| *b != 0) {
                let what = "something stands after its end";
                return Err(ArchiveError::Damaged(what.to_owned()));
            }
        }
    }
}

/// A name as [`Entry::name`] promises, and whether a slash at its end says that it is a
/// folder's. No name: the folder that the archive was made of (`./`).
fn clean(bytes: &[u8], limits: &Limits) -> Result<(Option<String>, bool), ArchiveError> {
    let refused = |what: &str| ArchiveError::Refused {
        name: String::from_utf8_lossy(bytes).into_owned(),
        what: what.to_owned(),
    };
    if bytes.len() > limits.name {
        return Err(refused(&format!(
            "a name of more than {} bytes",
            limits.name
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| refused("a name that is not UTF-8"))?;
    if text.is_empty() {
        return Err(refused("an entry without a name"));
    }
    if text.contains(char::is_control) {
        return Err(refused("a name with control characters"));
    }
    if text.starts_with('/') {
        return Err(refused("an absolute path"));
    }
    let mut name = String::with_capacity(text.len());
    let mut depth = 0;
    for part in text.split('/') {
        match part {
            "" | "." => continue,
            ".." => return Err(refused("a path that leads out of it")),
            _ if part.len() > 255 => return Err(refused("a name that no folder can hold")),
            _ => {}
        }
        depth += 1;
        if depth > limits.depth {
            return Err(refused(&format!("more than {} folders deep", limits.depth)));
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    let is_folder = text.ends_with('/') || name.is_empty();
    Ok(((!name.is_empty()).then_some(name), is_folder))
}
