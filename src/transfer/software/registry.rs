//! The register of software modules: which units there are, which requests of the ACS wait,
//! how far each operation has come, and what is to be told (TR-069 A.4.1.10, A.4.2.3).
//!
//! On disk before anything that it promises: a request before its response leaves, an
//! operation before it begins, what it is about to put in place before that happens, and its
//! result before anything else. It carries nothing out itself ([`operate`](super::operate)
//! does), reads no clock and opens no file but its own.

mod tell;

pub use tell::{Told, paths_of};

use super::operate::short;
use super::record::{
    Change, Ended, Intent, Paths, Request, Saved, State, Status, Step, Target, Unit, Wish,
};
use super::{Failure, failure, uuid};
use crate::cwmp::message::Operation;
use crate::store::state::StateDir;
use std::collections::{BTreeMap, BTreeSet};

/// The state file.
const FILE: &str = "software";
/// Requests that wait, run or are not told yet.
pub const MAX_REQUESTS: usize = 16;
/// Operations of all of them together, and deployment units.
pub const MAX_OPERATIONS: usize = 256;
/// See [`MAX_OPERATIONS`].
pub const MAX_UNITS: usize = 256;
/// What is to be told of changes without the ACS; the oldest go first.
const MAX_CHANGES: usize = 128;
/// An operation that was interrupted is begun again until it was tried so often.
pub const MAX_TRIES: u32 = 3;

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// Too much waits already (9004).
    Full,
    /// It cannot be written (9002).
    Disk,
}

/// An operation to be carried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub request: u32,
    /// Its place in the request.
    pub step: usize,
    pub wish: Wish,
    /// The unit that is to be updated or taken away; that an interrupted installation made.
    pub unit: Option<Unit>,
    /// What an interrupted one was about to put in place.
    pub intent: Option<Intent>,
    /// It was begun before and interrupted.
    pub again: bool,
}

/// How an operation went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The unit as it is now.
    Installed(Box<Unit>),
    Uninstalled,
}

/// A table with rows that results name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    DeploymentUnit,
    ExecutionUnit,
}

/// The path of the row with this key, where there is one.
pub type Lookup<'a> = dyn FnMut(Table, &str) -> Option<String> + 'a;

/// What an environment is, as far as the register has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Unknown,
    Disabled,
    Enabled,
}

/// See the module.
pub struct Registry {
    state: StateDir,
    saved: Saved,
    /// The disk has refused the last write: it may hold what is not so.
    unsaved: bool,
}

impl Registry {
    /// What is on disk; requests that were taken before may be carried out.
    pub fn load(state: &StateDir) -> Registry {
        let mut saved: Saved = state.load(FILE).unwrap_or_default();
        for request in &mut saved.requests {
            request.free = true;
        }
        Registry {
            state: state.clone(),
            saved,
            unsaved: false,
        }
    }

    /// All deployment units.
    pub fn units(&self) -> &[Unit] {
        &self.saved.units
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.saved == Saved::default()
    }

    /// Tries once more to write what the disk has refused; tells whether all is on it.
    pub fn keep(&mut self) -> bool {
        !self.unsaved || self.save()
    }

    fn save(&mut self) -> bool {
        const WHAT: &str = "what is to be done with software modules";
        let kept = self.state.save_or_warn(FILE, &self.saved, WHAT);
        self.unsaved = !kept;
        kept
    }

    fn next(&mut self) -> u32 {
        // 32 bits of units and requests outlive any flash.
        self.saved.next = self.saved.next.wrapping_add(1);
        self.saved.next
    }

    /// Takes a request; on disk when this is `Ok`. `target` tells what an ExecutionEnvRef
    /// names.
    pub fn accept(
        &mut self,
        operations: &[Operation],
        command_key: &str,
        mut target: impl FnMut(&str) -> Target,
    ) -> Result<(), NotKept> {
        let waiting: usize = self.saved.requests.iter().map(|r| r.steps.len()).sum();
        if self.saved.requests.len() >= MAX_REQUESTS || waiting + operations.len() > MAX_OPERATIONS
        {
            return Err(NotKept::Full);
        }
        let before = self.saved.clone();
        let id = self.next();
        let steps = operations
            .iter()
            .map(|o| Step::new(Wish::of(o, &mut target)));
        self.saved.requests.push(Request {
            id,
            command_key: command_key.to_owned(),
            free: false,
            steps: steps.collect(),
            refusals: 0,
        });
        if self.save() {
            return Ok(());
        }
        // A write that failed late may have left what is refused now in place.
        self.saved = before;
        self.save();
        Err(NotKept::Disk)
    }

    /// No session is under way: what it asked for may begin. What the disk has refused is
    /// written again.
    pub fn session_ended(&mut self) {
        if self.unsaved {
            self.save();
        }
        for request in &mut self.saved.requests {
            request.free = true;
        }
    }

    /// Whether an operation may begin.
    pub fn has_work(&self) -> bool {
        self.waiting().is_some()
    }

    fn waiting(&self) -> Option<(usize, usize)> {
        let open = |request: &Request| request.steps.iter().position(|s| s.ended.is_none());
        let mut requests = self.saved.requests.iter().enumerate();
        requests.find_map(|(at, r)| Some((at, open(r).filter(|_| r.free)?)))
    }

    /// The next operation, on disk as begun. One that cannot be carried out has ended, with
    /// its fault, when this returns; one that is about several units has become several.
    pub fn begin(&mut self, now: i64, environment: &dyn Fn(&str) -> Condition) -> Option<Job> {
        loop {
            let (at, step) = self.waiting()?;
            let chosen = self.choose(at, step, environment);
            let request = self.saved.requests.get_mut(at)?;
            let id = request.id;
            let current = request.steps.get_mut(step)?;
            if current.started == 0 {
                current.started = now;
            }
            let refused = match chosen {
                Err(refused) => Some(refused),
                Ok(_) if current.tries >= MAX_TRIES => Some(failure(
                    9001,
                    "the operation was interrupted more often than it is tried",
                )),
                Ok(units) => {
                    if let Some((first, others)) = units.split_first() {
                        current.unit = Some(*first);
                        let copies: Vec<Step> = others
                            .iter()
                            .map(|unit| Step {
                                unit: Some(*unit),
                                ..Step::new(current.wish.clone())
                            })
                            .collect();
                        let after = step + 1;
                        request.steps.splice(after..after, copies);
                    }
                    None
                }
            };
            let current = request.steps.get_mut(step)?;
            let job = Job {
                request: id,
                step,
                wish: current.wish.clone(),
                unit: current
                    .unit
                    .and_then(|id| unit(&self.saved.units, id))
                    .cloned(),
                intent: current.intent.clone(),
                again: current.tries > 0,
            };
            match refused {
                Some(fault) => self.finish(&job, now, Err(fault)),
                None => {
                    current.running = true;
                    current.tries += 1;
                    self.save();
                    return Some(job);
                }
            }
        }
    }

    /// The units that a step is about; none for an installation, and where only the file
    /// tells.
    fn choose(
        &self,
        request: usize,
        step: usize,
        environment: &dyn Fn(&str) -> Condition,
    ) -> Result<Vec<u32>, Failure> {
        let Some(step) = self
            .saved
            .requests
            .get(request)
            .and_then(|r| r.steps.get(step))
        else {
            return Ok(Vec::new());
        };
        let named = step.wish.uuid();
        if !named.is_empty() && !uuid::is_valid(named) {
            let what = "the UUID is not of the form 8-4-4-4-12 hexadecimal digits";
            return Err(failure(9022, what));
        }
        let enabled = |name: &str| match environment(name) {
            Condition::Enabled => Ok(()),
            Condition::Disabled => Err(failure(
                9024,
                &format!("the execution environment {name} is disabled"),
            )),
            Condition::Unknown => Err(failure(
                9023,
                &format!("there is no execution environment {name}"),
            )),
        };
        let of_target = |target: &Target| match target {
            Target::Any => Ok(None),
            Target::Named(name) => enabled(name).map(|()| Some(name.clone())),
            Target::Unknown(text) => Err(failure(
                9023,
                &format!("there is no execution environment {text}"),
            )),
        };
        let units = || self.saved.units.iter();
        let found: Vec<&Unit> = match &step.wish {
            Wish::Install { target, .. } => return of_target(target).map(|_| Vec::new()),
            _ if step.unit.is_some() => {
                let known = step.unit.and_then(|id| unit(&self.saved.units, id));
                match known {
                    Some(unit) => vec![unit],
                    None => return Err(unknown_unit()),
                }
            }
            Wish::Update {
                uuid: given,
                version,
                url,
                ..
            } => {
                let all: Vec<&Unit> = match (given.as_str(), url.as_str()) {
                    ("", "") => units().collect(),
                    ("", url) => units().filter(|u| u.url == url).collect(),
                    (given, _) => units().filter(|u| uuid::same(&u.uuid, given)).collect(),
                };
                let version = |u: &&Unit| version.is_empty() || u.version == *version;
                let some: Vec<&Unit> = all.into_iter().filter(version).collect();
                if some.is_empty() && given.is_empty() && !url.is_empty() {
                    // What the file holds tells which unit it is.
                    return Ok(Vec::new());
                }
                let mut places = BTreeSet::new();
                let mut names = some.iter().map(|u| u.environment.as_str());
                let each_once = names.all(|name| places.insert(name));
                if !given.is_empty() && !each_once {
                    let what = "several versions of the unit are installed; name the one to update";
                    return Err(failure(9031, what));
                }
                some
            }
            Wish::Uninstall {
                uuid: given,
                version,
                target,
            } => {
                let target = of_target(target)?;
                let fits = |u: &&Unit| {
                    uuid::same(&u.uuid, given)
                        && (version.is_empty() || u.version == *version)
                        && target.as_ref().is_none_or(|name| u.environment == *name)
                };
                units().filter(fits).collect()
            }
        };
        match found.as_slice() {
            [] => Err(unknown_unit()),
            [one] => enabled(&one.environment).map(|()| vec![one.id]),
            // Each is looked at when its turn comes.
            several => Ok(several.iter().map(|u| u.id).collect()),
        }
    }

    fn step(&mut self, job: &Job) -> Option<&mut Step> {
        let mut requests = self.saved.requests.iter_mut();
        let request = requests.find(|r| r.id == job.request)?;
        request.steps.get_mut(job.step)
    }

    /// Keeps the paths of the rows that an operation is about, looked up while they are there.
    pub fn keep_paths(&mut self, job: &Job, paths: Paths) {
        if let Some(step) = self.step(job)
            && step.paths.is_none()
        {
            step.paths = Some(paths);
        }
    }

    /// The agent ends while an operation runs: it begins anew at the next start, and that is
    /// not counted.
    pub fn put_back(&mut self, job: &Job) {
        if let Some(step) = self.step(job) {
            step.running = false;
            step.tries = step.tries.saturating_sub(1);
            self.save();
        }
    }

    /// What an operation is about to put in place, or whose end it is: the unit as its row
    /// shows it from now on, which gets a number if it has none (0). On disk when this
    /// returns `Ok`.
    ///
    /// # Errors
    /// 9027: there are too many units, or the disk does not take it; nothing has changed.
    pub fn intend(
        &mut self,
        job: &Job,
        mut wanted: Unit,
        intent: Option<Intent>,
    ) -> Result<Unit, Failure> {
        let before = self.saved.clone();
        if wanted.id == 0 {
            if self.saved.units.len() >= MAX_UNITS {
                let what = format!("there are {MAX_UNITS} deployment units already");
                return Err(failure(9027, &what));
            }
            wanted.id = self.next();
        }
        put(&mut self.saved.units, wanted.clone());
        if let Some(step) = self.step(job) {
            step.unit = Some(wanted.id);
            step.intent = intent;
        }
        if self.save() {
            return Ok(wanted);
        }
        self.saved = before;
        self.save();
        Err(failure(9027, "the operation cannot be noted on disk"))
    }

    /// An operation has ended.
    pub fn finish(&mut self, job: &Job, now: i64, result: Result<Done, Failure>) {
        let about = self.step(job).and_then(|step| step.unit);
        let known = about.and_then(|id| unit(&self.saved.units, id)).cloned();
        let named = job.wish.uuid().to_owned();
        let ended = match result {
            Ok(Done::Installed(unit)) => {
                let ended = ended_as(&unit, State::Installed, now);
                put(&mut self.saved.units, *unit);
                ended
            }
            Ok(Done::Uninstalled) => {
                let unit = known.or_else(|| job.unit.clone());
                self.saved.units.retain(|u| Some(u.id) != about);
                match &unit {
                    Some(unit) => Ended {
                        resolved: false,
                        ..ended_as(unit, State::Uninstalled, now)
                    },
                    None => blank(named, State::Uninstalled, now),
                }
            }
            Err(fault) => {
                if fault.gone
                    || known
                        .as_ref()
                        .is_some_and(|u| u.status == Status::Installing)
                {
                    self.saved.units.retain(|u| Some(u.id) != about);
                }
                let is_install = matches!(job.wish, Wish::Install { .. });
                let left = about.and_then(|id| self.saved.units.iter_mut().find(|u| u.id == id));
                let mut ended = match (&known, is_install) {
                    (Some(unit), false) => ended_as(unit, State::Failed, now),
                    (Some(unit), true) => Ended {
                        version: unit.version.clone(),
                        ..blank(unit.uuid.clone(), State::Failed, now)
                    },
                    (None, _) => blank(named, State::Failed, now),
                };
                if let Some(left) = left {
                    // One whose removal failed half way is not taken for a whole one.
                    if left.status == Status::Updating || fault.whole {
                        left.status = Status::Installed;
                    }
                    ended.resolved = left.resolved && left.status == Status::Installed;
                } else {
                    ended.resolved = false;
                }
                if let Some(version) = fault.version {
                    ended.version = version;
                }
                if let Some(uuid) = fault.uuid {
                    ended.uuid = uuid;
                }
                (ended.code, ended.text) = (fault.code, short(&fault.text));
                ended
            }
        };
        if let Some(step) = self.step(job) {
            step.running = false;
            step.intent = None;
            step.ended = Some(ended);
            // It is not needed any more, and the fewer know it the better.
            forget_credentials(&mut step.wish);
        }
        self.save();
    }

    /// Changes a unit, or its execution units; `false`: there is none of this number.
    pub fn change(&mut self, id: u32, how: impl FnOnce(&mut Unit)) -> bool {
        let Some(unit) = self.saved.units.iter_mut().find(|u| u.id == id) else {
            return false;
        };
        let before = unit.clone();
        how(unit);
        if *unit != before {
            self.save();
        }
        true
    }

    /// A person has installed, updated or taken away something: the unit, as it is or was.
    /// `tell`: the ACS wants to know.
    pub fn found(&mut self, mut unit: Unit, mut change: Change, tell: bool) {
        if change.ended.state == State::Uninstalled {
            self.saved.units.retain(|u| u.id != unit.id);
        } else {
            if unit.id == 0 {
                if self.saved.units.len() >= MAX_UNITS {
                    return;
                }
                unit.id = self.next();
            }
            change.ended.unit = unit.key();
            put(&mut self.saved.units, unit);
        }
        if tell {
            self.saved.changes.push(change);
            let too_many = self.saved.changes.len().saturating_sub(MAX_CHANGES);
            self.saved.changes.drain(..too_many);
        }
        self.save();
    }

    /// Another ACS is spoken to from now on: what the old one asked for and what was to be
    /// told to it is forgotten; what runs, runs to its end.
    pub fn bootstrap_discards(&mut self) {
        self.saved.changes.clear();
        for request in &mut self.saved.requests {
            request.steps.retain(|s| s.running && s.ended.is_none());
        }
        let before = self.saved.requests.len();
        self.saved.requests.retain(|r| !r.steps.is_empty());
        if before > 0 {
            self.save();
        }
    }

    /// The box is reset to its factory state.
    pub fn clear(&mut self) {
        self.saved = Saved::default();
        if let Err(e) = self.state.remove(FILE) {
            log::warn!("what is known of software modules cannot be wiped: {e}");
        }
    }

    /// Requests that are not told yet: the number of their operations, and how many of these
    /// have ended; for `status`.
    pub fn requests(&self) -> Vec<(String, usize, usize)> {
        let told = |r: &Request| {
            let ended = r.steps.iter().filter(|s| s.ended.is_some()).count();
            (r.command_key.clone(), r.steps.len(), ended)
        };
        self.saved.requests.iter().map(told).collect()
    }

    /// How many units are in each environment.
    pub fn count(&self) -> BTreeMap<&str, usize> {
        let mut count = BTreeMap::new();
        for unit in &self.saved.units {
            *count.entry(unit.environment.as_str()).or_default() += 1;
        }
        count
    }
}

fn is_done(request: &Request) -> bool {
    request.steps.iter().all(|s| s.ended.is_some())
}

fn unknown_unit() -> Failure {
    failure(9028, "there is no such deployment unit")
}

fn unit(units: &[Unit], id: u32) -> Option<&Unit> {
    units.iter().find(|u| u.id == id)
}

fn put(units: &mut Vec<Unit>, unit: Unit) {
    match units.iter_mut().find(|u| u.id == unit.id) {
        Some(place) => *place = unit,
        None => units.push(unit),
    }
}

/// How a unit ended up.
pub(super) fn ended_as(unit: &Unit, state: State, now: i64) -> Ended {
    Ended {
        uuid: unit.uuid.clone(),
        version: unit.version.clone(),
        state,
        resolved: unit.resolved,
        complete: now,
        code: 0,
        text: String::new(),
        unit: unit.key(),
        executions: unit.executions.iter().map(|e| e.euid.clone()).collect(),
    }
}

fn blank(uuid: String, state: State, now: i64) -> Ended {
    Ended {
        uuid,
        version: String::new(),
        state,
        resolved: false,
        complete: now,
        code: 0,
        text: String::new(),
        unit: String::new(),
        executions: Vec::new(),
    }
}

fn forget_credentials(wish: &mut Wish) {
    if let Wish::Install {
        username, password, ..
    }
    | Wish::Update {
        username, password, ..
    } = wish
    {
        username.clear();
        password.clear();
    }
}
