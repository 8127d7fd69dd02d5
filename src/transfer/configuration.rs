//! UCI packages as a file: made for an upload, put into force by a download.

use crate::uci::Section;

/// An option whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOption {
    /// `wireless`
    pub package: String,
    /// Type or name of the section; `None`: any.
    pub section: Option<String>,
    pub option: String,
}

/// Which options are secrets: those that are told, and those that are called like one.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    told: Vec<SecretOption>,
}

impl Secrets {
    /// Those that the data model hides, beside those known by their names.
    pub fn new(told: Vec<SecretOption>) -> Secrets {
        Secrets { told }
    }

    /// Whether an option's value is left out of files that leave the router.
    pub fn holds(&self, _package: &str, _section: &Section, _option: &str) -> bool {
        let _ = &self.told;
        todo!()
    }
}
