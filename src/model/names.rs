//! GetParameterNames: what exists, object by object.

use super::api::{Fault, INVALID_ARGUMENTS, NameEntry};
use super::path::Path;
use super::schema::{ObjectId, Param, Schema};
use super::tree::{Model, Place, Target, internal, parse};
use super::walk::Walk;
use std::slice;
use std::sync::Arc;

/// The names of an object's parameters and whether they are writable, in order; before them
/// the empty name, which is the object itself, where it is listed, too.
pub struct Names<'a> {
    object: Option<bool>,
    params: slice::Iter<'a, Param>,
}

impl<'a> Iterator for Names<'a> {
    type Item = (&'a str, bool);

    #[inline]
    fn next(&mut self) -> Option<(&'a str, bool)> {
        if let Some(writable) = self.object.take() {
            return Some(("", writable));
        }
        let param = self.params.next()?;
        Some((&param.name, param.writable))
    }
}

/// Takes the path of an object, with a dot at the end, and names in it; may stop with a fault
/// of its own.
type Visit<'v> = &'v mut dyn FnMut(&str, Names<'_>) -> Result<(), Fault>;

impl Model {
    /// GetParameterNames (TR-069 A.3.2.3), all at once.
    pub fn names(&mut self, path: &str, next_level: bool) -> Result<Vec<NameEntry>, Fault> {
        let mut entries = Vec::new();
        self.visit_names(path, next_level, &mut |object, names| {
            entries.extend(names.map(|(name, writable)| NameEntry {
                path: [object, name].concat(),
                writable,
            }));
            Ok(())
        })?;
        Ok(entries)
    }

    /// GetParameterNames, object by object, without holding them all: the path of an object
    /// (with a dot at the end) and its names, as [`NameEntry`] has them. 9005 for an unknown
    /// path, 9003 for a parameter with `next_level`, 9002 for the next level of a table in
    /// trouble, each before the first name. `visit` may stop with a fault of its own.
    pub fn visit_names(
        &mut self,
        path: &str,
        next_level: bool,
        visit: &mut dyn FnMut(&str, Names<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let parsed = parse(path).map_err(|fault| fault.about(path))?;
        let target = self.resolve(&parsed).map_err(|fault| fault.about(path))?;
        let schema = Arc::clone(&self.schema);
        let done = match target {
            Target::Param(..) if next_level => {
                return Err(Fault::new(
                    INVALID_ARGUMENTS,
                    format!("{path} is a parameter; NextLevel goes with objects"),
                ));
            }
            Target::Param(place, param) => {
                let params = slice::from_ref(schema.param(param)).iter();
                let object = None;
                visit(&place.path, Names { object, params })
            }
            Target::Object(place) if next_level => self.next_level(&schema, &parsed, place, visit),
            Target::Object(place) => self.all_below(&schema, place, visit),
        };
        self.save_numbers();
        done
    }

    fn all_below(&mut self, schema: &Schema, place: Place, visit: Visit<'_>) -> Result<(), Fault> {
        let mut walk = Walk::from(place);
        while let Some(here) = self.step(&mut walk) {
            let params = match here.is_table {
                true => &[],
                false => schema.params_in(here.object),
            };
            let names = Names {
                params: params.iter(),
                ..itself(schema, here.object)
            };
            visit(&walk.path, names)?;
        }
        Ok(())
    }

    fn next_level(
        &mut self,
        schema: &Schema,
        path: &Path<'_>,
        place: Place,
        visit: Visit<'_>,
    ) -> Result<(), Fault> {
        if path.is_root() {
            return visit(&place.path, itself(schema, place.object));
        }
        if place.is_table {
            self.rows_of(&place)
                .map_err(|t| internal(&place.path, &t))?;
        } else {
            let params = schema.params_in(place.object).iter();
            let object = None;
            visit(&place.path, Names { object, params })?;
        }
        let mut walk = Walk::from(place);
        // The place itself comes first and is not listed.
        self.step(&mut walk);
        while let Some(child) = self.step_over(&mut walk) {
            visit(&walk.path, itself(schema, child.object))?;
        }
        Ok(())
    }
}

/// The name of an object alone.
fn itself(schema: &Schema, object: ObjectId) -> Names<'_> {
    let table = &schema.object(object).table;
    Names {
        object: Some(table.as_ref().is_some_and(|t| t.writable)),
        params: [].iter(),
    }
}
