//! Opens what the agent works with: the root, agent.toml, the folders of state, the data
//! model and its sources. The daemon and the commands that work without one share it.

use super::config::{Config, ConfigError, DEFAULT_DATA_MODEL, DEFAULT_PATH, line_of};
use super::settings::Settings;
use crate::model::binding::{Binding, Rows};
use crate::model::schema::ModelFile;
use crate::model::source::{Source, Trouble};
use crate::model::{Limits as ModelLimits, Model, Schema};
use crate::platform::{Actions, Platform};
use crate::source::{self, Runtime};
use crate::store::journal::DiskJournal;
use crate::store::reloads::Reloads;
use crate::store::run_dir::RunDir;
use crate::store::state::StateDir;
use crate::store::trial::Trials;
use crate::store::{Disk, RealDisk, Root};
use crate::ubus;
use crate::uci::Package;
use crate::wake::dhcp;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest agent.toml and data-model file taken, bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most files taken from one data-model directory.
const MAX_FILES: usize = 512;
/// Where operators and the ACS keep their settings, below the root.
pub const SETTINGS_PATH: &str = "/etc/config/cwmp";
/// The last good copy of the settings, in state_dir.
pub const GOOD_SETTINGS: &str = "settings.good";

/// Why the agent cannot start. Each is one line or several, ready for stderr.
#[derive(Debug)]
pub enum SetupError {
    /// The configuration is wrong (exit status 2).
    Configuration(Vec<String>),
    /// The system refuses (exit status 1).
    System(String),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Configuration(lines) => f.write_str(&lines.join("\n")),
            SetupError::System(what) => f.write_str(what),
        }
    }
}

impl From<ConfigError> for SetupError {
    fn from(e: ConfigError) -> Self {
        SetupError::Configuration(vec![e.to_string()])
    }
}

/// The root, what the firmware builder decided, and the disk that all files which must
/// survive are written to.
#[derive(Clone)]
pub struct Setup {
    pub root: Root,
    pub config: Config,
    pub disk: Arc<dyn Disk>,
    /// Where agent.toml names directories of data-model files: the file and the line.
    data_model_at: String,
}

impl Setup {
    /// Opens the root and reads agent.toml: `config`, which must exist, or the default
    /// one below the root, which need not.
    pub fn open(root: &Path, config: Option<&Path>) -> Result<Setup, SetupError> {
        let root = Root::new(root)
            .map_err(|e| SetupError::Configuration(vec![format!("--root {root:?}: {e}")]))?;
        let (name, text) = match config {
            Some(path) => {
                let name = path.display().to_string();
                let text = read_text(path)
                    .map_err(|e| SetupError::Configuration(vec![unreadable(path, &e)]))?;
                (name, text)
            }
            None => {
                let path = root
                    .path(DEFAULT_PATH)
                    .map_err(|e| SetupError::Configuration(vec![format!("{DEFAULT_PATH}: {e}")]))?;
                match read_text(&path) {
                    Ok(text) => (path.display().to_string(), text),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {
                        (DEFAULT_PATH.to_owned(), String::new())
                    }
                    Err(e) => {
                        return Err(SetupError::Configuration(vec![unreadable(&path, &e)]));
                    }
                }
            }
        };
        let config = Config::parse(&name, &text)?;
        Ok(Setup {
            root,
            config,
            disk: Arc::new(RealDisk),
            data_model_at: format!("{name}:{}", line_of("data_model", &text)),
        })
    }

    /// The same on another disk: a stand-in that fails or loses its power.
    #[must_use]
    pub fn on(mut self, disk: Arc<dyn Disk>) -> Setup {
        self.disk = disk;
        self
    }

    /// The folder of what survives power loss; made where it does not exist. On a disk
    /// that takes no more writes: whatever is there.
    pub fn state(&self) -> Result<StateDir, SetupError> {
        let dir = self.below_root(&self.config.state_dir)?;
        match StateDir::open_on(self.disk.clone(), &dir) {
            Err(e) if is_unwritable(&e) => {
                log::warn!("state_dir {}: {e}", dir.display());
                Ok(StateDir::at(self.disk.clone(), &dir))
            }
            opened => {
                opened.map_err(|e| SetupError::System(format!("state_dir {}: {e}", dir.display())))
            }
        }
    }

    /// The real path of state_dir.
    pub fn state_path(&self) -> Result<PathBuf, SetupError> {
        self.below_root(&self.config.state_dir)
    }

    /// The folder of sockets and markers; made where it does not exist.
    pub fn run_dir(&self) -> Result<RunDir, SetupError> {
        let dir = self.below_root(&self.config.run_dir)?;
        match RunDir::open_on(self.disk.clone(), &dir) {
            Err(e) if is_unwritable(&e) => {
                log::warn!("run_dir {}: {e}", dir.display());
                Ok(RunDir::at(self.disk.clone(), &dir))
            }
            opened => {
                opened.map_err(|e| SetupError::System(format!("run_dir {}: {e}", dir.display())))
            }
        }
    }

    /// The real path of run_dir.
    pub fn run_path(&self) -> Result<PathBuf, SetupError> {
        self.below_root(&self.config.run_dir)
    }

    /// A path of agent.toml as a real one.
    pub fn below_root(&self, path: &str) -> Result<PathBuf, SetupError> {
        self.root
            .path(path)
            .map_err(|e| SetupError::Configuration(vec![e.to_string()]))
    }

    /// The commands that act on the box.
    pub fn platform(&self) -> Platform {
        let p = &self.config.platform;
        let actions = Actions {
            reboot: p.reboot.clone(),
            factory_reset: p.factory_reset.clone(),
            apply_config: p.apply_config.clone(),
            renew_dhcp: p.renew_dhcp.clone(),
        };
        Platform::new(self.root.clone(), actions).with_ubus(self.ubus_socket())
    }

    /// Where ubusd listens, whether it runs or not; `None`: ubus is not used.
    pub fn ubus_socket(&self) -> Option<PathBuf> {
        match self.config.platform.ubus_socket.as_deref() {
            Some("") => None,
            Some(named) => match self.root.path(named) {
                Ok(path) => Some(path),
                Err(e) => {
                    log::warn!("ubus_socket {named}: {e}; ubus is not used");
                    None
                }
            },
            None => self.root.is_system().then(ubus::default_socket),
        }
    }

    /// The data-model files in use, in order. Without any directory: the ones compiled into
    /// the program.
    pub fn data_model_files(&self) -> Result<DataModel, SetupError> {
        let mut files = Vec::new();
        match &self.config.data_model {
            Some(dirs) => {
                for dir in dirs {
                    if !dir.is_dir() {
                        return Err(SetupError::Configuration(vec![format!(
                            "{}: {} is no directory; make it, or take it out of data_model",
                            self.data_model_at,
                            dir.display()
                        )]));
                    }
                    files.extend(toml_files(dir)?);
                }
            }
            None => {
                let dir = self.below_root(DEFAULT_DATA_MODEL)?;
                if dir.is_dir() {
                    files.extend(toml_files(&dir)?);
                } else {
                    return Ok(DataModel::BuiltIn);
                }
            }
        }
        Ok(DataModel::Files(files))
    }

    /// The checked schema of the data-model files in use.
    pub fn schema(&self) -> Result<Schema, SetupError> {
        load_schema(&self.data_model_files()?.files())
    }

    /// The model over the real sources. The caller holds the state lock. What its changes
    /// make to be reloaded is noted in `reloads`, what goes on trial in `trials`.
    pub fn model(
        &self,
        state: &StateDir,
        reloads: &Reloads,
        trials: &Trials,
        runtime: &Runtime,
    ) -> Result<Model, SetupError> {
        let schema = self.schema()?;
        let limits = &self.config.limits;
        let sources = source::all(
            &self.root,
            source::Limits {
                request_deadline: limits.request_deadline,
                command_timeout: limits.command,
                command_output: limits.output as usize,
                file_size: u64::from(limits.output),
                ..source::Limits::default()
            },
            runtime.clone(),
            schema.objects().filter_map(|object| object.rows()),
        );
        let sources: Vec<(_, Box<dyn Source>)> = sources.into_iter().collect();
        let journal = DiskJournal::new(state.clone()).telling(reloads.clone());
        let journal = Box::new(journal.trying(trials.clone()));
        Ok(Model::new(schema, sources, journal, ModelLimits::default()))
    }

    /// The settings of `/etc/config/cwmp`, over what DHCP has said. A broken file: the last
    /// good copy kept in `state`, and what is wrong. No file: the defaults.
    pub fn settings(
        &self,
        state: &StateDir,
        found: &dhcp::Answer,
    ) -> (Settings, Vec<String>, Option<Trouble>) {
        let trouble = |what: String| {
            Some(Trouble {
                source: SETTINGS_PATH.to_owned(),
                what,
            })
        };
        let text = match self.root.read(SETTINGS_PATH, MAX_FILE) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => {
                let (settings, warnings) = last_good(state, found);
                return (settings, warnings, trouble(e.to_string()));
            }
        };
        match Package::parse(&text) {
            Ok(package) => {
                state.save_bytes_or_warn(GOOD_SETTINGS, &text, "the good copy of the settings");
                let (settings, mut warnings) = Settings::read_with(&package, found);
                warnings.extend(self.settings_that_others_read());
                (settings, warnings, None)
            }
            Err(e) => {
                let (settings, warnings) = last_good(state, found);
                (settings, warnings, trouble(e.to_string()))
            }
        }
    }

    /// A warning where `/etc/config/cwmp`, which holds passwords, is not its owner's alone.
    pub fn settings_that_others_read(&self) -> Option<String> {
        let real = self.root.path(SETTINGS_PATH).ok()?;
        let mode = std::fs::metadata(&real).ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            format!(
                "{SETTINGS_PATH} has mode {mode:04o} and holds passwords; chmod 600 {}",
                real.display()
            )
        })
    }
}

/// Whether the disk takes no writes: read-only, full, broken. (Where another error keeps a
/// folder from being made, agent.toml names the wrong one.)
pub(super) fn is_unwritable(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let unwritable = [Errno::EROFS, Errno::ENOSPC, Errno::EDQUOT, Errno::EIO];
    error
        .raw_os_error()
        .is_some_and(|code| unwritable.contains(&Errno::from_raw(code)))
}

fn last_good(state: &StateDir, found: &dhcp::Answer) -> (Settings, Vec<String>) {
    let good = state.load_bytes(GOOD_SETTINGS).unwrap_or_default();
    let package = Package::parse(&good).unwrap_or_default();
    Settings::read_with(&package, found)
}

/// The data-model files in use.
pub enum DataModel {
    /// Of directories: name and text.
    Files(Vec<(String, String)>),
    /// The ones compiled into the program.
    BuiltIn,
}

impl DataModel {
    /// Each of them, in order.
    pub fn files(&self) -> Vec<&dyn ModelFile> {
        match self {
            DataModel::Files(files) => files.iter().map(|file| file as _).collect(),
            DataModel::BuiltIn => source::builtin::packed().collect(),
        }
    }
}

/// Parses and checks data-model files; every error becomes a line.
pub fn load_schema(files: &[&dyn ModelFile]) -> Result<Schema, SetupError> {
    let schema = Schema::of(files).map_err(|errors| {
        SetupError::Configuration(errors.iter().map(ToString::to_string).collect())
    })?;
    let unknown = unknown_natives(&schema, files);
    if unknown.is_empty() {
        Ok(schema)
    } else {
        Err(SetupError::Configuration(unknown))
    }
}

/// Names of compiled-in code (`native`, `as`, `within`) that nothing serves. The model does
/// not know what the sources offer, so this is checked where both are known.
fn unknown_natives(schema: &Schema, files: &[&dyn ModelFile]) -> Vec<String> {
    let known = |name: &str, entry: bool| {
        source::uci::is_view(name) && !entry || source::uci::is_value(name, entry)
    };
    let mut unknown: Vec<(&str, String, &str)> = Vec::new();
    for p in schema.parameters() {
        for binding in p.binding().into_iter().chain(p.live()) {
            match binding {
                Binding::Native(name) if !source::native::is_value(name) => {
                    unknown.push(("native", p.path(), name));
                }
                Binding::Uci(at) => {
                    let codec = at.codec.as_deref();
                    let codec = codec.filter(|name| !known(name, at.entry));
                    unknown.extend(codec.map(|name| ("as", p.path(), name)));
                }
                _ => {}
            }
        }
    }
    for o in schema.objects() {
        match o.rows() {
            Some(Rows::Native(name)) if !source::native::is_table(name) => {
                unknown.push(("native", o.path(), name));
            }
            Some(Rows::Items(at)) => {
                let codec = at.codec.as_deref();
                let codec = codec.filter(|name| !source::uci::is_table(name));
                unknown.extend(codec.map(|name| ("as", o.path(), name)));
            }
            Some(Rows::Uci(at)) => {
                let within = at.within.as_deref();
                let within = within.filter(|name| !source::uci::is_within(name));
                unknown.extend(within.map(|name| ("within", o.path(), name)));
                let codec = at.codec.as_deref();
                let codec = codec.filter(|name| !source::uci::is_section_table(name));
                unknown.extend(codec.map(|name| ("as", o.path(), name)));
            }
            _ => {}
        }
    }
    let place = |key: &str, name: &str| {
        let quoted = [format!("\"{name}\""), format!("'{name}'")];
        files.iter().rev().find_map(|file| {
            let line = file.text().lines().position(|line| {
                line.contains(key) && quoted.iter().any(|quoted| line.contains(quoted))
            })?;
            Some(format!("{}:{}: ", file.name(), line + 1))
        })
    };
    unknown
        .into_iter()
        .map(|(key, path, name)| {
            format!(
                "{}{path}: {key}: {name:?} is unknown; write a name that data-model/README.md lists",
                place(key, name).unwrap_or_default()
            )
        })
        .collect()
}

/// The `*.toml` files of a directory, sorted by name.
pub fn toml_files(dir: &Path) -> Result<Vec<(String, String)>, SetupError> {
    let bad = |path: &Path, e: io::Error| SetupError::Configuration(vec![unreadable(path, &e)]);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| bad(dir, e))? {
        let path = entry.map_err(|e| bad(dir, e))?.path();
        if path.extension().is_some_and(|e| e == "toml") && path.is_file() {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(SetupError::Configuration(vec![format!(
                "{}: more than {MAX_FILES} files; use fewer",
                dir.display()
            )]));
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| match read_text(&path) {
            Ok(text) => Ok((path.display().to_string(), text)),
            Err(e) => Err(bad(&path, e)),
        })
        .collect()
}

/// What to say of a file that [`read_text`] could not read.
pub fn unreadable(path: &Path, error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::InvalidData => "write it in UTF-8",
        io::ErrorKind::NotFound => "name a file or folder that exists",
        _ => "name a file that can be read",
    };
    format!("{}:1: {error}; {mend}", path.display())
}

/// A whole text file, bounded.
pub fn read_text(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("larger than {MAX_FILE} bytes")));
    }
    Ok(text)
}
