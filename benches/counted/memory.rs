//! Memory as the kernel counts it, of the static program.

use crate::acs::{Script, get_names, get_values};
use crate::agent::Agent;
use crate::figures::Unit;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs of which the median counts: which pages a thread touches first differs a little.
const RUNS: usize = 5;
/// After this the daemon is idle.
const IDLE: Duration = Duration::from_millis(500);

/// The program where its pages are as small as those of a router's flash are: ext4 maps
/// files in pieces so large that all of it would count, whatever runs.
struct InMemory(PathBuf);

impl InMemory {
    fn new(program: &Path) -> InMemory {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let copy = folder.join(format!("cwmp-agent-{}", std::process::id()));
        fs::copy(program, &copy).expect("a copy of the program");
        InMemory(copy)
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// All figures, by name, kB.
pub fn measure(program: &Path) -> Vec<(&'static str, u64, Unit)> {
    let copy = InMemory::new(program);
    let program = copy.0.as_path();
    let mut idle = Vec::new();
    let mut idle_rss = Vec::new();
    let mut peak_https = Vec::new();
    let mut after = Vec::new();
    let mut peak = Vec::new();
    for _ in 0..RUNS {
        let tree = || Script::of([get_names("Device.", false), get_values(&["Device."])]);
        let mut agent = Agent::new(program, vec![Script::new(), tree(), tree()], &|_| {});
        agent.start(&[]);
        std::thread::sleep(IDLE);
        idle.push(agent.status_kb("RssAnon"));
        idle_rss.push(agent.status_kb("VmRSS"));
        agent.session();
        agent.session();
        std::thread::sleep(IDLE);
        after.push(agent.status_kb("RssAnon"));
        peak.push(agent.status_kb("VmHWM"));
        agent.stop();
        let mut secure = Agent::secure(program, &rustls::version::TLS13);
        secure.start(&[]);
        std::thread::sleep(IDLE);
        peak_https.push(secure.status_kb("VmHWM"));
        secure.stop();
    }
    vec![
        ("idle", median(idle), Unit::Kilobytes),
        ("idle_rss", median(idle_rss), Unit::Resident),
        ("peak_https", median(peak_https), Unit::Resident),
        ("idle_after_read", median(after), Unit::Kilobytes),
        ("peak", median(peak), Unit::Resident),
    ]
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}
