//! Device.WiFi of the shipped data model on the sample router: what a Set leaves a radio and
//! its stations with.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{expect, fresh, read, set};

const BANNED: &str = "\toption macfilter 'deny'\n\tlist maclist '02:AA:BB:CC:DD:EE'\n\tlist maclist '02:aa:bb:cc:dd:ef'\n";
const CONTROL: &str = "Device.WiFi.AccessPoint.3.MACAddressControlEnabled";
const ALLOWED: &str = "Device.WiFi.AccessPoint.3.AllowedMACAddress";

// T-SPV-015
#[test]
fn a_list_of_the_banned_is_none_of_the_allowed() {
    let (router, mut model) = fresh();
    expect(&mut model, &[(CONTROL, "false"), (ALLOWED, "")]);
    // What reads so already changes nothing.
    set(&mut model, &[(CONTROL, "false"), (ALLOWED, "")]).expect("as it is");
    assert!(read(&router, "wireless").contains(BANNED));
    // A list by itself lets nobody in that is banned.
    let station = "02:00:5E:00:53:01";
    set(&mut model, &[(ALLOWED, station)]).expect("a list");
    assert!(read(&router, "wireless").contains(BANNED));
    expect(&mut model, &[(CONTROL, "false"), (ALLOWED, station)]);
    set(&mut model, &[(CONTROL, "true")]).expect("control");
    let text = read(&router, "wireless");
    assert!(text.contains("\toption macfilter 'allow'\n"), "{text}");
    assert!(
        !text.contains("02:AA:BB:CC:DD:EE") && !text.contains("cwmp_maclist"),
        "{text}"
    );
    expect(&mut model, &[(CONTROL, "true"), (ALLOWED, station)]);
    set(&mut model, &[(CONTROL, "false")]).expect("no control");
    assert!(read(&router, "wireless").contains("\toption macfilter 'disable'\n"));
    expect(&mut model, &[(ALLOWED, station)]);
}

// T-SPV-015
#[test]
fn control_of_stations_comes_with_its_list_in_any_order() {
    let list = "02:00:5E:00:53:01,02:00:5E:00:53:02";
    for items in [
        [(CONTROL, "true"), (ALLOWED, list)],
        [(ALLOWED, list), (CONTROL, "true")],
    ] {
        let (router, mut model) = fresh();
        set(&mut model, &items).expect("control");
        let text = read(&router, "wireless");
        assert!(
            text.contains("\toption macfilter 'allow'\n\tlist maclist '02:00:5E:00:53:01'\n\tlist maclist '02:00:5E:00:53:02'\n"),
            "{text}"
        );
        expect(&mut model, &[(CONTROL, "true"), (ALLOWED, list)]);
    }
    // Without one it lets nobody in, the banned least.
    let (router, mut model) = fresh();
    set(&mut model, &[(CONTROL, "true")]).expect("control");
    assert!(!read(&router, "wireless").contains("maclist"));
    expect(&mut model, &[(CONTROL, "true"), (ALLOWED, "")]);
}
