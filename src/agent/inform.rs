//! The Inform of a session: who we are, what happened, what the ACS must know.

use super::clock;
use super::world::World;
use crate::cwmp::datetime::DateTime;
use crate::cwmp::message::{DeviceId, Event, Inform, ParameterValue};
use crate::model::{Entry, Model};
use crate::platform::Identity;
use crate::source::Runtime;
use crate::store::Root;
use std::collections::HashSet;

/// Makes the identity visible to the data model (`native = "serial_number"` and the like).
pub fn publish(identity: &Identity, runtime: &Runtime) {
    for (name, value) in [
        ("manufacturer", &identity.manufacturer),
        ("oui", &identity.oui),
        ("product_class", &identity.product_class),
        ("serial_number", &identity.serial_number),
        ("model_name", &identity.model_name),
        ("hardware_version", &identity.hardware_version),
        ("software_version", &identity.software_version),
    ] {
        runtime.set(name, value);
    }
}

/// The most bytes of changed values in one Inform, names included; there is always room
/// for one.
const MAX_CHANGED: usize = 256 << 10;
/// The most parameters, and bytes of them, that ManagementServer.InformParameter adds to
/// one Inform.
const MAX_ADDED: usize = 1024;
const MAX_ADDED_BYTES: usize = 256 << 10;

/// The changed parameters, as an Inform tells them.
#[derive(Debug, Default)]
pub struct Changed {
    /// What it carries.
    pub entries: Vec<Entry>,
    /// Those for which it has no room.
    pub left_out: Vec<String>,
    /// Those that cannot be read: their source is in trouble, or they are gone since they were
    /// found (NOT-013).
    pub in_trouble: Vec<String>,
}

/// Reads the changed parameters.
pub fn read_changed(model: &mut Model, paths: &[String]) -> Changed {
    let mut changed = Changed::default();
    if paths.is_empty() {
        return changed;
    }
    model.begin();
    let mut bytes = 0;
    for path in paths {
        let Ok(entries) = model.get(&[path]) else {
            changed.in_trouble.push(path.clone());
            continue;
        };
        for entry in entries {
            let size = entry.path.len() + entry.value.len();
            if bytes > 0 && bytes + size > MAX_CHANGED {
                changed.left_out.push(entry.path);
            } else {
                bytes += size;
                changed.entries.push(entry);
            }
        }
    }
    changed
}

/// Builds the Inform: the forced parameters, the changed ones and those that the ACS wants
/// with these events (INF-009), each once (INF-010).
pub fn build(
    world: &World,
    model: &mut Model,
    events: Vec<Event>,
    changed: &[Entry],
    retry_count: u32,
) -> Inform {
    model.begin();
    let mut seen = HashSet::new();
    let mut parameters = Vec::new();
    let mut add = |entry: Entry| {
        if seen.insert(entry.path.clone()) {
            parameters.push(ParameterValue {
                name: entry.path,
                ty: super::answer::xsd_type(entry.ty),
                value: entry.value,
            });
        }
    };
    model.forced_inform().into_iter().for_each(&mut add);
    changed.iter().cloned().for_each(&mut add);
    let codes: Vec<&str> = events.iter().map(|event| event.code.text()).collect();
    let (wanted, cut) = model.inform_parameters(&codes, MAX_ADDED, MAX_ADDED_BYTES);
    wanted.into_iter().for_each(&mut add);
    if cut {
        log::warn!("InformParameter names more than an Inform carries; the rest is left out");
    }
    let identity = world.identity();
    Inform {
        device: DeviceId {
            manufacturer: identity.manufacturer.clone(),
            oui: identity.oui.clone(),
            product_class: identity.product_class.clone(),
            serial_number: identity.serial_number.clone(),
        },
        events,
        current_time: current_time(&world.setup.root, &world.runtime, clock::unix_seconds()),
        retry_count,
        parameters,
    }
}

/// Local time with its offset, or the time since boot while the clock cannot be right
/// (TR-106 3.2).
fn current_time(root: &Root, runtime: &Runtime, now: i64) -> DateTime {
    if clock::was_set(now) {
        DateTime::Local {
            seconds: now,
            offset_minutes: runtime.utc_offset_minutes(root, now),
        }
    } else {
        DateTime::SinceBoot(uptime(root))
    }
}

fn uptime(root: &Root) -> u32 {
    root.read("/proc/uptime", 128)
        .ok()
        .and_then(|text| {
            let text = String::from_utf8(text).ok()?;
            text.split(['.', ' ']).next()?.trim().parse().ok()
        })
        .unwrap_or(0)
}

/// The user name towards the ACS: the configured one, else OUI-ProductClass-SerialNumber
/// with everything but letters, digits and `_` percent-encoded (TR-069 3.4.4).
pub fn username(configured: &str, identity: &Identity) -> String {
    if !configured.is_empty() {
        return configured.to_owned();
    }
    let parts = [
        &identity.oui,
        &identity.product_class,
        &identity.serial_number,
    ];
    let mut out = String::new();
    for part in parts.into_iter().filter(|p| !p.is_empty()) {
        if !out.is_empty() {
            out.push('-');
        }
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-INF-004, T-INF-005
    #[test]
    fn a_clock_that_was_never_set_tells_the_time_since_boot_without_a_zone() {
        let dir = std::env::temp_dir().join(format!("cwmp-inform-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc")).expect("a folder");
        std::fs::write(dir.join("proc/uptime"), "3725.91 7000.00\n").expect("uptime");
        let root = Root::new(&dir).expect("a root");
        let told = |now| current_time(&root, &Runtime::default(), now).to_string();
        assert_eq!(told(86_400), "0001-01-01T01:02:05");
        assert_eq!(told(1_782_864_000), "2026-07-01T00:00:00Z");
        std::fs::remove_dir_all(&dir).expect("gone");
    }

    fn identity(class: &str, serial: &str) -> Identity {
        Identity {
            manufacturer: "Example".into(),
            oui: "00D09E".into(),
            product_class: class.into(),
            serial_number: serial.into(),
            model_name: "X".into(),
            hardware_version: "1".into(),
            software_version: "2".into(),
        }
    }

    // T-SES-007
    #[test]
    fn the_default_user_name_is_the_escaped_identity() {
        assert_eq!(
            username("", &identity("Home Router", "A-1/é_")),
            "00D09E-Home%20Router-A%2D1%2F%C3%A9_"
        );
        assert_eq!(username("", &identity("", "7")), "00D09E-7");
        assert_eq!(username("given", &identity("x", "7")), "given");
    }
}
