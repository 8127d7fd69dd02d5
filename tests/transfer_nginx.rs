//! A file server that is not ours: nginx with TLS of OpenSSL, its own entity tags, parts,
//! Basic authentication, its own way with `Expect`, and PUT.

#![cfg(feature = "tls")]

mod files;
mod net_support;
mod scratch;

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cwmp_agent::net::file::FileConfig;
use cwmp_agent::net::tls::{TlsConfig, TlsFiles};
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::fetch::{FetchJob, fetch};
use cwmp_agent::transfer::progress::{Progress, Stop};
use cwmp_agent::transfer::put::put;
use files::{pattern, pattern_sha256};
use net_support::pki::Authority;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: u64 = 2_000_000;

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

struct Nginx {
    child: Child,
    folder: Scratch,
    port: u16,
    tls: TlsConfig,
}

impl Nginx {
    /// The port is chosen by the kernel: nginx takes over a socket that listens already, as it
    /// does when it is upgraded on the fly.
    fn start(program: &PathBuf) -> Nginx {
        let folder = Scratch::new();
        let ca = Authority::new("Test Root");
        let leaf = ca.leaf(&["127.0.0.1"], 2025, 2030);
        folder.file("cert.pem", &leaf.chain.concat());
        folder.file("key.pem", &leaf.key.serialize_pem());
        folder.file("users", "router:{PLAIN}secret\n");
        let roots = TlsFiles {
            ca_file: Some(folder.file("ca.pem", &ca.pem())),
            ..TlsFiles::default()
        };
        let now = 1_780_272_000; // 2026-06-01
        let tls = TlsConfig::load(&roots, Arc::new(move || now), 1_704_067_200).expect("a root");
        folder.file("files/up/.keep", "");
        std::fs::write(folder.path("files/fw.bin"), pattern(0, SIZE)).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let dir = folder.dir().display();
        // As root it would give its files to somebody else.
        let user = if nix::unistd::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let text = format!(
            "{user} daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
             events {{ worker_connections 64; }}
             http {{
               log_format asked '$request_method $uri $status $body_bytes_sent $request_length';
               access_log {dir}/access.log asked;
               client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
               fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
               client_max_body_size 10m;
               server {{
                 listen 127.0.0.1:{port} ssl;
                 ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
                 root {dir}/files;
                 auth_basic files; auth_basic_user_file {dir}/users;
                 location /slow/ {{ alias {dir}/files/; limit_rate 300k; }}
                 location /up/ {{ dav_methods PUT; }}
                 location /moved/ {{ return 302 /fw.bin; }}
               }}
             }}"
        );
        let config = folder.file("nginx.conf", &text);
        fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("inheritable");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.dir())
            .arg("-c")
            .arg(config)
            .env("NGINX", format!("{};", listener.as_raw_fd()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Nginx {
            child,
            folder,
            port,
            tls,
        };
        nginx.wait(|| nginx.folder.path("pid").exists());
        nginx
    }

    fn wait(&self, done: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < until, "{}", self.text("error.log"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn wire(&self, target: &str, password: &str) -> FileConfig {
        let url = format!("https://127.0.0.1:{}{target}", self.port);
        let mut wire = FileConfig::new(Url::parse(&url).expect("a URL"));
        wire.username = "router".to_owned();
        wire.password = password.to_owned();
        wire.tls = Some(self.tls.clone().ready());
        wire
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path(name)).unwrap_or_default()
    }

    /// What was logged since the last time, once there are so many lines.
    fn log(&self, lines: usize) -> Vec<String> {
        let count = || self.text("access.log").lines().count();
        self.wait(|| count() >= lines);
        self.text("access.log").lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker.
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- nginx ---\n{}", self.text("error.log"));
            eprintln!("{}", self.text("access.log"));
        }
    }
}

#[test]
fn nginx_gives_a_file_and_the_rest_of_it() {
    let Some(program) = program() else { return };
    let nginx = Nginx::start(&program);
    let into = nginx.folder.path("image");
    let job = FetchJob {
        into: &into,
        file_size: SIZE as u32,
        max: SIZE,
        keep_free: 0,
    };
    let get = |target: &str, password: &str, progress: &Progress, stop: &Stop| {
        fetch(nginx.wire(target, password), &job, progress, stop)
    };
    let (progress, stop) = (Progress::default(), Stop::default());
    let fetched = get("/moved/x", "secret", &progress, &stop).expect("fetched");
    assert_eq!((fetched.size, fetched.sha256), (SIZE, pattern_sha256(SIZE)));
    let fault = get("/fw.bin", "guess", &progress, &stop).expect_err("401");
    assert_eq!(fault.code, 9012);
    let fault = get("/absent", "secret", &progress, &stop).expect_err("404");
    assert_eq!(fault.code, 9016);
    let before = nginx.log(7).len();
    thread::scope(|scope| {
        let fetching = scope.spawn(|| get("/slow/fw.bin", "secret", &progress, &stop));
        nginx.wait(|| progress.done() > 50_000);
        stop.stop();
        assert_eq!(
            fetching
                .join()
                .expect("no panic")
                .expect_err("stopped")
                .code,
            9017
        );
    });
    let here = std::fs::metadata(&into).expect("a part").len();
    assert!((50_000..SIZE).contains(&here), "{here}");
    // Under another name it is another file; under its own the rest of it.
    let progress = Progress::default();
    let mut quick = nginx.wire("/slow/fw.bin", "secret");
    quick.resumes = 0;
    let fetched = fetch(quick, &job, &progress, &Stop::default()).expect("fetched");
    assert_eq!((fetched.size, fetched.sha256), (SIZE, pattern_sha256(SIZE)));
    let log = nginx.log(before + 4);
    let part = log.last().expect("a line");
    assert!(
        part.starts_with(&format!("GET /slow/fw.bin 206 {} ", SIZE - here)),
        "{part}"
    );
}

#[test]
fn nginx_takes_a_file() {
    let Some(program) = program() else { return };
    let nginx = Nginx::start(&program);
    let path = nginx.folder.path("config.tar");
    let (progress, stop) = (Progress::default(), Stop::default());
    for size in [0, 5_000, SIZE] {
        std::fs::write(&path, pattern(0, size)).expect("written");
        let send = |target: &str, password: &str| {
            put(nginx.wire(target, password), &path, &progress, &stop)
        };
        let target = format!("/up/{size}");
        send(&target, "secret").expect("sent");
        let there = std::fs::read(nginx.folder.path(&format!("files{target}"))).expect("a file");
        assert!(there == pattern(0, size));
        assert_eq!(send(&target, "guess").expect_err("401").code, 9012);
        assert_eq!(send("/fw.bin", "secret").expect_err("405").code, 9011);
    }
    // What is refused costs no large body.
    let refused = nginx
        .log(18)
        .into_iter()
        .filter(|line| line.contains(" 401 "));
    for line in refused {
        let length = line
            .split(' ')
            .next_back()
            .and_then(|n| n.parse::<u64>().ok());
        assert!(length.is_some_and(|n| n < 10_000), "{line}");
    }
}
