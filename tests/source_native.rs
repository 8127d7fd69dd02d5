//! Natives on a sample root: processes with hostile names, the processor, the clock, what
//! runs of the wireless configuration.

mod scratch;

use cwmp_agent::model::binding::{Binding, Rows};
use cwmp_agent::model::source::{Ask, Raw, Source};
use cwmp_agent::source::Runtime;
use cwmp_agent::source::native::NativeSource;
use cwmp_agent::store::Root;
use scratch::Scratch;

fn read(s: &mut NativeSource, name: &str, rows: &[&str]) -> Option<String> {
    let rows: Vec<String> = rows.iter().map(|r| r.to_string()).collect();
    let binding = Binding::Native(name.into());
    match s
        .read(&[Ask {
            binding: &binding,
            rows: &rows,
        }])
        .remove(0)
        .unwrap()
    {
        Some(Raw::Text(text)) => Some(text),
        None => None,
        Some(Raw::List(_)) => panic!("a list"),
    }
}

fn source(t: &Scratch) -> NativeSource {
    NativeSource::new(Root::new(t.dir()).unwrap(), Runtime::default())
}

#[test]
fn a_process_with_a_hostile_name_is_read_right() {
    let t = Scratch::new();
    t.file(
        "proc/7/stat",
        "7 (a) R 1 (b) Z) S 1 7 7 0 -1 4194560 320 0 2 0 612 941 0 0 39 19 1 0 1 2617344 426\n",
    );
    t.file("proc/7/cmdline", "/bin/a\0--x\0y z\0");
    t.file(
        "proc/8/stat",
        "8 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 5 0 0 -51 0 1 0 37 0 0\n",
    );
    t.file("proc/8/cmdline", "");
    t.file("proc/8/comm", "kworker/0:1\n");
    t.file("proc/9/stat", "torn");
    let mut s = source(&t);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read(&mut s, "process_state", &["7"]), some("Sleeping"));
    assert_eq!(read(&mut s, "process_cpu_time", &["7"]), some("15530"));
    assert_eq!(read(&mut s, "process_priority", &["7"]), some("99"));
    assert_eq!(
        read(&mut s, "process_command", &["7"]),
        some("/bin/a --x y z")
    );
    assert_eq!(read(&mut s, "process_state", &["8"]), some("Idle"));
    assert_eq!(read(&mut s, "process_priority", &["8"]), some("0"));
    assert_eq!(
        read(&mut s, "process_command", &["8"]),
        some("[kworker/0:1]")
    );
    for row in ["9", "10", "../7", "", "self"] {
        assert_eq!(read(&mut s, "process_state", &[row]), None, "{row}");
    }
}

#[test]
fn the_processor_is_measured_between_readings() {
    let t = Scratch::new();
    let stat = |busy: u64, idle: u64| {
        t.file(
            "proc/stat",
            &format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nctxt 1\n"),
        )
    };
    let mut s = source(&t);
    let usage = |s: &mut NativeSource| {
        s.begin();
        read(s, "cpu_usage", &[])
    };
    assert_eq!(usage(&mut s), None);
    stat(100, 300);
    assert_eq!(usage(&mut s).unwrap(), "25");
    stat(150, 349);
    assert_eq!(usage(&mut s).unwrap(), "25", "less than a second later");
    stat(200, 310);
    assert_eq!(usage(&mut s).unwrap(), "90");
    stat(0, 0);
    assert_eq!(usage(&mut s).unwrap(), "90", "counters that went back");
    t.file("proc/stat", "nothing\n");
    s.begin();
    let binding = Binding::Native("cpu_usage".into());
    assert!(
        s.read(&[Ask {
            binding: &binding,
            rows: &[]
        }])[0]
            .is_err()
    );
}

#[test]
fn the_local_time_has_the_offset_of_the_configured_zone() {
    let t = Scratch::new();
    let mut s = source(&t);
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with('Z')
    );
    t.file("etc/TZ", "<+03>-3\n");
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with("+03:00")
    );
    t.file(
        "etc/config/system",
        "config system\n\toption timezone '<-0930>9:30'\n",
    );
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with("-09:30")
    );
}

#[test]
fn rows_of_a_device_are_its_addresses() {
    let t = Scratch::new();
    let mut s = source(&t);
    let table = Rows::Native("ipv4_addresses".into());
    let rows = s.rows(&table, &["lo".to_owned()]).unwrap();
    for row in rows {
        assert_eq!(
            read(&mut s, "ipv4_address", &["lo", &row.key]),
            Some(row.key.clone())
        );
        assert!(read(&mut s, "ipv4_netmask", &["lo", &row.key]).is_some());
    }
    assert!(s.rows(&table, &[]).is_err());
    assert!(s.rows(&Rows::Native("none".into()), &[]).is_err());
}

/// Two radios of one piece of hardware, as OpenWrt 23.05 runs them.
fn wireless() -> Scratch {
    let t = Scratch::new();
    t.file(
        "etc/config/wireless",
        "config wifi-device 'radio0'\n\toption path 'platform/soc/1.wifi'\n\toption band '2g'\n\
         \toption htmode 'HT40'\n\
         config wifi-device 'radio1'\n\toption path 'soc/1.wifi+1'\n\toption band '5g'\n\
         config wifi-iface 'a'\n\toption device 'radio0'\n\toption mode 'ap'\n\
         config wifi-iface 'off'\n\toption device 'radio0'\n\toption mode 'ap'\n\toption disabled '1'\n\
         config wifi-iface 'up'\n\toption device 'radio0'\n\toption mode 'sta'\n\
         config wifi-iface 'b'\n\toption device 'radio0'\n\toption mode 'ap'\n\
         config wifi-iface 'other'\n\toption device 'radio1'\n\toption mode 'ap'\n\toption ifname 'guest'\n\
         config wifi-iface 'stray'\n\toption device 'none'\n\toption mode 'ap'\n\
         \toption macaddr '02:00:5E:00:53:0F'\n",
    );
    for phy in ["phy0", "phy1"] {
        let dir = format!("sys/devices/platform/soc/1.wifi/ieee80211/{phy}");
        t.file(&format!("{dir}/index"), "0\n");
    }
    for (n, (device, phy, state)) in [
        ("phy0-ap0", "phy0", "up"),
        ("phy0-ap1", "phy0", "down"),
        ("phy0-sta0", "phy0", "up"),
        ("guest", "phy1", "up"),
    ]
    .into_iter()
    .enumerate()
    {
        let dir = format!("sys/class/net/{device}");
        t.file(&format!("{dir}/phy80211/name"), &format!("{phy}\n"));
        t.file(&format!("{dir}/operstate"), &format!("{state}\n"));
        t.file(&format!("{dir}/address"), &format!("02:00:5e:00:53:0{n}\n"));
    }
    t.file(
        "proc/net/dev",
        "Inter-|   Receive  |  Transmit\n face |bytes\n\
         phy0-ap0: 1 2 3 4 0 0 0 5 10 20 30 40 0 0 0 0\n\
         phy0-sta0: 100 0 0 0 0 0 0 0 1000 0 0 0 0 0 0 0\n\
         eth0: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n",
    );
    t
}

#[test]
fn a_wireless_interface_is_the_device_that_openwrt_made_for_it() {
    let t = wireless();
    let mut s = source(&t);
    let some = |text: &str| Some(text.to_owned());
    for (section, name, status, service) in [
        ("a", "phy0-ap0", "Up", "Enabled"),
        ("off", "off", "Down", "Disabled"),
        ("up", "phy0-sta0", "Up", "Enabled"),
        ("b", "phy0-ap1", "Down", "Error"),
        ("other", "guest", "Up", "Enabled"),
        ("stray", "stray", "LowerLayerDown", "Error_Misconfigured"),
    ] {
        assert_eq!(read(&mut s, "wifi_name", &[section]), some(name));
        assert_eq!(read(&mut s, "wifi_status", &[section]), some(status));
        assert_eq!(
            read(&mut s, "wifi_service", &[section, "only"]),
            some(service),
            "{section}"
        );
    }
    assert_eq!(
        read(&mut s, "wifi_bssid", &["a"]),
        some("02:00:5e:00:53:00")
    );
    assert_eq!(read(&mut s, "wifi_bssid", &["up"]), None, "not its own");
    assert_eq!(read(&mut s, "wifi_mac", &["up"]), some("02:00:5e:00:53:02"));
    assert_eq!(
        read(&mut s, "wifi_mac", &["stray"]),
        some("02:00:5e:00:53:0f"),
        "as configured"
    );
    for (name, of_a, of_radio) in [
        ("wifi_bytes_received", "1", "101"),
        ("wifi_multicast_received", "5", "5"),
        ("wifi_bytes_sent", "10", "1010"),
        ("wifi_discards_sent", "40", "40"),
    ] {
        assert_eq!(read(&mut s, name, &["a"]), some(of_a));
        assert_eq!(read(&mut s, name, &["radio0"]), some(of_radio), "{name}");
        assert_eq!(read(&mut s, name, &["off"]), some("0"));
    }
    assert_eq!(read(&mut s, "wifi_upstream", &["radio0"]), some("true"));
    assert_eq!(read(&mut s, "wifi_upstream", &["radio1"]), some("false"));
    assert_eq!(
        read(&mut s, "wifi_supported_widths", &["radio0"]),
        some("20MHz,40MHz")
    );
    assert_eq!(read(&mut s, "wifi_status", &["radio1"]), some("Up"));
    assert_eq!(read(&mut s, "wifi_status", &["nobody"]), None);
}

#[test]
fn a_device_of_another_phy_or_an_older_name_is_told_apart() {
    let t = wireless();
    let some = |text: &str| Some(text.to_owned());
    // Before 23.05: wlan0 and wlan0-1, whatever the mode.
    t.file("sys/class/net/phy0-ap0/phy80211/name", "phy7\n");
    t.file("sys/class/net/wlan0/phy80211/name", "phy0\n");
    t.file("sys/class/net/wlan0/operstate", "up\n");
    let mut s = source(&t);
    assert_eq!(read(&mut s, "wifi_name", &["a"]), some("wlan0"));
    // A radio that is off, or not there, has no devices.
    let config = std::fs::read_to_string(t.dir().join("etc/config/wireless")).unwrap();
    let off = config.replace(
        "option band '2g'",
        "option band '2g'\n\toption disabled '1'",
    );
    t.file("etc/config/wireless", &off);
    s.begin();
    assert_eq!(read(&mut s, "wifi_status", &["radio0"]), some("Down"));
    assert_eq!(read(&mut s, "wifi_status", &["a"]), some("LowerLayerDown"));
    assert_eq!(read(&mut s, "wifi_service", &["a"]), some("Disabled"));
    t.file("etc/config/wireless", &config.replace("1.wifi'", "2.wifi'"));
    s.begin();
    assert_eq!(read(&mut s, "wifi_status", &["radio0"]), some("NotPresent"));
    assert_eq!(read(&mut s, "wifi_service", &["a"]), some("Error"));
    // A driver that OpenWrt's own scripts do not run.
    let vendor = config.replace("option path 'platform/soc/1.wifi'", "option vendor '1'");
    t.file("etc/config/wireless", &vendor);
    s.begin();
    assert_eq!(read(&mut s, "wifi_status", &["radio0"]), some("Unknown"));
    assert_eq!(read(&mut s, "wifi_status", &["a"]), some("Unknown"));
    assert_eq!(read(&mut s, "wifi_service", &["a"]), some("Enabled"));
    // Broken: in trouble, as everything of this file.
    t.file("etc/config/wireless", "config 'open\n");
    s.begin();
    let binding = Binding::Native("wifi_status".into());
    let rows = ["a".to_owned()];
    let ask = Ask {
        binding: &binding,
        rows: &rows,
    };
    assert!(s.read(&[ask])[0].is_err());
}
