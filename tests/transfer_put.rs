//! Files go to a server whole, once it has said that it takes them.

mod files;
mod net_support;
mod scratch;

use std::thread;
use std::time::{Duration, Instant};

use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::file::FileConfig;
use cwmp_agent::net::http::AllowBasic;
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::progress::{Progress, Stop};
use cwmp_agent::transfer::put::put;
use files::{Expect, FileServer, Guard, Served, Trick, pattern};
use scratch::Scratch;

const USER: &str = "router-7";
const PASSWORD: &str = "s3cret w0rd";
/// Larger than what is sent without asking, and not.
const LARGE: u64 = 300_000;
const SMALL: u64 = 5_000;

fn wire(url: &str) -> FileConfig {
    let mut wire = FileConfig::new(Url::parse(url).expect(url));
    wire.allow_basic = AllowBasic::Always;
    wire.username = USER.to_owned();
    wire.password = PASSWORD.to_owned();
    // A server on a busy machine is no server that keeps silent.
    wire.timeouts.expect = Duration::from_secs(30);
    wire
}

fn sent(wire: FileConfig, length: u64) -> Result<Progress, TransferFault> {
    let scratch = Scratch::new();
    let path = scratch.path("file");
    std::fs::write(&path, pattern(0, length)).expect("written");
    let progress = Progress::default();
    put(wire, &path, &progress, &Stop::default()).map(|()| progress)
}

#[track_caller]
fn fails(wire: FileConfig, length: u64, code: u16) -> String {
    let fault = sent(wire, length).expect_err("a fault");
    assert_eq!(fault.code, code, "{}", fault.text);
    for secret in [USER, PASSWORD, "token"] {
        assert!(!fault.text.contains(secret), "{}", fault.text);
    }
    fault.text
}

fn bodies(server: &FileServer) -> Vec<u64> {
    server.requests().iter().map(|r| r.body).collect()
}

// T-UPL-001
#[test]
fn a_file_goes_with_its_length_and_is_counted() {
    for (length, asks) in [(0, None), (SMALL, None), (LARGE, Some("100-continue"))] {
        for status in [200, 201, 202, 204] {
            let server = FileServer::start();
            server.serve("/up", Served::nothing().put_status(status));
            let progress = sent(wire(&server.url("/up?token=1")), length).expect("sent");
            assert_eq!(server.stored("/up"), Some(pattern(0, length)));
            assert_eq!(u64::from(progress.done()), length);
            assert_eq!(u64::from(progress.total()), length);
            let requests = server.requests();
            assert_eq!(requests.len(), 1);
            assert_eq!(requests[0].method, "PUT");
            assert_eq!(requests[0].target, "/up?token=1");
            assert_eq!(requests[0].header("expect"), asks);
            assert_eq!(requests[0].length(), length);
            assert_eq!(requests[0].header("transfer-encoding"), None);
            let kind = requests[0].header("content-type");
            assert_eq!(kind, Some("application/octet-stream"));
        }
    }
}

// T-UPL-004
#[test]
fn a_challenge_costs_no_large_body_and_a_wrong_password_is_9012() {
    for guard in [
        Guard::basic(USER, PASSWORD),
        Guard::digest(Algorithm::Md5, USER, PASSWORD),
        Guard::digest(Algorithm::Sha256, USER, PASSWORD),
    ] {
        for (length, first) in [(SMALL, SMALL), (LARGE, 0)] {
            let server = FileServer::start();
            server.serve("/up", Served::nothing().guard(guard.clone()));
            let progress = sent(wire(&server.url("/up")), length).expect("sent");
            assert_eq!(server.stored("/up"), Some(pattern(0, length)));
            assert_eq!(u64::from(progress.done()), length);
            assert_eq!(bodies(&server), [first, length]);

            let mut wrong = wire(&server.url("/up?token=1"));
            wrong.password = "guess".to_owned();
            fails(wrong, length, 9012);
            // One answer to the challenge and no third try.
            assert_eq!(server.requests().len(), 4);
            let mut none = wire(&server.url("/up"));
            none.username = String::new();
            fails(none, length, 9012);
            assert_eq!(server.requests().len(), 5);
        }
    }
    let server = FileServer::start();
    let guard = Guard::AuthInt(USER.to_owned(), PASSWORD.to_owned());
    server.serve("/up", Served::nothing().guard(guard));
    let text = fails(wire(&server.url("/up")), SMALL, 9012);
    assert!(text.contains("auth-int"), "{text}");
}

#[test]
fn a_server_that_does_not_know_expect_gets_the_body_all_the_same() {
    let guard = Guard::digest(Algorithm::Md5, USER, PASSWORD);
    let server = FileServer::start();
    let served = Served::nothing().guard(guard);
    server.serve("/up", served.clone().expect(Expect::Ignored));
    let mut ignored = wire(&server.url("/up"));
    ignored.timeouts.expect = Duration::from_millis(50);
    sent(ignored, LARGE).expect("sent after a while");
    assert_eq!(server.stored("/up"), Some(pattern(0, LARGE)));
    assert_eq!(bodies(&server), [LARGE, LARGE]);

    let server = FileServer::start();
    server.serve("/up", served.expect(Expect::Refused));
    sent(wire(&server.url("/up")), LARGE).expect("sent without asking");
    assert_eq!(server.stored("/up"), Some(pattern(0, LARGE)));
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|r| r.header("expect").is_some())
        .collect();
    assert_eq!(asked, [true, false, false]);

    let server = FileServer::start();
    server.serve("/up", Served::nothing().expect(Expect::Hasty));
    sent(wire(&server.url("/up")), LARGE).expect("sent all the same");
    assert_eq!(server.stored("/up"), Some(pattern(0, LARGE)));
    assert_eq!(bodies(&server), [0, LARGE]);
}

#[test]
fn redirects_keep_the_body_and_credentials_their_server() {
    for length in [SMALL, LARGE] {
        let (server, other) = (FileServer::start(), FileServer::start());
        let guard = Guard::digest(Algorithm::Md5, USER, PASSWORD);
        server.serve("/a", Served::redirect(307, "/b"));
        server.serve("/b", Served::redirect(308, "/up"));
        server.serve("/up", Served::nothing().guard(guard.clone()));
        sent(wire(&server.url("/a")), length).expect("sent");
        assert_eq!(server.stored("/up"), Some(pattern(0, length)));

        server.serve(
            "/away",
            Served::redirect(307, other.url("/open")).guard(guard.clone()),
        );
        other.serve("/open", Served::nothing());
        sent(wire(&server.url("/away")), length).expect("sent");
        assert_eq!(other.stored("/open"), Some(pattern(0, length)));
        server.serve("/away", Served::redirect(308, other.url("/guarded")));
        other.serve("/guarded", Served::nothing().guard(guard));
        fails(wire(&server.url("/away")), length, 9012);
        assert!(
            other
                .requests()
                .iter()
                .all(|r| r.header("authorization").is_none())
        );

        server.serve("/circle", Served::redirect(307, "/circle"));
        fails(wire(&server.url("/circle")), length, 9011);
        // 303 asks to GET something else: nothing was taken.
        server.serve("/see", Served::redirect(303, "/b"));
        fails(wire(&server.url("/see")), length, 9011);
    }
}

// T-UPL-004
#[test]
fn each_trouble_has_its_code() {
    let server = FileServer::start();
    for status in [300, 400, 403, 404, 405, 409, 413, 500, 503, 507] {
        for length in [SMALL, LARGE] {
            server.serve("/x", Served::nothing().always(Trick::Status(status)));
            let text = fails(wire(&server.url("/x?token=1")), length, 9011);
            assert!(text.contains(&status.to_string()), "{text}");
        }
    }
    server.serve("/hangup", Served::nothing().always(Trick::Hangup));
    for length in [SMALL, LARGE] {
        fails(wire(&server.url("/hangup")), length, 9011);
    }
    server.serve("/silence", Served::nothing().next(Trick::Silence));
    let mut silence = wire(&server.url("/silence"));
    silence.timeouts.response = Duration::from_millis(100);
    let text = fails(silence, SMALL, 9011);
    assert!(text.contains("in time"), "{text}");
    fails(wire("http://nowhere.invalid/x"), SMALL, 9015);
    fails(wire("https://127.0.0.1:1/x"), SMALL, 9015);
    // A file that is none.
    let scratch = Scratch::new();
    for path in [scratch.path("absent"), scratch.dir().to_owned()] {
        let to = wire(&server.url("/x"));
        let fault = put(to, &path, &Progress::default(), &Stop::default());
        assert_eq!(fault.expect_err("no file").code, 9011);
    }
}

#[test]
fn a_word_ends_it_at_once() {
    let server = FileServer::start();
    let served = || Served::nothing().next(Trick::Silence);
    server.serve("/asked", served().expect(Expect::Ignored));
    server.serve("/small", served());
    for (path, length) in [("/asked", LARGE), ("/small", SMALL)] {
        let scratch = Scratch::new();
        let file = scratch.path("file");
        std::fs::write(&file, pattern(0, length)).expect("written");
        let (stop, begun) = (Stop::default(), Instant::now());
        let before = server.requests().len();
        thread::scope(|scope| {
            let sending =
                scope.spawn(|| put(wire(&server.url(path)), &file, &Progress::default(), &stop));
            while server.requests().len() == before && begun.elapsed() < Duration::from_secs(20) {
                thread::yield_now();
            }
            stop.stop();
            let fault = sending.join().expect("no panic").expect_err("stopped");
            assert_eq!(
                (fault.code, fault.text.as_str()),
                (9011, "the transfer was ended")
            );
        });
        assert!(begun.elapsed() < Duration::from_secs(20), "{path}");
    }
}

#[test]
#[cfg(feature = "tls")]
fn https_takes_it_too() {
    use cwmp_agent::net::tls::{TlsConfig, TlsFiles};
    use net_support::pki::{Authority, Folder};
    use rustls::version::{TLS12, TLS13};
    use std::sync::Arc;
    let ca = Authority::new("Test Root");
    let folder = Folder::new();
    let roots = TlsFiles {
        ca_file: Some(folder.write("ca.pem", &ca.pem())),
        ..TlsFiles::default()
    };
    let now = 1_780_272_000; // 2026-06-01
    let tls = TlsConfig::load(&roots, Arc::new(move || now), 1_704_067_200).expect("a root");
    let leaf = ca.leaf(&["localhost"], 2025, 2030);
    for version in [&TLS12, &TLS13] {
        let server = FileServer::start_tls(leaf.server(&[version]));
        let guard = Guard::digest(Algorithm::Sha256, USER, PASSWORD);
        server.serve("/up", Served::nothing().guard(guard));
        for length in [SMALL, LARGE] {
            let mut good = wire(&server.url_of("localhost", "/up"));
            good.tls = Some(tls.clone().ready());
            sent(good, length).expect("sent");
            assert_eq!(server.stored("/up"), Some(pattern(0, length)));
        }
        let before = server.requests().len();
        let mut name = wire(&server.url("/up"));
        name.tls = Some(tls.clone().ready());
        fails(name, SMALL, 9015);
        assert_eq!(server.requests().len(), before);
    }
}
