//! What package managers write down of what is installed: opkg's status file and apk's
//! installed database. Read only, and never trusted: what is not understood is left out.

use super::{Held, is_plain};
use std::collections::BTreeSet;

/// Most packages that are looked at.
const MOST: usize = 8192;

/// The packages of opkg's `/usr/lib/opkg/status`.
pub fn opkg(text: &str) -> Vec<Held> {
    let mut all = Vec::new();
    for block in text.split("\n\n").take(MOST) {
        let status = field(block, "Status").unwrap_or_default();
        let mut words = status.split_ascii_whitespace();
        // What is wanted, flags, what is.
        let (Some(wanted), _, Some(is)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if wanted == "deinstall" && is != "installed"
            || is == "not-installed"
            || is == "config-files"
        {
            continue;
        }
        let (Some(name), Some(version)) = (field(block, "Package"), field(block, "Version")) else {
            continue;
        };
        if is_plain(name) && is_plain(version) {
            all.push(Held {
                duid: name.to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                resolved: is == "installed",
                explicit: field(block, "Auto-Installed") != Some("yes"),
                ..Held::default()
            });
        }
    }
    all
}

/// The value of a field of a control file (`Package: x`), without what follows on further
/// lines.
pub fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// The domain of the first e-mail address in a text (`A B <a@example.org>`).
pub fn domain(text: &str) -> Option<&str> {
    let (_, after) = text.split_once('@')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
    let domain = after.get(..end)?.trim_matches('.');
    (domain.contains('.') && domain.len() <= 128).then_some(domain)
}

/// The packages of apk's `/lib/apk/db/installed`; `world`: those that somebody asked for,
/// `/etc/apk/world`.
pub fn apk(installed: &str, world: &str) -> Vec<Held> {
    let name_of = |line: &str| {
        let line = line.trim();
        let end = line.find(['=', '<', '>', '~', '@']).unwrap_or(line.len());
        line.get(..end).unwrap_or_default().to_owned()
    };
    let world: BTreeSet<String> = world.split_ascii_whitespace().map(name_of).collect();
    let mut all = Vec::new();
    for block in installed.split("\n\n").take(MOST) {
        let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key));
        let (Some(name), Some(version)) = (value("P:"), value("V:")) else {
            continue;
        };
        if is_plain(name) && is_plain(version) {
            let description: String = value("T:").unwrap_or_default().chars().take(256).collect();
            all.push(Held {
                duid: name.to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                description: description.replace(char::is_control, " "),
                // Broken scripts are noted by an `f:` line with an `s`.
                resolved: !value("f:").is_some_and(|flags| flags.contains('s')),
                explicit: world.contains(name),
                ..Held::default()
            });
        }
    }
    all
}

/// The init scripts of an apk package, by its folders and files.
pub fn apk_services(installed: &str, name: &str) -> Vec<String> {
    let of = |block: &&str| {
        block
            .lines()
            .any(|line| line.strip_prefix("P:") == Some(name))
    };
    let Some(block) = installed.split("\n\n").take(MOST).find(of) else {
        return Vec::new();
    };
    let mut services = Vec::new();
    let mut inside = false;
    for line in block.lines() {
        if let Some(folder) = line.strip_prefix("F:") {
            inside = folder.trim_matches('/') == "etc/init.d";
        } else if let Some(file) = line.strip_prefix("R:")
            && inside
            && is_plain(file)
        {
            services.push(file.to_owned());
        }
    }
    services
}

/// The init scripts in opkg's list of a package's files.
pub fn opkg_services(list: &str) -> Vec<String> {
    let script = |line: &str| {
        let path = line.split('\t').next().unwrap_or_default().trim();
        let name = path.trim_start_matches('/').strip_prefix("etc/init.d/")?;
        is_plain(name).then(|| name.to_owned())
    };
    list.lines().filter_map(script).collect()
}

/// What `apk add --simulate FILE` says it would do with the package in a file: its name and
/// version. `stem`: the name of the file without its ending, as it was called where it came
/// from.
pub fn simulated(text: &str, stem: &str) -> Option<(String, String)> {
    let mut steps = Vec::new();
    for line in text.lines().take(MOST) {
        // (1/2) Upgrading name (1.0-r0 -> 1.1-r0)
        let Some((_, step)) = line
            .trim()
            .strip_prefix('(')
            .and_then(|l| l.split_once(") "))
        else {
            continue;
        };
        let mut words = step.split_ascii_whitespace();
        let verb = words.next().unwrap_or_default();
        let known = [
            "Installing",
            "Upgrading",
            "Downgrading",
            "Replacing",
            "Reinstalling",
        ];
        let Some(name) = words.next().filter(|_| known.contains(&verb)) else {
            continue;
        };
        let version = words.next_back().unwrap_or_default();
        let version = version.trim_matches(['(', ')']);
        if is_plain(name) && is_plain(version) {
            steps.push((name.to_owned(), version.to_owned()));
        }
    }
    let named = steps.iter().find(|(n, v)| format!("{n}-{v}") == stem);
    // What it depends on comes before it.
    named.or(steps.last()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Package: libc\nVersion: 1.2.4-4\nStatus: install hold installed\n\
        Architecture: mips_24kc\n\nPackage: hello\nVersion: 2.0-r1\nDepends: libc\n\
        Status: install user installed\nConffiles:\n /etc/config/hello 0123\n\n\
        Package: libx\nVersion: 1\nStatus: install ok unpacked\nAuto-Installed: yes\n\n\
        Package: gone\nVersion: 1\nStatus: deinstall ok not-installed\n\nPackage: -x\nVersion: 1\n\
        Status: install user installed\n";

    #[test]
    fn opkg_tells_what_is_installed() {
        let all = opkg(STATUS);
        let told: Vec<_> = all
            .iter()
            .map(|h| (&*h.name, &*h.version, h.resolved, h.explicit))
            .collect();
        assert_eq!(
            told,
            [
                ("libc", "1.2.4-4", true, true),
                ("hello", "2.0-r1", true, true),
                ("libx", "1", false, false)
            ]
        );
        assert_eq!(opkg("\n\n\nx\n\n"), []);
        assert_eq!(
            opkg_services("/etc/init.d/hello\n/usr/bin/hello\n/etc/init.d/-a\n"),
            ["hello"]
        );
    }

    #[test]
    fn apk_tells_what_is_installed() {
        let text = "C:Q1x=\nP:hello\nV:2.0-r1\nT:Says\tit\nF:etc\nF:etc/init.d\nR:hello\nF:usr/bin\n\
            R:hello\n\nP:libx\nV:1\nf:s\n";
        let all = apk(text, "hello><Q1x=\nbase-files\n");
        let told: Vec<_> = all
            .iter()
            .map(|h| (&*h.name, &*h.version, h.resolved, h.explicit))
            .collect();
        assert_eq!(
            told,
            [("hello", "2.0-r1", true, true), ("libx", "1", false, false)]
        );
        assert_eq!(all[0].description, "Says it");
        assert_eq!(apk_services(text, "hello"), ["hello"]);
        assert_eq!(apk_services(text, "hell"), [""; 0]);
    }

    #[test]
    fn a_simulation_names_the_package_in_the_file() {
        let text =
            "(1/2) Installing libx (1-r0)\n(2/2) Upgrading hello (1.0-r1 -> 2.0-r1)\nOK: 9 MiB\n";
        let hello = Some(("hello".to_owned(), "2.0-r1".to_owned()));
        assert_eq!(simulated(text, "other"), hello);
        assert_eq!(
            simulated(text, "libx-1-r0"),
            Some(("libx".to_owned(), "1-r0".to_owned()))
        );
        assert_eq!(simulated("OK: 9 MiB\n(1/1) Purging x (1)\n", "x-1"), None);
    }

    #[test]
    fn the_domain_of_a_maintainer() {
        assert_eq!(
            domain("A B <a@lists.example.org>, c@d.e"),
            Some("lists.example.org")
        );
        assert_eq!(domain("nobody@localhost"), None);
        assert_eq!(domain("nobody"), None);
    }
}
