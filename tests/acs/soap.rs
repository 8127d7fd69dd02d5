//! Reads what the CPE sends: one SOAP envelope into a [`CpeMessage`]. It reads leniently;
//! whether the message is allowed is the business of `check`.

use roxmltree::{Document, Node as Xml, ParsingOptions};

/// SOAP 1.1 envelope namespace.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// SOAP 1.1 encoding namespace.
pub const ENC: &str = "http://schemas.xmlsoap.org/soap/encoding/";
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// CWMP namespace without its minor number.
pub const CWMP: &str = "urn:dslforum-org:cwmp-1-";

/// What a POST of the CPE is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpeKind {
    /// No body: the ACS's turn.
    Empty,
    /// A request of the CPE (Inform, TransferComplete, …).
    Request,
    /// A response to a request of the ACS.
    Response,
    /// A SOAP fault.
    Fault,
    /// No SOAP at all; why.
    Unreadable(String),
}

/// One message of the CPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpeMessage {
    pub kind: CpeKind,
    /// The element in the Body: `Inform`, `GetParameterValuesResponse`, `Fault`; empty
    /// for an empty POST.
    pub name: String,
    /// cwmp:ID.
    pub id: Option<String>,
    /// N of the cwmp-1-N namespace.
    pub minor: Option<u8>,
    /// SOAP headers by local name, ID included.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub raw: String,
    /// For an Inform.
    pub inform: Option<Inform>,
    /// ParameterValueStructs (Inform, GetParameterValuesResponse).
    pub values: Vec<ParameterValue>,
    /// GetParameterNamesResponse.
    pub infos: Vec<ParameterInfo>,
    /// GetParameterAttributesResponse.
    pub attributes: Vec<ParameterAttributes>,
    /// GetRPCMethodsResponse.
    pub methods: Vec<String>,
    /// Arguments that are plain text (`Status`, `InstanceNumber`, `CommandKey`), in order.
    pub args: Vec<(String, String)>,
    pub fault: Option<CpeFault>,
}

/// An Inform's arguments (TR-069 A.3.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inform {
    pub manufacturer: String,
    pub oui: String,
    pub product_class: String,
    pub serial_number: String,
    pub events: Vec<Event>,
    pub max_envelopes: String,
    pub current_time: String,
    pub retry_count: u32,
}

/// One event of an Inform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `1 BOOT`, `M Reboot`, …
    pub code: String,
    pub command_key: String,
}

/// A parameter's value as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterValue {
    pub name: String,
    pub value: String,
    /// xsi:type without its prefix, for example `unsignedInt`.
    pub kind: String,
}

/// An entry of GetParameterNamesResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    pub name: String,
    pub writable: bool,
}

/// An entry of GetParameterAttributesResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterAttributes {
    pub name: String,
    pub notification: String,
    pub access: Vec<String>,
}

/// A CWMP fault of the CPE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CpeFault {
    /// SOAP faultcode (`Client`, `Server`), prefix removed.
    pub soap_code: String,
    /// SOAP faultstring: must be `CWMP fault`.
    pub soap_text: String,
    /// FaultCode; 0 where the detail lacks it.
    pub code: u16,
    pub text: String,
    /// SetParameterValuesFault entries.
    pub parameters: Vec<SetFault>,
}

/// One SetParameterValuesFault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFault {
    pub path: String,
    pub code: u16,
    pub text: String,
}

impl CpeMessage {
    /// Reads a POST's body.
    pub fn read(body: &[u8]) -> CpeMessage {
        let mut message = CpeMessage::blank(CpeKind::Empty);
        if body.is_empty() {
            return message;
        }
        message.raw = String::from_utf8_lossy(body).into_owned();
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(e) => {
                message.kind = CpeKind::Unreadable(format!("not UTF-8: {e}"));
                return message;
            }
        };
        match parse(text) {
            Ok(doc) => message.fill(&doc),
            Err(e) => message.kind = CpeKind::Unreadable(e.to_string()),
        }
        message
    }

    fn blank(kind: CpeKind) -> CpeMessage {
        CpeMessage {
            kind,
            name: String::new(),
            id: None,
            minor: None,
            headers: Vec::new(),
            raw: String::new(),
            inform: None,
            values: Vec::new(),
            infos: Vec::new(),
            attributes: Vec::new(),
            methods: Vec::new(),
            args: Vec::new(),
            fault: None,
        }
    }

    fn fill(&mut self, doc: &Document) {
        let root = doc.root_element();
        if !root.has_tag_name((SOAP, "Envelope")) {
            let name = root.tag_name().name();
            self.kind = CpeKind::Unreadable(format!("the root is {name}, not a SOAP 1.1 Envelope"));
            return;
        }
        if let Some(header) = child(root, "Header") {
            for h in elements(header) {
                self.headers.push((h.tag_name().name().into(), text(h)));
            }
        }
        self.id = self
            .headers
            .iter()
            .find(|(n, _)| n == "ID")
            .map(|(_, v)| v.clone());
        let Some(rpc) = child(root, "Body").and_then(|b| elements(b).next()) else {
            self.kind = CpeKind::Unreadable("no element in the Body".into());
            return;
        };
        self.name = rpc.tag_name().name().into();
        self.minor = minor(rpc);
        if self.name == "Fault" {
            self.kind = CpeKind::Fault;
            self.fill_fault(rpc);
            return;
        }
        let response = self.name.ends_with("Response");
        self.kind = if response {
            CpeKind::Response
        } else {
            CpeKind::Request
        };
        for arg in elements(rpc).filter(|a| elements(*a).next().is_none()) {
            self.args.push((arg.tag_name().name().into(), text(arg)));
        }
        self.fill_lists(rpc);
        if self.name == "Inform" {
            self.inform = Some(inform(rpc));
        }
    }

    fn fill_lists(&mut self, rpc: Xml) {
        let flag = |n: Xml, name| matches!(under(n, name).as_str(), "1" | "true");
        for node in rpc.descendants().filter(Xml::is_element) {
            match node.tag_name().name() {
                "ParameterValueStruct" => self.values.push(value(node)),
                "ParameterInfoStruct" => self.infos.push(ParameterInfo {
                    name: under(node, "Name"),
                    writable: flag(node, "Writable"),
                }),
                "ParameterAttributeStruct" => self.attributes.push(ParameterAttributes {
                    name: under(node, "Name"),
                    notification: under(node, "Notification"),
                    access: child(node, "AccessList")
                        .map(|l| elements(l).map(text).collect())
                        .unwrap_or_default(),
                }),
                "MethodList" => self.methods = elements(node).map(text).collect(),
                _ => {}
            }
        }
    }

    fn fill_fault(&mut self, rpc: Xml) {
        let mut fault = CpeFault {
            soap_code: unprefixed(&under(rpc, "faultcode")).into(),
            soap_text: under(rpc, "faultstring"),
            ..CpeFault::default()
        };
        if let Some(detail) = child(rpc, "detail").and_then(|d| child(d, "Fault")) {
            self.minor = minor(detail);
            fault.code = under(detail, "FaultCode").trim().parse().unwrap_or(0);
            fault.text = under(detail, "FaultString");
            let sets =
                elements(detail).filter(|n| n.tag_name().name() == "SetParameterValuesFault");
            fault.parameters = sets
                .map(|n| SetFault {
                    path: under(n, "ParameterName"),
                    code: under(n, "FaultCode").trim().parse().unwrap_or(0),
                    text: under(n, "FaultString"),
                })
                .collect();
        }
        self.fault = Some(fault);
    }

    /// The value of this parameter in the message.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|v| v.name == path)
            .map(|v| v.value.as_str())
    }

    /// A plain argument: `Status`, `InstanceNumber`, `CommandKey`.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// A SOAP header by local name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The fault code, if it is a fault.
    pub fn fault_code(&self) -> Option<u16> {
        self.fault.as_ref().map(|f| f.code)
    }
}

/// Parses without DTDs.
pub(super) fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions {
        allow_dtd: false,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text.strip_prefix('\u{feff}').unwrap_or(text), options)
}

pub(super) fn elements<'a, 'i>(node: Xml<'a, 'i>) -> impl Iterator<Item = Xml<'a, 'i>> {
    node.children().filter(Xml::is_element)
}

pub(super) fn child<'a, 'i>(node: Xml<'a, 'i>, name: &str) -> Option<Xml<'a, 'i>> {
    elements(node).find(|n| n.tag_name().name() == name)
}

pub(super) fn text(node: Xml) -> String {
    node.children()
        .filter(Xml::is_text)
        .filter_map(|n| n.text())
        .collect()
}

pub(super) fn unprefixed(qname: &str) -> &str {
    qname.rsplit(':').next().unwrap_or(qname).trim()
}

fn under(node: Xml, name: &str) -> String {
    child(node, name).map(text).unwrap_or_default()
}

fn minor(node: Xml) -> Option<u8> {
    node.tag_name()
        .namespace()?
        .strip_prefix(CWMP)?
        .parse()
        .ok()
}

fn value(node: Xml) -> ParameterValue {
    let kind = child(node, "Value")
        .and_then(|v| v.attribute((XSI, "type")))
        .unwrap_or_default();
    ParameterValue {
        name: under(node, "Name"),
        value: under(node, "Value"),
        kind: unprefixed(kind).into(),
    }
}

fn inform(rpc: Xml) -> Inform {
    let id = child(rpc, "DeviceId");
    let device = |name| id.map(|d| under(d, name)).unwrap_or_default();
    let event = |n| Event {
        code: under(n, "EventCode"),
        command_key: under(n, "CommandKey"),
    };
    Inform {
        manufacturer: device("Manufacturer"),
        oui: device("OUI"),
        product_class: device("ProductClass"),
        serial_number: device("SerialNumber"),
        events: child(rpc, "Event")
            .map(|e| elements(e).map(event).collect())
            .unwrap_or_default(),
        max_envelopes: under(rpc, "MaxEnvelopes"),
        current_time: under(rpc, "CurrentTime"),
        retry_count: under(rpc, "RetryCount").trim().parse().unwrap_or(u32::MAX),
    }
}
