//! From the bytes of a file to a [`Package`].
//!
//! Commands come from `token`; this module gives them their meaning: which section an
//! option belongs to, sections that are continued, lists and options of one name.
//! Linear in the size of the file, whatever it holds.

use super::MAX_BYTES;
use super::package::{Package, Section, Value, apply, lossy};
use super::table::{NOBODY, Piece, Place, Table};
use super::token::{Command, Keyword, Reader};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// A file that libuci would refuse (or that is too large for a router).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1, on which the offending command begins.
    pub line: u32,
    /// What is wrong with it. Never quotes the line: a broken quote lays passwords bare.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

impl Package {
    /// Reads a UCI file.
    ///
    /// `package` lines are checked and otherwise without meaning, as in libuci's `load`:
    /// a package is called what its file is called.
    ///
    /// # Errors
    /// Where libuci refuses the file. Two cases beyond: a NUL byte, behind which libuci
    /// silently loses the rest of the line, and a file larger than [`MAX_BYTES`].
    pub fn parse(text: &[u8]) -> Result<Package, ParseError> {
        if text.len() > MAX_BYTES {
            let what = format!("the file has more than {MAX_BYTES} bytes");
            return Err(ParseError { line: 1, what });
        }
        if let Some(at) = text.iter().position(|&b| b == 0) {
            return Err(error_at(text, at, "a NUL byte"));
        }
        let mut reader = Reader::new(text);
        let mut builder = Builder::default();
        let lines = text.iter().filter(|&&b| b == b'\n').count() + 1;
        builder.package.pieces = Table::with_capacity(lines);
        loop {
            let line_start = reader.line_end();
            if !reader.next_line() {
                break;
            }
            let mut start = line_start;
            let mut owner = NOBODY;
            let mut commands = 0;
            loop {
                let before = reader.pos();
                let command = match reader.command() {
                    Ok(Some(command)) => command,
                    Ok(None) => break,
                    Err(what) => return Err(error_at(text, before, what)),
                };
                if commands > 0 {
                    builder.piece(start, before, owner, true);
                    start = before;
                }
                owner = builder
                    .command(&reader, &command)
                    .map_err(|what| error_at(text, before, what))?;
                commands += 1;
            }
            builder.piece(start, reader.line_end(), owner, false);
        }
        let mut package = builder.package;
        package.text = text.to_vec();
        package.index_names();
        package.shrink();
        Ok(package)
    }
}

pub(super) fn error_at(text: &[u8], at: usize, what: &str) -> ParseError {
    let before = text.get(..at).unwrap_or(text);
    let ends = before.iter().filter(|&&b| b == b'\n').count();
    ParseError {
        // Bounded by MAX_BYTES.
        line: u32::try_from(ends + 1).unwrap_or(u32::MAX),
        what: what.to_string(),
    }
}

#[derive(Default)]
struct Builder {
    package: Package,
    /// The section that options go to.
    current: Option<u32>,
    /// Every type and name once.
    names: BTreeSet<Arc<str>>,
    /// The sections with names.
    named: HashMap<Arc<str>, u32>,
    /// Where an option stands in its section, for sections too long to be searched.
    places: HashMap<(u32, Arc<str>), usize>,
}

/// Up to this many options a section is searched one by one.
const SHORT: usize = 24;

impl Builder {
    fn piece(&mut self, start: usize, end: usize, owner: u32, joined: bool) {
        let package = &mut self.package;
        let piece = Piece::new(start, end.saturating_sub(start), owner);
        // While a file is read, owners count as indexes do.
        package
            .pieces
            .push(piece, package.places.get_mut(owner as usize));
        if joined && let Some(last) = package.pieces.last() {
            package.pieces.join(last, true);
        }
    }

    fn shared(&mut self, bytes: &[u8]) -> Arc<str> {
        // Names and types were checked to be ASCII.
        let text = String::from_utf8_lossy(bytes);
        if let Some(known) = self.names.get(&*text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.names.insert(new.clone());
        new
    }

    /// Gives one command its meaning and returns the section it belongs to.
    fn command(&mut self, reader: &Reader<'_>, command: &Command) -> Result<u32, &'static str> {
        let first = self.shared(reader.decoded(&command.first));
        let second = reader.decoded(&command.second);
        match command.keyword {
            Keyword::Package => Ok(NOBODY),
            Keyword::Config => self.open_section(first, second),
            Keyword::Option | Keyword::List => {
                let section = self.current.ok_or("an option before the first section")?;
                self.option(section, first, command.keyword, lossy(second));
                Ok(section)
            }
        }
    }

    fn open_section(&mut self, kind: Arc<str>, name: &[u8]) -> Result<u32, &'static str> {
        let name = if name.is_empty() {
            None
        } else {
            Some(self.shared(name))
        };
        let package = &mut self.package;
        if let Some(name) = &name
            && let Some(&known) = self.named.get(name)
        {
            let same = package
                .sections
                .get(known as usize)
                .is_some_and(|s| s.kind == kind);
            if !same {
                return Err("a section of another type has this name already");
            }
            self.current = Some(known);
            return Ok(known);
        }
        let index = package.sections.len() as u32;
        if let Some(name) = &name {
            self.named.insert(name.clone(), index);
        }
        package.sections.push(Section {
            kind,
            name,
            options: Vec::new(),
        });
        package.places.push(Place::of(index));
        package.next_owner = index + 1;
        self.current = Some(index);
        Ok(index)
    }

    fn option(&mut self, section: u32, name: Arc<str>, keyword: Keyword, text: String) {
        let Some(Section { options, .. }) = self.package.sections.get_mut(section as usize) else {
            return;
        };
        let place = if options.len() <= SHORT {
            options.iter().position(|(known, _)| *known == name)
        } else {
            self.places.get(&(section, name.clone())).copied()
        };
        match place.and_then(|at| options.get_mut(at)) {
            Some((_, value)) => {
                let old = std::mem::replace(value, Value::List(Vec::new()));
                if let Some(new) = apply(Some(old), keyword, text) {
                    *value = new;
                }
            }
            None => {
                if let Some(value) = apply(None, keyword, text) {
                    options.push((name, value));
                    self.note_places(section);
                }
            }
        }
    }

    /// Enters the newest option in the table of places, and all of them when the section
    /// has just become long.
    fn note_places(&mut self, section: u32) {
        let Some(Section { options, .. }) = self.package.sections.get(section as usize) else {
            return;
        };
        let from = match options.len() {
            0..=SHORT => return,
            length if length == SHORT + 1 => 0,
            length => length - 1,
        };
        for (at, (name, _)) in options.iter().enumerate().skip(from) {
            self.places.insert((section, name.clone()), at);
        }
    }
}
