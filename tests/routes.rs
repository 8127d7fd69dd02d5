//! Where the agent's packets go: the device of `cpe.interface`, and nowhere else.

mod acs;
mod cpe;

use acs::*;
use cpe::Cpe;

/// A session that must not take place with this interface.
fn refused(interface: &str, network: Option<&str>) {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let cpe = Cpe::new(&acs.url());
    cpe.edit("cpe", "interface", interface);
    match network {
        Some(text) => cpe.router.write("/etc/config/network", text),
        None => std::fs::remove_file(cpe.router.path("/etc/config/network")),
    }
    .expect("the network");
    let out = cpe.cli(&["run", "--once"]);
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(3), "{interface}: {log}");
    assert_eq!(acs.record().connections, 0, "{interface}: {log}");
    acs.finish().unwrap();
}

#[test]
fn traffic_never_leaves_by_another_device_than_the_configured_one() {
    let whole = "config interface 'wan'\n\toption device 'absent0'\n\toption proto 'dhcp'\n";
    refused("wan", Some(whole));
    // Names that nothing is known of, and a file that cannot be read.
    refused("elsewhere", Some(whole));
    refused("wan", Some("config interface 'wan\n"));
    refused("wan", None);
}

#[test]
fn a_network_is_found_by_its_name_and_through_an_alias() {
    for name in ["wan", "wan6"] {
        let acs = Acs::start(AcsConfig::default()).expect("an ACS");
        let cpe = Cpe::new(&acs.url());
        cpe.edit("cpe", "interface", name);
        let network = "config interface 'wan'\n\toption device 'lo'\n\toption proto 'static'\n\
                       config interface 'wan6'\n\toption device '@wan'\n\toption proto 'dhcpv6'\n";
        cpe.router
            .write("/etc/config/network", network)
            .expect("the network");
        let out = cpe.cli(&["run", "--once"]);
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{name}: {log}");
        acs.finish().unwrap();
    }
}
