//! What a download or an upload takes of memory does not depend on the size of the file: the memory of a
//! real process, which this program starts itself as a child.

mod files;
mod scratch;

use std::process::Command;

use cwmp_agent::net::file::FileConfig;
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::fetch::{FetchJob, fetch};
use cwmp_agent::transfer::progress::{Progress, Stop};
use cwmp_agent::transfer::put::put;
use files::{FileServer, Served, Trick, pattern_sha256};
use scratch::Scratch;

/// What the child is told: where from and where to.
const FROM: &str = "TRANSFER_MEMORY_FROM";
const INTO: &str = "TRANSFER_MEMORY_INTO";
const MIB: u64 = 1024 * 1024;

/// The largest memory this process ever had, KiB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("a number of kB")
}

#[test]
#[ignore = "the child of the test below"]
fn child() {
    let (Ok(from), Ok(into)) = (std::env::var(FROM), std::env::var(INTO)) else {
        return;
    };
    let mut wire = FileConfig::new(Url::parse(&from).expect("a URL"));
    wire.resume_wait = std::time::Duration::from_millis(1);
    let job = FetchJob {
        into: into.as_ref(),
        file_size: 0,
        max: u64::MAX,
        keep_free: 0,
    };
    let (progress, stop) = (Progress::default(), Stop::default());
    let fetched = fetch(wire.clone(), &job, &progress, &stop).expect("fetched");
    assert_eq!(fetched.sha256, pattern_sha256(fetched.size));
    // And back again.
    wire.url = wire.url.join("/up").expect("a URL");
    put(wire, job.into, &progress, &stop).expect("sent");
    println!("\n{} bytes, {} KiB", fetched.size, high_water());
}

/// KiB that a child takes at most to fetch this.
fn taken(url: &str, size: u64) -> u64 {
    let scratch = Scratch::new();
    let this = std::env::current_exe().expect("this program");
    let output = Command::new(this)
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FROM, url)
        .env(INTO, scratch.path("image"))
        .output()
        .expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| {
        let (bytes, rest) = line.split_once(" bytes, ")?;
        assert_eq!(bytes.parse(), Ok(size));
        rest.strip_suffix(" KiB")?.parse().ok()
    });
    told.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn thirty_megabytes_take_at_most_one_more_than_one_megabyte() {
    for trick in [Trick::None, Trick::Chunked, Trick::Cut(MIB / 2)] {
        let server = FileServer::start();
        let served = |mib: u64| Served::pattern(mib * MIB).tag("\"v1\"").next(trick.clone());
        server.serve("/small", served(1));
        server.serve("/large", served(30));
        server.serve("/up", Served::nothing());
        let small = taken(&server.url("/small"), MIB);
        let large = taken(&server.url("/large"), 30 * MIB);
        println!("{trick:?}: 1 MiB takes {small} KiB, 30 MiB take {large} KiB");
        assert!(large <= small + 1024, "{small} KiB and {large} KiB");
    }
}
