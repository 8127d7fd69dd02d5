//! Codes of what has more to it than its own option: lists of stations, VLANs of a bridge,
//! echoes of a PPP session, intervals of router advertisements.

use super::{Scene, Written};
use crate::model::source::Raw;
use crate::source::uci::draft::Content;
use crate::uci::{Section, Value};

/// Stations that may associate once an allow list counts, kept while `maclist` says who may
/// not.
const ALLOWED: &str = "cwmp_maclist";
/// Of a `bridge-vlan` whose number was never said (Device.Bridging.Bridge.{i}.VLAN.{i}.VLANID).
const FIRST_VLAN: &str = "1";

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "yes" | "true" | "enabled")
}

fn number(is: bool) -> Option<Raw> {
    Some(Raw::Text(if is { "1" } else { "0" }.to_owned()))
}

fn text(option: &str, text: &str) -> (String, Raw) {
    (option.to_owned(), Raw::Text(text.to_owned()))
}

// ---- wireless: who may associate

fn bans(scene: &Scene<'_>) -> bool {
    scene.text("macfilter") == Some("deny")
}

/// Whether `maclist` says who may associate. That it says who may not, TR-181 has no word for.
pub fn mac_control(scene: &Scene<'_>) -> Option<Raw> {
    number(scene.text("macfilter") == Some("allow"))
}

/// A list of the banned is none of the allowed.
pub fn write_mac_control(scene: &Scene<'_>, is_on: bool) -> Written {
    if !is_on {
        return vec![text("macfilter", "disable")];
    }
    let mut written = vec![text("macfilter", "allow")];
    if bans(scene) {
        let kept = scene.section().and_then(|s| s.get(ALLOWED));
        let kept = kept.map(|kept| kept.items().to_vec()).unwrap_or_default();
        written.push(("maclist".to_owned(), Raw::List(kept)));
        written.push(text(ALLOWED, ""));
    }
    written
}

/// The stations that may associate.
pub fn allowed_macs(scene: &Scene<'_>) -> Option<Raw> {
    let option = if bans(scene) { ALLOWED } else { scene.option };
    let value = scene.section()?.get(option)?;
    let words = value.items().iter().flat_map(|i| i.split_whitespace());
    Some(Raw::List(words.map(str::to_owned).collect()))
}

/// The banned stay banned until the list of the allowed counts.
pub fn write_allowed_macs(scene: &Scene<'_>, items: Vec<String>) -> Written {
    let option = if bans(scene) { ALLOWED } else { scene.option };
    vec![(option.to_owned(), Raw::List(items))]
}

// ---- network: VLANs of bridges

/// The bridge of a `bridge-vlan`, if the VLAN is on: netifd passes over a section whose
/// `device` is a list.
fn vlan_of(section: &Section) -> Option<&str> {
    (section.kind() == "bridge-vlan")
        .then(|| section.get("device")?.as_one())
        .flatten()
}

/// Whether a bridge has VLANs that are on.
fn has_vlans(content: &Content, bridge: &str) -> bool {
    content.by_option("bridge-vlan", "device", bridge).is_some()
}

/// A network that is on and lies on this device.
fn network_on<'c>(content: &'c Content, device: &str) -> Option<&'c str> {
    let get = |s: &'c Section, option: &str| s.get(option).map(Value::items).unwrap_or_default();
    let lies_on = |s: &&'c Section| {
        let named = ["device", "ifname"].into_iter();
        let mut words = named
            .flat_map(|option| get(s, option))
            .flat_map(|item| item.split_whitespace());
        let off = get(s, "disabled").first().is_some_and(|text| is_on(text));
        s.kind() == "interface" && !off && words.any(|word| word == device)
    };
    let found = content.package.sections().iter().find(lies_on)?;
    Some(found.name().unwrap_or("without a name"))
}

/// Refuses what would take the device away that a network lies on: a VLAN that is on, under
/// the number that it has.
fn check_unused(content: &Content, section: &Section) -> Result<(), String> {
    let Some(bridge) = vlan_of(section) else {
        return Ok(());
    };
    let vid = |s: &'_ Section| s.get("vlan").and_then(Value::as_one).map(str::to_owned);
    let Some(own) = vid(section) else {
        return Ok(());
    };
    let mut same = content.package.sections().iter().filter(|s| {
        let is = vlan_of(s) == Some(bridge) && vid(s).as_deref() == Some(&own);
        is && !std::ptr::eq(*s, section)
    });
    match network_on(content, &format!("{bridge}.{own}")) {
        Some(network) if same.next().is_none() => Err(format!(
            "would cut off network {network}, which lies on VLAN {own} of {bridge}; move that first"
        )),
        _ => Ok(()),
    }
}

/// Whether a VLAN is on.
pub fn bridge_vlan_enable(scene: &Scene<'_>) -> Option<Raw> {
    number(scene.section().is_some_and(|s| vlan_of(s).is_some()))
}

/// Switches a VLAN.
///
/// # Errors
/// A network would lose its device.
pub fn write_bridge_vlan_enable(scene: &Scene<'_>, is_on: bool) -> Result<Written, String> {
    let bridge = scene.items().first().ok_or("is of no bridge")?.clone();
    if !is_on {
        if let Some(section) = scene.section() {
            check_unused(scene.content, section)?;
        }
        return Ok(vec![(scene.option.to_owned(), Raw::List(vec![bridge]))]);
    }
    // With its first VLAN a bridge knows no other packets any more.
    let device = scene.content.find(&format!("@device[name={bridge}]"));
    let device = device.and_then(|at| scene.content.package.sections().get(at));
    let told = device.is_some_and(|device| device.get("vlan_filtering").is_some());
    let filters = !told || standard(scene.content, device) == "802.1Q-2011";
    if filters
        && !has_vlans(scene.content, &bridge)
        && let Some(network) = network_on(scene.content, &bridge)
    {
        return Err(format!(
            "would cut off network {network}, which lies on {bridge} itself; put it onto a VLAN of the bridge first"
        ));
    }
    let mut written = vec![text(scene.option, &bridge)];
    if scene.text("vlan").is_none() {
        written.push(text("vlan", FIRST_VLAN));
    }
    Ok(written)
}

/// The number of a VLAN.
///
/// # Errors
/// A network lies on the VLAN under the number that it has.
pub fn write_bridge_vlan_id(scene: &Scene<'_>, id: &str) -> Result<Written, String> {
    if let Some(section) = scene.section() {
        check_unused(scene.content, section)?;
    }
    Ok(vec![text(scene.option, id)])
}

/// Whether a section may be deleted.
///
/// # Errors
/// A network would lose its device.
pub fn may_go(codec: &str, content: &Content, index: usize) -> Result<(), String> {
    match (codec, content.package.sections().get(index)) {
        ("bridge_vlan", Some(section)) => {
            check_unused(content, section).map_err(|what| format!("deleting it {what}"))
        }
        _ => Ok(()),
    }
}

fn standard(content: &Content, device: Option<&Section>) -> &'static str {
    let get = |option: &str| device?.get(option)?.as_one();
    // netifd filters by VLANs where there are any, unless it is told not to.
    let filters = match get("vlan_filtering") {
        Some(told) => is_on(told),
        None => get("name").is_some_and(|name| has_vlans(content, name)),
    };
    if filters {
        "802.1Q-2011"
    } else {
        "802.1D-2004"
    }
}

/// Whether a bridge filters by VLANs.
pub fn bridge_standard(scene: &Scene<'_>) -> Option<Raw> {
    let standard = standard(scene.content, scene.section());
    Some(Raw::Text(standard.to_owned()))
}

/// Makes a bridge filter by VLANs, or not.
///
/// # Errors
/// It has VLANs: their networks would be cut off.
pub fn write_bridge_standard(scene: &Scene<'_>, value: &str) -> Result<Written, String> {
    let vlans = |name: &str| has_vlans(scene.content, name);
    match value {
        "802.1D-2004" if scene.text("name").is_some_and(vlans) => {
            Err("cannot be kept while VLANs of the bridge are on; delete them first".to_owned())
        }
        "802.1D-2004" => Ok(vec![text(scene.option, "")]),
        _ => Ok(vec![text(scene.option, "1")]),
    }
}

// ---- network: echoes of PPP

/// How many echoes may be lost and the seconds between them, as OpenWrt's ppp.sh reads
/// `keepalive`.
fn keepalive(scene: &Scene<'_>) -> (u32, u32) {
    let Some(all) = scene
        .text(scene.option)
        .map(str::trim)
        .filter(|t| !t.is_empty())
    else {
        return (5, 1);
    };
    let number = |text: &str| text.parse().unwrap_or(0);
    let lost = all.split([' ', ',']).next().unwrap_or_default();
    let between = all
        .rsplit_once([' ', ','])
        .map_or(5, |(_, last)| number(last));
    (number(lost), between)
}

/// Seconds between echoes, 0 for none; how many may be lost.
pub fn lcp_echo(scene: &Scene<'_>, name: &str) -> Option<Raw> {
    let (lost, between) = keepalive(scene);
    let shown = match name {
        "lcp_echo_retry" => lost,
        // Then pppd is not told to send any.
        _ if lost == 0 => 0,
        _ => between,
    };
    Some(Raw::Text(shown.to_string()))
}

/// Both numbers, with one of them new.
///
/// # Errors
/// It is no number.
pub fn write_lcp_echo(scene: &Scene<'_>, name: &str, value: &str) -> Result<Written, String> {
    let new: u32 = value.parse().map_err(|_| "is no number".to_owned())?;
    let (lost, between) = match (name, keepalive(scene)) {
        ("lcp_echo_retry", (_, between)) => (new, between),
        // No echo may be lost: there are none. As many as without the option, then.
        (_, (0, _)) if new > 0 => (5, new),
        (_, (lost, _)) => (lost, new),
    };
    Ok(vec![text(scene.option, &format!("{lost} {between}"))])
}

// ---- dhcp: router advertisements

/// Seconds between advertisements at most, where odhcpd is not told.
const RA_MAX: i64 = 600;
/// As [`RA_MAX`], at least.
const RA_MIN: i64 = 200;

/// Seconds between advertisements at least: where they are more than three quarters of those
/// at most, odhcpd takes a third of these.
pub fn ra_min_interval(scene: &Scene<'_>) -> Option<Raw> {
    let most = scene.number("ra_maxinterval", RA_MAX)?;
    let told = scene.number(scene.option, RA_MIN)?;
    let least = match told > most * 3 / 4 {
        true if most >= 9 => most / 3,
        true => most,
        false => told,
    };
    Some(Raw::Text(least.to_string()))
}

/// Seconds between advertisements at least.
///
/// # Errors
/// They are more than three quarters of those at most.
pub fn write_ra_min_interval(scene: &Scene<'_>, value: &str) -> Result<Written, String> {
    let most = scene.number("ra_maxinterval", RA_MAX).unwrap_or(RA_MAX);
    match value.parse::<i64>() {
        Ok(least) if least <= most * 3 / 4 => Ok(vec![text(scene.option, value)]),
        _ => Err(format!(
            "is more than three quarters of MaxRtrAdvInterval, which is {most}; set that with it"
        )),
    }
}
