//! Tables that the agent hands in while it runs, and what may be written in them.
//!
//! The agent publishes rows; the model reads them, and stages what an ACS sets. What is to
//! last (`enable`, `auto_start`) is on disk, in a state file of its own, with everything
//! else of the same change; what was set is then handed to the agent, which acts when the
//! session has ended. This module knows which fields there are, and nothing of what they
//! mean.

use super::super::read_only;
use crate::model::source::{FileChange, Prepared, Raw, Refusal, Trouble};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One table: its name, what its values' names begin with, and its fields in order.
struct Known {
    table: &'static str,
    prefix: &'static str,
    fields: &'static [&'static str],
    /// Those that may be set, and whether that lasts.
    writable: &'static [(&'static str, bool)],
}

const KNOWN: [Known; 3] = [
    Known {
        table: ENVIRONMENTS,
        prefix: "software_environment_",
        fields: &[
            "active", "disk", "enable", "status", "type", "vendor", "version",
        ],
        writable: &[("enable", true)],
    },
    Known {
        table: DEPLOYMENTS,
        prefix: "software_deployment_",
        fields: &[
            "description",
            "duid",
            "environment",
            "installed",
            "name",
            "resolved",
            "status",
            "units",
            "updated",
            "url",
            "uuid",
            "vendor",
            "version",
        ],
        writable: &[],
    },
    Known {
        table: EXECUTIONS,
        prefix: "software_execution_",
        fields: &[
            "auto_start",
            "environment",
            "fault",
            "message",
            "name",
            "requested",
            "status",
            "vendor",
            "version",
        ],
        writable: &[("auto_start", true), ("requested", false)],
    },
];

/// `rows = { native = … }` of Device.SoftwareModules.ExecEnv.
pub const ENVIRONMENTS: &str = "software_environments";
/// Of Device.SoftwareModules.DeploymentUnit.
pub const DEPLOYMENTS: &str = "software_deployments";
/// Of Device.SoftwareModules.ExecutionUnit.
pub const EXECUTIONS: &str = "software_executions";

/// The table and the field that a value's name means.
fn place(name: &str) -> Option<(&'static Known, &'static str)> {
    let known = KNOWN.iter().find(|known| name.starts_with(known.prefix))?;
    let field = name.strip_prefix(known.prefix)?;
    let at = known.fields.binary_search(&field).ok()?;
    Some((known, known.fields.get(at)?))
}

/// Whether there is a value of this name.
pub fn is_value(name: &str) -> bool {
    place(name).is_some()
}

/// Whether there is a table of this name.
pub fn is_table(name: &str) -> bool {
    KNOWN.iter().any(|known| known.table == name)
}

/// A row that is published: its key, and its values by field.
pub type Row = (String, Vec<(&'static str, String)>);

/// What was set, by the row's key and the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub table: &'static str,
    pub key: String,
    pub field: &'static str,
    pub value: String,
}

/// What was set and lasts: by table, key and field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wanted(BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>);

impl Wanted {
    fn get(&self, table: &str, key: &str, field: &str) -> Option<&String> {
        self.0.get(table)?.get(key)?.get(field)
    }

    fn set(&mut self, table: &str, key: &str, field: &str, value: &str) {
        let rows = self.0.entry(table.to_owned()).or_default();
        let fields = rows.entry(key.to_owned()).or_default();
        fields.insert(field.to_owned(), value.to_owned());
    }
}

/// The tables, shared by the agent and the source.
#[derive(Clone, Default)]
pub struct Published(Arc<Mutex<Inner>>);

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Published")
    }
}

#[derive(Default)]
struct Inner {
    tables: BTreeMap<&'static str, Vec<Row>>,
    version: u32,
    wanted: Wanted,
    /// Where [`Wanted`] is kept.
    file: Option<PathBuf>,
    written: Vec<Written>,
}

impl Inner {
    fn value(&self, table: &str, key: &str, field: &str) -> Option<&str> {
        if let Some(wanted) = self.wanted.get(table, key, field) {
            return Some(wanted);
        }
        let (_, values) = self.tables.get(table)?.iter().find(|(k, _)| k == key)?;
        let (_, value) = values.iter().find(|(name, _)| *name == field)?;
        Some(value)
    }
}

impl Published {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What is in it is replaced table by table and value by value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was set in earlier runs, and the state file that it is kept in.
    pub fn keep_in(&self, file: PathBuf, wanted: Wanted) {
        let mut inner = self.lock();
        inner.file = Some(file);
        inner.wanted = wanted;
    }

    /// Replaces the rows of a table; tells whether it is another one now. What was set in
    /// rows that are gone is forgotten.
    pub fn publish(&self, table: &'static str, rows: Vec<Row>) -> bool {
        let mut inner = self.lock();
        let Inner {
            tables,
            version,
            wanted,
            ..
        } = &mut *inner;
        let before = tables.get(table).map(Vec::as_slice).unwrap_or_default();
        if before == rows.as_slice() {
            return false;
        }
        if !before
            .iter()
            .map(|(key, _)| key)
            .eq(rows.iter().map(|(key, _)| key))
        {
            *version = version.wrapping_add(1);
        }
        if let Some(wanted) = wanted.0.get_mut(table) {
            wanted.retain(|key, _| rows.iter().any(|(k, _)| k == key));
        }
        tables.insert(table, rows);
        true
    }

    /// What was set, if anything.
    pub fn wanted(&self, table: &str, key: &str, field: &str) -> Option<String> {
        self.lock().wanted.get(table, key, field).cloned()
    }

    /// What was set since this was asked last, in order.
    pub fn take_written(&self) -> Vec<Written> {
        std::mem::take(&mut self.lock().written)
    }

    /// Whether [`take_written`](Self::take_written) would give anything.
    pub fn has_written(&self) -> bool {
        !self.lock().written.is_empty()
    }

    /// A factory reset: everything that was set is forgotten.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.wanted = Wanted::default();
        inner.written.clear();
    }
}

/// The source's side: what is staged.
pub(super) struct Tables {
    published: Published,
    staged: Vec<Written>,
}

impl Tables {
    pub fn new(published: Published) -> Tables {
        Tables {
            published,
            staged: Vec::new(),
        }
    }

    /// The keys of a table's rows; `None`: it is none of these.
    pub fn keys(&self, table: &str) -> Option<Vec<String>> {
        let known = KNOWN.iter().find(|known| known.table == table)?;
        let inner = self.published.lock();
        let rows = inner.tables.get(known.table);
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        Some(rows.iter().map(|(key, _)| key.clone()).collect())
    }

    /// Stands while the rows of all tables do.
    pub fn version(&self) -> u32 {
        self.published.lock().version
    }

    /// Appends a value; tells whether there is one. `None`: no such name.
    pub fn put(&self, name: &str, row: &str, out: &mut String) -> Option<bool> {
        let (known, field) = place(name)?;
        let staged = |w: &&Written| w.table == known.table && w.key == row && w.field == field;
        if let Some(staged) = self.staged.iter().find(staged) {
            out.push_str(&staged.value);
            return Some(true);
        }
        let inner = self.published.lock();
        let value = inner.value(known.table, row, field);
        out.push_str(value.unwrap_or_default());
        Some(value.is_some())
    }

    /// Stages a value.
    pub fn stage(&mut self, name: &str, row: &str, value: Option<Raw>) -> Result<(), Refusal> {
        let Some((known, field)) = place(name) else {
            return Err(read_only("native", "a computed value"));
        };
        if !known.writable.iter().any(|(name, _)| *name == field) {
            return Err(read_only("native", "a computed value"));
        }
        let Some(Raw::Text(value)) = value else {
            return Err(Refusal::Value("a value is needed".to_owned()));
        };
        // As it is published.
        let value = match value.as_str() {
            "1" => "true".to_owned(),
            "0" => "false".to_owned(),
            _ => value,
        };
        if field == "requested" {
            let mut environment = String::new();
            self.put("software_execution_environment", row, &mut environment);
            let mut enabled = String::new();
            self.put("software_environment_enable", &environment, &mut enabled);
            if enabled == "false" {
                let what = "its execution environment is disabled; enable that first";
                return Err(Refusal::Value(what.to_owned()));
            }
        }
        let same = |w: &Written| w.table == known.table && w.key == row && w.field == field;
        self.staged.retain(|w| !same(w));
        self.staged.push(Written {
            table: known.table,
            key: row.to_owned(),
            field,
            value,
        });
        Ok(())
    }

    /// What lasts, with everything that is staged.
    fn becomes(&self) -> Option<Wanted> {
        let lasts = |w: &&Written| {
            let of = KNOWN.iter().find(|known| known.table == w.table);
            of.is_some_and(|known| known.writable.contains(&(w.field, true)))
        };
        let mut staged = self.staged.iter().filter(lasts).peekable();
        staged.peek()?;
        let mut wanted = self.published.lock().wanted.clone();
        for one in staged {
            wanted.set(one.table, &one.key, one.field, &one.value);
        }
        Some(wanted)
    }

    pub fn prepare(&self) -> Result<Prepared, Trouble> {
        let (Some(wanted), Some(path)) = (self.becomes(), self.published.lock().file.clone())
        else {
            return Ok(Prepared::default());
        };
        let content = serde_json::to_vec(&wanted).map_err(|e| Trouble {
            source: "software modules".to_owned(),
            what: e.to_string(),
        })?;
        Ok(Prepared {
            files: vec![FileChange {
                path,
                content: Some(content),
                mode: 0o600,
                reload: Vec::new(),
            }],
            renamed: Vec::new(),
        })
    }

    pub fn finish(&mut self, committed: bool) {
        let becomes = self.becomes().filter(|_| committed);
        let staged = std::mem::take(&mut self.staged);
        if !committed {
            return;
        }
        let mut inner = self.published.lock();
        if let Some(wanted) = becomes {
            inner.wanted = wanted;
        }
        for one in &staged {
            // What does not last shows until the agent has acted.
            let rows = inner.tables.get_mut(one.table).into_iter().flatten();
            for (_, values) in rows.filter(|(key, _)| *key == one.key) {
                let of = values.iter_mut().filter(|(name, _)| *name == one.field);
                of.for_each(|(_, value)| value.clone_from(&one.value));
            }
        }
        inner.written.extend(staged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        let published = Published::default();
        let environment = ("box".to_owned(), vec![("enable", "true".to_owned())]);
        let unit = (
            "box:hello".to_owned(),
            vec![
                ("auto_start", "true".to_owned()),
                ("environment", "box".to_owned()),
            ],
        );
        assert!(published.publish(ENVIRONMENTS, vec![environment.clone()]));
        assert!(!published.publish(ENVIRONMENTS, vec![environment]));
        assert!(published.publish(EXECUTIONS, vec![unit]));
        published.keep_in(PathBuf::from("/state/wanted"), Wanted::default());
        published
    }

    fn read(tables: &Tables, name: &str, row: &str) -> String {
        let mut out = String::new();
        assert!(tables.put(name, row, &mut out).is_some(), "{name}");
        out
    }

    #[test]
    fn what_is_set_lasts_once_it_is_committed_and_is_handed_over() {
        let published = published();
        let mut tables = Tables::new(published.clone());
        let name = "software_execution_auto_start";
        let off = || Some(Raw::Text("0".to_owned()));
        tables.stage(name, "box:hello", off()).expect("writable");
        assert_eq!(read(&tables, name, "box:hello"), "false");
        tables.finish(false);
        assert_eq!(read(&tables, name, "box:hello"), "true");
        assert_eq!(published.take_written(), []);
        tables.stage(name, "box:hello", off()).expect("writable");
        let prepared = tables.prepare().expect("a file");
        assert_eq!(prepared.files[0].path, PathBuf::from("/state/wanted"));
        tables.finish(true);
        let content = prepared.files[0].content.clone().expect("content");
        let kept: Wanted = serde_json::from_slice(&content).expect("read back");
        assert_eq!(
            kept.get(EXECUTIONS, "box:hello", "auto_start")
                .map(String::as_str),
            Some("false")
        );
        assert_eq!(read(&tables, name, "box:hello"), "false");
        assert_eq!(published.take_written().len(), 1);
        assert_eq!(published.take_written(), []);
        // A row of the same key that comes later is another one.
        published.publish(EXECUTIONS, Vec::new());
        assert_eq!(
            published.wanted(EXECUTIONS, "box:hello", "auto_start"),
            None
        );
    }

    // T-DUS-011: TR-181 demands a fault for a unit of a disabled environment.
    #[test]
    fn nothing_is_requested_of_a_unit_in_a_disabled_environment() {
        let mut tables = Tables::new(published());
        let active = || Some(Raw::Text("Active".to_owned()));
        let name = "software_execution_requested";
        let text = |t: &str| Some(Raw::Text(t.to_owned()));
        tables
            .stage("software_environment_enable", "box", text("0"))
            .expect("writable");
        assert!(matches!(
            tables.stage(name, "box:hello", active()),
            Err(Refusal::Value(_))
        ));
        tables
            .stage("software_environment_enable", "box", text("1"))
            .expect("writable");
        tables
            .stage(name, "box:hello", active())
            .expect("enabled with it");
        // A command does not last.
        tables.finish(false);
        tables.stage(name, "box:hello", active()).expect("enabled");
        assert_eq!(tables.prepare().expect("nothing").files, []);
        assert!(
            tables
                .stage("software_execution_name", "box:hello", active())
                .is_err()
        );
        assert!(tables.stage("oui", "", active()).is_err());
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for known in &KNOWN {
            assert!(known.fields.is_sorted(), "{}", known.table);
            for field in known.fields {
                assert!(is_value(&format!("{}{field}", known.prefix)), "{field}");
            }
        }
        assert!(!is_value("software_environment_") && !is_value("software_version"));
    }
}
