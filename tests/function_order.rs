//! `cross/functions` tells the linker which functions of a router's program stand together.
//! The tools of LLVM that it asks are stand-ins here: what is held is the order.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIST: &str = include_str!("../cross/functions.txt");

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("cwmp-order-{}", std::process::id()));
        fs::create_dir_all(path.join("bin")).expect("a folder");
        Folder(path)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.0.join("bin").join(name);
        fs::write(&path, text).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_ran_stands_first_then_its_neighbours_then_the_rest() {
    let folder = Folder::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cross/functions");
    fs::copy(script, folder.0.join("functions")).expect("the script");
    fs::write(
        folder.0.join("functions.txt"),
        "# words\n\n[http]\ndaemon::run::loops\n<model::Tree as core::Show>::show::<item::A>\n\
         ask::them::all::{closure}\n\n[https]\nhandshake\n",
    )
    .expect("the list");
    // Symbols are names here but for one character that a symbol cannot have.
    folder.program(
        "llvm-nm-0",
        "#!/bin/sh\n\
         [ \"$*\" = '--quiet --defined-only --format=posix a.o lib.rlib' ] || exit 1\n\
         cat <<'END'\n\
         a.o:\n\
         seldom::used::thing t 0 1\n\
         daemon::run::other t 0 1\n\
         handshake T 0 1\n\
         <model::Tree~as~core::Show>::show::<item::A<deep::B>> t 0 1\n\
         <model::Tree~as~core::Show>::show::<item::C> t 0 1\n\
         TABLE r 0 1\n\
         ask::them::all::{closure#7} t 0 1\n\
         daemon::run::loops t 0 1\n\
         daemon::run::loops t 0 1\n\
         END\n",
    );
    folder.program("llvm-cxxfilt-0", "#!/bin/sh\ntr '~' ' '\n");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .arg(folder.0.join("functions"))
        .args(["--order", "-o", "out", "a.o", "--as-needed", "lib.rlib"])
        .env("CROSS_LLVM", "0")
        .env("PATH", format!("{}:{path}", folder.0.join("bin").display()))
        .output()
        .expect("bash");
    let order = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        order.lines().collect::<Vec<_>>(),
        [
            "<model::Tree~as~core::Show>::show::<item::A<deep::B>>",
            "ask::them::all::{closure#7}",
            "daemon::run::loops",
            "handshake",
            "daemon::run::other",
            "seldom::used::thing",
            "<model::Tree~as~core::Show>::show::<item::C>",
        ]
    );
}

#[test]
fn the_list_has_its_sections_each_name_once_and_what_a_session_cannot_do_without() {
    let sections: Vec<&str> = LIST.lines().filter(|l| l.starts_with('[')).collect();
    let sections: Vec<&str> = sections
        .into_iter()
        .filter(|l| ["[http]", "[https]", "[tls12]"].contains(l))
        .collect();
    assert_eq!(sections, ["[http]", "[https]", "[tls12]"]);
    let names = LIST
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#') && !sections.contains(l));
    let mut once = BTreeSet::new();
    for name in names {
        assert!(once.insert(name), "{name} stands twice");
        assert!(!name.contains("/."), "{name} is no function");
    }
    for name in [
        "<cwmp_agent::agent::daemon::Daemon>::run",
        "cwmp_agent::agent::session::run",
    ] {
        assert!(
            once.contains(name),
            "{name} is missing: run cross/functions --update"
        );
    }
}
