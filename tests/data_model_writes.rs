//! Settings of the shipped data model that several parameters share, or that mean more
//! than their own text, set on the sample router.

mod router;
mod router_model;

use cwmp_agent::model::{Model, SetError, SetItem, SetOutcome};
use cwmp_agent::source::builtin;
use cwmp_agent::uci::{Package, Value};
use std::collections::BTreeMap;

fn files() -> Vec<(String, String)> {
    builtin::files()
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
        ("InternalPort", "8080"),
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

// T-SPV-015: what is set reads back, so a list keeps no gap.
#[test]
fn a_server_is_emptied_when_none_follows() {
    let (router, mut model) = fresh();
    let of = |n: u32| format!("Device.Time.NTPServer{n}");
    let before = router.read("/etc/config/system").expect("a file");
    for items in [
        vec![(of(2), "")],
        vec![(of(1), ""), (of(2), "a.example")],
        vec![(of(3), ""), (of(4), ""), (of(5), "a.example")],
    ] {
        let items: Vec<(&str, &str)> = items.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        let refused = codes(set(&mut model, &items));
        assert!(refused.iter().all(|(_, code)| *code == 9007), "{refused:?}");
        assert_eq!(router.read("/etc/config/system").expect("a file"), before);
    }
    for order in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 1, 5, 2, 4]] {
        let all = order.map(|n| (of(n), if n < 3 { "x.example" } else { "" }));
        let items: Vec<(&str, &str)> = all.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        set(&mut model, &items).expect("no gap");
        for (path, value) in items {
            assert_eq!(get(&mut model, path), value, "{path}");
        }
    }
    // None is needed.
    set(&mut model, &[(&of(1), ""), (&of(2), "")]).expect("none");
    let gap = codes(set(&mut model, &[(&of(2), "b.example")]));
    assert_eq!(gap, [(of(2), 9007)]);
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

// T-EVT-012, T-SPV-011
#[test]
fn an_interval_that_no_timer_could_keep_is_refused() {
    let (_router, mut model) = fresh();
    let path = "Device.ManagementServer.PeriodicInformInterval";
    let before = get(&mut model, path);
    for bad in ["0", "-1", "4294967296", "1.5", ""] {
        assert_eq!(
            codes(set(&mut model, &[(path, bad)])),
            [(path.to_owned(), 9007)],
            "{bad}"
        );
    }
    assert_eq!(get(&mut model, path), before);
    for good in ["1", "4294967295"] {
        set(&mut model, &[(path, good)]).expect("in range");
        assert_eq!(get(&mut model, path), good);
    }
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

#[test]
fn a_list_of_addresses_is_read_in_every_form_that_openwrt_takes() {
    let (router, mut model) = fresh();
    let path = "Device.WiFi.AccessPoint.1.AllowedMACAddress";
    let config = router.read("/etc/config/wireless").expect("a file");
    let [one, two] = ["02:00:5e:00:53:01", "02:00:5e:00:53:02"];
    for (lines, shown) in [
        (
            format!("option maclist '{one} {two}'"),
            format!("{one},{two}"),
        ),
        (
            format!("option maclist '{one}\t{two} '"),
            format!("{one},{two}"),
        ),
        (
            format!("list maclist '{one}'\n\tlist maclist '{two}'"),
            format!("{one},{two}"),
        ),
        // What is no address would only be junk to the ACS.
        (
            format!("list maclist 'junk, 100%'\n\tlist maclist '{two}'"),
            two.to_owned(),
        ),
        (format!("option maclist 'junk {one}'"), one.to_owned()),
    ] {
        let text = config.replacen(
            "option network 'lan'",
            &format!("option network 'lan'\n\t{lines}"),
            1,
        );
        router
            .write("/etc/config/wireless", &text)
            .expect("written");
        assert_eq!(get(&mut model, path), shown, "{lines}");
    }
    assert_eq!(model.troubles(), []);
    // Setting what is shown takes the junk away.
    set(&mut model, &[(path, one)]).expect("an address");
    let text = router.read("/etc/config/wireless").expect("a file");
    assert!(text.contains(&format!("list maclist '{one}'")), "{text}");
    assert!(!text.contains("junk"), "{text}");
}

#[test]
fn security_is_shown_in_tr181s_words_and_set_with_its_ciphers_in_any_order() {
    let (router, mut model) = fresh();
    let at = |name: &str| format!("Device.WiFi.AccessPoint.1.Security.{name}");
    let (mode, ciphers) = (at("ModeEnabled"), at("EncryptionMode"));
    let shown = |router: &router::Router| {
        let text = router.read("/etc/config/wireless").expect("a file");
        let line = text.lines().find(|line| line.contains("encryption"));
        line.map(str::trim).unwrap_or_default().to_owned()
    };
    for (items, line) in [
        (
            vec![(&mode, "WPA2-Enterprise")],
            "option encryption 'wpa2+ccmp'",
        ),
        (vec![(&mode, "OWE")], "option encryption 'owe'"),
        (
            vec![(&mode, "WPA-WPA2-Personal"), (&ciphers, "TKIP,AES")],
            "option encryption 'psk-mixed+tkip+ccmp'",
        ),
        (vec![(&mode, "WPA3-Personal")], "option encryption 'sae'"),
        (
            vec![(&ciphers, "TKIP"), (&mode, "WPA2-Personal")],
            "option encryption 'psk2+tkip'",
        ),
        (vec![(&mode, "WPA3-Enterprise")], "option encryption 'wpa3'"),
    ] {
        let items: Vec<(&str, &str)> = items.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
        assert_eq!(shown(&router), line);
        for (path, value) in items {
            assert_eq!(get(&mut model, path), value);
        }
    }
    // WPA3 has no TKIP.
    let refused = codes(set(&mut model, &[(&ciphers, "TKIP")]));
    assert_eq!(refused, [(ciphers.clone(), 9007)]);
    assert_eq!(get(&mut model, &at("MFPConfig")), "Required");
    let radius = [
        (at("RadiusServerIPAddr"), "2001:db8::1"),
        (at("RadiusServerPort"), "1645"),
        (at("RadiusSecret"), "sample 'secret'"),
    ];
    let items: Vec<(&str, &str)> = radius.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &items).expect("a server");
    assert_eq!(get(&mut model, &radius[2].0), "");
    let text = router.read("/etc/config/wireless").expect("a file");
    assert!(text.contains("option auth_server '2001:db8::1'"), "{text}");
}

#[test]
fn standard_and_bandwidth_of_a_radio_change_together_in_any_order() {
    let (standards, width) = (
        "Device.WiFi.Radio.2.OperatingStandards",
        "Device.WiFi.Radio.2.OperatingChannelBandwidth",
    );
    for order in [
        [(standards, "a,n"), (width, "20MHz")],
        [(width, "20MHz"), (standards, "a,n")],
    ] {
        let (router, mut model) = fresh();
        set(&mut model, &order).unwrap_or_else(|e| panic!("{order:?}: {e:?}"));
        let text = router.read("/etc/config/wireless").expect("a file");
        assert!(text.contains("option htmode 'HT20'"), "{text}");
        // 80 MHz is more than 802.11n can.
        let refused = codes(set(&mut model, &[(width, "80MHz")]));
        assert_eq!(refused, [(width.to_owned(), 9007)]);
        set(&mut model, &[(width, "80MHz"), (standards, "a,n,ac")]).expect("802.11ac");
        assert_eq!(get(&mut model, width), "80MHz");
    }
}
