//! Random sessions against the whole agent: what `tests/fuzz/play` draws and checks, from
//! random bytes. A failure prints the bytes; as a file in `tests/fuzz/corpus/sessions_…`
//! they stay.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

mod shared;

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
    #![proptest_config(cases(80))]
    #[test]
    fn random_sessions_break_no_promise(data in bytes(600)) {
        play::in_memory(&data.0, &mut |_| {});
    }
}

proptest! {
    #![proptest_config(cases(10))]
    #[test]
    fn random_sessions_on_the_sample_router_break_no_promise(
        data in bytes(400),
    ) {
        play::on_files(&data.0, &mut |_| {});
    }
}

proptest! {
    #![proptest_config(cases(10))]
    #[test]
    fn random_bytes_in_a_state_file_keep_no_agent_from_starting(
        data in bytes(400),
    ) {
        play::state_files(&data.0);
    }
}

/// Messages of one kind that are validated; there are many of each.
const SAMPLE: usize = 6;

/// The seeds of a fuzz target, and some bytes besides.
fn plays(target: &str, random: u64) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut plays: Vec<Vec<u8>> = std::fs::read_dir(folder.join(target))
        .expect("the seeds")
        .map(|entry| std::fs::read(entry.expect("a seed").path()).expect("a seed"))
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..random {
        plays.push(
            std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .take(400)
            .collect(),
        );
    }
    plays
}

// T-SOP-013
#[test]
fn what_is_written_in_random_sessions_is_valid_against_the_schemas() {
    let Some(validate) = shared::find("bbf/xsd/validate.py") else {
        return;
    };
    let python = std::env::var("CWMP_PYTHON").unwrap_or_else(|_| "python3".into());
    let lxml = Command::new(&python).args(["-c", "import lxml"]).output();
    if !lxml.is_ok_and(|o| o.status.success()) {
        let required = std::env::var_os("CWMP_REQUIRE_SHARED").is_some_and(|v| v == "1");
        assert!(
            !required,
            "no python3 with lxml (CWMP_PYTHON names another)"
        );
        println!("skipped: no python3 with lxml");
        return;
    }
    let mut kinds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut seen = |body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        // SOAP's own fault is none that CWMP's rules know.
        if text.contains("<faultcode>soapenv:MustUnderstand<") {
            return;
        }
        let part = |before: &str, len: usize| -> String {
            let after = text.split(before).nth(1).unwrap_or_default();
            after.chars().take(len).collect()
        };
        let kind = format!(
            "{} {} {}",
            part("urn:dslforum-org:cwmp-", 3),
            part("<soapenv:Body><", 40)
                .split(['>', '/'])
                .next()
                .unwrap_or_default(),
            part("<FaultCode>", 4)
        );
        let sample = kinds.entry(kind).or_default();
        if sample.len() < SAMPLE && !sample.iter().any(|known| known == body) {
            sample.push(body.to_owned());
        }
    };
    for play in plays("sessions_in_memory", 30) {
        play::in_memory(&play, &mut seen);
    }
    for play in plays("sessions_on_files", 3) {
        play::on_files(&play, &mut seen);
    }
    assert!(kinds.len() > 30, "{:?}", kinds.keys());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random_sessions");
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    let mut command = Command::new(&python);
    command
        .arg(validate)
        .args(["-q", "--lenient", "--from", "cpe"]);
    for (kind, samples) in &kinds {
        for (n, body) in samples.iter().enumerate() {
            let name = kind.replace([' ', ':'], "_");
            let file = folder.join(format!("{name}-{n}.xml"));
            std::fs::write(&file, body).expect("the target directory can be written to");
            command.arg(file);
        }
    }
    let output = command.output().expect("python was there a moment ago");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
