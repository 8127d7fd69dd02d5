//! Envelopes as ACSs write them, and as none should.

use super::chance::Chance;

/// How an envelope is written.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// N of `urn:dslforum-org:cwmp-1-N`.
    pub minor: u8,
    /// Prefixes of SOAP and CWMP.
    prefixes: (&'static str, &'static str),
    start: &'static str,
    comments: bool,
    cdata: bool,
    hold: Option<&'static str>,
    no_more: bool,
    use_version: Option<&'static str>,
    /// The cwmp:ID as the CPE reads it.
    pub id: Option<String>,
    /// A header nobody knows that must be understood.
    pub foreign: Option<&'static str>,
}

const PREFIXES: [(&str, &str); 4] = [
    ("soap-env", "cwmp"),
    ("SOAP-ENV", "c"),
    ("s", "ns1"),
    ("x", "y"),
];

impl Style {
    /// Any style in which a message means what it says.
    pub fn any(chance: &mut Chance<'_>) -> Style {
        let bits = chance.byte();
        let mut style = Style {
            minor: chance.byte() % 5,
            prefixes: PREFIXES[usize::from(bits & 3)],
            start: [
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                "",
                "\u{feff}",
                " \r\n",
            ][usize::from(bits >> 2 & 3)],
            comments: bits & 0x30 == 0x30,
            cdata: bits & 0xc0 == 0xc0,
            ..Style::default()
        };
        if style.start == " \r\n" && bits & 0x10 != 0 {
            style.start = "<?xml version='1.0'?>";
        }
        style.hold = chance.pick(&[
            None,
            None,
            None,
            Some("0"),
            Some("1"),
            Some("true"),
            Some("false"),
        ]);
        style.no_more = chance.one_in(8);
        style.id = match chance.byte() % 12 {
            0..=5 => Some(format!("{}", chance.byte())),
            6 | 7 => None,
            8 => Some(String::new()),
            9 => Some("a<b>&\"'; \u{20ac} ]]>".to_owned()),
            10 => Some(format!(" {}\n\t", chance.text())),
            _ => Some("long ".repeat(chance.below(200))),
        };
        style
    }

    /// With this ID.
    pub fn with_id(mut self, id: Option<&str>) -> Style {
        self.id = id.map(str::to_owned);
        self
    }

    pub fn with_use_version(mut self, version: &'static str) -> Style {
        self.use_version = Some(version);
        self
    }

    pub fn holding(mut self) -> Style {
        self.hold = Some("1");
        self
    }

    pub fn not_holding(mut self) -> Style {
        self.hold = None;
        self
    }

    pub fn text(&self, text: &str) -> String {
        if self.cdata && !text.contains("]]>") && !text.contains('\r') {
            return format!("<![CDATA[{text}]]>");
        }
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        text.replace('>', "&gt;").replace('\r', "&#13;")
    }

    pub fn element(&self, name: &str, text: &str) -> String {
        format!("<{name}>{}</{name}>", self.text(text))
    }

    /// The element of a message; its content is given.
    pub fn message(&self, name: &str, content: &str) -> String {
        let c = self.prefixes.1;
        format!("<{c}:{name}>{content}</{c}:{name}>")
    }

    /// A fault of the ACS.
    pub fn fault(&self, code: u32) -> String {
        let (s, c) = self.prefixes;
        format!(
            "<{s}:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring><detail>\
             <{c}:Fault><FaultCode>{code}</FaultCode><FaultString>no</FaultString></{c}:Fault>\
             </detail></{s}:Fault>"
        )
    }

    pub fn envelope(&self, body: &str) -> String {
        let (s, c) = self.prefixes;
        let comment = if self.comments {
            "<!-- a -- b -->".replace(" -- ", " - ")
        } else {
            String::new()
        };
        let mut header = String::new();
        if let Some(id) = &self.id {
            let id = self.text(id);
            header += &format!("<{c}:ID {s}:mustUnderstand=\"1\">{id}</{c}:ID>{comment}");
        }
        if let Some(hold) = self.hold {
            header +=
                &format!("<{c}:HoldRequests {s}:mustUnderstand=\"1\">{hold}</{c}:HoldRequests>");
        }
        if self.no_more {
            header += &format!("<{c}:NoMoreRequests>1</{c}:NoMoreRequests>");
        }
        if let Some(version) = self.use_version {
            header += &format!(
                "<{c}:UseCWMPVersion {s}:mustUnderstand=\"1\">{version}</{c}:UseCWMPVersion>"
            );
        }
        if let Some(name) = self.foreign {
            header += &format!("<q:{name} xmlns:q=\"urn:q\" {s}:mustUnderstand=\"1\">x</q:{name}>");
        }
        if !header.is_empty() || self.comments {
            header = format!("<{s}:Header>{header}</{s}:Header>");
        }
        format!(
            "{start}<{s}:Envelope xmlns:{s}=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xmlns:{c}=\"urn:dslforum-org:cwmp-1-{minor}\">{header}{comment}<{s}:Body>{body}</{s}:Body></{s}:Envelope>",
            start = self.start,
            minor = self.minor,
        )
    }
}

/// A body that no session can make sense of, or that is a trap.
pub fn hostile(chance: &mut Chance<'_>, style: &Style) -> Vec<u8> {
    let whole = style.envelope(&style.message("GetRPCMethods", ""));
    let doctype = |inside: &str| format!("<!DOCTYPE x [{inside}]>{whole}");
    let text = match chance.byte() % 16 {
        0 => whole.chars().take(chance.below(400)).collect(),
        1 => doctype("<!ENTITY a \"aaaaaaaaaa\">"),
        2 => doctype("<!ENTITY a SYSTEM \"file:///etc/passwd\">"),
        3 => style.envelope(
            &(style.message("Reboot", "<CommandKey/>") + &style.message("FactoryReset", "")),
        ),
        4 => style.envelope(&("<a>".repeat(400) + &"</a>".repeat(400))),
        5 => "<html><body>not here</body></html>".to_owned(),
        6 => style.envelope(&style.message("InformResponse", "<MaxEnvelopes>1</MaxEnvelopes>")),
        7 => style.envelope("<soap-env:Body:Fault/>"),
        8 => style.envelope(&style.fault(8000)),
        9 => whole.replace("Body", "Bady"),
        10 => whole.replace("schemas.xmlsoap.org", "schemas.example.org"),
        11 => style.envelope("text instead of a message"),
        12 => format!("{whole}{whole}"),
        13 => style.envelope(&style.message(
            &format!("X{}", chance.text().replace(['<', '&', '>'], "")),
            "",
        )),
        14 => {
            let mut bytes = whole.into_bytes();
            for _ in 0..=chance.below(4) {
                let at = chance.below(bytes.len());
                bytes[at] = chance.byte();
            }
            return bytes;
        }
        _ => {
            let len = chance.below(64);
            return (0..len).map(|_| chance.byte()).collect();
        }
    };
    text.into_bytes()
}
