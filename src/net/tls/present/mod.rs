//! TLS by rustls and ring: the configuration out of files, and one connection.
//!
//! `verify` holds the clock rule, `describe` names a certificate for the log.

mod connection;
mod describe;
mod verify;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;

use super::{Clock, DEFAULT_BUNDLES, TlsConfigError, TlsFiles, root_files};
pub(in crate::net) use connection::{Connection, failure};
pub use verify::BadCertificate;

/// Largest PEM file read. A bundle of all public roots is about 220 KiB.
const MAX_FILE: u64 = 1024 * 1024;

impl TlsFiles {
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
        let verifier = verify::Verifier::new(roots(files)?, provider.clone(), clock.clone(), floor);
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

    /// For a connection.
    fn client(&self) -> Arc<rustls::ClientConfig> {
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
