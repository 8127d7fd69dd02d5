//! The agent as the daemon has it, on a copy of the sample router: real data model, real
//! sources, UCI files and state in a folder in memory.

#[path = "../../router/mod.rs"]
mod router;

use super::cpe::Cpe;
use cwmp_agent::agent::owed::Owed;
use cwmp_agent::agent::session::{self, Wire};
use cwmp_agent::agent::setup::Setup;
use cwmp_agent::agent::watch;
use cwmp_agent::agent::world::World;
use cwmp_agent::cwmp::session::Post;
use cwmp_agent::model::Model;
use cwmp_agent::store::state::StateDir;
use router::Router;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::MutexGuard;

const URL: &str = "http://acs.example/acs";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

pub struct FilesCpe {
    world: Option<World>,
    boots: u32,
    /// What broken files held before.
    broken: RefCell<BTreeMap<&'static str, String>>,
}

thread_local! {
    static ROUTER: Router = {
        let memory = Path::new("/dev/shm");
        // Whoever names a folder for temporary files clears it, too.
        let router = match memory.is_dir() && std::env::var_os("TMPDIR").is_none() {
            true => Router::new_in(memory),
            false => Router::new(),
        };
        router.expect("a copy of the sample router")
    };
}

struct Over<'w>(&'w mut dyn Wire);

impl Wire for Over<'_> {
    fn post(&mut self, post: &Post) -> Result<(u16, Vec<u8>), String> {
        self.0.post(post)
    }

    fn is_trusted(&self) -> bool {
        self.0.is_trusted()
    }
}

impl FilesCpe {
    /// A router as it was bought, but for the ACS's URL.
    pub fn new() -> FilesCpe {
        ROUTER.with(|router| {
            for (path, _, content) in router::FILES {
                if path.starts_with("etc/config/") {
                    let with_url = content.replace("option url ''", &format!("option url '{URL}'"));
                    router.write(path, &with_url).expect("a router's file");
                }
            }
            for folder in ["/etc/cwmp-agent", "/var/run/cwmp-agent"] {
                // There is none the first time.
                let _ = std::fs::remove_dir_all(router.path(folder));
            }
        });
        let mut cpe = FilesCpe {
            world: None,
            boots: 0,
            broken: RefCell::default(),
        };
        cpe.restart(true);
        cpe
    }

    fn world(&self) -> &World {
        self.world.as_ref().expect("it was opened by `new`")
    }

    fn begin(&self, boot: bool) {
        let (world, now) = (self.world(), 1_800_000_000);
        let url = world.settings().acs.url.clone();
        world.owed().start(boot, &url, now, [7; 16]);
    }

    fn write(&self, path: &str, content: &str) {
        ROUTER.with(|router| router.write(path, content).expect("a router's file"));
    }
}

/// The agent ends and starts again with this, whole and sealed, or raw, in the state file of
/// this name, and with nothing in the others; gives the state folder, and the names in it.
pub fn start_with(
    cpe: &mut FilesCpe,
    name: &str,
    body: &[u8],
    raw: bool,
) -> (StateDir, Vec<String>) {
    cpe.world = None;
    let dir = ROUTER.with(|router| router.path("/etc/cwmp-agent/state"));
    let _ = std::fs::remove_dir_all(&dir);
    let state = StateDir::open(&dir).expect("a folder");
    match raw {
        true => std::fs::write(state.path(name), body).expect("a file"),
        false => drop(state.save_bytes(name, body).expect("a file")),
    }
    cpe.restart(true);
    (state, names(&dir))
}

/// The agent ends and starts again; gives the names in its state folder.
pub fn start_again(cpe: &mut FilesCpe) -> Vec<String> {
    cpe.restart(false);
    names(cpe.world().state.dir())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let name = |e: std::io::Result<std::fs::DirEntry>| e.ok()?.file_name().into_string().ok();
    entries.filter_map(name).collect()
}

fn config(package: &str) -> String {
    format!("/etc/config/{package}")
}

impl Cpe for FilesCpe {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.world().model()
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.world().owed()
    }

    fn transfers(&self) -> Vec<String> {
        let list = self.world().transfers().list();
        list.into_iter().map(|t| t.command_key).collect()
    }

    fn forget_transfers(&self) {
        self.world().transfers().clear();
    }

    fn session(&self, wire: &mut dyn Wire) -> Result<(), String> {
        let world = self.world();
        world.read_settings();
        let url = world.settings().acs.url.clone();
        let mut owed = world.owed();
        if owed.check_url(&url) {
            owed.save();
        }
        drop(owed);
        session::run_over(world, |_| Ok(Over(wire))).map_or(Ok(()), |report| report.result)
    }

    fn changed_by_hand(&self, paths: Vec<String>) -> Vec<String> {
        let world = self.world();
        watch::changed_by_hand(world, &paths);
        let watch = world.watch();
        let told = |path: &String| watch.is_begun() && watch.watches(path);
        paths.into_iter().filter(told).collect()
    }

    fn restart(&mut self, boot: bool) {
        // The lock of the state goes with it.
        self.world = None;
        if boot {
            self.boots += 1;
            self.write(
                BOOT_ID,
                &format!("{:08x}-0000-4000-8000-000000000000\n", self.boots),
            );
        }
        let root = ROUTER.with(|router| router.root().to_owned());
        let setup = Setup::open(&root, None).expect("the sample router is a good one");
        self.world = Some(World::open(setup).expect("nobody else holds its state"));
        self.begin(boot);
    }

    fn begin_anew(&mut self) {
        self.world().read_settings();
        self.begin(true);
    }

    fn trouble(&self, kind: u8) {
        let packages = ["system", "network", "dhcp", "firewall", "wireless"];
        let package = packages[usize::from(kind >> 3) % packages.len()];
        let mut broken = self.broken.borrow_mut();
        if kind & 7 == 0 && !broken.contains_key(package) {
            let path = config(package);
            let content = ROUTER.with(|router| router.read(&path).expect("a router's file"));
            self.write(&path, "config broken 'never closed\n");
            broken.insert(package, content);
        } else if kind & 7 > 4 {
            for (package, content) in std::mem::take(&mut *broken) {
                self.write(&config(package), &content);
            }
        }
    }

    fn shuffle(&self, which: u8) {
        let packages = ["system", "network", "dhcp", "firewall", "wireless"];
        let path = config(packages[usize::from(which) % packages.len()]);
        let content = ROUTER.with(|router| router.read(&path).expect("a router's file"));
        self.write(&path, &format!("# looked at by hand\n\n{content}"));
    }

    fn has_acs(&self) -> bool {
        !self.world().settings().acs.url.is_empty()
    }

    fn cap(&self) -> usize {
        self.world().setup.config.limits.response as usize
    }
}
