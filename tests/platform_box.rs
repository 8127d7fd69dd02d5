//! The box: its commands, its identity, its boots.

mod scratch;
mod ubusd;

use cwmp_agent::platform::boot::Boot;
use cwmp_agent::platform::{ActionError, Actions, Identity, Platform};
use cwmp_agent::process::RunError;
use cwmp_agent::store::Root;
use cwmp_agent::store::run_dir::RunDir;
use cwmp_agent::store::state::StateDir;
use cwmp_agent::ubus::{CallError, Status};
use scratch::Scratch;
use std::time::Duration;
use ubusd::{Manners, Ubusd, table};

const TIMEOUT: Duration = Duration::from_secs(30);

fn root(t: &Scratch) -> Root {
    std::fs::create_dir_all(t.path("root")).unwrap();
    Root::new(&t.path("root")).unwrap()
}

fn sh(script: &str) -> Option<Vec<String>> {
    Some(
        ["/bin/sh", "-c", script, "sh"]
            .iter()
            .map(|s| s.to_string())
            .collect(),
    )
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

#[test]
fn nothing_runs_by_default_below_another_root() {
    let t = Scratch::new();
    let p = Platform::new(root(&t), Actions::default());
    assert_eq!(p.reboot(), Err(ActionError::NotConfigured("reboot")));
    assert_eq!(
        p.factory_reset(),
        Err(ActionError::NotConfigured("factory_reset"))
    );
    assert!(p.reload(&strings(&["network"])).is_empty());
    let not_configured = ActionError::NotConfigured("renew_dhcp");
    assert_eq!(p.renew_dhcp("wan", TIMEOUT), Err(not_configured));
}

#[test]
fn configured_commands_run_as_written_with_the_root_in_their_environment() {
    let t = Scratch::new();
    let log = t.path("log");
    let note = |what: &str| sh(&format!("echo {what} $CWMP_ROOT >> {}", log.display()));
    let actions = Actions {
        reboot: note("reboot"),
        factory_reset: note("reset"),
        renew_dhcp: note("renew {interface}"),
        ..Actions::default()
    };
    let p = Platform::new(root(&t), actions);
    p.factory_reset().unwrap();
    p.reboot().unwrap();
    p.renew_dhcp("wan", TIMEOUT).unwrap();
    let dir = t.path("root").display().to_string();
    assert_eq!(
        t.read("log"),
        format!("reset {dir}\nreboot {dir}\nrenew wan {dir}\n")
    );
}

#[test]
fn each_package_is_reloaded_once_and_one_failure_does_not_stop_the_others() {
    let t = Scratch::new();
    let mut argv = sh(&format!(
        "echo \"$1\" >> {}; test \"$1\" != bad",
        t.path("log").display()
    ))
    .unwrap();
    argv.push("{package}".into());
    let p = Platform::new(
        root(&t),
        Actions {
            apply_config: Some(argv),
            ..Actions::default()
        },
    );
    let failed = p.reload(&strings(&[
        "wireless", "bad", "network", "cwmp", "wireless",
    ]));
    // The network before what stands on it, the agent last.
    assert_eq!(t.read("log"), "network\nwireless\nbad\ncwmp\n");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, "bad");
    assert!(matches!(
        failed[0].1,
        ActionError::Run {
            error: RunError::Status(1),
            ..
        }
    ));
    assert!(p.reload(&[]).is_empty());
}

#[test]
fn a_command_that_hangs_is_ended() {
    let t = Scratch::new();
    let actions = Actions {
        reboot: Some(strings(&["/bin/sleep", "600"])),
        renew_dhcp: Some(strings(&["/bin/sleep", "600"])),
        ..Actions::default()
    };
    let p = Platform::new(root(&t), actions);
    let short = Duration::from_millis(100);
    assert!(matches!(
        p.renew_dhcp("wan", short),
        Err(ActionError::Run {
            error: RunError::TimedOut(_),
            ..
        })
    ));
    let p = p.with_timeout(short);
    assert!(matches!(
        p.reboot(),
        Err(ActionError::Run {
            error: RunError::TimedOut(_),
            ..
        })
    ));
}

/// A router as OpenWrt describes it.
fn openwrt(t: &Scratch) -> (Root, StateDir) {
    t.file("root/etc/board.json", r#"{"model":{"id":"acme,box-1","name":"Acme Box 1"},"network":{"wan":{"macaddr":"00:1a:2b:3c:4d:5e"}}}"#);
    t.file(
        "root/etc/openwrt_release",
        "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.3'\nDISTRIB_REVISION='r23809'\n",
    );
    t.file(
        "root/etc/device_info",
        "DEVICE_MANUFACTURER='OpenWrt'\nDEVICE_PRODUCT='Generic'\nDEVICE_REVISION='v0'\n",
    );
    (root(t), StateDir::open(&t.path("state")).unwrap())
}

#[test]
fn identity_is_derived_from_the_board() {
    let t = Scratch::new();
    let (root, state) = openwrt(&t);
    let id = Identity::find(&root, &state);
    assert_eq!(id.manufacturer, "OpenWrt");
    assert_eq!(id.oui, "001A2B");
    assert_eq!(id.product_class, "acme,box-1", "`Generic` is no product");
    assert_eq!(id.serial_number, "001A2B3C4D5E");
    assert_eq!(id.model_name, "Acme Box 1");
    assert_eq!(id.hardware_version, "acme,box-1");
    assert_eq!(id.software_version, "23.05.3-r23809");
}

#[test]
fn derived_identity_never_changes_but_versions_do() {
    let t = Scratch::new();
    let (root, state) = openwrt(&t);
    let first = Identity::find(&root, &state);
    t.file("root/etc/board.json", r#"{"model":{"id":"other","name":"Other"},"network":{"wan":{"macaddr":"aa:bb:cc:00:00:01"}}}"#);
    t.file("root/etc/openwrt_release", "DISTRIB_RELEASE='24.10.0'\n");
    t.file("root/proc/device-tree/serial-number", "SN123\0");
    let later = Identity::find(&root, &state);
    assert_eq!(
        (&later.oui, &later.product_class, &later.serial_number),
        (&first.oui, &first.product_class, &first.serial_number)
    );
    assert_eq!(later.software_version, "24.10.0");
    let fresh = StateDir::open(&t.path("state2")).unwrap();
    assert_eq!(Identity::find(&root, &fresh).serial_number, "SN123");
}

#[test]
fn the_configuration_overrides_even_while_it_is_broken() {
    let t = Scratch::new();
    let (root, state) = openwrt(&t);
    let config = "config device 'device'\n\toption oui '00:11:22'\n\toption serial_number 'S-1'\n\
                  \toption manufacturer 'Maker'\n\toption model_name ''\n";
    t.file("root/etc/config/cwmp", config);
    let id = Identity::find(&root, &state);
    assert_eq!(
        (id.oui.as_str(), id.serial_number.as_str()),
        ("001122", "S-1")
    );
    assert_eq!(
        (id.manufacturer.as_str(), id.model_name.as_str()),
        ("Maker", "Acme Box 1")
    );
    t.file(
        "root/etc/config/cwmp",
        "config device 'device'\n\toption oui '\n",
    );
    assert_eq!(Identity::find(&root, &state), id);
    t.file(
        "root/etc/config/cwmp",
        "config device 'device'\n\toption oui 'nonsense'\n",
    );
    let id = Identity::find(&root, &state);
    assert_eq!(id.oui, "001A2B", "not six digits: the derived one");
    assert_eq!(id.serial_number, "001A2B3C4D5E", "the override is gone");
}

#[test]
fn identity_is_never_empty_and_fits_the_protocol() {
    let t = Scratch::new();
    let state = StateDir::open(&t.path("state")).unwrap();
    let bare = root(&t);
    let id = Identity::find(&bare, &state);
    let fields = |id: &Identity| {
        [
            id.manufacturer.clone(),
            id.oui.clone(),
            id.product_class.clone(),
            id.serial_number.clone(),
            id.model_name.clone(),
            id.hardware_version.clone(),
            id.software_version.clone(),
        ]
    };
    assert!(fields(&id).iter().all(|f| !f.is_empty()), "{id:?}");
    assert_eq!(id.oui, "000000");
    assert_eq!(
        Identity::find(&bare, &state),
        id,
        "the made-up serial number is kept"
    );
    let other = StateDir::open(&t.path("state2")).unwrap();
    assert_ne!(
        Identity::find(&bare, &other).serial_number,
        id.serial_number
    );

    // Hostile and overlong texts.
    t.file(
        "root/tmp/sysinfo/model",
        &format!("A\u{1}\u{7}B {}", "x".repeat(500)),
    );
    t.file("root/tmp/sysinfo/board_name", " \u{0}\n");
    t.file("root/etc/board.json", "{\"model\": [");
    t.file("root/sys/class/net/lo/address", "00:00:00:00:00:00\n");
    t.file("root/sys/class/net/aaa0/address", "ff:ff:ff:ff:ff:ff\n");
    t.file("root/sys/class/net/wan/address", "de:ad:be:ef:00:01\n");
    let third = StateDir::open(&t.path("state3")).unwrap();
    let id = Identity::find(&bare, &third);
    assert_eq!(id.oui, "DEADBE");
    assert_eq!(id.serial_number, "DEADBEEF0001");
    assert!(id.model_name.starts_with("AB x"));
    for field in fields(&id) {
        assert!(
            !field.is_empty()
                && field.chars().count() <= 64
                && !field.chars().any(char::is_control)
        );
    }
}

#[test]
fn a_restart_is_no_boot_and_a_new_boot_id_is() {
    let t = Scratch::new();
    let root = root(&t);
    let state = StateDir::open(&t.path("state")).unwrap();
    let run = RunDir::open(&t.path("run")).unwrap();
    t.file("root/proc/sys/kernel/random/boot_id", "one\n");
    let boot = Boot::detect(&root, &state, &run);
    assert!(boot.is_boot);
    assert!(
        Boot::detect(&root, &state, &run).is_boot,
        "looking changes nothing"
    );
    boot.remember(&state, &run).unwrap();
    assert!(!Boot::detect(&root, &state, &run).is_boot);
    t.file("root/proc/sys/kernel/random/boot_id", "two\n");
    assert!(Boot::detect(&root, &state, &run).is_boot);
}

#[test]
fn without_a_boot_id_the_marker_in_run_dir_tells() {
    let t = Scratch::new();
    let root = root(&t);
    let state = StateDir::open(&t.path("state")).unwrap();
    let run = RunDir::open(&t.path("run")).unwrap();
    let boot = Boot::detect(&root, &state, &run);
    assert!(boot.is_boot);
    boot.remember(&state, &run).unwrap();
    assert!(!Boot::detect(&root, &state, &run).is_boot);
    std::fs::remove_dir_all(t.path("run")).unwrap();
    let run = RunDir::open(&t.path("run")).unwrap();
    assert!(Boot::detect(&root, &state, &run).is_boot);
}

#[test]
fn procd_is_told_over_ubus_which_packages_changed() {
    let t = Scratch::new();
    let socket = t.path("ubus.sock");
    let mut ubusd = Ubusd::listen(&socket);
    ubusd.answer("service", "event", Ok("{}"));
    let ubusd = ubusd.run();
    let p = Platform::new(root(&t), Actions::default()).with_ubus(Some(socket.clone()));
    assert!(
        p.reload(&strings(&["network", "wireless", "network"]))
            .is_empty()
    );
    let told = ubusd.with(|u| std::mem::take(&mut u.calls));
    let event = |package: &str| {
        let arguments = format!(r#"{{"type":"config.change","data":{{"package":"{package}"}}}}"#);
        ("service".to_owned(), "event".to_owned(), table(&arguments))
    };
    assert_eq!(told, [event("network"), event("wireless")]);

    // What it refuses or does not answer has failed.
    ubusd.with(|u| u.answer("service", "event", Err(6)));
    let failed_with = |error| ActionError::Ubus("service event".to_owned(), error);
    let refused = failed_with(CallError::Refused(Status::PermissionDenied));
    let network = "network".to_owned();
    let failed = p.reload(std::slice::from_ref(&network));
    assert_eq!(failed, [(network.clone(), refused)]);
    ubusd.with(|u| u.manners = Manners::Silent);
    let hurried = p.clone().with_timeout(Duration::from_millis(50));
    let failed = hurried.reload(std::slice::from_ref(&network));
    assert_eq!(
        failed,
        [(network.clone(), failed_with(CallError::TimedOut))]
    );

    // A command of the firmware's comes first.
    ubusd.with(|u| u.calls.clear());
    let mut apply = sh(&format!("echo \"$1\" >> {}", t.path("log").display())).unwrap();
    apply.push("{package}".into());
    let actions = Actions {
        apply_config: Some(apply),
        ..Actions::default()
    };
    let by_command = Platform::new(root(&t), actions).with_ubus(Some(socket));
    assert!(by_command.reload(&strings(&["network"])).is_empty());
    assert_eq!(t.read("log"), "network\n");
    assert!(ubusd.with(|u| u.calls.is_empty()));

    // Where procd is not there, nothing runs below another root.
    drop(ubusd);
    assert!(p.reload(&strings(&["network"])).is_empty());
}

// T-DSC-006
#[test]
fn netifd_is_told_over_ubus_to_ask_dhcp_again() {
    let t = Scratch::new();
    let socket = t.path("ubus.sock");
    let mut ubusd = Ubusd::listen(&socket);
    ubusd.answer("network.interface.wan", "renew", Ok("{}"));
    let ubusd = ubusd.run();
    let p = Platform::new(root(&t), Actions::default()).with_ubus(Some(socket));
    p.renew_dhcp("wan", TIMEOUT).unwrap();
    let told = ubusd.with(|u| std::mem::take(&mut u.calls));
    let renew = (
        "network.interface.wan".to_owned(),
        "renew".to_owned(),
        table("{}"),
    );
    assert_eq!(told, [renew]);
    // A network that is not there, and a name that would be another's.
    for nobody in ["wan6", "*", "w*"] {
        let refused = ActionError::Ubus(
            format!("network.interface.{nobody} renew"),
            CallError::Refused(Status::NotFound),
        );
        assert_eq!(p.renew_dhcp(nobody, TIMEOUT), Err(refused), "{nobody}");
    }
    ubusd.with(|u| u.manners = Manners::Silent);
    let short = Duration::from_millis(50);
    let late = ActionError::Ubus(
        "network.interface.wan renew".to_owned(),
        CallError::TimedOut,
    );
    assert_eq!(p.renew_dhcp("wan", short), Err(late));
    // The firmware's own command comes first.
    let actions = Actions {
        renew_dhcp: sh(&format!("echo \"$1\" >> {}", t.path("log").display())).map(|mut argv| {
            argv.push("{interface}".into());
            argv
        }),
        ..Actions::default()
    };
    let socket = t.path("ubus.sock");
    let by_command = Platform::new(root(&t), actions).with_ubus(Some(socket));
    by_command.renew_dhcp("wan", TIMEOUT).unwrap();
    assert_eq!(t.read("log"), "wan\n");
}

#[test]
fn what_no_file_says_of_the_board_procd_tells() {
    const BOARD: &str = r#"{"kernel":"5.15.150","model":"Ridge R1 ","board_name":"ridge,r1",
        "release":{"version":"23.05.3","revision":"r23809-234f1a2efa"}}"#;
    let t = Scratch::new();
    let socket = t.path("ubus.sock");
    let mut ubusd = Ubusd::listen(&socket);
    ubusd.answer("system", "board", Ok(BOARD));
    let ubusd = ubusd.run();
    let bare = root(&t);
    let p = Platform::new(bare.clone(), Actions::default()).with_ubus(Some(socket));
    let state = |name: &str| StateDir::open(&t.path(name)).unwrap();
    let id = Identity::find_with(&bare, &state("a"), || p.board(TIMEOUT));
    assert_eq!(id.model_name, "Ridge R1");
    assert_eq!(id.product_class, "ridge,r1");
    assert_eq!(id.hardware_version, "ridge,r1");
    assert_eq!(id.software_version, "23.05.3-r23809-234f1a2efa");
    assert_eq!(ubusd.with(|u| u.calls.len()), 1);
    // What a file says stands.
    t.file("root/tmp/sysinfo/model", "Acme AX3000\n");
    t.file("root/etc/os-release", "VERSION_ID=\"24.10\"\n");
    let id = Identity::find_with(&bare, &state("b"), || p.board(TIMEOUT));
    assert_eq!(id.model_name, "Acme AX3000");
    assert_eq!(id.product_class, "ridge,r1");
    assert_eq!(id.software_version, "24.10");
    // Who knows all of it asks nobody.
    t.file("root/tmp/sysinfo/board_name", "acme,ax3000\n");
    ubusd.with(|u| u.calls.clear());
    let id = Identity::find_with(&bare, &state("c"), || p.board(TIMEOUT));
    assert_eq!(id.product_class, "acme,ax3000");
    assert!(ubusd.with(|u| u.calls.is_empty()));
    drop(ubusd);
    assert_eq!(p.board(TIMEOUT), None);
}
