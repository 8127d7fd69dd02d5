//! Upload, ScheduleDownload, CancelTransfer, the lists of what is queued, and what a person may
//! do.

mod transfer_rig;

use std::process::Output;
use transfer_rig::acs::*;
use transfer_rig::files::{FileServer, Guard, Served, Trick};
use transfer_rig::*;

fn upload_of(rig: &Rig, file_type: &str, path: &str) -> Transfer {
    let mut transfer = rig.file(path, Served::nothing(), "up");
    transfer.file_type = file_type.to_owned();
    transfer
}

// T-UPL-001
#[test]
fn a_configuration_is_put_without_its_secrets() {
    let mut rig = Rig::new();
    let transfer = upload_of(&rig, "1 Vendor Configuration File", "/config.tgz");
    let session = rig.transferred(upload(&transfer));
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Upload"]);
    assert_eq!(told(&session)[0].code, 0);
    let request = &rig.files.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path()),
        ("PUT", "/config.tgz")
    );
    let stored = rig.files.stored("/config.tgz").expect("a file");
    assert_eq!(stored[..2], [0x1f, 0x8b], "a tar.gz");
    rig.nothing_is_left();
    // One package by its row, as text.
    let names = rig.cpe.ok(&["get", "Device.DeviceInfo.VendorConfigFile."]);
    let row = names
        .lines()
        .find_map(|l| l.strip_suffix(".Name=wireless"))
        .expect("wireless");
    let number = row.rsplit('.').next().unwrap();
    let one = upload_of(
        &rig,
        &format!("3 Vendor Configuration File {number}"),
        "/one",
    );
    assert_eq!(told(&rig.transferred(upload(&one)))[0].code, 0);
    let text = String::from_utf8(rig.files.stored("/one").expect("a file")).expect("UTF-8");
    assert!(text.contains("config wifi-iface"), "{text}");
    assert!(!text.contains("option key "), "a secret:\n{text}");
    rig.finish();
}

// T-UPL-002, T-UPL-003
#[test]
fn a_log_is_put_by_its_row_and_a_row_that_is_not_there_is_refused() {
    let mut rig = Rig::new();
    let log = rig.cpe.router.path("/tmp/messages").display().to_string();
    drop(log);
    rig.cpe.router.write("/tmp/messages", "a line\n").unwrap();
    let text = rig.cpe.router.read("/etc/config/system").unwrap();
    let with_log = text.replacen(
        "config system",
        "config system\n\toption log_file '/tmp/messages'",
        1,
    );
    rig.cpe
        .router
        .write("/etc/config/system", &with_log)
        .unwrap();
    let transfer = upload_of(&rig, "4 Vendor Log File 1", "/log");
    assert_eq!(told(&rig.transferred(upload(&transfer)))[0].code, 0);
    assert_eq!(rig.files.stored("/log").expect("a file"), b"a line\n");
    let bad = [
        "4 Vendor Log File 99",
        "4 Vendor Log File",
        "3 Vendor Configuration File 999",
        "9 Nonsense",
    ];
    let asked = bad.map(|file_type| upload(&upload_of(&rig, file_type, "/x")));
    assert_eq!(rig.ask(Script::of(asked)).faults(), [9003; 4]);
    let own = upload_of(&rig, FILE, "/own");
    assert_eq!(told(&rig.transferred(upload(&own)))[0].code, 0);
    assert_eq!(rig.files.stored("/own").expect("a file"), b"made this\n");
    rig.finish();
}

// T-UPL-004
#[test]
fn a_refused_upload_has_its_own_faults() {
    let mut rig = Rig::new();
    let transfer = upload_of(&rig, FILE, "/up");
    rig.files.serve("/up", Served::nothing().put_status(403));
    let session = rig.transferred(upload(&transfer));
    assert_eq!(told(&session)[0].code, 9011);
    rig.files
        .serve("/up", Served::nothing().guard(Guard::basic("u", "p")));
    assert_eq!(told(&rig.transferred(upload(&transfer)))[0].code, 9012);
    let mut known = transfer.clone();
    (known.username, known.password) = ("u".to_owned(), "p".to_owned());
    assert_eq!(told(&rig.transferred(upload(&known)))[0].code, 0);
    rig.nothing_is_left();
    rig.finish();
}

// T-SDL-001
#[test]
fn a_scheduled_download_runs_in_its_window() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "sched");
    let session = rig.transferred(schedule_download(
        &transfer,
        &[(0, 3600, "2 Immediately", 0)],
    ));
    assert_eq!(
        session.events(),
        ["7 TRANSFER COMPLETE", "M ScheduleDownload"]
    );
    assert_eq!(told(&session)[0].code, 0);
    assert_eq!(told(&session)[0].key, "sched");
    rig.nothing_is_left();
    rig.finish();
}

// T-SDL-002
#[test]
fn what_fails_in_the_first_window_is_tried_in_the_second() {
    let mut rig = Rig::new();
    let missing = Served::bytes("content").next(Trick::Status(404));
    let transfer = rig.file("/f", missing, "two");
    let windows = [
        (0, 3600, "2 Immediately", 0),
        (3600, 7200, "2 Immediately", 0),
    ];
    rig.ask(Script::of([schedule_download(&transfer, &windows)]));
    let due = rig.cpe.wait_status(|s| {
        s["transfers"][0]["stage"] == "waiting" && !rig.files.requests().is_empty()
    });
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let left = due["transfers"][0]["due"].as_i64().expect("a time") - now;
    assert!((3500..=3600).contains(&left), "{left}");
    assert_eq!(
        rig.ask(Script::of([cancel_transfer("two")])).faults(),
        [0u16; 0]
    );
    rig.nothing_is_left();
    // Once more in the same window.
    let missing = Served::bytes("content").next(Trick::Status(404));
    let transfer = rig.file("/f", missing, "again");
    let session = rig.transferred(schedule_download(
        &transfer,
        &[(0, 3600, "2 Immediately", 1)],
    ));
    assert_eq!(told(&session)[0].code, 0);
    rig.finish();
}

// T-SDL-003
#[test]
fn what_was_never_done_in_its_windows_is_9020() {
    let mut rig = Rig::new();
    let missing = Served::nothing().always(Trick::Status(404));
    let transfer = rig.file("/f", missing, "never");
    let session = rig.transferred(schedule_download(
        &transfer,
        &[(0, 3600, "2 Immediately", 0)],
    ));
    let told = &told(&session)[0];
    assert_eq!(told.code, 9020);
    assert!(told.text.contains("9016"), "{}", told.text);
    rig.finish();
}

// T-SDL-004
#[test]
fn windows_that_cannot_be_kept_are_refused() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    let bad: [&[Window<'_>]; 4] = [
        &[(0, 100, "2 Immediately", 0), (50, 200, "2 Immediately", 0)],
        &[(100, 100, "2 Immediately", 0)],
        &[(0, 100, "5 Whenever", 0)],
        &[(200, 300, "2 Immediately", 0), (0, 100, "2 Immediately", 0)],
    ];
    let asked = bad.map(|windows| schedule_download(&transfer, windows));
    assert_eq!(rig.ask(Script::of(asked)).faults(), [9003; 4]);
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn a_person_is_asked_and_agrees() {
    let mut rig = Rig::new();
    let transfer = rig.file("/f", Served::bytes("content"), "ask me");
    let windows = [(0, 3600, "4 Confirmation Needed", 0)];
    rig.ask(Script::of([schedule_download(&transfer, &windows)]));
    let status = rig.cpe.status();
    assert_eq!(status["transfers"][0]["confirmation"], "please");
    let nobody = rig.cpe.cli(&["confirm", "somebody else"]);
    assert_eq!(nobody.status.code(), Some(1));
    rig.cpe.ok(&["confirm", "ask me"]);
    assert_eq!(told(&rig.next())[0].code, 0);
    rig.finish();
}

// T-GQT-001, T-RPC-003, T-CAN-001
#[test]
fn transfers_are_listed_by_state_and_cancelled_while_they_wait_or_run() {
    let mut rig = Rig::new();
    let refusing = Rule::times(2, When::Message("TransferComplete"), Trouble::Fault(8002));
    rig.acs.push_rule(refusing);
    let done = rig.file("/done", Served::bytes("content"), "done");
    let stuck = Served::pattern(100_000).always(Trick::Stall(1000));
    let running = rig.file("/slow", stuck, "running");
    let mut waiting = rig.file("/later", Served::bytes("later"), "waiting");
    waiting.delay = 3600;
    // The session that tells of the one asks for the others.
    rig.acs.push_session(Script::of([download(&done)]));
    rig.acs
        .push_session(Script::of([download(&running), download(&waiting)]));
    rig.cpe.ok(&["inform"]);
    rig.next();
    assert_eq!(rig.next().events(), ["7 TRANSFER COMPLETE", "M Download"]);
    rig.cpe.wait_status(|s| s["transfers"][1]["done"] == 1000);
    let status = rig.cpe.status();
    assert_eq!(status["transfers"][1]["total"], 100_000);
    assert_eq!(status["transfers"][1]["stage"], "fetching");
    rig.acs.push_session(Script::of([
        get_all_queued_transfers(),
        get_queued_transfers(),
        cancel_transfer("waiting"),
        cancel_transfer("running"),
        cancel_transfer("nobody's"),
        // T-CAN-002: it is completed.
        cancel_transfer("done"),
        get_queued_transfers(),
    ]));
    rig.cpe.ok(&["inform"]);
    let session = rig.next();
    let list = |of: &[(&str, &str)]| -> Vec<(String, String)> {
        of.iter()
            .map(|(k, s)| ((*k).to_owned(), (*s).to_owned()))
            .collect()
    };
    let all = list(&[("done", "3"), ("running", "2"), ("waiting", "1")]);
    let message = session.message("GetAllQueuedTransfersResponse").unwrap();
    assert_eq!(queued(message), all);
    assert_eq!(element(message, "IsDownload"), "1");
    let lists = session.messages_named("GetQueuedTransfersResponse");
    assert_eq!(queued(lists[0]), all);
    assert_eq!(queued(lists[1]), list(&[("done", "3")]));
    assert_eq!(session.faults(), [9021]);
    // Nobody is told of those, and the line is free again.
    rig.cpe.wait_status(|_| !rig.cpe.exists("/tmp/cwmp-agent"));
    let status = rig.cpe.status();
    assert_eq!(status["transfers"].as_array().map(Vec::len), Some(1));
    rig.finish();
}

#[test]
fn status_shows_neither_credentials_nor_queries() {
    let mut rig = Rig::new();
    let mut transfer = rig.file("/f", Served::bytes("content"), "k");
    transfer.url.push_str("?token=geheim");
    (transfer.username, transfer.password) = ("hidden".to_owned(), "geheim".to_owned());
    transfer.delay = 3600;
    rig.ask(Script::of([download(&transfer)]));
    for text in [
        rig.cpe.ok(&["status"]),
        rig.cpe.ok(&["status", "--json"]),
        rig.cpe.log(),
    ] {
        assert!(
            !text.contains("geheim") && !text.contains("hidden"),
            "{text}"
        );
    }
    let told = rig.cpe.ok(&["status"]);
    assert!(
        told.contains("transfer            1 download \"X 00D09E File\" (k) http"),
        "{told}"
    );
    rig.finish();
}

// ---- by a person -------------------------------------------------------------------

fn wait_download(rig: &Rig, args: &[&str]) -> Output {
    let all: Vec<&str> = ["download", "--type", FILE, "--wait"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    rig.cpe.cli(&all)
}

#[test]
fn a_person_downloads_through_the_daemon_and_sees_how_it_ends() {
    let rig = Rig::new();
    let good = rig.file("/f", Served::pattern(50_000), "").url;
    let out = wait_download(&rig, &[&good]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(rig.cpe.exists("/tmp/applied"));
    let missing = rig
        .file("/gone", Served::nothing().always(Trick::Status(404)), "")
        .url;
    let out = wait_download(&rig, &[&missing]);
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("fault 9016") && !said.contains("completed"),
        "{said}"
    );
    for bad in ["ftp://h/f", "http://u:p@h/f"] {
        assert_eq!(wait_download(&rig, &[bad]).status.code(), Some(1), "{bad}");
    }
    let unknown = rig.cpe.cli(&["download", "--type", "nonsense", &good]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(rig.cpe.cli(&["download"]).status.code(), Some(2));
    rig.nothing_is_left();
    rig.finish();
}

// Rows that are not there are found out at once, not when the upload's turn comes.
#[test]
fn an_upload_of_a_row_that_is_not_there_is_refused_at_once() {
    let mut rig = Rig::new();
    rig.files.serve("/put", Served::nothing());
    let put = rig.files.url("/put");
    let refused = |rig: &Rig| {
        for (file_type, row) in [
            ("3 Vendor Configuration File 99", "VendorConfigFile.99."),
            ("4 Vendor Log File 99", "VendorLogFile.99."),
        ] {
            let out = rig.cpe.cli(&["upload", "--type", file_type, &put]);
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.code(), Some(1), "{said}");
            assert!(
                said.contains(&format!("there is no Device.DeviceInfo.{row}")),
                "{said}"
            );
        }
    };
    refused(&rig);
    rig.nothing_is_left();
    assert!(rig.cpe.stop().success());
    refused(&rig);
    assert!(rig.files.requests().is_empty());
    rig.cpe.start();
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn what_goes_out_is_sent_and_what_others_wrote_is_shown_as_they_wrote_it() {
    let mut rig = Rig::new();
    rig.files
        .serve("/put", Served::nothing().always(Trick::Silence));
    let mut silent = rig.file("/put", Served::nothing().always(Trick::Silence), "a\\b\nc");
    silent.file_type = FILE.to_owned();
    rig.ask(Script::of([upload(&silent)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "sending");
    let told = rig.cpe.ok(&["status"]);
    let line = told
        .lines()
        .find(|l| l.starts_with("transfer "))
        .expect("its line");
    assert!(
        line.contains(" upload \"X 00D09E File\" (a\\b\\nc) http"),
        "{line}"
    );
    assert!(rig.cpe.stop().success());
    rig.acs.finish().expect("no violation");
}

#[test]
fn a_person_downloads_and_uploads_without_a_daemon() {
    let mut rig = Rig::new();
    assert!(rig.cpe.stop().success());
    let guarded = Served::bytes("content").guard(Guard::basic("u", "p"));
    let url = rig.file("/f", guarded, "").url;
    rig.cpe.router.write("/tmp/password", "p\n").unwrap();
    let password = rig.cpe.router.path("/tmp/password").display().to_string();
    let out = wait_download(&rig, &["--user", "u", "--password-file", &password, &url]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(rig.cpe.router.read("/tmp/applied").unwrap(), "content");
    let put = rig.files.url("/put");
    rig.files.serve("/put", Served::nothing());
    rig.cpe.ok(&["upload", "--type", FILE, &put]);
    assert_eq!(rig.files.stored("/put").expect("a file"), b"made this\n");
    let out = rig
        .cpe
        .cli(&["download", "--type", FILE, &put.replace("/put", "/none")]);
    assert_eq!(out.status.code(), Some(1));
    rig.cpe.start();
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn the_acs_is_asked_for_a_download_where_it_takes_that() {
    let rig = Rig::new();
    let out = rig.cpe.cli(&["request-download", FIRMWARE, "Version=2"]);
    assert_eq!(out.status.code(), Some(1), "it lists no RequestDownload");
    assert!(String::from_utf8_lossy(&out.stderr).contains("does not take"));
    rig.finish();
    let mut listing = config();
    listing.methods.push("RequestDownload".to_owned());
    let mut rig = Rig::of(listing, "", FileServer::start());
    rig.cpe.ok(&["request-download", FIRMWARE, "Version=2"]);
    let session = rig.next();
    assert_eq!(session.events(), ["9 REQUEST DOWNLOAD"]);
    let asked = session.message("RequestDownload").expect("the request");
    assert_eq!(element(asked, "FileType"), FIRMWARE);
    assert_eq!(
        (element(asked, "Name"), element(asked, "Value")),
        ("Version".to_owned(), "2".to_owned())
    );
    rig.nothing_is_left();
    rig.finish();
}

// The question breaks a session once, and is put again only where a request is owed.
#[test]
fn the_methods_are_asked_for_again_when_a_request_depends_on_them() {
    let mut listing = config();
    listing.methods.push("RequestDownload".to_owned());
    let broken = Trouble::Status(HttpReply::status(500));
    listing = listing.rule(Rule::once(When::Message("GetRPCMethods"), broken));
    let mut rig = Rig::of(listing, "", FileServer::start());
    let second = rig.next();
    assert!(second.message("GetRPCMethods").is_none());
    rig.cpe.ok(&["request-download", FIRMWARE]);
    let third = rig.next();
    let names: Vec<&str> = third.messages.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["Inform", "GetRPCMethods", "RequestDownload", ""]);
    rig.finish();
}

// ---- of which the ACS wants to hear ------------------------------------------------

// T-ATC-001, T-ATC-002
#[test]
fn the_end_of_a_local_transfer_is_told_where_the_policy_says_so() {
    let mut listing = config();
    listing
        .methods
        .push("AutonomousTransferComplete".to_owned());
    let mut rig = Rig::of(listing, "", FileServer::start());
    let good = rig.file("/f?a=1", Served::bytes("content"), "").url;
    rig.files.serve("/f", Served::bytes("content"));
    // Off until the ACS switches it on.
    assert_eq!(wait_download(&rig, &[&good]).status.code(), Some(0));
    rig.nothing_is_left();
    const POLICY: &str = "Device.ManagementServer.AutonomousTransferCompletePolicy.";
    let set = |name: &str, kind: &'static str, value: &str| {
        set_values(&[(&format!("{POLICY}{name}"), kind, value)], "")
    };
    rig.ask(Script::of([
        set("Enable", "boolean", "1"),
        set("TransferTypeFilter", "string", "Download"),
    ]));
    assert_eq!(wait_download(&rig, &[&good]).status.code(), Some(0));
    let session = rig.next();
    assert_eq!(session.events(), ["10 AUTONOMOUS TRANSFER COMPLETE"]);
    let message = session
        .message("AutonomousTransferComplete")
        .expect("the request");
    let told = |name: &str| element(message, name);
    assert_eq!(told("AnnounceURL"), "");
    assert_eq!(told("TransferURL"), good);
    assert_eq!(
        (told("IsDownload"), told("FileType")),
        ("1".to_owned(), FILE.to_owned())
    );
    assert_eq!(
        (told("FileSize"), told("FaultCode")),
        ("7".to_owned(), "0".to_owned())
    );
    assert_eq!(told("TargetFileName"), "");
    assert!(told("StartTime") <= told("CompleteTime") && told("StartTime").starts_with("20"));
    rig.nothing_is_left();
    // Not of the kind that it wants to hear of.
    let put = rig.files.url("/put");
    rig.files.serve("/put", Served::nothing());
    rig.cpe.ok(&["upload", "--wait", "--type", FILE, &put]);
    rig.nothing_is_left();
    rig.ask(Script::of([set("TransferTypeFilter", "string", "Both")]));
    rig.cpe.ok(&["upload", "--wait", "--type", FILE, &put]);
    let session = rig.next();
    let message = session.message("AutonomousTransferComplete").unwrap();
    assert_eq!(element(message, "IsDownload"), "0");
    assert_eq!(element(message, "FileSize"), "10", "made this");
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn an_acs_that_does_not_list_autonomous_transfer_complete_never_gets_one() {
    let mut rig = Rig::new();
    rig.cpe.edit("cpe", "autonomous_transfer_complete", "1");
    rig.cpe
        .wait_text("/tmp/log", |log| log.contains("settings taken over"));
    let good = rig.file("/f", Served::bytes("content"), "").url;
    assert_eq!(wait_download(&rig, &[&good]).status.code(), Some(0));
    let session = rig.next();
    assert!(session.complete());
    assert!(session.message("AutonomousTransferComplete").is_none());
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn once_leaves_transfers_for_the_next_run() {
    let mut rig = Rig::new();
    assert!(rig.cpe.stop().success());
    let transfer = rig.file("/f", Served::bytes("content"), "later");
    rig.acs.push_session(Script::of([download(&transfer)]));
    assert_eq!(rig.cpe.cli(&["run", "--once"]).status.code(), Some(0));
    assert_eq!(rig.next().events(), ["1 BOOT"]);
    assert!(rig.files.requests().is_empty());
    rig.cpe.start();
    let session = rig.next();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    rig.nothing_is_left();
    rig.finish();
}
