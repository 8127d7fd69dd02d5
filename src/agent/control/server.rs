//! The daemon's side of the control socket, without a thread of its own: the dispatcher
//! polls the descriptors and calls [`ControlServer::ready`].

use super::{Answer, MAX_QUESTION, Question, line, socket_path};
use crate::notation::json;
use nix::poll::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many clients may be connected without having asked; a further one pushes out the
/// one that has been idle for longest.
const MAX_CLIENTS: usize = 64;
/// How long a client may take to send its question.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long no client is taken after the system could not give a descriptor.
const DEAF: Duration = Duration::from_secs(1);

/// A question that came in, and the stream its answer goes to.
pub struct Asked {
    pub question: Question,
    pub reply_to: Reply,
}

/// Where an answer goes. Answering blocks for at most ten seconds: never on the
/// dispatcher's thread for more than a small answer.
pub struct Reply(UnixStream);

impl Reply {
    /// Sends the answer; a client that has gone is no error.
    pub fn send(mut self, answer: &Answer) {
        let _ = self.0.set_nonblocking(false);
        let _ = self.0.set_write_timeout(Some(PATIENCE));
        if let Err(e) = self.0.write_all(&line(answer)) {
            log::debug!("a control client went away before its answer: {e}");
        }
    }
}

struct Client {
    stream: UnixStream,
    text: Vec<u8>,
    since: Instant,
}

/// The listening socket and the clients that have not finished their question.
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
    /// No connection is taken before this moment: the system has no descriptor left, and
    /// the listener would be ready again at once.
    deaf_until: Option<Instant>,
}

impl ControlServer {
    /// Listens in `run_dir` (mode 0600). The caller holds the state lock, so a socket
    /// that is already there is a left-over and goes. Whoever finds the socket by its name
    /// is heard: it gets the name when it listens and is for the owner only.
    pub fn bind(run_dir: &Path) -> io::Result<ControlServer> {
        let at = socket_path(run_dir)?;
        let new = at.path.with_file_name("control.new");
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        std::fs::rename(&new, &at.path)?;
        Ok(ControlServer {
            listener,
            path: run_dir.join(super::SOCKET),
            clients: Vec::new(),
            deaf_until: None,
        })
    }

    /// What to poll for.
    pub fn poll_fds(&self) -> Vec<PollFd<'_>> {
        let mut fds = Vec::with_capacity(1 + self.clients.len());
        if self.deaf_until.is_none() {
            fds.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
        }
        for client in &self.clients {
            fds.push(PollFd::new(client.stream.as_fd(), PollFlags::POLLIN));
        }
        fds
    }

    /// Serves a descriptor that poll found ready; yields a question once it is whole.
    pub fn ready(&mut self, fd: RawFd) -> Option<Asked> {
        if fd == self.listener.as_raw_fd() {
            self.accept();
            return None;
        }
        let at = self
            .clients
            .iter()
            .position(|c| c.stream.as_raw_fd() == fd)?;
        let client = self.clients.get_mut(at)?;
        match client.read() {
            Progress::More => None,
            Progress::Gone => {
                self.clients.remove(at);
                None
            }
            Progress::Whole(question) => {
                let reply = Reply(self.clients.remove(at).stream);
                match question {
                    Ok(question) => Some(Asked {
                        question,
                        reply_to: reply,
                    }),
                    Err(what) => {
                        reply.send(&Answer::Failed(what));
                        None
                    }
                }
            }
        }
    }

    /// Drops clients that never finish their question.
    pub fn tick(&mut self) {
        self.clients.retain(|c| c.since.elapsed() < PATIENCE);
        self.deaf_until = self.deaf_until.filter(|until| Instant::now() < *until);
    }

    fn accept(&mut self) {
        // Bounded: the loop comes back for those that are left.
        for _ in 0..MAX_CLIENTS {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_ok() {
                        if self.clients.len() >= MAX_CLIENTS {
                            self.clients.remove(0);
                        }
                        self.clients.push(Client {
                            stream,
                            text: Vec::new(),
                            since: Instant::now(),
                        });
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => {
                    log::warn!("commands are not heard for a moment: {e}");
                    self.deaf_until = Some(Instant::now() + DEAF);
                    break;
                }
            }
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What the dispatcher itself answers: short enough for the socket's buffer, although the
/// parser repeats what it was sent.
fn not_a_question(error: &json::Error) -> String {
    let what: String = error.to_string().chars().take(200).collect();
    format!("not a question: {what}")
}

enum Progress {
    More,
    Gone,
    Whole(Result<Question, String>),
}

impl Client {
    fn read(&mut self) -> Progress {
        let mut piece = [0u8; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Progress::Gone,
                Ok(n) => {
                    self.text.extend_from_slice(piece.get(..n).unwrap_or(&[]));
                    if let Some(end) = self.text.iter().position(|b| *b == b'\n') {
                        let question = json::read(self.text.get(..end).unwrap_or(&[]))
                            .map_err(|e| not_a_question(&e));
                        return Progress::Whole(question);
                    }
                    if self.text.len() > MAX_QUESTION {
                        return Progress::Whole(Err(format!(
                            "the question is longer than {MAX_QUESTION} bytes"
                        )));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Progress::More,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Progress::Gone,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_of_any_length_has_a_short_answer() {
        let text = format!("{{{:?}:{{}}}}", "x".repeat(MAX_QUESTION - 16));
        let error = json::read::<Question>(text.as_bytes()).expect_err("no question");
        assert!(error.to_string().len() > 1000, "the parser repeats it all");
        assert!(not_a_question(&error).len() < 1000);
    }
}
