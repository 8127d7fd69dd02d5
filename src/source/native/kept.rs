//! What was made of a file, good while the file says the same: a file is read once a
//! request, and understood once for each of its states.

use crate::source::text_of;

/// A longer text is not kept from one request to the next, bytes, nor what was made of it:
/// an idle agent is to be small.
const MAX_KEPT: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub struct Kept<T> {
    /// `None`: it was never read, or is too long.
    text: Option<Box<[u8]>>,
    made: T,
    version: u32,
    checked: bool,
}

impl<T: Default> Kept<T> {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.checked = false;
        if self.text.is_none() {
            self.made = T::default();
        }
    }

    /// What was made of the text that `read` gives, once a request, and a number that
    /// stands while that does.
    pub fn get(
        &mut self,
        read: impl FnOnce() -> Vec<u8>,
        make: impl FnOnce(String) -> T,
    ) -> (&T, u32) {
        self.look(read, make);
        (&self.made, self.version)
    }

    /// What was made of it last, in a request that has asked for it.
    pub fn now(&self) -> &T {
        &self.made
    }

    fn look(&mut self, read: impl FnOnce() -> Vec<u8>, make: impl FnOnce(String) -> T) {
        if self.checked {
            return;
        }
        self.checked = true;
        let text = read();
        if self.text.as_deref() == Some(&*text) {
            return;
        }
        self.version = self.version.wrapping_add(1);
        self.text = (text.len() <= MAX_KEPT).then(|| text.as_slice().into());
        self.made = make(text_of(text));
    }
}

/// The same of what takes a listing or some calls to find: good while it is found again.
#[derive(Debug, Default)]
pub struct Found<T> {
    pub now: Option<T>,
    version: u32,
    checked: bool,
}

impl<T: PartialEq> Found<T> {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.checked = false;
    }

    /// Whether it was looked for in this request.
    pub fn is_checked(&self) -> bool {
        self.checked && self.now.is_some()
    }

    /// Takes what was found; tells whether it is something else than before.
    pub fn take(&mut self, found: T) -> bool {
        self.checked = true;
        let is_new = self.now.as_ref() != Some(&found);
        if is_new {
            self.version = self.version.wrapping_add(1);
            self.now = Some(found);
        }
        is_new
    }

    /// A number that stands while what is found does.
    pub fn version(&self) -> u32 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_understood_once_and_a_long_one_is_not_kept() {
        let mut kept = Kept::<usize>::default();
        let mut made = 0;
        let mut look = |kept: &mut Kept<usize>, text: &str| {
            kept.begin();
            let mut make = |text: String| {
                made += 1;
                text.len()
            };
            let (length, version) = kept.get(|| text.into(), &mut make);
            let first = (*length, version);
            // Once a request.
            let (length, version) = kept.get(|| "x".into(), &mut make);
            assert_eq!((*length, version), first);
            (first.0, version, made)
        };
        assert_eq!(look(&mut kept, ""), (0, 1, 1));
        assert_eq!(look(&mut kept, ""), (0, 1, 1));
        assert_eq!(look(&mut kept, "ab"), (2, 2, 2));
        assert_eq!(look(&mut kept, "cd"), (2, 3, 3));
        let long = "x".repeat(MAX_KEPT + 1);
        assert_eq!(look(&mut kept, &long), (long.len(), 4, 4));
        kept.begin();
        assert_eq!(kept.made, 0, "given back");
        assert_eq!(look(&mut kept, &long), (long.len(), 5, 5));
    }
}
