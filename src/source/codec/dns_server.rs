//! Entries of dnsmasq's list of servers: an address (`9.9.9.9`, `9.9.9.9#5353`,
//! `9.9.9.9@pppoe-wan`), or one that is off.
//!
//! dnsmasq knows no server that is off. One that serves only names below a domain that
//! never exists (RFC 6761: `invalid`) is off in effect, and the file keeps its address:
//! `/off.invalid/9.9.9.9`.

use core::net::IpAddr;

const OFF: &str = "/off";
const INVALID: &str = ".invalid/";
/// What stands for an address in an entry that has a device and is off: dnsmasq does not
/// start where it finds a device alone.
const NO_ADDRESS: &str = "0.0.0.0";

/// An entry taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server<'t> {
    /// Empty where the server is on; else the domain with its slashes.
    off: &'t str,
    /// As it is written, an address of IPv4 or IPv6. None in an entry that AddObject has just
    /// made.
    pub address: Option<&'t str>,
    /// `#port`.
    port: &'t str,
    /// `@device`, `@source-address#port`, or both.
    source: &'t str,
}

/// Reads an entry; `None` for those that serve certain names only, and for junk.
pub fn parse(text: &str) -> Option<Server<'_>> {
    let (off, server) = match text.starts_with(OFF) {
        true => {
            let end = text.find(INVALID)? + INVALID.len();
            let number = text.get(OFF.len()..end - INVALID.len())?;
            let number = number.strip_prefix('-').unwrap_or(number);
            if !number.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            text.split_at_checked(end)?
        }
        false => ("", text),
    };
    if server.is_empty() && !off.is_empty() {
        return Some(Server {
            off,
            address: None,
            port: "",
            source: "",
        });
    }
    let end = server.find('@').unwrap_or(server.len());
    let (server, source) = server.split_at_checked(end)?;
    let end = server.find('#').unwrap_or(server.len());
    let (address, port) = server.split_at_checked(end)?;
    address.parse::<IpAddr>().ok()?;
    let is_none = !off.is_empty() && address == NO_ADDRESS;
    Some(Server {
        off,
        address: (!is_none).then_some(address),
        port,
        source,
    })
}

impl Server<'_> {
    /// Whether it is asked at all.
    pub fn is_on(&self) -> bool {
        self.off.is_empty()
    }

    /// The device by which it is asked; empty: routes decide.
    pub fn device(&self) -> &str {
        let first = self.source.split('@').nth(1).unwrap_or_default();
        match is_address(first) {
            true => "",
            false => first,
        }
    }

    /// The entry with another address, which is one of IPv4 or IPv6.
    pub fn with_address(&self, address: &str) -> String {
        let off = match self.off {
            "" => "",
            _ => "/off.invalid/",
        };
        [off, address, self.port, self.source].concat()
    }

    /// The entry with another device, or with none; `None`: it says from which address it is
    /// asked, which goes with a device of its own.
    pub fn with_device(&self, device: &str) -> Option<String> {
        let mut parts = self.source.split('@').skip(1);
        if parts.any(is_address) {
            return None;
        }
        Some(match (self.address, device) {
            (Some(address), "") => [self.off, address, self.port].concat(),
            (Some(address), _) => [self.off, address, self.port, "@", device].concat(),
            (None, "") => self.off.to_owned(),
            (None, _) => [self.off, NO_ADDRESS, "@", device].concat(),
        })
    }

    /// The entry on or off; `None`: one without an address cannot be on.
    pub fn switched(&self, on: bool) -> Option<String> {
        let off = match (on, self.off) {
            (true, _) => "",
            (false, "") => "/off.invalid/",
            (false, off) => off,
        };
        match self.address {
            Some(address) => Some([off, address, self.port, self.source].concat()),
            None if on => None,
            // Off it was before.
            None => self.with_device(self.device()),
        }
    }
}

fn is_address(source: &str) -> bool {
    let address = source.split('#').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok()
}
