//! Instructions in user space, counted by callgrind over whole lives of the daemon: what
//! one more session costs is the difference of two lives, one with and one without it.

use crate::acs::{Rpc, Script, get_names, get_rpc_methods, get_values, set_values};
use crate::agent::Agent;
use crate::router::Router;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What can be counted here.
const FIGURES: [&str; 6] = [
    "start",
    "scan",
    "periodic",
    "session",
    "table_1000",
    "table_10000",
];
/// Scans in the life whose scans are counted.
const SCANS: u32 = 4;
/// Rows of the larger table; the smaller has a tenth.
const ROWS: usize = 840;
/// The UCI-backed table whose read is counted: 12 parameters a row.
const TABLE: &str = "Device.NAT.PortMapping.";

struct Callgrind<'a> {
    program: &'a Path,
    out: PathBuf,
    lives: u32,
}

impl Callgrind<'_> {
    /// Instructions of one life: a start, these sessions, an end.
    fn life(&mut self, sessions: Vec<Script>, prepare: &dyn Fn(&Router)) -> u64 {
        self.life_with_scans(sessions, 0, prepare)
    }

    /// The same with so many scans of the watched values after the sessions.
    fn life_with_scans(
        &mut self,
        sessions: Vec<Script>,
        scans: u32,
        prepare: &dyn Fn(&Router),
    ) -> u64 {
        self.lives += 1;
        let file = self.out.join(format!("callgrind.{}", self.lives));
        let wrapper = [
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            format!("--callgrind-out-file={}", file.display()),
            format!("--log-file={}.log", file.display()),
        ];
        let count = sessions.len();
        let mut agent = Agent::new(self.program, sessions, prepare);
        agent.start(&wrapper);
        for _ in 1..count {
            agent.session();
        }
        for _ in 0..scans {
            agent.scan();
        }
        agent.stop();
        let text = fs::read_to_string(&file).expect("callgrind's file");
        let total = text.lines().rev().find_map(|l| l.strip_prefix("totals: "));
        total
            .and_then(|t| t.trim().parse().ok())
            .expect("its totals")
    }

    /// What the second of two sessions costs; `session` makes the n-th.
    fn second(&mut self, session: &dyn Fn(u32) -> Script) -> u64 {
        let without = self.life(vec![session(1)], &as_it_is);
        let with = self.life(vec![session(1), session(2)], &as_it_is);
        with.saturating_sub(without)
    }

    /// What one scan of the watched values costs that finds no change.
    fn scan(&mut self) -> u64 {
        let without = self.life(vec![Script::new()], &as_it_is);
        let with = self.life_with_scans(vec![Script::new()], SCANS, &as_it_is);
        let one = with.saturating_sub(without) / u64::from(SCANS);
        assert!(one > 10_000, "{one} instructions: there was no scan");
        one
    }

    /// What a warm read of a table of this many rows costs, without the session around it.
    fn read(&mut self, rows: usize) -> u64 {
        let prepare = |router: &Router| forwards(router, rows);
        let without = self.life(vec![table(), Script::new()], &prepare);
        let with = self.life(vec![table(), table()], &prepare);
        with.saturating_sub(without)
    }
}

/// The session whose cost is counted. Each sets other values, so that each changes two
/// packages.
fn whole(n: u32) -> Script {
    let ssid = format!("bench {n}");
    let code = format!("{n:04}");
    let ntp = format!("{n}.pool.example.org");
    let set: Rpc = set_values(
        &[
            ("Device.WiFi.SSID.1.SSID", "string", ssid.as_str()),
            ("Device.WiFi.SSID.2.SSID", "string", code.as_str()),
            ("Device.Time.NTPServer1", "string", ntp.as_str()),
        ],
        &code,
    );
    Script::of([
        get_rpc_methods(),
        get_names("Device.", false),
        get_values(&["Device."]),
        set,
    ])
}

fn table() -> Script {
    Script::of([get_values(&[TABLE])])
}

fn as_it_is(_: &Router) {}

/// A router with this many port forwards.
fn forwards(router: &Router, rows: usize) {
    let file = "/etc/config/firewall";
    let text = router.read(file).expect("the firewall's file");
    // Everything before the sample's own forwards.
    let mut text = match text.find("config redirect") {
        Some(at) => text[..at].to_owned(),
        None => text,
    };
    for n in 0..rows {
        let _ = write!(
            text,
            "config redirect 'forward_{n}'\n\toption target 'DNAT'\n\toption name 'forward {n}'\n\
             \toption src 'wan'\n\toption dest 'lan'\n\toption proto 'tcp'\n\
             \toption src_dport '{}'\n\toption dest_ip '192.168.1.{}'\n\toption dest_port '{}'\n\n",
            10_000 + n,
            1 + n % 250,
            1000 + n
        );
    }
    router.write(file, &text).expect("the firewall's file");
}

/// The figures that are wanted, by name. `keep`: where callgrind's files are to stay.
pub fn count(
    program: &Path,
    keep: Option<&Path>,
    wants: &dyn Fn(&str) -> bool,
) -> Vec<(&'static str, u64)> {
    let out = match keep {
        Some(folder) => folder.to_owned(),
        None => std::env::temp_dir().join(format!("cwmp-bench-{}", std::process::id())),
    };
    fs::create_dir_all(&out).expect("a folder");
    let mut valgrind = Callgrind {
        program,
        out: out.clone(),
        lives: 0,
    };
    let mut found = Vec::new();
    for name in FIGURES.iter().copied().filter(|name| wants(name)) {
        let n = match name {
            "start" => valgrind.life(vec![Script::new()], &as_it_is),
            "scan" => valgrind.scan(),
            "periodic" => valgrind.second(&|_| Script::new()),
            "session" => {
                no_process(program, &out);
                valgrind.second(&whole)
            }
            "table_1000" => valgrind.read(ROWS / 10),
            _ => valgrind.read(ROWS),
        };
        found.push((name, n));
    }
    if keep.is_none() {
        let _ = fs::remove_dir_all(&out);
    }
    found
}

/// Sessions start no process but the reloads: under valgrind every process of the daemon
/// leaves a file behind.
fn no_process(program: &Path, out: &Path) {
    let folder = out.join("processes");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let wrapper = [
        "valgrind".to_owned(),
        "--tool=none".to_owned(),
        "--trace-children=yes".to_owned(),
        format!("--log-file={}/%p", folder.display()),
    ];
    let mut agent = Agent::new(program, vec![whole(1), whole(2)], &as_it_is);
    agent.start(&wrapper);
    agent.session();
    agent.wait_reloads(4);
    let reloads = agent.reloads();
    agent.stop();
    let processes = fs::read_dir(&folder).expect("the folder").count();
    assert_eq!(reloads, 4, "two packages in each of two sessions");
    assert_eq!(
        processes,
        1 + reloads,
        "processes: the daemon and its reloads, no other; see {}",
        folder.display()
    );
}
