//! Entries of lists as rows, values behind compiled-in code, and sections that belong to a
//! row by what they say.

use super::coded::{self, Scene};
use super::draft::{Change, Content, Draft};
use super::hosts::Within;
use super::{UciSource, devices, pools, servers, trouble};
use crate::model::binding::{Rows, UciAt, UciItems, UciRows, expand};
use crate::model::source::{Raw, Refusal, Renamed, Row, Trouble};
use crate::uci::Value;
use std::sync::Arc;

impl UciSource {
    /// What tells which sections are rows below a pool.
    pub(super) fn within(&mut self, rows: &UciRows, parents: &[String]) -> Result<Within, Trouble> {
        let pool = parents.last().map_or("", String::as_str);
        // A broken file of networks is no reason to lose the hosts.
        let _ = self.content("network");
        self.content(&rows.package)?;
        let (Some(content), network) = (self.peek(&rows.package), self.peek("network")) else {
            return Err(trouble(&rows.package, "not read"));
        };
        Ok(Within::of(content, pool, network))
    }

    /// Whether a section can be deleted without taking along what it does elsewhere.
    pub(super) fn may_go(&mut self, rows: &UciRows, key: &str) -> Result<(), Refusal> {
        if (&*rows.package, &*rows.section_type) != ("dhcp", "dhcp") {
            return Ok(());
        }
        let content = self.content(&rows.package).map_err(Refusal::Trouble)?;
        let index = content.by_key(key);
        let section = index.and_then(|i| content.package.sections().get(i));
        match section.is_some_and(pools::serves_ipv6) {
            true => Err(Refusal::Value(
                "its section serves IPv6, too (RouterAdvertisement, DHCPv6.Server); set its Enable to false, or end those first".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// A package that was read in this request, with what is staged.
    pub(super) fn peek(&self, package: &str) -> Option<&Content> {
        match self.drafts.get(package) {
            Some(draft) => Some(&draft.content),
            None => self.cached(package)?.content.as_ref().ok(),
        }
    }

    /// Reads through compiled-in code.
    pub(super) fn coded(
        &mut self,
        at: &UciAt,
        codec: &str,
        rows: &[String],
    ) -> Result<Option<Raw>, Trouble> {
        let option = &*expand(&at.option, rows);
        let Some((index, cached)) = self.section_of(at, rows)? else {
            return Ok(None);
        };
        if at.entry {
            if codec == coded::BY_DEVICE {
                // Where it is broken, no network is named.
                let _ = self.content("network");
            }
            let content = self.peek(&at.package);
            let Some(key) = content.and_then(|content| content.keys.get(index)) else {
                return Ok(None);
            };
            let row = rows.last().map_or("", String::as_str);
            let entry = match self.drafts.get(&*at.package) {
                Some(draft) => draft.entry(key, option, row),
                None => row,
            };
            let said = coded::read_entry(codec, entry);
            if codec != coded::BY_DEVICE {
                return Ok(said.map(Raw::Text));
            }
            let said = said.filter(|device| !device.is_empty());
            let known = said.zip(self.peek("network"));
            let name = known.and_then(|(device, all)| devices::network_of(all, &device));
            return Ok(name.map(|name| Raw::Text(name.to_owned())));
        }
        if coded::asks_network(codec)
            && *at.package != *"network"
            && self.cached("network").is_none_or(|c| !c.checked)
        {
            // Where it is broken, what needs no network still reads.
            let _ = self.content("network");
        }
        let known = match self.drafts.is_empty() {
            true => self
                .cache
                .get(cached)
                .and_then(|(_, c)| c.content.as_ref().ok()),
            false => self.peek(&at.package),
        };
        let Some(content) = known else {
            return Ok(None);
        };
        let scene = self.scene(codec, content, index, option, rows);
        coded::read(codec, &scene).map_err(|what| {
            let section = scene.content.keys.get(scene.index);
            let section = section.map_or("", String::as_str);
            trouble(&at.package, format!("option {option} of {section} {what}"))
        })
    }

    fn scene<'a>(
        &'a self,
        codec: &str,
        content: &'a Content,
        index: usize,
        option: &'a str,
        rows: &'a [String],
    ) -> Scene<'a> {
        Scene {
            content,
            index,
            option,
            network: match coded::asks_network(codec) {
                true => self.peek("network"),
                false => None,
            },
            rows,
        }
    }

    /// Stages through compiled-in code.
    pub(super) fn stage_coded(
        &mut self,
        at: &UciAt,
        codec: &str,
        key: &str,
        option: &str,
        rows: &[String],
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        if at.entry {
            return self.stage_entry(at, codec, key, option, rows, value);
        }
        if coded::asks_network(codec) && *at.package != *"network" {
            let _ = self.content("network");
        }
        let content = self.peek(&at.package);
        let place = content.and_then(|content| Some((content, content.find(key)?)));
        let written = match place {
            Some((content, index)) => {
                let scene = self.scene(codec, content, index, option, rows);
                coded::write(codec, &scene, value)
                    .map_err(|what| Refusal::Value(format!("the value {what}")))?
            }
            None => {
                return Err(Refusal::Trouble(trouble(
                    &at.package,
                    "the section is gone",
                )));
            }
        };
        for (option, raw) in written {
            let key = key.to_owned();
            let change = match raw {
                Raw::Text(text) => Change::Text { key, option, text },
                Raw::List(items) => Change::List { key, option, items },
            };
            self.make(&at.package, change)?;
        }
        Ok(())
    }

    /// Whether a value that was staged can stand, now that all of its request are.
    pub(super) fn check_value(&mut self, at: &UciAt, rows: &[String]) -> Result<(), String> {
        if let Some(n) = at.item {
            return self.check_item(at, n, rows);
        }
        let Some(codec) = at.codec.as_deref().filter(|_| !at.entry) else {
            return Ok(());
        };
        if servers::is_server(codec) {
            return self.check_server(rows);
        }
        if coded::asks_network(codec) && *at.package != *"network" {
            let _ = self.content("network");
        }
        let option = expand(&at.option, rows);
        let reference = expand(&at.section, rows);
        let content = self.peek(&at.package);
        let place = content.and_then(|content| Some((content, content.find(&reference)?)));
        let Some((content, index)) = place else {
            return Ok(());
        };
        coded::check(codec, &self.scene(codec, content, index, &option, rows))
    }

    /// A UCI list has no gaps: what stands behind one would be read in its place.
    fn check_item(&self, at: &UciAt, n: u32, rows: &[String]) -> Result<(), String> {
        let Some(draft) = self.drafts.get(&*at.package) else {
            return Ok(());
        };
        let index = draft.content.find(&expand(&at.section, rows));
        let key = index.and_then(|i| draft.content.keys.get(i));
        let items = key.and_then(|key| draft.items(key, &expand(&at.option, rows)));
        let items = items.unwrap_or_default();
        let n = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
        let (before, rest) = items.split_at_checked(n).unwrap_or((items, &[]));
        let is_empty = |item: &String| item.is_empty();
        match rest.split_first() {
            Some((own, after)) if own.is_empty() && !after.iter().all(is_empty) => Err(
                "the list has no gaps: this entry can be empty when those behind it are; empty them, or move them up in the same request".to_owned(),
            ),
            Some((own, _)) if !own.is_empty() && before.iter().any(is_empty) => Err(
                "the list has no gaps: an entry before this one is empty; set that one".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// The device of a network for an entry that names it.
    fn device_of(&mut self, network: &str) -> Result<String, String> {
        let _ = self.content("network");
        let content = self.peek("network");
        let device = content.and_then(|all| Some((all, devices::of_network(all, network)?)));
        let Some((content, device)) = device else {
            return Err("is a network whose device only netifd knows; leave it empty, so that routes decide".to_owned());
        };
        match devices::network_of(content, &device) {
            Some(first) if first != network => Err(format!(
                "shares its device {device} with the network {first}, which stands for both; set that one"
            )),
            _ => Ok(device),
        }
    }

    fn stage_entry(
        &mut self,
        at: &UciAt,
        codec: &str,
        key: &str,
        option: &str,
        rows: &[String],
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        let row = rows.last().map_or("", String::as_str);
        let mut text = match value {
            Some(Raw::Text(text)) => text,
            None => String::new(),
            Some(Raw::List(_)) => {
                return Err(Refusal::Value(
                    "an entry of a list holds one text".to_owned(),
                ));
            }
        };
        if codec == coded::BY_DEVICE && !text.is_empty() {
            text = self.device_of(&text).map_err(Refusal::Value)?;
        }
        let draft = self.draft(&at.package).map_err(Refusal::Trouble)?;
        let from = draft.entry(key, option, row).to_owned();
        let to = coded::write_entry_of(codec, &from, &text)
            .map_err(|what| Refusal::Value(format!("the value {what}")))?;
        if from == to {
            return Ok(());
        }
        let index = draft.content.by_key(key);
        let section = index.and_then(|i| draft.content.package.sections().get(i));
        let now = section.and_then(|s| s.get(option)).map(Value::items);
        if now.unwrap_or_default().contains(&to) {
            return Err(Refusal::Value(
                "the list has such an entry already".to_owned(),
            ));
        }
        draft.keep_entry(key, option, row, &to);
        let change = Change::Entry {
            key: key.to_owned(),
            option: option.to_owned(),
            from,
            to,
        };
        self.make(&at.package, change)
    }

    /// The entries of a list; of several that say the same the first.
    pub(super) fn item_rows(
        &mut self,
        items: &Arc<UciItems>,
        parents: &[String],
    ) -> Result<Vec<Row>, Trouble> {
        if !self.lists.contains(items) {
            self.lists.push(items.clone());
        }
        let limit = self.limits.rows;
        let reference = expand(&items.section, parents);
        let option = expand(&items.option, parents);
        let content = self.content(&items.package)?;
        let section = content
            .find(&reference)
            .and_then(|i| content.package.sections().get(i));
        let entries = section.and_then(|s| s.get(&option)).map(Value::items);
        let mut seen = std::collections::HashSet::new();
        let first = items.first.as_ref();
        let first = first.map(|first| expand(first, parents).into_owned());
        let entries = entries.unwrap_or_default().iter();
        // Options that could be lists are often one text with spaces.
        let words = entries.flat_map(|item| match items.codec {
            None => item
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
            Some(_) => vec![item.clone()],
        });
        let is_row = |entry: &String| match &items.codec {
            None => super::is_row_key(entry),
            Some(codec) => coded::is_row(codec, entry),
        };
        Ok(first
            .into_iter()
            .chain(words.filter(is_row))
            .filter(|entry| seen.insert(entry.clone()))
            .take(limit)
            .map(|key| Row {
                key,
                prints: Vec::new(),
            })
            .collect())
    }

    pub(super) fn add_item(
        &mut self,
        items: &UciItems,
        parents: &[String],
    ) -> Result<Row, Refusal> {
        let reference = expand(&items.section, parents);
        let option = expand(&items.option, parents);
        let Some(new) = &items.new else {
            return Err(super::read_only("uci", "a list without `new`"));
        };
        let draft = self.draft(&items.package).map_err(Refusal::Trouble)?;
        let content = &draft.content;
        let Some(index) = content.find(&reference) else {
            return Err(Refusal::Trouble(trouble(
                &items.package,
                format!("there is no section {reference}; add it to the file"),
            )));
        };
        let section = content.package.sections().get(index);
        let now = section.and_then(|s| s.get(&option)).map(Value::items);
        let now = now.unwrap_or_default();
        let entry = (1..=now.len() + 1)
            .map(|n| new.replace("{n}", &n.to_string()))
            // Nor is it what a row became that has got only a part of what it is to say.
            .find(|entry| !now.iter().any(|other| other.starts_with(entry)))
            .ok_or_else(|| Refusal::Full("the list has a new entry already".to_owned()))?;
        let key = content.keys.get(index).cloned().unwrap_or_default();
        let change = Change::Entry {
            key,
            option: option.into_owned(),
            from: String::new(),
            to: entry.clone(),
        };
        self.make(&items.package, change)?;
        Ok(Row {
            key: entry,
            prints: Vec::new(),
        })
    }

    pub(super) fn delete_item(
        &mut self,
        items: &UciItems,
        parents: &[String],
        row: &str,
    ) -> Result<(), Refusal> {
        let reference = expand(&items.section, parents);
        let option = expand(&items.option, parents);
        let draft = self.draft(&items.package).map_err(Refusal::Trouble)?;
        let index = draft.content.find(&reference);
        let Some(key) = index.and_then(|i| draft.content.keys.get(i)).cloned() else {
            return Err(Refusal::Trouble(trouble(
                &items.package,
                "the section is gone",
            )));
        };
        let from = draft.entry(&key, &option, row).to_owned();
        let change = Change::Entry {
            key,
            option: option.into_owned(),
            from,
            to: String::new(),
        };
        self.make(&items.package, change)
    }

    /// The rows whose entries say something else now: their numbers go with them.
    pub(super) fn renamed_items(&self, package: &str, draft: &Draft) -> Vec<Renamed> {
        let mut renamed = Vec::new();
        for ((key, option), entries) in &draft.entries {
            for items in self.lists.iter().filter(|i| *i.package == *package) {
                let parents = if *items.section == *"{row}" {
                    vec![key.clone()]
                } else if draft.content.find(&items.section) == draft.content.by_key(key) {
                    Vec::new()
                } else {
                    continue;
                };
                if *items.option != **option {
                    continue;
                }
                renamed.extend(entries.iter().map(|(from, to)| Renamed {
                    rows: Rows::Items(items.clone()),
                    parents: parents.clone(),
                    from: from.clone(),
                    to: to.clone(),
                }));
            }
        }
        renamed
    }
}
