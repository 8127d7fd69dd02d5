//! A folder of the real file system behind `store::disk::Disk`: what the agent reads is
//! really there, every step that changes something is counted, can fail or be the last
//! before a power cut, and the folder can be put back to what was forced to the disk.
//!
//! A power cut unwinds the agent's thread on the spot: nothing happens after it, on the
//! network neither.

use super::{Fate, Survives, errno};
use cwmp_agent::store::disk::{Disk, RealDisk, Stat, missing_dirs};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What unwinds an agent whose power goes.
struct PowerCut;

/// Runs the agent until it ends or its power goes (`None`).
pub fn until_power_cut<T>(agent: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(agent)) {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<PowerCut>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// One thing in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir(u32),
    File(Vec<u8>, u32),
}

/// All that is in a folder.
pub type Image = BTreeMap<PathBuf, Node>;

/// What lies directly in a folder and is never written: left out of every image.
const FIXED: [&str; 4] = ["proc", "sys", "tmp", "bin"];

/// Reads all that is in a folder; sockets, links and pipes are left out.
pub fn image_of(dir: &Path) -> Image {
    let mut image = Image::new();
    let mut left = vec![dir.to_owned()];
    let mut above = None;
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            if above.is_none() && FIXED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let mode = meta.mode() & 0o7777;
            if meta.is_dir() {
                image.insert(path.clone(), Node::Dir(mode));
                left.push(path);
            } else if meta.is_file() {
                image.insert(path.clone(), Node::File(fs::read(&path).unwrap(), mode));
            }
        }
        above = Some(dir);
    }
    image
}

/// Makes a folder hold exactly what the image says.
pub fn put_back(dir: &Path, image: &Image) {
    let now = image_of(dir);
    for (path, node) in now.iter().rev() {
        match (node, image.get(path)) {
            (Node::Dir(_), None) => fs::remove_dir_all(path).unwrap(),
            (Node::File(..), None | Some(Node::Dir(_))) if path.exists() => {
                fs::remove_file(path).unwrap();
            }
            (Node::Dir(_), Some(Node::File(..))) => fs::remove_dir_all(path).unwrap(),
            _ => {}
        }
    }
    for (path, node) in image {
        if now.get(path) == Some(node) {
            continue;
        }
        let mode = match node {
            Node::Dir(mode) => {
                if !path.is_dir() {
                    fs::create_dir(path).unwrap();
                }
                mode
            }
            Node::File(content, mode) => {
                // A new file: what was read from the old one must not look fresh.
                let _ = fs::remove_file(path);
                fs::write(path, content).unwrap();
                mode
            }
        };
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
    }
}

#[derive(Clone)]
struct Inode {
    /// `None`: a folder.
    now: Option<Vec<u8>>,
    durable: Vec<u8>,
    mode: u32,
}

#[derive(Clone)]
enum NameOp {
    Add(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

type Names = BTreeMap<PathBuf, usize>;

impl NameOp {
    fn dir(&self) -> &Path {
        let (NameOp::Add(p, _) | NameOp::Remove(p) | NameOp::Rename(_, p)) = self;
        p.parent().unwrap()
    }

    fn apply(&self, names: &mut Names) {
        match self {
            NameOp::Add(p, i) => {
                names.insert(p.clone(), *i);
            }
            NameOp::Remove(p) => {
                names.remove(p);
            }
            NameOp::Rename(from, to) => {
                if let Some(i) = names.remove(from) {
                    names.insert(to.clone(), i);
                }
            }
        }
    }
}

struct Inner {
    inodes: Vec<Inode>,
    names: Names,
    durable_names: Names,
    /// Not yet forced to the disk, in order.
    ops: Vec<NameOp>,
    fate: Fate,
    /// What was done since the fate was set, in words.
    log: Vec<String>,
    dead: bool,
    /// A file of this name cannot be read.
    unreadable: Option<String>,
}

/// See the module.
pub struct FrailFolder {
    dir: PathBuf,
    inner: Mutex<Inner>,
}

impl FrailFolder {
    /// All that is in the folder now is durable.
    pub fn new(dir: &Path) -> FrailFolder {
        let mut inodes = Vec::new();
        let mut names = Names::new();
        for (path, node) in image_of(dir) {
            names.insert(path, inodes.len());
            inodes.push(match node {
                Node::Dir(mode) => Inode {
                    now: None,
                    durable: Vec::new(),
                    mode,
                },
                Node::File(content, mode) => Inode {
                    now: Some(content.clone()),
                    durable: content,
                    mode,
                },
            });
        }
        FrailFolder {
            dir: dir.to_owned(),
            inner: Mutex::new(Inner {
                inodes,
                durable_names: names.clone(),
                names,
                ops: Vec::new(),
                fate: Fate::Sound,
                log: Vec::new(),
                dead: false,
                unreadable: None,
            }),
        }
    }

    /// From now on, counted from this moment.
    pub fn set_fate(&self, fate: Fate) {
        let mut d = self.inner.lock().unwrap();
        d.fate = fate;
        d.log.clear();
    }

    /// Files of this name cannot be read from now on.
    pub fn refuse_to_read(&self, name: &str) {
        self.inner.lock().unwrap().unreadable = Some(name.to_owned());
    }

    /// What was tried since the fate was set: a line for each step.
    pub fn log(&self) -> Vec<String> {
        self.inner.lock().unwrap().log.clone()
    }

    /// How many steps were tried since the fate was set.
    pub fn steps(&self) -> u32 {
        u32::try_from(self.log().len()).unwrap()
    }

    /// What the next boot finds, given how much of what was not forced to the disk
    /// survives.
    pub fn after_power_cut(&self, survives: Survives) -> Image {
        let d = self.inner.lock().unwrap();
        let mut coin = super::coin(survives);
        let mut names = d.durable_names.clone();
        for op in &d.ops {
            let keep = match survives {
                Survives::Nothing => false,
                Survives::Names | Survives::Everything => true,
                Survives::Some(_) => coin(),
            };
            if keep {
                op.apply(&mut names);
            }
        }
        let mut image = Image::new();
        for (path, i) in &names {
            let inode = &d.inodes[*i];
            // A folder that did not survive takes with it what is in it.
            let above = path.parent().unwrap();
            if above != self.dir && !image.contains_key(above) {
                continue;
            }
            let node = match &inode.now {
                None => Node::Dir(inode.mode),
                Some(now) => {
                    let content = match survives {
                        _ if *now == inode.durable => now.clone(),
                        Survives::Nothing | Survives::Names => inode.durable.clone(),
                        Survives::Everything => now.clone(),
                        Survives::Some(_) if coin() => now[..now.len() / 2].to_vec(),
                        Survives::Some(_) => inode.durable.clone(),
                    };
                    Node::File(content, inode.mode)
                }
            };
            image.insert(path.clone(), node);
        }
        image
    }

    /// Counts a step, lets it happen or not, and notes what it did.
    fn step(
        &self,
        what: String,
        act: impl FnOnce() -> io::Result<()>,
        note: impl FnOnce(&mut Inner),
    ) -> io::Result<()> {
        let mut d = self.inner.lock().unwrap();
        let n = u32::try_from(d.log.len()).unwrap();
        d.log.push(what);
        match d.fate {
            Fate::CutAfter(k) if n >= k => d.dead = true,
            Fate::FailThenCut(_, _, k) if n >= k => d.dead = true,
            Fate::FailOnce(k, e) | Fate::FailThenCut(k, e, _) if n == k => return Err(errno(e)),
            Fate::FailFrom(k, e) if n >= k => return Err(errno(e)),
            _ => {}
        }
        if d.dead {
            drop(d);
            if std::thread::panicking() {
                return Err(errno(5));
            }
            resume_unwind(Box::new(PowerCut));
        }
        act()?;
        note(&mut d);
        Ok(())
    }

    fn named(
        &self,
        what: &str,
        path: &Path,
        op: NameOp,
        act: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.step(format!("{what} {}", path.display()), act, |d| {
            op.apply(&mut d.names);
            d.ops.push(op);
        })
    }

    fn new_inode(&self, now: Option<Vec<u8>>, mode: u32) -> usize {
        let mut d = self.inner.lock().unwrap();
        d.inodes.push(Inode {
            now,
            durable: Vec::new(),
            mode,
        });
        d.inodes.len() - 1
    }
}

impl Disk for FrailFolder {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let name = self.inner.lock().unwrap().unreadable.clone();
        if name.is_some_and(|name| path.ends_with(name)) {
            return Err(errno(13));
        }
        RealDisk.read(path, limit)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        RealDisk.stat(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.resolve(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn create(
        &self,
        path: &Path,
        content: &[u8],
        mode: u32,
        _owner: Option<(u32, u32)>,
    ) -> io::Result<()> {
        let i = self.new_inode(Some(Vec::new()), mode);
        let mut made: Option<File> = None;
        self.named("create", path, NameOp::Add(path.to_owned(), i), || {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(path)?;
            made = Some(file);
            Ok(())
        })?;
        let mut file = made.unwrap();
        let half = content.len() / 2;
        let written = self.step(
            format!("write {}", path.display()),
            || file.write_all(content),
            |d| d.inodes[i].now = Some(content.to_vec()),
        );
        if written.is_err() {
            // What a full disk does: some of it.
            file.write_all(&content[..half])?;
        }
        written?;
        self.step(
            format!("fsync {}", path.display()),
            || Ok(()),
            |d| d.inodes[i].durable = content.to_vec(),
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let op = NameOp::Rename(from.to_owned(), to.to_owned());
        self.named("rename to", to, op, || fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_err() {
            // Nothing is there, and nothing is written.
            return fs::remove_file(path);
        }
        let op = NameOp::Remove(path.to_owned());
        self.named("remove", path, op, || fs::remove_file(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step(
            format!("fsync {}/", dir.display()),
            || File::open(dir).map(|_| ()),
            |d| {
                let (mine, others): (Vec<NameOp>, Vec<NameOp>) =
                    d.ops.drain(..).partition(|op| op.dir() == dir);
                for op in &mine {
                    op.apply(&mut d.durable_names);
                }
                d.ops = others;
            },
        )
    }

    fn make_dir(&self, dir: &Path, mode: u32) -> io::Result<()> {
        for new in missing_dirs(dir) {
            let i = self.new_inode(None, mode);
            self.named("mkdir", new, NameOp::Add(new.to_owned(), i), || {
                fs::DirBuilder::new().mode(mode).create(new)
            })?;
            self.sync_dir(new.parent().unwrap())?;
        }
        Ok(())
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        if path.exists() {
            return RealDisk.open_lock(path);
        }
        let i = self.new_inode(Some(Vec::new()), 0o600);
        let mut made = None;
        self.named("create", path, NameOp::Add(path.to_owned(), i), || {
            made = Some(RealDisk.open_lock(path)?);
            Ok(())
        })?;
        Ok(made.unwrap())
    }

    fn write_lock(&self, file: &File, text: &[u8]) -> io::Result<()> {
        // Not tracked: what is in a lock file outlives nobody.
        self.step(
            "write the lock".to_owned(),
            || RealDisk.write_lock(file, text),
            |_| {},
        )
    }
}
