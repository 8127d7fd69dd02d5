//! The options of easycwmp (`/etc/config/easycwmp`): anonymous sections `local`, `acs`,
//! `device`.

use super::{Meaning, yes_or_no};
use crate::uci::{Section, Value};

/// Its sections, by their types.
pub const SECTIONS: &[&str] = &["local", "acs", "device"];

/// What an option means here.
pub fn meaning(section: &Section, option: &str, value: &str) -> Meaning {
    match section.kind() {
        "acs" => acs(section, option, value),
        "local" => local(option, value),
        _ => device(option, value),
    }
}

fn acs(section: &Section, option: &str, value: &str) -> Meaning {
    match option {
        "url" => Meaning::is("acs", "url", value),
        // Before 1.3 the URL stood in four pieces.
        "hostname" => match section.get("url") {
            None => Meaning::is("acs", "url", pieces(section, value)),
            Some(_) => Meaning::Left("option url says it"),
        },
        "scheme" | "port" | "path" => match section.get("hostname") {
            Some(_) => Meaning::Needless,
            None => Meaning::Left("option url says it"),
        },
        "username" => Meaning::is("acs", "username", value),
        "password" => Meaning::is("acs", "password", value),
        "periodic_enable" => flag("periodic_inform_enable", value),
        "periodic_interval" => Meaning::is("acs", "periodic_inform_interval", value),
        "periodic_time" => Meaning::is("acs", "periodic_inform_time", value),
        // One PEM file with the certificate and its key.
        "ssl_cert" => Meaning::Is(vec![
            ("acs", "client_cert", value.to_owned()),
            ("acs", "client_key", value.to_owned()),
        ]),
        "ssl_cacert" => Meaning::is("acs", "ca_file", value),
        "ssl_verify" if value == "enabled" => Meaning::Needless,
        "ssl_verify" => Meaning::Left(
            "certificates are always verified; acs.ca_file names the root of an ACS that has one of its own",
        ),
        "parameter_key" => Meaning::Left("the ACS sets it anew after 0 BOOTSTRAP"),
        "http100continue_disable" => Meaning::Left("Expect: 100-continue is never sent"),
        _ => Meaning::Unknown,
    }
}

/// `scheme`, `hostname`, `port` and `path` as a URL.
fn pieces(section: &Section, hostname: &str) -> String {
    let piece = |name: &str| {
        let value = section.get(name).and_then(Value::as_one);
        value.map(str::trim).unwrap_or_default().to_owned()
    };
    let scheme = match piece("scheme") {
        scheme if scheme.is_empty() => "http".to_owned(),
        scheme => scheme,
    };
    let port = match piece("port") {
        port if port.is_empty() => port,
        port => format!(":{port}"),
    };
    let path = piece("path");
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{}{port}{slash}{path}", hostname.trim())
}

fn local(option: &str, value: &str) -> Meaning {
    match option {
        "enable" => match yes_or_no(value) {
            Some(flag) => Meaning::is("cpe", "enable", flag),
            None => Meaning::Left("it is neither 1 nor 0"),
        },
        "interface" => Meaning::is("cpe", "interface", value),
        "port" => Meaning::is("cpe", "port", value),
        "username" => Meaning::is("cpe", "username", value),
        "password" => Meaning::is("cpe", "password", value),
        "provisioning_code" => Meaning::is("cpe", "provisioning_code", value),
        "logging_level" => match value {
            "0" => Meaning::is("cpe", "log_level", "error"),
            "1" => Meaning::is("cpe", "log_level", "warning"),
            "2" | "3" => Meaning::is("cpe", "log_level", "info"),
            "4" => Meaning::is("cpe", "log_level", "debug"),
            _ => Meaning::Left("it is no level from 0 to 4"),
        },
        "authentication" if value.eq_ignore_ascii_case("digest") => Meaning::Needless,
        "authentication" => Meaning::Left("connection requests are authenticated by digest only"),
        "ubus_socket" => Meaning::Left("ubus is where OpenWrt has it"),
        "date_format" => Meaning::Left("times are written as TR-069 wants them"),
        "ip" => Meaning::Left("the address is that of the interface, and followed"),
        _ => Meaning::Unknown,
    }
}

fn device(option: &str, value: &str) -> Meaning {
    match option {
        "manufacturer" => Meaning::is("device", "manufacturer", value),
        "oui" => Meaning::is("device", "oui", value),
        "product_class" => Meaning::is("device", "product_class", value),
        "serial_number" => Meaning::is("device", "serial_number", value),
        "hardware_version" | "software_version" => Meaning::Left(
            "versions are read from the board at each boot: after an upgrade a fixed one would lie",
        ),
        _ => Meaning::Unknown,
    }
}

fn flag(option: &'static str, value: &str) -> Meaning {
    // It takes any other number than 1 for no.
    Meaning::is("acs", option, if value.trim() == "1" { "1" } else { "0" })
}
