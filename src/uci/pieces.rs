//! The pieces of a file: finding those of an option, replacing them, keeping each on a
//! line of its own.

use super::MAX_BYTES;
use super::edit::EditError;
use super::line::{self, Line, Style, Wanted};
use super::package::{Package, Section, index_of};
use super::table::{NOBODY, Piece, Place};
use super::token::Keyword;

/// A line that gives (or would give) an option a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its piece.
    pub(super) at: u32,
    /// A `list` line; else an `option` line.
    pub(super) list: bool,
    /// Its value is empty.
    pub(super) empty: bool,
}

/// What was found in the lines of a section.
pub(super) struct Found {
    /// The lines of the option that was looked for, those without effect included.
    pub(super) entries: Vec<Entry>,
    /// The last line that is not the section's own.
    model: Option<u32>,
}

/// New texts for pieces, at the end of the buffer until they are put in their places.
pub(super) struct Plan {
    /// How much of the buffer there was before.
    begin: usize,
    /// The size of the file once all is in place; grows beyond the limit without texts.
    bytes: usize,
    /// Where the texts are.
    texts: Vec<(usize, usize)>,
}

impl Plan {
    /// The texts in the order in which they were added, for the places they are meant for.
    pub(super) fn into_texts(self) -> impl Iterator<Item = (usize, usize)> {
        self.texts.into_iter()
    }
}

impl Package {
    /// The section's place.
    pub(super) fn place(&self, section: usize) -> Result<Place, EditError> {
        match self.places.get(section) {
            Some(place) => Ok(*place),
            None => Err(EditError::NoSection { index: section }),
        }
    }

    pub(super) fn section_at(&self, section: usize) -> Result<&Section, EditError> {
        self.sections
            .get(section)
            .ok_or(EditError::NoSection { index: section })
    }

    pub(super) fn text_at(&self, at: u32) -> &[u8] {
        match self.pieces.get(at) {
            Some(piece) => self.piece_text(piece),
            None => &[],
        }
    }

    /// The command in a piece.
    pub(super) fn line(&self, at: u32) -> Option<Line> {
        line::read(self.text_at(at))
    }

    /// What the lines of a section say of an option.
    pub(super) fn look(&self, place: &Place, option: &str) -> Found {
        let mut found = Found {
            entries: Vec::new(),
            model: None,
        };
        let mut buffer = Vec::new();
        for (at, piece) in self.pieces.of(place) {
            let entry = |keyword, first: &[u8], second: &[u8]| {
                let list = match keyword {
                    Keyword::Option => false,
                    Keyword::List => true,
                    Keyword::Config | Keyword::Package => return None,
                };
                let empty = second.is_empty();
                Some((first == option.as_bytes(), Entry { at, list, empty }))
            };
            if let Some(Some((of_option, entry))) =
                line::glance(self.piece_text(piece), &mut buffer, entry)
            {
                found.model = Some(at);
                if of_option {
                    found.entries.push(entry);
                }
            }
        }
        found
    }

    /// Whether a piece is an empty line.
    pub(super) fn is_blank(&self, at: u32) -> bool {
        let nobodys = |piece: &Piece| piece.owner() == NOBODY;
        self.pieces.get(at).is_some_and(nobodys) && self.text_at(at).trim_ascii().is_empty()
    }

    /// How the file ends its lines.
    pub(super) fn line_end(&self) -> &'static [u8] {
        self.pieces
            .iter()
            .find_map(|(_, piece)| line::line_end(self.piece_text(piece)))
            .unwrap_or(b"\n")
    }

    /// How the options of a section are laid out; where it has none, those at the
    /// beginning of the file.
    pub(super) fn style(&self, found: &Found) -> Style {
        // Where this many lines hold no option, the file has no style of its own.
        const BEGINNING: usize = 1024;
        let style = Style {
            indent: b"\t".to_vec(),
            line_end: self.line_end(),
        };
        let mut buffer = Vec::new();
        let mut is_option = |&(_, piece): &(u32, &Piece)| {
            piece.owner() != NOBODY
                && line::glance(self.piece_text(piece), &mut buffer, |keyword, _, _| keyword)
                    .is_some_and(|keyword| keyword != Keyword::Config)
        };
        let elsewhere = || {
            let mut beginning = self.pieces.iter().take(BEGINNING);
            beginning.find(&mut is_option).map(|(at, _)| at)
        };
        match found.model.or_else(elsewhere) {
            Some(at) => Style::of(self.text_at(at), &style),
            None => style,
        }
    }

    /// Gives each of these pieces a line of its own where it shares one with other
    /// commands. Returns the pieces as they were, for [`unite`](Self::unite).
    pub(super) fn separate(&mut self, chosen: &[u32]) -> Vec<(u32, Piece)> {
        let mut were = Vec::new();
        if !self.pieces.any_joined() {
            return were;
        }
        let style = Style {
            indent: b"\t".to_vec(),
            line_end: self.line_end(),
        };
        for &at in chosen {
            let mut first = at;
            while let Some(before) = self.pieces.before(first).filter(|&at| self.is_joined(at)) {
                first = before;
            }
            let mut next = Some(first).filter(|&first| first != at || self.is_joined(at));
            while let Some(at) = next {
                next = self.pieces.after(at).filter(|_| self.is_joined(at));
                if let (Some(line), Some(&piece)) = (self.line(at), self.pieces.get(at)) {
                    were.push((at, piece));
                    let (start, len) = self.store(&anew(&line, &style));
                    self.pieces.put(at, start, len);
                    self.pieces.join(at, false);
                }
            }
        }
        were
    }

    fn is_joined(&self, at: u32) -> bool {
        self.pieces.get(at).is_some_and(Piece::joined)
    }

    /// Undoes [`separate`](Self::separate).
    pub(super) fn unite(&mut self, were: Vec<(u32, Piece)>) {
        for (at, piece) in were {
            self.pieces.put(at, piece.start(), piece.len());
            self.pieces.join(at, piece.joined());
        }
        self.compact();
    }

    /// Begins to collect texts for pieces.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            begin: self.text.len(),
            bytes: self.pieces.bytes(),
            texts: Vec::new(),
        }
    }

    /// Adds a text to a plan, for a new piece or for one that has `instead` bytes now.
    pub(super) fn plan_text(&mut self, plan: &mut Plan, instead: usize, text: &[u8]) {
        plan.bytes = (plan.bytes + text.len()).saturating_sub(instead);
        // What is kept of a plan that turns out to be too large stays small.
        if self.text.len() - plan.begin <= MAX_BYTES {
            let text = self.store(text);
            plan.texts.push(text);
        }
    }

    /// Takes a piece's bytes off a plan.
    pub(super) fn plan_without(&self, plan: &mut Plan, at: u32) {
        plan.bytes = plan.bytes.saturating_sub(self.text_at(at).len());
    }

    /// Whether the file may become what was planned; otherwise the texts are dropped.
    pub(super) fn fits(&mut self, plan: &Plan) -> Result<(), EditError> {
        if plan.bytes <= MAX_BYTES {
            return Ok(());
        }
        self.text.truncate(plan.begin);
        Err(EditError::TooLarge { bytes: plan.bytes })
    }

    /// Appends a text to the buffer and returns where it is.
    pub(super) fn store(&mut self, text: &[u8]) -> (usize, usize) {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        (start, text.len())
    }

    /// The text of a piece, or `new` for it, so that other lines can follow; `None` where
    /// they can already.
    pub(super) fn closed(&self, at: u32, new: Option<&[u8]>) -> Option<Vec<u8>> {
        closed(new.unwrap_or_else(|| self.text_at(at)), self.line_end())
    }

    /// Drops texts and slots that no piece uses any more, once they are the greater part.
    pub(super) fn compact(&mut self) {
        const SLACK: usize = 16 * 1024;
        let used = self.pieces.bytes();
        if self.text.len() <= 2 * used + SLACK && !self.pieces.has_holes() {
            return;
        }
        self.tidy();
    }

    /// Drops texts, slots and room that nothing uses: afterwards it takes no more memory than
    /// a file that was just read.
    pub fn tidy(&mut self) {
        self.text = self.to_bytes();
        self.pieces = self.pieces.compacted(&mut self.places, index_of);
        self.shrink();
    }

    /// Gives back room that no section and no option uses.
    pub(super) fn shrink(&mut self) {
        self.sections.shrink_to_fit();
        self.places.shrink_to_fit();
        for section in &mut self.sections {
            section.options.shrink_to_fit();
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
