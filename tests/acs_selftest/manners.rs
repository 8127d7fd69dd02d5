//! Manners and troubles of the ACS: framing, cookies, redirects, and all that goes wrong
//! on purpose.

use super::*;
use std::io::ErrorKind;

use crate::cpe::Reply;

#[test]
fn framings_and_endings_are_as_asked() {
    let chunked = Framing::Chunked {
        sizes: vec![1, 7, 300],
        trailers: true,
    };
    for framing in [
        Framing::ContentLength,
        chunked,
        Framing::Http10,
        Framing::UntilClose,
    ] {
        for ending in [
            Ending::NoContent,
            Ending::NoContentClose,
            Ending::EmptyOk,
            Ending::EmptyChunked,
        ] {
            let said = format!("{framing:?} {ending:?}");
            let closes = matches!(framing, Framing::Http10 | Framing::UntilClose);
            let chunks = matches!(framing, Framing::Chunked { .. });
            let behaviour = Behaviour {
                framing: framing.clone(),
                ending,
                continue_first: true,
                ..Behaviour::default()
            };
            let (acs, mut cpe) = start(with(behaviour));
            let reply = cpe.post(INFORM);
            assert_eq!(
                reply.element("MaxEnvelopes").as_deref(),
                Some("1"),
                "{said}"
            );
            assert_eq!(
                reply.header("Transfer-Encoding").is_some(),
                chunks,
                "{said}"
            );
            if closes {
                cpe.reconnect();
            }
            let end = cpe.post("");
            let no_content = matches!(ending, Ending::NoContent | Ending::NoContentClose);
            assert_eq!(end.status, if no_content { 204 } else { 200 }, "{said}");
            assert_eq!(end.body, "", "{said}");
            assert_eq!(cpe.interim, 2, "{said}");
            if ending == Ending::NoContentClose {
                assert!(cpe.closed(), "{said}");
            }
            acs.finish().unwrap();
        }
    }
    let (acs, mut cpe) = start(with(Behaviour {
        close_each: true,
        ..Behaviour::default()
    }));
    assert_eq!(cpe.post(INFORM).header("Connection"), Some("close"));
    assert!(cpe.closed());
    cpe.reconnect();
    cpe.post("");
    assert_eq!(acs.finish().unwrap().connections, 2);
}

#[test]
fn cookies_must_come_back_while_they_live_and_not_after() {
    let config = with(Behaviour {
        cookies: Cookies::changing(),
        ..Behaviour::default()
    });
    let (acs, mut cpe) = start(config.session(Script::of([reboot(""), reboot("")])));
    cpe.post(INFORM);
    assert_eq!(cpe.cookies.len(), 3);
    let asked = cpe.post("");
    assert!(cpe.cookies.contains(&"route=b2".to_string()));
    let asked = cpe.answer(&asked, "<cwmp:RebootResponse/>");
    assert_eq!(cpe.cookies.len(), 2);
    let kept = cpe.cookies.clone();
    cpe.answer(&asked, "<cwmp:RebootResponse/>");
    assert_eq!(acs.violations(), Vec::<String>::new());
    // The session's cookies in the next session, then none where some are due.
    cpe.post(INFORM);
    assert!(
        acs.violations()[0].contains("came back after it had gone"),
        "{:?}",
        acs.violations()
    );
    cpe.cookies.clear();
    assert_eq!(cpe.post("").status, 400);
    cpe.cookies = kept;
    let said = acs.finish().err().unwrap().to_string();
    assert!(said.contains("cookie session did not come back"), "{said}");
}

#[test]
fn a_redirect_moves_the_session_with_its_message() {
    for (post, status) in [(1, 302), (2, 307)] {
        let to = Target::Listener(1, "/other".into());
        let rule = Rule::once(When::Post(post), Trouble::Redirect { status, to });
        let config = AcsConfig::default().listeners(2).rule(rule);
        let (acs, mut cpe) = start(AcsConfig {
            behaviour: no_cookies(),
            ..config
        });
        let mut reply = cpe.post(INFORM);
        if post == 2 {
            reply = cpe.post("");
        }
        assert_eq!(reply.status, status);
        cpe.go_to(reply.header("Location").unwrap());
        if post == 1 {
            assert_eq!(cpe.post(INFORM).status, 200);
        }
        assert_eq!(cpe.post("").status, 204);
        let record = acs.finish().unwrap();
        assert_eq!(record.sessions.len(), 1);
        assert!(record.sessions[0].complete());
        assert_eq!(record.exchanges.last().unwrap().request.listener, 1);
    }
    let to = Target::Path("/other".into());
    let (acs, mut cpe) = start(troubled(
        When::Post(1),
        Trouble::Redirect { status: 302, to },
    ));
    cpe.post(INFORM);
    cpe.post(INFORM);
    let said = acs.finish().err().unwrap().to_string();
    assert!(
        said.contains("after the redirect a request for /acs"),
        "{said}"
    );
}

fn no_cookies() -> Behaviour {
    Behaviour {
        cookies: Cookies::none(),
        ..Behaviour::default()
    }
}

#[test]
fn a_message_lost_on_the_way_may_come_again() {
    for trouble in [
        Trouble::DropBeforeReading,
        Trouble::DropAfterReading,
        Trouble::DropHalfReply,
        Trouble::Reset,
    ] {
        let script = Script::of([get_values(&["Device."])]);
        let (acs, mut cpe) = start(troubled(When::Post(2), trouble.clone()).session(script));
        cpe.post(INFORM);
        let request = cpe.request("");
        cpe.write(&request);
        assert!(cpe.reply().is_none(), "{trouble:?}");
        if matches!(trouble, Trouble::Reset) {
            assert_eq!(
                cpe.end().unwrap_or(ErrorKind::ConnectionReset),
                ErrorKind::ConnectionReset
            );
        }
        cpe.reconnect();
        let asked = cpe.post("");
        assert_eq!(
            asked.element("string").as_deref(),
            Some("Device."),
            "{trouble:?}"
        );
        assert_eq!(cpe.answer_on_new(&asked).status, 204);
        let record = acs.finish().unwrap_or_else(|f| panic!("{trouble:?} {f}"));
        let session = &record.sessions[0];
        assert_eq!(
            session.names(),
            ["Inform", "", "GetParameterValuesResponse"],
            "{trouble:?}"
        );
    }
}

impl Cpe {
    fn answer_on_new(&mut self, asked: &Reply) -> Reply {
        self.reconnect();
        self.answer(asked, VALUES)
    }
}

#[test]
fn a_reset_is_a_reset() {
    let (_acs, mut cpe) = start(troubled(When::Post(1), Trouble::Reset));
    let request = cpe.request(INFORM);
    cpe.write(&request);
    assert_eq!(cpe.end(), Some(ErrorKind::ConnectionReset));
}

#[test]
fn broken_replies_are_broken_as_promised_and_end_the_session() {
    let xml_of = |trouble: Trouble| {
        let name = trouble.name();
        let script = Script::of([reboot("")]);
        let (acs, mut cpe) = start(troubled(When::Post(1), trouble).session(script));
        let reply = cpe.post(INFORM);
        let session = acs.wait_session(1, SOON).unwrap();
        assert_eq!(session.end, Some(SessionEnd::Broken(name)));
        // The script waits for a session that can use it.
        cpe.cookies.clear();
        cpe.reconnect();
        cpe.post(INFORM);
        assert!(cpe.post("").body.contains("Reboot"));
        acs.finish().unwrap();
        reply
    };
    let parse = |r: &Reply| roxmltree::Document::parse(&r.body).map(|_| ());
    assert!(parse(&xml_of(Trouble::TruncatedXml)).is_err());
    assert!(parse(&xml_of(Trouble::TwoEnvelopes)).is_err());
    assert!(xml_of(Trouble::Html).body.contains("<html>"));
    for dtd in [
        Trouble::Doctype,
        Trouble::EntityBomb,
        Trouble::ExternalEntity,
    ] {
        assert!(matches!(
            parse(&xml_of(dtd)),
            Err(roxmltree::Error::DtdDetected)
        ));
    }
    assert_eq!(
        xml_of(Trouble::Deep(20_000)).body.matches("<a>").count(),
        20_000
    );
    assert_eq!(
        xml_of(Trouble::Oversized(10_000_000)).body.len(),
        10_000_000
    );
    assert!(
        xml_of(Trouble::WrongOrder)
            .body
            .contains("cwmp:GetParameterValues")
    );
}

#[test]
fn replies_that_can_be_survived_leave_the_session_running() {
    let rule = Rule::once(When::Message("TransferComplete"), Trouble::MalformedFault);
    let must = Rule::once(When::Post(3), Trouble::MustUnderstand);
    let config = AcsConfig::default().session(Script::of([reboot("")]));
    let (acs, mut cpe) = start(config.rule(rule).rule(must));
    cpe.post(INFORM);
    let reply = cpe.post(&envelope("c2", COMPLETE));
    assert!(reply.body.contains("<soap-env:Body:Fault>"));
    let reply = cpe.post("");
    assert!(reply.element("Foreign").is_some(), "{}", reply.body);
    let fault =
        "<s:Fault><faultcode>s:MustUnderstand</faultcode><faultstring>no</faultstring></s:Fault>";
    assert_eq!(cpe.answer(&reply, fault).status, 204);
    acs.finish().unwrap();
}

#[test]
fn faults_statuses_and_8005_to_an_inform() {
    let again = Rule::times(2, When::Message("Inform"), Trouble::Fault(8005));
    let (acs, mut cpe) = start(AcsConfig::default().rule(again));
    for _ in 0..2 {
        assert_eq!(
            cpe.post(INFORM).element("FaultCode").as_deref(),
            Some("8005")
        );
    }
    assert_eq!(cpe.post(INFORM).status, 200);
    cpe.post("");
    assert_eq!(acs.finish().unwrap().sessions.len(), 1);

    let config = troubled(When::Post(1), Trouble::Fault(8003));
    let busy = Rule::once(
        When::In {
            session: 2,
            post: 1,
        },
        Trouble::busy(7),
    );
    let (acs, mut cpe) = start(config.rule(busy));
    cpe.post(INFORM);
    assert_eq!(
        acs.wait_session(1, SOON).unwrap().end,
        Some(SessionEnd::Fault(8003))
    );
    let reply = cpe.post(INFORM);
    assert_eq!(
        (reply.status, reply.header("Retry-After")),
        (503, Some("7"))
    );
    assert_eq!(
        acs.wait_session(2, SOON).unwrap().end,
        Some(SessionEnd::Refused(503))
    );
    acs.finish().unwrap();

    let behaviour = Behaviour {
        in_session_refusals: 2,
        ..Behaviour::default()
    };
    let (acs, mut cpe) = start(with(behaviour));
    cpe.post(INFORM);
    cpe.cookies.clear();
    for n in 1..=2 {
        let inform = INFORM.replace("<RetryCount>0", &format!("<RetryCount>{n}"));
        assert_eq!(cpe.post(&inform).status, 400);
    }
    assert_eq!(cpe.post(INFORM).status, 200);
    cpe.post("");
    let ends: Vec<_> = acs
        .finish()
        .unwrap()
        .sessions
        .into_iter()
        .filter_map(|s| s.end)
        .collect();
    use SessionEnd::*;
    assert_eq!(ends, [Abandoned, Refused(400), Refused(400), Complete]);
}

#[test]
fn held_requests_are_seen_and_may_come_after_the_release() {
    for patient in [true, false] {
        let script = Script::of([reboot("")])
            .holding(true)
            .step(Step::Hold(None));
        let (acs, mut cpe) = start(AcsConfig::default().session(script));
        assert_eq!(
            cpe.post(INFORM).element("HoldRequests").as_deref(),
            Some("1")
        );
        if !patient {
            cpe.post(&envelope("c2", COMPLETE));
        }
        let asked = cpe.post("");
        assert_eq!(cpe.answer(&asked, "<cwmp:RebootResponse/>").status, 204);
        if patient {
            assert_eq!(cpe.post(&envelope("c2", COMPLETE)).status, 200);
            assert_eq!(cpe.post("").status, 204);
        }
        let finished = acs.finish();
        assert_eq!(finished.is_ok(), patient, "{finished:?}");
    }
}

#[test]
fn a_picky_acs_answers_400() {
    let edits = [
        ("cwmp-1-0", "cwmp-1-4"),
        (">Maker<", "><![CDATA[Maker]]><"),
        ("<OUI>0A1B2C<", "<OUI><"),
        ("<SerialNumber>S1<", "<SerialNumber><"),
        ("<Value xsi:type=\"xsd:string\">1.0</Value>", ""),
    ];
    let picky = || {
        with(Behaviour {
            picky: true,
            ..Behaviour::default()
        })
    };
    for (find, replace) in edits {
        let (acs, mut cpe) = start(picky());
        assert_eq!(
            cpe.post(&INFORM.replace(find, replace)).status,
            400,
            "{find}"
        );
        acs.finish().unwrap_err();
    }
    let (_acs, mut cpe) = start(picky());
    assert_eq!(cpe.post(INFORM).status, 200);
}

#[test]
fn a_silent_acs_stops_at_once_when_told() {
    let (acs, mut cpe) = start(troubled(When::Always, Trouble::Silent));
    let request = cpe.request(INFORM);
    cpe.write(&request);
    acs.wait_until(SOON, |r| (!r.exchanges.is_empty()).then_some(()))
        .unwrap();
    let begin = std::time::Instant::now();
    acs.finish().unwrap();
    assert!(begin.elapsed() < SOON);
    assert!(cpe.reply().is_none());
}

#[test]
fn events_tell_the_story_in_order() {
    let (sender, receiver) = mpsc::channel();
    let config = AcsConfig::default()
        .events(sender)
        .session(Script::of([reboot("k")]));
    let (acs, mut cpe) = start(config);
    cpe.post(INFORM);
    let asked = cpe.post("");
    cpe.answer(&asked, "<cwmp:RebootResponse/>");
    acs.finish().unwrap();
    let story: Vec<String> = receiver
        .try_iter()
        .filter_map(|e| match e {
            AcsEvent::SessionBegan { session, .. } => Some(format!("begin {session}")),
            AcsEvent::FromCpe { message, .. } => Some(format!("< {}", message.name)),
            AcsEvent::ToCpe { name, .. } => Some(format!("> {name}")),
            AcsEvent::SessionEnded { end, .. } => Some(format!("{end:?}")),
            _ => None,
        })
        .collect();
    let want = [
        "begin 1",
        "< Inform",
        "> InformResponse",
        "< ",
        "> Reboot",
        "< RebootResponse",
        "> end",
        "Complete",
    ];
    assert_eq!(story, want);
}

#[test]
fn tls_and_ipv6_serve_too() {
    use std::io::{Read, Write};
    use std::sync::Arc;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let chain = vec![made.cert.der().clone()];
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = AcsConfig {
        ipv6: true,
        ..AcsConfig::default().tls(Arc::new(server))
    };
    let acs = Acs::start(config).unwrap();
    let url = acs.url();
    let host = url
        .strip_prefix("https://")
        .unwrap()
        .strip_suffix("/acs")
        .unwrap();
    assert!(host.starts_with("[::1]:"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let socket = std::net::TcpStream::connect(host).unwrap();
    let mut tls = rustls::StreamOwned::new(session, socket);
    let head =
        format!("POST /acs HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/xml\r\nSOAPAction:\r\n");
    write!(
        tls,
        "{head}Content-Length: {}\r\n\r\n{INFORM}",
        INFORM.len()
    )
    .unwrap();
    let mut reply = [0; 4096];
    let n = tls.read(&mut reply).unwrap();
    assert!(String::from_utf8_lossy(&reply[..n]).starts_with("HTTP/1.1 200 OK"));
    acs.finish().unwrap();
}
