//! Views of a `wifi-device`: what Device.WiFi.Radio.{i}. says of band, channel, standards and
//! width. What hostapd would refuse to start with is refused here.

use super::{Options, get, is_on};
use crate::uci::Section;

/// Bands: TR-181's word, that of `option band`, and a channel that a radio may use nearly
/// everywhere.
const BANDS: [(&str, &str, &str); 3] = [
    ("2.4GHz", "2g", "1"),
    ("5GHz", "5g", "36"),
    ("6GHz", "6g", "37"),
];

/// The band of a radio; before 21.02 `hwmode` told it.
pub fn band(section: &Section) -> Option<String> {
    let told = match get(section, "band") {
        "" => get(section, "hwmode"),
        band => band,
    };
    let told = match told {
        "" => return None,
        "11g" | "11b" => "2g",
        "11a" => "5g",
        told => told,
    };
    let known = BANDS.iter().find(|(_, option, _)| *option == told);
    // One that TR-181 has no word for (`60g`) is shown as it is.
    Some(known.map_or(told, |(name, ..)| name).to_owned())
}

/// With the band go the channel and the mode that it does not have.
pub fn write_band(section: &Section, value: &str) -> Result<Options, String> {
    let Some((_, option, first)) = BANDS.iter().find(|(name, ..)| *name == value) else {
        return Err("is no band that can be configured".to_owned());
    };
    let mut options = vec![("band", (*option).to_owned())];
    let number = channel(section).and_then(|channel| channel.parse().ok());
    if number.is_some_and(|number| !has_channel(value, number)) {
        options.push(("channel", (*first).to_owned()));
    }
    let now = HtMode::of(section);
    if !get(section, "htmode").is_empty() {
        // The newest that is no newer, else the oldest there is.
        let age = |family: &str| FAMILIES.iter().position(|known| *known == family);
        let ladder = ladder_of(value);
        let mut fit = ladder.iter().rev().map(|(_, family)| *family);
        let family = fit.find(|family| age(family) <= age(now.family));
        let family = family.or(ladder.first().map(|(_, family)| *family));
        let family = family.unwrap_or(now.family);
        let width = now.width.min(widest(family)).min(room(value));
        let sign = match (family, width) == (now.family, now.width) {
            true => now.sign,
            false => "",
        };
        let mode = HtMode {
            family,
            width,
            sign,
        };
        if mode != now {
            options.push(("htmode", mode.text()));
        }
    }
    Ok(options)
}

/// The channel; none where it is left to the driver (`auto`, 0, or nothing).
pub fn channel(section: &Section) -> Option<String> {
    match get(section, "channel") {
        "" | "auto" | "0" => None,
        channel => Some(channel.to_owned()),
    }
}

/// Whether a band has a channel, somewhere in the world; of a band that is not known here,
/// any.
fn has_channel(band: &str, channel: u32) -> bool {
    match band {
        "2.4GHz" => (1..=14).contains(&channel),
        "5GHz" => match channel {
            36..=64 | 100..=144 | 184..=196 => channel.is_multiple_of(4),
            149..=177 => channel % 4 == 1,
            _ => false,
        },
        "6GHz" => channel == 2 || (channel <= 233 && channel % 4 == 1),
        _ => true,
    }
}

pub fn write_channel(section: &Section, value: &str) -> Result<Options, String> {
    let band = band(section).unwrap_or_default();
    let number = value.parse().map_err(|_| "is no number".to_owned())?;
    if !has_channel(&band, number) {
        let some = match &*band {
            "2.4GHz" => "1 to 13",
            "5GHz" => "36, 40, 44, 48 and so on",
            _ => "1, 5, 9 and so on",
        };
        return Err(format!(
            "is no channel of the {band} band, which has {some}; set OperatingFrequencyBand with it for another band"
        ));
    }
    Ok(vec![("channel", value.to_owned())])
}

/// `country` with the third octet of 802.11d: any, indoor, outdoor.
pub fn regulatory_domain(section: &Section) -> Option<String> {
    let country = get(section, "country");
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let third = match get(section, "country3") {
        "0x49" => 'I',
        "0x4f" | "0x4F" => 'O',
        _ => ' ',
    };
    Some(format!("{country}{third}"))
}

pub fn write_regulatory_domain(section: &Section, value: &str) -> Result<Options, String> {
    let Some((country, third)) = value.split_at_checked(2) else {
        return Err("is no country".to_owned());
    };
    let third = match third {
        "I" => "0x49",
        "O" => "0x4f",
        _ => "",
    };
    let mut options = vec![("country", country.to_owned())];
    if get(section, "country3") != third {
        options.push(("country3", third.to_owned()));
    }
    Ok(options)
}

/// `htmode` in its parts, whether it means something or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HtMode<'t> {
    /// `HT`, `VHT`, `HE`, `EHT`; `NOHT` where there is none.
    family: &'t str,
    /// MHz.
    width: u32,
    /// `+`, `-` or nothing: where the second channel lies.
    sign: &'t str,
}

impl HtMode<'_> {
    fn of(section: &Section) -> HtMode<'_> {
        let text = get(section, "htmode");
        let (family, rest) = text.split_at(
            text.find(|c: char| c.is_ascii_digit())
                .unwrap_or(text.len()),
        );
        let (width, sign) = rest.split_at(
            rest.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len()),
        );
        HtMode {
            family: if family.is_empty() { "NOHT" } else { family },
            width: width.parse().unwrap_or(20),
            sign,
        }
    }

    /// The same, if OpenWrt knows it.
    fn known(self) -> Option<Self> {
        let sign = match (self.family, self.width) {
            ("HT", 40) => matches!(self.sign, "" | "+" | "-"),
            _ => self.sign.is_empty(),
        };
        (sign && widest(self.family) >= self.width && [20, 40, 80, 160, 320].contains(&self.width))
            .then_some(self)
    }

    fn text(self) -> String {
        match (self.family, self.width) {
            ("NOHT", 20) => "NOHT".to_owned(),
            (family, width) => format!("{family}{width}{}", self.sign),
        }
    }
}

/// Families of `htmode`, the newest last.
const FAMILIES: [&str; 5] = ["NOHT", "HT", "VHT", "HE", "EHT"];

/// MHz of the widest channel; 0 for what is no family.
fn widest(family: &str) -> u32 {
    match family {
        "NOHT" => 20,
        "HT" => 40,
        "VHT" | "HE" => 160,
        "EHT" => 320,
        _ => 0,
    }
}

/// OpenWrt forms channels of 320 MHz as 802.11be's channelization 1 has them.
const WIDTHS: [(&str, u32); 5] = [
    ("20MHz", 20),
    ("40MHz", 40),
    ("80MHz", 80),
    ("160MHz", 160),
    ("320MHz-1", 320),
];

pub fn width(section: &Section) -> Option<String> {
    let mode = HtMode::of(section).known()?;
    let found = WIDTHS.iter().find(|(_, width)| *width == mode.width)?;
    Some(found.0.to_owned())
}

/// MHz of the widest channel that a band has room for.
fn room(band: &str) -> u32 {
    match band {
        "2.4GHz" => 40,
        "5GHz" => 160,
        _ => 320,
    }
}

pub fn write_width(section: &Section, value: &str) -> Result<Options, String> {
    let Some((_, width)) = WIDTHS.iter().find(|(name, _)| *name == value) else {
        return Err("is no width that can be configured".to_owned());
    };
    let band = band(section).unwrap_or_default();
    if *width > room(&band) {
        return Err(format!(
            "is wider than any channel of the {band} band; set OperatingFrequencyBand with it"
        ));
    }
    let mode = HtMode {
        width: *width,
        sign: "",
        ..HtMode::of(section)
    };
    if *width > widest(mode.family) {
        return Err(
            "is wider than the standards in use; set OperatingStandards with it".to_owned(),
        );
    }
    Ok(vec![("htmode", mode.text())])
}

pub fn extension(section: &Section) -> Option<String> {
    let mode = HtMode::of(section).known()?;
    let place = match mode.sign {
        "+" => "AboveControlChannel",
        "-" => "BelowControlChannel",
        _ => "Auto",
    };
    Some(place.to_owned())
}

pub fn write_extension(section: &Section, value: &str) -> Result<Options, String> {
    let sign = match value {
        "AboveControlChannel" => "+",
        "BelowControlChannel" => "-",
        _ => "",
    };
    let mode = HtMode {
        sign,
        ..HtMode::of(section)
    };
    if mode.known().is_none() {
        return Err(
            "goes with 802.11n at 40 MHz alone; set OperatingStandards and OperatingChannelBandwidth with it"
                .to_owned(),
        );
    }
    Ok(vec![("htmode", mode.text())])
}

/// The standards of a band, the newest last, with the `htmode` that adds each. 802.11b is
/// apart: `legacy_rates` adds it in the 2.4 GHz band.
fn ladder(section: &Section) -> &'static [(&'static str, &'static str)] {
    ladder_of(&band(section).unwrap_or_default())
}

fn ladder_of(band: &str) -> &'static [(&'static str, &'static str)] {
    match band {
        "2.4GHz" => &[("g", "NOHT"), ("n", "HT"), ("ax", "HE"), ("be", "EHT")],
        "5GHz" => &[
            ("a", "NOHT"),
            ("n", "HT"),
            ("ac", "VHT"),
            ("ax", "HE"),
            ("be", "EHT"),
        ],
        "6GHz" => &[("ax", "HE"), ("be", "EHT")],
        _ => &[],
    }
}

/// The standards a radio is configured for, in TR-181's words.
pub fn standards(section: &Section) -> Option<Vec<&'static str>> {
    let mode = HtMode::of(section).known()?;
    let ladder = ladder(section);
    let top = ladder
        .iter()
        .position(|(_, family)| *family == mode.family)?;
    let mut all: Vec<&'static str> = Vec::new();
    if ladder.first().is_some_and(|(first, _)| *first == "g") && is_on(get(section, "legacy_rates"))
    {
        all.push("b");
    }
    all.extend(ladder.iter().take(top + 1).map(|(standard, _)| *standard));
    Some(all)
}

pub fn write_standards(section: &Section, value: &str) -> Result<Options, String> {
    let ladder = ladder(section);
    let wanted: Vec<&str> = value.split(',').filter(|s| !s.is_empty()).collect();
    let (legacy, rest) = match wanted.split_first() {
        Some((&"b", rest)) if ladder.first().is_some_and(|(s, _)| *s == "g") => (true, rest),
        _ => (false, wanted.as_slice()),
    };
    let fits = rest.len() <= ladder.len() && ladder.iter().zip(rest).all(|((s, _), w)| s == w);
    let top = rest.len().checked_sub(1).and_then(|top| ladder.get(top));
    let (true, Some((_, family))) = (fits, top) else {
        let names: Vec<&str> = ladder.iter().map(|(standard, _)| *standard).collect();
        return Err(format!(
            "cannot be configured in this band; write {} up to the newest that is wanted",
            names.join(",")
        ));
    };
    let now = HtMode::of(section);
    let width = now.width.min(widest(family));
    let width = width.min(room(&band(section).unwrap_or_default()));
    let mode = HtMode {
        family,
        width,
        sign: if *family == "HT" && width == 40 {
            now.sign
        } else {
            ""
        },
    };
    let mut options = vec![("htmode", mode.text())];
    if is_on(get(section, "legacy_rates")) != legacy {
        options.push(("legacy_rates", u8::from(legacy).to_string()));
    }
    Ok(options)
}
