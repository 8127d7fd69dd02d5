//! Fixed addresses in the shipped data model: what dnsmasq would not start with is refused,
//! and no host is out of sight.

mod data_model_support;
mod router;
mod router_model;

use data_model_support::{add, delete, edit, expect, fresh, get, read, set};

const POOL: &str = "Device.DHCPv4.Server.Pool.";
const NAS: &str = "Device.DHCPv4.Server.Pool.1.StaticAddress.1.";
const PRINTER: &str = "Device.DHCPv4.Server.Pool.1.StaticAddress.2.";

/// The paths that a Set is refused for, with 9007 each.
fn refused(model: &mut cwmp_agent::model::Model, items: &[(&str, &str)]) -> Vec<String> {
    let faults = set(model, items).expect_err("refused");
    assert!(faults.iter().all(|(_, code)| *code == 9007), "{faults:?}");
    faults.into_iter().map(|(path, _)| path).collect()
}

// T-SPV-003, T-OBJ-009: dnsmasq does not start where two hosts have one address.
#[test]
fn no_two_hosts_have_one_address() {
    let (router, mut model) = fresh();
    let (nas, printer) = (format!("{NAS}Yiaddr"), format!("{PRINTER}Yiaddr"));
    let before = read(&router, "dhcp");
    assert_eq!(refused(&mut model, &[(&nas, "192.168.1.40")]), [&*nas]);
    // The router's own, the network's, and everybody's.
    for bad in ["192.168.1.1", "192.168.1.0", "192.168.1.255"] {
        assert_eq!(refused(&mut model, &[(&nas, bad)]), [&*nas]);
    }
    assert_eq!(read(&router, "dhcp"), before);
    // Two that change places are no trouble, in either order.
    for items in [
        [(&*nas, "192.168.1.40"), (&*printer, "192.168.1.20")],
        [(&*printer, "192.168.1.40"), (&*nas, "192.168.1.20")],
        [(&*printer, "192.168.1.20"), (&*nas, "192.168.1.41")],
    ] {
        set(&mut model, &items).unwrap_or_else(|e| panic!("{items:?}: {e:?}"));
        expect(&mut model, &items);
    }
    // Two that get the same are both told.
    let same = [(&*nas, "192.168.1.50"), (&*printer, "192.168.1.50")];
    assert_eq!(refused(&mut model, &same), [&*nas, &*printer]);
    // A host that another pool shows counts, too: it was made there.
    edit(
        &router,
        "dhcp",
        "\toption ip '192.168.3.60'\n",
        "\toption ip '192.168.1.60'\n\toption cwmp_pool 'guest'\n",
    );
    expect(
        &mut model,
        &[(&format!("{POOL}3.StaticAddress.1.Yiaddr"), "192.168.1.60")],
    );
    assert_eq!(refused(&mut model, &[(&nas, "192.168.1.60")]), [&*nas]);
}

// T-SPV-003
#[test]
fn a_host_that_is_off_keeps_its_address_and_does_not_count() {
    let (router, mut model) = fresh();
    let (host, _) = add(&mut model, &format!("{POOL}1.StaticAddress."));
    let of = |name: &str| format!("{host}{name}");
    let (enable, mac, ip) = (of("Enable"), of("Chaddr"), of("Yiaddr"));
    expect(&mut model, &[(&enable, "false"), (&mac, ""), (&ip, "")]);
    set(
        &mut model,
        &[(&mac, "02:00:5e:00:53:99"), (&ip, "192.168.1.40")],
    )
    .expect("off");
    // On, it would have the printer's address.
    assert_eq!(refused(&mut model, &[(&enable, "true")]), [&*enable]);
    assert!(read(&router, "dhcp").contains("option enable '0'"));
    let all = [(&*enable, "true"), (&*ip, "192.168.1.99")];
    set(&mut model, &all).expect("on");
    expect(&mut model, &all);
    assert!(read(&router, "dhcp").contains("option enable '1'"));
    // dnsmasq passes over what says so itself.
    edit(
        &router,
        "dhcp",
        "\toption name 'nas'\n",
        "\toption name 'nas'\n\toption enable 'off'\n",
    );
    expect(&mut model, &[(&format!("{NAS}Enable"), "false")]);
    set(&mut model, &[(&ip, "192.168.1.20")]).expect("free");
    assert_eq!(
        refused(&mut model, &[(&format!("{NAS}Enable"), "true")]),
        [format!("{NAS}Enable")]
    );
    delete(&mut model, &host);
    set(&mut model, &[(&format!("{NAS}Enable"), "true")]).expect("free again");
}

// T-OBJ-009: one address of hardware has many forms.
#[test]
fn a_hardware_address_is_the_same_in_any_form() {
    let (_router, mut model) = fresh();
    let mac = format!("{NAS}Chaddr");
    assert_eq!(refused(&mut model, &[(&mac, "02:00:5e:00:53:40")]), [&*mac]);
    // Its own, in another form.
    set(&mut model, &[(&mac, "02:00:5e:00:53:20")]).expect("its own");
    expect(&mut model, &[(&mac, "02:00:5e:00:53:20")]);
}

#[test]
fn hosts_stay_in_sight_when_the_network_gets_other_addresses() {
    let (router, mut model) = fresh();
    let number = format!("{POOL}1.StaticAddressNumberOfEntries");
    expect(
        &mut model,
        &[(&number, "2"), (&format!("{NAS}Yiaddr"), "192.168.1.20")],
    );
    set(
        &mut model,
        &[(
            "Device.IP.Interface.2.IPv4Address.1.IPAddress",
            "192.168.77.1",
        )],
    )
    .expect("another network");
    expect(
        &mut model,
        &[
            (&number, "2"),
            (&format!("{NAS}Yiaddr"), "192.168.1.20"),
            (&format!("{PRINTER}Yiaddr"), "192.168.1.40"),
            (&format!("{POOL}3.StaticAddressNumberOfEntries"), "1"),
        ],
    );
    set(&mut model, &[(&format!("{NAS}Yiaddr"), "192.168.77.20")]).expect("moved along");
    delete(&mut model, PRINTER);
    assert!(!read(&router, "dhcp").contains("printer"));
    assert_eq!(get(&mut model, &number), "1");
}
