//! A front that is not ours: nginx redirects from http to https, ends TLS with OpenSSL, asks
//! for a client certificate, compresses, and closes connections as it likes.

#![cfg(feature = "tls")]

mod acs;
mod cpe;
mod scratch;

use acs::*;
use cpe::{Cpe, PATIENCE};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use scratch::Scratch;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// nginx, if this machine has it. With `CI` set it must.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let found = folders
        .into_iter()
        .map(|f| f.join("nginx"))
        .find(|p| p.is_file());
    if found.is_none() {
        let ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty());
        assert!(
            !ci,
            "nginx is missing: install the Debian package of that name"
        );
        println!("skipped: no nginx here");
    }
    found
}

struct Front {
    child: Child,
    folder: Scratch,
    /// Of the server that redirects.
    plain: u16,
}

impl Front {
    /// Ports are chosen by the kernel: nginx takes over sockets that listen already, as it does
    /// when it is upgraded on the fly.
    fn start(program: &PathBuf, acs: u16, authority: &Authority) -> Front {
        let folder = Scratch::new();
        let (cert, key) = authority.signed("127.0.0.1");
        folder.file("cert.pem", &cert);
        folder.file("key.pem", &key);
        folder.file("ca.pem", &authority.0.pem());
        let [plain, secure] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let port = |l: &TcpListener| l.local_addr().expect("an address").port();
        let dir = folder.dir().display();
        let text = format!(
            "daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
             events {{ worker_connections 64; }}
             http {{
               access_log {dir}/access.log;
               client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
               fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
               upstream acs {{ server 127.0.0.1:{acs}; keepalive 2; }}
               server {{
                 listen 127.0.0.1:{plain};
                 location / {{ return 307 https://127.0.0.1:{secure}$request_uri; }}
               }}
               server {{
                 listen 127.0.0.1:{secure} ssl;
                 ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
                 ssl_verify_client on; ssl_client_certificate {dir}/ca.pem;
                 keepalive_requests 3;
                 gzip on; gzip_types text/xml; gzip_min_length 1; gzip_proxied any;
                 location / {{
                   proxy_pass http://acs; proxy_http_version 1.1;
                   proxy_set_header Host $http_host; proxy_set_header Connection \"\";
                 }}
               }}
             }}",
            plain = port(&plain),
            secure = port(&secure),
        );
        let config = folder.file("nginx.conf", &text);
        let mut inherited = String::new();
        for listener in [&plain, &secure] {
            fcntl(listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("inheritable");
            inherited += &format!("{};", listener.as_raw_fd());
        }
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.dir())
            .arg("-c")
            .arg(config)
            .env("NGINX", inherited)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let front = Front {
            child,
            plain: port(&plain),
            folder,
        };
        front.wait_until_it_runs();
        front
    }

    fn wait_until_it_runs(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.folder.path("pid").exists() {
            assert!(Instant::now() < until, "{}", self.errors());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/acs", self.plain)
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path("error.log")).unwrap_or_default()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // The master ends its worker.
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- nginx ---\n{}", self.errors());
        }
    }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = "Test Authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// A certificate for this name and its key, PEM.
    fn signed(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        // OpenSSL takes one that is named like its issuer for self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &*self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

fn acs_port(acs: &Acs) -> u16 {
    let url = acs.url();
    let origin = url.split('/').nth(2).expect("an authority");
    let (_, port) = origin.rsplit_once(':').expect("a port");
    port.parse().expect("a number")
}

/// A router that trusts this authority and has a certificate of it.
fn router(front: &Front, authority: &Authority) -> Cpe {
    let cpe = Cpe::new(&front.url());
    let (certificate, key) = authority.signed("cpe");
    for (option, text) in [
        ("ca_file", authority.0.pem()),
        ("client_cert", certificate),
        ("client_key", key),
    ] {
        let path = format!("/etc/{option}.pem");
        cpe.router.write(&path, &text).expect("a file");
        cpe.edit("acs", option, &path);
    }
    cpe.edit("acs", "username", "user");
    cpe.edit("acs", "password", "secret");
    cpe
}

// T-SEC-001, T-SEC-007, T-SES-002, T-SES-012, T-SES-023, T-SES-027, T-SES-031
#[test]
fn sessions_go_through_nginx_as_a_redirecting_tls_front() {
    let Some(program) = program() else { return };
    let basic = Auth::Basic {
        username: "user".into(),
        password: "secret".into(),
        realm: "ACS".into(),
    };
    let behaviour = Behaviour {
        takes: Takes::Codings,
        ..Behaviour::default()
    };
    let gets = || (0..5).map(|_| get_values(&["Device.DeviceInfo."]));
    let set = |value| set_values(&[("Device.Time.NTPServer1", "string", value)], "k");
    let acs = Acs::start(
        AcsConfig::default()
            .auth(basic)
            .behaviour(behaviour)
            .session(Script::of(gets()).then(set("one.example")))
            .session(Script::of(gets()).then(set("two.example"))),
    )
    .expect("an ACS");
    let authority = Authority::new();
    let front = Front::start(&program, acs_port(&acs), &authority);
    let cpe = router(&front, &authority);
    for (coding, value) in [("Disabled", "one.example"), ("GZIP", "two.example")] {
        cpe.edit("acs", "compression", coding);
        let out = cpe.cli(&["run", "--once", "-v"]);
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{coding}: {log}");
        assert_eq!(cpe.get("Device.Time.NTPServer1"), value);
    }
    let record = acs.finish().expect("a CPE without violations");
    assert_eq!(record.sessions.len(), 2, "one Inform, one session");
    let log = front.folder.read("access.log");
    let redirects = log.lines().filter(|l| l.contains(" 307 ")).count();
    assert_eq!(redirects, 2, "once a session: {log}");
}

// T-SEC-002
#[test]
fn nginx_with_a_certificate_of_somebody_else_gets_no_byte_of_the_inform() {
    let Some(program) = program() else { return };
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let front = Front::start(&program, acs_port(&acs), &Authority::new());
    let cpe = router(&front, &Authority::new());
    let out = cpe.cli(&["run", "--once", "-v"]);
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(3), "{log}");
    assert!(log.contains("is refused"), "{log}");
    assert!(acs.record().exchanges.is_empty());
    acs.finish().unwrap();
}
