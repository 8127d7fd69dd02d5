//! `as = "name"`: values that are not what an option says, but what it means together with
//! its section and its network. The texts themselves are the business of
//! [`codec`](crate::source::codec).

mod interface_address;
mod links;

use super::draft::Content;
use super::firewall;
use super::hosts;
use super::pools;
use crate::model::source::Raw;
use crate::source::codec::pool::{self, Network};
use crate::source::codec::{dhcp_option, dns_server, lease_time, net, protocol};
use crate::uci::{Section, Value};
use core::net::{IpAddr, Ipv4Addr};

/// Names that `as` may give for a parameter: those of whole options, then those of entries
/// of a list.
const OPTIONS: [&str; 51] = [
    "allowed_macs",
    "any_zone",
    "bridge_standard",
    "bridge_vlan_enable",
    "bridge_vlan_id",
    "centiseconds",
    "cidr_address",
    "cidr_prefix",
    "dhcp_option_3",
    "dhcp_option_6",
    "dhcp_option_15",
    "dhcp_option_44",
    "first_only",
    "forward_client",
    "forward_enable",
    "forward_port",
    "forward_port_inside",
    "forward_port_last",
    "forward_status",
    "interface_address",
    "interface_mask",
    "lcp_echo",
    "lcp_echo_retry",
    "lease_time",
    "mac_control",
    "name_server_address",
    "name_server_enable",
    "name_server_network",
    "name_server_status",
    "name_server_type",
    "pool_address",
    "pool_enable",
    "pool_first",
    "pool_host_enable",
    "pool_last",
    "pool_mask",
    "pool_status",
    "port_first",
    "port_last",
    "position",
    "protocol",
    "ra_flag_home-agent",
    "ra_flag_managed-config",
    "ra_flag_other-config",
    "ra_min_interval",
    "ra_mtu",
    "ra_retranstime",
    "route_status",
    "rule_enable",
    "rule_status",
    "vlan_id",
];

/// As [`OPTIONS`], for entries of a list.
const ENTRIES: [&str; 5] = [
    "dhcp_option_tag",
    "dhcp_option_value",
    "dns_server_address",
    "dns_server_enable",
    "dns_server_interface",
];

/// Names that `as` of rows may give: which entries are rows.
const TABLES: [&str; 2] = ["dhcp_option", "dns_server"];

/// Whether `as = "name"` is known for a parameter, by itself or with `item = "{row}"`.
pub fn is_value(name: &str, entry: bool) -> bool {
    if entry { &ENTRIES[..] } else { &OPTIONS[..] }.contains(&name)
}

/// Whether `as = "name"` is known for the entries of a list as rows.
pub fn is_table(name: &str) -> bool {
    TABLES.contains(&name)
}

/// Whether `as = "name"` is known for sections as rows.
pub fn is_section_table(name: &str) -> bool {
    name == OFF_AT_FIRST || name == super::servers::TABLE
}

/// Rows that AddObject makes so that OpenWrt passes over them until they are switched on:
/// the option that names the row around them is a list.
pub const OFF_AT_FIRST: &str = "bridge_vlan";

/// Whether `within = "name"` is known.
pub fn is_within(name: &str) -> bool {
    name == "pool"
}

/// A value of an entry that names a network, whose device the entry has.
pub const BY_DEVICE: &str = "dns_server_interface";

/// Whether a codec goes by the network that its section belongs to.
pub fn asks_network(name: &str) -> bool {
    name.starts_with("pool_") || name.starts_with("dhcp_option_") || name == BY_DEVICE
}

/// What a codec sees.
pub struct Scene<'a> {
    pub content: &'a Content,
    /// The section's place in the content.
    pub index: usize,
    pub option: &'a str,
    /// The package `network`, where networks have their addresses; only for those that
    /// [ask for it](asks_network).
    pub network: Option<&'a Content>,
    /// The keys of the rows around the value.
    pub rows: &'a [String],
}

/// An option as it must become; an empty text takes it away.
pub type Written = Vec<(String, Raw)>;

impl<'a> Scene<'a> {
    fn section(&self) -> Option<&'a Section> {
        self.content.package.sections().get(self.index)
    }

    fn value(&self) -> Option<&'a Value> {
        self.section()?.get(self.option)
    }

    fn items(&self) -> &'a [String] {
        self.value().map(Value::items).unwrap_or_default()
    }

    /// What an option of the section says, where it is one text.
    pub fn text(&self, option: &str) -> Option<&'a str> {
        self.section()?.get(option)?.as_one()
    }

    /// The one entry of the option, without fw4's `!`.
    pub fn single(&self) -> Result<Option<&'a str>, String> {
        single(self)
    }

    /// The number that an option says, or another where it is absent.
    pub fn number(&self, option: &str, absent: i64) -> Option<i64> {
        match self.text(option) {
            None => Some(absent),
            Some(text) => text.trim().parse().ok(),
        }
    }

    /// The address and length of the network that `option interface` names.
    fn interface(&self) -> Option<(Ipv4Addr, u8)> {
        address_of(self.network?, self.text("interface")?)
    }

    /// The network of the pool that the section is.
    pub fn pool(&self) -> Option<Network> {
        let (address, length) = self.interface()?;
        Some(Network::around(address, length))
    }

    /// The router's address in the network of the pool that is the row around the innermost,
    /// and its length.
    pub fn network_around(&self) -> Option<(Ipv4Addr, u8)> {
        let pool = self.content.by_key(self.rows.iter().rev().nth(1)?)?;
        let section = self.content.package.sections().get(pool)?;
        address_of(self.network?, section.get("interface")?.as_one()?)
    }

    /// Which of several addresses the innermost row is, from 0.
    fn row(&self) -> usize {
        let row = self.rows.last().and_then(|row| row.parse::<usize>().ok());
        row.unwrap_or(1).saturating_sub(1)
    }
}

/// The first IPv4 address of a network with a fixed one, and its length.
pub fn address_of(network: &Content, name: &str) -> Option<(Ipv4Addr, u8)> {
    let section = network.package.sections().get(network.by_key(name)?)?;
    let text = section.get("ipaddr")?.items().first()?;
    let (IpAddr::V4(address), length) = net::split(text)? else {
        return None;
    };
    let mask = || net::length_of(section.get("netmask")?.as_one()?.parse().ok()?);
    Some((address, length.or_else(mask)?))
}

/// The value that an option stands for; `None`: it stands for none.
///
/// # Errors
/// What it says is nothing TR-181 can show; the text names no secret.
pub fn read(name: &str, scene: &Scene<'_>) -> Result<Option<Raw>, String> {
    let text = |text: Option<String>| Ok(text.map(Raw::Text));
    let list = |all: Vec<String>| Ok(Some(Raw::List(all)));
    let mask = |length: u8| net::text_of(IpAddr::V4(net::mask_of(length)));
    match name {
        "position" => text(position(scene)),
        "any_zone" => {
            let any = scene.text(scene.option) == Some("*");
            text(Some(if any { "1" } else { "0" }.to_owned()))
        }
        "interface_address" => {
            let (address, _) = match interface_address::entry(scene)? {
                Some(found) => found,
                None => return Ok(None),
            };
            text(Some(net::text_of(address)))
        }
        "interface_mask" => {
            let found = interface_address::entry(scene)?;
            let mask = match found {
                Some((IpAddr::V4(_), Some(length))) => Some(mask(length)),
                // A route without a mask leads to one host.
                Some(_) if scene.option == "target" => Some(
                    scene
                        .text("netmask")
                        .unwrap_or("255.255.255.255")
                        .to_owned(),
                ),
                Some(_) => scene.text("netmask").map(str::to_owned),
                None => None,
            };
            text(mask)
        }
        "cidr_address" | "cidr_prefix" => {
            let Some(one) = single(scene)? else {
                return Ok(None);
            };
            let (address, length) = net::split(one).ok_or("is no single address or network")?;
            if name == "cidr_address" {
                return text(Some(net::text_of(address)));
            }
            text(length.map(|length| net::prefix(address, length)))
        }
        "pool_enable" => text(Some(u8::from(pools::is_on(scene)).to_string())),
        "pool_status" => text(Some(pools::status(scene).to_owned())),
        "pool_host_enable" => text(scene.text(scene.option).map(str::to_owned)),
        "first_only" | "pool_address" => text(single(scene)?.map(str::to_owned)),
        _ if firewall::has(name) => text(firewall::read(name, scene)?),
        "protocol" => {
            let Some(one) = single(scene)? else {
                return Ok(None);
            };
            let number = protocol::number(one).ok_or("is no single protocol")?;
            // fw4 knows what is meant.
            let is_v6 = || {
                scene
                    .text("family")
                    .is_some_and(|family| family.contains('6'))
            };
            let number = if number == 1 && is_v6() { 58 } else { number };
            text(Some(number.to_string()))
        }
        "lease_time" => {
            let Some(value) = scene.text(scene.option) else {
                return Ok(None);
            };
            let seconds = lease_time::seconds(value).ok_or("is no time; write 12h or infinite")?;
            text(Some(seconds.to_string()))
        }
        "centiseconds" => {
            let Some(value) = scene.text(scene.option) else {
                return Ok(None);
            };
            let seconds: u32 = value
                .trim()
                .parse()
                .map_err(|_| "is no number of seconds")?;
            text(Some((u64::from(seconds) * 100).to_string()))
        }
        "pool_first" | "pool_last" => {
            let bounds = scene.pool().and_then(|network| {
                let start = scene.number("start", pool::START)?;
                let limit = scene.number("limit", pool::LIMIT)?;
                pool::bounds(network, start, limit)
            });
            let address =
                bounds.map(|(first, last)| if name == "pool_first" { first } else { last });
            text(address.map(|a| net::text_of(IpAddr::V4(a))))
        }
        "pool_mask" => match scene.text(scene.option) {
            Some(mask) => text(Some(mask.to_owned())),
            None => text(scene.interface().map(|(_, l)| mask(l))),
        },
        "allowed_macs" => Ok(links::allowed_macs(scene)),
        "bridge_standard" => Ok(links::bridge_standard(scene)),
        "bridge_vlan_enable" => Ok(links::bridge_vlan_enable(scene)),
        "bridge_vlan_id" | "ra_mtu" | "ra_retranstime" => {
            text(scene.text(scene.option).map(str::to_owned))
        }
        "lcp_echo" | "lcp_echo_retry" => Ok(links::lcp_echo(scene, name)),
        "mac_control" => Ok(links::mac_control(scene)),
        "ra_min_interval" => Ok(links::ra_min_interval(scene)),
        "route_status" => text(Some(route_status(scene).to_owned())),
        "vlan_id" => text(vlan_id(scene)),
        _ => match (name.strip_prefix("ra_flag_"), dhcp_tag(name)) {
            (Some(flag), _) => {
                let has = match scene.value() {
                    // What odhcpd does by itself.
                    None => flag == "other-config",
                    Some(value) => value
                        .items()
                        .iter()
                        .flat_map(|i| i.split_whitespace())
                        .any(|f| f == flag),
                };
                text(Some(if has { "1" } else { "0" }.to_owned()))
            }
            (None, Some(tag)) => {
                let own = || {
                    scene
                        .interface()
                        .map(|(address, _)| net::text_of(IpAddr::V4(address)))
                };
                let value = option_of(scene, tag);
                if tag == 15 {
                    return text(value.or_else(|| own_domain(scene)).map(str::to_owned));
                }
                match (value, tag) {
                    (Some(value), _) => list(addresses(value)?),
                    // dnsmasq tells of itself.
                    (None, 3 | 6) => list(own().into_iter().collect()),
                    (None, _) => Ok(None),
                }
            }
            (None, None) => Err(format!("there is no code of the name {name}")),
        },
    }
}

/// The options that a value is kept in.
///
/// # Errors
/// The value cannot be kept (9007); the text says why.
pub fn write(name: &str, scene: &Scene<'_>, value: Option<Raw>) -> Result<Written, String> {
    let option = || scene.option.to_owned();
    let one = |text: String| Ok(vec![(option(), Raw::Text(text))]);
    let (text, items) = match value {
        None => (String::new(), Vec::new()),
        Some(Raw::Text(text)) => (text.clone(), vec![text]),
        Some(Raw::List(items)) => (items.join(","), items),
    };
    match name {
        // A zone that is named stays, whichever of the two is set first.
        "any_zone" if text == "1" => one("*".to_owned()),
        "any_zone" if scene.text(scene.option) == Some("*") => one(String::new()),
        "any_zone" => Ok(Vec::new()),
        "interface_address" | "interface_mask" => interface_address::write(name, scene, &text),
        "cidr_address" => {
            let now = single(scene)?.unwrap_or_default();
            match text.parse::<IpAddr>() {
                _ if text.is_empty() => one(text),
                Ok(address) => one(net::with_address(now, address)),
                Err(_) => Err("is no address".to_owned()),
            }
        }
        "cidr_prefix" => {
            let now = single(scene)?.unwrap_or_default();
            match net::split(&text) {
                // The address stays, without a length.
                _ if text.is_empty() => one(now.split('/').next().unwrap_or_default().to_owned()),
                Some((address, Some(length))) => one(net::with_prefix(now, address, length)),
                _ => Err("is no network; write address/length".to_owned()),
            }
        }
        "first_only" | "pool_host_enable" => one(text),
        "pool_enable" => Ok(pools::switch(scene, text == "1")),
        "pool_address" => {
            let network = scene.network_around();
            let network = network.map(|(address, length)| Network::around(address, length));
            let inside = |address| network.is_none_or(|n| n.offset(address).is_some());
            match text.parse::<Ipv4Addr>() {
                Ok(address) if !inside(address) => {
                    Err("is not in the network of the pool around it".to_owned())
                }
                Ok(_) => one(text),
                Err(_) => hosts::without_address(scene, text),
            }
        }
        _ if firewall::has(name) => Ok(firewall::write(name, scene, &text)),
        "protocol" => {
            let number: i64 = text.parse().map_err(|_| "is no number".to_owned())?;
            let name = protocol::name(number).ok_or("fw4 takes protocol 0 for any; write -1")?;
            one(name)
        }
        "lease_time" => {
            let seconds: i64 = text.parse().map_err(|_| "is no number".to_owned())?;
            if (0..lease_time::SHORTEST).contains(&seconds) {
                let shortest = lease_time::SHORTEST;
                return Err(format!(
                    "is too short for dnsmasq; write {shortest} or more, or -1"
                ));
            }
            one(lease_time::text(seconds))
        }
        "centiseconds" => match text.parse::<u32>() {
            Ok(n) if n % 100 == 0 => one((n / 100).to_string()),
            _ => Err("is kept in whole seconds here; write a multiple of 100".to_owned()),
        },
        "pool_first" | "pool_last" => pools::write_bound(name, scene, &text),
        "pool_mask" => one(text),
        "allowed_macs" => Ok(links::write_allowed_macs(scene, items)),
        "bridge_standard" => links::write_bridge_standard(scene, &text),
        "bridge_vlan_enable" => links::write_bridge_vlan_enable(scene, text == "1"),
        "bridge_vlan_id" => links::write_bridge_vlan_id(scene, &text),
        "lcp_echo" | "lcp_echo_retry" => links::write_lcp_echo(scene, name, &text),
        "mac_control" => Ok(links::write_mac_control(scene, text == "1")),
        "ra_min_interval" => links::write_ra_min_interval(scene, &text),
        "ra_mtu" | "ra_retranstime" => {
            // odhcpd drops a network of which it cannot take one option.
            let (least, most) = if name == "ra_mtu" {
                (1280, 65_535)
            } else {
                (0, 60_000)
            };
            match text.parse::<u32>() {
                Ok(number) if (least..=most).contains(&number) => one(text),
                Err(_) if text.is_empty() => one(text),
                _ => Err(format!("is not from {least} to {most}, as odhcpd takes it")),
            }
        }
        "vlan_id" => one(text),
        _ => match (name.strip_prefix("ra_flag_"), dhcp_tag(name)) {
            (Some(flag), _) => {
                let mut flags: Vec<String> = match scene.value() {
                    None => vec!["other-config".to_owned()],
                    Some(value) => value
                        .items()
                        .iter()
                        .flat_map(|i| i.split_whitespace())
                        .map(str::to_owned)
                        .collect(),
                };
                flags.retain(|f| f != flag && f != "none");
                if text == "1" {
                    flags.push(flag.to_owned());
                }
                if flags.is_empty() {
                    // Nothing at all would mean other-config.
                    flags.push("none".to_owned());
                }
                Ok(vec![(option(), Raw::List(flags))])
            }
            (None, Some(tag)) => {
                let entry = dhcp_option::join(tag, &items.join(","));
                let mut all = scene.items().to_vec();
                // What dnsmasq tells by itself needs no entry; an empty one makes it silent.
                let own = scene
                    .interface()
                    .map(|(address, _)| net::text_of(IpAddr::V4(address)));
                let own = match tag {
                    3 | 6 => own,
                    15 => own_domain(scene).map(str::to_owned),
                    _ => None,
                };
                let own = own.unwrap_or_default();
                match all.iter().position(|i| is_option(i, tag)) {
                    Some(at) if text == own => {
                        all.remove(at);
                    }
                    Some(at) => {
                        if let Some(item) = all.get_mut(at) {
                            *item = entry;
                        }
                    }
                    None if text == own => {}
                    None => all.push(entry),
                }
                Ok(vec![(option(), Raw::List(all))])
            }
            (None, None) => Err("cannot be written".to_owned()),
        },
    }
}

/// Whether what was staged can stand, with all of its request staged: values that depend on
/// each other come in any order.
///
/// # Errors
/// It cannot (9007); the text says why, and what can.
pub fn check(name: &str, scene: &Scene<'_>) -> Result<(), String> {
    match name {
        "forward_port" | "forward_port_inside" | "forward_port_last" => firewall::check(scene),
        "pool_address" | "pool_host_enable" => hosts::check(scene),
        "interface_address" | "interface_mask" => interface_address::check(scene),
        "port_first" | "port_last" | "protocol" | "rule_enable" => firewall::check_rule(scene),
        _ => Ok(()),
    }
}

pub use links::may_go;

/// Whether an entry of a list is a row.
pub fn is_row(codec: &str, entry: &str) -> bool {
    match codec {
        "dns_server" => dns_server::parse(entry).is_some(),
        "dhcp_option" => dhcp_option::split(entry).is_some(),
        _ => false,
    }
}

/// What an entry of a list says.
pub fn read_entry(name: &str, entry: &str) -> Option<String> {
    match name {
        "dns_server_enable" => {
            let on = dns_server::parse(entry)?.is_on();
            Some(if on { "1" } else { "0" }.to_owned())
        }
        "dns_server_address" => Some(dns_server::parse(entry)?.address?.to_owned()),
        BY_DEVICE => Some(dns_server::parse(entry)?.device().to_owned()),
        "dhcp_option_tag" => Some(dhcp_option::split(entry)?.0.to_string()),
        "dhcp_option_value" => {
            let (_, value) = dhcp_option::split(entry)?;
            let octets = dhcp_option::octets(value);
            let digits = octets.iter().flat_map(|b| [b >> 4, b & 15]);
            // Four bits each.
            let digits = digits.filter_map(|n| char::from_digit(u32::from(n), 16));
            Some(digits.map(|c| c.to_ascii_uppercase()).collect())
        }
        _ => None,
    }
}

/// An entry of a list that says this.
///
/// # Errors
/// The value cannot be kept (9007).
pub fn write_entry_of(name: &str, entry: &str, text: &str) -> Result<String, String> {
    let server = || dns_server::parse(entry).ok_or("is no server's entry");
    let option = || dhcp_option::split(entry).ok_or("is no option's entry");
    match name {
        "dns_server_enable" => {
            let switched = server()?.switched(text == "1");
            switched.ok_or_else(|| "needs a DNSServer first, or in the same request".to_owned())
        }
        "dns_server_address" => {
            text.parse::<IpAddr>().map_err(|_| "is no address".to_owned())?;
            Ok(server()?.with_address(text))
        }
        BY_DEVICE => server()?.with_device(text).ok_or_else(|| {
            "cannot be set: the server is asked from an address of its own; take that (@…) out of its entry in UCI first".to_owned()
        }),
        "dhcp_option_tag" => {
            let tag = text.parse::<u8>().map_err(|_| "is no tag".to_owned())?;
            let octets = dhcp_option::octets(option()?.1);
            let value = dhcp_option::text(tag, &octets).ok_or("is too long")?;
            Ok(dhcp_option::join(tag, &value))
        }
        "dhcp_option_value" => {
            let (tag, _) = option()?;
            let octets = hexadecimal(text).ok_or("is no hexBinary")?;
            let value = dhcp_option::text(tag, &octets).ok_or("is longer than 255 octets")?;
            Ok(dhcp_option::join(tag, &value))
        }
        _ => Err("cannot be written".to_owned()),
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The one entry of an option, without fw4's `!`.
fn single<'a>(scene: &Scene<'a>) -> Result<Option<&'a str>, String> {
    let mut words = scene
        .items()
        .iter()
        .flat_map(|item| item.split_whitespace());
    match (words.next(), words.next()) {
        (None, _) => Ok(None),
        (Some(one), None) if one.starts_with('!') => Err("excludes what it names".to_owned()),
        (Some(one), None) => Ok(Some(one)),
        (Some(_), Some(_)) => Err("has several values, where one can be shown".to_owned()),
    }
}

/// `80`, `8000-8010` or `8000:8010`.
pub fn ports(text: &str) -> Option<(u16, Option<u16>)> {
    match text.split_once(['-', ':']) {
        None => Some((text.parse().ok()?, None)),
        Some((first, last)) => Some((first.parse().ok()?, Some(last.parse().ok()?))),
    }
}

/// The place of a section among those of its type, from 1.
fn position(scene: &Scene<'_>) -> Option<String> {
    Some(scene.content.position(scene.index)?.to_string())
}

/// netifd passes over a route that names no network.
fn route_status(scene: &Scene<'_>) -> &'static str {
    let is_off = scene.text("disabled");
    if matches!(is_off, Some("1" | "on" | "yes" | "true" | "enabled")) {
        return "Disabled";
    }
    let network = scene
        .text("interface")
        .and_then(|name| scene.content.by_key(name));
    let section = network.and_then(|i| scene.content.package.sections().get(i));
    match section.is_some_and(|section| section.kind() == "interface") {
        true => "Enabled",
        false => "Error_Misconfigured",
    }
}

/// `option vid`, else what stands behind the last dot of the name.
fn vlan_id(scene: &Scene<'_>) -> Option<String> {
    let named = || scene.text("name")?.rsplit_once('.').map(|(_, vid)| vid);
    let vid = scene.text(scene.option).or_else(named)?;
    vid.parse::<u16>().ok().map(|vid| vid.to_string())
}

fn dhcp_tag(name: &str) -> Option<u8> {
    name.strip_prefix("dhcp_option_")?.parse().ok()
}

fn is_option(entry: &str, tag: u8) -> bool {
    dhcp_option::split(entry).is_some_and(|(t, _)| t == tag)
}

/// The domain that dnsmasq tells where no option does.
fn own_domain<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    let index = scene.content.package.find("@dnsmasq[0]")?;
    let section = scene.content.package.sections().get(index)?;
    section.get("domain")?.as_one()
}

/// The text of the first option with this tag.
fn option_of<'a>(scene: &Scene<'a>, tag: u8) -> Option<&'a str> {
    let mut options = scene.items().iter().filter_map(|i| dhcp_option::split(i));
    options.find(|(t, _)| *t == tag).map(|(_, value)| value)
}

fn addresses(value: &str) -> Result<Vec<String>, String> {
    let parts = value.split(',').map(str::trim).filter(|p| !p.is_empty());
    parts
        .map(|part| match part.parse::<Ipv4Addr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => Err("holds something that is no IPv4 address".to_owned()),
        })
        .collect()
}
