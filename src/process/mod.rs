//! Running a program: argv and never a shell, a clean environment, bounded output,
//! killed with its process group when its time is over.
//!
//! This room knows nothing of what is run; it keeps no state.

use log::warn;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where programs look for others.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run and how far it may go.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    /// The program and its arguments. The first must be an absolute path.
    pub argv: &'a [String],
    /// Added to the environment, which holds nothing else but `PATH`.
    pub env: &'a [(&'a str, &'a str)],
    /// Killed after this time, with all that it started and that stayed in its process
    /// group. One that ends in time may leave such behind (a service it started).
    pub timeout: Duration,
    /// What happens to its output.
    pub output: Output,
}

/// What happens to a program's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output is taken up to this many bytes (more is an error); standard error
    /// is dropped.
    Take { cap: usize },
    /// Standard output is dropped; standard error is ours (the log).
    Drop,
    /// Standard output is dropped; standard error is taken, however much it is: for
    /// [`run_handing`], whose taker keeps what it wants.
    Errors,
}

/// Why a program gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// argv is empty, not absolute, or holds a NUL.
    Argv(String),
    /// It could not be started.
    Start(String),
    /// It ran longer than allowed and was killed.
    TimedOut(Duration),
    /// It wrote more than allowed and was killed.
    TooMuch(usize),
    /// It ended with this exit status.
    Status(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// Its output could not be read, or its end not be waited for.
    Lost(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Argv(what) | RunError::Start(what) | RunError::Lost(what) => {
                f.write_str(what)
            }
            RunError::TimedOut(t) => {
                write!(f, "ran longer than {} ms and was killed", t.as_millis())
            }
            RunError::TooMuch(cap) => write!(f, "wrote more than {cap} bytes and was killed"),
            RunError::Status(n) => write!(f, "ended with exit status {n}"),
            RunError::Signal(n) => match Signal::try_from(*n) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {n}"),
            },
        }
    }
}

impl std::error::Error for RunError {}

/// Runs a program to its end and returns its standard output (empty with
/// [`Output::Drop`]). Its standard input is empty. Blocks at most `timeout` and the
/// moment that killing takes.
pub fn run(program: &Program<'_>) -> Result<Vec<u8>, RunError> {
    let mut taken = Vec::new();
    run_handing(program, &mut |piece| {
        taken.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(taken)
}

/// As [`run`]; what is taken of its output is handed over piece by piece, also that of a
/// program which fails in the end. An error of the taker ends the program
/// ([`RunError::Lost`]).
pub fn run_handing(program: &Program<'_>, taker: &mut Taker<'_>) -> Result<(), RunError> {
    let Some((name, arguments)) = program.argv.split_first() else {
        return Err(RunError::Argv("no program is named".to_owned()));
    };
    if !name.starts_with('/') {
        return Err(RunError::Argv(format!(
            "{name}: not an absolute path; write the program's whole path"
        )));
    }
    if program.argv.iter().any(|a| a.contains('\0')) {
        return Err(RunError::Argv(format!("{name}: an argument holds a NUL")));
    }
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(program.env.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    match program.output {
        Output::Take { .. } => command.stdout(Stdio::piped()).stderr(Stdio::null()),
        Output::Drop => command.stdout(Stdio::null()).stderr(Stdio::inherit()),
        Output::Errors => command.stdout(Stdio::null()).stderr(Stdio::piped()),
    };
    let child = command
        .spawn()
        .map_err(|e| RunError::Start(format!("cannot be started: {e}")))?;
    let mut running = Running {
        child,
        reaped: false,
    };
    // No program is waited for longer than a day; more would only overflow somewhere.
    let until = Instant::now() + program.timeout.min(Duration::from_secs(86_400));
    let pipe = match program.output {
        Output::Take { cap } => running.child.stdout.take().map(|p| (OwnedFd::from(p), cap)),
        Output::Errors => {
            let pipe = running.child.stderr.take();
            pipe.map(|p| (OwnedFd::from(p), usize::MAX))
        }
        Output::Drop => None,
    };
    if let Some((pipe, cap)) = pipe {
        running.take_output(pipe, cap, until, program.timeout, taker)?;
    }
    let status = running.wait(until, program.timeout)?;
    if let Some(signal) = status.signal() {
        return Err(RunError::Signal(signal));
    }
    match status.code() {
        Some(0) => Ok(()),
        code => Err(RunError::Status(code.unwrap_or(-1))),
    }
}

/// Gets a program's output as it comes.
pub type Taker<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// A child that does not outlive its owner: dropped before it ended, it is killed with
/// its process group, and reaped.
struct Running {
    child: Child,
    reaped: bool,
}

/// How often a child that shows no sign is looked at: short at first, most are quick.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(50);

impl Running {
    /// Reads a pipe until it is closed or the child has ended.
    fn take_output(
        &mut self,
        pipe: OwnedFd,
        cap: usize,
        until: Instant,
        timeout: Duration,
        taker: &mut Taker<'_>,
    ) -> Result<(), RunError> {
        let mut pipe = std::fs::File::from(pipe);
        let mut taken: usize = 0;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(lost)?;
        let mut look = LOOK_MIN;
        let mut ended = false;
        let mut buffer = [0u8; 4096];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    taken = taken.saturating_add(n);
                    if taken > cap {
                        return Err(RunError::TooMuch(cap));
                    }
                    taker(buffer.get(..n).unwrap_or_default()).map_err(lost)?;
                    if Instant::now() >= until {
                        return Err(RunError::TimedOut(timeout));
                    }
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(lost(e)),
            }
            if ended {
                // What it started still holds the pipe; its own output is complete.
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RunError::TimedOut(timeout));
            }
            let wait = PollTimeout::try_from(left.min(look)).unwrap_or(PollTimeout::ZERO);
            let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, wait) {
                Ok(0) => {
                    ended = self.try_wait()?.is_some();
                    look = (look * 2).min(LOOK_MAX);
                }
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(lost(e)),
            }
        }
    }

    fn wait(&mut self, until: Instant, timeout: Duration) -> Result<ExitStatus, RunError> {
        let mut look = LOOK_MIN;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RunError::TimedOut(timeout));
            }
            std::thread::sleep(left.min(look));
            look = (look * 2).min(LOOK_MAX);
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>, RunError> {
        let status = self.child.try_wait().map_err(lost)?;
        self.reaped |= status.is_some();
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // Not reaped yet, so the pid, and with it the group, is still the child's.
        let kill = match i32::try_from(self.child.id()) {
            Ok(pid) => killpg(Pid::from_raw(pid), Signal::SIGKILL).map_err(io::Error::from),
            Err(_) => self.child.kill(),
        };
        if let Err(e) = kill.and_then(|()| self.child.wait().map(|_| ())) {
            warn!("process {}: cannot be killed: {e}", self.child.id());
        }
    }
}

fn lost(e: impl Into<io::Error>) -> RunError {
    RunError::Lost(e.into().to_string())
}
