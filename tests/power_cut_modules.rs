//! The power goes at every step of a ChangeDUState: what was promised is done, and told of once
//! with what is really there. The disk refuses: what cannot be kept is not promised.

#![cfg(feature = "software-modules")]

mod frail_cpe;

use cwmp_agent::agent::modules;
use cwmp_agent::agent::world::World;
use cwmp_agent::transfer::archive::Writer;
use frail_cpe::acs::*;
use frail_cpe::files::Served;
use frail_cpe::frail::Fate;
use frail_cpe::frail::folder::{image_of, put_back};
use frail_cpe::*;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where no power cut takes back what was written: what is put in place there is durable
/// before anything is said of it.
const MODULES: &str = "/tmp/modules";
const UUID: &str = "01234567-89ab-5cde-8f01-23456789abcd";

fn archive(version: &str) -> Vec<u8> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("cwmp-cut-{}-{number}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut writer = Writer::create(&path).expect("a file");
    let manifest = format!("name = \"a\"\nvendor = \"example.com\"\nversion = \"{version}\"\n");
    writer
        .file("module.toml", 0o644, manifest.as_bytes())
        .expect("an entry");
    writer.finish().expect("an archive");
    let bytes = std::fs::read(&path).expect("an archive");
    std::fs::remove_file(&path).expect("gone");
    bytes
}

/// A router with an environment of plain archives, which knows its ACS.
fn known() -> Cpe {
    let cpe = Cpe::new();
    let path = "/etc/cwmp-agent/agent.toml";
    let text = cpe.router.read(path).expect("agent.toml");
    cpe.write(
        path,
        format!("{text}[[software_modules]]\nname = \"box\"\ndir = {MODULES:?}\n").as_bytes(),
    );
    std::fs::create_dir_all(cpe.router.path(MODULES)).expect("a folder");
    let world = cpe.open(&cpe.disk());
    assert_eq!(live(&world), End::Idle);
    drop(world);
    for version in ["1", "2"] {
        cpe.files
            .serve(&format!("/{version}"), Served::bytes(archive(version)));
    }
    cpe
}

fn change(operation: &str) -> Rpc {
    raw(
        "ChangeDUState",
        format!(
            "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soap:Header>\
             <cwmp:ID soap:mustUnderstand=\"1\">du</cwmp:ID></soap:Header><soap:Body>\
             <cwmp:ChangeDUState>{operation}<CommandKey>k</CommandKey>\
             </cwmp:ChangeDUState></soap:Body></soap:Envelope>"
        ),
    )
}

fn operation(kind: &str, fields: &str) -> String {
    format!("<Operations xsi:type=\"cwmp:{kind}OpStruct\">{fields}<UUID>{UUID}</UUID></Operations>")
}

/// Sessions, and what they ask for, until nothing is due.
fn live_on(world: &World) {
    loop {
        assert_eq!(live(world), End::Idle);
        modules::work(world, None, false, &|| {});
        if world.owed().pending().is_empty() && !world.modules().has_work() {
            return;
        }
    }
}

/// What these sessions tell: fault code and version, of each result.
fn told(sessions: &[SessionRecord]) -> Vec<(u16, String)> {
    let mut all = Vec::new();
    for message in sessions
        .iter()
        .flat_map(|s| s.messages_named("DUStateChangeComplete"))
    {
        let document = roxmltree::Document::parse(&message.raw).expect("XML");
        let text = |name: &str| {
            let found = document.descendants().find(|n| n.has_tag_name(name));
            found.and_then(|n| n.text()).unwrap_or_default().to_owned()
        };
        assert_eq!(text("CommandKey"), "k");
        all.push((text("FaultCode").parse().expect("a code"), text("Version")));
    }
    all
}

/// The modules that lie there, and the units that the register knows.
fn there(cpe: &Cpe) -> (Vec<String>, Vec<(String, &'static str)>) {
    let entries = std::fs::read_dir(cpe.router.path(MODULES))
        .into_iter()
        .flatten();
    let names = entries.map(|e| {
        e.expect("an entry")
            .file_name()
            .into_string()
            .expect("a name")
    });
    let world = cpe.open(&cpe.disk());
    let registry = world.modules();
    let units = registry
        .units()
        .iter()
        .map(|u| (u.version.clone(), u.status.name()));
    (names.collect(), units.collect())
}

/// Does something when it goes, be it that the power is cut.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// The ACS asks for `rpc`; `before` and `after` say which version is there.
fn at_every_cut(cpe: &Cpe, rpc: &Rpc, before: Option<&str>, after: Option<&str>) {
    let (cuts, promised, repeated) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let state = |version: Option<&str>| {
        let names: Vec<String> = version.iter().map(|v| format!("a-{v}")).collect();
        let units: Vec<_> = version
            .iter()
            .map(|v| ((*v).to_owned(), "Installed"))
            .collect();
        (names, units)
    };
    let modules = cpe.router.path(MODULES);
    let start = image_of(&modules);
    let at_cut = RefCell::new(start.clone());
    cpe.at_every_cut(
        |disk, arm| {
            put_back(&modules, &start);
            let _noted = AtEnd(|| *at_cut.borrow_mut() = image_of(&modules));
            cpe.script(Script::of([rpc.clone()]));
            let world = cpe.open(disk);
            arm();
            live_on(&world);
        },
        |cut| {
            put_back(&modules, &at_cut.borrow());
            let told_before = told(cut.sessions);
            let first = cpe.sessions();
            live_on(&cpe.open(&cpe.disk()));
            cpe.boot();
            live_on(&cpe.open(&cpe.disk()));
            let told_after = cpe.look(|record| told(&record.sessions[first..]));
            let what = format!("{}: {told_before:?}, then {told_after:?}", cut.what);
            cuts.set(cuts.get() + 1);
            let count = told_before.len() + told_after.len();
            if cut.told("ChangeDUStateResponse") {
                promised.set(promised.get() + 1);
                assert!(count >= 1, "{what}: it is never told of");
            }
            // An answer that the power cut kept from being noted is asked for again.
            assert!(told_before.len() <= 1 && told_after.len() <= 1, "{what}");
            repeated.set(repeated.get() + usize::from(count == 2));
            for (code, version) in told_before.iter().chain(&told_after) {
                let version = Some(version.as_str());
                assert_eq!((*code, version), (0, after.or(before)), "{what}");
            }
            let wanted = if count > 0 { after } else { before };
            assert_eq!(there(cpe), state(wanted), "{what}");
            let world = cpe.open(&cpe.disk());
            assert!(world.modules().requests().is_empty(), "{what}");
            assert!(world.owed().pending().is_empty(), "{what}");
            cpe.nothing_left_behind(&what);
        },
    );
    let (cuts, promised) = (cuts.get(), promised.get());
    assert!(
        promised > 10 && promised < cuts,
        "{promised} of {cuts} promised"
    );
    assert!(repeated.get() > 0, "no answer was lost");
}

// T-DUS-009
#[test]
fn an_installation_is_done_and_told_of_once() {
    let cpe = known();
    let url = cpe.files.url("/1");
    let rpc = change(&operation("Install", &format!("<URL>{url}</URL>")));
    at_every_cut(&cpe, &rpc, None, Some("1"));
}

fn installed(cpe: &Cpe) {
    let url = cpe.files.url("/1");
    let install = operation("Install", &format!("<URL>{url}</URL>"));
    cpe.boot();
    cpe.script(Script::of([change(&install)]));
    live_on(&cpe.open(&cpe.disk()));
    assert_eq!(there(cpe).0, ["a-1"]);
}

#[test]
fn an_update_is_done_and_told_of_once() {
    let cpe = known();
    installed(&cpe);
    let url = cpe.files.url("/2");
    let fields = format!("<UUID>{UUID}</UUID><Version>1</Version><URL>{url}</URL>");
    let update = format!("<Operations xsi:type=\"cwmp:UpdateOpStruct\">{fields}</Operations>");
    at_every_cut(&cpe, &change(&update), Some("1"), Some("2"));
}

#[test]
fn a_removal_is_done_and_told_of_once() {
    let cpe = known();
    installed(&cpe);
    at_every_cut(&cpe, &change(&operation("Uninstall", "")), Some("1"), None);
}

/// The disk refuses one write, or all from then on: a request is promised only if it is kept,
/// and then it is done and told of.
#[test]
fn a_change_on_a_disk_in_trouble_is_promised_only_if_it_is_kept() {
    let cpe = known();
    let modules = cpe.router.path(MODULES);
    let (start, nothing) = (cpe.image(), image_of(&modules));
    let url = cpe.files.url("/1");
    let rpc = change(&operation("Install", &format!("<URL>{url}</URL>")));
    let (mut promised, mut refused) = (0, 0);
    // ENOSPC once, EIO from then on.
    let errors = [28, 5];
    for n in 0..16 {
        for (lasting, error) in [(false, errors[0]), (true, errors[1])] {
            cpe.put_back(&start);
            put_back(&modules, &nothing);
            cpe.boot();
            cpe.script(Script::of([rpc.clone()]));
            let first = cpe.sessions();
            let disk = cpe.disk();
            let world = cpe.open(&disk);
            cwmp_agent::agent::begin(&world);
            disk.set_fate(match lasting {
                false => Fate::FailOnce(n, error),
                true => Fate::FailFrom(n, error),
            });
            one_session(&world);
            let answered = cpe.last_session();
            let kept = answered.message("ChangeDUStateResponse").is_some();
            let what = format!("{error} at {n}, lasting: {lasting}");
            if kept {
                promised += 1;
            } else {
                refused += 1;
                assert_eq!(answered.faults(), [9002], "{what}");
            }
            // Well again before the next start: what was refused is taken back.
            disk.set_fate(Fate::Sound);
            world.modules().session_ended();
            drop(world);
            cpe.boot();
            live_on(&cpe.open(&cpe.disk()));
            let told = cpe.look(|record| told(&record.sessions[first..]));
            assert_eq!(!told.is_empty(), kept, "{what}: {told:?}");
            assert!(told.iter().all(|(code, _)| *code == 0), "{what}: {told:?}");
            let names = there(&cpe).0;
            assert_eq!(names.is_empty(), !kept, "{what}: {names:?}");
        }
    }
    assert!(
        promised > 4 && refused > 2,
        "{promised} kept, {refused} refused"
    );
}
