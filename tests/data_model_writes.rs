//! Every writable parameter of the shipped data model, set on the sample router and set
//! back; and the settings that several parameters share.

mod router;
mod router_model;

use cwmp_agent::model::binding::Binding;
use cwmp_agent::model::{Model, Schema, SetError, SetItem, SetOutcome};
use cwmp_agent::source::builtin;
use cwmp_agent::uci::{Package, Value};
use std::collections::BTreeMap;

fn files() -> Vec<(String, String)> {
    builtin::FILES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn fresh() -> (router::Router, Model) {
    let router = router::Router::new().expect("a folder for temporary files");
    let model = router_model::model(&router, &files());
    (router, model)
}

fn set(model: &mut Model, items: &[(&str, &str)]) -> Result<SetOutcome, SetError> {
    model.begin();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    model.set(&items, Some("key"))
}

fn get(model: &mut Model, path: &str) -> String {
    model.begin();
    let mut entries = model
        .get(&[path])
        .unwrap_or_else(|fault| panic!("{path}: {fault}"));
    assert_eq!(entries.len(), 1, "{path}");
    entries.remove(0).value
}

/// The codes of a refused Set, by path.
fn codes(result: Result<SetOutcome, SetError>) -> Vec<(String, u16)> {
    match result {
        Err(SetError::Parameters(faults)) => {
            for fault in &faults {
                assert!(!fault.text.contains(&fault.path), "said twice: {fault}");
            }
            faults.into_iter().map(|f| (f.path, f.code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// What does not change by itself.
fn tree(model: &mut Model) -> BTreeMap<String, String> {
    model.begin();
    let all = model.get(&["Device."]).expect("a tree that reads");
    assert_eq!(model.troubles(), []);
    all.into_iter()
        .filter(|e| {
            !["CurrentLocalTime", "FreePersistent", "ParameterKey"]
                .iter()
                .any(|volatile| e.path.ends_with(volatile))
        })
        .map(|e| (e.path, e.value))
        .collect()
}

type Options = Vec<(String, Vec<String>)>;

/// All sections of all packages, without their names, which the agent may give.
fn configuration(router: &router::Router) -> BTreeMap<String, Vec<(String, Options)>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(router.path("/etc/config")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read(&path).expect("a readable file");
        let package = Package::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let sections = package.sections().iter().map(|section| {
            let options = section
                .options()
                .map(|(name, value): (&str, &Value)| (name.to_owned(), value.items().to_vec()));
            let mut options: Options = options.collect();
            options.sort();
            (section.kind().to_owned(), options)
        });
        let name = path.file_name().expect("a name").to_string_lossy();
        all.insert(name.into_owned(), sections.collect());
    }
    all
}

/// `Device.WiFi.SSID.1.SSID` → `Device.WiFi.SSID.{i}.SSID`.
fn schema_path(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts = path.split('.').map(|part| match is_number(part) {
        true => "{i}",
        false => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

const CANDIDATES: &[&str] = &[
    "true",
    "false",
    "65535",
    "77",
    "64",
    "1000",
    "2",
    "2026-01-31T23:59:59Z",
    "Device.IP.Interface.2",
    "Device.IP.Interface.3",
    "Device.WiFi.Radio.1",
    "Device.WiFi.Radio.2",
    "Device.IP.Interface.4",
    "Device.Ethernet.Link.1",
    "Device.Ethernet.Link.2",
    "192.0.2.77",
    "255.255.0.0",
    "255.255.255.0",
    "192.168.1.77",
    "192.168.3.88",
    "192.168.1.200",
    "192.168.3.120",
    "2001:db8:1::/48",
    "2001:db8::77",
    "02:00:5e:00:53:97",
    "02:00:5E:00:53:99,02:00:5e:00:53:98",
    "ctl-name",
    "a \"quoted\" Straße & 'more' <of> it # $(reboot) \\ `x`",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "http://acs.example.net:7547/a?b=c%20d",
];

/// Parameters that need another one of the same request, or a router that is set up
/// otherwise: see the tests of each in `data_model_network.rs`.
const HELD: &[&str] = &[
    "Device.Bridging.Bridge.1.Standard",
    "Device.DHCPv4.Server.Pool.2.MinAddress",
    "Device.DHCPv4.Server.Pool.2.MaxAddress",
    "Device.PPP.Interface.1.ConnectionTrigger",
    "Device.Firewall.Chain.1.Rule.2.DestPortRangeMax",
    "Device.Firewall.Chain.1.Rule.5.DestPortRangeMax",
    "Device.Firewall.Chain.1.Rule.1.SourcePortRangeMax",
    "Device.Firewall.Chain.1.Rule.2.SourcePortRangeMax",
    "Device.Firewall.Chain.1.Rule.3.SourcePortRangeMax",
    "Device.Firewall.Chain.1.Rule.4.SourcePortRangeMax",
    "Device.Firewall.Chain.1.Rule.5.SourcePortRangeMax",
];

/// What goes back with a parameter: the two show one option.
const COMPANIONS: &[(&str, &str)] = &[
    // The channel stays with the driver until there is another one.
    ("AutoChannelEnable", "Channel"),
    ("SourceAllInterfaces", "SourceInterface"),
    ("SourceInterface", "SourceAllInterfaces"),
    ("DestAllInterfaces", "DestInterface"),
    ("DestInterface", "DestAllInterfaces"),
    ("SourceIP", "SourceMask"),
    ("SourceMask", "SourceIP"),
    ("DestIP", "DestMask"),
    ("DestMask", "DestIP"),
];

// T-SPV-001, T-SPV-015, T-SPV-019, T-GPN-012, T-GPV-012
#[test]
fn every_writable_parameter_reads_back_as_it_was_set_and_can_be_set_back() {
    let (router, mut model) = fresh();
    let schema = Schema::load(&files()).expect("a schema");
    // Anonymous sections get their names first, so that only values differ below.
    set(&mut model, &[("Device.DeviceInfo.HostName", "named")]).expect("a name");
    set(&mut model, &[("Device.DeviceInfo.HostName", "OpenWrt")]).expect("a name");
    let before = tree(&mut model);
    let mut done = 0;
    for (path, old) in &before {
        let parameter = schema.parameter(&schema_path(path)).expect("a parameter");
        if !parameter.writable() {
            continue;
        }
        let facets = parameter.facets();
        let config_before = configuration(&router);
        let enumeration = facets.enumeration.iter().map(|e| &**e);
        let refers = !parameter.references().is_empty();
        let new = enumeration
            .chain(CANDIDATES.iter().copied())
            .filter(|c| !refers || c.starts_with("Device."))
            .filter_map(|c| facets.check(c).ok())
            .filter(|c| c != old)
            .find(|c| set(&mut model, &[(path, c)]).is_ok());
        let Some(new) = new else {
            if HELD.contains(&path.as_str()) {
                continue;
            }
            assert_eq!(
                facets.enumeration.len(),
                1,
                "{path}: nothing else can be set"
            );
            assert!(set(&mut model, &[(path, old)]).is_ok(), "{path}");
            continue;
        };
        done += 1;
        let shown = if parameter.hidden() { "" } else { new.as_str() };
        assert_eq!(get(&mut model, path), shown, "{path}");
        // The same again changes nothing, and says so.
        let again = set(&mut model, &[(path, &new)]).expect("the same value");
        assert_eq!(again.changed, Vec::<String>::new(), "{path} = {new}");

        let old = match &**path {
            // What hidden values were before.
            p if p.starts_with("Device.WiFi.") && parameter.hidden() => "correct horse battery",
            "Device.ManagementServer.ConnectionRequestPassword" => "sample-only",
            _ => old,
        };
        let mut back = vec![(path.as_str(), old)];
        // The channel stays with the driver until there is another one.
        let mut companion = path.clone();
        for (one, other) in COMPANIONS {
            if parameter.name() == *one {
                companion = path.replace(one, other);
            }
        }
        if companion != *path {
            back.push((&companion, &before[&companion]));
        }
        if parameter.name() != "PreSharedKey" {
            set(&mut model, &back).unwrap_or_else(|e| panic!("{path} back to {old:?}: {e:?}"));
        } else {
            let passphrase = path.replace("PreSharedKey", "KeyPassphrase");
            set(&mut model, &[(&passphrase, old)]).expect("the passphrase");
        }
        // The whole tree takes long; the files, below, are compared each time.
        let after = match done % 10 {
            0 => tree(&mut model),
            _ => before.clone(),
        };
        let others: Vec<_> = after
            .iter()
            .filter(|(path, value)| before.get(*path) != Some(*value))
            .collect();
        assert_eq!(others, [], "after {path}");
        assert_eq!(after.len(), before.len(), "after {path}");
        // No other option has changed.
        let Some(Binding::Uci(at)) = parameter.binding() else {
            continue;
        };
        let without = |mut all: BTreeMap<String, Vec<(String, Options)>>| {
            for (_, options) in all.get_mut(&at.package).into_iter().flatten() {
                options.retain(|(name, _)| {
                    *name != at.option && name != "zonename" && !at.clears.contains(name)
                });
            }
            // A device without settings has no section, until there is one.
            for sections in all.values_mut() {
                sections.retain(|(kind, options)| {
                    kind != "device" || options.iter().any(|(name, _)| name != "name")
                });
            }
            all
        };
        assert_eq!(
            without(configuration(&router)),
            without(config_before),
            "after {path}"
        );
    }
    assert_eq!(tree(&mut model), before);
    assert!(done > 300, "{done} parameters");
}

#[test]
fn a_channel_left_to_the_driver_reads_quietly_and_ends_with_a_channel() {
    let (router, mut model) = fresh();
    let (channel, auto) = (
        "Device.WiFi.Radio.1.Channel",
        "Device.WiFi.Radio.1.AutoChannelEnable",
    );
    for text in ["auto", "0"] {
        let config = router.read("/etc/config/wireless").expect("a file");
        let config = config.replace("option channel '6'", &format!("option channel '{text}'"));
        router
            .write("/etc/config/wireless", &config)
            .expect("written");
        assert_eq!(get(&mut model, channel), "0");
        assert_eq!(get(&mut model, auto), "true");
        assert_eq!(model.troubles(), []);
        assert_eq!(
            codes(set(&mut model, &[(auto, "false")])),
            [(auto.to_owned(), 9007)]
        );
        // Whatever the order, and only together.
        for order in [
            [(auto, "false"), (channel, "6")],
            [(channel, "11"), (auto, "false")],
        ] {
            set(&mut model, &[(auto, "true")]).expect("auto");
            set(&mut model, &order).unwrap_or_else(|e| panic!("{order:?}: {e:?}"));
            assert_eq!(get(&mut model, auto), "false");
        }
        for order in [
            [(auto, "true"), (channel, "7")],
            [(channel, "7"), (auto, "true")],
        ] {
            assert_eq!(codes(set(&mut model, &order)).len(), 1, "{order:?}");
        }
        set(&mut model, &[(channel, "6")]).expect("a channel");
    }
    set(&mut model, &[(auto, "true")]).expect("auto");
    let text = router.read("/etc/config/wireless").expect("a file");
    assert!(text.contains("option channel 'auto'"), "{text}");
}

// T-SPV-016
#[test]
fn two_views_of_one_setting_cannot_be_set_apart_whatever_the_order() {
    for (first, second) in [
        (
            ("Device.WiFi.SSID.1.Enable", "false"),
            ("Device.WiFi.AccessPoint.1.Enable", "true"),
        ),
        (
            ("Device.Time.NTPServer1", "a.example"),
            ("Device.Time.Client.1.Servers", "b.example,c.example"),
        ),
        (
            (
                "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
                "one and one",
            ),
            (
                "Device.WiFi.AccessPoint.1.Security.SAEPassphrase",
                "two and two",
            ),
        ),
    ] {
        for items in [[first, second], [second, first]] {
            let (router, mut model) = fresh();
            let before = configuration(&router);
            let refused = codes(set(&mut model, &items));
            assert!(refused.iter().all(|(_, code)| *code == 9007), "{refused:?}");
            assert_eq!(configuration(&router), before);
            assert_eq!(model.troubles(), []);
        }
    }
    // The same value in all views is fine.
    let (_router, mut model) = fresh();
    let both = [
        ("Device.WiFi.SSID.1.Enable", "false"),
        ("Device.WiFi.AccessPoint.1.Enable", "false"),
        (
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
            "one and one",
        ),
        (
            "Device.WiFi.AccessPoint.1.Security.SAEPassphrase",
            "one and one",
        ),
    ];
    set(&mut model, &both).expect("one setting");
    assert_eq!(get(&mut model, both[0].0), "false");
}

#[test]
fn a_key_in_hexadecimal_can_follow_a_passphrase_without_a_word_in_the_log() {
    let (router, mut model) = fresh();
    let key = "ab".repeat(32);
    let path = "Device.WiFi.AccessPoint.1.Security.PreSharedKey";
    set(&mut model, &[(path, &key)]).expect("a key");
    assert_eq!(model.troubles(), []);
    let text = router.read("/etc/config/wireless").expect("a file");
    assert!(text.to_lowercase().contains(&key), "{text}");
}

// T-OBJ-001, T-OBJ-016
#[test]
fn a_forward_is_made_as_acss_make_it() {
    let (router, mut model) = fresh();
    let table = "Device.NAT.PortMapping.";
    let mut paths = Vec::new();
    for expected in [4, 5] {
        model.begin();
        let (number, _) = model.add(table, Some("k")).expect("a row");
        assert_eq!(number, expected);
        paths.push(format!("{table}{number}."));
    }
    let values = [
        ("AllInterfaces", "0"),
        ("LeaseDuration", "0"),
        ("Interface", "Device.IP.Interface.3"),
        ("RemoteHost", "198.51.100.0/24"),
        ("ExternalPortEndRange", "8090"),
        ("ExternalPort", "8080"),
        ("InternalPort", "80"),
        ("Protocol", "UDP"),
        ("InternalClient", "192.168.1.50"),
        ("Description", "a <game> & \"more\""),
        ("Enable", "1"),
    ];
    let full = |path: &str| -> Vec<(String, &str)> {
        values
            .iter()
            .map(|(n, v)| (format!("{path}{n}"), *v))
            .collect()
    };
    let own = full(&paths[0]);
    let items: Vec<(&str, &str)> = own.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &items).expect("a forward");
    for (path, value) in &items {
        let shown = match *value {
            "0" if path.ends_with("AllInterfaces") => "false",
            "1" => "true",
            other => other,
        };
        assert_eq!(get(&mut model, path), shown, "{path}");
    }
    let text = router.read("/etc/config/firewall").expect("a file");
    assert!(text.contains("option src_dport '8080-8090'"), "{text}");
    assert!(text.contains("option src 'wan'"), "{text}");

    // The second with the same key may be prepared, but not enabled.
    let own = full(&paths[1]);
    let items: Vec<(&str, &str)> = own.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &items[..items.len() - 1]).expect("a forward that is off");
    let refused = codes(set(&mut model, &items[items.len() - 1..]));
    assert_eq!(refused, [(format!("{}Enable", paths[1]), 9007)]);

    for (name, value) in [
        ("AllInterfaces", "true"),
        ("LeaseDuration", "60"),
        ("ExternalPortEndRange", "8079"),
        ("Interface", "Device.IP.Interface.1"),
        ("Interface", "Device.IP.Interface.99"),
    ] {
        let path = format!("{}{name}", paths[0]);
        let refused = codes(set(&mut model, &[(&path, value)]));
        assert_eq!(refused, [(path, 9007)], "{value}");
    }
    // Without a first port there is no range.
    let (first, last) = (
        format!("{}ExternalPort", paths[0]),
        format!("{}ExternalPortEndRange", paths[0]),
    );
    let refused = codes(set(&mut model, &[(&first, "0"), (&last, "8090")]));
    assert_eq!(refused, [(last.clone(), 9007)]);
    set(&mut model, &[(&first, "0")]).expect("any port");
    assert_eq!(get(&mut model, &last), "0");
    let path = format!("{}Interface", paths[0]);
    set(&mut model, &[(&path, "Device.IP.Interface.2")]).expect("the LAN's zone");
    let text = router.read("/etc/config/firewall").expect("a file");
    assert!(text.contains("option src 'lan'"), "{text}");
}

#[test]
fn a_time_zone_that_is_set_is_not_overruled_by_the_name_of_the_last() {
    let (router, mut model) = fresh();
    set(&mut model, &[("Device.Time.LocalTimeZone", "JST-9")]).expect("a zone");
    let text = router.read("/etc/config/system").expect("a file");
    assert!(text.contains("option timezone 'JST-9'"), "{text}");
    assert!(!text.contains("zonename"), "{text}");
    assert!(get(&mut model, "Device.Time.CurrentLocalTime").ends_with("+09:00"));
}

#[test]
fn servers_close_up_when_one_is_emptied() {
    let (_router, mut model) = fresh();
    set(&mut model, &[("Device.Time.NTPServer1", "")]).expect("emptied");
    assert_eq!(
        get(&mut model, "Device.Time.NTPServer1"),
        "1.openwrt.pool.ntp.org"
    );
    assert_eq!(get(&mut model, "Device.Time.NTPServer4"), "");
    let servers = [
        ("Device.Time.NTPServer1", ""),
        ("Device.Time.NTPServer2", "a.example"),
        ("Device.Time.NTPServer3", ""),
        ("Device.Time.NTPServer4", "b.example"),
    ];
    set(&mut model, &servers).expect("with holes");
    assert_eq!(
        get(&mut model, "Device.Time.Client.1.Servers"),
        "a.example,b.example"
    );
}

#[test]
fn management_frames_are_protected_as_the_mode_asks_until_it_is_said() {
    let (_router, mut model) = fresh();
    let of = |n: u32, name: &str| format!("Device.WiFi.AccessPoint.{n}.Security.{name}");
    let (mode, mfp) = (of(3, "ModeEnabled"), of(3, "MFPConfig"));
    for (value, shown) in [
        ("None", "Disabled"),
        ("WPA2-Personal", "Disabled"),
        ("WPA3-Personal", "Required"),
        ("WPA3-Personal-Transition", "Optional"),
    ] {
        set(&mut model, &[(&mode, value)]).expect("a mode");
        assert_eq!(get(&mut model, &mfp), shown, "{value}");
    }
    set(&mut model, &[(&mfp, "Required")]).expect("said");
    set(&mut model, &[(&mode, "WPA2-Personal")]).expect("a mode");
    assert_eq!(get(&mut model, &mfp), "Required");
    // The sample's second radio says `ieee80211w '1'`.
    assert_eq!(get(&mut model, &of(2, "MFPConfig")), "Optional");
}

#[test]
fn a_name_of_a_network_has_32_octets() {
    let (_router, mut model) = fresh();
    let path = "Device.WiFi.SSID.1.SSID";
    set(&mut model, &[(path, &"ä".repeat(16))]).expect("32 octets");
    assert_eq!(
        codes(set(&mut model, &[(path, &"ä".repeat(17))])),
        [(path.to_owned(), 9007)]
    );
}

// T-OBJ-011, T-OBJ-012, T-OBJ-013
#[test]
fn numbers_follow_their_rows_through_edits_by_others_and_restarts() {
    let (router, mut model) = fresh();
    let table = "Device.NAT.PortMapping.";
    let shown = |router: &router::Router| {
        // Each time as after a restart.
        let mut model = router_model::model(router, &files());
        model.begin();
        let all = model.get(&[table]).expect("a table");
        let of = |name: &str| -> Vec<String> {
            let end = format!(".{name}");
            all.iter()
                .filter(|e| e.path.ends_with(&end))
                .map(|e| {
                    format!(
                        "{}={}",
                        &e.path[table.len()..e.path.len() - end.len()],
                        e.value
                    )
                })
                .collect()
        };
        (of("Description"), of("Alias"))
    };
    set(&mut model, &[("Device.NAT.PortMapping.1.Alias", "web")]).expect("an alias");
    let config = router.read("/etc/config/firewall").expect("a file");
    assert!(
        config.contains("config redirect\n\toption dest"),
        "an alias writes no file"
    );
    // Somebody edits the section without a name, and then moves it to the end.
    let config = config
        .replace("'8443'", "'9443'")
        .replace("'web server'", "'web'");
    router
        .write("/etc/config/firewall", &config)
        .expect("written");
    let expected = vec![
        "1=web".to_owned(),
        "2=Kids' console".to_owned(),
        "3=torrent".to_owned(),
    ];
    assert_eq!(shown(&router).0, expected);
    let start = config
        .find("config redirect\n\toption dest")
        .expect("there");
    let end = config.find("config redirect 'games'").expect("there");
    let moved = format!(
        "{}{}\n{}",
        &config[..start],
        &config[end..],
        &config[start..end]
    );
    router
        .write("/etc/config/firewall", &moved)
        .expect("written");
    assert_eq!(shown(&router).0, expected);

    // Two rows go in one session; what comes later has another number.
    let mut model = router_model::model(&router, &files());
    model.begin();
    assert_eq!(model.add(table, Some("k")).expect("a row").0, 4);
    for gone in ["2.", "4."] {
        model.begin();
        model
            .delete(&format!("{table}{gone}"), Some("k"))
            .expect("gone");
    }
    model.begin();
    assert_eq!(model.add(table, Some("k")).expect("a row").0, 5);
    let (descriptions, aliases) = shown(&router);
    assert_eq!(descriptions, ["1=web", "3=torrent", "5="]);
    assert_eq!(aliases, ["1=web", "3=cpe-3", "5=cpe-5"]);
}

#[test]
fn many_sections_without_names_are_named_in_one_change() {
    let (router, mut model) = fresh();
    let mut config = router.read("/etc/config/firewall").expect("a file");
    for n in 0..3000 {
        config.push_str(&format!(
            "\nconfig redirect\n\toption target DNAT\n\toption src_dport {}\n\toption name 'n{n}'\n",
            n % 1000 + 1
        ));
    }
    router
        .write("/etc/config/firewall", &config)
        .expect("written");
    set(
        &mut model,
        &[("Device.NAT.PortMapping.7.Description", "seven")],
    )
    .expect("a name");
    let text = router.read("/etc/config/firewall").expect("a file");
    assert_eq!(
        text.matches("config redirect 'cwmp_redirect_").count(),
        3002
    );
    assert_eq!(
        text.matches("config redirect\n").count(),
        1,
        "the SNAT section is no row"
    );
    assert_eq!(
        get(&mut model, "Device.NAT.PortMapping.7.Description"),
        "seven"
    );
    assert_eq!(
        get(&mut model, "Device.NAT.PortMapping.3003.Description"),
        "n2999"
    );
    assert_eq!(
        get(&mut model, "Device.NAT.PortMappingNumberOfEntries"),
        "3003"
    );
}
