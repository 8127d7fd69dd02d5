//! Where an uploaded file comes from.

use super::configuration::Secrets;
use super::file_types::UploadType;
use crate::cwmp::message::TransferFault;
use crate::store::Root;
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

/// Makes the file `into`, which must not be there yet (mode 0600, as it may hold secrets).
///
/// # Errors
/// 9011; `into` is not there then.
pub fn produce(
    _kind: &UploadType,
    _what: &What,
    _into: &Path,
    _with: &Producing<'_>,
) -> Result<(), TransferFault> {
    todo!()
}
