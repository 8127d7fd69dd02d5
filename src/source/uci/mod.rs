//! OpenWrt configuration files (`/etc/config/PACKAGE`).
//!
//! A parsed file is kept while its stamp stands. What is staged goes into a copy that
//! reads see; `prepare` locks the file as libuci does, makes the changes again if
//! somebody changed it since, and hands the new content over. Reading never writes:
//! sections without a name are known by their content, and get names only when their
//! file is written anyhow or a value just staged refers to one of them.

mod coded;
mod draft;
mod items;
mod keys;
mod naming;
mod shape;
mod view;

use super::{Deadline, Limits, is_row_key, read_only};
use crate::model::binding::{Binding, Rows, UciAt, UciItems, UciRows, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Source, Trouble};
use crate::store::Root;
use crate::uci::file::{self, FileError, Stamp};
use crate::uci::lock::Locked;
use crate::uci::{EditError, Package, Value, valid_name};
pub use coded::{is_table, is_value, is_within};
use draft::{Change, ChangeError, Content, Draft};
use naming::Ready;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

pub use view::is_view;
pub(super) use view::standards as wifi_standards;

/// Where UCI files live, below the root.
const CONFIG: &str = "/etc/config";

/// A file changed this recently may change again without its stamp showing it (JFFS2
/// counts whole seconds).
const UNSETTLED: Duration = Duration::from_secs(2);

/// Serves [`Binding::Uci`] and [`Rows::Uci`].
pub struct UciSource {
    root: Root,
    limits: Limits,
    deadline: Deadline,
    cache: BTreeMap<String, Cached>,
    drafts: BTreeMap<String, Draft>,
    /// Tables seen or told of, with the keys of the rows around them.
    tables: Vec<(UciRows, BTreeSet<Vec<String>>)>,
    /// Tables of list entries, told of or seen.
    lists: Vec<UciItems>,
    /// The highest number given to a section made here, by package and type: the number
    /// of one that went is not given again while this runs.
    numbers: BTreeMap<(String, String), u32>,
    /// Held from `prepare` to `finish`.
    locks: Vec<Locked>,
}

struct Cached {
    /// `None`: there is no file.
    stamp: Option<Stamp>,
    content: Result<Content, Trouble>,
    /// Looked at in this request.
    checked: bool,
    /// The stamp alone does not tell; read again in the next request.
    unsettled: bool,
}

impl UciSource {
    /// UCI files are those of `/etc/config` below this root.
    pub fn new(root: Root, limits: Limits) -> UciSource {
        UciSource {
            root,
            limits,
            deadline: Deadline::after(limits.request_deadline),
            cache: BTreeMap::new(),
            drafts: BTreeMap::new(),
            tables: Vec::new(),
            lists: Vec::new(),
            numbers: BTreeMap::new(),
            locks: Vec::new(),
        }
    }

    /// Tells of a table before it is first read, so that its anonymous sections are
    /// named, and reported as [`Renamed`], when its file is written for another reason.
    /// Other kinds of rows are ignored.
    pub fn know(&mut self, rows: &Rows) {
        match rows {
            Rows::Uci(rows) if !self.tables.iter().any(|(known, _)| known == rows) => {
                self.tables.push((rows.clone(), BTreeSet::new()));
            }
            Rows::Items(items) if !self.lists.contains(items) => self.lists.push(items.clone()),
            _ => {}
        }
    }

    fn seen(&mut self, rows: &UciRows, parents: &[String]) {
        match self.tables.iter_mut().find(|(known, _)| known == rows) {
            Some((_, around)) => {
                if around.len() < self.limits.rows {
                    around.insert(parents.to_vec());
                }
            }
            None => self
                .tables
                .push((rows.clone(), BTreeSet::from([parents.to_vec()]))),
        }
    }

    fn path(&self, package: &str) -> Result<PathBuf, Trouble> {
        if !is_row_key(package) {
            return Err(trouble(package, "not the name of a package"));
        }
        self.root
            .path(&format!("{CONFIG}/{package}"))
            .map_err(|e| trouble(package, e))
    }

    /// What a package holds: with what is staged, or as the file is.
    fn content(&mut self, package: &str) -> Result<&Content, Trouble> {
        if !self.drafts.contains_key(package) {
            self.refresh(package)?;
        }
        if let Some(draft) = self.drafts.get(package) {
            return Ok(&draft.content);
        }
        match self.cache.get(package).map(|c| &c.content) {
            Some(Ok(content)) => Ok(content),
            Some(Err(trouble)) => Err(trouble.clone()),
            // `refresh` just put it there.
            None => Err(trouble(package, "not read")),
        }
    }

    /// Reads a file again if it changed since; looks at most once a request.
    fn refresh(&mut self, package: &str) -> Result<(), Trouble> {
        if self.cache.get(package).is_some_and(|c| c.checked) {
            return Ok(());
        }
        self.deadline.left(&source_name(package))?;
        let path = self.path(package)?;
        let stamp = Stamp::of(&path).map_err(|e| trouble(package, e))?;
        if let Some(cached) = self.cache.get_mut(package)
            && cached.stamp == stamp
            && !cached.unsettled
        {
            cached.checked = true;
            return Ok(());
        }
        let unsettled = std::fs::metadata(&path)
            .and_then(|m| m.modified())
            .is_ok_and(is_recent);
        let (stamp, content) = match file::load(&path) {
            Ok(loaded) => (Some(loaded.stamp), Ok(Content::of(loaded.package))),
            Err(FileError::Missing { .. }) => (None, Ok(Content::default())),
            Err(e) => (stamp, Err(trouble(package, e))),
        };
        let cached = Cached {
            stamp,
            content,
            checked: true,
            unsettled,
        };
        self.cache.insert(package.to_owned(), cached);
        Ok(())
    }

    /// The draft of a package, begun if there is none.
    fn draft(&mut self, package: &str) -> Result<&mut Draft, Trouble> {
        if !self.drafts.contains_key(package) {
            let content = self.content(package)?.clone();
            let base = self.cache.get(package).and_then(|c| c.stamp);
            self.drafts
                .insert(package.to_owned(), Draft::new(base, content));
        }
        self.drafts
            .get_mut(package)
            .ok_or_else(|| trouble(package, "not read"))
    }

    fn value(&mut self, at: &UciAt, rows: &[String]) -> Result<Option<Raw>, Trouble> {
        let reference = expand(&at.section, rows);
        let option = expand(&at.option, rows);
        if let Some(codec) = &at.codec
            && !view::is_view(codec)
        {
            return self.coded(at, codec, &reference, &option, rows);
        }
        let content = self.content(&at.package)?;
        let Some(index) = content.find(&reference) else {
            return Ok(None);
        };
        let section = content.package.sections().get(index);
        if let Some(name) = &at.codec {
            return Ok(section.and_then(|s| view::read(name, s)).map(Raw::Text));
        }
        let value = section.and_then(|s| {
            let other = || s.get(&expand(at.or.as_deref()?, rows));
            s.get(&option).or_else(other)
        });
        if let Some(part) = &at.part {
            let text = value.and_then(|v| v.items().first());
            return Ok(text
                .and_then(|text| shape::part(text, part))
                .map(|text| Raw::Text(text.to_owned())));
        }
        if let Some(through) = &at.through {
            let named = value.and_then(|v| v.items().first());
            return Ok(named
                .and_then(|named| shape::through(&content.package, through, named))
                .map(|text| Raw::Text(text.to_owned())));
        }
        if let Some(n) = at.item {
            let n = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
            let item = value.and_then(|v| v.items().get(n)).cloned();
            let key = content.keys.get(index).cloned().unwrap_or_default();
            let staged = self
                .drafts
                .get(&at.package)
                .and_then(|d| d.item(&key, &option, n));
            return Ok(match staged {
                Some(staged) => staged.map(|text| Raw::Text(text.to_owned())),
                None => item.map(Raw::Text),
            });
        }
        Ok(value.map(|value| match value {
            Value::One(text) if at.words => {
                Raw::List(text.split_whitespace().map(str::to_owned).collect())
            }
            Value::One(text) => Raw::Text(text.clone()),
            Value::List(items) => Raw::List(items.clone()),
        }))
    }

    fn stage_value(
        &mut self,
        at: &UciAt,
        rows: &[String],
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        let reference = expand(&at.section, rows);
        let option = expand(&at.option, rows);
        let found = {
            let content = self.content(&at.package).map_err(Refusal::Trouble)?;
            content
                .find(&reference)
                .and_then(|i| content.keys.get(i).cloned())
        };
        let key = match (found, &at.create) {
            (Some(key), _) => key,
            (None, _) if value.is_none() => return Ok(()),
            (None, Some(kind)) => {
                let name = if valid_name(&reference) {
                    reference.clone()
                } else {
                    self.free_name(&at.package, kind)
                        .map_err(Refusal::Trouble)?
                };
                let section = Change::Section {
                    kind: kind.clone(),
                    name: name.clone(),
                };
                self.make(&at.package, section)?;
                if let Some((_, option, value)) = draft::by_value(&reference) {
                    // It is found again by what it was looked for.
                    let change = Change::Text {
                        key: name.clone(),
                        option: option.to_owned(),
                        text: value.to_owned(),
                    };
                    self.make(&at.package, change)?;
                }
                name
            }
            (None, None) => {
                return Err(Refusal::Trouble(trouble(
                    &at.package,
                    format!(
                        "there is no section {reference}; add it to the file, or `create = \"type\"` to the data model"
                    ),
                )));
            }
        };
        if let Some(name) = &at.codec {
            return match view::is_view(name) {
                true => self.stage_view(at, name, rows, key, value),
                false => self.stage_coded(at, name, &key, &option, rows, value),
            };
        }
        let value = self.shaped(at, &key, &option, value)?;
        for other in &at.clears {
            let gone = Change::Text {
                key: key.clone(),
                option: expand(other, rows),
                text: String::new(),
            };
            self.make(&at.package, gone)?;
        }
        self.make(&at.package, change(at, key, option, value)?)
    }

    /// Stages the options that make a view show this value.
    fn stage_view(
        &mut self,
        at: &UciAt,
        name: &str,
        rows: &[String],
        key: String,
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        let text = match value {
            None => String::new(),
            Some(Raw::Text(text)) => text,
            Some(Raw::List(items)) => items.join(","),
        };
        let content = self.content(&at.package).map_err(Refusal::Trouble)?;
        let index = content.by_key(&key);
        let Some(section) = index.and_then(|i| content.package.sections().get(i)) else {
            let what = format!("there is no section {key}");
            return Err(Refusal::Trouble(trouble(&at.package, what)));
        };
        let options = view::write(name, section, &text)
            .map_err(|what| Refusal::Value(format!("the value {what}")))?;
        let said = options
            .into_iter()
            .map(|(option, text)| (option.to_owned(), text));
        let gone = at.clears.iter().map(|o| (expand(o, rows), String::new()));
        for (option, text) in gone.chain(said) {
            let change = Change::Text {
                key: key.clone(),
                option,
                text,
            };
            self.make(&at.package, change)?;
        }
        Ok(())
    }

    /// What the option must say so that it means this value: see [`UciAt::part`] and
    /// [`UciAt::through`].
    fn shaped(
        &mut self,
        at: &UciAt,
        key: &str,
        option: &str,
        value: Option<Raw>,
    ) -> Result<Option<Raw>, Refusal> {
        if at.part.is_none() && at.through.is_none() {
            return Ok(value);
        }
        let text = match &value {
            None => "",
            Some(Raw::Text(text)) => text,
            Some(Raw::List(_)) => {
                return Err(Refusal::Value("one text is kept here, no list".to_owned()));
            }
        };
        let content = self.content(&at.package).map_err(Refusal::Trouble)?;
        let package = &content.package;
        let new = match (&at.part, &at.through) {
            (Some(part), _) => {
                let index = content.by_key(key);
                let section = index.and_then(|i| package.sections().get(i));
                let now = section.and_then(|s| s.get(option)?.items().first());
                shape::with_part(now.map_or("", String::as_str), part, text)
            }
            (_, Some(_)) if text.is_empty() => String::new(),
            (_, Some(through)) => match shape::back(package, through, text) {
                Some(named) => named.to_owned(),
                None => {
                    return Err(Refusal::Value(format!(
                        "no {} of {} has this {}",
                        through.section_type, at.package, through.value
                    )));
                }
            },
            (None, None) => text.to_owned(),
        };
        Ok(Some(Raw::Text(new)))
    }

    fn make(&mut self, package: &str, change: Change) -> Result<(), Refusal> {
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
        let unsettled = self.cache.get(package).is_none_or(|c| c.unsettled);
        if base != draft.base || unsettled {
            let now = match &lock {
                Some(lock) => lock.package().map_err(|e| trouble(package, e))?,
                None => Package::default(),
            };
            draft
                .rebase(base, Content::of(now))
                .map_err(|e| trouble(package, e))?;
        }
        if !draft.referred && draft.content.package.to_bytes() == old {
            return Ok(None);
        }
        // Reads until `finish` know the sections by the keys they had.
        let mut content = draft.content.clone();
        let mut renamed = self.name_sections(package, &mut content)?;
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
        self.deadline = Deadline::after(self.limits.request_deadline);
        for cached in self.cache.values_mut() {
            cached.checked = false;
        }
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let rows = match rows {
            Rows::Uci(rows) => rows,
            Rows::Items(items) => return self.item_rows(items, parents),
            _ => return Ok(Vec::new()),
        };
        self.seen(rows, parents);
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
        Ok(content
            .package
            .sections()
            .iter()
            .zip(content.keys.iter().zip(&content.prints))
            .filter(|(section, (key, _))| keys::is_row(section, key, rows, parents))
            .filter(|(section, _)| within.as_ref().is_none_or(|within| within.holds(section)))
            .take(limit)
            .map(|(_, (key, prints))| Row {
                key: key.clone(),
                prints: prints.clone(),
            })
            .collect())
    }

    fn read(&mut self, asks: &[Ask<'_>]) -> Vec<Result<Option<Raw>, Trouble>> {
        asks.iter()
            .map(|ask| match ask.binding {
                Binding::Uci(at) => self.value(at, ask.rows),
                _ => Ok(None),
            })
            .collect()
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        match at.binding {
            Binding::Uci(uci) => self.stage_value(uci, at.rows, value),
            _ => Err(read_only("uci", "what is bound elsewhere")),
        }
    }

    fn add_row(&mut self, rows: &Rows, parents: &[String]) -> Result<Row, Refusal> {
        let rows = match rows {
            Rows::Uci(rows) => rows,
            Rows::Items(items) => return self.add_item(items, parents),
            _ => return Err(read_only("uci", "a table bound elsewhere")),
        };
        self.seen(rows, parents);
        let name = self
            .free_name(&rows.package, &rows.section_type)
            .map_err(Refusal::Trouble)?;
        let mut options: Vec<(String, String)> = rows
            .new
            .iter()
            .map(|(option, text)| {
                (
                    option.clone(),
                    expand(text, parents).replace("{new}", &name),
                )
            })
            .collect();
        if rows.within.is_some() {
            match parents.last() {
                Some(parent) if !keys::is_anonymous(parent) => {
                    options.push((items::BELONGS.to_owned(), parent.clone()));
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
                _ if option == keys::ITSELF => {
                    return Err(read_only(
                        &source_name(&rows.package),
                        "a table whose rows are the rows around it",
                    ));
                }
                // One without a name gets one, here too, when this is written.
                Some(parent) => options.push((option.clone(), parent.clone())),
                None => {
                    return Err(Refusal::Trouble(trouble(
                        &rows.package,
                        "there is no row around the table",
                    )));
                }
            }
        }
        let section = Change::Section {
            kind: rows.section_type.clone(),
            name: name.clone(),
        };
        self.make(&rows.package, section)?;
        let mut row = Row {
            key: name.clone(),
            prints: Vec::new(),
        };
        for (option, text) in options {
            if rows.key.as_ref() == Some(&option) {
                row.key.clone_from(&text);
            }
            let key = name.clone();
            self.make(&rows.package, Change::Text { key, option, text })?;
        }
        Ok(row)
    }

    fn delete_row(&mut self, rows: &Rows, parents: &[String], key: &str) -> Result<(), Refusal> {
        match rows {
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
                self.make(&rows.package, Change::Delete { key })
            }
            Rows::Items(items) => self.delete_item(items, parents, key),
            _ => Err(read_only("uci", "a table bound elsewhere")),
        }
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
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
        self.drafts.clear();
        for lock in self.locks.drain(..) {
            if committed {
                lock.hand_over();
            }
        }
        // What was just written is read anew; what was not is told by its stamp.
        for cached in self.cache.values_mut() {
            cached.checked = false;
        }
    }
}

/// What a value means for an option.
fn change(at: &UciAt, key: String, option: String, value: Option<Raw>) -> Result<Change, Refusal> {
    if let Some(n) = at.item {
        let text = match value {
            None => String::new(),
            Some(Raw::Text(text)) => text,
            Some(Raw::List(_)) => {
                return Err(Refusal::Value(
                    "one item of a list holds one text".to_owned(),
                ));
            }
        };
        return Ok(Change::Item {
            key,
            option,
            n,
            text,
        });
    }
    Ok(match value {
        None => Change::Text {
            key,
            option,
            text: String::new(),
        },
        Some(Raw::Text(text)) => Change::Text { key, option, text },
        Some(Raw::List(items)) if at.words => {
            let unfit = |i: &String| i.is_empty() || i.contains(char::is_whitespace);
            if items.iter().any(unfit) {
                return Err(Refusal::Value(
                    "an item of this list can neither be empty nor hold spaces".to_owned(),
                ));
            }
            Change::Text {
                key,
                option,
                text: items.join(" "),
            }
        }
        Some(Raw::List(items)) => {
            if items.iter().any(String::is_empty) {
                return Err(Refusal::Value(
                    "an item of a UCI list cannot be empty".to_owned(),
                ));
            }
            Change::List { key, option, items }
        }
    })
}

/// The row keys of all sections of a package, in their order: of those without a name what
/// they are known by.
pub fn keys_of(package: &Package) -> Vec<String> {
    keys::keys(package).0
}

fn is_recent(at: SystemTime) -> bool {
    let now = SystemTime::now();
    let apart = now
        .duration_since(at)
        .unwrap_or_else(|before| before.duration());
    apart < UNSETTLED
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
