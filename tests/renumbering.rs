//! The interface gets other addresses while the agent runs: in a network of its own, with an
//! Ethernet pair whose one end is the way to the provider.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use nix::sys::signal::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

/// Set in the process that has such a network.
const INSIDE: &str = "CWMP_RENUMBERING_INSIDE";
const URL: &str = "Device.ManagementServer.ConnectionRequestURL";

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status();
    assert!(status.expect("ip").success(), "ip {args}");
}

/// Runs the test of this name again where a network can be made; `false`: it is to be done
/// here, or not at all.
fn is_elsewhere(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        ip("link add uplink type veth peer name isp");
        ip("link set isp up");
        ip("link set uplink up");
        return false;
    }
    let made = Command::new("unshare")
        .args([
            "-rn", "ip", "link", "add", "uplink", "type", "veth", "peer", "name", "isp",
        ])
        .output();
    if !made.is_ok_and(|out| out.status.success()) {
        println!("skipped: no network of one's own can be made here");
        return true;
    }
    let out = Command::new("unshare")
        .arg("-rn")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    assert!(
        out.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    true
}

fn url_of(session: &SessionRecord) -> String {
    let values = &session.inform.values;
    let found = values.iter().find(|v| v.name == URL);
    found.expect("a forced parameter").value.clone()
}

/// Waits until the ACS was told of a URL that begins so, and gives the session.
fn told(acs: &Acs, start: &str) -> SessionRecord {
    let found = acs.wait_until(PATIENCE, |record| {
        let mut ended = record.sessions.iter().filter(|s| s.end.is_some());
        ended.find(|s| url_of(s).starts_with(start)).cloned()
    });
    found.unwrap_or_else(|| panic!("no session with {start}"))
}

/// The listener moves a moment after the daemon was told of it.
fn knocked(url: &str) {
    let until = Instant::now() + PATIENCE;
    while !matches!(knock(url, "cpe", "sample-only"), Ok(200)) {
        assert!(Instant::now() < until, "nobody listens at {url}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

// T-CRQ-013, CRQ-010
#[test]
fn a_new_address_of_the_interface_is_told_and_knocked_on() {
    if is_elsewhere("a_new_address_of_the_interface_is_told_and_knocked_on") {
        return;
    }
    ip("addr add 192.0.2.7/24 dev uplink");
    // The ACS is on the provider's side; on one machine that is the same loopback device.
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = Cpe::new("");
    cpe.edit("cpe", "interface", "uplink");
    cpe.edit("cpe", "port", "7547");
    cpe.start();
    assert!(cpe.get(URL).starts_with("http://192.0.2.7:7547/"));
    let path = cpe.get(URL)["http://192.0.2.7:7547".len()..].to_owned();

    ip("addr flush dev uplink");
    ip("addr add 198.51.100.9/24 dev uplink");
    // As the service file does when netifd says that the interface is up.
    let moved = Instant::now();
    cpe.signal(Signal::SIGHUP);
    let url = format!("http://198.51.100.9:7547{path}");
    cpe.wait_text("/tmp/log", |log| log.contains(&url));
    assert!(moved.elapsed() < Duration::from_secs(5), "not by polling");

    // Traffic keeps to the interface, so an ACS at its own address is out of reach of it.
    cpe.edit("cpe", "interface", "");
    cpe.option("url", &acs.url());
    let first = told(&acs, "http://198.51.100.9:7547/");
    knocked(&url_of(&first));
    // Its session takes nothing of what follows along.
    let answered = acs.wait_until(PATIENCE, |record| {
        let mut ended = record.sessions.iter().filter(|s| s.end.is_some());
        ended
            .find(|s| s.events() == ["6 CONNECTION REQUEST"])
            .cloned()
    });
    assert!(answered.is_some(), "the knock has no session");
    assert_eq!(parts(&url_of(&first)), path);
    ip("addr flush dev uplink");
    ip("addr add 192.0.2.8/24 dev uplink");
    cpe.signal(Signal::SIGHUP);
    let session = told(&acs, "http://192.0.2.8:7547/");
    assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    knocked(&url_of(&session));

    // Only IPv6 is left.
    ip("addr flush dev uplink");
    ip("addr add 2001:db8::7/64 dev uplink nodad");
    cpe.edit("cpe", "interface", "uplink");
    cpe.wait_text("/tmp/log", |log| log.contains("http://[2001:db8::7]:7547/"));
    assert_eq!(cpe.get(URL), format!("http://[2001:db8::7]:7547{path}"));
    drop(acs);
}

fn parts(url: &str) -> &str {
    let rest = url.strip_prefix("http://").expect("a URL");
    &rest[rest.find('/').expect("a path")..]
}
