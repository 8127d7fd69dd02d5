//! TLS with real handshakes on loopback: what is accepted, what is refused, and in which
//! words.

#![cfg(feature = "tls")]

mod net_support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cwmp_agent::net::auth::challenge::Qop;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::http::{
    Client, ClientConfig, HttpError, Phase, RedirectError, Reply, SoapAction, TlsError,
};
use cwmp_agent::net::tls::{TlsConfig, TlsConfigError, TlsFiles};
use cwmp_agent::net::url::Url;
use net_support::pki::{Authority, Folder, Leaf};
use net_support::{Server, config, keep, ok};
use rustls::version::{TLS12, TLS13};

/// 2026-06-01 and 2024-01-01.
const NOW: i64 = 1_780_272_000;
const FLOOR: i64 = 1_704_067_200;

fn tls_at(ca: &Authority, clock: i64) -> TlsConfig {
    let folder = Folder::new();
    let files = TlsFiles {
        ca_file: Some(folder.write("ca.pem", &ca.pem())),
        ..TlsFiles::default()
    };
    TlsConfig::load(&files, Arc::new(move || clock), FLOOR).expect("a root")
}

fn https(server: &Server, host: &str) -> ClientConfig {
    let url = format!("https://{host}:{}/cwmp", server.address.port());
    config(Url::parse(&url).expect("a URL"))
}

fn post(server: &Server, host: &str, tls: TlsConfig) -> Result<Reply, HttpError> {
    let mut settings = https(server, host);
    settings.tls = Some(tls.ready());
    Client::new(settings)?.post(b"<inform/>", SoapAction::Request)
}

fn both() -> [&'static rustls::SupportedProtocolVersion; 2] {
    [&TLS12, &TLS13]
}

// T-SEC-001 T-SEC-004
#[test]
fn tls_1_2_and_1_3_work_with_names_and_addresses() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost", "127.0.0.1"], 2025, 2030);
    for version in both() {
        let server = Server::start_tls(leaf.server(&[version]), |_| ok());
        for host in ["localhost", "127.0.0.1"] {
            let reply = post(&server, host, tls_at(&ca, NOW)).expect(host);
            assert_eq!(reply.body, b"<ok/>");
        }
    }
}

#[test]
fn a_session_over_tls_keeps_its_connection_and_large_bodies_arrive_whole() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    for version in both() {
        let big = "y".repeat(300_000);
        let server = Server::start_tls(leaf.server(&[version]), move |r| {
            if r.header("Authorization").is_none() {
                let asks = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth\"";
                return keep("401 No", &[asks], "");
            }
            assert!(r.digest_is_right(Algorithm::Md5, Qop::Auth, "cpe", "secret"));
            keep("200 OK", &[], &big)
        });
        let mut settings = https(&server, "localhost");
        settings.tls = Some(tls_at(&ca, NOW).ready());
        let mut client = Client::new(settings).expect("a client");
        for body in [vec![b'x'; 200_000], Vec::new(), vec![b'z'; 10]] {
            let reply = client.post(&body, SoapAction::Response).expect("post");
            assert_eq!(reply.body.len(), 300_000);
            assert!(server.requests().last().is_some_and(|r| r.body == body));
        }
        assert_eq!(client.connections_made(), 1);
    }
}

fn refused(leaf: &Leaf, host: &str, tls: TlsConfig) -> String {
    let server = Server::start_tls(leaf.server(&both()), |_| ok());
    let error = post(&server, host, tls).expect_err("refused");
    assert!(
        matches!(error, HttpError::Tls(TlsError::Certificate { .. })),
        "{error:?}"
    );
    assert!(server.requests().is_empty(), "nothing was said");
    error.to_string()
}

// T-SES-014
#[test]
fn a_kept_connection_that_dies_costs_one_repetition_over_tls_too() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    for version in both() {
        let server = Server::start_tls(leaf.server(&[version]), |r| {
            match (r.connection, r.body.as_slice()) {
                (0, b"two") => net_support::Answer::Close(Vec::new()),
                _ => ok(),
            }
        });
        let mut settings = https(&server, "localhost");
        settings.tls = Some(tls_at(&ca, NOW).ready());
        let mut client = Client::new(settings).expect("a client");
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
}

/// A session's thread has 512 KiB: half of that must do for looking the name up, verifying
/// the chain and reading the answer, also without any optimisation.
#[test]
fn a_handshake_fits_a_small_stack() {
    let root = Authority::new("Test Root");
    let middle = root.below("Middle", 2025);
    let leaf = middle.leaf(&["localhost"], 2025, 2030).with(&middle);
    for version in both() {
        let server = Server::start_tls(leaf.server(&[version]), |_| ok());
        let tls = tls_at(&root, NOW);
        let bad = tls_at(&Authority::new("Other Root"), NOW);
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        let done = thread.spawn(move || {
            let reply = post(&server, "localhost", tls).expect("an answer");
            assert_eq!(reply.body, b"<ok/>");
            assert!(post(&server, "localhost", bad).is_err());
        });
        done.expect("a thread can be started")
            .join()
            .expect("no overflow");
    }
}

// T-SEC-002 T-SEC-003 T-SEC-005 T-SEC-008
#[test]
fn a_bad_certificate_is_refused_and_named() {
    let ca = Authority::new("Test Root");
    let stranger = Authority::new("Somebody Else");
    let good = |from, to| ca.leaf(&["localhost"], from, to);
    let now = || tls_at(&ca, NOW);
    let text = refused(
        &stranger.leaf(&["localhost"], 2025, 2030),
        "localhost",
        now(),
    );
    assert!(text.contains("issuer \"Somebody Else\""), "{text}");
    assert!(text.contains("no root certificate vouches"), "{text}");
    let text = refused(&good(2025, 2030), "127.0.0.1", now());
    assert!(text.contains("not valid for name"), "{text}");
    let text = refused(&good(2020, 2023), "localhost", now());
    assert!(text.contains("expired at 2023-01-01T00:00:00Z"), "{text}");
    assert!(text.contains("now is 2026-06-01T00:00:00Z"), "{text}");
    let text = refused(&good(2030, 2035), "localhost", now());
    assert!(text.contains("good from 2030-01-01T00:00:00Z on"), "{text}");
}

// T-SEC-005
#[test]
fn the_certificate_of_the_chain_that_is_at_fault_is_named() {
    let root = Authority::new("Test Root");
    let young = root.below("Young Middle", 2030);
    let leaf = young.leaf(&["localhost"], 2025, 2035).with(&young);
    let text = refused(&leaf, "localhost", tls_at(&root, NOW));
    assert!(text.contains("subject \"Young Middle\""), "{text}");
    assert!(text.contains("good from 2030-01-01"), "{text}");
    let old = root.below_until("Old Middle", 2026);
    let leaf = old.leaf(&["localhost"], 2025, 2035).with(&old);
    let text = refused(&leaf, "localhost", tls_at(&root, NOW));
    assert!(text.contains("subject \"Old Middle\""), "{text}");
    let middle = root.below("Middle", 2025);
    let leaf = middle.leaf(&["localhost"], 2020, 2023).with(&middle);
    let text = refused(&leaf, "localhost", tls_at(&root, NOW));
    assert!(text.contains("subject \"leaf\""), "{text}");
}

// T-SEC-005, T-SEC-006
#[test]
fn dates_past_2038_count_as_any_others() {
    // 2039-06-01.
    let at = |ca: &Authority| tls_at(ca, 2_190_499_200);
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2038, 2041);
    let server = Server::start_tls(leaf.server(&both()), |_| ok());
    post(&server, "localhost", at(&ca)).expect("valid in 2039");
    let text = refused(&ca.leaf(&["localhost"], 2025, 2039), "localhost", at(&ca));
    assert!(text.contains("now is 2039-06-01"), "{text}");
}

/// A server for some connections, one request each; tells how each handshake went.
fn handshakes(
    server: Arc<rustls::ServerConfig>,
    count: usize,
) -> (
    std::net::SocketAddr,
    std::thread::JoinHandle<Vec<rustls::HandshakeKind>>,
) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let (stream, _) = listener.accept().expect("a client");
            let tls = rustls::ServerConnection::new(server.clone()).expect("a server");
            let mut tls = rustls::StreamOwned::new(tls, stream);
            let mut request = [0; 4096];
            assert!(tls.read(&mut request).expect("a request") > 0);
            kinds.push(tls.conn.handshake_kind().expect("it is over"));
            let reply = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            tls.write_all(reply).expect("written");
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        kinds
    });
    (address, thread)
}

#[test]
fn the_second_session_resumes_the_first_ones_tls() {
    use rustls::HandshakeKind::{Full, Resumed};
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["127.0.0.1"], 2025, 2030);
    for version in both() {
        let (address, server) = handshakes(leaf.server(&[version]), 3);
        let tls = tls_at(&ca, NOW);
        let session = |tls: TlsConfig| {
            let mut settings = config(Url::parse(&format!("https://{address}/")).expect("a URL"));
            settings.tls = Some(tls.ready());
            let mut client = Client::new(settings).expect("a client");
            client.post(b"", SoapAction::None).expect("a reply");
        };
        session(tls.clone());
        session(tls);
        session(tls_at(&ca, NOW));
        let kinds = server.join().expect("no panic");
        assert_eq!(kinds, [Full, Resumed, Full], "{version:?}");
    }
}

// T-SEC-006
#[test]
fn without_a_clock_dates_are_held_against_the_floor_and_nothing_else_is_let_go() {
    let ca = Authority::new("Test Root");
    let dawn = || tls_at(&ca, 100);
    let middle = ca.below("Young Intermediate", 2027);
    for leaf in [
        ca.leaf(&["localhost"], 2023, 2025),
        ca.leaf(&["localhost"], 2025, 2030),
        middle.leaf(&["localhost"], 2025, 2030).with(&middle),
        middle.leaf(&["localhost"], 2028, 2030).with(&middle),
    ] {
        let server = Server::start_tls(leaf.server(&both()), |_| ok());
        post(&server, "localhost", dawn()).expect("connects");
    }
    let text = refused(&ca.leaf(&["localhost"], 2020, 2023), "localhost", dawn());
    assert!(
        text.contains("expired") && text.contains("the clock is not set"),
        "{text}"
    );
    let text = refused(&ca.leaf(&["localhost"], 2025, 2030), "127.0.0.1", dawn());
    assert!(text.contains("not valid for name"), "{text}");
    let stranger = Authority::new("Somebody Else");
    refused(
        &stranger.leaf(&["localhost"], 2025, 2030),
        "localhost",
        dawn(),
    );
    // The leaf ended before its issuer began: no moment at which the chain was good.
    refused(
        &middle.leaf(&["localhost"], 2024, 2026).with(&middle),
        "localhost",
        dawn(),
    );
    // One second above the floor the clock counts again.
    let clocked = tls_at(&ca, FLOOR + 1);
    refused(&ca.leaf(&["localhost"], 2025, 2030), "localhost", clocked);
}

// T-SEC-007
#[test]
fn a_client_certificate_is_shown_when_asked_for() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    let cpe = ca.leaf(&["cpe"], 2020, 2040);
    let folder = Folder::new();
    let mut files = TlsFiles {
        ca_file: Some(folder.write("ca.pem", &ca.pem())),
        client_cert: Some(folder.write("cpe.pem", &cpe.chain.concat())),
        client_key: Some(folder.write("cpe.key", &cpe.key.serialize_pem())),
        ..TlsFiles::default()
    };
    let load = |files: &TlsFiles| TlsConfig::load(files, Arc::new(|| NOW), FLOOR).expect("files");
    let server = Server::start_tls(leaf.asking_server(&ca), |_| ok());
    post(&server, "localhost", load(&files)).expect("with a certificate");
    assert!(server.requests()[0].client_certificate);
    files.client_cert = None;
    files.client_key = None;
    let error = post(&server, "localhost", load(&files)).expect_err("without one");
    assert!(
        matches!(error, HttpError::Tls(_) | HttpError::Closed),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

// T-SES-002
#[test]
fn basic_is_answered_over_tls() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    let server = Server::start_tls(leaf.server(&both()), |r| match r.header("Authorization") {
        Some(value) => {
            assert_eq!(value, "Basic Y3BlOnNlY3JldA==");
            ok()
        }
        None => keep("401 No", &["WWW-Authenticate: Basic realm=\"acs\""], ""),
    });
    let reply = post(&server, "localhost", tls_at(&ca, NOW)).expect("post");
    assert_eq!(reply.status, 200);
}

// T-SES-027 T-SEC-008
#[test]
fn a_redirect_goes_up_to_https_with_its_checks_and_never_down() {
    let ca = Authority::new("Test Root");
    let down = Server::start(|_| ok());
    let low = format!("Location: {}", down.url("/low"));
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    let high = Server::start_tls(leaf.server(&both()), move |r| {
        if r.body == b"down" {
            keep("302 Go", &[&low, "Set-Cookie: s=1; Secure; Path=/"], "")
        } else {
            ok()
        }
    });
    let target = |host: &str| format!("Location: https://{host}:{}/", high.address.port());
    for (host, good) in [("localhost", true), ("127.0.0.1", false)] {
        let location = target(host);
        let start = Server::start(move |_| keep("307 Up", &[&location], ""));
        let mut settings = config(start.url("/"));
        settings.tls = Some(tls_at(&ca, NOW).ready());
        let mut client = Client::new(settings).expect("a client");
        let result = client.post(b"<inform/>", SoapAction::Request);
        if good {
            assert_eq!(result.expect("followed").status, 200);
            let error = client
                .post(b"down", SoapAction::Response)
                .expect_err("down");
            let wanted = matches!(error, HttpError::Redirect(RedirectError::Downgrade(_)));
            assert!(wanted, "{error:?}");
        } else {
            let error = result.expect_err("another name");
            assert!(matches!(error, HttpError::Tls(_)), "{error:?}");
        }
        let start = Server::start({
            let location = target(host);
            move |_| keep("307 Up", &[&location], "")
        });
        let error = Client::new(config(start.url("/")))
            .expect("a client")
            .post(b"", SoapAction::None)
            .expect_err("no TLS configured");
        assert!(matches!(error, HttpError::NoTls(_)), "{error:?}");
    }
    assert!(down.requests().is_empty());
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    let url = |text| config(Url::parse(text).expect("a URL"));
    let error = Client::new(url("https://acs.example/")).expect_err("no TLS");
    assert!(matches!(error, HttpError::NoTls(_)), "{error:?}");
    let mut settings = url("http://acs.example/");
    settings.require_tls = true;
    let error = Client::new(settings).expect_err("plain");
    assert!(matches!(error, HttpError::PlainRefused(_)), "{error:?}");
}

// T-SEC-001
#[test]
fn a_server_of_older_versions_or_none_at_all_is_refused() {
    // A fatal alert "protocol version" in TLS 1.0; plain HTTP; a close without a word.
    let old: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];
    // A ServerHello that settles on TLS 1.0 or 1.1, with a cipher suite of its time.
    let hello = |minor: u8| {
        let mut hello = vec![0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        hello
    };
    let (tls_1_0, tls_1_1) = (hello(1), hello(2));
    let plain = b"HTTP/1.1 400 Bad\r\n\r\n";
    for says in [old, plain, b"", &tls_1_0, &tls_1_1] {
        let says = says.to_vec();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut hello = [0; 4096];
            count.fetch_add(stream.read(&mut hello).expect("a hello"), Ordering::SeqCst);
            let _ = stream.write_all(&says);
        });
        let ca = Authority::new("Test Root");
        let url = format!("https://{address}/");
        let mut settings = config(Url::parse(&url).expect("a URL"));
        settings.tls = Some(tls_at(&ca, NOW).ready());
        let error = Client::new(settings)
            .expect("a client")
            .post(b"", SoapAction::None)
            .expect_err("no TLS there");
        assert!(matches!(error, HttpError::Tls(_)), "{error:?}");
        server.join().expect("no panic");
        assert!(seen.load(Ordering::SeqCst) > 0);
    }
}

#[test]
fn a_handshake_that_hangs_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let ca = Authority::new("Test Root");
    let url = format!("https://{address}/");
    let mut settings = config(Url::parse(&url).expect("a URL"));
    settings.tls = Some(tls_at(&ca, NOW).ready());
    settings.timeouts.connect = std::time::Duration::from_millis(300);
    let error = Client::new(settings)
        .expect("a client")
        .post(b"", SoapAction::None)
        .expect_err("nobody answers");
    assert!(
        matches!(error, HttpError::Timeout(Phase::Connect)),
        "{error:?}"
    );
}

fn load(files: &TlsFiles) -> Result<TlsConfig, TlsConfigError> {
    TlsConfig::load(files, Arc::new(|| NOW), FLOOR)
}

#[test]
fn keys_of_all_three_forms_are_read() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["cpe"], 2020, 2040);
    let folder = Folder::new();
    let mut files = TlsFiles {
        ca_file: Some(folder.write("ca.pem", &ca.pem())),
        client_cert: Some(folder.write("cpe.pem", &leaf.chain.concat())),
        client_key: Some(folder.write("pkcs8.key", &leaf.key.serialize_pem())),
        ..TlsFiles::default()
    };
    load(&files).expect("PKCS#8");
    // The octet string inside PKCS#8 is the SEC1 form.
    let der = leaf.key.serialize_der();
    let at = der
        .windows(4)
        .position(|w| w == [0x04, 0x6d, 0x30, 0x6b])
        .expect("a P-256 key");
    let sec1 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der[at + 2..]);
    let text = format!("-----BEGIN EC PRIVATE KEY-----\n{sec1}\n-----END EC PRIVATE KEY-----\n");
    files.client_key = Some(folder.write("sec1.key", &text));
    load(&files).expect("SEC1");
    files.client_cert = Some(folder.write("rsa.pem", include_str!("net_support/rsa_cert.pem")));
    let key = include_str!("net_support/rsa_key_pkcs1.pem");
    files.client_key = Some(folder.write("rsa.key", key));
    load(&files).expect("PKCS#1");
}

#[test]
fn bad_files_are_errors_that_name_them() {
    let ca = Authority::new("Test Root");
    let (one, other) = (ca.leaf(&["a"], 2020, 2040), ca.leaf(&["b"], 2020, 2040));
    let folder = Folder::new();
    let ca_file = folder.write("ca.pem", &ca.pem());
    let cert = folder.write("one.pem", &one.chain.concat());
    let key = folder.write("other.key", &other.key.serialize_pem());
    let nonsense = folder.write("nonsense.pem", "this is no PEM");
    let broken = folder.write(
        "broken.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let big = folder.write("big.pem", &"x".repeat(2 * 1024 * 1024));
    let files = |cert: Option<_>, key: Option<_>| TlsFiles {
        ca_file: Some(ca_file.clone()),
        client_cert: cert,
        client_key: key,
        ..TlsFiles::default()
    };
    let root = |path| TlsFiles {
        ca_file: Some(path),
        ..TlsFiles::default()
    };
    let fails = |files: &TlsFiles, words: &str| {
        let text = load(files).expect_err(words).to_string();
        assert!(text.contains(words), "{words}: {text}");
    };
    fails(&files(Some(cert.clone()), Some(key.clone())), "other.key");
    fails(&files(Some(cert.clone()), None), "both or neither");
    fails(&files(None, Some(key)), "both or neither");
    fails(
        &files(Some(cert.clone()), Some(nonsense.clone())),
        "no private key",
    );
    fails(&files(Some(cert), Some(broken)), "broken.key");
    fails(&root(nonsense), "no certificate");
    fails(&root(big), "larger than 1 MiB");
    fails(&root(folder.path().join("absent.pem")), "absent.pem");
    let directory = TlsFiles {
        ca_path: Some(folder.path().join("absent")),
        ..TlsFiles::default()
    };
    fails(&directory, "absent");
}

#[test]
fn roots_come_from_a_directory_or_from_the_systems_bundle_below_root() {
    let ca = Authority::new("Test Root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    let server = Server::start_tls(leaf.server(&both()), |_| ok());
    let folder = Folder::new();
    folder.write("roots/a.pem", &ca.pem());
    folder.write("roots/a1b2.0", &ca.pem());
    folder.write("roots/README", "not a certificate");
    folder.write("roots/broken.crt", "not a certificate either");
    folder.write("root/etc/ssl/certs/ca-certificates.crt", &ca.pem());
    let directory = TlsFiles {
        ca_path: Some(folder.path().join("roots")),
        ..TlsFiles::default()
    };
    let system = TlsFiles {
        root: folder.path().join("root"),
        ..TlsFiles::default()
    };
    for files in [directory, system] {
        post(&server, "localhost", load(&files).expect("roots")).expect("trusted");
    }
    let none = TlsFiles {
        root: folder.path(),
        ..TlsFiles::default()
    };
    let error = load(&none).expect_err("no bundle");
    assert!(matches!(error, TlsConfigError::NoRoots { .. }), "{error}");
    assert!(error.to_string().contains("etc/ssl/cert.pem"), "{error}");
}
