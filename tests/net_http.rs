//! The HTTP client against servers that follow the rules and servers that do not.

mod net_support;

use std::time::Duration;

use cwmp_agent::net::auth::challenge::Qop;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::http::{Client, HttpError, Phase, RedirectError, SoapAction};
use cwmp_agent::net::url::Url;
use net_support::{Answer, Server, answer, client, config, keep, ok};

const INFORM: &[u8] = b"<inform/>";

/// A challenge with these parameters besides realm and nonce.
fn challenge(nonce: &str, more: &str) -> Answer {
    let header = format!("WWW-Authenticate: Digest realm=\"acs\", nonce=\"{nonce}\"{more}");
    keep("401 Unauthorized", &[&header], "please")
}

// T-SES-019 T-SES-020 T-SES-021 T-SES-036
#[test]
fn each_kind_of_post_has_its_own_headers() {
    let server = Server::start(|_| ok());
    let mut client = client(server.url("/cwmp?x=1"));
    client.post(INFORM, SoapAction::Request).expect("Inform");
    client
        .post(b"<answer/>", SoapAction::Response)
        .expect("answer");
    let reply = client.post(b"", SoapAction::None).expect("empty");
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"<ok/>"[..]));
    let seen = server.requests();
    for request in &seen {
        assert_eq!(request.line, "POST /cwmp?x=1 HTTP/1.1");
        let host = server.address.to_string();
        assert_eq!(request.header("Host"), Some(host.as_str()));
        assert!(request.header("Transfer-Encoding").is_none());
        assert!(request.header("Accept-Encoding").is_none());
        assert!(request.header("Expect").is_none());
        assert_eq!(request.connection, 0, "one connection for all");
    }
    let names: Vec<&str> = seen[0].headers.iter().map(|(n, _)| n.as_str()).collect();
    assert!(names.contains(&"SOAPAction") && names.contains(&"Content-Type"));
    assert_eq!(seen[0].header("SOAPAction"), Some("\"\""));
    assert_eq!(
        seen[0].header("Content-Type"),
        Some("text/xml; charset=\"utf-8\"")
    );
    assert_eq!(seen[0].header("Content-Length"), Some("9"));
    assert_eq!(seen[1].header("SOAPAction"), Some(""));
    assert_eq!(seen[2].header("Content-Length"), Some("0"));
    assert_eq!(seen[2].header("SOAPAction"), None);
    assert_eq!(seen[2].header("Content-Type"), None);
}

#[test]
fn head_and_body_leave_in_one_write() {
    let server = Server::start(|_| ok());
    let mut client = client(server.url("/"));
    let body = vec![b'x'; 8000];
    client.post(&body, SoapAction::Request).expect("sent");
    let request = &server.requests()[0];
    assert_eq!(request.first_read, request.size);
    assert_eq!(request.body, body);
}

#[test]
fn a_body_of_a_megabyte_arrives_whole() {
    let server = Server::start(|_| ok());
    let mut client = client(server.url("/"));
    let body: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    client.post(&body, SoapAction::Response).expect("sent");
    assert!(server.requests()[0].body == body);
}

// T-SES-008 T-SES-009 T-SES-010
#[test]
fn cookies_come_back_are_replaced_and_deleted() {
    let server = Server::start(|r| match &r.body[..] {
        b"1" => keep(
            "200 OK",
            &["Set-Cookie: a=1", "Set-Cookie: b=2; Path=/"],
            "",
        ),
        b"2" => keep("200 OK", &["Set-Cookie: a=3; HttpOnly"], ""),
        b"3" => keep("200 OK", &["Set-Cookie: b=; Path=/; Max-Age=0"], ""),
        _ => ok(),
    });
    let mut first = client(server.url("/cwmp/x"));
    for body in [&b"1"[..], b"2", b"3", b"4"] {
        first.post(body, SoapAction::Request).expect("post");
    }
    let mut next_session = client(server.url("/cwmp/x"));
    next_session.post(b"4", SoapAction::Request).expect("post");
    let seen: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|r| r.header("Cookie").map(str::to_owned))
        .collect();
    let want = [None, Some("a=1; b=2"), Some("a=3; b=2"), Some("a=3"), None];
    assert_eq!(seen, want.map(|c| c.map(str::to_owned)));
}

#[test]
fn a_cookie_of_a_401_goes_with_the_answer() {
    let server = Server::start(|r| {
        if r.header("Authorization").is_some() {
            assert_eq!(r.header("Cookie"), Some("s=1"));
            return ok();
        }
        let challenge = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth\"";
        keep("401 No", &[challenge, "Set-Cookie: s=1"], "")
    });
    let reply = client(server.url("/")).post(INFORM, SoapAction::Request);
    assert_eq!(reply.expect("post").status, 200);
}

// T-SES-022 T-SES-023 T-SES-024 T-SES-025 T-SES-028
#[test]
fn a_redirect_keeps_method_and_body_and_holds_for_the_session_only() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let b = Server::start(|r| {
            if r.header("Authorization").is_none() {
                return keep(
                    "401 No",
                    &["WWW-Authenticate: Digest realm=\"other\", nonce=\"b\", qop=\"auth\""],
                    "",
                );
            }
            assert_eq!(r.param("realm").as_deref(), Some("other"));
            assert!(r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret"));
            ok()
        });
        let location = format!("Location: {}", b.url("/b"));
        let a = Server::start(move |r| {
            if r.header("Authorization").is_none() {
                return challenge("a", ", qop=\"auth\"");
            }
            keep(status, &[&location], "moved")
        });
        let settings = config(a.url("/a"));
        let mut client = Client::new(settings.clone()).expect("a client");
        client
            .post(INFORM, SoapAction::Request)
            .expect("redirected");
        client.post(b"next", SoapAction::Response).expect("at b");
        assert_eq!(client.url(), &b.url("/b"));
        assert_eq!(a.requests().len(), 2, "{status}: nothing more at a");
        let at_b = b.requests();
        assert_eq!(at_b[0].line, "POST /b HTTP/1.1");
        assert_eq!(at_b[0].body, INFORM);
        assert_eq!(at_b[0].header("SOAPAction"), Some("\"\""));
        assert_eq!(
            at_b[0].header("Authorization"),
            None,
            "made for a, not for b"
        );
        assert_eq!(at_b.last().map(|r| r.body.clone()), Some(b"next".to_vec()));
        let mut session = Client::new(settings).expect("a client");
        session
            .post(b"", SoapAction::None)
            .expect("redirected again");
        assert_eq!(a.requests()[2].line, "POST /a HTTP/1.1");
    }
}

// T-SES-026
#[test]
fn five_redirects_in_a_row_are_followed_and_six_are_not() {
    let start = |count: usize| {
        Server::start(move |r| {
            let at: usize = r.line["POST /".len()..]
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            if at < count {
                keep("302 Found", &[&format!("Location: {}", at + 1)], "")
            } else {
                ok()
            }
        })
    };
    let five = start(5);
    let reply = client(five.url("/0")).post(INFORM, SoapAction::Request);
    assert_eq!(reply.expect("five").status, 200);
    let six = start(6);
    let error = client(six.url("/0"))
        .post(INFORM, SoapAction::Request)
        .expect_err("six");
    assert!(
        matches!(error, HttpError::Redirect(RedirectError::TooMany)),
        "{error}"
    );
}

#[test]
fn redirects_in_a_circle_or_to_nowhere_are_refused() {
    let server = Server::start(|r| {
        let to = if r.line.contains("/a") { "/b" } else { "/a" };
        keep("307 Go", &[&format!("Location: {to}")], "")
    });
    let error = client(server.url("/a")).post(INFORM, SoapAction::Request);
    let error = error.expect_err("a circle");
    assert!(
        matches!(error, HttpError::Redirect(RedirectError::Loop(_))),
        "{error}"
    );
    // The same place with a cookie is no circle: some load balancers do that.
    let server = Server::start(|r| match r.header("Cookie") {
        None => keep("302 Go", &["Location: /a", "Set-Cookie: node=7"], ""),
        Some(_) => ok(),
    });
    client(server.url("/a"))
        .post(INFORM, SoapAction::Request)
        .expect("with a cookie");
    for header in ["X: y", "Location: ftp://x/", "Location: http://u:p@x/"] {
        let server = Server::start(move |_| keep("302 Go", &[header], ""));
        let error = client(server.url("/a")).post(INFORM, SoapAction::Request);
        assert!(matches!(error, Err(HttpError::Redirect(_))), "{header}");
    }
}

// T-SES-012 T-SES-013
#[test]
fn a_server_that_closes_after_each_answer_gets_a_new_connection_each_time() {
    let close = |r: &net_support::Request| {
        let cookie = format!(
            "Set-Cookie: s=1; Path=/{}",
            if r.connection == 0 { "" } else { "x" }
        );
        Answer::Close(answer("200 OK", &["Connection: close", &cookie], "<ok/>"))
    };
    let old = |_: &net_support::Request| {
        Answer::Close(b"HTTP/1.0 200 OK\r\nSet-Cookie: s=1\r\n\r\n<ok/>".to_vec())
    };
    for server in [Server::start(close), Server::start(old)] {
        let mut client = client(server.url("/"));
        for _ in 0..3 {
            let reply = client.post(INFORM, SoapAction::Request).expect("post");
            assert_eq!(reply.body, b"<ok/>");
        }
        let seen = server.requests();
        assert_eq!(seen.len(), 3);
        assert_eq!(client.connections_made(), 3);
        assert!(seen[1..].iter().all(|r| r.header("Cookie").is_some()));
    }
}

// T-SES-014
#[test]
fn a_kept_connection_that_dies_under_the_next_post_costs_one_repetition() {
    let server = Server::start(|r| match (r.connection, &r.body[..]) {
        (0, b"two") => Answer::Close(Vec::new()),
        _ => keep("200 OK", &["Set-Cookie: s=1"], ""),
    });
    let mut client = client(server.url("/"));
    for body in [&b"one"[..], b"two", b"three"] {
        client.post(body, SoapAction::Request).expect("post");
    }
    let seen: Vec<_> = server
        .requests()
        .into_iter()
        .map(|r| (r.connection, r.body))
        .collect();
    let want: [(usize, &[u8]); 4] = [(0, b"one"), (0, b"two"), (1, b"two"), (1, b"three")];
    assert_eq!(seen, want.map(|(c, b)| (c, b.to_vec())));
}

#[test]
fn a_new_connection_that_dies_without_an_answer_is_a_failure() {
    let server = Server::start(|_| Answer::Close(Vec::new()));
    let error = client(server.url("/")).post(INFORM, SoapAction::Request);
    assert!(matches!(error, Err(HttpError::Closed)), "{error:?}");
    assert_eq!(server.requests().len(), 1);
    // Half an answer is no reason to send the request again either.
    let server = Server::start(|r| match r.connection {
        0 if r.body == b"two" => Answer::Close(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        _ => ok(),
    });
    let mut client = client(server.url("/"));
    client.post(b"one", SoapAction::Request).expect("one");
    let error = client.post(b"two", SoapAction::Request).expect_err("half");
    assert!(matches!(error, HttpError::Closed), "{error:?}");
    assert_eq!(server.requests().len(), 2);
}

// T-SES-015
#[test]
fn chunked_answers_of_odd_sizes_with_trailers_are_read() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\n<\r\n003\r\nok/\r\n1;ext=\"a\"\r\n>\r\n0\r\nTrailer: x\r\n\r\n";
    let server = Server::start(move |_| Answer::Keep(text.as_bytes().to_vec()));
    let mut client = client(server.url("/"));
    for _ in 0..2 {
        let reply = client.post(INFORM, SoapAction::Request).expect("post");
        assert_eq!(reply.body, b"<ok/>");
    }
    assert_eq!(client.connections_made(), 1);
}

// T-SES-016
#[test]
fn interim_answers_are_passed_over() {
    let server = Server::start(|_| {
        let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n".to_vec();
        bytes.extend(answer("200 OK", &[], "<ok/>"));
        Answer::Keep(bytes)
    });
    let mut client = client(server.url("/"));
    for _ in 0..2 {
        let reply = client.post(INFORM, SoapAction::Request).expect("post");
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"<ok/>"[..]));
    }
}

#[test]
fn answers_of_careless_servers_are_read() {
    let forms: [&[u8]; 7] = [
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n<ok/>",
        b"HTTP/1.1 200 \r\ncontent-length:5\r\n\r\n<ok/>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n<ok/>",
        b"HTTP/1.1 200 OK\r\nServer: caf\xe9\r\nContent-Length: 5\r\n\r\n<ok/>",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\n<ok/>",
        b"HTTP/1.0 200 OK\r\n\r\n<ok/>",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ok/>",
    ];
    for form in forms {
        let server = Server::start(move |_| Answer::Close(form.to_vec()));
        let shown = String::from_utf8_lossy(form);
        let reply = client(server.url("/"))
            .post(INFORM, SoapAction::Request)
            .unwrap_or_else(|e| panic!("{e}: {shown}"));
        assert_eq!(reply.body, b"<ok/>", "{shown}");
    }
}

#[test]
fn cookies_with_bytes_beyond_ascii_come_back() {
    let server = Server::start(|_| keep("200 OK", &["Set-Cookie: s=h\u{e9}; Path=/"], ""));
    let mut client = client(server.url("/"));
    for _ in 0..2 {
        client.post(INFORM, SoapAction::Request).expect("post");
    }
    assert_eq!(server.requests()[1].header("cookie"), Some("s=h\u{e9}"));
}

// T-SES-017 T-SES-018
#[test]
fn the_empty_answer_has_three_forms() {
    for text in [
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let server = Server::start(move |_| Answer::Keep(text.as_bytes().to_vec()));
        let reply = client(server.url("/"))
            .post(b"", SoapAction::None)
            .expect(text);
        assert!(reply.body.is_empty());
        assert!(matches!(reply.status, 200 | 204));
    }
}

// T-SES-029
#[test]
fn a_silent_server_is_given_up_after_the_configured_time() {
    let server = Server::start(|_| Answer::Silence);
    let mut config = config(server.url("/"));
    config.timeouts.response = Duration::from_millis(200);
    let mut client = Client::new(config).expect("a client");
    let error = client
        .post(INFORM, SoapAction::Request)
        .expect_err("silence");
    assert!(
        matches!(error, HttpError::Timeout(Phase::Response)),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 1, "not repeated");
    let default = cwmp_agent::net::http::Timeouts::default();
    assert!(default.response >= Duration::from_secs(30));
}

// SES-023
#[test]
fn an_answer_is_waited_for_from_the_end_of_the_request_whatever_its_size() {
    let slow = Duration::from_millis(1500);
    let sizes = (500..=40_500).step_by(800);
    let posts: Vec<_> = sizes
        .map(|size| {
            std::thread::spawn(move || {
                let server = Server::start(move |_| {
                    std::thread::sleep(slow);
                    ok()
                });
                let mut config = config(server.url("/"));
                config.timeouts.connect = slow / 2;
                let mut client = Client::new(config).expect("a client");
                let reply = client.post(&vec![b'x'; size], SoapAction::Request);
                (
                    size,
                    reply.map(|reply| reply.status).map_err(|e| e.to_string()),
                )
            })
        })
        .collect();
    for post in posts {
        let (size, reply) = post.join().expect("a reply");
        assert_eq!(reply, Ok(200), "{size} bytes");
    }
}

#[test]
fn a_body_that_never_ends_is_given_up_in_time_and_size() {
    let server = Server::start(|_| {
        Answer::Keep(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec())
    });
    let mut settings = config(server.url("/"));
    settings.timeouts.body = Duration::from_millis(200);
    let error = Client::new(settings)
        .expect("a client")
        .post(INFORM, SoapAction::Request)
        .expect_err("half a body");
    assert!(
        matches!(error, HttpError::Timeout(Phase::Body)),
        "{error:?}"
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for head in [
        chunked,
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n",
    ] {
        let server = Server::start(move |_| {
            let mut bytes = head.as_bytes().to_vec();
            let body = "x".repeat(2000);
            if head == chunked {
                bytes.extend(format!("{:x}\r\n{body}\r\n0\r\n\r\n", 2000).into_bytes());
            } else {
                bytes.extend(body.into_bytes());
            }
            Answer::Close(bytes)
        });
        let mut settings = config(server.url("/"));
        settings.max_response = 1000;
        let error = Client::new(settings)
            .expect("a client")
            .post(INFORM, SoapAction::Request)
            .expect_err("too large");
        assert!(
            matches!(error, HttpError::TooLarge(1000)),
            "{head}: {error:?}"
        );
    }
}

#[test]
fn a_head_without_end_and_a_head_of_nonsense_are_refused() {
    for bytes in [
        [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'y'; 100_000]].concat(),
        b"HTTP/2.0 200 OK\r\n\r\n".to_vec(),
        b"SSH-2.0-server\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..20.min(bytes.len())]).into_owned();
        let server = Server::start(move |_| Answer::Close(bytes.clone()));
        let error = client(server.url("/")).post(INFORM, SoapAction::Request);
        assert!(error.is_err(), "{shown}: {error:?}");
    }
}

// T-SES-030
#[test]
fn other_statuses_are_handed_on_with_their_body() {
    for status in [400, 404, 500, 503] {
        let server = Server::start(move |_| {
            keep(
                &format!("{status} Oh"),
                &["Content-Type: text/xml"],
                "<fault/>",
            )
        });
        let reply = client(server.url("/"))
            .post(INFORM, SoapAction::Request)
            .expect("a reply");
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (status, &b"<fault/>"[..])
        );
        assert_eq!(reply.content_type.as_deref(), Some("text/xml"));
    }
}

// T-SES-032
#[test]
fn an_ipv6_literal_is_connected_to_and_bracketed() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 here");
        return;
    }
    let server = Server::start_at("[::1]:0", None, |_| ok());
    let mut client = client(server.url("/"));
    client.post(INFORM, SoapAction::Request).expect("post");
    let want = format!("[::1]:{}", server.address.port());
    assert_eq!(server.requests()[0].header("Host"), Some(want.as_str()));
    assert!(client.local_addr().is_some_and(|a| a.is_ipv6()));
}

#[test]
fn the_source_address_is_kept_to() {
    let server = Server::start(|_| ok());
    let mut settings = config(server.url("/"));
    settings.source = "127.0.0.2".parse().ok();
    settings.dscp = Some(26);
    let mut client = Client::new(settings).expect("a client");
    client.post(INFORM, SoapAction::Request).expect("post");
    let local = client.local_addr().expect("connected");
    assert_eq!(local.ip().to_string(), "127.0.0.2");
}

#[test]
fn the_second_address_of_a_host_is_tried() {
    // `localhost` is ::1 first on most machines; the server listens on IPv4 only.
    let server = Server::start(|_| ok());
    let url = format!("http://localhost:{}/", server.address.port());
    let mut client = client(Url::parse(&url).expect("a URL"));
    assert_eq!(
        client
            .post(INFORM, SoapAction::Request)
            .expect("post")
            .status,
        200
    );
}

#[test]
fn nobody_listening_is_told_with_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let url = Url::parse(&format!("http://{address}/")).expect("a URL");
    let error = client(url)
        .post(INFORM, SoapAction::Request)
        .expect_err("refused");
    assert!(matches!(error, HttpError::Connect(_)), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_running_post_is_ended_from_another_thread() {
    let (say, hear) = std::sync::mpsc::channel();
    let server = Server::start(move |_| {
        let _ = say.send(());
        Answer::Silence
    });
    let mut client = client(server.url("/"));
    let aborter = client.aborter();
    let helper = std::thread::spawn(move || {
        hear.recv().expect("the request arrived");
        aborter.abort();
    });
    let started = std::time::Instant::now();
    assert!(client.post(INFORM, SoapAction::Request).is_err());
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "before its time-out"
    );
    helper.join().expect("aborted");
    assert!(client.post(INFORM, SoapAction::Request).is_err());
}

#[test]
fn settings_that_would_break_a_header_are_refused() {
    let url = Url::parse("http://127.0.0.1/").expect("a URL");
    let mut settings = config(url);
    settings.password = "a\r\nX: y".to_owned();
    let error = Client::new(settings).expect_err("refused");
    assert!(matches!(error, HttpError::Unsendable("password")));
    assert!(!error.to_string().contains("X: y"));
}
