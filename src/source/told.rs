//! The name servers that netifd lists for dnsmasq: each network's below its name, those of
//! the configuration among them.

use crate::store::Folders;
use std::net::IpAddr;

/// Networks and their name servers.
pub type Told = Vec<(String, IpAddr)>;

/// Bytes of the list at most.
const MAX_FILE: u64 = 1 << 20;
/// Lines that are looked at.
const MAX_LINES: usize = 20_000;

/// The list's text; empty where there is none.
pub fn read(root: &Folders) -> Vec<u8> {
    let bytes = |path| root.read(path, MAX_FILE).unwrap_or_default();
    let all = bytes("/tmp/resolv.conf.d/resolv.conf.auto");
    match all.is_empty() {
        // Where it was before 21.02.
        true => bytes("/tmp/resolv.conf.auto"),
        false => all,
    }
}

/// `# Interface wan`, and `nameserver` lines below it.
pub fn parse(text: &str) -> Told {
    let mut network = "";
    let mut all = Told::new();
    for line in text.lines().take(MAX_LINES) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("#"), Some("Interface"), Some(name)) => network = name,
            (Some("nameserver"), Some(address), _) => {
                if let Ok(address) = address.parse::<IpAddr>()
                    && !network.is_empty()
                {
                    all.push((network.to_owned(), address));
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_belong_to_the_network_above_them() {
        let text = "# Interface wan\nnameserver 198.51.100.53\n# Interface wan6\nnameserver 2001:db8::53\nsearch lan\n";
        let read: Vec<String> = parse(text)
            .iter()
            .map(|(n, a)| format!("{n} {a}"))
            .collect();
        assert_eq!(read, ["wan 198.51.100.53", "wan6 2001:db8::53"]);
        assert!(parse("nameserver 9.9.9.9\n# Interface x\nnameserver junk\n").is_empty());
    }
}
