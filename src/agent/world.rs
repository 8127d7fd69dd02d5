//! Everything the agent's threads share, each thing behind its own lock.
//!
//! A lock is held for one request or one small change, never while waiting for the
//! network. A request may run programs (`command` sources), so the dispatcher never takes
//! `model` once its loop runs. `acting` is held while a program acts on the box, `model`
//! and `owed` within it. Otherwise no function takes a second lock while it holds one, but
//! `model` before `owed` and the queue of `files` where an answer makes a promise, and before
//! `watch` where watched values are read; `keeping` before `watch`; and the queue before
//! `owed`, so that records and events change together, and before whatever else `files` holds.
//! So is the register of `modules`, after `model` and the queue.

use super::clock;
use super::control::client;
use super::device::Devices;
use super::discovery;
use super::discovery::Discovery;
use super::modules::{Modules, Registry};
use super::owed::Owed;
use super::peer::Peers;
use super::settings::Settings;
use super::setup::{Setup, SetupError, is_unwritable};
use super::transfers::Files;
use super::watch::Watch;
use crate::model::Model;
use crate::model::source::Trouble;
use crate::net::http::Aborter;
use crate::net::tls::{self, TlsConfig, TlsFiles, TlsWhenNeeded};
use crate::net::url::Url;
use crate::platform::boot::Boot;
use crate::platform::{Identity, Platform};
use crate::source::Runtime;
use crate::store::lock::{LockError, StateLock};
use crate::store::reloads::Reloads;
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use crate::store::trial::Trials;
use crate::transfer::queue::Queue;
use crate::uci::file::Stamp as FileStamp;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The name of the state file that holds the last good time.
pub const CLOCK_FILE: &str = "clock";
/// How long procd may take to say what the board is.
const BOARD_TIME: Duration = Duration::from_secs(1);
/// How long a new owner waits for a command that holds the state.
const A_MOMENT: Duration = Duration::from_secs(3);

/// See the module.
pub struct World {
    pub setup: Setup,
    pub state: StateDir,
    pub run_dir: RunDir,
    pub platform: Platform,
    identity: Mutex<Arc<Identity>>,
    /// What procd said of the board at the start, where it was asked.
    board: Option<serde_json::Map<String, serde_json::Value>>,
    pub runtime: Runtime,
    /// How much is logged unless `cpe.log_level` says otherwise.
    pub log_level: log::LevelFilter,
    model: Mutex<Model>,
    pub owed: Mutex<Owed>,
    watch: Mutex<Watch>,
    discovery: Mutex<Discovery>,
    /// Held while what was watched is written, so that the last to write knows most.
    pub keeping: Mutex<()>,
    /// Transfers of files.
    pub files: Files,
    /// Software modules.
    pub modules: Modules,
    settings: Mutex<Current>,
    aborter: Mutex<Option<Aborter>>,
    /// What is known of the ACS.
    peers: Mutex<Peers>,
    stopping: AtomicBool,
    /// TLS as the files were when it was set up, so that roots are read once and TLS
    /// sessions can be resumed.
    tls: Arc<Mutex<Option<LoadedTls>>>,
    /// One reload or other configured command at a time.
    pub acting: Mutex<()>,
    /// What is changed on disk and not reloaded.
    reloads: Reloads,
    /// What the ACS has changed and what has yet to be proved.
    pub(super) trials: Trials,
    /// The kernel devices of networks.
    pub(super) devices: Devices,
    /// A boot that is not noted on disk yet.
    boot: Mutex<Option<Unnoted>>,
    _lock: StateLock,
}

/// A boot that the next start of the agent would take for another one.
struct Unnoted {
    boot: Boot,
    /// The log has it.
    told: bool,
}

/// The settings in force and what is wrong with their file.
struct Current {
    settings: Arc<Settings>,
    trouble: Option<Trouble>,
    warned: Vec<String>,
}

impl World {
    /// Opens everything and takes the state lock; finishes or undoes a change that was
    /// interrupted, should `recover` not have run.
    pub fn open(setup: Setup) -> Result<World, SetupError> {
        let state = setup.state()?;
        let lock = take_lock(&setup, &state)?.map_err(held)?;
        World::with(setup, state, lock)
    }

    /// As [`open`](Self::open) for an owner that stays: a command that holds the state for
    /// a moment is waited for, another daemon is not.
    pub fn open_to_stay(setup: Setup) -> Result<World, SetupError> {
        let state = setup.state()?;
        let run_dir = setup.run_path()?;
        let until = Instant::now() + A_MOMENT;
        let lock = loop {
            match take_lock(&setup, &state)? {
                Err(LockError::Held { .. })
                    if Instant::now() < until && !client::somebody_listens(&run_dir) =>
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                taken => break taken.map_err(held)?,
            }
        };
        World::with(setup, state, lock)
    }

    fn with(setup: Setup, state: StateDir, lock: StateLock) -> Result<World, SetupError> {
        if let Some(e) = lock.unwritable() {
            log::warn!(
                "state_dir {} cannot be written: {e}; what the agent owes and gives out is kept in memory only",
                state.dir().display()
            );
        }
        // A disk in trouble is no reason not to start. No change is made before what was
        // interrupted is settled: the journal sees to it.
        if let Err(e) = super::recover::finish(&setup, &state) {
            log::error!("{e}; it is tried again before the next change");
        }
        let run_dir = setup.run_dir()?;
        let reloads = Reloads::load(run_dir.clone());
        let runtime = Runtime::on_bus(setup.ubus_socket());
        let platform = setup.platform();
        let mut board = None;
        let identity = Identity::find_with(&setup.root, &state, || {
            board = platform.board(BOARD_TIME);
            board.clone()
        });
        super::inform::publish(&identity, &runtime);
        super::first_use::load(&state, &runtime);
        let trials = Trials::load(&state, setup.config.apply.on_trial());
        let modules = Modules::load(&setup, &state, &runtime);
        let model = setup.model(&state, &reloads, &trials, &runtime)?;
        let peers = Peers::load(&state, &identity.software_version);
        let world = World {
            platform,
            identity: Mutex::new(Arc::new(identity)),
            board,
            runtime,
            log_level: log::max_level(),
            model: Mutex::new(model),
            owed: Mutex::new(Owed::load(&state)),
            watch: Mutex::new(Watch::load(&state, &run_dir)),
            discovery: Mutex::new(Discovery::load(&state)),
            keeping: Mutex::new(()),
            files: Files::load(&state, setup.config.file_types(&setup.root)),
            modules,
            settings: Mutex::new(Current {
                settings: Arc::new(Settings::default()),
                trouble: None,
                warned: Vec::new(),
            }),
            aborter: Mutex::new(None),
            peers: Mutex::new(peers),
            stopping: AtomicBool::new(false),
            tls: Arc::default(),
            acting: Mutex::new(()),
            reloads,
            trials,
            devices: Devices::default(),
            boot: Mutex::new(None),
            setup,
            state,
            run_dir,
            _lock: lock,
        };
        world.read_settings();
        // What an agent that was killed has changed and not reloaded.
        world.reload_waiting(BTreeSet::new());
        Ok(world)
    }

    /// Whether this start is a boot of the box.
    pub fn boot(&self) -> Boot {
        Boot::detect(&self.setup.root, &self.state, &self.run_dir)
    }

    /// Notes that this boot is known, where its events are on disk (`kept`): else it would
    /// be lost with them. What cannot be done now [`settle_boot`](Self::settle_boot) does.
    pub fn note_boot(&self, boot: Boot, kept: bool) {
        *lock(&self.boot) = Some(Unnoted { boot, told: false });
        if kept {
            self.settle_boot();
        }
    }

    /// Notes a boot that could not be noted before, once everything that came of it is on disk
    /// or told: until then a start of the agent alone is taken for another boot, which tells
    /// `1 BOOT` again and concludes what waits for one. Tried again with the end of each
    /// session and of the agent.
    pub fn settle_boot(&self) {
        let Some(mut waiting) = lock(&self.boot).take() else {
            return;
        };
        // One after the other; each is whole in itself.
        let kept = self.transfers().keep();
        let kept = self.modules().keep() && kept;
        if !self.owed().save() || !kept {
            *lock(&self.boot) = Some(waiting);
            return;
        }
        match waiting.boot.remember(&self.state, &self.run_dir) {
            Ok(()) if waiting.told => log::info!("this boot is noted now"),
            Ok(()) => {}
            Err(e) => {
                if !waiting.told {
                    log::warn!(
                        "this boot cannot be noted: {e}; until it is, a restart of the agent counts as a boot"
                    );
                    waiting.told = true;
                }
                *lock(&self.boot) = Some(waiting);
            }
        }
    }

    /// Forgets which boot is known: the next start of the agent counts as one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn forget_boot(&self) -> io::Result<()> {
        *lock(&self.boot) = None;
        Boot::forget(&self.state, &self.run_dir)
    }

    /// The model, for one request.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    /// What is owed, for one change.
    pub fn owed(&self) -> MutexGuard<'_, Owed> {
        lock(&self.owed)
    }

    /// The queue of transfers, for one look or change.
    pub fn transfers(&self) -> MutexGuard<'_, Queue> {
        lock(&self.files.queue)
    }

    /// The register of software modules, for one look or change.
    pub fn modules(&self) -> MutexGuard<'_, Registry> {
        lock(&self.modules.registry)
    }

    /// Raises 0 BOOTSTRAP where `url` is that of another ACS than before. What was to be told
    /// to the one before goes with it: first of all the records of completed transfers, which
    /// would call for their events again.
    pub fn check_url(&self, url: &str) {
        // Nothing may end in between: it would be left without its events.
        let mut queue = self.transfers();
        let mut modules = self.modules();
        let mut owed = self.owed();
        if owed.is_new_acs(url) {
            queue.bootstrap_discards();
            modules.bootstrap_discards();
            owed.check_url(url);
            owed.save();
        }
    }

    /// What is known of the ACS, for one look or change.
    pub fn peers(&self) -> MutexGuard<'_, Peers> {
        lock(&self.peers)
    }

    /// What is watched, for one change.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// What DHCP has said of the ACS, for one look or change.
    pub fn discovery(&self) -> MutexGuard<'_, Discovery> {
        lock(&self.discovery)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        lock(&self.settings).settings.clone()
    }

    /// Who this device is.
    pub fn identity(&self) -> Arc<Identity> {
        lock(&self.identity).clone()
    }

    /// Section `device` of the settings has changed: reads the identity anew.
    pub fn look_at_identity(&self) {
        let identity = Identity::find_with(&self.setup.root, &self.state, || self.board.clone());
        super::inform::publish(&identity, &self.runtime);
        *lock(&self.identity) = Arc::new(identity);
    }

    /// What is wrong with `/etc/config/cwmp`, if anything.
    pub fn settings_trouble(&self) -> Option<Trouble> {
        lock(&self.settings).trouble.clone()
    }

    /// Reads `/etc/config/cwmp` anew, over what DHCP has said; tells whether anything
    /// changed.
    pub fn read_settings(&self) -> bool {
        let found = self.discovery().answer();
        let (settings, warnings, trouble) = self.setup.settings(&self.state, &found);
        discovery::publish(&found, settings.acs.dhcp_discovery, &self.runtime);
        let mut current = lock(&self.settings);
        for warning in warnings {
            if !current.warned.contains(&warning) {
                log::warn!("{warning}");
                current.warned.push(warning);
            }
        }
        if let Some(trouble) = &trouble
            && current.trouble.as_ref() != Some(trouble)
        {
            log::error!("{trouble}; the last good copy serves");
        }
        current.trouble = trouble;
        let changed = *current.settings != settings;
        current.settings = Arc::new(settings);
        changed
    }

    /// TLS with the roots and the client certificate of the settings; set up when it is
    /// first needed, and again when one of its files has changed. `floor`: see
    /// [`clock_floor`](Self::clock_floor).
    pub fn tls(&self, settings: &Settings, floor: i64) -> Result<TlsWhenNeeded, String> {
        let files = tls_files(&self.setup, settings)?;
        let cache = self.tls.clone();
        Ok(Arc::new(move || {
            let stamp = |path: PathBuf| FileStamp::of(&path).ok().flatten();
            let stamps: Vec<Stamp> = files.sources().into_iter().map(stamp).collect();
            let mut cache = lock(&cache);
            if let Some((for_files, at, tls)) = cache.as_ref()
                && *for_files == files
                && *at == stamps
            {
                return Ok(tls.clone());
            }
            let tls = TlsConfig::load(&files, Arc::new(clock::unix_seconds), floor)?;
            *cache = Some((files.clone(), stamps, tls.clone()));
            Ok(tls)
        }))
    }

    /// Says at once what is wrong with the client certificate or its key, and where TLS is
    /// needed and this program has none; sessions over https would each say it again.
    pub fn check_client_certificate(&self, settings: &Settings) {
        let url = Url::parse(&settings.acs.url);
        let needed = settings.acs.require_tls || url.is_ok_and(|url| url.is_https());
        if needed && !tls::PRESENT {
            log::error!("{}", tls::ABSENT);
        }
        let checked = tls_files(&self.setup, settings)
            .and_then(|files| files.check_pair().map_err(|e| e.to_string()));
        if let Err(e) = checked {
            log::error!("the client certificate cannot be used: {e}");
        }
    }

    /// No earlier than this is it now: the last good time kept on disk, else the build time,
    /// Unix seconds.
    pub fn clock_floor(&self) -> i64 {
        let kept: i64 = self.state.load(CLOCK_FILE).unwrap_or(0);
        kept.max(clock::FLOOR)
    }

    /// Makes a running POST end soon when the agent has to stop.
    pub fn set_aborter(&self, aborter: Option<Aborter>) {
        *lock(&self.aborter) = aborter;
    }

    /// The agent ends: no session starts, a running one is broken off.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.files.stop();
        self.modules.stop.stop();
        if let Some(aborter) = lock(&self.aborter).as_ref() {
            aborter.abort();
        }
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Reloads packages, one after the other; failures are logged. With them those of an
    /// interrupted change that was settled meanwhile.
    pub fn reload(&self, packages: &[String]) {
        let settled = self.reloads.settled();
        let mut all = packages.to_vec();
        all.extend(settled.into_iter().filter(|p| !packages.contains(p)));
        if all.is_empty() {
            return;
        }
        let _one_at_a_time = lock(&self.acting);
        for package in &all {
            log::info!("reloading {package}");
        }
        for (package, error) in self.platform.reload(&all) {
            log::warn!("reload of {package}: {error}");
        }
        self.reloads.done(&all);
    }

    /// Reloads these and everything else that is changed on disk and was not reloaded: no
    /// session is under way.
    pub fn reload_waiting(&self, mut packages: BTreeSet<String>) {
        packages.extend(self.reloads.waiting());
        let packages: Vec<String> = packages.into_iter().collect();
        self.reload(&packages);
    }
}

type Stamp = Option<FileStamp>;
/// TLS, the files it came from, and how they were then.
type LoadedTls = (TlsFiles, Vec<Stamp>, TlsConfig);

/// Where the settings say that roots and client certificate are, as real paths.
pub fn tls_files(setup: &Setup, settings: &Settings) -> Result<TlsFiles, String> {
    let below = |path: &Option<String>| -> Result<Option<PathBuf>, String> {
        path.as_deref()
            .map(|p| setup.root.path(p).map_err(|e| e.to_string()))
            .transpose()
    };
    Ok(TlsFiles {
        ca_file: below(&settings.acs.ca_file)?,
        ca_path: below(&settings.acs.ca_path)?,
        client_cert: below(&settings.acs.client_cert)?,
        client_key: below(&settings.acs.client_key)?,
        root: setup.root.dir().to_owned(),
    })
}

/// Takes the lock of the state, in run_dir where there is no state_dir and none can be
/// made.
fn take_lock(setup: &Setup, state: &StateDir) -> Result<Result<StateLock, LockError>, SetupError> {
    let run_dir;
    let dir = match state.dir().is_dir() {
        true => state.dir(),
        false => {
            run_dir = setup.run_path()?;
            &run_dir
        }
    };
    Ok(match StateLock::acquire_on(&*setup.disk, dir) {
        // Where nobody can write anything, nobody has to be kept from it.
        Err(LockError::Io(e)) if is_unwritable(&e) => Ok(StateLock::needless(e)),
        taken => taken,
    })
}

/// A lock that outlives a panic: what it guards is plain data that is whole at all times.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state lock that another process holds.
pub(super) fn held(error: LockError) -> SetupError {
    let hint = match error {
        LockError::Held { .. } => "; is another cwmp-agent running?",
        LockError::Io(_) => "",
    };
    SetupError::System(format!("cwmp-agent: {error}{hint}"))
}
