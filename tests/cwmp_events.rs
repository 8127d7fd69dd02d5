//! Events: what is kept, what is dropped, and by which response each is delivered.

use cwmp_agent::cwmp::event::{
    Delivered, DeliveredBy, EventCode, EventQueue, EventSnapshot, Retry, SavedEvent,
};
use cwmp_agent::cwmp::message::Event;
use cwmp_agent::cwmp::version::CwmpVersion;

const V: CwmpVersion = CwmpVersion::V1_4;

fn queue(events: &[(EventCode, &str)]) -> EventQueue {
    let mut queue = EventQueue::new();
    for (code, key) in events {
        assert!(queue.raise(code.clone(), key), "{code}");
    }
    queue
}

fn texts(queue: &EventQueue) -> Vec<String> {
    queue
        .pending()
        .map(|e| format!("{}|{}", e.code, e.command_key))
        .collect()
}

/// One whole session: Inform taken, accepted, ended.
fn session(queue: &mut EventQueue) -> usize {
    let sent = queue.take_for_inform(V).len();
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    sent
}

// T-EVT-001
#[test]
fn the_first_start_has_bootstrap_and_boot_without_keys() {
    let mut queue = queue(&[(EventCode::Boot, "ignored")]);
    assert!(queue.bootstrap().is_empty());
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|", "1 BOOT|"]);
    assert_eq!(session(&mut queue), 2);
    assert!(texts(&queue).is_empty());
}

// T-EVT-003
#[test]
fn an_undelivered_bootstrap_outlives_a_reboot() {
    let mut queue = queue(&[(EventCode::Boot, "")]);
    queue.bootstrap();
    queue.take_for_inform(V);
    queue.session_failed();
    let mut queue = EventQueue::restore(&queue.snapshot());
    queue.rebooted();
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|"]);
    queue.raise(EventCode::Boot, "");
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|", "1 BOOT|"]);
}

// T-EVT-006
#[test]
fn bootstrap_discards_all_but_boot_and_what_comes_later_rides_along() {
    let mut queue = queue(&[
        (EventCode::ValueChange, ""),
        (EventCode::Boot, ""),
        (EventCode::TransferComplete, ""),
        (EventCode::MDownload, "k"),
    ]);
    let dropped: Vec<String> = queue
        .bootstrap()
        .iter()
        .map(|e| e.code.to_string())
        .collect();
    assert_eq!(
        dropped,
        ["4 VALUE CHANGE", "7 TRANSFER COMPLETE", "M Download"]
    );
    queue.raise(EventCode::Periodic, "");
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|", "1 BOOT|", "2 PERIODIC|"]);
    // A second change of the URL before the first bootstrap was delivered.
    assert_eq!(queue.bootstrap().len(), 1);
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|", "1 BOOT|"]);
}

#[test]
fn a_bootstrap_that_comes_during_a_session_waits_for_the_next() {
    let mut queue = queue(&[(EventCode::Boot, "")]);
    queue.bootstrap();
    queue.take_for_inform(V);
    queue.bootstrap();
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|"]);
    assert!(queue.wants_session());
}

// T-EVT-016, T-EVT-018
#[test]
fn single_events_come_once_and_m_events_once_for_each_request() {
    let mut queue = queue(&[
        (EventCode::MScheduleInform, "a"),
        (EventCode::Scheduled, ""),
        (EventCode::MScheduleInform, "b"),
        (EventCode::MReboot, "r"),
        (EventCode::MReboot, "r"),
    ]);
    assert!(!queue.raise(EventCode::Scheduled, ""));
    assert_eq!(
        texts(&queue),
        [
            "3 SCHEDULED|",
            "M Reboot|r",
            "M Reboot|r",
            "M ScheduleInform|a",
            "M ScheduleInform|b"
        ]
    );
}

// T-EVT-019
#[test]
fn an_inform_carries_at_most_64_and_the_rest_comes_next() {
    let mut queue = EventQueue::new();
    for i in 0..70 {
        queue.raise(EventCode::MScheduleInform, &format!("{i}"));
    }
    queue.raise(EventCode::Scheduled, "");
    assert_eq!(session(&mut queue), 64);
    assert!(queue.wants_session());
    assert_eq!(texts(&queue)[0], "M ScheduleInform|63");
    assert_eq!(session(&mut queue), 7);
    assert!(!queue.wants_session());
}

#[test]
fn the_queue_is_bounded_and_so_are_its_keys() {
    let mut queue = EventQueue::new();
    for _ in 0..EventQueue::MAX {
        assert!(queue.raise(EventCode::MReboot, &"\u{e9}".repeat(40)));
    }
    assert!(!queue.raise(EventCode::MReboot, "more"));
    assert!(queue.pending().all(|e| e.command_key.chars().count() == 32));
    assert!(!queue.raise(EventCode::Vendor("X 00005E Lamp".into()), ""));
    // CWMP's own single events still find room.
    assert!(queue.raise(EventCode::TransferComplete, ""));
    assert_eq!(queue.bootstrap().len(), EventQueue::MAX + 1);
    assert_eq!(texts(&queue), ["0 BOOTSTRAP|"]);
}

// T-EVT-014
#[test]
fn a_connection_request_is_not_sent_again_after_a_failed_session() {
    let mut queue = queue(&[
        (EventCode::ConnectionRequest, ""),
        (EventCode::Periodic, ""),
    ]);
    assert_eq!(queue.take_for_inform(V).len(), 2);
    queue.session_failed();
    assert_eq!(texts(&queue), ["2 PERIODIC|"]);
    // The retry policy decides when, not the queue.
    assert!(!queue.wants_session());
}

#[test]
fn a_connection_request_during_a_session_gives_one_more_session() {
    for fails in [false, true] {
        let mut queue = queue(&[(EventCode::ConnectionRequest, "")]);
        queue.take_for_inform(V);
        assert!(!queue.wants_session());
        assert!(queue.raise(EventCode::ConnectionRequest, ""));
        assert!(!queue.raise(EventCode::ConnectionRequest, ""));
        assert!(queue.wants_session());
        if fails {
            queue.session_failed();
        } else {
            queue.delivered(Delivered::Inform);
            queue.session_ended();
        }
        assert_eq!(texts(&queue), ["6 CONNECTION REQUEST|"]);
        assert!(queue.wants_session());
    }
}

// EVT-005, T-SCI-002
#[test]
fn an_event_during_a_session_is_not_delivered_by_it() {
    let mut queue = queue(&[(EventCode::ValueChange, "")]);
    queue.take_for_inform(V);
    assert!(queue.raise(EventCode::ValueChange, ""));
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert_eq!(texts(&queue), ["4 VALUE CHANGE|"]);
    // After a failure the two occurrences are one event again.
    queue.take_for_inform(V);
    queue.raise(EventCode::ValueChange, "");
    queue.session_failed();
    assert_eq!(texts(&queue), ["4 VALUE CHANGE|"]);
    // What was scheduled comes due in the middle of a session: one more session.
    session(&mut queue);
    assert!(!queue.wants_session());
    assert!(queue.take_for_inform(V).is_empty());
    queue.raise(EventCode::Scheduled, "");
    queue.raise(EventCode::MScheduleInform, "s1");
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert!(queue.wants_session());
    assert_eq!(texts(&queue), ["3 SCHEDULED|", "M ScheduleInform|s1"]);
}

// T-FLW-013, EVT-004
#[test]
fn a_transfer_is_delivered_by_its_own_response_only() {
    let mut queue = queue(&[
        (EventCode::Boot, ""),
        (EventCode::TransferComplete, ""),
        (EventCode::MDownload, "a"),
        (EventCode::MUpload, "a"),
        (EventCode::MDownload, "b"),
    ]);
    queue.take_for_inform(V);
    queue.delivered(Delivered::Inform);
    queue.session_failed();
    assert_eq!(
        texts(&queue),
        [
            "7 TRANSFER COMPLETE|",
            "M Download|a",
            "M Download|b",
            "M Upload|a"
        ]
    );
    queue.delivered(Delivered::Transfer {
        code: &EventCode::MDownload,
        command_key: "a",
    });
    queue.delivered(Delivered::Transfer {
        code: &EventCode::MDownload,
        command_key: "unknown",
    });
    assert_eq!(
        texts(&queue),
        ["7 TRANSFER COMPLETE|", "M Download|b", "M Upload|a"]
    );
    queue.delivered(Delivered::Transfer {
        code: &EventCode::MUpload,
        command_key: "a",
    });
    queue.delivered(Delivered::Transfer {
        code: &EventCode::MDownload,
        command_key: "b",
    });
    assert!(texts(&queue).is_empty());
}

#[test]
fn each_response_delivers_its_own_events() {
    use EventCode::*;
    let all = || {
        queue(&[
            (Kicked, ""),
            (RequestDownload, ""),
            (AutonomousTransferComplete, ""),
            (DuStateChangeComplete, ""),
            (AutonomousDuStateChangeComplete, ""),
            (MChangeDuState, "k"),
        ])
    };
    let mut rest = all();
    rest.take_for_inform(V);
    rest.delivered(Delivered::Inform);
    assert_eq!(texts(&rest).len(), 6);
    for (what, gone) in [
        (Delivered::Kicked, vec![Kicked]),
        (Delivered::RequestDownload, vec![RequestDownload]),
        (Delivered::AutonomousTransfer { last: false }, vec![]),
        (
            Delivered::AutonomousTransfer { last: true },
            vec![AutonomousTransferComplete],
        ),
        (Delivered::AutonomousDuStateChange { last: false }, vec![]),
        (
            Delivered::AutonomousDuStateChange { last: true },
            vec![AutonomousDuStateChangeComplete],
        ),
        (
            Delivered::DuStateChange { command_key: "k" },
            vec![DuStateChangeComplete, MChangeDuState],
        ),
    ] {
        let mut queue = all();
        queue.delivered(what);
        for code in EventCode::all() {
            let was = all().has(code);
            assert_eq!(
                queue.has(code),
                was && !gone.contains(code),
                "{what:?} {code}"
            );
        }
    }
}

/// The table itself, as TR-069 3.7.1.5 has it.
#[test]
fn the_rules_are_those_of_the_specification() {
    let mut rows = Vec::new();
    for code in EventCode::all() {
        let rule = code.rule();
        let by = match rule.delivered_by {
            DeliveredBy::InformResponse => "Inform",
            DeliveredBy::TransferCompleteResponse => "TransferComplete",
            DeliveredBy::AutonomousTransferCompleteResponse => "AutonomousTransferComplete",
            DeliveredBy::DuStateChangeCompleteResponse => "DUStateChangeComplete",
            DeliveredBy::AutonomousDuStateChangeCompleteResponse => {
                "AutonomousDUStateChangeComplete"
            }
            DeliveredBy::KickedResponse => "Kicked",
            DeliveredBy::RequestDownloadResponse => "RequestDownload",
        };
        let retry = match rule.retry {
            Retry::Always => "always",
            Retry::UntilReboot => "until reboot",
            Retry::Never => "never",
        };
        rows.push(format!("{code} {} {by} {retry}", rule.since));
    }
    assert_eq!(
        rows,
        [
            "0 BOOTSTRAP 1.0 Inform always",
            "1 BOOT 1.0 Inform until reboot",
            "2 PERIODIC 1.0 Inform always",
            "3 SCHEDULED 1.0 Inform always",
            "4 VALUE CHANGE 1.0 Inform until reboot",
            "5 KICKED 1.0 Kicked until reboot",
            "6 CONNECTION REQUEST 1.0 Inform never",
            "7 TRANSFER COMPLETE 1.0 TransferComplete always",
            "8 DIAGNOSTICS COMPLETE 1.0 Inform until reboot",
            "9 REQUEST DOWNLOAD 1.0 RequestDownload until reboot",
            "10 AUTONOMOUS TRANSFER COMPLETE 1.1 AutonomousTransferComplete always",
            "11 DU STATE CHANGE COMPLETE 1.2 DUStateChangeComplete always",
            "12 AUTONOMOUS DU STATE CHANGE COMPLETE 1.2 AutonomousDUStateChangeComplete always",
            "13 WAKEUP 1.4 Inform until reboot",
            "14 HEARTBEAT 1.4 Inform never",
            "M Reboot 1.0 Inform always",
            "M ScheduleInform 1.0 Inform always",
            "M Download 1.0 TransferComplete always",
            "M Upload 1.0 TransferComplete always",
            "M ScheduleDownload 1.2 TransferComplete always",
            "M ChangeDUState 1.2 DUStateChangeComplete always",
        ]
    );
}

#[test]
fn events_that_a_version_does_not_have_wait_and_ask_for_nothing() {
    let mut queue = queue(&[(EventCode::Boot, ""), (EventCode::Wakeup, "")]);
    let sent = queue.take_for_inform(CwmpVersion::V1_0);
    assert_eq!(sent.len(), 1);
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert_eq!(texts(&queue), ["13 WAKEUP|"]);
    assert!(!queue.wants_session());
    assert_eq!(queue.take_for_inform(V).len(), 1);
}

fn taken(events: Option<Vec<Event>>) -> Option<Vec<String>> {
    events.map(|events| events.iter().map(|e| e.code.to_string()).collect())
}

// T-EVT-022
#[test]
fn a_heartbeat_shares_its_inform_with_nothing_and_lets_what_is_new_go_first_once() {
    let heartbeat = Some(vec!["14 HEARTBEAT".to_owned()]);
    let mut queue = queue(&[(EventCode::Heartbeat, ""), (EventCode::Periodic, "")]);
    assert!(queue.wants_session());
    assert_eq!(queue.take_heartbeat(V, false, false), None);
    assert_eq!(queue.take_for_inform(V).len(), 1);
    queue.delivered(Delivered::Inform);
    // Something new again and again does not keep it waiting.
    queue.raise(EventCode::ConnectionRequest, "");
    queue.session_ended();
    assert!(queue.wants_session());
    assert_eq!(taken(queue.take_heartbeat(V, false, true)), heartbeat);
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert_eq!(texts(&queue), ["6 CONNECTION REQUEST|"]);
    assert!(queue.wants_session());
    session(&mut queue);
    // A change that asks for a session goes first, too.
    queue.raise(EventCode::Heartbeat, "");
    assert_eq!(queue.take_heartbeat(V, false, true), None);
    assert_eq!(taken(queue.take_heartbeat(V, false, false)), heartbeat);
}

// T-EVT-022
#[test]
fn a_heartbeat_waits_while_a_failed_inform_is_tried_again() {
    let mut queue = queue(&[(EventCode::Periodic, "")]);
    queue.take_for_inform(V);
    queue.session_failed();
    queue.raise(EventCode::Heartbeat, "");
    assert!(!queue.ends_retry_wait());
    // Whatever it is that keeps the other one back.
    assert!(!queue.wants_session());
    assert_eq!(queue.take_heartbeat(V, false, false), None);
    for _ in 0..3 {
        assert_eq!(queue.take_heartbeat(V, true, false), None);
        assert_eq!(queue.take_for_inform(V).len(), 1);
        queue.session_failed();
        assert!(!queue.ends_retry_wait());
    }
    assert_eq!(texts(&queue), ["2 PERIODIC|", "14 HEARTBEAT|"]);
    session(&mut queue);
    assert!(queue.wants_session(), "its turn has come");
    assert!(queue.take_heartbeat(V, false, false).is_some());
    // It is not tried again itself; the next one comes by itself.
    queue.session_failed();
    assert_eq!(texts(&queue), [""; 0]);
}

#[test]
fn events_that_wait_for_their_own_response_do_not_keep_a_heartbeat_from_its_turn() {
    let mut queue = queue(&[
        (EventCode::TransferComplete, ""),
        (EventCode::MDownload, "k"),
    ]);
    session(&mut queue);
    assert_eq!(texts(&queue).len(), 2);
    queue.raise(EventCode::Heartbeat, "");
    assert!(queue.take_heartbeat(V, false, false).is_some());
    queue.delivered(Delivered::Inform);
    queue.session_ended();
    assert_eq!(texts(&queue).len(), 2);
    assert!(!queue.wants_session());
}

#[test]
fn a_heartbeat_is_for_versions_that_know_it() {
    let mut queue = queue(&[(EventCode::Heartbeat, "")]);
    let old = CwmpVersion::V1_2;
    assert_eq!(queue.take_heartbeat(old, false, false), None);
    assert!(queue.take_for_inform(old).is_empty());
    assert!(!queue.wants_session(), "it must not ask for ever");
    // The ACS speaks a version that knows it by the next one.
    assert!(queue.raise(EventCode::Heartbeat, ""));
    assert!(queue.take_heartbeat(V, false, false).is_some());
}

#[test]
fn a_snapshot_keeps_all_but_what_must_not_be_retried() {
    let vendor = EventCode::parse("X 00005E Lamp").expect("a vendor's code");
    let mut queue = queue(&[
        (EventCode::ConnectionRequest, ""),
        (EventCode::ValueChange, ""),
        (EventCode::MDownload, "k & <k>"),
        (vendor, ""),
    ]);
    queue.take_for_inform(V);
    let text = serde_json::to_string(&queue.snapshot()).expect("plain data");
    let snapshot: EventSnapshot = serde_json::from_str(&text).expect("the same data");
    let restored = EventQueue::restore(&snapshot);
    assert_eq!(
        texts(&restored),
        ["4 VALUE CHANGE|", "M Download|k & <k>", "X 00005E Lamp|"]
    );
    assert!(restored.wants_session());
    assert_eq!(restored.snapshot(), snapshot);
}

#[test]
fn a_snapshot_from_elsewhere_is_read_as_far_as_it_can_be() {
    let saved = |code: &str| SavedEvent {
        code: code.into(),
        key: "k".into(),
    };
    let events = [
        "99 NEW",
        "1 BOOT",
        "1 BOOT",
        "6 CONNECTION REQUEST",
        "",
        "M Reboot",
    ];
    let snapshot = EventSnapshot {
        events: events.map(saved).to_vec(),
    };
    assert_eq!(
        texts(&EventQueue::restore(&snapshot)),
        ["1 BOOT|", "M Reboot|k"]
    );
}

#[test]
fn events_without_room_ask_again_only_after_a_session_that_made_room() {
    let mut queue = EventQueue::new();
    for i in 0..70 {
        queue.raise(EventCode::MReboot, &i.to_string());
    }
    assert!(queue.wants_session());
    // The ACS is down: the retry policy decides, whatever found no room.
    assert_eq!(queue.take_for_inform(V).len(), 64);
    queue.session_failed();
    assert!(!queue.wants_session());
    assert_eq!(session(&mut queue), 64);
    assert!(queue.wants_session(), "six found no room");
    assert_eq!(session(&mut queue), 6);
    assert!(!queue.wants_session());
    // Nothing is delivered (no TransferComplete is sent): no session follows at once.
    for i in 0..70 {
        queue.raise(EventCode::MDownload, &i.to_string());
    }
    assert_eq!(session(&mut queue), 64);
    assert!(!queue.wants_session());
    assert_eq!(queue.pending().count(), 70);
}

#[test]
fn a_vendor_event_that_comes_again_is_one_event_after_a_failed_session() {
    let vendor = |name: &str| EventCode::Vendor(format!("X ACME {name}"));
    let mut queue = queue(&[(vendor("a"), ""), (vendor("b"), "")]);
    assert_eq!(queue.take_for_inform(V).len(), 2);
    assert!(queue.raise(vendor("a"), ""), "it happened once more");
    queue.session_failed();
    assert_eq!(texts(&queue), ["X ACME a|", "X ACME b|"]);
    assert!(!queue.wants_session());
}
