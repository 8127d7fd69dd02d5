//! One option and the lines that say it: which of them stays, which is changed in place,
//! which goes, and what is new.
//!
//! Afterwards the section in memory says what its lines say; that the two agree is what
//! the tests compare after every edit.

use super::edit::EditError;
use super::line::{self, Style, Wanted};
use super::package::{Package, Section, Value, lossy};
use super::pieces::{Entry, Found};
use super::table::{Piece, Place};
use super::token::Keyword;
use std::collections::HashSet;

/// What the lines of an option shall say.
pub(super) enum Lines<'a> {
    /// These values and no others; nothing: the option goes.
    Say(&'a [String]),
    /// What they say now, and these values behind it.
    And(&'a [String]),
    /// What they say now, but not this value.
    Without(&'a str),
}

/// Lines that serve, by their number among all of the option, and the values that need
/// new ones.
struct Serving<'a> {
    used: Vec<u32>,
    /// The new values of the lines that serve; `None`: they keep their own.
    says: Option<&'a [String]>,
    fresh: &'a [String],
}

impl Package {
    /// Makes the lines of an option say `wanted`, with as few changes as possible. `new`
    /// makes its new value of the old one.
    pub(super) fn write_option(
        &mut self,
        section: usize,
        option: &str,
        keyword: Keyword,
        wanted: Lines<'_>,
        new: impl FnOnce(Option<Value>) -> Option<Value>,
    ) -> Result<(), EditError> {
        let mut place = self.place(section)?;
        let found = self.look(&place, option);
        let serving = self.serving(&found.entries, wanted);
        let order = order(&found.entries, &serving);

        let were = self.apart(&place, &found.entries, &serving);
        let style = self.style(&found);
        let mut plan = self.plan();
        let mut changed: Vec<u32> = Vec::new();
        let mut gone: Vec<u32> = Vec::new();
        // Behind which line new ones go.
        let mut anchor = place.last().filter(|_| found.entries.is_empty());
        if let Some(at) = anchor
            && !serving.fresh.is_empty()
            && let Some(text) = self.closed(at, None)
        {
            self.plan_text(&mut plan, self.text_at(at).len(), &text);
            changed.push(at);
        }
        let mut served = 0;
        for (number, entry) in (0u32..).zip(&found.entries) {
            if serving.used.get(served) != Some(&number) {
                self.plan_without(&mut plan, entry.at);
                gone.push(entry.at);
                continue;
            }
            let value = serving.says.and_then(|says| says.get(served));
            let mut text = self.changed(entry, option, keyword, value, &style);
            served += 1;
            if served == serving.used.len() {
                anchor = Some(entry.at);
                if !serving.fresh.is_empty()
                    && let Some(closed) = self.closed(entry.at, text.as_deref())
                {
                    text = Some(closed);
                }
            }
            if let Some(text) = text {
                self.plan_text(&mut plan, self.text_at(entry.at).len(), &text);
                changed.push(entry.at);
            }
        }
        for value in serving.fresh {
            let wanted = Wanted {
                keyword,
                first: option.as_bytes(),
                second: value.as_bytes(),
            };
            self.plan_text(&mut plan, 0, &line::write(wanted, &style, None));
        }
        if let Err(error) = self.fits(&plan) {
            self.unite(were);
            return Err(error);
        }

        let mut texts = plan.into_texts();
        for (at, (start, len)) in changed.into_iter().zip(&mut texts) {
            self.pieces.put(at, start, len);
        }
        let first = order.first_line(&found);
        if let Some(mut at) = anchor {
            for (start, len) in texts {
                let piece = Piece::new(start, len, place.owner);
                at = self.pieces.insert(at, piece, &mut place);
            }
        }
        self.pieces.remove_of(&gone, &mut place);
        if let Some(kept) = self.places.get_mut(section) {
            *kept = place;
        }
        self.put_value(section, option, &order, first, new);
        self.compact();
        Ok(())
    }

    /// Which lines serve for what shall be said.
    fn serving<'a>(&self, entries: &[Entry], wanted: Lines<'a>) -> Serving<'a> {
        let mut live = live(entries);
        let values = match wanted {
            Lines::Without(item) => {
                live.retain(|&line| self.says(entries, line, |value| lossy(value) != item));
                return Serving {
                    used: live,
                    says: None,
                    fresh: &[],
                };
            }
            Lines::And(fresh) if !live.is_empty() => {
                return Serving {
                    used: live,
                    says: None,
                    fresh,
                };
            }
            Lines::Say(values) | Lines::And(values) => values,
        };
        if live.is_empty()
            && let Some(last) = entries.len().checked_sub(1)
        {
            // Only lines without effect (`option name ''`): the last one may serve. There
            // are fewer lines than bytes, which are counted in 32 bits.
            live.push(last as u32);
        }
        // Where lines go, those that can stay as they are do.
        let surplus = live.len().saturating_sub(values.len());
        if surplus > 0 {
            let same = |(&line, value): (&u32, &String)| {
                self.says(entries, line, |now| now == value.as_bytes())
            };
            let kept = live
                .iter()
                .zip(values)
                .take_while(|&(l, v)| same((l, v)))
                .count();
            let behind = live.iter().rev().zip(values.iter().rev());
            let kept_behind = behind
                .take(values.len() - kept)
                .take_while(|&(l, v)| same((l, v)))
                .count();
            let from = values.len() - kept_behind;
            live.drain(from..from + surplus);
        }
        let (says, fresh) = values.split_at(live.len().min(values.len()));
        Serving {
            used: live,
            says: Some(says),
            fresh,
        }
    }

    /// Asks for the value that a line says, as the file has it.
    fn says(&self, entries: &[Entry], line: u32, ask: impl FnOnce(&[u8]) -> bool) -> bool {
        let entry = entries.get(line as usize);
        entry.is_some_and(|entry| {
            let mut buffer = Vec::new();
            line::glance(self.text_at(entry.at), &mut buffer, |_, _, value| {
                ask(value)
            })
            .unwrap_or_default()
        })
    }

    /// Gives the lines that are to be changed, or the one behind which new ones go, lines
    /// of their own where they share one.
    fn apart(
        &mut self,
        place: &Place,
        entries: &[Entry],
        serving: &Serving<'_>,
    ) -> Vec<(u32, Piece)> {
        if !self.pieces.any_joined() {
            return Vec::new();
        }
        let mut lines: Vec<u32> = entries.iter().map(|entry| entry.at).collect();
        if lines.is_empty() && !serving.fresh.is_empty() {
            lines.extend(place.last());
        }
        self.separate(&lines)
    }

    /// The text of a line that shall say this (`None`: what it says) as an option or as
    /// an item; `None` where it does already.
    fn changed(
        &self,
        entry: &Entry,
        option: &str,
        keyword: Keyword,
        value: Option<&String>,
        style: &Style,
    ) -> Option<Vec<u8>> {
        let old = self.text_at(entry.at);
        let mut buffer = Vec::new();
        let right = entry.list == (keyword == Keyword::List)
            && value.is_none_or(|value| {
                let same = |_, _: &[u8], now: &[u8]| now == value.as_bytes();
                line::glance(old, &mut buffer, same).unwrap_or_default()
            });
        if right {
            return None;
        }
        let now;
        let second = match value {
            Some(value) => value.as_bytes(),
            None => {
                now = line::read(old)?.second;
                &now
            }
        };
        let wanted = Wanted {
            keyword,
            first: option.as_bytes(),
            second,
        };
        Some(line::rewrite(old, wanted, style))
    }

    /// Gives the option its value in memory, where reading the file again would put it:
    /// options stand in the order in which the lines first give them a value.
    fn put_value(
        &mut self,
        section: usize,
        option: &str,
        order: &Order,
        first: Option<u32>,
        new: impl FnOnce(Option<Value>) -> Option<Value>,
    ) {
        let place = self.places.get(section).copied();
        let Some(Section { options, .. }) = self.sections.get_mut(section) else {
            return;
        };
        let known = options.iter().position(|(name, _)| &**name == option);
        let old = known.and_then(|at| options.get_mut(at));
        let old = old.map(|(_, value)| std::mem::replace(value, Value::List(Vec::new())));
        let Some(value) = new(old) else {
            if let Some(known) = known {
                options.remove(known);
            }
            return;
        };
        if let (Order::Stays, Some((_, place))) = (order, known.and_then(|at| options.get_mut(at)))
        {
            *place = value;
            return;
        }
        let name = match known {
            Some(known) => options.remove(known).0,
            None => option.into(),
        };
        let at = match (order, place, first) {
            (Order::Moves(_), Some(place), Some(first)) => self.options_before(&place, first),
            _ => usize::MAX,
        };
        if let Some(Section { options, .. }) = self.sections.get_mut(section) {
            options.insert(at.min(options.len()), (name, value));
        }
    }

    /// How many options the lines of a section give a value before this line.
    fn options_before(&self, place: &Place, line: u32) -> usize {
        let mut names: HashSet<Vec<u8>> = HashSet::new();
        let mut buffer = Vec::new();
        for (_, piece) in self.pieces.of(place).take_while(|&(at, _)| at != line) {
            line::glance(
                self.piece_text(piece),
                &mut buffer,
                |keyword, name, value| {
                    if keyword == Keyword::List || keyword == Keyword::Option && !value.is_empty() {
                        names.insert(name.to_vec());
                    }
                },
            );
        }
        names.len()
    }
}

/// Where an option will stand among those of its section.
enum Order {
    /// Where it stands.
    Stays,
    /// Where this line of it is, by its number.
    Moves(u32),
    /// At the end.
    Last,
}

impl Order {
    /// The piece of the line that decides.
    fn first_line(&self, found: &Found) -> Option<u32> {
        match self {
            Order::Moves(number) => found.entries.get(*number as usize).map(|entry| entry.at),
            Order::Stays | Order::Last => None,
        }
    }
}

fn order(entries: &[Entry], serving: &Serving<'_>) -> Order {
    let gives = |entry: &Entry| entry.list || !entry.empty;
    let first = (0u32..).zip(entries).find(|(_, entry)| gives(entry));
    match (serving.used.first(), first) {
        (Some(&used), Some((first, _))) if used == first => Order::Stays,
        (Some(&used), _) => Order::Moves(used),
        (None, _) => Order::Last,
    }
}

/// The lines that make up the value: an `option` line overrides those before it, and an
/// empty one is nothing.
fn live(entries: &[Entry]) -> Vec<u32> {
    let mut live = Vec::new();
    for (number, entry) in (0u32..).zip(entries) {
        if !entry.list {
            if entry.empty {
                continue;
            }
            live.clear();
        }
        live.push(number);
    }
    live
}
