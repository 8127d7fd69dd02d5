//! Every message of the CPE in every namespace, byte for byte, and held against the
//! Broadband Forum's schemas.
//!
//! `UPDATE_GOLDEN=1 cargo test --test cwmp_golden` rewrites the files.

mod cwmp_support;

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::cwmp::fault::{CPE_FAULTS, Fault, ParameterFault};
use cwmp_agent::cwmp::message::*;
use cwmp_agent::cwmp::soap::{
    Heading, ValuesWriter, write_cpe_fault, write_cpe_request, write_cpe_response, write_inform,
};
use cwmp_agent::cwmp::version::CwmpVersion;
use std::path::{Path, PathBuf};

const VERSIONS: [CwmpVersion; 3] = [CwmpVersion::V1_0, CwmpVersion::V1_1, CwmpVersion::V1_4];
const START: DateTime = DateTime::Utc(1_700_000_000);
const END: DateTime = DateTime::Utc(1_700_000_060);

fn value(name: &str, ty: XsdType, value: &str) -> ParameterValue {
    ParameterValue {
        name: name.into(),
        ty,
        value: value.into(),
    }
}

/// One parameter of each type, and texts that need care.
fn values() -> Vec<ParameterValue> {
    use XsdType::*;
    vec![
        value("Device.X.String", String, "plain"),
        value("Device.X.Empty", String, ""),
        value("Device.X.Markup", String, "a<b>&\"'c ]]> d"),
        value(
            "Device.X.Control",
            String,
            "bell\u{7} nul\0 tab\t cr\r lf\n end\u{ffff}",
        ),
        value("Device.X.Spaces", String, "  two  "),
        value("Device.X.Unicode", String, "caf\u{e9} \u{20ac} \u{1f600}"),
        value("Device.X.Int", Int, "-2147483648"),
        value("Device.X.UnsignedInt", UnsignedInt, "4294967295"),
        value("Device.X.Long", Long, "-9223372036854775808"),
        value(
            "Device.X.UnsignedLong",
            UnsignedLong,
            "18446744073709551615",
        ),
        value("Device.X.Boolean", Boolean, "1"),
        value("Device.X.DateTime", DateTime, "2023-11-14T22:13:20Z"),
        value("Device.X.Base64", Base64, "AAEC/w=="),
        value("Device.X.HexBinary", HexBinary, "000102FF"),
        value("Device.X.Decimal", Decimal, "-1.5"),
    ]
}

fn queue() -> Vec<QueuedTransfer> {
    [
        TransferState::NotStarted,
        TransferState::InProgress,
        TransferState::Completed,
    ]
    .into_iter()
    .map(|state| QueuedTransfer {
        command_key: "key".into(),
        state,
        is_download: true,
        file_type: "1 Firmware Upgrade Image".into(),
        file_size: 1024,
        target_file_name: "image.bin".into(),
    })
    .collect()
}

fn responses() -> Vec<CpeResponse> {
    let attributes = |notification: u8, access_list: &[&str]| ParameterAttributes {
        name: format!("Device.X.P{notification}"),
        notification,
        access_list: access_list.iter().map(|s| s.to_string()).collect(),
    };
    vec![
        CpeResponse::GetRpcMethods(Method::ALL.iter().map(|m| m.name().to_string()).collect()),
        CpeResponse::SetParameterValues(ApplyStatus::Applied),
        CpeResponse::GetParameterValues(values()),
        CpeResponse::GetParameterNames(vec![
            ParameterInfo {
                name: "Device.".into(),
                writable: false,
            },
            ParameterInfo {
                name: "Device.Time.Enable".into(),
                writable: true,
            },
        ]),
        CpeResponse::SetParameterAttributes,
        CpeResponse::GetParameterAttributes(
            (0..=6)
                .map(|n| attributes(n, if n == 0 { &[] } else { &["Subscriber"] }))
                .collect(),
        ),
        CpeResponse::AddObject {
            instance: 7,
            status: ApplyStatus::Committed,
        },
        CpeResponse::DeleteObject(ApplyStatus::Applied),
        CpeResponse::Reboot,
        CpeResponse::Download(TransferStatus::Later),
        CpeResponse::Upload(TransferStatus::Done {
            start: START,
            complete: END,
        }),
        CpeResponse::FactoryReset,
        CpeResponse::ScheduleInform,
        CpeResponse::GetQueuedTransfers(queue()),
        CpeResponse::GetAllQueuedTransfers(queue()),
        CpeResponse::ScheduleDownload,
        CpeResponse::CancelTransfer,
        CpeResponse::ChangeDuState,
    ]
}

fn result(code: u16) -> OperationResult {
    OperationResult {
        uuid: "01234567-89ab-cdef-0123-456789abcdef".into(),
        deployment_unit: "Device.SoftwareModules.DeploymentUnit.1".into(),
        version: "1.0".into(),
        state: if code == 0 {
            UnitState::Installed
        } else {
            UnitState::Failed
        },
        resolved: code == 0,
        execution_units: "Device.SoftwareModules.ExecutionUnit.1".into(),
        start: START,
        complete: END,
        fault: OperationFault {
            code,
            text: String::new(),
        },
    }
}

fn requests() -> Vec<CpeRequest> {
    vec![
        CpeRequest::GetRpcMethods,
        CpeRequest::TransferComplete(TransferComplete {
            command_key: "key".into(),
            upload: false,
            fault: TransferFault {
                code: 9018,
                text: "checksum".into(),
            },
            start: DateTime::Unknown,
            complete: END,
        }),
        CpeRequest::AutonomousTransferComplete(AutonomousTransferComplete {
            announce_url: "".into(),
            transfer_url: "https://example.com/a?b&c".into(),
            is_download: true,
            file_type: "1 Firmware Upgrade Image".into(),
            file_size: 1024,
            target_file_name: "image.bin".into(),
            fault: TransferFault::none(),
            start: START,
            complete: END,
        }),
        CpeRequest::DuStateChangeComplete {
            results: vec![result(0), result(9023)],
            command_key: "key".into(),
        },
        CpeRequest::AutonomousDuStateChangeComplete(vec![(OperationPerformed::Update, result(0))]),
        CpeRequest::RequestDownload(RequestDownload {
            file_type: "2 Web Content".into(),
            arguments: vec![("Version".into(), "1".into())],
        }),
        CpeRequest::Kicked {
            command: "c".into(),
            referer: "r".into(),
            arg: "a".into(),
            next: "https://example.com/".into(),
        },
    ]
}

/// All messages of the CPE in a version: file name and bytes.
fn messages(version: CwmpVersion) -> Vec<(String, Vec<u8>)> {
    let heading = |id: &str| Heading {
        version,
        id: Some(id.into()),
        cap: 1 << 20,
    };
    let mut all = Vec::new();
    let mut inform = cwmp_support::inform();
    inform.events = EventCode::all()
        .filter(|code| code.rule().since <= version)
        .map(|code| Event {
            code: code.clone(),
            command_key: if code.rule().multiple {
                "key".into()
            } else {
                String::new()
            },
        })
        .collect();
    all.push(("Inform", write_inform(&heading("1"), &inform, Some(60))));
    inform.events.clear();
    inform.parameters.clear();
    inform.current_time = DateTime::SinceBoot(432);
    all.push(("Inform-empty", write_inform(&heading("1"), &inform, None)));
    let mut all: Vec<(String, Vec<u8>)> = all
        .into_iter()
        .map(|(n, b)| (n.to_string(), b.expect("fits")))
        .collect();
    for request in requests().iter().filter(|r| r.since() <= version) {
        let bytes = write_cpe_request(&heading("2"), request).expect("fits");
        all.push((request.name().to_string(), bytes));
    }
    for response in responses().iter().filter(|r| r.method().since() <= version) {
        let name = format!("{}Response", response.method().name());
        all.push((
            name,
            write_cpe_response(&heading("a-1"), response).expect("fits"),
        ));
    }
    for (name, empty) in [
        (
            "GetParameterValuesResponse",
            CpeResponse::GetParameterValues(vec![]),
        ),
        (
            "GetParameterNamesResponse",
            CpeResponse::GetParameterNames(vec![]),
        ),
        (
            "GetQueuedTransfersResponse",
            CpeResponse::GetQueuedTransfers(vec![]),
        ),
    ] {
        let bytes = write_cpe_response(&heading("a-1"), &empty).expect("fits");
        all.push((format!("{name}-empty"), bytes));
    }
    for row in &CPE_FAULTS {
        let bytes = write_cpe_fault(&heading("a-1"), &Fault::new(row.code, "")).expect("fits");
        all.push((format!("Fault-{}", row.code), bytes));
    }
    let fault = Fault::set_parameter_values(
        [9001, 9002, 9005, 9006, 9007, 9008]
            .into_iter()
            .map(|code| ParameterFault {
                name: format!("Device.X.<{code}>"),
                code,
                text: if code == 9007 {
                    "not in \"range\"".into()
                } else {
                    String::new()
                },
            })
            .collect(),
    );
    let bytes = write_cpe_fault(&heading("a-1"), &fault).expect("fits");
    all.push(("Fault-SetParameterValues".to_string(), bytes));
    all
}

fn folder(version: CwmpVersion) -> PathBuf {
    let minor = match version {
        CwmpVersion::V1_0 => "cwmp-1-0",
        CwmpVersion::V1_1 => "cwmp-1-1",
        _ => "cwmp-1-2",
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(minor)
}

// T-SOP-012, T-SOP-014, T-SOP-015, T-SOP-019, T-SOP-020, T-INF-008
#[test]
fn every_message_is_written_as_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differ = Vec::new();
    for version in VERSIONS {
        let folder = folder(version);
        if update {
            std::fs::create_dir_all(&folder).expect("the repository can be written to");
        }
        for (name, bytes) in messages(version) {
            let file = folder.join(format!("{name}.xml"));
            if update {
                std::fs::write(&file, &bytes).expect("the repository can be written to");
            } else if std::fs::read(&file).ok().as_deref() != Some(&bytes) {
                differ.push(file);
            }
        }
    }
    assert!(
        differ.is_empty(),
        "these differ; see UPDATE_GOLDEN in this file's head: {differ:#?}"
    );
}

#[test]
fn every_golden_file_belongs_to_a_message() {
    for version in VERSIONS {
        let known: Vec<String> = messages(version)
            .into_iter()
            .map(|(name, _)| format!("{name}.xml"))
            .collect();
        for entry in std::fs::read_dir(folder(version)).expect("golden files are there") {
            let name = entry.expect("readable").file_name();
            assert!(known.iter().any(|k| **k == *name), "{name:?} is left over");
        }
    }
}

// T-SOP-014
#[test]
fn values_pushed_one_by_one_give_the_same_bytes() {
    for version in VERSIONS {
        let heading = Heading {
            version,
            id: Some("a-1".into()),
            cap: 1 << 20,
        };
        let mut writer = ValuesWriter::new(&heading);
        for v in values() {
            writer.push(&v.name, v.ty, &v.value).expect("fits");
        }
        assert_eq!(writer.count(), values().len() as u32);
        let whole = write_cpe_response(&heading, &CpeResponse::GetParameterValues(values()));
        assert_eq!(writer.finish(), whole);
    }
}

// T-SOP-016: what does not fit is refused at the byte, never cut.
#[test]
fn a_message_past_the_cap_is_refused() {
    let response = CpeResponse::GetParameterValues(values());
    let heading = |cap| Heading {
        version: CwmpVersion::V1_4,
        id: Some("a".into()),
        cap,
    };
    let whole = write_cpe_response(&heading(1 << 20), &response).expect("fits");
    // The array's count is written with ten digits first, so the last few bytes are held back.
    for cap in 0..whole.len() {
        let refused = write_cpe_response(&heading(cap), &response).expect_err("does not fit");
        assert_eq!(refused.cap, cap);
    }
    let fits = write_cpe_response(&heading(whole.len() + 10), &response);
    assert_eq!(fits.as_deref(), Ok(&whole[..]));
}

/// The folder with the schemas, if this machine has them.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("CWMP_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    folder
        .join("bbf/xsd/validate.py")
        .exists()
        .then_some(folder)
}

/// Skips, or fails where skipping is forbidden.
fn skip(why: &str) {
    assert!(std::env::var_os("CWMP_REQUIRE_SHARED").is_none(), "{why}");
    println!("skipped: {why}");
}

// T-SOP-013
#[test]
fn every_golden_file_is_valid_against_the_schemas() {
    let Some(shared) = shared() else {
        return skip("no shared folder with bbf/xsd/validate.py");
    };
    let python = std::env::var("CWMP_PYTHON").unwrap_or_else(|_| "python3".into());
    let lxml = std::process::Command::new(&python)
        .args(["-c", "import lxml"])
        .output();
    if !lxml.is_ok_and(|o| o.status.success()) {
        return skip("no python3 with lxml (CWMP_PYTHON names another interpreter)");
    }
    // 1.2 and 1.3 differ from 1.4 by headers only, and have no golden files of their own.
    for version in CwmpVersion::ALL {
        let golden = VERSIONS.contains(&version);
        let folder = if golden {
            folder(version)
        } else {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(version.text());
            std::fs::create_dir_all(&folder).expect("the target directory can be written to");
            folder
        };
        let mut command = std::process::Command::new(&python);
        command.arg(shared.join("bbf/xsd/validate.py"));
        command.args(["-q", "--from", "cpe", "--version", version.text()]);
        for (name, bytes) in messages(version) {
            let file = folder.join(format!("{name}.xml"));
            if !golden {
                std::fs::write(&file, bytes).expect("the target directory can be written to");
            }
            command.arg(file);
        }
        let output = command.output().expect("python was there a moment ago");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "CWMP {version}:\n{said}");
    }
}
