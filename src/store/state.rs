//! Small state files: versioned, checksummed, written only when they change.
//!
//! A state file is one line of JSON, `{"version":1,"file":"name","sha256":"…"}`, and the
//! body after it; the checksum is the body's. A file that does not hold is renamed
//! aside and reported, never an error: the daemon starts whatever it finds.

use super::atomic;
use super::disk::{Disk, RealDisk, is_no_file};
use super::sha256::Sha256;
use crate::notation::json;
use log::{debug, info, warn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The version of the header that this program writes, and the newest it reads.
const VERSION: u32 = 1;
/// The largest state file that is read, bytes.
pub(super) const LIMIT: u64 = 4 * 1024 * 1024;
/// The header line is never longer than this, bytes.
const HEADER: usize = 512;
/// The largest body that is remembered, bytes.
const REMEMBERED: usize = 2048;
/// What is wrong with a link that leads nowhere.
pub(super) const LINK_TO_NOTHING: &str = "it is a link to nothing";
/// How many damaged files of one name are kept.
const KEPT_BAD: u32 = 4;

/// The folder that survives power loss and sysupgrade (`state_dir` of agent.toml).
#[derive(Clone)]
pub struct StateDir {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The files whose last write failed: what is seen of them may not be durable. Shared
    /// by all clones.
    failing: Arc<Mutex<BTreeSet<String>>>,
    /// What was last to be written of small files, so that the same need not be hashed
    /// again. Shared by all clones.
    sealed: Arc<Mutex<BTreeMap<String, Sealed>>>,
}

/// A state file's content: the header, this many bytes, and the body.
struct Sealed {
    header: usize,
    content: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    file: String,
    sha256: String,
}

impl StateDir {
    /// Makes the folder (mode 0700) where it does not exist.
    pub fn open(dir: &Path) -> io::Result<StateDir> {
        StateDir::open_on(Arc::new(RealDisk), dir)
    }

    /// As [`open`](Self::open), on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<StateDir> {
        disk.make_dir(dir, 0o700)?;
        let dir = disk.resolve(dir)?;
        Ok(StateDir::at(disk, &dir))
    }

    /// A folder that is not there and cannot be made: nothing is found in it, and each
    /// write tries to make it.
    pub fn at(disk: Arc<dyn Disk>, dir: &Path) -> StateDir {
        // Its real path, as far as it is there.
        let real = dir.ancestors().find_map(|above| {
            let real = disk.resolve(above).ok()?;
            Some(real.join(dir.strip_prefix(above).ok()?))
        });
        StateDir {
            disk,
            dir: real.unwrap_or_else(|| dir.to_owned()),
            failing: Arc::default(),
            sealed: Arc::default(),
        }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the state file of this name lives.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The disk it lies on.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// A state file's content. `None` where there is none, or where it is torn, foreign
    /// or newer than this program: then it is set aside as `name.bad-N` with a warning.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let body = self.load_bytes(name)?;
        match json::read(&body) {
            Ok(value) => Some(value),
            Err(e) => {
                self.set_aside(name, &format!("its content is not understood: {e}"));
                None
            }
        }
    }

    /// Writes a state file (mode 0600) if its content changes; tells whether it did.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) -> io::Result<bool> {
        let body = serde_json::to_vec(value).map_err(io::Error::other)?;
        self.save_bytes(name, &body)
    }

    /// As [`load`](Self::load), the bytes.
    pub fn load_bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.disk.read(&self.path(name), LIMIT) {
            Ok(bytes) => match unseal(name, bytes) {
                Ok(body) => Some(body),
                Err(why) => {
                    self.set_aside(name, &why);
                    None
                }
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if self.disk.is_link(&self.path(name)) {
                    self.set_aside(name, LINK_TO_NOTHING);
                }
                None
            }
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                self.set_aside(name, "it is too large");
                None
            }
            // A folder in its place, a bad sector: were it left there, nothing could be
            // kept under this name again.
            Err(e) => {
                self.set_aside(name, &format!("it cannot be read: {e}"));
                None
            }
        }
    }

    /// As [`save`](Self::save), the bytes.
    pub fn save_bytes(&self, name: &str, body: &[u8]) -> io::Result<bool> {
        let path = self.path(name);
        let failed_before = self.failing().contains(name);
        let content = self.sealed(name, body);
        let write = || atomic::write(&*self.disk, &path, &content, 0o600);
        let written = match write() {
            // A folder, a pipe: it would stand in the way for good.
            Err(e) if is_no_file(&e) => {
                self.set_aside(name, &e.to_string());
                write()
            }
            // It could not be made before, or somebody has taken it away.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.disk.make_dir(&self.dir, 0o700).and_then(|()| write())
            }
            written => written,
        };
        let written = match written {
            // Equal to what is seen, which a write that failed may have left: a power cut
            // could still take it back.
            Ok(false) if failed_before => self.disk.sync_dir(&self.dir).map(|()| false),
            written => written,
        };
        match &written {
            Ok(_) if failed_before => {
                self.failing().remove(name);
            }
            Err(_) if !failed_before => {
                self.failing().insert(name.to_owned());
            }
            _ => {}
        }
        written
    }

    /// [`seal`], from memory where the body is the last one.
    fn sealed(&self, name: &str, body: &[u8]) -> Vec<u8> {
        let mut all = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = all.get(name)
            && last.content.get(last.header..) == Some(body)
        {
            return last.content.clone();
        }
        let content = seal(name, body);
        if body.len() <= REMEMBERED {
            let last = Sealed {
                header: content.len() - body.len(),
                content: content.clone(),
            };
            all.insert(name.to_owned(), last);
        }
        content
    }

    /// As [`save`](Self::save); a failure is logged, once until a write succeeds. `what`
    /// is not kept then, in words.
    pub fn save_or_warn<T: Serialize>(&self, name: &str, value: &T, what: &str) -> bool {
        match serde_json::to_vec(value) {
            Ok(body) => self.save_bytes_or_warn(name, &body, what),
            Err(e) => {
                warn!("{what} cannot be kept: {e}");
                false
            }
        }
    }

    /// As [`save_or_warn`](Self::save_or_warn), the bytes.
    pub fn save_bytes_or_warn(&self, name: &str, body: &[u8], what: &str) -> bool {
        let failed_before = self.failing().contains(name);
        match self.save_bytes(name, body) {
            Ok(_) if failed_before => info!("{what}: kept again"),
            Ok(_) => {}
            Err(e) if failed_before => debug!("{what} cannot be kept: {e}"),
            Err(e) => warn!("{what} cannot be kept: {}: {e}", self.path(name).display()),
        }
        !self.failing().contains(name)
    }

    fn failing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a state file; no error where there is none.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.disk.remove(&self.path(name)) {
            Ok(()) => {}
            // Unless it was seen to go, or to come, and may not have done so for good.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if !self.failing().contains(name) {
                    return Ok(());
                }
            }
            Err(e) => return Err(e),
        }
        let synced = self.disk.sync_dir(&self.dir);
        match &synced {
            Ok(()) => self.failing().remove(name),
            Err(_) => self.failing().insert(name.to_owned()),
        };
        synced
    }

    /// Renames a state file that does not hold, so that it can be looked at and is not
    /// met again. The last of the kept ones is replaced when there are many.
    pub(super) fn set_aside(&self, name: &str, why: &str) {
        let path = self.path(name);
        let aside = |n: u32| self.path(&format!("{name}.bad-{n}"));
        let free = (1..KEPT_BAD).find(|n| self.disk.stat(&aside(*n)).is_err());
        // A folder does not take the place of a file, nor a file that of a folder: such
        // things have places of their own.
        let mut places = free.into_iter().chain(KEPT_BAD..=2 * KEPT_BAD).map(aside);
        let moved = places.find(|to| self.disk.rename(&path, to).is_ok());
        match moved {
            Some(to) => warn!(
                "state file {}: {why}; set aside as {}, going on without it",
                path.display(),
                to.display()
            ),
            None => warn!(
                "state file {}: {why}; it cannot be set aside, going on without it",
                path.display()
            ),
        }
    }
}

/// Puts the header before a body.
pub(super) fn seal(name: &str, body: &[u8]) -> Vec<u8> {
    let header = Header {
        version: VERSION,
        file: name.to_owned(),
        sha256: hex(sha256(body).as_ref()),
    };
    // A struct of two texts and a number always becomes JSON.
    let mut out = serde_json::to_vec(&header).unwrap_or_default();
    out.push(b'\n');
    out.extend_from_slice(body);
    out
}

/// Takes the header away after checking it; the error says what is wrong.
pub(super) fn unseal(name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let end = bytes
        .iter()
        .take(HEADER)
        .position(|&b| b == b'\n')
        .ok_or("it is torn: no header line")?;
    let header: Header = json::read(bytes.get(..end).unwrap_or_default())
        .map_err(|e| format!("its header is not understood: {e}"))?;
    if header.version > VERSION {
        return Err(format!(
            "it is of version {}, newer than this program reads ({VERSION})",
            header.version
        ));
    }
    if header.file != name {
        return Err(format!(
            "it is the file {} under another name",
            header.file.escape_default()
        ));
    }
    let body = bytes.split_off(end + 1);
    if hex(sha256(&body).as_ref()) != header.sha256 {
        return Err("it is torn: its checksum does not hold".to_owned());
    }
    Ok(body)
}

/// SHA-256 (FIPS 180-4).
pub(super) fn sha256(bytes: &[u8]) -> impl AsRef<[u8]> {
    Sha256::of(bytes)
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' - 10 + n };
    let mut text = vec![0; bytes.len() * 2];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    // Digits and letters only.
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_in_lower_case() {
        assert_eq!(hex(&[0x00, 0x9a, 0xff]), "009aff");
    }
}
