//! TLS towards servers: rustls with ring, roots from files, and the rule for routers that
//! boot in 1970 (TR-069 3.3).
//!
//! Chain and host name are always verified; there is no switch for it. TLS 1.2 and 1.3 only.
//! `present` is all of it where the program has TLS; where it was built without the cargo
//! feature `tls`, `absent` stands in its place and refuses.

#[cfg(feature = "tls")]
#[path = "present/mod.rs"]
mod with_or_without;

#[cfg(not(feature = "tls"))]
#[path = "absent.rs"]
mod with_or_without;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::url::Url;

pub use with_or_without::{BadCertificate, TlsConfig};
pub(super) use with_or_without::{Connection, failure};

/// Whether this program has TLS at all (the cargo feature `tls`).
pub const PRESENT: bool = cfg!(feature = "tls");
/// What to tell whoever needs it where it has none.
pub const ABSENT: &str =
    "this program was built without TLS (the cargo feature `tls`): https is not possible";

/// Whether a URL can be had: plain http always, https where there is TLS.
///
/// # Errors
/// What to tell whoever names the URL.
pub fn possible(url: &Url) -> Result<(), &'static str> {
    match url.is_https() && !PRESENT {
        true => Err(ABSENT),
        false => Ok(()),
    }
}

/// Tells the time in seconds since 1970 (UTC).
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Files read from a directory of roots at most.
const MAX_FILES: usize = 512;

/// Where systems keep their roots; the first that holds any serves.
const DEFAULT_BUNDLES: [&str; 4] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/ssl/cert.pem",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
];

/// Where the trust comes from and who we are. Paths are real ones (root included).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// A PEM bundle of roots (`acs.ca_file`).
    pub ca_file: Option<PathBuf>,
    /// A directory whose files with a name ending in `.pem`, `.crt` or `.0` … `.9` hold
    /// PEM roots (`acs.ca_path`).
    pub ca_path: Option<PathBuf>,
    /// The client certificate and its chain, PEM (`acs.client_cert`).
    pub client_cert: Option<PathBuf>,
    /// The client key, PEM: PKCS#8, PKCS#1 or SEC1 (`acs.client_key`).
    pub client_key: Option<PathBuf>,
    /// The root directory (`--root`) below which the system's own bundles are looked for
    /// when neither `ca_file` nor `ca_path` is given.
    pub root: PathBuf,
}

impl TlsFiles {
    /// Every file and folder whose change would make another configuration: a folder of roots
    /// with each file in it, the system's bundles where none is named. Some may not exist.
    pub fn sources(&self) -> Vec<PathBuf> {
        let named = [
            &self.ca_file,
            &self.ca_path,
            &self.client_cert,
            &self.client_key,
        ];
        let mut all: Vec<PathBuf> = named.into_iter().flatten().cloned().collect();
        if let Some(folder) = &self.ca_path {
            all.extend(root_files(folder).unwrap_or_default());
        }
        if self.ca_file.is_none() && self.ca_path.is_none() {
            all.extend(DEFAULT_BUNDLES.iter().map(|b| self.root.join(b)));
        }
        all
    }
}

/// Sets TLS up when it is needed for the first time.
pub type TlsWhenNeeded = Arc<dyn Fn() -> Result<TlsConfig, TlsConfigError> + Send + Sync>;

impl TlsConfig {
    /// A [`TlsWhenNeeded`] that is set up already.
    pub fn ready(self) -> TlsWhenNeeded {
        Arc::new(move || Ok(self.clone()))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConfig(..)")
    }
}

/// Why no TLS configuration came about. Every variant names the file.
#[derive(Debug)]
pub enum TlsConfigError {
    /// A file or directory that cannot be read.
    Read {
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file larger than 1 MiB.
    TooLarge {
        /// Which one.
        path: PathBuf,
    },
    /// A file or directory that holds no usable certificate.
    NoCertificate {
        /// Which one.
        path: PathBuf,
    },
    /// No bundle of roots was configured and the system has none.
    NoRoots {
        /// Where it was looked for.
        looked_at: Vec<PathBuf>,
    },
    /// A key file without a private key.
    NoKey {
        /// Which one.
        path: PathBuf,
    },
    /// A client certificate without a key, or the other way round.
    HalfPair,
    /// Certificate and key do not belong together, or the key is of a kind we do not know.
    BadPair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        why: String,
    },
    /// rustls refused its own defaults; cannot come from a file.
    Provider(String),
    /// The program has no TLS.
    Absent,
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsConfigError::Read { path, source } => {
                write!(f, "{}: cannot be read: {source}", path.display())
            }
            TlsConfigError::TooLarge { path } => {
                write!(
                    f,
                    "{}: larger than 1 MiB; no certificate file is",
                    path.display()
                )
            }
            TlsConfigError::NoCertificate { path } => write!(
                f,
                "{}: holds no certificate; write PEM (-----BEGIN CERTIFICATE-----)",
                path.display()
            ),
            TlsConfigError::NoRoots { looked_at } => {
                f.write_str(
                    "no root certificates: set ca_file, or install a bundle (ca-bundle on OpenWrt) as one of",
                )?;
                looked_at
                    .iter()
                    .try_for_each(|path| write!(f, " {}", path.display()))
            }
            TlsConfigError::NoKey { path } => write!(
                f,
                "{}: holds no private key; write PEM, PKCS#8, PKCS#1 or SEC1, without a passphrase",
                path.display()
            ),
            TlsConfigError::HalfPair => {
                f.write_str("client_cert and client_key belong together: set both or neither")
            }
            TlsConfigError::BadPair { cert, key, why } => write!(
                f,
                "{} and {} cannot be used together: {why}",
                cert.display(),
                key.display()
            ),
            TlsConfigError::Provider(why) => write!(f, "TLS cannot be set up: {why}"),
            TlsConfigError::Absent => f.write_str(ABSENT),
        }
    }
}

impl std::error::Error for TlsConfigError {}

/// The files of a folder of roots.
fn root_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path)?.take(MAX_FILES) {
        let file = entry?.path();
        let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("");
        let hashed = ending.len() == 1 && ending.bytes().all(|b| b.is_ascii_digit());
        if (hashed || ending == "pem" || ending == "crt") && file.is_file() {
            names.push(file);
        }
    }
    names.sort();
    Ok(names)
}
