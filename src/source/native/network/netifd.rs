//! What netifd says of its networks on ubus, asked for once a request and only where a
//! value needs it. Without ubusd or netifd nothing is known here, and nothing is wrong: the
//! files serve.

use super::super::names::Net;
use crate::source::is_row_key;
use crate::ubus::{CallError, Caller};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long netifd may take; no request has less time.
const TIME: Duration = Duration::from_secs(1);
/// How long it is left alone once it has not answered.
const PAUSE: Duration = Duration::from_secs(60);
/// No router has more networks, nor a network more of anything.
const MAX_ENTRIES: usize = 256;
/// The longest name of a device (`IFNAMSIZ` of the kernel, without its NUL).
const MAX_DEVICE: usize = 15;

/// An address of IPv4: itself, its mask, the other end of a point-to-point link.
pub type Address = (Ipv4Addr, Option<Ipv4Addr>, Option<Ipv4Addr>);

/// A network as it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    pub up: bool,
    /// Seconds since it came up, while it is.
    pub uptime: Option<u64>,
    /// It is being set up.
    pub pending: bool,
    /// Its device is there.
    pub available: bool,
    /// The device that carries its packets, while there is one.
    pub device: Option<String>,
    pub addresses: Vec<Address>,
    /// Name servers and routers of IPv4.
    pub servers: Vec<Ipv4Addr>,
    pub routers: Vec<Ipv4Addr>,
    pub dhcp_server: Option<Ipv4Addr>,
    /// Why it could not be set up: the code of the protocol handler.
    pub error: Option<String>,
}

impl Running {
    /// TR-181's word for why a PPP session did not come up (Device.PPP.Interface.{i}.
    /// LastConnectionError), of what pppd's exit status is called.
    pub fn last_error(&self) -> &'static str {
        match self.error.as_deref() {
            None => "ERROR_NONE",
            Some(
                "AUTH_FAILED" | "PEER_AUTH_FAILED" | "AUTH_TOPEER_FAILED" | "CNID_AUTH_FAILED",
            ) => "ERROR_AUTHENTICATION_FAILURE",
            Some("USER_REQUEST") => "ERROR_USER_DISCONNECT",
            Some("IDLE_TIMEOUT") => "ERROR_IDLE_DISCONNECT",
            Some("PEER_DEAD" | "HANGUP") => "ERROR_ISP_DISCONNECT",
            Some("CONNECT_FAILED" | "NEGOTIATION_FAILED") => "ERROR_ISP_TIME_OUT",
            Some("NO_DEVICE") => "ERROR_NO_CARRIER",
            Some(_) => "ERROR_UNKNOWN",
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Netifd {
    socket: Option<PathBuf>,
    networks: BTreeMap<String, Running>,
    /// Asked in this request.
    is_asked: bool,
    quiet_until: Option<Instant>,
}

impl Netifd {
    /// On the bus at this socket, if there is any.
    pub fn at(socket: Option<&Path>) -> Netifd {
        Netifd {
            socket: socket.map(Path::to_owned),
            ..Netifd::default()
        }
    }

    /// A new request begins.
    pub fn begin(&mut self) {
        self.is_asked = false;
    }

    /// Asks, unless it was asked in this request; tells whether networks are other ones, or
    /// have other devices or addresses, than before.
    pub fn ask(&mut self) -> bool {
        if self.is_asked {
            return false;
        }
        self.is_asked = true;
        let Some(socket) = &self.socket else {
            return false;
        };
        let now = Instant::now();
        if self.quiet_until.is_some_and(|until| now < until) {
            return false;
        }
        let asked = Caller::new(socket).call("network.interface", "dump", &Map::new(), now + TIME);
        self.quiet_until = None;
        let networks = match asked {
            Ok(answers) => answers.first().map(networks).unwrap_or_default(),
            Err(CallError::Absent | CallError::Refused(_)) => BTreeMap::new(),
            Err(e) => {
                log::debug!("ubus network.interface dump: {e}");
                self.quiet_until = Some(now + PAUSE);
                BTreeMap::new()
            }
        };
        self.take(networks)
    }

    /// Takes over what netifd says now; tells whether that is something else than before.
    fn take(&mut self, networks: BTreeMap<String, Running>) -> bool {
        let mut before = std::mem::replace(&mut self.networks, networks);
        // That time passes makes nothing new.
        for (name, network) in &mut before {
            network.uptime = self.networks.get(name).and_then(|now| now.uptime);
        }
        before != self.networks
    }

    /// What was said of this network in this request.
    pub fn of(&self, network: &str) -> Option<&Running> {
        self.networks.get(network)
    }

    /// The devices of networks that have one.
    pub fn devices(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.networks.iter();
        all.filter_map(|(name, network)| Some((name.as_str(), network.device.as_deref()?)))
    }
}

/// Whether netifd is asked before this value is told.
pub fn tells(what: Net) -> bool {
    !matches!(
        what,
        Net::InterfaceAddressing
            | Net::InterfaceLower
            | Net::InterfaceType
            | Net::HostActive
            | Net::HostNetwork
            | Net::Ipv6Capable
            | Net::Ipv6PrefixOrigin
            | Net::IsManagementPort
            | Net::IsUpstream
            | Net::LeaseAddress
            | Net::LeaseExpiry
            | Net::LinkLower
            | Net::PortLower
            | Net::StackHigher
            | Net::StackLower
            | Net::VlanPortPort
            | Net::VlanPortUntagged
            | Net::VlanPortVlan
    )
}

/// Whether netifd is asked before the rows of this table are told.
pub fn tells_rows(name: &str) -> bool {
    matches!(
        name,
        "interface_addresses" | "ipv6_addresses" | "ipv6_prefixes"
    )
}

/// The answer to `dump`; what is not of its form is passed over.
fn networks(answer: &Map<String, Value>) -> BTreeMap<String, Running> {
    let all = answer.get("interface").and_then(Value::as_array);
    let all = all.into_iter().flatten().take(MAX_ENTRIES);
    let named = all.filter_map(|network| {
        let name = network.get("interface")?.as_str()?;
        is_row_key(name).then(|| (name.to_owned(), running(network)))
    });
    named.collect()
}

fn running(network: &Value) -> Running {
    let flag = |name: &str| network.get(name).and_then(Value::as_bool);
    let list = |name: &str| {
        let items = network.get(name).and_then(Value::as_array);
        items.into_iter().flatten().take(MAX_ENTRIES)
    };
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let ip = |of: &Value, name: &str| of.get(name)?.as_str()?.parse::<Ipv4Addr>().ok();
    let is_device = |device: &String| is_row_key(device) && device.len() <= MAX_DEVICE;
    let address = |item: &Value| {
        let length = item.get("mask").and_then(Value::as_u64);
        let length = length
            .and_then(|n| u8::try_from(n).ok())
            .filter(|n| *n <= 32);
        let mask = length.map(crate::source::codec::net::mask_of);
        Some((ip(item, "address")?, mask, ip(item, "ptpaddress")))
    };
    let router = |route: &Value| {
        let all = ip(route, "target")?.is_unspecified()
            && route.get("mask").and_then(Value::as_u64) == Some(0);
        ip(route, "nexthop").filter(|hop| all && !hop.is_unspecified())
    };
    let uptime = network.get("uptime").and_then(Value::as_u64);
    let code = list("errors").find_map(|error| text(error, "code"));
    Running {
        up: flag("up").unwrap_or(false),
        uptime: uptime.filter(|seconds| *seconds <= u64::from(u32::MAX)),
        pending: flag("pending").unwrap_or(false),
        available: flag("available").unwrap_or(true),
        device: text(network, "l3_device").filter(is_device),
        addresses: list("ipv4-address").filter_map(address).collect(),
        servers: list("dns-server")
            .filter_map(|server| server.as_str()?.parse().ok())
            .collect(),
        routers: list("route").filter_map(router).collect(),
        dhcp_server: network.get("data").and_then(|data| ip(data, "dhcpserver")),
        error: code.filter(|code| code.len() <= 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> BTreeMap<String, Running> {
        networks(&serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn what_netifd_says_is_read() {
        let all = read(
            r#"{"interface":[{"interface":"wan","up":true,"uptime":4711,"pending":false,"available":true,
            "l3_device":"wwan0","ipv4-address":[{"address":"192.0.2.7","mask":24,"ptpaddress":"192.0.2.1"}],
            "route":[{"target":"10.0.0.0","mask":8,"nexthop":"192.0.2.9"},
            {"target":"0.0.0.0","mask":0,"nexthop":"192.0.2.1"}],
            "dns-server":["192.0.2.53","2001:db8::53"],"data":{"dhcpserver":"192.0.2.2"},
            "errors":[{"subsystem":"ppp","code":"AUTH_FAILED"}]}]}"#,
        );
        let ip = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
        let expected = Running {
            up: true,
            uptime: Some(4711),
            pending: false,
            available: true,
            device: Some("wwan0".to_owned()),
            addresses: vec![(
                ip("192.0.2.7"),
                Some(ip("255.255.255.0")),
                Some(ip("192.0.2.1")),
            )],
            servers: vec![ip("192.0.2.53")],
            routers: vec![ip("192.0.2.1")],
            dhcp_server: Some(ip("192.0.2.2")),
            error: Some("AUTH_FAILED".to_owned()),
        };
        assert_eq!(all.get("wan"), Some(&expected));
    }

    #[test]
    fn that_time_passes_makes_nothing_new() {
        let mut netifd = Netifd::default();
        let at = |seconds: u32, up: bool| {
            read(&format!(
                r#"{{"interface":[{{"interface":"wan","up":{up},"uptime":{seconds}}}]}}"#
            ))
        };
        assert!(netifd.take(at(7, true)));
        assert!(!netifd.take(at(9, true)));
        assert_eq!(netifd.of("wan").and_then(|wan| wan.uptime), Some(9));
        assert!(netifd.take(at(10, false)));
        assert!(netifd.take(BTreeMap::new()));
    }

    #[test]
    fn what_is_of_another_form_is_passed_over() {
        for text in [
            "{}",
            r#"{"interface":7}"#,
            r#"{"interface":[7,{"up":true},{"interface":"a/b"},{"interface":["x"]}]}"#,
        ] {
            assert!(read(text).is_empty(), "{text}");
        }
        let odd = read(
            r#"{"interface":[{"interface":"x","up":"yes","uptime":-1,"l3_device":"../../etc","mask":7,
            "ipv4-address":[{"address":"1.2.3.4","mask":200},{"address":"none"},7],
            "route":7,"dns-server":{},"data":[],"errors":["x",{"code":7}]}]}"#,
        );
        let expected = Running {
            available: true,
            addresses: vec![(Ipv4Addr::new(1, 2, 3, 4), None, None)],
            ..Running::default()
        };
        assert_eq!(odd.get("x"), Some(&expected));
        let long = read(r#"{"interface":[{"interface":"x","l3_device":"a234567890123456"}]}"#);
        assert_eq!(long.get("x").and_then(|x| x.device.clone()), None);
    }
}
