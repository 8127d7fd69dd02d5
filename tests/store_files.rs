//! Real files on a real disk: atomic replacement, state files, the lock, the root.

mod scratch;

use cwmp_agent::model::source::{FileChange, Journal};
use cwmp_agent::store::journal::{DiskJournal, Outcome, recover};
use cwmp_agent::store::lock::{LockError, StateLock};
use cwmp_agent::store::rooted::PathError;
use cwmp_agent::store::run_dir::RunDir;
use cwmp_agent::store::state::StateDir;
use cwmp_agent::store::{Disk, Folders, RealDisk, Root, atomic};
use scratch::Scratch;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn replacing_keeps_mode_and_owner_and_a_new_file_gets_the_given_mode() {
    let s = Scratch::new();
    let file = s.file("conf", "old");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let root = nix::unistd::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&file, Some(123), Some(456)).unwrap();
    }
    assert!(atomic::write(&RealDisk, &file, b"new", 0o777).unwrap());
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(mode(&file), 0o640);
    if root {
        let m = fs::metadata(&file).unwrap();
        assert_eq!((m.uid(), m.gid()), (123, 456));
    }
    let fresh = s.path("secret");
    assert!(atomic::write(&RealDisk, &fresh, b"x", 0o600).unwrap());
    assert_eq!(mode(&fresh), 0o600);
}

#[test]
fn equal_content_is_not_written() {
    let s = Scratch::new();
    let file = s.file("conf", "same");
    let before = fs::metadata(&file).unwrap().ino();
    assert!(!atomic::write(&RealDisk, &file, b"same", 0o600).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().ino(), before);
}

#[test]
fn a_symbolic_link_stays_and_its_target_is_replaced() {
    let s = Scratch::new();
    let target = s.file("real/conf", "old");
    let link = s.path("link");
    symlink(&target, &link).unwrap();
    assert!(atomic::write(&RealDisk, &link, b"new", 0o600).unwrap());
    assert!(
        fs::symlink_metadata(&link)
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn a_folder_or_a_fifo_is_never_replaced_and_never_waited_for() {
    let s = Scratch::new();
    fs::create_dir(s.path("dir")).unwrap();
    assert!(atomic::write(&RealDisk, &s.path("dir"), b"x", 0o600).is_err());
    nix::unistd::mkfifo(&s.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(atomic::write(&RealDisk, &s.path("fifo"), b"x", 0o600).is_err());
    assert!(RealDisk.read(&s.path("fifo"), 10).is_err());
}

#[test]
fn the_journal_changes_real_files_together() {
    let s = Scratch::new();
    let state = StateDir::open(&s.path("state")).unwrap();
    assert_eq!(mode(&s.path("state")), 0o700);
    let a = s.file("etc/a", "old a");
    let gone = s.file("etc/gone", "x");
    fs::set_permissions(&a, fs::Permissions::from_mode(0o604)).unwrap();
    let b = s.path("etc/b");
    let mut journal = DiskJournal::new(state.clone());
    let write = |path: &PathBuf, content: &str| FileChange {
        path: path.clone(),
        content: Some(content.into()),
        mode: 0o600,
        reload: vec![],
    };
    let remove = FileChange {
        path: gone.clone(),
        content: None,
        mode: 0,
        reload: vec![],
    };
    journal
        .commit(&[write(&a, "new a"), write(&b, "new b"), remove])
        .unwrap();
    assert_eq!(fs::read(&a).unwrap(), b"new a");
    assert_eq!(mode(&a), 0o604);
    assert_eq!(fs::read(&b).unwrap(), b"new b");
    assert_eq!(mode(&b), 0o600);
    assert!(!gone.exists());
    // A missing folder is made.
    let new = s.path("new/folder/file");
    journal.commit(&[write(&new, "x")]).unwrap();
    assert_eq!(fs::read(&new).unwrap(), b"x");
    // A file that cannot be made (below another file): nothing else changes.
    let nowhere = a.join("below/file");
    let told = journal
        .commit(&[write(&a, "newer a"), write(&nowhere, "x")])
        .unwrap_err();
    assert!(told.source.contains("below/file"), "{told}");
    assert_eq!(fs::read(&a).unwrap(), b"new a");
    let left: Vec<_> = RealDisk.list(&s.path("etc")).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(recover(&state).unwrap().outcome, Outcome::Clean);
}

#[test]
fn new_files_left_by_a_power_cut_are_swept_away() {
    let s = Scratch::new();
    let state = StateDir::open(&s.path("state")).unwrap();
    let a = s.file("etc/a", "old");
    let change = FileChange {
        path: a,
        content: Some(b"new".to_vec()),
        mode: 0,
        reload: vec![],
    };
    DiskJournal::new(state.clone()).commit(&[change]).unwrap();
    let left = [
        s.file("etc/.a.cwmp-new", "x"),
        s.file("state/.journal.cwmp-new", "x"),
    ];
    let other = s.file("etc/.a.uci-1234", "someone else's");
    recover(&state).unwrap();
    assert!(left.iter().all(|f| !f.exists()));
    assert!(other.exists());
}

#[test]
fn state_is_saved_once_and_read_back_by_name() {
    let s = Scratch::new();
    let state = StateDir::open(&s.path("a/state")).unwrap();
    assert_eq!(state.load::<Vec<String>>("queue"), None);
    let value = vec!["ä\n".to_owned(), String::new()];
    assert!(state.save("queue", &value).unwrap());
    assert!(!state.save("queue", &value).unwrap());
    assert_eq!(state.load::<Vec<String>>("queue"), Some(value));
    assert_eq!(mode(&state.path("queue")), 0o600);
    state.remove("queue").unwrap();
    state.remove("queue").unwrap();
    assert_eq!(state.load::<Vec<String>>("queue"), None);
}

#[test]
fn a_state_file_that_does_not_hold_is_set_aside_and_never_met_again() {
    let s = Scratch::new();
    let state = StateDir::open(&s.path("state")).unwrap();
    state.save("queue", &vec![1, 2, 3]).unwrap();
    let whole = fs::read(state.path("queue")).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let foreign: [Vec<u8>; 7] = [
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        whole[..20].to_vec(),
        text.replace("[1,2,3]", "[1,2,4]").into_bytes(),
        text.replace("\"version\":1", "\"version\":2").into_bytes(),
        text.replace("\"queue\"", "\"other\"").into_bytes(),
        vec![0xFF; 2000],
    ];
    for bad in &foreign {
        fs::write(state.path("queue"), bad).unwrap();
        assert_eq!(
            state.load::<Vec<u32>>("queue"),
            None,
            "{}",
            String::from_utf8_lossy(bad)
        );
        assert!(!state.path("queue").exists());
    }
    // Of another type than asked for.
    state.save("queue", &"text").unwrap();
    assert_eq!(state.load::<Vec<u32>>("queue"), None);
    let kept = RealDisk.list(state.dir()).unwrap();
    assert_eq!(kept.len(), 4, "bounded: {kept:?}");
    assert!(state.save("queue", &vec![1]).unwrap());
    assert_eq!(state.load::<Vec<u32>>("queue"), Some(vec![1]));
}

#[test]
fn the_state_has_one_owner_and_the_second_learns_who() {
    let s = Scratch::new();
    let dir = s.path("state");
    let first = StateLock::acquire(&dir).unwrap();
    match StateLock::acquire(&dir) {
        Err(LockError::Held { pid }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(first);
    StateLock::acquire(&dir).unwrap();
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("lock")), 0o600);
}

#[test]
fn markers_are_set_and_cleared() {
    let s = Scratch::new();
    let run = RunDir::open(&s.path("var/run/x")).unwrap();
    assert!(!run.has("booted"));
    run.set("booted").unwrap();
    assert!(run.has("booted"));
    run.clear("booted").unwrap();
    run.clear("booted").unwrap();
    assert!(!run.has("booted"));
}

#[test]
fn paths_below_a_root_never_lead_out_of_it() {
    let s = Scratch::new();
    s.file("outside", "secret");
    s.file("root/etc/config/wireless", "inside");
    s.file("root/tmp/x", "tmp");
    let root_dir = s.path("root");
    symlink("tmp", root_dir.join("var")).unwrap();
    symlink("/tmp/x", root_dir.join("etc/absolute")).unwrap();
    symlink("../../outside", root_dir.join("etc/climbs")).unwrap();
    symlink("/etc/passwd", root_dir.join("etc/passwd-link")).unwrap();
    symlink("loop", root_dir.join("loop")).unwrap();
    let root = Root::new(&root_dir).unwrap();
    assert!(!root.is_system());
    assert_eq!(root.read("/etc/config/wireless", 100).unwrap(), b"inside");
    assert_eq!(root.read("/var/x", 100).unwrap(), b"tmp");
    assert_eq!(root.read("/etc/absolute", 100).unwrap(), b"tmp");
    assert!(matches!(
        root.path("/etc/climbs"),
        Err(PathError::Escapes(_))
    ));
    assert!(matches!(
        root.path("/../outside"),
        Err(PathError::Escapes(_))
    ));
    assert!(matches!(
        root.path("/etc/../etc/config"),
        Err(PathError::Escapes(_))
    ));
    assert!(matches!(root.path("/a\0b"), Err(PathError::Escapes(_))));
    assert!(matches!(root.path("etc"), Err(PathError::Relative(_))));
    assert!(matches!(root.path("/loop/x"), Err(PathError::Loop(_))));
    assert!(
        root.read("/etc/passwd-link", 10_000).is_err(),
        "taken below the root, where it is missing"
    );
    assert!(
        root.read("/etc/config/wireless", 3).is_err(),
        "larger than allowed"
    );
    let absent = root.path("/etc/new/file").unwrap();
    assert_eq!(absent, root.dir().join("etc/new/file"));
    assert!(Root::new(&s.path("nowhere")).is_err());
}

#[test]
fn what_the_system_says_of_a_folder_on_the_way_keeps_its_number() {
    let s = Scratch::new();
    fs::create_dir(s.path("root")).unwrap();
    let root = Root::new(&s.path("root")).unwrap();
    // The one refusal of `lstat` that comes alike for everybody, root as well.
    let too_long = format!("/{}/x", "n".repeat(256));
    let number = |e: std::io::Error| e.raw_os_error();
    let folders = Folders::new(root.clone());
    let expected = Some(nix::errno::Errno::ENAMETOOLONG as i32);
    assert_eq!(root.read(&too_long, 100).map_err(number), Err(expected));
    assert_eq!(folders.read(&too_long, 100).map_err(number), Err(expected));
    assert_eq!(
        folders.metadata(&too_long).map(drop).map_err(number),
        Err(expected)
    );
}

#[test]
fn folders_that_are_walked_once_lead_where_the_root_does() {
    let s = Scratch::new();
    s.file("outside", "secret");
    s.file("root/sys/devices/eth0/address", "aa");
    s.file("root/sys/devices/eth1/address", "bb");
    let root_dir = s.path("root");
    let net = root_dir.join("sys/class/net");
    std::fs::create_dir_all(&net).unwrap();
    symlink("/sys/devices/eth0", net.join("lan")).unwrap();
    symlink("../../../../outside", net.join("climbs")).unwrap();
    symlink("/sys/devices/eth1/address", net.join("address")).unwrap();
    symlink("nowhere", net.join("dangling")).unwrap();
    // A link above folders that are met for the first time.
    symlink("/sys/devices", root_dir.join("sys/far")).unwrap();
    symlink("../../outside", root_dir.join("sys/out")).unwrap();
    let root = Root::new(&root_dir).unwrap();
    let mut folders = Folders::new(root.clone());
    // Twice: the second time each folder is known.
    for _ in 0..2 {
        for path in [
            "/sys/class/net/lan/address",
            "/sys/class/net/address",
            "/sys/class/net",
            "/sys/class/net/climbs",
            "/sys/class/net/../net",
            "/sys/class/net/dangling",
            "/sys/class/net/none",
            "/sys/far/eth0/address",
            "/sys/far/eth0/none/of/these",
            "/sys/out/eth0/address",
            "//sys/./class//net/lan/address",
            "/sys/class/net/lan/a\0b",
            "sys/class",
            "/",
        ] {
            assert_eq!(folders.path(path).ok(), root.path(path).ok(), "{path:?}");
            assert_eq!(
                folders.read(path, 100).ok(),
                root.read(path, 100).ok(),
                "{path:?}"
            );
            let there = root.path(path).is_ok_and(|p| p.symlink_metadata().is_ok());
            assert_eq!(folders.exists(path), there, "{path:?}");
            let inode = |m: std::io::Result<std::fs::Metadata>| m.ok().map(|m| m.ino());
            let real = root.path(path).ok().map(std::fs::metadata);
            assert_eq!(
                inode(folders.metadata(path)),
                real.and_then(inode),
                "{path:?}"
            );
        }
        assert_eq!(
            folders.read("/sys/class/net/lan/address", 100).unwrap(),
            b"aa"
        );
        assert_eq!(folders.read("/sys/class/net/address", 100).unwrap(), b"bb");
        assert!(folders.read("/sys/class/net/climbs", 100).is_err());
        assert!(folders.read("/sys/class/net/lan/address", 1).is_err());
        folders.folder("/sys/class/net").unwrap();
    }
    std::fs::remove_file(net.join("lan")).unwrap();
    symlink("/sys/devices/eth1", net.join("lan")).unwrap();
    folders.forget();
    assert_eq!(
        folders.read("/sys/class/net/lan/address", 100).unwrap(),
        b"bb"
    );
}

#[test]
fn the_running_system_is_a_root_too() {
    let root = Root::new("/".as_ref()).unwrap();
    assert!(root.is_system());
    let stat = root.read("/proc/self/stat", 4096).unwrap();
    assert!(
        !stat.is_empty(),
        "procfs files say size 0 and are read whole"
    );
}
