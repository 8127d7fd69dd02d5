//! When a session is due: retries, periodic Informs, scheduled Informs.

use cwmp_agent::cwmp::schedule::{DelayedInforms, Full, Phase, RetryPolicy, next_periodic};
use std::time::Duration;

fn seconds(policy: RetryPolicy, n: u32) -> (u64, u64) {
    let (low, high) = policy.interval(n);
    (low.as_secs(), high.as_secs())
}

// T-RTY-001, T-RTY-002, T-RTY-005
#[test]
fn the_default_intervals_are_those_of_the_table() {
    let policy = RetryPolicy::default();
    let table = [
        (5, 10),
        (10, 20),
        (20, 40),
        (40, 80),
        (80, 160),
        (160, 320),
        (320, 640),
        (640, 1280),
        (1280, 2560),
        (2560, 5120),
    ];
    for (n, wanted) in (1..).zip(table) {
        assert_eq!(seconds(policy, n), wanted);
    }
    for n in [11, 12, 1490, u32::MAX] {
        assert_eq!(seconds(policy, n), (2560, 5120));
    }
    assert_eq!(seconds(policy, 0), (5, 10));
}

// T-RTY-003
#[test]
fn minimum_and_multiplier_shape_the_intervals() {
    let policy = RetryPolicy {
        minimum_wait: 10,
        multiplier: 3000,
    };
    assert_eq!(
        [1, 2, 3].map(|n| seconds(policy, n)),
        [(10, 30), (30, 90), (90, 270)]
    );
    let policy = RetryPolicy {
        minimum_wait: 7,
        multiplier: 1500,
    };
    assert_eq!(
        policy.interval(2),
        (Duration::from_millis(10_500), Duration::from_millis(15_750))
    );
}

// T-RTY-004
#[test]
fn a_multiplier_of_one_always_waits_the_minimum() {
    let policy = RetryPolicy {
        minimum_wait: 42,
        multiplier: 1000,
    };
    for n in 1..20 {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            assert_eq!(policy.wait(n, random), Duration::from_secs(42));
        }
    }
}

// T-RTY-002
#[test]
fn waits_lie_in_their_interval_and_follow_chance() {
    let policy = RetryPolicy::default();
    for n in 1..=12 {
        let (low, high) = policy.interval(n);
        assert_eq!(policy.wait(n, 0), low);
        assert_eq!(policy.wait(n, u32::MAX), high);
        let mut before = low;
        for i in 0..=100 {
            let wait = policy.wait(n, u32::MAX / 100 * i);
            assert!((before..=high).contains(&wait));
            before = wait;
        }
        let half = policy.wait(n, u32::MAX / 2).as_millis() as i64;
        let middle = (low + high).as_millis() as i64 / 2;
        assert!((half - middle).abs() < 20, "{half} {middle}");
    }
}

// T-EVT-007, T-EVT-008
#[test]
fn periodic_informs_lie_at_whole_intervals_around_the_reference() {
    // 2001-01-01T00:00:10Z, one a minute: at :10 of each minute.
    let at = Phase::At(978_307_210);
    let mut now = 1_700_000_000;
    for _ in 0..10 {
        let next = next_periodic(now, 60, at);
        assert!(next > now && next <= now + 60);
        assert_eq!(next % 60, 10);
        now = next;
    }
}

// T-EVT-009, field note: references of 1970 and of 2099 are both common.
#[test]
fn a_reference_in_past_or_future_is_only_a_phase() {
    for at in [0, -86_400 * 365, 4_070_908_800, 1_700_000_000] {
        for interval in [1, 30, 3600, 86_400, u32::MAX] {
            let now = 1_700_000_000;
            let next = next_periodic(now, interval, Phase::At(at));
            assert!(next > now && next <= now + i64::from(interval));
            assert_eq!((next - at) % i64::from(interval), 0);
        }
    }
}

// T-EVT-011
#[test]
fn a_shorter_interval_takes_effect_at_once() {
    let now = 1_700_000_123;
    assert!(next_periodic(now, 10, Phase::Chosen(99)) <= now + 10);
}

// EVT-010
#[test]
fn without_a_reference_chance_spreads_the_phase() {
    let phases: std::collections::BTreeSet<i64> = (0..1000)
        .map(|r| next_periodic(1_000_000, 100, Phase::Chosen(r * 7919)))
        .collect();
    assert_eq!(phases.len(), 100);
    // The phase once chosen is kept.
    let first = next_periodic(50, 100, Phase::Chosen(12345));
    assert_eq!(next_periodic(first, 100, Phase::Chosen(12345)), first + 100);
    assert_eq!(next_periodic(5, 0, Phase::Chosen(3)), 6);
}

// T-EVT-015, T-EVT-016, T-EVT-017
#[test]
fn scheduled_informs_are_due_in_order_and_survive_being_stored() {
    let mut delayed = DelayedInforms::default();
    assert_eq!(delayed.next_due(), None);
    delayed.add(100, 60, "late").expect("room");
    delayed.add(100, 10, "a").expect("room");
    delayed.add(105, 5, "b").expect("room");
    assert_eq!((delayed.next_due(), delayed.len()), (Some(110), 3));
    let text = serde_json::to_string(&delayed).expect("plain data");
    let mut delayed: DelayedInforms = serde_json::from_str(&text).expect("the same data");
    assert!(delayed.take_due(109).is_empty());
    assert_eq!(delayed.take_due(110), ["a", "b"]);
    // The clock is set back by 50 s: the wait stays what it was.
    delayed.shift(-50);
    assert_eq!(delayed.next_due(), Some(110));
    assert_eq!(delayed.take_due(i64::MAX), ["late"]);
    assert!(delayed.is_empty());
}

#[test]
fn pending_scheduled_informs_are_bounded() {
    let mut delayed = DelayedInforms::default();
    for i in 0..DelayedInforms::MAX {
        delayed
            .add(i64::MAX - 1, u32::MAX, &i.to_string())
            .expect("room");
    }
    assert_eq!(delayed.add(0, 1, "one more"), Err(Full));
    assert_eq!(delayed.take_due(i64::MAX).len(), DelayedInforms::MAX);
    delayed.add(0, 1, "x").expect("room");
    delayed.clear();
    assert!(delayed.is_empty());
}
