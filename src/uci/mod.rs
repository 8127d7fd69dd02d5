//! The OpenWrt configuration format: an independent reader and editor of UCI files.
//!
//! [`Package::parse`] reads exactly what libuci reads and refuses exactly what it
//! refuses; the edit functions change the lines they must and leave every other byte of
//! the file alone, so that operators, LuCI and the `uci` program can work on the same
//! files. [`mod@file`] reads files with a size limit and tells whether one has changed;
//! [`lock`] takes the lock that libuci's commit takes.
//!
//! ```
//! use cwmp_agent::uci::{Package, Value};
//!
//! let mut package = Package::parse(b"# home\nconfig system\n\toption hostname 'box'\n")?;
//! let system = package.find("@system[0]").expect("the file has one");
//! package.set(system, "hostname", "it's mine")?;
//! assert_eq!(
//!     package.to_bytes(),
//!     b"# home\nconfig system\n\toption hostname 'it'\\''s mine'\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This room never writes a file (`store` does), never reads the delta files of others
//! in `/tmp/.uci`, never starts a program, and never shows a value in `Debug` or in an
//! error: values hold passwords.

mod edit;
mod export;
pub mod file;
mod line;
mod lines;
pub mod lock;
mod package;
mod parse;
mod pieces;
mod steps;
mod table;
mod token;

pub use edit::EditError;
pub use export::{Exported, split_export, without_comments};
pub use package::{Options, Package, Section, Value};
pub use parse::ParseError;

/// The largest file that is read or made, in bytes. Router configuration is a few dozen
/// KiB; a larger file is refused rather than kept in the memory of a small router.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Whether libuci takes `name` as the name of a section or an option: ASCII letters,
/// digits and `_`, at least one.
pub fn valid_name(name: &str) -> bool {
    token::is_name(name.as_bytes())
}

/// Whether libuci takes `kind` as the type of a section: printable ASCII without
/// spaces, at least one character.
pub fn valid_kind(kind: &str) -> bool {
    token::is_kind(kind.as_bytes())
}

/// Whether libuci takes `name` as the name of a package, which is that of its file: ASCII
/// letters, digits, `_` and `-`, at least one.
pub fn valid_package(name: &str) -> bool {
    token::is_package(name.as_bytes())
}

/// Whether `value` can be kept in a UCI file and in libuci's delta files: any text
/// without control characters other than tab, line feed and carriage return.
pub fn valid_value(value: &str) -> bool {
    !value
        .bytes()
        .any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
}
