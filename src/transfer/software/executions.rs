//! Execution units: started and stopped as the ACS wants them, and looked at.

use super::environment::{Environment, Environments};
use super::operate::short;
use super::record::{Execution, ExecutionFault, Unit};
use super::registry::{Condition, Registry};
use std::sync::{Mutex, PoisonError};

/// Does what concerns execution units. The register is not locked while programs run.
pub struct Supervisor<'a> {
    pub registry: &'a Mutex<Registry>,
    pub environments: &'a Environments,
    /// What an environment is at this moment.
    pub condition: &'a dyn Fn(&str) -> Condition,
}

impl<'a> Supervisor<'a> {
    fn units(&self) -> Vec<Unit> {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.units().to_vec()
    }

    /// Each execution unit with its deployment unit and environment.
    fn each(&self, act: &mut dyn FnMut(&'a Environment, &Unit, &mut Execution)) {
        for unit in self.units() {
            let Some(environment) = self.environments.get(&unit.environment) else {
                continue;
            };
            for execution in &unit.executions {
                let mut now = execution.clone();
                act(environment, &unit, &mut now);
                if now == *execution {
                    continue;
                }
                let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
                registry.change(unit.id, |unit| {
                    let mut known = unit.executions.iter_mut();
                    if let Some(known) = known.find(|e| e.euid == now.euid) {
                        *known = now;
                    }
                });
            }
        }
    }

    /// The agent begins. After a boot nothing runs of what the agent starts; what is to be
    /// started by itself is. (Init scripts are the system's business.)
    pub fn begin(&self, rebooted: bool) {
        self.each(&mut |environment, unit, execution| {
            if environment.starts_by_itself() {
                return;
            }
            let enabled = (self.condition)(environment.name()) == Condition::Enabled;
            let running = environment.is_running(&unit.duid, &execution.name);
            execution.running = running.unwrap_or(execution.running && !rebooted);
            if rebooted {
                (execution.fault, execution.message) = Default::default();
                execution.requested = execution.auto_start;
            }
            if rebooted && enabled && execution.auto_start && !execution.running {
                let failed = ExecutionFault::FailureOnAutoStart;
                switch(environment, unit, execution, true, failed);
            }
        });
        self.look();
    }

    /// Looks which of them run.
    pub fn look(&self) {
        self.each(&mut |environment, unit, execution| {
            let Some(running) = environment.is_running(&unit.duid, &execution.name) else {
                return;
            };
            if execution.running && !running && execution.requested {
                execution.fault = ExecutionFault::FailureWhileActive;
                execution.message = "it has ended by itself".to_owned();
            } else if running && execution.fault != ExecutionFault::FailureOnStop {
                (execution.fault, execution.message) = Default::default();
            }
            execution.running = running;
        });
    }

    /// RequestedState was set: starts or stops the unit, unless it is as it is to be.
    pub fn request(&self, euid: &str, on: bool) {
        self.each(&mut |environment, unit, execution| {
            if execution.euid != euid {
                return;
            }
            execution.requested = on;
            let running = environment.is_running(&unit.duid, &execution.name);
            execution.running = running.unwrap_or(execution.running);
            if execution.running != on {
                let failed = match on {
                    true => ExecutionFault::FailureOnStart,
                    false => ExecutionFault::FailureOnStop,
                };
                switch(environment, unit, execution, on, failed);
            }
        });
    }

    /// AutoStart was set.
    pub fn auto_start(&self, euid: &str, on: bool) {
        self.each(&mut |environment, _, execution| {
            if execution.euid == euid {
                execution.auto_start = on;
                if let Err(e) = environment.set_auto_start(&execution.name, on) {
                    log::warn!("{euid}: AutoStart: {e}");
                }
            }
        });
    }

    /// Enable of an environment was set: what runs in it is stopped, or what starts by itself
    /// is started.
    pub fn enable(&self, name: &str, on: bool) {
        self.each(&mut |environment, unit, execution| {
            if environment.name() != name {
                return;
            }
            let running = environment.is_running(&unit.duid, &execution.name);
            execution.running = running.unwrap_or(execution.running);
            match on {
                true if execution.auto_start && !execution.running => {
                    execution.requested = true;
                    let failed = ExecutionFault::FailureOnAutoStart;
                    switch(environment, unit, execution, true, failed);
                }
                false if execution.running => {
                    execution.requested = false;
                    let failed = ExecutionFault::FailureOnStop;
                    switch(environment, unit, execution, false, failed);
                }
                _ => {}
            }
        });
    }
}

fn switch(
    environment: &Environment,
    unit: &Unit,
    execution: &mut Execution,
    on: bool,
    failed: ExecutionFault,
) {
    let word = if on { "starting" } else { "stopping" };
    log::info!("{word} {}", execution.euid);
    match environment.switch(&unit.duid, &execution.name, on) {
        Ok(()) => {
            (execution.fault, execution.message) = Default::default();
            let running = environment.is_running(&unit.duid, &execution.name);
            execution.running = running.unwrap_or(on);
            if execution.running != on {
                execution.fault = failed;
                execution.message = format!("{word} went well, but it does not show");
            }
        }
        Err(e) => {
            log::warn!("{}: {word}: {e}", execution.euid);
            (execution.fault, execution.message) = (failed, short(&e));
        }
    }
}
