//! Views: values that TR-181 tells in another shape than OpenWrt does, read from and
//! written to the options of one section. `uci = { at = "…", as = "name" }`.
//!
//! Two views may share an option (`HE80` is a standard and a width), and a Set may bring
//! both in either order. A value that is refused waits for the others of its request, so
//! writing goes by what the section says by then (a width of 80 MHz needs a standard that
//! has it), and the text of a refusal names what to set with it.

mod radio;

use super::super::native::is_posix_zone;
use crate::uci::Section;
pub use radio::standards;

/// What reads or writes a view of a section.
pub struct View {
    name: &'static str,
    read: fn(&Section) -> Option<String>,
    write: fn(&Section, &str) -> Result<Options, String>,
}

/// Options and what they must say; an empty text takes an option away.
pub type Options = Vec<(&'static str, String)>;

static VIEWS: [View; 11] = [
    View {
        name: "log_persistent",
        read: log_persistent,
        write: |_, _| Err("cannot be set here".to_owned()),
    },
    View {
        name: "posix_timezone",
        read: |section| {
            let zone = get(section, "timezone");
            (!zone.is_empty()).then(|| zone.to_owned())
        },
        write: write_posix_timezone,
    },
    View {
        name: "regulatory_domain",
        read: radio::regulatory_domain,
        write: radio::write_regulatory_domain,
    },
    View {
        name: "wifi_band",
        read: radio::band,
        write: radio::write_band,
    },
    View {
        name: "wifi_channel",
        read: radio::channel,
        write: radio::write_channel,
    },
    View {
        name: "wifi_ciphers",
        read: ciphers,
        write: write_ciphers,
    },
    View {
        name: "wifi_extension",
        read: radio::extension,
        write: radio::write_extension,
    },
    View {
        name: "wifi_frame_protection",
        read: frame_protection,
        write: write_frame_protection,
    },
    View {
        name: "wifi_security",
        read: security,
        write: write_security,
    },
    View {
        name: "wifi_standards",
        read: |section| standards(section).map(|all| all.join(",")),
        write: radio::write_standards,
    },
    View {
        name: "wifi_width",
        read: radio::width,
        write: radio::write_width,
    },
];

impl View {
    /// What a view shows of a section; `None`: nothing that TR-181 has a word for.
    pub fn read(&self, section: &Section) -> Option<String> {
        (self.read)(section)
    }
}

/// The view of this name.
pub fn of(name: &str) -> Option<&'static View> {
    VIEWS.iter().find(|view| view.name == name)
}

/// Names that `as = ` may give.
pub fn is_view(name: &str) -> bool {
    of(name).is_some()
}

/// What the options of a section must say so that a view shows this value; the error
/// completes a sentence that begins with the value.
pub fn write(name: &str, section: &Section, value: &str) -> Result<Options, String> {
    match of(name) {
        Some(view) => (view.write)(section, value),
        None => Err("is for a view that this program does not have".to_owned()),
    }
}

fn get<'s>(section: &'s Section, option: &str) -> &'s str {
    let value = section.get(option).and_then(|v| v.as_one());
    value.unwrap_or_default().trim()
}

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "yes" | "true" | "enabled")
}

// ---- system

/// Whether `log_file` lies where a reboot leaves it: /tmp is memory, and /var leads there.
fn log_persistent(section: &Section) -> Option<String> {
    let file = get(section, "log_file");
    let volatile = ["/tmp/", "/var/", "/run/", "/dev/"];
    let kept = file.starts_with('/') && !volatile.iter().any(|dir| file.starts_with(dir));
    Some(kept.to_string())
}

fn write_posix_timezone(_: &Section, value: &str) -> Result<Options, String> {
    if !is_posix_zone(value) {
        return Err(
            "is no POSIX time zone; write one as CET-1CEST,M3.5.0,M10.5.0/3 or UTC0".to_owned(),
        );
    }
    Ok(vec![("timezone", value.to_owned())])
}

// ---- wireless: wifi-iface

/// TR-181's mode of an `encryption`, as OpenWrt's hostapd scripts take it: what they do not
/// know is an open network.
fn security_of(section: &Section) -> &'static str {
    let encryption = get(section, "encryption");
    let parts: Vec<&str> = encryption.split('+').collect();
    let has = |part: &str| parts.contains(&part);
    match parts.first().copied().unwrap_or_default() {
        "owe" => "OWE",
        "psk3-mixed" | "sae-mixed" => "WPA3-Personal-Transition",
        "psk3" | "sae" => "WPA3-Personal",
        "psk-mixed" => "WPA-WPA2-Personal",
        "psk" | "psk2" if has("psk") && has("psk2") => "WPA-WPA2-Personal",
        "psk2" => "WPA2-Personal",
        "psk" => "WPA-Personal",
        "wpa3" | "wpa3-mixed" | "wpa3-192" => "WPA3-Enterprise",
        "wpa-mixed" => "WPA-WPA2-Enterprise",
        "wpa" | "wpa2" if has("wpa") && has("wpa2") => "WPA-WPA2-Enterprise",
        "wpa2" => "WPA2-Enterprise",
        "wpa" => "WPA-Enterprise",
        wep if wep.starts_with("wep") => {
            // Five characters or ten digits; 13 or 26.
            match wep_key(section).len() {
                13 | 26 => "WEP-128",
                _ => "WEP-64",
            }
        }
        _ => "None",
    }
}

/// The key in use: `key` holds it, or the number of the option that does.
fn wep_key(section: &Section) -> &str {
    match get(section, "key") {
        "" | "1" => get(section, "key1"),
        "2" => get(section, "key2"),
        "3" => get(section, "key3"),
        "4" => get(section, "key4"),
        key => key,
    }
}

/// What is written for each mode.
const MODES: [(&str, &str); 11] = [
    ("None", "none"),
    ("OWE", "owe"),
    ("WPA-Personal", "psk"),
    ("WPA2-Personal", "psk2"),
    ("WPA-WPA2-Personal", "psk-mixed"),
    ("WPA3-Personal", "sae"),
    ("WPA3-Personal-Transition", "sae-mixed"),
    ("WPA-Enterprise", "wpa"),
    ("WPA2-Enterprise", "wpa2"),
    ("WPA-WPA2-Enterprise", "wpa-mixed"),
    ("WPA3-Enterprise", "wpa3"),
];

fn security(section: &Section) -> Option<String> {
    Some(security_of(section).to_owned())
}

fn write_security(section: &Section, value: &str) -> Result<Options, String> {
    let Some((_, base)) = MODES.iter().find(|(mode, _)| *mode == value) else {
        return Err("is no mode that OpenWrt can be set to".to_owned());
    };
    // What was chosen of ciphers stays where the new mode can use it.
    let kept: Vec<&str> = match has_ciphers(value) {
        true => cipher_words(section).collect(),
        false => Vec::new(),
    };
    let mut text = (*base).to_owned();
    for word in kept {
        text.push('+');
        text.push_str(word);
    }
    Ok(vec![("encryption", text)])
}

/// Modes whose ciphers are a choice. WPA3 and OWE have AES alone.
fn has_ciphers(mode: &str) -> bool {
    mode.starts_with("WPA") && !mode.starts_with("WPA3")
}

fn cipher_of(word: &str) -> Option<&'static str> {
    match word {
        "tkip" => Some("TKIP"),
        "ccmp" | "aes" | "ccmp256" | "gcmp" | "gcmp256" => Some("AES"),
        _ => None,
    }
}

fn cipher_words(section: &Section) -> impl Iterator<Item = &str> {
    get(section, "encryption")
        .split('+')
        .skip(1)
        .filter(|word| cipher_of(word).is_some())
}

fn ciphers(section: &Section) -> Option<String> {
    let mode = security_of(section);
    if has_ciphers(mode) {
        let mut all: Vec<&str> = Vec::new();
        for cipher in cipher_words(section).filter_map(cipher_of) {
            if !all.contains(&cipher) {
                all.push(cipher);
            }
        }
        if !all.is_empty() {
            return Some(all.join(","));
        }
    }
    let encrypts = mode.starts_with("WPA") || mode == "OWE";
    Some(if encrypts { "AES" } else { "" }.to_owned())
}

fn write_ciphers(section: &Section, value: &str) -> Result<Options, String> {
    let now = get(section, "encryption");
    let mut text = String::new();
    for (i, word) in now.split('+').enumerate() {
        if i == 0 || cipher_of(word).is_none() {
            text.push_str(if i == 0 { "" } else { "+" });
            text.push_str(word);
        }
    }
    for cipher in value.split(',').filter(|c| !c.is_empty()) {
        text.push_str(if cipher == "TKIP" { "+tkip" } else { "+ccmp" });
    }
    Ok(vec![("encryption", text)])
}

/// Without an option of its own, management frames are protected as the mode asks.
fn frame_protection(section: &Section) -> Option<String> {
    let base = get(section, "encryption").split('+').next();
    let config = match (get(section, "ieee80211w"), base.unwrap_or_default()) {
        ("0", _) => "Disabled",
        ("1", _) => "Optional",
        ("2", _) => "Required",
        (_, "sae-mixed" | "psk3-mixed" | "wpa3-mixed") => "Optional",
        (_, "sae" | "psk3" | "owe" | "wpa3" | "wpa3-192") => "Required",
        _ => "Disabled",
    };
    Some(config.to_owned())
}

fn write_frame_protection(_: &Section, value: &str) -> Result<Options, String> {
    let digit = match value {
        "Disabled" => "0",
        "Optional" => "1",
        _ => "2",
    };
    Ok(vec![("ieee80211w", digit.to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;

    fn section(options: &[(&str, &str)]) -> Package {
        let mut text = "config x 'x'\n".to_owned();
        for (option, value) in options {
            text.push_str(&format!("\toption {option} '{value}'\n"));
        }
        Package::parse(text.as_bytes()).expect("a package")
    }

    fn shown(name: &str, options: &[(&str, &str)]) -> Option<String> {
        of(name).and_then(|view| view.read(&section(options).sections()[0]))
    }

    fn written(name: &str, options: &[(&str, &str)], value: &str) -> Result<Options, String> {
        write(name, &section(options).sections()[0], value)
    }

    fn one(option: &'static str, text: &str) -> Result<Options, String> {
        Ok(vec![(option, text.to_owned())])
    }

    #[test]
    fn every_mode_of_encryption_has_the_word_of_tr181_for_it() {
        for (encryption, mode) in [
            ("", "None"),
            ("none", "None"),
            ("nonsense", "None"),
            ("owe", "OWE"),
            ("psk", "WPA-Personal"),
            ("psk2", "WPA2-Personal"),
            ("psk2+tkip+ccmp", "WPA2-Personal"),
            ("psk+psk2", "WPA-WPA2-Personal"),
            ("psk-mixed+aes", "WPA-WPA2-Personal"),
            ("sae", "WPA3-Personal"),
            ("sae-mixed", "WPA3-Personal-Transition"),
            ("wpa", "WPA-Enterprise"),
            ("wpa2+ccmp", "WPA2-Enterprise"),
            ("wpa-mixed", "WPA-WPA2-Enterprise"),
            ("wpa3-mixed", "WPA3-Enterprise"),
            ("wpa3-192", "WPA3-Enterprise"),
            ("wep+shared", "WEP-64"),
        ] {
            let shown = shown("wifi_security", &[("encryption", encryption)]);
            assert_eq!(shown.as_deref(), Some(mode), "{encryption}");
        }
        let long = [
            ("encryption", "wep"),
            ("key", "2"),
            ("key2", "0123456789012"),
        ];
        assert_eq!(shown("wifi_security", &long).as_deref(), Some("WEP-128"));
        for (mode, text) in MODES {
            assert_eq!(
                shown("wifi_security", &[("encryption", text)]).as_deref(),
                Some(mode)
            );
        }
    }

    #[test]
    fn a_mode_keeps_the_ciphers_that_it_can_use() {
        let aes = [("encryption", "psk2+ccmp")];
        let set = |to: &str| written("wifi_security", &aes, to);
        assert_eq!(
            set("WPA-WPA2-Personal"),
            one("encryption", "psk-mixed+ccmp")
        );
        assert_eq!(set("WPA3-Personal"), one("encryption", "sae"));
        assert_eq!(set("None"), one("encryption", "none"));
        assert!(set("WEP-64").is_err());
        let set = |to: &str| written("wifi_ciphers", &aes, to);
        assert_eq!(set("TKIP,AES"), one("encryption", "psk2+tkip+ccmp"));
        assert_eq!(set("AES,TKIP"), one("encryption", "psk2+ccmp+tkip"));
        let old = written("wifi_ciphers", &[("encryption", "psk+psk2+tkip")], "AES");
        assert_eq!(old, one("encryption", "psk+psk2+ccmp"));
        let shown = |text: &str| shown("wifi_ciphers", &[("encryption", text)]);
        assert_eq!(shown("psk2+ccmp+tkip").as_deref(), Some("AES,TKIP"));
        assert_eq!(shown("psk2").as_deref(), Some("AES"));
        assert_eq!(shown("sae+tkip").as_deref(), Some("AES"));
        assert_eq!(shown("none").as_deref(), Some(""));
    }

    #[test]
    fn standard_and_width_are_two_views_of_one_option() {
        let he = [("band", "5g"), ("htmode", "HE80")];
        assert_eq!(shown("wifi_standards", &he).as_deref(), Some("a,n,ac,ax"));
        assert_eq!(shown("wifi_width", &he).as_deref(), Some("80MHz"));
        assert_eq!(written("wifi_width", &he, "160MHz"), one("htmode", "HE160"));
        let down = written("wifi_standards", &he, "a,n");
        assert_eq!(down, one("htmode", "HT40"), "as wide as HT can be");
        assert_eq!(written("wifi_standards", &he, "a"), one("htmode", "NOHT"));
        for bad in ["", "b", "a,ac", "g,n", "a,n,ac,ax,be,x"] {
            assert!(written("wifi_standards", &he, bad).is_err(), "{bad}");
        }
        // What needs a newer standard waits for it.
        let ht = [("band", "5g"), ("htmode", "HT20")];
        assert!(written("wifi_width", &ht, "80MHz").is_err());
        let vht = [("band", "5g"), ("htmode", "VHT20")];
        assert_eq!(written("wifi_width", &vht, "80MHz"), one("htmode", "VHT80"));
        assert_eq!(shown("wifi_width", &[("htmode", "HT80")]), None);
        // No band has room for everything that a standard can be.
        for (band, htmode, width) in [
            ("2g", "HE20", "80MHz"),
            ("2g", "EHT40", "160MHz"),
            ("5g", "EHT80", "320MHz-1"),
        ] {
            let radio = [("band", band), ("htmode", htmode)];
            assert!(
                written("wifi_width", &radio, width).is_err(),
                "{band} {width}"
            );
        }
        let six = [("band", "6g"), ("htmode", "EHT80")];
        assert_eq!(
            written("wifi_width", &six, "320MHz-1"),
            one("htmode", "EHT320")
        );
        for (htmode, width) in [("", "20MHz"), ("NOHT", "20MHz"), ("EHT320", "320MHz-1")] {
            let found = shown("wifi_width", &[("htmode", htmode)]);
            assert_eq!(found.as_deref(), Some(width), "{htmode}");
        }
    }

    #[test]
    fn old_rates_are_802_11b_where_there_is_one() {
        let old = [("hwmode", "11g"), ("htmode", "HT20"), ("legacy_rates", "1")];
        assert_eq!(shown("wifi_standards", &old).as_deref(), Some("b,g,n"));
        assert_eq!(
            written("wifi_standards", &old, "g,n"),
            Ok(vec![
                ("htmode", "HT20".to_owned()),
                ("legacy_rates", "0".to_owned())
            ])
        );
        assert_eq!(
            written("wifi_standards", &old, "b,g"),
            one("htmode", "NOHT")
        );
        let six = [("band", "6g"), ("htmode", "HE80")];
        assert_eq!(shown("wifi_standards", &six).as_deref(), Some("ax"));
        assert!(written("wifi_standards", &six, "a,n").is_err());
    }

    #[test]
    fn the_second_channel_lies_above_or_below_in_802_11n_alone() {
        let ht = [("htmode", "HT40-")];
        assert_eq!(
            shown("wifi_extension", &ht).as_deref(),
            Some("BelowControlChannel")
        );
        let above = written("wifi_extension", &ht, "AboveControlChannel");
        assert_eq!(above, one("htmode", "HT40+"));
        assert_eq!(
            written("wifi_extension", &ht, "Auto"),
            one("htmode", "HT40")
        );
        assert_eq!(shown("wifi_extension", &[("htmode", "HE40+")]), None);
        for other in ["HT20", "HE40", "VHT80"] {
            let radio = [("htmode", other)];
            assert!(written("wifi_extension", &radio, "AboveControlChannel").is_err());
        }
    }

    #[test]
    fn a_band_brings_the_channel_and_the_mode_that_it_has() {
        for (from, to, expected) in [
            (
                ("2g", "6", "HE20"),
                "5GHz",
                [("band", "5g"), ("channel", "36")].as_slice(),
            ),
            (("2g", "auto", "HE20"), "5GHz", &[("band", "5g")]),
            (
                ("5g", "36", "HE80"),
                "2.4GHz",
                &[("band", "2g"), ("channel", "1"), ("htmode", "HE40")],
            ),
            (
                ("5g", "149", "VHT80"),
                "2.4GHz",
                &[("band", "2g"), ("channel", "1"), ("htmode", "HT40")],
            ),
            (
                ("5g", "44", "HT40+"),
                "6GHz",
                &[("band", "6g"), ("channel", "37"), ("htmode", "HE40")],
            ),
            (
                ("2g", "1", "HT40-"),
                "6GHz",
                &[("band", "6g"), ("htmode", "HE40")],
            ),
            (("2g", "1", ""), "6GHz", &[("band", "6g")]),
        ] {
            let (band, channel, htmode) = from;
            let radio = [("band", band), ("channel", channel), ("htmode", htmode)];
            let expected: Options = expected
                .iter()
                .map(|(o, t)| (*o, (*t).to_owned()))
                .collect();
            assert_eq!(
                written("wifi_band", &radio, to),
                Ok(expected),
                "{from:?} {to}"
            );
        }
        for (option, shown_as) in [("11g", "2.4GHz"), ("11a", "5GHz"), ("60g", "60g")] {
            let old = shown("wifi_band", &[("hwmode", option)]);
            assert_eq!(old.as_deref(), Some(shown_as));
        }
    }

    #[test]
    fn a_channel_is_one_of_its_band() {
        for (band, good, bad) in [
            (
                "2g",
                [1, 6, 11, 13, 14].as_slice(),
                [15, 36, 200].as_slice(),
            ),
            (
                "5g",
                &[36, 40, 44, 64, 100, 144, 149, 165, 177],
                &[1, 6, 37, 68, 96, 148, 181, 255],
            ),
            ("6g", &[1, 2, 5, 37, 233], &[3, 36, 234, 255]),
            ("60g", &[1, 200], &[]),
        ] {
            for (all, is_good) in [(good, true), (bad, false)] {
                for n in all {
                    let written = written("wifi_channel", &[("band", band)], &n.to_string());
                    assert_eq!(written.is_ok(), is_good, "{band} {n}");
                }
            }
        }
        for none in ["auto", "0", ""] {
            assert_eq!(shown("wifi_channel", &[("channel", none)]), None);
        }
    }

    #[test]
    fn a_regulatory_domain_has_a_third_letter() {
        assert_eq!(
            shown("regulatory_domain", &[("country", "DE")]).as_deref(),
            Some("DE ")
        );
        let outdoor = [("country", "DE"), ("country3", "0x4f")];
        assert_eq!(shown("regulatory_domain", &outdoor).as_deref(), Some("DEO"));
        assert_eq!(shown("regulatory_domain", &[("country", "00")]), None);
        assert_eq!(
            written("regulatory_domain", &outdoor, "FR "),
            Ok(vec![
                ("country", "FR".to_owned()),
                ("country3", String::new())
            ])
        );
        let plain = written("regulatory_domain", &[], "FR ");
        assert_eq!(plain, one("country", "FR"));
    }

    #[test]
    fn frames_are_protected_as_the_option_says_or_the_mode_asks() {
        let shown = |options: &[(&str, &str)]| shown("wifi_frame_protection", options);
        assert_eq!(shown(&[]).as_deref(), Some("Disabled"));
        assert_eq!(shown(&[("encryption", "owe")]).as_deref(), Some("Required"));
        let both = [("encryption", "sae-mixed+ccmp"), ("ieee80211w", "2")];
        assert_eq!(shown(&both).as_deref(), Some("Required"));
        assert_eq!(shown(&both[..1]).as_deref(), Some("Optional"));
    }

    #[test]
    fn a_log_in_memory_does_not_outlive_a_reboot() {
        let shown = |file: &str| shown("log_persistent", &[("log_file", file)]);
        assert_eq!(shown("").as_deref(), Some("false"));
        assert_eq!(shown("/var/log/messages").as_deref(), Some("false"));
        assert_eq!(shown("/mnt/disk/messages").as_deref(), Some("true"));
        assert!(write("log_persistent", &section(&[]).sections()[0], "true").is_err());
        assert!(is_view("wifi_width") && !is_view("no_such"));
    }
}
