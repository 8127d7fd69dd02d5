//! The UCI source on real files: what it reads, how it knows rows, and how it changes
//! files that others change too.

mod scratch;

use cwmp_agent::model::binding::{Binding, Rows, Text, UciAt, UciRows};
use cwmp_agent::model::source::{Ask, Journal, Prepared, Raw, Refusal, Row, Source, Trouble};
use cwmp_agent::source::Limits;
use cwmp_agent::source::uci::UciSource;
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use scratch::Scratch;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const WIRELESS: &str = "\
# the house
config wifi-device 'radio0'
\toption channel '36'

config wifi-iface
\toption device 'radio0'
\toption mode 'ap'
\toption ssid 'home'   # named by grandma

config wifi-iface 'guest'
\toption device 'radio1'
\toption mode 'ap'
\toption ssid 'guests'

config wifi-iface
\toption device 'radio0'
\toption mode 'sta'
\toption ssid 'uplink'
";

const SYSTEM: &str = "\
config system
\toption hostname 'OpenWrt'
\toption timezone 'UTC'

config timeserver 'ntp'
\toption enabled '1'
\tlist server '0.pool'
\tlist server '1.pool'
";

struct Box_ {
    t: Scratch,
    s: UciSource,
}

fn router() -> Box_ {
    let t = Scratch::new();
    t.file("etc/config/wireless", WIRELESS);
    t.file("etc/config/system", SYSTEM);
    let s = UciSource::new(Root::new(t.dir()).unwrap(), Limits::default());
    Box_ { t, s }
}

fn at(path: &str) -> UciAt {
    let mut parts = path.splitn(3, '.');
    let mut next = || parts.next().unwrap().into();
    UciAt {
        package: next(),
        section: next(),
        option: next(),
        ..UciAt::default()
    }
}

fn item(path: &str, n: u32) -> UciAt {
    UciAt {
        item: Some(n),
        ..at(path)
    }
}

fn table(package: &str, kind: &str) -> UciRows {
    UciRows {
        package: package.into(),
        section_type: kind.into(),
        ..UciRows::default()
    }
}

fn pairs(list: &[(&str, &str)]) -> Box<[(Text, Text)]> {
    list.iter()
        .map(|(a, b)| ((*a).into(), (*b).into()))
        .collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

fn text(t: &str) -> Option<Raw> {
    Some(Raw::Text(t.into()))
}

fn list(items: &[&str]) -> Option<Raw> {
    Some(Raw::List(strings(items)))
}

impl Box_ {
    fn try_read(&mut self, at: UciAt, rows: &[&str]) -> Result<Option<Raw>, Trouble> {
        let binding = Binding::Uci(Box::new(at));
        self.s
            .read(&[Ask {
                binding: &binding,
                rows: &strings(rows),
            }])
            .remove(0)
    }
    fn read(&mut self, path: &str, rows: &[&str]) -> Option<Raw> {
        self.try_read(at(path), rows).unwrap()
    }
    fn stage(&mut self, at: UciAt, rows: &[&str], value: Option<Raw>) -> Result<(), Refusal> {
        let binding = Binding::Uci(Box::new(at));
        self.s.stage(
            Ask {
                binding: &binding,
                rows: &strings(rows),
            },
            value,
        )
    }
    fn rows(&mut self, rows: &UciRows, parents: &[&str]) -> Vec<Row> {
        self.s
            .rows(&Rows::Uci(Arc::new(rows.clone())), &strings(parents))
            .unwrap()
    }
    fn keys(&mut self, rows: &UciRows, parents: &[&str]) -> Vec<String> {
        self.rows(rows, parents)
            .into_iter()
            .map(|r| r.key)
            .collect()
    }
    /// Prepare, write through the journal, finish.
    fn commit(&mut self) -> Prepared {
        let prepared = self.s.prepare().unwrap();
        let state = StateDir::open(&self.t.path("state")).unwrap();
        DiskJournal::new(state).commit(&prepared.files).unwrap();
        self.s.finish(true);
        self.s.begin();
        prepared
    }
    fn file(&self, package: &str) -> String {
        self.t.read(&format!("etc/config/{package}"))
    }
}

#[test]
fn values_are_read_by_name_by_number_and_by_row() {
    let mut b = router();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("36"));
    assert_eq!(b.read("wireless.@wifi-iface[0].ssid", &[]), text("home"));
    assert_eq!(b.read("wireless.@wifi-iface[-1].ssid", &[]), text("uplink"));
    assert_eq!(b.read("wireless.{row}.ssid", &["guest"]), text("guests"));
    assert_eq!(
        b.read("system.ntp.server", &[]),
        list(&["0.pool", "1.pool"])
    );
    assert_eq!(
        b.try_read(item("system.ntp.server", 2), &[]),
        Ok(text("1.pool"))
    );
    assert_eq!(b.try_read(item("system.ntp.server", 3), &[]), Ok(None));
    assert_eq!(
        b.try_read(item("system.ntp.enabled", 1), &[]),
        Ok(text("1"))
    );
    assert_eq!(b.read("system.ntp.none", &[]), None);
    assert_eq!(b.read("system.none.x", &[]), None);
    assert_eq!(b.read("absent.section.option", &[]), None);
}

#[test]
fn a_broken_file_is_trouble_with_its_line_and_the_others_work() {
    let mut b = router();
    b.t.file(
        "etc/config/wireless",
        "config wifi-device 'radio0'\n\toption channel '36\n",
    );
    let told = b.try_read(at("wireless.radio0.channel"), &[]).unwrap_err();
    assert_eq!(told.source, "uci wireless");
    assert!(
        told.what.contains("etc/config/wireless") && told.what.contains("line "),
        "{told}"
    );
    assert!(
        b.s.rows(&Rows::Uci(Arc::new(table("wireless", "wifi-iface"))), &[])
            .is_err()
    );
    assert!(matches!(
        b.stage(at("wireless.radio0.channel"), &[], text("1")),
        Err(Refusal::Trouble(_))
    ));
    assert_eq!(b.read("system.ntp.enabled", &[]), text("1"));
    assert!(b.s.prepare().unwrap().files.is_empty());
    b.s.finish(false);
    b.t.file("etc/config/wireless", WIRELESS);
    b.s.begin();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("36"));
    for evil in ["../passwd", "a/b", ".."] {
        let at = UciAt {
            package: evil.into(),
            ..at("x.y.z")
        };
        assert!(b.try_read(at, &[]).is_err());
    }
}

#[test]
fn a_parsed_file_is_kept_while_it_stands_and_an_edit_is_seen_in_the_next_request() {
    let mut b = router();
    let path = b.t.path("etc/config/wireless");
    let old = SystemTime::now() - Duration::from_secs(100);
    let set_time = |at| {
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    set_time(old);
    b.s.begin();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("36"));
    b.t.file("etc/config/wireless", &WIRELESS.replace("'36'", "'40'"));
    assert_eq!(
        b.read("wireless.radio0.channel", &[]),
        text("36"),
        "one request sees one state"
    );
    b.s.begin();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("40"));
    // Written again at once, of the same size: seen although the clock may not have moved.
    b.t.file("etc/config/wireless", &WIRELESS.replace("'36'", "'44'"));
    b.s.begin();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("44"));
    std::fs::remove_file(&path).unwrap();
    b.s.begin();
    assert_eq!(b.read("wireless.radio0.channel", &[]), None);
}

#[test]
fn named_rows_go_by_name_and_anonymous_ones_by_their_content() {
    let mut b = router();
    let ifaces = table("wireless", "wifi-iface");
    let rows = b.rows(&ifaces, &[]);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1].key, "guest");
    assert!(rows[1].prints.is_empty());
    assert!(rows[0].key.starts_with('#') && rows[2].key.starts_with('#'));
    assert_ne!(rows[0].key, rows[2].key);
    assert_eq!(rows[0].prints.len(), 3);
    let home = rows[0].key.clone();
    assert_eq!(b.read("wireless.{row}.ssid", &[&home]), text("home"));

    // Reordered, options swapped, comments added: the same keys.
    b.t.file(
        "etc/config/wireless",
        "config wifi-iface\n\toption ssid 'uplink'\n\toption mode 'sta'\n\toption device 'radio0'\n\
         config wifi-iface # x\n\toption ssid home\n\toption mode ap\n\toption device \"radio0\"\n",
    );
    b.s.begin();
    assert_eq!(b.keys(&ifaces, &[]), [rows[2].key.clone(), home.clone()]);

    // Edited: another key, but most prints are known again.
    b.t.file(
        "etc/config/wireless",
        &WIRELESS.replace("'home'", "'home2'"),
    );
    b.s.begin();
    let edited = b.rows(&ifaces, &[]);
    assert_ne!(edited[0].key, home);
    let same = edited[0]
        .prints
        .iter()
        .filter(|p| rows[0].prints.contains(p))
        .count();
    assert_eq!(same, 2);
    assert_eq!(b.read("wireless.{row}.ssid", &[&home]), None);
}

#[test]
fn equal_anonymous_sections_are_told_apart() {
    let mut b = router();
    b.t.file(
        "etc/config/x",
        "config a\n\toption o '1'\nconfig a\n\toption o '1'\nconfig a\n",
    );
    let keys = b.keys(&table("x", "a"), &[]);
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[1], format!("{}-2", keys[0]));
    b.stage(at("x.{row}.o"), &[&keys[1]], text("2")).unwrap();
    b.commit();
    assert_eq!(b.read("x.@a[0].o", &[]), text("1"));
    assert_eq!(b.read("x.@a[1].o", &[]), text("2"));
}

#[test]
fn tables_show_only_what_their_filters_let_through() {
    let mut b = router();
    let ap = UciRows {
        only: pairs(&[("mode", "ap")]),
        ..table("wireless", "wifi-iface")
    };
    assert_eq!(b.keys(&ap, &[]).len(), 2);
    let no_such = UciRows {
        only: pairs(&[("disabled", "")]),
        ..table("wireless", "wifi-iface")
    };
    assert_eq!(b.keys(&no_such, &[]).len(), 3);
    let of_radio = UciRows {
        parent: Some("device".into()),
        ..table("wireless", "wifi-iface")
    };
    assert_eq!(b.keys(&of_radio, &["radio1"]), ["guest"]);
    assert_eq!(b.keys(&of_radio, &["radio0"]).len(), 2);
    assert_eq!(b.keys(&of_radio, &[]), Vec::<String>::new());
    // A row that is staged is there at once, below its own row and no other.
    let new = b.s.add_row(
        &Rows::Uci(Arc::new(of_radio.clone())),
        &strings(&["radio1"]),
    );
    let new = new.unwrap().key;
    assert_eq!(b.keys(&of_radio, &["radio1"]), ["guest", new.as_str()]);
    assert_eq!(b.keys(&of_radio, &["radio0"]).len(), 2);
    b.s.finish(false);
    assert_eq!(b.keys(&of_radio, &["radio1"]), ["guest"]);
    let itself = UciRows {
        parent: Some(".name".into()),
        ..table("wireless", "wifi-iface")
    };
    assert_eq!(b.keys(&itself, &["guest"]), ["guest"]);
    let anonymous = b.keys(&table("wireless", "wifi-iface"), &[]).remove(0);
    assert_eq!(b.keys(&itself, &[&anonymous]), [anonymous]);
    assert!(
        b.s.add_row(&Rows::Uci(Arc::new(itself)), &strings(&["guest"]))
            .is_err()
    );
}

#[test]
fn staged_values_are_seen_at_once_and_touch_nothing() {
    let mut b = router();
    b.s.begin();
    let hostile = "it's \"x\" $(reboot) \\ `id`\nä";
    b.stage(at("wireless.radio0.country"), &[], text(hostile))
        .unwrap();
    assert_eq!(b.read("wireless.radio0.country", &[]), text(hostile));
    assert_eq!(b.file("wireless"), WIRELESS);
    b.s.finish(false);
    assert_eq!(b.read("wireless.radio0.country", &[]), None);
    assert!(b.s.prepare().unwrap().files.is_empty());
    b.stage(at("wireless.radio0.country"), &[], text(hostile))
        .unwrap();
    let prepared = b.commit();
    assert_eq!(prepared.files.len(), 1);
    assert_eq!(prepared.files[0].reload, ["wireless"]);
    assert_eq!(b.read("wireless.radio0.country", &[]), text(hostile));
    assert!(
        b.file("wireless").contains("# named by grandma"),
        "comments stay"
    );
    b.stage(at("wireless.radio0.country"), &[], None).unwrap();
    b.commit();
    assert_eq!(b.read("wireless.radio0.country", &[]), None);
    b.stage(at("wireless.radio0.none"), &[], None).unwrap();
    assert!(b.commit().files.is_empty());
}

#[test]
fn what_changes_nothing_writes_nothing_and_names_nothing() {
    let mut b = router();
    b.keys(&table("wireless", "wifi-iface"), &[]);
    b.stage(at("wireless.radio0.channel"), &[], text("36"))
        .unwrap();
    assert_eq!(b.s.prepare().unwrap(), Prepared::default());
    b.s.finish(false);
    assert_eq!(b.file("wireless"), WIRELESS);
}

#[test]
fn a_value_uci_cannot_keep_is_refused() {
    let mut b = router();
    let told = b.stage(at("wireless.radio0.x"), &[], text("a\u{1}b"));
    assert!(matches!(told, Err(Refusal::Value(_))));
    let full = b.stage(at("wireless.radio0.x"), &[], text(&"x".repeat(3 << 20)));
    assert!(matches!(full, Err(Refusal::Full(_))));
    let no_section = b.stage(at("wireless.none.x"), &[], text("1"));
    assert!(matches!(no_section, Err(Refusal::Trouble(_))));
}

#[test]
fn one_item_of_a_list_is_changed_by_its_number() {
    let mut b = router();
    let ntp = "system.ntp.server";
    b.stage(item(ntp, 2), &[], text("two")).unwrap();
    b.stage(item(ntp, 5), &[], text("new")).unwrap();
    assert_eq!(b.read(ntp, &[]), list(&["0.pool", "two", "new"]));
    b.commit();
    assert_eq!(b.read(ntp, &[]), list(&["0.pool", "two", "new"]));
    // In one request the numbers mean the same in any order.
    b.stage(item(ntp, 1), &[], text("")).unwrap();
    b.stage(item(ntp, 2), &[], text("second")).unwrap();
    assert_eq!(b.try_read(item(ntp, 1), &[]), Ok(None));
    assert_eq!(b.try_read(item(ntp, 2), &[]), Ok(text("second")));
    b.commit();
    assert_eq!(b.read(ntp, &[]), list(&["second", "new"]));
    b.stage(item(ntp, 1), &[], None).unwrap();
    b.stage(item(ntp, 2), &[], None).unwrap();
    b.commit();
    assert_eq!(b.read(ntp, &[]), None);
    // A plain option counts as a list of one, and stays an option while it is one.
    b.stage(item("wireless.radio0.channel", 1), &[], text("40"))
        .unwrap();
    b.commit();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("40"));
    b.stage(item("wireless.radio0.channel", 2), &[], text("44"))
        .unwrap();
    b.commit();
    assert_eq!(b.read("wireless.radio0.channel", &[]), list(&["40", "44"]));
}

#[test]
fn lists_and_words_are_written_as_uci_keeps_them() {
    let mut b = router();
    b.stage(at("system.ntp.server"), &[], list(&["a", "b c"]))
        .unwrap();
    let words = UciAt {
        words: true,
        ..at("system.ntp.flags")
    };
    b.stage(words.clone(), &[], list(&["x", "y"])).unwrap();
    b.commit();
    assert_eq!(b.read("system.ntp.server", &[]), list(&["a", "b c"]));
    assert_eq!(b.read("system.ntp.flags", &[]), text("x y"));
    assert_eq!(b.try_read(words.clone(), &[]), Ok(list(&["x", "y"])));
    assert!(matches!(
        b.stage(words, &[], list(&["a b"])),
        Err(Refusal::Value(_))
    ));
    b.stage(at("system.ntp.server"), &[], list(&[])).unwrap();
    b.commit();
    assert_eq!(b.read("system.ntp.server", &[]), None);
}

#[test]
fn a_missing_section_is_made_where_the_data_model_says_so() {
    let mut b = router();
    let made = UciAt {
        create: Some("globals".into()),
        ..at("network.globals.ula_prefix")
    };
    b.stage(made, &[], text("fd00::/48")).unwrap();
    let cwmp = UciAt {
        create: Some("acs".into()),
        ..at("cwmp.acs.password")
    };
    b.stage(cwmp, &[], text("s")).unwrap();
    let prepared = b.commit();
    let modes: Vec<u32> = prepared.files.iter().map(|f| f.mode).collect();
    assert_eq!(
        modes,
        [0o600, 0o644],
        "the file with our password is for nobody else"
    );
    assert_eq!(b.read("network.globals.ula_prefix", &[]), text("fd00::/48"));
    assert!(b.file("network").contains("config globals 'globals'"));
    let none = UciAt {
        create: Some("x".into()),
        ..at("absent.x.y")
    };
    b.stage(none, &[], None).unwrap();
    assert!(b.commit().files.is_empty());
}

#[test]
fn a_new_row_has_a_name_at_once_and_the_values_of_its_table() {
    let mut b = router();
    let ssids = UciRows {
        new: pairs(&[("mode", "ap"), ("disabled", "1")]),
        parent: Some("device".into()),
        ..table("wireless", "wifi-iface")
    };
    let rows = Rows::Uci(Arc::new(ssids.clone()));
    let row = b.s.add_row(&rows, &strings(&["radio1"])).unwrap();
    assert_eq!(row.key, "cwmp_wifi_iface_1");
    assert_eq!(b.keys(&ssids, &["radio1"]), ["guest", "cwmp_wifi_iface_1"]);
    assert_eq!(b.read("wireless.{row}.disabled", &[&row.key]), text("1"));
    let second = b.s.add_row(&rows, &strings(&["radio1"])).unwrap();
    assert_eq!(second.key, "cwmp_wifi_iface_2");
    b.s.delete_row(&rows, &strings(&["radio1"]), &second.key)
        .unwrap();
    b.commit();
    assert_eq!(
        b.read("wireless.cwmp_wifi_iface_1.device", &[]),
        text("radio1")
    );
    assert_eq!(b.keys(&ssids, &["radio1"]), ["guest", "cwmp_wifi_iface_1"]);
    b.s.delete_row(&rows, &strings(&["radio1"]), "cwmp_wifi_iface_1")
        .unwrap();
    b.commit();
    let third = b.s.add_row(&rows, &strings(&["radio1"])).unwrap();
    assert_eq!(
        third.key, "cwmp_wifi_iface_5",
        "two went to sections that had none, and none is given twice"
    );
    b.s.finish(false);
    assert!(b.s.delete_row(&rows, &[], "none").is_err());
}

#[test]
fn sections_that_are_rows_below_rows_and_below_none_are_told_of_for_each() {
    for order in [[&[][..], &["1"][..]], [&["1"][..], &[][..]]] {
        let mut b = router();
        let ifaces = table("wireless", "wifi-iface");
        for parents in order {
            b.rows(&ifaces, parents);
        }
        let key = b.keys(&ifaces, &[])[0].clone();
        b.stage(at("wireless.{row}.ssid"), &[&key], text("new"))
            .unwrap();
        let prepared = b.commit();
        let told = prepared.renamed.iter().filter(|r| r.from == key);
        let mut told: Vec<&[String]> = told.map(|r| r.parents.as_slice()).collect();
        told.sort();
        assert_eq!(told, [&[][..], &["1".to_owned()][..]], "{order:?}");
    }
}

#[test]
fn anonymous_rows_get_names_when_their_file_is_written_and_the_model_is_told() {
    let mut b = router();
    let ifaces = table("wireless", "wifi-iface");
    let ap = UciRows {
        only: pairs(&[("mode", "ap")]),
        ..ifaces.clone()
    };
    let keys = b.keys(&ifaces, &[]);
    b.s.know(&Rows::Uci(Arc::new(ap.clone())));
    b.stage(at("wireless.{row}.ssid"), &[&keys[0]], text("new"))
        .unwrap();
    assert_eq!(
        b.read("wireless.{row}.ssid", &[&keys[0]]),
        text("new"),
        "known by its key meanwhile"
    );
    let prepared = b.commit();
    let told: Vec<(bool, &str, &str)> = prepared
        .renamed
        .iter()
        .map(|r| {
            (
                r.rows == Rows::Uci(Arc::new(ap.clone())),
                r.from.as_str(),
                r.to.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (false, keys[0].as_str(), "cwmp_wifi_iface_1"),
            (false, keys[2].as_str(), "cwmp_wifi_iface_2"),
            (true, keys[0].as_str(), "cwmp_wifi_iface_1"),
        ]
    );
    assert_eq!(
        b.keys(&ifaces, &[]),
        ["cwmp_wifi_iface_1", "guest", "cwmp_wifi_iface_2"]
    );
    assert_eq!(b.read("wireless.cwmp_wifi_iface_1.ssid", &[]), text("new"));
    assert!(b.file("wireless").contains("# named by grandma"));
    // Sections of no table keep their anonymity.
    b.stage(at("system.@system[0].hostname"), &[], text("box"))
        .unwrap();
    assert!(b.commit().renamed.is_empty());
    assert!(b.file("system").starts_with("config system\n"));
}

#[test]
fn what_is_kept_of_a_change_is_what_the_file_says() {
    let mut b = router();
    let ifaces = table("wireless", "wifi-iface");
    let systems = table("system", "system");
    let fresh = |b: &Box_, rows: &UciRows| {
        let mut s = UciSource::new(Root::new(b.t.dir()).unwrap(), Limits::default());
        s.rows(&Rows::Uci(Arc::new(rows.clone())), &[]).unwrap()
    };
    for (n, name) in ["one", "two"].into_iter().enumerate() {
        let keys = b.keys(&ifaces, &[]);
        b.stage(at("wireless.{row}.ssid"), &[&keys[0]], text(name))
            .unwrap();
        // No table shows this section: it has no name afterwards either, but another content.
        b.stage(at("system.@system[0].hostname"), &[], text(name))
            .unwrap();
        assert_eq!(b.commit().files.len(), 2);
        assert_eq!(b.rows(&ifaces, &[]), fresh(&b, &ifaces), "{name}");
        assert_eq!(b.read("wireless.@wifi-iface[0].ssid", &[]), text(name));
        assert_eq!(b.read("system.@system[0].hostname", &[]), text(name));
        // Written at once by somebody else: seen in the next request.
        let by_hand = format!("hand{n}");
        let edited = b.file("system").replace(name, &by_hand);
        b.t.file("etc/config/system", &edited);
        b.s.begin();
        assert_eq!(b.read("system.@system[0].hostname", &[]), text(&by_hand));
    }
    // Only now is the section a row, known by what it says.
    b.stage(at("system.@system[0].hostname"), &[], text("last"))
        .unwrap();
    b.commit();
    assert_eq!(b.rows(&systems, &[]), fresh(&b, &systems));
    assert!(b.keys(&systems, &[])[0].starts_with('#'));
}

#[test]
fn an_edit_by_somebody_else_meanwhile_is_kept() {
    let mut b = router();
    b.s.begin();
    let keys = b.keys(&table("wireless", "wifi-iface"), &[]);
    b.stage(at("wireless.radio0.channel"), &[], text("40"))
        .unwrap();
    b.stage(at("wireless.{row}.ssid"), &[&keys[2]], text("up"))
        .unwrap();
    b.t.file(
        "etc/config/wireless",
        &format!(
            "{}\nconfig wifi-device 'radio9'\n",
            WIRELESS.replace("'home'", "'theirs'")
        ),
    );
    b.commit();
    assert_eq!(b.read("wireless.radio0.channel", &[]), text("40"));
    assert_eq!(b.read("wireless.@wifi-iface[0].ssid", &[]), text("theirs"));
    assert_eq!(b.read("wireless.@wifi-iface[2].ssid", &[]), text("up"));
    assert!(b.file("wireless").contains("radio9"));

    // The very section edited by both: an error, and nothing is written.
    let mut b = router();
    let keys = b.keys(&table("wireless", "wifi-iface"), &[]);
    b.stage(at("wireless.{row}.ssid"), &[&keys[0]], text("mine"))
        .unwrap();
    let theirs = WIRELESS.replace("'home'", "'theirs'");
    b.t.file("etc/config/wireless", &theirs);
    assert!(b.s.prepare().unwrap_err().what.contains("somebody else"));
    b.s.finish(false);
    assert_eq!(b.file("wireless"), theirs);
}

#[test]
fn a_section_without_a_name_that_is_referred_to_must_still_be_there() {
    let refer = |b: &mut Box_| {
        let key = b.keys(&table("wireless", "wifi-iface"), &[]).remove(0);
        b.stage(at("system.ntp.radio"), &[], text(&key)).unwrap();
        let both = list(&["plain", &key]);
        b.stage(at("system.ntp.radios"), &[], both).unwrap();
    };
    let mut b = router();
    refer(&mut b);
    let prepared = b.commit();
    let reload: Vec<&String> = prepared.files.iter().flat_map(|f| &f.reload).collect();
    assert_eq!(reload, ["system", "wireless"]);
    assert_eq!(b.read("system.ntp.radio", &[]), text("cwmp_wifi_iface_1"));
    let both = list(&["plain", "cwmp_wifi_iface_1"]);
    assert_eq!(b.read("system.ntp.radios", &[]), both);

    let mut b = router();
    refer(&mut b);
    let theirs = WIRELESS.replace("'home'", "'theirs'");
    b.t.file("etc/config/wireless", &theirs);
    assert!(b.s.prepare().unwrap_err().what.contains("somebody else"));
    b.s.finish(false);
    assert_eq!(
        (b.file("wireless"), b.file("system")),
        (theirs, SYSTEM.to_owned())
    );
    // The next request refers to what is there now.
    b.s.begin();
    refer(&mut b);
    b.commit();
    let Some(Raw::Text(name)) = b.read("system.ntp.radio", &[]) else {
        panic!("a name");
    };
    assert_eq!(b.read("wireless.{row}.ssid", &[&name]), text("theirs"));
}

#[test]
fn a_file_locked_by_another_program_is_waited_for_and_then_trouble() {
    let mut b = router();
    let limits = Limits {
        uci_lock_wait: Duration::from_millis(50),
        ..Limits::default()
    };
    b.s = UciSource::new(Root::new(b.t.dir()).unwrap(), limits);
    b.stage(at("wireless.radio0.channel"), &[], text("40"))
        .unwrap();
    let file = std::fs::File::options()
        .write(true)
        .read(true)
        .open(b.t.path("etc/config/wireless"))
        .unwrap();
    let held = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive).unwrap();
    assert!(b.s.prepare().unwrap_err().what.contains("locked"));
    b.s.finish(false);
    drop(held);
    b.stage(at("wireless.radio0.channel"), &[], text("40"))
        .unwrap();
    b.s.prepare().unwrap();
    // Ours until the change is in force or forgotten.
    let try_lock = || {
        let file = std::fs::File::options()
            .write(true)
            .read(true)
            .open(b.t.path("etc/config/wireless"))
            .unwrap();
        nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).is_ok()
    };
    assert!(!try_lock());
    b.s.finish(false);
    assert!(try_lock());
}

#[test]
fn files_reached_by_a_link_keep_the_link() {
    let mut b = router();
    b.t.file("overlay/wireless", WIRELESS);
    let path = b.t.path("etc/config/wireless");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/overlay/wireless", &path).unwrap();
    b.stage(at("wireless.radio0.channel"), &[], text("40"))
        .unwrap();
    b.commit();
    assert!(
        std::fs::symlink_metadata(&path)
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert!(b.t.read("overlay/wireless").contains("'40'"));
}
