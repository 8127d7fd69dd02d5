//! Tells the program when it was built: a router's clock below that moment is wrong.
//! `SOURCE_DATE_EPOCH` makes the build reproducible. And packs the data-model files that the
//! program carries.

use flate2::{Compress, Compression, FlushCompress};
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let given = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    println!("cargo:rustc-env=CWMP_BUILD_TIME={}", given.unwrap_or(now));
    data_model()
}

/// Deflates the files of `data-model/` for `src/source/builtin.rs`.
fn data_model() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=data-model");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut files: Vec<PathBuf> = std::fs::read_dir("data-model")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    // A program without software modules shows none.
    if std::env::var_os("CARGO_FEATURE_SOFTWARE_MODULES").is_none() {
        files.retain(|file| !file.ends_with("software-modules.toml"));
    }
    files.sort();
    let mut list = String::from("const PACKED: &[Packed] = &[\n");
    for file in files {
        let name = file.file_name().and_then(|n| n.to_str()).ok_or("a name")?;
        let text = std::fs::read(&file)?;
        // A little text may grow, by less than this.
        let mut packed = Vec::with_capacity(text.len() + 1024);
        Compress::new(Compression::best(), false).compress_vec(
            &text,
            &mut packed,
            FlushCompress::Finish,
        )?;
        std::fs::write(out.join(name), packed)?;
        writeln!(
            list,
            "Packed {{ name: {name:?}, size: {}, bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\")) }},",
            text.len()
        )?;
    }
    list.push_str("];\n");
    std::fs::write(out.join("data_model.rs"), list)?;
    Ok(())
}
