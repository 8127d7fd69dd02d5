//! How much work reading and editing took, for tests that hold it to be linear: bytes
//! read and pieces walked over. Nothing is counted outside the tests of this crate.

#[cfg(test)]
use std::cell::Cell;

#[cfg(test)]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// So many bytes were read or pieces passed.
#[cfg(test)]
pub(super) fn add(steps: usize) {
    STEPS.with(|all| all.set(all.get() + steps as u64));
}

/// So many bytes were read or pieces passed.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn add(_steps: usize) {}

/// What `work` took on this thread.
#[cfg(test)]
pub(super) fn of(work: impl FnOnce()) -> u64 {
    let before = STEPS.with(Cell::get);
    work();
    STEPS.with(Cell::get) - before
}
