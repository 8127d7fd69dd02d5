//! What the ACS's own requests make of the watched values (SPV-011, NOT-012).
//!
//! What it sets is no news to it, nor what AddObject and DeleteObject entail. Other
//! parameters that a SetParameterValues changes on the way are told, after the session.
//! After a power cut between a change and this, the ACS is told of it: it has had no answer.

use super::{save, scan_with};
use crate::agent::world::World;
use crate::cwmp::message::AcsRequest;
use crate::model::{Model, Which};
use std::collections::BTreeSet;

/// What a request of the ACS is about to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Nothing,
    /// SetParameterValues: the names in it that are watched.
    Sets(Vec<String>),
    /// AddObject, DeleteObject.
    Rows,
    /// SetParameterAttributes.
    Attributes,
}

/// The watched values before a request, where they matter: those that are as the ACS saw
/// them.
#[derive(Debug, Default)]
pub struct Before(BTreeSet<String>);

impl Request {
    /// What this request changes.
    pub fn of(world: &World, request: &AcsRequest) -> Request {
        match request {
            AcsRequest::SetParameterValues { list, .. } => {
                let watch = world.watch();
                let names = list.iter().map(|item| &item.name);
                Request::Sets(names.filter(|name| watch.watches(name)).cloned().collect())
            }
            AcsRequest::AddObject { .. } | AcsRequest::DeleteObject { .. } => Request::Rows,
            AcsRequest::SetParameterAttributes(_) => Request::Attributes,
            _ => Request::Nothing,
        }
    }

    /// Whether watched values may be others afterwards.
    pub fn changes(&self) -> bool {
        *self != Request::Nothing
    }

    /// Looks at the values before the request is answered.
    pub fn before(&self, world: &World, model: &mut Model) -> Before {
        let mut unchanged = BTreeSet::new();
        if *self == Request::Rows {
            model.begin();
            model.watch(Which::Settings, &mut |values| {
                let watch = world.watch();
                for one in values {
                    if one
                        .value
                        .as_ref()
                        .is_some_and(|v| watch.changes.is_seen(&one.path, v))
                    {
                        unchanged.insert(one.path);
                    }
                }
                true
            });
        }
        Before(unchanged)
    }

    /// The request was answered and has changed what it asked for. On disk when this
    /// returns, before the response leaves.
    pub fn after(self, world: &World, model: &mut Model, before: Before) {
        match self {
            Request::Nothing => {}
            Request::Sets(names) if names.is_empty() => {}
            Request::Sets(names) => {
                model.begin();
                for path in &names {
                    // One in trouble is left to the next scan.
                    for entry in model.get(&[path]).unwrap_or_default() {
                        let mut watch = world.watch();
                        watch.changes.set_by_acs(&entry.path, &entry.value);
                    }
                }
                save(world);
            }
            Request::Rows => {
                model.begin();
                model.watch(Which::Settings, &mut |values| {
                    let mut watch = world.watch();
                    for one in values {
                        if let Some(value) = &one.value
                            && before.0.contains(&one.path)
                        {
                            watch.changes.set_by_acs(&one.path, value);
                        }
                    }
                    true
                });
                save(world);
            }
            // The watch begins with what the values are now.
            Request::Attributes => {
                model.begin();
                scan_with(world, model);
            }
        }
    }
}
