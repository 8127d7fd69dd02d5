//! What an ACS sees when an area gets its power back: every box of it boots within seconds.
//!
//! Virtual time and a fixed seed: the same numbers each time. Our boxes run the agent's own
//! retry policy ([`Retry`]); the others one that contacts the ACS as soon as it has booted
//! and then waits as easycwmp's table says, the same for every box.

use cwmp_agent::agent::config::Limits;
use cwmp_agent::agent::retry::Retry;
use cwmp_agent::cwmp::schedule::RetryPolicy;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// How many boxes there are.
pub const BOXES: u32 = 10_000;
/// A box needs this long to boot, and up to this much longer.
const BOOT: Duration = Duration::from_secs(45);
const BOOT_SPREAD: Duration = Duration::from_secs(10);
/// Sessions that the ACS begins in a second; it refuses more.
pub const CAPACITY: u32 = 100;
/// easycwmp's waits before the next attempt, seconds; the last one stays.
const EASYCWMP: [u64; 10] = [7, 15, 30, 60, 120, 240, 480, 960, 1920, 3840];

/// How boxes behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This agent, with its defaults.
    Ours,
    /// The fixed table.
    FixedTable,
}

/// What the ACS saw.
pub struct Load {
    /// Informs in each second since the power came back.
    pub informs: Vec<u32>,
    /// The second in which the last box was served.
    pub all_served: usize,
}

impl Load {
    /// The most Informs in one second.
    pub fn peak(&self) -> u32 {
        self.informs.iter().copied().max().unwrap_or(0)
    }

    /// Informs that were refused.
    pub fn refused(&self) -> u32 {
        let excess = self.informs.iter().map(|n| n.saturating_sub(CAPACITY));
        excess.sum()
    }
}

/// Random numbers that are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

/// One box.
enum Waiting {
    Ours(Retry),
    FixedTable { failures: usize },
}

impl Waiting {
    fn booted(kind: Kind, now: Duration, dice: &mut Dice) -> (Waiting, Duration) {
        match kind {
            Kind::Ours => {
                let spread = Limits::default().first_contact_spread;
                let retry = Retry::booted(now, spread, dice.roll());
                let at = now + retry.left(now).unwrap_or_default();
                (Waiting::Ours(retry), at)
            }
            Kind::FixedTable => (Waiting::FixedTable { failures: 0 }, now),
        }
    }

    /// The attempt has failed; when is the next?
    fn failed(&mut self, now: Duration, dice: &mut Dice) -> Duration {
        let wait = match self {
            Waiting::Ours(retry) => {
                retry.begins();
                retry.failed(now, RetryPolicy::default(), dice.roll())
            }
            Waiting::FixedTable { failures } => {
                let wait = EASYCWMP[(*failures).min(EASYCWMP.len() - 1)];
                *failures += 1;
                Duration::from_secs(wait)
            }
        };
        now + wait
    }
}

/// All boxes get their power back at once; the way to the ACS is there again after
/// `network`. Attempts before that are not seen by the ACS.
pub fn simulate(kind: Kind, network: Duration) -> Load {
    let mut dice = Dice(20_260_701);
    let mut boxes = Vec::new();
    let mut attempts = BinaryHeap::new();
    for number in 0..BOXES as usize {
        let more = (u64::from(dice.roll()) * BOOT_SPREAD.as_millis() as u64) >> 32;
        let booted = BOOT + Duration::from_millis(more);
        let (waiting, at) = Waiting::booted(kind, booted, &mut dice);
        boxes.push(waiting);
        attempts.push(Reverse((at, number)));
    }
    let mut load = Load {
        informs: Vec::new(),
        all_served: 0,
    };
    while let Some(Reverse((now, number))) = attempts.pop() {
        let second = now.as_secs() as usize;
        let reached = now >= network;
        let mut served = false;
        if reached {
            load.informs.resize(load.informs.len().max(second + 1), 0);
            load.informs[second] += 1;
            served = load.informs[second] <= CAPACITY;
        }
        if served {
            load.all_served = second;
        } else {
            let next = boxes[number].failed(now, &mut dice);
            attempts.push(Reverse((next, number)));
        }
    }
    load
}
