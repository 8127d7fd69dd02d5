//! Whole sessions over TLS, with certificates made for the occasion.

#![cfg(feature = "tls")]

mod acs;
mod cpe;

use acs::*;
use cpe::Cpe;
use cwmp_agent::store::state::StateDir;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this name, until this year, and its key.
    fn signed(&self, name: &str, until: i32) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &*self.0).expect("a certificate");
        (certificate, key)
    }

    /// A server that shows a certificate for this name.
    fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        self.server_until(name, 2090, None)
    }

    /// The same with a certificate until this year; asks for one of `clients`.
    fn server_until(
        &self,
        name: &str,
        until: i32,
        clients: Option<&Authority>,
    ) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.signed(name, until);
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(authority.0.der().clone()).expect("a root");
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    provider,
                );
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        Arc::new(builder.with_single_cert(chain, key).expect("a pair"))
    }
}

fn cpe(url: &str, authority: &Authority) -> Cpe {
    let cpe = Cpe::new(url);
    cpe.router
        .write("/etc/acs.pem", &authority.pem())
        .expect("a CA file");
    cpe.edit("acs", "ca_file", "/etc/acs.pem");
    cpe
}

fn set() -> Rpc {
    set_values(&[("Device.Time.NTPServer1", "string", "tls.example")], "k")
}

// T-SEC-001, T-SES-002
#[test]
fn a_session_over_https_with_basic_authentication_is_completed() {
    let authority = Authority::new();
    let account = Auth::Basic {
        username: "user".into(),
        password: "secret".into(),
        realm: "ACS".into(),
    };
    let config = AcsConfig::default()
        .tls(authority.server("127.0.0.1"))
        .auth(account)
        .session(Script::of([set()]));
    let acs = Acs::start(config).expect("an ACS");
    assert!(acs.url().starts_with("https://"));
    let cpe = cpe(&acs.url(), &authority);
    cpe.edit("acs", "username", "user");
    cpe.edit("acs", "password", "secret");
    cpe.edit("acs", "require_tls", "1");
    let out = cpe.cli(&["run", "--once"]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(cpe.get("Device.Time.NTPServer1"), "tls.example");
    acs.finish().unwrap();
}

// T-SEC-002, T-SEC-003, T-SEC-008
#[test]
fn a_certificate_that_does_not_fit_gets_no_byte_of_the_inform() {
    let authority = Authority::new();
    for (what, server) in [
        ("another name", authority.server("acs.example.net")),
        ("another authority", Authority::new().server("127.0.0.1")),
    ] {
        let acs = Acs::start(AcsConfig::default().tls(server)).expect("an ACS");
        let cpe = cpe(&acs.url(), &authority);
        let out = cpe.cli(&["run", "--once"]);
        assert_eq!(out.status.code(), Some(3), "{what}");
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(log.contains("certificate"), "{what}: {log}");
        assert!(acs.record().exchanges.is_empty(), "{what}");
    }
}

// T-RTY-010
#[test]
fn a_refused_certificate_is_a_failed_session_that_is_tried_again() {
    let authority = Authority::new();
    let stranger = Authority::new().server("127.0.0.1");
    let acs = Acs::start(AcsConfig::default().tls(stranger)).expect("an ACS");
    let mut cpe = cpe(&acs.url(), &authority);
    cpe.start();
    let log = cpe.wait_text("/tmp/log", |log| log.contains("next attempt in"));
    assert!(log.contains("session failed (1 in a row)"), "{log}");
    let told = cpe.status();
    assert_eq!(told["retry"]["count"], 1);
    assert_eq!(told["pending_events"][0][0], "0 BOOTSTRAP");
    assert!(acs.record().exchanges.is_empty());
}

// T-SEC-006
#[test]
fn the_time_is_kept_after_a_session_over_https_only() {
    let authority = Authority::new();
    let old = 1_700_000_000i64;
    for (https, config) in [
        (false, AcsConfig::default()),
        (
            true,
            AcsConfig::default().tls(authority.server("127.0.0.1")),
        ),
    ] {
        let acs = Acs::start(config).expect("an ACS");
        let cpe = cpe(&acs.url(), &authority);
        let dir = cpe.router.path("/etc/cwmp-agent/state");
        std::fs::create_dir_all(&dir).expect("a folder");
        let state = StateDir::open(&dir).expect("a state folder");
        state.save("clock", &old).expect("saved");
        let out = cpe.cli(&["run", "--once"]);
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{log}");
        let kept: i64 = state.load("clock").expect("a time");
        assert_eq!(kept > old, https, "{kept}");
        acs.finish().unwrap();
    }
}

#[test]
fn require_tls_refuses_an_acs_without_it() {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let cpe = Cpe::new(&acs.url());
    cpe.edit("acs", "require_tls", "1");
    let out = cpe.cli(&["run", "--once"]);
    assert_eq!(out.status.code(), Some(3));
    assert!(acs.record().exchanges.is_empty());
    acs.finish().unwrap();
}

// T-SES-002
#[test]
fn basic_is_not_sent_in_the_clear_unless_allowed() {
    let account = || Auth::Basic {
        username: "user".into(),
        password: "secret".into(),
        realm: "ACS".into(),
    };
    let run = |allow: Option<&str>| {
        let acs = Acs::start(AcsConfig::default().auth(account())).expect("an ACS");
        let cpe = Cpe::new(&acs.url());
        cpe.edit("acs", "username", "user");
        cpe.edit("acs", "password", "secret");
        if let Some(allow) = allow {
            cpe.edit("acs", "allow_basic", allow);
        }
        let status = cpe.cli(&["run", "--once"]).status.code();
        (status, acs.finish().unwrap())
    };
    let (status, record) = run(None);
    assert_eq!(status, Some(3));
    let told = |r: &Record| {
        r.exchanges
            .iter()
            .any(|e| e.request.header("authorization").is_some())
    };
    assert!(!told(&record));
    assert!(!told(&run(Some("never")).1));
    assert_eq!(run(Some("always")).0, Some(0));
}

// T-SES-027
#[test]
fn a_redirect_to_https_is_followed_with_its_certificate_checked() {
    let authority = Authority::new();
    let secure = Acs::start(
        AcsConfig::default()
            .tls(authority.server("127.0.0.1"))
            .session(Script::of([set()])),
    )
    .expect("an ACS");
    let to = Target::Url(secure.url());
    let plain = Acs::start(AcsConfig::default().rule(Rule::once(
        When::Message("Inform"),
        Trouble::Redirect { status: 302, to },
    )))
    .expect("an ACS");
    let good = cpe(&plain.url(), &authority);
    let out = good.cli(&["run", "--once"]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(good.get("Device.Time.NTPServer1"), "tls.example");
    secure.finish().unwrap();
}

/// `run --once` that must end with this exit status; what it logged.
fn once(cpe: &Cpe, status: i32) -> String {
    let out = cpe.cli(&["run", "--once", "-v"]);
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(status), "{log}");
    log
}

// T-SEC-005, T-SEC-006
#[test]
fn an_expired_certificate_is_refused_by_the_clock_and_by_the_time_kept() {
    let authority = Authority::new();
    // 2050-01-01, later than the clock: it is the floor.
    for (until, kept, good) in [
        (2025, None, false),
        (2045, None, true),
        (2045, Some(2_524_608_000i64), false),
        (2055, Some(2_524_608_000), true),
    ] {
        let server = authority.server_until("127.0.0.1", until, None);
        let acs = Acs::start(AcsConfig::default().tls(server)).expect("an ACS");
        let cpe = cpe(&acs.url(), &authority);
        if let Some(kept) = kept {
            let dir = cpe.router.path("/etc/cwmp-agent/state");
            std::fs::create_dir_all(&dir).expect("a folder");
            let state = StateDir::open(&dir).expect("a state folder");
            state.save("clock", &kept).expect("saved");
        }
        let log = once(&cpe, if good { 0 } else { 3 });
        assert_eq!(
            log.contains("it expired at"),
            !good,
            "{until} {kept:?}: {log}"
        );
        assert_eq!(acs.record().exchanges.is_empty(), !good);
        acs.finish().unwrap();
    }
}

// T-SEC-007
#[test]
fn the_agent_shows_its_client_certificate() {
    let authority = Authority::new();
    let clients = Authority::new();
    let server = authority.server_until("127.0.0.1", 2090, Some(&clients));
    let acs = Acs::start(AcsConfig::default().tls(server)).expect("an ACS");
    let cpe = cpe(&acs.url(), &authority);
    once(&cpe, 3);
    let (certificate, key) = clients.signed("cpe", 2090);
    let pair = [("cert", certificate.pem()), ("key", key.serialize_pem())];
    for (name, text) in pair {
        let path = format!("/etc/client.{name}");
        cpe.router.write(&path, &text).expect("a file");
        cpe.edit("acs", &format!("client_{name}"), &path);
    }
    once(&cpe, 0);
    assert_eq!(acs.record().exchanges.len(), 3);
    acs.finish().unwrap();
}

// T-SEC-007
#[test]
fn a_bad_client_pair_is_told_by_check_and_at_the_start() {
    let authority = Authority::new();
    let (certificate, _) = authority.signed("cpe", 2090);
    let (_, other_key) = authority.signed("cpe", 2090);
    // Neither https nor roots: the pair is wrong all the same.
    let mut cpe = Cpe::new("");
    cpe.router
        .write("/etc/a.pem", &certificate.pem())
        .expect("a file");
    cpe.router
        .write("/etc/a.key", &other_key.serialize_pem())
        .expect("a file");
    let check = |cpe: &Cpe, says: &str| {
        let out = cpe.cli(&["check"]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    };
    cpe.edit("acs", "ca_file", "/etc/acs.pem");
    cpe.router
        .write("/etc/acs.pem", &authority.pem())
        .expect("a file");
    cpe.edit("acs", "client_key", "/etc/a.key");
    check(&cpe, "both or neither");
    cpe.edit("acs", "client_cert", "/etc/a.pem");
    check(&cpe, "cannot be used together");
    cpe.start();
    let log = cpe.wait_text("/tmp/log", |t| {
        t.contains("client certificate cannot be used")
    });
    assert!(log.contains("a.pem and"), "{log}");
    // The daemon runs, and says it of settings that change, too.
    cpe.edit("acs", "client_key", "");
    cpe.wait_text("/tmp/log", |t| t.contains("both or neither"));
    cpe.stop();
}

#[test]
fn check_looks_at_tls_whatever_of_it_is_configured() {
    let cpe = Cpe::new("HTTPS://acs.example/");
    let refused = |cpe: &Cpe| {
        let out = cpe.cli(&["check"]);
        assert_eq!(out.status.code(), Some(2));
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    std::fs::remove_dir_all(cpe.router.path("/etc/ssl")).ok();
    assert!(refused(&cpe).contains("no root certificates"));
    cpe.option("url", "http://acs.example/");
    cpe.edit("acs", "ca_path", "/etc/nowhere");
    assert!(refused(&cpe).contains("/etc/nowhere"));
    cpe.edit("acs", "ca_path", "");
    cpe.edit("acs", "client_key", "/etc/nowhere.key");
    assert!(refused(&cpe).contains("both or neither"));
}

#[test]
fn roots_of_a_folder_and_of_the_system_count_and_a_new_one_is_seen_without_a_restart() {
    let authority = Authority::new();
    let other = Authority::new();
    for (folder, at) in [
        (Some("/etc/roots"), "/etc/roots/a.pem"),
        (None, "/etc/ssl/certs/ca-certificates.crt"),
    ] {
        let acs = Acs::start(AcsConfig::default().tls(authority.server("127.0.0.1")));
        let acs = acs.expect("an ACS");
        let mut cpe = Cpe::new(&acs.url());
        cpe.without_listener();
        cpe.edit("acs", "retry_min_wait_interval", "1000");
        if let Some(folder) = folder {
            cpe.edit("acs", "ca_path", folder);
        }
        let path = cpe.router.path(at);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, other.pem()).expect("a root");
        cpe.start();
        cpe.wait_text("/tmp/log", |t| t.contains("is refused"));
        cpe.wait_text("/tmp/log", |t| t.contains("next attempt"));
        assert!(acs.record().exchanges.is_empty(), "{at}");
        // In place, as a package manager may do it.
        std::fs::write(&path, format!("{}{}", other.pem(), authority.pem())).expect("a root");
        cpe.ok(&["inform"]);
        let session = acs.wait_session(1, cpe::PATIENCE).expect("a session");
        assert!(session.complete(), "{at}: {:?}", session.end);
        cpe.stop();
        acs.finish().unwrap();
    }
}
