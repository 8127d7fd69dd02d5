//! ChangeDUState from the request to DUStateChangeComplete, with real archives and real
//! processes, and with stand-ins that behave like opkg and apk.

#![cfg(feature = "software-modules")]

mod software_rig;
mod transfer_rig;

use software_rig::*;
use transfer_rig::Rig;
use transfer_rig::acs::*;
use transfer_rig::files::{Guard, Served, Trick};

const UNITS: &str = "Device.SoftwareModules.DeploymentUnit.";
const RUNS: &str = "Device.SoftwareModules.ExecutionUnit.";

// T-DUS-001
#[test]
fn an_archive_is_installed_started_and_told_of_once() {
    let mut rig = modules_rig("");
    let url = serve(&rig, "/hello.tgz", &module("hello", "1.0"));
    let results = changed(&mut rig, &[install(&url, "", "")], "key 1");
    let told = &results[0];
    assert_eq!(
        (told.code, told.state.as_str(), told.version.as_str()),
        (0, "Installed", "1.0")
    );
    assert!(told.resolved);
    // TR-181 Annex C: hello.example.com.
    assert_eq!(told.uuid, "d6a07715-9258-539c-afa1-10abde021673");
    assert_eq!(told.unit, format!("{UNITS}1"));
    assert_eq!(told.executions, format!("{RUNS}1"));
    assert!(told.start.starts_with("20") && told.start <= told.complete);
    let get = |name: &str| rig.cpe.get(&format!("{UNITS}1.{name}"));
    assert_eq!(get("Name"), "hello");
    assert_eq!(get("Vendor"), "example.com");
    assert_eq!(get("Status"), "Installed");
    assert_eq!(get("URL"), url);
    assert_eq!(get("ExecutionEnvRef"), "Device.SoftwareModules.ExecEnv.1");
    assert_eq!(get("ExecutionUnitList"), format!("{RUNS}1"));
    assert_eq!(rig.cpe.get(&format!("{RUNS}1.EUID")), "box:hello");
    assert_eq!(rig.cpe.get(&format!("{RUNS}1.Status")), "Active");
    assert!(rig.cpe.exists("/tmp/run-hello"));
    let active = rig
        .cpe
        .get("Device.SoftwareModules.ExecEnv.1.ActiveExecutionUnits");
    assert_eq!(active, format!("{RUNS}1"));
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn status_tells_of_a_change_that_runs() {
    let mut rig = modules_rig("");
    rig.files.serve(
        "/slow",
        Served::bytes(module("slow", "1")).always(Trick::Silence),
    );
    let url = rig.files.url("/slow");
    let two = [install(&url, UUID, ""), install(&url, OTHER, "")];
    rig.ask(Script::of([change(&two, "key 7")]));
    let told = rig
        .cpe
        .wait_status(|s| s["software_changes"][0]["command_key"] == "key 7");
    let change = &told["software_changes"][0];
    assert_eq!(
        (&change["operations"], &change["ended"]),
        (&2.into(), &0.into())
    );
    let text = rig.cpe.ok(&["status"]);
    assert!(
        text.contains("software change     0 of 2 operations done (key 7)\n"),
        "{text}"
    );
    assert!(rig.cpe.stop().success());
    rig.acs.finish().expect("no violation");
}

// T-DUS-002
#[test]
fn mixed_operations_are_told_in_the_order_of_the_request() {
    let mut rig = modules_rig("");
    let one = serve(&rig, "/a1", &module("a", "1"));
    let two = serve(&rig, "/a2", &module("a", "2"));
    let other = serve(&rig, "/b1", &module("b", "1"));
    let first = changed(
        &mut rig,
        &[install(&one, UUID, ""), install(&other, OTHER, "")],
        "",
    );
    assert_eq!(codes(&first), [0, 0]);
    let operations = [
        uninstall(OTHER, "", ""),
        update(UUID, "", &two),
        install(&other, "", ""),
        uninstall(OTHER, "", ""),
        uninstall("fe2d23bd", "", ""),
    ];
    let results = changed(&mut rig, &operations, "three");
    assert_eq!(codes(&results), [0, 0, 0, 9028, 9022]);
    let states: Vec<&str> = results.iter().map(|r| r.state.as_str()).collect();
    assert_eq!(
        states,
        ["Uninstalled", "Installed", "Installed", "Failed", "Failed"]
    );
    // Rows that are gone had their paths.
    assert_eq!(results[0].unit, format!("{UNITS}2"));
    assert_eq!(
        (results[1].unit.as_str(), results[1].version.as_str()),
        (&*format!("{UNITS}1"), "2")
    );
    assert_eq!(results[2].unit, format!("{UNITS}3"));
    assert_eq!(results[3].unit, "");
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.UUID")), UUID);
    let folder = |name: &str| {
        rig.cpe
            .exists(&format!("/usr/lib/cwmp-agent/modules/{name}"))
    };
    assert!(folder("a-2") && folder("b-1") && !folder("a-1"));
    rig.nothing_is_left();
    rig.finish();
}

// T-DUS-003, T-DUS-004, T-DUS-005, T-DUS-006, T-DUS-007
#[test]
fn every_rule_has_its_fault_and_nothing_is_changed() {
    let more = "[[software_modules]]\nname = \"off\"\ndir = \"/off\"\n";
    let mut rig = modules_rig(more);
    let one = serve(&rig, "/a1", &module("a", "1"));
    let two = serve(&rig, "/a2", &module("a", "2"));
    let other = serve(&rig, "/b1", &module("b", "1"));
    let broken = serve(
        &rig,
        "/broken",
        b"no archive at all, whatever its name says",
    );
    rig.files
        .serve("/401", Served::bytes("x").guard(Guard::basic("u", "p")));
    rig.files
        .serve("/404", Served::nothing().always(Trick::Status(404)));
    rig.cpe
        .ok(&["set", "Device.SoftwareModules.ExecEnv.2.Enable=false"]);
    let (unauthorized, missing) = (rig.files.url("/401"), rig.files.url("/404"));
    assert_eq!(
        codes(&changed(&mut rig, &[install(&one, UUID, BOX)], "")),
        [0]
    );
    let operations = [
        (install(&other, "not-a-uuid", ""), 9022),
        (
            install(&other, "", "Device.SoftwareModules.ExecEnv.7"),
            9023,
        ),
        (install(&other, "", "Device.IP.Interface.1."), 9023),
        (
            install(&other, "", "Device.SoftwareModules.ExecEnv.2."),
            9024,
        ),
        (install(&one, "", BOX), 9026),
        (install(&one, UUID, ""), 9026),
        (update(OTHER, "", &two), 9028),
        (update(UUID, "7", &two), 9028),
        (update(UUID, "", &one), 9032),
        (update(UUID, "", &other), 9003),
        (update("", "", &other), 9028),
        (uninstall(UUID, "2", ""), 9028),
        (
            uninstall(UUID, "", "Device.SoftwareModules.ExecEnv.2"),
            9024,
        ),
        (install(&broken, "", ""), 9018),
        (install(&unauthorized, "", ""), 9012),
        (install(&missing, "", ""), 9016),
        (install("ftp://127.0.0.1/x", "", ""), 9013),
        (install("http://127.0.0.1:1/x", "", ""), 9015),
    ];
    let requests: Vec<String> = operations.iter().map(|(o, _)| o.clone()).collect();
    let results = changed(&mut rig, &requests, "faults");
    let wanted: Vec<u16> = operations.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes(&results), wanted, "{results:#?}");
    assert!(results.iter().all(|r| r.state == "Failed"));
    // A later version, then the earlier one.
    let results = changed(
        &mut rig,
        &[update(UUID, "", &two), update(UUID, "2", &one)],
        "",
    );
    assert_eq!(codes(&results), [0, 9030]);
    // Beside each other, no version says which.
    let results = changed(
        &mut rig,
        &[install(&one, UUID, BOX), update(UUID, "", &two)],
        "",
    );
    assert_eq!(codes(&results), [0, 9031]);
    let results = changed(
        &mut rig,
        &[update(UUID, "1", &two), uninstall(UUID, "", "")],
        "",
    );
    // One result for each version that goes.
    assert_eq!(codes(&results), [9032, 0, 0]);
    assert_eq!(
        rig.cpe
            .get("Device.SoftwareModules.DeploymentUnitNumberOfEntries"),
        "0"
    );
    rig.nothing_is_left();
    rig.finish();
}

// T-DUS-010
#[test]
fn an_update_without_uuid_and_url_updates_all_each_with_a_result() {
    let mut rig = modules_rig("");
    let urls = ["a", "b"].map(|name| serve(&rig, &format!("/{name}"), &module(name, "1")));
    let both = urls.each_ref().map(|url| install(url, "", ""));
    assert_eq!(codes(&changed(&mut rig, &both, "")), [0, 0]);
    for name in ["a", "b"] {
        serve(&rig, &format!("/{name}"), &module(name, "2"));
    }
    let results = changed(&mut rig, &[update("", "", "")], "all");
    assert_eq!(codes(&results), [0, 0]);
    assert!(results.iter().all(|r| r.version == "2"));
    assert_eq!(
        codes(&changed(&mut rig, &[update("", "", "")], "again")),
        [9032, 9032]
    );
    let by_url = serve(&rig, "/b", &module("b", "3"));
    let results = changed(&mut rig, &[update("", "", &by_url)], "by URL");
    assert_eq!(
        (codes(&results), results[0].version.as_str()),
        (vec![0], "3")
    );
    rig.finish();
}

// T-DUS-011
#[test]
fn an_execution_unit_follows_what_is_requested_and_tells_by_itself() {
    let mut rig = modules_rig("");
    let url = serve(&rig, "/p", &real_process("p"));
    assert_eq!(codes(&changed(&mut rig, &[install(&url, "", "")], "")), [0]);
    let status = format!("{RUNS}1.Status");
    let requested = format!("{RUNS}1.RequestedState");
    assert_eq!(rig.cpe.get(&status), "Active");
    // It is told until the ACS says otherwise. What was requested is a command, with no value of its own.
    assert_eq!(rig.cpe.get(&requested), "");
    let asked = rig.ask(Script::of([set_values(
        &[(&requested, "string", "Idle")],
        "",
    )]));
    assert_eq!(asked.faults(), [0u16; 0]);
    let session = rig.next();
    assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    assert_eq!(session.inform.value(&status), Some("Idle"));
    assert!(!process_runs(&rig, "p"));
    rig.ask(Script::of([set_values(
        &[(&requested, "string", "Active")],
        "",
    )]));
    assert_eq!(rig.next().events(), ["4 VALUE CHANGE"]);
    assert!(process_runs(&rig, "p"));
    // A disabled environment stops it, and nothing is requested of it.
    rig.ask(Script::of([set_values(
        &[(&format!("{BOX}.Enable"), "boolean", "0")],
        "",
    )]));
    assert_eq!(rig.next().events(), ["4 VALUE CHANGE"]);
    assert!(!process_runs(&rig, "p"));
    let refused = rig.ask(Script::of([set_values(
        &[(&requested, "string", "Active")],
        "",
    )]));
    assert_eq!(refused.faults(), [9003]);
    rig.cpe.ok(&["set", &format!("{BOX}.Enable=true")]);
    assert_eq!(rig.next().events(), ["4 VALUE CHANGE"]);
    // AutoStart outlives a boot; what it is off for does not run after it.
    rig.cpe.ok(&["set", &format!("{RUNS}1.AutoStart=false")]);
    stop_process(&rig, "p");
    rig.reboot();
    assert_eq!(rig.next().events()[0], "1 BOOT");
    assert_eq!(rig.cpe.get(&format!("{RUNS}1.AutoStart")), "false");
    assert!(!process_runs(&rig, "p"));
    rig.finish();
}

// Hostile archives: refused whole.
#[test]
fn a_hostile_archive_is_refused_and_leaves_nothing() {
    let mut rig = modules_rig("");
    let mut operations = Vec::new();
    for (n, archive) in hostile().into_iter().enumerate() {
        let url = serve(&rig, &format!("/bad{n}"), &archive);
        operations.push(install(&url, "", ""));
    }
    let results = changed(&mut rig, &operations, "bad");
    assert!(
        codes(&results)
            .iter()
            .all(|code| matches!(code, 9018 | 9027)),
        "{results:#?}"
    );
    assert_eq!(files_below(&rig, "/usr/lib/cwmp-agent"), [""; 0]);
    assert!(!rig.cpe.exists("/tmp/evil"));
    rig.nothing_is_left();
    rig.finish();
}

// T-DUS-001, T-DUS-007 with a package manager
#[test]
fn opkg_installs_updates_and_removes_what_was_fetched() {
    let mut rig = opkg_rig();
    let one = serve(
        &rig,
        "/hello_1.0-r1_all.ipk",
        &ipk("hello", "1.0-r1", "libc"),
    );
    let two = serve(
        &rig,
        "/hello_1.1-r1_all.ipk",
        &ipk("hello", "1.1-r1", "libc"),
    );
    let needy = serve(&rig, "/needy.ipk", &ipk("needy", "1", "libnone"));
    let results = changed(
        &mut rig,
        &[install(&one, "", ""), install(&needy, "", "")],
        "",
    );
    assert_eq!(codes(&results), [0, 9001], "{results:#?}");
    assert!(results[1].text.contains("depend"), "{results:?}");
    assert_eq!(results[0].version, "1.0-r1");
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.DUID")), "hello");
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.Vendor")), "example.org");
    assert_eq!(rig.cpe.get(&format!("{RUNS}1.Status")), "Active");
    let uuid = results[0].uuid.clone();
    let results = changed(
        &mut rig,
        &[
            install(&two, "", ""),
            update(&uuid, "", &two),
            update(&uuid, "", &one),
        ],
        "",
    );
    assert_eq!(codes(&results), [9026, 0, 9030]);
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.Version")), "1.1-r1");
    let results = changed(&mut rig, &[uninstall(&uuid, "", "")], "");
    assert_eq!(
        (codes(&results), results[0].state.as_str()),
        (vec![0], "Uninstalled")
    );
    assert!(
        !rig.cpe
            .router
            .read("/usr/lib/opkg/status")
            .unwrap()
            .contains("hello")
    );
    rig.nothing_is_left();
    rig.finish();
}

#[test]
fn apk_installs_updates_and_removes_what_was_fetched() {
    let mut rig = apk_rig();
    let one = serve(&rig, "/hello-1.0-r1.apk", &apk("hello", "1.0-r1", ""));
    let two = serve(&rig, "/hello-1.1-r1.apk", &apk("hello", "1.1-r1", ""));
    let damaged = serve(&rig, "/hello-1.2-r1.apk", b"ADB.damaged");
    let needy = serve(&rig, "/needy-1.apk", &apk("needy", "1", "libnone"));
    let results = changed(
        &mut rig,
        &[
            install(&one, "", ""),
            install(&damaged, "", ""),
            install(&needy, "", ""),
        ],
        "",
    );
    assert_eq!(codes(&results), [0, 9018, 9001], "{results:#?}");
    let uuid = results[0].uuid.clone();
    let results = changed(
        &mut rig,
        &[
            update(&uuid, "", &two),
            update(&uuid, "", &one),
            update(&uuid, "", &two),
        ],
        "",
    );
    assert_eq!(codes(&results), [0, 9030, 9032], "{results:#?}");
    assert_eq!(
        codes(&changed(&mut rig, &[uninstall(&uuid, "", "")], "")),
        [0]
    );
    assert!(
        !rig.cpe
            .router
            .read("/lib/apk/db/installed")
            .unwrap()
            .contains("hello")
    );
    rig.finish();
}

#[test]
fn a_file_for_another_environment_is_told_apart() {
    let mut rig = opkg_rig();
    let package = serve(&rig, "/p.ipk", &ipk("p", "1", "libc"));
    let archive = serve(&rig, "/a", &module("a", "1"));
    let env = |n: u32| format!("Device.SoftwareModules.ExecEnv.{n}");
    let operations = [
        install(&package, "", &env(2)),
        install(&archive, "", &env(1)),
    ];
    assert_eq!(codes(&changed(&mut rig, &operations, "")), [9025, 9025]);
    rig.cpe.ok(&["set", &format!("{}.Enable=false", env(1))]);
    let operations = [install(&package, "", ""), install(&archive, "", "")];
    assert_eq!(codes(&changed(&mut rig, &operations, "")), [9024, 0]);
    rig.finish();
}

// T-DUS-009
#[test]
fn what_a_power_cut_interrupts_is_done_after_the_boot_and_told_of_once() {
    let mut rig = modules_rig("");
    let url = rig.files.url("/slow");
    let archive = module("slow", "1");
    rig.files.serve(
        "/slow",
        Served::bytes(archive.clone()).next(Trick::Stall(10)),
    );
    rig.ask(Script::of([change(&[install(&url, UUID, "")], "cut")]));
    wait_for(|| !rig.files.requests().is_empty());
    rig.reboot();
    let session = rig.next();
    assert_eq!(session.events()[0], "1 BOOT");
    // Told in this session or in the next one, once.
    let results = match results(&session) {
        found if found.is_empty() => results(&rig.next()),
        found => found,
    };
    assert_eq!((codes(&results), results[0].uuid.as_str()), (vec![0], UUID));
    rig.nothing_is_left();
    rig.reboot();
    assert_eq!(rig.next().events(), ["1 BOOT"]);
    rig.finish();
}

// T-DUS-008
#[test]
fn what_a_person_does_with_opkg_is_told_where_the_policy_wants_it() {
    let mut rig = opkg_rig();
    rig.cpe.edit("cpe", "autonomous_du_complete", "1");
    let package = rig.cpe.router.path("/tmp/hand.ipk");
    let by_hand = |rig: &Rig, arguments: &[&str]| {
        let opkg = rig.cpe.router.path("/bin/opkg");
        let ran = std::process::Command::new(opkg)
            .args(arguments)
            .env("CWMP_ROOT", rig.cpe.router.path("/"))
            .status();
        assert!(ran.expect("opkg").success());
        // Somebody else wakes the loop up sooner than its own tick.
        rig.cpe.status();
    };
    let file = package.display().to_string();
    std::fs::write(&package, ipk("hand", "1", "libc")).expect("a package");
    by_hand(&rig, &["install", &file]);
    let session = autonomous(&mut rig);
    let told = &results(&session)[0];
    assert_eq!(
        (told.performed.as_str(), told.code, told.version.as_str()),
        ("Install", 0, "1")
    );
    assert_eq!(told.unit, format!("{UNITS}1"));
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.Name")), "hand");
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.URL")), "");
    std::fs::write(&package, ipk("hand", "2", "libc")).expect("a package");
    by_hand(&rig, &["install", &file]);
    let told = &results(&autonomous(&mut rig))[0];
    assert_eq!(
        (told.performed.as_str(), told.version.as_str()),
        ("Update", "2")
    );
    by_hand(&rig, &["remove", "hand"]);
    let told = &results(&autonomous(&mut rig))[0];
    assert_eq!(
        (told.performed.as_str(), told.state.as_str()),
        ("Uninstall", "Uninstalled")
    );
    assert_eq!(told.unit, format!("{UNITS}1"));
    assert_eq!(
        rig.cpe
            .get("Device.SoftwareModules.DeploymentUnitNumberOfEntries"),
        "0"
    );
    rig.nothing_is_left();
    // What the policy does not want is a unit all the same.
    rig.cpe.edit("cpe", "autonomous_du_operations", "Update");
    rig.cpe.ok(&["status"]);
    by_hand(&rig, &["install", &file]);
    wait_for(|| {
        rig.cpe
            .get("Device.SoftwareModules.DeploymentUnitNumberOfEntries")
            == "1"
    });
    // Its Status is one that the ACS is told of when it is first seen.
    assert_eq!(rig.next().events(), ["4 VALUE CHANGE"]);
    rig.nothing_is_left();
    rig.finish();
}

/// The next session that tells of changes nobody asked for.
fn autonomous(rig: &mut Rig) -> SessionRecord {
    loop {
        let session = rig.next();
        if session
            .events()
            .contains(&"12 AUTONOMOUS DU STATE CHANGE COMPLETE")
        {
            return session;
        }
        assert_eq!(session.events(), ["4 VALUE CHANGE"]);
    }
}

// The example of docs/software-modules.md.
#[test]
fn a_vendor_adds_an_environment_of_programs() {
    let mut rig = vendor_rig();
    let url = serve(&rig, "/app", b"APP clock 3.1\n");
    let other = serve(&rig, "/other", b"something else");
    let results = changed(
        &mut rig,
        &[install(&url, "", ""), install(&other, "", "")],
        "",
    );
    assert_eq!(codes(&results), [0, 9018], "{results:#?}");
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.Version")), "3.1");
    assert_eq!(rig.cpe.get(&format!("{RUNS}1.Status")), "Active");
    assert_eq!(
        rig.cpe.get("Device.SoftwareModules.ExecEnv.1.Type"),
        "example-apps"
    );
    let newer = serve(&rig, "/app", b"APP clock 3.2\n");
    let uuid = results[0].uuid.clone();
    assert_eq!(
        codes(&changed(&mut rig, &[update(&uuid, "", &newer)], "")),
        [0]
    );
    assert_eq!(rig.cpe.get(&format!("{UNITS}1.Version")), "3.2");
    assert_eq!(
        codes(&changed(&mut rig, &[uninstall(&uuid, "", "")], "")),
        [0]
    );
    assert!(!rig.cpe.exists("/apps/clock"));
    rig.nothing_is_left();
    rig.finish();
}
