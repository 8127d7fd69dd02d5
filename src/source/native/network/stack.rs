//! What lies on what: networks on PPP sessions, VLANs and links, links on bridges and ports
//! (TR-181 section 4.2). Rows of other tables are named `table=key`.

use super::config::Config;
use std::collections::HashSet;

/// Whether a name can be that of a link's device.
fn is_link(device: &str) -> bool {
    device != "lo" && !device.starts_with('@') && crate::source::is_row_key(device)
}

impl Config {
    /// What a network lies on.
    pub fn interface_lower(&self, name: &str) -> Option<String> {
        let network = self.carrier(name)?;
        if network.proto == "pppoe" {
            return Some(format!("Device.PPP.Interface.={}", network.name));
        }
        self.device_row(&network.device)
    }

    /// The row that shows a device: its VLAN, or its link.
    fn device_row(&self, device: &str) -> Option<String> {
        if device.is_empty() || device == "lo" {
            return None;
        }
        if self.is_vlan(device) {
            return Some(format!("Device.Ethernet.VLANTermination.={device}"));
        }
        let link = self.base_device(device);
        // A modem's `/dev/cdc-wdm0` is no network device.
        is_link(link).then(|| format!("Device.Ethernet.Link.={link}"))
    }

    /// The devices that networks and VLANs lie on, each once.
    pub fn links(&self) -> Vec<String> {
        let mut links: Vec<String> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for network in &self.interfaces {
            let device = self.base_device(&network.device);
            if is_link(device) && seen.insert(device) {
                links.push(device.to_owned());
            }
        }
        links
    }

    /// What a port of a bridge lies on: the bridge's own on all others, the others on theirs.
    pub fn port_lower(&self, bridge: &str, port: &str) -> Vec<String> {
        if bridge != port {
            return vec![format!("Device.Ethernet.Interface.={port}")];
        }
        let ports = self.devices.get(bridge).map(|d| d.ports.as_slice());
        let ports = ports.unwrap_or_default().iter();
        // The bridge is the row around the port, too.
        ports
            .map(|port| format!("Device.Bridging.Bridge.{{i}}.Port.={port}"))
            .collect()
    }

    /// The devices that [`stack`](Self::stack) may ask for, in order of their names, each once.
    pub fn maybe_ports(&self) -> Vec<(String, bool)> {
        let bridges = self.devices.values().filter(|d| d.kind == "bridge");
        let ports = bridges.flat_map(|bridge| bridge.ports.iter().cloned());
        let mut all: Vec<(String, bool)> = self
            .links()
            .into_iter()
            .chain(ports)
            .map(|d| (d, false))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Every pair of higher and lower row, `higher>lower`. `physical` tells whether a device
    /// is a port of Ethernet.
    pub fn stack(&self, physical: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut pairs = Vec::new();
        let mut add = |higher: String, lower: String| pairs.push(format!("{higher}>{lower}"));
        for network in &self.interfaces {
            if let Some(lower) = self.interface_lower(&network.name) {
                add(format!("Device.IP.Interface.={}", network.name), lower);
            }
        }
        for network in self.interfaces.iter().filter(|i| i.proto == "pppoe") {
            if let Some(lower) = self.device_row(&network.device) {
                add(format!("Device.PPP.Interface.={}", network.name), lower);
            }
        }
        let links = self.links();
        let known: HashSet<&String> = links.iter().collect();
        let mut vlans: Vec<_> = self
            .devices
            .iter()
            .filter(|(_, d)| d.kind == "8021q")
            .collect();
        vlans.sort_by_key(|(name, _)| *name);
        for (name, device) in vlans {
            if known.contains(&device.parent) {
                add(
                    format!("Device.Ethernet.VLANTermination.={name}"),
                    format!("Device.Ethernet.Link.={}", device.parent),
                );
            }
        }
        for link in &links {
            let higher = format!("Device.Ethernet.Link.={link}");
            if self.is_bridge(link) {
                add(
                    higher,
                    format!("Device.Bridging.Bridge.{{i}}.Port.={link}/{link}"),
                );
            } else if physical(link) {
                add(higher, format!("Device.Ethernet.Interface.={link}"));
            }
        }
        let mut bridges: Vec<_> = self
            .devices
            .iter()
            .filter(|(_, d)| d.kind == "bridge")
            .collect();
        bridges.sort_by_key(|(name, _)| *name);
        for (bridge, device) in bridges {
            let port = |name: &str| format!("Device.Bridging.Bridge.{{i}}.Port.={bridge}/{name}");
            for name in &device.ports {
                add(port(bridge), port(name));
                if physical(name) {
                    add(port(name), format!("Device.Ethernet.Interface.={name}"));
                }
            }
        }
        pairs
    }
}
