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
