//! Session state *inform sent*: what the ACS may answer the Inform with.

mod cwmp_support;

use cwmp_agent::cwmp::session::{Failure, Options, PostKind, Session, Step};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_support::*;

// T-FLW-001, T-INF-008
#[test]
fn a_session_begins_with_the_inform_and_nothing_else() {
    let (session, step) = Session::start(options(), &inform());
    let first = post(step);
    assert_eq!(first.kind, PostKind::Inform);
    let text = String::from_utf8(first.body).expect("UTF-8");
    assert_eq!(text.matches("<cwmp:Inform>").count(), 1);
    assert!(text.contains("<MaxEnvelopes>1</MaxEnvelopes>"));
    assert!(!session.inform_accepted());
}

#[test]
fn an_accepted_inform_is_told_once_and_before_anything_else() {
    let mut session = at_inform();
    let step = session.reply(200, inform_response().as_bytes());
    assert!(
        matches!(
            step,
            Step::InformAccepted {
                version: CwmpVersion::V1_2
            }
        ),
        "{step:?}"
    );
    assert!(session.inform_accepted());
    assert!(matches!(session.proceed(), Step::OwnRequest));
}

// T-FLW-004
#[test]
fn fault_8005_repeats_the_same_inform_in_the_same_session() {
    let (mut session, step) = Session::start(options(), &inform());
    let first = post(step);
    for _ in 0..2 {
        let again = post(session.reply(200, acs_fault(8005).as_bytes()));
        assert_eq!(again, first);
    }
    let step = session.reply(200, inform_response().as_bytes());
    assert!(matches!(step, Step::InformAccepted { .. }));
}

#[test]
fn fault_8005_for_ever_fails_the_session() {
    let mut session = at_inform();
    for _ in 0..10 {
        post(session.reply(200, acs_fault(8005).as_bytes()));
    }
    let step = session.reply(200, acs_fault(8005).as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::TooManyRepeats { .. })),
        "{step:?}"
    );
    assert!(!session.inform_accepted());
}

// T-FLW-006
#[test]
fn any_other_fault_fails_the_session() {
    for code in [8000, 8001, 8003, 8006, 8800, 0] {
        let mut session = at_inform();
        let Step::Failed(failure) = session.reply(200, acs_fault(code).as_bytes()) else {
            panic!("{code} must fail the session");
        };
        assert!(matches!(&failure, Failure::InformRefused(f) if f.code == code));
        // T-SOP-023
        assert_eq!(failure.suggests_older_version(), code == 8006);
        assert!(!session.inform_accepted());
    }
}

#[test]
fn a_fault_with_http_status_500_is_a_fault_and_no_other_500_is_anything() {
    let mut session = at_inform();
    assert_eq!(
        post(session.reply(500, acs_fault(8005).as_bytes())).kind,
        PostKind::Inform
    );
    for body in [
        String::new(),
        inform_response(),
        "oops".into(),
        reboot("1", "k"),
    ] {
        let step = at_inform().reply(500, body.as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::HttpStatus(500))),
            "{step:?}"
        );
    }
}

// T-SES-030
#[test]
fn other_http_statuses_fail_the_session_whatever_the_body() {
    for status in [100, 199, 300, 302, 400, 401, 404, 503, 600] {
        let step = at_inform().reply(status, inform_response().as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::HttpStatus(s)) if s == status),
            "{step:?}"
        );
    }
}

// Field note: a fault in broken XML must not make the CPE loop or crash.
#[test]
fn a_fault_in_broken_xml_fails_the_session() {
    let broken = acs_fault(8000).replace("soap-env:Fault", "soap-env:Body:Fault");
    let step = at_inform().reply(200, broken.as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::UnintelligibleFault)),
        "{step:?}"
    );
}

#[test]
fn anything_else_is_out_of_order() {
    for body in [
        String::new(),
        reboot("1", "k"),
        response_to("TransferComplete"),
        response_to("Foo"),
        envelope(NS12, "", ""),
        envelope(NS12, "", "<cwmp:Reboot/>"),
    ] {
        let step = at_inform().reply(200, body.as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::OutOfOrder { .. })),
            "{step:?}"
        );
    }
    let step = at_inform().reply(204, inform_response().as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::OutOfOrder { .. })),
        "{step:?}"
    );
}

// T-SOP-002, field note: some ACSs leave the ID out.
#[test]
fn the_id_must_match_where_there_is_one() {
    let response = |header: &str| envelope(NS12, header, "<cwmp:InformResponse/>");
    for header in [String::new(), id("1"), id(" 1\n")] {
        let step = at_inform().reply(200, response(&header).as_bytes());
        assert!(matches!(step, Step::InformAccepted { .. }), "{step:?}");
    }
    for header in [id("2"), id(""), id("11")] {
        let step = at_inform().reply(200, response(&header).as_bytes());
        assert!(
            matches!(step, Step::Failed(Failure::WrongId { .. })),
            "{step:?}"
        );
    }
}

// T-SOP-009: a response cannot be answered with a fault.
#[test]
fn a_response_with_an_unknown_header_that_must_be_understood_fails_the_session() {
    let header = "<x:Foo xmlns:x='urn:x' soap-env:mustUnderstand='1'/>";
    let text = envelope(NS12, header, "<cwmp:InformResponse/>");
    let step = at_inform().reply(200, text.as_bytes());
    assert!(
        matches!(step, Step::Failed(Failure::NotUnderstood(_))),
        "{step:?}"
    );
}

// T-SOP-021, T-SOP-022
#[test]
fn the_version_is_the_header_s_else_the_namespace_s_and_never_above_the_offer() {
    let header = |v: &str| {
        format!("<cwmp:UseCWMPVersion soap-env:mustUnderstand='1'>{v}</cwmp:UseCWMPVersion>")
    };
    use CwmpVersion::*;
    for (offered, namespace, header, settled) in [
        (V1_4, NS12, header("1.0"), Some(V1_0)),
        (V1_4, NS12, header("1.4"), Some(V1_4)),
        (V1_4, NS12, header("1.3"), Some(V1_3)),
        (V1_4, NS10, String::new(), Some(V1_0)),
        (V1_4, NS11, String::new(), Some(V1_1)),
        (V1_4, NS12, String::new(), Some(V1_2)),
        (V1_4, "urn:dslforum-org:cwmp-1-4", String::new(), Some(V1_4)),
        (V1_1, NS12, String::new(), Some(V1_1)),
        (V1_0, NS12, String::new(), Some(V1_0)),
        (V1_2, NS12, header("1.4"), None),
        (V1_4, NS12, header("2.0"), None),
        (V1_4, NS12, header(""), None),
    ] {
        let offer = Options {
            version: offered,
            ..options()
        };
        let (mut session, step) = Session::start(offer, &inform());
        post(step);
        let text = envelope(namespace, &header, "<cwmp:InformResponse/>");
        match (session.reply(200, text.as_bytes()), settled) {
            (Step::InformAccepted { version }, Some(settled)) => {
                assert_eq!(version, settled);
                assert_eq!(session.version(), settled);
                // Everything from now on is in that version's namespace.
                assert!(matches!(session.proceed(), Step::OwnRequest));
                let sent = posted(session.request(Some(transfer_complete("k"))));
                assert!(sent.contains(&format!("xmlns:cwmp=\"{}\"", settled.namespace())));
                assert!(!sent.contains("SessionTimeout") && !sent.contains("CWMPVersion"));
            }
            (Step::Failed(Failure::VersionNotOffered(_)), None) => {}
            (step, _) => panic!("{offered} {namespace} {header}: {step:?}"),
        }
    }
}

// T-SOP-019, T-SOP-020
#[test]
fn headers_of_a_version_are_sent_from_that_version_on() {
    use CwmpVersion::*;
    for (version, timeout, versions) in [
        (V1_0, false, false),
        (V1_1, false, false),
        (V1_2, false, false),
        (V1_3, true, false),
        (V1_4, true, true),
    ] {
        let offer = Options {
            version,
            session_timeout: Some(40),
            ..options()
        };
        let text = posted(Session::start(offer, &inform()).1);
        let has = |part: &str| text.contains(part);
        assert_eq!(
            has("<cwmp:SessionTimeout soapenv:mustUnderstand=\"0\">40<"),
            timeout
        );
        assert_eq!(
            has(">1.0,1.1,1.2,1.3,1.4</cwmp:SupportedCWMPVersions>"),
            versions
        );
        assert!(has(version.namespace()));
    }
}

#[test]
fn an_inform_past_the_cap_is_not_sent() {
    let offer = Options {
        message_cap: 200,
        ..options()
    };
    let (_, step) = Session::start(offer, &inform());
    assert!(
        matches!(step, Step::Failed(Failure::TooLarge { cap: 200 })),
        "{step:?}"
    );
}

#[test]
fn a_connection_that_breaks_fails_the_session() {
    let step = at_inform().broken("connection reset");
    let Step::Failed(failure) = step else {
        panic!("{step:?}")
    };
    assert_eq!(failure, Failure::Transport("connection reset".into()));
}
