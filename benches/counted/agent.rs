//! The agent as a process of its own on a copy of the sample router, and the sessions
//! that are held with it.

use crate::acs::{Acs, AcsConfig, Auth, DigestAuth, Script, SessionRecord};
use crate::pki::Authority;
use crate::router::Router;
use cwmp_agent::uci::Package;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::SupportedProtocolVersion;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// No wait is longer: callgrind makes everything fifty times slower.
const PATIENCE: Duration = Duration::from_secs(120);
/// A configuration file changed less than two seconds ago is read again in every request
/// (its stamp may not show another change). Between sessions that much time passes, so
/// that the figures do not hang on how fast this machine is.
const SETTLED: Duration = Duration::from_millis(2500);
/// What follows a session: its record for `status`, the next timer.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A copy of the sample router, an ACS, and the agent between them.
pub struct Agent {
    program: PathBuf,
    router: Router,
    acs: Acs,
    child: Option<Child>,
    sessions: u32,
}

impl Agent {
    /// A fresh router whose ACS holds these sessions; `prepare` may change its files. The
    /// daemon does not run yet.
    pub fn new(program: &Path, sessions: Vec<Script>, prepare: &dyn Fn(&Router)) -> Agent {
        let config = sessions
            .into_iter()
            .fold(AcsConfig::default(), AcsConfig::session);
        Agent::of(config, program, prepare)
    }

    /// A fresh router whose ACS speaks this version of TLS and asks for digest authentication.
    pub fn secure(program: &Path, version: &'static SupportedProtocolVersion) -> Agent {
        let authority = Authority::new("ACS");
        let leaf = authority.leaf(&["127.0.0.1"], 2020, 2090);
        let config = AcsConfig::default()
            .tls(leaf.server(&[version]))
            .auth(Auth::Digest(DigestAuth::for_account("router", "secret")));
        Agent::of(config, program, &|router| {
            let path = "/etc/acs.pem";
            router.write(path, &authority.pem()).expect("a root");
            for (option, value) in [
                ("ca_file", path),
                ("username", "router"),
                ("password", "secret"),
            ] {
                set(router, option, value);
            }
        })
    }

    fn of(config: AcsConfig, program: &Path, prepare: &dyn Fn(&Router)) -> Agent {
        let acs = Acs::start(config).expect("an ACS");
        let memory = Path::new("/dev/shm");
        let router = match memory.is_dir() {
            true => Router::new_in(memory),
            false => Router::new(),
        }
        .expect("a copy of the sample router");
        set(&router, "url", &acs.url());
        let apply = "#!/bin/sh\necho \"$1\" >>\"$CWMP_ROOT/tmp/reloads\"\n";
        router.write("/bin/apply", apply).expect("a program");
        executable(&router.path("/bin/apply"));
        let toml = format!(
            "[platform]\napply_config = [{:?}, \"{{package}}\"]\n",
            router.path("/bin/apply").display().to_string()
        );
        router
            .write("/etc/cwmp-agent/agent.toml", &toml)
            .expect("agent.toml");
        prepare(&router);
        settle(&router.path("/etc/config"));
        Agent {
            program: program.to_owned(),
            router,
            acs,
            child: None,
            sessions: 0,
        }
    }

    /// Starts the daemon below `wrapper` (a program and its arguments; empty: bare) and
    /// waits for the end of its first session.
    pub fn start(&mut self, wrapper: &[String]) -> SessionRecord {
        let log = fs::File::create(self.router.path("/tmp/log")).expect("a log");
        let mut argv: Vec<String> = wrapper.to_vec();
        argv.push(self.program.display().to_string());
        let (program, arguments) = argv.split_first().expect("a program");
        let child = Command::new(program)
            .args(arguments)
            .args(["run", "--root"])
            .arg(self.router.root())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        self.child = Some(child);
        self.session_ends()
    }

    /// One more session, a periodic one, from its trigger to its end.
    pub fn session(&mut self) -> SessionRecord {
        std::thread::sleep(SETTLED);
        let asked = Command::new(&self.program)
            .args(["inform", "periodic", "--root"])
            .arg(self.router.root())
            .status()
            .expect("cwmp-agent inform");
        assert!(asked.success(), "inform: {asked}\n{}", self.log());
        self.session_ends()
    }

    /// A watched file, the settings, is replaced by an equal one: all watched values are read
    /// and compared, and none has changed.
    pub fn scan(&self) {
        let file = "/etc/config/cwmp";
        let text = self.router.read(file).expect("settings");
        let new = "/etc/config/.cwmp.new";
        self.router.write(new, &text).expect("the same settings");
        fs::rename(self.router.path(new), self.router.path(file)).expect("in their place");
        std::thread::sleep(SETTLED);
    }

    fn session_ends(&mut self) -> SessionRecord {
        self.sessions += 1;
        let number = self.sessions;
        let session = self.acs.wait_session(number, PATIENCE);
        let session = session.unwrap_or_else(|| panic!("no session {number}\n{}", self.log()));
        assert!(session.complete(), "session {number}\n{}", self.log());
        assert!(session.faults().is_empty(), "{:?}", session.faults());
        self.wait("session ended", |log| {
            log.matches("session ended").count() >= number as usize
        });
        // Each reload that was announced has left its mark.
        let announced = self.log().matches("reloading ").count();
        let until = Instant::now() + PATIENCE;
        while self.reloads() < announced {
            assert!(Instant::now() < until, "no reload\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(AFTERMATH);
        session
    }

    /// Waits until so many reloads ran: those that follow a session are begun one by one.
    pub fn wait_reloads(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        while self.reloads() < count && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(AFTERMATH);
    }

    /// How many reloads ran.
    pub fn reloads(&self) -> usize {
        let marks = self.router.read("/tmp/reloads").unwrap_or_default();
        marks.lines().count()
    }

    /// A line of the running daemon's `/proc/PID/status`, kB.
    pub fn status_kb(&self, field: &str) -> u64 {
        let pid = self.child.as_ref().expect("a running daemon").id();
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = text.lines().find_map(|l| l.strip_prefix(field));
        let number = line.and_then(|l| l.trim_matches([':', '\t', ' ']).split(' ').next());
        number
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("no {field} in\n{text}"))
    }

    /// Ends the daemon with SIGTERM.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("a running daemon");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("SIGTERM");
        let status = child.wait().expect("its end");
        assert!(status.success(), "{status}\n{}", self.log());
        let violations = self.acs.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }

    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !wanted(&self.log()) {
            assert!(Instant::now() < until, "{what}: never\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        self.router.read("/tmp/log").unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sets an option of the settings' section `acs`.
fn set(router: &Router, option: &str, value: &str) {
    let settings = router.read("/etc/config/cwmp").expect("settings");
    let mut package = Package::parse(settings.as_bytes()).expect("UCI");
    let section = package.section("acs").expect("its section acs");
    package.set(section, option, value).expect("an option");
    let settings = String::from_utf8(package.to_bytes()).expect("UTF-8");
    router
        .write("/etc/config/cwmp", &settings)
        .expect("settings");
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// The router's configuration was written an hour ago.
fn settle(folder: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    for entry in fs::read_dir(folder).expect("/etc/config") {
        let path = entry.expect("its entry").path();
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(then).expect("its time");
    }
}
