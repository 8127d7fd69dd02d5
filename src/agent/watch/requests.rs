//! What the ACS's own requests make of the watched values (SPV-011, NOT-012).
//!
//! What it sets is no news to it, nor what AddObject and DeleteObject entail. Other
//! parameters that a SetParameterValues changes on the way are told, after the session.

use super::scan_with;
use crate::agent::world::World;
use crate::cwmp::message::AcsRequest;
use crate::model::{Model, Which};

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
pub struct Before(Vec<String>);

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
        let mut unchanged = Vec::new();
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
                        unchanged.push(one.path);
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
            Request::Sets(names) => {
                model.begin();
                seen(world, model, &names);
            }
            Request::Rows => {
                model.begin();
                seen(world, model, &before.0);
            }
            // The watch begins with what the values are now.
            Request::Attributes => {
                model.begin();
                scan_with(world, model);
            }
        }
    }
}

/// The ACS has made these what they are now.
fn seen(world: &World, model: &mut Model, paths: &[String]) {
    for path in paths {
        // One that is gone, or in trouble, is left to the next scan.
        for entry in model.get(&[path]).unwrap_or_default() {
            world.watch().changes.set_by_acs(&entry.path, &entry.value);
        }
    }
    world.watch().save();
}
