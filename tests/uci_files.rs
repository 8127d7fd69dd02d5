//! The UCI editor on files as routers have them: exactly which lines an edit changes.

use cwmp_agent::uci::{Package, Value};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/uci/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn parse(text: &str) -> Package {
    Package::parse(text.as_bytes()).expect("a valid file")
}

fn written(package: &Package) -> String {
    let text = String::from_utf8(package.to_bytes()).expect("UTF-8");
    Package::parse(text.as_bytes()).expect("what is written can be read");
    text
}

fn one<'a>(package: &'a Package, section: &str, option: &str) -> &'a str {
    let section = package.find(section).expect("the section");
    package.sections()[section]
        .get(option)
        .and_then(Value::as_one)
        .expect("the option")
}

#[test]
fn files_are_given_back_byte_for_byte() {
    for name in ["network", "firewall", "wireless", "system", "dhcp"] {
        let text = fixture(name);
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            assert_eq!(written(&parse(&text)), text, "{name}");
        }
    }
}

#[test]
fn line_ends_of_either_kind_mean_the_same() {
    for name in ["network", "firewall", "wireless", "dhcp"] {
        let unix = parse(&fixture(name));
        let dos = parse(&fixture(name).replace('\n', "\r\n"));
        assert!(unix.sections() == dos.sections(), "{name}");
    }
}

#[test]
fn quotes_and_comments_are_understood() {
    let network = parse(&fixture("network"));
    assert_eq!(one(&network, "wan", "password"), "it's \"secret\" #1");
    assert_eq!(one(&network, "wan", "username"), "user@provider");
    let wan = network.section("wan").expect("wan");
    assert_eq!(network.sections()[wan].get("mtu"), None);
    let wireless = parse(&fixture("wireless"));
    assert_eq!(
        one(&wireless, "default_radio0", "ssid"),
        "Smith's \"home\" $(reboot)"
    );
    assert_eq!(one(&wireless, "@wifi-iface[-1]", "ssid"), "Gäste ☃");
    let system = parse(&fixture("system"));
    assert_eq!(
        one(&system, "@system[0]", "description"),
        "first line\nsecond line # not a comment\n"
    );
}

#[test]
fn sections_are_found_by_name_and_by_number() {
    let firewall = parse(&fixture("firewall"));
    assert_eq!(firewall.find("web"), Some(5));
    assert_eq!(firewall.find("@zone[0]"), Some(1));
    assert_eq!(firewall.find("@zone[1]"), Some(2));
    assert_eq!(firewall.find("@zone[-1]"), Some(2));
    assert_eq!(firewall.find("@zone[-2]"), Some(1));
    assert_eq!(firewall.find("@[4]"), Some(4));
    for missing in [
        "@zone[2]",
        "@zone[-3]",
        "@zone",
        "@zone[x]",
        "@zone[0]x",
        "zone",
        "",
        "@",
        "@[9]",
    ] {
        assert_eq!(firewall.find(missing), None, "{missing}");
    }
}

#[test]
fn a_changed_value_changes_its_line_only() {
    let text = fixture("network");
    let mut network = parse(&text);
    let wan = network.section("wan").expect("wan");
    network
        .set(wan, "username", "o'neill@provider")
        .expect("valid");
    network.set(wan, "password", "a\\b\nc").expect("valid");
    let wanted = text
        .replace("'user@provider'	#", "'o'\\''neill@provider'	#")
        .replace("'it'\\''s \"secret\" #1'", "'a\\b\nc'");
    assert_eq!(written(&network), wanted);
}

#[test]
fn a_value_that_is_there_already_changes_nothing() {
    let text = fixture("firewall");
    let mut firewall = parse(&text);
    firewall.set(5, "src_dport", "8080").expect("valid");
    firewall
        .set_list(2, "network", &["wan".into(), "wan6".into()])
        .expect("valid");
    firewall.del_list(2, "network", "dmz").expect("valid");
    firewall
        .del_list(2, "input", "REJECT")
        .expect("not a list: nothing to do");
    firewall.set(2, "none", "").expect("nothing to do");
    assert_eq!(written(&firewall), text);
}

#[test]
fn a_new_option_stands_at_the_end_of_its_section_in_its_style() {
    let text = fixture("wireless");
    let mut wireless = parse(&text);
    wireless.set(1, "isolate", "1").expect("valid");
    let wanted = text.replace("blanks '\n", "blanks '\n        option isolate '1'\n");
    assert_eq!(written(&wireless), wanted);

    let dos = fixture("network").replace('\n', "\r\n");
    let mut network = parse(&dos);
    let wan6 = network.section("wan6").expect("wan6");
    network.add_list(wan6, "dns", "2001:db8::1").expect("valid");
    assert_eq!(written(&network), dos + "\tlist dns '2001:db8::1'\r\n");
}

#[test]
fn a_file_without_a_last_line_end_gets_one_when_it_grows() {
    let text = fixture("system");
    assert!(!text.ends_with('\n'));
    let mut system = parse(&text);
    let led = system.section("led_wan").expect("led_wan");
    system.set(led, "trigger", "netdev").expect("valid");
    let new = system.add_section("led", None).expect("valid");
    system.set(new, "name", "x").expect("valid");
    let wanted = text + "\n\toption trigger 'netdev'\n\nconfig led\n\toption name 'x'\n";
    assert_eq!(written(&system), wanted);
}

#[test]
fn lists_change_item_by_item() {
    let text = fixture("system");
    let mut system = parse(&text);
    let ntp = system.section("ntp").expect("ntp");
    system
        .del_list(ntp, "server", "1.openwrt.pool.ntp.org")
        .expect("valid");
    let wanted = text.replace("	list server	1.openwrt.pool.ntp.org\n", "");
    assert_eq!(written(&system), wanted);
    system
        .add_list(ntp, "server", "time.example")
        .expect("valid");
    let wanted = wanted.replace(
        "2.openwrt.pool.ntp.org\n",
        "2.openwrt.pool.ntp.org\n\tlist server 'time.example'\n",
    );
    assert_eq!(written(&system), wanted);
    system
        .set_list(
            ntp,
            "server",
            &["a".into(), "2.openwrt.pool.ntp.org".into()],
        )
        .expect("valid");
    let wanted = wanted
        .replace("	list server	0.openwrt.pool.ntp.org", "	list server	'a'")
        .replace("	list server 'time.example'\n", "");
    assert_eq!(written(&system), wanted);
    system.set(ntp, "server", "b").expect("valid");
    assert_eq!(one(&system, "ntp", "server"), "b");
    system.add_list(ntp, "server", "c").expect("valid");
    assert!(written(&system).contains("\tlist server\t'b'\n\tlist server 'c'\n"));
    system.set(ntp, "server", "").expect("valid");
    assert!(!written(&system).contains("server\t'") && !written(&system).contains("list server"));
}

#[test]
fn a_section_in_two_blocks_is_one() {
    let text = fixture("dhcp");
    let mut dhcp = parse(&text);
    assert_eq!(dhcp.sections().len(), 4);
    let lan = dhcp.section("lan").expect("lan");
    assert_eq!(one(&dhcp, "lan", "limit"), "200");
    dhcp.set(lan, "limit", "250").expect("valid");
    let wanted = text
        .replace("\toption limit 150\n", "")
        .replace("limit 200", "limit '250'");
    assert_eq!(written(&dhcp), wanted);
    dhcp.rename_section(lan, "home").expect("a free name");
    let wanted = wanted
        .replace("config dhcp lan", "config dhcp 'home'")
        .replace("config dhcp 'lan'", "config dhcp 'home'");
    assert_eq!(written(&dhcp), wanted);
    dhcp.delete_section(lan).expect("it is there");
    let left = written(&dhcp);
    assert_eq!(parse(&left).sections().len(), 3);
    for gone in ["config dhcp", "leasetime", "option ra", "limit"] {
        assert!(!left.contains(gone), "{gone} in\n{left}");
    }
    assert!(left.contains("option leasefile '/tmp/dhcp.leases'\n\nconfig host 'printer'"));
}

#[test]
fn a_deleted_section_leaves_comments_and_neighbours() {
    let text = fixture("firewall");
    let mut firewall = parse(&text);
    let rule = firewall.find("@rule[0]").expect("the rule");
    firewall.delete_section(rule).expect("it is there");
    let from = text
        .find("config rule\n\toption name\t\tAllow")
        .expect("the rule");
    let to = text.find("\nconfig redirect").expect("the redirect");
    assert_eq!(written(&firewall), text[..from].to_string() + &text[to..]);
    assert_eq!(firewall.section("web"), Some(4));
}

#[test]
fn adding_and_deleting_again_leaves_the_file_as_it_was() {
    for name in ["network", "firewall", "wireless", "dhcp"] {
        let text = fixture(name);
        let mut package = parse(&text);
        for _ in 0..3 {
            let new = package
                .add_section("rule", Some("new"))
                .expect("a free name");
            package.set(new, "a", "b").expect("valid");
            let reread = written(&package);
            package = parse(&reread);
            package.delete_section(new).expect("it is there");
        }
        assert_eq!(written(&package), text, "{name}");
    }
}

#[test]
fn an_anonymous_section_gets_a_name_on_its_line_only() {
    let text = fixture("firewall");
    let mut firewall = parse(&text);
    let rule = firewall.find("@rule[0]").expect("the rule");
    firewall.rename_section(rule, "renew").expect("a free name");
    assert_eq!(
        written(&firewall),
        text.replace("2010\nconfig rule\n", "2010\nconfig rule 'renew'\n")
    );
    assert_eq!(firewall.section("renew"), Some(rule));
    assert!(
        firewall.rename_section(rule, "web").is_err(),
        "a redirect has this name"
    );
    firewall.set_kind(rule, "redirect").expect("valid");
    assert!(written(&firewall).contains("2010\nconfig redirect 'renew'\n"));
}

#[test]
fn an_empty_package_takes_its_first_section() {
    let mut package = parse("");
    let first = package.add_section("cwmp", Some("acs")).expect("valid");
    package
        .set(first, "url", "https://acs.example/?a=b&c='d'")
        .expect("valid");
    assert_eq!(
        written(&package),
        "config cwmp 'acs'\n\toption url 'https://acs.example/?a=b&c='\\''d'\\'''\n"
    );
}

#[test]
fn text_lost_behind_a_separator_never_comes_alive() {
    let mut package =
        parse("config a 'x'\n\toption p q;option evil 1\n\toption r 's' ;option t u\n");
    assert_eq!(package.sections()[0].options().count(), 3);
    package.set(0, "p", "new").expect("valid");
    package.set(0, "t", "new").expect("valid");
    assert_eq!(
        written(&package),
        "config a 'x'\n\toption p 'new'\n\toption r 's'\n\toption t 'new'\n"
    );
}
