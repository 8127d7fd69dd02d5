//! A change on trial, and its way back, with the power going at every step: the record of
//! what was before is there exactly where the change is, and no file is torn.

mod frail_cpe;

use cwmp_agent::agent::world::World;
use cwmp_agent::agent::{self, trial};
use frail_cpe::acs::*;
use frail_cpe::*;

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const KEY: &str = "Device.ManagementServer.ParameterKey";

fn trying() -> Cpe {
    let cpe = Cpe::new();
    let toml = cpe.router.read("/etc/cwmp-agent/agent.toml").expect("it");
    let toml = format!("{toml}\n[apply]\nconfirm_within = 60\n");
    cpe.write("/etc/cwmp-agent/agent.toml", toml.as_bytes());
    let world = cpe.open(&cpe.disk());
    assert_eq!(live(&world), End::Idle);
    drop(world);
    cpe
}

fn set_two(value: &str, key: &str) -> Script {
    let values = [(SSID, "string", value), (NTP, "string", value)];
    Script::of([set_values(&values, key)])
}

fn all(world: &World) -> [String; 3] {
    [SSID, NTP, KEY].map(|path| get(world, path))
}

#[test]
fn the_record_of_a_trial_is_there_exactly_where_the_change_is() {
    let cpe = trying();
    let old = all(&cpe.open(&cpe.disk()));
    let new = ["cut", "cut", "key-2"];
    cpe.at_every_cut(
        |disk, arm| {
            cpe.script(set_two("cut", "key-2"));
            let world = cpe.open(disk);
            agent::begin(&world);
            world
                .owed()
                .raise(cwmp_agent::cwmp::event::EventCode::Periodic, "");
            arm();
            one_session(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = all(&world);
            assert!(now == old || now == new, "{}: {now:?}", cut.what);
            let on = cpe.state("trial").exists();
            assert_eq!(on, now == new, "{}", cut.what);
            cpe.nothing_left_behind(cut.what);
            // From here it can always be taken back.
            assert!(trial::take_back(&world), "{}", cut.what);
            assert_eq!(all(&world), old, "{}", cut.what);
            assert!(!cpe.state("trial").exists(), "{}", cut.what);
        },
    );
}

#[test]
fn the_way_back_is_whole_or_not_gone_at_all() {
    let cpe = trying();
    let old = all(&cpe.open(&cpe.disk()));
    cpe.script(set_two("cut", "key-2"));
    let world = cpe.open(&cpe.disk());
    agent::begin(&world);
    world
        .owed()
        .raise(cwmp_agent::cwmp::event::EventCode::Periodic, "");
    one_session(&world);
    drop(world);
    assert!(cpe.state("trial").exists());
    cpe.at_every_cut(
        |disk, arm| {
            let world = cpe.open(disk);
            arm();
            trial::take_back(&world)
        },
        |cut| {
            let world = cpe.open(&cpe.disk());
            let now = all(&world);
            let new = ["cut", "cut", "key-2"];
            assert!(now == old || now == new, "{}: {now:?}", cut.what);
            let on = cpe.state("trial").exists();
            assert_eq!(on, now == new, "{}", cut.what);
            cpe.nothing_left_behind(cut.what);
        },
    );
}

#[test]
fn a_second_change_in_another_session_is_a_trial_of_its_own() {
    let cpe = trying();
    for (value, key) in [("one", "key-1"), ("two", "key-2")] {
        cpe.script(set_two(value, key));
        let world = cpe.open(&cpe.disk());
        agent::begin(&world);
        world
            .owed()
            .raise(cwmp_agent::cwmp::event::EventCode::Periodic, "");
        one_session(&world);
        assert_eq!(all(&world), [value, value, key]);
    }
    // The second session has proved what the first one changed.
    let world = cpe.open(&cpe.disk());
    assert!(trial::take_back(&world));
    assert_eq!(all(&world), ["one", "one", "key-1"]);
    let events: Vec<_> = world.owed().pending();
    let change = cwmp_agent::cwmp::event::EventCode::ValueChange;
    assert!(events.iter().any(|e| e.code == change), "{events:?}");
}

#[test]
fn two_changes_in_one_session_go_back_together() {
    let cpe = trying();
    let old = all(&cpe.open(&cpe.disk()));
    let set = |value: &str, key: &str| {
        let values = [(SSID, "string", value), (NTP, "string", value)];
        set_values(&values, key)
    };
    cpe.script(Script::of([
        set("one", "key-1"),
        set_values(&[(NTP, "string", "no network")], "key-2"),
        set("two", "key-3"),
    ]));
    let world = cpe.open(&cpe.disk());
    agent::begin(&world);
    world
        .owed()
        .raise(cwmp_agent::cwmp::event::EventCode::Periodic, "");
    one_session(&world);
    assert_eq!(all(&world), ["two", "two", "key-3"]);
    assert!(trial::take_back(&world));
    assert_eq!(all(&world), old);
}
