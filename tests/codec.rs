//! The forms of OpenWrt's files and their values: what is written reads back, and what
//! reads can be written, for any input.

use cwmp_agent::source::codec::pool::{self, Network};
use cwmp_agent::source::codec::{dhcp_option, dns_server, lease_time, net, protocol};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

proptest! {
    #[test]
    fn a_mask_and_its_length_are_one(length in 0_u8..=32) {
        prop_assert_eq!(net::length_of(net::mask_of(length)), Some(length));
    }

    #[test]
    fn only_masks_without_holes_have_a_length(bits in any::<u32>()) {
        let mask = Ipv4Addr::from(bits);
        prop_assert_eq!(net::length_of(mask).map(net::mask_of), net::length_of(mask).map(|_| mask));
    }

    #[test]
    fn an_address_put_into_a_text_reads_back_and_the_length_stays(
        old in any::<u32>(), new in any::<u32>(), length in proptest::option::of(0_u8..=32)
    ) {
        let old = Ipv4Addr::from(old);
        let text = length.map_or(old.to_string(), |l| format!("{old}/{l}"));
        prop_assert_eq!(net::split(&text), Some((IpAddr::V4(old), length)));
        let new = IpAddr::from(Ipv4Addr::from(new));
        prop_assert_eq!(net::split(&net::with_address(&text, new)), Some((new, length)));
    }

    #[test]
    fn a_prefix_put_into_a_text_reads_back(old in any::<u128>(), new in any::<u128>(), length in 0_u8..=128) {
        let (old, new) = (IpAddr::from(old.to_be_bytes()), IpAddr::from(new.to_be_bytes()));
        let text = net::with_prefix(&old.to_string(), net::network(new, length), length);
        let (address, read) = net::split(&text).expect("an address with a length");
        prop_assert_eq!(read, Some(length));
        prop_assert_eq!(net::prefix(address, length), net::prefix(new, length));
    }

    #[test]
    fn a_time_of_a_lease_reads_back(seconds in 0_i64..=i64::from(i32::MAX)) {
        prop_assert_eq!(lease_time::seconds(&lease_time::text(seconds)), Some(seconds));
    }

    #[test]
    fn every_protocol_but_0_reads_back(number in 1_i64..=255) {
        let name = protocol::name(number).expect("a protocol");
        prop_assert_eq!(protocol::number(&name), Some(number));
    }

    #[test]
    fn the_octets_of_an_option_read_back(tag in 1_u8..=254, octets in proptest::collection::vec(any::<u8>(), 0..=255)) {
        let text = dhcp_option::text(tag, &octets).expect("255 octets at most");
        prop_assert_eq!(dhcp_option::octets(&text), octets);
        let joined = dhcp_option::join(tag, &text);
        prop_assert_eq!(dhcp_option::split(&joined), Some((tag, text.as_str())));
    }

    #[test]
    fn a_text_of_an_option_reads_back(text in "[a-z][a-z0-9.-]{0,40}") {
        let octets = dhcp_option::octets(&text);
        prop_assert_eq!(&octets, text.as_bytes());
        prop_assert_eq!(dhcp_option::text(15, &octets), Some(text));
    }

    #[test]
    fn a_server_switched_off_and_on_says_what_it_said(address in any::<u32>(), port in proptest::option::of(1_u16..)) {
        let address = Ipv4Addr::from(address);
        let text = port.map_or(address.to_string(), |p| format!("{address}#{p}"));
        let off = dns_server::parse(&text).and_then(|s| s.switched(false)).expect("it can be off");
        let server = dns_server::parse(&off).expect("an entry");
        prop_assert!(!server.is_on());
        let address = address.to_string();
        prop_assert_eq!(server.address, Some(address.as_str()));
        prop_assert_eq!(server.switched(true), Some(text));
    }

    #[test]
    fn the_bounds_of_a_pool_can_be_set_in_any_order(
        base in any::<u32>(), length in 8_u8..=30,
        picks in (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>())
    ) {
        let network = Network::around(Ipv4Addr::from(base), length);
        let size = 1_i64 << (32 - length);
        let order = |a: u32, b: u32| {
            let (a, b) = (i64::from(a) % size, i64::from(b) % size);
            (a.min(b), a.max(b))
        };
        let (start, last) = order(picks.0, picks.1);
        let limit = last - start + 1;
        let (first, end) = order(picks.2, picks.3);
        let first = network.address(first).expect("inside");
        let end = network.address(end).expect("inside");
        // First address first.
        let (s, _) = pool::with_first(network, start, limit, first).expect("inside");
        let l = pool::with_last(network, s, end).expect("inside");
        prop_assert_eq!(pool::bounds(network, s, l), Some((first, end)));
        // Last address first.
        let l = pool::with_last(network, start, end).expect("inside");
        let (s, l) = pool::with_first(network, start, l, first).expect("inside");
        prop_assert_eq!(pool::bounds(network, s, l), Some((first, end)));
    }

    #[test]
    fn no_text_breaks_a_reader(text in "\\PC{0,60}", number in any::<i64>()) {
        let _ = net::split(&text);
        let _ = net::with_address(&text, IpAddr::V4(Ipv4Addr::LOCALHOST));
        let _ = net::with_prefix(&text, IpAddr::V4(Ipv4Addr::LOCALHOST), 8);
        let _ = lease_time::seconds(&text);
        let _ = protocol::number(&text);
        let _ = dhcp_option::split(&text).map(|(_, value)| dhcp_option::octets(value));
        let _ = dns_server::parse(&text).map(|s| (s.switched(true), s.switched(false)));
        let network = Network::around(Ipv4Addr::LOCALHOST, 8);
        let _ = pool::bounds(network, number, number);
        let _ = pool::with_first(network, number, number, Ipv4Addr::new(127, 0, 0, 9));
        let _ = pool::with_last(network, number, Ipv4Addr::new(127, 0, 0, 9));
    }
}

#[test]
fn times_are_read_as_dnsmasq_reads_them() {
    for (text, seconds) in [
        ("12h", 43_200),
        ("30m", 1800),
        ("1d", 86_400),
        ("2w", 1_209_600),
        ("45s", 45),
        ("3600", 3600),
        ("infinite", -1),
    ] {
        assert_eq!(lease_time::seconds(text), Some(seconds), "{text}");
    }
    for junk in ["", "h", "12 h", "-5", "1h30m", "99999999999h", "soon"] {
        assert_eq!(lease_time::seconds(junk), None, "{junk}");
    }
    assert_eq!(lease_time::text(43_200), "12h");
    assert_eq!(lease_time::text(5400), "90m");
    assert_eq!(lease_time::text(-1), "infinite");
}

#[test]
fn protocols_have_the_numbers_of_iana() {
    for (name, number) in [
        ("tcp", 6),
        ("UDP", 17),
        ("icmp", 1),
        ("esp", 50),
        ("igmp", 2),
        ("ipv6-icmp", 58),
        ("58", 58),
        ("all", -1),
        ("0", -1),
    ] {
        assert_eq!(protocol::number(name), Some(number), "{name}");
    }
    for none in ["tcp udp", "tcpudp", "256", "-2", "", "!tcp"] {
        assert_eq!(protocol::number(none), None, "{none}");
    }
    assert_eq!(protocol::name(0), None);
    assert_eq!(protocol::name(256), None);
}

#[test]
fn options_are_read_as_dnsmasq_reads_them() {
    for (text, octets) in [
        ("192.168.1.1,9.9.9.9", vec![192, 168, 1, 1, 9, 9, 9, 9]),
        ("1500", vec![5, 220]),
        ("7", vec![7]),
        ("01:04:ac", vec![1, 4, 0xac]),
        ("lan", b"lan".to_vec()),
        ("", vec![]),
    ] {
        assert_eq!(dhcp_option::octets(text), octets, "{text}");
    }
    for other in [
        "option:router,192.0.2.1",
        "tag:x,6,192.0.2.1",
        "0,1",
        "255,1",
        "x",
    ] {
        assert_eq!(dhcp_option::split(other), None, "{other}");
    }
    assert_eq!(dhcp_option::text(15, &[0; 256]), None);
}

#[test]
fn servers_of_certain_names_are_no_servers_of_all() {
    for text in [
        "/example.net/192.0.2.1",
        "/offx.invalid/192.0.2.1",
        "junk",
        "",
        "#53",
        "/off",
    ] {
        assert_eq!(dns_server::parse(text), None, "{text}");
    }
    let new = dns_server::parse("/off-3.invalid/").expect("a new entry");
    assert_eq!((new.is_on(), new.address), (false, None));
    assert_eq!(new.switched(true), None);
    assert_eq!(
        new.with_address("2001:DB8::53"),
        "/off.invalid/2001:DB8::53"
    );
}

#[test]
fn a_server_is_asked_by_a_device_or_as_routes_decide() {
    let with = |text: &str, device: &str| {
        let server = dns_server::parse(text).expect("an entry");
        server.with_device(device)
    };
    let of = |text: &str| {
        let server = dns_server::parse(text).expect("an entry");
        server.device().to_owned()
    };
    for (text, device, to) in [
        ("9.9.9.9", "eth1", "9.9.9.9@eth1"),
        ("9.9.9.9#5353@eth0", "eth1", "9.9.9.9#5353@eth1"),
        ("9.9.9.9#5353@eth0", "", "9.9.9.9#5353"),
        (
            "/off.invalid/2001:db8::53",
            "br-lan.1",
            "/off.invalid/2001:db8::53@br-lan.1",
        ),
        ("/off-3.invalid/", "eth1", "/off-3.invalid/0.0.0.0@eth1"),
        (
            "/off-3.invalid/0.0.0.0@eth1",
            "eth2",
            "/off-3.invalid/0.0.0.0@eth2",
        ),
        ("/off-3.invalid/0.0.0.0@eth1", "", "/off-3.invalid/"),
    ] {
        assert_eq!(with(text, device).as_deref(), Some(to), "{text}");
        assert_eq!(of(to), device, "{to}");
    }
    for (text, device) in [
        ("9.9.9.9@192.0.2.1", ""),
        ("9.9.9.9@192.0.2.1#1053", ""),
        ("9.9.9.9@eth0@192.0.2.1", "eth0"),
    ] {
        assert_eq!(of(text), device, "{text}");
        assert_eq!(with(text, "eth1"), None, "{text}");
    }
    let waits = dns_server::parse("/off-3.invalid/0.0.0.0@eth1").expect("an entry");
    assert_eq!((waits.address, waits.switched(true)), (None, None));
    let off = waits.switched(false);
    assert_eq!(off.as_deref(), Some("/off-3.invalid/0.0.0.0@eth1"));
    assert_eq!(waits.with_address("9.9.9.9"), "/off.invalid/9.9.9.9@eth1");
}
