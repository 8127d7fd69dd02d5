//! The wall clock with 64 bits on every processor.
//!
//! Where the standard library has been built for 32-bit musl, its own `SystemTime::now` asks with 32
//! bits and panics from 2038-01-19 on. The libc crate that this program is built with can be told to
//! ask with 64 (cross/README.md); where it was not, the clock stands still at the end of 32 bits.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that 32 bits tell.
const END_OF_32_BITS: Duration = Duration::from_secs(i32::MAX as u64);

/// Now, by CLOCK_REALTIME.
pub fn now() -> SystemTime {
    // It fails for no other reason than that the time does not fit.
    let now = clock_gettime(ClockId::CLOCK_REALTIME);
    let since = now.map_or(END_OF_32_BITS, |at| {
        let seconds = u64::try_from(at.tv_sec()).unwrap_or(0);
        Duration::new(seconds, u32::try_from(at.tv_nsec()).unwrap_or(0))
    });
    UNIX_EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_clock_of_the_standard_library() {
        let before = SystemTime::now();
        let now = now();
        assert!(before <= now && now <= SystemTime::now());
    }
}
