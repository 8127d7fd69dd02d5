//! The scripted ACS checked against a CPE written by hand on a raw socket: that it does
//! what a test asks for, and that it sees what a CPE does wrong.

mod acs;
#[path = "acs_selftest/cpe.rs"]
mod cpe;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use acs::*;
use cpe::{Cpe, INFORM, envelope};

const SOON: Duration = Duration::from_secs(10);

const VALUES: &str = r#"<cwmp:GetParameterValuesResponse><ParameterList e:arrayType="cwmp:ParameterValueStruct[1]"><ParameterValueStruct><Name>Device.A</Name><Value xsi:type="xsd:string">x</Value></ParameterValueStruct></ParameterList></cwmp:GetParameterValuesResponse>"#;
const STATUS: &str =
    "<cwmp:SetParameterValuesResponse><Status>0</Status></cwmp:SetParameterValuesResponse>";
const COMPLETE: &str = "<cwmp:TransferComplete><CommandKey>k</CommandKey></cwmp:TransferComplete>";

fn start(config: AcsConfig) -> (Acs, Cpe) {
    let acs = Acs::start(config).unwrap();
    let cpe = Cpe::new(&acs.url());
    (acs, cpe)
}

fn with(behaviour: Behaviour) -> AcsConfig {
    AcsConfig::default().behaviour(behaviour)
}

fn styled(style: SoapStyle) -> AcsConfig {
    AcsConfig::default().style(style)
}

fn troubled(when: When, what: Trouble) -> AcsConfig {
    AcsConfig::default().rule(Rule::once(when, what))
}

#[test]
fn a_friendly_session_is_answered_and_recorded() {
    let (acs, mut cpe) = start(AcsConfig::default());
    let reply = cpe.post(INFORM);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.element("MaxEnvelopes").as_deref(), Some("1"));
    assert_eq!(reply.element("ID").as_deref(), Some("c1"));
    assert_eq!(cpe.post("").status, 204);
    let session = acs.wait_session(1, SOON).unwrap();
    assert!(session.complete());
    assert_eq!(session.names(), ["Inform", ""]);
    assert_eq!(session.answers, ["InformResponse", "end"]);
    assert_eq!(session.events(), ["1 BOOT"]);
    let inform = session.inform.inform.unwrap();
    assert_eq!(
        (inform.oui.as_str(), inform.serial_number.as_str()),
        ("0A1B2C", "S1")
    );
    let record = acs.finish().unwrap();
    assert_eq!(record.exchanges.len(), 2);
    assert_eq!(record.connections, 1);
    assert_eq!(
        record.exchanges[0].request.header_exact("SOAPAction"),
        Some("")
    );
}

#[test]
fn a_script_runs_in_order_and_its_closures_add_steps() {
    let script =
        Script::of([get_values(&["Device.A"])]).then_with(get_values(&["Device.B"]), |reply| {
            let value = reply.value("Device.A").unwrap_or("none").to_string();
            vec![Step::Send(set_values(
                &[("Device.C", "string", &value)],
                "k1",
            ))]
        });
    let (acs, mut cpe) = start(AcsConfig::default().session(script));
    cpe.post(INFORM);
    let first = cpe.post("");
    assert_eq!(first.element("string").as_deref(), Some("Device.A"));
    let second = cpe.answer(&first, VALUES);
    assert_eq!(second.element("string").as_deref(), Some("Device.B"));
    let third = cpe.answer(&second, VALUES);
    assert_eq!(third.element("Value").as_deref(), Some("x"));
    assert_eq!(third.element("ParameterKey").as_deref(), Some("k1"));
    assert_eq!(cpe.answer(&third, STATUS).status, 204);
    let session = acs.wait_session(1, SOON).unwrap();
    assert_eq!(session.replies().len(), 3);
    assert_eq!(
        session
            .message("SetParameterValuesResponse")
            .unwrap()
            .arg("Status"),
        Some("0")
    );
    acs.finish().unwrap();
}

#[test]
fn a_handler_decides_and_its_panic_is_reported() {
    let config = AcsConfig::default().handler(|ctx, message| match (ctx.session, &*message.name) {
        (1, "") => AcsReply::Send(reboot("again")),
        (2, "") => panic!("the test's assertion"),
        _ => AcsReply::Auto,
    });
    let (acs, mut cpe) = start(config);
    cpe.post(INFORM);
    let reply = cpe.post("");
    assert_eq!(reply.element("CommandKey").as_deref(), Some("again"));
    assert_eq!(cpe.answer(&reply, "<cwmp:RebootResponse/>").status, 204);
    cpe.cookies.clear();
    cpe.post(INFORM);
    assert_eq!(cpe.post("").status, 500);
    let failure = acs.finish().err().unwrap();
    assert!(
        failure.to_string().contains("the test's assertion"),
        "{failure}"
    );
    assert!(failure.record.violations.is_empty(), "{failure}");
}

#[test]
fn requests_of_the_cpe_are_answered_and_unknown_ones_get_8000() {
    let (acs, mut cpe) = start(AcsConfig::default());
    cpe.post(INFORM);
    let reply = cpe.post(&envelope("c2", COMPLETE));
    assert!(
        reply.body.contains("TransferCompleteResponse"),
        "{}",
        reply.body
    );
    assert_eq!(reply.element("ID").as_deref(), Some("c2"));
    let reply = cpe.post(&envelope("c3", "<cwmp:GetRPCMethods/>"));
    assert!(reply.body.contains("[3]"), "{}", reply.body);
    let reply = cpe.post(&envelope("c4", "<cwmp:Kicked/>"));
    assert_eq!(reply.element("FaultCode").as_deref(), Some("8000"));
    cpe.post("");
    acs.finish().unwrap();
}

#[test]
fn every_style_says_the_same() {
    let text = "a<b>&\"c\" ]]> \u{e9}\u{20ac} $(reboot)\r\nend";
    let style = SoapStyle::default;
    let styles = [
        style(),
        SoapStyle {
            prefixes: Prefixes::Odd,
            minor: 2,
            bool_words: true,
            ..style()
        },
        SoapStyle {
            prefixes: Prefixes::DefaultNamespace,
            typed_arrays: true,
            ..style()
        },
        SoapStyle {
            prefixes: Prefixes::Inner,
            typed_arrays: true,
            minor: 4,
            ..style()
        },
        SoapStyle {
            comments: true,
            char_refs: true,
            bom: true,
            ..style()
        },
        SoapStyle {
            ids: Ids::Odd,
            no_more_requests: true,
            declaration: false,
            ..style()
        },
        SoapStyle {
            ids: Ids::None,
            use_version: Some("1.0".into()),
            ..style()
        },
    ];
    for style in styles {
        let said = format!("{style:?}");
        let script = Script::of([set_values(&[("Device.A", "string", text)], text)]);
        let (acs, mut cpe) = start(styled(style.clone()).session(script));
        let first = cpe.post(INFORM);
        assert_eq!(first.element("ID").as_deref(), Some("c1"), "{said}");
        assert_eq!(first.element("UseCWMPVersion"), style.use_version, "{said}");
        let reply = cpe.post("");
        assert_eq!(reply.body.starts_with('\u{feff}'), style.bom);
        assert_eq!(
            reply.element("Value").as_deref(),
            Some(text),
            "{said}\n{}",
            reply.body
        );
        assert_eq!(
            reply.element("ParameterKey").as_deref(),
            Some(text),
            "{said}"
        );
        assert_eq!(
            reply.element("ID").is_none(),
            style.ids == Ids::None,
            "{said}"
        );
        let doc = roxmltree::Document::parse(reply.body.trim_start_matches('\u{feff}')).unwrap();
        let rpc = doc.descendants().find(|n| {
            n.has_tag_name((
                format!("{}{}", acs::soap::CWMP, style.minor).as_str(),
                "SetParameterValues",
            ))
        });
        let rpc = rpc.unwrap_or_else(|| panic!("{said}: {}", reply.body));
        for argument in rpc.descendants().filter(|n| n.is_element() && *n != rpc) {
            let namespace = argument.tag_name().namespace().unwrap_or_default();
            assert_eq!(namespace, "", "{said}");
        }
        let list = rpc
            .descendants()
            .find(|n| n.has_tag_name("ParameterList"))
            .unwrap();
        let array = list.attribute((acs::soap::ENC, "arrayType")).unwrap();
        let prefix = array.split(':').next();
        let bound = list.lookup_namespace_uri(prefix).unwrap();
        assert!(bound.starts_with(acs::soap::CWMP), "{said}: {array}");
        assert_eq!(
            list.attribute((acs::soap::XSI, "type")).is_some(),
            style.typed_arrays
        );
        assert_eq!(cpe.answer(&reply, STATUS).status, 204);
        acs.finish().unwrap();
    }
}

#[test]
fn cdata_is_used_when_asked_for() {
    let style = SoapStyle {
        cdata: true,
        ..SoapStyle::default()
    };
    let script = Script::of([get_names("a]]>b", true)]);
    let (_acs, mut cpe) = start(styled(style).session(script));
    cpe.post(INFORM);
    let reply = cpe.post("");
    assert!(reply.body.contains("<![CDATA["));
    assert_eq!(reply.element("ParameterPath").as_deref(), Some("a]]>b"));
}

#[test]
fn every_request_is_well_formed_with_right_counts() {
    let transfer = Transfer {
        key: "k".into(),
        url: "http://[::1]/".into(),
        ..Transfer::default()
    };
    let change = AttributeChange {
        path: "Device.A".into(),
        notification: None,
        access: Some(vec!["x".into()]),
    };
    let all = [
        get_values(&["Device.", ""]),
        set_values(&[("A", "int", "1"), ("B", "boolean", "1")], ""),
        get_names_text("", "true"),
        set_attributes(&[change]),
        set_notification(&[("A", 2)]),
        get_attributes(&["A"]),
        add_object("A.", "k"),
        delete_object("A.1.", "k"),
        reboot("k"),
        factory_reset(),
        schedule_inform(5, "k"),
        get_rpc_methods(),
        get_queued_transfers(),
        get_all_queued_transfers(),
        cancel_transfer("k"),
        download(&transfer),
        upload(&transfer),
    ];
    let names: Vec<String> = all.iter().map(|r| r.name.clone()).collect();
    let (acs, mut cpe) = start(AcsConfig::default().session(Script::of(all)));
    cpe.post(INFORM);
    let mut reply = cpe.post("");
    for name in names {
        let doc = roxmltree::Document::parse(&reply.body).unwrap();
        assert!(
            doc.descendants().any(|n| n.tag_name().name() == name),
            "{}",
            reply.body
        );
        for node in doc.descendants() {
            if let Some(kind) = node.attribute((acs::soap::ENC, "arrayType")) {
                let count = node.children().filter(|c| c.is_element()).count();
                assert!(
                    kind.ends_with(&format!("[{count}]")),
                    "{kind}: {}",
                    reply.body
                );
            }
        }
        reply = cpe.answer(&reply, &format!("<cwmp:{name}Response/>"));
    }
    assert_eq!(reply.status, 204);
    acs.finish().unwrap();
}

/// Posts a wrong message after a right Inform and gives what the ACS says to it.
fn remarks_on(script: Script, wrong: impl FnOnce(&mut Cpe)) -> String {
    let (acs, mut cpe) = start(AcsConfig::default().session(script));
    cpe.post(INFORM);
    wrong(&mut cpe);
    match acs.finish() {
        Ok(_) => String::new(),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_wrong_http_form_is_seen() {
    let edits: [(&str, &str, &str); 9] = [
        ("POST ", "PUT ", "method PUT"),
        ("HTTP/1.1", "HTTP/1.0", "version HTTP/1.0"),
        ("Host:", "X-Host:", "no Host"),
        ("SOAPAction:", "SoapAction:", "not written SOAPAction"),
        ("SOAPAction:\r\n", "", "no SOAPAction"),
        ("text/xml", "application/soap+xml", "instead of text/xml"),
        ("utf-8", "latin-1", "charset"),
        ("Host:", "Content-Encoding: gzip\r\nHost:", "compressed"),
        ("Host:", "Host: x\r\nHost:", "2 headers Host"),
    ];
    for (find, replace, expected) in edits {
        let said = remarks_on(Script::new(), |cpe| {
            let request = String::from_utf8(cpe.request(&envelope("c2", COMPLETE))).unwrap();
            assert!(request.contains(find), "{find}");
            cpe.write(request.replacen(find, replace, 1).as_bytes());
            cpe.reply();
        });
        assert!(said.contains(expected), "{find} -> {replace}: {said}");
    }
    for (line, expected) in [
        ("SOAPAction:", "SOAPAction on an empty POST"),
        ("Content-Type: text/xml", "Content-Type on an empty POST"),
    ] {
        let said = remarks_on(Script::new(), |cpe| {
            cpe.extra.push(line.into());
            cpe.post("");
        });
        assert!(said.contains(expected), "{said}");
    }
    let said = remarks_on(Script::of([reboot("")]), |cpe| {
        let asked = cpe.post("");
        let id = asked.element("ID").unwrap();
        let request = cpe.request(&envelope(&id, "<cwmp:RebootResponse/>"));
        let request = String::from_utf8(request).unwrap();
        cpe.write(
            request
                .replace("SOAPAction:", "SOAPAction: \"\"")
                .as_bytes(),
        );
        cpe.reply();
    });
    assert!(said.contains("without quotes"), "{said}");
}

#[test]
fn a_wrong_envelope_is_seen() {
    let values = envelope("ID", VALUES);
    let fault = "<s:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring><detail><cwmp:Fault><FaultCode>9005</FaultCode><FaultString>no</FaultString></cwmp:Fault></detail></s:Fault>";
    let fault = envelope("ID", fault);
    let edits: [(&str, &str, &str, &str); 17] = [
        (&values, ">ID<", ">other<", "cwmp:ID"),
        (&values, "[1]", "[2]", "over 1 elements"),
        (
            &values,
            " e:arrayType=\"cwmp:ParameterValueStruct[1]\"",
            "",
            "without soapenc:arrayType",
        ),
        (
            &values,
            "cwmp:ParameterValueStruct[1]",
            "zz:ParameterValueStruct[1]",
            "not bound",
        ),
        (&values, " xsi:type=\"xsd:string\"", "", "no xsi:type"),
        (&values, "xsd:string", "xsd:float", "no CWMP type"),
        (&values, ">x<", "><![CDATA[x]]><", "CDATA"),
        (&values, "<Name>", "<cwmp:Name>", "no SOAP"),
        (&values, "</s:Envelope>", "</s:Envelope><a/>", "no SOAP"),
        (&values, "cwmp-1-0", "cwmp-1-1", "settled on cwmp-1-0"),
        (&values, "cwmp-1-0", "cwmp-1-4", "above cwmp-1-2"),
        (
            &values,
            "GetParameterValuesResponse",
            "RebootResponse",
            "in reply to",
        ),
        (&values, " s:mustUnderstand=\"1\"", "", "mustUnderstand"),
        (
            &values,
            "</s:Header>",
            "<cwmp:NoMoreRequests/></s:Header>",
            "NoMoreRequests",
        ),
        (&fault, "CWMP fault", "CWMP Fault", "faultstring"),
        (
            &fault,
            "<faultcode>Client",
            "<faultcode>Sender",
            "faultcode",
        ),
        (&fault, "9005", "8000", "FaultCode"),
    ];
    for (right, find, replace, expected) in edits {
        for wrong in [false, true] {
            let said = remarks_on(Script::of([get_values(&["Device."])]), |cpe| {
                let id = cpe.post("").element("ID").unwrap();
                assert!(right.contains(find), "{find}");
                let text = if wrong {
                    right.replace(find, replace)
                } else {
                    right.to_string()
                };
                cpe.post(&text.replace(">ID<", &format!(">{id}<")));
            });
            assert_eq!(
                said.contains(expected),
                wrong,
                "{find} -> {replace}: {said}"
            );
        }
    }
}

#[test]
fn a_wrong_inform_is_seen() {
    let edits = [
        ("0A1B2C", "0a1b2c", "OUI"),
        ("<SerialNumber>S1<", "<SerialNumber><", "SerialNumber"),
        ("<MaxEnvelopes>1<", "<MaxEnvelopes>2<", "MaxEnvelopes"),
        ("10:00:00Z", "10:00Z", "CurrentTime"),
        ("<RetryCount>0<", "<RetryCount>no<", "RetryCount"),
        ("<RetryCount>0</RetryCount>", "", "arguments"),
        (
            "<cwmp:ID s:mustUnderstand=\"1\">c1</cwmp:ID>",
            "",
            "without cwmp:ID",
        ),
    ];
    for (find, replace, expected) in edits {
        assert!(INFORM.contains(find), "{find}");
        let (acs, mut cpe) = start(AcsConfig::default());
        cpe.post(&INFORM.replace(find, replace));
        cpe.post("");
        let said = acs.finish().err().unwrap().to_string();
        assert!(said.contains(expected), "{find}: {said}");
    }
}

#[test]
fn a_wrong_order_is_seen() {
    let said = remarks_on(Script::of([reboot("")]), |cpe| {
        cpe.post("");
        cpe.post("");
    });
    assert!(said.contains("the reply to Reboot is due"), "{said}");
    let said = remarks_on(Script::new(), |cpe| {
        cpe.post(&envelope("1", VALUES));
    });
    assert!(said.contains("nobody asked for"), "{said}");
    let said = remarks_on(Script::new(), |cpe| {
        cpe.post("");
        assert_eq!(cpe.post(&envelope("1", COMPLETE)).status, 400);
    });
    assert!(said.contains("after the session had ended"), "{said}");
    let (acs, mut cpe) = start(AcsConfig::default());
    assert_eq!(cpe.post("").status, 400);
    assert!(acs.violations()[0].contains("without an Inform"));
    // Seen, and not to be reported a second time when the ACS is dropped.
    acs.finish().unwrap_err();
}

#[test]
fn pipelining_and_two_requests_at_once_are_seen() {
    let said = remarks_on(Script::of([reboot("")]), |cpe| {
        let request = cpe.request("");
        cpe.write(&[request.clone(), request].concat());
        cpe.reply();
    });
    assert!(said.contains("before the reply"), "{said}");

    let (release, held) = mpsc::channel::<()>();
    let config = AcsConfig::default().handler(move |_, _| {
        // Ends when the test has dropped its side.
        let _ = held.recv_timeout(SOON);
        AcsReply::Auto
    });
    let (sender, events) = mpsc::channel();
    let (acs, mut one) = start(config.events(sender));
    // Dropped before the ACS, which waits for the handler.
    let release = release;
    let mut other = Cpe::new(&acs.url());
    for _ in 0..2 {
        let event = events.recv_timeout(SOON).unwrap();
        assert!(matches!(event, AcsEvent::Connected { .. }));
    }
    for cpe in [&mut one, &mut other] {
        let request = cpe.request(INFORM);
        cpe.write(&request);
    }
    let late = Instant::now() + SOON;
    while acs.in_flight() < 2 && Instant::now() < late {
        std::thread::yield_now();
    }
    assert_eq!(acs.in_flight(), 2);
    drop(release);
    one.reply().unwrap();
    other.reply().unwrap();
    let said = acs.finish().err().unwrap().to_string();
    assert!(said.contains("two requests at the same time"), "{said}");
}

#[path = "acs_selftest/doors.rs"]
mod doors;
#[path = "acs_selftest/knocks.rs"]
mod knocks;
#[path = "acs_selftest/manners.rs"]
mod manners;
