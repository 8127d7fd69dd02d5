//! Temperatures: Device.DeviceInfo.TemperatureStatus.TemperatureSensor.
//!
//! The kernel shows them as thermal zones and as hardware monitors. A sensor is read once
//! a request; one that does not answer (the radio it sits in is off) is in error, which
//! TR-181 has a value for.

use super::kept::Found;
use super::system::read;
use crate::store::{Disk, Folders, RealDisk};
use std::collections::{BTreeMap, BTreeSet};

/// Sensors at most.
const MOST: usize = 32;
const ZONES: &str = "/sys/class/thermal";
const MONITORS: &str = "/sys/class/hwmon";
/// Bytes of what is kept of the folders of a usual router.
const USUAL: usize = 512;
/// TR-181: no good reading was obtained yet.
const NO_READING: i64 = -274;

/// The sensors, looked for anew when the kernel's folders of them hold something else.
#[derive(Debug, Default)]
pub struct Sensors {
    known: Option<BTreeMap<String, Sensor>>,
    /// The names of all entries, with their inodes: another device under an old name has
    /// another one.
    entries: Found<Vec<u8>>,
    /// A name could not be read, as while firmware loads: it is looked for again.
    in_doubt: bool,
}

#[derive(Debug)]
struct Sensor {
    name: String,
    /// Holds thousandths of a degree Celsius.
    file: String,
    /// `None`: not read yet.
    degrees: Option<Option<i64>>,
}

impl Sensors {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.entries.begin();
    }

    /// A number that stands while the sensors are the same.
    pub fn version(&mut self, root: &Folders) -> Result<Option<u32>, String> {
        self.all(root)?;
        Ok((!self.in_doubt).then(|| self.entries.version()))
    }

    /// The keys of the sensors: `thermal_zone0`, `hwmon1-temp1`.
    pub fn keys(&mut self, root: &Folders) -> Result<Vec<String>, String> {
        Ok(self.all(root)?.keys().cloned().collect())
    }

    /// The name of a sensor, different from those of all others.
    pub fn name(&mut self, root: &Folders, key: &str) -> Result<Option<String>, String> {
        Ok(self.all(root)?.get(key).map(|sensor| sensor.name.clone()))
    }

    /// Degrees Celsius, whole; `None`: there is no such sensor.
    pub fn value(&mut self, root: &Folders, key: &str) -> Result<Option<String>, String> {
        let degrees = self.degrees(root, key)?;
        Ok(degrees.map(|d| d.unwrap_or(NO_READING).to_string()))
    }

    /// `Enabled`, or `Error` where the sensor does not answer.
    pub fn status(&mut self, root: &Folders, key: &str) -> Result<Option<String>, String> {
        let degrees = self.degrees(root, key)?;
        let word = |d: Option<i64>| if d.is_some() { "Enabled" } else { "Error" };
        Ok(degrees.map(|d| word(d).to_owned()))
    }

    /// Whether a sensor answered.
    pub fn answers(&mut self, root: &Folders, key: &str) -> Result<bool, String> {
        Ok(self.degrees(root, key)?.flatten().is_some())
    }

    fn degrees(&mut self, root: &Folders, key: &str) -> Result<Option<Option<i64>>, String> {
        self.all(root)?;
        let Some(sensor) = self.known.as_mut().and_then(|all| all.get_mut(key)) else {
            return Ok(None);
        };
        if sensor.degrees.is_none() {
            let text = read(root, &sensor.file).ok().flatten();
            sensor.degrees = Some(text.as_deref().and_then(celsius));
        }
        Ok(sensor.degrees)
    }

    fn all(&mut self, root: &Folders) -> Result<&BTreeMap<String, Sensor>, String> {
        if !self.entries.is_checked() {
            let is_new = self.entries.take(all_entries(root));
            match &mut self.known {
                Some(known) if !is_new && !self.in_doubt => {
                    known.values_mut().for_each(|s| s.degrees = None)
                }
                known => {
                    let (found, whole) = find(root);
                    *known = Some(found);
                    self.in_doubt = !whole;
                }
            }
        }
        self.known
            .as_ref()
            .ok_or_else(|| "no sensors were looked for".to_owned())
    }
}

/// Whole degrees, towards the colder.
fn celsius(text: &str) -> Option<i64> {
    let thousandths: i64 = text.trim().parse().ok()?;
    Some(thousandths.div_euclid(1000)).filter(|d| *d > NO_READING && *d < 1000)
}

/// The sensors, and whether all their names could be read.
fn find(root: &Folders) -> (BTreeMap<String, Sensor>, bool) {
    let mut whole = true;
    let mut word = |root: &Folders, path: &str| match read(root, path) {
        Ok(text) => text.as_deref().and_then(name),
        Err(_) => {
            whole = false;
            None
        }
    };
    let mut all = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut zones = BTreeSet::new();
    let mut add = |key: String, name: String, file: String| {
        if all.len() >= MOST {
            return;
        }
        let mut own = name.clone();
        let mut n = 2;
        while !names.insert(own.clone()) {
            own = format!("{name} {n}");
            n += 1;
        }
        let sensor = Sensor {
            name: own,
            file,
            degrees: None,
        };
        all.insert(key, sensor);
    };
    for zone in entries(root, ZONES, "thermal_zone", "") {
        let kind = word(root, &format!("{ZONES}/{zone}/type")).unwrap_or_else(|| zone.clone());
        // The kernel shows a zone again as a monitor of this name.
        zones.insert(kind.replace('-', "_"));
        let file = format!("{ZONES}/{zone}/temp");
        add(zone, kind, file);
    }
    for monitor in entries(root, MONITORS, "hwmon", "") {
        let dir = format!("{MONITORS}/{monitor}");
        let chip = word(root, &format!("{dir}/name")).unwrap_or_else(|| monitor.clone());
        if zones.contains(&chip) {
            continue;
        }
        for input in entries(root, &dir, "temp", "_input") {
            let sensor = input.trim_end_matches("_input");
            let label = word(root, &format!("{dir}/{sensor}_label"));
            let label = label.unwrap_or_else(|| sensor.to_owned());
            let key = format!("{monitor}-{sensor}");
            add(key, format!("{chip} {label}"), format!("{dir}/{input}"));
        }
    }
    (all, whole)
}

/// The entries of the folders of sensors: names and inodes, one after the other.
fn all_entries(root: &Folders) -> Vec<u8> {
    let mut all = Vec::with_capacity(USUAL);
    add_entries(root, ZONES, &mut all, |_| {});
    let mut monitors: Vec<String> = Vec::new();
    add_entries(root, MONITORS, &mut all, |name| {
        if monitors.len() < MOST {
            monitors.push([MONITORS, "/", name].concat());
        }
    });
    for dir in &monitors {
        add_entries(root, dir, &mut all, |_| {});
    }
    all
}

fn add_entries(root: &Folders, dir: &str, all: &mut Vec<u8>, mut take: impl FnMut(&str)) {
    if let Ok(real) = root.folder(dir) {
        // What cannot be listed has no sensors.
        let _ = RealDisk.each_entry(&real, |name, inode| {
            all.extend_from_slice(name);
            // No name has a slash in it.
            all.push(b'/');
            all.extend_from_slice(&inode.to_ne_bytes());
            if let Ok(name) = std::str::from_utf8(name) {
                take(name);
            }
        });
    }
    // Two: no name is empty.
    all.extend_from_slice(b"//");
}

fn name(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(100).collect();
    (!text.is_empty()).then_some(text)
}

/// The names in a folder that begin and end so and have a number between, in its order.
fn entries(root: &Folders, dir: &str, begin: &str, end: &str) -> Vec<String> {
    let names = root.path(dir).map(|dir| RealDisk.list(&dir));
    let Ok(Ok(names)) = names else {
        return Vec::new();
    };
    let number = |name: &str| -> Option<u32> {
        let middle = name.strip_prefix(begin)?.strip_suffix(end)?;
        middle.parse().ok()
    };
    let mut found: Vec<(u32, String)> = names
        .into_iter()
        .filter_map(|name| Some((number(&name)?, name)))
        .collect();
    found.sort_unstable();
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Root;

    #[test]
    fn every_sensor_is_found_once_under_a_name_of_its_own() {
        let dir = std::env::temp_dir().join(format!("cwmp-sensors-{}", std::process::id()));
        for (path, text) in [
            ("thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("thermal/thermal_zone0/temp", "47999\n"),
            ("thermal/thermal_zone1/type", "cpu-thermal\n"),
            ("thermal/thermal_zone1/temp", "-500\n"),
            ("thermal/cooling_device0/type", "fan\n"),
            ("hwmon/hwmon0/name", "cpu_thermal\n"),
            ("hwmon/hwmon0/temp1_input", "47999\n"),
            ("hwmon/hwmon1/name", "mt7915_phy0\n"),
            ("hwmon/hwmon1/temp1_input", "not ready\n"),
        ] {
            let path = dir.join("sys/class").join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let root = Folders::new(Root::new(&dir).expect("a root"));
        let mut all = Sensors::default();
        let keys = all.keys(&root).expect("sensors");
        let shown: Vec<[Option<String>; 3]> = keys
            .iter()
            .map(|key| {
                let name = all.name(&root, key).expect("a name");
                let value = all.value(&root, key).expect("a value");
                [name, value, all.status(&root, key).expect("a status")]
            })
            .collect();
        std::fs::remove_dir_all(&dir).expect("gone");
        let row = |texts: [&str; 3]| texts.map(|text| Some(text.to_owned()));
        assert_eq!(keys, ["hwmon1-temp1", "thermal_zone0", "thermal_zone1"]);
        assert_eq!(
            shown,
            [
                row(["mt7915_phy0 temp1", "-274", "Error"]),
                row(["cpu-thermal", "47", "Enabled"]),
                row(["cpu-thermal 2", "-1", "Enabled"]),
            ]
        );
    }
}
