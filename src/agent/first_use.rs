//! Device.DeviceInfo.FirstUseDate: when the CPE first both had a connection and knew the
//! time. Written once in the life of the box; a factory reset forgets it.

use super::clock;
use crate::cwmp::datetime::DateTime;
use crate::source::Runtime;
use crate::store::state::StateDir;
use log::warn;

/// The state file: seconds since 1970 (UTC).
const FILE: &str = "first_use";
/// What the data model calls it.
const NAME: &str = "first_use_date";

/// Shows what was kept.
pub fn load(state: &StateDir, runtime: &Runtime) {
    if let Some(at) = state.load::<i64>(FILE) {
        show(at, runtime);
    }
}

/// A session with the ACS was completed: the first with the clock set is the first use.
pub fn session_completed(state: &StateDir, runtime: &Runtime, now: i64) {
    if runtime.get(NAME).is_some() || !clock::was_set(now) {
        return;
    }
    match state.save(FILE, &now) {
        Ok(_) => show(now, runtime),
        Err(e) => warn!("the date of the first use cannot be kept: {e}"),
    }
}

/// The box is reset to its factory state.
pub fn forget(state: &StateDir, runtime: &Runtime) {
    if let Err(e) = state.remove(FILE) {
        warn!("the date of the first use cannot be wiped: {e}");
    }
    runtime.clear(NAME);
}

fn show(at: i64, runtime: &Runtime) {
    runtime.set(NAME, &DateTime::Utc(at).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_session_with_a_set_clock_is_kept_for_good() {
        let dir = std::env::temp_dir().join(format!("cwmp-first-use-{}", std::process::id()));
        let state = StateDir::open(&dir).expect("a folder");
        let runtime = Runtime::default();
        load(&state, &runtime);
        session_completed(&state, &runtime, 86_400);
        assert_eq!(runtime.get(NAME), None, "a clock that was never set");
        session_completed(&state, &runtime, 1_782_864_000);
        session_completed(&state, &runtime, 1_782_864_001);
        let later = Runtime::default();
        load(&state, &later);
        assert_eq!(later.get(NAME).as_deref(), Some("2026-07-01T00:00:00Z"));
        assert_eq!(runtime.get(NAME), later.get(NAME));
        // T-PER-002
        forget(&state, &runtime);
        let reset = Runtime::default();
        load(&state, &reset);
        assert_eq!((runtime.get(NAME), reset.get(NAME)), (None, None));
        std::fs::remove_dir_all(&dir).expect("gone");
    }
}
