//! Reading of JSON and TOML into the program's own types, and streams that are deflated.
//!
//! Below every other room: it knows how things are written, and nothing of what they mean.
//! It opens no file. They are made to be small where they are used, which is in
//! many places: a router's flash is.

pub mod deflate;
pub mod json;
pub mod table;
