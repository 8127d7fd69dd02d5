//! Walking the tree: every object, table and row that exists, parents before children.
//!
//! The path of where a walk stands lies in one buffer. A [`Place`], with a path and keys of
//! its own, is made only where somebody asks for it: names need none.

use super::schema::ObjectId;
use super::tree::{Model, Place, RowSet, push_row};
use std::rc::Rc;
use std::sync::Arc;

/// A walk from one place over all that is below it.
pub(super) struct Walk {
    /// Of where the walk stands, with a dot at the end. Who appends to it cuts it off again.
    pub path: String,
    /// From the beginning down to where the walk stands.
    frames: Vec<Frame>,
    start: Option<Place>,
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
    kind: Kind,
    /// The length of its path.
    end: usize,
    /// Which child or row comes next.
    next: usize,
    /// Made when it is first asked for; shared with what is below.
    around: Option<Around>,
}

/// Keys and numbers of the rows around a place and of the row itself, outermost first.
#[derive(Clone)]
struct Around {
    keys: Rc<[String]>,
    numbers: Rc<[u32]>,
}

enum Kind {
    Table(Arc<RowSet>),
    /// One of these rows.
    Row(Arc<RowSet>, usize),
    /// A single object, or the row that the walk began at.
    Single,
}

impl Walk {
    pub fn from(place: Place) -> Walk {
        Walk {
            path: place.path.clone(),
            frames: Vec::new(),
            start: Some(place),
        }
    }

    /// The place that [`Model::step`] came to.
    pub fn place(&mut self) -> Place {
        let around = self.around();
        let top = self.frames.last();
        Place {
            // A walk that has not begun stands on nothing anybody asks about.
            object: top.map_or(ObjectId::ROOT, |frame| frame.object),
            path: self.path.clone(),
            keys: around.keys,
            numbers: around.numbers,
            is_table: top.is_some_and(|frame| matches!(frame.kind, Kind::Table(_))),
        }
    }

    fn around(&mut self) -> Around {
        let mut outer: Option<&Around> = None;
        for frame in &mut self.frames {
            let known = frame
                .around
                .get_or_insert_with(|| match (&frame.kind, outer) {
                    (Kind::Row(rows, at), _) => Around::with_row(outer, rows.rows.get(*at)),
                    (_, Some(outer)) => outer.clone(),
                    (_, None) => Around::none(),
                });
            outer = Some(known);
        }
        outer.cloned().unwrap_or_else(Around::none)
    }
}

impl Around {
    fn none() -> Around {
        Around {
            keys: Rc::from([]),
            numbers: Rc::from([]),
        }
    }

    fn with_row(outer: Option<&Around>, row: Option<&(u32, String)>) -> Around {
        let (keys, numbers) = match outer {
            Some(outer) => (&*outer.keys, &*outer.numbers),
            None => (&[][..], &[][..]),
        };
        Around {
            keys: keys
                .iter()
                .chain(row.map(|(_, key)| key))
                .cloned()
                .collect(),
            numbers: numbers.iter().chain(row.map(|(n, _)| n)).copied().collect(),
        }
    }
}

impl Model {
    /// The next place of a walk. A table in trouble has no rows here.
    pub(super) fn step(&mut self, walk: &mut Walk) -> Option<Here> {
        let here = match walk.start.take() {
            Some(place) => {
                let here = Here {
                    object: place.object,
                    is_table: place.is_table,
                };
                let around = Around {
                    keys: place.keys,
                    numbers: place.numbers,
                };
                walk.enter(here.object, Kind::Single, Some(around));
                here
            }
            None => {
                let (here, kind) = self.next(walk)?;
                walk.enter(here.object, kind, None);
                here
            }
        };
        if here.is_table {
            let table = Place {
                is_table: true,
                ..walk.place()
            };
            let rows = self.rows_of(&table).unwrap_or_default();
            if let Some(frame) = walk.frames.last_mut() {
                frame.kind = Kind::Table(rows);
            }
        }
        Some(here)
    }

    /// The next place of a walk; what is below it is passed over.
    pub(super) fn step_over(&mut self, walk: &mut Walk) -> Option<Here> {
        self.next(walk).map(|(here, _)| here)
    }

    fn next(&self, walk: &mut Walk) -> Option<(Here, Kind)> {
        loop {
            let frame = walk.frames.last_mut()?;
            walk.path.truncate(frame.end);
            let at = frame.next;
            frame.next += 1;
            match &frame.kind {
                Kind::Table(rows) => {
                    if let Some((number, _)) = rows.rows.get(at) {
                        push_row(&mut walk.path, *number);
                        let here = Here {
                            object: frame.object,
                            is_table: false,
                        };
                        return Some((here, Kind::Row(Arc::clone(rows), at)));
                    }
                }
                Kind::Row(..) | Kind::Single => {
                    let children = &self.schema.object(frame.object).children;
                    if let Some(child) = children.get(at) {
                        let object = self.schema.object(*child);
                        walk.path.push_str(&object.name);
                        walk.path.push('.');
                        let here = Here {
                            object: *child,
                            is_table: object.table.is_some(),
                        };
                        return Some((here, Kind::Single));
                    }
                }
            }
            walk.frames.pop();
        }
    }
}

impl Walk {
    fn enter(&mut self, object: ObjectId, kind: Kind, around: Option<Around>) {
        self.frames.push(Frame {
            object,
            kind,
            end: self.path.len(),
            next: 0,
            around,
        });
    }
}
