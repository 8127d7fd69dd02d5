//! The files of init/openwrt: the service scripts, run by every shell there is with procd's
//! functions told instead of done; what shellcheck says of them; the settings as shipped.

use cwmp_agent::agent::settings::Settings;
use cwmp_agent::uci::Package;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the tree.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("init/openwrt")
        .join(path)
}

/// Whether a program is here. With `CI` set it must be.
fn have(program: &str, try_it: &[&str]) -> bool {
    let tried = Command::new(program).args(try_it).output();
    let here = tried.is_ok_and(|out| out.status.success());
    let ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty());
    assert!(here || !ci, "no {program} here");
    if !here {
        println!("skipped: no {program} here");
    }
    here
}

/// The shells that can run a script: this machine's, and the router's if it is here.
fn shells() -> Vec<Vec<&'static str>> {
    let mut shells = vec![vec!["sh"]];
    if have("busybox", &["ash", "-c", ":"]) {
        shells.push(vec!["busybox", "ash"]);
    }
    shells
}

/// What procd, jshn and rc.common are told. Settings are variables: `cpe_port=7548`.
const STAND_INS: &str = r#"
    told() { echo "$@"; }
    config_load() { told config_load "$@"; }
    config_get() { eval "$1=\"\${$2_$3:-$4}\""; }
    config_get_bool() {
        config_get "$@"
        eval "case \"\$$1\" in on|true|yes|enabled) $1=1;; off|false|no|disabled) $1=0;; esac"
    }
    for name in procd_open_instance procd_close_instance procd_set_param procd_open_data procd_close_data \
        procd_set_config_changed procd_add_reload_trigger procd_add_interface_trigger procd_send_signal \
        json_add_array json_close_array json_add_object json_close_object json_add_string; do
        eval "$name() { told $name \"\$@\"; }"
    done
"#;

/// What a script tells when `calls` are made after it was read, by each shell the same.
fn told(script: &str, before: &str, calls: &str) -> String {
    let script = shipped(script);
    let mut answers = Vec::new();
    for shell in shells() {
        let out = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(format!("{STAND_INS}\n{before}\n. \"$0\"\n{calls}"))
            .arg(&script)
            .output()
            .expect("a shell");
        let complaints = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{shell:?}: {complaints}");
        assert_eq!(complaints, "", "{shell:?}");
        answers.push(String::from_utf8(out.stdout).expect("UTF-8"));
    }
    let first = answers.swap_remove(0);
    assert!(answers.iter().all(|a| *a == first), "{first}\n{answers:?}");
    first
}

const SERVICE: &str = "etc/init.d/cwmp-agent";
const RECOVER: &str = "etc/init.d/cwmp-agent-recover";

/// What `start_service` tells procd with these settings; the firewall's part as one line.
fn started(settings: &str) -> String {
    let calls = "open_port() { echo \"port $2 of $1\"; }\nstart_service";
    told(SERVICE, settings, calls)
}

#[test]
fn procd_runs_the_daemon_by_the_conventions() {
    assert_eq!(
        started(""),
        "config_load cwmp\n\
         procd_open_instance\n\
         procd_set_param command /usr/sbin/cwmp-agent run\n\
         procd_set_param file /etc/config/cwmp\n\
         procd_set_param reload_signal HUP\n\
         procd_set_param respawn 3600 5 0\n\
         procd_set_param stdout 1\n\
         procd_set_param stderr 1\n\
         procd_set_param term_timeout 15\n\
         port 7547 of wan\n\
         procd_close_instance\n"
    );
    let capitals = told(SERVICE, "", "echo \"$USE_PROCD $START\"");
    assert_eq!(capitals, "1 90\n");
}

// FLW-014
#[test]
fn switched_off_the_service_runs_on_with_its_port_closed() {
    let closed = [
        "cpe_enable=0",
        "cpe_enable=off",
        "cpe_http_connection_request=0",
        "cpe_port=0",
    ];
    for settings in closed {
        let told = started(settings);
        assert!(told.contains("command /usr/sbin/cwmp-agent run"), "{told}");
        assert!(!told.contains("port "), "{settings}: {told}");
    }
}

#[test]
fn the_firewall_opens_the_port_of_connection_requests_in_the_zone_of_the_network() {
    let folder = std::env::temp_dir().join(format!("cwmp-fw-{}", std::process::id()));
    let fw4 = folder.join("fw4");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(&fw4, "#!/bin/sh\n[ \"$3\" = uplink ] && echo outside\n").expect("a stand-in");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&fw4, mode).expect("its mode");
    // The script looks for the firewall in /sbin, and asks it by its name.
    let text = fs::read_to_string(shipped(SERVICE)).expect("the script");
    let copy = folder.join("service");
    let text = text.replace("/sbin/fw4", &fw4.display().to_string());
    fs::write(&copy, text).expect("a copy");
    let path = format!("PATH={}:$PATH", folder.display());
    let rule = |settings: &str| {
        let before = format!("{path}\n{settings}");
        let all = told(copy.to_str().expect("UTF-8"), &before, "start_service");
        let at = all.find("procd_open_data").expect("service data");
        all[at..].to_owned()
    };
    let expected = |zone: &str, port: &str| {
        format!(
            "procd_open_data\njson_add_array firewall\njson_add_object \n\
             json_add_string type rule\njson_add_string name Allow-CWMP-connection-request\n\
             json_add_string src {zone}\njson_add_string proto tcp\n\
             json_add_string dest_port {port}\njson_add_string target ACCEPT\n\
             json_close_object\njson_close_array\nprocd_close_data\nprocd_close_instance\n"
        )
    };
    let of_uplink = rule("cpe_interface=uplink cpe_port=30005");
    let of_a_device = rule("cpe_interface=eth0.2");
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(of_uplink, expected("outside", "30005"));
    assert_eq!(of_a_device, expected("wan", "7547"));
    // Whoever reads service data must be told of it.
    for call in ["service_started", "service_stopped"] {
        let told = told(SERVICE, "", call);
        assert_eq!(told, "procd_set_config_changed firewall\n");
    }
}

#[test]
fn a_new_address_of_the_network_reaches_the_daemon_and_no_session_is_cut() {
    for (settings, network) in [("", "wan"), ("cpe_interface=uplink", "uplink")] {
        assert_eq!(
            told(SERVICE, settings, "service_triggers"),
            format!(
                "config_load cwmp\nprocd_add_reload_trigger cwmp\n\
                 procd_add_interface_trigger interface.*.up {network} \
                 /etc/init.d/cwmp-agent address_changed\n"
            )
        );
    }
    // What the trigger calls is a command of the script.
    let command = "$EXTRA_COMMANDS";
    let told = told(SERVICE, "", command);
    assert_eq!(told, "procd_send_signal cwmp-agent * HUP\n");
}

#[test]
fn what_a_power_cut_broke_is_mended_before_the_network_reads_it() {
    let calls = "eval \"$(sed 's,/usr/sbin/cwmp-agent,told,' \"$0\" | grep -v '^#')\"\n\
                 echo start $START; boot; start; stop";
    let told = told(RECOVER, "", calls);
    let (start, rest) = told.split_once('\n').expect("lines");
    let level: u32 = start.trim_start_matches("start ").parse().expect("START");
    // boot (10) mounts; network is 20.
    assert!((11..20).contains(&level), "START={level}");
    assert_eq!(rest, "recover\n");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if !have("shellcheck", &["--version"]) {
        return;
    }
    let mut scripts = Vec::new();
    for folder in [
        "etc/init.d",
        "etc/uci-defaults",
        "etc/hotplug.d/ntp",
        "etc/udhcpc.user.d",
        "etc/odhcp6c.user.d",
    ] {
        for entry in fs::read_dir(shipped(folder)).expect("a folder") {
            scripts.push(entry.expect("readable").path());
        }
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    scripts
        .extend(["cross/openwrt/cwmp-agent/test.sh", "cross/feed-profile.sh"].map(|s| top.join(s)));
    assert!(scripts.len() >= 8, "{scripts:?}");
    let out = Command::new("shellcheck").args(&scripts).output();
    let out = out.expect("shellcheck");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}");
}

/// What is read from a text of /etc/config/cwmp, which must not warn.
fn read(text: &str) -> Settings {
    let package = Package::parse(text.as_bytes()).expect("UCI");
    let (settings, warnings) = Settings::read(&package);
    assert!(warnings.is_empty(), "{warnings:?}");
    settings
}

#[test]
fn the_commented_defaults_are_the_defaults() {
    let text = fs::read_to_string(shipped("etc/config/cwmp")).expect("shipped");
    let all = text
        .replace("#option ", "option ")
        .replace("#config ", "config ");
    assert_ne!(all, text);
    assert_eq!(read(&all), read(&text));
    // What is written out although it is no default: the interval and the interface.
    let mut settings = read(&text);
    settings.acs.periodic_inform_interval = 86_400;
    settings.cpe.interface.clear();
    assert_eq!(settings, Settings::default());
}

/// The options of the README's table: `acs.url`, in the order in which they stand there.
fn documented() -> Vec<(&'static str, &'static str)> {
    let readme = include_str!("../README.md");
    let names = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let sections = ["acs", "cpe", "device", "heartbeat", "standby"];
    let options = names.filter_map(|(name, _)| name.split_once('.'));
    let found: Vec<_> = options.filter(|(s, _)| sections.contains(s)).collect();
    assert!(found.len() > 40, "the README's table: {found:?}");
    found
}

/// The file and the page are where operators look first.
#[test]
fn every_documented_option_is_in_the_settings_as_shipped_and_on_the_page() {
    let text = fs::read_to_string(shipped("etc/config/cwmp")).expect("shipped");
    let mut there = Vec::new();
    let mut section = "";
    for line in text.lines() {
        let mut words = line.trim_start_matches(['\t', '#']).split(' ');
        match (words.next(), words.next()) {
            (Some("config"), Some(name)) => section = name,
            (Some("option"), Some(name)) => there.push((section, name)),
            _ => {}
        }
    }
    let page = "www/luci-static/resources/view/cwmp-agent/settings.js";
    let page = fs::read_to_string(shipped(page)).expect("shipped");
    for (section, option) in documented() {
        assert!(there.contains(&(section, option)), "{section}.{option}");
        let at = page.find(&format!("function {section}(map)"));
        let form = &page[at.expect("a form for the section")..];
        let form = &form[..form.find("\n}\n").expect("its end")];
        let named = form.contains(&format!("(s, '{option}',"));
        assert!(named, "{section}.{option} is not on the page");
    }
}
