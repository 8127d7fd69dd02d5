//! Session states *their turn*, *answering* and *done*: the ACS asks, and the end.

mod cwmp_support;

use cwmp_agent::cwmp::fault::{Fault, ParameterFault};
use cwmp_agent::cwmp::message::{AcsRequest, CpeResponse, Method, XsdType};
use cwmp_agent::cwmp::session::{Answer, Failure, Options, PostKind, Session, Step};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_support::*;

fn rebooting() -> Answer {
    Answer::Response(CpeResponse::Reboot)
}

#[track_caller]
fn fault_code(step: Step) -> (String, u16, String) {
    let sent = post(step);
    let text = String::from_utf8(sent.body).expect("UTF-8");
    match sent.kind {
        PostKind::Fault { method, code } => (method, code, text),
        other => panic!("{other:?}"),
    }
}

// T-SES-017, T-SES-018
#[test]
fn an_empty_reply_of_any_form_ends_the_session_well() {
    for (status, body) in [
        (204, ""),
        (200, ""),
        (200, "\r\n"),
        (202, ""),
        (204, "ignored"),
    ] {
        let mut session = at_their_turn();
        assert!(matches!(
            session.reply(status, body.as_bytes()),
            Step::OwnRequest
        ));
        assert!(matches!(session.request(None), Step::Done));
    }
    let mut session = at_their_turn();
    let nothing = envelope(NS12, "", "");
    assert!(matches!(
        session.reply(200, nothing.as_bytes()),
        Step::OwnRequest
    ));
}

// T-FLW-003
#[test]
fn requests_are_answered_in_order_one_for_each_exchange() {
    let mut session = at_their_turn();
    for i in 0..20 {
        let (id, key) = (format!("acs-{i}"), format!("key {i}"));
        let step = session.reply(200, reboot(&id, &key).as_bytes());
        let Step::Answer(request) = step else {
            panic!("{step:?}")
        };
        assert_eq!(request, AcsRequest::Reboot { command_key: key });
        let sent = post(session.answer(rebooting()));
        assert_eq!(sent.kind, PostKind::Response("Reboot".into()));
        let text = String::from_utf8(sent.body).expect("UTF-8");
        // T-SOP-001
        assert!(text.contains(&format!(
            "<cwmp:ID soapenv:mustUnderstand=\"1\">{id}</cwmp:ID>"
        )));
        // T-SOP-025
        assert_eq!(text.matches("Envelope xmlns").count(), 1);
    }
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    assert!(matches!(session.request(None), Step::Done));
}

// T-SOP-001, T-SOP-002
#[test]
fn the_id_is_echoed_as_it_came_and_absent_where_it_was() {
    for (header, echoed) in [
        (id(" a&lt;b "), Some(" a&lt;b ")),
        (id(""), Some("")),
        (String::new(), None),
    ] {
        let text = envelope(NS12, &header, "<cwmp:Reboot><CommandKey/></cwmp:Reboot>");
        for answer in [rebooting(), Answer::Fault(Fault::new(9001, ""))] {
            let mut session = at_their_turn();
            assert!(matches!(
                session.reply(200, text.as_bytes()),
                Step::Answer(_)
            ));
            let sent = posted(session.answer(answer));
            match echoed {
                Some(id) => assert!(sent.contains(&format!("mustUnderstand=\"1\">{id}</cwmp:ID>"))),
                None => assert!(!sent.contains("cwmp:ID")),
            }
        }
    }
}

// T-SOP-011
#[test]
fn an_unknown_method_is_answered_9000_and_the_session_goes_on() {
    let mut session = at_their_turn();
    let text = envelope(NS12, &id("x"), "<cwmp:FooBar><A>1</A></cwmp:FooBar>");
    let (method, code, sent) = fault_code(session.reply(200, text.as_bytes()));
    assert_eq!((method.as_str(), code), ("FooBar", 9000));
    assert!(sent.contains("<faultcode>Server</faultcode><faultstring>CWMP fault</faultstring>"));
    assert!(sent.contains("<cwmp:ID soapenv:mustUnderstand=\"1\">x</cwmp:ID>"));
    assert!(matches!(
        session.reply(200, reboot("y", "k").as_bytes()),
        Step::Answer(_)
    ));
}

// T-GRM-002
#[test]
fn exactly_the_methods_offered_reach_the_caller() {
    let offered = vec![Method::GetRpcMethods, Method::Reboot];
    for method in Method::ALL {
        let offer = Options {
            methods: offered.clone(),
            ..Options::default()
        };
        let (mut session, step) = Session::start(offer, &inform());
        post(step);
        session.reply(200, inform_response().as_bytes());
        session.proceed();
        post(session.request(None));
        let argument = "<CommandKey>k</CommandKey>";
        let text = envelope(
            NS12,
            "",
            &format!("<cwmp:{0}>{argument}</cwmp:{0}>", method.name()),
        );
        let step = session.reply(200, text.as_bytes());
        if offered.contains(&method) {
            assert!(matches!(step, Step::Answer(_)), "{step:?}");
        } else {
            // Also where its arguments are missing: what is not there has none.
            assert_eq!(fault_code(step).1, 9000, "{}", method.name());
        }
    }
}

// VOU-001
#[test]
fn deprecated_methods_are_answered_9000_even_when_offered() {
    for name in ["SetVouchers", "GetOptions"] {
        let text = envelope(NS12, "", &format!("<cwmp:{name}/>"));
        let (method, code, _) = fault_code(at_their_turn().reply(200, text.as_bytes()));
        assert_eq!((method.as_str(), code), (name, 9000));
    }
}

#[test]
fn a_method_newer_than_the_session_is_answered_9000() {
    let offer = Options {
        version: CwmpVersion::V1_0,
        ..options()
    };
    let (mut session, step) = Session::start(offer, &inform());
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    post(session.request(None));
    let text = envelope(
        NS10,
        "",
        "<cwmp:CancelTransfer><CommandKey/></cwmp:CancelTransfer>",
    );
    assert_eq!(fault_code(session.reply(200, text.as_bytes())).1, 9000);
}

#[test]
fn wrong_arguments_are_answered_9003_with_the_id_and_the_session_goes_on() {
    let mut session = at_their_turn();
    let text = envelope(NS12, &id("bad"), "<cwmp:Reboot/>");
    let (method, code, sent) = fault_code(session.reply(200, text.as_bytes()));
    assert_eq!((method.as_str(), code), ("Reboot", 9003));
    assert!(sent.contains("<faultcode>Client</faultcode>"));
    assert!(sent.contains(">bad</cwmp:ID>") && sent.contains("CommandKey is missing"));
    assert!(matches!(
        session.reply(200, reboot("y", "k").as_bytes()),
        Step::Answer(_)
    ));
}

// T-SOP-009, T-SOP-010
#[test]
fn an_unknown_header_that_must_be_understood_is_answered_so() {
    let header = |must: u8| {
        format!(
            "{}<x:Foo xmlns:x='urn:x' soap-env:mustUnderstand='{must}'/>",
            id("m")
        )
    };
    for body in ["<cwmp:FactoryReset/>", "<cwmp:Reboot/>", "<cwmp:FooBar/>"] {
        let mut session = at_their_turn();
        let sent = post(session.reply(200, envelope(NS12, &header(1), body).as_bytes()));
        assert_eq!(
            sent.kind,
            PostKind::NotUnderstood {
                header: "Foo".into()
            }
        );
        let text = String::from_utf8(sent.body).expect("UTF-8");
        assert!(text.contains("<faultcode>soapenv:MustUnderstand</faultcode>"));
        assert!(text.contains(">m</cwmp:ID>"));
        assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    }
    let mut session = at_their_turn();
    let text = envelope(NS12, &header(0), "<cwmp:FactoryReset/>");
    assert!(matches!(
        session.reply(200, text.as_bytes()),
        Step::Answer(AcsRequest::FactoryReset)
    ));
}

// T-SOP-012
#[test]
fn a_set_fault_names_every_parameter() {
    let mut session = at_their_turn();
    let text = envelope(
        NS12,
        "",
        "<cwmp:SetParameterValues><ParameterList/><ParameterKey/></cwmp:SetParameterValues>",
    );
    assert!(matches!(
        session.reply(200, text.as_bytes()),
        Step::Answer(_)
    ));
    let faults = [("A", 9005), ("B", 9007), ("C", 9004)].map(|(name, code)| ParameterFault {
        name: name.into(),
        code,
        text: String::new(),
    });
    let fault = Fault::set_parameter_values(faults.to_vec());
    let (_, code, sent) = fault_code(session.answer(Answer::Fault(fault)));
    assert_eq!(code, 9003);
    for (name, code) in [("A", 9005), ("B", 9007), ("C", 9002)] {
        let wanted = format!("<ParameterName>{name}</ParameterName><FaultCode>{code}</FaultCode>");
        assert!(sent.contains(&wanted), "{sent}");
    }
}

fn asked_for_values(message_cap: usize) -> Session {
    let (mut session, step) = Session::start(
        Options {
            message_cap,
            ..options()
        },
        &inform(),
    );
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    post(session.request(None));
    let text = envelope(
        NS12,
        &id("v"),
        "<cwmp:GetParameterValues><ParameterNames><string>Device.</string></ParameterNames>\
         </cwmp:GetParameterValues>",
    );
    assert!(matches!(
        session.reply(200, text.as_bytes()),
        Step::Answer(_)
    ));
    session
}

#[test]
fn many_values_are_pushed_into_one_response() {
    let mut session = asked_for_values(8 << 20);
    let mut writer = session.values_writer();
    for i in 0..10_000 {
        let name = format!("Device.Hosts.Host.{i}.HostName");
        writer.push(&name, XsdType::String, "a & b").expect("fits");
    }
    let text = posted(session.answer(Answer::Values(writer)));
    assert!(text.contains("arrayType=\"cwmp:ParameterValueStruct[10000]\""));
    assert!(text.contains(">v</cwmp:ID>"));
    assert_eq!(text.matches("<ParameterValueStruct>").count(), 10_000);
}

// T-SOP-016
#[test]
fn a_response_past_the_cap_becomes_9004_and_the_session_goes_on() {
    let mut session = asked_for_values(1500);
    let mut writer = session.values_writer();
    let mut refused = false;
    for _ in 0..20 {
        refused |= writer
            .push("Device.X", XsdType::String, &"x".repeat(100))
            .is_err();
    }
    assert!(refused);
    assert_eq!(fault_code(session.answer(Answer::Values(writer))).1, 9004);
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));

    let mut session = asked_for_values(1500);
    let values = vec![
        cwmp_agent::cwmp::message::ParameterValue {
            name: "Device.X".into(),
            ty: XsdType::String,
            value: "x".repeat(2000),
        };
        1
    ];
    let answer = Answer::Response(CpeResponse::GetParameterValues(values));
    assert_eq!(fault_code(session.answer(answer)).1, 9004);
}

#[test]
fn a_fault_too_long_for_the_cap_is_sent_without_its_list() {
    let offer = Options {
        message_cap: 1500,
        ..options()
    };
    let (mut session, step) = Session::start(offer, &inform());
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    post(session.request(None));
    assert!(matches!(
        session.reply(200, reboot("r", "k").as_bytes()),
        Step::Answer(_)
    ));
    let fault = ParameterFault {
        name: "N".repeat(200),
        code: 9005,
        text: String::new(),
    };
    let long = Fault::set_parameter_values(vec![fault; 20]);
    let (_, code, sent) = fault_code(session.answer(Answer::Fault(long)));
    assert_eq!(code, 9004);
    assert!(sent.contains("<FaultCode>9004</FaultCode>"));
}

// FLW-007
#[test]
fn a_late_request_is_sent_before_the_end() {
    let mut session = at_their_turn();
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    post(session.request(Some(transfer_complete("late"))));
    let step = session.reply(200, response_to("TransferComplete").as_bytes());
    assert!(matches!(step, Step::RequestDone { .. }));
    assert!(matches!(session.proceed(), Step::OwnRequest));
    // The ACS gets another turn: it may have something to say about that.
    assert_eq!(post(session.request(None)).kind, PostKind::Empty);
    assert!(matches!(
        session.reply(200, reboot("r", "k").as_bytes()),
        Step::Answer(_)
    ));
    post(session.answer(rebooting()));
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    assert!(matches!(session.request(None), Step::Done));
}

#[test]
fn an_envelope_that_only_holds_keeps_the_turn_with_the_acs() {
    let mut session = at_their_turn();
    let text = envelope(NS12, HOLD, "");
    assert_eq!(
        post(session.reply(200, text.as_bytes())).kind,
        PostKind::Empty
    );
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
}

#[test]
fn responses_and_faults_have_no_place_in_the_acs_s_turn() {
    let broken = acs_fault(8000).replace("soap-env:Fault", "soap-env:Body:Fault");
    for body in [
        inform_response(),
        response_to("Foo"),
        acs_fault(8005),
        acs_fault(8000),
        broken,
    ] {
        let step = at_their_turn().reply(200, body.as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::OutOfOrder { .. })),
            "{step:?}"
        );
    }
}

#[test]
fn an_acs_that_never_ends_is_left() {
    let offer = Options {
        max_posts: 50,
        ..options()
    };
    let (mut session, step) = Session::start(offer, &inform());
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    post(session.request(None));
    for _ in 0..48 {
        assert!(matches!(
            session.reply(200, reboot("r", "k").as_bytes()),
            Step::Answer(_)
        ));
        post(session.answer(rebooting()));
    }
    assert!(matches!(
        session.reply(200, reboot("r", "k").as_bytes()),
        Step::Answer(_)
    ));
    let step = session.answer(rebooting());
    assert!(
        matches!(step, Step::Failed(Failure::TooManyPosts)),
        "{step:?}"
    );
}

#[test]
fn a_call_out_of_turn_is_an_error_and_ends_the_session() {
    let misused = |step: Step| {
        assert!(
            matches!(step, Step::Failed(Failure::Misused(_))),
            "{step:?}"
        )
    };
    misused(at_their_turn().answer(rebooting()));
    misused(at_their_turn().proceed());
    misused(at_their_turn().request(None));
    misused(at_own_request().reply(200, b""));
    let mut session = at_their_turn();
    session.reply(200, reboot("r", "k").as_bytes());
    misused(session.answer(Answer::Response(CpeResponse::FactoryReset)));
    let mut session = at_their_turn();
    session.reply(204, b"");
    assert!(matches!(session.request(None), Step::Done));
    misused(session.request(None));
}

// T-SOP-021: faults within 9013.
#[test]
fn an_old_acs_gets_the_faults_it_knows() {
    let mut session = at_inform();
    let old = envelope(NS10, &id("1"), "<cwmp:InformResponse/>");
    session.reply(200, old.as_bytes());
    session.proceed();
    post(session.request(None));
    for (code, sent) in [
        (9018, 9010),
        (9021, 9001),
        (9027, 9002),
        (9005, 9005),
        (9899, 9899),
        (123, 9002),
    ] {
        let text = envelope(NS10, "", "<cwmp:Reboot><CommandKey/></cwmp:Reboot>");
        assert!(matches!(
            session.reply(200, text.as_bytes()),
            Step::Answer(_)
        ));
        let (_, said, text) = fault_code(session.answer(Answer::Fault(Fault::new(code, "x"))));
        assert_eq!(said, sent);
        assert!(
            text.contains(&format!("<FaultCode>{sent}</FaultCode>")),
            "{code}: {text}"
        );
    }
    // A failed upload is an upload failure.
    let text = envelope(
        NS10,
        "",
        "<cwmp:Upload><CommandKey/><FileType>1 Vendor Configuration File</FileType><URL>u</URL>\
         <Username/><Password/><DelaySeconds>0</DelaySeconds></cwmp:Upload>",
    );
    assert!(matches!(
        session.reply(200, text.as_bytes()),
        Step::Answer(_)
    ));
    let (_, said, _) = fault_code(session.answer(Answer::Fault(Fault::new(9015, "x"))));
    assert_eq!(said, 9011);
}

// T-GRM-001
#[test]
fn the_list_of_methods_is_what_is_not_answered_9000() {
    let text = envelope(NS12, "", "<cwmp:GetRPCMethods/>");
    let mut session = at_their_turn();
    assert!(matches!(
        session.reply(200, text.as_bytes()),
        Step::Answer(AcsRequest::GetRpcMethods)
    ));
    let CpeResponse::GetRpcMethods(listed) = session.rpc_methods() else {
        panic!("another response");
    };
    let sent = posted(session.answer(Answer::Response(session.rpc_methods())));
    assert!(sent.contains("<MethodList soapenc:arrayType=\"xsd:string[18]\">"));
    for method in Method::ALL {
        let name = method.name();
        let text = envelope(NS12, "", &format!("<cwmp:{name}/>"));
        let step = at_their_turn().reply(200, text.as_bytes());
        let refused =
            matches!(&step, Step::Post(p) if matches!(p.kind, PostKind::Fault { code: 9000, .. }));
        assert_eq!(listed.iter().any(|l| l == name), !refused, "{name}");
        assert_eq!(
            sent.contains(&format!("<string>{name}</string>")),
            !refused,
            "{name}"
        );
    }
}
