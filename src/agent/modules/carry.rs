//! What the agent does for an operation: fetches its file, knows its time, keeps others from
//! acting meanwhile.

use super::now;
use crate::agent::world::{World, lock};
use crate::cwmp::message::TransferFault;
use crate::net::url::{Url, UrlError};
use crate::transfer::fetch::{FetchJob, fetch};
use crate::transfer::progress::Progress;
use crate::transfer::software::Carrier;
use crate::transfer::software::record::{Paths, Unit};
use crate::transfer::software::registry::Condition;
use std::path::Path;

/// See the module.
pub struct Agent<'a> {
    pub world: &'a World,
    /// Traffic keeps to it.
    pub device: Option<String>,
    /// Called when the model shows something else.
    pub changed: &'a dyn Fn(),
}

impl Carrier for Agent<'_> {
    fn fetch(
        &self,
        url: &str,
        username: &str,
        password: &str,
        into: &Path,
    ) -> Result<(), TransferFault> {
        let fault = |code: u16, text: String| TransferFault { code, text };
        let limits = &self.world.setup.config.limits;
        let parsed = Url::parse(url).map_err(|e| match e {
            UrlError::Scheme => fault(9013, "only http and https are supported".to_owned()),
            e => fault(9016, format!("URL: {e}")),
        })?;
        let device = self.device.as_deref();
        let wire = crate::agent::transfers::wire(self.world, parsed, device)
            .map_err(|what| fault(9015, what))?;
        let wire = crate::net::file::FileConfig {
            username: username.to_owned(),
            password: password.to_owned(),
            ..wire
        };
        let job = FetchJob {
            into,
            file_size: 0,
            max: limits.transfer_size.into(),
            keep_free: limits.keep_free.into(),
        };
        fetch(wire, &job, &Progress::default(), &self.world.modules.stop).map(|_| ())
    }

    fn is_stopped(&self) -> bool {
        self.world.is_stopping()
    }

    fn now(&self) -> i64 {
        now()
    }

    fn condition(&self, environment: &str) -> Condition {
        self.world.modules.condition(environment)
    }

    fn paths(&self, unit: &Unit) -> Paths {
        super::paths(self.world, unit)
    }

    fn act(&self, act: &mut dyn FnMut()) {
        let _one_at_a_time = lock(&self.world.acting);
        act();
    }

    fn changed(&self) {
        self.world.modules.publish();
        {
            let mut model = self.world.model();
            model.begin();
            let lookup = &mut super::lookup(&mut model);
            self.world.modules().look_up_ended(lookup);
        }
        super::sync_events(self.world);
        (self.changed)();
    }
}
