//! Signatures and keys in the form of usign and signify: a comment line, then base64 of
//! `Ed`, eight bytes that name the key, and the key (32 bytes) or the signature (64 bytes)
//! of Ed25519 (RFC 8032) over the plain message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Largest signature or key read, bytes: the comment may be long, the rest is not.
pub(super) const MAX_TEXT: u64 = 4096;
/// The kind both have.
const KIND: &[u8] = b"Ed";

/// A key's name: what a signature says that it was made with.
pub(super) type KeyId = [u8; 8];

/// What is named and then follows: 64 bytes in a signature, 32 in a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<const N: usize> {
    /// Which key.
    pub id: KeyId,
    bytes: [u8; N],
}

/// A signature.
pub(super) type Signature = Named<64>;
/// A public key.
pub(super) type PublicKey = Named<32>;

impl<const N: usize> Named<N> {
    /// Reads the text of a file. `None`: not of this form.
    pub(super) fn parse(text: &str) -> Option<Named<N>> {
        let mut lines = text.lines();
        if !lines.next()?.starts_with("untrusted comment:") {
            return None;
        }
        let bytes = STANDARD.decode(lines.next()?.trim()).ok()?;
        if lines.any(|line| !line.trim().is_empty()) {
            return None;
        }
        let rest = bytes.strip_prefix(KIND)?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        Some(Named {
            id: *id,
            bytes: rest.try_into().ok()?,
        })
    }
}

impl PublicKey {
    /// Whether this key made the signature over this message.
    pub(super) fn made(&self, signature: &Signature, message: &[u8]) -> bool {
        self.id == signature.id && ed25519(&self.bytes, &signature.bytes, message)
    }
}

/// Whether this program can check signatures: ring does it, which comes with TLS.
pub(super) const PRESENT: bool = cfg!(feature = "tls");

#[cfg(feature = "tls")]
fn ed25519(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> bool {
    use ring::signature::{ED25519, UnparsedPublicKey};
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(message, signature).is_ok()
}

/// What cannot be checked does not hold.
#[cfg(not(feature = "tls"))]
fn ed25519(_: &[u8; 32], _: &[u8; 64], _: &[u8]) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::super::sums::hex;
    use super::*;
    use proptest::prelude::*;

    fn text(kind: &[u8], id: &[u8], rest: &[u8]) -> String {
        let bytes = [kind, id, rest].concat();
        format!("untrusted comment: test\n{}\n", STANDARD.encode(bytes))
    }

    #[test]
    #[cfg(feature = "tls")]
    fn the_second_example_of_rfc_8032_in_this_form() {
        use super::super::sums::unhex;
        let key: [u8; 32] =
            unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
                .expect("a key");
        let signature: [u8; 64] = unhex(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ))
        .expect("a signature");
        let read = Signature::parse(&text(b"Ed", &[7; 8], &signature)).expect("read");
        let named = PublicKey::parse(&text(b"Ed", &[7; 8], &key)).expect("read");
        assert!(named.made(&read, &[0x72]));
        assert!(!named.made(&read, &[0x73]));
        assert!(!named.made(&read, &[]));
        let other = PublicKey::parse(&text(b"Ed", &[8; 8], &key)).expect("read");
        assert!(!other.made(&read, &[0x72]), "another name");
    }

    #[test]
    fn a_key_of_a_public_feed_has_the_name_of_its_file() {
        let key = PublicKey::parse(
            "untrusted comment: Public usign key for unattended snapshot builds\n\
             RWS1BD5w+adc3j2Hqg9+b66CvLR7NlHbsj7wjNVj0XGt/othDgIAOJS+\n",
        )
        .expect("a key");
        assert_eq!(hex(&key.id), "b5043e70f9a75cde");
    }

    #[test]
    fn what_is_of_another_form_is_none() {
        let good = text(b"Ed", &[7; 8], &[1; 64]);
        assert!(Signature::parse(&good).is_some());
        assert!(Signature::parse(&good.replace('\n', "\r\n")).is_some());
        for bad in [
            text(b"EC", &[7; 8], &[1; 64]),
            text(b"Ed", &[7; 8], &[1; 63]),
            text(b"Ed", &[7; 8], &[1; 65]),
            text(b"Ed", &[7; 8], &[1; 32]),
            text(b"Ed", &[7; 3], &[]),
            text(b"", &[], &[]),
            good.replace("untrusted comment:", "comment:"),
            format!("{good}{good}"),
            good.replace("untrusted comment: test\n", ""),
            good.trim_end().trim_end_matches('=').to_owned() + "!",
            String::new(),
        ] {
            assert_eq!(Signature::parse(&bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(comment in "\\PC{0,40}", data in "\\PC{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..90)) {
            let _ = Signature::parse(&comment);
            let _ = PublicKey::parse(&format!("untrusted comment:{comment}\n{data}"));
            let form = format!("untrusted comment:{}\n{}", comment.replace(['\n', '\r'], ""), STANDARD.encode(&bytes));
            let right = bytes.len() == 74 && bytes.starts_with(KIND);
            prop_assert_eq!(Signature::parse(&form).is_some(), right);
        }
    }
}
