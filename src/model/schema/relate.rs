//! What data-model files say between parameters: references, ordered pairs, unique keys,
//! aliases, and which of them the ACS is told unasked.

use super::check::Builder;
use super::fields::At;
use super::load::RawObject;
use super::{ObjectId, ParamId, ParamSource};
use crate::model::attributes::default_level;
use crate::model::binding::Text;
use crate::model::facets::Facets;
use crate::model::value::ValueType;

/// A parameter whose values name rows.
pub(super) struct Referring {
    pub object: ObjectId,
    pub name: Text,
    pub at: At,
    /// The rows of any table, not only those around the parameter.
    pub anywhere: bool,
    /// The tables, as they are written.
    pub to: Vec<String>,
}

impl Builder<'_> {
    /// Lists what the ACS is told unasked, so that nobody looks for it among all parameters.
    pub(super) fn list_reported(&mut self) {
        let schema = &mut self.schema;
        let informing = self.informing.iter();
        let ids = informing.filter_map(|(object, name)| schema.param_named(*object, name));
        schema.informing = ids.collect();
        let notifies = |id: &ParamId| default_level(schema.param(*id).notify) > 0;
        schema.notifying = schema.all_params().filter(notifies).collect();
    }

    /// Refuses an alias where there is no row that could keep one.
    pub(super) fn check_alias(&mut self, id: ObjectId, about: &str, at: At) {
        let by_key = match &self.schema.object(id).table {
            Some(table) => table.by_key,
            None => {
                if !self.unread {
                    self.error(
                        at,
                        format!("{about}: alias = true belongs to a row of a table"),
                    );
                }
                return;
            }
        };
        if by_key {
            self.error(
                at,
                format!("{about}: alias = true needs numbers = \"kept\""),
            );
        }
    }

    /// Resolves what parameters refer to: all tables are there.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are places in `params`, which never shrinks"
    )]
    pub(super) fn add_references(&mut self) {
        for one in std::mem::take(&mut self.references) {
            let mut targets = Vec::new();
            for target in &one.to {
                match self.reference(one.object, target, one.anywhere) {
                    Ok(target) => targets.push(target),
                    Err(what) if !self.unread => {
                        let about = format!("{}{}", self.schema.path_of(one.object), one.name);
                        self.error(one.at, format!("{about}: reference: {what}"))
                    }
                    Err(_) => {}
                }
            }
            let Some(param) = self.schema.param_named(one.object, &one.name) else {
                continue;
            };
            if let Some(extra) = &mut self.schema.params[usize::from(param.0)].extra {
                extra.references = targets.into();
            }
        }
    }

    /// The table of a reference from an object: its outer rows must be among those around
    /// the object.
    fn reference(&self, from: ObjectId, target: &str, anywhere: bool) -> Result<ObjectId, String> {
        let with_rows = match target.ends_with("{i}.") {
            true => target.to_owned(),
            false => format!("{target}{{i}}."),
        };
        let Some(id) = self.ids.get(with_rows.as_str()) else {
            return Err(format!(
                "there is no table {target}; write the path of one, as \"Device.WiFi.Radio.\""
            ));
        };
        let around = self.schema.line_of(from);
        let mut outer = self.schema.line_of(*id);
        outer.pop();
        let outer_rows = outer
            .iter()
            .rev()
            .find(|o| self.schema.object(**o).table.is_some());
        match outer_rows {
            Some(rows) if !anywhere && !around.contains(rows) => Err(format!(
                "{target} lies inside rows that are not around this parameter"
            )),
            _ => Ok(*id),
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "ids are places in `objects`, which never shrinks"
    )]
    pub(super) fn finish_object(&mut self, id: ObjectId, path: &str, object: &RawObject) {
        let mut ordered = Vec::new();
        if let Some((pairs, at)) = &object.ordered {
            for pair in pairs {
                let [first, second] = pair.as_slice() else {
                    self.error(
                        *at,
                        format!(
                            "{path}: ordered: write pairs, as [[\"MinAddress\", \"MaxAddress\"]]"
                        ),
                    );
                    continue;
                };
                let ids = [first, second].map(|name| self.named(id, path, "ordered", name, *at));
                let [Some(first), Some(second)] = ids else {
                    continue;
                };
                let (a, b) = (self.facets_of(first), self.facets_of(second));
                if a.named.base != b.named.base || a.list.is_some() || b.list.is_some() {
                    self.error(
                        *at,
                        format!("{path}: ordered: the two have different types"),
                    );
                }
                ordered.push((first, second));
            }
        }
        let mut unique: Vec<Box<[ParamId]>> = Vec::new();
        if let Some((keys, at)) = &object.unique {
            for key in keys {
                let ids: Option<Vec<ParamId>> = key
                    .iter()
                    .map(|name| self.named(id, path, "unique", name, *at))
                    .collect();
                match ids {
                    Some(ids) if !ids.is_empty() => unique.push(ids.into()),
                    Some(_) => self.error(
                        *at,
                        format!("{path}: unique: an empty key; name its parameters"),
                    ),
                    None => {}
                }
            }
        }
        let is_alias = |id: &ParamId| matches!(self.schema.param(*id).source, ParamSource::Alias);
        let alias = self.schema.params_of(id).find(is_alias);
        let is_enable = |id: &ParamId| {
            *self.schema.param(*id).name == *"Enable"
                && self.facets_of(*id).value_type() == ValueType::Boolean
        };
        let enable = self.schema.params_of(id).find(is_enable);
        let node = &mut self.schema.objects[usize::from(id.0)];
        node.ordered = ordered.into();
        if let Some(table) = &mut node.table {
            table.unique = unique.into();
            table.alias = alias;
            table.enable = enable;
        }
    }

    /// Until the schema has them.
    #[expect(
        clippy::indexing_slicing,
        reason = "parameters hold places in `facets`"
    )]
    fn facets_of(&self, id: ParamId) -> &Facets {
        &self.facets[usize::from(self.schema.param(id).facets)]
    }

    fn named(
        &mut self,
        id: ObjectId,
        path: &str,
        key: &str,
        name: &str,
        at: At,
    ) -> Option<ParamId> {
        let found = self.schema.param_named(id, name);
        if found.is_none() && !self.unread {
            self.error(
                at,
                format!("{path}: {key}: there is no parameter {name} here"),
            );
        }
        found
    }
}
