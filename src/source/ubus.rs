//! What other programs say on OpenWrt's message bus: each call made once a request,
//! however many parameters are picked from its answer.
//!
//! Row keys come from what others say: they become one argument, one part of a pointer or
//! the rest of an object's name each, never a wildcard.

use super::{Deadline, Limits, is_row_key, read_only};
use crate::model::binding::{Binding, Rows, UbusArgument, UbusAt, UbusCall, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Said, Source, Trouble};
use crate::ubus::{CallError, Caller, Status};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

/// Answers that are kept for the rest of a request; of more, the oldest are asked for
/// again when they are needed.
const KEPT: usize = 32;

/// Serves [`Binding::Ubus`] and [`Rows::Ubus`]; read-only.
///
/// An object that is not on the bus, or that says "not found", has no value and no rows.
/// Where ubusd itself is absent, or a call fails otherwise, there is trouble.
pub struct UbusSource {
    socket: Option<PathBuf>,
    limits: Limits,
    deadline: Deadline,
    /// The connection, for as long as the request lasts.
    caller: Option<Caller>,
    /// What was called in this request, and what came of it, oldest first.
    called: VecDeque<(Call, Result<Option<Answer>, Trouble>)>,
}

type Answer = Map<String, Value>;

/// A call with its placeholders filled in.
#[derive(PartialEq, Eq)]
struct Call {
    object: String,
    method: String,
    arguments: Answer,
}

impl UbusSource {
    /// Asks the ubusd at this socket, root included; `None`: there is none to be asked.
    pub fn at(socket: Option<PathBuf>, limits: Limits) -> UbusSource {
        UbusSource {
            socket,
            limits,
            deadline: Deadline::after(limits.request_deadline),
            caller: None,
            called: VecDeque::new(),
        }
    }

    /// The answer to a call; `None` where the object is not there.
    fn answer(&mut self, call: &UbusCall, rows: &[String]) -> Result<Option<&Answer>, Trouble> {
        let call = filled(call, rows)?;
        let known = self.called.iter().position(|(known, _)| *known == call);
        let at = known.unwrap_or_else(|| {
            let answer = self.call(&call);
            if self.called.len() >= KEPT {
                self.called.pop_front();
            }
            self.called.push_back((call, answer));
            self.called.len() - 1
        });
        match self.called.get(at) {
            Some((_, Ok(answer))) => Ok(answer.as_ref()),
            Some((_, Err(trouble))) => Err(trouble.clone()),
            None => Ok(None),
        }
    }

    fn call(&mut self, call: &Call) -> Result<Option<Answer>, Trouble> {
        let name = || format!("ubus {} {}", call.object, call.method);
        let trouble = |what: String| Trouble {
            source: name(),
            what,
        };
        let left = self.deadline.left_for(name)?;
        let absent = || trouble(CallError::Absent.to_string());
        let socket = self.socket.as_deref().ok_or_else(absent)?;
        let caller = self.caller.get_or_insert_with(|| Caller::new(socket));
        let deadline = Instant::now() + left.min(self.limits.command_timeout);
        match caller.call(&call.object, &call.method, &call.arguments, deadline) {
            // One that only acts answers nothing.
            Ok(answers) => Ok(Some(answers.into_iter().next().unwrap_or_default())),
            Err(CallError::Refused(Status::NotFound)) => Ok(None),
            Err(CallError::Absent) => Err(absent()),
            Err(CallError::Refused(status)) => Err(trouble(status.to_string())),
            Err(e) => {
                // What still comes by this connection is of no use to the next call.
                self.caller = None;
                Err(trouble(e.to_string()))
            }
        }
    }

    fn found(&mut self, at: &UbusAt, rows: &[String]) -> Result<Option<Said<'_>>, Trouble> {
        let answer = self.answer(&at.call, rows)?;
        let value = answer.and_then(|answer| point(answer, &at.pointer, rows));
        Ok(value.and_then(said))
    }
}

impl Source for UbusSource {
    fn begin(&mut self) {
        self.called.clear();
        self.deadline = Deadline::after(self.limits.request_deadline);
    }

    fn rest(&mut self) {
        self.called = VecDeque::new();
        self.caller = None;
    }

    fn rows(&mut self, rows: &Rows, parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Ubus(at) = rows else {
            return Ok(Vec::new());
        };
        let limit = self.limits.rows;
        let Some(answer) = self.answer(&at.call, parents)? else {
            return Ok(Vec::new());
        };
        let key = |item: &Value| match &at.key {
            Some(key) => item.get(&**key).and_then(text),
            None => text(item),
        };
        let of_table = |table: &Answer| -> Vec<Option<String>> {
            let keys = table.iter().map(|(name, item)| match &at.key {
                Some(_) => key(item),
                None => Some(name.clone()),
            });
            keys.collect()
        };
        let keys = match at.pointer.is_empty() {
            true => of_table(answer),
            false => match point(answer, &at.pointer, parents) {
                Some(Value::Array(items)) => items.iter().map(key).collect(),
                Some(Value::Object(table)) => of_table(table),
                _ => Vec::new(),
            },
        };
        let mut seen = BTreeSet::new();
        let keys = keys.into_iter().flatten();
        let keys = keys.filter(|key| is_row_key(key) && seen.insert(key.clone()));
        let row = |key| Row {
            key,
            prints: Vec::new(),
        };
        Ok(keys.take(limit).map(row).collect())
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        match ask.binding {
            Binding::Ubus(at) => self.found(at, ask.rows),
            _ => Ok(None),
        }
    }

    fn stage(&mut self, _at: Ask<'_>, _value: Option<Raw>) -> Result<(), Refusal> {
        Err(read_only("ubus", "what ubus answers"))
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("ubus", "tables"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("ubus", "tables"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }

    fn finish(&mut self, _committed: bool) {}
}

/// Puts row keys into a call. In an object's name they must be such as no other object is
/// meant.
fn filled(call: &UbusCall, rows: &[String]) -> Result<Call, Trouble> {
    let bad = |key: &&String| !is_row_key(key) || key.contains('*');
    if call.object.contains("{row")
        && let Some(bad) = rows.iter().find(bad)
    {
        return Err(Trouble {
            source: format!("ubus {}", call.object),
            what: format!("the row {} cannot name an object", bad.escape_debug()),
        });
    }
    let argument = |value: &UbusArgument| match value {
        UbusArgument::Text(text) => Value::String(expand(text, rows).into_owned()),
        UbusArgument::Number(n) => Value::from(*n),
        UbusArgument::Flag(flag) => Value::from(*flag),
    };
    let arguments = call.arguments.iter();
    Ok(Call {
        object: expand(&call.object, rows).into_owned(),
        method: call.method.as_ref().to_owned(),
        arguments: arguments
            .map(|(name, value)| (name.as_ref().to_owned(), argument(value)))
            .collect(),
    })
}

/// What a pointer (see [`UbusAt::pointer`]) points to.
fn point<'a>(answer: &'a Answer, pointer: &str, rows: &[String]) -> Option<&'a Value> {
    let mut parts = pointer.strip_prefix('/')?.split('/');
    let first = plain(parts.next()?);
    let mut value = answer.get(&*expand(&first, rows))?;
    for part in parts {
        let part = plain(part);
        value = match (value, selection(&part)) {
            (Value::Array(items), Some((name, wanted))) => {
                let wanted = expand(wanted, rows);
                let says =
                    |item: &&Value| item.get(name).and_then(text).is_some_and(|t| t == wanted);
                items.iter().find(says)?
            }
            (Value::Array(items), None) => items.get(part.parse::<usize>().ok()?)?,
            (Value::Object(table), _) => table.get(&*expand(&part, rows))?,
            _ => return None,
        };
    }
    Some(value)
}

/// `~1` and `~0` as what they stand for. Row keys are put in afterwards and stand as they
/// are.
fn plain(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// `[name=text]`
fn selection(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

/// A single value as a text. Booleans as OpenWrt writes them.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        Value::Number(n) => Some(n.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value, or a list of such; a table is none.
fn said(value: &Value) -> Option<Said<'_>> {
    match value {
        Value::String(text) => Some(Said::Text(text.into())),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(text).collect();
            Some(Said::List(items.into()))
        }
        single => text(single).map(|text| Said::Text(text.into())),
    }
}
