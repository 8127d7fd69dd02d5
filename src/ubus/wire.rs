//! The socket to ubusd: bytes in, whole messages out, never more than a bound of either.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket,
};

use super::message::{Head, NoMessage, frame};

/// What one call of [`Wire::read`] takes at most, so that a sender without end does not
/// keep the poll loop.
const ONE_READ: usize = 64 * 1024;
const PIECE: usize = 4096;

/// A whole message that came.
pub(super) enum Received {
    /// The message, head included.
    Message(Head, Vec<u8>),
    /// It was larger than the limit; its bytes are passed over.
    TooLarge(Head),
}

/// A connection that never blocks.
pub(super) struct Wire {
    socket: OwnedFd,
    incoming: Vec<u8>,
    /// How much is still to come of a message nobody keeps.
    skip: usize,
    outgoing: Vec<u8>,
    largest: usize,
}

impl Wire {
    /// Connects; a Unix socket does so at once or not at all. Messages above `largest`
    /// bytes are not kept, and no more than twice that waits to be sent.
    pub fn connect(path: &Path, largest: usize) -> io::Result<Wire> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Wire {
            socket,
            incoming: Vec::new(),
            skip: 0,
            outgoing: Vec::new(),
            largest,
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether bytes wait for the socket to take them.
    pub fn wants_to_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Puts a message behind those that wait; `false` where too much waits already.
    pub fn queue(&mut self, message: &[u8]) -> bool {
        let room = self.outgoing.len().saturating_add(message.len()) <= 2 * self.largest;
        if room {
            self.outgoing.extend_from_slice(message);
        }
        room
    }

    /// Sends what the socket takes.
    pub fn write(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match send(
                self.socket.as_raw_fd(),
                &self.outgoing,
                MsgFlags::MSG_NOSIGNAL,
            ) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => drop(self.outgoing.drain(..sent.min(self.outgoing.len()))),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.outgoing = Vec::new();
        Ok(())
    }

    /// Takes what has come; `UnexpectedEof` where the other side has ended.
    pub fn read(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        for _ in 0..ONE_READ / PIECE {
            // Not even a sender without end gets more kept than one message and a piece.
            if self.incoming.len() > self.largest {
                return Ok(());
            }
            // A plain recv: descriptors that come along are closed by the kernel.
            match recv(self.socket.as_raw_fd(), &mut piece, MsgFlags::empty()) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.take(piece.get(..n).unwrap_or_default()),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, piece: &[u8]) {
        let skipped = self.skip.min(piece.len());
        self.skip -= skipped;
        self.incoming
            .extend_from_slice(piece.get(skipped..).unwrap_or_default());
    }

    /// The next whole message of what has been read. An error where there can be none.
    pub fn next(&mut self) -> Result<Option<Received>, NoMessage> {
        let Some((head, length)) = frame(&self.incoming)? else {
            return Ok(None);
        };
        if length > self.largest {
            let here = length.min(self.incoming.len());
            self.incoming.drain(..here);
            self.skip = length - here;
            return Ok(Some(Received::TooLarge(head)));
        }
        if self.incoming.len() < length {
            return Ok(None);
        }
        let rest = self.incoming.split_off(length);
        let message = std::mem::replace(&mut self.incoming, rest);
        Ok(Some(Received::Message(head, message)))
    }
}
