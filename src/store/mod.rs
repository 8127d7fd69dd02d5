//! What survives a power cut: files replaced atomically, the journal that changes
//! several files together or none, small state files, and the lock that says who owns
//! them.
//!
//! Every effect on the disk goes through [`disk::Disk`], so that a stand-in can cut the
//! power after any step. Where files lie below `--root` is decided by [`rooted::Root`].
//! This room knows nothing of what the files mean.

pub mod atomic;
pub mod clock;
pub mod disk;
pub mod index;
pub mod journal;
pub mod lock;
mod print;
pub mod reloads;
pub mod rooted;
pub mod run_dir;
pub mod sha256;
pub mod state;
pub mod trial;

pub use disk::{Disk, RealDisk};
pub use index::Index;
pub use rooted::{Folders, Root};
pub use sha256::Sha256;
