//! The journal: all files of a change or none, whatever happens in between.

mod frail;

use cwmp_agent::model::source::{FileChange, Journal};
use cwmp_agent::store::journal::{DiskJournal, Outcome, recover};
use cwmp_agent::store::state::StateDir;
use frail::{Fate, FrailDisk, Survives};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILES: [&str; 4] = [
    "/etc/config/wireless",
    "/etc/config/firewall",
    "/etc/hosts",
    "/other/gone",
];

fn disk() -> Arc<FrailDisk> {
    Arc::new(FrailDisk::holding(&[
        ("/etc/config/wireless", b"old wireless"),
        (
            "/etc/config/firewall",
            b"old firewall, rather longer than the new one",
        ),
        ("/other/gone", b"to be removed"),
    ]))
}

/// Three files written (one of them new), one removed.
fn change() -> Vec<FileChange> {
    let write = |path: &str, content: &str, reload: &[&str]| FileChange {
        path: PathBuf::from(path),
        content: Some(content.as_bytes().to_vec()),
        mode: 0o644,
        reload: reload.iter().map(|s| s.to_string()).collect(),
    };
    vec![
        write("/etc/config/wireless", "new wireless", &["wireless"]),
        write(
            "/etc/config/firewall",
            "new firewall",
            &["firewall", "wireless"],
        ),
        write("/etc/hosts", "new hosts", &[]),
        FileChange {
            path: "/other/gone".into(),
            content: None,
            mode: 0,
            reload: vec![],
        },
    ]
}

fn seen(disk: &FrailDisk) -> Vec<Option<Vec<u8>>> {
    FILES.iter().map(|f| disk.content(f)).collect()
}

fn old() -> Vec<Option<Vec<u8>>> {
    seen(&disk())
}

fn new() -> Vec<Option<Vec<u8>>> {
    vec![
        Some(b"new wireless".to_vec()),
        Some(b"new firewall".to_vec()),
        Some(b"new hosts".to_vec()),
        None,
    ]
}

fn journal(disk: &Arc<FrailDisk>) -> DiskJournal {
    DiskJournal::new(StateDir::open_on(disk.clone(), Path::new("/state")).unwrap())
}

fn recovered(disk: &Arc<FrailDisk>) -> cwmp_agent::store::journal::Recovered {
    recover(&StateDir::open_on(disk.clone(), Path::new("/state")).unwrap()).unwrap()
}

fn nothing_left_behind(disk: &FrailDisk) {
    for name in disk.all_names() {
        assert!(!name.ends_with(".cwmp-new"), "left behind: {name}");
        assert_ne!(name, "/state/journal");
    }
}

fn steps_of_a_whole_commit() -> u32 {
    let d = disk();
    d.set_fate(Fate::Sound);
    journal(&d).commit(&change()).unwrap();
    assert_eq!(seen(&d), new());
    nothing_left_behind(&d);
    d.steps()
}

const SURVIVALS: [Survives; 3] = [Survives::Nothing, Survives::Names, Survives::Everything];

fn survivals() -> impl Iterator<Item = Survives> {
    SURVIVALS.into_iter().chain((1..=24).map(Survives::Some))
}

#[test]
fn a_power_cut_after_any_step_leaves_all_old_or_all_new() {
    let whole = steps_of_a_whole_commit();
    assert!(whole > 20, "only {whole} steps");
    let (mut undone, mut finished) = (0, 0);
    for cut in 0..=whole {
        for survives in survivals() {
            let d = disk();
            d.set_fate(Fate::CutAfter(cut));
            let told = journal(&d).commit(&change());
            let d = Arc::new(d.after_power_cut(survives));
            let r = recovered(&d);
            let now = seen(&d);
            let what = format!("cut after {cut} of {whole}, {survives:?} survives: {r:?}");
            assert!(now == old() || now == new(), "{what}");
            if told.is_ok() {
                assert_eq!(now, new(), "told done, but is not: {what}");
            }
            match r.outcome {
                Outcome::Finished => {
                    assert_eq!(now, new(), "{what}");
                    assert_eq!(r.reload, ["wireless", "firewall"], "{what}");
                    finished += 1;
                }
                Outcome::Undone => assert_eq!(now, old(), "{what}"),
                Outcome::Clean => {}
                Outcome::Unknown => panic!("{what}"),
            }
            undone += u32::from(now == old());
            assert!(r.left.is_empty());
            nothing_left_behind(&d);
            assert_eq!(recovered(&d).outcome, Outcome::Clean);
        }
    }
    assert!(
        undone > 0 && finished > 0,
        "{undone} undone, {finished} finished"
    );
}

#[test]
fn a_power_cut_during_recovery_is_recovered_from() {
    let whole = steps_of_a_whole_commit();
    for cut in 0..=whole {
        for seed in 1..6 {
            let d = disk();
            d.set_fate(Fate::CutAfter(cut));
            let _ = journal(&d).commit(&change());
            let first = d.after_power_cut(Survives::Some(seed));
            for second_cut in 0..12 {
                let d = Arc::new(first.after_power_cut(Survives::Everything));
                d.set_fate(Fate::CutAfter(second_cut));
                let state = StateDir::open_on(d.clone(), Path::new("/state")).unwrap();
                let _ = recover(&state);
                let d = Arc::new(d.after_power_cut(Survives::Some(seed + 7)));
                recovered(&d);
                let now = seen(&d);
                assert!(now == old() || now == new(), "{cut} {seed} {second_cut}");
                nothing_left_behind(&d);
            }
        }
    }
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EROFS: i32 = 30;

#[test]
fn a_step_that_fails_is_an_error_and_all_is_as_before() {
    let whole = steps_of_a_whole_commit();
    let mut failed = 0;
    for step in 0..whole {
        for e in [ENOSPC, EIO, EROFS] {
            let d = disk();
            d.set_fate(Fate::FailOnce(step, e));
            let told = journal(&d).commit(&change());
            d.set_fate(Fate::Sound);
            match told {
                Err(t) => {
                    assert_eq!(seen(&d), old(), "step {step} errno {e}: {t}");
                    failed += 1;
                }
                // Only the removal of the journal may fail without harm.
                Ok(()) => assert_eq!(seen(&d), new(), "step {step} errno {e}"),
            }
            let d = Arc::new(d.after_power_cut(Survives::Nothing));
            let was = seen(&d);
            recovered(&d);
            assert_eq!(seen(&d), was, "recovery changed its mind after step {step}");
            nothing_left_behind(&d);
        }
    }
    assert!(failed > 3 * (whole - 4), "{failed} of {whole}");
}

#[test]
fn a_disk_that_fails_for_good_leaves_all_old_or_all_new_after_recovery() {
    let whole = steps_of_a_whole_commit();
    for step in 0..whole {
        for survives in survivals() {
            let d = disk();
            d.set_fate(Fate::FailFrom(step, EROFS));
            let _ = journal(&d).commit(&change());
            let d = Arc::new(d.after_power_cut(survives));
            recovered(&d);
            let now = seen(&d);
            assert!(now == old() || now == new(), "step {step} {survives:?}");
            nothing_left_behind(&d);
        }
    }
}

#[test]
fn a_failing_way_back_with_a_power_cut_leaves_all_old_or_all_new() {
    let whole = steps_of_a_whole_commit();
    for step in 0..whole {
        for cut in step + 1..step + 30 {
            for survives in [
                Survives::Nothing,
                Survives::Everything,
                Survives::Some(u64::from(cut)),
            ] {
                let d = disk();
                d.set_fate(Fate::FailThenCut(step, ENOSPC, cut));
                let _ = journal(&d).commit(&change());
                let d = Arc::new(d.after_power_cut(survives));
                recovered(&d);
                let now = seen(&d);
                assert!(
                    now == old() || now == new(),
                    "step {step} cut {cut} {survives:?}"
                );
                nothing_left_behind(&d);
            }
        }
    }
}

/// The disk as a power cut in the middle of the renames leaves it.
fn half_renamed() -> Arc<FrailDisk> {
    for cut in 0..steps_of_a_whole_commit() {
        let d = disk();
        d.set_fate(Fate::CutAfter(cut));
        let _ = journal(&d).commit(&change());
        let d = d.after_power_cut(Survives::Everything);
        let now = seen(&d);
        if now[0] == new()[0] && now[1] == old()[1] {
            return Arc::new(d);
        }
    }
    panic!("no step in the middle of the renames");
}

#[test]
fn recovery_leaves_a_file_edited_by_hand_since() {
    let d = half_renamed();
    d.edit("/etc/config/firewall", b"edited by hand");
    let r = recovered(&d);
    assert_eq!(r.outcome, Outcome::Finished);
    assert_eq!(r.left, [PathBuf::from("/etc/config/firewall")]);
    assert_eq!(
        d.content("/etc/config/firewall").unwrap(),
        b"edited by hand"
    );
    assert_eq!(d.content("/etc/config/wireless").unwrap(), b"new wireless");
    assert_eq!(d.content("/etc/hosts").unwrap(), b"new hosts");
    nothing_left_behind(&d);
}

/// What a hand does to a file before recovery.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hand {
    /// On top of what is there.
    Adds,
    Removes,
}

/// A file edited by hand after a power cut, and what that makes of the others.
struct Edit {
    at: usize,
    hand: Hand,
    /// All files as the hand found them.
    before: Vec<Option<Vec<u8>>>,
    /// The file as the hand left it.
    after: Option<Vec<u8>>,
}

impl Edit {
    /// Every edit of one file that makes a difference to this disk, with the disk after it.
    fn each(d: &FrailDisk) -> Vec<(Edit, Arc<FrailDisk>)> {
        let before = seen(d);
        let mut all = Vec::new();
        for (at, file) in FILES.into_iter().enumerate() {
            for hand in [Hand::Adds, Hand::Removes] {
                let d = Arc::new(d.after_power_cut(Survives::Everything));
                match hand {
                    Hand::Adds => {
                        let found = before[at].clone().unwrap_or_default();
                        d.edit(file, &[&found[..], b", by hand"].concat());
                    }
                    Hand::Removes if before[at].is_none() => continue,
                    Hand::Removes => d.remove_by_hand(file),
                }
                let edit = Edit {
                    at,
                    hand,
                    before: before.clone(),
                    after: d.content(file),
                };
                all.push((edit, d));
            }
        }
        all
    }

    /// The other files, of all these.
    fn others(&self, all: Vec<Option<Vec<u8>>>) -> Vec<Option<Vec<u8>>> {
        let all = all.into_iter().enumerate();
        all.filter(|(at, _)| *at != self.at)
            .map(|(_, f)| f)
            .collect()
    }

    /// Whether the file can have been edited on top of the new.
    fn is_on_new(&self) -> bool {
        self.before[self.at] == new()[self.at]
    }

    /// Whether what the hand left cannot be told from the work of the change itself, done or
    /// not: it removed what is to be removed, made anew what was, removed what is new.
    fn is_unseen(&self) -> bool {
        new()[self.at].is_none() || self.after == old()[self.at]
    }

    /// What must hold of this disk once it is recovered, whatever the change was: the edited
    /// file is as the hand left it, the others are all old or all new. Tells whether new.
    fn holds(&self, d: &FrailDisk, what: &str) -> bool {
        let now = seen(d);
        assert_eq!(now[self.at], self.after, "{what}: not as the hand left it");
        let (now, old, new) = (self.others(now), self.others(old()), self.others(new()));
        assert!(now == old || now == new, "{what}: {now:?}");
        nothing_left_behind(d);
        now == new
    }

    /// What must hold after a change that nothing but the power has interrupted.
    fn holds_after_cut(&self, d: &FrailDisk, what: &str) {
        let is_new = self.holds(d, what);
        let others_begun = (0..FILES.len()).any(|n| n != self.at && self.before[n] == new()[n]);
        if others_begun {
            assert!(is_new, "{what}: begun, and undone");
        } else if !self.is_unseen() {
            // On top of the old, nothing was made yet; on top of the new, it is begun.
            assert_eq!(is_new, self.is_on_new(), "{what}: half");
        }
    }
}

// Every crash point, every file, what survives of it, and the power going again in recovery,
// with or without an error of the disk before.
#[test]
fn a_file_edited_by_hand_after_a_power_cut_is_on_top_of_what_all_the_others_are() {
    let whole = steps_of_a_whole_commit();
    let mut on_old = 0;
    for cut in 0..=whole {
        for survives in survivals() {
            let d = disk();
            d.set_fate(Fate::CutAfter(cut));
            let _ = journal(&d).commit(&change());
            let d = d.after_power_cut(survives);
            let laid_out = d.content("/state/journal").is_some();
            for (edit, d) in Edit::each(&d) {
                let what = format!(
                    "cut after {cut} of {whole}, {survives:?} survives, a hand {:?} {}",
                    edit.hand, FILES[edit.at]
                );
                on_old += u32::from(laid_out && edit.before == old());
                let again = |fate: Fate, survives: Survives| {
                    let d = Arc::new(d.after_power_cut(Survives::Everything));
                    let state = StateDir::open_on(d.clone(), Path::new("/state")).unwrap();
                    d.set_fate(fate);
                    let _ = recover(&state);
                    let d = Arc::new(d.after_power_cut(survives));
                    recovered(&d);
                    edit.holds_after_cut(&d, &format!("{what}, then {fate:?} {survives:?}"));
                };
                let more = edit.hand == Hand::Adds && !matches!(survives, Survives::Some(4..));
                for second in (0..12).filter(|_| laid_out && more) {
                    let seed = u64::from(cut * 12 + second);
                    again(Fate::CutAfter(second), Survives::Everything);
                    again(Fate::CutAfter(second), Survives::Some(seed));
                    for end in second + 1..second + 5 {
                        let fate = Fate::FailThenCut(second, EIO, end);
                        again(fate, Survives::Nothing);
                        again(fate, Survives::Some(seed));
                    }
                }
                let r = recovered(&d);
                edit.holds_after_cut(&d, &format!("{what}: {r:?}"));
                if r.outcome != Outcome::Clean && !edit.is_unseen() {
                    assert_eq!(r.left, [PathBuf::from(FILES[edit.at])], "{what}");
                }
                assert_eq!(recovered(&d).outcome, Outcome::Clean, "{what}");
            }
        }
    }
    assert!(on_old > 20, "{on_old}");
}

// The same where a step fails first: on the way back, too, one edited file does not hold the
// others up half-way, and a change that was refused in peace is not made afterwards.
#[test]
fn a_file_edited_by_hand_after_a_failing_way_back_leaves_the_others_all_old_or_all_new() {
    let whole = steps_of_a_whole_commit();
    let (mut refused, mut way_back) = (0, 0);
    for step in 0..whole {
        for cut in step + 1..step + 34 {
            for survives in SURVIVALS.into_iter().chain((1..6).map(Survives::Some)) {
                let d = disk();
                d.set_fate(Fate::FailThenCut(step, ENOSPC, cut));
                let told = journal(&d).commit(&change());
                let in_peace = d.steps() <= cut;
                let d = d.after_power_cut(survives);
                let kept = d.content("/state/journal").unwrap_or_default();
                let is_back = String::from_utf8_lossy(&kept).contains("\"back\":true");
                way_back += u32::from(is_back);
                for (edit, d) in Edit::each(&d) {
                    let what = format!(
                        "step {step} fails, cut after {cut}, {survives:?} survives, a hand {:?} {}",
                        edit.hand, FILES[edit.at]
                    );
                    let r = recovered(&d);
                    let is_new = edit.holds(&d, &format!("{what}: {r:?}"));
                    if edit.before == old() && !edit.is_unseen() {
                        assert!(!is_new, "{what}: on top of the old");
                    }
                    if told.is_err() && in_peace {
                        assert!(!is_new, "{what}: refused, and made");
                        refused += 1;
                    }
                    assert_eq!(recovered(&d).outcome, Outcome::Clean, "{what}");
                }
            }
        }
    }
    assert!(refused > 1000 && way_back > 100, "{refused} {way_back}");
}

// New files that are gone say that the change was being undone.
#[test]
fn a_refused_change_whose_journal_stays_is_not_made_afterwards() {
    let whole = steps_of_a_whole_commit();
    let mut stayed = 0;
    for step in 0..whole {
        for survives in survivals() {
            let d = disk();
            d.refuse_to_remove("/state/journal");
            d.set_fate(Fate::FailOnce(step, ENOSPC));
            let mut journal = journal(&d);
            let told = journal.commit(&change());
            let is_there = d.content("/state/journal").is_some();
            // Once more, before another change.
            let _ = journal.settle();
            let d = Arc::new(d.after_power_cut(survives));
            stayed += u32::from(d.content("/state/journal").is_some());
            recovered(&d);
            let what = format!("step {step}, {survives:?} survives");
            match told {
                Ok(()) => assert!(is_there && seen(&d) == new(), "{what}"),
                Err(_) => assert_eq!(seen(&d), old(), "{what}"),
            }
            nothing_left_behind(&d);
        }
    }
    assert!(stayed > 50, "{stayed}");
}

#[test]
fn a_change_whose_journal_a_version_before_has_written_is_finished() {
    use sha2::{Digest, Sha256};
    let d = half_renamed();
    let state = StateDir::open_on(d.clone(), Path::new("/state")).unwrap();
    let mut journal: serde_json::Value = state.load("journal").expect("the journal");
    for entry in journal["entries"].as_array_mut().expect("its entries") {
        let at = FILES.iter().position(|file| entry["path"] == **file);
        let at = at.expect("one of the files");
        for (key, content) in [("old", &old()[at]), ("new", &new()[at])] {
            let hash = content.as_ref().map(|content| {
                let hash = Sha256::digest(content);
                hash.iter().map(|b| format!("{b:02x}")).collect::<String>()
            });
            let written = entry[key].as_str().map(|text| text.starts_with('p'));
            assert_eq!(written, content.is_some().then_some(true), "a print");
            entry[key] = serde_json::json!(hash);
        }
    }
    state.save("journal", &journal).expect("saved");
    assert_eq!(recovered(&d).outcome, Outcome::Finished);
    assert_eq!(seen(&d), new());
    nothing_left_behind(&d);
}

#[test]
fn a_torn_journal_means_that_nothing_was_changed() {
    let d = disk();
    d.edit("/state/journal", b"{\"version\":1,\"file\":\"jour");
    d.edit("/state/.journal.cwmp-new", b"");
    let r = recovered(&d);
    assert_eq!(r.outcome, Outcome::Undone);
    assert_eq!(seen(&d), old());
    assert!(d.content("/state/journal.bad-1").is_some());
    nothing_left_behind(&d);
}

#[test]
fn an_interrupted_change_is_settled_before_the_next_one() {
    let d = half_renamed();
    let mut next = change();
    next.truncate(1);
    next[0].content = Some(b"newer wireless".to_vec());
    journal(&d).commit(&next).unwrap();
    assert_eq!(
        d.content("/etc/config/wireless").unwrap(),
        b"newer wireless"
    );
    assert_eq!(d.content("/etc/config/firewall").unwrap(), b"new firewall");
    nothing_left_behind(&d);
}

#[test]
fn a_change_that_changes_nothing_touches_nothing() {
    let d = disk();
    let mut same = change();
    same.truncate(1);
    same[0].content = Some(b"old wireless".to_vec());
    d.set_fate(Fate::FailFrom(0, EROFS));
    journal(&d).commit(&same).unwrap();
    assert_eq!(d.steps(), 0);
}

#[test]
fn one_file_twice_in_a_change_is_refused() {
    let d = disk();
    let mut twice = change();
    twice.push(twice[0].clone());
    assert!(
        journal(&d)
            .commit(&twice)
            .unwrap_err()
            .what
            .contains("twice")
    );
    assert_eq!(seen(&d), old());
}

#[test]
fn state_files_written_through_the_journal_are_sealed_and_checked() {
    let d = disk();
    let mut j = journal(&d);
    let file = FileChange {
        path: j.state_path("instances.json"),
        content: Some(b"{\"a\":1}".to_vec()),
        mode: 0o600,
        reload: vec![],
    };
    j.commit(&[file]).unwrap();
    assert_eq!(j.load("instances.json").unwrap(), b"{\"a\":1}");
    let mut torn = d.content("/state/instances.json").unwrap();
    torn.pop();
    d.edit("/state/instances.json", &torn);
    assert_eq!(j.load("instances.json"), None);
    assert_eq!(d.content("/state/instances.json.bad-1").unwrap(), torn);
    assert_eq!(j.load("instances.json"), None);
}

#[test]
fn what_a_failed_write_left_is_not_taken_for_durable() {
    let d = disk();
    let state = StateDir::open_on(d.clone(), Path::new("/state")).unwrap();
    // Made, written, fsynced, renamed; the folder is not.
    d.set_fate(Fate::FailOnce(4, EIO));
    assert!(state.save("promise", &1).is_err());
    assert!(!state.save("promise", &1).unwrap(), "it is there already");
    let d = Arc::new(d.after_power_cut(Survives::Nothing));
    let state = StateDir::open_on(d, Path::new("/state")).unwrap();
    assert_eq!(state.load::<u32>("promise"), Some(1));
}

#[test]
fn what_a_failed_removal_left_is_not_taken_for_gone() {
    let d = disk();
    let state = StateDir::open_on(d.clone(), Path::new("/state")).unwrap();
    state.save("promise", &1).unwrap();
    // Removed; the folder is not fsynced.
    d.set_fate(Fate::FailOnce(1, EIO));
    assert!(state.remove("promise").is_err());
    assert!(d.content("/state/promise").is_none());
    state.remove("promise").unwrap();
    let d = Arc::new(d.after_power_cut(Survives::Nothing));
    let state = StateDir::open_on(d, Path::new("/state")).unwrap();
    assert_eq!(state.load::<u32>("promise"), None);
}
