//! SHA-256 (FIPS 180-4) of what lies on the disk: by ring where the program has it for TLS
//! anyway, which is the faster one, else by the crate that the data model hashes with.

/// The length of a hash, bytes.
const LENGTH: usize = 32;

#[cfg(feature = "tls")]
type Inner = ring::digest::Context;
#[cfg(not(feature = "tls"))]
type Inner = sha2::Sha256;

/// A hash under way; a clone goes on from there.
#[derive(Clone)]
pub struct Sha256(Inner);

impl Default for Sha256 {
    fn default() -> Sha256 {
        #[cfg(feature = "tls")]
        let inner = Inner::new(&ring::digest::SHA256);
        #[cfg(not(feature = "tls"))]
        let inner = Inner::default();
        Sha256(inner)
    }
}

impl Sha256 {
    /// These bytes follow.
    pub fn update(&mut self, bytes: &[u8]) {
        #[cfg(not(feature = "tls"))]
        use sha2::Digest;
        self.0.update(bytes);
    }

    /// The hash of all that has come.
    pub fn finish(self) -> [u8; LENGTH] {
        #[cfg(feature = "tls")]
        {
            let mut hash = [0; LENGTH];
            // ring's is as long.
            for (to, from) in hash.iter_mut().zip(self.0.finish().as_ref()) {
                *to = *from;
            }
            hash
        }
        #[cfg(not(feature = "tls"))]
        {
            use sha2::Digest;
            self.0.finalize().into()
        }
    }

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> [u8; LENGTH] {
        let mut hash = Sha256::default();
        hash.update(bytes);
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_the_standards_examples() {
        let hex = |hash: [u8; LENGTH]| crate::store::state::hex(&hash);
        assert_eq!(
            hex(Sha256::of(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut begun = Sha256::default();
        begun.update(b"abcdbcdecdefdefgefghfghi");
        let mut other = begun.clone();
        begun.update(b"ghijhijkijkljklmklmnlmnomnopnopq");
        assert_eq!(
            hex(begun.finish()),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        other.update(b"");
        assert_eq!(other.finish(), Sha256::of(b"abcdbcdecdefdefgefghfghi"));
    }
}
