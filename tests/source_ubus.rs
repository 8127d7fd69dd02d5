//! The ubus source: what other programs say on the message bus, read through the model.

mod scratch;
mod ubusd;

use cwmp_agent::model::api;
use cwmp_agent::model::binding::SourceKind;
use cwmp_agent::model::{Model, Schema};
use cwmp_agent::source::ubus::UbusSource;
use cwmp_agent::source::{self, Limits, Runtime};
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use scratch::Scratch;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ubusd::{Manners, Running, Ubusd};

const FILE: &str = r#"
["Device.DeviceInfo."]
Manufacturer    = { type = "string", constant = "Test" }
ModelName       = { type = "string", ubus = { object = "system", method = "board", pointer = "/model" } }
SoftwareVersion = { type = "string", ubus = { object = "system", method = "board", pointer = "/release/version" } }
X_TEST_Load     = { type = "unsignedInt", list = true, ubus = { object = "system", method = "info", pointer = "/load" } }
X_TEST_First    = { type = "unsignedInt", ubus = { object = "system", method = "info", pointer = "/load/0" } }
X_TEST_Nothing  = { type = "string", ubus = { object = "system", method = "info", pointer = "/no/such" }, default = "none" }
X_TEST_Slash    = { type = "string", ubus = { object = "system", method = "info", pointer = "/a~1b/~0c" } }
X_TEST_Gone     = { type = "string", ubus = { object = "nosuch", method = "x", pointer = "/a" }, default = "gone" }
X_TEST_Refused  = { type = "string", ubus = { object = "system", method = "secret", pointer = "/a" } }

["Device.IP.Interface.{i}."]
rows   = { ubus = "network.interface", method = "dump", pointer = "/interface", key = "interface" }
Name   = { type = "string", constant = "{row}" }
Enable = { type = "boolean", ubus = { object = "network.interface", method = "dump", pointer = "/interface/[interface={row}]/up" } }
LastChange = { type = "unsignedInt", ubus = { object = "network.interface.{row}", method = "status", arguments = { of = "{row}", full = true, most = 3 }, pointer = "/uptime" }, default = "0" }

["Device.IP.Interface.{i}.IPv4Address.{i}."]
rows      = { ubus = "network.interface", method = "dump", pointer = "/interface/[interface={row}]/ipv4-address", key = "address" }
IPAddress = { type = "IPv4Address", constant = "{row}" }
X_TEST_Mask = { type = "unsignedInt", ubus = { object = "network.interface", method = "dump", pointer = "/interface/[interface={row1}]/ipv4-address/[address={row2}]/mask" } }

["Device.X_TEST_Service.{i}."]
rows    = { ubus = "service", method = "list" }
Name    = { type = "string", constant = "{row}" }
Running = { type = "boolean", ubus = { object = "service", method = "list", pointer = "/{row}/running" }, default = "false" }
"#;

const DUMP: &str = r#"{"interface":[
    {"interface":"lan","up":true,"ipv4-address":[
        {"address":"192.168.1.1","mask":24},{"address":"192.168.2.1","mask":16}]},
    {"interface":"wan","up":false,"ipv4-address":[]},
    {"interface":"a/b","up":true},
    {"up":true},
    {"interface":"lan","up":false}]}"#;

struct Bus {
    scratch: Scratch,
    ubusd: Option<Running>,
    model: Model,
}

impl Bus {
    fn new(limits: Limits) -> Bus {
        let scratch = Scratch::new();
        let socket = scratch.path("ubus.sock");
        let mut ubusd = Ubusd::listen(&socket);
        ubusd.answer(
            "system",
            "board",
            Ok(r#"{"model":"Ridge R1","release":{"version":"23.05.3"}}"#),
        );
        let info = r#"{"load":[1,22,333],"a/b":{"~c":"found"},"uptime":5}"#;
        ubusd.answer("system", "info", Ok(info));
        ubusd.answer("system", "secret", Err(6));
        ubusd.answer("network.interface", "dump", Ok(DUMP));
        ubusd.answer("network.interface.lan", "status", Ok(r#"{"uptime":77}"#));
        let services = r#"{"sysntpd":{"running":true},"log":{"running":false},"new":{}}"#;
        ubusd.answer("service", "list", Ok(services));
        let model = model(&scratch, Some(socket), limits);
        Bus {
            scratch,
            ubusd: Some(ubusd.run()),
            model,
        }
    }

    fn calls(&self) -> Vec<String> {
        let calls = self
            .ubusd
            .as_ref()
            .unwrap()
            .with(|u| std::mem::take(&mut u.calls));
        calls
            .into_iter()
            .map(|(path, method, _)| format!("{path} {method}"))
            .collect()
    }

    fn get(&mut self, paths: &[&str]) -> Result<Vec<String>, u16> {
        get(&mut self.model, paths)
    }

    fn manners(&self, manners: Manners) {
        self.ubusd.as_ref().unwrap().with(|u| u.manners = manners);
    }
}

fn get(model: &mut Model, paths: &[&str]) -> Result<Vec<String>, u16> {
    model.begin();
    let entries = model.get(paths).map_err(|fault| fault.code)?;
    model.rest();
    let lines = entries.iter().map(|e| format!("{}={}", e.path, e.value));
    Ok(lines.map(|l| l.replace("Device.", "")).collect())
}

fn model(scratch: &Scratch, socket: Option<PathBuf>, limits: Limits) -> Model {
    let files = [("test.toml".to_owned(), FILE.to_owned())];
    let schema = Schema::load(&files).unwrap_or_else(|errors| panic!("{errors:?}"));
    let root = Root::new(scratch.dir()).unwrap();
    let mut sources = source::all(&root, limits, Runtime::default(), []);
    if socket.is_some() {
        let ubus = UbusSource::at(socket, limits);
        sources.insert(SourceKind::Ubus, Box::new(ubus));
    }
    let journal = DiskJournal::new(StateDir::open(&scratch.path("state")).unwrap());
    let limits = api::Limits::default();
    let sources = sources.into_iter().collect();
    Model::new(Arc::new(schema), sources, Box::new(journal), limits)
}

#[test]
fn values_are_picked_out_of_answers_and_each_call_is_made_once_a_request() {
    let mut bus = Bus::new(Limits::default());
    let names = [
        "ModelName",
        "SoftwareVersion",
        "X_TEST_Load",
        "X_TEST_First",
    ];
    let more = ["X_TEST_Nothing", "X_TEST_Slash", "X_TEST_Gone"];
    let paths: Vec<String> = names
        .into_iter()
        .chain(more)
        .map(|n| format!("Device.DeviceInfo.{n}"))
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let expected = [
        "DeviceInfo.ModelName=Ridge R1",
        "DeviceInfo.SoftwareVersion=23.05.3",
        "DeviceInfo.X_TEST_Load=1,22,333",
        "DeviceInfo.X_TEST_First=1",
        "DeviceInfo.X_TEST_Nothing=none",
        "DeviceInfo.X_TEST_Slash=found",
        "DeviceInfo.X_TEST_Gone=gone",
    ];
    for _ in 0..2 {
        assert_eq!(bus.get(&paths).unwrap(), expected);
        let mut calls = bus.calls();
        calls.sort();
        assert_eq!(calls, ["system board", "system info"]);
    }
}

#[test]
fn rows_come_from_lists_and_tables() {
    let mut bus = Bus::new(Limits::default());
    assert_eq!(
        bus.get(&["Device.IP."]).unwrap(),
        [
            "IP.InterfaceNumberOfEntries=2",
            "IP.Interface.1.Enable=true",
            "IP.Interface.1.IPv4AddressNumberOfEntries=2",
            "IP.Interface.1.LastChange=77",
            "IP.Interface.1.Name=lan",
            "IP.Interface.1.IPv4Address.1.IPAddress=192.168.1.1",
            "IP.Interface.1.IPv4Address.1.X_TEST_Mask=24",
            "IP.Interface.1.IPv4Address.2.IPAddress=192.168.2.1",
            "IP.Interface.1.IPv4Address.2.X_TEST_Mask=16",
            "IP.Interface.2.Enable=false",
            "IP.Interface.2.IPv4AddressNumberOfEntries=0",
            "IP.Interface.2.LastChange=0",
            "IP.Interface.2.Name=wan",
        ]
    );
    let asked = bus
        .ubusd
        .as_ref()
        .unwrap()
        .with(|u| std::mem::take(&mut u.calls));
    let arguments = ubusd::table(r#"{"full":true,"most":3,"of":"lan"}"#);
    let status = (
        "network.interface.lan".to_owned(),
        "status".to_owned(),
        arguments,
    );
    assert_eq!(asked.iter().filter(|c| **c == status).count(), 1);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(
        bus.get(&["Device.X_TEST_Service."]).unwrap(),
        [
            "X_TEST_Service.1.Name=sysntpd",
            "X_TEST_Service.1.Running=true",
            "X_TEST_Service.2.Name=log",
            "X_TEST_Service.2.Running=false",
            "X_TEST_Service.3.Name=new",
            "X_TEST_Service.3.Running=false",
        ]
    );
}

#[test]
fn a_refused_call_is_trouble_for_its_own_parameters_only() {
    let mut bus = Bus::new(Limits::default());
    assert_eq!(bus.get(&["Device.DeviceInfo.X_TEST_Refused"]), Err(9002));
    let all = bus.get(&["Device.DeviceInfo."]).unwrap();
    assert_eq!(all.len(), 8, "{all:?}");
    let told: Vec<String> = bus
        .model
        .troubles()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, ["ubus system secret: permission denied"]);
}

#[test]
fn where_ubusd_is_absent_the_rest_works_and_it_is_back_when_it_returns() {
    let mut bus = Bus::new(Limits::default());
    bus.ubusd = None;
    assert_eq!(bus.get(&["Device.DeviceInfo.ModelName"]), Err(9002));
    let all = bus.get(&["Device.DeviceInfo."]).unwrap();
    assert_eq!(all, ["DeviceInfo.Manufacturer=Test"]);
    let socket = bus.scratch.path("ubus.sock");
    let mut ubusd = Ubusd::listen(&socket);
    ubusd.answer("system", "board", Ok(r#"{"model":"back"}"#));
    bus.ubusd = Some(ubusd.run());
    assert_eq!(
        bus.get(&["Device.DeviceInfo.ModelName"]).unwrap(),
        ["DeviceInfo.ModelName=back"]
    );
}

#[test]
fn below_another_root_nobody_is_asked_unless_a_socket_is_named() {
    let scratch = Scratch::new();
    let mut model = model(&scratch, None, Limits::default());
    let all = get(&mut model, &["Device.DeviceInfo."]).unwrap();
    assert_eq!(all, ["DeviceInfo.Manufacturer=Test"]);
    let told = model.troubles();
    assert!(
        told.iter().all(|t| t.what == "ubusd is not there"),
        "{told:?}"
    );
}

#[test]
fn all_calls_of_a_request_have_one_deadline() {
    let limits = Limits {
        request_deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut bus = Bus::new(limits);
    bus.manners(Manners::Silent);
    let begun = Instant::now();
    let all = bus.get(&["Device."]).unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(all[0], "DeviceInfo.Manufacturer=Test");
    let told = bus.model.troubles();
    assert!(
        told.iter().any(|t| t.what == "no answer in time"),
        "{told:?}"
    );
    assert!(
        told.iter().any(|t| t.what.starts_with("not read")),
        "{told:?}"
    );
}

#[test]
fn bad_answers_are_trouble_and_the_next_request_starts_anew() {
    let worst = [
        Manners::HangsUp,
        Manners::HalfMessage,
        Manners::Garbage,
        Manners::HugeLength,
        Manners::Large,
        Manners::BrokenBlob,
        Manners::Strays,
        Manners::Endless,
    ];
    for manners in worst {
        let mut bus = Bus::new(Limits::default());
        bus.manners(manners);
        let name = ["Device.DeviceInfo.ModelName"];
        assert_eq!(bus.get(&name), Err(9002), "{manners:?}");
        bus.manners(Manners::Good);
        let good = Ok(vec!["DeviceInfo.ModelName=Ridge R1".to_owned()]);
        assert_eq!(bus.get(&name), good, "{manners:?}");
    }
}

/// What is wrong with a file that has this in it.
fn wrong(file: &str) -> String {
    let file = format!("[\"Device.X_TEST_A.\"]\n{file}\n");
    let errors = Schema::load(&[("a.toml".to_owned(), file)]).expect_err("a wrong file");
    errors.iter().map(|e| format!("{e}\n")).collect()
}

#[test]
fn a_binding_that_cannot_work_is_refused_with_its_line() {
    let value = |ubus: &str| wrong(&format!("V = {{ type = \"string\", ubus = {ubus} }}"));
    let refused = [
        ("\"system\"", "is no table; write { object"),
        ("{ method = \"board\", pointer = \"/a\" }", "has no object"),
        ("{ object = \"a\", pointer = \"/a\" }", "has no method"),
        (
            "{ object = \"a*\", method = \"b\", pointer = \"/a\" }",
            "object: is no name",
        ),
        (
            "{ object = \"a\", method = \"b c\", pointer = \"/a\" }",
            "method: is no name",
        ),
        ("{ object = \"a\", method = \"b\" }", "pointer says where"),
        (
            "{ object = \"a\", method = \"b\", pointer = \"a\" }",
            "begin it with /",
        ),
        (
            "{ object = \"a\", method = \"b\", pointer = \"/a\", arguments = { x = 1.5 } }",
            "arguments: is no table of",
        ),
        (
            "{ object = \"a\", method = \"b\", pointer = \"/a\", line = 1 }",
            "unknown key line",
        ),
        (
            "{ object = \"a\", method = \"b\", pointer = \"/{row}\" }",
            "{row}",
        ),
    ];
    for (ubus, expected) in refused {
        let said = value(ubus);
        assert!(
            said.contains(expected) && said.contains("a.toml:2"),
            "{ubus}: {said}"
        );
    }
    let writable = "V = { type = \"string\", access = \"rw\", \
        ubus = { object = \"a\", method = \"b\", pointer = \"/a\" } }";
    assert!(wrong(writable).contains("cannot be written"));
    let rows = wrong(
        "[\"Device.X_TEST_A.B.{i}.\"]\nrows = { ubus = \"a\", method = \"b\", pointer = \"x\" }",
    );
    assert!(rows.contains("begin it with /"), "{rows}");
}
