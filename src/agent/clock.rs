//! The two clocks and chance, in one place: the rest of the agent is handed times.

use crate::store::clock as wall_clock;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, UNIX_EPOCH};

/// When this program was built (`SOURCE_DATE_EPOCH`, else the build machine's clock):
/// certificates are held against it while the router's clock is below it.
pub const FLOOR: i64 = decimal(env!("CWMP_BUILD_TIME").as_bytes());

/// 2020-01-01: a wall clock below it was never set (routers boot in 1970).
const NEVER_SET: i64 = 1_577_836_800;

const fn decimal(digits: &[u8]) -> i64 {
    let mut value: i64 = 0;
    let mut rest = digits;
    while let [digit, tail @ ..] = rest {
        if !digit.is_ascii_digit() || value > i64::MAX / 16 {
            return 0;
        }
        value = value * 10 + (*digit - b'0') as i64;
        rest = tail;
    }
    value
}

/// The wall clock, milliseconds since 1970 (UTC).
pub fn unix_millis() -> i64 {
    match wall_clock::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// The wall clock, seconds since 1970 (UTC).
pub fn unix_seconds() -> i64 {
    unix_millis().div_euclid(1000)
}

/// Time since the kernel was started, in which the box slept included (CLOCK_BOOTTIME);
/// an `Instant` stands still while it sleeps.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    // Linux has had it since 2.6.39; without it the box never sleeps.
    now.map_or(Duration::ZERO, Duration::from)
}

/// Whether the wall clock was ever set.
pub fn is_set() -> bool {
    was_set(unix_seconds())
}

/// Whether a wall clock that shows `now` was ever set.
pub fn was_set(now: i64) -> bool {
    now >= NEVER_SET
}

/// Random bytes from the kernel.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    if let Err(e) = getrandom::fill(&mut bytes) {
        // Only in a kernel without the system call or with seccomp against it. The clock
        // is better than zeros for spreading retries; secrets drawn this way are logged
        // as what they are.
        log::error!("the kernel gives no random numbers ({e}); the clock serves instead");
        let nanos = wall_clock::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos());
        for (byte, tick) in bytes.iter_mut().zip(nanos.to_le_bytes().iter().cycle()) {
            *byte = *tick;
        }
    }
    bytes
}

/// A random number, all values equally likely.
pub fn random_u32() -> u32 {
    u32::from_ne_bytes(random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_reads_a_build_time_and_nothing_else() {
        assert_eq!(decimal(b"1800000000"), 1_800_000_000);
        assert_eq!(decimal(b"18e9"), 0);
        assert_eq!(decimal(b""), 0);
        assert_eq!(decimal(b"99999999999999999999999999"), 0);
    }
}
