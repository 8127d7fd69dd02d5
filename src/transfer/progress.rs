//! How far a transfer is, and the word to end it: what the thread that carries a file shares
//! with those that watch it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::http::Aborter;

/// Bytes carried so far. Counts to 4 GiB and stays there.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU32,
    total: AtomicU32,
}

impl Progress {
    /// Bytes carried, those of an earlier part that was taken up again included.
    pub fn done(&self) -> u32 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes there are in all; 0: nobody has said.
    pub fn total(&self) -> u32 {
        self.total.load(Ordering::Relaxed)
    }

    /// So many there are in all.
    pub fn set_total(&self, total: u32) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// So many more were carried.
    pub fn add(&self, bytes: u32) {
        let add = |done: u32| Some(done.saturating_add(bytes));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.done.fetch_update(set, fetch, add);
    }

    /// Back to the beginning: nothing carried, nothing known.
    pub fn reset(&self) {
        self.done.store(0, Ordering::Relaxed);
        self.set_total(0);
    }
}

/// Ends a transfer from another thread.
#[derive(Default)]
pub struct Stop {
    stopped: AtomicBool,
    /// What ends the request that runs.
    running: Mutex<Option<Aborter>>,
    woken: Condvar,
}

impl Stop {
    /// The transfer ends within a fraction of a second, with a fault. What comes later with
    /// this `Stop` ends at once.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(aborter) = &*running {
            aborter.abort();
        }
        self.woken.notify_all();
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// What is to be ended with the transfer from now on; it is at once when the word has
    /// been spoken before.
    pub(crate) fn watch(&self, aborter: Option<Aborter>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(aborter) = &aborter
            && self.is_stopped()
        {
            aborter.abort();
        }
        *running = aborter;
    }

    /// Waits, unless told to stop. True: the time is over.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.is_stopped() {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            let woken = self.woken.wait_timeout(running, left);
            running = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", self.is_stopped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told_and_does_not_wrap() {
        let progress = Progress::default();
        progress.set_total(10);
        progress.add(3);
        progress.add(4);
        assert_eq!((progress.done(), progress.total()), (7, 10));
        progress.add(u32::MAX);
        assert_eq!(progress.done(), u32::MAX);
        progress.reset();
        assert_eq!((progress.done(), progress.total()), (0, 0));
    }

    #[test]
    fn a_wait_ends_when_it_is_over_or_when_the_word_is_spoken() {
        let stop = Stop::default();
        assert!(stop.wait(Duration::from_millis(1)));
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stop.wait(Duration::from_secs(60)));
            stop.stop();
            assert!(!waiting.join().expect("no panic"));
        });
        assert!(stop.is_stopped() && !stop.wait(Duration::ZERO));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
