//! The examples of data-model/README.md: every block of TOML with a name is a data-model
//! file, every block with a router's path is that file, and together they load.

mod router;
mod router_model;

use cwmp_agent::model::{Model, Schema, SetError, SetItem};
use cwmp_agent::source::builtin;
use std::collections::BTreeMap;

const README: &str = include_str!("../data-model/README.md");

/// The fenced blocks of one language whose first line is `# <what>: <name>`.
fn blocks(language: &str, what: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```").is_none_or(str::is_empty) {
            continue;
        }
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        let first = body.first().copied().unwrap_or_default();
        if line == format!("```{language}") {
            let name = first
                .strip_prefix(&format!("# {what}: "))
                .unwrap_or_else(|| panic!("a block of {language} says no name: {first}"));
            let before = found.insert(name.to_owned(), body.join("\n") + "\n");
            assert!(before.is_none(), "{name} stands there twice");
        }
    }
    found
}

/// The shipped files, then those of the page, as a router would read them.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = builtin::files();
    files.extend(blocks("toml", "data-model"));
    files
}

#[test]
fn the_examples_load_over_the_shipped_files() {
    let examples = blocks("toml", "data-model");
    assert_eq!(examples.len(), 5, "{:?}", examples.keys());
    if let Err(errors) = Schema::load(&files()) {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", all.join("\n"));
    }
}

#[test]
fn an_example_with_a_mistake_is_refused_with_its_line() {
    let mut files = files();
    let led = files
        .iter_mut()
        .find(|(name, _)| name == "x-example-led.toml")
        .expect("an example");
    led.1 = led.1.replace("access = \"rw\"", "acess = \"rw\"");
    let errors = Schema::load(&files).expect_err("a wrong key");
    let said = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    // The page shows this very message, up to the list of keys.
    let (shown, _) = said.split_once("write one of: type, access,").expect(&said);
    assert!(README.contains(shown), "{said}");
}

/// A sample router with the configuration of the page.
fn router() -> router::Router {
    let router = router::Router::new().expect("a folder for temporary files");
    for (path, text) in blocks("text", "router") {
        assert!(
            !router.path(&path).exists(),
            "{path} is on the sample router already"
        );
        router.write(&path, &text).expect("a writable copy");
    }
    router
}

fn read(model: &mut Model, path: &str) -> String {
    model.begin();
    let entries = model
        .get(&[path])
        .unwrap_or_else(|fault| panic!("{path}: {fault}"));
    entries[0].value.clone()
}

fn set(model: &mut Model, path: &str, value: &str) -> Result<Vec<String>, SetError> {
    model.begin();
    let item = SetItem {
        path,
        ty: None,
        value,
    };
    Ok(model.set(&[item], None)?.reload)
}

#[test]
fn the_examples_read_and_write_what_the_page_says() {
    let router = router();
    let mut files = files();
    files.retain(|(name, _)| name != "zz-example-override.toml");
    let mut model = router_model::model(&router, &files);

    assert_eq!(read(&mut model, "Device.X_EXAMPLE_LedNumberOfEntries"), "2");
    assert_eq!(read(&mut model, "Device.X_EXAMPLE_Led.2.Name"), "green-wan");
    set(&mut model, "Device.X_EXAMPLE_Led.2.Brightness", "128").expect("a light");
    assert_eq!(
        router
            .read("/sys/class/leds/green-wan/brightness")
            .expect("a light")
            .trim(),
        "128"
    );
    assert_eq!(read(&mut model, "Device.X_EXAMPLE_Led.2.Brightness"), "128");

    assert_eq!(
        read(&mut model, "Device.X_EXAMPLE_Bedtime.QuietTime"),
        "1800"
    );
    let reload = set(&mut model, "Device.X_EXAMPLE_Bedtime.QuietTime", "900").expect("minutes");
    assert_eq!(reload, ["bedtime"]);
    let config = router
        .read("/etc/config/bedtime")
        .expect("the configuration");
    assert!(config.contains("option quiet_minutes '15'"), "{config}");

    assert_eq!(
        read(&mut model, "Device.X_EXAMPLE_Bedtime.Device.1.Enable"),
        "false"
    );
    let until = "Device.X_EXAMPLE_Bedtime.Device.1.Until";
    match set(&mut model, until, "25:00") {
        Err(SetError::Parameters(faults)) => assert_eq!(faults[0].code, 9007),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&mut model, until), "07:00");
    model.begin();
    let (number, _) = model
        .add("Device.X_EXAMPLE_Bedtime.Device.", None)
        .expect("a row");
    let added = format!("Device.X_EXAMPLE_Bedtime.Device.{number}.");
    assert_eq!(read(&mut model, &format!("{added}Until")), "06:00");
    assert_eq!(read(&mut model, &format!("{added}Enable")), "false");

    let free = read(&mut model, "Device.X_EXAMPLE_Flash.Free");
    assert!(free.parse::<u64>().is_ok(), "{free:?}");
    assert_eq!(model.troubles(), []);
}

#[test]
fn a_later_file_overrides_an_earlier_one() {
    let router = router();
    let mut model = router_model::model(&router, &files());
    assert_eq!(
        read(&mut model, "Device.DeviceInfo.Description"),
        "Example Home Router"
    );
    model.begin();
    assert!(model.get(&["Device.DeviceInfo.HostName"]).is_err());
    assert_eq!(read(&mut model, "Device.DeviceInfo.UpTime"), "351735");
}

// T-FWB-001
#[test]
fn a_board_with_two_banks_boots_the_image_that_the_acs_chose_and_no_other() {
    let router = router();
    let mut model = router_model::model(&router, &files());
    let image = |n: u32| format!("Device.DeviceInfo.FirmwareImage.{n}");
    let boot = "Device.DeviceInfo.BootFirmwareImage";
    let active = "Device.DeviceInfo.ActiveFirmwareImage";
    let count = "Device.DeviceInfo.FirmwareImageNumberOfEntries";
    assert_eq!(read(&mut model, count), "2");
    assert_eq!(read(&mut model, &format!("{}.Version", image(2))), "2.0.3");
    assert_eq!(read(&mut model, active), image(1));
    assert_eq!(read(&mut model, boot), image(1));
    assert_eq!(
        set(&mut model, boot, &image(2)).expect("it is there"),
        ["firmware"]
    );
    let config = router
        .read("/etc/config/firmware")
        .expect("the configuration");
    assert!(config.contains("option bank 'b'"), "{config}");
    assert_eq!(read(&mut model, boot), image(2));
    // After the reboot.
    let now = "ACTIVE=b\nNEXT=b\n";
    router.write("/var/run/firmware/boot", now).expect("a boot");
    assert_eq!(read(&mut model, active), image(2));

    std::fs::remove_file(router.path("/var/run/firmware/bank/a/info")).expect("an image");
    for gone in [image(1), image(3)] {
        match set(&mut model, boot, &gone) {
            Err(SetError::Parameters(faults)) => assert_eq!(faults[0].code, 9007),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read(&mut model, boot), image(2));
}

// T-FWB-001
#[test]
fn a_board_with_one_bank_boots_what_runs() {
    let router = router();
    let shipped: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| !name.contains("example"))
        .collect();
    let mut model = router_model::model(&router, &shipped);
    let boot = "Device.DeviceInfo.BootFirmwareImage";
    let running = "Device.DeviceInfo.FirmwareImage.1";
    assert_eq!(read(&mut model, boot), running);
    set(&mut model, boot, running).expect("it boots this one anyhow");
    for other in [
        "Device.DeviceInfo.FirmwareImage.2",
        "Device.IP.Interface.1",
        "",
    ] {
        match set(&mut model, boot, other) {
            Err(SetError::Parameters(faults)) => assert_eq!(faults[0].code, 9007),
            other => panic!("{other:?}"),
        }
    }
}
