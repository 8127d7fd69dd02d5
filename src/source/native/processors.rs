//! Processors: Device.DeviceInfo.ProcessStatus.CPU. and Processor.
//!
//! `/proc/stat` is read once a request; how busy a processor was is counted from one
//! reading to the next.

use super::system::read;
use crate::store::Folders;

/// Processors shown at most.
const MOST: usize = 64;

/// The kernel counts time in hundredths of a second towards user space (`USER_HZ`) on
/// every architecture Rust and OpenWrt share.
pub const TICKS_PER_SECOND: u64 = 100;

/// Ticks spent since the boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    user: u64,
    system: u64,
    idle: u64,
}

impl Ticks {
    /// From what follows a processor's name: user nice system idle iowait irq softirq
    /// steal; what guests get is in user already.
    fn parse(line: &str) -> Option<Ticks> {
        let mut counts = [0u64; 8];
        let mut found = 0;
        for (count, text) in counts.iter_mut().zip(line.split_ascii_whitespace()) {
            *count = text.parse().ok()?;
            found += 1;
        }
        let [user, nice, system, idle, wait, irq, softirq, steal] = counts;
        (found >= 4).then(|| Ticks {
            user: user.saturating_add(nice),
            system: [irq, softirq, steal]
                .iter()
                .fold(system, |sum, n| sum.saturating_add(*n)),
            idle: idle.saturating_add(wait),
        })
    }

    fn all(self) -> u64 {
        self.user
            .saturating_add(self.system)
            .saturating_add(self.idle)
    }

    fn since(self, then: Ticks) -> Ticks {
        Ticks {
            user: self.user.saturating_sub(then.user),
            system: self.system.saturating_sub(then.system),
            idle: self.idle.saturating_sub(then.idle),
        }
    }
}

/// What a processor did between two readings.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    at: Ticks,
    passed: Ticks,
}

/// Which share of a processor's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    User,
    System,
    Idle,
    /// All but idle.
    Busy,
}

/// How busy the processors are. The processor `cpu` is all of them together.
#[derive(Debug, Default)]
pub struct Processors {
    /// `/proc/stat` was read in this request.
    read: bool,
    /// By name, in the kernel's order.
    loads: Vec<(String, Load)>,
    /// How often other processors were on.
    version: u32,
    /// `/etc/os-release` and the word that it gives.
    release: Option<(String, Option<&'static str>)>,
    /// It was read in this request.
    knows_release: bool,
}

impl Processors {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.read = false;
        self.knows_release = false;
    }

    /// A number that stands while the same processors are on.
    pub fn version(&mut self, root: &Folders) -> Result<u32, String> {
        self.refresh(root)?;
        Ok(self.version)
    }

    /// Device.DeviceInfo.Processor.{i}.Architecture: TR-181's word for what the firmware was
    /// built for; `None` where it has none.
    pub fn architecture(&mut self, root: &Folders) -> Result<Option<&'static str>, String> {
        if !self.knows_release {
            let release = read(root, "/etc/os-release")?.unwrap_or_default();
            if self
                .release
                .as_ref()
                .is_none_or(|(then, _)| *then != release)
            {
                let line = release
                    .lines()
                    .find_map(|line| line.strip_prefix("OPENWRT_ARCH="));
                let word = word_of(line.unwrap_or_default().trim_matches(['"', '\'']));
                self.release = Some((release, word));
                // Without a word there are no rows.
                self.version = self.version.wrapping_add(1);
            }
            self.knows_release = true;
        }
        Ok(self.release.as_ref().and_then(|(_, word)| *word))
    }

    /// The processors that are on: `cpu0`, `cpu1`, …
    pub fn names(&mut self, root: &Folders) -> Result<Vec<String>, String> {
        self.refresh(root)?;
        Ok(self.own().map(str::to_owned).collect())
    }

    /// A share in percent, since the last reading that is a second old or older; at first
    /// since the boot. `None`: there is no such processor now.
    pub fn share(
        &mut self,
        root: &Folders,
        name: &str,
        share: Share,
    ) -> Result<Option<String>, String> {
        self.refresh(root)?;
        let load = self.loads.iter().find(|(known, _)| known == name);
        Ok(load.map(|(_, load)| load.passed).map(|passed| {
            let part = match share {
                Share::User => passed.user,
                Share::System => passed.system,
                Share::Idle => passed.idle,
                Share::Busy => passed.user.saturating_add(passed.system),
            };
            let percent = part.saturating_mul(100).checked_div(passed.all());
            percent.unwrap_or(0).to_string()
        }))
    }

    fn refresh(&mut self, root: &Folders) -> Result<(), String> {
        if self.read {
            return Ok(());
        }
        let text = read(root, "/proc/stat")?.unwrap_or_default();
        self.take(&text);
        if self.loads.is_empty() && !text.is_empty() {
            return Err("/proc/stat has no line `cpu`".to_owned());
        }
        self.read = true;
        Ok(())
    }

    fn take(&mut self, text: &str) {
        let mut loads: Vec<(String, Load)> = Vec::with_capacity(self.loads.len());
        let lines = text.lines().take_while(|line| line.starts_with("cpu"));
        for line in lines.take(MOST + 1) {
            let Some((name, counts)) = line.split_once(' ') else {
                continue;
            };
            let Some(now) = Ticks::parse(counts) else {
                continue;
            };
            let is_it = |(known, _): &&(String, Load)| known == name;
            if loads.iter().any(|known| is_it(&known)) {
                continue;
            }
            let last = self.loads.iter().find(is_it).map(|(_, load)| *load);
            let load = match last {
                None => Load {
                    at: now,
                    passed: now,
                },
                Some(last) => {
                    let passed = now.since(last.at);
                    match passed.all() >= TICKS_PER_SECOND {
                        true => Load { at: now, passed },
                        false => last,
                    }
                }
            };
            loads.push((name.to_owned(), load));
        }
        let before = std::mem::replace(&mut self.loads, loads);
        if !own(&before).eq(self.own()) {
            self.version = self.version.wrapping_add(1);
        }
    }

    /// The names of the processors, without that of all together.
    fn own(&self) -> impl Iterator<Item = &str> {
        own(&self.loads)
    }
}

fn own(loads: &[(String, Load)]) -> impl Iterator<Item = &str> {
    let names = loads.iter().map(|(name, _)| name.as_str());
    names.filter(|name| *name != "cpu")
}

fn word_of(arch: &str) -> Option<&'static str> {
    let family = arch.split('_').next().unwrap_or_default();
    Some(match family {
        "aarch64" | "arm" | "armeb" => "arm",
        "i386" | "i486" | "i686" => "i386",
        "mips" | "mips64" => "mipseb",
        "mipsel" | "mips64el" => "mipsel",
        "powerpc" | "powerpc64" => "powerpc",
        "x86" => "x86_64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Root;

    fn share(all: &Processors, name: &str, share: Share) -> Option<String> {
        let mut copy = Processors {
            read: true,
            loads: all.loads.clone(),
            ..Processors::default()
        };
        let root = Folders::new(Root::new("/".as_ref()).expect("there is a root"));
        copy.share(&root, name, share).expect("no file is read")
    }

    #[test]
    fn idle_and_waiting_are_no_work() {
        let mut all = Processors::default();
        all.take("cpu  10 0 10 60 20 0 0 0 5 5\ncpu0 5 0 5 30 10 0 0 0\nintr 7\ncpu9 1 1 1 1\n");
        assert!(all.own().eq(["cpu0"]));
        for (part, percent) in [
            (Share::Busy, "20"),
            (Share::User, "10"),
            (Share::System, "10"),
            (Share::Idle, "80"),
        ] {
            assert_eq!(share(&all, "cpu", part).as_deref(), Some(percent));
            assert_eq!(share(&all, "cpu0", part).as_deref(), Some(percent));
        }
        assert_eq!(share(&all, "cpu1", Share::Busy), None);
    }

    #[test]
    fn a_share_is_that_of_the_time_since_the_last_reading() {
        let mut all = Processors::default();
        all.take("cpu  100 0 0 900\n");
        all.take("cpu  150 0 0 901\n");
        assert_eq!(
            share(&all, "cpu", Share::Busy).as_deref(),
            Some("10"),
            "not a second"
        );
        all.take("cpu  190 0 0 910\n");
        assert_eq!(share(&all, "cpu", Share::Busy).as_deref(), Some("90"));
        // A processor that went leaves the table.
        all.take("intr 1\n");
        assert_eq!(share(&all, "cpu", Share::Busy), None);
    }

    #[test]
    fn what_the_firmware_was_built_for_has_a_word_or_none() {
        for (arch, word) in [
            ("aarch64_cortex-a53", Some("arm")),
            ("arm_cortex-a7_neon-vfpv4", Some("arm")),
            ("mips_24kc", Some("mipseb")),
            ("mipsel_24kc", Some("mipsel")),
            ("x86_64", Some("x86_64")),
            ("i386_pentium4", Some("i386")),
            ("riscv64_riscv64", None),
            ("", None),
        ] {
            assert_eq!(word_of(arch), word, "{arch}");
        }
    }
}
