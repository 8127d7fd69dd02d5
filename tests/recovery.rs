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
        if ended.is_none() && changed("/etc/config/system") && !changed(WIRELESS) {
            cpe.put_back(&image);
            cpe.boot();
            cpe.acs.clear_sessions();
            return cpe;
        }
    }
    panic!("no step in the middle of the renames");
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
