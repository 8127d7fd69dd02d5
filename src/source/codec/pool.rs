//! Pools of addresses: `start` and `limit` of a dhcp section count from the first address
//! of the network; TR-181 names the first and the last address.

use core::net::Ipv4Addr;

/// What dnsmasq takes where an option is absent.
pub const START: i64 = 100;
/// As [`START`].
pub const LIMIT: i64 = 150;

/// The network that a pool lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub base: Ipv4Addr,
    pub length: u8,
}

impl Network {
    /// The network around an address.
    pub fn around(address: Ipv4Addr, length: u8) -> Network {
        let mask = u32::from(super::net::mask_of(length));
        Network {
            base: Ipv4Addr::from(u32::from(address) & mask),
            length: length.min(32),
        }
    }

    /// The address so many after the first, inside the network.
    pub fn address(self, offset: i64) -> Option<Ipv4Addr> {
        let size = 1_i64 << (32 - u32::from(self.length));
        let offset = u32::try_from(offset)
            .ok()
            .filter(|o| i64::from(*o) < size)?;
        u32::from(self.base).checked_add(offset).map(Ipv4Addr::from)
    }

    /// How many addresses after the first this one is; `None` outside the network.
    pub fn offset(self, address: Ipv4Addr) -> Option<i64> {
        let inside = Network::around(address, self.length) == self;
        inside.then(|| i64::from(u32::from(address) - u32::from(self.base)))
    }
}

/// First and last address of a pool.
pub fn bounds(network: Network, start: i64, limit: i64) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let last = start.checked_add(limit)?.checked_sub(1)?;
    (last >= start).then_some(())?;
    Some((network.address(start)?, network.address(last)?))
}

/// `start` and `limit` with another first address; the last stays.
pub fn with_first(network: Network, start: i64, limit: i64, first: Ipv4Addr) -> Option<(i64, i64)> {
    let new = network.offset(first)?;
    Some((new, limit.checked_add(start.checked_sub(new)?)?))
}

/// `limit` with another last address; below 1 where that lies before the first, which waits
/// for another first address of the same change.
pub fn with_last(network: Network, start: i64, last: Ipv4Addr) -> Option<i64> {
    network.offset(last)?.checked_sub(start)?.checked_add(1)
}
