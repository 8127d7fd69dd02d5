//! What a file holds: bytes, or a pattern that no memory holds.

use std::sync::Arc;

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Body {
    Bytes(Arc<Vec<u8>>),
    /// So many bytes of [`pattern`].
    Pattern(u64),
}

impl Body {
    pub fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Pattern(length) => *length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from here on, at most 64 KiB of them.
    pub fn piece(&self, from: u64, to: u64) -> Vec<u8> {
        let to = to.min(self.len()).min(from + 65536);
        match self {
            Body::Bytes(bytes) => bytes[from as usize..to as usize].to_vec(),
            Body::Pattern(_) => pattern(from, to),
        }
    }
}

/// Bytes that tell where they are from: eight at a time, for tests are not optimised.
pub fn pattern(from: u64, to: u64) -> Vec<u8> {
    let (first, end) = (from / 8, to.div_ceil(8));
    let mut bytes: Vec<u8> = Vec::with_capacity(((end - first) * 8) as usize);
    for word in first..end {
        bytes.extend_from_slice(&word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    }
    bytes.truncate((to - first * 8) as usize);
    bytes.drain(..(from - first * 8) as usize);
    bytes
}

/// The SHA-256 of so many bytes of [`pattern`].
pub fn pattern_sha256(length: u64) -> [u8; 32] {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    let mut at = 0;
    while at < length {
        let piece = pattern(at, length.min(at + 65536));
        at += piece.len() as u64;
        hash.update(&piece);
    }
    hash.finish().as_ref().try_into().expect("32 bytes")
}
