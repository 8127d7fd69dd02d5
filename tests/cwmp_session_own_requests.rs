//! Session states *my turn*, *asked caller* and *request sent*: the CPE's own requests.

mod cwmp_support;

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::message::{AutonomousTransferComplete, CpeRequest, TransferFault};
use cwmp_agent::cwmp::session::{Failure, Options, Outcome, PostKind, Session, Step};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_support::*;

/// A session whose TransferComplete `key` has just been sent.
fn at_request() -> Session {
    let mut session = at_own_request();
    let sent = post(session.request(Some(transfer_complete("key"))));
    assert_eq!(sent.kind, PostKind::Request("TransferComplete"));
    session
}

#[track_caller]
fn outcome(step: Step) -> Outcome {
    match step {
        Step::RequestDone { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    }
}

// T-FLW-002
#[test]
fn own_requests_go_before_the_empty_post_each_after_the_last_one_s_response() {
    let mut session = at_own_request();
    for key in ["a", "b", "c"] {
        let sent = posted(session.request(Some(transfer_complete(key))));
        assert!(sent.contains(&format!("<CommandKey>{key}</CommandKey>")));
        let step = session.reply(200, response_to("TransferComplete").as_bytes());
        let Step::RequestDone { request, outcome } = step else {
            panic!("{step:?}")
        };
        assert_eq!(*request, transfer_complete(key));
        assert_eq!(outcome, Outcome::Delivered);
        assert!(matches!(session.proceed(), Step::OwnRequest));
    }
    assert_eq!(post(session.request(None)).kind, PostKind::Empty);
}

#[test]
fn every_request_has_an_id_of_its_own_and_the_response_must_carry_it_or_none() {
    let mut session = at_request();
    let other = envelope(NS12, &id("1"), "<cwmp:TransferCompleteResponse/>");
    let step = session.reply(200, other.as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::WrongId { .. })),
        "{step:?}"
    );
    let mut session = at_request();
    let same = envelope(NS12, &id("2"), "<cwmp:TransferCompleteResponse/>");
    assert_eq!(
        outcome(session.reply(200, same.as_bytes())),
        Outcome::Delivered
    );
}

// T-FLW-005
#[test]
fn fault_8005_repeats_the_same_request() {
    let mut session = at_own_request();
    let first = post(session.request(Some(transfer_complete("key"))));
    for _ in 0..10 {
        assert_eq!(post(session.reply(200, acs_fault(8005).as_bytes())), first);
    }
    assert_eq!(
        outcome(session.reply(200, response_to("TransferComplete").as_bytes())),
        Outcome::Delivered
    );
}

#[test]
fn fault_8005_for_ever_fails_the_session() {
    let mut session = at_request();
    for _ in 0..10 {
        post(session.reply(200, acs_fault(8005).as_bytes()));
    }
    let step = session.reply(200, acs_fault(8005).as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::TooManyRepeats { .. })),
        "{step:?}"
    );
}

#[test]
fn any_other_fault_ends_the_request_and_the_session_goes_on() {
    let mut session = at_request();
    let refused = outcome(session.reply(200, acs_fault(8003).as_bytes()));
    assert!(matches!(refused, Outcome::Refused(f) if f.code == 8003));
    assert!(matches!(session.proceed(), Step::OwnRequest));
    assert_eq!(post(session.request(None)).kind, PostKind::Empty);
}

// Field note: a fault in broken XML counts as "method not supported".
#[test]
fn a_fault_in_broken_xml_ends_the_request_as_not_supported() {
    let broken = acs_fault(8000).replace("soap-env:Fault", "soap-env:Body:Fault");
    for status in [200, 500] {
        let mut session = at_request();
        let refused = outcome(session.reply(status, broken.as_bytes()));
        assert!(matches!(refused, Outcome::Refused(f) if f.code == 8000));
        assert!(matches!(session.proceed(), Step::OwnRequest));
    }
}

#[test]
fn a_wrong_reply_fails_the_session() {
    for body in [
        String::new(),
        envelope(NS12, "", ""),
        inform_response().replace(&id("1"), ""),
        response_to("RequestDownload"),
        reboot("2", "k"),
    ] {
        let step = at_request().reply(200, body.as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::OutOfOrder { .. })),
            "{step:?}"
        );
    }
}

// No ACS has to have an answer to this one.
#[test]
fn an_empty_reply_to_get_rpc_methods_only_leaves_it_unanswered() {
    for (status, body) in [
        (204, String::new()),
        (200, String::new()),
        (200, envelope(NS12, "", "")),
    ] {
        let mut session = at_own_request();
        post(session.request(Some(CpeRequest::GetRpcMethods)));
        let got = outcome(session.reply(status, body.as_bytes()));
        assert_eq!(got, Outcome::Unanswered);
        assert!(matches!(session.proceed(), Step::OwnRequest));
        assert_eq!(post(session.request(None)).kind, PostKind::Empty);
    }
}

// Some take any POST behind the Inform for their turn.
#[test]
fn a_request_in_reply_to_get_rpc_methods_is_answered() {
    let mut session = at_own_request();
    post(session.request(Some(CpeRequest::GetRpcMethods)));
    let step = session.reply(200, reboot("2", "k").as_bytes());
    let Step::Answer(request) = step else {
        panic!("{step:?}")
    };
    assert_eq!(request.name(), "Reboot");
}

#[test]
fn what_the_acs_tells_comes_back_with_the_outcome() {
    let mut session = at_own_request();
    post(session.request(Some(CpeRequest::GetRpcMethods)));
    let methods = envelope(
        NS12,
        "",
        "<cwmp:GetRPCMethodsResponse><MethodList soap-enc:arrayType='xsd:string[2]'>\
         <string>Inform</string><string>TransferComplete</string></MethodList>\
         </cwmp:GetRPCMethodsResponse>",
    );
    assert_eq!(
        outcome(session.reply(200, methods.as_bytes())),
        Outcome::Methods(vec!["Inform".into(), "TransferComplete".into()])
    );
    assert!(matches!(session.proceed(), Step::OwnRequest));
    post(session.request(Some(CpeRequest::Kicked {
        command: "c".into(),
        referer: "r".into(),
        arg: "a".into(),
        next: "n".into(),
    })));
    let kicked = envelope(
        NS12,
        "",
        "<cwmp:KickedResponse><NextURL>u</NextURL></cwmp:KickedResponse>",
    );
    assert_eq!(
        outcome(session.reply(200, kicked.as_bytes())),
        Outcome::NextUrl("u".into())
    );
}

// T-SOP-007
#[test]
fn held_requests_wait_until_an_envelope_or_an_empty_reply_releases_them() {
    let accepted = envelope(NS12, HOLD, "<cwmp:InformResponse/>");
    let released = reboot("r", "k");
    let held = released.replace("<soap-env:Header>", &format!("<soap-env:Header>{HOLD}"));
    let mut session = at_inform();
    session.reply(200, accepted.as_bytes());
    // Held: straight to the empty POST.
    assert_eq!(post(session.proceed()).kind, PostKind::Empty);
    // Held again by the next request, then released by the one after: still it is the
    // ACS's turn until its requests end.
    for request in [&held, &released] {
        let Step::Answer(_) = session.reply(200, request.as_bytes()) else {
            panic!("a request")
        };
        let answer = cwmp_agent::cwmp::session::Answer::Response(
            cwmp_agent::cwmp::message::CpeResponse::Reboot,
        );
        assert!(matches!(
            post(session.answer(answer)).kind,
            PostKind::Response(_)
        ));
    }
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    let sent = post(session.request(Some(transfer_complete("late"))));
    assert_eq!(sent.kind, PostKind::Request("TransferComplete"));
}

// T-SOP-008
#[test]
fn a_held_session_that_the_acs_ends_sends_its_requests_first() {
    let accepted = envelope(NS12, HOLD, "<cwmp:InformResponse/>");
    let mut session = at_inform();
    session.reply(200, accepted.as_bytes());
    assert_eq!(post(session.proceed()).kind, PostKind::Empty);
    assert!(matches!(session.reply(200, b""), Step::OwnRequest));
    post(session.request(Some(transfer_complete("a"))));
    // The response holds again: no second request now, an empty POST instead.
    let response = envelope(NS12, HOLD, "<cwmp:TransferCompleteResponse/>");
    assert_eq!(
        outcome(session.reply(200, response.as_bytes())),
        Outcome::Delivered
    );
    assert_eq!(post(session.proceed()).kind, PostKind::Empty);
    assert!(matches!(session.reply(204, b""), Step::OwnRequest));
    assert!(matches!(session.request(None), Step::Done));
}

#[test]
fn a_request_that_the_version_lacks_or_that_does_not_fit_is_not_sent() {
    let autonomous = CpeRequest::AutonomousTransferComplete(AutonomousTransferComplete {
        announce_url: "".into(),
        transfer_url: "u".into(),
        is_download: true,
        file_type: "2 Web Content".into(),
        file_size: 0,
        target_file_name: "".into(),
        fault: TransferFault::none(),
        start: DateTime::Unknown,
        complete: DateTime::Unknown,
    });
    let offer = Options {
        version: CwmpVersion::V1_0,
        ..options()
    };
    let (mut session, step) = Session::start(offer, &inform());
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    assert!(matches!(
        outcome(session.request(Some(autonomous))),
        Outcome::NotSent(_)
    ));
    assert!(matches!(session.proceed(), Step::OwnRequest));

    let offer = Options {
        message_cap: 2000,
        ..options()
    };
    let (mut session, step) = Session::start(offer, &inform());
    post(step);
    session.reply(200, inform_response().as_bytes());
    session.proceed();
    let long = CpeRequest::DuStateChangeComplete {
        results: vec![],
        command_key: "&".repeat(32),
    };
    post(session.request(Some(long)));
    session.reply(200, response_to("DUStateChangeComplete").as_bytes());
    session.proceed();
    let arguments = vec![("n".to_string(), "v".repeat(200)); 16];
    let long = CpeRequest::RequestDownload(cwmp_agent::cwmp::message::RequestDownload {
        file_type: "2 Web Content".into(),
        arguments,
    });
    assert!(matches!(
        outcome(session.request(Some(long))),
        Outcome::NotSent(_)
    ));
}

// FLT-001: an ACS of 1.0 knows 9010 and 9011 only.
#[test]
fn an_old_acs_gets_the_transfer_faults_it_knows() {
    for (version, upload, code, sent) in [
        (CwmpVersion::V1_0, false, 9018, 9010),
        (CwmpVersion::V1_0, true, 9015, 9011),
        (CwmpVersion::V1_0, false, 9012, 9012),
        (CwmpVersion::V1_0, false, 9800, 9002),
        (CwmpVersion::V1_1, false, 9018, 9018),
        (CwmpVersion::V1_1, false, 9020, 9010),
        (CwmpVersion::V1_4, false, 9020, 9020),
        (CwmpVersion::V1_4, false, 9013, 9010),
        (CwmpVersion::V1_4, true, 9013, 9011),
        (CwmpVersion::V1_4, false, 9800, 9800),
        (CwmpVersion::V1_4, false, 9005, 9002),
        (CwmpVersion::V1_4, false, 0, 0),
    ] {
        let (mut session, step) = Session::start(
            Options {
                version,
                ..options()
            },
            &inform(),
        );
        post(step);
        let accepted = envelope(version.namespace(), "", "<cwmp:InformResponse/>");
        session.reply(200, accepted.as_bytes());
        session.proceed();
        let CpeRequest::TransferComplete(mut transfer) = transfer_complete("k") else {
            unreachable!("that is what transfer_complete makes");
        };
        transfer.upload = upload;
        transfer.fault.code = code;
        let text = posted(session.request(Some(CpeRequest::TransferComplete(transfer))));
        let wanted = format!("<FaultCode>{sent}</FaultCode>");
        // The version 1.4 offer settles on 1.2 here; both know the same codes.
        assert!(text.contains(&wanted), "{version} {upload} {code}: {text}");
    }
}
