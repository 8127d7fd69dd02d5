//! Lives of the daemon below callgrind whose functions are wanted, not their cost: by them
//! `cross/functions` places what a router's day needs side by side.

use crate::acs::{Rpc, Script};
use crate::acs::{get_names, get_rpc_methods, get_values, set_values};
use crate::agent::Agent;
use std::path::Path;

/// Leaves callgrind's files `http` (a day with an ACS that reads and sets), `https` (TLS 1.3
/// and digest) and `tls12` in the folder.
pub fn record(program: &Path, folder: &Path) {
    live(
        Agent::new(
            program,
            vec![Script::new(), day(1), day(2), Script::new()],
            &|_| {},
        ),
        4,
        &folder.join("http"),
    );
    live(
        Agent::secure(program, &rustls::version::TLS13),
        1,
        &folder.join("https"),
    );
    live(
        Agent::secure(program, &rustls::version::TLS12),
        1,
        &folder.join("tls12"),
    );
}

fn day(n: u32) -> Script {
    let set: Rpc = set_values(
        &[
            ("Device.WiFi.SSID.1.SSID", "string", &format!("day {n}")),
            (
                "Device.Time.NTPServer1",
                "string",
                &format!("{n}.pool.example.org"),
            ),
        ],
        &n.to_string(),
    );
    Script::of([
        get_rpc_methods(),
        get_names("Device.", false),
        get_values(&["Device."]),
        set,
    ])
}

fn live(mut agent: Agent, sessions: u32, file: &Path) {
    agent.start(&[
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--demangle=no".to_owned(),
        format!("--callgrind-out-file={}", file.display()),
        format!("--log-file={}.log", file.display()),
    ]);
    for _ in 1..sessions {
        agent.session();
    }
    agent.stop();
}
