//! One TLS connection over a stream that somebody else holds, and what its errors mean.

use std::io::{self, Read, Write};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::{BadCertificate, TlsConfig};
use crate::net::http::TlsError;

/// The client's side of a connection; the bytes come and go by whoever holds the stream.
pub(in crate::net) struct Connection(Box<ClientConnection>);

impl Connection {
    /// Nothing is sent yet. `host` is the name that the certificate must hold.
    pub(in crate::net) fn new(config: &TlsConfig, host: &str) -> Result<Connection, TlsError> {
        let fail = |why: rustls::Error| tls_error(host, &why);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| fail(rustls::Error::General("not a host name".to_owned())))?;
        let client = ClientConnection::new(config.client(), name).map_err(fail)?;
        Ok(Connection(Box::new(client)))
    }

    /// The handshake, to its end. [`failure`] tells what an error means.
    pub(in crate::net) fn shake_hands(&mut self, mut io: impl Read + Write) -> io::Result<()> {
        while self.0.is_handshaking() {
            self.0.complete_io(&mut io)?;
        }
        Ok(())
    }

    /// Sends all of it.
    pub(in crate::net) fn send(&mut self, io: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() || self.0.wants_write() {
            let taken = self.0.writer().write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            while self.0.wants_write() {
                self.0.write_tls(io)?;
            }
        }
        Ok(())
    }

    /// The next bytes of what the peer says; 0: it has said goodbye. `is_gone` tells that the
    /// peer cannot be written to any more, which is no error here: an alert may still be there
    /// to read.
    pub(in crate::net) fn receive(
        &mut self,
        mut io: impl Read + Write,
        into: &mut [u8],
        is_gone: impl Fn(io::ErrorKind) -> bool,
    ) -> io::Result<usize> {
        loop {
            match self.0.reader().read(into) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            if self.0.wants_write() {
                match self.0.write_tls(&mut io) {
                    Err(e) if !is_gone(e.kind()) => return Err(e),
                    _ => {}
                }
            }
            self.0.read_tls(&mut io)?;
            if let Err(why) = self.0.process_new_packets() {
                // Tell the peer, as far as it still listens.
                let _ = self.0.write_tls(&mut io);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
    }

    /// Whether nothing but TLS housekeeping has come and the peer has not said goodbye, on a
    /// stream that does not wait.
    pub(in crate::net) fn is_quiet(&mut self, mut io: impl Read) -> io::Result<bool> {
        // Session tickets come after the handshake; a few records at most.
        for _ in 0..16 {
            match self.0.read_tls(&mut io) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    let state = self.0.process_new_packets().map_err(io::Error::other)?;
                    if state.peer_has_closed() || state.plaintext_bytes_to_read() > 0 {
                        return Ok(false);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }

    /// Says goodbye, as far as the stream takes it.
    pub(in crate::net) fn goodbye(&mut self, mut io: impl Write) {
        self.0.send_close_notify();
        let _ = self.0.write_tls(&mut io);
    }
}

/// What TLS itself says in an error of a connection to `host` (empty: not known); `None`: the
/// error is the stream's.
pub(in crate::net) fn failure(e: &io::Error, host: &str) -> Option<TlsError> {
    let inner = e.get_ref()?;
    Some(tls_error(host, inner.downcast_ref::<rustls::Error>()?))
}

fn tls_error(host: &str, why: &rustls::Error) -> TlsError {
    let host = host.to_owned();
    if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = why
        && let Some(bad) = other.0.downcast_ref::<BadCertificate>()
    {
        let bad = bad.clone();
        return TlsError::Certificate { host, bad };
    }
    TlsError::Handshake {
        host,
        why: why.to_string(),
    }
}
