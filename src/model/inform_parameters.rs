//! Device.ManagementServer.InformParameter.: the further parameters that the ACS wants in
//! its Informs (TR-181 2.8).
//!
//! Owns what a row may say (checked in every Set, whoever makes it) and what the rows stand
//! for when an Inform is put together. A row that says what no Set would have taken, because
//! somebody edited the file, stands for nothing. Never decides what an Inform is sent for.

use super::api::{Entry, Fault, INVALID_VALUE};
use super::facets::split_list;
use super::path::{self, Segment};
use super::schema::{ObjectId, ParamId, Schema};
use super::transaction::Wanted;
use super::tree::{Leaf, Model, Place, child_place};
use std::rc::Rc;
use std::sync::Arc;

/// Event codes that an EventList may have (TR-069 3.7.1.5); beside them a vendor's.
pub const EVENTS: [&str; 20] = [
    "0 BOOTSTRAP",
    "1 BOOT",
    "2 PERIODIC",
    "3 SCHEDULED",
    "5 KICKED",
    "6 CONNECTION REQUEST",
    "7 TRANSFER COMPLETE",
    "8 DIAGNOSTICS COMPLETE",
    "9 REQUEST DOWNLOAD",
    "10 AUTONOMOUS TRANSFER COMPLETE",
    "11 DU STATE CHANGE COMPLETE",
    "12 AUTONOMOUS DU STATE CHANGE COMPLETE",
    "13 WAKEUP",
    "14 HEARTBEAT",
    "M Reboot",
    "M ScheduleInform",
    "M Download",
    "M Upload",
    "M ScheduleDownload",
    "M ChangeDUState",
];
/// The one that is not allowed: a parameter that goes with it has changed (TR-069 A.3.3.1).
const VALUE_CHANGE: &str = "4 VALUE CHANGE";
/// Characters of an event code at most.
const MAX_EVENT: usize = 64;
/// Events in one EventList at most.
const MAX_EVENTS: usize = 64;
/// Instances that one pattern is followed through at most; the rest is left out.
const MAX_PLACES: usize = 4096;

/// The table and its columns, where the data model has them.
struct Table {
    server: ObjectId,
    rows: ObjectId,
    enable: ParamId,
    name: ParamId,
    events: ParamId,
}

impl Table {
    fn of(schema: &Schema) -> Option<Table> {
        let server = schema.child_named(schema.root(), "ManagementServer")?;
        let rows = schema.child_named(server, "InformParameter")?;
        schema.object(rows).table.as_ref()?;
        Some(Table {
            server,
            rows,
            enable: schema.param_named(rows, "Enable")?,
            name: schema.param_named(rows, "ParameterName")?,
            events: schema.param_named(rows, "EventList")?,
        })
    }
}

/// One part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    One(Segment<'a>),
    /// `*`: every instance.
    Every,
}

impl Part<'_> {
    fn is_row(self) -> bool {
        matches!(self, Part::Every | Part::One(Segment::Number(_)))
    }
}

/// The parts of a pattern that may name parameters of this schema: a parameter's name with
/// `*` for instance numbers. A name that the schema does not have is none that any Inform
/// could carry yet, and no mistake: firmware and data models change.
fn parse<'a>(schema: &Schema, text: &'a str) -> Result<Vec<Part<'a>>, String> {
    if text.chars().count() > path::MAX_PATH {
        return Err(format!("is longer than {} characters", path::MAX_PATH));
    }
    if text.ends_with('.') {
        return Err("names an object; write a parameter".to_owned());
    }
    let parts = text.split('.').map(|part| match part {
        "*" => Ok(Part::Every),
        _ => match path::segment(part) {
            Ok(segment) => Ok(Part::One(segment)),
            Err(e) => Err(format!("is no parameter name: {e}")),
        },
    });
    let parts: Vec<Part<'_>> = parts.collect::<Result<_, _>>()?;
    let root = schema.root();
    let own_root = Part::One(Segment::Name(&schema.object(root).name));
    if parts.first() != Some(&own_root) {
        return Err("does not begin with Device.".to_owned());
    }
    // What is known so far; `None` behind a name that the schema does not have.
    let mut at = Some(root);
    for (pair, n) in parts.windows(2).zip(2..) {
        let [before, part] = pair else { continue };
        let last = n == parts.len();
        let waits = at.is_some_and(|id| schema.object(id).table.is_some()) && !before.is_row();
        match part {
            Part::One(Segment::Name(_)) if waits => {
                return Err("lacks the instance of a table; write * for all".to_owned());
            }
            Part::One(Segment::Name(name)) => {
                let child = at.and_then(|id| schema.child_named(id, name));
                if last && child.is_some() {
                    return Err("names an object; write a parameter".to_owned());
                }
                if last && let Some(param) = at.and_then(|id| schema.param_named(id, name)) {
                    return match schema.informing().contains(&param) {
                        true => Err("is in every Inform anyway; name another".to_owned()),
                        false => Ok(parts),
                    };
                }
                at = child;
            }
            _ if last => return Err("names an instance; write a parameter".to_owned()),
            _ if before.is_row() || (at.is_some() && !waits) => {
                return Err("has * or a number where no instance stands".to_owned());
            }
            _ => {}
        }
    }
    match parts.len() {
        1 => Err("names an object; write a parameter".to_owned()),
        _ => Ok(parts),
    }
}

/// Whether a list names event codes only, and not `4 VALUE CHANGE`.
fn check_events(list: &str) -> Result<(), String> {
    let events = split_list(list);
    if events.len() > MAX_EVENTS {
        return Err(format!("has more than {MAX_EVENTS} events"));
    }
    for (event, n) in events.iter().zip(1..) {
        if event == VALUE_CHANGE {
            return Err(format!(
                "has {VALUE_CHANGE}, which carries what has changed alone; take it out"
            ));
        }
        if !EVENTS.contains(&event.as_str()) && !is_vendors_event(event) {
            return Err(format!(
                "item {n}: is no event code; write one as \"2 PERIODIC\""
            ));
        }
    }
    Ok(())
}

/// `M X_…` without spaces, or `X OUI …`.
fn is_vendors_event(text: &str) -> bool {
    if text.chars().count() > MAX_EVENT || text.chars().any(char::is_control) {
        return false;
    }
    if let Some(method) = text.strip_prefix("M X_") {
        return !method.is_empty() && !method.contains(' ');
    }
    let parts = text
        .strip_prefix("X ")
        .and_then(|rest| rest.split_once(' '));
    parts.is_some_and(|(vendor, what)| !vendor.is_empty() && !what.is_empty())
}

/// Whether a row with this EventList belongs into an Inform with these events.
fn listens(list: &str, events: &[&str]) -> bool {
    let wanted = split_list(list);
    let mut countable = events.iter().filter(|event| **event != VALUE_CHANGE);
    match wanted.is_empty() {
        true => countable.next().is_some(),
        false => countable.any(|event| wanted.iter().any(|one| one == event)),
    }
}

impl Model {
    /// What a Set would make rows of InformParameter say: faults 9007.
    pub(super) fn check_inform_parameters(
        &self,
        schema: &Schema,
        wanted: &[Wanted],
        faults: &mut Vec<(usize, Fault)>,
    ) {
        let Some(table) = Table::of(schema) else {
            return;
        };
        for want in wanted.iter().filter(|want| !want.value.is_empty()) {
            let param = want.leaf.param;
            let checked = match param {
                _ if param == table.name => parse(schema, &want.value).map(drop),
                _ if param == table.events => check_events(&want.value),
                _ => continue,
            };
            if let Err(what) = checked {
                let fault = Fault::new(INVALID_VALUE, format!("the value {what}"));
                faults.push((want.item, fault));
            }
        }
    }

    /// What the enabled rows of InformParameter add to an Inform with these event codes, in
    /// the order of the rows and each parameter once. A parameter whose source is in
    /// trouble is left out, and what is more than `most` parameters or `bytes` bytes of names
    /// and values, too; whether there was any such is the second half of the answer.
    pub fn inform_parameters(
        &mut self,
        events: &[&str],
        most: usize,
        bytes: usize,
    ) -> (Vec<Entry>, bool) {
        let schema = Arc::clone(&self.schema);
        let mut entries: Vec<Entry> = Vec::new();
        let mut size = 0;
        let mut seen = std::collections::HashSet::new();
        let mut left_out = false;
        for pattern in self.inform_patterns(&schema, events) {
            let Ok(parts) = parse(&schema, &pattern) else {
                continue;
            };
            let mut leaves = self.leaves_like(&schema, &parts, &mut left_out);
            if leaves.len() > most {
                leaves.truncate(most);
                left_out = true;
            }
            let readings = self.read_shown(&schema, &leaves);
            for (leaf, reading) in leaves.iter().zip(readings) {
                let Ok(reading) = reading else { continue };
                let path = format!("{}{}", leaf.place.path, schema.param(leaf.param).name);
                let more = path.len() + reading.value.len();
                if entries.len() >= most || size + more > bytes {
                    left_out = true;
                } else if seen.insert(path.clone()) {
                    size += more;
                    entries.push(Entry {
                        path,
                        ty: schema.facets(leaf.param).value_type(),
                        value: reading.value.into_owned(),
                    });
                }
            }
        }
        self.save_numbers();
        (entries, left_out)
    }

    /// The patterns of the enabled rows that listen to one of these events.
    fn inform_patterns(&mut self, schema: &Schema, events: &[&str]) -> Vec<String> {
        let Some(table) = Table::of(schema) else {
            return Vec::new();
        };
        let server = child_place(schema, &self.root(), table.server);
        let place = child_place(schema, &server, table.rows);
        let Ok(rows) = self.rows_of(&place) else {
            return Vec::new();
        };
        let columns = [table.enable, table.events, table.name];
        let mut leaves = Vec::with_capacity(rows.rows.len() * columns.len());
        for (number, key) in &rows.rows {
            let row = Rc::new(place.row(*number, key));
            leaves.extend(columns.map(|param| Leaf {
                place: Rc::clone(&row),
                param,
            }));
        }
        let readings = self.read_quietly(schema, &leaves);
        let mut patterns = Vec::new();
        for row in readings.chunks(columns.len()) {
            if let [Ok(enable), Ok(list), Ok(name)] = row
                && enable.value == "true"
                && !name.value.is_empty()
                && listens(&list.value, events)
            {
                patterns.push(name.value.to_string());
            }
        }
        patterns
    }

    /// The parameters that exist and have a name like this. A table in trouble has no rows
    /// here.
    fn leaves_like(
        &mut self,
        schema: &Schema,
        parts: &[Part<'_>],
        left_out: &mut bool,
    ) -> Vec<Leaf> {
        let Some((Part::One(Segment::Name(last)), around)) = parts.split_last() else {
            return Vec::new();
        };
        let mut places = vec![self.root()];
        for part in around.iter().skip(1) {
            let mut next: Vec<Place> = Vec::new();
            for place in &places {
                match *part {
                    Part::One(Segment::Name(name)) => {
                        let child = schema.child_named(place.object, name);
                        next.extend(child.map(|child| child_place(schema, place, child)));
                    }
                    Part::One(Segment::Number(number)) => {
                        if let Ok(rows) = self.rows_of(place)
                            && let Some(key) = rows.key_of(number)
                        {
                            next.push(place.row(number, key));
                        }
                    }
                    Part::Every => {
                        if let Ok(rows) = self.rows_of(place) {
                            let free = MAX_PLACES - next.len().min(MAX_PLACES);
                            *left_out |= rows.rows.len() > free;
                            let rows = rows.rows.iter().take(free);
                            next.extend(rows.map(|(number, key)| place.row(*number, key)));
                        }
                    }
                }
            }
            places = next;
        }
        let leaf = |place: Place| {
            Some(Leaf {
                param: schema.param_named(place.object, last)?,
                place: Rc::new(place),
            })
        };
        places.into_iter().filter_map(leaf).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let text = r#"
["Device.A."]
Forced = { type = "string", constant = "f", inform = true }
Free   = { type = "string", constant = "f" }
["Device.A.B.{i}."]
rows = { uci = "a", type = "b" }
Name = { type = "string", constant = "{row}" }
["Device.A.B.{i}.C.{i}."]
rows = { uci = "a", type = "c", parent = "b" }
Name = { type = "string", constant = "{row}" }
["Device.A.B.{i}.D."]
Name = { type = "string", constant = "x" }
"#;
        Schema::load(&[("a.toml".to_owned(), text.to_owned())]).expect("a good file")
    }

    // T-INF-011
    #[test]
    fn only_names_of_parameters_with_stars_for_instances_are_patterns() {
        let schema = schema();
        for good in [
            "Device.A.Free",
            "Device.A.B.*.Name",
            "Device.A.B.12.Name",
            "Device.A.B.*.C.*.Name",
            "Device.A.B.3.C.*.Name",
            "Device.A.B.*.D.Name",
            // Not of this data model, perhaps of the next one.
            "Device.A.Later",
            "Device.Later.*.Name",
            "Device.A.B.*.Later.2.Name",
        ] {
            assert!(parse(&schema, good).is_ok(), "{good}");
        }
        for bad in [
            "Device",
            "Device.",
            "Device.A",
            "Device.A.",
            "Device.A.B",
            "Device.A.B.*",
            "Device.A.B.*.",
            "Device.A.B.1",
            "Device.A.B.Name",
            "Device.A.B.C.*.Name",
            "Device.A.B.*.*.Name",
            "Device.A.B.1.*.Name",
            "Device.*.Free",
            "*.A.Free",
            "*",
            "Device.A.*",
            "Device.A.Fr*",
            "Device.A.B.*.D.*.Name",
            "Device.A.B.*.D",
            "Device.A.B.[web].Name",
            "Device.A.B.{i}.Name",
            "Device.A.B.0.Name",
            "Device.Later.*.*.Name",
            "Device.Later.*",
            "InternetGatewayDevice.A",
            "Device..A",
            " Device.A.Free",
            "Device.A.Forced",
        ] {
            assert!(parse(&schema, bad).is_err(), "{bad}");
        }
        let long = format!("Device.{}", "A".repeat(249));
        assert!(parse(&schema, &long).is_ok());
        assert!(parse(&schema, &format!("{long}A")).is_err());
    }

    // T-INF-010
    #[test]
    fn an_event_list_has_event_codes_and_never_value_change() {
        for good in [
            "2 PERIODIC",
            "1%20BOOT,2%20PERIODIC",
            " 1 BOOT , M Reboot ",
            "X 00D09E Lamp on",
            "M X_00D09E_Lamp",
        ] {
            assert_eq!(check_events(good), Ok(()), "{good}");
        }
        for bad in [
            "4 VALUE CHANGE",
            "4%20VALUE%20CHANGE",
            "1 BOOT,4 VALUE CHANGE",
            "2",
            "2 periodic",
            "1 BOOT,",
            "1 BOOT,,2 PERIODIC",
            "15 NEW",
            "X 00D09E",
            "M X_",
            "M Foo",
        ] {
            assert!(check_events(bad).is_err(), "{bad}");
        }
        assert!(check_events(&["1 BOOT"; 64].join(",")).is_ok());
        assert!(check_events(&["1 BOOT"; 65].join(",")).is_err());
    }

    #[test]
    fn an_empty_event_list_means_all_but_value_change() {
        assert!(listens("", &["2 PERIODIC"]));
        assert!(listens("", &["2 PERIODIC", "4 VALUE CHANGE"]));
        assert!(!listens("", &["4 VALUE CHANGE"]));
        assert!(!listens("", &[]));
        assert!(listens("1%20BOOT,2 PERIODIC", &["0 BOOTSTRAP", "1 BOOT"]));
        assert!(!listens("1 BOOT", &["2 PERIODIC"]));
        // Only a hand could have written it.
        assert!(!listens("4 VALUE CHANGE", &["4 VALUE CHANGE"]));
    }
}
