//! What programs print: run without a shell, once for each distinct argv in a request.
//!
//! Row keys come from files that others write (a host name in a lease): they become one
//! argument each, never an option, never a path's part.

use super::pick::pick;
use super::{Deadline, Limits, read_only};
use crate::model::binding::{Binding, CommandAt, Rows, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Source, Trouble};
use crate::process::{self, Output, Program};
use crate::store::Root;
use std::collections::BTreeMap;

/// Serves [`Binding::Command`]; read-only.
pub struct CommandSource {
    root: Root,
    limits: Limits,
    deadline: Deadline,
    /// What was run in this request, and what came of it.
    ran: BTreeMap<Vec<String>, Result<String, Trouble>>,
}

impl CommandSource {
    /// Programs run with `CWMP_ROOT` set to this root.
    pub fn new(root: Root, limits: Limits) -> CommandSource {
        CommandSource {
            root,
            limits,
            deadline: Deadline::after(limits.request_deadline),
            ran: BTreeMap::new(),
        }
    }

    fn value(&mut self, at: &CommandAt, rows: &[String]) -> Result<Option<Raw>, Trouble> {
        let argv = arguments(&at.argv, rows)?;
        if !self.ran.contains_key(&argv) {
            let result = self.run(&argv);
            self.ran.insert(argv.clone(), result);
        }
        match self.ran.get(&argv) {
            Some(Ok(text)) => Ok(pick(text, &at.pick, rows.last().map(String::as_str))
                .map(|value| Raw::Text(value.to_owned()))),
            Some(Err(trouble)) => Err(trouble.clone()),
            None => Ok(None),
        }
    }

    fn run(&self, argv: &[String]) -> Result<String, Trouble> {
        let source = source_name(argv);
        let left = self.deadline.left(&source)?;
        let root = self.root.dir().to_string_lossy();
        let output = process::run(&Program {
            argv,
            env: &[("CWMP_ROOT", &*root)],
            timeout: left.min(self.limits.command_timeout),
            output: Output::Take {
                cap: self.limits.command_output,
            },
        })
        .map_err(|e| Trouble {
            source,
            what: e.to_string(),
        })?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

impl Source for CommandSource {
    fn begin(&mut self) {
        self.ran.clear();
        self.deadline = Deadline::after(self.limits.request_deadline);
    }

    fn rows(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Vec<Row>, Trouble> {
        Ok(Vec::new())
    }

    fn read(&mut self, asks: &[Ask<'_>]) -> Vec<Result<Option<Raw>, Trouble>> {
        asks.iter()
            .map(|ask| match ask.binding {
                Binding::Command(at) => self.value(at, ask.rows),
                _ => Ok(None),
            })
            .collect()
    }

    fn stage(&mut self, _at: Ask<'_>, _value: Option<Raw>) -> Result<(), Refusal> {
        Err(read_only("command", "what a program prints"))
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("command", "tables"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("command", "tables"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }

    fn finish(&mut self, _committed: bool) {}
}

/// Puts row keys into the arguments (never into the program's name).
fn arguments(argv: &[String], rows: &[String]) -> Result<Vec<String>, Trouble> {
    let refuse = |what: String| Trouble {
        source: source_name(argv),
        what,
    };
    let mut out = Vec::with_capacity(argv.len());
    for (i, part) in argv.iter().enumerate() {
        if i == 0 || !part.contains("{row") {
            out.push(part.clone());
            continue;
        }
        if let Some(bad) = rows.iter().find(|key| key.chars().any(char::is_control)) {
            return Err(refuse(format!(
                "the row {} cannot be an argument",
                bad.escape_debug()
            )));
        }
        let argument = expand(part, rows);
        if argument.starts_with('-') && !part.starts_with('-') {
            return Err(refuse(format!(
                "the row {} would be taken for an option",
                argument.escape_debug()
            )));
        }
        out.push(argument.into_owned());
    }
    Ok(out)
}

fn source_name(argv: &[String]) -> String {
    format!("command {}", argv.first().map_or("", String::as_str))
}
