//! `[[software_modules]]` of agent.toml: the execution environments of the box.

use super::{argv, seconds};
use crate::notation::table::{Value, Wrong, keys};
use crate::store::Root;
use crate::transfer::software::environment::{
    Commands, Definition, Environments, Kind, MODULES, TIMEOUT,
};
use std::time::Duration;

/// The longest name of an environment: it is part of the names of its units.
const MAX_NAME: usize = 24;

/// An execution environment (Device.SoftwareModules.ExecEnv). Commands are argv;
/// placeholders in them: `{file}` the fetched file, `{name}` and `{version}` of a deployment
/// unit, `{unit}` the name of an execution unit. What is absent is the kind's own where the
/// root is `/`, and is not done elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareModules {
    /// ExecEnv.Name, at most 24 letters, digits and `._+-~`. Absent: `opkg`, `apk`,
    /// `modules`.
    pub name: Option<String>,
    /// `opkg`, `apk`, `archive` (the default) or `command`.
    pub kind: KindName,
    /// ExecEnv.Type. Absent: the kind.
    pub type_name: Option<String>,
    /// ExecEnv.Vendor.
    pub vendor: String,
    /// ExecEnv.Version.
    pub version: String,
    /// The vendor, a domain name, of units that do not name theirs (`openwrt.org` for
    /// packages): it is part of what their UUID is made of.
    pub unit_vendor: Option<String>,
    /// Where `archive` keeps its units, below the root (`/usr/lib/cwmp-agent/modules`).
    pub dir: Option<String>,
    /// How long `install`, `update` and `remove` may take each (300 s).
    pub timeout: Duration,
    /// `command`: prints `name=…`, `version=…` and perhaps `vendor=…`, `description=…` of
    /// `{file}`, a line each; another exit status than 0: it is not for this environment.
    /// `apk`: tells whether `{file}` is whole.
    pub inspect: Option<Vec<String>>,
    /// Installs `{file}`.
    pub install: Option<Vec<String>>,
    /// Puts `{file}` in the place of the unit `{name}`; absent: `install`.
    pub update: Option<Vec<String>>,
    /// Takes the unit `{name}` away.
    pub remove: Option<Vec<String>>,
    /// `apk`: prints what installing `{file}` would do.
    pub simulate: Option<Vec<String>>,
    /// `command`: prints a line `NAME VERSION` for each unit that is installed.
    pub list: Option<Vec<String>>,
    /// `command`: prints the names of the execution units of the unit `{name}`, a line each.
    /// Absent, and `start` is there: one of the unit's own name.
    pub units: Option<Vec<String>>,
    /// Starts the execution unit `{unit}`.
    pub start: Option<Vec<String>>,
    /// Stops it.
    pub stop: Option<Vec<String>>,
    /// Exit status 0: it runs.
    pub status: Option<Vec<String>>,
    /// Has it started at boot. (`archive` and `command`: the agent does that itself.)
    pub enable: Option<Vec<String>>,
    /// Has it not.
    pub disable: Option<Vec<String>>,
    /// Exit status 0: it is started at boot.
    pub enabled: Option<Vec<String>>,
}

/// `kind = "…"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KindName {
    Opkg,
    Apk,
    #[default]
    Archive,
    Command,
}

impl Default for SoftwareModules {
    fn default() -> SoftwareModules {
        SoftwareModules {
            name: None,
            kind: KindName::default(),
            type_name: None,
            vendor: String::new(),
            version: String::new(),
            unit_vendor: None,
            dir: None,
            timeout: TIMEOUT,
            inspect: None,
            install: None,
            update: None,
            remove: None,
            simulate: None,
            list: None,
            units: None,
            start: None,
            stop: None,
            status: None,
            enable: None,
            disable: None,
            enabled: None,
        }
    }
}

impl KindName {
    fn read(value: &Value<'_>) -> Result<KindName, Wrong> {
        let place = value.word(&["opkg", "apk", "archive", "command"])?;
        Ok(match place {
            0 => KindName::Opkg,
            1 => KindName::Apk,
            2 => KindName::Archive,
            _ => KindName::Command,
        })
    }
}

impl SoftwareModules {
    /// The list of them.
    pub(super) fn all(value: &Value<'_>) -> Result<Vec<SoftwareModules>, Wrong> {
        let mut all = Vec::new();
        value.tables(&mut |table| {
            let mut one = SoftwareModules::default();
            keys!(table, {
                "name" => one.name, Value::some_text;
                "kind" => one.kind, KindName::read;
                "type" => one.type_name, Value::some_text;
                "vendor" => one.vendor, Value::text;
                "version" => one.version, Value::text;
                "unit_vendor" => one.unit_vendor, Value::some_text;
                "dir" => one.dir, Value::some_text;
                "timeout" => one.timeout, seconds;
                "inspect" => one.inspect, argv;
                "install" => one.install, argv;
                "update" => one.update, argv;
                "remove" => one.remove, argv;
                "simulate" => one.simulate, argv;
                "list" => one.list, argv;
                "units" => one.units, argv;
                "start" => one.start, argv;
                "stop" => one.stop, argv;
                "status" => one.status, argv;
                "enable" => one.enable, argv;
                "disable" => one.disable, argv;
                "enabled" => one.enabled, argv;
            })?;
            all.push(one);
            Ok(())
        })?;
        Ok(all)
    }

    fn kind(&self) -> Kind {
        match self.kind {
            KindName::Opkg => Kind::Opkg,
            KindName::Apk => Kind::Apk,
            KindName::Archive => Kind::Archive,
            KindName::Command => Kind::Command,
        }
    }

    fn name(&self) -> &str {
        match (&self.name, self.kind) {
            (Some(name), _) => name,
            (None, KindName::Opkg) => "opkg",
            (None, KindName::Apk) => "apk",
            (None, KindName::Archive) => "modules",
            (None, KindName::Command) => "",
        }
    }

    /// What it says, for the environments.
    pub fn definition(&self) -> Definition {
        let kind = self.kind();
        let plain = Definition::new(self.name(), kind);
        Definition {
            type_name: self.type_name.clone().unwrap_or(plain.type_name),
            vendor: self.vendor.clone(),
            version: self.version.clone(),
            unit_vendor: self.unit_vendor.clone().unwrap_or(plain.unit_vendor),
            dir: self.dir.clone().unwrap_or_else(|| MODULES.to_owned()),
            commands: Commands {
                inspect: self.inspect.clone(),
                install: self.install.clone(),
                update: self.update.clone(),
                remove: self.remove.clone(),
                simulate: self.simulate.clone(),
                list: self.list.clone(),
                units: self.units.clone(),
                start: self.start.clone(),
                stop: self.stop.clone(),
                status: self.status.clone(),
                enable: self.enable.clone(),
                disable: self.disable.clone(),
                enabled: self.enabled.clone(),
            },
            timeout: self.timeout,
            ..plain
        }
    }

    fn check(&self) -> Result<(), String> {
        let name = self.name();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-~".contains(&b);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            return Err(format!(
                "{name:?} is no name of an environment; write name = \"…\" of at most {MAX_NAME} letters, digits and ._+-~"
            ));
        }
        let type_name = self.type_name.as_deref().unwrap_or_default();
        for (key, text, most) in [
            ("type", type_name, 64),
            ("vendor", self.vendor.as_str(), 128),
            ("version", self.version.as_str(), 32),
            (
                "unit_vendor",
                self.unit_vendor.as_deref().unwrap_or_default(),
                128,
            ),
        ] {
            if text.chars().count() > most || text.chars().any(char::is_control) {
                return Err(format!(
                    "{key} of {name} is too long; write at most {most} characters"
                ));
            }
        }
        if let Some(dir) = &self.dir
            && (!dir.starts_with('/') || dir == "/" || dir.split('/').any(|part| part == ".."))
        {
            return Err(format!(
                "dir of {name} is {dir:?}; write an absolute path without `..`"
            ));
        }
        for (key, argv, needs) in [
            ("inspect", &self.inspect, "{file}"),
            ("install", &self.install, "{file}"),
            ("update", &self.update, "{file}"),
            ("simulate", &self.simulate, "{file}"),
            ("remove", &self.remove, "{name}"),
            ("units", &self.units, "{name}"),
            ("start", &self.start, "{unit}"),
            ("stop", &self.stop, "{unit}"),
            ("status", &self.status, "{unit}"),
            ("enable", &self.enable, "{unit}"),
            ("disable", &self.disable, "{unit}"),
            ("enabled", &self.enabled, "{unit}"),
        ] {
            if let Some(argv) = argv
                && !argv.iter().any(|argument| argument.contains(needs))
            {
                return Err(format!(
                    "{key} of {name} never says {needs}; write it where that belongs"
                ));
            }
        }
        let missing = |key: &str| {
            Err(format!(
                "{name} is of kind \"command\" and has no {key}; write {key} = [\"/path\", …]"
            ))
        };
        match self.kind {
            KindName::Command if self.inspect.is_none() => missing("inspect"),
            KindName::Command if self.install.is_none() => missing("install"),
            KindName::Command if self.remove.is_none() => missing("remove"),
            _ => Ok(()),
        }
    }
}

/// Whether a package manager of the system is among the environments.
pub(super) fn manage_packages(named: &[SoftwareModules], root: &Root) -> bool {
    let named: Vec<_> = named.iter().map(SoftwareModules::definition).collect();
    Environments::manage_packages(&named, root)
}

/// Whether the list makes sense; else which of them (from 0) does not, and what to write.
pub(super) fn check(all: &[SoftwareModules]) -> Result<(), (usize, String)> {
    for (nth, one) in all.iter().enumerate() {
        one.check().map_err(|what| (nth, what))?;
        if all.iter().take(nth).any(|other| other.name() == one.name()) {
            let what = format!(
                "two environments are called {}; name them apart",
                one.name()
            );
            return Err((nth, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::agent::config::Config;
    use crate::transfer::software::environment::Kind;

    #[test]
    fn an_environment_has_defaults_for_everything() {
        let text = "[[software_modules]]\n[[software_modules]]\nkind = \"opkg\"\n\
            install = [\"/x\", \"{file}\"]\ntimeout = \"2 min\"";
        let config = Config::parse("a", text).expect("good");
        let read: Vec<_> = config
            .software_modules
            .iter()
            .map(|m| m.definition())
            .collect();
        assert_eq!(
            (read[0].name.as_str(), read[0].kind),
            ("modules", Kind::Archive)
        );
        assert_eq!(
            (read[1].name.as_str(), read[1].type_name.as_str()),
            ("opkg", "opkg")
        );
        assert_eq!(
            (read[1].timeout.as_secs(), read[0].timeout.as_secs()),
            (120, 300)
        );
        assert!(read[1].commands.install.is_some() && read[1].commands.remove.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, part) in [
            ("[[software_modules]]\nnmae = \"x\"", 2, "unknown key"),
            ("[[software_modules]]\nkind = \"docker\"", 2, "write one of"),
            (
                "[[software_modules]]\n[[software_modules]]",
                2,
                "two environments",
            ),
            ("\n[[software_modules]]\nname = \"a b\"", 2, "no name"),
            (
                "[[software_modules]]\ndir = \"/a/../b\"",
                1,
                "absolute path",
            ),
            ("[[software_modules]]\nstart = [\"/x\"]", 1, "{unit}"),
            (
                "[[software_modules]]\ninstall = [\"x\", \"{file}\"]",
                2,
                "absolute path",
            ),
            (
                "[[software_modules]]\nkind = \"command\"\nname = \"x\"",
                1,
                "no inspect",
            ),
            ("[[software_modules]]\nkind = \"command\"", 1, "no name"),
        ] {
            let error = Config::parse("a", text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(part), "{error}");
        }
    }
}
