//! Decisions drawn from a byte string, so that a fuzzer or a property test steers them.

/// The bytes not yet used. Once all are, every decision is the first one.
pub struct Chance<'d> {
    left: &'d [u8],
}

impl<'d> Chance<'d> {
    pub fn new(data: &'d [u8]) -> Chance<'d> {
        Chance { left: data }
    }

    pub fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.left.split_first() {
            Some((first, rest)) => {
                self.left = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        let number = match n {
            0..=256 => usize::from(self.byte()),
            _ => usize::from(self.byte()) << 8 | usize::from(self.byte()),
        };
        number % n
    }

    /// Now and then; never once the bytes are used up.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A short text of any characters XML allows.
    pub fn text(&mut self) -> String {
        let len = self.below(12);
        let mut text = String::new();
        for _ in 0..len {
            text.push(match self.byte() {
                c @ (b'\t' | b'\n' | b'\r' | b' '..=b'~') => char::from(c),
                c @ 0x80..=0x9f => char::from_u32(0x1_f600 + u32::from(c)).unwrap_or('x'),
                c => char::from(c.max(b' ')),
            });
        }
        text
    }
}
