//! Which network device carries the packets of a network, as far as its section tells: for
//! programs that are told a device where an ACS names a network.

use super::draft::Content;
use crate::uci::Section;

/// The longest name of a device (`IFNAMSIZ` of the kernel, without its NUL).
const MAX_DEVICE: usize = 15;

/// The device of a network; `None` where only netifd knows it, while the network is up.
pub fn of_network(content: &Content, name: &str) -> Option<String> {
    let mut section = network(content, name)?;
    // `@wan` names another network; a circle of them ends here.
    for _ in 0..8 {
        let name = section.name()?;
        let own = |option: &str| section.get(option)?.as_one()?.split_whitespace().next();
        let device = match own("proto").unwrap_or("none") {
            proto @ ("pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" | "6in4" | "6to4" | "6rd") => {
                format!("{proto}-{name}")
            }
            "wireguard" => name.to_owned(),
            "dhcp" | "dhcpv6" | "none" | "static" => match own("device").or(own("ifname"))? {
                _ if own("type") == Some("bridge") => format!("br-{name}"),
                device => match device.strip_prefix('@') {
                    None => device.to_owned(),
                    Some(other) => {
                        section = network(content, other)?;
                        continue;
                    }
                },
            },
            _ => return None,
        };
        let is_device = device.len() <= MAX_DEVICE && !device.contains(['/', '#', '@', '%']);
        return is_device.then_some(device);
    }
    None
}

/// The first network with this device, which stands for all that have it.
pub fn network_of<'a>(content: &'a Content, device: &str) -> Option<&'a str> {
    let sections = content.package.sections().iter();
    let mut names = sections
        .filter(|section| section.kind() == "interface")
        .filter_map(Section::name);
    names.find(|name| of_network(content, name).as_deref() == Some(device))
}

fn network<'a>(content: &'a Content, name: &str) -> Option<&'a Section> {
    let section = content.package.sections().get(content.by_key(name)?)?;
    (section.kind() == "interface").then_some(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;
    use std::sync::Arc;

    #[test]
    fn a_network_has_the_device_that_netifd_gives_it() {
        let text = "config interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n\
            config interface 'wan'\n\toption device 'eth1'\n\toption proto 'pppoe'\n\
            config interface 'wan6'\n\toption device '@wan'\n\toption proto 'dhcpv6'\n\
            config interface 'old'\n\toption ifname 'eth2 eth3'\n\toption type 'bridge'\n\toption proto 'dhcp'\n\
            config interface 'wg0'\n\toption proto 'wireguard'\n\
            config interface 'lte'\n\toption device '/dev/cdc-wdm0'\n\toption proto 'qmi'\n\
            config interface 'odd'\n\toption device '/dev/x'\n\
            config interface 'round'\n\toption device '@round'\n\
            config interface 'mirror'\n\toption device 'br-lan'\n\
            config device 'x'\n\toption device 'eth9'\n";
        let content = Content::of(Arc::new(Package::parse(text.as_bytes()).expect("UCI")));
        for (name, device) in [
            ("lan", Some("br-lan")),
            ("wan", Some("pppoe-wan")),
            ("wan6", Some("pppoe-wan")),
            ("old", Some("br-old")),
            ("wg0", Some("wg0")),
            ("lte", None),
            ("odd", None),
            ("round", None),
            ("x", None),
            ("none", None),
        ] {
            assert_eq!(of_network(&content, name).as_deref(), device, "{name}");
        }
        assert_eq!(network_of(&content, "pppoe-wan"), Some("wan"));
        assert_eq!(network_of(&content, "br-lan"), Some("lan"));
        assert_eq!(network_of(&content, "eth9"), None);
    }
}
