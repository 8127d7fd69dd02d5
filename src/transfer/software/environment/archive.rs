//! Plain archives, each unpacked into a folder of its own.
//!
//! `NAME-VERSION` is such a folder; while one is unpacked it is called `NAME-VERSION.part`,
//! so that after a power cut a folder is either whole or known not to be. What the start
//! scripts leave running is theirs; whether it runs, `status` tells.

use super::manifest::{self, Manifest, UnitOf};
use super::{Definition, Held, QUICK, Runner, Surroundings};
use crate::cwmp::message::TransferFault;
use crate::process::{self, Output, Program, RunError};
use crate::store::RealDisk;
use crate::store::disk::Disk;
use crate::transfer::archive::{self, ArchiveError, Limits, Reader};
use crate::transfer::software::record::Intent;
use crate::transfer::software::{Failure, failure};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The ending of a folder that is not whole.
const PART: &str = ".part";
/// Most units that are looked at.
const MOST: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Archive {
    pub runner: Runner,
    dir: String,
    keep_free: u64,
    limits: Limits,
}

impl Archive {
    pub fn new(definition: &Definition, runner: Runner, around: &Surroundings) -> Archive {
        Archive {
            runner,
            dir: definition.dir.clone(),
            keep_free: around.keep_free,
            limits: Limits {
                total: around.unpacked,
                ..Limits::default()
            },
        }
    }

    /// Where its units lie, below the root.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    fn folder(&self, duid: &str) -> Result<PathBuf, String> {
        Ok(self.runner.real(&self.dir)?.join(duid))
    }

    pub fn inspect(&self, file: &Path) -> Result<Option<Intent>, Failure> {
        let fault = |e: ArchiveError| Failure::from(TransferFault::from(e));
        let mut reader = match Reader::open(file, self.limits) {
            Ok(reader) => reader,
            Err(ArchiveError::Damaged(_)) => return Ok(None),
            Err(e) => return Err(fault(e)),
        };
        let mut found = None;
        loop {
            match reader.next() {
                Ok(Some(entry)) if entry.name == manifest::NAME => {
                    found = Some(reader.content(manifest::MAX).map_err(fault)?);
                    break;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // It may be something else altogether.
                Err(e) => return archive_or_none(e, file, &self.limits),
            }
        }
        let Some(bytes) = found else {
            return Ok(None);
        };
        let read = Manifest::parse(&bytes).map_err(|what| failure(9018, &what))?;
        // Everything that unpacking would refuse is refused now.
        archive::survey(file, &self.limits).map_err(fault)?;
        Ok(Some(Intent {
            duid: format!("{}-{}", read.name, read.version),
            name: read.name,
            vendor: read.vendor,
            version: read.version,
            description: read.description,
        }))
    }

    pub fn install(
        &self,
        file: &Path,
        wanted: &Intent,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let fault = |e: ArchiveError| Failure::from(TransferFault::from(e));
        let disk = |e: String| failure(9027, &e);
        let target = self.folder(&wanted.duid).map_err(disk)?;
        let part = self
            .folder(&format!("{}{PART}", wanted.duid))
            .map_err(disk)?;
        let above = target.parent().unwrap_or(Path::new("/"));
        let made = RealDisk.make_dir(above, 0o755);
        made.map_err(|e| disk(format!("{}: {e}", above.display())))?;
        // What a power cut left.
        take_away(&part).map_err(|e| disk(format!("{}: {e}", part.display())))?;
        archive::unpack(file, &part, &self.limits, self.keep_free, stopped).map_err(fault)?;
        if let Err(what) = read_manifest(&part).and_then(|m| programs_are_there(&part, &m)) {
            let _ = take_away(&part);
            return Err(failure(9018, &what));
        }
        // A version is put in place once: what lies there belongs to no unit.
        let placed = take_away(&target)
            .and_then(|()| fs::rename(&part, &target))
            .and_then(|()| RealDisk.sync_dir(above));
        placed.map_err(|e| {
            let _ = take_away(&part);
            disk(format!("{}: {e}", target.display()))
        })
    }

    pub fn remove(&self, duid: &str) -> Result<(), Failure> {
        let disk = |e: String| failure(9027, &e);
        let target = self.folder(duid).map_err(disk)?;
        let part = self.folder(&format!("{duid}{PART}")).map_err(disk)?;
        let taken = take_away(&part).and_then(|()| match fs::rename(&target, &part) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        });
        // From here on it is not there, even if a power cut leaves some of it.
        let above = target.parent().unwrap_or(Path::new("/"));
        let taken = taken.and_then(|()| take_away(&part));
        if above.is_dir() {
            let _ = RealDisk.sync_dir(above);
        }
        taken.map_err(|e| disk(format!("{}: {e}", target.display())))
    }

    /// Takes away what power cuts left.
    pub fn sweep(&self) {
        let dir = self.runner.real(&self.dir);
        let entries = dir.map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
        for entry in entries.into_iter().flatten().take(MOST) {
            let name = entry.file_name();
            if name.to_string_lossy().ends_with(PART)
                && let Err(e) = take_away(&entry.path())
            {
                log::warn!("{}: {e}", entry.path().display());
            }
        }
    }

    /// What is whole.
    pub fn list(&self) -> Result<Vec<Held>, String> {
        let dir = self.runner.real(&self.dir)?;
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(format!("{}: {e}", dir.display())),
        };
        let mut all = Vec::new();
        for entry in entries.take(MOST) {
            let entry = entry.map_err(|e| format!("{}: {e}", dir.display()))?;
            let Ok(duid) = entry.file_name().into_string() else {
                continue;
            };
            if duid.ends_with(PART) {
                continue;
            }
            let Ok(read) = read_manifest(&entry.path()) else {
                continue;
            };
            if duid == format!("{}-{}", read.name, read.version) {
                all.push(Held {
                    duid,
                    name: read.name,
                    vendor: read.vendor,
                    version: read.version,
                    description: read.description,
                    resolved: true,
                    explicit: true,
                });
            }
        }
        all.sort_by(|a, b| a.duid.cmp(&b.duid));
        Ok(all)
    }

    fn unit(&self, duid: &str, name: &str) -> Option<UnitOf> {
        let read = read_manifest(&self.folder(duid).ok()?).ok()?;
        read.units.into_iter().find(|unit| unit.name == name)
    }

    pub fn units(&self, duid: &str) -> Vec<(String, bool)> {
        let read = self.folder(duid).and_then(|folder| read_manifest(&folder));
        let units = read.map(|m| m.units).unwrap_or_default();
        units.into_iter().map(|u| (u.name, u.auto_start)).collect()
    }

    pub fn is_running(&self, duid: &str, name: &str) -> Option<bool> {
        let unit = self.unit(duid, name)?;
        if unit.status.is_empty() {
            return None;
        }
        match self.script(duid, &unit.status) {
            Ok(()) => Some(true),
            Err(RunError::Status(_)) => Some(false),
            Err(_) => None,
        }
    }

    pub fn switch(&self, duid: &str, name: &str, on: bool) -> Result<(), String> {
        let unit = self.unit(duid, name).ok_or("its module.toml is gone")?;
        let argv = if on { &unit.start } else { &unit.stop };
        self.script(duid, argv)
            .map_err(|e| format!("{}: {e}", argv.first().map_or("", String::as_str)))
    }

    /// Runs a script of a module, by its path in the module's folder.
    fn script(&self, duid: &str, argv: &[String]) -> Result<(), RunError> {
        let folder = self.folder(duid).map_err(RunError::Argv)?;
        let mut argv = argv.to_vec();
        if let Some(program) = argv.first_mut() {
            *program = folder.join(&*program).to_string_lossy().into_owned();
        }
        let root = self.runner.root.dir().to_string_lossy();
        process::run(&Program {
            argv: &argv,
            env: &[
                ("CWMP_ROOT", &*root),
                ("CWMP_MODULE", &*folder.to_string_lossy()),
            ],
            timeout: QUICK,
            output: Output::Drop,
        })
        .map(|_| ())
    }
}

/// A damaged tar without a manifest so far: hostile, or not an archive at all.
fn archive_or_none(
    e: ArchiveError,
    file: &Path,
    limits: &Limits,
) -> Result<Option<Intent>, Failure> {
    let begins = Reader::open(file, *limits).and_then(|mut r| r.next());
    match (e, begins) {
        (ArchiveError::Damaged(_), Err(_)) => Ok(None),
        (e, _) => Err(Failure::from(TransferFault::from(e))),
    }
}

fn read_manifest(folder: &Path) -> Result<Manifest, String> {
    let path = folder.join(manifest::NAME);
    let bytes = RealDisk.read_no_link(&path, manifest::MAX as u64);
    Manifest::parse(&bytes.map_err(|e| format!("{}: {e}", path.display()))?)
}

/// Whether every program that the manifest names is in the archive.
fn programs_are_there(folder: &Path, manifest: &Manifest) -> Result<(), String> {
    let lists = manifest
        .units
        .iter()
        .flat_map(|u| [&u.start, &u.stop, &u.status]);
    for program in lists.filter_map(|argv| argv.first()) {
        if !folder.join(program).is_file() {
            return Err(format!(
                "{} names {program}, which is not in the archive",
                manifest::NAME
            ));
        }
    }
    Ok(())
}

/// Takes a folder away; no error where there is none.
fn take_away(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
