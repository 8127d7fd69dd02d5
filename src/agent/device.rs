//! The kernel device behind `cpe.interface`: what netifd says, where it can be asked and the
//! network is up, else what UCI and `/sys` can tell.
//!
//! It fails closed: whatever cannot be found out, the answer is some device, if only one of
//! the interface's own name that does not exist. Then nothing is sent at all, where "any
//! device" would let the traffic go where the operator has said it must not.

use super::world::lock;
use crate::store::Root;
use crate::ubus::{Answer, CallError, Caller};
use crate::uci::file::Stamp;
use crate::uci::{Package, Section};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const NETWORK: &str = "/etc/config/network";
/// `@alias` of an alias of …: no router has more.
const MAX_ALIASES: usize = 8;
/// A longer name is no network's.
const MAX_NAME: usize = 64;
/// The longest name of a device (`IFNAMSIZ` of the kernel, without its NUL).
const MAX_DEVICE: usize = 15;
/// Entries of a folder of /sys looked at.
const MAX_ENTRIES: usize = 64;

/// What UCI says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// No network of that name: it is a kernel device.
    NoNetwork,
    /// This kernel device.
    Device(String),
    /// The network device that belongs to this modem, a path below /dev or /sys.
    Modem(String),
}

/// What UCI last said, so that a file that stays as it is is read once; and what netifd
/// said of the network that it was asked for.
#[derive(Debug, Default)]
pub struct Devices {
    last: Mutex<Option<(String, Stamp, Told)>>,
    running: Mutex<Option<(String, String)>>,
}

impl Devices {
    /// The kernel device of a network of `/etc/config/network`, or of a device's own name.
    /// What netifd says of a network that is up comes before what the files tell.
    pub fn find(&self, root: &Root, name: &str) -> String {
        if let Some((network, device)) = lock(&self.running).as_ref()
            && network == name
        {
            return device.clone();
        }
        match self.told(root, name) {
            Told::NoNetwork => name.to_owned(),
            Told::Device(device) => device,
            // While the modem is not there, no device has this name.
            Told::Modem(at) => modem(root, &at).unwrap_or_else(|| name.to_owned()),
        }
    }

    /// Asks the netifd at this ubusd, and waits for it: not for a loop with other things to do.
    pub fn ask(&self, socket: &Path, network: &str, time: Duration) {
        if let Some(object) = object(network) {
            let mut caller = Caller::new(socket);
            let answer = caller.call(&object, "status", &Map::new(), Instant::now() + time);
            self.heard(network, answer.map(Answer::Tables));
        }
    }

    /// netifd has answered what the status of a network is. Tells whether its device is
    /// another one than before.
    pub fn heard(&self, network: &str, answer: Result<Answer, CallError>) -> bool {
        let device = match &answer {
            Ok(Answer::Tables(tables)) => tables.first().and_then(l3_device),
            Ok(Answer::Objects(_)) | Err(CallError::Refused(_)) => None,
            // No answer says nothing of the network.
            Err(_) => return false,
        };
        let device = device.map(|device| (network.to_owned(), device));
        let mut running = lock(&self.running);
        let is_new = *running != device;
        *running = device;
        is_new
    }

    fn told(&self, root: &Root, name: &str) -> Told {
        let stamp = root
            .path(NETWORK)
            .ok()
            .and_then(|path| Stamp::of(&path).ok().flatten());
        let mut last = lock(&self.last);
        if let (Some(stamp), Some((for_name, at, told))) = (stamp, last.as_ref())
            && for_name == name
            && *at == stamp
        {
            return told.clone();
        }
        let told = networks(root).map_or(Told::NoNetwork, |package| network(&package, name));
        *last = stamp.map(|stamp| (name.to_owned(), stamp, told.clone()));
        told
    }
}

/// netifd's object for a network; `None` where there is no such name.
pub fn object(network: &str) -> Option<String> {
    // A star would stand for any object.
    let is_name = !network.is_empty() && network.len() <= MAX_NAME && !network.contains('*');
    is_name.then(|| format!("network.interface.{network}"))
}

/// The device that carries a network's packets, as its status tells; none while it is down.
fn l3_device(status: &Map<String, Value>) -> Option<String> {
    let device = status.get("l3_device")?.as_str()?;
    let is_device = (1..=MAX_DEVICE).contains(&device.len())
        && device.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    is_device.then(|| device.to_owned())
}

/// Whether `/etc/config/network` has a network of this name.
pub fn is_network(root: &Root, name: &str) -> bool {
    networks(root).is_some_and(|package| section(&package, name).is_some())
}

fn networks(root: &Root) -> Option<Package> {
    let text = root.read(NETWORK, 1 << 20).ok()?;
    Package::parse(&text).ok()
}

fn section<'p>(package: &'p Package, name: &str) -> Option<&'p Section> {
    let section = package.sections().get(package.section(name)?)?;
    (section.kind() == "interface").then_some(section)
}

fn option(section: &Section, name: &str) -> Option<String> {
    let value = section.get(name)?.items().first()?;
    // `ifname 'eth0 eth1'` of old bridges: the first one counts where one is wanted.
    let first = value.split_whitespace().next()?;
    Some(first.to_owned())
}

fn network(package: &Package, name: &str) -> Told {
    let mut name = name;
    let mut told = Told::NoNetwork;
    let mut next: String;
    for _ in 0..MAX_ALIASES {
        let Some(section) = section(package, name) else {
            return told;
        };
        told = interface(section, name);
        match &told {
            Told::Device(device) if device.starts_with('@') => {
                next = device.trim_start_matches('@').to_owned();
                told = Told::Device(next.clone());
                name = &next;
            }
            _ => return told,
        }
    }
    told
}

/// The device of one network, as netifd and its protocol handlers name it.
fn interface(section: &Section, name: &str) -> Told {
    let proto = option(section, "proto").unwrap_or_default();
    let device = option(section, "device").or_else(|| option(section, "ifname"));
    let made = |prefix: &str| Told::Device(format!("{prefix}-{name}"));
    match proto.as_str() {
        "pppoe" | "pppoa" | "pptp" | "l2tp" | "3g" | "sstp" | "ppp" => made(&proto),
        "6in4" | "6to4" | "6rd" | "ipip" | "map" | "464xlat" => made(match proto.as_str() {
            "464xlat" => "464",
            other => other,
        }),
        "dslite" => made("ds"),
        "gre" | "gretap" => made(if proto == "gre" { "gre4" } else { "gre4t" }),
        "grev6" | "grev6tap" => made(if proto == "grev6" { "gre6" } else { "gre6t" }),
        "vti" | "vtiv6" | "xfrm" => made(&proto),
        "openconnect" | "vpnc" => made("vpn"),
        // The handler makes a device of the network's own name.
        "wireguard" | "openvpn" | "relay" => Told::Device(name.to_owned()),
        "qmi" | "mbim" | "ncm" | "wwan" | "modemmanager" | "directip" | "hnet" => match device {
            Some(at) if at.starts_with('/') => Told::Modem(at),
            Some(device) => Told::Device(device),
            None => Told::Device(name.to_owned()),
        },
        _ if option(section, "type").as_deref() == Some("bridge") => made("br"),
        // A network without a device gets one elsewhere (wireless): its name is not known
        // here, and no device has the network's.
        _ => Told::Device(device.unwrap_or_else(|| name.to_owned())),
    }
}

/// The network device of a modem: of `/dev/cdc-wdm0`, `/dev/ttyUSB2`, or of a path of /sys.
fn modem(root: &Root, at: &str) -> Option<String> {
    let mut folders = Vec::new();
    if let Some(node) = at.strip_prefix("/dev/") {
        for class in ["usbmisc", "tty", "wwan"] {
            let device = format!("/sys/class/{class}/{node}/device");
            folders.push(format!("{device}/net"));
            // A serial port is another interface of the same USB device; the real path is
            // needed, since `..` is no way through a link.
            let real = root.path(&device).ok().and_then(|p| p.canonicalize().ok());
            let below = real.and_then(|p| {
                let below = p.strip_prefix(root.dir()).ok()?.to_str()?.to_owned();
                Some(format!("/{below}"))
            });
            // Beside a port of the board itself stands all that the board has.
            let above = [
                below.as_deref().and_then(parent),
                below.as_deref().and_then(parent).and_then(parent),
            ];
            let usb = above.into_iter().flatten().find(|at| is_usb(root, at));
            if let Some(usb) = usb {
                folders.extend(entries(root, usb).map(|e| format!("{usb}/{e}/net")));
            }
        }
    } else if at.starts_with("/sys/") {
        folders.push(format!("{at}/net"));
        folders.extend(entries(root, at).map(|e| format!("{at}/{e}/net")));
    }
    folders
        .iter()
        .find_map(|folder| entries(root, folder).min())
}

/// Whether a folder of /sys is a USB device, with its interfaces as entries.
fn is_usb(root: &Root, folder: &str) -> bool {
    let vendor = root.path(&format!("{folder}/idVendor"));
    vendor.is_ok_and(|vendor| vendor.exists())
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

/// The names in a folder below the root; none where there is none.
fn entries(root: &Root, folder: &str) -> impl Iterator<Item = String> {
    let listed = root
        .path(folder)
        .ok()
        .and_then(|path| std::fs::read_dir(path).ok());
    listed
        .into_iter()
        .flatten()
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str, network: &str) -> (Folder, Root) {
            let dir = std::env::temp_dir().join(format!("device-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(dir.join("etc/config")).expect("a folder");
            std::fs::write(dir.join("etc/config/network"), network).expect("written");
            let root = Root::new(&dir).expect("a root");
            (Folder(dir), root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const NETWORK: &str = "
config interface 'lan'
\toption type 'bridge'
\toption ifname 'eth0.1 eth1'
\toption proto 'static'
config interface 'wan'
\toption device 'wan'
\toption proto 'pppoe'
config interface 'wan6'
\toption device '@wan'
\toption proto 'dhcpv6'
config interface 'mgmt'
\toption device 'eth0.46'
\toption proto 'dhcp'
config interface 'radio'
\toption proto 'dhcp'
config interface 'tunnel'
\toption proto '6in4'
config interface 'far'
\toption proto 'l2tp'
config interface 'wg0'
\toption proto 'wireguard'
config interface 'mobile'
\toption proto 'qmi'
\toption device '/dev/cdc-wdm0'
config interface 'serial'
\toption proto 'ncm'
\toption device '/dev/ttyUSB2'
config interface 'round'
\toption device '@about'
config interface 'about'
\toption device '@round'
config device 'br0'
\toption name 'br0'
";

    #[test]
    fn a_network_is_the_device_that_its_protocol_makes() {
        let (_folder, root) = Folder::new("proto", NETWORK);
        let devices = Devices::default();
        for (name, device) in [
            ("lan", "br-lan"),
            ("wan", "pppoe-wan"),
            ("wan6", "pppoe-wan"),
            ("mgmt", "eth0.46"),
            ("tunnel", "6in4-tunnel"),
            ("far", "l2tp-far"),
            ("wg0", "wg0"),
        ] {
            assert_eq!(devices.find(&root, name), device, "{name}");
            assert_eq!(devices.find(&root, name), device, "{name}, from memory");
        }
    }

    #[test]
    fn what_cannot_be_found_is_never_any_device() {
        let (folder, root) = Folder::new("closed", NETWORK);
        let devices = Devices::default();
        for name in ["radio", "br0", "eth7", "mobile", "serial", "nonsense"] {
            assert_eq!(devices.find(&root, name), name);
        }
        assert!(!devices.find(&root, "round").is_empty());
        std::fs::write(
            folder.0.join("etc/config/network"),
            "config interface 'wan\n",
        )
        .expect("written");
        assert_eq!(devices.find(&root, "wan"), "wan");
        std::fs::remove_file(folder.0.join("etc/config/network")).expect("removed");
        assert_eq!(devices.find(&root, "wan"), "wan");
    }

    #[test]
    fn a_modem_is_the_device_that_sys_shows_below_it() {
        let (folder, root) = Folder::new("modem", NETWORK);
        let usb = folder.0.join("sys/devices/usb1/1-1");
        std::fs::create_dir_all(usb.join("1-1:1.4/net/wwan0")).expect("a folder");
        std::fs::create_dir_all(usb.join("1-1:1.2/ttyUSB2")).expect("a folder");
        std::fs::write(usb.join("idVendor"), "2c7c\n").expect("written");
        for (class, node, device) in [
            ("usbmisc", "cdc-wdm0", "../../../devices/usb1/1-1/1-1:1.4"),
            (
                "tty",
                "ttyUSB2",
                "../../../devices/usb1/1-1/1-1:1.2/ttyUSB2",
            ),
        ] {
            let class = folder.0.join("sys/class").join(class).join(node);
            std::fs::create_dir_all(&class).expect("a folder");
            std::os::unix::fs::symlink(device, class.join("device")).expect("a link");
        }
        let devices = Devices::default();
        assert_eq!(devices.find(&root, "mobile"), "wwan0");
        assert_eq!(devices.find(&root, "serial"), "wwan0");
    }

    #[test]
    fn a_serial_port_of_the_board_is_no_way_to_the_boards_other_devices() {
        let text = NETWORK.replace("/dev/ttyUSB2", "/dev/ttyS0");
        let (folder, root) = Folder::new("board", &text);
        let soc = folder.0.join("sys/devices/platform/soc");
        std::fs::create_dir_all(soc.join("serial@0")).expect("a folder");
        std::fs::create_dir_all(soc.join("ethernet@1/net/eth0")).expect("a folder");
        let class = folder.0.join("sys/class/tty/ttyS0");
        std::fs::create_dir_all(&class).expect("a folder");
        let device = "../../../devices/platform/soc/serial@0";
        std::os::unix::fs::symlink(device, class.join("device")).expect("a link");
        assert_eq!(Devices::default().find(&root, "serial"), "serial");
    }

    #[test]
    fn a_network_that_changes_is_read_again() {
        let (folder, root) = Folder::new("again", NETWORK);
        let devices = Devices::default();
        assert_eq!(devices.find(&root, "mgmt"), "eth0.46");
        let text = NETWORK.replace("eth0.46", "eth0.4711");
        std::fs::write(folder.0.join("etc/config/network"), text).expect("written");
        assert_eq!(devices.find(&root, "mgmt"), "eth0.4711");
    }
}
