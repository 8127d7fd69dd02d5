//! Whatever lies where a state file should be, the agent starts, says so, and behaves as
//! one that has forgotten just that.

mod frail_cpe;

use cwmp_agent::agent::control::{Answer, Question};
use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, offline};
use frail_cpe::acs::*;
use frail_cpe::frail::folder::Image;
use frail_cpe::*;
use log::{LevelFilter, Log, Metadata, Record};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

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
}

const ALL: [Damage; 9] = [
    Damage::Empty,
    Damage::Torn,
    Damage::Garbage,
    Damage::Foreign,
    Damage::Newer,
    Damage::OtherContent,
    Damage::Oversized,
    Damage::Folder,
    Damage::FullFolder,
];

fn do_damage(cpe: &Cpe, name: &str, damage: Damage) {
    let path = cpe.state(name);
    let good = std::fs::read(&path).unwrap_or_default();
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
            let state = cwmp_agent::store::state::StateDir::open(path.parent().unwrap()).unwrap();
            state.save(name, &[1, 2]).unwrap();
            return;
        }
        Damage::Oversized => vec![b'x'; 5 << 20],
        Damage::Folder | Damage::FullFolder => {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).unwrap();
            if damage == Damage::FullFolder {
                std::fs::write(path.join("file"), "x").unwrap();
            }
            return;
        }
    };
    std::fs::write(&path, new).unwrap();
}

/// A CPE with something in every state file.
fn lived_in() -> Cpe {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([
        get_values(&["Device."]),
        set_values(&[(NTP, "string", "kept.example")], "the key"),
        set_notification(&[(NTP, 1)]),
        delete_object(&format!("{TABLE}1."), "the key"),
        schedule_inform(9000, "later"),
    ]));
    assert_eq!(cpe.life().1, ["1 BOOT"]);
    let state = cwmp_agent::store::state::StateDir::open(&cpe.router.path(STATE)).unwrap();
    state.save("clock", &1_800_000_000_i64).unwrap();
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
    told: Vec<String>,
}

fn live_and_look(cpe: &Cpe) -> Memory {
    let before = cpe.sessions();
    let world = cpe.open(&cpe.disk());
    assert_eq!(live(&world), End::Idle);
    let level = world.model().attributes(&[NTP]).unwrap()[0].notification;
    Memory {
        key: get(&world, KEY),
        level,
        rows: rows(&world),
        scheduled: world.owed().next_schedule().is_some(),
        serial: world.identity().serial_number.clone(),
        told: cpe.told_since(before),
    }
}

/// Damages one file in every way and gives what the agent still knows each time; the same
/// boot goes on.
fn with_each_damage(cpe: &Cpe, start: &Image, name: &str) -> Memory {
    let mut seen: Option<Memory> = None;
    for damage in ALL {
        cpe.put_back(start);
        do_damage(cpe, name, damage);
        logged(cpe);
        let memory = live_and_look(cpe);
        let lines = logged(cpe);
        let what = format!("{name} {damage:?}");
        let told = lines
            .iter()
            .any(|l| l.contains(name) && l.contains("set aside as"));
        assert!(told, "{what}: no line in {lines:?}");
        assert!(cpe.state(&format!("{name}.bad-1")).exists(), "{what}");
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
    log::set_logger(&Lines).unwrap();
    log::set_max_level(LevelFilter::Info);
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

    // The last good settings are needed only when the file is broken, the folders of new
    // files when there is one: written over without being looked at, or looked at again.
    for (name, damage) in ALL
        .iter()
        .flat_map(|d| [("settings.good", d), ("folders", d)])
    {
        cpe.put_back(&start);
        do_damage(&cpe, name, *damage);
        assert_eq!(live_and_look(&cpe), whole, "{name} {damage:?}");
        let world = cpe.open(&cpe.disk());
        assert!(world.model().add(TABLE, None).is_ok(), "{name} {damage:?}");
        assert!(cpe.state(name).is_file(), "{name} {damage:?}");
    }
    // A journal that nobody can have acted on.
    for damage in ALL
        .into_iter()
        .filter(|d| *d != Damage::Newer && *d != Damage::Torn)
    {
        cpe.put_back(&start);
        do_damage(&cpe, "journal", damage);
        assert_eq!(live_and_look(&cpe), whole, "journal {damage:?}");
        assert!(cpe.state("journal.bad-1").exists(), "journal {damage:?}");
        let world = cpe.open(&cpe.disk());
        assert!(world.model().add(TABLE, None).is_ok(), "journal {damage:?}");
    }
    // The lock is a lock whatever is in it, or in its place.
    for damage in [
        Damage::Empty,
        Damage::Garbage,
        Damage::Oversized,
        Damage::Folder,
    ] {
        cpe.put_back(&start);
        do_damage(&cpe, "lock", damage);
        let first = cpe.open(&cpe.disk());
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
