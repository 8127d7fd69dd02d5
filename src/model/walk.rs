//! Walking the tree: every object, table and row that exists, parents before children.
//!
//! The path of where a walk stands, and the keys and numbers of the rows around it, lie in
//! buffers that are used again from row to row: a walk over a large table allocates nothing
//! for a row. A [`Place`] of its own is made only where somebody keeps one.

use super::schema::ObjectId;
use super::tree::{At, Model, Place, RowSet, push_row};
use std::sync::Arc;

/// A walk from one place over all that is below it.
pub(super) struct Walk {
    /// Of where the walk stands, with a dot at the end. Who appends to it cuts it off again.
    pub path: String,
    /// Keys of the rows around, outermost first; longer than the walk is deep where it was
    /// deeper before.
    keys: Vec<String>,
    numbers: Vec<u32>,
    /// From the beginning down to where the walk stands.
    frames: Vec<Frame>,
    /// Not begun yet.
    start: Option<Here>,
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
    /// Of a table, until the walk has been to all of them.
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
            frames: Vec::new(),
            start: Some(Here {
                object: place.object,
                is_table: place.is_table,
            }),
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
            is_table: self.frames.last().is_some_and(|top| top.rows.is_some()),
        }
    }

    /// Where [`Model::step`] came to.
    pub fn at(&self) -> At<'_> {
        let top = self.frames.last();
        let depth = top.map_or(0, |top| top.depth);
        At {
            // A walk that has not begun stands on nothing anybody asks about.
            object: top.map_or(ObjectId::ROOT, |top| top.object),
            path: &self.path,
            keys: self.keys.get(..depth).unwrap_or_default(),
            numbers: self.numbers.get(..depth).unwrap_or_default(),
        }
    }

    /// Puts the walk on the next place; its rows, where it is a table, come after.
    fn advance(&mut self, model: &Model) -> Option<Here> {
        if let Some(start) = self.start.take() {
            self.enter(start.object, self.numbers.len());
            return Some(start);
        }
        loop {
            let frame = self.frames.last_mut()?;
            self.path.truncate(frame.end);
            let at = frame.next;
            frame.next += 1;
            let (object, depth) = (frame.object, frame.depth);
            match &frame.rows {
                Some(rows) => {
                    if let Some((number, key)) = rows.rows.get(at) {
                        push_row(&mut self.path, *number);
                        self.numbers.truncate(depth);
                        self.numbers.push(*number);
                        match self.keys.get_mut(depth) {
                            Some(known) => known.clone_from(key),
                            None => self.keys.push(key.clone()),
                        }
                        self.enter(object, depth + 1);
                        let is_table = false;
                        return Some(Here { object, is_table });
                    }
                }
                None => {
                    let children = &model.schema.object(object).children;
                    if let Some(child) = children.get(at) {
                        let object = model.schema.object(*child);
                        self.path.push_str(&object.name);
                        self.path.push('.');
                        self.enter(*child, depth);
                        return Some(Here {
                            object: *child,
                            is_table: object.table.is_some(),
                        });
                    }
                }
            }
            self.frames.pop();
        }
    }

    fn enter(&mut self, object: ObjectId, depth: usize) {
        self.frames.push(Frame {
            object,
            rows: None,
            end: self.path.len(),
            depth,
            next: 0,
        });
    }
}

impl Model {
    /// The next place of a walk. A table in trouble has no rows here.
    pub(super) fn step(&mut self, walk: &mut Walk) -> Option<Here> {
        let here = walk.advance(self)?;
        if here.is_table {
            let rows = self.rows_at(walk.at());
            if let Some(frame) = walk.frames.last_mut() {
                frame.rows = Some(rows.unwrap_or_default());
            }
        }
        Some(here)
    }

    /// The next place of a walk; what is below it is passed over.
    pub(super) fn step_over(&mut self, walk: &mut Walk) -> Option<Here> {
        let here = walk.advance(self);
        if here.is_some() {
            walk.frames.pop();
        }
        here
    }
}
