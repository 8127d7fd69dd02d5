//! The ACS of a play: draws what it says, and holds every answer against what must be.

use super::answers::{self, Answer};
use super::chance::Chance;
use super::cpe::Cpe;
use super::envelope::{Style, hostile};
use super::oracle::{Oracle, Rpc};
use super::requests;
use cwmp_agent::agent::session::Wire;
use cwmp_agent::cwmp::event::{DeliveredBy, EventCode, Retry};
use cwmp_agent::cwmp::session::{Post, PostKind};
use cwmp_agent::cwmp::version::CwmpVersion;
use std::collections::BTreeSet;

/// Requests of one session; then the ACS has nothing more to say.
const MOST: usize = 24;

/// What the ACS said last, as far as an answer is due.
enum Said {
    /// The answer is due with this ID.
    Request(Rpc, Option<String>),
    /// A fault with one of these codes is due; 0: SOAP's MustUnderstand.
    Bad(&'static [u16], Option<String>),
    /// A fault that says nothing about the tree, or the end of the session.
    Nonsense,
    /// Any answer is right, an end too.
    Other,
}

/// What outlives a session.
#[derive(Default)]
pub struct Debts {
    /// Failed sessions in a row.
    pub failures: u32,
    /// Keys of accepted Reboot and ScheduleInform requests.
    pub reboots: Vec<String>,
    pub schedules: Vec<String>,
    /// Those of transfers that wait.
    pub transfers: Vec<String>,
    /// Parameters that were changed on the box, which the ACS wants to hear of.
    pub changed: BTreeSet<String>,
}

pub type Pending = Vec<(String, String)>;

pub fn pending(cpe: &dyn Cpe) -> Pending {
    let events = cpe.owed().pending();
    let told = events
        .iter()
        .map(|e| (e.code.text().to_owned(), e.command_key.clone()));
    told.collect()
}

pub struct Acs<'p, 'd> {
    cpe: &'p dyn Cpe,
    chance: &'p mut Chance<'d>,
    oracle: &'p mut Oracle,
    debts: &'p mut Debts,
    /// Called with every message of the CPE.
    seen: &'p mut dyn FnMut(&[u8]),
    said: Option<Said>,
    requests: usize,
    informs: u32,
    posts: u32,
    accepted: bool,
    /// Events when the Inform went out, and those in it.
    before: Pending,
    sent: Pending,
}

impl<'p, 'd> Acs<'p, 'd> {
    pub fn new(
        cpe: &'p dyn Cpe,
        chance: &'p mut Chance<'d>,
        oracle: &'p mut Oracle,
        debts: &'p mut Debts,
        seen: &'p mut dyn FnMut(&[u8]),
    ) -> Acs<'p, 'd> {
        Acs {
            cpe,
            chance,
            oracle,
            debts,
            seen,
            said: None,
            requests: 0,
            informs: 0,
            posts: 0,
            accepted: false,
            before: Pending::new(),
            sent: Pending::new(),
        }
    }

    /// The session is over.
    pub fn ended(mut self, result: &Result<(), String>) {
        if let Err(why) = result {
            assert!(!why.contains("internal error"), "{why}");
        }
        match self.said.take() {
            Some(Said::Request(rpc, _)) => panic!("{rpc:?} was never answered: {result:?}"),
            Some(Said::Bad(codes, _)) => panic!("a fault of {codes:?} was due: {result:?}"),
            Some(Said::Nonsense) => self.oracle.nothing_happened(&mut self.cpe.model()),
            Some(Said::Other) => self.oracle.look(&mut self.cpe.model()),
            None => {}
        }
        self.debts.failures = match result {
            Ok(()) => 0,
            Err(_) => self.debts.failures + 1,
        };
        if self.informs > 0 {
            self.check_events(result.is_err());
        }
    }

    /// What the Inform told is delivered with its response; the rest is still there, but
    /// for what is not to be told twice (TR-069 3.7.1.5).
    fn check_events(&self, failed: bool) {
        let mut left = self.before.clone();
        for event in &self.sent {
            let rule = EventCode::parse(&event.0).expect("an event").rule();
            let told = self.accepted && rule.delivered_by == DeliveredBy::InformResponse;
            if told || (failed && rule.retry == Retry::Never) {
                let at = left.iter().position(|e| e == event);
                let at = at.unwrap_or_else(|| {
                    panic!("{event:?} of {:?} was not pending: {left:?}", self.sent)
                });
                left.remove(at);
            }
        }
        assert_eq!(
            pending(self.cpe),
            left,
            "after {:?}, accepted: {}",
            self.sent,
            self.accepted
        );
    }

    fn inform(&mut self, answer: &Answer) {
        self.informs += 1;
        if self.informs > 1 {
            self.sent = answer.events.clone();
            if !self.is_heartbeat() {
                // In an older version, which knows none: the next one comes by itself.
                self.before.retain(|(code, _)| code != "14 HEARTBEAT");
            }
            return;
        }
        assert_eq!(answer.retry_count, self.debts.failures, "RetryCount");
        self.before = pending(self.cpe);
        self.sent = answer.events.clone();
        let mut singles = BTreeSet::new();
        let due = self.before.iter().filter(|(code, _)| {
            // Not every version has every code.
            let known = self.sent.iter().any(|(sent, _)| sent == code);
            known && (code.starts_with("M ") || singles.insert(code.clone()))
        });
        assert_eq!(
            self.sent,
            due.take(64).cloned().collect::<Pending>(),
            "events"
        );
        let mut names = BTreeSet::new();
        for (name, _, value) in &answer.values {
            assert!(names.insert(name.as_str()), "{name} is in the Inform twice");
            if let Some((_, now)) = self.oracle.now.values.get(name)
                && !self.oracle.is_volatile(name)
            {
                assert_eq!(
                    value,
                    &super::oracle::as_written(now),
                    "{name} in the Inform"
                );
            }
        }
        let exists = |p: &&String| self.oracle.now.values.contains_key(*p);
        if self.is_heartbeat() {
            assert_eq!(self.sent.len(), 1, "a heartbeat is told alone");
            return;
        }
        for path in self.debts.changed.iter().filter(exists) {
            assert!(
                names.contains(path.as_str()),
                "the change of {path} is not told"
            );
        }
    }

    fn is_heartbeat(&self) -> bool {
        self.sent.iter().any(|(code, _)| code == "14 HEARTBEAT")
    }

    fn answered(&mut self, post: &Post, answer: Option<&Answer>) {
        let Some(said) = self.said.take() else {
            return;
        };
        let fault = matches!(post.kind, PostKind::Fault { .. });
        match (said, answer) {
            (Said::Request(rpc, id), Some(answer)) => {
                assert_eq!(answer.id, id, "the ID of the answer to {rpc:?}");
                self.oracle.answered(&rpc, answer, &mut self.cpe.model());
                if !fault {
                    self.promised(&rpc, answer);
                }
                assert_eq!(self.cpe.transfers(), self.debts.transfers, "{rpc:?}");
            }
            (Said::Bad(codes, id), Some(answer)) => {
                let code = match answer.name.as_str() {
                    "Fault" => answer.fault,
                    "MustUnderstand" => 0,
                    other => panic!("{other} where a fault of {codes:?} was due"),
                };
                assert!(codes.contains(&code), "fault {code}, not one of {codes:?}");
                assert_eq!(answer.id, id, "the ID of a fault");
                self.oracle.nothing_happened(&mut self.cpe.model());
            }
            (Said::Request(..) | Said::Bad(..), None) => panic!("{:?} is no answer", post.kind),
            (Said::Nonsense, _) => self.oracle.nothing_happened(&mut self.cpe.model()),
            (Said::Other, _) => {
                self.oracle.look(&mut self.cpe.model());
                let owed = self.cpe.owed();
                // What a garbled request made it promise is not known here.
                self.debts.transfers = self.cpe.transfers();
                self.debts.reboots = owed.reboot().map(|r| r.keys.clone()).unwrap_or_default();
            }
        }
    }

    /// What a response promises is owed from then on.
    fn promised(&mut self, rpc: &Rpc, answer: &Answer) {
        let owed = self.cpe.owed();
        match rpc {
            Rpc::Methods => {
                let methods = cwmp_agent::agent::answer::METHODS;
                let known = |version: CwmpVersion| -> Vec<&str> {
                    let methods = methods.iter().filter(|m| m.since() <= version);
                    methods.map(|m| m.name()).collect()
                };
                let mut versions = CwmpVersion::ALL.into_iter();
                assert!(
                    versions.any(|version| known(version) == answer.methods),
                    "{:?}",
                    answer.methods
                );
            }
            Rpc::Reboot(key) => {
                self.debts.reboots.push(key.clone());
                let keys = owed.reboot().map(|r| r.keys.clone());
                assert_eq!(keys.as_ref(), Some(&self.debts.reboots));
                assert!(owed.must_act());
            }
            Rpc::FactoryReset => assert!(owed.must_act()),
            Rpc::Schedule(_, key) => {
                assert!(owed.next_schedule().is_some());
                self.debts.schedules.push(key.clone());
            }
            Rpc::Download(asked) | Rpc::Upload(asked) | Rpc::ScheduleDownload(asked) => {
                self.debts.transfers.push(asked.key.clone());
            }
            Rpc::Cancel(key) => self.debts.transfers.retain(|k| k != key),
            Rpc::Queued | Rpc::AllQueued => assert_eq!(answer.queued, self.debts.transfers),
            _ => {}
        }
    }

    // ---- what the ACS says -----------------------------------------------------------

    fn inform_reply(&mut self) -> Result<(u16, Vec<u8>), String> {
        let style = Style::any(self.chance);
        let body = style.message("InformResponse", "<MaxEnvelopes>1</MaxEnvelopes>");
        let friendly = style
            .clone()
            .with_id(self.chance.pick(&[Some("1"), None, Some(" 1 ")]));
        let envelope = match self.chance.byte() % 24 {
            0..=14 => friendly.envelope(&body),
            15 => friendly.envelope(&style.fault(8005)),
            16 => friendly.envelope(&style.fault(8003)),
            17 => friendly.envelope(&style.fault(8006)),
            18 => return self.drop_or_status(),
            19 => return Ok((200, hostile(self.chance, &style))),
            20 => style.envelope(&body),
            21 => {
                let versions = ["1.0", "1.1", "1.2", "1.4", " 1.3 ", "9.9", "", "1"];
                let version = self.chance.pick(&versions);
                friendly.with_use_version(version).envelope(&body)
            }
            22 => friendly.envelope(&style.message("InformResponse", "")),
            _ => friendly.envelope(""),
        };
        Ok((200, envelope.into_bytes()))
    }

    /// The answer to GetRPCMethods.
    fn methods(&mut self, id: Option<&str>) -> Result<(u16, Vec<u8>), String> {
        let style = Style::any(self.chance);
        let list = "<MethodList><string>Inform</string><string>Kicked</string></MethodList>";
        let body = style.message("GetRPCMethodsResponse", list);
        let friendly = style.clone().with_id(id);
        let envelope = match self.chance.byte() % 24 {
            0..=17 => friendly.envelope(&body),
            18 => friendly.envelope(&style.fault(8005)),
            19 => friendly.envelope(&style.fault(8000)),
            20 => return self.drop_or_status(),
            21 => return Ok((200, hostile(self.chance, &style))),
            22 => style.envelope(&body),
            _ => "<soap-env:Body:Fault>".to_owned(),
        };
        Ok((200, envelope.into_bytes()))
    }

    fn drop_or_status(&mut self) -> Result<(u16, Vec<u8>), String> {
        match self.chance.byte() % 8 {
            0 => Ok((503, Vec::new())),
            1 => Ok((400, b"already in session".to_vec())),
            2 => Ok((404, Vec::new())),
            3 => Ok((301, Vec::new())),
            4 => Ok((500, Style::any(self.chance).envelope("").into_bytes())),
            _ => Err("the connection was lost".to_owned()),
        }
    }

    fn end(&mut self) -> Result<(u16, Vec<u8>), String> {
        Ok(match self.chance.byte() % 4 {
            0 => (204, Vec::new()),
            1 => (200, Vec::new()),
            2 => (200, b" \r\n".to_vec()),
            _ => (
                200,
                Style::any(self.chance)
                    .not_holding()
                    .envelope("")
                    .into_bytes(),
            ),
        })
    }

    fn speak(&mut self) -> Result<(u16, Vec<u8>), String> {
        if self.chance.is_over() || self.requests >= MOST {
            return self.end();
        }
        self.requests += 1;
        if self.chance.one_in(24) {
            self.cpe.trouble(self.chance.byte());
            self.oracle.look(&mut self.cpe.model());
        }
        let style = Style::any(self.chance);
        let id = style.id.clone();
        let (said, envelope) = match self.chance.byte() % 32 {
            0..=21 => {
                let rpc = requests::any(self.chance, self.oracle);
                let envelope = style.envelope(&requests::body(&rpc, &style));
                (Said::Request(rpc, id), envelope)
            }
            22 | 23 => {
                let (codes, body) = requests::bad(self.chance, &style);
                (Said::Bad(codes, id), style.envelope(&body))
            }
            24 => {
                let mut style = style;
                style.foreign = Some(self.chance.pick(&["Foreign", "Transaction"]));
                let rpc = requests::any(self.chance, self.oracle);
                (
                    Said::Bad(&[0], id),
                    style.envelope(&requests::body(&rpc, &style)),
                )
            }
            25 | 26 => {
                self.said = Some(Said::Other);
                return Ok((200, hostile(self.chance, &style)));
            }
            27 => (Said::Nonsense, style.holding().envelope("")),
            28 => {
                self.said = Some(Said::Nonsense);
                return self.drop_or_status();
            }
            29 => {
                let fault = style.fault(8000);
                (Said::Nonsense, style.envelope(&fault))
            }
            _ => return self.end(),
        };
        self.said = Some(said);
        Ok((200, envelope.into_bytes()))
    }
}

impl Wire for Acs<'_, '_> {
    fn post(&mut self, post: &Post) -> Result<(u16, Vec<u8>), String> {
        self.posts += 1;
        assert!(self.posts < 64, "the session does not end");
        assert!(
            post.body.len() <= self.cpe.cap(),
            "{} bytes",
            post.body.len()
        );
        let answer = match &post.kind {
            PostKind::Empty => {
                assert!(post.body.is_empty());
                None
            }
            _ => {
                (self.seen)(&post.body);
                Some(answers::read(&post.body, answers::minor(&post.body)))
            }
        };
        match (&post.kind, &answer) {
            (PostKind::Inform, Some(answer)) => {
                assert_eq!(answer.name, "Inform");
                self.inform(answer);
                return self.inform_reply();
            }
            (PostKind::Request("GetRPCMethods"), Some(answer)) => {
                assert_eq!(answer.name, "GetRPCMethods");
                self.accepted = true;
                self.debts.changed.clear();
                return self.methods(answer.id.as_deref());
            }
            (PostKind::Request(name), _) => panic!("{name} was not asked for"),
            _ => {}
        }
        self.accepted = true;
        if !self.is_heartbeat() {
            self.debts.changed.clear();
        }
        self.answered(post, answer.as_ref());
        self.speak()
    }

    fn is_trusted(&self) -> bool {
        false
    }
}
