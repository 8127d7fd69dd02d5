//! What must not be written anywhere: passwords, answers to challenges, cookies.

mod net_support;

use std::sync::Mutex;

use cwmp_agent::net::file::{FileClient, FileConfig};
use cwmp_agent::net::http::{AllowBasic, Client, SoapAction};
use net_support::{Server, config, keep, ok};

static LINES: Mutex<String> = Mutex::new(String::new());

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut lines = LINES.lock().expect("no panic while logging");
        lines.push_str(&format!("{} {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

// T-SEC-009
#[test]
fn no_secret_reaches_the_log_at_any_level() {
    log::set_logger(&Capture).expect("the only logger");
    log::set_max_level(log::LevelFilter::Trace);
    let cookie = "Set-Cookie: session=c00k1e-value";
    let digest = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n0nce-value\", qop=\"auth\"";
    for challenge in [digest, "WWW-Authenticate: Basic realm=\"r\""] {
        let server = Server::start(move |r| match r.header("Authorization") {
            None => keep("401 No", &[challenge, cookie], ""),
            Some(_) => ok(),
        });
        let mut settings = config(server.url("/"));
        settings.allow_basic = AllowBasic::Always;
        settings.password = "hunter2-secret".to_owned();
        let shown = format!("{settings:?}");
        let mut client = Client::new(settings).expect("a client");
        let shown = format!("{shown} {client:?}");
        for _ in 0..2 {
            client
                .post(b"<inform/>", SoapAction::Request)
                .expect("post");
        }
        let mut wire = FileConfig::new(server.url("/file?key=quer1-value"));
        wire.allow_basic = AllowBasic::Always;
        wire.username = "cpe".to_owned();
        wire.password = "hunter2-secret".to_owned();
        let shown = format!("{shown} {wire:?}");
        let mut files = FileClient::new(wire).expect("a client");
        let shown = format!("{shown} {files:?}");
        let incoming = files.get(None).expect("a file");
        let shown = format!("{shown} {incoming:?}");
        assert!(!shown.contains("quer1-value"), "{shown}");
        let of_file = server.requests().pop().expect("requests");
        let of_file = of_file.header("Authorization").expect("sent").to_owned();
        let sent = server
            .requests()
            .into_iter()
            .rfind(|r| r.line.starts_with("POST"))
            .expect("requests");
        let mut secrets = vec![
            of_file,
            "hunter2-secret".to_owned(),
            "c00k1e-value".to_owned(),
            sent.header("Authorization").expect("sent").to_owned(),
        ];
        secrets.extend(sent.param("response"));
        if let Some(coded) = sent
            .header("Authorization")
            .expect("sent")
            .strip_prefix("Basic ")
        {
            secrets.push(coded.to_owned());
        }
        let lines = LINES.lock().expect("no panic while logging");
        assert!(lines.contains("ureq"), "the library's own lines are seen");
        // A dump shows sixteen bytes a row: look for the pieces of a row too.
        for secret in &secrets {
            let piece = &secret[..secret.len().min(6)];
            if !piece.starts_with("Digest") && !piece.starts_with("Basic") {
                assert!(!lines.contains(piece), "{piece}");
            }
            assert!(!lines.contains(secret.as_str()), "{secret}");
            assert!(!shown.contains(secret.as_str()), "{secret}");
        }
    }
}
