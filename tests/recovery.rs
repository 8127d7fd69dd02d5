//! What an interrupted change leaves, and `recover` before the network starts.

mod frail_cpe;

use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, recover};
use cwmp_agent::cwmp::event::EventCode;
use frail_cpe::acs::*;
use frail_cpe::frail::folder::{Image, until_power_cut};
use frail_cpe::frail::{Fate, Survives};
use frail_cpe::*;

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const WIRELESS: &str = "/etc/config/wireless";
const SYSTEM: &str = "/etc/config/system";
const JOURNAL: &str = "/etc/cwmp-agent/state/journal";
const EIO: i32 = 5;

fn set_two() -> Script {
    Script::of([set_values(
        &[(SSID, "string", "net"), (NTP, "string", "ntp.example")],
        "key",
    )])
}

fn values(world: &World) -> [String; 3] {
    [SSID, NTP, KEY].map(|path| get(world, path))
}

/// A box whose power went in the middle of the renames: `system` is new, `wireless` old.
fn interrupted() -> Cpe {
    interrupted_when(|changed| changed(SYSTEM) && !changed(WIRELESS))
}

/// The same, at the first step after which the files that have changed are these.
fn interrupted_when(is_it: impl Fn(&dyn Fn(&str) -> bool) -> bool) -> Cpe {
    let cpe = Cpe::known();
    let start = cpe.image();
    for n in 0..100 {
        cpe.put_back(&start);
        cpe.boot();
        let disk = cpe.disk();
        let ended = until_power_cut(|| {
            cpe.script(set_two());
            let world = cpe.open(&disk);
            agent::begin(&world);
            disk.set_fate(Fate::CutAfter(n));
            one_session(&world);
        });
        let image = disk.after_power_cut(Survives::Everything);
        let text = |image: &Image, path: &str| format!("{:?}", image.get(&cpe.router.path(path)));
        let changed = |path: &str| text(&image, path) != text(&start, path);
        if ended.is_none() && is_it(&changed) {
            cpe.put_back(&image);
            cpe.boot();
            cpe.acs.clear_sessions();
            return cpe;
        }
    }
    panic!("no such step");
}

#[test]
fn recover_finishes_the_change_says_so_and_tells_what_is_reloaded() {
    let cpe = interrupted();
    let told = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
    assert_eq!(
        told,
        "an interrupted change was finished\nreloaded: system wireless\n"
    );
    assert_eq!(cpe.marks("reloads"), ["system", "wireless"]);
    let again = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
    assert_eq!(again, "nothing to recover\n");
    assert_eq!(cpe.marks("reloads").len(), 2, "once");
    assert_eq!(
        values(&cpe.open(&cpe.disk())),
        ["net", "ntp.example", "key"]
    );
}

#[test]
fn a_file_edited_by_hand_since_is_left_and_the_others_are_finished() {
    let cpe = interrupted();
    let text = cpe.router.read(WIRELESS).expect("wireless");
    let edited = text.replacen("OpenWrt", "By hand", 1);
    assert_ne!(edited, text);
    cpe.write(WIRELESS, edited.as_bytes());
    let told = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
    let left = format!(
        "left as edited since: {}\n",
        cpe.router.path(WIRELESS).display()
    );
    assert!(told.ends_with(&left), "{told}");
    assert_eq!(cpe.router.read(WIRELESS).expect("wireless"), edited);
    let now = values(&cpe.open(&cpe.disk()));
    assert_eq!(now, ["By hand", "ntp.example", "key"]);
    cpe.nothing_left_behind("after recovery");
}

// All is written down, and nothing is renamed yet: what is edited now is edited on top of the
// old, and half of the Set would be made with the other files.
#[test]
fn a_change_of_which_nothing_was_made_is_undone_if_a_file_of_it_was_edited_by_hand() {
    let cpe = interrupted_when(|changed| changed(JOURNAL) && !changed(SYSTEM));
    let start = cpe.image();
    let before = cpe.router.read(WIRELESS).expect("wireless");
    for path in [WIRELESS, SYSTEM] {
        cpe.put_back(&start);
        cpe.forget_marks();
        let text = cpe.router.read(path).expect("the file");
        let edited = format!("{text}\n# by hand\n");
        cpe.write(path, edited.as_bytes());
        let told = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
        let left = cpe.router.path(path);
        let left = left.display();
        assert_eq!(
            told,
            format!("an interrupted change was undone\nleft as edited since: {left}\n")
        );
        assert_eq!(cpe.router.read(path).expect("the file"), edited);
        assert!(cpe.marks("reloads").is_empty(), "{path}");
        let world = cpe.open(&cpe.disk());
        let now = values(&world);
        assert!(
            now[0] != "net" && now[1] != "ntp.example" && now[2].is_empty(),
            "{path}: {now:?}"
        );
        drop(world);
        cpe.nothing_left_behind(path);
        // The ACS never had an answer, and asks again.
        cpe.script(set_two());
        cpe.life();
        assert_eq!(
            values(&cpe.open(&cpe.disk())),
            ["net", "ntp.example", "key"]
        );
        assert!(cpe.router.read(path).expect("the file").contains("by hand"));
    }
    // Where nobody has edited anything, it is finished.
    cpe.put_back(&start);
    assert_eq!(cpe.router.read(WIRELESS).expect("wireless"), before);
    let told = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
    assert!(told.starts_with("an interrupted change was finished"));
}

#[test]
fn what_is_no_file_any_more_is_left_and_the_others_are_finished() {
    let cpe = interrupted();
    let start = cpe.image();
    let path = cpe.router.path(WIRELESS);
    let make: [fn(&std::path::Path); 3] = [
        |path| std::os::unix::fs::symlink("wireless", path).expect("a loop"),
        |path| drop(std::os::unix::net::UnixListener::bind(path).expect("a socket")),
        |path| std::fs::create_dir(path).expect("a folder"),
    ];
    for (n, make) in make.iter().enumerate() {
        cpe.put_back(&start);
        std::fs::remove_file(&path).expect("removed");
        make(&path);
        let told = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
        let left = format!("left as edited since: {}\n", path.display());
        assert!(told.ends_with(&left), "{n}: {told}");
        let world = cpe.open(&cpe.disk());
        assert_eq!([NTP, KEY].map(|p| get(&world, p)), ["ntp.example", "key"]);
        drop(world);
        cpe.nothing_left_behind("after recovery");
    }
}

// A bad sector under the journal: what it says cannot be had, and all else goes on.
#[test]
fn a_journal_that_cannot_be_read_is_set_aside_and_changes_are_made_again() {
    let cpe = interrupted();
    let disk = cpe.disk();
    disk.refuse_to_read("journal");
    let told = recover::recover(&cpe.setup(&disk)).expect("recovered");
    assert!(told.contains("cannot be read"), "{told}");
    assert!(cpe.state("journal.bad-1").exists());
    let again = recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
    assert_eq!(again, "nothing to recover\n");
    cpe.script(set_two());
    assert_eq!(cpe.life().0, End::Idle);
    assert_eq!(cpe.last_session().faults(), [0u16; 0]);
    assert_eq!(
        values(&cpe.open(&cpe.disk())),
        ["net", "ntp.example", "key"]
    );
}

// Recovery that the disk refuses is no reason not to start: it happens before the next
// request, and what it touched is reloaded.
#[test]
fn what_could_not_be_recovered_at_the_start_is_before_the_next_request_and_is_reloaded() {
    let cpe = interrupted();
    let start = cpe.image();
    let disk = cpe.disk();
    disk.set_fate(Fate::Sound);
    drop(cpe.open(&disk));
    let steps = disk.steps();
    for n in 0..steps {
        cpe.put_back(&start);
        cpe.forget_marks();
        let disk = cpe.disk();
        disk.set_fate(Fate::FailFrom(n, EIO));
        let world = cpe.open(&disk);
        agent::begin(&world);
        disk.set_fate(Fate::Sound);
        cpe.script(Script::of([get_values(&[SSID, NTP, KEY])]));
        world.owed().raise(EventCode::Periodic, "");
        one_session(&world);
        let session = cpe.last_session();
        let told = session
            .message("GetParameterValuesResponse")
            .expect("values");
        let told: Vec<&str> = told.values.iter().map(|v| v.value.as_str()).collect();
        assert_eq!(told, ["net", "ntp.example", "key"], "from step {n}");
        let mut reloads = cpe.marks("reloads");
        reloads.sort();
        reloads.dedup();
        assert_eq!(reloads, ["system", "wireless"], "from step {n}");
        cpe.nothing_left_behind(&format!("from step {n}"));
    }
    assert!(steps > 5, "{steps}");
}

// The boot is known only once its events are on disk: M Reboot and 1 BOOT are not lost with
// an agent that dies on a full disk, and the box is not rebooted twice.
#[test]
fn a_boot_whose_events_could_not_be_kept_is_still_one_for_the_next_start() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([reboot("k")]));
    assert_eq!(cpe.life().0, End::GoingDown);
    cpe.boot();
    let start = cpe.image();
    let disk = cpe.disk();
    disk.set_fate(Fate::Sound);
    agent::begin(&cpe.open(&disk));
    for n in 0..disk.steps() {
        cpe.put_back(&start);
        cpe.forget_marks();
        let disk = cpe.disk();
        disk.set_fate(Fate::FailFrom(n, 28));
        let world = cpe.open(&disk);
        let begun = agent::begin(&world);
        assert!(!begun.reboot_now);
        drop(world);
        let before = cpe.sessions();
        assert_eq!(cpe.life().0, End::Idle, "from step {n}");
        assert_eq!(
            cpe.told_since(before),
            ["1 BOOT", "M Reboot k"],
            "from step {n}"
        );
        assert!(cpe.marks("rebooted").is_empty());
    }
}

// ... and it is noted after all when the session that told of it is over.
#[test]
fn a_boot_that_was_told_while_the_disk_was_full_is_not_told_again() {
    let cpe = Cpe::known();
    cpe.boot();
    let disk = cpe.disk();
    let world = cpe.open(&disk);
    disk.set_fate(Fate::FailFrom(0, 28));
    agent::begin(&world);
    disk.set_fate(Fate::Sound);
    let before = cpe.sessions();
    one_session(&world);
    assert_eq!(cpe.told_since(before), ["1 BOOT"]);
    drop(world);
    assert_eq!(cpe.life().1, [""; 0]);
}
