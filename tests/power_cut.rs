//! The power goes at every step of what an ACS, or a person, makes the agent write: after
//! the next boot it is all of the old or all of the new, and what the ACS was told is true.

mod frail_cpe;

use cwmp_agent::agent::control::{Answer, Question};
use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, offline, recover};
use cwmp_agent::cwmp::event::EventCode;
use frail_cpe::acs::*;
use frail_cpe::frail::Fate;
use frail_cpe::frail::folder::until_power_cut;
use frail_cpe::*;

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const TABLE: &str = "Device.NAT.PortMapping.";

fn set_two(key: &str) -> Script {
    Script::of([set_values(
        &[
            (SSID, "string", "net of two"),
            (NTP, "string", "ntp.example"),
        ],
        key,
    )])
}

fn two_and_key(world: &World) -> [String; 3] {
    [SSID, NTP, KEY].map(|path| get(world, path))
}

/// The rows of the table, by their numbers.
fn rows(world: &World) -> Vec<u32> {
    let mut model = world.model();
    model.begin();
    let names = model.names(TABLE, true).expect("the table");
    let number = |path: &str| path.strip_prefix(TABLE)?.strip_suffix('.')?.parse().ok();
    names.iter().filter_map(|n| number(&n.path)).collect()
}

// T-SPV-001, T-SPV-013, DM atomic Set
#[test]
fn a_set_over_two_packages_is_all_old_or_all_new_together_with_its_key() {
    let cpe = Cpe::known();
    let old = two_and_key(&cpe.open(&cpe.disk()));
    let new = ["net of two", "ntp.example", "key-2"];
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(set_two("key-2"));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = two_and_key(&world);
            assert!(now == old || now == new, "{}: {now:?}", cut.what);
            if cut.told("SetParameterValuesResponse") {
                assert_eq!(now, new, "{}", cut.what);
            }
            cpe.nothing_left_behind(cut.what);
        },
    );
}

#[test]
fn recovery_may_be_run_twice_and_lose_its_power_at_every_step() {
    let cpe = Cpe::known();
    let old = two_and_key(&cpe.open(&cpe.disk()));
    let new = ["net of two", "ntp.example", "key-2"];
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(set_two("key-2"));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let first = cpe.image();
            let journal = cpe.state("journal").exists();
            for m in 0.. {
                cpe.put_back(&first);
                let disk = cpe.disk();
                disk.set_fate(Fate::CutAfter(m));
                let told = until_power_cut(|| recover::recover(&cpe.setup(&disk)));
                if told.is_none() {
                    cpe.put_back(&disk.after_power_cut(survivals(m).last().unwrap()));
                }
                recover::recover(&cpe.setup(&cpe.disk())).expect("recovered");
                let again = recover::recover(&cpe.setup(&cpe.disk())).expect("again");
                assert_eq!(again, "nothing to recover\n");
                let now = two_and_key(&cpe.open(&cpe.disk()));
                let what = format!("{}, then before step {m} of recovery", cut.what);
                assert!(now == old || now == new, "{what}: {now:?}");
                cpe.nothing_left_behind(&what);
                if told.is_some() {
                    break;
                }
                if !journal {
                    // Only left-overs to sweep: one cut shows it.
                    break;
                }
            }
        },
    );
}

// T-OBJ-004, T-OBJ-012
#[test]
fn a_row_is_added_whole_or_not_and_no_number_is_given_twice() {
    let cpe = Cpe::known();
    let old = rows(&cpe.open(&cpe.disk()));
    let add = || Script::of([add_object(TABLE, "added")]);
    let number = |session: &SessionRecord| -> Option<u32> {
        let message = session.message("AddObjectResponse")?;
        let arg = message.args.iter().find(|(n, _)| n == "InstanceNumber");
        Some(arg.expect("InstanceNumber").1.parse().expect("a number"))
    };
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(add());
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            cpe.script(add());
            let world = cpe.open(&cpe.disk());
            let now = rows(&world);
            let added: Vec<&u32> = now.iter().filter(|n| !old.contains(n)).collect();
            assert!(added.len() <= 1, "{}: {now:?}", cut.what);
            let key = if added.is_empty() { "" } else { "added" };
            assert_eq!(get(&world, KEY), key, "{}", cut.what);
            let told = cut.session.and_then(number);
            if let Some(told) = told {
                assert_eq!(added, [&told], "{}", cut.what);
            }
            agent::begin(&world);
            one_session(&world);
            let next = number(&cpe.last_session()).expect("another row");
            assert!(!now.contains(&next), "{}: {next} again", cut.what);
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-OBJ-008, T-OBJ-004
#[test]
fn a_row_is_deleted_whole_or_not_and_its_number_is_not_given_again() {
    let cpe = Cpe::known();
    // A row with an alias, and a notification set below it.
    let row = format!("{TABLE}1.");
    let alias = format!("{row}Alias");
    cpe.boot();
    cpe.script(Script::of([
        set_values(&[(&alias, "string", "mine")], ""),
        set_notification(&[(&format!("{row}Description"), 2)]),
    ]));
    cpe.life();
    let old = rows(&cpe.open(&cpe.disk()));
    assert!(old.contains(&1));
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([delete_object(&row, "deleted")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = rows(&world);
            let gone = !now.contains(&1);
            if gone {
                assert_eq!(get(&world, KEY), "deleted", "{}", cut.what);
            } else {
                assert_eq!(now, old, "{}", cut.what);
                assert_eq!(get(&world, KEY), "", "{}", cut.what);
                assert_eq!(get(&world, &alias), "mine", "{}", cut.what);
            }
            if cut.told("DeleteObjectResponse") {
                assert!(gone, "{}", cut.what);
            }
            let (added, _) = world.model().add(TABLE, None).expect("another row");
            assert!(!old.contains(&added), "{}: {added} again", cut.what);
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-ATT-001
#[test]
fn attributes_are_set_all_or_none() {
    let cpe = Cpe::known();
    let levels = |world: &World| {
        let list = world.model().attributes(&[SSID, NTP]).expect("attributes");
        [list[0].notification, list[1].notification]
    };
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([set_notification(&[(SSID, 1), (NTP, 2)])]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let now = levels(&cpe.open(&cpe.disk()));
            assert!(now == [0, 0] || now == [1, 2], "{}: {now:?}", cut.what);
            if cut.told("SetParameterAttributesResponse") {
                assert_eq!(now, [1, 2], "{}", cut.what);
            }
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-OBJ-014
#[test]
fn an_alias_is_given_or_not() {
    let cpe = Cpe::known();
    let alias = "Device.WiFi.SSID.1.Alias";
    let old = get(&cpe.open(&cpe.disk()), alias);
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([set_values(&[(alias, "string", "home")], "k")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = [get(&world, alias), get(&world, KEY)];
            assert!(
                now == [old.as_str(), ""] || now == ["home", "k"],
                "{}: {now:?}",
                cut.what
            );
            if cut.told("SetParameterValuesResponse") {
                assert_eq!(now, ["home", "k"], "{}", cut.what);
            }
        },
    );
}

// T-EVT-001 to T-EVT-003, T-OBJ-012, T-INF-008
#[test]
fn the_first_contact_is_told_until_it_was_answered_and_numbers_that_were_seen_stay() {
    let cpe = Cpe::new();
    let seen = |message: &CpeMessage| -> Vec<(String, String)> {
        message
            .values
            .iter()
            .filter(|v| v.name.ends_with(".SSID") || v.name.ends_with("ExternalPort"))
            .map(|v| (v.name.clone(), v.value.clone()))
            .collect()
    };
    cpe.at_every_cut(
        |disk, arm| {
            let paths = ["Device.WiFi.SSID.", TABLE];
            cpe.script(Script::of([get_values(&paths)]));
            arm();
            live(&cpe.open(disk))
        },
        |cut| {
            let before = cpe.sessions();
            // Somebody puts a new network before all others meanwhile: numbers that were
            // seen do not move.
            let wireless = cpe.router.read("/etc/config/wireless").unwrap();
            let new = format!("config wifi-iface 'guest'\n\toption ssid 'first'\n\n{wireless}");
            cpe.write("/etc/config/wireless", new.as_bytes());
            let world = cpe.open(&cpe.disk());
            let values = cut
                .session
                .and_then(|s| s.message("GetParameterValuesResponse"));
            for (path, value) in values.map(seen).unwrap_or_default() {
                assert_eq!(get(&world, &path), value, "{}: {path}", cut.what);
            }
            assert_eq!(live(&world), End::Idle);
            let told = cpe.told_since(before);
            // Answered and not yet confirmed: the write may have come through or not.
            if cut.informed() || cut.session.is_some() && told.len() == 1 {
                assert_eq!(told, ["1 BOOT"], "{}", cut.what);
            } else {
                assert_eq!(told, ["0 BOOTSTRAP", "1 BOOT"], "{}", cut.what);
            }
            if let Some(session) = cut.session {
                let device =
                    |s: &SessionRecord| s.inform.inform.as_ref().unwrap().serial_number.clone();
                let now = cpe.last_session();
                assert_eq!(device(session), device(&now), "{}", cut.what);
            }
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-REB-001, T-EVT-018
#[test]
fn an_accepted_reboot_is_told_once_after_the_boot_and_one_that_was_not_is_not_made_up() {
    let cpe = Cpe::known();
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([reboot("k 1")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let before = cpe.sessions();
            assert_eq!(cpe.life().0, End::Idle, "{}: it booted already", cut.what);
            let told = cpe.told_since(before);
            let accepted = told == ["1 BOOT", "M Reboot k 1"];
            assert!(accepted || told == ["1 BOOT"], "{}: {told:?}", cut.what);
            assert!(accepted || !cut.told("RebootResponse"), "{}", cut.what);
            assert!(cpe.marks("rebooted").is_empty(), "{}", cut.what);
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "{}: told twice", cut.what);
        },
    );
}

// T-REB-001
#[test]
fn an_agent_that_is_killed_on_its_way_to_the_reboot_reboots_once_it_is_started_again() {
    let cpe = Cpe::known();
    cpe.at_every_kill(
        |disk, arm| {
            cpe.script(Script::of([reboot("k")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let (end, told) = cpe.life();
            let accepted = cut.told("RebootResponse");
            if accepted {
                assert_eq!(end, End::GoingDown, "{}", cut.what);
            }
            assert!(!told.contains(&"M Reboot k".to_owned()), "{}", cut.what);
            let rebooted = !cpe.marks("rebooted").is_empty();
            cpe.boot();
            let told = cpe.life().1;
            let m_reboot = told.contains(&"M Reboot k".to_owned());
            assert_eq!(m_reboot, rebooted, "{}: {told:?}", cut.what);
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "{}", cut.what);
        },
    );
}

/// What a factory reset forgets, set up to be forgotten.
fn known_and_set() -> Cpe {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(
        Script::of([set_notification(&[(SSID, 2)]), schedule_inform(9000, "s")])
            .then(set_values(&[(NTP, "string", "x.example")], "old key")),
    );
    assert_eq!(cpe.life().1, ["1 BOOT"]);
    cpe
}

/// Whether the box is as one that the ACS has never seen, or has lost nothing.
fn is_reset(world: &World, what: &str) -> bool {
    let key = get(world, KEY);
    let level = world.model().attributes(&[SSID]).expect("attributes")[0].notification;
    let scheduled = world.owed().next_schedule().is_some();
    let reset = key.is_empty() && level == 0 && !scheduled;
    assert!(
        reset || (key == "old key" && level == 2 && scheduled),
        "{what}: half reset: {key:?} {level} {scheduled}"
    );
    reset
}

// T-FRS-001, T-FRS-002
#[test]
fn an_accepted_factory_reset_is_carried_out_whole_whatever_happens_on_the_way() {
    let cpe = known_and_set();
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([factory_reset()]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let before = cpe.sessions();
            // A power cut is no reboot that the agent ordered: it may order another.
            if cpe.life().0 == End::GoingDown {
                cpe.boot();
                assert_eq!(cpe.life().0, End::Idle, "{}", cut.what);
            }
            let told = cpe.told_since(before);
            let reset = is_reset(&cpe.open(&cpe.disk()), cut.what);
            assert!(reset || !cut.told("FactoryResetResponse"), "{}", cut.what);
            match reset {
                true => assert_eq!(told, ["0 BOOTSTRAP", "1 BOOT"], "{}", cut.what),
                false => assert_eq!(told, ["1 BOOT"], "{}", cut.what),
            }
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-FRS-001
#[test]
fn an_agent_that_is_killed_in_a_factory_reset_finishes_it_and_reboots() {
    let cpe = known_and_set();
    cpe.at_every_kill(
        |disk, arm| {
            cpe.script(Script::of([factory_reset()]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            if !cut.told("FactoryResetResponse") && cpe.open(&cpe.disk()).owed().reset().is_none() {
                return;
            }
            let before = cpe.sessions();
            let [rebooted, reset, ..] = cut.marks;
            // The last thing is written when the reboot is under way; then it is a boot.
            let end = cpe.life().0;
            if rebooted.is_empty() {
                assert_eq!(end, End::GoingDown, "{}", cut.what);
                assert_eq!(cpe.told_since(before), [""; 0], "{}", cut.what);
            }
            let resets = cpe.marks("reset").len();
            assert!((1..=2).contains(&resets), "{}: {resets}", cut.what);
            assert!(resets >= reset.len());
            if end == End::GoingDown {
                cpe.boot();
                assert_eq!(cpe.life().0, End::Idle, "{}", cut.what);
            }
            let told = cpe.told_since(before);
            assert_eq!(told, ["0 BOOTSTRAP", "1 BOOT"], "{}", cut.what);
            assert!(is_reset(&cpe.open(&cpe.disk()), cut.what));
        },
    );
}

// T-EVT-015
#[test]
fn a_scheduled_inform_is_kept_until_it_was_told() {
    let cpe = Cpe::known();
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(Script::of([schedule_inform(60, "s 1")]));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world);
            let due = world.owed().next_schedule().expect("a schedule");
            assert!(world.owed().take_schedules(due));
            one_session(&world)
        },
        |cut| {
            let before = cpe.sessions();
            let world = cpe.open(&cpe.disk());
            agent::begin(&world);
            let due = world.owed().next_schedule();
            if let Some(due) = due {
                assert!(world.owed().take_schedules(due));
            }
            one_session(&world);
            drop(world);
            let told = cpe.told_since(before);
            let scheduled = told == ["1 BOOT", "3 SCHEDULED", "M ScheduleInform s 1"];
            assert!(scheduled || told == ["1 BOOT"], "{}: {told:?}", cut.what);
            let answered = cut.told("ScheduleInformResponse");
            assert!(
                scheduled || !answered || cut.delivered("M ScheduleInform"),
                "{}",
                cut.what
            );
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "{}: told twice", cut.what);
        },
    );
}

// T-EVT-014, T-ATT-002
#[test]
fn what_a_command_sets_is_all_or_nothing_and_leaves_the_key() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([
        set_values(&[(NTP, "string", "before.example")], "the key"),
        set_notification(&[(NTP, 2)]),
    ]));
    cpe.life();
    let old = two_and_key(&cpe.open(&cpe.disk()));
    let new = ["by hand", "hand.example", "the key"];
    cpe.at_every_cut(
        |disk, arm| {
            live(&cpe.open(disk));
            arm();
            let items = vec![
                (SSID.to_owned(), new[0].to_owned()),
                (NTP.to_owned(), new[1].to_owned()),
            ];
            let answer = offline::ask(&cpe.setup(disk), &Question::Set { items });
            assert!(matches!(answer, Ok(Answer::Done)), "{answer:?}");
        },
        |cut| {
            let before = cpe.sessions();
            let world = cpe.open(&cpe.disk());
            let now = two_and_key(&world);
            assert!(now == old || now == new, "{}: {now:?}", cut.what);
            assert_eq!(live(&world), End::Idle);
            let told = cpe.told_since(before);
            if cut.ended.is_some() {
                assert_eq!(now, new, "{}", cut.what);
            }
            // What the ACS saw is on disk: a change is found even if it was not noted.
            match now == new {
                true => assert_eq!(told, ["1 BOOT", "4 VALUE CHANGE"], "{}", cut.what),
                false => assert_eq!(told, ["1 BOOT"], "{}", cut.what),
            }
            cpe.nothing_left_behind(cut.what);
        },
    );
}

// T-EVT-012, T-EVT-014
#[test]
fn events_that_wait_for_a_session_survive_as_their_rules_say() {
    let cpe = Cpe::known();
    cpe.boot();
    cpe.script(Script::of([set_notification(&[(SSID, 2)])]));
    cpe.life();
    let wireless = cpe.router.read("/etc/config/wireless").expect("the file");
    let name = get(&cpe.open(&cpe.disk()), SSID);
    let edited = wireless.replacen(&format!("'{name}'"), "'by hand'", 1);
    assert_ne!(edited, wireless);
    cpe.write("/etc/config/wireless", edited.as_bytes());
    cpe.at_every_cut(
        |disk, arm| {
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            {
                let mut owed = world.owed();
                owed.raise(EventCode::Periodic, "");
                owed.raise(EventCode::ConnectionRequest, "");
                assert!(owed.save());
            }
            one_session(&world)
        },
        |cut| {
            let told = cpe.life().1;
            let before = cut
                .session
                .is_some_and(|s| s.events().contains(&"4 VALUE CHANGE"));
            match told.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["1 BOOT", "2 PERIODIC", "4 VALUE CHANGE"] | ["1 BOOT", "4 VALUE CHANGE"] => {}
                ["1 BOOT"] | ["1 BOOT", "2 PERIODIC"] => {
                    assert!(before, "{}: never told", cut.what);
                }
                _ => panic!("{}: {told:?}", cut.what),
            }
            cpe.boot();
            assert_eq!(cpe.life().1, ["1 BOOT"], "{}: told twice", cut.what);
        },
    );
}

#[test]
fn what_was_changed_and_not_reloaded_is_reloaded_by_the_next_start() {
    let cpe = Cpe::known();
    cpe.at_every_kill(
        |disk, arm| {
            cpe.script(set_two("key"));
            let world = cpe.open(disk);
            agent::begin(&world);
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            if get(&world, KEY) == "key" {
                let mut reloads = cpe.marks("reloads");
                reloads.sort();
                reloads.dedup();
                assert_eq!(reloads, ["system", "wireless"], "{}", cut.what);
            }
            drop(world);
            let before = cpe.marks("reloads").len();
            drop(cpe.open(&cpe.disk()));
            assert_eq!(cpe.marks("reloads").len(), before, "{}", cut.what);
        },
    );
}
