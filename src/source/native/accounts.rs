//! Accounts that people and programs log in with: Device.Users.
//!
//! `/etc/passwd`, `/etc/shadow` and `/etc/group` are read once a request. What stands in
//! a password field never leaves this module.

use super::kept::Found;
use super::names::Value;
use super::system::read;
use crate::store::Folders;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;

/// Accounts at most.
const MOST: usize = 256;
/// Below are the system's own accounts, above nobody's.
const PEOPLE: std::ops::Range<u32> = 1000..65534;

/// The accounts, found anew when one of the files says something else.
#[derive(Default)]
pub struct Accounts {
    known: Option<BTreeMap<String, Account>>,
    /// What stands for the files: they are not kept, because passwords are in them.
    files: Found<u64>,
    keys: RandomState,
}

struct Account {
    id: u32,
    enabled: bool,
    /// The first is that of `/etc/passwd`.
    groups: Vec<String>,
}

impl Accounts {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.files.begin();
    }

    /// A number that stands while all accounts are as they are.
    pub fn version(&mut self, root: &Folders) -> Result<u32, String> {
        self.all(root)?;
        Ok(self.files.version())
    }

    /// The names of root and of everybody who is not a part of the system.
    pub fn names(&mut self, root: &Folders) -> Result<Vec<String>, String> {
        Ok(self.all(root)?.keys().cloned().collect())
    }

    /// A value of an account; `None`: there is no such account.
    pub fn value(
        &mut self,
        root: &Folders,
        what: Value,
        user: &str,
    ) -> Result<Option<String>, String> {
        let account = self.all(root)?.get(user);
        Ok(account.and_then(|account| match what {
            Value::UserId => Some(account.id.to_string()),
            Value::UserEnabled => Some(account.enabled.to_string()),
            Value::UserGroups => Some(account.groups.join(",")),
            _ => None,
        }))
    }

    fn all(&mut self, root: &Folders) -> Result<&BTreeMap<String, Account>, String> {
        if !self.files.is_checked() {
            let text = |path| read(root, path).map(Option::unwrap_or_default);
            let (passwd, shadow) = (text("/etc/passwd")?, text("/etc/shadow")?);
            let group = text("/etc/group")?;
            // With keys of this process's own: nobody makes two files that are taken for
            // one.
            let files = self.keys.hash_one((&passwd, &shadow, &group));
            if self.files.take(files) || self.known.is_none() {
                self.known = Some(accounts(&passwd, &shadow, &group));
            }
        }
        self.known
            .as_ref()
            .ok_or_else(|| "no accounts were looked for".to_owned())
    }
}

fn accounts(passwd: &str, shadow: &str, group: &str) -> BTreeMap<String, Account> {
    let locked: HashMap<&str, bool> = shadow
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            Some((name, is_locked(rest.split(':').next()?)))
        })
        .collect();
    let groups: Vec<(&str, &str, &str)> = group
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            Some((
                fields.next()?,
                fields.nth(1)?,
                fields.next().unwrap_or_default(),
            ))
        })
        .collect();
    let mut all = BTreeMap::new();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').take(7).collect();
        let [name, password, id, main, ..] = *fields.as_slice() else {
            continue;
        };
        let Ok(id) = id.parse::<u32>() else { continue };
        let wanted = (id == 0 || PEOPLE.contains(&id)) && super::super::is_row_key(name);
        if !wanted || all.len() >= MOST {
            continue;
        }
        let locked = match password {
            // The password is in the other file.
            "x" => locked.get(name).copied().unwrap_or(true),
            password => is_locked(password),
        };
        let own = groups.iter().filter(|(_, id, _)| *id == main);
        let others = groups
            .iter()
            .filter(|(_, id, members)| *id != main && members.split(',').any(|m| m == name));
        let groups = own.chain(others).map(|(name, ..)| (*name).to_owned());
        let account = Account {
            id,
            enabled: !locked,
            groups: groups.collect(),
        };
        all.entry(name.to_owned()).or_insert(account);
    }
    all
}

/// Whether no password fits. An empty field means that none is asked for.
fn is_locked(password: &str) -> bool {
    password.starts_with(['!', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_root_are_users_and_the_systems_own_accounts_are_none() {
        let passwd = "root:x:0:0:root:/root:/bin/ash\ndaemon:*:1:1::/var:/bin/false\n\
                      ann:x:1000:1000::/home/ann:/bin/ash\nbob:x:1001:1000::/:/bin/ash\n\
                      eve:x:1002:1000::/:/bin/ash\nnobody:*:65534:65534::/:/bin/false\nbad\n../x:x:0:0:\n";
        let shadow = "root:$1$salt$hash:0:0\nann:!$1$salt$hash:0\nbob::0\n";
        let group = "root:x:0:\nusers:x:1000:\nadmin:x:27:bob,ann\n";
        let all = accounts(passwd, shadow, group);
        let shown: Vec<(&str, u32, bool, String)> = all
            .iter()
            .map(|(name, a)| (name.as_str(), a.id, a.enabled, a.groups.join(",")))
            .collect();
        assert_eq!(
            shown,
            [
                ("ann", 1000, false, "users,admin".to_owned()),
                ("bob", 1001, true, "users,admin".to_owned()),
                ("eve", 1002, false, "users".to_owned()),
                ("root", 0, true, "root".to_owned()),
            ]
        );
    }
}
