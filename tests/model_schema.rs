//! Data-model files: what they may say, and what every mistake is told.

use cwmp_agent::model::binding::{Binding, Rows};
use cwmp_agent::model::schema::Notify;
use cwmp_agent::model::{Schema, SchemaError, ValueType};

fn load(files: &[(&str, &str)]) -> Result<Schema, Vec<SchemaError>> {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .collect();
    Schema::load(&files)
}

/// Line and text of every error of one file.
fn errors(text: &str) -> Vec<(u32, String)> {
    match load(&[("a.toml", text)]) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|e| (e.line, e.what)).collect(),
    }
}

const GOOD: &str = r#"
["Device.Time."]
Enable     = { type = "boolean", access = "rw", uci = "system.ntp.enabled", default = "1" }
NTPServer1 = { type = "string", max_length = 64, access = "rw", uci = { at = "system.ntp.server", item = 1, create = "timeserver" } }
Status     = { type = "string", enum = ["Disabled", "Synchronized"], native = "time_status", notify = "deny" }

["Device.NAT.PortMapping.{i}."]
rows   = { uci = "firewall", type = "redirect", only = { target = "DNAT" }, new = { target = "DNAT", enabled = "0" } }
access = "rw"
max_rows = 64
unique = [["Alias"]]
reload = ["firewall", "upnpd"]
Enable   = { type = "boolean", access = "rw", uci = "firewall.{row}.enabled" }
Alias    = { type = "Alias", access = "rw", alias = true }
Protocol = { type = "string", enum = ["TCP", "UDP"], access = "rw", uci = "firewall.{row}.proto", map = { TCP = "tcp", UDP = "udp" } }

["Device.DeviceInfo.MemoryStatus."]
Total = { type = "unsignedInt", proc = { path = "/proc/meminfo", key = "MemTotal", field = 1 }, scale = "1/1" }

["Device.Ethernet.Interface.{i}."]
rows = { dir = "/sys/class/net", with = "device", without = "wireless", except = ["lo"] }
["Device.Ethernet.Interface.{i}.Stats."]
BytesSent = { type = "StatsCounter64", sysfs = "/sys/class/net/{row}/statistics/tx_bytes" }
Load      = { type = "string", list = { max_items = 3, max_length = 40 }, max_length = 8, command = { argv = ["/bin/load", "{row1}"], line = 1 } }
"#;

#[test]
fn a_good_file_becomes_a_tree() {
    let schema = load(&[("a.toml", GOOD)]).unwrap();
    let objects: Vec<String> = schema.objects().map(|o| o.path()).collect();
    assert_eq!(
        objects,
        [
            "Device.",
            "Device.DeviceInfo.",
            "Device.DeviceInfo.MemoryStatus.",
            "Device.Ethernet.",
            "Device.Ethernet.Interface.{i}.",
            "Device.Ethernet.Interface.{i}.Stats.",
            "Device.NAT.",
            "Device.NAT.PortMapping.{i}.",
            "Device.Time.",
        ]
    );
    let table = schema
        .objects()
        .find(|o| o.path() == "Device.NAT.PortMapping.{i}.")
        .unwrap();
    assert!(table.is_table() && table.writable() && table.max_rows() == Some(64));
    assert!(matches!(table.rows(), Some(Rows::Uci(_))));
    let enable = schema.parameter("Device.Time.Enable").unwrap();
    assert_eq!(
        (enable.type_name(), enable.default()),
        ("boolean", Some("true"))
    );
    assert!(enable.writable());
    let Some(Binding::Uci(at)) = schema
        .parameter("Device.Time.NTPServer1")
        .unwrap()
        .binding()
        .cloned()
    else {
        panic!("bound to UCI");
    };
    assert_eq!(
        (&*at.section, at.item, at.create.as_deref()),
        ("ntp", Some(1), Some("timeserver"))
    );
    let status = schema.parameter("Device.Time.Status").unwrap();
    assert_eq!(status.notify(), Notify::CanDeny);
    assert_eq!(status.facets().enumeration.len(), 2);
    let count = schema
        .parameter("Device.NAT.PortMappingNumberOfEntries")
        .unwrap();
    assert!(count.counts_entries() && !count.writable());
    assert_eq!(count.value_type(), ValueType::UnsignedInt);
    let load = schema
        .parameter("Device.Ethernet.Interface.{i}.Stats.Load")
        .unwrap();
    assert_eq!(load.facets().list.unwrap().max_items, Some(3));
    assert_eq!(load.facets().max_length(), Some(8));
    assert!(
        schema
            .parameter("Device.Ethernet.Interface.Stats.Load")
            .is_none()
    );
    assert_eq!(schema.parameters().count(), 11);
}

#[test]
fn later_files_override_earlier_ones() {
    let vendor = r#"
["Device.Time."]
remove = ["Status"]
Enable = { type = "boolean", constant = "false" }
X_VENDOR_Extra = { type = "string", memory = "x" }
"#;
    let schema = load(&[("a.toml", GOOD), ("b.toml", vendor)]).unwrap();
    assert!(!schema.parameter("Device.Time.Enable").unwrap().writable());
    assert!(schema.parameter("Device.Time.Status").is_none());
    assert!(schema.parameter("Device.Time.X_VENDOR_Extra").is_some());
    assert!(schema.parameter("Device.Time.NTPServer1").is_some());
}

#[test]
fn all_mistakes_of_all_files_are_told_with_their_lines() {
    let a = "[\"Device.A.\"]\nOne = { type = \"strin\", memory = \"a\" }\nTwo = { type = \"int\", min = 5, max = 3, memory = \"b\" }\n";
    let b = "[\"Device.B.\"]\nenable = true\n\nThree = { type = \"string\" }\n";
    let errors = load(&[("a.toml", a), ("b.toml", b)]).unwrap_err();
    let places: Vec<(&str, u32)> = errors.iter().map(|e| (e.file.as_str(), e.line)).collect();
    assert_eq!(
        places,
        [("a.toml", 2), ("a.toml", 3), ("b.toml", 2), ("b.toml", 4)],
        "{errors:#?}"
    );
    assert!(
        errors[0]
            .to_string()
            .starts_with("a.toml:2: Device.A.One: type: strin is unknown; write one of: string,")
    );
}

#[test]
fn each_mistake_names_its_mend() {
    let param = |rest: &str| format!("[\"Device.A.\"]\n\nX = {{ {rest} }}\n");
    let table = |rest: &str| format!("[\"Device.A.{{i}}.\"]\n{rest}\n");
    let rows = "rows = { uci = \"a\", type = \"b\" }";
    for (text, line, part) in [
        ("x = 1".to_owned(), 1, "write it in quotes and with a dot"),
        ("[Device.Time]\nEnable = 1".to_owned(), 1, "no object path"),
        ("[\"Foo.\"]".to_owned(), 1, "one root"),
        ("[\"Device.{i}.\"]".to_owned(), 1, "names of letters"),
        ("[\"Device.A B.\"]".to_owned(), 1, "names of letters"),
        ("[\"Device.A.\"\n".to_owned(), 1, "is no TOML"),
        ("[\"Device.A.\"]\nX = { type = \"int\", memory = \"a\" }\nX = { type = \"int\", memory = \"a\" }".to_owned(), 3, "is no TOML"),
        (param("memory = \"a\""), 3, "has no type"),
        (param("type = \"int\""), 3, "has no source"),
        (param("type = \"int\", memory = \"a\", constant = \"1\""), 3, "one source"),
        (param("type = \"int\", memory = \"a\", min_lenght = 1"), 3, "unknown key min_lenght"),
        (param("type = \"int\", memory = \"a\", default = \"x\""), 3, "default: \"x\" is no integer"),
        (param("type = \"int\", constant = \"x\""), 3, "constant: \"x\" is no integer"),
        (param("type = \"int\", access = \"rw\", constant = \"1\""), 3, "a constant cannot be written"),
        (param("type = \"int\", access = \"rw\", command = { argv = [\"/x\"] }"), 3, "command's output"),
        (param("type = \"int\", access = \"write\", memory = \"a\""), 3, "\"ro\" or \"rw\""),
        (param("type = \"int\", command = { argv = [\"x\"] }"), 3, "absolute path"),
        (param("type = \"int\", file = \"etc/x\""), 3, "begin it with /"),
        (param("type = \"int\", file = \"/etc/../x\""), 3, "without .."),
        (param("type = \"int\", proc = \"/sys/x\""), 3, "begin it with /proc/"),
        (param("type = \"int\", uci = \"a.b\""), 3, "package.section.option"),
        (param("type = \"int\", uci = \"a.@b[x].c\""), 3, "package.section.option"),
        (param("type = \"int\", uci = \"a.{row}.c\""), 3, "asks for row 1 of 0"),
        (param("type = \"int\", uci = \"a.{rowx}.c\""), 3, "broken placeholder"),
        (param("type = \"int\", memory = \"a\", max_length = 3"), 3, "has no length"),
        (param("type = \"string\", memory = \"a\", max = 3"), 3, "no number"),
        (param("type = \"string\", memory = \"a\", pattern = \"(\""), 3, "without its )"),
        (param("type = \"string\", memory = \"a\", enum = [\"A\", \"A\"]"), 3, "twice"),
        (param("type = \"int\", memory = \"a\", enum = [\"A\"]"), 3, "is no integer"),
        (param("type = \"string\", memory = \"a\", enum = [\"A\"], map = { B = \"b\" }"), 3, "map: \"B\" is not one of: A"),
        (param("type = \"string\", access = \"rw\", memory = \"a\", enum = [\"A\", \"B\"], map = { A = \"b\" }"), 3, "map lacks \"B\""),
        (param("type = \"string\", memory = \"a\", map = { A = \"b\", B = \"b\" }"), 3, "two values stand for"),
        (param("type = \"string\", memory = \"a\", scale = \"2\""), 3, "scale is for numbers"),
        (param("type = \"int\", memory = \"a\", scale = \"1/0\""), 3, "is no ratio"),
        (param("type = \"int\", memory = \"a\", notify = \"on\""), 3, "\"forced\""),
        (param("type = \"string\", memory = \"a\", reference = \"Device.B.\""), 3, "there is no table Device.B."),
        (param("type = \"string\", memory = \"a\", reads = \"x\""), 3, "reads is for commands"),
        (param("type = \"Alias\", access = \"rw\", alias = true"), 3, "row of a table"),
        (param("type = \"string\", memory = \"a\", max_items = 2"), 3, "add list = true"),
        (param("type = \"string\", uci = { at = \"a.b.c\", words = true }"), 3, "add list = true"),
        ("[\"Device.A.\"]\nrows = { fixed = [\"1\"] }".to_owned(), 2, "belongs to a table"),
        ("[\"Device.A.\"]\nordered = [[\"X\"]]".to_owned(), 2, "write pairs"),
        (table(""), 1, "has no rows"),
        (table("rows = { other = 1 }"), 2, "has no form"),
        (table("rows = { fixed = [\"1\", \"1\"] }"), 2, "different keys"),
        (table("rows = { dir = \"x\" }"), 2, "absolute path"),
        (table("rows = { fixed = [\"1\"] }\naccess = \"rw\""), 3, "needs rows in uci"),
        (table(&format!("{rows}\nmax_rows = 3")), 3, "add access"),
        (table(&format!("{rows}\nunique = [[\"No\"]]")), 3, "no parameter No"),
        (table(&format!("{rows}\nnumbers = \"mine\"")), 3, "\"kept\" or \"key\""),
        (table(&format!("{rows}\nX = {{ type = \"int\", uci = \"a.{{row2}}.c\" }}")), 3, "asks for row 2 of 1"),
        (format!("{}[\"Device.\"]\nANumberOfEntries = {{ type = \"int\", memory = \"a\" }}", table(rows)), 4, "exists by itself"),
        (format!("{}[\"Device.A.\"]\nX = {{ type = \"int\", memory = \"a\" }}", table(rows)), 1, "both a table and a single object"),
    ] {
        let found = errors(&text);
        let hit = found.iter().any(|(l, what)| *l == line && what.contains(part));
        assert!(hit, "{text}\n{line} {part}\n{found:#?}");
    }
}

#[test]
fn one_mistake_is_told_once() {
    // What was not read is not missed elsewhere.
    let text = "[\"Device.A.{i}.\"]\nrows = { uci = \"a\", type = \"\" }\nunique = [[\"X\"]]\nX = { type = \"strin\", uci = \"a.{row}.x\" }\n";
    assert_eq!(errors(text).len(), 2, "{:#?}", errors(text));
}

#[test]
fn references_may_pass_through_the_rows_around_them() {
    let base = r#"
["Device.A.{i}."]
rows = { fixed = ["1"] }
["Device.A.{i}.B.{i}."]
rows = { fixed = ["1"] }
["Device.A.{i}.C.{i}."]
rows = { fixed = ["1"] }
Ref = { type = "string", memory = "a{row1}{row2}", reference = ["Device.A.{i}.B.", "Device.A."] }
"#;
    let schema = load(&[("a.toml", base)]).unwrap();
    let refs = schema
        .parameter("Device.A.{i}.C.{i}.Ref")
        .unwrap()
        .references();
    assert_eq!(refs, ["Device.A.{i}.B.{i}.", "Device.A.{i}."]);
    let outside = format!(
        "{base}[\"Device.D.\"]\nRef = {{ type = \"string\", memory = \"d\", reference = \"Device.A.{{i}}.B.\" }}\n"
    );
    assert!(errors(&outside)[0].1.contains("not around this parameter"));
}

#[test]
fn hostile_files_end_in_errors() {
    let deep = format!("x = {}", "[".repeat(20_000));
    let wide = "[\"Device.A.\"]\n".to_owned() + &"B = 1\n".repeat(5_000);
    let nested = format!(
        "[\"Device.{}\"]\nrows = {{ fixed = [\"1\"] }}",
        "A.{i}.".repeat(20)
    );
    for text in [
        deep.as_str(),
        &wide,
        &nested,
        "\u{0}",
        "\"",
        "[[]]",
        "[\"Device.\"]\nA = { type = { } }",
    ] {
        let found = errors(text);
        assert!(!found.is_empty() && found.len() <= 200);
    }
}
