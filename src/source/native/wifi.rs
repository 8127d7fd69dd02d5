//! What runs of the wireless configuration: Device.WiFi.
//!
//! netifd knows which kernel device a `wifi-iface` got, but only on ubus. Here it is found
//! as OpenWrt's scripts make it: the radio's `path` leads to its phy, and the interfaces
//! of a phy that are not disabled are numbered in the order of the file. What is found
//! must exist and belong to that phy, or it is not shown.

use super::super::uci::{keys_of, wifi_standards};
use super::air::Air;
use super::counters::Counters;
use super::names::{self, Value};
use super::stations::Stations;
use super::system::read;
use crate::source::packages::Packages;
use crate::store::{Disk, Folders, RealDisk};
use crate::uci::file::{FileError, Stamp};
use crate::uci::{Package, Section};
use std::io::ErrorKind;
use std::path::Path;

const CONFIG: &str = "/etc/config/wireless";
const PHYS: &str = "/sys/class/ieee80211";
const DEVICES: &str = "/sys/class/net";
/// Phys of one piece of hardware at most.
const MOST_PHYS: usize = 16;

/// See the module.
pub struct Wifi {
    packages: Packages,
    config: Option<(Option<Stamp>, Config)>,
    /// What was found in this request.
    state: Option<State>,
    air: Air,
    stations: Stations,
}

/// What the configuration says, as far as it matters here.
#[derive(Default)]
struct Config {
    radios: Vec<Radio>,
    interfaces: Vec<Interface>,
}

struct Radio {
    key: String,
    name: String,
    disabled: bool,
    path: String,
    phy: String,
    /// `option radio`: which of several radios of one phy.
    part: String,
    mac: String,
    band: &'static str,
    standards: Vec<&'static str>,
    /// MHz that `htmode` asks for.
    width: u32,
}

struct Interface {
    key: String,
    /// As `uci` names it.
    name: String,
    radio: String,
    disabled: bool,
    mode: String,
    ifname: String,
    mac: String,
}

/// The phy of a radio.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phy {
    Name(String),
    /// The configuration names one that is not there.
    Missing,
    /// The configuration does not tell it in a way that is known here.
    Unknown,
}

struct State {
    phys: Vec<Phy>,
    /// One for each interface: its device, and whether that is up.
    devices: Vec<Option<Device>>,
}

struct Device {
    name: String,
    /// `operstate`.
    state: String,
}

impl Wifi {
    /// What runs of the configuration in one of these packages. Who knows is asked on the
    /// bus at this socket, if there is any.
    pub fn new(packages: Packages, bus: Option<&Path>) -> Wifi {
        Wifi {
            packages,
            config: None,
            state: None,
            air: Air::at(bus),
            stations: Stations::default(),
        }
    }

    /// A new request begins.
    pub fn begin(&mut self) {
        self.state = None;
        self.air.begin();
        self.stations.begin();
    }

    /// A value of the radio or interface that the outermost row is.
    pub fn value(
        &mut self,
        root: &Folders,
        what: Value,
        key: &str,
    ) -> Result<Option<String>, String> {
        self.refresh(root)?;
        let (Some((_, config)), Some(state)) = (&self.config, &self.state) else {
            return Ok(None);
        };
        let radio = config.radios.iter().position(|r| r.key == key);
        if let Some((radio, at)) = radio.and_then(|i| Some((config.radios.get(i)?, i))) {
            return Ok(match what {
                Value::WifiStatus => Some(state.radio_status(config, radio, at).to_owned()),
                Value::WifiUpstream => Some(config.has_client(radio).to_string()),
                Value::WifiBands => Some(radio.band.to_owned()).filter(|b| !b.is_empty()),
                Value::WifiSupportedStandards => Some(radio.standards.join(",")),
                Value::WifiSupportedWidths => Some(radio.widths()),
                // All devices of a radio are on one channel.
                Value::WifiChannel => {
                    let name = state.up(config, radio).map(|device| &device.name);
                    let channel = name.and_then(|name| self.air.channel(name));
                    channel.map(|channel| channel.to_string())
                }
                _ => None,
            });
        }
        let found = config.interfaces.iter().position(|i| i.key == key);
        let Some((interface, at)) = found.and_then(|i| Some((config.interfaces.get(i)?, i))) else {
            return Ok(None);
        };
        let device = state.devices.get(at).and_then(Option::as_ref);
        Ok(match what {
            Value::WifiName => Some(device.map_or(&interface.name, |d| &d.name).clone()),
            Value::WifiStatus => Some(state.status(config, interface, at).to_owned()),
            Value::WifiService => Some(state.service(config, interface, at).to_owned()),
            Value::WifiMac => address(root, device)?.or_else(|| {
                let mac = Some(&interface.mac).filter(|m| is_address(m));
                mac.map(|m| m.to_lowercase())
            }),
            // Which access point a client is connected to, the kernel's files do not tell.
            Value::WifiBssid if interface.mode == "ap" => address(root, device)?,
            _ => None,
        })
    }

    /// A counter of an interface's device, or of all devices of a radio, by its column in
    /// `/proc/net/dev`.
    pub fn counter(
        &mut self,
        root: &Folders,
        counters: &mut Counters,
        key: &str,
        column: u8,
    ) -> Result<Option<u64>, String> {
        self.refresh(root)?;
        let (Some((_, config)), Some(state)) = (&self.config, &self.state) else {
            return Ok(None);
        };
        // A file that cannot be read is told of even where there is no device.
        if let Some(trouble) = counters.trouble(root) {
            return Err(trouble.clone());
        }
        let mut sum = 0u64;
        let radio = config.radios.iter().find(|radio| radio.key == key);
        for (interface, device) in config.interfaces.iter().zip(&state.devices) {
            let own = match radio {
                Some(radio) => interface.radio == radio.name,
                None => interface.key == key,
            };
            if let (true, Some(device)) = (own, device) {
                sum = sum.wrapping_add(counters.number(root, &device.name, column)?);
            }
        }
        Ok(Some(sum))
    }

    /// The MAC addresses of the stations of an access point; none while it is not up.
    pub fn stations(&mut self, root: &Folders, key: &str) -> Result<Vec<String>, String> {
        if !self.air.is_on() {
            return Ok(Vec::new());
        }
        self.refresh(root)?;
        let device = access_point(&self.config, &self.state, key);
        Ok(device.map_or_else(Vec::new, |name| self.stations.of(&mut self.air, name)))
    }

    /// The row of a station among those of all access points, as a reference says it: `None`
    /// where it is on none of them.
    pub fn access_point_of(&mut self, root: &Folders, mac: &str) -> Result<Option<String>, String> {
        if !self.air.is_on() {
            return Ok(None);
        }
        self.refresh(root)?;
        let (Some((_, config)), Some(state)) = (&self.config, &self.state) else {
            return Ok(None);
        };
        let mac = mac.to_ascii_lowercase();
        for (interface, device) in config.interfaces.iter().zip(&state.devices) {
            let device = device
                .as_ref()
                .filter(|d| d.is_up() && interface.mode == "ap");
            let mut has = |name| self.stations.has(&mut self.air, name, &mac);
            if device.is_some_and(|device| has(&device.name)) {
                return Ok(Some([interface.key.as_str(), "/", &mac].concat()));
            }
        }
        Ok(None)
    }

    /// Appends a value of the station that these rows name, an access point and a MAC address
    /// in it; tells whether there is one.
    pub fn station(
        &mut self,
        root: &Folders,
        what: names::Station,
        rows: &[String],
        out: &mut String,
    ) -> Result<bool, String> {
        let [key, mac, ..] = rows else {
            return Ok(false);
        };
        self.refresh(root)?;
        let Some(device) = access_point(&self.config, &self.state, key) else {
            return Ok(false);
        };
        let put = self.stations.put(&mut self.air, device, mac, what, out);
        Ok(put.is_some())
    }

    fn refresh(&mut self, root: &Folders) -> Result<(), String> {
        if self.state.is_some() {
            return Ok(());
        }
        self.load(root)?;
        if let Some((_, config)) = &self.config {
            self.state = Some(State::of(root, config));
        }
        Ok(())
    }

    /// Reads the configuration if it changed.
    fn load(&mut self, root: &Folders) -> Result<(), String> {
        let stamp = match root.metadata(CONFIG) {
            Ok(metadata) => Some(Stamp::from(&metadata)),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(format!("{CONFIG}: {e}")),
        };
        if self.config.as_ref().is_none_or(|(then, _)| *then != stamp) {
            let path = root.path(CONFIG).map_err(|e| e.to_string())?;
            let config = match self.packages.load(&path) {
                Ok((package, _)) => Config::of(&package),
                Err(FileError::Missing { .. }) => Config::default(),
                Err(e) => return Err(e.to_string()),
            };
            self.config = Some((stamp, config));
        }
        Ok(())
    }
}

impl Config {
    fn of(package: &Package) -> Config {
        let mut config = Config::default();
        let keys = keys_of(package);
        for (section, key) in package.sections().iter().zip(keys) {
            let text = |option| text(section, option).to_owned();
            let disabled = is_on(&text("disabled"));
            match section.kind() {
                "wifi-device" => config.radios.push(Radio {
                    name: section.name().unwrap_or_default().to_owned(),
                    key,
                    disabled,
                    path: text("path"),
                    phy: text("phy"),
                    part: text("radio"),
                    mac: text("macaddr"),
                    band: band(section),
                    standards: wifi_standards(section).unwrap_or_default(),
                    width: width(&text("htmode")),
                }),
                "wifi-iface" => {
                    let n = config.interfaces.len();
                    let name = section.name().map(str::to_owned);
                    config.interfaces.push(Interface {
                        key,
                        name: name.unwrap_or_else(|| format!("@wifi-iface[{n}]")),
                        radio: text("device"),
                        disabled,
                        mode: text("mode"),
                        ifname: text("ifname"),
                        mac: text("macaddr"),
                    });
                }
                _ => {}
            }
        }
        config
    }

    fn radio_of(&self, interface: &Interface) -> Option<(usize, &Radio)> {
        let mut radios = self.radios.iter().enumerate();
        radios.find(|(_, radio)| radio.name == interface.radio && !radio.name.is_empty())
    }

    /// Whether a radio serves an interface that is a client of another access point.
    fn has_client(&self, radio: &Radio) -> bool {
        let client = |i: &Interface| i.radio == radio.name && i.mode == "sta" && !i.disabled;
        self.interfaces.iter().any(client)
    }
}

impl Radio {
    /// All widths up to the one that is configured.
    fn widths(&self) -> String {
        let all = [
            (20, "20MHz"),
            (40, "40MHz"),
            (80, "80MHz"),
            (160, "160MHz"),
            (320, "320MHz-1"),
        ];
        let fit = all.iter().filter(|(width, _)| *width <= self.width);
        fit.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}

impl State {
    fn of(root: &Folders, config: &Config) -> State {
        let phys: Vec<Phy> = config.radios.iter().map(|r| phy_of(root, r)).collect();
        let mut devices = Vec::with_capacity(config.interfaces.len());
        for (at, interface) in config.interfaces.iter().enumerate() {
            devices.push(device_of(root, config, &phys, at, interface));
        }
        State { phys, devices }
    }

    /// The first device of a radio that is up.
    fn up(&self, config: &Config, radio: &Radio) -> Option<&Device> {
        let own = config.interfaces.iter().zip(&self.devices);
        let mut own = own.filter(|(interface, _)| interface.radio == radio.name);
        own.find_map(|(_, device)| device.as_ref().filter(|device| device.is_up()))
    }

    fn radio_status(&self, config: &Config, radio: &Radio, at: usize) -> &'static str {
        match self.phys.get(at) {
            _ if self.up(config, radio).is_some() => "Up",
            _ if radio.disabled => "Down",
            Some(Phy::Missing) => "NotPresent",
            Some(Phy::Name(_)) => "Down",
            Some(Phy::Unknown) | None => "Unknown",
        }
    }

    fn status(&self, config: &Config, interface: &Interface, at: usize) -> &'static str {
        if let Some(device) = self.devices.get(at).and_then(Option::as_ref) {
            return match device.state.as_str() {
                _ if device.is_up() => "Up",
                "dormant" => "Dormant",
                "lowerlayerdown" => "LowerLayerDown",
                _ => "Down",
            };
        }
        if interface.disabled {
            return "Down";
        }
        match config.radio_of(interface) {
            Some((_, radio)) if radio.disabled => "LowerLayerDown",
            Some((radio, _)) => match self.phys.get(radio) {
                Some(Phy::Missing) => "LowerLayerDown",
                Some(Phy::Name(_)) => "Down",
                Some(Phy::Unknown) | None => "Unknown",
            },
            None => "LowerLayerDown",
        }
    }

    /// The same in the words of AccessPoint and EndPoint.
    fn service(&self, config: &Config, interface: &Interface, at: usize) -> &'static str {
        let radio_off = config.radio_of(interface).is_some_and(|(_, r)| r.disabled);
        match self.status(config, interface, at) {
            "Up" => "Enabled",
            _ if interface.disabled || radio_off => "Disabled",
            // It is configured; whether it runs cannot be seen.
            "Unknown" => "Enabled",
            _ if config.radio_of(interface).is_none() => "Error_Misconfigured",
            _ => "Error",
        }
    }
}

/// The device of an access point that is up.
fn access_point<'s>(
    config: &Option<(Option<Stamp>, Config)>,
    state: &'s Option<State>,
    key: &str,
) -> Option<&'s str> {
    let (_, config) = config.as_ref()?;
    let mut all = config.interfaces.iter().zip(&state.as_ref()?.devices);
    let (_, device) = all.find(|(interface, _)| interface.key == key && interface.mode == "ap")?;
    let device = device.as_ref().filter(|device| device.is_up())?;
    Some(&device.name)
}

impl Device {
    fn is_up(&self) -> bool {
        self.state == "up" || self.state == "unknown"
    }
}

/// `path` is that of the hardware below `/sys/devices`, with `+1` for its second phy.
fn phy_of(root: &Folders, radio: &Radio) -> Phy {
    let exists = |path: &str| root.path(path).is_ok_and(|p| p.exists());
    if !radio.phy.is_empty() {
        let ok = !radio.phy.contains('/') && exists(&format!("{PHYS}/{}", radio.phy));
        return if ok {
            Phy::Name(radio.phy.clone())
        } else {
            Phy::Missing
        };
    }
    if !radio.path.is_empty() {
        let (path, n) = match radio.path.rsplit_once('+') {
            Some((path, n)) => (path, n.parse::<usize>().unwrap_or(0)),
            None => (radio.path.as_str(), 0),
        };
        for base in ["/sys/devices", "/sys/devices/platform"] {
            let mut names = list(root, &[base, "/", path, "/ieee80211"].concat());
            names.sort_unstable();
            if let Some(name) = names.into_iter().nth(n) {
                return Phy::Name(name);
            }
        }
        return Phy::Missing;
    }
    if is_address(&radio.mac) {
        for name in list(root, PHYS).into_iter().take(MOST_PHYS) {
            let file = format!("{PHYS}/{name}/macaddress");
            let address = read(root, &file).ok().flatten().unwrap_or_default();
            if address.trim().eq_ignore_ascii_case(&radio.mac) {
                return Phy::Name(name);
            }
        }
        return Phy::Missing;
    }
    Phy::Unknown
}

fn list(root: &Folders, dir: &str) -> Vec<String> {
    let path = root.path(dir).ok();
    path.and_then(|path| RealDisk.list(&path).ok())
        .unwrap_or_default()
}

/// The kernel's device of the n-th interface of the file.
fn device_of(
    root: &Folders,
    config: &Config,
    phys: &[Phy],
    at: usize,
    interface: &Interface,
) -> Option<Device> {
    let (radio_at, radio) = config.radio_of(interface)?;
    let Phy::Name(phy) = phys.get(radio_at)? else {
        return None;
    };
    if interface.disabled || radio.disabled {
        return None;
    }
    let names = match interface.ifname.as_str() {
        "" => {
            let before = || {
                let earlier = config.interfaces.iter().take(at);
                earlier.filter(|i| i.radio == interface.radio && !i.disabled)
            };
            let same_mode = before().filter(|i| i.mode == interface.mode).count();
            device_names(
                phy,
                &radio.part,
                &interface.mode,
                same_mode,
                before().count(),
            )
        }
        ifname => vec![ifname.to_owned()],
    };
    names.into_iter().find_map(|name| {
        if name.contains('/') || name.starts_with('.') {
            return None;
        }
        let own = read(root, &[DEVICES, "/", &name, "/phy80211/name"].concat());
        if own.ok().flatten()?.trim() != phy {
            return None;
        }
        let state = read(root, &[DEVICES, "/", &name, "/operstate"].concat());
        let state = state.ok().flatten().unwrap_or_default();
        Some(Device {
            name,
            state: state.trim().to_owned(),
        })
    })
}

/// What OpenWrt calls a device: since 23.05 `phy0-ap0`, before `wlan0` and `wlan0-1`.
fn device_names(phy: &str, part: &str, mode: &str, same_mode: usize, all: usize) -> Vec<String> {
    let kind = match mode {
        "adhoc" => "ibss",
        "monitor" => "mon",
        mode => mode,
    };
    let dot = if part.is_empty() { "" } else { "." };
    let mut names = vec![format!("{phy}{dot}{part}-{kind}{same_mode}")];
    if let Some(n) = phy.strip_prefix("phy") {
        names.push(match all {
            0 => format!("wlan{n}"),
            all => format!("wlan{n}-{all}"),
        });
    }
    names
}

fn address(root: &Folders, device: Option<&Device>) -> Result<Option<String>, String> {
    let Some(device) = device else {
        return Ok(None);
    };
    let text = read(root, &[DEVICES, "/", &device.name, "/address"].concat())?;
    let address = text.as_deref().map(str::trim_ascii);
    Ok(address.filter(|t| is_address(t)).map(str::to_owned))
}

pub(super) fn is_address(text: &str) -> bool {
    // Six octets of two digits each.
    let is_part = |(at, b): (usize, u8)| match at % 3 {
        2 => b == b':',
        _ => b.is_ascii_hexdigit(),
    };
    text.len() == 17 && text.bytes().enumerate().all(is_part)
}

fn text<'s>(section: &'s Section, option: &str) -> &'s str {
    let value = section.get(option).and_then(|v| v.as_one());
    value.unwrap_or_default().trim()
}

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "yes" | "true" | "enabled")
}

fn band(section: &Section) -> &'static str {
    let band = match text(section, "band") {
        "" => text(section, "hwmode"),
        band => band,
    };
    match band {
        "2g" | "11g" | "11b" => "2.4GHz",
        "5g" | "11a" => "5GHz",
        "6g" => "6GHz",
        _ => "",
    }
}

fn width(htmode: &str) -> u32 {
    let digits = htmode.trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(20)
}
