//! Device.WiFi of the shipped data model on the sample router: what a Set leaves a radio and
//! its stations with.

mod data_model_support;
mod router;
mod router_model;
mod ubusd;

use data_model_support::{expect, files, fresh, read, set};
use router::Router;
use ubusd::Ubusd;

const BANNED: &str = "\toption macfilter 'deny'\n\tlist maclist '02:AA:BB:CC:DD:EE'\n\tlist maclist '02:aa:bb:cc:dd:ef'\n";
const CONTROL: &str = "Device.WiFi.AccessPoint.3.MACAddressControlEnabled";
const ALLOWED: &str = "Device.WiFi.AccessPoint.3.AllowedMACAddress";

// T-SPV-015
#[test]
fn a_list_of_the_banned_is_none_of_the_allowed() {
    let (router, mut model) = fresh();
    expect(&mut model, &[(CONTROL, "false"), (ALLOWED, "")]);
    // What reads so already changes nothing.
    set(&mut model, &[(CONTROL, "false"), (ALLOWED, "")]).expect("as it is");
    assert!(read(&router, "wireless").contains(BANNED));
    // A list by itself lets nobody in that is banned.
    let station = "02:00:5E:00:53:01";
    set(&mut model, &[(ALLOWED, station)]).expect("a list");
    assert!(read(&router, "wireless").contains(BANNED));
    expect(&mut model, &[(CONTROL, "false"), (ALLOWED, station)]);
    set(&mut model, &[(CONTROL, "true")]).expect("control");
    let text = read(&router, "wireless");
    assert!(text.contains("\toption macfilter 'allow'\n"), "{text}");
    assert!(
        !text.contains("02:AA:BB:CC:DD:EE") && !text.contains("cwmp_maclist"),
        "{text}"
    );
    expect(&mut model, &[(CONTROL, "true"), (ALLOWED, station)]);
    set(&mut model, &[(CONTROL, "false")]).expect("no control");
    assert!(read(&router, "wireless").contains("\toption macfilter 'disable'\n"));
    expect(&mut model, &[(ALLOWED, station)]);
}

// T-SPV-015
#[test]
fn control_of_stations_comes_with_its_list_in_any_order() {
    let list = "02:00:5E:00:53:01,02:00:5E:00:53:02";
    for items in [
        [(CONTROL, "true"), (ALLOWED, list)],
        [(ALLOWED, list), (CONTROL, "true")],
    ] {
        let (router, mut model) = fresh();
        set(&mut model, &items).expect("control");
        let text = read(&router, "wireless");
        assert!(
            text.contains("\toption macfilter 'allow'\n\tlist maclist '02:00:5E:00:53:01'\n\tlist maclist '02:00:5E:00:53:02'\n"),
            "{text}"
        );
        expect(&mut model, &[(CONTROL, "true"), (ALLOWED, list)]);
    }
    // Without one it lets nobody in, the banned least.
    let (router, mut model) = fresh();
    set(&mut model, &[(CONTROL, "true")]).expect("control");
    assert!(!read(&router, "wireless").contains("maclist"));
    expect(&mut model, &[(CONTROL, "true"), (ALLOWED, "")]);
}

const RADIO: &str = "Device.WiFi.Radio.";

fn items<'a>(n: u32, values: &[(&str, &'a str)]) -> Vec<(String, &'a str)> {
    let path = |(name, value): &(&str, &'a str)| (format!("{RADIO}{n}.{name}"), *value);
    values.iter().map(path).collect()
}

// T-SPV-003, T-SPV-011
#[test]
fn a_radio_is_set_to_nothing_that_it_could_not_start_with() {
    let (router, mut model) = fresh();
    let before = read(&router, "wireless");
    for (n, name, value) in [
        (1, "Channel", "36"),
        (1, "Channel", "200"),
        (2, "Channel", "6"),
        (1, "OperatingChannelBandwidth", "80MHz"),
        (1, "OperatingChannelBandwidth", "160MHz"),
        (2, "OperatingChannelBandwidth", "320MHz-1"),
        (1, "ExtensionChannel", "AboveControlChannel"),
        (1, "BeaconPeriod", "0"),
        (1, "BeaconPeriod", "100000"),
    ] {
        let path = format!("{RADIO}{n}.{name}");
        let refused = Err(vec![(path.clone(), 9007)]);
        assert_eq!(set(&mut model, &[(&path, value)]), refused, "{value}");
    }
    for name in ["Security.RadiusServerPort", "Accounting.ServerPort"] {
        let path = format!("Device.WiFi.AccessPoint.1.{name}");
        let refused = Err(vec![(path.clone(), 9007)]);
        assert_eq!(set(&mut model, &[(&path, "99999")]), refused);
    }
    assert_eq!(read(&router, "wireless"), before);
}

// T-SPV-003
#[test]
fn the_channels_that_everybody_uses_are_taken_however_the_channel_was_chosen() {
    for (n, channels) in [(1, ["1", "6", "11", "13"]), (2, ["36", "40", "44", "149"])] {
        let (_router, mut model) = fresh();
        let (channel, auto) = (
            format!("{RADIO}{n}.Channel"),
            format!("{RADIO}{n}.AutoChannelEnable"),
        );
        for value in channels {
            for before in ["true", "false"] {
                if before == "true" {
                    set(&mut model, &[(&auto, "true")]).expect("auto");
                }
                set(&mut model, &[(&channel, value)]).expect("a channel");
                expect(&mut model, &[(&channel, value), (&auto, "false")]);
                set(&mut model, &[(&auto, "true")]).expect("auto");
                set(&mut model, &[(&auto, "false"), (&channel, value)]).expect("both");
                expect(&mut model, &[(&channel, value), (&auto, "false")]);
            }
        }
    }
}

// T-SPV-003, T-SPV-016
#[test]
fn band_channel_and_width_are_judged_by_what_the_request_leaves() {
    let to_5ghz = [
        ("OperatingFrequencyBand", "5GHz"),
        ("Channel", "44"),
        ("OperatingChannelBandwidth", "80MHz"),
        ("OperatingStandards", "a,n,ac"),
    ];
    let to_24ghz = [
        ("OperatingFrequencyBand", "2.4GHz"),
        ("Channel", "11"),
        ("OperatingChannelBandwidth", "20MHz"),
        ("OperatingStandards", "b,g,n"),
    ];
    for (n, values) in [(1, to_5ghz), (2, to_24ghz)] {
        for turn in 0..4 {
            for reverse in [false, true] {
                let (_router, mut model) = fresh();
                let mut values = values;
                values.rotate_left(turn);
                if reverse {
                    values.reverse();
                }
                let all = items(n, &values);
                let all: Vec<(&str, &str)> = all.iter().map(|(p, v)| (p.as_str(), *v)).collect();
                set(&mut model, &all).unwrap_or_else(|e| panic!("{values:?}: {e:?}"));
                expect(&mut model, &all);
            }
        }
    }
    // By itself a band brings a channel and a width that it has.
    let (_router, mut model) = fresh();
    let path = |name: &str| format!("{RADIO}2.{name}");
    set(&mut model, &[(&path("OperatingFrequencyBand"), "2.4GHz")]).expect("a band");
    expect(
        &mut model,
        &[
            (&path("Channel"), "1"),
            (&path("AutoChannelEnable"), "false"),
            (&path("OperatingChannelBandwidth"), "40MHz"),
            (&path("OperatingStandards"), "g,n,ax"),
        ],
    );
    let both = [
        (path("OperatingFrequencyBand"), "5GHz"),
        (path("Channel"), "6"),
    ];
    let both: Vec<(&str, &str)> = both.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    assert_eq!(set(&mut model, &both), Err(vec![(path("Channel"), 9007)]));
    expect(&mut model, &[(&path("OperatingFrequencyBand"), "2.4GHz")]);
}

// T-GPV-012
#[test]
fn a_channel_that_the_driver_chose_is_shown_where_somebody_tells_it() {
    let router = Router::new().expect("a folder for temporary files");
    let socket = router.path("/var/run/ubus/ubus.sock");
    let ubusd = Ubusd::listen(&socket).run();
    let schema = router_model::schema(&files());
    let mut model = router_model::on_bus(&router, schema, Some(socket));
    let (channel, auto) = (
        &format!("{RADIO}1.Channel"),
        &format!("{RADIO}1.AutoChannelEnable"),
    );
    set(&mut model, &[(auto, "true")]).expect("auto");
    // Nobody tells.
    expect(&mut model, &[(channel, "0"), (auto, "true")]);
    ubusd.with(|u| u.answer("iwinfo", "info", Ok(r#"{"channel":9}"#)));
    expect(&mut model, &[(channel, "9")]);
    let status = r#"{"status":"ENABLED","freq":2462,"channel":11}"#;
    ubusd.with(|u| u.answer("hostapd.phy0-ap0", "get_status", Ok(status)));
    expect(&mut model, &[(channel, "11"), (auto, "true")]);
    // A row that an ACS sends back whole stays as it is.
    for items in [
        [(channel, "11"), (auto, "true")],
        [(auto, "true"), (channel, "11")],
    ] {
        let items = items.map(|(path, value)| (path.as_str(), value));
        set(&mut model, &items).expect("as it is");
        expect(&mut model, &[(channel, "11"), (auto, "true")]);
        assert!(read(&router, "wireless").contains("\toption channel 'auto'\n"));
    }
    // The channel by itself is chosen by that.
    set(&mut model, &[(channel, "11")]).expect("a channel");
    expect(&mut model, &[(channel, "11"), (auto, "false")]);
    assert!(read(&router, "wireless").contains("\toption channel '11'\n"));
    // Where it is said, nobody is asked.
    ubusd.with(|u| u.calls.clear());
    expect(&mut model, &[(channel, "11")]);
    assert_eq!(ubusd.with(|u| u.calls.len()), 0);
    assert_eq!(model.troubles(), []);
}
