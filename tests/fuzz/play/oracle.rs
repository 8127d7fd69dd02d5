//! What must hold after each answer: the tree before and after it, compared.

use super::answers::Answer;
use cwmp_agent::model::binding::{Binding, Rows};
use cwmp_agent::model::schema::Notify;
use cwmp_agent::model::{Model, Schema, ValueType};
use std::collections::{BTreeMap, BTreeSet};

/// Path, level, access list.
pub type AttributeChange = (String, Option<u8>, Option<Vec<String>>);

/// A request that is well-formed and in order; whether it can be granted is another matter.
#[derive(Debug, Clone)]
pub enum Rpc {
    Methods,
    /// Path, xsi:type, text.
    Set(Vec<(String, Option<String>, String)>, String),
    Get(Vec<String>),
    Names(String, bool),
    SetAttributes(Vec<AttributeChange>),
    GetAttributes(Vec<String>),
    Add(String, String),
    Delete(String, String),
    Reboot(String),
    FactoryReset,
    Schedule(u32, String),
    Download(Asked),
    Upload(Asked),
    /// With one window, from `delay` on.
    ScheduleDownload(Asked),
    Cancel(String),
    Queued,
    AllQueued,
}

/// What a transfer is about.
#[derive(Debug, Clone)]
pub struct Asked {
    pub key: String,
    pub file_type: String,
    pub url: String,
    pub size: u32,
    pub delay: u32,
}

impl Rpc {
    pub fn name(&self) -> &'static str {
        match self {
            Rpc::Methods => "GetRPCMethods",
            Rpc::Set(..) => "SetParameterValues",
            Rpc::Get(_) => "GetParameterValues",
            Rpc::Names(..) => "GetParameterNames",
            Rpc::SetAttributes(_) => "SetParameterAttributes",
            Rpc::GetAttributes(_) => "GetParameterAttributes",
            Rpc::Add(..) => "AddObject",
            Rpc::Delete(..) => "DeleteObject",
            Rpc::Reboot(_) => "Reboot",
            Rpc::FactoryReset => "FactoryReset",
            Rpc::Schedule(..) => "ScheduleInform",
            Rpc::Download(_) => "Download",
            Rpc::Upload(_) => "Upload",
            Rpc::ScheduleDownload(_) => "ScheduleDownload",
            Rpc::Cancel(_) => "CancelTransfer",
            Rpc::Queued => "GetQueuedTransfers",
            Rpc::AllQueued => "GetAllQueuedTransfers",
        }
    }

    /// The fault codes that may answer it.
    fn faults(&self) -> &'static [u16] {
        match self {
            Rpc::Methods => &[],
            Rpc::Set(..) => &[9002, 9003, 9004],
            Rpc::Get(_) | Rpc::GetAttributes(_) => &[9002, 9004, 9005],
            Rpc::Names(..) => &[9002, 9003, 9004, 9005],
            Rpc::SetAttributes(_) => &[9002, 9003, 9004, 9005, 9009],
            Rpc::Add(..) | Rpc::Delete(..) => &[9001, 9002, 9003, 9004, 9005],
            Rpc::Reboot(_) | Rpc::FactoryReset | Rpc::Schedule(..) => &[9002, 9004],
            Rpc::Download(_) | Rpc::Upload(_) => &[9002, 9003, 9004, 9013],
            // 9000: before CWMP 1.1 and 1.2.
            Rpc::ScheduleDownload(_) => &[9000, 9002, 9003, 9004, 9013],
            Rpc::Cancel(_) => &[9000, 9002],
            Rpc::Queued => &[],
            Rpc::AllQueued => &[9000],
        }
    }
}

/// The tree as the ACS sees it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub values: BTreeMap<String, (ValueType, String)>,
    pub names: BTreeMap<String, bool>,
    pub attributes: BTreeMap<String, (u8, Vec<String>)>,
    pub key: String,
}

impl Snapshot {
    pub fn of(model: &mut Model) -> Snapshot {
        model.begin();
        let values = model.get(&["Device."]).expect("the whole tree can be read");
        let names = model
            .names("Device.", false)
            .expect("the whole tree can be listed");
        let attributes = model
            .attributes(&["Device."])
            .expect("all attributes can be read");
        let key = model.parameter_key().to_owned();
        let attribute = |a: cwmp_agent::model::AttributeEntry| (a.path, (a.notification, a.access));
        Snapshot {
            values: values
                .into_iter()
                .map(|e| (e.path, (e.ty, e.value)))
                .collect(),
            names: names.into_iter().map(|n| (n.path, n.writable)).collect(),
            attributes: attributes.into_iter().map(attribute).collect(),
            key,
        }
    }

    fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.names.contains_key(path)
    }

    /// The rows of a table, by number.
    fn rows(&self, table: &str) -> BTreeSet<u32> {
        let below = self.names.range(table.to_owned()..).skip(1);
        below
            .map_while(|(path, _)| path.strip_prefix(table))
            .filter_map(|rest| rest.strip_suffix('.')?.parse().ok())
            .collect()
    }
}

/// What the schema says of a parameter, as far as it matters here.
#[derive(Debug, Clone)]
struct Fact {
    hidden: bool,
    is_command: bool,
    /// Gone after a restart.
    in_memory: bool,
    /// May change by itself, or with the name of its section.
    volatile: bool,
    forced: bool,
    /// Compiled-in code makes it of more than its own option.
    entangled: bool,
    /// Package, and the options it is read from.
    uci: Option<(String, Vec<String>)>,
}

/// What is known of one CPE.
pub struct Oracle {
    facts: BTreeMap<String, Fact>,
    /// Path of the rows, package, and the options that say which sections are rows.
    tables: Vec<(String, String, Vec<String>)>,
    /// Paths of rows that come of more than one section's being there.
    entangled: Vec<String>,
    pub now: Snapshot,
    /// Rows that DeleteObject took away: they never come back.
    gone: BTreeSet<String>,
}

/// The path with `{i}` for each instance number.
pub fn template(path: &str) -> String {
    let part = |p: &str| match p.parse::<u32>() {
        Ok(_) => "{i}".to_owned(),
        Err(_) => p.to_owned(),
    };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn facts(schema: &Schema) -> BTreeMap<String, Fact> {
    let mut facts = BTreeMap::new();
    for p in schema.parameters() {
        let uci = match p.binding() {
            Some(Binding::Uci(at)) => {
                let mut options = vec![at.option.to_string()];
                options.extend(
                    at.or()
                        .into_iter()
                        .chain(at.clears())
                        .map(|o| o.to_string()),
                );
                if let Some(through) = at.through() {
                    options.extend([through.key.to_string(), through.value.to_string()]);
                }
                Some((at.package.to_string(), options))
            }
            _ => None,
        };
        let fact = Fact {
            hidden: p.hidden(),
            is_command: p.reads().is_some(),
            in_memory: matches!(p.binding(), Some(Binding::Memory(_))),
            volatile: match p.binding() {
                Some(Binding::Constant(text)) => text.contains("{row"),
                Some(Binding::Native(name)) => **name != *"parameter_key",
                Some(Binding::Command(_)) => true,
                _ => false,
            },
            forced: p.notify() == Notify::Forced,
            entangled: p.live().is_some()
                || matches!(p.binding(), Some(Binding::Uci(at)) if at.codec.is_some()),
            uci,
        };
        facts.insert(p.path(), fact);
    }
    facts
}

impl Oracle {
    pub fn new(model: &mut Model) -> Oracle {
        let schema = model.schema();
        let tables = schema.objects().filter_map(|o| match o.rows() {
            Some(Rows::Uci(at)) => {
                let options = at.only.iter().map(|(option, _)| option);
                let options = options.chain(&at.parent).map(|o| o.to_string());
                Some((o.path(), at.package.to_string(), options.collect()))
            }
            _ => None,
        });
        let entangled = schema.objects().filter(|o| match o.rows() {
            Some(Rows::Uci(at)) => at.key.is_some() || at.within.is_some(),
            Some(Rows::Items(_) | Rows::Native(_)) => true,
            _ => false,
        });
        let mut oracle = Oracle {
            entangled: entangled.map(|o| o.path()).collect(),
            tables: tables.collect(),
            facts: facts(schema),
            now: Snapshot::default(),
            gone: BTreeSet::new(),
        };
        oracle.look(model);
        oracle
    }

    /// Looks at the tree anew, after something else than an answer.
    pub fn look(&mut self, model: &mut Model) {
        self.now = Snapshot::of(model);
        self.check();
    }

    /// Whether a parameter may change by itself.
    pub fn is_volatile(&self, path: &str) -> bool {
        self.facts.get(&template(path)).is_some_and(|f| f.volatile)
    }

    /// After a factory reset, instance numbers begin anew.
    pub fn forget(&mut self, model: &mut Model) {
        self.gone.clear();
        self.look(model);
        assert_eq!(self.now.key, "", "ParameterKey after a factory reset");
    }

    /// What holds of every tree.
    fn check(&self) {
        for path in &self.gone {
            assert!(
                !self.now.names.contains_key(path),
                "{path} was deleted and is back"
            );
        }
        for (path, (_, value)) in &self.now.values {
            assert!(
                self.now.names.contains_key(path),
                "{path} has a value and no name"
            );
            if let Some(table) = path
                .strip_suffix("NumberOfEntries")
                .map(|t| format!("{t}."))
                && self.now.names.contains_key(&table)
            {
                let rows = self.now.rows(&table).len();
                assert_eq!(value, &rows.to_string(), "{path}");
            }
        }
    }

    /// After a restart of the agent everything is as it was, but what is kept in memory.
    pub fn restarted(&mut self, model: &mut Model) {
        let mut before = std::mem::take(&mut self.now);
        self.look(model);
        let mut after = self.now.clone();
        for tree in [&mut before, &mut after] {
            tree.values.retain(|path, _| {
                let fact = self.facts.get(&template(path));
                fact.is_none_or(|f| !f.in_memory && !f.volatile)
            });
        }
        same(&before, &after, &"a restart");
    }

    /// The CPE has answered. `cap`: the most bytes an answer may have.
    pub fn answered(&mut self, rpc: &Rpc, answer: &Answer, model: &mut Model) {
        let before = std::mem::take(&mut self.now);
        self.look(model);
        let after = self.now.clone();
        if answer.name == "Fault" {
            let allowed = rpc.faults();
            assert!(
                allowed.contains(&answer.fault),
                "fault {} to {rpc:?}",
                answer.fault
            );
            if !answer.parameter_faults.is_empty() {
                self.check_parameter_faults(rpc, answer);
            }
            self.unchanged(&before, &after, rpc);
            self.check_refusal(rpc, answer, &before);
            return;
        }
        assert_eq!(answer.name, format!("{}Response", rpc.name()));
        match rpc {
            Rpc::Set(items, key) => self.set(items, key, &before, model),
            Rpc::Add(object, key) => self.added(object, answer.instance, key, &before),
            Rpc::Delete(object, key) => self.deleted(object, key, &before),
            Rpc::SetAttributes(items) => self.attributes_set(items, &before),
            Rpc::Get(paths) => {
                let due = listed(paths, &before, &before.values, |path, (ty, value)| {
                    (path.to_owned(), ty.name(), as_written(value))
                });
                let volatile = |path: &str| self.is_volatile(path);
                let got = answer.values.iter().map(|(n, t, v)| {
                    let t = ValueType::from_name(t).unwrap_or_else(|| panic!("type {t}"));
                    (n.clone(), t.name(), v.clone())
                });
                let blank = |(n, t, v): (String, &'static str, String)| match volatile(&n) {
                    true => (n, t, String::new()),
                    false => (n, t, v),
                };
                let mut due: Vec<_> = due.into_iter().map(blank).collect();
                let mut got: Vec<_> = got.map(blank).collect();
                due.sort();
                got.sort();
                assert_eq!(got, due, "{rpc:?}");
                self.unchanged(&before, &after, rpc);
            }
            Rpc::Names(path, next) => {
                let got: BTreeMap<String, bool> = answer.infos.iter().cloned().collect();
                assert_eq!(got.len(), answer.infos.len(), "a name twice");
                assert_eq!(got, names_due(path, *next, &before), "{rpc:?}");
                self.unchanged(&before, &after, rpc);
            }
            Rpc::GetAttributes(paths) => {
                let mut due = listed(
                    paths,
                    &before,
                    &before.attributes,
                    |path, (level, access)| (path.to_owned(), *level, access.clone()),
                );
                let mut got = answer.attributes.clone();
                due.sort();
                got.sort();
                assert_eq!(got, due, "{rpc:?}");
                self.unchanged(&before, &after, rpc);
            }
            Rpc::Methods
            | Rpc::Reboot(_)
            | Rpc::FactoryReset
            | Rpc::Schedule(..)
            | Rpc::Download(_)
            | Rpc::Upload(_)
            | Rpc::ScheduleDownload(_)
            | Rpc::Cancel(_)
            | Rpc::Queued
            | Rpc::AllQueued => {
                self.unchanged(&before, &after, rpc);
            }
        }
    }

    /// Something that means nothing was answered with a fault, or not at all.
    pub fn nothing_happened(&mut self, model: &mut Model) {
        let before = std::mem::take(&mut self.now);
        self.look(model);
        let after = self.now.clone();
        self.unchanged(&before, &after, &"what is no request");
    }

    fn unchanged(&self, before: &Snapshot, after: &Snapshot, what: &dyn std::fmt::Debug) {
        if before == after {
            return;
        }
        let steady = |tree: &Snapshot| {
            let mut tree = tree.clone();
            tree.values
                .retain(|path, _| self.facts.get(&template(path)).is_none_or(|f| !f.volatile));
            tree
        };
        same(&steady(before), &steady(after), what);
    }

    fn check_parameter_faults(&self, rpc: &Rpc, answer: &Answer) {
        let Rpc::Set(items, _) = rpc else {
            panic!("parameter faults in answer to {rpc:?}");
        };
        let mut at = items.iter();
        for (name, code) in &answer.parameter_faults {
            // What XML cannot carry comes back as something else.
            let found = at.any(|(path, ..)| as_written(path) == *name);
            assert!(
                found,
                "fault {code} of {name}, not in the request or out of order"
            );
        }
    }

    /// What exists, and can be read, is not refused as unknown.
    fn check_refusal(&self, rpc: &Rpc, answer: &Answer, before: &Snapshot) {
        let known = match rpc {
            Rpc::Get(paths) => paths.iter().all(|p| before.exists(p)),
            Rpc::GetAttributes(paths) => paths.iter().all(|p| before.exists(p)),
            Rpc::SetAttributes(items) => items.iter().all(|(p, ..)| before.exists(p)),
            Rpc::Names(path, _) => before.exists(path),
            _ => false,
        };
        assert!(
            !(known && answer.fault == 9005),
            "{rpc:?} exists, and the answer is 9005"
        );
    }

    fn set(
        &self,
        items: &[(String, Option<String>, String)],
        key: &str,
        before: &Snapshot,
        model: &mut Model,
    ) {
        assert_eq!(self.now.key, key, "ParameterKey");
        let templates: Vec<String> = items.iter().map(|(path, ..)| template(path)).collect();
        for ((path, ty, text), template) in items.iter().zip(&templates) {
            let (fact, schema) = (&self.facts[template], model.schema());
            let parameter = schema.parameter(template).expect("it was set");
            assert!(parameter.writable(), "{path} is read-only");
            if let Some(ty) = ty {
                assert_eq!(
                    ValueType::from_name(ty),
                    Some(parameter.value_type()),
                    "{path}"
                );
            }
            let canonical = match parameter.facets().check(text) {
                Ok(canonical) => canonical,
                Err(what) => panic!("{path} was set to {text:?}, which {what}"),
            };
            let (ty, value) = &self.now.values[path];
            assert_eq!(*ty, parameter.value_type(), "{path}");
            if fact.hidden {
                assert_eq!(value, "", "{path} shows what is hidden");
            } else if !fact.is_command {
                assert_eq!(
                    *value, canonical,
                    "{path} reads back otherwise than it was set"
                );
            }
        }
        self.others_stay(before, "SetParameterValues", &mut |path| {
            if items.iter().any(|(p, ..)| p == path) || path.ends_with(".ParameterKey") {
                return true;
            }
            let path = template(path);
            templates.iter().any(|set| self.is_view(&path, set))
        });
    }

    /// Whether setting `set` may show in `path`: both are views of one option, or the
    /// option says which sections are rows.
    fn is_view(&self, path: &str, set: &str) -> bool {
        let Some((package, options)) = self.facts.get(set).and_then(|f| f.uci.as_ref()) else {
            return false;
        };
        let shares = |p: &str, o: &[String]| p == package && o.iter().any(|o| options.contains(o));
        let view = self.facts.get(path).and_then(|f| f.uci.as_ref());
        view.is_some_and(|(p, o)| shares(p, o))
            || self.tables.iter().any(|(rows, p, o)| {
                shares(p, o) && (path.starts_with(rows.as_str()) || counts(path, rows))
            })
    }

    fn added(&mut self, object: &str, instance: u32, key: &str, before: &Snapshot) {
        assert_eq!(self.now.key, key, "ParameterKey");
        let row = format!("{object}{instance}.");
        assert!(!before.names.contains_key(&row), "{row} was there already");
        assert!(
            !self.gone.contains(&row),
            "{row} had been deleted: its number is used again"
        );
        assert_eq!(
            self.now.names.get(&row),
            Some(&true),
            "{row} cannot be deleted"
        );
        let most = before.rows(object).into_iter().max().unwrap_or(0);
        assert!(instance > most, "{row} comes before rows that are older");
        self.others_stay(before, "AddObject", &mut |path| {
            path.starts_with(&row) || self.shows_table(path, object)
        });
    }

    fn deleted(&mut self, object: &str, key: &str, before: &Snapshot) {
        assert_eq!(self.now.key, key, "ParameterKey");
        assert!(before.names.contains_key(object), "{object} was not there");
        let left: Vec<&String> = self
            .now
            .names
            .keys()
            .filter(|p| p.starts_with(object))
            .collect();
        assert!(left.is_empty(), "{left:?} are left of {object}");
        let is_row = |path: &str| {
            let last = path.strip_suffix('.').and_then(|p| p.rsplit('.').next());
            last.is_some_and(|p| p.parse::<u32>().is_ok())
        };
        let gone: Vec<String> = before
            .names
            .keys()
            .filter(|p| is_row(p) && !self.now.names.contains_key(*p))
            .cloned()
            .collect();
        let table = object.trim_end_matches('.');
        let table = table[..=table.rfind('.').unwrap_or(0)].to_owned();
        let refers = |path: &str| {
            let value = before.values.get(path).map_or("", |(_, v)| v.as_str());
            gone.iter()
                .any(|row| value.contains(row.trim_end_matches('.')))
        };
        self.others_stay(before, "DeleteObject", &mut |path| {
            path.starts_with(object) || self.shows_table(path, &table) || refers(path)
        });
        self.gone.extend(gone);
    }

    /// Whether adding or deleting a row of this table may show in `path`: its count, and
    /// other tables over the same package.
    fn shows_table(&self, path: &str, table: &str) -> bool {
        if counts(&template(path), &format!("{}{{i}}.", template(table)))
            || path.ends_with(".ParameterKey")
        {
            return true;
        }
        let rows = format!("{}{{i}}.", template(table));
        let Some((_, package, _)) = self.tables.iter().find(|(r, ..)| *r == rows) else {
            return false;
        };
        let path = template(path);
        self.tables.iter().any(|(other, p, _)| {
            let shows = path.starts_with(other.as_str()) || counts(&path, other);
            *other != rows && p == package && shows
        })
    }

    fn attributes_set(&self, items: &[AttributeChange], before: &Snapshot) {
        let mut due = before.clone();
        for (path, level, access) in items {
            assert!(before.exists(path), "{path} does not exist");
            for (name, (now, entities)) in &mut due.attributes {
                let below = path.is_empty() || path.ends_with('.') && name.starts_with(path);
                if !below && name != path {
                    continue;
                }
                if let Some(level) = level
                    && !self.facts[&template(name)].forced
                {
                    *now = *level;
                }
                if let Some(access) = access {
                    *entities = match access.iter().any(|e| e == "Subscriber") {
                        true => vec!["Subscriber".to_owned()],
                        false => Vec::new(),
                    };
                }
            }
        }
        self.unchanged(&due, &self.now, &"SetParameterAttributes");
    }

    /// Whether a parameter may be another one after a change elsewhere in the tree.
    fn moves(&self, path: &str) -> bool {
        let fact = self.facts.get(path);
        let rows = |rows: &String| counts(path, rows) || path.starts_with(rows);
        fact.is_some_and(|f| f.volatile || f.entangled) || self.entangled.iter().any(rows)
    }

    /// Everything but what `may` change is as it was.
    fn others_stay(&self, before: &Snapshot, what: &str, may: &mut dyn FnMut(&str) -> bool) {
        let mut may = |path: &str| may(path) || self.moves(&template(path));
        differences(&before.values, &self.now.values, what, &mut may);
        differences(&before.names, &self.now.names, what, &mut may);
        differences(&before.attributes, &self.now.attributes, what, &mut may);
    }
}

/// Whether a parameter counts the rows of a table, or one beside it: TR-181 does not always
/// name it after the table (`Device.DNS.Relay.ForwardNumberOfEntries`).
fn counts(path: &str, rows: &str) -> bool {
    let around = rows.trim_end_matches(".{i}.").rfind('.');
    let (around, name) = (around.map_or(0, |at| at + 1), "NumberOfEntries");
    let own = path.strip_prefix(&rows[..around]);
    own.is_some_and(|own| own.ends_with(name) && !own.contains('.'))
}

fn same(before: &Snapshot, after: &Snapshot, what: &dyn std::fmt::Debug) {
    let never = &mut |_: &str| false;
    let what = format!("{what:?}");
    differences(&before.values, &after.values, &what, never);
    differences(&before.names, &after.names, &what, never);
    differences(&before.attributes, &after.attributes, &what, never);
    assert_eq!(before.key, after.key, "ParameterKey after {what}");
}

fn differences<T: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    what: &str,
    may: &mut dyn FnMut(&str) -> bool,
) {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        assert!(
            old == new || may(path),
            "{what} changed {path} from {old:?} to {new:?}"
        );
    }
}

/// What is to be listed for these paths: those below a partial one, in any order.
fn listed<T, R>(
    paths: &[String],
    tree: &Snapshot,
    of: &BTreeMap<String, T>,
    make: impl Fn(&str, &T) -> R,
) -> Vec<R> {
    let mut out = Vec::new();
    for path in paths {
        assert!(tree.exists(path), "{path} does not exist and was answered");
        if path.is_empty() || path.ends_with('.') {
            let below = of.iter().filter(|(p, _)| p.starts_with(path.as_str()));
            out.extend(below.map(|(p, v)| make(p, v)));
        } else if let Some(v) = of.get(path) {
            out.push(make(path, v));
        } else {
            panic!("{path} has no value and was answered");
        }
    }
    out
}

fn names_due(path: &str, next: bool, tree: &Snapshot) -> BTreeMap<String, bool> {
    assert!(tree.exists(path), "{path} does not exist and was answered");
    let own = |(p, w): (&String, &bool)| (p.clone(), *w);
    if next && path.is_empty() {
        return tree
            .names
            .iter()
            .filter(|(p, _)| *p == "Device.")
            .map(own)
            .collect();
    }
    let below = tree.names.iter().filter(|(p, _)| match next {
        true => p
            .strip_prefix(path)
            .is_some_and(|rest| !rest.is_empty() && !rest.trim_end_matches('.').contains('.')),
        false if path.is_empty() || path.ends_with('.') => p.starts_with(path),
        false => *p == path,
    });
    below.map(own).collect()
}

/// A text as the CPE writes it: what XML cannot carry is replaced.
pub fn as_written(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => c,
    };
    text.chars().map(shown).collect()
}
