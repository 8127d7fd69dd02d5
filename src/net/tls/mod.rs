//! TLS towards servers: rustls with ring, roots from files, and the rule for routers that
//! boot in 1970 (TR-069 3.3).
//!
//! Chain and host name are always verified; there is no switch for it. TLS 1.2 and 1.3 only.
//! `verify` holds the clock rule, `describe` names a certificate for the log.

mod describe;
mod verify;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;

pub use verify::BadCertificate;

/// Tells the time in seconds since 1970 (UTC).
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Largest PEM file read. A bundle of all public roots is about 220 KiB.
const MAX_FILE: u64 = 1024 * 1024;
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

    /// Reads the client certificate and its key, without the roots: can they be used together?
    ///
    /// # Errors
    /// As [`TlsConfig::load`].
    pub fn check_pair(&self) -> Result<(), TlsConfigError> {
        let provider = rustls::crypto::ring::default_provider();
        client_pair(self, &provider).map(|_| ())
    }
}

/// TLS ready for use. Cheap to clone.
#[derive(Clone)]
pub struct TlsConfig {
    client: Arc<rustls::ClientConfig>,
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
        }
    }
}

impl std::error::Error for TlsConfigError {}

impl TlsConfig {
    /// Reads the files and builds the configuration.
    ///
    /// `clock` tells the time; while it tells less than `floor` (the last good time kept on
    /// disk, else the build time, seconds since 1970), `notAfter` is held against the floor
    /// and `notBefore` is not enforced.
    ///
    /// # Errors
    /// [`TlsConfigError`] names the file and what is wrong with it.
    pub fn load(files: &TlsFiles, clock: Clock, floor: i64) -> Result<TlsConfig, TlsConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = verify::Verifier::new(roots(files)?, provider.clone(), clock.clone(), floor)
            .map_err(|e| TlsConfigError::Provider(e.to_string()))?;
        let time = Arc::new(FlooredTime { clock, floor });
        let builder = rustls::ClientConfig::builder_with_details(provider.clone(), time)
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsConfigError::Provider(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut client = match client_pair(files, &provider)? {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair))),
        };
        // One ACS and perhaps a file server or two.
        client.resumption = rustls::client::Resumption::in_memory_sessions(8);
        Ok(TlsConfig {
            client: Arc::new(client),
        })
    }

    /// For the connector.
    pub(crate) fn client(&self) -> Arc<rustls::ClientConfig> {
        self.client.clone()
    }
}

/// The clock, but never before the floor: sessions and tickets need a sane time too.
struct FlooredTime {
    clock: Clock,
    floor: i64,
}

impl fmt::Debug for FlooredTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlooredTime")
    }
}

impl TimeProvider for FlooredTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time((self.clock)().max(self.floor)))
    }
}

fn unix_time(seconds: i64) -> UnixTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

fn roots(files: &TlsFiles) -> Result<rustls::RootCertStore, TlsConfigError> {
    let mut found: Vec<CertificateDer<'static>> = Vec::new();
    if let Some(path) = &files.ca_file {
        found.extend(certificates(path)?);
    }
    if let Some(path) = &files.ca_path {
        found.extend(directory(path)?);
    }
    let mut named = files.ca_file.clone().or_else(|| files.ca_path.clone());
    if named.is_none() {
        let looked_at: Vec<PathBuf> = DEFAULT_BUNDLES.iter().map(|b| files.root.join(b)).collect();
        match looked_at.iter().find(|path| path.is_file()) {
            Some(path) => {
                found = certificates(path)?;
                named = Some(path.clone());
            }
            None => return Err(TlsConfigError::NoRoots { looked_at }),
        }
    }
    // A directory often holds each root twice, under its name and under its hash.
    found.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    found.dedup();
    let mut store = rustls::RootCertStore::empty();
    let (used, passed_over) = store.add_parsable_certificates(found);
    if passed_over > 0 {
        log::debug!("{passed_over} root certificates are of a form that is not understood");
    }
    if used == 0 {
        return Err(TlsConfigError::NoCertificate {
            path: named.unwrap_or_default(),
        });
    }
    Ok(store)
}

/// The client certificate with its key, if there is one.
fn client_pair(
    files: &TlsFiles,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<Option<rustls::sign::CertifiedKey>, TlsConfigError> {
    let (cert, key) = match (&files.client_cert, &files.client_key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        _ => return Err(TlsConfigError::HalfPair),
    };
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| TlsConfigError::NoKey { path: key.clone() })?;
    rustls::sign::CertifiedKey::from_der(chain, secret, provider)
        .map(Some)
        .map_err(|e| TlsConfigError::BadPair {
            cert: cert.clone(),
            key: key.clone(),
            why: e.to_string(),
        })
}

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

fn directory(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let names = root_files(path).map_err(|source| TlsConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut found = Vec::new();
    for name in names {
        match certificates(&name) {
            Ok(more) => found.extend(more),
            // One bad file among many roots must not cut the router off.
            Err(e) => log::warn!("{e}"),
        }
    }
    if found.is_empty() {
        return Err(TlsConfigError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(found)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsConfigError::NoCertificate {
            path: path.to_owned(),
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsConfigError> {
    let fail = |source| TlsConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text))
        .map_err(fail)?;
    if text.len() as u64 > MAX_FILE {
        return Err(TlsConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}
