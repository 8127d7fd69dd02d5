//! Requests with plausible, boundary and hostile arguments, drawn over the real tree.

use super::chance::Chance;
use super::envelope::Style;
use super::oracle::{Asked, Oracle, Rpc};
use cwmp_agent::model::ValueType;

/// Any request whose form is right.
pub fn any(chance: &mut Chance<'_>, oracle: &Oracle) -> Rpc {
    match chance.byte() % 28 {
        0..=5 => set(chance, oracle),
        6..=8 => Rpc::Get(paths(chance, oracle)),
        9 | 10 => Rpc::Names(path(chance, oracle), chance.one_in(2)),
        11 => Rpc::GetAttributes(paths(chance, oracle)),
        12 | 13 => set_attributes(chance, oracle),
        14..=16 => Rpc::Add(table(chance, oracle), key(chance)),
        17 | 18 => Rpc::Delete(row(chance, oracle), key(chance)),
        19 => Rpc::Methods,
        20 => Rpc::Reboot(key(chance)),
        21 => Rpc::FactoryReset,
        22 => {
            let delays = [1, 60, 86_400, u32::MAX];
            Rpc::Schedule(chance.pick(&delays), key(chance))
        }
        23 => match chance.byte() % 3 {
            0 => Rpc::Download(asked(chance)),
            1 => Rpc::Upload(asked(chance)),
            _ => Rpc::ScheduleDownload(asked(chance)),
        },
        24 => Rpc::Cancel(key(chance)),
        25 => Rpc::Queued,
        26 => Rpc::AllQueued,
        // Two bytes and the whole tree is read: what a change did is seen at once.
        _ => Rpc::Get(vec!["Device.".to_owned()]),
    }
}

fn key(chance: &mut Chance<'_>) -> String {
    match chance.byte() % 8 {
        0 => String::new(),
        1 => "k".repeat(32),
        2 => "\u{20ac}".repeat(32),
        3 => "<&>\"' ]]>".to_owned(),
        4 => chance.text(),
        n => format!("key {n}"),
    }
}

fn asked(chance: &mut Chance<'_>) -> Asked {
    let types = [
        "2 Web Content",
        "3 Vendor Configuration File",
        "1 Vendor Configuration File",
        "3 Vendor Configuration File 1",
        "4 Vendor Log File 99",
        "1 Firmware Upgrade Image",
        "",
    ];
    let urls = [
        "http://files.example/f",
        "https://files.example/f?a=1&b=2",
        "foo://files.example/f",
        "http://u:p@files.example/f",
        "",
    ];
    Asked {
        key: key(chance),
        file_type: chance.pick(&types).to_owned(),
        url: chance.pick(&urls).to_owned(),
        size: chance.pick(&[0, 1, u32::MAX]),
        delay: chance.pick(&[0, 60, 4_000_000]),
    }
}

fn existing(chance: &mut Chance<'_>, oracle: &Oracle, fits: impl Fn(&str, bool) -> bool) -> String {
    let names: Vec<&String> = oracle
        .now
        .names
        .iter()
        .filter(|(path, writable)| fits(path, **writable))
        .map(|(path, _)| path)
        .collect();
    match names.is_empty() {
        true => "Device.".to_owned(),
        false => names[chance.below(names.len())].clone(),
    }
}

fn path(chance: &mut Chance<'_>, oracle: &Oracle) -> String {
    let path = existing(chance, oracle, |_, _| true);
    match chance.byte() {
        0..=190 => path,
        _ => odd(chance, &path),
    }
}

/// A path that is none, or names something else.
fn odd(chance: &mut Chance<'_>, path: &str) -> String {
    let digit = |c: char| c.is_ascii_digit();
    match chance.byte() % 18 {
        0 => String::new(),
        1 => "Device.".to_owned(),
        2 => "Device".to_owned(),
        3 => path.trim_end_matches('.').to_owned(),
        4 => format!("{path}."),
        5 => format!("{path}x"),
        6 => path.to_lowercase(),
        7 => path.replace(digit, "0"),
        8 => path.replace(digit, "4294967295"),
        9 => path.replace(digit, "4294967296"),
        10 => path.replace(digit, "[cpe-1]"),
        11 => path.replace(digit, "*"),
        12 => path.replace(digit, "01"),
        13 => format!(" {path}"),
        14 => path.replace("Device.", "InternetGatewayDevice."),
        15 => format!("{path}{}", "a".repeat(256usize.saturating_sub(path.len()))),
        16 => chance.text(),
        _ => path.chars().take(chance.below(path.len() + 1)).collect(),
    }
}

fn paths(chance: &mut Chance<'_>, oracle: &Oracle) -> Vec<String> {
    let count = match chance.byte() {
        0..=120 => 1,
        n @ 121..=250 => 1 + usize::from(n) % 6,
        _ => 60,
    };
    (0..count).map(|_| path(chance, oracle)).collect()
}

fn table(chance: &mut Chance<'_>, oracle: &Oracle) -> String {
    let rows = |path: &str| path.ends_with("PortMapping.") || path.ends_with("SSID.");
    let path = match chance.byte() {
        0..=120 => existing(chance, oracle, |path, writable| writable && rows(path)),
        121..=230 => existing(chance, oracle, |path, writable| {
            writable && path.ends_with('.')
        }),
        _ => existing(chance, oracle, |path, _| path.ends_with('.')),
    };
    match chance.one_in(12) {
        true => odd(chance, &path),
        false => path,
    }
}

fn row(chance: &mut Chance<'_>, oracle: &Oracle) -> String {
    let is_row = |path: &str| {
        let inner = path.strip_suffix('.').unwrap_or_default();
        inner.ends_with(|c: char| c.is_ascii_digit())
    };
    let path = match chance.byte() {
        0..=200 => existing(chance, oracle, |path, writable| writable && is_row(path)),
        _ => existing(chance, oracle, |path, _| path.ends_with('.')),
    };
    match chance.one_in(12) {
        true => odd(chance, &path),
        false => path,
    }
}

fn set(chance: &mut Chance<'_>, oracle: &Oracle) -> Rpc {
    let count = match chance.byte() {
        0 => 0,
        1..=130 => 1,
        n @ 131..=252 => 2 + usize::from(n) % 5,
        _ => 50,
    };
    let mut items: Vec<(String, Option<String>, String)> = Vec::new();
    // One bad item is enough for a fault: most requests have none.
    let wild = chance.one_in(4);
    for _ in 0..count {
        let may_be_set = |path: &str, writable: bool| writable && !path.ends_with('.');
        let path = match wild && chance.one_in(3) {
            true => path(chance, oracle),
            false => existing(chance, oracle, may_be_set),
        };
        // Setting the same one twice is a fault, of which one in a while is enough.
        if items.iter().any(|(p, ..)| *p == path) && !wild {
            continue;
        }
        let known = oracle.now.values.get(&path);
        let ty = known.map_or(ValueType::String, |(ty, _)| *ty);
        let now = known.map_or("", |(_, value)| value.as_str());
        let said = match chance.byte() {
            0..=200 => Some(ty.name()),
            201..=240 => None,
            _ => Some(chance.pick(&["string", "int", "float", "base64Binary", "", "boolean"])),
        };
        let text = match wild {
            true => wild_value(chance, now),
            false => tame_value(chance, ty, now, oracle),
        };
        items.push((path, said.map(str::to_owned), text));
    }
    Rpc::Set(items, key(chance))
}

/// A value of the type, most of the time one that will do.
fn tame_value(chance: &mut Chance<'_>, ty: ValueType, now: &str, oracle: &Oracle) -> String {
    match ty {
        _ if chance.one_in(6) => now.to_owned(),
        ValueType::Boolean => chance.pick(&["true", "false", "1", "0"]).to_owned(),
        ValueType::DateTime => {
            let times = [
                "2026-11-22T10:00:00Z",
                "0001-01-01T00:00:00Z",
                "2026-11-22T10:00:00.250+01:00",
            ];
            chance.pick(&times).to_owned()
        }
        ValueType::String => match chance.byte() % 12 {
            0 => String::new(),
            1 => chance
                .pick(&[
                    "TCP",
                    "UDP",
                    "Fast",
                    "Slow",
                    "None",
                    "WPA2-Personal",
                    "2.4GHz",
                ])
                .to_owned(),
            2 => existing(chance, oracle, |p, _| p.ends_with('.'))
                .trim_end_matches('.')
                .to_owned(),
            3 => "a.example,b.example, c.example".to_owned(),
            4 => "192.168.7.7".to_owned(),
            5 => "http://acs.example/other".to_owned(),
            6 => "It's \"$(reboot)\" `x` \\ \u{fc}".to_owned(),
            7 => format!("{},{}", chance.text(), chance.text()),
            8 => chance.text(),
            n => format!("plain {n}"),
        },
        ValueType::HexBinary => "00".repeat(chance.below(40)),
        ValueType::Base64 => "AAEC".repeat(chance.below(8)),
        _ => match chance.byte() {
            n @ 0..=200 => n.to_string(),
            n => (u32::from(n) * 70).to_string(),
        },
    }
}

fn wild_value(chance: &mut Chance<'_>, now: &str) -> String {
    match chance.byte() % 20 {
        0 => "-1".to_owned(),
        1 => "4294967295".to_owned(),
        2 => "4294967296".to_owned(),
        3 => "18446744073709551616".to_owned(),
        4 => " 5 ".to_owned(),
        5 => "0x10".to_owned(),
        6 => "TRUE".to_owned(),
        7 => "x".repeat(300),
        8 => "y".repeat(5000),
        9 => "line\nline\r\n\ttab".to_owned(),
        10 => "\u{1f600}\u{fffd}\u{a0}".to_owned(),
        11 => ",".repeat(chance.below(40)),
        12 => "cpe-1".to_owned(),
        13 => "$(reboot);'\"\\".to_owned(),
        14 => "0001-01-01T00:00:00".to_owned(),
        15 => "9999-99-99T99:99:99Z".to_owned(),
        16 => format!("{now}{now}"),
        17 => "\u{7f}\u{85}\u{2028}".to_owned(),
        _ => chance.text(),
    }
}

fn set_attributes(chance: &mut Chance<'_>, oracle: &Oracle) -> Rpc {
    let count = 1 + chance.below(4);
    let mut items = Vec::new();
    for _ in 0..count {
        let level = match chance.byte() {
            0..=100 => None,
            n @ 101..=250 => Some(n % 3),
            n => Some(n % 7),
        };
        let access = match chance.byte() % 6 {
            0 => Some(Vec::new()),
            1 => Some(vec!["Subscriber".to_owned()]),
            2 => Some(vec!["Nobody".to_owned(), "Subscriber".to_owned()]),
            3 => Some(vec!["X_Vendor".to_owned()]),
            _ => None,
        };
        items.push((path(chance, oracle), level, access));
    }
    Rpc::SetAttributes(items)
}

/// The element of a request.
pub fn body(rpc: &Rpc, style: &Style) -> String {
    let text = |name: &str, value: &str| style.element(name, value);
    let flag = |name: &str, value: bool| {
        // Both words that XML Schema has for it.
        let word = match (value, style.minor % 2) {
            (true, 0) => "1",
            (true, _) => "true",
            (false, 0) => "0",
            (false, _) => "false",
        };
        format!("<{name}>{word}</{name}>")
    };
    let strings =
        |items: &[String]| -> String { items.iter().map(|s| text("string", s)).collect() };
    let array = |name: &str, of: &str, count: usize, items: String| {
        format!("<{name} soapenc:arrayType=\"{of}[{count}]\">{items}</{name}>")
    };
    let head = |asked: &Asked| {
        [
            text("CommandKey", &asked.key),
            text("FileType", &asked.file_type),
            text("URL", &asked.url),
            "<Username/><Password/>".to_owned(),
        ]
        .concat()
    };
    let content = match rpc {
        Rpc::Methods | Rpc::FactoryReset => String::new(),
        Rpc::Set(items, key) => {
            let list = items.iter().map(|(path, ty, value)| {
                let ty = ty
                    .as_ref()
                    .map(|t| format!(" xsi:type=\"xsd:{t}\""))
                    .unwrap_or_default();
                let name = text("Name", path);
                format!(
                    "<ParameterValueStruct>{name}<Value{ty}>{}</Value></ParameterValueStruct>",
                    style.text(value)
                )
            });
            array(
                "ParameterList",
                "c:ParameterValueStruct",
                items.len(),
                list.collect(),
            ) + &text("ParameterKey", key)
        }
        Rpc::Get(paths) | Rpc::GetAttributes(paths) => {
            array("ParameterNames", "xsd:string", paths.len(), strings(paths))
        }
        Rpc::Names(path, next) => text("ParameterPath", path) + &flag("NextLevel", *next),
        Rpc::SetAttributes(items) => {
            let list = items.iter().map(|(path, level, access)| {
                let name = text("Name", path);
                let change = flag("NotificationChange", level.is_some());
                let level = level.map(|l| l.to_string()).unwrap_or_default();
                let with_list = flag("AccessListChange", access.is_some());
                let access = strings(access.as_deref().unwrap_or_default());
                format!(
                    "<SetParameterAttributesStruct>{name}{change}<Notification>{level}</Notification>\
                     {with_list}<AccessList>{access}</AccessList></SetParameterAttributesStruct>"
                )
            });
            array(
                "ParameterList",
                "c:SetParameterAttributesStruct",
                items.len(),
                list.collect(),
            )
        }
        Rpc::Add(object, key) | Rpc::Delete(object, key) => {
            text("ObjectName", object) + &text("ParameterKey", key)
        }
        Rpc::Reboot(key) => text("CommandKey", key),
        Rpc::Schedule(delay, key) => {
            format!(
                "<DelaySeconds>{delay}</DelaySeconds>{}",
                text("CommandKey", key)
            )
        }
        Rpc::Download(asked) => {
            head(asked)
                + &format!(
                    "<FileSize>{}</FileSize><TargetFileName/><DelaySeconds>{}</DelaySeconds>\
                     <SuccessURL/><FailureURL/>",
                    asked.size, asked.delay
                )
        }
        Rpc::Upload(asked) => {
            head(asked) + &format!("<DelaySeconds>{}</DelaySeconds>", asked.delay)
        }
        Rpc::ScheduleDownload(asked) => {
            let window = format!(
                "<TimeWindowStruct><WindowStart>{}</WindowStart><WindowEnd>{}</WindowEnd>\
                 <WindowMode>2 Immediately</WindowMode><UserMessage/><MaxRetries>0</MaxRetries>\
                 </TimeWindowStruct>",
                asked.delay,
                asked.delay.saturating_add(60)
            );
            let list = array("TimeWindowList", "c:TimeWindowStruct", 1, window);
            let size = format!("<FileSize>{}</FileSize><TargetFileName/>", asked.size);
            head(asked) + &size + &list
        }
        Rpc::Cancel(key) => text("CommandKey", key),
        Rpc::Queued | Rpc::AllQueued => String::new(),
    };
    style.message(rpc.name(), &content)
}

/// A request that must be refused whatever the tree is, and the codes for that.
pub fn bad(chance: &mut Chance<'_>, style: &Style) -> (&'static [u16], String) {
    let long = "x".repeat(33);
    match chance.byte() % 18 {
        0 => (&[9003], style.message("Download", "")),
        1 => (&[9003], style.message("Upload", "<CommandKey/>")),
        2 => (&[9000], style.message("X_Vendor_Do", "<a/>")),
        3 => (&[9000, 9003], style.message("ChangeDUState", "")),
        4 => (&[9000], "<Other xmlns=\"urn:other\"/>".to_owned()),
        5 => (&[9003], style.message("GetParameterValues", "")),
        6 => (&[9003], style.message("GetParameterValues", "<ParameterNames/>")),
        7 => (&[9003], style.message("GetParameterNames", "<ParameterPath/>")),
        8 => (
            &[9003],
            style.message("GetParameterNames", "<ParameterPath/><NextLevel>2</NextLevel>"),
        ),
        9 => (&[9003], style.message("SetParameterValues", "<ParameterKey/>")),
        10 => (
            &[9003],
            style.message("SetParameterValues", &format!("<ParameterList/><ParameterKey>{long}</ParameterKey>")),
        ),
        11 => (&[9003], style.message("AddObject", "<ObjectName/><ObjectName/><ParameterKey/>")),
        12 => (
            &[9003],
            style.message("AddObject", &format!("<ObjectName>{}</ObjectName><ParameterKey/>", "D".repeat(257))),
        ),
        13 => (&[9003], style.message("Reboot", &format!("<CommandKey>{long}</CommandKey>"))),
        14 => (
            &[9003],
            style.message("ScheduleInform", "<DelaySeconds>0</DelaySeconds><CommandKey/>"),
        ),
        15 => (
            &[9003],
            style.message("ScheduleInform", "<DelaySeconds>-1</DelaySeconds><CommandKey/>"),
        ),
        16 => (
            &[9003],
            style.message(
                "SetParameterAttributes",
                "<ParameterList><S><Name>Device.</Name><NotificationChange>1</NotificationChange>\
                 <Notification>7</Notification><AccessListChange>0</AccessListChange><AccessList/></S></ParameterList>",
            ),
        ),
        _ => (
            &[9003],
            style.message(
                "SetParameterValues",
                "<ParameterList><P><Name>Device.</Name><Value><a/></Value></P></ParameterList><ParameterKey/>",
            ),
        ),
    }
}
