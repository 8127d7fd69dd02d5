//! The options of icwmp, whose file has our name: sections `acs`, `cpe` and `lwn`, of the type
//! `cwmp` in older versions. Many of our names are its own.

use super::{Meaning, yes_or_no};
use crate::uci::{Package, Section};

/// Its sections, by their names.
pub const SECTIONS: &[&str] = &["acs", "cpe", "lwn"];

/// Options that only icwmp has: by one of them its file is known.
const MARKS: &[&str] = &[
    "userid",
    "passwd",
    "ParameterKey",
    "dhcp_url",
    "dhcp_url_path",
    "insecure_enable",
    "ssl_capath",
    "amd_version",
    "log_severity",
    "log_file_name",
    "default_wan_interface",
    "exec_download",
    "session_timeout",
    "manufacturer_oui",
];

/// Whether a file is icwmp's, or was and has not been taken over.
pub fn wrote(package: &Package) -> bool {
    package.sections().iter().any(|section| {
        section.kind() == "cwmp" || section.options().any(|(option, _)| MARKS.contains(&option))
    })
}

/// Whether icwmp has an option of this name as well, so that its value is its own.
pub fn writes(section: &str, option: &str) -> bool {
    const THEIRS: &[(&str, &[&str])] = &[
        (
            "acs",
            &[
                "url",
                "periodic_inform_enable",
                "periodic_inform_interval",
                "periodic_inform_time",
                "dhcp_discovery",
                "compression",
                "retry_min_wait_interval",
                "retry_interval_multiplier",
            ],
        ),
        (
            "cpe",
            &["enable", "interface", "port", "path", "provisioning_code"],
        ),
    ];
    let mut sections = THEIRS.iter().filter(|(name, _)| *name == section);
    sections.any(|(_, options)| options.contains(&option))
}

/// Sections of the type `cwmp` get that of their name.
pub fn own_kinds(package: &mut Package) {
    for at in 0..package.sections().len() {
        let section = package.sections().get(at);
        let Some((name, "cwmp")) = section.and_then(|s| Some((s.name()?.to_owned(), s.kind())))
        else {
            continue;
        };
        if SECTIONS.contains(&name.as_str()) && package.set_kind(at, &name).is_err() {
            // It is found by its name as well.
            log::debug!("section {name} stays of type cwmp");
        }
    }
}

/// What an option of the section called `name` means here.
pub fn meaning(section: &Section, name: &str, option: &str, value: &str) -> Meaning {
    match name {
        "acs" => acs(option, value),
        "cpe" => cpe(section, option, value),
        _ => Meaning::Same,
    }
}

fn acs(option: &str, value: &str) -> Meaning {
    let flag = |to: &'static str| match yes_or_no(value) {
        Some(flag) => Meaning::is("acs", to, flag),
        None => Meaning::Left("it is neither 1 nor 0"),
    };
    match option {
        "url" => Meaning::is("acs", "url", value),
        "userid" => Meaning::is("acs", "username", value),
        "passwd" => Meaning::is("acs", "password", value),
        "periodic_inform_enable" => flag("periodic_inform_enable"),
        "periodic_inform_interval" => Meaning::is("acs", "periodic_inform_interval", value),
        "periodic_inform_time" => match value {
            "0" => Meaning::Left("0 is no time: sessions come at a random one"),
            time => Meaning::is("acs", "periodic_inform_time", time),
        },
        "dhcp_discovery" => flag("dhcp_discovery"),
        "compression" => Meaning::is("acs", "compression", value),
        "retry_min_wait_interval" => Meaning::is("acs", "retry_min_wait_interval", value),
        "retry_interval_multiplier" => Meaning::is("acs", "retry_interval_multiplier", value),
        "ssl_capath" => Meaning::is("acs", "ca_path", value),
        "insecure_enable" if yes_or_no(value) == Some("0") => Meaning::Needless,
        "insecure_enable" => Meaning::Left(
            "certificates are always verified; acs.ca_file names the root of an ACS that has one of its own",
        ),
        "heartbeat_enable" => match yes_or_no(value) {
            Some(flag) => Meaning::is("heartbeat", "enable", flag),
            None => Meaning::Left("it is neither 1 nor 0"),
        },
        "heartbeat_interval" => Meaning::is("heartbeat", "interval", value),
        "heartbeat_time" => Meaning::is("heartbeat", "time", value),
        "ParameterKey" => Meaning::Left("the ACS sets it anew after 0 BOOTSTRAP"),
        "dhcp_url"
        | "dhcp_url_path"
        | "dhcp_retry_min_wait_interval"
        | "dhcp_retry_interval_multiplier" => Meaning::Left("DHCP is asked again"),
        "https_ssl_capath" => Meaning::Left("file servers are held against the roots of the ACS"),
        "ssl_version" => Meaning::Left("TLS 1.2 and 1.3 are offered"),
        "http_disable_100continue" => Meaning::Left("Expect: 100-continue is never sent"),
        "ipv6_enable" | "ip_version" => {
            Meaning::Left("both IPv4 and IPv6 are used, as name and interface have them")
        }
        "get_rpc_methods" => Meaning::Left("an ACS is asked for its methods once"),
        _ => Meaning::Unknown,
    }
}

fn cpe(section: &Section, option: &str, value: &str) -> Meaning {
    match option {
        "enable" => match yes_or_no(value) {
            Some(flag) => Meaning::is("cpe", "enable", flag),
            None => Meaning::Left("it is neither 1 nor 0"),
        },
        "default_wan_interface" => Meaning::is("cpe", "interface", value),
        // icwmp follows default_wan_interface and notes the device here.
        "interface" if section.get("default_wan_interface").is_some() => Meaning::Same,
        "interface" => Meaning::is("cpe", "interface", value),
        "port" => Meaning::is("cpe", "port", value),
        "path" => match value.trim_matches('/') {
            "" => {
                Meaning::Left("the path of connection requests is a random one unless it is named")
            }
            path => Meaning::is("cpe", "path", path),
        },
        "userid" => Meaning::is("cpe", "username", value),
        "passwd" => Meaning::is("cpe", "password", value),
        "provisioning_code" => Meaning::is("cpe", "provisioning_code", value),
        "manufacturer" => Meaning::is("device", "manufacturer", value),
        "manufacturer_oui" => Meaning::is("device", "oui", value),
        "product_class" => Meaning::is("device", "product_class", value),
        "serial_number" => Meaning::is("device", "serial_number", value),
        "model_name" => Meaning::is("device", "model_name", value),
        "software_version" => Meaning::Left(
            "versions are read from the board at each boot: after an upgrade a fixed one would lie",
        ),
        "description" => Meaning::Left("there is no such setting"),
        "log_severity" => match value.to_ascii_uppercase().as_str() {
            "EMERG" | "ALERT" | "CRITIC" | "ERROR" => Meaning::is("cpe", "log_level", "error"),
            "WARNING" => Meaning::is("cpe", "log_level", "warning"),
            "NOTICE" | "INFO" => Meaning::is("cpe", "log_level", "info"),
            "DEBUG" => Meaning::is("cpe", "log_level", "debug"),
            _ => Meaning::Left("it is no level"),
        },
        "log_to_console" | "log_to_file" | "log_to_syslog" | "log_file_name" | "log_max_size" => {
            Meaning::Left("what is logged goes to the system's log")
        }
        // Amendment 1 of TR-069 is CWMP 1.0; from 5 on there are newer ones than we know.
        "amd_version" => match value {
            "1" => Meaning::is("acs", "cwmp_version", "1.0"),
            "2" => Meaning::is("acs", "cwmp_version", "1.1"),
            "3" => Meaning::is("acs", "cwmp_version", "1.2"),
            "4" => Meaning::is("acs", "cwmp_version", "1.3"),
            _ => Meaning::Left("the newest version is offered"),
        },
        "session_timeout" => Meaning::Left("limits.response_wait of agent.toml is the like of it"),
        "ubus_socket" => Meaning::Left("ubus is where OpenWrt has it"),
        "exec_download" => Meaning::Left("[[download]] of agent.toml says what a file does"),
        "notification" | "periodic_notify_enable" | "periodic_notify_interval" => {
            Meaning::Left("changed values are always watched: limits.watch_interval of agent.toml")
        }
        "custom_notify_json" | "forced_inform_json" | "boot_inform_json" => {
            Meaning::Left("the ACS sets attributes and InformParameter again after 0 BOOTSTRAP")
        }
        "default_lan_interface"
        | "incoming_rule"
        | "firewall_restart"
        | "datamodel"
        | "vlan_method"
        | "schedule_reboot"
        | "delay_reboot"
        | "dhcp_provisioning_code" => Meaning::Left("there is no such setting"),
        _ => Meaning::Unknown,
    }
}
