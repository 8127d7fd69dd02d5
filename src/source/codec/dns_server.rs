//! Entries of dnsmasq's list of servers: an address (`9.9.9.9`, `9.9.9.9#5353`,
//! `9.9.9.9@wan`), or one that is off.
//!
//! dnsmasq knows no server that is off. One that serves only names below a domain that
//! never exists (RFC 6761: `invalid`) is off in effect, and the file keeps its address:
//! `/off.invalid/9.9.9.9`.

use core::net::IpAddr;

const OFF: &str = "/off";
const INVALID: &str = ".invalid/";

/// An entry taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server<'t> {
    /// Empty where the server is on; else the domain with its slashes.
    off: &'t str,
    /// None in an entry that AddObject has just made.
    pub address: Option<IpAddr>,
    /// `#port` and `@interface`.
    rest: &'t str,
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
            rest: "",
        });
    }
    let end = server.find(['#', '@']).unwrap_or(server.len());
    let (address, rest) = server.split_at_checked(end)?;
    Some(Server {
        off,
        address: Some(address.parse().ok()?),
        rest,
    })
}

impl Server<'_> {
    /// Whether it is asked at all.
    pub fn is_on(&self) -> bool {
        self.off.is_empty()
    }

    /// The entry with another address.
    pub fn with_address(&self, address: IpAddr) -> String {
        let off = if self.off.is_empty() {
            ""
        } else {
            "/off.invalid/"
        };
        format!("{off}{address}{}", self.rest)
    }

    /// The entry on or off; `None`: one without an address cannot be on.
    pub fn switched(&self, on: bool) -> Option<String> {
        let off = match (on, self.off) {
            (true, _) => "",
            (false, "") => "/off.invalid/",
            (false, off) => off,
        };
        match self.address {
            Some(address) => Some(format!("{off}{address}{}", self.rest)),
            None => (!on).then(|| off.to_owned()),
        }
    }
}
