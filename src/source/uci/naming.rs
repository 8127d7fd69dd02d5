//! Names for sections that have none: what AddObject makes, anonymous sections whose file
//! is written anyhow, and those that a value just staged refers to.

use super::draft::Content;
use super::{UciSource, keys, trouble};
use crate::model::binding::Rows;
use crate::model::source::{FileChange, Prepared, Renamed, Trouble};
use crate::uci::{Package, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// The new content of a package, but for the names of sections of other packages.
pub(super) struct Ready {
    pub package: String,
    pub path: PathBuf,
    pub content: Content,
    pub renamed: Vec<Renamed>,
}

/// What a file says once the change is in force.
pub(super) struct Written {
    pub package: String,
    pub path: PathBuf,
    /// What stands for its text: see [`Packages::print`](crate::source::packages::Packages).
    pub print: u64,
    pub says: Arc<Package>,
}

impl UciSource {
    /// A name for a section of a type, that no section has or had while this runs.
    pub(super) fn free_name(&mut self, package: &str, kind: &str) -> Result<String, Trouble> {
        let content = self.content(package)?.clone();
        Ok(self.name_in(&content, package, kind))
    }

    /// The same, in what the package becomes.
    pub(super) fn name_in(&mut self, content: &Content, package: &str, kind: &str) -> String {
        let place = (package.to_owned(), kind.to_owned());
        let last = self.numbers.get(&place).copied().unwrap_or(0);
        let (name, n) = Namer::new(&content.package).next(kind, last);
        self.numbers.insert(place, n);
        name
    }

    /// Sections without names that staged values refer to, as a reference to a row or the
    /// row around a new one, are to get names in this change, whatever package they are
    /// in: nobody else knows them by the keys they have here.
    pub(super) fn begin_referred(&mut self) -> Result<BTreeSet<String>, Trouble> {
        let texts = self
            .drafts
            .values()
            .flat_map(|draft| draft.anonymous_keys());
        let texts: BTreeSet<String> = texts.map(str::to_owned).collect();
        let mut referred = BTreeSet::new();
        if texts.is_empty() {
            return Ok(referred);
        }
        let packages = self
            .tables
            .iter()
            .map(|known| known.rows.package.as_ref().to_owned());
        for package in packages.collect::<BTreeSet<String>>() {
            // One in trouble has no rows that could have been referred to.
            let Ok(content) = self.content(&package) else {
                continue;
            };
            let here = texts.iter().filter(|key| content.by_key(key).is_some());
            let here: Vec<String> = here.cloned().collect();
            if !here.is_empty() {
                self.draft(&package)?.referred = true;
                referred.extend(here);
            }
        }
        Ok(referred)
    }

    /// Puts the new names in where they are referred to.
    pub(super) fn refer(
        &mut self,
        ready: Vec<Ready>,
        referred: &BTreeSet<String>,
    ) -> Result<Prepared, Trouble> {
        let renamed = ready.iter().flat_map(|one| &one.renamed);
        let mut names: BTreeMap<String, String> = renamed
            .map(|renamed| (renamed.from.clone(), renamed.to.clone()))
            .collect();
        names.retain(|key, _| referred.contains(key));
        let mut prepared = Prepared::default();
        for one in ready {
            let Ready {
                package,
                path,
                mut content,
                renamed,
            } = one;
            if let Some(draft) = self.drafts.get(&package) {
                if draft
                    .anonymous_keys()
                    .any(|key| referred.contains(key) && !names.contains_key(key))
                {
                    return Err(trouble(
                        &package,
                        "a section without a name that is referred to was changed or removed by somebody else; try again",
                    ));
                }
                draft
                    .refer(&mut content, &names)
                    .map_err(|e| trouble(&package, e))?;
            }
            let bytes = content.package.to_bytes();
            self.written.push(Written {
                package: package.clone(),
                path: path.clone(),
                print: self.packages.print(&bytes),
                says: content.package.into_inner(),
            });
            prepared.files.push(FileChange {
                path,
                content: Some(bytes),
                // Our own package holds the ACS's password.
                mode: if package == "cwmp" { 0o600 } else { 0o644 },
                reload: vec![package],
            });
            prepared.renamed.extend(renamed);
        }
        Ok(prepared)
    }

    /// Gives names to the anonymous sections of known tables.
    pub(super) fn name_sections(
        &mut self,
        package: &str,
        content: &mut Content,
    ) -> Result<Vec<Renamed>, Trouble> {
        let mut renamed = Vec::new();
        let mut names: BTreeMap<usize, String> = BTreeMap::new();
        for known in &self.tables {
            let (rows, around) = (&known.rows, &known.around);
            // Rows that an option names are known whatever the section is called.
            if *rows.package != *package || rows.key.is_some() {
                continue;
            }
            let below = keys::Around::of(around);
            for (index, section) in content.package.sections().iter().enumerate() {
                if section.name().is_some() {
                    continue;
                }
                let Some(from) = content.keys.get(index) else {
                    continue;
                };
                let mut places = below.places(section, from, rows);
                if known.below_none && !around.is_empty() && keys::is_row(section, from, rows, &[])
                {
                    // The same sections are a table below rows and one below none.
                    places.push(Vec::new());
                }
                if places.is_empty() {
                    // Never asked for: the section itself says which row it is below.
                    let parents: Vec<String> = match rows.parent.as_deref() {
                        None if around.is_empty() => Vec::new(),
                        None => continue,
                        Some(keys::ITSELF) => vec![from.clone()],
                        Some(option) => match section.get(option).and_then(Value::as_one) {
                            Some(parent) => vec![parent.to_owned()],
                            None => continue,
                        },
                    };
                    if !keys::is_row(section, from, rows, &parents) {
                        continue;
                    }
                    places.push(parents);
                }
                let to = names.entry(index).or_default().clone();
                renamed.extend(places.into_iter().map(|parents| Renamed {
                    rows: Rows::Uci(Arc::clone(rows)),
                    parents,
                    from: from.clone(),
                    to: to.clone(),
                }));
            }
        }
        if names.is_empty() {
            return Ok(renamed);
        }
        let mut namer = Namer::new(&content.package);
        for (index, name) in &mut names {
            let Some(section) = content.package.sections().get(*index) else {
                continue;
            };
            let place = (package.to_owned(), section.kind().to_owned());
            let last = self.numbers.entry(place).or_insert(0);
            (*name, *last) = namer.next(section.kind(), *last);
        }
        let new: Vec<(usize, &str)> = names.iter().map(|(i, name)| (*i, name.as_str())).collect();
        content
            .package
            .rename_sections(&new)
            .map_err(|e| trouble(package, e))?;
        for one in &mut renamed {
            if let Some(name) = content.by_key(&one.from).and_then(|i| names.get(&i)) {
                one.to.clone_from(name);
            }
        }
        Ok(renamed)
    }
}

/// Finds free names for sections: `cwmp_<type>_<n>`.
struct Namer<'a> {
    package: &'a Package,
    /// The highest number given so far, by what stands before it.
    highest: HashMap<String, u32>,
}

impl Namer<'_> {
    fn new(package: &Package) -> Namer<'_> {
        Namer {
            package,
            highest: HashMap::new(),
        }
    }

    /// The name with the next n that is free, above `last` and above all there are, and n.
    fn next(&mut self, kind: &str, last: u32) -> (String, u32) {
        let kind: String = kind
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let prefix = format!("cwmp_{kind}_");
        let highest = match self.highest.get(&prefix) {
            Some(&given) => given,
            None => self
                .package
                .sections()
                .iter()
                .filter_map(|s| s.name()?.strip_prefix(&prefix)?.parse::<u32>().ok())
                .max()
                .unwrap_or(0),
        };
        let mut n = last.max(highest);
        loop {
            // Wraps only where somebody wrote the highest number there is into the file.
            n = n.checked_add(1).unwrap_or(1);
            let name = format!("{prefix}{n}");
            if self.package.section(&name).is_none() {
                self.highest.insert(prefix, n);
                return (name, n);
            }
        }
    }
}
