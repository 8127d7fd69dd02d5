//! The queue of transfers: what was accepted is done in its time, over restarts and boots,
//! and told of exactly once.

mod queue_support;

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::cwmp::message::{CpeRequest, TransferState};
use cwmp_agent::transfer::queue::{CancelRefused, Kind, Local, MAX, NotKept};
use queue_support::frail::{Fate, Survives};
use queue_support::*;
use std::sync::Arc;

const OLD: &str = "firmware 1";
const ENOSPC: i32 = 28;

// T-DLD-012
#[test]
fn nothing_begins_before_the_session_ends_and_everything_is_told_in_order() {
    let disk = disk();
    let mut queue = load(&disk);
    queue.accept_download(NOW, &download("one")).unwrap();
    queue.accept_upload(NOW, &upload("two")).unwrap();
    assert_eq!(queue.begin(NOW + 500, true), None);
    assert_eq!(queue.next_due(), None);
    queue.session_ended();
    assert_eq!(queue.next_due(), Some(NOW));
    let job = queue.begin(NOW + 1, false).expect("the first");
    assert_eq!(
        (job.kind, job.command_key.as_str()),
        (Kind::Download, "one")
    );
    assert_eq!(
        (job.username.as_str(), job.password.as_str()),
        ("someone", "pass phrase")
    );
    assert_eq!(queue.running(), Some(job.id));
    assert_eq!(queue.begin(NOW + 1, false), None, "one at a time");
    assert_eq!(queue.next_due(), None, "until the first has ended");
    assert_eq!(stages(&queue), ["fetching", "waiting"]);
    queue.applying(job.id, "", false).unwrap();
    assert_eq!(
        queue.applying(job.id, "", false),
        Err(NotKept::Gone),
        "once"
    );
    assert_eq!(queue.to_tell(), None);
    queue.finished(job.id, NOW + 5, Ok(()));
    let second = queue.begin(NOW + 6, false).expect("the second");
    assert_eq!(second.kind, Kind::Upload);
    queue.finished(second.id, NOW + 7, fault(9011, "refused"));

    assert_eq!(
        events(&queue),
        ["7 TRANSFER COMPLETE", "M Download one", "M Upload two"]
    );
    assert_eq!(queue.left_to_tell(), 2);
    let first = queue.to_tell().expect("the first");
    assert_eq!((first.id, first.event), (job.id, EventCode::MDownload));
    let message = told(&queue);
    assert_eq!(message.command_key, "one");
    assert_eq!(message.start, DateTime::Utc(NOW + 1));
    assert_eq!(message.complete, DateTime::Utc(NOW + 5));
    assert!(message.fault.code == 0 && !message.upload);
    assert!(queue.delivered(job.id));
    let message = told(&queue);
    assert!(message.upload && message.fault.code == 9011 && message.fault.text == "refused");
    assert!(queue.delivered(second.id));
    assert_eq!((queue.to_tell(), events(&queue)), (None, vec![]));
    assert!(load(&disk).list().is_empty(), "gone from the disk, too");
}

// T-DLD-010, T-DLD-011
#[test]
fn a_delay_is_waited_for_over_boots_whatever_the_clock_shows_then() {
    let delayed = |at: i64| {
        let disk = disk();
        let mut asked = download("late");
        asked.delay_seconds = 120;
        load(&disk).accept_download(at, &asked).unwrap();
        disk
    };
    // The clock goes on over the boot.
    let mut queue = rebooted(&delayed(NOW), OLD, None, NOW + 30);
    assert_eq!(queue.next_due(), Some(NOW + 120));
    assert_eq!(queue.begin(NOW + 119, true), None);
    assert!(queue.begin(NOW + 120, true).is_some());
    // Long off.
    assert!(
        rebooted(&delayed(NOW), OLD, None, NOW + 500)
            .begin(NOW + 500, true)
            .is_some()
    );
    // The clock is lost, and set again after a while.
    let mut queue = rebooted(&delayed(NOW), OLD, None, 40);
    assert_eq!(queue.next_due(), Some(160));
    assert_eq!(queue.begin(159, true), None);
    queue.clock_stepped(NOW, NOW + 100);
    assert_eq!(queue.next_due(), Some(NOW + 160));
    // It was not set when the ACS asked, and is when the agent starts again.
    let disk = delayed(40);
    let mut queue = restarted(&disk, NOW);
    assert_eq!(queue.next_due(), Some(NOW + 120));
    assert_eq!(queue.begin(NOW + 119, true), None);
    // All of this is on disk: the next start finds the same.
    assert_eq!(load(&disk).entries()[0].due, Some(NOW + 120));
}

// T-DLD-011, T-DLD-014
#[test]
fn every_stage_outlives_a_restart_and_a_boot() {
    for boot in [false, true] {
        let again = |disk: &_| match boot {
            true => rebooted(disk, OLD, None, NOW + 60),
            false => restarted(disk, NOW + 60),
        };
        // Waiting.
        let disk = disk();
        load(&disk).accept_download(NOW, &download("a")).unwrap();
        let mut queue = again(&disk);
        assert_eq!(stages(&queue), ["waiting"]);
        assert!(
            queue.begin(NOW + 60, true).is_some(),
            "no session to wait for"
        );
        // Fetching.
        let mut queue = again(&disk);
        assert_eq!(stages(&queue), ["waiting"]);
        let job = queue.begin(NOW + 61, true).expect("anew");
        assert_eq!(job.password, "pass phrase");
        // Applying what does not reboot the box.
        queue.applying(job.id, "", false).unwrap();
        let mut queue = again(&disk);
        let job = queue.begin(NOW + 62, true).expect("anew");
        // Completed.
        queue.finished(job.id, NOW + 70, Ok(()));
        let before = queue.to_tell();
        assert!(before.is_some());
        let mut queue = again(&disk);
        assert_eq!(queue.to_tell(), before);
        assert_eq!(queue.begin(NOW + 500, true), None);
        assert_eq!(events(&queue), ["7 TRANSFER COMPLETE", "M Download a"]);
        // Told.
        assert!(queue.delivered(job.id));
        assert!(again(&disk).list().is_empty());
    }
}

#[test]
fn what_is_interrupted_again_and_again_fails_after_three_new_tries() {
    for (upload_it, expected) in [(false, 9010), (true, 9011)] {
        let disk = disk();
        let mut queue = load(&disk);
        match upload_it {
            true => queue.accept_upload(NOW, &upload("u")).unwrap(),
            false => queue.accept_download(NOW, &download("d")).unwrap(),
        }
        for boot in [true, false, true, true] {
            queue.session_ended();
            assert!(queue.begin(NOW, false).is_some());
            queue = match boot {
                true => rebooted(&disk, OLD, None, NOW),
                false => restarted(&disk, NOW),
            };
        }
        assert_eq!(stages(&queue), ["completed"]);
        assert_eq!(code(&queue), expected);
        assert!(told(&queue).fault.text.contains("interrupted"));
    }
}

/// A firmware download that is being applied, or was.
fn applied(is_done: bool, before: &str) -> Arc<queue_support::frail::FrailDisk> {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["fw"]);
    queue.applying(job.id, before, true).unwrap();
    if is_done {
        queue.finished(job.id, NOW + 9, Ok(()));
        assert_eq!(stages(&queue), ["rebooting"]);
        assert_eq!(queue.to_tell(), None, "not before the boot");
    }
    disk
}

// T-DLD-001, T-DLD-007, T-DLD-014
#[test]
fn firmware_has_to_show_after_the_boot_that_it_is_another() {
    for is_done in [false, true] {
        let after = |firmware: &str, flashed| {
            let queue = rebooted(&applied(is_done, OLD), firmware, flashed, NOW + 99);
            let message = told(&queue);
            assert_eq!(message.complete, DateTime::Utc(NOW + 99));
            (message.fault.code, message.fault.text)
        };
        assert_eq!(after("firmware 2", None).0, 0);
        assert_eq!(after("firmware 2", Some(false)).0, 0);
        assert_eq!(after(OLD, Some(true)).0, 0, "the same firmware once more");
        for flashed in [None, Some(false)] {
            let (code, text) = after(OLD, flashed);
            assert_eq!(code, 9010);
            assert_eq!(text, "the box runs the firmware it ran before");
        }
        // No firmware: the boot is all there is to see.
        for firmware in [OLD, ""] {
            let queue = rebooted(&applied(is_done, ""), firmware, Some(false), NOW + 99);
            assert_eq!(code(&queue), 0);
        }
    }
}

#[test]
fn a_restart_without_a_boot_applies_firmware_once_more_and_not_twice() {
    let disk = applied(false, OLD);
    let mut queue = restarted(&disk, NOW);
    assert_eq!(stages(&queue), ["waiting"]);
    let job = queue.begin(NOW, false).expect("anew");
    queue.applying(job.id, OLD, true).unwrap();
    let queue = restarted(&disk, NOW);
    assert_eq!(code(&queue), 9010);

    // Its command has ended well: the boot is still to come, and nothing else begins now.
    let disk = applied(true, OLD);
    let mut queue = restarted(&disk, NOW);
    assert_eq!(stages(&queue), ["rebooting"]);
    assert_eq!(queue.begin(NOW, true), None);
    assert_eq!(code(&rebooted(&disk, "firmware 2", None, NOW)), 0);
}

#[test]
fn nothing_begins_while_the_box_is_about_to_boot_but_not_for_ever() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["fw", "next"]);
    queue.applying(job.id, OLD, true).unwrap();
    queue.finished(job.id, NOW, Ok(()));
    assert_eq!(queue.begin(NOW + 1, true), None);
    let due = queue.next_due().expect("a time");
    assert!(due > NOW + 60 && due <= NOW + 600);
    assert_eq!(queue.begin(due, true).expect("a job").command_key, "next");
}

// T-DLD-015, T-DLD-016
#[test]
fn sixteen_are_taken_completed_ones_included_and_the_next_is_refused() {
    let disk = disk();
    let mut queue = load(&disk);
    queue.accept_local(NOW, local(true)).unwrap();
    for n in 1..MAX {
        queue
            .accept_download(NOW, &download(&n.to_string()))
            .unwrap();
    }
    assert_eq!(
        queue.accept_download(NOW, &download("x")),
        Err(NotKept::Full)
    );
    assert_eq!(queue.accept_upload(NOW, &upload("x")), Err(NotKept::Full));
    assert_eq!(queue.accept_local(NOW, local(false)), Err(NotKept::Full));
    assert_eq!(NotKept::Full.fault().code, 9004);
    let job = queue.begin(NOW, false).expect("a job");
    queue.finished(job.id, NOW, Ok(()));
    assert_eq!(queue.accept_upload(NOW, &upload("x")), Err(NotKept::Full));
    assert!(queue.delivered(job.id));
    assert_eq!(queue.accept_upload(NOW, &upload("x")), Ok(()));
    assert_eq!(load(&disk).list().len(), MAX);
}

// T-GQT-001, T-RPC-003
#[test]
fn the_list_shows_what_waits_what_runs_and_what_is_done() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["done"]);
    queue.finished(job.id, NOW, Ok(()));
    let mut asked = local(false);
    asked.target_file_name = String::new();
    queue.accept_local(NOW, asked).unwrap();
    assert!(queue.begin(NOW, false).is_some());
    queue.accept_upload(NOW, &upload("later")).unwrap();
    let list = queue.list();
    let seen: Vec<_> = list
        .iter()
        .map(|t| (t.command_key.as_str(), t.state, t.is_download))
        .collect();
    assert_eq!(
        seen,
        [
            ("done", TransferState::Completed, true),
            ("", TransferState::InProgress, false),
            ("later", TransferState::NotStarted, false),
        ]
    );
    assert_eq!(list[0].file_type, "1 Firmware Upgrade Image");
    assert_eq!(list[0].file_size, 1000);
    assert_eq!(list[0].target_file_name, "image");
    let requested: Vec<_> = queue.list_requested();
    assert_eq!(requested.len(), 2, "GetQueuedTransfers: the ACS's own");
}

// T-CAN-001
#[test]
fn a_transfer_that_waits_or_is_on_its_way_can_be_cancelled_and_nobody_is_told() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["run", "wait", "wait"]);
    queue.accept_local(NOW, local(true)).unwrap();
    assert_eq!(queue.cancel("unknown"), Ok(0));
    assert_eq!(queue.cancel(""), Ok(0), "a person's transfer has no key");
    assert_eq!(queue.cancel("wait"), Ok(2));
    assert_eq!(queue.overdue(NOW), None);
    assert_eq!(queue.cancel("run"), Ok(1));
    assert_eq!(load(&disk).list().len(), 1, "the person's");
    // Who does it is to stop, and must not apply it.
    assert!(!queue.has(job.id));
    assert_eq!(queue.overdue(NOW), Some(job.id));
    assert_eq!(queue.applying(job.id, "", false), Err(NotKept::Gone));
    assert_eq!(queue.begin(NOW, true), None, "it has not stopped yet");
    queue.finished(job.id, NOW, Ok(()));
    assert_eq!((queue.to_tell(), events(&queue)), (None, vec![]));
    assert!(queue.begin(NOW, true).expect("a job").local);
}

// T-CAN-002
#[test]
fn one_that_is_applied_or_done_cannot_be_cancelled_nor_can_others_of_its_key() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["k", "k"]);
    queue.applying(job.id, OLD, true).unwrap();
    assert_eq!(queue.cancel("k"), Err(CancelRefused::TooLate));
    queue.finished(job.id, NOW, Ok(()));
    assert_eq!(queue.cancel("k"), Err(CancelRefused::TooLate), "rebooting");
    let mut queue = rebooted(&disk, "firmware 2", None, NOW);
    assert_eq!(queue.cancel("k"), Err(CancelRefused::TooLate), "completed");
    assert_eq!(stages(&queue), ["completed", "waiting"]);
    assert_eq!(CancelRefused::TooLate.fault().code, 9021);
    assert!(queue.delivered(job.id));
    assert_eq!(queue.cancel("k"), Ok(1));
}

// T-ATC-001, T-ATC-002
#[test]
fn a_persons_transfer_begins_at_once_and_is_an_autonomous_one() {
    let disk = disk();
    let mut queue = load(&disk);
    let id = queue.accept_local(NOW, local(false)).unwrap();
    let job = queue.begin(NOW, false).expect("no session to wait for");
    assert!(job.id == id && job.local && job.kind == Kind::Upload);
    queue.finished(id, NOW + 3, fault(9012, "who are you?"));
    let told = queue.to_tell().expect("something");
    assert_eq!(told.event, EventCode::AutonomousTransferComplete);
    assert_eq!(told.command_key, "");
    let CpeRequest::AutonomousTransferComplete(message) = told.message else {
        panic!("{told:?}");
    };
    assert_eq!(message.announce_url, "");
    assert_eq!(message.transfer_url, "http://files.example/local");
    assert_eq!(message.file_type, "3 Vendor Configuration File");
    assert_eq!(
        (message.file_size, message.target_file_name.as_str()),
        (7, "config")
    );
    assert!(!message.is_download && message.fault.code == 9012);
    assert_eq!(message.start, DateTime::Utc(NOW));
    assert_eq!(message.complete, DateTime::Utc(NOW + 3));
    assert_eq!(events(&queue), ["10 AUTONOMOUS TRANSFER COMPLETE"]);
}

// T-DLD-013
#[test]
fn a_refused_completion_is_told_again_in_the_next_session_and_lets_others_pass() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["one", "two"]);
    queue.finished(job.id, NOW, Ok(()));
    let second = queue.begin(NOW, false).expect("a job");
    queue.finished(second.id, NOW, Ok(()));
    assert!(!queue.refused(job.id, false));
    assert_eq!(told(&queue).command_key, "two");
    assert!(queue.delivered(second.id));
    assert_eq!(queue.to_tell(), None);
    assert_eq!(queue.left_to_tell(), 0);
    assert_eq!(events(&queue), ["7 TRANSFER COMPLETE", "M Download one"]);
    queue.session_ended();
    assert_eq!(told(&queue).command_key, "one");
    assert!(
        queue.delivered(999),
        "of one that is not there nothing is left"
    );
    assert!(queue.delivered(job.id));
}

#[test]
fn only_a_completed_transfer_is_delivered() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["one"]);
    assert!(!queue.delivered(job.id));
    assert_eq!(stages(&queue), ["fetching"]);
}

// T-DLD-020
#[test]
fn times_are_unknown_while_the_clock_is_and_known_once_it_was_set() {
    let unset = |disk: &_| {
        let mut queue = load(disk);
        queue.accept_download(100, &download("a")).unwrap();
        queue.session_ended();
        let job = queue.begin(101, false).expect("a job");
        queue.finished(job.id, 105, fault(9015, "nobody there"));
        queue
    };
    let disk = disk();
    let mut queue = unset(&disk);
    let message = told(&queue);
    assert_eq!(
        (message.start, message.complete),
        (DateTime::Unknown, DateTime::Unknown)
    );
    queue.clock_stepped(NOW, NOW + 110);
    let message = told(&queue);
    assert_eq!(message.start, DateTime::Utc(NOW + 101));
    assert_eq!(message.complete, DateTime::Utc(NOW + 105));
    queue.clock_stepped(3600, NOW + 4000);
    assert_eq!(told(&queue), message, "what is known stays");

    // What a lost clock showed before the boot is not known after it.
    let disk = queue_support::disk();
    unset(&disk);
    let mut queue = rebooted(&disk, OLD, None, 20);
    queue.clock_stepped(NOW, NOW + 20);
    let message = told(&queue);
    assert_eq!(
        (message.start, message.complete),
        (DateTime::Unknown, DateTime::Unknown)
    );
}

#[test]
fn no_secret_is_shown_and_passwords_are_gone_once_nobody_needs_them() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["one"]);
    let on_disk = || String::from_utf8(disk.content(FILE).unwrap()).unwrap();
    assert!(on_disk().contains("pass phrase"), "a restart needs it");
    let shown = format!(
        "{job:?} {:?} {:?} {:?}",
        queue.entries(),
        local(true),
        queue.to_tell()
    );
    for secret in ["pass phrase", "someone", "token", "hidden"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    queue.finished(job.id, NOW, Ok(()));
    assert!(!on_disk().contains("pass phrase") && !on_disk().contains("someone"));
}

#[test]
fn texts_are_no_longer_than_cwmp_has_them() {
    let disk = disk();
    let mut queue = load(&disk);
    let mut long = download("one");
    long.url = format!("http://a/{}", "x".repeat(256));
    assert_eq!(queue.accept_download(NOW, &long), Err(NotKept::TooLong));
    assert_eq!(
        queue.accept_upload(NOW, &upload(&"k".repeat(33))),
        Err(NotKept::TooLong)
    );
    let asked = Local {
        url: "u".repeat(1025),
        ..local(true)
    };
    assert_eq!(queue.accept_local(NOW, asked), Err(NotKept::TooLong));
    assert_eq!(NotKept::TooLong.fault().code, 9003);
    assert_eq!(disk.content(FILE), None);
    let (mut queue, job) = fetching(&disk, &["one"]);
    queue.finished(job.id, NOW, fault(9010, &"ü".repeat(1000)));
    assert_eq!(told(&queue).fault.text.chars().count(), 256);
}

#[test]
fn what_does_not_change_is_not_written() {
    let disk = disk();
    let mut queue = load(&disk);
    assert!(queue.started(true, OLD, None, NOW));
    assert_eq!(queue.begin(NOW, true), None);
    queue.session_ended();
    queue.clock_stepped(5, NOW);
    queue.bootstrap_discards();
    assert_eq!(queue.cancel("x"), Ok(0));
    assert_eq!(queue.confirm("x"), Ok(0));
    queue.clear();
    assert_eq!(disk.steps(), 0, "an empty queue");

    let mut asked = download("one");
    asked.delay_seconds = 500;
    queue.accept_download(NOW, &asked).unwrap();
    disk.set_fate(Fate::Sound);
    queue.session_ended();
    assert_eq!(queue.begin(NOW + 1, true), None);
    queue.bootstrap_discards();
    let mut queue = load(&disk);
    assert!(queue.started(true, OLD, None, NOW + 2));
    assert_eq!(queue.begin(NOW + 3, true), None);
    assert_eq!(disk.steps(), 0, "one that waits");
}

#[test]
fn a_bootstrap_discards_the_completed_and_a_reset_everything() {
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["done", "waits"]);
    queue.finished(job.id, NOW, Ok(()));
    queue.bootstrap_discards();
    assert_eq!((queue.to_tell(), events(&queue)), (None, vec![]));
    assert_eq!(load(&disk).list().len(), 1);
    let job = queue.begin(NOW, false).expect("the other goes on");
    queue.clear();
    assert_eq!(queue.overdue(NOW), Some(job.id));
    queue.finished(job.id, NOW, Ok(()));
    assert!(queue.list().is_empty() && load(&disk).list().is_empty());
}

#[test]
fn what_cannot_be_written_is_refused_and_is_not_there_later() {
    // At each step of the write, and for good from there on.
    for step in 0..8 {
        for fate in [Fate::FailOnce(step, ENOSPC), Fate::FailFrom(step, ENOSPC)] {
            let disk = disk();
            let (mut queue, _) = fetching(&disk, &["old", "wait"]);
            disk.set_fate(fate);
            let kept = queue.accept_download(NOW, &download("new"));
            let keys = |queue: &cwmp_agent::transfer::queue::Queue| -> Vec<String> {
                queue.list().into_iter().map(|t| t.command_key).collect()
            };
            disk.set_fate(Fate::Sound);
            match kept {
                Ok(()) => assert_eq!(keys(&queue), ["old", "wait", "new"], "{fate:?}"),
                Err(e) => {
                    assert_eq!((e, e.fault().code), (NotKept::Disk, 9002));
                    assert_eq!(keys(&queue), ["old", "wait"], "{fate:?}");
                    if matches!(fate, Fate::FailOnce(..)) {
                        assert_eq!(keys(&load(&disk)), ["old", "wait"], "{fate:?}");
                    }
                    // Once the disk is well, a look at it is enough.
                    queue.begin(NOW + 100, false);
                    assert_eq!(keys(&load(&disk)), ["old", "wait"], "{fate:?}");
                }
            }
        }
    }
    let disk = disk();
    let (mut queue, job) = fetching(&disk, &["old", "wait"]);
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    assert_eq!(queue.cancel("wait"), Err(CancelRefused::Disk));
    assert_eq!(CancelRefused::Disk.fault().code, 9002);
    assert_eq!(queue.applying(job.id, OLD, true), Err(NotKept::Disk));
    assert_eq!(stages(&queue), ["fetching", "waiting"]);
}

#[test]
fn a_disk_that_fails_holds_transfers_back_and_is_tried_again() {
    let disk = disk();
    let mut queue = load(&disk);
    queue.accept_download(NOW, &download("one")).unwrap();
    queue.session_ended();
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    assert_eq!(queue.begin(NOW, false), None);
    assert_eq!(stages(&queue), ["waiting"]);
    let due = queue.next_due().expect("a time");
    assert_eq!(due, NOW + 60, "not at once");
    assert_eq!(queue.begin(NOW + 59, false), None);
    disk.set_fate(Fate::Sound);
    let job = queue.begin(due, false).expect("a job");
    // What is done is told of from memory, and written as soon as it can be.
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    queue.finished(job.id, due, Ok(()));
    assert_eq!(code(&queue), 0);
    assert_eq!(stages(&load(&disk)), ["fetching"]);
    let again = queue.next_due().expect("a time");
    assert_eq!(queue.begin(again, false), None);
    assert!(queue.next_due() > Some(again));
    assert!(!queue.delivered(job.id), "it is not gone from the disk");
    disk.set_fate(Fate::Sound);
    let again = queue.next_due().expect("a time");
    assert_eq!(queue.begin(again, false), None);
    assert!(load(&disk).list().is_empty());
    assert_eq!(queue.next_due(), None);
}

#[test]
fn a_damaged_or_newer_state_file_is_set_aside_and_the_queue_is_empty() {
    let newer = br#"{"version":9,"file":"transfers","sha256":""}"#;
    for content in [&b""[..], b"{}", b"\xff\xfe", newer] {
        let disk = disk();
        disk.edit(FILE, content);
        let mut queue = load(&disk);
        assert!(queue.list().is_empty());
        assert_eq!(disk.content(FILE), None, "set aside");
        queue.accept_download(NOW, &download("one")).unwrap();
        assert_eq!(load(&disk).list().len(), 1);
    }
}

#[test]
fn records_that_this_program_never_wrote_are_dropped() {
    let disk = disk();
    let (queue, _) = fetching(&disk, &["one", "two"]);
    let text = String::from_utf8(disk.content(FILE).unwrap()).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let long = body.replacen("\"two\"", &format!("\"{}\"", "k".repeat(33)), 1);
    let twice = body.replacen("\"id\":2", "\"id\":1", 1);
    for changed in [long, twice] {
        assert_ne!(changed, body);
        state(&disk)
            .save_bytes("transfers", changed.as_bytes())
            .unwrap();
        let list = load(&disk).list();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].command_key, "one");
    }
    assert_eq!(queue.list().len(), 2);
}

// T-DLD-014
#[test]
fn a_power_cut_at_each_step_of_each_write_finds_the_stage_before_or_after() {
    type Act = fn(&mut cwmp_agent::transfer::queue::Queue);
    let stories: [(&str, Act, [&[&str]; 2]); 5] = [
        (
            "accept",
            |q| q.accept_upload(NOW, &upload("u")).unwrap_or(()),
            [&["fetching"], &["fetching", "waiting"]],
        ),
        (
            "cancel",
            |q| assert!(q.cancel("fw") != Ok(0)),
            [&["fetching"], &[]],
        ),
        (
            "applying",
            |q| q.applying(1, OLD, true).unwrap_or(()),
            [&["fetching"], &["applying"]],
        ),
        (
            "finished",
            |q| q.finished(1, NOW, Ok(())),
            [&["fetching"], &["completed"]],
        ),
        (
            "delivered",
            |q| {
                q.finished(1, NOW, Ok(()));
                q.delivered(1);
            },
            [&["fetching", "completed"], &[]],
        ),
    ];
    for (name, act, [old, new]) in stories {
        let steps = {
            let disk = disk();
            let (mut queue, _) = fetching(&disk, &["fw"]);
            disk.set_fate(Fate::Sound);
            act(&mut queue);
            assert_eq!(stages(&load(&disk)), new, "{name}");
            disk.steps()
        };
        assert!(steps >= 4, "{name}: {steps}");
        for cut in 0..=steps {
            for survives in [
                Survives::Nothing,
                Survives::Names,
                Survives::Everything,
                Survives::Some(u64::from(cut) + 7),
            ] {
                let disk = disk();
                let (mut queue, _) = fetching(&disk, &["fw"]);
                disk.set_fate(Fate::CutAfter(cut));
                act(&mut queue);
                let found = stages(&load(&Arc::new(disk.after_power_cut(survives))));
                let one_of_old = name == "delivered" && old.iter().any(|s| found == [*s]);
                assert!(
                    found == old || found == new || one_of_old,
                    "{name}, cut {cut}, {survives:?}: {found:?}"
                );
                assert!(cut < steps || found == new, "{name}: it was done");
            }
        }
    }
}
