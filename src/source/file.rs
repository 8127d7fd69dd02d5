//! Files, procfs and sysfs: parts of a text as values, folders and lines as rows.
//!
//! A file is read once a request. A whole file can be written: replaced through the
//! journal, or, where a file is a kernel's knob (`in_place`), written directly once the
//! change is in force.

use super::pick::{line_rows, pick, row_lines};
use super::{Deadline, Limits, is_row_key, path_with_rows, read_only, text_of};
use crate::model::binding::{Binding, DirRows, FileAt, Pick, Rows};
use crate::model::source::{Ask, FileChange, Prepared, Raw, Refusal, Row, Source, Trouble};
use crate::store::{Disk, Folders, RealDisk, Root};
use log::error;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Serves [`Binding::File`], [`Rows::Dir`] and [`Rows::Lines`].
pub struct FileSource {
    folders: Folders,
    limits: Limits,
    deadline: Deadline,
    /// What was read in this request, by path below the root; `None`: there is none.
    texts: HashMap<String, Result<Option<String>, Trouble>>,
    /// Where the rows of those texts are: by path, field and separator, then by key.
    lines: BTreeMap<RowsOf, HashMap<String, Range<usize>>>,
    /// What is staged, by path below the root.
    staged: BTreeMap<String, Staged>,
}

/// A path, the field that holds the row's key, and what parts the fields.
type RowsOf = (String, u32, Option<String>);

struct Staged {
    /// `None`: the file goes.
    text: Option<String>,
    in_place: bool,
}

impl FileSource {
    /// Files are taken below this root.
    pub fn new(root: Root, limits: Limits) -> FileSource {
        FileSource {
            folders: Folders::new(root),
            limits,
            deadline: Deadline::after(limits.request_deadline),
            texts: HashMap::new(),
            lines: BTreeMap::new(),
            staged: BTreeMap::new(),
        }
    }

    fn value(&mut self, at: &FileAt, rows: &[String]) -> Result<Option<Raw>, Trouble> {
        let path = path_with_rows(&at.path, rows).map_err(|e| trouble(&at.path, e))?;
        let row = rows.last().map(String::as_str);
        if let Some(staged) = self.staged.get(&*path) {
            let text = staged.text.as_deref();
            return Ok(text
                .and_then(|text| pick(text, &at.pick, row))
                .map(Raw::Text));
        }
        if let (Some(n), None, None, Some(row)) =
            (at.pick.row_field, &at.pick.key, &at.pick.column, row)
        {
            let Some(line) = self.row_line(&path, n, at.pick.separator.as_deref(), row)? else {
                return Ok(None);
            };
            let of_line = Pick {
                row_field: None,
                line: None,
                ..at.pick.clone()
            };
            return Ok(pick(line, &of_line, Some(row)).map(Raw::Text));
        }
        let text = self.text(&path)?;
        Ok(text
            .and_then(|text| pick(text, &at.pick, row))
            .map(Raw::Text))
    }

    /// The line whose n-th field is the row's key. A table of a thousand lines is walked
    /// once, not once for every value of every row.
    fn row_line(
        &mut self,
        path: &str,
        n: u32,
        separator: Option<&str>,
        row: &str,
    ) -> Result<Option<&str>, Trouble> {
        let place = (path.to_owned(), n, separator.map(str::to_owned));
        if !self.lines.contains_key(&place) {
            let text = self.text(path)?;
            let lines = text
                .map(|text| row_lines(text, n, separator))
                .unwrap_or_default();
            self.lines.insert(place.clone(), lines);
        }
        let lines = self.lines.get(&place);
        let range = lines.and_then(|lines| lines.get(row)).cloned();
        let text = self.text(path)?;
        Ok(range.and_then(|range| text?.get(range)))
    }

    /// A file's text, read at most once a request.
    fn text(&mut self, path: &str) -> Result<Option<&str>, Trouble> {
        if !self.texts.contains_key(path) {
            let text = self
                .deadline
                .left_for(|| source_name(path))
                .and_then(|_| self.load(path));
            self.texts.insert(path.to_owned(), text);
        }
        match self.texts.get(path) {
            Some(Ok(text)) => Ok(text.as_deref()),
            Some(Err(trouble)) => Err(trouble.clone()),
            None => Ok(None),
        }
    }

    fn load(&mut self, path: &str) -> Result<Option<String>, Trouble> {
        match self.folders.read(path, self.limits.file_size) {
            Ok(bytes) => Ok(Some(text_of(bytes))),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(trouble(path, e)),
        }
    }

    fn dir_rows(&mut self, rows: &DirRows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let path = path_with_rows(&rows.path, parents).map_err(|e| trouble(&rows.path, e))?;
        self.deadline.left_for(|| source_name(&path))?;
        let real = self.folders.folder(&path).map_err(|e| trouble(&path, e))?;
        let mut names = match RealDisk.list(&real) {
            Ok(names) => names,
            Err(e) if is_absence(&e) => Vec::new(),
            Err(e) => return Err(trouble(&path, e)),
        };
        let holds = |name: &str, entry: &str| {
            // The row itself may be a link (in sysfs it is), so the root looks at it.
            self.folders.exists(&format!("{path}/{name}/{entry}"))
        };
        names.retain(|name| {
            is_row_key(name)
                && (!rows.numeric || name.bytes().all(|b| b.is_ascii_digit()))
                && !rows.except.contains(name)
                && rows.with.as_deref().is_none_or(|w| holds(name, w))
                && rows.without.as_deref().is_none_or(|w| !holds(name, w))
        });
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
}

impl Source for FileSource {
    fn begin(&mut self) {
        self.folders.forget();
        self.texts.clear();
        self.lines.clear();
        self.deadline = Deadline::after(self.limits.request_deadline);
    }

    fn rest(&mut self) {
        self.folders.forget();
        self.texts = HashMap::new();
        self.lines = BTreeMap::new();
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        match rows {
            Rows::Dir(rows) => self.dir_rows(rows, parents),
            Rows::Lines(rows) => {
                let path =
                    path_with_rows(&rows.path, parents).map_err(|e| trouble(&rows.path, e))?;
                let limit = self.limits.rows;
                let text = self.text(&path)?;
                Ok(text
                    .map(|text| line_rows(text, rows, limit))
                    .unwrap_or_default())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn read(&mut self, asks: &[Ask<'_>]) -> Vec<Result<Option<Raw>, Trouble>> {
        asks.iter()
            .map(|ask| match ask.binding {
                Binding::File(at) => self.value(at, ask.rows),
                _ => Ok(None),
            })
            .collect()
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        let Binding::File(file) = at.binding else {
            return Err(read_only("file", "what is bound elsewhere"));
        };
        if file.pick != Pick::default() {
            return Err(read_only(&source_name(&file.path), "a part of a file"));
        }
        let path = path_with_rows(&file.path, at.rows)
            .and_then(|path| match self.folders.root().path(&path) {
                Ok(_) => Ok(path.into_owned()),
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
        for (path, staged) in std::mem::take(&mut self.staged) {
            self.texts.remove(&path);
            self.lines.retain(|(of, _, _), _| *of != path);
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
