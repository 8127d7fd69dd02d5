//! An environment that a vendor's programs make (`kind = "command"`).
//!
//! `inspect` prints lines of `key=value`: `name`, `version`, and if it likes `vendor` and
//! `description`. `list` prints a line `name version` for each unit, `units` the names of a
//! unit's execution units, one a line.

use super::{Held, Runner, is_plain};
use crate::process::RunError;
use crate::transfer::software::record::{Intent, Unit};
use crate::transfer::software::{Failure, failure};
use std::path::Path;

/// See the module.
#[derive(Debug)]
pub(super) struct Vendor {
    pub runner: Runner,
}

/// Most units and lines that are looked at.
const MOST: usize = 1024;

impl Vendor {
    pub fn new(runner: Runner) -> Vendor {
        Vendor { runner }
    }

    pub fn inspect(&self, file: &Path) -> Result<Option<Intent>, Failure> {
        let Some(argv) = &self.runner.commands.inspect else {
            return Ok(None);
        };
        let file = file.to_string_lossy();
        let text = match self.runner.text(argv, &[("{file}", &file)]) {
            Ok(text) => text,
            // It is not of its kind, or not whole: the program's word.
            Err(RunError::Status(_)) => return Ok(None),
            Err(e) => return Err(failure(9001, &format!("inspect: {e}"))),
        };
        let value = |key: &str| {
            let mut lines = text.lines().take(MOST);
            let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_default().trim().to_owned()
        };
        let name = value("name");
        Ok(Some(Intent {
            duid: name.clone(),
            name,
            vendor: value("vendor"),
            version: value("version"),
            description: value("description"),
        }))
    }

    pub fn install(&self, file: &Path, wanted: &Intent, old: Option<&Unit>) -> Result<(), Failure> {
        let commands = &self.runner.commands;
        let update = commands.update.as_ref().filter(|_| old.is_some());
        let Some(argv) = update.or(commands.install.as_ref()) else {
            return Err(failure(
                9001,
                "no `install` is named in [[software_modules]]",
            ));
        };
        let file = file.to_string_lossy();
        let values = [
            ("{file}", &*file),
            ("{name}", &wanted.name),
            ("{version}", &wanted.version),
        ];
        let done = self.runner.work(argv, &values);
        done.map_err(|e| failure(9001, &format!("the program that installs {e}")))
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let Some(argv) = &self.runner.commands.remove else {
            return Err(failure(
                9001,
                "no `remove` is named in [[software_modules]]",
            ));
        };
        let done = self.runner.work(argv, &[("{name}", name)]);
        done.map_err(|e| failure(9001, &format!("the program that removes {e}")))
    }

    pub fn list(&self) -> Result<Vec<Held>, String> {
        let Some(argv) = &self.runner.commands.list else {
            return Err("no `list` is named in [[software_modules]]".to_owned());
        };
        let text = self.runner.text(argv, &[]).map_err(|e| e.to_string())?;
        let held = |line: &str| {
            let (name, version) = line.trim().split_once(' ')?;
            let version = version.trim();
            (is_plain(name) && is_plain(version)).then(|| Held {
                duid: name.to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                resolved: true,
                explicit: true,
                ..Held::default()
            })
        };
        Ok(text.lines().take(MOST).filter_map(held).collect())
    }

    pub fn units(&self, name: &str) -> Vec<(String, bool)> {
        let commands = &self.runner.commands;
        let Some(argv) = &commands.units else {
            // One that is called as its unit, if it can be started at all.
            let can = commands.start.is_some();
            return can.then(|| (name.to_owned(), true)).into_iter().collect();
        };
        let text = self
            .runner
            .text(argv, &[("{name}", name)])
            .unwrap_or_default();
        let names = text.lines().map(str::trim).filter(|line| is_plain(line));
        names.take(64).map(|unit| (unit.to_owned(), true)).collect()
    }
}
