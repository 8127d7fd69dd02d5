//! The TR-181 tree.
