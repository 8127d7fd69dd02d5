//! Device.Time.Status: whether NTP is wanted, and whether it has set the clock.
//!
//! Told by files that scripts of OpenWrt's ntpd leave until the next boot. The kernel's own
//! word is none here: busybox' ntpd does not say how far the clock may be off, so that a
//! second after each of its corrections the kernel takes the clock for unsynchronized again.

use crate::source::packages::{Packages, is_recent};
use crate::store::Folders;
use crate::uci::file::Stamp;
use crate::uci::{Package, Value};

/// Where NTP is configured.
const CONFIG: &str = "/etc/config/system";

/// There once NTP has set the clock: written by `init/openwrt/etc/hotplug.d/ntp/50-cwmp-agent`,
/// and by the script that the package dnsmasq has there.
const MARKS: [&str; 2] = ["/var/run/cwmp-agent.clock", "/var/state/dnsmasqsec"];
/// They say less than this, bytes.
const LIMIT: u64 = 256;

/// The configuration as it was understood, while its file stays.
#[derive(Debug, Default)]
pub struct Ntp {
    known: Option<(Stamp, bool)>,
}

impl Ntp {
    /// One of TR-181's words.
    pub fn status(&mut self, packages: &Packages, root: &Folders) -> &'static str {
        if self.is_off(packages, root) {
            return "Disabled";
        }
        match MARKS.iter().any(|mark| root.read(mark, LIMIT).is_ok()) {
            true => "Synchronized",
            false => "Unsynchronized",
        }
    }

    fn is_off(&mut self, packages: &Packages, root: &Folders) -> bool {
        let Ok(path) = root.path(CONFIG) else {
            return false;
        };
        let now = Stamp::of(&path).ok().flatten();
        if let (Some((then, off)), Some(now)) = (self.known, now)
            && then == now
        {
            return off;
        }
        // What is wrong with the file is told by whoever shows its options.
        let Ok((package, stamp)) = packages.load(&path) else {
            self.known = None;
            return false;
        };
        let off = says_off(&package);
        self.known = (!is_recent(&stamp)).then_some((stamp, off));
        off
    }
}

/// As `/etc/init.d/sysntpd` takes it: on, unless the option says otherwise.
fn says_off(package: &Package) -> bool {
    let section = package.section("ntp");
    let section = section.and_then(|at| package.sections().get(at));
    let enabled = section.and_then(|section| section.get("enabled"));
    matches!(
        enabled.and_then(Value::as_one),
        Some("0" | "off" | "no" | "false" | "disabled")
    )
}
