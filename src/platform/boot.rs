//! Whether this start of the daemon is a boot of the device (event 1 BOOT) or only a
//! restart of the daemon.

use crate::store::Root;
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use std::io;

/// The kernel's name for this boot, below the root.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The state file and the marker that keep it.
const KNOWN: &str = "boot_id";
const MARKER: &str = "booted";
/// A boot id is not longer than this, bytes.
const LIMIT: u64 = 256;

/// This boot of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Whether the device was booted since [`Boot::remember`] was last called.
    pub is_boot: bool,
    /// `None`: the kernel gives none, the marker counts.
    id: Option<String>,
}

impl Boot {
    /// Compares `/proc/sys/kernel/random/boot_id` with the one stored; where that file
    /// is missing, looks for a marker in `run_dir`. Changes nothing.
    pub fn detect(root: &Root, state: &StateDir, run_dir: &RunDir) -> Boot {
        let id = root
            .read(BOOT_ID, LIMIT)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
            .filter(|id| !id.is_empty());
        let is_boot = match &id {
            Some(id) => state.load::<String>(KNOWN).as_ref() != Some(id),
            None => !run_dir.has(MARKER),
        };
        Boot { is_boot, id }
    }

    /// Stores that this boot is known, once its event is in the stored queue.
    pub fn remember(&self, state: &StateDir, run_dir: &RunDir) -> io::Result<()> {
        match &self.id {
            Some(id) => state.save(KNOWN, id).map(|_| ()),
            None => run_dir.set(MARKER),
        }
    }

    /// Forgets which boot is known: the next start is a boot (after a factory reset).
    pub fn forget(state: &StateDir, run_dir: &RunDir) -> io::Result<()> {
        state.remove(KNOWN)?;
        run_dir.clear(MARKER)
    }
}
