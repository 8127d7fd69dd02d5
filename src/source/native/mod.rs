//! Values computed by compiled-in code, and values that the agent hands in while it
//! runs. Read-only.

mod accounts;
mod hostapd;
mod network;
mod processes;
mod processors;
mod sensors;
mod system;
mod timezone;
mod wifi;

use super::read_only;
use crate::model::binding::{Binding, Rows};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Source, Trouble};
use crate::store::{Folders, Root};
use accounts::Accounts;
use hostapd::Modes;
use processes::Processes;
use processors::{Processors, Share};
use sensors::Sensors;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use timezone::ZoneText;
use wifi::Wifi;

pub use timezone::is_posix_zone;

/// Names of values computed here.
const COMPUTED: [&str; 45] = [
    "config_date",
    "cpu_idle",
    "cpu_system",
    "cpu_usage",
    "cpu_user",
    "current_local_time",
    "hardware",
    "ipv4_address",
    "ipv4_netmask",
    "ipv6_address",
    "persistent_free",
    "persistent_total",
    "process_command",
    "process_cpu_time",
    "process_name",
    "process_priority",
    "process_size",
    "process_state",
    "processor_architecture",
    "sensor_name",
    "sensor_status",
    "sensor_time",
    "sensor_value",
    "user_enabled",
    "user_groups",
    "user_id",
    "wifi_bands",
    "wifi_bssid",
    "wifi_bytes_received",
    "wifi_bytes_sent",
    "wifi_discards_received",
    "wifi_discards_sent",
    "wifi_errors_received",
    "wifi_errors_sent",
    "wifi_mac",
    "wifi_multicast_received",
    "wifi_name",
    "wifi_packets_received",
    "wifi_packets_sent",
    "wifi_security_modes",
    "wifi_service",
    "wifi_status",
    "wifi_supported_standards",
    "wifi_supported_widths",
    "wifi_upstream",
];

/// Names of values that the agent sets in [`Runtime`], or the model keeps itself.
const GIVEN: [&str; 14] = [
    "connection_request_url",
    "dhcp_acs_url",
    "dhcp_provisioning_code",
    "dhcp_retry_minimum_wait",
    "dhcp_retry_multiplier",
    "first_use_date",
    "hardware_version",
    "manufacturer",
    "model_name",
    "oui",
    "parameter_key",
    "product_class",
    "serial_number",
    "software_version",
];

/// Names of tables.
const TABLES: [&str; 6] = [
    "cpus",
    "ipv4_addresses",
    "processes",
    "processors",
    "sensors",
    "users",
];

/// Names that `native = ` may give for a parameter; `check` refuses others.
pub fn is_value(name: &str) -> bool {
    COMPUTED.contains(&name) || GIVEN.contains(&name) || is_network_value(name)
}

/// Whether a value changes without the agent's doing, and nobody tells.
pub fn changes_by_itself(name: &str) -> bool {
    !GIVEN.contains(&name)
}

/// Names that `rows = { native = }` may give.
pub fn is_table(name: &str) -> bool {
    TABLES.contains(&name) || network::TABLES.contains(&name)
}

fn is_network_value(name: &str) -> bool {
    network::VALUES.contains(&name) || network::MORE.contains(&name) || network::is_counter(name)
}

/// Values that the agent itself knows and the data model shows
/// (`native = "connection_request_url"`), and the time zone that both need. Copies share
/// them.
#[derive(Clone, Default)]
pub struct Runtime {
    map: Arc<Mutex<BTreeMap<String, String>>>,
    zone: Arc<Mutex<ZoneText>>,
}

/// Shows the names only: the URL of the connection request is a secret.
impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|map| f.debug_set().entries(map.keys()).finish())
    }
}

impl Runtime {
    /// Sets a value; it is seen by the next read.
    pub fn set(&self, name: &str, value: &str) {
        self.with(|map| map.insert(name.to_owned(), value.to_owned()));
    }

    /// Takes a value away.
    pub fn clear(&self, name: &str) {
        self.with(|map| map.remove(name));
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.with(|map| map.get(name).cloned())
    }

    /// Minutes by which local time is ahead of UTC at `now` (seconds since 1970).
    pub fn utc_offset_minutes(&self, root: &Root, now: i64) -> i16 {
        self.zone().utc_offset_minutes(root, now)
    }

    fn zone(&self) -> MutexGuard<'_, ZoneText> {
        // What is known of the zone is replaced as a whole.
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        // Single inserts and removals leave the map whole, whoever panicked meanwhile.
        act(&mut self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves [`Binding::Native`] and [`Rows::Native`].
pub struct NativeSource {
    root: Folders,
    runtime: Runtime,
    processors: Processors,
    processes: Processes,
    sensors: Sensors,
    accounts: Accounts,
    wifi: Wifi,
    modes: Modes,
    /// The time of this request, where a value asked for it.
    now: Option<String>,
    networks: network::Networks,
}

impl NativeSource {
    /// Computes from files below this root; `runtime` holds what the agent hands in.
    pub fn new(root: Root, runtime: Runtime) -> NativeSource {
        NativeSource {
            root: Folders::new(root),
            runtime,
            processors: Processors::default(),
            processes: Processes::default(),
            sensors: Sensors::default(),
            accounts: Accounts::default(),
            wifi: Wifi::default(),
            modes: Modes::default(),
            now: None,
            networks: network::Networks::default(),
        }
    }

    fn value(&mut self, name: &str, rows: &[String]) -> Result<Option<String>, Trouble> {
        let row = rows.last().map(String::as_str).unwrap_or_default();
        let cpu = if row.is_empty() { "cpu" } else { row };
        let value = match name {
            "current_local_time" => Ok(Some(
                self.runtime.zone().current_local_time(self.root.root()),
            )),
            "cpu_usage" => self.share(cpu, Share::Busy),
            "cpu_user" => self.share(cpu, Share::User),
            "cpu_system" => self.share(cpu, Share::System),
            "cpu_idle" => self.share(cpu, Share::Idle),
            "processor_architecture" => {
                processors::architecture(&self.root).map(|word| word.map(str::to_owned))
            }
            "hardware" => system::hardware(&self.root),
            "config_date" => system::config_date(&self.root, row),
            "process_command" => processes::command(&self.root, row),
            "process_cpu_time" | "process_name" | "process_priority" | "process_size"
            | "process_state" => self.processes.value(&self.root, name, row),
            "sensor_name" => self.sensors.name(&self.root, row),
            "sensor_value" => self.sensors.value(&self.root, row),
            "sensor_status" => self.sensors.status(&self.root, row),
            "sensor_time" => self.sensor_time(row),
            "user_id" | "user_enabled" | "user_groups" => {
                self.accounts.value(&self.root, name, row)
            }
            "wifi_security_modes" => Ok(Some(self.modes.supported(&self.root))),
            _ if name.starts_with("wifi_") => {
                let section = rows.first().map(String::as_str).unwrap_or_default();
                self.wifi.value(&self.root, name, section)
            }
            "persistent_total" => system::persistent(&self.root).map(|s| s.map(|(total, _)| total)),
            "persistent_free" => system::persistent(&self.root).map(|s| s.map(|(_, free)| free)),
            "ipv4_address" => network::ipv4(rows).map(|a| a.map(|(address, _)| address)),
            "ipv4_netmask" => network::ipv4(rows).map(|a| a.and_then(|(_, mask)| mask)),
            "ipv6_address" => network::ipv6(row),
            _ if GIVEN.contains(&name) => Ok(self.runtime.get(name)),
            _ => Ok(self.networks.value(&self.root, name, rows)),
        };
        match value {
            // A name is only looked up in full where nothing came of it.
            Ok(None) if !is_value(name) => Err("there is no native value of this name".to_owned()),
            value => value,
        }
        .map_err(|what| trouble(name, what))
    }

    fn share(&mut self, cpu: &str, share: Share) -> Result<Option<String>, String> {
        self.processors.share(&self.root, cpu, share)
    }

    /// When a sensor was read: now, or never.
    fn sensor_time(&mut self, sensor: &str) -> Result<Option<String>, String> {
        Ok(match self.sensors.answers(&self.root, sensor)? {
            true => Some(self.now.get_or_insert_with(timezone::utc_now).clone()),
            false => None,
        })
    }

    fn keys(&mut self, table: &str, parents: &[String]) -> Result<Vec<String>, String> {
        let root = &self.root;
        match (table, parents.last()) {
            ("ipv4_addresses", Some(device)) => network::ipv4_addresses(device),
            ("ipv4_addresses", None) => {
                Err("this table belongs below a table of devices".to_owned())
            }
            (name, _) if network::TABLES.contains(&name) => {
                Ok(self.networks.rows(root, name, parents))
            }
            ("cpus", _) => self.processors.names(root),
            ("processes", _) => self.processes.ids(root),
            // Without a word for what they are there is nothing to show of them.
            ("processors", _) if processors::architecture(root)?.is_none() => Ok(Vec::new()),
            ("processors", _) => self.processors.names(root),
            ("sensors", _) => self.sensors.keys(root),
            ("users", _) => self.accounts.names(root),
            _ => Err("there is no native table of this name".to_owned()),
        }
    }
}

impl Source for NativeSource {
    fn begin(&mut self) {
        self.root.forget();
        self.processors.begin();
        self.processes.begin();
        self.sensors.begin();
        self.accounts.begin();
        self.wifi.begin();
        self.now = None;
        self.networks.clear();
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Native(name) = rows else {
            return Ok(Vec::new());
        };
        let row = |key| Row {
            key,
            prints: Vec::new(),
        };
        match self.keys(name, parents) {
            Ok(keys) => Ok(keys.into_iter().map(row).collect()),
            Err(what) => Err(trouble(name, what)),
        }
    }

    fn read(&mut self, asks: &[Ask<'_>]) -> Vec<Result<Option<Raw>, Trouble>> {
        asks.iter()
            .map(|ask| match ask.binding {
                Binding::Native(name) => Ok(self.value(name, ask.rows)?.map(Raw::Text)),
                _ => Ok(None),
            })
            .collect()
    }

    fn stage(&mut self, _at: Ask<'_>, _value: Option<Raw>) -> Result<(), Refusal> {
        Err(read_only("native", "a computed value"))
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("native", "a computed table"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("native", "a computed table"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }

    fn finish(&mut self, _committed: bool) {}
}

fn trouble(name: &str, what: String) -> Trouble {
    Trouble {
        source: format!("native {name}"),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_computed_name_is_computed() {
        let root = Root::new("/".as_ref()).expect("there is a root");
        let mut source = NativeSource::new(root, Runtime::default());
        let pid = [std::process::id().to_string()];
        for name in COMPUTED {
            // In a process row each answers a value or none, but is known.
            let answer = source.value(name, &pid);
            assert!(answer.is_ok(), "{name}: {answer:?}");
        }
        assert!(source.value("no_such", &pid).is_err());
        assert!(is_value("oui") && is_value("cpu_usage") && !is_value("no_such"));
        assert!(is_table("ipv4_addresses") && !is_table("cpu_usage"));
    }

    #[test]
    fn what_the_agent_sets_is_read_and_copies_share_it() {
        let runtime = Runtime::default();
        let root = Root::new("/".as_ref()).expect("there is a root");
        let mut source = NativeSource::new(root, runtime.clone());
        let url = "connection_request_url";
        assert_eq!(source.value(url, &[]), Ok(None));
        runtime.set(url, "http://192.0.2.1:7547/x");
        assert_eq!(source.value(url, &[]), Ok(runtime.get(url)));
        assert!(runtime.get(url).is_some());
        runtime.clear(url);
        assert_eq!(source.value(url, &[]), Ok(None));
    }
}
