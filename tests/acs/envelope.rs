//! Writes the ACS's envelopes in any [`SoapStyle`]: right ones and, for the troubles,
//! wrong ones.

use super::misbehave::{Prefixes, SoapStyle};
use super::soap::{CWMP, ENC, SOAP, XSD, XSI};

/// One element of an envelope to be written.
#[derive(Debug, Clone)]
pub struct Node {
    name: String,
    kind: Kind,
    /// xsi:type, an XSD type without prefix.
    xsi: Option<String>,
}

#[derive(Debug, Clone)]
enum Kind {
    Text(String),
    Flag(bool),
    Parent(Vec<Node>),
    /// Item type with `cwmp` or `xsd` as its prefix's meaning.
    Array(ItemType, Vec<Node>),
}

#[derive(Debug, Clone)]
enum ItemType {
    Cwmp(String),
    XsdString,
}

impl Node {
    /// An element with text.
    pub fn text(name: &str, text: &str) -> Node {
        Node {
            name: name.into(),
            kind: Kind::Text(text.into()),
            xsi: None,
        }
    }

    /// A boolean, written as the style says.
    pub fn flag(name: &str, value: bool) -> Node {
        Node {
            name: name.into(),
            kind: Kind::Flag(value),
            xsi: None,
        }
    }

    /// An element with elements in it.
    pub fn parent(name: &str, children: Vec<Node>) -> Node {
        Node {
            name: name.into(),
            kind: Kind::Parent(children),
            xsi: None,
        }
    }

    /// A SOAP array of CWMP structs.
    pub fn array(name: &str, item: &str, items: impl Iterator<Item = Node>) -> Node {
        let kind = Kind::Array(ItemType::Cwmp(item.into()), items.collect());
        Node {
            name: name.into(),
            kind,
            xsi: None,
        }
    }

    /// A SOAP array of strings.
    pub fn strings<'a>(name: &str, items: impl Iterator<Item = &'a str>) -> Node {
        let items = items.map(|s| Node::text("string", s)).collect();
        Node {
            name: name.into(),
            kind: Kind::Array(ItemType::XsdString, items),
            xsi: None,
        }
    }

    /// The same with an xsi:type.
    #[must_use]
    pub fn xsi_type(mut self, kind: &str) -> Node {
        self.xsi = Some(kind.into());
        self
    }
}

/// One envelope to write.
pub(super) struct Envelope<'a> {
    pub style: &'a SoapStyle,
    /// Element in the Body; `Fault` with one FaultCode argument makes a SOAP fault.
    pub name: &'a str,
    pub args: &'a [Node],
    pub id: Option<&'a str>,
    pub hold: Option<bool>,
    /// Name, text, mustUnderstand; see [`Rpc::soap_header`](super::Rpc::soap_header).
    pub headers: &'a [(String, String, bool)],
}

/// Prefixes in use; an empty one is the default namespace.
struct Names {
    env: &'static str,
    enc: &'static str,
    xsd: &'static str,
    xsi: &'static str,
    cwmp: &'static str,
}

const USUAL: Names = Names {
    env: "soap-env",
    enc: "soap-enc",
    xsd: "xsd",
    xsi: "xsi",
    cwmp: "cwmp",
};
const ODD: Names = Names {
    env: "S",
    enc: "e-1",
    xsd: "_x",
    xsi: "i.i",
    cwmp: "soap",
};
const DEFAULT: Names = Names {
    env: "",
    enc: "enc",
    xsd: "xs",
    xsi: "xsi",
    cwmp: "",
};

impl Envelope<'_> {
    /// The envelope's octets.
    pub(super) fn write(&self) -> Vec<u8> {
        let names = match self.style.prefixes {
            Prefixes::Usual | Prefixes::Inner => &USUAL,
            Prefixes::Odd => &ODD,
            Prefixes::DefaultNamespace => &DEFAULT,
        };
        let cwmp = format!("{CWMP}{}", self.style.minor);
        let mut w = Writer {
            style: self.style,
            n: names,
            cwmp,
            out: String::new(),
        };
        if self.style.bom {
            w.out.push('\u{feff}');
        }
        if self.style.declaration {
            w.out
                .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        }
        w.comment();
        let env = w.name(names.env, "Envelope");
        let declared = w.on_envelope();
        w.out.push_str(&format!("<{env}{declared}>"));
        self.write_header(&mut w);
        let body = w.name(names.env, "Body");
        w.out.push_str(&format!("<{body}>"));
        w.comment();
        if self.name == "Fault" {
            self.write_fault(&mut w);
        } else {
            w.rpc(self.name, self.args);
        }
        w.out.push_str(&format!("</{body}></{env}>"));
        w.out.into_bytes()
    }

    fn write_header(&self, w: &mut Writer) {
        let mut headers: Vec<(&str, String, bool)> = Vec::new();
        if let Some(id) = self.id {
            headers.push(("ID", id.into(), true));
        }
        if let Some(hold) = self.hold {
            headers.push(("HoldRequests", w.flag(hold).into(), true));
        }
        if self.style.no_more_requests {
            headers.push(("NoMoreRequests", w.flag(true).into(), false));
        }
        if let (Some(version), "InformResponse") = (&self.style.use_version, self.name) {
            headers.push(("UseCWMPVersion", version.clone(), true));
        }
        headers.extend(
            self.headers
                .iter()
                .map(|(n, t, m)| (n.as_str(), t.clone(), *m)),
        );
        if headers.is_empty() {
            return;
        }
        let header = w.name(w.n.env, "Header");
        w.out.push_str(&format!("<{header}>"));
        for (name, text, must) in headers {
            let (open, close) = match name.split_once(':') {
                Some((prefix, _)) => (
                    format!("{name} xmlns:{prefix}=\"urn:example:foreign\""),
                    name.to_string(),
                ),
                None => w.cwmp_name(name),
            };
            let env = if w.n.env.is_empty() { "m" } else { w.n.env };
            let must = u8::from(must);
            w.out
                .push_str(&format!("<{open} {env}:mustUnderstand=\"{must}\">"));
            w.text(&text);
            w.out.push_str(&format!("</{close}>"));
        }
        w.out.push_str(&format!("</{header}>"));
    }

    fn write_fault(&self, w: &mut Writer) {
        let fault = w.name(w.n.env, "Fault");
        // In the default namespace style the fault's own elements must leave it again.
        let bare = if w.n.env.is_empty() {
            " xmlns=\"\""
        } else {
            ""
        };
        let (open, close) = w.cwmp_name("Fault");
        w.out.push_str(&format!(
            "<{fault}><faultcode{bare}>Server</faultcode><faultstring{bare}>CWMP fault</faultstring>\
             <detail{bare}><{open}>"
        ));
        w.children(self.args, true);
        w.out.push_str(&format!("</{close}></detail></{fault}>"));
    }
}

struct Writer<'a> {
    style: &'a SoapStyle,
    n: &'static Names,
    cwmp: String,
    out: String,
}

impl Writer<'_> {
    fn name(&self, prefix: &str, local: &str) -> String {
        if prefix.is_empty() {
            local.into()
        } else {
            format!("{prefix}:{local}")
        }
    }

    fn on_envelope(&self) -> String {
        let (n, cwmp) = (self.n, &self.cwmp);
        match self.style.prefixes {
            Prefixes::Usual => format!(
                " xmlns:{}=\"{SOAP}\" xmlns:{}=\"{ENC}\" xmlns:{}=\"{XSD}\" xmlns:{}=\"{XSI}\" xmlns:{}=\"{cwmp}\"",
                n.env, n.enc, n.xsd, n.xsi, n.cwmp
            ),
            Prefixes::Odd => format!(
                "\n xmlns:{}='{cwmp}'\t xmlns:{}='{XSI}' xmlns:{} = '{XSD}' xmlns:{}='{SOAP}' xmlns:{}='{ENC}' ",
                n.cwmp, n.xsi, n.xsd, n.env, n.enc
            ),
            Prefixes::DefaultNamespace => format!(
                " xmlns=\"{SOAP}\" xmlns:m=\"{SOAP}\" xmlns:{}=\"{ENC}\" xmlns:{}=\"{XSD}\" xmlns:{}=\"{XSI}\" xmlns:c=\"{cwmp}\"",
                n.enc, n.xsd, n.xsi
            ),
            Prefixes::Inner => format!(" xmlns:{}=\"{SOAP}\"", n.env),
        }
    }

    /// A cwmp element's start (with a declaration where needed) and its end name.
    fn cwmp_name(&self, local: &str) -> (String, String) {
        let name = self.name(self.n.cwmp, local);
        let cwmp = &self.cwmp;
        let open = match self.style.prefixes {
            Prefixes::DefaultNamespace => format!("{name} xmlns=\"{cwmp}\""),
            Prefixes::Inner => format!("{name} xmlns:{}=\"{cwmp}\"", self.n.cwmp),
            _ => name.clone(),
        };
        (open, name)
    }

    fn rpc(&mut self, name: &str, args: &[Node]) {
        let (open, close) = self.cwmp_name(name);
        self.out.push_str(&format!("<{open}>"));
        self.children(args, true);
        self.out.push_str(&format!("</{close}>"));
    }

    fn children(&mut self, nodes: &[Node], below_cwmp: bool) {
        for node in nodes {
            self.comment();
            self.node(node, below_cwmp);
        }
    }

    fn node(&mut self, node: &Node, below_cwmp: bool) {
        let n = self.n;
        let inner = self.style.prefixes == Prefixes::Inner;
        self.out.push_str(&format!("<{}", node.name));
        if below_cwmp && self.style.prefixes == Prefixes::DefaultNamespace {
            self.out.push_str(" xmlns=\"\"");
        }
        if let Some(kind) = &node.xsi {
            if inner {
                self.out.push_str(&format!(
                    " xmlns:{}=\"{XSI}\" xmlns:{}=\"{XSD}\"",
                    n.xsi, n.xsd
                ));
            }
            self.out
                .push_str(&format!(" {}:type=\"{}:{kind}\"", n.xsi, n.xsd));
        }
        if let Kind::Array(item, items) = &node.kind {
            self.array_attributes(item, items.len());
        }
        match &node.kind {
            Kind::Text(text) if text.is_empty() && self.style.prefixes == Prefixes::Odd => {
                self.out.push_str("/>");
                return;
            }
            Kind::Text(text) => {
                self.out.push('>');
                self.text(text);
            }
            Kind::Flag(flag) => {
                let text = self.flag(*flag);
                self.out.push('>');
                self.text(text);
            }
            Kind::Parent(nodes) | Kind::Array(_, nodes) => {
                self.out.push('>');
                self.children(nodes, false);
            }
        }
        self.out.push_str(&format!("</{}>", node.name));
    }

    fn array_attributes(&mut self, item: &ItemType, count: usize) {
        let n = self.n;
        // The RPC element declares the default namespace only; types need a prefix.
        let cwmp = if n.cwmp.is_empty() { "c" } else { n.cwmp };
        if self.style.prefixes == Prefixes::Inner {
            self.out.push_str(&format!(" xmlns:{}=\"{ENC}\"", n.enc));
            self.out.push_str(&format!(
                " xmlns:{}=\"{XSD}\" xmlns:{}=\"{XSI}\"",
                n.xsd, n.xsi
            ));
        }
        if self.style.typed_arrays {
            self.out
                .push_str(&format!(" {}:type=\"{}:Array\"", n.xsi, n.enc));
        }
        let item = match item {
            ItemType::Cwmp(name) => format!("{cwmp}:{name}"),
            ItemType::XsdString => format!("{}:string", n.xsd),
        };
        self.out
            .push_str(&format!(" {}:arrayType=\"{item}[{count}]\"", n.enc));
    }

    fn flag(&self, value: bool) -> &'static str {
        match (self.style.bool_words, value) {
            (true, true) => "true",
            (true, false) => "false",
            (false, true) => "1",
            (false, false) => "0",
        }
    }

    fn comment(&mut self) {
        if self.style.comments {
            self.out.push_str("<!-- a < b & c -->\n  ");
        }
    }

    fn text(&mut self, text: &str) {
        if self.style.cdata && !text.is_empty() {
            self.out.push_str(&format!(
                "<![CDATA[{}]]>",
                text.replace("]]>", "]]]]><![CDATA[>")
            ));
            return;
        }
        for (at, c) in text.chars().enumerate() {
            if at == 1 && self.style.comments {
                self.out.push_str("<!-- in a text -->");
            }
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                // A parser would turn a bare carriage return into a line feed.
                '\r' => self.out.push_str("&#13;"),
                c if self.style.char_refs && at % 3 == 0 => {
                    self.out.push_str(&format!("&#x{:X};", u32::from(c)));
                }
                c if self.style.char_refs && at % 3 == 1 => {
                    self.out.push_str(&format!("&#{};", u32::from(c)));
                }
                c => self.out.push(c),
            }
        }
    }
}
