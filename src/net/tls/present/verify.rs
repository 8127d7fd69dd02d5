//! The verifier: rustls' own steps for chain, name and dates, asked with a time that makes
//! sense. `WebPkiServerVerifier` does the same, and carries revocation lists, which no router
//! has.
//!
//! A router without a battery boots in 1970 and has no time before its first session. While
//! the clock tells less than the floor, a certificate must still be within its `notAfter` at
//! the floor, but may be younger than the floor: the chain must have been valid as a whole at
//! some moment not before it.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::{Clock, describe, unix_time};
use crate::cwmp::datetime::DateTime;

/// Which certificate was refused and why.
#[derive(Debug, Clone)]
pub struct BadCertificate {
    /// The certificate that is at fault, as far as that can be told, else the server's own:
    /// subject, issuer and SHA-256 fingerprint.
    pub certificate: String,
    /// How many certificates the server sent besides its own.
    pub intermediates: usize,
    /// What is wrong, by rustls.
    pub why: CertificateError,
    /// The clock was below the floor.
    pub without_clock: bool,
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            CertificateError::UnknownIssuer => f.write_str(
                "no root certificate vouches for it; add the issuer to ca_file, or have the \
                 server send its intermediate certificates",
            )?,
            CertificateError::ExpiredContext { time, not_after } => write!(
                f,
                "it expired at {}, and now is {}",
                date(*not_after),
                date(*time)
            )?,
            CertificateError::NotValidYetContext { time, not_before } => write!(
                f,
                "it is good from {} on, and now is {}; is the clock right?",
                date(*not_before),
                date(*time)
            )?,
            why => write!(f, "{why}")?,
        }
        write!(
            f,
            " ({}, {} intermediate certificates sent{})",
            self.certificate,
            self.intermediates,
            if self.without_clock {
                ", the clock is not set"
            } else {
                ""
            }
        )
    }
}

impl std::error::Error for BadCertificate {}

fn date(moment: UnixTime) -> DateTime {
    DateTime::Utc(i64::try_from(moment.as_secs()).unwrap_or(i64::MAX))
}

pub(super) struct Verifier {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    clock: Clock,
    floor: i64,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    pub(super) fn new(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
        clock: Clock,
        floor: i64,
    ) -> Verifier {
        Verifier {
            roots,
            provider,
            clock,
            floor,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let at = |time| {
            let cert = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(
                &cert,
                &self.roots,
                intermediates,
                time,
                algorithms,
            )?;
            verify_server_name(&cert, server_name)?;
            Ok(ServerCertVerified::assertion())
        };
        let clock = (self.clock)();
        let without_clock = clock < self.floor;
        let mut time = unix_time(clock.max(self.floor));
        let mut result = at(time);
        if without_clock {
            // Each step goes to the beginning of the certificate that is too young, so there
            // are no more steps than certificates in a chain.
            for _ in 0..8 {
                let Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) = &result
                else {
                    break;
                };
                if *not_before <= time {
                    break;
                }
                time = *not_before;
                result = at(time);
            }
        }
        match result {
            Err(Error::InvalidCertificate(why)) => Err(Error::InvalidCertificate(
                CertificateError::Other(OtherError(Arc::new(BadCertificate {
                    certificate: describe::certificate(culprit(end_entity, intermediates, &why)),
                    intermediates: intermediates.len(),
                    why,
                    without_clock,
                }))),
            )),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The certificate of the chain that an error is about.
fn culprit<'a>(
    end_entity: &'a [u8],
    intermediates: &'a [CertificateDer<'_>],
    why: &CertificateError,
) -> &'a [u8] {
    let moment = match why {
        CertificateError::ExpiredContext { not_after, .. } => not_after,
        CertificateError::NotValidYetContext { not_before, .. } => not_before,
        _ => return end_entity,
    };
    let mut chain = vec![end_entity];
    chain.extend(intermediates.iter().map(|c| c.as_ref()));
    let moment = i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    describe::dated(&chain, moment).unwrap_or(end_entity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    // T-SEC-003 T-SEC-004
    #[test]
    fn wildcards_and_alternative_names_count_and_the_common_name_does_not() {
        let mut ca = CertificateParams::new(Vec::new()).expect("no names");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(ca, key).expect("signed");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clock: Clock = Arc::new(|| 1_780_272_000);
        let verifier = Verifier::new(roots, provider, clock, 0);
        let accepts = |names: &[&str], host: &str| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            let mut params = CertificateParams::new(names).expect("names");
            params
                .distinguished_name
                .push(DnType::CommonName, "cn.example");
            let key = KeyPair::generate().expect("a key");
            let cert = params.signed_by(&key, &ca).expect("signed");
            let host = ServerName::try_from(host.to_owned()).expect("a name");
            verifier
                .verify_server_cert(cert.der(), &[], &host, &[], unix_time(0))
                .is_ok()
        };
        assert!(accepts(&["*.example.com"], "acs.example.com"));
        assert!(!accepts(&["*.example.com"], "a.b.example.com"));
        assert!(!accepts(&["*.example.com"], "example.com"));
        assert!(accepts(&["x.example", "acs.example"], "ACS.example"));
        assert!(accepts(&["192.0.2.1"], "192.0.2.1"));
        assert!(!accepts(&["192.0.2.1"], "192.0.2.2"));
        assert!(!accepts(&["x.example"], "cn.example"));
        assert!(!accepts(&[], "cn.example"));
    }
}
