//! Inform (TR-069 A.3.3.1): who speaks, why, and what it wants to say at once.

use super::ParameterValue;
use crate::cwmp::datetime::DateTime;
use crate::cwmp::event::EventCode;

/// Identity of the CPE. Manufacturer, product class and serial number are cut to 64
/// characters on the wire; `oui` is six upper-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceId {
    pub manufacturer: String,
    pub oui: String,
    pub product_class: String,
    pub serial_number: String,
}

/// One EventStruct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub code: EventCode,
    /// Empty except for `M …` events; at most 32 characters.
    pub command_key: String,
}

/// The first message of a session. `MaxEnvelopes` is always 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inform {
    pub device: DeviceId,
    /// At most 64.
    pub events: Vec<Event>,
    /// Local time with its offset, or [`DateTime::SinceBoot`].
    pub current_time: DateTime,
    /// How often this session has been tried before; 0 exactly if the last one ended well.
    pub retry_count: u32,
    /// Forced and changed parameters, each once.
    pub parameters: Vec<ParameterValue>,
}
