//! Where test material lies that is too large, or not ours, to be kept in the project:
//! the folder named by the environment variable `CWMP_SHARED`, else `../shared` beside
//! the project.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The file or folder of this name; `None`, with a line that says so, where it is
/// missing. With `CWMP_REQUIRE_SHARED=1` missing material fails the test.
pub fn find(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CWMP_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CWMP_REQUIRE_SHARED").is_none_or(|v| v != "1"),
        "{} is missing; set CWMP_SHARED to the folder that holds {name}",
        path.display()
    );
    println!("skipped: {} is missing", path.display());
    None
}
