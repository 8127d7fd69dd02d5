//! Of which ends of what nobody asked for the ACS wants to hear:
//! Device.ManagementServer.AutonomousTransferCompletePolicy. and DUStateChangeComplPolicy.
//!
//! Both are off until the ACS switches them on. An empty filter of a list filters nothing.
//! Pure: what happened is an argument.

use super::settings::{boolean, put};
use crate::uci::Value;

/// Both policies, as options `autonomous_…` of `config cpe 'cpe'`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    pub transfers: TransferPolicy,
    pub software: SoftwarePolicy,
}

/// Which results are told of (ResultTypeFilter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Results {
    Success,
    Failure,
    #[default]
    Both,
}

impl Results {
    fn hold(self, succeeded: bool) -> bool {
        match self {
            Results::Success => succeeded,
            Results::Failure => !succeeded,
            Results::Both => true,
        }
    }

    fn parse(text: &str) -> Result<Results, &'static str> {
        match text {
            "Success" => Ok(Results::Success),
            "Failure" => Ok(Results::Failure),
            "Both" => Ok(Results::Both),
            _ => Err("Success, Failure or Both"),
        }
    }
}

/// Which directions are told of (TransferTypeFilter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Directions {
    Upload,
    Download,
    #[default]
    Both,
}

/// Device.ManagementServer.AutonomousTransferCompletePolicy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransferPolicy {
    pub enable: bool,
    pub directions: Directions,
    pub results: Results,
    /// Empty: all.
    pub file_types: Vec<String>,
}

impl TransferPolicy {
    /// Whether the ACS is told (AutonomousTransferComplete) of the end of a transfer that it
    /// did not ask for. `fault` is 0 where it went well.
    ///
    /// The filter knows the file types of Download. A type of Upload is meant by the one of
    /// the same name: `1 Vendor Configuration File` by `3 Vendor Configuration File`,
    /// `4 Vendor Log File 1` by `4 Vendor Log File`.
    pub fn wanted(&self, is_download: bool, file_type: &str, fault: u16) -> bool {
        let direction = match self.directions {
            Directions::Upload => !is_download,
            Directions::Download => is_download,
            Directions::Both => true,
        };
        let name = name_of(file_type);
        let is_listed = self.file_types.iter().any(|t| name_of(t) == name);
        self.enable
            && direction
            && self.results.hold(fault == 0)
            && (self.file_types.is_empty() || is_listed)
    }
}

/// A file type without the digit before it and the number of a row behind it; a vendor's
/// whole.
fn name_of(file_type: &str) -> &str {
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    match file_type.split_once(' ') {
        Some((digit, name)) if is_number(digit) => match name.rsplit_once(' ') {
            Some((before, row)) if is_number(row) => before,
            _ => name,
        },
        _ => file_type,
    }
}

/// What was done with a deployment unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Install,
    Update,
    Uninstall,
}

impl Operation {
    /// As OperationTypeFilter has it.
    pub fn text(self) -> &'static str {
        match self {
            Operation::Install => "Install",
            Operation::Update => "Update",
            Operation::Uninstall => "Uninstall",
        }
    }
}

/// Device.ManagementServer.DUStateChangeComplPolicy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SoftwarePolicy {
    pub enable: bool,
    /// Empty: all.
    pub operations: Vec<String>,
    pub results: Results,
    /// Of failures. Empty: all.
    pub fault_codes: Vec<u16>,
}

impl SoftwarePolicy {
    /// Whether the ACS is told (AutonomousDUStateChangeComplete) of the end of an operation
    /// that it did not ask for. `fault` is 0 where it went well.
    pub fn wanted(&self, operation: Operation, fault: u16) -> bool {
        let is_listed = self.operations.iter().any(|o| o == operation.text());
        self.enable
            && (self.operations.is_empty() || is_listed)
            && self.results.hold(fault == 0)
            && (fault == 0 || self.fault_codes.is_empty() || self.fault_codes.contains(&fault))
    }
}

impl Policies {
    /// Takes an option of `config cpe 'cpe'`; tells whether it is one of these.
    pub(super) fn read(&mut self, option: &str, value: &Value, warnings: &mut Vec<String>) -> bool {
        let text = value.items().first().map_or("", String::as_str);
        let Policies {
            transfers,
            software,
        } = self;
        match option {
            "autonomous_transfer_complete" => {
                put(&mut transfers.enable, option, boolean(text), warnings);
            }
            "autonomous_transfer_type" => {
                let directions = match text {
                    "Upload" => Ok(Directions::Upload),
                    "Download" => Ok(Directions::Download),
                    "Both" => Ok(Directions::Both),
                    _ => Err("Upload, Download or Both"),
                };
                put(&mut transfers.directions, option, directions, warnings);
            }
            "autonomous_transfer_result" => {
                put(
                    &mut transfers.results,
                    option,
                    Results::parse(text),
                    warnings,
                );
            }
            "autonomous_transfer_file_types" => transfers.file_types = value.items().to_vec(),
            "autonomous_du_complete" => {
                put(&mut software.enable, option, boolean(text), warnings);
            }
            "autonomous_du_operations" => software.operations = value.items().to_vec(),
            "autonomous_du_result" => {
                put(
                    &mut software.results,
                    option,
                    Results::parse(text),
                    warnings,
                );
            }
            "autonomous_du_fault_codes" => {
                let codes = value.items().iter().map(|code| code.parse().ok());
                let codes = codes.collect::<Option<Vec<u16>>>();
                let codes = codes.ok_or("a list of fault codes such as 9016");
                put(&mut software.fault_codes, option, codes, warnings);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-ATC-001
    #[test]
    fn the_end_of_a_transfer_is_told_if_it_passes_every_filter() {
        const FIRMWARE: &str = "1 Firmware Upgrade Image";
        let all = TransferPolicy {
            enable: true,
            ..TransferPolicy::default()
        };
        assert!(!TransferPolicy::default().wanted(true, FIRMWARE, 0));
        assert!(all.wanted(true, FIRMWARE, 0) && all.wanted(false, "X 0 Y", 9011));

        let of = |directions| TransferPolicy {
            directions,
            ..all.clone()
        };
        for (directions, down, up) in [
            (Directions::Download, true, false),
            (Directions::Upload, false, true),
            (Directions::Both, true, true),
        ] {
            assert_eq!(of(directions).wanted(true, FIRMWARE, 0), down);
            assert_eq!(of(directions).wanted(false, FIRMWARE, 0), up);
        }
        let of = |results| TransferPolicy {
            results,
            ..all.clone()
        };
        for (results, well, badly) in [
            (Results::Success, true, false),
            (Results::Failure, false, true),
            (Results::Both, true, true),
        ] {
            assert_eq!(of(results).wanted(true, FIRMWARE, 0), well);
            assert_eq!(of(results).wanted(true, FIRMWARE, 9010), badly);
        }
        let listed = TransferPolicy {
            file_types: [
                "3 Vendor Configuration File",
                "4 Vendor Log File",
                "X 00D09E A 1",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..all.clone()
        };
        for (file_type, wanted) in [
            ("3 Vendor Configuration File", true),
            ("1 Vendor Configuration File", true),
            ("3 Vendor Configuration File 12", true),
            ("4 Vendor Log File 1", true),
            ("2 Vendor Log File", true),
            ("X 00D09E A 1", true),
            ("X 00D09E A 2", false),
            ("X 00D09E A", false),
            (FIRMWARE, false),
            ("2 Web Content", false),
        ] {
            assert_eq!(listed.wanted(false, file_type, 0), wanted, "{file_type}");
        }
    }

    #[test]
    fn the_end_of_an_operation_is_told_if_it_passes_every_filter() {
        use Operation::{Install, Uninstall, Update};
        let all = SoftwarePolicy {
            enable: true,
            ..SoftwarePolicy::default()
        };
        assert!(!SoftwarePolicy::default().wanted(Install, 0));
        for operation in [Install, Update, Uninstall] {
            assert!(all.wanted(operation, 0) && all.wanted(operation, 9016));
            let listed = SoftwarePolicy {
                operations: vec!["Install".to_owned(), "Update".to_owned()],
                ..all.clone()
            };
            assert_eq!(listed.wanted(operation, 0), operation != Uninstall);
        }
        let failures = |results| SoftwarePolicy {
            results,
            fault_codes: vec![9016, 9018],
            ..all.clone()
        };
        for (results, well, listed) in [
            (Results::Success, true, false),
            (Results::Failure, false, true),
            (Results::Both, true, true),
        ] {
            assert_eq!(failures(results).wanted(Update, 0), well);
            assert_eq!(failures(results).wanted(Update, 9018), listed);
            assert!(!failures(results).wanted(Update, 9012));
        }
    }
}
