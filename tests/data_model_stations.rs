//! Device.WiFi.AccessPoint.{i}.AssociatedDevice. of the shipped data model: the stations that
//! hostapd and iwinfo tell of on the message bus, and none where nobody tells.

mod data_model_support;
mod router;
mod router_model;
mod ubusd;

use cwmp_agent::model::Model;
use data_model_support::{below, edit, expect, files, get};
use router::Router;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use ubusd::{Manners, Running, Ubusd};

const TABLE: &str = "Device.WiFi.AccessPoint.1.AssociatedDevice.";
const COUNT: &str = "Device.WiFi.AccessPoint.1.AssociatedDeviceNumberOfEntries";
const PHONE: &str = "02:00:5e:00:53:a1";
const LAPTOP: &str = "02:00:5e:00:53:b2";

/// As OpenWrt's hostapd and rpcd answer; one is still authenticating.
const CLIENTS: &str = r#"{"freq":2437,"clients":{
    "02:00:5e:00:53:b2":{"auth":true,"assoc":true,"authorized":false,"preauth":false,"wds":false,
        "wmm":true,"ht":true,"vht":false,"he":false,"wps":false,"mfp":false,"rrm":[0,0,0,0,0],
        "aid":2,"bytes":{"rx":0,"tx":512},"packets":{"rx":0,"tx":4},"rate":{"rx":0,"tx":100},
        "signal":0},
    "02:00:5e:00:53:a1":{"auth":true,"assoc":true,"authorized":true,"preauth":false,"wds":false,
        "wmm":true,"ht":true,"vht":true,"he":true,"wps":false,"mfp":true,"rrm":[115,0,0,0,0],
        "aid":1,"bytes":{"rx":6587442,"tx":16273441199},"airtime":{"rx":2566080,"tx":4618747},
        "packets":{"rx":42139,"tx":-2},"rate":{"rx":154800,"tx":286700},"signal":-61,
        "capabilities":{}},
    "02:00:5e:00:53:c3":{"auth":true,"assoc":false,"authorized":false,"aid":0}}}"#;
const ASSOCLIST: &str = r#"{"results":[
    {"mac":"02:00:5E:00:53:A1","signal":-61,"signal_avg":-63,"noise":-92,"inactive":20,
        "connected_time":3600,"thr":0,"authorized":true,"authenticated":true,
        "rx":{"drop_misc":3,"packets":42140,"bytes":6587500,"ht":false,"he":true,"mhz":20,"rate":154800},
        "tx":{"failed":5,"retries":1234,"packets":7,"bytes":9,"ht":false,"he":true,"rate":286700}},
    {"mac":"02:00:5E:00:53:D4","signal":-50,"connected_time":9}]}"#;

fn bus(router: &Router) -> Ubusd {
    Ubusd::listen(&router.path("/var/run/ubus/ubus.sock"))
}

fn model(router: &Router) -> Model {
    let schema = router_model::schema(&files());
    let socket = router.path("/var/run/ubus/ubus.sock");
    router_model::on_bus(router, schema, Some(socket))
}

fn sample() -> Router {
    Router::new().expect("a folder for temporary files")
}

/// A sample router whose first access point has these stations.
fn served(clients: &str, assoclist: &str) -> (Router, Running, Model) {
    let router = sample();
    let mut ubusd = bus(&router);
    ubusd.answer("hostapd.phy0-ap0", "get_clients", Ok(clients));
    ubusd.answer("iwinfo", "assoclist", Ok(assoclist));
    let ubusd = ubusd.run();
    let model = model(&router);
    (router, ubusd, model)
}

fn calls(ubusd: &Running) -> Vec<String> {
    let calls = ubusd.with(|u| std::mem::take(&mut u.calls));
    let text = |(object, method, about): (String, String, ubusd::Table)| {
        let device = about.get("device").and_then(|d| d.as_str());
        format!("{object} {method} {}", device.unwrap_or_default())
    };
    calls.into_iter().map(text).collect()
}

/// Number and address of each row.
fn stations(model: &mut Model, table: &str) -> Vec<(u32, String)> {
    let named = |(path, mac): (String, String)| {
        let row = path.strip_prefix(table)?.strip_suffix(".MACAddress")?;
        Some((row.parse().ok()?, mac))
    };
    let mut all: Vec<_> = below(model, table).into_iter().filter_map(named).collect();
    all.sort_unstable();
    all
}

fn some(macs: &[&str]) -> String {
    let mut text = String::new();
    for mac in macs {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, r#"{comma}"{mac}":{{"assoc":true}}"#).expect("a text");
    }
    format!(r#"{{"freq":2437,"clients":{{{text}}}}}"#)
}

// T-GPV-012
#[test]
fn the_stations_of_an_access_point_are_told_with_all_that_is_known_of_them() {
    let (_router, _ubusd, mut model) = served(CLIENTS, ASSOCLIST);
    let hour_ago = || {
        let at = time::OffsetDateTime::now_utc() - Duration::from_secs(3600);
        let (date, time) = (at.date(), at.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = time.as_hms();
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    };
    let earliest = hour_ago();
    let all = below(&mut model, TABLE);
    let latest = hour_ago();
    let mut told: Vec<(&str, &str)> = all
        .iter()
        .map(|(path, value)| (path.strip_prefix(TABLE).expect("below"), value.as_str()))
        .collect();
    let since = |n: u32| format!("{n}.AssociationTime");
    let at = |told: &mut Vec<(&str, &str)>, name: &str| {
        let at = told.iter().position(|(path, _)| *path == name);
        told.remove(at.expect("the value")).1.to_owned()
    };
    let came = at(&mut told, &since(1));
    assert!((earliest..=latest).contains(&came), "{came}");
    assert_eq!(at(&mut told, &since(2)), "0001-01-01T00:00:00Z");
    assert_eq!(
        told,
        [
            ("1.Active", "true"),
            ("1.AuthenticationState", "true"),
            ("1.LastDataDownlinkRate", "286700"),
            ("1.LastDataUplinkRate", "154800"),
            ("1.MACAddress", PHONE),
            ("1.Noise", "-92"),
            ("1.OperatingStandard", "ax"),
            ("1.SignalStrength", "-63"),
            ("1.Stats.BytesReceived", "6587442"),
            ("1.Stats.BytesSent", "16273441199"),
            ("1.Stats.FailedRetransCount", "5"),
            ("1.Stats.PacketsReceived", "42139"),
            ("1.Stats.PacketsSent", "4294967294"),
            ("1.Stats.RetransCount", "1234"),
            ("2.Active", "true"),
            ("2.AuthenticationState", "false"),
            ("2.LastDataDownlinkRate", "1000"),
            ("2.LastDataUplinkRate", "1000"),
            ("2.MACAddress", LAPTOP),
            ("2.Noise", "0"),
            ("2.OperatingStandard", "n"),
            ("2.SignalStrength", "0"),
            ("2.Stats.BytesReceived", "0"),
            ("2.Stats.BytesSent", "512"),
            ("2.Stats.FailedRetransCount", "0"),
            ("2.Stats.PacketsReceived", "0"),
            ("2.Stats.PacketsSent", "4"),
            ("2.Stats.RetransCount", "0"),
        ]
    );
    expect(&mut model, &[(COUNT, "2")]);
    assert_eq!(model.troubles(), []);
    let schema = router_model::schema(&files());
    for (path, value) in &all {
        let path = path.replace(
            ".AccessPoint.1.AssociatedDevice.1.",
            ".AccessPoint.{i}.AssociatedDevice.{i}.",
        );
        let path = path.replace(
            ".AccessPoint.1.AssociatedDevice.2.",
            ".AccessPoint.{i}.AssociatedDevice.{i}.",
        );
        let parameter = schema.parameter(&path).unwrap_or_else(|| panic!("{path}"));
        assert!(parameter.facets().check(value).is_ok(), "{path} = {value}");
    }
}

#[test]
fn what_an_older_hostapd_does_not_say_iwinfo_does() {
    let old = r#"{"freq":2437,"clients":{"02:00:5e:00:53:a1":{"assoc":true,"authorized":true}}}"#;
    let (_router, _ubusd, mut model) = served(old, ASSOCLIST);
    for (name, value) in [
        ("LastDataDownlinkRate", "286700"),
        ("LastDataUplinkRate", "154800"),
        ("SignalStrength", "-63"),
        ("Stats.BytesSent", "9"),
        ("Stats.BytesReceived", "6587500"),
        ("Stats.PacketsSent", "7"),
        ("Stats.PacketsReceived", "42140"),
    ] {
        expect(&mut model, &[(&format!("{TABLE}1.{name}"), value)]);
    }
}

// T-OBJ-004
#[test]
fn stations_that_come_and_go_keep_their_numbers() {
    let (router, ubusd, mut model) = served(&some(&[PHONE, LAPTOP]), "{}");
    let both = [(1, PHONE.to_owned()), (2, LAPTOP.to_owned())];
    assert_eq!(stations(&mut model, TABLE), both);
    let kept = || {
        let text = router.read("/etc/cwmp-agent/state/instances.json");
        text.expect("a state file")
    };
    let before = kept();
    let answer = |clients: &str| {
        ubusd.with(|u| u.answer("hostapd.phy0-ap0", "get_clients", Ok(clients)));
    };
    answer(&some(&[LAPTOP]));
    assert_eq!(stations(&mut model, TABLE), both[1..]);
    answer(&some(&[]));
    assert_eq!(stations(&mut model, TABLE), []);
    expect(&mut model, &[(COUNT, "0")]);
    // hostapd lists them in another order than before.
    answer(&some(&[LAPTOP, PHONE]));
    assert_eq!(stations(&mut model, TABLE), both);
    assert_eq!(kept(), before, "no writes for those that are known");
    answer(&some(&["02:00:5e:00:53:01", PHONE]));
    let other = [both[0].clone(), (3, "02:00:5e:00:53:01".to_owned())];
    assert_eq!(stations(&mut model, TABLE), other);
}

#[test]
fn each_device_is_asked_once_a_request_and_only_for_its_stations() {
    let (_router, ubusd, mut model) = served(CLIENTS, ASSOCLIST);
    ubusd.with(|u| u.answer("hostapd.phy1-ap0", "get_clients", Ok(CLIENTS)));
    let own = ["hostapd.phy0-ap0 get_clients ", "iwinfo assoclist phy0-ap0"];
    let other = ["hostapd.phy1-ap0 get_clients ", "iwinfo assoclist phy1-ap0"];
    calls(&ubusd);
    below(&mut model, "Device.");
    let mut all = calls(&ubusd);
    all.sort_unstable();
    assert_eq!(all, [own[0], other[0], own[1], other[1]]);
    below(&mut model, TABLE);
    assert_eq!(calls(&ubusd), own);
    // Who counts them asks nobody what else there is to know.
    expect(&mut model, &[(COUNT, "2")]);
    assert_eq!(calls(&ubusd), own[..1]);
    get(&mut model, &format!("{TABLE}1.Stats.BytesSent"));
    assert_eq!(calls(&ubusd), own[..1]);
    // Nothing else asks.
    for path in [
        "Device.WiFi.SSID.",
        "Device.WiFi.Radio.",
        "Device.WiFi.EndPoint.",
        "Device.WiFi.AccessPoint.1.Status",
        "Device.WiFi.AccessPoint.1.Security.",
        "Device.Hosts.HostNumberOfEntries",
        "Device.Hosts.Host.1.IPAddress",
        "Device.DHCPv4.",
    ] {
        below(&mut model, path);
        assert_eq!(calls(&ubusd), [""; 0], "{path}");
    }
    model.begin();
    assert!(!model.forced_inform().is_empty());
    model.inform_parameters(&[], 64, 1 << 16);
    assert_eq!(calls(&ubusd), [""; 0]);
    let set = [("Device.WiFi.AccessPoint.1.IsolationEnable", "true")];
    data_model_support::set(&mut model, &set).expect("a change");
    assert_eq!(calls(&ubusd), [""; 0]);
}

#[test]
fn an_access_point_that_is_off_is_not_asked() {
    let (router, ubusd, mut model) = served(CLIENTS, ASSOCLIST);
    ubusd.with(|u| u.answer("hostapd.phy1-ap0", "get_clients", Ok(&some(&[LAPTOP]))));
    let second = "Device.WiFi.AccessPoint.2.AssociatedDevice.";
    assert_eq!(stations(&mut model, TABLE).len(), 2);
    assert_eq!(stations(&mut model, second), [(1, LAPTOP.to_owned())]);
    router
        .write("/sys/class/net/phy1-ap0/operstate", "down\n")
        .expect("written");
    calls(&ubusd);
    assert_eq!(stations(&mut model, second), []);
    assert_eq!(calls(&ubusd), [""; 0]);
    assert_eq!(stations(&mut model, TABLE).len(), 2);
    // One that the configuration switches off has none before its device is gone.
    let mode = "\toption ssid 'OpenWrt'\n\toption encryption 'psk2+ccmp'\n";
    edit(
        &router,
        "wireless",
        mode,
        &format!("{mode}\toption disabled '1'\n"),
    );
    calls(&ubusd);
    assert_eq!(stations(&mut model, TABLE), []);
    assert_eq!(calls(&ubusd), [""; 0]);
}

#[test]
fn what_strangers_say_is_bounded_and_checked() {
    // Thousands of stations.
    let macs: Vec<String> = (0..4000u32)
        .map(|n| format!("02:00:5e:00:{:02x}:{:02x}", n >> 8, n & 255))
        .collect();
    let macs: Vec<&str> = macs.iter().map(String::as_str).collect();
    let (_router, ubusd, mut model) = served(&some(&macs), "{}");
    let all = stations(&mut model, TABLE);
    assert_eq!(all.len(), 128);
    assert_eq!(all[127], (128, macs[127].to_owned()));
    let answer = |clients: &str, assoclist: &str| {
        ubusd.with(|u| u.answer("hostapd.phy0-ap0", "get_clients", Ok(clients)));
        ubusd.with(|u| u.answer("iwinfo", "assoclist", Ok(assoclist)));
    };
    // No addresses, those of groups, one twice, and what is no table.
    let odd = r#"{"freq":"x","clients":{"":{},"wlan0":{},"../../etc/shadow":{},"ff:ff:ff:ff:ff:ff":{},
        "01:00:5e:00:00:01":{},"02-00-5e-00-53-a1":{},"02:00:5e:00:53:a1\n":{},"é2:00:5e:00:53:a":{},
        "02:00:5E:00:53:A1":{},"02:00:5e:00:53:a1":{},"02:00:5e:00:53:b2":7,"02:00:5e:00:53:b3":null,
        "02:00:5e:00:53:b4":["assoc"]}}"#;
    answer(odd, "{}");
    let macs: Vec<String> = stations(&mut model, TABLE)
        .into_iter()
        .map(|s| s.1)
        .collect();
    assert_eq!(macs, [PHONE]);
    for clients in [
        "{}",
        r#"{"clients":7}"#,
        r#"{"clients":[{"assoc":true}]}"#,
        r#"{"clients":"02:00:5e:00:53:a1"}"#,
    ] {
        answer(clients, "{}");
        assert_eq!(stations(&mut model, TABLE), [], "{clients}");
    }
    // Numbers that cannot be.
    for (clients, assoclist) in [
        (
            r#"{"assoc":"yes","authorized":7,"ht":"true","bytes":{"rx":-1,"tx":"9"},"packets":[1],
                "rate":{"rx":-1,"tx":9223372036854775807},"signal":-2147483648}"#,
            r#"{"results":[{"mac":"02:00:5E:00:53:A1","signal":5,"signal_avg":-999,"noise":true,
                "connected_time":-5,"rx":7,"tx":{"retries":{},"failed":9223372036854775807}}]}"#,
        ),
        (
            r#"{"bytes":7,"packets":{},"rate":{"rx":999,"tx":1.5},"signal":"-60"}"#,
            r#"{"results":[7,null,{"mac":7},{"mac":"x"},{"mac":"02:00:5e:00:53:a1",
                "connected_time":9223372036854775807,"signal":-201,"noise":1}]}"#,
        ),
        (
            "{}",
            r#"{"results":{"mac":"02:00:5e:00:53:a1","signal":-60}}"#,
        ),
    ] {
        answer(
            &format!(r#"{{"freq":5180,"clients":{{"{PHONE}":{clients}}}}}"#),
            assoclist,
        );
        let all = below(&mut model, TABLE);
        let row = all.keys().find_map(|p| p.strip_suffix(".MACAddress"));
        let row = row.unwrap_or_else(|| panic!("{all:?}"));
        for (name, value) in [
            ("AuthenticationState", "false"),
            ("LastDataDownlinkRate", "1000"),
            ("LastDataUplinkRate", "1000"),
            ("SignalStrength", "0"),
            ("Noise", "0"),
            ("OperatingStandard", "a"),
            ("AssociationTime", "0001-01-01T00:00:00Z"),
            ("Stats.BytesSent", "0"),
            ("Stats.BytesReceived", "0"),
            ("Stats.PacketsSent", "0"),
            ("Stats.PacketsReceived", "0"),
            ("Stats.RetransCount", "0"),
            ("Stats.FailedRetransCount", "0"),
        ] {
            assert_eq!(all[&format!("{row}.{name}")], value, "{name} of {clients}");
        }
    }
    assert_eq!(model.troubles(), []);
}

#[test]
fn without_an_answer_there_are_none_and_nothing_is_wrong() {
    // No ubusd; one without hostapd; ones that do not behave.
    let router = sample();
    let mut alone = model(&router);
    let before = below(&mut alone, "Device.WiFi.");
    assert_eq!(before[COUNT], "0");
    assert!(!before.keys().any(|path| path.starts_with(TABLE)));
    assert_eq!(alone.troubles(), []);
    for manners in [
        Manners::Good,
        Manners::HangsUp,
        Manners::Garbage,
        Manners::Large,
        Manners::BrokenBlob,
        Manners::Silent,
    ] {
        let router = sample();
        let mut ubusd = bus(&router);
        if manners != Manners::Good {
            ubusd.answer("hostapd.phy0-ap0", "get_clients", Ok(CLIENTS));
            ubusd.answer("hostapd.phy1-ap0", "get_clients", Ok(CLIENTS));
            ubusd.answer("iwinfo", "assoclist", Ok(ASSOCLIST));
        }
        ubusd.manners = manners;
        let ubusd = ubusd.run();
        let mut model = model(&router);
        let start = Instant::now();
        assert_eq!(below(&mut model, "Device.WiFi."), before, "{manners:?}");
        assert!(start.elapsed() < Duration::from_secs(8), "{manners:?}");
        assert_eq!(model.troubles(), [], "{manners:?}");
        // Who did not answer is left alone.
        let came = ubusd.with(|u| u.came);
        below(&mut model, TABLE);
        let again = ubusd.with(|u| u.came) - came;
        assert_eq!(again, u32::from(manners == Manners::Good), "{manners:?}");
    }
}

#[test]
fn what_hostapd_says_is_told_while_iwinfo_is_silent() {
    let (_router, ubusd, mut model) = served(CLIENTS, ASSOCLIST);
    assert_eq!(stations(&mut model, TABLE).len(), 2);
    let path = |name: &str| format!("{TABLE}1.{name}");
    let since = get(&mut model, &path("AssociationTime"));
    // rpcd is busy: its part of what was said is not there, the rest is.
    ubusd.with(|u| u.mute.push("iwinfo".to_owned()));
    for calls_it in [true, false] {
        calls(&ubusd);
        let all = below(&mut model, TABLE);
        assert_eq!(all[&path("LastDataUplinkRate")], "154800");
        assert_eq!(all[&path("SignalStrength")], "-61");
        assert_eq!(all[&path("Noise")], "0");
        assert_eq!(all[&path("AssociationTime")], since);
        let called = calls(&ubusd).iter().any(|call| call.starts_with("iwinfo"));
        assert_eq!(called, calls_it, "it is left alone, and hostapd is not");
    }
    // Who left and came back came at another time, which nobody tells.
    for clients in [some(&[LAPTOP]), some(&[LAPTOP, PHONE])] {
        ubusd.with(|u| u.answer("hostapd.phy0-ap0", "get_clients", Ok(&clients)));
        get(&mut model, COUNT);
    }
    let unknown = "0001-01-01T00:00:00Z";
    expect(&mut model, &[(&path("AssociationTime"), unknown)]);
}

#[test]
fn a_host_that_is_a_station_leads_to_its_row() {
    // Two of the sample router's leases; the second access point has the other one.
    let (first, second) = ("02:00:5e:00:53:77", "02:00:5e:00:53:20");
    let (_router, ubusd, mut model) = served(&some(&[first]), "{}");
    let also = some(&[PHONE, second]);
    ubusd.with(|u| u.answer("hostapd.phy1-ap0", "get_clients", Ok(&also)));
    let hosts = below(&mut model, "Device.Hosts.");
    let devices = ["hostapd.phy0-ap0", "hostapd.phy1-ap0"];
    let asked = devices.map(|device| format!("{device} get_clients "));
    assert_eq!(calls(&ubusd), asked, "each once");
    let mut led = 0;
    for (path, mac) in hosts
        .iter()
        .filter(|(path, _)| path.ends_with(".PhysAddress"))
    {
        let row = path.strip_suffix("PhysAddress").expect("its row");
        let station = &hosts[&format!("{row}AssociatedDevice")];
        let access_point = match mac.as_str() {
            mac if mac == first => "Device.WiFi.AccessPoint.1.",
            mac if mac == second => "Device.WiFi.AccessPoint.2.",
            _ => {
                assert_eq!(station, "", "{mac}");
                continue;
            }
        };
        assert!(station.starts_with(access_point), "{mac}: {station}");
        assert_eq!(get(&mut model, &format!("{station}.MACAddress")), *mac);
        led += 1;
    }
    assert_eq!(led, 2);
    assert_eq!(model.troubles(), []);
}
