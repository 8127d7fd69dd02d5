//! `[[software_modules]]` of agent.toml in a program without software modules: an error.

use crate::store::Root;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// What such a table says is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SoftwareModules(BTreeMap<String, IgnoredKey>);

/// A value of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "IgnoredAny")]
struct IgnoredKey;

impl From<IgnoredAny> for IgnoredKey {
    fn from(_: IgnoredAny) -> IgnoredKey {
        IgnoredKey
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
