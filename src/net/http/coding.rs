//! Content codings of a body (RFC 9110 section 8.4): gzip and deflate, both ways.
//!
//! Decoding is bounded whatever the bytes promise: a few kilobytes can say that they are
//! gigabytes.

use std::io::Read;
use std::str::FromStr;

use flate2::Compression;

use crate::notation::deflate::{Deflate, Form, Inflate};

/// A coding that POSTs may have (`ManagementServer.HTTPCompression`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, as HTTP has it.
    Deflate,
}

impl FromStr for Coding {
    type Err = ();

    /// `GZIP` or `Deflate`, in any case.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            _ if text.eq_ignore_ascii_case("gzip") => Ok(Coding::Gzip),
            _ if text.eq_ignore_ascii_case("deflate") => Ok(Coding::Deflate),
            _ => Err(()),
        }
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodingError {
    /// The ACS used a coding that we do not know.
    Unknown(String),
    /// The body is not what its coding says.
    Broken(String),
    /// It is larger than allowed, in bytes.
    TooLarge(usize),
}

impl Coding {
    /// The name for `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }

    /// The body in this coding, made quickly rather than small: SOAP shrinks to a tenth anyway.
    pub(super) fn encode(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(body.len() / 8);
        let form = match self {
            Coding::Gzip => Form::Gzip,
            Coding::Deflate => Form::Zlib,
        };
        let mut deflate = Deflate::new(&mut out, form, Compression::fast())?;
        deflate.add(body)?;
        deflate.finish()?;
        Ok(out)
    }
}

/// Undoes the coding that `Content-Encoding` names; a body without one comes back as it is.
pub(super) fn decode(named: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, CodingError> {
    let name = named.trim();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if name.is_empty() || is("identity") || body.is_empty() {
        return Ok(body);
    }
    if is("gzip") || is("x-gzip") {
        return all(&body, Form::Gzip, limit);
    }
    if is("deflate") {
        // Some send the bare stream of RFC 1951 under this name; a zlib header has a checksum.
        let zlib = match body.as_slice() {
            [first, second, ..] => {
                first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0
            }
            _ => false,
        };
        return match zlib {
            true => all(&body, Form::Zlib, limit),
            false => all(&body, Form::Bare, limit),
        };
    }
    let shown: String = name.chars().take(32).collect();
    Err(CodingError::Unknown(shown))
}

fn all(body: &[u8], form: Form, limit: usize) -> Result<Vec<u8>, CodingError> {
    let mut out = Vec::new();
    Inflate::new(body, form)
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|e| CodingError::Broken(e.to_string()))?;
    if out.len() > limit {
        return Err(CodingError::TooLarge(limit));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"<cwmp:Inform>the same, the same, the same</cwmp:Inform>";

    #[test]
    fn what_is_encoded_is_decoded_and_a_foreign_gzip_is_read() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let encoded = coding.encode(TEXT).expect("encoded");
            assert_eq!(decode(coding.name(), encoded, 1000).as_deref(), Ok(TEXT));
        }
        // By another program: `printf hello | gzip -n`, and zlib's of the same.
        let gzip = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6,
            0x10, 0x36, 5, 0, 0, 0,
        ];
        let zlib = [
            0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 6, 0x2c, 2, 0x15,
        ];
        let hello = Ok(&b"hello"[..]);
        for name in ["gzip", "x-gzip", " GZIP "] {
            assert_eq!(decode(name, gzip.to_vec(), 5).as_deref(), hello);
        }
        assert_eq!(decode("deflate", zlib.to_vec(), 5).as_deref(), hello);
        let bare = zlib[2..9].to_vec();
        assert_eq!(decode("deflate", bare, 5).as_deref(), hello);
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = Coding::Gzip.encode(&vec![0; 10_000_000]).expect("encoded");
        assert!(bomb.len() < 100_000);
        let decoded = decode("gzip", bomb, 1 << 20);
        assert_eq!(decoded, Err(CodingError::TooLarge(1 << 20)));
        let exact = Coding::Deflate.encode(&[7; 1000]).expect("encoded");
        assert_eq!(
            decode("deflate", exact.clone(), 1000).map(|b| b.len()),
            Ok(1000)
        );
        assert_eq!(
            decode("deflate", exact, 999),
            Err(CodingError::TooLarge(999))
        );
    }

    #[test]
    fn what_is_no_coding_is_an_error_and_none_at_all_is_none() {
        for name in ["", "identity", "Identity"] {
            assert_eq!(decode(name, TEXT.to_vec(), 1).as_deref(), Ok(TEXT));
        }
        assert_eq!(decode("br", Vec::new(), 1), Ok(Vec::new()));
        for name in ["br", "compress", "gzip, gzip"] {
            let unknown = CodingError::Unknown(name.to_owned());
            assert_eq!(decode(name, TEXT.to_vec(), 1000), Err(unknown));
        }
        let good = Coding::Gzip.encode(TEXT).expect("encoded");
        for end in 1..good.len() {
            let cut = decode("gzip", good[..end].to_vec(), 1000);
            assert!(matches!(cut, Err(CodingError::Broken(_))), "{end}: {cut:?}");
        }
        for name in ["gzip", "deflate"] {
            let broken = decode(name, TEXT.to_vec(), 1000);
            assert!(matches!(broken, Err(CodingError::Broken(_))), "{name}");
        }
    }
}
