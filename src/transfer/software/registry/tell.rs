//! What the register tells the ACS: DUStateChangeComplete (TR-069 A.4.2.3) and
//! AutonomousDUStateChangeComplete (A.4.2.4), and the events that go with them.

use super::{Lookup, Registry, Table, is_done};
use crate::cwmp::datetime::DateTime;
use crate::cwmp::event::EventCode;
use crate::cwmp::message::{CpeRequest, OperationFault, OperationPerformed, OperationResult};
use crate::transfer::queue::MAX_REFUSALS;
use crate::transfer::software::record::{Change, Ended, Paths};

/// What is to be told next.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// `None`: of changes that nobody asked for; all of them at once.
    pub id: Option<u32>,
    pub command_key: String,
    pub message: CpeRequest,
    /// How many changes it tells of.
    changes: usize,
}

impl Registry {
    /// Keeps the paths that results of ended operations name and nobody has looked up.
    pub fn look_up_ended(&mut self, lookup: &mut Lookup<'_>) {
        let steps = self.saved.requests.iter_mut().flat_map(|r| &mut r.steps);
        let mut any = false;
        for step in steps.filter(|s| s.paths.is_none()) {
            if let Some(ended) = step.ended.as_ref().filter(|e| !e.unit.is_empty()) {
                step.paths = Some(paths_of(&ended.unit, &ended.executions, lookup));
                any = true;
            }
        }
        for change in self.saved.changes.iter_mut().filter(|c| c.paths.is_none()) {
            change.paths = Some(paths_of(
                &change.ended.unit,
                &change.ended.executions,
                lookup,
            ));
            any = true;
        }
        if any {
            self.save();
        }
    }

    /// The events that must be pending.
    pub fn events(&self) -> Vec<(EventCode, String)> {
        let mut events = Vec::new();
        let done = self.saved.requests.iter().filter(|r| is_done(r));
        for request in done {
            if events.is_empty() {
                events.push((EventCode::DuStateChangeComplete, String::new()));
            }
            events.push((EventCode::MChangeDuState, request.command_key.clone()));
        }
        if !self.saved.changes.is_empty() {
            events.push((EventCode::AutonomousDuStateChangeComplete, String::new()));
        }
        events
    }

    /// What the ACS is told of a request that is done, or of the changes that nobody asked for
    /// (`None`); `lookup` finds paths that are not known yet.
    pub fn to_tell(&self, id: Option<u32>, lookup: &mut Lookup<'_>) -> Option<Told> {
        if let Some(id) = id {
            let mut requests = self.saved.requests.iter();
            let request = requests.find(|r| r.id == id && is_done(r))?;
            let results = request.steps.iter().filter_map(|step| {
                let ended = step.ended.as_ref()?;
                Some(result(ended, step.started, step.paths.as_ref(), lookup))
            });
            return Some(Told {
                id: Some(request.id),
                command_key: request.command_key.clone(),
                message: CpeRequest::DuStateChangeComplete {
                    results: results.collect(),
                    command_key: request.command_key.clone(),
                },
                changes: 0,
            });
        }
        if self.saved.changes.is_empty() {
            return None;
        }
        let mut told = |change: &Change| -> (OperationPerformed, OperationResult) {
            let paths = change.paths.as_ref();
            let result = result(&change.ended, change.started, paths, lookup);
            (change.performed.wire(), result)
        };
        Some(Told {
            id: None,
            command_key: String::new(),
            message: CpeRequest::AutonomousDuStateChangeComplete(
                self.saved.changes.iter().map(&mut told).collect(),
            ),
            changes: self.saved.changes.len(),
        })
    }

    /// The ACS has taken it: the record goes from the disk. `false`: the disk refuses, and it
    /// may be told again after a power cut.
    pub fn delivered(&mut self, told: &Told) -> bool {
        match told.id {
            Some(id) => self.saved.requests.retain(|r| r.id != id),
            None => {
                let changes = told.changes.min(self.saved.changes.len());
                self.saved.changes.drain(..changes);
            }
        }
        self.save()
    }

    /// The ACS refused to be told: after so many sessions, or where it never will take it
    /// (`for_good`), the record goes as if it had been; then this is `true`. A register full of
    /// what nobody wants to hear would take no request any more.
    pub fn refused(&mut self, told: &Told, for_good: bool) -> bool {
        let over = |refusals: &mut u8| {
            *refusals = refusals.saturating_add(1);
            for_good || *refusals >= MAX_REFUSALS
        };
        let mut any = false;
        match told.id {
            Some(id) => self.saved.requests.retain_mut(|r| {
                let goes = r.id == id && over(&mut r.refusals);
                any |= goes;
                !goes
            }),
            None => {
                let mut left = told.changes;
                self.saved.changes.retain_mut(|change| {
                    let goes = left > 0 && over(&mut change.refusals);
                    left = left.saturating_sub(1);
                    any |= goes;
                    !goes
                });
            }
        }
        self.save();
        any
    }

    /// The requests that can be told now.
    pub fn done(&self) -> Vec<Option<u32>> {
        let done = self.saved.requests.iter().filter(|r| is_done(r));
        let changes = (!self.saved.changes.is_empty()).then_some(None);
        done.map(|r| Some(r.id)).chain(changes).collect()
    }
}

/// The paths of a unit's row and of those of its execution units.
pub fn paths_of(unit: &str, executions: &[String], lookup: &mut Lookup<'_>) -> Paths {
    let unit = lookup(Table::DeploymentUnit, unit).unwrap_or_default();
    let executions = executions.iter();
    let executions = executions.filter_map(|key| lookup(Table::ExecutionUnit, key));
    Paths {
        executions: executions.collect::<Vec<_>>().join(","),
        unit,
    }
}

fn result(
    ended: &Ended,
    started: i64,
    paths: Option<&Paths>,
    lookup: &mut Lookup<'_>,
) -> OperationResult {
    let paths = match paths {
        Some(paths) => paths.clone(),
        None if ended.unit.is_empty() => Paths::default(),
        None => paths_of(&ended.unit, &ended.executions, lookup),
    };
    let time = |at: i64| match at {
        0 => DateTime::Unknown,
        at => DateTime::Utc(at),
    };
    OperationResult {
        uuid: ended.uuid.clone(),
        deployment_unit: paths.unit,
        version: ended.version.clone(),
        state: ended.state.wire(),
        resolved: ended.resolved,
        execution_units: paths.executions,
        start: time(started),
        complete: time(ended.complete),
        fault: OperationFault {
            code: ended.code,
            text: ended.text.clone(),
        },
    }
}
