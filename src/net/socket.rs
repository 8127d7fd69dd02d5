//! TCP sockets as the agent needs them: bound to a device, a source address, with a DSCP,
//! connected within a time, listening without surprises.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, getsockopt, listen,
    setsockopt, socket, sockopt,
};

/// What a connection keeps to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Our own address.
    pub source: Option<IpAddr>,
    /// A kernel device (SO_BINDTODEVICE).
    pub device: Option<String>,
    /// DSCP, 0–63.
    pub dscp: Option<u8>,
}

/// How often a connection that is being made is asked whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);

/// Connects within a time, as long as it is `wanted`. TCP_NODELAY is set: a POST goes out at
/// once (a router that waits for the ACS's delayed ACK loses 40 ms a message).
///
/// # Errors
/// What the kernel said; `TimedOut` when the time was over, `ConnectionAborted` when it was
/// not wanted any more.
pub fn connect_tcp(
    to: SocketAddr,
    route: &Route,
    within: Duration,
    wanted: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let fd = open(to, route.device.as_deref())?;
    if let Some(dscp) = route.dscp {
        set_dscp(&fd, to.is_ipv6(), dscp)?;
    }
    if let Some(source) = route.source {
        let from = SockaddrStorage::from(SocketAddr::new(source, 0));
        bind(fd.as_raw_fd(), &from)?;
    }
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS | Errno::EINTR) => wait_connected(&fd, within, wanted)?,
        Err(e) => return Err(e.into()),
    }
    let stream = TcpStream::from(fd);
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn wait_connected(fd: &OwnedFd, within: Duration, wanted: &dyn Fn() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !wanted() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // Rounded up, so that the last millisecond is not a busy loop.
        let millis = u32::try_from(left.min(LOOK).as_millis() + 1).unwrap_or(u32::MAX);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
        match nix::poll::poll(&mut fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => {
                return match getsockopt(fd, sockopt::SocketError)? {
                    0 => Ok(()),
                    error => Err(io::Error::from_raw_os_error(error)),
                };
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// A listening socket that never blocks. An IPv6 one takes IPv6 only, so that both families can
/// have the same port.
///
/// # Errors
/// What the kernel said.
pub fn listen_tcp(at: SocketAddr, device: Option<&str>) -> io::Result<TcpListener> {
    let fd = open(at, device)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if at.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(at))?;
    listen(&fd, Backlog::new(64)?)?;
    Ok(TcpListener::from(fd))
}

/// Marks the packets of a socket with a DSCP (RFC 2474), 0–63; what a listening socket accepts
/// has the same.
///
/// # Errors
/// What the kernel said.
pub fn set_dscp(socket: &impl AsFd, ipv6: bool, dscp: u8) -> io::Result<()> {
    let class = i32::from(dscp & 0x3f) << 2;
    if ipv6 {
        setsockopt(socket, sockopt::Ipv6TClass, &class)?;
    } else {
        setsockopt(socket, sockopt::Ipv4Tos, &class)?;
    }
    Ok(())
}

fn open(address: SocketAddr, device: Option<&str>) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None)?;
    if let Some(device) = device {
        setsockopt(&fd, sockopt::BindToDevice, &device.into())?;
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_connection_that_hangs_is_given_up_when_it_is_not_wanted_any_more() {
        // A listener with a full queue drops what would open another connection.
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let fd = open(any, None).expect("a socket");
        bind(fd.as_raw_fd(), &SockaddrStorage::from(any)).expect("a free port");
        listen(&fd, Backlog::new(1).expect("one")).expect("listening");
        let full = TcpListener::from(fd);
        let at = full.local_addr().expect("an address");
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(100)) {
            held.push(stream);
            assert!(held.len() < 64, "the queue never fills");
        }
        let asked = Cell::new(0);
        let wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < 3
        };
        let begun = Instant::now();
        let route = Route::default();
        let given_up = connect_tcp(at, &route, Duration::from_secs(60), &wanted);
        let kind = given_up.map(|_| ()).map_err(|e| e.kind());
        assert_eq!(kind, Err(io::ErrorKind::ConnectionAborted));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let late = connect_tcp(at, &route, Duration::from_millis(50), &|| true);
        let kind = late.map(|_| ()).map_err(|e| e.kind());
        assert_eq!(kind, Err(io::ErrorKind::TimedOut));
    }
}
