//! `get`, `set`, `names`, `add`, `delete`, `status`: asked of the daemon while one runs,
//! of the model itself otherwise.

use super::arguments::Common;
use super::{DONE, FAILED, out, print, setup_failed};
use crate::agent::control::{Answer, Question};
use crate::agent::offline;
use crate::agent::setup::Setup;
use crate::agent::status::one_line;

/// Asks, and gives the answer or an exit status when there is none to print.
fn ask(common: &Common, question: &Question) -> Result<Answer, u8> {
    let setup =
        Setup::open(&common.root, common.config.as_deref()).map_err(|e| setup_failed(&e))?;
    offline::ask(&setup, question).map_err(|e| setup_failed(&e))
}

/// Prints what went wrong, or says that an answer is of no known form.
fn failed(answer: Answer) -> u8 {
    match answer {
        Answer::Faults(faults) => {
            for f in faults {
                eprintln!("{}: {} {}", f.path, f.code, f.text);
            }
        }
        Answer::Failed(what) => eprintln!("cwmp-agent: {what}"),
        other => eprintln!("cwmp-agent: unexpected answer of the daemon: {other:?}"),
    }
    FAILED
}

/// `cwmp-agent get`.
pub fn get(common: &Common, paths: Vec<String>, json: bool) -> u8 {
    match ask(common, &Question::Get { paths }) {
        Ok(Answer::Values(values)) if json => out(&print::json(&values)),
        Ok(Answer::Values(values)) => out(&print::lines(&values)),
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent set`.
pub fn set(common: &Common, items: Vec<(String, String)>) -> u8 {
    match ask(common, &Question::Set { items }) {
        Ok(Answer::Done) => DONE,
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent names`.
pub fn names(common: &Common, path: String, next_level: bool) -> u8 {
    match ask(common, &Question::Names { path, next_level }) {
        Ok(Answer::Names(names)) => {
            let mut text = String::new();
            for (path, writable) in names {
                text.push_str(&path);
                text.push_str(if writable { " rw\n" } else { " ro\n" });
            }
            out(&text)
        }
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent add`.
pub fn add(common: &Common, object: String) -> u8 {
    match ask(common, &Question::Add { object }) {
        Ok(Answer::Added(path)) => out(&format!("{path}\n")),
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent delete`.
pub fn delete(common: &Common, instance: String) -> u8 {
    match ask(common, &Question::Delete { instance }) {
        Ok(Answer::Done) => DONE,
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent dhcp`: what was understood, under the names of the options that overrule it.
pub fn dhcp(common: &Common, question: &Question) -> u8 {
    match ask(common, question) {
        Ok(Answer::Learned { said, left_out }) => {
            for what in left_out {
                eprintln!("cwmp-agent: {what}");
            }
            let number = |n: Option<u16>| n.map(|n| n.to_string());
            let parts = [
                ("url", said.url),
                ("provisioning_code", said.provisioning_code),
                ("retry_min_wait_interval", number(said.minimum_wait)),
                ("retry_interval_multiplier", number(said.multiplier)),
            ];
            let lines = parts.into_iter().filter_map(|(name, value)| {
                let value = print::escape(&value?);
                Some(format!("{name}={value}\n"))
            });
            out(&lines.collect::<String>())
        }
        Ok(other) => failed(other),
        Err(status) => status,
    }
}

/// `cwmp-agent status`.
pub fn status(common: &Common, json: bool) -> u8 {
    match ask(common, &Question::Status) {
        Ok(Answer::Status(status)) if json => match serde_json::to_string_pretty(&status) {
            Ok(text) => out(&format!("{text}\n")),
            Err(e) => {
                eprintln!("cwmp-agent: {e}");
                FAILED
            }
        },
        Ok(Answer::Status(status)) => {
            // Texts of an ACS are in it: they must not steer a terminal.
            let lines = status.to_string();
            let lines: Vec<String> = lines.lines().map(one_line).collect();
            out(&format!("{}\n", lines.join("\n")))
        }
        Ok(other) => failed(other),
        Err(status) => status,
    }
}
