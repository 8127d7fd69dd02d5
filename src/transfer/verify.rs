//! Whether a file is the one its vendor made: a SHA-256 sum, a usign signature.

use std::path::{Path, PathBuf};

use super::fetch::Fetched;
use super::progress::Stop;
use crate::cwmp::message::TransferFault;
use crate::net::file::FileConfig;

/// Where the keys of OpenWrt's package feeds lie.
pub const DEFAULT_KEYS: &str = "/etc/opkg/keys";
/// Largest file whose own signature is checked, bytes: it is held in memory as a whole for
/// it. A larger one needs a signed sum: both `sha256` and `signature`.
pub const MAX_SIGNED: u64 = 4 * 1024 * 1024;

/// What a file is held against before it is used. In agent.toml, in a `[[download]]`:
///
/// ```toml
/// verify = { sha256 = ".sha256", signature = ".sig", keys = "/etc/opkg/keys" }
/// ```
///
/// Each part may be left out. Nothing at all: no check.
///
/// * `sha256` alone: the sum at the file's URL with this text after its path
///   (`…/image.bin.sha256`); the first 64 hex digits of it count, so that what `sha256sum`
///   prints serves. Where it does not begin with `.`, `-` or `_`, it is the name of a list in
///   the same folder (`sha256sums`), in which the line with the file's name counts.
/// * `signature` alone: a usign signature (ed25519) over the file itself, at the file's URL with
///   this text after its path; for files up to [`MAX_SIGNED`].
/// * both: the signature is that of the sum or list (`…/image.bin.sha256.sig`,
///   `…/sha256sums.sig`), as OpenWrt publishes its images.
///
/// They come from the same server with the same credentials; the URL's query is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verify {
    /// Where the SHA-256 sum is.
    pub sha256: Option<String>,
    /// Where the signature is, from what it signs.
    pub signature: Option<String>,
    /// The folder of public keys, each in a file named by its id (16 hex digits); `None`:
    /// [`DEFAULT_KEYS`]. A real path (root included).
    pub keys: Option<PathBuf>,
}

impl Verify {
    /// Whether there is nothing to check.
    pub fn is_none(&self) -> bool {
        self.sha256.is_none() && self.signature.is_none()
    }
}

/// Holds a fetched file against what `verify` names. `wire` is that of the file.
///
/// # Errors
/// [`TransferFault`] 9018: no sum, or another one; 9019: no signature, a wrong one, an
/// unknown key; 9015 and 9012 where the server cannot be reached for them any more.
pub fn verify(
    wire: &FileConfig,
    verify: &Verify,
    file: &Path,
    fetched: &Fetched,
    stop: &Stop,
) -> Result<(), TransferFault>;
