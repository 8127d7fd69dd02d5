//! `download`, `upload`, `confirm`, `cancel`, `request-download`: asked of the daemon while one
//! runs; without one a transfer is carried out here.

use super::arguments::{Common, Transfer as Wanted};
use super::{DONE, FAILED, USAGE, out, setup_failed};
use crate::agent::control::{Answer, Question, client};
use crate::agent::offline::{self, Reached};
use crate::agent::setup::Setup;
use crate::agent::status::{self, Transfer};
use crate::agent::transfers::local::Wish;
use crate::agent::world::World;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

/// How often it is asked how far a transfer is.
const LOOK: Duration = Duration::from_millis(200);
/// How often a daemon may fail to answer that.
const PATIENCE: u32 = 25;
/// The longest password file that is read, bytes.
const MAX_PASSWORD: u64 = 4096;
/// Columns of the bar.
const BAR: u32 = 32;

/// `cwmp-agent confirm` and what else has no answer but that it is done.
pub fn ask(common: &Common, question: &Question) -> u8 {
    let asked = Setup::open(&common.root, common.config.as_deref())
        .and_then(|setup| offline::ask(&setup, question));
    match asked {
        Ok(Answer::Done) => DONE,
        Ok(other) => failed(&other),
        Err(e) => setup_failed(&e),
    }
}

fn failed(answer: &Answer) -> u8 {
    match answer {
        Answer::Failed(what) => eprintln!("cwmp-agent: {what}"),
        other => eprintln!("cwmp-agent: unexpected answer of the daemon: {other:?}"),
    }
    FAILED
}

/// `cwmp-agent download` and `upload`.
pub fn transfer(common: &Common, wanted: Wanted) -> u8 {
    let password = match wanted.password_file.as_deref().map(password) {
        None => String::new(),
        Some(Ok(password)) => password,
        Some(Err(what)) => {
            eprintln!("cwmp-agent: {what}");
            return USAGE;
        }
    };
    let wish = Wish {
        upload: wanted.upload,
        url: wanted.url,
        file_type: wanted.file_type,
        username: wanted.username,
        password,
        target: wanted.target,
    };
    let question = Question::Transfer(Box::new(wish));
    let reached = Setup::open(&common.root, common.config.as_deref())
        .and_then(|setup| Ok((offline::reach(&setup, &question)?, setup)));
    match reached {
        Ok((Reached::Answered(answer), setup)) => match answer {
            Answer::Transfer(transfer) if wanted.wait => wait(&setup, *transfer),
            Answer::Transfer(transfer) => out(&format!("{transfer}\n")),
            other => failed(&other),
        },
        Ok((Reached::Alone(world), _)) => here(&world, &question),
        Err(e) => setup_failed(&e),
    }
}

/// The first line of a file.
fn password(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_PASSWORD).read_to_string(&mut text))
        .map_err(|e| format!("--password-file {}: {e}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Follows a transfer of the daemon's to its end.
fn wait(setup: &Setup, first: Transfer) -> u8 {
    let run_dir = match setup.run_path() {
        Ok(dir) => dir,
        Err(e) => return setup_failed(&e),
    };
    let question = Question::Progress { id: first.id };
    let mut shown = Shown::new();
    let mut transfer = first;
    let mut silent = 0;
    loop {
        shown.show(&transfer);
        if let Some(status) = end_of(&transfer) {
            return status;
        }
        std::thread::sleep(LOOK);
        match client::ask(&run_dir, &question) {
            Ok(Some(Answer::Transfer(next))) => {
                transfer = *next;
                silent = 0;
            }
            // It goes on at the next start of the daemon.
            Ok(None) | Err(_) if silent < PATIENCE => silent += 1,
            Ok(Some(other)) => return failed(&other),
            Ok(None) | Err(_) => {
                eprintln!("cwmp-agent: the daemon has ended; its next start goes on");
                return FAILED;
            }
        }
    }
}

/// Carries it out in this process.
fn here(world: &World, question: &Question) -> u8 {
    let mut shown = Shown::new();
    let answer = std::thread::scope(|scope| {
        let thread = scope.spawn(|| offline::answer(world, question));
        while !thread.is_finished() {
            if let Some(transfer) = status::transfers(world).iter().find(|t| t.local) {
                shown.show(transfer);
            }
            std::thread::sleep(LOOK);
        }
        thread.join()
    });
    match answer {
        Ok(Answer::Transfer(transfer)) => {
            shown.show(&transfer);
            end_of(&transfer).unwrap_or(FAILED)
        }
        Ok(other) => failed(&other),
        Err(_) => FAILED,
    }
}

/// The exit status, once it has ended.
fn end_of(transfer: &Transfer) -> Option<u8> {
    match (transfer.stage.as_str(), &transfer.fault) {
        ("completed", None) | ("rebooting", _) => Some(DONE),
        ("completed", Some((code, text))) => {
            eprintln!("cwmp-agent: fault {code} {text}");
            Some(FAILED)
        }
        _ => None,
    }
}

/// How far it is, on standard error: a bar on a terminal, else a line for each stage and each
/// tenth.
struct Shown {
    bar: bool,
    last: String,
}

impl Shown {
    fn new() -> Shown {
        Shown {
            bar: std::io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    fn show(&mut self, transfer: &Transfer) {
        if transfer.stage == "completed" && transfer.fault.is_some() {
            // Its fault is what is told, on a line of its own.
            if self.bar && !self.last.is_empty() {
                eprintln!();
            }
            self.last.clear();
            return;
        }
        let line = match self.bar {
            true => bar(transfer),
            false => plain(transfer),
        };
        if line == self.last {
            return;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = match self.bar {
            true => write!(stderr, "\r{line}\x1b[K"),
            false => writeln!(stderr, "{line}"),
        };
        if self.bar && matches!(transfer.stage.as_str(), "completed" | "rebooting") {
            let _ = writeln!(stderr);
        }
        self.last = line;
    }
}

fn tenths(transfer: &Transfer, of: u32) -> u32 {
    match transfer.total {
        0 => 0,
        total => {
            let done = u64::from(transfer.done.min(total)) * u64::from(of);
            u32::try_from(done / u64::from(total)).unwrap_or(of)
        }
    }
}

fn plain(transfer: &Transfer) -> String {
    match (transfer.stage.as_str(), transfer.total) {
        (stage @ ("fetching" | "sending"), total) if total > 0 => {
            format!("{stage}: {} % of {total} bytes", tenths(transfer, 10) * 10)
        }
        (stage, _) => stage.to_owned(),
    }
}

fn bar(transfer: &Transfer) -> String {
    let stage = &transfer.stage;
    if !matches!(stage.as_str(), "fetching" | "sending") {
        return stage.clone();
    }
    if transfer.total == 0 {
        return format!("{stage}: {} KiB", transfer.done / 1024);
    }
    let full = tenths(transfer, BAR);
    let bar: String = (0..BAR).map(|i| if i < full { '#' } else { ' ' }).collect();
    format!(
        "[{bar}] {:3} % of {} KiB",
        tenths(transfer, 100),
        transfer.total / 1024
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(stage: &str, done: u32, total: u32) -> Transfer {
        Transfer {
            stage: stage.to_owned(),
            done,
            total,
            ..Transfer::default()
        }
    }

    #[test]
    fn lines_change_with_each_stage_and_each_tenth() {
        let line = |stage, done, total| plain(&transfer(stage, done, total));
        assert_eq!(line("waiting", 0, 0), "waiting");
        assert_eq!(line("fetching", 5, 0), line("fetching", 500, 0));
        assert_eq!(line("fetching", 100, 1000), line("fetching", 199, 1000));
        assert_ne!(line("fetching", 199, 1000), line("fetching", 200, 1000));
        assert_eq!(line("sending", 5, 10), "sending: 50 % of 10 bytes");
        let large = line("fetching", u32::MAX, u32::MAX);
        assert_eq!(large, "fetching: 100 % of 4294967295 bytes");
    }

    #[test]
    fn a_bar_has_always_the_same_width_and_never_more_than_all() {
        let line = |done| bar(&transfer("fetching", done, 2048));
        assert!(line(0).starts_with("[ ") && line(0).contains("]   0 % of 2 KiB"));
        assert!(line(1024).contains("#] ") || line(1024).contains("# "));
        assert_eq!(line(2048), line(9999));
        assert_eq!(line(0).len(), line(2048).len());
    }

    #[test]
    fn the_exit_status_is_that_of_its_end() {
        let mut ended = transfer("completed", 0, 0);
        assert_eq!(end_of(&ended), Some(DONE));
        ended.fault = Some((9016, "no such file".to_owned()));
        assert_eq!(end_of(&ended), Some(FAILED));
        assert_eq!(end_of(&transfer("applying", 0, 0)), None);
        assert_eq!(end_of(&transfer("rebooting", 0, 0)), Some(DONE));
    }
}
