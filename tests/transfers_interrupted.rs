//! What must not happen while a file is applied: the program that does it is not hindered, not
//! joined by another, and what is on trial is not taken back beneath it.

mod transfer_rig;

use cwmp_agent::transfer::archive::Writer;
use std::os::unix::fs::{MetadataExt, chown};
use transfer_rig::acs::*;
use transfer_rig::files::{FileServer, Served, Trick};
use transfer_rig::*;

const HOLD: &str = "while [ -e \"$CWMP_ROOT/tmp/hold\" ]; do sleep 0.02; done";
const TRIAL: &str = "/etc/cwmp-agent/state/trial";

fn hold(rig: &Rig) {
    rig.cpe.router.write("/tmp/hold", "").unwrap();
}

fn let_go(rig: &Rig) {
    std::fs::remove_file(rig.cpe.router.path("/tmp/hold")).expect("it was held");
}

fn firmware(rig: &Rig, key: &str) -> Transfer {
    let mut transfer = rig.file("/fw", Served::bytes("image"), key);
    transfer.file_type = FIRMWARE.to_owned();
    transfer
}

#[test]
fn an_image_stays_until_the_box_has_gone_down() {
    let mut rig = Rig::with("[limits]\nreboot_wait = 3\n", FileServer::start());
    let transfer = firmware(&rig, "fw");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    // What was started by the program reads it only now.
    let image = rig.cpe.router.read("/tmp/cwmp-agent/1");
    assert_eq!(image.expect("the image"), "image");
    // It did not, in the end.
    assert_eq!(told(&rig.next())[0].code, 9010);
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn a_program_that_flashes_outlives_the_agent_whatever_it_says() {
    let mut rig = Rig::new();
    rig.cpe.script(
        "flash",
        &format!(
            "echo begun >>\"$CWMP_ROOT/tmp/flashed\"\n{HOLD}\n\
             for i in 1 2 3; do echo writing block $i >&2; done\n\
             cp \"$1\" \"$CWMP_ROOT/tmp/applied\""
        ),
    );
    hold(&rig);
    let transfer = firmware(&rig, "fw");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_file("/tmp/flashed");
    assert!(rig.cpe.stop().success());
    let_go(&rig);
    assert_eq!(rig.cpe.wait_file("/tmp/applied"), "image");
    rig.cpe.new_boot();
    rig.cpe.start();
    rig.next();
    rig.finish();
}

#[test]
fn the_last_word_of_a_program_that_fails_is_told() {
    let mut rig = Rig::new();
    rig.cpe.script(
        "use-file",
        "yes line | head -n 1000 >&2\necho 'no such bank' >&2\nexit 3",
    );
    let transfer = rig.file("/f", Served::bytes("content"), "fails");
    let session = rig.transferred(download(&transfer));
    let told = &told(&session)[0];
    assert_eq!(told.code, 9010);
    assert!(
        told.text.ends_with("status 3: no such bank"),
        "{}",
        told.text
    );
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn nothing_is_flashed_beside_a_program_that_still_flashes() {
    let mut rig = Rig::new();
    hold(&rig);
    let transfer = firmware(&rig, "fw");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_file("/tmp/flashed");
    let asked = rig.files.requests().len();
    // The agent is restarted, and the box goes on.
    assert!(rig.cpe.stop().success());
    rig.cpe.start();
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "rebooting");
    let image = rig.cpe.router.read("/tmp/cwmp-agent/1");
    assert_eq!(image.expect("the image"), "image");
    assert_eq!(rig.files.requests().len(), asked);
    assert_eq!(rig.cpe.router.read("/tmp/flashed").unwrap(), "flash\n");
    let_go(&rig);
    assert_eq!(rig.cpe.wait_file("/tmp/applied"), "image");
    // It has no rival after its end either, and the boot concludes it.
    assert!(rig.cpe.stop().success());
    assert_eq!(rig.cpe.router.read("/tmp/flashed").unwrap(), "flash\n");
    rig.cpe.new_boot();
    rig.cpe.start();
    assert_eq!(told(&rig.next()).len(), 1);
    assert_eq!(rig.cpe.router.read("/tmp/flashed").unwrap(), "flash\n");
    rig.finish();
}

#[test]
fn web_content_that_the_end_of_the_agent_breaks_off_is_begun_anew() {
    let mut rig = Rig::new();
    std::fs::create_dir_all(rig.cpe.router.path("/www")).expect("a folder");
    let archive = rig.cpe.router.path("/tmp/portal.tgz");
    let mut writer = Writer::create(&archive).expect("an archive");
    writer.file("index.html", 0o644, b"hello").expect("a file");
    writer.finish().expect("an archive");
    // Whatever acts on the box waits for this reload.
    rig.cpe.script(
        "apply",
        &format!("echo \"$1\" >>\"$CWMP_ROOT/tmp/reloads\"\n{HOLD}"),
    );
    let served = Served::bytes(std::fs::read(&archive).expect("it"));
    let mut transfer = rig.file("/portal", served, "web");
    transfer.file_type = "2 Web Content".to_owned();
    transfer.delay = 2;
    rig.ask(Script::of([download(&transfer)]));
    hold(&rig);
    let mut set = rig
        .cpe
        .command(&["set", "Device.Time.NTPServer1=ntp.example"])
        .spawn()
        .expect("a command");
    rig.cpe.wait_file("/tmp/reloads");
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "applying");
    rig.cpe.signal(nix::sys::signal::Signal::SIGTERM);
    // By the time that this is answered it knows.
    rig.cpe.cli(&["status"]);
    let_go(&rig);
    let _ = set.wait();
    assert!(rig.cpe.stop().success());
    rig.cpe.start();
    let session = rig.next();
    assert_eq!(told(&session)[0].text, "");
    assert_eq!(rig.cpe.router.read("/www/acs/index.html").unwrap(), "hello");
    rig.finish();
}

#[test]
fn nothing_is_taken_back_while_a_file_is_applied() {
    let mut rig = Rig::with("[apply]\nconfirm_within = 1\n", FileServer::start());
    hold(&rig);
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    let set = set_values(&[("Device.WiFi.SSID.1.SSID", "string", "as wanted")], "");
    rig.ask(Script::of([set, download(&transfer)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "applying");
    // Long enough for the time to be over.
    let begun = std::time::Instant::now();
    rig.cpe.wait_status(|_| begun.elapsed().as_millis() > 2500);
    assert!(rig.cpe.exists(TRIAL), "{}", rig.cpe.log());
    let_go(&rig);
    let session = rig.next();
    assert!(session.events().contains(&"M Download"));
    rig.cpe.wait_status(|s| s["trial_until"].is_null());
    assert_eq!(rig.cpe.get("Device.WiFi.SSID.1.SSID"), "as wanted");
    rig.finish();
}

// A user of the box can make the folder before us, and put another in its place at any time.
#[test]
fn a_download_folder_of_somebody_else_is_not_swept() {
    let mut rig = Rig::new();
    assert!(rig.cpe.stop().success());
    let file = "/tmp/cwmp-agent/1";
    rig.cpe.router.write(file, "theirs").unwrap();
    let folder = rig.cpe.router.path("/tmp/cwmp-agent");
    if chown(&folder, Some(65_534), Some(65_534)).is_err() {
        println!("skipped: only root can give a folder away");
        return;
    }
    assert_eq!(std::fs::metadata(&folder).unwrap().uid(), 65_534);
    rig.cpe.start();
    let transfer = rig.file("/f", Served::bytes("content"), "k");
    assert_eq!(rig.downloaded(&transfer), 9010);
    assert_eq!(rig.cpe.router.read(file).unwrap(), "theirs");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(rig.downloaded(&transfer), 0);
    rig.finish();
}

#[test]
fn what_a_power_cut_has_broken_off_waits_until_the_acs_is_reached() {
    let mut rig = Rig::new();
    let stuck = Served::pattern(100_000).next(Trick::Stall(1000));
    let transfer = rig.file("/f", stuck, "slow");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_status(|s| s["transfers"][0]["done"] == 1000);
    for session in [3, 4] {
        let inform = When::In { session, post: 1 };
        rig.acs
            .push_rule(Rule::once(inform, Trouble::DropAfterReading));
    }
    rig.reboot();
    // No line yet: it would have been told of as a failure.
    rig.next();
    rig.next();
    assert_eq!(rig.files.requests().len(), 1);
    assert_eq!(rig.next().events(), ["1 BOOT"]);
    let session = rig.next();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(told(&session)[0].code, 0);
    rig.finish();
}

#[test]
fn half_a_version_of_web_content_is_gone_after_the_next_start() {
    let mut rig = Rig::new();
    assert!(rig.cpe.stop().success());
    let half = "/www/.portal.cwmp-b/half";
    rig.cpe.router.write(half, "x").expect("a file");
    rig.cpe.router.write("/www/luci/x", "x").expect("a file");
    rig.cpe.start();
    // Who answers has begun.
    rig.cpe.status();
    assert!(!rig.cpe.exists("/www/.portal.cwmp-b") && rig.cpe.exists("/www/luci/x"));
    rig.finish();
}
