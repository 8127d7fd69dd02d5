//! The data model that is compiled in: it serves where no directory of data-model files
//! exists (see `data_model` in agent.toml).
//!
//! The program carries the files deflated (`build.rs` does that), a quarter of their size. A
//! test holds them against the folder `data-model`.

use crate::model::schema::ModelFile;
use flate2::{Decompress, FlushDecompress};
use std::borrow::Cow;

/// A deflated file: its name, its size once it is inflated, its bytes.
struct Packed {
    name: &'static str,
    size: usize,
    bytes: &'static [u8],
}

// PACKED: every file in `data-model/`, in order of name.
include!(concat!(env!("OUT_DIR"), "/data_model.rs"));

impl Packed {
    fn inflated(&self, inflate: &mut Decompress) -> String {
        let mut text = Vec::with_capacity(self.size);
        inflate.reset(false);
        // What build.rs wrote can be read; were it not so, the test would say it.
        let _ = inflate.decompress_vec(self.bytes, &mut text, FlushDecompress::Finish);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl ModelFile for Packed {
    fn name(&self) -> &str {
        self.name
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.inflated(&mut Decompress::new(false)))
    }
}

/// Every file in `data-model/`, in order of name.
pub fn packed() -> impl Iterator<Item = &'static dyn ModelFile> {
    PACKED.iter().map(|file| file as _)
}

/// Name and text of every file in `data-model/`, in order of name.
pub fn files() -> Vec<(String, String)> {
    let mut inflate = Decompress::new(false);
    PACKED
        .iter()
        .map(|file| (file.name.to_owned(), file.inflated(&mut inflate)))
        .collect()
}
