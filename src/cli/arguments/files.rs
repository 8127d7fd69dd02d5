//! `download`, `upload`, `confirm`, `cancel`, `request-download` on the command line.

use super::{Command, Usage};
use std::ffi::OsString;
use std::path::PathBuf;

/// The file type of `download` where none is given (TR-069 A.3.2.8).
const DOWNLOAD_TYPE: &str = "1 Firmware Upgrade Image";
/// That of `upload` (A.4.1.5).
const UPLOAD_TYPE: &str = "1 Vendor Configuration File";

/// A transfer that a person asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    pub upload: bool,
    pub url: String,
    pub file_type: String,
    pub username: String,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    pub target: String,
    /// Wait for its end, and tell of it.
    pub wait: bool,
}

/// The options as they come.
#[derive(Default)]
pub(super) struct Options {
    file_type: Option<String>,
    username: Option<String>,
    password_file: Option<PathBuf>,
    target: Option<String>,
    wait: bool,
}

impl Options {
    /// Those of this command.
    pub fn takes(command: Option<&str>, option: &str) -> bool {
        match command {
            Some("download") if option == "target" => true,
            Some("download" | "upload") => {
                matches!(option, "type" | "user" | "password-file" | "wait")
            }
            _ => false,
        }
    }

    /// Whether a value follows.
    pub fn has_value(option: &str) -> bool {
        option != "wait"
    }

    /// Takes one of [`takes`](Self::takes).
    pub fn take(&mut self, option: &str, value: OsString) -> Result<(), Usage> {
        let text = |value: OsString| {
            value
                .into_string()
                .map_err(|v| Usage(format!("--{option}: {v:?} is not UTF-8; write UTF-8")))
        };
        match option {
            "type" => self.file_type = Some(text(value)?),
            "user" => self.username = Some(text(value)?),
            "password-file" => self.password_file = Some(value.into()),
            "target" => self.target = Some(text(value)?),
            _ => self.wait = true,
        }
        Ok(())
    }

    /// The command of `download` and `upload`.
    pub fn command(self, upload: bool, url: String) -> Result<Command, Usage> {
        if self.password_file.is_some() && self.username.is_none() {
            return Err(Usage(
                "--password-file: whose password? write --user NAME as well".to_owned(),
            ));
        }
        let default = if upload { UPLOAD_TYPE } else { DOWNLOAD_TYPE };
        Ok(Command::Transfer(Box::new(Transfer {
            upload,
            url,
            file_type: self.file_type.unwrap_or_else(|| default.to_owned()),
            username: self.username.unwrap_or_default(),
            password_file: self.password_file,
            target: self.target.unwrap_or_default(),
            wait: self.wait,
        })))
    }
}

/// `request-download FILE_TYPE [NAME=VALUE…]`; `None`: no file type is given.
pub(super) fn request(words: Vec<String>) -> Result<Option<Command>, Usage> {
    let mut words = words.into_iter();
    let Some(file_type) = words.next() else {
        return Ok(None);
    };
    let mut arguments = Vec::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(Usage(format!("{word:?} has no `=`; write NAME=VALUE")));
        };
        arguments.push((name.to_owned(), value.to_owned()));
    }
    Ok(Some(Command::RequestDownload {
        file_type,
        arguments,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn command(words: &[&str]) -> Result<Command, Usage> {
        parse(words.iter().copied()).map(|(_, command)| command)
    }

    #[test]
    fn a_transfer_takes_its_options_anywhere() {
        let words = [
            "download",
            "--type",
            "2 Web Content",
            "http://h/f",
            "--user=u",
            "--password-file",
            "/p",
            "--target",
            "n",
            "--wait",
        ];
        let expected = Transfer {
            upload: false,
            url: "http://h/f".to_owned(),
            file_type: "2 Web Content".to_owned(),
            username: "u".to_owned(),
            password_file: Some("/p".into()),
            target: "n".to_owned(),
            wait: true,
        };
        assert_eq!(command(&words), Ok(Command::Transfer(Box::new(expected))));
        let Ok(Command::Transfer(upload)) = command(&["upload", "http://h/f"]) else {
            panic!("no upload");
        };
        assert!(upload.upload && !upload.wait);
        assert_eq!(upload.file_type, UPLOAD_TYPE);
    }

    #[test]
    fn a_request_takes_names_with_values() {
        let request = |text: &str| Command::RequestDownload {
            file_type: "1 Firmware Upgrade Image".to_owned(),
            arguments: vec![("Version".to_owned(), text.to_owned())],
        };
        let words = [
            "request-download",
            "1 Firmware Upgrade Image",
            "Version=a=b",
        ];
        assert_eq!(command(&words), Ok(request("a=b")));
        for bad in [
            &["request-download"][..],
            &["request-download", "1", "Version"],
            &["download"],
            &["download", "a", "b"],
            &["download", "a", "--password-file", "/p"],
            &["upload", "a", "--target", "n"],
            &["confirm"],
            &["cancel", "a", "b"],
            &["get", "A", "--wait"],
        ] {
            let error = command(bad).expect_err("wrong usage");
            assert!(
                error.0.contains("write") || error.0.contains("cwmp-agent"),
                "{error}"
            );
        }
    }
}
