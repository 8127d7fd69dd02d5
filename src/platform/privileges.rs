//! What the daemon gives up before its first thread starts: capabilities, the way to new ones,
//! core files. `docs/privileges.md` says what is left and why.
//!
//! Two sets of capabilities: what the agent itself works with (effective), and what the programs
//! that it starts may use (permitted, and the bounding set). A program started by root gets the
//! second; with no_new_privs nothing gets more.
//!
//! This module must never be needed: where the system refuses, the agent goes on with what it
//! has, and says so.

use super::sys;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;
use std::fmt;
use std::io;

/// The capabilities of Linux, by their numbers, without the `CAP_` before them
/// (capabilities(7)).
const NAMES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The most open files of the agent: far more than it ever has, far fewer than would hurt.
const OPEN_FILES: rlim_t = 1024;

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None.
    pub const NONE: Capabilities = Capabilities(0);

    /// Those with these names, as in capabilities(7): `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Capabilities, &'a str> {
        let mut set = 0;
        for name in names {
            let bare = name.strip_prefix("CAP_").ok_or(name)?;
            let number = NAMES.iter().position(|n| *n == bare).ok_or(name)?;
            set |= 1 << number;
        }
        Ok(Capabilities(set))
    }

    /// What the agent works with itself: rewriting files of others keeping their owner and mode,
    /// ending programs that it started, ports below 1024, keeping to a device.
    pub fn own() -> Capabilities {
        Capabilities::of(&[
            "CHOWN",
            "DAC_OVERRIDE",
            "DAC_READ_SEARCH",
            "FOWNER",
            "KILL",
            "NET_BIND_SERVICE",
            "NET_RAW",
        ])
    }

    /// What OpenWrt's own programs need that the agent starts: sysupgrade, firstboot, reboot,
    /// reloads of services.
    pub fn of_commands() -> Capabilities {
        Capabilities::of(&[
            "FSETID",
            "SETGID",
            "SETUID",
            "NET_ADMIN",
            "SYS_CHROOT",
            "SYS_ADMIN",
            "SYS_BOOT",
            "SYS_RESOURCE",
            "SYS_TIME",
            "MKNOD",
        ])
        .and(Capabilities::own())
    }

    /// What a package manager needs more: a package of the kernel's loads its module.
    pub fn of_packages() -> Capabilities {
        Capabilities::of(&["SYS_MODULE"])
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    fn of(names: &[&str]) -> Capabilities {
        let bits = NAMES.iter().enumerate();
        let bits = bits.filter(|(_, name)| names.contains(name));
        Capabilities(bits.fold(0, |set, (number, _)| set | 1 << number))
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (number, name) in NAMES.iter().enumerate() {
            if self.0 & 1 << number != 0 {
                f.write_str(if first { "CAP_" } else { " CAP_" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        Ok(())
    }
}

/// Gives up what is not needed; `keep` is what the programs may use that the agent starts. For
/// the only thread of a process: another one would keep what it has.
pub fn give_up(keep: Capabilities) {
    // A file that nobody has given a mode is for others to read at most; a stricter mask of the
    // service manager's stays.
    let mask = umask(Mode::S_IWGRP | Mode::S_IWOTH);
    umask(mask | Mode::S_IWGRP | Mode::S_IWOTH);
    told("core files", no_core_files());
    told("open files", few_files());
    told(
        "no_new_privs",
        prctl::set_no_new_privs().map_err(Into::into),
    );
    // A user without rights has none to give up, and must read what /proc says of itself.
    if geteuid().is_root() {
        told("capabilities", narrow(keep));
        // Passwords are in its memory.
        told("dumpable", prctl::set_dumpable(false).map_err(Into::into));
    }
}

/// What was refused weakens nothing that was there before: the agent goes on.
fn told(what: &str, done: io::Result<()>) {
    if let Err(e) = done {
        log::warn!("the agent runs with more rights than it needs: {what}: {e}");
    }
}

/// No core file of the agent, nor of what it starts, tells the passwords.
fn no_core_files() -> io::Result<()> {
    if getrlimit(Resource::RLIMIT_CORE)? != (0, 0) {
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    }
    Ok(())
}

/// What the agent starts may raise it again as far as the hard limit.
fn few_files() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft > OPEN_FILES {
        setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, hard)?;
    }
    Ok(())
}

fn narrow(keep: Capabilities) -> io::Result<()> {
    let keep = keep.and(Capabilities::own());
    for number in 0..64u8 {
        // Those that are newer than this program as well.
        match sys::is_in_bounding_set(number) {
            None => break,
            Some(true) if keep.0 & 1 << number == 0 => match sys::leave_bounding_set(number) {
                Ok(()) => {}
                // Without CAP_SETPCAP; what is permitted bounds with no_new_privs, too.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => break,
                Err(e) => return Err(e),
            },
            Some(_) => {}
        }
    }
    let now = sys::sets()?;
    sys::set(&sys::Sets {
        effective: now.effective & Capabilities::own().0,
        permitted: now.permitted & keep.0,
        inheritable: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_manual() {
        // Their numbers are the kernel's (linux/capability.h).
        for (number, name) in [
            (0, "CAP_CHOWN"),
            (12, "CAP_NET_ADMIN"),
            (21, "CAP_SYS_ADMIN"),
            (27, "CAP_MKNOD"),
            (34, "CAP_SYSLOG"),
            (40, "CAP_CHECKPOINT_RESTORE"),
        ] {
            assert_eq!(Capabilities::named([name]), Ok(Capabilities(1 << number)));
        }
        for bad in [
            "",
            "CHOWN",
            "cap_chown",
            "CAP_",
            "CAP_EVERYTHING",
            "CAP_CHOWN ",
        ] {
            assert_eq!(Capabilities::named([bad]), Err(bad));
        }
        let two = Capabilities::named(["CAP_KILL", "CAP_CHOWN"]).expect("names");
        assert_eq!(two.to_string(), "CAP_CHOWN CAP_KILL");
        assert_eq!(Capabilities::NONE.to_string(), "");
    }

    #[test]
    fn what_is_listed_by_name_is_found() {
        assert_eq!(Capabilities::own().0.count_ones(), 7);
        assert_eq!(Capabilities::of_commands().0.count_ones(), 17);
        assert_eq!(Capabilities::of_packages().0.count_ones(), 1);
        // Nothing that reads the memory of others, writes the kernel's or gives more rights.
        let never = Capabilities::named([
            "CAP_SYS_PTRACE",
            "CAP_SYS_RAWIO",
            "CAP_BPF",
            "CAP_SETPCAP",
            "CAP_SETFCAP",
        ]);
        let all = Capabilities::of_commands().and(Capabilities::of_packages());
        assert_eq!(never.expect("names").0 & all.0, 0);
    }
}
