//! Which channel a radio runs on: what hostapd says on ubus of a device that is up, else what
//! iwinfo says. Asked for once a request, and only where the configuration leaves the choice
//! to the driver. Without ubusd nothing is known here, and nothing is wrong.

use crate::ubus::{CallError, Caller};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long each of the two may take; no request has less time.
const TIME: Duration = Duration::from_secs(1);
/// How long they are left alone once one has not answered.
const PAUSE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Default)]
pub struct Air {
    socket: Option<PathBuf>,
    /// By device, what was said in this request.
    known: Vec<(String, Option<u32>)>,
    quiet_until: Option<Instant>,
}

impl Air {
    /// On the bus at this socket, if there is any.
    pub fn at(socket: Option<&Path>) -> Air {
        Air {
            socket: socket.map(Path::to_owned),
            ..Air::default()
        }
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
        let mut arguments = Map::new();
        let told = self.ask(&format!("hostapd.{device}"), "get_status", &arguments);
        let channel = told.or_else(|| {
            // A client of another access point has no hostapd.
            arguments.insert("device".to_owned(), Value::from(device));
            self.ask("iwinfo", "info", &arguments)
        });
        self.known.push((device.to_owned(), channel));
        channel
    }

    fn ask(&mut self, object: &str, method: &str, arguments: &Map<String, Value>) -> Option<u32> {
        let socket = self.socket.as_deref()?;
        let now = Instant::now();
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        match Caller::new(socket).call(object, method, arguments, now + TIME) {
            Ok(answers) => answers.first().and_then(channel),
            Err(CallError::Absent | CallError::Refused(_)) => None,
            Err(e) => {
                log::debug!("ubus {object} {method}: {e}");
                self.quiet_until = Some(now + PAUSE);
                None
            }
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
