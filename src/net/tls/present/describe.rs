//! Names a certificate for a log line: subject, issuer, fingerprint. For reading only; nothing
//! is decided by it.

use crate::cwmp::datetime::DateTime;
use sha2::{Digest, Sha256};

/// The tag of the version, which may be left out.
const VERSION: u8 = 0xa0;

/// `subject "acs.example", issuer "Example Root", SHA-256 0a1b2c3d4e5f6071`.
pub(super) fn certificate(der: &[u8]) -> String {
    let (issuer, subject) = names(der).unwrap_or_default();
    let mut print = String::new();
    for byte in Sha256::digest(der).iter().take(8) {
        print.push_str(&format!("{byte:02x}"));
    }
    format!("subject \"{subject}\", issuer \"{issuer}\", SHA-256 {print}…")
}

/// The first of these whose validity begins or ends at this moment (seconds since 1970).
pub(super) fn dated<'a>(certificates: &[&'a [u8]], moment: i64) -> Option<&'a [u8]> {
    let mut all = certificates.iter().copied();
    all.find(|der| validity(der).is_some_and(|(from, to)| from == moment || to == moment))
}

/// When an X.509 certificate is valid, seconds since 1970 (RFC 5280 section 4.1.2.5).
fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // Version (where there is one), serial number, signature algorithm, issuer.
    let skipped = if rest.first() == Some(&VERSION) { 4 } else { 3 };
    for _ in 0..skipped {
        rest = element(rest)?.2;
    }
    let (_, dates, _) = element(rest)?;
    let (from_tag, from, dates) = element(dates)?;
    let (to_tag, to, _) = element(dates)?;
    Some((date(from_tag, from)?, date(to_tag, to)?))
}

/// UTCTime (`491231235959Z`) or GeneralizedTime (`20501231235959Z`).
fn date(tag: u8, text: &[u8]) -> Option<i64> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let text = std::str::from_utf8(text).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2);
    let written = format!(
        "{year:04}-{}-{}T{}:{}:{}Z",
        part(0)?,
        part(2)?,
        part(4)?,
        part(6)?,
        part(8)?
    );
    DateTime::parse(&written)?.unix_seconds()
}

/// Issuer and subject of an X.509 certificate (RFC 5280 section 4.1).
fn names(der: &[u8]) -> Option<(String, String)> {
    const SEQUENCE: u8 = 0x30;
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number and signature algorithm.
    for _ in 0..2 {
        rest = element(rest)?.2;
    }
    let (tag, issuer, rest) = element(rest)?;
    let (_, _validity, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    (tag == SEQUENCE).then(|| (name(issuer), name(subject)))
}

/// The common name, else the organisation; empty when there is neither.
fn name(mut sets: &[u8]) -> String {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANISATION: &[u8] = &[0x55, 4, 10];
    let mut organisation = String::new();
    while let Some((_, set, rest)) = element(sets) {
        sets = rest;
        let Some((_, pair, _)) = element(set) else {
            continue;
        };
        let Some((_, kind, value)) = element(pair) else {
            continue;
        };
        let Some((_, text, _)) = element(value) else {
            continue;
        };
        let readable: String = String::from_utf8_lossy(text)
            .chars()
            .map(|c| if c.is_control() || c == '"' { '?' } else { c })
            .take(64)
            .collect();
        match kind {
            COMMON_NAME => return readable,
            ORGANISATION => organisation = readable,
            _ => {}
        }
    }
    organisation
}

/// Tag, content and what follows one DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 3 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        let length = bytes.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_and_issuer_are_read() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(vec!["acs.example".to_owned()]).expect("names");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "The \"ACS\"");
        let cert = params.self_signed(&key).expect("a certificate");
        let text = certificate(cert.der());
        assert!(
            text.starts_with("subject \"The ?ACS?\", issuer \"The ?ACS?\", SHA-256 "),
            "{text}"
        );
    }

    #[test]
    fn truncated_and_foreign_bytes_only_lose_the_names() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("names");
        let cert = params.self_signed(&key).expect("a certificate");
        for end in 0..cert.der().len() {
            certificate(&cert.der()[..end]);
        }
        for byte in 0..=255u8 {
            certificate(&[byte; 40]);
        }
        assert!(certificate(b"").starts_with("subject \"\", issuer \"\""));
    }
}
