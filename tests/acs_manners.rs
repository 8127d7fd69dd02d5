//! What an ACS may ask of the agent's manners, and what it may be unable to: an old CWMP
//! version, no optional methods, a wait before the next attempt.

mod acs;
mod cpe;
mod shared;

use acs::*;
use cpe::{Cpe, PATIENCE};
use cwmp_agent::store::state::StateDir;

/// `run --once` that must end with this exit status; what it logged.
fn once(cpe: &Cpe, status: i32) -> String {
    let out = cpe.cli(&["run", "--once", "-v"]);
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(status), "{log}");
    log
}

fn start(config: AcsConfig) -> Acs {
    Acs::start(config).expect("an ACS")
}

/// The minor versions of all Informs, in order.
fn offers(acs: &Acs) -> Vec<Option<u8>> {
    acs.record()
        .sessions
        .iter()
        .map(|s| s.inform.minor)
        .collect()
}

// ---- versions ------------------------------------------------------------------------

/// An ACS that speaks only the oldest CWMP and refuses everything else like this.
fn old_acs(refusal: Trouble) -> Acs {
    start(AcsConfig::default().handler(move |_, message| {
        if message.name == "Inform" && message.minor != Some(0) {
            AcsReply::Trouble(refusal.clone())
        } else {
            AcsReply::Auto
        }
    }))
}

// T-SOP-023, T-SOP-022
#[test]
fn an_acs_that_knows_only_an_old_version_is_offered_it_at_once_and_from_then_on() {
    for (what, refusal) in [
        ("400", Trouble::status(400)),
        ("8006", Trouble::Fault(8006)),
        ("8000", Trouble::Fault(8000)),
        ("8003", Trouble::Fault(8003)),
    ] {
        let acs = old_acs(refusal);
        let cpe = Cpe::new(&acs.url());
        once(&cpe, 0);
        assert_eq!(offers(&acs), [Some(2), Some(0)], "{what}");
        let record = acs.record();
        let second = record.sessions[1]
            .inform
            .inform
            .as_ref()
            .expect("an Inform");
        assert_eq!(second.retry_count, 0, "{what}");
        let codes: Vec<&str> = second.events.iter().map(|e| e.code.as_str()).collect();
        assert_eq!(codes, ["0 BOOTSTRAP", "1 BOOT"], "{what}");
        assert!(
            !record.sessions[1]
                .inform
                .raw
                .contains("SupportedCWMPVersions")
        );
        assert_eq!(record.connections, 1, "{what}: on the same connection");
        // Another run of the agent knows it.
        once(&cpe, 0);
        assert_eq!(offers(&acs), [Some(2), Some(0), Some(0)], "{what}");
        // Another ACS is offered everything, and this one, too, by another firmware.
        let other = start(AcsConfig::default());
        cpe.option("url", &other.url());
        once(&cpe, 0);
        assert_eq!(offers(&other), [Some(2)], "{what}");
        cpe.option("url", &acs.url());
        cpe.edit("device", "software_version", "99.1");
        once(&cpe, 0);
        assert_eq!(offers(&acs)[3..], [Some(2), Some(0)], "{what}");
        other.finish().unwrap();
        acs.finish().unwrap();
    }
}

// T-SOP-023
#[test]
fn the_namespace_of_a_refusal_tells_what_to_offer() {
    let style = SoapStyle {
        minor: 1,
        ..SoapStyle::default()
    };
    let refuse = Rule::once(When::Message("Inform"), Trouble::Fault(8006));
    let acs = start(AcsConfig::default().style(style).rule(refuse));
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    assert_eq!(offers(&acs), [Some(2), Some(1)]);
    acs.finish().unwrap();
}

#[test]
fn an_acs_that_refuses_every_version_is_a_failed_session_and_offered_all_again() {
    let refuse = Rule::times(4, When::Message("Inform"), Trouble::Fault(8006));
    let acs = start(AcsConfig::default().rule(refuse));
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 3);
    once(&cpe, 3);
    once(&cpe, 0);
    assert_eq!(offers(&acs), [Some(2), Some(0), Some(2), Some(0), Some(2)]);
    let last = acs.record().sessions[4]
        .inform
        .inform
        .clone()
        .expect("an Inform");
    assert_eq!(last.retry_count, 2, "a fallback is no retry");
    acs.finish().unwrap();
}

// T-SES-030, T-FLW-006
#[test]
fn a_refusal_by_an_acs_that_has_taken_the_version_before_has_another_reason() {
    for (what, refusal) in [
        ("400", Trouble::already_in_session()),
        ("8003", Trouble::Fault(8003)),
    ] {
        let refuse = Rule::once(
            When::In {
                session: 2,
                post: 1,
            },
            refusal,
        );
        let acs = start(AcsConfig::default().rule(refuse));
        let cpe = Cpe::new(&acs.url());
        once(&cpe, 0);
        cpe.new_boot();
        once(&cpe, 3);
        once(&cpe, 0);
        assert_eq!(offers(&acs), [Some(2); 3], "{what}");
        // T-FLW-006: the events of the refused Inform come again.
        let last = acs.record().sessions[2]
            .inform
            .inform
            .clone()
            .expect("an Inform");
        assert_eq!(last.retry_count, 1, "{what}");
        assert!(last.events.iter().any(|e| e.code == "1 BOOT"), "{what}");
        acs.finish().unwrap();
    }
}

// T-SOP-023
#[test]
fn a_version_that_is_refused_again_and_again_is_not_taken_for_known_any_more() {
    let refuse = |session| Rule::once(When::In { session, post: 1 }, Trouble::status(400));
    let config = (2..=5).fold(AcsConfig::default(), |config, session| {
        config.rule(refuse(session))
    });
    let acs = start(config);
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    // Another ACS is behind the URL now.
    for _ in 0..3 {
        once(&cpe, 3);
    }
    once(&cpe, 0);
    let all = [Some(2), Some(2), Some(2), Some(2), Some(2), Some(0)];
    assert_eq!(offers(&acs), all);
    acs.finish().unwrap();
}

// T-SOP-019, T-SOP-020
#[test]
fn the_inform_tells_the_versions_and_how_long_to_wait() {
    let acs = start(AcsConfig::default());
    let cpe = Cpe::new(&acs.url());
    cpe.agent_toml("[limits]\nrequest_deadline = \"7 s\"\nconnect_wait = \"11 s\"\n");
    once(&cpe, 0);
    cpe.edit("acs", "cwmp_version", "1.2");
    once(&cpe, 0);
    let record = acs.record();
    let header = |n: usize, name: &str| {
        let raw = &record.sessions[n].inform.raw;
        let (_, after) = raw.split_once(&format!("<cwmp:{name} "))?;
        let (tag, rest) = after.split_once('>')?;
        let (value, _) = rest.split_once('<')?;
        Some((tag.to_owned(), value.to_owned()))
    };
    let (tag, value) = header(0, "SupportedCWMPVersions").expect("a list");
    assert_eq!(value, "1.0,1.1,1.2,1.3,1.4");
    assert!(tag.contains("mustUnderstand=\"0\""), "{tag}");
    let (tag, value) = header(0, "SessionTimeout").expect("a time");
    assert_eq!(value, "18");
    assert!(tag.contains("mustUnderstand=\"0\""), "{tag}");
    assert_eq!(header(1, "SessionTimeout"), None, "1.2 does not have it");
    acs.finish().unwrap();
}

// ---- methods -------------------------------------------------------------------------

/// How often GetRPCMethods came in each session.
fn asked(acs: &Acs) -> Vec<usize> {
    acs.record()
        .sessions
        .iter()
        .map(|s| s.messages_named("GetRPCMethods").len())
        .collect()
}

// T-FLW-002
#[test]
fn the_methods_of_an_acs_are_asked_for_once_and_by_a_new_firmware_again() {
    let acs = start(AcsConfig::default());
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    let record = acs.record();
    let names: Vec<&str> = record.sessions[0]
        .messages
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["Inform", "GetRPCMethods", ""],
        "before the empty POST"
    );
    once(&cpe, 0);
    cpe.edit("device", "software_version", "99.1");
    once(&cpe, 0);
    assert_eq!(asked(&acs), [1, 0, 1]);
    let state = StateDir::open(&cpe.router.path("/etc/cwmp-agent/state")).expect("a folder");
    let kept = state.load_bytes("acs").expect("what is known of the ACS");
    let kept = String::from_utf8(kept).expect("text");
    assert!(kept.contains("TransferComplete"), "{kept}");
    acs.finish().unwrap();
}

// T-FLW-005
#[test]
fn the_question_is_repeated_while_the_acs_wants_it_so() {
    let again = Rule::times(2, When::Message("GetRPCMethods"), Trouble::Fault(8005));
    let acs = start(AcsConfig::default().rule(again));
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    assert_eq!(asked(&acs), [3]);
    acs.finish().unwrap();
}

// T-FLW-010
#[test]
fn an_acs_that_does_not_know_the_question_is_not_asked_again() {
    for trouble in [Trouble::Fault(8000), Trouble::MalformedFault] {
        let name = trouble.name();
        let refuse = Rule::once(When::Message("GetRPCMethods"), trouble);
        let acs = start(AcsConfig::default().rule(refuse));
        let cpe = Cpe::new(&acs.url());
        once(&cpe, 0);
        once(&cpe, 0);
        assert_eq!(asked(&acs), [1, 0], "{name}");
        acs.finish().unwrap();
    }
}

// T-FLW-013
#[test]
fn an_acs_that_breaks_off_over_the_question_has_its_turn_in_the_next_session() {
    let broken = || Trouble::Status(HttpReply::status(500));
    let refuse = Rule::times(9, When::Message("GetRPCMethods"), broken());
    let acs = start(AcsConfig::default().rule(refuse));
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 3);
    for _ in 0..3 {
        once(&cpe, 0);
    }
    assert_eq!(asked(&acs), [1, 0, 0, 0]);
    // The InformResponse had come: the bootstrap is not told again.
    let second = acs.record().sessions[1]
        .inform
        .inform
        .clone()
        .expect("an Inform");
    assert!(
        second.events.iter().all(|e| e.code != "0 BOOTSTRAP"),
        "{:?}",
        second.events
    );
    assert_eq!(second.retry_count, 1);
    acs.finish().unwrap();
}

/// An ACS that makes this of GetRPCMethods: the messages of the first session, and how often
/// it was asked in two.
fn over_the_question(reply: impl Fn() -> AcsReply + Send + 'static) -> (Vec<String>, Vec<usize>) {
    let acs = start(
        AcsConfig::default().handler(move |_, message| match message.name.as_str() {
            "GetRPCMethods" => reply(),
            _ => AcsReply::Auto,
        }),
    );
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    once(&cpe, 0);
    let record = acs.record();
    let names = record.sessions[0].messages.iter().map(|m| m.name.clone());
    (names.collect(), asked(&acs))
}

#[test]
fn an_empty_reply_to_the_question_lists_nothing_and_costs_no_session() {
    let (messages, asked) = over_the_question(|| AcsReply::Http(HttpReply::status(204)));
    assert_eq!(messages, ["Inform", "GetRPCMethods", ""]);
    assert_eq!(asked, [1, 0]);
}

#[test]
fn an_acs_that_takes_the_question_for_its_turn_has_its_turn() {
    let up_time = || AcsReply::Send(get_values(&["Device.DeviceInfo.UpTime"]));
    let (messages, asked) = over_the_question(up_time);
    assert_eq!(
        messages,
        ["Inform", "GetRPCMethods", "GetParameterValuesResponse"]
    );
    assert_eq!(asked, [1, 0]);
}

// T-SOP-007, T-SOP-008
#[test]
fn while_the_acs_holds_requests_the_question_waits() {
    let acs = start(
        AcsConfig::default().session(
            Script::new()
                .holding(true)
                .then(get_values(&["Device.DeviceInfo.UpTime"]))
                .step(Step::Hold(Some(false)))
                .then(get_values(&["Device.DeviceInfo.UpTime"])),
        ),
    );
    let cpe = Cpe::new(&acs.url());
    once(&cpe, 0);
    let session = acs.wait_session(1, PATIENCE).expect("a session");
    let names: Vec<&str> = session.messages.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Inform",
            "",
            "GetParameterValuesResponse",
            "GetParameterValuesResponse",
            "GetRPCMethods",
            "",
        ]
    );
    acs.finish().unwrap();
}

// ---- compression ---------------------------------------------------------------------

fn compressing(replies_in: Option<&'static str>, takes: Takes) -> Behaviour {
    Behaviour {
        takes,
        replies_in,
        ..Behaviour::default()
    }
}

// T-SES-031
#[test]
fn messages_are_compressed_from_the_session_after_the_one_that_wants_it() {
    for (value, coding) in [("GZIP", "gzip"), ("Deflate", "deflate")] {
        let set = set_values(
            &[("Device.ManagementServer.HTTPCompression", "string", value)],
            "k",
        );
        let digest = Auth::Digest(DigestAuth {
            qop: Some("auth-int".into()),
            ..DigestAuth::for_account("user", "secret")
        });
        let acs = start(
            AcsConfig::default()
                .auth(digest)
                .behaviour(compressing(None, Takes::Codings))
                .session(Script::of([set]))
                .session(Script::of([get_values(&["Device.DeviceInfo."])])),
        );
        let cpe = Cpe::new(&acs.url());
        cpe.edit("acs", "username", "user");
        cpe.edit("acs", "password", "secret");
        assert_eq!(
            cpe.get("Device.ManagementServer.HTTPCompressionSupported"),
            "GZIP,Deflate"
        );
        once(&cpe, 0);
        once(&cpe, 0);
        let record = acs.finish().expect("a CPE without violations");
        for exchange in &record.exchanges {
            let Some(session) = exchange.session else {
                continue;
            };
            let due = (session == 2 && !exchange.request.body.is_empty()).then_some(coding);
            assert_eq!(exchange.request.header("Content-Encoding"), due, "{value}");
            let accepts = exchange.request.header("Accept-Encoding");
            assert_eq!(accepts.is_some(), session == 2, "{value}");
        }
        let answer = record.sessions[1].message("GetParameterValuesResponse");
        assert!(answer.expect("the values").raw.contains("UpTime"));
    }
}

#[test]
fn a_compressed_reply_is_read_whatever_the_settings_say() {
    for coding in ["gzip", "x-gzip", "deflate", "raw deflate", "identity"] {
        let set = set_values(&[("Device.Time.NTPServer1", "string", "set.example")], "k");
        let acs = start(
            AcsConfig::default()
                .behaviour(compressing(Some(coding), Takes::Nothing))
                .session(Script::of([set])),
        );
        let cpe = Cpe::new(&acs.url());
        once(&cpe, 0);
        assert_eq!(cpe.get("Device.Time.NTPServer1"), "set.example", "{coding}");
        acs.finish().unwrap();
    }
}

#[test]
fn a_reply_that_is_not_what_its_coding_says_or_too_large_fails_the_session() {
    let bomb = {
        use std::io::Write;
        let level = flate2::Compression::best();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(&vec![b' '; 100 << 20]).expect("encoded");
        encoder.finish().expect("encoded")
    };
    for (name, body, says) in [
        ("gzip", bomb, "larger than 8388608 bytes once decoded"),
        (
            "gzip",
            b"<plain/>".to_vec(),
            "not what its Content-Encoding says",
        ),
        ("br", b"<plain/>".to_vec(), "unknown Content-Encoding"),
    ] {
        let reply = HttpReply::xml(body).header("Content-Encoding", name);
        let rule = Rule::once(When::Post(2), Trouble::Status(reply));
        let acs = start(AcsConfig::default().rule(rule));
        let cpe = Cpe::new(&acs.url());
        let log = once(&cpe, 3);
        assert!(log.contains(says), "{name}: {log}");
        once(&cpe, 0);
        acs.finish().unwrap();
    }
}

#[test]
fn an_acs_that_cannot_read_what_it_asked_for_is_reached_by_the_retry() {
    let acs = start(AcsConfig::default().behaviour(compressing(None, Takes::Refusing(415))));
    let cpe = Cpe::new(&acs.url());
    cpe.edit("acs", "compression", "GZIP");
    once(&cpe, 3);
    once(&cpe, 0);
    acs.finish().unwrap();
}

// ---- Retry-After ---------------------------------------------------------------------

// T-SES-030
#[test]
fn a_busy_acs_is_left_alone_as_long_as_it_asks_but_not_for_ever() {
    for (asked, waits) in [(1800, 1800), (1_000_000, 3600), (0, 1)] {
        let busy = Rule::once(When::Message("Inform"), Trouble::busy(asked));
        let acs = start(AcsConfig::default().rule(busy));
        let mut cpe = Cpe::new(&acs.url());
        cpe.edit("acs", "retry_min_wait_interval", "1");
        cpe.edit("acs", "retry_interval_multiplier", "1000");
        cpe.start();
        let log = cpe.wait_text("/tmp/log", |t| t.contains("next attempt in"));
        assert!(log.contains(&format!("next attempt in {waits} s")), "{log}");
        if waits > 1 {
            // An event need not wait.
            cpe.ok(&["inform"]);
        }
        let session = acs.wait_session(2, PATIENCE).expect("a session");
        assert!(session.complete(), "{:?}", session.end);
        cpe.stop();
        acs.finish().unwrap();
    }
}

// T-SES-030
#[test]
fn a_status_that_says_no_more_fails_the_session_whatever_it_is() {
    for status in [403, 404, 405, 410, 429, 500, 502, 503] {
        let rule = Rule::once(When::Message("Inform"), Trouble::status(status));
        let acs = start(AcsConfig::default().rule(rule));
        let cpe = Cpe::new(&acs.url());
        let log = once(&cpe, 3);
        assert!(log.contains(&format!("HTTP status {status}")), "{log}");
        once(&cpe, 0);
        assert_eq!(acs.record().sessions.len(), 2, "{status}");
        acs.finish().unwrap();
    }
}

// ---- authentication ------------------------------------------------------------------

// T-SES-003
#[test]
fn a_wrong_password_costs_two_posts_also_where_each_ends_its_connection() {
    for close_each in [false, true] {
        let digest = DigestAuth {
            refuse: true,
            ..DigestAuth::for_account("user", "secret")
        };
        let behaviour = Behaviour {
            close_each,
            ..Behaviour::default()
        };
        let acs = start(
            AcsConfig::default()
                .auth(Auth::Digest(digest))
                .behaviour(behaviour),
        );
        let cpe = Cpe::new(&acs.url());
        cpe.edit("acs", "username", "user");
        cpe.edit("acs", "password", "secret");
        let log = once(&cpe, 3);
        assert!(log.contains("refuses username or password"), "{log}");
        assert_eq!(acs.record().exchanges.len(), 2, "close: {close_each}");
    }
}

// T-SES-007
#[test]
fn without_a_username_the_identity_is_one_also_after_a_factory_reset() {
    let digest = Auth::Digest(DigestAuth::for_account(
        "00005E-Home%20Router-A%2D1%2F7",
        "secret",
    ));
    let reset = Script::of([Rpc::new("FactoryReset", vec![])]);
    let acs = start(AcsConfig::default().auth(digest).session(reset));
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    for (name, value) in [
        ("oui", "00005E"),
        ("product_class", "Home Router"),
        ("serial_number", "A-1/7"),
    ] {
        cpe.edit("device", name, value);
    }
    cpe.edit("acs", "username", "");
    cpe.edit("acs", "password", "secret");
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).expect("a session").complete());
    cpe.wait_file("/tmp/reset");
    cpe.wait_file("/tmp/rebooted");
    cpe.stop();
    cpe.new_boot();
    cpe.start();
    let session = acs.wait_session(2, PATIENCE).expect("a session");
    assert!(session.complete(), "{:?}", session.end);
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    cpe.stop();
    acs.finish().unwrap();
}

// T-FLW-011
#[test]
fn credentials_set_in_a_session_count_from_the_next_one_on() {
    let digest = |password: &str| Auth::Digest(DigestAuth::for_account("user", password));
    let set = || {
        let values = [
            ("Device.ManagementServer.Username", "string", "user"),
            ("Device.ManagementServer.Password", "string", "second"),
        ];
        set_values(&values, "k")
    };
    let first = start(
        AcsConfig::default()
            .auth(digest("first"))
            .session(Script::of([
                set(),
                get_values(&["Device.DeviceInfo.UpTime"]),
            ])),
    );
    let cpe = Cpe::new(&first.url());
    cpe.edit("acs", "username", "user");
    cpe.edit("acs", "password", "first");
    // The old pair to the end of the session: the ACS knows no other.
    once(&cpe, 0);
    let record = first.finish().expect("a CPE without violations");
    assert_eq!(
        record.sessions[0]
            .messages_named("GetParameterValuesResponse")
            .len(),
        1
    );
    let second = start(AcsConfig::default().auth(digest("second")));
    cpe.option("url", &second.url());
    once(&cpe, 0);
    second.finish().unwrap();
}

// T-FLW-009
#[test]
fn what_a_session_changes_is_put_in_force_when_it_is_over() {
    let (router, marks) = std::sync::mpsc::channel::<std::path::PathBuf>();
    let (found, finds) = std::sync::mpsc::channel();
    let set = set_values(&[("Device.Time.NTPServer1", "string", "set.example")], "k");
    let script =
        Script::of([set]).then_with(get_values(&["Device.DeviceInfo.UpTime"]), move |_| {
            // The Set was answered two messages ago, and the session is not over.
            let mark = marks.recv().expect("where the reload leaves its mark");
            let _ = found.send(mark.exists());
            Vec::new()
        });
    let acs = start(AcsConfig::default().session(script));
    let cpe = Cpe::new(&acs.url());
    router.send(cpe.router.path("/tmp/reloads")).expect("sent");
    once(&cpe, 0);
    assert_eq!(finds.recv(), Ok(false), "reloaded during the session");
    assert!(cpe.exists("/tmp/reloads"));
    acs.finish().unwrap();
}

// T-FLW-012
#[test]
fn an_event_that_comes_while_the_session_ends_gets_a_session_of_its_own() {
    let (send, ask) = std::sync::mpsc::channel::<std::process::Command>();
    let script = Script::new().then_with(get_values(&["Device.DeviceInfo.UpTime"]), move |_| {
        let mut ask = ask.recv().expect("what to run");
        assert!(ask.status().expect("it runs").success());
        Vec::new()
    });
    let acs = start(AcsConfig::default().session(script));
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_listener();
    send.send(cpe.command(&["inform", "8 DIAGNOSTICS COMPLETE"]))
        .expect("sent");
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).expect("a session").complete());
    let second = acs.wait_session(2, PATIENCE).expect("a session");
    assert!(second.complete(), "{:?}", second.end);
    assert_eq!(second.events(), ["8 DIAGNOSTICS COMPLETE"]);
    cpe.stop();
    acs.finish().unwrap();
}

// T-SOP-013
#[test]
fn every_message_of_a_whole_run_is_valid_against_the_schemas() {
    let Some(validate) = shared::find("bbf/xsd/validate.py") else {
        return;
    };
    let python = std::env::var("CWMP_PYTHON").unwrap_or_else(|_| "python3".into());
    let lxml = std::process::Command::new(&python)
        .args(["-c", "import lxml"])
        .output();
    if !lxml.is_ok_and(|o| o.status.success()) {
        let required = std::env::var_os("CWMP_REQUIRE_SHARED").is_some_and(|v| v == "1");
        assert!(
            !required,
            "no python3 with lxml (CWMP_PYTHON names another)"
        );
        println!("skipped: no python3 with lxml");
        return;
    }
    let table = "Device.NAT.PortMapping.";
    let all = || {
        Script::of([
            get_rpc_methods(),
            get_names("", true),
            get_names("Device.", false),
            get_values(&["Device."]),
            get_attributes(&["Device.DeviceInfo."]),
            set_values(
                &[("Device.Time.NTPServer1", "string", "a & <b>.example")],
                "k",
            ),
            set_values(
                &[
                    ("Device.Nowhere", "string", "x"),
                    ("Device.DeviceInfo.UpTime", "string", "1"),
                ],
                "k",
            ),
            set_notification(&[("Device.Time.NTPServer1", 1)]),
            add_object(table, "k"),
            delete_object(&format!("{table}1."), "k"),
            delete_object(&format!("{table}99."), "k"),
            schedule_inform(9000, "later"),
            Rpc::new("FooBar", vec![]),
        ])
    };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("whole_run");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    let mut command = std::process::Command::new(&python);
    command.arg(validate).args(["-q", "--from", "cpe"]);
    let mut written = 0;
    for version in ["1.0", "1.1", "1.4"] {
        let acs = start(AcsConfig::default().style(speaking(version)).session(all()));
        let cpe = Cpe::new(&acs.url());
        cpe.edit("acs", "cwmp_version", version);
        once(&cpe, 0);
        let record = acs.finish().expect("a CPE without violations");
        let messages = record.sessions[0].messages.iter();
        for (n, message) in messages.filter(|m| !m.raw.is_empty()).enumerate() {
            let file = folder.join(format!("{version}-{n}-{}.xml", message.name));
            std::fs::write(&file, &message.raw).expect("the target directory can be written to");
            command.arg(file);
            written += 1;
        }
    }
    assert!(written > 40, "{written}");
    let output = command.output().expect("python was there a moment ago");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// An ACS that answers in the namespace of this version.
fn speaking(version: &str) -> SoapStyle {
    let minor = match version {
        "1.0" => 0,
        "1.1" => 1,
        _ => 2,
    };
    SoapStyle {
        minor,
        ..SoapStyle::default()
    }
}
