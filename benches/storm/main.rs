//! The bench behind `benches/run storm`: what an ACS sees when an area gets its power back,
//! as a plot. Virtual time; it takes a second and gives the same picture each time.

mod plot;
mod simulation;

use std::process::ExitCode;

fn main() -> ExitCode {
    let file = std::env::args().skip(1).find(|arg| arg != "--bench");
    // `cargo bench` and `cargo test --benches` come here without a file.
    let Some(file) = file.filter(|arg| !arg.starts_with('-')) else {
        println!("run benches/run storm: it names the file");
        return ExitCode::SUCCESS;
    };
    let outcomes = plot::outcomes();
    for outcome in &outcomes {
        println!("{}:", outcome.title);
        for (name, load) in [("cwmp-agent", &outcome.ours), ("fixed", &outcome.fixed)] {
            println!(
                "  {name:<10} at most {:>5} Informs a second, {:>6} refused, all served after {} s",
                load.peak(),
                load.refused(),
                load.all_served
            );
        }
    }
    match std::fs::write(&file, plot::svg(&outcomes)) {
        Ok(()) => {
            println!("{file} written");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{file}: {e}");
            ExitCode::FAILURE
        }
    }
}
