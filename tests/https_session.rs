//! Whole sessions over TLS, with certificates made for the occasion.

mod acs;
mod cpe;

use acs::*;
use cpe::Cpe;
use cwmp_agent::store::state::StateDir;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
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

    /// A server that shows a certificate for this name.
    fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &*self.0).expect("a certificate");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        Arc::new(config)
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
