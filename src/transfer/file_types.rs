//! Which file types of Download and Upload there are, and what each does (TR-069 A.3.2.8,
//! A.4.1.5): those of OpenWrt built in, those of agent.toml in their place.
//!
//! This module only knows them; `apply` and `produce` do them.

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
}

/// How a downloaded file comes into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apply {
    /// A program; `{file}` is the file's path, `{name}` its TargetFileName. Another exit
    /// status than 0 is fault 9010.
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
    pub fn of(_file_type: &str) -> Option<Numbered> {
        todo!()
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
    pub fn new(_downloads: &[DownloadType], _uploads: &[UploadType], _system: bool) -> FileTypes {
        todo!()
    }

    /// What Download does with this FileType; `None`: fault 9003.
    pub fn download(&self, file_type: &str) -> Option<&DownloadType> {
        self.downloads.iter().find(|t| t.file_type == file_type)
    }

    /// What Upload does with this FileType; `None`: fault 9003. A numbered one
    /// ([`Numbered`]) is found by its text before the number, and the caller finds out
    /// whether that row exists.
    pub fn upload(&self, _file_type: &str) -> Option<&UploadType> {
        todo!()
    }
}
