//! What an opkg package says of itself: `control` in `control.tar.gz` in the package.

use crate::cwmp::message::TransferFault;
use crate::transfer::archive::{ArchiveError, Limits, Reader};
use crate::transfer::software::Failure;
use std::path::Path;

/// Most bytes of `control.tar.gz` and of `control`.
const MAX_PART: usize = 256 << 10;

/// The text of `control`; `None`: it is no such package.
///
/// # Errors
/// 9018: it is one, but not whole.
pub(super) fn control(file: &Path, limits: Limits) -> Result<Option<String>, Failure> {
    let fault = |e: ArchiveError| Failure::from(TransferFault::from(e));
    let mut outer = match Reader::open(file, limits) {
        Ok(reader) => reader,
        // Not gzip, not tar.
        Err(ArchiveError::Damaged(_)) => return Ok(None),
        Err(e) => return Err(fault(e)),
    };
    let mut found = None;
    let mut is_package = false;
    loop {
        let entry = match outer.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(ArchiveError::Damaged(_)) if !is_package => return Ok(None),
            Err(e) => return Err(fault(e)),
        };
        match entry.name.as_str() {
            "debian-binary" => is_package = true,
            "control.tar.gz" if found.is_none() => {
                is_package = true;
                found = Some(outer.content(MAX_PART).map_err(fault)?);
            }
            _ => {}
        }
    }
    let Some(inner) = found else {
        return Ok(None);
    };
    let mut inner = Reader::new(inner.as_slice(), limits).map_err(fault)?;
    while let Some(entry) = inner.next().map_err(fault)? {
        if entry.name == "control" {
            let bytes = inner.content(MAX_PART).map_err(fault)?;
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Err(super::failure(9018, "the package holds no control file"))
}
