//! The commands as operators and scripts use them: what they print, their exit status.

mod cpe;

use cpe::Cpe;
use std::process::Output;

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn get_prints_path_value_lines_and_json_with_types() {
    let cpe = Cpe::new("");
    let out = cpe.ok(&[
        "get",
        "Device.Time.",
        "Device.DeviceInfo.MemoryStatus.Total",
    ]);
    assert!(
        out.lines()
            .any(|l| l.starts_with("Device.Time.LocalTimeZone=")),
        "{out}"
    );
    let last = out.lines().last().unwrap();
    assert!(
        last.starts_with("Device.DeviceInfo.MemoryStatus.Total="),
        "{last}"
    );
    let json: serde_json::Value = serde_json::from_str(&cpe.ok(&[
        "get",
        "--json",
        "Device.Time.Enable",
        "Device.DeviceInfo.MemoryStatus.Total",
        "Device.Time.NTPServer1",
    ]))
    .unwrap();
    assert!(json["Device.Time.Enable"].is_boolean(), "{json}");
    assert!(
        json["Device.DeviceInfo.MemoryStatus.Total"].is_u64(),
        "{json}"
    );
    assert!(json["Device.Time.NTPServer1"].is_string(), "{json}");
}

#[test]
fn get_names_every_unknown_path_and_exits_with_1() {
    let cpe = Cpe::new("");
    let out = cpe.cli(&["get", "Device.Foo", "Device.Time.Enable", "Device.Bar."]);
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty());
    let lines: Vec<String> = stderr(&out).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("Device.Foo: 9005 "));
    assert!(lines[1].starts_with("Device.Bar.: 9005 "));
    assert_eq!(lines[0].matches("Device.Foo").count(), 1, "{lines:?}");
}

#[test]
fn set_is_one_change_and_tells_every_fault() {
    let cpe = Cpe::new("");
    cpe.ok(&[
        "set",
        "Device.Time.NTPServer1=a.example",
        "Device.WiFi.SSID.1.SSID=a=b\\n",
    ]);
    assert_eq!(cpe.get("Device.Time.NTPServer1"), "a.example");
    assert_eq!(cpe.get("Device.WiFi.SSID.1.SSID"), "a=b\\\\n");
    let mut reloads: Vec<String> = cpe
        .router
        .read("/tmp/reloads")
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    reloads.sort();
    assert_eq!(reloads, ["system", "wireless"]);
    let out = cpe.cli(&[
        "set",
        "Device.Time.NTPServer1=b.example",
        "Device.Time.Enable=perhaps",
        "Device.DeviceInfo.UpTime=1",
        "Device.Nothing=1",
    ]);
    assert_eq!(out.status.code(), Some(1));
    let text = stderr(&out);
    for line in [
        "Device.Time.Enable: 9007 ",
        "Device.DeviceInfo.UpTime: 9008 ",
        "Device.Nothing: 9005 ",
    ] {
        assert!(
            text.lines().any(|l| l.starts_with(line)),
            "{line:?} in {text}"
        );
    }
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(cpe.get("Device.Time.NTPServer1"), "a.example");
}

// T-SPV-019
#[test]
fn setting_what_is_there_already_writes_nothing() {
    use std::os::unix::fs::MetadataExt;
    let cpe = Cpe::new("");
    let before = std::fs::metadata(cpe.router.path("/etc/config/wireless"))
        .unwrap()
        .ino();
    let name = cpe.get("Device.WiFi.SSID.1.SSID");
    cpe.ok(&["set", &format!("Device.WiFi.SSID.1.SSID={name}")]);
    let after = std::fs::metadata(cpe.router.path("/etc/config/wireless"))
        .unwrap()
        .ino();
    assert_eq!(before, after);
    assert!(!cpe.exists("/tmp/reloads"));
}

// T-GPN-003, T-GPN-004, T-GPN-005, T-GPN-010, T-GPN-011
#[test]
fn names_prints_paths_with_their_access() {
    let cpe = Cpe::new("");
    let all = cpe.ok(&["names", ""]);
    assert!(all.lines().any(|l| l == "Device. ro"), "{all}");
    assert!(all.lines().any(|l| l == "Device.NAT.PortMapping. rw"));
    assert!(all.lines().any(|l| l == "Device.NAT.PortMapping.1. rw"));
    assert!(all.lines().any(|l| l == "Device.Time.Enable rw"));
    assert!(all.lines().any(|l| l == "Device.DeviceInfo.UpTime ro"));
    let next = cpe.ok(&["names", "Device.Time.", "--next-level"]);
    assert!(
        next.lines().all(|l| !l.starts_with("Device.Time. ")),
        "{next}"
    );
    assert!(
        next.lines()
            .any(|l| l == "Device.Time.Client. ro" || l == "Device.Time.Client. rw")
    );
    assert_eq!(cpe.ok(&["names", "", "--next-level"]), "Device. ro\n");
}

// T-GPN-014
#[test]
fn names_and_values_of_the_whole_tree_agree() {
    let cpe = Cpe::new("");
    let names: Vec<String> = cpe
        .ok(&["names", "Device."])
        .lines()
        .filter_map(|l| l.split_once(' ').map(|(path, _)| path.to_owned()))
        .filter(|path| !path.ends_with('.'))
        .collect();
    let values: Vec<String> = cpe
        .ok(&["get", "Device."])
        .lines()
        .filter_map(|l| l.split_once('=').map(|(path, _)| path.to_owned()))
        .collect();
    assert_eq!(names, values);
    assert!(names.len() > 80, "{}", names.len());
}

#[test]
fn add_prints_the_new_path_and_delete_takes_it_away() {
    let cpe = Cpe::new("");
    let path = cpe.ok(&["add", "Device.NAT.PortMapping."]);
    let path = path.trim_end();
    assert!(
        path.starts_with("Device.NAT.PortMapping.") && path.ends_with('.'),
        "{path}"
    );
    assert_eq!(cpe.get(&format!("{path}Enable")), "false");
    cpe.ok(&["set", &format!("{path}InternalClient=192.168.1.9")]);
    assert!(
        cpe.router
            .read("/etc/config/firewall")
            .unwrap()
            .contains("192.168.1.9")
    );
    cpe.ok(&["delete", path]);
    assert_eq!(cpe.cli(&["get", path]).status.code(), Some(1));
    assert!(
        !cpe.router
            .read("/etc/config/firewall")
            .unwrap()
            .contains("192.168.1.9")
    );
    let out = cpe.cli(&["add", "Device.Hosts.Host."]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        stderr(&out).starts_with("Device.Hosts.Host.: 9005 "),
        "{}",
        stderr(&out)
    );
}

#[test]
fn commands_give_the_same_answers_with_and_without_a_daemon() {
    let mut cpe = Cpe::new("");
    let stable = ["Device.WiFi.", "Device.NAT.", "Device.Time.NTPServer1"];
    let ask = |cpe: &Cpe| stable.map(|p| cpe.ok(&["get", p]));
    let before = ask(&cpe);
    cpe.start();
    cpe.wait_file("/tmp/log");
    assert_eq!(ask(&cpe), before);
    let row = cpe.ok(&["add", "Device.NAT.PortMapping."]);
    cpe.ok(&[
        "set",
        &format!("{}Description=by the daemon", row.trim_end()),
    ]);
    assert_eq!(cpe.cli(&["get", "Device.Foo"]).status.code(), Some(1));
    assert!(cpe.stop().success());
    assert_eq!(
        cpe.get(&format!("{}Description", row.trim_end())),
        "by the daemon"
    );
}

#[test]
fn a_second_owner_of_the_state_is_refused() {
    let mut cpe = Cpe::new("");
    cpe.start();
    cpe.wait_text("/tmp/log", |t| t.contains("runs"));
    for args in [&["run"][..], &["run", "--once"][..]] {
        let out = cpe.cli(args);
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(stderr(&out).contains("in use"), "{}", stderr(&out));
    }
    assert!(cpe.stop().success());
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2() {
    let cpe = Cpe::new("");
    assert_eq!(cpe.cli(&["nonsense"]).status.code(), Some(2));
    assert_eq!(cpe.cli(&["get"]).status.code(), Some(2));
    cpe.router
        .write(
            "/etc/cwmp-agent/agent.toml",
            "run_dir = \"/x\"\nstate_dri = \"/y\"\n",
        )
        .unwrap();
    for command in ["run", "check", "status"] {
        let out = cpe.cli(&[command]);
        assert_eq!(out.status.code(), Some(2), "{command}");
        let text = stderr(&out);
        assert!(
            text.contains("agent.toml:2: unknown key `state_dri`"),
            "{text}"
        );
    }
}

#[test]
fn check_tells_file_line_and_mend_of_data_model_files() {
    let cpe = Cpe::new("");
    assert!(cpe.ok(&["check"]).contains("good"));
    let vendor = "[\"Device.X_EXAMPLE_Led.\"]\nBrightness = { type = \"unsignedInt\", proc = \"/x\" }\nColour = { typ = \"string\" }\n";
    cpe.router.write("/vendor/led.toml", vendor).unwrap();
    let file = cpe.router.path("/vendor/led.toml").display().to_string();
    for argument in [&file, &cpe.router.path("/vendor").display().to_string()] {
        let out = cpe.cli(&["check", argument]);
        assert_eq!(out.status.code(), Some(2));
        let text = stderr(&out);
        assert!(text.contains(&format!("{file}:3: ")), "{text}");
    }
    // The daemon stops over it as well, with nothing half loaded.
    cpe.agent_toml(&format!(
        "data_model = [{:?}]",
        cpe.router.path("/vendor").display().to_string()
    ));
    let out = cpe.cli(&["run"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("led.toml:3: "), "{}", stderr(&out));
    cpe.agent_toml("# Ours.\ndata_model = [\"/no/such\"]");
    for command in ["run", "check"] {
        let out = cpe.cli(&[command]);
        assert_eq!(out.status.code(), Some(2));
        let said = stderr(&out);
        assert!(
            said.contains("agent.toml:2: /no/such is no directory"),
            "{said}"
        );
    }
}

#[test]
fn every_shipped_file_passes_check() {
    let data_model = cpe::repository("data-model");
    let cpe = Cpe::new("");
    cpe.ok(&["check", data_model.to_str().unwrap()]);
    for entry in std::fs::read_dir(&data_model).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            cpe.ok(&["check", path.to_str().unwrap()]);
        }
    }
    for file in [
        "init/openwrt/etc/cwmp-agent/agent.toml",
        "init/systemd/agent.toml",
    ] {
        cpe.ok(&["check", cpe::repository(file).to_str().unwrap()]);
    }
}

#[test]
fn packages_that_cannot_be_are_an_error_of_agent_toml() {
    let cpe = Cpe::new("");
    let path = "/etc/cwmp-agent/agent.toml";
    for bad in ["net work", "../network", "", "network.conf"] {
        let text = format!("[apply]\npackages = [\"network\", {bad:?}]\n");
        cpe.router.write(path, &text).unwrap();
        let out = cpe.cli(&["check"]);
        assert_eq!(out.status.code(), Some(2), "{bad}");
        let said = stderr(&out) + &String::from_utf8_lossy(&out.stdout);
        assert!(
            said.contains("agent.toml:2: ") && said.contains("write names"),
            "{said}"
        );
    }
    cpe.router
        .write(path, "[apply]\npackages = [\"my-own_1\"]\n")
        .unwrap();
    cpe.ok(&["check"]);
}

#[test]
fn a_broken_uci_file_takes_only_its_own_parameters_away() {
    let cpe = Cpe::new("");
    cpe.router
        .write(
            "/etc/config/wireless",
            "config wifi-device radio0\n\toption 'open\n",
        )
        .unwrap();
    let out = cpe.cli(&["get", "Device.Time.Enable"]);
    assert!(out.status.success());
    let all = cpe.ok(&["get", "Device."]);
    assert!(!all.contains("Device.WiFi.SSID.1.SSID="), "{all}");
    assert!(all.contains("Device.Time.Enable="));
    let out = cpe.cli(&["get", "Device.WiFi.SSID.1.SSID"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("9002"), "{}", stderr(&out));
    assert!(stderr(&out).contains("line 2"), "{}", stderr(&out));
    let status: serde_json::Value = serde_json::from_str(&cpe.ok(&["status", "--json"])).unwrap();
    assert!(status["sources_in_trouble"].is_array(), "{status}");
}

#[test]
fn a_broken_settings_file_leaves_the_last_good_copy_in_force() {
    let cpe = Cpe::new("http://127.0.0.1:9/");
    cpe.ok(&["status"]);
    cpe.router
        .write(
            "/etc/config/cwmp",
            "config acs 'acs'\n\toption url 'broken\n",
        )
        .unwrap();
    let status: serde_json::Value = serde_json::from_str(&cpe.ok(&["status", "--json"])).unwrap();
    assert_eq!(status["acs_url"], "http://127.0.0.1:9/");
    assert!(
        status["configuration_trouble"]
            .as_str()
            .unwrap()
            .contains("/etc/config/cwmp")
    );
}

#[test]
fn recover_says_what_it_found() {
    let cpe = Cpe::new("");
    assert_eq!(cpe.ok(&["recover"]), "nothing to recover\n");
}

#[test]
fn inform_without_a_daemon_says_so() {
    let cpe = Cpe::new("http://127.0.0.1:9/");
    let out = cpe.cli(&["inform"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("cwmp-agent run"), "{}", stderr(&out));
}

#[test]
fn instance_numbers_stay_when_others_reorder_and_edit_the_file() {
    let cpe = Cpe::new("");
    let table = |cpe: &Cpe| -> Vec<String> {
        cpe.ok(&["get", "Device.NAT.PortMapping."])
            .lines()
            .filter(|l| l.contains(".Description="))
            .map(str::to_owned)
            .collect()
    };
    let before = table(&cpe);
    assert!(
        before.len() >= 2,
        "the sample router has forwards: {before:?}"
    );
    // Another program moves the first redirect to the end of the file.
    let text = cpe.router.read("/etc/config/firewall").unwrap();
    let start = text.find("config redirect").expect("a redirect");
    let end = text[start + 1..]
        .find("\nconfig ")
        .map_or(text.len(), |i| start + 1 + i + 1);
    let moved = format!("{}{}\n{}", &text[..start], &text[end..], &text[start..end]);
    cpe.router.write("/etc/config/firewall", &moved).unwrap();
    let mut after = table(&cpe);
    let mut sorted = before.clone();
    sorted.sort();
    after.sort();
    assert_eq!(after, sorted);
    // Reading wrote nothing into the file.
    assert_eq!(cpe.router.read("/etc/config/firewall").unwrap(), moved);
}

#[test]
fn settings_that_others_may_read_are_warned_of_at_the_check_and_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let cpe = Cpe::new("");
    let warning = "/etc/config/cwmp has mode 0644 and holds passwords; chmod 600 ";
    assert!(!cpe.ok(&["check"]).contains("has mode"));
    let settings = cpe.router.path("/etc/config/cwmp");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let said = cpe.ok(&["check"]);
    assert!(
        said.contains(&format!("{warning}{}", settings.display())),
        "{said}"
    );
    let out = cpe.cli(&["run", "--once"]);
    assert!(stderr(&out).contains(warning), "{}", stderr(&out));
}

#[test]
fn check_names_file_line_and_mend_of_every_kind_of_file() {
    let cpe = Cpe::new("");
    let native = "[\"Device.X_EXAMPLE_Led.\"]\nOn = { type = \"boolean\", native = \"no_such\" }\n";
    cpe.router.write("/vendor/led.toml", native).unwrap();
    let led = cpe.router.path("/vendor/led.toml").display().to_string();
    let agent = cpe.router.path("/vendor/agent.toml").display().to_string();
    let text = |args: &[&str]| {
        let out = cpe.cli(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        stderr(&out)
    };
    let said = text(&["check", &led]);
    assert!(
        said.contains(&format!("{led}:2: ")) && said.contains("no_such"),
        "{said}"
    );
    for (toml, line, mend) in [
        ("[[download]]\n", 1, "write file_type"),
        ("state_dir = \"/a\"\nstate_dir = \"/b\"\n", 2, "keep one"),
        ("[platform]\nreboot = \"x\"\n", 2, "as a list"),
    ] {
        cpe.router.write("/vendor/agent.toml", toml).unwrap();
        let said = text(&["check", &agent]);
        assert!(said.starts_with(&format!("{agent}:{line}: ")), "{said}");
        assert!(said.contains(mend), "{said}");
    }
    std::fs::write(&led, b"\xff\xfe").unwrap();
    assert!(text(&["check", &led]).contains("write it in UTF-8"));
    cpe.router
        .write("/etc/config/cwmp", "\nconfig acs 'acs\n")
        .unwrap();
    let said = text(&["check"]);
    assert!(said.contains("/etc/config/cwmp:2: "), "{said}");
}

// T-SPV-009 (of the ACS's own address: a bad one would be the last session)
#[test]
fn an_acs_url_that_no_session_could_use_is_refused() {
    let cpe = Cpe::new("");
    for url in ["ftp://acs.example/", "http://", "http://u:p@acs.example/"] {
        let out = cpe.cli(&["set", &format!("Device.ManagementServer.URL={url}")]);
        assert_eq!(out.status.code(), Some(1), "{url}");
        assert!(stderr(&out).contains("URL: 9007 "), "{}", stderr(&out));
    }
    for url in [
        "HTTPS://acs.example",
        "http://[2001:db8::1]:7547/?k=a@b",
        "",
    ] {
        cpe.ok(&["set", &format!("Device.ManagementServer.URL={url}")]);
    }
}

#[test]
fn an_empty_root_is_a_router_too() {
    let root = std::env::temp_dir().join(format!("cwmp-empty-{}", std::process::id()));
    std::fs::create_dir(&root).expect("a folder");
    let run = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_cwmp-agent"))
            .args(args)
            .arg("--root")
            .arg(&root)
            .output()
            .expect("the program")
    };
    let url = "Device.ManagementServer.URL";
    let set = run(&["set", &format!("{url}=http://127.0.0.1:9/")]);
    let got = run(&["get", url]);
    let file = std::fs::metadata(root.join("etc/config/cwmp"));
    std::fs::remove_dir_all(&root).expect("the folder goes");
    assert!(set.status.success(), "{}", stderr(&set));
    assert_eq!(
        String::from_utf8_lossy(&got.stdout),
        format!("{url}=http://127.0.0.1:9/\n")
    );
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(file.expect("the file").permissions().mode() & 0o777, 0o600);
}
