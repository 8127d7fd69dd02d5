//! The lock between processes: those of libuci, which are played here by this very
//! program started anew, and our own. Two that write one file at once lose nothing.

mod scratch;

use cwmp_agent::model::binding::{Binding, UciAt};
use cwmp_agent::model::source::{Ask, Journal, Raw, Source};
use cwmp_agent::source::Limits;
use cwmp_agent::source::uci::UciSource;
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use cwmp_agent::uci::Package;
use cwmp_agent::uci::file::FileError;
use cwmp_agent::uci::lock::Locked;
use nix::fcntl::{Flock, FlockArg};
use scratch::Scratch;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Long enough for any machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

const ROLE: &str = "CWMP_TEST_UCI_ROLE";

/// Another process that plays a role on a folder.
struct Player {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Player {
    fn start(role: &str, t: &Scratch) -> Player {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "player", "--nocapture"])
            .env(ROLE, format!("{role} {}", t.dir().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program again");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Player {
            child,
            input,
            output,
        }
    }

    /// Waits until the player has come so far.
    fn reaches(&mut self, mark: &str) {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("text") > 0 {
            if line.contains(&format!("@{mark}")) {
                return;
            }
            line.clear();
        }
        panic!("the player ended before {mark}");
    }

    fn go_on(&mut self) {
        self.input.write_all(b"go\n").expect("it reads");
    }

    fn end(mut self) {
        drop(self.input);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        assert!(
            self.child.wait().expect("it was started").success(),
            "{rest}"
        );
    }
}

/// What the other process does; nothing in a run of the tests.
#[test]
fn player() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (role, folder) = role.split_once(' ').expect("a role and a folder");
    let folder = Path::new(folder);
    let path = folder.join("etc/config/system");
    let mut lines = std::io::stdin().lines();
    let mut wait = || drop(lines.next());
    match role {
        "holder" => {
            let _lock = Flock::lock(open(&path), FlockArg::LockExclusive).expect("free");
            println!("\n@locked");
            wait();
        }
        "libuci" => libuci(&path, wait),
        writer => {
            let mut ours = Ours::new(folder, &format!("state-{writer}"));
            for n in 0..20 {
                ours.append("system", &format!("{writer}-{n}"));
            }
        }
    }
}

fn open(path: &Path) -> File {
    let mut options = File::options();
    options.read(true).write(true).open(path).expect("readable")
}

/// What `uci commit` does: open, lock, read what was opened, write a temporary file, give
/// the lock back, rename.
fn libuci(path: &Path, mut wait: impl FnMut()) {
    let file = open(path);
    println!("\n@opened");
    wait();
    let mut lock = Flock::lock(file, FlockArg::LockExclusive).expect("it waits");
    println!("\n@locked");
    wait();
    let mut text = String::new();
    lock.rewind().expect("a file");
    lock.read_to_string(&mut text).expect("UTF-8");
    let text = text + "\tlist item 'libuci'\n";
    let temporary = path.with_file_name(".system.uci-ABCDEF");
    fs::write(&temporary, text).expect("writable");
    drop(lock);
    println!("\n@unlocked");
    wait();
    fs::rename(&temporary, path).expect("writable");
}

/// A source of ours that commits as the agent does.
struct Ours {
    source: UciSource,
    journal: DiskJournal,
}

impl Ours {
    fn new(folder: &Path, state: &str) -> Ours {
        let limits = Limits {
            uci_lock_wait: LONG,
            ..Limits::default()
        };
        let state = StateDir::open(&folder.join(state)).expect("writable");
        Ours {
            source: UciSource::new(Root::new(folder).expect("a folder"), limits),
            journal: DiskJournal::new(state),
        }
    }

    /// Stages one more item of `list item` of the first section.
    fn stage(&mut self, package: &str, item: &str) {
        let at = UciAt {
            package: package.into(),
            section: "@system[0]".into(),
            option: "item".into(),
            ..UciAt::default()
        };
        let binding = Binding::Uci(Box::new(at));
        let ask = Ask {
            binding: &binding,
            rows: &[],
        };
        let mut items = match self.source.read(&[ask]).remove(0).expect("readable") {
            Some(Raw::List(items)) => items,
            _ => Vec::new(),
        };
        items.push(item.to_owned());
        let ask = Ask {
            binding: &binding,
            rows: &[],
        };
        let staged = self.source.stage(ask, Some(Raw::List(items)));
        staged.expect("a plain value");
    }

    fn commit(&mut self) {
        let prepared = self.source.prepare().expect("the lock comes");
        self.journal.commit(&prepared.files).expect("writable");
        self.source.finish(true);
        self.source.begin();
    }

    /// Makes a section of its own name, as only this writer does.
    fn append(&mut self, package: &str, name: &str) {
        let at = UciAt {
            package: package.into(),
            section: name.replace('-', "_").into(),
            option: "item".into(),
            create: Some("row".into()),
            ..UciAt::default()
        };
        let binding = Binding::Uci(Box::new(at));
        let ask = Ask {
            binding: &binding,
            rows: &[],
        };
        let staged = self.source.stage(ask, Some(Raw::Text(name.into())));
        staged.expect("a plain value");
        self.commit();
    }
}

fn router() -> Scratch {
    let t = Scratch::new();
    t.file(
        "etc/config/system",
        "config system 'system'\n\tlist item 'first'\n",
    );
    t
}

fn items(t: &Scratch) -> Vec<String> {
    let package = Package::parse(t.read("etc/config/system").as_bytes()).expect("valid");
    let items = package.sections()[0].get("item").expect("it is there");
    items.items().to_vec()
}

#[test]
fn the_lock_of_another_process_is_waited_for_so_long_and_no_longer() {
    let t = router();
    let path = t.path("etc/config/system");
    let mut holder = Player::start("holder", &t);
    holder.reaches("locked");
    assert!(matches!(
        Locked::acquire(&path, SHORT),
        Err(FileError::Locked { .. })
    ));
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || Locked::acquire(&path, LONG).map(drop)
    });
    holder.end();
    waiting
        .join()
        .expect("no panic")
        .expect("the lock came free");
}

#[test]
fn the_lock_of_a_process_that_is_killed_is_free() {
    let t = router();
    let mut holder = Player::start("holder", &t);
    holder.reaches("locked");
    holder.child.kill().expect("it runs");
    holder.child.wait().expect("it ended");
    Locked::acquire(&t.path("etc/config/system"), LONG).expect("nobody holds it");
}

#[test]
fn a_commit_of_libuci_that_waited_for_ours_keeps_what_we_wrote() {
    let t = router();
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("system", "ours, and longer than what was there before");
    let prepared = ours.source.prepare().expect("nobody holds it");
    let mut libuci = Player::start("libuci", &t);
    libuci.reaches("opened");
    // It waits in flock, for the file that is about to be replaced.
    libuci.go_on();
    ours.journal.commit(&prepared.files).expect("writable");
    ours.source.finish(true);
    libuci.reaches("locked");
    libuci.go_on();
    libuci.go_on();
    libuci.end();
    let wanted = [
        "first",
        "ours, and longer than what was there before",
        "libuci",
    ];
    assert_eq!(items(&t), wanted);
}

#[test]
fn what_libuci_reads_after_ours_is_no_longer_than_what_we_wrote() {
    let t = router();
    let first = t.read("etc/config/system");
    t.file(
        "etc/config/system",
        &(first.clone() + "\toption long '" + &"x".repeat(5000) + "'\n"),
    );
    let mut libuci = Player::start("libuci", &t);
    libuci.reaches("opened");
    let locked = Locked::acquire(&t.path("etc/config/system"), LONG).expect("nobody holds it");
    fs::rename(
        t.file("etc/config/.new", &first),
        t.path("etc/config/system"),
    )
    .expect("writable");
    locked.hand_over();
    for mark in ["locked", "unlocked"] {
        libuci.go_on();
        libuci.reaches(mark);
    }
    libuci.go_on();
    libuci.end();
    assert_eq!(
        t.read("etc/config/system"),
        first + "\tlist item 'libuci'\n"
    );
}

#[test]
fn a_commit_of_libuci_between_its_lock_and_its_rename_is_waited_for() {
    let t = router();
    let mut libuci = Player::start("libuci", &t);
    for mark in ["opened", "locked", "unlocked"] {
        libuci.reaches(mark);
        if mark != "unlocked" {
            libuci.go_on();
        }
    }
    // Free, but a temporary file is about to take the place of what is locked now.
    let waiting = std::thread::spawn({
        let path = t.path("etc/config/system");
        move || Locked::acquire(&path, LONG).map(|locked| locked.content().to_vec())
    });
    libuci.go_on();
    libuci.end();
    let content = waiting.join().expect("no panic").expect("nobody holds it");
    // A machine that stalls longer than a rename is waited for reads what was there: then
    // at least it was the whole old file.
    let now = t.read("etc/config/system");
    assert!(now.ends_with("'libuci'\n"));
    let before = now.trim_end_matches("\tlist item 'libuci'\n");
    assert!(content == now.as_bytes() || content == before.as_bytes());
}

#[test]
fn processes_that_write_one_file_at_once_lose_nothing() {
    let t = router();
    let players: Vec<Player> = ["a", "b", "c"].map(|role| Player::start(role, &t)).into();
    let mut ours = Ours::new(t.dir(), "state");
    for n in 0..20 {
        ours.append("system", &format!("d-{n}"));
    }
    for player in players {
        player.end();
    }
    let package = Package::parse(t.read("etc/config/system").as_bytes()).expect("valid");
    for writer in ["a", "b", "c", "d"] {
        for n in 0..20 {
            let name = format!("{writer}_{n}");
            assert!(package.section(&name).is_some(), "{name} was lost");
        }
    }
    assert_eq!(package.sections().len(), 81);
}

#[test]
fn a_change_that_fails_gives_all_its_locks_back() {
    let t = router();
    t.file("etc/config/alpha", "config system\n");
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("alpha", "one");
    ours.stage("system", "two");
    t.file("etc/config/system", "config system\n\toption 'open\n");
    let trouble = ours
        .source
        .prepare()
        .expect_err("the second file is broken");
    assert!(trouble.to_string().contains("line 2"), "{trouble:?}");
    assert!(Locked::acquire(&t.path("etc/config/alpha"), Duration::ZERO).is_err());
    ours.source.finish(false);
    for package in ["alpha", "system"] {
        let path = t.path(&format!("etc/config/{package}"));
        Locked::acquire(&path, Duration::ZERO).expect("free again");
    }
    assert_eq!(t.read("etc/config/alpha"), "config system\n");
}

#[test]
fn changes_staged_with_uci_set_stay_staged() {
    let t = router();
    let staged = "system.system.hostname='mine'\n-system.system.item\n";
    let delta = t.file("tmp/.uci/system", staged);
    let before = fs::metadata(&delta).expect("it is there");
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("system", "ours");
    ours.commit();
    // Not a value before it is committed, and still there to be.
    assert_eq!(items(&t), ["first", "ours"]);
    assert!(!t.read("etc/config/system").contains("mine"));
    let after = fs::metadata(&delta).expect("it is there");
    assert_eq!(t.read("tmp/.uci/system"), staged);
    assert_eq!(
        (before.ino(), before.mtime(), before.mtime_nsec()),
        (after.ino(), after.mtime(), after.mtime_nsec())
    );
}

#[test]
fn a_written_file_keeps_its_mode_and_owner() {
    let t = router();
    let path = t.path("etc/config/system");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("own file");
    // Only root may give a file away.
    let given = std::os::unix::fs::chown(&path, Some(1234), Some(5678)).is_ok();
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("system", "ours");
    ours.commit();
    let now = fs::metadata(&path).expect("it is there");
    assert_eq!(now.permissions().mode() & 0o7777, 0o640);
    if given {
        assert_eq!((now.uid(), now.gid()), (1234, 5678));
    }
    assert_eq!(items(&t), ["first", "ours"]);
}

#[test]
fn another_name_of_the_replaced_file_keeps_what_it_held() {
    let t = router();
    let path = t.path("etc/config/system");
    let kept = t.path("kept");
    fs::hard_link(&path, &kept).expect("one file system");
    let before = t.read("kept");
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("system", "ours");
    ours.commit();
    assert_eq!(items(&t), ["first", "ours"]);
    assert_eq!(t.read("kept"), before);
}

#[test]
fn a_file_behind_a_link_is_locked_where_it_lies() {
    let t = router();
    fs::rename(t.path("etc/config/system"), t.path("real")).expect("writable");
    std::os::unix::fs::symlink("../../real", t.path("etc/config/system")).expect("writable");
    let lock = Flock::lock(open(&t.path("real")), FlockArg::LockExclusive);
    let lock = lock.map_err(|(_, e)| e).expect("free");
    assert!(Locked::acquire(&t.path("etc/config/system"), SHORT).is_err());
    drop(lock);
    let mut ours = Ours::new(t.dir(), "state");
    ours.stage("system", "ours");
    ours.commit();
    let link = fs::symlink_metadata(t.path("etc/config/system")).expect("it is there");
    assert!(link.is_symlink());
    assert!(t.read("real").contains("'ours'"));
}
