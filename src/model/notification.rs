//! GetParameterAttributes, SetParameterAttributes (TR-069 A.3.2.4, A.3.2.5) and the list
//! of parameters to watch.

use super::api::{
    AttributeEntry, AttributeItem, Fault, INVALID_ARGUMENTS, NOTIFICATION_REJECTED,
    RESOURCES_EXCEEDED, Watched,
};
use super::attributes::SUBSCRIBER;
use super::schema::{ParamId, Schema};
use super::tree::{Model, Place, Target, Walk, parse};
use std::collections::BTreeMap;
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
        let full = |place: &Place, id: ParamId| format!("{}{}", place.path, schema.param(id).name);
        match target {
            Target::Param(place, id) => each(self, full(&place, id), id),
            Target::Object(place) => {
                let mut walk = Walk::from(place);
                while let Some(place) = self.step(&mut walk) {
                    if !place.is_table {
                        for id in schema.params_of(place.object) {
                            each(self, full(&place, id), id);
                        }
                    }
                }
            }
        }
    }

    /// Every existing parameter with passive or active notification, by path.
    pub fn notifying(&mut self) -> Vec<Watched> {
        let schema = Arc::clone(&self.schema);
        let mut levels: BTreeMap<String, u8> = BTreeMap::new();
        for id in schema.all_params() {
            let notify = schema.param(id).notify;
            if super::attributes::default_level(notify) == 0 {
                continue;
            }
            for leaf in self.leaves_of(id) {
                let path = format!("{}{}", leaf.place.path, schema.param(id).name);
                let level = self.attributes.level(&path, notify);
                levels.insert(path, level);
            }
        }
        let stored: Vec<(String, u8)> = self
            .attributes
            .stored
            .iter()
            .filter_map(|(path, attribute)| Some((path.clone(), attribute.level?)))
            .collect();
        for (path, level) in stored {
            if levels.contains_key(&path) {
                continue;
            }
            let exists = match parse(&path) {
                Ok(parsed) => matches!(self.resolve(&parsed), Ok(Target::Param(..))),
                Err(_) => false,
            };
            if exists {
                levels.insert(path, level);
            }
        }
        self.save_numbers();
        let watched = levels.into_iter().filter(|(_, level)| *level > 0);
        watched
            .map(|(path, level)| Watched { path, level })
            .collect()
    }
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
