//! Plays: an ACS that says whatever a byte string makes it say, against the whole agent
//! without a network, over several sessions and restarts. After each answer the tree, the
//! answer and what is owed are held against what CWMP promises; a play panics where a
//! promise is broken.

mod acs;
mod answers;
mod chance;
mod cpe;
mod disk;
mod envelope;
mod files;
mod memory;
mod oracle;
mod requests;
mod state;

pub use state::state_files;

use acs::{Acs, Debts, Pending, pending};
use chance::Chance;
use cpe::Cpe;
use cwmp_agent::cwmp::event::{EventCode, Retry};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_agent::model::SetItem;
use oracle::Oracle;

/// Sessions of one play.
const MOST: usize = 8;

/// Plays on a small router in memory, whose sources and disk fail now and then.
pub fn in_memory(data: &[u8], seen: &mut dyn FnMut(&[u8])) {
    let mut chance = Chance::new(data);
    let version = chance.pick(&CwmpVersion::ALL);
    let cap = chance.pick(&[1 << 20, 1 << 20, 1 << 20, 12_000]);
    let mut cpe = memory::MemoryCpe::new(version, cap);
    play(&mut cpe, chance, seen);
}

/// Plays on the sample router: real files, real data model.
pub fn on_files(data: &[u8], seen: &mut dyn FnMut(&[u8])) {
    let mut cpe = files::FilesCpe::new();
    play(&mut cpe, Chance::new(data), seen);
}

fn play(cpe: &mut dyn Cpe, mut chance: Chance<'_>, seen: &mut dyn FnMut(&[u8])) {
    let mut oracle = Oracle::new(&mut cpe.model());
    let mut debts = Debts::default();
    for _ in 0..MOST {
        let mut acs = Acs::new(cpe, &mut chance, &mut oracle, &mut debts, seen);
        let result = cpe.session(&mut acs);
        acs.ended(&result);
        // What is owed, if a disk that fails lets it be kept.
        let kept = cpe.owed().save();
        let durable = kept.then(|| pending(cpe));
        act(cpe, &mut oracle, &mut debts);
        if chance.is_over() {
            break;
        }
        between(cpe, &mut chance, &mut oracle, &mut debts, durable);
    }
}

/// What an accepted reset or reboot does once its session is over.
fn act(cpe: &mut dyn Cpe, oracle: &mut Oracle, debts: &mut Debts) {
    if cpe.owed().reset().is_some() {
        // All of it is forgotten, or, with a disk that fails, the request is still there.
        if cpe.model().factory_reset().is_ok() {
            cpe.forget_transfers();
            cpe.owed().reset_done();
            cpe.begin_anew();
            *debts = Debts::default();
            oracle.forget(&mut cpe.model());
            let events = pending(cpe);
            // An ACS may have set its URL to "": nobody is left to be told then.
            let is_new = events.iter().any(|(code, _)| code == "0 BOOTSTRAP");
            assert_eq!(is_new, cpe.has_acs(), "{events:?}");
        }
    } else if !debts.reboots.is_empty() {
        cpe.owed().reboot_starts();
        let kept = cpe.owed().save();
        reboot(cpe, oracle, debts, kept.then(Pending::new));
    }
}

fn reboot(cpe: &mut dyn Cpe, oracle: &mut Oracle, debts: &mut Debts, durable: Option<Pending>) {
    cpe.restart(true);
    resume(cpe, debts, durable.is_some());
    oracle.restarted(&mut cpe.model());
    let events = pending(cpe);
    assert!(
        events.iter().any(|(code, _)| code == "1 BOOT"),
        "{events:?}"
    );
    // A new ACS has nothing to do with what came before it.
    if !events.iter().any(|(code, _)| code == "0 BOOTSTRAP") {
        for key in &debts.reboots {
            let due = ("M Reboot".to_owned(), key.clone());
            assert!(events.contains(&due), "{due:?} is not in {events:?}");
        }
        still_there(durable, &events, &[Retry::Always]);
    }
    debts.reboots.clear();
    // Whether changes outlive a reboot is a matter of its own.
    debts.changed.clear();
}

/// A restart with nothing but what was kept.
fn resume(cpe: &dyn Cpe, debts: &mut Debts, kept: bool) {
    if !kept {
        let owed = cpe.owed();
        debts.failures = owed.retry_count();
        debts.reboots = owed.reboot().map(|r| r.keys.clone()).unwrap_or_default();
        debts.schedules.clear();
    }
    // A disk that fails refuses them, and forgets none.
    assert_eq!(cpe.transfers(), debts.transfers, "after a restart");
}

fn still_there(durable: Option<Pending>, now: &Pending, kinds: &[Retry]) {
    for event in durable.iter().flatten() {
        // It goes with the changes, which are kept apart from the events.
        if event.0 == "4 VALUE CHANGE" {
            continue;
        }
        let rule = EventCode::parse(&event.0).expect("an event").rule();
        assert!(
            !kinds.contains(&rule.retry) || now.contains(event),
            "{event:?} was lost: {now:?}"
        );
    }
}

/// What happens between two sessions.
fn between(
    cpe: &mut dyn Cpe,
    chance: &mut Chance<'_>,
    oracle: &mut Oracle,
    debts: &mut Debts,
    durable: Option<Pending>,
) {
    match chance.byte() % 16 {
        0 | 1 => {
            cpe.restart(false);
            resume(cpe, debts, durable.is_some());
            oracle.restarted(&mut cpe.model());
            still_there(durable, &pending(cpe), &[Retry::Always, Retry::UntilReboot]);
            debts.changed.clear();
        }
        2 => reboot(cpe, oracle, debts, durable),
        3 | 4 => {
            cpe.trouble(chance.byte());
            oracle.look(&mut cpe.model());
        }
        5 => {
            cpe.shuffle(chance.byte());
            oracle.restarted(&mut cpe.model());
        }
        6 | 7 => on_the_box(cpe, chance, oracle, debts),
        8 => {
            cpe.owed().take_schedules(i64::MAX / 4);
            let events = pending(cpe);
            for key in std::mem::take(&mut debts.schedules) {
                let due = ("M ScheduleInform".to_owned(), key);
                assert!(events.contains(&due), "{due:?} is not in {events:?}");
            }
        }
        9 => {
            let codes = [
                "2 PERIODIC",
                "14 HEARTBEAT",
                "M X_00005E_Event",
                "X 00005E Event",
            ];
            let code = EventCode::parse(chance.pick(&codes)).expect("a code");
            cpe.owed().raise(code, "key");
        }
        10 => {
            cpe.trouble(0xff);
            oracle.look(&mut cpe.model());
        }
        _ => drop(cpe.owed().raise(EventCode::ConnectionRequest, "")),
    }
}

/// Somebody sets a value on the box itself.
fn on_the_box(cpe: &dyn Cpe, chance: &mut Chance<'_>, oracle: &mut Oracle, debts: &mut Debts) {
    let oracle::Rpc::Set(items, _) = requests::any(chance, oracle) else {
        return;
    };
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, _, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    let mut model = cpe.model();
    let key = model.parameter_key().to_owned();
    model.begin();
    let outcome = model.set(&items, None);
    match outcome {
        Ok(outcome) => {
            oracle.look(&mut model);
            let watched = model.notifying();
            let mine = |path: &str| outcome.changed.iter().any(|changed| changed == path);
            let paths = watched.into_iter().map(|w| w.path).filter(|p| mine(p));
            let paths = paths.collect();
            drop(model);
            debts.changed.extend(cpe.changed_by_hand(paths));
            model = cpe.model();
        }
        Err(_) => oracle.nothing_happened(&mut model),
    }
    assert_eq!(model.parameter_key(), key, "ParameterKey is the ACS's");
}
