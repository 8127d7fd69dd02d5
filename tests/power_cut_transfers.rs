//! The power goes at every step of a transfer: what was promised is done, its end is told of
//! once, and what was not promised is done or not, but never told of without being asked for.

mod frail_cpe;

use cwmp_agent::agent;
use cwmp_agent::agent::world::World;
use frail_cpe::acs::*;
use frail_cpe::*;

/// An image that was flashed comes with a file system of its own.
fn flashed(cpe: &Cpe) {
    let _ = std::fs::remove_file(cpe.router.path(cwmp_agent::agent::transfers::MARKER));
}

/// Lives until nothing is due; the box is booted where it asks for it. `flashes`: its image
/// comes into force then.
fn life(cpe: &Cpe, flashes: bool) {
    if cpe.life().0 == End::GoingDown {
        if flashes {
            flashed(cpe);
        }
        cpe.boot();
        assert_eq!(cpe.life().0, End::Idle);
    }
}

/// A story in which the ACS asks for `rpc` and lets everything happen that follows; `response`:
/// what promises it. `done`: whether the box shows that it was done, after the cut or before.
fn at_every_cut(
    cpe: &Cpe,
    rpc: &Rpc,
    response: &str,
    code: u16,
    done: impl Fn(&[Vec<String>; 5]) -> bool,
) {
    let told_before = std::cell::Cell::new(0);
    let (mut cuts, mut promised) = (0, 0);
    let counts = std::cell::RefCell::new((&mut cuts, &mut promised));
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([rpc.clone()]));
            told_before.set(cpe.sessions());
            let world = cpe.open(disk);
            arm();
            live(&world)
        },
        |cut| {
            let before = completed(cut.sessions);
            let first = cpe.sessions();
            let flashes = code == 0;
            if flashes && !cut.marks[4].is_empty() {
                flashed(cpe);
            }
            life(cpe, flashes);
            let marks = MARKS.map(|name| cpe.marks(name));
            // And once more: nothing is told twice.
            cpe.boot();
            life(cpe, flashes);
            let after = cpe.completed_since(first);
            let told = before.len() + after.len();
            let what = format!("{}: {before:?}, then {after:?}", cut.what);
            let answered = before
                .iter()
                .chain(&after)
                .filter(|(_, _, went_on)| *went_on);
            *counts.borrow_mut().0 += 1;
            if cut.told(response) {
                *counts.borrow_mut().1 += 1;
                assert!(told >= 1, "{what}: it is never told of");
            }
            // An answer that the power cut kept from being noted is asked for again.
            assert!(
                told <= 1 + usize::from(before.len() == 1 && !after.is_empty()),
                "{what}"
            );
            assert!(answered.count() <= 1 || cut.ended.is_none(), "{what}");
            for (key, told, _) in before.iter().chain(&after) {
                assert_eq!((key.as_str(), *told), ("k", code), "{what}");
            }
            if told > 0 && code == 0 {
                assert!(done(cut.marks) || done(&marks), "{what}: it was not done");
            }
            assert!(cpe.ask_nothing_left(), "{what}");
            cpe.nothing_left_behind(&what);
        },
    );
    assert!(
        promised > 10 && promised < cuts,
        "{promised} of {cuts} promised"
    );
}

#[test]
fn a_download_is_done_and_told_of_once() {
    let cpe = Cpe::known();
    let rpc = download(&cpe.file("k", "/f"));
    at_every_cut(&cpe, &rpc, "DownloadResponse", 0, |marks| {
        marks[3].contains(&"content".to_owned())
    });
}

#[test]
fn a_scheduled_download_is_done_and_told_of_once() {
    let cpe = Cpe::known();
    let rpc = schedule_download(&cpe.file("k", "/f"), &[(0, 3600, "2 Immediately", 0)]);
    at_every_cut(&cpe, &rpc, "ScheduleDownloadResponse", 0, |marks| {
        !marks[3].is_empty()
    });
}

#[test]
fn an_upload_is_done_and_told_of_once() {
    let cpe = Cpe::known();
    let rpc = upload(&cpe.file("k", "/put"));
    at_every_cut(&cpe, &rpc, "UploadResponse", 0, |_| {
        cpe.files.stored("/put").is_some()
    });
}

#[test]
fn a_failed_download_is_told_of_once() {
    let cpe = Cpe::known();
    let rpc = download(&cpe.file("k", "/nothing"));
    at_every_cut(&cpe, &rpc, "DownloadResponse", 9016, |_| true);
}

// T-DLD-014
#[test]
fn firmware_that_was_not_flashed_is_told_of_as_a_failure_once() {
    let cpe = Cpe::known();
    let mut transfer = cpe.file("k", "/f");
    transfer.file_type = FIRMWARE.to_owned();
    let rpc = download(&transfer);
    at_every_cut(&cpe, &rpc, "DownloadResponse", 9010, |_| true);
}

// T-DLD-001
#[test]
fn firmware_that_was_flashed_is_told_of_once() {
    let cpe = Cpe::known();
    let mut transfer = cpe.file("k", "/f");
    transfer.file_type = FIRMWARE.to_owned();
    let rpc = download(&transfer);
    at_every_cut(&cpe, &rpc, "DownloadResponse", 0, |marks| {
        !marks[4].is_empty()
    });
}

// T-CAN-001
#[test]
fn what_was_cancelled_stays_cancelled() {
    let cpe = Cpe::known();
    let mut transfer = cpe.file("k", "/f");
    transfer.delay = 3600;
    cpe.boot();
    cpe.script(Script::of([download(&transfer)]));
    cpe.life();
    let waits = |world: &World| world.transfers().entries().len();
    assert_eq!(waits(&cpe.open(&cpe.disk())), 1);
    let (cancelled, left) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([cancel_transfer("k")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = waits(&world);
            if cut.told("CancelTransferResponse") {
                assert_eq!(now, 0, "{}", cut.what);
            }
            let count = if now == 0 { &cancelled } else { &left };
            count.set(count.get() + 1);
            assert!(completed(cut.sessions).is_empty(), "{}", cut.what);
        },
    );
    assert!(cancelled.get() > 0 && left.get() > 0);
}

// T-EVT-006
#[test]
fn what_the_acs_before_was_to_be_told_never_reaches_the_next() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([download(&cpe.file("k", "/f"))]));
    // Refused for as long as it is the old one.
    cpe.acs.push_rule(Rule::times(
        2,
        When::Message("TransferComplete"),
        Trouble::Fault(8002),
    ));
    cpe.life();
    let other = Acs::start(AcsConfig::default()).expect("an ACS");
    let text = cpe.router.read("/etc/config/cwmp").expect("settings");
    cpe.write(
        "/etc/config/cwmp",
        text.replace(&cpe.acs.url(), &other.url()).as_bytes(),
    );
    let told = |acs: &Acs| {
        let sessions = acs.record().sessions;
        sessions
            .iter()
            .flat_map(|s| s.names().into_iter().map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    cpe.at_every_cut(
        |disk, arm| {
            arm();
            live(&cpe.open(disk))
        },
        |_| {
            cpe.life();
            assert!(!told(&other).contains(&"TransferComplete".to_owned()));
        },
    );
}
