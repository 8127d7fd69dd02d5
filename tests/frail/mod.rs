//! A disk in memory that can fail, or lose its power, after any step, and that forgets
//! what was not fsynced: the stand-in behind `store::disk::Disk`.

#![allow(dead_code)]

pub mod folder;

use cwmp_agent::store::disk::{Disk, Stat};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What the disk does to the steps after the first few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing happens.
    Sound,
    /// The power goes after this many steps: no later step has an effect.
    CutAfter(u32),
    /// This one step (from 0) fails with this errno.
    FailOnce(u32, i32),
    /// This step and all after it fail with this errno.
    FailFrom(u32, i32),
    /// This step fails with this errno, and the power goes at the second number.
    FailThenCut(u32, i32, u32),
}

/// How much of what was not fsynced survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    Nothing,
    /// Renames and removals do, contents do not.
    Names,
    Everything,
    /// Some of the steps, drawn from this seed; contents are torn.
    Some(u64),
}

#[derive(Clone)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
}

#[derive(Clone)]
enum NameOp {
    Add(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameOp {
    fn dir(&self) -> &Path {
        let (NameOp::Add(p, _) | NameOp::Remove(p) | NameOp::Rename(_, p)) = self;
        p.parent().unwrap()
    }
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
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
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Not yet fsynced, in order.
    ops: Vec<NameOp>,
    steps: u32,
    fate: Fate,
    /// This file cannot be removed.
    stuck: Option<PathBuf>,
}

pub struct FrailDisk {
    inner: Mutex<Inner>,
}

pub fn errno(n: i32) -> io::Error {
    io::Error::from_raw_os_error(n)
}

/// Chance for what survives, the same for the same seed.
fn coin(survives: Survives) -> impl FnMut() -> bool {
    let mut chance = match survives {
        Survives::Some(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        _ => 1,
    };
    move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance & 4 != 0
    }
}

impl FrailDisk {
    /// A disk that holds these files, durable, mode 0644.
    pub fn holding(files: &[(&str, &[u8])]) -> FrailDisk {
        let mut inodes = Vec::new();
        let mut names = BTreeMap::new();
        for (path, content) in files {
            names.insert(PathBuf::from(path), inodes.len());
            inodes.push(Inode {
                now: content.to_vec(),
                durable: content.to_vec(),
                mode: 0o644,
                owner: (0, 0),
            });
        }
        FrailDisk {
            inner: Mutex::new(Inner {
                inodes,
                durable_names: names.clone(),
                names,
                ops: Vec::new(),
                steps: 0,
                fate: Fate::Sound,
                stuck: None,
            }),
        }
    }

    /// From now on, counted from this moment.
    pub fn set_fate(&self, fate: Fate) {
        let mut d = self.inner.lock().unwrap();
        d.fate = fate;
        d.steps = 0;
    }

    /// This file cannot be removed from now on.
    pub fn refuse_to_remove(&self, path: &str) {
        self.inner.lock().unwrap().stuck = Some(path.into());
    }

    /// How many steps since the last `set_fate`.
    pub fn steps(&self) -> u32 {
        self.inner.lock().unwrap().steps
    }

    /// The content of a file as it is seen now.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let d = self.inner.lock().unwrap();
        d.names
            .get(Path::new(path))
            .map(|&i| d.inodes[i].now.clone())
    }

    /// Writes as a hand would, durable at once.
    pub fn edit(&self, path: &str, content: &[u8]) {
        let mut d = self.inner.lock().unwrap();
        let i = d.inodes.len();
        d.inodes.push(Inode {
            now: content.to_vec(),
            durable: content.to_vec(),
            mode: 0o644,
            owner: (0, 0),
        });
        d.names.insert(PathBuf::from(path), i);
        d.durable_names.insert(PathBuf::from(path), i);
    }

    /// Removes as a hand would, durable at once.
    pub fn remove_by_hand(&self, path: &str) {
        let mut d = self.inner.lock().unwrap();
        d.names.remove(Path::new(path));
        d.durable_names.remove(Path::new(path));
    }

    pub fn all_names(&self) -> Vec<String> {
        let d = self.inner.lock().unwrap();
        d.names.keys().map(|p| p.display().to_string()).collect()
    }

    /// The disk as the next boot finds it.
    pub fn after_power_cut(&self, survives: Survives) -> FrailDisk {
        let d = self.inner.lock().unwrap();
        let mut coin = coin(survives);
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
        let mut inodes = d.inodes.clone();
        for inode in &mut inodes {
            if inode.now != inode.durable {
                inode.now = match survives {
                    Survives::Nothing | Survives::Names => inode.durable.clone(),
                    Survives::Everything => inode.now.clone(),
                    Survives::Some(_) => {
                        let half = inode.now.len() / 2;
                        if coin() {
                            inode.now[..half].to_vec()
                        } else {
                            inode.durable.clone()
                        }
                    }
                };
            }
            inode.durable = inode.now.clone();
        }
        FrailDisk {
            inner: Mutex::new(Inner {
                inodes,
                durable_names: names.clone(),
                names,
                ops: Vec::new(),
                steps: 0,
                fate: Fate::Sound,
                stuck: None,
            }),
        }
    }

    fn step<T>(&self, act: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut d = self.inner.lock().unwrap();
        let n = d.steps;
        d.steps += 1;
        match d.fate {
            Fate::CutAfter(k) if n >= k => Err(errno(5)),
            Fate::FailOnce(k, e) if n == k => Err(errno(e)),
            Fate::FailFrom(k, e) if n >= k => Err(errno(e)),
            Fate::FailThenCut(k, e, _) if n == k => Err(errno(e)),
            Fate::FailThenCut(_, _, cut) if n >= cut => Err(errno(5)),
            _ => act(&mut d),
        }
    }
}

fn missing() -> io::Error {
    errno(2)
}

impl Disk for FrailDisk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let d = self.inner.lock().unwrap();
        let i = *d.names.get(path).ok_or_else(missing)?;
        let content = d.inodes[i].now.clone();
        if content.len() as u64 > limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(content)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let d = self.inner.lock().unwrap();
        let i = *d.names.get(path).ok_or_else(missing)?;
        let n = &d.inodes[i];
        Ok(Stat {
            mode: n.mode,
            uid: n.owner.0,
            gid: n.owner.1,
            len: n.now.len() as u64,
            is_file: true,
            is_dir: false,
        })
    }
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let d = self.inner.lock().unwrap();
        // These folders are always there.
        let is_file = d.names.contains_key(path);
        let is_dir = ["/state", "/etc", "/etc/config", "/other"]
            .iter()
            .any(|x| Path::new(x) == path);
        if is_file || is_dir {
            Ok(path.to_owned())
        } else {
            Err(missing())
        }
    }
    fn create(
        &self,
        path: &Path,
        content: &[u8],
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> io::Result<()> {
        self.step(|d| {
            if d.names.contains_key(path) {
                return Err(errno(17));
            }
            let i = d.inodes.len();
            d.inodes.push(Inode {
                now: Vec::new(),
                durable: Vec::new(),
                mode,
                owner: owner.unwrap_or((0, 0)),
            });
            let op = NameOp::Add(path.to_owned(), i);
            op.apply(&mut d.names);
            d.ops.push(op);
            Ok(())
        })?;
        self.step(|d| {
            let i = d.names[path];
            d.inodes[i].now = content.to_vec();
            Ok(())
        })?;
        self.step(|d| {
            let i = d.names[path];
            d.inodes[i].durable = d.inodes[i].now.clone();
            Ok(())
        })
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|d| {
            if !d.names.contains_key(from) {
                return Err(missing());
            }
            let op = NameOp::Rename(from.to_owned(), to.to_owned());
            op.apply(&mut d.names);
            d.ops.push(op);
            Ok(())
        })
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.inner.lock().unwrap().names.contains_key(path) {
            return Err(missing());
        }
        self.step(|d| {
            if d.stuck.as_deref() == Some(path) {
                return Err(errno(5));
            }
            let op = NameOp::Remove(path.to_owned());
            op.apply(&mut d.names);
            d.ops.push(op);
            Ok(())
        })
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step(|d| {
            let (mine, others): (Vec<NameOp>, Vec<NameOp>) =
                d.ops.drain(..).partition(|op| op.dir() == dir);
            for op in &mine {
                op.apply(&mut d.durable_names);
            }
            d.ops = others;
            Ok(())
        })
    }
    fn make_dir(&self, _dir: &Path, _mode: u32) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let d = self.inner.lock().unwrap();
        Ok(d.names
            .keys()
            .filter(|p| p.parent() == Some(dir))
            .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }
}
