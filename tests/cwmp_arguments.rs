//! The arguments of every request of the ACS: what is accepted, and what is answered
//! 9003 and why.

mod cwmp_support;

use cwmp_agent::cwmp::message::*;
use cwmp_agent::cwmp::soap::{AcsBody, AcsMessage, Limits, read_acs_message};
use cwmp_support::{NS12, envelope};

fn read(body: &str) -> AcsBody {
    let text = envelope(NS12, "", body);
    match read_acs_message(text.as_bytes(), &Limits::default()) {
        Ok(AcsMessage::Envelope(e)) => e.body,
        other => panic!("{other:?}\n{text}"),
    }
}

#[track_caller]
fn accepted(method: &str, arguments: &str) -> AcsRequest {
    match read(&format!("<cwmp:{method}>{arguments}</cwmp:{method}>")) {
        AcsBody::Request(request) => {
            assert_eq!(request.name(), method);
            request
        }
        other => panic!("{method} {arguments}: {other:?}"),
    }
}

/// The text of the 9003 that these arguments are answered with.
#[track_caller]
fn refused(method: &str, arguments: &str) -> String {
    match read(&format!("<cwmp:{method}>{arguments}</cwmp:{method}>")) {
        AcsBody::BadRequest {
            method: named,
            fault,
        } => {
            assert_eq!((named.as_str(), fault.code), (method, 9003));
            assert!(fault.parameters.is_empty());
            fault.text
        }
        other => panic!("{method} {arguments}: {other:?}"),
    }
}

/// A valid set of arguments for each method that has any: name and text of each.
fn valid() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let arg = |name: &'static str, text: &str| (name, text.to_string());
    let transfer = vec![
        arg("CommandKey", "k"),
        arg("FileType", "1 Firmware Upgrade Image"),
        arg("URL", "http://192.0.2.1/f"),
        arg("Username", "u"),
        arg("Password", "p"),
    ];
    let with = |more: Vec<(&'static str, String)>| [transfer.clone(), more].concat();
    let window = |start: u32, end: u32| {
        format!(
            "<TimeWindowStruct><WindowStart>{start}</WindowStart><WindowEnd>{end}</WindowEnd>\
             <WindowMode>1 At Any Time</WindowMode><UserMessage/><MaxRetries>-1</MaxRetries>\
             </TimeWindowStruct>"
        )
    };
    vec![
        (
            "SetParameterValues",
            vec![
                arg(
                    "ParameterList",
                    "<ParameterValueStruct><Name>D.</Name><Value>s3cret</Value></ParameterValueStruct>",
                ),
                arg("ParameterKey", "pk"),
            ],
        ),
        (
            "GetParameterValues",
            vec![arg("ParameterNames", "<string>Device.</string>")],
        ),
        (
            "GetParameterNames",
            vec![arg("ParameterPath", "Device."), arg("NextLevel", "1")],
        ),
        (
            "SetParameterAttributes",
            vec![arg(
                "ParameterList",
                "<SetParameterAttributesStruct><Name>D.</Name><NotificationChange>1</NotificationChange>\
                 <Notification>2</Notification><AccessListChange>0</AccessListChange><AccessList/>\
                 </SetParameterAttributesStruct>",
            )],
        ),
        (
            "GetParameterAttributes",
            vec![arg("ParameterNames", "<string>Device.</string>")],
        ),
        (
            "AddObject",
            vec![arg("ObjectName", "D.X."), arg("ParameterKey", "pk")],
        ),
        (
            "DeleteObject",
            vec![arg("ObjectName", "D.X.1."), arg("ParameterKey", "pk")],
        ),
        ("Reboot", vec![arg("CommandKey", "k")]),
        (
            "Download",
            with(vec![
                arg("FileSize", "4294967295"),
                arg("TargetFileName", "t"),
                arg("DelaySeconds", "0"),
                arg("SuccessURL", ""),
                arg("FailureURL", ""),
            ]),
        ),
        ("Upload", with(vec![arg("DelaySeconds", "5")])),
        (
            "ScheduleInform",
            vec![arg("DelaySeconds", "60"), arg("CommandKey", "k")],
        ),
        (
            "ScheduleDownload",
            with(vec![
                arg("FileSize", "0"),
                arg("TargetFileName", ""),
                arg(
                    "TimeWindowList",
                    &format!("{}{}", window(0, 10), window(10, 20)),
                ),
            ]),
        ),
        ("CancelTransfer", vec![arg("CommandKey", "k")]),
    ]
}

fn xml(arguments: &[(&str, String)]) -> String {
    arguments
        .iter()
        .map(|(n, text)| format!("<{n}>{text}</{n}>"))
        .collect()
}

#[test]
fn every_argument_is_needed_once_and_in_any_order() {
    for (method, mut arguments) in valid() {
        accepted(method, &xml(&arguments));
        accepted(
            method,
            &format!("<Extra/>{}<Other>1</Other>", xml(&arguments)),
        );
        for i in 0..arguments.len() {
            let mut without = arguments.clone();
            let (name, _) = without.remove(i);
            assert_eq!(
                refused(method, &xml(&without)),
                format!("{name} is missing")
            );
            let mut twice = arguments.clone();
            twice.push(arguments[i].clone());
            assert_eq!(
                refused(method, &xml(&twice)),
                format!("{name} is given twice")
            );
        }
        arguments.reverse();
        accepted(method, &xml(&arguments));
    }
    for method in [
        "GetRPCMethods",
        "FactoryReset",
        "GetQueuedTransfers",
        "GetAllQueuedTransfers",
        "SetVouchers",
        "GetOptions",
    ] {
        accepted(method, "");
        accepted(method, "<Extra/>");
    }
}

// T-REB-002, T-SPV-023
#[test]
fn texts_are_bounded_in_characters_as_the_schemas_say() {
    for (method, arguments) in valid() {
        for (i, (name, _)) in arguments.iter().enumerate() {
            let max = match *name {
                "CommandKey" | "ParameterKey" => 32,
                "FileType" => 64,
                "URL" | "Username" | "Password" | "TargetFileName" | "SuccessURL"
                | "FailureURL" | "ParameterPath" | "ObjectName" => 256,
                _ => continue,
            };
            let mut changed = arguments.clone();
            // Characters are counted, not bytes.
            changed[i].1 = "\u{e9}".repeat(max);
            accepted(method, &xml(&changed));
            changed[i].1 = "x".repeat(max + 1);
            let why = refused(method, &xml(&changed));
            assert_eq!(
                why,
                format!("{name} is longer than {max} characters"),
                "{method}"
            );
            changed[i].1 = "<b>x</b>".into();
            assert!(
                refused(method, &xml(&changed)).contains("holds elements"),
                "{method} {name}"
            );
        }
    }
}

#[test]
fn numbers_and_booleans_are_checked() {
    for (method, arguments) in valid() {
        for (i, (name, _)) in arguments.iter().enumerate() {
            let (good, bad): (&[&str], &[&str]) = match *name {
                "FileSize" | "DelaySeconds" => (
                    &["7", " 7\n", "+7", "007"],
                    &["", "-1", "4294967296", "7.0", "0x7", "seven"],
                ),
                "NextLevel" => (
                    &["0", "1", "true", "false", " 1 "],
                    &["", "2", "TRUE", "yes"],
                ),
                _ => continue,
            };
            let mut changed = arguments.clone();
            for text in good {
                changed[i].1 = text.to_string();
                accepted(method, &xml(&changed));
            }
            for text in bad {
                changed[i].1 = text.to_string();
                assert!(
                    refused(method, &xml(&changed)).starts_with(name),
                    "{method} {text}"
                );
            }
        }
    }
}

#[test]
fn arguments_arrive_where_they_belong() {
    let request = |method: &str| {
        let (_, arguments) = valid()
            .into_iter()
            .find(|(m, _)| *m == method)
            .expect("it is in the list");
        accepted(method, &xml(&arguments))
    };
    assert_eq!(
        request("Download"),
        AcsRequest::Download(Download {
            command_key: "k".into(),
            file_type: "1 Firmware Upgrade Image".into(),
            url: "http://192.0.2.1/f".into(),
            username: "u".into(),
            password: "p".into(),
            file_size: u32::MAX,
            target_file_name: "t".into(),
            delay_seconds: 0,
            success_url: "".into(),
            failure_url: "".into(),
        })
    );
    assert_eq!(
        request("AddObject"),
        AcsRequest::AddObject {
            object: "D.X.".into(),
            parameter_key: "pk".into()
        }
    );
    assert_eq!(
        request("ScheduleInform"),
        AcsRequest::ScheduleInform {
            delay_seconds: 60,
            command_key: "k".into()
        }
    );
    let AcsRequest::ScheduleDownload(scheduled) = request("ScheduleDownload") else {
        panic!("another request");
    };
    assert_eq!(
        scheduled
            .windows
            .iter()
            .map(|w| (w.start, w.end, w.max_retries))
            .collect::<Vec<_>>(),
        [(0, 10, -1), (10, 20, -1)]
    );
    let set = request("SetParameterValues");
    assert!(!format!("{set:?}").contains("s3cret"), "{set:?}");
    let secret = format!(
        "{:?} {:?} {scheduled:?}",
        request("Download"),
        request("Upload")
    );
    assert!(
        !secret.contains("\"p\"") && !secret.contains("\"u\""),
        "{secret}"
    );
}

// SCI-001
#[test]
fn an_inform_cannot_be_scheduled_for_now() {
    refused(
        "ScheduleInform",
        "<DelaySeconds>0</DelaySeconds><CommandKey/>",
    );
}

#[test]
fn lists_that_must_hold_something_do() {
    refused("GetParameterValues", "<ParameterNames/>");
    refused("GetParameterAttributes", "<ParameterNames/>");
    refused("SetParameterAttributes", "<ParameterList/>");
    refused("ChangeDUState", "<CommandKey/>");
    // T-SPV: an empty list sets the ParameterKey alone.
    accepted(
        "SetParameterValues",
        "<ParameterList/><ParameterKey>k</ParameterKey>",
    );
    let empty = AcsRequest::GetParameterValues(vec!["".into()]);
    assert_eq!(
        accepted(
            "GetParameterValues",
            "<ParameterNames><string/></ParameterNames>"
        ),
        empty
    );
    let long = "x".repeat(257);
    refused(
        "GetParameterValues",
        &format!("<ParameterNames><string>{long}</string></ParameterNames>"),
    );
}

#[test]
fn a_value_needs_a_name_and_a_value() {
    let list = |item: &str| {
        format!(
            "<ParameterList><ParameterValueStruct>{item}</ParameterValueStruct></ParameterList><ParameterKey/>"
        )
    };
    let long = "x".repeat(257);
    for (item, part) in [
        ("<Value>1</Value>".to_string(), "Name is missing"),
        (
            "<Name>Device.X</Name>".into(),
            "Value is missing, in the entry for Device.X",
        ),
        (
            "<Name>Device.X</Name><Value><a/></Value>".into(),
            "holds elements instead of text, in the entry for Device.X",
        ),
        (
            format!("<Name>{long}</Name><Value>1</Value>"),
            "Name is longer",
        ),
    ] {
        let why = refused("SetParameterValues", &list(&item));
        assert!(why.contains(part), "{why}");
    }
}

// ATT-001, ATT-002, field note: an empty Notification where it is not to be changed.
#[test]
fn attributes_that_are_not_to_change_are_not_read() {
    let change = |notify: &str, level: &str, access: &str, list: &str| {
        format!(
            "<ParameterList><SetParameterAttributesStruct><Name>D.X</Name>\
             <NotificationChange>{notify}</NotificationChange>{level}\
             <AccessListChange>{access}</AccessListChange>{list}\
             </SetParameterAttributesStruct></ParameterList>"
        )
    };
    let level = |l: &str| format!("<Notification>{l}</Notification>");
    let read = |arguments: &str| match accepted("SetParameterAttributes", arguments) {
        AcsRequest::SetParameterAttributes(mut list) => list.remove(0),
        other => panic!("{other:?}"),
    };
    let change_of = |notification, access_list: Option<&[&str]>| AttributeChange {
        name: "D.X".into(),
        notification,
        access_list: access_list.map(|l| l.iter().map(|s| s.to_string()).collect()),
    };
    for text in [String::new(), level(""), level("9")] {
        assert_eq!(
            read(&change("0", &text, "false", "")),
            change_of(None, None)
        );
    }
    for l in 0..=6u8 {
        let wanted = change_of(Some(l), Some(&["Subscriber"]));
        let list = "<AccessList><string>Subscriber</string></AccessList>";
        assert_eq!(
            read(&change("true", &level(&l.to_string()), "1", list)),
            wanted
        );
    }
    assert_eq!(
        read(&change("0", "", "1", "<AccessList/>")),
        change_of(None, Some(&[]))
    );
    for l in ["7", "-1", "", "256"] {
        let why = refused("SetParameterAttributes", &change("1", &level(l), "0", ""));
        assert!(why.contains("Notification of D.X"), "{why}");
    }
    refused("SetParameterAttributes", &change("1", "", "0", ""));
    refused("SetParameterAttributes", &change("0", "", "1", ""));
    refused("SetParameterAttributes", &change("maybe", "", "1", ""));
}

// SDL-001
#[test]
fn time_windows_are_one_or_two_in_order() {
    let request = |windows: &[(u32, u32)]| {
        let list: String = windows
            .iter()
            .map(|(s, e)| {
                format!(
                    "<TimeWindowStruct><WindowStart>{s}</WindowStart><WindowEnd>{e}</WindowEnd>\
                     <WindowMode>2 Immediately</WindowMode><UserMessage>m</UserMessage>\
                     <MaxRetries>3</MaxRetries></TimeWindowStruct>"
                )
            })
            .collect();
        format!(
            "<CommandKey/><FileType>1 Firmware Upgrade Image</FileType><URL>u</URL><Username/>\
             <Password/><FileSize>0</FileSize><TargetFileName/><TimeWindowList>{list}</TimeWindowList>"
        )
    };
    accepted("ScheduleDownload", &request(&[(5, 6)]));
    accepted("ScheduleDownload", &request(&[(0, 6), (6, 7)]));
    for wrong in [
        &[][..],
        &[(5, 5)],
        &[(6, 5)],
        &[(0, 6), (5, 7)],
        &[(6, 7), (0, 6)],
        &[(0, 1), (2, 2)],
        &[(0, 1), (2, 3), (4, 5)],
    ] {
        refused("ScheduleDownload", &request(wrong));
    }
}

// DUS-001
#[test]
fn operations_are_told_apart_by_their_type() {
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let arguments = format!(
        "<Operations xsi:type='cwmp:InstallOpStruct'><URL>u</URL><UUID>{uuid}</UUID></Operations>\
         <Operations xsi:type='cwmp:UpdateOpStruct'><Version>2</Version></Operations>\
         <Operations xsi:type='x:UninstallOpStruct'><UUID>{uuid}</UUID><ExecutionEnvRef>E</ExecutionEnvRef></Operations>\
         <CommandKey>k</CommandKey>"
    );
    let empty = String::new;
    assert_eq!(
        accepted("ChangeDUState", &arguments),
        AcsRequest::ChangeDuState {
            operations: vec![
                Operation::Install {
                    url: "u".into(),
                    uuid: uuid.into(),
                    username: empty(),
                    password: empty(),
                    execution_env: empty()
                },
                Operation::Update {
                    uuid: empty(),
                    version: "2".into(),
                    url: empty(),
                    username: empty(),
                    password: empty()
                },
                Operation::Uninstall {
                    uuid: uuid.into(),
                    version: empty(),
                    execution_env: "E".into()
                },
            ],
            command_key: "k".into(),
        }
    );
    for wrong in [
        "<Operations><URL>u</URL></Operations>",
        "<Operations xsi:type='cwmp:OperationStruct'><URL>u</URL></Operations>",
        "<Operations xsi:type='cwmp:InstallOpStruct'/>",
        "<Operations xsi:type='cwmp:UninstallOpStruct'/>",
    ] {
        refused("ChangeDUState", wrong);
    }
}
