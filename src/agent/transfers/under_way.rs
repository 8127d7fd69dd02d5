//! The transfer that is being carried out, as other threads see it.

use crate::transfer::progress::{Progress, Stop};
use crate::transfer::queue::Id;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The file is on its way.
    OnItsWay,
    /// The file is there and good.
    Checked,
    /// It is being applied: nothing stops it.
    Applying,
    /// It is being applied and takes the box down: the end of the agent does not wait for it.
    Flashing,
}

/// See the module.
pub struct UnderWay {
    pub id: Id,
    pub progress: Progress,
    pub stop: Stop,
    stage: AtomicU8,
    overdue: AtomicBool,
}

impl UnderWay {
    /// It begins.
    pub fn new(id: Id) -> UnderWay {
        UnderWay {
            id,
            progress: Progress::default(),
            stop: Stop::default(),
            stage: AtomicU8::new(0),
            overdue: AtomicBool::new(false),
        }
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::OnItsWay,
            1 => Stage::Checked,
            2 => Stage::Applying,
            _ => Stage::Flashing,
        }
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        let number = match stage {
            Stage::OnItsWay => 0,
            Stage::Checked => 1,
            Stage::Applying => 2,
            Stage::Flashing => 3,
        };
        self.stage.store(number, Ordering::SeqCst);
    }

    /// Ends it because it has taken too long.
    pub fn stop_overdue(&self) {
        self.overdue.store(true, Ordering::SeqCst);
        self.stop.stop();
    }

    /// Whether it was ended for having taken too long.
    pub fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::SeqCst)
    }
}
