//! The disk refuses every single write, and every write from one on: full, over quota,
//! broken, read-only. What the ACS asks for is refused whole or done whole, the agent goes
//! on, and once the disk is well everything works.

mod frail_cpe;

use cwmp_agent::agent::control::{Answer, Question};
use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, clock, offline, watch};
use cwmp_agent::cwmp::event::EventCode;
use frail_cpe::acs::*;
use frail_cpe::frail::Fate;
use frail_cpe::frail::folder::until_power_cut;
use frail_cpe::*;

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const TABLE: &str = "Device.NAT.PortMapping.";

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;
const ERRORS: [i32; 4] = [ENOSPC, EIO, EROFS, EDQUOT];

/// The fates of a story at step `n`: one refusal, and no more writes at all.
fn fates(n: u32) -> impl Iterator<Item = Fate> {
    let error = |shift: u32| ERRORS[((n + shift) % 4) as usize];
    [Fate::FailOnce(n, error(0)), Fate::FailFrom(n, error(2))].into_iter()
}

/// Lets the ACS ask for `script` with every write refused in turn. `look` tells what is to
/// be as before after a fault, and as after an undisturbed session after the response.
fn at_every_error<T: PartialEq + std::fmt::Debug>(
    cpe: &Cpe,
    script: impl Fn() -> Script,
    response: &str,
    look: impl Fn(&World) -> T,
) {
    let start = cpe.image();
    let begin = |disk: &_| {
        cpe.put_back(&start);
        cpe.boot();
        cpe.script(script());
        let world = cpe.open(disk);
        agent::begin(&world);
        world
    };
    cpe.put_back(&start);
    let disk = cpe.disk();
    let world = begin(&disk);
    let old = look(&world);
    disk.set_fate(Fate::Sound);
    one_session(&world);
    let steps = disk.steps();
    let new = look(&world);
    assert!(old != new && steps > 5, "{steps} steps");
    drop(world);
    let (mut refused, mut done) = (0, 0);
    for (n, fate) in (0..steps).flat_map(|n| fates(n).map(move |fate| (n, fate))) {
        cpe.put_back(&start);
        let disk = cpe.disk();
        let world = begin(&disk);
        disk.set_fate(fate);
        one_session(&world);
        let what = format!(
            "{fate:?} of {steps}: {:?}",
            disk.log().get(n as usize).cloned()
        );
        let session = cpe.last_session();
        assert!(session.complete(), "{what}: {:?}", session.end);
        let told = session.message(response).is_some();
        match told {
            true => assert_eq!(session.faults(), [0u16; 0], "{what}"),
            false => {
                let faults = session.faults();
                assert!(faults == [9002] || faults == [9004], "{what}: {faults:?}");
            }
        }
        let (expected, count) = match told {
            true => (&new, &mut done),
            false => (&old, &mut refused),
        };
        *count += 1;
        if matches!(fate, Fate::FailOnce(..)) {
            assert_eq!(&look(&world), expected, "{what}");
        }
        // The disk is well again: what is seen is what the ACS was told, here and after a
        // start anew.
        disk.set_fate(Fate::Sound);
        world.model().begin();
        world.owed().save();
        transfers_are_kept(&world);
        assert_eq!(&look(&world), expected, "{what}, well again");
        drop(world);
        let world = cpe.open(&disk);
        assert_eq!(&look(&world), expected, "{what}, started again");
        cpe.nothing_left_behind(&what);
        if !told {
            // And the same request succeeds.
            agent::begin(&world);
            world.owed().raise(EventCode::Periodic, "");
            cpe.script(script());
            one_session(&world);
            let session = cpe.last_session();
            assert!(session.message(response).is_some(), "{what}, asked again");
            assert_eq!(look(&world), new, "{what}, asked again");
        }
    }
    assert!(refused > 10 && done > 0, "{refused} refused, {done} done");
}

/// As the dispatcher has it: what could not be written is tried again a little later.
fn transfers_are_kept(world: &World) {
    let later = clock::unix_seconds() + 120;
    let begun = world.transfers().begin(later, false);
    assert_eq!(begun, None, "nothing is due");
}

fn values(world: &World) -> [String; 3] {
    [SSID, NTP, KEY].map(|path| get(world, path))
}

// T-SPV-013
#[test]
fn a_set_over_two_packages_is_refused_or_done_whole() {
    at_every_error(
        &Cpe::known(),
        || {
            Script::of([set_values(
                &[(SSID, "string", "net"), (NTP, "string", "ntp.example")],
                "key",
            )])
        },
        "SetParameterValuesResponse",
        values,
    );
}

fn rows(world: &World) -> (Vec<String>, String) {
    let mut model = world.model();
    model.begin();
    let names = model.names(TABLE, true).expect("the table");
    let paths = names.into_iter().map(|n| n.path).collect();
    (paths, model.parameter_key().to_owned())
}

/// A CPE whose rows have their numbers on disk.
fn numbered() -> Cpe {
    let cpe = Cpe::known();
    rows(&cpe.open(&cpe.disk()));
    cpe
}

// T-OBJ-004
#[test]
fn a_row_is_added_or_refused_whole() {
    let add = || Script::of([add_object(TABLE, "added")]);
    // A number that was to be given when the disk refused may be left out; it is the next
    // one nevertheless, because nobody has seen it.
    at_every_error(&numbered(), add, "AddObjectResponse", rows);
}

#[test]
fn a_row_is_deleted_or_stays_whole() {
    let delete = || Script::of([delete_object(&format!("{TABLE}1."), "deleted")]);
    at_every_error(&numbered(), delete, "DeleteObjectResponse", rows);
}

#[test]
fn attributes_are_set_or_refused_all() {
    at_every_error(
        &Cpe::known(),
        || Script::of([set_notification(&[(SSID, 1), (NTP, 2)])]),
        "SetParameterAttributesResponse",
        |world| {
            let mut model = world.model();
            let list = model.attributes(&[SSID, NTP]).expect("attributes");
            [list[0].notification, list[1].notification]
        },
    );
}

#[test]
fn a_scheduled_inform_is_promised_only_if_it_is_kept() {
    at_every_error(
        &Cpe::known(),
        || Script::of([schedule_inform(9000, "s")]),
        "ScheduleInformResponse",
        |world| world.owed().next_schedule().is_some(),
    );
}

/// What is in the queue of transfers.
fn queued(world: &World) -> Vec<String> {
    let entries = world.transfers().entries();
    entries.into_iter().map(|e| e.command_key).collect()
}

// T-DLD-009
#[test]
fn transfers_are_promised_only_if_they_are_kept() {
    let cpe = Cpe::known();
    let mut transfer = cpe.file("k", "/f");
    transfer.delay = 9000;
    let later = [(9000, 18_000, "2 Immediately", 0)];
    let all: [(Rpc, &str); 3] = [
        (download(&transfer), "DownloadResponse"),
        (upload(&transfer), "UploadResponse"),
        (
            schedule_download(&transfer, &later),
            "ScheduleDownloadResponse",
        ),
    ];
    for (rpc, response) in all {
        at_every_error(&cpe, || Script::of([rpc.clone()]), response, queued);
    }
}

// T-CAN-001
#[test]
fn a_transfer_is_cancelled_for_good_or_goes_on() {
    let cpe = Cpe::known();
    let mut transfer = cpe.file("k", "/f");
    transfer.delay = 9000;
    cpe.boot();
    cpe.script(Script::of([download(&transfer)]));
    cpe.life();
    let cancel = || Script::of([cancel_transfer("k")]);
    at_every_error(&cpe, cancel, "CancelTransferResponse", queued);
}

// The whole of it, with a disk that refuses one step or all from one on, and is well again
// before the next boot.
#[test]
fn a_download_on_a_disk_in_trouble_is_told_of_once_if_it_was_promised() {
    let cpe = Cpe::known();
    let start = cpe.image();
    for (n, fate) in (0..45).flat_map(|n| fates(n).map(move |fate| (n, fate))) {
        cpe.put_back(&start);
        cpe.boot();
        cpe.script(Script::of([download(&cpe.file("k", "/f"))]));
        let before = cpe.sessions();
        let disk = cpe.disk();
        let world = cpe.open(&disk);
        agent::begin(&world);
        disk.set_fate(fate);
        one_session(&world);
        let promised = cpe.last_session().message("DownloadResponse").is_some();
        transfer(&world);
        if world.owed().wants_session() {
            one_session(&world);
        }
        disk.set_fate(Fate::Sound);
        // Well again before the next start: what was refused is taken back.
        let _ = world.transfers().begin(clock::unix_seconds() + 120, false);
        drop(world);
        cpe.boot();
        cpe.life();
        let told = cpe.completed_since(before);
        let what = format!("{fate:?} at {n}: {told:?}");
        assert_eq!(promised, !told.is_empty(), "{what}");
        assert!(told.iter().all(|(key, _, _)| key == "k"), "{what}");
        // Twice only where the disk could not note that it was told.
        assert!(told.len() <= 2, "{what}");
        cpe.boot();
        let before = cpe.sessions();
        cpe.life();
        assert!(cpe.completed_since(before).is_empty(), "{what}, and again");
        assert!(cpe.ask_nothing_left(), "{what}");
    }
}

// T-REB-001
#[test]
fn a_reboot_is_promised_only_if_it_is_kept_and_then_it_happens() {
    let cpe = Cpe::known();
    let start = cpe.image();
    for n in 0..30 {
        for fate in fates(n) {
            cpe.put_back(&start);
            cpe.boot();
            cpe.script(Script::of([reboot("k")]));
            let disk = cpe.disk();
            let world = cpe.open(&disk);
            agent::begin(&world);
            disk.set_fate(fate);
            let end = one_session(&world);
            // Well again before the next start: what was refused is taken back.
            disk.set_fate(Fate::Sound);
            world.owed().save();
            drop(world);
            let told = cpe.last_session().message("RebootResponse").is_some();
            let what = format!("{fate:?}");
            assert_eq!(told, end == End::GoingDown, "{what}");
            assert_eq!(cpe.marks("rebooted").len(), usize::from(told), "{what}");
            cpe.boot();
            let told_then = cpe.life().1;
            let m_reboot = told_then.contains(&"M Reboot k".to_owned());
            assert_eq!(m_reboot, told, "{what}: {told_then:?}");
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "{what}: told twice");
        }
    }
}

// T-FRS-001
#[test]
fn a_factory_reset_on_a_disk_in_trouble_is_finished_when_it_is_well() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([set_values(
        &[(NTP, "string", "x.example")],
        "old key",
    )]));
    cpe.life();
    let start = cpe.image();
    for n in 0..60 {
        for fate in fates(n) {
            cpe.put_back(&start);
            cpe.boot();
            cpe.script(Script::of([factory_reset()]));
            let disk = cpe.disk();
            let world = cpe.open(&disk);
            agent::begin(&world);
            disk.set_fate(fate);
            let end = one_session(&world);
            // Well again before the next start: what was refused is taken back.
            disk.set_fate(Fate::Sound);
            world.owed().save();
            drop(world);
            let told = cpe.last_session().message("FactoryResetResponse").is_some();
            let what = format!("{fate:?}");
            assert_eq!(told, end == End::GoingDown, "{what}");
            let before = cpe.sessions();
            cpe.boot();
            if cpe.life().0 == End::GoingDown {
                cpe.boot();
                assert_eq!(cpe.life().0, End::Idle, "{what}");
            }
            let key = get(&cpe.open(&cpe.disk()), KEY);
            let events = cpe.told_since(before);
            match told {
                true => {
                    assert_eq!(key, "", "{what}");
                    assert_eq!(events, ["0 BOOTSTRAP", "1 BOOT"], "{what}");
                }
                false => {
                    assert_eq!(key, "old key", "{what}");
                    assert_eq!(events, ["1 BOOT"], "{what}");
                }
            }
            cpe.nothing_left_behind(&what);
        }
    }
}

/// Edits the SSID as a person would, and gives the name that it has then.
fn edit_ssid(cpe: &Cpe, name: &str) {
    let text = cpe.router.read("/etc/config/wireless").expect("the file");
    let mut package = cwmp_agent::uci::Package::parse(text.as_bytes()).expect("UCI");
    let at = package.section("default_radio0").expect("the first SSID");
    package.set(at, "ssid", name).expect("the option");
    cpe.write("/etc/config/wireless", &package.to_bytes());
}

// T-EVT-014
#[test]
fn a_change_of_a_value_is_told_with_its_value_whatever_the_disk_refuses_and_once() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([set_notification(&[(SSID, 2)])]));
    cpe.life();
    let start = cpe.image();
    let told_in = |what: &str| -> Vec<String> {
        let session = cpe.last_session();
        assert!(session.complete(), "{what}: {:?}", session.end);
        let ssid = session.inform.values.iter().find(|v| v.name == SSID);
        let events = session.events().into_iter().map(str::to_owned);
        events.chain(ssid.map(|v| v.value.clone())).collect()
    };
    let periodic = |world: &World, what: &str| {
        world.owed().raise(EventCode::Periodic, "");
        one_session(world);
        told_in(what)
    };
    // How many steps it takes, and some more.
    let steps = {
        let disk = cpe.disk();
        let world = cpe.open(&disk);
        agent::begin(&world);
        disk.set_fate(Fate::Sound);
        edit_ssid(&cpe, "by hand");
        watch::scan(&world);
        one_session(&world);
        disk.steps()
    };
    assert!(steps > 5, "{steps}");
    for (n, fate) in (0..steps + 2).flat_map(|n| fates(n).map(move |fate| (n, fate))) {
        let what = format!("{fate:?} at {n} of {steps}");
        // Found by the running agent, told at once, and only once while it runs.
        cpe.put_back(&start);
        let disk = cpe.disk();
        let world = cpe.open(&disk);
        agent::begin(&world);
        assert!(!world.owed().wants_session(), "{what}");
        edit_ssid(&cpe, "by hand");
        disk.set_fate(fate);
        watch::scan(&world);
        assert!(world.watch().wants_session(), "{what}");
        one_session(&world);
        assert_eq!(told_in(&what), ["4 VALUE CHANGE", "by hand"], "{what}");
        assert!(!world.watch().wants_session(), "{what}");
        assert_eq!(periodic(&world, &what), ["2 PERIODIC"], "{what}");
        // Well again: it is kept with the next session, and not told by the next start.
        disk.set_fate(Fate::Sound);
        assert_eq!(periodic(&world, &what), ["2 PERIODIC"], "{what}");
        drop(world);
        let world = cpe.open(&cpe.disk());
        agent::begin(&world);
        watch::scan(&world);
        assert!(!world.watch().wants_session(), "{what}: told again");
        assert_eq!(periodic(&world, &what), ["2 PERIODIC"], "{what}");
        drop(world);
        // Found, and the agent ends before it is told: the next start tells of it.
        cpe.put_back(&start);
        let disk = cpe.disk();
        let world = cpe.open(&disk);
        agent::begin(&world);
        edit_ssid(&cpe, "by hand");
        disk.set_fate(fate);
        watch::scan(&world);
        drop(world);
        let world = cpe.open(&cpe.disk());
        agent::begin(&world);
        watch::scan(&world);
        assert!(world.watch().wants_session(), "{what}: forgotten");
        one_session(&world);
        assert_eq!(told_in(&what), ["4 VALUE CHANGE", "by hand"], "{what}");
    }
}

#[test]
fn the_agent_starts_and_has_sessions_whatever_the_disk_refuses() {
    let cpe = Cpe::new();
    let start = cpe.image();
    for n in 0..40 {
        for fate in fates(n) {
            cpe.put_back(&start);
            cpe.boot();
            let disk = cpe.disk();
            disk.set_fate(fate);
            let before = cpe.sessions();
            let world = cpe.open(&disk);
            assert_eq!(live(&world), End::Idle, "{fate:?}");
            assert_eq!(
                cpe.told_since(before),
                ["0 BOOTSTRAP", "1 BOOT"],
                "{fate:?}"
            );
            disk.set_fate(Fate::Sound);
            // As the dispatcher ends: there is room, and the boot is noted.
            world.settle_boot();
            drop(world);
            // Started again, on the same boot and a disk that is well: what could be kept is
            // not told again, what could not is.
            let before = cpe.sessions();
            cpe.life();
            let told = cpe.told_since(before);
            match fate {
                Fate::FailOnce(..) => assert_eq!(told, [""; 0], "{fate:?}"),
                _ => {
                    let allowed: [&[&str]; 3] = [&[], &["0 BOOTSTRAP"], &["0 BOOTSTRAP", "1 BOOT"]];
                    assert!(allowed.iter().any(|a| told == *a), "{fate:?}: {told:?}");
                }
            }
        }
    }
}

// A read-only image with a tmpfs over /var, or a flash that went read-only.
#[test]
fn on_a_read_only_disk_commands_answer_and_the_daemon_runs() {
    for made in [true, false] {
        let cpe = Cpe::new();
        if made {
            cpe.life();
            cpe.boot();
        }
        let disk = cpe.disk();
        disk.set_fate(Fate::FailFrom(0, EROFS));
        let image = cpe.image();
        let ask = |q: Question| offline::ask(&cpe.setup(&disk), &q).expect("an answer");
        let paths = vec!["Device.".to_owned()];
        assert!(matches!(ask(Question::Get { paths }), Answer::Values(v) if v.len() > 5));
        let path = "Device.".to_owned();
        let names = Question::Names {
            path,
            next_level: false,
        };
        assert!(matches!(ask(names), Answer::Names(n) if n.len() > 5));
        assert!(matches!(ask(Question::Status), Answer::Status(_)));
        let items = vec![(NTP.to_owned(), "x.example".to_owned())];
        match ask(Question::Set { items }) {
            Answer::Faults(faults) => assert_eq!(faults[0].code, 9002),
            answer => panic!("{answer:?}"),
        }
        assert_eq!(cpe.image(), image, "nothing was written");
        // Two that hold the state at once are still refused.
        let before = cpe.sessions();
        let world = cpe.open(&disk);
        assert!(!made || World::open(cpe.setup(&disk)).is_err());
        assert_eq!(live(&world), End::Idle);
        let events: &[&str] = if made {
            &["1 BOOT"]
        } else {
            &["0 BOOTSTRAP", "1 BOOT"]
        };
        assert_eq!(cpe.told_since(before), events);
        // What must survive is not promised.
        cpe.script(Script::of([
            reboot("k"),
            schedule_inform(60, "s"),
            set_values(&[(NTP, "string", "x.example")], "k"),
            add_object(TABLE, "k"),
            set_notification(&[(NTP, 2)]),
            factory_reset(),
        ]));
        world.owed().raise(EventCode::Periodic, "");
        assert_eq!(one_session(&world), End::Idle);
        assert_eq!(cpe.last_session().faults(), [9002; 6]);
        assert_eq!(cpe.image(), image, "nothing was written");
        // Remounted: everything is kept from now on, without a restart where state_dir is.
        disk.set_fate(Fate::Sound);
        if made {
            cpe.script(Script::of([schedule_inform(60, "s")]));
            world.owed().raise(EventCode::Periodic, "");
            one_session(&world);
            assert_eq!(cpe.last_session().faults(), [0u16; 0]);
            drop(world);
            assert!(cpe.open(&disk).owed().next_schedule().is_some());
        }
    }
}

// The whole daemon, with its loop.
#[test]
fn a_running_daemon_outlives_a_full_disk_and_works_once_there_is_room() {
    let cpe = numbered();
    cpe.boot();
    let disk = cpe.disk();
    let before = cpe.sessions();
    let daemon = agent::Running::start(cpe.setup(&disk)).expect("the daemon");
    cpe.wait_session(before + 1);
    let ask = |number: usize| {
        cpe.script(Script::of([
            set_values(&[(NTP, "string", "ntp.example")], "key"),
            add_object(TABLE, "added"),
            get_values(&[NTP]),
        ]));
        cpe.ask_inform("2 PERIODIC");
        let session = cpe.wait_session(before + number);
        assert!(session.complete());
        session
    };
    disk.set_fate(Fate::FailFrom(0, ENOSPC));
    let refused = ask(2);
    assert_eq!(refused.faults(), [9002, 9002]);
    assert!(refused.message("GetParameterValuesResponse").is_some());
    cpe.ask_status();
    disk.set_fate(Fate::Sound);
    let done = ask(3);
    assert_eq!(done.faults(), [0u16; 0]);
    daemon.stop().expect("its end");
    let world = cpe.open(&disk);
    assert_eq!(get(&world, NTP), "ntp.example");
    assert_eq!(get(&world, KEY), "added");
}

// A write may fail after it has taken effect (its last fsync): what the ACS was refused is
// not found after a power cut a moment later, what it was promised is.
#[test]
fn a_refusal_holds_over_a_power_cut_that_follows_it() {
    let cpe = Cpe::known();
    let start = cpe.image();
    let (mut refused, mut promised) = (0, 0);
    for n in 4..11 {
        for cut in n + 1..n + 12 {
            cpe.put_back(&start);
            cpe.boot();
            cpe.script(Script::of([schedule_inform(9000, "s")]));
            let before = cpe.sessions();
            let disk = cpe.disk();
            until_power_cut(|| {
                let world = cpe.open(&disk);
                agent::begin(&world);
                disk.set_fate(Fate::FailThenCut(n, EIO, cut));
                one_session(&world)
            });
            let faults = cpe.faults_since(before);
            let promise = cpe.replied_since(before, "ScheduleInformResponse");
            for survives in survivals(cut) {
                cpe.put_back(&disk.after_power_cut(survives));
                cpe.boot();
                let kept = cpe.open(&cpe.disk()).owed().next_schedule().is_some();
                let what = format!("step {n} fails, cut before {cut}, {survives:?} survives");
                assert!(!kept || faults.is_empty(), "{what}: refused and kept");
                assert!(kept || !promise, "{what}: promised and lost");
            }
            refused += u32::from(!faults.is_empty());
            promised += u32::from(promise);
        }
    }
    assert!(refused > 5 && promised > 0, "{refused} {promised}");
}
