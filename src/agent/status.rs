//! What `cwmp-agent status` tells.

use super::session::shown_url;
pub use super::sessions::LastSession;
use super::sessions::Sessions;
use super::transfers;
use super::watch::Told as Watched;
use super::world::World;
use crate::cwmp::event::EventCode;
use crate::cwmp::message::Event;
use crate::model::Model;
use crate::transfer::queue::{Entry, Kind};
use crate::wake::http::Counters;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of the agent at one moment. Times are seconds since 1970 (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// A daemon answered; otherwise the state on disk is told.
    pub daemon: bool,
    /// Device.ManagementServer.EnableCWMP.
    pub enabled: bool,
    /// Without credentials it may hold.
    pub acs_url: String,
    /// It is what DHCP said.
    pub acs_url_by_dhcp: bool,
    pub connection_request_url: String,
    /// A session is running since then.
    pub running_since: Option<i64>,
    pub last_session: Option<LastSession>,
    /// The sessions that have ended, the last few of them, the youngest (`last_session`) first.
    pub sessions: Vec<LastSession>,
    /// When the next session is due, and why.
    pub next_session: Option<NextSession>,
    /// Events not yet delivered: code and CommandKey.
    pub pending_events: Vec<(String, String)>,
    /// Transfers that wait or run, or of whose end the ACS has yet to be told.
    pub transfers: Vec<Transfer>,
    /// Changes of software modules (ChangeDUState) that run, or of whose end the ACS has yet to
    /// be told.
    pub software_changes: Vec<SoftwareChange>,
    pub retry: Retry,
    /// The parameters with notification, and what of them the ACS has yet to be told.
    pub watch: Watched,
    /// Sources that cannot be read: which, and why.
    pub sources_in_trouble: Vec<(String, String)>,
    /// Refused connection requests by reason.
    pub refused_knocks: Vec<(String, u32)>,
    pub accepted_knocks: u32,
    /// What the ACS has changed is taken back at this time unless a session succeeds before
    /// (`[apply] confirm_within` of agent.toml).
    pub trial_until: Option<i64>,
    /// When the box is to reboot (Device.ManagementServer.DelayReboot, ScheduleReboot).
    pub reboot_at: Option<i64>,
    /// What is wrong with /etc/config/cwmp while its last good copy serves.
    pub configuration_trouble: Option<String>,
}

/// A transfer of a file. Neither its URL's query nor its credentials are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Names it while it is known.
    pub id: u32,
    /// `download`, `upload` or `scheduled download`.
    pub kind: String,
    /// A person has asked for it, not the ACS.
    pub local: bool,
    /// Empty for one that a person has asked for.
    pub command_key: String,
    /// `1 Firmware Upgrade Image` and so on.
    pub file_type: String,
    pub url: String,
    /// `waiting`, `fetching`, `sending` (an upload), `applying`, `rebooting` or `completed`.
    pub stage: String,
    /// While it waits: it begins no earlier than this.
    pub due: Option<i64>,
    /// What a person is told who is to confirm it (`cwmp-agent confirm`), while it waits for
    /// that.
    pub confirmation: Option<String>,
    /// While it is on its way: bytes carried.
    pub done: u32,
    /// Bytes in all; 0: not known.
    pub total: u32,
    /// Once it is completed: fault code and text; absent: it went well.
    pub fault: Option<(u16, String)>,
}

/// A ChangeDUState of the ACS's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftwareChange {
    pub command_key: String,
    /// How many operations it has, and how many of them have ended, well or not.
    pub operations: usize,
    pub ended: usize,
}

/// All changes of software modules that are known.
fn software_changes(world: &World) -> Vec<SoftwareChange> {
    let requests = world.modules().requests();
    let tell = |(command_key, operations, ended)| SoftwareChange {
        command_key,
        operations,
        ended,
    };
    requests.into_iter().map(tell).collect()
}

/// All transfers that are known.
pub fn transfers(world: &World) -> Vec<Transfer> {
    let entries = world.transfers().entries();
    let under_way = world.files.under_way();
    let tell = |entry: Entry| {
        let progress = under_way.as_ref().filter(|u| u.id == entry.id);
        let fault = entry.result.filter(|result| result.code != 0);
        Transfer {
            id: entry.id,
            kind: transfers::word(entry.kind).to_owned(),
            local: entry.local,
            command_key: entry.command_key,
            file_type: entry.file_type,
            url: shown_url(&entry.url),
            stage: match (entry.kind, entry.stage) {
                (Kind::Upload, "fetching") => "sending".to_owned(),
                (_, stage) => stage.to_owned(),
            },
            due: entry.due,
            confirmation: entry.confirmation,
            done: progress.map_or(0, |u| u.progress.done()),
            total: progress.map_or(0, |u| u.progress.total()),
            fault: fault.map(|fault| (fault.code, fault.text)),
        }
    };
    entries.into_iter().map(tell).collect()
}

impl fmt::Display for Transfer {
    /// On one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} \"{}\"",
            self.id,
            self.kind,
            one_line(&self.file_type)
        )?;
        if !self.command_key.is_empty() {
            write!(f, " ({})", one_line(&self.command_key))?;
        }
        write!(f, " {}: {}", self.url, self.stage)?;
        if let Some(due) = self.due {
            write!(f, " until {}", utc(due))?;
        }
        match (self.done, self.total) {
            (0, _) => {}
            (done, 0) => write!(f, ", {done} bytes")?,
            (done, total) => write!(f, ", {done} of {total} bytes")?,
        }
        if let Some(message) = &self.confirmation {
            write!(f, ", to be confirmed: \"{}\"", one_line(message))?;
        }
        if let Some((code, text)) = &self.fault {
            write!(f, ", fault {code} {}", one_line(text))?;
        }
        Ok(())
    }
}

/// What others have written, on one line: control characters are escaped, all else is as it is.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// The session that comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextSession {
    pub at: i64,
    pub reason: String,
}

/// Where the retry policy stands (TR-069 3.2.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// RetryCount of the next Inform (TR-069 A.3.3.1).
    pub count: u32,
    /// When the next attempt is due.
    pub at: Option<i64>,
}

/// What the disk and the settings tell, without a dispatcher.
pub fn on_disk(world: &World) -> Status {
    let settings = world.settings();
    let sessions = Sessions::load(&world.run_dir).all();
    let watch = world.watch().told();
    let configuration_trouble = world.settings_trouble().map(|t| t.to_string());
    let transfers = transfers(world);
    let software_changes = software_changes(world);
    let owed = world.owed();
    let mut pending = owed.pending();
    let change = EventCode::ValueChange;
    if watch.pending > 0 && pending.iter().all(|e| e.code != change) {
        // Raised when an Inform is put together.
        pending.push(Event {
            code: change,
            command_key: String::new(),
        });
    }
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        enabled: settings.cpe.enable,
        acs_url: shown_url(&settings.acs.url),
        acs_url_by_dhcp: settings.url_by_dhcp,
        last_session: sessions.first().cloned(),
        sessions,
        pending_events: pending
            .into_iter()
            .map(|e| (e.code.text().to_owned(), e.command_key))
            .collect(),
        retry: Retry {
            count: owed.retry_count(),
            at: None,
        },
        next_session: owed.next_schedule().map(|at| NextSession {
            at,
            reason: "3 SCHEDULED".to_owned(),
        }),
        watch,
        transfers,
        software_changes,
        configuration_trouble,
        ..Status::default()
    }
}

/// The model's sources in trouble.
pub fn troubles(model: &Model) -> Vec<(String, String)> {
    model
        .troubles()
        .into_iter()
        .map(|t| (t.source, t.what))
        .collect()
}

/// Refused connection requests by reason, those that happened.
pub fn refused(counters: &Counters) -> Vec<(String, u32)> {
    counters
        .named()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.to_owned(), count))
        .collect()
}

/// Seconds since 1970 as `2026-01-31T12:00:00Z`.
pub fn utc(seconds: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(t) => format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ),
        Err(_) => seconds.to_string(),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |b: bool| if b { "yes" } else { "no" };
        let or_none = |s: &str| {
            if s.is_empty() {
                "(none)".to_owned()
            } else {
                s.to_owned()
            }
        };
        writeln!(f, "version             {}", self.version)?;
        writeln!(f, "daemon running      {}", yes(self.daemon))?;
        writeln!(f, "enabled             {}", yes(self.enabled))?;
        let by_dhcp = if self.acs_url_by_dhcp {
            " (by DHCP)"
        } else {
            ""
        };
        writeln!(f, "ACS                 {}{by_dhcp}", or_none(&self.acs_url))?;
        writeln!(
            f,
            "connection request  {}",
            or_none(&self.connection_request_url)
        )?;
        if let Some(since) = self.running_since {
            writeln!(f, "session             running since {}", utc(since))?;
        }
        let how = |session: &LastSession| match &session.failure {
            None => "completed".to_owned(),
            Some(why) => format!("failed: {why}"),
        };
        match &self.last_session {
            Some(last) => {
                writeln!(f, "last session        {} {}", utc(last.ended), how(last))?;
                writeln!(f, "  events            {}", last.events.join(", "))?;
            }
            None => writeln!(f, "last session        (none)")?,
        }
        for before in self.sessions.iter().skip(1) {
            let events = before.events.join(", ");
            let (ended, how) = (utc(before.ended), how(before));
            writeln!(f, "  before            {ended} {how} ({events})")?;
        }
        match &self.next_session {
            Some(next) => writeln!(f, "next session        {} {}", utc(next.at), next.reason)?,
            None => writeln!(f, "next session        (none due)")?,
        }
        writeln!(f, "retries             {}", self.retry.count)?;
        let events: Vec<String> = self
            .pending_events
            .iter()
            .map(|(code, key)| {
                if key.is_empty() {
                    code.clone()
                } else {
                    format!("{code} ({key})")
                }
            })
            .collect();
        writeln!(f, "pending events      {}", or_none(&events.join(", ")))?;
        if self.transfers.is_empty() {
            writeln!(f, "transfers           (none)")?;
        }
        for transfer in &self.transfers {
            writeln!(f, "transfer            {transfer}")?;
        }
        for change in &self.software_changes {
            let (ended, all) = (change.ended, change.operations);
            write!(f, "software change     {ended} of {all} operations done")?;
            match change.command_key.as_str() {
                "" => writeln!(f)?,
                key => writeln!(f, " ({})", one_line(key))?,
            }
        }
        write!(
            f,
            "watched             {} parameters",
            self.watch.parameters
        )?;
        if let (Some(active), Some(at)) = (self.watch.active, self.watch.last_scan) {
            write!(f, ", {active} actively; last read {}", utc(at))?;
        }
        writeln!(f)?;
        for path in &self.watch.changed {
            writeln!(f, "  changed           {path}")?;
        }
        let shown = u32::try_from(self.watch.changed.len()).unwrap_or(u32::MAX);
        if self.watch.pending > shown {
            let more = self.watch.pending - shown;
            writeln!(f, "  changed           {more} more")?;
        }
        writeln!(f, "connection requests {} accepted", self.accepted_knocks)?;
        for (reason, count) in &self.refused_knocks {
            writeln!(f, "  refused           {count} {reason}")?;
        }
        if let Some(at) = self.trial_until {
            writeln!(f, "change on trial     until {}", utc(at))?;
        }
        if let Some(at) = self.reboot_at {
            writeln!(f, "reboot planned      at {}", utc(at))?;
        }
        if let Some(what) = &self.configuration_trouble {
            writeln!(f, "configuration       {what}; the last good copy serves")?;
        }
        if self.sources_in_trouble.is_empty() {
            writeln!(f, "sources in trouble  (none)")?;
        }
        for (source, what) in &self.sources_in_trouble {
            writeln!(f, "source in trouble   {source}: {what}")?;
        }
        Ok(())
    }
}
