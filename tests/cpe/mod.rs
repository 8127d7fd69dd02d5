//! A router with the real program on it: a copy of the sample router, `cwmp-agent` as a
//! process of its own, and commands run against it. Everything ends with its `Cpe`.

// Each test program uses a part of this.
#![allow(dead_code)]

#[path = "../router/mod.rs"]
pub mod router;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use router::Router;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// No wait of a test is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program: this build's, or the one that `CWMP_TEST_AGENT` names (cross/feed-profile.sh).
pub fn program() -> PathBuf {
    let other = std::env::var_os("CWMP_TEST_AGENT");
    other.map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_cwmp-agent")),
        PathBuf::from,
    )
}

/// See the module.
pub struct Cpe {
    pub router: Router,
    daemon: Option<Child>,
}

impl Cpe {
    /// A fresh router whose ACS is at `url` ("" for none). Its commands leave marks in
    /// /tmp: `rebooted`, `reset`, and a line for each reload in `reloads`.
    pub fn new(url: &str) -> Cpe {
        let cpe = Cpe {
            router: router(),
            daemon: None,
        };
        cpe.option("url", url);
        cpe.script("reboot", "echo reboot >>\"$CWMP_ROOT/tmp/rebooted\"");
        cpe.script("reset", "echo reset >>\"$CWMP_ROOT/tmp/reset\"");
        cpe.script("apply", "echo \"$1\" >>\"$CWMP_ROOT/tmp/reloads\"");
        cpe.agent_toml("");
        cpe
    }

    /// Writes agent.toml: the marks above, `more`, and no wait before a first contact unless
    /// `more` has one.
    pub fn agent_toml(&self, more: &str) {
        const AT_ONCE: &str = "[limits]\nfirst_contact_spread = 0";
        let more = match (
            more.contains("first_contact_spread"),
            more.contains("[limits]"),
        ) {
            (true, _) => more.to_owned(),
            (false, true) => more.replace("[limits]", AT_ONCE),
            (false, false) => format!("{more}\n{AT_ONCE}"),
        };
        let bin = |name: &str| {
            self.router
                .path(&format!("/bin/{name}"))
                .display()
                .to_string()
        };
        let text = format!(
            "{more}\n[platform]\nreboot = [{:?}]\nfactory_reset = [{:?}]\napply_config = [{:?}, \"{{package}}\"]\n",
            bin("reboot"),
            bin("reset"),
            bin("apply")
        );
        self.router
            .write("/etc/cwmp-agent/agent.toml", &text)
            .expect("agent.toml");
    }

    /// A program of the router's.
    pub fn script(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = format!("/bin/{name}");
        self.router
            .write(&path, &format!("#!/bin/sh\n{body}\n"))
            .expect("a script");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.router.path(&path), mode).expect("its mode");
    }

    /// Sets an option of `config acs 'acs'` by hand, as an operator with an editor would.
    pub fn option(&self, name: &str, value: &str) {
        self.edit("acs", name, value);
    }

    /// Takes no connection requests. The sample router listens on any free port, so that
    /// ConnectionRequestURL is another one after each start, and 4 VALUE CHANGE is told.
    pub fn without_listener(&self) {
        self.edit("cpe", "http_connection_request", "0");
    }

    /// No periodic Inform, which would come at any moment.
    pub fn without_ticks(&self) {
        self.option("periodic_inform_enable", "0");
    }

    /// Sets an option of a section of /etc/config/cwmp by hand.
    pub fn edit(&self, section: &str, name: &str, value: &str) {
        let text = self.router.read("/etc/config/cwmp").expect("settings");
        let mut package = cwmp_agent::uci::Package::parse(text.as_bytes()).expect("UCI");
        let at = package.section(section).expect("the section");
        package.set(at, name, value).expect("the option");
        let text = String::from_utf8(package.to_bytes()).expect("UTF-8");
        // As an editor that never leaves half a file.
        self.router
            .write("/etc/config/.cwmp.new", &text)
            .expect("settings");
        let path = |name: &str| self.router.path(name);
        let mode = std::fs::metadata(path("/etc/config/cwmp")).expect("its mode");
        std::fs::set_permissions(path("/etc/config/.cwmp.new"), mode.permissions())
            .expect("its mode");
        std::fs::rename(path("/etc/config/.cwmp.new"), path("/etc/config/cwmp")).expect("settings");
    }

    /// The program with this router's root and these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).arg("--root").arg(self.router.root());
        command
    }

    /// Runs a command to its end.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("cwmp-agent starts")
    }

    /// Runs a command that must succeed; its stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.cli(args);
        assert!(
            out.status.success(),
            "{args:?}: {}\n{}",
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    /// The value of one parameter.
    pub fn get(&self, path: &str) -> String {
        let out = self.ok(&["get", path]);
        let value = out
            .strip_prefix(path)
            .and_then(|o| o.strip_prefix('='))
            .unwrap_or_else(|| panic!("get {path}: {out}"));
        value.trim_end_matches('\n').to_owned()
    }

    /// Starts the daemon and waits until it listens to commands; its log goes to /tmp/log
    /// below the root.
    pub fn start(&mut self) {
        assert!(self.daemon.is_none(), "the daemon runs already");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.router.path("/tmp/log"))
            .expect("a log");
        let child = self
            .command(&["run", "-v"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon");
        self.daemon = Some(child);
        let until = Instant::now() + PATIENCE;
        while !self.exists("/var/run/cwmp-agent/control.sock") {
            assert!(
                Instant::now() < until,
                "the daemon does not start:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        let child = self.daemon.as_ref().expect("a running daemon");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        kill(pid, signal).expect("a signal");
    }

    /// Ends the daemon with SIGTERM and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let mut child = self.daemon.take().expect("a running daemon");
        wait(&mut child)
    }

    /// Ends the daemon as a power cut would end it (what was written stays).
    pub fn kill(&mut self) {
        self.crash();
        // What a power cut takes with it: run_dir is in memory.
        let _ = std::fs::remove_file(self.router.path("/var/run/cwmp-agent/retry"));
    }

    /// Ends the daemon alone as a crash would end it.
    pub fn crash(&mut self) {
        let mut child = self.daemon.take().expect("a running daemon");
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
        // By which `start` sees that the next one is there.
        let _ = std::fs::remove_file(self.router.path("/var/run/cwmp-agent/control.sock"));
    }

    /// The daemon's process.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("a running daemon").id()
    }

    /// What `status --json` tells.
    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).expect("JSON")
    }

    /// Waits until `status` is as wanted.
    pub fn wait_status(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.status();
            if wanted(&told) {
                return told;
            }
            assert!(
                Instant::now() < until,
                "status never became as wanted: {told:#}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Another boot of the same box: a new boot_id, an empty run_dir.
    pub fn new_boot(&self) {
        let id = format!("{:08x}-0000-4000-8000-000000000000\n", rand());
        self.router
            .write("/proc/sys/kernel/random/boot_id", &id)
            .expect("boot_id");
        let _ = std::fs::remove_dir_all(self.router.path("/var/run/cwmp-agent"));
    }

    /// Waits until a file below the root exists, and gives its text.
    pub fn wait_file(&self, path: &str) -> String {
        self.wait_text(path, |t| !t.is_empty())
    }

    /// Waits until the text of a file below the root is as wanted.
    pub fn wait_text(&self, path: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.router.read(path).unwrap_or_default();
            if wanted(&text) {
                return text;
            }
            assert!(
                Instant::now() < until,
                "{path} never became as wanted: {text:?}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The daemon's log so far.
    pub fn log(&self) -> String {
        self.router.read("/tmp/log").unwrap_or_default()
    }

    /// Whether a file below the root exists.
    pub fn exists(&self, path: &str) -> bool {
        self.router.path(path).exists()
    }
}

impl Drop for Cpe {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the daemon's log ---\n{}", self.log());
        }
    }
}

/// A copy of the sample router, in memory where the system has such a folder: the tests
/// are about what is written, not about how fast a disk is.
fn router() -> Router {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(router) = Router::new_in(memory)
    {
        return router;
    }
    Router::new().expect("a copy of the sample router")
}

/// Waits for a process, bounded.
pub fn wait(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        assert!(Instant::now() < until, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn rand() -> u32 {
    let mut bytes = [0u8; 4];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .expect("random bytes");
    u32::from_ne_bytes(bytes)
}

/// The path of a file inside the repository.
pub fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
