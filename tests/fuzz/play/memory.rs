//! A CPE whose values and files are all in memory, and can be made to fail.

#[path = "../../model_support/mod.rs"]
mod model_support;

use super::cpe::Cpe;
use super::disk::MemoryDisk;
use cwmp_agent::agent::answer::{self, Afterwards, METHODS, Promises, Transfers};
use cwmp_agent::agent::modules::Registry;
use cwmp_agent::agent::owed::Owed;
use cwmp_agent::agent::session::Wire;
use cwmp_agent::agent::transfers::Files;
use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::message::{DeviceId, Event, Inform, ParameterValue};
use cwmp_agent::cwmp::session::{Options, Session, Step};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_agent::model::{Limits, Model};
use cwmp_agent::store::state::StateDir;
use cwmp_agent::transfer::file_types::FileTypes;
use cwmp_agent::transfer::queue::Queue;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const URL: &str = "http://acs.example/";

pub struct MemoryCpe {
    world: model_support::Shared,
    disk: Arc<MemoryDisk>,
    model: Mutex<Model>,
    owed: Mutex<Owed>,
    files: Files,
    modules: Mutex<Registry>,
    /// In place of the watch, which needs real files.
    changed: Mutex<BTreeSet<String>>,
    version: CwmpVersion,
    cap: usize,
    now: i64,
}

impl MemoryCpe {
    /// A new CPE that offers this version and writes messages of at most `cap` bytes.
    pub fn new(version: CwmpVersion, cap: usize) -> MemoryCpe {
        let world = model_support::world(model_support::ROUTER);
        let disk = Arc::new(MemoryDisk::default());
        let cpe = MemoryCpe {
            model: Mutex::new(model(&world)),
            owed: Mutex::new(owed(&disk)),
            files: files(&disk),
            modules: Mutex::new(registry(&disk)),
            changed: Mutex::default(),
            world,
            disk,
            version,
            cap,
            now: 1_800_000_000,
        };
        cpe.begin(true);
        cpe
    }

    fn begin(&self, boot: bool) {
        self.owed().start(boot, URL, self.now, [7; 16]);
    }

    fn changed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inform(&self, events: &[Event], changed: &[String]) -> Inform {
        let mut model = self.model();
        model.begin();
        let mut entries = model.forced_inform();
        for path in changed {
            if !entries.iter().any(|e| e.path == *path)
                && let Ok(found) = model.get(&[path])
            {
                entries.extend(found);
            }
        }
        Inform {
            device: DeviceId {
                manufacturer: "Example".into(),
                oui: "00005E".into(),
                product_class: "Router".into(),
                serial_number: "1".into(),
            },
            events: events.to_vec(),
            current_time: DateTime::Utc(self.now),
            retry_count: self.owed().retry_count(),
            parameters: entries
                .into_iter()
                .map(|e| ParameterValue {
                    name: e.path,
                    ty: answer::xsd_type(e.ty),
                    value: e.value,
                })
                .collect(),
        }
    }
}

fn model(world: &model_support::Shared) -> Model {
    let limits = Limits {
        items: 48,
        rows: 24,
        attributes: 64,
        value_bytes: 4000,
    };
    model_support::model_with(model_support::SCHEMA, world, limits)
}

fn owed(disk: &Arc<MemoryDisk>) -> Owed {
    let state = StateDir::open_on(disk.clone(), Path::new("/state")).expect("memory");
    Owed::load(&state)
}

fn files(disk: &Arc<MemoryDisk>) -> Files {
    let state = StateDir::open_on(disk.clone(), Path::new("/state")).expect("memory");
    Files::load(&state, FileTypes::new(&[], &[], false))
}

fn registry(disk: &Arc<MemoryDisk>) -> Registry {
    let state = StateDir::open_on(disk.clone(), Path::new("/state")).expect("memory");
    Registry::load(&state)
}

fn queue(files: &Files) -> MutexGuard<'_, Queue> {
    files.queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cpe for MemoryCpe {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transfers(&self) -> Vec<String> {
        let list = queue(&self.files).list();
        list.into_iter().map(|t| t.command_key).collect()
    }

    fn forget_transfers(&self) {
        queue(&self.files).clear();
    }

    fn session(&self, wire: &mut dyn Wire) -> Result<(), String> {
        let changed: Vec<String> = self.changed().iter().cloned().collect();
        let heartbeat = self
            .owed()
            .take_heartbeat(self.version, !changed.is_empty());
        let silent = heartbeat.is_some();
        let events = heartbeat.unwrap_or_else(|| {
            self.owed()
                .take_for_inform(self.version, !changed.is_empty())
        });
        let changed = if silent { Vec::new() } else { changed };
        let inform = self.inform(&events, &changed);
        let options = Options {
            version: self.version,
            methods: METHODS.to_vec(),
            message_cap: self.cap,
            ..Options::default()
        };
        let mut afterwards = Afterwards::default();
        let (mut session, mut step) = Session::start(options, &inform);
        loop {
            step = match step {
                Step::Post(post) => match wire.post(&post) {
                    Ok((status, body)) => session.reply(status, &body),
                    Err(e) => session.broken(&e),
                },
                Step::Answer(request) => {
                    let answer = {
                        let mut model = self.model();
                        let promises = Promises {
                            owed: &self.owed,
                            transfers: Transfers {
                                files: &self.files,
                                largest: 1 << 20,
                                random: || 7,
                            },
                            modules: &self.modules,
                        };
                        let after = &mut afterwards;
                        answer::answer(&session, &mut model, &promises, request, self.now, after)
                    };
                    session.answer(answer)
                }
                Step::InformAccepted { .. } => {
                    self.owed().inform_accepted(URL, &inform.events);
                    if !silent {
                        self.changed().clear();
                    }
                    session.proceed()
                }
                Step::OwnRequest => session.request(None),
                Step::RequestDone { .. } => session.proceed(),
                Step::Done => {
                    queue(&self.files).session_ended();
                    self.owed().session_ended();
                    return Ok(());
                }
                Step::Failed(failure) => {
                    self.owed().session_failed();
                    return Err(failure.to_string());
                }
            };
        }
    }

    fn changed_by_hand(&self, paths: Vec<String>) -> Vec<String> {
        self.changed().extend(paths.iter().cloned());
        paths
    }

    fn restart(&mut self, boot: bool) {
        self.model = Mutex::new(model(&self.world));
        self.owed = Mutex::new(owed(&self.disk));
        self.files = files(&self.disk);
        self.modules = Mutex::new(registry(&self.disk));
        self.begin(boot);
    }

    fn begin_anew(&mut self) {
        self.begin(true);
    }

    fn trouble(&self, kind: u8) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let packages = ["system", "network", "dhcp", "firewall", "wireless", "cwmp"];
        let package = packages[usize::from(kind >> 3) % packages.len()].to_owned();
        match kind & 7 {
            0 => drop(world.broken.insert(package)),
            1 => world.full_option = Some("ssid".to_owned()),
            2 => world.full_option = Some("enabled".to_owned()),
            3 => world.prepare_fails = true,
            4 => world.journal_fails = true,
            5 => self.disk.fail(true),
            _ => {
                world.broken.clear();
                world.full_option = None;
                world.prepare_fails = false;
                world.journal_fails = false;
                self.disk.fail(false);
            }
        }
    }

    fn shuffle(&self, which: u8) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let package = ["firewall", "wireless", "network"][usize::from(which) % 3];
        if let Some(sections) = world.packages.get_mut(package)
            && !sections.is_empty()
        {
            let by = usize::from(which >> 2) % sections.len();
            sections.rotate_left(by);
        }
    }

    fn has_acs(&self) -> bool {
        !URL.is_empty()
    }

    fn cap(&self) -> usize {
        self.cap
    }
}
