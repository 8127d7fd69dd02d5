//! Which sources are in trouble: logged once when it begins and when it is over.

use super::source::Trouble;
use log::{info, warn};
use std::collections::{BTreeMap, BTreeSet};

/// Troubles kept at once at most; further ones are only logged by their requests' faults.
const MAX: usize = 64;
/// What showed a trouble is remembered of this many parameters or tables at most.
const MAX_SUBJECTS: usize = 64;

/// Sources in trouble, by their names.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    by_source: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    what: String,
    /// The parameters or tables whose reading showed it; the next good reading of one of
    /// them ends it.
    subjects: BTreeSet<String>,
}

impl Troubles {
    pub fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// Reading this parameter or table failed.
    pub fn note(&mut self, subject: &str, trouble: &Trouble) {
        if let Some(known) = self.by_source.get_mut(&trouble.source) {
            known.what.clone_from(&trouble.what);
            if known.subjects.len() < MAX_SUBJECTS && !known.subjects.contains(subject) {
                known.subjects.insert(subject.to_owned());
            }
            return;
        }
        if self.by_source.len() >= MAX {
            return;
        }
        warn!("{trouble}");
        self.by_source.insert(
            trouble.source.clone(),
            Entry {
                what: trouble.what.clone(),
                subjects: BTreeSet::from([subject.to_owned()]),
            },
        );
    }

    /// Reading this parameter or table succeeded.
    pub fn over(&mut self, subject: &str) {
        self.by_source.retain(|source, entry| {
            let stays = !entry.subjects.contains(subject);
            if !stays {
                info!("{source}: works again");
            }
            stays
        });
    }

    pub fn list(&self) -> Vec<Trouble> {
        let entries = self.by_source.iter();
        entries
            .map(|(source, entry)| Trouble {
                source: source.clone(),
                what: entry.what.clone(),
            })
            .collect()
    }
}
