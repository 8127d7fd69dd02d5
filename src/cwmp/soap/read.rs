//! From bytes to an [`AcsMessage`].

use super::{ENVELOPE_NS, Limits, decode, scan};
use crate::cwmp::fault::{AcsFault, Fault};
use crate::cwmp::message::{AcsRequest, AcsResponse};
use crate::cwmp::version::{CwmpVersion, version_of_namespace};
use roxmltree::{Document, Node, ParsingOptions};
use std::fmt;

/// The SOAP actor that stands for whoever reads the message next: us.
const NEXT_ACTOR: &str = "http://schemas.xmlsoap.org/soap/actor/next";

/// What an HTTP body of the ACS holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsMessage {
    /// Nothing, or white space only.
    Empty,
    Envelope(Box<AcsEnvelope>),
    /// A fault in XML that is not well-formed (`<soap-env:Body:Fault>`), as a widely
    /// used ACS writes it: there is a fault and nothing more can be said about it.
    UnintelligibleFault,
}

/// One envelope of the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcsEnvelope {
    /// The `ID` header, exactly as sent.
    pub id: Option<String>,
    /// The `HoldRequests` header; absent is false.
    pub hold_requests: bool,
    /// The `UseCWMPVersion` header.
    pub use_version: Option<String>,
    /// The first header with `mustUnderstand="1"` that this CPE does not know.
    pub not_understood: Option<String>,
    /// What the namespace of the message stands for; `None` for a fault without detail.
    pub version: Option<CwmpVersion>,
    pub body: AcsBody,
}

/// What is in the Body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsBody {
    /// An empty Body: read like an empty HTTP body, headers and all.
    Nothing,
    Request(AcsRequest),
    /// A request whose arguments break the rules of its method: answer this fault.
    BadRequest {
        method: String,
        fault: Fault,
    },
    Response(AcsResponse),
    Fault(AcsFault),
}

/// Why a body of the ACS cannot be read. The session fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// More bytes than [`Limits::bytes`].
    TooLong { bytes: usize, limit: usize },
    /// Deeper than [`Limits::depth`].
    TooDeep { limit: u32 },
    /// More nodes than [`Limits::nodes`], or an element with too many attributes.
    TooMany(&'static str),
    /// Not UTF-8, or declared to be something else.
    Encoding(String),
    /// A document type declaration; CWMP has none, attackers do.
    Dtd,
    /// Not well-formed XML.
    Xml(String),
    /// XML, but not an envelope that CWMP allows.
    NotSoap(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::TooLong { bytes, limit } => {
                write!(f, "the message has {bytes} bytes, {limit} are allowed")
            }
            ReadError::TooDeep { limit } => {
                write!(f, "elements are nested deeper than {limit} levels")
            }
            ReadError::TooMany(what) => write!(f, "too many {what}"),
            ReadError::Encoding(what) => write!(f, "not UTF-8: {what}"),
            ReadError::Dtd => f.write_str("a document type declaration is not allowed"),
            ReadError::Xml(what) => write!(f, "not well-formed XML: {what}"),
            ReadError::NotSoap(what) => write!(f, "not a CWMP message: {what}"),
        }
    }
}

/// Reads one HTTP body of an ACS. Never panics, whatever the bytes; memory is bounded
/// by a small multiple of [`Limits`], stack use does not depend on the input.
pub fn read_acs_message(body: &[u8], limits: &Limits) -> Result<AcsMessage, ReadError> {
    if body.len() > limits.bytes {
        return Err(ReadError::TooLong {
            bytes: body.len(),
            limit: limits.bytes,
        });
    }
    if body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]) {
        return Err(ReadError::Encoding("it begins like UTF-16".into()));
    }
    let text = std::str::from_utf8(body)
        .map_err(|e| ReadError::Encoding(format!("wrong byte at offset {}", e.valid_up_to())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Ok(AcsMessage::Empty);
    }
    check_declaration(text)?;
    scan::scan(text, limits)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: limits.nodes,
        ..ParsingOptions::default()
    };
    match Document::parse_with_options(text, options) {
        Ok(document) => envelope(&document).map(|e| AcsMessage::Envelope(Box::new(e))),
        Err(roxmltree::Error::DtdDetected) => Err(ReadError::Dtd),
        Err(roxmltree::Error::NodesLimitReached) => Err(ReadError::TooMany("elements")),
        Err(_) if is_unintelligible_fault(text) => Ok(AcsMessage::UnintelligibleFault),
        Err(e) => Err(ReadError::Xml(e.to_string())),
    }
}

/// Refuses an XML declaration that names another encoding than UTF-8 or its subset ASCII.
fn check_declaration(text: &str) -> Result<(), ReadError> {
    let Some(declaration) = text
        .strip_prefix("<?xml")
        .filter(|rest| rest.starts_with([' ', '\t', '\r', '\n']))
        .and_then(|rest| rest.split_once("?>"))
        .map(|(inside, _)| inside)
    else {
        return Ok(());
    };
    let Some((_, after)) = declaration.split_once("encoding") else {
        return Ok(());
    };
    let name = after.trim_start().strip_prefix('=').map(str::trim_start);
    let name = name.and_then(|n| {
        let quote = n.chars().next().filter(|q| matches!(q, '"' | '\''))?;
        n.get(1..)?.split(quote).next()
    });
    match name {
        Some(n) if n.eq_ignore_ascii_case("utf-8") || n.eq_ignore_ascii_case("us-ascii") => Ok(()),
        Some(n) => {
            let shown: String = n.chars().take(32).collect();
            Err(ReadError::Encoding(format!("declared as {shown:?}")))
        }
        None => Err(ReadError::Xml("the XML declaration is broken".into())),
    }
}

/// Whether text that is not well-formed is a whole envelope around a tag such as
/// `<soap-env:Body:Fault>`: a name with two colons that ends in `:Fault`.
fn is_unintelligible_fault(text: &str) -> bool {
    let whole = text
        .strip_suffix('>')
        .map(str::trim_end)
        .and_then(|t| t.rsplit("</").next())
        .is_some_and(|name| name == "Envelope" || name.ends_with(":Envelope"));
    whole
        && text.split('<').any(|tag| {
            let name = tag
                .split([' ', '\t', '\r', '\n', '>', '/'])
                .next()
                .unwrap_or_default();
            name.ends_with(":Fault") && name.bytes().filter(|b| *b == b':').count() == 2
        })
}

/// Reads the parts of an envelope.
fn envelope(document: &Document<'_>) -> Result<AcsEnvelope, ReadError> {
    let root = document.root_element();
    if !is_soap(root, "Envelope") {
        return Err(ReadError::NotSoap(format!(
            "the root element is {:?}, not a SOAP 1.1 Envelope",
            shown(root.tag_name().name())
        )));
    }
    let mut message = AcsEnvelope {
        id: None,
        hold_requests: false,
        use_version: None,
        not_understood: None,
        version: None,
        body: AcsBody::Nothing,
    };
    let mut body = None;
    for part in elements(root) {
        if is_soap(part, "Header") && body.is_none() {
            for header in elements(part) {
                read_header(header, &mut message)?;
            }
        } else if is_soap(part, "Body") && body.is_none() {
            body = Some(part);
        } else {
            return Err(ReadError::NotSoap(format!(
                "{:?} has no place in the Envelope",
                shown(part.tag_name().name())
            )));
        }
    }
    let body = body.ok_or_else(|| ReadError::NotSoap("the Envelope has no Body".into()))?;
    let mut children = elements(body);
    let Some(content) = children.next() else {
        return Ok(message);
    };
    if children.next().is_some() {
        return Err(ReadError::NotSoap(
            "the Body holds more than one message".into(),
        ));
    }
    if is_soap(content, "Fault") {
        let (fault, version) = read_fault(content);
        message.version = version;
        message.body = AcsBody::Fault(fault);
        return Ok(message);
    }
    message.version = content
        .tag_name()
        .namespace()
        .and_then(version_of_namespace);
    message.body = if message.version.is_some() {
        decode::message(content)
    } else {
        // Not CWMP: some other protocol's method, which this CPE does not know.
        AcsBody::Request(AcsRequest::Unknown(shown(content.tag_name().name())))
    };
    Ok(message)
}

fn read_header(header: Node<'_, '_>, message: &mut AcsEnvelope) -> Result<(), ReadError> {
    let name = header.tag_name().name();
    let cwmp = header
        .tag_name()
        .namespace()
        .and_then(version_of_namespace)
        .is_some();
    match name {
        "ID" if cwmp => message.id = Some(text_of(header)),
        "HoldRequests" if cwmp => {
            message.hold_requests = boolean(&text_of(header)).ok_or_else(|| {
                ReadError::NotSoap("HoldRequests is neither 0, 1, true nor false".into())
            })?;
        }
        "UseCWMPVersion" if cwmp => message.use_version = Some(text_of(header).trim().to_string()),
        // Deprecated or meant for the other direction: without meaning here.
        "NoMoreRequests" | "SessionTimeout" | "SupportedCWMPVersions" if cwmp => {}
        _ => {
            let must = header.attribute((ENVELOPE_NS, "mustUnderstand"));
            let for_us = header
                .attribute((ENVELOPE_NS, "actor"))
                .is_none_or(|actor| actor.is_empty() || actor == NEXT_ACTOR);
            if must.and_then(boolean) == Some(true) && for_us && message.not_understood.is_none() {
                message.not_understood = Some(shown(name));
            }
        }
    }
    Ok(())
}

/// Reads a fault: CWMP's code from the detail, or at least SOAP's text.
fn read_fault(fault: Node<'_, '_>) -> (AcsFault, Option<CwmpVersion>) {
    let soap_text = child(fault, "faultstring").map(text_of).unwrap_or_default();
    let detail = child(fault, "detail").and_then(|d| child(d, "Fault"));
    let code = detail
        .and_then(|d| child(d, "FaultCode"))
        .and_then(|c| text_of(c).trim().parse().ok())
        .unwrap_or(0);
    let text = detail
        .and_then(|d| child(d, "FaultString"))
        .map(text_of)
        .filter(|t| !t.is_empty())
        .unwrap_or(soap_text);
    let version = detail
        .and_then(|d| d.tag_name().namespace())
        .and_then(version_of_namespace);
    (
        AcsFault {
            code,
            text: text.chars().take(256).collect(),
        },
        version,
    )
}

/// Whether this is that element of SOAP 1.1.
fn is_soap(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().namespace() == Some(ENVELOPE_NS) && node.tag_name().name() == name
}

/// The child elements.
pub(super) fn elements<'a, 'i>(
    node: Node<'a, 'i>,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i> {
    node.children().filter(Node::is_element)
}

/// The first child element of that local name, whatever its namespace.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    elements(node).find(|c| c.tag_name().name() == name)
}

/// The element's own text: all its texts and CDATA sections in order, nothing trimmed.
pub(super) fn text_of(node: Node<'_, '_>) -> String {
    let mut text = String::new();
    for piece in node.children().filter(Node::is_text) {
        text.push_str(piece.text().unwrap_or_default());
    }
    text
}

/// The XSD boolean, white space around it allowed.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim_matches([' ', '\t', '\r', '\n']) {
        "0" | "false" => Some(false),
        "1" | "true" => Some(true),
        _ => None,
    }
}

/// A name from outside, short enough to be kept and shown.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
