//! What hostapd and iwinfo say on ubus of a device that is up: here the channel of a radio, for
//! [`stations`](super::stations) whatever they are asked. The channel is asked for once a
//! request, and only where the configuration leaves the choice to the driver. Without ubusd
//! nothing is known here, and nothing is wrong.

use crate::ubus::{CallError, Caller};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long each of the two may take; no request has less time.
const TIME: Duration = Duration::from_secs(1);
/// How long one of them is left alone once it has not answered: rpcd, which answers for iwinfo, is
/// busy for seconds while it scans, and hostapd is not.
const PAUSE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Default)]
pub struct Air {
    socket: Option<PathBuf>,
    /// By device, what was said in this request.
    known: Vec<(String, Option<u32>)>,
    hostapd_quiet: Option<Instant>,
    iwinfo_quiet: Option<Instant>,
}

impl Air {
    /// On the bus at this socket, if there is any.
    pub fn at(socket: Option<&Path>) -> Air {
        Air {
            socket: socket.map(Path::to_owned),
            ..Air::default()
        }
    }

    /// There is a bus: somebody may answer.
    pub fn is_on(&self) -> bool {
        self.socket.is_some()
    }

    /// A new request begins.
    pub fn begin(&mut self) {
        self.known.clear();
    }

    /// The channel that a network device is on.
    pub fn channel(&mut self, device: &str) -> Option<u32> {
        if let Some((_, channel)) = self.known.iter().find(|(name, _)| name == device) {
            return *channel;
        }
        let told = self.hostapd(device, "get_status");
        let mut said = told.as_ref().and_then(channel);
        if said.is_none() {
            // A client of another access point has no hostapd.
            said = self.iwinfo(device, "info").as_ref().and_then(channel);
        }
        self.known.push((device.to_owned(), said));
        said
    }

    /// What hostapd answers for a network device.
    pub fn hostapd(&mut self, device: &str, method: &str) -> Option<Map<String, Value>> {
        let socket = self.socket.as_deref()?;
        let object = ["hostapd.", device].concat();
        ask(
            socket,
            &mut self.hostapd_quiet,
            &object,
            method,
            &Map::new(),
        )
    }

    /// What iwinfo answers for a network device.
    pub fn iwinfo(&mut self, device: &str, method: &str) -> Option<Map<String, Value>> {
        let socket = self.socket.as_deref()?;
        let mut about = Map::new();
        about.insert("device".to_owned(), Value::from(device));
        ask(socket, &mut self.iwinfo_quiet, "iwinfo", method, &about)
    }
}

fn ask(
    socket: &Path,
    quiet_until: &mut Option<Instant>,
    object: &str,
    method: &str,
    arguments: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let now = Instant::now();
    if quiet_until.is_some_and(|until| now < until) {
        return None;
    }
    match Caller::new(socket).call(object, method, arguments, now + TIME) {
        Ok(answers) => answers.into_iter().next(),
        Err(CallError::Absent | CallError::Refused(_)) => None,
        Err(e) => {
            log::debug!("ubus {object} {method}: {e}");
            *quiet_until = Some(now + PAUSE);
            None
        }
    }
}

/// `channel` of an answer; while one is still searched for it is 0.
fn channel(answer: &Map<String, Value>) -> Option<u32> {
    let number = answer.get("channel")?.as_u64()?;
    (1..=255).contains(&number).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_number_of_one_octet() {
        let read = |text: &str| channel(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(
            read(r#"{"status":"ENABLED","freq":2462,"channel":11}"#),
            Some(11)
        );
        for none in [
            "{}",
            r#"{"channel":0}"#,
            r#"{"channel":256}"#,
            r#"{"channel":-1}"#,
            r#"{"channel":"11"}"#,
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
