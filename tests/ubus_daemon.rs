//! The daemon on the message bus: its object `tr069`, and what it hears of netifd. The real
//! program as a process of its own, a stand-in for ubusd, an ACS.

mod acs;
mod cpe;
mod ubusd;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::ubus::{CallError, Caller, Status};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ubusd::{Manners, Running, Table, Ubusd, table};

const SOCKET: &str = "/var/run/ubus/ubus.sock";
const URL: &str = "Device.ManagementServer.URL";

/// A router whose agent.toml names the bus, and has `more`.
fn cpe(url: &str, more: &str) -> Cpe {
    let cpe = Cpe::new(url);
    cpe.without_listener();
    cpe.without_ticks();
    cpe.agent_toml(more);
    let toml = cpe.router.read("/etc/cwmp-agent/agent.toml").unwrap();
    // Its last table is [platform].
    let toml = format!("{toml}ubus_socket = {SOCKET:?}\n");
    cpe.router
        .write("/etc/cwmp-agent/agent.toml", &toml)
        .unwrap();
    cpe
}

fn socket(cpe: &Cpe) -> PathBuf {
    cpe.router.path(SOCKET)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn offered(ubusd: &Running) {
    until("the object comes", || {
        ubusd.with(|u| u.paths().contains(&"tr069"))
    });
}

/// `ubus call tr069 METHOD ARGUMENTS`.
fn call(cpe: &Cpe, method: &str, arguments: &str) -> Result<Table, CallError> {
    call_at(&socket(cpe), method, arguments)
}

fn call_at(socket: &Path, method: &str, arguments: &str) -> Result<Table, CallError> {
    let mut caller = Caller::new(socket);
    let deadline = Instant::now() + PATIENCE;
    let mut answers = caller.call("tr069", method, &table(arguments), deadline)?;
    assert_eq!(answers.len(), 1);
    Ok(answers.remove(0))
}

fn taken(answer: Result<Table, CallError>) -> bool {
    let answer = answer.expect("an answer");
    assert!(answer["info"].as_str().is_some_and(|info| !info.is_empty()));
    match answer["status"].as_i64() {
        Some(1) => true,
        Some(-1) => false,
        other => panic!("{other:?}"),
    }
}

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE).expect("a session");
    assert!(session.complete(), "{number}: {:?}", session.end);
    session
}

#[test]
fn a_session_is_asked_for_over_the_bus_as_by_the_command() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = cpe(&acs.url(), "");
    let ubusd = Ubusd::listen(&socket(&cpe)).run();
    cpe.start();
    complete(&acs, 1);
    offered(&ubusd);
    assert!(taken(call(&cpe, "inform", r#"{"event":"2 PERIODIC"}"#)));
    assert_eq!(complete(&acs, 2).events(), ["2 PERIODIC"]);
    assert!(taken(call(&cpe, "inform", "{}")));
    assert_eq!(complete(&acs, 3).events(), ["6 CONNECTION REQUEST"]);
    assert!(taken(call(&cpe, "command", r#"{"command":"inform"}"#)));
    assert_eq!(complete(&acs, 4).events(), ["6 CONNECTION REQUEST"]);
    // What cannot be is said, and nothing comes of it.
    assert!(!taken(call(&cpe, "inform", r#"{"event":"nonsense"}"#)));
    let bad = CallError::Refused(Status::InvalidArgument);
    for arguments in [
        "{}",
        r#"{"command":"exit"}"#,
        r#"{"command":"reboot"}"#,
        r#"{"command":"reload; reboot"}"#,
        r#"{"command":["reload"]}"#,
    ] {
        assert_eq!(call(&cpe, "command", arguments), Err(bad.clone()));
    }
    assert_eq!(call(&cpe, "inform", r#"{"event":7}"#), Err(bad));
    let unknown = CallError::Refused(Status::MethodNotFound);
    assert_eq!(call(&cpe, "reset", "{}"), Err(unknown));
    cpe.option("url", "");
    cpe.signal(nix::sys::signal::Signal::SIGHUP);
    until("the ACS is gone", || cpe.get(URL).is_empty());
    until("and is missed", || !taken(call(&cpe, "inform", "{}")));
    assert!(!taken(call(&cpe, "notify", "{}")));
    assert_eq!(acs.record().sessions.len(), 4);
    acs.finish().unwrap();
}

#[test]
fn status_tells_of_sessions_and_never_a_secret() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = cpe(&acs.url(), "");
    cpe.option("password", "acs-secret");
    cpe.option("retry_min_wait_interval", "3600");
    let ubusd = Ubusd::listen(&socket(&cpe)).run();
    cpe.start();
    complete(&acs, 1);
    offered(&ubusd);
    cpe.wait_status(|told| told["running_since"].is_null());
    cpe.option(
        "url",
        "http://someone:url-secret@127.0.0.1:9/?token=query-secret",
    );
    cpe.wait_status(|told| told["last_session"]["failure"].is_string());
    let told = cpe.wait_status(|told| told["running_since"].is_null());
    let answer = call(&cpe, "status", "{}").unwrap();
    assert_eq!(answer["cwmp"]["status"], "up");
    let url = answer["cwmp"]["acs_url"].as_str().unwrap();
    assert!(
        url.starts_with("http://") && url.contains("127.0.0.1:9"),
        "{url}"
    );
    let started = answer["cwmp"]["start_time"].as_str().unwrap();
    let time = |seconds: &Value| cwmp_agent::agent::status::utc(seconds.as_i64().unwrap());
    assert!(started <= time(&told["sessions"][1]["started"]).as_str());
    let sessions = answer["sessions"].as_array().unwrap();
    let known = told["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), known.len());
    for (session, known) in sessions.iter().zip(known) {
        assert_eq!(session["start_time"], time(&known["started"]));
        assert_eq!(session["end_time"], time(&known["ended"]));
        assert_eq!(session["events"], known["events"]);
    }
    assert_eq!(sessions[0]["status"], "failure");
    assert!(
        sessions[0]["info"]
            .as_str()
            .is_some_and(|why| !why.is_empty())
    );
    assert_eq!(sessions[1]["status"], "success");
    assert_eq!(sessions[1]["events"], json!(["0 BOOTSTRAP", "1 BOOT"]));
    assert_eq!(answer["last_session"], sessions[0]);
    assert_eq!(answer["next_session"]["status"], "waiting");
    assert_eq!(
        answer["next_session"]["start_time"],
        time(&told["next_session"]["at"])
    );
    let counts = json!({"success_sessions": 1, "failure_sessions": 1, "total_sessions": 2});
    assert_eq!(answer["statistics"], counts);
    let text = Value::Object(answer).to_string() + &cpe.log();
    assert!(!text.contains("secret"), "{text}");
    // The sessions outlive the daemon, its counts do not.
    assert!(cpe.stop().success());
    assert_eq!(cpe.status()["sessions"], told["sessions"]);
    cpe.edit("cpe", "enable", "0");
    cpe.start();
    offered(&ubusd);
    let answer = call(&cpe, "status", "{}").unwrap();
    assert_eq!(answer["cwmp"]["status"], "disabled");
    assert_eq!(answer["sessions"].as_array().unwrap().len(), known.len());
    assert_eq!(answer["statistics"]["total_sessions"], 0);
    assert_eq!(answer["next_session"], json!({"status": "none"}));
    acs.finish().unwrap();
}

#[test]
fn in_the_middle_of_a_session_it_answers_at_once() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = cpe(&acs.url(), "");
    let ubusd = Ubusd::listen(&socket(&cpe)).run();
    cpe.start();
    complete(&acs, 1);
    offered(&ubusd);
    let socket = socket(&cpe);
    acs.push_session(Script::new().then_with(get_values(&[URL]), move |_| {
        let answer = call_at(&socket, "status", "{}").unwrap();
        assert_eq!(answer["next_session"]["status"], "running");
        assert!(taken(call_at(&socket, "inform", "{}")));
        vec![Step::Send(get_values(&[URL]))]
    }));
    assert!(taken(call(&cpe, "inform", r#"{"event":"periodic"}"#)));
    let session = complete(&acs, 2);
    assert_eq!(session.events(), ["2 PERIODIC"]);
    assert_eq!(
        session.messages_named("GetParameterValuesResponse").len(),
        2
    );
    assert_eq!(complete(&acs, 3).events(), ["6 CONNECTION REQUEST"]);
    acs.finish().unwrap();
}

// T-ATT-002
#[test]
fn notify_makes_it_look_at_watched_values_at_once() {
    const STATE: &str = "Device.IP.Interface.2.Status";
    let script = Script::of([set_notification(&[(STATE, 2)])]);
    let acs = Acs::start(AcsConfig::default().session(script)).unwrap();
    let mut cpe = cpe(&acs.url(), "[limits]\nwatch_interval = \"1 h\"");
    let ubusd = Ubusd::listen(&socket(&cpe)).run();
    let operstate = "/sys/class/net/br-lan.1/operstate";
    let set = |state: &str| cpe.router.write(operstate, state).unwrap();
    set("up\n");
    let before = cpe.get(STATE);
    assert_eq!(before, "Up");
    cpe.start();
    complete(&acs, 1);
    offered(&ubusd);
    cpe.wait_status(|told| told["running_since"].is_null());
    for (number, state, word) in [(2, "dormant\n", "Dormant"), (3, "up\n", "Up")] {
        cpe.router.write(operstate, state).unwrap();
        match number {
            2 => assert!(taken(call(&cpe, "notify", "{}"))),
            // A network that goes up or down is noticed by itself.
            _ => ubusd.with(|u| {
                u.event(
                    "network.interface",
                    r#"{"action":"ifup","interface":"lan"}"#,
                );
            }),
        }
        let session = complete(&acs, number);
        assert_eq!(session.events(), ["4 VALUE CHANGE"]);
        let told = session.inform.values.iter().find(|v| v.name == STATE);
        assert_eq!(told.unwrap().value, word);
        cpe.wait_status(|told| told["running_since"].is_null());
    }
    acs.finish().unwrap();
}

#[test]
fn the_configuration_is_read_again_by_command() {
    let mut cpe = cpe("", "");
    let ubusd = Ubusd::listen(&socket(&cpe)).run();
    cpe.start();
    offered(&ubusd);
    assert!(taken(call(&cpe, "command", r#"{"command":"reload"}"#)));
    cpe.wait_text("/tmp/log", |log| {
        log.contains("reading the configuration again")
    });
}

#[test]
fn ubusd_comes_goes_and_comes_back_without_a_word_too_many() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = cpe(&acs.url(), "");
    cpe.start();
    complete(&acs, 1);
    // Absent is what it is.
    assert!(!cpe.log().contains("ubus"), "{}", cpe.log());
    for round in 0..3 {
        let ubusd = Ubusd::listen(&socket(&cpe)).run();
        offered(&ubusd);
        assert!(taken(call(&cpe, "inform", "{}")), "{round}");
        complete(&acs, round + 2);
        drop(ubusd);
        cpe.ok(&["status"]);
    }
    let log = cpe.log();
    let words = log
        .lines()
        .filter(|l| l.contains("ubus") && !l.contains("debug"));
    assert_eq!(words.count(), 1, "{log}");
    acs.finish().unwrap();
}

#[test]
fn an_object_that_ubusd_refuses_is_told_once() {
    let mut cpe = cpe("", "");
    let mut ubusd = Ubusd::listen(&socket(&cpe));
    ubusd.forbidden.push("tr069".to_owned());
    let ubusd = ubusd.run();
    cpe.start();
    cpe.wait_text("/tmp/log", |log| {
        log.contains("the object tr069 is not taken")
    });
    for _ in 0..2 {
        let came = ubusd.with(|u| u.came);
        ubusd.with(Ubusd::hang_up);
        until("it comes back", || ubusd.with(|u| u.came) > came);
        cpe.ok(&["status"]);
    }
    assert_eq!(cpe.log().matches("not taken").count(), 1, "{}", cpe.log());
}

#[test]
fn whatever_ubusd_says_the_daemon_goes_on_and_leaves_it_alone_for_a_while() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    for (round, manners) in [
        Manners::GarbageGreeting,
        Manners::NoGreeting,
        Manners::Leaves,
        Manners::Silent,
        Manners::Garbage,
        Manners::HugeLength,
        Manners::HalfMessage,
        Manners::BrokenBlob,
        Manners::Strays,
        Manners::Endless,
    ]
    .into_iter()
    .enumerate()
    {
        let mut cpe = cpe(&acs.url(), "");
        cpe.edit("cpe", "interface", "lo");
        let mut ubusd = Ubusd::listen(&socket(&cpe));
        ubusd.answer("network.interface.lo", "status", Ok("{}"));
        ubusd.manners = manners;
        let ubusd = ubusd.run();
        cpe.start();
        let number = u32::try_from(round).unwrap() + 1;
        assert!(complete(&acs, number).events().contains(&"0 BOOTSTRAP"));
        let since = Instant::now();
        let came = ubusd.with(|u| u.came);
        while since.elapsed() < Duration::from_millis(300) {
            assert_eq!(cpe.status()["daemon"], true, "{manners:?}");
        }
        // At the start, when it began, and after 1 s or 2 s.
        let again = ubusd.with(|u| u.came) - came;
        assert!(again <= 2, "{manners:?}: {again} times");
        assert!(cpe.stop().success(), "{manners:?}");
    }
    acs.finish().unwrap();
}

#[test]
fn below_another_root_no_ubusd_is_asked_unless_it_is_named() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    for named in [None, Some("ubus_socket = \"\"\n")] {
        let mut cpe = Cpe::new(&acs.url());
        let toml = cpe.router.read("/etc/cwmp-agent/agent.toml").unwrap();
        let toml = format!("{toml}{}", named.unwrap_or_default());
        cpe.router
            .write("/etc/cwmp-agent/agent.toml", &toml)
            .unwrap();
        let ubusd = Ubusd::listen(&socket(&cpe)).run();
        cpe.start();
        cpe.wait_status(|told| told["last_session"].is_object());
        cpe.ok(&["get", "Device."]);
        assert_eq!(ubusd.with(|u| u.came), 0);
        assert!(cpe.stop().success());
    }
    acs.finish().unwrap();
}

/// A network whose device no file tells, as a wireless client's.
fn wireless_uplink(cpe: &Cpe) {
    let network = cpe.router.read("/etc/config/network").unwrap();
    let more = format!("{network}\nconfig interface 'wwan'\n\toption proto 'dhcp'\n");
    cpe.router.write("/etc/config/network", &more).unwrap();
    cpe.edit("cpe", "interface", "wwan");
}

const STATUS: &str = "network.interface.wwan";

#[test]
fn a_network_whose_device_only_netifd_knows_is_kept_to() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let cpe = cpe(&acs.url(), "");
    wireless_uplink(&cpe);
    // Nobody knows: the way is closed.
    let out = cpe.cli(&["run", "--once"]);
    assert_eq!(out.status.code(), Some(3));
    assert_eq!(acs.record().sessions.len(), 0);
    let mut ubusd = Ubusd::listen(&socket(&cpe));
    ubusd.answer(STATUS, "status", Ok(r#"{"up":true,"l3_device":"lo"}"#));
    let ubusd = ubusd.run();
    cpe.ok(&["run", "--once"]);
    complete(&acs, 1);
    // A name that is none, or none at all: closed again.
    for bad in [
        r#"{"up":false}"#,
        r#"{"l3_device":"../lo"}"#,
        r#"{"l3_device":["lo"]}"#,
    ] {
        ubusd.with(|u| u.answer(STATUS, "status", Ok(bad)));
        assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(3), "{bad}");
    }
    assert_eq!(acs.record().sessions.len(), 1);
    acs.finish().unwrap();
}

#[test]
fn the_listener_moves_with_the_device_that_netifd_tells() {
    let mut cpe = cpe("", "");
    wireless_uplink(&cpe);
    cpe.edit("cpe", "http_connection_request", "1");
    let mut ubusd = Ubusd::listen(&socket(&cpe));
    ubusd.answer(STATUS, "status", Ok(r#"{"up":false,"pending":true}"#));
    let ubusd = ubusd.run();
    cpe.start();
    offered(&ubusd);
    assert_eq!(cpe.status()["connection_request_url"], "");
    let listens = |ubusd: &Running| {
        until("it listens for events", || {
            ubusd.with(|u| u.listeners()) == 1
        });
    };
    listens(&ubusd);
    ubusd.with(|u| {
        u.answer(STATUS, "status", Ok(r#"{"up":true,"l3_device":"lo"}"#));
        u.event(
            "network.interface",
            r#"{"action":"ifup","interface":"wwan"}"#,
        );
    });
    let here = |told: &Value| {
        told["connection_request_url"]
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    let told = cpe.wait_status(|told| here(told).starts_with("http://127.0.0.1:"));
    // ubusd away for a moment changes nothing.
    drop(ubusd);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(here(&cpe.status()), here(&told));
    let mut ubusd = Ubusd::listen(&socket(&cpe));
    ubusd.answer(STATUS, "status", Ok(r#"{"up":false}"#));
    let _ubusd = ubusd.run();
    cpe.wait_status(|told| here(told).is_empty());
}

#[test]
fn a_netifd_that_did_not_answer_is_asked_again() {
    let mut cpe = cpe("", "");
    wireless_uplink(&cpe);
    cpe.edit("cpe", "http_connection_request", "1");
    let mut ubusd = Ubusd::listen(&socket(&cpe));
    ubusd.answer(STATUS, "status", Ok(r#"{"up":true,"l3_device":"lo"}"#));
    ubusd.manners = Manners::Silent;
    let ubusd = ubusd.run();
    cpe.start();
    offered(&ubusd);
    // At the start, and once connected.
    until("it is asked", || ubusd.with(|u| u.calls.len()) == 2);
    ubusd.with(|u| u.manners = Manners::Good);
    cpe.wait_status(|told| told["connection_request_url"] != "");
}
