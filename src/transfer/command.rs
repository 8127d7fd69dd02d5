//! The programs that agent.toml names for a file: argv with `{file}` in it, and what they
//! say when they fail.

use crate::process::{self, Output, Program, RunError};
use crate::store::Root;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Stands for the file's path in an argument.
const FILE: &str = "{file}";
/// How much of the end of what a program says is kept, bytes.
const TAIL: usize = 1024;
/// The most characters of it that are told to the ACS.
const TOLD: usize = 120;

/// Why a program did not do what it was to do.
pub(super) struct Failed {
    pub error: RunError,
    /// The last line it wrote to standard error, made printable; empty: none.
    said: String,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.said.as_str() {
            "" => write!(f, "{}", self.error),
            said => write!(f, "{}: {said}", self.error),
        }
    }
}

/// Whether an argument names the file.
pub(super) fn names_file(argv: &[String]) -> bool {
    argv.iter().skip(1).any(|a| a.contains(FILE))
}

fn arguments(argv: &[String], file: &Path) -> Result<Vec<String>, RunError> {
    let path = file.to_str();
    let path = path.ok_or_else(|| RunError::Argv("the file's path is no UTF-8".to_owned()))?;
    let mut out = argv.to_vec();
    for argument in out.iter_mut().skip(1) {
        *argument = argument.replace(FILE, path);
    }
    Ok(out)
}

/// Runs a program for a file; its standard output is dropped.
pub(super) fn run(
    argv: &[String],
    file: &Path,
    root: &Root,
    timeout: Duration,
) -> Result<(), Failed> {
    let mut tail: Vec<u8> = Vec::new();
    let ended = with(argv, file, root, timeout, Output::Errors, &mut |piece| {
        tail.extend_from_slice(piece);
        let over = tail.len().saturating_sub(TAIL);
        tail.drain(..over);
        Ok(())
    });
    ended.map_err(|error| Failed {
        error,
        said: last_line(&tail),
    })
}

/// Runs a program whose standard output is the file: handed over piece by piece, at most
/// `cap` bytes.
pub(super) fn print(
    argv: &[String],
    file: &Path,
    root: &Root,
    timeout: Duration,
    cap: usize,
    taker: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failed> {
    let ended = with(argv, file, root, timeout, Output::Take { cap }, taker);
    ended.map_err(|error| Failed {
        error,
        said: String::new(),
    })
}

fn with(
    argv: &[String],
    file: &Path,
    root: &Root,
    timeout: Duration,
    output: Output,
    taker: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), RunError> {
    let argv = arguments(argv, file)?;
    let root = root.dir().to_string_lossy();
    let program = Program {
        argv: &argv,
        env: &[("CWMP_ROOT", &*root)],
        timeout,
        output,
    };
    process::run_handing(&program, taker)
}

/// The last line with anything in it, for a fault's text.
fn last_line(tail: &[u8]) -> String {
    let mut lines = tail.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.rfind(|line| !line.is_empty());
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let shown = line.chars().take(TOLD);
    shown
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_failure_is_short_and_printable() {
        assert_eq!(
            last_line(b"first\nImage check failed.\n\n"),
            "Image check failed."
        );
        assert_eq!(last_line(b"\x1b[31mred\xff\n"), "?[31mred\u{FFFD}");
        assert_eq!(last_line(&[b'a'; 500]).len(), TOLD);
        assert_eq!(last_line(b""), "");
    }
}
