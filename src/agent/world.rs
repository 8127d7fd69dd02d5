//! Everything the agent's threads share, each thing behind its own lock.
//!
//! A lock is held for one request or one small change, never while waiting for the
//! network. A request may run programs (`command` sources), so the dispatcher never takes
//! `model` once its loop runs. `acting` is held while a program acts on the box, `model`
//! and `owed` within it. Otherwise no function takes a second lock while it holds one, but
//! `model` before `owed` where an answer makes a promise.

use super::clock;
use super::control::client;
use super::owed::Owed;
use super::settings::Settings;
use super::setup::{Setup, SetupError};
use crate::cwmp::version::CwmpVersion;
use crate::model::Model;
use crate::model::source::Trouble;
use crate::net::http::Aborter;
use crate::net::tls::{TlsConfig, TlsFiles, TlsWhenNeeded};
use crate::platform::boot::Boot;
use crate::platform::{Identity, Platform};
use crate::source::Runtime;
use crate::store::lock::{LockError, StateLock};
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use crate::uci::file::Stamp as FileStamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The name of the state file that holds the last good time.
pub const CLOCK_FILE: &str = "clock";
/// How long a new owner waits for a command that holds the state.
const A_MOMENT: Duration = Duration::from_secs(3);

/// See the module.
pub struct World {
    pub setup: Setup,
    pub state: StateDir,
    pub run_dir: RunDir,
    pub platform: Platform,
    pub identity: Identity,
    pub runtime: Runtime,
    model: Mutex<Model>,
    pub owed: Mutex<Owed>,
    settings: Mutex<Current>,
    aborter: Mutex<Option<Aborter>>,
    /// What the ACS at this URL is offered since it refused a newer version (fault 8006).
    offer: Mutex<Option<(String, CwmpVersion)>>,
    stopping: AtomicBool,
    /// TLS as the files were when it was set up, so that roots are read once and TLS
    /// sessions can be resumed.
    tls: Arc<Mutex<Option<LoadedTls>>>,
    /// One reload or other configured command at a time.
    pub acting: Mutex<()>,
    _lock: StateLock,
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
        let lock = StateLock::acquire(state.dir()).map_err(held)?;
        World::with(setup, state, lock)
    }

    /// As [`open`](Self::open) for an owner that stays: a command that holds the state for
    /// a moment is waited for, another daemon is not.
    pub fn open_to_stay(setup: Setup) -> Result<World, SetupError> {
        let state = setup.state()?;
        let run_dir = setup.run_path()?;
        let until = Instant::now() + A_MOMENT;
        let lock = loop {
            match StateLock::acquire(state.dir()) {
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
        super::recover::finish(&setup, &state)?;
        let run_dir = setup.run_dir()?;
        let runtime = Runtime::default();
        let identity = Identity::find(&setup.root, &state);
        super::inform::publish(&identity, &runtime);
        super::first_use::load(&state, &runtime);
        let model = setup.model(&state, &runtime)?;
        let world = World {
            platform: setup.platform(),
            identity,
            runtime,
            model: Mutex::new(model),
            owed: Mutex::new(Owed::load(&state)),
            settings: Mutex::new(Current {
                settings: Arc::new(Settings::default()),
                trouble: None,
                warned: Vec::new(),
            }),
            aborter: Mutex::new(None),
            offer: Mutex::new(None),
            stopping: AtomicBool::new(false),
            tls: Arc::default(),
            acting: Mutex::new(()),
            setup,
            state,
            run_dir,
            _lock: lock,
        };
        world.read_settings();
        Ok(world)
    }

    /// Whether this start is a boot of the box.
    pub fn boot(&self) -> Boot {
        Boot::detect(&self.setup.root, &self.state, &self.run_dir)
    }

    /// The model, for one request.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    /// What is owed, for one change.
    pub fn owed(&self) -> MutexGuard<'_, Owed> {
        lock(&self.owed)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        lock(&self.settings).settings.clone()
    }

    /// What is wrong with `/etc/config/cwmp`, if anything.
    pub fn settings_trouble(&self) -> Option<Trouble> {
        lock(&self.settings).trouble.clone()
    }

    /// Reads `/etc/config/cwmp` anew; tells whether anything changed.
    pub fn read_settings(&self) -> bool {
        let (settings, warnings, trouble) = self.setup.settings(&self.state);
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
    /// first needed, and again when one of its files has changed.
    pub fn tls(&self, settings: &Settings) -> Result<TlsWhenNeeded, String> {
        let files = tls_files(&self.setup, settings)?;
        let kept: i64 = self.state.load(CLOCK_FILE).unwrap_or(0);
        let floor = kept.max(clock::FLOOR);
        let cache = self.tls.clone();
        Ok(Arc::new(move || {
            let stamps: Vec<Stamp> = [
                &files.ca_file,
                &files.ca_path,
                &files.client_cert,
                &files.client_key,
            ]
            .into_iter()
            .map(|path| {
                path.as_deref()
                    .and_then(|p| FileStamp::of(p).ok().flatten())
            })
            .collect();
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

    /// The CWMP version to offer the ACS at `url`, at most `highest`.
    pub fn offered(&self, url: &str, highest: CwmpVersion) -> CwmpVersion {
        match lock(&self.offer).as_ref() {
            Some((at, older)) if at == url => highest.min(*older),
            _ => highest,
        }
    }

    /// The ACS at `url` cannot speak `refused`: the next session offers an older one, and
    /// after the oldest begins anew.
    pub fn offer_older(&self, url: &str, refused: CwmpVersion) {
        let older = refused.older_namespace();
        *lock(&self.offer) = older.map(|v| (url.to_owned(), v));
    }

    /// Makes a running POST end soon when the agent has to stop.
    pub fn set_aborter(&self, aborter: Option<Aborter>) {
        *lock(&self.aborter) = aborter;
    }

    /// The agent ends: no session starts, a running one is broken off.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(aborter) = lock(&self.aborter).as_ref() {
            aborter.abort();
        }
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Reloads packages, one after the other; failures are logged.
    pub fn reload(&self, packages: &[String]) {
        if packages.is_empty() {
            return;
        }
        let _one_at_a_time = lock(&self.acting);
        for package in packages {
            log::info!("reloading {package}");
        }
        for (package, error) in self.platform.reload(packages) {
            log::warn!("reload of {package}: {error}");
        }
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
