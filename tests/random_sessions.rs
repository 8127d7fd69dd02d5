//! Random sessions against the whole agent: what `tests/fuzz/play` draws and checks, from
//! random bytes. A failure prints the bytes; as a file in `tests/fuzz/corpus/sessions_…`
//! they stay.

use proptest::prelude::*;

#[path = "fuzz/play/mod.rs"]
mod play;

fn cases(default: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: given.map_or(default, |n: u32| n.min(20 * default)),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Shown so that `echo … | xxd -r -p` makes a seed of it.
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes)
}

proptest! {
    #![proptest_config(cases(150))]
    #[test]
    fn random_sessions_break_no_promise(data in bytes(600)) {
        play::in_memory(&data.0, &mut |_| {});
    }
}

proptest! {
    #![proptest_config(cases(20))]
    #[test]
    fn random_sessions_on_the_sample_router_break_no_promise(
        data in bytes(400),
    ) {
        play::on_files(&data.0, &mut |_| {});
    }
}
