//! What becomes of a downloaded file: the configured check, then what its type does.
//!
//! Built-in types read the file to its end before they change anything, so a file that is
//! not good is refused by [`check`] already.

use super::archive::{self, CORRUPT, Limits};
use super::command;
use super::configuration::{Restore, Secrets};
use super::file_types::{Apply, DownloadType};
use crate::cwmp::fault;
use crate::cwmp::message::TransferFault;
use crate::model::source::{FileChange, Trouble};
use crate::process::RunError;
use crate::store::Root;
use log::warn;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What checking and applying need of the world.
pub struct Applying<'a> {
    pub root: &'a Root,
    /// How long a program may run.
    pub timeout: Duration,
    /// Bytes that stay free on a file system that something is unpacked to.
    pub keep_free: u64,
    /// Bytes that an archive may hold unpacked.
    pub unpacked: u64,
    pub secrets: &'a Secrets,
    /// Asked now and then: yes ends what can be ended.
    pub stopped: &'a dyn Fn() -> bool,
}

/// What was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Packages that changed, each once: they are to be reloaded.
    pub reload: Vec<String>,
}

/// Replaces files, all or none, also when power goes (a `DiskJournal`'s commit; whoever
/// calls sees to it that the model changes nothing at that moment).
pub type Commit<'a> = dyn FnMut(&[FileChange]) -> Result<(), Trouble> + 'a;

/// The folder that web content without a usable TargetFileName goes to.
const WEB_FOLDER: &str = "acs";

/// Looks at a file: by the configured program, and for built-in types by reading it to its
/// end. Changes nothing.
///
/// # Errors
/// 9018 with what is wrong; 9010 where that cannot be found out.
pub fn check(
    kind: &DownloadType,
    file: &Path,
    target_file_name: &str,
    with: &Applying<'_>,
) -> Result<(), TransferFault> {
    if let Some(argv) = &kind.check {
        command::run(argv, file, with.root, with.timeout).map_err(|failed| {
            warn!("{}: the file is not taken: {failed}", kind.file_type);
            let code = match failed.error {
                RunError::Status(_) | RunError::Signal(_) => CORRUPT,
                _ => fault::DOWNLOAD_FAILURE,
            };
            TransferFault {
                code,
                text: format!("the file's check failed: {failed}"),
            }
        })?;
    }
    match &kind.apply {
        Apply::Command(_) => Ok(()),
        Apply::Configuration => Restore::read(file, target_file_name).map(drop),
        Apply::WebContent { below } => {
            web_folder(with.root, below, target_file_name)?;
            archive::survey(file, &limits(with))?;
            Ok(())
        }
    }
}

/// Puts a file into force. A type that reboots may never come back from this.
///
/// # Errors
/// 9010, or 9018 where only now it shows that the file is not good. Built-in types
/// have changed nothing then.
pub fn apply(
    kind: &DownloadType,
    file: &Path,
    target_file_name: &str,
    with: &Applying<'_>,
    commit: &mut Commit<'_>,
) -> Result<Applied, TransferFault> {
    match &kind.apply {
        Apply::Command(argv) => {
            command::run(argv, file, with.root, with.timeout).map_err(|failed| {
                warn!("{}: the file is not applied: {failed}", kind.file_type);
                refused(format!("the file cannot be applied: {failed}"))
            })?;
            Ok(Applied::default())
        }
        Apply::Configuration => {
            let restore = Restore::read(file, target_file_name)?;
            let reload = restore.apply(with.root, with.secrets, commit)?;
            Ok(Applied { reload })
        }
        Apply::WebContent { below } => {
            let target = web_folder(with.root, below, target_file_name)?;
            let new = archive::spare(&target)?;
            archive::unpack(file, &new, &limits(with), with.keep_free, with.stopped)?;
            archive::swap(&new, &target)?;
            Ok(Applied::default())
        }
    }
}

fn refused(text: String) -> TransferFault {
    TransferFault {
        code: fault::DOWNLOAD_FAILURE,
        text,
    }
}

fn limits(with: &Applying<'_>) -> Limits {
    Limits {
        total: with.unpacked,
        ..Limits::default()
    }
}

/// Where web content goes: a folder of its own below that of the web server.
fn web_folder(root: &Root, below: &str, target_file_name: &str) -> Result<PathBuf, TransferFault> {
    let name = folder_name(target_file_name).ok_or_else(|| {
        refused(format!(
            "TargetFileName {target_file_name:?} is no folder's name: \
             letters, digits, `-`, `_` and `.`, 64 at most"
        ))
    })?;
    let served = root.path(below).map_err(|e| refused(e.to_string()))?;
    let served = served.canonicalize().map_err(|e| {
        refused(format!(
            "{below}: {e}; there is no web server to take the content"
        ))
    })?;
    let target = served.join(name);
    // One that a package put there is not ours to replace.
    archive::replaceable(&target)?;
    Ok(target)
}

/// The folder that a TargetFileName means: its last part, without the ending of an
/// archive.
fn folder_name(target_file_name: &str) -> Option<&str> {
    const MOST: usize = 64;
    let name = target_file_name.trim_end_matches('/');
    let name = name.rsplit('/').next().unwrap_or_default();
    let endings = [".tar.gz", ".tgz", ".tar"];
    let name = endings
        .iter()
        .find_map(|e| name.strip_suffix(e))
        .unwrap_or(name);
    if name.is_empty() {
        return Some(WEB_FOLDER);
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_good = name.len() <= MOST && !name.starts_with('.') && name.bytes().all(is_plain);
    is_good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_file_name_becomes_one_folder() {
        for (name, folder) in [
            ("", Some("acs")),
            ("portal", Some("portal")),
            ("/www/portal/", Some("portal")),
            ("portal-2.1.tar.gz", Some("portal-2.1")),
            ("portal.tgz", Some("portal")),
            (".tar", Some("acs")),
            ("..", None),
            ("a/..", None),
            (".hidden", None),
            ("a b", None),
            ("ä", None),
        ] {
            assert_eq!(folder_name(name), folder, "{name:?}");
        }
        assert_eq!(folder_name(&"a".repeat(65)), None);
    }
}
