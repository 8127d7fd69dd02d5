//! What went wrong with a file, as the ACS is told it (TR-069 A.5, codes of CWMP 1.2).

use crate::cwmp::message::TransferFault;
use crate::net::file::FileError;
use crate::net::http::HttpError;
use crate::net::tls::TlsConfigError;

/// Longest text of a fault, characters (TR-069 A.3.3.2).
const MAX_TEXT: usize = 256;

/// A download failed for a reason that has no code of its own.
pub(crate) const DOWNLOAD: u16 = 9010;
/// An upload failed for a reason that has no code of its own.
pub(crate) const UPLOAD: u16 = 9011;
/// https, in a program without TLS.
pub(crate) const PROTOCOL: u16 = 9013;
/// The server wants other credentials.
pub(crate) const AUTHENTICATION: u16 = 9012;
/// The server cannot be contacted.
pub(crate) const CONTACT: u16 = 9015;
/// The server can be contacted, the file not be had.
pub(crate) const ACCESS: u16 = 9016;
/// The file did not come to its end.
pub(crate) const INCOMPLETE: u16 = 9017;
/// The file is not what it should be.
pub(crate) const CORRUPTED: u16 = 9018;
/// The file is not from whom it should be.
pub(crate) const UNAUTHENTIC: u16 = 9019;

/// A fault with a text that fits.
pub(crate) fn fault(code: u16, text: impl AsRef<str>) -> TransferFault {
    TransferFault {
        code,
        text: text.as_ref().chars().take(MAX_TEXT).collect(),
    }
}

/// What an error means for a download.
pub(crate) fn of_download(error: &FileError) -> TransferFault {
    let code = match error {
        FileError::Unreachable(HttpError::TlsSetup(TlsConfigError::Absent)) => PROTOCOL,
        FileError::Unreachable(_) => CONTACT,
        FileError::Auth(_) | FileError::ForeignAuth(_) => AUTHENTICATION,
        FileError::Status(_)
        | FileError::Redirect(_)
        | FileError::Coding(_)
        | FileError::NoSuchPart => ACCESS,
        FileError::Broken(_)
        | FileError::Truncated
        | FileError::Stalled(_)
        | FileError::Slow(..)
        | FileError::WrongPart
        | FileError::Aborted => INCOMPLETE,
        _ => DOWNLOAD,
    };
    fault(code, error.to_string())
}

/// What an error means for an upload.
pub(crate) fn of_upload(error: &FileError) -> TransferFault {
    let code = match error {
        FileError::Unreachable(HttpError::TlsSetup(TlsConfigError::Absent)) => PROTOCOL,
        FileError::Unreachable(_) => CONTACT,
        FileError::Auth(_) | FileError::ForeignAuth(_) => AUTHENTICATION,
        _ => UPLOAD,
    };
    fault(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let long = fault(9010, "\u{e4}".repeat(300));
        assert_eq!(long.text.chars().count(), 256);
        assert_eq!(fault(9010, "short").text, "short");
    }
}
