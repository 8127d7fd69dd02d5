//! Reading the watched parameters and comparing them with what the ACS saw. On the session
//! worker's thread, or within a request of the ACS there.

use super::{Coverage, save};
use crate::agent::settings::Settings;
use crate::agent::world::World;
use crate::model::changes::MAX_WATCHED;
use crate::model::{Model, Which};

/// The one value that is none while it is not known: the router has no address yet.
const OWN_URL: &str = "Device.ManagementServer.ConnectionRequestURL";

/// Reads all watched parameters.
pub fn scan(world: &World) {
    let mut model = world.model();
    model.begin();
    scan_with(world, &mut model);
}

/// As [`scan`], within a request.
pub fn scan_with(world: &World, model: &mut Model) {
    let settings = world.settings();
    let own_url_unknown = own_url_unknown(world, &settings);
    {
        let mut watch = world.watch();
        watch.changes.speak_to(&settings.acs.url);
        watch.changes.begin_round();
    }
    let mut whole = true;
    let origins = model.watch(Which::All, &mut |values| {
        let mut watch = world.watch();
        for mut value in values {
            if own_url_unknown && value.path == OWN_URL {
                value.value = None;
            }
            if !watch.changes.read(&value) && !watch.too_many {
                watch.too_many = true;
                log::warn!(
                    "more than {MAX_WATCHED} parameters have notification; {} and others are not watched",
                    value.path
                );
            }
        }
        whole = !world.is_stopping();
        whole
    });
    if !whole {
        return;
    }
    let unread = world.watch().changes.unread();
    let ended = unread
        .into_iter()
        .filter(|path| model.is_watched(path) == Some(false));
    let ended: Vec<String> = ended.collect();
    let coverage = Coverage::of(&world.setup.root, &origins);
    {
        let mut watch = world.watch();
        for path in &ended {
            watch.changes.end(path);
        }
        watch.scanned(coverage);
    }
    save(world);
}

/// Whether the listener is wanted and has no address to be reached at.
fn own_url_unknown(world: &World, settings: &Settings) -> bool {
    settings.cpe.enable
        && settings.cpe.http_connection_request
        && world
            .runtime
            .get("connection_request_url")
            .is_none_or(|url| url.is_empty())
}
