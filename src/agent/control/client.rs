//! The commands' side of the control socket.

use super::{Answer, MAX_ANSWER, Question, line, socket_path};
use crate::notation::json;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer than the daemon may take for its sources, its disk and a reload.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether a daemon listens in `run_dir`.
pub fn somebody_listens(run_dir: &Path) -> bool {
    socket_path(run_dir).is_ok_and(|s| UnixStream::connect(&s.path).is_ok())
}

/// Asks the daemon that listens in `run_dir`. `Ok(None)`: nobody listens there.
pub fn ask(run_dir: &Path, question: &Question) -> io::Result<Option<Answer>> {
    let stream = match socket_path(run_dir).and_then(|s| UnixStream::connect(&s.path)) {
        Ok(stream) => stream,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    (&stream).write_all(&line(question))?;
    let mut text = Vec::new();
    (&stream).take(MAX_ANSWER).read_to_end(&mut text)?;
    if text.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the daemon closed the connection without an answer",
        ));
    }
    json::read(&text)
        .map(Some)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}
