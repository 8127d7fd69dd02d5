//! The commands of `cwmp-agent`: what a person types, what is printed, the exit status.
//!
//! Exit status: 0 done; 1 refused or failed; 2 wrong usage or configuration; 3 (`run
//! --once`) no complete session. This room prints; it decides nothing about CWMP.

mod arguments;
mod check;
mod files;
mod logging;
mod migrate;
mod print;
mod tree;
#[cfg(feature = "try")]
mod try_story;

use crate::agent::control::{Answer, Question, client};
use crate::agent::setup::{Setup, SetupError};
use crate::agent::worker;
use crate::agent::{self, RunOutcome};
use crate::platform::privileges::give_up;
use arguments::{Command, Common};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Done.
const DONE: u8 = 0;
/// Refused or failed.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const USAGE: u8 = 2;
/// `run --once`: no complete session.
const NO_SESSION: u8 = 3;

/// Runs the program with these arguments (without its own name).
pub fn main<I>(args: I) -> ExitCode
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let (common, command) = match arguments::parse(args) {
        Ok(parsed) => parsed,
        Err(usage) => {
            eprintln!("cwmp-agent: {usage}");
            return ExitCode::from(USAGE);
        }
    };
    logging::start(&command, common.verbosity);
    ExitCode::from(dispatch(&common, command))
}

fn dispatch(common: &Common, command: Command) -> u8 {
    match command {
        Command::Run { once } => run(common, once),
        other => at_once(common, other),
    }
}

/// Apart, because what all these need of the stack would lie below the daemon for years.
#[inline(never)]
fn at_once(common: &Common, command: Command) -> u8 {
    match command {
        Command::Run { once } => run(common, once),
        Command::Help(topic) => out(&arguments::help(topic)),
        Command::Version => out(&format!("cwmp-agent {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Get { paths, json } => tree::get(common, paths, json),
        Command::Set { items } => tree::set(common, items),
        Command::Names { path, next_level } => tree::names(common, path, next_level),
        Command::Add { object } => tree::add(common, object),
        Command::Delete { instance } => tree::delete(common, instance),
        Command::Inform { event } => inform(common, event),
        Command::Status { json } => tree::status(common, json),
        Command::Check { paths } => check::check(common, &paths),
        Command::Recover => recover(common),
        Command::Migrate { from, dry, force } => migrate::run(common, from, dry, force),
        Command::Transfer(wish) => files::transfer(common, *wish),
        Command::Confirm { key } => files::ask(common, &Question::Confirm { key }),
        Command::Cancel { key } => files::ask(common, &Question::Cancel { key }),
        Command::RequestDownload {
            file_type,
            arguments,
        } => files::ask(
            common,
            &Question::RequestDownload {
                file_type,
                arguments,
            },
        ),
        Command::Dhcp {
            opt43,
            opt125,
            opt17,
            asked,
        } => {
            let question = Question::Dhcp {
                opt43,
                opt125,
                opt17,
                asked,
            };
            tree::dhcp(common, &question)
        }
        #[cfg(feature = "try")]
        Command::Try => try_story::tell(),
    }
}

/// Prints on stdout; a closed pipe is not worth a word.
fn out(text: &str) -> u8 {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => DONE,
        Err(_) => FAILED,
    }
}

/// Tells a setup error on stderr, a line each, and gives its exit status.
fn setup_failed(error: &SetupError) -> u8 {
    eprintln!("{error}");
    match error {
        SetupError::Configuration(_) => USAGE,
        SetupError::System(_) => FAILED,
    }
}

#[inline(never)]
fn run(common: &Common, once: bool) -> u8 {
    let open = || Setup::open(&common.root, common.config.as_deref());
    // The daemon's thread stays: reading agent.toml must not leave it a deep stack.
    let setup = match worker::apart("start", open).unwrap_or_else(|_| open()) {
        Ok(setup) => setup,
        Err(e) => return setup_failed(&e),
    };
    // Nothing secret was read, and no thread runs yet.
    give_up(setup.config.capabilities(&setup.root));
    let outcome = if once {
        agent::run_once(setup)
    } else {
        agent::run(setup)
    };
    match outcome {
        Ok(RunOutcome::Ended) => DONE,
        Ok(RunOutcome::NoSession) => NO_SESSION,
        Err(e) => setup_failed(&e),
    }
}

fn inform(common: &Common, event: Option<String>) -> u8 {
    let setup = match Setup::open(&common.root, common.config.as_deref()) {
        Ok(setup) => setup,
        Err(e) => return setup_failed(&e),
    };
    let run_dir = match setup.run_path() {
        Ok(dir) => dir,
        Err(e) => return setup_failed(&e),
    };
    match client::ask(&run_dir, &Question::Inform { event }) {
        Ok(Some(Answer::Done)) => DONE,
        Ok(Some(Answer::Failed(what))) => {
            eprintln!("cwmp-agent: {what}");
            FAILED
        }
        Ok(Some(other)) => {
            eprintln!("cwmp-agent: unexpected answer of the daemon: {other:?}");
            FAILED
        }
        Ok(None) => {
            eprintln!("cwmp-agent: no daemon is running; start one with `cwmp-agent run`");
            FAILED
        }
        Err(e) => {
            eprintln!("cwmp-agent: the daemon cannot be asked: {e}");
            FAILED
        }
    }
}

fn recover(common: &Common) -> u8 {
    let setup = match Setup::open(&common.root, common.config.as_deref()) {
        Ok(setup) => setup,
        Err(e) => return setup_failed(&e),
    };
    match agent::recover::recover(&setup) {
        Ok(report) => out(&report),
        Err(e) => setup_failed(&e),
    }
}
