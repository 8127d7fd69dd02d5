//! The places where values live, one module each; the model reaches them through
//! [`Source`].
//!
//! A source never decides what a value means: types, ranges and rights are the model's.

pub mod builtin;
pub mod codec;
pub mod command;
pub mod constant;
pub mod file;
pub mod memory;
pub mod native;
mod packages;
pub mod pick;
mod told;
pub mod ubus;
pub mod uci;

pub use native::Runtime;

use crate::model::binding::{Rows, SourceKind, brace_at, expand};
use crate::model::source::{Refusal, Source, Trouble};
use crate::store::{Folders, Root};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How far sources may go (`[limits]` of agent.toml).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All sources together in one request; what is asked later is in trouble. 15 s.
    pub request_deadline: Duration,
    /// One command. 5 s.
    pub command_timeout: Duration,
    /// Standard output of one command, bytes. 64 KiB.
    pub command_output: usize,
    /// One file read by the file source, bytes. 256 KiB.
    pub file_size: u64,
    /// How long the lock of a UCI file is waited for. 2 s.
    pub uci_lock_wait: Duration,
    /// Rows of one table. 10,000, as the model's.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_deadline: Duration::from_secs(15),
            command_timeout: Duration::from_secs(5),
            command_output: 64 * 1024,
            file_size: 256 * 1024,
            uci_lock_wait: Duration::from_secs(2),
            rows: 10_000,
        }
    }
}

/// One source of every kind, working below `root`. `tables` are those of the schema:
/// see [`UciSource::know`](uci::UciSource::know). `runtime` says
/// which ubusd is asked ([`Runtime::on_bus`]), by default none.
pub fn all<'t>(
    root: &Root,
    limits: Limits,
    runtime: Runtime,
    tables: impl IntoIterator<Item = &'t Rows>,
) -> BTreeMap<SourceKind, Box<dyn Source>> {
    let mut uci = uci::UciSource::sharing(root.clone(), limits, runtime.packages().clone());
    tables.into_iter().for_each(|rows| uci.know(rows));
    let folders = Folders::new(root.clone());
    let file = file::FileSource::below(folders.clone(), limits);
    let command = command::CommandSource::new(root.clone(), limits);
    let ubus = ubus::UbusSource::at(runtime.bus().map(Path::to_owned), limits);
    let native = native::NativeSource::below(folders, runtime);
    let sources: [(SourceKind, Box<dyn Source>); 7] = [
        (SourceKind::Uci, Box::new(uci)),
        (SourceKind::File, Box::new(file)),
        (SourceKind::Command, Box::new(command)),
        (SourceKind::Ubus, Box::new(ubus)),
        (SourceKind::Native, Box::new(native)),
        (SourceKind::Constant, Box::new(constant::ConstantSource)),
        (SourceKind::Memory, Box::<memory::MemorySource>::default()),
    ];
    sources.into()
}

/// When the time of a request is over.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(time: Duration) -> Deadline {
        // No request takes a day; a longer time would only overflow somewhere.
        Deadline(Instant::now() + time.min(Duration::from_secs(86_400)))
    }

    /// What is left; trouble when nothing is.
    fn left(self, source: &str) -> Result<Duration, Trouble> {
        self.left_for(|| source.to_owned())
    }

    /// The same, where the source's name is only made when it is needed.
    fn left_for(self, source: impl FnOnce() -> String) -> Result<Duration, Trouble> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble {
                source: source(),
                what: "not read: the request's time is over (request_deadline in [limits] of agent.toml)"
                    .to_owned(),
            });
        }
        Ok(left)
    }
}

/// Whether a text from outside may be a row's key: it can become part of a path or an
/// argument without changing its meaning.
fn is_row_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 255
        && key != "."
        && key != ".."
        // Nearly all are of such bytes alone.
        && (key.bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'/')
            || !key.contains('/') && !key.chars().any(char::is_control))
}

/// Puts row keys into a path; a key that would change the path's meaning is refused.
fn put_rows(path: &str, rows: &[String], out: &mut String) -> Result<(), String> {
    out.clear();
    let Some(at) = brace_at(path) else {
        out.push_str(path);
        return Ok(());
    };
    let refused = |key: &String| format!("{}: cannot be part of a path", key.escape_debug());
    let (before, from) = path.split_at(at);
    match (from.strip_prefix("{row}"), rows.last()) {
        // Nearly all: one placeholder, of the innermost row.
        (Some(after), Some(row)) if brace_at(after).is_none() => {
            if !is_row_key(row) {
                return Err(refused(row));
            }
            out.push_str(before);
            out.push_str(row);
            out.push_str(after);
        }
        _ => {
            if let Some(bad) = rows.iter().find(|key| !is_row_key(key)) {
                return Err(refused(bad));
            }
            out.push_str(&expand(path, rows));
        }
    }
    Ok(())
}

/// Text as it is, or with U+FFFD for what is no UTF-8.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The refusal of a source that cannot be written.
fn read_only(source: &str, what: &str) -> Refusal {
    Refusal::Trouble(Trouble {
        source: source.to_owned(),
        what: format!("{what} cannot be changed; access must be \"ro\" in the data model"),
    })
}
