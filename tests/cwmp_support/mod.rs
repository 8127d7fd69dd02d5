//! What the tests of the protocol core share: envelopes of an ACS, and sessions played
//! up to a state.
#![allow(dead_code)] // each test binary uses its own part

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::cwmp::message::{
    CpeRequest, DeviceId, Event, Inform, Method, ParameterValue, TransferComplete, TransferFault,
    XsdType,
};
use cwmp_agent::cwmp::session::{Options, Post, PostKind, Session, Step};

pub const NS10: &str = "urn:dslforum-org:cwmp-1-0";
pub const NS11: &str = "urn:dslforum-org:cwmp-1-1";
pub const NS12: &str = "urn:dslforum-org:cwmp-1-2";

/// An envelope of an ACS as most write it.
pub fn envelope(namespace: &str, header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap-env:Envelope xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cwmp=\"{namespace}\">\
         <soap-env:Header>{header}</soap-env:Header>\
         <soap-env:Body>{body}</soap-env:Body></soap-env:Envelope>"
    )
}

/// The `ID` header.
pub fn id(id: &str) -> String {
    format!("<cwmp:ID soap-env:mustUnderstand=\"1\">{id}</cwmp:ID>")
}

pub const HOLD: &str = "<cwmp:HoldRequests soap-env:mustUnderstand=\"1\">1</cwmp:HoldRequests>";

pub fn inform_response() -> String {
    let body = "<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>";
    envelope(NS12, &id("1"), body)
}

/// A fault of the ACS.
pub fn acs_fault(code: u32) -> String {
    envelope(
        NS12,
        "",
        &format!(
            "<soap-env:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring>\
             <detail><cwmp:Fault><FaultCode>{code}</FaultCode><FaultString>told {code}</FaultString>\
             </cwmp:Fault></detail></soap-env:Fault>"
        ),
    )
}

/// An empty response of the ACS to a request of the CPE.
pub fn response_to(name: &str) -> String {
    envelope(NS12, "", &format!("<cwmp:{name}Response/>"))
}

pub fn reboot(id_text: &str, key: &str) -> String {
    let body = format!("<cwmp:Reboot><CommandKey>{key}</CommandKey></cwmp:Reboot>");
    envelope(NS12, &id(id_text), &body)
}

pub fn inform() -> Inform {
    Inform {
        device: DeviceId {
            manufacturer: "Example & Sons".into(),
            oui: "00005E".into(),
            product_class: "Router <X>".into(),
            serial_number: "0042".into(),
        },
        events: vec![
            Event {
                code: EventCode::Boot,
                command_key: String::new(),
            },
            Event {
                code: EventCode::MReboot,
                command_key: "key 1".into(),
            },
        ],
        current_time: DateTime::Local {
            seconds: 1_700_000_000,
            offset_minutes: 60,
        },
        retry_count: 0,
        parameters: vec![ParameterValue {
            name: "Device.DeviceInfo.SoftwareVersion".into(),
            ty: XsdType::String,
            value: "1.0".into(),
        }],
    }
}

pub fn transfer_complete(key: &str) -> CpeRequest {
    CpeRequest::TransferComplete(TransferComplete {
        command_key: key.into(),
        upload: false,
        fault: TransferFault::none(),
        start: DateTime::Utc(1_700_000_000),
        complete: DateTime::Utc(1_700_000_060),
    })
}

pub fn options() -> Options {
    Options {
        methods: Method::ALL.to_vec(),
        ..Options::default()
    }
}

/// The POST of this step; anything else is a failed test.
#[track_caller]
pub fn post(step: Step) -> Post {
    match step {
        Step::Post(post) => post,
        other => panic!("a POST was due, not {other:?}"),
    }
}

/// The body of this step's POST as text.
#[track_caller]
pub fn posted(step: Step) -> String {
    String::from_utf8(post(step).body).expect("what we write is UTF-8")
}

/// A session whose Inform has just been sent.
pub fn at_inform() -> Session {
    let (session, step) = Session::start(options(), &inform());
    assert_eq!(post(step).kind, PostKind::Inform);
    session
}

/// A session that has just asked for requests of our own.
pub fn at_own_request() -> Session {
    let mut session = at_inform();
    assert!(matches!(
        session.reply(200, inform_response().as_bytes()),
        Step::InformAccepted { .. }
    ));
    assert!(matches!(session.proceed(), Step::OwnRequest));
    session
}

/// A session whose empty POST has just been sent.
pub fn at_their_turn() -> Session {
    let mut session = at_own_request();
    let sent = post(session.request(None));
    assert_eq!((sent.kind, sent.body.len()), (PostKind::Empty, 0));
    session
}
