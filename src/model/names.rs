//! GetParameterNames: what exists, name by name.

use super::api::{Fault, INVALID_ARGUMENTS, NameEntry};
use super::path::Path;
use super::schema::{ObjectId, ParamId, Schema};
use super::tree::{Model, Place, Target, internal, parse};
use super::walk::Walk;
use std::sync::Arc;

/// Takes the path of an object, the name of a parameter in it (none: the object itself), and
/// whether it is writable; may stop with a fault of its own.
type Visit<'v> = &'v mut dyn FnMut(&str, &str, bool) -> Result<(), Fault>;

impl Model {
    /// GetParameterNames (TR-069 A.3.2.3), all at once.
    pub fn names(&mut self, path: &str, next_level: bool) -> Result<Vec<NameEntry>, Fault> {
        let mut entries = Vec::new();
        self.visit_names(path, next_level, &mut |object, name, writable| {
            entries.push(NameEntry {
                path: [object, name].concat(),
                writable,
            });
            Ok(())
        })?;
        Ok(entries)
    }

    /// GetParameterNames, name by name, without holding them all: the path of an object (with a
    /// dot at the end), the name of a parameter in it or nothing, and whether it is writable, as
    /// [`NameEntry`] has it. 9005 for an unknown path, 9003 for a parameter with `next_level`,
    /// 9002 for the next level of a table in trouble, each before the first name. `visit` may
    /// stop with a fault of its own.
    pub fn visit_names(
        &mut self,
        path: &str,
        next_level: bool,
        visit: &mut dyn FnMut(&str, &str, bool) -> Result<(), Fault>,
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
            Target::Param(place, param) => param_name(&schema, &place, param, visit),
            Target::Object(place) if next_level => self.next_level(&schema, &parsed, place, visit),
            Target::Object(place) => self.all_below(&schema, place, visit),
        };
        self.save_numbers();
        done
    }

    fn all_below(&mut self, schema: &Schema, place: Place, visit: Visit<'_>) -> Result<(), Fault> {
        let mut walk = Walk::from(place);
        while let Some(here) = self.step(&mut walk) {
            object_name(schema, here.object, &walk.path, visit)?;
            if !here.is_table {
                params_of(schema, here.object, &walk.path, visit)?;
            }
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
            return object_name(schema, place.object, &place.path, visit);
        }
        if place.is_table {
            self.rows_of(&place)
                .map_err(|t| internal(&place.path, &t))?;
        } else {
            params_of(schema, place.object, &place.path, visit)?;
        }
        let mut walk = Walk::from(place);
        // The place itself comes first and is not listed.
        self.step(&mut walk);
        while let Some(child) = self.step_over(&mut walk) {
            object_name(schema, child.object, &walk.path, visit)?;
        }
        Ok(())
    }
}

/// The parameters of the object or row at `path`.
fn params_of(schema: &Schema, object: ObjectId, path: &str, visit: Visit<'_>) -> Result<(), Fault> {
    for param in schema.params_in(object) {
        visit(path, &param.name, param.writable)?;
    }
    Ok(())
}

fn param_name(
    schema: &Schema,
    place: &Place,
    param: ParamId,
    visit: Visit<'_>,
) -> Result<(), Fault> {
    let param = schema.param(param);
    visit(&place.path, &param.name, param.writable)
}

fn object_name(
    schema: &Schema,
    object: ObjectId,
    path: &str,
    visit: Visit<'_>,
) -> Result<(), Fault> {
    let table = &schema.object(object).table;
    visit(path, "", table.as_ref().is_some_and(|t| t.writable))
}
