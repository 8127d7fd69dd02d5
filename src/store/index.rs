//! Texts and their places, in the order in which they came: for the paths that are met in
//! one request. They lie in one buffer, so that looking one up, keeping it and forgetting
//! all of them takes no allocation of its own.

use std::hash::{BuildHasher, RandomState};

/// Texts whose room is kept when they are forgotten.
const MAX_KEPT: usize = 256;
/// The same where nothing is asked for a while: as few as are met when only what is watched is
/// read.
const MAX_AT_REST: usize = 32;
/// Bytes of so few texts.
const USUAL_TEXT: usize = 512;

/// See the module.
#[derive(Debug)]
pub struct Index {
    text: Vec<u8>,
    /// Where each text ends.
    ends: Vec<usize>,
    /// By hash, or the next that is free: one more than a text's place; 0: free. A power of
    /// two, and twice as many as there are texts.
    slots: Vec<u32>,
    /// What was asked for last: neighbours are asked for together.
    last: usize,
    /// Of this process alone: nobody makes texts that are all in one place.
    seed: u64,
}

impl Default for Index {
    fn default() -> Index {
        Index {
            text: Vec::new(),
            ends: Vec::new(),
            slots: Vec::new(),
            last: 0,
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl Index {
    /// The place of a text.
    pub fn get(&mut self, text: &str) -> Option<usize> {
        if self.at(self.last) == Some(text.as_bytes()) {
            return Some(self.last);
        }
        let mut slot = self.slot_of(text.as_bytes());
        loop {
            // A free slot comes: there are more than texts.
            let place = (*self.slots.get(slot)? as usize).checked_sub(1)?;
            if self.at(place) == Some(text.as_bytes()) {
                self.last = place;
                return Some(place);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    /// Keeps a text that is not there yet, and returns its place: the number of those before.
    pub fn insert(&mut self, text: &str) -> usize {
        let place = self.ends.len();
        if place == 0 {
            self.text.reserve(USUAL_TEXT);
            self.ends.reserve(MAX_AT_REST);
        }
        self.text.extend_from_slice(text.as_bytes());
        self.ends.push(self.text.len());
        if self.slots.len() < 2 * self.ends.len() {
            self.slots = vec![0; (4 * self.ends.len()).next_power_of_two().max(64)];
            for known in 0..place {
                let hash = self.at(known).map_or(0, |text| self.slot_of(text));
                self.put(hash, known);
            }
        }
        self.put(self.slot_of(text.as_bytes()), place);
        self.last = place;
        place
    }

    /// Forgets all texts.
    pub fn clear(&mut self) {
        self.clear_beyond(MAX_KEPT);
    }

    /// The same, and gives the room back that more than a few took.
    pub fn release(&mut self) {
        self.clear_beyond(MAX_AT_REST);
    }

    fn clear_beyond(&mut self, most: usize) {
        // There are at least twice as many slots as texts ever were.
        if self.slots.len() > (4 * most).max(64) {
            self.text = Vec::new();
            self.ends = Vec::new();
            self.slots = Vec::new();
        }
        self.text.clear();
        self.ends.clear();
        self.slots.fill(0);
        self.last = 0;
    }

    fn at(&self, place: usize) -> Option<&[u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(place)?)
    }

    fn put(&mut self, mut slot: usize, place: usize) {
        while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
            slot = (slot + 1) % self.slots.len();
        }
        if let Some(free) = self.slots.get_mut(slot) {
            // Each text has a byte, and no request meets that many.
            *free = place as u32 + 1;
        }
    }

    /// Where a text belongs; nowhere as long as there are no slots.
    fn slot_of(&self, text: &[u8]) -> usize {
        /// Odd, and half of its bits are ones.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| {
            let product = (hash ^ word).wrapping_mul(MIX);
            product ^ product >> 32
        };
        let (words, rest) = text.as_chunks::<8>();
        let whole = words.iter().map(|word| u64::from_le_bytes(*word));
        let hash = whole.fold(self.seed, mix);
        // Of a longer text with some bytes before it once more.
        let rest = match text.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().fold(0, |word, b| word << 8 | u64::from(*b)),
        };
        // The remainder is smaller than the number of slots.
        (mix(hash, rest ^ text.len() as u64) & (self.slots.len() as u64).wrapping_sub(1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn every_text_is_found_at_its_place_and_no_other_is() {
        let mut index = Index::default();
        let text = |n: usize| format!("/proc/{n}/{}", "x".repeat(n % 20));
        for round in 0..3 {
            let count = [1000, 100, 10][round];
            for n in 0..count {
                assert_eq!(index.get(&text(n)), None, "{n}");
                assert_eq!(index.insert(&text(n)), n);
                assert_eq!(index.get(&text(n)), Some(n));
            }
            for n in 0..count {
                assert_eq!(index.get(&text(n)), Some(n), "{n}");
            }
            assert_eq!(index.get(&text(count)), None);
            assert_eq!(index.get("/proc/"), None);
            assert_eq!(index.get(""), None);
            index.clear();
            assert_eq!(index.get(&text(0)), None);
        }
        index.insert("");
        assert_eq!(index.get(""), Some(0));
        index.release();
        assert_eq!(index.get(""), None);
    }
}
