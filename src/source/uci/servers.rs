//! The name servers that the router itself asks: entries of `dns` in the networks of
//! `/etc/config/network`, those that wait in sections of type `nameserver`, which netifd
//! passes over, and those that networks were told of and netifd lists.
//!
//! A row's key is `network/address`, or the name of the section that it waits in. What is
//! staged stays beside the package until that is written: only then it shows where the rows
//! of one request belong, in whatever order their values came.

use super::draft::{self, Change, Content};
use super::keys::is_anonymous;
use super::{UciSource, trouble};
use crate::model::binding::{Rows, UciRows};
use crate::model::source::{Raw, Refusal, Renamed, Row, Said, Trouble};
use crate::source::codec::net::text_of;
use crate::source::native::kept::Kept;
use crate::source::told::{self, Told};
use crate::uci::{Section, Value};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What `as` says for the table.
pub const TABLE: &str = "name_server";

/// Of what type the sections are in which servers wait.
const WAITING: &str = "nameserver";

const PACKAGE: &str = "network";
/// How long after a change netifd may go on listing what was taken out: sessions, at whose end
/// it reloads, are shorter.
const RELOADED: Duration = Duration::from_secs(120);

/// What is known of the servers beside the package.
#[derive(Default)]
pub struct Servers {
    told: Kept<Told>,
    /// The server that a value was asked of last: its other values come next.
    last: Option<Last>,
    /// What rows are to be, by their keys; `None`: they go.
    staged: BTreeMap<String, Option<Server>>,
    /// Entries that the change being made takes out of the lists.
    left: Vec<String>,
    /// Entries that are out, of which netifd has not heard: it goes on listing them until it
    /// has reloaded, which it is taken to have done by this time.
    unheard: BTreeMap<String, Instant>,
    /// How many of them were forgotten so far.
    forgotten: u32,
}

/// A server and what is told of it.
struct Last {
    row: String,
    server: Server,
    status: &'static str,
    kind: &'static str,
}

impl Servers {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.told.begin();
        self.last = None;
    }

    /// What is staged is in force, or forgotten.
    pub fn finish(&mut self, committed: bool) {
        self.staged.clear();
        self.last = None;
        let left = std::mem::take(&mut self.left);
        if committed {
            let until = Instant::now() + RELOADED;
            self.unheard
                .extend(left.into_iter().map(|row| (row, until)));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the `dns` of its network.
    Listed,
    /// In a section of its own, which nothing but this agent reads.
    Waiting,
    /// Nowhere in the configuration: the network was told of it.
    Told,
}

/// One server.
#[derive(Clone, PartialEq, Eq)]
struct Server {
    place: Place,
    on: bool,
    /// As it is written; empty: none.
    address: String,
    /// Empty: none.
    network: String,
}

impl Server {
    /// The key of the entry that it is, or must become, in the list of its network; `None`:
    /// it is to wait.
    fn entry(&self, content: &Content) -> Option<String> {
        let address = self.ip().filter(|_| self.on)?;
        network(content, &self.network)?;
        Some(key(&self.network, address))
    }

    fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }
}

/// Whether rows are servers.
pub fn is_table(rows: &UciRows) -> bool {
    rows.codec.as_deref() == Some(TABLE)
}

/// Whether a value is that of a server, by the name of its code.
pub fn is_server(codec: &str) -> bool {
    codec.starts_with("name_server_")
}

fn key(network: &str, address: IpAddr) -> String {
    [network, "/", &text_of(address)].concat()
}

fn network<'a>(content: &'a Content, name: &str) -> Option<&'a Section> {
    let section = content.package.sections().get(content.by_key(name)?)?;
    (section.kind() == "interface" && section.name().is_some()).then_some(section)
}

/// The entries as netifd reads them: those of a list, or the words of one text.
fn entries(section: &Section) -> Vec<&str> {
    match section.get("dns") {
        Some(Value::One(text)) => text.split_whitespace().collect(),
        Some(Value::List(items)) => items.iter().map(String::as_str).collect(),
        None => Vec::new(),
    }
}

fn is(entry: &str, ip: IpAddr) -> bool {
    entry.parse() == Ok(ip)
}

fn text<'a>(section: &'a Section, option: &str) -> &'a str {
    let text = section.get(option).and_then(Value::as_one);
    text.unwrap_or_default().trim()
}

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "yes" | "true" | "enabled")
}

/// The server that a row is by what the package says.
fn server(content: &Content, row: &str) -> Option<Server> {
    if let Some((name, address)) = row.split_once('/') {
        let ip: IpAddr = address.parse().ok()?;
        let section = network(content, name);
        let mut entries = section.map(entries).unwrap_or_default().into_iter();
        let (place, address) = match entries.find(|entry| is(entry, ip)) {
            Some(entry) => (Place::Listed, entry),
            None => (Place::Told, address),
        };
        return Some(Server {
            place,
            on: true,
            address: address.to_owned(),
            network: name.to_owned(),
        });
    }
    let section = content.package.sections().get(content.by_key(row)?)?;
    (section.kind() == WAITING).then(|| Server {
        place: Place::Waiting,
        on: is_on(text(section, "enable")),
        address: text(section, "dns").to_owned(),
        network: text(section, "interface").to_owned(),
    })
}

/// TR-181's word for how it is doing.
fn status(content: &Content, server: &Server) -> &'static str {
    let of = network(content, &server.network);
    match server.place {
        _ if !server.on => "Disabled",
        // Something is missing, or the network is gone.
        Place::Waiting => "Error",
        Place::Listed if of.is_some_and(|s| is_on(text(s, "disabled"))) => "Disabled",
        Place::Listed | Place::Told => "Enabled",
    }
}

/// TR-181's word for where it is from.
fn kind(content: &Content, server: &Server) -> &'static str {
    let proto = network(content, &server.network).map(|s| text(s, "proto"));
    match (server.place, proto.unwrap_or_default()) {
        (Place::Listed | Place::Waiting, _) => "Static",
        (Place::Told, "dhcp") => "DHCPv4",
        (Place::Told, "dhcpv6") => "DHCPv6",
        (Place::Told, "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp") => "IPCP",
        (Place::Told, "3g" | "mbim" | "modemmanager" | "ncm" | "qmi" | "wwan") => "3GPP-NAS",
        // Networks that netifd makes beside another, as wan_6 beside PPP, are of DHCP.
        (Place::Told, "") if server.address.contains(':') => "DHCPv6",
        (Place::Told, "") => "DHCPv4",
        (Place::Told, _) => "Static",
    }
}

/// Why a server that its network was told of stays as it is, and what can be done.
fn fixed(server: &Server) -> String {
    format!(
        "the network {} was told of this server, which comes and goes with it; add a row for another, and set peerdns of the network to 0 to do without those that it is told of",
        server.network
    )
}

impl UciSource {
    /// Reads what netifd lists; the version of that.
    fn look_at_told(&mut self) -> u32 {
        let folders = &self.folders;
        let servers = &mut self.servers;
        let (_, version) = servers
            .told
            .get(|| told::read(folders), |text| told::parse(&text));
        if !servers.unheard.is_empty() {
            let now = Instant::now();
            let listed = servers.told.now();
            let is_listed = |row: &str| listed.iter().any(|(network, a)| key(network, *a) == row);
            let forgotten = &mut servers.forgotten;
            servers.unheard.retain(|row, until| {
                let stays = now < *until && is_listed(row);
                *forgotten += u32::from(!stays);
                stays
            });
        }
        version.wrapping_add(servers.forgotten)
    }

    /// See [`rows_version`](crate::model::source::Source::rows_version); `reading` is that of
    /// the package.
    pub(super) fn servers_version(&mut self, reading: u32) -> u32 {
        // Both only grow, and so does their sum.
        reading.wrapping_add(self.look_at_told())
    }

    fn server(&self, content: &Content, row: &str) -> Option<Server> {
        match self.servers.staged.get(row) {
            Some(staged) => staged.clone(),
            None => server(content, row),
        }
    }

    pub(super) fn server_rows(&mut self) -> Result<Vec<Row>, Trouble> {
        self.look_at_told();
        let content = self.content(PACKAGE)?;
        let mut keys: Vec<String> = Vec::new();
        for section in content.package.sections() {
            let Some(name) = section.name() else {
                continue;
            };
            match section.kind() {
                "interface" => {
                    let addresses = entries(section).into_iter().filter_map(|e| e.parse().ok());
                    keys.extend(addresses.map(|address| key(name, address)));
                }
                WAITING => keys.push(name.to_owned()),
                _ => {}
            }
        }
        let servers = &self.servers;
        let told = servers
            .told
            .now()
            .iter()
            .map(|(network, a)| key(network, *a));
        keys.extend(told.filter(|key| !servers.unheard.contains_key(key)));
        let staged = servers.staged.iter();
        keys.extend(staged.clone().map(|(row, _)| row.clone()));
        let gone = staged.filter(|(_, server)| server.is_none());
        let gone: BTreeSet<&String> = gone.map(|(row, _)| row).collect();
        let mut seen = BTreeSet::new();
        keys.retain(|key| !gone.contains(key) && seen.insert(key.clone()));
        keys.truncate(self.limits.rows);
        let row = |key| Row {
            key,
            prints: Vec::new(),
        };
        Ok(keys.into_iter().map(row).collect())
    }

    pub(super) fn server_value(
        &mut self,
        name: &str,
        rows: &[String],
    ) -> Result<Option<Said<'_>>, Trouble> {
        let row = rows.last().map_or("", String::as_str);
        let is_last = |last: &Last| last.row == row;
        // What is staged changes them.
        if !self.drafts.is_empty() || !self.servers.last.as_ref().is_some_and(is_last) {
            self.content(PACKAGE)?;
            let content = self.peek(PACKAGE);
            let found = content.and_then(|content| Some((content, self.server(content, row)?)));
            let last = found.map(|(content, server)| Last {
                row: row.to_owned(),
                status: status(content, &server),
                kind: kind(content, &server),
                server,
            });
            self.servers.last = last;
        }
        let last = self.servers.last.as_ref();
        let text = last.map(|last| match name {
            "name_server_address" => &*last.server.address,
            "name_server_enable" if last.server.on => "1",
            "name_server_enable" => "0",
            "name_server_network" => &*last.server.network,
            "name_server_status" => last.status,
            _ => last.kind,
        });
        Ok(text.map(|text| Said::Text(text.into())))
    }

    pub(super) fn stage_server(
        &mut self,
        name: &str,
        rows: &[String],
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        let refused = |what: &str| Err(Refusal::Value(format!("the value {what}")));
        let text = match value {
            None => String::new(),
            Some(Raw::Text(text)) => text,
            Some(Raw::List(_)) => return refused("is a list"),
        };
        self.content(PACKAGE).map_err(Refusal::Trouble)?;
        let row = rows.last().map_or("", String::as_str);
        let before = self.peek(PACKAGE).and_then(|all| self.server(all, row));
        let Some(before) = before else {
            return Err(Refusal::Trouble(trouble(PACKAGE, "the server is gone")));
        };
        let mut server = before.clone();
        match name {
            "name_server_enable" => server.on = text == "1",
            "name_server_address" if !text.is_empty() && text.parse::<IpAddr>().is_err() => {
                return refused("is no address");
            }
            "name_server_address" => server.address = text,
            "name_server_network" if is_anonymous(&text) => {
                return refused(
                    "is a network that has no name yet; change one of its own parameters first",
                );
            }
            "name_server_network" => server.network = text,
            _ => return refused("cannot be set"),
        }
        if server == before {
            return Ok(());
        }
        if before.place == Place::Told {
            let what = fixed(&before);
            return Err(Refusal::Value(format!("the value cannot be set: {what}")));
        }
        self.draft(PACKAGE).map_err(Refusal::Trouble)?;
        self.servers.staged.insert(row.to_owned(), Some(server));
        Ok(())
    }

    /// Whether a server can be where its values, of which all are staged, have it.
    pub(super) fn check_server(&mut self, rows: &[String]) -> Result<(), String> {
        self.look_at_told();
        let row = rows.last().map_or("", String::as_str);
        let (Some(content), Some(Some(wanted))) =
            (self.peek(PACKAGE), self.servers.staged.get(row))
        else {
            return Ok(());
        };
        let Some(entry) = wanted.entry(content).filter(|entry| entry != row) else {
            return Ok(());
        };
        let servers = &self.servers;
        let mut told = servers.told.now().iter();
        let is_told = told.any(|(network, a)| key(network, *a) == entry);
        let is_listed = server(content, &entry).is_some_and(|s| s.place == Place::Listed);
        let stays = !servers.staged.contains_key(&entry)
            && (is_listed || is_told && !servers.unheard.contains_key(&entry));
        let mut others = servers.staged.iter().filter(|(other, _)| *other != row);
        let is_other =
            |s: &Option<Server>| s.as_ref().and_then(|s| s.entry(content)).as_ref() == Some(&entry);
        match stays || others.any(|(_, other)| is_other(other)) {
            true => Err(format!(
                "{} is a server of the network {} already, in a row of its own; delete one of the two",
                wanted.address, wanted.network
            )),
            false => Ok(()),
        }
    }

    pub(super) fn add_server(&mut self) -> Result<Row, Refusal> {
        let name = self.free_name(PACKAGE, WAITING).map_err(Refusal::Trouble)?;
        self.draft(PACKAGE).map_err(Refusal::Trouble)?;
        let new = Server {
            place: Place::Waiting,
            on: false,
            address: String::new(),
            network: String::new(),
        };
        self.servers.staged.insert(name.clone(), Some(new));
        Ok(Row {
            key: name,
            prints: Vec::new(),
        })
    }

    pub(super) fn delete_server(&mut self, row: &str) -> Result<(), Refusal> {
        self.draft(PACKAGE).map_err(Refusal::Trouble)?;
        let server = self.peek(PACKAGE).and_then(|all| self.server(all, row));
        match server {
            Some(server) if server.place == Place::Told => Err(Refusal::Value(fixed(&server))),
            _ => {
                self.servers.staged.insert(row.to_owned(), None);
                Ok(())
            }
        }
    }

    /// Puts what is staged into what the package becomes, and tells which rows are known by
    /// other keys then.
    pub(super) fn settle_servers(
        &mut self,
        package: &str,
        content: &mut Content,
    ) -> Result<Vec<Renamed>, Trouble> {
        if package != PACKAGE || self.servers.staged.is_empty() {
            return Ok(Vec::new());
        }
        self.look_at_told();
        let staged = std::mem::take(&mut self.servers.staged);
        let mut changes = lists(content, &staged);
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (row, wanted) in &staged {
            let is_section = !row.contains('/');
            let now = wanted.as_ref().and_then(|server| server.entry(content));
            if is_section && (wanted.is_none() || now.is_some()) {
                if content.by_key(row).is_some() {
                    changes.push(Change::Delete { key: row.clone() });
                }
            } else if let (Some(wanted), None) = (wanted, &now) {
                let name = match is_section {
                    true => row.clone(),
                    false => self.name_in(content, PACKAGE, WAITING),
                };
                changes.extend(waits(wanted, &name));
                names.insert(row.clone(), name);
            }
            if let Some(now) = now {
                names.insert(row.clone(), now);
            }
        }
        names.retain(|from, to| from != to);
        let gone = staged.iter().filter(|(_, wanted)| wanted.is_none());
        let left = names.keys().chain(gone.map(|(row, _)| row));
        self.servers.left = left.filter(|row| row.contains('/')).cloned().collect();
        self.servers.staged = staged;
        for change in &changes {
            draft::change(content, change).map_err(|e| trouble(PACKAGE, e))?;
        }
        let tables = self.tables.iter().map(|known| &known.rows);
        let tables = tables.filter(|rows| is_table(rows));
        let renamed = tables.flat_map(|rows| {
            names.iter().map(|(from, to)| Renamed {
                rows: Rows::Uci(rows.clone()),
                parents: Vec::new(),
                from: from.clone(),
                to: to.clone(),
            })
        });
        Ok(renamed.collect())
    }
}

/// The lists of the networks as they must become.
fn lists(content: &Content, staged: &BTreeMap<String, Option<Server>>) -> Vec<Change> {
    let mut changes = Vec::new();
    for section in content.package.sections() {
        let Some(name) = section.name().filter(|_| section.kind() == "interface") else {
            continue;
        };
        let own = |wanted: &&Server| wanted.network == name && wanted.entry(content).is_some();
        let before = entries(section);
        let mut after: Vec<String> = Vec::with_capacity(before.len());
        let mut placed: BTreeSet<&str> = BTreeSet::new();
        for entry in &before {
            let address = entry.parse::<IpAddr>().ok();
            let known = address.and_then(|ip| staged.get_key_value(&key(name, ip)));
            let Some((row, wanted)) = known else {
                after.push((*entry).to_owned());
                continue;
            };
            let Some(wanted) = wanted.as_ref().filter(own) else {
                continue;
            };
            // Of several that say the same one is as good as all.
            if placed.insert(row) || wanted.address == **entry {
                after.push(wanted.address.clone());
            }
        }
        for (row, wanted) in staged {
            let wanted = wanted.as_ref().filter(own);
            let Some(wanted) = wanted.filter(|_| !placed.contains(&**row)) else {
                continue;
            };
            let is_there = |ip: IpAddr| after.iter().any(|entry| is(entry, ip));
            if !wanted.ip().is_some_and(is_there) {
                after.push(wanted.address.clone());
            }
        }
        if after.iter().map(String::as_str).eq(before.iter().copied()) {
            continue;
        }
        let (key, option) = (name.to_owned(), "dns".to_owned());
        changes.push(match section.get("dns") {
            Some(Value::One(_)) => Change::Text {
                key,
                option,
                text: after.join(" "),
            },
            _ => Change::List {
                key,
                option,
                items: after,
            },
        });
    }
    changes
}

/// What makes a server wait in the section of this name.
fn waits(server: &Server, name: &str) -> Vec<Change> {
    let option = |option: &str, text: String| Change::Text {
        key: name.to_owned(),
        option: option.to_owned(),
        text,
    };
    let on = if server.on { "1" } else { "0" };
    vec![
        Change::Section {
            kind: WAITING.to_owned(),
            name: name.to_owned(),
        },
        option("enable", on.to_owned()),
        option("dns", server.address.clone()),
        option("interface", server.network.clone()),
    ]
}
