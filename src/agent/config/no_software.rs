//! `[[software_modules]]` of agent.toml in a program without software modules: an error.

use crate::notation::table::{Value, Wrong};
use crate::store::Root;

/// What such a table says is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareModules;

impl SoftwareModules {
    /// The list of them.
    pub(super) fn all(value: &Value<'_>) -> Result<Vec<SoftwareModules>, Wrong> {
        let mut all = Vec::new();
        value.tables(&mut |_| {
            all.push(SoftwareModules);
            Ok(())
        })?;
        Ok(all)
    }
}

/// No package manager is used.
pub(super) fn manage_packages(_: &[SoftwareModules], _: &Root) -> bool {
    false
}

/// The first of them is what is wrong: its number (from 0) and what to write.
pub(super) fn check(named: &[SoftwareModules]) -> Result<(), (usize, String)> {
    match named.is_empty() {
        true => Ok(()),
        false => Err((
            0,
            "this program was built without software modules (the cargo feature \
             `software-modules`); take one that has them, or leave the table out"
                .to_owned(),
        )),
    }
}
