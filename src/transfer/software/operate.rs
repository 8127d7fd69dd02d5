//! Operations carried out, one after the other: fetched, looked at, held against the rules,
//! put in place (TR-069 A.4.1.10).
//!
//! The register is locked for moments only, never while a file comes or a program runs.
//!
//! ```text
//! begin ─> fetch ─> inspect ─> rules ─> intend ─> install, remove ─> finish
//!            └────────────┴───────┴─ fault: nothing is changed ────────^
//! ```

use super::environment::{Environment, Environments};
use super::record::{Execution, ExecutionFault, Intent, Paths, Status, Target, Unit, Wish};
use super::registry::{Condition, Done, Job, Registry};
use super::{Failure, failure, uuid, version};
use crate::cwmp::message::TransferFault;
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the agent does for an operation.
pub trait Carrier {
    /// Fetches a file. Its folder is there.
    ///
    /// # Errors
    /// 9012, 9013, 9015 to 9018, 9010.
    fn fetch(
        &self,
        url: &str,
        username: &str,
        password: &str,
        into: &Path,
    ) -> Result<(), TransferFault>;

    /// Whether the agent ends.
    fn is_stopped(&self) -> bool;

    /// Unix seconds; 0 while the clock is not set.
    fn now(&self) -> i64;

    /// What an environment is at this moment.
    fn condition(&self, environment: &str) -> Condition;

    /// The paths of the rows of a unit and its execution units. The register is not locked.
    fn paths(&self, unit: &Unit) -> Paths;

    /// Lets a program act on the box, while nothing else does.
    fn act(&self, act: &mut dyn FnMut());

    /// The register has changed: what it shows is to be published.
    fn changed(&self);
}

/// See the module.
pub struct Operator<'a> {
    pub registry: &'a Mutex<Registry>,
    pub environments: &'a Environments,
    pub carrier: &'a dyn Carrier,
    /// Where files are fetched into; made where it is not there, emptied when one is done.
    pub folder: &'a Path,
}

impl<'a> Operator<'a> {
    pub(super) fn registry(&self) -> MutexGuard<'a, Registry> {
        // Every change of it leaves it whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out the next operation; `false`: there is none that may begin.
    pub fn next(&self) -> bool {
        if self.carrier.is_stopped() {
            return false;
        }
        let condition = |name: &str| self.carrier.condition(name);
        let job = self.registry().begin(self.carrier.now(), &condition);
        let Some(job) = job else {
            // Some may have ended without being begun.
            self.carrier.changed();
            return false;
        };
        if let Some(unit) = &job.unit {
            let paths = self.carrier.paths(unit);
            self.registry().keep_paths(&job, paths);
        }
        log::info!("software modules: {:?}", job.wish);
        let result = match &job.wish {
            Wish::Install { .. } => self.install(&job),
            Wish::Update { .. } => self.update(&job),
            Wish::Uninstall { .. } => self.uninstall(&job),
        };
        if let Err(e) = fs::remove_dir_all(self.folder)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!("{}: {e}", self.folder.display());
        }
        if result.is_err() && self.carrier.is_stopped() {
            self.registry().put_back(&job);
            return false;
        }
        match &result {
            Ok(_) => log::info!("software modules: {:?} is done", job.wish),
            Err(fault) => log::warn!("software modules: {:?} failed: {fault}", job.wish),
        }
        self.registry().finish(&job, self.carrier.now(), result);
        self.carrier.changed();
        true
    }

    fn environment(&self, name: &str) -> Result<&'a Environment, Failure> {
        self.environments
            .get(name)
            .ok_or_else(|| failure(9023, &format!("there is no execution environment {name}")))
    }

    /// Fetches a file, to be looked at by the named environment, or by all that are enabled;
    /// the first that it is for.
    fn fetch(
        &self,
        url: &str,
        (username, password): (&str, &str),
        named: Option<&'a Environment>,
    ) -> Result<(PathBuf, &'a Environment, Intent), Failure> {
        let disk = |e: std::io::Error| failure(9027, &format!("{}: {e}", self.folder.display()));
        match fs::create_dir(self.folder) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(disk(e)),
            _ => {}
        }
        let environments = match named {
            Some(named) => vec![named],
            None => self.enabled(),
        };
        let mut file = self.folder.join("module");
        self.carrier.fetch(url, username, password, &file)?;
        let mut look = |environment: &'a Environment| -> Result<Option<Intent>, Failure> {
            // Package managers go by it.
            let called = self.folder.join(format!("module{}", environment.ending()));
            fs::rename(&file, &called).map_err(disk)?;
            file = called;
            environment.inspect(&file, url)
        };
        for environment in &environments {
            if let Some(found) = look(environment)? {
                return Ok((file, environment, found));
            }
        }
        let others = self.environments.iter();
        let asked = |other: &&Environment| environments.iter().any(|e| e.name() == other.name());
        for other in others.filter(|e| !asked(e)) {
            if let Ok(Some(_)) = look(other) {
                let name = other.name();
                return Err(match self.carrier.condition(name) {
                    Condition::Disabled if named.is_none() => {
                        let what = "the execution environment for this file is disabled";
                        failure(9024, &format!("{what}: {name}"))
                    }
                    _ => {
                        let what = "the file is for another execution environment";
                        failure(9025, &format!("{what}: {name}"))
                    }
                });
            }
        }
        Err(failure(
            9018,
            "the file is damaged, or for no execution environment of this device",
        ))
    }

    fn enabled(&self) -> Vec<&'a Environment> {
        let all = self.environments.iter();
        all.filter(|e| self.carrier.condition(e.name()) == Condition::Enabled)
            .collect()
    }

    fn install(&self, job: &Job) -> Result<Done, Failure> {
        let Wish::Install {
            url,
            uuid: given,
            username,
            password,
            target,
        } = &job.wish
        else {
            return Err(failure(9003, "this is no Install"));
        };
        if let (Some(unit), Some(intent)) = (&job.unit, &job.intent) {
            let environment = self.environment(&unit.environment)?;
            if self.is_in_place(environment, intent) {
                return Ok(self.settle(environment, unit.clone(), intent));
            }
        }
        let named = match target {
            Target::Named(name) => Some(self.environment(name)?),
            _ => None,
        };
        let credentials = (username.as_str(), password.as_str());
        let (file, environment, found) = self.fetch(url, credentials, named)?;
        let uuid = match given.as_str() {
            "" => uuid::of_unit(&found.name, &found.vendor),
            given => given.to_owned(),
        };
        let known = |fault: Failure| Failure {
            version: Some(found.version.clone()),
            uuid: Some(uuid.clone()),
            ..fault
        };
        let is_same = |unit: &Unit| {
            let same = uuid::same(&unit.uuid, &uuid);
            unit.environment == environment.name()
                && Some(unit.id) != job.unit.as_ref().map(|own| own.id)
                && (unit.duid == found.duid
                    || same && (!environment.keeps_versions() || unit.version == found.version))
        };
        if let Some(unit) = self.registry().units().iter().find(|u| is_same(u)) {
            return Err(known(failure(
                9026,
                &format!("{} {} is installed already", unit.name, unit.version),
            )));
        }
        let unit = Unit {
            id: job.unit.as_ref().map_or(0, |unit| unit.id),
            uuid: uuid.clone(),
            environment: environment.name().to_owned(),
            duid: found.duid.clone(),
            name: found.name.clone(),
            vendor: found.vendor.clone(),
            version: found.version.clone(),
            description: found.description.clone(),
            url: url.clone(),
            status: Status::Installing,
            resolved: false,
            installed: 0,
            updated: 0,
            executions: Vec::new(),
        };
        let unit = self.intend(job, unit, Some(found.clone())).map_err(known)?;
        self.put_in_place(environment, &file, &found, None)
            .map_err(known)?;
        Ok(self.settle(environment, unit, &found))
    }

    fn intend(&self, job: &Job, unit: Unit, intent: Option<Intent>) -> Result<Unit, Failure> {
        let unit = self.registry().intend(job, unit, intent)?;
        self.carrier.changed();
        Ok(unit)
    }

    fn put_in_place(
        &self,
        environment: &Environment,
        file: &Path,
        found: &Intent,
        old: Option<&Unit>,
    ) -> Result<(), Failure> {
        let stopped = || self.carrier.is_stopped();
        let mut done = Err(failure(9001, "the operation was not carried out"));
        self.carrier
            .act(&mut || done = environment.install(file, found, old, &stopped));
        done
    }

    fn take_away(&self, environment: &Environment, duid: &str) -> Result<(), Failure> {
        let mut done = Err(failure(9001, "the operation was not carried out"));
        self.carrier.act(&mut || done = environment.remove(duid));
        done
    }

    /// Whether what was to be put in place is there.
    fn is_in_place(&self, environment: &Environment, intent: &Intent) -> bool {
        let held = environment.held(&intent.duid).ok().flatten();
        held.is_some_and(|held| held.version == intent.version)
    }

    /// The files are in place: the unit as it is now, its execution units started.
    fn settle(&self, environment: &Environment, mut unit: Unit, found: &Intent) -> Done {
        let now = self.carrier.now();
        let was_installed = unit.status == Status::Updating;
        unit.duid.clone_from(&found.duid);
        unit.version.clone_from(&found.version);
        if !found.description.is_empty() {
            unit.description.clone_from(&found.description);
        }
        unit.status = Status::Installed;
        // A program that does not list what there is has said that it is done.
        unit.resolved = match environment.held(&unit.duid) {
            Ok(held) => held.is_some_and(|held| held.resolved),
            Err(_) => true,
        };
        match was_installed {
            true => unit.updated = now,
            false => unit.installed = now,
        }
        let before = std::mem::take(&mut unit.executions);
        unit.executions = self.executions(environment, &unit, &before);
        for execution in &mut unit.executions {
            let known = before.iter().find(|e| e.name == execution.name);
            let wanted = known.map_or(execution.auto_start, |known| known.requested);
            execution.requested = wanted;
            start_again(environment, &unit.duid, execution, wanted);
        }
        Done::Installed(Box::new(unit))
    }

    /// The execution units of a deployment unit; those of the same names keep what was asked
    /// of them.
    pub(super) fn executions(
        &self,
        environment: &Environment,
        unit: &Unit,
        before: &[Execution],
    ) -> Vec<Execution> {
        let taken: Vec<String> = {
            let registry = self.registry();
            let others = registry.units().iter().filter(|u| u.id != unit.id);
            others
                .flat_map(|u| u.executions.iter().map(|e| e.euid.clone()))
                .collect()
        };
        let mut all: Vec<Execution> = Vec::new();
        for (name, auto_start) in environment.executions(&unit.duid) {
            if let Some(known) = before.iter().find(|e| e.name == name) {
                all.push(known.clone());
                continue;
            }
            let mut euid = format!("{}:{}", environment.name(), unit.name);
            if name != unit.name {
                euid = format!("{euid}:{name}");
            }
            let is_taken =
                |euid: &String| taken.contains(euid) || all.iter().any(|e| e.euid == *euid);
            if euid.len() > 64 || is_taken(&euid) {
                euid = format!("{}:{}:{}", environment.name(), unit.id, all.len() + 1);
            }
            all.push(Execution {
                euid,
                name,
                running: false,
                requested: auto_start,
                auto_start,
                fault: ExecutionFault::NoFault,
                message: String::new(),
            });
        }
        all
    }

    fn update(&self, job: &Job) -> Result<Done, Failure> {
        let Wish::Update {
            version: from,
            url: given,
            username,
            password,
            ..
        } = &job.wish
        else {
            return Err(failure(9003, "this is no Update"));
        };
        if let (Some(unit), Some(intent)) = (&job.unit, &job.intent) {
            let environment = self.environment(&unit.environment)?;
            if self.is_in_place(environment, intent) {
                return self.replaced(environment, unit, intent);
            }
        }
        let credentials = (username.as_str(), password.as_str());
        let (unit, file, environment, found) = match &job.unit {
            Some(unit) => {
                let environment = self.environment(&unit.environment)?;
                if unit.status != Status::Installed
                    && !(job.again && unit.status == Status::Updating)
                {
                    let what = format!("the deployment unit is {}", unit.status.name());
                    return Err(failure(9029, &what));
                }
                let url = if given.is_empty() { &unit.url } else { given };
                if url.is_empty() {
                    let what = "the deployment unit was not installed from a URL; name one";
                    return Err(failure(9001, what));
                }
                let (file, environment, found) = self.fetch(url, credentials, Some(environment))?;
                (unit.clone(), file, environment, found)
            }
            None => {
                let (file, environment, found) = self.fetch(given, credentials, None)?;
                let unit = self.unit_in(environment, &found, from)?;
                (unit, file, environment, found)
            }
        };
        if found.name != unit.name {
            let what = format!("the file holds {}, not {}", found.name, unit.name);
            return Err(failure(9003, &what));
        }
        let is_there = |other: &Unit| {
            other.environment == unit.environment
                && uuid::same(&other.uuid, &unit.uuid)
                && version::compare(&other.version, &found.version).is_eq()
        };
        let exists = self.registry().units().iter().any(is_there);
        let what = format!("{} {} is installed", unit.name, unit.version);
        match version::compare(&found.version, &unit.version) {
            _ if exists => {
                return Err(failure(
                    9032,
                    &format!("{} is there already", found.version),
                ));
            }
            Ordering::Equal => return Err(failure(9032, &what)),
            Ordering::Less => {
                let what = format!("{what}, {} is older", found.version);
                return Err(failure(9030, &what));
            }
            Ordering::Greater => {}
        }
        let mut marked = unit.clone();
        marked.status = Status::Updating;
        if !given.is_empty() {
            marked.url.clone_from(given);
        }
        let marked = self.intend(job, marked, Some(found.clone()))?;
        match self.put_in_place(environment, &file, &found, Some(&unit)) {
            Ok(()) => self.replaced(environment, &marked, &found),
            Err(fault) => {
                let gone = matches!(environment.held(&unit.duid), Ok(None));
                Err(Failure { gone, ..fault })
            }
        }
    }

    /// The new version is in place: the old one goes, and what ran runs again.
    fn replaced(
        &self,
        environment: &Environment,
        unit: &Unit,
        found: &Intent,
    ) -> Result<Done, Failure> {
        if unit.duid != found.duid {
            for execution in &unit.executions {
                if let Err(e) = environment.switch(&unit.duid, &execution.name, false) {
                    log::warn!("{}: {e}", execution.euid);
                }
            }
            self.take_away(environment, &unit.duid)?;
        }
        Ok(self.settle(environment, unit.clone(), found))
    }

    /// The unit that a file of this environment is a version of.
    fn unit_in(
        &self,
        environment: &Environment,
        found: &Intent,
        from: &str,
    ) -> Result<Unit, Failure> {
        let uuid = uuid::of_unit(&found.name, &found.vendor);
        let registry = self.registry();
        let fits = |unit: &&Unit| {
            unit.environment == environment.name()
                && (uuid::same(&unit.uuid, &uuid) || unit.name == found.name)
                && (from.is_empty() || unit.version == from)
        };
        let mut units = registry.units().iter().filter(fits);
        match (units.next(), units.next()) {
            (Some(unit), None) => Ok(unit.clone()),
            (None, _) => Err(failure(9028, "there is no such deployment unit")),
            (Some(_), Some(_)) => Err(failure(
                9031,
                "several versions of the unit are installed; name the one to update",
            )),
        }
    }

    fn uninstall(&self, job: &Job) -> Result<Done, Failure> {
        let Some(unit) = &job.unit else {
            return Err(failure(9028, "there is no such deployment unit"));
        };
        let environment = self.environment(&unit.environment)?;
        if !matches!(unit.status, Status::Installed | Status::Uninstalling) && !job.again {
            let what = format!("the deployment unit is {}", unit.status.name());
            return Err(failure(9029, &what));
        }
        let mut marked = unit.clone();
        marked.status = Status::Uninstalling;
        self.intend(job, marked, None)?;
        for execution in unit.executions.iter().filter(|e| e.running) {
            if let Err(e) = environment.switch(&unit.duid, &execution.name, false) {
                log::warn!("{}: {e}", execution.euid);
            }
        }
        let Err(fault) = self.take_away(environment, &unit.duid) else {
            return Ok(Done::Uninstalled);
        };
        match environment.held(&unit.duid) {
            Ok(None) => Ok(Done::Uninstalled),
            Ok(Some(_)) => {
                for execution in unit.executions.iter().filter(|e| e.running) {
                    let started = environment.switch(&unit.duid, &execution.name, true);
                    started.unwrap_or_else(|e| log::warn!("{}: {e}", execution.euid));
                }
                Err(Failure {
                    whole: true,
                    ..fault
                })
            }
            Err(_) => Err(fault),
        }
    }
}

/// Starts an execution unit where it is to run, and notes how it is. (A package manager has
/// started what it installed already.)
fn start_again(environment: &Environment, duid: &str, execution: &mut Execution, wanted: bool) {
    let running = environment.is_running(duid, &execution.name);
    (execution.fault, execution.message) = Default::default();
    execution.running = running.unwrap_or(false);
    if execution.running == wanted {
        return;
    }
    match environment.switch(duid, &execution.name, wanted) {
        Ok(()) => {
            let running = environment.is_running(duid, &execution.name);
            execution.running = running.unwrap_or(wanted);
        }
        Err(e) if wanted => {
            execution.fault = ExecutionFault::FailureOnStart;
            execution.message = short(&e);
        }
        Err(e) => {
            execution.fault = ExecutionFault::FailureOnStop;
            execution.message = short(&e);
        }
    }
}

/// No longer than ExecutionFaultMessage may be.
pub(super) fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).take(256).collect()
}
