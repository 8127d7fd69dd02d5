//! What `run` gives up, what is left to the programs that it starts, and who may read what it
//! writes: what docs/privileges.md says, held against the kernel's words.

mod transfer_rig;

use nix::sys::stat::{Mode, umask};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use transfer_rig::acs::*;
use transfer_rig::cpe::Cpe;
use transfer_rig::files::{Served, Trick};
use transfer_rig::*;

const PAGE: &str = include_str!("../docs/privileges.md");

/// Whether the test runs as root. Where it does not there are no capabilities to look at.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: capabilities are root's, and this is not root");
    }
    root
}

/// The worst that a service manager may leave: what a file's creator does not forbid is allowed.
/// The same for all tests here, they share a process.
fn no_mask() {
    umask(Mode::empty());
}

/// `Name:\tvalue` lines.
fn fields(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn status_of(pid: &str) -> BTreeMap<String, String> {
    fields(&std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process"))
}

fn set(status: &BTreeMap<String, String>, name: &str) -> u64 {
    u64::from_str_radix(&status[name], 16).expect("a set")
}

/// Numbers of capabilities (linux/capability.h), for those that the page names.
const NUMBERS: &[(&str, u32)] = &[
    ("CAP_CHOWN", 0),
    ("CAP_DAC_OVERRIDE", 1),
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_FOWNER", 3),
    ("CAP_FSETID", 4),
    ("CAP_KILL", 5),
    ("CAP_SETGID", 6),
    ("CAP_SETUID", 7),
    ("CAP_NET_BIND_SERVICE", 10),
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_MODULE", 16),
    ("CAP_SYS_CHROOT", 18),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_BOOT", 22),
    ("CAP_SYS_RESOURCE", 24),
    ("CAP_SYS_TIME", 25),
    ("CAP_MKNOD", 27),
];

fn bit(name: &str) -> u64 {
    let number = NUMBERS.iter().find(|(known, _)| *known == name);
    1 << number
        .unwrap_or_else(|| panic!("{name} has no number here"))
        .1
}

/// What the page's table gives to the agent, and to the programs.
fn of_page() -> (u64, u64) {
    let rows = PAGE
        .lines()
        .skip_while(|line| *line != "| capability | agent | for |")
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let (mut agent, mut programs) = (0, 0);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let bit = bit(cells[0].trim_matches('`'));
        programs |= bit;
        if cells[1] == "yes" {
            agent |= bit;
        }
    }
    assert!(agent.count_ones() >= 5 && programs.count_ones() > agent.count_ones());
    (agent, programs)
}

/// A router whose reload tells what it may do, and does what `body` says.
fn cpe(body: &str, more: &str) -> Cpe {
    no_mask();
    let cpe = Cpe::new("");
    cpe.without_listener();
    cpe.agent_toml(more);
    let tell =
        "cat /proc/self/status >\"$CWMP_ROOT/tmp/child.new\"\n(ulimit -c) >\"$CWMP_ROOT/tmp/core\"";
    cpe.script(
        "apply",
        &format!("{tell}\n{body}\nmv \"$CWMP_ROOT/tmp/child.new\" \"$CWMP_ROOT/tmp/child\""),
    );
    cpe
}

/// Has a service reloaded; what the program that does it may do.
fn reloaded(cpe: &Cpe) -> BTreeMap<String, String> {
    cpe.ok(&["set", "Device.Time.NTPServer1=privileges.example"]);
    fields(&cpe.wait_file("/tmp/child"))
}

#[test]
fn the_daemon_keeps_what_its_page_says_in_every_thread() {
    let mut cpe = cpe("", "");
    cpe.start();
    reloaded(&cpe);
    let own = status_of("self");
    let (agent, programs) = of_page();
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", cpe.pid())).expect("threads") {
        let task = task.expect("a thread").file_name();
        let status = status_of(task.to_str().expect("a number"));
        threads += 1;
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Umask"], "0022");
        if root() {
            assert_eq!(set(&status, "CapEff"), agent & set(&own, "CapPrm"));
            assert_eq!(set(&status, "CapPrm"), programs & set(&own, "CapPrm"));
            assert_eq!(set(&status, "CapBnd"), programs & set(&own, "CapBnd"));
            assert_eq!(set(&status, "CapInh") | set(&status, "CapAmb"), 0);
        }
    }
    assert!(threads >= 3, "{threads} threads");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", cpe.pid())).expect("limits");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name));
        let words = line.expect("a limit")[name.len()..].split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max core file size")[..2], ["0", "0"]);
    let files: u64 = limit("Max open files")[0].parse().expect("a number");
    assert!(files <= 1024, "{files}");
    assert!(!cpe.log().contains("more rights"), "{}", cpe.log());
    assert!(cpe.stop().success());
}

#[test]
fn the_memory_of_the_daemon_cannot_be_dumped() {
    if !root() {
        return;
    }
    let mut cpe = cpe("", "");
    cpe.start();
    // Without CAP_SYS_PTRACE even root may not look into a process that is not dumpable. (The
    // daemon's own rights are fewer than those of whoever looks.)
    let file = format!("/proc/{}/fd/0", cpe.pid());
    let looked = std::process::Command::new("setpriv")
        .args(["--bounding-set=-sys_ptrace", "readlink", &file])
        .output();
    match looked {
        Ok(out) if String::from_utf8_lossy(&out.stderr).contains("setpriv:") => {
            println!("skipped: {}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(out) => assert!(!out.status.success() && out.stdout.is_empty()),
        Err(e) => println!("skipped: setpriv (util-linux): {e}"),
    }
    assert!(cpe.stop().success());
}

/// What a body of the reload's script leaves in a file, and whether a capability that it needs
/// is there at all.
struct Deed {
    name: &'static str,
    needs: &'static str,
    script: &'static str,
}

const DEEDS: &[Deed] = &[
    Deed {
        name: "owner and set-id bits, as a package manager",
        needs: "CAP_CHOWN",
        script: "touch $D/a && chown 1234:1235 $D/a && chmod 6755 $D/a && [ \"$(stat -c %u:%g:%a $D/a)\" = 1234:1235:6755 ]",
    },
    Deed {
        name: "a file of others without any right",
        needs: "CAP_DAC_OVERRIDE",
        script: "touch $D/b && chown 1234 $D/b && chmod 0 $D/b && echo x >>$D/b && cat $D/b",
    },
    Deed {
        name: "files that all may read",
        needs: "CAP_CHOWN",
        script: "touch $D/c && mkdir $D/d && [ \"$(stat -c %a $D/c $D/d | tr '\\n' ' ')\" = '644 755 ' ]",
    },
    Deed {
        name: "a mount, as sysupgrade",
        needs: "CAP_SYS_ADMIN",
        script: "mkdir -p $D/m && unshare -m sh -c \"mount -t tmpfs none $D/m && touch $D/m/x && umount $D/m\" && [ ! -e $D/m/x ]",
    },
    Deed {
        name: "a device",
        needs: "CAP_MKNOD",
        script: "mknod $D/null c 1 3",
    },
    Deed {
        name: "another root, as apk",
        needs: "CAP_SYS_CHROOT",
        script: "chroot / true",
    },
    Deed {
        name: "another user",
        needs: "CAP_SETUID",
        script: "setpriv --reuid=1234 --clear-groups true",
    },
    Deed {
        name: "ending a process of another user",
        needs: "CAP_KILL",
        script: "setpriv --reuid=1234 --clear-groups sleep 60 & sleep 0.2; kill $!",
    },
    Deed {
        name: "the network, as a reload of the firewall",
        needs: "CAP_NET_ADMIN",
        script: "unshare -n sh -c 'ip link set lo up 2>/dev/null || ifconfig lo up'",
    },
];

#[test]
fn a_program_of_the_daemon_can_do_what_sysupgrade_opkg_and_reloads_do() {
    if !root() {
        return;
    }
    let have = set(&status_of("self"), "CapPrm");
    let mut body =
        String::from("D=\"$CWMP_ROOT/tmp/deeds\"; mkdir \"$D\"; R=\"$CWMP_ROOT/tmp/done\"\n");
    for (nth, deed) in DEEDS.iter().enumerate() {
        let script = deed.script;
        body.push_str(&format!(
            "if ( {script} ) >$D/out 2>&1; then echo {nth} ok; else echo {nth} $(cat $D/out); fi >>\"$R\"\n"
        ));
    }
    let mut cpe = cpe(&body, "");
    cpe.start();
    let child = reloaded(&cpe);
    let (_, programs) = of_page();
    for name in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(set(&child, name), programs & have, "{name}");
    }
    assert_eq!(
        (child["Umask"].as_str(), child["NoNewPrivs"].as_str()),
        ("0022", "1")
    );
    assert_eq!(cpe.wait_file("/tmp/core").trim(), "0");
    let done = cpe.wait_file("/tmp/done");
    for (nth, deed) in DEEDS.iter().enumerate() {
        let said = done
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{nth} ")));
        let said = said.unwrap_or_else(|| panic!("nothing of {}", deed.name));
        let here = have & bit(deed.needs) != 0 && !said.contains("not found");
        if here {
            assert_eq!(said, "ok", "{}", deed.name);
        } else {
            println!(
                "skipped: {} ({said}); {} is not here",
                deed.name, deed.needs
            );
        }
    }
    assert!(cpe.stop().success());
}

#[cfg(feature = "software-modules")]
#[test]
fn a_package_manager_may_load_modules_of_the_kernel() {
    if !root() {
        return;
    }
    let have = set(&status_of("self"), "CapPrm");
    let (_, programs) = of_page();
    let more = "[[software_modules]]\nname = \"packages\"\nkind = \"opkg\"\n";
    let mut with_packages = cpe("", more);
    with_packages.start();
    let child = reloaded(&with_packages);
    assert_eq!(
        set(&child, "CapBnd"),
        (programs | bit("CAP_SYS_MODULE")) & have
    );
    assert!(with_packages.stop().success());
}

#[test]
fn what_the_firmware_builder_names_is_what_programs_have() {
    if !root() {
        return;
    }
    let have = set(&status_of("self"), "CapPrm");
    let (agent, _) = of_page();
    // The example of the page.
    let example = PAGE.split("```toml\n").nth(1).expect("an example");
    let line = example.lines().nth(1).expect("its line");
    let mut few = cpe("", "");
    let toml = few.router.read("/etc/cwmp-agent/agent.toml").expect("it");
    let toml = toml.replace("[platform]", &format!("[platform]\n{line}"));
    few.router
        .write("/etc/cwmp-agent/agent.toml", &toml)
        .expect("it");
    few.ok(&["check"]);
    few.start();
    let child = reloaded(&few);
    let named = bit("CAP_NET_ADMIN") | bit("CAP_SYS_ADMIN") | bit("CAP_SYS_BOOT");
    assert_eq!(set(&child, "CapPrm"), (agent | named) & have);
    assert!(few.stop().success());
}

#[test]
fn a_name_that_is_no_capability_is_an_error_of_agent_toml() {
    let cpe = Cpe::new("");
    for bad in [
        "[\"NET_ADMIN\"]",
        "[\"CAP_EVERYTHING\"]",
        "\"CAP_KILL\"",
        "[1]",
    ] {
        let path = "/etc/cwmp-agent/agent.toml";
        let text = format!("[platform]\ncapabilities = {bad}\n");
        cpe.router.write(path, &text).expect("it");
        let out = cpe.cli(&["check"]);
        let said = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{bad}: {said}");
        assert!(
            said.contains("agent.toml:2: ") && said.contains("write "),
            "{said}"
        );
    }
}

#[test]
fn commands_of_a_person_give_up_nothing() {
    let cpe = cpe("", "");
    let child = reloaded(&cpe);
    let own = status_of("self");
    for name in ["CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Umask"] {
        assert_eq!(child[name], own[name], "{name}");
    }
    // `run --once` is the daemon's, if only for a moment.
    std::fs::remove_file(cpe.router.path("/tmp/child")).expect("it");
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    cpe.option("url", &acs.url());
    let one = [("Device.Time.NTPServer1", "string", "once.example")];
    acs.push_session(Script::of([set_values(&one, "once")]));
    cpe.ok(&["run", "--once"]);
    assert_eq!(fields(&cpe.wait_file("/tmp/child"))["NoNewPrivs"], "1");
}

/// What others may do with what lies here: each path with its mode.
fn open_to_others(folder: &Path, found: &mut Vec<(PathBuf, u32)>) -> u32 {
    let mut seen = 0;
    let mode = |path: &Path| {
        path.symlink_metadata()
            .map(|m| m.permissions().mode() & 0o7777)
    };
    if let Ok(mode) = mode(folder)
        && mode != 0o700
    {
        found.push((folder.to_owned(), mode));
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            seen += open_to_others(&path, found);
        } else if let Ok(mode) = mode(&path) {
            seen += 1;
            if mode != 0o600 {
                found.push((path, mode));
            }
        }
    }
    seen
}

// T-SEC-009
#[test]
fn nothing_that_the_agent_keeps_is_for_others_to_read() {
    no_mask();
    let mut rig = Rig::new();
    let places = [
        "/etc/cwmp-agent/state",
        "/var/run/cwmp-agent",
        "/tmp/cwmp-agent",
    ];
    let places = places.map(|place| rig.cpe.router.path(place));
    let closed = |rig: &Rig, when: &str, least: [u32; 3]| {
        for (place, least) in places.iter().zip(least) {
            let mut found = Vec::new();
            let seen = open_to_others(place, &mut found);
            assert!(found.is_empty(), "{when}: {found:?}");
            assert!(
                seen >= least,
                "{when}: {seen} in {place:?}\n{}",
                rig.cpe.log()
            );
        }
    };
    closed(&rig, "after the first session", [4, 1, 0]);
    // A file on its way, and one that is being applied.
    let stuck = Served::pattern(100_000).next(Trick::Stall(1000));
    let transfer = rig.file("/f", stuck, "slow");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe.wait_status(|s| s["transfers"][0]["done"] == 1000);
    closed(&rig, "a file on its way", [5, 1, 1]);
    rig.cpe.ok(&["cancel", "slow"]);
    rig.cpe.router.write("/tmp/hold", "").expect("it");
    let transfer = rig.file("/g", Served::bytes("content"), "held");
    rig.ask(Script::of([download(&transfer)]));
    rig.cpe
        .wait_status(|s| s["transfers"][0]["stage"] == "applying");
    closed(&rig, "a file that is applied", [5, 1, 1]);
    std::fs::remove_file(rig.cpe.router.path("/tmp/hold")).expect("it");
    rig.next();
    // A configuration with all that it holds goes out.
    let mut up = rig.file("/up", Served::nothing().next(Trick::Status(503)), "up");
    up.file_type = "1 Vendor Configuration File".to_owned();
    rig.transferred(upload(&up));
    closed(&rig, "a configuration sent", [5, 1, 0]);
    // The settings keep their mode through a Set of the ACS; so does what others may read.
    let mode = |path: &str| {
        let metadata = std::fs::metadata(rig.cpe.router.path(path)).expect("a file");
        metadata.permissions().mode() & 0o7777
    };
    let own = PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(rig.cpe.router.path("/etc/config/cwmp"), own).expect("a mode");
    let before = [0o600, mode("/etc/config/system")];
    rig.cpe.ok(&[
        "set",
        "Device.ManagementServer.Password=new",
        "Device.Time.NTPServer1=x.example",
    ]);
    assert_eq!(
        [mode("/etc/config/cwmp"), mode("/etc/config/system")],
        before
    );
    closed(&rig, "after a Set", [5, 1, 0]);
    rig.finish();
}
