//! What becomes of a downloaded file, and where an uploaded one comes from: checks,
//! programs, web content, the configuration there and back, logs.

use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::model::source::Journal;
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use cwmp_agent::transfer::apply::{Applied, Applying, apply, check};
use cwmp_agent::transfer::archive::{Kind, Limits, Reader, Writer};
use cwmp_agent::transfer::configuration::{SecretOption, Secrets};
use cwmp_agent::transfer::file_types::{
    Apply, CONFIGURATION, CONFIGURATION_UPLOAD, DownloadType, FileTypes, LOG_UPLOAD, Produce,
    UploadType, WEB_CONTENT,
};
use cwmp_agent::transfer::produce::{Producing, What, produce};
use cwmp_agent::transfer::verify::Verify;
use scratch::Scratch;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod scratch;

/// A router's files below a root of the test's own.
struct Router {
    scratch: Scratch,
    root: Root,
    secrets: Secrets,
}

const NETWORK: &str = "# mine\nconfig interface 'lan'\n\toption proto 'static'\n\n\
                       config interface 'wan'\n\toption proto 'pppoe'\n\toption username 'u'\n\
                       \toption password 'geheim-1'\n";
const WIRELESS: &str = "config wifi-iface\n\toption ssid 'eins'\n\toption key 'geheim-2'\n\n\
                        config wifi-iface\n\toption ssid 'zwei' # key was geheim-3\n\
                        \toption key 'geheim-4'\n";
const CWMP: &str = "config acs 'acs'\n\toption url 'https://acs.example.org/'\n\
                    \toption password 'geheim-5'\n";

impl Router {
    fn new() -> Router {
        let scratch = Scratch::new();
        let config = |name: &str, text: &str| {
            scratch.file(&format!("etc/config/{name}"), text);
        };
        config("network", NETWORK);
        config("wireless", WIRELESS);
        config("cwmp", CWMP);
        config(
            "vendor",
            "config x\n\toption hidden 'geheim-6'\n\toption shown '1'\n",
        );
        fs::create_dir(scratch.path("www")).unwrap();
        let network = scratch.path("etc/config/network");
        fs::set_permissions(network, fs::Permissions::from_mode(0o640)).unwrap();
        Router {
            root: Root::new(scratch.dir()).unwrap(),
            scratch,
            secrets: Secrets::new(vec![SecretOption {
                package: "vendor".to_owned(),
                section: None,
                option: "hidden".to_owned(),
            }]),
        }
    }

    fn applying(&self) -> Applying<'_> {
        Applying {
            root: &self.root,
            timeout: Duration::from_secs(20),
            keep_free: 0,
            unpacked: 1 << 20,
            secrets: &self.secrets,
            stopped: &|| false,
        }
    }

    fn check(&self, kind: &DownloadType, file: &Path, name: &str) -> Result<(), TransferFault> {
        check(kind, file, name, &self.applying())
    }

    /// Applies through a real journal.
    fn apply(
        &self,
        kind: &DownloadType,
        file: &Path,
        name: &str,
    ) -> Result<Applied, TransferFault> {
        let state = StateDir::open(&self.scratch.path("state")).unwrap();
        let mut journal = DiskJournal::new(state);
        apply(kind, file, name, &self.applying(), &mut |files| {
            journal.commit(files)
        })
    }

    fn produce(&self, kind: &UploadType, what: What) -> Result<PathBuf, TransferFault> {
        let into = self.scratch.path("made");
        let _ = fs::remove_file(&into);
        let with = Producing {
            root: &self.root,
            timeout: Duration::from_secs(20),
            most: 100_000,
            secrets: &self.secrets,
        };
        match produce(kind, &what, &into, &with) {
            Ok(()) => {
                let mode = fs::metadata(&into).unwrap().mode();
                assert_eq!(mode & 0o777, 0o600);
                Ok(into)
            }
            Err(fault) => {
                assert!(
                    !into.exists(),
                    "something is left of what could not be made"
                );
                Err(fault)
            }
        }
    }

    fn config(&self, name: &str) -> String {
        self.scratch.read(&format!("etc/config/{name}"))
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.scratch.path("downloaded");
        fs::write(&path, content).unwrap();
        path
    }

    fn archive(&self, files: &[(&str, &str)]) -> PathBuf {
        let path = self.scratch.path("archive");
        let _ = fs::remove_file(&path);
        let mut writer = Writer::create(&path).unwrap();
        for (name, content) in files {
            writer.file(name, 0o644, content.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn program(&self, name: &str, script: &str) -> String {
        let path = self.scratch.file(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn built_in(file_type: &str) -> DownloadType {
    let types = FileTypes::new(&[], &[], false);
    types.download(file_type).unwrap().clone()
}

fn upload(file_type: &str) -> UploadType {
    let types = FileTypes::new(&[], &[], false);
    types.upload(file_type).unwrap().clone()
}

fn commands(check: Option<Vec<String>>, apply: Vec<String>) -> DownloadType {
    DownloadType {
        file_type: "X 00D09E Test".to_owned(),
        check,
        apply: Apply::Command(apply),
        reboots: false,
        verify: Verify::default(),
    }
}

fn argv(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|p| (*p).to_owned()).collect()
}

fn entries(file: &Path) -> Vec<(String, String)> {
    let mut reader = Reader::open(file, Limits::default()).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        assert_eq!(entry.kind, Kind::File);
        let content = reader.content(100_000).unwrap();
        all.push((entry.name, String::from_utf8(content).unwrap()));
    }
    all
}

// T-DLD-007
#[test]
fn a_check_that_fails_refuses_the_file_with_its_last_words() {
    let router = Router::new();
    let file = router.file("image");
    let script = "echo first >&2; [ \"$CWMP_ROOT\" ] || exit 9; grep -q good $1 && exit 0; \
                  printf 'Image \\033check failed.\\n' >&2; exit 1";
    let look = router.program("check", script);
    let kind = commands(
        Some(argv(&[&look, "{file}"])),
        argv(&["/bin/true", "{file}"]),
    );
    let fault = router.check(&kind, &file, "").unwrap_err();
    assert_eq!(fault.code, 9018);
    assert!(
        fault.text.ends_with("Image ?check failed."),
        "{}",
        fault.text
    );
    assert!(!fault.text.contains("first"));
    fs::write(&file, "a good one").unwrap();
    assert_eq!(router.check(&kind, &file, ""), Ok(()));
    // One that is not there says nothing of the file.
    let kind = commands(Some(argv(&["/nowhere/check", "{file}"])), Vec::new());
    assert_eq!(router.check(&kind, &file, "").unwrap_err().code, 9010);
}

#[test]
fn a_program_gets_the_file_as_one_argument_and_its_failure_is_9010() {
    let router = Router::new();
    let file = router.scratch.file("a b;c $(d)", "content");
    let copy = router.scratch.path("copy");
    let kind = commands(None, argv(&["/bin/cp", "{file}", copy.to_str().unwrap()]));
    assert_eq!(router.apply(&kind, &file, ""), Ok(Applied::default()));
    assert_eq!(fs::read_to_string(copy).unwrap(), "content");
    let kind = commands(None, argv(&["/bin/cp", "{file}", "/nowhere/at/all"]));
    let fault = router.apply(&kind, &file, "").unwrap_err();
    assert_eq!(fault.code, 9010);
    assert!(fault.text.contains("exit status"), "{}", fault.text);
}

#[test]
fn web_content_becomes_a_folder_and_takes_the_place_of_the_one_before() {
    let router = Router::new();
    let kind = built_in(WEB_CONTENT);
    for version in ["one", "two"] {
        let file = router.archive(&[("index.html", version), ("img/a", "")]);
        assert_eq!(router.check(&kind, &file, "portal.tar.gz"), Ok(()));
        assert_eq!(
            router.apply(&kind, &file, "portal.tar.gz"),
            Ok(Applied::default())
        );
        assert_eq!(router.scratch.read("www/portal/index.html"), version);
    }
    let file = router.archive(&[("index.html", "3")]);
    router.apply(&kind, &file, "").unwrap();
    assert_eq!(router.scratch.read("www/acs/index.html"), "3");
    assert_eq!(fs::read_dir(router.scratch.path("www")).unwrap().count(), 4);
}

#[test]
fn web_content_that_is_no_archive_or_does_not_fit_or_is_not_ours_changes_nothing() {
    let router = Router::new();
    let kind = built_in(WEB_CONTENT);
    let file = router.archive(&[("index.html", "one")]);
    router.apply(&kind, &file, "portal").unwrap();
    router.scratch.file("www/luci/index.html", "of a package");
    let is_as_it_was = || {
        assert_eq!(router.scratch.read("www/portal/index.html"), "one");
        assert_eq!(router.scratch.read("www/luci/index.html"), "of a package");
        assert_eq!(fs::read_dir(router.scratch.path("www")).unwrap().count(), 3);
    };
    for name in ["luci", "..", "a b", ".x"] {
        let fault = router.check(&kind, &file, name).unwrap_err();
        assert_eq!(fault.code, 9010, "{name}: {}", fault.text);
        assert_eq!(router.apply(&kind, &file, name).unwrap_err().code, 9010);
        is_as_it_was();
    }
    let html = router.file("<html>");
    assert_eq!(router.check(&kind, &html, "portal").unwrap_err().code, 9018);
    assert_eq!(router.apply(&kind, &html, "portal").unwrap_err().code, 9018);
    is_as_it_was();
    let big = router.archive(&[("big", &"x".repeat(2 << 20))]);
    assert_eq!(router.check(&kind, &big, "portal").unwrap_err().code, 9010);
    let file = router.archive(&[("index.html", "2")]);
    let full = Applying {
        keep_free: u64::MAX,
        ..router.applying()
    };
    let fault = apply(&kind, &file, "portal", &full, &mut |_| Ok(())).unwrap_err();
    assert!(
        fault.code == 9010 && fault.text.contains("space"),
        "{}",
        fault.text
    );
    is_as_it_was();
    fs::remove_dir_all(router.scratch.path("www")).unwrap();
    assert_eq!(router.check(&kind, &file, "portal").unwrap_err().code, 9010);
}

// T-UPL-001, T-SEC-009
#[test]
fn the_uploaded_configuration_holds_every_package_and_no_secret() {
    let router = Router::new();
    router.scratch.file("etc/config/broken", "config 'x\n");
    router.scratch.file("etc/config/.hidden", "config x\n");
    router
        .scratch
        .file("etc/config/network-opkg.bak", "config x\n");
    fs::create_dir(router.scratch.path("etc/config/folder")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", router.scratch.path("etc/config/link")).unwrap();
    let made = router
        .produce(&upload(CONFIGURATION_UPLOAD), What::All)
        .unwrap();
    let all = entries(&made);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["cwmp", "network", "vendor", "wireless"].map(|n| format!("etc/config/{n}"));
    assert_eq!(names, expected);
    for (name, text) in &all {
        assert!(!text.contains("geheim"), "{name}: {text}");
    }
    assert!(all[1].1.contains("option username 'u'"));
    assert!(all[2].1.contains("option shown '1'"));
    // Where the firmware builder allows it, files go as they are.
    let mut kind = upload(CONFIGURATION_UPLOAD);
    kind.secrets = true;
    let all = entries(&router.produce(&kind, What::All).unwrap());
    let network = all.iter().find(|(name, _)| name == "etc/config/network");
    assert_eq!(network.unwrap().1, NETWORK);
}

// T-UPL-002
#[test]
fn one_package_is_uploaded_as_text_that_says_its_name() {
    let router = Router::new();
    let kind = upload("3 Vendor Configuration File 1");
    let made = router
        .produce(&kind, What::Package("network".to_owned()))
        .unwrap();
    let text = fs::read_to_string(made).unwrap();
    assert!(text.starts_with("package network\n"), "{text}");
    assert!(!text.contains("geheim") && text.contains("pppoe"), "{text}");
    for nothing in ["nowhere", "../passwd", "", "folder/x"] {
        let fault = router
            .produce(&kind, What::Package(nothing.to_owned()))
            .unwrap_err();
        assert_eq!(fault.code, 9011, "{nothing}");
    }
    assert_eq!(
        router
            .produce(&kind, What::Log("system".to_owned()))
            .unwrap_err()
            .code,
        9011
    );
}

// T-DLD-017
#[test]
fn a_configuration_that_comes_back_changes_nothing() {
    let router = Router::new();
    let made = router
        .produce(&upload(CONFIGURATION_UPLOAD), What::All)
        .unwrap();
    let kind = built_in(CONFIGURATION);
    assert_eq!(router.check(&kind, &made, "x.tar.gz"), Ok(()));
    let inode = || {
        fs::metadata(router.scratch.path("etc/config/network"))
            .unwrap()
            .ino()
    };
    let before = inode();
    assert_eq!(
        router.apply(&kind, &made, "x.tar.gz"),
        Ok(Applied::default())
    );
    assert_eq!(router.config("network"), NETWORK);
    assert_eq!(router.config("wireless"), WIRELESS);
    assert_eq!(inode(), before, "it was not even written");
    let one = What::Package("wireless".to_owned());
    let made = router
        .produce(&upload("3 Vendor Configuration File 1"), one)
        .unwrap();
    assert_eq!(router.apply(&kind, &made, ""), Ok(Applied::default()));
}

// T-DLD-017
#[test]
fn changed_packages_are_written_and_named_and_keep_the_secrets_the_file_leaves_out() {
    let router = Router::new();
    let wireless =
        "config wifi-iface\n\toption ssid 'neu'\n\nconfig wifi-iface\n\toption ssid 'zwei'\n";
    let network = NETWORK
        .replace("static", "dhcp")
        .replace("geheim-1", "new-password");
    let file = router.archive(&[
        ("etc/config/wireless", wireless),
        ("etc/config/network", &network),
        ("etc/config/fresh", "config new\n"),
        ("etc/passwd", "root::0:0::/:/bin/sh\n"),
        ("etc/config/vendor", "config x\n\toption shown '1'\n"),
    ]);
    let applied = router.apply(&built_in(CONFIGURATION), &file, "").unwrap();
    assert_eq!(applied.reload, ["fresh", "network", "wireless"]);
    let now = router.config("wireless");
    assert!(now.contains("'neu'") && now.contains("'geheim-2'") && now.contains("'geheim-4'"));
    assert_eq!(
        router.config("network"),
        network,
        "byte for byte, where nothing is kept"
    );
    assert_eq!(router.config("fresh"), "config new\n");
    assert!(!router.scratch.path("etc/passwd").exists());
    let mode = |name: &str| {
        let path = router.scratch.path(&format!("etc/config/{name}"));
        fs::metadata(path).unwrap().mode() & 0o777
    };
    assert_eq!((mode("network"), mode("fresh")), (0o640, 0o600));
}

#[test]
fn a_configuration_is_a_text_of_packages_or_one_file_by_its_name() {
    let router = Router::new();
    let kind = built_in(CONFIGURATION);
    let export = "package vendor\n\nconfig x\n\toption shown '2'\n\npackage 'other'\n\nconfig y\n";
    let applied = router
        .apply(&kind, &router.file(export), "whatever.txt")
        .unwrap();
    assert_eq!(applied.reload, ["other", "vendor"]);
    assert!(router.config("vendor").contains("geheim-6"));
    assert!(router.config("other").contains("config y"));
    for name in ["other", "/etc/config/other", "other.conf"] {
        let text = format!("config {}\n", name.replace('/', "_"));
        let applied = router.apply(&kind, &router.file(&text), name).unwrap();
        assert_eq!(applied.reload, ["other"], "{name}");
        assert_eq!(router.config("other"), text);
    }
    let fault = router
        .check(&kind, &router.file("config z\n"), "")
        .unwrap_err();
    assert_eq!(fault.code, 9018);
    assert!(fault.text.contains("TargetFileName"), "{}", fault.text);
}

#[test]
fn a_configuration_with_anything_wrong_in_it_changes_nothing() {
    let router = Router::new();
    let kind = built_in(CONFIGURATION);
    let good = ("etc/config/network", "config interface 'other'\n");
    let refused = |file: PathBuf, code: u16| {
        let fault = router.check(&kind, &file, "").unwrap_err();
        assert_eq!(fault.code, code, "{}", fault.text);
        assert_eq!(router.apply(&kind, &file, "").unwrap_err().code, code);
        assert_eq!(router.config("network"), NETWORK);
        assert!(!fault.text.contains("geheim"), "{}", fault.text);
    };
    refused(
        router.archive(&[good, ("etc/config/wireless", "config 'geheim\n")]),
        9018,
    );
    refused(router.archive(&[good, good]), 9018);
    refused(router.archive(&[("etc/passwd", "x")]), 9018);
    refused(router.file(""), 9018);
    refused(router.file("<html>\n"), 9018);
    refused(router.file("package a\nconfig x\n\noption 'geheim\n"), 9018);
    refused(router.file([0x1f, 0x8b, 0, 0]), 9018);
    let path = router.scratch.path("linked");
    let mut writer = Writer::create(&path).unwrap();
    writer.link("etc/config/network", "/etc/passwd").unwrap();
    writer.finish().unwrap();
    refused(path, 9018);
}

#[test]
fn settings_without_a_way_to_the_acs_are_refused() {
    let router = Router::new();
    let kind = built_in(CONFIGURATION);
    for bad in [
        "config acs 'acs'\n",
        "config cpe 'cpe'\n",
        "config acs 'acs'\n\toption url 'acs.example.org'\n",
        "config acs 'acs'\n\toption url 'ftp://acs.example.org/'\n",
    ] {
        let file = router.archive(&[
            ("etc/config/cwmp", bad),
            ("etc/config/vendor", "config z\n"),
        ]);
        let fault = router.apply(&kind, &file, "").unwrap_err();
        assert_eq!(fault.code, 9010, "{bad}");
        assert!(fault.text.contains("acs.url"), "{}", fault.text);
        assert_eq!(router.config("cwmp"), CWMP);
        assert!(router.config("vendor").contains("shown"), "all or nothing");
    }
    let other = "config acs 'acs'\n\toption url 'https://other.example.org/'\n";
    let file = router.archive(&[("etc/config/cwmp", other)]);
    assert_eq!(router.apply(&kind, &file, "").unwrap().reload, ["cwmp"]);
    let now = router.config("cwmp");
    assert!(now.contains("other.example.org") && now.contains("geheim-5"));
}

#[test]
fn a_journal_that_refuses_leaves_all_as_it_was() {
    let router = Router::new();
    let file = router.archive(&[("etc/config/network", "config interface 'x'\n")]);
    let mut asked = 0;
    let fault = apply(
        &built_in(CONFIGURATION),
        &file,
        "",
        &router.applying(),
        &mut |files| {
            asked += files.len();
            Err(cwmp_agent::model::source::Trouble {
                source: "file".to_owned(),
                what: "the disk is full".to_owned(),
            })
        },
    );
    let fault = fault.unwrap_err();
    assert_eq!((fault.code, asked), (9010, 1));
    assert!(fault.text.contains("disk is full"));
    assert_eq!(router.config("network"), NETWORK);
}

// T-UPL-002
#[test]
fn the_log_is_the_end_of_its_file_else_what_a_program_prints() {
    let router = Router::new();
    let none = upload(LOG_UPLOAD);
    let fault = router.produce(&none, What::All).unwrap_err();
    assert_eq!(fault.code, 9011, "nothing below another root prints a log");
    let mut by_program = none.clone();
    by_program.produce = Produce::Log {
        command: Some(argv(&["/bin/echo", "from the ring"])),
    };
    let read = |made: PathBuf| fs::read_to_string(made).unwrap();
    let log = || What::Log("system".to_owned());
    assert_eq!(
        read(router.produce(&by_program, log()).unwrap()),
        "from the ring\n"
    );

    router.scratch.file(
        "etc/config/system",
        "config system\n\toption log_file '/var/log/all'\n",
    );
    // Configured, not yet written.
    assert_eq!(
        read(router.produce(&by_program, log()).unwrap()),
        "from the ring\n"
    );
    router.scratch.file("var/log/all", "one\ntwo\n");
    assert_eq!(
        read(router.produce(&none, What::All).unwrap()),
        "one\ntwo\n"
    );
    let long: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    router.scratch.file("var/log/all", &long);
    let end = read(router.produce(&none, log()).unwrap());
    assert!(end.len() <= 100_000 && end.len() > 99_000, "{}", end.len());
    assert!(long.ends_with(&end) && end.starts_with("line "));
    for other in [
        What::Log("other".to_owned()),
        What::Package("network".to_owned()),
    ] {
        assert_eq!(router.produce(&none, other).unwrap_err().code, 9011);
    }
}

#[test]
fn a_program_writes_the_file_or_prints_it_and_is_held_to_its_size() {
    let router = Router::new();
    let kind = |command: &[&str]| UploadType {
        file_type: "X 00D09E Report".to_owned(),
        produce: Produce::Command(argv(command)),
        secrets: false,
    };
    let read = |made: PathBuf| fs::read_to_string(made).unwrap();
    let write = router.program("write", "echo written >\"$1\"");
    let made = router
        .produce(&kind(&[&write, "{file}"]), What::All)
        .unwrap();
    assert_eq!(read(made), "written\n");
    let made = router
        .produce(&kind(&["/bin/echo", "printed"]), What::All)
        .unwrap();
    assert_eq!(read(made), "printed\n");
    let remove = router.program("remove", "rm \"$1\"; ln -s /etc/passwd \"$1\"");
    for bad in [
        &[write.as_str(), "/dev/null"][..],
        &["/bin/cat", "/dev/zero"],
        &["/usr/bin/head", "-c", "100001", "/dev/zero"],
        &["/bin/false"],
        &["/bin/false", "{file}"],
        &["/bin/cp", "/dev/null", "{file}"],
        &[&remove, "{file}"],
    ] {
        let fault = router.produce(&kind(bad), What::All).unwrap_err();
        assert_eq!(fault.code, 9011, "{bad:?}: {}", fault.text);
    }
}
