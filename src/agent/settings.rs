//! `/etc/config/cwmp`: what operators and the ACS change (UCI, mode 0600).
//!
//! Read at start, on SIGHUP and when the file changes. A value that cannot be used is
//! warned about and its default holds; unknown options are kept in the file and warned
//! about once. This module turns a parsed UCI package into [`Settings`]; it never opens
//! the file and never shows a secret.

use super::policy::Policies;
use crate::cwmp::datetime::DateTime;
use crate::net::http::{AllowBasic, Coding};
use crate::uci::{Package, Section, Value};
use crate::wake::dhcp;
use std::fmt;

/// A text that must not appear in logs or `Debug` output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself; for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "(none)"
        } else {
            "(secret)"
        })
    }
}

/// The whole of `/etc/config/cwmp`, with defaults for what is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub acs: Acs,
    pub cpe: Cpe,
    pub device: Device,
    /// `acs.url` is what DHCP said: the file has none.
    pub url_by_dhcp: bool,
    pub heartbeat: Heartbeat,
    pub standby: Standby,
}

/// `config acs 'acs'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acs {
    /// Device.ManagementServer.URL; empty: no ACS is known yet.
    pub url: String,
    /// Empty: OUI-ProductClass-SerialNumber is used.
    pub username: String,
    pub password: Secret,
    pub periodic_inform_enable: bool,
    /// Seconds, at least 1.
    pub periodic_inform_interval: u32,
    /// As the ACS wrote it; the Unknown Time when never set.
    pub periodic_inform_time: String,
    /// m of the retry table, seconds, 1–65535.
    pub retry_min_wait_interval: u32,
    /// k of the retry table, thousandths, 1000–65535.
    pub retry_interval_multiplier: u32,
    /// What DHCP says of the ACS holds where this file says nothing (TR-069 3.1).
    pub dhcp_discovery: bool,
    pub ca_file: Option<String>,
    pub ca_path: Option<String>,
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
    /// Refuse an ACS without TLS.
    pub require_tls: bool,
    pub allow_basic: AllowBasic,
    /// The highest CWMP version offered: 0 to 4 for 1.0 to 1.4.
    pub cwmp_version: u8,
    /// Device.ManagementServer.HTTPCompression; `None`: Disabled.
    pub compression: Option<Coding>,
    /// Seconds between the end of a session and one for an active notification alone
    /// (Device.ManagementServer.DefaultActiveNotificationThrottle).
    pub notify_throttle: u32,
    /// Seconds from the end of a session to a reboot; -1: none
    /// (Device.ManagementServer.DelayReboot).
    pub delay_reboot: i32,
    /// When to reboot, as the ACS wrote it (Device.ManagementServer.ScheduleReboot).
    pub schedule_reboot: String,
}

/// `config cpe 'cpe'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpe {
    /// Device.ManagementServer.EnableCWMP.
    pub enable: bool,
    /// The network (`wan`) or kernel device that ACS traffic and the listener keep to.
    pub interface: String,
    /// The listener's port; 0: any free one.
    pub port: u16,
    /// The listener's path; empty: a random one, kept.
    pub path: String,
    pub username: String,
    pub password: Secret,
    pub http_connection_request: bool,
    pub log_level: Option<log::LevelFilter>,
    /// DSCP of the packets to the ACS and of the listener, 0–63; absent: the kernel's.
    pub dscp: Option<u8>,
    /// Of what else than its own requests the ACS wants to hear.
    pub policies: Policies,
}

/// `config device 'device'`: overrides of the derived identity; empty ones are derived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    pub manufacturer: String,
    pub oui: String,
    pub product_class: String,
    pub serial_number: String,
    pub model_name: String,
    pub hardware_version: String,
    pub software_version: String,
}

/// `config heartbeat 'heartbeat'`: Device.ManagementServer.HeartbeatPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub enable: bool,
    /// Seconds, at least 30.
    pub interval: u32,
    /// As the ACS wrote it; the Unknown Time when never set.
    pub time: String,
}

/// `config standby 'standby'`: what of Device.ManagementServer.StandbyPolicy. decides
/// whether waking up is an event. `None` (-1): this does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standby {
    /// Seconds of sleep that go without an event.
    pub cr_unawareness_max_duration: Option<u32>,
    /// Periodic Informs missed that go without one.
    pub max_missed_periodic: Option<u32>,
    /// Whether a missed scheduled Inform does not go without one.
    pub notify_missed_scheduled: bool,
}

/// TR-106 Unknown Time.
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

impl Default for Settings {
    fn default() -> Self {
        Settings {
            acs: Acs {
                url: String::new(),
                username: String::new(),
                password: Secret::default(),
                periodic_inform_enable: true,
                periodic_inform_interval: 86_400,
                periodic_inform_time: UNKNOWN_TIME.to_owned(),
                retry_min_wait_interval: 5,
                retry_interval_multiplier: 2000,
                dhcp_discovery: true,
                ca_file: None,
                ca_path: None,
                client_cert: None,
                client_key: None,
                require_tls: false,
                allow_basic: AllowBasic::Tls,
                cwmp_version: 4,
                compression: None,
                notify_throttle: 0,
                delay_reboot: -1,
                schedule_reboot: UNKNOWN_TIME.to_owned(),
            },
            cpe: Cpe {
                enable: true,
                interface: String::new(),
                port: 7547,
                path: String::new(),
                username: String::new(),
                password: Secret::default(),
                http_connection_request: true,
                log_level: None,
                dscp: None,
                policies: Policies::default(),
            },
            device: Device::default(),
            url_by_dhcp: false,
            heartbeat: Heartbeat {
                enable: false,
                interval: 86_400,
                time: UNKNOWN_TIME.to_owned(),
            },
            standby: Standby::default(),
        }
    }
}

/// Options of `acs` and `cpe` that are part of the interface but that this version does
/// nothing with; they are no typos.
const KNOWN_WITHOUT_EFFECT: &[&str] = &[
    "instance_mode",
    "auto_create",
    "provisioning_code",
    "upgrades_managed",
    "config_version",
];
/// Sections that belong to the interface; what they hold is read elsewhere or not yet.
const KNOWN_SECTIONS: &[&str] = &[
    "acs",
    "cpe",
    "device",
    "stun",
    "xmpp",
    "lwn",
    "heartbeat",
    "standby",
    "bulkdata",
    "inform_parameter",
];

impl Settings {
    /// What the package says, and warnings about what could not be used.
    pub fn read(package: &Package) -> (Settings, Vec<String>) {
        Settings::default().read_over(package)
    }

    /// As [`read`](Self::read); where the package says nothing, what DHCP has said holds,
    /// unless `dhcp_discovery` is off.
    pub fn read_with(package: &Package, found: &dhcp::Answer) -> (Settings, Vec<String>) {
        let plain = Settings::read(package);
        if found.is_empty() || !plain.0.acs.dhcp_discovery {
            return plain;
        }
        let mut base = Settings::default();
        if let Some(seconds) = found.minimum_wait {
            base.acs.retry_min_wait_interval = seconds.into();
        }
        if let Some(thousandths) = found.multiplier {
            base.acs.retry_interval_multiplier = thousandths.into();
        }
        let (mut settings, warnings) = base.read_over(package);
        if let (true, Some(url)) = (settings.acs.url.is_empty(), &found.url) {
            settings.acs.url.clone_from(url);
            settings.url_by_dhcp = true;
        }
        (settings, warnings)
    }

    fn read_over(self, package: &Package) -> (Settings, Vec<String>) {
        let mut settings = self;
        let mut warnings = Vec::new();
        for section in package.sections() {
            let name = section.name().unwrap_or_else(|| section.kind());
            match name {
                "acs" => settings.acs.read(section, &mut warnings),
                "cpe" => settings.cpe.read(section, &mut warnings),
                "device" => settings.device.read(section, &mut warnings),
                "heartbeat" => settings.heartbeat.read(section, &mut warnings),
                "standby" => settings.standby.read(section, &mut warnings),
                _ if KNOWN_SECTIONS.contains(&section.kind()) => {}
                _ => warnings.push(format!(
                    "unknown section {:?} of type {:?} in /etc/config/cwmp; it is kept",
                    name,
                    section.kind()
                )),
            }
        }
        (settings, warnings)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::One(v) => v.clone(),
        Value::List(items) => items.join(" "),
    }
}

/// Tells what is wrong with an option, or reads it into its place.
pub(super) fn put<T>(
    place: &mut T,
    option: &str,
    value: Result<T, &'static str>,
    warnings: &mut Vec<String>,
) {
    match value {
        Ok(v) => *place = v,
        Err(want) => warnings.push(format!(
            "option {option} in /etc/config/cwmp cannot be used; write {want}"
        )),
    }
}

pub(super) fn boolean(v: &str) -> Result<bool, &'static str> {
    match v {
        "1" | "true" | "yes" | "on" | "enabled" => Ok(true),
        "0" | "false" | "no" | "off" | "disabled" => Ok(false),
        _ => Err("1 or 0"),
    }
}

fn number(v: &str, least: u32, most: u32, want: &'static str) -> Result<u32, &'static str> {
    match v.parse() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(want),
    }
}

fn some(v: String) -> Option<String> {
    (!v.is_empty()).then_some(v)
}

fn unknown(section: &str, option: &str, warnings: &mut Vec<String>) {
    if !KNOWN_WITHOUT_EFFECT.contains(&option) {
        warnings.push(format!(
            "unknown option {section}.{option} in /etc/config/cwmp; it is kept"
        ));
    }
}

impl Acs {
    fn read(&mut self, section: &Section, warnings: &mut Vec<String>) {
        for (option, value) in section.options() {
            let v = text(value);
            match option {
                "url" => self.url = v.trim().to_owned(),
                "username" => self.username = v,
                "password" => self.password = Secret(v),
                "periodic_inform_enable" => {
                    put(
                        &mut self.periodic_inform_enable,
                        option,
                        boolean(&v),
                        warnings,
                    );
                }
                "periodic_inform_interval" => {
                    let n = number(&v, 1, u32::MAX, "seconds, at least 1");
                    put(&mut self.periodic_inform_interval, option, n, warnings);
                }
                "periodic_inform_time" => self.periodic_inform_time = v,
                "retry_min_wait_interval" => {
                    let n = number(&v, 1, 65_535, "seconds from 1 to 65535");
                    put(&mut self.retry_min_wait_interval, option, n, warnings);
                }
                "retry_interval_multiplier" => {
                    let n = number(&v, 1000, 65_535, "a number from 1000 to 65535");
                    put(&mut self.retry_interval_multiplier, option, n, warnings);
                }
                "dhcp_discovery" => {
                    put(&mut self.dhcp_discovery, option, boolean(&v), warnings);
                }
                "ca_file" => self.ca_file = some(v),
                "ca_path" => self.ca_path = some(v),
                "client_cert" => self.client_cert = some(v),
                "client_key" => self.client_key = some(v),
                "require_tls" => put(&mut self.require_tls, option, boolean(&v), warnings),
                "allow_basic" => {
                    let basic = v.parse().map_err(|()| "tls, always or never");
                    put(&mut self.allow_basic, option, basic, warnings);
                }
                "cwmp_version" => {
                    let minor = v
                        .strip_prefix("1.")
                        .and_then(|m| m.parse().ok())
                        .filter(|m| *m <= 4)
                        .ok_or("1.0, 1.1, 1.2, 1.3 or 1.4");
                    put(&mut self.cwmp_version, option, minor, warnings);
                }
                "compression" if v.is_empty() || v.eq_ignore_ascii_case("disabled") => {
                    self.compression = None;
                }
                "compression" => {
                    let coding = v.parse().map_err(|()| "GZIP, Deflate or Disabled");
                    put(&mut self.compression, option, coding.map(Some), warnings);
                }
                "notify_throttle" => {
                    let n = number(&v, 0, u32::MAX, "seconds, 0 for none");
                    put(&mut self.notify_throttle, option, n, warnings);
                }
                "delay_reboot" => {
                    let n = v.parse().ok().filter(|n| *n >= -1);
                    let n = n.ok_or("seconds, -1 for none");
                    put(&mut self.delay_reboot, option, n, warnings);
                }
                "schedule_reboot" if v.is_empty() => {}
                "schedule_reboot" => {
                    let time = DateTime::parse(&v).map(|_| v);
                    let time = time.ok_or("a date and time, as 2030-01-15T03:00:00Z");
                    put(&mut self.schedule_reboot, option, time, warnings);
                }
                _ => unknown("acs", option, warnings),
            }
        }
    }
}

impl Cpe {
    fn read(&mut self, section: &Section, warnings: &mut Vec<String>) {
        for (option, value) in section.options() {
            let v = text(value);
            match option {
                "enable" => put(&mut self.enable, option, boolean(&v), warnings),
                "interface" => self.interface = v,
                "port" => {
                    let port = v.parse().map_err(|_| "a port from 0 to 65535");
                    put(&mut self.port, option, port, warnings);
                }
                "path" => {
                    let path = v.trim_start_matches('/').to_owned();
                    let usable = path.len() <= 128
                        && path
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"-._~/".contains(&b));
                    let path = if usable {
                        Ok(path)
                    } else {
                        Err("letters, digits and -._~/")
                    };
                    put(&mut self.path, option, path, warnings);
                }
                "username" => self.username = v,
                "password" => self.password = Secret(v),
                "http_connection_request" => {
                    put(
                        &mut self.http_connection_request,
                        option,
                        boolean(&v),
                        warnings,
                    );
                }
                "log_level" => {
                    let level = log_level(&v).ok_or("error, warning, info, debug, or 0 to 7");
                    put(&mut self.log_level, option, level.map(Some), warnings);
                }
                "dscp" if v.is_empty() => self.dscp = None,
                "dscp" => {
                    let dscp = v.parse().ok().filter(|n| *n <= 63);
                    let dscp = dscp.ok_or("a number from 0 to 63");
                    put(&mut self.dscp, option, dscp.map(Some), warnings);
                }
                _ if self.policies.read(option, value, warnings) => {}
                _ => unknown("cpe", option, warnings),
            }
        }
    }
}

/// Names and syslog numbers (0 emergency … 7 debug).
fn log_level(v: &str) -> Option<log::LevelFilter> {
    Some(match v {
        "0" | "1" | "2" | "3" | "error" | "err" => log::LevelFilter::Error,
        "4" | "warn" | "warning" => log::LevelFilter::Warn,
        "5" | "6" | "notice" | "info" => log::LevelFilter::Info,
        "7" | "debug" => log::LevelFilter::Debug,
        _ => return None,
    })
}

impl Device {
    fn read(&mut self, section: &Section, warnings: &mut Vec<String>) {
        for (option, value) in section.options() {
            let v = text(value);
            match option {
                "manufacturer" => self.manufacturer = v,
                "oui" => self.oui = v,
                "product_class" => self.product_class = v,
                "serial_number" => self.serial_number = v,
                "model_name" => self.model_name = v,
                "hardware_version" => self.hardware_version = v,
                "software_version" => self.software_version = v,
                _ => unknown("device", option, warnings),
            }
        }
    }
}

impl Heartbeat {
    fn read(&mut self, section: &Section, warnings: &mut Vec<String>) {
        for (option, value) in section.options() {
            let v = text(value);
            match option {
                "enable" => put(&mut self.enable, option, boolean(&v), warnings),
                "interval" => {
                    let n = number(&v, 30, u32::MAX, "seconds, at least 30");
                    put(&mut self.interval, option, n, warnings);
                }
                "time" => self.time = v,
                _ => unknown("heartbeat", option, warnings),
            }
        }
    }
}

impl Standby {
    fn read(&mut self, section: &Section, warnings: &mut Vec<String>) {
        for (option, value) in section.options() {
            let v = text(value);
            match option {
                "cr_unawareness_max_duration" => {
                    let n = at_most(&v, "seconds, or -1");
                    put(&mut self.cr_unawareness_max_duration, option, n, warnings);
                }
                "max_missed_periodic" => {
                    let n = at_most(&v, "a number, or -1");
                    put(&mut self.max_missed_periodic, option, n, warnings);
                }
                "notify_missed_scheduled" => {
                    let on = boolean(&v);
                    put(&mut self.notify_missed_scheduled, option, on, warnings);
                }
                // Promises for a standby that the agent is asked about; nothing does.
                "cr_awareness_requested" | "periodic_awareness_requested" => {}
                _ => unknown("standby", option, warnings),
            }
        }
    }
}

/// A limit from 0 on, or -1 for none.
fn at_most(v: &str, want: &'static str) -> Result<Option<u32>, &'static str> {
    match v {
        "-1" => Ok(None),
        _ => number(v, 0, i32::MAX as u32, want).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Settings, Vec<String>) {
        Settings::read(&Package::parse(text.as_bytes()).expect("a UCI file"))
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let (settings, warnings) = read("");
        assert_eq!(settings, Settings::default());
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn options_are_read_and_a_bad_one_keeps_its_default_with_a_warning() {
        let (settings, warnings) = read(
            "config acs 'acs'\n\toption url 'https://acs.example/'\n\toption periodic_inform_interval '0'\n\
             \toption retry_min_wait_interval '7'\n\toption allow_basic 'never'\n\toption cwmp_version '1.2'\n\
             config cpe 'cpe'\n\toption port '0'\n\toption path '/a/b'\n\toption log_level '7'\n\toption dscp '46'\n",
        );
        assert_eq!(settings.acs.url, "https://acs.example/");
        assert_eq!(settings.acs.periodic_inform_interval, 86_400);
        assert_eq!(settings.acs.retry_min_wait_interval, 7);
        assert_eq!(settings.acs.allow_basic, AllowBasic::Never);
        assert_eq!(settings.acs.cwmp_version, 2);
        assert_eq!(settings.cpe.port, 0);
        assert_eq!(settings.cpe.path, "a/b");
        assert_eq!(settings.cpe.log_level, Some(log::LevelFilter::Debug));
        assert_eq!(settings.cpe.dscp, Some(46));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("periodic_inform_interval"));
    }

    // T-DSC-003, T-DSC-006
    #[test]
    fn what_dhcp_says_holds_where_the_file_says_nothing() {
        let found = dhcp::Answer {
            url: Some("http://dhcp.example/".to_owned()),
            provisioning_code: None,
            minimum_wait: Some(30),
            multiplier: Some(3000),
        };
        let with = |text: &str| {
            let package = Package::parse(text.as_bytes()).expect("a UCI file");
            Settings::read_with(&package, &found).0
        };
        let shown = |s: &Settings| {
            (
                s.acs.url.clone(),
                s.url_by_dhcp,
                s.acs.retry_min_wait_interval,
                s.acs.retry_interval_multiplier,
            )
        };
        let by_dhcp = ("http://dhcp.example/".to_owned(), true, 30, 3000);
        assert_eq!(shown(&with("")), by_dhcp);
        assert_eq!(shown(&with("config acs acs\n\toption url ''\n")), by_dhcp);
        let given = "config acs acs\n\toption url 'http://acs.example/'\n\toption retry_min_wait_interval '7'\n";
        let by_hand = ("http://acs.example/".to_owned(), false, 7, 3000);
        assert_eq!(shown(&with(given)), by_hand);
        let off = with("config acs acs\n\toption dhcp_discovery '0'\n");
        assert_eq!(shown(&off), (String::new(), false, 5, 2000));
    }

    // T-HBT-001
    #[test]
    fn heartbeat_and_standby_are_read_and_keep_to_their_ranges() {
        let (settings, warnings) = read(
            "config heartbeat 'heartbeat'\n\toption enable '1'\n\toption interval '30'\n\
             \toption time '2001-01-01T00:00:05Z'\n\
             config standby 'standby'\n\toption cr_unawareness_max_duration '0'\n\
             \toption max_missed_periodic '-1'\n\toption notify_missed_scheduled '1'\n",
        );
        assert_eq!(warnings, Vec::<String>::new());
        let heartbeat = &settings.heartbeat;
        assert_eq!((heartbeat.enable, heartbeat.interval), (true, 30));
        assert_eq!(heartbeat.time, "2001-01-01T00:00:05Z");
        let standby = &settings.standby;
        assert_eq!(standby.cr_unawareness_max_duration, Some(0));
        assert_eq!(standby.max_missed_periodic, None);
        assert!(standby.notify_missed_scheduled);
        let (settings, warnings) = read(
            "config heartbeat 'heartbeat'\n\toption interval '29'\n\toption intervall '60'\n\
             config standby 'standby'\n\toption max_missed_periodic '-2'\n",
        );
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_the_acs_wants_to_hear_of_is_read_and_typos_are_told() {
        let (settings, warnings) = read(
            "config cpe cpe\n\toption autonomous_transfer_complete 1\n\
             \toption autonomous_transfer_type Upload\n\toption autonomous_transfer_result Failure\n\
             \tlist autonomous_transfer_file_types '2 Web Content'\n\
             \toption autonomous_du_complete 1\n\tlist autonomous_du_operations Install\n\
             \toption autonomous_du_result Success\n\tlist autonomous_du_fault_codes 9016\n\
             \tlist autonomous_du_fault_codes 9018\n",
        );
        assert_eq!(warnings, Vec::<String>::new());
        let policies = settings.cpe.policies;
        assert!(policies.transfers.wanted(false, "2 Web Content", 9010));
        assert!(!policies.transfers.wanted(true, "2 Web Content", 9010));
        assert_eq!(policies.software.fault_codes, [9016, 9018]);
        assert_eq!(policies.software.operations, ["Install"]);
        let (settings, warnings) = read(
            "config cpe cpe\n\toption autonomous_transfer_complet 1\n\
             \toption autonomous_transfer_type Sideways\n\tlist autonomous_du_fault_codes many\n",
        );
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert_eq!(settings.cpe.policies, Policies::default());
    }

    #[test]
    fn a_dscp_past_six_bits_is_warned_about() {
        for text in ["64", "-1", "EF"] {
            let (settings, warnings) = read(&format!("config cpe cpe\n\toption dscp '{text}'\n"));
            assert_eq!(settings.cpe.dscp, None);
            assert!(warnings[0].contains("0 to 63"), "{warnings:?}");
        }
    }

    #[test]
    fn the_compression_is_one_that_we_have_or_none() {
        for (text, coding, warned) in [
            ("GZIP", Some(Coding::Gzip), 0),
            ("Deflate", Some(Coding::Deflate), 0),
            ("Disabled", None, 0),
            ("Compress", None, 1),
        ] {
            let (settings, warnings) =
                read(&format!("config acs acs\n\toption compression {text}\n"));
            assert_eq!(settings.acs.compression, coding, "{text}");
            assert_eq!(warnings.len(), warned, "{text}");
        }
    }

    #[test]
    fn unknown_options_are_warned_about_and_known_ones_are_not() {
        let (_, warnings) = read(
            "config acs acs\n\toption urll x\n\toption compression Disabled\nconfig stun stun\n\toption enable 1\nconfig x y\n",
        );
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("acs.urll"));
        assert!(warnings[1].contains("\"y\""));
    }

    // T-SEC-009
    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let (settings, _) = read(
            "config acs acs\n\toption password hunter2\nconfig cpe cpe\n\toption password geheim\n",
        );
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("geheim"));
        assert_eq!(settings.acs.password.reveal(), "hunter2");
    }
}
