//! Which file types of Download and Upload there are, and what each does (TR-069 A.3.2.8,
//! A.4.1.5): those of OpenWrt built in, those of agent.toml in their place.
//!
//! This module only knows them; `apply` and `produce` do them.

use super::verify::Verify;

/// The firmware of the whole router.
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";
/// A folder of the router's web server.
pub const WEB_CONTENT: &str = "2 Web Content";
/// The router's configuration, taken apart by us (Download; with a number: Upload).
pub const CONFIGURATION: &str = "3 Vendor Configuration File";
/// The router's whole configuration (Upload).
pub const CONFIGURATION_UPLOAD: &str = "1 Vendor Configuration File";
/// The router's log (Upload).
pub const LOG_UPLOAD: &str = "2 Vendor Log File";
/// A log by its number in Device.DeviceInfo.VendorLogFile (Upload).
pub const LOG: &str = "4 Vendor Log File";

/// Below which folder web content goes unless agent.toml says otherwise: what uhttpd
/// serves on OpenWrt.
pub const DEFAULT_WEB_FOLDER: &str = "/www";

/// What a FileType of the Download RPC does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadType {
    /// As the ACS names it.
    pub file_type: String,
    /// Looks at the file before anything is applied; `{file}` is its path. Another exit
    /// status than 0 is fault 9018.
    pub check: Option<Vec<String>>,
    pub apply: Apply,
    /// The router reboots; TransferComplete comes after that boot.
    pub reboots: bool,
    /// What the file is held against before anything looks at it.
    pub verify: Verify,
}

/// How a downloaded file comes into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apply {
    /// A program; `{file}` is the file's path. Another exit status than 0 is fault 9010.
    Command(Vec<String>),
    /// Built in: UCI packages ([`configuration`](super::configuration)).
    Configuration,
    /// Built in: a tar or tar.gz becomes a folder below this one.
    WebContent { below: String },
}

/// What a FileType of the Upload RPC does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadType {
    /// As the ACS names it, without the number of an instance.
    pub file_type: String,
    pub produce: Produce,
    /// Passwords and keys are part of a built-in configuration file.
    pub secrets: bool,
}

/// Where an uploaded file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Produce {
    /// A program; `{file}` is the path it writes to. Where that is in none of its
    /// arguments, what it prints is the file.
    Command(Vec<String>),
    /// Built in: the UCI packages as a tar.gz, or one as text.
    Configuration,
    /// Built in: the file that the system log is written to, else what this program
    /// prints, if there is one.
    Log { command: Option<Vec<String>> },
}

/// A file that Upload names by its row (`3 Vendor Configuration File 2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// Instance number in Device.DeviceInfo.VendorConfigFile.
    Configuration(u32),
    /// Instance number in Device.DeviceInfo.VendorLogFile.
    Log(u32),
}

impl Numbered {
    /// What a file type says, if it ends in an instance number; a number that no instance
    /// can have is none.
    pub fn of(file_type: &str) -> Option<Numbered> {
        let (table, number) = file_type.rsplit_once(' ')?;
        let is_plain = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        let number: u32 = number.parse().ok().filter(|_| is_plain)?;
        match table {
            CONFIGURATION => Some(Numbered::Configuration(number)),
            LOG => Some(Numbered::Log(number)),
            _ => None,
        }
    }

    /// The file type without its number.
    fn file_type(self) -> &'static str {
        match self {
            Numbered::Configuration(_) => CONFIGURATION,
            Numbered::Log(_) => LOG,
        }
    }
}

/// All file types of this router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileTypes {
    downloads: Vec<DownloadType>,
    uploads: Vec<UploadType>,
}

impl FileTypes {
    /// Those given, and the built-in ones of other names. Built-in ones that run a program
    /// are there only where `system` says that the root is `/`.
    pub fn new(downloads: &[DownloadType], uploads: &[UploadType], system: bool) -> FileTypes {
        let mut types = FileTypes {
            downloads: downloads.to_vec(),
            uploads: uploads.to_vec(),
        };
        for built_in in built_in_downloads(system) {
            if types.download(&built_in.file_type).is_none() {
                types.downloads.push(built_in);
            }
        }
        for built_in in built_in_uploads(system) {
            let is_it = |t: &UploadType| t.file_type == built_in.file_type;
            if !types.uploads.iter().any(is_it) {
                types.uploads.push(built_in);
            }
        }
        types
    }

    /// The folders below which web content goes.
    pub fn web_folders(&self) -> impl Iterator<Item = &str> {
        self.downloads.iter().filter_map(|kind| match &kind.apply {
            Apply::WebContent { below } => Some(below.as_str()),
            _ => None,
        })
    }

    /// What Download does with this FileType; `None`: fault 9003.
    pub fn download(&self, file_type: &str) -> Option<&DownloadType> {
        self.downloads.iter().find(|t| t.file_type == file_type)
    }

    /// What Upload does with this FileType; `None`: fault 9003. A numbered one
    /// ([`Numbered`]) is found by its text before the number, and the caller finds out
    /// whether that row exists.
    pub fn upload(&self, file_type: &str) -> Option<&UploadType> {
        // `3 Vendor Configuration File` alone names no file.
        let name = match Numbered::of(file_type) {
            Some(numbered) => numbered.file_type(),
            None if matches!(file_type, CONFIGURATION | LOG) => return None,
            None => file_type,
        };
        self.uploads.iter().find(|t| t.file_type == name)
    }
}

/// What is done with a downloaded file of this type if no program is named for it; `None`:
/// one must be.
pub fn built_in_apply(file_type: &str) -> Option<Apply> {
    match file_type {
        WEB_CONTENT => Some(Apply::WebContent {
            below: DEFAULT_WEB_FOLDER.to_owned(),
        }),
        CONFIGURATION => Some(Apply::Configuration),
        _ => None,
    }
}

/// Where a file of this type for an upload comes from if no program is named for it;
/// `None`: one must be.
pub fn built_in_produce(file_type: &str, system: bool) -> Option<Produce> {
    match file_type {
        CONFIGURATION_UPLOAD | CONFIGURATION => Some(Produce::Configuration),
        LOG_UPLOAD | LOG => Some(Produce::Log {
            command: system.then(|| argv(&["/sbin/logread"])),
        }),
        _ => None,
    }
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn built_in_downloads(system: bool) -> Vec<DownloadType> {
    let mut types = Vec::new();
    for file_type in [WEB_CONTENT, CONFIGURATION] {
        if let Some(apply) = built_in_apply(file_type) {
            types.push(DownloadType {
                file_type: file_type.to_owned(),
                check: None,
                apply,
                reboots: false,
                verify: Verify::default(),
            });
        }
    }
    if system {
        types.push(DownloadType {
            file_type: FIRMWARE.to_owned(),
            check: Some(argv(&["/sbin/sysupgrade", "--test", "{file}"])),
            apply: Apply::Command(argv(&["/sbin/sysupgrade", "{file}"])),
            reboots: true,
            verify: Verify::default(),
        });
    }
    types
}

fn built_in_uploads(system: bool) -> Vec<UploadType> {
    let mut types = Vec::new();
    for file_type in [CONFIGURATION_UPLOAD, CONFIGURATION, LOG_UPLOAD, LOG] {
        if let Some(produce) = built_in_produce(file_type, system) {
            types.push(UploadType {
                file_type: file_type.to_owned(),
                produce,
                secrets: false,
            });
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-UPL-003
    #[test]
    fn a_number_at_the_end_names_a_row() {
        let of = Numbered::of;
        let twelve = Some(Numbered::Configuration(12));
        assert_eq!(of("3 Vendor Configuration File 12"), twelve);
        assert_eq!(of("4 Vendor Log File 1"), Some(Numbered::Log(1)));
        for none in [
            "4 Vendor Log File",
            "4 Vendor Log File ",
            "4 Vendor Log File 0",
            "4 Vendor Log File 01",
            "4 Vendor Log File +1",
            "4 Vendor Log File 4294967296",
            "1 Vendor Configuration File 1",
            "",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        let types = FileTypes::new(&[], &[], false);
        assert!(types.upload("4 Vendor Log File 3").is_some());
        assert!(types.upload("4 Vendor Log File").is_none());
        assert!(types.upload("4 Vendor Log File 0").is_none());
    }

    // T-DLD-009
    #[test]
    fn below_another_root_no_type_runs_a_program_that_nobody_named() {
        let here = FileTypes::new(&[], &[], true);
        let elsewhere = FileTypes::new(&[], &[], false);
        let firmware = here.download(FIRMWARE).unwrap();
        assert!(firmware.reboots && firmware.check.is_some());
        assert_eq!(elsewhere.download(FIRMWARE), None);
        for types in [&here, &elsewhere] {
            assert!(types.download(CONFIGURATION).is_some());
            assert!(types.download(WEB_CONTENT).is_some());
            assert!(types.download("9 Nonsense").is_none());
            let upload = types.upload(CONFIGURATION_UPLOAD).unwrap();
            assert!(!upload.secrets);
        }
        let log = elsewhere.upload(LOG_UPLOAD).unwrap();
        assert_eq!(log.produce, Produce::Log { command: None });
    }

    #[test]
    fn what_is_given_takes_the_place_of_the_built_in_type_of_its_name() {
        let own = DownloadType {
            file_type: FIRMWARE.to_owned(),
            check: None,
            apply: Apply::Command(argv(&["/bin/flash", "{file}"])),
            reboots: false,
            verify: Verify::default(),
        };
        let upload = UploadType {
            file_type: "X 00D09E Report".to_owned(),
            produce: Produce::Command(argv(&["/bin/report"])),
            secrets: false,
        };
        let (own, upload) = ([own], [upload]);
        let types = FileTypes::new(&own, &upload, true);
        assert_eq!(types.download(FIRMWARE), own.first());
        assert_eq!(types.upload("X 00D09E Report"), upload.first());
        assert!(types.download(WEB_CONTENT).is_some());
    }
}
