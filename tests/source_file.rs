//! The file source on real files: parts of texts, rows, writes, and what must be refused.

mod scratch;

use cwmp_agent::model::binding::{Binding, DirRows, FileAt, LineRows, Pick, Rows};
use cwmp_agent::model::source::{Ask, Raw, Refusal, Source, Trouble};
use cwmp_agent::source::Limits;
use cwmp_agent::source::file::FileSource;
use cwmp_agent::store::Root;
use scratch::Scratch;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn source(root: &Path) -> FileSource {
    FileSource::new(Root::new(root).unwrap(), Limits::default())
}

fn at(path: &str, pick: Pick) -> Binding {
    Binding::File(Box::new(FileAt {
        path: path.into(),
        pick,
        in_place: false,
    }))
}

fn whole(path: &str) -> Binding {
    at(path, Pick::default())
}

fn read(s: &mut FileSource, binding: &Binding, rows: &[&str]) -> Result<Option<String>, Trouble> {
    let rows: Vec<String> = rows.iter().map(|r| r.to_string()).collect();
    let mut all = s.read(&[Ask {
        binding,
        rows: &rows,
    }]);
    assert_eq!(all.len(), 1);
    all.remove(0).map(|v| {
        v.map(|raw| match raw {
            Raw::Text(text) => text,
            Raw::List(_) => panic!("a list"),
        })
    })
}

fn keys(s: &mut FileSource, rows: &Rows, parents: &[&str]) -> Vec<String> {
    let parents: Vec<String> = parents.iter().map(|r| r.to_string()).collect();
    s.rows(rows, &parents)
        .unwrap()
        .into_iter()
        .map(|r| r.key)
        .collect()
}

fn dir(path: &str) -> DirRows {
    DirRows {
        path: path.into(),
        with: None,
        without: Vec::new(),
        numeric: false,
        except: vec![],
    }
}

#[test]
fn a_missing_file_is_no_value_and_a_bad_one_is_trouble() {
    let t = Scratch::new();
    t.file("etc/name", "router\n");
    fs::create_dir(t.path("etc/dir")).unwrap();
    t.file("etc/big", &"x".repeat(256 * 1024 + 1));
    nix::unistd::mkfifo(&t.path("etc/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut s = source(t.dir());
    assert_eq!(
        read(&mut s, &whole("/etc/name"), &[]).unwrap().unwrap(),
        "router"
    );
    assert_eq!(read(&mut s, &whole("/etc/none"), &[]), Ok(None));
    assert_eq!(read(&mut s, &whole("/etc/name/below"), &[]), Ok(None));
    for bad in ["/etc/dir", "/etc/big", "/etc/fifo"] {
        let told = read(&mut s, &whole(bad), &[]).unwrap_err();
        assert_eq!(told.source, format!("file {bad}"));
    }
}

#[test]
fn a_file_is_read_once_a_request() {
    let t = Scratch::new();
    t.file("x", "1");
    let mut s = source(t.dir());
    s.begin();
    assert_eq!(read(&mut s, &whole("/x"), &[]).unwrap().unwrap(), "1");
    t.file("x", "2");
    assert_eq!(read(&mut s, &whole("/x"), &[]).unwrap().unwrap(), "1");
    s.begin();
    assert_eq!(read(&mut s, &whole("/x"), &[]).unwrap().unwrap(), "2");
}

#[test]
fn nothing_outside_the_root_is_read_or_written() {
    let t = Scratch::new();
    t.file("outside", "secret");
    t.file("root/inside", "x");
    symlink("../outside", t.path("root/out")).unwrap();
    let mut s = source(&t.path("root"));
    for path in ["/../outside", "/out", "/x/../../outside"] {
        assert!(read(&mut s, &whole(path), &[]).is_err(), "{path}");
        let ask = Ask {
            binding: &whole(path),
            rows: &[],
        };
        assert!(s.stage(ask, Some(Raw::Text("x".into()))).is_err(), "{path}");
    }
    // Row keys come from files that others write.
    for key in ["../../outside", "..", ".", "", "a/b", "a\0b", "a\nb"] {
        assert!(
            read(&mut s, &whole("/sys/{row}"), &[key]).is_err(),
            "{key:?}"
        );
    }
    assert_eq!(t.read("outside"), "secret");
}

#[test]
fn procfs_and_sysfs_are_read_though_they_say_size_0() {
    let mut s = source(Path::new("/"));
    let total = at(
        "/proc/meminfo",
        Pick {
            key: Some("MemTotal".into()),
            field: Some(1),
            ..Pick::default()
        },
    );
    let kib: u64 = read(&mut s, &total, &[]).unwrap().unwrap().parse().unwrap();
    assert!(kib > 1000);
    let uptime = at(
        "/proc/uptime",
        Pick {
            field: Some(1),
            ..Pick::default()
        },
    );
    assert!(
        read(&mut s, &uptime, &[])
            .unwrap()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            > 0.0
    );
    let pid = std::process::id().to_string();
    let processes = Rows::Dir(Box::new(DirRows {
        numeric: true,
        ..dir("/proc")
    }));
    let rows = keys(&mut s, &processes, &[]);
    assert!(rows.contains(&pid));
    assert!(rows.iter().all(|k| k.parse::<u32>().is_ok()));
    let rss = at(
        "/proc/{row}/status",
        Pick {
            key: Some("VmRSS".into()),
            field: Some(1),
            ..Pick::default()
        },
    );
    assert!(
        read(&mut s, &rss, &[&pid])
            .unwrap()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
}

#[test]
fn entries_of_a_folder_are_rows_links_too() {
    let t = Scratch::new();
    for (name, entries) in [
        ("lan1", vec!["device", "address"]),
        ("lan10", vec!["device"]),
        ("lan2", vec!["device"]),
        ("wlan0", vec!["device", "wireless"]),
        ("br-lan", vec!["bridge"]),
    ] {
        fs::create_dir_all(t.path(&format!("sys/devices/{name}"))).unwrap();
        for e in entries {
            t.file(&format!("sys/devices/{name}/{e}"), "x");
        }
        fs::create_dir_all(t.path("sys/class/net")).unwrap();
        symlink(
            format!("../../devices/{name}"),
            t.path(&format!("sys/class/net/{name}")),
        )
        .unwrap();
    }
    let mut s = source(t.dir());
    let rows = |d: DirRows| Rows::Dir(Box::new(d));
    let net = dir("/sys/class/net");
    assert_eq!(
        keys(&mut s, &rows(net.clone()), &[]),
        ["br-lan", "lan1", "lan2", "lan10", "wlan0"]
    );
    let wired = DirRows {
        with: Some("device".into()),
        without: vec!["wireless".to_owned()],
        ..net.clone()
    };
    assert_eq!(
        keys(&mut s, &rows(wired.clone()), &[]),
        ["lan1", "lan2", "lan10"]
    );
    let some = DirRows {
        except: vec!["lan2".into()],
        ..wired
    };
    assert_eq!(keys(&mut s, &rows(some), &[]), ["lan1", "lan10"]);
    assert_eq!(
        keys(&mut s, &rows(dir("/sys/class/none")), &[]),
        Vec::<String>::new()
    );
    let below = rows(dir("/sys/class/net/{row}"));
    assert_eq!(keys(&mut s, &below, &["lan1"]), ["address", "device"]);
    let limits = Limits {
        rows: 2,
        ..Limits::default()
    };
    let mut few = FileSource::new(Root::new(t.dir()).unwrap(), limits);
    assert_eq!(keys(&mut few, &rows(net), &[]).len(), 2);
}

#[test]
fn lines_of_a_file_are_rows_and_their_fields_values() {
    let t = Scratch::new();
    t.file("tmp/dhcp.leases", "1763 00:11:22:33:44:55 192.168.1.10 laptop *\n1764 66:77:88:99:aa:bb 192.168.1.11 * 01\nduid 1\n");
    let mut s = source(t.dir());
    let rows = Rows::Lines(Box::new(LineRows {
        path: "/tmp/dhcp.leases".into(),
        key: 2,
        min_fields: 4,
        key_has: None,
        skip: 0,
        separator: None,
    }));
    assert_eq!(
        keys(&mut s, &rows, &[]),
        ["00:11:22:33:44:55", "66:77:88:99:aa:bb"]
    );
    let address = at(
        "/tmp/dhcp.leases",
        Pick {
            row_field: Some(2),
            field: Some(3),
            ..Pick::default()
        },
    );
    assert_eq!(
        read(&mut s, &address, &["66:77:88:99:aa:bb"])
            .unwrap()
            .unwrap(),
        "192.168.1.11"
    );
    assert_eq!(read(&mut s, &address, &["none"]), Ok(None));
}

#[test]
fn a_written_file_is_seen_at_once_and_handed_over_whole() {
    let t = Scratch::new();
    t.file("etc/motd", "old\n");
    let mut s = source(t.dir());
    s.begin();
    let motd = whole("/etc/motd");
    let ask = Ask {
        binding: &motd,
        rows: &[],
    };
    let hostile = "a\"$(id)'\\\nb";
    s.stage(ask, Some(Raw::Text(hostile.into()))).unwrap();
    assert_eq!(read(&mut s, &motd, &[]).unwrap().unwrap(), hostile);
    let prepared = s.prepare().unwrap();
    assert_eq!(prepared.files.len(), 1);
    assert_eq!(prepared.files[0].path, t.path("etc/motd"));
    assert_eq!(
        prepared.files[0].content.as_deref().unwrap(),
        format!("{hostile}\n").as_bytes()
    );
    assert_eq!(t.read("etc/motd"), "old\n", "prepare writes nothing");
    s.finish(false);
    assert_eq!(read(&mut s, &motd, &[]).unwrap().unwrap(), "old");
    s.stage(ask, None).unwrap();
    assert_eq!(read(&mut s, &motd, &[]), Ok(None));
    assert_eq!(s.prepare().unwrap().files[0].content, None);
    s.finish(false);
    assert!(s.prepare().unwrap().files.is_empty());
    let part = at(
        "/etc/motd",
        Pick {
            line: Some(1),
            ..Pick::default()
        },
    );
    let told = s.stage(
        Ask {
            binding: &part,
            rows: &[],
        },
        Some(Raw::Text("x".into())),
    );
    assert!(matches!(told, Err(Refusal::Trouble(_))));
}

#[test]
fn a_kernel_file_is_written_in_place_once_the_change_is_in_force() {
    let t = Scratch::new();
    let knob = t.file("proc/sys/net/x", "0\n");
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&knob).unwrap());
    let mut s = source(t.dir());
    let binding = Binding::File(Box::new(FileAt {
        path: "/proc/sys/net/x".into(),
        pick: Pick::default(),
        in_place: true,
    }));
    let ask = Ask {
        binding: &binding,
        rows: &[],
    };
    s.stage(ask, Some(Raw::Text("1".into()))).unwrap();
    assert!(s.prepare().unwrap().files.is_empty());
    s.finish(false);
    assert_eq!(t.read("proc/sys/net/x"), "0\n");
    s.stage(ask, Some(Raw::Text("1".into()))).unwrap();
    s.prepare().unwrap();
    s.finish(true);
    assert_eq!(t.read("proc/sys/net/x"), "1\n");
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&fs::metadata(&knob).unwrap()),
        before
    );
    assert_eq!(read(&mut s, &binding, &[]).unwrap().unwrap(), "1");
    fs::remove_file(&knob).unwrap();
    s.stage(ask, Some(Raw::Text("1".into()))).unwrap();
    assert!(s.prepare().is_err(), "a knob that is not there");
    s.finish(false);
}

#[test]
fn a_thousand_rows_are_read_without_walking_the_file_for_each() {
    let t = Scratch::new();
    let leases: String = (0..4000)
        .map(|n| format!("1 m{n} 10.0.{}.{} h{n} *\n", n / 256, n % 256))
        .collect();
    t.file("tmp/leases", &leases);
    let mut s = source(t.dir());
    let by_row = |field| {
        at(
            "/tmp/leases",
            Pick {
                row_field: Some(2),
                field: Some(field),
                ..Pick::default()
            },
        )
    };
    let (address, name) = (by_row(3), by_row(4));
    let start = std::time::Instant::now();
    for n in 0..4000 {
        let key = format!("m{n}");
        let expected = format!("10.0.{}.{}", n / 256, n % 256);
        assert_eq!(read(&mut s, &address, &[&key]).unwrap().unwrap(), expected);
        assert_eq!(
            read(&mut s, &name, &[&key]).unwrap().unwrap(),
            format!("h{n}")
        );
    }
    // Walking takes twice as long and more on a fast machine.
    assert!(
        start.elapsed() < std::time::Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    let whole_line = at(
        "/tmp/leases",
        Pick {
            row_field: Some(2),
            ..Pick::default()
        },
    );
    assert_eq!(
        read(&mut s, &whole_line, &["m3"]).unwrap().unwrap(),
        "1 m3 10.0.0.3 h3 *"
    );
    t.file("tmp/leases", "1 m3 10.9.9.9 h3 *\n");
    s.begin();
    assert_eq!(
        read(&mut s, &address, &["m3"]).unwrap().unwrap(),
        "10.9.9.9"
    );
    assert_eq!(read(&mut s, &address, &["m4"]), Ok(None));
}
