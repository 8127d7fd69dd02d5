//! Staging values: which option of which section must say what, so that it means the value.

use super::draft::{self, Change};
use super::{UciSource, servers, shape, trouble, view};
use crate::model::binding::{UciAt, expand};
use crate::model::source::{Raw, Refusal};
use crate::uci::valid_name;

impl UciSource {
    pub(super) fn stage_value(
        &mut self,
        at: &UciAt,
        rows: &[String],
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        if let Some(name) = at.codec.as_deref().filter(|name| servers::is_server(name)) {
            return self.stage_server(name, rows, value);
        }
        let reference = expand(&at.section, rows);
        let option = expand(&at.option, rows).into_owned();
        let found = {
            let content = self.content(&at.package).map_err(Refusal::Trouble)?;
            content
                .find(&reference)
                .and_then(|i| content.keys.get(i).cloned())
        };
        let key = match (found, &at.create) {
            (Some(key), _) => key,
            (None, _) if value.is_none() => return Ok(()),
            (None, Some(kind)) => {
                let name = if valid_name(&reference) {
                    reference.to_string()
                } else {
                    self.free_name(&at.package, kind)
                        .map_err(Refusal::Trouble)?
                };
                let section = Change::Section {
                    kind: kind.as_ref().to_owned(),
                    name: name.clone(),
                };
                self.make(&at.package, section)?;
                if let Some((_, option, value)) = draft::by_value(&reference) {
                    // It is found again by what it was looked for.
                    let change = Change::Text {
                        key: name.clone(),
                        option: option.to_owned(),
                        text: value.to_owned(),
                    };
                    self.make(&at.package, change)?;
                }
                name
            }
            (None, None) => {
                return Err(Refusal::Trouble(trouble(
                    &at.package,
                    format!(
                        "there is no section {reference}; add it to the file, or `create = \"type\"` to the data model"
                    ),
                )));
            }
        };
        if let Some(name) = &at.codec {
            return match view::is_view(name) {
                true => self.stage_view(at, name, rows, key, value),
                false => self.stage_coded(at, name, &key, &option, rows, value),
            };
        }
        let value = self.shaped(at, &key, &option, value)?;
        for other in at.clears() {
            let gone = Change::Text {
                key: key.clone(),
                option: expand(other, rows).into_owned(),
                text: String::new(),
            };
            self.make(&at.package, gone)?;
        }
        self.make(&at.package, change(at, key, option, value)?)
    }

    /// Stages the options that make a view show this value.
    fn stage_view(
        &mut self,
        at: &UciAt,
        name: &str,
        rows: &[String],
        key: String,
        value: Option<Raw>,
    ) -> Result<(), Refusal> {
        let text = match value {
            None => String::new(),
            Some(Raw::Text(text)) => text,
            Some(Raw::List(items)) => items.join(","),
        };
        let content = self.content(&at.package).map_err(Refusal::Trouble)?;
        let index = content.by_key(&key);
        let Some(section) = index.and_then(|i| content.package.sections().get(i)) else {
            let what = format!("there is no section {key}");
            return Err(Refusal::Trouble(trouble(&at.package, what)));
        };
        let options = view::write(name, section, &text)
            .map_err(|what| Refusal::Value(format!("the value {what}")))?;
        let said = options
            .into_iter()
            .map(|(option, text)| (option.to_owned(), text));
        let gone = at
            .clears()
            .iter()
            .map(|o| (expand(o, rows).into_owned(), String::new()));
        for (option, text) in gone.chain(said) {
            let change = Change::Text {
                key: key.clone(),
                option,
                text,
            };
            self.make(&at.package, change)?;
        }
        Ok(())
    }

    /// What the option must say so that it means this value: see [`UciAt::part`] and
    /// [`UciAt::through`].
    fn shaped(
        &mut self,
        at: &UciAt,
        key: &str,
        option: &str,
        value: Option<Raw>,
    ) -> Result<Option<Raw>, Refusal> {
        if at.part().is_none() && at.through().is_none() {
            return Ok(value);
        }
        let text = match &value {
            None => "",
            Some(Raw::Text(text)) => text,
            Some(Raw::List(_)) => {
                return Err(Refusal::Value("one text is kept here, no list".to_owned()));
            }
        };
        let content = self.content(&at.package).map_err(Refusal::Trouble)?;
        let package = &content.package;
        let new = match (at.part(), at.through()) {
            (Some(part), _) => {
                let index = content.by_key(key);
                let section = index.and_then(|i| package.sections().get(i));
                let now = section.and_then(|s| s.get(option)?.items().first());
                shape::with_part(now.map_or("", String::as_str), part, text)
            }
            (_, Some(_)) if text.is_empty() => String::new(),
            (_, Some(through)) => match shape::back(package, through, text) {
                Some(named) => named.to_owned(),
                None => {
                    let kind = &through.section_type;
                    return Err(Refusal::Value(
                        match shape::behind(package, through, text) {
                            Some((named, first)) => format!(
                                "{text} is in the {kind} {named} with others; set the first of them, {first}, which stands for the {kind}"
                            ),
                            None => {
                                format!("no {kind} of {} has this {}", at.package, through.value)
                            }
                        },
                    ));
                }
            },
            (None, None) => text.to_owned(),
        };
        Ok(Some(Raw::Text(new)))
    }
}

/// What a value means for an option.
fn change(at: &UciAt, key: String, option: String, value: Option<Raw>) -> Result<Change, Refusal> {
    if let Some(n) = at.item {
        let text = match value {
            None => String::new(),
            Some(Raw::Text(text)) => text,
            Some(Raw::List(_)) => {
                return Err(Refusal::Value(
                    "one item of a list holds one text".to_owned(),
                ));
            }
        };
        return Ok(Change::Item {
            key,
            option,
            n,
            text,
        });
    }
    Ok(match value {
        None => Change::Text {
            key,
            option,
            text: String::new(),
        },
        Some(Raw::Text(text)) => Change::Text { key, option, text },
        Some(Raw::List(items)) if at.words => {
            let unfit = |i: &String| i.is_empty() || i.contains(char::is_whitespace);
            if items.iter().any(unfit) {
                return Err(Refusal::Value(
                    "an item of this list can neither be empty nor hold spaces".to_owned(),
                ));
            }
            Change::Text {
                key,
                option,
                text: items.join(" "),
            }
        }
        Some(Raw::List(items)) => {
            if items.iter().any(String::is_empty) {
                return Err(Refusal::Value(
                    "an item of a UCI list cannot be empty".to_owned(),
                ));
            }
            Change::List { key, option, items }
        }
    })
}
