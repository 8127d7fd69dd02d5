//! What the commands ask of the model: the same for a running daemon (through the
//! control socket) and without one.

use super::control::{Answer, Kind, Question, Refused, Value};
use crate::model::value::JsonClass;
use crate::model::{Fault, Model, SetError, SetItem};

/// What a question did to the model besides its answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Full paths of the parameters that changed, of the row that came or went.
    pub changed: Vec<String>,
    /// Packages to reload, each once.
    pub reload: Vec<String>,
}

impl Effect {
    /// Whether the tree may be another one.
    pub fn touched(&self) -> bool {
        !self.changed.is_empty() || !self.reload.is_empty()
    }
}

/// Answers a question about the tree. `None` for questions that are none of the model's
/// (`Inform`, `Status`, `Dhcp`, what is about transfers).
pub fn operate(model: &mut Model, question: &Question) -> Option<(Answer, Effect)> {
    model.begin();
    ask(model, question)
}

fn ask(model: &mut Model, question: &Question) -> Option<(Answer, Effect)> {
    Some(match question {
        Question::Get { paths } => (get(model, paths), Effect::default()),
        Question::Names { path, next_level } => {
            (names(model, path, *next_level), Effect::default())
        }
        Question::Set { items } => set(model, items),
        Question::Add { object } => match model.add(object, None) {
            Ok((number, reload)) => {
                let path = format!("{object}{number}.");
                let effect = Effect {
                    changed: vec![path.clone()],
                    reload,
                };
                (Answer::Added(path), effect)
            }
            Err(fault) => (refused(object, &fault), Effect::default()),
        },
        Question::Delete { instance } => match model.delete(instance, None) {
            Ok(reload) => {
                let effect = Effect {
                    changed: vec![instance.clone()],
                    reload,
                };
                (Answer::Done, effect)
            }
            Err(fault) => (refused(instance, &fault), Effect::default()),
        },
        Question::Inform { .. }
        | Question::Status
        | Question::Dhcp { .. }
        | Question::Transfer(_)
        | Question::Progress { .. }
        | Question::Confirm { .. }
        | Question::Cancel { .. }
        | Question::RequestDownload { .. } => return None,
    })
}

fn refused(path: &str, fault: &Fault) -> Answer {
    Answer::Faults(vec![Refused {
        path: path.to_owned(),
        code: fault.code,
        text: without_path(path, &fault.text),
    }])
}

/// A fault's text, which begins with the path for an ACS; a command prints it before the
/// code.
fn without_path(path: &str, text: &str) -> String {
    text.strip_prefix(path)
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(text)
        .to_owned()
}

fn get(model: &mut Model, paths: &[String]) -> Answer {
    let mut values = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match model.get(&[path]) {
            Ok(entries) => values.extend(entries.into_iter().map(|e| Value {
                kind: match e.ty.json_class() {
                    JsonClass::String => Kind::Text,
                    JsonClass::Number => Kind::Number,
                    JsonClass::Boolean => Kind::Boolean,
                },
                path: e.path,
                value: e.value,
            })),
            Err(fault) => faults.push(Refused {
                path: path.clone(),
                code: fault.code,
                text: without_path(path, &fault.text),
            }),
        }
    }
    if faults.is_empty() {
        Answer::Values(values)
    } else {
        Answer::Faults(faults)
    }
}

fn names(model: &mut Model, path: &str, next_level: bool) -> Answer {
    match model.names(path, next_level) {
        Ok(names) => Answer::Names(names.into_iter().map(|n| (n.path, n.writable)).collect()),
        Err(fault) => refused(path, &fault),
    }
}

fn set(model: &mut Model, items: &[(String, String)]) -> (Answer, Effect) {
    let items: Vec<SetItem<'_>> = items
        .iter()
        .map(|(path, value)| SetItem {
            path,
            ty: None,
            value,
        })
        .collect();
    match model.set(&items, None) {
        Ok(outcome) => {
            let effect = Effect {
                changed: outcome.changed,
                reload: outcome.reload,
            };
            (Answer::Done, effect)
        }
        Err(SetError::Whole(fault)) => {
            let path = match items.as_slice() {
                [only] => only.path,
                _ => "(all)",
            };
            (refused(path, &fault), Effect::default())
        }
        Err(SetError::Parameters(faults)) => {
            let faults = faults
                .into_iter()
                .map(|f| Refused {
                    path: f.path,
                    code: f.code,
                    text: f.text,
                })
                .collect();
            (Answer::Faults(faults), Effect::default())
        }
    }
}
