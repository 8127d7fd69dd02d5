//! Notification and AccessList of parameters as the ACS set them (TR-069 A.3.2.4).
//! Only what differs from the defaults is kept.

use super::schema::Notify;
use crate::notation::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state file.
pub(super) const FILE: &str = "attributes.json";
/// The one entity besides the ACS that TR-069 defines.
pub(super) const SUBSCRIBER: &str = "Subscriber";

/// What was set for one parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attribute {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// Whether the subscriber may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<bool>,
}

/// All that was set, by full parameter path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub stored: BTreeMap<String, Attribute>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    attributes: BTreeMap<String, Attribute>,
}

impl Attributes {
    /// Reads the state file; `None` where it is not understood.
    pub fn load(bytes: &[u8]) -> Option<Attributes> {
        let stored = json::read::<Stored>(bytes).ok();
        let stored = stored.filter(|stored| stored.version == 1)?.attributes;
        Some(Attributes { stored })
    }

    /// The content of the state file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            version: 1,
            attributes: self.stored.clone(),
        };
        // Maps with text keys and plain data always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// The level in force.
    pub fn level(&self, path: &str, notify: Notify) -> u8 {
        if notify == Notify::Forced {
            return default_level(notify);
        }
        self.stored
            .get(path)
            .and_then(|a| a.level)
            .unwrap_or(default_level(notify))
    }

    /// Whether the LAN side may write.
    pub fn subscriber(&self, path: &str) -> bool {
        self.stored
            .get(path)
            .and_then(|a| a.subscriber)
            .unwrap_or(true)
    }

    /// Sets what is given; what equals the default is not kept.
    pub fn set(&mut self, path: &str, notify: Notify, level: Option<u8>, subscriber: Option<bool>) {
        let mut new = self.stored.get(path).cloned().unwrap_or_default();
        if let Some(level) = level.filter(|_| notify != Notify::Forced) {
            new.level = (level != default_level(notify)).then_some(level);
        }
        if let Some(subscriber) = subscriber {
            new.subscriber = (!subscriber).then_some(false);
        }
        if new == Attribute::default() {
            self.stored.remove(path);
        } else {
            self.stored.insert(path.to_owned(), new);
        }
    }

    /// Drops what was set below a row that is gone (ATT-009).
    pub fn remove_below(&mut self, prefix: &str) -> bool {
        let before = self.stored.len();
        self.stored.retain(|path, _| !path.starts_with(prefix));
        self.stored.len() != before
    }
}

/// The level while nothing was set.
pub(super) fn default_level(notify: Notify) -> u8 {
    match notify {
        Notify::Forced | Notify::Active => 2,
        Notify::Normal | Notify::CanDeny => 0,
    }
}
