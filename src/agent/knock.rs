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
        let allow_loopback = !world.setup.root.is_system();
        if cpe.interface.is_empty() {
            let port = cpe.port;
            let any4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            let shown = interfaces::reachable(None, allow_loopback);
            let addresses = match shown {
                Some(IpAddr::V6(_)) => vec![any6],
                _ => vec![any4],
            };
            return Some(Place {
                device: None,
                addresses,
                shown,
            });
        }
        let device = device(world, settings);
        let found = device
            .as_deref()
            .map(interfaces::addresses)
            .unwrap_or_default();
        let first = *found.first()?;
        Some(Place {
            device,
            addresses: vec![SocketAddr::new(first, cpe.port)],
            shown: Some(first),
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
    /// Opens the listener.
    pub fn open(
        world: &World,
        settings: &Settings,
        place: Place,
        now: Instant,
    ) -> Result<Door, BindError> {
        let config = ListenerConfig {
            addresses: place.addresses.clone(),
            device: place.device.clone(),
            path: path(world, settings),
            credentials: credentials(settings),
            limits: limits(world.setup.config.limits.knocks_per_minute),
            realm: "cwmp-agent".to_owned(),
            secret: clock::random(),
        };
        let listener = Listener::bind(config, now)?;
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
