//! The service file of init/systemd, where systemd-analyze is here: it is read without a word,
//! and leaves the program no more than this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How exposed the service may be: tenths, of 100, as `systemd-analyze security` counts them.
/// systemd 252 says 24; newer ones look at more.
const EXPOSURE: &str = "27";

/// The unit with this build's program, in a folder of its own; `None` where there is no
/// systemd-analyze.
fn unit(name: &str, change: impl Fn(String) -> String) -> Option<PathBuf> {
    let here = Command::new("systemd-analyze").arg("--version").output();
    if !here.is_ok_and(|out| out.status.success()) {
        println!("skipped: no systemd-analyze here");
        return None;
    }
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("init/systemd/cwmp-agent.service");
    let text = fs::read_to_string(shipped).expect("shipped");
    let program = env!("CARGO_BIN_EXE_cwmp-agent");
    let text = text.replace("/usr/sbin/cwmp-agent", program);
    let folder = std::env::temp_dir().join(format!("cwmp-unit-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let unit = folder.join("cwmp-agent.service");
    fs::write(&unit, change(text)).expect("a unit");
    Some(unit)
}

/// Whether systemd-analyze is content, and what it says.
fn analyze(unit: &Path, arguments: &[&str]) -> (bool, String) {
    let out = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .expect("systemd-analyze");
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (out.status.success(), said)
}

fn done(unit: PathBuf) {
    let folder = unit.parent().expect("its folder");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn systemd_reads_the_unit_without_a_word() {
    let Some(unit) = unit("verify", |text| text) else {
        return;
    };
    let (good, said) = analyze(&unit, &["verify", "--man=no"]);
    done(unit);
    assert!(good, "{said}");
    // Of other units that this machine has it may complain as it likes.
    assert!(!said.contains("cwmp-agent"), "{said}");
}

#[test]
fn the_service_is_hardened() {
    let same = |text: String| text;
    let Some(hardened) = unit("security", same) else {
        return;
    };
    let threshold = format!("--threshold={EXPOSURE}");
    let arguments = ["security", "--offline=true", threshold.as_str()];
    let (good, said) = analyze(&hardened, &arguments);
    done(hardened);
    if said.contains("unrecognized option") {
        println!("skipped: this systemd-analyze cannot look at a file");
        return;
    }
    assert!(good, "{said}");
    // Without the lines that bind it, it would not pass.
    let without = |text: String| text.replace("SystemCallFilter=", "# ");
    let bare = unit("bare", without).expect("systemd-analyze");
    let (good, _) = analyze(&bare, &arguments);
    done(bare);
    assert!(!good);
}
