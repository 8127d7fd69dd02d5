//! Tells contents of files apart: 128 bits that stand for a text, at a few instructions for
//! each eight bytes. Not for texts that somebody makes so that they look alike: who can write
//! the router's files needs no such thing.

/// Odd, and half of their bits are ones.
const MIX: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// What a print begins with in its text form: no SHA-256 does.
pub const MARK: char = 'p';

/// The print of a text, as text: [`MARK`] and 32 hexadecimal digits.
pub fn print(text: &[u8]) -> String {
    let length = text.len() as u64;
    let (words, rest) = text.as_chunks::<8>();
    let whole = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest
        .iter()
        .rev()
        .fold(0, |word, b| word << 8 | u64::from(*b));
    let mut sums = [length, !length];
    for word in whole.chain([rest]) {
        for (sum, mix) in sums.iter_mut().zip(MIX) {
            // Each step can be undone: texts that differ in one word never look alike.
            let product = (*sum ^ word).wrapping_mul(mix);
            *sum = (product ^ product >> 32).rotate_left(23);
        }
    }
    let mut text = String::with_capacity(33);
    text.push(MARK);
    for sum in sums {
        for n in (0..16).rev() {
            // Four bits.
            let digit = (sum >> (4 * n) & 15) as u32;
            text.extend(char::from_digit(digit, 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_changed_bit_and_every_length_shows() {
        let mut seen = HashSet::new();
        let text: Vec<u8> = (0..40).map(|i| b'a' + i % 26).collect();
        for length in 0..=text.len() {
            assert!(seen.insert(print(&text[..length])), "{length}");
            for bit in 0..8 * length {
                let mut other = text[..length].to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(seen.insert(print(&other)), "bit {bit} of {length}");
            }
        }
        // Zeros behind it count.
        let zeros = [0; 40];
        for length in 1..=zeros.len() {
            assert!(seen.insert(print(&zeros[..length])), "{length} zeros");
        }
        assert!(seen.iter().all(|p| p.len() == 33 && p.starts_with(MARK)));
    }
}
