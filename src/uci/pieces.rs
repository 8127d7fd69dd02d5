//! The pieces of a file: finding those of a section, replacing them, keeping each on a
//! line of its own.

use super::MAX_BYTES;
use super::edit::{EditError, live};
use super::line::{self, Line, Style, Wanted};
use super::package::{NOBODY, Package, Piece, Section};
use super::parse::Options;
use super::token::Keyword;

/// What becomes of one piece.
pub(super) struct Change {
    pub(super) at: usize,
    pub(super) this: This,
    /// New pieces behind it: owner and text.
    pub(super) after: Vec<(u32, Vec<u8>)>,
}

impl Change {
    pub(super) fn goes(at: usize) -> Change {
        Change {
            at,
            this: This::Goes,
            after: Vec::new(),
        }
    }

    pub(super) fn becomes(at: usize, text: Vec<u8>) -> Change {
        Change {
            at,
            this: This::Becomes(text),
            after: Vec::new(),
        }
    }
}

pub(super) enum This {
    Stays,
    Goes,
    Becomes(Vec<u8>),
}

/// A line that gives (or would give) an option a value.
pub(super) struct Entry {
    pub(super) at: usize,
    pub(super) line: Line,
}

impl Package {
    /// The section as a piece's owner.
    pub(super) fn owner(&self, section: usize) -> Result<u32, EditError> {
        match u32::try_from(section) {
            Ok(owner) if section < self.sections.len() => Ok(owner),
            _ => Err(EditError::NoSection { index: section }),
        }
    }

    pub(super) fn section_at(&self, section: usize) -> Result<&Section, EditError> {
        self.sections
            .get(section)
            .ok_or(EditError::NoSection { index: section })
    }

    pub(super) fn text_at(&self, at: usize) -> &[u8] {
        match self.pieces.get(at) {
            Some(piece) => self.piece_text(piece),
            None => &[],
        }
    }

    /// The command in a piece.
    pub(super) fn line(&self, at: usize) -> Option<Line> {
        line::read(self.text_at(at))
    }

    /// The pieces of a section, in order.
    pub(super) fn owned(&self, owner: u32) -> Vec<usize> {
        self.pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.owner == owner)
            .map(|(at, _)| at)
            .collect()
    }

    /// The lines of an option among those of its section, those without effect included.
    pub(super) fn entries(&self, owned: &[usize], option: &str) -> Vec<Entry> {
        let of_option = |&at: &usize| {
            let line = self.line(at)?;
            let gives = matches!(line.keyword, Keyword::Option | Keyword::List);
            (gives && line.first == option.as_bytes()).then_some(Entry { at, line })
        };
        owned.iter().filter_map(of_option).collect()
    }

    /// The values of an option's lines, exactly as the file has them.
    pub(super) fn live_values(&self, section: usize, option: &str) -> Vec<Vec<u8>> {
        let Ok(owner) = self.owner(section) else {
            return Vec::new();
        };
        let mut entries: Vec<Option<Vec<u8>>> = Vec::new();
        let lines = self.entries(&self.owned(owner), option);
        let live = live(&lines);
        entries.extend(lines.into_iter().map(|entry| Some(entry.line.second)));
        live.into_iter()
            .filter_map(|number| entries.get_mut(number)?.take())
            .collect()
    }

    /// Whether a piece is an empty line.
    pub(super) fn is_blank(&self, piece: &Piece) -> bool {
        piece.owner == NOBODY && self.piece_text(piece).trim_ascii().is_empty()
    }

    /// How the file ends its lines.
    pub(super) fn line_end(&self) -> &'static [u8] {
        self.pieces
            .iter()
            .find_map(|piece| line::line_end(self.piece_text(piece)))
            .unwrap_or(b"\n")
    }

    /// How the options of a section, of which these are the lines, are laid out; where it
    /// has none, those of the file.
    pub(super) fn style(&self, owned: &[usize]) -> Style {
        let style = Style {
            indent: b"\t".to_vec(),
            line_end: self.line_end(),
        };
        let is_option = |at: &usize| {
            self.line(*at)
                .is_some_and(|line| line.keyword != Keyword::Config)
        };
        let model = owned.iter().copied().rev().find(is_option).or_else(|| {
            let owned = |at: &usize| self.pieces.get(*at).is_some_and(|p| p.owner != NOBODY);
            (0..self.pieces.len()).filter(owned).find(is_option)
        });
        match model {
            Some(at) => Style::of(self.text_at(at), &style),
            None => style,
        }
    }

    /// The pieces that `choose` names, after giving each a line of its own where it
    /// shares one with other commands.
    pub(super) fn separated(&mut self, choose: impl FnOnce(&Package) -> Vec<usize>) -> Vec<usize> {
        let chosen = choose(self);
        if !self.shared_lines {
            return chosen;
        }
        let mut changes = Vec::new();
        let style = Style {
            indent: b"\t".to_vec(),
            line_end: self.line_end(),
        };
        let joined = |at: usize| self.pieces.get(at).is_some_and(|piece| piece.joined);
        let before = |at: usize| at.checked_sub(1).is_some_and(joined);
        let mut done = 0;
        for &at in &chosen {
            if at < done || !(joined(at) || before(at)) {
                continue;
            }
            let mut first = at;
            while before(first) {
                first -= 1;
            }
            done = first;
            loop {
                if let Some(line) = self.line(done) {
                    let text = anew(&line, &style);
                    changes.push(Change::becomes(done, text));
                }
                done += 1;
                if !before(done) {
                    break;
                }
            }
        }
        if changes.is_empty() {
            return chosen;
        }
        for change in &changes {
            if let Some(piece) = self.pieces.get_mut(change.at) {
                piece.joined = false;
            }
        }
        // The number of pieces stays, so the choice does.
        self.replace(changes);
        chosen
    }

    /// Makes all changes.
    ///
    /// # Errors
    /// [`EditError::TooLarge`]; nothing is changed then.
    pub(super) fn apply(&mut self, changes: Vec<Change>) -> Result<(), EditError> {
        let mut bytes = self.len();
        for change in &changes {
            let old = self.text_at(change.at).len();
            match &change.this {
                This::Stays => {}
                This::Goes => bytes -= old,
                This::Becomes(text) => bytes = bytes - old + text.len(),
            }
            bytes += change
                .after
                .iter()
                .map(|(_, text)| text.len())
                .sum::<usize>();
        }
        if bytes > MAX_BYTES {
            return Err(EditError::TooLarge { bytes });
        }
        self.replace(changes);
        Ok(())
    }

    fn replace(&mut self, mut changes: Vec<Change>) {
        changes.sort_by_key(|change| change.at);
        let in_place =
            |change: &Change| change.after.is_empty() && !matches!(change.this, This::Goes);
        if changes.iter().all(in_place) {
            for change in changes {
                if let This::Becomes(text) = change.this {
                    self.put(change.at, &text);
                }
            }
            self.compact();
            return;
        }
        let line_end = self.line_end();
        let old = std::mem::take(&mut self.pieces);
        let mut new = Vec::with_capacity(old.len() + changes.len());
        let mut changes = changes.into_iter().peekable();
        for (at, piece) in old.into_iter().enumerate() {
            let Some(change) = changes.next_if(|change| change.at == at) else {
                new.push(piece);
                continue;
            };
            let mut this = match change.this {
                This::Stays => None,
                This::Goes => continue,
                This::Becomes(text) => Some(text),
            };
            if !change.after.is_empty() {
                let text = this.as_deref().unwrap_or_else(|| self.piece_text(&piece));
                if let Some(closed) = closed(text, line_end) {
                    this = Some(closed);
                }
            }
            new.push(match this {
                None => piece,
                Some(text) => Piece {
                    joined: piece.joined,
                    ..self.store(&text, piece.owner)
                },
            });
            for (owner, text) in change.after {
                new.push(self.store(&text, owner));
            }
        }
        self.pieces = new;
        self.compact();
    }

    /// Gives a piece another text.
    fn put(&mut self, at: usize, text: &[u8]) {
        let Some(&Piece { owner, joined, .. }) = self.pieces.get(at) else {
            return;
        };
        let new = self.store(text, owner);
        if let Some(piece) = self.pieces.get_mut(at) {
            *piece = Piece { joined, ..new };
        }
    }

    /// Appends a text to the buffer, as a piece that still needs its place.
    pub(super) fn store(&mut self, text: &[u8], owner: u32) -> Piece {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        // Bounded: `compact` keeps the buffer below three times MAX_BYTES.
        Piece {
            start: start as u32,
            len: text.len() as u32,
            owner,
            joined: false,
        }
    }

    /// Drops texts that no piece uses any more, once they are the greater part.
    fn compact(&mut self) {
        const SLACK: usize = 16 * 1024;
        let used = self.len();
        if self.text.len() <= 2 * used + SLACK {
            return;
        }
        let text = self.to_bytes();
        let mut start = 0;
        for piece in &mut self.pieces {
            piece.start = start;
            start += piece.len;
        }
        self.text = text;
    }

    /// Reads the options of a section again from its lines.
    pub(super) fn read_again(&mut self, owner: u32) {
        let Some(section) = self.sections.get(owner as usize) else {
            return;
        };
        let mut options = Options::new(section.kind.clone(), section.name.clone());
        for at in self.owned(owner) {
            if let Some(line) = self.line(at)
                && line.keyword != Keyword::Config
            {
                options.add(&line.first, line.keyword, &line.second);
            }
        }
        if let (Some(old), Some(new)) = (self.sections.get_mut(owner as usize), options.finish()) {
            *old = new;
        }
    }
}

/// A command alone on its line, comment kept.
fn anew(line: &Line, style: &Style) -> Vec<u8> {
    let wanted = Wanted {
        keyword: line.keyword,
        first: &line.first,
        second: &line.second,
    };
    let head = matches!(line.keyword, Keyword::Config | Keyword::Package);
    let style = if head {
        &Style {
            indent: Vec::new(),
            ..style.clone()
        }
    } else {
        style
    };
    line::write(wanted, style, line.comment.as_deref())
}

/// `text` so that other lines can follow it; `None` where they can already.
fn closed(text: &[u8], line_end: &'static [u8]) -> Option<Vec<u8>> {
    let line = line::read(text);
    let open = line.as_ref().is_some_and(|line| line.open);
    if text.ends_with(b"\n") && !open {
        return None;
    }
    let ended = [text, line_end].concat();
    // A line end is not always just an end: behind a backslash it vanishes, and behind
    // a blank that follows the last argument it is read as a command.
    match line {
        Some(line) if open || !line::read(&ended).is_some_and(|now| line.says_as(&now)) => {
            let style = Style {
                indent: line::indent(text).to_vec(),
                line_end,
            };
            Some(anew(&line, &style))
        }
        _ => Some(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` as the end of a file, after a section was put behind it.
    fn followed(text: &str) -> Package {
        let file = ["config a 'a'\n", text].concat();
        let mut package = Package::parse(file.as_bytes()).expect("libuci takes it");
        let before = package.sections().to_vec();
        let new = package.add_section("b", Some("b")).expect("good names");
        package.set(new, "v", "w").expect("good names");
        let again = Package::parse(&package.to_bytes()).expect("what was written is read");
        assert_eq!(again.sections(), package.sections(), "{text:?}");
        assert_eq!(again.sections().first(), before.first(), "{text:?}");
        again
    }

    #[test]
    fn lines_behind_an_odd_last_line_are_lines_of_their_own() {
        for text in [
            "option o v",
            "option o v\\",
            "option o v\\\n",
            // A carriage return that would be half of a line end.
            "option o \\\r",
            "option o v\\\r",
            // Blanks that are read at the end of a file, not before a line end.
            "c bo o \x0b\x0b\t\\\n\t",
            "option o \\\n\t",
            "option o \x0b\x0b\t\\\n\t",
            "option o v '' ",
            "option o 'v' ;",
            "option o 'v';option p 'w' ;",
            "option o v;lost",
            "option o v #note\\",
            "#note\\",
            " \t",
            "\x0b",
        ] {
            followed(text);
        }
    }

    #[test]
    fn the_last_line_keeps_its_bytes_where_a_line_end_is_all_it_needs() {
        let file = b"config a 'a'\n  o\to\t\"v\"  # note";
        let mut package = Package::parse(file).expect("libuci takes it");
        package.add_section("b", None).expect("a good type");
        let wanted = [file, &b"\n\nconfig b\n"[..]].concat();
        assert_eq!(package.to_bytes(), wanted);
    }
}
