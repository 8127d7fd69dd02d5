//! CWMP versions and the XML namespaces that carry them.
//!
//! CWMP 1.0 speaks `urn:dslforum-org:cwmp-1-0`, 1.1 speaks `…-1-1`; 1.2, 1.3 and 1.4
//! all speak `…-1-2` and tell each other apart by SOAP headers (TR-069 3.7.2.4).

use std::fmt;

const NAMESPACE_STEM: &str = "urn:dslforum-org:cwmp-1-";

/// A version of CWMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CwmpVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V1_4,
}

impl CwmpVersion {
    /// All versions, oldest first.
    pub const ALL: [CwmpVersion; 5] = [
        CwmpVersion::V1_0,
        CwmpVersion::V1_1,
        CwmpVersion::V1_2,
        CwmpVersion::V1_3,
        CwmpVersion::V1_4,
    ];

    /// The version as written in `UseCWMPVersion` and `SupportedCWMPVersions`: `1.4`.
    pub fn text(self) -> &'static str {
        match self {
            CwmpVersion::V1_0 => "1.0",
            CwmpVersion::V1_1 => "1.1",
            CwmpVersion::V1_2 => "1.2",
            CwmpVersion::V1_3 => "1.3",
            CwmpVersion::V1_4 => "1.4",
        }
    }

    /// Reads `1.0` to `1.4`; anything else is `None`.
    pub fn parse(text: &str) -> Option<CwmpVersion> {
        let text = text.trim();
        CwmpVersion::ALL.into_iter().find(|v| v.text() == text)
    }

    /// The namespace this version's messages are written in.
    pub fn namespace(self) -> &'static str {
        match self {
            CwmpVersion::V1_0 => "urn:dslforum-org:cwmp-1-0",
            CwmpVersion::V1_1 => "urn:dslforum-org:cwmp-1-1",
            CwmpVersion::V1_2 | CwmpVersion::V1_3 | CwmpVersion::V1_4 => {
                "urn:dslforum-org:cwmp-1-2"
            }
        }
    }

    /// What to offer an ACS that has refused this version, once: the version it `named` with
    /// the namespace of its refusal, if that is an older one; else 1.0, which every ACS
    /// speaks. `None`: there is nothing older.
    pub fn after_refusal(self, named: Option<CwmpVersion>) -> Option<CwmpVersion> {
        let older = |v: &CwmpVersion| *v < self && v.namespace() != self.namespace();
        let oldest = Some(CwmpVersion::V1_0);
        named.filter(older).or(oldest).filter(older)
    }

    /// The value of `SupportedCWMPVersions` for a CPE whose highest version is this:
    /// `1.0,1.1,1.2,1.3,1.4`.
    pub fn supported_list(self) -> String {
        let mut list = String::new();
        for version in CwmpVersion::ALL.into_iter().filter(|v| *v <= self) {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(version.text());
        }
        list
    }
}

impl fmt::Display for CwmpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The version that a namespace stands for when no `UseCWMPVersion` says more:
/// `…cwmp-1-0` is 1.0, `…cwmp-1-1` is 1.1, `…cwmp-1-2` is 1.2. The namespaces `…1-3`,
/// `…1-4` and later do not exist, but some ACSs write them; they stand for the version
/// they name, at most 1.4. `None`: not a CWMP namespace.
pub fn version_of_namespace(uri: &str) -> Option<CwmpVersion> {
    let minor = uri.strip_prefix(NAMESPACE_STEM)?;
    if minor.is_empty() || minor.len() > 3 || !minor.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(match minor.trim_start_matches('0') {
        "" => CwmpVersion::V1_0,
        "1" => CwmpVersion::V1_1,
        "2" => CwmpVersion::V1_2,
        "3" => CwmpVersion::V1_3,
        _ => CwmpVersion::V1_4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_1_4_cpe_names_all_five() {
        assert_eq!(CwmpVersion::V1_4.supported_list(), "1.0,1.1,1.2,1.3,1.4");
        assert_eq!(CwmpVersion::V1_0.supported_list(), "1.0");
    }

    #[test]
    fn only_three_namespaces_are_ever_written() {
        let mut all: Vec<_> = CwmpVersion::ALL.iter().map(|v| v.namespace()).collect();
        all.dedup();
        assert_eq!(all.len(), 3);
        for version in CwmpVersion::ALL {
            assert!(version_of_namespace(version.namespace()).is_some_and(|v| v <= version));
            assert_eq!(CwmpVersion::parse(version.text()), Some(version));
        }
    }

    #[test]
    fn after_a_refusal_comes_what_the_acs_names_or_the_oldest() {
        use CwmpVersion::*;
        assert_eq!(V1_4.after_refusal(Some(V1_1)), Some(V1_1));
        assert_eq!(V1_4.after_refusal(None), Some(V1_0));
        assert_eq!(V1_4.after_refusal(Some(V1_2)), Some(V1_0));
        assert_eq!(V1_1.after_refusal(Some(V1_4)), Some(V1_0));
        assert_eq!(V1_0.after_refusal(Some(V1_0)), None);
        assert_eq!(V1_0.after_refusal(None), None);
    }

    #[test]
    fn foreign_namespaces_are_no_version() {
        for uri in [
            "",
            "urn:dslforum-org:cwmp-1-",
            "urn:dslforum-org:cwmp-2-0",
            "urn:dslforum-org:cwmp-1-x",
            "urn:dslforum-org:cwmp-1-1234",
        ] {
            assert_eq!(version_of_namespace(uri), None, "{uri}");
        }
        assert_eq!(
            version_of_namespace("urn:dslforum-org:cwmp-1-4"),
            Some(CwmpVersion::V1_4)
        );
        assert_eq!(
            version_of_namespace("urn:dslforum-org:cwmp-1-17"),
            Some(CwmpVersion::V1_4)
        );
    }
}
