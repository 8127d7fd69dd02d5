//! Whatever is in a state file is no reason not to start, and what the agent makes of it is
//! something that it reads again.

use super::cpe::Cpe;
use super::disk::MemoryDisk;
use super::files::{FilesCpe, start_again, start_with};
use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::store::state::StateDir;
use cwmp_agent::transfer::queue::{MAX, Queue};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// Each file that the agent reads from its state folder when it starts.
const NAMES: [&str; 14] = [
    "owed",
    "transfers",
    "acs",
    "discovery",
    "told",
    "first_use",
    "clock",
    "boot_id",
    "identity",
    "parameter_key.json",
    "attributes.json",
    "instances.json",
    "journal",
    "settings.good",
];
const NOW: i64 = 1_800_000_000;

thread_local! {
    static CPE: RefCell<Option<FilesCpe>> = const { RefCell::new(None) };
}

/// `a` is the first of the names above, sealed as the agent does it, `A` the same, raw; the
/// rest is the content.
pub fn state_files(data: &[u8]) {
    let Some((&which, body)) = data.split_first() else {
        return;
    };
    let name = NAMES[usize::from(which.to_ascii_lowercase().wrapping_sub(b'a')) % NAMES.len()];
    if name == "transfers" {
        // The queue by itself first: a thousand times as fast.
        let state = StateDir::at(Arc::new(MemoryDisk::default()), Path::new("/state"));
        state.save_bytes(name, body).expect("a file");
        transfers(&state);
        if body.len() % 8 != 0 {
            return;
        }
    }
    CPE.with_borrow_mut(|cpe| {
        let cpe = cpe.get_or_insert_with(FilesCpe::new);
        let (state, _) = start_with(cpe, name, body, which.is_ascii_uppercase());
        transfers(&state);
        // What is there now is the agent's own work.
        let before = bad(&start_again(cpe));
        let owed = cpe.owed().pending();
        assert_eq!(bad(&start_again(cpe)), before, "{name} is not read again");
        assert_eq!(cpe.owed().pending(), owed);
    });
}

/// How many files were set aside.
fn bad(names: &[String]) -> usize {
    names.iter().filter(|n| n.contains(".bad-")).count()
}

/// Whatever is in the queue comes to its end, within bounds.
fn transfers(state: &StateDir) {
    let mut queue = Queue::load(state);
    assert!(queue.started(true, "firmware", None, NOW));
    queue.session_ended();
    assert!(queue.list().len() <= MAX);
    let again = Queue::load(state);
    assert_eq!(
        again.entries(),
        queue.entries(),
        "what was kept is read again"
    );
    let mut now = NOW;
    // A record of another age may be due in any year.
    for _ in 0..8 * MAX {
        let _ = format!("{:?} {:?}", queue.entries(), queue.events());
        if let Some(told) = queue.to_tell() {
            assert!(queue.delivered(told.id), "the disk is well");
        }
        let Some(due) = queue.next_due() else {
            continue;
        };
        now = now.max(due);
        let Some(job) = queue.begin(now, true) else {
            continue;
        };
        let failed = TransferFault {
            code: 9010,
            text: "no".to_owned(),
        };
        let result = match job.id % 2 {
            0 => Ok(()),
            _ => Err(failed),
        };
        queue.finished(job.id, now, result);
    }
}
