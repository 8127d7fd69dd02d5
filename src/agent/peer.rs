//! What is known of the ACS at a URL: which CWMP version it takes, which methods it lists.
//!
//! ```text
//! offer:    highest --refused--> older, at once --accepted--> older for 50 sessions
//!              ^                                                 |
//!              +-- refused, too; other firmware; 50 sessions ----+
//! methods:  unknown --asked, at most 3 times--> listed
//! ```
//! The first question comes by itself, the others when a request is owed that only an ACS
//! takes that lists it: what breaks a session must not break the next one, too.
//!
//! One small state file, written only when something was learnt. What was learnt holds for
//! one URL and one firmware of this box. This module sends nothing.

use crate::cwmp::message::CpeRequest;
use crate::cwmp::version::CwmpVersion;
use crate::store::state::StateDir;
use serde::{Deserialize, Serialize};

/// The name of the state file.
const FILE: &str = "acs";
/// URLs remembered; the oldest goes first.
const MAX_KNOWN: usize = 4;
/// How often an ACS is asked for its methods while no answer comes: one that breaks the
/// session over the question must not do so for ever.
const MAX_ASKED: u8 = 3;
/// Sessions with an older version until the highest is offered once more. An ACS that has no
/// fault for it says with a status or fault of many meanings that it does not take a version,
/// and another may be at its URL one day.
const DOUBTED_AFTER: u8 = 50;
/// Methods of an ACS that are kept, and bytes of one name.
const MAX_METHODS: usize = 64;
const MAX_NAME: usize = 64;

/// One ACS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    url: String,
    /// The firmware of this box when it was learnt.
    firmware: String,
    /// The highest version whose Inform was accepted (`1.2`).
    accepted: Option<String>,
    /// The lowest version that was refused before that.
    refused: Option<String>,
    /// How often GetRPCMethods was sent.
    asked: u8,
    /// What it has listed; nothing where it refused to tell.
    methods: Option<Vec<String>>,
}

/// See the module.
pub struct Peers {
    known: Vec<Known>,
    /// Sessions in a row with an older version than the highest; no more than since the start.
    older: u8,
    firmware: String,
    state: StateDir,
}

fn version(text: &Option<String>) -> Option<CwmpVersion> {
    CwmpVersion::parse(text.as_deref()?)
}

impl Peers {
    /// Reads the state file; `firmware` is this box's software version.
    pub fn load(state: &StateDir, firmware: &str) -> Peers {
        Peers {
            known: state.load(FILE).unwrap_or_default(),
            older: 0,
            firmware: firmware.to_owned(),
            state: state.clone(),
        }
    }

    fn find(&self, url: &str) -> Option<&Known> {
        let fits = |k: &&Known| k.url == url && k.firmware == self.firmware;
        self.known.iter().find(fits)
    }

    /// What was learnt of a URL, be it under another firmware.
    fn under_any(&self, url: &str) -> Option<&Known> {
        self.known.iter().find(|k| k.url == url)
    }

    /// Changes what is known of a URL, and writes it if that changed anything.
    fn learn(&mut self, url: &str, change: impl FnOnce(&mut Known)) {
        let before = self.find(url).cloned();
        let mut known = before.clone().unwrap_or_else(|| Known {
            url: url.to_owned(),
            firmware: self.firmware.clone(),
            accepted: self.under_any(url).and_then(|k| k.accepted.clone()),
            ..Known::default()
        });
        change(&mut known);
        if before.as_ref() == Some(&known) {
            return;
        }
        self.known.retain(|k| k.url != url);
        if self.known.len() >= MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push(known);
        self.save();
    }

    fn save(&self) {
        self.state
            .save_or_warn(FILE, &self.known, "what is known of the ACS");
    }

    /// The version to offer, at most `highest`.
    pub fn offer(&self, url: &str, highest: CwmpVersion) -> CwmpVersion {
        let Some(known) = self.find(url) else {
            return highest;
        };
        match (version(&known.refused), version(&known.accepted)) {
            (Some(refused), Some(accepted)) if highest >= refused && self.older < DOUBTED_AFTER => {
                highest.min(accepted)
            }
            _ => highest,
        }
    }

    /// Whether the ACS has accepted this offer before, or a higher one, be it of another
    /// firmware: its refusal means something else then.
    pub fn has_accepted(&self, url: &str, offer: CwmpVersion) -> bool {
        let accepted = self.under_any(url).and_then(|k| version(&k.accepted));
        accepted.is_some_and(|accepted| accepted >= offer)
    }

    /// An Inform of this offer was accepted, after one of `refused` was not.
    pub fn accepted(&mut self, url: &str, offer: CwmpVersion, refused: Option<CwmpVersion>) {
        self.older = match (refused, self.find(url)) {
            (None, Some(known)) if known.refused.is_some() => self.older.saturating_add(1),
            _ => 0,
        };
        self.learn(url, |known| {
            let before = version(&known.accepted);
            if refused.is_some() || before.is_none_or(|before| before < offer) {
                known.accepted = Some(offer.text().to_owned());
                known.refused = refused.map(|v| v.text().to_owned());
            }
        });
    }

    /// What was accepted before is refused now: the next session begins with the highest
    /// version again.
    pub fn forget_version(&mut self, url: &str) {
        if self.under_any(url).is_some() {
            self.learn(url, |known| {
                known.accepted = None;
                known.refused = None;
            });
        }
    }

    /// The agent's next question about the ACS itself, if there is one; `is_owed`: a request
    /// that depends on its answer. It counts as asked, on disk, before it is sent.
    pub fn question(&mut self, url: &str, is_owed: bool) -> Option<CpeRequest> {
        let most = if is_owed { MAX_ASKED } else { 1 };
        let known = self.find(url);
        if known.is_some_and(|k| k.methods.is_some() || k.asked >= most) {
            return None;
        }
        self.learn(url, |known| known.asked += 1);
        Some(CpeRequest::GetRpcMethods)
    }

    /// The answer to GetRPCMethods; an empty list where it was refused.
    pub fn listed(&mut self, url: &str, methods: &[String]) {
        let kept = methods.iter().take(MAX_METHODS);
        let kept: Vec<String> = kept.filter(|m| m.len() <= MAX_NAME).cloned().collect();
        self.learn(url, |known| known.methods = Some(kept));
    }

    /// Whether it is known which methods the ACS has.
    pub fn is_listed(&self, url: &str) -> bool {
        self.find(url).is_some_and(|known| known.methods.is_some())
    }

    /// Whether this request may be sent to the ACS: every ACS has GetRPCMethods and
    /// TransferComplete (TR-069 A.3.3); the others can make one hang that has not listed them.
    pub fn allows(&self, url: &str, request: &CpeRequest) -> bool {
        match request {
            CpeRequest::GetRpcMethods | CpeRequest::TransferComplete(_) => true,
            optional => self
                .find(url)
                .and_then(|k| k.methods.as_ref())
                .is_some_and(|methods| methods.iter().any(|m| m == optional.name())),
        }
    }

    /// Forgets everything (factory reset).
    pub fn forget(&mut self) {
        self.known.clear();
        if let Err(e) = self.state.remove(FILE) {
            log::warn!("what is known of the ACS cannot be wiped: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CwmpVersion::{V1_0, V1_1, V1_2, V1_4};

    const URL: &str = "http://acs.example/";

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let dir = std::env::temp_dir().join(format!("peer-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            Folder(dir)
        }

        fn load(&self, firmware: &str) -> Peers {
            Peers::load(&StateDir::open(&self.0).expect("a folder"), firmware)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn kicked() -> CpeRequest {
        CpeRequest::Kicked {
            command: String::new(),
            referer: String::new(),
            arg: String::new(),
            next: String::new(),
        }
    }

    #[test]
    fn the_version_is_remembered_for_its_url_and_firmware_over_a_restart() {
        let folder = Folder::new("version");
        let mut peers = folder.load("1");
        assert_eq!(peers.offer(URL, V1_4), V1_4);
        assert!(!peers.has_accepted(URL, V1_0));
        peers.accepted(URL, V1_0, Some(V1_4));
        let peers = folder.load("1");
        assert_eq!(peers.offer(URL, V1_4), V1_0);
        assert_eq!(peers.offer("http://other.example/", V1_4), V1_4);
        assert_eq!(folder.load("2").offer(URL, V1_4), V1_4);
    }

    #[test]
    fn a_refused_version_is_offered_once_more_after_fifty_sessions() {
        let folder = Folder::new("doubted");
        let mut peers = folder.load("1");
        peers.accepted(URL, V1_0, Some(V1_4));
        for _ in 0..2 {
            for _ in 0..DOUBTED_AFTER {
                assert_eq!(peers.offer(URL, V1_4), V1_0);
                peers.accepted(URL, V1_0, None);
            }
            assert_eq!(peers.offer(URL, V1_4), V1_4);
            // It still does not take it.
            assert!(!peers.has_accepted(URL, V1_4));
            peers.accepted(URL, V1_0, Some(V1_4));
        }
        for _ in 0..DOUBTED_AFTER {
            peers.accepted(URL, V1_0, None);
        }
        // It was no matter of versions, or another ACS is there now.
        peers.accepted(URL, V1_4, None);
        peers.accepted(URL, V1_4, None);
        assert_eq!(peers.offer(URL, V1_4), V1_4);
        assert_eq!(folder.load("1").offer(URL, V1_4), V1_4);
    }

    #[test]
    fn a_refusal_right_after_an_upgrade_is_none_of_a_version_that_was_taken_before() {
        let folder = Folder::new("upgraded");
        folder.load("1").accepted(URL, V1_4, None);
        let mut peers = folder.load("2");
        assert!(peers.has_accepted(URL, V1_4));
        // Asked anew by the new firmware, which takes nothing away.
        peers.question(URL, false);
        assert!(folder.load("2").has_accepted(URL, V1_4));
        peers.forget_version(URL);
        assert!(!folder.load("2").has_accepted(URL, V1_4));
        // What a firmware learnt of a refusal holds for that one.
        peers.accepted(URL, V1_0, Some(V1_4));
        assert_eq!(folder.load("3").offer(URL, V1_4), V1_4);
    }

    #[test]
    fn what_was_accepted_without_a_refusal_limits_nothing() {
        let folder = Folder::new("accepted");
        let mut peers = folder.load("1");
        // The operator allowed no more then.
        peers.accepted(URL, V1_1, None);
        assert_eq!(peers.offer(URL, V1_4), V1_4);
        assert!(peers.has_accepted(URL, V1_0) && peers.has_accepted(URL, V1_1));
        assert!(!peers.has_accepted(URL, V1_2));
        peers.accepted(URL, V1_4, None);
        peers.accepted(URL, V1_0, None);
        assert!(
            peers.has_accepted(URL, V1_4),
            "a lower offer takes nothing away"
        );
        // Refused was 1.2: what is lower is not held against it.
        peers.accepted(URL, V1_0, Some(V1_2));
        assert_eq!(peers.offer(URL, V1_1), V1_1);
        assert_eq!(peers.offer(URL, V1_2), V1_0);
        peers.forget_version(URL);
        assert_eq!(peers.offer(URL, V1_4), V1_4);
    }

    #[test]
    fn the_methods_are_asked_for_once_and_more_often_only_where_the_answer_is_needed() {
        let folder = Folder::new("methods");
        let mut peers = folder.load("1");
        let question = Some(CpeRequest::GetRpcMethods);
        assert_eq!(peers.question(URL, false), question);
        peers.listed(URL, &["Inform".to_owned(), "Kicked".to_owned()]);
        let mut peers = folder.load("1");
        assert_eq!(peers.question(URL, true), None);
        assert!(peers.allows(URL, &kicked()));
        let mut peers = folder.load("2");
        assert!(!peers.allows(URL, &kicked()));
        assert_eq!(peers.question(URL, false), question);
        for _ in 1..MAX_ASKED {
            peers = folder.load("2");
            assert_eq!(peers.question(URL, false), None);
            assert_eq!(peers.question(URL, true), question);
        }
        assert_eq!(peers.question(URL, true), None);
        assert!(peers.allows(URL, &CpeRequest::GetRpcMethods));
        assert!(!peers.allows(URL, &kicked()));
    }

    #[test]
    fn the_file_stays_small_and_goes_with_a_factory_reset() {
        let folder = Folder::new("bounds");
        let mut peers = folder.load("1");
        for n in 0..20 {
            let method = |i: usize| {
                if i.is_multiple_of(2) {
                    "m".repeat(1000)
                } else {
                    "x".repeat(MAX_NAME)
                }
            };
            let methods: Vec<String> = (0..2000).map(method).collect();
            peers.listed(&format!("{URL}{n}"), &methods);
        }
        let size = std::fs::metadata(folder.0.join(FILE))
            .expect("a file")
            .len();
        assert!(size < 20_000, "{size}");
        peers.forget();
        assert_eq!(folder.load("1").known, Vec::<Known>::new());
        assert!(!folder.0.join(FILE).exists());
    }
}
