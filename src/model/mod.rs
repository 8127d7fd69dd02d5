//! (to be written)
pub mod binding;
pub mod source;
