//! Which options of the configuration are secrets.

use crate::uci::{Section, Value};

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

/// Names of options that hold a secret wherever they stand.
const NAMES: &[&str] = &[
    "key",
    "key1",
    "key2",
    "key3",
    "key4",
    "pass",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "psk",
    "pin",
    "pincode",
    "token",
    "apikey",
    "privkey",
    "credential",
    "credentials",
    "community",
    "bearer",
    // 802.11r: each holds the key of a neighbour.
    "r0kh",
    "r1kh",
];
/// What the name of such an option ends with.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "psk",
    "token",
    "_key",
    "_pass",
    "_pwd",
    "_pin",
    "privatekey",
    "apikey",
];
/// Names that end so and are told to everybody.
const PUBLIC: &[&str] = &["public_key"];

impl Secrets {
    /// Those that the data model hides, beside those known by their names.
    pub fn new(told: Vec<SecretOption>) -> Secrets {
        Secrets { told }
    }

    /// Whether an option is left out of files that leave the router.
    pub fn holds(&self, package: &str, section: &Section, option: &str) -> bool {
        let is_section =
            |s: &String| section.kind() == s.as_str() || section.name() == Some(s.as_str());
        let is_told = |told: &SecretOption| {
            told.package == package
                && told.option == option
                && told.section.as_ref().is_none_or(is_section)
        };
        let name = option.to_ascii_lowercase();
        self.told.iter().any(is_told)
            || NAMES.contains(&&*name)
            || (ENDINGS.iter().any(|e| name.ends_with(e)) && !PUBLIC.contains(&&*name))
    }

    /// As [`holds`](Self::holds); also for a value that gives a secret away by itself (a URL
    /// with a password).
    pub(super) fn hides(
        &self,
        package: &str,
        section: &Section,
        option: &str,
        value: &Value,
    ) -> bool {
        self.holds(package, section, option) || value.items().iter().any(|v| has_credentials(v))
    }
}

/// Whether a text holds a URL with a user and a password: `://user:password@`.
fn has_credentials(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;

    // T-SEC-009
    #[test]
    fn options_are_secrets_by_what_is_told_by_their_names_and_by_what_they_say() {
        let package = Package::parse(b"config wifi-iface 'home'\n").unwrap();
        let section = &package.sections()[0];
        let told = |package: &str, section: Option<&str>, option: &str| SecretOption {
            package: package.to_owned(),
            section: section.map(str::to_owned),
            option: option.to_owned(),
        };
        let secrets = Secrets::new(vec![
            told("vendor", None, "any"),
            told("vendor", Some("wifi-iface"), "by_type"),
            told("vendor", Some("home"), "by_name"),
            told("vendor", Some("other"), "elsewhere"),
        ]);
        for option in ["any", "by_type", "by_name"] {
            assert!(secrets.holds("vendor", section, option), "{option}");
            assert!(!secrets.holds("another", section, option), "{option}");
        }
        assert!(!secrets.holds("vendor", section, "elsewhere"));
        for option in [
            "key",
            "Password",
            "key1",
            "sae_password",
            "auth_secret",
            "private_key",
            "preshared_key",
            "pincode",
            "access_token",
            "wpa_psk",
        ] {
            assert!(secrets.holds("x", section, option), "{option}");
        }
        for option in [
            "public_key",
            "keymgmt",
            "ssid",
            "pinmode",
            "username",
            "key_retries",
        ] {
            assert!(!secrets.holds("x", section, option), "{option}");
        }
        for (value, hidden) in [
            ("https://user:geheim@example.org/update", true),
            ("see http://a/ and ftp://u:p@b", true),
            ("https://user@example.org/", false),
            ("https://example.org/a:b@c", false),
            ("plain", false),
        ] {
            let value = Value::One(value.to_owned());
            assert_eq!(
                secrets.hides("x", section, "url", &value),
                hidden,
                "{value:?}"
            );
        }
    }
}
