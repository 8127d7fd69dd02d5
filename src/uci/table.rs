//! The pieces of a file in their order, and those of each section in theirs: a linked
//! list in one vector. Changing, inserting and removing a piece costs the same whatever
//! the size of the file, and leaves the numbers of all others as they are.
//!
//! This module knows nothing of what the pieces say.

use super::steps;

/// No section owns this piece: a comment, an empty line, a `package` line.
pub(super) const NOBODY: u32 = u32::MAX;
/// No piece.
pub(super) const NONE: u32 = u32::MAX;

/// A piece of the file: a line with the lines that quotes or escapes join to it, or one
/// of several commands on such a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where its bytes are in `Package::text`.
    start: u32,
    /// How many they are, and in the highest bit whether the next piece is on the same
    /// line: sizes stay far below it.
    len: u32,
    /// The section it opens or gives an option, or [`NOBODY`].
    owner: u32,
    prev: u32,
    next: u32,
    /// The next piece of the same section.
    sibling: u32,
}

const JOINED: u32 = 1 << 31;

impl Piece {
    pub(super) fn new(start: usize, len: usize, owner: u32) -> Piece {
        Piece {
            // Bounded: the text buffer stays below a few times MAX_BYTES.
            start: start as u32,
            len: len as u32 & !JOINED,
            owner,
            prev: NONE,
            next: NONE,
            sibling: NONE,
        }
    }

    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    pub(super) fn len(&self) -> usize {
        (self.len & !JOINED) as usize
    }

    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    /// Whether the next piece is on the same line.
    pub(super) fn joined(&self) -> bool {
        self.len & JOINED != 0
    }
}

/// Where the pieces of a section begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its pieces' owner.
    pub(super) owner: u32,
    first: u32,
    last: u32,
}

impl Place {
    pub(super) fn of(owner: u32) -> Place {
        Place {
            owner,
            first: NONE,
            last: NONE,
        }
    }

    /// Its last piece in the file.
    pub(super) fn last(&self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Table {
    slots: Vec<Piece>,
    first: u32,
    last: u32,
    /// Slots in use.
    used: usize,
    /// Bytes of all pieces: the size of the file.
    bytes: usize,
    /// Pieces that share their line with the next.
    joined: usize,
}

impl Default for Table {
    fn default() -> Table {
        Table::with_capacity(0)
    }
}

impl Table {
    pub(super) fn with_capacity(pieces: usize) -> Table {
        Table {
            slots: Vec::with_capacity(pieces),
            first: NONE,
            last: NONE,
            used: 0,
            bytes: 0,
            joined: 0,
        }
    }

    /// The size of the file in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether any two pieces share a line.
    pub(super) fn any_joined(&self) -> bool {
        self.joined > 0
    }

    pub(super) fn get(&self, at: u32) -> Option<&Piece> {
        self.slots.get(at as usize)
    }

    pub(super) fn last(&self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }

    pub(super) fn before(&self, at: u32) -> Option<u32> {
        self.get(at).map(|p| p.prev).filter(|&at| at != NONE)
    }

    pub(super) fn after(&self, at: u32) -> Option<u32> {
        self.get(at).map(|p| p.next).filter(|&at| at != NONE)
    }

    /// All pieces in the order of the file.
    pub(super) fn iter(&self) -> Walk<'_> {
        Walk {
            table: self,
            at: self.first,
            link: |piece| piece.next,
        }
    }

    /// The pieces of a section in the order of the file.
    pub(super) fn of(&self, place: &Place) -> Walk<'_> {
        Walk {
            table: self,
            at: place.first,
            link: |piece| piece.sibling,
        }
    }

    /// Puts a piece at the end of the file, and of its section where it has one.
    pub(super) fn push(&mut self, piece: Piece, place: Option<&mut Place>) {
        let new = self.enter(piece, self.last, NONE);
        if let Some(place) = place {
            if place.last == NONE {
                place.first = new;
            }
            if let Some(last) = self.slots.get_mut(place.last as usize) {
                last.sibling = new;
            }
            place.last = new;
        }
    }

    /// Puts a piece of a section behind another of its pieces, and returns its number.
    pub(super) fn insert(&mut self, at: u32, piece: Piece, place: &mut Place) -> u32 {
        let (next, sibling) = match self.get(at) {
            Some(at) => (at.next, at.sibling),
            None => (NONE, NONE),
        };
        let new = self.enter(piece, at, next);
        if let Some(new) = self.slots.get_mut(new as usize) {
            new.sibling = sibling;
        }
        if let Some(at) = self.slots.get_mut(at as usize) {
            at.sibling = new;
        }
        if place.last == at {
            place.last = new;
        }
        new
    }

    fn enter(&mut self, piece: Piece, prev: u32, next: u32) -> u32 {
        // Every piece has at least one byte of the file or of what was written since, so
        // there are fewer than bytes of the buffer, which `Piece::new` counts in 32 bits.
        let new = self.slots.len() as u32;
        self.used += 1;
        self.bytes += piece.len();
        self.joined += usize::from(piece.joined());
        self.slots.push(Piece {
            prev,
            next,
            sibling: NONE,
            ..piece
        });
        match self.slots.get_mut(prev as usize) {
            Some(prev) => prev.next = new,
            None => self.first = new,
        }
        match self.slots.get_mut(next as usize) {
            Some(next) => next.prev = new,
            None => self.last = new,
        }
        new
    }

    /// Gives a piece other bytes.
    pub(super) fn put(&mut self, at: u32, start: usize, len: usize) {
        if let Some(piece) = self.slots.get_mut(at as usize) {
            self.bytes = self.bytes - piece.len() + len;
            let new = Piece::new(start, len, piece.owner);
            piece.start = new.start;
            piece.len = new.len | (piece.len & JOINED);
        }
    }

    /// Says whether the next piece is on the same line.
    pub(super) fn join(&mut self, at: u32, joined: bool) {
        if let Some(piece) = self.slots.get_mut(at as usize) {
            self.joined -= usize::from(piece.joined());
            self.joined += usize::from(joined);
            piece.len = (piece.len & !JOINED) | if joined { JOINED } else { 0 };
        }
    }

    /// Takes pieces out of the file that no section owns, or all of whose section goes.
    pub(super) fn remove(&mut self, at: u32) {
        let Some(&piece) = self.get(at) else {
            return;
        };
        match self.slots.get_mut(piece.prev as usize) {
            Some(prev) => prev.next = piece.next,
            None => self.first = piece.next,
        }
        match self.slots.get_mut(piece.next as usize) {
            Some(next) => next.prev = piece.prev,
            None => self.last = piece.prev,
        }
        self.used -= 1;
        self.bytes -= piece.len();
        self.joined -= usize::from(piece.joined());
    }

    /// Takes pieces of a section, in their order, out of the file and out of the section.
    pub(super) fn remove_of(&mut self, gone: &[u32], place: &mut Place) {
        let mut gone = gone.iter().copied().peekable();
        let (mut before, mut at) = (NONE, place.first);
        while gone.peek().is_some()
            && let Some(&piece) = self.get(at)
        {
            steps::add(1);
            if gone.next_if_eq(&at).is_none() {
                before = at;
                at = piece.sibling;
                continue;
            }
            self.remove(at);
            match self.slots.get_mut(before as usize) {
                Some(before) => before.sibling = piece.sibling,
                None => place.first = piece.sibling,
            }
            if place.last == at {
                place.last = before;
            }
            at = piece.sibling;
        }
    }

    /// Whether so many slots are out of use that [`compacted`](Self::compacted) pays.
    pub(super) fn has_holes(&self) -> bool {
        self.slots.len() > 2 * self.used + 1024
    }

    /// The same pieces without holes, with bytes that lie one after the other from 0 on;
    /// the places follow. `index` finds a place by its owner.
    pub(super) fn compacted(
        &self,
        places: &mut [Place],
        index: impl Fn(&[Place], u32) -> Option<usize>,
    ) -> Table {
        for place in places.iter_mut() {
            *place = Place::of(place.owner);
        }
        let mut new = Table::with_capacity(self.used);
        let mut start = 0;
        for (_, piece) in self.iter() {
            let index = index(places, piece.owner);
            let place = index.and_then(|index| places.get_mut(index));
            // The start is below the size of the file.
            let piece = Piece {
                start: start as u32,
                ..*piece
            };
            start += piece.len();
            new.push(piece, place);
        }
        new
    }
}

/// The pieces of a file or a section in order, with their numbers.
pub(super) struct Walk<'a> {
    table: &'a Table,
    at: u32,
    link: fn(&Piece) -> u32,
}

impl<'a> Iterator for Walk<'a> {
    type Item = (u32, &'a Piece);

    fn next(&mut self) -> Option<(u32, &'a Piece)> {
        steps::add(1);
        let at = self.at;
        let piece = self.table.get(at)?;
        self.at = (self.link)(piece);
        Some((at, piece))
    }
}
