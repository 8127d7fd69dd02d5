//! What stands in the place of TLS in a program that was built without it: nothing can be set
//! up, so that there is no connection whose methods could be called.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Read, Write};

use super::{Clock, TlsConfigError, TlsFiles};
use crate::net::http::TlsError;

/// TLS ready for use: there is none.
#[derive(Clone)]
pub struct TlsConfig(Infallible);

/// Which certificate was refused and why: none is ever looked at.
#[derive(Debug, Clone)]
pub struct BadCertificate(Infallible);

impl fmt::Display for BadCertificate {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl std::error::Error for BadCertificate {}

impl TlsFiles {
    /// Whether a client certificate is of any use here.
    ///
    /// # Errors
    /// [`TlsConfigError::Absent`] where there is one.
    pub fn check_pair(&self) -> Result<(), TlsConfigError> {
        match (&self.client_cert, &self.client_key) {
            (None, None) => Ok(()),
            _ => Err(TlsConfigError::Absent),
        }
    }
}

impl TlsConfig {
    /// No file is read.
    ///
    /// # Errors
    /// Always [`TlsConfigError::Absent`].
    pub fn load(_: &TlsFiles, _: Clock, _floor: i64) -> Result<TlsConfig, TlsConfigError> {
        Err(TlsConfigError::Absent)
    }
}

/// A connection that never comes about.
pub(in crate::net) struct Connection(Infallible);

impl Connection {
    pub(in crate::net) fn new(config: &TlsConfig, _host: &str) -> Result<Connection, TlsError> {
        match config.0 {}
    }

    pub(in crate::net) fn shake_hands(&mut self, _: impl Read + Write) -> io::Result<()> {
        match self.0 {}
    }

    pub(in crate::net) fn send(&mut self, _: &mut impl Write, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(in crate::net) fn receive(
        &mut self,
        _: impl Read + Write,
        _: &mut [u8],
        _: impl Fn(io::ErrorKind) -> bool,
    ) -> io::Result<usize> {
        match self.0 {}
    }

    pub(in crate::net) fn is_quiet(&mut self, _: impl Read) -> io::Result<bool> {
        match self.0 {}
    }

    pub(in crate::net) fn goodbye(&mut self, _: impl Write) {
        match self.0 {}
    }
}

/// No error of a stream is one of TLS.
pub(in crate::net) fn failure(_: &io::Error, _host: &str) -> Option<TlsError> {
    None
}
