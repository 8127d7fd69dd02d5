//! The scripts in init/openwrt that other programs of OpenWrt call: those that make an ACS
//! found by DHCP, and ntpd's. Run by a shell, with stand-ins for `uci` and `logger`, and the
//! real program behind them.

mod cpe;

use cpe::{Cpe, repository};
use std::process::Command;

const DEFAULTS: &str = "etc/uci-defaults/95-cwmp-agent";
const UDHCPC: &str = "etc/udhcpc.user.d/cwmp-agent";
const ODHCP6C: &str = "etc/odhcp6c.user.d/cwmp-agent";
const NTP: &str = "etc/hotplug.d/ntp/50-cwmp-agent";
const URL: &str = "Device.ManagementServer.URL";
/// `dslforum.org`, as TR-069 3.1 has a CPE say it.
const NAME: &[u8] = b"dslforum.org";

/// A router with the stand-ins in /bin.
struct Hooks {
    cpe: Cpe,
}

impl Hooks {
    /// `network` is what UCI says: lines of `package.section.option=value`.
    fn new(settings: &str) -> Hooks {
        let cpe = Cpe::new("");
        cpe.router.write("/tmp/uci", settings).expect("settings");
        let store = cpe.router.path("/tmp/uci").display().to_string();
        cpe.script(
            "uci",
            &format!(
                "[ \"$1\" = -q ] && shift\n\
                 case \"$1\" in\n\
                 get) sed -n \"s/^$2=//p\" {store} | tail -n 1 | grep . ;;\n\
                 set) echo \"$2\" >>{store} ;;\n\
                 commit) echo \"$2\" >>{store}.committed ;;\n\
                 esac"
            ),
        );
        cpe.script("logger", "exec cat >>\"$(dirname \"$0\")/../tmp/logged\"");
        let program = env!("CARGO_BIN_EXE_cwmp-agent");
        let root = cpe.router.root().display().to_string();
        cpe.script("agent", &format!("exec {program} \"$@\" --root {root}"));
        Hooks { cpe }
    }

    /// Runs a script as netifd's does: sourced, with arguments and variables, and waits for
    /// what it leaves in the background.
    fn run(&self, script: &str, args: &[&str], variables: &[(&str, &str)]) {
        let text = std::fs::read_to_string(repository(&format!("init/openwrt/{script}")))
            .expect("the script");
        let agent = self.cpe.router.path("/bin/agent").display().to_string();
        let settings = self
            .cpe
            .router
            .path("/etc/config/cwmp")
            .display()
            .to_string();
        let run = self.cpe.router.path("/var/run").display().to_string();
        let text = text
            .replace("/usr/sbin/cwmp-agent", &agent)
            .replace("/var/run", &run)
            .replace("/etc/config/cwmp", &settings);
        let copy = self.cpe.router.path("/tmp/hook");
        std::fs::write(&copy, text).expect("a copy");
        let path = self.cpe.router.path("/bin").display().to_string();
        // The router's own shell, where this machine has it.
        let ash = Command::new("busybox").args(["ash", "-c", ":"]).output();
        let shell: &[&str] = match ash {
            Ok(out) if out.status.success() => &["busybox", "ash"],
            _ => &["/bin/sh"],
        };
        let done = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", ". \"$0\"; wait"])
            .arg(&copy)
            .args(args)
            .env("PATH", format!("{path}:/usr/bin:/bin"))
            .envs(variables.iter().copied())
            .status()
            .expect("a shell");
        assert!(done.success(), "{script} {args:?}");
    }

    fn uci(&self, option: &str) -> Option<String> {
        let all = self.cpe.router.read("/tmp/uci").expect("settings");
        let lines = all.lines().rev();
        let mut values = lines.filter_map(|line| line.split_once('='));
        let found = values.find(|(name, _)| *name == option);
        found.map(|(_, value)| value.to_owned())
    }
}

fn octets(hex: &str) -> Vec<u8> {
    cwmp_agent::wake::dhcp::octets(hex).expect("hexadecimal digits")
}

const BOTH: &str = "network.wan.proto=dhcp\nnetwork.wan6.proto=dhcpv6\n";

// T-DSC-001
#[test]
fn the_dhcp_clients_say_dslforum_org_and_ask_for_the_acs() {
    let hooks = Hooks::new(BOTH);
    hooks.run(DEFAULTS, &[], &[]);
    let vendor = hooks.uci("network.wan.vendorid");
    assert_eq!(vendor.as_deref(), Some("dslforum.org"));
    assert_eq!(hooks.uci("network.wan.reqopts").as_deref(), Some("43 125"));
    assert_eq!(hooks.uci("network.wan6.reqopts").as_deref(), Some("17"));
    // DHCPv6 option 16: enterprise 3561, then the length in two octets.
    let class = octets(&hooks.uci("network.wan6.vendorclass").expect("option 16"));
    let (head, name) = class.split_at(6);
    assert_eq!(head, [0, 0, 0x0d, 0xe9, 0, 12]);
    assert_eq!(name, NAME);
    assert!(hooks.cpe.exists("/tmp/uci.committed"));
}

#[test]
fn the_settings_of_a_plain_copy_are_for_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let hooks = Hooks::new("");
    let settings = hooks.cpe.router.path("/etc/config/cwmp");
    let mode = || settings.metadata().expect("settings").permissions().mode() & 0o777;
    std::fs::set_permissions(&settings, PermissionsExt::from_mode(0o644)).expect("a mode");
    hooks.run(DEFAULTS, &[], &[]);
    assert_eq!(mode(), 0o600);
}

// T-DSC-010
#[test]
fn option_124_has_enterprise_3561_and_the_name() {
    let hooks = Hooks::new(BOTH);
    hooks.run(DEFAULTS, &[], &[]);
    let sent = hooks.uci("network.wan.sendopts").expect("options to send");
    let (option, data) = sent.split_once(':').expect("option:octets");
    assert_eq!(option, "124");
    let data = octets(data);
    let (head, name) = data.split_at(5);
    assert_eq!(head, [0, 0, 0x0d, 0xe9, 12]);
    assert_eq!(name, NAME);
}

#[test]
fn what_a_firmware_has_set_for_its_dhcp_client_stays() {
    let hooks = Hooks::new(
        "cwmp.cpe.interface=uplink\nnetwork.uplink.proto=dhcp\nnetwork.uplink.vendorid=isp-box\n\
         network.uplink.reqopts=121 43\nnetwork.uplink.sendopts=77:6162\n",
    );
    hooks.run(DEFAULTS, &[], &[]);
    // A second time adds nothing.
    hooks.run(DEFAULTS, &[], &[]);
    let of = |option: &str| hooks.uci(&format!("network.uplink.{option}"));
    assert_eq!(of("vendorid").as_deref(), Some("isp-box"));
    assert_eq!(of("reqopts").as_deref(), Some("121 43 125"));
    assert_eq!(
        of("sendopts").as_deref(),
        Some("77:6162 124:00000de90c64736c666f72756d2e6f7267")
    );
    assert_eq!(hooks.uci("network.uplink6.reqopts"), None);
    assert_eq!(hooks.uci("network.wan.vendorid"), None);
}

// T-DSC-002, T-DSC-009
#[test]
fn the_hook_of_udhcpc_hands_on_what_the_wan_was_told() {
    let hooks = Hooks::new("network.wan.reqopts=125\n");
    // http://a/ and, in option 125, http://b/
    let opt43 = "0109687474703a2f2f612f";
    let opt125 = "00000de90b0109687474703a2f2f622f";
    let event = |args: &[&str], network: &str, options: &[(&str, &str)]| {
        let mut variables = vec![("INTERFACE", network), ("interface", "eth1")];
        variables.extend(options);
        hooks.run(UDHCPC, args, &variables);
    };
    let both = [("opt43", opt43), ("opt125", opt125)];
    event(&["deconfig"], "wan", &both);
    event(&["bound"], "guest", &both);
    event(&["bound"], "wan", &[]);
    assert!(!hooks.cpe.exists("/tmp/logged"));
    assert_eq!(hooks.cpe.get(URL), "");
    event(&["bound"], "wan", &both);
    assert_eq!(hooks.cpe.get(URL), "http://b/");
    event(&["renew"], "wan", &[("opt43", opt43)]);
    assert_eq!(hooks.cpe.get(URL), "http://a/");
    // The device, where the settings name one.
    let text = "cwmp.cpe.interface=eth1\n";
    hooks.cpe.router.write("/tmp/uci", text).expect("settings");
    event(&["renew"], "wan", &[("opt125", opt125)]);
    assert_eq!(hooks.cpe.get(URL), "http://b/");
    // What is no hexadecimal digit is an argument that the program refuses.
    let trap = hooks.cpe.router.path("/tmp/trap").display().to_string();
    event(
        &["bound"],
        "wan",
        &[(
            "opt43",
            &format!("$(touch {trap}) `touch {trap}`; touch {trap}"),
        )],
    );
    assert!(!hooks.cpe.exists("/tmp/trap"));
    assert_eq!(hooks.cpe.get(URL), "http://b/");
    let logged = hooks.cpe.router.read("/tmp/logged").expect("a log");
    assert!(logged.contains("url=http://a/"), "{logged}");
    assert!(logged.contains("hexadecimal"), "{logged}");
}

// T-DSC-005
#[test]
fn the_hook_of_odhcp6c_hands_on_what_the_wan_was_told() {
    let hooks = Hooks::new("");
    // http://c/
    let option = "00000de900010009687474703a2f2f632f";
    let event = |args: &[&str], network: &str| {
        let variables = [("INTERFACE", network), ("OPTION_17", option)];
        hooks.run(ODHCP6C, args, &variables);
    };
    event(&["eth1", "stopped"], "wan6");
    event(&["eth1", "bound"], "guest6");
    assert_eq!(hooks.cpe.get(URL), "");
    event(&["eth1", "informed"], "wan6");
    assert_eq!(hooks.cpe.get(URL), "http://c/");
}

#[test]
fn the_hook_of_ntpd_keeps_that_the_clock_was_set() {
    for (events, status) in [
        (&[("unsync", "16"), ("stratum", "16")][..], "Unsynchronized"),
        (&[("periodic", "16")], "Unsynchronized"),
        (&[("", "")], "Unsynchronized"),
        (&[("step", "16")], "Synchronized"),
        (&[("stratum", "3")], "Synchronized"),
        (&[("periodic", "2")], "Synchronized"),
        // It was set, and runs on.
        (&[("stratum", "2"), ("unsync", "16")], "Synchronized"),
    ] {
        let hooks = Hooks::new("");
        let marker = hooks.cpe.router.path("/var/run/cwmp-agent.clock");
        std::fs::create_dir_all(marker.parent().expect("a folder")).expect("made");
        for (action, stratum) in events {
            let variables = [("ACTION", *action), ("stratum", *stratum)];
            hooks.run(NTP, &[], &variables);
        }
        assert_eq!(hooks.cpe.get("Device.Time.Status"), status, "{events:?}");
    }
}
