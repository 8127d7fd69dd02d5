//! Where the ACS is, as far as DHCP told (TR-069 3.1), and where its URL came from.
//!
//! ```text
//! URL in force:  option url of /etc/config/cwmp  ──  an ACS, an operator or the firmware set it
//!                else what DHCP has said         ──  DHCPv4, else DHCPv6
//! ```
//! So a URL that somebody has set wins over DHCP, for as long as its ACS can be reached: a
//! CPE whose first contact since the factory reset was with an ACS that DHCP had named goes
//! back to what DHCP says when no ACS has been reached for a while. One that was first told
//! its ACS in another way never does. It goes back only on a fresh answer, and between two
//! sessions: where the line is down nobody answers, and what was set must outlive that.
//!
//! What DHCP says is kept over restarts, one answer for each of the two protocols, so that
//! the renewals of both do not take turns. A factory reset forgets it. This module never
//! talks to a DHCP server: the hook of the DHCP client runs `cwmp-agent dhcp`.

use super::control::{Answer, Question};
use super::device;
use super::operate;
use super::watch;
use super::world::World;
use crate::platform::ActionError;
use crate::source::Runtime;
use crate::store::state::StateDir;
use crate::wake::dhcp::{self, Said};
use serde::{Deserialize, Serialize};

/// The name of the state file.
const FILE: &str = "discovery";
/// The network that is asked again where the settings name none.
const DEFAULT_NETWORK: &str = "wan";

/// What is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    dhcpv4: dhcp::Answer,
    dhcpv6: dhcp::Answer,
    /// Whether DHCP had named the first ACS that was reached since the factory reset;
    /// `None`: none was.
    first_by_dhcp: Option<bool>,
}

/// On the way from the ACS that was set, at this URL, to the one that DHCP names. In memory
/// only: after a restart the wait begins anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Return {
    #[default]
    None,
    /// DHCP is asked, and has not answered yet.
    Asked { from: String },
    /// It has answered.
    Due { from: String },
}

/// What is known from DHCP, in memory and on disk.
pub struct Discovery {
    saved: Saved,
    returning: Return,
    state: StateDir,
}

impl Discovery {
    /// Reads the state file; without one (or with a damaged one) DHCP has said nothing.
    pub fn load(state: &StateDir) -> Discovery {
        Discovery {
            saved: state.load(FILE).unwrap_or_default(),
            returning: Return::None,
            state: state.clone(),
        }
    }

    /// What holds: each part as DHCPv4 said it, else as DHCPv6 did.
    pub fn answer(&self) -> dhcp::Answer {
        let (first, second) = (self.saved.dhcpv4.clone(), self.saved.dhcpv6.clone());
        dhcp::Answer {
            url: first.url.or(second.url),
            provisioning_code: first.provisioning_code.or(second.provisioning_code),
            minimum_wait: first.minimum_wait.or(second.minimum_wait),
            multiplier: first.multiplier.or(second.multiplier),
        }
    }

    /// The ACS has answered: there is no reason to leave it.
    pub fn reached(&mut self) {
        self.returning = Return::None;
    }

    /// The ACS at this URL, which was set, cannot be reached: DHCP is asked for another.
    fn may_leave(&mut self, from: &str) {
        self.returning = Return::Asked {
            from: from.to_owned(),
        };
    }

    /// DHCP has just said that the ACS is at `url`.
    fn heard(&mut self, url: &str) {
        self.returning = match std::mem::take(&mut self.returning) {
            Return::Asked { from } | Return::Due { from } if from != url => Return::Due { from },
            _ => Return::None,
        };
    }

    /// Whether [`go_back`] is to be called, once no session is under way.
    pub fn is_to_go_back(&self) -> bool {
        matches!(self.returning, Return::Due { .. })
    }

    /// An ACS has accepted an Inform; `by_dhcp`: its URL came from DHCP.
    pub fn contact(&mut self, by_dhcp: bool) {
        if self.saved.first_by_dhcp.is_none() {
            self.saved.first_by_dhcp = Some(by_dhcp);
            self.save();
        }
    }

    /// Whether DHCP had named the first ACS that was reached since the factory reset.
    pub fn first_was_by_dhcp(&self) -> bool {
        self.saved.first_by_dhcp == Some(true)
    }

    fn forget(&mut self) {
        self.saved = Saved::default();
        self.returning = Return::None;
        if let Err(e) = self.state.remove(FILE) {
            log::warn!("what DHCP has said cannot be wiped: {e}");
        }
    }

    fn save(&self) -> bool {
        self.state
            .save_or_warn(FILE, &self.saved, "what DHCP has said")
    }
}

/// Shows the model what DHCP said, if it is to be used.
pub fn publish(found: &dhcp::Answer, used: bool, runtime: &Runtime) {
    let number = |n: Option<u16>| n.map(|n| n.to_string());
    let shown = [
        ("dhcp_acs_url", found.url.clone()),
        ("dhcp_provisioning_code", found.provisioning_code.clone()),
        ("dhcp_retry_minimum_wait", number(found.minimum_wait)),
        ("dhcp_retry_multiplier", number(found.multiplier)),
    ];
    for (name, value) in shown {
        match value.filter(|_| used) {
            Some(value) => runtime.set(name, &value),
            None => runtime.clear(name),
        }
    }
}

/// What became of a DHCP answer.
pub struct Learned {
    pub answer: Answer,
    /// It says something else than was known.
    pub changed: bool,
    kept: bool,
}

impl Learned {
    /// The answer, or that it is lost, for one who does not stay to remember it.
    pub fn unless_lost(self) -> Answer {
        match self.kept {
            true => self.answer,
            false => Answer::Failed("what DHCP said cannot be kept; see the log".to_owned()),
        }
    }

    fn failed(what: String) -> Learned {
        Learned {
            answer: Answer::Failed(what),
            changed: false,
            kept: true,
        }
    }
}

/// Reads the options of a DHCP answer and keeps what they say. One that says nothing of use
/// leaves what is known.
pub fn learn(world: &World, question: &Question) -> Learned {
    let Question::Dhcp {
        opt43,
        opt125,
        opt17,
        asked,
    } = question
    else {
        return Learned::failed("not a DHCP answer".to_owned());
    };
    let read = |option: &Option<String>, read: fn(&[u8]) -> Said| {
        let option = option.as_deref();
        let octets = option.map(|text| dhcp::octets(text).ok_or(text.len()));
        octets.transpose().map(|octets| octets.map(|o| read(&o)))
    };
    let (opt43, opt125, opt17) = match (
        read(opt43, dhcp::option_43),
        read(opt125, dhcp::option_125),
        read(opt17, dhcp::option_17),
    ) {
        (Ok(opt43), Ok(opt125), Ok(opt17)) => (opt43, opt125, opt17),
        _ => {
            let most = dhcp::MAX_OPTION;
            return Learned::failed(format!(
                "an option is not written in hexadecimal digits, or is longer than {most} octets"
            ));
        }
    };
    let dhcpv4 = dhcp::preferred(opt43, opt125, asked);
    let dhcpv6 = opt17.unwrap_or_default();
    let left_out = dhcpv4.left_out.iter().chain(&dhcpv6.left_out);
    let left_out: Vec<String> = left_out.map(ToString::to_string).collect();
    if dhcpv4.answer.is_empty() && dhcpv6.answer.is_empty() {
        let why = match left_out.is_empty() {
            true => "no sub-option 1 to 4 in it".to_owned(),
            false => left_out.join("; "),
        };
        return Learned::failed(format!("nothing of use was said about the ACS: {why}"));
    }
    let mut discovery = world.discovery();
    let before = discovery.saved.clone();
    for (is_v6, said) in [(false, &dhcpv4.answer), (true, &dhcpv6.answer)] {
        let saved = &mut discovery.saved;
        let place = match is_v6 {
            true => &mut saved.dhcpv6,
            false => &mut saved.dhcpv4,
        };
        if !said.is_empty() {
            place.clone_from(said);
        }
    }
    let changed = discovery.saved != before;
    let kept = !changed || discovery.save();
    let found = discovery.answer();
    let has_said = |url| [&dhcpv4.answer.url, &dhcpv6.answer.url].contains(&url);
    if let Some(url) = &found.url
        && has_said(&found.url)
    {
        discovery.heard(url);
    }
    drop(discovery);
    if changed {
        log::info!(
            "DHCP names the ACS {}",
            super::session::shown_url(found.url.as_deref().unwrap_or("(none)"))
        );
        let used = world.settings().acs.dhcp_discovery;
        publish(&found, used, &world.runtime);
    }
    let said = match dhcpv4.answer.is_empty() {
        true => dhcpv6.answer,
        false => dhcpv4.answer,
    };
    Learned {
        answer: Answer::Learned {
            said: Box::new(said),
            left_out,
        },
        changed,
        kept,
    }
}

/// The box is reset to its factory state.
pub fn forget(world: &World) {
    world.discovery().forget();
    publish(&dhcp::Answer::default(), false, &world.runtime);
}

/// Whether DHCP is asked again when no ACS has been reached for a while.
pub fn may_rediscover(world: &World) -> bool {
    let settings = world.settings();
    settings.acs.dhcp_discovery && (settings.url_by_dhcp || world.discovery().first_was_by_dhcp())
}

/// No ACS has been reached for a while, and [`rediscover`] comes next: the ACS that was set,
/// if one was, may be left once DHCP has answered. No session is under way.
pub fn expect_answer(world: &World) {
    let settings = world.settings();
    if !settings.url_by_dhcp {
        world.discovery().may_leave(&settings.acs.url);
    }
}

/// Has the DHCP client ask its server again; its hook brings the answer.
pub fn rediscover(world: &World) {
    let settings = world.settings();
    let network = match settings.cpe.interface.as_str() {
        "" => DEFAULT_NETWORK,
        named => named,
    };
    log::info!("asking DHCP again for the ACS, on {network}");
    // Nothing on the box changes by it: reloads and reboots need not wait.
    let timeout = world.setup.config.limits.command;
    match world.platform.renew_dhcp(network, timeout) {
        Ok(()) | Err(ActionError::NotConfigured(_)) => {}
        Err(e) => log::warn!("DHCP cannot be asked again: {e}"),
    }
    // The network that the hook of the DHCPv6 client listens to as well.
    let beside = format!("{network}6");
    let answered = !world.discovery().saved.dhcpv6.is_empty();
    if answered || device::is_network(&world.setup.root, &beside) {
        // One network may do both protocols, and then there is none beside it.
        match world.platform.renew_dhcp(&beside, timeout) {
            Ok(()) | Err(ActionError::NotConfigured(_)) => {}
            Err(e) => log::debug!("DHCP cannot be asked again on {beside}: {e}"),
        }
    }
}

/// DHCP has answered while the ACS that was set could not be reached: takes that one's URL
/// away, so that the one of DHCP holds. No session is under way. Tells whether it did.
pub fn go_back(world: &World) -> bool {
    const URL: &str = "Device.ManagementServer.URL";
    let Return::Due { from } = std::mem::take(&mut world.discovery().returning) else {
        return false;
    };
    if !world.settings().acs.dhcp_discovery {
        return false;
    }
    let mut model = world.model();
    let now = operate::operate(
        &mut model,
        &Question::Get {
            paths: vec![URL.to_owned()],
        },
    );
    // A person, or a hand at the file, may have been faster.
    let still = match &now {
        Some((Answer::Values(values), _)) => values.iter().any(|v| v.value == from),
        _ => false,
    };
    if !still {
        return false;
    }
    log::warn!("the ACS that was set cannot be reached; going back to the one DHCP names");
    let question = Question::Set {
        items: vec![(URL.to_owned(), String::new())],
    };
    let answered = operate::operate(&mut model, &question);
    drop(model);
    let Some((answer, effect)) = answered else {
        return false;
    };
    if answer != Answer::Done {
        log::error!("{URL} cannot be emptied: {answer:?}");
    }
    watch::changed_by_hand(world, &effect.changed);
    world.reload(&effect.reload);
    effect.touched()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(url: Option<&str>, code: Option<&str>) -> dhcp::Answer {
        dhcp::Answer {
            url: url.map(str::to_owned),
            provisioning_code: code.map(str::to_owned),
            ..dhcp::Answer::default()
        }
    }

    // DSC-005
    #[test]
    fn only_a_fresh_answer_leads_away_from_an_acs_that_is_not_reached() {
        let dir = std::env::temp_dir().join(format!("cwmp-return-{}", std::process::id()));
        let mut discovery = Discovery::load(&StateDir::open(&dir).expect("a folder"));
        discovery.heard("http://dhcp/");
        assert!(!discovery.is_to_go_back(), "nobody has asked");
        discovery.may_leave("http://set/");
        assert!(!discovery.is_to_go_back(), "no answer yet");
        discovery.reached();
        discovery.heard("http://dhcp/");
        assert!(!discovery.is_to_go_back(), "reached while DHCP was asked");
        discovery.may_leave("http://set/");
        discovery.heard("http://dhcp/");
        assert!(discovery.is_to_go_back());
        discovery.heard("http://dhcp/");
        assert!(discovery.is_to_go_back(), "a renewal");
        discovery.reached();
        assert!(!discovery.is_to_go_back(), "reached by the session before");
        discovery.may_leave("http://dhcp/");
        discovery.heard("http://dhcp/");
        assert!(!discovery.is_to_go_back(), "there already");
        std::fs::remove_dir_all(&dir).expect("gone");
    }

    // T-DSC-005: the renewals of both protocols do not take turns.
    #[test]
    fn dhcpv4_comes_before_dhcpv6_part_by_part() {
        let dir = std::env::temp_dir().join(format!("cwmp-discovery-{}", std::process::id()));
        let mut discovery = Discovery::load(&StateDir::open(&dir).expect("a folder"));
        discovery.saved.dhcpv6 = answer(Some("http://six/"), Some("six"));
        assert_eq!(discovery.answer().url.as_deref(), Some("http://six/"));
        discovery.saved.dhcpv4 = answer(Some("http://four/"), None);
        assert_eq!(
            discovery.answer(),
            answer(Some("http://four/"), Some("six"))
        );

        // PER-001: origin and answers outlive a restart; the first contact decides.
        discovery.contact(true);
        discovery.contact(false);
        let mut later = Discovery::load(&StateDir::open(&dir).expect("a folder"));
        assert_eq!(later.answer(), discovery.answer());
        assert!(later.first_was_by_dhcp());
        // T-PER-002
        later.forget();
        let reset = Discovery::load(&StateDir::open(&dir).expect("a folder"));
        assert_eq!(reset.saved, Saved::default());
        std::fs::remove_dir_all(&dir).expect("gone");
    }
}
