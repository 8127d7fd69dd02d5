//! A file that comes: the head of the answer, and its body piece by piece.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use ureq::BodyReader;
use ureq::http::Response;
use ureq::http::header::{self, HeaderName};

use super::config::FileTimeouts;
use super::range::{ContentRange, Validator};
use super::{FileError, Resume};
use crate::net::http::answer::texts;
use crate::net::http::link::Link;
use crate::net::http::{HttpError, translate};
use crate::net::url::Url;

/// The answer to a GET, its body yet to be read.
pub struct Incoming {
    offset: u64,
    total: Option<u64>,
    validator: Option<Validator>,
    reader: BodyReader<'static>,
    link: Arc<Link>,
    times: FileTimeouts,
    /// Where it comes from.
    url: Url,
    /// Bytes still to come, where they were told.
    left: Option<u64>,
    /// Since when the pace is counted, and the bytes since then.
    window: (Instant, u64),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} of {:?})", self.offset, self.total)
    }
}

impl Incoming {
    /// Judges the head.
    pub(super) fn of(
        response: Response<ureq::Body>,
        url: Url,
        from: Option<&Resume>,
        link: Arc<Link>,
        times: FileTimeouts,
    ) -> Result<Incoming, FileError> {
        let headers = response.headers();
        let one = |name: HeaderName| texts(headers, name).pop();
        let (tag, modified) = (one(header::ETAG), one(header::LAST_MODIFIED));
        let coding = texts(headers, header::CONTENT_ENCODING).join(", ");
        let length = response.body().content_length();
        let (offset, total, left, validator) = match (response.status().as_u16(), from) {
            (200, _) => {
                let date = one(header::DATE);
                let known = Validator::of(tag.as_deref(), modified.as_deref(), date.as_deref());
                (0, length, length, known)
            }
            (206, Some(from)) => {
                let range = one(header::CONTENT_RANGE);
                let fits = from.validator.fits(tag.as_deref(), modified.as_deref());
                let range = range
                    .and_then(|range| ContentRange::parse(&range))
                    .filter(|range| fits && is_rest(range, from, length))
                    .ok_or(FileError::WrongPart)?;
                let total = range.total.or(from.total);
                let known = Some(from.validator.clone());
                (from.offset, total, range.length(), known)
            }
            (416, Some(_)) => return Err(FileError::NoSuchPart),
            (206, None) => return Err(FileError::WrongPart),
            (status, _) => return Err(FileError::Status(status)),
        };
        if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
            return Err(FileError::Coding(coding.chars().take(32).collect()));
        }
        // What broke earlier was not this body.
        link.was_cut();
        Ok(Incoming {
            offset,
            total,
            validator,
            reader: response.into_body().into_reader(),
            link,
            times,
            url,
            left,
            window: (Instant::now(), 0),
        })
    }

    /// Where in the file the body begins: 0, or what was asked for.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the whole file; `None`: the server did not say.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// What the file is known by, if it can be resumed.
    pub fn validator(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }

    /// The next bytes; 0: the body is over, in good order as far as HTTP can tell.
    ///
    /// # Errors
    /// [`FileError`]: [`Truncated`](FileError::Truncated), [`Stalled`](FileError::Stalled),
    /// [`Slow`](FileError::Slow), [`Aborted`](FileError::Aborted),
    /// [`Broken`](FileError::Broken).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        let now = Instant::now();
        let (begun, came) = self.window;
        let end = begun + self.times.pace;
        if now >= end {
            if came < self.times.pace_bytes {
                return Err(self.slow());
            }
            self.window = (now, 0);
        }
        // Enough has come in this span: only a stall can end it.
        let pace_ends = match self.window.1 < self.times.pace_bytes {
            true => Some(self.window.0 + self.times.pace),
            false => None,
        };
        let stall_ends = now + self.times.stall;
        let by = pace_ends.map_or(stall_ends, |end| end.min(stall_ends));
        self.link.body_by(Some(by));
        let result = self.reader.read(buffer);
        self.link.body_by(None);
        match result {
            Ok(0) if self.total.is_none() && self.link.was_cut() => Err(FileError::Truncated),
            Ok(count) => {
                self.window.1 += count as u64;
                if let Some(left) = &mut self.left {
                    // Only a part in chunks can be longer than it says.
                    *left = left.checked_sub(count as u64).ok_or(FileError::WrongPart)?;
                }
                Ok(count)
            }
            Err(_) if self.link.is_aborted() => Err(FileError::Aborted),
            Err(e) => Err(match ureq::Error::from(e) {
                ureq::Error::Timeout(_) if by == stall_ends => FileError::Stalled(self.times.stall),
                ureq::Error::Timeout(_) => self.slow(),
                e => match translate(e, &self.url) {
                    HttpError::Closed => FileError::Truncated,
                    other => FileError::Broken(other),
                },
            }),
        }
    }

    fn slow(&self) -> FileError {
        FileError::Slow(self.times.pace_bytes, self.times.pace)
    }
}

/// Whether this is of the part that was asked for, and of the length it says.
fn is_rest(range: &ContentRange, from: &Resume, length: Option<u64>) -> bool {
    let same = |a: Option<u64>, b: Option<u64>| a.is_none() || b.is_none() || a == b;
    range.first == from.offset
        && same(range.total, from.total)
        && range.length().is_some()
        && same(length, range.length())
}
