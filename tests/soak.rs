//! Many sessions with one daemon: what it holds (memory, descriptors, threads) must not
//! grow with them.
//!
//! A short run is part of every `cargo test`. The long one is for a release build:
//! `CWMP_SOAK_AGENT` names the program (the one of this build where it is not set),
//! `CWMP_SOAK_SESSIONS` how many sessions (10,000):
//!
//! ```sh
//! cargo build --release
//! CWMP_SOAK_AGENT=target/release/cwmp-agent cargo test --test soak -- --ignored --nocapture
//! ```

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::agent::control::{Answer, Question, client};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Sessions before the first measurement: every kind of session has come often.
const WARM_UP: u32 = 1000;
/// Sessions of every kind that make a round.
const ROUND: u32 = 20;
/// It is measured after each of so many sessions.
const MEASURED: u32 = 100;
/// How much memory of the process's own may grow from then on, kB.
const GROWTH: u64 = 64;

/// The daemon's threads at rest: dispatcher, signals, session.
const THREADS: u64 = 3;
/// How often its descriptors are counted after a session.
const LOOKS: u32 = 5;

const KNOCK: (&str, &str) = ("cpe", "sample-only");
const ACCOUNT: (&str, &str) = ("soaked-cpe", "soaked-secret");
const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const MAPPING: &str = "Device.NAT.PortMapping.";

/// What a session is about, by its number: the realistic mix, in which most
/// are short.
fn script(session: u32) -> Script {
    let turn = session / ROUND;
    let back_and_forth = if turn.is_multiple_of(2) {
        "one"
    } else {
        "the other"
    };
    match session % ROUND {
        0 => Script::of([get_names("Device.", false), get_values(&["Device."])]),
        1 | 11 => Script::of([
            set_values(
                &[
                    (SSID, "string", back_and_forth),
                    (
                        NTP,
                        "string",
                        if turn.is_multiple_of(2) {
                            "a.example"
                        } else {
                            "b.example"
                        },
                    ),
                ],
                &format!("key {turn}"),
            ),
            get_values(&[SSID, NTP]),
        ]),
        3 => Script::new().then_with(add_object(MAPPING, "added"), |reply| {
            let number = reply.arg("InstanceNumber").unwrap_or("0").to_owned();
            let row = format!("{MAPPING}{number}.");
            let port = format!("{row}ExternalPort");
            vec![
                Step::Send(set_values(&[(&port, "unsignedInt", "4711")], "set")),
                Step::Send(get_values(&[&row])),
                Step::Send(delete_object(&row, "deleted")),
            ]
        }),
        4 => Script::of([
            set_values(
                &[("Device.Nonsense", "string", "x"), (SSID, "int", "y")],
                "bad",
            ),
            add_object("Device.Nonsense.", "bad"),
            get_values(&["Device.Nonsense"]),
        ]),
        5 => Script::of([get_rpc_methods(), get_queued_transfers()]),
        8 => Script::of([
            set_notification(&[(SSID, u8::from(turn.is_multiple_of(2)))]),
            get_attributes(&["Device.WiFi."]),
        ]),
        10 => Script::of([get_names("Device.", true)]).holding(true),
        13 => Script::of([set_values(
            &[(
                INTERVAL,
                "unsignedInt",
                if turn.is_multiple_of(2) {
                    "3600"
                } else {
                    "7200"
                },
            )],
            "settings",
        )]),
        _ => Script::of([get_values(&[
            "Device.DeviceInfo.UpTime",
            "Device.ManagementServer.",
        ])]),
    }
}

/// What goes wrong in it, at which message, and whether the session fails of it.
fn trouble(session: u32) -> Option<(u32, Trouble)> {
    Some(match session % ROUND {
        6 => (1, Trouble::DropAfterReading),
        7 => (1, Trouble::status(503)),
        9 => (2, Trouble::Reset),
        12 => (1, Trouble::TruncatedXml),
        15 => (2, Trouble::CloseAfterReply),
        17 => (2, Trouble::TruncatedXml),
        _ => return None,
    })
}

/// What the kernel says of the daemon, at rest, after each of several sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holds {
    /// kB, the least: what one session leaves lying about until the next is not kept.
    rss_anon: u64,
    /// The most.
    threads: u64,
    descriptors: usize,
}

impl Holds {
    fn with(self, other: Holds) -> Holds {
        Holds {
            rss_anon: self.rss_anon.min(other.rss_anon),
            threads: self.threads.max(other.threads),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(cpe: &Cpe, program: &PathBuf) -> Daemon {
        let log = std::fs::File::create(cpe.router.path("/tmp/log")).expect("a log");
        let child = Command::new(program)
            .args(["run", "-q", "--root"])
            .arg(cpe.router.root())
            // What glibc keeps for later is chance: an arena for each of several threads, up to
            // 128 kB at the end of each, and holes where large blocks were. What the daemon
            // holds must not drown in it. (Means nothing to musl, which has none of these.)
            .envs([
                ("MALLOC_ARENA_MAX", "1"),
                ("MALLOC_MMAP_THRESHOLD_", "8192"),
                ("MALLOC_TRIM_THRESHOLD_", "0"),
                ("MALLOC_TOP_PAD_", "0"),
            ])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon");
        Daemon(child)
    }

    /// What it holds once the thread of the last question has ended. Of descriptors the least
    /// of several looks: a file that the dispatcher reads just then is closed again.
    fn at_rest(&self, until: Instant) -> Holds {
        let mut holds = loop {
            let holds = self.holds();
            if holds.threads <= THREADS || Instant::now() > until {
                break holds;
            }
            std::thread::yield_now();
        };
        for _ in 0..LOOKS {
            std::thread::sleep(Duration::from_millis(2));
            holds.descriptors = holds.descriptors.min(self.holds().descriptors);
        }
        holds
    }

    /// Clock ticks that it was running so far, user and system.
    fn processor(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()));
        let stat = stat.expect("a running daemon");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let fields = after_name.split_whitespace().skip(11).take(2);
        fields.filter_map(|f| f.parse::<u64>().ok()).sum()
    }

    fn holds(&self) -> Holds {
        let proc = format!("/proc/{}", self.0.id());
        let status = std::fs::read_to_string(format!("{proc}/status")).expect("a running daemon");
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|l| l.strip_prefix(name));
            let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
            number.unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        Holds {
            rss_anon: number("RssAnon:"),
            threads: number("Threads:"),
            descriptors: std::fs::read_dir(format!("{proc}/fd"))
                .expect("its descriptors")
                .count(),
        }
    }
}

/// Plays so many sessions; gives what the daemon holds after the warm-up and at the end.
fn soak(sessions: u32, warm_up: u32) -> (Holds, Holds) {
    let program = std::env::var_os("CWMP_SOAK_AGENT").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_cwmp-agent")),
        PathBuf::from,
    );
    let acs = Acs::start(
        AcsConfig::default()
            .auth(Auth::Digest(DigestAuth::for_account(ACCOUNT.0, ACCOUNT.1)))
            .handler(|ctx, _| {
                if ctx.post == 1 {
                    ctx.script = script(ctx.session);
                }
                AcsReply::Auto
            }),
    )
    .expect("an ACS on loopback");
    let cpe = Cpe::new(&acs.url());
    cpe.option("username", ACCOUNT.0);
    cpe.option("password", ACCOUNT.1);
    // A reload is a process of its own, of which the daemon keeps nothing; it takes time.
    cpe.script("apply", "exit 0");
    let run_dir = cpe.router.path("/var/run/cwmp-agent");
    let ask = |question: &Question| match client::ask(&run_dir, question) {
        Ok(Some(answer)) => answer,
        other => panic!("the daemon does not answer: {other:?}\n{}", cpe.log()),
    };
    let daemon = Daemon::start(&cpe, &program);
    let (mut round, mut after_warm_up, mut at_the_end) = (None, None, None);
    let mut knocks = 0;
    let began = Instant::now();
    for n in 1..=sessions {
        // Ahead of its time: a knock may make a session of its own.
        let session = n + 2;
        if let Some((post, what)) = trouble(session) {
            acs.push_rule(Rule::once(When::In { session, post }, what));
        }
        if n > 1 {
            match n % ROUND {
                14 => {
                    let value = format!("set on the box {}", n % 40);
                    let items = vec![("Device.WiFi.SSID.2.SSID".to_owned(), value)];
                    assert_eq!(ask(&Question::Set { items }), Answer::Done);
                }
                16 if n % 200 == 16 => {
                    let url = "Device.ManagementServer.ConnectionRequestURL".to_owned();
                    let Answer::Values(found) = ask(&Question::Get { paths: vec![url] }) else {
                        panic!("no URL for connection requests");
                    };
                    let status = knock(&found[0].value, KNOCK.0, KNOCK.1).expect("a knock");
                    assert!(matches!(status, 200 | 204 | 503), "{status}");
                    knocks += u32::from(status < 300);
                }
                _ => {}
            }
            let begun = acs.wait_until(Duration::ZERO, |r| {
                (r.sessions.len() >= n as usize).then_some(())
            });
            if begun.is_none() {
                assert_eq!(ask(&Question::Inform { event: None }), Answer::Done);
            }
        }
        let ended = acs.wait_until(PATIENCE, |r| {
            let session = r.sessions.get(n as usize - 1)?;
            session.end.clone()
        });
        let Some(ended) = ended else {
            panic!("session {n} never ended\n{}", cpe.log());
        };
        let fails = matches!(n % ROUND, 7 | 12 | 17);
        assert_eq!(
            ended == SessionEnd::Complete,
            !fails,
            "session {n}: {ended:?}"
        );
        let mark = n.next_multiple_of(WARM_UP.min(warm_up)).min(sessions);
        if mark - n < MEASURED.min(warm_up) {
            // The ACS has seen the end; the daemon has still to settle it.
            let until = Instant::now() + PATIENCE;
            while !idle(&ask(&Question::Status)) {
                assert!(Instant::now() < until, "the daemon is never idle");
            }
            let holds = daemon.at_rest(until);
            round = Some(round.map_or(holds, |r: Holds| r.with(holds)));
        }
        if n == mark {
            let (seconds, busy) = (began.elapsed().as_secs(), daemon.processor());
            println!("{n} sessions, {seconds} s, {busy} ticks of processor time: {round:?}");
            if n == warm_up {
                after_warm_up = round;
            }
            at_the_end = round.take();
        }
        if n % 200 == 0 {
            acs.forget();
        }
    }
    assert!(sessions < 200 || knocks > 0, "no knock was heard");
    drop(daemon);
    acs.finish().unwrap();
    let both = after_warm_up.zip(at_the_end);
    both.expect("a warm-up shorter than the run")
}

fn same_descriptors_and_threads(before: Holds, after: Holds) {
    assert_eq!(before.descriptors, after.descriptors);
    assert_eq!((before.threads, after.threads), (THREADS, THREADS));
}

fn idle(status: &Answer) -> bool {
    matches!(status, Answer::Status(status) if status.running_since.is_none())
}

#[test]
fn descriptors_and_threads_are_the_same_after_every_kind_of_session() {
    let (before, after) = soak(60, 20);
    same_descriptors_and_threads(before, after);
}

/// The second of two questions may come while the session for the first is ordered and its
/// Inform not yet put together: it is told there, and no session follows for it.
#[test]
fn no_session_takes_place_without_an_event() {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS on loopback");
    let mut cpe = Cpe::new(&acs.url());
    cpe.start();
    acs.wait_session(1, PATIENCE).expect("the first session");
    let run_dir = cpe.router.path("/var/run/cwmp-agent");
    for round in 0..300 {
        let socket = run_dir.join("control.sock");
        let doors = [0, 1].map(|_| UnixStream::connect(&socket).expect("the control socket"));
        for mut door in &doors {
            door.write_all(b"{\"inform\":{\"event\":null}}\n")
                .expect("a question");
            // The second comes a little later each time: some hit the moment.
            let until = Instant::now() + Duration::from_micros(round);
            while Instant::now() < until {}
        }
        for mut door in &doors {
            let mut answer = String::new();
            door.read_to_string(&mut answer).expect("an answer");
            assert_eq!(answer.trim(), "\"done\"");
        }
        let sessions = acs.record().sessions.len() as u32;
        acs.wait_session(sessions, PATIENCE).expect("its end");
    }
    assert!(cpe.stop().success());
    // An Inform without an event is among what the ACS objects to.
    acs.finish().unwrap();
}

#[test]
#[ignore = "takes minutes; for a release build"]
fn ten_thousand_sessions_leave_memory_flat_and_descriptors_constant() {
    let sessions = std::env::var("CWMP_SOAK_SESSIONS").ok();
    let sessions = sessions.map_or(10_000, |n| n.parse().expect("a number of sessions"));
    let (before, after) = soak(sessions, WARM_UP);
    same_descriptors_and_threads(before, after);
    assert!(
        after.rss_anon <= before.rss_anon + GROWTH,
        "RssAnon grew from {} to {} kB",
        before.rss_anon,
        after.rss_anon
    );
}
