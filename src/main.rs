//! The program: hands its arguments to [`cwmp_agent::cli`].

fn main() {}
