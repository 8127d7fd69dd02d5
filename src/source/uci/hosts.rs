//! Fixed addresses: the `host` sections of dnsmasq, and the pools that they belong to.

use super::coded::{self, Scene, Written};
use super::draft::Content;
use super::keys::is_anonymous;
use crate::model::source::Raw;
use crate::source::codec::{net, pool::Network};
use crate::uci::{Section, Value};
use core::net::{IpAddr, Ipv4Addr};

/// The option that says which pool a static address was made in, as long as its address
/// does not say so. dnsmasq's start script passes it over.
pub const BELONGS: &str = "cwmp_pool";

/// Tells which hosts belong to a pool.
pub struct Within {
    pool: String,
    network: Option<(Ipv4Addr, u8)>,
    /// Of the first pool: the others, and their networks. A host that is in none of them is
    /// the first one's.
    others: Option<Vec<Other>>,
}

/// A pool's key and its network.
type Other = (String, Option<(Ipv4Addr, u8)>);

impl Within {
    /// Of the pool with this key; `network` holds the networks.
    pub fn of(content: &Content, pool: &str, network: Option<&Content>) -> Within {
        let network_of = |index: usize| {
            let section = content.package.sections().get(index)?;
            coded::address_of(network?, section.get("interface")?.as_one()?)
        };
        let index = content.by_key(pool);
        let is_first = index.and_then(|i| content.position(i)) == Some(1);
        let sections = || content.package.sections().iter().enumerate();
        let others = is_first.then(|| {
            sections()
                .filter(|(i, section)| section.kind() == "dhcp" && Some(*i) != index)
                .filter_map(|(i, _)| Some((content.keys.get(i)?.clone(), network_of(i))))
                .collect()
        });
        Within {
            pool: pool.to_owned(),
            network: index.and_then(network_of),
            others,
        }
    }

    /// A host lies in the pool's network, or was made there; one that does neither anywhere
    /// is the first pool's, so that none is out of sight.
    pub fn holds(&self, section: &Section) -> bool {
        let made_in = section.get(BELONGS).and_then(Value::as_one);
        let address = section.get("ip").and_then(Value::as_one);
        let address = address.and_then(|a| a.trim().parse::<Ipv4Addr>().ok());
        let is_of = |pool: &str, network: Option<(Ipv4Addr, u8)>| match (made_in, address) {
            (Some(made_in), _) => made_in == pool,
            (None, Some(address)) => network.is_some_and(|(own, length)| {
                net::contains(IpAddr::V4(own), length, IpAddr::V4(address))
            }),
            (None, None) => false,
        };
        let mut others = self.others.iter().flatten();
        is_of(&self.pool, self.network)
            || self.others.is_some() && !others.any(|(pool, network)| is_of(pool, *network))
    }
}

/// Whether dnsmasq takes a host as it is: an address that two of them have keeps it from
/// starting.
///
/// # Errors
/// It does not (9007); the text says why.
pub fn check(scene: &Scene<'_>) -> Result<(), String> {
    let sections = scene.content.package.sections();
    let Some(address) = sections.get(scene.index).and_then(address_in_use) else {
        return Ok(());
    };
    let mut others = sections.iter().enumerate();
    let twin = others.find(|(index, other)| {
        *index != scene.index && other.kind() == "host" && address_in_use(other) == Some(address)
    });
    if let Some((index, other)) = twin {
        let key = scene.content.keys.get(index).map_or("", String::as_str);
        let name = other.get("name").and_then(Value::as_one).unwrap_or(key);
        return Err(format!(
            "{address} is the address of another host of dnsmasq's ({name}); choose another, or change that one with it"
        ));
    }
    if let Some((own, length)) = scene.network_around() {
        let network = Network::around(own, length);
        let last = network.address((1_i64 << (32 - u32::from(network.length))) - 1);
        if address == own {
            return Err(format!("{address} is the router's own address"));
        }
        if network.length < 31 && (address == network.base || Some(address) == last) {
            return Err(format!("{address} is no address for a host"));
        }
    }
    Ok(())
}

/// A host that loses its address stays in the pool that the address lay in.
pub fn without_address(scene: &Scene<'_>, text: String) -> Result<Written, String> {
    let mut written = vec![(scene.option.to_owned(), Raw::Text(text))];
    let Some(pool) = scene.rows.iter().rev().nth(1) else {
        return Ok(written);
    };
    let place = scene.content.by_key(pool);
    // Hosts without an address are the first pool's, unless they say another.
    let is_first = place.and_then(|i| scene.content.position(i)) == Some(1);
    if !is_first && scene.text(BELONGS).is_none() {
        if is_anonymous(pool) {
            return Err(
                "cannot go: the pool has no name yet; change one of its options".to_owned(),
            );
        }
        written.push((BELONGS.to_owned(), Raw::Text(pool.clone())));
    }
    Ok(written)
}

/// The address that dnsmasq keeps for a host.
fn address_in_use(section: &Section) -> Option<Ipv4Addr> {
    let text = |option: &str| section.get(option).and_then(Value::as_one).map(str::trim);
    let is_off = matches!(
        text("enable"),
        Some("0" | "off" | "no" | "false" | "disabled")
    );
    text("ip").filter(|_| !is_off)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;
    use std::sync::Arc;

    #[test]
    fn every_host_belongs_to_one_pool() {
        let content = |text: &str| {
            Content::of(Arc::new(
                Package::parse(text.as_bytes()).expect("a good file"),
            ))
        };
        let network = content(
            "config interface 'lan'\n\toption ipaddr '192.168.1.1/24'\nconfig interface 'guest'\n\toption ipaddr '192.168.3.1/24'\n",
        );
        let dhcp = content(
            "config dhcp 'lan'\n\toption interface 'lan'\nconfig dhcp 'guest'\n\toption interface 'guest'\n\
             config host\n\toption ip '192.168.3.9'\n\
             config host\n\toption cwmp_pool 'guest'\n\
             config host\n\toption name 'x'\n\
             config host\n\toption ip '10.0.0.9'\n\
             config host\n\toption cwmp_pool 'gone'\n\toption ip '192.168.3.9'\n",
        );
        let held = |pool: &str| -> Vec<bool> {
            let within = Within::of(&dhcp, pool, Some(&network));
            let hosts = dhcp.package.sections().iter();
            let hosts = hosts.filter(|section| section.kind() == "host");
            hosts.map(|section| within.holds(section)).collect()
        };
        assert_eq!(held("lan"), [false, false, true, true, true]);
        assert_eq!(held("guest"), [true, true, false, false, false]);
    }
}
