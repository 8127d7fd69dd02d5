//! ScheduleDownload: which windows are taken, and when in them a download begins.

mod queue_support;

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::message::TimeWindow;
use cwmp_agent::transfer::queue::{Kind, Queue};
use cwmp_agent::transfer::windows::check;
use proptest::prelude::*;
use queue_support::frail::FrailDisk;
use queue_support::*;
use std::sync::Arc;

const ANY_TIME: &str = "1 At Any Time";
const AT_ONCE: &str = "2 Immediately";
const IDLE: &str = "3 When Idle";
const CONFIRM: &str = "4 Confirmation Needed";

fn scheduled(disk: &Arc<FrailDisk>, random: u32, windows: &[TimeWindow]) -> Queue {
    assert_eq!(check(windows), Ok(()));
    let mut queue = load(disk);
    let asked = schedule("s", windows);
    queue.accept_schedule(NOW, &asked, random).expect("room");
    queue.session_ended();
    queue
}

/// Begins at the moment that the queue names, and fails; gives the moment.
fn fail_when_due(queue: &mut Queue, text: &str) -> Option<i64> {
    let due = queue.next_due()?;
    let job = queue.begin(due, false)?;
    queue.finished(job.id, due, fault(9016, text));
    Some(due - NOW)
}

// T-SDL-004
#[test]
fn windows_that_make_no_sense_are_refused_by_name() {
    let good = window(10, 20, AT_ONCE, -1);
    let check_is_9003 = |windows: &[TimeWindow], says: &str| {
        let fault = check(windows).expect_err(says);
        assert_eq!(fault.code, 9003);
        assert!(fault.text.contains(says), "{}", fault.text);
    };
    assert_eq!(check(std::slice::from_ref(&good)), Ok(()));
    assert_eq!(
        check(&[good.clone(), window(20, 21, CONFIRM, 0)]),
        Ok(()),
        "they may touch"
    );
    check_is_9003(&[], "0 entries");
    check_is_9003(
        &[
            good.clone(),
            window(20, 30, IDLE, 0),
            window(30, 40, IDLE, 0),
        ],
        "3 entries",
    );
    check_is_9003(
        &[window(10, 10, AT_ONCE, 0)],
        "window 1 ends (10) before or at its start (10)",
    );
    check_is_9003(
        &[good.clone(), window(40, 30, IDLE, 0)],
        "window 2 ends (30)",
    );
    check_is_9003(
        &[good.clone(), window(19, 30, IDLE, 0)],
        "window 2 begins (19) before window 1 ends (20)",
    );
    check_is_9003(
        &[window(30, 40, IDLE, 0), good.clone()],
        "window 2 begins (10)",
    );
    check_is_9003(
        &[window(1, 2, "5 At Night", 0)],
        "\"5 At Night\" of window 1",
    );
    check_is_9003(
        &[good.clone(), window(30, 40, "X ACME Later", 0)],
        "of window 2",
    );
    check_is_9003(&[window(1, 2, IDLE, -2)], "MaxRetries -2");
    let mut long = good;
    long.user_message = "m".repeat(257);
    check_is_9003(&[long], "UserMessage");
}

// T-SDL-001
#[test]
fn an_immediate_window_begins_with_its_first_second_and_not_in_the_session() {
    let disk = disk();
    let mut queue = load(&disk);
    let asked = schedule("s", &[window(0, 600, AT_ONCE, 0)]);
    queue.accept_schedule(NOW, &asked, 0).unwrap();
    assert_eq!(queue.begin(NOW + 1, true), None, "the session goes on");
    queue.session_ended();
    assert!(queue.begin(NOW + 1, false).is_some());

    let disk = queue_support::disk();
    let mut queue = scheduled(&disk, u32::MAX, &[window(30, 600, AT_ONCE, 0)]);
    assert_eq!(queue.next_due(), Some(NOW + 30));
    assert_eq!(queue.begin(NOW + 29, true), None);
    let job = queue.begin(NOW + 30, false).expect("a job");
    assert_eq!(
        (job.kind, job.until),
        (Kind::ScheduleDownload, Some(NOW + 600))
    );
    assert_eq!(
        (job.username.as_str(), job.password.as_str()),
        ("someone", "pass phrase")
    );
    queue.applying(job.id, "", false).unwrap();
    queue.finished(job.id, NOW + 40, Ok(()));
    assert_eq!(
        events(&queue),
        ["7 TRANSFER COMPLETE", "M ScheduleDownload s"]
    );
    assert_eq!(code(&queue), 0);
    assert_eq!(queue.next_due(), None);
}

#[test]
fn at_any_time_is_a_moment_in_the_first_half_that_chance_draws() {
    let due = |random| {
        let disk = disk();
        let windows = [window(100, 1100, ANY_TIME, 0)];
        let queue = scheduled(&disk, random, &windows);
        let due = queue.next_due().expect("a time") - NOW;
        assert_eq!(load(&disk).entries()[0].due, Some(NOW + due), "drawn once");
        due
    };
    assert_eq!(due(0), 100);
    assert_eq!(due(1 << 31), 350);
    assert_eq!(due(u32::MAX), 599);
}

// T-SDL-002
#[test]
fn the_second_window_is_tried_when_the_first_has_failed() {
    let disk = disk();
    let windows = [window(10, 1000, AT_ONCE, 0), window(2000, 3000, AT_ONCE, 0)];
    let mut queue = scheduled(&disk, 0, &windows);
    assert_eq!(fail_when_due(&mut queue, "not found"), Some(10));
    assert_eq!(queue.to_tell(), None);
    assert_eq!(stages(&load(&disk)), ["waiting"]);
    assert_eq!(queue.next_due(), Some(NOW + 2000));
    let job = queue.begin(NOW + 2000, false).expect("a job");
    assert_eq!(job.until, Some(NOW + 3000));
    queue.finished(job.id, NOW + 2001, Ok(()));
    let message = told(&queue);
    assert_eq!(message.fault.code, 0);
    assert_eq!(
        message.start,
        DateTime::Utc(NOW + 2000),
        "of the try that went well"
    );
}

// T-SDL-003
#[test]
fn windows_that_have_all_failed_are_9020_with_the_last_reason() {
    let disk = disk();
    let windows = [window(0, 100, AT_ONCE, 0), window(200, 300, AT_ONCE, 0)];
    let mut queue = scheduled(&disk, 0, &windows);
    assert_eq!(fail_when_due(&mut queue, "first"), Some(0));
    assert_eq!(fail_when_due(&mut queue, "second"), Some(200));
    let message = told(&queue);
    assert_eq!(message.fault.code, 9020);
    assert!(
        message.fault.text.contains("9016 second"),
        "{}",
        message.fault.text
    );
    assert_eq!(message.complete, DateTime::Utc(NOW + 200));
    assert_eq!(queue.next_due(), None);
}

// T-SDL-003
#[test]
fn windows_that_pass_while_the_box_is_off_or_busy_are_9020_without_times() {
    let windows = [window(10, 100, AT_ONCE, -1), window(200, 300, AT_ONCE, -1)];
    // Off.
    let disk = disk();
    scheduled(&disk, 0, &windows);
    let queue = rebooted(&disk, "firmware 1", None, NOW + 300);
    let message = told(&queue);
    assert_eq!(message.fault.code, 9020);
    assert_eq!(
        (message.start, message.complete),
        (DateTime::Unknown, DateTime::Unknown)
    );
    assert_eq!(stages(&load(&disk)), ["completed"], "on disk");
    // Off during the first only.
    let disk = queue_support::disk();
    scheduled(&disk, 0, &windows);
    let mut queue = rebooted(&disk, "firmware 1", None, NOW + 150);
    assert_eq!(queue.begin(NOW + 150, true), None);
    assert_eq!(queue.next_due(), Some(NOW + 200));
    assert!(queue.begin(NOW + 299, false).is_some());
    // Busy with another transfer.
    let disk = queue_support::disk();
    let (mut queue, job) = fetching(&disk, &["long"]);
    let asked = schedule("s", &windows[..1]);
    queue.accept_schedule(NOW, &asked, 0).unwrap();
    queue.session_ended();
    assert_eq!(queue.next_due(), Some(NOW + 100));
    assert_eq!(queue.begin(NOW + 100, false), None);
    assert_eq!(code(&queue), 9020);
    assert_eq!(queue.running(), Some(job.id));
    assert_eq!(queue.next_due(), None);
}

#[test]
fn a_window_has_as_many_retries_as_the_acs_says_with_growing_pauses() {
    for (max_retries, tries) in [(0, 1), (2, 3), (-1, 4)] {
        let disk = disk();
        let mut queue = scheduled(&disk, 0, &[window(0, 100_000, AT_ONCE, max_retries)]);
        let mut moments = Vec::new();
        while let Some(at) = fail_when_due(&mut queue, "no") {
            moments.push(at);
            // The count is on disk.
            if queue.to_tell().is_none() {
                queue = restarted(&disk, NOW + at);
            }
        }
        assert_eq!(moments, [0, 5, 15, 35][..tries], "{max_retries}");
        assert_eq!(code(&queue), 9020);
    }
    // A window that leaves no room for a retry is left.
    let disk = disk();
    let mut queue = scheduled(&disk, 0, &[window(0, 12, AT_ONCE, 100)]);
    assert_eq!(fail_when_due(&mut queue, "no"), Some(0));
    assert_eq!(fail_when_due(&mut queue, "no"), Some(5));
    assert_eq!(code(&queue), 9020);
    // However many there may be, they are no flood.
    let disk = queue_support::disk();
    let mut queue = scheduled(&disk, 0, &[window(0, 86_400, AT_ONCE, i32::MAX)]);
    let tries = std::iter::from_fn(|| fail_when_due(&mut queue, "no")).count();
    assert!((100..200).contains(&tries), "{tries}");
}

#[test]
fn when_idle_waits_for_idleness_and_looks_for_it_at_times() {
    let disk = disk();
    let mut queue = scheduled(&disk, 0, &[window(100, 200, IDLE, 0)]);
    assert_eq!(queue.next_due(), Some(NOW + 100));
    assert!(!queue.wants_idle(NOW + 99));
    assert!(queue.wants_idle(NOW + 100));
    assert_eq!(queue.begin(NOW + 100, false), None);
    assert_eq!(queue.next_due(), Some(NOW + 110), "no busy loop");
    assert_eq!(queue.begin(NOW + 195, false), None);
    assert_eq!(queue.next_due(), Some(NOW + 200), "the end of the window");
    assert!(queue.begin(NOW + 196, true).is_some());
    assert!(!queue.wants_idle(NOW + 196));

    let disk = queue_support::disk();
    let mut queue = scheduled(&disk, 0, &[window(100, 200, IDLE, 0)]);
    assert_eq!(queue.begin(NOW + 200, true), None, "too late");
    assert_eq!(code(&queue), 9020);
}

#[test]
fn a_download_that_needs_it_waits_for_a_persons_word_which_outlives_a_boot() {
    let disk = disk();
    let mut queue = scheduled(&disk, 0, &[window(100, 200, CONFIRM, 0)]);
    assert_eq!(
        queue.entries()[0].confirmation.as_deref(),
        Some("May it begin?")
    );
    assert_eq!(queue.begin(NOW + 150, true), None);
    assert_eq!(queue.next_due(), Some(NOW + 200));
    assert_eq!(queue.confirm("other"), Ok(0));
    assert_eq!(queue.confirm("s"), Ok(1));
    assert_eq!(queue.confirm("s"), Ok(0), "it has been");
    assert_eq!(queue.entries()[0].confirmation, None);
    let mut queue = rebooted(&disk, "firmware 1", None, NOW + 160);
    assert_eq!(queue.next_due(), Some(NOW + 100), "its window is open");
    assert!(queue.begin(NOW + 160, false).is_some());

    // Said before the window, or while another window goes on.
    let disk = queue_support::disk();
    let windows = [window(0, 50, IDLE, 0), window(100, 200, CONFIRM, 0)];
    let mut queue = scheduled(&disk, 0, &windows);
    assert_eq!(queue.confirm("s"), Ok(1));
    assert_eq!(queue.begin(NOW + 60, true), None);
    assert!(queue.begin(NOW + 100, false).is_some());

    // Nobody says anything.
    let disk = queue_support::disk();
    let mut queue = scheduled(&disk, 0, &[window(100, 200, CONFIRM, 0)]);
    assert_eq!(queue.begin(NOW + 200, true), None);
    assert_eq!(code(&queue), 9020);
    assert_eq!(queue.confirm("s"), Ok(0));
}

#[test]
fn a_fetch_is_overdue_when_its_window_ends_but_what_is_applied_is_not() {
    let disk = disk();
    let windows = [window(0, 100, AT_ONCE, 9), window(200, 300, AT_ONCE, 9)];
    let mut queue = scheduled(&disk, 0, &windows);
    let job = queue.begin(NOW, false).expect("a job");
    assert_eq!(queue.next_due(), Some(NOW + 100));
    assert_eq!(queue.overdue(NOW + 99), None);
    assert_eq!(queue.begin(NOW + 100, false), None);
    assert_eq!(queue.overdue(NOW + 100), Some(job.id));
    assert_eq!(queue.next_due(), None, "no busy loop");
    queue.finished(job.id, NOW + 101, fault(9017, "stopped"));
    assert_eq!(queue.next_due(), Some(NOW + 200), "the next window");
    let job = queue.begin(NOW + 200, false).expect("a job");
    queue.applying(job.id, "", false).unwrap();
    assert_eq!(queue.overdue(NOW + 400), None);
    queue.finished(job.id, NOW + 400, Ok(()));
    assert_eq!(code(&queue), 0, "it was done, if late");
}

#[test]
fn windows_keep_their_distance_when_the_clock_is_lost_and_found() {
    let disk = disk();
    scheduled(&disk, 0, &[window(100, 200, AT_ONCE, 0)]);
    let mut queue = rebooted(&disk, "firmware 1", None, 30);
    assert_eq!(queue.next_due(), Some(130));
    queue.clock_stepped(NOW, NOW + 40);
    assert_eq!(queue.next_due(), Some(NOW + 130));
    let job = queue.begin(NOW + 130, false).expect("a job");
    assert_eq!(job.until, Some(NOW + 230));
}

#[test]
fn a_scheduled_download_can_be_cancelled_in_and_between_its_windows() {
    let disk = disk();
    let windows = [window(0, 100, AT_ONCE, 0), window(200, 300, AT_ONCE, 0)];
    let mut queue = scheduled(&disk, 0, &windows);
    fail_when_due(&mut queue, "no");
    assert_eq!(queue.cancel("s"), Ok(1));
    assert!(load(&disk).list().is_empty());
    assert_eq!((queue.next_due(), queue.to_tell()), (None, None));
}

proptest! {
    #[test]
    fn what_is_taken_begins_only_within_its_windows_and_ends_once(
        starts in proptest::collection::vec((0_u32..2000, 1_u32..2000, 0_usize..4, -1_i32..5), 1..3),
        random in any::<u32>(),
        looks in proptest::collection::vec((1_i64..400, any::<bool>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let modes = [ANY_TIME, AT_ONCE, IDLE, CONFIRM];
        let mut from = 0;
        let mut windows = Vec::new();
        for (gap, length, mode, retries) in starts {
            windows.push(window(from + gap, from + gap + length, modes[mode], retries));
            from += gap + length;
        }
        let disk = disk();
        let mut queue = scheduled(&disk, random, &windows);
        let mut now = NOW;
        let mut confirmed = false;
        for (wait, idle, ok, say) in looks {
            now += wait;
            if say {
                queue.confirm("s").unwrap();
                confirmed = true;
            }
            let Some(job) = queue.begin(now, idle) else { continue };
            let at = u32::try_from(now - NOW).unwrap();
            let inside = windows.iter().find(|w| w.start <= at && at < w.end);
            prop_assert!(inside.is_some(), "{at} {windows:?}");
            let mode = inside.unwrap().mode.as_str();
            prop_assert!(mode != IDLE || idle);
            prop_assert!(mode != CONFIRM || confirmed);
            let result = if ok { Ok(()) } else { fault(9016, "no") };
            queue.finished(job.id, now, result);
        }
        // After the last window nothing is left open.
        queue.begin(NOW + 20_000, true);
        prop_assert_eq!(stages(&queue), ["completed"]);
        prop_assert!([0, 9020].contains(&code(&queue)));
        prop_assert_eq!(queue.begin(NOW + 30_000, true), None);
    }
}
