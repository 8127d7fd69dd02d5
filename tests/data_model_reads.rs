//! Every binding of the shipped data model, read from the sample router by the real
//! sources.

mod router;
mod router_model;

use cwmp_agent::model::Schema;
use cwmp_agent::model::binding::{Binding, SourceKind};
use cwmp_agent::model::source::{Ask, Raw, Source};
use cwmp_agent::source::{self, Runtime, builtin};
use cwmp_agent::store::Root;
use std::collections::BTreeMap;

type Sources = BTreeMap<SourceKind, Box<dyn Source>>;

fn files() -> Vec<(String, String)> {
    builtin::files()
}

fn schema() -> Schema {
    Schema::load(&files()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn sources(router: &router::Router, schema: &Schema) -> Sources {
    let root = Root::new(router.root()).expect("a folder that exists");
    let tables = schema.objects().filter_map(|object| object.rows());
    source::all(&root, source::Limits::default(), Runtime::default(), tables)
}

/// For each object its rows, as the keys from the outermost table inwards; one empty list
/// for an object outside all tables.
fn rows(schema: &Schema, sources: &mut Sources) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut all: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for object in schema.objects() {
        let path = object.path();
        let around = path
            .trim_end_matches("{i}.")
            .trim_end_matches('.')
            .rsplit_once('.')
            .and_then(|(parent, _)| all.get(&format!("{parent}.")))
            .cloned()
            .unwrap_or_else(|| vec![Vec::new()]);
        let Some(table) = object.rows() else {
            all.insert(path, around);
            continue;
        };
        let source = sources
            .get_mut(&table.source())
            .expect("a source of every kind");
        let mut own = Vec::new();
        for parents in around {
            for row in source
                .rows(table, &parents)
                .unwrap_or_else(|e| panic!("{path}: {e}"))
            {
                let mut keys = parents.clone();
                keys.push(row.key);
                own.push(keys);
            }
        }
        all.insert(path, own);
    }
    all
}

fn read(sources: &mut Sources, binding: &Binding, rows: &[String]) -> Option<String> {
    let source = sources
        .get_mut(&binding.source())
        .expect("a source of every kind");
    let mut answers = source.read(&[Ask { binding, rows }]);
    assert_eq!(answers.len(), 1);
    match answers
        .remove(0)
        .unwrap_or_else(|e| panic!("{binding:?} {rows:?}: {e}"))?
    {
        Raw::Text(text) => Some(text),
        Raw::List(items) => Some(items.join(",")),
    }
}

fn object_of(path: &str) -> String {
    path[..path.rfind('.').map_or(0, |dot| dot + 1)].to_owned()
}

#[test]
fn every_table_has_the_rows_that_the_sample_router_has() {
    let router = router::Router::new().expect("a folder for temporary files");
    let schema = schema();
    let mut sources = sources(&router, &schema);
    let rows = rows(&schema, &mut sources);
    let keys =
        |path: &str| -> Vec<String> { rows[path].iter().map(|keys| keys.join("/")).collect() };
    assert_eq!(
        keys("Device.Ethernet.Interface.{i}."),
        ["eth0", "lan1", "lan2", "lan3", "lan4", "wan"]
    );
    assert_eq!(keys("Device.WiFi.Radio.{i}."), ["radio0", "radio1"]);
    assert_eq!(rows["Device.WiFi.SSID.{i}."].len(), 4);
    assert_eq!(
        rows["Device.WiFi.AccessPoint.{i}."],
        rows["Device.WiFi.SSID.{i}."][..3]
    );
    assert_eq!(keys("Device.WiFi.EndPoint.{i}."), ["uplink"]);
    assert_eq!(keys("Device.Users.User.{i}."), ["root", "support"]);
    assert_eq!(
        keys("Device.DeviceInfo.TemperatureStatus.TemperatureSensor.{i}."),
        ["hwmon1-temp1", "hwmon2-temp1", "thermal_zone0"]
    );
    assert_eq!(
        keys("Device.DeviceInfo.ProcessStatus.CPU.{i}."),
        ["cpu0", "cpu1"]
    );
    assert_eq!(
        keys("Device.IP.Interface.{i}."),
        ["loopback", "lan", "wan", "wan6", "guest", "iptv"]
    );
    assert_eq!(
        keys("Device.IP.Interface.{i}.IPv4Address.{i}."),
        ["loopback/1", "lan/1", "guest/1", "guest/2"]
    );
    assert_eq!(keys("Device.PPP.Interface.{i}."), ["wan"]);
    assert_eq!(
        rows["Device.NAT.PortMapping.{i}."].len(),
        3,
        "the SNAT section is none"
    );
    assert_eq!(rows["Device.NAT.InterfaceSetting.{i}."].len(), 3);
    assert_eq!(
        keys("Device.Hosts.Host.{i}."),
        [
            "02:00:5e:00:53:20",
            "02:00:5e:00:53:31",
            "02:00:5e:00:53:77"
        ]
    );
    assert_eq!(
        rows["Device.DeviceInfo.ProcessStatus.Process.{i}."].len(),
        13
    );
    assert!(
        rows.iter()
            .all(|(path, rows)| !rows.is_empty() || path.is_empty() || is_published(path)),
        "{rows:?}"
    );
}

/// Rows that a running agent publishes, or hostapd on ubus: there are none without them
/// (`tests/software_modules.rs` and `tests/data_model_stations.rs` have them).
fn is_published(path: &str) -> bool {
    path.starts_with("Device.SoftwareModules.") || path.contains(".AssociatedDevice.")
}

#[test]
fn every_binding_reads_without_trouble() {
    let router = router::Router::new().expect("a folder for temporary files");
    let schema = schema();
    let mut sources = sources(&router, &schema);
    let rows = rows(&schema, &mut sources);
    let mut read_at_all = 0;
    for parameter in schema.parameters() {
        let path = parameter.path();
        let Some(binding) = parameter
            .binding()
            .filter(|b| b.source() != SourceKind::Native)
        else {
            continue;
        };
        let places = &rows[&object_of(&path)];
        let values: Vec<Option<String>> = places
            .iter()
            .map(|keys| read(&mut sources, binding, keys))
            .collect();
        read_at_all += values.len();
        // What has no default must be there, at least once, or the binding is wrong.
        let may_be_absent = [
            "Device.WiFi.AccessPoint.{i}.MaxAllowedAssociations",
            "Device.NAT.PortMapping.{i}.ExternalPort",
            "Device.NAT.PortMapping.{i}.ExternalPortEndRange",
            "Device.DNS.Relay.Enable",
            "Device.DNS.Relay.Status",
            "Device.Ethernet.Interface.{i}.MaxBitRate",
            "Device.Ethernet.Interface.{i}.DuplexMode",
            "Device.PPP.Interface.{i}.ConnectionTrigger",
            "Device.Routing.Router.{i}.IPv4Forwarding.{i}.Type",
            "Device.Routing.Router.{i}.IPv6Forwarding.{i}.Type",
            "Device.Routing.Router.{i}.IPv6Forwarding.{i}.ForwardingMetric",
            "Device.RouterAdvertisement.InterfaceSetting.{i}.AdvLinkMTU",
            "Device.RouterAdvertisement.InterfaceSetting.{i}.AdvPreferredRouterFlag",
            "Device.Firewall.Chain.{i}.Rule.{i}.Log",
            "Device.Firewall.Chain.{i}.Rule.{i}.SourcePort",
            "Device.Firewall.Chain.{i}.Rule.{i}.SourcePortRangeMax",
            "Device.DHCPv6.Client.{i}.RequestedOptions",
        ];
        let may_be_absent = may_be_absent.contains(&path.as_str()) || is_published(&path);
        if parameter.default().is_none() && !may_be_absent {
            assert!(
                values.iter().any(Option::is_some),
                "{path}: nothing in {places:?}"
            );
        }
    }
    assert!(read_at_all > 300, "{read_at_all}");
}

#[test]
fn what_is_picked_out_of_a_text_is_what_stands_there() {
    let router = router::Router::new().expect("a folder for temporary files");
    let schema = schema();
    let mut sources = sources(&router, &schema);
    for (path, row, value) in [
        ("Device.DeviceInfo.UpTime", "", "351735"),
        ("Device.DeviceInfo.Description", "", "OpenWrt 23.05.5"),
        (
            "Device.DeviceInfo.ModelNumber",
            "",
            "example,home-router-ax",
        ),
        (
            "Device.DeviceInfo.AdditionalSoftwareVersion",
            "",
            "5.15.167",
        ),
        ("Device.DeviceInfo.MemoryStatus.Total", "", "498728"),
        ("Device.DeviceInfo.MemoryStatus.Free", "", "379516"),
        (
            "Device.DeviceInfo.NetworkProperties.MaxTCPWindowSize",
            "",
            "3963968",
        ),
        (
            "Device.DeviceInfo.ProcessStatus.Process.{i}.Command",
            "7410",
            "tmux: server",
        ),
        (
            "Device.DeviceInfo.ProcessStatus.Process.{i}.Size",
            "1288",
            "1840",
        ),
        (
            "Device.DeviceInfo.ProcessStatus.Process.{i}.State",
            "27",
            "Idle",
        ),
        ("Device.Time.NTPServer2", "", "1.openwrt.pool.ntp.org"),
        ("Device.Ethernet.Interface.{i}.CurrentBitRate", "lan2", "-1"),
        (
            "Device.Ethernet.Interface.{i}.Stats.Collisions",
            "lan3",
            "41",
        ),
        ("Device.Hosts.Host.{i}.HostName", "02:00:5e:00:53:20", "nas"),
        (
            "Device.Hosts.Host.{i}.IPAddress",
            "02:00:5e:00:53:77",
            "192.168.1.177",
        ),
        ("Device.Hosts.Host.{i}.Active", "02:00:5e:00:53:20", "0x2"),
        ("Device.Hosts.Host.{i}.Active", "02:00:5e:00:53:31", "0x0"),
        ("Device.PPP.Interface.{i}.Status", "wan", "Up"),
        ("Device.PPP.Interface.{i}.Name", "wan", "pppoe-wan"),
        (
            "Device.PPP.Interface.{i}.Password",
            "wan",
            r#"line "one" and \two"#,
        ),
        (
            "Device.NAT.PortMapping.{i}.Description",
            "games",
            "Kids' console",
        ),
    ] {
        let parameter = schema
            .parameter(path)
            .unwrap_or_else(|| panic!("{path} is missing"));
        let binding = parameter
            .binding()
            .unwrap_or_else(|| panic!("{path} has no binding"));
        let rows: Vec<String> = [row]
            .iter()
            .filter(|r| !r.is_empty())
            .map(|r| (*r).to_owned())
            .collect();
        assert_eq!(
            read(&mut sources, binding, &rows).as_deref(),
            Some(value),
            "{path} {row}"
        );
    }
    // No neighbour, no entry: the default holds.
    let active = schema
        .parameter("Device.Hosts.Host.{i}.Active")
        .expect("shipped");
    let binding = active.binding().expect("bound");
    assert_eq!(
        read(&mut sources, binding, &["02:00:5e:00:53:77".to_owned()]),
        None
    );
    assert_eq!(active.default(), Some("false"));
}

/// `Device.WiFi.SSID.1.SSID` → `Device.WiFi.SSID.{i}.SSID`.
fn schema_path(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = path
        .split('.')
        .map(|part| if is_number(part) { "{i}" } else { part })
        .collect();
    parts.join(".")
}

// T-DM-001, T-DM-002, T-DM-003
#[test]
fn the_whole_tree_reads_with_legal_values_true_counts_and_references_that_exist() {
    let router = router::Router::new().expect("a folder for temporary files");
    let schema = schema();
    let mut model = router_model::model(&router, &files());
    model.begin();
    let all = model
        .get(&["Device."])
        .unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(model.troubles(), []);
    let values: BTreeMap<&str, &str> = all
        .iter()
        .map(|e| (e.path.as_str(), e.value.as_str()))
        .collect();
    let mut shown: Vec<String> = Vec::new();
    for (path, value) in &values {
        let parameter = schema
            .parameter(&schema_path(path))
            .unwrap_or_else(|| panic!("{path}"));
        shown.push(parameter.path());
        // Hidden values read empty whatever their length must be.
        if !parameter.hidden() {
            let checked = parameter.facets().check(value);
            assert!(
                checked.as_deref() == Ok(*value) || path.ends_with(".CurrentLocalTime"),
                "{path} = {value}"
            );
        }
        if parameter.counts_entries() {
            let table = format!("{}.", path.trim_end_matches("NumberOfEntries"));
            // TR-181 counts this table by another name.
            let table = table.replace("Relay.Forward.", "Relay.Forwarding.");
            let rows: std::collections::BTreeSet<&str> = values
                .keys()
                .filter_map(|p| p.strip_prefix(table.as_str())?.split('.').next())
                .collect();
            assert_eq!(value.parse(), Ok(rows.len()), "{path}");
        }
        if !parameter.references().is_empty() && !value.is_empty() {
            for row in value.split(',') {
                let row = format!("{row}.");
                assert!(
                    values.keys().any(|p| p.starts_with(&row)),
                    "{path} = {value}"
                );
            }
        }
    }
    shown.sort_unstable();
    shown.dedup();
    let mut known: Vec<String> = schema.parameters().map(|p| p.path()).collect();
    known.retain(|path| !is_published(path) || shown.contains(path));
    known.sort_unstable();
    assert_eq!(shown, known, "every parameter shows on the sample router");
    for (path, value) in [
        (
            "Device.WiFi.AccessPoint.1.Security.ModeEnabled",
            "WPA2-Personal",
        ),
        (
            "Device.WiFi.AccessPoint.3.SSIDReference",
            "Device.WiFi.SSID.3",
        ),
        ("Device.WiFi.SSID.3.LowerLayers", "Device.WiFi.Radio.1"),
        ("Device.WiFi.SSID.3.Enable", "false"),
        ("Device.Ethernet.Interface.3.CurrentBitRate", "0"),
        ("Device.NAT.PortMapping.1.Protocol", "TCP"),
        (
            "Device.NAT.InterfaceSetting.2.Interface",
            "Device.IP.Interface.3",
        ),
        ("Device.Hosts.Host.3.HostName", ""),
        ("Device.PPP.Interface.1.Status", "Up"),
        ("Device.PPP.Interface.1.Password", ""),
        (
            "Device.Time.Client.1.Servers",
            "0.openwrt.pool.ntp.org,1.openwrt.pool.ntp.org,2.openwrt.pool.ntp.org,3.openwrt.pool.ntp.org",
        ),
    ] {
        assert_eq!(values.get(path), Some(&value), "{path}");
    }
}

#[test]
fn a_switch_turned_round_takes_every_word_that_openwrt_takes() {
    let router = router::Router::new().expect("a folder for temporary files");
    for (word, enabled) in [
        ("1", "false"),
        ("yes", "false"),
        ("on", "false"),
        ("0", "true"),
        ("off", "true"),
    ] {
        let config = format!("config wifi-device 'radio0'\n\toption disabled '{word}'\n");
        router
            .write("/etc/config/wireless", &config)
            .expect("a writable copy");
        let mut model = router_model::model(&router, &files());
        model.begin();
        let read = model
            .get(&["Device.WiFi.Radio.1.Enable"])
            .unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(read[0].value, enabled, "disabled {word}");
    }
}

// T-DM-009
#[test]
fn the_data_model_that_is_served_is_named() {
    let router = router::Router::new().expect("a folder for temporary files");
    let mut model = router_model::model(&router, &files());
    model.begin();
    let table = "Device.DeviceInfo.SupportedDataModel.";
    let all = model.get(&[table]).expect("a table");
    let value = |name: &str| {
        let entry = all.iter().find(|e| e.path == format!("{table}1.{name}"));
        entry.map(|e| e.value.as_str()).unwrap_or_default()
    };
    assert!(value("URL").contains("tr-181-2-19"), "{}", value("URL"));
    assert!(value("URN").starts_with("urn:broadband-forum-org:tr-181-2-19"));
    model.begin();
    let version = model
        .get(&["Device.RootDataModelVersion"])
        .expect("a parameter");
    assert_eq!(version[0].value, "2.19");
}
