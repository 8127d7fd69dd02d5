//! Execution environments: where software is installed, and how (Device.SoftwareModules.
//! ExecEnv).
//!
//! Four kinds share one interface: the package managers of OpenWrt, opkg and apk
//! (`packages`), folders of their own below one folder (`archive`), and whatever a
//! vendor's programs do (`command`). Programs are run by argv; what stands in their
//! arguments was checked before.

mod archive;
mod command;
pub mod database;
mod ipk;
pub mod manifest;
mod packages;

use super::record::{Intent, Unit};
use super::{Failure, failure};
use crate::process::{self, Output, Program, RunError};
use crate::store::Root;
use archive::Archive;
use command::Vendor;
use packages::Packages;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What kind of place an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Opkg,
    Apk,
    Archive,
    Command,
}

impl Kind {
    /// The word in agent.toml.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Opkg => "opkg",
            Kind::Apk => "apk",
            Kind::Archive => "archive",
            Kind::Command => "command",
        }
    }
}

/// The programs of an environment, as argv; placeholders are put in. `None`: the kind's own
/// where the root is `/`, else nothing is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// Prints what is in `{file}` (kind `command`), or tells by its exit status whether it is
    /// whole (kind `apk`).
    pub inspect: Option<Vec<String>>,
    /// Installs `{file}`.
    pub install: Option<Vec<String>>,
    /// Puts `{file}` in the place of what is installed; absent: `install`.
    pub update: Option<Vec<String>>,
    /// Takes `{name}` away.
    pub remove: Option<Vec<String>>,
    /// Tells what installing `{file}` would do; of kind `apk`.
    pub simulate: Option<Vec<String>>,
    /// Prints `name version` lines; of kind `command`.
    pub list: Option<Vec<String>>,
    /// Prints the names of the execution units of `{name}`; of kind `command`.
    pub units: Option<Vec<String>>,
    /// Starts, stops `{unit}`; tells by its exit status whether it runs (0).
    pub start: Option<Vec<String>>,
    pub stop: Option<Vec<String>>,
    pub status: Option<Vec<String>>,
    /// Has `{unit}` started at boot, or not; tells by its exit status whether it is (0).
    pub enable: Option<Vec<String>>,
    pub disable: Option<Vec<String>>,
    pub enabled: Option<Vec<String>>,
}

/// An environment as agent.toml names it, or as it is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// ExecEnv.Name; the key of its row.
    pub name: String,
    pub kind: Kind,
    /// ExecEnv.Type.
    pub type_name: String,
    /// ExecEnv.Vendor and ExecEnv.Version.
    pub vendor: String,
    pub version: String,
    /// The vendor of units that do not name theirs, as a domain name.
    pub unit_vendor: String,
    /// Where `archive` keeps its units; below the root.
    pub dir: String,
    pub commands: Commands,
    /// How long installing, updating or taking away may take.
    pub timeout: Duration,
}

/// Where `archive` keeps its units unless agent.toml says otherwise.
pub const MODULES: &str = "/usr/lib/cwmp-agent/modules";
/// How long a manager may work on flash.
pub const TIMEOUT: Duration = Duration::from_secs(300);
/// How long starting, stopping or asking may take.
const QUICK: Duration = Duration::from_secs(30);
/// Most that is taken of what a program prints, bytes.
const OUTPUT: usize = 256 << 10;

impl Definition {
    /// An environment without anything of its own.
    pub fn new(name: &str, kind: Kind) -> Definition {
        Definition {
            name: name.to_owned(),
            kind,
            type_name: kind.name().to_owned(),
            vendor: String::new(),
            version: String::new(),
            unit_vendor: match kind {
                Kind::Opkg | Kind::Apk => "openwrt.org".to_owned(),
                Kind::Archive | Kind::Command => String::new(),
            },
            dir: MODULES.to_owned(),
            commands: Commands::default(),
            timeout: TIMEOUT,
        }
    }
}

/// A deployment unit that is really there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub duid: String,
    pub name: String,
    pub vendor: String,
    pub version: String,
    pub description: String,
    /// Everything it depends on is there, and it is set up.
    pub resolved: bool,
    /// Somebody asked for it; it did not come along with another one.
    pub explicit: bool,
}

/// What an environment needs of the agent.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub root: Root,
    /// Bytes that stay free on the file system that is installed to.
    pub keep_free: u64,
    /// Bytes that a unit may have unpacked.
    pub unpacked: u64,
}

/// All environments of the box.
#[derive(Debug)]
pub struct Environments {
    all: Vec<Environment>,
}

impl Environments {
    /// Those of agent.toml, and where the root is `/` the built-in ones of kinds that
    /// agent.toml does not name: opkg and apk where they are installed, archive always.
    pub fn new(named: &[Definition], around: &Surroundings) -> Environments {
        let make = |definition| Environment::new(definition, around);
        Environments {
            all: Self::definitions(named, &around.root)
                .into_iter()
                .map(make)
                .collect(),
        }
    }

    /// Whether one of them is a package manager of the system.
    pub fn manage_packages(named: &[Definition], root: &Root) -> bool {
        let all = Self::definitions(named, root);
        all.iter().any(|d| matches!(d.kind, Kind::Opkg | Kind::Apk))
    }

    fn definitions(named: &[Definition], root: &Root) -> Vec<Definition> {
        let mut definitions = named.to_vec();
        if root.is_system() {
            let is_there = |paths: &[&str]| paths.iter().any(|p| Path::new(p).exists());
            for (kind, name, there) in [
                (Kind::Opkg, "opkg", is_there(&["/bin/opkg"])),
                (Kind::Apk, "apk", is_there(&packages::APK)),
                (Kind::Archive, "modules", true),
            ] {
                let is_named = definitions.iter().any(|d| d.kind == kind || d.name == name);
                if there && !is_named {
                    definitions.push(Definition::new(name, kind));
                }
            }
        }
        definitions
    }

    /// In the order of agent.toml.
    pub fn iter(&self) -> impl Iterator<Item = &Environment> {
        self.all.iter()
    }

    /// The agent starts: takes away what a power cut has left half done.
    pub fn sweep(&self) {
        for environment in &self.all {
            if let Place::Archive(archive) = &environment.place {
                archive.sweep();
            }
        }
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Environment> {
        self.all.iter().find(|e| e.definition.name == name)
    }
}

/// One environment.
#[derive(Debug)]
pub struct Environment {
    pub definition: Definition,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Packages(Packages),
    Archive(Archive),
    Vendor(Vendor),
}

impl Environment {
    fn new(definition: Definition, around: &Surroundings) -> Environment {
        let runner = Runner {
            root: around.root.clone(),
            commands: definition.commands.clone(),
            timeout: definition.timeout,
        };
        let place = match definition.kind {
            Kind::Opkg | Kind::Apk => Place::Packages(Packages::new(&definition, runner, around)),
            Kind::Archive => Place::Archive(Archive::new(&definition, runner, around)),
            Kind::Command => Place::Vendor(Vendor::new(runner)),
        };
        Environment { definition, place }
    }

    /// ExecEnv.Name.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// What a fetched file holds; `None`: nothing for this environment. `url`: where it came
    /// from, for those whose files do not say their name.
    ///
    /// # Errors
    /// 9018: it is for this environment, but damaged or hostile. 9001: that cannot be found
    /// out.
    pub fn inspect(&self, file: &Path, url: &str) -> Result<Option<Intent>, Failure> {
        let found = match &self.place {
            Place::Packages(p) => p.inspect(file, url)?,
            Place::Archive(a) => a.inspect(file)?,
            Place::Vendor(v) => v.inspect(file)?,
        };
        let Some(mut found) = found else {
            return Ok(None);
        };
        if found.vendor.is_empty() {
            found.vendor.clone_from(&self.definition.unit_vendor);
        }
        check(&found)?;
        Ok(Some(found))
    }

    /// Whether two versions of a unit can be there beside each other.
    pub fn keeps_versions(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    /// The ending that the file's name must have for this environment's programs.
    pub fn ending(&self) -> &'static str {
        match self.definition.kind {
            Kind::Opkg => ".ipk",
            Kind::Apk => ".apk",
            Kind::Archive => ".tar.gz",
            Kind::Command => "",
        }
    }

    /// Puts what is in the file in place; `old`: the unit that it takes the place of. Blocks
    /// for as long as the manager works.
    ///
    /// # Errors
    /// Nothing is installed, or what was is still there.
    pub fn install(
        &self,
        file: &Path,
        wanted: &Intent,
        old: Option<&Unit>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        match &self.place {
            Place::Packages(p) => p.install(file, wanted, old),
            Place::Archive(a) => a.install(file, wanted, stopped),
            Place::Vendor(v) => v.install(file, wanted, old),
        }
    }

    /// Takes a unit away; one that is not there is no error.
    pub fn remove(&self, duid: &str) -> Result<(), Failure> {
        match &self.place {
            Place::Packages(p) => p.remove(duid),
            Place::Archive(a) => a.remove(duid),
            Place::Vendor(v) => v.remove(duid),
        }
    }

    /// What is really there.
    ///
    /// # Errors
    /// It cannot be found out; in words.
    pub fn list(&self) -> Result<Vec<Held>, String> {
        match &self.place {
            Place::Packages(p) => p.list(),
            Place::Archive(a) => a.list(),
            Place::Vendor(v) => v.list(),
        }
    }

    /// What is there under this name; `Err`: nobody knows.
    pub fn held(&self, duid: &str) -> Result<Option<Held>, String> {
        let all = self.list()?;
        Ok(all.into_iter().find(|held| held.duid == duid))
    }

    /// More of something that is there, which takes longer to find out.
    pub fn details(&self, held: &mut Held) {
        if let Place::Packages(p) = &self.place {
            p.details(held);
        }
        if held.vendor.is_empty() {
            held.vendor.clone_from(&self.definition.unit_vendor);
        }
    }

    /// The files in which a change without the agent shows, below the root.
    pub fn watched(&self) -> Option<String> {
        match &self.place {
            Place::Packages(p) => Some(p.database().to_owned()),
            Place::Archive(a) => Some(a.dir().to_owned()),
            Place::Vendor(_) => None,
        }
    }

    /// The names of a unit's execution units, and whether each is started by itself.
    pub fn executions(&self, duid: &str) -> Vec<(String, bool)> {
        match &self.place {
            Place::Packages(p) => p.services(duid),
            Place::Archive(a) => a.units(duid),
            Place::Vendor(v) => v.units(duid),
        }
    }

    /// Whether an execution unit runs; `None`: nobody knows.
    pub fn is_running(&self, duid: &str, unit: &str) -> Option<bool> {
        match &self.place {
            Place::Packages(p) => p.runner.ask(&p.argv("running"), unit),
            Place::Archive(a) => a.is_running(duid, unit),
            Place::Vendor(v) => v.runner.ask(&v.runner.commands.status, unit),
        }
    }

    /// Starts (`true`) or stops an execution unit.
    ///
    /// # Errors
    /// In words.
    pub fn switch(&self, duid: &str, unit: &str, on: bool) -> Result<(), String> {
        match &self.place {
            Place::Packages(p) => p
                .runner
                .tell(&p.argv(if on { "start" } else { "stop" }), unit),
            Place::Archive(a) => a.switch(duid, unit, on),
            Place::Vendor(v) => {
                let commands = &v.runner.commands;
                let argv = if on { &commands.start } else { &commands.stop };
                v.runner.tell(argv, unit)
            }
        }
    }

    /// Whether the system starts its execution units at boot; else the agent does.
    pub fn starts_by_itself(&self) -> bool {
        matches!(self.place, Place::Packages(_))
    }

    /// Has the system start an execution unit at boot, or not.
    ///
    /// # Errors
    /// In words.
    pub fn set_auto_start(&self, unit: &str, on: bool) -> Result<(), String> {
        match &self.place {
            Place::Packages(p) => {
                let argv = p.argv(if on { "enable" } else { "disable" });
                p.runner.tell(&argv, unit)
            }
            // The agent starts them itself.
            Place::Archive(_) => Ok(()),
            Place::Vendor(v) => {
                let commands = &v.runner.commands;
                let argv = if on {
                    &commands.enable
                } else {
                    &commands.disable
                };
                match argv {
                    None => Ok(()),
                    argv => v.runner.tell(argv, unit),
                }
            }
        }
    }

    /// KiB that are free where units are installed; `None`: not known.
    pub fn free_disk(&self) -> Option<u64> {
        match &self.place {
            Place::Packages(p) => {
                free(&p.runner.root, "/overlay").or_else(|| free(&p.runner.root, "/"))
            }
            Place::Archive(a) => free(&a.runner.root, a.dir()),
            Place::Vendor(v) => free(&v.runner.root, "/"),
        }
        .map(|bytes| bytes / 1024)
    }
}

/// Bytes that root may use of the file system that a path is on, or the nearest folder above
/// it that is there.
fn free(root: &Root, path: &str) -> Option<u64> {
    let real = root.path(path).ok()?;
    let there = real.ancestors().find(|dir| dir.is_dir())?;
    if path == "/overlay" && there != real {
        return None;
    }
    let found = nix::sys::statvfs::statvfs(there).ok()?;
    // The types differ from target to target.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let (blocks, size) = (
        found.blocks_available() as u64,
        found.fragment_size() as u64,
    );
    Some(blocks.saturating_mul(size))
}

/// Runs the programs of an environment.
#[derive(Debug, Clone)]
struct Runner {
    root: Root,
    commands: Commands,
    timeout: Duration,
}

impl Runner {
    /// The argument lists of [`Commands`] with placeholders put in.
    fn fill(argv: &[String], values: &[(&str, &str)]) -> Vec<String> {
        let fill = |argument: &String| {
            let put = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
            values.iter().fold(argument.clone(), put)
        };
        argv.iter().map(fill).collect()
    }

    fn run(&self, argv: &[String], timeout: Duration, output: Output) -> Result<Vec<u8>, RunError> {
        let root = self.root.dir().to_string_lossy();
        process::run(&Program {
            argv,
            env: &[("CWMP_ROOT", &*root)],
            timeout,
            output,
        })
    }

    /// Runs a command that takes its time.
    fn work(&self, argv: &[String], values: &[(&str, &str)]) -> Result<(), RunError> {
        let argv = Runner::fill(argv, values);
        self.run(&argv, self.timeout, Output::Drop).map(|_| ())
    }

    /// What a program prints.
    fn text(&self, argv: &[String], values: &[(&str, &str)]) -> Result<String, RunError> {
        let argv = Runner::fill(argv, values);
        let bytes = self.run(&argv, self.timeout, Output::Take { cap: OUTPUT })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Starts or stops a unit.
    fn tell(&self, argv: &Option<Vec<String>>, unit: &str) -> Result<(), String> {
        let Some(argv) = argv else {
            return Err("no command for this is named in [[software_modules]]".to_owned());
        };
        let argv = Runner::fill(argv, &[("{unit}", unit)]);
        let ran = self.run(&argv, QUICK, Output::Drop);
        ran.map(|_| ())
            .map_err(|e| format!("{}: {e}", argv.first().map_or("", String::as_str)))
    }

    /// What an exit status says; `None` where there is no such command or it fails otherwise.
    fn ask(&self, argv: &Option<Vec<String>>, unit: &str) -> Option<bool> {
        let argv = Runner::fill(argv.as_ref()?, &[("{unit}", unit)]);
        match self.run(&argv, QUICK, Output::Take { cap: OUTPUT }) {
            Ok(_) => Some(true),
            Err(RunError::Status(_)) => Some(false),
            Err(_) => None,
        }
    }

    /// The real path of one below the root.
    fn real(&self, path: &str) -> Result<PathBuf, String> {
        self.root.path(path).map_err(|e| e.to_string())
    }
}

/// Whether a name can be an argument and a file's name without meaning anything else.
pub fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-~:".contains(&b);
    name.len() <= 64
        && name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}

/// What a file says of itself is bounded and harmless, or it is not taken (9018).
fn check(found: &Intent) -> Result<(), Failure> {
    let refuse = |what: &str| Err(failure(9018, what));
    if !is_plain(&found.duid) || !is_plain(&found.name) {
        return refuse("the name in the file is none: letters, digits and ._+-~: are, at most 64");
    }
    if !is_plain(&found.version) || found.version.len() > 32 {
        return refuse("the version in the file is none: at most 32 letters, digits and ._+-~:");
    }
    let bad =
        |text: &str, most: usize| text.chars().count() > most || text.chars().any(char::is_control);
    if bad(&found.vendor, 128) || bad(&found.description, 256) {
        return refuse("vendor or description in the file are too long or hold control characters");
    }
    Ok(())
}
