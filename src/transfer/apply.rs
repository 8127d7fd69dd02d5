//! What becomes of a downloaded file: the configured check, then what its type does.

use super::configuration::Secrets;
use super::file_types::DownloadType;
use crate::cwmp::message::TransferFault;
use crate::model::source::{FileChange, Trouble};
use crate::store::Root;
use std::path::Path;
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

/// Looks at a file: by the configured program, and for built-in types by reading it to its
/// end. Changes nothing.
///
/// # Errors
/// 9018 with what is wrong; 9010 where that cannot be found out.
pub fn check(
    _kind: &DownloadType,
    _file: &Path,
    _target_file_name: &str,
    _with: &Applying<'_>,
) -> Result<(), TransferFault> {
    todo!()
}

/// Puts a file into force. A type that reboots may never come back from this.
///
/// # Errors
/// 9010, or 9018 where only now it shows that the file is not good. Built-in types
/// have changed nothing then.
pub fn apply(
    _kind: &DownloadType,
    _file: &Path,
    _target_file_name: &str,
    _with: &Applying<'_>,
    _commit: &mut Commit<'_>,
) -> Result<Applied, TransferFault> {
    todo!()
}
