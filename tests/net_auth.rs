//! The HTTP client answers challenges: every form of digest, Basic where it may.

mod net_support;

use cwmp_agent::net::auth::challenge::Qop;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::http::{AllowBasic, AuthError, Client, HttpError, SoapAction};
use net_support::{Answer, Server, answer, client, config, keep, ok};

const INFORM: &[u8] = b"<inform/>";

/// A challenge with these parameters besides realm and nonce.
fn challenge(nonce: &str, more: &str) -> Answer {
    let header = format!("WWW-Authenticate: Digest realm=\"acs\", nonce=\"{nonce}\"{more}");
    keep("401 Unauthorized", &[&header], "please")
}

// T-SES-001 T-SES-005 T-SES-006 T-SES-034 T-SES-035
#[test]
fn every_form_of_digest_is_answered_on_the_same_connection_and_kept() {
    for (more, algorithm, qop) in [
        ("", Algorithm::Md5, Qop::None),
        (", algorithm=MD5", Algorithm::Md5, Qop::None),
        (", qop=\"auth\"", Algorithm::Md5, Qop::Auth),
        (
            ", qop=\"auth,auth-int\", algorithm=MD5",
            Algorithm::Md5,
            Qop::Auth,
        ),
        (", qop=auth-int", Algorithm::Md5, Qop::AuthInt),
        (
            ", qop=\"auth\", algorithm=MD5-sess",
            Algorithm::Md5Sess,
            Qop::Auth,
        ),
        (
            ", qop=\"auth\", algorithm=SHA-256, opaque=\"op\"",
            Algorithm::Sha256,
            Qop::Auth,
        ),
        (
            ", qop=\"auth-int\", algorithm=SHA-256-sess",
            Algorithm::Sha256Sess,
            Qop::AuthInt,
        ),
    ] {
        let asks = more.to_owned();
        let server = Server::start(move |r| {
            if r.header("Authorization").is_none() {
                challenge("n1", &asks)
            } else if r.digest_is_right(algorithm, qop, "cpe", "secret") {
                ok()
            } else {
                keep("403 Forbidden", &[], "")
            }
        });
        let mut client = client(server.url("/cwmp?a=b"));
        let kinds = [SoapAction::Request, SoapAction::None, SoapAction::Response];
        for (body, kind) in [INFORM, b"", b"<r/>"].into_iter().zip(kinds) {
            let reply = client.post(body, kind).expect(more);
            assert_eq!(reply.status, 200, "{more}");
        }
        let seen = server.requests();
        assert_eq!(seen.len(), 4, "{more}: one challenge only");
        assert!(seen.iter().all(|r| r.connection == 0), "{more}");
        assert_eq!(seen[0].body, seen[1].body, "{more}: the body is repeated");
        if qop != Qop::None {
            let counts: Vec<_> = seen[1..].iter().filter_map(|r| r.param("nc")).collect();
            assert_eq!(counts, ["00000001", "00000002", "00000003"], "{more}");
        }
        let opaque = more.contains("opaque").then(|| "op".to_owned());
        assert_eq!(seen[1].param("opaque"), opaque);
    }
}

// T-SES-003
#[test]
fn a_wrong_password_ends_after_two_401() {
    let mut n = 0;
    let server = Server::start(move |_| {
        n += 1;
        challenge(&format!("n{n}"), ", qop=\"auth\"")
    });
    let mut client = client(server.url("/"));
    let error = client
        .post(INFORM, SoapAction::Request)
        .expect_err("refused");
    assert!(
        matches!(error, HttpError::Auth(AuthError::Rejected)),
        "{error}"
    );
    assert_eq!(server.requests().len(), 2);
    assert!(!format!("{error} {error:?}").contains("secret"));
}

// T-SES-004
#[test]
fn a_stale_nonce_in_mid_session_repeats_only_that_post() {
    let server = Server::start(|r| match (r.param("nonce").as_deref(), &r.body[..]) {
        (None, _) => challenge("n1", ", qop=\"auth\""),
        (Some("n1"), b"two") => challenge("n2", ", qop=\"auth\", stale=true"),
        // Too old again, though answered at once: a server may do that.
        (Some("n2"), b"two") => challenge("n3", ", qop=\"auth\", stale=true"),
        _ if r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret") => ok(),
        _ => keep("403 Forbidden", &[], ""),
    });
    let mut client = client(server.url("/"));
    for body in [&b"one"[..], b"two", b"three"] {
        assert_eq!(
            client.post(body, SoapAction::Request).expect("post").status,
            200
        );
    }
    let bodies: Vec<_> = server.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(
        bodies,
        [&b"one"[..], b"one", b"two", b"two", b"two", b"three"]
    );
}

#[test]
fn a_server_that_calls_every_nonce_stale_does_not_hold_us_for_ever() {
    let mut n = 0;
    let server = Server::start(move |_| {
        n += 1;
        challenge(&format!("n{n}"), ", qop=\"auth\", stale=true")
    });
    let mut client = client(server.url("/"));
    let error = client
        .post(INFORM, SoapAction::Request)
        .expect_err("refused");
    assert!(
        matches!(error, HttpError::Auth(AuthError::Rejected)),
        "{error}"
    );
    assert!(server.requests().len() <= 5);
}

#[test]
fn a_nonce_bound_to_its_connection_is_asked_for_again_on_the_next() {
    // Closes after every good answer: each POST comes over a new connection and is challenged
    // there anew, without a word of stale.
    let server = Server::start(|r| {
        let own = format!("c{}", r.connection);
        if r.param("nonce").as_deref() == Some(own.as_str())
            && r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret")
        {
            Answer::Close(answer("200 OK", &["Connection: close"], "<ok/>"))
        } else {
            challenge(&own, ", qop=\"auth,auth-int\"")
        }
    });
    let mut client = client(server.url("/"));
    for _ in 0..3 {
        assert_eq!(
            client
                .post(INFORM, SoapAction::Request)
                .expect("post")
                .status,
            200
        );
    }
    assert_eq!(server.requests().len(), 6);
    assert_eq!(client.connections_made(), 3);
}

#[test]
fn nextnonce_is_used_with_a_count_from_one() {
    let server = Server::start(|r| {
        if r.header("Authorization").is_none() {
            return challenge("n1", ", qop=\"auth\"");
        }
        assert!(r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret"));
        keep(
            "200 OK",
            &["Authentication-Info: nextnonce=\"fresh\", qop=auth"],
            "",
        )
    });
    let mut client = client(server.url("/"));
    client.post(INFORM, SoapAction::Request).expect("first");
    client.post(b"", SoapAction::None).expect("second");
    let last = server.requests().pop().expect("requests");
    assert_eq!(last.param("nonce").as_deref(), Some("fresh"));
    assert_eq!(last.param("nc").as_deref(), Some("00000001"));
}

#[test]
fn digest_is_preferred_wherever_it_stands() {
    let server = Server::start(|r| {
        if r.header("Authorization").is_none() {
            return keep(
                "401 Unauthorized",
                &[
                    "WWW-Authenticate: Basic realm=\"b\", Bearer",
                    "WWW-Authenticate: Digest realm=\"x\", nonce=\"s\", algorithm=SHA-512-256",
                    "www-authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth\"",
                ],
                "",
            );
        }
        assert!(r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret"));
        ok()
    });
    let mut config = config(server.url("/"));
    config.allow_basic = AllowBasic::Always;
    let mut client = Client::new(config).expect("a client");
    assert_eq!(
        client
            .post(INFORM, SoapAction::Request)
            .expect("post")
            .status,
        200
    );
}

// T-SES-002
#[test]
fn basic_over_plain_http_only_where_it_is_allowed_always() {
    let start = || {
        Server::start(|r| match r.header("Authorization") {
            Some("Basic Y3BlOnNlY3JldA==") => ok(),
            Some(other) => panic!("{other}"),
            None => keep("401 No", &["WWW-Authenticate: Basic realm=\"acs\""], ""),
        })
    };
    for allow in [AllowBasic::Tls, AllowBasic::Never, AllowBasic::Always] {
        let server = start();
        let mut config = config(server.url("/"));
        config.allow_basic = allow;
        let mut client = Client::new(config).expect("a client");
        let result = client.post(INFORM, SoapAction::Request);
        if allow == AllowBasic::Always {
            assert_eq!(result.expect("allowed").status, 200);
            client.post(b"", SoapAction::None).expect("kept");
            assert_eq!(server.requests().len(), 3, "sent unasked the second time");
        } else {
            let error = result.expect_err("not allowed");
            assert!(
                matches!(error, HttpError::Auth(AuthError::BasicRefused)),
                "{error}"
            );
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[test]
fn what_cannot_be_answered_is_named() {
    let server = Server::start(|_| keep("401 No", &["WWW-Authenticate: Negotiate"], ""));
    let error = client(server.url("/"))
        .post(INFORM, SoapAction::Request)
        .expect_err("unknown scheme");
    assert!(error.to_string().contains("Negotiate"), "{error}");
    let server = Server::start(|_| challenge("n", ""));
    let mut config = config(server.url("/"));
    config.username.clear();
    let error = Client::new(config)
        .expect("a client")
        .post(INFORM, SoapAction::Request)
        .expect_err("no credentials");
    assert!(matches!(error, HttpError::Auth(AuthError::NoCredentials)));
}

// T-SES-004
#[test]
fn a_new_nonce_at_any_post_of_the_same_connection_is_taken_without_stale() {
    // Each nonce is good for two POSTs, and the ACS never says why it wants another one.
    let mut posts = 0;
    let server = Server::start(move |r| {
        let current = format!("n{}", posts / 2);
        if r.param("nonce").as_deref() != Some(&current) {
            return challenge(&current, ", qop=\"auth\"");
        }
        assert!(r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret"));
        posts += 1;
        ok()
    });
    let mut client = client(server.url("/"));
    for body in [INFORM, b"", b"<a/>", b"<b/>", b"<c/>"] {
        let reply = client.post(body, SoapAction::Response).expect("a reply");
        assert_eq!(reply.status, 200);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 5 + 3, "one repetition for each nonce");
    assert!(requests.iter().all(|r| r.connection == 0));
}
