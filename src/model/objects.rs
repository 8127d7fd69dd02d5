//! AddObject and DeleteObject (TR-069 A.3.2.6, A.3.2.7).

use super::api::{Fault, INTERNAL_ERROR, INVALID_NAME, REQUEST_DENIED, RESOURCES_EXCEEDED};
use super::binding::{Binding, Rows};
use super::facets::{join_list, split_list};
use super::schema::{ParamSource, Schema};
use super::source::Refusal;
use super::transaction::{Change, check_key, ends_in_number};
use super::tree::{Model, Place, Target, parse};
use super::walk::Walk;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

impl Model {
    /// AddObject: the new instance number and the packages to reload. 9005 where no row
    /// can be added, 9004 where the table is full. `key` as for [`Model::set`].
    pub fn add(&mut self, object: &str, key: Option<&str>) -> Result<(u32, Vec<String>), Fault> {
        let added = self.add_row(object, key);
        self.save_numbers();
        added
    }

    fn add_row(&mut self, object: &str, key: Option<&str>) -> Result<(u32, Vec<String>), Fault> {
        check_key(key)?;
        let schema = Arc::clone(&self.schema);
        let not_here = || {
            Fault::new(
                INVALID_NAME,
                format!(
                    "{object}: no rows can be added here; write the path of a writable table with a dot at the end"
                ),
            )
        };
        let path = parse(object).map_err(|fault| fault.about(object))?;
        if !path.is_partial() {
            return Err(not_here());
        }
        let Target::Object(place) = self.target(object)? else {
            return Err(not_here());
        };
        let Some(table) = schema.object(place.object).table.as_deref() else {
            return Err(not_here());
        };
        if !place.is_table || !table.writable {
            return Err(not_here());
        }
        let rows = self
            .rows_of(&place)
            .map_err(|t| super::tree::internal(object, &t))?;
        let most = table
            .max_rows
            .map_or(self.limits.rows, |n| self.limits.rows.min(n as usize));
        if rows.rows.len() >= most {
            return Err(Fault::new(
                RESOURCES_EXCEEDED,
                format!("{object}: the table is full with {most} rows"),
            ));
        }
        self.refresh_anonymous();
        let mut change = self.begin_change();
        let kind = table.rows.source();
        change.kinds.insert(kind);
        let added = match self.source(kind) {
            Ok(source) => source.add_row(&table.rows, &place.keys),
            Err(trouble) => Err(Refusal::Trouble(trouble)),
        };
        let row = match added {
            Ok(row) => row,
            Err(refusal) => return Err(self.refuse(change, object, refusal)),
        };
        let Some(number) = self.numbers.add(&place.path, &row) else {
            let refusal = Refusal::Full("every instance number was used".to_owned());
            return Err(self.refuse(change, object, refusal));
        };
        change
            .reload
            .extend(table.reload.iter().map(|r| r.to_string()));
        let reload = self.commit(change, key)?;
        Ok((number, reload))
    }

    /// DeleteObject: removes a row with all below it, empties what refers to it, forgets
    /// its attributes; returns the packages to reload. 9005 where there is no such row or
    /// it cannot be deleted. `key` as for [`Model::set`].
    pub fn delete(&mut self, object: &str, key: Option<&str>) -> Result<Vec<String>, Fault> {
        let deleted = self.delete_row(object, key);
        self.save_numbers();
        deleted
    }

    fn delete_row(&mut self, object: &str, key: Option<&str>) -> Result<Vec<String>, Fault> {
        check_key(key)?;
        let schema = Arc::clone(&self.schema);
        let not_here = || {
            Fault::new(
                INVALID_NAME,
                format!(
                    "{object}: cannot be deleted; write the path of a row of a writable table with a dot at the end"
                ),
            )
        };
        let path = parse(object).map_err(|fault| fault.about(object))?;
        if !path.is_partial() || !ends_in_number(&path) {
            return Err(not_here());
        }
        let Target::Object(place) = self.target(object)? else {
            return Err(not_here());
        };
        let writable = |place: &Place| {
            let table = schema.object(place.object).table.as_deref();
            table.is_some_and(|t| t.writable)
        };
        if place.is_table || !writable(&place) {
            return Err(not_here());
        }
        self.refresh_anonymous();
        let mut rows: Vec<Rc<Place>> = Vec::new();
        let mut walk = Walk::from(place.clone());
        while let Some(below) = self.step(&mut walk) {
            let is_row = !below.is_table && schema.object(below.object).table.is_some();
            if is_row {
                rows.push(Rc::new(walk.place()));
            }
        }
        let mut change = self.begin_change();
        if let Err(refusal) = self.empty_references(&schema, &mut change, &place.path, &rows) {
            return Err(self.refuse(change, object, refusal));
        }
        // Inner rows first, while the rows around them are still there. Rows that are not
        // sections of their own go with what they are part of.
        let mut sections: HashSet<(&str, &str, &str)> = HashSet::new();
        for row in rows.iter().rev() {
            let Some(table) = schema.object(row.object).table.as_deref() else {
                continue;
            };
            let Some((own, outer)) = row.keys.split_last() else {
                continue;
            };
            match &table.rows {
                Rows::Uci(at) => {
                    let named_by = at.key.as_deref().unwrap_or_default();
                    // Several rows may show one section.
                    if !sections.insert((&at.package, named_by, own)) {
                        continue;
                    }
                }
                // An entry goes with the section that holds it.
                Rows::Items(_) if row.path == place.path => {}
                _ => continue,
            }
            let kind = table.rows.source();
            change.kinds.insert(kind);
            let deleted = match self.source(kind) {
                Ok(source) => source.delete_row(&table.rows, outer, own),
                Err(trouble) => Err(Refusal::Trouble(trouble)),
            };
            if let Err(refusal) = deleted {
                return Err(self.refuse(change, object, refusal));
            }
            change
                .reload
                .extend(table.reload.iter().map(|r| r.to_string()));
        }
        if let Some((table, number)) = place.split_row() {
            self.numbers.remove(table, number);
        }
        self.attributes.remove_below(&place.path);
        for (package, named_by, _) in &sections {
            let alike = |s: &&(&str, &str, _)| s.0 == *package && s.1 == *named_by;
            let keys = sections.iter().filter(alike).map(|s| s.2);
            self.forget_elsewhere(&schema, package, named_by, &keys.collect());
        }
        self.commit(change, key)
    }

    /// Other tables may show the same sections: their rows go, too, and a later section
    /// of the same name is another row.
    fn forget_elsewhere(
        &mut self,
        schema: &Schema,
        package: &str,
        named_by: &str,
        keys: &HashSet<&str>,
    ) {
        let shows = |path: &str| {
            let rows = schema.rows_at(path);
            matches!(rows, Some(Rows::Uci(at))
                if *at.package == *package && at.key.as_deref().unwrap_or_default() == named_by)
        };
        for path in self.numbers.forget(keys, &shows) {
            self.attributes.remove_below(&path);
        }
    }

    /// Empties every value that refers to one of these rows (OBJ-009); those below `path`
    /// go anyway.
    fn empty_references(
        &mut self,
        schema: &Schema,
        change: &mut Change,
        path: &str,
        rows: &[Rc<Place>],
    ) -> Result<(), Refusal> {
        let tables: HashSet<_> = rows.iter().map(|row| row.object).collect();
        let gone: HashSet<&str> = rows
            .iter()
            .filter_map(|row| row.path.strip_suffix('.'))
            .collect();
        for id in schema.all_params() {
            let param = schema.param(id);
            let refers = param
                .extra
                .as_ref()
                .is_some_and(|e| e.references.iter().any(|table| tables.contains(table)));
            let kept = match &param.source {
                ParamSource::At(binding) => param.writable || matches!(binding, Binding::Uci(_)),
                _ => false,
            };
            if !refers || !kept {
                continue;
            }
            let mut leaves = self.leaves_of(id);
            leaves.retain(|leaf| !leaf.place.path.starts_with(path));
            let is_list = schema.facets(id).list.is_some();
            for (leaf, reading) in leaves.iter().zip(self.read_quietly(schema, &leaves)) {
                let Ok(reading) = reading else {
                    continue;
                };
                let value = if is_list {
                    let items = split_list(&reading.value);
                    let left = items
                        .iter()
                        .map(String::as_str)
                        .filter(|i| !gone.contains(i));
                    join_list(left)
                } else if gone.contains(&*reading.value) {
                    String::new()
                } else {
                    continue;
                };
                if value != reading.value {
                    self.stage(schema, change, leaf, &value)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what is staged; the fault of a refusal.
    fn refuse(&mut self, change: Change, object: &str, refusal: Refusal) -> Fault {
        self.abandon(change);
        match refusal {
            Refusal::Value(what) => Fault::new(REQUEST_DENIED, format!("{object}: {what}")),
            Refusal::Full(what) => Fault::new(RESOURCES_EXCEEDED, format!("{object}: {what}")),
            Refusal::Trouble(trouble) => {
                self.troubles.note(object, &trouble);
                Fault::new(INTERNAL_ERROR, format!("{object}: {trouble}"))
            }
        }
    }
}
