//! Where an uploaded file comes from.

use super::command;
use super::configuration::{Secrets, save};
use super::file_types::{Produce, UploadType};
use crate::cwmp::fault;
use crate::cwmp::message::TransferFault;
use crate::store::Root;
use crate::uci::{MAX_BYTES, Package};
use log::{debug, warn};
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Which file of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// All of it: `1 Vendor Configuration File`, `2 Vendor Log File`, a vendor's type.
    All,
    /// One UCI package, by name: a row of Device.DeviceInfo.VendorConfigFile.
    Package(String),
    /// One log, by the key of its row in Device.DeviceInfo.VendorLogFile (`system`).
    Log(String),
}

/// What producing needs of the world.
pub struct Producing<'a> {
    pub root: &'a Root,
    /// How long a program may run.
    pub timeout: Duration,
    /// The largest file that is made, bytes; of a log its end.
    pub most: u64,
    pub secrets: &'a Secrets,
}

/// A longer line of a log is cut rather than kept in memory, bytes.
const LINE: u64 = 4096;
/// The row of the system log.
const SYSTEM_LOG: &str = "system";

/// Makes the file `into`, which must not be there yet (mode 0600, as it may hold secrets).
/// A program that writes the file itself finds an empty one.
///
/// # Errors
/// 9011; `into` is not there then.
pub fn produce(
    kind: &UploadType,
    what: &What,
    into: &Path,
    with: &Producing<'_>,
) -> Result<(), TransferFault> {
    let made = make(kind, what, into, with).and_then(|()| fits(into, with.most));
    made.map_err(|text| {
        match fs::remove_file(into) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                warn!("{}: cannot be taken away: {e}", into.display());
            }
            _ => {}
        }
        TransferFault {
            code: fault::UPLOAD_FAILURE,
            text: format!("the file cannot be made: {text}"),
        }
    })
}

fn make(kind: &UploadType, what: &What, into: &Path, with: &Producing<'_>) -> Result<(), String> {
    let text = |e: io::Error| e.to_string();
    match (&kind.produce, what) {
        (Produce::Command(argv), _) => by_program(argv, into, with),
        (Produce::Configuration, What::Log(_)) | (Produce::Log { .. }, What::Package(_)) => {
            Err("it is of another type".to_owned())
        }
        (Produce::Configuration, what) => {
            let package = match what {
                What::Package(name) => Some(name.as_str()),
                _ => None,
            };
            let secrets = (!kind.secrets).then_some(with.secrets);
            save(with.root, package, secrets, into).map_err(text)
        }
        (Produce::Log { .. }, What::Log(name)) if name != SYSTEM_LOG => {
            Err(format!("there is no log {name:?}"))
        }
        (Produce::Log { command }, _) => {
            if let Some(log) = log_file(with.root) {
                match copy_end(&log, into, with.most) {
                    Ok(()) => return Ok(()),
                    Err(e) => {
                        debug!("the log file cannot be read: {e}");
                        let _ = fs::remove_file(into);
                    }
                }
            }
            match command {
                Some(argv) => by_program(argv, into, with),
                None => Err("there is no log file, and no program that prints the log".to_owned()),
            }
        }
    }
}

fn new_file(into: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(into)
}

fn by_program(argv: &[String], into: &Path, with: &Producing<'_>) -> Result<(), String> {
    let mut file = new_file(into).map_err(|e| e.to_string())?;
    let ran = if command::names_file(argv) {
        drop(file);
        command::run(argv, into, with.root, with.timeout)
    } else {
        let cap = usize::try_from(with.most).unwrap_or(usize::MAX);
        let mut write = |piece: &[u8]| file.write_all(piece);
        command::print(argv, into, with.root, with.timeout, cap, &mut write)
    };
    ran.map_err(|failed| failed.to_string())
}

fn fits(file: &Path, most: u64) -> Result<(), String> {
    let made = file.symlink_metadata().map_err(|e| e.to_string())?;
    match made.len() {
        _ if !made.is_file() => Err("it is no regular file".to_owned()),
        0 => Err("it is empty".to_owned()),
        len if len > most => Err(format!("it has {len} bytes, more than {most}")),
        _ => Ok(()),
    }
}

/// The file that the system log is written to, if there is one.
fn log_file(root: &Root) -> Option<File> {
    let text = root.read("/etc/config/system", MAX_BYTES as u64).ok()?;
    let package = Package::parse(&text).ok()?;
    let system = package.sections().get(package.find("@system[0]")?)?;
    let path = root.path(system.get("log_file")?.as_one()?).ok()?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// Copies the end of a file, from the beginning of a line on.
fn copy_end(from: &File, into: &Path, most: u64) -> io::Result<()> {
    let len = from.metadata()?.len();
    let mut from = BufReader::new(from);
    let mut most = most;
    if len > most {
        from.seek(SeekFrom::Start(len - most))?;
        // What is left of a line that began before.
        let mut line = Vec::new();
        let cut = (&mut from)
            .take(most.min(LINE))
            .read_until(b'\n', &mut line)?;
        most -= cut as u64;
    }
    let mut into = new_file(into)?;
    // It may grow meanwhile.
    io::copy(&mut from.take(most), &mut into)?;
    Ok(())
}
