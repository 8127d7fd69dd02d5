//! The sizes of the router binaries: what README.md says of them is what is committed, and
//! `cross/sizes` tells a program that has grown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `cross/sizes` with these arguments; `None` where there is no bash.
fn sizes(arguments: &[&str], around: &[(&str, &Path)]) -> Option<Output> {
    let mut command = Command::new("bash");
    command.arg(repository("cross/sizes")).args(arguments);
    command.env_remove("SIZES_FILE").env_remove("SIZES_BUILD");
    command.envs(around.iter().copied());
    match command.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: no bash here");
            None
        }
        out => Some(out.expect("cross/sizes")),
    }
}

#[test]
fn the_table_of_the_readme_is_the_committed_one() {
    let Some(out) = sizes(&["--table"], &[]) else {
        return;
    };
    let table = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(table.lines().count() > 6, "{table}");
    let readme = fs::read_to_string(repository("README.md")).expect("shipped");
    let (_, rest) = readme.split_once("<!-- sizes -->\n").expect("a mark");
    let (inside, _) = rest.split_once("<!-- end of sizes -->").expect("a mark");
    assert_eq!(inside, table, "write what `cross/sizes --table` prints");
}

#[test]
fn the_committed_sizes_are_of_the_targets_and_features_that_there_are() {
    let text = fs::read_to_string(repository("cross/sizes.toml")).expect("shipped");
    let file: toml::Table = text.parse().expect("TOML");
    let cargo = fs::read_to_string(repository("Cargo.toml")).expect("shipped");
    let cargo: toml::Table = cargo.parse().expect("TOML");
    let router = cargo["features"]["router"].as_array().expect("a list");
    let mut variants = vec!["shipped".to_owned(), "bare".to_owned()];
    let feature = |f: &toml::Value| format!("without-{}", f.as_str().expect("a name"));
    variants.extend(router.iter().map(feature));
    for (target, entry) in &file {
        assert!(
            ["mips", "mipsel", "armv7", "aarch64", "x86_64"].contains(&target.as_str()),
            "{target}"
        );
        let entry = entry.as_table().expect("variants");
        assert!(entry.contains_key("shipped"), "{target}");
        for (variant, size) in entry {
            assert!(variants.contains(variant), "{target}.{variant}");
            let n = |key: &str| size[key].as_integer().expect("a number");
            assert!(
                n("bytes") > n("xz") && n("xz") > 100_000,
                "{target}.{variant}"
            );
        }
    }
    // The budgets are this one's.
    let mipsel = file["mipsel"].as_table().expect("variants");
    for variant in variants {
        assert!(mipsel.contains_key(&variant), "mipsel.{variant}");
    }
}

/// A stand-in for `cross/build.sh` says how large a program is.
#[test]
fn two_per_cent_more_than_what_is_committed_fail() {
    let folder = std::env::temp_dir().join(format!("cwmp-sizes-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (build, file) = (folder.join("build.sh"), folder.join("sizes.toml"));
    let built = |bytes: u32, xz: u32, rustc: &str| {
        let text = format!(
            "#!/bin/sh\necho 'cross: building for x with rustc {rustc}' >&2\n\
             echo 'target/cross/out/x/cwmp-agent  {bytes} bytes, {xz} bytes xz  (ELF)'\n"
        );
        fs::write(&build, text).expect("a script");
        fs::set_permissions(&build, fs::Permissions::from_mode(0o755)).expect("its mode");
        let around = [("SIZES_FILE", file.as_path()), ("SIZES_BUILD", &build)];
        move |arguments: &[&str]| sizes(arguments, &around).map(told)
    };
    fn told(out: Output) -> (bool, String) {
        let text = [out.stdout, out.stderr].concat();
        (
            out.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }
    let check = |bytes, xz, rustc: &str, arguments: &[&str]| built(bytes, xz, rustc)(arguments);
    let Some((good, text)) = check(1_000_000, 400_000, "1", &["armv7"]) else {
        return;
    };
    assert!(!good && text.contains("no committed size"), "{text}");
    let one = |bytes, xz, rustc: &str, arguments: &[&str]| {
        check(bytes, xz, rustc, arguments).expect("bash is there")
    };
    assert!(one(1_000_000, 400_000, "1", &["--update", "armv7"]).0);
    assert!(one(1_020_000, 408_000, "1", &["armv7"]).0, "two per cent");
    let (good, text) = one(1_020_001, 400_000, "1", &["armv7"]);
    assert!(
        !good && text.contains("armv7 shipped: 1020001 bytes"),
        "{text}"
    );
    let (good, text) = one(1_000_000, 408_001, "1", &["armv7"]);
    assert!(!good && text.contains("--update armv7"), "{text}");
    // Another compiler.
    let (good, text) = one(2_000_000, 400_000, "2", &["armv7"]);
    assert!(good && text.contains("only the budget holds"), "{text}");
    // A budget that is met must not be called open.
    assert!(
        one(1_000_000, 400_000, "1", &["--update", "mipsel"])
            .1
            .contains("within its budget")
    );
    // A line for each variant, once.
    assert!(one(900_000, 300_000, "1", &["--update", "--features", "armv7"]).0);
    let text = fs::read_to_string(&file).expect("written");
    let table: toml::Table = text.parse().expect("TOML");
    let armv7 = table["armv7"].as_table().expect("variants");
    assert_eq!(armv7["shipped"]["bytes"].as_integer(), Some(900_000));
    assert!(armv7.len() >= 4, "{text}");
    fs::remove_dir_all(&folder).expect("own folder");
}
