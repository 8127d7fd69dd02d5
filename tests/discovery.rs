//! Finding the ACS by DHCP (TR-069 3.1): the `dhcp` command with and without a daemon, who
//! wins, 0 BOOTSTRAP, asking DHCP again, and what a factory reset forgets.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::agent::control::{Answer, Question, client};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

const URL: &str = "Device.ManagementServer.URL";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const WAIT: &str = "Device.ManagementServer.CWMPRetryMinimumWaitInterval";
const MULTIPLIER: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";
/// Nobody listens there, and no other test ever will.
const DEAD: &str = "http://127.0.0.1:9/";

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("memory");
        text
    })
}

/// Sub-options as options 43 and 125 have them.
fn short(values: &[(u8, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (code, value) in values {
        out.extend([*code, u8::try_from(value.len()).expect("short")]);
        out.extend(value.as_bytes());
    }
    out
}

fn opt43(url: &str) -> String {
    hex(&short(&[(1, url)]))
}

fn opt125(values: &[(u8, &str)]) -> String {
    let data = short(values);
    let len = u8::try_from(data.len()).expect("short");
    hex(&[&[0, 0, 0x0d, 0xe9, len][..], &data].concat())
}

fn opt17(values: &[(u8, &str)]) -> String {
    let mut out = vec![0, 0, 0x0d, 0xe9];
    for (code, value) in values {
        out.extend([0, *code, 0, u8::try_from(value.len()).expect("short")]);
        out.extend(value.as_bytes());
    }
    hex(&out)
}

fn status(cpe: &Cpe) -> serde_json::Value {
    serde_json::from_str(&cpe.ok(&["status", "--json"])).expect("JSON")
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A router without an ACS and without a listener.
fn unprovisioned() -> Cpe {
    let cpe = Cpe::new("");
    cpe.without_listener();
    cpe
}

/// Makes this script the DHCP client, asked again once no ACS was reached for a second.
fn asking_again(cpe: &Cpe, script: &str) {
    cpe.script("renew", script);
    let renew = cpe.router.path("/bin/renew").display().to_string();
    cpe.agent_toml("[limits]\nrediscovery = \"1 s\"\ncommand = \"2 s\"\n");
    let toml = cpe.router.read("/etc/cwmp-agent/agent.toml").unwrap();
    let toml = format!("{toml}renew_dhcp = [{renew:?}, \"{{interface}}\"]\n");
    cpe.router
        .write("/etc/cwmp-agent/agent.toml", &toml)
        .unwrap();
}

// T-DSC-002
#[test]
fn an_empty_url_is_filled_by_option_43_and_the_acs_told_at_once() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.start();
    let out = cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert_eq!(out, format!("url={}\n", acs.url()));
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(cpe.get(URL), acs.url());
    assert_eq!(status(&cpe)["acs_url_by_dhcp"], true);
    let settings = cpe.router.read("/etc/config/cwmp").unwrap();
    assert!(
        !settings.contains(&acs.url()),
        "the operator's file is his own"
    );
    acs.finish().unwrap();
}

// T-DSC-002
#[test]
fn what_is_learnt_without_a_daemon_is_there_at_its_start_and_after_a_reboot() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.ok(&["dhcp", "--opt43", &hex(acs.url().as_bytes())]);
    assert_eq!(cpe.get(URL), acs.url());
    cpe.start();
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["1 BOOT"], "the same ACS as before");
    acs.finish().unwrap();
}

// T-DSC-003, RTY-005
#[test]
fn all_four_sub_options_are_in_the_model_and_in_force() {
    let mut cpe = unprovisioned();
    let all = short(&[(1, DEAD), (2, "gold.north"), (3, "300"), (4, "1000")]);
    let out = cpe.ok(&["dhcp", "--opt43", &hex(&all)]);
    assert_eq!(
        out,
        format!(
            "url={DEAD}\nprovisioning_code=gold.north\nretry_min_wait_interval=300\nretry_interval_multiplier=1000\n"
        )
    );
    let shown = |cpe: &Cpe| [URL, CODE, WAIT, MULTIPLIER].map(|path| cpe.get(path));
    assert_eq!(shown(&cpe), [DEAD, "gold.north", "300", "1000"]);
    cpe.start();
    assert_eq!(shown(&cpe), [DEAD, "gold.north", "300", "1000"]);
    cpe.wait_text("/tmp/log", |log| log.contains("next attempt in 300 s"));
    // What is set wins.
    cpe.ok(&[
        "set",
        &format!("{CODE}=silver"),
        &format!("{WAIT}=7"),
        &format!("{MULTIPLIER}=1000"),
    ]);
    cpe.ok(&[
        "dhcp",
        "--opt43",
        &hex(&short(&[(2, "bronze"), (3, "9"), (4, "4000")])),
    ]);
    assert_eq!(
        shown(&cpe),
        ["", "silver", "7", "1000"],
        "the answer as a whole is a new one"
    );
}

// T-DSC-003: the ProvisioningCode is always told.
#[test]
fn a_new_provisioning_code_is_a_change_that_the_acs_hears_of() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.start();
    let with_code = |code| hex(&short(&[(1, &acs.url()), (2, code)]));
    cpe.ok(&["dhcp", "--opt43", &with_code("first")]);
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    cpe.ok(&["dhcp", "--opt43", &with_code("second")]);
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    let told = session.inform.values.iter().find(|v| v.name == CODE);
    assert_eq!(told.unwrap().value, "second");
    acs.finish().unwrap();
}

// T-DSC-004, T-DSC-005
#[test]
fn option_125_and_dhcpv6_option_17_say_the_same() {
    let all = [
        (1, "http://acs.example/"),
        (2, "code"),
        (3, "30"),
        (4, "3000"),
    ];
    for (option, text) in [("--opt125", opt125(&all)), ("--opt17", opt17(&all))] {
        let cpe = unprovisioned();
        cpe.ok(&["dhcp", option, &text]);
        let shown = [URL, CODE, WAIT, MULTIPLIER].map(|path| cpe.get(path));
        assert_eq!(
            shown,
            ["http://acs.example/", "code", "30", "3000"],
            "{option}"
        );
    }
}

// T-DSC-005: both protocols at once do not take turns.
#[test]
fn dhcpv4_stays_before_dhcpv6_whoever_spoke_last() {
    let cpe = unprovisioned();
    cpe.ok(&["dhcp", "--opt43", &opt43("http://four.example/")]);
    cpe.ok(&["dhcp", "--opt17", &opt17(&[(1, "http://six.example/")])]);
    assert_eq!(cpe.get(URL), "http://four.example/");
}

// T-DSC-006
#[test]
fn a_url_that_the_acs_has_set_stays_whatever_dhcp_says_then() {
    let other = Acs::start(AcsConfig::default()).unwrap();
    let acs = Acs::start(AcsConfig::default()).unwrap();
    // The very URL that DHCP gave, but now the ACS has said so.
    acs.push_session(Script::of([set_values(&[(URL, "string", &acs.url())], "")]));
    let mut cpe = unprovisioned();
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/etc/config/cwmp", |text| text.contains(&acs.url()));
    cpe.ok(&["dhcp", "--opt43", &opt43(&other.url())]);
    assert_eq!(cpe.get(URL), acs.url());
    cpe.ok(&["inform", "periodic"]);
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["2 PERIODIC"]);
    assert_eq!(status(&cpe)["acs_url_by_dhcp"], false);
    assert_eq!(other.finish().unwrap().sessions.len(), 0);
    acs.finish().unwrap();
}

// T-EVT-004
#[test]
fn another_url_in_the_next_lease_is_another_acs() {
    let first = Acs::start(AcsConfig::default()).unwrap();
    let second = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&first.url())]);
    assert!(first.wait_session(1, PATIENCE).unwrap().complete());
    // A renewal with the same answer is none.
    cpe.ok(&["dhcp", "--opt43", &opt43(&first.url())]);
    cpe.ok(&["dhcp", "--opt43", &opt43(&second.url())]);
    let session = second.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    assert_eq!(first.finish().unwrap().sessions.len(), 1);
    second.finish().unwrap();
}

// T-DSC-007
#[test]
fn a_dead_acs_makes_the_dhcp_client_ask_again_and_the_new_answer_moves_the_agent() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    // As netifd's renew and the client's hook do it.
    let hook = hook(&acs.url());
    asking_again(
        &cpe,
        &format!("echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"\nexec {hook}"),
    );
    cpe.ok(&[
        "dhcp",
        "--opt43",
        &hex(&short(&[(1, DEAD), (3, "3600"), (4, "1000")])),
    ]);
    cpe.start();
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(cpe.router.read("/tmp/asked").unwrap(), "lo\n");
    assert_eq!(cpe.get(URL), acs.url());
    acs.finish().unwrap();
}

// DSC-006: the hooks hear the network beside it too.
#[test]
fn dhcpv6_is_asked_again_where_it_has_answered_or_there_is_a_network_for_it() {
    // The second one fails, which changes nothing.
    let script = "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"; [ \"$1\" = lo ]";
    for (answered, network) in [(true, false), (false, true)] {
        let mut cpe = unprovisioned();
        asking_again(&cpe, script);
        if network {
            let networks = cpe.router.read("/etc/config/network").unwrap();
            let networks = format!("{networks}\nconfig interface 'lo6'\n\toption proto 'dhcpv6'\n");
            cpe.router.write("/etc/config/network", &networks).unwrap();
        }
        match answered {
            true => cpe.ok(&["dhcp", "--opt17", &opt17(&[(1, DEAD)])]),
            false => cpe.ok(&["dhcp", "--opt43", &opt43(DEAD)]),
        };
        cpe.start();
        cpe.wait_text("/tmp/asked", |asked| asked == "lo\nlo6\n");
        assert!(!cpe.log().contains("warning: DHCP"), "{}", cpe.log());
    }
}

/// The program as the hook of a DHCP client calls it, with this answer.
fn hook(url: &str) -> String {
    let program = env!("CARGO_BIN_EXE_cwmp-agent");
    let answer = opt43(url);
    format!("{program} dhcp --root \"$CWMP_ROOT\" --opt43 {answer}")
}

// DSC-005
#[test]
fn an_agent_first_told_by_dhcp_goes_back_there_from_an_acs_that_cannot_be_reached() {
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", DEAD)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    // The very answer that was known.
    let hook = hook(&acs.url());
    asking_again(
        &cpe,
        &format!("echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"\nexec {hook}"),
    );
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/tmp/log", |log| log.contains("going back"));
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    assert_eq!(cpe.get(URL), acs.url());
    assert_eq!(cpe.router.read("/tmp/asked").unwrap(), "lo\n");
    acs.finish().unwrap();
}

// DSC-005: a line that is down must not cost the URL that the ACS has set.
#[test]
fn a_url_that_was_set_stays_until_dhcp_answers() {
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", DEAD)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    cpe.edit("acs", "retry_min_wait_interval", "1");
    cpe.edit("acs", "retry_interval_multiplier", "1000");
    asking_again(&cpe, "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"");
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_file("/tmp/asked");
    let failures = |log: &str| log.matches("session failed").count();
    let before = failures(&cpe.log());
    cpe.wait_text("/tmp/log", |log| failures(log) >= before + 2);
    assert_eq!(cpe.get(URL), DEAD);
    // An answer that names no ACS is no answer.
    cpe.ok(&["dhcp", "--opt17", &opt17(&[(2, "code")])]);
    assert_eq!(cpe.get(URL), DEAD);
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    assert_eq!(cpe.get(URL), acs.url());
    acs.finish().unwrap();
}

/// The next connection to an ACS that this test plays by itself.
fn next(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok((connection, _)) = listener.accept() {
            connection.set_nonblocking(false).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            return connection;
        }
        assert!(Instant::now() < until, "no connection");
        std::thread::sleep(Duration::from_millis(5));
    }
}

// DSC-005: the session that is under way when DHCP answers may reach the ACS after all.
#[test]
fn an_acs_that_is_reached_while_dhcp_is_asked_stays() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", &url)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    cpe.edit("acs", "retry_min_wait_interval", "1");
    cpe.edit("acs", "retry_interval_multiplier", "1000");
    asking_again(&cpe, "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"");
    cpe.start();
    let answer = opt43(&acs.url());
    cpe.ok(&["dhcp", "--opt43", &answer]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    // Closed unanswered until DHCP is asked.
    while !cpe.exists("/tmp/asked") {
        drop(next(&listener));
    }
    let mut connection = next(&listener);
    assert!(connection.read(&mut [0; 1024]).unwrap() > 0);
    cpe.ok(&["dhcp", "--opt43", &answer]);
    assert_eq!(cpe.get(URL), url);
    connection
        .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .unwrap();
    drop(connection);
    // The next session goes to the same ACS.
    drop(next(&listener));
    assert!(!cpe.log().contains("going back"), "{}", cpe.log());
    assert_eq!(cpe.get(URL), url);
    assert_eq!(acs.finish().unwrap().sessions.len(), 1);
}

// DSC-006: an ACS that has no time, or will not have us, is no reason to look for another.
#[test]
fn an_acs_that_answers_with_any_status_counts_as_reached() {
    let refusing =
        [401, 400, 503].map(|status| Rule::times(2, When::Always, Trouble::status(status)));
    let refusing = refusing
        .into_iter()
        .fold(AcsConfig::default(), AcsConfig::rule);
    let refusing = Acs::start(refusing).unwrap();
    let url = refusing.url();
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", &url)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    cpe.edit("acs", "retry_min_wait_interval", "1");
    cpe.edit("acs", "retry_interval_multiplier", "1000");
    asking_again(&cpe, "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"");
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/tmp/log", |log| log.matches("session ended").count() >= 2);
    // 400 is answered with an older version, in the same session.
    assert_eq!(cpe.log().matches("session failed").count(), 5);
    assert!(!cpe.exists("/tmp/asked"), "{}", cpe.log());
    assert_eq!(cpe.get(URL), url);
    assert_eq!(acs.finish().unwrap().sessions.len(), 1);
    refusing.finish().unwrap();
}

// DSC-005
#[test]
fn an_agent_first_told_in_another_way_never_falls_back_to_dhcp() {
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", DEAD)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    cpe.option("url", &acs.url());
    cpe.edit("acs", "retry_min_wait_interval", "1");
    cpe.edit("acs", "retry_interval_multiplier", "1000");
    asking_again(&cpe, "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"");
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/tmp/log", |log| log.matches("session failed").count() >= 4);
    assert!(!cpe.exists("/tmp/asked"), "{}", cpe.log());
    assert_eq!(cpe.get(URL), DEAD);
    assert_eq!(acs.finish().unwrap().sessions.len(), 1);
}

// A client that hangs holds up nothing else.
#[test]
fn a_reload_does_not_wait_for_a_dhcp_client_that_is_asked_again() {
    let mut cpe = unprovisioned();
    asking_again(
        &cpe,
        "echo \"$1\" >>\"$CWMP_ROOT/tmp/asked\"; exec sleep 600",
    );
    cpe.ok(&["dhcp", "--opt43", &opt43(DEAD)]);
    cpe.start();
    cpe.wait_file("/tmp/asked");
    cpe.ok(&["set", &format!("{CODE}=silver")]);
    assert_eq!(cpe.router.read("/tmp/reloads").unwrap(), "cwmp\n");
    assert!(
        !cpe.log().contains("cannot be asked again"),
        "it came after"
    );
    // By the time of a `command` source, not by that of a reboot.
    cpe.wait_text("/tmp/log", |log| log.contains("cannot be asked again"));
}

// T-DSC-008
#[test]
fn an_answer_of_no_use_is_refused_and_leaves_what_is_known() {
    let mut cpe = unprovisioned();
    cpe.ok(&["dhcp", "--opt43", &opt43("http://known.example/")]);
    let whole = opt43("http://other.example/");
    let cut = &whole[..whole.len() - 2];
    let code_only = opt17(&[(7, "x")]);
    for running in [false, true] {
        if running {
            cpe.edit("cpe", "enable", "0");
            cpe.start();
        }
        for (args, why) in [
            (["--opt43", cut], "cut short"),
            (["--opt43", "0100"], "no sub-option"),
            (["--opt125", "0000000902aabb"], "enterprise 3561"),
            (["--opt125", "00000de9ff01"], "cut short"),
            (["--opt17", &code_only], "no sub-option"),
            (["--opt43", &opt43("http://u:p@host/")], "credentials"),
        ] {
            let out = cpe.cli(&[&["dhcp"], &args[..]].concat());
            assert_eq!(out.status.code(), Some(1), "{args:?}");
            assert!(out.stdout.is_empty());
            assert!(stderr(&out).contains(why), "{args:?}: {}", stderr(&out));
        }
        for args in [["--opt43", "xyz"], ["--opt125", "012"], ["--opt17", ""]] {
            let out = cpe.cli(&[&["dhcp"], &args[..]].concat());
            assert_eq!(out.status.code(), Some(2), "{args:?}");
        }
        assert_eq!(cpe.get(URL), "http://known.example/");
    }
}

// T-DSC-009
#[test]
fn of_both_options_the_one_that_was_asked_for_counts() {
    let both = [
        opt43("http://a.example/"),
        opt125(&[(1, "http://b.example/")]),
    ];
    for (reqopts, url) in [
        ("121 125", "http://b.example/"),
        ("", "http://a.example/"),
        ("43 125", "http://a.example/"),
    ] {
        let cpe = unprovisioned();
        let out = cpe.ok(&[
            "dhcp",
            "--opt43",
            &both[0],
            "--opt125",
            &both[1],
            "--reqopts",
            reqopts,
        ]);
        assert_eq!(out, format!("url={url}\n"), "{reqopts:?}");
        assert_eq!(cpe.get(URL), url);
    }
}

#[test]
fn with_discovery_switched_off_nothing_that_dhcp_says_holds() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.edit("acs", "dhcp_discovery", "0");
    cpe.start();
    let all = short(&[(1, &acs.url()), (2, "code"), (3, "300")]);
    cpe.ok(&["dhcp", "--opt43", &hex(&all)]);
    assert_eq!([URL, CODE, WAIT].map(|path| cpe.get(path)), ["", "", "5"]);
    assert!(acs.record().sessions.is_empty());
    cpe.edit("acs", "dhcp_discovery", "1");
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(cpe.get(CODE), "code");
    acs.finish().unwrap();
}

// T-PER-002
#[test]
fn a_factory_reset_forgets_what_dhcp_said_and_the_first_use() {
    const FIRST_USE: &str = "Device.DeviceInfo.FirstUseDate";
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/tmp/log", |log| log.contains("session ended"));
    assert!(!cpe.get(FIRST_USE).starts_with("0001"));
    acs.push_session(Script::of([factory_reset()]));
    cpe.ok(&["inform", "periodic"]);
    assert!(acs.wait_session(2, PATIENCE).unwrap().complete());
    cpe.wait_file("/tmp/rebooted");
    assert_eq!(cpe.get(URL), "");
    assert!(cpe.get(FIRST_USE).starts_with("0001"));
    for file in ["discovery", "first_use"] {
        assert!(!cpe.exists(&format!("/etc/cwmp-agent/state/{file}")));
    }
    assert!(cpe.stop().success());
    cpe.new_boot();
    cpe.start();
    assert_eq!(cpe.get(URL), "");
    assert!(cpe.get(FIRST_USE).starts_with("0001"));
    assert_eq!(acs.finish().unwrap().sessions.len(), 2);
}

// PER-001
#[test]
fn where_the_first_acs_came_from_outlives_a_reboot() {
    let acs = Acs::start(
        AcsConfig::default().session(Script::of([set_values(&[(URL, "string", DEAD)], "")])),
    )
    .unwrap();
    let mut cpe = unprovisioned();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert_eq!(cpe.cli(&["run", "--once"]).status.code(), Some(0));
    assert_eq!(cpe.get(URL), DEAD);
    cpe.new_boot();
    asking_again(&cpe, &format!("exec {}", hook(&acs.url())));
    cpe.start();
    let session = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

/// Bypasses the command line's own checks.
fn told(cpe: &Cpe, opt43: &str) -> Answer {
    let question = Question::Dhcp {
        opt43: Some(opt43.to_owned()),
        opt125: None,
        opt17: None,
        asked: vec![43; 300],
    };
    let run_dir = cpe.router.path("/var/run/cwmp-agent");
    client::ask(&run_dir, &question)
        .expect("an answer")
        .expect("a daemon")
}

// T-DSC-008
#[test]
fn a_flood_of_answers_costs_one_small_file_and_no_session() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.edit("cpe", "enable", "0");
    cpe.start();
    for n in 0..300 {
        let long = format!("http://{n}.example/{}", "x".repeat(230));
        match n % 3 {
            0 => assert!(matches!(told(&cpe, &opt43(&long)), Answer::Learned { .. })),
            1 => assert!(matches!(
                told(&cpe, &"01".repeat(20_000)),
                Answer::Failed(_)
            )),
            _ => assert!(matches!(told(&cpe, "0xzz"), Answer::Failed(_))),
        }
    }
    let state = cpe.router.path("/etc/cwmp-agent/state/discovery");
    assert!(std::fs::metadata(state).unwrap().len() < 1_024);
    assert!(cpe.get(URL).starts_with("http://297.example/"));
    told(&cpe, &opt43(&acs.url()));
    cpe.edit("cpe", "enable", "1");
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}

#[test]
fn an_acs_that_empties_the_url_or_the_code_leaves_what_dhcp_says() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    cpe.start();
    let all = short(&[(1, &acs.url()), (2, "code")]);
    cpe.ok(&["dhcp", "--opt43", &hex(&all)]);
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    for (path, dhcp) in [(URL, acs.url()), (CODE, "code".to_owned())] {
        cpe.ok(&["set", &format!("{path}={dhcp}")]);
        cpe.ok(&["set", &format!("{path}=")]);
        assert_eq!(cpe.get(path), dhcp);
    }
    acs.finish().unwrap();
}

// The disk is full, or read-only, when DHCP speaks.
#[test]
fn an_answer_that_cannot_be_kept_is_refused_without_a_daemon_and_used_with_one() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let mut cpe = unprovisioned();
    // A folder that is not empty stands in the way; so do those that it could be moved to.
    for name in ["discovery"]
        .into_iter()
        .map(str::to_owned)
        .chain((1..=64).map(|n| format!("discovery.bad-{n}")))
    {
        let dir = format!("/etc/cwmp-agent/state/{name}/x");
        cpe.router.write(&dir, "x").unwrap();
    }
    let out = cpe.cli(&["dhcp", "--opt43", &opt43(&acs.url())]);
    assert_eq!(out.status.code(), Some(1), "{}", stderr(&out));
    assert!(stderr(&out).contains("cannot be kept"));
    cpe.start();
    cpe.ok(&["dhcp", "--opt43", &opt43(&acs.url())]);
    let session = acs.wait_session(1, PATIENCE).unwrap();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}
