//! `[apply] confirm_within`: a Set of the ACS that cuts the line to the ACS is taken back.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const NTP: &str = "Device.Time.NTPServer1";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const RECORD: &str = "/etc/cwmp-agent/state/trial";

fn set(values: &[(&str, &str)], key: &str) -> Script {
    let values: Vec<_> = values.iter().map(|(n, v)| (*n, "string", *v)).collect();
    Script::of([set_values(&values, key)])
}

/// A router that has had its first session, with this `[apply]`.
fn router(acs: &Acs, apply: &str) -> Cpe {
    let mut cpe = Cpe::new(&acs.url());
    cpe.without_ticks();
    cpe.without_listener();
    cpe.agent_toml(apply);
    cpe.start();
    complete(acs, 1);
    cpe
}

fn complete(acs: &Acs, number: u32) -> SessionRecord {
    let session = acs.wait_session(number, PATIENCE).expect("a session");
    assert!(session.complete(), "{number}: {:?}", session.end);
    session
}

/// After this session the ACS cannot be spoken to, but from the one after `until` on.
fn cut_the_line_after(acs: &Acs, session: u32, until: u32) {
    for session in session + 1..=until {
        let inform = When::In { session, post: 1 };
        acs.push_rule(Rule::once(inform, Trouble::status(503)));
    }
}

fn reloads(cpe: &Cpe) -> Vec<String> {
    let text = cpe.router.read("/tmp/reloads").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_cuts_the_line_comes_back_is_reloaded_and_told() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let cpe = router(&acs, "[apply]\nconfirm_within = 2");
    let before = cpe.router.read("/etc/config/wireless").unwrap();
    let old = cpe.get(SSID);
    let key = cpe.get(KEY);
    acs.push_session(Script::of([
        set_notification(&[(SSID, 1)]),
        set_values(
            &[(SSID, "string", "cut off"), (NTP, "string", "ntp.far")],
            "new",
        ),
    ]));
    // The Inform that is to prove it; the one that tells that it is back gets through.
    cut_the_line_after(&acs, 2, 3);
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    cpe.wait_text("/etc/config/wireless", |text| text == before);
    cpe.wait_status(|told| told["trial_until"].is_null());
    assert_eq!(
        (cpe.get(SSID), cpe.get(KEY), cpe.get(NTP) == "ntp.far"),
        (old.clone(), key, false)
    );
    assert_eq!(
        reloads(&cpe),
        ["system", "wireless", "system", "wireless"],
        "{}",
        cpe.log()
    );
    assert!(!cpe.exists(RECORD));
    // ParameterKey was not there before; that it is gone undoes nothing of anybody's.
    assert!(!cpe.log().contains("may undo"), "{}", cpe.log());
    let told = complete(&acs, 4);
    let inform = told.inform.inform.as_ref().unwrap();
    assert!(told.events().contains(&"4 VALUE CHANGE"), "{inform:?}");
    let value = told.inform.values.iter().find(|p| p.name == SSID);
    assert_eq!(value.map(|p| p.value.as_str()), Some(old.as_str()));
    acs.finish().unwrap();
}

#[test]
fn a_session_in_time_proves_the_change_and_it_stays() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([]))).unwrap();
    let cpe = router(&acs, "[apply]\nconfirm_within = 20");
    acs.push_session(set(&[(SSID, "as wanted")], "new"));
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    // The agent asks for the session itself.
    let proof = complete(&acs, 3);
    assert_eq!(proof.events(), ["2 PERIODIC"]);
    cpe.wait_status(|told| told["trial_until"].is_null());
    assert!(!cpe.exists(RECORD));
    assert_eq!(cpe.get(SSID), "as wanted");
    assert_eq!(cpe.get(KEY), "new");
    acs.finish().unwrap();
}

#[test]
fn nothing_is_on_trial_by_default_nor_where_no_network_is_touched() {
    for (apply, value) in [
        ("", (SSID, "elsewhere")),
        ("[apply]\nconfirm_within = 20", (NTP, "ntp.x")),
    ] {
        let acs = Acs::start(AcsConfig::default()).unwrap();
        let cpe = router(&acs, apply);
        acs.push_session(set(&[value], "new"));
        cpe.ok(&["inform"]);
        complete(&acs, 2);
        cpe.wait_text("/tmp/reloads", |text| !text.is_empty());
        assert!(!cpe.exists(RECORD));
        let told = cpe.wait_status(|told| told["running_since"].is_null());
        assert!(told["trial_until"].is_null());
        acs.finish().unwrap();
    }
}

#[test]
fn what_a_person_sets_is_no_trial_and_what_somebody_edited_since_stays() {
    let acs = Acs::start(AcsConfig::default()).unwrap();
    let cpe = router(&acs, "[apply]\nconfirm_within = 2");
    cpe.ok(&["set", &format!("{SSID}=by hand")]);
    assert!(!cpe.exists(RECORD));
    acs.push_session(set(&[(SSID, "cut off"), (NTP, "ntp.far")], "new"));
    cut_the_line_after(&acs, 2, 9);
    cpe.ok(&["inform"]);
    complete(&acs, 2);
    let text = cpe.router.read("/etc/config/wireless").unwrap();
    let edited = format!("{text}\n# a person was here\n");
    cpe.router.write("/etc/config/wireless", &edited).unwrap();
    cpe.wait_text("/tmp/log", |log| log.contains("edited since"));
    cpe.wait_status(|told| told["trial_until"].is_null());
    assert_eq!(cpe.router.read("/etc/config/wireless").unwrap(), edited);
    assert_ne!(cpe.get(NTP), "ntp.far");
    acs.finish().unwrap();
}

#[test]
fn the_trial_goes_on_after_a_crash_and_after_a_boot() {
    for boot in [false, true] {
        let acs = Acs::start(AcsConfig::default()).unwrap();
        let mut cpe = router(&acs, "[apply]\nconfirm_within = 3");
        let before = cpe.router.read("/etc/config/wireless").unwrap();
        acs.push_session(set(&[(SSID, "cut off")], "new"));
        cut_the_line_after(&acs, 2, 9);
        cpe.ok(&["inform"]);
        complete(&acs, 2);
        cpe.crash();
        if boot {
            cpe.new_boot();
        }
        assert!(cpe.exists(RECORD));
        cpe.start();
        cpe.wait_text("/etc/config/wireless", |text| text == before);
        cpe.wait_status(|told| told["trial_until"].is_null());
        assert!(!cpe.exists(RECORD));
        acs.finish().unwrap();
    }
}
