//! The stations of an access point: Device.WiFi.AccessPoint.{i}.AssociatedDevice.
//!
//! hostapd says on ubus who they are (`hostapd.DEVICE get_clients`), and most of what TR-181
//! asks of them; the rest iwinfo says (`iwinfo assoclist`). Each is asked once a request and
//! device, and only where a row or a value needs it. What they say is bounded and checked:
//! it repeats what stations say on the air. No answer makes a table without rows, and is no
//! error.

use super::air::Air;
use super::names::Station as What;
use super::put_number;
use super::timezone::utc_time;
use super::wifi::is_address;
use serde_json::{Map, Value};
use std::time::UNIX_EPOCH;

/// Stations of one device at most, the first by address: more than a radio of a home serves.
const MAX_STATIONS: usize = 128;
/// Devices whose stations are remembered: more access points no radio has.
const MAX_DEVICES: usize = 32;
/// Seconds by which the time of an association may be off because two clocks tick apart.
const APART: i64 = 2;
/// Below it is the band of 2.4 GHz, MHz.
const END_OF_2_4_GHZ: i64 = 3000;

/// See the module.
#[derive(Default)]
pub struct Stations {
    /// By device, what was said in this request.
    known: Vec<Known>,
    /// By device, what must read the same in the next request.
    marks: Vec<(String, Vec<Mark>)>,
}

struct Known {
    device: String,
    /// By address.
    stations: Vec<Station>,
    /// iwinfo was asked, too.
    is_whole: bool,
}

/// One station; what is `None` nobody tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Station {
    mac: String,
    is_authorized: bool,
    standard: &'static str,
    /// kbit/s to it and from it.
    down: Option<u64>,
    up: Option<u64>,
    sent: Traffic,
    received: Traffic,
    /// dBm.
    signal: Option<i64>,
    noise: Option<i64>,
    /// Seconds since 1970.
    since: Option<i64>,
    retransmissions: Option<u64>,
    failures: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Traffic {
    bytes: Option<u64>,
    packets: Option<u64>,
}

/// What is remembered of a station while it stays.
struct Mark {
    mac: String,
    since: i64,
    /// It was seen to use EHT, which hostapd does not tell and not each frame shows.
    is_eht: bool,
}

impl Stations {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.known = Vec::new();
    }

    /// The addresses of the stations of a device.
    pub fn of(&mut self, air: &mut Air, device: &str) -> Vec<String> {
        let known = self.known(air, device);
        let stations = known.map_or(&[][..], |known| &known.stations);
        stations.iter().map(|s| s.mac.clone()).collect()
    }

    /// Whether this is the address of a station of a device.
    pub fn has(&mut self, air: &mut Air, device: &str, mac: &str) -> bool {
        let known = self.known(air, device);
        known.is_some_and(|known| known.find(mac).is_some())
    }

    /// Appends a value of a station; `None`: there is none.
    pub fn put(
        &mut self,
        air: &mut Air,
        device: &str,
        mac: &str,
        what: What,
        out: &mut String,
    ) -> Option<()> {
        let known = self.known(air, device)?;
        let at = known.find(mac)?;
        let station = known.stations.get(at)?;
        if !known.is_whole && !station.tells(what) {
            self.complete(air, device);
        }
        let station = self.known(air, device)?.stations.get(at)?;
        match what {
            What::Authenticated => out.push(if station.is_authorized { '1' } else { '0' }),
            What::Standard => out.push_str(station.standard),
            What::Since => out.push_str(&utc_time(station.since?)),
            What::Signal | What::Noise => {
                let number = station.number(what)?;
                out.push('-');
                put_number(number, out);
            }
            _ => put_number(station.number(what)?, out),
        }
        Some(())
    }

    /// What hostapd says, asked for once a request.
    fn known(&mut self, air: &mut Air, device: &str) -> Option<&Known> {
        let at = self.known.iter().position(|known| known.device == device);
        let at = at.unwrap_or_else(|| {
            let told = air.hostapd(device, "get_clients");
            let known = Known {
                device: device.to_owned(),
                stations: told.as_ref().map(clients).unwrap_or_default(),
                is_whole: false,
            };
            if told.is_some() {
                // Who comes back comes anew.
                let mut all = self.marks.iter_mut();
                if let Some((_, marks)) = all.find(|(name, _)| name == device) {
                    marks.retain(|mark| known.find(&mark.mac).is_some());
                }
            }
            self.known.push(known);
            self.known.len() - 1
        });
        self.known.get(at)
    }

    /// Adds what iwinfo says.
    fn complete(&mut self, air: &mut Air, device: &str) {
        let Some(known) = self.known.iter_mut().find(|known| known.device == device) else {
            return;
        };
        known.is_whole = true;
        let told = air.iwinfo(device, "assoclist");
        let now = crate::store::clock::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |passed| passed.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let before = self.marks.iter().position(|(name, _)| name == device);
        let before = before.map(|at| self.marks.swap_remove(at).1);
        let marks = known.hear(told.as_ref(), now, &before.unwrap_or_default());
        if !marks.is_empty() {
            self.marks.truncate(MAX_DEVICES - 1);
            self.marks.push((device.to_owned(), marks));
        }
    }
}

impl Known {
    fn find(&self, mac: &str) -> Option<usize> {
        let by_mac = |station: &Station| station.mac.as_str().cmp(mac);
        self.stations.binary_search_by(by_mac).ok()
    }

    /// Takes the answer to `assoclist`, heard at `now`; what is to be remembered of the
    /// stations, of which this was remembered before.
    fn hear(
        &mut self,
        answer: Option<&Map<String, Value>>,
        now: i64,
        before: &[Mark],
    ) -> Vec<Mark> {
        let mut is_eht = vec![false; self.stations.len()];
        let results = answer.and_then(|answer| answer.get("results")?.as_array());
        for entry in results.into_iter().flatten() {
            let mac = entry.get("mac").and_then(Value::as_str).and_then(address);
            let Some(at) = mac.and_then(|mac| self.find(&mac)) else {
                continue;
            };
            let (Some(station), Some(eht)) = (self.stations.get_mut(at), is_eht.get_mut(at)) else {
                continue;
            };
            station.add(entry, now);
            let uses_eht = |way| flag(entry.get(way), "eht");
            *eht = uses_eht("tx") || uses_eht("rx");
        }
        let mut marks = Vec::new();
        for (station, is_eht) in self.stations.iter_mut().zip(is_eht) {
            let old = before.iter().find(|mark| mark.mac == station.mac);
            let same = |mark: &&Mark| {
                let since = station.since.unwrap_or(mark.since);
                since.abs_diff(mark.since) <= APART.unsigned_abs()
            };
            let old = old.filter(same);
            let is_eht = is_eht || old.is_some_and(|mark| mark.is_eht);
            if is_eht && station.standard == "ax" {
                station.standard = "be";
            }
            // It would go to and fro by a second otherwise.
            station.since = old.map(|mark| mark.since).or(station.since);
            if let Some(since) = station.since {
                marks.push(Mark {
                    mac: station.mac.clone(),
                    since,
                    is_eht,
                });
            }
        }
        marks
    }
}

impl Station {
    /// As hostapd says, `freq` in MHz; `None` where it is not associated.
    fn of(mac: String, entry: &Value, freq: i64) -> Option<Station> {
        let has = |name| flag(Some(entry), name);
        if entry.get("assoc").and_then(Value::as_bool) == Some(false) || !entry.is_object() {
            return None;
        }
        let is_low = freq < END_OF_2_4_GHZ;
        let number = |table: &str, way: &str| entry.get(table)?.get(way)?.as_i64();
        let traffic = |way| Traffic {
            bytes: number("bytes", way).and_then(whole),
            packets: number("packets", way).and_then(of_32_bits),
        };
        Some(Station {
            mac,
            is_authorized: has("authorized"),
            standard: match () {
                () if has("eht") => "be",
                () if has("he") => "ax",
                // The band of 2.4 GHz has no VHT, whatever chips say.
                () if has("vht") && !is_low => "ac",
                () if has("ht") => "n",
                () if is_low => "g",
                () => "a",
            },
            down: number("rate", "tx").and_then(rate),
            up: number("rate", "rx").and_then(rate),
            sent: traffic("tx"),
            received: traffic("rx"),
            signal: entry.get("signal").and_then(level),
            ..Station::default()
        })
    }

    /// Adds what iwinfo says at `now`; what hostapd has said stays.
    fn add(&mut self, entry: &Value, now: i64) {
        let number = |way: &str, name: &str| entry.get(way)?.get(name)?.as_i64();
        let traffic = |old: &Traffic, way: &str| Traffic {
            bytes: old.bytes.or_else(|| number(way, "bytes").and_then(whole)),
            packets: old
                .packets
                .or_else(|| number(way, "packets").and_then(of_32_bits)),
        };
        self.down = self.down.or_else(|| number("tx", "rate").and_then(rate));
        self.up = self.up.or_else(|| number("rx", "rate").and_then(rate));
        self.sent = traffic(&self.sent, "tx");
        self.received = traffic(&self.received, "rx");
        // TR-181 wants an average; hostapd tells that of the last frame.
        let average = entry.get("signal_avg").and_then(level);
        self.signal = average.or(self.signal);
        let last = || entry.get("signal").and_then(level);
        self.signal = self.signal.or_else(last);
        self.noise = entry.get("noise").and_then(level);
        let passed = entry.get("connected_time").and_then(Value::as_i64);
        let passed = passed.filter(|passed| (0..=now).contains(passed));
        self.since = passed.map(|passed| now - passed);
        self.retransmissions = number("tx", "retries").and_then(of_32_bits);
        self.failures = number("tx", "failed").and_then(of_32_bits);
    }

    /// Whether hostapd has said this, and iwinfo does not know it better.
    fn tells(&self, what: What) -> bool {
        match what {
            What::Authenticated => true,
            What::Standard => self.standard != "ax",
            What::Signal | What::Since => false,
            _ => self.number(what).is_some(),
        }
    }

    /// What is a number; levels without their sign.
    fn number(&self, what: What) -> Option<u64> {
        match what {
            What::DownlinkRate => self.down,
            What::UplinkRate => self.up,
            What::BytesSent => self.sent.bytes,
            What::BytesReceived => self.received.bytes,
            What::PacketsSent => self.sent.packets,
            What::PacketsReceived => self.received.packets,
            What::Signal => self.signal.map(i64::unsigned_abs),
            What::Noise => self.noise.map(i64::unsigned_abs),
            What::Retransmissions => self.retransmissions,
            What::Failures => self.failures,
            What::Authenticated | What::Since | What::Standard => None,
        }
    }
}

/// The answer to `get_clients`, by address; what is not of its form is passed over.
fn clients(answer: &Map<String, Value>) -> Vec<Station> {
    let freq = answer.get("freq").and_then(Value::as_i64).unwrap_or(0);
    let all = answer.get("clients").and_then(Value::as_object);
    let all = all.into_iter().flatten();
    let mut all: Vec<(String, &Value)> = all
        .filter_map(|(mac, entry)| Some((address(mac)?, entry)))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    let associated = all
        .into_iter()
        .filter_map(|(mac, entry)| Station::of(mac, entry, freq));
    associated.take(MAX_STATIONS).collect()
}

/// The address of one station, in small letters.
fn address(text: &str) -> Option<String> {
    let first = u8::from_str_radix(text.get(..2)?, 16).ok()?;
    // That of a group is none.
    (is_address(text) && first & 1 == 0).then(|| text.to_ascii_lowercase())
}

fn flag(of: Option<&Value>, name: &str) -> bool {
    of.and_then(|of| of.get(name)?.as_bool()).unwrap_or(false)
}

/// kbit/s, from the slowest of 802.11 on; before any data there is none.
fn rate(number: i64) -> Option<u64> {
    let in_range = (1000..=i64::from(i32::MAX)).contains(&number);
    in_range.then_some(number.unsigned_abs())
}

/// dBm; a driver that cannot tell says 0.
fn level(number: &Value) -> Option<i64> {
    number.as_i64().filter(|n| (-200..=-1).contains(n))
}

fn whole(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// ubus has no numbers without a sign: the upper half of 32 bits comes as negative ones.
fn of_32_bits(number: i64) -> Option<u64> {
    let unsigned = match i32::try_from(number) {
        Ok(number) => u32::from_ne_bytes(number.to_ne_bytes()),
        Err(_) => u32::try_from(number).ok()?,
    };
    Some(unsigned.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "02:00:5e:00:53:a1";

    fn table(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("JSON")
    }

    /// A station as hostapd tells of it with these members.
    fn station(freq: i64, members: &str) -> Option<Station> {
        let text = format!(r#"{{"freq":{freq},"clients":{{"{MAC}":{members}}}}}"#);
        clients(&table(&text)).pop()
    }

    fn known(members: &str) -> Known {
        Known {
            device: "phy0-ap0".to_owned(),
            stations: station(5180, members).into_iter().collect(),
            is_whole: true,
        }
    }

    #[test]
    fn the_standard_is_the_newest_that_the_band_has() {
        for (freq, members, standard) in [
            (2437, r#"{"ht":false,"vht":false,"he":false}"#, "g"),
            (2437, r#"{"ht":true,"vht":true}"#, "n"),
            (2437, r#"{"ht":true,"he":true}"#, "ax"),
            (5180, "{}", "a"),
            (5180, r#"{"ht":true}"#, "n"),
            (5180, r#"{"ht":true,"vht":true}"#, "ac"),
            (5180, r#"{"ht":true,"vht":true,"he":true}"#, "ax"),
            (5955, r#"{"he":true,"eht":true}"#, "be"),
            (5180, r#"{"ht":1,"vht":"true","he":[true]}"#, "a"),
        ] {
            let found = station(freq, members).map(|s| s.standard);
            assert_eq!(found, Some(standard), "{freq} {members}");
        }
    }

    #[test]
    fn eht_that_one_frame_showed_is_remembered_while_the_station_stays() {
        let frame = |passed: i64, eht: bool| {
            table(&format!(
                r#"{{"results":[{{"mac":"{MAC}","connected_time":{passed},"tx":{{"eht":{eht}}}}}]}}"#
            ))
        };
        let mut marks = Vec::new();
        for (now, passed, eht, standard) in [
            (5000, 10, false, "ax"),
            (5010, 20, true, "be"),
            (5020, 30, false, "be"),
            (5100, 5, false, "ax"),
        ] {
            let mut known = known(r#"{"he":true}"#);
            marks = known.hear(Some(&frame(passed, eht)), now, &marks);
            assert_eq!(known.stations[0].standard, standard, "{now}");
        }
    }

    #[test]
    fn a_station_came_when_it_came_however_the_seconds_fall() {
        let told = |passed: i64| {
            table(&format!(
                r#"{{"results":[{{"mac":"{MAC}","connected_time":{passed}}}]}}"#
            ))
        };
        let mut marks = Vec::new();
        for (now, answer, since) in [
            (100_000, Some(told(100)), Some(99_900)),
            (100_010, Some(told(109)), Some(99_900)),
            (100_020, Some(told(121)), Some(99_900)),
            // Nobody tells.
            (100_030, None, Some(99_900)),
            (100_040, Some(told(140)), Some(99_900)),
            // It came back.
            (100_050, Some(told(7)), Some(100_043)),
            // The clock was set.
            (900_050, Some(told(17)), Some(900_033)),
            // What cannot be.
            (900_060, Some(told(-1)), Some(900_033)),
            (900_060, Some(told(900_061)), Some(900_033)),
        ] {
            let mut known = known("{}");
            marks = known.hear(answer.as_ref(), now, &marks);
            assert_eq!(known.stations[0].since, since, "{now}");
        }
        let mut known = known("{}");
        known.hear(None, 900_070, &[]);
        assert_eq!(known.stations[0].since, None);
    }

    #[test]
    fn numbers_that_cannot_be_are_none() {
        for (number, expected) in [
            (0, None),
            (999, None),
            (1000, Some(1000)),
            (46_120_000, Some(46_120_000)),
            (-1, None),
            (i64::MAX, None),
        ] {
            assert_eq!(rate(number), expected);
        }
        for (number, expected) in [(-201, None), (-200, Some(-200)), (0, None), (7, None)] {
            assert_eq!(level(&Value::from(number)), expected);
        }
        for (number, expected) in [
            (7, Some(7)),
            (-1, Some(4_294_967_295)),
            (4_294_967_295, Some(4_294_967_295)),
            (4_294_967_296, None),
            (i64::MIN, None),
        ] {
            assert_eq!(of_32_bits(number), expected);
        }
        assert_eq!((whole(i64::MAX), whole(-1)), (Some(u64::MAX / 2), None));
    }

    #[test]
    fn an_address_is_that_of_one_station() {
        assert_eq!(address("02:00:5E:00:53:A1").as_deref(), Some(MAC));
        for none in [
            "",
            "02",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "02:00:5e:00:53:a1 ",
            "02-00-5e-00-53-a1",
            "0g:00:5e:00:53:a1",
            "é2:00:5e:00:53:a",
        ] {
            assert_eq!(address(none), None, "{none}");
        }
    }
}
