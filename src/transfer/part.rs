//! A file that is being fetched: what of it is on the disk, its hash so far, and the note
//! from which a later fetch goes on.
//!
//! The note is written when a fetch ends before the file does, never while it runs. It says how
//! many bytes there are and what their SHA-256 is, so that a part is only continued if it is,
//! byte by byte, what came: after a power cut a disk may have kept the length and lost the
//! bytes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::sums::{hex, unhex};
use crate::net::file::{Resume, Validator};
use crate::net::url::Url;
use crate::store::Sha256;

/// The first line of a note.
const FORM: &str = "part 1";
/// Largest note read, bytes.
const MAX_NOTE: u64 = 1024;

/// A file that cannot be written, or a part that cannot be read. Names no path but its own.
#[derive(Debug)]
pub(super) struct PartError {
    name: String,
    source: io::Error,
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartError { name, source } = self;
        match source.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::ENOSPC | nix::errno::Errno::EDQUOT) => {
                write!(f, "{name}: no room left on the disk")
            }
            _ => write!(f, "{name} cannot be written: {source}"),
        }
    }
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    /// SHA-256 of the URL: it may hold a secret.
    url: [u8; 32],
    size: u64,
    /// Of that many bytes.
    sha256: [u8; 32],
    total: Option<u64>,
    validator: Validator,
}

/// See the module.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    size: u64,
    hash: Sha256,
    url: [u8; 32],
    known: Option<(Validator, Option<u64>)>,
}

impl Part {
    /// What an earlier fetch of this URL left here, or an empty file.
    pub(super) fn open(path: &Path, url: &Url) -> Result<Part, PartError> {
        let url = Sha256::of(url.to_string().as_bytes());
        let note = read_note(&note_path(path)).filter(|note| note.url == url);
        let earlier = note.and_then(|note| Part::earlier(path, &note));
        match earlier {
            Some(part) => Ok(part),
            None => {
                let _ = fs::remove_file(note_path(path));
                Part::empty(path, url)
            }
        }
    }

    fn empty(path: &Path, url: [u8; 32]) -> Result<Part, PartError> {
        // Whatever has the name is not written through: it may be a link or somebody's pipe.
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(told(path, e)),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| told(path, e))?;
        Ok(Part {
            path: path.to_owned(),
            file,
            size: 0,
            hash: Sha256::default(),
            url,
            known: None,
        })
    }

    /// The part that a note speaks of, if it is what the note says.
    fn earlier(path: &Path, note: &Note) -> Option<Part> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits() | OFlag::O_NONBLOCK.bits())
            .open(path)
            .ok()?;
        let metadata = file.metadata().ok()?;
        let whole = note.total.is_some_and(|total| note.size >= total);
        if !metadata.is_file() || metadata.len() < note.size || note.size == 0 || whole {
            return None;
        }
        let hash = hash_of(&mut (&file).take(note.size)).ok()?;
        if hash.clone().finish() != note.sha256 {
            return None;
        }
        file.set_len(note.size).ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(Part {
            path: path.to_owned(),
            file,
            size: note.size,
            hash,
            url: note.url,
            known: Some((note.validator.clone(), note.total)),
        })
    }

    /// Bytes that are here.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What to ask for, if something is here that can be continued.
    pub(super) fn resume(&self) -> Option<Resume> {
        let (validator, total) = self.known.as_ref()?;
        (self.size > 0).then(|| Resume {
            offset: self.size,
            validator: validator.clone(),
            total: *total,
        })
    }

    /// Back to an empty file that nothing is known of.
    pub(super) fn restart(&mut self) -> Result<(), PartError> {
        self.known = None;
        if self.size > 0 {
            let _ = fs::remove_file(note_path(&self.path));
            self.size = 0;
            self.hash = Sha256::default();
            let emptied = self.file.set_len(0);
            let begun = emptied.and_then(|()| self.file.seek(SeekFrom::Start(0)));
            begun.map_err(|e| told(&self.path, e))?;
        }
        Ok(())
    }

    /// What the server says of the whole file.
    pub(super) fn known_by(&mut self, validator: Option<&Validator>, total: Option<u64>) {
        self.known = validator.map(|validator| (validator.clone(), total));
    }

    /// The next bytes.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), PartError> {
        self.file
            .write_all(piece)
            .map_err(|e| told(&self.path, e))?;
        self.hash.update(piece);
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Bytes free for use where the file is; `None`: the system does not say.
    pub(super) fn free(&self) -> Option<u64> {
        let stat = nix::sys::statvfs::fstatvfs(&self.file).ok()?;
        // The C types differ between architectures; all fit into 64 bits.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        let (size, free) = (stat.fragment_size() as u64, stat.blocks_available() as u64);
        // A file system without a size (of the kernel's own making) bounds nothing.
        (stat.blocks() > 0).then(|| free.saturating_mul(size))
    }

    /// The file is whole: its SHA-256.
    pub(super) fn finish(self) -> [u8; 32] {
        let _ = fs::remove_file(note_path(&self.path));
        self.hash.clone().finish()
    }

    /// Leaves the part and its note for a later fetch, if it can be continued.
    pub(super) fn keep(self) {
        let kept = self.resume().is_some_and(|resume| {
            let note = Note {
                url: self.url,
                size: self.size,
                sha256: self.hash.clone().finish(),
                total: resume.total,
                validator: resume.validator,
            };
            write_note(&note_path(&self.path), &note).is_ok()
        });
        if !kept {
            self.discard();
        }
    }

    /// Takes part and note away.
    pub(super) fn discard(self) {
        discard(&self.path);
    }
}

/// Takes away what was written to this place.
pub(super) fn discard(path: &Path) {
    for path in [&note_path(path), path] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                log::warn!("{} cannot be removed: {e}", path.display());
            }
            _ => {}
        }
    }
}

fn told(path: &Path, source: io::Error) -> PartError {
    PartError {
        name: path.display().to_string(),
        source,
    }
}

fn note_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn hash_of(reader: &mut impl Read) -> io::Result<Sha256> {
    let mut hash = Sha256::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hash),
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(note.to_text().as_bytes())
}

fn read_note(path: &Path) -> Option<Note> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits() | OFlag::O_NONBLOCK.bits())
        .open(path)
        .ok()?;
    let mut text = String::new();
    file.take(MAX_NOTE).read_to_string(&mut text).ok()?;
    Note::parse(&text)
}

impl Note {
    fn to_text(&self) -> String {
        let total = self.total.map_or("-".to_owned(), |total| total.to_string());
        format!(
            "{FORM}\n{}\n{}\n{}\n{total}\n{}\n",
            hex(&self.url),
            self.size,
            hex(&self.sha256),
            self.validator
        )
    }

    /// Only as [`to_text`](Self::to_text) writes it.
    fn parse(text: &str) -> Option<Note> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != FORM {
            return None;
        }
        let note = Note {
            url: unhex(lines.next()?)?,
            size: lines.next()?.parse().ok()?,
            sha256: unhex(lines.next()?)?,
            total: match lines.next()? {
                "-" => None,
                digits => Some(digits.parse().ok()?),
            },
            validator: Validator::parse(lines.next()?)?,
        };
        lines.next().is_none().then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note() -> Note {
        Note {
            url: [1; 32],
            size: 7,
            sha256: [2; 32],
            total: Some(9),
            validator: Validator::Tag("\"a\"".to_owned()),
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_in_no_other_form() {
        let date = Validator::Date("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        for (total, validator) in [(Some(9), note().validator), (None, date)] {
            let note = Note {
                total,
                validator,
                ..note()
            };
            let text = note.to_text();
            assert_eq!(Note::parse(&text), Some(note));
            for end in 0..text.len() {
                assert_eq!(Note::parse(&text[..end]), None, "{end}");
            }
            assert_eq!(Note::parse(&format!("{text}more\n")), None);
            assert_eq!(Note::parse(&text.replace(FORM, "part 2")), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_a_note_says_is_read_without_harm(text in "\\PC{0,200}", line in "[0-9a-f\"-]{0,70}") {
            let _ = Note::parse(&text);
            let _ = Note::parse(&format!("{FORM}\n{line}\n{line}\n{line}\n{line}\n{line}\n"));
        }
    }
}
