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

use crate::platform::privileges::Capabilities;
use crate::store::Root;
use crate::ubus;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the file lies unless `--config` says otherwise, below the root.
pub const DEFAULT_PATH: &str = "/etc/cwmp-agent/agent.toml";
/// Where the data-model files lie unless `data_model` says otherwise, below the root.
pub const DEFAULT_DATA_MODEL: &str = "/usr/share/cwmp-agent/data-model";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platform {
    #[serde(deserialize_with = "argv")]
    pub reboot: Option<Vec<String>>,
    /// Puts the box back to its factory state; the reboot follows.
    #[serde(deserialize_with = "argv")]
    pub factory_reset: Option<Vec<String>>,
    /// Puts a changed UCI package into force; `{package}` is its name.
    #[serde(deserialize_with = "argv")]
    pub apply_config: Option<Vec<String>>,
    /// Has the DHCP client of the network `{interface}` ask its server again.
    #[serde(deserialize_with = "argv")]
    pub renew_dhcp: Option<Vec<String>>,
    /// What the programs may use that the agent starts, by the names of capabilities(7). Absent:
    /// what those of OpenWrt need; `docs/privileges.md` has the list.
    #[serde(deserialize_with = "capabilities")]
    pub capabilities: Option<Capabilities>,
    /// Where ubusd listens, below the root; empty: ubus is not used. `None`: where OpenWrt
    /// has it, and only when the root is `/`.
    pub ubus_socket: Option<String>,
}

/// How the agent guards itself against a change of the ACS that cuts the line to the ACS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Apply {
    /// A change that touches one of `packages` is taken back unless a session with the ACS
    /// succeeds within this time after its reload, or after a boot (off; from 1 s).
    #[serde(deserialize_with = "maybe_seconds")]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessBackend {}

/// Sizes, counts and times. Times are seconds (`15`, `"15 s"`, `"2 min"`), sizes are
/// bytes (`8388608`, `"8 MiB"`, `"64 KiB"`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How long all sources together may take for one request of the ACS (15 s).
    #[serde(deserialize_with = "seconds")]
    pub request_deadline: Duration,
    /// How often watched values are read again at the latest, where nothing tells of their
    /// changes (10 s; from 0.1 s).
    #[serde(deserialize_with = "interval")]
    pub watch_interval: Duration,
    /// The largest message taken from, or sent to, the ACS (8 MiB); a larger answer is
    /// fault 9004.
    #[serde(deserialize_with = "bytes")]
    pub response: u32,
    /// How long to wait for the ACS's reply to a POST (60 s; at least 30 s by TR-069
    /// section 3.7.1.4 unless the firmware builder knows better).
    #[serde(deserialize_with = "seconds")]
    pub response_wait: Duration,
    /// How long a connection to the ACS may take to come up (20 s).
    #[serde(deserialize_with = "seconds")]
    pub connect_wait: Duration,
    /// How long no ACS may have been reached before DHCP is asked again for one, and again
    /// after twice as long each time (300 s by TR-069 section 3.1).
    #[serde(deserialize_with = "seconds")]
    pub rediscovery: Duration,
    /// How long one configured command or `command` source may run (10 s; the commands of
    /// `[platform]` but `renew_dhcp` have 120 s).
    #[serde(deserialize_with = "seconds")]
    pub command: Duration,
    /// The most bytes taken from a command's output or a text file (256 KiB).
    #[serde(deserialize_with = "bytes")]
    pub output: u32,
    /// How many accepted connection requests a minute (60); more: 503.
    pub knocks_per_minute: u32,
    /// The first session after a boot comes at a random moment within this time (60 s; 0: at
    /// once), so that an area that gets its power back does not call the ACS as one. One that
    /// tells 0 BOOTSTRAP or the end of something that the ACS asked for does not wait.
    #[serde(deserialize_with = "spread")]
    pub first_contact_spread: Duration,
    /// The largest file that is fetched or sent (64 MiB). What is free in the download folder
    /// bounds it, too: a larger one is fault 9010, told at once as 9004 where the ACS says how
    /// large it is.
    #[serde(deserialize_with = "file_size")]
    pub transfer_size: u32,
    /// How much of the download folder's file system stays free (2 MiB).
    #[serde(deserialize_with = "file_size")]
    pub keep_free: u32,
    /// How long a file server may send nothing (60 s).
    #[serde(deserialize_with = "seconds")]
    pub transfer_stall: Duration,
    /// How long one file may take to come or go (1 h).
    #[serde(deserialize_with = "seconds")]
    pub transfer_time: Duration,
    /// How long the box may take to reboot, once it was told to or a file was applied that makes
    /// it (300 s). Then that transfer has failed, and sessions go on.
    #[serde(deserialize_with = "seconds")]
    pub reboot_wait: Duration,
    /// How long a command that checks, applies or produces a file may run (10 min).
    #[serde(deserialize_with = "seconds")]
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
        let config: Config = toml::from_str(text).map_err(|e| ConfigError {
            file: file.to_owned(),
            line: line_of(text, e.span().map_or(0, |s| s.start)),
            what: mend(e.message()),
        })?;
        config.check(file, text)?;
        Ok(config)
    }

    fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let at = |key: &str, what: String| ConfigError {
            file: file.to_owned(),
            line: text
                .lines()
                .position(|l| l.trim_start().starts_with(key))
                .map_or(1, |i| i + 1),
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

/// The line (from 1) of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let upto = text.get(..offset.min(text.len())).unwrap_or(text);
    upto.bytes().filter(|b| *b == b'\n').count() + 1
}

/// serde's text, with what to write at its end.
fn mend(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    if let Some((what, expected)) = message.split_once(", expected ") {
        let names = expected.trim_start_matches("one of ");
        if what.starts_with("unknown field") {
            return format!(
                "{}; write one of {names}",
                what.replace("unknown field", "unknown key")
            );
        }
        // serde's words are those of Rust.
        let expected = match expected {
            "a sequence" => "a list: [\"…\", \"…\"]",
            "a string" => "a text in quotes",
            "u32" => "a whole number from 0 to 4294967295",
            "a boolean" => "true or false",
            other => other,
        };
        return format!("{what}; write {expected}");
    }
    if let Some((what, _)) = message.split_once(", there are no fields") {
        return format!(
            "{}; this version offers no keys here, take the line out",
            what.replace("unknown field", "unknown key")
        );
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{message}; write {} = …", field.trim_matches('`'));
    }
    if message.starts_with("duplicate key") {
        return format!("{message}; keep one of the two");
    }
    if message.contains("; write ") || message.contains("take ") {
        message
    } else {
        format!("{message}; write TOML")
    }
}

fn capabilities<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Capabilities>, D::Error> {
    let names = Vec::<String>::deserialize(from).map_err(|_| {
        serde::de::Error::custom("no list of texts; write names in quotes: [\"CAP_NET_ADMIN\"]")
    })?;
    let named = Capabilities::named(names.iter().map(String::as_str));
    named.map(Some).map_err(|name| {
        serde::de::Error::custom(format!(
            "no capability is called {name:?}; write names as in capabilities(7): [\"CAP_NET_ADMIN\"]"
        ))
    })
}

fn argv<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let argv = Vec::<String>::deserialize(from).map_err(|_| {
        serde::de::Error::custom(
            "no list of texts; write the program and its arguments as a list: [\"/sbin/reboot\"]",
        )
    })?;
    match argv.first() {
        Some(program) if program.starts_with('/') && !argv.iter().any(|a| a.contains('\0')) => {
            Ok(Some(argv))
        }
        Some(program) => Err(serde::de::Error::custom(format!(
            "the program {program:?} has no absolute path; write it as [\"/sbin/reboot\"]"
        ))),
        None => Err(serde::de::Error::custom(
            "an empty command; write the program and its arguments, or take the key out",
        )),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(u64),
    Text(String),
}

fn amount(from: Amount, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    match from {
        Amount::Number(n) => Ok(n),
        Amount::Text(t) => {
            let t = t.trim();
            let digits = t.trim_end_matches(|c: char| !c.is_ascii_digit());
            let unit = t.get(digits.len()..).unwrap_or("").trim();
            let factor = units.iter().find(|(name, _)| *name == unit);
            match (digits.parse::<u64>(), factor) {
                (Ok(n), Some((_, factor))) => n.checked_mul(*factor),
                _ => None,
            }
            .ok_or_else(|| format!("{t:?} is no amount; write {example}"))
        }
    }
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    const HELP: &str = "seconds, such as 15 or \"15 s\", from 1 to 86400";
    let given = Amount::deserialize(from)
        .map_err(|_| serde::de::Error::custom(format!("not an amount of time; write {HELP}")))?;
    let units = [("", 1), ("s", 1), ("min", 60), ("h", 3600)];
    match amount(given, &units, HELP) {
        Ok(s @ 1..=86_400) => Ok(Duration::from_secs(s)),
        Ok(s) => Err(serde::de::Error::custom(format!(
            "{s} s is out of range; write {HELP}"
        ))),
        Err(e) => Err(serde::de::Error::custom(e)),
    }
}

fn maybe_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    seconds(from).map(Some)
}

fn spread<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    const HELP: &str = "seconds, such as 60, \"60 s\" or \"10 min\", from 0 (none) to 86400";
    let given = Amount::deserialize(from)
        .map_err(|_| serde::de::Error::custom(format!("not an amount of time; write {HELP}")))?;
    let units = [("", 1), ("s", 1), ("min", 60), ("h", 3600)];
    match amount(given, &units, HELP) {
        Ok(s @ 0..=86_400) => Ok(Duration::from_secs(s)),
        Ok(s) => Err(serde::de::Error::custom(format!(
            "{s} s is out of range; write {HELP}"
        ))),
        Err(e) => Err(serde::de::Error::custom(e)),
    }
}

fn interval<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    const HELP: &str = "seconds, such as 10, \"10 s\" or \"500 ms\", from \"100 ms\" to 86400";
    let given = Amount::deserialize(from)
        .map_err(|_| serde::de::Error::custom(format!("not an amount of time; write {HELP}")))?;
    let units = [
        ("ms", 1),
        ("", 1000),
        ("s", 1000),
        ("min", 60_000),
        ("h", 3_600_000),
    ];
    let given = match given {
        Amount::Number(n) => Amount::Text(n.to_string()),
        text => text,
    };
    match amount(given, &units, HELP) {
        Ok(ms @ 100..=86_400_000) => Ok(Duration::from_millis(ms)),
        Ok(ms) => Err(serde::de::Error::custom(format!(
            "{ms} ms is out of range; write {HELP}"
        ))),
        Err(e) => Err(serde::de::Error::custom(e)),
    }
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    const HELP: &str = "bytes, such as 8388608 or \"8 MiB\", from 32 KiB to 64 MiB";
    size(from, 32 << 10, 64 << 20, HELP)
}

fn file_size<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    const HELP: &str = "bytes, such as 33554432 or \"32 MiB\", from 4 KiB to 2047 MiB";
    size(from, 4 << 10, 2047 << 20, HELP)
}

fn size<'de, D: Deserializer<'de>>(
    from: D,
    least: u64,
    most: u64,
    help: &str,
) -> Result<u32, D::Error> {
    let given = Amount::deserialize(from)
        .map_err(|_| serde::de::Error::custom(format!("not a size; write {help}")))?;
    let units = [
        ("", 1),
        ("B", 1),
        ("KiB", 1 << 10),
        ("kB", 1000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
    ];
    match amount(given, &units, help) {
        Ok(n) if (least..=most).contains(&n) => u32::try_from(n)
            .map_err(|_| serde::de::Error::custom(format!("{n} is too large; write {help}"))),
        Ok(n) => Err(serde::de::Error::custom(format!(
            "{n} bytes is out of range; write {help}"
        ))),
        Err(e) => Err(serde::de::Error::custom(e)),
    }
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
