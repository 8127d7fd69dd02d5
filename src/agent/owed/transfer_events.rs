//! Which events of transfers and of software modules are pending: their records say it.

use super::Owed;
use crate::cwmp::event::{Delivered, DeliveredBy, EventCode};

impl Owed {
    /// Makes exactly these events of transfers pending, each with its CommandKey: their
    /// records say what there is to tell. Written when that changes anything; tells whether
    /// all of it is on disk.
    pub fn set_transfer_events(&mut self, due: &[(EventCode, String)]) -> bool {
        self.set_events(
            due,
            DeliveredBy::TransferCompleteResponse,
            EventCode::TransferComplete,
            EventCode::AutonomousTransferComplete,
        )
    }

    /// The same of what became of software modules.
    pub fn set_module_events(&mut self, due: &[(EventCode, String)]) -> bool {
        self.set_events(
            due,
            DeliveredBy::DuStateChangeCompleteResponse,
            EventCode::DuStateChangeComplete,
            EventCode::AutonomousDuStateChangeComplete,
        )
    }

    /// The events of methods that `by` delivers, with `complete` beside them, and
    /// `autonomous`.
    fn set_events(
        &mut self,
        due: &[(EventCode, String)],
        by: DeliveredBy,
        complete: EventCode,
        autonomous: EventCode,
    ) -> bool {
        let is_method = |code: &EventCode| {
            let rule = code.rule();
            rule.multiple && rule.delivered_by == by
        };
        let mut missing: Vec<&(EventCode, String)> =
            due.iter().filter(|(code, _)| is_method(code)).collect();
        for event in self.pending() {
            if !is_method(&event.code) {
                continue;
            }
            let known = missing
                .iter()
                .position(|(code, key)| *code == event.code && *key == event.command_key);
            match known {
                Some(at) => drop(missing.swap_remove(at)),
                None if event.code == EventCode::MChangeDuState => {
                    self.queue.delivered(Delivered::DuStateChange {
                        command_key: &event.command_key,
                    });
                }
                None => self.queue.delivered(Delivered::Transfer {
                    code: &event.code,
                    command_key: &event.command_key,
                }),
            }
        }
        for (code, key) in missing {
            self.queue.raise(code.clone(), key);
        }
        match due.iter().any(|(code, _)| is_method(code)) {
            true => drop(self.queue.raise(complete, "")),
            false => self.queue.withdraw(&complete),
        }
        match due.iter().any(|(code, _)| *code == autonomous) {
            true => drop(self.queue.raise(autonomous, "")),
            false => self.queue.withdraw(&autonomous),
        }
        self.save()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cwmp::version::CwmpVersion;
    use crate::store::state::StateDir;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn load(&self) -> Owed {
            Owed::load(&StateDir::open(&self.0).expect("a folder"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn codes(owed: &mut Owed) -> Vec<String> {
        let events = owed.take_for_inform(CwmpVersion::V1_4, false);
        let told = events
            .iter()
            .map(|e| format!("{} {}", e.code.text(), e.command_key));
        let told = told.map(|text| text.trim_end().to_owned()).collect();
        owed.session_failed();
        told
    }

    // T-EVT-018
    #[test]
    fn exactly_the_events_that_the_records_call_for_are_pending_also_after_a_restart() {
        let dir = std::env::temp_dir().join(format!("owed-transfers-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let folder = Folder(dir);
        let mut owed = folder.load();
        let m = |code: EventCode, key: &str| (code, key.to_owned());
        assert!(owed.set_transfer_events(&[
            m(EventCode::MDownload, "a"),
            m(EventCode::MDownload, "a"),
            m(EventCode::MUpload, "b"),
        ]));
        let mut owed = folder.load();
        assert!(owed.wants_session() && owed.is_awaited());
        let all = [
            "7 TRANSFER COMPLETE",
            "M Download a",
            "M Download a",
            "M Upload b",
        ];
        assert_eq!(codes(&mut owed), all);
        // Two are delivered, and there is one of another kind.
        owed.set_transfer_events(&[
            m(EventCode::MDownload, "a"),
            m(EventCode::AutonomousTransferComplete, ""),
        ]);
        let left = [
            "7 TRANSFER COMPLETE",
            "10 AUTONOMOUS TRANSFER COMPLETE",
            "M Download a",
        ];
        assert_eq!(codes(&mut owed), left);
        let before = owed.pending();
        owed.set_transfer_events(&[
            m(EventCode::AutonomousTransferComplete, ""),
            m(EventCode::MDownload, "a"),
        ]);
        assert_eq!(owed.pending(), before, "nothing has changed");
        assert!(owed.set_transfer_events(&[]));
        assert_eq!(codes(&mut folder.load()), [""; 0]);
    }
}
