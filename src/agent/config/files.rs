//! `[[download]]` and `[[upload]]` of agent.toml: what file types do.

use super::{Config, argv};
use crate::notation::table::{Table, Value, Wrong as WrongText, keys};
use crate::store::Root;
use crate::transfer::file_types::{
    self, Apply, DownloadType, FileTypes, Numbered, Produce, UploadType, WEB_CONTENT,
};
use crate::transfer::verify;

/// The longest FileType that an ACS can name (TR-069 A.3.2.8), characters.
const MAX_FILE_TYPE: usize = 64;

/// What a FileType of the Download RPC does. One that is listed takes the place of the
/// built-in type of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Download {
    pub file_type: String,
    /// Looks at the file, which `{file}` stands for; another exit status than 0 is fault
    /// 9018.
    pub check: Option<Vec<String>>,
    /// Puts it into force; another exit status than 0 is fault 9010. Absent: what is built
    /// in for the file type.
    pub apply: Option<Vec<String>>,
    /// TransferComplete is reported after the next boot.
    pub reboots: bool,
    /// What the file is held against once it is here.
    pub verify: Option<Verify>,
    /// Below which folder built-in web content goes (`/www`).
    pub folder: Option<String>,
}

/// Sums and signatures beside a file on its server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verify {
    /// What the name of the file with the SHA-256 sum ends with (`.sha256`), or the name of
    /// a list of sums (`sha256sums`).
    pub sha256: Option<String>,
    /// What the name of the file with the usign signature ends with (`.sig`).
    pub signature: Option<String>,
    /// The folder of public keys (`/etc/opkg/keys`), below the root.
    pub keys: Option<String>,
}

/// What a FileType of the Upload RPC does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    pub file_type: String,
    /// Writes the file that `{file}` stands for, or, where that is in none of its
    /// arguments, prints it. Absent: what is built in for the file type.
    pub produce: Option<Vec<String>>,
    /// Passwords and keys are part of a built-in configuration file.
    pub secrets: bool,
}

impl Download {
    /// The list of them.
    pub(super) fn all(value: &Value<'_>) -> Result<Vec<Download>, WrongText> {
        let mut all = Vec::new();
        value.tables(&mut |table| {
            table.require("file_type")?;
            let mut one = Download::default();
            keys!(table, {
                "file_type" => one.file_type, Value::text;
                "check" => one.check, argv;
                "apply" => one.apply, argv;
                "reboots" => one.reboots, Value::flag;
                "verify" => one.verify, Verify::read;
                "folder" => one.folder, Value::some_text;
            })?;
            all.push(one);
            Ok(())
        })?;
        Ok(all)
    }
}

impl Verify {
    fn read(value: &Value<'_>) -> Result<Option<Verify>, WrongText> {
        let mut verify = Verify::default();
        value.table(&mut |table: &Table<'_>| {
            keys!(table, {
                "sha256" => verify.sha256, Value::some_text;
                "signature" => verify.signature, Value::some_text;
                "keys" => verify.keys, Value::some_text;
            })
        })?;
        Ok(Some(verify))
    }
}

impl Upload {
    /// The list of them.
    pub(super) fn all(value: &Value<'_>) -> Result<Vec<Upload>, WrongText> {
        let mut all = Vec::new();
        value.tables(&mut |table| {
            table.require("file_type")?;
            let mut one = Upload::default();
            keys!(table, {
                "file_type" => one.file_type, Value::text;
                "produce" => one.produce, argv;
                "secrets" => one.secrets, Value::flag;
            })?;
            all.push(one);
            Ok(())
        })?;
        Ok(all)
    }
}

/// What is wrong: the kind of table, which of them (from 0), and what to write.
type Wrong = (&'static str, usize, String);

/// Whether both lists make sense.
pub(super) fn check(downloads: &[Download], uploads: &[Upload]) -> Result<(), Wrong> {
    for (nth, download) in downloads.iter().enumerate() {
        let before = downloads.iter().take(nth).map(|d| &d.file_type);
        name(&download.file_type, before)
            .and_then(|()| check_download(download))
            .map_err(|what| ("[[download]]", nth, what))?;
    }
    for (nth, upload) in uploads.iter().enumerate() {
        let before = uploads.iter().take(nth).map(|u| &u.file_type);
        name(&upload.file_type, before)
            .and_then(|()| check_upload(upload))
            .map_err(|what| ("[[upload]]", nth, what))?;
    }
    Ok(())
}

fn name<'a>(
    file_type: &String,
    mut before: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    if file_type.is_empty() || file_type.chars().count() > MAX_FILE_TYPE {
        return Err(format!(
            "no ACS can name the file type {file_type:?}; write 1 to {MAX_FILE_TYPE} characters"
        ));
    }
    if before.any(|known| known == file_type) {
        return Err(format!(
            "file type {file_type:?} is there twice; take one of them out"
        ));
    }
    Ok(())
}

fn check_download(download: &Download) -> Result<(), String> {
    let file_type = &download.file_type;
    for argv in [&download.check, &download.apply].into_iter().flatten() {
        if !argv.iter().skip(1).any(|a| a.contains("{file}")) {
            return Err(format!(
                "a command for file type {file_type:?} never names the file; write `{{file}}` \
                 where its path belongs"
            ));
        }
    }
    let is_built_in =
        file_type == file_types::FIRMWARE || file_types::built_in_apply(file_type).is_some();
    if download.apply.is_none() && !is_built_in {
        return Err(format!(
            "nothing is built in for file type {file_type:?}; write \
             apply = [\"/path/of/program\", \"{{file}}\"]"
        ));
    }
    if let Some(folder) = &download.folder {
        if file_type != WEB_CONTENT || download.apply.is_some() {
            return Err(format!(
                "folder is for built-in {WEB_CONTENT:?} alone; take it out"
            ));
        }
        absolute("folder", folder)?;
    }
    let Some(verify) = &download.verify else {
        return Ok(());
    };
    if verify.sha256.is_none() && verify.signature.is_none() {
        return Err("verify names nothing to check; write sha256 = \".sha256\" in it".to_owned());
    }
    for (key, suffix) in [("sha256", &verify.sha256), ("signature", &verify.signature)] {
        let is_bad = |s: &String| s.is_empty() || s.contains(['/', '?', '#']);
        if let Some(bad) = suffix.as_ref().filter(|s| is_bad(s)) {
            return Err(format!(
                "{key} = {bad:?} is no ending of a file's name; write {key} = \".{key}\""
            ));
        }
    }
    if verify.signature.is_some() {
        verify::signatures()?;
    }
    match &verify.keys {
        Some(_) if verify.signature.is_none() => Err(
            "verify has keys and no signature; write signature = \".sig\" in it, or take keys out"
                .to_owned(),
        ),
        Some(keys) => absolute("keys", keys),
        None => Ok(()),
    }
}

fn check_upload(upload: &Upload) -> Result<(), String> {
    let file_type = &upload.file_type;
    if Numbered::of(file_type).is_some() {
        return Err(format!(
            "file type {file_type:?} ends in a row's number; write it without the number"
        ));
    }
    let built_in = file_types::built_in_produce(file_type, true);
    if upload.produce.is_none() && built_in.is_none() {
        return Err(format!(
            "nothing is built in for file type {file_type:?}; write \
             produce = [\"/path/of/program\", \"{{file}}\"]"
        ));
    }
    let is_ours = upload.produce.is_none() && built_in == Some(Produce::Configuration);
    if upload.secrets && !is_ours {
        return Err("secrets is for the built-in configuration file alone; take it out".to_owned());
    }
    Ok(())
}

fn absolute(key: &str, path: &str) -> Result<(), String> {
    match path.starts_with('/') && !path.split('/').any(|p| p == "..") {
        true => Ok(()),
        false => Err(format!(
            "{key} is {path:?}; write an absolute path without `..`"
        )),
    }
}

impl Config {
    /// The file types of a router with this root.
    pub fn file_types(&self, root: &Root) -> FileTypes {
        let system = root.is_system();
        let built_in = FileTypes::new(&[], &[], system);
        // What is left of a type that has no program below this root is not supported.
        let downloads = self.download.iter();
        let downloads = downloads.filter_map(|d| d.file_type(&built_in, root));
        let uploads = self.upload.iter();
        let uploads = uploads.filter_map(|u| u.file_type(system));
        FileTypes::new(
            &downloads.collect::<Vec<_>>(),
            &uploads.collect::<Vec<_>>(),
            system,
        )
    }
}

impl Download {
    fn file_type(&self, built_in: &FileTypes, root: &Root) -> Option<DownloadType> {
        let verify = self.verify.as_ref().map(|v| v.below(root));
        let verify = verify.unwrap_or_default();
        if let Some(apply) = &self.apply {
            return Some(DownloadType {
                file_type: self.file_type.clone(),
                check: self.check.clone(),
                apply: Apply::Command(apply.clone()),
                reboots: self.reboots,
                verify,
            });
        }
        let built_in = built_in.download(&self.file_type)?.clone();
        let apply = match (&self.folder, built_in.apply) {
            (Some(folder), Apply::WebContent { .. }) => Apply::WebContent {
                below: folder.clone(),
            },
            (_, apply) => apply,
        };
        Some(DownloadType {
            file_type: built_in.file_type,
            check: self.check.clone().or(built_in.check),
            apply,
            reboots: self.reboots || built_in.reboots,
            verify,
        })
    }
}

impl Verify {
    fn below(&self, root: &Root) -> verify::Verify {
        let keys = self.keys.as_deref().unwrap_or(verify::DEFAULT_KEYS);
        // A path that leads out of the root holds no key.
        let keys = root.path(keys).unwrap_or_else(|_| "/dev/null".into());
        verify::Verify {
            sha256: self.sha256.clone(),
            signature: self.signature.clone(),
            keys: Some(keys),
        }
    }
}

impl Upload {
    fn file_type(&self, system: bool) -> Option<UploadType> {
        let produce = match &self.produce {
            Some(argv) => Produce::Command(argv.clone()),
            None => file_types::built_in_produce(&self.file_type, system)?,
        };
        Some(UploadType {
            file_type: self.file_type.clone(),
            produce,
            secrets: self.secrets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::file_types::{CONFIGURATION_UPLOAD, FIRMWARE};
    use std::path::Path;

    fn types(text: &str, root: &str) -> FileTypes {
        let config = Config::parse("agent.toml", text).unwrap();
        config.file_types(&Root::new(Path::new(root)).unwrap())
    }

    #[test]
    fn what_is_listed_replaces_the_built_in_type_and_what_it_leaves_out_stays_built_in() {
        let text = r#"
[[download]]
file_type = "1 Firmware Upgrade Image"
verify    = { sha256 = "sha256sums" }

[[download]]
file_type = "2 Web Content"
folder    = "/srv/http"

[[download]]
file_type = "X 00D09E Modem"
apply     = ["/usr/sbin/flash-modem", "{file}"]

[[upload]]
file_type = "1 Vendor Configuration File"
secrets   = true

[[upload]]
file_type = "X 00D09E Report"
produce   = ["/usr/sbin/report"]
"#;
        let here = types(text, "/");
        let firmware = here.download(FIRMWARE).unwrap();
        assert!(firmware.reboots && firmware.check.is_some());
        assert_eq!(firmware.verify.sha256.as_deref(), Some("sha256sums"));
        let web = here.download(WEB_CONTENT).unwrap();
        let below = "/srv/http".to_owned();
        assert_eq!(web.apply, Apply::WebContent { below });
        assert!(here.download("X 00D09E Modem").is_some_and(|t| !t.reboots));
        assert!(here.upload(CONFIGURATION_UPLOAD).unwrap().secrets);
        assert!(here.upload("X 00D09E Report").is_some());

        let dir = std::env::temp_dir();
        let elsewhere = types(text, dir.to_str().unwrap());
        assert!(elsewhere.download(FIRMWARE).is_none());
        assert!(elsewhere.download("X 00D09E Modem").is_some());
    }

    #[test]
    #[cfg(feature = "tls")]
    fn a_signature_is_held_against_the_keys_of_the_root() {
        let dir = std::env::temp_dir();
        let flash = "[[download]]\nfile_type = \"1 Firmware Upgrade Image\"\n\
                     apply = [\"/bin/flash\", \"{file}\"]\nverify = { signature = \".sig\" }";
        let elsewhere = types(flash, dir.to_str().unwrap());
        let verify = &elsewhere.download(FIRMWARE).unwrap().verify;
        assert_eq!(verify.signature.as_deref(), Some(".sig"));
        let keys = &verify.keys;
        let below = dir.canonicalize().unwrap().join("etc/opkg/keys");
        assert_eq!(keys.as_deref(), Some(below.as_path()));
        let own = types(flash, "/");
        let keys = &own.download(FIRMWARE).unwrap().verify.keys;
        assert_eq!(keys.as_deref(), Some(Path::new("/etc/opkg/keys")));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_line_and_the_mend() {
        let x = "[[download]]\nfile_type = \"X\"\n";
        let web = "[[download]]\nfile_type = \"2 Web Content\"\n";
        let up = "[[upload]]\nfile_type = \"1 Vendor Configuration File\"\n";
        for (text, line, mend) in [
            (x.to_owned(), 1, "write apply ="),
            (format!("\n{web}\n{x}"), 5, "write apply ="),
            (format!("{x}apply = [\"/bin/x\"]"), 1, "write `{file}`"),
            (format!("{web}{web}"), 3, "twice"),
            (format!("{web}folder = \"www\""), 1, "absolute path"),
            (
                format!("{x}apply = [\"/bin/x\", \"{{file}}\"]\nfolder = \"/www\""),
                1,
                "take it out",
            ),
            (format!("{web}verify = {{}}"), 1, "write sha256"),
            (format!("{web}verify = {{ sha256 = \"\" }}"), 1, "no ending"),
            (
                format!("{web}verify = {{ sha256 = \".s\", keys = \"/k\" }}"),
                1,
                "write signature",
            ),
            (
                format!("{web}verify = {{ signature = \".s\", keys = \"k\" }}"),
                1,
                if cfg!(feature = "tls") {
                    "absolute"
                } else {
                    "without TLS"
                },
            ),
            (
                format!("{web}verify = {{ sha1 = \".s\" }}"),
                3,
                "unknown key",
            ),
            (format!("{web}secrets = true"), 3, "unknown key"),
            (
                format!("[[download]]\nfile_type = \"{}\"", "x".repeat(65)),
                1,
                "64 characters",
            ),
            (
                "[[upload]]\nfile_type = \"X\"".to_owned(),
                1,
                "write produce",
            ),
            (
                format!("{up}produce = [\"/bin/x\"]\nsecrets = true"),
                1,
                "take it out",
            ),
            (format!("{up}{up}"), 3, "twice"),
            (
                "[[upload]]\nfile_type = \"4 Vendor Log File 1\"".to_owned(),
                1,
                "without the number",
            ),
        ] {
            let error = Config::parse("a.toml", &text).unwrap_err();
            assert_eq!(error.line, line, "{error}\n{text}");
            assert!(error.what.contains(mend), "{error}\n{text}");
        }
    }
}
