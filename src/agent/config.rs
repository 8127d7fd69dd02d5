//! `/etc/cwmp-agent/agent.toml`: what the firmware builder decides.
//!
//! Every key has a default, so an empty file, or none, works on OpenWrt. Unknown keys
//! are errors with file and line: a typo must not silently change a million routers.
//! This module reads text and never opens a file itself.

mod files;
#[cfg_attr(not(feature = "software-modules"), path = "config/no_software.rs")]
mod software;

pub use files::{Download, Upload, Verify};
pub use software::SoftwareModules;

use crate::notation::table::{self, Table, Value, Wrong, keys};
use crate::platform::privileges::Capabilities;
use crate::store::Root;
use crate::ubus;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the file lies unless `--config` says otherwise, below the root.
pub const DEFAULT_PATH: &str = "/etc/cwmp-agent/agent.toml";
/// Where the data-model files lie unless `data_model` says otherwise, below the root.
pub const DEFAULT_DATA_MODEL: &str = "/usr/share/cwmp-agent/data-model";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Directories of data-model files, in order; files of later ones override earlier
    /// ones. Taken as written (not below the root). `None`: the default directory below
    /// the root or, where that does not exist, the files compiled into the program.
    pub data_model: Option<Vec<PathBuf>>,
    /// What survives power loss and sysupgrade; below the root.
    pub state_dir: String,
    /// Sockets and markers, gone after a reboot; below the root.
    pub run_dir: String,
    pub platform: Platform,
    pub apply: Apply,
    pub download: Vec<Download>,
    pub upload: Vec<Upload>,
    pub software_modules: Vec<SoftwareModules>,
    pub process_backend: Vec<ProcessBackend>,
    pub limits: Limits,
}

/// Commands that act on the box, as argv: no shell is ever involved. Absent ones have
/// OpenWrt's defaults when the root is `/`, and none otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    pub reboot: Option<Vec<String>>,
    /// Puts the box back to its factory state; the reboot follows.
    pub factory_reset: Option<Vec<String>>,
    /// Puts a changed UCI package into force; `{package}` is its name.
    pub apply_config: Option<Vec<String>>,
    /// Has the DHCP client of the network `{interface}` ask its server again.
    pub renew_dhcp: Option<Vec<String>>,
    /// What the programs may use that the agent starts, by the names of capabilities(7). Absent:
    /// what those of OpenWrt need; `docs/privileges.md` has the list.
    pub capabilities: Option<Capabilities>,
    /// Where ubusd listens, below the root; empty: ubus is not used. `None`: where OpenWrt
    /// has it, and only when the root is `/`.
    pub ubus_socket: Option<String>,
}

/// How the agent guards itself against a change of the ACS that cuts the line to the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply {
    /// A change that touches one of `packages` is taken back unless a session with the ACS
    /// succeeds within this time after its reload, or after a boot (off; from 1 s).
    pub confirm_within: Option<Duration>,
    /// Whose changes may cut the line: UCI packages (network, wireless, firewall).
    pub packages: Vec<String>,
}

impl Default for Apply {
    fn default() -> Apply {
        Apply {
            confirm_within: None,
            packages: ["network", "wireless", "firewall"].map(Into::into).to_vec(),
        }
    }
}

impl Apply {
    /// The packages whose changes go on trial; none where that is switched off.
    pub fn on_trial(&self) -> BTreeSet<String> {
        let packages = self.packages.iter().cloned();
        packages.filter(|_| self.confirm_within.is_some()).collect()
    }
}

/// A vendor program that serves parameters. No key is defined yet: programs are not
/// offered as sources by this version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessBackend {}

/// Sizes, counts and times. Times are seconds (`15`, `"15 s"`, `"2 min"`), sizes are
/// bytes (`8388608`, `"8 MiB"`, `"64 KiB"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long all sources together may take for one request of the ACS (15 s).
    pub request_deadline: Duration,
    /// How often watched values are read again at the latest, where nothing tells of their
    /// changes (10 s; from 0.1 s).
    pub watch_interval: Duration,
    /// The largest message taken from, or sent to, the ACS (8 MiB); a larger answer is
    /// fault 9004.
    pub response: u32,
    /// How long to wait for the ACS's reply to a POST (60 s; at least 30 s by TR-069
    /// section 3.7.1.4 unless the firmware builder knows better).
    pub response_wait: Duration,
    /// How long a connection to the ACS may take to come up (20 s).
    pub connect_wait: Duration,
    /// How long no ACS may have been reached before DHCP is asked again for one, and again
    /// after twice as long each time (300 s by TR-069 section 3.1).
    pub rediscovery: Duration,
    /// How long one configured command or `command` source may run (10 s; the commands of
    /// `[platform]` but `renew_dhcp` have 120 s).
    pub command: Duration,
    /// The most bytes taken from a command's output or a text file (256 KiB).
    pub output: u32,
    /// How many accepted connection requests a minute (60); more: 503.
    pub knocks_per_minute: u32,
    /// The first session after a boot comes at a random moment within this time (60 s; 0: at
    /// once), so that an area that gets its power back does not call the ACS as one. One that
    /// tells 0 BOOTSTRAP or the end of something that the ACS asked for does not wait.
    pub first_contact_spread: Duration,
    /// The largest file that is fetched or sent (64 MiB). What is free in the download folder
    /// bounds it, too: a larger one is fault 9010, told at once as 9004 where the ACS says how
    /// large it is.
    pub transfer_size: u32,
    /// How much of the download folder's file system stays free (2 MiB).
    pub keep_free: u32,
    /// How long a file server may send nothing (60 s).
    pub transfer_stall: Duration,
    /// How long one file may take to come or go (1 h).
    pub transfer_time: Duration,
    /// How long the box may take to reboot, once it was told to or a file was applied that makes
    /// it (300 s). Then that transfer has failed, and sessions go on.
    pub reboot_wait: Duration,
    /// How long a command that checks, applies or produces a file may run (10 min).
    pub transfer_command: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_model: None,
            state_dir: "/etc/cwmp-agent/state".into(),
            run_dir: "/var/run/cwmp-agent".into(),
            platform: Platform::default(),
            apply: Apply::default(),
            download: Vec::new(),
            upload: Vec::new(),
            software_modules: Vec::new(),
            process_backend: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_deadline: Duration::from_secs(15),
            watch_interval: Duration::from_secs(10),
            response: 8 << 20,
            response_wait: Duration::from_secs(60),
            connect_wait: Duration::from_secs(20),
            rediscovery: Duration::from_secs(300),
            command: Duration::from_secs(10),
            output: 256 << 10,
            knocks_per_minute: 60,
            first_contact_spread: Duration::from_secs(60),
            transfer_size: 64 << 20,
            keep_free: 2 << 20,
            transfer_stall: Duration::from_secs(60),
            transfer_time: Duration::from_secs(3600),
            reboot_wait: Duration::from_secs(300),
            transfer_command: Duration::from_secs(600),
        }
    }
}

/// What is wrong with an agent.toml, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong; what to write.
    pub what: String,
}

/// The line, from 1, that a key of the file's first level stands on.
pub(super) fn line_of(key: &str, text: &str) -> usize {
    let is_there = |line: &str| line.trim_start().starts_with(key);
    text.lines().position(is_there).map_or(1, |i| i + 1)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// What the programs may use that the agent starts: what `[platform]` says, else what those
    /// of OpenWrt need, and the package manager where there is one.
    pub fn capabilities(&self, root: &Root) -> Capabilities {
        let usual = || match software::manage_packages(&self.software_modules, root) {
            true => Capabilities::of_commands().and(Capabilities::of_packages()),
            false => Capabilities::of_commands(),
        };
        self.platform.capabilities.unwrap_or_else(usual)
    }

    /// Reads the text of the file called `file` (the name is for messages only).
    pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        table::parse(text, &mut |table| config.read(table)).map_err(|wrong| ConfigError {
            file: file.to_owned(),
            line: wrong.line(text),
            what: wrong.what,
        })?;
        config.check(file, text)?;
        Ok(config)
    }

    fn read(&mut self, table: &Table<'_>) -> Result<(), Wrong> {
        keys!(table, {
            "data_model" => self.data_model, paths;
            "state_dir" => self.state_dir, Value::text;
            "run_dir" => self.run_dir, Value::text;
            "platform" => self.platform, Platform::read;
            "apply" => self.apply, Apply::read;
            "download" => self.download, Download::all;
            "upload" => self.upload, Upload::all;
            "software_modules" => self.software_modules, SoftwareModules::all;
            "process_backend" => self.process_backend, ProcessBackend::all;
            "limits" => self.limits, Limits::read;
        })
    }

    fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let at = |key: &str, what: String| ConfigError {
            file: file.to_owned(),
            line: line_of(key, text),
            what,
        };
        for (key, dir) in [("state_dir", &self.state_dir), ("run_dir", &self.run_dir)] {
            if !dir.starts_with('/') || dir.split('/').any(|p| p == "..") {
                return Err(at(
                    key,
                    format!("{key} is {dir:?}; write an absolute path without `..`"),
                ));
            }
        }
        let mut packages = self.apply.packages.iter();
        if let Some(bad) = packages.find(|name| !crate::uci::valid_package(name)) {
            let what = format!(
                "{bad:?} cannot be the name of a UCI package; write names of files in /etc/config, such as \"network\""
            );
            return Err(at("packages", what));
        }
        if let Some(socket) = self.platform.ubus_socket.as_deref()
            && !socket.is_empty()
        {
            let is_path = socket.starts_with('/')
                && !socket.contains('\0')
                && !socket.split('/').any(|p| p == "..");
            if !is_path || socket.len() > ubus::LONGEST_PATH {
                return Err(at(
                    "ubus_socket",
                    format!(
                        "ubus_socket is {socket:?}; write an absolute path without `..` of at most {} bytes, or \"\" to do without ubus",
                        ubus::LONGEST_PATH
                    ),
                ));
            }
        }
        files::check(&self.download, &self.upload).map_err(|(table, nth, what)| {
            let heads = text.lines().enumerate();
            let mut heads = heads.filter(|(_, l)| l.trim_start().starts_with(table));
            ConfigError {
                file: file.to_owned(),
                line: heads.nth(nth).map_or(1, |(i, _)| i + 1),
                what,
            }
        })?;
        software::check(&self.software_modules).map_err(|(nth, what)| {
            let heads = text.lines().enumerate();
            let mut heads =
                heads.filter(|(_, l)| l.trim_start().starts_with("[[software_modules]]"));
            ConfigError {
                file: file.to_owned(),
                line: heads.nth(nth).map_or(1, |(i, _)| i + 1),
                what,
            }
        })?;
        Ok(())
    }
}

impl Platform {
    fn read(value: &Value<'_>) -> Result<Platform, Wrong> {
        let mut read = Platform::default();
        value.table(&mut |table| {
            keys!(table, {
                "reboot" => read.reboot, argv;
                "factory_reset" => read.factory_reset, argv;
                "apply_config" => read.apply_config, argv;
                "renew_dhcp" => read.renew_dhcp, argv;
                "capabilities" => read.capabilities, capabilities;
                "ubus_socket" => read.ubus_socket, Value::some_text;
            })
        })?;
        Ok(read)
    }
}

impl Apply {
    fn read(value: &Value<'_>) -> Result<Apply, Wrong> {
        let mut read = Apply::default();
        value.table(&mut |table| {
            keys!(table, {
                "confirm_within" => read.confirm_within, maybe_seconds;
                "packages" => read.packages, Value::texts;
            })
        })?;
        Ok(read)
    }
}

impl ProcessBackend {
    fn all(value: &Value<'_>) -> Result<Vec<ProcessBackend>, Wrong> {
        let mut all = Vec::new();
        value.tables(&mut |table| {
            all.push(ProcessBackend {});
            table.each(&[], &mut |_, _| Ok(()))
        })?;
        Ok(all)
    }
}

impl Limits {
    fn read(value: &Value<'_>) -> Result<Limits, Wrong> {
        let mut read = Limits::default();
        value.table(&mut |table| {
            keys!(table, {
                "request_deadline" => read.request_deadline, seconds;
                "watch_interval" => read.watch_interval, interval;
                "response" => read.response, bytes;
                "response_wait" => read.response_wait, seconds;
                "connect_wait" => read.connect_wait, seconds;
                "rediscovery" => read.rediscovery, seconds;
                "command" => read.command, seconds;
                "output" => read.output, bytes;
                "knocks_per_minute" => read.knocks_per_minute, Value::count;
                "first_contact_spread" => read.first_contact_spread, spread;
                "transfer_size" => read.transfer_size, file_size;
                "keep_free" => read.keep_free, file_size;
                "transfer_stall" => read.transfer_stall, seconds;
                "transfer_time" => read.transfer_time, seconds;
                "reboot_wait" => read.reboot_wait, seconds;
                "transfer_command" => read.transfer_command, seconds;
            })
        })?;
        Ok(read)
    }
}

fn paths(value: &Value<'_>) -> Result<Option<Vec<PathBuf>>, Wrong> {
    let paths = value.texts()?;
    Ok(Some(paths.into_iter().map(PathBuf::from).collect()))
}

fn capabilities(value: &Value<'_>) -> Result<Option<Capabilities>, Wrong> {
    let names = value.texts().map_err(|_| {
        value.wrong("no list of texts; write names in quotes: [\"CAP_NET_ADMIN\"]".to_owned())
    })?;
    let named = Capabilities::named(names.iter().map(String::as_str));
    named.map(Some).map_err(|name| {
        value.wrong(format!(
            "no capability is called {name:?}; write names as in capabilities(7): [\"CAP_NET_ADMIN\"]"
        ))
    })
}

fn argv(value: &Value<'_>) -> Result<Option<Vec<String>>, Wrong> {
    let argv = value.texts().map_err(|_| {
        value.wrong(
            "no list of texts; write the program and its arguments as a list: [\"/sbin/reboot\"]"
                .to_owned(),
        )
    })?;
    match argv.first() {
        Some(program) if program.starts_with('/') && !argv.iter().any(|a| a.contains('\0')) => {
            Ok(Some(argv))
        }
        Some(program) => Err(value.wrong(format!(
            "the program {program:?} has no absolute path; write it as [\"/sbin/reboot\"]"
        ))),
        None => Err(value.wrong(
            "an empty command; write the program and its arguments, or take the key out".to_owned(),
        )),
    }
}

/// A number, or a text of a number and a unit, from `least` to `most`. `one` is the unit of
/// what is out of range, for its message; `plain` the factor of a number without a unit.
struct Amount<'a> {
    units: &'a [(&'a str, u64)],
    plain: u64,
    least: u64,
    most: u64,
    one: &'a str,
    kind: &'a str,
    help: &'a str,
}

impl Amount<'_> {
    fn read(&self, value: &Value<'_>) -> Result<u64, Wrong> {
        let help = self.help;
        let amount = match (value.number(), value.text()) {
            (Some(n), _) => n.checked_mul(self.plain).ok_or_else(|| n.to_string()),
            (None, Ok(text)) => self.parse(text.trim()).ok_or(text),
            (None, Err(_)) => return Err(value.wrong(format!("{}; write {help}", self.kind))),
        };
        match amount {
            Ok(n) if (self.least..=self.most).contains(&n) => Ok(n),
            Ok(n) => Err(value.wrong(format!("{n} {} is out of range; write {help}", self.one))),
            Err(text) => {
                let text = text.trim();
                Err(value.wrong(format!("{text:?} is no amount; write {help}")))
            }
        }
    }

    fn parse(&self, text: &str) -> Option<u64> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text.get(digits.len()..).unwrap_or("").trim();
        let factor = self.units.iter().find(|(name, _)| *name == unit);
        digits.parse::<u64>().ok()?.checked_mul(factor?.1)
    }
}

const SECONDS: &[(&str, u64)] = &[("", 1), ("s", 1), ("min", 60), ("h", 3600)];

fn time(value: &Value<'_>, least: u64, help: &str) -> Result<Duration, Wrong> {
    let amount = Amount {
        units: SECONDS,
        plain: 1,
        least,
        most: 86_400,
        one: "s",
        kind: "not an amount of time",
        help,
    };
    amount.read(value).map(Duration::from_secs)
}

fn seconds(value: &Value<'_>) -> Result<Duration, Wrong> {
    time(value, 1, "seconds, such as 15 or \"15 s\", from 1 to 86400")
}

fn maybe_seconds(value: &Value<'_>) -> Result<Option<Duration>, Wrong> {
    seconds(value).map(Some)
}

fn spread(value: &Value<'_>) -> Result<Duration, Wrong> {
    const HELP: &str = "seconds, such as 60, \"60 s\" or \"10 min\", from 0 (none) to 86400";
    time(value, 0, HELP)
}

fn interval(value: &Value<'_>) -> Result<Duration, Wrong> {
    let amount = Amount {
        units: &[
            ("ms", 1),
            ("", 1000),
            ("s", 1000),
            ("min", 60_000),
            ("h", 3_600_000),
        ],
        plain: 1000,
        least: 100,
        most: 86_400_000,
        one: "ms",
        kind: "not an amount of time",
        help: "seconds, such as 10, \"10 s\" or \"500 ms\", from \"100 ms\" to 86400",
    };
    amount.read(value).map(Duration::from_millis)
}

fn bytes(value: &Value<'_>) -> Result<u32, Wrong> {
    const HELP: &str = "bytes, such as 8388608 or \"8 MiB\", from 32 KiB to 64 MiB";
    size(value, 32 << 10, 64 << 20, HELP)
}

fn file_size(value: &Value<'_>) -> Result<u32, Wrong> {
    const HELP: &str = "bytes, such as 33554432 or \"32 MiB\", from 4 KiB to 2047 MiB";
    size(value, 4 << 10, 2047 << 20, HELP)
}

fn size(value: &Value<'_>, least: u32, most: u32, help: &str) -> Result<u32, Wrong> {
    let amount = Amount {
        units: &[
            ("", 1),
            ("B", 1),
            ("KiB", 1 << 10),
            ("kB", 1000),
            ("MiB", 1 << 20),
            ("MB", 1_000_000),
        ],
        plain: 1,
        least: least.into(),
        most: most.into(),
        one: "bytes",
        kind: "not a size",
        help,
    };
    // At most `most`.
    amount.read(value).map(|n| u32::try_from(n).unwrap_or(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERFACE_EXAMPLE: &str = r#"
data_model = ["/usr/share/cwmp-agent/data-model"]
state_dir  = "/etc/cwmp-agent/state"
run_dir    = "/var/run/cwmp-agent"

[platform]
reboot        = ["/sbin/reboot"]
factory_reset = ["/sbin/firstboot", "-y"]
apply_config  = ["/path", "{package}"]

[[download]]
file_type = "1 Firmware Upgrade Image"
check     = ["/sbin/sysupgrade", "--test", "{file}"]
apply     = ["/sbin/sysupgrade", "{file}"]
reboots   = true

[[upload]]
file_type = "1 Vendor Configuration File"
produce   = ["/sbin/sysupgrade", "--create-backup", "{file}"]

[[software_modules]]
[[process_backend]]
[limits]
request_deadline = "15 s"
watch_interval = 10
response = "8 MiB"
"#;

    #[test]
    fn the_documented_example_and_an_empty_file_are_read() {
        let mut example = INTERFACE_EXAMPLE.to_owned();
        if !cfg!(feature = "software-modules") {
            let refused = Config::parse("agent.toml", &example).unwrap_err();
            assert!(
                refused.what.contains("without software modules"),
                "{refused}"
            );
            assert_eq!(
                example.lines().nth(refused.line - 1),
                Some("[[software_modules]]")
            );
            example = example.replace("[[software_modules]]\n", "");
        }
        let example = Config::parse("agent.toml", &example).expect("example");
        assert_eq!(example.limits, Limits::default());
        assert_eq!(example.download.len(), 1);
        assert_eq!(
            Config::parse("agent.toml", "").expect("empty"),
            Config::default()
        );
    }

    #[test]
    fn an_unknown_key_names_file_line_and_the_known_keys() {
        let error = Config::parse("a.toml", "run_dir = \"/x\"\nstate_dri = \"/y\"\n").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert!(
            error
                .to_string()
                .starts_with("a.toml:2: unknown key `state_dri`; write one of")
        );
        assert!(error.what.contains("`state_dir`"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_in_words_of_the_file() {
        for (text, mend) in [
            ("data_model = \"/x\"", "write a list"),
            ("state_dir = 3", "write a text in quotes"),
            ("limits.knocks_per_minute = \"x\"", "write a whole number"),
            (
                "[[download]]\nfile_type = \"x\"\nreboots = 1",
                "write true or false",
            ),
        ] {
            let error = Config::parse("a.toml", text).unwrap_err();
            assert!(error.what.contains(mend), "{error}");
        }
    }

    #[test]
    fn commands_must_be_argv_lists_with_absolute_programs() {
        for (text, part) in [
            ("[platform]\nreboot = \"reboot\"", "as a list"),
            ("[platform]\nreboot = [\"reboot\"]", "absolute path"),
            ("[platform]\nreboot = []", "empty command"),
        ] {
            let error = Config::parse("a.toml", text).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
            assert!(error.what.contains(part), "{error}");
        }
    }

    #[test]
    fn amounts_have_units_and_bounds() {
        let read = |t: &str| Config::parse("a", &format!("[limits]\n{t}"));
        assert_eq!(
            read("command = \"2 min\"")
                .unwrap()
                .limits
                .command
                .as_secs(),
            120
        );
        assert_eq!(
            read("response = \"64 KiB\"").unwrap().limits.response,
            65_536
        );
        let interval = |t: &str| read(t).unwrap().limits.watch_interval.as_millis();
        assert_eq!(interval("watch_interval = \"250 ms\""), 250);
        assert_eq!(interval("watch_interval = 3"), 3000);
        let spread = |t: &str| read(t).unwrap().limits.first_contact_spread.as_secs();
        assert_eq!(spread("first_contact_spread = 0"), 0);
        assert_eq!(spread("first_contact_spread = \"10 min\""), 600);
        for bad in [
            "watch_interval = \"99 ms\"",
            "watch_interval = 0",
            "command = 0",
            "command = \"x\"",
            "command = -1",
            "first_contact_spread = 86401",
            "first_contact_spread = true",
            "response = 1",
            "response = \"9 GiB\"",
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
            assert!(error.what.contains("write"), "{error}");
        }
    }

    #[test]
    fn nothing_is_on_trial_unless_a_time_is_given() {
        let read = |t: &str| Config::parse("a", t).map(|c| c.apply.on_trial());
        assert!(read("").unwrap().is_empty());
        let some = read("[apply]\nconfirm_within = \"5 min\"").unwrap();
        assert!(some.contains("network") && some.contains("wireless"));
        let own = read("[apply]\nconfirm_within = 60\npackages = [\"cwmp\"]").unwrap();
        assert_eq!(own.into_iter().collect::<Vec<_>>(), ["cwmp"]);
        assert_eq!(read("[apply]\nconfirm_within = 0").unwrap_err().line, 2);
    }

    #[test]
    fn the_socket_of_ubusd_is_an_absolute_path_or_nothing() {
        let read = |socket: &str| {
            let text = format!("[platform]\nubus_socket = \"{socket}\"\n");
            Config::parse("a", &text).map(|c| c.platform.ubus_socket)
        };
        for good in ["", "/var/run/ubus.sock"] {
            assert_eq!(read(good).unwrap().as_deref(), Some(good));
        }
        let long = format!("/{}", "x".repeat(107));
        for bad in ["ubus.sock", "/a/../b", "/a\\u0000", long.as_str()] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
            assert!(error.what.contains("write an absolute path"), "{error}");
        }
        let error = Config::parse("a", "[platform]\nubus_socket = false\n").unwrap_err();
        assert!(error.what.contains("write a text in quotes"), "{error}");
    }

    #[test]
    fn folders_of_state_must_be_absolute() {
        assert!(Config::parse("a", "state_dir = \"state\"").is_err());
        assert!(Config::parse("a", "run_dir = \"/a/../b\"").is_err());
    }
}
