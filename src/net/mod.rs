//! Wires: HTTP towards the ACS and towards file servers, TLS, HTTP authentication (both sides), cookies, URLs.
//!
//! This room carries bytes and knows nothing of SOAP, of sessions or of the data model.
//! What HTTP can settle on its own — a 401, a redirect, a cookie, a connection that was
//! closed between two requests — is settled here and never restarts a session
//! (TR-069 3.4). It must never log a credential, follow a redirect from https to http,
//! or switch the verification of a certificate off.

pub mod auth;
pub mod cookies;
pub mod file;
pub mod http;
pub mod socket;
pub mod tls;
pub mod url;
