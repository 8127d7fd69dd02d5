//! Connection requests to the running daemon: what the ACS may do to it, and what
//! strangers must not.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::net::socket::{Route, connect_tcp};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const URL: &str = "Device.ManagementServer.ConnectionRequestURL";
const KNOCKED: [&str; 1] = ["6 CONNECTION REQUEST"];

fn acs(config: AcsConfig) -> Acs {
    Acs::start(config).expect("an ACS")
}

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE).expect("a session");
    assert!(session.complete(), "{number}: {:?}", session.end);
    session
}

fn url_of(session: &SessionRecord) -> String {
    let values = &session.inform.values;
    let found = values.iter().find(|v| v.name == URL);
    found.expect("a forced parameter").value.clone()
}

fn ours(url: &str) -> std::io::Result<u16> {
    knock(url, "cpe", "sample-only")
}

/// Host and port, and the path, of a URL.
fn parts(url: &str) -> (SocketAddr, &str) {
    let rest = url.strip_prefix("http://").expect("a URL");
    let (host, path) = rest.split_at(rest.find('/').expect("a path"));
    (host.parse().expect("an address"), path)
}

fn refused(told: &serde_json::Value, reason: &str) -> u64 {
    let all = told["refused_knocks"].as_array().expect("a list");
    let found = all.iter().find(|r| r[0] == reason);
    found.map_or(0, |r| r[1].as_u64().expect("a number"))
}

// T-CRQ-008, T-CRQ-009, CRQ-005, CRQ-006
#[test]
fn five_knocks_in_a_session_are_answered_and_bring_one_more() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    let five = move |_: &CpeMessage| {
        for _ in 0..5 {
            let answer = knock_on(&url, "cpe", "sample-only", Second::SameConnection).unwrap();
            assert_eq!((answer.status(), answer.remarks), (200, vec![]));
        }
        Vec::new()
    };
    acs.push_session(Script::new().then_with(get_values(&[URL]), five));
    cpe.ok(&["inform", "periodic"]);
    assert_eq!(complete(&acs, 2).events(), ["2 PERIODIC"]);
    assert_eq!(complete(&acs, 3).events(), KNOCKED);
    let told = cpe.wait_status(|told| told["running_since"].is_null());
    assert_eq!(told["accepted_knocks"], 5);
    assert_eq!(told["pending_events"].as_array().unwrap().len(), 0);
    cpe.ok(&["inform", "periodic"]);
    assert_eq!(complete(&acs, 4).events(), ["2 PERIODIC"]);
    acs.finish().unwrap();
}

// T-CRQ-011
#[test]
fn a_knock_counts_from_wherever_it_comes() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    let (to, path) = parts(&url);
    let route = Route {
        source: Some("127.0.0.2".parse().unwrap()),
        ..Route::default()
    };
    let ask = |header: &str| {
        let mut wire = connect_tcp(to, &route, PATIENCE, &|| true).expect("a connection");
        wire.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            wire,
            "GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        wire.read_to_string(&mut answer).unwrap();
        answer
    };
    let challenge = ask("");
    let header = knock::authorization_for(&challenge, path, "cpe", "sample-only");
    let answer = ask(&format!("Authorization: {header}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(complete(&acs, 2).events(), KNOCKED);
    let log = cpe.log();
    assert!(log.contains("connection request from 127.0.0.2"), "{log}");
    acs.finish().unwrap();
}

// CRQ-001 (IPv6)
#[test]
fn both_families_are_heard_and_an_acs_may_be_on_ipv6() {
    if TcpStream::connect_timeout(&"[::1]:9".parse().unwrap(), PATIENCE)
        .is_err_and(|e| e.kind() != std::io::ErrorKind::ConnectionRefused)
    {
        println!("skipped: no IPv6 on the loopback device");
        return;
    }
    let acs = acs(AcsConfig {
        ipv6: true,
        ..AcsConfig::default()
    });
    assert!(acs.url().starts_with("http://[::1]:"));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    let (at, path) = parts(&url);
    assert!(at.is_ipv4(), "{url}");
    let six = format!("http://[::1]:{}{path}", at.port());
    assert_eq!(ours(&six).unwrap(), 200);
    assert_eq!(complete(&acs, 2).events(), KNOCKED);
    assert_eq!(ours(&url).unwrap(), 200);
    assert_eq!(complete(&acs, 3).events(), KNOCKED);
    acs.finish().unwrap();
}

// T-CRQ-014
#[test]
fn each_factory_reset_draws_another_path() {
    let config = AcsConfig::default()
        .session(Script::of([factory_reset()]))
        .session(Script::of([factory_reset()]));
    let acs = acs(config);
    let mut cpe = Cpe::new(&acs.url());
    let mut paths = Vec::new();
    for number in 1..=3 {
        cpe.start();
        let url = url_of(&complete(&acs, number));
        paths.push(parts(&url).1.to_owned());
        if number < 3 {
            let times = usize::try_from(number).unwrap();
            cpe.wait_text("/tmp/rebooted", |t| t.lines().count() == times);
        }
        assert!(cpe.stop().success());
        cpe.new_boot();
    }
    assert!(paths.iter().all(|p| p.len() > 16), "{paths:?}");
    paths.dedup();
    assert_eq!(paths.len(), 3, "{paths:?}");
    acs.finish().unwrap();
}

// T-CRQ-015, T-CRQ-016
#[test]
fn the_acs_closes_and_opens_the_listener_and_reads_what_it_may_use() {
    const ENABLE: &str = "Device.ManagementServer.HTTPConnectionRequestEnable";
    const METHODS: &str = "Device.ManagementServer.SupportedConnReqMethods";
    let set = |to: &str| {
        let switch = set_values(&[(ENABLE, "boolean", to)], "");
        Script::of([switch, get_values(&[METHODS])])
    };
    let acs = acs(AcsConfig::default().session(set("false")));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let first = complete(&acs, 1);
    let methods = first.message("GetParameterValuesResponse").unwrap();
    assert_eq!(methods.values[0].value, "HTTP");
    let url = url_of(&first);
    let second = complete(&acs, 2);
    assert_eq!(second.events(), ["4 VALUE CHANGE"], "no URL any more");
    assert_eq!(url_of(&second), "");
    assert!(ours(&url).is_err(), "the port is closed");
    acs.push_session(set("true"));
    cpe.ok(&["inform"]);
    complete(&acs, 3);
    let again = url_of(&complete(&acs, 4));
    assert_eq!(parts(&again).1, parts(&url).1, "the path is kept");
    assert_eq!(ours(&again).unwrap(), 200);
    assert_eq!(complete(&acs, 5).events(), KNOCKED);
    acs.finish().unwrap();
}

// CRQ-002, field note 19
#[test]
fn credentials_that_the_acs_changes_hold_without_a_new_listener() {
    let set = set_values(
        &[
            (
                "Device.ManagementServer.ConnectionRequestUsername",
                "string",
                "new",
            ),
            (
                "Device.ManagementServer.ConnectionRequestPassword",
                "string",
                "fresh",
            ),
        ],
        "",
    );
    let acs = acs(AcsConfig::default().session(Script::of([set])));
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    cpe.wait_text("/tmp/log", |log| log.contains("settings taken over"));
    assert_eq!(ours(&url).unwrap(), 401);
    assert_eq!(knock(&url, "new", "sample-only").unwrap(), 401);
    assert_eq!(knock(&url, "new", "fresh").unwrap(), 200);
    let session = complete(&acs, 2);
    assert_eq!(session.events(), KNOCKED);
    assert_eq!(url_of(&session), url);
    acs.finish().unwrap();
}

// T-CRQ-013, CRQ-010 (by hand); the counts of a listener outlive it
#[test]
fn a_listener_that_moves_tells_its_url_and_keeps_its_counts() {
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    assert_eq!(
        knock(&format!("{url}x"), "cpe", "sample-only").unwrap(),
        404
    );
    assert_eq!(knock(&url, "cpe", "wrong").unwrap(), 401);
    assert_eq!(ours(&url).unwrap(), 200);
    complete(&acs, 2);
    // Any address, so another listener, with another port.
    cpe.edit("cpe", "interface", "");
    let moved = complete(&acs, 3);
    assert_eq!(moved.events(), ["4 VALUE CHANGE"]);
    assert_ne!(url_of(&moved), url);
    let told = cpe.status();
    assert_eq!(told["accepted_knocks"], 1, "{told:#}");
    assert_eq!(refused(&told, "wrong path"), 1, "{told:#}");
    assert_eq!(refused(&told, "wrong credentials"), 1, "{told:#}");
    acs.finish().unwrap();
}

// T-FLW-010, FLW-014
#[test]
fn switched_off_by_the_acs_only_the_lan_side_or_a_reset_brings_it_back() {
    let off = [("Device.ManagementServer.EnableCWMP", "boolean", "false")];
    let acs = acs(AcsConfig::default().session(Script::of([set_values(&off, "")])));
    let mut cpe = Cpe::new(&acs.url());
    let factory = cpe.router.read("/etc/config/cwmp").unwrap();
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    cpe.wait_text("/tmp/log", |log| log.contains("connection requests: none"));
    assert!(ours(&url).is_err());
    // What procd sends for a changed file, and a boot: it runs on, and says nothing.
    cpe.signal(Signal::SIGHUP);
    let told = cpe.wait_status(|told| told["next_session"].is_null());
    assert_eq!(
        (&told["daemon"], &told["enabled"]),
        (&true.into(), &false.into())
    );
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    assert_eq!(cpe.cli(&["inform"]).status.code(), Some(1));
    assert_eq!(acs.record().sessions.len(), 1);
    // The reset button.
    assert!(cpe.stop().success());
    std::fs::remove_dir_all(cpe.router.path("/etc/cwmp-agent/state")).unwrap();
    cpe.router.write("/etc/config/cwmp", &factory).unwrap();
    cpe.new_boot();
    cpe.start();
    assert_eq!(complete(&acs, 2).events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

// T-CRQ-012, SEC-010
#[test]
fn five_thousand_connections_and_a_huge_head_cost_a_session_nothing() {
    const ATTEMPTS: usize = 5_000;
    const SIDE_BY_SIDE: usize = 8;
    let acs = acs(AcsConfig::default());
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_ticks();
    cpe.start();
    let url = url_of(&complete(&acs, 1));
    // What a knock and the whole tree take is there once before it is counted.
    assert_eq!(knock(&url, "cpe", "wrong").unwrap(), 401);
    acs.push_session(Script::of([get_values(&["Device."])]));
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    cpe.wait_status(|told| told["running_since"].is_null());
    let status = format!("/proc/{}/status", cpe.pid());
    let memory = move || -> i64 {
        let text = std::fs::read_to_string(&status).expect("a running daemon");
        let line = text
            .lines()
            .find(|l| l.starts_with("RssAnon:"))
            .expect("RssAnon");
        line.split_whitespace()
            .nth(1)
            .expect("kB")
            .parse()
            .expect("a number")
    };
    let (to, path) = parts(&url);
    let (path, counted) = (path.to_owned(), memory.clone());
    let flood = move |_: &CpeMessage| {
        let before = counted();
        std::thread::scope(|scope| {
            for side in 0..SIDE_BY_SIDE {
                let path = &path;
                scope.spawn(move || attempts(to, path, ATTEMPTS / SIDE_BY_SIDE, side));
            }
            scope.spawn(move || huge_head(to));
        });
        let grown = counted() - before;
        println!("{grown} kB more after the flood");
        assert!(grown <= 256, "{grown} kB more");
        vec![Step::Send(get_values(&["Device.DeviceInfo."]))]
    };
    acs.push_session(Script::new().then_with(get_values(&["Device."]), flood));
    cpe.ok(&["inform", "periodic"]);
    let session = complete(&acs, 3);
    assert_eq!(session.events(), ["2 PERIODIC"]);
    assert_eq!(
        session.messages_named("GetParameterValuesResponse").len(),
        2
    );
    let told = cpe.wait_status(|told| told["running_since"].is_null());
    let all: u64 = [
        "wrong path",
        "no HTTP",
        "pushed out",
        "head too large",
        "too many",
    ]
    .iter()
    .map(|reason| refused(&told, reason))
    .sum();
    assert!(all >= 100, "{told:#}");
    assert!(refused(&told, "head too large") >= 1, "{told:#}");
    let log = cpe.log();
    let lines = log.lines().filter(|l| l.contains("requests refused"));
    // One for the wrong password before; the flood's own is due a minute later.
    assert!(lines.count() <= 2, "{log}");
    // It listens still.
    std::thread::sleep(Duration::from_millis(200));
    let until = std::time::Instant::now() + PATIENCE;
    while !matches!(ours(&url), Ok(200)) {
        assert!(std::time::Instant::now() < until, "nobody listens any more");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(complete(&acs, 4).events(), KNOCKED);
    acs.finish().unwrap();
}

/// Connections that say nothing, half a head, no HTTP, or knock at the wrong place. One that
/// does not come about within moments was an attempt all the same.
fn attempts(to: SocketAddr, path: &str, count: usize, side: usize) {
    let mut open = Vec::new();
    for n in 0..count {
        let Ok(mut wire) = TcpStream::connect_timeout(&to, Duration::from_millis(4)) else {
            continue;
        };
        let said = match (n + side) % 4 {
            0 => String::new(),
            1 => format!("GET {path} HTTP/1.1\r\nHost"),
            2 => "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(),
            _ => format!("GET {path}x HTTP/1.1\r\nHost: x\r\n\r\n"),
        };
        let _ = wire.write_all(said.as_bytes());
        open.push(wire);
        if open.len() > 64 {
            open.clear();
        }
    }
}

/// Ten megabytes of one header, as far as they are taken.
fn huge_head(to: SocketAddr) {
    for _ in 0..50 {
        let Ok(mut wire) = TcpStream::connect_timeout(&to, Duration::from_millis(100)) else {
            continue;
        };
        let _ = wire.set_write_timeout(Some(Duration::from_millis(500)));
        let _ = wire.write_all(b"GET / HTTP/1.1\r\nX: ");
        let block = [b'a'; 64 << 10];
        for _ in 0..(10 << 20) / block.len() {
            if wire.write_all(&block).is_err() {
                break;
            }
        }
    }
}
