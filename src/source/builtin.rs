//! The data model that is compiled in: it serves where no directory of data-model files
//! exists (see `data_model` in agent.toml).
//!
//! The program carries the files deflated (`build.rs` does that), a quarter of their size. A
//! test holds them against the folder `data-model`.

use flate2::{Decompress, FlushDecompress};

/// A deflated file: its name, its size once it is inflated, its bytes.
struct Packed {
    name: &'static str,
    size: usize,
    bytes: &'static [u8],
}

// PACKED: every file in `data-model/`, in order of name.
include!(concat!(env!("OUT_DIR"), "/data_model.rs"));

/// Name and text of every file in `data-model/`, in order of name.
pub fn files() -> Vec<(String, String)> {
    let mut inflate = Decompress::new(false);
    let mut files = Vec::with_capacity(PACKED.len());
    for file in PACKED {
        let mut text = Vec::with_capacity(file.size);
        inflate.reset(false);
        // What build.rs wrote can be read; were it not so, the test would say it.
        let _ = inflate.decompress_vec(file.bytes, &mut text, FlushDecompress::Finish);
        let text = String::from_utf8(text).unwrap_or_default();
        files.push((file.name.to_owned(), text));
    }
    files
}
