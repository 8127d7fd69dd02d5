//! SOAP 1.1 as CWMP uses it (TR-069 3.5): reading what an ACS sends, writing what a
//! CPE sends.
//!
//! Reading is generous in form (any prefix, any `cwmp-1-N` namespace, CDATA, comments)
//! and strict in substance (UTF-8, no DTD, bounded size, depth and count). Writing is
//! strict throughout: schema-valid envelopes into one bounded buffer.

mod decode;
mod encode;
mod read;
mod scan;
mod write;

pub use encode::{
    NamesWriter, ValuesWriter, write_cpe_fault, write_cpe_request, write_cpe_response,
    write_inform, write_not_understood,
};
pub use read::{AcsBody, AcsEnvelope, AcsMessage, ReadError, read_acs_message};
pub use write::TooLarge;

use super::version::CwmpVersion;

pub(crate) const ENVELOPE_NS: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const ENCODING_NS: &str = "http://schemas.xmlsoap.org/soap/encoding/";
pub(crate) const XSD_NS: &str = "http://www.w3.org/2001/XMLSchema";
pub(crate) const XSI_NS: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Bounds of one message from the ACS; past one of them the message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body.
    pub bytes: usize,
    /// Levels of nested elements.
    pub depth: u32,
    /// Elements, texts and comments together.
    pub nodes: u32,
}

impl Default for Limits {
    /// 1 MiB, 32 levels, 65,536 nodes. TR-069 asks for at least 32 KiB.
    fn default() -> Limits {
        Limits {
            bytes: 1 << 20,
            depth: 32,
            nodes: 1 << 16,
        }
    }
}

/// What every envelope of a CPE is written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Decides the namespace and which fault codes and values may appear.
    pub version: CwmpVersion,
    /// The `ID` header; `None` when a request without one is answered.
    pub id: Option<String>,
    /// Bytes the message may have.
    pub cap: usize,
}
