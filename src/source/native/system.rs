//! Flash, hardware, configuration files: what of Device.DeviceInfo. few values need.

use super::super::{is_row_key, text_of};
use super::timezone::utc_time;
use crate::store::Folders;
use std::io;
use std::time::UNIX_EPOCH;

/// A procfs file is not larger than this, bytes.
const LIMIT: u64 = 64 * 1024;

/// KiB of the flash that keeps changes: all, and free for use.
pub fn persistent(root: &Folders) -> Result<Option<(String, String)>, String> {
    let overlay = root.path("/overlay").map_err(|e| e.to_string())?;
    let place = if overlay.is_dir() {
        overlay
    } else {
        root.root().dir().to_owned()
    };
    let stat = nix::sys::statvfs::statvfs(&place).map_err(|e| e.to_string())?;
    // The C types differ between architectures; all fit into 64 bits.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let (size, all, free) = (
        stat.fragment_size() as u64,
        stat.blocks() as u64,
        stat.blocks_available() as u64,
    );
    let kib = |blocks: u64| (blocks.saturating_mul(size) / 1024).to_string();
    Ok(Some((kib(all), kib(free))))
}

/// What the hardware besides the board is called, found anew when the kernel says something
/// else of its processors.
#[derive(Debug, Default)]
pub struct Hardware {
    /// What the kernel said, and what is shown.
    known: Option<(String, Option<String>)>,
}

/// Longer than this is not kept from one request to the next, bytes.
const MAX_KEPT: usize = 4096;

impl Hardware {
    /// See [`hardware`].
    pub fn name(&mut self, root: &Folders) -> Result<Option<String>, String> {
        // A machine of so many processors that this is too large has no device tree either.
        let cpuinfo = read(root, "/proc/cpuinfo").ok().flatten();
        let cpuinfo = cpuinfo.unwrap_or_default();
        if let Some((then, name)) = &self.known
            && *then == cpuinfo
        {
            return Ok(name.clone());
        }
        let name = hardware(root, &cpuinfo)?;
        self.known = (cpuinfo.len() <= MAX_KEPT).then(|| (cpuinfo, name.clone()));
        Ok(name)
    }
}

/// The hardware besides the board: what `/proc/cpuinfo` calls the system, else the last
/// and most general name of the device tree, which does not change while the kernel runs.
/// Commas would part a list.
fn hardware(root: &Folders, cpuinfo: &str) -> Result<Option<String>, String> {
    let keys = ["system type", "machine", "Hardware", "model name"];
    let named = keys.iter().find_map(|key| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == *key).then(|| value.trim().to_owned())
        })
    });
    let named = match named {
        Some(named) => Some(named),
        None => read(root, "/proc/device-tree/compatible")?.and_then(|names| {
            let mut names = names.split('\0').map(str::trim).filter(|n| !n.is_empty());
            names.next_back().map(str::to_owned)
        }),
    };
    Ok(named.map(|name| name.replace(',', "/").chars().take(64).collect()))
}

/// When a configuration file last changed, in UTC.
pub fn config_date(root: &Folders, package: &str) -> Result<Option<String>, String> {
    if !is_row_key(package) {
        return Ok(None);
    }
    let path = root
        .path(&["/etc/config/", package].concat())
        .map_err(|e| e.to_string())?;
    let Ok(meta) = std::fs::metadata(&path) else {
        return Ok(None);
    };
    let passed = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let seconds = passed.and_then(|p| i64::try_from(p.as_secs()).ok());
    Ok(Some(utc_time(seconds.unwrap_or(0))))
}

/// `None`: there is no such file, or no such process any more.
pub fn read(root: &Folders, path: &str) -> Result<Option<String>, String> {
    read_up_to(root, path, LIMIT)
}

/// The same of a file that may be so many bytes long.
pub fn read_up_to(root: &Folders, path: &str, limit: u64) -> Result<Option<String>, String> {
    match root.read(path, limit) {
        Ok(bytes) => Ok(Some(text_of(bytes))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(None),
        Err(e) => Err(format!("{path}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Root;

    #[test]
    fn the_hardware_is_what_the_kernel_calls_it() {
        let dir = std::env::temp_dir().join(format!("cwmp-hardware-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc/device-tree")).expect("a folder");
        let root = Folders::new(Root::new(&dir).expect("a root"));
        let write = |path: &str, text: &str| std::fs::write(dir.join(path), text).expect("written");
        assert_eq!(Hardware::default().name(&root), Ok(None));
        write(
            "proc/device-tree/compatible",
            "example,router\0mediatek,mt7986a\0",
        );
        write("proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 26.00\n");
        assert_eq!(
            Hardware::default().name(&root),
            Ok(Some("mediatek/mt7986a".to_owned()))
        );
        write(
            "proc/cpuinfo",
            "system type\t\t: MediaTek MT7621 ver:1 eco:3\nmachine\t: x\n",
        );
        let named = Hardware::default().name(&root);
        std::fs::remove_dir_all(&dir).expect("gone");
        assert_eq!(named, Ok(Some("MediaTek MT7621 ver:1 eco:3".to_owned())));
    }
}
