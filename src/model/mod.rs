//! The TR-181 tree: what exists, what is allowed, what changes together.
//!
//! [`Schema`] is the checked form of the data-model files; [`Model`] lays it over the
//! [`Source`](source::Source)s and answers what the RPCs ask. Pure: nothing here opens a
//! file or a socket, reads a clock or draws a random number. Files change only through
//! the [`Journal`](source::Journal).
//!
//! ```text
//! data-model/*.toml ──> schema ──> tree (paths, rows, numbers) ──> get, names
//!                                   │                              attributes, changes
//!                                   └─> transaction ──> sources ──> journal
//! ```

pub mod api;
pub mod attributes;
pub mod binding;
pub mod changes;
mod constraints;
mod convert;
mod datetime;
pub mod facets;
pub mod inform_parameters;
mod instances;
pub mod named;
mod names;
mod notification;
mod objects;
pub mod path;
pub mod pattern;
mod reading;
mod references;
mod rows;
pub mod schema;
pub mod source;
mod transaction;
mod tree;
mod troubles;
pub mod value;
mod walk;

pub use api::{
    AttributeEntry, AttributeItem, Entry, EntryRef, Fault, Limits, NameEntry, ParameterFault,
    SetError, SetItem, SetOutcome, Watched, WatchedValue,
};
pub use names::Names;
pub use notification::{Origins, Which};
pub use path::Path;
pub use schema::{Schema, SchemaError};
pub use tree::Model;
pub use value::ValueType;
