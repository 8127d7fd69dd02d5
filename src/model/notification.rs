//! GetParameterAttributes, SetParameterAttributes (TR-069 A.3.2.4, A.3.2.5) and the
//! parameters to watch: which they are, what they read, where that comes from.

use super::api::{
    AttributeEntry, AttributeItem, Fault, INTERNAL_ERROR, INVALID_ARGUMENTS, NOTIFICATION_REJECTED,
    RESOURCES_EXCEEDED, Watched, WatchedValue,
};
use super::attributes::{SUBSCRIBER, default_level};
use super::binding::{Binding, Rows, expand};
use super::schema::{Notify, ParamId, ParamSource, Schema, Shown};
use super::tree::{Leaf, Model, Target, parse};
use super::walk::Walk;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

impl Model {
    /// GetParameterAttributes; 9005 where one name is unknown.
    pub fn attributes(&mut self, paths: &[&str]) -> Result<Vec<AttributeEntry>, Fault> {
        let schema = Arc::clone(&self.schema);
        let targets = self.targets(paths)?;
        let mut out = Vec::new();
        for target in targets {
            self.each_param(&schema, target, &mut |model, path, id| {
                let subscriber = model.attributes.subscriber(&path);
                out.push(AttributeEntry {
                    notification: model.attributes.level(&path, schema.param(id).notify),
                    access: match subscriber {
                        true => vec![SUBSCRIBER.to_owned()],
                        false => Vec::new(),
                    },
                    path,
                });
            });
        }
        self.save_numbers();
        Ok(out)
    }

    /// SetParameterAttributes: all items or none, a later one over an earlier one.
    ///
    /// 9005 for an unknown name, 9003 for an unknown level, 9004 for too many parameters.
    /// `lightweight`: the session speaks CWMP 1.4 or later, in which levels 3 to 6 exist;
    /// they are rejected (9009), because no lightweight protocol is offered. What is
    /// forced to be active stays so. Of an AccessList, `Subscriber` is the only entity
    /// known; others are ignored.
    pub fn set_attributes(
        &mut self,
        items: &[AttributeItem],
        lightweight: bool,
    ) -> Result<(), Fault> {
        let done = self.set_attributes_all(items, lightweight);
        self.save_numbers();
        done
    }

    fn set_attributes_all(
        &mut self,
        items: &[AttributeItem],
        lightweight: bool,
    ) -> Result<(), Fault> {
        let schema = Arc::clone(&self.schema);
        let names: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
        let targets = self.targets(&names)?;
        let mut levels = Vec::with_capacity(items.len());
        for item in items {
            levels.push(match item.notification {
                None => None,
                Some(level) => Some(check_level(&item.path, level, lightweight)?),
            });
        }
        let change = self.begin_change();
        for ((item, level), target) in items.iter().zip(levels).zip(targets) {
            let subscriber = item
                .access
                .as_ref()
                .map(|list| list.iter().any(|entity| entity == SUBSCRIBER));
            self.each_param(&schema, target, &mut |model, path, id| {
                let notify = schema.param(id).notify;
                model.attributes.set(&path, notify, level, subscriber);
            });
            if self.attributes.stored.len() > self.limits.attributes {
                self.abandon(change);
                return Err(Fault::new(
                    RESOURCES_EXCEEDED,
                    format!(
                        "attributes of more than {} parameters",
                        self.limits.attributes
                    ),
                ));
            }
        }
        self.commit(change, None).map(|_| ())
    }

    fn each_param(
        &mut self,
        schema: &Schema,
        target: Target,
        each: &mut dyn FnMut(&mut Model, String, ParamId),
    ) {
        let full = |object: &str, id: ParamId| [object, &*schema.param(id).name].concat();
        match target {
            Target::Param(place, id) => each(self, full(&place.path, id), id),
            Target::Object(place) => {
                let mut walk = Walk::from(place);
                while let Some(here) = self.step(&mut walk) {
                    if !here.is_table {
                        for id in schema.params_of(here.object) {
                            each(self, full(&walk.path, id), id);
                        }
                    }
                }
            }
        }
    }

    /// Every existing parameter with passive or active notification, by path.
    pub fn notifying(&mut self) -> Vec<Watched> {
        let mut watched = Vec::new();
        self.each_watched(&mut |model, leaf| {
            let schema = Arc::clone(&model.schema);
            let path = path_of(&schema, leaf);
            let level = model
                .attributes
                .level(&path, schema.param(leaf.param).notify);
            watched.push(Watched { path, level });
            true
        });
        self.save_numbers();
        watched.sort_by(|a, b| a.path.cmp(&b.path));
        watched
    }

    /// Reads the parameters with notification, as the ACS would see them, some at a time,
    /// until `visit` answers `false`; tells where their values come from. Linear: a source
    /// is asked once for many, as by GetParameterValues.
    ///
    /// ParameterKey is left out: only the ACS changes it.
    pub fn watch(
        &mut self,
        which: Which,
        visit: &mut dyn FnMut(Vec<WatchedValue>) -> bool,
    ) -> Origins {
        let schema = Arc::clone(&self.schema);
        let mut origins = Origins::default();
        let mut leaves = Vec::new();
        let mut go_on = true;
        self.each_watched(&mut |model, leaf| {
            origins.note(&schema, leaf);
            if which == Which::All || !of_others(&schema, leaf.param) {
                leaves.push(leaf.clone());
            }
            if leaves.len() >= CHUNK {
                go_on = visit(model.read_watched(&schema, &leaves));
                leaves.clear();
            }
            go_on
        });
        if go_on && !leaves.is_empty() {
            visit(self.read_watched(&schema, &leaves));
        }
        self.save_numbers();
        origins
    }

    fn read_watched(&mut self, schema: &Schema, leaves: &[Leaf]) -> Vec<WatchedValue> {
        let readings = self.read_shown(schema, leaves);
        let values = leaves.iter().zip(readings);
        values
            .map(|(leaf, reading)| {
                let path = path_of(schema, leaf);
                let notify = schema.param(leaf.param).notify;
                WatchedValue {
                    level: self.attributes.level(&path, notify),
                    volatile: is_volatile(schema, leaf.param),
                    value: reading.ok().map(|reading| reading.value.into_owned()),
                    path,
                }
            })
            .collect()
    }

    /// Walks the parameters with notification: those that have it by default, then those
    /// that were given it.
    fn each_watched(&mut self, each: &mut dyn FnMut(&mut Model, &Leaf) -> bool) {
        let schema = Arc::clone(&self.schema);
        for id in schema.notifying() {
            let notify = schema.param(*id).notify;
            for leaf in self.leaves_of(*id) {
                let level = self.attributes.level(&path_of(&schema, &leaf), notify);
                if level > 0 && !each(self, &leaf) {
                    return;
                }
            }
        }
        let stored = self.attributes.stored.iter();
        let given = stored.filter(|(_, attribute)| attribute.level.unwrap_or(0) > 0);
        let paths: Vec<String> = given.map(|(path, _)| path.clone()).collect();
        for path in paths {
            let found = parse(&path).and_then(|parsed| self.resolve(&parsed));
            let Ok(Target::Param(place, param)) = found else {
                continue;
            };
            let of = schema.param(param);
            if default_level(of.notify) > 0 || matches!(of.source, ParamSource::ParameterKey) {
                continue;
            }
            let leaf = Leaf {
                place: Rc::new(place),
                param,
            };
            if !each(self, &leaf) {
                return;
            }
        }
    }

    /// Whether a parameter exists and has notification. `None`: a source in trouble keeps
    /// that from being told.
    pub fn is_watched(&mut self, path: &str) -> Option<bool> {
        match parse(path).and_then(|parsed| self.resolve(&parsed)) {
            Ok(Target::Param(_, param)) => {
                let schema = Arc::clone(&self.schema);
                Some(self.attributes.level(path, schema.param(param).notify) > 0)
            }
            Err(fault) if fault.code == INTERNAL_ERROR => None,
            Ok(Target::Object(_)) | Err(_) => Some(false),
        }
    }
}

/// Parameters read from the sources at a time.
const CHUNK: usize = 256;

/// Which of the watched parameters to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that a change of the model itself can change: no kernel's, no program's.
    Settings,
}

/// Where the values of the watched parameters come from, each place once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// UCI packages.
    pub packages: BTreeSet<String>,
    /// Files, absolute below the root, in which a change can be noticed.
    pub files: BTreeSet<String>,
    /// Names of compiled-in values.
    pub natives: BTreeSet<String>,
    /// Places where no change can be noticed: the kernel's files, folders, programs.
    pub others: bool,
}

impl Origins {
    /// The most files that are named; with more, `others` is set.
    pub const MAX_FILES: usize = 256;

    fn note(&mut self, schema: &Schema, leaf: &Leaf) {
        let param = schema.param(leaf.param);
        if param.shown == Shown::Hidden || param.extra.as_ref().is_some_and(|e| e.reads.is_some()) {
            return;
        }
        match &param.source {
            ParamSource::Alias | ParamSource::ParameterKey => {}
            ParamSource::Entries(table) => {
                if let Some(table) = &schema.object(*table).table {
                    self.rows(&table.rows, &leaf.place.keys);
                }
            }
            ParamSource::At(binding) => self.binding(binding, &leaf.place.keys),
        }
        if let Some(live) = param.extra.as_ref().and_then(|e| e.live.as_deref()) {
            self.binding(live, &leaf.place.keys);
        }
        // A reference reads as the path of a row.
        for table in param.extra.iter().flat_map(|e| &e.references) {
            if let Some(table) = &schema.object(*table).table {
                self.rows(&table.rows, &leaf.place.keys);
            }
        }
    }

    fn binding(&mut self, binding: &Binding, keys: &[String]) {
        match binding {
            Binding::Uci(at) => {
                self.package(&at.package);
                // Compiled-in code may look into other packages, too.
                self.others |= at.codec.is_some();
            }
            Binding::File(at) => self.file(&at.path, keys),
            Binding::Native(name) => {
                if !self.natives.contains(&**name) {
                    self.natives.insert(name.as_ref().to_owned());
                }
            }
            Binding::Command(_) | Binding::Ubus(_) => self.others = true,
            Binding::Constant(_) | Binding::Memory(_) => {}
        }
    }

    fn rows(&mut self, rows: &Rows, keys: &[String]) {
        match rows {
            Rows::Uci(at) => {
                self.package(&at.package);
                self.others |= at.within.is_some() || at.codec.is_some();
            }
            Rows::Items(at) => {
                self.package(&at.package);
                self.others |= at.codec.is_some();
            }
            Rows::Lines(at) => self.file(&at.path, keys),
            Rows::Fixed(_) => {}
            Rows::Dir(_) | Rows::Native(_) | Rows::Ubus(_) => self.others = true,
        }
    }

    fn package(&mut self, name: &str) {
        if !self.packages.contains(name) {
            self.packages.insert(name.to_owned());
        }
    }

    fn file(&mut self, path: &str, keys: &[String]) {
        let of_kernel = ["/proc/", "/sys/", "/dev/"];
        if of_kernel.iter().any(|folder| path.starts_with(folder)) {
            self.others = true;
            return;
        }
        let path = expand(path, keys).into_owned();
        if self.files.contains(&path) {
            return;
        }
        match self.files.len() < Self::MAX_FILES {
            true => {
                self.files.insert(path);
            }
            false => self.others = true,
        }
    }
}

/// Whether a value changes by itself all the time.
fn is_volatile(schema: &Schema, param: ParamId) -> bool {
    let counter = schema.facets(param).named.name.starts_with("StatsCounter");
    counter || schema.param(param).notify == Notify::CanDeny
}

/// Whether a value is the kernel's or a program's, which no change of the model changes.
fn of_others(schema: &Schema, param: ParamId) -> bool {
    let table = match &schema.param(param).source {
        ParamSource::Alias | ParamSource::ParameterKey => return false,
        ParamSource::Entries(table) => schema.object(*table).table.as_deref(),
        ParamSource::At(binding) => {
            return matches!(
                binding,
                Binding::Command(_) | Binding::Ubus(_) | Binding::Native(_)
            );
        }
    };
    table.is_some_and(|table| !matches!(table.rows, Rows::Uci(_)))
}

fn path_of(schema: &Schema, leaf: &Leaf) -> String {
    [&*leaf.place.path, &*schema.param(leaf.param).name].concat()
}

fn check_level(path: &str, level: i64, lightweight: bool) -> Result<u8, Fault> {
    match level {
        0 => Ok(0),
        1 => Ok(1),
        2 => Ok(2),
        3..=6 if lightweight => Err(Fault::new(
            NOTIFICATION_REJECTED,
            format!("{path}: lightweight notification is not offered; use 0, 1 or 2"),
        )),
        _ => Err(Fault::new(
            INVALID_ARGUMENTS,
            format!("{path}: there is no notification level {level}; use 0, 1 or 2"),
        )),
    }
}
