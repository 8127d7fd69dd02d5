//! Who this device is (TR-069 A.3.3.1 DeviceIdStruct, Device.DeviceInfo.).
//!
//! The ACS knows a device by oui, product class and serial number for its whole life, so
//! what was once derived of these is kept in the state and never derived again.

use crate::store::Root;
use crate::store::state::StateDir;
use crate::uci;
use crate::uci::file::FileError;
use log::warn;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The device's identity. No field is empty; none holds characters that XML forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// At most 64 characters.
    pub manufacturer: String,
    /// Six upper-case hexadecimal digits.
    pub oui: String,
    /// At most 64 characters.
    pub product_class: String,
    /// At most 64 characters.
    pub serial_number: String,
    /// At most 64 characters.
    pub model_name: String,
    /// At most 64 characters.
    pub hardware_version: String,
    /// At most 64 characters.
    pub software_version: String,
}

/// The state file.
const KEPT: &str = "identity";
/// Files looked at are not larger than this, bytes.
const LIMIT: u64 = 256 * 1024;
/// All fields have this length in TR-069 and TR-181, characters.
const LENGTH: usize = 64;
/// Options of section `device` of package `cwmp`.
const OPTIONS: [&str; 7] = [
    "manufacturer",
    "oui",
    "product_class",
    "serial_number",
    "model_name",
    "hardware_version",
    "software_version",
];

/// What is kept from the first start on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    oui: Option<String>,
    product_class: Option<String>,
    serial_number: Option<String>,
    /// What `cwmp.device` said when it could last be read: a broken file must not make
    /// another device of this one.
    configured: BTreeMap<String, String>,
}

impl Identity {
    /// Reads the identity from the box. `cwmp.device.*` of UCI overrides; derived oui,
    /// product_class and serial_number are kept in `state` from the first start on;
    /// versions are read anew each time.
    pub fn find(root: &Root, state: &StateDir) -> Identity {
        Identity::find_with(root, state, || None)
    }

    /// The same; `board` tells what procd answers to `system board` on ubus. It is asked only
    /// where the files do not say what the board is or what runs on it.
    pub fn find_with(
        root: &Root,
        state: &StateDir,
        board: impl FnOnce() -> Option<Map<String, Value>>,
    ) -> Identity {
        let mut kept: Kept = state.load(KEPT).unwrap_or_default();
        if let Some(configured) = configured(root) {
            kept.configured = configured;
        }
        let mut found = Found::look(root);
        if !found.is_whole()
            && let Some(board) = board()
        {
            found.fill(&board);
        }
        let mut keep = |slot: fn(&mut Kept) -> &mut Option<String>, derive: &dyn Fn() -> String| {
            slot(&mut kept).get_or_insert_with(derive).clone()
        };
        let oui = keep(|k| &mut k.oui, &|| found.oui());
        let product_class = keep(|k| &mut k.product_class, &|| found.product_class());
        let serial_number = keep(|k| &mut k.serial_number, &|| found.serial_number());
        state.save_or_warn(KEPT, &kept, "the device's identity");
        let said = |option: &str| kept.configured.get(option).cloned();
        let oui = match said("oui").map(|text| (hex_digits(&text), text)) {
            None => oui,
            Some((digits, _)) if digits.len() == 6 => digits,
            Some((_, text)) => {
                warn!("cwmp.device.oui {text:?} is not six hexadecimal digits; {oui} is used");
                oui
            }
        };
        let product_class = said("product_class").unwrap_or(product_class);
        Identity {
            manufacturer: said("manufacturer").unwrap_or_else(|| found.manufacturer()),
            oui,
            serial_number: said("serial_number").unwrap_or(serial_number),
            model_name: said("model_name")
                .or_else(|| found.model_name())
                .unwrap_or_else(|| product_class.clone()),
            hardware_version: said("hardware_version").unwrap_or_else(|| found.hardware_version()),
            software_version: said("software_version").unwrap_or_else(|| found.software_version()),
            product_class,
        }
    }
}

/// What `cwmp.device` says, cleaned, without what is empty; `None` where the file is
/// broken.
fn configured(root: &Root) -> Option<BTreeMap<String, String>> {
    let path = root.path("/etc/config/cwmp").ok()?;
    let package = match uci::file::load(&path) {
        Ok(loaded) => loaded.package,
        Err(FileError::Missing { .. }) => return Some(BTreeMap::new()),
        Err(e) => {
            warn!("{e}; the identity is taken from when the file was last whole");
            return None;
        }
    };
    let section = package
        .section("device")
        .and_then(|i| package.sections().get(i));
    let said = |option: &&str| {
        let text = clean(section?.get(option)?.as_one()?);
        (!text.is_empty()).then(|| ((*option).to_owned(), text))
    };
    Some(OPTIONS.iter().filter_map(said).collect())
}

/// What the box's files say, each cleaned and not empty.
#[derive(Default)]
struct Found {
    device_info: BTreeMap<String, String>,
    os_release: BTreeMap<String, String>,
    openwrt_release: BTreeMap<String, String>,
    board_name: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    kernel: Option<String>,
    mac: Option<String>,
}

impl Found {
    fn look(root: &Root) -> Found {
        let board = text(root, "/etc/board.json")
            .and_then(|t| serde_json::from_str::<serde_json::Value>(&t).ok())
            .unwrap_or_default();
        let in_board = |pointer: &str| {
            let text = clean(board.pointer(pointer)?.as_str()?);
            (!text.is_empty()).then_some(text)
        };
        Found {
            device_info: assignments(root, "/etc/device_info"),
            os_release: assignments(root, "/etc/os-release"),
            openwrt_release: assignments(root, "/etc/openwrt_release"),
            board_name: line(root, "/tmp/sysinfo/board_name").or_else(|| in_board("/model/id")),
            model: line(root, "/tmp/sysinfo/model")
                .or_else(|| in_board("/model/name"))
                .or_else(|| line(root, "/proc/device-tree/model")),
            serial: line(root, "/proc/device-tree/serial-number"),
            kernel: line(root, "/proc/sys/kernel/osrelease"),
            mac: in_board("/network/wan/macaddr")
                .and_then(|text| mac(&text))
                .or_else(|| in_board("/network/lan/macaddr").and_then(|text| mac(&text)))
                .or_else(|| device_mac(root)),
        }
    }

    /// Whether board and release are known.
    fn is_whole(&self) -> bool {
        let release = self.openwrt_release.contains_key("DISTRIB_RELEASE")
            || self.os_release.contains_key("VERSION_ID");
        self.board_name.is_some() && self.model.is_some() && release
    }

    /// Takes what the files do not say from an answer to `system board`.
    fn fill(&mut self, board: &Map<String, Value>) {
        let clean = |text: Option<&Value>| {
            let text = clean(text?.as_str()?);
            (!text.is_empty()).then_some(text)
        };
        let said = |name: &str| clean(board.get(name));
        self.board_name = self.board_name.take().or_else(|| said("board_name"));
        self.model = self.model.take().or_else(|| said("model"));
        self.kernel = self.kernel.take().or_else(|| said("kernel"));
        if self.openwrt_release.is_empty() && !self.os_release.contains_key("VERSION_ID") {
            let release = board.get("release");
            for (name, key) in [
                ("version", "DISTRIB_RELEASE"),
                ("revision", "DISTRIB_REVISION"),
            ] {
                if let Some(text) = clean(release.and_then(|release| release.get(name))) {
                    self.openwrt_release.insert(key.to_owned(), text);
                }
            }
        }
    }

    /// What /etc/device_info says, unless it is what OpenWrt ships for every board.
    fn device_info(&self, key: &str) -> Option<String> {
        self.device_info
            .get(key)
            .filter(|text| !matches!(text.as_str(), "Generic" | "v0"))
            .cloned()
    }

    fn manufacturer(&self) -> String {
        let first_word = || Some(self.model.as_ref()?.split_whitespace().next()?.to_owned());
        self.device_info("DEVICE_MANUFACTURER")
            .or_else(first_word)
            .or_else(|| self.os_release.get("OPENWRT_DEVICE_MANUFACTURER").cloned())
            .unwrap_or_else(|| "OpenWrt".to_owned())
    }

    fn oui(&self) -> String {
        match &self.mac {
            // A MAC address here is twelve hexadecimal digits.
            Some(mac) => mac.chars().take(6).collect(),
            None => "000000".to_owned(),
        }
    }

    fn product_class(&self) -> String {
        self.device_info("DEVICE_PRODUCT")
            .or_else(|| self.board_name.clone())
            .or_else(|| self.os_release.get("OPENWRT_BOARD").cloned())
            .unwrap_or_else(|| "Router".to_owned())
    }

    fn serial_number(&self) -> String {
        let all_zero = |text: &String| text.chars().all(|c| c == '0');
        self.serial
            .clone()
            .filter(|text| !all_zero(text))
            .or_else(|| self.mac.clone())
            .unwrap_or_else(random_serial)
    }

    fn model_name(&self) -> Option<String> {
        self.model
            .clone()
            .or_else(|| self.device_info("DEVICE_PRODUCT"))
    }

    fn hardware_version(&self) -> String {
        self.device_info("DEVICE_REVISION")
            .or_else(|| self.os_release.get("OPENWRT_DEVICE_REVISION").cloned())
            .or_else(|| self.board_name.clone())
            .unwrap_or_else(|| "1".to_owned())
    }

    fn software_version(&self) -> String {
        let release = self.openwrt_release.get("DISTRIB_RELEASE");
        let revision = self.openwrt_release.get("DISTRIB_REVISION");
        let of_openwrt = match (release, revision) {
            (Some(release), Some(revision)) => Some(clean(&format!("{release}-{revision}"))),
            (one, other) => one.or(other).cloned(),
        };
        of_openwrt
            .or_else(|| self.os_release.get("VERSION_ID").cloned())
            .or_else(|| self.os_release.get("VERSION").cloned())
            .or_else(|| self.kernel.clone())
            .unwrap_or_else(|| "0".to_owned())
    }
}

/// A number for a box that has neither a serial number nor a MAC address; it is kept.
fn random_serial() -> String {
    let mut bytes = [0u8; 6];
    if let Err(e) = getrandom::fill(&mut bytes) {
        warn!("the kernel gives no random numbers: {e}; set cwmp.device.serial_number");
    }
    bytes.iter().fold("X".to_owned(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The address of eth0, else of the first device that has one.
fn device_mac(root: &Root) -> Option<String> {
    const DEVICES: &str = "/sys/class/net";
    let dir = root.path(DEVICES).ok()?;
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "lo")
        .collect();
    names.sort_by_key(|name| (name != "eth0", name.clone()));
    names
        .iter()
        .find_map(|name| mac(&line(root, &format!("{DEVICES}/{name}/address"))?))
}

/// A MAC address as twelve upper-case digits; none of those that mean nothing.
fn mac(text: &str) -> Option<String> {
    let digits = hex_digits(text);
    let means_nothing = digits.chars().all(|c| c == '0') || digits.chars().all(|c| c == 'F');
    (digits.len() == 12 && !means_nothing).then_some(digits)
}

/// Hexadecimal digits in upper case, what may part them left out; empty where there is
/// anything else.
fn hex_digits(text: &str) -> String {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ':' | '-' | '.'))
        .collect();
    if digits.chars().all(|c| c.is_ascii_hexdigit()) {
        digits.to_ascii_uppercase()
    } else {
        String::new()
    }
}

/// `KEY='value'` lines.
fn assignments(root: &Root, path: &str) -> BTreeMap<String, String> {
    let Some(text) = text(root, path) else {
        return BTreeMap::new();
    };
    text.lines()
        .filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let value = clean(value.trim().trim_matches(['"', '\'']));
            (!value.is_empty()).then(|| (key.to_owned(), value))
        })
        .collect()
}

/// The first line of a file, cleaned; `None` where it is missing or empty.
fn line(root: &Root, path: &str) -> Option<String> {
    let text = clean(text(root, path)?.lines().next()?);
    (!text.is_empty()).then_some(text)
}

fn text(root: &Root, path: &str) -> Option<String> {
    let bytes = root.read(path, LIMIT).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Without control characters (a device tree ends its texts with NUL) and white space
/// around, cut to the length that TR-069 allows.
fn clean(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{FFFD}' | '\u{FFFE}' | '\u{FFFF}'))
        .collect();
    let cut: String = kept.trim().chars().take(LENGTH).collect();
    cut.trim_end().to_owned()
}
