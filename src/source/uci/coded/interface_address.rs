//! Codes of the addresses in a list: `ipaddr` and `ip6addr` of a network, `target` of a route,
//! with their masks.

use super::{Scene, Written};
use crate::model::source::Raw;
use crate::source::codec::net;
use crate::source::codec::pool::Network;
use crate::uci::Value;
use core::net::{IpAddr, Ipv4Addr};

/// The entry that the row is.
///
/// # Errors
/// It is no address.
pub fn entry(scene: &Scene<'_>) -> Result<Option<(IpAddr, Option<u8>)>, String> {
    let mut items = scene
        .items()
        .iter()
        .flat_map(|item| item.split_whitespace());
    match items.nth(scene.row()) {
        None => Ok(None),
        Some(text) => net::split(text)
            .map(Some)
            .ok_or_else(|| "is no address".to_owned()),
    }
}

/// Whether the router can have an address: one of a network's own would cut it off.
///
/// # Errors
/// It cannot (9007).
pub fn check(scene: &Scene<'_>) -> Result<(), String> {
    if scene.option != "ipaddr" {
        return Ok(());
    }
    let Some((IpAddr::V4(address), length)) = entry(scene)? else {
        return Ok(());
    };
    let mask = || net::length_of(scene.text("netmask")?.parse().ok()?);
    let length = length.or_else(mask).unwrap_or(32);
    let network = Network::around(address, length);
    let last = network.address((1_i64 << (32 - u32::from(network.length))) - 1);
    let is_its_own = length < 31 && (address == network.base || Some(address) == last);
    if is_its_own || address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
        return Err(format!(
            "{address}/{length} is no address that a router can have"
        ));
    }
    Ok(())
}

/// An address or its mask, in the form that the file has: `address/length`, or the mask in
/// an option of its own.
///
/// # Errors
/// The value cannot be kept (9007).
pub fn write(name: &str, scene: &Scene<'_>, text: &str) -> Result<Written, String> {
    let mut items: Vec<String> = scene
        .items()
        .iter()
        .flat_map(|item| item.split_whitespace())
        .map(str::to_owned)
        .collect();
    let is_route = scene.option == "target";
    if items.is_empty() && is_route {
        items.push(String::new());
    }
    let row = scene.row();
    let Some(item) = items.get_mut(row) else {
        return Err("cannot be set: the network gives the address".to_owned());
    };
    let now = net::split(item);
    if name == "interface_address" {
        *item = match text.parse::<IpAddr>() {
            Ok(address) => net::with_address(item, address),
            Err(_) if text.is_empty() && is_route => String::new(),
            Err(_) => return Err("is no address".to_owned()),
        };
    } else {
        let length = match text {
            "" if is_route => None,
            text => {
                let mask = text.parse::<Ipv4Addr>().ok().and_then(net::length_of);
                Some(mask.ok_or("is no mask; write it as 255.255.255.0")?)
            }
        };
        match (now, length) {
            (Some((address, Some(_))), Some(length)) => *item = format!("{address}/{length}"),
            (Some((address, Some(_))), None) => *item = address.to_string(),
            _ => return Ok(vec![("netmask".to_owned(), Raw::Text(text.to_owned()))]),
        }
    }
    let new = match (scene.value(), items.as_slice()) {
        (Some(Value::List(_)), _) => Raw::List(items),
        _ => Raw::Text(items.join(" ")),
    };
    Ok(vec![(scene.option.to_owned(), new)])
}
