//! The time windows of a ScheduleDownload (TR-069 A.4.1.8): which are taken, and when in
//! them a try may begin.

use crate::cwmp::fault::Fault;
use crate::cwmp::message::TimeWindow;
use serde::{Deserialize, Serialize};

/// The most windows of one ScheduleDownload.
pub const MAX_WINDOWS: usize = 2;
/// Characters of a WindowMode and of a UserMessage.
const MODE: usize = 64;
const MESSAGE: usize = 256;
/// Tries after the first one in a window whose MaxRetries leaves it to the CPE (-1).
const OWN_CHOICE: u32 = 3;

/// When in its window a download begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `1 At Any Time`: at a random moment in its first half, so that the boxes that were
    /// given the same window do not all come at once.
    AnyTime,
    /// `2 Immediately`: at its start.
    Immediately,
    /// `3 When Idle`: when the box has little to do.
    WhenIdle,
    /// `4 Confirmation Needed`: when a person has agreed.
    Confirmation,
}

impl Mode {
    /// Reads a WindowMode; a vendor's is none that is known.
    pub fn parse(text: &str) -> Option<Mode> {
        match text {
            "1 At Any Time" => Some(Mode::AnyTime),
            "2 Immediately" => Some(Mode::Immediately),
            "3 When Idle" => Some(Mode::WhenIdle),
            "4 Confirmation Needed" => Some(Mode::Confirmation),
            _ => None,
        }
    }
}

/// One window, in Unix seconds of the box's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// No try begins before it.
    pub from: i64,
    /// The first second after it.
    pub end: i64,
    pub mode: Mode,
    /// Tries after the first.
    pub retries: u32,
    /// What a person is to be told before it begins.
    pub message: String,
}

/// Whether these windows can be kept: one or two, each of them ends after its start, the
/// second begins no earlier than the first ends, and their modes are known. The fault is
/// 9003 and names what is wrong.
pub fn check(windows: &[TimeWindow]) -> Result<(), Fault> {
    let wrong = |text: String| Err(Fault::invalid_arguments(text));
    if windows.is_empty() || windows.len() > MAX_WINDOWS {
        return wrong(format!(
            "TimeWindowList has {} entries, not 1 or {MAX_WINDOWS}",
            windows.len()
        ));
    }
    for (i, w) in (1..).zip(windows) {
        if Mode::parse(&w.mode).is_none() {
            let shown: String = w.mode.chars().take(MODE).collect();
            return wrong(format!("WindowMode {shown:?} of window {i} is not known"));
        }
        if w.start >= w.end {
            return wrong(format!(
                "window {i} ends ({}) before or at its start ({})",
                w.end, w.start
            ));
        }
        if w.max_retries < -1 {
            return wrong(format!(
                "MaxRetries {} of window {i} is below -1",
                w.max_retries
            ));
        }
        if w.user_message.chars().count() > MESSAGE {
            return wrong(format!(
                "UserMessage of window {i} is longer than {MESSAGE} characters"
            ));
        }
    }
    if let [first, second] = windows
        && second.start < first.end
    {
        return wrong(format!(
            "window 2 begins ({}) before window 1 ends ({})",
            second.start, first.end
        ));
    }
    Ok(())
}

/// The windows of a request that came at `now`, those that [`check`] refuses left out;
/// `random` draws the moment in `1 At Any Time`.
pub(super) fn of_request(now: i64, random: u32, windows: &[TimeWindow]) -> Vec<Window> {
    let taken = windows.iter().take(MAX_WINDOWS).filter_map(|w| {
        let mode = Mode::parse(&w.mode)?;
        let half = u64::from(w.end.saturating_sub(w.start)) / 2;
        // Below 2³¹ · 2³², and then below 2³¹.
        let later = match mode {
            Mode::AnyTime => (half * u64::from(random)) >> 32,
            _ => 0,
        };
        let at = |seconds: u64| now.saturating_add(seconds as i64);
        (w.start < w.end).then(|| Window {
            from: at(u64::from(w.start) + later),
            end: at(u64::from(w.end)),
            mode,
            retries: u32::try_from(w.max_retries).unwrap_or(OWN_CHOICE),
            message: w.user_message.chars().take(MESSAGE).collect(),
        })
    });
    taken.collect()
}
