//! Walking the tree: every object, table and row that exists, parents before children.
//!
//! The path of where a walk stands, and the keys and numbers of the rows around it, lie in
//! buffers that are used again from row to row: a walk over a large table allocates nothing
//! for a row. A [`Place`] of its own is made only where somebody keeps one.

use super::rows::RowSet;
use super::schema::{ObjectId, Schema};
use super::tree::{At, Model, Place, push_row};
use std::sync::Arc;

/// A walk from one place over all that is below it.
pub(super) struct Walk {
    /// Of where the walk stands, with a dot at the end. Who appends to it cuts it off again.
    pub path: String,
    /// Keys of the rows around, outermost first; longer than the walk is deep where it was
    /// deeper before. The numbers likewise.
    keys: Vec<String>,
    numbers: Vec<u32>,
    /// Where the walk stands, and how many rows are around that, itself included.
    here: Here,
    depth: usize,
    has_begun: bool,
    /// What the walk stands in, from the beginning down: only what has anything below it.
    frames: Vec<Frame>,
}

/// What a walk stands on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    pub object: ObjectId,
    /// The table itself, not a row of it.
    pub is_table: bool,
}

struct Frame {
    object: ObjectId,
    /// Of a table.
    rows: Option<Arc<RowSet>>,
    /// The length of its path.
    end: usize,
    /// How many rows are around it, itself included.
    depth: usize,
    /// Which child or row comes next.
    next: usize,
}

impl Walk {
    pub fn from(place: Place) -> Walk {
        Walk {
            path: place.path,
            keys: place.keys.to_vec(),
            numbers: place.numbers.to_vec(),
            here: Here {
                object: place.object,
                is_table: place.is_table,
            },
            depth: place.numbers.len(),
            has_begun: false,
            frames: Vec::new(),
        }
    }

    /// Where [`Model::step`] came to, kept beyond the next step.
    pub fn place(&self) -> Place {
        let at = self.at();
        Place {
            object: at.object,
            path: at.path.to_owned(),
            keys: at.keys.into(),
            numbers: at.numbers.into(),
            is_table: self.here.is_table,
        }
    }

    /// Where [`Model::step`] came to.
    pub fn at(&self) -> At<'_> {
        At {
            object: self.here.object,
            path: &self.path,
            keys: self.keys.get(..self.depth).unwrap_or_default(),
            numbers: self.numbers.get(..self.depth).unwrap_or_default(),
        }
    }

    /// Puts the walk on the next place.
    #[inline(always)]
    fn advance(&mut self, schema: &Schema) -> Option<Here> {
        if !self.has_begun {
            self.has_begun = true;
            return Some(self.here);
        }
        loop {
            let frame = self.frames.last_mut()?;
            let next = frame.next;
            frame.next += 1;
            match &frame.rows {
                Some(rows) => {
                    if let Some((number, key)) = rows.rows.get(next) {
                        self.path.truncate(frame.end);
                        push_row(&mut self.path, *number);
                        match self.numbers.get_mut(frame.depth) {
                            Some(known) => *known = *number,
                            None => self.numbers.push(*number),
                        }
                        match self.keys.get_mut(frame.depth) {
                            Some(known) => known.clone_from(key),
                            None => self.keys.push(key.clone()),
                        }
                        self.depth = frame.depth + 1;
                        self.here = Here {
                            object: frame.object,
                            is_table: false,
                        };
                        return Some(self.here);
                    }
                }
                None => {
                    if let Some(child) = schema.object(frame.object).children.get(next) {
                        let object = schema.object(*child);
                        self.path.truncate(frame.end);
                        self.path.push_str(&object.name);
                        self.path.push('.');
                        self.depth = frame.depth;
                        self.here = Here {
                            object: *child,
                            is_table: object.table.is_some(),
                        };
                        return Some(self.here);
                    }
                }
            }
            self.frames.pop();
        }
    }

    /// What is below the place comes next.
    fn enter(&mut self, rows: Option<Arc<RowSet>>) {
        self.frames.push(Frame {
            object: self.here.object,
            rows,
            end: self.path.len(),
            depth: self.depth,
            next: 0,
        });
    }
}

impl Model {
    /// The next place of a walk. A table in trouble has no rows here.
    pub(super) fn step(&mut self, walk: &mut Walk) -> Option<Here> {
        let here = walk.advance(&self.schema)?;
        if here.is_table {
            if let Ok(rows) = self.rows_at(&walk.at())
                && !rows.rows.is_empty()
            {
                walk.enter(Some(rows));
            }
        } else if !self.schema.object(here.object).children.is_empty() {
            walk.enter(None);
        }
        Some(here)
    }

    /// The next place of a walk; what is below it is passed over.
    pub(super) fn step_over(&mut self, walk: &mut Walk) -> Option<Here> {
        walk.advance(&self.schema)
    }
}
