//! The trait that every place where values live implements, and what crosses it.
//!
//! The model calls a [`Source`] in this order: [`begin`](Source::begin) once a
//! request, then any number of [`rows`](Source::rows) and [`value`](Source::value).
//! For a change: `stage`, `add_row`, `delete_row` (nothing outside the source's memory
//! is touched, and later reads see what is staged), then [`prepare`](Source::prepare)
//! hands over the files as they must become, the model's journal writes them all or
//! none, and [`finish`](Source::finish) tells which it was.
//!
//! ```text
//!            stage, add_row, delete_row            prepare             journal
//!  [clean] ------------------------------> [staged] -------> [locked] --------> [clean]
//!     ^                                        |                 |      finish(true)
//!     +----------------------------------------+-----------------+
//!                     finish(false): everything as it was
//! ```
//!
//! A row's key stays good from the request in which it was handed out until the change is
//! finished, whatever is staged meanwhile: a fingerprint is not taken anew from staged
//! content.
//!
//! This module never opens a file; it only says what sources and the model tell each
//! other.

use super::binding::{Binding, Rows};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// What a source keeps at one place, before the model gives it a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// One text, as the source keeps it.
    Text(String),
    /// Several texts in order (a UCI `list`).
    List(Vec<String>),
}

/// What a source says of a value: borrowed where it keeps just that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<'a> {
    /// One text.
    Text(Cow<'a, str>),
    /// Several texts in order.
    List(Cow<'a, [String]>),
}

impl Said<'_> {
    /// The same, borrowing nothing.
    pub fn into_raw(self) -> Raw {
        match self {
            Said::Text(text) => Raw::Text(text.into_owned()),
            Said::List(items) => Raw::List(items.into_owned()),
        }
    }
}

impl From<Raw> for Said<'_> {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Text(text) => Said::Text(text.into()),
            Raw::List(items) => Said::List(items.into()),
        }
    }
}

impl<'a> From<&'a Raw> for Said<'a> {
    fn from(raw: &'a Raw) -> Said<'a> {
        match raw {
            Raw::Text(text) => Said::Text(text.into()),
            Raw::List(items) => Said::List(items.into()),
        }
    }
}

/// One row of a table as its source sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// What names the row at its source and stays the same while the row lives: a UCI
    /// section's name, a file's name, a MAC address. For an anonymous UCI section it is
    /// `#` and a fingerprint of its content.
    pub key: String,
    /// For rows without a lasting name: one hash for each thing the row holds, so that
    /// the row is known again after an edit by somebody else. Empty where `key` lasts.
    pub prints: Vec<u32>,
}

/// A value to be read: where it is bound, and the keys of the rows around it,
/// outermost first.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub binding: &'a Binding,
    pub rows: &'a [String],
}

/// Something is wrong with a source: a broken file, a failing command. The parameters
/// concerned answer 9002 by name and are left out under a partial path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    /// Which source, in words for the log and `status`: `uci wireless`, `command /bin/x`.
    pub source: String,
    /// What is wrong and what to do about it, without secrets.
    pub what: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.what)
    }
}

/// Why a change cannot be staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The source cannot hold this value (9007).
    Value(String),
    /// The source is full (9004).
    Full(String),
    /// The source is in trouble (9002).
    Trouble(Trouble),
}

/// A file as it must become. Paths are real ones (root included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    pub path: PathBuf,
    /// The whole new content; `None` removes the file.
    pub content: Option<Vec<u8>>,
    /// The permission bits of a file that does not exist yet; an existing one keeps its
    /// mode and owner.
    pub mode: u32,
    /// What must be reloaded once the change is in force: names of packages
    /// (`network`) as in `apply_config`.
    pub reload: Vec<String>,
}

/// A row that got a lasting name when its file was written: the model carries its
/// instance number over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    pub rows: Rows,
    pub parents: Vec<String>,
    pub from: String,
    pub to: String,
}

/// What [`Source::prepare`] hands over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    pub files: Vec<FileChange>,
    pub renamed: Vec<Renamed>,
}

/// A place where values live. `Send`, because the model moves between threads; never
/// shared.
pub trait Source: Send {
    /// A new request begins: volatile things read before are stale, the request's
    /// deadline starts anew.
    fn begin(&mut self);

    /// Nothing is asked for a while: what would be stale in the next request is given back
    /// now, and the room it took.
    fn rest(&mut self) {}

    /// The rows of a table, in the source's order. `parents` are the keys of the rows
    /// around it, outermost first.
    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble>;

    /// A number that stands while the answers of [`rows`](Source::rows) about a table do:
    /// where it is what it was when they were given, they need not be asked for again, even
    /// in a later request. `None` where only asking tells, and while anything is staged.
    fn rows_version(&mut self, _rows: &Rows) -> Option<u32> {
        None
    }

    /// Reads one value. `Ok(None)`: the source works but has no value there (the
    /// parameter's default holds). A tree is read value by value: what many of them need
    /// (a file's text, a program's output) is kept until the next [`begin`](Source::begin).
    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble>;

    /// Reads several values: as many answers as asks, in their order.
    fn read(&mut self, asks: &[Ask<'_>]) -> Vec<Result<Option<Raw>, Trouble>> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.value(*ask).map(|said| said.map(Said::into_raw)));
        }
        answers
    }

    /// Stages one value; `None` removes what is there.
    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal>;

    /// Whether a value that was staged can stand, asked when all values of its request are
    /// staged: they come in any order, so that only then it shows whether they go together.
    ///
    /// # Errors
    /// It cannot (9007); the text says why, and what can.
    fn fits(&mut self, _at: Ask<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Stages a new row (with the `new` values of its binding) and returns it.
    fn add_row(&mut self, rows: &Rows, parents: &[String]) -> Result<Row, Refusal>;

    /// Stages the removal of a row and all it holds.
    fn delete_row(&mut self, rows: &Rows, parents: &[String], key: &str) -> Result<(), Refusal>;

    /// Takes the locks of the files to be changed, applies what is staged to their
    /// content of this moment, and hands the new contents over. Writes nothing. A source
    /// that keeps no files returns nothing here and changes itself in `finish(true)`.
    fn prepare(&mut self) -> Result<Prepared, Trouble>;

    /// The change is in force (`true`) or must be forgotten (`false`); locks go.
    fn finish(&mut self, committed: bool);
}

/// The journal that the model writes its changes through, so that all files change
/// together or none (`store` implements it).
pub trait Journal: Send {
    /// Makes all changes, or none when it fails; on disk when it returns.
    fn commit(&mut self, files: &[FileChange]) -> Result<(), Trouble>;

    /// Where a state file of the model lives (`instances.json`, `attributes.json`).
    fn state_path(&self, name: &str) -> PathBuf;

    /// The content of a state file; `None` where there is none yet or where a damaged
    /// one was set aside.
    fn load(&mut self, name: &str) -> Option<Vec<u8>>;

    /// A request begins: what a disk in trouble left of an earlier change is settled if
    /// that can be done now. Tells whether state files may hold something else than when
    /// they were loaded.
    fn settle(&mut self) -> bool {
        false
    }

    /// The content of a state file is not understood: it is put where it is not met again,
    /// and its place is free.
    fn set_aside(&mut self, _name: &str, _why: &str) {}
}
