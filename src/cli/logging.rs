//! Log lines on stderr: `cwmp-agent <level>: <text>`, without colours and without the
//! time, which procd and journald add themselves.

use super::arguments::Command;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt::{self, Write as _};
use std::io::Write as _;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries below us log what may hold an address or a header: ours only, unless
        // something is wrong.
        metadata.target().starts_with("cwmp_agent") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                Level::Error => "error",
                Level::Warn => "warning",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            // One write a line, so that lines of threads do not mix.
            let mut line = OneLine::new(level);
            // A value that cannot be shown leaves the rest.
            let _ = line.write_fmt(*record.args());
            let line = line.0 + "\n";
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// A line being written. Texts of an ACS or of a file may hold anything: control characters
/// are escaped, so that none passes for another line or reaches a terminal.
struct OneLine(String);

impl OneLine {
    fn new(level: &str) -> OneLine {
        let mut line = String::with_capacity(120);
        for part in ["cwmp-agent ", level, ": "] {
            line.push_str(part);
        }
        OneLine(line)
    }
}

impl fmt::Write for OneLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

static LOGGER: Stderr = Stderr;

/// Starts logging: the daemon tells what it does (info), other commands only what is
/// wrong; `-v` and `-q` shift that.
pub fn start(command: &Command, verbosity: i8) {
    let base: i8 = match command {
        Command::Run { .. } => 3,
        _ => 2,
    };
    let level = match base.saturating_add(verbosity) {
        ..=0 => LevelFilter::Off,
        1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::OneLine;
    use std::fmt::Write;

    #[test]
    fn what_an_acs_says_stays_on_its_line() {
        let mut line = OneLine::new("info");
        let said = "8001: é\ncwmp-agent info: all is well\u{9b}2J\u{7f}";
        let end = '\r';
        write!(line, "fault {said}{end}").expect("a String takes all");
        assert_eq!(
            line.0,
            "cwmp-agent info: fault 8001: é\\ncwmp-agent info: all is well\\u{9b}2J\\u{7f}\\r"
        );
    }
}
