//! cross/openwrt/cwmp-agent, the package for OpenWrt: parsed and run by the real make, with
//! stand-ins (tests/feed) for what an SDK would include. What comes of it is looked at: the
//! installed tree, what cargo is asked, and the feed's test.sh on that tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// The program that stands for what cargo would build: this build's, or the feed's own
/// (cross/feed-profile.sh).
fn program() -> PathBuf {
    let other = std::env::var_os("CWMP_TEST_AGENT");
    other.map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_cwmp-agent")),
        PathBuf::from,
    )
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder of its own for one run, gone with it. `cargo` is first in its PATH: it writes
/// down what it is asked and installs this build's program.
struct Feed {
    out: PathBuf,
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.out);
    }
}

impl Feed {
    /// `None` where there is no make; with `CI` set there must be.
    fn new() -> Option<Feed> {
        let make = Command::new("make").arg("--version").output();
        let ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty());
        if !make.is_ok_and(|out| out.status.success()) {
            assert!(!ci, "no make here");
            println!("skipped: no make here");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cwmp-feed-{}-{number}", std::process::id());
        let feed = Feed {
            out: std::env::temp_dir().join(name),
        };
        fs::create_dir_all(feed.out.join("bin")).expect("a folder");
        let asked = feed.out.join("asked").display().to_string();
        let program = program().display().to_string();
        feed.script(
            "cargo",
            &format!(
                "env | grep -E '^(CARGO_PROFILE|RUST_LIBC)_' | sort >{asked}\necho \"$@\" >>{asked}\n\
                 while [ $# -gt 0 ]; do\n[ \"$1\" = --root ] && root=$2\n[ \"$1\" = --path ] && path=$2\nshift\ndone\n\
                 test -f \"$path/Cargo.lock\" && test -f \"$path/src/main.rs\" || exit 1\n\
                 mkdir -p \"$root/bin\" && cp {program} \"$root/bin/cwmp-agent\""
            ),
        );
        Some(feed)
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.out.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn path(&self) -> String {
        let path = std::env::var("PATH").expect("PATH");
        format!("{}:{path}", self.out.join("bin").display())
    }

    /// `make` in the package's folder; what it prints.
    fn make(&self, arguments: &[&str]) -> String {
        let out = Command::new("make")
            .args(["-s", "--no-print-directory", "-C"])
            .arg(repository("cross/openwrt/cwmp-agent"))
            .arg(format!("TOPDIR={}", repository("tests/feed").display()))
            .arg(format!("OUT={}", self.out.display()))
            .args(arguments)
            .env_remove("MAKEFLAGS")
            .env("PATH", self.path())
            .output()
            .expect("make");
        let complaints = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{arguments:?}: {complaints}");
        assert_eq!(complaints, "", "{arguments:?}");
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    /// What a package says of itself: name to lines.
    fn dump(&self, package: &str) -> BTreeMap<String, Vec<String>> {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in self.make(&[&format!("dump-{package}")]).lines() {
            let (name, value) = line.split_once('=').expect("name=value");
            fields.entry(name.into()).or_default().push(value.into());
        }
        fields
    }

    /// Installs a package into a tree: path to mode and content.
    fn install(&self, package: &str, arguments: &[&str]) -> BTreeMap<String, (u32, Vec<u8>)> {
        let target = format!("root-{package}");
        let mut all = vec!["prepare", "compile", &target];
        all.extend(arguments);
        self.make(&all);
        let mut files = BTreeMap::new();
        let root = self.out.join(&target);
        collect(&root, &root, &mut files);
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            let mode = path.metadata().expect("a folder").permissions().mode();
            assert_eq!(mode & 0o777, 0o755, "{}", path.display());
            collect(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).expect("below").display();
        let mode = path.metadata().expect("a file").permissions().mode();
        let text = fs::read(&path).expect("readable");
        files.insert(format!("/{name}"), (mode & 0o777, text));
    }
}

/// Every file of init/openwrt, as it stands in the repository.
fn tree() -> BTreeMap<String, (u32, Vec<u8>)> {
    let root = repository("init/openwrt");
    let mut files = BTreeMap::new();
    let collect_without_modes = |path: &Path, files: &mut BTreeMap<_, _>| {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).expect("below").display();
                let text = fs::read(&path).expect("readable");
                files.insert(format!("/{name}"), (0, text));
            }
        }
    };
    collect_without_modes(&root, &mut files);
    files
}

fn expected_mode(path: &str) -> u32 {
    let folder = path.rsplit_once('/').expect("absolute").0;
    match folder {
        "/etc/config" => 0o600,
        "/etc/init.d" | "/etc/uci-defaults" | "/usr/sbin" => 0o755,
        _ => 0o644,
    }
}

#[test]
fn the_packages_install_the_whole_tree_with_the_right_modes() {
    let Some(feed) = Feed::new() else { return };
    let mut files = feed.install("cwmp-agent", &[]);
    let program = files.remove("/usr/sbin/cwmp-agent").expect("the program");
    assert_eq!(program.0, 0o755);
    assert!(
        !files
            .keys()
            .any(|f| f.contains("luci") || f.contains("rpcd"))
    );
    assert!(
        !files
            .keys()
            .any(|f| f.ends_with(".toml") && f.contains("data-model"))
    );
    let page = feed.install("luci-app-cwmp-agent", &[]);
    assert!(page.keys().all(|f| f.contains("luci")), "{:?}", page.keys());
    files.extend(page);
    let tree = tree();
    let names = |files: &BTreeMap<String, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&files), names(&tree));
    for (path, (mode, text)) in &files {
        assert_eq!(*mode, expected_mode(path), "{path}");
        assert!(*text == tree[path].1, "{path} is another file");
    }
}

#[test]
fn the_data_model_is_installed_where_the_menu_says_so() {
    for modules in ["y", ""] {
        let Some(feed) = Feed::new() else { return };
        let switch = format!("CONFIG_CWMP_AGENT_SOFTWARE_MODULES={modules}");
        let files = feed.install("cwmp-agent", &["CONFIG_CWMP_AGENT_DATA_MODEL=y", &switch]);
        // A folder that is there must hold all of them that the program knows what to do with.
        for entry in fs::read_dir(repository("data-model")).expect("a folder") {
            let name = entry.expect("readable").file_name();
            let name = name.to_str().expect("UTF-8");
            let found = files.get(&format!("/usr/share/cwmp-agent/data-model/{name}"));
            let wanted =
                name.ends_with(".toml") && (modules == "y" || name != "software-modules.toml");
            assert_eq!(found.is_some(), wanted, "{name}");
            assert!(found.is_none_or(|(mode, _)| *mode == 0o644), "{name}");
        }
    }
}

#[test]
fn cargo_is_asked_for_the_locked_program_without_try() {
    let Some(feed) = Feed::new() else { return };
    feed.make(&["prepare", "compile"]);
    let asked = fs::read_to_string(feed.out.join("asked")).expect("asked");
    let (profile, command) = asked.trim_end().rsplit_once('\n').expect("lines");
    assert!(
        profile.contains("CARGO_PROFILE_RELEASE_PANIC=unwind"),
        "{profile}"
    );
    // 2038 is no end.
    assert!(
        profile.contains("RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1"),
        "{profile}"
    );
    let words: Vec<_> = command.split(' ').collect();
    assert_eq!(words[0], "install");
    assert!(words.contains(&"--locked"), "{command}");
    assert!(words.contains(&"--no-default-features"), "{command}");
    assert!(!command.contains("try"), "{command}");
    // PKG_BUILD_PARALLEL: make's job server decides, not one job at a time.
    assert!(!words.contains(&"-j1"), "{command}");
}

/// The lines of a section of Cargo.toml.
fn cargo_section(name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(repository("Cargo.toml")).expect("shipped");
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == format!("[{name}]");
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            let value = value.trim().trim_matches('"');
            found.push((key.trim().to_owned(), value.to_owned()));
        }
    }
    found
}

#[test]
fn names_versions_and_licences_are_those_of_cargo_toml() {
    let Some(feed) = Feed::new() else { return };
    let package: BTreeMap<_, _> = cargo_section("package").into_iter().collect();
    let told = feed.dump("cwmp-agent");
    let one = |field: &str| told[field].join("\n");
    assert_eq!(one("name"), package["name"]);
    assert_eq!(one("version"), package["version"]);
    assert_eq!(one("license"), package["license"]);
    for file in one("license files").split(' ') {
        assert!(repository(file).is_file(), "{file}");
    }
    for path in one("file depends").split(' ') {
        assert!(Path::new(path).exists(), "{path}");
    }
    assert_eq!(one("build depends"), "rust/host");
    assert!(one("release").parse::<u32>().is_ok_and(|r| r > 0));
    assert!(one("depends").contains("+ca-bundle"));
    assert_eq!(told["conffile"], ["/etc/config/cwmp"]);
    let config = one("config");
    let source = config
        .trim()
        .trim_start_matches("source ")
        .trim_matches('"');
    assert!(Path::new(source).is_file(), "{config}");
    let page = feed.dump("luci-app-cwmp-agent");
    assert_eq!(page["version"], told["version"]);
    assert_eq!(page["arch"], ["all"]);
    assert_eq!(page["depends"], ["+luci-base +cwmp-agent"]);
    assert!(
        page["postinst"]
            .join("\n")
            .contains("[ -n \"${IPKG_INSTROOT}\" ]")
    );
}

/// A feature without a switch could not be left out of an image, and a switch without one
/// would do nothing.
#[test]
fn every_feature_but_try_has_its_switch_in_the_menu() {
    let Some(feed) = Feed::new() else { return };
    let told = feed.dump("cwmp-agent");
    let offered: Vec<_> = told["features"][0].split_whitespace().collect();
    let features = cargo_section("features");
    let features: Vec<_> = features.iter().map(|(name, _)| name.as_str()).collect();
    assert!(features.contains(&"try"), "{features:?}");
    // `router` is all of them.
    let own = |name: &&str| !["default", "router", "try"].contains(name);
    let wanted: Vec<_> = features.iter().copied().filter(own).collect();
    assert_eq!(offered, wanted, "CWMP_FEATURES in the package's Makefile");
    let menu = repository("cross/openwrt/cwmp-agent/Config.in");
    let menu = fs::read_to_string(menu).expect("shipped");
    let mut switches: Vec<_> = menu
        .lines()
        .filter_map(|l| l.strip_prefix("config "))
        .collect();
    let depends = told["config depends"][0].replace("CONFIG_", "");
    let mut watched: Vec<_> = depends.split_whitespace().collect();
    switches.sort_unstable();
    watched.sort_unstable();
    assert_eq!(switches, watched, "Config.in and PKG_CONFIG_DEPENDS");
    for feature in offered {
        let switch = format!("CWMP_AGENT_{}", feature.replace('-', "_").to_uppercase());
        assert!(switches.contains(&switch.as_str()), "{switch}");
        // Switched on it reaches cargo.
        feed.make(&["prepare", "compile", &format!("CONFIG_{switch}=y")]);
        let asked = fs::read_to_string(feed.out.join("asked")).expect("asked");
        assert!(asked.contains(&format!("--features {feature}")), "{asked}");
    }
}

/// test.sh of the feeds' CI with the installed tree as root, as it is called there.
fn tested(feed: &Feed, package: &str, version: &str) -> Output {
    let root = feed
        .out
        .join(format!("root-{package}"))
        .display()
        .to_string();
    let program = format!("{root}/usr/sbin/cwmp-agent");
    feed.script(
        "cwmp-agent",
        &format!("exec {program} \"$@\" --root {root}"),
    );
    let text = fs::read_to_string(repository("cross/openwrt/cwmp-agent/test.sh"));
    let text = text
        .expect("shipped")
        .replace(" /etc/", &format!(" {root}/etc/"));
    let text = text
        .replace(" /www/", &format!(" {root}/www/"))
        .replace(" /usr/share/", &format!(" {root}/usr/share/"));
    let copy = feed.out.join("test.sh");
    fs::write(&copy, text).expect("a copy");
    Command::new("sh")
        .arg(copy)
        .args([package, version])
        .env("PATH", feed.path())
        .output()
        .expect("sh")
}

#[test]
fn the_test_of_the_feeds_ci_passes_on_the_installed_tree() {
    let Some(feed) = Feed::new() else { return };
    let version = env!("CARGO_PKG_VERSION");
    let mut packages = vec!["luci-app-cwmp-agent"];
    feed.install("luci-app-cwmp-agent", &[]);
    feed.install("cwmp-agent", &[]);
    // A program with `try` is refused: see below.
    if !cfg!(feature = "try") {
        packages.push("cwmp-agent");
    }
    for package in packages {
        let out = tested(&feed, package, version);
        assert!(out.status.success(), "{package}: {out:?}");
    }
    let out = tested(&feed, "cwmp-agent", version);
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.success(), !cfg!(feature = "try"), "{out:?}");
    assert_eq!(
        said.contains("try is in the package"),
        cfg!(feature = "try"),
        "{said}"
    );
    assert!(said.contains("agent.toml: good"), "{said}");
    // Another version, or settings for everybody, and it fails before that.
    assert!(!tested(&feed, "cwmp-agent", "9.9.9").status.success());
    let settings = feed.out.join("root-cwmp-agent/etc/config/cwmp");
    fs::set_permissions(settings, fs::Permissions::from_mode(0o644)).expect("a mode");
    let out = tested(&feed, "cwmp-agent", version);
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(!out.status.success() && !said.contains("try is"), "{out:?}");
}

/// The steps of the firmware builder's page that lay files over an image, one after the other
/// as they are written.
// An ACS over https is part of it.
#[test]
#[cfg(feature = "tls")]
fn the_overlay_of_the_documentation_is_one_that_the_program_takes() {
    let Some(feed) = Feed::new() else { return };
    let page = fs::read_to_string(repository("cross/openwrt/README.md")).expect("shipped");
    let mut steps = vec!["set -eu"];
    for block in page.split("```sh\n").skip(1) {
        let text = block.split("```").next().expect("the block");
        steps.extend(text.starts_with("# overlay\n").then_some(text));
    }
    assert_eq!(steps.len(), 7, "{steps:?}");
    // A checkout in which the program is built.
    let built = "target/cross/out/mipsel-unknown-linux-musl";
    fs::create_dir_all(feed.out.join(built)).expect("a folder");
    fs::copy(program(), feed.out.join(built).join("cwmp-agent")).expect("the program");
    std::os::unix::fs::symlink(repository("init"), feed.out.join("init")).expect("a link");
    feed.script(
        "cwmp-agent",
        &format!("exec {} \"$@\"", program().display()),
    );
    let root = rcgen::generate_simple_self_signed(["acs.example.net".to_owned()]);
    let pem = root.expect("a certificate").cert.pem();
    fs::write(feed.out.join("root.pem"), pem).expect("a certificate");
    let out = Command::new("sh")
        .arg("-c")
        .arg(steps.join("\n"))
        .current_dir(&feed.out)
        .env("PATH", feed.path())
        .env("FILES", feed.out.join("files"))
        .env("ROOT_PEM", feed.out.join("root.pem"))
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{out:?}");
    for good in ["agent.toml: good", "/etc/config/cwmp: good"] {
        assert!(said.contains(good), "{said}");
    }
    assert!(!said.contains("warning"), "{said}");
    let mut files = BTreeMap::new();
    collect(&feed.out.join("files"), &feed.out.join("files"), &mut files);
    for (path, (mode, _)) in &files {
        let told = ["96-acs", "94-cwmp-migrate"];
        let told = told
            .iter()
            .any(|name| path == &format!("/etc/uci-defaults/{name}"));
        let expected = if told { 0o644 } else { expected_mode(path) };
        assert_eq!(*mode, expected, "{path}");
    }
    let settings = &files["/etc/config/cwmp"].1;
    let package = cwmp_agent::uci::Package::parse(settings).expect("UCI");
    let (settings, _) = cwmp_agent::agent::settings::Settings::read(&package);
    assert_eq!(settings.acs.url, "https://acs.example.net/");
    assert!(settings.acs.require_tls);
    assert_eq!(
        settings.acs.ca_file.as_deref(),
        Some("/etc/ssl/acs/root.pem")
    );
    // What fills in a username does so once.
    let store = feed.out.join("username").display().to_string();
    feed.script(
        "uci",
        &format!("case \"$2\" in get) cat {store} ;; set) echo \"${{3#*=}}\" >>{store} ;; esac"),
    );
    fs::write(&store, "").expect("no username");
    let text = String::from_utf8(files["/etc/uci-defaults/96-acs"].1.clone()).expect("UTF-8");
    let text = text.replace("eth0", "lo");
    for _ in 0..2 {
        let ran = Command::new("sh")
            .arg("-c")
            .arg(&text)
            .env("PATH", feed.path())
            .status();
        assert!(ran.expect("sh").success());
    }
    let names = fs::read_to_string(&store).expect("a username");
    assert_eq!(names, "00:00:00:00:00:00\n");
    // What takes an old agent's settings over does so once, on the router as it was before.
    let root = feed.out.join("files");
    let text = String::from_utf8(files["/etc/uci-defaults/94-cwmp-migrate"].1.clone());
    let text = text.expect("UTF-8");
    assert_eq!(text.matches("/etc/config").count(), 2);
    let text = text
        .replace(
            "/etc/config",
            &root.join("etc/config").display().to_string(),
        )
        .replace(
            "/usr/sbin/cwmp-agent migrate",
            &format!("cwmp-agent migrate --root {}", root.display()),
        );
    let run = || {
        let mut sh = Command::new("sh");
        let sh = sh.arg("-c").arg(&text).env("PATH", feed.path());
        sh.output().expect("sh").status.code()
    };
    assert_eq!(run(), Some(0), "a router without easycwmp");
    let old = "config acs\n\toption url 'https://acs.example.net/'\n\toption password 'x'\n";
    let theirs = root.join("etc/config/easycwmp");
    fs::write(&theirs, old.replace("example.net", "other.example")).expect("its settings");
    assert_ne!(run(), Some(0), "the image has an ACS of its own");
    assert!(theirs.exists());
    fs::write(&theirs, old).expect("its settings");
    assert_eq!(run(), Some(0));
    assert!(!theirs.exists());
    let now = fs::read_to_string(root.join("etc/config/cwmp")).expect("settings");
    assert!(now.contains("option password 'x'"), "{now}");
}
