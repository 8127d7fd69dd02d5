//! What `/etc/config/network` and `/etc/config/dhcp` say about networks, devices and pools,
//! as far as values of the running system need it. Parsed again only when a file changed.

use crate::source::codec::net;
use crate::source::codec::pool::Network;
use crate::source::packages::{Packages, is_recent};
use crate::source::uci::keys_of;
use crate::store::Folders;
use crate::uci::file::{FileError, Stamp};
use crate::uci::{Package, Section, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

/// A network: an `interface` section.
#[derive(Debug, Default, Clone)]
pub struct Interface {
    pub name: String,
    pub proto: String,
    pub device: String,
    pub disabled: bool,
    /// The fixed IPv4 addresses as written, each with its length where it is known.
    pub addresses: Vec<(IpAddr, Option<u8>)>,
    /// Fixed IPv6 addresses and prefixes, and whether it takes part of a delegated one.
    pub ip6addr: Vec<String>,
    pub ip6prefix: Vec<String>,
    pub ip6assign: bool,
    pub dns: Vec<String>,
    /// `ipv6 '0'`.
    pub without_ipv6: bool,
    /// The device that carries its packets.
    pub l3: Option<String>,
}

/// A device with settings: a `device` section.
#[derive(Debug, Default, Clone)]
pub struct Device {
    pub kind: String,
    /// What a VLAN lies on.
    pub parent: String,
    pub ports: Vec<String>,
}

/// One port in one VLAN of a bridge.
#[derive(Debug, Clone)]
pub struct VlanPort {
    pub bridge: String,
    /// The key of its `bridge-vlan` section.
    pub section: String,
    pub port: String,
    pub tagged: bool,
    /// `vlan/port`, the key of its row.
    pub key: String,
}

/// Both files, as far as they are needed here.
#[derive(Default)]
pub struct Config {
    packages: Packages,
    network: Watched,
    dhcp: Watched,
    pub interfaces: Vec<Interface>,
    /// Places in `interfaces`, in order of their names.
    by_name: Vec<usize>,
    /// The place in `by_name` that was looked up last: neighbours are asked for together.
    last: Cell<usize>,
    pub devices: HashMap<String, Device>,
    pub vlan_ports: Vec<VlanPort>,
    /// Places in `vlan_ports`, in order of bridge and key.
    vlan_port_at: Vec<usize>,
    /// Pools of addresses: section key and interface.
    pub pools: Vec<(String, String)>,
    /// The devices of networks as netifd tells them.
    running: HashMap<String, String>,
    /// How often a file was read, or netifd said something else.
    pub version: u32,
}

/// A file and the state in which it was last read.
#[derive(Debug, Default)]
struct Watched {
    known: bool,
    stamp: Option<Stamp>,
    /// Changed so recently that the stamp alone does not tell.
    unsettled: bool,
    /// What was read: still there if somebody else holds it.
    package: Weak<Package>,
}

impl Watched {
    /// The file, if it does not say what it said when last asked; a broken one counts as empty, and
    /// the source that shows its options tells of it.
    fn changed(&mut self, packages: &Packages, root: &Folders, path: &str) -> Option<Arc<Package>> {
        let stamp = root.metadata(path).ok().map(|m| Stamp::from(&m));
        if self.known && !self.unsettled && stamp == self.stamp {
            return None;
        }
        let path = root.path(path).ok()?;
        self.known = true;
        let before = std::mem::take(&mut self.package);
        let loaded = packages.load(&path);
        let read = loaded.as_ref().ok().map(|(_, stamp)| *stamp).or(stamp);
        self.unsettled = read.is_some_and(|stamp| is_recent(&stamp));
        match loaded {
            Ok((package, stamp)) => {
                self.stamp = Some(stamp);
                self.package = Arc::downgrade(&package);
                // The one there was is not freed before, so that another is elsewhere.
                let same = Weak::ptr_eq(&before, &self.package);
                (!same).then_some(package)
            }
            Err(FileError::Missing { .. }) => {
                self.stamp = None;
                Some(Arc::default())
            }
            Err(_) => {
                self.stamp = stamp;
                Some(Arc::default())
            }
        }
    }
}

impl Config {
    /// Nothing read yet; what is read is shared.
    pub fn new(packages: Packages) -> Config {
        Config {
            packages,
            ..Config::default()
        }
    }

    /// Reads what changed.
    pub fn refresh(&mut self, root: &Folders) {
        if let Some(package) = self
            .network
            .changed(&self.packages, root, "/etc/config/network")
        {
            self.version = self.version.wrapping_add(1);
            self.take_network(&package);
        }
        if let Some(package) = self.dhcp.changed(&self.packages, root, "/etc/config/dhcp") {
            self.version = self.version.wrapping_add(1);
            let sections = package.sections().iter().zip(keys_of(&package));
            self.pools = sections
                .filter(|(section, _)| section.kind() == "dhcp")
                .filter_map(|(section, key)| Some((key, text(section, "interface")?.to_owned())))
                .collect();
        }
    }

    fn take_network(&mut self, package: &Package) {
        self.interfaces.clear();
        self.devices.clear();
        self.vlan_ports.clear();
        for (section, key) in package.sections().iter().zip(keys_of(package)) {
            match section.kind() {
                "interface" => self.interfaces.push(interface(section, key)),
                "device" => {
                    if let Some(name) = text(section, "name") {
                        let device = Device {
                            kind: text(section, "type").unwrap_or_default().to_owned(),
                            parent: text(section, "ifname").unwrap_or_default().to_owned(),
                            ports: words(section, "ports"),
                        };
                        self.devices.entry(name.to_owned()).or_insert(device);
                    }
                }
                "bridge-vlan" => {
                    let (Some(bridge), Some(vlan)) =
                        (text(section, "device"), text(section, "vlan"))
                    else {
                        continue;
                    };
                    for port in words(section, "ports") {
                        let (name, flags) = port.split_once(':').unwrap_or((&port, ""));
                        self.vlan_ports.push(VlanPort {
                            bridge: bridge.to_owned(),
                            section: key.clone(),
                            port: name.to_owned(),
                            tagged: flags.contains('t'),
                            key: [vlan, "/", name].concat(),
                        });
                    }
                }
                _ => {}
            }
        }
        // Stable: of several with the same key the last counts.
        let ports = &self.vlan_ports;
        let order = |at: &usize| ports.get(*at).map(|p| (&p.bridge, &p.key));
        self.vlan_port_at = (0..ports.len()).rev().collect();
        self.vlan_port_at.sort_by_key(order);
        self.vlan_port_at.dedup_by_key(|at| order(at));
        let interfaces = &self.interfaces;
        let order = |at: &usize| interfaces.get(*at).map(|i| &i.name);
        self.by_name = (0..interfaces.len()).rev().collect();
        self.by_name.sort_by_key(order);
        self.by_name.dedup_by_key(|at| order(at));
        for at in 0..self.interfaces.len() {
            let name = self.interfaces.get(at).map(|i| i.name.clone());
            let l3 = name.and_then(|name| self.carries(&name).map(Cow::into_owned));
            if let Some(interface) = self.interfaces.get_mut(at) {
                interface.l3 = l3;
            }
        }
    }

    /// A port in a VLAN of a bridge, by `vlan/port`.
    pub fn vlan_port(&self, bridge: &str, key: &str) -> Option<&VlanPort> {
        let wanted = Some((bridge, key));
        let of = |at: &usize| self.vlan_ports.get(*at).map(|p| (&*p.bridge, &*p.key));
        let at = self.vlan_port_at.binary_search_by(|at| of(at).cmp(&wanted));
        self.vlan_ports.get(*self.vlan_port_at.get(at.ok()?)?)
    }

    /// The network of this name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        let at = |place: usize| self.interfaces.get(*self.by_name.get(place)?);
        if let Some(last) = at(self.last.get()).filter(|i| i.name == name) {
            return Some(last);
        }
        let of = |at: &usize| self.interfaces.get(*at).map(|i| i.name.as_str());
        let place = self.by_name.binary_search_by(|at| of(at).cmp(&Some(name)));
        self.last.set(place.ok()?);
        at(self.last.get())
    }

    /// The device that carries the network's packets: as netifd says, else as it is named by
    /// the files.
    pub fn l3_device(&self, name: &str) -> Option<&str> {
        let running = self.running.get(name).map(String::as_str);
        running.or_else(|| self.interface(name)?.l3.as_deref())
    }

    /// netifd says something else of its networks than before.
    pub fn heard<'a>(&mut self, devices: impl Iterator<Item = (&'a str, &'a str)>) {
        self.version = self.version.wrapping_add(1);
        let owned = devices.map(|(network, device)| (network.to_owned(), device.to_owned()));
        self.running = owned.collect();
    }

    fn carries(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut network = self.interface(name)?;
        // `@wan` names another network; a circle of them ends here.
        for _ in 0..8 {
            if matches!(
                network.proto.as_str(),
                "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" | "6in4" | "6to4" | "6rd"
            ) {
                return Some(format!("{}-{}", network.proto, network.name).into());
            }
            if network.proto == "wireguard" {
                return Some(Cow::from(&network.name));
            }
            match network.device.strip_prefix('@') {
                None if network.device.is_empty() => return None,
                None => return Some(Cow::from(&network.device)),
                Some(other) => network = self.interface(other)?,
            }
        }
        None
    }

    /// The network that `@` leads to.
    pub fn carrier<'a>(&'a self, name: &str) -> Option<&'a Interface> {
        let mut network = self.interface(name)?;
        for _ in 0..8 {
            match network.device.strip_prefix('@') {
                None => return Some(network),
                Some(other) => network = self.interface(other)?,
            }
        }
        None
    }

    /// Whether this device is a VLAN with a section of its own.
    pub fn is_vlan(&self, device: &str) -> bool {
        self.devices.get(device).is_some_and(|d| d.kind == "8021q")
    }

    pub fn is_bridge(&self, device: &str) -> bool {
        self.devices.get(device).is_some_and(|d| d.kind == "bridge")
    }

    /// The device below all VLANs.
    pub fn base_device<'a>(&'a self, device: &'a str) -> &'a str {
        let mut device = device;
        for _ in 0..4 {
            device = match self.devices.get(device) {
                Some(d) if d.kind == "8021q" || d.kind == "8021ad" => &d.parent,
                Some(_) => return device,
                // `br-lan.10` is a VLAN without a section.
                None => match device.rsplit_once('.') {
                    Some((base, vid)) if vid.parse::<u16>().is_ok() => base,
                    _ => return device,
                },
            };
        }
        device
    }

    /// The fixed network of an interface.
    pub fn network_of(&self, name: &str) -> Option<Network> {
        match self.interface(name)?.addresses.first()? {
            (IpAddr::V4(address), Some(length)) => Some(Network::around(*address, *length)),
            _ => None,
        }
    }
}

fn interface(section: &Section, name: String) -> Interface {
    let mask = text(section, "netmask").and_then(|m| net::length_of(m.parse().ok()?));
    let addresses = words(section, "ipaddr");
    let addresses = addresses.iter().filter_map(|a| net::split(a));
    Interface {
        proto: text(section, "proto").unwrap_or("none").to_owned(),
        device: text(section, "device")
            .or_else(|| text(section, "ifname")?.split_whitespace().next())
            .unwrap_or_default()
            .to_owned(),
        disabled: flag(section, "disabled"),
        addresses: addresses.map(|(a, length)| (a, length.or(mask))).collect(),
        ip6addr: words(section, "ip6addr"),
        ip6prefix: words(section, "ip6prefix"),
        ip6assign: section.get("ip6assign").is_some(),
        dns: words(section, "dns"),
        without_ipv6: text(section, "ipv6") == Some("0"),
        l3: None,
        name,
    }
}

fn text<'a>(section: &'a Section, option: &str) -> Option<&'a str> {
    section.get(option)?.as_one()
}

fn words(section: &Section, option: &str) -> Vec<String> {
    let items = section.get(option).map(Value::items).unwrap_or_default();
    let words = items.iter().flat_map(|item| item.split_whitespace());
    words.map(str::to_owned).collect()
}

fn flag(section: &Section, option: &str) -> bool {
    text(section, option).is_some_and(|v| matches!(v, "1" | "on" | "yes" | "true" | "enabled"))
}
