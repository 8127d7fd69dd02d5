//! Event codes (TR-069 3.7.1.5) and everything that is decided by them, as one table.

mod queue;

pub use queue::{Delivered, EventQueue, EventSnapshot, SavedEvent};

use super::version::CwmpVersion;
use std::fmt;

/// Why a session takes place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventCode {
    Bootstrap,
    Boot,
    Periodic,
    Scheduled,
    ValueChange,
    Kicked,
    ConnectionRequest,
    TransferComplete,
    DiagnosticsComplete,
    RequestDownload,
    AutonomousTransferComplete,
    DuStateChangeComplete,
    AutonomousDuStateChangeComplete,
    Wakeup,
    Heartbeat,
    MReboot,
    MScheduleInform,
    MDownload,
    MUpload,
    MScheduleDownload,
    MChangeDuState,
    /// `M X_…`: a vendor's method; the whole code.
    MVendor(String),
    /// `X …`: a vendor's event; the whole code.
    Vendor(String),
}

/// Which response of the ACS ends the life of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveredBy {
    InformResponse,
    TransferCompleteResponse,
    AutonomousTransferCompleteResponse,
    DuStateChangeCompleteResponse,
    AutonomousDuStateChangeCompleteResponse,
    KickedResponse,
    RequestDownloadResponse,
}

/// What becomes of an event whose session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Kept until delivered.
    Always,
    /// Kept until delivered, but not over a reboot.
    UntilReboot,
    /// Dropped with the session.
    Never,
}

/// The rules of one event code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRule {
    pub since: CwmpVersion,
    /// Several occurrences give several entries, each with its CommandKey; otherwise one.
    pub multiple: bool,
    pub delivered_by: DeliveredBy,
    pub retry: Retry,
}

/// One row of the table below: the code, its text, and its rules.
type Row = (EventCode, &'static str, EventRule);

const fn row(
    code: EventCode,
    text: &'static str,
    since: CwmpVersion,
    multiple: bool,
    delivered_by: DeliveredBy,
    retry: Retry,
) -> Row {
    (
        code,
        text,
        EventRule {
            since,
            multiple,
            delivered_by,
            retry,
        },
    )
}

/// Every event code of CWMP with its rules (TR-069 3.7.1.5), in the order they are sent.
///
/// `5 KICKED` and `9 REQUEST DOWNLOAD` may be retried at the CPE's discretion: this one
/// retries them until a reboot. The same is taken for `13 WAKEUP`, for which no rule was
/// found; `14 HEARTBEAT` is not retried, the next one comes by itself.
static TABLE: [Row; 21] = {
    use CwmpVersion::{V1_0, V1_1, V1_2, V1_4};
    use DeliveredBy::*;
    use EventCode::*;
    use Retry::{Always, Never, UntilReboot};
    const ONE: bool = false;
    const MANY: bool = true;
    [
        row(Bootstrap, "0 BOOTSTRAP", V1_0, ONE, InformResponse, Always),
        row(Boot, "1 BOOT", V1_0, ONE, InformResponse, UntilReboot),
        row(Periodic, "2 PERIODIC", V1_0, ONE, InformResponse, Always),
        row(Scheduled, "3 SCHEDULED", V1_0, ONE, InformResponse, Always),
        row(
            ValueChange,
            "4 VALUE CHANGE",
            V1_0,
            ONE,
            InformResponse,
            UntilReboot,
        ),
        row(Kicked, "5 KICKED", V1_0, ONE, KickedResponse, UntilReboot),
        row(
            ConnectionRequest,
            "6 CONNECTION REQUEST",
            V1_0,
            ONE,
            InformResponse,
            Never,
        ),
        row(
            TransferComplete,
            "7 TRANSFER COMPLETE",
            V1_0,
            ONE,
            TransferCompleteResponse,
            Always,
        ),
        row(
            DiagnosticsComplete,
            "8 DIAGNOSTICS COMPLETE",
            V1_0,
            ONE,
            InformResponse,
            UntilReboot,
        ),
        row(
            RequestDownload,
            "9 REQUEST DOWNLOAD",
            V1_0,
            ONE,
            RequestDownloadResponse,
            UntilReboot,
        ),
        row(
            AutonomousTransferComplete,
            "10 AUTONOMOUS TRANSFER COMPLETE",
            V1_1,
            ONE,
            AutonomousTransferCompleteResponse,
            Always,
        ),
        row(
            DuStateChangeComplete,
            "11 DU STATE CHANGE COMPLETE",
            V1_2,
            ONE,
            DuStateChangeCompleteResponse,
            Always,
        ),
        row(
            AutonomousDuStateChangeComplete,
            "12 AUTONOMOUS DU STATE CHANGE COMPLETE",
            V1_2,
            ONE,
            AutonomousDuStateChangeCompleteResponse,
            Always,
        ),
        row(Wakeup, "13 WAKEUP", V1_4, ONE, InformResponse, UntilReboot),
        row(Heartbeat, "14 HEARTBEAT", V1_4, ONE, InformResponse, Never),
        row(MReboot, "M Reboot", V1_0, MANY, InformResponse, Always),
        row(
            MScheduleInform,
            "M ScheduleInform",
            V1_0,
            MANY,
            InformResponse,
            Always,
        ),
        row(
            MDownload,
            "M Download",
            V1_0,
            MANY,
            TransferCompleteResponse,
            Always,
        ),
        row(
            MUpload,
            "M Upload",
            V1_0,
            MANY,
            TransferCompleteResponse,
            Always,
        ),
        row(
            MScheduleDownload,
            "M ScheduleDownload",
            V1_2,
            MANY,
            TransferCompleteResponse,
            Always,
        ),
        row(
            MChangeDuState,
            "M ChangeDUState",
            V1_2,
            MANY,
            DuStateChangeCompleteResponse,
            Always,
        ),
    ]
};

/// A vendor's events are the vendor's affair; this CPE keeps them until an Inform has
/// carried them, `M X_…` one for each key.
const fn vendor_rule(multiple: bool) -> EventRule {
    EventRule {
        since: CwmpVersion::V1_0,
        multiple,
        delivered_by: DeliveredBy::InformResponse,
        retry: Retry::UntilReboot,
    }
}

impl EventCode {
    /// All codes that CWMP defines, in the order they are sent.
    pub fn all() -> impl Iterator<Item = &'static EventCode> {
        TABLE.iter().map(|(code, _, _)| code)
    }

    /// The code as Inform carries it: `0 BOOTSTRAP`.
    pub fn text(&self) -> &str {
        match self {
            EventCode::MVendor(text) | EventCode::Vendor(text) => text,
            defined => TABLE
                .iter()
                .find(|(code, _, _)| code == defined)
                .map_or("", |(_, text, _)| text),
        }
    }

    /// Reads a code. A vendor's must be `M X_…` without spaces or `X OUI …`, at most 64
    /// characters; any other unknown code is `None`.
    pub fn parse(text: &str) -> Option<EventCode> {
        if let Some((code, _, _)) = TABLE.iter().find(|(_, t, _)| *t == text) {
            return Some(code.clone());
        }
        if text.chars().count() > 64 || text.chars().any(char::is_control) {
            return None;
        }
        if text
            .strip_prefix("M X_")
            .is_some_and(|m| !m.is_empty() && !m.contains(' '))
        {
            return Some(EventCode::MVendor(text.to_string()));
        }
        let (vendor, what) = text.strip_prefix("X ")?.split_once(' ')?;
        if vendor.is_empty() || what.is_empty() {
            return None;
        }
        Some(EventCode::Vendor(text.to_string()))
    }

    /// The rules of this code.
    pub fn rule(&self) -> EventRule {
        match self {
            EventCode::MVendor(_) => vendor_rule(true),
            EventCode::Vendor(_) => vendor_rule(false),
            defined => TABLE
                .iter()
                .find(|(code, _, _)| code == defined)
                .map_or(vendor_rule(false), |(_, _, rule)| *rule),
        }
    }

    /// Where the event stands in an Inform.
    fn rank(&self) -> usize {
        TABLE
            .iter()
            .position(|(code, _, _)| code == self)
            .unwrap_or(TABLE.len())
    }
}

impl fmt::Display for EventCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_as_itself() {
        for code in EventCode::all() {
            assert_eq!(EventCode::parse(code.text()).as_ref(), Some(code));
            assert!(!code.text().is_empty());
        }
        for text in ["X 0005B9 Lamp on", "X ACME Lamp", "M X_0005B9_Lamp"] {
            assert_eq!(
                EventCode::parse(text).map(|c| c.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in [
            "", "15 NEW", "M Foo", "M X_", "M X_a b", "X ", "X A", "X A ", "1 boot", "X A \n",
        ] {
            assert_eq!(EventCode::parse(text), None, "{text:?}");
        }
    }

    // T-EVT-023
    #[test]
    fn exactly_the_m_events_come_once_for_each_key() {
        for code in EventCode::all() {
            assert_eq!(
                code.rule().multiple,
                code.text().starts_with("M "),
                "{code}"
            );
        }
    }
}
