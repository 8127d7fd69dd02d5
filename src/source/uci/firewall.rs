//! Port forwards as fw4 takes them: what switches one on, and its ports outside and inside.
//!
//! A forward (`redirect`) without `dest_ip` leads to the router itself, so one that is on
//! needs a client. TR-181 lets an ACS switch one on before it has one, or take the client of
//! one that is on: then fw4 is told that it is off, and the wish is kept beside it until a
//! client comes.

use super::coded::{Scene, Written, ports};
use crate::model::source::Raw;

/// The option that keeps the wish. fw4 says that it does not know it, and goes on.
const WISH: &str = "cwmp_enable";

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
        "forward_client" => Ok(client(scene).map(str::to_owned)),
        _ => {
            let Some(range) = scene.single()? else {
                return Ok(None);
            };
            let (first, last) = ports(range).ok_or("is no port and no range of ports")?;
            let port = if name == "forward_port_last" {
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
    let zone = scene.text("src");
    zone.is_some_and(|zone| scene.content.by_option("zone", "name", zone).is_some())
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
