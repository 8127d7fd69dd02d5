//! A router in memory for the model's tests: a source that keeps UCI-like sections, one
//! for constants and one for memory, and a journal that records what it is given.
#![allow(dead_code)]

use cwmp_agent::model::binding::{Binding, Rows, SourceKind, expand};
use cwmp_agent::model::source::{
    Ask, FileChange, Journal, Prepared, Raw, Refusal, Renamed, Row, Said, Source, Trouble,
};
use cwmp_agent::model::{Entry, Fault, Limits, Model, Schema, SetError, SetItem, SetOutcome};
use cwmp_agent::source::memory::MemorySource;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
pub struct Section {
    pub kind: String,
    pub name: Option<String>,
    pub options: BTreeMap<String, Raw>,
    /// While something is staged: the key under which the model knows the row.
    pub was: Option<String>,
}

impl PartialEq for Section {
    fn eq(&self, other: &Section) -> bool {
        (&self.kind, &self.name, &self.options) == (&other.kind, &other.name, &other.options)
    }
}

impl Section {
    fn prints(&self) -> Vec<u32> {
        let hash = |text: String| {
            text.bytes().fold(2_166_136_261_u32, |h, b| {
                (h ^ u32::from(b)).wrapping_mul(16_777_619)
            })
        };
        self.options
            .iter()
            .map(|(k, v)| hash(format!("{k}={v:?}")))
            .collect()
    }

    fn row(&self) -> Row {
        match &self.name {
            Some(name) => Row {
                key: name.clone(),
                prints: Vec::new(),
            },
            None => Row {
                key: self
                    .was
                    .clone()
                    .unwrap_or_else(|| format!("#{:?}", self.prints())),
                prints: self.prints(),
            },
        }
    }
}

pub type Packages = BTreeMap<String, Vec<Section>>;

/// What tests see and change from outside.
#[derive(Debug, Default)]
pub struct World {
    pub packages: Packages,
    /// Packages that cannot be read.
    pub broken: BTreeSet<String>,
    /// Staging any value into this option is refused as full.
    pub full_option: Option<String>,
    /// `prepare` fails.
    pub prepare_fails: bool,
    pub rows_asked: usize,
    pub fresh: u32,
    /// The journal: all commits, the state files, and whether the next commit fails.
    pub commits: Vec<Vec<FileChange>>,
    pub state: BTreeMap<String, Vec<u8>>,
    pub journal_fails: bool,
}

pub type Shared = Arc<Mutex<World>>;

struct Uci {
    world: Shared,
    staged: Option<Packages>,
    known: Vec<(Rows, Vec<String>)>,
}

fn text(raw: Option<&Raw>) -> Option<String> {
    match raw {
        Some(Raw::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

impl Uci {
    fn packages(&self) -> Packages {
        match &self.staged {
            Some(staged) => staged.clone(),
            None => {
                let mut packages = self.world.lock().unwrap().packages.clone();
                for section in packages.values_mut().flatten() {
                    section.was = Some(section.row().key);
                }
                packages
            }
        }
    }

    fn package(&self, name: &str) -> Vec<Section> {
        if let Some(staged) = &self.staged {
            return staged.get(name).cloned().unwrap_or_default();
        }
        let world = self.world.lock().unwrap();
        let mut sections = world.packages.get(name).cloned().unwrap_or_default();
        for section in &mut sections {
            section.was = Some(section.row().key);
        }
        sections
    }

    fn check(&self, package: &str) -> Result<(), Trouble> {
        if self.world.lock().unwrap().broken.contains(package) {
            return Err(Trouble {
                source: format!("uci {package}"),
                what: "line 3: an open quote; close it".to_owned(),
            });
        }
        Ok(())
    }

    fn is_row(rows: &Rows, parents: &[String], section: &Section) -> bool {
        let Rows::Uci(at) = rows else { return false };
        *section.kind == *at.section_type
            && at
                .only
                .iter()
                .all(|(k, v)| text(section.options.get(&**k)).as_deref() == Some(&**v))
            && at
                .parent
                .as_ref()
                .is_none_or(|p| text(section.options.get(&**p)).as_ref() == parents.last())
    }

    fn find<'p>(sections: &'p mut [Section], name: &str) -> Option<&'p mut Section> {
        if let Some(rest) = name.strip_prefix('@') {
            let kind = rest.split('[').next()?;
            return sections.iter_mut().find(|s| s.kind == kind);
        }
        sections.iter_mut().find(|s| s.row().key == name)
    }
}

impl Source for Uci {
    fn begin(&mut self) {}

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Uci(at) = rows else {
            panic!("no UCI rows")
        };
        self.world.lock().unwrap().rows_asked += 1;
        self.check(&at.package)?;
        let entry = (rows.clone(), parents.to_vec());
        if !self.known.contains(&entry) {
            self.known.push(entry);
        }
        let sections = self.package(&at.package);
        Ok(sections
            .iter()
            .filter(|s| Uci::is_row(rows, parents, s))
            .map(Section::row)
            .collect())
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        let mut packages = self.packages();
        let Binding::Uci(at) = ask.binding else {
            panic!("no UCI binding")
        };
        self.check(&at.package)?;
        let name = expand(&at.section, ask.rows);
        let raw = packages
            .get_mut(&*at.package)
            .and_then(|s| Uci::find(s, &name))
            .and_then(|s| s.options.get(&*at.option).cloned());
        let raw = match (at.item, raw) {
            (Some(n), Some(Raw::List(items))) => items.get(n as usize - 1).cloned().map(Raw::Text),
            (_, raw) => raw,
        };
        Ok(raw.map(Said::from))
    }

    fn stage(&mut self, ask: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        let Binding::Uci(at) = ask.binding else {
            panic!("no UCI binding")
        };
        self.check(&at.package).map_err(Refusal::Trouble)?;
        if self.world.lock().unwrap().full_option.as_deref() == Some(&*at.option) {
            return Err(Refusal::Full("the flash is full".to_owned()));
        }
        let mut packages = self.packages();
        let name = expand(&at.section, ask.rows);
        let sections = packages.entry(at.package.to_string()).or_default();
        let section = Uci::find(sections, &name)
            .ok_or_else(|| Refusal::Value(format!("no section {name}")))?;
        match value {
            Some(Raw::Text(text)) if text.contains('\0') => {
                return Err(Refusal::Value("a zero byte".to_owned()));
            }
            Some(raw) => section.options.insert(at.option.to_string(), raw),
            None => section.options.remove(&*at.option),
        };
        self.staged = Some(packages);
        Ok(())
    }

    fn add_row(&mut self, rows: &Rows, parents: &[String]) -> Result<Row, Refusal> {
        let Rows::Uci(at) = rows else {
            panic!("no UCI rows")
        };
        self.check(&at.package).map_err(Refusal::Trouble)?;
        let mut packages = self.packages();
        let mut world = self.world.lock().unwrap();
        world.fresh += 1;
        let mut section = Section {
            kind: at.section_type.to_string(),
            name: Some(format!("new{}", world.fresh)),
            options: BTreeMap::new(),
            was: None,
        };
        drop(world);
        for (k, v) in &*at.new {
            let v = Raw::Text(v.to_string());
            section.options.insert(k.to_string(), v);
        }
        if let (Some(option), Some(parent)) = (&at.parent, parents.last()) {
            section
                .options
                .insert(option.to_string(), Raw::Text(parent.clone()));
        }
        let row = section.row();
        packages
            .entry(at.package.to_string())
            .or_default()
            .push(section);
        self.staged = Some(packages);
        Ok(row)
    }

    fn delete_row(&mut self, rows: &Rows, _parents: &[String], key: &str) -> Result<(), Refusal> {
        let Rows::Uci(at) = rows else {
            panic!("no UCI rows")
        };
        self.check(&at.package).map_err(Refusal::Trouble)?;
        let mut packages = self.packages();
        let sections = packages.entry(at.package.to_string()).or_default();
        let before = sections.len();
        sections.retain(|s| s.row().key != key);
        assert_eq!(sections.len() + 1, before, "{key} is there once");
        self.staged = Some(packages);
        Ok(())
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        let mut prepared = Prepared::default();
        let mut world = self.world.lock().unwrap();
        if world.prepare_fails {
            return Err(Trouble {
                source: "uci lock".to_owned(),
                what: "the file is locked by another program".to_owned(),
            });
        }
        let Some(staged) = &mut self.staged else {
            return Ok(prepared);
        };
        let old = world.packages.clone();
        for (package, sections) in staged {
            if old.get(package) == Some(sections) {
                continue;
            }
            for section in sections.iter_mut() {
                if section.name.is_some() {
                    continue;
                }
                world.fresh += 1;
                let to = format!("named{}", world.fresh);
                for (rows, parents) in &self.known {
                    if Uci::is_row(rows, parents, section) {
                        prepared.renamed.push(Renamed {
                            rows: rows.clone(),
                            parents: parents.clone(),
                            from: section.row().key,
                            to: to.clone(),
                        });
                    }
                }
                section.name = Some(to);
            }
            prepared.files.push(FileChange {
                path: PathBuf::from(format!("/etc/config/{package}")),
                content: Some(format!("{sections:?}").into_bytes()),
                mode: 0o600,
                reload: vec![package.clone()],
            });
        }
        Ok(prepared)
    }

    fn finish(&mut self, committed: bool) {
        if let (true, Some(staged)) = (committed, &self.staged) {
            let mut packages = staged.clone();
            packages.values_mut().flatten().for_each(|s| s.was = None);
            self.world.lock().unwrap().packages = packages;
        }
        self.staged = None;
    }
}

/// Constants and fixed rows.
struct Plain;

impl Source for Plain {
    fn begin(&mut self) {}
    fn rows(&mut self, rows: &Rows, _parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Fixed(keys) = rows else {
            panic!("no fixed rows")
        };
        Ok(keys
            .iter()
            .map(|key| Row {
                key: key.to_string(),
                prints: Vec::new(),
            })
            .collect())
    }
    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        match ask.binding {
            Binding::Constant(text) => Ok(Some(Said::Text(expand(text, ask.rows)))),
            _ => panic!("no constant"),
        }
    }
    fn stage(&mut self, _: Ask<'_>, _: Option<Raw>) -> Result<(), Refusal> {
        Err(Refusal::Value("fixed".to_owned()))
    }
    fn add_row(&mut self, _: &Rows, _: &[String]) -> Result<Row, Refusal> {
        Err(Refusal::Value("fixed".to_owned()))
    }
    fn delete_row(&mut self, _: &Rows, _: &[String], _: &str) -> Result<(), Refusal> {
        Err(Refusal::Value("fixed".to_owned()))
    }
    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }
    fn finish(&mut self, _committed: bool) {}
}

struct Recorder(Shared);

impl Journal for Recorder {
    fn commit(&mut self, files: &[FileChange]) -> Result<(), Trouble> {
        let mut world = self.0.lock().unwrap();
        if world.journal_fails {
            return Err(Trouble {
                source: "journal".to_owned(),
                what: "no space left".to_owned(),
            });
        }
        for file in files {
            if let Ok(name) = file.path.strip_prefix("/state") {
                let name = name.to_string_lossy().into_owned();
                match &file.content {
                    Some(content) => world.state.insert(name, content.clone()),
                    None => world.state.remove(&name),
                };
            }
        }
        world.commits.push(files.to_vec());
        Ok(())
    }

    fn state_path(&self, name: &str) -> PathBuf {
        PathBuf::from("/state").join(name)
    }

    fn load(&mut self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().state.get(name).cloned()
    }
}

/// A router of UCI text, a section a line: `package type name option=value …`; `-` for
/// an anonymous section, `option+=a|b` for a list.
pub fn world(lines: &str) -> Shared {
    let mut packages = Packages::new();
    for line in lines.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let package = words.next().unwrap().to_owned();
        let kind = words.next().unwrap().to_owned();
        let name = words.next().filter(|n| *n != "-").map(str::to_owned);
        let options = words
            .map(|word| match word.split_once("+=") {
                Some((k, v)) => (
                    k.to_owned(),
                    Raw::List(v.split('|').map(str::to_owned).collect()),
                ),
                None => {
                    let (k, v) = word.split_once('=').unwrap();
                    (k.to_owned(), Raw::Text(v.to_owned()))
                }
            })
            .collect();
        packages.entry(package).or_default().push(Section {
            kind,
            name,
            options,
            was: None,
        });
    }
    Arc::new(Mutex::new(World {
        packages,
        ..World::default()
    }))
}

pub fn model_with(schema: &str, world: &Shared, limits: Limits) -> Model {
    let schema = match Schema::load(&[("test.toml".to_owned(), schema.to_owned())]) {
        Ok(schema) => schema,
        Err(errors) => panic!("{errors:#?}"),
    };
    let uci = Uci {
        world: Arc::clone(world),
        staged: None,
        known: Vec::new(),
    };
    let sources: Vec<(SourceKind, Box<dyn Source>)> = vec![
        (SourceKind::Uci, Box::new(uci)),
        (SourceKind::Constant, Box::new(Plain)),
        (SourceKind::Memory, Box::<MemorySource>::default()),
    ];
    let mut model = Model::new(
        schema,
        sources,
        Box::new(Recorder(Arc::clone(world))),
        limits,
    );
    model.begin();
    model
}

/// The model that most tests use, on the router that goes with it.
pub fn router() -> (Model, Shared) {
    let world = world(ROUTER);
    (model_with(SCHEMA, &world, Limits::default()), world)
}

/// The same router after a reboot: nothing but what is stored.
pub fn reboot(world: &Shared) -> Model {
    model_with(SCHEMA, world, Limits::default())
}

pub const ROUTER: &str = "
    system system - hostname=OpenWrt timezone=UTC
    system timeserver ntp enabled=1 server+=0.pool|1.pool
    network interface lan device=br-lan ipaddr=192.168.1.1
    network interface wan device=eth1
    dhcp dhcp lan start=100 limit=150 interface=lan
    firewall redirect web target=DNAT src_dport=80 proto=tcp enabled=1 src=wan
    firewall redirect - target=DNAT src_dport=443 proto=tcp enabled=1 src=wan
    firewall redirect - target=SNAT src_dport=99
    wireless wifi-device radio0 channel=36 type=mac80211
    wireless wifi-iface default_radio0 device=radio0 ssid=Home key=secret123
    cwmp acs acs url=http://acs/ password=s3cret periodic_inform_interval=3600
";

pub const SCHEMA: &str = r#"
["Device.DeviceInfo."]
Manufacturer    = { type = "string", max_length = 64, constant = "Test" }
SoftwareVersion = { type = "string", constant = "1.0", inform = true, notify = "forced" }
UpTime          = { type = "unsignedInt", constant = "42", notify = "deny" }
HostName        = { type = "string", max_length = 256, access = "rw", uci = "system.@system[0].hostname" }

["Device.ManagementServer."]
URL      = { type = "URL", access = "rw", uci = "cwmp.acs.url" }
Password = { type = "string", max_length = 256, access = "rw", hidden = true, uci = "cwmp.acs.password" }
PeriodicInformInterval = { type = "unsignedInt", min = 1, access = "rw", uci = "cwmp.acs.periodic_inform_interval", default = "86400" }
PeriodicInformEnable   = { type = "boolean", access = "rw", uci = "cwmp.acs.periodic_inform_enable", default = "true" }
PeriodicInformTime     = { type = "dateTime", access = "rw", uci = "cwmp.acs.periodic_inform_time" }
ConnectionRequestURL   = { type = "string", constant = "http://1.2.3.4:7547/x", inform = true, notify = "active" }
ParameterKey = { type = "string", max_length = 32, native = "parameter_key", inform = true }

["Device.Time."]
Enable     = { type = "boolean", access = "rw", uci = "system.ntp.enabled", default = "true" }
NTPServer1 = { type = "string", max_length = 64, access = "rw", uci = { at = "system.ntp.server", item = 1 } }
Servers    = { type = "string", list = true, access = "rw", max_items = 4, max_length = 64, uci = "system.ntp.server" }
Mode       = { type = "string", enum = ["Fast", "Slow"], access = "rw", memory = "mode", default = "Slow" }
Offset     = { type = "int", min = -12, max = 12, access = "rw", memory = "offset" }
Reset      = { type = "boolean", access = "rw", memory = "reset", reads = "false" }

["Device.DHCPv4.Server.Pool.{i}."]
rows = { uci = "dhcp", type = "dhcp" }
ordered = [["MinAddress", "MaxAddress"]]
MinAddress = { type = "unsignedInt", access = "rw", uci = "dhcp.{row}.start" }
MaxAddress = { type = "unsignedInt", access = "rw", uci = "dhcp.{row}.limit" }

["Device.IP.Interface.{i}."]
rows = { uci = "network", type = "interface" }
Name = { type = "string", constant = "{row}" }

["Device.NAT.PortMapping.{i}."]
rows = { uci = "firewall", type = "redirect", only = { target = "DNAT" }, new = { target = "DNAT", src = "wan", enabled = "0" } }
access = "rw"
max_rows = 5
unique = [["ExternalPort", "Protocol"]]
ordered = [["ExternalPort", "ExternalPortEndRange"]]
Enable       = { type = "boolean", access = "rw", uci = "firewall.{row}.enabled", default = "true" }
Alias        = { type = "Alias", access = "rw", alias = true }
ExternalPort = { type = "unsignedInt", max = 65535, access = "rw", uci = "firewall.{row}.src_dport" }
ExternalPortEndRange = { type = "unsignedInt", max = 65535, access = "rw", uci = "firewall.{row}.end" }
Protocol     = { type = "string", enum = ["TCP", "UDP"], access = "rw", uci = "firewall.{row}.proto", map = { TCP = "tcp", UDP = "udp" } }
Description  = { type = "string", max_length = 256, access = "rw", uci = "firewall.{row}.name" }
Interface    = { type = "string", access = "rw", uci = "firewall.{row}.iface", reference = "Device.IP.Interface." }

["Device.WiFi.Radio.{i}."]
rows = { uci = "wireless", type = "wifi-device" }
access = "rw"
Channel = { type = "unsignedInt", min = 1, max = 255, access = "rw", uci = "wireless.{row}.channel" }

["Device.WiFi.Radio.{i}.Ssid.{i}."]
rows = { uci = "wireless", type = "wifi-iface", parent = "device" }
Name = { type = "string", uci = "wireless.{row}.ssid" }

["Device.WiFi.SSID.{i}."]
rows = { uci = "wireless", type = "wifi-iface" }
access = "rw"
SSID        = { type = "string", max_length = 32, access = "rw", uci = "wireless.{row}.ssid" }
LowerLayers = { type = "string", list = true, access = "rw", uci = { at = "wireless.{row}.device", words = true }, reference = "Device.WiFi.Radio." }

["Device.Hosts.Host.{i}."]
rows = { uci = "hosts", type = "host" }
Name = { type = "string", uci = "hosts.{row}.name" }
"#;

pub fn item<'a>(path: &'a str, value: &'a str) -> SetItem<'a> {
    SetItem {
        path,
        ty: None,
        value,
    }
}

pub fn set(
    model: &mut Model,
    items: &[(&str, &str)],
    key: Option<&str>,
) -> Result<SetOutcome, SetError> {
    model.begin();
    let items: Vec<SetItem<'_>> = items.iter().map(|(p, v)| item(p, v)).collect();
    model.set(&items, key)
}

/// Path and code of each fault.
pub fn faults(result: Result<SetOutcome, SetError>) -> Vec<(String, u16)> {
    match result {
        Err(SetError::Parameters(faults)) => faults.into_iter().map(|f| (f.path, f.code)).collect(),
        other => panic!("{other:?}"),
    }
}

pub fn value(model: &mut Model, path: &str) -> String {
    model.begin();
    match model.get(&[path]) {
        Ok(mut entries) => entries.pop().map(|e| e.value).unwrap(),
        Err(fault) => panic!("{path}: {fault}"),
    }
}

pub fn paths(result: Result<Vec<Entry>, Fault>) -> Vec<String> {
    result.unwrap().into_iter().map(|e| e.path).collect()
}

/// One option of one section, by the section's place in its package.
pub fn option(world: &Shared, package: &str, section: usize, option: &str) -> Option<Raw> {
    world.lock().unwrap().packages[package][section]
        .options
        .get(option)
        .cloned()
}
