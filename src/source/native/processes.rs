//! Processes: Device.DeviceInfo.ProcessStatus.Process.
//!
//! One file a process is read, `/proc/PID/stat`, and the table is bounded: its rows cost
//! as many files.

use super::super::is_row_key;
use super::kept::Found;
use super::names::Value;
use super::processors::TICKS_PER_SECOND;
use super::put_number;
use super::system::read;
use crate::store::{Folders, RealDisk};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Rows at most: what a router runs, without its kernel's threads, is less.
pub const MOST_ROWS: usize = 64;
/// Processes looked at, to find those that the table shows.
const MOST_READ: usize = 1024;
/// `kthreadd`, whose children the kernel's threads are.
const KTHREADD: u32 = 2;

/// Places in what follows the name in `/proc/PID/stat`.
const STATE: usize = 0;
const PARENT: usize = 1;
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const PRIORITY: usize = 15;
const RESIDENT: usize = 21;

/// What `/proc/PID/stat` says of the processes, read once a request.
#[derive(Debug, Default)]
pub struct Processes {
    read: BTreeMap<u32, Option<Stat>>,
    /// Those that are shown.
    ids: Found<Vec<u32>>,
}

#[derive(Debug, Default)]
struct Stat {
    name: String,
    state: u8,
    parent: Option<u32>,
    /// Ticks.
    user: Option<u64>,
    system: Option<u64>,
    priority: Option<i64>,
    /// Pages.
    resident: Option<u64>,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The name may hold spaces and parentheses of its own.
        let begin = text.bytes().position(|b| b == b'(')?;
        let end = text.rfind(')')?;
        let mut stat = Stat {
            name: text.get(begin + 1..end)?.to_owned(),
            ..Stat::default()
        };
        let mut rest = text.get(end + 1..)?;
        for place in 0..=RESIDENT {
            let Some(begin) = rest.bytes().position(|b| b > b' ') else {
                break;
            };
            rest = rest.get(begin..)?;
            let end = rest.bytes().position(|b| b <= b' ').unwrap_or(rest.len());
            let (field, after) = rest.split_at_checked(end)?;
            match place {
                // One letter.
                STATE => stat.state = field.bytes().next().unwrap_or_default(),
                PARENT => stat.parent = field.parse().ok(),
                USER_TIME => stat.user = field.parse().ok(),
                SYSTEM_TIME => stat.system = field.parse().ok(),
                PRIORITY => stat.priority = field.parse().ok(),
                RESIDENT => stat.resident = field.parse().ok(),
                _ => {}
            }
            rest = after;
        }
        Some(stat)
    }
}

impl Processes {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.read.clear();
        self.ids.begin();
    }

    /// A number that stands while the same processes are shown.
    pub fn version(&mut self, root: &Folders) -> Result<u32, String> {
        self.find(root)?;
        Ok(self.ids.version())
    }

    /// The processes to be shown, in order of their ids: all, or where there are more than
    /// [`MOST_ROWS`], first those that are no threads of the kernel, the oldest first.
    pub fn ids(&mut self, root: &Folders) -> Result<Vec<String>, String> {
        self.find(root)?;
        let ids = self.ids.now.as_deref().unwrap_or_default();
        Ok(ids.iter().map(u32::to_string).collect())
    }

    fn find(&mut self, root: &Folders) -> Result<(), String> {
        if self.ids.is_checked() {
            return Ok(());
        }
        let dir = root.path("/proc").map_err(|e| e.to_string())?;
        let mut ids: Vec<u32> = Vec::new();
        let listed = RealDisk.each_entry(&dir, |name, _| {
            let name = std::str::from_utf8(name).unwrap_or_default();
            ids.extend(name.parse::<u32>().ok());
        });
        listed.map_err(|e| format!("/proc: {e}"))?;
        ids.sort_unstable();
        if ids.len() > MOST_ROWS {
            ids.truncate(MOST_READ);
            let mut threads = Vec::new();
            let mut own = Vec::new();
            for id in ids {
                let stat = self.stat(root, id)?;
                let parent = stat.and_then(|stat| stat.parent);
                match parent == Some(KTHREADD) || id == KTHREADD {
                    true => threads.push(id),
                    false => own.push(id),
                }
            }
            own.extend(threads);
            own.truncate(MOST_ROWS);
            own.sort_unstable();
            ids = own;
        }
        self.ids.take(ids);
        Ok(())
    }

    fn stat(&mut self, root: &Folders, id: u32) -> Result<Option<&Stat>, String> {
        let known = match self.read.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                // Long enough for every id.
                let mut path = String::with_capacity(24);
                path.push_str("/proc/");
                put_number(u64::from(id), &mut path);
                path.push_str("/stat");
                let text = read(root, &path)?;
                free.insert(text.as_deref().and_then(Stat::parse))
            }
        };
        Ok(known.as_ref())
    }

    /// Appends a value of the process with this id; tells whether there is one: it may have
    /// ended.
    pub fn value(
        &mut self,
        root: &Folders,
        what: Value,
        id: &str,
        out: &mut String,
    ) -> Result<bool, String> {
        let Ok(number) = id.parse() else {
            return Ok(false);
        };
        let Some(stat) = self.stat(root, number)? else {
            return Ok(false);
        };
        let number = match what {
            Value::ProcessName => {
                out.push_str(&stat.name);
                return Ok(true);
            }
            Value::ProcessState => {
                let word = state(stat);
                out.push_str(word.unwrap_or_default());
                return Ok(word.is_some());
            }
            Value::ProcessPriority => priority(stat),
            Value::ProcessCpuTime => cpu_time(stat),
            Value::ProcessSize => size(stat),
            _ => None,
        };
        if let Some(number) = number {
            put_number(number, out);
        }
        Ok(number.is_some())
    }
}

/// One of the words of Device.DeviceInfo.ProcessStatus.Process.{i}.State.
fn state(stat: &Stat) -> Option<&'static str> {
    Some(match stat.state {
        b'R' => "Running",
        b'S' => "Sleeping",
        b'I' => "Idle",
        b'D' => "Uninterruptible",
        b'Z' | b'X' => "Zombie",
        b'T' | b't' => "Stopped",
        _ => return None,
    })
}

/// 0 (most important: real time) to 99.
fn priority(stat: &Stat) -> Option<u64> {
    // Below 0: real time; 0 to 39: nice -20 to 19.
    let kernel = stat.priority?.clamp(0, 39);
    Some(kernel.unsigned_abs() * 99 / 39)
}

/// Milliseconds of processor time, in user space and kernel.
fn cpu_time(stat: &Stat) -> Option<u64> {
    let ms = stat
        .user?
        .saturating_add(stat.system?)
        .saturating_mul(1000 / TICKS_PER_SECOND);
    // The parameter is an unsignedInt: it stays at its highest value after 49 days.
    Some(ms.min(u64::from(u32::MAX)))
}

/// KiB of memory in use.
fn size(stat: &Stat) -> Option<u64> {
    let kib = stat.resident?.saturating_mul(page_size()) / 1024;
    Some(kib.min(u64::from(u32::MAX)))
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    // Every kernel answers; 4096 is what nearly all would.
    let known = size
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok());
    known.unwrap_or(4096)
}

/// A process's name and arguments; for a kernel thread its name in brackets.
pub fn command(root: &Folders, pid: &str) -> Result<Option<String>, String> {
    let file = |file: &str| {
        let is_id = is_row_key(pid) && pid.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| format!("/proc/{pid}/{file}"))
    };
    let (Some(line), Some(name)) = (file("cmdline"), file("comm")) else {
        return Ok(None);
    };
    match read(root, &line)? {
        Some(line) if !line.is_empty() => {
            let words: Vec<&str> = line.split('\0').filter(|w| !w.is_empty()).collect();
            Ok(Some(words.join(" ").chars().take(256).collect()))
        }
        _ => Ok(read(root, &name)?.map(|name| format!("[{}]", name.trim_end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Root;

    #[test]
    fn a_name_may_hold_what_parts_the_fields() {
        let text = "7 (a) b (c)) S 2 0 0 0 -1 64 0 0 0 0 402 611 0 0 20 0 1 0 1100 28 460 9 9 9";
        let stat = Stat::parse(text).expect("a process");
        assert_eq!(stat.name, "a) b (c)");
        assert_eq!(state(&stat), Some("Sleeping"));
        assert_eq!(priority(&stat), Some(50));
        assert_eq!(cpu_time(&stat), Some(10130));
        assert_eq!(size(&stat), Some(460 * page_size() / 1024));
        assert!(Stat::parse("nonsense").is_none());
    }

    #[test]
    fn a_full_table_shows_no_threads_of_the_kernel() {
        let dir = std::env::temp_dir().join(format!("cwmp-processes-{}", std::process::id()));
        for id in 1..=150u32 {
            let place = dir.join(format!("proc/{id}"));
            std::fs::create_dir_all(&place).expect("a folder");
            // Every other one is a child of kthreadd.
            let parent = if id % 2 == 0 { 2 } else { 1 };
            let text = format!("{id} (p{id}) S {parent} 0");
            std::fs::write(place.join("stat"), text).expect("a file");
        }
        let root = Folders::new(Root::new(&dir).expect("a root"));
        let mut all = Processes::default();
        let ids = all.ids(&root).expect("processes");
        std::fs::remove_dir_all(&dir).expect("gone");
        assert_eq!(ids.len(), MOST_ROWS);
        assert_eq!(ids.first().map(String::as_str), Some("1"));
        assert_eq!(ids.last().map(String::as_str), Some("127"));
        assert!(
            ids.iter()
                .all(|id| id.parse::<u32>().is_ok_and(|n| n % 2 == 1))
        );
    }
}
