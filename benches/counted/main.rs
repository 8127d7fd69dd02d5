//! The bench behind `benches/run`: counts what the agent costs, holds it against its
//! budgets and against the committed figures. What each figure means: `benches/README.md`.
//!
//! It is the ACS; the agent is the real program, another process on a copy of the sample
//! router. Nothing here measures time: instructions are counted by callgrind, memory is
//! what the kernel tells.

#[path = "../../tests/acs/mod.rs"]
mod acs;
mod agent;
mod figures;
mod instructions;
mod lives;
mod memory;
#[allow(dead_code)] // Tests use more of it.
#[path = "../../tests/net_support/pki.rs"]
mod pki;
#[path = "../../tests/router/mod.rs"]
mod router;

use figures::{Counted, Unit};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
#[derive(Default)]
struct Wanted {
    /// The release program, for the instructions.
    program: Option<PathBuf>,
    /// The static program, for the memory.
    fixed: Option<PathBuf>,
    /// The program whose functions `cross/functions` wants.
    lives: Option<PathBuf>,
    /// The compiler of each, as `rustc --version` tells it.
    rustc: [String; 2],
    update: bool,
    /// Only these figures; empty: all.
    only: Vec<String>,
    /// Where callgrind's files go, to be looked into afterwards.
    keep: Option<PathBuf>,
}

impl Wanted {
    fn asks(&self) -> bool {
        self.program.is_some() || self.fixed.is_some() || self.lives.is_some()
    }
}

fn wanted() -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--program" => wanted.program = Some(value()?.into()),
            "--static" => wanted.fixed = Some(value()?.into()),
            "--lives" => wanted.lives = Some(value()?.into()),
            "--rustc" => wanted.rustc = [value()?, wanted.rustc[1].clone()],
            "--static-rustc" => wanted.rustc = [wanted.rustc[0].clone(), value()?],
            "--keep" => wanted.keep = Some(value()?.into()),
            "--update" => wanted.update = true,
            // Cargo's own.
            "--bench" => {}
            _ if arg.starts_with('-') => return Err(format!("{arg} is unknown")),
            _ => wanted.only.push(arg),
        }
    }
    Ok(wanted)
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) if wanted.asks() => wanted,
        // `cargo bench` and `cargo test --benches` come here without a program.
        Ok(_) => {
            println!("run benches/run: it builds what is counted and starts this");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("{what}; run benches/run");
            return ExitCode::from(2);
        }
    };
    if let (Some(program), Some(folder)) = (&wanted.lives, &wanted.keep) {
        lives::record(program, folder);
        return ExitCode::SUCCESS;
    }
    let mut counted: Vec<Counted> = Vec::new();
    let [rustc, fixed_rustc] = &wanted.rustc;
    if let Some(program) = &wanted.program {
        let found = instructions::count(program, wanted.keep.as_deref(), &|name| {
            wanted.only.is_empty() || wanted.only.iter().any(|only| only == name)
        });
        counted.extend(found.into_iter().map(|(name, n)| Counted {
            name,
            n,
            unit: Unit::Instructions,
            rustc: rustc.clone(),
        }));
    }
    if let Some(program) = &wanted.fixed {
        let found = memory::measure(program);
        counted.extend(found.into_iter().map(|(name, n, unit)| Counted {
            name,
            n,
            unit,
            rustc: fixed_rustc.clone(),
        }));
    }
    match figures::judge(&counted, wanted.update) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
