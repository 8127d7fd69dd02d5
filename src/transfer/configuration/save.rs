//! The configuration as a file for an upload.

use super::{FOLDER, IN_ARCHIVE, MAX_PACKAGES, Secrets};
use crate::store::{Disk, RealDisk, Root};
use crate::transfer::archive::{ArchiveError, Writer};
use crate::uci::{MAX_BYTES, Package, Value, valid_package, without_comments};
use log::warn;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes all packages as a tar.gz (`etc/config/NAME`, as sysupgrade packs them), or one as
/// text behind a line `package NAME`, to a new file. A package that is no regular file, or
/// has a name that libuci does not know, is left out, and so is, where secrets are, one
/// that cannot be read for a mistake in it.
///
/// Without `secrets` the values that [`Secrets`] knows are left out, and with them all
/// comments: who comments a password out still has it.
///
/// # Errors
/// What the disk says; of one package, also that there is none or that it is broken.
pub fn save(
    root: &Root,
    package: Option<&str>,
    secrets: Option<&Secrets>,
    into: &Path,
) -> io::Result<()> {
    match package {
        Some(name) => {
            if !valid_package(name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut text = format!("package {name}\n\n").into_bytes();
            text.extend(read(root, name, secrets)?);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(into)?;
            file.write_all(&text)
        }
        None => save_all(root, secrets, into),
    }
}

fn save_all(root: &Root, secrets: Option<&Secrets>, into: &Path) -> io::Result<()> {
    let mut names = match fs::metadata(root.path(FOLDER)?) {
        Ok(_) => RealDisk.list(&root.path(FOLDER)?)?,
        Err(e) => return Err(e),
    };
    names.retain(|name| valid_package(name));
    names.sort_unstable();
    names.truncate(MAX_PACKAGES);
    let failed = |e: ArchiveError| match e {
        ArchiveError::Io { error, .. } => error,
        e => io::Error::other(e),
    };
    let mut archive = Writer::create(into).map_err(failed)?;
    for name in names {
        match read(root, &name, secrets) {
            Ok(text) => {
                let entry = format!("{IN_ARCHIVE}{name}");
                archive.file(&entry, 0o600, &text).map_err(failed)?;
            }
            Err(e) => warn!("{FOLDER}/{name} is left out of the upload: {e}"),
        }
    }
    archive.finish().map_err(failed)
}

/// A package's file; without its secrets where those are given.
fn read(root: &Root, name: &str, secrets: Option<&Secrets>) -> io::Result<Vec<u8>> {
    let text = root.read(&format!("{FOLDER}/{name}"), MAX_BYTES as u64)?;
    match secrets {
        None => Ok(text),
        Some(secrets) => without_secrets(name, &text, secrets),
    }
}

/// A package's text without secrets and comments; everything else byte for byte.
fn without_secrets(name: &str, text: &[u8], secrets: &Secrets) -> io::Result<Vec<u8>> {
    let text = without_comments(text).map_err(io::Error::other)?;
    let mut package = Package::parse(&text).map_err(io::Error::other)?;
    for at in 0..package.sections().len() {
        let Some(section) = package.sections().get(at) else {
            break;
        };
        let hidden = |(option, value): &(&str, &Value)| secrets.hides(name, section, option, value);
        let hidden = section.options().filter(hidden);
        let hidden: Vec<String> = hidden.map(|(option, _)| option.to_owned()).collect();
        for option in hidden {
            package
                .delete_option(at, &option)
                .map_err(io::Error::other)?;
        }
    }
    Ok(package.to_bytes())
}
