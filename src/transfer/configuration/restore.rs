//! A configuration file that comes back: read and checked whole, then put into force whole.

use super::{FOLDER, IN_ARCHIVE, MAX_PACKAGES, MAX_TOGETHER, Secrets};
use crate::cwmp::fault;
use crate::cwmp::message::TransferFault;
use crate::model::source::{FileChange, Trouble};
use crate::net::url::Url;
use crate::store::{Disk, RealDisk, Root};
use crate::transfer::apply::Commit;
use crate::transfer::archive::{CORRUPT, Kind, Limits, Reader};
use crate::uci::file::FileError;
use crate::uci::lock::Locked;
use crate::uci::{MAX_BYTES, Package, Section, Value, split_export, valid_package};
use log::{info, warn};
use std::path::Path;
use std::time::Duration;

/// How long others may hold a package's lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// The package of this agent's own settings.
const OWN: &str = "cwmp";

/// Packages that a file brought, each read and found good. Nothing is changed yet.
pub struct Restore {
    /// By name.
    packages: Vec<(String, Vec<u8>)>,
}

fn corrupt(text: impl Into<String>) -> TransferFault {
    TransferFault {
        code: CORRUPT,
        text: text.into(),
    }
}

fn failed(text: impl Into<String>) -> TransferFault {
    TransferFault {
        code: fault::DOWNLOAD_FAILURE,
        text: text.into(),
    }
}

impl Restore {
    /// Reads a configuration file, which is one of these:
    ///
    /// * a tar or tar.gz as [`save`](super::save) or `sysupgrade -b` makes it: the regular
    ///   files `etc/config/NAME` count, everything else in it is passed over;
    /// * a text of one or several packages, each behind a line `package NAME`, as
    ///   `uci export` prints it;
    /// * a UCI file as it lies in `/etc/config`; `target_file_name` says of which package
    ///   (a path, or an ending such as `.conf`, does not count).
    ///
    /// # Errors
    /// 9018: it is none of these, or a package in it is one that libuci would not read;
    /// 9010: it is too large, or cannot be read.
    pub fn read(file: &Path, target_file_name: &str) -> Result<Restore, TransferFault> {
        let mut restore = Restore {
            packages: Vec::new(),
        };
        if is_text(file)? {
            restore.take_text(file, target_file_name)?;
        } else {
            restore.take_archive(file)?;
        }
        if restore.packages.is_empty() {
            return Err(corrupt("there is no configuration in the file"));
        }
        restore.packages.sort_unstable();
        Ok(restore)
    }

    fn take_archive(&mut self, file: &Path) -> Result<(), TransferFault> {
        let mut reader = Reader::open(file, Limits::default())?;
        let mut passed_over = 0u32;
        while let Some(entry) = reader.next()? {
            let name = entry.name.strip_prefix(IN_ARCHIVE);
            match name.filter(|name| valid_package(name)) {
                Some(name) if entry.kind == Kind::File => {
                    let text = reader.content(MAX_BYTES)?;
                    self.take(name, text)?;
                }
                Some(name) => {
                    return Err(corrupt(format!(
                        "{IN_ARCHIVE}{name} in it is no regular file"
                    )));
                }
                None if entry.kind == Kind::File => passed_over += 1,
                None => {}
            }
        }
        if passed_over > 0 {
            info!("{passed_over} files that are no UCI packages are not taken from the archive");
        }
        Ok(())
    }

    fn take_text(&mut self, file: &Path, target_file_name: &str) -> Result<(), TransferFault> {
        let text = RealDisk.read(file, MAX_TOGETHER as u64);
        let text = text.map_err(|e| failed(format!("the file cannot be read: {e}")))?;
        let packages = split_export(&text).map_err(|e| corrupt(format!("no UCI file: {e}")))?;
        for (name, text) in packages {
            let name = match &name {
                Some(name) => name,
                None => package_of(target_file_name).ok_or_else(|| {
                    corrupt(
                        "the file does not say of which package it is: \
                         begin it with `package NAME`, or name it by TargetFileName",
                    )
                })?,
            };
            self.take(name, text)?;
        }
        Ok(())
    }

    fn take(&mut self, name: &str, text: Vec<u8>) -> Result<(), TransferFault> {
        let together: usize = self.packages.iter().map(|(_, text)| text.len()).sum();
        if self.packages.len() >= MAX_PACKAGES || together + text.len() > MAX_TOGETHER {
            return Err(failed(format!(
                "it holds more than {MAX_PACKAGES} packages or {MAX_TOGETHER} bytes of them"
            )));
        }
        if self.packages.iter().any(|(known, _)| known == name) {
            return Err(corrupt(format!("it holds the package {name} twice")));
        }
        Package::parse(&text).map_err(|e| corrupt(format!("package {name}: {e}")))?;
        self.packages.push((name.to_owned(), text));
        Ok(())
    }

    /// Puts the packages into force, all or none, by one call of `commit`; gives the names
    /// of those that changed. A package that says what the router says already (comments
    /// and the order of options aside) is not written; packages that are not in the file
    /// stay. A secret that a section of the router has, and that of the same name and type
    /// in the file has not, stays; anonymous sections are compared by their place among
    /// those of their type.
    ///
    /// # Errors
    /// 9010 where the router's files cannot be read, locked or written, and where a
    /// `cwmp` package in it would leave the router without an ACS; all is as it was.
    pub fn apply(
        self,
        root: &Root,
        secrets: &Secrets,
        commit: &mut Commit<'_>,
    ) -> Result<Vec<String>, TransferFault> {
        let mut locks = Vec::new();
        let mut changes = Vec::new();
        for (name, text) in self.packages {
            // A link stays, and what it leads to is replaced.
            let path = root
                .path(&format!("{FOLDER}/{name}"))
                .map_err(|e| failed(e.to_string()))?;
            let present = match Locked::acquire(&path, LOCK_WAIT) {
                Ok(locked) => Some(locked),
                Err(FileError::Missing { .. }) => None,
                Err(e) => return Err(failed(e.to_string())),
            };
            let old = present.as_ref().map(Locked::package);
            let old = match old {
                Some(Err(e)) => {
                    warn!("{e}; it is replaced, and no secrets of it are kept");
                    None
                }
                Some(Ok(old)) => Some(old),
                None => None,
            };
            let new = keep_secrets(&name, old.as_ref(), &text, secrets)?;
            if name == OWN {
                still_reaches_an_acs(old.as_ref(), &new)?;
            }
            if old.is_some_and(|old| says_the_same(&old, &new)) {
                continue;
            }
            locks.extend(present);
            changes.push(FileChange {
                path,
                content: Some(new.to_bytes()),
                mode: 0o600,
                reload: vec![name],
            });
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        commit(&changes).map_err(|e: Trouble| failed(e.to_string()))?;
        for lock in locks {
            lock.hand_over();
        }
        Ok(changes.into_iter().flat_map(|c| c.reload).collect())
    }
}

/// Whether a file begins like a text: neither gzip nor the header of a tar, in which NULs
/// fill up the name.
fn is_text(file: &Path) -> Result<bool, TransferFault> {
    use std::io::Read;
    let mut first = Vec::new();
    let opened = std::fs::File::open(file).and_then(|f| f.take(512).read_to_end(&mut first));
    opened.map_err(|e| failed(format!("the file cannot be read: {e}")))?;
    Ok(!first.starts_with(&[0x1f, 0x8b]) && !first.contains(&0))
}

/// The package that a TargetFileName means: `network`, `/etc/config/network`,
/// `network.conf`.
fn package_of(target_file_name: &str) -> Option<&str> {
    let name = target_file_name.rsplit('/').next()?;
    let name = name.split('.').next()?;
    valid_package(name).then_some(name)
}

/// What the new text says, with the secrets of the router that it leaves out.
fn keep_secrets(
    name: &str,
    old: Option<&Package>,
    text: &[u8],
    secrets: &Secrets,
) -> Result<Package, TransferFault> {
    let mut new = Package::parse(text).map_err(|e| corrupt(format!("package {name}: {e}")))?;
    let Some(old) = old else {
        return Ok(new);
    };
    for at in 0..new.sections().len() {
        let Some(theirs) = new.sections().get(at) else {
            break;
        };
        let Some(ours) = same_section(old, &new, at, theirs) else {
            continue;
        };
        let missing: Vec<(String, Value)> = ours
            .options()
            .filter(|(option, value)| {
                theirs.get(option).is_none() && secrets.hides(name, ours, option, value)
            })
            // What is not UTF-8 would be written back as something else.
            .filter(|(_, value)| !value.items().iter().any(|v| v.contains('\u{FFFD}')))
            .map(|(option, value)| (option.to_owned(), value.clone()))
            .collect();
        for (option, value) in missing {
            let set = match &value {
                Value::One(text) => new.set(at, &option, text),
                Value::List(items) => new.set_list(at, &option, items),
            };
            set.map_err(|e| failed(format!("package {name}: {e}")))?;
        }
    }
    Ok(new)
}

/// The section of the router that one of the file is: of the same name and type, or
/// without a name at the same place among those of its type.
fn same_section<'a>(
    old: &'a Package,
    new: &Package,
    at: usize,
    theirs: &Section,
) -> Option<&'a Section> {
    if let Some(name) = theirs.name() {
        let found = old.section(name).and_then(|at| old.sections().get(at));
        return found.filter(|ours| ours.kind() == theirs.kind());
    }
    let is_alike = |s: &&Section| s.kind() == theirs.kind() && s.name().is_none();
    let before = new.sections().iter().take(at).filter(is_alike).count();
    old.sections().iter().filter(is_alike).nth(before)
}

/// Whether two packages mean the same: the order of sections counts, that of options not.
fn says_the_same(old: &Package, new: &Package) -> bool {
    let alike = |(a, b): (&Section, &Section)| {
        (a.kind(), a.name()) == (b.kind(), b.name())
            && a.options().len() == b.options().len()
            && a.options()
                .all(|(option, value)| b.get(option) == Some(value))
    };
    let (old, new) = (old.sections(), new.sections());
    old.len() == new.len() && old.iter().zip(new).all(alike)
}

/// Refuses settings of this agent with which the ACS that sent them could never be asked
/// for others.
fn still_reaches_an_acs(old: Option<&Package>, new: &Package) -> Result<(), TransferFault> {
    let option = |package: &Package, section: &str, option: &str| {
        let at = package.section(section)?;
        let value = package.sections().get(at)?.get(option)?;
        value.as_one().map(|text| text.trim().to_owned())
    };
    let url = option(new, "acs", "url").unwrap_or_default();
    let had_one = old.and_then(|old| option(old, "acs", "url"));
    if url.is_empty() && had_one.is_some_and(|url| !url.is_empty()) {
        return Err(failed(
            "package cwmp: acs.url is missing; the router would have no ACS any more",
        ));
    }
    if !url.is_empty() && Url::parse(&url).is_err() {
        return Err(failed("package cwmp: acs.url is no http or https URL"));
    }
    Ok(())
}
