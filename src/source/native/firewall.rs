//! Which state the firewall's settings are in: Device.Firewall.Version and LastChange.

use super::timezone::utc_time;
use crate::source::packages::is_recent;
use crate::store::Folders;
use crate::uci::file::Stamp;
use sha2::{Digest, Sha256};

/// The settings.
const CONFIG: &str = "/etc/config/firewall";
/// Larger ones have no version, bytes.
const LIMIT: u64 = 1 << 20;

/// What is known of the file.
#[derive(Debug, Default)]
pub struct Settings {
    /// The file in this request, once somebody asked; `None` in it: there is none.
    now: Option<Option<Stamp>>,
    /// What the file of this stamp is called.
    version: Option<(Stamp, String)>,
}

impl Settings {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.now = None;
    }

    /// When they last changed, in UTC.
    pub fn changed(&mut self, root: &Folders) -> Result<Option<String>, String> {
        let stamp = self.stamp(root)?;
        let seconds = |stamp: Stamp| i64::try_from(stamp.modified().as_secs()).unwrap_or(0);
        Ok(stamp.map(|stamp| utc_time(seconds(stamp))))
    }

    /// The first 16 digits of their SHA-256.
    pub fn version(&mut self, root: &Folders) -> Result<Option<String>, String> {
        let Some(now) = self.stamp(root)? else {
            return Ok(None);
        };
        if let Some((then, version)) = &self.version
            && *then == now
        {
            return Ok(Some(version.clone()));
        }
        let text = root.read(CONFIG, LIMIT);
        let digest = Sha256::digest(text.map_err(|e| format!("{CONFIG}: {e}"))?);
        let version: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        self.version = (!is_recent(&now)).then(|| (now, version.clone()));
        Ok(Some(version))
    }

    fn stamp(&mut self, root: &Folders) -> Result<Option<Stamp>, String> {
        if let Some(known) = self.now {
            return Ok(known);
        }
        let path = root.path(CONFIG).map_err(|e| e.to_string())?;
        let stamp = Stamp::of(&path).map_err(|e| format!("{CONFIG}: {e}"))?;
        self.now = Some(stamp);
        Ok(stamp)
    }
}
