//! Content codings of requests and replies.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::record::HttpRequest;

/// The largest body, octets.
const MOST: u64 = 64 << 20;

/// The request as it would be without its Content-Encoding. Errors: what is wrong with it.
pub(super) fn decoded(request: &HttpRequest) -> Result<HttpRequest, String> {
    let Some(name) = request.header("Content-Encoding") else {
        return Ok(request.clone());
    };
    let mut body = Vec::new();
    let read = match name {
        "gzip" => GzDecoder::new(request.body.as_slice())
            .take(MOST)
            .read_to_end(&mut body),
        "deflate" => ZlibDecoder::new(request.body.as_slice())
            .take(MOST)
            .read_to_end(&mut body),
        other => return Err(format!("Content-Encoding `{other}`")),
    };
    read.map_err(|e| format!("a body that is no {name}: {e}"))?;
    Ok(HttpRequest {
        body,
        ..request.clone()
    })
}

/// A body in a coding; `raw deflate` is the stream without zlib's header, under the name
/// `deflate`. Gives the name, too.
pub(super) fn encoded(name: &'static str, body: &[u8]) -> io::Result<(&'static str, Vec<u8>)> {
    let level = Compression::best();
    Ok(match name {
        "gzip" | "x-gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            (name, encoder.finish()?)
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            (name, encoder.finish()?)
        }
        "raw deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            ("deflate", encoder.finish()?)
        }
        other => (other, body.to_vec()),
    })
}
