//! Processor, processes, flash: Device.DeviceInfo.ProcessStatus. and MemoryStatus.

use super::super::is_row_key;
use crate::store::Root;
use std::io;

/// The kernel counts time in hundredths of a second towards user space (`USER_HZ`) on
/// every architecture Rust and OpenWrt share.
const TICKS_PER_SECOND: u64 = 100;
/// A procfs file is not larger than this, bytes.
const LIMIT: u64 = 64 * 1024;

/// How busy all processors are, in percent, since the last reading.
#[derive(Debug, Default)]
pub struct Cpu {
    /// Ticks spent working and all ticks, when last looked at.
    last: Option<(u64, u64)>,
    percent: u64,
}

impl Cpu {
    /// Device.DeviceInfo.ProcessStatus.CPUUsage. Readings within a second of the last
    /// one answer the same; the first covers the time since the boot.
    pub fn usage(&mut self, root: &Root) -> Result<Option<String>, String> {
        let Some(stat) = read(root, "/proc/stat")? else {
            return Ok(None);
        };
        let (busy, all) = ticks(&stat).ok_or("/proc/stat has no line `cpu`")?;
        let (busy_then, all_then) = self.last.unwrap_or((0, 0));
        // The counters are per processor, so this is at most a second.
        let passed = all.saturating_sub(all_then);
        if self.last.is_none() || passed >= TICKS_PER_SECOND {
            let worked = busy.saturating_sub(busy_then).min(passed);
            self.percent = worked.saturating_mul(100).checked_div(passed).unwrap_or(0);
            self.last = Some((busy, all));
        }
        Ok(Some(self.percent.to_string()))
    }
}

/// Ticks spent working, and all.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal; what guests get is in user already.
    let counts: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map_while(|n| n.parse().ok())
        .collect();
    let all = counts.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let idle = counts
        .get(3)?
        .saturating_add(counts.get(4).copied().unwrap_or(0));
    Some((all.saturating_sub(idle), all))
}

/// A process's name and arguments; for a kernel thread its name in brackets.
pub fn process_command(root: &Root, pid: &str) -> Result<Option<String>, String> {
    let Some(path) = process(pid, "cmdline") else {
        return Ok(None);
    };
    match read(root, &path)? {
        Some(line) if !line.is_empty() => {
            let words: Vec<&str> = line.split('\0').filter(|w| !w.is_empty()).collect();
            Ok(Some(words.join(" ").chars().take(256).collect()))
        }
        _ => {
            let Some(path) = process(pid, "comm") else {
                return Ok(None);
            };
            Ok(read(root, &path)?.map(|name| format!("[{}]", name.trim_end())))
        }
    }
}

/// Milliseconds of processor time, in user space and kernel.
pub fn process_cpu_time(fields: Option<&[String]>) -> Result<Option<String>, String> {
    Ok(fields.and_then(|fields| {
        let user: u64 = fields.get(11)?.parse().ok()?;
        let kernel: u64 = fields.get(12)?.parse().ok()?;
        let ms = user
            .saturating_add(kernel)
            .saturating_mul(1000 / TICKS_PER_SECOND);
        // The parameter is an unsignedInt: it stays at its highest value after 49 days.
        Some(ms.min(u64::from(u32::MAX)).to_string())
    }))
}

/// 0 (most important: real time) to 99.
pub fn process_priority(fields: Option<&[String]>) -> Result<Option<String>, String> {
    Ok(fields.and_then(|fields| {
        // Below 0: real time; 0 to 39: nice -20 to 19.
        let kernel: i64 = fields.get(15)?.parse().ok()?;
        Some((kernel.clamp(0, 39) * 99 / 39).to_string())
    }))
}

/// One of the words of Device.DeviceInfo.ProcessStatus.Process.{i}.State.
pub fn process_state(fields: Option<&[String]>) -> Result<Option<String>, String> {
    Ok(fields.and_then(|fields| {
        let word = match fields.first()?.as_str() {
            "R" => "Running",
            "S" => "Sleeping",
            "I" => "Idle",
            "D" => "Uninterruptible",
            "Z" | "X" => "Zombie",
            "T" | "t" => "Stopped",
            _ => return None,
        };
        Some(word.to_owned())
    }))
}

/// KiB of the flash that keeps changes: all, and free for use.
pub fn persistent(root: &Root) -> Result<Option<(String, String)>, String> {
    let overlay = root.path("/overlay").map_err(|e| e.to_string())?;
    let place = if overlay.is_dir() {
        overlay
    } else {
        root.dir().to_owned()
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

/// What `/proc/PID/stat` says of the process asked for last: the values of one process are
/// asked for together.
#[derive(Debug, Default)]
pub struct Stats {
    last: Option<(String, Option<Vec<String>>)>,
}

impl Stats {
    /// A new request begins.
    pub fn clear(&mut self) {
        self.last = None;
    }

    /// The fields, as [`stat_fields`] finds them.
    pub fn of(&mut self, root: &Root, pid: &str) -> Result<Option<&[String]>, String> {
        if self.last.as_ref().is_none_or(|(known, _)| known != pid) {
            self.last = Some((pid.to_owned(), stat_fields(root, pid)?));
        }
        let fields = self.last.as_ref().and_then(|(_, fields)| fields.as_deref());
        Ok(fields)
    }
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces and parentheses
/// of its own; the first is the state.
fn stat_fields(root: &Root, pid: &str) -> Result<Option<Vec<String>>, String> {
    let Some(path) = process(pid, "stat") else {
        return Ok(None);
    };
    Ok(read(root, &path)?.and_then(|stat| {
        let (_, after) = stat.rsplit_once(')')?;
        Some(after.split_whitespace().map(str::to_owned).collect())
    }))
}

fn process(pid: &str, file: &str) -> Option<String> {
    (is_row_key(pid) && pid.bytes().all(|b| b.is_ascii_digit()))
        .then(|| format!("/proc/{pid}/{file}"))
}

/// `None`: there is no such file, or no such process any more.
fn read(root: &Root, path: &str) -> Result<Option<String>, String> {
    match root.read(path, LIMIT) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(None),
        Err(e) => Err(format!("{path}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_are_no_work() {
        assert_eq!(
            ticks("cpu  10 0 10 60 20 0 0 0 5 5\ncpu0 1 1\n"),
            Some((20, 100))
        );
        assert_eq!(ticks("cpu0 1 2 3 4\n"), None);
        assert_eq!(ticks("cpu  x\n"), None);
    }
}
