//! The system's package manager: opkg or apk, run by argv.
//!
//! The file was fetched and looked at before; the manager is given its path. What is
//! installed afterwards is what the manager's own database says, never its exit status.

use super::database::{self, domain, field};
use super::{Commands, Definition, Held, Kind, Runner, Surroundings, free, ipk};
use crate::process::RunError;
use crate::store::{Disk, RealDisk};
use crate::transfer::archive::Limits;
use crate::transfer::software::record::{Intent, Unit};
use crate::transfer::software::{Failure, failure};
use std::io;
use std::path::Path;

/// Where apk may be.
pub(super) const APK: [&str; 2] = ["/usr/bin/apk", "/sbin/apk"];
/// Largest database that is read, bytes.
const MAX_DATABASE: u64 = 16 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Packages {
    pub runner: Runner,
    apk: bool,
    keep_free: u64,
    limits: Limits,
}

impl Packages {
    pub fn new(definition: &Definition, mut runner: Runner, around: &Surroundings) -> Packages {
        let apk = definition.kind == Kind::Apk;
        if around.root.is_system() {
            defaults(&mut runner.commands, apk);
        }
        Packages {
            runner,
            apk,
            keep_free: around.keep_free,
            limits: Limits {
                total: around.unpacked,
                ..Limits::default()
            },
        }
    }

    /// Where the manager writes down what is installed.
    pub fn database(&self) -> &'static str {
        match self.apk {
            true => "/lib/apk/db/installed",
            false => "/usr/lib/opkg/status",
        }
    }

    /// The argument list for this word of an init script.
    pub fn argv(&self, word: &str) -> Option<Vec<String>> {
        let commands = &self.runner.commands;
        match word {
            "start" => commands.start.clone(),
            "stop" => commands.stop.clone(),
            "enable" => commands.enable.clone(),
            "disable" => commands.disable.clone(),
            "enabled" => commands.enabled.clone(),
            _ => commands.status.clone(),
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        match self.runner.root.read(path, MAX_DATABASE) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(e) => Err(format!("{path}: {e}")),
        }
    }

    pub fn list(&self) -> Result<Vec<Held>, String> {
        let text = self.read(self.database())?;
        match self.apk {
            true => Ok(database::apk(&text, &self.read("/etc/apk/world")?)),
            false => Ok(database::opkg(&text)),
        }
    }

    pub fn inspect(&self, file: &Path, url: &str) -> Result<Option<Intent>, Failure> {
        match self.apk {
            true => self.inspect_apk(file, url),
            false => {
                let control = ipk::control(file, self.limits)?;
                Ok(control.map(|text| of_control(&text)))
            }
        }
    }

    fn inspect_apk(&self, file: &Path, url: &str) -> Result<Option<Intent>, Failure> {
        if !is_apk(file) {
            return Ok(None);
        }
        let path = file.to_string_lossy();
        let values = [("{file}", &*path)];
        let commands = &self.runner.commands;
        if let Some(argv) = &commands.inspect {
            match self.runner.text(argv, &values) {
                Ok(_) => {}
                Err(RunError::Status(_)) => {
                    return Err(failure(9018, "apk finds the package damaged"));
                }
                Err(e) => return Err(failure(9001, &format!("apk: {e}"))),
            }
        }
        let Some(argv) = &commands.simulate else {
            return Err(failure(
                9001,
                "no `simulate` is named in [[software_modules]]",
            ));
        };
        let text = self.runner.text(argv, &values).map_err(|e| {
            failure(9001, &format!("apk does not take the package, it may depend on others that are not there: it {e}"))
        })?;
        let stem = url.split(['?', '#']).next().unwrap_or_default();
        let stem = stem.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".apk").unwrap_or(stem);
        let found = database::simulated(&text, stem).or_else(|| {
            // Nothing to do: it is installed as it is.
            let all = self.list().unwrap_or_default();
            let same = all
                .into_iter()
                .find(|h| format!("{}-{}", h.name, h.version) == stem);
            same.map(|h| (h.name, h.version))
        });
        let Some((name, version)) = found else {
            let what = "apk does not tell what is in the package; its file's name should be NAME-VERSION.apk";
            return Err(failure(9001, what));
        };
        Ok(Some(Intent {
            duid: name.clone(),
            name,
            vendor: String::new(),
            version,
            description: String::new(),
        }))
    }

    pub fn install(&self, file: &Path, wanted: &Intent, old: Option<&Unit>) -> Result<(), Failure> {
        if !self.apk
            && let Some(control) = ipk::control(file, self.limits)?
            && let Some(size) =
                field(&control, "Installed-Size").and_then(|s| s.parse::<u64>().ok())
            && let Some(there) =
                free(&self.runner.root, "/overlay").or_else(|| free(&self.runner.root, "/"))
            && size.saturating_add(self.keep_free) > there
        {
            let what = format!("no space: the package needs {size} bytes, {there} are free");
            return Err(failure(9027, &what));
        }
        let commands = &self.runner.commands;
        let update = commands.update.as_ref().filter(|_| old.is_some());
        let Some(argv) = update.or(commands.install.as_ref()) else {
            return Err(failure(
                9001,
                "no `install` is named in [[software_modules]]",
            ));
        };
        let path = file.to_string_lossy();
        let values = [
            ("{file}", &*path),
            ("{name}", &wanted.name),
            ("{version}", &wanted.version),
        ];
        let ran = self.runner.work(argv, &values);
        let held = self.list().map_err(|e| failure(9001, &e))?;
        let held = held.into_iter().find(|h| h.duid == wanted.duid);
        if held.is_some_and(|h| h.version == wanted.version) {
            if let Err(e) = ran {
                log::warn!("{}: installed, but the package manager {e}", wanted.name);
            }
            return Ok(());
        }
        let manager = if self.apk { "apk" } else { "opkg" };
        Err(match ran {
            Err(e) => failure(
                9001,
                &format!(
                    "{manager} does not install the package, it may depend on others that are not there: it {e}"
                ),
            ),
            Ok(()) => failure(9001, &format!("{manager} has not installed the package")),
        })
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let is_there = || -> Result<bool, Failure> {
            let held = self.list().map_err(|e| failure(9001, &e))?;
            Ok(held.iter().any(|h| h.duid == name))
        };
        if !is_there()? {
            return Ok(());
        }
        let Some(argv) = &self.runner.commands.remove else {
            return Err(failure(
                9001,
                "no `remove` is named in [[software_modules]]",
            ));
        };
        let ran = self.runner.work(argv, &[("{name}", name)]);
        match (is_there()?, ran) {
            (false, _) => Ok(()),
            (true, Err(e)) => Err(failure(
                9001,
                &format!(
                    "the package manager does not take the package away, others may depend on it: it {e}"
                ),
            )),
            (true, Ok(())) => Err(failure(
                9001,
                "the package is still there: others may depend on it",
            )),
        }
    }

    /// More of what is installed: what opkg keeps of a package's control file.
    pub fn details(&self, held: &mut Held) {
        if self.apk {
            return;
        }
        let path = format!("/usr/lib/opkg/info/{}.control", held.duid);
        let control = self.read(&path).unwrap_or_default();
        let of = of_control(&control);
        (held.vendor, held.description) = (of.vendor, of.description);
    }

    /// Its init scripts, and whether they are started at boot.
    pub fn services(&self, name: &str) -> Vec<(String, bool)> {
        let services = match self.apk {
            true => {
                let text = self.read(self.database()).unwrap_or_default();
                database::apk_services(&text, name)
            }
            false => {
                let list = self.read(&format!("/usr/lib/opkg/info/{name}.list"));
                database::opkg_services(&list.unwrap_or_default())
            }
        };
        let enabled = self.argv("enabled");
        let told = |service: String| {
            let on = self.runner.ask(&enabled, &service).unwrap_or(true);
            (service, on)
        };
        services.into_iter().take(32).map(told).collect()
    }
}

fn of_control(text: &str) -> Intent {
    let value = |name: &str| field(text, name).unwrap_or_default().to_owned();
    let name = value("Package");
    let vendor = domain(&value("Maintainer")).unwrap_or_default().to_owned();
    let description: String = value("Description").chars().take(256).collect();
    Intent {
        duid: name.clone(),
        name,
        vendor,
        version: value("Version"),
        description: description.replace(char::is_control, " "),
    }
}

/// Whether a file begins as apk packages do: `ADB` (version 3), or gzip whose first entry is
/// a signature or `.PKGINFO` (version 2).
fn is_apk(file: &Path) -> bool {
    use crate::transfer::archive::Reader;
    let begin = std::fs::File::open(file).and_then(|mut file| {
        let mut begin = [0; 3];
        io::Read::read_exact(&mut file, &mut begin).map(|()| begin)
    });
    if begin.is_ok_and(|begin| begin == *b"ADB") {
        return true;
    }
    let Ok(mut reader) = Reader::open(file, Limits::default()) else {
        return false;
    };
    let first = reader.next().ok().flatten();
    first.is_some_and(|e| e.name == ".PKGINFO" || e.name.starts_with(".SIGN."))
}

/// The commands of OpenWrt where agent.toml says nothing.
fn defaults(commands: &mut Commands, apk: bool) {
    let argv = |words: &[&str]| Some(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    let or = |place: &mut Option<Vec<String>>, words: &[&str]| {
        if place.is_none() {
            *place = argv(words);
        }
    };
    match apk {
        false => {
            or(&mut commands.install, &["/bin/opkg", "install", "{file}"]);
            or(&mut commands.remove, &["/bin/opkg", "remove", "{name}"]);
        }
        true => {
            let there = APK
                .into_iter()
                .find(|path| RealDisk.stat(Path::new(path)).is_ok());
            let apk = there.unwrap_or(APK[0]);
            let quiet = "--no-network";
            let untrusted = "--allow-untrusted";
            or(&mut commands.inspect, &[apk, "verify", untrusted, "{file}"]);
            or(
                &mut commands.simulate,
                &[apk, "add", "--simulate", untrusted, quiet, "{file}"],
            );
            or(&mut commands.install, &[apk, "add", untrusted, "{file}"]);
            or(&mut commands.remove, &[apk, "del", "{name}"]);
        }
    }
    for (place, word) in [
        (&mut commands.start, "start"),
        (&mut commands.stop, "stop"),
        (&mut commands.status, "running"),
        (&mut commands.enable, "enable"),
        (&mut commands.disable, "disable"),
        (&mut commands.enabled, "enabled"),
    ] {
        or(place, &["/etc/init.d/{unit}", word]);
    }
}
