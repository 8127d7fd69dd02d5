//! Reboot, factory reset, reload: the commands that `[platform]` of agent.toml names.

use crate::process::{self, Output, Program, RunError};
use crate::store::Root;
use crate::ubus::{CallError, Caller, Status};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The `[platform]` table of agent.toml: argv arrays, `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Default, only where the root is `/`: `/sbin/reboot`.
    pub reboot: Option<Vec<String>>,
    /// Default, only where the root is `/`: `/sbin/firstboot -y`.
    pub factory_reset: Option<Vec<String>>,
    /// Run once for each changed package, `{package}` replaced by its name. Default: procd
    /// is told over ubus (`service event`, `config.change`) which packages changed; where
    /// it is not there, and only where the root is `/`, `/sbin/reload_config` once for all.
    pub apply_config: Option<Vec<String>>,
    /// Has the DHCP client of a network ask its server again, `{interface}` replaced by the
    /// network's name. Default: netifd is told over ubus (`network.interface.{interface}
    /// renew`); without [`Platform::with_ubus`], and only where the root is `/`, by
    /// `/bin/ubus`.
    pub renew_dhcp: Option<Vec<String>>,
}

/// Why an action did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionError {
    /// No command is configured and the root is not `/`: nothing is run by default.
    NotConfigured(&'static str),
    /// The command failed.
    Run { argv0: String, error: RunError },
    /// Another program could not be told over ubus: its object and method, and why.
    Ubus(String, CallError),
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActionError::NotConfigured(key) => {
                write!(
                    f,
                    "no command for this: name one as `{key}` in [platform] of agent.toml"
                )
            }
            ActionError::Run { argv0, error } => write!(f, "{argv0}: {error}"),
            ActionError::Ubus(whom, error) => write!(f, "ubus {whom}: {error}"),
        }
    }
}

impl std::error::Error for ActionError {}

/// How long a command of the platform may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where a package stands in a reload: names and logs, then the line, then what needs the
/// interfaces that the line brings up, then all services, at last the agent itself.
fn rank(package: &str) -> usize {
    const FIRST: [&str; 5] = ["system", "network", "wireless", "firewall", "dhcp"];
    const LAST: &str = "cwmp";
    match FIRST.iter().position(|first| *first == package) {
        Some(at) => at,
        None => FIRST.len() + usize::from(package == LAST),
    }
}

/// How long procd may take to note what changed; what it then does takes its own time.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The box.
#[derive(Debug, Clone)]
pub struct Platform {
    root: Root,
    actions: Actions,
    /// Where ubusd listens.
    ubus: Option<PathBuf>,
    timeout: Duration,
}

impl Platform {
    /// Commands are run as written, with the root in `CWMP_ROOT`, and may take 120 s.
    /// Without [`Platform::with_ubus`] no ubusd is asked.
    pub fn new(root: Root, actions: Actions) -> Platform {
        Platform {
            root,
            ubus: None,
            actions,
            timeout: TIMEOUT,
        }
    }

    /// With another time limit for a command.
    pub fn with_timeout(mut self, timeout: Duration) -> Platform {
        self.timeout = timeout;
        self
    }

    /// With the ubusd at this socket, whatever the root is; `None`: with none.
    pub fn with_ubus(mut self, socket: Option<PathBuf>) -> Platform {
        self.ubus = socket;
        self
    }

    /// Reboots. Returns when the command has ended; the box goes down a little later.
    pub fn reboot(&self) -> Result<(), ActionError> {
        self.act("reboot", self.actions.reboot.as_deref(), &["/sbin/reboot"])
    }

    /// Resets to factory defaults; the caller reboots afterwards.
    pub fn factory_reset(&self) -> Result<(), ActionError> {
        let configured = self.actions.factory_reset.as_deref();
        self.act("factory_reset", configured, &["/sbin/firstboot", "-y"])
    }

    /// Reloads packages, each once, the network before what stands on it; answers
    /// those that failed. Below another root, without `apply_config` and
    /// [`Platform::with_ubus`], there is nothing to reload.
    pub fn reload(&self, packages: &[String]) -> Vec<(String, ActionError)> {
        let mut seen = BTreeSet::new();
        let mut packages: Vec<&String> = packages.iter().collect();
        packages.retain(|p| seen.insert(p.as_str()));
        packages.sort_by_key(|p| (rank(p), p.as_str()));
        let packages = packages.into_iter();
        let Some(argv) = &self.actions.apply_config else {
            let packages: Vec<&String> = packages.collect();
            if packages.is_empty() {
                return Vec::new();
            }
            if let Some(socket) = &self.ubus
                && let Some(failed) = self.tell_procd(socket, &packages)
            {
                return failed;
            }
            if !self.root.is_system() {
                return Vec::new();
            }
            // It finds out by itself which packages changed.
            return match self.run(&["/sbin/reload_config".to_owned()]) {
                Ok(()) => Vec::new(),
                Err(e) => packages
                    .into_iter()
                    .map(|p| (p.clone(), e.clone()))
                    .collect(),
            };
        };
        packages
            .filter_map(|package| {
                let argv: Vec<String> = argv
                    .iter()
                    .map(|a| a.replace("{package}", package))
                    .collect();
                self.run(&argv).err().map(|e| (package.clone(), e))
            })
            .collect()
    }

    /// Tells procd which packages changed; it reloads who depends on them. Answers those of
    /// which it could not be told, or `None` where it is not there at all.
    fn tell_procd(
        &self,
        socket: &Path,
        packages: &[&String],
    ) -> Option<Vec<(String, ActionError)>> {
        let mut caller = Caller::new(socket);
        let mut failed = Vec::new();
        for package in packages {
            let of = |name: &str, value| Map::from_iter([(name.to_owned(), value)]);
            let mut event = of("type", Value::from("config.change"));
            let data = of("package", Value::from(package.as_str()));
            event.insert("data".to_owned(), Value::Object(data));
            let deadline = Instant::now() + EVENT_TIMEOUT.min(self.timeout);
            match caller.call("service", "event", &event, deadline) {
                Ok(_) => {}
                Err(CallError::Absent | CallError::Refused(Status::NotFound)) => return None,
                Err(e) => {
                    let whom = "service event".to_owned();
                    failed.push(((*package).clone(), ActionError::Ubus(whom, e)));
                }
            }
        }
        Some(failed)
    }

    /// What procd says of the board (`system board`); `None` where it cannot be asked, or has
    /// not answered within `timeout`.
    pub fn board(&self, timeout: Duration) -> Option<Map<String, Value>> {
        let mut caller = Caller::new(self.ubus.as_deref()?);
        let answers = caller.call("system", "board", &Map::new(), Instant::now() + timeout);
        answers.ok()?.into_iter().next()
    }

    /// Has the DHCP client of this network ask its server again. The command, or netifd,
    /// only tells it to, and has no more than `timeout` for that.
    pub fn renew_dhcp(&self, network: &str, timeout: Duration) -> Result<(), ActionError> {
        let object = format!("network.interface.{network}");
        let configured = self.actions.renew_dhcp.as_deref();
        let (Some(socket), None) = (&self.ubus, configured) else {
            let of_network = |argument: &String| argument.replace("{interface}", network);
            let argv = configured.map(|argv| argv.iter().map(of_network).collect::<Vec<_>>());
            let default = ["/bin/ubus", "call", &object, "renew"];
            let quick = self.clone().with_timeout(timeout);
            return quick.act("renew_dhcp", argv.as_deref(), &default);
        };
        // A star would stand for any object.
        if network.contains('*') {
            let refused = CallError::Refused(Status::NotFound);
            return Err(ActionError::Ubus(format!("{object} renew"), refused));
        }
        let deadline = Instant::now() + timeout.min(self.timeout);
        let called = Caller::new(socket).call(&object, "renew", &Map::new(), deadline);
        called
            .map(drop)
            .map_err(|e| ActionError::Ubus(format!("{object} renew"), e))
    }

    fn act(
        &self,
        key: &'static str,
        configured: Option<&[String]>,
        default: &[&str],
    ) -> Result<(), ActionError> {
        match configured {
            Some(argv) => self.run(argv),
            None if self.root.is_system() => {
                let argv: Vec<String> = default.iter().map(|a| (*a).to_owned()).collect();
                self.run(&argv)
            }
            None => Err(ActionError::NotConfigured(key)),
        }
    }

    fn run(&self, argv: &[String]) -> Result<(), ActionError> {
        let root = self.root.dir().to_string_lossy();
        process::run(&Program {
            argv,
            env: &[("CWMP_ROOT", &*root)],
            timeout: self.timeout,
            output: Output::Drop,
        })
        .map(|_| ())
        .map_err(|error| ActionError::Run {
            argv0: argv.first().cloned().unwrap_or_default(),
            error,
        })
    }
}
