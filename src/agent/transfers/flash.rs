//! Which firmware runs, and whether an image was flashed since a certain moment.
//!
//! ```text
//! mark before the image is handed over:   marker on the root file system, its text in state_dir
//! at the next boot:                       text, no marker   -> the file system was made anew
//!                                         text and marker   -> nothing was flashed
//!                                         no text           -> nobody can say
//! ```
//! state_dir survives a sysupgrade (keep.d), the marker does not. This module decides nothing.

use crate::agent::clock;
use crate::agent::world::World;
use crate::store::Root;
use crate::store::state::StateDir;
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;

/// The marker, below the root. Not in /etc, of which `sysupgrade -c` keeps everything that was
/// changed, and in no keep.d list.
pub const MARKER: &str = "/usr/lib/cwmp-agent.flashing";
/// The state file that holds the marker's text.
const NOTE: &str = "flashing";
/// What tells one firmware from another besides its version, and the most that is read of it.
const NAMES: [&str; 3] = ["/etc/os-release", "/etc/openwrt_release", "/proc/version"];
const NAME_LIMIT: u64 = 64 << 10;
/// Longest text of the marker that is read, bytes.
const MARKER_LIMIT: u64 = 256;

/// What the running firmware is known by: its version and what it says of itself, hashed.
pub fn firmware(root: &Root, software_version: &str) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &[u8]| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(software_version.as_bytes());
    for name in NAMES {
        add(&root.read(name, NAME_LIMIT).unwrap_or_default());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn marker(root: &Root) -> io::Result<PathBuf> {
    root.path(MARKER).map_err(io::Error::other)
}

/// Sets the marker. Where that cannot be done (a root that is never written) there is no proof
/// of this kind.
pub fn mark(world: &World) {
    let text = format!("{:08x}{:08x}", clock::random_u32(), clock::random_u32());
    let set = || -> io::Result<()> {
        let path = marker(&world.setup.root)?;
        let disk = &world.setup.disk;
        if let Err(e) = disk.remove(&path)
            && e.kind() != io::ErrorKind::NotFound
        {
            return Err(e);
        }
        disk.create(&path, text.as_bytes(), 0o600, None)?;
        if let Some(folder) = path.parent() {
            disk.sync_dir(folder)?;
        }
        world.state.save(NOTE, &text).map(|_| ())
    };
    if let Err(e) = set() {
        log::warn!("{MARKER} cannot be written ({e}); the version alone tells what was flashed");
        forget(&world.setup.root, &world.state);
    }
}

/// Whether an image was flashed since the marker was set; `None`: nobody can say.
pub fn flashed(root: &Root, state: &StateDir) -> Option<bool> {
    let text: String = state.load(NOTE)?;
    let found = root.read(MARKER, MARKER_LIMIT).unwrap_or_default();
    Some(found != text.as_bytes())
}

/// As [`forget`], where there is something to forget.
pub fn forget_if_marked(world: &World) {
    if world.state.path(NOTE).exists() {
        forget(&world.setup.root, &world.state);
    }
}

/// Takes the marker away: what it was set for is concluded.
pub fn forget(root: &Root, state: &StateDir) {
    if let Ok(path) = marker(root)
        && path.exists()
        && let Err(e) = std::fs::remove_file(&path)
    {
        log::warn!("{}: {e}", path.display());
    }
    if let Err(e) = state.remove(NOTE) {
        log::warn!("the note of {MARKER} cannot be removed: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Box(PathBuf);

    impl Box {
        fn new(name: &str) -> Box {
            let dir = std::env::temp_dir().join(format!("flash-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(dir.join("etc")).expect("a folder");
            std::fs::create_dir_all(dir.join("usr/lib")).expect("a folder");
            Box(dir)
        }

        fn root(&self) -> Root {
            Root::new(&self.0).expect("a root")
        }

        fn state(&self) -> StateDir {
            StateDir::open(&self.0.join("state")).expect("a folder")
        }
    }

    impl Drop for Box {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_firmware_is_known_by_its_version_and_by_what_it_says_of_itself() {
        let on = Box::new("name");
        let first = firmware(&on.root(), "1.0");
        assert_eq!(firmware(&on.root(), "1.0"), first);
        assert_ne!(firmware(&on.root(), "1.1"), first);
        std::fs::write(on.0.join("etc/os-release"), "BUILD_ID=r2").expect("a file");
        assert_ne!(firmware(&on.root(), "1.0"), first);
    }

    #[test]
    fn an_image_was_flashed_where_the_marker_is_gone_and_its_note_is_not() {
        let on = Box::new("marker");
        let (root, state) = (on.root(), on.state());
        assert_eq!(flashed(&root, &state), None, "never marked");
        state.save(NOTE, &"abc").expect("kept");
        std::fs::write(on.0.join("usr/lib/cwmp-agent.flashing"), "abc").expect("a file");
        assert_eq!(flashed(&root, &state), Some(false));
        std::fs::write(on.0.join("usr/lib/cwmp-agent.flashing"), "older").expect("a file");
        assert_eq!(flashed(&root, &state), Some(true), "another one's");
        std::fs::remove_file(on.0.join("usr/lib/cwmp-agent.flashing")).expect("a file");
        assert_eq!(flashed(&root, &state), Some(true));
        forget(&root, &state);
        assert_eq!(flashed(&root, &state), None);
    }
}
