//! Names a certificate for a log line: subject, issuer, fingerprint. For reading only; nothing
//! is decided by it.

use sha2::{Digest, Sha256};

/// `subject "acs.example", issuer "Example Root", SHA-256 0a1b2c3d4e5f6071`.
pub(super) fn certificate(der: &[u8]) -> String {
    let (issuer, subject) = names(der).unwrap_or_default();
    let mut print = String::new();
    for byte in Sha256::digest(der).iter().take(8) {
        print.push_str(&format!("{byte:02x}"));
    }
    format!("subject \"{subject}\", issuer \"{issuer}\", SHA-256 {print}…")
}

/// Issuer and subject of an X.509 certificate (RFC 5280 section 4.1).
fn names(der: &[u8]) -> Option<(String, String)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
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
