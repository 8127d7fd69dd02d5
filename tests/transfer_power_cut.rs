//! Whatever is asked of the queue, and whenever the power goes: no transfer that was accepted
//! is lost, none is completed or told of twice, none that was cancelled comes back.

mod queue_support;

use cwmp_agent::store::journal;
use cwmp_agent::transfer::queue::{Id, Queue};
use proptest::prelude::*;
use queue_support::frail::{Fate, FrailDisk, Survives};
use queue_support::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const OLD: &str = "firmware 1";

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    Download(u32),
    Upload,
    Schedule(u32),
    Cancel(usize),
    Confirm(usize),
    SessionEnds,
    Begin,
    Apply(bool),
    Finish(bool),
    Tell,
    Refuse,
    Wait(i64),
    ClockSet(i64),
    /// The agent ends and starts again; `true`: with the box, whose clock may be lost.
    Restart(bool, bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0_u32..50).prop_map(Act::Download),
        1 => Just(Act::Upload),
        1 => (0_u32..100).prop_map(Act::Schedule),
        1 => (0_usize..8).prop_map(Act::Cancel),
        1 => (0_usize..8).prop_map(Act::Confirm),
        1 => Just(Act::SessionEnds),
        3 => Just(Act::Begin),
        1 => any::<bool>().prop_map(Act::Apply),
        3 => any::<bool>().prop_map(Act::Finish),
        2 => Just(Act::Tell),
        1 => Just(Act::Refuse),
        1 => (0_i64..200).prop_map(Act::Wait),
        1 => (-500_i64..5000).prop_map(Act::ClockSet),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(boot, lost)| Act::Restart(boot, lost)),
    ]
}

/// Where the power goes during an act, counted in steps of the disk, and what survives.
fn cut() -> impl Strategy<Value = Option<(u32, Survives)>> {
    let survives = prop_oneof![
        Just(Survives::Nothing),
        Just(Survives::Names),
        Just(Survives::Everything),
        any::<u64>().prop_map(Survives::Some),
    ];
    proptest::option::weighted(0.4, (0_u32..7, survives))
}

/// What the ACS knows of a transfer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    /// Asked for; the answer was lost.
    Perhaps,
    Accepted,
    /// The answer to CancelTransfer was lost.
    PerhapsCancelled,
    /// TransferComplete was sent; whether the answer was kept is not known.
    PerhapsTold,
    /// Refused, cancelled or told: it must not be seen again.
    Gone,
}

struct Play {
    disk: Arc<FrailDisk>,
    queue: Queue,
    now: i64,
    known: BTreeMap<String, Known>,
    /// The result of each transfer whose completion was on disk.
    results: BTreeMap<String, u16>,
    running: Option<(Id, String)>,
    count: usize,
}

impl Play {
    fn new() -> Play {
        let disk = disk();
        Play {
            queue: load(&disk),
            disk,
            now: NOW,
            known: BTreeMap::new(),
            results: BTreeMap::new(),
            running: None,
            count: 0,
        }
    }

    fn key(&mut self) -> String {
        self.count += 1;
        format!("k{}", self.count)
    }

    fn nth(&self, n: usize) -> Option<String> {
        self.known.keys().nth(n).cloned()
    }

    fn accepted(&mut self, key: String, kept: bool, cut: bool) {
        let known = match (cut, kept) {
            (true, _) => Known::Perhaps,
            (false, true) => Known::Accepted,
            (false, false) => Known::Gone,
        };
        self.known.insert(key, known);
    }

    /// Does it; the power goes in the middle if `cut` says so and it writes that much.
    fn play(&mut self, act: &Act, cut: Option<(u32, Survives)>) {
        let fate = cut.map_or(Fate::Sound, |(at, _)| Fate::CutAfter(at));
        self.disk.set_fate(fate);
        let disk = self.disk.clone();
        let is_cut = || cut.is_some_and(|(at, _)| disk.steps() > at);
        match act {
            Act::Download(delay) => {
                let key = self.key();
                let mut asked = download(&key);
                asked.delay_seconds = *delay;
                let kept = self.queue.accept_download(self.now, &asked).is_ok();
                self.accepted(key, kept, is_cut());
            }
            Act::Upload => {
                let key = self.key();
                let kept = self.queue.accept_upload(self.now, &upload(&key)).is_ok();
                self.accepted(key, kept, is_cut());
            }
            Act::Schedule(start) => {
                let key = self.key();
                let windows = [
                    window(*start, start + 90, "2 Immediately", 1),
                    window(start + 200, start + 300, "4 Confirmation Needed", 0),
                ];
                let asked = schedule(&key, &windows);
                let kept = self.queue.accept_schedule(self.now, &asked, 0).is_ok();
                self.accepted(key, kept, is_cut());
            }
            Act::Cancel(n) => {
                let Some(key) = self.nth(*n) else { return };
                let cancelled = self.queue.cancel(&key);
                let known = self.known.get_mut(&key).unwrap();
                match cancelled {
                    _ if is_cut() => {
                        if *known != Known::Gone {
                            *known = Known::PerhapsCancelled;
                        }
                    }
                    Ok(_) => *known = Known::Gone,
                    Err(_) => {}
                }
            }
            Act::Confirm(n) => {
                let Some(key) = self.nth(*n) else { return };
                let _ = self.queue.confirm(&key);
            }
            Act::SessionEnds => self.queue.session_ended(),
            Act::Begin => {
                if let Some(job) = self.queue.begin(self.now, true) {
                    assert!(self.running.is_none(), "one at a time");
                    let key = job.command_key;
                    assert!(!self.results.contains_key(&key), "{key} was completed");
                    self.running = Some((job.id, key));
                }
            }
            Act::Apply(reboots) => {
                let Some((id, _)) = self.running else { return };
                let _ = self.queue.applying(id, OLD, *reboots);
            }
            Act::Finish(well) => {
                let Some((id, _)) = self.running.take() else {
                    return;
                };
                let result = match well {
                    true => Ok(()),
                    false => fault(9016, "no"),
                };
                self.queue.finished(id, self.now, result);
            }
            Act::Tell => {
                let Some(told) = self.queue.to_tell() else {
                    return;
                };
                let done = self.queue.delivered(told.id);
                let known = match done && !is_cut() {
                    true => Known::Gone,
                    false => Known::PerhapsTold,
                };
                self.known.insert(told.command_key, known);
            }
            Act::Refuse => {
                if let Some(told) = self.queue.to_tell()
                    && self.queue.refused(told.id, false)
                {
                    let known = match self.queue.keep() && !is_cut() {
                        true => Known::Gone,
                        false => Known::PerhapsTold,
                    };
                    self.known.insert(told.command_key, known);
                }
            }
            Act::Wait(seconds) => self.now += seconds,
            Act::ClockSet(seconds) => {
                self.now += seconds;
                self.queue.clock_stepped(*seconds, self.now);
            }
            Act::Restart(boot, lost) => {
                if *boot && *lost {
                    self.now = 30;
                }
                self.start(*boot);
            }
        }
        if let Some((_, survives)) = cut
            && is_cut()
        {
            self.disk = Arc::new(self.disk.after_power_cut(survives));
            self.start(true);
        } else {
            self.disk.set_fate(Fate::Sound);
        }
        self.look();
    }

    fn start(&mut self, boot: bool) {
        self.running = None;
        // As the agent does it: what a write that was cut has left is swept away.
        let _ = journal::recover(&state(&self.disk));
        self.queue = load(&self.disk);
        // Its own writes may be cut as well.
        self.queue.started(boot, OLD, None, self.now);
    }

    /// What was promised holds.
    fn look(&mut self) {
        let list = self.queue.list();
        let there = |key: &String| list.iter().filter(|t| t.command_key == *key).count();
        for (key, known) in &mut self.known {
            let seen = there(key);
            assert!(seen <= 1, "{key} twice");
            match *known {
                Known::Accepted => assert_eq!(seen, 1, "{key} is lost"),
                Known::Gone => assert_eq!(seen, 0, "{key} is back"),
                // What the disk says after the boot is what holds.
                Known::Perhaps | Known::PerhapsCancelled | Known::PerhapsTold => {
                    *known = match seen {
                        1 => Known::Accepted,
                        _ => Known::Gone,
                    };
                }
            }
        }
        assert!(list.len() <= 16);
        for entry in self.queue.entries() {
            let Some(result) = entry.result else {
                assert!(!self.results.contains_key(&entry.command_key), "open again");
                continue;
            };
            let first = self.results.entry(entry.command_key).or_insert(result.code);
            assert_eq!(*first, result.code, "one transfer has one result");
        }
        let events = events(&self.queue);
        let completed = self
            .queue
            .entries()
            .iter()
            .filter(|e| e.result.is_some())
            .count();
        assert_eq!(events.len(), completed + usize::from(completed > 0));
    }

    /// Everything that is left comes to its end, without further trouble.
    fn settle(mut self) {
        self.disk.set_fate(Fate::Sound);
        self.start(true);
        let open: Vec<String> = self
            .queue
            .list()
            .into_iter()
            .map(|t| t.command_key)
            .collect();
        let mut ended = Vec::new();
        for _ in 0..400 {
            if let Some(told) = self.queue.to_tell() {
                ended.push(told.command_key);
                assert!(self.queue.delivered(told.id));
            }
            let Some(due) = self.queue.next_due() else {
                continue;
            };
            self.now = self.now.max(due);
            if let Some(job) = self.queue.begin(self.now, true) {
                self.queue.finished(job.id, self.now, Ok(()));
            }
        }
        ended.sort();
        let mut open = open;
        open.sort();
        assert_eq!(ended, open, "each is told of once");
        assert!(load(&self.disk).list().is_empty());
    }
}

proptest! {
    #[test]
    fn no_transfer_is_lost_or_completed_twice_wherever_the_power_goes(
        acts in proptest::collection::vec((act(), cut()), 1..80),
    ) {
        let mut play = Play::new();
        for (act, cut) in &acts {
            play.play(act, *cut);
        }
        play.settle();
    }
}
