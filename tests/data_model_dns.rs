//! The name servers that the router itself asks, in the shipped data model: those of the
//! configuration are made, set, moved, switched and taken away; those that networks were
//! told of stay as they are.

mod data_model_support;
mod router;
mod router_model;

use cwmp_agent::model::Model;
use data_model_support::{add, below, delete, edit, expect, files, fresh, get, read, set};
use router::Router;

const SERVER: &str = "Device.DNS.Client.Server.";
const COUNT: &str = "Device.DNS.Client.ServerNumberOfEntries";
const TOLD: &str = "/tmp/resolv.conf.d/resolv.conf.auto";
const LAN: &str = "Device.IP.Interface.2";
const WAN: &str = "Device.IP.Interface.3";
const IPTV: &str = "Device.IP.Interface.6";

const FORWARDING: &str = "Device.DNS.Relay.Forwarding.";

fn of(n: u32, name: &str) -> String {
    format!("{SERVER}{n}.{name}")
}

/// A router whose file of networks was written before, so that all sections have names.
fn named() -> (Router, Model) {
    let (router, mut model) = fresh();
    for enable in ["true", "false"] {
        set(&mut model, &[("Device.IP.Interface.5.Enable", enable)]).expect("set");
    }
    (router, model)
}

fn restarted(router: &Router) -> Model {
    router_model::model(router, &files())
}

/// The numbers of the rows with their addresses.
fn servers(model: &mut Model) -> Vec<(u32, String)> {
    let all = below(model, SERVER);
    let mut found: Vec<(u32, String)> = all
        .iter()
        .filter_map(|(path, value)| {
            let number = path.strip_prefix(SERVER)?.strip_suffix(".DNSServer")?;
            Some((number.parse().ok()?, value.clone()))
        })
        .collect();
    found.sort();
    found
}

fn listed(servers: &[(u32, &str)]) -> Vec<(u32, String)> {
    servers.iter().map(|(n, a)| (*n, (*a).to_owned())).collect()
}

#[test]
fn a_server_of_the_configuration_is_one_row_although_netifd_lists_it_too() {
    let (router, mut model) = fresh();
    let all = [
        (1, "203.0.113.53"),
        (2, "198.51.100.53"),
        (3, "198.51.100.54"),
        (4, "2001:db8:f00::53"),
    ];
    assert_eq!(servers(&mut model), listed(&all));
    expect(
        &mut model,
        &[
            (COUNT, "4"),
            (&of(1, "Type"), "Static"),
            (&of(1, "Interface"), IPTV),
            (&of(1, "Enable"), "true"),
            (&of(1, "Status"), "Enabled"),
            (&of(2, "Type"), "IPCP"),
            (&of(2, "Interface"), WAN),
            (&of(4, "Type"), "DHCPv6"),
        ],
    );
    // What the configuration says counts, whether netifd lists it or not, and in whatever
    // form it is written there.
    router.write(TOLD, "").expect("written");
    assert_eq!(servers(&mut model), listed(&all[..1]));
    edit(
        &router,
        "network",
        "\toption mtu 1492\n",
        "\toption mtu 1492\n\toption dns '2001:DB8::53  192.0.2.7 junk'\n",
    );
    let more = [(1, "203.0.113.53"), (5, "2001:DB8::53"), (6, "192.0.2.7")];
    assert_eq!(servers(&mut model), listed(&more));
    expect(
        &mut model,
        &[(&of(6, "Interface"), WAN), (&of(6, "Type"), "Static")],
    );
    let told = "# Interface wan\nnameserver 192.0.2.7\nnameserver 2001:db8::53\n# Interface wan_6\nnameserver 2001:db8::54\n";
    router.write(TOLD, told).expect("written");
    let more = [more[0], more[1], more[2], (7, "2001:db8::54")];
    assert_eq!(servers(&mut model), listed(&more));
    expect(
        &mut model,
        &[(&of(7, "Interface"), ""), (&of(7, "Type"), "DHCPv6")],
    );
    // A disabled network asks nobody.
    edit(
        &router,
        "network",
        "\toption proto 'pppoe'\n",
        "\toption proto 'pppoe'\n\toption disabled '1'\n",
    );
    expect(&mut model, &[(&of(5, "Status"), "Disabled")]);
}

// T-OBJ-001, T-SPV-003
#[test]
fn a_new_server_is_asked_once_it_is_on_and_has_an_address_and_a_network() {
    let (router, mut model) = named();
    let before = read(&router, "network");
    let (row, reload) = add(&mut model, SERVER);
    assert_eq!(
        (row.as_str(), reload),
        ("Device.DNS.Client.Server.5.", vec!["network".to_owned()])
    );
    let waiting = format!("{before}\nconfig nameserver 'cwmp_nameserver_1'\n\toption enable '0'\n");
    assert_eq!(read(&router, "network"), waiting);
    expect(
        &mut model,
        &[
            (COUNT, "5"),
            (&of(5, "Enable"), "false"),
            (&of(5, "Status"), "Disabled"),
            (&of(5, "DNSServer"), ""),
            (&of(5, "Interface"), ""),
            (&of(5, "Type"), "Static"),
            (&of(5, "Alias"), "cpe-5"),
        ],
    );
    let values = [
        (of(5, "Enable"), "true"),
        (of(5, "DNSServer"), "192.0.2.53"),
        (of(5, "Interface"), LAN),
        (of(5, "Alias"), "mine"),
    ];
    let after = before.replace(
        "\toption ip6assign '60'\n",
        "\toption ip6assign '60'\n\tlist dns '192.0.2.53'\n",
    );
    assert_ne!(after, before);
    let mut number = 5;
    // In every order, and one by one.
    for order in [
        [0, 1, 2, 3],
        [0, 2, 1, 3],
        [1, 0, 2, 3],
        [1, 2, 0, 3],
        [2, 0, 1, 3],
        [3, 2, 1, 0],
    ] {
        for at_once in [true, false] {
            let of_row = |i: usize| {
                let (path, value) = &values[i];
                (path.replace(".5.", &format!(".{number}.")), *value)
            };
            let items: Vec<(String, &str)> = order.iter().map(|i| of_row(*i)).collect();
            let items: Vec<(&str, &str)> = items.iter().map(|(p, v)| (p.as_str(), *v)).collect();
            let chunk = if at_once { items.len() } else { 1 };
            for items in items.chunks(chunk) {
                set(&mut model, items).expect("set");
                expect(&mut model, items);
            }
            assert_eq!(
                read(&router, "network").trim_end(),
                after.trim_end(),
                "{order:?} at once: {at_once}"
            );
            expect(&mut model, &items);
            expect(
                &mut model,
                &[(&of(number, "Status"), "Enabled"), (COUNT, "5")],
            );
            // The number is the row's, before and after a restart.
            let mut again = restarted(&router);
            expect(&mut again, &items);
            assert_eq!(servers(&mut again), servers(&mut model));
            delete(&mut model, &format!("{SERVER}{number}."));
            assert_eq!(read(&router, "network").trim_end(), before.trim_end());
            assert_eq!(get(&mut model, COUNT), "4");
            let (row, _) = add(&mut model, SERVER);
            number += 1;
            assert_eq!(row, format!("{SERVER}{number}."));
        }
    }
    // It goes while it waits, too.
    delete(&mut model, &format!("{SERVER}{number}."));
    assert_eq!(read(&router, "network").trim_end(), before.trim_end());
}

#[test]
fn a_server_that_is_off_or_lacks_something_is_in_no_list() {
    let (router, mut model) = named();
    let before = read(&router, "network");
    let without = before.replace("\tlist dns '203.0.113.53'\n", "");
    let waits = |options: &str| {
        format!(
            "{}\n\nconfig nameserver 'cwmp_nameserver_1'\n{options}",
            without.trim_end()
        )
    };
    let enable = of(1, "Enable");
    set(&mut model, &[(&enable, "false")]).expect("off");
    let off = "\toption enable '0'\n\toption dns '203.0.113.53'\n\toption interface 'iptv'\n";
    assert_eq!(read(&router, "network"), waits(off));
    // netifd, which has not heard of it yet, still lists it.
    for model in [&mut model, &mut restarted(&router)] {
        expect(
            model,
            &[
                (&enable, "false"),
                (&of(1, "Status"), "Disabled"),
                (&of(1, "DNSServer"), "203.0.113.53"),
                (&of(1, "Interface"), IPTV),
                (&of(1, "Type"), "Static"),
            ],
        );
    }
    assert_eq!(get(&mut model, COUNT), "4");
    set(&mut model, &[(&of(1, "DNSServer"), "2001:DB8::1:53")]).expect("another");
    let off = "\toption enable '0'\n\toption dns '2001:DB8::1:53'\n\toption interface 'iptv'\n";
    assert_eq!(read(&router, "network"), waits(off));
    set(
        &mut model,
        &[(&of(1, "DNSServer"), "203.0.113.53"), (&enable, "true")],
    )
    .expect("on");
    assert_eq!(read(&router, "network").trim_end(), before.trim_end());

    for (name, options) in [
        (
            "Interface",
            "\toption enable '1'\n\toption dns '203.0.113.53'\n",
        ),
        (
            "DNSServer",
            "\toption enable '1'\n\toption interface 'iptv'\n",
        ),
    ] {
        let path = of(1, name);
        let value = get(&mut model, &path);
        set(&mut model, &[(&path, "")]).expect("none");
        let text = read(&router, "network");
        assert!(text.ends_with(options), "{text}");
        assert!(!text.contains("list dns"), "{text}");
        expect(
            &mut model,
            &[(&path, ""), (&of(1, "Status"), "Error"), (&enable, "true")],
        );
        set(&mut model, &[(&path, &value)]).expect("back");
        assert_eq!(read(&router, "network").trim_end(), before.trim_end());
        expect(&mut model, &[(&of(1, "Status"), "Enabled"), (COUNT, "4")]);
    }
}

#[test]
fn a_server_moves_with_its_network_and_keeps_its_number_and_the_others_their_place() {
    let (router, mut model) = fresh();
    edit(
        &router,
        "network",
        "\toption mtu 1492\n",
        "\toption mtu 1492\n\toption dns '192.0.2.7 192.0.2.8  192.0.2.9'\n",
    );
    let number = |model: &mut Model, address: &str| {
        let all = servers(model);
        all.iter().find(|(_, a)| a == address).expect("a row").0
    };
    let (seven, eight) = (
        number(&mut model, "192.0.2.7"),
        number(&mut model, "192.0.2.8"),
    );
    set(&mut model, &[(&of(eight, "DNSServer"), "2001:db8::8")]).expect("set");
    let text = read(&router, "network");
    assert!(
        text.contains("\toption dns '192.0.2.7 2001:db8::8 192.0.2.9'\n"),
        "{text}"
    );
    // Each takes what the other had.
    set(
        &mut model,
        &[
            (&of(eight, "DNSServer"), "192.0.2.7"),
            (&of(seven, "DNSServer"), "2001:db8::8"),
        ],
    )
    .expect("swapped");
    let text = read(&router, "network");
    assert!(
        text.contains("\toption dns '2001:db8::8 192.0.2.7 192.0.2.9'\n"),
        "{text}"
    );
    for model in [&mut model, &mut restarted(&router)] {
        expect(
            model,
            &[
                (&of(eight, "DNSServer"), "192.0.2.7"),
                (&of(seven, "DNSServer"), "2001:db8::8"),
            ],
        );
    }
    // To the network of another.
    let asked = [
        (of(seven, "Interface"), IPTV),
        (of(seven, "DNSServer"), "192.0.2.77"),
    ];
    let asked: Vec<(&str, &str)> = asked.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &asked).expect("moved");
    let text = read(&router, "network");
    assert!(
        text.contains("\toption dns '192.0.2.7 192.0.2.9'\n"),
        "{text}"
    );
    assert!(
        text.contains("\tlist dns '203.0.113.53'\n\tlist dns '192.0.2.77'\n"),
        "{text}"
    );
    for model in [&mut model, &mut restarted(&router)] {
        expect(model, &asked);
    }
    // What others do to the list leaves the numbers alone.
    edit(
        &router,
        "network",
        "'192.0.2.7 192.0.2.9'",
        "'192.0.2.9 192.0.2.1 192.0.2.7'",
    );
    expect(&mut model, &[(&of(eight, "DNSServer"), "192.0.2.7")]);
    expect(&mut model, &asked);
    // The last goes with its option.
    for address in ["192.0.2.9", "192.0.2.1", "192.0.2.7"] {
        let row = number(&mut model, address);
        delete(&mut model, &format!("{SERVER}{row}."));
    }
    assert!(!read(&router, "network").contains("option dns"));
}

#[test]
fn a_server_is_in_one_row_only() {
    let (router, mut model) = fresh();
    assert_eq!(get(&mut model, COUNT), "4");
    let (from, to) = ("\toption ip6assign '60'\n", "\tlist dns '203.0.113.53'\n");
    edit(&router, "network", from, &[from, to].concat());
    // Two networks have the same: two rows, and each says which.
    let lan = servers(&mut model).last().expect("a row").0;
    expect(
        &mut model,
        &[
            (&of(lan, "Interface"), LAN),
            (&of(1, "Interface"), IPTV),
            (COUNT, "5"),
        ],
    );
    let before = read(&router, "network");
    let refused = |model: &mut Model, items: &[(&str, &str)]| {
        let codes = set(model, items).expect_err("refused");
        assert!(codes.iter().all(|(_, code)| *code == 9007), "{codes:?}");
        assert_eq!(read(&router, "network"), before);
    };
    refused(&mut model, &[(&of(1, "Interface"), LAN)]);
    refused(&mut model, &[(&of(1, "DNSServer"), "198.51.100.53")]);
    // One of them can go, be another, or be off.
    set(&mut model, &[(&of(1, "DNSServer"), "203.0.113.54")]).expect("another");
    set(&mut model, &[(&of(lan, "Enable"), "false")]).expect("off");
    set(&mut model, &[(&of(1, "DNSServer"), "203.0.113.53")]).expect("it is off there");
    assert_eq!(
        set(&mut model, &[(&of(lan, "Enable"), "true")]),
        Err(vec![(of(lan, "Enable"), 9007)])
    );
    delete(&mut model, &format!("{SERVER}{lan}."));
    assert_eq!(get(&mut model, COUNT), "4");
    // One that is set to what netifd goes on listing is the same row.
    let aliases = [(of(1, "Alias"), "a")];
    set(&mut model, &[(&aliases[0].0, "a")]).expect("an alias");
    expect(
        &mut restarted(&router),
        &[(&aliases[0].0, "a"), (COUNT, "4")],
    );
}

#[test]
fn a_server_that_a_network_was_told_of_stays_as_it_is() {
    let (router, mut model) = fresh();
    let before = read(&router, "network");
    for (name, value) in [
        ("Enable", "true"),
        ("DNSServer", "198.51.100.53"),
        ("Interface", WAN),
        ("Alias", "isp"),
    ] {
        set(&mut model, &[(&of(2, name), value)]).expect("what it reads");
    }
    for (name, value) in [
        ("Enable", "false"),
        ("DNSServer", "198.51.100.99"),
        ("DNSServer", ""),
        ("Interface", LAN),
        ("Interface", ""),
    ] {
        let path = of(2, name);
        let refused = set(&mut model, &[(&path, value)]);
        assert_eq!(refused, Err(vec![(path.clone(), 9007)]), "{name}={value}");
    }
    model.begin();
    let fault = model
        .delete(&format!("{SERVER}2."), Some("k"))
        .expect_err("refused");
    assert_eq!(fault.code, 9001);
    assert!(fault.text.contains("peerdns"), "{}", fault.text);
    assert_eq!(read(&router, "network"), before);
    expect(&mut model, &[(COUNT, "4"), (&of(2, "Alias"), "isp")]);
}

#[test]
fn a_server_that_is_gone_does_not_come_back_with_netifds_next_list() {
    let (router, mut model) = fresh();
    delete(&mut model, &format!("{SERVER}1."));
    assert_eq!(
        servers(&mut model).len(),
        3,
        "netifd has not heard of it yet"
    );
    let told = router.read(TOLD).expect("a file");
    // Another network came up meanwhile.
    let more = told.replacen("203", "192.0.2.9\nnameserver 203", 1);
    router.write(TOLD, &more).expect("written");
    assert_eq!(servers(&mut model).len(), 4, "nor has it now");
    expect(&mut model, &[(&of(5, "Type"), "DHCPv4")]);
    // It has; and then the network is told of the same server.
    let line = told.lines().find(|l| l.contains("203")).expect("it");
    let less = more.replacen(&format!("{line}\n"), "", 1);
    router.write(TOLD, &less).expect("written");
    assert_eq!(servers(&mut model).len(), 4);
    router.write(TOLD, &more).expect("written");
    let all = servers(&mut model);
    assert_eq!(all.len(), 5);
    expect(&mut model, &[(&of(6, "Type"), "DHCPv4")]);
    assert!(all.iter().all(|(n, _)| *n != 1), "{all:?}");
}

#[test]
fn a_number_is_not_that_of_a_server_that_was_there_before() {
    let (router, mut model) = fresh();
    assert_eq!(get(&mut model, COUNT), "4");
    router.write(TOLD, "").expect("written");
    let (row, _) = add(&mut model, SERVER);
    let values = [
        (format!("{row}Enable"), "true"),
        (format!("{row}DNSServer"), "198.51.100.53"),
        (format!("{row}Interface"), WAN),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    set(&mut model, &values).expect("set");
    for model in [&mut model, &mut restarted(&router)] {
        expect(model, &values);
        assert_eq!(get(model, COUNT), "2");
    }
}

#[test]
fn what_already_holds_writes_nothing() {
    let (router, mut model) = fresh();
    assert_eq!(get(&mut model, COUNT), "4");
    edit(
        &router,
        "network",
        "\tlist dns '203.0.113.53'\n",
        "\tlist dns \"2001:DB8::53\"\n\tlist dns '203.0.113.53'\n",
    );
    let row = servers(&mut model).last().expect("a row").0;
    let before = read(&router, "network");
    for n in [1, row] {
        for name in ["Enable", "DNSServer", "Interface"] {
            let path = of(n, name);
            let value = get(&mut model, &path);
            assert_eq!(set(&mut model, &[(&path, &value)]), Ok(vec![]), "{path}");
        }
    }
    assert_eq!(read(&router, "network"), before);
    // In another form.
    set(&mut model, &[(&of(row, "DNSServer"), "2001:0db8::0:53")]).expect("the same");
    expect(&mut model, &[(&of(row, "DNSServer"), "2001:0db8::0:53")]);
    assert!(read(&router, "network").contains("\tlist dns '2001:0db8::0:53'\n"));
}

#[test]
fn a_server_needs_a_network_that_has_a_name() {
    let (router, mut model) = fresh();
    let text = read(&router, "network");
    router
        .write(
            "/etc/config/network",
            &format!("{text}\nconfig interface\n\toption proto 'none'\n"),
        )
        .expect("written");
    let interface = of(1, "Interface");
    let path = "Device.IP.Interface.7";
    assert_eq!(
        set(&mut model, &[(&interface, path)]),
        Err(vec![(interface.clone(), 9007)])
    );
    set(&mut model, &[(&format!("{path}.Enable"), "false")]).expect("it gets a name");
    set(&mut model, &[(&interface, path)]).expect("set");
    expect(&mut model, &[(&interface, path)]);
    // The network goes: the server waits for another.
    let text = read(&router, "network");
    let (rest, _) = text
        .split_once("config interface 'cwmp_interface_1'")
        .expect("a name");
    router.write("/etc/config/network", rest).expect("written");
    assert!(servers(&mut model).iter().all(|(n, _)| *n != 1));
}

#[test]
fn the_record_types_are_those_of_tr181() {
    let (_router, mut model) = fresh();
    expect(
        &mut model,
        &[("Device.DNS.SupportedRecordTypes", "A,AAAA,SRV,PTR")],
    );
}

#[test]
fn a_forwarder_is_asked_by_the_device_of_a_network() {
    let (router, mut model) = fresh();
    let of = |n: u32, name: &str| format!("{FORWARDING}{n}.{name}");
    let interface = of(1, "Interface");
    expect(&mut model, &[(&interface, ""), (&of(2, "Interface"), "")]);
    let before = read(&router, "dhcp");
    assert_eq!(set(&mut model, &[(&interface, "")]), Ok(vec![]));
    assert_eq!(read(&router, "dhcp"), before);
    for (network, entry) in [
        (WAN, "9.9.9.9@pppoe-wan"),
        (LAN, "9.9.9.9@br-lan.1"),
        (IPTV, "9.9.9.9@wan.20"),
        ("", "9.9.9.9"),
    ] {
        assert_eq!(
            set(&mut model, &[(&interface, network)]),
            Ok(vec!["dhcp".to_owned()])
        );
        let text = read(&router, "dhcp");
        assert!(
            text.contains(&format!("\tlist server '{entry}'\n")),
            "{text}"
        );
        for model in [&mut model, &mut restarted(&router)] {
            expect(
                model,
                &[(&interface, network), (&of(1, "DNSServer"), "9.9.9.9")],
            );
        }
    }
    // The port stays, off and on.
    let two = of(2, "Interface");
    set(&mut model, &[(&two, WAN)]).expect("set");
    for (on, entry) in [
        ("false", "/off.invalid/149.112.112.112#53@pppoe-wan"),
        ("true", "149.112.112.112#53@pppoe-wan"),
    ] {
        set(&mut model, &[(&of(2, "Enable"), on)]).expect("set");
        assert!(read(&router, "dhcp").contains(&format!("\tlist server '{entry}'\n")));
        expect(
            &mut model,
            &[(&two, WAN), (&of(2, "DNSServer"), "149.112.112.112")],
        );
    }
    // One device stands for the first network that has it, and others for none.
    let wan6 = "Device.IP.Interface.4";
    assert_eq!(
        set(&mut model, &[(&two, wan6)]),
        Err(vec![(two.clone(), 9007)])
    );
    edit(
        &router,
        "dhcp",
        "149.112.112.112#53@pppoe-wan",
        "149.112.112.112#53@eth9",
    );
    let row = servers_of(&mut model, "149.112.112.112");
    let two = of(row, "Interface");
    expect(&mut model, &[(&two, "")]);
    let before = read(&router, "dhcp");
    assert_eq!(set(&mut model, &[(&two, "")]), Ok(vec![]));
    assert_eq!(read(&router, "dhcp"), before);
    set(&mut model, &[(&two, IPTV)]).expect("set");
    assert!(read(&router, "dhcp").contains("'149.112.112.112#53@wan.20'"));
    // A device that the file does not tell.
    edit(
        &router,
        "network",
        "\toption proto 'pppoe'\n",
        "\toption proto 'qmi'\n",
    );
    assert_eq!(
        set(&mut model, &[(&two, WAN)]),
        Err(vec![(two.clone(), 9007)])
    );
    // An address to ask from is another way.
    edit(
        &router,
        "dhcp",
        "149.112.112.112#53@wan.20",
        "149.112.112.112#53@192.168.1.1",
    );
    let two = of(servers_of(&mut model, "149.112.112.112"), "Interface");
    expect(&mut model, &[(&two, "")]);
    assert_eq!(
        set(&mut model, &[(&two, IPTV)]),
        Err(vec![(two.clone(), 9007)])
    );
}

/// The number of the forwarder with this address.
fn servers_of(model: &mut Model, address: &str) -> u32 {
    let all = below(model, FORWARDING);
    let mut found = all.iter().filter_map(|(path, value)| {
        let number = path.strip_prefix(FORWARDING)?.strip_suffix(".DNSServer")?;
        (value == address).then(|| number.parse().expect("a number"))
    });
    found.next().expect("a row")
}

// T-SPV-003
#[test]
fn a_new_forwarder_takes_its_values_in_any_order() {
    for at_once in [true, false] {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            // One that is on needs an address at once.
            if !at_once && order.iter().position(|i| *i == 0) < order.iter().position(|i| *i == 1) {
                continue;
            }
            let (router, mut model) = fresh();
            let (row, _) = add(&mut model, FORWARDING);
            let values = [
                (format!("{row}Enable"), "true"),
                (format!("{row}DNSServer"), "2001:DB8::53"),
                (format!("{row}Interface"), WAN),
            ];
            let items: Vec<(&str, &str)> = order
                .iter()
                .map(|i| (values[*i].0.as_str(), values[*i].1))
                .collect();
            for items in items.chunks(if at_once { 3 } else { 1 }) {
                set(&mut model, items).expect("set");
                expect(&mut model, items);
                // What dnsmasq would not start with.
                let text = read(&router, "dhcp");
                assert!(!text.contains("invalid/@"), "{text}");
            }
            assert!(read(&router, "dhcp").contains("\tlist server '2001:DB8::53@pppoe-wan'\n"));
            for model in [&mut model, &mut restarted(&router)] {
                expect(model, &items);
            }
            delete(&mut model, &row);
            assert!(!read(&router, "dhcp").contains("2001:DB8::53"));
        }
    }
}

#[test]
fn rows_that_get_their_interface_first_do_not_meet() {
    let (_router, mut model) = fresh();
    let rows = [0; 2].map(|_| {
        let (row, _) = add(&mut model, FORWARDING);
        set(&mut model, &[(&format!("{row}Interface"), LAN)]).expect("a device");
        row
    });
    for (row, server) in rows.iter().zip(["192.0.2.1", "192.0.2.2"]) {
        set(&mut model, &[(&format!("{row}DNSServer"), server)]).expect("an address");
        expect(&mut model, &[(&format!("{row}Interface"), LAN)]);
    }
}
