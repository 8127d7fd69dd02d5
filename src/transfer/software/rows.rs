//! The register as the rows of Device.SoftwareModules: tables of texts, for whoever shows
//! them.

use super::environment::Environments;
use super::record::{ExecutionFault, Unit};
use super::registry::Condition;
use crate::cwmp::datetime::DateTime;

/// One row: its key, and its values by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    pub values: Vec<(&'static str, String)>,
}

/// The three tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    pub environments: Vec<Row>,
    pub deployment_units: Vec<Row>,
    pub execution_units: Vec<Row>,
}

/// What is to be shown.
pub fn tables(
    units: &[Unit],
    environments: &Environments,
    condition: &dyn Fn(&str) -> Condition,
) -> Tables {
    let mut tables = Tables::default();
    for environment in environments.iter() {
        let definition = &environment.definition;
        let enabled = condition(&definition.name) == Condition::Enabled;
        let of_it = units.iter().filter(|u| u.environment == definition.name);
        let running = of_it.flat_map(|u| u.executions.iter().filter(|e| e.running));
        let number = |n: Option<u64>| n.map_or("-1".to_owned(), |n| n.min(0x7fff_ffff).to_string());
        tables.environments.push(Row {
            key: definition.name.clone(),
            values: vec![
                ("enable", enabled.to_string()),
                ("status", if enabled { "Up" } else { "Disabled" }.to_owned()),
                ("type", definition.type_name.clone()),
                ("vendor", definition.vendor.clone()),
                ("version", definition.version.clone()),
                ("disk", number(environment.free_disk())),
                ("active", list(running.map(|e| e.euid.as_str()))),
            ],
        });
    }
    for unit in units {
        tables.deployment_units.push(Row {
            key: unit.key(),
            values: vec![
                ("uuid", unit.uuid.clone()),
                ("duid", unit.duid.clone()),
                ("name", unit.name.clone()),
                ("status", unit.status.name().to_owned()),
                ("resolved", unit.resolved.to_string()),
                ("url", unit.url.clone()),
                ("description", unit.description.clone()),
                ("vendor", unit.vendor.clone()),
                ("version", unit.version.clone()),
                (
                    "units",
                    list(unit.executions.iter().map(|e| e.euid.as_str())),
                ),
                ("environment", unit.environment.clone()),
                ("installed", time(unit.installed)),
                ("updated", time(unit.updated)),
            ],
        });
        for execution in &unit.executions {
            // After a failure it says how the unit is, so that asking again is a change.
            let requested = match execution.fault {
                ExecutionFault::NoFault => execution.requested,
                _ => execution.running,
            };
            tables.execution_units.push(Row {
                key: execution.euid.clone(),
                values: vec![
                    ("name", execution.name.clone()),
                    ("status", state(execution.running).to_owned()),
                    ("requested", state(requested).to_owned()),
                    ("fault", execution.fault.name().to_owned()),
                    ("message", execution.message.clone()),
                    ("auto_start", execution.auto_start.to_string()),
                    ("vendor", unit.vendor.clone()),
                    ("version", unit.version.clone()),
                    ("environment", unit.environment.clone()),
                ],
            });
        }
    }
    tables
}

fn state(active: bool) -> &'static str {
    match active {
        true => "Active",
        false => "Idle",
    }
}

fn time(at: i64) -> String {
    match at {
        0 => DateTime::Unknown.to_string(),
        at => DateTime::Utc(at).to_string(),
    }
}

fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    items.collect::<Vec<_>>().join(",")
}
