//! `cwmp-agent migrate`: what easycwmp or icwmp was told in its UCI file, as settings of this
//! agent.
//!
//! Pure but for [`migrate`], which reads the files and puts the new one in place of the old in
//! one step. What is set here already wins unless that is forced; what has no counterpart is
//! told, with the reason. State (events, ParameterKey, attributes) is not taken over: the first
//! contact is 0 BOOTSTRAP, after which an ACS provisions anew what it wants.

mod easycwmp;
mod icwmp;

use super::recover;
use super::settings::Settings;
use super::setup::{SETTINGS_PATH, Setup, SetupError};
use crate::cwmp::datetime::DateTime;
use crate::model::source::{FileChange, Journal};
use crate::net::url::Url;
use crate::store::atomic;
use crate::store::journal::DiskJournal;
use crate::store::lock::{LockError, StateLock};
use crate::store::state::StateDir;
use crate::uci::file::FileError;
use crate::uci::lock::Locked;
use crate::uci::{MAX_BYTES, Package, Section, Value};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// How long others may hold the settings' lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Where easycwmp keeps its settings, below the root.
pub const EASYCWMP_PATH: &str = "/etc/config/easycwmp";

/// Values that the package ships (`init/openwrt/etc/config/cwmp`) where nobody has chosen one.
const SHIPPED: &[(&str, &str, &str)] = &[
    ("acs", "periodic_inform_enable", "1"),
    ("acs", "periodic_inform_interval", "1800"),
    ("cpe", "enable", "1"),
    ("cpe", "interface", "wan"),
    ("cpe", "port", "7547"),
];

/// What there is no session without, or none that the ACS can ask for.
const NEEDED: &[(&str, &str)] = &[
    ("acs", "url"),
    ("acs", "username"),
    ("acs", "password"),
    ("cpe", "username"),
    ("cpe", "password"),
];

/// Whose settings are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// `/etc/config/easycwmp`.
    Easycwmp,
    /// `/etc/config/cwmp`, the file of this agent: it is rewritten in place.
    Icwmp,
}

impl Agent {
    /// The agent of this name.
    pub fn named(name: &str) -> Option<Agent> {
        match name {
            "easycwmp" => Some(Agent::Easycwmp),
            "icwmp" => Some(Agent::Icwmp),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Agent::Easycwmp => "easycwmp",
            Agent::Icwmp => "icwmp",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Agent::Easycwmp => EASYCWMP_PATH,
            Agent::Icwmp => SETTINGS_PATH,
        }
    }
}

/// What was, or would be, done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub from: Agent,
    /// `section.option` and its value, or "(hidden)".
    pub taken: Vec<(String, String)>,
    /// What was not taken over, as its own file calls it, and why.
    pub left: Vec<(String, String)>,
    /// What is set here to something else. Unless forced, nothing was changed.
    pub conflicts: Vec<String>,
    /// Options of the other agent without which there is no session, with values that cannot be
    /// taken over, and why.
    pub unusable: Vec<(String, String)>,
    /// What a person should look at.
    pub notes: Vec<String>,
    /// The settings' file is, or would be, another one than before.
    pub changed: bool,
}

impl Report {
    /// Whether nothing is changed unless it is forced.
    pub fn needs_force(&self) -> bool {
        !self.conflicts.is_empty() || !self.unusable.is_empty()
    }
}

/// What an option of another agent means here.
enum Meaning {
    /// These options, with their values.
    Is(Vec<(&'static str, &'static str, String)>),
    /// Nothing; why. The option goes where it is in our own file.
    Left(&'static str),
    /// Its own name is ours, too, and so is its value.
    Same,
    /// What it asks for is so anyhow.
    Needless,
    /// Nothing is known of it.
    Unknown,
}

impl Meaning {
    fn is(section: &'static str, option: &'static str, value: impl Into<String>) -> Meaning {
        Meaning::Is(vec![(section, option, value.into())])
    }
}

/// Reads, plans, and writes unless `dry`.
///
/// # Errors
/// [`SetupError::System`]: there is nothing to take over, or it is not clear of whom; a file
/// cannot be read, locked or written.
pub fn migrate(
    setup: &Setup,
    from: Option<Agent>,
    dry: bool,
    force: bool,
) -> Result<Report, SetupError> {
    let failed = |what: String| SetupError::System(format!("cwmp-agent: {what}"));
    // A change that a power cut interrupted comes first; a daemon that runs sees to it itself.
    let state = match dry {
        true => None,
        false => own_state(setup)?,
    };
    let path = setup.below_root(SETTINGS_PATH)?;
    let lock = match Locked::acquire(&path, LOCK_WAIT) {
        Ok(lock) => Some(lock),
        Err(FileError::Missing { .. }) => None,
        Err(e) => return Err(failed(e.to_string())),
    };
    let old = match &lock {
        Some(lock) => lock.package().map_err(|e| failed(e.to_string()))?,
        None => Package::default(),
    };
    let theirs = read(setup, EASYCWMP_PATH).map_err(|e| failed(format!("{EASYCWMP_PATH}: {e}")))?;
    let from = match from {
        Some(from) => from,
        None => detect(theirs.is_some(), &old).map_err(failed)?,
    };
    let source = match from {
        Agent::Easycwmp => theirs.as_ref(),
        Agent::Icwmp => lock.as_ref().map(|_| &old),
    };
    let Some(source) = source else {
        return Err(failed(format!(
            "{}: there is no such file, so there are no settings of {} to take over",
            from.path(),
            from.name()
        )));
    };
    let (mut report, new) = plan(from, source, &old, force).map_err(failed)?;
    let refused = report.needs_force() && !force;
    let bytes = new.to_bytes();
    report.changed = !refused && lock.as_ref().is_none_or(|lock| lock.content() != bytes);
    if dry || !report.changed {
        return Ok(report);
    }
    let system = |e: io::Error| failed(format!("{SETTINGS_PATH}: {e}"));
    if lock.is_some() {
        // It holds passwords, whatever mode the other agent had it in.
        let mode = std::fs::metadata(&path)
            .map_err(system)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let own = PermissionsExt::from_mode(mode & 0o700);
            std::fs::set_permissions(&path, own).map_err(system)?;
        }
    }
    match state {
        Some((_lock, state)) => {
            let change = FileChange {
                path,
                content: Some(bytes),
                mode: 0o600,
                reload: Vec::new(),
            };
            let committed = DiskJournal::new(state).commit(&[change]);
            committed.map_err(|e| failed(e.to_string()))?;
        }
        // What a power cut would leave beside the file the daemon's next change takes away.
        None => {
            atomic::write(&*setup.disk, &path, &bytes, 0o600).map_err(system)?;
        }
    }
    if let Some(lock) = lock {
        lock.hand_over();
    }
    Ok(report)
}

/// The state, recovered, for as long as it is locked; `None` where a daemon has it.
fn own_state(setup: &Setup) -> Result<Option<(StateLock, StateDir)>, SetupError> {
    match StateLock::acquire_on(&*setup.disk, &setup.state_path()?) {
        Ok(lock) => {
            let state = setup.state()?;
            recover::finish(setup, &state)?;
            Ok(Some((lock, state)))
        }
        Err(LockError::Held { .. }) => Ok(None),
        Err(e) => Err(SetupError::System(format!("cwmp-agent: {e}"))),
    }
}

fn read(setup: &Setup, path: &str) -> Result<Option<Package>, String> {
    match setup.root.read(path, MAX_BYTES as u64) {
        Ok(text) => Package::parse(&text).map(Some).map_err(|e| e.to_string()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

fn detect(easycwmp: bool, own: &Package) -> Result<Agent, String> {
    match (easycwmp, icwmp::wrote(own)) {
        (true, false) => Ok(Agent::Easycwmp),
        (false, true) => Ok(Agent::Icwmp),
        (true, true) => Err(format!(
            "{EASYCWMP_PATH} is here, and {SETTINGS_PATH} is icwmp's: say which, --from easycwmp or --from icwmp"
        )),
        (false, false) => Err(format!(
            "there is no {EASYCWMP_PATH}, and {SETTINGS_PATH} is not icwmp's: there is nothing to take over"
        )),
    }
}

/// The new settings, and what is to be told of them.
fn plan(
    from: Agent,
    source: &Package,
    old: &Package,
    force: bool,
) -> Result<(Report, Package), String> {
    let mut report = Report {
        from,
        taken: Vec::new(),
        left: Vec::new(),
        conflicts: Vec::new(),
        unusable: Vec::new(),
        notes: Vec::new(),
        changed: false,
    };
    let mut new = old.clone();
    let in_place = from == Agent::Icwmp;
    if in_place {
        icwmp::own_kinds(&mut new);
    }
    let mut gone: Vec<(String, String)> = Vec::new();
    for (nth, section) in source.sections().iter().enumerate() {
        let shown = section.name().unwrap_or_else(|| section.kind());
        let first = |s: &Section| s.kind() == section.kind();
        let known = match from {
            // Of several sections of one type easycwmp reads the first.
            Agent::Easycwmp => {
                easycwmp::SECTIONS.contains(&section.kind())
                    && source.sections().iter().position(first) == Some(nth)
            }
            // A section without a name stands for the one of its type only where that is not there.
            Agent::Icwmp => {
                let named = |s: &Section| s.name() == Some(shown);
                icwmp::SECTIONS.contains(&shown)
                    && (named(section)
                        || !source.sections().iter().any(named)
                            && source.sections().iter().position(first) == Some(nth))
            }
        };
        if !known {
            if !in_place || !knows_section(section) {
                let why = "such a section means nothing here";
                report
                    .left
                    .push((format!("section {shown}"), why.to_owned()));
            }
            continue;
        }
        for (option, value) in section.options() {
            let name = format!("{shown}.{option}");
            let text = match value {
                Value::One(text) => text,
                Value::List(_) => {
                    report.left.push((name, "it is a list".to_owned()));
                    continue;
                }
            };
            if text.is_empty() {
                continue;
            }
            let meaning = match from {
                Agent::Easycwmp => easycwmp::meaning(section, option, text),
                Agent::Icwmp => icwmp::meaning(section, shown, option, text),
            };
            let targets = match meaning {
                Meaning::Is(targets) => targets,
                Meaning::Same => continue,
                Meaning::Needless => Vec::new(),
                Meaning::Left(why) => {
                    report.left.push((name.clone(), why.to_owned()));
                    Vec::new()
                }
                Meaning::Unknown => {
                    if !in_place || !knows(shown, option, text) {
                        let why = "nothing is known of this option";
                        report.left.push((name, why.to_owned()));
                    }
                    continue;
                }
            };
            let mut stays = false;
            for (section, target, value) in &targets {
                stays |= (shown, option) == (*section, *target);
                if let Err(why) = usable(section, target, value) {
                    match NEEDED.contains(&(*section, *target)) && !force {
                        true => report.unusable.push((name.clone(), why)),
                        false => report.left.push((name.clone(), why)),
                    }
                    stays = true;
                    continue;
                }
                // What icwmp wrote by that name is no choice of this agent's operator.
                let theirs = in_place && icwmp::writes(section, target);
                take(
                    &mut report,
                    &mut new,
                    (section, target, value),
                    theirs,
                    force,
                )?;
            }
            if !stays {
                gone.push((shown.to_owned(), option.to_owned()));
            }
        }
    }
    if in_place {
        for (section, option) in gone {
            let at = new.sections().iter().position(|s| is_called(s, &section));
            if let Some(at) = at
                && let Some(now) = new.sections().get(at)
                && now.get(&option).is_some()
            {
                new.delete_option(at, &option).map_err(|e| e.to_string())?;
            }
        }
    }
    identity(&mut report, &new);
    // What is written must be what is read.
    Package::parse(&new.to_bytes()).map_err(|e| format!("{SETTINGS_PATH} would be broken: {e}"))?;
    Ok((report, new))
}

fn is_called(section: &Section, name: &str) -> bool {
    section.name().unwrap_or_else(|| section.kind()) == name
}

/// Puts one option in, unless another value is there that somebody has chosen.
fn take(
    report: &mut Report,
    new: &mut Package,
    (section, option, value): (&str, &str, &str),
    theirs: bool,
    force: bool,
) -> Result<(), String> {
    let said = |e: crate::uci::EditError| e.to_string();
    let name = format!("{section}.{option}");
    let at = new.sections().iter().position(|s| is_called(s, section));
    let now = at.and_then(|at| new.sections().get(at)?.get(option));
    let now = now.map(|now| now.items().join(" ")).unwrap_or_default();
    if now == value {
        return Ok(());
    }
    let shipped = SHIPPED.contains(&(section, option, now.as_str()));
    if !now.is_empty() && !shipped && !theirs {
        report.conflicts.push(name.clone());
        if !force {
            return Ok(());
        }
    }
    let at = match at {
        Some(at) => at,
        None => new.add_section(section, Some(section)).map_err(said)?,
    };
    new.set(at, option, value).map_err(said)?;
    let shown = match (option, Url::parse(value)) {
        ("password", _) => "(hidden)".to_owned(),
        ("url", Ok(url)) => url.shown(),
        _ => value.to_owned(),
    };
    report.taken.push((name, shown));
    Ok(())
}

/// Whether a value can be used here, or what is wrong with it.
fn usable(section: &str, option: &str, value: &str) -> Result<(), String> {
    if value.contains('\u{FFFD}') {
        return Err("it is not UTF-8".to_owned());
    }
    if !crate::uci::valid_value(value) || value.contains(['\n', '\r', '\t']) {
        return Err("it has control characters".to_owned());
    }
    match option {
        "url" => {
            Url::parse(value).map_err(|e| format!("it is no URL that can be used: {e}"))?;
        }
        "periodic_inform_time" | "time" if DateTime::parse(value).is_none() => {
            return Err("it is no time such as 2001-02-03T04:05:06Z".to_owned());
        }
        "oui" if value.len() != 6 || !value.bytes().all(|b| b.is_ascii_hexdigit()) => {
            return Err("an OUI has six hexadecimal digits".to_owned());
        }
        _ => {}
    }
    match warnings(section, option, value).first() {
        Some(what) => Err(what.clone()),
        None => Ok(()),
    }
}

/// What the settings say of one option alone.
fn warnings(section: &str, option: &str, value: &str) -> Vec<String> {
    let mut one = Package::default();
    let made = one
        .add_section(section, Some(section))
        .and_then(|at| one.set(at, option, value));
    match made {
        Ok(()) => Settings::read(&one).1,
        Err(e) => vec![e.to_string()],
    }
}

fn knows(section: &str, option: &str, value: &str) -> bool {
    let said = warnings(section, option, value);
    !said.iter().any(|what| what.starts_with("unknown option"))
}

fn knows_section(section: &Section) -> bool {
    let mut one = Package::default();
    let made = one.add_section(section.kind(), section.name());
    made.is_ok() && Settings::read(&one).1.is_empty()
}

/// An ACS knows a device by OUI, product class and serial number (TR-069 section 3.4.4): where
/// the other agent had derived them, ours may derive others.
fn identity(report: &mut Report, new: &Package) {
    let device = new.sections().iter().find(|s| is_called(s, "device"));
    let missing: Vec<&str> = ["oui", "product_class", "serial_number"]
        .into_iter()
        .filter(|option| device.and_then(|d| d.get(option)).is_none())
        .collect();
    if !missing.is_empty() {
        report.notes.push(format!(
            "device.{} cannot be told from its file: compare `cwmp-agent get Device.DeviceInfo.` with what the ACS knows, or it sees another device",
            missing.join(", device.")
        ));
    }
}

/// `1`, `0` and what else these agents take for yes and no.
fn yes_or_no(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "enable" | "enabled" => Some("1"),
        "0" | "false" | "no" | "off" | "disable" | "disabled" => Some("0"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_package_ships_is_nobodys_choice() {
        let shipped = include_str!("../../../init/openwrt/etc/config/cwmp");
        let package = Package::parse(shipped.as_bytes()).expect("UCI");
        let mut all = Vec::new();
        for section in package.sections() {
            for (option, value) in section.options() {
                let value = value.as_one().expect("no list");
                if !value.is_empty() {
                    all.push((section.name().expect("a name"), option, value));
                }
            }
        }
        all.sort_unstable();
        assert_eq!(all, SHIPPED);
    }
}
