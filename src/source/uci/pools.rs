//! Pools: one `dhcp` section tells dnsmasq of IPv4 and odhcpd of IPv6 and router
//! advertisements. What concerns IPv4 must leave the others alone.

use super::coded::{self, Scene, Written};
use super::draft::Content;
use crate::model::source::Raw;
use crate::source::codec::pool;
use crate::uci::{Section, Value};
use core::net::Ipv4Addr;

/// Whether dnsmasq serves the pool's network.
pub fn is_on(scene: &Scene<'_>) -> bool {
    !is_true(scene.text("ignore")) && scene.text("dhcpv4") != Some("disabled")
}

/// The options that switch a pool. odhcpd goes on serving IPv6 in what is to be ignored, as
/// far as `ra` and `dhcpv6` say so.
pub fn switch(scene: &Scene<'_>, on: bool) -> Written {
    let put = |option: &str, text: &str| (option.to_owned(), Raw::Text(text.to_owned()));
    if !on {
        return vec![put("ignore", "1")];
    }
    let mut written = Vec::new();
    if is_true(scene.text("ignore")) {
        written.push(put("ignore", "0"));
    }
    if scene.text("dhcpv4") == Some("disabled") {
        written.push(put("dhcpv4", "server"));
    }
    written
}

/// TR-181's word for how the pool is doing, as far as the files tell.
pub fn status(scene: &Scene<'_>) -> &'static str {
    if !is_on(scene) {
        return "Disabled";
    }
    let name = scene.text("interface").unwrap_or_default();
    let network = |network: &Content| -> Option<bool> {
        let section = network.package.sections().get(network.by_key(name)?)?;
        let is =
            |option: &str, text: &str| section.get(option).and_then(Value::as_one) == Some(text);
        // dnsmasq serves networks with fixed addresses alone.
        is("proto", "static").then_some(())?;
        let (address, length) = coded::address_of(network, name)?;
        let start = scene.number("start", pool::START)?;
        let limit = scene.number("limit", pool::LIMIT)?;
        pool::bounds(pool::Network::around(address, length), start, limit)?;
        Some(!is_true(section.get("disabled").and_then(Value::as_one)))
    };
    match scene.network.and_then(network) {
        None => "Error_Misconfigured",
        Some(false) => "Error",
        Some(true) => "Enabled",
    }
}

/// `start` and `limit` with another first or last address.
///
/// # Errors
/// It is none of the network (9007).
pub fn write_bound(name: &str, scene: &Scene<'_>, text: &str) -> Result<Written, String> {
    let network = match scene.pool() {
        Some(network) => network,
        // Without a network there are no addresses.
        None if text.is_empty() => return Ok(Vec::new()),
        None => {
            return Err("cannot be kept: the pool's Interface has no fixed address".to_owned());
        }
    };
    let address: Ipv4Addr = text.parse().map_err(|_| "is no address".to_owned())?;
    let start = scene.number("start", pool::START).unwrap_or(pool::START);
    let limit = scene.number("limit", pool::LIMIT).unwrap_or(pool::LIMIT);
    let outside = || format!("is not in {}/{}", network.base, network.length);
    let (start, limit) = if name == "pool_first" {
        pool::with_first(network, start, limit, address).ok_or_else(outside)?
    } else {
        (
            start,
            pool::with_last(network, start, address).ok_or_else(outside)?,
        )
    };
    let number = |option: &str, n: i64| (option.to_owned(), Raw::Text(n.to_string()));
    Ok(vec![number("start", start), number("limit", limit)])
}

/// Whether odhcpd does something for the network of a section.
pub fn serves_ipv6(section: &Section) -> bool {
    let text = |option: &str| section.get(option).and_then(Value::as_one);
    let serves = |option: &str| matches!(text(option), Some("server" | "relay" | "hybrid"));
    !is_true(text("ignore")) && (serves("ra") || serves("dhcpv6") || serves("ndp"))
}

fn is_true(text: Option<&str>) -> bool {
    matches!(text, Some("1" | "on" | "yes" | "true" | "enabled"))
}
