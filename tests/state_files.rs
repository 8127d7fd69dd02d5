//! Whatever lies where a state file should be, the agent starts, says so, and behaves as
//! one that has forgotten just that.

mod frail_cpe;

use cwmp_agent::agent::control::{Answer, Question};
use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, clock, offline};
use cwmp_agent::store::state::StateDir;
use cwmp_agent::store::trial::{Trial, Trials};
use frail_cpe::acs::*;
use frail_cpe::frail::folder::{FrailFolder, Image};
use frail_cpe::*;
use log::{LevelFilter, Log, Metadata, Record};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

const KEY: &str = "Device.ManagementServer.ParameterKey";
const NTP: &str = "Device.Time.NTPServer1";
const TABLE: &str = "Device.NAT.PortMapping.";

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// Has lines collected, from the first test on that asks for it.
fn set_up_lines() {
    let _ = log::set_logger(&Lines);
    log::set_max_level(LevelFilter::Info);
}

/// The lines logged of this router's files: other tests run at the same time.
fn logged(cpe: &Cpe) -> Vec<String> {
    let root = cpe.router.root().display().to_string();
    let mut lines = LINES.lock().unwrap();
    let mine = lines.extract_if(.., |line| line.contains(&root));
    mine.collect()
}

/// What a state file can be found as.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Damage {
    Empty,
    Torn,
    Garbage,
    Foreign,
    Newer,
    OtherContent,
    Oversized,
    Folder,
    FullFolder,
    /// A symbolic link to itself.
    Loop,
    /// A symbolic link to what is not there.
    Dangling,
    Pipe,
    Socket,
    /// Whoever reads it is refused by the disk.
    Unreadable,
}

const ALL: [Damage; 14] = [
    Damage::Empty,
    Damage::Torn,
    Damage::Garbage,
    Damage::Foreign,
    Damage::Newer,
    Damage::OtherContent,
    Damage::Oversized,
    Damage::Folder,
    Damage::FullFolder,
    Damage::Loop,
    Damage::Dangling,
    Damage::Pipe,
    Damage::Socket,
    Damage::Unreadable,
];

/// The disk with which the agent finds such a file.
fn disk_with(cpe: &Cpe, name: &str, damage: Damage) -> Arc<FrailFolder> {
    let disk = cpe.disk();
    if damage == Damage::Unreadable {
        disk.refuse_to_read(name);
    }
    disk
}

/// The box as it was; an image knows nothing but files and folders.
fn start_over(cpe: &Cpe, start: &Image) {
    cpe.put_back(start);
    for name in cpe.state_names() {
        let path = cpe.state(&name);
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if !kind.is_file() && !kind.is_dir() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn do_damage(cpe: &Cpe, name: &str, damage: Damage) {
    let path = cpe.state(name);
    let good = match std::fs::symlink_metadata(&path) {
        Ok(kind) if kind.is_file() => std::fs::read(&path).unwrap(),
        _ => Vec::new(),
    };
    let new_kind = || {
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_dir_all(&path);
        &path
    };
    let header = |text: &str| -> Vec<u8> {
        let text = String::from_utf8_lossy(&good).replacen("\"version\":1", text, 1);
        text.into_bytes()
    };
    let new = match damage {
        Damage::Empty => Vec::new(),
        Damage::Torn => good[..good.len() * 2 / 3].to_vec(),
        Damage::Garbage => (0..4000u32).map(|n| ((n * 7919) >> 3) as u8).collect(),
        // The file of another name, whole.
        Damage::Foreign => std::fs::read(cpe.state("elsewhere")).unwrap(),
        Damage::Newer => header("\"version\":2"),
        // Sealed by this program, but not with what belongs there.
        Damage::OtherContent => {
            let state = StateDir::open(path.parent().unwrap()).unwrap();
            state.save(name, &[1, 2]).unwrap();
            return;
        }
        Damage::Oversized => vec![b'x'; 5 << 20],
        Damage::Loop => return symlink(name, new_kind()).unwrap(),
        Damage::Dangling => return symlink("/nowhere/at/all", new_kind()).unwrap(),
        Damage::Pipe => return mkfifo(new_kind(), Mode::S_IRWXU).unwrap(),
        Damage::Socket => return drop(UnixListener::bind(new_kind()).unwrap()),
        Damage::Unreadable => return,
        Damage::Folder | Damage::FullFolder => {
            std::fs::create_dir(new_kind()).unwrap();
            if damage == Damage::FullFolder {
                std::fs::write(path.join("file"), "x").unwrap();
            }
            return;
        }
    };
    std::fs::write(&path, new).unwrap();
}

/// The clock that was kept: later than the one of any build.
const CLOCK: i64 = 4_000_000_000;

/// A CPE with something in every state file.
fn lived_in() -> Cpe {
    let cpe = Cpe::known();
    cpe.boot();
    let mut later = cpe.file("d", "/f");
    later.delay = 80_000;
    cpe.script(Script::of([
        get_values(&["Device."]),
        set_values(&[(NTP, "string", "kept.example")], "the key"),
        set_notification(&[(NTP, 1)]),
        delete_object(&format!("{TABLE}1."), "the key"),
        schedule_inform(9000, "later"),
        download(&later),
    ]));
    assert_eq!(cpe.life().1, ["1 BOOT"]);
    let state = StateDir::open(&cpe.router.path(STATE)).unwrap();
    state.save("clock", &CLOCK).unwrap();
    state.save("trial", &Trial::default()).unwrap();
    let software = serde_json::json!({ "next": 7 });
    state.save("software", &software).unwrap();
    let wanted = serde_json::json!({});
    state.save("software-wanted", &wanted).unwrap();
    state
        .save("elsewhere", &"whole, and of another name")
        .unwrap();
    cpe
}

fn rows(world: &World) -> Vec<u32> {
    let mut model = world.model();
    model.begin();
    let names = model.names(TABLE, true).expect("the table");
    let number = |path: &str| path.strip_prefix(TABLE)?.strip_suffix('.')?.parse().ok();
    names.iter().filter_map(|n| number(&n.path)).collect()
}

/// What the agent remembers, as far as it can be seen.
#[derive(Debug, Clone, PartialEq)]
struct Memory {
    key: String,
    level: u8,
    rows: Vec<u32>,
    scheduled: bool,
    serial: String,
    transfers: usize,
    trial: bool,
    software: bool,
    first_use: bool,
    clock: i64,
    told: Vec<String>,
}

fn live_and_look(cpe: &Cpe) -> Memory {
    live_and_look_on(cpe, &cpe.disk())
}

fn live_and_look_on(cpe: &Cpe, disk: &Arc<FrailFolder>) -> Memory {
    let before = cpe.sessions();
    let world = cpe.open(disk);
    // A session may be what brings these about again.
    let transfers = world.transfers().entries().len();
    let trial = Trials::load(&world.state, BTreeSet::new()).is_on();
    #[cfg(feature = "software-modules")]
    let software = !world.modules().is_empty();
    #[cfg(not(feature = "software-modules"))]
    let software = false;
    let first_use = world.runtime.get("first_use_date").is_some();
    let clock = world.clock_floor();
    assert_eq!(live(&world), End::Idle);
    let level = world.model().attributes(&[NTP]).unwrap()[0].notification;
    Memory {
        key: get(&world, KEY),
        level,
        rows: rows(&world),
        scheduled: world.owed().next_schedule().is_some(),
        serial: world.identity().serial_number.clone(),
        transfers,
        trial,
        software,
        first_use,
        clock,
        told: cpe.told_since(before),
    }
}

/// That a file was set aside, and that a line says so.
fn is_set_aside(cpe: &Cpe, name: &str, what: &str) {
    let lines = logged(cpe);
    let path = format!("{}: ", cpe.state(name).display());
    let mut told = lines.iter().filter(|l| l.contains(&path));
    assert!(
        told.any(|l| l.contains("set aside as")),
        "{what}: no line in {lines:?}"
    );
    let aside = std::fs::symlink_metadata(cpe.state(&format!("{name}.bad-1")));
    assert!(aside.is_ok(), "{what}: it is not kept");
}

/// Damages one file in every way and gives what the agent still knows each time; the same
/// boot goes on.
fn with_each_damage(cpe: &Cpe, start: &Image, name: &str) -> Memory {
    let mut seen: Option<Memory> = None;
    for damage in ALL {
        start_over(cpe, start);
        do_damage(cpe, name, damage);
        logged(cpe);
        let what = format!("{name} {damage:?}");
        let memory = live_and_look_on(cpe, &disk_with(cpe, name, damage));
        is_set_aside(cpe, name, &what);
        match &seen {
            None => seen = Some(memory),
            Some(first) => assert_eq!(&memory, first, "{what}"),
        }
        // It is written anew and holds: the next start finds nothing to set aside.
        live_and_look(cpe);
        let lines = logged(cpe);
        assert!(
            !lines.iter().any(|l| l.contains("set aside")),
            "{what}: {lines:?}"
        );
    }
    seen.unwrap()
}

// STATE files, each in turn
#[test]
fn a_damaged_state_file_is_set_aside_with_a_line_and_only_what_it_held_is_forgotten() {
    set_up_lines();
    let cpe = lived_in();
    let start = cpe.image();
    let whole = live_and_look(&cpe);
    assert_eq!(
        whole,
        Memory {
            key: "the key".into(),
            level: 1,
            rows: whole.rows.clone(),
            scheduled: true,
            serial: whole.serial.clone(),
            transfers: 1,
            trial: true,
            software: cfg!(feature = "software-modules"),
            first_use: true,
            clock: CLOCK,
            told: vec![],
        }
    );
    assert!(!whole.rows.contains(&1));
    let but = |change: fn(&mut Memory)| {
        let mut memory = whole.clone();
        change(&mut memory);
        memory
    };

    // What is owed: an ACS that knows this CPE is told 0 BOOTSTRAP again.
    assert_eq!(
        with_each_damage(&cpe, &start, "owed"),
        but(|m| {
            m.told = vec!["0 BOOTSTRAP".into()];
            m.scheduled = false;
        })
    );
    assert_eq!(
        with_each_damage(&cpe, &start, "boot_id"),
        but(|m| m.told = vec!["1 BOOT".into()])
    );
    assert_eq!(
        with_each_damage(&cpe, &start, "parameter_key.json"),
        but(|m| m.key.clear())
    );
    assert_eq!(
        with_each_damage(&cpe, &start, "attributes.json"),
        but(|m| m.level = 0)
    );
    // Numbers begin anew.
    assert_eq!(
        with_each_damage(&cpe, &start, "instances.json"),
        but(|m| m.rows = (1..=u32::try_from(m.rows.len()).unwrap()).collect())
    );
    // Derived from the same box, the identity is the same.
    assert_eq!(with_each_damage(&cpe, &start, "identity"), whole);
    // What is known of the ACS is learnt anew.
    assert_eq!(with_each_damage(&cpe, &start, "acs"), whole);

    // What is to be told is read from the values themselves, what DHCP said from DHCP; neither
    // is needed for anything before.
    for name in ["told", "discovery"] {
        assert_eq!(with_each_damage(&cpe, &start, name), whole, "{name}");
    }
    assert_eq!(
        with_each_damage(&cpe, &start, "transfers"),
        but(|m| m.transfers = 0)
    );
    assert_eq!(
        with_each_damage(&cpe, &start, "trial"),
        but(|m| m.trial = false)
    );
    if cfg!(feature = "software-modules") {
        assert_eq!(
            with_each_damage(&cpe, &start, "software"),
            but(|m| m.software = false)
        );
        assert_eq!(with_each_damage(&cpe, &start, "software-wanted"), whole);
    }
    assert_eq!(
        with_each_damage(&cpe, &start, "first_use"),
        but(|m| m.first_use = false)
    );
    assert_eq!(
        with_each_damage(&cpe, &start, "clock"),
        but(|m| m.clock = clock::FLOOR)
    );
    // Where new files were ever written: looked at by recovery, and written by the next change.
    assert_eq!(with_each_damage(&cpe, &start, "folders"), whole);
    for (name, damage) in ALL
        .iter()
        .flat_map(|d| [("settings.good", d), ("folders", d)])
    {
        start_over(&cpe, &start);
        do_damage(&cpe, name, *damage);
        let disk = disk_with(&cpe, name, *damage);
        assert_eq!(live_and_look_on(&cpe, &disk), whole, "{name} {damage:?}");
        let world = cpe.open(&disk);
        assert!(world.model().add(TABLE, None).is_ok(), "{name} {damage:?}");
        let kind = std::fs::symlink_metadata(cpe.state(name)).unwrap();
        assert!(kind.is_file(), "{name} {damage:?}");
    }
    // The last good settings are looked at only while the settings themselves are broken.
    // (Nothing is sealed under that name that was not understood.)
    for damage in ALL.into_iter().filter(|d| *d != Damage::OtherContent) {
        let what = format!("settings.good {damage:?}");
        start_over(&cpe, &start);
        cpe.write("/etc/config/cwmp", b"config acs 'acs\n");
        do_damage(&cpe, "settings.good", damage);
        logged(&cpe);
        let world = cpe.open(&disk_with(&cpe, "settings.good", damage));
        assert_eq!(world.settings().acs.url, "", "{what}");
        is_set_aside(&cpe, "settings.good", &what);
    }
    // The lock is a lock whatever is in it, or in its place.
    for damage in ALL.into_iter().filter(|d| *d != Damage::Unreadable) {
        start_over(&cpe, &start);
        do_damage(&cpe, "lock", damage);
        logged(&cpe);
        let first = cpe.open(&cpe.disk());
        let no_file = !matches!(
            std::fs::symlink_metadata(cpe.state("lock")),
            Ok(kind) if kind.is_file()
        );
        let lines = logged(&cpe);
        let serves = lines.iter().any(|l| l.contains("the lock on its folder"));
        // A pipe can be locked.
        assert_eq!(serves, no_file && damage != Damage::Pipe, "lock {damage:?}");
        let wrong = lines.iter().any(|l| l.contains("cannot be written"));
        assert!(!wrong, "lock {damage:?}: {lines:?}");
        let second = World::open(cpe.setup(&cpe.disk()));
        assert!(second.is_err(), "lock {damage:?}: two owners");
        drop(first);
        assert_eq!(live_and_look(&cpe), whole, "lock {damage:?}");
    }
    // What lies in the run folder serves nobody but `status` and reloads.
    for name in ["sessions", "reload"] {
        for text in ["", "{", "\u{0}\u{1}", "[1, 2]"] {
            cpe.put_back(&start);
            cpe.write(&format!("{RUN}/{name}"), text.as_bytes());
            assert_eq!(live_and_look(&cpe), whole, "{name} {text:?}");
        }
    }
}

// ... and the journal, which no change can be made without. What it held is another story: see
// recovery.rs.
#[test]
fn whatever_lies_in_the_journals_place_is_set_aside_with_a_line_and_changes_are_made() {
    set_up_lines();
    let cpe = lived_in();
    let start = cpe.image();
    let whole = live_and_look(&cpe);
    for damage in ALL {
        let what = format!("journal {damage:?}");
        start_over(&cpe, &start);
        let state = StateDir::open(&cpe.router.path(STATE)).unwrap();
        let none = serde_json::json!({ "entries": [], "reload": [] });
        state.save("journal", &none).unwrap();
        do_damage(&cpe, "journal", damage);
        logged(&cpe);
        let disk = disk_with(&cpe, "journal", damage);
        assert_eq!(live_and_look_on(&cpe, &disk), whole, "{what}");
        is_set_aside(&cpe, "journal", &what);
        let world = cpe.open(&disk);
        let added = world.model().add(TABLE, None);
        assert!(added.is_ok(), "{what}: {added:?}");
        drop(world);
        assert!(!cpe.state("journal").exists(), "{what}");
    }
}

// While the agent runs.
#[test]
fn what_comes_into_the_place_of_a_file_that_is_to_be_written_goes_out_of_the_way() {
    let cpe = lived_in();
    let world = cpe.open(&cpe.disk());
    assert_eq!(live(&world), End::Idle);
    for damage in [
        Damage::Folder,
        Damage::Loop,
        Damage::Dangling,
        Damage::Pipe,
        Damage::Socket,
    ] {
        do_damage(&cpe, "journal", damage);
        let added = world.model().add(TABLE, None);
        assert!(added.is_ok(), "journal {damage:?}: {added:?}");
        do_damage(&cpe, "owed", damage);
        assert!(world.owed().save(), "owed {damage:?}");
        let kind = std::fs::symlink_metadata(cpe.state("owed")).unwrap();
        assert!(kind.is_file(), "owed {damage:?}");
    }
}

// Another command asks who it is that holds the state.
#[test]
fn a_pipe_in_the_place_of_the_lock_of_another_keeps_nobody_waiting() {
    let cpe = lived_in();
    let _owner = cpe.open(&cpe.disk());
    do_damage(&cpe, "lock", Damage::Pipe);
    let setup = cpe.setup(&cpe.disk());
    let (told, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(World::open(setup).is_err()));
    let refused = hears.recv_timeout(std::time::Duration::from_secs(30));
    assert_eq!(refused, Ok(true));
}

#[test]
fn many_damaged_files_of_one_name_do_not_pile_up() {
    let cpe = Cpe::known();
    for damage in ALL.into_iter().cycle().take(24) {
        if damage != Damage::Foreign {
            do_damage(&cpe, "owed", damage);
        }
        cpe.life();
    }
    let bad: Vec<String> = cpe
        .state_names()
        .into_iter()
        .filter(|n| n.contains(".bad-"))
        .collect();
    assert!((4..=8).contains(&bad.len()), "{bad:?}");
}

#[test]
fn the_last_good_settings_serve_while_the_file_is_broken_and_the_defaults_without_both() {
    let cpe = Cpe::known();
    let good = cpe.router.read("/etc/config/cwmp").unwrap();
    cpe.write("/etc/config/cwmp", b"config acs 'acs\n");
    let world = cpe.open(&cpe.disk());
    assert_eq!(world.settings().acs.url, cpe.acs.url());
    assert!(world.settings_trouble().is_some());
    drop(world);
    do_damage(&cpe, "settings.good", Damage::Torn);
    let world = cpe.open(&cpe.disk());
    assert_eq!(world.settings().acs.url, "");
    drop(world);
    cpe.write("/etc/config/cwmp", good.as_bytes());
    let world = cpe.open(&cpe.disk());
    assert_eq!(world.settings().acs.url, cpe.acs.url());
    assert!(world.settings_trouble().is_none());
}

// A file that cannot be read at all is no reason either (its owner changed, a bad sector).
#[test]
fn a_state_file_that_cannot_be_read_is_set_aside() {
    if nix::unistd::geteuid().is_root() {
        // Nothing is unreadable for root: the disk has to refuse.
        let cpe = Cpe::known();
        let disk = cpe.disk();
        disk.refuse_to_read("owed");
        let world = cpe.open(&disk);
        agent::begin(&world);
        assert!(cpe.state("owed.bad-1").exists());
        let codes: Vec<String> = world
            .owed()
            .pending()
            .iter()
            .map(|e| e.code.to_string())
            .collect();
        assert_eq!(codes, ["0 BOOTSTRAP"]);
        return;
    }
    let cpe = Cpe::known();
    std::fs::set_permissions(cpe.state("owed"), std::fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(cpe.life().1, ["0 BOOTSTRAP"]);
}

// `get`, `names`, `status` on whatever is there.
#[test]
fn commands_answer_over_damaged_state() {
    let cpe = Cpe::known();
    for name in ["owed", "instances.json", "identity", "journal"] {
        do_damage(&cpe, name, Damage::Garbage);
    }
    let ask = |q: Question| offline::ask(&cpe.setup(&cpe.disk()), &q).expect("an answer");
    let paths = vec!["Device.".to_owned()];
    assert!(matches!(ask(Question::Get { paths }), Answer::Values(v) if v.len() > 5));
    let path = "Device.".to_owned();
    let names = Question::Names {
        path,
        next_level: false,
    };
    assert!(matches!(ask(names), Answer::Names(n) if n.len() > 5));
    assert!(matches!(ask(Question::Status), Answer::Status(_)));
}

// T-SEC-009
#[test]
fn nobody_else_can_read_what_the_agent_keeps_passwords_included() {
    let cpe = lived_in();
    let kept = cpe.state_names();
    for name in ["settings.good", "owed", "acs", "identity"] {
        assert!(kept.iter().any(|k| k == name), "{name} is not in {kept:?}");
    }
    let mode =
        |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let folder = cpe.router.path(STATE);
    assert_eq!(mode(folder.clone()), 0o700);
    for name in kept {
        assert_eq!(mode(folder.join(&name)), 0o600, "{name}");
    }
}
