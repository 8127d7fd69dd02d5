//! What holds between parameters: ordered pairs and unique keys, as a Set leaves them
//! (SPV-003, SPV-013, OBJ-009).

use super::api::{Fault, INVALID_VALUE};
use super::schema::{ParamId, Schema};
use super::transaction::Wanted;
use super::tree::{Leaf, Model, Place};
use super::value::ValueType;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

impl Model {
    /// Pairs of which the first must not exceed the second, as the set leaves them.
    #[expect(
        clippy::indexing_slicing,
        reason = "`by_name` gives places in `wanted`"
    )]
    pub(super) fn check_ordered(
        &mut self,
        schema: &Schema,
        wanted: &[Wanted],
        faults: &mut Vec<(usize, Fault)>,
    ) {
        let new = by_name(wanted);
        let mut done: HashSet<(String, ParamId, ParamId)> = HashSet::new();
        for want in wanted {
            let place = &want.leaf.place;
            for &(first, second) in &schema.object(place.object).ordered {
                let concerned = want.leaf.param == first || want.leaf.param == second;
                if !concerned || !done.insert((place.path.clone(), first, second)) {
                    continue;
                }
                let mut value = |param: ParamId| -> Option<String> {
                    match new.get(&(place.path.as_str(), param)) {
                        Some(at) => Some(wanted[*at].value.clone()),
                        None => self.read_one(place, param),
                    }
                };
                let (Some(a), Some(b)) = (value(first), value(second)) else {
                    continue;
                };
                if !exceeds(schema.facets(first).named.base, &a, &b) {
                    continue;
                }
                let text = format!(
                    "{} must not exceed {}",
                    schema.param(first).name,
                    schema.param(second).name
                );
                for param in [first, second] {
                    if let Some(at) = new.get(&(place.path.as_str(), param)) {
                        faults.push((wanted[*at].item, Fault::new(INVALID_VALUE, text.clone())));
                    }
                }
            }
        }
    }

    fn read_one(&mut self, place: &Rc<Place>, param: ParamId) -> Option<String> {
        let leaf = Leaf {
            place: Rc::clone(place),
            param,
        };
        let schema = Arc::clone(&self.schema);
        let reading = self.read_quietly(&schema, &[leaf]).pop()?;
        reading.ok().map(|r| r.value.into_owned())
    }

    /// Unique keys of the tables concerned, as the set leaves them. An alias or name is
    /// unique among all rows; any other key, in a table whose rows can be enabled, among
    /// those that are (TR-106: functional keys).
    #[expect(
        clippy::indexing_slicing,
        reason = "`by_name` gives places in `wanted`"
    )]
    pub(super) fn check_unique(
        &mut self,
        schema: &Schema,
        wanted: &[Wanted],
        faults: &mut Vec<(usize, Fault)>,
    ) {
        let new = by_name(wanted);
        let mut done: HashSet<(String, usize)> = HashSet::new();
        for want in wanted {
            let Some(table) = &schema.object(want.leaf.place.object).table else {
                continue;
            };
            let Some((table_path, _)) = want.leaf.place.split_row() else {
                continue;
            };
            let implied = table.alias.map(|alias| vec![alias].into_boxed_slice());
            let stated = table.unique.iter();
            let keys: Vec<&[ParamId]> = stated.chain(&implied).map(|key| &**key).collect();
            for (i, key) in keys.iter().enumerate() {
                let always =
                    matches!(key, [one] if matches!(&*schema.param(*one).name, "Alias" | "Name"));
                let enable = table.enable.filter(|_| !always);
                let concerned = key.contains(&want.leaf.param) || enable == Some(want.leaf.param);
                if !concerned || !done.insert((table_path.to_owned(), i)) {
                    continue;
                }
                let params: Vec<ParamId> = key.iter().copied().chain(enable).collect();
                let rows = self.key_values(&want.leaf.place, table_path, &params, wanted, &new);
                let mut first: HashMap<Vec<String>, String> = HashMap::new();
                let mut bad: Vec<String> = Vec::new();
                for (row, mut values) in rows {
                    if enable.is_some() && values.pop().as_deref() != Some("true") {
                        continue;
                    }
                    if values.iter().all(String::is_empty) {
                        continue;
                    }
                    for (value, param) in values.iter_mut().zip(*key) {
                        if let Some(one) = one_form(schema.facets(*param).named.name, value) {
                            *value = one;
                        }
                    }
                    match first.get(&values) {
                        Some(other) => bad.extend([other.clone(), row]),
                        None => {
                            first.insert(values, row);
                        }
                    }
                }
                let names: Vec<&str> = key.iter().map(|p| &*schema.param(*p).name).collect();
                let text = format!(
                    "another row of {table_path} has the same {}",
                    names.join(", ")
                );
                for row in bad {
                    for param in &params {
                        if let Some(at) = new.get(&(row.as_str(), *param)) {
                            let fault = Fault::new(INVALID_VALUE, text.clone());
                            faults.push((wanted[*at].item, fault));
                        }
                    }
                }
            }
        }
    }

    /// For each row of a table, its path and the values these parameters will have. Rows
    /// that cannot be read are left out.
    #[expect(
        clippy::indexing_slicing,
        reason = "`by_name` gives places in `wanted`"
    )]
    fn key_values(
        &mut self,
        row: &Place,
        table_path: &str,
        params: &[ParamId],
        wanted: &[Wanted],
        new: &HashMap<(&str, ParamId), usize>,
    ) -> Vec<(String, Vec<String>)> {
        let table = row.table(table_path);
        let Ok(rows) = self.rows_of(&table) else {
            return Vec::new();
        };
        let mut leaves = Vec::with_capacity(rows.rows.len() * params.len());
        for (number, key) in &rows.rows {
            let place = Rc::new(table.row(*number, key));
            leaves.extend(params.iter().map(|param| Leaf {
                place: Rc::clone(&place),
                param: *param,
            }));
        }
        let schema = Arc::clone(&self.schema);
        let readings = self.read_quietly(&schema, &leaves);
        let mut out = Vec::with_capacity(rows.rows.len());
        for (leaves, readings) in leaves
            .chunks(params.len())
            .zip(readings.chunks(params.len()))
        {
            let values: Option<Vec<String>> = leaves
                .iter()
                .zip(readings)
                .map(
                    |(leaf, reading)| match new.get(&(leaf.place.path.as_str(), leaf.param)) {
                        Some(at) => Some(wanted[*at].value.clone()),
                        None => reading.as_ref().ok().map(|r| r.value.to_string()),
                    },
                )
                .collect();
            if let (Some(values), Some(leaf)) = (values, leaves.first()) {
                out.push((leaf.place.path.clone(), values));
            }
        }
        out
    }
}

/// The form of a value in which it is equal to others that mean the same; `None` where it has
/// one only.
fn one_form(named: &str, value: &str) -> Option<String> {
    let address = |text: &str| Some(text.parse::<core::net::Ipv6Addr>().ok()?.to_string());
    match named {
        "MACAddress" => Some(value.to_ascii_lowercase()),
        "IPAddress" | "IPv6Address" => address(value),
        "IPPrefix" | "IPv6Prefix" => {
            let (of, length) = value.split_once('/')?;
            Some(format!("{}/{length}", address(of)?))
        }
        _ => None,
    }
}

/// Whether the first value of an ordered pair exceeds the second. Empty and zero mean
/// that there is no such bound.
fn exceeds(base: ValueType, a: &str, b: &str) -> bool {
    let unset = |v: &str| v.is_empty() || (base.is_number() && (v == "0" || v.starts_with('-')));
    if unset(a) || unset(b) {
        return false;
    }
    if base.is_number() {
        return super::value::compare_decimal(a, b).is_gt();
    }
    if base == ValueType::DateTime {
        return a > b;
    }
    match (
        a.parse::<core::net::IpAddr>(),
        b.parse::<core::net::IpAddr>(),
    ) {
        (Ok(a), Ok(b)) => a > b,
        _ => a > b,
    }
}

/// The items by place and parameter.
fn by_name(wanted: &[Wanted]) -> HashMap<(&str, ParamId), usize> {
    wanted
        .iter()
        .enumerate()
        .map(|(i, w)| ((w.leaf.place.path.as_str(), w.leaf.param), i))
        .collect()
}
