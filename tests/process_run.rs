//! Running real programs: no shell, bounded output and time, nothing left running.

use cwmp_agent::process::{Output, Program, RunError, run, run_handing};
use std::time::{Duration, Instant};

fn argv(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|p| p.to_string()).collect()
}

fn take(parts: &[&str], cap: usize, timeout_ms: u64) -> Result<Vec<u8>, RunError> {
    run(&Program {
        argv: &argv(parts),
        env: &[("CWMP_ROOT", "/some/root")],
        timeout: Duration::from_millis(timeout_ms),
        output: Output::Take { cap },
    })
}

const LONG: u64 = 20_000;

#[test]
fn arguments_reach_the_program_as_they_are() {
    let hostile = "$(id) `id` \"'; | > /tmp/x \\n\n*ä";
    let out = take(&["/bin/echo", "-n", hostile], 1000, LONG).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), hostile);
}

#[test]
fn the_environment_holds_path_and_what_is_given_only() {
    let out = take(&["/usr/bin/env"], 1000, LONG).unwrap();
    let mut lines: Vec<String> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        ["CWMP_ROOT=/some/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    );
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(take(&["/bin/cat"], 10, LONG).unwrap(), b"");
}

#[test]
fn more_output_than_allowed_is_an_error_and_ends_the_program() {
    let start = Instant::now();
    let told = take(&["/bin/cat", "/dev/zero"], 64 * 1024, LONG);
    assert_eq!(told, Err(RunError::TooMuch(64 * 1024)));
    assert!(start.elapsed() < Duration::from_secs(15));
    let exactly = take(
        &["/usr/bin/head", "-c", "65536", "/dev/zero"],
        64 * 1024,
        LONG,
    );
    assert_eq!(exactly.unwrap().len(), 64 * 1024);
}

#[test]
fn a_program_that_hangs_is_killed_with_all_it_started() {
    let start = Instant::now();
    // The shell is the program under test here; its child writes its pid first.
    let told = take(&["/bin/sh", "-c", "sleep 600 & echo $!; wait"], 1000, 300);
    assert_eq!(told, Err(RunError::TimedOut(Duration::from_millis(300))));
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn what_a_killed_program_started_is_gone() {
    let dir = std::env::temp_dir().join(format!("cwmp-agent-group-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let pid_file = dir.join("pid");
    let script = format!(
        "sleep 600 & echo $! > {}; exec cat /dev/zero",
        pid_file.display()
    );
    let told = take(&["/bin/sh", "-c", &script], 1000, LONG);
    assert_eq!(told, Err(RunError::TooMuch(1000)));
    let pid: i32 = std::fs::read_to_string(&pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    // Killed; perhaps still a zombie, if nobody has reaped it yet.
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => break,
            Ok(stat) if stat.contains(") Z ") => break,
            Ok(stat) => assert!(Instant::now() < until, "still there: {stat}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_service_that_a_program_starts_does_not_hold_us_up_and_lives_on() {
    let start = Instant::now();
    let out = take(&["/bin/sh", "-c", "sleep 30 & echo $!"], 1000, LONG).unwrap();
    assert!(start.elapsed() < Duration::from_secs(15));
    let pid: i32 = String::from_utf8(out).unwrap().trim().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn failures_say_what_happened() {
    assert_eq!(
        take(&["/bin/sh", "-c", "exit 3"], 10, LONG),
        Err(RunError::Status(3))
    );
    assert_eq!(
        take(&["/bin/sh", "-c", "kill -9 $$"], 10, LONG),
        Err(RunError::Signal(9))
    );
    assert!(matches!(
        take(&["/no/such/program"], 10, LONG),
        Err(RunError::Start(_))
    ));
    assert!(matches!(take(&["echo"], 10, LONG), Err(RunError::Argv(_))));
    assert!(matches!(take(&[], 10, LONG), Err(RunError::Argv(_))));
    assert!(matches!(
        take(&["/bin/echo", "a\0b"], 10, LONG),
        Err(RunError::Argv(_))
    ));
}

#[test]
fn a_program_whose_output_is_dropped_is_waited_for() {
    let run = |parts: &[&str], ms| {
        run(&Program {
            argv: &argv(parts),
            env: &[],
            timeout: Duration::from_millis(ms),
            output: Output::Drop,
        })
    };
    assert_eq!(run(&["/bin/echo", "dropped"], LONG), Ok(Vec::new()));
    assert_eq!(run(&["/bin/false"], LONG), Err(RunError::Status(1)));
    assert!(matches!(
        run(&["/bin/sleep", "600"], 100),
        Err(RunError::TimedOut(_))
    ));
}

#[test]
fn what_a_failing_program_says_of_it_is_handed_over() {
    let argv = argv(&["/bin/sh", "-c", "echo out; echo wrong >&2; exit 3"]);
    let mut said = Vec::new();
    let program = Program {
        argv: &argv,
        env: &[],
        timeout: Duration::from_millis(LONG),
        output: Output::Errors,
    };
    let ended = run_handing(&program, &mut |piece| {
        said.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(ended, Err(RunError::Status(3)));
    assert_eq!(said, b"wrong\n");
}

#[test]
fn a_taker_that_fails_ends_the_program() {
    let start = Instant::now();
    let argv = argv(&["/bin/cat", "/dev/zero"]);
    let program = Program {
        argv: &argv,
        env: &[],
        timeout: Duration::from_millis(LONG),
        output: Output::Take { cap: usize::MAX },
    };
    let full = || std::io::Error::other("the disk is full");
    let ended = run_handing(&program, &mut |_| Err(full()));
    assert_eq!(ended, Err(RunError::Lost("the disk is full".to_owned())));
    assert!(start.elapsed() < Duration::from_secs(15));
}
