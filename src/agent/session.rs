//! One session with the ACS, from Inform to its end: drives the protocol's state machine
//! with the HTTP client, the model and what is owed. Runs on the session worker's thread.

use super::answer::{self, Afterwards, METHODS, Promises};
use super::inform::Changed;
use super::modules;
use super::sessions::LastSession;
use super::transfers::tell::Telling;
use super::world::World;
use super::{clock, first_use, inform, trial, watch};
use crate::agent::config::Limits as ConfigLimits;
use crate::agent::settings::Settings;
use crate::cwmp::event::EventCode;
use crate::cwmp::message::{CpeRequest, Event, Inform};
use crate::cwmp::session::{Answer, Options, Outcome, Post, PostKind, Session, Step};
use crate::cwmp::soap::Limits;
use crate::cwmp::version::CwmpVersion;
use crate::net::http::{Client, ClientConfig, SoapAction, Timeouts};
use crate::net::url::Url;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The last good time is written again at most this often, seconds: flash wears out.
const CLOCK_STEP: i64 = 86_400;

/// The longest wait that an ACS's `Retry-After` may ask for: an ACS in trouble must not lock
/// its routers out for a day.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How a session went.
#[derive(Debug)]
pub struct Report {
    /// Unix seconds.
    pub started: i64,
    pub ended: i64,
    /// The event codes it carried.
    pub events: Vec<String>,
    /// `Err`: why it failed.
    pub result: Result<(), String>,
    /// A failed session is not to be tried again before this is over: the ACS has asked for it
    /// (`Retry-After`). At most [`MAX_RETRY_AFTER`].
    pub retry_after: Option<Duration>,
    /// What its answers left to be done.
    pub afterwards: Afterwards,
}

impl Report {
    /// What `status` tells of it.
    pub fn told(&self) -> LastSession {
        LastSession {
            started: self.started,
            ended: self.ended,
            events: self.events.clone(),
            failure: self.result.as_ref().err().cloned(),
        }
    }
}

/// What carries a session's messages: the HTTP client, or what stands in for the ACS.
pub trait Wire {
    /// Posts a message; the status and body of the reply after authentication and
    /// redirects, or why there is none.
    fn post(&mut self, post: &Post) -> Result<(u16, Vec<u8>), String>;

    /// Whether the other side has proved who it is.
    fn is_trusted(&self) -> bool;

    /// How long the latest reply asks us to stay away (`Retry-After`).
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Whether a POST has got a status, even where `post` failed after it.
    fn has_answered(&self) -> bool {
        false
    }
}

impl Wire for Client {
    fn post(&mut self, post: &Post) -> Result<(u16, Vec<u8>), String> {
        match Client::post(self, &post.body, soap_action(&post.kind)) {
            Ok(reply) => Ok((reply.status, reply.body)),
            Err(e) => Err(e.to_string()),
        }
    }

    fn is_trusted(&self) -> bool {
        self.url().is_https()
    }

    fn retry_after(&self) -> Option<Duration> {
        Client::retry_after(self)
    }

    fn has_answered(&self) -> bool {
        Client::has_answered(self)
    }
}

/// Runs one session. Events, retry count and changes are settled when this returns;
/// `afterwards` is the caller's. `None`: the change that asked for it is none any more, and
/// there is nothing else to tell.
pub fn run(world: &World, device: Option<&str>) -> Option<Report> {
    run_over(world, |settings| {
        let client = client(world, settings, device)?;
        world.set_aborter(Some(client.aborter()));
        Ok(client)
    })
}

/// As [`run`], over a wire that is opened once the events are taken.
pub fn run_over<W: Wire>(
    world: &World,
    open: impl FnOnce(&Settings) -> Result<W, String>,
) -> Option<Report> {
    let settings = world.settings();
    let started = clock::unix_seconds();
    world.trials.session_begins();
    let version = world.peers().offer(&settings.acs.url, version(&settings));
    watch::scan(world);
    let active = world.watch().wants_session();
    let mut heartbeat = world.owed().take_heartbeat(version, active);
    let mut changed = Changed::default();
    if heartbeat.is_none() {
        let paths = world.watch().take();
        changed = inform::read_changed(&mut world.model(), &paths);
        world.watch().in_trouble(&changed.in_trouble);
        if active && changed.entries.is_empty() {
            // Nothing asks for the other session any more.
            heartbeat = world.owed().take_heartbeat(version, false);
        }
    }
    let (events, telling, of_modules) = match heartbeat {
        // It is told alone: what has changed goes with the next Inform.
        Some(heartbeat) => (
            heartbeat,
            Telling::default(),
            modules::tell::Telling::default(),
        ),
        None => {
            // What is completed from now on has a session of its own.
            let queue = world.transfers();
            let registry = world.modules();
            let changes = !changed.entries.is_empty();
            let events = world.owed().take_for_inform(version, changes);
            let of_modules = modules::tell::Telling::new(&registry);
            (events, Telling::new(&queue, &world.files), of_modules)
        }
    };
    if events.is_empty() && world.owed().retry_count() == 0 {
        world.watch().put_back();
        return None;
    }
    let codes: Vec<String> = events.iter().map(|e| e.code.text().to_owned()).collect();
    log::info!(
        "session with {}: {}",
        shown_url(&settings.acs.url),
        codes.join(", ")
    );
    let mut afterwards = Afterwards::default();
    let mut retry_after = None;
    let result = open(&settings).and_then(|mut wire| {
        let mut talk = Talk {
            world,
            settings: &settings,
            wire: &mut wire,
            changed: &changed,
            afterwards: &mut afterwards,
            telling,
            of_modules,
        };
        let result = talk.offer(version, events);
        if result.is_err() {
            retry_after = wire.retry_after().map(|wait| wait.min(MAX_RETRY_AFTER));
        }
        result.map_err(|ended| ended.why)
    });
    world.set_aborter(None);
    world.transfers().session_ended();
    world.modules().session_ended();
    let mut owed = world.owed();
    match &result {
        Ok(()) => {
            owed.session_ended();
            drop(owed);
            first_use::session_completed(&world.state, &world.runtime, clock::unix_seconds());
            trial::session_completed(world);
            log::info!("session ended");
        }
        Err(_) if world.is_stopping() => {
            owed.session_abandoned();
            drop(owed);
        }
        Err(why) => {
            let count = owed.session_failed();
            drop(owed);
            log::warn!("session failed ({count} in a row): {why}");
        }
    }
    world.settle_boot();
    Some(Report {
        started,
        ended: clock::unix_seconds(),
        events: codes,
        result,
        retry_after,
        afterwards,
    })
}

/// Informs refused in a row before what is remembered of the ACS's version is doubted. An ACS
/// refuses for a while for other reasons, too, and each doubt is a write.
const DOUBTED_AFTER: u32 = 2;

/// The CWMP version of an Inform, and the one that the ACS has refused just before.
#[derive(Clone, Copy)]
struct Offer {
    version: CwmpVersion,
    refused: Option<CwmpVersion>,
}

/// A session that has failed.
struct Ended {
    why: String,
    /// The Inform was refused for its version: to be offered instead.
    older: Option<CwmpVersion>,
}

impl From<String> for Ended {
    fn from(why: String) -> Ended {
        Ended { why, older: None }
    }
}

/// What the exchanges of one session need.
struct Talk<'a> {
    world: &'a World,
    settings: &'a Settings,
    wire: &'a mut dyn Wire,
    changed: &'a Changed,
    afterwards: &'a mut Afterwards,
    telling: Telling,
    of_modules: modules::tell::Telling,
}

impl Talk<'_> {
    /// Offers this version, and where the ACS does not take it, at once the one it may take:
    /// with 1.0, which comes last, there are no more than three Informs.
    fn offer(&mut self, highest: CwmpVersion, mut events: Vec<Event>) -> Result<(), Ended> {
        let mut offer = Offer {
            version: highest,
            refused: None,
        };
        loop {
            match self.exchange(offer, events) {
                Err(Ended {
                    older: Some(older), ..
                }) => {
                    log::info!(
                        "the ACS does not take CWMP {}; it is offered {older}",
                        offer.version
                    );
                    let mut owed = self.world.owed();
                    let changes = !self.changed.entries.is_empty();
                    events = match owed.take_heartbeat(older, changes) {
                        Some(heartbeat) => heartbeat,
                        None => owed.take_for_inform(older, changes),
                    };
                    if events.is_empty() && owed.retry_count() == 0 {
                        // A heartbeat, which older versions do not have.
                        let why = format!(
                            "the ACS does not take CWMP {}, and {older} has no event to tell",
                            offer.version
                        );
                        return Err(why.into());
                    }
                    offer = Offer {
                        version: older,
                        refused: Some(offer.version),
                    };
                }
                result => return result,
            }
        }
    }

    fn exchange(&mut self, offer: Offer, events: Vec<Event>) -> Result<(), Ended> {
        let Talk {
            world,
            settings,
            wire,
            changed,
            afterwards,
            telling,
            of_modules,
        } = self;
        let url = settings.acs.url.as_str();
        let version = offer.version;
        if world.is_stopping() {
            return Err("the agent ends".to_owned().into());
        }
        let retry_count = world.owed().retry_count();
        let inform = inform::build(
            world,
            &mut world.model(),
            events,
            &changed.entries,
            retry_count,
        );
        let limit = world.setup.config.limits.response as usize;
        let options = Options {
            version,
            session_timeout: Some(session_timeout(&world.setup.config.limits)),
            methods: METHODS.to_vec(),
            limits: Limits {
                bytes: limit,
                ..Limits::default()
            },
            message_cap: limit,
            ..Options::default()
        };
        let (mut session, mut step) = Session::start(options, &inform);
        let mut informed = false;
        let promises = Promises::of(world);
        loop {
            step = match step {
                Step::Post(post) => {
                    let posted = wire.post(&post);
                    // Whoever refuses an Inform, or has no time for it, is there.
                    if !afterwards.reached && (posted.is_ok() || wire.has_answered()) {
                        afterwards.reached = true;
                        world.discovery().reached();
                    }
                    match posted {
                        Ok((status, body)) => {
                            log::debug!("{} -> HTTP {status}", told(&post));
                            session.reply(status, &body)
                        }
                        Err(e) => session.broken(&e),
                    }
                }
                Step::Answer(request) => {
                    log::info!("ACS: {}", request.name());
                    let now = clock::unix_seconds();
                    let answer = {
                        // The model first: what a person changes until it is ours is no
                        // part of the request.
                        let mut model = world.model();
                        let _on_trial = trial::answering(world, &request);
                        let of = watch::Request::of(world, &request);
                        let before = of.before(world, &mut model);
                        let answer = answer::answer(
                            &session, &mut model, &promises, request, now, afterwards,
                        );
                        if matches!(answer, Answer::Response(_)) {
                            afterwards.touched |= of.changes();
                            of.after(world, &mut model, before);
                        }
                        answer
                    };
                    session.answer(answer)
                }
                Step::InformAccepted { version: spoken } => {
                    log::debug!("the ACS speaks CWMP {spoken}");
                    informed = true;
                    world.trials.reached();
                    accepted(world, url, &inform, &changed.left_out);
                    world.discovery().contact(settings.url_by_dhcp);
                    world.peers().accepted(url, version, offer.refused);
                    // Over http anybody may answer, whatever the clock says; a time far ahead
                    // that was kept would make every certificate look expired for good.
                    if wire.is_trusted() {
                        keep_time(world);
                    }
                    session.proceed()
                }
                Step::OwnRequest => {
                    let is_owed = telling.owes_optional(world) || of_modules.owes_optional();
                    let question = || world.peers().question(url, is_owed);
                    let own = telling
                        .required(world)
                        .or_else(|| of_modules.required(world))
                        .or_else(question)
                        .or_else(|| telling.optional(world, url))
                        .or_else(|| of_modules.optional(world, url));
                    session.request(own)
                }
                Step::RequestDone { request, outcome } => {
                    telling.done(world, &request, &outcome);
                    of_modules.done(world, &request, &outcome);
                    request_done(world, url, &request, outcome);
                    session.proceed()
                }
                Step::Done => return Ok(()),
                Step::Failed(failure) => {
                    let mut peers = world.peers();
                    let known = peers.has_accepted(url, version);
                    let older = session.older_offer(&failure, known);
                    let refused =
                        failure.suggests_older_version() || failure.may_mean_older_version();
                    if refused && !informed && older.is_none() && retry_count >= DOUBTED_AFTER {
                        // Another ACS at the same URL, or it was no matter of versions then.
                        peers.forget_version(url);
                    }
                    return Err(Ended {
                        older,
                        why: failure.to_string(),
                    });
                }
            };
        }
    }
}

/// What the ACS has made of a request of the agent's own.
fn request_done(world: &World, url: &str, request: &CpeRequest, outcome: Outcome) {
    match (request, outcome) {
        (CpeRequest::GetRpcMethods, Outcome::Methods(methods)) => {
            log::debug!("methods of the ACS: {}", methods.join(", "));
            world.peers().listed(url, &methods);
        }
        (CpeRequest::GetRpcMethods, Outcome::Unanswered) => {
            log::info!("the ACS does not tell its methods");
            world.peers().listed(url, &[]);
        }
        (_, Outcome::Refused(fault)) => {
            log::warn!("the ACS refused {}: {fault}", request.name());
            if *request == CpeRequest::GetRpcMethods {
                world.peers().listed(url, &[]);
            }
        }
        _ => {}
    }
}

/// The ACS has answered the Inform: its events are delivered, and what it carried is what
/// the ACS saw. A power cut between the two leaves 4 VALUE CHANGE without a change, which
/// the next Inform withdraws.
fn accepted(world: &World, url: &str, inform: &Inform, left_out: &[String]) {
    let mut codes = inform.events.iter().map(|event| &event.code);
    let silent = codes.all(|code| *code == EventCode::Heartbeat);
    let first = {
        let mut watch = world.watch();
        let first = !watch.is_begun();
        // A heartbeat that carries a changed value has not said that it changed.
        let untold = match silent {
            true => watch.pending(),
            false => HashSet::new(),
        };
        let carried = inform.parameters.iter();
        let carried = carried.filter(|p| !untold.contains(&p.name));
        watch.accepted(url, carried.map(|p| (p.name.as_str(), p.value.as_str())));
        watch.left_out(left_out);
        first
    };
    watch::save(world);
    world.owed().inform_accepted(url, &inform.events);
    if first {
        // The watch begins: what else is watched counts from now on.
        watch::scan(world);
    }
}

fn told(post: &Post) -> String {
    match &post.kind {
        PostKind::Inform => "Inform".to_owned(),
        PostKind::Request(name) => (*name).to_owned(),
        PostKind::Empty => "empty POST".to_owned(),
        PostKind::Response(name) => format!("{name}Response"),
        PostKind::Fault { method, code } => format!("{method}: fault {code}"),
        PostKind::NotUnderstood { header } => format!("fault: header {header} not understood"),
    }
}

fn soap_action(kind: &PostKind) -> SoapAction {
    match kind {
        PostKind::Empty => SoapAction::None,
        PostKind::Inform | PostKind::Request(_) => SoapAction::Request,
        PostKind::Response(_) | PostKind::Fault { .. } | PostKind::NotUnderstood { .. } => {
            SoapAction::Response
        }
    }
}

/// What the ACS is asked to wait for each of our POSTs, seconds (`SessionTimeout`, TR-069
/// 3.5): all sources may take their time, and the POST may need a new connection.
fn session_timeout(limits: &ConfigLimits) -> u32 {
    let longest = limits.request_deadline.saturating_add(limits.connect_wait);
    u32::try_from(longest.as_secs().max(1)).unwrap_or(u32::MAX)
}

/// The highest version offered (`acs.cwmp_version`).
fn version(settings: &Settings) -> CwmpVersion {
    match settings.acs.cwmp_version {
        0 => CwmpVersion::V1_0,
        1 => CwmpVersion::V1_1,
        2 => CwmpVersion::V1_2,
        3 => CwmpVersion::V1_3,
        _ => CwmpVersion::V1_4,
    }
}

/// The URL without what may be secret in it: user and query.
pub fn shown_url(url: &str) -> String {
    let head = url.split(['?', '#']).next().unwrap_or("");
    match head.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = match rest.split_once('/') {
                Some((a, p)) => (a, format!("/{p}")),
                None => (rest, String::new()),
            };
            let host = authority.rsplit('@').next().unwrap_or("");
            format!("{scheme}://{host}{path}")
        }
        None => head.to_owned(),
    }
}

fn client(world: &World, settings: &Settings, device: Option<&str>) -> Result<Client, String> {
    let url = Url::parse(&settings.acs.url).map_err(|e| format!("acs.url: {e}"))?;
    let limits = &world.setup.config.limits;
    let mut config = ClientConfig::new(url);
    config.username = inform::username(&settings.acs.username, &world.identity());
    config.password = settings.acs.password.reveal().to_owned();
    config.allow_basic = settings.acs.allow_basic;
    config.require_tls = settings.acs.require_tls;
    config.timeouts = Timeouts {
        connect: limits.connect_wait,
        response: limits.response_wait,
        ..Timeouts::default()
    };
    config.max_response = limits.response as usize;
    config.user_agent = concat!("cwmp-agent/", env!("CARGO_PKG_VERSION")).to_owned();
    config.device = device.map(str::to_owned);
    config.dscp = settings.cpe.dscp;
    // An ACS that cannot read what it has asked for could never take it back: a retry goes
    // out plain.
    if world.owed().retry_count() == 0 {
        config.coding = settings.acs.compression;
    }
    let floor = world.clock_floor();
    config.clock = Arc::new(move || clock::unix_seconds().max(floor));
    config.tls = Some(world.tls(settings, floor)?);
    Client::new(config).map_err(|e| e.to_string())
}

/// Keeps the last good time, for a later boot in 1970.
fn keep_time(world: &World) {
    let now = clock::unix_seconds();
    let kept: i64 = world
        .state
        .load(super::world::CLOCK_FILE)
        .unwrap_or(clock::FLOOR);
    if now > kept.saturating_add(CLOCK_STEP)
        && let Err(e) = world.state.save(super::world::CLOCK_FILE, &now)
    {
        log::warn!("the time cannot be kept: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    // T-SEC-009
    #[test]
    fn urls_are_shown_without_user_and_query() {
        assert_eq!(
            shown_url("https://u:p@acs.example:7547/a?key=1"),
            "https://acs.example:7547/a"
        );
        assert_eq!(shown_url("http://acs.example"), "http://acs.example");
        assert_eq!(shown_url(""), "");
    }
}
