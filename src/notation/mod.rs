//! Reading of written tables into the program's own types, key by key.
//!
//! Below every other room: it knows TOML, and nothing of what the keys mean. It opens no
//! file. A derived reader of each type would do the same in four times the code, which a
//! router's flash has no room for.

pub mod table;
