//! The shipped data model where netifd answers on the message bus, and where it does not:
//! then every value is what it is without ubus.

mod data_model_support;
mod router;
mod router_model;
mod shared;
mod ubusd;

use cwmp_agent::model::Model;
use cwmp_agent::ubus::json;
use cwmp_agent::ubus::message::{Body, Kind, frame};
use data_model_support::{below, expect, files, get};
use router::Router;
use serde_json::Value;
use std::time::{Duration, Instant};
use ubusd::{Manners, Running, Ubusd};

const DUMP: &str = r#"{"interface":[
    {"interface":"lan","up":true,"pending":false,"available":true,"l3_device":"br-lan.1"},
    {"interface":"wan","up":false,"pending":true,"available":true,"l3_device":"pppoe-wan",
        "errors":[{"subsystem":"ppp","code":"AUTH_FAILED"}]},
    {"interface":"iptv","up":false,"pending":false,"available":false},
    {"interface":"wwan","up":true,"pending":false,"available":true,"uptime":86399,"l3_device":"phy1-sta0",
        "ipv4-address":[{"address":"192.0.2.77","mask":24}],
        "route":[{"target":"0.0.0.0","mask":0,"nexthop":"192.0.2.1"}],
        "dns-server":["192.0.2.53","2001:db8::53"],
        "data":{"dhcpserver":"192.0.2.2","leasetime":3600}}]}"#;

/// A sample router with a wireless uplink, whose device no file tells.
fn router() -> Router {
    let router = Router::new().expect("a folder for temporary files");
    let network = router.read("/etc/config/network").expect("a file");
    let more = format!("{network}\nconfig interface 'wwan'\n\toption proto 'dhcp'\n");
    router.write("/etc/config/network", &more).expect("written");
    let counters = router.read("/proc/net/dev").expect("a file");
    let more = format!("{counters}phy1-sta0: 4711 2 0 0 0 0 0 0 815 4 0 0 0 0 0 0\n");
    router.write("/proc/net/dev", &more).expect("written");
    router
}

fn bus(router: &Router) -> Ubusd {
    Ubusd::listen(&router.path("/var/run/ubus/ubus.sock"))
}

fn model(router: &Router) -> Model {
    let schema = router_model::schema(&files());
    let socket = router.path("/var/run/ubus/ubus.sock");
    router_model::on_bus(router, schema, Some(socket))
}

fn calls(ubusd: &Running) -> usize {
    ubusd.with(|u| std::mem::take(&mut u.calls)).len()
}

/// The row of a table of networks whose `Name` or `Interface` leads to this one.
fn row(model: &mut Model, table: &str, network: &str) -> String {
    let interfaces = below(model, "Device.IP.Interface.");
    let named = |(path, value): (&String, &String)| {
        (path.ends_with(".Name") && value == network)
            .then(|| path.trim_end_matches(".Name").to_owned())
    };
    let interface = interfaces.iter().find_map(named).expect("the network");
    if table == "Device.IP.Interface." {
        return format!("{interface}.");
    }
    let all = below(model, table);
    let refers = |(path, value): (&String, &String)| {
        let is = path.ends_with(".Interface") && value.trim_end_matches('.') == interface;
        is.then(|| path.trim_end_matches("Interface").to_owned())
    };
    all.iter().find_map(refers).expect("the row")
}

#[test]
fn what_netifd_knows_is_told() {
    let router = router();
    let mut ubusd = bus(&router);
    ubusd.answer("network.interface", "dump", Ok(DUMP));
    let ubusd = ubusd.run();
    let mut model = model(&router);
    let wwan = row(&mut model, "Device.IP.Interface.", "wwan");
    let client = row(&mut model, "Device.DHCPv4.Client.", "wwan");
    let values = [
        (format!("{wwan}Status"), "Up"),
        (format!("{wwan}Stats.BytesReceived"), "4711"),
        (format!("{wwan}IPv4Address.1.IPAddress"), "192.0.2.77"),
        (format!("{wwan}IPv4Address.1.SubnetMask"), "255.255.255.0"),
        (format!("{wwan}IPv4Address.1.AddressingType"), "DHCP"),
        (format!("{client}DHCPStatus"), "Bound"),
        (format!("{client}Status"), "Enabled"),
        (format!("{client}IPAddress"), "192.0.2.77"),
        (format!("{client}SubnetMask"), "255.255.255.0"),
        (format!("{client}IPRouters"), "192.0.2.1"),
        (format!("{client}DNSServers"), "192.0.2.53"),
        (format!("{client}DHCPServer"), "192.0.2.2"),
    ];
    for (path, value) in &values {
        expect(&mut model, &[(path.as_str(), *value)]);
    }
    let iptv = row(&mut model, "Device.DHCPv4.Client.", "iptv");
    expect(
        &mut model,
        &[
            ("Device.PPP.Interface.1.Status", "Dormant"),
            ("Device.PPP.Interface.1.ConnectionStatus", "Connecting"),
            (
                "Device.PPP.Interface.1.LastConnectionError",
                "ERROR_AUTHENTICATION_FAILURE",
            ),
            (&format!("{iptv}DHCPStatus"), "Init"),
            (&format!("{iptv}DHCPServer"), ""),
        ],
    );
    let iptv = row(&mut model, "Device.IP.Interface.", "iptv");
    expect(&mut model, &[(&format!("{iptv}Status"), "NotPresent")]);
    // One question a request, however much is asked; none where nothing depends on it.
    calls(&ubusd);
    below(&mut model, "Device.");
    assert_eq!(calls(&ubusd), 1);
    below(&mut model, "Device.DeviceInfo.");
    below(&mut model, "Device.InterfaceStack.");
    assert_eq!(calls(&ubusd), 0);
    // netifd says something else.
    let gone = DUMP.replace("\"l3_device\":\"phy1-sta0\",", "").replace(
        r#""interface":"wwan","up":true"#,
        r#""interface":"wwan","up":false"#,
    );
    let gone = gone.replace(r#"{"address":"192.0.2.77","mask":24}"#, "");
    ubusd.with(|u| u.answer("network.interface", "dump", Ok(&gone)));
    let none = below(&mut model, &format!("{wwan}IPv4Address."));
    assert!(none.is_empty(), "{none:?}");
    expect(
        &mut model,
        &[
            (&format!("{wwan}Status"), "Down"),
            (&format!("{wwan}Stats.BytesReceived"), "0"),
            (&format!("{client}DHCPStatus"), "Init"),
            (&format!("{client}IPAddress"), ""),
        ],
    );
}

/// What the real provider answered to `dump`, from the recorded bytes.
fn recorded() -> Option<String> {
    let folder = shared::find("ubus-oracle")?;
    let text = std::fs::read_to_string(folder.join("capture.jsonl")).expect("a capture");
    let mut stream = Vec::new();
    for line in text.lines().filter(|l| l.starts_with("[1, \">\"")) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let hex = line[2].as_str().expect("hex").as_bytes();
        let digit = |d: u8| char::from(d).to_digit(16).expect("a digit") as u8;
        stream.extend(hex.chunks(2).map(|d| digit(d[0]) << 4 | digit(d[1])));
    }
    while let Some((head, length)) = frame(&stream).expect("a message") {
        let rest = stream.split_off(length);
        let message = std::mem::replace(&mut stream, rest);
        let body = Body::read(&message).expect("a message");
        if let (Kind::Data, Some(data)) = (head.kind, body.data)
            && let table = json::table(data).expect("a table")
            && table.contains_key("interface")
        {
            return Some(Value::Object(table).to_string());
        }
    }
    panic!("no dump was recorded");
}

#[test]
fn what_the_real_netifd_was_heard_to_say_is_told() {
    let Some(dump) = recorded() else { return };
    let router = router();
    router
        .write("/tmp/resolv.conf.d/resolv.conf.auto", "")
        .expect("written");
    router.write("/proc/net/route", "Iface\n").expect("written");
    let mut ubusd = bus(&router);
    ubusd.answer("network.interface", "dump", Ok(&dump));
    let _ubusd = ubusd.run();
    let mut model = model(&router);
    let lan = row(&mut model, "Device.IP.Interface.", "lan");
    // Its packets go by br-lan, where the sample router's file says br-lan.1.
    let counters = router.read("/proc/net/dev").expect("a file");
    let mut lines = counters
        .lines()
        .filter_map(|l| l.trim().strip_prefix("br-lan:"));
    let sent = lines.next().expect("its line").split_whitespace().nth(8);
    expect(
        &mut model,
        &[
            ("Device.PPP.Interface.1.Status", "Up"),
            ("Device.PPP.Interface.1.ConnectionStatus", "Connected"),
            ("Device.PPP.Interface.1.LastConnectionError", "ERROR_NONE"),
            ("Device.PPP.Interface.1.IPCP.LocalIPAddress", "203.0.113.7"),
            ("Device.PPP.Interface.1.IPCP.RemoteIPAddress", "203.0.113.1"),
            (
                "Device.PPP.Interface.1.IPCP.DNSServers",
                "198.51.100.53,198.51.100.54",
            ),
            (&format!("{lan}Status"), "Up"),
            (&format!("{lan}Stats.BytesSent"), sent.expect("a counter")),
        ],
    );
}

/// The parts of the tree that netifd has a say in.
fn networks(model: &mut Model) -> Vec<(String, String)> {
    let parts = [
        "IP.",
        "PPP.",
        "DHCPv4.",
        "DHCPv6.",
        "DNS.",
        "InterfaceStack.",
    ];
    let all = parts.map(|part| below(model, &format!("Device.{part}")));
    all.into_iter().flatten().collect()
}

#[test]
fn without_netifd_everything_is_as_without_ubus() {
    let router = router();
    let mut plain = router_model::over(&router, router_model::schema(&files()));
    let expected = networks(&mut plain);
    assert!(expected.len() > 300, "{}", expected.len());
    // No ubusd.
    let mut model = model(&router);
    assert_eq!(networks(&mut model), expected);
    assert_eq!(model.troubles(), []);
    // No netifd; a refusal; an answer that is none.
    let ubusd = bus(&router).run();
    assert_eq!(networks(&mut model), expected);
    for answer in [Err(6), Ok("{}"), Ok(r#"{"interface":{"lan":{"up":true}}}"#)] {
        ubusd.with(|u| u.answer("network.interface", "dump", answer));
        assert_eq!(networks(&mut model), expected, "{answer:?}");
    }
    // It was there and is gone.
    ubusd.with(|u| u.answer("network.interface", "dump", Ok(DUMP)));
    assert_ne!(networks(&mut model), expected);
    ubusd.with(|u| u.withdraw("network.interface"));
    assert_eq!(networks(&mut model), expected);
    assert_eq!(model.troubles(), []);
}

#[test]
fn a_netifd_that_does_not_answer_costs_little_and_only_once() {
    for manners in [
        Manners::Silent,
        Manners::Garbage,
        Manners::HangsUp,
        Manners::Endless,
    ] {
        let router = router();
        let mut plain = router_model::over(&router, router_model::schema(&files()));
        let mut ubusd = bus(&router);
        ubusd.answer("network.interface", "dump", Ok(DUMP));
        ubusd.manners = manners;
        let ubusd = ubusd.run();
        let mut model = model(&router);
        let since = Instant::now();
        assert_eq!(networks(&mut model), networks(&mut plain), "{manners:?}");
        // A second for the first of its six requests.
        assert!(since.elapsed() < Duration::from_secs(8), "{manners:?}");
        assert_eq!(ubusd.with(|u| u.came), 1, "{manners:?}");
        assert_eq!(
            get(&mut model, "Device.PPP.Interface.1.Status"),
            get(&mut plain, "Device.PPP.Interface.1.Status")
        );
        assert_eq!(model.troubles(), []);
    }
}

#[test]
fn a_network_says_for_how_long_it_has_been_up() {
    let router = router();
    let mut ubusd = bus(&router);
    ubusd.answer("network.interface", "dump", Ok(DUMP));
    let ubusd = ubusd.run();
    let mut model = model(&router);
    let of = |row: &str| format!("{row}LastChange");
    let wwan = of(&row(&mut model, "Device.IP.Interface.", "wwan"));
    let iptv = of(&row(&mut model, "Device.IP.Interface.", "iptv"));
    let ppp = "Device.PPP.Interface.1.LastChange";
    // What is down has no time of its own.
    expect(&mut model, &[(&wwan, "86399"), (&iptv, "0"), (ppp, "0")]);
    let later = DUMP.replace("86399", "86401").replace(
        r#""interface":"wan","up":false,"pending":true"#,
        r#""interface":"wan","up":true,"uptime":7,"pending":false"#,
    );
    ubusd.with(|u| u.answer("network.interface", "dump", Ok(&later)));
    expect(&mut model, &[(&wwan, "86401"), (ppp, "7")]);
    let later = later.replace(r#""uptime":7,"#, r#""uptime":4294967296,"#);
    ubusd.with(|u| u.answer("network.interface", "dump", Ok(&later)));
    expect(&mut model, &[(ppp, "0")]);
}
