//! Download, Upload, ScheduleDownload, CancelTransfer and the lists of what is queued (TR-069
//! A.3.2.8, A.4.1.2 to A.4.1.9): their arguments are checked, and what is promised is on disk.
//! Nothing is transferred here.

use crate::agent::transfers::{Files, row_of};
use crate::agent::world::lock;
use crate::cwmp::fault::{self, Fault};
use crate::cwmp::message::{CpeResponse, Download, ScheduleDownload, TransferStatus, Upload};
use crate::model::Model;
use crate::net::tls;
use crate::net::url::{Url, UrlError};
use crate::transfer::file_types::Numbered;
use crate::transfer::windows;

/// What is offered: the queue, the file types, and the largest file.
pub struct Transfers<'a> {
    pub files: &'a Files,
    /// Bytes.
    pub largest: u32,
    /// A random number, all values equally likely.
    pub random: fn() -> u32,
}

/// The moment from which a delay counts. `now` is cut down to whole seconds: what is to wait is
/// counted from the next one, so that it never begins early.
fn counted(now: i64, delay: u32) -> i64 {
    now.saturating_add(i64::from(delay > 0))
}

impl Transfers<'_> {
    pub(super) fn download(&self, asked: &Download, now: i64) -> Result<CpeResponse, Fault> {
        self.check_download(&asked.file_type, &asked.url, asked.file_size)?;
        let accepted =
            lock(&self.files.queue).accept_download(counted(now, asked.delay_seconds), asked);
        accepted.map_err(|e| e.fault())?;
        Ok(CpeResponse::Download(TransferStatus::Later))
    }

    pub(super) fn schedule(
        &self,
        asked: &ScheduleDownload,
        now: i64,
    ) -> Result<CpeResponse, Fault> {
        self.check_download(&asked.file_type, &asked.url, asked.file_size)?;
        windows::check(&asked.windows)?;
        let begin = asked.windows.first().map_or(0, |window| window.start);
        let now = counted(now, begin);
        let accepted = lock(&self.files.queue).accept_schedule(now, asked, (self.random)());
        accepted.map_err(|e| e.fault())?;
        Ok(CpeResponse::ScheduleDownload)
    }

    fn check_download(&self, file_type: &str, url: &str, file_size: u32) -> Result<(), Fault> {
        if self.files.types.download(file_type).is_none() {
            return Err(unknown(file_type));
        }
        check_url(url)?;
        if file_size > self.largest {
            return Err(Fault::new(
                fault::RESOURCES_EXCEEDED,
                format!(
                    "FileSize is {file_size}; this device takes files up to {} bytes",
                    self.largest
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn upload(
        &self,
        model: &mut Model,
        asked: &Upload,
        now: i64,
    ) -> Result<CpeResponse, Fault> {
        let file_type = asked.file_type.as_str();
        if self.files.types.upload(file_type).is_none() {
            return Err(unknown(file_type));
        }
        if let Some(numbered) = Numbered::of(file_type)
            && model.row_key(&row_of(numbered)).is_err()
        {
            return Err(Fault::invalid_arguments(format!(
                "FileType: there is no {}",
                row_of(numbered)
            )));
        }
        check_url(&asked.url)?;
        let accepted =
            lock(&self.files.queue).accept_upload(counted(now, asked.delay_seconds), asked);
        accepted.map_err(|e| e.fault())?;
        Ok(CpeResponse::Upload(TransferStatus::Later))
    }

    pub(super) fn cancel(&self, command_key: &str) -> Result<CpeResponse, Fault> {
        let cancelled = lock(&self.files.queue).cancel(command_key);
        self.files.stop_cancelled();
        // A key that none has is cancelled already.
        cancelled
            .map(|_| CpeResponse::CancelTransfer)
            .map_err(|e| e.fault())
    }

    pub(super) fn requested(&self) -> CpeResponse {
        CpeResponse::GetQueuedTransfers(lock(&self.files.queue).list_requested())
    }

    pub(super) fn all(&self) -> CpeResponse {
        CpeResponse::GetAllQueuedTransfers(lock(&self.files.queue).list())
    }
}

fn unknown(file_type: &str) -> Fault {
    Fault::invalid_arguments(format!("FileType {file_type:?} is not supported"))
}

/// 9013 for a scheme that is not supported, 9003 for what is no URL or holds credentials.
fn check_url(url: &str) -> Result<(), Fault> {
    let wrong = match Url::parse(url) {
        Ok(url) => {
            return tls::possible(&url).map_err(|e| Fault::new(fault::TRANSFER_PROTOCOL, e));
        }
        Err(wrong) => wrong,
    };
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    Err(match wrong {
        UrlError::Scheme if is_scheme => Fault::new(
            fault::TRANSFER_PROTOCOL,
            format!("{scheme}: is not supported; http and https are"),
        ),
        wrong => Fault::invalid_arguments(format!("URL: {wrong}")),
    })
}

#[cfg(test)]
mod tests {
    use super::{check_url, tls};

    // T-DLD-008
    #[test]
    fn a_url_is_http_or_https_without_credentials() {
        let code = |url: &str| check_url(url).map_or_else(|e| e.code, |()| 0);
        assert_eq!(code("http://h/f?x=1"), 0);
        let https = if tls::PRESENT { 0 } else { 9013 };
        assert_eq!(code("HTTPS://h:8443/f"), https);
        for other in ["foo://h/f", "ftp://h/f", "tftp:f", "file:///etc/passwd"] {
            assert_eq!(code(other), 9013, "{other}");
        }
        for bad in [
            "",
            "h/f",
            "/f",
            "http://",
            "http://u:p@h/f",
            "http://h/a b",
            "1x://h",
        ] {
            assert_eq!(code(bad), 9003, "{bad}");
        }
    }
}
