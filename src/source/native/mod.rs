//! Values computed by compiled-in code, and values that the agent hands in while it
//! runs. Read-only.

mod network;
mod system;
mod timezone;

use super::read_only;
use crate::model::binding::{Binding, Rows};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Source, Trouble};
use crate::store::Root;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use system::{Cpu, Stats};
use timezone::ZoneText;

pub use timezone::utc_offset_minutes;

/// Names of values computed here.
const COMPUTED: [&str; 11] = [
    "cpu_usage",
    "current_local_time",
    "ipv4_address",
    "ipv4_netmask",
    "ipv6_address",
    "persistent_free",
    "persistent_total",
    "process_command",
    "process_cpu_time",
    "process_priority",
    "process_state",
];

/// Names of values that the agent sets in [`Runtime`], or the model keeps itself.
const GIVEN: [&str; 9] = [
    "connection_request_url",
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
const TABLES: [&str; 1] = ["ipv4_addresses"];

/// Names that `native = ` may give for a parameter; `check` refuses others.
pub fn is_value(name: &str) -> bool {
    COMPUTED.contains(&name) || GIVEN.contains(&name) || is_network_value(name)
}

/// Names that `rows = { native = }` may give.
pub fn is_table(name: &str) -> bool {
    TABLES.contains(&name) || network::TABLES.contains(&name)
}

fn is_network_value(name: &str) -> bool {
    network::VALUES.contains(&name) || network::MORE.contains(&name) || network::is_counter(name)
}

/// Values that the agent itself knows and the data model shows
/// (`native = "connection_request_url"`). Copies share one map.
#[derive(Clone, Default)]
pub struct Runtime {
    map: Arc<Mutex<BTreeMap<String, String>>>,
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

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        // Single inserts and removals leave the map whole, whoever panicked meanwhile.
        act(&mut self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves [`Binding::Native`] and [`Rows::Native`].
pub struct NativeSource {
    root: Root,
    runtime: Runtime,
    cpu: Cpu,
    zone: ZoneText,
    stats: Stats,
    networks: network::Networks,
}

impl NativeSource {
    /// Computes from files below this root; `runtime` holds what the agent hands in.
    pub fn new(root: Root, runtime: Runtime) -> NativeSource {
        NativeSource {
            root,
            runtime,
            cpu: Cpu::default(),
            zone: ZoneText::default(),
            stats: Stats::default(),
            networks: network::Networks::default(),
        }
    }

    fn value(&mut self, name: &str, rows: &[String]) -> Result<Option<String>, Trouble> {
        let row = rows.last().map(String::as_str).unwrap_or_default();
        let value = match name {
            "current_local_time" => Ok(Some(self.zone.current_local_time(&self.root))),
            "cpu_usage" => self.cpu.usage(&self.root),
            "process_command" => system::process_command(&self.root, row),
            "process_cpu_time" => self
                .stats
                .of(&self.root, row)
                .and_then(system::process_cpu_time),
            "process_priority" => self
                .stats
                .of(&self.root, row)
                .and_then(system::process_priority),
            "process_state" => self
                .stats
                .of(&self.root, row)
                .and_then(system::process_state),
            "persistent_total" => system::persistent(&self.root).map(|s| s.map(|(total, _)| total)),
            "persistent_free" => system::persistent(&self.root).map(|s| s.map(|(_, free)| free)),
            "ipv4_address" => network::ipv4(rows).map(|a| a.map(|(address, _)| address)),
            "ipv4_netmask" => network::ipv4(rows).map(|a| a.and_then(|(_, mask)| mask)),
            "ipv6_address" => network::ipv6(row),
            _ if is_network_value(name) => Ok(self.networks.value(&self.root, name, rows)),
            _ => match self.runtime.get(name) {
                None if !is_value(name) => Err("there is no native value of this name".to_owned()),
                value => Ok(value),
            },
        };
        value.map_err(|what| trouble(name, what))
    }
}

impl Source for NativeSource {
    fn begin(&mut self) {
        self.stats.clear();
        self.networks.clear();
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Native(name) = rows else {
            return Ok(Vec::new());
        };
        let keys = match (name.as_str(), parents.last()) {
            ("ipv4_addresses", Some(device)) => network::ipv4_addresses(device),
            ("ipv4_addresses", None) => {
                Err("this table belongs below a table of devices".to_owned())
            }
            (name, _) if network::TABLES.contains(&name) => {
                Ok(self.networks.rows(&self.root, name, parents))
            }
            _ => Err("there is no native table of this name".to_owned()),
        };
        let row = |key| Row {
            key,
            prints: Vec::new(),
        };
        match keys {
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
