//! Values computed by compiled-in code, and values that the agent hands in while it
//! runs. Read-only, but for fields of tables that the agent publishes.

mod accounts;
mod air;
mod clock;
mod counters;
mod firewall;
mod hostapd;
pub(super) mod kept;
mod names;
mod network;
mod processes;
mod processors;
pub mod published;
mod sensors;
mod stations;
mod system;
mod timezone;
mod wifi;

use super::packages::Packages;
use super::read_only;
use crate::model::binding::{Binding, Rows};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Said, Source, Trouble};
use crate::store::{Folders, Root};
use accounts::Accounts;
use counters::Counters;
use hostapd::Modes;
use names::Value;
use processes::Processes;
use processors::{Processors, Share};
use published::{Published, Tables};
use sensors::Sensors;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use system::Hardware;
use timezone::ZoneText;
use wifi::Wifi;

pub use timezone::is_posix_zone;

/// Names of tables.
const TABLES: [&str; 7] = [
    "cpus",
    "ipv4_addresses",
    "processes",
    "processors",
    "sensors",
    "stations",
    "users",
];

/// Names that `native = ` may give for a parameter; `check` refuses others.
pub fn is_value(name: &str) -> bool {
    names::value(name).is_some() || published::is_value(name)
}

/// Whether a value changes without the agent's doing, and nobody tells.
pub fn changes_by_itself(name: &str) -> bool {
    // Of published tables the agent tells.
    names::value(name) != Some(Value::Given) && !published::is_value(name)
}

/// Names that `rows = { native = }` may give.
pub fn is_table(name: &str) -> bool {
    TABLES.contains(&name) || network::TABLES.contains(&name) || published::is_table(name)
}

/// Values that the agent itself knows and the data model shows
/// (`native = "connection_request_url"`), and the time zone that both need. Copies share
/// them.
#[derive(Clone, Default)]
pub struct Runtime {
    map: Arc<Mutex<BTreeMap<String, String>>>,
    zone: Arc<Mutex<ZoneText>>,
    packages: Packages,
    /// Tables that the agent hands in.
    pub published: Published,
    /// Where ubusd listens.
    bus: Option<PathBuf>,
}

/// Shows the names only: the URL of the connection request is a secret.
impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|map| f.debug_set().entries(map.keys()).finish())
    }
}

impl Runtime {
    /// With the ubusd at this socket, root included; `None`: no source asks one.
    pub fn on_bus(socket: Option<PathBuf>) -> Runtime {
        Runtime {
            bus: socket,
            ..Runtime::default()
        }
    }

    /// Where ubusd listens, whether it runs or not.
    pub(super) fn bus(&self) -> Option<&Path> {
        self.bus.as_deref()
    }

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
        self.zone().utc_offset_minutes(&self.packages, root, now)
    }

    /// UCI packages as they were read, shared by the sources.
    pub(super) fn packages(&self) -> &Packages {
        &self.packages
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
    hardware: Hardware,
    counters: Counters,
    ntp: clock::Ntp,
    firewall: firewall::Settings,
    /// The value that was asked for last.
    text: String,
    /// The time of this request, where a value asked for it.
    now: Option<String>,
    networks: network::Networks,
    tables: Tables,
}

impl NativeSource {
    /// Computes from files below this root; `runtime` holds what the agent hands in.
    pub fn new(root: Root, runtime: Runtime) -> NativeSource {
        NativeSource::below(Folders::new(root), runtime)
    }

    /// The same; folders that another source walked in a request are not walked again.
    pub fn below(folders: Folders, runtime: Runtime) -> NativeSource {
        let wifi = Wifi::new(runtime.packages.clone(), runtime.bus());
        let networks = network::Networks::new(runtime.packages.clone(), runtime.bus());
        let tables = Tables::new(runtime.published.clone());
        NativeSource {
            root: folders,
            runtime,
            processors: Processors::default(),
            processes: Processes::default(),
            sensors: Sensors::default(),
            accounts: Accounts::default(),
            wifi,
            modes: Modes::default(),
            hardware: Hardware::default(),
            counters: Counters::default(),
            ntp: clock::Ntp::default(),
            firewall: firewall::Settings::default(),
            text: String::new(),
            now: None,
            networks,
            tables,
        }
    }

    fn computed(
        &mut self,
        value: Option<Value>,
        name: &str,
        rows: &[String],
    ) -> Result<Option<&str>, Trouble> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let put = match value {
            Some(value) => self.put(value, name, rows, &mut text),
            None => {
                let row = rows.last().map(String::as_str).unwrap_or_default();
                let put = self.tables.put(name, row, &mut text);
                put.ok_or_else(|| "there is no native value of this name".to_owned())
            }
        };
        self.text = text;
        match put {
            Ok(is_there) => Ok(is_there.then_some(self.text.as_str())),
            Err(what) => Err(trouble(name, what)),
        }
    }

    /// Appends a value; tells whether there is one.
    fn put(
        &mut self,
        value: Value,
        name: &str,
        rows: &[String],
        out: &mut String,
    ) -> Result<bool, String> {
        let row = rows.last().map(String::as_str).unwrap_or_default();
        let cpu = if row.is_empty() { "cpu" } else { row };
        let root = &self.root;
        let value = match value {
            Value::Given => self.runtime.get(name),
            Value::Net(what) => return Ok(self.networks.value(root, what, rows, out).is_some()),
            Value::DeviceCounter(_) | Value::InterfaceCounter(_) => {
                let digits = self.digits(value, row);
                out.push_str(digits.unwrap_or_default());
                return Ok(digits.is_some());
            }
            Value::WifiCounter(column) => {
                let section = rows.first().map(String::as_str).unwrap_or_default();
                let counters = &mut self.counters;
                let count = self.wifi.counter(root, counters, section, column)?;
                put_number(count.unwrap_or_default(), out);
                return Ok(count.is_some());
            }
            Value::HostStation => self.wifi.access_point_of(root, row)?,
            Value::Station(what) => return self.wifi.station(root, what, rows, out),
            Value::CurrentLocalTime => {
                let packages = &self.runtime.packages;
                Some(
                    self.runtime
                        .zone()
                        .current_local_time(packages, root.root()),
                )
            }
            Value::CpuUsage => self.processors.share(root, cpu, Share::Busy)?,
            Value::CpuUser => self.processors.share(root, cpu, Share::User)?,
            Value::CpuSystem => self.processors.share(root, cpu, Share::System)?,
            Value::CpuIdle => self.processors.share(root, cpu, Share::Idle)?,
            Value::ProcessorArchitecture => {
                let word = self.processors.architecture(root)?;
                out.push_str(word.unwrap_or_default());
                return Ok(word.is_some());
            }
            Value::FirewallChanged => self.firewall.changed(root)?,
            Value::FirewallVersion => self.firewall.version(root)?,
            Value::TimeStatus => {
                out.push_str(self.ntp.status(&self.runtime.packages, root));
                return Ok(true);
            }
            Value::Hardware => self.hardware.name(root)?,
            Value::ConfigDate => system::config_date(root, row)?,
            Value::ProcessCommand => processes::command(root, row)?,
            Value::ProcessCpuTime
            | Value::ProcessName
            | Value::ProcessPriority
            | Value::ProcessSize
            | Value::ProcessState => return self.processes.value(root, value, row, out),
            Value::SensorName => self.sensors.name(root, row)?,
            Value::SensorValue => self.sensors.value(root, row)?,
            Value::SensorStatus => self.sensors.status(root, row)?,
            Value::SensorTime => self.sensor_time(row)?,
            Value::UserId | Value::UserEnabled | Value::UserGroups => {
                self.accounts.value(root, value, row)?
            }
            Value::WifiSecurityModes => Some(self.modes.supported(root)),
            Value::WifiBands
            | Value::WifiBssid
            | Value::WifiChannel
            | Value::WifiMac
            | Value::WifiName
            | Value::WifiService
            | Value::WifiStatus
            | Value::WifiSupportedStandards
            | Value::WifiSupportedWidths
            | Value::WifiUpstream => {
                let section = rows.first().map(String::as_str).unwrap_or_default();
                self.wifi.value(root, value, section)?
            }
            Value::PersistentTotal => system::persistent(root)?.map(|(total, _)| total),
            Value::PersistentFree => system::persistent(root)?.map(|(_, free)| free),
            Value::Ipv4Address => network::ipv4(rows)?.map(|(address, _)| address),
            Value::Ipv4Netmask => network::ipv4(rows)?.and_then(|(_, mask)| mask),
            Value::Ipv6Address => network::ipv6(row)?,
        };
        out.push_str(value.as_deref().unwrap_or_default());
        Ok(value.is_some())
    }

    /// What the kernel has counted for a device or network, as it stands there.
    fn digits(&mut self, value: Value, row: &str) -> Option<&str> {
        let root = &self.root;
        match value {
            Value::DeviceCounter(column) => self.counters.digits(root, row, column),
            Value::InterfaceCounter(column) => {
                let device = self.networks.l3_device(root, row)?;
                self.counters.digits(root, device, column)
            }
            _ => None,
        }
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
            ("processors", _) if self.processors.architecture(root)?.is_none() => Ok(Vec::new()),
            ("processors", _) => self.processors.names(root),
            ("sensors", _) => self.sensors.keys(root),
            ("stations", Some(interface)) => self.wifi.stations(root, interface),
            ("users", _) => self.accounts.names(root),
            (name, _) => self
                .tables
                .keys(name)
                .ok_or_else(|| "there is no native table of this name".to_owned()),
        }
    }

    /// A number that stands while the rows of all tables of this name do; `None` where only
    /// asking tells.
    fn version(&mut self, table: &str) -> Result<Option<u32>, String> {
        let root = &self.root;
        Ok(Some(match table {
            "cpus" => self.processors.version(root)?,
            "processes" => self.processes.version(root)?,
            "processors" => {
                self.processors.architecture(root)?;
                self.processors.version(root)?
            }
            "sensors" => return self.sensors.version(root),
            "users" => self.accounts.version(root)?,
            "ipv4_addresses" => return Ok(None),
            name if network::TABLES.contains(&name) => self.networks.version(root, name),
            name if published::is_table(name) => self.tables.version(),
            _ => return Ok(None),
        }))
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
        self.modes.begin();
        self.counters.begin();
        self.firewall.begin();
        self.now = None;
        self.networks.begin();
    }

    fn rest(&mut self) {
        self.begin();
        self.root.release();
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

    fn rows_version(&mut self, rows: &Rows) -> Option<u32> {
        match rows {
            // What is wrong is told by whoever asks for the rows.
            Rows::Native(name) => self.version(name).ok().flatten(),
            _ => None,
        }
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        let Binding::Native(name) = ask.binding else {
            return Ok(None);
        };
        let known = names::value(name);
        let text = match known {
            // Most of a tree's computed values: handed on from where they lie.
            Some(value @ (Value::DeviceCounter(_) | Value::InterfaceCounter(_))) => {
                self.digits(value, ask.rows.last().map_or("", String::as_str))
            }
            _ => self.computed(known, name, ask.rows)?,
        };
        Ok(text.map(|text| Said::Text(text.into())))
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        match at.binding {
            Binding::Native(name) => {
                let row = at.rows.last().map(String::as_str).unwrap_or_default();
                self.tables.stage(name, row, value)
            }
            _ => Err(read_only("native", "what is bound elsewhere")),
        }
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("native", "a computed table"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("native", "a computed table"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        self.tables.prepare()
    }

    fn finish(&mut self, committed: bool) {
        self.tables.finish(committed);
    }
}

/// Appends a number in decimal digits.
fn put_number(number: u64, out: &mut String) {
    // As many as the highest has; filled from behind.
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    let mut rest = number;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // One digit.
        *digit += (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    out.push_str(str::from_utf8(digits).unwrap_or_default());
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
        for (name, _) in names::ALL {
            // In a process row each answers a value or none, but is known.
            let answer = source.computed(names::value(name), name, &pid);
            assert!(answer.is_ok(), "{name}: {answer:?}");
        }
        assert!(source.computed(None, "no_such", &pid).is_err());
        assert!(is_value("oui") && is_value("cpu_usage") && !is_value("no_such"));
        assert!(is_table("ipv4_addresses") && !is_table("cpu_usage"));
    }

    #[test]
    fn what_the_agent_sets_is_read_and_copies_share_it() {
        let runtime = Runtime::default();
        let root = Root::new("/".as_ref()).expect("there is a root");
        let mut source = NativeSource::new(root, runtime.clone());
        let url = "connection_request_url";
        assert_eq!(source.computed(names::value(url), url, &[]), Ok(None));
        runtime.set(url, "http://192.0.2.1:7547/x");
        assert_eq!(
            source.computed(names::value(url), url, &[]),
            Ok(runtime.get(url).as_deref())
        );
        assert!(runtime.get(url).is_some());
        runtime.clear(url);
        assert_eq!(source.computed(names::value(url), url, &[]), Ok(None));
    }
}
