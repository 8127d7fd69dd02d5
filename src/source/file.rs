//! Files, procfs and sysfs: parts of a text as values, folders and lines as rows.
//!
//! A file is read once a request. A whole file can be written: replaced through the
//! journal, or, where a file is a kernel's knob (`in_place`), written directly once the
//! change is in force.

use super::pick::{RowLine, line_rows, pick, pick_of_line, row_line, row_lines};
use super::{Deadline, Limits, is_row_key, put_rows, read_only, text_of};
use crate::model::binding::{Binding, DirRows, FileAt, Rows};
use crate::model::source::{Ask, FileChange, Prepared, Raw, Refusal, Row, Said, Source, Trouble};
use crate::store::{Disk, Folders, Index, RealDisk, Root};
use log::error;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A listing or text longer than this is not kept from one request to the next, bytes.
const MAX_KEPT: usize = 4096;

/// Serves [`Binding::File`], [`Rows::Dir`] and [`Rows::Lines`].
pub struct FileSource {
    folders: Folders,
    limits: Limits,
    deadline: Deadline,
    /// What was read in this request; `None`: there is no such file.
    texts: Vec<Text>,
    /// Places in `texts`, by path below the root.
    places: Index,
    /// Where the rows of those texts are.
    lines: Vec<(RowsOf, Vec<RowLine>)>,
    /// Tables as they were found last.
    tables: Vec<(Rows, Table)>,
    /// What is staged, by path below the root.
    staged: BTreeMap<String, Staged>,
    /// The path being asked for.
    path: String,
}

/// What a file was found to say. `None`: not read since it was changed.
type Text = Option<Result<Option<String>, Trouble>>;

/// A place in the texts, the field that holds the row's key, and what parts the fields.
type RowsOf = (usize, u32, Option<String>);

/// What the rows of a table were made of.
#[derive(Default)]
struct Table {
    /// The file's text, or the folder's entries with a word on each; empty where it was too
    /// long to be kept.
    made_of: String,
    version: u32,
    /// Found to be so in this request.
    checked: bool,
    /// The rows found then, until they are asked for.
    found: Option<Vec<String>>,
}

impl Table {
    /// Takes what its rows are made of now.
    fn take(&mut self, made_of: &str) {
        self.checked = true;
        // What was too long was not kept: nothing is like it.
        if self.made_of != made_of || made_of.is_empty() {
            self.version = self.version.wrapping_add(1);
            self.made_of.clear();
            if made_of.len() <= MAX_KEPT {
                self.made_of.push_str(made_of);
                self.made_of.shrink_to_fit();
            }
        }
    }
}

struct Staged {
    /// `None`: the file goes.
    text: Option<String>,
    in_place: bool,
}

impl FileSource {
    /// Files are taken below this root.
    pub fn new(root: Root, limits: Limits) -> FileSource {
        FileSource::below(Folders::new(root), limits)
    }

    /// The same; folders that another source walked in a request are not walked again.
    pub fn below(folders: Folders, limits: Limits) -> FileSource {
        FileSource {
            folders,
            limits,
            deadline: Deadline::after(limits.request_deadline),
            texts: Vec::new(),
            places: Index::default(),
            lines: Vec::new(),
            tables: Vec::new(),
            staged: BTreeMap::new(),
            path: String::new(),
        }
    }

    fn picked(&mut self, at: &FileAt, rows: &[String]) -> Result<Option<&str>, Trouble> {
        let mut path = std::mem::take(&mut self.path);
        let found = put_rows(&at.path, rows, &mut path).map_err(|e| trouble(&at.path, e));
        let row = rows.last().map(String::as_str);
        if !self.staged.is_empty() && self.staged.contains_key(&path) {
            found?;
            let staged = self.staged.get(&path);
            let text = staged.and_then(|staged| staged.text.as_deref());
            return Ok(text.and_then(|text| pick(text, &at.pick, row)));
        }
        let place = found.map(|()| self.place(&path));
        self.path = path;
        let place = place?;
        if let (Some(n), None, None, Some(row)) =
            (at.pick.row_field, &at.pick.key, &at.pick.column, row)
        {
            let line = self.row_line(place, n, at.pick.separator.as_deref(), row)?;
            return Ok(line.and_then(|line| pick_of_line(line, &at.pick)));
        }
        let text = self.text_at(place)?;
        Ok(text.and_then(|text| pick(text, &at.pick, row)))
    }

    /// The line whose n-th field is the row's key. A table of a thousand lines is walked
    /// once, not once for every value of every row.
    fn row_line(
        &mut self,
        place: usize,
        n: u32,
        separator: Option<&str>,
        row: &str,
    ) -> Result<Option<&str>, Trouble> {
        let is_it = |(of, _): &(RowsOf, _)| (of.0, of.1, of.2.as_deref()) == (place, n, separator);
        let known = self.lines.iter().rposition(is_it);
        let known = match known {
            Some(known) => known,
            None => {
                let lines = match self.text_at(place)? {
                    Some(text) => row_lines(text, n, separator),
                    None => Vec::new(),
                };
                let of = (place, n, separator.map(str::to_owned));
                self.lines.push((of, lines));
                self.lines.len() - 1
            }
        };
        let lines = self.lines.get(known).map(|(_, lines)| lines.as_slice());
        let text = self.text_at(place)?;
        Ok(text.and_then(|text| row_line(text, lines.unwrap_or_default(), row)))
    }

    /// The place of a file's text, which is read at most once a request.
    fn place(&mut self, path: &str) -> usize {
        let known = self.places.get(path);
        if let Some(place) = known
            && self.texts.get(place).is_some_and(Option::is_some)
        {
            return place;
        }
        let text = self
            .deadline
            .left_for(|| source_name(path))
            .and_then(|_| self.load(path));
        match known {
            Some(place) => {
                if let Some(forgotten) = self.texts.get_mut(place) {
                    *forgotten = Some(text);
                }
                place
            }
            None => {
                self.texts.push(Some(text));
                self.places.insert(path)
            }
        }
    }

    fn text_at(&self, place: usize) -> Result<Option<&str>, Trouble> {
        match self.texts.get(place) {
            Some(Some(Ok(text))) => Ok(text.as_deref()),
            Some(Some(Err(trouble))) => Err(trouble.clone()),
            Some(None) | None => Ok(None),
        }
    }

    fn load(&self, path: &str) -> Result<Option<String>, Trouble> {
        match self.folders.read(path, self.limits.file_size) {
            Ok(bytes) => Ok(Some(text_of(bytes))),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(trouble(path, e)),
        }
    }

    /// The names of a folder that are rows, in the folder's order, and all its entries with
    /// a word on each: whether it is a row.
    fn entries(
        &self,
        rows: &DirRows,
        parents: &[String],
    ) -> Result<(Vec<String>, String), Trouble> {
        let mut path = String::new();
        put_rows(&rows.path, parents, &mut path).map_err(|e| trouble(&rows.path, e))?;
        self.deadline.left_for(|| source_name(&path))?;
        let real = self.folders.folder(&path).map_err(|e| trouble(&path, e))?;
        let mut names = match RealDisk.list(&real) {
            Ok(names) => names,
            Err(e) if is_absence(&e) => Vec::new(),
            Err(e) => return Err(trouble(&path, e)),
        };
        path.push('/');
        let folder = path.len();
        let mut holds = |name: &str, entry: &str| {
            // The row itself may be a link (in sysfs it is), so the root looks at it.
            path.truncate(folder);
            for part in [name, "/", entry] {
                path.push_str(part);
            }
            self.folders.exists(&path)
        };
        // Most names are shorter.
        let mut made_of = String::with_capacity(16 * names.len());
        names.retain(|name| {
            let is_row = is_row_key(name)
                && (!rows.numeric || name.bytes().all(|b| b.is_ascii_digit()))
                && !rows.except.contains(name)
                && rows.with.as_deref().is_none_or(|w| holds(name, w))
                && !rows.without.iter().any(|w| holds(name, w));
            made_of.push_str(name);
            // No name has a slash in it.
            made_of.push_str(if is_row { "/+/" } else { "/-/" });
            is_row
        });
        Ok((names, made_of))
    }

    fn dir_rows(&mut self, rows: &DirRows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let is_it = |(known, table): &&mut (Rows, Table)| {
            table.checked && matches!(known, Rows::Dir(known) if **known == *rows)
        };
        let known = self.tables.iter_mut().find(is_it);
        let mut names = match known.and_then(|(_, table)| table.found.take()) {
            Some(names) => names,
            None => self.entries(rows, parents)?.0,
        };
        names.sort_by(|a, b| natural(a).cmp(natural(b)));
        names.truncate(self.limits.rows);
        Ok(names
            .into_iter()
            .map(|key| Row {
                key,
                prints: Vec::new(),
            })
            .collect())
    }

    /// Looks at what a table's rows are made of, once a request.
    fn version(&mut self, rows: &Rows) -> Option<u32> {
        let path = match rows {
            Rows::Dir(rows) => &rows.path,
            Rows::Lines(rows) => &rows.path,
            _ => return None,
        };
        // One version for the tables of all rows around would not tell which of them changed.
        if path.contains('{') || !self.staged.is_empty() {
            return None;
        }
        let known = self.tables.iter().position(|(known, _)| known == rows);
        let known = known.unwrap_or_else(|| {
            self.tables.push((rows.clone(), Table::default()));
            self.tables.len() - 1
        });
        if let Some((_, table)) = self.tables.get(known)
            && table.checked
        {
            return Some(table.version);
        }
        match rows {
            Rows::Dir(dir) => {
                let (names, made_of) = self.entries(dir, &[]).ok()?;
                let (_, table) = self.tables.get_mut(known)?;
                let version = table.version;
                table.take(&made_of);
                table.found = (table.version != version).then_some(names);
            }
            _ => {
                let place = self.place(path);
                // An absent file has no rows, as an empty one.
                let text = self.texts.get(place)?.as_ref()?.as_ref().ok()?;
                let (_, table) = self.tables.get_mut(known)?;
                table.take(text.as_deref().unwrap_or_default());
            }
        }
        self.tables.get(known).map(|(_, table)| table.version)
    }
}

impl Source for FileSource {
    fn begin(&mut self) {
        self.folders.forget();
        self.texts.clear();
        self.places.clear();
        self.lines.clear();
        for (_, table) in &mut self.tables {
            table.checked = false;
            table.found = None;
        }
        self.deadline = Deadline::after(self.limits.request_deadline);
    }

    fn rest(&mut self) {
        self.folders.release();
        self.texts = Vec::new();
        self.places.release();
        self.lines = Vec::new();
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        match rows {
            Rows::Dir(rows) => self.dir_rows(rows, parents),
            Rows::Lines(rows) => {
                let mut path = String::new();
                put_rows(&rows.path, parents, &mut path).map_err(|e| trouble(&rows.path, e))?;
                let limit = self.limits.rows;
                let place = self.place(&path);
                let text = self.text_at(place)?;
                Ok(text
                    .map(|text| line_rows(text, rows, limit))
                    .unwrap_or_default())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn rows_version(&mut self, rows: &Rows) -> Option<u32> {
        self.version(rows)
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        match ask.binding {
            Binding::File(at) => {
                let picked = self.picked(at, ask.rows)?;
                Ok(picked.map(|text| Said::Text(text.into())))
            }
            _ => Ok(None),
        }
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        let Binding::File(file) = at.binding else {
            return Err(read_only("file", "what is bound elsewhere"));
        };
        if !file.pick.is_whole() {
            return Err(read_only(&source_name(&file.path), "a part of a file"));
        }
        let mut path = String::new();
        put_rows(&file.path, at.rows, &mut path)
            .and_then(|()| match self.folders.root().path(&path) {
                Ok(_) => Ok(()),
                Err(e) => Err(e.to_string()),
            })
            .map_err(|e| Refusal::Trouble(trouble(&file.path, e)))?;
        let text = match value {
            None => None,
            Some(Raw::Text(text)) => Some(text),
            Some(Raw::List(_)) => {
                return Err(Refusal::Value("a file holds one text, no list".to_owned()));
            }
        };
        let size = text.as_deref().map_or(0, str::len);
        if u64::try_from(size).is_ok_and(|size| size >= self.limits.file_size) {
            return Err(Refusal::Value(format!(
                "longer than {} bytes",
                self.limits.file_size
            )));
        }
        if file.in_place && text.is_none() {
            return Err(Refusal::Value(
                "a kernel's file cannot be removed".to_owned(),
            ));
        }
        let staged = Staged {
            text,
            in_place: file.in_place,
        };
        self.staged.insert(path, staged);
        Ok(())
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("file", "the rows of a folder or file"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("file", "the rows of a folder or file"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        let mut files = Vec::new();
        for (path, staged) in &self.staged {
            let real = self
                .folders
                .root()
                .path(path)
                .map_err(|e| trouble(path, e))?;
            if staged.in_place {
                // What can be known before the change is in force: the knob is there.
                let stat = RealDisk.stat(&real).map_err(|e| trouble(path, e))?;
                if !stat.is_file {
                    return Err(trouble(path, "not a regular file"));
                }
                continue;
            }
            files.push(FileChange {
                path: real,
                content: staged
                    .text
                    .as_ref()
                    .map(|text| format!("{text}\n").into_bytes()),
                mode: 0o644,
                reload: Vec::new(),
            });
        }
        Ok(Prepared {
            files,
            renamed: Vec::new(),
        })
    }

    fn finish(&mut self, committed: bool) {
        for (_, table) in &mut self.tables {
            // A change may have made a file in the folder of a table.
            table.checked = false;
        }
        for (path, staged) in std::mem::take(&mut self.staged) {
            if let Some(place) = self.places.get(&path) {
                self.lines.retain(|((of, ..), _)| *of != place);
                if let Some(text) = self.texts.get_mut(place) {
                    *text = None;
                }
            }
            let (true, true, Some(text)) = (committed, staged.in_place, &staged.text) else {
                continue;
            };
            let result = self
                .folders
                .root()
                .path(&path)
                .map_err(io::Error::from)
                .and_then(|real| write_in_place(&real, text));
            if let Err(e) = result {
                error!("{path}: the kernel did not take the value: {e}");
                continue;
            }
            match self.load(&path) {
                Ok(Some(now)) if now.trim() != text.trim() => {
                    error!("{path}: reads differently from what was just written");
                }
                Err(e) => error!("{e}: cannot be read back"),
                Ok(_) => {}
            }
        }
    }
}

/// One write: the kernel takes a value whole or not at all.
fn write_in_place(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    file.write_all(format!("{text}\n").as_bytes())
}

/// Errors that mean "there is no value now": the file is not there, the process or the
/// device went away, the link is down (`speed` in sysfs).
fn is_absence(e: &io::Error) -> bool {
    if matches!(
        e.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) {
        return true;
    }
    e.raw_os_error().is_some_and(|n| {
        matches!(
            Errno::from_raw(n),
            Errno::EINVAL | Errno::ENODEV | Errno::ENXIO | Errno::ESRCH | Errno::EOPNOTSUPP
        )
    })
}

/// Sorts `lan2` before `lan10`: runs of digits count as numbers.
fn natural(name: &str) -> impl Iterator<Item = (&str, Option<u64>)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let text_end = bytes.iter().position(u8::is_ascii_digit);
        let (text, after) = rest.split_at(text_end.unwrap_or(rest.len()));
        let number_end = after.bytes().position(|b| !b.is_ascii_digit());
        let (number, after) = after.split_at(number_end.unwrap_or(after.len()));
        rest = after;
        let number = (!number.is_empty()).then(|| number.parse().unwrap_or(u64::MAX));
        Some((text, number))
    })
}

fn source_name(path: &str) -> String {
    format!("file {path}")
}

fn trouble(path: &str, what: impl std::fmt::Display) -> Trouble {
    Trouble {
        source: source_name(path),
        what: what.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = vec!["lan10", "eth0", "lan2", "lan", "wan", "lan1", "10", "9"];
        names.sort_by(|a, b| natural(a).cmp(natural(b)));
        assert_eq!(
            names,
            ["9", "10", "eth0", "lan", "lan1", "lan2", "lan10", "wan"]
        );
    }
}
