//! Rows of real UCI files: tables within tables, their numbers over edits by others,
//! restarts and upgrades, and what goes when a row goes.

mod router;
mod router_model;

use cwmp_agent::model::{AttributeItem, Fault, Model, SetError, SetItem, SetOutcome};
use cwmp_agent::source::builtin;
use cwmp_agent::uci::Package;
use router::Router;
use std::fs;

/// Streets, houses, floors and rooms: four tables, one within the other, with references
/// from row to row and from a table beside them.
const TOWN: &str = r#"
["Device.X_EXAMPLE_Street.{i}."]
rows   = { uci = "town", type = "street" }
access = "rw"
unique = [["Name"], ["Alias"]]
Alias = { type = "Alias", access = "rw", alias = true }
Name  = { type = "string", access = "rw", uci = "town.{row}.name" }

["Device.X_EXAMPLE_Street.{i}.House.{i}."]
rows   = { uci = "town", type = "house", parent = "street" }
access = "rw"
Name  = { type = "string", access = "rw", uci = "town.{row}.name" }
Entry = { type = "string", access = "rw", uci = "town.{row}.entry", reference = "Device.X_EXAMPLE_Street.{i}.House.{i}.Floor." }
Next  = { type = "string", access = "rw", uci = "town.{row}.next", reference = "Device.X_EXAMPLE_Street.{i}.House." }

["Device.X_EXAMPLE_Street.{i}.House.{i}.Floor.{i}."]
rows   = { uci = "town", type = "floor", parent = "house" }
access = "rw"
Name = { type = "string", access = "rw", uci = "town.{row}.name" }

["Device.X_EXAMPLE_Street.{i}.House.{i}.Floor.{i}.Room.{i}."]
rows     = { uci = "town", type = "room", parent = "floor" }
access   = "rw"
max_rows = 3
Alias = { type = "Alias", access = "rw", alias = true }
Name  = { type = "string", access = "rw", uci = "town.{row}.name", default = "empty" }

["Device.X_EXAMPLE_Key.{i}."]
rows   = { uci = "keys", type = "key" }
access = "rw"
Street  = { type = "string", access = "rw", uci = "keys.{row}.street", reference = "Device.X_EXAMPLE_Street." }
Streets = { type = "string", list = true, access = "rw", uci = "keys.{row}.streets", reference = "Device.X_EXAMPLE_Street." }
"#;

const STREET: &str = "Device.X_EXAMPLE_Street.";

fn town_files() -> Vec<(String, String)> {
    vec![("town.toml".to_owned(), TOWN.to_owned())]
}

fn shipped() -> Vec<(String, String)> {
    builtin::files()
}

fn router(files: &[(&str, &str)]) -> Router {
    let router = Router::new().expect("a folder for temporary files");
    for (name, text) in files {
        let path = format!("/etc/config/{name}");
        router.write(&path, text).expect("written");
    }
    router
}

fn start(router: &Router) -> Model {
    router_model::model(router, &town_files())
}

fn set(model: &mut Model, items: &[(&str, &str)]) -> Result<SetOutcome, SetError> {
    model.begin();
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|&(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    model.set(&items, Some("set"))
}

fn get(model: &mut Model, path: &str) -> Result<String, u16> {
    model.begin();
    let mut entries = model.get(&[path]).map_err(|fault| fault.code)?;
    assert_eq!(entries.len(), 1, "{path}");
    Ok(entries.remove(0).value)
}

/// `path=value` of all below a path.
fn tree(model: &mut Model, path: &str) -> Vec<String> {
    model.begin();
    let entries = model.get(&[path]).expect("a path that is there");
    entries
        .into_iter()
        .map(|e| format!("{}={}", e.path, e.value))
        .collect()
}

fn add(model: &mut Model, path: &str) -> Result<u32, u16> {
    model.begin();
    let added = model.add(path, Some("add"));
    added
        .map(|(number, _)| number)
        .map_err(|fault: Fault| fault.code)
}

fn delete(model: &mut Model, path: &str) -> Result<(), u16> {
    model.begin();
    let deleted = model.delete(path, Some("delete"));
    deleted.map(drop).map_err(|fault| fault.code)
}

fn kinds(router: &Router, package: &str) -> Vec<String> {
    let text = router
        .read(&format!("/etc/config/{package}"))
        .expect("there");
    let package = Package::parse(text.as_bytes()).expect("valid");
    let kinds = package.sections().iter().map(|s| s.kind().to_owned());
    kinds.collect()
}

// T-OBJ-001, T-OBJ-002, T-OBJ-006, T-OBJ-011, T-OBJ-012, OBJ-001 to OBJ-004, OBJ-008
#[test]
fn rows_are_added_four_tables_deep_and_numbered_in_each() {
    let router = router(&[
        ("town", "config street\n\toption name 'Main'\n"),
        ("keys", ""),
    ]);
    let mut model = start(&router);
    let (house, floor) = ("House.1.", "Floor.1.");
    // The first write gives the street a name; its own rows refer to it by that.
    set(
        &mut model,
        &[("Device.X_EXAMPLE_Street.1.Name", "Main Street")],
    )
    .expect("a name");
    assert_eq!(add(&mut model, &format!("{STREET}1.House.")), Ok(1));
    assert_eq!(add(&mut model, &format!("{STREET}1.{house}Floor.")), Ok(1));
    let rooms = format!("{STREET}1.{house}{floor}Room.");
    assert_eq!(add(&mut model, &rooms), Ok(1));
    assert_eq!(add(&mut model, &rooms), Ok(2));
    assert_eq!(
        get(&mut model, &format!("{rooms}2.Name")),
        Ok("empty".into())
    );
    assert_eq!(
        get(&mut model, &format!("{rooms}2.Alias")),
        Ok("cpe-2".into())
    );
    let count = format!("{STREET}1.{house}{floor}RoomNumberOfEntries");
    assert_eq!(get(&mut model, &count), Ok("2".into()));

    // Each table counts for itself, each row has its own.
    assert_eq!(add(&mut model, &format!("{STREET}1.House.")), Ok(2));
    assert_eq!(add(&mut model, &format!("{STREET}1.House.2.Floor.")), Ok(1));
    let other = format!("{STREET}1.House.2.Floor.1.Room.");
    assert_eq!(add(&mut model, &other), Ok(1));
    assert_eq!(get(&mut model, &count), Ok("2".into()));

    // Numbers of rows that went are not given again, nor after a restart.
    assert_eq!(delete(&mut model, &format!("{rooms}2.")), Ok(()));
    let mut model = start(&router);
    assert_eq!(add(&mut model, &rooms), Ok(3));
    assert_eq!(add(&mut model, &rooms), Ok(4));
    assert_eq!(add(&mut model, &rooms), Err(9004), "max_rows is 3");
    let before = tree(&mut model, STREET);
    assert_eq!(tree(&mut start(&router), STREET), before);
    assert_eq!(get(&mut model, &count), Ok("3".into()));
    assert_eq!(
        kinds(&router, "town"),
        [
            "street", "house", "floor", "room", "house", "floor", "room", "room", "room"
        ]
    );
}

// T-OBJ-003, T-OBJ-004, T-OBJ-005, T-OBJ-008, T-OBJ-009, T-OBJ-014, PKY-001, OBJ-005 to OBJ-007
#[test]
fn a_path_that_is_no_row_or_table_is_9005_at_every_depth_and_changes_nothing() {
    let town = "config street 's'\n\nconfig house 'h'\n\toption street 's'\n\nconfig floor 'f'\n\toption house 'h'\n\nconfig room 'r'\n\toption floor 'f'\n";
    let router = router(&[("town", town), ("keys", "")]);
    let mut model = start(&router);
    for path in [
        "1.House",
        "1.House.1.",
        "2.House.",
        "1.House.2.Floor.",
        "1.House.1.Floor.2.Room.",
        "1.House.1.Floor.1.Room.1.",
        "1.House.1.Floor.1.Room",
        "1.House.*.Floor.",
        "1.House.[h].Floor.",
        "0.House.",
        "01.House.",
        "1.Floor.",
        "House.",
        "1.House.1.Name",
    ] {
        let path = format!("{STREET}{path}");
        assert_eq!(add(&mut model, &path), Err(9005), "{path}");
    }
    for path in [
        "1",
        "2.",
        "1.House.",
        "1.House.1",
        "1.House.1.Name",
        "1.House.1.Floor.1.Room.2.",
        "1.House.2.Floor.1.",
        "1.House.1.Floor.*.",
        "",
    ] {
        let path = format!("{STREET}{path}");
        assert_eq!(delete(&mut model, &path), Err(9005), "{path}");
    }
    let long = "k".repeat(33);
    model.begin();
    let fault = model.delete("Device.X_EXAMPLE_Street.1.", Some(&long));
    assert_eq!(fault.expect_err("too long").code, 9003);
    assert_eq!(model.parameter_key(), "");
    assert_eq!(router.read("/etc/config/town").expect("there"), town);
    // Once, and then no more.
    let room = format!("{STREET}1.House.1.Floor.1.Room.1.");
    assert_eq!(delete(&mut model, &room), Ok(()));
    assert_eq!(model.parameter_key(), "delete");
    assert_eq!(delete(&mut model, &room), Err(9005));
}

// T-OBJ-007, T-OBJ-010, T-OBJ-015, T-DM-003, OBJ-006, OBJ-009, NOT-013
#[test]
fn a_row_takes_all_below_it_along_and_what_refers_to_it() {
    let mut town = String::new();
    for s in ["a", "b"] {
        town += &format!("config street '{s}'\n\toption name '{s}'\n\n");
        for h in 1..3 {
            town += &format!(
                "config house '{s}{h}'\n\toption street '{s}'\n\toption entry '{s}{h}f'\n\toption next '{s}{}' # door\n\n",
                3 - h
            );
            town += &format!("config floor '{s}{h}f'\n\toption house '{s}{h}'\n\n");
            for r in 1..3 {
                town += &format!("config room '{s}{h}r{r}'\n\toption floor '{s}{h}f'\n\n");
            }
        }
    }
    let keys = "config key 'one'\n\toption street 'a'\n\tlist streets 'b'\n\tlist streets 'a' # lost once\n\tlist streets 'b'\n\nconfig key 'two'\n\toption street 'b'\n\tlist streets 'a'\n";
    let router = router(&[("town", &town), ("keys", keys)]);
    let mut model = start(&router);
    let next = format!("{STREET}1.House.2.Next");
    assert_eq!(get(&mut model, &next), Ok(format!("{STREET}1.House.1")));
    let entry = format!("{STREET}1.House.2.Entry");
    assert_eq!(
        get(&mut model, &entry),
        Ok(format!("{STREET}1.House.2.Floor.1"))
    );
    let room = format!("{STREET}1.House.1.Floor.1.Room.2.Name");
    let watch = AttributeItem {
        path: room.clone(),
        notification: Some(2),
        access: None,
    };
    model
        .set_attributes(&[watch], false)
        .expect("it may be watched");

    assert_eq!(delete(&mut model, &format!("{STREET}1.House.1.")), Ok(()));
    assert!(model.notifying().iter().all(|w| w.path != room));
    assert_eq!(get(&mut model, &room), Err(9005));
    assert_eq!(get(&mut model, &next), Ok(String::new()));
    assert_eq!(
        get(&mut model, &entry),
        Ok(format!("{STREET}1.House.2.Floor.1"))
    );
    let count = format!("{STREET}1.HouseNumberOfEntries");
    assert_eq!(get(&mut model, &count), Ok("1".into()));
    // Those lines and no others.
    let of = |text: &str| town.find(text).expect("it is there");
    let wanted = town[..of("config house 'a1'")].to_owned() + &town[of("config house 'a2'")..];
    let wanted = wanted.replace("\toption next 'a1' # door\n", "");
    assert_eq!(router.read("/etc/config/town").expect("there"), wanted);
    assert_eq!(router.read("/etc/config/keys").expect("there"), keys);

    // The whole street, known to another package.
    let streets = "Device.X_EXAMPLE_Key.1.Streets";
    let (a, b) = ("Device.X_EXAMPLE_Street.1", "Device.X_EXAMPLE_Street.2");
    assert_eq!(get(&mut model, streets), Ok(format!("{b},{a},{b}")));
    model.begin();
    let reload = model.delete(&format!("{a}."), Some("k")).expect("a row");
    assert_eq!(reload, ["keys", "town"]);
    assert_eq!(get(&mut model, streets), Ok(format!("{b},{b}")));
    assert_eq!(
        get(&mut model, "Device.X_EXAMPLE_Key.1.Street"),
        Ok(String::new())
    );
    assert_eq!(
        get(&mut model, "Device.X_EXAMPLE_Key.2.Street"),
        Ok(b.into())
    );
    assert_eq!(
        get(&mut model, "Device.X_EXAMPLE_Key.2.Streets"),
        Ok(String::new())
    );
    let wanted = "config key 'one'\n\tlist streets 'b'\n\tlist streets 'b'\n\nconfig key 'two'\n\toption street 'b'\n";
    assert_eq!(router.read("/etc/config/keys").expect("there"), wanted);
    assert_eq!(kinds(&router, "town").len(), 9);

    // A street of the same name is another row.
    let text = "config street 'a'\n\toption name 'a'\n\n".to_owned()
        + &router.read("/etc/config/town").expect("there");
    router.write("/etc/config/town", &text).expect("written");
    let names = tree(&mut start(&router), STREET);
    assert!(names.contains(&format!("{STREET}3.Name=a")), "{names:?}");
    assert!(names.contains(&format!("{STREET}2.Name=b")), "{names:?}");
}

// T-OBJ-013, OBJ-004
#[test]
fn sections_that_others_rename_move_or_replace_leave_all_other_numbers_alone() {
    let section = |name: &str, text: &str| {
        format!("config street{name}\n\toption name '{text}'\n\toption a '{text}{text}'\n\n")
    };
    let first = section(" 'x'", "one")
        + &section("", "two")
        + &section("", "three")
        + &section(" 'y'", "four");
    let router = router(&[("town", &first), ("keys", "")]);
    let shown = || {
        let names = tree(&mut start(&router), STREET);
        let names = names.iter().filter_map(|line| line.strip_prefix(STREET));
        let names = names.filter(|line| line.contains(".Name="));
        names
            .map(|line| line.replace(".Name=", " "))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["1 one", "2 two", "3 three", "4 four"]);
    // Turned round, as a drag in LuCI's list does it.
    let turned = section(" 'y'", "four")
        + &section("", "three")
        + &section("", "two")
        + &section(" 'x'", "one");
    router.write("/etc/config/town", &turned).expect("written");
    assert_eq!(shown(), ["1 one", "2 two", "3 three", "4 four"]);
    // A section by another name is another row; its old number is not given again.
    let renamed = turned.replace("'x'", "'z'");
    router.write("/etc/config/town", &renamed).expect("written");
    assert_eq!(shown(), ["2 two", "3 three", "4 four", "5 one"]);
    router.write("/etc/config/town", &turned).expect("written");
    assert_eq!(
        shown(),
        ["1 one", "2 two", "3 three", "4 four"],
        "the very section is back"
    );
    // One without a name goes and one that is quite different comes in its place.
    let replaced = turned.replace("twotwo", "6").replace("'two'", "'six'");
    router
        .write("/etc/config/town", &replaced)
        .expect("written");
    assert_eq!(shown(), ["1 one", "3 three", "4 four", "6 six"]);
    // Our own write names those without names, where they stand.
    let mut model = start(&router);
    set(&mut model, &[("Device.X_EXAMPLE_Street.4.Name", "quatre")]).expect("a name");
    assert_eq!(shown(), ["1 one", "3 three", "4 quatre", "6 six"]);
    let text = router.read("/etc/config/town").expect("there");
    let named = replaced
        .replacen("config street\n", "config street 'cwmp_street_1'\n", 1)
        .replacen("config street\n", "config street 'cwmp_street_2'\n", 1);
    assert_eq!(text, named.replace("'four'", "'quatre'"));
}

// T-OBJ-016, T-ALI-003, OBJ-009
#[test]
fn unique_keys_and_aliases_hold_in_their_table_and_over_restarts() {
    let town = "config street 'x'\n\toption name 'one'\n\nconfig street 'y'\n\toption name 'two'\n";
    let router = router(&[("town", town), ("keys", "")]);
    let mut model = start(&router);
    let refused = |result: Result<SetOutcome, SetError>| match result {
        Err(SetError::Parameters(faults)) => faults.into_iter().map(|f| f.code).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let (one, two) = (
        "Device.X_EXAMPLE_Street.1.Name",
        "Device.X_EXAMPLE_Street.2.Name",
    );
    assert_eq!(refused(set(&mut model, &[(two, "one")])), [9007]);
    set(&mut model, &[(two, "one"), (one, "two")]).expect("they change places");
    let alias = "Device.X_EXAMPLE_Street.1.Alias";
    set(&mut model, &[(alias, "main")]).expect("a good alias");
    let other = "Device.X_EXAMPLE_Street.2.Alias";
    assert_eq!(refused(set(&mut model, &[(other, "main")])), [9007]);
    let mut model = start(&router);
    assert_eq!(get(&mut model, alias), Ok("main".into()));
    assert_eq!(get(&mut model, one), Ok("two".into()));
    // The alias goes with its row.
    assert_eq!(delete(&mut model, "Device.X_EXAMPLE_Street.1."), Ok(()));
    set(&mut model, &[(other, "main")]).expect("it is free again");
}

// T-PER-001, T-OBJ-012, T-ALI-007, PER-002
#[test]
fn an_upgrade_that_keeps_what_it_is_told_to_keep_keeps_everything() {
    let old = Router::new().expect("a folder for temporary files");
    let mut model = router_model::model(&old, &shipped());
    let table = "Device.NAT.PortMapping.";
    let number = add(&mut model, table).expect("a row");
    let row = format!("{table}{number}.");
    assert_eq!(delete(&mut model, &format!("{table}2.")), Ok(()));
    set(
        &mut model,
        &[
            (&format!("{row}Alias"), "mine"),
            (&format!("{row}Description"), "kept"),
            ("Device.ManagementServer.PeriodicInformInterval", "777"),
        ],
    )
    .expect("good values");
    let host = "Device.DeviceInfo.HostName";
    let watch = AttributeItem {
        path: host.to_owned(),
        notification: Some(2),
        access: None,
    };
    model
        .set_attributes(&[watch], false)
        .expect("it may be watched");
    let before = tree(&mut model, table);
    drop(model);

    // A new image: only the configuration and what the keep file names are carried over.
    let new = Router::new().expect("a folder for temporary files");
    let keep = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/init/openwrt/lib/upgrade/keep.d/cwmp-agent"
    );
    let keep = fs::read_to_string(keep).expect("shipped");
    for path in keep.lines().chain(["/etc/config"]) {
        carry(&old, &new, path);
    }
    let mut model = router_model::model(&new, &shipped());
    assert_eq!(tree(&mut model, table), before);
    assert_eq!(model.parameter_key(), "set");
    let interval = "Device.ManagementServer.PeriodicInformInterval";
    assert_eq!(get(&mut model, interval), Ok("777".into()));
    model.begin();
    let attributes = model.attributes(&[host]).expect("it is there");
    assert_eq!(attributes[0].notification, 2);
    assert_eq!(add(&mut model, table), Ok(number + 1));
}

/// Copies a file, or a folder with its files.
fn carry(old: &Router, new: &Router, path: &str) {
    let from = old.path(path);
    if from.is_file() {
        fs::copy(&from, new.path(path)).expect("copied");
    } else if from.is_dir() {
        fs::create_dir_all(new.path(path)).expect("made");
        for entry in fs::read_dir(&from).expect("a folder") {
            let name = entry.expect("readable").file_name();
            carry(old, new, &format!("{path}/{}", name.to_string_lossy()));
        }
    }
}

// T-DM-007, T-DM-002, GPV-002
#[test]
fn a_hundred_reads_of_the_whole_tree_while_others_write_its_files() {
    let router = Router::new().expect("a folder for temporary files");
    let mut model = router_model::model(&router, &shipped());
    let packages = ["network", "wireless", "firewall", "dhcp", "system"];
    let good = packages.map(|name| {
        let path = format!("/etc/config/{name}");
        (path.clone(), router.read(&path).expect("shipped"))
    });
    let whole = tree(&mut model, "Device.").len();
    for round in 0..100 {
        let (path, text) = &good[round % good.len()];
        let half = text.len() / 2 + text[text.len() / 2..].find('\n').expect("lines") + 1;
        let text = match round % 7 {
            0 => text[..half].to_owned(),
            1 => String::new(),
            2 => format!("{text}\nconfig 'open\n"),
            3 => text.replace("option", "list"),
            4 => format!(
                "{text}\nconfig interface 'i{round}'\n\toption proto 'dhcp'\n\nconfig redirect\n\toption name '{round}'\n"
            ),
            5 => text[half..].to_owned(),
            _ => text.clone(),
        };
        router.write(path, &text).expect("written");
        model.begin();
        let entries = model.get(&["Device."]).expect("what can be read is");
        let value = |path: &str| entries.iter().find(|e| e.path == path);
        if let Some(count) = value("Device.NAT.PortMappingNumberOfEntries") {
            let rows = entries.iter();
            let rows = rows.filter(|e| {
                e.path.starts_with("Device.NAT.PortMapping.") && e.path.ends_with(".Enable")
            });
            assert_eq!(count.value, rows.count().to_string());
        }
        assert!(value("Device.DeviceInfo.UpTime").is_some(), "round {round}");
    }
    for (path, text) in &good {
        router.write(path, text).expect("written");
    }
    assert_eq!(tree(&mut model, "Device.").len(), whole);
    assert!(model.troubles().is_empty(), "{:?}", model.troubles());
    let numbers = router
        .read("/etc/cwmp-agent/state/instances.json")
        .expect("written");
    assert!(numbers.len() < 64 * 1024, "{} bytes", numbers.len());
}

const HALL: &str = "config street\n\toption name 'Hall' # no name of its own\n\nconfig street\n\toption name 'Mill'\n";

// OBJ-001, DM-003
#[test]
fn a_reference_to_a_section_without_a_name_gives_it_one_in_the_same_change() {
    let keys = "config key 'one'\n\tlist streets 'gone'\n";
    let router = router(&[("town", HALL), ("keys", keys)]);
    let mut model = start(&router);
    let (hall, mill) = ("Device.X_EXAMPLE_Street.1", "Device.X_EXAMPLE_Street.2");
    assert_eq!(get(&mut model, &format!("{hall}.Name")), Ok("Hall".into()));
    let items = [
        ("Device.X_EXAMPLE_Key.1.Street", hall),
        (
            "Device.X_EXAMPLE_Key.1.Streets",
            "Device.X_EXAMPLE_Street.2,Device.X_EXAMPLE_Street.1",
        ),
    ];
    let outcome = set(&mut model, &items).expect("rows that are there");
    assert_eq!(outcome.reload, ["keys", "town"]);
    let wanted = "config key 'one'\n\tlist streets 'cwmp_street_2'\n\tlist streets 'cwmp_street_1'\n\toption street 'cwmp_street_1'\n";
    let mut lines: Vec<String> = router
        .read("/etc/config/keys")
        .expect("there")
        .lines()
        .map(str::to_owned)
        .collect();
    let mut expected: Vec<&str> = wanted.lines().collect();
    lines.sort();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let named = HALL
        .replacen("config street\n", "config street 'cwmp_street_1'\n", 1)
        .replacen("config street\n", "config street 'cwmp_street_2'\n", 1);
    assert_eq!(router.read("/etc/config/town").expect("there"), named);
    // It holds whatever the section says later, and after a restart.
    let other = named.replace("'Hall'", "'Town Hall'");
    router.write("/etc/config/town", &other).expect("written");
    for mut model in [model, start(&router)] {
        assert_eq!(
            get(&mut model, "Device.X_EXAMPLE_Key.1.Street"),
            Ok(hall.into())
        );
        let both = format!("{mill},{hall}");
        assert_eq!(get(&mut model, "Device.X_EXAMPLE_Key.1.Streets"), Ok(both));
        assert_eq!(
            get(&mut model, &format!("{hall}.Name")),
            Ok("Town Hall".into())
        );
    }
}

// T-OBJ-001, OBJ-001
#[test]
fn a_row_is_added_below_a_section_without_a_name() {
    let router = router(&[("town", HALL), ("keys", "")]);
    let mut model = start(&router);
    assert_eq!(add(&mut model, &format!("{STREET}2.House.")), Ok(1));
    let text = router.read("/etc/config/town").expect("there");
    assert!(
        text.contains("config street 'cwmp_street_2'\n\toption name 'Mill'"),
        "{text}"
    );
    assert!(
        text.ends_with("config house 'cwmp_house_1'\n\toption street 'cwmp_street_2'\n"),
        "{text}"
    );
    assert_eq!(add(&mut model, &format!("{STREET}2.House.1.Floor.")), Ok(1));
    let mut model = start(&router);
    assert_eq!(
        get(&mut model, &format!("{STREET}2.HouseNumberOfEntries")),
        Ok("1".into())
    );
    assert_eq!(
        get(&mut model, &format!("{STREET}1.HouseNumberOfEntries")),
        Ok("0".into())
    );
    assert_eq!(
        get(
            &mut model,
            &format!("{STREET}2.House.1.FloorNumberOfEntries")
        ),
        Ok("1".into())
    );
}

#[test]
fn text_that_only_looks_like_the_key_of_a_section_stays_text() {
    let router = router(&[("town", HALL), ("keys", "")]);
    let mut model = start(&router);
    let text = "#0123456789abcdef and #0123456789abcdef-2";
    set(
        &mut model,
        &[(
            "Device.X_EXAMPLE_Street.1.Name",
            "#0123456789abcdef and #0123456789abcdef-2",
        )],
    )
    .expect("a name");
    assert_eq!(
        get(&mut model, "Device.X_EXAMPLE_Street.1.Name"),
        Ok(text.into())
    );
}
