//! Download, from the request to TransferComplete.

#[allow(dead_code)] // Others use more of it.
#[path = "net_support/pki.rs"]
mod pki;
mod transfer_rig;

use cwmp_agent::net::auth::digest::Algorithm;
use transfer_rig::acs::*;
use transfer_rig::files::{FileServer, Guard, Served, Trick};
use transfer_rig::*;

#[test]
fn a_file_is_fetched_after_the_session_applied_and_told_of_once() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "key 1");
    let asked = rig.ask(Script::of([
        download(&transfer),
        get_all_queued_transfers(),
    ]));
    let response = asked.message("DownloadResponse").expect("a response");
    assert_eq!(element(response, "Status"), "1");
    assert_eq!(element(response, "StartTime"), UNKNOWN_TIME);
    let list = asked
        .message("GetAllQueuedTransfersResponse")
        .expect("a list");
    assert_eq!(queued(list), [("key 1".to_owned(), "1".to_owned())]);
    let session = rig.next();
    // T-FLW-002
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(session.names()[..3], ["Inform", "TransferComplete", ""]);
    let event = &session.inform.inform.as_ref().unwrap().events[1];
    assert_eq!(event.command_key, "key 1");
    let told = &told(&session)[0];
    assert_eq!((told.code, told.text.as_str()), (0, ""));
    assert!(told.start.starts_with("20") && told.start <= told.complete);
    assert_eq!(rig.cpe.router.read("/tmp/applied").unwrap(), "content");
    rig.nothing_is_left();
    assert_eq!(rig.files.requests().len(), 1);
    rig.finish();
}

/// What the image brings with it.
fn flash(rig: &Rig, version: &str) {
    for path in ["/etc/openwrt_release", "/etc/os-release"] {
        let text = rig.cpe.router.read(path).expect("the release");
        let new = text.replace("23.05.5", version);
        assert_ne!(text, new);
        rig.cpe.router.write(path, &new).expect("a file");
    }
    let _ = std::fs::remove_file(rig.cpe.router.path("/usr/lib/cwmp-agent.flashing"));
}

// T-DLD-001, T-DLD-014
#[test]
fn firmware_is_told_of_after_the_boot_that_shows_it() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/fw", Served::pattern(300_000), "fw");
    transfer.file_type = FIRMWARE.to_owned();
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_file("/tmp/flashed");
    let status = rig
        .cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    assert_eq!(status["transfers"][0]["file_type"], FIRMWARE);
    flash(&rig, "24.10.0");
    rig.reboot();
    let session = rig.next();
    assert_eq!(
        session.events(),
        [
            "1 BOOT",
            "4 VALUE CHANGE",
            "7 TRANSFER COMPLETE",
            "M Download"
        ]
    );
    let version = session.inform.values.iter();
    let mut version = version.filter(|v| v.name == "Device.DeviceInfo.SoftwareVersion");
    let version = version.next().expect("SoftwareVersion");
    assert!(version.value.contains("24.10.0"), "{}", version.value);
    let told = &told(&session)[0];
    assert_eq!((told.key.as_str(), told.code), ("fw", 0));
    assert!(told.start.starts_with("20") && told.complete.starts_with("20"));
    rig.nothing_is_left();
    rig.reboot();
    assert_eq!(rig.next().events(), ["1 BOOT"], "told twice");
    rig.finish();
}

#[test]
fn the_same_version_flashed_again_shows_by_the_marker_that_is_gone() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/fw", Served::bytes("image"), "same");
    transfer.file_type = FIRMWARE.to_owned();
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_file("/tmp/flashed");
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    let marker = rig.cpe.router.path("/usr/lib/cwmp-agent.flashing");
    std::fs::remove_file(marker).expect("the marker");
    rig.reboot();
    assert_eq!(told(&rig.next())[0].code, 0);
    rig.finish();
}

// T-DLD-007
#[test]
fn a_boot_into_the_old_firmware_is_told_as_the_failure_it_is() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/fw", Served::bytes("image"), "old");
    transfer.file_type = FIRMWARE.to_owned();
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_file("/tmp/flashed");
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    rig.reboot();
    let session = rig.next();
    assert_eq!(
        session.events(),
        ["1 BOOT", "7 TRANSFER COMPLETE", "M Download"]
    );
    assert_eq!(told(&session)[0].code, 9010);
    assert!(!rig.cpe.exists("/usr/lib/cwmp-agent.flashing"));
    rig.nothing_is_left();
    rig.finish();
}

// A restart of the agent alone is no boot, and none that it waits for for ever.
#[test]
fn an_agent_that_is_started_again_still_awaits_the_reboot() {
    let mut rig = Rig::with("[limits]\nreboot_wait = 2\n", FileServer::start());
    let mut transfer = rig.file("/fw", Served::bytes("image"), "k");
    transfer.file_type = FIRMWARE.to_owned();
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    rig.cpe.crash();
    rig.cpe.start();
    let session = rig.next();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(told(&session)[0].code, 9010);
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn a_box_that_does_not_reboot_has_failed_when_its_time_is_over() {
    let mut rig = Rig::with("[limits]\nreboot_wait = 1\n", FileServer::start());
    let mut transfer = rig.file("/fw", Served::bytes("image"), "stays");
    transfer.file_type = FIRMWARE.to_owned();
    assert_eq!(rig.downloaded(&transfer), 9010);
    // And so has a program that fails and is not what takes the box down.
    rig.cpe.router.write("/tmp/apply-exit", "3").unwrap();
    assert_eq!(rig.downloaded(&transfer), 9010);
    rig.nothing_is_left();
    rig.finish();
}

// T-DLD-003
#[test]
fn basic_and_digest_are_known_and_a_wrong_password_is_told() {
    let mut rig = Rig::new();
    let guards = [
        ("/basic", Guard::basic("u", "p")),
        ("/md5", Guard::digest(Algorithm::Md5, "u", "p")),
        ("/sha", Guard::digest(Algorithm::Sha256, "u", "p")),
    ];
    for (path, guard) in guards {
        let served = Served::bytes("secret").guard(guard);
        let mut transfer = rig.file(path, served, path);
        assert_eq!(rig.downloaded(&transfer), 9012, "{path}");
        transfer.username = "u".to_owned();
        transfer.password = "wrong".to_owned();
        assert_eq!(rig.downloaded(&transfer), 9012, "{path}");
        transfer.password = "p".to_owned();
        assert_eq!(rig.downloaded(&transfer), 0, "{path}");
    }
    // T-SEC-009
    assert!(!rig.cpe.log().contains("wrong"));
    rig.finish();
}

// T-DLD-004, T-DLD-005, T-DLD-006
#[test]
fn what_goes_wrong_on_the_way_has_its_own_fault() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/gone", Served::nothing().always(Trick::Status(404)), "a");
    assert_eq!(rig.downloaded(&transfer), 9016);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    transfer.url = format!("http://{}/f", nobody.local_addr().unwrap());
    drop(nobody);
    assert_eq!(rig.downloaded(&transfer), 9015);
    assert!(!rig.cpe.exists("/tmp/applied"));
    rig.nothing_is_left();
    rig.finish();
}

// T-DLD-007
#[test]
fn a_file_that_its_check_refuses_is_not_applied() {
    let mut rig = Rig::new();
    let transfer = rig.file("/bad", Served::bytes("BAD image"), "bad");
    assert_eq!(rig.downloaded(&transfer), 9018);
    assert!(!rig.cpe.exists("/tmp/applied"));
    rig.cpe.router.write("/tmp/apply-exit", "3").unwrap();
    let transfer = rig.file("/good", Served::bytes("good"), "good");
    assert_eq!(rig.downloaded(&transfer), 9010, "it cannot be applied");
    rig.nothing_is_left();
    rig.finish();
}

// T-DLD-008, T-DLD-009, T-DLD-018
#[test]
fn what_cannot_be_done_is_refused_at_once() {
    let mut rig = Rig::with("[limits]\ntransfer_size = \"1 MiB\"\n", FileServer::start());
    let good = rig.file("/f", Served::bytes("content"), "k");
    let with = |change: fn(&mut Transfer)| {
        let mut transfer = good.clone();
        change(&mut transfer);
        download(&transfer)
    };
    let session = rig.ask(Script::of([
        with(|t| t.url = "foo://h/f".to_owned()),
        with(|t| t.url = "http://u:p@h/f".to_owned()),
        with(|t| t.url = String::new()),
        with(|t| t.file_type = "9 Nonsense".to_owned()),
        with(|t| t.size = 2_000_000),
    ]));
    assert_eq!(session.faults(), [9013, 9003, 9003, 9003, 9004]);
    rig.nothing_is_left();
    // Neither said nor right: it goes on, or it does not.
    let mut wrong = good.clone();
    wrong.size = 8;
    assert_eq!(rig.downloaded(&wrong), 9018);
    wrong.size = 7;
    assert_eq!(rig.downloaded(&wrong), 0);
    let large = rig.file("/large", Served::pattern(2_000_000), "large");
    assert_eq!(rig.downloaded(&large), 9010, "larger than it may be");
    rig.finish();
}

// T-DLD-012
#[test]
fn nothing_is_fetched_before_the_session_has_ended() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    let requests = |rig: &Rig| rig.files.requests().len();
    let look: Vec<Rpc> = (0..30).map(|_| get_all_queued_transfers()).collect();
    let script = look
        .into_iter()
        .fold(Script::of([download(&transfer)]), Script::then);
    let session = rig.ask(script);
    let lists = session.messages_named("GetAllQueuedTransfersResponse");
    assert_eq!(lists.len(), 30);
    for list in lists {
        assert_eq!(
            queued(list),
            [("k".to_owned(), "1".to_owned())],
            "not begun"
        );
    }
    assert_eq!(told(&rig.next())[0].code, 0);
    assert_eq!(requests(&rig), 1);
    rig.finish();
}

// T-DLD-013, T-FLW-013
#[test]
fn a_transfer_complete_that_was_not_answered_comes_again_with_its_events() {
    // The client tries a lost POST once more.
    let lost = Rule::times(
        2,
        When::Message("TransferComplete"),
        Trouble::DropAfterReading,
    );
    let mut rig = Rig::of(config().rule(lost), "", FileServer::start());
    let transfer = rig.file("/f", Served::bytes("content"), "again");
    let failed = rig.transferred(download(&transfer));
    assert!(!failed.complete());
    let session = rig.next();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(told(&session)[0].key, "again");
    assert!(session.complete());
    rig.nothing_is_left();
    assert_eq!(rig.cpe.router.read("/tmp/all-applied").unwrap(), "content");
    rig.finish();
}

#[test]
fn a_transfer_complete_that_was_refused_is_told_again_in_the_next_session() {
    let rule = Rule::once(When::Message("TransferComplete"), Trouble::Fault(8002));
    let mut rig = Rig::of(config().rule(rule), "", FileServer::start());
    let transfer = rig.file("/f", Served::bytes("content"), "refused");
    let refused = rig.transferred(download(&transfer));
    assert!(refused.complete(), "it ends well, and asks for none");
    rig.cpe.ok(&["inform"]);
    let session = rig.next();
    assert_eq!(
        session.events(),
        ["6 CONNECTION REQUEST", "7 TRANSFER COMPLETE", "M Download"]
    );
    assert_eq!(told(&session)[0].code, 0);
    rig.nothing_is_left();
    rig.finish();
}

// T-FLW-005
#[test]
fn fault_8005_to_transfer_complete_repeats_it_in_the_same_session() {
    let rule = Rule::times(2, When::Message("TransferComplete"), Trouble::Fault(8005));
    let mut rig = Rig::of(config().rule(rule), "", FileServer::start());
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    let session = rig.transferred(download(&transfer));
    assert!(session.complete());
    rig.nothing_is_left();
    rig.finish();
}

// T-DLD-015, T-DLD-016
#[test]
fn three_wait_at_once_and_too_many_are_refused() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/f", Served::bytes("content"), "");
    transfer.delay = 3600;
    let mut asked = Vec::new();
    for n in 0..17 {
        transfer.key = format!("{n}");
        asked.push(download(&transfer));
    }
    let session = rig.ask(Script::of(asked));
    assert_eq!(session.messages_named("DownloadResponse").len(), 16);
    assert_eq!(session.faults(), [9004]);
    let cancel = (3..16).map(|n| cancel_transfer(&n.to_string()));
    assert_eq!(rig.ask(Script::of(cancel)).faults(), [0u16; 0]);
    transfer.delay = 0;
    let three: Vec<Rpc> = (3..6)
        .map(|n| {
            transfer.key = n.to_string();
            download(&transfer)
        })
        .collect();
    rig.ask(Script::of(three));
    let mut keys = Vec::new();
    while keys.len() < 3 {
        keys.extend(told(&rig.next()).into_iter().map(|t| (t.key, t.code)));
    }
    let due = ["3", "4", "5"].map(|key| (key.to_owned(), 0));
    assert_eq!(keys, due);
    rig.finish();
}

// T-DLD-019
#[test]
fn redirects_are_followed() {
    let mut rig = Rig::new();
    let there = rig.file("/there", Served::bytes("content"), "").url;
    let transfer = rig.file("/here", Served::redirect(302, there), "k");
    assert_eq!(rig.downloaded(&transfer), 0);
    let transfer = rig.file("/round", Served::redirect(302, "/round"), "k");
    assert_eq!(rig.downloaded(&transfer), 9016);
    rig.finish();
}

// T-DLD-009, T-DLD-011
#[test]
fn what_waits_or_is_on_its_way_outlives_a_power_cut() {
    let mut rig = Rig::new();
    let stuck = Served::pattern(100_000).next(Trick::Stall(1000));
    let transfer = rig.file("/f", stuck, "slow");
    let mut later = rig.file("/later", Served::bytes("later"), "later");
    later.delay = 3600;
    rig.ask(Script::of([download(&transfer), download(&later)]));
    rig.cpe.wait_status(|s| s["transfers"][0]["done"] == 1000);
    rig.reboot();
    let boot = rig.next();
    // It may be done before the session of the boot.
    let session = if boot.events().contains(&"M Download") {
        boot
    } else {
        rig.next()
    };
    assert_eq!(
        told(&session)[0],
        Told {
            key: "slow".to_owned(),
            ..told(&session)[0].clone()
        }
    );
    assert_eq!(told(&session)[0].code, 0);
    let status = rig.cpe.status();
    assert_eq!(status["transfers"][0]["command_key"], "later");
    assert_eq!(status["transfers"][0]["stage"], "waiting");
    rig.finish();
}

// SIGTERM is no power cut: what was on its way goes on with the next start.
#[test]
fn the_agent_ends_at_once_while_a_file_is_on_its_way() {
    let mut rig = Rig::new();
    let stuck = Served::pattern(100_000)
        .tag("\"v\"")
        .next(Trick::Stall(1000));
    let transfer = rig.file("/f", stuck, "slow");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_status(|s| s["transfers"][0]["done"] == 1000);
    let begun = std::time::Instant::now();
    assert!(rig.cpe.stop().success());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    rig.cpe.start();
    let session = rig.next();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(told(&session)[0].code, 0);
    // What was there is not fetched again.
    assert_eq!(rig.files.requests().last().unwrap().range(), Some(1000));
    rig.nothing_is_left();
    rig.finish();
}

// T-EVT-006
#[test]
fn another_acs_is_told_nothing_of_what_the_one_before_had_asked_for() {
    let rule = Rule::times(20, When::Message("TransferComplete"), Trouble::Fault(8002));
    let config = config().rule(rule).listeners(2);
    let mut rig = Rig::of(config, "", FileServer::start());
    let transfer = rig.file("/f", Served::bytes("content"), "old");
    rig.transferred(download(&transfer));
    rig.cpe.option("url", &rig.acs.url_of(1));
    let session = rig.next();
    assert_eq!(session.events(), ["0 BOOTSTRAP"]);
    assert!(told(&session).is_empty());
    rig.nothing_is_left();
    rig.reboot();
    assert_eq!(rig.next().events(), ["1 BOOT"]);
    rig.finish();
}

#[test]
fn a_factory_reset_ends_all_transfers() {
    let mut rig = Rig::new();
    let stuck = Served::pattern(100_000).always(Trick::Stall(1000));
    let transfer = rig.file("/f", stuck, "gone");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_status(|s| s["transfers"][0]["done"] == 1000);
    rig.ask(Script::of([factory_reset()]));
    rig.cpe.wait_file("/tmp/rebooted");
    rig.reboot();
    let session = rig.next();
    assert_eq!(session.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    rig.nothing_is_left();
    rig.finish();
}

// T-DLD-004 for an old ACS
#[test]
fn an_acs_of_cwmp_1_0_gets_the_codes_that_it_knows() {
    let mut rig = Rig::stopped(AcsConfig::default(), "", FileServer::start());
    rig.cpe.option("cwmp_version", "1.0");
    rig.cpe.start();
    rig.next();
    let missing = Served::nothing().always(Trick::Status(404));
    let transfer = rig.file("/gone", missing, "k");
    assert_eq!(rig.downloaded(&transfer), 9010);
    rig.finish();
}

// T-DLD-017
#[test]
fn a_configuration_is_applied_reloaded_and_seen_in_its_table() {
    let mut rig = Rig::new();
    let text = rig.cpe.router.read("/etc/config/system").unwrap();
    let changed = text.replacen("option hostname '", "option hostname 'brand-new-", 1);
    assert_ne!(text, changed);
    let names = rig.cpe.ok(&["get", "Device.DeviceInfo.VendorConfigFile."]);
    let row = names.lines().find_map(|l| l.strip_suffix(".Name=system"));
    let date = format!("{}.Date", row.expect("a row"));
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    let file = std::fs::File::options()
        .append(true)
        .open(rig.cpe.router.path("/etc/config/system"))
        .unwrap();
    file.set_modified(old).expect("its time");
    drop(file);
    assert!(rig.cpe.get(&date).starts_with("2020-09-13"));
    let mut transfer = rig.file("/system.conf", Served::bytes(changed), "config");
    transfer.file_type = CONFIGURATION.to_owned();
    transfer.target_name = "system".to_owned();
    assert_eq!(rig.downloaded(&transfer), 0);
    let now = rig.cpe.router.read("/etc/config/system").unwrap();
    assert!(now.contains("brand-new-"), "{now}");
    assert!(rig.cpe.wait_file("/tmp/reloads").contains("system"));
    assert!(!rig.cpe.get(&date).starts_with("2020-09-13"), "its Date");
    let broken = Served::bytes("config system 'never closed\n");
    let mut transfer = rig.file("/broken.conf", broken, "broken");
    transfer.file_type = CONFIGURATION.to_owned();
    transfer.target_name = "system".to_owned();
    assert_eq!(rig.downloaded(&transfer), 9018);
    assert_eq!(rig.cpe.router.read("/etc/config/system").unwrap(), now);
    rig.finish();
}

// T-DLD-002
#[test]
#[cfg(feature = "tls")]
fn a_file_over_https_is_taken_from_a_server_that_proves_who_it_is() {
    let authority = pki::Authority::new("files");
    let leaf = authority.leaf(&["127.0.0.1"], 2020, 2090);
    let server = FileServer::start_tls(leaf.server(&[&rustls::version::TLS13]));
    let mut rig = Rig::with("", server);
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    assert_eq!(rig.downloaded(&transfer), 9015, "nobody vouches for it");
    rig.cpe
        .router
        .write("/etc/ssl/files.pem", &authority.pem())
        .unwrap();
    rig.cpe.option("ca_file", "/etc/ssl/files.pem");
    rig.cpe
        .wait_text("/tmp/log", |log| log.contains("settings taken over"));
    assert_eq!(rig.downloaded(&transfer), 0);
    rig.finish();
}

// T-DLD-010
#[test]
fn a_delay_counts_from_the_response() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/f", Served::bytes("content"), "k");
    transfer.delay = 2;
    let begun = std::time::Instant::now();
    assert_eq!(rig.downloaded(&transfer), 0);
    // Whole seconds are counted.
    assert!(begun.elapsed().as_millis() > 1000, "{:?}", begun.elapsed());
    rig.finish();
}

// T-DLD-020
#[test]
fn what_never_began_has_no_time() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "never");
    let windows = [(0, 1, "3 When Idle", 0)];
    let session = rig.transferred(schedule_download(&transfer, &windows));
    let told = &told(&session)[0];
    assert_eq!(told.code, 9020);
    assert_eq!(told.start, UNKNOWN_TIME);
    assert!(rig.files.requests().is_empty());
    rig.finish();
}

// T-DLD-006 and DLD-018: what a limit in agent.toml is for.
#[test]
fn a_file_that_takes_too_long_has_failed() {
    let limits = "[limits]\ntransfer_time = 1\n";
    let mut rig = Rig::with(limits, FileServer::start());
    let slow = Served::pattern(100_000).always(Trick::Drip(1000, 50));
    let transfer = rig.file("/f", slow, "slow");
    assert_eq!(rig.downloaded(&transfer), 9017);
    rig.nothing_is_left();
    rig.finish();
}

/// A Download whose file is being applied, and goes on when /tmp/hold is gone.
fn held(rig: &mut Rig, file_type: &str) {
    rig.cpe.router.write("/tmp/hold", "").unwrap();
    let mut transfer = rig.file("/f", Served::bytes("content"), "held");
    transfer.file_type = file_type.to_owned();
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "applying");
}

fn let_go(rig: &Rig) {
    std::fs::remove_file(rig.cpe.router.path("/tmp/hold")).expect("it was held");
}

// T-DLD-013 and T-REB-001: nothing else acts on the box meanwhile.
#[test]
fn no_session_begins_while_a_file_is_applied() {
    let mut rig = Rig::new();
    held(&mut rig, FILE);
    rig.cpe.ok(&["inform"]);
    let status = rig.cpe.status();
    assert_eq!(status["running_since"], serde_json::Value::Null);
    let_go(&rig);
    // One session for both.
    assert_eq!(
        rig.next().events(),
        ["6 CONNECTION REQUEST", "7 TRANSFER COMPLETE", "M Download"]
    );
    rig.finish();
}

#[test]
fn a_file_that_is_being_applied_is_applied_before_the_agent_ends() {
    let mut rig = Rig::new();
    held(&mut rig, FILE);
    rig.cpe.signal(nix::sys::signal::Signal::SIGTERM);
    let_go(&rig);
    assert!(rig.cpe.stop().success());
    assert_eq!(rig.cpe.router.read("/tmp/applied").unwrap(), "content");
    rig.cpe.start();
    assert_eq!(told(&rig.next())[0].code, 0);
    assert_eq!(
        rig.cpe.router.read("/tmp/all-applied").unwrap(),
        "content",
        "once"
    );
    rig.finish();
}

#[test]
fn the_agent_ends_at_once_while_an_image_is_flashed_and_never_ends_that() {
    let mut rig = Rig::new();
    held(&mut rig, FIRMWARE);
    let begun = std::time::Instant::now();
    assert!(rig.cpe.stop().success());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(!rig.cpe.exists("/tmp/applied"));
    let_go(&rig);
    assert_eq!(rig.cpe.wait_file("/tmp/applied"), "content");
    // The box boots.
    flash(&rig, "24.10.0");
    rig.cpe.new_boot();
    rig.cpe.start();
    assert_eq!(told(&rig.next())[0].code, 0);
    rig.finish();
}

#[test]
fn a_reboot_comes_before_what_the_same_session_asked_to_download() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "after");
    rig.ask(Script::of([download(&transfer), reboot("now")]));
    rig.cpe.wait_file("/tmp/rebooted");
    rig.reboot();
    let boot = rig.next();
    assert!(boot.events().contains(&"M Reboot"), "{:?}", boot.events());
    let session = if boot.events().contains(&"M Download") {
        boot
    } else {
        rig.next()
    };
    assert_eq!(told(&session)[0].code, 0);
    rig.nothing_is_left();
    rig.finish();
}
