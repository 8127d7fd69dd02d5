//! What the shipped data model tells of the clock and of the firewall's settings: their
//! state, which no option says.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{edit, expect, fresh, get, read, set};
use sha2::{Digest, Sha256};
use std::fs::{File, FileTimes};
use std::time::{Duration, UNIX_EPOCH};

const STATUS: &str = "Device.Time.Status";
const VERSION: &str = "Device.Firewall.Version";
const CHANGED: &str = "Device.Firewall.LastChange";

// T-DM-001
#[test]
fn the_clock_is_synchronized_once_ntp_has_set_it() {
    for mark in ["/var/run/cwmp-agent.clock", "/var/state/dnsmasqsec"] {
        let (router, mut model) = fresh();
        assert_eq!(get(&mut model, STATUS), "Unsynchronized");
        router.write(mark, "stratum\n").expect("written");
        assert_eq!(get(&mut model, STATUS), "Synchronized", "{mark}");
        // Off is off, whatever was.
        set(&mut model, &[("Device.Time.Enable", "false")]).expect("set");
        assert_eq!(get(&mut model, STATUS), "Disabled");
        set(&mut model, &[("Device.Time.Enable", "true")]).expect("set");
        assert_eq!(get(&mut model, STATUS), "Synchronized");
    }
}

#[test]
fn ntp_is_off_where_the_file_says_so_in_any_of_openwrts_words() {
    let (router, mut model) = fresh();
    for (word, status) in [
        ("0", "Disabled"),
        ("off", "Disabled"),
        ("1", "Unsynchronized"),
        ("no", "Disabled"),
        ("yes", "Unsynchronized"),
    ] {
        let text = format!("config timeserver 'ntp'\n\toption enabled '{word}'\n");
        router.write("/etc/config/system", &text).expect("written");
        assert_eq!(get(&mut model, STATUS), status, "{word}");
        let on = (status != "Disabled").to_string();
        assert_eq!(get(&mut model, "Device.Time.Enable"), on, "{word}");
    }
    // The option's default, without it, and without the section.
    for text in ["config timeserver 'ntp'\n", "config system\n", ""] {
        router.write("/etc/config/system", text).expect("written");
        assert_eq!(get(&mut model, STATUS), "Unsynchronized", "{text:?}");
    }
    let file = router.path("/etc/config/system");
    std::fs::remove_file(file).expect("gone");
    assert_eq!(get(&mut model, STATUS), "Unsynchronized");
}

/// As `sha256sum FILE | cut -c 1-16` has it.
fn print(text: &str) -> String {
    let digest = Sha256::digest(text);
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    hex.collect::<String>()[..16].to_owned()
}

#[test]
fn the_firewalls_settings_have_a_version_and_a_time() {
    let (router, mut model) = fresh();
    let path = router.path("/etc/config/firewall");
    let date = |seconds: u64| {
        let at = UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(&path).expect("open");
        file.set_times(FileTimes::new().set_modified(at))
            .expect("set");
    };
    date(1_767_323_045);
    let first = read(&router, "firewall");
    for _ in 0..2 {
        expect(
            &mut model,
            &[(VERSION, &print(&first)), (CHANGED, "2026-01-02T03:04:05Z")],
        );
    }
    // By hand; the size stays.
    edit(&router, "firewall", "syn_flood\t1", "syn_flood\t0");
    date(1_767_323_046);
    let second = read(&router, "firewall");
    assert_ne!(print(&first), print(&second));
    expect(
        &mut model,
        &[
            (VERSION, &print(&second)),
            (CHANGED, "2026-01-02T03:04:06Z"),
        ],
    );
    // By the ACS; right after, when the time of the file need not tell.
    for target in ["Accept", "Drop"] {
        let policy = "Device.Firewall.Level.1.DefaultPolicy";
        set(&mut model, &[(policy, target)]).expect("set");
        let version = print(&read(&router, "firewall"));
        assert_eq!(get(&mut model, VERSION), version);
        assert!(get(&mut model, CHANGED).as_str() > "2026-01-02T03:04:06Z");
    }
    std::fs::remove_file(&path).expect("gone");
    expect(
        &mut model,
        &[(VERSION, ""), (CHANGED, "0001-01-01T00:00:00Z")],
    );
}
