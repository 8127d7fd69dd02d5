//! What others have done: packages installed, updated or taken away by hand, modules put in
//! place by the firmware (`12 AUTONOMOUS DU STATE CHANGE COMPLETE`, TR-069 A.3.3.5).
//!
//! What was there when the agent first looked is the firmware's, and no deployment unit
//! (but for plain modules, which say of themselves what they are). After another firmware
//! was flashed the packages are looked at as if for the first time.

use super::environment::{Held, Kind};
use super::operate::Operator;
use super::record::{Change, Performed, State, Status, Unit};
use super::registry::ended_as;
use super::uuid;
use crate::store::state::StateDir;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The state file.
const FILE: &str = "software-seen";

/// What was there when the agent last looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    /// What names the firmware that ran then.
    firmware: String,
    /// Of each environment, by name.
    names: BTreeMap<String, BTreeSet<String>>,
}

/// Whether the ACS wants to know of a change (DUStateChangeComplPolicy).
pub type Policy<'a> = dyn Fn(&Change) -> bool + 'a;

/// Looks at every environment and notes what has changed without the agent. `firmware` names
/// the running firmware. Nothing else may be under way. Tells whether anything was found.
pub fn look(
    operator: &Operator<'_>,
    state: &StateDir,
    firmware: &str,
    wanted: &Policy<'_>,
) -> bool {
    let before: Seen = state.load(FILE).unwrap_or_default();
    let mut seen = Seen {
        firmware: firmware.to_owned(),
        ..before.clone()
    };
    let flashed = !before.firmware.is_empty() && before.firmware != firmware;
    let mut any = false;
    for environment in operator.environments.iter() {
        let name = environment.name().to_owned();
        let held = match environment.list() {
            Ok(held) => held,
            Err(e) => {
                log::debug!("execution environment {name}: {e}");
                continue;
            }
        };
        let known = before.names.get(&name);
        let is_manager = matches!(environment.definition.kind, Kind::Opkg | Kind::Apk);
        if is_manager && held.is_empty() {
            // No system is without packages: it is being written, or broken.
            continue;
        }
        let names: BTreeSet<String> = held.iter().map(|h| h.duid.clone()).collect();
        let units: Vec<Unit> = {
            let registry = operator.registry();
            let of_it = registry.units().iter().filter(|u| u.environment == name);
            of_it
                .filter(|u| u.status == Status::Installed)
                .cloned()
                .collect()
        };
        for unit in &units {
            let now = held.iter().find(|h| h.duid == unit.duid);
            any |= match now {
                None => note(operator, unit.clone(), Performed::Uninstall, wanted),
                Some(now) if now.version != unit.version => {
                    let mut unit = unit.clone();
                    unit.version.clone_from(&now.version);
                    unit.resolved = now.resolved;
                    unit.updated = operator.carrier.now();
                    unit.executions = operator.executions(environment, &unit, &unit.executions);
                    note(operator, unit, Performed::Update, wanted)
                }
                Some(now) if now.resolved != unit.resolved => {
                    let resolved = now.resolved;
                    operator
                        .registry()
                        .change(unit.id, |unit| unit.resolved = resolved)
                }
                Some(_) => false,
            };
        }
        let first = known.is_none() || flashed;
        let is_new = |h: &&Held| {
            let registry = operator.registry();
            let mut units = registry.units().iter();
            h.explicit
                && !known.is_some_and(|known| known.contains(&h.duid))
                && !units.any(|u| u.environment == name && u.duid == h.duid)
        };
        let new: Vec<&Held> = held.iter().filter(is_new).collect();
        for held in new {
            if first && is_manager {
                break;
            }
            let mut held = held.clone();
            environment.details(&mut held);
            let mut unit = Unit {
                id: 0,
                uuid: uuid::of_unit(&held.name, &held.vendor),
                environment: name.clone(),
                duid: held.duid,
                name: held.name,
                vendor: held.vendor,
                version: held.version,
                description: held.description,
                url: String::new(),
                status: Status::Installed,
                resolved: held.resolved,
                installed: operator.carrier.now(),
                updated: 0,
                executions: Vec::new(),
            };
            unit.executions = operator.executions(environment, &unit, &[]);
            // What the firmware brings is no news.
            let told = |change: &Change| !first && wanted(change);
            any |= note(operator, unit, Performed::Install, &told);
        }
        seen.names.insert(name, names);
    }
    seen.names
        .retain(|name, _| operator.environments.get(name).is_some());
    if seen != before {
        state.save_or_warn(FILE, &seen, "which packages there are");
    }
    any
}

fn note(operator: &Operator<'_>, unit: Unit, performed: Performed, wanted: &Policy<'_>) -> bool {
    let now = operator.carrier.now();
    let state = match performed {
        Performed::Uninstall => State::Uninstalled,
        Performed::Install | Performed::Update => State::Installed,
    };
    let change = Change {
        performed,
        started: now,
        // A new one has no row yet; one that goes soon has none any more.
        paths: (unit.id != 0).then(|| operator.carrier.paths(&unit)),
        ended: ended_as(&unit, state, now),
        refusals: 0,
    };
    log::info!(
        "software modules: {} was {performed:?}ed by somebody else",
        unit.name
    );
    let tell = wanted(&change);
    operator.registry().found(unit, change, tell);
    operator.carrier.changed();
    true
}

/// What was seen is forgotten: a factory reset.
pub fn forget(state: &StateDir) {
    if let Err(e) = state.remove(FILE) {
        log::warn!("which packages there were cannot be wiped: {e}");
    }
}
