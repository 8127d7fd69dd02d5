//! Where the agent's packets go: the device of `cpe.interface`, and nowhere else.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Packets of every device, as they are on the wire.
struct Sniffer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Packet>>,
}

/// One TCP segment: ports and traffic class.
struct Packet {
    from: u16,
    to: u16,
    class: u8,
}

impl Sniffer {
    /// `None` where this user may not look.
    fn start() -> Option<Sniffer> {
        let opened = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        );
        let fd = opened.ok()?;
        let wait = nix::sys::time::TimeVal::new(0, 50_000);
        setsockopt(&fd, sockopt::ReceiveTimeout, &wait).ok()?;
        let _ = setsockopt(&fd, sockopt::RcvBuf, &(8 << 20));
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = std::thread::spawn(move || packets(&fd, &until));
        Some(Sniffer { stop, thread })
    }

    /// What was seen of this port, sent to it or from it.
    fn seen(self, port: u16) -> Vec<Packet> {
        self.stop.store(true, Ordering::SeqCst);
        let all = self.thread.join().expect("no panic");
        all.into_iter()
            .filter(|p| p.from == port || p.to == port)
            .collect()
    }
}

fn packets(fd: &OwnedFd, stop: &AtomicBool) -> Vec<Packet> {
    let mut seen = Vec::new();
    let mut frame = vec![0; 70_000];
    loop {
        match recv(
            fd.as_raw_fd(),
            &mut frame,
            nix::sys::socket::MsgFlags::empty(),
        ) {
            Ok(length) => seen.extend(packet(&frame[..length])),
            // Nothing for a while, and nothing is waited for any more.
            Err(_) if stop.load(Ordering::SeqCst) => return seen,
            Err(_) => {}
        }
    }
}

fn packet(frame: &[u8]) -> Option<Packet> {
    let ip = frame.get(14..)?;
    let (class, tcp) = match frame.get(12..14)? {
        [8, 0] if ip.get(9) == Some(&6) => (ip[1], ip.get(usize::from(ip[0] & 15) * 4..)?),
        [0x86, 0xdd] if ip.get(6) == Some(&6) => (ip[0] << 4 | ip[1] >> 4, ip.get(40..)?),
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
    Some(Packet {
        from: port(0)?,
        to: port(2)?,
        class,
    })
}

fn port_of(url: &str) -> u16 {
    let origin = url.split('/').nth(2).expect("an authority");
    let (_, port) = origin.rsplit_once(':').expect("a port");
    port.parse().expect("a number")
}

#[test]
fn packets_to_the_acs_carry_the_dscp() {
    for ipv6 in [false, true] {
        let Some(sniffer) = Sniffer::start() else {
            println!("skipped: packets may not be looked at");
            return;
        };
        let config = AcsConfig {
            ipv6,
            ..AcsConfig::default()
        };
        let Ok(acs) = Acs::start(config) else {
            println!("skipped: no IPv6 here");
            continue;
        };
        let cpe = Cpe::new(&acs.url());
        cpe.edit("cpe", "dscp", "46");
        let out = cpe.cli(&["run", "--once"]);
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{log}");
        let port = port_of(&acs.url());
        let seen = sniffer.seen(port);
        let ours: Vec<u8> = seen
            .iter()
            .filter(|p| p.to == port)
            .map(|p| p.class >> 2)
            .collect();
        assert!(ours.len() > 4, "IPv6: {ipv6}, {ours:?}");
        assert!(
            ours.iter().all(|dscp| *dscp == 46),
            "IPv6: {ipv6}, {ours:?}"
        );
        acs.finish().unwrap();
    }
}

#[test]
fn answers_to_connection_requests_carry_the_dscp_also_one_that_is_set_later() {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let mut cpe = Cpe::new(&acs.url());
    cpe.edit("cpe", "dscp", "46");
    cpe.start();
    acs.wait_session(1, PATIENCE).expect("a session");
    let url = cpe.get("Device.ManagementServer.ConnectionRequestURL");
    let port = port_of(&url);
    for dscp in [46, 10] {
        if dscp == 10 {
            cpe.edit("cpe", "dscp", "10");
            cpe.signal(nix::sys::signal::Signal::SIGHUP);
            cpe.wait_text("/tmp/log", |t| t.contains("settings taken over"));
        }
        let Some(sniffer) = Sniffer::start() else {
            println!("skipped: packets may not be looked at");
            return;
        };
        raw_request(
            &format!("127.0.0.1:{port}"),
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            PATIENCE,
        )
        .expect("an answer");
        let seen = sniffer.seen(port);
        let ours: Vec<u8> = seen
            .iter()
            .filter(|p| p.from == port)
            .map(|p| p.class >> 2)
            .collect();
        assert!(!ours.is_empty());
        assert!(ours.iter().all(|d| *d == dscp), "{ours:?}");
    }
    cpe.stop();
    acs.finish().unwrap();
}

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
