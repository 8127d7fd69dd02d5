//! OpenWrt configuration files (`/etc/config/PACKAGE`).
//!
//! A parsed file is kept while its stamp stands. What is staged goes into a copy that
//! reads see; `prepare` locks the file as libuci does, makes the changes again if
//! somebody changed it since, and hands the new content over. Reading never writes:
//! sections without a name are known by their content, and get names only when their
//! file is written anyhow or a value just staged refers to one of them.

mod coded;
mod devices;
mod draft;
mod firewall;
mod hosts;
mod items;
mod keys;
mod naming;
mod pools;
mod reading;
mod servers;
mod shape;
mod staging;
mod view;

use super::packages::{Packages, is_recent};
use super::{Deadline, Limits, is_row_key, read_only};
use crate::model::binding::{Binding, Rows, UciItems, UciRows, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Said, Source, Trouble};
use crate::store::{Folders, Root};
use crate::uci::file::{FileError, Stamp};
use crate::uci::lock::Locked;
use crate::uci::{EditError, Package, Section, Value};
pub use coded::{is_section_table, is_table, is_value, is_within};
use draft::{Change, ChangeError, Content, Draft};
use naming::{Ready, Written};
use reading::LastSection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

pub use view::is_view;
pub(super) use view::standards as wifi_standards;

/// Where UCI files live, below the root.
const CONFIG: &str = "/etc/config";

/// Serves [`Binding::Uci`] and [`Rows::Uci`].
pub struct UciSource {
    folders: Folders,
    packages: Packages,
    limits: Limits,
    deadline: Deadline,
    /// By package. They are few, and looked up for every value: see [`UciSource::cached`].
    cache: Vec<(String, Cached)>,
    drafts: BTreeMap<String, Draft>,
    /// Of tables below other rows, as this request's content has it.
    children: Vec<(Arc<UciRows>, Children)>,
    /// Tables seen or told of.
    tables: Vec<Known>,
    /// Tables of list entries, told of or seen.
    lists: Vec<Arc<UciItems>>,
    /// Name servers, as far as no package tells.
    servers: servers::Servers,
    /// The highest number given to a section made here, by package and type: the number
    /// of one that went is not given again while this runs.
    numbers: BTreeMap<(String, String), u32>,
    /// Held from `prepare` to `finish`.
    locks: Vec<Locked>,
    /// The new contents, from `prepare` to `finish`.
    written: Vec<Written>,
    /// How often a file was read.
    readings: u32,
    /// Where the last value was read.
    last: Option<LastSection>,
}

/// Places of sections, by what their option that names the row around them says.
type Children = HashMap<String, Vec<usize>>;

/// A table of sections, and where it was asked for.
struct Known {
    rows: Arc<UciRows>,
    /// The keys of the rows around it, where it is below rows.
    around: BTreeSet<Vec<String>>,
    /// It was asked for below no row.
    below_none: bool,
}

impl Known {
    fn of(rows: &Arc<UciRows>) -> Known {
        Known {
            rows: Arc::clone(rows),
            around: BTreeSet::new(),
            below_none: false,
        }
    }
}

struct Cached {
    /// `None`: there is no file.
    stamp: Option<Stamp>,
    content: Result<Content, Trouble>,
    /// Which reading of a file this is: higher than all before.
    reading: u32,
    /// Looked at in this request.
    checked: bool,
    /// The stamp alone does not tell; read again in the next request.
    unsettled: bool,
}

impl UciSource {
    /// UCI files are those of `/etc/config` below this root.
    pub fn new(root: Root, limits: Limits) -> UciSource {
        UciSource::sharing(root, limits, Packages::default())
    }

    /// The same; files that were read are shared.
    pub(super) fn sharing(root: Root, limits: Limits, packages: Packages) -> UciSource {
        UciSource {
            packages,
            folders: Folders::new(root),
            limits,
            deadline: Deadline::after(limits.request_deadline),
            cache: Vec::new(),
            drafts: BTreeMap::new(),
            children: Vec::new(),
            tables: Vec::new(),
            lists: Vec::new(),
            servers: servers::Servers::default(),
            numbers: BTreeMap::new(),
            locks: Vec::new(),
            written: Vec::new(),
            readings: 0,
            last: None,
        }
    }

    /// Tells of a table before it is first read, so that its anonymous sections are
    /// named, and reported as [`Renamed`](crate::model::source::Renamed), when its file is written for another reason.
    /// Other kinds of rows are ignored.
    pub fn know(&mut self, rows: &Rows) {
        match rows {
            Rows::Uci(rows) if !self.tables.iter().any(|known| known.rows == *rows) => {
                self.tables.push(Known::of(rows));
            }
            Rows::Items(items) if !self.lists.contains(items) => self.lists.push(items.clone()),
            _ => {}
        }
    }

    fn seen(&mut self, rows: &Arc<UciRows>, parents: &[String]) {
        let place = self.tables.iter().position(|known| known.rows == *rows);
        let place = place.unwrap_or_else(|| {
            self.tables.push(Known::of(rows));
            self.tables.len() - 1
        });
        let Some(known) = self.tables.get_mut(place) else {
            return;
        };
        if parents.is_empty() {
            known.below_none = true;
        } else if known.around.len() < self.limits.rows && !known.around.contains(parents) {
            known.around.insert(parents.to_vec());
        }
    }

    fn path(&mut self, package: &str) -> Result<PathBuf, Trouble> {
        if !is_row_key(package) {
            return Err(trouble(package, "not the name of a package"));
        }
        self.folders
            .path(&[CONFIG, "/", package].concat())
            .map_err(|e| trouble(package, e))
    }

    /// The stamp of a package's file at this moment; `None` where there is none.
    fn stamp(&self, package: &str) -> Result<Option<Stamp>, Trouble> {
        if !is_row_key(package) {
            return Err(trouble(package, "not the name of a package"));
        }
        match self.folders.metadata(&[CONFIG, "/", package].concat()) {
            Ok(metadata) => Ok(Some(Stamp::from(&metadata))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(trouble(package, e)),
        }
    }

    /// What a package holds: with what is staged, or as the file is.
    fn content(&mut self, package: &str) -> Result<&Content, Trouble> {
        if !self.drafts.contains_key(package) {
            self.refresh(package)?;
        }
        if let Some(draft) = self.drafts.get(package) {
            return Ok(&draft.content);
        }
        match self.cached(package).map(|c| &c.content) {
            Some(Ok(content)) => Ok(content),
            Some(Err(trouble)) => Err(trouble.clone()),
            // `refresh` just put it there.
            None => Err(trouble(package, "not read")),
        }
    }

    /// A package as it was last read.
    fn cached(&self, package: &str) -> Option<&Cached> {
        let mut all = self.cache.iter();
        all.find(|(name, _)| name == package).map(|(_, c)| c)
    }

    /// Reads a file again if it changed since; looks at most once a request.
    fn refresh(&mut self, package: &str) -> Result<(), Trouble> {
        if self.cached(package).is_some_and(|c| c.checked) {
            return Ok(());
        }
        self.deadline.left_for(|| source_name(package))?;
        let stamp = self.stamp(package)?;
        let place = self.cache.iter().position(|(name, _)| name == package);
        if let Some((_, cached)) = place.and_then(|place| self.cache.get_mut(place))
            && cached.stamp == stamp
            && !cached.unsettled
        {
            cached.checked = true;
            return Ok(());
        }
        let path = self.path(package)?;
        let loaded = self.packages.load(&path);
        let read = loaded.as_ref().ok().map(|(_, stamp)| *stamp).or(stamp);
        let unsettled = read.is_some_and(|stamp| is_recent(&stamp));
        if let Some((_, cached)) = place.and_then(|place| self.cache.get_mut(place))
            && let (Ok(content), Ok((package, stamp))) = (&cached.content, &loaded)
            && content.package.is(package)
        {
            // Another file, or one that might be, which says the same.
            cached.stamp = Some(*stamp);
            cached.checked = true;
            cached.unsettled = unsettled;
            return Ok(());
        }
        let (stamp, content) = match loaded {
            Ok((package, stamp)) => (Some(stamp), Ok(Content::of(package))),
            Err(FileError::Missing { .. }) => (None, Ok(Content::default())),
            Err(e) => (stamp, Err(trouble(package, e))),
        };
        self.last = None;
        self.readings = self.readings.wrapping_add(1);
        let cached = Cached {
            stamp,
            content,
            reading: self.readings,
            checked: true,
            unsettled,
        };
        match place.and_then(|place| self.cache.get_mut(place)) {
            Some((_, known)) => *known = cached,
            None => self.cache.push((package.to_owned(), cached)),
        }
        Ok(())
    }

    /// Keeps what was just written in place of what the file said before, so that it need not
    /// be parsed again. Whether the file holds that is looked at in the next request.
    fn take_written(&mut self, written: Written) {
        let Written {
            package,
            path,
            print,
            mut says,
        } = written;
        let Some((_, cached)) = self.cache.iter_mut().find(|(name, _)| *name == package) else {
            return;
        };
        // The draft that it was shared with is gone.
        let Some(tidied) = Arc::get_mut(&mut says) else {
            return;
        };
        tidied.tidy();
        self.packages.written(&path, print, &says);
        self.readings = self.readings.wrapping_add(1);
        let content = match &cached.content {
            Ok(before) => Content::after(before, says),
            Err(_) => Content::of(says),
        };
        *cached = Cached {
            stamp: None,
            content: Ok(content),
            reading: self.readings,
            checked: false,
            unsettled: true,
        };
    }

    /// The draft of a package, begun if there is none.
    fn draft(&mut self, package: &str) -> Result<&mut Draft, Trouble> {
        if !self.drafts.contains_key(package) {
            let content = self.content(package)?.clone();
            let base = self.cached(package).and_then(|c| c.stamp);
            self.drafts
                .insert(package.to_owned(), Draft::new(base, content));
        }
        self.drafts
            .get_mut(package)
            .ok_or_else(|| trouble(package, "not read"))
    }

    /// Notes which sections are below which row, once for all rows of a request.
    fn index(&mut self, rows: &Arc<UciRows>, option: &str) -> Result<(), Trouble> {
        if self.children.iter().any(|(known, _)| known == rows) {
            return Ok(());
        }
        let mut children = Children::new();
        let sections = self.content(&rows.package)?.package.sections().iter();
        let of_type = |(_, s): &(usize, &Section)| s.kind() == &*rows.section_type;
        for (place, section) in sections.enumerate().filter(of_type) {
            for parent in section.get(option).map(Value::items).unwrap_or_default() {
                let places = children.entry(parent.clone()).or_default();
                // An item that is there twice is one row.
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        self.children.push((rows.clone(), children));
        Ok(())
    }

    fn make(&mut self, package: &str, change: Change) -> Result<(), Refusal> {
        self.children.retain(|(rows, _)| *rows.package != *package);
        self.last = None;
        let draft = self.draft(package).map_err(Refusal::Trouble)?;
        draft.make(change).map_err(|e| match e {
            ChangeError::Edit(EditError::BadValue { .. }) => Refusal::Value(e.to_string()),
            ChangeError::Edit(EditError::TooLarge { .. }) => Refusal::Full(e.to_string()),
            e => Refusal::Trouble(trouble(package, e)),
        })
    }

    /// Locks a package's file and makes its new content; `None` where it stays the same.
    fn prepare_one(
        &mut self,
        package: &str,
        draft: &mut Draft,
        until: Instant,
    ) -> Result<Option<Ready>, Trouble> {
        let path = self.path(package)?;
        let wait = until.saturating_duration_since(Instant::now());
        let (lock, base, old) = match Locked::acquire(&path, wait) {
            Ok(lock) => {
                let (stamp, old) = (lock.stamp(), lock.content().to_vec());
                (Some(lock), Some(stamp), old)
            }
            Err(FileError::Missing { .. }) => (None, None, Vec::new()),
            Err(e) => return Err(trouble(package, e)),
        };
        // An unsettled stamp may stand although the content changed.
        let unsettled = self.cached(package).is_none_or(|c| c.unsettled);
        if base != draft.base || unsettled {
            let now = match &lock {
                Some(lock) => lock.package().map_err(|e| trouble(package, e))?,
                None => Package::default(),
            };
            draft
                .rebase(base, Content::of(now.into()))
                .map_err(|e| trouble(package, e))?;
        }
        // Reads until `finish` know the sections by the keys they had.
        let mut content = draft.content.clone();
        let mut renamed = self.settle_servers(package, &mut content)?;
        if !draft.referred && content.package.to_bytes() == old {
            return Ok(None);
        }
        renamed.extend(self.name_sections(package, &mut content)?);
        renamed.extend(self.renamed_items(package, draft));
        self.locks.extend(lock);
        Ok(Some(Ready {
            package: package.to_owned(),
            path,
            content,
            renamed,
        }))
    }
}

impl Source for UciSource {
    fn begin(&mut self) {
        self.folders.forget();
        self.servers.begin();
        self.children.clear();
        self.last = None;
        self.deadline = Deadline::after(self.limits.request_deadline);
        for (_, cached) in &mut self.cache {
            cached.checked = false;
        }
    }

    fn rest(&mut self) {
        self.folders.release();
        self.children = Vec::new();
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let rows = match rows {
            Rows::Uci(rows) => rows,
            Rows::Items(items) => return self.item_rows(items, parents),
            _ => return Ok(Vec::new()),
        };
        self.seen(rows, parents);
        if servers::is_table(rows) {
            return self.server_rows();
        }
        let limit = self.limits.rows;
        let within = match &rows.within {
            Some(_) => Some(self.within(rows, parents)?),
            None => None,
        };
        let content = self.content(&rows.package)?;
        if let Some(option) = &rows.key {
            return Ok(keys::keyed(&content.package, rows, option, parents, limit));
        }
        if let (Some(keys::ITSELF), Some(parent)) = (rows.parent.as_deref(), parents.last()) {
            // The one section that can be such a row, without a walk for each of them.
            let index = content.by_key(parent);
            let section = index.and_then(|i| content.package.sections().get(i));
            let row = section.filter(|s| keys::is_row(s, parent, rows, parents));
            let prints = index.and_then(|i| content.prints.get(i));
            let row = row.map(|_| Row {
                key: parent.clone(),
                prints: prints.cloned().unwrap_or_default(),
            });
            return Ok(row.into_iter().collect());
        }
        if let (Some(option), Some(parent)) = (rows.parent.as_deref(), parents.last()) {
            self.index(rows, option)?;
            let known = self.children.iter().find(|(known, _)| known == rows);
            let places = known.and_then(|(_, children)| children.get(parent));
            let places = places.cloned().unwrap_or_default();
            let content = self.content(&rows.package)?;
            let holds = within.as_ref();
            return Ok(rows_at(
                content,
                places.into_iter(),
                rows,
                parents,
                holds,
                limit,
            ));
        }
        let all = 0..content.package.sections().len();
        Ok(rows_at(content, all, rows, parents, within.as_ref(), limit))
    }

    fn rows_version(&mut self, rows: &Rows) -> Option<u32> {
        let (package, within, servers) = match rows {
            Rows::Uci(rows) => {
                let servers = servers::is_table(rows);
                (&rows.package, rows.within.is_some(), servers)
            }
            Rows::Items(items) => (&items.package, false, false),
            _ => return None,
        };
        if !self.drafts.is_empty() {
            return None;
        }
        self.refresh(package).ok()?;
        let cached = self.cached(package)?;
        let reading = cached.content.is_ok().then_some(cached.reading)?;
        if servers {
            return Some(self.servers_version(reading));
        }
        if !within {
            return Some(reading);
        }
        // Networks tell the rows, too; where their file is broken, they tell nothing.
        let _ = self.refresh("network");
        // A later reading of either file has a higher number than both had.
        Some(reading.max(self.cached("network")?.reading))
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        self.said(ask)
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        match at.binding {
            Binding::Uci(uci) => self.stage_value(uci, at.rows, value),
            _ => Err(read_only("uci", "what is bound elsewhere")),
        }
    }

    fn fits(&mut self, at: Ask<'_>) -> Result<(), String> {
        match at.binding {
            Binding::Uci(uci) => self.check_value(uci, at.rows),
            _ => Ok(()),
        }
    }

    fn add_row(&mut self, rows: &Rows, parents: &[String]) -> Result<Row, Refusal> {
        let rows = match rows {
            Rows::Uci(rows) => rows,
            Rows::Items(items) => return self.add_item(items, parents),
            _ => return Err(read_only("uci", "a table bound elsewhere")),
        };
        self.seen(rows, parents);
        if servers::is_table(rows) {
            return self.add_server();
        }
        let name = self
            .free_name(&rows.package, &rows.section_type)
            .map_err(Refusal::Trouble)?;
        let mut options: Vec<(String, String)> = rows
            .new
            .iter()
            .map(|(option, text)| {
                (
                    option.as_ref().to_owned(),
                    expand(text, parents).replace("{new}", &name),
                )
            })
            .collect();
        if rows.within.is_some() {
            match parents.last() {
                Some(parent) if !keys::is_anonymous(parent) => {
                    options.push((hosts::BELONGS.to_owned(), parent.clone()));
                }
                _ => {
                    return Err(Refusal::Trouble(trouble(
                        &rows.package,
                        "the section around the table has no name yet; change one of its options first",
                    )));
                }
            }
        }
        if let Some(option) = &rows.parent {
            match parents.last() {
                _ if **option == *keys::ITSELF => {
                    return Err(read_only(
                        &source_name(&rows.package),
                        "a table whose rows are the rows around it",
                    ));
                }
                // One without a name gets one, here too, when this is written.
                Some(parent) => options.push((option.as_ref().to_owned(), parent.clone())),
                None => {
                    return Err(Refusal::Trouble(trouble(
                        &rows.package,
                        "there is no row around the table",
                    )));
                }
            }
        }
        let section = Change::Section {
            kind: rows.section_type.as_ref().to_owned(),
            name: name.clone(),
        };
        self.make(&rows.package, section)?;
        let mut row = Row {
            key: name.clone(),
            prints: Vec::new(),
        };
        for (option, text) in options {
            if rows.key.as_deref() == Some(&*option) {
                row.key.clone_from(&text);
            }
            let key = name.clone();
            let is_off = rows.codec.as_deref() == Some(coded::OFF_AT_FIRST)
                && rows.parent.as_deref() == Some(&*option);
            let change = match is_off {
                true => {
                    let items = vec![text];
                    Change::List { key, option, items }
                }
                false => Change::Text { key, option, text },
            };
            self.make(&rows.package, change)?;
        }
        Ok(row)
    }

    fn delete_row(&mut self, rows: &Rows, parents: &[String], key: &str) -> Result<(), Refusal> {
        match rows {
            Rows::Uci(rows) if servers::is_table(rows) => self.delete_server(key),
            Rows::Uci(rows) => {
                let key = match &rows.key {
                    None => key.to_owned(),
                    Some(option) => {
                        let content = self.content(&rows.package).map_err(Refusal::Trouble)?;
                        let index = content.by_option(&rows.section_type, option, key);
                        let found = index.and_then(|i| content.keys.get(i)).cloned();
                        found.ok_or_else(|| {
                            Refusal::Trouble(trouble(&rows.package, format!("there is no {key}")))
                        })?
                    }
                };
                self.may_go(rows, &key)?;
                if let Some(codec) = &rows.codec {
                    let content = self.content(&rows.package).map_err(Refusal::Trouble)?;
                    let index = content.by_key(&key);
                    let may = index.map_or(Ok(()), |i| coded::may_go(codec, content, i));
                    may.map_err(Refusal::Value)?;
                }
                self.make(&rows.package, Change::Delete { key })
            }
            Rows::Items(items) => self.delete_item(items, parents, key),
            _ => Err(read_only("uci", "a table bound elsewhere")),
        }
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        // Drafts are made again on what the files hold now.
        self.children.clear();
        self.last = None;
        self.written.clear();
        let until = Instant::now() + self.limits.uci_lock_wait;
        let referred = self.begin_referred()?;
        let mut ready = Vec::new();
        // In the order of their names, so that two who lock several never wait for each
        // other.
        let packages: Vec<String> = self.drafts.keys().cloned().collect();
        for package in packages {
            let Some(mut draft) = self.drafts.remove(&package) else {
                continue;
            };
            let one = self.prepare_one(&package, &mut draft, until);
            self.drafts.insert(package, draft);
            ready.extend(one?);
        }
        self.refer(ready, &referred)
    }

    fn finish(&mut self, committed: bool) {
        self.folders.forget();
        self.children.clear();
        self.last = None;
        self.drafts.clear();
        self.servers.finish(committed);
        for written in std::mem::take(&mut self.written) {
            if committed {
                self.take_written(written);
            }
        }
        for lock in self.locks.drain(..) {
            if committed {
                lock.hand_over();
            }
        }
        // Whether what was just written is there is looked at anew; what was not written is
        // told by its stamp.
        for (_, cached) in &mut self.cache {
            cached.checked = false;
        }
    }
}

/// The rows of a table among the sections at these places.
fn rows_at(
    content: &Content,
    places: impl Iterator<Item = usize>,
    rows: &UciRows,
    parents: &[String],
    within: Option<&hosts::Within>,
    limit: usize,
) -> Vec<Row> {
    let row = |place: usize| {
        let section = content.package.sections().get(place)?;
        let key = content.keys.get(place)?;
        let is_row = keys::is_row(section, key, rows, parents)
            && within.is_none_or(|within| within.holds(section));
        is_row.then(|| Row {
            key: key.clone(),
            prints: content.prints.get(place).cloned().unwrap_or_default(),
        })
    };
    places.filter_map(row).take(limit).collect()
}

/// The row keys of all sections of a package, in their order: of those without a name what
/// they are known by.
pub fn keys_of(package: &Package) -> Vec<String> {
    keys::keys(package).0
}

fn source_name(package: &str) -> String {
    format!("uci {package}")
}

fn trouble(package: &str, what: impl std::fmt::Display) -> Trouble {
    Trouble {
        source: source_name(package),
        what: what.to_string(),
    }
}
