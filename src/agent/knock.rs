//! Where the connection request listener stands: which device, which addresses, which
//! URL (Device.ManagementServer.ConnectionRequestURL).

use super::clock;
use super::settings::Settings;
use super::world::World;
use crate::net::auth::server::Credentials;
use crate::platform::interfaces;
use crate::wake::http::{BindError, Limits, Listener, ListenerConfig};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The listener and what it was opened with.
pub struct Door {
    listener: Listener,
    place: Place,
}

/// Where to listen; a change means a new listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The kernel device to keep to, if one is configured.
    pub device: Option<String>,
    addresses: Vec<SocketAddr>,
    /// The address in the URL.
    shown: Option<IpAddr>,
}

impl Place {
    /// Where the settings put the listener at this moment; `None`: nowhere.
    pub fn find(world: &World, settings: &Settings) -> Option<Place> {
        let cpe = &settings.cpe;
        if !cpe.enable || !cpe.http_connection_request {
            return None;
        }
        if cpe.interface.is_empty() {
            let allow_loopback = !world.setup.root.is_system();
            let shown = interfaces::reachable(None, allow_loopback);
            return Some(Place::anywhere(shown, cpe.port));
        }
        let device = device(world, settings);
        let found = device
            .as_deref()
            .map(interfaces::addresses)
            .unwrap_or_default();
        Place::at(device, &found, cpe.port)
    }

    /// Every address of the box, of both families; that of `shown` first.
    fn anywhere(shown: Option<IpAddr>, port: u16) -> Place {
        let mut addresses = vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        ];
        if shown.is_some_and(|a| a.is_ipv6()) {
            addresses.reverse();
        }
        Place {
            device: None,
            addresses,
            shown,
        }
    }

    /// The first address of each family that the device has; `None` while it has none.
    fn at(device: Option<String>, found: &[IpAddr], port: u16) -> Option<Place> {
        let shown = *found.first()?;
        let other = found.iter().find(|a| a.is_ipv4() != shown.is_ipv4());
        let addresses = [Some(&shown), other].into_iter().flatten();
        Some(Place {
            device,
            addresses: addresses.map(|a| SocketAddr::new(*a, port)).collect(),
            shown: Some(shown),
        })
    }
}

impl Place {
    /// The URL of a listener here; empty while the box has no address, or when the port
    /// is not known before the listener stands (0).
    pub fn url(&self, world: &World, settings: &Settings, port: u16) -> String {
        match self.shown {
            Some(shown) if port != 0 => {
                let at = SocketAddr::new(shown, port);
                format!("http://{at}{}", path(world, settings))
            }
            _ => String::new(),
        }
    }
}

/// The kernel device behind `cpe.interface`, whether it exists or not. `None`: any, and only
/// where no interface is configured.
pub fn device(world: &World, settings: &Settings) -> Option<String> {
    let name = settings.cpe.interface.as_str();
    (!name.is_empty()).then(|| world.devices.find(&world.setup.root, name))
}

impl Door {
    /// Opens the listener. A box whose kernel has no IPv6, or where the other family's port
    /// is taken, is knocked on at the address of the URL alone.
    pub fn open(
        world: &World,
        settings: &Settings,
        place: Place,
        now: Instant,
    ) -> Result<Door, BindError> {
        let mut config = ListenerConfig {
            addresses: place.addresses.clone(),
            device: place.device.clone(),
            path: path(world, settings),
            credentials: credentials(settings),
            limits: limits(world.setup.config.limits.knocks_per_minute),
            realm: "cwmp-agent".to_owned(),
            secret: clock::random(),
        };
        let listener = match Listener::bind(config.clone(), now) {
            Err(e) if config.addresses.len() > 1 => {
                config.addresses.truncate(1);
                let listener = Listener::bind(config, now)?;
                log::warn!("{e}; the other address serves alone");
                listener
            }
            bound => bound?,
        };
        if let Some(dscp) = settings.cpe.dscp {
            listener.set_dscp(dscp);
        }
        Ok(Door { listener, place })
    }

    /// Whether the listener stands where it should.
    pub fn stands_at(&self, place: &Place) -> bool {
        self.place == *place
    }

    /// New credentials, path or DSCP without closing the door.
    pub fn configure(&mut self, world: &World, settings: &Settings) {
        self.listener
            .configure(&path(world, settings), credentials(settings));
        self.listener.set_dscp(settings.cpe.dscp.unwrap_or(0));
    }

    /// The URL that knocks go to; empty while the box has no address.
    pub fn url(&self, world: &World, settings: &Settings) -> String {
        self.place.url(world, settings, self.listener.port())
    }

    /// The listener itself, for polling.
    pub fn listener(&mut self) -> &mut Listener {
        &mut self.listener
    }

    /// The listener itself, to look at.
    pub fn listener_ref(&self) -> &Listener {
        &self.listener
    }
}

fn path(world: &World, settings: &Settings) -> String {
    if settings.cpe.path.is_empty() {
        format!("/{}", world.owed().knock_path())
    } else {
        format!("/{}", settings.cpe.path)
    }
}

fn credentials(settings: &Settings) -> Credentials {
    Credentials {
        username: settings.cpe.username.clone(),
        password: settings.cpe.password.reveal().to_owned(),
    }
}

/// `knocks_per_minute` as a burst and a steady rate.
fn limits(per_minute: u32) -> Limits {
    let per_minute = per_minute.max(1);
    Limits {
        burst: per_minute.min(10),
        refill: Duration::from_millis(u64::from(60_000 / per_minute)),
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(place: &Place) -> Vec<String> {
        place.addresses.iter().map(SocketAddr::to_string).collect()
    }

    fn at(found: &[&str]) -> Option<Place> {
        let found: Vec<IpAddr> = found.iter().filter_map(|a| a.parse().ok()).collect();
        Place::at(Some("wan".to_owned()), &found, 7547)
    }

    // CRQ-001 (IPv6)
    #[test]
    fn both_families_are_listened_on_and_the_first_address_is_shown() {
        let place = at(&["192.0.2.7", "2001:db8::7", "2001:db8::8"]).expect("a place");
        assert_eq!(addresses(&place), ["192.0.2.7:7547", "[2001:db8::7]:7547"]);
        assert_eq!(place.shown, "192.0.2.7".parse().ok());
        let place = at(&["2001:db8::7"]).expect("a place");
        assert_eq!(addresses(&place), ["[2001:db8::7]:7547"]);
        assert_eq!(at(&[]), None);
        for (shown, first) in [("192.0.2.7", "0.0.0.0:0"), ("2001:db8::7", "[::]:0")] {
            let place = Place::anywhere(shown.parse().ok(), 0);
            assert_eq!(addresses(&place).len(), 2);
            assert_eq!(addresses(&place)[0], first);
        }
    }

    // T-CRQ-013
    #[test]
    fn a_device_with_another_address_is_another_place() {
        let before = at(&["192.0.2.7", "2001:db8::7"]);
        assert_eq!(before, at(&["192.0.2.7", "2001:db8::7", "2001:db8::9"]));
        assert_ne!(before, at(&["192.0.2.8", "2001:db8::7"]));
        assert_ne!(before, at(&["192.0.2.7", "2001:db8::8"]));
        assert_ne!(before, at(&["2001:db8::7"]));
    }
}
