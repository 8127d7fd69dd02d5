//! Port forwards and rules as fw4 takes them: what switches one on, its ports, and whether
//! fw4 passes it over.
//!
//! A forward (`redirect`) without `dest_ip` leads to the router itself, so one that is on
//! needs a client. TR-181 lets an ACS switch one on before it has one, or take the client of
//! one that is on: then fw4 is told that it is off, and the wish is kept beside it until a
//! client comes.
//!
//! A rule with ports that is neither for TCP nor for UDP would apply to every port: fw4
//! does not look at them then. Such a rule is refused.

use super::coded::{Scene, Written, ports};
use crate::model::source::Raw;
use crate::source::codec::net;
use crate::uci::Value;

/// The option that keeps the wish. fw4 says that it does not know it, and goes on.
const WISH: &str = "cwmp_enable";

/// Whether a code is one of these.
pub fn has(name: &str) -> bool {
    let mine = ["forward_", "rule_", "port_"];
    mine.iter().any(|prefix| name.starts_with(prefix))
}

/// The value that an option stands for; `None`: it stands for none.
///
/// # Errors
/// As [`coded::read`](super::coded::read).
pub fn read(name: &str, scene: &Scene<'_>) -> Result<Option<String>, String> {
    let text = |text: &str| Ok(Some(text.to_owned()));
    match name {
        "forward_enable" => text(match switch(scene) {
            Switch::On => "1",
            Switch::Off if wishes(scene) && client(scene).is_none() => "1",
            Switch::Off => "0",
            Switch::Other(text) => text,
        }),
        "forward_status" => {
            let is_on = read("forward_enable", scene)?.as_deref() == Some("1");
            text(match is_on {
                false => "Disabled",
                true if client(scene).is_none() || !has_zone(scene) => "Error_Misconfigured",
                true => "Enabled",
            })
        }
        "rule_enable" => text(match switch(scene) {
            Switch::On => "1",
            Switch::Off => "0",
            Switch::Other(text) => text,
        }),
        "rule_status" => text(match switch(scene) {
            Switch::On if passes_over(scene) || check_rule(scene).is_err() => "Error_Misconfigured",
            Switch::On => "Enabled",
            Switch::Off | Switch::Other(_) => "Disabled",
        }),
        "forward_client" => Ok(client(scene).map(str::to_owned)),
        _ => {
            let Some(range) = scene.single()? else {
                return Ok(None);
            };
            let (first, last) = ports(range).ok_or("is no port and no range of ports")?;
            let port = if name.ends_with("_last") {
                last
            } else {
                Some(first)
            };
            Ok(port.map(|port| port.to_string()))
        }
    }
}

/// The options that a value is kept in.
pub fn write(name: &str, scene: &Scene<'_>, value: &str) -> Written {
    let mut written = Vec::new();
    let mut put = |option: &str, text: &str| {
        written.push((option.to_owned(), Raw::Text(text.to_owned())));
    };
    match name {
        "forward_enable" => {
            let (enabled, wish) = match (value, client(scene)) {
                ("1", Some(_)) => ("1", ""),
                ("1", None) => ("0", "1"),
                _ => ("0", ""),
            };
            put(scene.option, enabled);
            put(WISH, wish);
        }
        "forward_client" => {
            put(scene.option, value);
            match (client(scene), value) {
                (Some(_), "") if matches!(switch(scene), Switch::On) => {
                    put("enabled", "0");
                    put(WISH, "1");
                }
                (None, new) if !new.is_empty() && wishes(scene) => {
                    put("enabled", "1");
                    put(WISH, "");
                }
                // Who gave it a client and left it off wants it off.
                _ => put(WISH, ""),
            }
        }
        "rule_enable" => put(scene.option, value),
        "port_first" | "port_last" => {
            let n = if name == "port_last" { 2 } else { 1 };
            let now = scene.text(scene.option).unwrap_or_default();
            put(scene.option, &with_port(now, n, value));
        }
        "forward_port_inside" => {
            let outside = scene.text("src_dport").unwrap_or_default();
            let range = ports(value).map(|(first, _)| as_long(first, outside));
            put(scene.option, range.as_deref().unwrap_or_default());
        }
        _ => {
            let n = if name == "forward_port_last" { 2 } else { 1 };
            let outside = with_port(scene.text(scene.option).unwrap_or_default(), n, value);
            put(scene.option, &outside);
            // The ports inside are as many as those outside.
            let inside = scene
                .text("dest_port")
                .and_then(|now| Some((now, ports(now)?)));
            if let Some((now, (first, last))) = inside {
                let new = as_long(first, &outside);
                if ports(&new) != Some((first, last)) && new != now {
                    put("dest_port", &new);
                }
            }
        }
    }
    written
}

/// Whether the ports of a forward can stand: nftables keeps the ports of a range as they
/// are, or takes the first of another for all of them.
///
/// # Errors
/// They cannot (9007); the text says what can.
pub fn check(scene: &Scene<'_>) -> Result<(), String> {
    let range = |option: &str| scene.text(option).and_then(ports);
    match (range("src_dport"), range("dest_port")) {
        (Some((outside, Some(last))), Some((inside, _))) if last > outside && inside != outside => {
            Err(format!(
                "fw4 forwards a range of ports to the same ports only: set InternalPort to ExternalPort ({outside}), or to 0"
            ))
        }
        _ => Ok(()),
    }
}

/// Whether a rule that is on can stand.
///
/// # Errors
/// It cannot (9007): fw4 would apply it to more than it says.
pub fn check_rule(scene: &Scene<'_>) -> Result<(), String> {
    let has = |option: &str| !words(scene, option).is_empty();
    let on = matches!(switch(scene), Switch::On);
    let portless = || {
        let known = ["tcp", "udp", "tcpudp", "6", "17"];
        let protocols = words(scene, "proto");
        let is_known = |p: &&str| known.iter().any(|known| p.eq_ignore_ascii_case(known));
        // Without any, both are meant.
        !protocols.is_empty() && !protocols.iter().any(is_known)
    };
    if on && (has("src_port") || has("dest_port")) && portless() {
        return Err(
            "fw4 looks at ports of TCP (6) and UDP (17) only, and would take a rule for another Protocol for every port; set Protocol and the ports together, or Enable to false".to_owned(),
        );
    }
    Ok(())
}

/// Whether fw4 has no use for a rule: a zone that is not there, or addresses of two families.
fn passes_over(scene: &Scene<'_>) -> bool {
    let zone = |option: &str| match scene.text(option) {
        None | Some("" | "*") => true,
        Some(zone) => is_zone(scene, zone),
    };
    let mut families = match scene.text("family") {
        None | Some("" | "any" | "all" | "*") => Vec::new(),
        Some(family) => vec![!family.contains('6')],
    };
    if matches!(
        words(scene, "proto").as_slice(),
        ["icmpv6" | "ipv6-icmp" | "58"]
    ) {
        families = vec![false];
    }
    for option in ["src_ip", "dest_ip"] {
        let addresses = words(scene, option).into_iter();
        let addresses = addresses.filter_map(|a| net::split(a.trim_start_matches('!')));
        let mut own: Vec<bool> = addresses.map(|(address, _)| address.is_ipv4()).collect();
        own.dedup();
        // Both in one option are a rule for each.
        if let [one] = own.as_slice() {
            families.push(*one);
        }
    }
    let mixed = families
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a != b));
    mixed || !zone("src") || !zone("dest")
}

/// The texts of an option, which may be a list or parted by white space.
fn words<'t>(scene: &Scene<'t>, option: &str) -> Vec<&'t str> {
    let section = scene.content.package.sections().get(scene.index);
    let items = section.and_then(|s| s.get(option)).map(Value::items);
    let items = items.unwrap_or_default().iter();
    items.flat_map(|item| item.split_whitespace()).collect()
}

enum Switch<'t> {
    On,
    Off,
    /// Nothing that fw4 knows.
    Other(&'t str),
}

fn switch<'t>(scene: &Scene<'t>) -> Switch<'t> {
    match scene.text("enabled") {
        None | Some("" | "1" | "on" | "yes" | "true" | "enabled") => Switch::On,
        Some("0" | "off" | "no" | "false" | "disabled") => Switch::Off,
        Some(other) => Switch::Other(other),
    }
}

fn wishes(scene: &Scene<'_>) -> bool {
    scene.text(WISH) == Some("1")
}

fn client<'t>(scene: &Scene<'t>) -> Option<&'t str> {
    scene.text("dest_ip").filter(|client| !client.is_empty())
}

/// Whether fw4 finds the zone that a forward comes from.
fn has_zone(scene: &Scene<'_>) -> bool {
    scene.text("src").is_some_and(|zone| is_zone(scene, zone))
}

fn is_zone(scene: &Scene<'_>, name: &str) -> bool {
    scene.content.by_option("zone", "name", name).is_some()
}

/// A range of ports from this one, as long as another.
fn as_long(first: u16, other: &str) -> String {
    let longer = |(from, to): (u16, Option<u16>)| to?.checked_sub(from).filter(|more| *more > 0);
    let last = ports(other)
        .and_then(longer)
        .and_then(|more| first.checked_add(more));
    match last {
        Some(last) => format!("{first}-{last}"),
        None => first.to_string(),
    }
}

/// A range with another first or last port: see [`with_part`](super::shape::with_part).
fn with_port(range: &str, n: u32, port: &str) -> String {
    let part = crate::model::binding::UciPart {
        n,
        separator: "-:".into(),
    };
    super::shape::with_part(range, &part, port)
}
