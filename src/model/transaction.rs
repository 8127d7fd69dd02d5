//! SetParameterValues and the commit that every change goes through: all of it or
//! nothing.
//!
//! ```text
//! check every item ──> compare with what holds ──> stage ──> prepare ──> journal ──> finish
//!    all faults           nothing new: done        └──── any failure: finish(false) ────┘
//!    together
//! ```

use super::api::{
    Fault, INTERNAL_ERROR, INVALID_ARGUMENTS, INVALID_NAME, INVALID_TYPE, INVALID_VALUE,
    NOT_WRITABLE, ParameterFault, REQUEST_DENIED, RESOURCES_EXCEEDED, SetError, SetItem,
    SetOutcome,
};
use super::attributes::{self, Attributes};
use super::binding::{Rows, SourceKind};
use super::convert;
use super::instances::{self, Numbers};
use super::path::Segment;
use super::schema::{ParamSource, Schema};
use super::source::{Ask, FileChange, Raw, Refusal, Renamed, Trouble};
use super::tree::{Leaf, Model, Target, default_alias, internal, parse};
use super::value::ValueType;
use crate::notation::json;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// The state file of ManagementServer.ParameterKey.
pub(super) const KEY_FILE: &str = "parameter_key.json";
/// Characters of ParameterKey at most (TR-069 A.3.2.1).
const MAX_KEY: usize = 32;
/// Mode of a new state file: AccessLists and keys concern nobody else.
const STATE_MODE: u32 = 0o600;

#[derive(Serialize, Deserialize)]
struct StoredKey {
    version: u32,
    key: String,
}

/// Reads the state file of ParameterKey; `None` where it is not understood.
pub(super) fn load_key(bytes: &[u8]) -> Option<String> {
    let stored = json::read::<StoredKey>(bytes).ok();
    Some(stored.filter(|stored| stored.version == 1)?.key)
}

/// A checked item of a Set.
pub(super) struct Wanted {
    /// Its place in the request.
    pub item: usize,
    pub leaf: Leaf,
    pub value: String,
}

/// What a change has staged so far.
pub(super) struct Change {
    numbers: Numbers,
    attributes: Attributes,
    pub kinds: BTreeSet<SourceKind>,
    pub reload: BTreeSet<String>,
}

impl Model {
    /// SetParameterValues (TR-069 A.3.2.1): all items or none. `key` becomes the
    /// ParameterKey on success; `None` is a change from the LAN side, which leaves it as
    /// it is and is bound by the AccessLists.
    ///
    /// Nothing is written when every value already holds and the key is the same.
    pub fn set(
        &mut self,
        items: &[SetItem<'_>],
        key: Option<&str>,
    ) -> Result<SetOutcome, SetError> {
        let outcome = self.set_all(items, key);
        self.save_numbers();
        outcome
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`item` is the place of a wanted value in `items`"
    )]
    fn set_all(
        &mut self,
        items: &[SetItem<'_>],
        key: Option<&str>,
    ) -> Result<SetOutcome, SetError> {
        check_key(key)?;
        if items.len() > self.limits.items {
            return Err(SetError::Whole(Fault::new(
                RESOURCES_EXCEEDED,
                format!("more than {} parameters in one request", self.limits.items),
            )));
        }
        let mut names = HashSet::new();
        if let Some(twice) = items.iter().find(|item| !names.insert(item.path)) {
            return Err(SetError::Whole(Fault::new(
                INVALID_ARGUMENTS,
                format!("{} is there twice; set each parameter once", twice.path),
            )));
        }
        let schema = Arc::clone(&self.schema);
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        let mut wanted: Vec<Wanted> = Vec::new();
        for (i, item) in items.iter().enumerate() {
            match self.check_item(&schema, item, key.is_some()) {
                Ok((leaf, value)) => wanted.push(Wanted {
                    item: i,
                    leaf,
                    value,
                }),
                Err(fault) => faults.push((i, fault)),
            }
        }
        self.check_ordered(&schema, &wanted, &mut faults);
        self.check_unique(&schema, &wanted, &mut faults);
        self.check_inform_parameters(&schema, &wanted, &mut faults);
        if !faults.is_empty() {
            return Err(parameter_faults(items, faults));
        }
        let leaves: Vec<Leaf> = wanted.iter().map(|w| w.leaf.clone()).collect();
        let current = self.read_quietly(&schema, &leaves);
        let changed: Vec<&Wanted> = wanted
            .iter()
            .zip(&current)
            .filter(|(w, now)| {
                let param = schema.param(w.leaf.param);
                !matches!(now, Ok(now) if now.exact && now.value == w.value
                    || convert::leaves_in_force(param, &w.value, now))
            })
            .map(|(w, _)| w)
            .collect();
        let mut change = self.begin_change();
        // A value that needs another one of the request waits for it, so that the order of
        // the items does not decide (SPV-003).
        let mut waiting: Vec<&Wanted> = changed.clone();
        let mut broken = false;
        loop {
            let due = std::mem::take(&mut waiting);
            faults.clear();
            for want in &due {
                match self.stage(&schema, &mut change, &want.leaf, &want.value) {
                    Ok(()) => {}
                    Err(Refusal::Full(what)) => {
                        self.abandon(change);
                        return Err(SetError::Whole(Fault::new(RESOURCES_EXCEEDED, what)));
                    }
                    Err(Refusal::Value(what)) => {
                        waiting.push(want);
                        faults.push((want.item, Fault::new(INVALID_VALUE, what)));
                    }
                    Err(Refusal::Trouble(trouble)) => {
                        broken = true;
                        self.troubles.note(items[want.item].path, &trouble);
                        faults.push((want.item, Fault::new(INTERNAL_ERROR, trouble.to_string())));
                    }
                }
            }
            if broken || waiting.is_empty() || waiting.len() == due.len() {
                break;
            }
        }
        if faults.is_empty() && !changed.is_empty() {
            self.check_kept(&schema, &wanted, &leaves, &mut faults);
            // What a later item took away, or one that held already, may go with it all the
            // same: once more, last.
            let lost: BTreeSet<usize> = faults.iter().map(|(item, _)| *item).collect();
            let mut again = wanted.iter().filter(|want| lost.contains(&want.item));
            if !lost.is_empty()
                && again.all(|want| {
                    let staged = self.stage(&schema, &mut change, &want.leaf, &want.value);
                    staged.is_ok()
                })
            {
                let mut left = Vec::new();
                self.check_kept(&schema, &wanted, &leaves, &mut left);
                if left.is_empty() {
                    faults.clear();
                }
            }
        }
        if faults.is_empty() {
            self.check_together(&schema, &changed, &mut faults);
        }
        if !faults.is_empty() {
            self.abandon(change);
            return Err(parameter_faults(items, faults));
        }
        let reload = self.commit(change, key)?;
        Ok(SetOutcome {
            changed: changed
                .iter()
                .map(|want| items[want.item].path.to_owned())
                .collect(),
            reload,
        })
    }

    /// Whether everything set reads back as it was set, with all of it staged. What does
    /// not has another value of the same request against it (two parameters may be views
    /// of one setting), so that the order of the items would decide (SPV-003, SPV-013).
    fn check_kept(
        &mut self,
        schema: &Schema,
        wanted: &[Wanted],
        leaves: &[Leaf],
        faults: &mut Vec<(usize, Fault)>,
    ) {
        let readings = self.read_quietly(schema, leaves);
        for (want, reading) in wanted.iter().zip(readings) {
            let param = schema.param(want.leaf.param);
            let is_command = param.extra.as_ref().is_some_and(|e| e.reads.is_some());
            let kept = matches!(&reading, Ok(reading) if reading.value == want.value
                || convert::leaves_in_force(param, &want.value, reading));
            if !kept && !is_command {
                let what = match convert::follows(param, &want.value) {
                    true => "the value follows from another parameter; set that one",
                    // Nothing of the request is against it.
                    false if wanted.len() == 1 => {
                        "the value cannot be kept: the configuration has another in its place"
                    }
                    false => "the value cannot be kept together with the others of this request",
                };
                faults.push((want.item, Fault::new(INVALID_VALUE, what)));
            }
        }
    }

    /// Whether the sources can keep everything that changes, now that all of it is staged.
    fn check_together(
        &mut self,
        schema: &Schema,
        changed: &[&Wanted],
        faults: &mut Vec<(usize, Fault)>,
    ) {
        for want in changed {
            let ParamSource::At(binding) = &schema.param(want.leaf.param).source else {
                continue;
            };
            // It was just staged there.
            let Ok(source) = self.source(binding.source()) else {
                continue;
            };
            let rows = &want.leaf.place.keys;
            if let Err(what) = source.fits(Ask { binding, rows }) {
                faults.push((want.item, Fault::new(INVALID_VALUE, what)));
            }
        }
    }

    /// Name, right, type and value of one item by itself.
    fn check_item(
        &mut self,
        schema: &Schema,
        item: &SetItem<'_>,
        from_acs: bool,
    ) -> Result<(Leaf, String), Fault> {
        let path = parse(item.path)?;
        if path.is_partial() {
            return Err(Fault::new(
                INVALID_NAME,
                "this is no parameter; write the name of one",
            ));
        }
        let (place, id) = match self.resolve(&path)? {
            Target::Param(place, id) => (place, id),
            Target::Object(_) => {
                return Err(Fault::new(INVALID_NAME, "this is an object, no parameter"));
            }
        };
        let param = schema.param(id);
        if !param.writable {
            return Err(Fault::new(NOT_WRITABLE, "the parameter is read-only"));
        }
        if !from_acs && !self.attributes.subscriber(item.path) {
            return Err(Fault::new(
                REQUEST_DENIED,
                "the ACS has taken write access from the LAN side (AccessList)",
            ));
        }
        let facets = schema.facets(id);
        let ty = facets.value_type();
        if let Some(given) = item.ty
            && ValueType::from_name(given) != Some(ty)
        {
            return Err(Fault::new(
                INVALID_TYPE,
                format!("the type is {ty}, not {}", short(given)),
            ));
        }
        if item.value.len() > self.limits.value_bytes {
            return Err(Fault::new(
                INVALID_VALUE,
                format!("the value is longer than {} bytes", self.limits.value_bytes),
            ));
        }
        let value = facets
            .check(item.value)
            .map_err(|what| Fault::new(INVALID_VALUE, format!("the value {what}")))?;
        if matches!(param.source, ParamSource::Alias) {
            let own = place.numbers.last().copied().map(default_alias);
            let made = value
                .strip_prefix("cpe-")
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
            if made && own.as_deref() != Some(&value) {
                return Err(Fault::new(
                    INVALID_VALUE,
                    "aliases of the form cpe-1 are made by the CPE; choose another",
                ));
            }
        }
        let leaf = Leaf {
            place: Rc::new(place),
            param: id,
        };
        Ok((leaf, value))
    }

    /// Rows known by their content must be known as they are now before their names are
    /// carried over, or their numbers could not follow.
    pub(super) fn refresh_anonymous(&mut self) {
        for path in self.numbers.anonymous() {
            if let Ok(parsed) = parse(&path)
                && let Ok(Target::Object(table)) = self.resolve(&parsed)
            {
                // A table in trouble keeps what is known of it.
                let _ = self.rows_of(&table);
            }
        }
    }

    pub(super) fn begin_change(&mut self) -> Change {
        Change {
            numbers: self.numbers.clone(),
            attributes: self.attributes.clone(),
            kinds: BTreeSet::new(),
            reload: BTreeSet::new(),
        }
    }

    /// Stages one value, which the schema allows.
    pub(super) fn stage(
        &mut self,
        schema: &Schema,
        change: &mut Change,
        leaf: &Leaf,
        value: &str,
    ) -> Result<(), Refusal> {
        let param = schema.param(leaf.param);
        let place = &leaf.place;
        match &param.source {
            ParamSource::Alias => {
                if let Some((table, number)) = place.split_row() {
                    let alias = Some(value).filter(|v| **v != *default_alias(number));
                    self.numbers.set_alias(table, number, alias);
                }
                return Ok(());
            }
            ParamSource::ParameterKey | ParamSource::Entries(_) => {
                return Err(Refusal::Value("the parameter is read-only".to_owned()));
            }
            ParamSource::At(_) => {}
        }
        if convert::follows(param, value) {
            return Ok(());
        }
        let facets = schema.facets(leaf.param);
        let raw = convert::to_raw(param, facets, value, &mut |path| {
            self.key_of_path(schema, param, &place.at(), path)
        });
        let raw = raw.map_err(|what| Refusal::Value(format!("the value {what}")))?;
        self.stage_raw(schema, change, leaf, raw)
    }

    fn stage_raw(
        &mut self,
        schema: &Schema,
        change: &mut Change,
        leaf: &Leaf,
        raw: Option<Raw>,
    ) -> Result<(), Refusal> {
        let ParamSource::At(binding) = &schema.param(leaf.param).source else {
            return Ok(());
        };
        let kind = binding.source();
        let source = self.source(kind).map_err(Refusal::Trouble)?;
        change.kinds.insert(kind);
        let ask = Ask {
            binding,
            rows: &leaf.place.keys,
        };
        source.stage(ask, raw)?;
        let reload = schema.reload_of(leaf.param);
        change.reload.extend(reload.iter().map(|r| r.to_string()));
        Ok(())
    }

    /// Forgets everything staged.
    pub(super) fn abandon(&mut self, change: Change) {
        self.finish(&change.kinds, false);
        self.forget_rows();
        self.numbers = change.numbers;
        self.attributes = change.attributes;
    }

    fn finish(&mut self, kinds: &BTreeSet<SourceKind>, committed: bool) {
        for (kind, source) in &mut self.sources {
            if kinds.contains(kind) {
                source.finish(committed);
            }
        }
    }

    /// Puts everything staged in force together with what the model keeps itself, or
    /// nothing of it (9002). Returns the packages to reload.
    pub(super) fn commit(
        &mut self,
        change: Change,
        key: Option<&str>,
    ) -> Result<Vec<String>, Fault> {
        let mut files = Vec::new();
        let mut renamed = Vec::new();
        let mut failed = None;
        for (kind, source) in &mut self.sources {
            if change.kinds.contains(kind) {
                match source.prepare() {
                    Ok(prepared) => {
                        files.extend(prepared.files);
                        renamed.extend(prepared.renamed);
                    }
                    Err(trouble) => {
                        failed = Some(trouble);
                        break;
                    }
                }
            }
        }
        if let Some(trouble) = failed {
            return Err(self.fail(change, "prepare", &trouble));
        }
        if !renamed.is_empty() {
            // Until the change is finished they are read by the keys they had.
            self.refresh_anonymous();
            self.carry_over(&renamed);
        }
        let mut reload = change.reload.clone();
        let written = files.iter().flat_map(|file| file.reload.iter().cloned());
        let touched: BTreeSet<String> = written.collect();
        reload.extend(touched.iter().cloned());
        if let Some(file) = files.first_mut() {
            // Whoever finishes this change after a power cut must know all of them.
            file.reload = reload.iter().cloned().collect();
        }
        let renumbered = self.numbers.dirty;
        if renumbered {
            files.push(self.state_file(instances::FILE, Some(self.numbers.to_bytes())));
        }
        if self.attributes != change.attributes {
            files.push(self.state_file(attributes::FILE, Some(self.attributes.to_bytes())));
        }
        let new_key = key.filter(|key| *key != self.key);
        if let Some(key) = new_key {
            let stored = StoredKey {
                version: 1,
                key: key.to_owned(),
            };
            // A number and a text always serialize.
            let bytes = serde_json::to_vec(&stored).unwrap_or_default();
            files.push(self.state_file(KEY_FILE, Some(bytes)));
        }
        if !files.is_empty() {
            if let Err(trouble) = self.journal.commit(&files) {
                return Err(self.fail(change, "journal", &trouble));
            }
            self.troubles.over("journal");
        }
        self.troubles.over("prepare");
        self.numbers.dirty = false;
        if let Some(key) = new_key {
            key.clone_into(&mut self.key);
        }
        self.finish(&change.kinds, true);
        if renumbered {
            self.forget_rows_of(&touched);
        }
        self.doubt_rows();
        Ok(reload.into_iter().collect())
    }

    fn fail(&mut self, change: Change, subject: &str, trouble: &Trouble) -> Fault {
        self.troubles.note(subject, trouble);
        self.abandon(change);
        Fault::new(INTERNAL_ERROR, format!("nothing was changed: {trouble}"))
    }

    fn state_file(&self, name: &str, content: Option<Vec<u8>>) -> FileChange {
        FileChange {
            path: self.journal.state_path(name),
            content,
            mode: STATE_MODE,
            reload: Vec::new(),
        }
    }

    /// Rows got lasting names: their numbers and aliases go with them.
    #[expect(
        clippy::indexing_slicing,
        reason = "`at` was found in `paths` or is its last place"
    )]
    fn carry_over(&mut self, renamed: &[Renamed]) {
        let schema = Arc::clone(&self.schema);
        // Tables that show the same sections: each keeps numbers of its own.
        let mut names: HashMap<String, HashMap<&str, &str>> = HashMap::new();
        let mut paths: Vec<(&Rows, &[String], Vec<String>)> = Vec::new();
        for one in renamed {
            let known = paths.iter().position(|(rows, parents, _)| {
                **rows == one.rows && *parents == one.parents.as_slice()
            });
            let at = known.unwrap_or_else(|| {
                let tables = schema.objects().filter(|o| o.rows() == Some(&one.rows));
                let tables = tables.filter_map(|o| self.table_path(&o.path(), &one.parents));
                paths.push((&one.rows, &one.parents, tables.collect()));
                paths.len() - 1
            });
            for path in &paths[at].2 {
                let table = names.entry(path.clone()).or_default();
                table.insert(&one.from, &one.to);
            }
        }
        for (table, names) in &names {
            self.numbers.rename(table, names);
        }
    }

    /// The path of a table whose outer rows have these keys, from the known numbers.
    fn table_path(&self, template: &str, parents: &[String]) -> Option<String> {
        let mut path = String::new();
        let mut keys = parents.iter();
        let inner = template.strip_suffix("{i}.")?;
        for part in inner.split_inclusive('.') {
            if part == "{i}." {
                let number = self.numbers.number_of(&path, keys.next()?)?;
                path.push_str(&format!("{number}."));
            } else {
                path.push_str(part);
            }
        }
        keys.next().is_none().then_some(path)
    }

    /// Writes instance numbers given while reading; where that fails, they serve from
    /// memory and the next request tries again.
    pub(super) fn save_numbers(&mut self) {
        if !self.numbers.dirty {
            return;
        }
        let file = self.state_file(instances::FILE, Some(self.numbers.to_bytes()));
        match self.journal.commit(&[file]) {
            Ok(()) => {
                self.numbers.dirty = false;
                self.troubles.over("journal");
            }
            Err(trouble) => self.troubles.note("journal", &trouble),
        }
    }

    /// Replaces whole files, all or none, without looking at what they mean: those of a
    /// configuration that came as a file, or as they were before earlier changes. What of them
    /// the model keeps itself is read anew. The caller holds the locks of those that others
    /// write, too.
    ///
    /// # Errors
    /// 9002: nothing was replaced.
    pub fn replace(&mut self, files: &[FileChange]) -> Result<(), Fault> {
        if let Err(trouble) = self.journal.commit(files) {
            self.troubles.note("journal", &trouble);
            return Err(internal("files", &trouble));
        }
        self.load_again();
        Ok(())
    }

    /// Forgets ParameterKey, attributes, instance numbers and aliases, on disk too
    /// (PER-003). The sources' own values are the platform's business.
    pub fn factory_reset(&mut self) -> Result<(), Fault> {
        let names = [instances::FILE, attributes::FILE, KEY_FILE];
        let files: Vec<FileChange> = names
            .iter()
            .map(|name| self.state_file(name, None))
            .collect();
        if let Err(trouble) = self.journal.commit(&files) {
            self.troubles.note("journal", &trouble);
            return Err(internal("factory reset", &trouble));
        }
        self.numbers = Numbers::default();
        self.attributes = Attributes::default();
        self.key.clear();
        self.forget_rows();
        Ok(())
    }
}

/// ParameterKey is a string(32); longer is 9003.
pub(super) fn check_key(key: Option<&str>) -> Result<(), Fault> {
    match key {
        Some(key) if key.chars().count() > MAX_KEY => Err(Fault::new(
            INVALID_ARGUMENTS,
            format!("ParameterKey is longer than {MAX_KEY} characters"),
        )),
        _ => Ok(()),
    }
}

/// One fault for each bad item, in the order of the request; the first found holds.
#[expect(clippy::indexing_slicing, reason = "faults hold places in `items`")]
fn parameter_faults(items: &[SetItem<'_>], mut faults: Vec<(usize, Fault)>) -> SetError {
    faults.sort_by_key(|(item, _)| *item);
    faults.dedup_by_key(|(item, _)| *item);
    SetError::Parameters(
        faults
            .into_iter()
            .map(|(item, fault)| ParameterFault {
                path: items[item].path.to_owned(),
                code: fault.code,
                text: fault.text,
            })
            .collect(),
    )
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The instance number a row path ends in.
pub(super) fn ends_in_number(path: &super::path::Path<'_>) -> bool {
    matches!(path.segments().last(), Some(Segment::Number(_)))
}
