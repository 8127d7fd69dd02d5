//! The real agent, without its dispatcher's loop, on a sample router whose disk fails or
//! loses its power at a chosen step, with the scripted ACS over loopback.
//!
//! One thread does what dispatcher and worker do, in their order, so that a power cut can
//! end all of it on the spot and every run of a story takes the same steps.

// Each test program uses a part of this.
#![allow(dead_code)]

#[path = "../acs/mod.rs"]
pub mod acs;
#[path = "../files/mod.rs"]
pub mod files;
#[path = "../frail/mod.rs"]
pub mod frail;
#[path = "../router/mod.rs"]
pub mod router;
#[path = "../scratch/mod.rs"]
pub mod scratch;

use acs::{Acs, AcsConfig, Record, Script, SessionRecord, SoapStyle, Transfer};
use cwmp_agent::agent::control::{Answer, Question, client};
use cwmp_agent::agent::setup::Setup;
use cwmp_agent::agent::status::Status;
use cwmp_agent::agent::transfers::{Carried, carry_here};
use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, session, worker};
use files::{FileServer, Served};
use frail::folder::{FrailFolder, Image, image_of, put_back, until_power_cut};
use frail::{Fate, Survives};
use router::Router;
use scratch::Scratch;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const STATE: &str = "/etc/cwmp-agent/state";
pub const RUN: &str = "/var/run/cwmp-agent";
/// What the box's commands leave.
pub const MARKS: [&str; 5] = ["rebooted", "reset", "reloads", "applied", "flashed"];
/// A type of Download and Upload.
pub const FILE: &str = "X 00D09E File";
/// One of Download that reboots the box.
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";

/// How a life of the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing is due.
    Idle,
    /// The command that reboots the box was run.
    GoingDown,
}

/// See the module.
pub struct Cpe {
    pub router: Router,
    pub acs: Acs,
    /// Serves `/f`, and takes `/put`.
    pub files: FileServer,
    marks: Scratch,
    boots: Cell<u32>,
}

impl Cpe {
    /// A router that has never met its ACS.
    pub fn new() -> Cpe {
        let memory = Path::new("/dev/shm");
        let router = match memory.is_dir() {
            true => Router::new_in(memory),
            false => Router::new(),
        };
        let mut config = AcsConfig::default().style(SoapStyle {
            minor: 2,
            ..SoapStyle::default()
        });
        config.methods.push("DUStateChangeComplete".to_owned());
        let cpe = Cpe {
            router: router.expect("a copy of the sample router"),
            acs: Acs::start(config).expect("an ACS"),
            files: FileServer::start(),
            marks: Scratch::new(),
            boots: Cell::new(0),
        };
        let text = cpe.router.read("/etc/config/cwmp").expect("settings");
        let mut package = cwmp_agent::uci::Package::parse(text.as_bytes()).expect("UCI");
        let at = package.section("acs").expect("section acs");
        package.set(at, "url", &cpe.acs.url()).expect("the option");
        // Any free port would make another URL, which is a change to tell, of each start.
        let at = package.section("cpe").expect("section cpe");
        let off = package.set(at, "http_connection_request", "0");
        off.expect("the option");
        cpe.write("/etc/config/cwmp", &package.to_bytes());
        let mark = |name: &str, what: &str| {
            let file = cpe.marks.path(name);
            format!(
                "[\"/bin/sh\", \"-c\", \"echo {what} >>{}\", \"sh\"",
                file.display()
            )
        };
        cpe.marks
            .file("model/small.toml", include_str!("model.toml"));
        let toml = format!(
            "data_model = [{:?}]\n[limits]\nfirst_contact_spread = 0\n[platform]\nreboot = {}]\nfactory_reset = {}]\napply_config = {}, \"{{package}}\"]\n\
             [[download]]\nfile_type = {FILE:?}\napply = {}, \"{{file}}\"]\n\
             [[download]]\nfile_type = {FIRMWARE:?}\napply = {}, \"{{file}}\"]\nreboots = true\n\
             [[upload]]\nfile_type = {FILE:?}\nproduce = [\"/bin/cp\", \"/etc/hostname\", \"{{file}}\"]\n",
            cpe.marks.path("model"),
            mark("rebooted", "reboot"),
            mark("reset", "reset"),
            mark("reloads", "$1"),
            mark("applied", "$(cat $1)"),
            mark("flashed", "$(cat $1)"),
        );
        cpe.files.serve("/f", Served::bytes("content"));
        cpe.files.serve("/put", Served::nothing());
        cpe.write("/etc/cwmp-agent/agent.toml", toml.as_bytes());
        cpe.boot();
        cpe
    }

    /// One that has: its first session is over, and nothing is owed.
    pub fn known() -> Cpe {
        let cpe = Cpe::new();
        let world = cpe.open(&cpe.disk());
        assert_eq!(live(&world), End::Idle);
        drop(world);
        assert_eq!(cpe.last_session().events(), ["0 BOOTSTRAP", "1 BOOT"]);
        cpe
    }

    /// The disk as it is now, all of it durable.
    pub fn disk(&self) -> Arc<FrailFolder> {
        Arc::new(FrailFolder::new(self.router.root()))
    }

    pub fn setup(&self, disk: &Arc<FrailFolder>) -> Setup {
        Setup::open(self.router.root(), None)
            .expect("agent.toml")
            .on(disk.clone())
    }

    /// The agent, opened as `run` opens it.
    pub fn open(&self, disk: &Arc<FrailFolder>) -> World {
        World::open_to_stay(self.setup(disk)).expect("the agent starts whatever it finds")
    }

    pub fn image(&self) -> Image {
        image_of(self.router.root())
    }

    pub fn put_back(&self, image: &Image) {
        put_back(self.router.root(), image);
    }

    /// The box boots: another boot id, an empty run folder, no marks.
    pub fn boot(&self) {
        self.boots.set(self.boots.get() + 1);
        let id = format!("{:08x}-0000-4000-8000-000000000000\n", self.boots.get());
        self.write("/proc/sys/kernel/random/boot_id", id.as_bytes());
        let _ = std::fs::remove_dir_all(self.router.path(RUN));
        self.forget_marks();
    }

    pub fn forget_marks(&self) {
        let _ = std::fs::remove_dir_all(self.router.path("/tmp/cwmp-agent"));
        for name in MARKS {
            let _ = std::fs::remove_file(self.marks.path(name));
        }
    }

    /// The lines that the box's commands left under one of [`MARKS`].
    pub fn marks(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.marks.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.router.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.router.path(STATE).join(name)
    }

    pub fn state_names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.router.path(STATE))
            .map(|dir| {
                dir.map(|e| e.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }

    /// What the next session of the ACS asks for; nothing else is left over.
    pub fn script(&self, script: Script) {
        self.acs.clear_sessions();
        self.acs.push_session(script);
    }

    pub fn sessions(&self) -> usize {
        self.look(|record| record.sessions.len())
    }

    /// The ACS's record, not copied: it grows with every boot.
    pub fn look<T>(&self, look: impl Fn(&Record) -> T) -> T {
        let all = self
            .acs
            .wait_until(Duration::from_secs(1), |r| Some(look(r)));
        all.expect("the record")
    }

    pub fn last_session(&self) -> SessionRecord {
        self.look(|record| record.sessions.last().cloned())
            .expect("a session")
    }

    /// A start of the agent on a sound disk, lived to its end, and the events told in it.
    pub fn life(&self) -> (End, Vec<String>) {
        let before = self.sessions();
        let world = self.open(&self.disk());
        let end = live(&world);
        (end, self.told_since(before))
    }

    /// The events of all sessions after the first `before`, with their CommandKeys.
    pub fn told_since(&self, before: usize) -> Vec<String> {
        self.look(|record| {
            let sessions = record.sessions.iter().skip(before);
            sessions
                .flat_map(|s| &s.inform.inform.as_ref().unwrap().events)
                .map(|e| {
                    format!("{} {}", e.code, e.command_key)
                        .trim_end()
                        .to_owned()
                })
                .collect()
        })
    }

    /// CommandKeys and fault codes of all TransferCompletes after the first `before` sessions,
    /// and whether the CPE had the answer.
    pub fn completed_since(&self, before: usize) -> Vec<(String, u16, bool)> {
        self.look(|record| completed(&record.sessions[before..]))
    }

    /// What a Download, an Upload or a ScheduleDownload is about.
    pub fn file(&self, key: &str, target: &str) -> Transfer {
        Transfer {
            key: key.to_owned(),
            file_type: FILE.to_owned(),
            url: self.files.url(target),
            ..Transfer::default()
        }
    }

    /// The faults answered in all sessions after the first `before`.
    pub fn faults_since(&self, before: usize) -> Vec<u16> {
        self.look(|record| {
            let sessions = record.sessions.iter().skip(before);
            sessions.flat_map(SessionRecord::faults).collect()
        })
    }

    /// Whether such a reply came in any session after the first `before`.
    pub fn replied_since(&self, before: usize, reply: &str) -> bool {
        self.look(|record| {
            let mut sessions = record.sessions.iter().skip(before);
            sessions.any(|s| s.message(reply).is_some())
        })
    }

    /// Waits until session `number` of the ACS (from 1) has ended.
    pub fn wait_session(&self, number: usize) -> SessionRecord {
        let number = u32::try_from(number).expect("a session's number");
        let session = self.acs.wait_session(number, Duration::from_secs(30));
        session.expect("the session ends")
    }

    /// Asks a running daemon for a session with this event.
    pub fn ask_inform(&self, event: &str) {
        let event = Some(event.to_owned());
        let answer = client::ask(&self.router.path(RUN), &Question::Inform { event });
        assert!(matches!(answer, Ok(Some(Answer::Done))), "{answer:?}");
    }

    /// Asks a running daemon how it is.
    pub fn ask_status(&self) -> Box<Status> {
        match client::ask(&self.router.path(RUN), &Question::Status) {
            Ok(Some(Answer::Status(status))) => status,
            answer => panic!("{answer:?}"),
        }
    }

    /// Whether no transfer and no event of one is left.
    pub fn ask_nothing_left(&self) -> bool {
        let world = self.open(&self.disk());
        let owed = world.owed().pending();
        world.transfers().entries().is_empty() && owed.is_empty()
    }

    /// Nothing that a change needed for itself is left.
    pub fn nothing_left_behind(&self, what: &str) {
        for path in self.image().keys() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let bad = name.ends_with(".cwmp-new") || name.contains(".bad-");
            assert!(!bad, "{what}: {name} is left");
        }
        assert!(
            !self.state("journal").exists(),
            "{what}: the journal is left"
        );
    }

    /// Lives `story` with the power going at every step after the moment that it calls
    /// what it is handed; the box is booted on everything that may be left then, and `check`
    /// made on it.
    pub fn at_every_cut<T>(
        &self,
        story: impl Fn(&Arc<FrailFolder>, &dyn Fn()) -> T,
        check: impl Fn(&Cut<T>),
    ) {
        self.cut(true, story, check);
    }

    /// As [`at_every_cut`](Self::at_every_cut), but the agent alone is killed and started
    /// again: what was written stays, the box knows no boot.
    pub fn at_every_kill<T>(
        &self,
        story: impl Fn(&Arc<FrailFolder>, &dyn Fn()) -> T,
        check: impl Fn(&Cut<T>),
    ) {
        self.cut(false, story, check);
    }

    fn cut<T>(
        &self,
        power: bool,
        story: impl Fn(&Arc<FrailFolder>, &dyn Fn()) -> T,
        check: impl Fn(&Cut<T>),
    ) {
        let start = self.image();
        let mut cuts = 0;
        for n in 0.. {
            self.put_back(&start);
            self.boot();
            let before = self.sessions();
            let disk = self.disk();
            let ended = until_power_cut(|| story(&disk, &|| disk.set_fate(Fate::CutAfter(n))));
            let log = disk.log();
            let cut = log.len() > n as usize;
            let marks = MARKS.map(|m| self.marks(m));
            let sessions = self.look(|record| record.sessions[before..].to_vec());
            let mut seen: Vec<Image> = Vec::new();
            for survives in survivals(n) {
                let image = disk.after_power_cut(survives);
                if seen.contains(&image) {
                    continue;
                }
                if power {
                    self.put_back(&image);
                    self.boot();
                } else if !seen.is_empty() {
                    break;
                }
                self.acs.clear_sessions();
                let what = format!(
                    "cut before step {n} ({}), {survives:?} survives",
                    log.last().filter(|_| cut).map_or("the end", String::as_str)
                );
                check(&Cut {
                    ended: ended.as_ref(),
                    session: sessions.first(),
                    sessions: &sessions,
                    marks: &marks,
                    what: &what,
                });
                seen.push(image);
            }
            if !cut {
                break;
            }
            cuts += 1;
            assert!(cuts < 1000, "the story never ends");
        }
        assert!(cuts > 3, "only {cuts} steps");
    }
}

/// The TransferCompletes of these sessions: CommandKey, fault code, and whether the CPE went on
/// after it, having its answer.
pub fn completed(sessions: &[SessionRecord]) -> Vec<(String, u16, bool)> {
    let mut all = Vec::new();
    for session in sessions {
        for (n, message) in session.messages.iter().enumerate() {
            if message.name != "TransferComplete" {
                continue;
            }
            let document = roxmltree::Document::parse(&message.raw).expect("XML");
            let text = |name: &str| {
                let found = document.descendants().find(|n| n.has_tag_name(name));
                found.and_then(|n| n.text()).unwrap_or_default().to_owned()
            };
            let went_on = session.messages.len() > n + 1;
            let code = text("FaultCode").parse().expect("a code");
            all.push((text("CommandKey"), code, went_on));
        }
    }
    all
}

/// What [`Cpe::at_every_cut`] found.
pub struct Cut<'a, T> {
    /// What the story gave, where its end was reached.
    pub ended: Option<&'a T>,
    /// The first session that the ACS saw in it.
    pub session: Option<&'a SessionRecord>,
    /// And all of them.
    pub sessions: &'a [SessionRecord],
    /// Those of [`MARKS`] before the cut.
    pub marks: &'a [Vec<String>; 5],
    pub what: &'a str,
}

impl<T> Cut<'_, T> {
    /// Whether the ACS got a response of this name.
    pub fn told(&self, response: &str) -> bool {
        self.session.is_some_and(|s| s.message(response).is_some())
    }

    /// Whether an event of this code was told and the ACS has answered.
    pub fn delivered(&self, code: &str) -> bool {
        let answered = |s: &SessionRecord| s.answers.iter().any(|a| a == "InformResponse");
        let mut sessions = self.sessions.iter();
        sessions.any(|s| s.events().contains(&code) && answered(s))
    }

    /// Whether the CPE went on after its Inform: it had the InformResponse and told so.
    pub fn informed(&self) -> bool {
        self.session.is_some_and(|s| s.messages.len() > 1)
    }
}

/// How much survives, in the ways that can differ.
pub fn survivals(n: u32) -> impl Iterator<Item = Survives> {
    let seed = u64::from(n) * 2;
    [
        Survives::Nothing,
        Survives::Names,
        Survives::Everything,
        Survives::Some(seed + 1),
        Survives::Some(seed + 2),
    ]
    .into_iter()
}

/// What dispatcher and worker do from the start until nothing is due, in their order.
pub fn live(world: &World) -> End {
    let start = agent::begin(world);
    if (start.reboot_now || start.reset.is_some()) && worker::act(world) {
        return End::GoingDown;
    }
    for _ in 0..6 {
        if transfer(world) == End::GoingDown {
            return End::GoingDown;
        }
        if !world.owed().wants_session() {
            return End::Idle;
        }
        if one_session(world) == End::GoingDown {
            return End::GoingDown;
        }
    }
    panic!("sessions without end: {:?}", world.owed().pending());
}

/// The transfers that are due.
pub fn transfer(world: &World) -> End {
    loop {
        let now = cwmp_agent::agent::clock::unix_seconds();
        let Some(job) = world.transfers().begin(now, true) else {
            return End::Idle;
        };
        if carry_here(world, &job) == Carried::GoingDown {
            return End::GoingDown;
        }
    }
}

/// One session and what follows it.
pub fn one_session(world: &World) -> End {
    let Some(mut report) = session::run(world, None) else {
        return End::Idle;
    };
    worker::settle(world, &mut report);
    let acts = world.owed().must_act();
    if acts && worker::act(world) {
        return End::GoingDown;
    }
    End::Idle
}

/// The value of a parameter.
pub fn get(world: &World, path: &str) -> String {
    let mut model = world.model();
    model.begin();
    let mut entries = model.get(&[path]).unwrap_or_else(|e| panic!("{path}: {e}"));
    entries.pop().expect("an entry").value
}
