//! The program: hands its arguments to [`cwmp_agent::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    cwmp_agent::cli::main(std::env::args_os().skip(1))
}
