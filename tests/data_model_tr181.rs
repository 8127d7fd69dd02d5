//! The shipped data model against the Broadband Forum's TR-181 2.19: every path, type,
//! access right, range, length, enumeration, list and flag.

mod model_files;
mod shared;

use model_files::{
    flag, is_list, list_bound, number, objects, parameters, references, strings, text,
};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Where the shipped model differs from TR-181 2.19 on purpose: path, what differs, why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "Device.ManagementServer.URL",
        "pattern",
        "no session could use another scheme, an empty host or a user in the URL",
    ),
    (
        "Device.Ethernet.Link.{i}.MACAddress",
        "pattern",
        "a device has the address of one station, not of a group",
    ),
    (
        "Device.Time.NTPServer1",
        "status",
        "deleted in 2.19; ACSs in use set it",
    ),
    (
        "Device.Time.NTPServer2",
        "status",
        "deleted in 2.19; ACSs in use set it",
    ),
    (
        "Device.Time.NTPServer3",
        "status",
        "deleted in 2.19; ACSs in use set it",
    ),
    (
        "Device.Time.NTPServer4",
        "status",
        "deleted in 2.19; ACSs in use set it",
    ),
    (
        "Device.Time.NTPServer5",
        "status",
        "deleted in 2.19; ACSs in use set it",
    ),
    (
        "Device.Time.Client.{i}.",
        "access",
        "OpenWrt runs one NTP client; its row is always there",
    ),
    (
        "Device.Time.Server.{i}.",
        "access",
        "OpenWrt runs one NTP server; its row is always there",
    ),
    (
        "Device.DeviceInfo.ProcessStatus.CPU.{i}.Enable",
        "enum",
        "the kernel always counts",
    ),
    (
        "Device.DeviceInfo.TemperatureStatus.TemperatureSensor.{i}.Enable",
        "enum",
        "the kernel always measures",
    ),
    (
        "Device.DeviceInfo.FirmwareImage.{i}.Available",
        "enum",
        "what runs is there",
    ),
    (
        "Device.DeviceInfo.Processor.{i}.",
        "status",
        "deprecated in favour of ProcessStatus.CPU; ACSs in use read it",
    ),
    (
        "Device.ManagementServer.AutoCreateInstances",
        "enum",
        "this program does not",
    ),
    (
        "Device.ManagementServer.UpgradesManaged",
        "enum",
        "nothing upgrades but the ACS",
    ),
    (
        "Device.ManagementServer.HTTPCompression",
        "enum",
        "LZW is not offered",
    ),
    (
        "Device.ManagementServer.InformParameter.{i}.EventList",
        "list",
        "checked by the agent: it reads back as it was set, spaces escaped or not",
    ),
    (
        "Device.ManagementServer.StandbyPolicy.ScheduledAwarenessRequested",
        "enum",
        "nothing here keeps a router awake",
    ),
    (
        "Device.Time.Client.{i}.Port",
        "enum",
        "busybox's ntpd knows one",
    ),
    (
        "Device.Time.Client.{i}.Version",
        "enum",
        "busybox's ntpd knows one",
    ),
    (
        "Device.Time.Server.{i}.Port",
        "enum",
        "busybox's ntpd knows one",
    ),
    (
        "Device.Time.Server.{i}.Version",
        "enum",
        "busybox's ntpd knows one",
    ),
    (
        "Device.Syslog.Action.{i}.",
        "access",
        "OpenWrt has one logd",
    ),
    (
        "Device.Users.User.{i}.",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.Group.{i}.",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.User.{i}.Enable",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.User.{i}.UserID",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.User.{i}.Username",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.User.{i}.GroupParticipation",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.Group.{i}.Enable",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.Group.{i}.GroupID",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.Users.Group.{i}.Groupname",
        "access",
        "an account is more than one file; looked at only",
    ),
    (
        "Device.WiFi.SSID.{i}.",
        "unique",
        "an SSID that is not on the air has no BSSID",
    ),
    (
        "Device.WiFi.EndPoint.{i}.",
        "access",
        "comes and goes with its SSID, as AccessPoint",
    ),
    (
        "Device.WiFi.EndPoint.{i}.Profile.{i}.",
        "access",
        "one client of UCI has one network",
    ),
    (
        "Device.WiFi.EndPoint.{i}.Profile.{i}.Enable",
        "enum",
        "one client of UCI has one network",
    ),
    (
        "Device.WiFi.EndPoint.{i}.ProfileReference",
        "access",
        "one client of UCI has one network",
    ),
    (
        "Device.WiFi.EndPoint.{i}.Profile.{i}.Security.PreSharedKey",
        "min_length",
        "as for an AccessPoint",
    ),
    (
        "Device.WiFi.EndPoint.{i}.Profile.{i}.Security.SAEPassphrase",
        "min_length",
        "as for an AccessPoint",
    ),
    (
        "Device.WiFi.EndPoint.{i}.Profile.{i}.Security.SAEPassphrase",
        "max_length",
        "as for an AccessPoint",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.",
        "access",
        "comes and goes with its SSID: UCI keeps both in one section",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.SSIDReference",
        "access",
        "UCI keeps both in one section",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.PreSharedKey",
        "min_length",
        "fewer than 64 digits would be taken for a passphrase",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.SAEPassphrase",
        "min_length",
        "OpenWrt takes 8 to 63 characters",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.SAEPassphrase",
        "max_length",
        "OpenWrt takes 8 to 63 characters",
    ),
    (
        "Device.NAT.InterfaceSetting.{i}.",
        "access",
        "firewall zones are the router's own",
    ),
    (
        "Device.NAT.InterfaceSetting.{i}.",
        "unique",
        "a zone without networks has no Interface; there may be several",
    ),
    (
        "Device.NAT.InterfaceSetting.{i}.Interface",
        "access",
        "moving a network out of its zone would open the router",
    ),
    (
        "Device.NAT.PortMapping.{i}.RemoteHost",
        "pattern",
        "fw4 takes IPv4 addresses only",
    ),
    (
        "Device.NAT.PortMapping.{i}.InternalClient",
        "pattern",
        "fw4 takes IPv4 addresses only",
    ),
    (
        "Device.NAT.PortMapping.{i}.LeaseDuration",
        "enum",
        "a forward in UCI stays until it is deleted",
    ),
    (
        "Device.NAT.PortMapping.{i}.AllInterfaces",
        "enum",
        "a forward of fw4 comes from one zone",
    ),
    (
        "Device.IP.Interface.{i}.",
        "access",
        "a network needs a protocol, a device and a zone; removing one could cut the router off",
    ),
    (
        "Device.IP.Interface.{i}.IPv4Address.{i}.",
        "access",
        "the row is the fixed address of the network",
    ),
    (
        "Device.PPP.Interface.{i}.",
        "access",
        "as Device.IP.Interface.{i}.: both are one section",
    ),
    (
        "Device.Bridging.Bridge.{i}.Port.{i}.",
        "access",
        "which ports a bridge has is the router's wiring",
    ),
    (
        "Device.Bridging.Bridge.{i}.Port.{i}.LowerLayers",
        "access",
        "a port is its device",
    ),
    (
        "Device.Bridging.Bridge.{i}.Port.{i}.ManagementPort",
        "access",
        "it is the bridge itself",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLANPort.{i}.",
        "access",
        "the wiring of the VLANs is the router's",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLANPort.{i}.Port",
        "access",
        "the wiring of the VLANs is the router's",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLANPort.{i}.Untagged",
        "access",
        "the wiring of the VLANs is the router's",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLANPort.{i}.VLAN",
        "access",
        "the wiring of the VLANs is the router's",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLANPort.{i}.Enable",
        "enum",
        "a port is in a VLAN or not",
    ),
    (
        "Device.DHCPv4.Client.{i}.",
        "access",
        "the network with this protocol is the row",
    ),
    (
        "Device.DHCPv4.Client.{i}.Interface",
        "access",
        "the network with this protocol is the row",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.Order",
        "access",
        "the place in the file; dnsmasq and odhcpd have no order",
    ),
    (
        "Device.DHCPv6.Client.{i}.",
        "access",
        "the network with this protocol is the row",
    ),
    (
        "Device.DHCPv6.Client.{i}.Interface",
        "access",
        "the network with this protocol is the row",
    ),
    (
        "Device.DHCPv6.Server.Pool.{i}.Order",
        "access",
        "the place in the file; dnsmasq and odhcpd have no order",
    ),
    (
        "Device.DHCPv6.Server.Pool.{i}.",
        "access",
        "the sections are those of the pools of IPv4",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.Option.{i}.Enable",
        "enum",
        "an option is there or not",
    ),
    (
        "Device.DNS.Client.Enable",
        "enum",
        "the router itself always asks",
    ),
    (
        "Device.DNS.Relay.Config.{i}.",
        "access",
        "an instance of dnsmasq is the router's business",
    ),
    (
        "Device.Ethernet.Link.{i}.",
        "access",
        "links come and go with the networks on them",
    ),
    (
        "Device.Ethernet.Link.{i}.LowerLayers",
        "access",
        "a link is its device",
    ),
    (
        "Device.Firewall.AdvancedLevel",
        "access",
        "fw4 has one level",
    ),
    (
        "Device.Firewall.Chain.{i}.",
        "access",
        "fw4 has one list of rules",
    ),
    (
        "Device.Firewall.Chain.{i}.Name",
        "access",
        "fw4 has one list of rules",
    ),
    (
        "Device.Firewall.Chain.{i}.Enable",
        "enum",
        "fw4 has one list of rules",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.Order",
        "access",
        "the place in the file",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.IPVersion",
        "min",
        "three single numbers are an enumeration here",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.IPVersion",
        "max",
        "three single numbers are an enumeration here",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.IPVersion",
        "enum",
        "three single numbers are an enumeration here",
    ),
    ("Device.Firewall.Level.{i}.", "access", "fw4 has one level"),
    (
        "Device.SoftwareModules.ExecutionUnit.{i}.References",
        "reference",
        "any table could be meant, and a module brings rows of none",
    ),
    (
        "Device.Firewall.Level.{i}.Name",
        "access",
        "fw4 has one level",
    ),
    (
        "Device.Firewall.Level.{i}.Description",
        "access",
        "fw4 has one level",
    ),
    (
        "Device.Firewall.Level.{i}.Order",
        "access",
        "fw4 has one level",
    ),
    (
        "Device.Firewall.Level.{i}.PortMappingEnabled",
        "enum",
        "port forwards hold at every level",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Enable",
        "access",
        "what the kernel has; UCI says it in several places",
    ),
    (
        "Device.IP.Interface.{i}.LowerLayers",
        "access",
        "a network on another device could cut the router off",
    ),
    (
        "Device.IP.Interface.{i}.Router",
        "access",
        "there is one router",
    ),
    (
        "Device.IP.Interface.{i}.IPv4Address.{i}.Enable",
        "enum",
        "an address is there or not",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Address.{i}.",
        "access",
        "what is in force; the network gives it",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Address.{i}.Enable",
        "enum",
        "what is in force",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Prefix.{i}.",
        "access",
        "what is in force; the network gives it",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Prefix.{i}.Enable",
        "enum",
        "what is in force",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Address.{i}.IPAddress",
        "access",
        "what is in force; the network gives it",
    ),
    (
        "Device.IP.Interface.{i}.IPv6Prefix.{i}.Prefix",
        "access",
        "what is in force; the network gives it",
    ),
    (
        "Device.NAT.PortMapping.{i}.Protocol",
        "enum",
        "fw4 forwards both in one section, and by default",
    ),
    (
        "Device.IP.ULAPrefix",
        "pattern",
        "fc00::/7 and 48 bits, as its description says",
    ),
    (
        "Device.Ethernet.Link.{i}.MTU",
        "min",
        "the least that carries IPv4 (RFC 791)",
    ),
    (
        "Device.Ethernet.Link.{i}.MTU",
        "max",
        "the most of an Ethernet device of Linux",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Accounting.ServerPort",
        "max",
        "a port of UDP",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.RadiusServerPort",
        "max",
        "a port of UDP",
    ),
    (
        "Device.WiFi.Radio.{i}.BeaconPeriod",
        "min",
        "hostapd does not start with less",
    ),
    (
        "Device.WiFi.Radio.{i}.BeaconPeriod",
        "max",
        "hostapd does not start with more",
    ),
    (
        "Device.DHCPv6.Server.Pool.{i}.Interface",
        "access",
        "the pool of IPv4 says it",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.Interface",
        "access",
        "the pool of IPv4 says it",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.",
        "access",
        "the sections are those of the pools",
    ),
    (
        "Device.Routing.Router.{i}.",
        "access",
        "there is one router",
    ),
    (
        "Device.Routing.Router.{i}.Enable",
        "enum",
        "a router that does not route is none",
    ),
];

/// One line of `bbf/tr181.tsv` by column name.
type Line = BTreeMap<String, String>;

fn tr181() -> Option<BTreeMap<String, Line>> {
    let file = shared::find("bbf/tr181.tsv")?;
    let all = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = all.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let rows = lines
        .map(|line| {
            let row: Line = head
                .iter()
                .zip(line.split('\t'))
                .map(|(k, v)| ((*k).to_owned(), v.to_owned()))
                .collect();
            (row["path"].clone(), row)
        })
        .collect();
    Some(rows)
}

/// Collects what differs, and which of the listed differences were met.
#[derive(Default)]
struct Findings {
    wrong: Vec<String>,
    met: BTreeSet<(String, String)>,
}

impl Findings {
    fn differs(&mut self, path: &str, what: &str, ours: &str, theirs: &str) {
        if DIFFERENCES.iter().any(|(p, w, _)| *p == path && *w == what) {
            self.met.insert((path.to_owned(), what.to_owned()));
        } else {
            self.wrong
                .push(format!("{path}: {what}: ours {ours:?}, TR-181 {theirs:?}"));
        }
    }

    fn same(&mut self, path: &str, what: &str, ours: &str, theirs: &str) {
        if ours != theirs {
            self.differs(path, what, ours, theirs);
        }
    }
}

/// Enumerated values that may be used: optional ones are, deleted ones are not.
fn enumeration(cell: &str) -> BTreeSet<String> {
    cell.split('|')
        .filter(|v| !v.is_empty() && !v.ends_with("{deleted}"))
        .map(|v| v.split('{').next().unwrap_or(v).to_owned())
        .collect()
}

/// A path relative to an object, as `##.Security.ModesSupported`: `#` is the object around.
fn near(object: &str, relative: &str) -> String {
    let name = relative.trim_start_matches('#');
    let mut object = object;
    for _ in name.len()..relative.len() {
        let inner = object.trim_end_matches('.').trim_end_matches(".{i}");
        object = &inner[..inner.rfind('.').map_or(0, |dot| dot + 1)];
    }
    format!("{object}{}", name.trim_start_matches('.'))
}

fn compare_parameter(
    path: &str,
    ours: &Table,
    theirs: &BTreeMap<String, Line>,
    found: &mut Findings,
) {
    let Some(line) = theirs.get(path) else {
        found
            .wrong
            .push(format!("{path}: TR-181 has no such parameter"));
        return;
    };
    let cell = |name: &str| line.get(name).map_or("", String::as_str);
    found.same(path, "type", text(ours, "type").unwrap_or(""), cell("type"));
    let access = if text(ours, "access") == Some("rw") {
        "readWrite"
    } else {
        "readOnly"
    };
    found.same(path, "access", access, cell("access"));
    found.same(path, "status", "current", cell("status"));

    let base = cell("type") == cell("base");
    for (key, column) in [
        ("min", "min"),
        ("max", "max"),
        ("min_length", "minLength"),
        ("max_length", "maxLength"),
    ] {
        let mine = number(ours, key).map_or(String::new(), |n| n.to_string());
        // A named type brings its own lengths; hexBinary counts octets in both.
        if mine != cell(column) && (base || !mine.is_empty()) {
            found.differs(path, key, &mine, cell(column));
        }
    }
    let pattern = text(ours, "pattern").unwrap_or("");
    // Several patterns are alternatives.
    let alternatives = cell("pattern").replace(" || ", "|");
    if pattern != alternatives && (base || !pattern.is_empty()) {
        found.differs(path, "pattern", pattern, &alternatives);
    }

    let object = &path[..path.rfind('.').map_or(0, |dot| dot + 1)];
    let referred = cell("reference")
        .strip_prefix("enumerationRef(")
        .and_then(|r| r.strip_suffix(')'))
        .and_then(|sibling| theirs.get(&near(object, sibling)))
        .map_or("", |sibling| sibling["enumeration"].as_str());
    let allowed = enumeration(&format!("{}|{referred}", cell("enumeration")));
    let mine = strings(ours.get("enum"));
    if mine.is_empty() != allowed.is_empty() || !mine.is_subset(&allowed) {
        found.differs(path, "enum", &format!("{mine:?}"), &format!("{allowed:?}"));
    }

    // `list[:32](len<=1024)`: items at most, characters of the whole at most.
    let list = cell("list");
    if is_list(ours) == list.is_empty() {
        found.differs(path, "list", &is_list(ours).to_string(), list);
    }
    let after = |sign: &str, end: char| {
        let rest = list.split_once(sign)?.1;
        rest.split(end).next()?.parse::<i64>().ok()
    };
    for (key, most) in [
        ("max_items", after("[:", ']')),
        ("max_length", after("len<=", ')')),
    ] {
        let mine = list_bound(ours, key);
        if most.is_some_and(|most| mine.is_none_or(|mine| mine > most)) {
            found.differs(path, &format!("list {key}"), &format!("{mine:?}"), list);
        }
    }

    let secret = cell("flags")
        .split(';')
        .any(|f| f == "hidden" || f == "secured");
    found.same(
        path,
        "hidden",
        &flag(ours, "hidden").to_string(),
        &secret.to_string(),
    );
    let command = cell("flags").split(';').any(|f| f == "command");
    found.same(
        path,
        "reads",
        &ours.contains_key("reads").to_string(),
        &command.to_string(),
    );
    found.same(
        path,
        "inform",
        &flag(ours, "inform").to_string(),
        &(cell("forcedInform") == "1").to_string(),
    );
    let notify = match text(ours, "notify") {
        None => "normal",
        Some("forced") => "forceEnabled",
        Some("active") => "forceDefaultEnabled",
        Some("deny") => "canDeny",
        Some(other) => other,
    };
    found.same(path, "notify", notify, cell("activeNotify"));

    // `pathRef(strong;row;##.IP.Interface.)`: the table it points to, `#` climbing up.
    if let Some(target) = cell("reference")
        .strip_prefix("pathRef(")
        .and_then(|r| r.strip_suffix(')'))
    {
        let target = target
            .rsplit(';')
            .next()
            .unwrap_or("")
            .trim_start_matches(['#', '.']);
        let mine = references(ours);
        if mine.is_empty() || !mine.iter().all(|m| m.ends_with(target)) {
            found.differs(path, "reference", &mine.join(" "), target);
        }
    } else if ours.contains_key("reference") {
        found.differs(path, "reference", &references(ours).join(" "), "");
    }
}

fn compare_object(path: &str, ours: &Table, theirs: &BTreeMap<String, Line>, found: &mut Findings) {
    let Some(line) = theirs.get(path) else {
        found
            .wrong
            .push(format!("{path}: TR-181 has no such object"));
        return;
    };
    let access = if text(ours, "access") == Some("rw") {
        "readWrite"
    } else {
        "readOnly"
    };
    found.same(path, "access", access, &line["access"]);
    found.same(path, "status", "current", &line["status"]);
    if let Some(counter) = line.get("numEntriesParameter").filter(|c| !c.is_empty()) {
        let table = path.trim_end_matches(".{i}.");
        let name = table.rsplit('.').next().unwrap_or("");
        let usual = format!("{name}NumberOfEntries");
        found.same(
            path,
            "counter",
            text(ours, "entries").unwrap_or(&usual),
            counter,
        );
    }

    // The keys of which every parameter is shipped.
    let keys = |cell: &str| -> BTreeSet<String> {
        cell.split(';')
            .map(|key| key.trim_start_matches('!'))
            .filter(|key| !key.is_empty() && key.split('+').all(|p| ours.contains_key(p)))
            .map(str::to_owned)
            .collect()
    };
    let wanted = keys(line.get("uniqueKeys").map_or("", String::as_str));
    let mine: BTreeSet<String> = ours
        .get("unique")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .map(|key| {
            key.iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("+")
        })
        .collect();
    if mine != wanted {
        found.differs(path, "unique", &format!("{mine:?}"), &format!("{wanted:?}"));
    }
}

// T-DM-001
#[test]
fn every_path_type_access_and_range_is_that_of_tr181() {
    let Some(theirs) = tr181() else { return };
    let mut found = Findings::default();
    for (path, object) in objects() {
        compare_object(&path, &object, &theirs, &mut found);
    }
    for (path, parameter) in parameters() {
        compare_parameter(&path, &parameter, &theirs, &mut found);
    }
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n"));
    let stale: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(p, w, _)| !found.met.contains(&((*p).to_owned(), (*w).to_owned())))
        // A program built without them has none of their objects.
        .filter(|(p, _, _)| {
            cfg!(feature = "software-modules") || !p.starts_with("Device.SoftwareModules.")
        })
        .collect();
    assert!(
        stale.is_empty(),
        "listed differences that are none: {stale:?}"
    );
}

// T-INF-001
#[test]
fn every_forced_inform_parameter_of_the_shipped_objects_is_there() {
    let Some(theirs) = tr181() else { return };
    let shipped = parameters();
    let objects = objects();
    let forced: Vec<&String> = theirs
        .iter()
        .filter(|(path, line)| {
            let object = &path[..path.rfind('.').map_or(0, |dot| dot + 1)];
            line["forcedInform"] == "1" && objects.contains_key(object)
        })
        .map(|(path, _)| path)
        .collect();
    assert!(forced.len() >= 7, "{forced:?}");
    for path in forced {
        let parameter = shipped
            .get(path)
            .unwrap_or_else(|| panic!("{path} is not shipped"));
        assert!(flag(parameter, "inform"), "{path} is not in every Inform");
    }
}
