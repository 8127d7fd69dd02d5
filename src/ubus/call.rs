//! Calls that wait for their answer.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Map, Value};

use super::client::{Answer, Client, ClientConfig, Found, Happening, Ticket};
use super::status::CallError;

/// A client for a thread that has nothing else to do until the answer is there. It connects
/// with its first call, and again when the connection was lost.
pub struct Caller {
    client: Client,
}

impl Caller {
    /// For the ubusd at this socket, root included.
    pub fn new(socket: &Path) -> Caller {
        let config = ClientConfig {
            socket: socket.to_owned(),
            ..ClientConfig::default()
        };
        Caller {
            client: Client::new(config, Instant::now()),
        }
    }

    /// Calls a method; its answers in their order, often one.
    ///
    /// # Errors
    /// [`CallError::Absent`] at once where ubusd is not there; the others say why there is
    /// no answer, at the deadline at the latest.
    pub fn call(
        &mut self,
        path: &str,
        method: &str,
        arguments: &Map<String, Value>,
        deadline: Instant,
    ) -> Result<Vec<Map<String, Value>>, CallError> {
        let now = self.connect();
        let ticket = self.client.call(path, method, arguments, deadline, now);
        match self.wait(ticket, deadline)? {
            Answer::Tables(tables) => Ok(tables),
            Answer::Objects(_) => Ok(Vec::new()),
        }
    }

    /// Looks up objects, as [`Client::lookup`].
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn lookup(
        &mut self,
        path: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<Found>, CallError> {
        let now = self.connect();
        let ticket = self.client.lookup(path, deadline, now);
        match self.wait(ticket, deadline)? {
            Answer::Objects(found) => Ok(found),
            Answer::Tables(_) => Ok(Vec::new()),
        }
    }

    /// Sends an event to all who listen for it.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn send(
        &mut self,
        event: &str,
        about: &Map<String, Value>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let now = self.connect();
        let ticket = self.client.send(event, about, deadline, now);
        self.wait(ticket, deadline).map(drop)
    }

    /// Connects where there is no connection, and notices where there is none any more.
    fn connect(&mut self) -> Instant {
        let now = Instant::now();
        self.client.ready(now);
        self.client.connect(now);
        now
    }

    fn wait(&mut self, ticket: Ticket, deadline: Instant) -> Result<Answer, CallError> {
        loop {
            while let Some(happening) = self.client.next_happening() {
                match happening {
                    Happening::Answered(its, outcome) if its == ticket => return outcome,
                    _ => {}
                }
            }
            let now = Instant::now();
            if now >= deadline {
                self.client.tick(now);
                return Err(CallError::TimedOut);
            }
            let due = self
                .client
                .next_deadline()
                .unwrap_or(deadline)
                .min(deadline);
            let Some((fd, flags)) = self.client.fd() else {
                return Err(CallError::Lost);
            };
            let mut fds = [PollFd::new(fd, flags | PollFlags::POLLHUP)];
            let left = due.saturating_duration_since(now) + Duration::from_millis(1);
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            // Interrupted is a reason to look again, as is anything else.
            let _ = poll(&mut fds, left);
            self.client.ready(Instant::now());
        }
    }
}
